//! Orders, lines and parcels.

use super::*;

fn refund(id: &str, time: &str, amount: i64, items: &[(&str, i64, &str)]) -> Event {
    let items: Vec<Value> = items
        .iter()
        .map(|(line, quantity, restock)| json!({"line_id": line, "quantity": quantity, "restock": restock}))
        .collect();
    let body = json!({"order_ref": {"order_id": "1"},
        "refund": {"refund_id": id, "amount": eur(amount), "scope": "unknown", "items": items}});
    tell(SHOP, "refund.issued", &format!("refund/{id}"), time, body)
}

#[test]
fn an_order_paid_at_once_is_paid_when_placed_and_one_paid_later_is_not() {
    let state = as_of("2026-02-02T10:00", &[placed(&[camera()])]);
    assert_eq!(state.orders[0].paid_at, Some(at("2026-02-02T09:00")));
    assert_eq!(times(&state, "order.paid"), ["2026-02-02T09:00:00Z"]);

    let pending = order_of("1", "2026-02-02T09:00", "pending", &[camera()]);
    let paid = order_of("1", "2026-02-05T09:00", "paid", &[camera()]);
    let who = buyer("ann@example.com");
    let events = [
        tell(
            SHOP,
            "order.placed",
            "p",
            "2026-02-02T09:00",
            json!({"order": pending, "customer": who}),
        ),
        tell(
            SHOP,
            "order.paid",
            "q",
            "2026-02-05T09:00",
            json!({"order": paid, "customer": who}),
        ),
    ];
    let state = as_of("2026-02-06", &events);
    assert_eq!(times(&state, "order.paid"), ["2026-02-05T09:00:00Z"]);
    assert_eq!(as_of("2026-02-03", &events[..1]).orders[0].paid_at, None);
    // The same fact told again, newer: it was paid when its source changed it.
    let mut again = events[0].clone();
    again.body = Arc::new(
        serde_json::from_value(
            json!({"order": order_of("1", "2026-02-05T09:00", "paid", &[camera()]),
            "customer": who}),
        )
        .unwrap(),
    );
    let state = as_of("2026-02-06", &[events[0].clone(), again]);
    assert_eq!(times(&state, "order.paid"), ["2026-02-05T09:00:00Z"]);
    assert_eq!(times(&state, "order.placed").len(), 1);
}

#[test]
fn two_sources_describing_one_parcel_are_one_shipment_and_one_delivery() {
    let state = as_of(
        "2026-02-10",
        &[
            placed(&[camera()]),
            parcel(
                SHOP,
                "dispatched",
                "S1",
                "2026-02-03T09:00",
                &[("1", 1)],
                "AA 11-22",
            ),
            parcel(TRACK, "in_transit", "T1", "2026-02-04T09:00", &[], "aa1122"),
            parcel(TRACK, "delivered", "T1", "2026-02-05T09:00", &[], "aa1122"),
            parcel(
                SHOP,
                "delivered",
                "S1",
                "2026-02-05T11:00",
                &[("1", 1)],
                "AA1122",
            ),
            // Late news of an earlier stage takes nothing back.
            parcel(
                TRACK,
                "out_for_delivery",
                "T1",
                "2026-02-05T12:00",
                &[],
                "aa1122",
            ),
        ],
    );
    let shipments = &state.orders[0].shipments;
    assert_eq!(shipments.len(), 1);
    assert_eq!(
        (shipments[0].id.as_str(), shipments[0].ids.len()),
        ("S1", 2)
    );
    assert_eq!(shipments[0].status, "delivered");
    assert_eq!(shipments[0].delivery_basis, Some(DeliveryBasis::Carrier));
    assert_eq!(
        times(&state, "shipment.delivered"),
        ["2026-02-05T09:00:00Z"]
    );
    assert_eq!(
        facts(&state, "item.delivered"),
        [("2026-02-05T09:00:00Z".into(), Some("1".into()))]
    );
    assert_eq!(times(&state, "order.delivered"), ["2026-02-05T09:00:00Z"]);
    assert!(
        state
            .facts
            .iter()
            .all(|fact| fact.order.as_deref() == Some("1"))
    );
}

#[test]
fn partial_shipments_deliver_line_by_line_and_the_order_with_the_last() {
    let events = [
        placed(&[
            camera(),
            tripod(),
            line("3", "PRE", 1, 1, "digital"),
            line("4", "GC", 1, 1, "gift_card"),
        ]),
        parcel(
            SHOP,
            "dispatched",
            "S1",
            "2026-02-03T09:00",
            &[("1", 1)],
            "A",
        ),
        parcel(TRACK, "delivered", "T1", "2026-02-05T09:00", &[], "A"),
        parcel(
            SHOP,
            "dispatched",
            "S2",
            "2026-02-10T09:00",
            &[("2", 1)],
            "B",
        ),
        parcel(TRACK, "delivered", "T2", "2026-02-12T09:00", &[], "B"),
    ];
    let state = as_of("2026-02-06", &events[..3]);
    let order = &state.orders[0];
    assert_eq!(order.delivered_at, None);
    let to_come: Vec<i64> = order
        .lines
        .iter()
        .map(|l| l.owed_quantity - l.dispatched_quantity)
        .collect();
    assert_eq!(to_come, [0, 1, 0, 0]);
    let state = as_of("2026-02-13", &events);
    assert_eq!(
        facts(&state, "item.delivered"),
        [
            ("2026-02-02T09:00:00Z".into(), Some("3".into())),
            ("2026-02-05T09:00:00Z".into(), Some("1".into())),
            ("2026-02-12T09:00:00Z".into(), Some("2".into())),
        ]
    );
    assert_eq!(times(&state, "order.delivered"), ["2026-02-12T09:00:00Z"]);
    assert_eq!(state.orders[0].dispatched_at, Some(at("2026-02-03T09:00")));
}

#[test]
fn the_line_is_delivered_with_its_last_unit() {
    let events = [
        placed(&[line("1", "CAM", 3, 3, "physical")]),
        parcel(
            SHOP,
            "dispatched",
            "S1",
            "2026-02-03T09:00",
            &[("1", 2)],
            "A",
        ),
        parcel(TRACK, "delivered", "T1", "2026-02-05T09:00", &[], "A"),
        parcel(
            SHOP,
            "dispatched",
            "S2",
            "2026-02-04T09:00",
            &[("1", 1)],
            "B",
        ),
        parcel(TRACK, "delivered", "T2", "2026-02-06T09:00", &[], "B"),
    ];
    assert_eq!(
        times(&as_of("2026-02-07", &events), "item.delivered"),
        ["2026-02-06T09:00:00Z"]
    );
    assert!(
        as_of("2026-02-05T10:00", &events[..4]).orders[0].lines[0]
            .delivered_at
            .is_none()
    );
}

#[test]
fn parcels_of_unknown_content_take_the_rest() {
    let lines = [camera(), tripod()];
    // The only parcel: everything.
    let state = as_of(
        "2026-02-06",
        &[
            placed(&lines),
            parcel(SHOP, "dispatched", "S1", "2026-02-03T09:00", &[], "A"),
            parcel(TRACK, "delivered", "T1", "2026-02-05T09:00", &[], "A"),
        ],
    );
    assert_eq!(
        state.orders[0].shipments[0].items,
        [("1".to_owned(), 1), ("2".to_owned(), 1)]
    );
    assert_eq!(times(&state, "order.delivered"), ["2026-02-05T09:00:00Z"]);
    // Beside an itemised one: the rest.
    let state = as_of(
        "2026-02-06",
        &[
            placed(&lines),
            parcel(
                SHOP,
                "dispatched",
                "S1",
                "2026-02-03T09:00",
                &[("2", 1)],
                "A",
            ),
            parcel(SHOP, "delivered", "S2", "2026-02-05T09:00", &[], "B"),
        ],
    );
    assert_eq!(
        facts(&state, "item.delivered"),
        [("2026-02-05T09:00:00Z".into(), Some("1".into()))]
    );
    // Several unknown: only when all came, and the storefront calls it fulfilled.
    let two = |fulfilled: bool, both: bool| {
        let mut order = order_of("1", "2026-02-04T09:00", "paid", &lines);
        order["fulfilment_status"] = json!(if fulfilled { "fulfilled" } else { "partial" });
        let mut events = vec![
            placed(&lines),
            tell(
                SHOP,
                "order.updated",
                "u",
                "2026-02-04T09:00",
                json!({"order": order}),
            ),
            parcel(SHOP, "delivered", "S1", "2026-02-05T09:00", &[], "A"),
            parcel(SHOP, "dispatched", "S2", "2026-02-03T09:00", &[], "B"),
        ];
        if both {
            events.push(parcel(
                SHOP,
                "delivered",
                "S2",
                "2026-02-06T08:00",
                &[],
                "B",
            ));
        }
        times(&as_of("2026-02-06T09:00", &events), "order.delivered")
    };
    assert_eq!(two(true, true), ["2026-02-06T08:00:00Z"]);
    assert!(two(true, false).is_empty() && two(false, true).is_empty());
}

#[test]
fn a_line_called_off_before_its_dispatch_is_not_waited_for() {
    let state = as_of(
        "2026-02-06",
        &[
            placed(&[camera(), tripod()]),
            refund("R", "2026-02-02T12:00", 100, &[("2", 1, "cancel")]),
            parcel(
                SHOP,
                "dispatched",
                "S1",
                "2026-02-03T09:00",
                &[("1", 1)],
                "A",
            ),
            parcel(
                SHOP,
                "delivered",
                "S1",
                "2026-02-05T09:00",
                &[("1", 1)],
                "A",
            ),
        ],
    );
    assert_eq!(times(&state, "order.delivered"), ["2026-02-05T09:00:00Z"]);
    assert_eq!(
        facts(&state, "item.refunded"),
        [("2026-02-02T12:00:00Z".into(), Some("2".into()))]
    );
    assert!(times(&state, "order.refunded").is_empty());
    // A snapshot that already leaves it out does not take it off twice.
    let later = order_of(
        "1",
        "2026-02-02T13:00",
        "paid",
        &[camera(), line("2", "TRI", 2, 1, "physical")],
    );
    let state = as_of(
        "2026-02-06",
        &[
            placed(&[camera(), line("2", "TRI", 2, 2, "physical")]),
            refund("R", "2026-02-02T12:00", 100, &[("2", 1, "cancel")]),
            tell(
                SHOP,
                "order.updated",
                "u",
                "2026-02-02T13:00",
                json!({"order": later}),
            ),
        ],
    );
    assert_eq!(
        (
            state.orders[0].lines[1].owed_quantity,
            state.orders[0].lines[1].kept_quantity
        ),
        (1, 1)
    );
}

#[test]
fn nothing_heard_is_assumed_delivered_where_the_policy_says_so() {
    let events = [
        placed(&[camera()]),
        parcel(
            SHOP,
            "dispatched",
            "S1",
            "2026-02-05T09:00",
            &[("1", 1)],
            "A",
        ),
    ];
    // Thursday plus four working days is Wednesday.
    let before = as_of("2026-02-11T08:59", &events);
    assert_eq!(before.changes_at, Some(at("2026-02-11T09:00")));
    assert_eq!(before.orders[0].delivered_at, None);
    let after = as_of("2026-02-11T09:00", &events);
    assert_eq!(after.changes_at, None);
    assert_eq!(
        after.orders[0].lines[0].delivery_basis,
        Some(DeliveryBasis::Inferred)
    );
    assert_eq!(after.orders[0].delivered_at, Some(at("2026-02-11T09:00")));
    assert_eq!(after.orders[0].shipments[0].delivered_at, None);
    let inferred: Vec<&str> = after
        .facts
        .iter()
        .filter(|f| f.inferred)
        .map(|f| f.kind.as_str())
        .collect();
    assert_eq!(inferred, ["item.delivered", "order.delivered"]);
    // A real delivery replaces it, whenever it is learnt.
    let real = parcel(TRACK, "delivered", "T1", "2026-02-09T10:00", &[], "A");
    let state = as_of("2026-02-20", &[&events[..], &[real]].concat());
    assert_eq!(times(&state, "item.delivered"), ["2026-02-09T10:00:00Z"]);
    assert!(!state.facts.iter().any(|fact| fact.inferred));
    // What waits at a pickup point is not silent.
    let pickup = parcel(
        TRACK,
        "available_for_pickup",
        "T1",
        "2026-02-09T10:00",
        &[],
        "A",
    );
    let state = as_of("2026-03-20", &[&events[..], &[pickup]].concat());
    assert_eq!(
        (state.orders[0].delivered_at, state.changes_at),
        (None, None)
    );
}

#[test]
fn without_an_assumption_the_order_is_capped_and_its_lines_are_not() {
    let mut order = order_of("1", "2026-02-02T09:00", "paid", &[camera()]);
    order["ship_to"] = json!({"country": "FR"});
    let events = [
        tell(
            SHOP,
            "order.placed",
            "p",
            "2026-02-02T09:00",
            json!({"order": order, "customer": {
            "email": "ann@example.com", "country": "FR", "time_zone": "Europe/Paris"}}),
        ),
        parcel(
            SHOP,
            "dispatched",
            "S1",
            "2026-02-05T09:00",
            &[("1", 1)],
            "A",
        ),
    ];
    assert_eq!(
        as_of("2026-02-18", &events).changes_at,
        Some(at("2026-02-19T09:00"))
    );
    let state = as_of("2026-02-20", &events);
    assert_eq!(times(&state, "order.delivered"), ["2026-02-19T09:00:00Z"]);
    assert!(times(&state, "item.delivered").is_empty());
    let back = parcel(
        SHOP,
        "returned_to_sender",
        "S1",
        "2026-02-10T09:00",
        &[("1", 1)],
        "A",
    );
    let state = as_of("2026-03-20", &[&events[..], &[back]].concat());
    assert!(times(&state, "order.delivered").is_empty());
}

#[test]
fn what_came_back_was_not_delivered_or_is_kept_no_longer() {
    let sent = [
        placed(&[camera()]),
        parcel(
            SHOP,
            "dispatched",
            "S1",
            "2026-02-03T09:00",
            &[("1", 1)],
            "A",
        ),
        parcel(TRACK, "delivery_failed", "T1", "2026-02-04T09:00", &[], "A"),
    ];
    let returned = parcel(
        TRACK,
        "returned_to_sender",
        "T1",
        "2026-02-08T09:00",
        &[],
        "A",
    );
    let to_sender = parcel(TRACK, "delivered", "T1", "2026-02-12T09:00", &[], "A");
    let state = as_of(
        "2026-03-01",
        &[&sent[..], &[returned.clone(), to_sender]].concat(),
    );
    assert!(state.orders[0].shipments[0].gone);
    assert_eq!(state.orders[0].shipments[0].status, "returned_to_sender");
    assert!(
        times(&state, "item.delivered").is_empty()
            && times(&state, "shipment.delivered").is_empty()
    );
    let to_customer = parcel(TRACK, "delivered", "T1", "2026-02-05T09:00", &[], "A");
    let state = as_of(
        "2026-03-01",
        &[&sent[..], &[returned, to_customer]].concat(),
    );
    assert_eq!(times(&state, "item.delivered").len(), 1);
    assert!(!state.orders[0].lines[0].kept());
    // A delivery crosses over what was called lost.
    let lost = parcel(TRACK, "lost", "T1", "2026-02-06T09:00", &[], "A");
    let found = parcel(TRACK, "delivered", "T1", "2026-02-20T09:00", &[], "A");
    let state = as_of("2026-03-01", &[&sent[..], &[lost.clone(), found]].concat());
    assert!(!state.orders[0].shipments[0].gone);
    assert!(as_of("2026-03-01", &[&sent[..], &[lost]].concat()).orders[0].shipments[0].gone);
}

#[test]
fn refunds_count_by_line_or_by_sum_and_goodwill_counts_for_nothing() {
    let order = placed(&[camera(), tripod()]);
    let kept = |events: &[Event]| -> Vec<i64> {
        let state = as_of("2026-03-01", events);
        state.orders[0]
            .lines
            .iter()
            .map(|line| line.kept_quantity)
            .collect()
    };
    let goodwill = refund("G", "2026-02-10", 300, &[]);
    assert_eq!(kept(&[order.clone(), goodwill.clone()]), [1, 1]);
    let tripod = refund("T", "2026-02-11", 200, &[("2", 1, "return")]);
    assert_eq!(
        kept(&[order.clone(), goodwill.clone(), tripod.clone()]),
        [1, 0]
    );
    let rest = refund("X", "2026-02-12", 500, &[]);
    let all = [order, goodwill, tripod, rest];
    assert_eq!(kept(&all), [0, 0]);
    let state = as_of("2026-03-01", &all);
    assert_eq!(times(&state, "order.refunded"), ["2026-02-12T00:00:00Z"]);
    assert_eq!(
        facts(&state, "item.refunded"),
        [
            ("2026-02-11T00:00:00Z".into(), Some("2".into())),
            ("2026-02-12T00:00:00Z".into(), Some("1".into())),
        ]
    );
}

#[test]
fn a_return_holds_while_open_stops_when_received_and_releases_after_a_cool_down() {
    let told = |status: &str, time: &str| {
        let kind = if status == "requested" {
            "return.requested"
        } else {
            "return.updated"
        };
        let body = json!({"order_ref": if status == "requested" { json!({"order_id": "1"}) } else { Value::Null },
            "return": {"return_id": "RT", "status": status, "items": [{"line_id": "2", "quantity": 1}]}});
        tell(SHOP, kind, &format!("return/{status}"), time, body)
    };
    let requested = [
        placed(&[camera(), tripod()]),
        told("requested", "2026-02-10"),
    ];
    let open = |now: &str, more: &[Event]| {
        let state = as_of(now, &[&requested[..], more].concat());
        let line = &state.orders[0].lines[1];
        assert!(!state.orders[0].lines[0].return_open);
        (
            line.return_open,
            line.returned,
            line.kept(),
            state.changes_at,
        )
    };
    assert_eq!(open("2026-02-11", &[]), (true, false, true, None));
    assert_eq!(
        open("2026-02-12", &[told("approved", "2026-02-11")]),
        (true, false, true, None)
    );
    assert_eq!(
        open("2026-02-15", &[told("received", "2026-02-14")]),
        (false, true, false, None)
    );
    let declined = [told("declined", "2026-02-14")];
    assert_eq!(
        open("2026-02-15", &declined),
        (true, false, true, Some(at("2026-02-17")))
    );
    assert_eq!(open("2026-02-17", &declined), (false, false, true, None));
    let refunded = [refund("R", "2026-02-14", 100, &[("2", 1, "return")])];
    assert_eq!(open("2026-02-15", &refunded), (false, false, false, None));
    let state = as_of(
        "2026-02-15",
        &[&requested[..], &[told("received", "2026-02-14")]].concat(),
    );
    assert_eq!(
        facts(&state, "item.returned"),
        [("2026-02-14T00:00:00Z".into(), Some("2".into()))]
    );
}

#[test]
fn edits_change_what_is_owed_and_kept_and_are_a_fact_when_something_was_added() {
    let after = [
        camera(),
        line("2", "TRI", 1, 0, "physical"),
        line("3", "PRE", 1, 1, "digital"),
    ];
    let state = as_of(
        "2026-02-10",
        &[
            placed(&[camera(), tripod()]),
            tell(
                SHOP,
                "order.updated",
                "u1",
                "2026-02-02T10:00",
                json!({"order": order_of("1", "2026-02-02T10:00", "paid", &after)}),
            ),
            // A change without a snapshot, newer than any.
            tell(
                SHOP,
                "order.updated",
                "u2",
                "2026-02-02T11:00",
                json!({"order_ref": {"order_id": "1"}, "changes": {"added": [], "removed": [{"line_id": "3", "quantity": 1}]}}),
            ),
        ],
    );
    assert_eq!(times(&state, "order.edited"), ["2026-02-02T10:00:00Z"]);
    let kept: Vec<bool> = state.orders[0].lines.iter().map(Line::kept).collect();
    assert_eq!(kept, [true, false, false]);
    // A line that a snapshot no longer names is gone, but its runs must find it.
    let state = as_of(
        "2026-02-10",
        &[
            placed(&[camera(), tripod()]),
            tell(
                SHOP,
                "order.updated",
                "u1",
                "2026-02-02T10:00",
                json!({"order": order_of("1", "2026-02-02T10:00", "paid", &[camera()])}),
            ),
        ],
    );
    assert!(times(&state, "order.edited").is_empty());
    assert!(!state.line("1", "2").unwrap().kept());
}

#[test]
fn a_cancelled_order_keeps_nothing_unless_it_is_fulfilled_again() {
    let cancelled = tell(
        SHOP,
        "order.cancelled",
        "c",
        "2026-02-02T12:00",
        json!({"order_ref": {"order_id": "1"}, "cancel": {"reason": "customer", "cancelled_at": "2026-02-02T12:00:00Z"}}),
    );
    let state = as_of("2026-02-03", &[placed(&[camera()]), cancelled.clone()]);
    assert!(state.orders[0].cancelled_at.is_some() && !state.orders[0].lines[0].kept());
    assert_eq!(state.orders[0].lines[0].owed_quantity, 0);
    let again = parcel(
        SHOP,
        "dispatched",
        "S1",
        "2026-02-04T09:00",
        &[("1", 1)],
        "A",
    );
    let state = as_of(
        "2026-02-05",
        &[placed(&[camera()]), cancelled.clone(), again],
    );
    assert!(state.orders[0].cancelled_at.is_none() && state.orders[0].lines[0].kept());
    // A cancellation of an order not heard of yet is a tombstone.
    let state = as_of("2026-02-03", &[cancelled]);
    assert!(state.orders.is_empty());
    assert_eq!(state.facts[0].order, None);
}

#[test]
fn replacements_gifts_and_subscriptions_are_told_apart() {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut order = order_of("1", "2026-02-02T09:00", "paid", &[camera()]);
        change(&mut order);
        let body = json!({"order": order, "customer": buyer("ann@example.com")});
        let state = as_of(
            "2026-02-03",
            &[tell(SHOP, "order.placed", "p", "2026-02-02T09:00", body)],
        );
        let order = &state.orders[0];
        (order.replacement, order.gift, order.subscription_sequence)
    };
    assert_eq!(with(&|_| {}), (false, false, None));
    assert_eq!(with(&|o| o["replaces"] = json!("7")), (true, false, None));
    assert_eq!(
        with(&|o| o["tags"] = json!(["Replacement"])),
        (true, false, None)
    );
    assert_eq!(with(&|o| o["total"] = eur(0)), (true, false, None));
    assert_eq!(with(&|o| o["gift"] = json!(true)), (false, true, None));
    assert_eq!(
        with(&|o| o["ship_to"] = json!({"country": "FR"})),
        (false, true, None)
    );
    assert_eq!(
        with(&|o| o["ship_to"] = json!({"name": "Bo Karlsson"})),
        (false, true, None)
    );
    assert_eq!(
        with(&|o| o["ship_to"] = json!({"name": "LEE, Ann M."})),
        (false, false, None)
    );
    assert_eq!(
        with(&|o| o["subscription"] = json!({"id": "s", "sequence": 2})),
        (false, false, Some(2))
    );
}
