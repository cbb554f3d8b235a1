//! What a preview shows is what is sent: for every mail of the shop, the bytes that a
//! preview makes of a waiting send have the hash under which the ledger keeps the mail
//! that went.

use crate::harness::Harness;
use aftercare::engine::preview::{Press, make};
use aftercare::engine::reload;
use aftercare::engine::sample::{Cast, Sampler, forms};
use aftercare::model::ids::{CustomerId, EventSeq};
use aftercare::model::send::SendState;
use aftercare::plan::explain;
use jiff::SignedDuration;
use std::path::Path;

#[tokio::test]
async fn a_preview_has_the_bytes_of_the_mail_for_every_mail_of_the_shop() {
    let read = reload::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    let live = read.live.unwrap_or_else(|| panic!("{:#?}", read.problems));
    let locales = live.catalog.policy.locales.clone();
    let mut sampler = Sampler::new(&live.catalog);
    let mut proven = 0;
    for (at, mail) in live.templates.mails().enumerate() {
        let steps = forms(&live.catalog, |_, step| step.mail == mail);
        // Each mail in another language, so that all are seen.
        let locale = &locales[at % locales.len()];
        let sample = sampler.find(&steps, locale, Cast::Plain).unwrap();
        let events = sample.history.events.clone();
        let harness = Harness::new(live.clone(), events[0].recorded).await;
        let due = sample.at;
        let mut last = Vec::new();
        for mut event in events {
            // As it came, before anybody planned by it.
            event.seq = EventSeq(0);
            event.considered = false;
            if event.recorded < due {
                harness.arrive(event).await;
            } else {
                last.push(event);
            }
        }
        let before = due
            .checked_sub(SignedDuration::from_millis(1))
            .expect("in range");
        if harness.engine.now() < before {
            harness.run_to(before).await;
        }
        // Decided, and not yet sent.
        harness.engine.clock.set(due);
        for event in last {
            harness.accept(event).await;
        }
        while harness.engine.plan_due().await.unwrap() > 0 {}
        let customer = harness
            .engine
            .store
            .sends(&aftercare::store::SendFilter::default(), None, 500)
            .await
            .unwrap()
            .into_iter()
            .map(|row| row.unwrap().0)
            .next()
            .unwrap_or(CustomerId(1));
        let ledger = harness.ledger().await;
        let send = ledger
            .iter()
            .find(|send| {
                send.sequence == sample.send.sequence
                    && send.step == sample.send.step
                    && matches!(send.state, SendState::Queued { .. })
            })
            .unwrap_or_else(|| panic!("{mail} does not wait: {ledger:#?}"));
        let history = harness
            .engine
            .store
            .histories(&[customer])
            .await
            .unwrap()
            .remove(0)
            .unwrap();
        let press = Press::new(&harness.engine.links, &harness.engine.config);
        let ready = explain::draft(&live.catalog, &history, send, due).unwrap();
        let preview = make(&press, &live, send, ready, due).unwrap();
        harness.settle().await;
        let (_, sent) = harness.engine.store.send(send.id).await.unwrap().unwrap();
        assert!(
            matches!(sent.state, SendState::Accepted { .. }),
            "{mail}: {:?}",
            sent.state
        );
        let kept = sent.prepared.expect("what was prepared");
        assert_eq!(kept.hash, preview.prepared.hash, "{mail} in {locale}");
        assert_eq!(kept.locale, *locale, "{mail}");
        proven += 1;
    }
    assert_eq!(proven, live.templates.mails().count());
}
