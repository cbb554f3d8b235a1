//! What somebody most likely meant who wrote a name that is none.

/// The name most like `word`, where one is so near that a slip is the likeliest reason:
/// a third of its letters at most, and never more than three. Capitals are no difference.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = word.to_lowercase();
    names
        .into_iter()
        .map(|name| {
            let apart = strsim::damerau_levenshtein(&folded, &name.to_lowercase());
            (apart, name)
        })
        .filter(|(apart, name)| {
            let longer = name.chars().count().max(folded.chars().count());
            *apart <= (longer / 3).clamp(1, 3)
        })
        .min_by_key(|(apart, _)| *apart)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let names = ["shopify", "stripe", "easypost"];
        let check = |word: &str, expected: Option<&str>| {
            assert_eq!(nearest(word, names), expected, "{word}");
        };
        check("shopfiy", Some("shopify"));
        check("Stripe", Some("stripe"));
        check("esypots", Some("easypost"));
        check("magento", None);
        check("", None);
    }
}
