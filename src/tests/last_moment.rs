//! What happens between the claim of a mail and its final dot still counts.

use crate::guards::strict_shop;
use crate::harness::Harness;
use crate::story::{CAMERA, Story};
use aftercare::model::send::Send;
use aftercare::model::time::Timestamp;

fn ts(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

/// A camera was delivered; the first lesson is due on 6 March at ten in Berlin.
async fn taught() -> Harness {
    let shop = strict_shop();
    let live = crate::shop::with_mail(&shop, "a/b dslr/basics dslr/manual dslr/tripod review/dslr");
    let harness = Harness::new(live, ts("2026-03-01T09:00:00Z")).await;
    let story = Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA])
        .delivered("1", "A", "2026-03-04T15:00:00Z", &[1]);
    for event in story.events {
        harness.arrive(event).await;
    }
    harness
}

async fn lesson(harness: &Harness) -> Send {
    let ledger = harness.ledger().await;
    ledger
        .into_iter()
        .find(|send| send.name() == "education/basics")
        .expect("decided")
}

#[tokio::test]
async fn an_opt_out_reaches_a_mail_that_is_claimed() {
    let harness = taught().await;
    harness.run_to(ts("2026-03-06T08:59:59Z")).await;
    let before = harness.memory.outbox().len();
    harness.engine.clock.set(ts("2026-03-06T09:00:00Z"));
    harness
        .between_claim_and_dot(async |harness| {
            let opt_out = Story::new().opts_out("ann", "education", "2026-03-06T09:00:00Z");
            for event in opt_out.events {
                harness.accept(event).await;
            }
        })
        .await;
    let lesson = lesson(&harness).await;
    assert_eq!(lesson.state.as_str(), "skipped", "{lesson:?}");
    assert_eq!(lesson.reason.map(|reason| reason.code()), Some("opted_out"));
    assert_eq!(harness.memory.outbox().len(), before);
}

#[tokio::test]
async fn hours_that_close_meanwhile_keep_it_for_the_morning() {
    let harness = taught().await;
    harness.run_to(ts("2026-03-06T08:59:59Z")).await;
    let before = harness.memory.outbox().len();
    // Due at ten, claimed a moment before eight in the evening.
    harness.engine.clock.set(ts("2026-03-06T18:59:59Z"));
    harness
        .between_claim_and_dot(async |harness| {
            harness.engine.clock.set(ts("2026-03-06T19:00:00Z"));
        })
        .await;
    assert_eq!(lesson(&harness).await.state.as_str(), "queued");
    assert_eq!(harness.memory.outbox().len(), before);
    harness.run_to(ts("2026-03-07T07:00:00Z")).await;
    harness.settle().await;
    let lesson = lesson(&harness).await;
    assert_eq!(lesson.state.as_str(), "accepted");
    assert_eq!(
        lesson.at,
        ts("2026-03-07T07:00:00Z"),
        "Saturday, at the opening"
    );
}
