#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;
use proptest::prelude::*;

const SEQUENCE: &str = "config/sequences/x.toml";

#[test]
fn keys_are_put_in_order_and_comments_stay_with_them() {
    let text = "# What it is.\nid=\"a\"\nformat = 1\n\n\n[[step]]   # first\nafter = \"start\"\n# why\nid = 'b'\nmail=\"x/y\" # here\n# the end\n";
    let wanted = "# What it is.\nid = \"a\"\n";
    let formatted = format(SEQUENCE, text);
    assert!(
        formatted.contains("[[step]]   # first\n# why\nid    = \"b\"\nafter = \"start\"\n"),
        "{formatted}"
    );
    assert!(
        formatted.ends_with("mail  = \"x/y\"   # here\n# the end\n"),
        "{formatted}"
    );
    assert_ne!(formatted, wanted);
    assert_eq!(format(SEQUENCE, &formatted), formatted);
}

#[test]
fn what_is_no_toml_is_left_alone() {
    for text in ["id = ", "[[", "a = 1\na = 2\n"] {
        assert_eq!(format(SEQUENCE, text), text);
    }
    assert_eq!(format("templates/mail/a/b.en.md", "no head"), "no head");
}

#[test]
fn quotes_follow_what_they_hold() {
    let text =
        "a = 'plain'\nb = \"say \\\"x\\\"\"\nc = \"it's \\\"x\\\"\"\nd = \"\"\"\nlong\"\"\"\n";
    let formatted = format("config/other.toml", text);
    assert_eq!(
        formatted,
        "a = \"plain\"\nb = 'say \"x\"'\nc = \"it's \\\"x\\\"\"\nd = \"\"\"\nlong\"\"\"\n"
    );
}

#[test]
fn a_long_list_stands_in_lines() {
    let text = format!("x = [{}]\n", ["\"a long enough text\""; 8].join(","));
    let formatted = format("config/other.toml", &text);
    assert!(
        formatted.starts_with("x = [\n  \"a long enough text\",\n"),
        "{formatted}"
    );
    assert_eq!(format("config/other.toml", &formatted), formatted);
}

fn meaning(text: &str) -> serde_json::Value {
    let document: DocumentMut = text.parse().unwrap();
    value::json(document.as_item())
}

/// Layouts of the same file: spaces, empty lines and comments anywhere they may stand.
fn relaid(text: &str, at: &[u8]) -> String {
    let mut out = String::new();
    let mut next = at.iter().cycle();
    for line in text.lines() {
        let how = next.next().copied().unwrap_or(0);
        match how % 6 {
            0 => out.push('\n'),
            1 => out.push_str("# said in passing\n"),
            2 => out.push_str("  "),
            _ => {}
        }
        out.push_str(line);
        if how % 7 == 3 && !line.contains('#') && !line.contains("\"\"\"") {
            out.push_str("  # so");
        }
        out.push('\n');
    }
    out
}

proptest! {
    #[test]
    fn meaning_and_comments_are_kept_and_it_rests(at in proptest::collection::vec(any::<u8>(), 1..40)) {
        for (path, text) in [
            (SEQUENCE, include_str!("../../../config/sequences/education-dslr.toml")),
            ("config/store.toml", include_str!("../../../config/store.toml")),
            ("config/catalog.toml", include_str!("../../../config/catalog.toml")),
            ("config/people.toml", include_str!("../../../config/people.toml")),
        ] {
            let text = relaid(text, &at);
            let formatted = format(path, &text);
            prop_assert_eq!(meaning(&text), meaning(&formatted));
            prop_assert_eq!(comments(&text), comments(&formatted));
            prop_assert_eq!(&format(path, &formatted), &formatted);
        }
    }
}
