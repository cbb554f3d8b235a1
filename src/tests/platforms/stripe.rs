//! Stripe: events listed newest first, and lines that no event holds.

use super::mock::Fault;
use super::*;
use serde_json::json;

const STRIPE: &str = "platform = \"stripe\"\napi_url = \"BASE\"\n";
const SOURCE: &str = "/stripe/shop";

fn session(n: i64) -> Value {
    let mut event = fixture("stripe/checkout.session.completed.json");
    let now: Timestamp = NOW.parse().unwrap();
    event["id"] = format!("evt_{n}").into();
    event["created"] = (now.as_second() - 3600 + n).into();
    event["data"]["object"]["id"] = format!("cs_{n}").into();
    event["data"]["object"]["client_reference_id"] = format!("CMD-{n}").into();
    event["data"]["object"]["payment_intent"] = format!("pi_{n}").into();
    event
}

fn lines() -> Value {
    fixture("stripe/api_checkout_session_line_items.json")
}

fn hold_lines(shop: &Shop, n: i64) {
    let path = format!("/v1/checkout/sessions/cs_{n}/line_items");
    shop.mock.world().things.insert(path, lines());
}

fn both(ids: impl IntoIterator<Item = i64>) -> Vec<String> {
    let names: Vec<String> = ids
        .into_iter()
        .flat_map(|id| {
            [
                format!("order/CMD-{id}/placed"),
                format!("order/CMD-{id}/paid"),
            ]
        })
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    under(SOURCE, &names)
}

#[tokio::test]
async fn events_that_were_lost_are_walked_back_to_and_told_with_their_lines() {
    let shop = Shop::new(STRIPE).await;
    shop.mock.world().events = (1..=5).map(session).collect();
    for n in 1..=5 {
        hold_lines(&shop, n);
    }
    // One came by itself: without its lines it waits.
    shop.deliver("", &session(2)).await;
    assert!(shop.facts().await.is_empty());
    assert_eq!(shop.fetch().await, 1);
    assert_eq!(shop.facts().await, both([2]));
    shop.mock
        .go_wrong([Fault::None, Fault::Busy(Some("3")), Fault::BreakOff]);
    shop.poll().await;
    let asked = shop.mock.asked();
    assert_eq!(
        asked
            .iter()
            .filter(|ask| ask.contains("starting_after"))
            .count(),
        4,
        "{asked:#?}"
    );
    // The one that is known costs no further question.
    shop.fetch().await;
    let asked = shop.mock.asked();
    assert_eq!(asked.len(), 4, "{asked:#?}");
    assert_eq!(shop.facts().await, both(1..=5));
    assert!(shop.quarantine().await.is_empty());
    let order = shop
        .harness
        .engine
        .store
        .events_after(&TailFilter::default(), 0, 1)
        .await
        .unwrap();
    let order = serde_json::to_value(&*order[0].1.as_ref().unwrap().body).unwrap();
    assert_eq!(
        order["order"]["line_items"].as_array().unwrap().len(),
        lines()["data"].as_array().unwrap().len(),
    );
    shop.poll().await;
    shop.fetch().await;
    assert_eq!(shop.facts().await, both(1..=5));
}

#[tokio::test]
async fn an_order_whose_lines_are_not_to_be_had_is_taken_without() {
    let shop = Shop::new(STRIPE).await;
    shop.deliver("", &session(1)).await;
    shop.fetch().await;
    assert_eq!(shop.facts().await, both([1]), "the platform has it no more");
    assert!(shop.quarantine().await.is_empty());
    // Where the platform is only away, it is waited for.
    hold_lines(&shop, 2);
    shop.deliver("", &session(2)).await;
    shop.mock
        .go_wrong([Fault::Status(500), Fault::Busy(Some("120"))]);
    shop.fetch().await;
    assert_eq!(shop.quarantine().await.len(), 1);
    shop.pass(Duration::from_secs(30));
    shop.fetch().await;
    shop.pass(Duration::from_secs(119));
    assert_eq!(shop.fetch().await, 0);
    shop.pass(Duration::from_secs(1));
    assert_eq!(shop.fetch().await, 1);
    assert_eq!(shop.facts().await, both([1, 2]));
}

#[tokio::test]
async fn lines_come_page_by_page() {
    let shop = Shop::new(STRIPE).await;
    let mut first = lines();
    first["has_more"] = json!(false);
    shop.mock
        .world()
        .things
        .insert("/v1/checkout/sessions/cs_1/line_items".into(), first);
    shop.deliver("", &session(1)).await;
    shop.fetch().await;
    let asked = shop.mock.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].contains("limit=100"), "{asked:?}");
}
