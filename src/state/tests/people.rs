//! Who somebody is, what they agreed to, and what holds asks back.

use super::*;

fn ticket(what: &str, status: &str, time: &str) -> Event {
    let body = json!({"ticket": {"ticket_id": "T", "status": status},
        "customer_ref": {"customer_id": null, "email": "ann@example.com"}});
    tell(
        "/desk",
        &format!("ticket.{what}"),
        &format!("ticket/{what}@{time}"),
        time,
        body,
    )
}

#[test]
fn a_ticket_holds_while_open_and_for_a_while_after() {
    let held = |now: &str, events: &[Event]| {
        let state = as_of(now, events);
        (state.person.open_ticket, state.changes_at)
    };
    let opened = ticket("opened", "open", "2026-02-02");
    let solved = ticket("closed", "solved", "2026-02-10");
    let reopened = ticket("opened", "pending", "2026-02-11");
    assert_eq!(
        held("2026-02-03", std::slice::from_ref(&opened)),
        (true, None)
    );
    let closed = [opened.clone(), solved.clone()];
    assert_eq!(held("2026-02-11", &closed), (true, Some(at("2026-02-13"))));
    assert_eq!(held("2026-02-13", &closed), (false, None));
    assert_eq!(
        held("2026-03-01", &[opened.clone(), solved, reopened]),
        (true, None)
    );
    // Told closed before it was told open: by its time, it is closed.
    let early = ticket("closed", "closed", "2026-02-05");
    assert_eq!(held("2026-02-20", &[early, opened]), (false, None));
}

#[test]
fn a_dispute_holds_until_it_is_closed_without_loss() {
    let told = |what: &str, outcome: Option<&str>, time: &str| {
        let body = json!({"dispute": {"dispute_id": "D", "outcome": outcome}, "order_ref": {"order_id": "1"}});
        tell(SHOP, &format!("dispute.{what}"), what, time, body)
    };
    let opened = told("opened", None, "2026-02-05");
    let order = placed(&[camera()]);
    let open = |more: &[Event]| {
        as_of(
            "2026-03-01",
            &[&[order.clone(), opened.clone()], more].concat(),
        )
        .person
        .open_dispute
    };
    assert!(open(&[]));
    assert!(!open(&[told("closed", Some("won"), "2026-02-20")]));
    assert!(open(&[told("closed", Some("lost"), "2026-02-20")]));
}

fn consent(state: &str, scope: Option<&str>, time: &str) -> Event {
    let mut consent = json!({"channel": "email", "state": state, "basis": "none", "source": "x",
        "updated_at": at(time).to_string()});
    if let Some(scope) = scope {
        consent["scope"] = json!(scope);
    }
    let body = json!({"customer_ref": {"email": "ann@example.com"}, "consent": consent});
    tell(
        "/aftercare",
        "consent.changed",
        &format!("consent/{state}/{scope:?}@{time}"),
        time,
        body,
    )
}

/// An order of its own whose buyer says something about consent.
fn agreeing(id: &str, state: &str, time: &str, updated: Option<&str>) -> Event {
    let mut who = buyer("ann@example.com");
    who["marketing_consent"] = json!({"channel": "email", "state": state, "basis": "explicit",
        "source": "box", "updated_at": updated.map(|at_| at(at_).to_string())});
    let body = json!({"order": order_of(id, time, "paid", &[camera()]), "customer": who});
    tell(
        SHOP,
        "order.placed",
        &format!("order/{id}/placed"),
        time,
        body,
    )
}

#[test]
fn the_newest_word_on_consent_counts_and_a_refusal_wins_ties() {
    let state = |events: &[Event]| as_of("2026-06-01", events).person.consent.state;
    let yes = agreeing("1", "subscribed", "2026-02-02", Some("2025-10-01"));
    assert_eq!(state(std::slice::from_ref(&yes)), ConsentState::Subscribed);
    assert_eq!(
        state(&[yes.clone(), agreeing("2", "unknown", "2026-03-01", None)]),
        ConsentState::Subscribed
    );
    let no = agreeing("2", "not_subscribed", "2026-03-01", Some("2026-03-01"));
    assert_eq!(state(&[yes.clone(), no]), ConsentState::NotSubscribed);
    let tie = consent("unsubscribed", None, "2025-10-01");
    assert_eq!(state(&[yes.clone(), tie]), ConsentState::Unsubscribed);
}

#[test]
fn an_opt_out_is_lifted_only_by_a_later_yes_of_its_scope_or_a_wider_one() {
    let out = |events: &[Event]| as_of("2026-06-01", events).person.opt_outs;
    let order = placed(&[camera()]);
    let no = consent("unsubscribed", None, "2026-03-01");
    let base = [order.clone(), no.clone()];
    let with = |more: Event| out(&[&base[..], &[more]].concat());
    assert_eq!(out(&base), [Scope::AllMarketing]);
    assert_eq!(
        with(consent("subscribed", None, "2026-02-01")),
        [Scope::AllMarketing]
    );
    assert_eq!(
        with(consent("subscribed", Some("review"), "2026-04-01")),
        [Scope::AllMarketing]
    );
    assert!(with(consent("subscribed", None, "2026-04-01")).is_empty());
    assert!(with(consent("subscribed", Some("all"), "2026-04-01")).is_empty());
    // A newsletter box on an order: only if ticked after, and dated.
    assert_eq!(
        with(agreeing(
            "2",
            "subscribed",
            "2026-04-01",
            Some("2026-02-01")
        )),
        [Scope::AllMarketing]
    );
    assert_eq!(
        with(agreeing("2", "subscribed", "2026-04-01", None)),
        [Scope::AllMarketing]
    );
    assert!(
        with(agreeing(
            "2",
            "subscribed",
            "2026-04-01",
            Some("2026-04-01")
        ))
        .is_empty()
    );
    let help = consent("unsubscribed", Some("education"), "2026-03-01");
    let events = [
        order.clone(),
        help.clone(),
        consent("subscribed", None, "2026-04-01"),
    ];
    assert_eq!(out(&events), [Scope::Kind(Kind::Education)]);
    assert_eq!(
        out(&[
            order,
            help,
            consent("subscribed", Some("education"), "2026-04-01")
        ]),
        []
    );
}

fn updated(id: &str, email: &str, before: Option<&str>, time: &str) -> Event {
    let body = json!({"customer": {"customer_id": id, "email": email, "account": "registered",
        "locale": "fr-FR"}, "previous": {"email": before}});
    tell(
        SHOP,
        "customer.updated",
        &format!("customer/{id}@{time}"),
        time,
        body,
    )
}

#[test]
fn unsent_mail_follows_the_address_but_an_order_keeps_one_of_its_own() {
    let address = |state: &State| state.person.email.as_ref().map(|a| a.as_typed().to_owned());
    let contacts = |state: &State| -> Vec<Option<String>> {
        let orders = state.orders.iter();
        orders
            .map(|o| o.contact.as_ref().map(|a| a.as_typed().to_owned()))
            .collect()
    };
    let first = bought("1", Some("C1"), "Ann@Example.com", "2026-02-01");
    let other = bought("2", Some("C1"), "work@example.com", "2026-02-05");
    let moved = updated(
        "C1",
        "new@example.com",
        Some("ann@example.com"),
        "2026-03-01",
    );
    let state = as_of("2026-04-01", &[first.clone(), other.clone()]);
    assert_eq!(address(&state).as_deref(), Some("Ann@Example.com"));
    assert_eq!(
        contacts(&state),
        [None, Some("work@example.com".to_owned())]
    );
    let state = as_of("2026-04-01", &[first.clone(), other, moved]);
    assert_eq!(address(&state).as_deref(), Some("new@example.com"));
    assert_eq!(
        contacts(&state),
        [None, Some("work@example.com".to_owned())]
    );
    assert_eq!(state.person.locale, "fr-FR");
    // A guest who registers, then another person's record merged into theirs.
    let guest = bought("3", None, "jules@example.org", "2026-01-10");
    let merged = tell(
        SHOP,
        "customer.merged",
        "m",
        "2026-03-02",
        json!({"survivor": {"customer_id": "C1", "email": null},
            "absorbed": [{"customer_id": null, "email": "jules@example.org"}]}),
    );
    let state = as_of("2026-04-01", &[first, guest, merged]);
    assert_eq!(address(&state).as_deref(), Some("Ann@Example.com"));
    assert_eq!(contacts(&state), [None, None]);
}

#[test]
fn where_two_people_become_one_the_stricter_consent_stands() {
    let agree = |email: &str, state: &str, time: &str, id: &str| {
        let mut who = buyer(email);
        who["customer_id"] = json!(id);
        who["marketing_consent"] = json!({"channel": "email", "state": state, "basis": "explicit",
            "source": "box", "updated_at": at(time).to_string()});
        let body = json!({"order": order_of(id, time, "paid", &[camera()]), "customer": who});
        tell(
            SHOP,
            "order.placed",
            &format!("order/{id}/placed"),
            time,
            body,
        )
    };
    let no = agree("a@example.com", "unsubscribed", "2026-02-01", "C1");
    let yes = agree("b@example.com", "subscribed", "2026-02-10", "C2");
    let merged = tell(
        SHOP,
        "customer.merged",
        "m",
        "2026-03-01",
        json!({"survivor": {"customer_id": "C2", "email": null}, "absorbed": [{"customer_id": "C1", "email": null}]}),
    );
    let person = as_of("2026-04-01", &[no.clone(), yes.clone(), merged.clone()]).person;
    assert_eq!(person.consent.state, ConsentState::Unsubscribed);
    assert_eq!(person.opt_outs, [Scope::AllMarketing]);
    let later = agree("b@example.com", "subscribed", "2026-03-10", "C3");
    let person = as_of("2026-04-01", &[no, yes, merged, later]).person;
    assert_eq!(
        (person.consent.state, person.opt_outs.len()),
        (ConsentState::Subscribed, 0)
    );
}

#[test]
fn a_dead_address_blocks_itself_and_not_the_one_that_followed() {
    let dead = consent("unsubscribed", Some("dead"), "2026-02-10");
    let first = bought("1", Some("C1"), "ann@example.com", "2026-02-01");
    let state = as_of("2026-04-01", &[first.clone(), dead.clone()]);
    assert_eq!(state.person.opt_outs, [Scope::Dead]);
    let moved = updated(
        "C1",
        "new@example.com",
        Some("ann@example.com"),
        "2026-03-01",
    );
    assert!(
        as_of("2026-04-01", &[first, dead, moved])
            .person
            .opt_outs
            .is_empty()
    );
}

#[test]
fn zone_and_language_come_from_the_nearest_word() {
    let person = |customer: Value, to: Value| {
        let mut order = order_of("1", "2026-02-02", "paid", &[camera()]);
        order["ship_to"] = to;
        let body = json!({"order": order, "customer": customer});
        let person = as_of(
            "2026-03-01",
            &[tell(SHOP, "order.placed", "p", "2026-02-02", body)],
        )
        .person;
        (person.zone_name, person.zone_source, person.locale)
    };
    let check = |customer: Value, to: Value, expected: (&str, &'static str, &str)| {
        let (zone, source, locale) = person(customer, to);
        assert_eq!((zone.as_str(), source, locale.as_str()), expected);
    };
    let named = json!({"email": "a@x.example", "time_zone": "Asia/Tokyo", "locale": "ja-JP"});
    check(
        named,
        json!({"country": "DE"}),
        ("Asia/Tokyo", "event", "ja-JP"),
    );
    let bare = json!({"email": "a@x.example", "country": "US", "region": "CA"});
    check(
        bare.clone(),
        json!({"country": "US", "region": "NY"}),
        ("America/New_York", "region", "en"),
    );
    // A gift goes elsewhere: zone and language follow the buyer.
    check(
        bare,
        json!({"country": "DE"}),
        ("America/Los_Angeles", "region", "en"),
    );
    let odd = json!({"email": "a@x.example", "time_zone": "Mars/Olympus", "country": "JP"});
    check(
        odd,
        json!({"country": "JP"}),
        ("Asia/Tokyo", "country", "ja"),
    );
    let wide = json!({"email": "a@x.example", "country": "US"});
    check(
        wide,
        json!({"country": "US"}),
        ("Europe/Berlin", "shop", "en"),
    );
    let swiss = json!({"email": "a@x.example", "country": "CH"});
    check(
        swiss,
        json!({"country": "CH"}),
        ("Europe/Zurich", "country", "en"),
    );
}
