//! What time brings: silence, a day of the calendar, coffee that is used up.

use crate::story::{CAMERA, COFFEE, Line, POLICY, Story, catalog};
use aftercare::model::history::History;
use aftercare::model::reason::Reason;
use aftercare::model::send::SendState;
use aftercare::model::time::Timestamp;
use aftercare::plan::simulate::live_through;
use aftercare::plan::{explain, plan, walk};
use aftercare::sequence::catalog::Catalog;
use serde_json::json;

pub const WIN_BACK: &str = r#"
format = 1
id = "win-back"
kind = "offer"
title = "We miss you"
from = "aya"
[start]
on = "absence"
of = "order.placed"
for = "40d"
again = "60d"
[[step]]
id = "hello"
mail = "a/b"
[[step]]
id = "again"
after = "hello + 2w"
at = "10:00"
mail = "a/b"
"#;

pub const MONTHLY: &str = r#"
format = 1
id = "monthly"
kind = "education"
title = "From the workshop"
from = "aya"
[start]
on = "schedule"
cron = "0 0 9 1 * *"
where = 'customer.orders > 0 && !owns("tripod")'
[[step]]
id = "letter"
mail = "a/b"
"#;

pub const REFILL: &str = r#"
format = 1
id = "refill"
kind = "offer"
title = "Fresh coffee"
from = "aya"
[start]
on = "replenish"
[[step]]
id = "reminder"
at = "10:00"
mail = "a/b"
[[step]]
id = "second"
after = "reminder + 1w"
at = "10:00"
mail = "a/b"
"#;

const BAGS: Line = Line("COF-NORD-250", "P-COF-NORD", &["coffee"], 3);
const KILO: Line = Line("COF-NORD-1KG", "P-COF-NORD", &["coffee"], 1);

fn ordered(story: Story, id: &str, at: &str, lines: &[Line]) -> Story {
    let all: Vec<i64> = (1..=lines.len() as i64).collect();
    let parcel = format!("P{id}");
    story
        .order(id, "ann", at, lines)
        .dispatched(id, &parcel, at, &all)
}

/// Ordered, and arrived the same instant.
fn bought(story: Story, id: &str, at: &str, lines: &[Line]) -> Story {
    let counted: Vec<(i64, i64)> = (1..).zip(lines.iter().map(|line| line.3)).collect();
    let items: Vec<_> = counted
        .iter()
        .map(|(line, units)| json!({"line_id": line.to_string(), "sku": null, "quantity": units}))
        .collect();
    let data = json!({
        "order_ref": {"order_id": id, "order_number": null},
        "shipment": {"shipment_id": format!("P{id}"), "direction": "outbound", "tracking": [], "items": items},
        "delivery": {"delivered_at": at, "precision": "second", "basis": "carrier", "reported_by": "test"},
    });
    story.order(id, "ann", at, lines).event(
        "shipment.delivered",
        &format!("shipment/P{id}/delivered"),
        at,
        at,
        data,
    )
}

#[test]
fn silence_starts_a_win_back_and_an_order_ends_it() {
    let shop = catalog(POLICY, &[WIN_BACK]);
    let silent = Story::new().order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA]);
    assert_eq!(
        silent.trace(&shop, "2026-12-31T00:00:00Z"),
        [
            // Ten o'clock in Berlin, before and after the change of clocks.
            "2026-04-10T08:00 ann win-back/hello accepted",
            "2026-04-24T08:00 ann win-back/again accepted",
        ]
    );
    let back = Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA])
        .order("2", "ann", "2026-04-20T09:00:00Z", &[CAMERA]);
    assert_eq!(
        back.trace(&shop, "2026-12-31T00:00:00Z"),
        [
            "2026-04-10T08:00 ann win-back/hello accepted",
            // 40 days after the second order lie within `again` of the first silence.
        ]
    );
    let later = Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA])
        .order("2", "ann", "2026-06-20T09:00:00Z", &[CAMERA]);
    assert_eq!(
        later.trace(&shop, "2026-08-02T00:00:00Z"),
        [
            "2026-04-10T08:00 ann win-back/hello accepted",
            "2026-04-24T08:00 ann win-back/again accepted",
            "2026-07-30T09:00 ann win-back/hello accepted",
        ]
    );
}

#[test]
fn an_order_learnt_late_breaks_the_silence_that_never_was() {
    let shop = catalog(POLICY, &[WIN_BACK]);
    let story = Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA])
        .event(
            "order.placed",
            "order/2/placed",
            "2026-04-05T09:00:00Z",
            "2026-04-15T09:00:00Z",
            crate::story::order_data(
                "2",
                "ann",
                "2026-04-05T09:00:00Z",
                &[CAMERA],
                json!({}),
                json!({}),
            ),
        );
    assert_eq!(
        story.trace(&shop, "2026-05-14T00:00:00Z"),
        ["2026-04-10T08:00 ann win-back/hello accepted"]
    );
}

#[test]
fn a_schedule_comes_at_its_local_time_for_those_whom_it_is_for() {
    let shop = catalog(POLICY, &[MONTHLY]);
    let story = Story::new()
        .order("1", "ann", "2026-03-10T09:00:00Z", &[CAMERA])
        .order_with(
            "2",
            "bob",
            "2026-03-11T09:00:00Z",
            &[CAMERA],
            json!({}),
            json!({"time_zone": "Asia/Tokyo"}),
        )
        .order("3", "eve", "2026-03-12T09:00:00Z", &[crate::story::TRIPOD]);
    assert_eq!(
        story.trace(&shop, "2026-05-02T00:00:00Z"),
        [
            "2026-04-01T00:00 bob monthly/letter accepted",
            "2026-04-01T07:00 ann monthly/letter accepted",
            "2026-05-01T00:00 bob monthly/letter accepted",
            "2026-05-01T07:00 ann monthly/letter accepted",
        ]
    );
}

#[test]
fn who_moves_between_zones_passes_a_day_of_the_schedule_once() {
    let shop = catalog(POLICY, &[MONTHLY]);
    let story = Story::new()
        .order_with(
            "1",
            "ann",
            "2026-03-10T09:00:00Z",
            &[CAMERA],
            json!({}),
            json!({"time_zone": "Asia/Tokyo"}),
        )
        .order_with(
            "2",
            "ann",
            "2026-04-01T03:00:00Z",
            &[CAMERA],
            json!({}),
            json!({"time_zone": "America/New_York"}),
        );
    assert_eq!(
        story.trace(&shop, "2026-04-20T00:00:00Z"),
        ["2026-04-01T00:00 ann monthly/letter accepted"]
    );
}

#[test]
fn coffee_is_used_up_by_its_quantity_and_a_new_purchase_replaces_the_old() {
    let shop = catalog(POLICY, &[REFILL]);
    let one = bought(Story::new(), "1", "2026-03-01T09:00:00Z", &[COFFEE]);
    assert_eq!(
        one.trace(&shop, "2026-12-31T00:00:00Z"),
        [
            "2026-03-29T08:00 ann refill/reminder accepted",
            "2026-04-05T08:00 ann refill/second accepted",
        ],
        "28 days for a bag"
    );
    let three = bought(Story::new(), "1", "2026-03-01T09:00:00Z", &[BAGS, CAMERA]);
    assert_eq!(
        three.trace(&shop, "2026-05-30T00:00:00Z"),
        ["2026-05-24T08:00 ann refill/reminder accepted"],
        "three bags last 84 days"
    );
    let mixed = bought(Story::new(), "1", "2026-03-01T09:00:00Z", &[COFFEE, KILO]);
    assert_eq!(
        mixed.trace(&shop, "2026-06-10T00:00:00Z"),
        ["2026-06-07T08:00 ann refill/reminder accepted"],
        "28 days for a bag and 70 for the kilo"
    );
    let again = bought(one.clone(), "2", "2026-03-20T09:00:00Z", &[COFFEE]);
    assert_eq!(
        again.trace(&shop, "2026-04-20T00:00:00Z"),
        ["2026-04-17T08:00 ann refill/reminder accepted"],
        "the newer purchase counts"
    );
    let on_its_way = ordered(one.clone(), "2", "2026-03-20T09:00:00Z", &[COFFEE]);
    assert!(
        on_its_way.trace(&shop, "2026-03-31T00:00:00Z").is_empty(),
        "who has bought again is not asked to"
    );
    let after = ordered(one.clone(), "2", "2026-03-30T09:00:00Z", &[COFFEE]);
    assert_eq!(
        after.trace(&shop, "2026-04-10T00:00:00Z"),
        ["2026-03-29T08:00 ann refill/reminder accepted"],
        "the second reminder is withdrawn with the purchase"
    );
    let refunded = one.refunded("1", "2026-03-10T09:00:00Z", &[1]);
    assert!(refunded.trace(&shop, "2026-06-01T00:00:00Z").is_empty());
}

#[test]
fn gifts_are_not_refilled_and_subscriptions_are() {
    let shop = catalog(POLICY, &[REFILL]);
    let with = |order: serde_json::Value| {
        Story::new()
            .order_with(
                "1",
                "ann",
                "2026-03-01T09:00:00Z",
                &[COFFEE],
                order,
                json!({}),
            )
            .delivered("1", "P1", "2026-03-01T09:00:00Z", &[1])
            .trace(&shop, "2026-04-01T00:00:00Z")
    };
    assert!(with(json!({"gift": true})).is_empty());
    assert_eq!(
        with(json!({"subscription": {"id": "S", "sequence": 3}})),
        ["2026-03-29T08:00 ann refill/reminder accepted"]
    );
}

/// One person of a story, before anything was planned.
fn history(story: &Story) -> History {
    let mut history = History::new(aftercare::model::ids::CustomerId(1));
    for (at, event) in story.events.iter().enumerate() {
        let mut event = event.clone();
        event.seq = aftercare::model::ids::EventSeq(at as i64 + 1);
        history.events.push(event);
    }
    history
}

#[test]
fn what_was_held_until_too_late_says_so_and_by_what() {
    let shop = catalog(POLICY, &[WIN_BACK]);
    let silent = Story::new().order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA]);
    let end = Some(ts("2026-12-31T00:00:00Z"));
    let lived = live_through(
        &shop,
        silent.events.clone(),
        None,
        end,
        &mut |_, _, _, _| {
            Err(Reason::Render {
                message: "nobody is called `aya`".into(),
            })
        },
    );
    let reasons: Vec<String> = lived.histories[0]
        .sends
        .iter()
        .filter(|send| send.state == SendState::Skipped)
        .map(|send| {
            let reason = send.reason.as_ref().expect("a reason");
            assert_eq!(reason.code(), "late");
            reason.sentence()
        })
        .collect();
    assert!(!reasons.is_empty());
    for reason in reasons {
        assert!(
            reason.contains("was held until") && reason.contains("nobody is called `aya`"),
            "{reason}"
        );
    }
}

#[test]
fn why_says_which_rule_kept_time_from_starting_anything() {
    let because = |course: &str, story: &Story, now: &str| {
        let shop = catalog(POLICY, &[course]);
        let sequence = &shop.sequences[0];
        let history = history(story);
        let step = &sequence.steps[0];
        explain::absence(&shop, &history, sequence, step, None, ts(now)).because
    };
    let coffee = bought(Story::new(), "1", "2026-03-01T09:00:00Z", &[COFFEE]);
    let never = REFILL.replace(
        "on = \"replenish\"\n",
        "on = \"replenish\"\nwhere = 'customer.country == \"US\"'\n",
    );
    let said = because(&never, &coffee, "2026-09-01T00:00:00Z");
    assert!(said.contains("was used up on 2026-"), "{said}");
    assert!(
        said.contains("`where` does not hold: customer.country == \"US\""),
        "{said}"
    );
    // Before it is used up, that is what is waited for.
    let said = because(&never, &coffee, "2026-03-02T00:00:00Z");
    assert!(said.contains("is used up on 2026-"), "{said}");
    // A camera is never used up.
    let camera = bought(Story::new(), "1", "2026-03-01T09:00:00Z", &[CAMERA]);
    let said = because(&never, &camera, "2026-09-01T00:00:00Z");
    assert!(said.starts_with("nothing that they keep"), "{said}");
    let silent = WIN_BACK.replace("again =", "where = 'customer.country == \"US\"'\nagain =");
    let said = because(&silent, &camera, "2026-09-01T00:00:00Z");
    assert!(
        said.contains("were over on 2026-04-10T") && said.contains("`where` does not hold"),
        "{said}"
    );
    let letter = MONTHLY.replace("!owns(\"tripod\")", "customer.orders > 3");
    let said = because(&letter, &camera, "2026-03-20T00:00:00Z");
    assert!(said.contains("comes next on 2026-04-01T"), "{said}");
    let said = because(&letter, &camera, "2026-04-02T00:00:00Z");
    assert!(
        said.contains("came last on 2026-04-01T") && said.contains("`where` does not hold"),
        "{said}"
    );
}

fn ts(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

/// As an install that had the starts only from `since` on.
fn deployed(shop: &Catalog, since: &str) -> Catalog {
    let mut shop = shop.clone();
    let mut sequences = (*shop.sequences).clone();
    for sequence in &mut sequences {
        sequence.start.since = Some(ts(since));
    }
    shop.sequences = std::sync::Arc::new(sequences);
    shop
}

fn goes(shop: &Catalog, history: &History, now: &str, until: &str) -> Vec<String> {
    walk::forecast(shop, history, ts(now), ts(until))
        .iter()
        .map(|one| format!("{} {}", &one.send.at.to_string()[..16], one.send.name()))
        .collect()
}

#[test]
fn a_new_sequence_does_not_reach_back() {
    let shop = catalog(POLICY, &[WIN_BACK, MONTHLY, REFILL]);
    let silent = bought(Story::new(), "1", "2026-03-01T09:00:00Z", &[COFFEE]);
    let mut history = history(&silent);
    plan(&catalog(POLICY, &[]), &history, ts("2026-03-01T09:00:00Z"))
        .apply(&mut history, ts("2026-03-01T09:00:00Z"));
    // Deployed a week after all of it was due.
    let late = deployed(&shop, "2026-04-17T12:00:00Z");
    assert_eq!(
        goes(
            &late,
            &history,
            "2026-04-17T12:00:00Z",
            "2026-05-02T00:00:00Z"
        ),
        ["2026-05-01T07:00 monthly/letter"]
    );
    let early = deployed(&shop, "2026-03-05T12:00:00Z");
    assert_eq!(
        goes(
            &early,
            &history,
            "2026-03-05T12:00:00Z",
            "2026-04-15T00:00:00Z"
        ),
        [
            "2026-03-29T08:00 refill/reminder",
            "2026-04-01T07:00 monthly/letter",
            "2026-04-05T08:00 refill/second",
            "2026-04-10T08:00 win-back/hello",
        ]
    );
}

#[test]
fn an_outage_brings_only_the_last_of_its_days() {
    let daily = MONTHLY.replace("0 0 9 1 * *", "0 0 9 * * *");
    let shop = catalog(POLICY, &[&daily]);
    let story = bought(Story::new(), "1", "2026-03-01T09:00:00Z", &[CAMERA]);
    let mut history = history(&story);
    let first = ts("2026-03-01T09:00:00Z");
    plan(&shop, &history, first).apply(&mut history, first);
    assert_eq!(
        goes(
            &shop,
            &history,
            "2026-03-11T12:00:00Z",
            "2026-03-12T12:00:00Z"
        ),
        [
            "2026-03-11T12:00 monthly/letter",
            "2026-03-12T08:00 monthly/letter",
        ],
        "nobody gets ten letters after ten days of outage"
    );
    let monthly = catalog(POLICY, &[MONTHLY]);
    let mut history = self::history(&story);
    plan(&monthly, &history, first).apply(&mut history, first);
    assert_eq!(
        goes(
            &monthly,
            &history,
            "2026-05-20T12:00:00Z",
            "2026-05-30T12:00:00Z"
        ),
        ["2026-05-20T12:00 monthly/letter"],
        "late, by less than enrol_max_age"
    );
    assert!(
        goes(
            &monthly,
            &history,
            "2026-06-01T06:00:00Z",
            "2026-06-01T06:30:00Z"
        )
        .is_empty(),
        "older than enrol_max_age"
    );
}

#[test]
fn imported_history_enrols_nobody_by_itself_but_time_that_passes_after_it_counts() {
    let shop = catalog(POLICY, &[WIN_BACK]);
    let imported = |at: &str| {
        let mut story = Story::new().order("1", "ann", at, &[CAMERA]);
        for event in &mut story.events {
            event.mode = aftercare::model::event::IngestMode::Backfill;
            event.recorded = ts("2026-06-01T12:00:00Z");
        }
        story.trace(&shop, "2026-12-01T00:00:00Z")
    };
    assert!(
        imported("2026-03-01T09:00:00Z").is_empty(),
        "silent before the import"
    );
    assert_eq!(
        imported("2026-05-20T09:00:00Z").first().map(String::as_str),
        Some("2026-06-29T09:00 ann win-back/hello accepted")
    );
}

#[test]
fn a_merge_brings_no_day_twice_and_counts_silence_for_both() {
    let shop = catalog(POLICY, &[WIN_BACK, MONTHLY]);
    let story = Story::new()
        .order("1", "ann", "2026-03-10T09:00:00Z", &[CAMERA])
        .order("2", "bob", "2026-03-28T09:00:00Z", &[CAMERA])
        .event(
            "customer.merged",
            "customer/merged",
            "2026-04-02T09:00:00Z",
            "2026-04-02T09:00:00Z",
            json!({"survivor": {"customer_id": null, "email": "ann@example.com"},
                   "absorbed": [{"customer_id": null, "email": "bob@example.com"}]}),
        );
    let trace = story.trace(&shop, "2026-05-20T00:00:00Z");
    let letters = trace.iter().filter(|line| line.contains("letter")).count();
    assert_eq!(
        letters, 3,
        "one each in April, one together in May: {trace:?}"
    );
    let hello: Vec<&String> = trace.iter().filter(|line| line.contains("hello")).collect();
    assert_eq!(hello.len(), 1, "{trace:?}");
    assert!(
        hello[0].starts_with("2026-05-07T"),
        "40 days after bob's order: {trace:?}"
    );
}
