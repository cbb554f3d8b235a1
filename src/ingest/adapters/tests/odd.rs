//! What no fixture shows: payloads of other versions, odd nulls, numbers as text and text
//! as numbers, things of the wrong type everywhere. What does not matter is tolerated,
//! what matters is said in words, and nothing panics.

use super::super::*;
use super::golden::{Recording, beside, recordings, source, when};
use serde_json::json;

fn take(one: &Recording, body: &[u8]) -> Taken {
    hear(
        &source(one.platform),
        &one.headers,
        body,
        &beside(one.platform),
        when(one),
    )
}

/// A delivery by its platform and name.
fn recorded(platform: Platform, name: &str) -> Recording {
    recordings()
        .into_iter()
        .find(|one| one.platform == platform && one.name == name)
        .unwrap()
}

fn changed(one: &Recording, change: impl FnOnce(&mut Value)) -> Taken {
    let mut body: Value = serde_json::from_slice(&one.body).unwrap();
    change(&mut body);
    take(one, body.to_string().as_bytes())
}

fn kinds(taken: &Taken) -> Vec<&'static str> {
    taken
        .events
        .iter()
        .map(|event| event.kind.as_str())
        .collect()
}

#[test]
fn an_order_of_an_old_version_or_of_the_till_is_still_one() {
    let one = recorded(Platform::Shopify, "orders_fulfilled");
    let taken = changed(&one, |order| {
        let map = order.as_object_mut().unwrap();
        // Before multi-currency there were no sets; the till knows no customer.
        map.retain(|name, _| !name.ends_with("_set") && name != "presentment_currency");
        for name in [
            "customer",
            "shipping_address",
            "billing_address",
            "email",
            "customer_locale",
            "tags",
            "processed_at",
            "order_status_url",
            "buyer_accepts_marketing",
            "shipping_lines",
            "discount_codes",
        ] {
            map.insert(name.to_owned(), Value::Null);
        }
        for line in map["line_items"].as_array_mut().unwrap() {
            let line = line.as_object_mut().unwrap();
            line.retain(|name, _| !name.ends_with("_set") && name != "current_quantity");
            line.insert("product_id".to_owned(), Value::Null);
            line.insert("quantity".to_owned(), "1".into());
        }
    });
    assert!(taken.poison.is_none(), "{:?}", taken.poison);
    assert_eq!(
        kinds(&taken),
        [
            "order.placed",
            "order.paid",
            "shipment.delivered",
            "shipment.dispatched",
            "shipment.delivered",
            "shipment.dispatched",
        ]
    );
    let order = taken.events[0].body.order.as_ref().unwrap();
    assert_eq!(order.total.amount, 116_280);
    assert_eq!(order.line_items[0].quantity, 1);
    let customer = taken.events[0].body.customer.as_ref().unwrap();
    let consent = customer.marketing_consent.as_ref().unwrap();
    assert_eq!(consent.state, crate::model::event::ConsentState::Unknown);
}

#[test]
fn refunds_in_an_order_add_up_and_the_last_one_is_full() {
    let order = recorded(Platform::Shopify, "orders_fulfilled");
    let refund = recorded(Platform::Shopify, "refunds_create");
    let refund: Value = serde_json::from_slice(&refund.body).unwrap();
    let taken = changed(&order, |body| {
        let mut rest = refund.clone();
        rest["id"] = json!(940_044_010_062_u64);
        let back = refund["transactions"][0]["amount"].as_str().unwrap();
        let back: f64 = back.parse().unwrap();
        rest["transactions"][0]["amount"] = json!(format!("{:.2}", 1162.80 - back));
        body["refunds"] = json!([refund, rest]);
    });
    assert!(taken.poison.is_none(), "{:?}", taken.poison);
    let scopes: Vec<_> = taken
        .events
        .iter()
        .filter_map(|event| event.body.refund.as_ref().map(|refund| refund.scope))
        .collect();
    use crate::model::event::RefundScope::{Full, Partial};
    assert_eq!(scopes, [Partial, Full]);
}

#[test]
fn times_without_a_zone_and_amounts_that_are_empty_do_no_harm() {
    let one = recorded(Platform::Shopify, "orders_create");
    let taken = changed(&one, |order| {
        order["updated_at"] = json!("2026-03-02T15:14:08");
        order["processed_at"] = json!("2026-03-02 15:14:05 UTC");
        order["created_at"] = json!(1_772_464_447);
    });
    assert!(taken.poison.is_none(), "{:?}", taken.poison);
    let order = taken.events[0].body.order.as_ref().unwrap();
    assert_eq!(order.version.to_string(), "2026-03-02T15:14:08Z");
    assert_eq!(taken.events[0].time.to_string(), "2026-03-02T15:14:05Z");
    let one = recorded(Platform::WooCommerce, "order_created");
    let taken = changed(&one, |order| {
        order["line_items"][0]["total"] = json!("");
        order["line_items"][1]["quantity"] = json!("0.5");
        order["billing"]["email"] = json!("not an address");
        order["shipping"]["country"] = json!("Germany");
        order["number"] = json!(5021);
    });
    assert!(taken.poison.is_none(), "{:?}", taken.poison);
    let order = taken.events[0].body.order.as_ref().unwrap();
    assert_eq!(order.line_items[0].total.amount, 4980);
    assert_eq!(order.line_items[1].quantity, 1);
    assert_eq!(order.order_number.as_deref(), Some("#5021"));
}

#[test]
fn what_matters_is_asked_for_in_words() {
    use Platform::*;
    let cases: &[(Platform, &str, &str, &str)] = &[
        (Shopify, "orders_create", "/id", "the order's id"),
        (
            Shopify,
            "orders_create",
            "/line_items/0/id",
            "the id of a line",
        ),
        (
            Shopify,
            "refunds_create",
            "/order_id",
            "the refund's order_id",
        ),
        (Shopify, "customers_redact", "/customer", "nobody is named"),
        (WooCommerce, "order_created", "/id", "the order's id"),
        (
            WooCommerce,
            "order_created",
            "/currency",
            "the order's currency",
        ),
        (
            Stripe,
            "checkout.session.completed",
            "/data/object",
            "the session's id",
        ),
        (
            AfterShip,
            "tracking_update.delivered",
            "/msg/tracking_number",
            "msg.tracking_number",
        ),
        (
            EasyPost,
            "tracker.updated.delivered",
            "/result/tracking_code",
            "result.tracking_code",
        ),
        (Gorgias, "ticket-created", "/ticket/id", "ticket.id"),
        (JudgeMe, "review_created", "/review/id", "review.id"),
    ];
    for (platform, name, path, words) in cases {
        let one = recorded(*platform, name);
        let taken = changed(&one, |body| {
            *body.pointer_mut(path).unwrap() = Value::Null;
        });
        assert_eq!(taken.outcome, Outcome::Poison, "{name} {path}");
        let poison = taken.poison.unwrap();
        assert!(poison.because.contains(words), "{name}: {}", poison.because);
        assert!(poison.kind.is_some_and(|kind| !kind.is_empty()), "{name}");
        // It can be replayed: the body is there, byte for byte.
        let kept = Recorded::read(&poison.body).unwrap();
        assert_eq!(kept.source, "main");
        assert!(serde_json::from_str::<Value>(&kept.body).is_ok());
    }
}

#[test]
fn what_is_no_json_is_kept_with_its_topic() {
    let one = recorded(Platform::Shopify, "orders_create");
    let deep = [b"[".repeat(100), b"]".repeat(100)].concat();
    for body in [
        &b""[..],
        b"{",
        b"\xff\xfe\x00",
        b"{\"id\":1,\"id\":2}",
        b"nonsense",
        &deep,
    ] {
        let taken = take(&one, body);
        let poison = taken.poison.unwrap();
        assert_eq!(poison.reason, "not_json", "{body:?}");
        assert_eq!(poison.kind.as_deref(), Some("orders/create"));
    }
    for body in [&b"null"[..], b"[]", b"7", b"\"text\"", b"{}"] {
        assert_eq!(take(&one, body).poison.unwrap().reason, "missing");
    }
}

#[test]
fn topics_that_we_have_no_use_for_are_no_mistake() {
    for (platform, headers, body) in [
        (Platform::Shopify, "X-Shopify-Topic: carts/update", "{}"),
        (
            Platform::WooCommerce,
            "X-WC-Webhook-Topic: coupon.created",
            "{}",
        ),
        (
            Platform::Stripe,
            "",
            r#"{"type": "invoice.paid", "created": 1772712000}"#,
        ),
        (Platform::AfterShip, "", r#"{"event": "label_created"}"#),
        (
            Platform::EasyPost,
            "",
            r#"{"description": "batch.created"}"#,
        ),
        (
            Platform::Zendesk,
            "",
            r#"{"type": "zen:event-type:user.created"}"#,
        ),
        (Platform::Gorgias, "", r#"{"event": "customer-created"}"#),
        (Platform::JudgeMe, "", r#"{"key": "product/updated"}"#),
    ] {
        let taken = hear(
            &Source::new("main", platform),
            &Headers::read(headers),
            body.as_bytes(),
            &Beside::default(),
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(taken.outcome, Outcome::Unused, "{platform}");
        assert!(taken.events.is_empty() && taken.poison.is_none());
    }
}

#[test]
fn an_erasure_by_address_alone_names_nobody_in_the_clear() {
    let one = recorded(Platform::Shopify, "customers_redact");
    let taken = changed(&one, |body| {
        body["customer"] = json!({"id": null, "email": "amelia.hart@example.com"});
    });
    let event = &taken.events[0];
    assert!(!event.id.contains("amelia") && !event.subject.contains("amelia"));
    let named = event.body.customer_ref.as_ref().unwrap();
    assert_eq!(named.email.as_deref(), Some("amelia.hart@example.com"));
}

#[test]
fn statuses_of_a_shop_mean_what_its_configuration_says() {
    let one = recorded(Platform::WooCommerce, "order_created");
    let mut source = source(Platform::WooCommerce);
    source.notes.dispatched = vec!["completed".to_owned()];
    source.notes.delivered = vec!["delivered".to_owned()];
    let kinds_of = |status: &str| {
        let mut body: Value = serde_json::from_slice(&one.body).unwrap();
        body["status"] = json!(status);
        let body = body.to_string();
        let taken = hear(
            &source,
            &one.headers,
            body.as_bytes(),
            &Beside::default(),
            when(&one),
        );
        assert!(taken.poison.is_none(), "{:?}", taken.poison);
        kinds(&taken)
    };
    let both = ["order.placed", "order.paid"];
    assert_eq!(kinds_of("processing"), both);
    assert_eq!(kinds_of("partially-shipped"), both);
    assert_eq!(
        kinds_of("completed"),
        [&both[..], &["shipment.dispatched"]].concat()
    );
    assert_eq!(
        kinds_of("wc-delivered"),
        [&both[..], &["shipment.dispatched", "shipment.delivered"]].concat()
    );
    assert_eq!(kinds_of("checkout-draft"), [""; 0]);
    assert_eq!(
        kinds_of("trash"),
        [&both[..], &["order.cancelled"]].concat()
    );
}
