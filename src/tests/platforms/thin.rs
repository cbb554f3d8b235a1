//! Thin deliveries of the other platforms become the facts that they stand for.

use super::*;
use serde_json::json;

#[tokio::test]
async fn shipstation_is_looked_at_where_configuration_says() {
    let shop =
        Shop::new("platform = \"shipengine\"\napi_url = \"BASE\"\napi_user = \"key\"\n").await;
    let parcel = |id: u64, voided: bool| {
        json!({
            "shipmentId": id, "orderId": 5, "orderNumber": "1042", "trackingNumber": "1Z999",
            "carrierCode": "ups", "createDate": "2026-03-09T08:00:00.0000000", "voided": voided,
            "voidDate": if voided { json!("2026-03-09T09:00:00.0000000") } else { Value::Null },
            "shipmentItems": [{ "sku": "LMP-1", "quantity": 2 }],
        })
    };
    let answer = json!({ "shipments": [parcel(1, false), parcel(2, true)], "page": 1, "pages": 1 });
    shop.mock.world().things.insert("/shipments".into(), answer);
    shop.deliver("", &fixture("shipengine/ship_notify.json"))
        .await;
    assert_eq!(shop.fetch().await, 1);
    let names = ["shipment/1/dispatched", "shipment/2/cancelled"];
    assert_eq!(shop.facts().await, under("/shipengine/shop", &names));
    let asked = shop.mock.asked();
    assert!(asked[0].contains("batchId=128"), "{asked:?}");
    assert!(asked[0].contains("includeShipmentItems=True"), "{asked:?}");
    let told = shop
        .harness
        .engine
        .store
        .events_after(&TailFilter::default(), 0, 1)
        .await
        .unwrap();
    let event = told[0].1.as_ref().unwrap();
    // Its clocks are in California.
    assert_eq!(event.time.to_string(), "2026-03-09T15:00:00Z");
    // Another host is none of ShipStation's: such a delivery is not even thin.
    let led =
        json!({ "resource_url": "https://evil.example/shipments", "resource_type": "SHIP_NOTIFY" });
    shop.deliver("", &led).await;
    assert_eq!(shop.quarantine().await[0].reason, "wrong_type");
    assert_eq!(shop.fetch().await, 0);
}

#[tokio::test]
async fn commercetools_gives_a_token_and_then_the_order() {
    let lines = "platform = \"commercetools\"\napi_url = \"BASE/shop-at\"\napi_user = \"client\"\n";
    let shop = Shop::new(lines).await;
    let token = json!({ "access_token": "given", "expires_in": 3600, "token_type": "Bearer" });
    shop.mock
        .world()
        .things
        .insert("/oauth/token".into(), token);
    let mut order = fixture("commercetools/order_created.cloudevent.json")["data"]["order"].take();
    order["paymentState"] = "Paid".into();
    order["lastModifiedAt"] = "2026-03-10T08:00:01.000Z".into();
    shop.mock
        .world()
        .things
        .insert("/shop-at/orders/ct-order-1".into(), order);
    let paid = fixture("commercetools/order_payment_state_changed.json");
    for _ in 0..2 {
        shop.deliver("", &paid).await;
        shop.fetch().await;
    }
    let names = ["order/ct-order-1/placed", "order/ct-order-1/paid"];
    assert_eq!(shop.facts().await, under("/commercetools/shop-at", &names));
    let asked = shop.mock.asked();
    assert_eq!(
        asked.iter().filter(|ask| ask.contains("oauth")).count(),
        1,
        "{asked:?}"
    );
    let world = shop.mock.world();
    assert!(world.proofs[0].starts_with("Basic "));
    assert_eq!(world.proofs[1], "Bearer given");
}

#[tokio::test]
async fn medusa_is_asked_for_the_order_by_its_id_or_by_a_parcel() {
    let shop = Shop::new("platform = \"medusa\"\napi_url = \"BASE\"\n").await;
    let order = fixture("medusa/delivery.created.json")["data"].clone();
    let parcel = order["fulfillments"][0]["id"].clone();
    shop.mock.world().things.insert(
        "/admin/orders/order_01JEXAMPLE".into(),
        json!({ "order": order }),
    );
    shop.mock.world().things.insert(
        "/admin/orders".into(),
        json!({ "orders": [{ "id": "x" }, order] }),
    );
    shop.deliver("", &fixture("medusa/order.placed.thin.json"))
        .await;
    shop.fetch().await;
    let told = shop.facts().await;
    assert!(
        told.iter().any(|name| name.ends_with("/placed")),
        "{told:?}"
    );
    assert!(
        told.iter().any(|name| name.ends_with("/delivered")),
        "{told:?}"
    );
    shop.deliver(
        "",
        &json!({ "event": "delivery.created", "data": { "id": parcel } }),
    )
    .await;
    shop.fetch().await;
    assert_eq!(shop.facts().await, told, "known already");
    assert!(shop.quarantine().await.is_empty());
    // One that nobody knows any more says so.
    shop.deliver(
        "",
        &json!({ "event": "delivery.created", "data": { "id": "ful_x" } }),
    )
    .await;
    shop.fetch().await;
    assert_eq!(shop.quarantine().await[0].reason, "not_there");
    let proof = shop.mock.world().proofs[0].clone();
    assert!(proof.starts_with("Basic "), "{proof}");
}
