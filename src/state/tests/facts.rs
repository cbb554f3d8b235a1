//! The list of facts, and the names.

use super::*;

#[test]
fn reviews_end_what_they_are_about() {
    let review = |product: Option<&str>, order: Option<&str>| {
        let body = json!({"review": {"review_id": "V", "platform": "p", "product_id": product},
            "customer_ref": {"email": "ann@example.com"},
            "order_ref": order.map(|id| json!({"order_id": id}))});
        tell(
            "/reviews",
            "review.received",
            "review/V",
            "2026-02-10",
            body,
        )
    };
    let second = {
        let mut order = order_of("2", "2026-02-08T09:00", "paid", &[camera()]);
        order["placed_at"] = json!("2026-02-08T09:00:00Z");
        let body = json!({"order": order, "customer": buyer("ann@example.com")});
        tell(
            SHOP,
            "order.placed",
            "order/2/placed",
            "2026-02-08T09:00",
            body,
        )
    };
    let base = [
        placed(&[camera(), tripod()]),
        parcel(
            SHOP,
            "delivered",
            "S1",
            "2026-02-05T09:00",
            &[("1", 1), ("2", 1)],
            "A",
        ),
        second,
    ];
    let reviewed = |event: Event| -> Vec<Vec<bool>> {
        let state = as_of("2026-03-01", &[&base[..], &[event]].concat());
        let orders = state.orders.iter();
        orders
            .map(|order| order.lines.iter().map(|line| line.reviewed).collect())
            .collect()
    };
    // By product: the latest delivered order that has it, not the latest placed.
    assert_eq!(
        reviewed(review(Some("P-CAM"), None)),
        [vec![true, false], vec![false]]
    );
    assert_eq!(
        reviewed(review(Some("P-TRI"), Some("1"))),
        [vec![false, true], vec![false]]
    );
    assert_eq!(
        reviewed(review(None, Some("1"))),
        [vec![true, true], vec![false]]
    );
    assert_eq!(
        reviewed(review(Some("P-NONE"), None)),
        [vec![false, false], vec![false]]
    );
}

#[test]
fn families_kits_and_first_times() {
    let kit = line("9", "KIT", 1, 1, "physical");
    let state = as_of(
        "2026-03-01",
        &[
            bought("1", None, "ann@example.com", "2026-02-01"),
            bought("2", None, "ann@example.com", "2026-02-05"),
            {
                let mut order = order_of("3", "2026-02-06", "paid", &[kit]);
                order["placed_at"] = json!("2026-02-06T00:00:00Z");
                let body = json!({"order": order, "customer": buyer("ann@example.com")});
                tell(SHOP, "order.placed", "order/3/placed", "2026-02-06", body)
            },
        ],
    );
    let first: Vec<bool> = state
        .orders
        .iter()
        .map(|o| o.lines[0].first_in_family)
        .collect();
    assert_eq!(first, [true, false, false]);
    assert_eq!(state.orders[2].lines[0].family.as_deref(), Some("dslr"));
    let names = state.names(
        &policy(),
        &products(),
        &history(&[]),
        &Subject::default(),
        at("2026-03-01"),
    );
    for owned in ["dslr", "tripod", "CAM", "TRI", "KIT", "P-CAM", "P-KIT"] {
        assert!(
            names.owned.contains(owned) && names.bought.contains(owned),
            "{owned}"
        );
    }
}

#[test]
fn erased_test_and_early_facts_are_marked() {
    let erased = tell(
        SHOP,
        "privacy.erasure_requested",
        "e",
        "2026-02-10",
        json!({"customer_ref": {"email": "ann@example.com"}, "erasure": {"scope": "customer"}}),
    );
    let state = as_of("2026-03-01", &[placed(&[camera()]), erased]);
    assert!(state.person.erased && !state.person.test);
    let mut test = placed(&[camera()]);
    test.body = Arc::new(Body {
        test: true,
        ..(*test.body).clone()
    });
    let state = as_of("2026-03-01", &[test]);
    assert!(state.person.test && state.orders[0].test && state.facts.iter().all(|fact| fact.test));
    let mut backfill = placed(&[camera()]);
    backfill.mode = IngestMode::Backfill;
    assert!(
        as_of("2026-03-01", &[backfill])
            .facts
            .iter()
            .all(|fact| fact.history_only)
    );
    let early = bought("1", None, "ann@example.com", "2025-12-31");
    assert!(
        as_of("2026-03-01", &[early])
            .facts
            .iter()
            .all(|fact| fact.history_only)
    );
    assert!(
        as_of("2026-03-01", &[placed(&[camera()])])
            .facts
            .iter()
            .all(|fact| !fact.history_only)
    );
}

/// The kinds of the facts that no plan has seen.
fn fresh(events: &[(Event, bool)], considered_at: Option<&str>, now: &str) -> Vec<&'static str> {
    let mut told = history(
        &events
            .iter()
            .map(|(event, _)| event.clone())
            .collect::<Vec<_>>(),
    );
    for (event, (_, considered)) in told.events.iter_mut().zip(events) {
        event.considered = *considered;
    }
    told.considered_at = considered_at.map(at);
    let state = fold(&policy(), &products(), &told, at(now));
    let fresh = state.facts.iter().filter(|fact| fact.fresh);
    fresh.map(|fact| fact.kind.as_str()).collect()
}

#[test]
fn a_fact_is_fresh_until_a_plan_has_seen_it_and_never_again() {
    let order = placed(&[camera()]);
    let sent = parcel(
        SHOP,
        "dispatched",
        "S1",
        "2026-02-05T09:00",
        &[("1", 1)],
        "A",
    );
    let came = parcel(TRACK, "delivered", "T1", "2026-02-09T09:00", &[], "A");
    assert_eq!(
        fresh(&[(order.clone(), false)], None, "2026-02-03"),
        ["order.placed", "order.paid"]
    );
    let seen = [(order.clone(), true), (sent.clone(), true)];
    assert!(fresh(&seen, Some("2026-02-06"), "2026-02-07").is_empty());
    // By itself: the assumption, once.
    let inferred = ["item.delivered", "order.delivered"];
    assert_eq!(fresh(&seen, Some("2026-02-06"), "2026-02-12"), inferred);
    assert!(fresh(&seen, Some("2026-02-12"), "2026-02-13").is_empty());
    // A real delivery: fresh where nothing was assumed, else only the event itself.
    let real = [seen[0].clone(), seen[1].clone(), (came.clone(), false)];
    let concluded = ["shipment.delivered", "item.delivered", "order.delivered"];
    assert_eq!(fresh(&real, Some("2026-02-06"), "2026-02-10"), concluded);
    assert_eq!(
        fresh(&real, Some("2026-02-12"), "2026-02-13"),
        ["shipment.delivered"]
    );
    // A cancellation that came before its order is news when the order comes.
    let cancelled = tell(
        SHOP,
        "order.cancelled",
        "c",
        "2026-02-02T12:00",
        json!({"order_ref": {"order_id": "1"}, "customer": buyer("ann@example.com"),
            "cancel": {"reason": "x", "cancelled_at": "2026-02-02T12:00:00Z"}}),
    );
    let kinds = fresh(
        &[(cancelled, true), (order.clone(), false)],
        Some("2026-02-03"),
        "2026-02-03",
    );
    assert_eq!(kinds, ["order.placed", "order.paid", "order.cancelled"]);
    // A newer telling of a known fact is no news.
    let mut again = order.clone();
    let newer = order_of("1", "2026-02-04T09:00", "paid", &[camera()]);
    again.body = Arc::new(
        serde_json::from_value(json!({"order": newer, "customer": buyer("ann@example.com")}))
            .unwrap(),
    );
    assert!(
        fresh(
            &[(order, true), (again, false)],
            Some("2026-02-03"),
            "2026-02-05"
        )
        .is_empty()
    );
}

#[test]
fn every_name_that_must_be_there_is_there() {
    use crate::model::names::{self, Field, Type};
    fn check(fields: &'static [Field], value: &Value, path: &str) {
        let map = value
            .as_object()
            .unwrap_or_else(|| panic!("{path} is no object"));
        for field in fields {
            let path = format!("{path}.{}", field.name);
            let value = map
                .get(field.name)
                .unwrap_or_else(|| panic!("{path} is missing"));
            if value.is_null() {
                assert!(field.optional, "{path} is null");
                continue;
            }
            let fits = match field.of {
                Type::Text => value.is_string(),
                Type::Int => value.is_i64(),
                Type::Bool => value.is_boolean(),
                Type::Instant => value
                    .as_str()
                    .is_some_and(|text| text.parse::<Timestamp>().is_ok()),
                Type::Money => value["amount"].is_i64() && value["currency"].is_string(),
                Type::List(_) => value.is_array(),
                Type::Object(_) | Type::Any => true,
            };
            assert!(fits, "{path}: {value}");
            match field.of {
                Type::Object(inner) => check(inner, value, &path),
                Type::List(Type::Object(inner)) => {
                    for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                        check(inner, item, &format!("{path}[{place}]"));
                    }
                }
                _ => {}
            }
        }
        assert_eq!(map.len(), fields.len(), "{path} holds nothing unlisted");
    }
    let failed = {
        let mut event = parcel(
            SHOP,
            "delivery_failed",
            "S1",
            "2026-02-04T09:00",
            &[("1", 1)],
            "A",
        );
        let body = Body {
            failure: Some(json!({"attempt": 2, "reason": "absent"})),
            ..(*event.body).clone()
        };
        event.body = Arc::new(body);
        event
    };
    let everything = tell(
        SHOP,
        "refund.issued",
        "all",
        "2026-02-06",
        json!({
        "order_ref": {"order_id": "1"},
        "refund": {"refund_id": "R", "amount": eur(1)},
        "cancel": {"reason": null, "cancelled_at": "2026-02-06T00:00:00Z"},
        "return": {"return_id": "RT", "status": "requested"},
        "dispute": {"dispute_id": "D"}, "review": {"review_id": "V", "platform": "p"},
        "ticket": {"ticket_id": "T", "status": "open"},
        "shipment": {"shipment_id": "S1", "pickup": {"name": "Shop", "until": "2026-02-20"}}}),
    );
    let told = history(&[placed(&[camera(), tripod()]), failed, everything]);
    let (policy, products, now) = (policy(), products(), at("2026-02-07"));
    let state = fold(&policy, &products, &told, now);
    let subject = Subject {
        order: Some("1".into()),
        line: Some("1".into()),
        shipment: Some("S1".into()),
        event: Some(EventSeq(3)),
        family: None,
        variant: None,
        items: vec![("1".into(), "1".into())],
    };
    let names = state.names(&policy, &products, &told, &subject, now);
    for field in names::SHARED {
        let Type::Object(fields) = field.of else {
            continue;
        };
        check(
            fields,
            names.values.get(field.name).unwrap_or(&Value::Null),
            field.name,
        );
    }
    assert_eq!(names.values["item"]["title"], "P-CAM auf Deutsch");
    assert_eq!(names.values["product"]["price"], eur(100));
    assert_eq!(
        names.values["order"]["items_to_come"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(names.values["shipment"]["items"][0]["quantity"], 1);
    assert_eq!(
        names.values["enrolment"]["items"].as_array().unwrap().len(),
        1
    );
    assert_eq!(names.values["pickup"]["name"], "Shop");
    let nobody = state.names(&policy, &products, &told, &Subject::default(), now);
    assert_eq!(
        nobody.values.keys().collect::<Vec<_>>(),
        ["customer", "enrolment"]
    );
    assert_eq!(EventKind::ALL.len(), 27);
}
