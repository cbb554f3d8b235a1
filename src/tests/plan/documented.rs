//! The working sequences of `docs/sequences.md`: what is written there is correct.

use crate::story::POLICY;
use aftercare::sequence;

const PEOPLE: &str = "[aya]\nname = \"Aya Tanaka\"\nemail = \"aya@shop.example.com\"\n";

#[test]
fn the_sequences_of_the_documentation_are_correct() {
    let text = include_str!("../../../docs/sequences.md");
    let feed = include_str!("../../../config/catalog.json");
    let mut seen = Vec::new();
    for block in text.split("```toml config/sequences/").skip(1) {
        let (name, rest) = block.split_once('\n').expect("a name");
        let (sequence, _) = rest.split_once("```").expect("an end");
        let files = [
            ("config/store.toml".to_owned(), POLICY.to_owned()),
            ("config/people.toml".to_owned(), PEOPLE.to_owned()),
            (
                "config/catalog.toml".to_owned(),
                "feed = \"catalog.json\"\n".to_owned(),
            ),
            ("config/catalog.json".to_owned(), feed.to_owned()),
            (format!("config/sequences/{name}"), sequence.to_owned()),
        ];
        let (catalog, found) = sequence::read(&files);
        assert!(catalog.is_some() && found.is_empty(), "{name}: {found:#?}");
        seen.push(name.to_owned());
    }
    for name in ["win-back.toml", "monthly.toml", "refill.toml"] {
        assert!(seen.iter().any(|had| had == name), "{name}: {seen:?}");
    }
}
