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
}
