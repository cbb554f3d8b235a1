//! Claims, the barrier, and outcomes: nothing goes out that should not, and what may
//! have gone out is named.

use super::intake::column;
use super::*;
use aftercare::store::{Barrier, Passed, Recovered, SendFilter, Settle, Settled};

/// Takes a claim to its barrier.
pub async fn pass(store: &Store, claim: Claim, version: i64) -> Passed {
    let barrier = Barrier {
        send: claim.send,
        customer: claim.customer,
        version,
        fence: claim.fence,
        prepared: prepared("Ann@example.com").into(),
        now: at(31),
    };
    store.barrier(vec![barrier]).await.unwrap()[0]
}

fn outcome(claim: Claim, state: SendState) -> Settle {
    let mut send = queued(claim.customer, "one", 30);
    send.state = state;
    send.at = at(32);
    send.attempts = 1;
    Settle {
        customer: claim.customer,
        send,
        fence: claim.fence,
        now: at(32),
    }
}

fn accepted(claim: Claim) -> Settle {
    outcome(
        claim,
        SendState::Accepted {
            reply: "250 2.0.0 queued".into(),
        },
    )
}

/// Opens the database as another worker would that finds the first one dead.
async fn after_a_crash(home: &Home, dead: Store) -> Store {
    // Closing lets go of the locks, as the kernel does after kill -9; the claims stay.
    dead.close().await;
    home.open().await
}

on_both! {
    async fn a_send_goes_its_way(home: Home) {
        let store = home.open().await;
        let customer = customer_with(&store, "7", &[("one", 30)]).await;
        assert_eq!(store.claim_sends(at(29), 10).await.unwrap(), []);
        let claim = claim(&store, 30).await;
        assert_eq!(store.claim_sends(at(30), 10).await.unwrap(), [], "it is taken");
        assert_eq!(store.next_due().await.unwrap(), None, "what is taken is not waited for");
        assert_eq!(store.renew(&[claim]).await.unwrap(), [true]);
        let version = history(&store, customer).await.version;
        assert_eq!(pass(&store, claim, version).await, Passed::Yes);
        assert_eq!(pass(&store, claim, version).await, Passed::Lost, "one barrier a claim");
        assert!(matches!(
            store.send(claim.send).await.unwrap().unwrap().1.state,
            SendState::Sending { phase: aftercare::model::send::Phase::Dot, fence } if fence == claim.fence
        ));
        assert_eq!(store.settle(vec![accepted(claim)]).await.unwrap(), [Settled::Done]);
        let (_, send) = store.send(claim.send).await.unwrap().unwrap();
        assert_eq!(send.prepared, Some(prepared("Ann@example.com")));
        assert_eq!(Send { prepared: None, ..send }, accepted(claim).send);
        let after = history(&store, customer).await;
        assert!(after.version > version, "limits and starts may depend on it");
        assert_eq!(store.claim_customers(at(32), 10).await.unwrap(), [customer]);
        assert_eq!(store.settle(vec![accepted(claim)]).await.unwrap(), [Settled::Lost], "once");
        let listed = store.sends(&SendFilter { state: Some("accepted".into()), ..Default::default() }, None, 10).await.unwrap();
        let (who, to, _) = listed[0].as_ref().unwrap();
        assert_eq!((*who, to.as_deref()), (customer, Some("Ann@example.com")));
        assert_eq!(store.counts().await.unwrap().sends, std::collections::BTreeMap::from([("accepted".to_owned(), 1)]));
    }

    async fn an_opt_out_moves_the_barrier(home: Home) {
        let store = home.open().await;
        let customer = customer_with(&store, "7", &[("one", 30)]).await;
        let claim = claim(&store, 30).await;
        let cleared = history(&store, customer).await.version;
        let opt_out = event("/aftercare", "opt-out/1", EventKind::ConsentChanged, json!({
            "order_ref": {"order_id": "7"},
            "consent": {"state": "unsubscribed", "source": "page", "channel": "email", "basis": "none"},
        }));
        assert_eq!(accept(&store, opt_out).await, Some(customer));
        let now = history(&store, customer).await.version;
        assert_eq!(pass(&store, claim, cleared).await, Passed::Moved(now));
        // Cleared again, it is skipped: an outcome without a barrier.
        let settle = outcome(claim, SendState::Skipped);
        assert_eq!(store.settle(vec![settle]).await.unwrap(), [Settled::Done]);
        assert_ne!(pass(&store, claim, now).await, Passed::Yes);
        assert_eq!(pass(&store, claim, now + 1).await, Passed::Lost);
        assert_eq!(store.next_due().await.unwrap(), Some(at(0)), "the customer alone");
    }

    async fn opt_out_and_barrier_at_once_never_both_win(home: Home) {
        let store = home.open().await;
        for n in 0..20 {
            let name = format!("n{n}");
            let customer = customer_with(&store, &name, &[("one", 30)]).await;
            let claim = claim(&store, 30).await;
            let version = history(&store, customer).await.version;
            let opt_out = event("/aftercare", &format!("opt-out/{n}"), EventKind::ConsentChanged,
                json!({"order_ref": {"order_id": name}, "consent": {"state": "unsubscribed"}}));
            let (passed, taken) = tokio::join!(pass(&store, claim, version), accept(&store, opt_out));
            assert_eq!(taken, Some(customer));
            let state = store.send(claim.send).await.unwrap().unwrap().1.state;
            match passed {
                Passed::Yes => assert!(matches!(state, SendState::Sending { .. })),
                Passed::Moved(_) => {}
                Passed::Lost => panic!("the claim stands"),
            }
            store.settle(vec![outcome(claim, SendState::Skipped)]).await.unwrap();
        }
    }

    async fn a_retry_waits_for_its_time(home: Home) {
        let store = home.open().await;
        let customer = customer_with(&store, "7", &[("one", 30)]).await;
        let first = claim(&store, 30).await;
        let version = history(&store, customer).await.version;
        pass(&store, first, version).await;
        let again = outcome(first, SendState::Queued { not_before: at(45) });
        assert_eq!(store.settle(vec![again]).await.unwrap(), [Settled::Done]);
        assert_eq!(store.claim_sends(at(44), 10).await.unwrap(), []);
        let second = claim(&store, 45).await;
        assert_eq!(second.send, first.send);
        let (_, send) = store.send(second.send).await.unwrap().unwrap();
        assert_eq!((send.attempts, send.prepared.is_some()), (1, true), "the same bytes can be made");
    }

    async fn a_claim_given_back_is_due_at_once(home: Home) {
        let store = home.open().await;
        customer_with(&store, "7", &[("one", 30)]).await;
        let first = claim(&store, 30).await;
        store.release(vec![first]).await.unwrap();
        assert_eq!(store.renew(&[first]).await.unwrap(), [false]);
        let second = claim(&store, 30).await;
        assert_eq!(second.send, first.send);
    }

    async fn a_plan_takes_a_send_back_before_its_barrier_and_not_after(home: Home) {
        let store = home.open().await;
        let customer = customer_with(&store, "7", &[("one", 30)]).await;
        let mut gone = queued(customer, "one", 30);
        gone.state = SendState::Cancelled;
        let first = claim(&store, 30).await;
        save(&store, customer, vec![Decision::Revise(gone.clone())], None).await;
        let version = history(&store, customer).await.version;
        assert_eq!(pass(&store, first, version).await, Passed::Lost);
        assert_eq!(store.settle(vec![outcome(first, SendState::Skipped)]).await.unwrap(), [Settled::Lost]);
        assert_eq!(history(&store, customer).await.sends, [gone]);

        let customer = customer_with(&store, "8", &[("one", 30)]).await;
        let second = claim(&store, 30).await;
        let version = history(&store, customer).await.version;
        assert_eq!(pass(&store, second, version).await, Passed::Yes);
        let mut gone = queued(customer, "one", 30);
        gone.state = SendState::Cancelled;
        save(&store, customer, vec![Decision::Revise(gone)], None).await;
        assert_eq!(store.settle(vec![accepted(second)]).await.unwrap(), [Settled::Done], "it had gone");
    }

    async fn a_crash_before_the_barrier_costs_nothing(home: Home) {
        let store = home.open().await;
        let customer = customer_with(&store, "7", &[("one", 30)]).await;
        let lost = claim(&store, 30).await;
        let store = after_a_crash(&home, store).await;
        let recovered = store.recover(at(33)).await.unwrap();
        assert_eq!(recovered.uncertain, 0);
        let again = claim(&store, 33).await;
        assert_eq!((again.send, again.customer), (lost.send, customer));
        assert!(again.fence > lost.fence);
        // The zombie comes back: whatever it says is not written.
        let version = history(&store, customer).await.version;
        assert_eq!(pass(&store, lost, version).await, Passed::Lost);
        assert_eq!(store.settle(vec![outcome(lost, SendState::Skipped)]).await.unwrap(), [Settled::Lost]);
        assert_eq!(pass(&store, again, version).await, Passed::Yes);
    }

    async fn a_crash_after_the_barrier_is_named(home: Home) {
        let store = home.open().await;
        let customer = customer_with(&store, "7", &[("one", 30), ("two", 90)]).await;
        let lost = claim(&store, 30).await;
        let version = history(&store, customer).await.version;
        pass(&store, lost, version).await;
        let store = after_a_crash(&home, store).await;
        assert_eq!(store.recover(at(33)).await.unwrap(), Recovered { queued: 0, uncertain: 1 });
        assert_eq!(store.recover(at(34)).await.unwrap(), Recovered::default());
        let (_, send) = store.send(lost.send).await.unwrap().unwrap();
        assert_eq!((send.state.clone(), send.doubts), (SendState::Uncertain { since: at(33) }, 1));
        assert_eq!(send.reason.as_ref().map(|reason| reason.code()), Some("in_doubt"));
        assert_eq!(store.claim_sends(at(33), 10).await.unwrap(), [], "never by itself");
        assert_eq!(store.claim_customers(at(33), 10).await.unwrap(), [customer], "the planner decides");
        // The reply turns up after all: evidence.
        assert_eq!(store.settle(vec![accepted(lost)]).await.unwrap(), [Settled::Done]);
        assert!(matches!(store.send(lost.send).await.unwrap().unwrap().1.state, SendState::Accepted { .. }));
        // Anything else is not.
        assert_eq!(store.settle(vec![outcome(lost, SendState::Skipped)]).await.unwrap(), [Settled::Lost]);
    }

    async fn evidence_stops_a_second_sending(home: Home) {
        let store = home.open().await;
        let customer = customer_with(&store, "7", &[("one", 30)]).await;
        let lost = claim(&store, 30).await;
        let version = history(&store, customer).await.version;
        pass(&store, lost, version).await;
        let store = after_a_crash(&home, store).await;
        store.recover(at(33)).await.unwrap();
        let mut again = queued(customer, "one", 30);
        again.state = SendState::Queued { not_before: at(63) };
        again.doubts = 1;
        save(&store, customer, vec![Decision::Revise(again)], None).await;
        let second = claim(&store, 63).await;
        assert_eq!(store.settle(vec![accepted(lost)]).await.unwrap(), [Settled::Done]);
        let version = history(&store, customer).await.version;
        assert_eq!(pass(&store, second, version).await, Passed::Lost);
    }

    async fn the_queue_is_in_order_and_says_what_is_next(home: Home) {
        let store = home.open().await;
        assert_eq!(store.next_due().await.unwrap(), None);
        let late = customer_with(&store, "7", &[("a", 50), ("b", 10)]).await;
        let early = customer_with(&store, "8", &[("a", 20)]).await;
        assert_eq!(store.next_due().await.unwrap(), Some(at(10)));
        let claims = store.claim_sends(at(60), 2).await.unwrap();
        let mut who: Vec<CustomerId> = claims.iter().map(|claim| claim.customer).collect();
        who.sort();
        assert_eq!(who, [late, early], "the oldest two");
        assert_eq!(store.next_due().await.unwrap(), Some(at(50)));
        let mut done: Vec<Settle> = Vec::new();
        for (claim, step) in claims.iter().zip(["b", "a"]) {
            let mut one = outcome(*claim, SendState::Skipped);
            one.send = Send { state: SendState::Skipped, ..queued(claim.customer, step, 10) };
            if one.send.id != claim.send {
                one.send = Send { state: SendState::Skipped, ..queued(claim.customer, "a", 10) };
            }
            if one.send.id != claim.send {
                one.send = Send { state: SendState::Skipped, ..queued(claim.customer, "b", 10) };
            }
            done.push(one);
        }
        assert_eq!(store.settle(done).await.unwrap(), [Settled::Done, Settled::Done]);
        let left = column(&home, "SELECT id FROM due WHERE what = 's'").await;
        assert_eq!(left, [queued(late, "a", 50).id.to_string()]);
    }

    async fn a_merge_between_claim_and_outcome_loses_nothing(home: Home) {
        let store = home.open().await;
        let first = accept(&store, order("1", None, Some("ann@example.com"), 1)).await.unwrap();
        let second = customer_with(&store, "7", &[("one", 30)]).await;
        let claim = claim(&store, 30).await;
        assert_eq!(claim.customer, second);
        accept(&store, order("2", Some("7"), Some("ann@example.com"), 1)).await;
        let version = history(&store, second).await.version;
        assert_ne!(pass(&store, claim, version).await, Passed::Yes, "cleared for who is no more");
        let again = Claim { customer: first, ..claim };
        let version = history(&store, first).await.version;
        assert_eq!(pass(&store, again, version).await, Passed::Yes);
        assert_eq!(store.settle(vec![accepted(claim)]).await.unwrap(), [Settled::Done]);
        assert_eq!(store.claim_sends(at(99), 10).await.unwrap(), []);
        let left = column(&home, "SELECT id FROM due WHERE what = 's'").await;
        assert!(left.is_empty(), "its place in the queue is gone: {left:?}");
        assert_eq!(history(&store, first).await.sends.len(), 1);
    }

    async fn a_batch_shares_its_commit_and_not_its_fate(home: Home) {
        let store = home.open().await;
        let mut due = Vec::new();
        for n in 0..30 {
            due.push(customer_with(&store, &format!("n{n}"), &[("one", 30)]).await);
        }
        let claims = store.claim_sends(at(30), 100).await.unwrap();
        assert_eq!(claims.len(), 30);
        let mut calls = Vec::new();
        for (n, claim) in claims.into_iter().enumerate() {
            let store = store.clone();
            calls.push(tokio::spawn(async move {
                let version = history(&store, claim.customer).await.version - i64::from(n % 3 == 0);
                (n, pass(&store, claim, version).await)
            }));
        }
        for call in calls {
            let (n, passed) = call.await.unwrap();
            assert_eq!(matches!(passed, Passed::Moved(_)), n % 3 == 0);
            assert_eq!(passed == Passed::Yes, n % 3 != 0);
        }
    }
}

/// Two processes on one PostgreSQL: each send goes to one of them.
#[tokio::test]
async fn workers_share_the_queue_of_one_postgres() {
    let Some(home) = Home::postgres().await else {
        return;
    };
    let (one, two) = (home.open().await, home.open().await);
    for n in 0..40 {
        customer_with(&one, &format!("n{n}"), &[("one", 30)]).await;
    }
    let (left, right) = tokio::join!(one.claim_sends(at(30), 20), two.claim_sends(at(30), 20));
    let (left, right) = (left.unwrap(), right.unwrap());
    let mut all: Vec<SendId> = left.iter().chain(&right).map(|claim| claim.send).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), left.len() + right.len(), "none twice");
    // A live worker's claims are its own.
    let kept = left[0];
    assert_eq!(two.recover(at(31)).await.unwrap(), Recovered::default());
    let version = history(&one, kept.customer).await.version;
    assert_eq!(pass(&two, kept, version).await, Passed::Lost, "not theirs");
    assert_eq!(pass(&one, kept, version).await, Passed::Yes);
    // A dead one's are free at once.
    one.close().await;
    let recovered = two.recover(at(31)).await.unwrap();
    assert_eq!((recovered.uncertain, recovered.queued), (1, left.len() - 1));
    // Both take the same people in, and agree who they are.
    let three = home.open().await;
    let calls = (0..40).map(|n| {
        let store = if n % 2 == 0 {
            two.clone()
        } else {
            three.clone()
        };
        tokio::spawn(async move {
            let id = format!("x{n}");
            accept(
                &store,
                order(&id, Some(&id), Some(&format!("p{}@example.com", n / 4)), 1),
            )
            .await
            .unwrap()
        })
    });
    let mut people = std::collections::BTreeSet::new();
    for call in calls.collect::<Vec<_>>() {
        people.insert(call.await.unwrap());
    }
    assert_eq!(people.len(), 10);
}

/// A lease that ran out is recovered, though its worker seems to live.
#[tokio::test]
async fn leases_run_out_on_postgres() {
    let Some(home) = Home::postgres().await else {
        return;
    };
    let (one, two) = (home.open().await, home.open().await);
    let customer = customer_with(&one, "7", &[("one", 30)]).await;
    let stale = claim(&one, 30).await;
    super::intake::tamper(&home, "UPDATE sends SET lease_until = 1").await;
    let version = history(&one, customer).await.version;
    assert_eq!(
        pass(&one, stale, version).await,
        Passed::Lost,
        "the lease has run out"
    );
    assert_eq!(two.recover(at(31)).await.unwrap().queued, 1);
    let fresh = claim(&two, 31).await;
    assert!(fresh.fence > stale.fence);
    assert_eq!(one.renew(&[stale]).await.unwrap(), [false]);
    assert_eq!(
        one.settle(vec![outcome(stale, SendState::Skipped)])
            .await
            .unwrap(),
        [Settled::Lost]
    );
}

#[tokio::test]
async fn the_two_databases_are_told_apart() {
    assert_eq!(Home::sqlite().open().await.db(), Db::Sqlite);
}
