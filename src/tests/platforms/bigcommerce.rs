//! BigCommerce: thin deliveries, and a list of what changed that is as thin.

use super::mock::Fault;
use super::*;
use serde_json::json;

const BIG: &str = "platform = \"bigcommerce\"\napi_url = \"BASE/stores/ex4mpl3\"\n";
const SOURCE: &str = "/bigcommerce/ex4mpl3";

/// Has the platform hold the order of the fixture, in its parts.
fn hold(shop: &Shop) {
    let mut order = fixture("bigcommerce/order_updated.whole.json")["data"]["order"].take();
    let mut world = shop.mock.world();
    for (part, name) in [
        ("products", "products"),
        ("shippingaddresses", "shipping_addresses"),
        ("shipments", "shipments"),
    ] {
        let found = order.as_object_mut().unwrap().remove(name).unwrap();
        let path = format!("/stores/ex4mpl3/v2/orders/2250/{part}");
        world.things.insert(path, found);
    }
    world.orders = vec![order.clone()];
    world
        .things
        .insert("/stores/ex4mpl3/v2/orders/2250".into(), order);
}

fn all() -> Vec<String> {
    under(
        SOURCE,
        &[
            "order/2250/placed",
            "order/2250/paid",
            "shipment/31/dispatched",
        ],
    )
}

#[tokio::test]
async fn a_thin_delivery_becomes_the_order_once_for_all_that_was_said() {
    let shop = Shop::new(BIG).await;
    hold(&shop);
    for topic in ["created", "updated", "statusUpdated"] {
        let mut thin = fixture("bigcommerce/order_created.json");
        thin["scope"] = format!("store/order/{topic}").into();
        shop.deliver("", &thin).await;
    }
    let shipment = json!({
        "scope": "store/shipment/created", "producer": "stores/ex4mpl3",
        "data": { "type": "shipment", "id": 31, "orderId": 2250 },
    });
    shop.deliver("", &shipment).await;
    assert_eq!(shop.quarantine().await.len(), 4);
    shop.fetch().await;
    assert_eq!(shop.facts().await, all());
    assert!(shop.quarantine().await.is_empty());
    let asked = shop.mock.asked();
    assert_eq!(
        asked.len(),
        5,
        "the order and its four parts, once: {asked:#?}"
    );
    // What is known as it is now is not fetched again by a poll.
    shop.poll().await;
    assert_eq!(shop.fetch().await, 0);
    assert_eq!(shop.mock.asked().len(), 1);
}

#[tokio::test]
async fn what_its_deliveries_lost_comes_by_asking() {
    let shop = Shop::new(BIG).await;
    hold(&shop);
    shop.poll().await;
    assert_eq!(shop.quarantine().await.len(), 1);
    shop.mock
        .go_wrong([Fault::None, Fault::None, Fault::BreakOff]);
    shop.fetch().await;
    assert!(
        shop.facts().await.is_empty(),
        "an order in parts is no order"
    );
    shop.pass(Duration::from_secs(30));
    shop.fetch().await;
    assert_eq!(shop.facts().await, all());
}

#[tokio::test]
async fn what_is_not_there_is_kept_with_that_in_words() {
    let shop = Shop::new(BIG).await;
    shop.deliver("", &fixture("bigcommerce/order_created.json"))
        .await;
    shop.fetch().await;
    let kept = shop.quarantine().await;
    assert_eq!(kept[0].reason, "not_there");
    assert!(
        kept[0].because.contains("it is not there (404)"),
        "{}",
        kept[0].because
    );
    shop.pass(Duration::from_secs(30 * 86_400));
    assert_eq!(shop.fetch().await, 0);
    assert_eq!(shop.mock.asked().len(), 1, "and is asked for no more");
}

#[tokio::test]
async fn without_a_token_it_waits_and_says_what_to_configure() {
    let mut shop = Shop::new(BIG).await;
    hold(&shop);
    shop.deliver("", &fixture("bigcommerce/order_created.json"))
        .await;
    let asked = std::mem::take(&mut shop.asked);
    shop.fetch().await;
    let kept = shop.quarantine().await;
    assert_eq!(kept[0].reason, "to_fetch");
    assert!(
        kept[0]
            .because
            .contains("set intake.sources.shop.api_token"),
        "{}",
        kept[0].because
    );
    assert!(shop.mock.asked().is_empty());
    // A restart with a token fetches it.
    shop.asked = asked;
    shop.harness.engine.store.fetch_afresh().await.unwrap();
    shop.fetch().await;
    assert_eq!(shop.facts().await, all());
}

#[tokio::test]
async fn a_customer_is_fetched_too() {
    let shop = Shop::new(BIG).await;
    let customer = json!({ "data": [{
        "id": 11, "email": "lena.vogt@example.com", "first_name": "Lena", "last_name": "Vogt",
        "date_modified": "2026-03-10T09:00:00Z", "addresses": [{ "country_code": "DE" }],
    }]});
    shop.mock
        .world()
        .things
        .insert("/stores/ex4mpl3/v3/customers".into(), customer);
    let thin = json!({
        "scope": "store/customer/updated", "producer": "stores/ex4mpl3",
        "data": { "type": "customer", "id": 11 },
    });
    shop.deliver("", &thin).await;
    shop.fetch().await;
    assert_eq!(
        shop.facts().await,
        under(SOURCE, &["customer/11@2026-03-10T09:00:00Z"])
    );
    assert!(shop.mock.asked()[0].contains("id%3Ain=11"));
}
