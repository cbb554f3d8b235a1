//! Forgetting somebody leaves no word of theirs.

use super::*;
use aftercare::store::{Passed, SendFilter, Settle, Who};

on_both! {
    async fn nothing_of_the_person_is_left(home: Home) {
        let store = home.open().await;
        let mut first = order("1", Some("7"), Some("canary@example.com"), 1);
        first.subject = "customer/canary@example.com".into();
        let customer = accept(&store, first).await.unwrap();
        let decisions = vec![Decision::Enrol(enrolment(customer)), Decision::Decide(queued(customer, "one", 30))];
        save(&store, customer, decisions, None).await;
        let claim = claim(&store, 30).await;
        let version = history(&store, customer).await.version;
        let barrier = aftercare::store::Barrier {
            send: claim.send,
            customer,
            version,
            fence: claim.fence,
            prepared: prepared("canary@example.com").into(),
            now: at(31),
        };
        assert_eq!(store.barrier(vec![barrier]).await.unwrap(), [Passed::Yes]);
        let mut send = queued(customer, "one", 30);
        send.state = SendState::Accepted { reply: "250 <canary@example.com> ok".into() };
        store.settle(vec![Settle { customer, send, fence: claim.fence, now: at(32) }]).await.unwrap();
        let poison = aftercare::store::Poison {
            source: None, id: None, kind: None,
            body: "{\"email\": \"CANARY@example.com\"".into(),
            reason: "json".into(), because: "broken".into(), recorded: at(1), transport: None,
        };
        store.accept(vec![], vec![poison], at(1)).await.unwrap();

        store.erase(customer, at(40)).await.unwrap();
        let after = history(&store, customer).await;
        assert!(after.erased);
        assert_eq!(after.events.len(), 1, "that something happened stays");
        assert_eq!(after.sends.len(), 1, "and that a mail went");
        assert_eq!(after.enrolments.len(), 1);
        // A later word of them finds them, and is not kept.
        let later = order("2", Some("7"), Some("Canary@example.com"), 1);
        assert_eq!(accept(&store, later).await, Some(customer));
        assert_eq!(store.find(&Who::Address("canary@example.com".into())).await.unwrap(), [customer]);
        let listed = store.sends(&SendFilter { customer: Some(customer), ..Default::default() }, None, 10).await.unwrap();
        assert_eq!(listed[0].as_ref().unwrap().1, None);
        let all = format!("{:?}", history(&store, customer).await.events) + &format!("{:?}", listed);
        assert!(!all.to_lowercase().contains("canary"), "{all}");
        let is_file = store.db() == Db::Sqlite;
        store.close().await;
        if is_file {
            for file in std::fs::read_dir(home.folder.path().join("data")).unwrap() {
                let path = file.unwrap().path();
                let bytes = std::fs::read(&path).unwrap().to_ascii_lowercase();
                assert!(!bytes.windows(6).any(|some| some == b"canary"), "{}", path.display());
            }
        }
    }

    async fn what_names_them_outside_their_rows_goes_too(home: Home) {
        let store = home.open().await;
        let customer = accept(&store, order("1", Some("7"), Some("canary+x@example.com"), 1)).await.unwrap();
        let poison = |body: &str| aftercare::store::Poison {
            source: Some("/broken".into()), id: None, kind: None, body: body.into(),
            reason: "json".into(), because: "broken".into(), recorded: at(1), transport: None,
        };
        let bodies = [
            r#"{"to": "CANARY+x@example.com"}"#,
            r#"{"to": "canary\u002bx@example.com"}"#,
            r#"{"to": "canary+x\u0040example.com"}"#,
            "email=canary+x%40example.com",
            r#"{"to": "other@example.com"}"#,
        ];
        // Of a parcel that nobody knows, told beside an address that is not theirs to join by.
        let body = json!({"order_ref": {"order_id": "404"}, "shipment": {"shipment_id": "P", "direction": "outbound",
            "tracking": [], "estimated_delivery": {"to": "canary+x@example.com"}}});
        let parcel = event("/carrier", "parcel/canary+x@example.com", EventKind::ShipmentInTransit, body);
        assert_eq!(accept(&store, parcel).await, None);
        store.accept(vec![], bodies.map(poison).into(), at(1)).await.unwrap();
        let addresses = ["Canary+X@example.com".to_owned()].into();
        let naming = store.naming(&addresses).await.unwrap();
        assert_eq!((naming.quarantined.len(), naming.parked.len()), (4, 1));

        store.erase(customer, at(40)).await.unwrap();
        let naming = store.naming(&addresses).await.unwrap();
        assert_eq!((naming.quarantined.len(), naming.parked.len()), (0, 0));
        let counts = store.counts().await.unwrap();
        assert_eq!((counts.quarantined, counts.parked), (1, 0), "the stranger's stays");
        store.close().await;
    }

    async fn a_source_that_left_leaves_nothing_of_nobody(home: Home) {
        let store = home.open().await;
        let lost = |source: &str, id: &str| {
            let body = json!({"order_ref": {"order_id": "404"}, "shipment": {"shipment_id": id, "direction": "outbound", "tracking": []}});
            event(source, id, EventKind::ShipmentInTransit, body)
        };
        accept(&store, lost("/gone", "A")).await;
        accept(&store, lost("/stays", "B")).await;
        let poison = |source: &str| aftercare::store::Poison {
            source: Some(source.into()), id: None, kind: None, body: "{}".into(),
            reason: "json".into(), because: "broken".into(), recorded: at(1), transport: None,
        };
        store.accept(vec![], vec![poison("/gone"), poison("/stays")], at(1)).await.unwrap();
        let seq = EventSeq(store.last_event().await.unwrap());
        // What it tells later is a new shop's.
        accept(&store, lost("/gone", "C")).await;
        assert_eq!(store.forget_source("/gone", seq).await.unwrap(), 2);
        let counts = store.counts().await.unwrap();
        assert_eq!((counts.quarantined, counts.parked), (1, 2));
        store.close().await;
    }

    /// Each table holds something of people or does not: a new one has to be put here, and
    /// where it does, into `export-person` and into the erasure.
    async fn every_table_is_accounted_for(home: Home) {
        drop(home);
        let exported = ["assignments", "enrolments", "events", "prepared", "quarantine", "sends", "waiting"];
        // Numbers, keyed hashes, what follows from the rest, and nothing of anybody.
        let nameless = ["aliases", "counters", "customers", "deliveries", "due", "meta", "outlooks", "parked", "polls", "workers"];
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
        let files = std::fs::read_dir(folder).unwrap();
        let text: String = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        let mut tables: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split_whitespace().next())
            .collect();
        tables.sort_unstable();
        let mut known: Vec<&str> = exported.into_iter().chain(nameless).collect();
        known.sort_unstable();
        assert_eq!(tables, known);
    }
}
