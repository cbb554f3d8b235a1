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

/// Longest language tag (RFC 5646, section 4.4.1).
const MAX_TAG: usize = 35;

/// Whether a text is a language tag of a language that somebody could read: two or three
/// letters, then script, region and variants (RFC 5646). `_` may stand for `-`.
pub fn is_tag(text: &str) -> bool {
    let mut parts = text.split(['-', '_']);
    let letters = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphabetic());
    let language = parts.next().unwrap_or_default();
    text.len() <= MAX_TAG
        && matches!(language.len(), 2 | 3)
        && letters(language)
        && parts.all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_told_from_words() {
        for tag in [
            "en",
            "de-CH",
            "zh_Hant_TW",
            "sr-Latn",
            "fil",
            "ca-ES-valencia",
        ] {
            assert!(is_tag(tag), "{tag}");
        }
        for none in ["", "german", "d", "de-", "d1", "de CH", "de-CHxxxxxxxxx"] {
            assert!(!is_tag(none), "{none}");
        }
    }

    #[test]
    fn looks_from_the_narrow_to_the_wide() {
        assert_eq!(chain("ja-JP", Some("en")), ["ja-JP", "ja", "en"]);
        assert_eq!(chain("en_GB", Some("en")), ["en-GB", "en"]);
        assert_eq!(language("fr-CA"), "fr");
    }
}
