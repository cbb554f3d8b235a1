#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use crate::model::diagnostic::position;
use crate::model::event::FactKind;
use crate::model::kind::{Kind, OnUncertain};
use crate::model::policy::ConsentRule;
use crate::model::time::{Length, Weekday};
use catalog::{Anchor, Each, Per};

mod experiments;

const STORE: &str = r#"id = "harbor-pine"
name = "Harbor & Pine"
url = "https://shop.example.com"
address = "12 Quay Street, 20457 Hamburg"
zone = "Europe/Berlin"
locales = ["en", "de", "fr", "ja"]
fallback = "en"
live_since = 2026-01-17T00:00:00Z
enrol_max_age = { fulfilment = "7d", others = "30d" }
test_recipients = ["Me@Example.com"]
[hours]
open = "08:00"
close = "20:00"
days = "Mon-Sat"
except = ["fulfilment"]
[limits]
per_day = 1
per_week = 3
asks = { at_most = 2, within = "30d" }
when_over = "5d"
[earn]
survey = 1
review = 2
[[delivery.assume]]
to = "DE"
after = "4bd"
[consent]
default = { education = "opt_out", survey = "soft_opt_in", review = "soft_opt_in", offer = "soft_opt_in" }
US = { survey = "opt_out", review = "opt_out", offer = "opt_out" }
JP = { survey = "opt_in", review = "opt_in", offer = "opt_in" }
"#;

const PEOPLE: &str = "[aya]\nname = \"Aya Tanaka\"\nemail = \"aya@shop.example.com\"\n";

const SHELVES: &str = r#"feed = "catalog.json"
[family.dslr]
match = { tags = ["dslr"] }
complements = ["tripod"]
[family.tripod]
match = { tags = ["tripod"] }
"#;

const FEED: &str = r#"[
{"product_id": "P1", "sku": "BODY", "titles": {"en": "Camera", "de": "Kamera"}, "kind": "physical",
 "tags": ["dslr"], "prices": {"EUR": 94900}},
{"product_id": "P1", "sku": "KIT", "titles": {"en": "Camera"}, "components": [{"sku": "BODY", "quantity": 1}]},
{"product_id": "P2", "sku": "TRI", "titles": {"en": "Tripod"}, "tags": ["tripod"]}
]"#;

/// The sequence of the reference, without its experiment.
const EDUCATION: &str = r#"format = 1
id     = "education-dslr"
kind   = "education"                  # fulfilment | education | survey | review | offer
title  = "Getting to know your camera"
from   = "aya"                        # a person in people.toml; reply-to follows

[start]
on    = "item.delivered"
where = 'item.family == "dslr" && !order.gift'
per   = "customer, item.family"       # the enrolment key, see below
again = "365d"

[[step]]
id    = "basics"
after = "start + 2d"
at    = "10:00"                       # in the customer's zone
mail  = "dslr/basics"

[[step]]
id    = "manual"
after = "basics + 1w"
at    = "10:00"
mail  = "dslr/manual"

[[step]]
id    = "light"
after = "manual + 1w"
at    = "10:00"
mail  = "dslr/light"

[[step]]
id     = "tripod"
kind   = "offer"                      # a step may be of another kind than its sequence
after  = "light + 3w"
slot   = "0 0 10 * * Tue-Thu"
mail   = "dslr/tripod"
unless = 'owns("tripod") || !in_stock("tripod")'
late   = "10d, then skip"

[[pause]]
while   = "customer.open_ticket"
at_most = "14d"

[[stop]]
on = ["item.refunded", "item.returned", "order.cancelled"]
"#;

const ORDERS: &str = r#"format = 1
id = "orders"
kind = "fulfilment"
title = "Your order"
from = "aya"
[start]
on = "order.placed"
[[step]]
id = "placed"
mail = "orders/placed"
[[step]]
id = "sent"
after = "shipment.dispatched + 30min"
each = "shipment"
gather = "30min"
mail = "orders/sent"
when = 'shipment.direction == "outbound"'
on_uncertain = "hold"
"#;

fn shop(changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = [
        ("config/store.toml", STORE),
        ("config/people.toml", PEOPLE),
        ("config/catalog.toml", SHELVES),
        ("config/catalog.json", FEED),
        ("config/sequences/education-dslr.toml", EDUCATION),
        ("config/sequences/orders.toml", ORDERS),
    ]
    .map(|(path, text)| (path.to_owned(), text.to_owned()))
    .to_vec();
    for (path, text) in changes {
        files.retain(|(had, _)| had != path);
        files.push(((*path).to_owned(), (*text).to_owned()));
    }
    files
}

fn catalog(changes: &[(&str, &str)]) -> Catalog {
    let (catalog, found) = read(&shop(changes));
    assert_eq!(found, []);
    catalog.unwrap()
}

/// `text` of a file with `from` changed `to`: what is found.
#[track_caller]
fn changed(path: &str, text: &str, from: &str, to: &str) -> Vec<Diagnostic> {
    assert!(text.contains(from), "{from}");
    let (catalog, found) = read(&shop(&[(path, &text.replacen(from, to, 1))]));
    let errors = found.iter().any(|one| one.severity() == Severity::Error);
    assert_eq!(catalog.is_none(), errors);
    found
}

/// Exactly this is found: code, `line:column`, message, and part of the help.
#[track_caller]
fn only(
    found: &[Diagnostic],
    files: &[(String, String)],
    code: &str,
    place: &str,
    message: &str,
    help: &str,
) {
    let [one] = found else {
        panic!("expected one problem, found {found:#?}");
    };
    let text = files
        .iter()
        .find(|(path, _)| *path == one.file)
        .map_or("", |(_, text)| text);
    let (line, column) = position(text, one.span.start);
    let had = (one.code, format!("{line}:{column}"), one.message.as_str());
    assert_eq!(had, (code, place.to_owned(), message), "{one:#?}");
    let helped = one
        .help
        .iter()
        .chain(&one.label)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(helped.contains(help), "{helped}");
}

const DSLR: &str = "config/sequences/education-dslr.toml";
const FULFILMENT: &str = "config/sequences/orders.toml";

#[track_caller]
fn refused(path: &str, from: &str, to: &str, code: &str, place: &str, message: &str, help: &str) {
    let text = match path {
        DSLR => EDUCATION,
        FULFILMENT => ORDERS,
        "config/store.toml" => STORE,
        "config/people.toml" => PEOPLE,
        "config/catalog.toml" => SHELVES,
        _ => FEED,
    };
    let found = changed(path, text, from, to);
    only(
        &found,
        &[(path.to_owned(), text.replacen(from, to, 1))],
        code,
        place,
        message,
        help,
    );
}

#[test]
fn the_sequence_of_the_reference_is_read() {
    let catalog = catalog(&[]);
    let sequence = catalog.sequence("education-dslr").unwrap();
    assert_eq!(sequence.kind, Kind::Education);
    assert_eq!(
        sequence.start.per,
        [Per::Customer, Per::ItemField("family".to_owned())]
    );
    assert_eq!(sequence.start.again, Some(Length::Days(365)));
    assert!(sequence.start.where_.as_ref().unwrap().uses("order.gift"));
    let anchors: Vec<(&Anchor, Length)> = sequence
        .steps
        .iter()
        .map(|s| (&s.anchor, s.length))
        .collect();
    assert_eq!(anchors[0], (&Anchor::Start, Length::Days(2)));
    assert_eq!(
        anchors[1],
        (&Anchor::Step("basics".to_owned()), Length::Days(7))
    );
    let tripod = sequence.step("tripod").unwrap();
    assert_eq!((tripod.kind, tripod.late), (Kind::Offer, Length::Days(10)));
    assert_eq!(tripod.on_uncertain, OnUncertain::Hold);
    assert!(tripod.slot.is_some() && tripod.at.is_none() && tripod.known.has("product"));
    assert_eq!((tripod.place.line, tripod.place.column), (32, 10));
    assert_eq!(sequence.pauses[0].at_most, Some(Length::Days(14)));
    assert_eq!(sequence.stops[0].on.len(), 3);

    let orders = catalog.sequence("orders").unwrap();
    assert_eq!(
        (orders.start.per.as_slice(), orders.start.again),
        (&[Per::Order][..], None)
    );
    let [placed, sent] = orders.steps.as_slice() else {
        panic!()
    };
    assert_eq!(
        (&placed.anchor, placed.length),
        (&Anchor::Start, Length::NONE)
    );
    assert_eq!(placed.late, Length::Minutes(48 * 60));
    assert_eq!(placed.on_uncertain, OnUncertain::Resend);
    assert!(!placed.known.has("shipment") && sent.known.has("shipment"));
    assert_eq!(
        sent.anchor,
        Anchor::Fact("shipment.dispatched".parse::<FactKind>().unwrap())
    );
    assert_eq!(
        (sent.each, sent.gather),
        (Some(Each::Shipment), Some(Length::Minutes(30)))
    );
    assert_eq!(sent.on_uncertain, OnUncertain::Hold);
}

#[test]
fn the_policy_of_the_reference_is_read() {
    let catalog = catalog(&[]);
    let policy = &catalog.policy;
    assert_eq!(policy.zone_name, "Europe/Berlin");
    assert_eq!(policy.locales, ["en", "de", "fr", "ja"]);
    assert_eq!(
        policy.live_since,
        Some("2026-01-17T00:00:00Z".parse().unwrap())
    );
    assert_eq!(policy.test_recipients, ["me@example.com"]);
    let hours = policy.hours.as_ref().unwrap();
    assert_eq!(
        (hours.days.len(), hours.days.contains(&Weekday::Sunday)),
        (6, false)
    );
    assert_eq!(hours.except, [Kind::Fulfilment]);
    assert_eq!(
        (policy.limits.per_day, policy.limits.per_week),
        (Some(1), Some(3))
    );
    assert_eq!(
        policy
            .limits
            .asks
            .map(|asks| (asks.at_most, asks.within_days)),
        Some((2, 30))
    );
    assert_eq!(policy.earn.get(&Kind::Review), Some(&2));
    assert_eq!(policy.assume[0].after, Length::BusinessDays(4));
    assert_eq!(
        policy.consent.rule(Some("US"), Kind::Offer),
        ConsentRule::OptOut
    );
    assert_eq!(
        policy.consent.rule(Some("US"), Kind::Education),
        ConsentRule::OptOut
    );
    assert_eq!(
        policy.consent.rule(Some("FR"), Kind::Review),
        ConsentRule::SoftOptIn
    );
    assert_eq!(policy.ticket_cool_down, Length::Days(3));
    assert_eq!(policy.people["aya"].email, "aya@shop.example.com");
    let (kit, variant) = catalog.products.variant("KIT").unwrap();
    assert_eq!(
        (kit.title.as_str(), variant.components[0].sku.as_str()),
        ("Camera", "BODY")
    );
    assert_eq!(kit.title_in(&["de".to_owned()]), "Kamera");
    assert_eq!(kit.variants.len(), 2);
    assert_eq!(
        catalog.products.family_of(Some("P2"), None, &[], &[], None),
        Some("tripod")
    );
}

#[test]
fn what_is_left_out_has_a_default() {
    let short = "id = \"x\"\nname = \"X\"\nurl = \"https://x.example\"\naddress = \"Y\"\nzone = \"UTC\"\nlocales = [\"en\"]\n";
    let mut files = shop(&[("config/store.toml", short)]);
    files.retain(|(path, _)| !path.starts_with("config/catalog"));
    let (catalog, found) = read(&files);
    // Without a catalogue, "tripod" is nothing that is known.
    assert!(found.iter().all(|one| one.code == "W135"), "{found:?}");
    let policy = catalog.unwrap().policy;
    assert!(policy.hours.is_none() && policy.live_since.is_none() && policy.earn.is_empty());
    assert_eq!(
        (policy.limits.per_day, policy.limits.when_over),
        (None, None)
    );
    assert_eq!(policy.enrol_max_age.fulfilment, Length::Days(7));
    assert_eq!(policy.enrol_max_age.others, Length::Days(30));
    assert_eq!(
        policy.consent.rule(None, Kind::Offer),
        ConsentRule::SoftOptIn
    );
}

#[test]
fn the_version_hangs_on_names_and_texts_alone() {
    let mut files = shop(&[]);
    let before = version(&files);
    files.reverse();
    assert_eq!(version(&files), before);
    files[0].1.push('\n');
    assert_ne!(version(&files), before);
    assert_eq!(before.len(), 64);
}

#[test]
fn e100_no_toml() {
    let found = changed(DSLR, EDUCATION, "format = 1", "format = = 1");
    assert_eq!((found.len(), found[0].code), (1, "E100"));
}

#[test]
fn e101_one_id_twice() {
    refused(
        DSLR,
        "id     = \"tripod\"",
        "id     = \"manual\"",
        "E101",
        "32:10",
        "this sequence has two steps called \"manual\"",
        "\"manual-2\"",
    );
    let found = changed(
        FULFILMENT,
        ORDERS,
        "id = \"orders\"",
        "id = \"education-dslr\"",
    );
    assert_eq!(
        found[0].message,
        "another sequence is called \"education-dslr\" too"
    );
    assert!(found[0].help[0].contains("education-dslr.toml"));
}

#[test]
fn e102_missing_keys() {
    refused(
        DSLR,
        "title  = \"Getting to know your camera\"\n",
        "",
        "E102",
        "1:1",
        "the file has no `title`",
        "title =",
    );
    refused(
        DSLR,
        "mail  = \"dslr/light\"\n",
        "",
        "E102",
        "25:1",
        "step \"light\" has no `mail`",
        "group/name",
    );
    refused(
        FULFILMENT,
        "on = \"order.placed\"\n",
        "",
        "E102",
        "6:1",
        "[start] has no `on`",
        "order.placed",
    );
    refused(
        "config/store.toml",
        "zone = \"Europe/Berlin\"\n",
        "",
        "E102",
        "1:1",
        "the file has no `zone`",
        "",
    );
    refused(
        "config/people.toml",
        "email = \"aya@shop.example.com\"\n",
        "",
        "E102",
        "1:1",
        "[aya] has no `email`",
        "",
    );
}

#[test]
fn e103_wrong_types() {
    refused(
        DSLR,
        "\"basics\"",
        "3",
        "E103",
        "14:9",
        "`id` wants a text, and this is a whole number",
        "",
    );
    refused(
        "config/store.toml",
        "per_day = 1",
        "per_day = \"1\"",
        "E103",
        "17:11",
        "`per_day` wants a whole number, and this is a text",
        "",
    );
    refused(
        "config/store.toml",
        "[\"en\", \"de\", \"fr\", \"ja\"]",
        "\"en\"",
        "E103",
        "6:11",
        "`locales` wants a list of texts, and this is a text",
        "",
    );
}

#[test]
fn e104_unknown_keys() {
    refused(
        DSLR,
        "unless =",
        "untill =",
        "E104",
        "37:1",
        "unknown key \"untill\"",
        "did you mean `unless`?",
    );
    refused(
        "config/store.toml",
        "when_over",
        "when_ovr",
        "E104",
        "20:1",
        "unknown key \"when_ovr\"",
        "when_over",
    );
    refused(
        "config/catalog.toml",
        "complements",
        "complement",
        "E104",
        "4:1",
        "unknown key \"complement\"",
        "complements",
    );
    refused(
        "config/people.toml",
        "name =",
        "nmae = \"x\"\nname =",
        "E104",
        "2:1",
        "unknown key \"nmae\"",
        "name",
    );
}

#[test]
fn e105_values_that_are_none() {
    refused(
        DSLR,
        "\"offer\"",
        "\"ofer\"",
        "E105",
        "33:10",
        "\"ofer\" is not a kind of mail",
        "did you mean \"offer\"?",
    );
    refused(
        DSLR,
        "from   = \"aya\"",
        "from   = \"ayo\"",
        "E125",
        "5:10",
        "nobody in config/people.toml is called \"ayo\"",
        "did you mean \"aya\"?",
    );
    refused(
        DSLR,
        "on    = \"item.delivered\"",
        "on    = \"item.deliverd\"",
        "E105",
        "8:9",
        "\"item.deliverd\" is not a fact we know",
        "did you mean \"item.delivered\"?",
    );
    refused(
        DSLR,
        "format = 1",
        "format = 2",
        "E106",
        "1:10",
        "format 2 is not known to this version",
        "format = 1",
    );
    refused(
        DSLR,
        "\"10d, then skip\"",
        "\"10d, then send\"",
        "E105",
        "38:10",
        "\"then send\" is not a way to be late",
        "then skip",
    );
    refused(
        DSLR,
        "\"dslr/light\"",
        "\"light\"",
        "E119",
        "29:9",
        "\"light\" names no mail",
        "group/name",
    );
    refused(
        DSLR,
        "\"item.refunded\",",
        "\"product.updated\",",
        "E126",
        "45:7",
        "\"product.updated\" is about no customer",
        "",
    );
    refused(
        "config/store.toml",
        "DE\"",
        "Germany\"",
        "E105",
        "25:6",
        "\"Germany\" is no country code",
        "ISO 3166",
    );
    refused(
        "config/store.toml",
        "US = { survey = \"opt_out\"",
        "US = { survey = \"optout\"",
        "E105",
        "29:17",
        "\"optout\" is not a rule of consent",
        "did you mean \"opt_out\"?",
    );
    refused(
        "config/store.toml",
        "Mon-Sat",
        "Mon-Sta",
        "E105",
        "14:8",
        "\"Mon-Sta\" does not name days",
        "Mon-Sat",
    );
}

#[test]
fn e107_missing_files() {
    let mut files = shop(&[]);
    files.retain(|(path, _)| path != "config/people.toml");
    let (_, found) = read(&files);
    only(
        &found,
        &files,
        "E107",
        "1:1",
        "this file is missing",
        "copy config/",
    );
    refused(
        "config/catalog.toml",
        "catalog.json",
        "feed.json",
        "E107",
        "1:8",
        "there is no config/feed.json",
        "`feed`",
    );
}

#[test]
fn w108_files_that_nobody_reads() {
    let files = shop(&[("config/stroe.toml", "")]);
    let (catalog, found) = read(&files);
    assert!(catalog.is_some());
    only(
        &found,
        &files,
        "W108",
        "1:1",
        "nothing reads this file",
        "did you mean config/store.toml?",
    );
}

#[test]
fn e110_slots() {
    let slot = |to: &str, message: &str, help: &str| {
        refused(
            DSLR,
            "0 0 10 * * Tue-Thu",
            to,
            "E110",
            "35:10",
            message,
            help,
        );
    };
    slot(
        "0 0 10 * * 2-4",
        "days of the week are written as names",
        "Mon-Fri",
    );
    slot("10 Tue", "a slot has five, six or seven fields", "");
    slot(
        "0 0 25 * * Tue",
        "this is no cron expression we can read",
        "seconds",
    );
    slot("0 0 10 31 Feb *", "this moment never comes", "");
    // Five fields get their seconds.
    assert_eq!(
        changed(DSLR, EDUCATION, "0 0 10 * * Tue-Thu", "0 10 * * Tue-Thu"),
        []
    );
    assert_eq!(
        changed(
            DSLR,
            EDUCATION,
            "0 0 10 * * Tue-Thu",
            "0 0 10 * * Tue-Thu 2026-2099"
        ),
        []
    );
}

#[test]
fn e112_lengths() {
    refused(
        DSLR,
        "start + 2d",
        "start + 1 month",
        "E112",
        "15:9",
        "\"1 month\" is not a length we accept",
        "write \"4w\" or \"30d\"",
    );
    refused(
        DSLR,
        "at_most = \"14d\"",
        "at_most = \"14\"",
        "E112",
        "42:11",
        "\"14\" is not a length we accept",
        "a number and a unit",
    );
    refused(
        FULFILMENT,
        "gather = \"30min\"",
        "gather = \"9999w\"",
        "E112",
        "15:10",
        "\"9999w\" is not a length we accept",
        "3660",
    );
    refused(
        "config/store.toml",
        "within = \"30d\"",
        "within = \"30h\"",
        "E112",
        "19:32",
        "asks are counted in calendar days",
        "30d",
    );
}

#[test]
fn e113_times() {
    refused(
        DSLR,
        "at    = \"10:00\"",
        "at    = \"10am\"",
        "E113",
        "16:9",
        "\"10am\" is not a time of day",
        "08:30",
    );
    refused(
        "config/store.toml",
        "2026-01-17T00:00:00Z",
        "2026-01-17",
        "E113",
        "8:14",
        "\"2026-01-17\" is not an instant",
        "offset",
    );
}

#[test]
fn e114_to_e117_zones_locales_addresses() {
    refused(
        "config/store.toml",
        "Europe/Berlin",
        "Europe/Berlim",
        "E114",
        "5:8",
        "\"Europe/Berlim\" is not a time zone we know",
        "did you mean \"Europe/Berlin\"?",
    );
    refused(
        "config/store.toml",
        "\"ja\"",
        "\"japanese!\"",
        "E115",
        "6:30",
        "\"japanese!\" is no locale",
        "pt-BR",
    );
    refused(
        "config/store.toml",
        "fallback = \"en\"",
        "fallback = \"it\"",
        "E115",
        "7:12",
        "\"it\" is not one of the shop's locales",
        "locales",
    );
    refused(
        "config/people.toml",
        "aya@shop",
        "aya",
        "E116",
        "3:9",
        "this is no mail address: the address has no single @ between a local part and a host",
        "",
    );
    refused(
        "config/store.toml",
        "https://shop.example.com",
        "shop.example.com",
        "E117",
        "3:7",
        "\"shop.example.com\" is no web address",
        "https://",
    );
}

#[test]
fn e120_anchors() {
    refused(
        DSLR,
        "basics + 1w",
        "light + 1w",
        "E120",
        "21:9",
        "step \"manual\" waits for \"light\", which comes later",
        "an earlier step",
    );
    refused(
        DSLR,
        "basics + 1w",
        "manual + 1w",
        "E120",
        "21:9",
        "step \"manual\" waits for \"manual\", which is itself",
        "an earlier step",
    );
    refused(
        DSLR,
        "basics + 1w",
        "basic + 1w",
        "E120",
        "21:9",
        "\"basic\" is no fact and no step of this sequence",
        "did you mean \"basics\"?",
    );
    refused(
        DSLR,
        "start + 2d",
        "2d",
        "E120",
        "15:9",
        "this says how long, and not after what",
        "start + 2d",
    );
    refused(
        DSLR,
        "basics + 1w",
        "basics - 1w",
        "E120",
        "21:9",
        "nothing can go 1w before \"basics\"",
        "basics + 1w",
    );
    refused(
        DSLR,
        "start + 2d",
        "step.sent",
        "E120",
        "15:9",
        "a step waits for another step by that step's id",
        "",
    );
}

const REVIEW: &str = r#"format = 1
id = "review"
kind = "review"
title = "How is it?"
from = "aya"
[start]
on = "step.sent"
of = "education-dslr/light"
where = "item.product_id != null"
per = "customer, item.product_id"
[[step]]
id = "ask"
after = "start + 8d"
mail = "review/ask"
unless = "item.reviewed && !sent('orders/placed')"
"#;

#[test]
fn starts_on_sends_know_what_was_sent() {
    let catalog = catalog(&[("config/sequences/review.toml", REVIEW)]);
    let review = catalog.sequence("review").unwrap();
    assert_eq!(review.start.of.as_deref(), Some("education-dslr/light"));
    let plain = REVIEW.replace(
        "per = \"customer, item.product_id\"\n",
        "per = \"customer\"\n",
    );
    let (whole, found) = read(&shop(&[("config/sequences/review.toml", &plain)]));
    assert_eq!(found, []);
    assert!(
        whole.unwrap().sequence("review").unwrap().steps[0]
            .known
            .has("item")
    );
}

#[test]
fn e121_steps_that_are_none() {
    let review = |from: &str, to: &str, place: &str, message: &str, help: &str| {
        let text = REVIEW.replacen(from, to, 1);
        let files = shop(&[("config/sequences/review.toml", &text)]);
        only(&read(&files).1, &files, "E121", place, message, help);
    };
    review(
        "education-dslr/light",
        "education-dslr/ligth",
        "8:6",
        "no step is called \"education-dslr/ligth\"",
        "did you mean \"education-dslr/light\"?",
    );
    review(
        "orders/placed",
        "orders/place",
        "15:34",
        "no step is called \"orders/place\"",
        "orders/placed",
    );
    review(
        "education-dslr/light",
        "review/ask",
        "8:6",
        "this sequence would start itself",
        "another",
    );
}

#[test]
fn e122_keys_and_each() {
    refused(
        DSLR,
        "customer, item.family",
        "customer, item.familie",
        "E122",
        "10:9",
        "\"item.familie\" is no part of a key",
        "did you mean item.family?",
    );
    refused(
        DSLR,
        "\"customer, item.family\"",
        "\"client, item.family\"",
        "E122",
        "10:9",
        "\"client\" is no part of a key",
        "customer",
    );
    refused(
        FULFILMENT,
        "on = \"order.placed\"",
        "on = \"order.placed\"\nper = \"shipment\"",
        "E122",
        "8:7",
        "the key names a shipment, and \"order.placed\" is about none",
        "shipment.dispatched",
    );
    refused(
        FULFILMENT,
        "on = \"order.placed\"",
        "on = \"customer.updated\"",
        "E122",
        "7:6",
        "the key names an order, and \"customer.updated\" is about none",
        "per = \"customer\"",
    );
    refused(
        FULFILMENT,
        "on = \"order.placed\"",
        "on = \"order.placed\"\nper = \"item\"",
        "E122",
        "15:8",
        "the key names an item, and `each` goes over an order's parcels or items",
        "per = \"order\"",
    );
    refused(
        DSLR,
        "mail  = \"dslr/light\"",
        "mail  = \"dslr/light\"\neach = \"item\"",
        "E122",
        "30:8",
        "the key names an item already: there is only one",
        "",
    );
}

#[test]
fn e123_keys_that_do_not_go_together() {
    refused(
        DSLR,
        "slot   =",
        "at = \"10:00\"\nslot   =",
        "E123",
        "36:10",
        "a step has `at` or `slot`, not both",
        "keep one",
    );
    refused(
        FULFILMENT,
        "mail = \"orders/placed\"",
        "mail = \"orders/placed\"\ngather = \"30min\"",
        "E123",
        "11:10",
        "`gather` merges what `each` repeats, and this step has no `each`",
        "",
    );
    refused(
        FULFILMENT,
        "on = \"order.placed\"",
        "on = \"order.placed\"\nagain = \"30d\"",
        "E123",
        "8:9",
        "`again` means nothing here: this key never comes twice",
        "",
    );
    refused(
        FULFILMENT,
        "on = \"order.placed\"",
        "on = \"order.placed\"\nof = \"a/b\"",
        "E123",
        "8:6",
        "`of` goes with on = \"step.sent\", not with \"order.placed\"",
        "",
    );
}

#[test]
fn e124_rows_that_never_match() {
    refused(
        "config/store.toml",
        "after = \"4bd\"",
        "after = \"4bd\"\n[[delivery.assume]]\nto = \"DE\"\nafter = \"5bd\"",
        "E124",
        "28:6",
        "an earlier row already matches \"DE\"",
        "first match",
    );
}

#[test]
fn e130_to_e133_conditions_in_their_place() {
    refused(
        DSLR,
        "&& !order.gift",
        "and !order.gift",
        "E130",
        "9:32",
        "\"and\" is not a word here",
        "&&",
    );
    refused(
        DSLR,
        "!order.gift",
        "!order.gifft",
        "E131",
        "9:36",
        "`order.gifft` does not exist",
        "order.gift",
    );
    refused(
        DSLR,
        "!order.gift",
        "order.gift == 'no'",
        "E100",
        "9:50",
        "this is no TOML: unexpected key or value, expected newline, `#`",
        "",
    );
    refused(
        DSLR,
        "\"customer.open_ticket\"",
        "\"customer.open_ticket == \\\"yes\\\"\"",
        "E132",
        "41:11",
        "`customer.open_ticket` is true or false, and is compared with a text",
        "",
    );
    refused(
        FULFILMENT,
        "'shipment.direction == \"outbound\"'",
        "'item.reviewed'",
        "E131",
        "17:9",
        "`item.reviewed` is not known in this sequence",
        "order.items.exists(i, i.reviewed)",
    );
    refused(
        DSLR,
        "owns(\"tripod\")",
        "own(\"tripod\")",
        "E133",
        "37:11",
        "there is no function own()",
        "did you mean owns()?",
    );
}

#[test]
fn w134_w135_what_may_surprise() {
    refused(
        DSLR,
        "owns(\"tripod\")",
        "owns(item.family)",
        "W134",
        "37:16",
        "`item.family` may be null here",
        "!= null",
    );
    refused(
        DSLR,
        "owns(\"tripod\")",
        "owns(\"tripods\")",
        "W135",
        "37:16",
        "the catalogue has no \"tripods\"",
        "did you mean \"tripod\"?",
    );
    refused(
        "config/catalog.toml",
        "[\"tripod\"]\n[family.tripod]",
        "[\"tripot\"]\n[family.tripod]",
        "W135",
        "4:16",
        "neither a family nor a product is called \"tripot\"",
        "tripod",
    );
    refused(
        "config/catalog.toml",
        "tags = [\"dslr\"]",
        "tags = []",
        "W136",
        "3:9",
        "no product can belong to family \"dslr\"",
        "",
    );
}

#[test]
fn e151_e152_hours() {
    refused(
        "config/store.toml",
        "close = \"20:00\"",
        "close = \"07:00\"",
        "E151",
        "13:9",
        "[hours] closes before it opens",
        "one day",
    );
    refused(
        DSLR,
        "at    = \"10:00\"\nmail  = \"dslr/light\"",
        "at    = \"21:30\"\nmail  = \"dslr/light\"",
        "E152",
        "28:9",
        "step \"light\" can never go out",
        "at = \"21:30\", but [hours] opens at 08:00, closes at 20:00 and kind \"education\" is not an exception",
    );
    refused(
        DSLR,
        "0 0 10 * *",
        "0 30 6,21 * *",
        "E152",
        "35:10",
        "step \"tripod\" can never go out",
        "inside the hours",
    );
    assert_eq!(
        changed(
            FULFILMENT,
            ORDERS,
            "mail = \"orders/placed\"",
            "mail = \"orders/placed\"\nat = \"23:00\""
        ),
        []
    );
}

#[test]
fn e160_e161_w162_feeds() {
    refused(
        "config/catalog.json",
        "\"P2\", \"sku\"",
        "\"P2\" \"sku\"",
        "E160",
        "5:21",
        "this is no list of products: expected `,` or `}`",
        "JSON list",
    );
    refused(
        "config/catalog.json",
        "\"sku\": \"TRI\"",
        "\"sku\": 7",
        "E161",
        "5:29",
        "row 3: \"sku\" wants a text, not 7",
        "write \"sku\": \"7\"",
    );
    refused(
        "config/catalog.json",
        "\"TRI\"",
        "\"KIT\"",
        "E161",
        "5:29",
        "row 3: SKU \"KIT\" comes twice",
        "one row is one variant",
    );
    refused(
        "config/catalog.json",
        "\"components\"",
        "\"compnents\"",
        "W162",
        "4:64",
        "nothing reads \"compnents\" in the feed's rows",
        "components",
    );
}

#[test]
fn a_feed_that_cannot_be_read_lacks_nothing() {
    let shelves = SHELVES.replace("[\"tripod\"]\n[family", "[\"P2\"]\n[family")
        + "[kit.start]\nmatch = { skus = [\"KIT\"] }\ncomponents = { BODY = 1, TRI = 1 }\n";
    let codes = |feed: &str, shelves: &str| -> Vec<&'static str> {
        let (_, found) = read(&shop(&[
            ("config/catalog.toml", shelves),
            ("config/catalog.json", feed),
        ]));
        found.iter().map(|one| one.code).collect()
    };
    assert_eq!(codes(FEED, &shelves), Vec::<&str>::new());
    let torn = FEED.replace("\"P2\", \"sku\"", "\"P2\" \"sku\"");
    assert_eq!(codes(&torn, &shelves), ["E160"]);
    let row = FEED.replace("\"sku\": \"TRI\"", "\"sku\": 7");
    assert_eq!(codes(&row, &shelves), ["E161"]);
    let gone = shelves.replace("catalog.json", "feed.json");
    assert_eq!(codes(FEED, &gone), ["E107"]);
}

#[test]
fn starts_that_time_brings_have_their_own_keys_and_names() {
    let start = |on: &str| {
        let text = ORDERS.replace("on = \"order.placed\"", on);
        let cut = text.find("[[step]]").unwrap();
        format!("{}[[step]]\nid = \"one\"\nmail = \"a/b\"\n", &text[..cut])
    };
    let codes = |on: &str| -> Vec<&'static str> {
        let (_, found) = read(&shop(&[(FULFILMENT, &start(on))]));
        found
            .iter()
            .map(|one| one.code)
            .filter(|code| code.starts_with('E'))
            .collect()
    };
    let silence = "on = \"absence\"\nof = \"order.placed\"\nfor = \"90d\"";
    assert_eq!(codes(silence), Vec::<&str>::new());
    assert_eq!(codes("on = \"absence\"\nfor = \"90d\""), ["E102"]);
    assert_eq!(codes("on = \"absence\"\nof = \"order.placed\""), ["E102"]);
    assert_eq!(codes(&format!("{silence}\ncron = \"0 9 1 * *\"")), ["E123"]);
    assert_eq!(codes(&format!("{silence}\nper = \"order\"")), ["E122"]);
    assert_eq!(codes(&format!("{silence}\nwhere = 'order.paid'")), ["E131"]);
    assert_eq!(
        codes(&format!("{silence}\nwhere = 'customer.orders > 1'")),
        Vec::<&str>::new()
    );
    assert_eq!(
        codes("on = \"schedule\"\ncron = \"0 9 1 * *\""),
        Vec::<&str>::new()
    );
    assert_eq!(codes("on = \"schedule\"\ncron = \"0 0 9 * * 1\""), ["E110"]);
    assert_eq!(codes("on = \"schedule\"\ncron = \"0 * 9 1 * *\""), ["E173"]);
    assert_eq!(
        codes("on = \"schedule\"\ncron = \"0 9 1 * *\"\nfor = \"9d\""),
        ["E123"]
    );
    assert_eq!(
        codes("on = \"replenish\"\nwhere = 'item.kept_quantity > 0 && order.paid'"),
        Vec::<&str>::new()
    );
    assert_eq!(codes("on = \"order.placed\"\nfor = \"9d\""), ["E123"]);
    let (_, found) = read(&shop(&[(FULFILMENT, &start("on = \"abscence\""))]));
    assert!(
        found
            .iter()
            .any(|one| one.help.iter().any(|help| help.contains("\"absence\""))),
        "{found:?}"
    );
}

#[test]
fn a_condition_that_names_a_renamed_step_is_told_its_new_name() {
    let renamed = EDUCATION
        .replace(
            "id    = \"basics\"",
            "id    = \"first\"\nwas   = \"basics\"",
        )
        .replace("basics + 1w", "first + 1w");
    let orders = ORDERS.replacen(
        "mail = \"orders/placed\"",
        "mail = \"orders/placed\"\nunless = 'sent(\"education-dslr/basics\")'",
        1,
    );
    let (_, found) = read(&shop(&[(DSLR, &renamed), (FULFILMENT, &orders)]));
    let said: Vec<String> = found
        .iter()
        .flat_map(|one| one.help.iter().map(ToString::to_string))
        .collect();
    assert!(
        said.iter()
            .any(|help| help == "it is called \"education-dslr/first\" now"),
        "{found:?}"
    );
}

#[test]
fn all_problems_of_all_files_come_at_once() {
    let (catalog, found) = read(&shop(&[
        (
            DSLR,
            &EDUCATION
                .replace("\"offer\"", "\"ofer\"")
                .replace("start + 2d", "start + 1 month")
                .replace("untill", "x"),
        ),
        (FULFILMENT, &ORDERS.replace("each", "eech")),
        ("config/store.toml", &STORE.replace("\"08:00\"", "\"8\"")),
    ]));
    assert!(catalog.is_none());
    let codes: Vec<(&str, &str)> = found
        .iter()
        .map(|one| (one.file.as_str(), one.code))
        .collect();
    for expected in [
        (DSLR, "E105"),
        (DSLR, "E112"),
        (FULFILMENT, "E104"),
        ("config/store.toml", "E113"),
    ] {
        assert!(codes.contains(&expected), "{expected:?} in {codes:?}");
    }
}

#[test]
fn nothing_that_is_no_shop_breaks_it() {
    for text in [
        "",
        "=",
        "[[step]]",
        "step = 3",
        "start = []",
        "id = \"\"\n[start]\non = \"\"",
        "[start.on]\nx = 1",
        "\u{feff}id = 1",
        "per = \"\"",
        "[[start]]",
        "[step]\nid = 1",
        "pause = [1, {}]",
    ] {
        for path in [
            "config/store.toml",
            "config/people.toml",
            "config/catalog.toml",
            "config/catalog.json",
            DSLR,
        ] {
            let (catalog, found) = read(&shop(&[(path, text)]));
            assert!(
                catalog.is_none() != found.iter().all(|one| one.severity() == Severity::Warning),
                "{path}: {text}"
            );
        }
    }
}
