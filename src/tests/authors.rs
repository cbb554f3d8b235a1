//! What authors write from the documentation does what it says there: files laid over the
//! shop that they would begin with, and stories that happen in it with mails really made.

use aftercare::engine::preview::{self, Press};
use aftercare::engine::reload;
use aftercare::links::Links;
use aftercare::model::diagnostic::Severity;
use aftercare::model::send::Send;
use aftercare::model::time::Timestamp;
use aftercare::plan::{Ready, scenario};
use aftercare::sequence::catalog::Catalog;
use std::fs;
use std::path::Path;

/// The shop that authors begin with, without its scenarios, and files of their own.
struct Shop {
    folder: tempfile::TempDir,
}

impl Shop {
    fn with(files: &[(&str, &str)]) -> Shop {
        fn copy(from: &Path, to: &Path) {
            fs::create_dir_all(to).unwrap();
            for entry in fs::read_dir(from).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_owned();
                match path.is_dir() {
                    true if name == "scenarios" || name == "snapshots" => {}
                    true => copy(&path, &to.join(name)),
                    false => {
                        fs::copy(&path, to.join(name)).unwrap();
                    }
                }
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for part in ["config", "templates"] {
            copy(&root.join(part), &folder.path().join(part));
        }
        let shop = Shop { folder };
        for (path, text) in files {
            shop.write(path, text);
        }
        shop
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// As [`Shop::write`], for a mail with these words.
    fn mail(&self, name: &str, words: &str) {
        self.write(
            &format!("templates/mail/{name}.en.md"),
            &format!(
                "+++\nsubject   = \"About {name}\"\npreheader = \"A word on it\"\nlayout    = \"fulfilment\"\n+++\n{words}\n"
            ),
        );
    }

    /// Codes and messages of everything that is wrong.
    fn problems(&self) -> Vec<String> {
        reload::read(self.folder.path())
            .problems
            .into_iter()
            .map(|one| format!("{} {}: {}", one.code, one.file, one.message))
            .collect()
    }

    /// Lets a story happen; what it says that did not come as written.
    fn story(&self, text: &str) -> Vec<String> {
        let read = reload::read(self.folder.path());
        let wrong: Vec<_> = read
            .problems
            .iter()
            .filter(|one| one.severity() == Severity::Error)
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        let live = read.live.expect("a shop");
        let files = [("config/scenarios/x.toml".to_owned(), text.to_owned())];
        let (scenarios, problems) = scenario::read(&live.catalog, &files);
        assert_eq!(problems, []);
        let config = crate::harness::defaults(Path::new("/nowhere"));
        let links = Links::new(&[7; 32], "test", "http://127.0.0.1:8025");
        let press = Press::new(&links, &config);
        let mut make = |_: &Catalog, send: &Send, ready: Box<Ready>, now: Timestamp| {
            let made = preview::make(&press, &live, send, *ready, now)?;
            Ok((*made.prepared).clone())
        };
        scenario::run(&live.catalog, &scenarios[0], &mut make)
            .failures
            .iter()
            .map(|failure| format!("{failure:?}"))
            .collect()
    }
}

const NOBODY: &str = "\n[customer]\nemail = \"ann@example.com\"\nlocale = \"en\"\ncountry = \"DE\"\nconsent = \"subscribed\"\n";

fn scenario(events: &str) -> String {
    format!("format = 1\ntitle = \"A story\"\nonly = false\n{NOBODY}{events}")
}

const BOUGHT: &str = "\n[[event]]\nat = 2026-03-02T10:00:00\norder = \"1001\"\nitems = [\"AUR-D80-BODY\", \"COF-NORD-250\"]\n";

fn sends(name: &str) -> String {
    format!("\n[[expect]]\nsend = \"{name}\"\n")
}

const PRE_ORDER: &str = r#"
format = 1
id     = "pre-order"
kind   = "fulfilment"
title  = "Not forgotten"
from   = "aya"
[start]
on = "order.placed"
[[step]]
id    = "waiting"
after = "start + 30d"
mail  = "fulfilment/placed"
[[stop]]
on   = ["order.cancelled", "refund.issued"]
when = 'cancel.reason == "fraud"'
"#;

#[test]
fn a_stop_asks_the_fact_that_it_stops_on() {
    let shop = Shop::with(&[("config/sequences/pre-order.toml", PRE_ORDER)]);
    let cancelled = |reason: &str| {
        scenario(&format!(
            "{BOUGHT}\n[[event]]\nat = \"+5d\"\ntype = \"order.cancelled\"\n\
             data = {{ order_ref = {{ order_id = \"1001\" }}, cancel = {{ reason = \"{reason}\" }} }}\n"
        ))
    };
    let never = "\n[[never]]\nsend = \"pre-order/waiting\"\n";
    assert_eq!(
        shop.story(&format!("{}{never}", cancelled("fraud"))),
        [""; 0]
    );
    let goes = format!("{}{}", cancelled("customer"), sends("pre-order/waiting"));
    assert_eq!(shop.story(&goes), [""; 0]);
}

const BY_ARM: &str = r#"
format = 1
id     = "by-arm"
kind   = "review"
title  = "Your opinion"
from   = "aya"
[start]
on    = "item.delivered"
where = 'item.family == "dslr"'
per   = "customer, item.family"
[[step]]
id    = "ask"
after = "start + 30d"
at    = "10:00"
mail  = { short = "arms/short", long = "arms/long" }
[experiment]
id     = "words"
split  = { short = 50, long = 50 }
decide = { on = 2027-01-15, at_least = 100 }
"#;

#[test]
fn the_mail_of_every_arm_is_sent_by_its_step_and_read_by_check() {
    let shop = Shop::with(&[("config/sequences/by-arm.toml", BY_ARM)]);
    let asks = |name: &str, words: &str| {
        shop.write(
            &format!("templates/mail/arms/{name}.en.md"),
            &format!(
                "+++\nsubject   = \"How is the camera, in {name}?\"\npreheader = \"Two lines are enough, {name}\"\n+++\n{words}\n"
            ),
        );
    };
    asks("short", "Tell us how you like it. Reply to this mail.");
    asks(
        "long",
        "Tell us at length how you like it. Reply to this mail.",
    );
    let of_arms = |problems: Vec<String>| -> Vec<String> {
        let ours = |one: &String| one.contains("arms/") || one.contains("by-arm");
        problems.into_iter().filter(ours).collect()
    };
    assert_eq!(of_arms(shop.problems()), [""; 0]);
    // A reward is found in whichever arm promises it.
    asks("long", "Write a review and get a voucher worth 10 €.");
    let found = of_arms(shop.problems());
    assert!(
        found.iter().any(|one| one.starts_with("E306")),
        "{found:#?}"
    );
}

#[test]
fn what_happens_to_an_order_is_told_by_who_told_of_it() {
    let shop = Shop::with(&[]);
    let story = scenario(
        "\n[[event]]\nat = 2026-03-02T10:00:00\norder = \"1001\"\nitems = [\"AUR-D80-BODY\"]\nunpaid = true\n\
         source = \"/shopify/shop.example.com\"\n\
         \n[[event]]\nat = \"+1d\"\npaid = \"1001\"\n\
         \n[[event]]\nat = \"+1d\"\ndelivered = \"1001\"\n\
         \n[[expect]]\nsend = \"fulfilment/placed\"\ncount = 1\n\
         \n[[expect]]\nsend = \"fulfilment/paid\"\ncount = 1\n\
         \n[[expect]]\nsend = \"fulfilment/delivered\"\ncount = 1\n",
    );
    assert_eq!(shop.story(&story), [""; 0]);
}

const KIT: &str = r#"
format = 1
id     = "starter"
kind   = "education"
title  = "Your kit"
from   = "aya"
[start]
on    = "item.delivered"
where = 'item.family == "starter"'
per   = "customer, item.family"
[[step]]
id    = "unpack"
after = "start + 1d"
at    = "10:00"
mail  = "dslr/basics"
when  = 'owns("starter") && item.family == "starter"'
"#;

#[test]
fn a_kit_that_is_taught_as_one_thing_is_a_family() {
    let catalog = include_str!("../../config/catalog.toml");
    let kit = |track: &str| {
        format!(
            "{catalog}\n[kit.starter]\nmatch = {{ skus = [\"KIT-CAMERA\"] }}\ntrack = \"{track}\"\n"
        )
    };
    let shop = Shop::with(&[
        ("config/sequences/starter.toml", KIT),
        ("config/catalog.toml", &kit("kit")),
    ]);
    assert_eq!(
        shop.problems()
            .iter()
            .filter(|one| one.starts_with('E'))
            .count(),
        0
    );
    let bought = BOUGHT.replace("\"AUR-D80-BODY\", \"COF-NORD-250\"", "\"KIT-CAMERA\"");
    let story = |then: &str| {
        let arrived = "\n[[event]]\nat = \"+2d\"\ndelivered = \"1001\"\n";
        scenario(&format!("{bought}{arrived}{then}"))
    };
    let as_one = format!(
        "{}\n[[never]]\nsend = \"education-dslr/*\"\n",
        sends("starter/unpack")
    );
    assert_eq!(shop.story(&story(&as_one)), [""; 0]);
    // By its parts, it is taught as what is in it, and `starter` is the family of nothing.
    shop.write("config/catalog.toml", &kit("parts"));
    let found = shop.problems();
    assert!(
        found
            .iter()
            .any(|one| one.starts_with("E143") && one.contains("starter")),
        "{found:#?}"
    );
    fs::remove_file(shop.folder.path().join("config/sequences/starter.toml")).unwrap();
    assert_eq!(shop.story(&story(&sends("education-dslr/basics"))), [""; 0]);
}

/// A step for each anchor that brings something, whose condition and mail name it.
const ANCHORED: [(&str, &str, &str, &str, &str); 8] = [
    (
        "refund",
        "refund.issued",
        "refund.amount.amount > 0 && refund.items.exists(i, i.title != \"\")",
        "{{money refund.amount}} for {{#each refund.items}}{{this.quantity}} {{this.title}}{{/each}}",
        "",
    ),
    (
        "cancel",
        "order.cancelled",
        "cancel.reason == \"customer\"",
        "{{cancel.reason}} on {{date cancel.cancelled_at}}",
        "",
    ),
    (
        "return",
        "return.requested",
        "return.status == \"requested\" && return.items.all(i, i.quantity > 0)",
        "{{return.status}}: {{#if return.items}}{{list return.items \"title\"}}{{/if}}",
        "",
    ),
    (
        "dispute",
        "dispute.opened",
        "dispute.dispute_id != \"\"",
        "{{dispute.dispute_id}}",
        "",
    ),
    (
        "review",
        "review.received",
        "review.rating != null && review.rating == 4",
        "{{#if review.rating}}{{number review.rating}}{{/if}}",
        "",
    ),
    (
        "ticket",
        "ticket.opened",
        "ticket.status == \"open\"",
        "{{ticket.ticket_id}}",
        "",
    ),
    (
        "failure",
        "shipment.delivery_failed",
        "failure.attempt == null || failure.attempt > 0",
        "{{#if failure.attempt}}{{number failure.attempt}}{{/if}}",
        "each = \"shipment\"\n",
    ),
    (
        "pickup",
        "shipment.available_for_pickup",
        "pickup.name == null || pickup.name != \"\"",
        "{{#if pickup.name}}{{pickup.name}}{{/if}}",
        "each = \"shipment\"\n",
    ),
];

const TROUBLES: &str = r#"
[[event]]
at         = "+1d"
dispatched = "1001"
[[event]]
at              = "+1d"
delivery_failed = "1001"
[[event]]
at                   = "+1d"
available_for_pickup = "1001"
[[event]]
at               = "+1d"
return_requested = "1001"
items            = "COF-NORD-250"
[[event]]
at       = "+1d"
refunded = "1001"
items    = "COF-NORD-250"
[[event]]
at     = "+1d"
ticket = "T-1"
about  = "1001"
[[event]]
at      = "+1d"
dispute = "D-1"
about   = "1001"
[[event]]
at       = "+1d"
reviewed = "1001"
rating   = 4
[[event]]
at        = "+1d"
cancelled = "1001"
"#;

#[test]
fn what_an_anchor_brings_is_known_to_its_step_and_told_in_its_mail() {
    let head = "format = 1\nid = \"anchored\"\nkind = \"fulfilment\"\ntitle = \"News\"\nfrom = \"aya\"\n\
                [start]\non = \"order.placed\"\nper = \"order\"\n";
    let shop = Shop::with(&[]);
    let mut sequence = head.to_owned();
    let mut story = scenario(&format!("{BOUGHT}{TROUBLES}"));
    for (name, fact, when, words, each) in ANCHORED {
        shop.mail(&format!("anchored/{name}"), words);
        sequence.push_str(&format!(
            "[[step]]\nid = \"{name}\"\nafter = \"{fact}\"\n{each}mail = \"anchored/{name}\"\nwhen = '{when}'\n"
        ));
        story.push_str(&sends(&format!("anchored/{name}")));
    }
    shop.write("config/sequences/anchored.toml", &sequence);
    assert_eq!(shop.story(&story), [""; 0]);
    // A step on another fact has nothing of it: neither in its condition nor in its mail.
    for (name, fact, when, _, each) in ANCHORED {
        let step = format!(
            "{head}[[step]]\nid = \"{name}\"\nafter = \"shipment.dispatched\"\n{each}mail = \"anchored/{name}\"\n"
        );
        shop.write("config/sequences/anchored.toml", &step);
        let codes = shop.problems();
        assert!(
            codes.iter().any(|one| one.starts_with("E203")),
            "{fact}: {codes:#?}"
        );
        let asked = format!("{step}when = '{when}'\n");
        shop.write("config/sequences/anchored.toml", &asked);
        let codes = shop.problems();
        assert!(
            codes.iter().any(|one| one.starts_with("E131")),
            "{fact}: {codes:#?}"
        );
    }
}

/// Every key of a scenario's customer, the condition that sees it, and how it is written.
const CUSTOMER: [(&str, &str, &str); 11] = [
    (
        "email",
        "\"nora@example.com\"",
        "customer.email == \"nora@example.com\"",
    ),
    (
        "customer_id",
        "\"C-7\"",
        "customer.customer_id != null && customer.customer_id == \"C-7\"",
    ),
    (
        "account",
        "\"registered\"",
        "customer.account == \"registered\"",
    ),
    (
        "first_name",
        "\"Nora\"",
        "customer.first_name != null && customer.first_name == \"Nora\"",
    ),
    (
        "last_name",
        "\"Nyström\"",
        "customer.last_name != null && customer.last_name == \"Nyström\"",
    ),
    (
        "name",
        "\"Nora A. Nyström\"",
        "customer.name != null && customer.name == \"Nora A. Nyström\"",
    ),
    (
        "locale",
        "\"en-CA\"",
        "customer.locale != null && customer.locale == \"en-CA\"",
    ),
    (
        "time_zone",
        "\"America/Vancouver\"",
        "customer.time_zone != null && customer.time_zone == \"America/Vancouver\"",
    ),
    (
        "country",
        "\"CA\"",
        "customer.country != null && customer.country == \"CA\"",
    ),
    (
        "region",
        "\"BC\"",
        "customer.region != null && customer.region == \"BC\"",
    ),
    ("tags", "[\"vip\"]", "\"vip\" in customer.tags"),
];

#[test]
fn every_key_of_a_scenarios_customer_is_known_to_conditions() {
    let mut sequence =
        "format = 1\nid = \"who\"\nkind = \"fulfilment\"\ntitle = \"Who\"\nfrom = \"aya\"\n\
                        [start]\non = \"order.placed\"\nper = \"order\"\n"
            .to_owned();
    let mut story =
        "format = 1\ntitle = \"Who\"\nonly = false\n[customer]\nphone = \"+1 604 555 0100\"\n"
            .to_owned();
    let mut expected = String::new();
    for (key, value, when) in CUSTOMER {
        story.push_str(&format!("{key} = {value}\n"));
        sequence.push_str(&format!(
            "[[step]]\nid = \"{}\"\nafter = \"start\"\nmail = \"fulfilment/placed\"\nwhen = '{when}'\n",
            key.replace('_', "-")
        ));
        // Ten in the morning where she lives, which is six in the evening in UTC.
        expected.push_str(&format!(
            "{}at = 2026-03-02T18:00:00Z\n",
            sends(&format!("who/{}", key.replace('_', "-")))
        ));
    }
    let shop = Shop::with(&[("config/sequences/who.toml", &sequence)]);
    assert_eq!(shop.story(&format!("{story}{BOUGHT}{expected}")), [""; 0]);
    // Without them, each condition is seen to fail.
    let somebody = scenario(&format!("{BOUGHT}{}", sends("who/first-name")));
    assert_eq!(shop.story(&somebody).len(), 1);
}

/// What `consent` may be in one word, and whether an offer may go for it to Germany.
const CONSENT: [(&str, bool); 6] = [
    ("subscribed", true),
    ("soft_opt_in", true),
    ("not_subscribed", false),
    ("pending", false),
    ("unsubscribed", false),
    ("unknown", false),
];

#[test]
fn each_word_of_consent_lets_an_offer_go_or_not() {
    let shop = Shop::with(&[]);
    for (word, goes) in CONSENT {
        let text = scenario(&format!(
            "{BOUGHT}\n[[event]]\nat = \"+2d\"\ndelivered = \"1001\"\n{}",
            if goes {
                sends("education-dslr/tripod")
            } else {
                "\n[[never]]\nsend = \"education-dslr/tripod\"\n".to_owned()
            }
        ))
        .replace("consent = \"subscribed\"", &format!("consent = \"{word}\""));
        assert_eq!(shop.story(&text), [""; 0], "{word}");
        // In full, as events have it.
        let (state, basis) = match word {
            "soft_opt_in" => ("not_subscribed", "soft_opt_in"),
            "subscribed" => (word, "explicit"),
            other => (other, "none"),
        };
        let full = text.replace(
            &format!("consent = \"{word}\""),
            &format!(
                "marketing_consent = {{ channel = \"email\", state = \"{state}\", basis = \"{basis}\" }}"
            ),
        );
        assert_ne!(full, text);
        assert_eq!(shop.story(&full), [""; 0], "{word} in full");
    }
}
