//! The authoring language: text to [`catalog::Catalog`], with every problem named.

pub mod catalog;
pub mod condition;

/// The name most like `word`, where one is so near that a slip is the likeliest reason.
pub(crate) fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = word.to_lowercase();
    names
        .into_iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&folded, &name.to_lowercase()),
                name,
            )
        })
        .filter(|(distance, name)| {
            *distance <= (name.chars().count().max(folded.chars().count()) / 3).clamp(1, 3)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
