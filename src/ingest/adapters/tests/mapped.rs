//! Mapping files: every slip is told where it stands, and a delivery that a mapping does
//! not fit is kept with words that repeat nothing of it.

use super::super::*;
use super::golden::{mapping, source};

const GOOD: &str = "[[fact]]\ntype = \"order.cancelled\"\nid = \"'order/' + id(body.no) + '/cancelled'\"\n\
    [fact.data]\norder_ref = \"{'order_id': id(body.no)}\"\ncancel = \"{'cancelled_at': instant(body.at)}\"\n";

#[test]
fn slips_in_a_mapping_are_told_where_they_stand() {
    assert!(Mapping::read("m.toml", GOOD).is_ok());
    for (was, is, code, message, help) in [
        (
            "type = \"order.cancelled\"",
            "type = \"order.canceled\"",
            "E105",
            "no event is called \"order.canceled\"",
            "did you mean order.cancelled?",
        ),
        (
            "id(body.no) + '/c",
            "id(bdy.no) + '/c",
            "E187",
            "nothing is called `bdy` here",
            "did you mean body?",
        ),
        (
            "instant(body.at)",
            "instnt(body.at)",
            "E187",
            "there is no function `instnt`",
            "did you mean instant?",
        ),
        (
            "instant(body.at)}",
            "instant(body.at}",
            "E187",
            "this expression cannot be read",
            "",
        ),
        (
            "order_ref =",
            "order_reff =",
            "E104",
            "unknown key \"order_reff\"",
            "did you mean order_ref?",
        ),
        (
            "id = \"'order/' + id(body.no) + '/cancelled'\"\n",
            "",
            "E102",
            "[[fact]] 1 lacks `id`",
            "known again",
        ),
        (
            "[[fact]]\n",
            "[[fakt]]\n",
            "E104",
            "unknown key \"fakt\"",
            "did you mean fact?",
        ),
        (
            "cancel = \"{'cancelled_at': instant(body.at)}\"",
            "cancel = 7",
            "E103",
            "`cancel` wants a text",
            "",
        ),
        (
            "[[fact]]\n",
            "[signature]\nheader = \"x\"\nsigned = \"{time}\"\n[[fact]]\n",
            "E187",
            "{time} is none of",
            "",
        ),
        (
            "[[fact]]\n",
            "[signature]\nheader = \"x\"\nsigned = \"nothing\"\n[[fact]]\n",
            "E187",
            "must contain {body}",
            "",
        ),
        (
            "[[fact]]\n",
            "[signature]\nheader = \"x\"\nalgorithm = \"md5\"\n[[fact]]\n",
            "E105",
            "`algorithm` is one of",
            "",
        ),
        (
            "[[fact]]\n",
            "[signature]\nalgorithm = \"hmac-sha512\"\n[[fact]]\n",
            "E102",
            "[signature] lacks `header`",
            "",
        ),
        ("[[fact]]\n", "[[fact\n", "E100", "", ""),
    ] {
        let text = GOOD.replacen(was, is, 1);
        assert_ne!(text, GOOD, "{was}");
        let problems = Mapping::read("m.toml", &text).unwrap_err();
        let found = problems.iter().find(|one| {
            one.code == code && one.message.contains(message) && one.help.join("\n").contains(help)
        });
        assert!(found.is_some(), "{is}: {problems:#?}");
    }
    let deep = GOOD.replacen(
        "id(body.no)",
        &format!("{}1{}", "(".repeat(40), ")".repeat(40)),
        1,
    );
    assert!(Mapping::read("m.toml", &deep).is_err());
    let long = GOOD.replacen(
        "id(body.no)",
        &format!("id(body.no){}", " + 'x'".repeat(200)),
        1,
    );
    assert!(Mapping::read("m.toml", &long).is_err());
    let nots = GOOD.replacen(
        "id(body.no)",
        &format!("string({}true)", "!".repeat(500)),
        1,
    );
    assert!(Mapping::read("m.toml", &nots).is_err());
}

#[test]
fn what_a_mapping_does_not_fit_is_kept_in_words() {
    let mut source = source(Platform::Generic);
    source.mapping = Some(mapping());
    let take = |body: &str| {
        hear(
            &source,
            &Headers::default(),
            body.as_bytes(),
            &Beside::default(),
            Timestamp::UNIX_EPOCH,
        )
    };
    let unused = take(r#"{"event": "stock.changed"}"#);
    // The key is taken from a header that is not there.
    assert_eq!(unused.outcome, Outcome::Poison);
    let because = unused.poison.unwrap().because;
    assert!(because.contains("[delivery]: key"), "{because}");
    let mut plain = (*mapping()).clone();
    plain.forget_key();
    source.mapping = Some(Arc::new(plain));
    let take = |body: &str| {
        hear(
            &source,
            &Headers::default(),
            body.as_bytes(),
            &Beside::default(),
            Timestamp::UNIX_EPOCH,
        )
    };
    assert_eq!(
        take(r#"{"event": "stock.changed"}"#).outcome,
        Outcome::Unused
    );
    for (body, words) in [
        (r#"{"event": "order.new"}"#, "has no `order`"),
        (r#"{}"#, "has no `event`"),
        (
            r#"{"event": "order.new", "order": {"no": 1, "created": "x", "changed": "x", "currency": "EUR",
                "total": 1, "paid": true, "customer": {"mail": "secret@example.com"}, "lines": []}}"#,
            "expected an instant",
        ),
        (
            r#"{"event": "order.new", "order": {"no": 1, "created": 1773144000, "changed": 1773144000, "currency": "EUR",
                "total": 1, "paid": "perhaps", "customer": {"mail": "secret@example.com"}, "lines": []}}"#,
            "do not go together",
        ),
    ] {
        let poison = take(body).poison.unwrap();
        assert!(poison.because.contains(words), "{}", poison.because);
        assert!(!poison.because.contains("secret"), "{}", poison.because);
    }
}
