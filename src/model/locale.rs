//! Language tags as events bring them, and the chain in which texts are looked up.

/// The languages to try for a reader, best first: the tag itself, its language, the
/// shop's declared fallback. `ja-JP` gives `ja-JP, ja`, then the shop's.
pub fn chain(tag: &str, fallback: Option<&str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut push = |text: &str| {
        if !text.is_empty() && !found.iter().any(|had| had.eq_ignore_ascii_case(text)) {
            found.push(text.to_owned());
        }
    };
    let tag = tag.replace('_', "-");
    let mut rest = tag.as_str();
    loop {
        push(rest);
        match rest.rsplit_once('-') {
            Some((shorter, _)) => rest = shorter,
            None => break,
        }
    }
    if let Some(fallback) = fallback {
        push(fallback);
    }
    found
}

/// The language of a tag: `ja` of `ja-JP`, lower case.
pub fn language(tag: &str) -> String {
    let end = tag.find(['-', '_']).unwrap_or(tag.len());
    tag[..end].to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_from_the_narrow_to_the_wide() {
        assert_eq!(chain("ja-JP", Some("en")), ["ja-JP", "ja", "en"]);
        assert_eq!(chain("en_GB", Some("en")), ["en-GB", "en"]);
        assert_eq!(language("fr-CA"), "fr");
    }
}
