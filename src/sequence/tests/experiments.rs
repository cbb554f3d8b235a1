//! `[experiment]`: what is read, and every mistake with its near miss.

use super::*;
use crate::sequence::catalog::{Guard, Judge};

const EXPERIMENT: &str = r#"
[experiment]
id      = "cadence-2026"
split   = { weekly = 50, fortnightly = 50 }
holdout = 5
judge   = "bought again within 180d"
watch   = ["opted out", "complained", "refunded"]
decide  = { on = 2027-01-15, at_least = 400 }
"#;

/// The sequence of the reference, whole.
fn whole() -> String {
    EDUCATION
        .replace(
            "\"basics + 1w\"",
            "{ weekly = \"basics + 1w\", fortnightly = \"basics + 2w\" }",
        )
        .replace(
            "\"manual + 1w\"",
            "{ weekly = \"manual + 1w\", fortnightly = \"manual + 2w\" }",
        )
        .replace(
            "\"light + 3w\"",
            "{ weekly = \"light + 3w\", fortnightly = \"light + 4w\" }",
        )
        + EXPERIMENT
}

/// What is found after changes: codes and messages.
#[track_caller]
fn found(changes: &[(&str, &str)]) -> Vec<(&'static str, String)> {
    let mut text = whole();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let (_, found) = read(&shop(&[(DSLR, &text)]));
    for one in &found {
        let marked = text.get(one.span.clone()).unwrap();
        assert!(!marked.is_empty(), "{one:?} marks nothing");
        assert!(
            !one.help.is_empty() || one.label.is_some(),
            "{one:?} says not what to type"
        );
    }
    found
        .into_iter()
        .map(|one| (one.code, one.message))
        .collect()
}

#[track_caller]
fn once(changes: &[(&str, &str)], code: &str, message: &str) {
    let found = found(changes);
    assert_eq!(
        found,
        [(code, message.to_owned())].map(|(c, m)| (leak(c), m))
    );
}

fn leak(code: &str) -> &'static str {
    code.to_owned().leak()
}

#[test]
fn the_reference_is_read_as_written() {
    let catalog = catalog(&[(DSLR, &whole())]);
    let sequence = catalog.sequence("education-dslr").unwrap();
    let experiment = sequence.experiment.as_ref().unwrap();
    assert_eq!(experiment.id, "cadence-2026");
    assert_eq!(
        experiment.split(),
        "fortnightly = 50, weekly = 50; holdout = 5"
    );
    let within = Length::Days(180);
    assert_eq!(experiment.judge, Some(Judge::BoughtAgain { within }));
    assert_eq!(
        experiment.watch,
        [Guard::OptedOut, Guard::Complained, Guard::Refunded]
    );
    let decide = experiment.decide.unwrap();
    assert_eq!(
        (decide.on.to_string(), decide.at_least),
        ("2027-01-15".into(), Some(400))
    );
    let length = |variant, id| sequence.step_in(variant, id).unwrap().length;
    assert_eq!(length(Some("weekly"), "manual"), Length::Days(7));
    assert_eq!(length(Some("fortnightly"), "manual"), Length::Days(14));
    assert_eq!(length(Some("fortnightly"), "tripod"), Length::Days(28));
    // In no arm, held out, or in one that is gone: the first of the file.
    for other in [None, Some("holdout"), Some("gone")] {
        assert_eq!(length(other, "light"), Length::Days(7));
    }
    assert!(sequence.steps[0].known.has("variant"));
    assert!(
        !catalog.sequence("orders").unwrap().steps[0]
            .known
            .has("variant")
    );
}

#[test]
fn steps_mails_and_times_differ_by_arm() {
    let text = whole()
        .replace("at    = \"10:00\"\nmail  = \"dslr/manual\"", "at = { weekly = \"09:00\", fortnightly = \"11:30\" }\nmail = { weekly = \"dslr/a\", fortnightly = \"dslr/b\" }")
        .replace("id    = \"light\"", "id    = \"light\"\nvariant = \"weekly\"")
        .replace("after = { weekly = \"manual + 1w\", fortnightly = \"manual + 2w\" }", "after = \"manual + 1w\"\nwhen = 'variant == \"weekly\" || variant in [\"fortnightly\", \"holdout\"]'")
        .replace("{ weekly = \"light + 3w\", fortnightly = \"light + 4w\" }", "{ weekly = \"light + 3w\", fortnightly = \"manual + 4w\" }");
    let catalog = catalog(&[(DSLR, &text)]);
    let sequence = catalog.sequence("education-dslr").unwrap();
    let manual = |variant| sequence.step_in(Some(variant), "manual").unwrap();
    assert_eq!(
        (
            manual("weekly").mail.as_str(),
            manual("fortnightly").mail.as_str()
        ),
        ("dslr/a", "dslr/b")
    );
    assert_ne!(manual("weekly").at, manual("fortnightly").at);
    assert!(sequence.step_in(Some("fortnightly"), "light").is_none());
    assert_eq!(sequence.course(Some("fortnightly")).len(), 3);
    assert_eq!(sequence.steps.len(), 4, "every step once");
}

#[test]
fn e191_no_such_arm() {
    once(
        &[("{ weekly = \"basics + 1w\"", "{ weeky = \"basics + 1w\"")],
        "E191",
        "no arm of the experiment is called \"weeky\"",
    );
    once(
        &[(
            "id    = \"light\"",
            "id    = \"light\"\nwhen = 'variant == \"fortnight\"'",
        )],
        "E191",
        "no arm of the experiment is called \"fortnight\"",
    );
    once(
        &[(
            "id    = \"basics\"",
            "id    = \"basics\"\nvariant = [\"weekly\", \"fortnightly\", \"daily\"]",
        )],
        "E191",
        "no arm of the experiment is called \"daily\"",
    );
}

#[test]
fn e192_an_arm_is_forgotten() {
    once(
        &[(", fortnightly = \"basics + 2w\"", "")],
        "E192",
        "`after` says nothing for arm \"fortnightly\"",
    );
}

#[test]
fn e193_a_split_that_is_none() {
    let split = "{ weekly = 50, fortnightly = 50 }";
    for (to, message) in [
        (
            "{ weekly = 50, fortnightly = 40 }",
            "the shares add up to 90, not to 100",
        ),
        (
            "{ weekly = 99 }",
            "an experiment compares two arms at least",
        ),
        (
            "{ weekly = 100, fortnightly = 0 }",
            "arm \"weekly\" gets 100 per cent of the customers",
        ),
        (
            "{ weekly = 50, holdout = 50 }",
            "no arm can be called \"holdout\"",
        ),
        (
            "{ weekly = 50, \"Fort Nightly\" = 50 }",
            "\"Fort Nightly\" is no name of an arm",
        ),
    ] {
        let found = found(&[(split, to)]);
        assert_eq!((found[0].0, found[0].1.as_str()), ("E193", message));
        assert!(found.iter().all(|(code, _)| *code == "E193"), "{found:?}");
    }
    assert_eq!(found(&[(split, "{ weekly = 30, fortnightly = 70 }")]), []);
}

#[test]
fn e194_too_many_held_out() {
    once(
        &[("holdout = 5", "holdout = 60")],
        "E194",
        "60 per cent of the customers cannot be held out",
    );
    assert_eq!(found(&[("holdout = 5", "holdout = 50")]), []);
    assert_eq!(found(&[("holdout = 5\n", "")]), []);
}

#[test]
fn e195_what_cannot_be_counted() {
    once(
        &[("bought again within 180d", "opened within 3d")],
        "E195",
        "\"opened within 3d\" decides nothing that we can count",
    );
    once(
        &[("\"complained\"", "\"complaind\"")],
        "E195",
        "\"complaind\" is nothing that can be watched",
    );
    once(
        &[("within 180d", "within 6 months")],
        "E112",
        "\"6 months\" is not a length we accept",
    );
    once(
        &[("on = 2027-01-15", "on = \"soon\"")],
        "E113",
        "\"soon\" is no day",
    );
}

#[test]
fn w191_no_day_of_decision() {
    once(
        &[("decide  = { on = 2027-01-15, at_least = 400 }\n", "")],
        "W191",
        "this experiment has no day on which it is decided",
    );
}

#[test]
fn e196_fulfilment_that_differs_by_arm() {
    let by_arm = (
        "id    = \"light\"",
        "id    = \"light\"\nkind = \"fulfilment\"",
    );
    once(
        &[by_arm],
        "E196",
        "a fulfilment step differs by arm, and some customers are held out",
    );
    assert_eq!(found(&[by_arm, ("holdout = 5", "holdout = 0")]), []);
}

#[test]
fn e197_a_step_that_the_arm_lacks() {
    once(
        &[
            (
                "id    = \"light\"",
                "id    = \"light\"\nvariant = \"weekly\"",
            ),
            (", fortnightly = \"manual + 2w\"", ""),
        ],
        "E197",
        "step \"tripod\" waits for \"light\", which arm \"fortnightly\" does not have",
    );
}

#[test]
fn e198_two_files_with_one_experiment() {
    let other = ORDERS.replace("mail = \"orders/placed\"", "mail = \"orders/placed\"\n")
        + &EXPERIMENT.replace("holdout = 5", "holdout = 10");
    let (_, found) = read(&shop(&[(DSLR, &whole()), (FULFILMENT, &other)]));
    let codes: Vec<_> = found.iter().map(|one| one.code).collect();
    assert_eq!(codes, ["E198"], "{found:?}");
    assert_eq!(other.get(found[0].span.clone()), Some("\"cadence-2026\""));
    let same = ORDERS.to_owned() + EXPERIMENT;
    assert_eq!(read(&shop(&[(DSLR, &whole()), (FULFILMENT, &same)])).1, []);
}

#[test]
fn e199_arms_without_an_experiment() {
    let text = whole().replace(EXPERIMENT, "").replace(
        "at    = \"10:00\"\nmail  = \"dslr/light\"",
        "mail = { a = \"x/y\" }",
    );
    let (_, found) = read(&shop(&[(DSLR, &text)]));
    assert_eq!((found.len(), found[0].code), (1, "E199"), "{found:?}");
    let said = EDUCATION.replace(
        "id    = \"light\"",
        "id    = \"light\"\nwhen = 'variant == \"weekly\"'",
    );
    let (_, found) = read(&shop(&[(DSLR, &said)]));
    assert_eq!((found.len(), found[0].code), (1, "E131"), "{found:?}");
    assert!(found[0].help[0].contains("[experiment]"), "{found:?}");
}

#[test]
fn the_example_of_the_documentation_works() {
    let text = include_str!("../../../docs/sequences.md");
    let example = text
        .split("```toml\n")
        .filter_map(|rest| rest.split("```").next())
        .find(|block| block.contains("[experiment]") && block.contains("format"))
        .unwrap();
    let catalog = catalog(&[("config/sequences/cadence.toml", example)]);
    let sequence = catalog.sequence("education-cadence").unwrap();
    assert_eq!(sequence.course(Some("fortnightly")).len(), 2);
    assert_eq!(sequence.course(Some("weekly")).len(), 3);
}

#[test]
fn a_broken_experiment_is_one_mistake() {
    let found = found(&[("split   = { weekly = 50, fortnightly = 50 }\n", "")]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "E102");
}
