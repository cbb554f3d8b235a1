//! Business days where the customer lives, and people who are away.

use crate::story::{CAMERA, POLICY, Story, catalog};
use aftercare::sequence;
use serde_json::json;

const THANKS: &str = r#"
format = 1
id = "thanks"
kind = "education"
title = "Thanks"
from = "aya"
[start]
on = "order.placed"
[[step]]
id = "thanks"
after = "start + 2bd"
at = "10:00"
mail = "a/b"
"#;

fn placed(country: Option<&str>, policy: &str) -> String {
    let shop = catalog(&format!("{POLICY}{policy}"), &[THANKS]);
    // Maundy Thursday.
    let story = Story::new().order_with(
        "1",
        "ann",
        "2026-04-02T09:00:00Z",
        &[CAMERA],
        // Goods that go to another country would be a gift.
        json!({"ship_to": {"country": country, "region": null, "postal_code": "1", "city": "x"}}),
        json!({"country": country, "time_zone": "Europe/Berlin"}),
    );
    story.trace(&shop, "2026-05-01T00:00:00Z").join("\n")
}

#[test]
fn business_days_pass_over_holidays_where_the_customer_lives() {
    let on = |day: &str| format!("2026-04-{day}T08:00 ann thanks/thanks accepted");
    assert_eq!(placed(Some("US"), ""), on("06"), "Friday and Monday");
    assert_eq!(
        placed(Some("DE"), ""),
        on("08"),
        "neither Good Friday nor Easter Monday"
    );
    let closed = "[holidays]\nclosed = [2026-04-07]\n";
    assert_eq!(
        placed(Some("DE"), closed),
        on("09"),
        "nor a day on which the shop is closed"
    );
}

#[test]
fn parcels_count_as_delivered_on_the_days_of_where_they_go() {
    let arrives = |country: &str| {
        let policy = format!("{POLICY}[[delivery.assume]]\nto = \"*\"\nafter = \"2bd\"\n");
        let sequence = THANKS
            .replace("order.placed", "order.delivered")
            .replace("after = \"start + 2bd\"\nat = \"10:00\"\n", "");
        let shop = catalog(&policy, &[&sequence]);
        let ship_to = json!({"country": country, "region": null, "postal_code": "1", "city": "x"});
        Story::new()
            .order_with(
                "1",
                "ann",
                "2026-04-02T09:00:00Z",
                &[CAMERA],
                json!({"ship_to": ship_to}),
                json!({"country": country}),
            )
            .dispatched("1", "A", "2026-04-02T10:00:00Z", &[1])
            .trace(&shop, "2026-05-01T00:00:00Z")
    };
    assert_eq!(
        arrives("DE"),
        ["2026-04-08T10:00 ann thanks/thanks accepted"]
    );
    assert_eq!(
        arrives("US"),
        ["2026-04-06T10:00 ann thanks/thanks accepted"]
    );
}

#[test]
fn who_stands_in_signs_on_the_days_of_the_shop() {
    let people = r#"
[aya]
name = "Aya Tanaka"
email = "aya@shop.example.com"
[[aya.away]]
from = 2026-12-20
to = 2027-01-06
stand_in = "ben"
[ben]
name = "Ben Okafor"
email = "ben@shop.example.com"
[[ben.away]]
from = 2027-01-04
to = 2027-01-10
"#;
    let files = [
        ("config/store.toml", POLICY),
        ("config/people.toml", people),
        ("config/sequences/thanks.toml", THANKS),
    ]
    .map(|(path, text)| (path.to_owned(), text.to_owned()));
    let (shop, found) = sequence::read(&files);
    let policy = shop.unwrap_or_else(|| panic!("{found:?}")).policy;
    let signs = |at: &str| {
        let sender = policy
            .sender("aya", at.parse().expect("an instant"))
            .expect("somebody");
        (sender.id, sender.away_until.map(|day| day.to_string()))
    };
    let signed = |id: &str| (id.to_owned(), None);
    // Berlin's midnights.
    assert_eq!(signs("2026-12-19T22:59:59Z"), signed("aya"));
    assert_eq!(signs("2026-12-19T23:00:00Z"), signed("ben"));
    assert_eq!(signs("2027-01-03T22:59:59Z"), signed("ben"));
    assert_eq!(
        signs("2027-01-05T12:00:00Z"),
        ("ben".to_owned(), Some("2027-01-10".to_owned())),
        "away himself, and nobody stands in for him"
    );
    assert_eq!(signs("2027-01-07T12:00:00Z"), signed("aya"));
    assert!(
        policy
            .sender("eve", "2027-01-07T12:00:00Z".parse().expect("one"))
            .is_none()
    );
}
