//! WooCommerce: pages by number, on a list that moves.

use super::mock::Fault;
use super::*;

const WOO: &str = "platform = \"woocommerce\"\napi_url = \"BASE\"\napi_user = \"ck_shop\"\n\
    source = \"/woocommerce/store.example.net\"\n";
const SOURCE: &str = "/woocommerce/store.example.net";

fn order(id: u64, at: &str) -> Value {
    let mut order = fixture("woocommerce/order_created.json");
    order["id"] = id.into();
    order["number"] = id.to_string().into();
    order["date_modified_gmt"] = at.into();
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

#[tokio::test]
async fn what_changes_while_pages_are_asked_hides_nothing() {
    let shop = Shop::new(WOO).await;
    let orders = (1..=6)
        .map(|id| order(id, &format!("2026-03-10T10:0{id}:00")))
        .collect();
    shop.mock.world().orders = orders;
    // After the first page of orders the first order changes: all others move up a place.
    shop.mock.world().meanwhile = Some(Box::new(|orders, asked| {
        if asked == 2 {
            orders[0]["date_modified_gmt"] = "2026-03-10T11:00:00".into();
        }
    }));
    shop.poll().await;
    assert_eq!(shop.facts().await, both(1..=6));
    let asked = shop.mock.asked();
    assert!(asked[1].contains("dates_are_gmt=true"), "{asked:#?}");
    assert!(
        asked[1].contains("modified_after=2026-03-07T12%3A00%3A00"),
        "{asked:#?}"
    );
    let proof = shop.mock.world().proofs[0].clone();
    assert!(proof.starts_with("Basic "), "{proof}");
}

#[tokio::test]
async fn orders_of_one_second_and_a_site_that_does_not_sort_come_whole() {
    let shop = Shop::new(WOO).await;
    shop.mock.world().orders = (1..=7).map(|id| order(id, "2026-03-10T10:00:00")).collect();
    shop.mock.go_wrong([
        Fault::None,
        Fault::Shuffled,
        Fault::Status(502),
        Fault::Shuffled,
        Fault::Busy(Some("60")),
    ]);
    shop.poll().await;
    assert_eq!(shop.facts().await, both(1..=7));
    let row = shop.row().await;
    // The same is told by a webhook and by asking: it counts once.
    shop.deliver(
        "X-WC-Webhook-Topic: order.updated\nX-WC-Webhook-Source: https://store.example.net/",
        &order(3, "2026-03-10T10:00:00"),
    )
    .await;
    assert_eq!(shop.facts().await, both(1..=7));
    shop.poll().await;
    assert_eq!(shop.row().await.found, row.found);
}
