//! Deliveries that nobody tells of, assumed from how long the shop's own parcels took:
//! the same in the simulator, in the live engine, and whatever the order of arrival.

use crate::guards::essences;
use crate::harness::Harness;
use crate::plan::series::EDUCATION;
use crate::story::{CAMERA, LENS, POLICY, Story, catalog};
use aftercare::engine::transit::learn_anew;
use aftercare::model::event::Event;
use aftercare::model::history::History;
use aftercare::model::ids::CustomerId;
use aftercare::model::send::Prepared;
use aftercare::model::time::{Timestamp, saturating_add};
use aftercare::plan::simulate::{Lived, live_through, simulate};
use aftercare::plan::{Ready, assumed, walk};
use aftercare::sequence::catalog::Catalog;
use aftercare::state::transit::{EVERY, LEAST_PARCELS, lesson};
use jiff::SignedDuration;
use serde_json::json;

const LEARN: &str = "[delivery]\nlearn = true\n";
/// Longer than what the parcels below take.
const ROWS: &str = "[[delivery.assume]]\nto = \"DE\"\nafter = \"9bd\"\n";

fn shop(delivery: &str) -> Catalog {
    catalog(&format!("{POLICY}{delivery}"), &[EDUCATION])
}

/// So many parcels in January: nine of ten in two working days, the rest in four.
fn january(parcels: usize) -> Story {
    (0..parcels).fold(Story::new(), |story, nth| {
        let (who, id) = (format!("p{nth}"), format!("1{nth:02}"));
        // Mondays; nobody rests before Friday.
        let week = ["05", "12", "19", "26"][nth % 4];
        let came = ["07", "14", "21", "28"][nth % 4];
        let late = ["09", "16", "23", "30"][nth % 4];
        let came = if nth % 10 == 9 { late } else { came };
        story
            .order(&id, &who, &format!("2026-01-{week}T07:00:00Z"), &[LENS])
            .dispatched(&id, &id, &format!("2026-01-{week}T09:00:00Z"), &[1])
            .delivered(&id, &id, &format!("2026-01-{came}T15:00:00Z"), &[1])
    })
}

/// Ann's parcel, of which nobody is heard after it has left: Monday, 2 March.
fn silent(story: Story) -> Story {
    story
        .order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA])
        .dispatched("1", "A", "2026-03-02T09:00:00Z", &[1])
}

const UNTIL: &str = "2026-03-12T00:00:00Z";

#[test]
fn a_silent_parcel_takes_as_long_as_others_took() {
    // Two working days and one: Thursday the 5th; two days on, Saturday at ten.
    let learnt = ["2026-03-07T09:00 ann education/basics accepted"];
    let story = silent(january(LEAST_PARCELS));
    assert_eq!(story.trace(&shop(LEARN), UNTIL), learnt);
    assert_eq!(story.trace(&shop(&format!("{LEARN}{ROWS}")), UNTIL), learnt);
    // Whatever the order in which the file has them.
    let mut turned = story.clone();
    turned.events.reverse();
    assert_eq!(turned.trace(&shop(LEARN), UNTIL), learnt);
}

#[test]
fn what_is_not_known_well_enough_goes_by_the_rows() {
    // One parcel fewer; or the files want nothing learnt: nine working days, then two.
    let rows = ["2026-03-15T09:00 ann education/basics accepted"];
    let few = silent(january(LEAST_PARCELS - 1));
    let enough = silent(january(LEAST_PARCELS));
    let until = "2026-03-16T00:00:00Z";
    assert_eq!(few.trace(&shop(&format!("{LEARN}{ROWS}")), until), rows);
    assert_eq!(enough.trace(&shop(ROWS), until), rows);
    assert!(few.trace(&shop(LEARN), until).is_empty());
    // Another country is another way.
    let abroad = january(LEAST_PARCELS)
        .order_with(
            "1",
            "ann",
            "2026-03-01T09:00:00Z",
            &[CAMERA],
            json!({"ship_to": {"country": "FR", "region": null, "postal_code": "1", "city": "P"}}),
            json!({}),
        )
        .dispatched("1", "A", "2026-03-02T09:00:00Z", &[1]);
    assert!(abroad.trace(&shop(LEARN), until).is_empty());
}

#[test]
fn a_real_delivery_corrects_what_was_assumed() {
    let story = silent(january(LEAST_PARCELS));
    // Heard in time: the mail counts from what happened.
    let late = story
        .clone()
        .delivered("1", "A", "2026-03-06T08:00:00Z", &[1]);
    let moved = ["2026-03-08T09:00 ann education/basics accepted"];
    assert_eq!(late.trace(&shop(LEARN), UNTIL), moved);
    // Heard after a mail went: nothing goes twice.
    let after = story.delivered("1", "A", "2026-03-09T08:00:00Z", &[1]);
    let stays = ["2026-03-07T09:00 ann education/basics accepted"];
    assert_eq!(after.trace(&shop(LEARN), UNTIL), stays);
}

#[test]
fn what_is_learnt_later_unsays_nothing() {
    let row = "[[delivery.assume]]\nto = \"DE\"\nafter = \"2bd\"\n";
    let shop = shop(&format!("{LEARN}{row}"));
    let lived = |story: Story| {
        let make = &mut |catalog: &Catalog, _: &_, ready: Box<Ready>, now| {
            Ok(Prepared {
                hash: String::new(),
                version: catalog.version.clone(),
                date: now,
                to: ready.to.as_typed().to_owned(),
                locale: "en".into(),
                values: serde_json::Value::Null,
            })
        };
        let until = Some(at("2026-02-16T00:00:00Z"));
        live_through(&shop, story.events, None, until, make)
    };
    let sent = |lived: &Lived| -> Vec<String> {
        let sends = lived.decided.iter();
        sends.map(|one| one.send.at.to_string()).collect()
    };
    let camera = january(LEAST_PARCELS).order("1", "ann", "2026-02-05T09:00:00Z", &[CAMERA]);
    // Thursday; by the row it has come on Monday the 9th. The parcels of the 26th are ripe
    // on the 9th, and teach on the 10th that it takes a day longer: that comes too late.
    let spoken = lived(
        camera
            .clone()
            .dispatched("1", "A", "2026-02-05T10:00:00Z", &[1]),
    );
    let (_, known) = spoken.catalog.policy.transits.newest().next().unwrap();
    assert_eq!(known.from, at("2026-02-10T00:00:00Z"));
    assert_eq!((known.days, known.parcels), (2, 20));
    assert_eq!(sent(&spoken), ["2026-02-11T09:00:00Z"]);
    // Friday: by the row on Tuesday the 10th, but by then more is known.
    let open = lived(camera.dispatched("1", "A", "2026-02-06T10:00:00Z", &[1]));
    assert_eq!(sent(&open), ["2026-02-13T09:00:00Z"]);
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

async fn live(shop: &Catalog, events: &[Event], until: Timestamp) -> Harness {
    let live = crate::shop::with_mail(shop, "dslr/basics dslr/manual dslr/tripod");
    let harness = Harness::new(live, events[0].recorded).await;
    let mut due = saturating_add(lesson(events[0].recorded), EVERY);
    let lessons = async |due: &mut Timestamp, to: Timestamp| {
        while *due <= to {
            harness
                .run_to(saturating_add(*due, SignedDuration::from_millis(-1)))
                .await;
            harness.engine.clock.set(*due);
            harness.engine.learn_transits().await.unwrap();
            harness.settle().await;
            *due = saturating_add(*due, EVERY);
        }
    };
    for event in events {
        lessons(&mut due, event.recorded).await;
        harness.arrive(event.clone()).await;
    }
    lessons(&mut due, until).await;
    harness.run_to(until).await;
    harness
}

#[test]
fn the_live_engine_learns_what_the_simulator_learns() {
    let shop = shop(&format!("{LEARN}{ROWS}"));
    let mut events = january(24)
        // On its way when enough is known; heard of before a mail; and never heard of.
        .order("1", "eve", "2026-02-09T09:00:00Z", &[CAMERA])
        .dispatched("1", "A", "2026-02-09T10:00:00Z", &[1])
        .order("2", "bob", "2026-02-20T09:00:00Z", &[CAMERA])
        .dispatched("2", "B", "2026-02-20T10:00:00Z", &[1])
        .delivered("2", "B", "2026-02-26T10:00:00Z", &[1])
        .order("3", "ann", "2026-03-01T09:00:00Z", &[CAMERA])
        .dispatched("3", "C", "2026-03-02T09:00:00Z", &[1])
        .events;
    events.sort_by_key(|event| event.recorded);
    let until = at("2026-05-01T00:00:00Z");
    let foreseen = simulate(&shop, events.clone(), None, Some(until));
    assert!(foreseen.len() >= 9, "{foreseen:?}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ledger = runtime.block_on(async { live(&shop, &events, until).await.ledger().await });
    assert_eq!(
        essences(&ledger),
        essences(foreseen.iter().map(|one| &one.send))
    );
}

async fn everybody(harness: &Harness) -> Vec<History> {
    let mut all = Vec::new();
    for number in 1.. {
        let found = harness.engine.store.histories(&[CustomerId(number)]).await;
        let history = found.unwrap().pop().unwrap().unwrap();
        if history.events.is_empty() {
            break;
        }
        all.push(history);
    }
    all
}

#[test]
fn why_says_on_what_an_assumed_delivery_rests() {
    let shop = shop(&format!("{LEARN}{ROWS}"));
    let mut events = silent(january(22)).events;
    events.sort_by_key(|event| event.recorded);
    let now = at("2026-03-03T00:00:00Z");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let harness = live(&shop, &events, now).await;
        let live = harness.engine.live();
        let people = everybody(&harness).await;
        let ann = people.last().unwrap();
        let foreseen = walk::forecast(&live.catalog, ann, now, at("2026-04-01T00:00:00Z"));
        let first = &foreseen[0].send;
        assert_eq!(first.due, at("2026-03-07T09:00:00Z"));
        assert_eq!(
            assumed::of_send(&live.catalog, ann, first, now),
            ["delivered is assumed for 5 Mar 2026: DHL to DE takes 2 working days for 9 of 10 of your 22 parcels, plus one"]
        );
        // Heard of: nothing is assumed any more.
        let came = Story::new().delivered("1", "A", "2026-03-03T08:00:00Z", &[1]);
        harness.arrive(came.events[0].clone()).await;
        let people = everybody(&harness).await;
        let ann = people.last().unwrap();
        let now = harness.engine.now();
        let foreseen = walk::forecast(&live.catalog, ann, now, at("2026-04-01T00:00:00Z"));
        assert_eq!(foreseen[0].send.due, at("2026-03-05T09:00:00Z"));
        assert!(assumed::of_send(&live.catalog, ann, &foreseen[0].send, now).is_empty());
    });
}

#[test]
fn imported_history_teaches_at_once_and_wakes_whom_it_concerns() {
    let shop = shop(LEARN);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let live = crate::shop::with_mail(&shop, "dslr/basics dslr/manual dslr/tripod");
        let harness = Harness::new(live, at("2026-03-02T08:00:00Z")).await;
        // The parcel is on its way, and nothing is known: the cap of the order alone.
        for event in silent(Story::new()).events {
            harness.arrive(event).await;
        }
        assert!(!harness.engine.learn_transits().await.unwrap());
        for event in january(22).events {
            harness.accept(event).await;
        }
        // Not twice a day, unless told so.
        assert!(!harness.engine.learn_transits().await.unwrap());
        learn_anew(&harness.engine.store).await.unwrap();
        assert!(harness.engine.learn_transits().await.unwrap());
        harness.run_to(at("2026-03-08T00:00:00Z")).await;
        let ledger = harness.ledger().await;
        let basics = ledger.iter().find(|send| send.step == "basics").unwrap();
        assert_eq!(basics.at, at("2026-03-07T09:00:00Z"));
    });
}
