//! Each fact once, with the person it is about.

use super::*;
use aftercare::store::{Poison, Who};

on_both! {
    async fn a_fact_counts_once_whatever_way_it_comes(home: Home) {
        let store = home.open().await;
        let one = |transport: Option<&str>, id: &str| Incoming {
            event: order(id, Some("7"), None, 1),
            transport: transport.map(str::to_owned),
        };
        let batch = vec![one(Some("d1"), "1"), one(Some("d1"), "2"), one(None, "1")];
        let got = store.accept(batch, vec![], at(0)).await.unwrap();
        assert!(matches!(got[0], Accepted::New { seq: EventSeq(1), customer: Some(CustomerId(1)) }));
        assert!(matches!(got[1], Accepted::New { seq: EventSeq(2), .. }), "one delivery, two facts");
        assert_eq!(got[2], Accepted::Duplicate, "twice in one batch");
        // The same delivery, the same fact, and a delivery whose fact is known.
        for again in [one(Some("d1"), "3"), one(None, "2"), one(Some("d2"), "1")] {
            assert_eq!(store.accept(vec![again], vec![], at(1)).await.unwrap(), [Accepted::Duplicate]);
        }
        assert_eq!(store.counts().await.unwrap().events, 2);
        let history = history(&store, CustomerId(1)).await;
        let ids: Vec<&str> = history.events.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(ids, ["order/1/placed", "order/2/placed"]);
        assert_eq!(*history.events[0].body, *order("1", Some("7"), None, 1).body);
        store.close().await;
    }

    async fn each_of_a_heap_is_stored_as_it_is(home: Home) {
        let store = home.open().await;
        // More than one statement takes, and no power of two.
        let heap: Vec<Event> = (0..300).map(|n| order(&format!("SO-{n}"), Some(&format!("C-{n}")), None, n)).collect();
        let batch = heap.iter().cloned().map(plain).collect();
        let answers = store.accept(batch, vec![], at(0)).await.unwrap();
        for (event, answer) in heap.iter().zip(answers) {
            let Accepted::New { seq, customer: Some(customer) } = answer else {
                panic!("{} is {answer:?}", event.id);
            };
            let told = history(&store, customer).await.events;
            assert_eq!(told, [Event { seq, ..event.clone() }]);
            let found = store.find(&Who::Order(event.id["order/".len()..].replace("/placed", ""))).await.unwrap();
            assert_eq!(found, [customer], "{}", event.id);
        }
        assert_eq!(store.counts().await.unwrap().events, 300);
    }

    async fn many_at_once_are_one_commit_and_each_gets_its_answer(home: Home) {
        let store = home.open().await;
        let calls = (0..100).map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let id = format!("n{}", n % 50);
                store.accept(vec![plain(order(&id, Some(&id), None, 1))], vec![], at(0)).await.unwrap()[0]
            })
        });
        let mut new = 0;
        for call in calls.collect::<Vec<_>>() {
            new += usize::from(matches!(call.await.unwrap(), Accepted::New { .. }));
        }
        assert_eq!(new, 50);
        assert_eq!(store.counts().await.unwrap().people, 50);
    }

    async fn a_newer_order_in_a_known_fact_is_kept_and_triggers_nothing(home: Home) {
        let store = home.open().await;
        let customer = accept(&store, order("1", Some("7"), None, 1)).await.unwrap();
        save(&store, customer, vec![], None).await;
        for (version, rows) in [(1, 1), (3, 2), (2, 3), (3, 3), (2, 3), (4, 4)] {
            let again = plain(order("1", Some("7"), None, version));
            assert_eq!(store.accept(vec![again], vec![], at(5)).await.unwrap(), [Accepted::Duplicate]);
            let events = history(&store, customer).await.events;
            assert_eq!(events.len(), rows, "after version {version}");
            assert!(events.iter().all(|event| event.considered));
        }
        assert_eq!(store.next_due().await.unwrap(), Some(at(5)), "the state may have changed");
    }

    async fn what_names_nobody_waits_until_somebody_turns_up(home: Home) {
        let store = home.open().await;
        // A tracking service knows the parcel only; the shop's parcel names the order.
        assert_eq!(accept(&store, dispatched("/tracker", "t1", None, "AB-1")).await, None);
        assert_eq!(accept(&store, dispatched(SHOP, "s1", Some("1"), "ab 1")).await, None);
        assert_eq!(store.counts().await.unwrap().parked, 2);
        assert_eq!(store.next_due().await.unwrap(), None);
        let customer = accept(&store, order("1", Some("7"), Some("ann@example.com"), 1)).await.unwrap();
        let history = history(&store, customer).await;
        assert_eq!(history.events.len(), 3, "the order found the parcel, the parcel the tracking");
        assert!(history.events.iter().all(|event| !event.considered));
        let counts = store.counts().await.unwrap();
        assert_eq!((counts.parked, counts.people), (0, 1));
        // In one batch as well, whatever the order in it.
        let batch = vec![plain(dispatched(SHOP, "s2", Some("2"), "CD2")), plain(order("2", Some("8"), None, 1))];
        let got = store.accept(batch, vec![], at(0)).await.unwrap();
        assert!(got.iter().all(|one| matches!(one, Accepted::New { customer: Some(CustomerId(2)), .. })), "{got:?}");
    }

    async fn two_names_of_one_person_join_all_that_is_theirs(home: Home) {
        let store = home.open().await;
        let guest = accept(&store, order("1", None, Some("Ann@Example.com"), 1)).await.unwrap();
        let account = accept(&store, order("2", Some("7"), None, 1)).await.unwrap();
        save(&store, guest, vec![], Some(at(500))).await;
        save(&store, account, vec![
            Decision::Enrol(enrolment(account)),
            Decision::Decide(queued(account, "one", 30)),
        ], Some(at(400))).await;
        let before = [history(&store, guest).await.version, history(&store, account).await.version];
        let joined = accept(&store, order("3", Some("7"), Some("ann@example.com"), 1)).await.unwrap();
        assert_eq!(joined, guest, "the smaller number stays");
        let history = history(&store, guest).await;
        assert_eq!(history.absorbed, [account]);
        assert!(before.iter().all(|version| history.version > *version), "nothing planned for either holds");
        assert_eq!((history.events.len(), history.enrolments.len(), history.sends.len()), (3, 1, 1));
        assert_eq!(store.claim_customers(at(1000), 10).await.unwrap(), [guest], "one wake-up is left");
        let claim = claim(&store, 30).await;
        assert_eq!(claim.customer, guest);
        for who in [
            Who::Address(" ANN@example.com".into()),
            Who::ShopId("7".into()),
            Who::Own(account),
            Who::Own(guest),
            Who::Order("2".into()),
            Who::Order("#3".into()),
        ] {
            assert_eq!(store.find(&who).await.unwrap(), [guest], "{who:?}");
        }
        assert_eq!(store.find(&Who::Address("bob@example.com".into())).await.unwrap(), []);
        assert!(store.prepare_all().await.is_ok());
    }

    async fn keys_are_kept_as_hashes_only(home: Home) {
        let store = home.open().await;
        accept(&store, order("1", Some("7"), Some("ann@example.com"), 1)).await.unwrap();
        let keys = column(&home, "SELECT key FROM aliases").await;
        assert!(keys.len() >= 3);
        assert!(keys.iter().all(|key| matches!(key.len(), 20 | 28) && !key.contains(['@', ':'])), "{keys:?}");
    }

    async fn nul_in_texts_harms_nobody(home: Home) {
        let store = home.open().await;
        let mut odd = order("1", Some("7\0"), None, 1);
        odd.id = "o\0dd".into();
        odd.subject = "a\0b".into();
        assert!(accept(&store, odd.clone()).await.is_some());
        let again = store.accept(vec![plain(odd)], vec![], at(0)).await.unwrap();
        assert_eq!(again, [Accepted::Duplicate]);
    }

    async fn what_is_no_event_is_kept_and_can_be_dropped(home: Home) {
        let store = home.open().await;
        let poison = Poison {
            source: Some(SHOP.into()),
            id: None,
            kind: Some("order.eaten".into()),
            body: "{\"broken\": \"\0".into(),
            reason: "unknown_type".into(),
            because: "nobody eats orders".into(),
            recorded: at(3),
            transport: None,
        };
        let later = Poison { recorded: at(4), ..poison.clone() };
        store.accept(vec![], vec![poison.clone(), later], at(3)).await.unwrap();
        // The same delivery by another way is not kept twice.
        store.accept(vec![], vec![poison], at(5)).await.unwrap();
        let kept = store.quarantined(0, 10).await.unwrap();
        assert_eq!(kept.len(), 2);
        assert_eq!((kept[0].reason.as_str(), kept[0].recorded, kept[0].tries), ("unknown_type", at(3), 0));
        store.tried_quarantined(kept[1].id).await.unwrap();
        assert!(store.drop_quarantined(kept[0].id).await.unwrap());
        assert!(!store.drop_quarantined(kept[0].id).await.unwrap());
        assert_eq!(store.quarantined_one(kept[1].id).await.unwrap().unwrap().tries, 1);
        assert_eq!(store.counts().await.unwrap().quarantined, 1);
    }

    async fn the_catalogue_is_nobodys(home: Home) {
        let store = home.open().await;
        let product = event(SHOP, "product/1", EventKind::ProductUpdated, json!({"product": {"product_id": "p1"}}));
        assert_eq!(accept(&store, product).await, None);
        accept(&store, dispatched(SHOP, "s9", Some("99"), "X")).await;
        assert_eq!(store.product_events().await.unwrap().len(), 1);
        assert_eq!(store.product_events_seen().await.unwrap(), 1);
        let counts = store.counts().await.unwrap();
        assert_eq!((counts.people, counts.parked), (0, 1));
    }
}

/// One text column, read past the store.
pub async fn column(home: &Home, text: &'static str) -> Vec<String> {
    use sqlx::{Connection, PgConnection, Row, SqliteConnection};
    if home.url.starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(&home.url).await.unwrap();
        let rows = sqlx::query(text).fetch_all(&mut connection).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    } else {
        let mut connection = PgConnection::connect(&home.url).await.unwrap();
        let rows = sqlx::query(text).fetch_all(&mut connection).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

/// Changes rows past the store.
pub async fn tamper(home: &Home, text: &'static str) {
    use sqlx::{Connection, PgConnection, SqliteConnection};
    if home.url.starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(&home.url).await.unwrap();
        sqlx::raw_sql(text).execute(&mut connection).await.unwrap();
    } else {
        let mut connection = PgConnection::connect(&home.url).await.unwrap();
        sqlx::raw_sql(text).execute(&mut connection).await.unwrap();
    }
}
