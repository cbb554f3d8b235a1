//! How far platforms were asked: one at a time, and nothing by who came too late.

use super::*;
use aftercare::store::{Poison, Step};
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(60);

fn step(cursor: &str, due: i64) -> Step {
    Step {
        cursor: cursor.into(),
        due_at: at(due),
        now: at(0),
        is_end: true,
        failures: 0,
        because: None,
        found: 3,
        known: 1,
    }
}

fn thin(about: &str, minutes: i64) -> Poison {
    Poison {
        source: Some(SHOP.into()),
        id: Some(about.into()),
        kind: Some("store/order/created".into()),
        body: "{}".into(),
        reason: "to_fetch".into(),
        because: "it names something".into(),
        recorded: at(minutes),
        transport: None,
    }
}

on_both! {
    async fn a_step_is_had_by_one_and_written_by_whom_it_belongs_to(home: Home) {
        let store = home.open().await;
        let first = store.claim_poll("shop", at(0), LEASE).await.unwrap().unwrap();
        assert_eq!((first.cursor.as_str(), first.failures, first.fine_at), ("{}", 0, None));
        if store.db() == Db::Postgres {
            let other = home.open().await;
            assert_eq!(other.claim_poll("shop", at(0), LEASE).await.unwrap(), None);
            assert!(!other.end_poll_step("shop", step("{\"not\":\"mine\"}", 1)).await.unwrap());
            // Another source is free.
            assert!(other.claim_poll("elsewhere", at(0), LEASE).await.unwrap().is_some());
            other.close().await;
        }
        assert!(store.end_poll_step("shop", step("{\"at\":1}", 10)).await.unwrap());
        assert!(!store.end_poll_step("shop", step("{\"at\":2}", 10)).await.unwrap(), "it was given back");
        assert_eq!(store.claim_poll("shop", at(9), LEASE).await.unwrap(), None, "not due");
        let next = store.claim_poll("shop", at(10), LEASE).await.unwrap().unwrap();
        assert_eq!(next.cursor, "{\"at\":1}");
        assert_eq!((next.found, next.known, next.fine_at), (3, 1, Some(at(0))));
        // A lease that ran out holds nobody up.
        if store.db() == Db::Postgres {
            store.end_poll_step("shop", step("{}", 0)).await.unwrap();
            store.claim_poll("shop", at(10), Duration::ZERO).await.unwrap().unwrap();
            let other = home.open().await;
            let mut claimed = None;
            while claimed.is_none() {
                claimed = other.claim_poll("shop", at(10), LEASE).await.unwrap();
            }
            assert!(!store.end_poll_step("shop", step("{\"late\":1}", 1)).await.unwrap());
            other.close().await;
        }
        store.hasten_poll("elsewhere", at(-1)).await.unwrap();
        assert!(store.polls().await.unwrap().iter().any(|one| one.source == "shop"));
        store.close().await;
    }

    async fn thin_deliveries_are_had_once_put_off_and_given_up(home: Home) {
        let store = home.open().await;
        let all = vec![thin("order/1", 0), thin("order/1", 1), thin("order/2", 2), thin("order/1", 9)];
        store.accept(vec![], all, at(9)).await.unwrap();
        assert_eq!(store.to_fetch().await.unwrap(), 4);
        let had = store.claim_fetches(at(10), at(20), 3).await.unwrap();
        let ids: Vec<i64> = had.iter().map(|one| one.id).collect();
        assert_eq!(ids.len(), 3);
        let rest = store.claim_fetches(at(10), at(20), 3).await.unwrap();
        assert_eq!(rest.len(), 1, "those that are had are had by nobody else");
        assert!(!store.is_to_fetch(at(19)).await.unwrap());
        assert!(store.is_to_fetch(at(20)).await.unwrap());
        // Everything about the first order that came before it was fetched.
        assert_eq!(store.covered_by_fetch(SHOP, "order/1", at(5)).await.unwrap(), 2);
        store.put_off_fetch(ids[2], "it is busy", at(50)).await.unwrap();
        store.give_up_fetch(rest[0].id, "not_there", "it is gone").await.unwrap();
        let left = store.quarantined(0, 10).await.unwrap();
        let left: Vec<(&str, &str, i64)> = left
            .iter()
            .map(|one| (one.reason.as_str(), one.because.as_str(), one.tries))
            .collect();
        assert_eq!(left, [("to_fetch", "it is busy", 1), ("not_there", "it is gone", 1)]);
        store.fetch_afresh().await.unwrap();
        assert_eq!(store.claim_fetches(at(10), at(20), 3).await.unwrap().len(), 1);
        store.close().await;
    }

    async fn sources_and_versions_that_are_known_are_told(home: Home) {
        let store = home.open().await;
        accept(&store, order("1", Some("7"), Some("ann@example.com"), 5)).await;
        let mut other = order("2", Some("8"), Some("bob@example.com"), 6);
        other.source = "/elsewhere".into();
        accept(&store, other).await;
        assert_eq!(store.sources().await.unwrap(), ["/elsewhere", SHOP]);
        let facts = [(SHOP, "order/1/placed"), (SHOP, "order/9/placed")].into_iter().collect();
        let known = store.known(&facts).await.unwrap();
        let version = at(5).as_millisecond();
        assert_eq!(known, [((SHOP.to_owned(), "order/1/placed".to_owned()), version)].into_iter().collect());
        store.close().await;
    }
}
