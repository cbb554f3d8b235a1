//! `check --prove`: shops that break one promise each, the story that shows it, and the
//! same shops mended.

use aftercare::engine::preview::{self, Press};
use aftercare::engine::reload::{self, Live};
use aftercare::links::Links;
use aftercare::model::send::Send;
use aftercare::model::time::Timestamp;
use aftercare::plan::prove::{Bounds, Failure, Proof, Shop, prove};
use aftercare::plan::{Ready, scenario};
use aftercare::render::{LoadPolicy, Templates};
use aftercare::sequence::{self, catalog::Catalog};
use std::path::Path;

/// Enough for stories of three events in a shop of two sequences, also in a debug build.
const BOUNDS: Bounds = Bounds {
    events: 3,
    plans: 4_000,
};

const CATALOG: &str = r#"
feed = "catalog.json"
[family.dslr]
match = { tags = ["dslr"] }
"#;
const FEED: &str = r#"[
{"product_id": "CAM", "sku": "CAM-1", "title": "Camera", "kind": "physical", "tags": ["dslr"], "prices": {"EUR": 90000},
 "image_url": "https://shop.example.com/cam.jpg", "product_url": "https://shop.example.com/cam"}
]"#;

const ORDER: &str = r#"
format = 1
id = "order"
kind = "fulfilment"
title = "Your order"
from = "aya"
[start]
on = "order.placed"
per = "order"
[[step]]
id = "placed"
after = "start"
mail = "a/placed"
unless = "order.cancelled"
"#;

const HELP: &str = r#"
format = 1
id = "help"
kind = "education"
title = "Help"
from = "aya"
[start]
on = "item.delivered"
where = 'item.family == "dslr"'
per = "customer, item.family"
[[step]]
id = "first"
after = "start + 2d"
at = "10:00"
mail = "a/first"
[[step]]
id = "second"
after = "first + 5d"
at = "10:00"
mail = "a/second"
[[stop]]
on = ["item.refunded", "item.returned", "order.cancelled"]
"#;

const REVIEW: &str = r#"
format = 1
id = "review"
kind = "review"
title = "How is it?"
from = "aya"
[start]
on = "item.delivered"
where = 'item.family == "dslr"'
per = "customer, item.product_id"
[[step]]
id = "ask"
after = "start + 20d"
at = "10:00"
mail = "a/ask"
"#;

/// Limits and costs as a careful shop has them.
const CAREFUL: &str = "[limits]\nper_day = 1\nwhen_over = \"5d\"\n[earn]\nsurvey = 1\nreview = 2\n";

pub(crate) fn shop(
    policy: &str,
    sequences: &[&str],
    mails: &[(&str, &str)],
) -> Vec<(String, String)> {
    let store = format!(
        "id = \"test\"\nname = \"Test shop\"\nurl = \"https://shop.example.com\"\naddress = \"1 Quay Street\"\n\
         zone = \"Europe/Berlin\"\nlocales = [\"en\"]\nfallback = \"en\"\n{policy}"
    );
    let mut files = vec![
        ("config/store.toml".to_owned(), store),
        (
            "config/people.toml".to_owned(),
            "[aya]\nname = \"Aya\"\nemail = \"aya@shop.example.com\"\n".to_owned(),
        ),
        ("config/catalog.toml".to_owned(), CATALOG.to_owned()),
        ("config/catalog.json".to_owned(), FEED.to_owned()),
        (
            "templates/layouts/fulfilment.mjml".to_owned(),
            include_str!("../../templates/layouts/fulfilment.mjml").to_owned(),
        ),
        (
            "templates/layouts/default.mjml".to_owned(),
            include_str!("../../templates/layouts/default.mjml").to_owned(),
        ),
        (
            "templates/strings/en.ftl".to_owned(),
            include_str!("../../templates/strings/en.ftl").to_owned(),
        ),
    ];
    for (number, text) in sequences.iter().enumerate() {
        files.push((
            format!("config/sequences/{number}.toml"),
            (*text).to_owned(),
        ));
    }
    for name in ["placed", "reminder", "first", "second", "other", "ask"] {
        let text = mails
            .iter()
            .find(|(mail, _)| *mail == name)
            .map_or("Hello {{customer.email}}.", |(_, text)| text);
        files.push((
            format!("templates/mail/a/{name}.en.md"),
            format!("+++\nsubject = \"{name}\"\npreheader = \"{name}\"\n+++\n{text}\n"),
        ));
    }
    files
}

pub(crate) fn proof(files: &[(String, String)]) -> Proof {
    let (catalog, problems) = sequence::read(files);
    let catalog = catalog.unwrap_or_else(|| panic!("{problems:#?}"));
    let policy = LoadPolicy {
        locales: vec!["en".into()],
        fallback: Some("en".into()),
        ..LoadPolicy::default()
    };
    let (templates, mut problems) = Templates::load(files, &policy);
    // The words of the shipped shop say more than these few mails print.
    problems.retain(|one| one.code != "W261");
    assert!(problems.is_empty(), "{problems:#?}");
    let shop = Shop {
        catalog: &catalog,
        templates: &templates,
        files,
    };
    prove(&shop, BOUNDS)
}

pub(crate) fn codes(proof: &Proof) -> Vec<&str> {
    proof
        .failures
        .iter()
        .map(|failure| failure.diagnostic.code)
        .collect()
}

fn only(files: &[(String, String)], code: &str) -> Failure {
    let proof = proof(files);
    assert_eq!(codes(&proof), [code], "{:#?}", proof.failures);
    proof.failures.into_iter().next().expect("one")
}

pub(crate) fn clean(files: &[(String, String)]) {
    let proof = proof(files);
    assert!(proof.failures.is_empty(), "{:#?}", proof.failures);
    for one in &proof.explored {
        assert_eq!(one.reached, one.steps, "{one:?}");
        assert!(one.stories > 10 && one.events >= 2, "{one:?}");
    }
}

fn text_at<'f>(files: &'f [(String, String)], failure: &Failure) -> &'f str {
    let found = files
        .iter()
        .find(|(path, _)| *path == failure.diagnostic.file)
        .expect("a file");
    &found.1[failure.diagnostic.span.clone()]
}

fn story(failure: &Failure) -> &str {
    let line = failure.diagnostic.help.first().expect("a story");
    line.strip_prefix("shortest story: ").expect("a story")
}

/// Whether `aftercare test` finds nothing wrong with a kept story in a set of files.
fn passes(files: &[(String, String)], failure: &Failure) -> bool {
    let kept = failure.scenario.as_ref().expect("a scenario");
    let mut all = files.to_vec();
    all.push((
        format!("{}{}", scenario::FOLDER, kept.file_name),
        kept.text.clone(),
    ));
    let (catalog, problems) = sequence::read(&all);
    let catalog = catalog.unwrap_or_else(|| panic!("{problems:#?}"));
    let policy = LoadPolicy {
        locales: vec!["en".into()],
        fallback: Some("en".into()),
        ..LoadPolicy::default()
    };
    let (templates, _) = Templates::load(&all, &policy);
    let live = Live::new(catalog, templates);
    let (scenarios, problems) = scenario::read(&live.catalog, &all);
    assert!(problems.is_empty(), "{problems:#?}");
    assert_eq!(scenarios.len(), 1);
    let config = crate::harness::defaults(Path::new("/nowhere"));
    let links = Links::new(&[7; 32], "test", "http://127.0.0.1:8025");
    let press = Press::new(&links, &config);
    let mut make = |_: &Catalog, send: &Send, ready: Box<Ready>, now: Timestamp| {
        let made = preview::make(&press, &live, send, *ready, now)?;
        Ok((*made.prepared).clone())
    };
    scenario::run(&live.catalog, &scenarios[0], &mut make).passed()
}

/// The story of a broken promise fails on the files that break it, and passes mended.
fn story_guards(wrong: &[(String, String)], failure: &Failure, right: &[(String, String)]) {
    assert!(!passes(wrong, failure), "{failure:#?}");
    assert!(passes(right, failure), "{failure:#?}");
}

#[test]
fn an_ask_that_costs_no_help_comes_before_any() {
    let free = CAREFUL.replace("review = 2", "review = 0");
    let early = REVIEW.replace("start + 20d", "start + 1d");
    let files = shop(&free, &[HELP, &early], &[]);
    let failure = only(&files, "E301");
    assert_eq!(
        failure.diagnostic.message,
        "a review could be asked before any help was sent"
    );
    assert_eq!(text_at(&files, &failure), "\"ask\"");
    assert_eq!(
        story(&failure),
        "order.placed → shipment.delivered → \"review/ask\" on day 1"
    );
    let scenario = &failure.scenario.as_ref().expect("a scenario").text;
    let parsed: toml_edit::DocumentMut = scenario.parse().expect("TOML");
    assert_eq!(
        parsed["event"].as_array_of_tables().map(|all| all.len()),
        Some(2)
    );
    assert_eq!(parsed["never"][0]["send"].as_str(), Some("review/ask"));
    let dear = shop(CAREFUL, &[HELP, REVIEW], &[]);
    clean(&dear);
    story_guards(&files, &failure, &dear);
}

#[test]
fn without_limits_two_mails_meet_on_one_day() {
    let other = HELP
        .replace("\"help\"", "\"more\"")
        .replace("a/first", "a/other")
        .replace("a/second", "a/ask");
    let files = shop("", &[HELP, &other], &[]);
    let proof = proof(&files);
    assert!(
        !proof.failures.is_empty() && codes(&proof).iter().all(|code| *code == "E332"),
        "{:#?}",
        proof.failures
    );
    // Either of the two may wait for the next day: a scenario has no words for that.
    assert!(
        proof
            .failures
            .iter()
            .all(|failure| failure.scenario.is_none())
    );
    clean(&shop(CAREFUL, &[HELP, &other], &[]));
}

#[test]
fn the_planner_stops_what_a_sequence_forgets_to_stop() {
    let forgetful = HELP.split("[[stop]]").next().expect("a part");
    clean(&shop(CAREFUL, &[forgetful, REVIEW], &[]));
}

#[test]
fn a_reminder_about_an_order_that_is_off_is_not_owed() {
    let reminder = format!(
        "{ORDER}\n[[step]]\nid = \"reminder\"\nafter = \"start + 5d\"\nmail = \"a/reminder\"\n"
    );
    let files = shop(CAREFUL, &[&reminder], &[]);
    let failure = only(&files, "E331");
    assert_eq!(text_at(&files, &failure), "\"reminder\"");
    let mended = format!("{reminder}unless = \"order.cancelled || order.refunded\"\n");
    let mended = shop(CAREFUL, &[&mended], &[]);
    clean(&mended);
    story_guards(&files, &failure, &mended);
}

#[test]
fn one_mail_about_one_thing_goes_once() {
    let copy = HELP.replace("a/second", "a/first");
    let files = shop(CAREFUL, &[&copy], &[]);
    let failure = only(&files, "E334");
    assert!(
        failure
            .diagnostic
            .message
            .contains("\"help/first\" has sent already"),
        "{}",
        failure.diagnostic.message
    );
    // Scenarios name steps, and each of the two steps did go out once.
    assert!(failure.scenario.is_none());
    clean(&shop(CAREFUL, &[HELP], &[]));
}

#[test]
fn help_inside_an_order_s_own_sequence_stops_with_the_goods() {
    let helpful = format!(
        "{ORDER}\n[[step]]\nid = \"tip\"\nkind = \"education\"\nafter = \"start + 5d\"\nmail = \"a/first\"\n"
    );
    clean(&shop(CAREFUL, &[&helpful], &[]));
}

#[test]
fn a_value_that_some_path_lacks_would_hold_the_mail() {
    let back = r#"
format = 1
id = "back"
kind = "fulfilment"
title = "Your refund"
from = "aya"
[start]
on = "refund.issued"
per = "order"
[[step]]
id = "goods"
after = "return.updated"
mail = "a/other"
"#;
    // The step knows the start's refund and its own return; its mail is made of the latter.
    let files = shop(
        CAREFUL,
        &[ORDER, back],
        &[("other", "Your {{money refund.amount}}.")],
    );
    let failure = only(&files, "E336");
    assert_eq!(failure.diagnostic.file, "templates/mail/a/other.en.md");
    assert!(text_at(&files, &failure).contains("refund.amount"));
    let scenario = &failure.scenario.as_ref().expect("a scenario").text;
    assert!(
        scenario.contains("[[expect]]\nsend  = \"back/goods\"\nstate = \"accepted\""),
        "{scenario}"
    );
    let right = shop(
        CAREFUL,
        &[ORDER, back],
        &[("other", "It is {{return.status}}.")],
    );
    clean(&right);
    story_guards(&files, &failure, &right);
}

#[test]
fn what_news_bring_has_the_names_of_the_goods() {
    let back = r#"
format = 1
id = "back"
kind = "fulfilment"
title = "Your refund"
from = "aya"
[start]
on = "refund.issued"
per = "order"
[[step]]
id = "goods"
mail = "a/other"
"#;
    // Money alone can be given back: then there are no goods.
    let words = "Back: {{list refund.items}}.\n\n{{#each refund.items}}{{title}} {{/each}}";
    let files = shop(CAREFUL, &[ORDER, back], &[("other", words)]);
    let failure = only(&files, "E336");
    assert!(
        failure
            .diagnostic
            .message
            .contains("`refund.items` is empty here"),
        "{}",
        failure.diagnostic.message
    );
    let words = "Back{{#if refund.items}}: {{list refund.items}}{{/if}}.\n\n{{#each refund.items}}{{title}} {{/each}}";
    clean(&shop(CAREFUL, &[ORDER, back], &[("other", words)]));
    let sent = back.replace("refund.issued", "return.updated");
    let words = words.replace("refund.", "return.");
    clean(&shop(CAREFUL, &[ORDER, &sent], &[("other", &words)]));
}

#[test]
fn a_step_that_no_story_sends_is_named_with_what_was_tried() {
    let never = HELP.replace(
        "mail = \"a/second\"",
        "mail = \"a/second\"\nunless = 'item.kept'",
    );
    let files = shop(CAREFUL, &[&never], &[]);
    let failure = only(&files, "E337");
    assert_eq!(text_at(&files, &failure), "\"second\"");
    assert!(failure.scenario.is_none());
    let help = failure.diagnostic.help.join("\n");
    assert!(
        help.contains("`unless` holds: item.kept") && help.contains("CAM to DE"),
        "{help}"
    );
    // Values that conditions name are tried, also counts of orders.
    let regular = HELP.replace(
        "mail = \"a/second\"",
        "mail = \"a/second\"\nwhen = 'order.channel == \"kiosk\" && customer.orders >= 3'",
    );
    clean(&shop(CAREFUL, &[&regular], &[]));
}

#[test]
fn a_budget_that_is_used_up_is_said() {
    let files = shop(CAREFUL, &[HELP, REVIEW], &[]);
    let (catalog, _) = sequence::read(&files);
    let catalog = catalog.expect("good files");
    let (templates, _) = Templates::load(&files, &LoadPolicy::default());
    let shop = Shop {
        catalog: &catalog,
        templates: &templates,
        files: &files,
    };
    let bounds = Bounds {
        events: 6,
        plans: 300,
    };
    let proof = prove(&shop, bounds);
    assert!(
        proof
            .explored
            .iter()
            .all(|one| one.longer && one.left_out > 0),
        "{proof:#?}"
    );
    let again = prove(&shop, bounds);
    assert_eq!(proof.explored, again.explored);
}

#[test]
fn the_shipped_shop_is_proved() {
    let read = reload::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    let live = read.live.expect("good files");
    let shop = Shop {
        catalog: &live.catalog,
        templates: &live.templates,
        files: &read.files,
    };
    let bounds = Bounds {
        events: 3,
        plans: 7_000,
    };
    let proof = prove(&shop, bounds);
    assert!(proof.failures.is_empty(), "{:#?}", proof.failures);
    for one in &proof.explored {
        assert_eq!(one.reached, one.steps, "{one:?}");
    }
    assert_eq!(proof.pairs.left_out, 0, "{:?}", proof.pairs);
}
