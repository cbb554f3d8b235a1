//! Shops with one fault each, and shops without any that look as if.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use crate::engine::reload;
use crate::model::diagnostic::Diagnostic;
use std::path::Path;

/// The small shop of the tests, with files laid over it.
fn shop(over: &[(&str, &str)]) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/fixtures/shop");
    let mut files = Vec::new();
    read(&folder, &folder, &mut files);
    for (path, text) in over {
        files.retain(|(had, _)| had != path);
        files.push(((*path).to_owned(), (*text).to_owned()));
    }
    files
}

fn read(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read(root, &path, files);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let name = path.strip_prefix(root).expect("inside");
            files.push((name.to_string_lossy().into_owned(), text));
        }
    }
}

const FIRST: &str = "config/sequences/first-steps.toml";

fn sequence(kind: &str, start: &str, rest: &str) -> String {
    format!(
        "format = 1\nid = \"first-steps\"\nkind = \"{kind}\"\ntitle = \"T\"\nfrom = \"aya\"\n\n[start]\n{start}\n\n{rest}\n"
    )
}

fn step(rest: &str) -> String {
    format!("[[step]]\nid = \"hello\"\nmail = \"hello/first\"\n{rest}\n")
}

/// What lints say; how pages look and values that may be null are other checks' matter.
fn problems(over: &[(&str, &str)]) -> Vec<Diagnostic> {
    let ours = |code: &str| {
        ["E12", "E14", "E15", "E3", "W5"]
            .iter()
            .any(|start| code.starts_with(start))
    };
    let mut found = reload::check(shop(over), Vec::new()).problems;
    found.retain(|one| ours(one.code));
    found
}

fn codes(over: &[(&str, &str)]) -> Vec<&'static str> {
    problems(over).iter().map(|one| one.code).collect()
}

/// Of a sequence of a kind with a start and further text.
fn check(kind: &str, start: &str, rest: &str, wanted: &[&str]) {
    let text = sequence(kind, start, rest);
    let mut over = vec![(FIRST, text.as_str())];
    let layout;
    if kind == "fulfilment" {
        layout = "<mjml><mj-body><mj-section><mj-column><mj-text>{{{content}}}</mj-text></mj-column></mj-section></mj-body></mjml>";
        over.push(("templates/layouts/default.mjml", layout));
    }
    let found = problems(&over);
    let got: Vec<&str> = found.iter().map(|one| one.code).collect();
    assert_eq!(got, wanted, "{start}\n{rest}\n{found:#?}");
}

#[test]
fn the_shipped_shop_is_quiet() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files, found) = crate::files::read(root);
    assert!(found.is_empty(), "{found:?}");
    files.retain(|(path, _)| path.starts_with("config/") || path.starts_with("templates/"));
    let read = reload::check(files, Vec::new());
    assert!(read.problems.is_empty(), "{:#?}", read.problems);
}

#[test]
fn conditions_that_contradict_each_other_over_start_anchor_and_step() {
    let placed = "on = \"order.placed\"";
    let item = "on = \"item.delivered\"\nper = \"customer, item.family\"";
    for (kind, start, rest) in [
        ("education", item, step("when = \"!item.delivered\"")),
        ("education", item, step("when = \"!item.kept\"")),
        ("education", item, step("when = \"order.gift\"")),
        (
            "education",
            item,
            step("when = \"item.kind == 'gift_card'\""),
        ),
        (
            "education",
            item,
            step("unless = \"item.delivered_at != null\""),
        ),
        (
            "fulfilment",
            placed,
            step("after = \"order.paid\"\nwhen = \"!order.paid\""),
        ),
        (
            "fulfilment",
            placed,
            step(
                "after = \"shipment.delivered\"\neach = \"shipment\"\nwhen = \"shipment.status == 'delivered'\"\nunless = \"shipment.delivered\"",
            ),
        ),
        (
            "education",
            "on = \"item.delivered\"\nper = \"customer, item.family\"\nwhere = \"item.family == 'dslr'\"",
            step("when = \"item.family == 'tripod'\""),
        ),
    ] {
        check(kind, start, &rest, &["E140"]);
    }
    check(
        "fulfilment",
        "on = \"order.placed\"\nwhere = \"order.cancelled\"",
        &step(""),
        &["E140"],
    );
}

#[test]
fn conditions_that_may_hold_one_after_the_other_are_left_alone() {
    for (kind, start, rest) in [
        // What is unpaid at the start may be paid later.
        (
            "fulfilment",
            "on = \"order.placed\"\nwhere = \"!order.paid\"",
            step("after = \"start + 2d\"\nwhen = \"order.paid\""),
        ),
        // Speaking of gifts lets them in.
        (
            "education",
            "on = \"item.delivered\"\nper = \"customer, item.family\"\nwhere = \"order.gift || item.family == 'dslr'\"",
            step("when = \"order.gift\""),
        ),
        // The parcel of the step is another than the one that started.
        (
            "fulfilment",
            "on = \"shipment.delivered\"\nper = \"order\"",
            step("after = \"start\"\neach = \"shipment\"\nunless = \"shipment.delivered\""),
        ),
        (
            "fulfilment",
            "on = \"order.placed\"",
            step("after = \"order.cancelled\"\nwhen = \"order.cancelled\""),
        ),
        (
            "education",
            "on = \"order.delivered\"",
            step("when = \"customer.orders > 1 && customer.orders < 3\""),
        ),
    ] {
        check(kind, start, &rest, &[]);
    }
}

#[test]
fn a_contradiction_names_both_places() {
    let text = sequence(
        "fulfilment",
        "on = \"order.placed\"",
        &step(
            "after = \"shipment.delivered\"\neach = \"shipment\"\nunless = \"shipment.delivered\"",
        ),
    );
    let layout = "<mjml><mj-body><mj-section><mj-column><mj-text>{{{content}}}</mj-text></mj-column></mj-section></mj-body></mjml>";
    let found = problems(&[(FIRST, &text), ("templates/layouts/default.mjml", layout)]);
    let problem = found.iter().find(|one| one.code == "E140").unwrap();
    assert_eq!(problem.message, "nobody can ever receive \"hello\"");
    let places: Vec<&str> = problem
        .related
        .iter()
        .map(|(span, _)| &text[span.clone()])
        .collect();
    assert_eq!(places, ["\"shipment.delivered\"", "shipment.delivered"]);
    assert!(
        problem.help[0].contains("`shipment.delivered` and `!shipment.delivered`"),
        "{:?}",
        problem.help
    );
    assert!(text[problem.span.clone()].starts_with("[[step]]"));
}

#[test]
fn whoever_starts_on_a_step_inherits_what_it_made_sure_of() {
    let opener = sequence(
        "education",
        "on = \"item.delivered\"\nper = \"customer, item.family\"\nwhere = \"item.family == 'dslr'\"",
        &step(""),
    );
    let follower = |family: &str| {
        format!(
            "format = 1\nid = \"more\"\nkind = \"education\"\ntitle = \"T\"\nfrom = \"aya\"\n[start]\non = \"step.sent\"\nof = \"first-steps/hello\"\nper = \"customer, item.family\"\nwhere = \"item.family == '{family}'\"\n[[step]]\nid = \"more\"\nafter = \"start + 3d\"\nmail = \"hello/first\"\n"
        )
    };
    let more = "config/sequences/more.toml";
    let wrong = follower("tripod");
    let found = problems(&[(FIRST, &opener), (more, &wrong)]);
    let problem = found.iter().find(|one| one.code == "E140").expect("found");
    assert_eq!(problem.message, "nobody can ever enter \"more\"");
    assert!(
        problem.help.iter().any(|line| line.contains("first-steps")),
        "{problem:?}"
    );
    let right = follower("dslr");
    assert_eq!(
        codes(&[(FIRST, &opener), (more, &right)]),
        Vec::<&str>::new()
    );
}

#[test]
fn values_that_nothing_has_are_found_in_loops_and_in_mails() {
    check(
        "education",
        "on = \"order.delivered\"\nwhere = \"customer.country in ['DE', 'UK']\"",
        &step(""),
        &["E143"],
    );
    let mail = "+++\nsubject = \"S\"\n+++\n{{#each order.items}}\n{{#if (eq this.kind \"phisical\")}}\n{{this.title}}\n{{/if}}\n{{/each}}\n";
    let found = problems(&[("templates/mail/hello/first.en.md", mail)]);
    assert_eq!(
        found.iter().map(|one| one.code).collect::<Vec<_>>(),
        ["E143"]
    );
    assert_eq!(found[0].help[1], "did you mean \"physical\"?");
    let line = crate::model::diagnostic::position(mail, found[0].span.start).0;
    assert_eq!(line, 5);
}

#[test]
fn days_and_hours_that_never_come() {
    let store = |hours: &str| {
        let text = shop(&[])
            .into_iter()
            .find(|(path, _)| path == "config/store.toml")
            .unwrap()
            .1;
        format!("{text}\n[hours]\nopen = \"08:00\"\nclose = \"20:00\"\ndays = \"{hours}\"\n")
    };
    let weekdays = store("Mon-Fri");
    let of = |rest: &str| {
        let text = sequence("education", "on = \"order.delivered\"", &step(rest));
        codes(&[(FIRST, &text), ("config/store.toml", &weekdays)])
    };
    assert_eq!(of("slot = \"0 0 10 * * Sat,Sun\""), ["E152"]);
    assert_eq!(of("slot = \"0 0 10 * * Fri,Sat,Sun\""), Vec::<&str>::new());
    // Friday evening to Monday morning are 60 hours.
    assert_eq!(
        of("after = \"start + 2d\"\nlate = \"59h, then skip\""),
        ["W501"]
    );
    assert_eq!(
        of("after = \"start + 2d\"\nlate = \"60h, then skip\""),
        Vec::<&str>::new()
    );
    assert_eq!(
        of("after = \"start + 2bd\"\nat = \"10:00\"\nlate = \"1h, then skip\""),
        Vec::<&str>::new()
    );
}

#[test]
fn reviews_are_asked_of_everybody_in_mails_too() {
    let mail = "+++\nsubject = \"S\"\n+++\n{{#if (gte review.rating 4)}}\n[Tell the world](https://www.trustpilot.com/evaluate/x)\n{{/if}}\n";
    let text = sequence(
        "review",
        "on = \"review.received\"",
        &step("after = \"start + 1d\""),
    );
    let found = problems(&[(FIRST, &text), ("templates/mail/hello/first.en.md", mail)]);
    let gating: Vec<&Diagnostic> = found.iter().filter(|one| one.code == "E305").collect();
    assert_eq!(gating.len(), 1, "{found:#?}");
    assert!(mail[gating[0].span.clone()].contains("review.rating"));
    for (rest, wanted) in [
        ("when = \"review.rating >= 4\"", true),
        ("unless = \"review.rating < 4\"", true),
        ("when = \"survey.score >= 4\"", true),
        ("when = \"'nps-promoter' in customer.tags\"", true),
        ("unless = \"item.reviewed\"", false),
        ("when = \"'wholesale' in customer.tags\"", false),
    ] {
        let start = "on = \"review.received\"\nper = \"item\"";
        let text = sequence("review", start, &step(rest));
        let found = codes(&[(FIRST, &text)]);
        assert_eq!(found.contains(&"E305"), wanted, "{rest}: {found:?}");
    }
}

#[test]
fn rewards_on_google_are_never_right() {
    let fair = "incentive = { unconditional = true, disclosed = true }";
    let of = |body: &str, rest: &str| {
        let mail = format!("+++\nsubject = \"S\"\n+++\n{body}\n");
        let text = sequence("review", "on = \"order.delivered\"", &step(rest));
        let found = codes(&[(FIRST, &text), ("templates/mail/hello/first.en.md", &mail)]);
        found.contains(&"E306")
    };
    let own = "Everybody gets a voucher.";
    let google =
        "Everybody gets a voucher. [Review](https://search.google.com/local/writereview?placeid=x)";
    assert!(of(own, ""));
    assert!(!of(own, fair));
    assert!(of(google, fair));
    assert!(!of("There is no voucher.", ""));
    let text = sequence("education", "on = \"order.delivered\"", &step(fair));
    assert_eq!(codes(&[(FIRST, &text)]), ["E123"]);
}

#[test]
fn a_fault_in_a_layout_is_one_mistake() {
    let mut over: Vec<(String, String)> = Vec::new();
    let mut steps = String::new();
    for n in 0..120 {
        over.push((
            format!("templates/mail/hello/m{n}.en.md"),
            "+++\nsubject = \"S\"\n+++\nHello.\n".to_owned(),
        ));
        if n < 90 {
            steps.push_str(&format!(
                "[[step]]\nid = \"s{n}\"\nafter = \"start + {}d\"\nat = \"10:00\"\nmail = \"hello/m{n}\"\n",
                n * 9 + 3
            ));
        }
    }
    steps.push_str(&step("after = \"start + 1d\""));
    over.push((
        FIRST.to_owned(),
        sequence("offer", "on = \"order.delivered\"", &steps),
    ));
    over.push((
        "config/store.toml".to_owned(),
        format!(
            "{}\n[consent]\nJP = {{ offer = \"opt_in\" }}\n",
            shop(&[])
                .into_iter()
                .find(|(path, _)| path == "config/store.toml")
                .unwrap()
                .1
        ),
    ));
    let over: Vec<(&str, &str)> = over.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let found = codes(&over);
    assert_eq!(found.iter().filter(|code| **code == "E310").count(), 1);
    assert_eq!(found.iter().filter(|code| **code == "W503").count(), 30);
}
