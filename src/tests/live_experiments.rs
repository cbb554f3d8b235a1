//! Experiments and unknown products in the running service: what is recorded, what wakes
//! whom, and what is said of a file that changes while people are in.

use crate::harness::Harness;
use crate::plan::experiments::compared;
use crate::story::{CAMERA, NEW, POLICY, Story, catalog};
use aftercare::engine::experiments::look;
use aftercare::model::send::Send;

/// Enough that all arms and the hold-out are drawn.
const PEOPLE: i64 = 40;

const MAILS: &str = "a/b dslr/basics dslr/manual dslr/tripod";

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(future)
}

fn instant(text: &str) -> aftercare::model::time::Timestamp {
    text.parse().expect("an instant")
}

#[test]
fn a_split_that_changes_under_people_is_told_once_somebody_is_in() {
    let shop = catalog(POLICY, &[&compared(20)]);
    let other = catalog(
        POLICY,
        &[&compared(20)
            .replace(
                "weekly = 50, fortnightly = 50",
                "weekly = 50, fortnightly = 30, monthly = 20",
            )
            .replace(
                "fortnightly = \"basics + 2w\"",
                "fortnightly = \"basics + 2w\", monthly = \"basics + 4w\"",
            )],
    );
    let smaller = catalog(
        POLICY,
        &[&compared(20)
            .replace("weekly = 50, fortnightly = 50", "other = 50, another = 50")
            .replace(
                "{ weekly = \"basics + 1w\", fortnightly = \"basics + 2w\" }",
                "\"basics + 1w\"",
            )
            .replace("variant = \"weekly\"", "variant = \"other\"")],
    );
    let live = crate::shop::with_mail(&shop, MAILS);
    let mut story = Story::new();
    for n in 0..PEOPLE {
        let (order, parcel) = (n.to_string(), format!("P{n}"));
        story = story
            .order(&order, &format!("p{n}"), "2026-03-01T09:00:00Z", &[CAMERA])
            .delivered(&order, &parcel, "2026-03-02T09:00:00Z", &[1]);
    }
    run(async {
        let harness = Harness::new(live.clone(), story.events[0].recorded).await;
        let store = &harness.engine.store;
        // Before anybody is in, a split may change.
        assert_eq!(look(store, &other.clone(), true).await.expect("a look"), []);
        assert_eq!(look(store, &shop, true).await.expect("a look"), []);
        story.events.sort_by_key(|event| event.recorded);
        for event in story.events {
            harness.arrive(event).await;
        }
        let drawn = store.drawn().await.expect("counts");
        let people: i64 = drawn.iter().map(|one| one.people).sum();
        assert_eq!(people, PEOPLE);
        assert!(drawn.len() == 3, "both arms and some held out: {drawn:?}");
        assert_eq!(look(store, &shop, true).await.expect("a look"), []);
        let faults = look(store, &other, true).await.expect("a look");
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(
            faults[0].message.contains(&format!("{PEOPLE} people")),
            "{faults:?}"
        );
        let faults = look(store, &smaller, false).await.expect("a look");
        assert_eq!(
            faults.len(),
            3,
            "the split, and two arms that are gone: {faults:?}"
        );
        // Putting it in force all the same moves nobody between arms.
        harness
            .engine
            .apply(crate::shop::with_mail(&other, MAILS))
            .await
            .expect("applied");
        harness.run_to(instant("2026-05-01T00:00:00Z")).await;
        let extra = |sends: &[Send]| {
            let accepted = |send: &&Send| send.step == "extra" && send.state.as_str() == "accepted";
            sends.iter().filter(accepted).count() as i64
        };
        let weekly = drawn
            .iter()
            .find(|one| one.arm == "weekly")
            .map(|one| one.people);
        assert_eq!(Some(extra(&harness.ledger().await)), weekly);
    });
}

#[test]
fn news_of_a_product_wakes_who_waits_for_it() {
    let shop = catalog(POLICY, &[crate::plan::series::EDUCATION]);
    let live = crate::shop::with_mail(&shop, MAILS);
    let story = Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[NEW])
        .delivered("1", "A", "2026-03-01T15:00:00Z", &[1])
        .product("P-NEW-1", "NEW-1", "2026-03-02T12:00:00Z", &["dslr"]);
    run(async {
        let harness = Harness::new(live, story.events[0].recorded).await;
        let store = &harness.engine.store;
        for event in &story.events[..2] {
            harness.arrive(event.clone()).await;
        }
        let awaited = store.awaited().await.expect("a list");
        assert_eq!((awaited.len(), awaited[0].product.as_str()), (1, "NEW-1"));
        harness.arrive(story.events[2].clone()).await;
        assert_eq!(store.awaited().await.expect("a list"), []);
        harness.run_to(instant("2026-03-04T00:00:00Z")).await;
        let sent: Vec<String> = harness.ledger().await.iter().map(Send::name).collect();
        assert_eq!(sent, ["education/basics"]);
    });
}
