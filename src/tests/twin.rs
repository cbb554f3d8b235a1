//! The twin: over random timelines, the live engine on SQLite with a clock set by hand
//! and a relay in memory yields the trace that the simulator yields.

use crate::guards::{end, essences, strict_shop, timelines};
use crate::harness::Harness;
use crate::timeline::timeline;
use aftercare::plan::simulate::simulate;

/// One in so many timelines of the guards is run by the live engine.
const LIVE_SHARE: u64 = 4;

#[test]
fn the_live_engine_and_the_simulator_agree() {
    let shop = strict_shop();
    let live = crate::shop::with_mail(&shop, "a/b dslr/basics dslr/manual dslr/tripod review/dslr");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (mut sent, mut skipped) = (0, 0);
    for seed in 0..timelines().div_ceil(LIVE_SHARE) {
        let events = timeline(seed);
        let foreseen = simulate(&shop, events.clone(), None, Some(end()));
        let told = runtime.block_on(async {
            let harness = Harness::new(live.clone(), events[0].recorded).await;
            for event in events {
                harness.arrive(event).await;
            }
            harness.run_to(end()).await;
            let ledger = harness.ledger().await;
            let accepted = ledger
                .iter()
                .filter(|send| send.state.as_str() == "accepted")
                .count();
            assert_eq!(
                harness.memory.outbox().len(),
                accepted,
                "seed {seed}: the relay and the ledger agree"
            );
            sent += accepted;
            skipped += ledger
                .iter()
                .filter(|send| send.state.as_str() == "skipped")
                .count();
            ledger
        });
        // What was waiting when somebody was forgotten has another state, never another mail.
        assert_eq!(
            essences(&told),
            essences(foreseen.iter().map(|one| &one.send)),
            "seed {seed}"
        );
    }
    assert!(
        sent > 50 && skipped > 20,
        "the timelines told nothing: {sent} sent, {skipped} skipped"
    );
}
