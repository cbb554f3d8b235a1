//! Plans are saved as planned, where the customer is still as planned.

use super::intake::tamper;
use super::*;
use aftercare::model::assignment::Assignment;
use aftercare::model::event::{DerivedKind, FactKind};
use aftercare::model::reason::Reason;
use aftercare::model::waiting::Waiting;
use aftercare::plan::decision::Outlook;
use aftercare::store::{SendFilter, Settle};

fn outlook(customer: CustomerId, minutes: i64) -> Outlook {
    Outlook {
        enrolment: enrolment(customer).id,
        sequence: "hello".into(),
        step: "two".into(),
        occurrence: String::new(),
        kind: Kind::Offer,
        mail: "hello/offer".into(),
        due: at(minutes),
        go: at(minutes),
        order: None,
        order_number: None,
        because: Some(Reason::Hours),
    }
}

/// A draw of an arm.
pub fn drawn(customer: CustomerId, arm: &str) -> Assignment {
    Assignment {
        experiment: "cadence".into(),
        arm: arm.into(),
        at: at(1),
        customer,
        version: "v1".into(),
    }
}

/// A delivery that waits for the catalogue.
pub fn waits(customer: CustomerId) -> Waiting {
    Waiting {
        kind: FactKind::Derived(DerivedKind::ItemDelivered),
        order: "1".into(),
        line: "1".into(),
        shipment: None,
        product: "NEW-1".into(),
        since: at(1),
        until: at(4_000),
        customer,
    }
}

on_both! {
    async fn an_arm_is_drawn_once_and_waiting_ends(home: Home) {
        let store = home.open().await;
        let ann = accept(&store, order("1", None, Some("ann@example.com"), 1)).await.unwrap();
        let bob = accept(&store, order("2", Some("7"), None, 1)).await.unwrap();
        save(&store, ann, vec![Decision::Assign(drawn(ann, "weekly")), Decision::Await(waits(ann))], Some(at(500))).await;
        save(&store, ann, vec![Decision::Assign(drawn(ann, "other")), Decision::Await(waits(ann))], Some(at(500))).await;
        let mut later = drawn(bob, "holdout");
        later.at = at(3);
        save(&store, bob, vec![Decision::Assign(later.clone()), Decision::Await(waits(bob))], None).await;
        let drawn_now = store.drawn().await.unwrap();
        let counts: Vec<_> = drawn_now.iter().map(|one| (one.arm.as_str(), one.people)).collect();
        assert_eq!(counts, [("holdout", 1), ("weekly", 1)]);
        let awaited = store.awaited().await.unwrap();
        assert_eq!((awaited.len(), awaited[0].product.as_str(), awaited[0].facts, awaited[0].until), (1, "NEW-1", 2, at(4_000)));
        // News of the catalogue wakes both, once.
        assert_eq!(store.wake_waiting(at(10)).await.unwrap(), 2);
        assert_eq!(store.next_due().await.unwrap(), Some(at(10)));
        // Two who turn out to be one keep the earlier draw.
        let one = accept(&store, order("3", Some("7"), Some("ann@example.com"), 1)).await.unwrap();
        let both = history(&store, one).await;
        assert_eq!(both.assignments, [drawn(ann, "weekly"), later]);
        assert_eq!(both.assignment("cadence").map(|found| found.arm.as_str()), Some("weekly"));
        assert_eq!(both.waiting.len(), 2);
        save(&store, one, vec![Decision::Settle(waits(ann))], None).await;
        assert_eq!(history(&store, one).await.waiting, []);
        save(&store, one, vec![Decision::Await(waits(one))], None).await;
        store.erase(one, at(40)).await.unwrap();
        let forgotten = history(&store, one).await;
        assert_eq!((forgotten.waiting.len(), forgotten.assignments.len()), (0, 2), "an arm names nobody");
    }

    async fn a_plan_is_read_back_as_it_was(home: Home) {
        let store = home.open().await;
        let customer = accept(&store, order("1", Some("7"), None, 1)).await.unwrap();
        let before = history(&store, customer).await;
        assert!(!before.events[0].considered);
        let mut skipped = queued(customer, "skipped", 5);
        skipped.state = SendState::Skipped;
        skipped.reason = Some(Reason::NotEarned { kind: Kind::Review, earned: 0, needed: 1 });
        let decisions = vec![
            Decision::Assign(drawn(customer, "weekly")),
            Decision::Await(waits(customer)),
            Decision::Enrol(enrolment(customer)),
            Decision::Decide(queued(customer, "one", 30)),
            Decision::Decide(skipped.clone()),
        ];
        let plan = Plan { decisions, outlook: vec![outlook(customer, 60)], wake_at: Some(at(60)) };
        let mut expected = before.clone();
        plan.apply(&mut expected, at(2));
        let saving = Saving { customer, version: before.version, now: at(2), plan };
        assert_eq!(store.save(vec![saving.clone()]).await.unwrap(), [Saved::Done]);
        let after = history(&store, customer).await;
        assert_eq!((after.version, after.considered_at), (expected.version, expected.considered_at));
        assert_eq!(after.events, expected.events);
        assert_eq!(after.enrolments, expected.enrolments);
        assert_eq!(after.assignments, [drawn(customer, "weekly")]);
        assert_eq!(after.waiting, [waits(customer)]);
        expected.sends.sort_by_key(|send| send.id.to_string());
        assert_eq!(after.sends, expected.sends);
        // The same plan again is stale, and would change nothing.
        assert_eq!(store.save(vec![saving]).await.unwrap(), [Saved::Stale]);
        let next = store.outlooks(None, None, 10).await.unwrap();
        assert_eq!((next.len(), next[0].wake_at, &next[0].outlook), (1, at(60), &vec![outlook(customer, 60)]));
        assert_eq!(store.outlooks(Some(at(59)), None, 10).await.unwrap(), []);
        assert_eq!(store.outlooks(None, Some((at(60), customer)), 10).await.unwrap(), []);
        assert_eq!(store.next_due().await.unwrap(), Some(at(30)));
        assert_eq!(store.active_customers(None, 10).await.unwrap(), [customer]);
        assert_eq!(store.active_customers(Some(customer), 10).await.unwrap(), []);
        assert_eq!(store.last_instant().await.unwrap(), Some(at(2)));
    }

    async fn news_make_a_plan_stale(home: Home) {
        let store = home.open().await;
        let customer = accept(&store, order("1", Some("7"), None, 1)).await.unwrap();
        let version = history(&store, customer).await.version;
        accept(&store, dispatched(SHOP, "s", Some("1"), "X")).await;
        let plan = Plan { decisions: vec![Decision::Enrol(enrolment(customer))], ..Plan::default() };
        let saving = Saving { customer, version, now: at(1), plan };
        assert_eq!(store.save(vec![saving]).await.unwrap(), [Saved::Stale]);
        let history = history(&store, customer).await;
        assert!(history.enrolments.is_empty());
        assert!(history.events.iter().all(|event| !event.considered));
        assert_eq!(store.claim_customers(at(0), 10).await.unwrap(), [customer], "and it is planned again");
    }

    async fn a_send_is_decided_once(home: Home) {
        let store = home.open().await;
        let customer = customer_with(&store, "7", &[("one", 30)]).await;
        let mut other = queued(customer, "one", 90);
        other.mail = "hello/other".into();
        save(&store, customer, vec![Decision::Decide(other)], None).await;
        let sends = history(&store, customer).await.sends;
        assert_eq!((sends.len(), sends[0].mail.as_str()), (1, "hello/world"));
        assert_eq!(store.next_due().await.unwrap(), Some(at(30)));
        let counts = store.counts().await.unwrap();
        assert_eq!(counts.sends.get("queued"), Some(&1));
    }

    async fn what_is_open_can_be_revised_and_what_is_settled_cannot(home: Home) {
        let store = home.open().await;
        let customer = customer_with(&store, "7", &[("one", 30)]).await;
        let mut later = queued(customer, "one", 30);
        later.state = SendState::Queued { not_before: at(70) };
        save(&store, customer, vec![Decision::Revise(later.clone())], None).await;
        assert_eq!(store.next_due().await.unwrap(), Some(at(70)), "its old place in the queue is gone");
        let mut gone = later.clone();
        gone.state = SendState::Cancelled;
        gone.reason = Some(Reason::Refunded);
        save(&store, customer, vec![Decision::Revise(gone.clone())], None).await;
        assert_eq!(store.next_due().await.unwrap(), None);
        save(&store, customer, vec![Decision::Revise(later)], None).await;
        assert_eq!(history(&store, customer).await.sends, [gone], "settled for good");
        assert_eq!(store.next_due().await.unwrap(), None);
    }

    async fn an_enrolment_ends(home: Home) {
        use aftercare::model::enrolment::Ending;
        let store = home.open().await;
        let customer = customer_with(&store, "7", &[]).await;
        let mut ended = enrolment(customer);
        ended.state = EnrolmentState::Ended { at: at(9), how: Ending::Completed };
        save(&store, customer, vec![Decision::Update(ended.clone())], None).await;
        assert_eq!(history(&store, customer).await.enrolments, [ended]);
        assert_eq!(store.active_customers(None, 10).await.unwrap(), []);
    }

    async fn a_broken_row_concerns_its_own_person_only(home: Home) {
        let store = home.open().await;
        let broken = customer_with(&store, "7", &[("one", 30)]).await;
        let whole = customer_with(&store, "8", &[("one", 30)]).await;
        tamper(&home, "UPDATE sends SET detail = '{\"id\": 3, \"email\": \"ann@example.com\"}' WHERE customer = 1").await;
        let got = store.histories(&[broken, whole, CustomerId(99)]).await.unwrap();
        let corrupt = got[0].as_ref().unwrap_err();
        assert_eq!((corrupt.table, corrupt.column), ("sends", "detail"));
        assert!(!corrupt.to_string().contains("ann@"), "{corrupt}");
        assert_eq!(got[1].as_ref().unwrap().sends.len(), 1);
        assert_eq!(got[2].as_ref().unwrap().version, 0, "nobody, of whom nothing is known");
        let listed = store.sends(&SendFilter::default(), None, 10).await.unwrap();
        assert_eq!(listed.iter().filter(|one| one.is_err()).count(), 1);
        // Set aside, they are looked at again when told to.
        store.set_aside(broken, "its rows do not parse", Some(at(50)), at(1)).await.unwrap();
        store.set_aside(broken, "its rows do not parse", Some(at(60)), at(1)).await.unwrap();
        assert_eq!(store.failures(broken).await.unwrap(), 2);
        assert_eq!(store.counts().await.unwrap().failing, 1);
        assert_eq!(store.claim_customers(at(59), 10).await.unwrap(), []);
        assert_eq!(store.claim_customers(at(60), 10).await.unwrap(), [broken]);
    }

    async fn wake_ups_come_in_order_and_to_one_worker_at_a_time(home: Home) {
        let store = home.open().await;
        let mut people = Vec::new();
        for (name, minutes) in [("7", 30), ("8", 10), ("9", 20)] {
            let customer = accept(&store, order(name, Some(name), None, 1)).await.unwrap();
            save(&store, customer, vec![], Some(at(minutes))).await;
            people.push(customer);
        }
        let mut first = store.claim_customers(at(25), 10).await.unwrap();
        first.sort();
        assert_eq!(first, [people[1], people[2]]);
        assert_eq!(store.claim_customers(at(25), 10).await.unwrap(), [], "they are taken");
        save(&store, people[1], vec![], Some(at(15))).await;
        assert_eq!(store.claim_customers(at(25), 10).await.unwrap(), [people[1]], "planned, and due again");
        // Something new wakes at once, whoever has a claim.
        accept(&store, dispatched(SHOP, "s", Some("7"), "X")).await;
        assert_eq!(store.claim_customers(at(0), 10).await.unwrap(), [people[0]]);
        assert_eq!(store.wake_all(at(26)).await.unwrap(), 3, "all who wait for anything");
    }

    async fn an_acceptance_is_considered_by_the_next_plan(home: Home) {
        let store = home.open().await;
        let customer = customer_with(&store, "7", &[("one", 30)]).await;
        let claim = claim(&store, 30).await;
        let version = history(&store, customer).await.version;
        let passed = super::sending::pass(&store, claim, version).await;
        assert_eq!(passed, aftercare::store::Passed::Yes);
        let mut send = queued(customer, "one", 30);
        send.state = SendState::Accepted { reply: "250".into() };
        let settle = Settle { customer, send, fence: claim.fence, now: at(31) };
        store.settle(vec![settle]).await.unwrap();
        assert!(!history(&store, customer).await.sends[0].considered);
        save(&store, customer, vec![], None).await;
        assert!(history(&store, customer).await.sends[0].considered);
    }
}
