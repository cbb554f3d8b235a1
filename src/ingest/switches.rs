//! Where a kind of event is switched on: by platform, in the words of its own settings
//! ([`super::setup`]). A platform that is not named for a kind never says it.

use super::setup;
use crate::model::event::EventKind as Kind;

/// Where to switch a kind on: (platform, words), of these platforms; of all that can say
/// it where none of these can.
pub fn where_to(kind: Kind, platforms: &[&str]) -> Vec<(&'static str, &'static str)> {
    let all: Vec<(&'static str, &'static str)> = setup::all()
        .flat_map(|(platform, setup)| {
            let telling = setup
                .switches
                .iter()
                .filter(|one| one.kinds.contains(&kind));
            telling.map(move |one| (platform.as_str(), one.words.as_str()))
        })
        .collect();
    let mut own = all.clone();
    own.retain(|(platform, _)| platforms.contains(platform));
    if own.is_empty() { all } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shops_own_platforms_come_first() {
        let names = |platforms: &[&str]| -> Vec<&str> {
            let told = where_to(Kind::ShipmentDelivered, platforms);
            told.into_iter().map(|(platform, _)| platform).collect()
        };
        assert_eq!(names(&["woocommerce", "zendesk"]), ["woocommerce"]);
        assert!(names(&["zendesk"]).contains(&"aftership"));
    }
}
