//! Countries and regions as strangers write them: three letters for two, the name of a
//! region for its code. The table is ISO 3166 (`places.tsv`): a country of three letters
//! with its two, or a country, the name of a region of it in capitals, and the code.

use std::collections::HashMap;
use std::sync::LazyLock;

const TABLE: &str = include_str!("places.tsv");

static PLACES: LazyLock<HashMap<(&str, &str), &str>> = LazyLock::new(|| {
    TABLE
        .lines()
        .filter_map(|line| {
            let mut parts = line.split('\t');
            Some(((parts.next()?, parts.next()?), parts.next()?))
        })
        .collect()
});

/// Two capital letters for a country that is written with two or three letters.
pub fn country(text: &str) -> Option<String> {
    let code = text.trim().to_ascii_uppercase();
    match code.len() {
        2 if code.bytes().all(|byte| byte.is_ascii_uppercase()) => Some(code),
        3 => PLACES
            .get(&(code.as_str(), ""))
            .map(|two| (*two).to_owned()),
        _ => None,
    }
}

/// The code of a region (ISO 3166-2, without the country) by its name, in countries whose
/// regions matter for the time of day; what is no name we know stays as it is.
pub fn region(country: &str, text: &str) -> String {
    let name = text.trim();
    PLACES
        .get(&(country, name.to_uppercase().as_str()))
        .map_or_else(|| name.to_owned(), |code| (*code).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_and_regions_come_down_to_their_codes() {
        for (text, code) in [
            ("USA", Some("US")),
            ("deu", Some("DE")),
            (" fr ", Some("FR")),
            ("XXX", None),
            ("", None),
            ("Germany", None),
        ] {
            assert_eq!(country(text).as_deref(), code, "{text}");
        }
        assert_eq!(region("US", "New York"), "NY");
        assert_eq!(region("BR", "São Paulo"), "SP");
        assert_eq!(region("US", "NY"), "NY");
        assert_eq!(region("DE", "Bayern"), "Bayern");
    }
}
