//! A start that time brings, deployed on a running install: who had no wake-up is woken,
//! and what the live engine then does is what the planner foresees.

use crate::harness::Harness;
use crate::plan::elapsed::{REFILL, WIN_BACK};
use crate::story::{COFFEE, POLICY, Story, catalog};
use aftercare::model::time::Timestamp;
use serde_json::json;

fn ts(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

async fn names(harness: &Harness) -> Vec<String> {
    let mut all: Vec<String> = harness
        .ledger()
        .await
        .iter()
        .map(|send| format!("{} {}", &send.at.to_string()[..16], send.name()))
        .collect();
    all.sort();
    all
}

fn coffee() -> Story {
    Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[COFFEE])
        .delivered("1", "A", "2026-03-01T10:00:00Z", &[1])
}

#[tokio::test]
async fn a_new_start_wakes_those_who_waited_for_nothing() {
    let before = crate::shop::with_mail(&catalog(POLICY, &[]), "");
    let mut deployed = catalog(POLICY, &[WIN_BACK]);
    deployed.version = "2".into();
    let after = crate::shop::with_mail(&deployed, "a/b");
    let harness = Harness::new(before, ts("2026-03-01T09:00:00Z")).await;
    for event in coffee().events {
        harness.arrive(event).await;
    }
    harness.engine.catch_up().await.expect("woken");
    harness.run_to(ts("2026-03-20T00:00:00Z")).await;
    assert_eq!(
        harness.engine.store.next_due().await.expect("a look"),
        None,
        "nobody waits for anything"
    );
    harness.engine.apply(after.clone()).await.expect("applied");
    harness.run_to(ts("2026-05-01T00:00:00Z")).await;
    assert_eq!(
        names(&harness).await,
        [
            "2026-04-10T08:00 win-back/hello",
            "2026-04-24T08:00 win-back/again",
        ]
    );
    // The same files once more wake nobody.
    harness.settle().await;
    harness.engine.catch_up().await.expect("nothing to do");
    assert!(
        harness
            .engine
            .store
            .next_due()
            .await
            .expect("a look")
            .is_none_or(|next| next > harness.engine.now())
    );
}

#[tokio::test]
async fn a_product_that_is_used_up_sooner_wakes_its_buyers() {
    let shop = catalog(POLICY, &[REFILL]);
    let live = crate::shop::with_mail(&shop, "a/b");
    let harness = Harness::new(live, ts("2026-03-01T09:00:00Z")).await;
    let mut story = coffee();
    story = story.event(
        "product.updated",
        "product/P-COF-NORD@1",
        "2026-03-10T09:00:00Z",
        "2026-03-10T09:00:00Z",
        json!({"product": {"product_id": "P-COF-NORD", "title": "Nordlicht", "replenish_days": 14}}),
    );
    let foreseen = story.trace(&shop, "2026-03-20T00:00:00Z");
    for event in story.events {
        harness.arrive(event).await;
        harness
            .engine
            .catch_up_with_products()
            .await
            .expect("woken");
    }
    harness.run_to(ts("2026-03-20T00:00:00Z")).await;
    assert_eq!(names(&harness).await, ["2026-03-16T09:00 refill/reminder"]);
    assert_eq!(foreseen, ["2026-03-16T09:00 ann refill/reminder accepted"]);
}
