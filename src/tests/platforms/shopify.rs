//! Shopify: what webhooks lost comes once, whatever the way there is like.

use super::mock::Fault;
use super::*;
use serde_json::json;

const SHOPIFY: &str = "platform = \"shopify\"\napi_url = \"BASE\"\n\
    source = \"/shopify/harborpine-example.myshopify.com\"\n";
const SOURCE: &str = "/shopify/harborpine-example.myshopify.com";

/// An order that changed so many minutes before every test began.
fn order(id: u64, minutes_ago: i64) -> Value {
    let mut order = fixture("shopify/orders_create.json");
    let now: Timestamp = NOW.parse().unwrap();
    let at = now - jiff::SignedDuration::from_mins(minutes_ago);
    order["id"] = id.into();
    order["name"] = format!("#{id}").into();
    for field in ["created_at", "processed_at", "updated_at"] {
        order[field] = at.to_string().into();
    }
    order
}

fn both(ids: impl IntoIterator<Item = u64>) -> Vec<String> {
    let names: Vec<String> = ids
        .into_iter()
        .flat_map(|id| [format!("order/{id}/placed"), format!("order/{id}/paid")])
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    under(SOURCE, &names)
}

fn webhook(topic: &str) -> String {
    format!(
        "X-Shopify-Topic: {topic}\nX-Shopify-Shop-Domain: harborpine-example.myshopify.com\nX-Shopify-Webhook-Id: w"
    )
}

#[tokio::test]
async fn what_webhooks_lost_comes_by_asking_once() {
    let shop = Shop::new(SHOPIFY).await;
    shop.mock.world().orders = (1..=7).map(|id| order(id, 100 - 10 * id as i64)).collect();
    // Two of seven were told.
    for id in [2, 5] {
        let told = order(id, 100 - 10 * id as i64);
        shop.deliver(&webhook("orders/create"), &told).await;
    }
    shop.poll().await;
    assert_eq!(shop.facts().await, both(1..=7));
    let row = shop.row().await;
    assert_eq!((row.found, row.known), (10, 4));
    let asked = shop.mock.asked();
    assert_eq!(
        asked.len(),
        5,
        "products, and four pages of orders: {asked:#?}"
    );
    // From `poll_back` before now, and no further.
    assert!(
        asked[1].contains("updated_at_min=2026-03-07T12"),
        "{asked:#?}"
    );
    assert!(asked[1].contains("status=any"), "{asked:#?}");
    assert!(
        shop.mock
            .world()
            .proofs
            .iter()
            .all(|proof| proof == "token-of-the-shop")
    );
    // Ten minutes later nothing new is told, and little is asked.
    shop.poll().await;
    let row = shop.row().await;
    assert_eq!((row.found, row.known), (10, 4));
    let asked = shop.mock.asked();
    assert_eq!(asked.len(), 2, "{asked:#?}");
    assert!(
        asked[1].contains("updated_at_min=2026-03-10T11%3A25"),
        "{asked:#?}"
    );
    // An order that moved on tells what is new of it.
    let mut moved = fixture("shopify/orders_fulfilled.json");
    moved["id"] = 7.into();
    moved["updated_at"] = shop.now().to_string().into();
    shop.mock.world().orders[6] = moved;
    shop.poll().await;
    assert_eq!(shop.row().await.found, 14, "two parcels left and arrived");
    assert!(shop.quarantine().await.is_empty());
}

#[tokio::test]
async fn whatever_the_way_is_like_nothing_is_lost_and_nothing_doubled() {
    let shop = Shop::new(SHOPIFY).await;
    shop.mock.world().orders = (1..=9).map(|id| order(id, 100 - id as i64)).collect();
    shop.mock.go_wrong([
        Fault::None,
        Fault::Shuffled,
        Fault::Busy(Some("7")),
        Fault::None,
        Fault::Status(500),
        Fault::Status(503),
        Fault::BreakOff,
        Fault::Shuffled,
        Fault::Truncated,
        Fault::None,
        Fault::Busy(None),
        Fault::Shuffled,
    ]);
    let took = shop.poll().await;
    assert_eq!(shop.facts().await, both(1..=9));
    // Seven seconds as asked for, then 30 s, 60 s and 120 s, and 30 s twice.
    let expected = 7 + 30 + 60 + 120 + 30 + 30;
    // And the pauses between pages.
    assert!(
        (expected..expected + 6).contains(&took.as_secs()),
        "{took:?}"
    );
    assert_eq!(shop.row().await.found, 18);
}

#[tokio::test]
async fn it_is_not_led_to_another_host() {
    let shop = Shop::new(SHOPIFY).await;
    shop.mock.world().orders = (1..=4).map(|id| order(id, 100 - id as i64)).collect();
    shop.mock.go_wrong([Fault::None, Fault::Elsewhere]);
    for _ in 0..3 {
        let due = shop.step().await;
        shop.harness.engine.clock.set(due);
    }
    let row = shop.row().await;
    let because = row.because.unwrap();
    assert!(
        because.contains("another host (elsewhere.example)"),
        "{because}"
    );
    // What the first page held is taken in, and the next round has the rest.
    assert_eq!(shop.facts().await, both(1..=2));
    shop.poll().await;
    assert_eq!(shop.facts().await, both(1..=4));
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_once_and_asking_goes_on() {
    let shop = Shop::new(SHOPIFY).await;
    let mut odd = order(2, 50);
    odd["total_price"] = Value::Null;
    odd["total_price_set"] = Value::Null;
    shop.mock.world().orders = vec![order(1, 60), odd, order(3, 40)];
    shop.poll().await;
    shop.poll().await;
    assert_eq!(shop.facts().await, both([1, 3]));
    let kept = shop.quarantine().await;
    assert_eq!(kept.len(), 1, "{kept:#?}");
    assert!(
        kept[0].because.contains("total_price"),
        "{}",
        kept[0].because
    );
    // A page that is none, again and again, is kept too: somebody should see it.
    shop.mock.world().orders.push(order(4, 1));
    shop.mock.go_wrong([
        Fault::None,
        Fault::Page,
        Fault::Page,
        Fault::Page,
        Fault::Page,
    ]);
    for _ in 0..5 {
        let due = shop.step().await;
        shop.harness.engine.clock.set(due);
    }
    let kept = shop.quarantine().await;
    assert_eq!(kept.len(), 2, "{kept:#?}");
    assert_eq!(kept[1].reason, "not_json");
    let row = shop.row().await;
    assert!(row.because.unwrap().contains("in quarantine"));
    shop.poll().await;
    assert_eq!(shop.facts().await, both([1, 3, 4]));
}

#[tokio::test]
async fn a_token_that_is_refused_is_told_and_asked_with_seldom() {
    let shop = Shop::new(SHOPIFY).await;
    shop.mock.world().orders = vec![order(1, 60)];
    // Products may not be read; orders may.
    shop.mock.go_wrong([Fault::Status(403)]);
    let due = shop.step().await;
    assert_eq!(due, shop.now(), "orders are asked for all the same");
    let due = shop.step().await;
    assert!(due >= shop.now() + Duration::from_secs(600));
    assert_eq!(shop.facts().await, both([1]));
    let row = shop.row().await;
    let because = row.because.unwrap();
    assert!(
        because.starts_with("products: the platform refuses the token (403)"),
        "{because}"
    );
    assert!(!because.contains("token-of-the-shop"));
    assert!(row.fine_at.is_none());
    // As soon as it may, all is well.
    shop.harness.engine.clock.set(due);
    shop.poll().await;
    assert_eq!(shop.row().await.because, None);
}

#[tokio::test]
async fn clocks_that_differ_and_changes_meanwhile_lose_nothing() {
    let shop = Shop::new(SHOPIFY).await;
    // One order says that it changed tomorrow: those of today are not hidden by it.
    let mut ahead = order(1, 60);
    ahead["updated_at"] = "2026-03-11T12:00:00Z".into();
    shop.mock.world().orders = vec![ahead, order(2, 30)];
    shop.poll().await;
    let mut late = order(3, 0);
    late["updated_at"] = shop.now().to_string().into();
    shop.mock.world().orders.push(late);
    shop.poll().await;
    assert_eq!(shop.facts().await, both([1, 2, 3]));
}

#[tokio::test]
async fn products_are_told_as_webhooks_tell_them_and_all_of_them_at_first() {
    let shop = Shop::new(SHOPIFY).await;
    let node = |id: u64| {
        json!({
            "legacyResourceId": id.to_string(), "title": "Trail lamp", "handle": "trail-lamp",
            "vendor": "Nord", "productType": "Lamps", "tags": ["outdoor", "led"], "status": "ACTIVE",
            "updatedAt": "2020-01-01T00:00:00Z", "category": { "fullName": "Home > Lamps" },
            "featuredMedia": { "preview": { "image": { "url": "https://cdn.example.com/l.jpg" } } },
            "variants": { "nodes": [
                { "legacyResourceId": "9", "sku": "LMP-1", "title": "Red", "price": "50.00" } ] },
        })
    };
    shop.mock.world().products = (1..=3).map(node).collect();
    shop.poll().await;
    let names = [1, 2, 3].map(|id| format!("product/{id}@2020-01-01T00:00:00Z"));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(shop.facts().await, under(SOURCE, &names));
    let told = shop
        .harness
        .engine
        .store
        .events_after(&TailFilter::default(), 0, 1)
        .await
        .unwrap();
    let body = serde_json::to_value(&*told[0].1.as_ref().unwrap().body).unwrap();
    let product = &body["product"];
    assert_eq!(product["categories"][0], "Home > Lamps", "{product:#}");
    assert_eq!(product["tags"], json!(["outdoor", "led"]));
    assert_eq!(product["variants"][0]["sku"], "LMP-1");
}

#[tokio::test]
async fn facts_never_get_a_second_name() {
    // The webhooks call the shop by its own domain; what is asked would be called otherwise.
    let shop = Shop::new("platform = \"shopify\"\napi_url = \"BASE\"\n").await;
    assert!(
        shop.harness
            .engine
            .begin_polling(shop.asked())
            .await
            .unwrap()
    );
    let told = order(1, 60);
    shop.deliver(&webhook("orders/create"), &told).await;
    assert!(
        !shop
            .harness
            .engine
            .begin_polling(shop.asked())
            .await
            .unwrap()
    );
    let right = Shop::new(SHOPIFY).await;
    right.deliver(&webhook("orders/create"), &told).await;
    assert!(
        right
            .harness
            .engine
            .begin_polling(right.asked())
            .await
            .unwrap()
    );
}
