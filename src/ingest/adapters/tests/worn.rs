//! Deliveries as they are in the wild: of other versions of an interface, with parts that
//! are broken, with lists that are none. One part must not lose the whole, and what can be
//! understood is.

use super::super::*;
use super::golden::{Recording, beside, recordings, source, when};
use crate::model::event::{ConsentState, EventKind};
use serde_json::json;

fn recorded(platform: Platform, name: &str) -> Recording {
    recordings()
        .into_iter()
        .find(|one| one.platform == platform && one.name == name)
        .unwrap()
}

fn take(one: &Recording, body: &[u8]) -> Taken {
    hear(
        &source(one.platform),
        &one.headers,
        body,
        &beside(one.platform),
        when(one),
    )
}

fn changed(one: &Recording, change: impl FnOnce(&mut Value)) -> Taken {
    let mut body: Value = serde_json::from_slice(&one.body).unwrap();
    change(&mut body);
    take(one, body.to_string().as_bytes())
}

/// The first line of the order that a changed delivery tells first, as it is told.
fn first_line(one: &Recording, change: impl FnOnce(&mut Value)) -> Value {
    let mut body: Value = serde_json::from_slice(&one.body).unwrap();
    change(&mut body);
    let said = canonical(
        &source(one.platform),
        &one.headers,
        body.to_string().as_bytes(),
        &beside(one.platform),
        when(one),
    );
    let Ok(Said::Facts(facts)) = said else {
        panic!("{said:?}");
    };
    facts[0]["data"]["order"]["line_items"][0].clone()
}

/// A body of our own, to a source about which nothing is known.
fn told(platform: Platform, headers: &str, body: &Value) -> Taken {
    hear(
        &Source::new("main", platform),
        &Headers::read(headers),
        body.to_string().as_bytes(),
        &Beside::default(),
        "2026-03-02T15:14:08Z".parse().unwrap(),
    )
}

fn understood(taken: &Taken) -> Vec<&'static str> {
    assert!(taken.poison.is_none(), "{:?}", taken.poison);
    kinds(taken)
}

fn kinds(taken: &Taken) -> Vec<&'static str> {
    taken
        .events
        .iter()
        .map(|event| event.kind.as_str())
        .collect()
}

#[test]
fn a_broken_part_does_not_lose_the_order_and_is_not_passed_over() {
    use Platform::*;
    for (platform, name, part, words) in [
        (
            Shopify,
            "orders_create",
            "/line_items/0/id",
            "the id of a line",
        ),
        (
            Shopify,
            "orders_create",
            "/line_items/0/quantity",
            "the quantity of a line",
        ),
        (
            Shopify,
            "orders_fulfilled",
            "/fulfillments/0/id",
            "a fulfilment's id",
        ),
        (
            WooCommerce,
            "order_created",
            "/line_items/0/quantity",
            "the quantity of a line",
        ),
        (
            WooCommerce,
            "order_updated.partially_refunded",
            "/refunds/0/id",
            "the id of a refund",
        ),
        (
            BigCommerce,
            "order_updated.whole",
            "/data/order/products/0/id",
            "the id of a line",
        ),
        (
            BigCommerce,
            "order_updated.whole",
            "/data/order/shipments/0/id",
            "the id of a shipment",
        ),
        (
            Saleor,
            "order_fulfilled",
            "/event/order/lines/0/id",
            "the id of a line",
        ),
        (
            Saleor,
            "order_fulfilled",
            "/event/order/fulfillments/0/id",
            "the id of a fulfilment",
        ),
        (
            Spree,
            "order.shipped",
            "/data/items/0/id",
            "the id of a line",
        ),
        (
            Spree,
            "order.shipped",
            "/data/fulfillments/0/id",
            "the id of a fulfilment",
        ),
        (
            Medusa,
            "order.placed",
            "/data/items/0/id",
            "the id of a line",
        ),
        (
            Commercetools,
            "order_created.cloudevent",
            "/data/order/lineItems/0/id",
            "the id of a line",
        ),
        (
            AdobeCommerce,
            "sales_order_save_commit_after",
            "/data/value/items/0/qty_ordered",
            "the qty_ordered of a line",
        ),
    ] {
        let one = recorded(platform, name);
        let whole = take(&one, &one.body);
        let taken = changed(&one, |body| {
            *body.pointer_mut(part).unwrap() = Value::Null;
        });
        assert_eq!(taken.outcome, Outcome::Poison, "{platform} {part}");
        let because = &taken.poison.as_ref().unwrap().because;
        assert!(because.contains(words), "{platform} {part}: {because}");
        // Everything else is told, and the key still keeps a repetition out.
        let lost = whole.events.len() - taken.events.len();
        assert!(lost <= 2, "{platform} {part}: lost {lost}");
        assert!(!taken.events.is_empty(), "{platform} {part}");
        assert_eq!(
            taken.events[0].kind, whole.events[0].kind,
            "{platform} {part}"
        );
        assert_eq!(taken.key.is_some(), whole.key.is_some());
    }
}

#[test]
fn nulls_in_lists_say_nothing() {
    use Platform::*;
    for (platform, name, list) in [
        (Shopify, "orders_fulfilled", "/line_items"),
        (Shopify, "orders_fulfilled", "/fulfillments"),
        (Shopify, "orders_create", "/refunds"),
        (WooCommerce, "order_updated.partially_refunded", "/refunds"),
        (WooCommerce, "order_created", "/line_items"),
        (BigCommerce, "order_updated.whole", "/data/order/products"),
        (Saleor, "order_fulfilled", "/event/order/lines"),
        (Spree, "order.shipped", "/data/fulfillments"),
        (Medusa, "order.placed", "/data/items"),
        (Commercetools, "return_info_added", "/returnInfo/items"),
        (
            AdobeCommerce,
            "sales_order_save_commit_after",
            "/data/value/items",
        ),
    ] {
        let one = recorded(platform, name);
        let whole = kinds(&take(&one, &one.body));
        let taken = changed(&one, |body| {
            let list = body.pointer_mut(list).unwrap().as_array_mut().unwrap();
            list.insert(0, Value::Null);
        });
        assert_eq!(understood(&taken), whole, "{platform} {list}");
    }
}

#[test]
fn a_text_cut_within_a_character_does_not_lose_the_order() {
    let one = recorded(Platform::Medusa, "order.placed");
    let text = String::from_utf8(one.body.clone()).unwrap();
    let cut = text.replacen("\"title\":\"", "\"title\":\"\\ud83d", 1);
    let cut = if cut == text {
        text.replacen("\"title\": \"", "\"title\": \"\\ud83d", 1)
    } else {
        cut
    };
    assert_ne!(cut, text);
    let whole = kinds(&take(&one, &one.body));
    assert_eq!(understood(&take(&one, cut.as_bytes())), whole);
    let marked = [b"\xEF\xBB\xBF", one.body.as_slice()].concat();
    assert_eq!(understood(&take(&one, &marked)), whole);
}

#[test]
fn lists_that_php_writes_as_objects_are_lists() {
    let one = recorded(Platform::WooCommerce, "order_created");
    let whole = take(&one, &one.body);
    let taken = changed(&one, |order| {
        for name in ["line_items", "meta_data"] {
            let list = order[name].as_array().unwrap().clone();
            order[name] = list
                .into_iter()
                .enumerate()
                .map(|(place, member)| ((place * 2 + 1).to_string(), member))
                .collect::<serde_json::Map<_, _>>()
                .into();
        }
    });
    understood(&taken);
    let lines = |taken: &Taken| {
        taken.events[0]
            .body
            .order
            .as_ref()
            .unwrap()
            .line_items
            .len()
    };
    assert_eq!(lines(&taken), lines(&whole));
}

#[test]
fn woocommerce_writes_for_its_pages_and_we_for_mails() {
    let one = recorded(Platform::WooCommerce, "order_created");
    let taken = changed(&one, |order| {
        order["line_items"][0]["name"] = json!("Mug &ndash; Blue &amp; White");
        // Nothing is shipped to another address: the form is left empty.
        order["shipping"] =
            json!({"first_name": "", "country": "", "state": "", "postcode": "", "city": ""});
        order["billing"]["country"] = json!("US");
        order["billing"]["state"] = json!("OR");
        order["billing"]["city"] = json!("Portland");
    });
    understood(&taken);
    let body = &taken.events[0].body;
    let order = body.order.as_ref().unwrap();
    assert_eq!(order.line_items[0].title, "Mug – Blue & White");
    let to = order.ship_to.as_ref().unwrap();
    let place = (
        to.country.as_deref(),
        to.region.as_deref(),
        to.city.as_deref(),
    );
    assert_eq!(place, (Some("US"), Some("OR"), Some("Portland")));
    let line = first_line(&one, |order| {
        order["line_items"][0]["meta_data"] = json!([
            {"id": 1, "key": "pa_size", "value": "l", "display_key": "Size", "display_value": "<p>L &#36;2</p>"},
            {"id": 2, "key": "_hidden", "value": "x"},
            {"id": 3, "key": "nested", "value": {"a": 1}},
        ]);
    });
    assert_eq!(line["properties"], json!({"Size": "L $2"}));
}

#[test]
fn woocommerce_of_before_the_interface_of_wordpress_is_understood() {
    let order = json!({"order": {
        "id": 645, "order_number": "645", "created_at": "2026-01-26T20:00:21Z",
        "updated_at": "2026-01-27T20:00:21Z", "completed_at": "2026-01-27T20:00:21Z",
        "status": "completed", "currency": "USD", "total": "79.87", "total_tax": "5.90",
        "total_shipping": "10.00", "total_discount": "0.00",
        "payment_details": {"method_id": "bacs", "method_title": "Bank", "paid": true},
        "billing_address": {"first_name": "Ada", "last_name": "Doe", "country": "US",
            "state": "CA", "email": "ada@example.com"},
        "shipping_address": {"first_name": "Ada", "country": "US", "state": "CA", "postcode": "94103"},
        "customer_id": 2,
        "line_items": [{"id": 504, "subtotal": "43.98", "total": "43.98", "price": "21.99",
            "quantity": 2, "name": "Quality", "product_id": 546, "sku": "",
            "meta": [{"key": "pa_color", "label": "Color", "value": "Black"}]}],
        "shipping_lines": [{"id": 506, "method_title": "Flat Rate"}],
        "coupon_lines": [{"code": "ten"}],
    }});
    let taken = told(
        Platform::WooCommerce,
        "X-WC-Webhook-Topic: order.updated",
        &order,
    );
    assert_eq!(understood(&taken), ["order.placed", "order.paid"]);
    let order = taken.events[0].body.order.as_ref().unwrap();
    assert_eq!((order.order_id.as_str(), order.total.amount), ("645", 7987));
    assert_eq!(order.version.to_string(), "2026-01-27T20:00:21Z");
    assert_eq!(order.line_items[0].quantity, 2);
    let who = taken.events[0].body.customer.as_ref().unwrap();
    assert_eq!(who.email.as_deref(), Some("ada@example.com"));
    let customer = json!({"customer": {"id": 3, "created_at": "2026-01-01T00:00:00Z",
        "email": "bo@example.com", "first_name": "Bo", "billing_address": {"country": "SE"}}});
    let taken = told(
        Platform::WooCommerce,
        "X-WC-Webhook-Topic: customer.updated",
        &customer,
    );
    assert_eq!(understood(&taken), ["customer.updated"]);
    let product = json!({"product": {"id": 7, "title": "Mug &amp; Lid", "updated_at": "2026-01-01T00:00:00Z",
        "permalink": "https://shop.example.com/mug", "categories": ["Cups &amp; Mugs"], "tags": ["new"],
        "images": [{"src": "https://shop.example.com/mug.jpg"}]}});
    let taken = told(
        Platform::WooCommerce,
        "X-WC-Webhook-Topic: product.updated",
        &product,
    );
    assert_eq!(understood(&taken), ["product.updated"]);
    let product = taken.events[0].body.product.as_ref().unwrap();
    assert_eq!(product.title.as_deref(), Some("Mug & Lid"));
    assert_eq!(product.categories, Some(vec!["Cups & Mugs".to_owned()]));
}

#[test]
fn woocommerce_parcels_are_found_wherever_a_plugin_keeps_them() {
    let one = recorded(Platform::WooCommerce, "order_created");
    let numbers = |meta: Value| {
        let taken = changed(&one, |order| order["meta_data"] = meta);
        understood(&taken);
        let numbers: Vec<String> = taken
            .events
            .iter()
            .filter(|event| event.kind == EventKind::ShipmentDispatched)
            .map(|event| {
                let tracking = &event.body.shipment.as_ref().unwrap().tracking[0];
                let carrier = tracking.carrier.clone().unwrap_or_default();
                format!("{carrier}/{}", tracking.number)
            })
            .collect();
        numbers.join(" ")
    };
    for (meta, expected) in [
        (
            json!([{"key": "_wc_shipment_tracking_items", "value": [
            {"tracking_provider": "", "custom_tracking_provider": "DHL Paket", "tracking_number": "1", "tracking_id": "a", "date_shipped": "1772409600"},
            {"tracking_provider": "ups", "tracking_number": 22, "tracking_id": "b", "date_shipped": ""},
            {"tracking_provider": "ups", "tracking_number": ""}, null, "x"]}]),
            "dhl-paket/1 ups/22",
        ),
        (
            json!([{"key": "_wc_shipment_tracking_items", "value": {"1": {"tracking_number": "1"}}}]),
            "/1",
        ),
        (
            json!([{"key": "_wc_shipment_tracking_items", "value": "[{\"tracking_number\":\"1\"}]"}]),
            "/1",
        ),
        (
            json!([{"key": "_wc_shipment_tracking_items", "value": "a:1:{broken"}]),
            "",
        ),
        (
            json!([{"key": "_aftership_tracking_items", "value": [
            {"tracking_id": "c", "slug": "fedex", "tracking_number": "3", "metrics": {"created_at": "2026-03-01T10:00:00Z"}}]}]),
            "fedex/3",
        ),
        (
            json!([{"key": "_tracking_number", "value": "4"}, {"key": "_tracking_provider", "value": "royal-mail"},
            {"key": "_date_shipped", "value": "1772409600"}]),
            "royal-mail/4",
        ),
        (
            json!([{"key": "ywot_tracking_code", "value": "5"}, {"key": "ywot_carrier_name", "value": "GLS"}]),
            "gls/5",
        ),
        (
            json!([{"key": "_tracking_number", "value": ""}, null, {"key": null, "value": "7"}]),
            "",
        ),
        (json!({}), ""),
        (json!(null), ""),
    ] {
        let shown = meta.to_string();
        assert_eq!(numbers(meta), expected, "{shown}");
    }
}

#[test]
fn shopify_of_other_years_is_understood() {
    // Labels for the way back, as they are since 2024.
    let label = json!({"id": 9, "return": {"id": 1}, "shipping_deliverable": {
        "tracking": {"carrier_name": "USPS", "tracking_number": "123345345", "tracking_url": null},
        "label": {"public_file_url": null}}});
    let taken = told(
        Platform::Shopify,
        "X-Shopify-Topic: reverse_deliveries/attach_deliverable",
        &label,
    );
    assert_eq!(understood(&taken), ["shipment.dispatched"]);
    let shipment = taken.events[0].body.shipment.as_ref().unwrap();
    assert_eq!(shipment.tracking[0].number, "123345345");
    // Consent before 2022.
    for (accepts, state) in [
        (json!(true), ConsentState::Subscribed),
        (json!(false), ConsentState::NotSubscribed),
        (json!(null), ConsentState::Unknown),
    ] {
        let customer = json!({"id": 7, "email": "ada@example.com", "updated_at": "2021-03-01T10:00:00-05:00",
            "accepts_marketing": accepts, "accepts_marketing_updated_at": "2021-02-01T10:00:00-05:00",
            "marketing_opt_in_level": null, "tags": "a, b"});
        let taken = told(
            Platform::Shopify,
            "X-Shopify-Topic: customers/update",
            &customer,
        );
        understood(&taken);
        let who = taken.events[0].body.customer.as_ref().unwrap();
        assert_eq!(who.marketing_consent.as_ref().unwrap().state, state);
    }
    let one = recorded(Platform::Shopify, "orders_create");
    let taken = changed(&one, |order| {
        // The buyer's amount is not there; the shop's is.
        order["currency"] = json!("EUR");
        order["presentment_currency"] = json!("JPY");
        order["total_price"] = json!("12.50");
        order["total_price_set"] = json!({
            "shop_money": {"amount": "12.50", "currency_code": "EUR"},
            "presentment_money": {"amount": null, "currency_code": "JPY"},
        });
    });
    understood(&taken);
    let order = taken.events[0].body.order.as_ref().unwrap();
    assert_eq!(
        (order.total.amount, order.total.currency.as_str()),
        (1250, "EUR")
    );
    let line = first_line(&one, |order| {
        // Apps write properties as an object.
        order["line_items"][0]["properties"] = json!({"Engraving": "Ada", "n": 7, "none": null});
    });
    assert_eq!(line["properties"], json!({"Engraving": "Ada", "n": "7"}));
    // A yen has no hundredth, a Kuwaiti dinar has a thousandth.
    for (code, told, amount) in [("JPY", "4200.00", 4200), ("KWD", "1.250", 1250)] {
        let taken = changed(&one, |order| {
            order["presentment_currency"] = json!(code);
            order["total_price_set"]["presentment_money"] =
                json!({"amount": told, "currency_code": code});
        });
        understood(&taken);
        let order = taken.events[0].body.order.as_ref().unwrap();
        assert_eq!(
            (order.total.amount, order.total.currency.as_str()),
            (amount, code)
        );
    }
}

#[test]
fn stripe_of_other_years_is_understood() {
    let session = json!({"id": "evt_1", "object": "event", "type": "checkout.session.completed",
        "api_version": "2019-05-16", "created": 1_772_464_448, "livemode": true,
        "data": {"object": {"id": "cs_1", "object": "checkout.session", "mode": "payment",
            "client_reference_id": null, "customer": "cus_1", "customer_email": "ada@example.com",
            "payment_intent": "pi_1", "display_items": [
                {"amount": 1500, "currency": "usd", "quantity": 2, "type": "custom", "custom": {"name": "Mug"}},
                {"amount": 250, "currency": "usd", "quantity": 1, "type": "custom", "custom": {"name": "Lid"}}]}}});
    let taken = told(Platform::Stripe, "", &session);
    assert_eq!(understood(&taken), ["order.placed", "order.paid"]);
    let order = taken.events[0].body.order.as_ref().unwrap();
    assert_eq!(
        (order.total.amount, order.total.currency.as_str()),
        (3250, "USD")
    );
    // Without its own time it is told when it came; unused topics ask for nothing.
    let mut undated = session.clone();
    undated["created"] = Value::Null;
    let taken = told(Platform::Stripe, "", &undated);
    assert_eq!(understood(&taken), ["order.placed", "order.paid"]);
    let new = json!({"id": "evt_2", "object": "v2.core.event", "type": "v1.billing.meter.no_meter_found",
        "created": "2026-01-01T00:00:00.000Z"});
    assert_eq!(told(Platform::Stripe, "", &new).outcome, Outcome::Unused);
    let charge = json!({"id": "evt_3", "type": "charge.refunded", "created": 1_772_464_448,
        "data": {"object": {"id": "ch_1", "object": "charge", "currency": "usd", "amount": 1000,
            "amount_refunded": 0, "refunded": false}}});
    assert_eq!(understood(&told(Platform::Stripe, "", &charge)), [""; 0]);
}

#[test]
fn what_is_too_large_for_a_broker_is_fetched() {
    let message = json!({"notificationType": "Message", "projectKey": "p", "id": "m-1",
        "sequenceNumber": 1, "resource": {"typeId": "order", "id": "o-1"}, "type": "OrderCreated",
        "payloadNotIncluded": {"reason": "Payload too large", "payloadType": "Order"}});
    let taken = told(Platform::Commercetools, "", &message);
    assert_eq!(taken.outcome, Outcome::ToFetch);
    assert!(taken.poison.unwrap().because.contains("/orders/o-1"));
    let thin = json!({"scope": "store/customer/created", "store_id": "1",
        "data": {"type": "customer", "id": 32}, "producer": "stores/abc"});
    let taken = told(Platform::BigCommerce, "", &thin);
    assert_eq!(taken.outcome, Outcome::ToFetch);
    assert!(
        taken
            .poison
            .unwrap()
            .because
            .ends_with("/v3/customers?id:in=32")
    );
}

#[test]
fn tickets_that_are_gone_hold_nothing_back() {
    let event = |verb: &str, status: &str| {
        json!({"account_id": 1, "type": format!("zen:event-type:ticket.{verb}"), "id": "e-1",
            "time": "2026-03-02T15:14:08Z", "zendesk_event_version": "2022-06-20", "event": {},
            "subject": "zen:ticket:17", "detail": {"id": "17", "status": status, "tags": null,
                "requester_id": "4", "subject": null, "via": null, "updated_at": "2026-03-02T15:14:08Z"}})
    };
    for (verb, status, expected) in [
        ("created", "NEW", "ticket.opened"),
        ("status_changed", "SOLVED", "ticket.closed"),
        ("soft_deleted", "OPEN", "ticket.closed"),
        ("permanently_deleted", "OPEN", "ticket.closed"),
        ("merged", "OPEN", "ticket.closed"),
        ("marked_as_spam", "OPEN", "ticket.closed"),
        ("undeleted", "OPEN", "ticket.opened"),
    ] {
        let taken = told(Platform::Zendesk, "", &event(verb, status));
        assert_eq!(understood(&taken), [expected], "{verb}");
    }
    let unused = told(Platform::Zendesk, "", &event("priority_changed", "OPEN"));
    assert_eq!(unused.outcome, Outcome::Unused);
    let bare =
        json!({"ticket": {"id": 5, "status": "closed", "customer": {"email": "a@example.com"}}});
    assert_eq!(
        understood(&told(Platform::Gorgias, "", &bare)),
        ["ticket.closed"]
    );
}

#[test]
fn carriers_of_other_years_are_understood() {
    let track = |e: i64| {
        json!({"event": "TRACKING_UPDATED", "sign": "x", "data": {"number": "RR123456789CN", "tag": "1042",
            "track": {"e": e, "w1": 3011, "z0": {"a": "2026-03-01 10:00", "c": "", "z": "Delivered"}}}})
    };
    for (code, expected) in [
        (0, vec![]),
        (10, vec!["shipment.in_transit"]),
        (30, vec!["shipment.available_for_pickup"]),
        (35, vec!["shipment.delivery_failed"]),
        (40, vec!["shipment.delivered"]),
        (50, vec![]),
    ] {
        let taken = told(Platform::SeventeenTrack, "", &track(code));
        assert_eq!(understood(&taken), expected, "{code}");
    }
    // A number that was only just registered.
    let fresh = json!({"event": "track_updated", "test": false, "data": {"carrier": "usps",
        "tracking_number": "1", "tracking_status": null, "tracking_history": []}});
    assert_eq!(understood(&told(Platform::Shippo, "", &fresh)), [""; 0]);
    let scan = json!({"resource_type": "API_TRACK",
        "resource_url": "https://api.shipengine.com/v1/tracking?carrier_code=usps&tracking_number=94",
        "data": {"tracking_number": "94", "status_code": "DE", "events": null}});
    let taken = told(Platform::ShipEngine, "", &scan);
    assert_eq!(understood(&taken), ["shipment.delivered"]);
    let shipment = taken.events[0].body.shipment.as_ref().unwrap();
    assert_eq!(shipment.shipment_id, "tracking:usps:94");
    let one = recorded(Platform::AfterShip, "tracking_update.in_transit");
    let taken = changed(&one, |body| {
        body["msg"]["expected_delivery"] = json!("2026-03-05T12:11:11+01:00");
        body["msg"]["latest_estimated_delivery"] = Value::Null;
        body["msg"]["courier_estimated_delivery_date"] = Value::Null;
    });
    understood(&taken);
    let shipment = serde_json::to_value(taken.events[0].body.shipment.as_ref().unwrap()).unwrap();
    assert_eq!(
        shipment["estimated_delivery"],
        json!({"date": "2026-03-05"})
    );
}

#[test]
fn saleor_without_a_query_is_understood() {
    let order = json!([{"type": "Order", "id": "T3JkZXI6MTc=", "number": 17, "token": "t",
        "created": "2026-03-01T10:00:00.123Z", "status": "fulfilled", "user_email": "ada@example.com",
        "language_code": "de", "total_gross_amount": "24.90", "shipping_price_gross_amount": "4.90",
        "channel": {"type": "Channel", "id": "Q2g6MQ==", "slug": "web", "currency_code": "EUR"},
        "shipping_address": {"type": "Address", "first_name": "Ada", "last_name": "Doe", "country": "DE", "city": "Berlin", "postal_code": "10115"},
        "billing_address": null,
        "payments": [{"charge_status": "fully-charged"}],
        "fulfillments": [{"type": "Fulfillment", "id": "RnVsOjE=", "status": "fulfilled", "tracking_number": "Z1", "created": "2026-03-02T10:00:00Z"}],
        "lines": [{"type": "OrderLine", "id": "T3JkZXJMaW5lOjE=", "product_name": "Mug", "variant_name": "Blue",
            "product_sku": "M-1", "quantity": 2, "currency": "EUR", "unit_price_gross_amount": "10.00",
            "total_price_gross_amount": "20.00", "product_variant_id": "UHJvZHVjdFZhcmlhbnQ6OQ=="}],
        "meta": {"version": "3.1"}}]);
    let taken = told(Platform::Saleor, "Saleor-Event: order_fulfilled", &order);
    assert_eq!(
        understood(&taken),
        ["order.placed", "order.paid", "shipment.dispatched"]
    );
    let body = &taken.events[0].body;
    let order = body.order.as_ref().unwrap();
    assert_eq!((order.order_id.as_str(), order.total.amount), ("17", 2490));
    assert_eq!(order.line_items[0].total.amount, 2000);
    let who = body.customer.as_ref().unwrap();
    assert_eq!(
        (who.locale.as_deref(), who.country.as_deref()),
        (Some("de"), Some("DE"))
    );
}

#[test]
fn a_review_may_be_the_delivery_itself() {
    let review = json!({"id": 5, "rating": 4, "product_external_id": 9, "created_at": "2026-03-01T10:00:00+00:00",
        "reviewer": {"id": 1, "external_id": null, "email": "ada@example.com"}});
    let taken = told(Platform::JudgeMe, "", &review);
    assert_eq!(understood(&taken), ["review.received"]);
}

#[test]
fn what_a_stranger_calls_himself_is_no_name_of_a_source() {
    let one = recorded(Platform::JudgeMe, "review_created");
    let taken = changed(&one, |body| body["shop_domain"] = json!("a\u{1}b"));
    understood(&taken);
    assert_eq!(taken.events[0].source, "/judgeme/main");
}
