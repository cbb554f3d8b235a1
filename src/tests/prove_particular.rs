//! `check --prove` finds the people for whom a sequence was written: whoever orders a
//! present, has a subscription, uses something up, falls into the second arm.

use crate::prove::{clean, codes, proof, shop};

fn sequence(id: &str, start: &str, steps: &str) -> String {
    format!(
        "format = 1\nid = \"{id}\"\nkind = \"fulfilment\"\ntitle = \"News\"\nfrom = \"aya\"\n[start]\n{start}\n{steps}"
    )
}

/// One step on the start, with the mail of the given name.
fn step(id: &str, more: &str) -> String {
    format!("[[step]]\nid = \"{id}\"\nmail = \"a/{id}\"\n{more}\n")
}

#[test]
fn whom_a_condition_speaks_of_is_found() {
    for (where_, unreachable) in [
        ("order.gift", "order.gift && !order.gift"),
        (
            "order.gift && order.ship_to != null && order.ship_to.country != customer.country",
            "order.gift && order.ship_to == null && order.ship_to.country == \"ZZ\"",
        ),
        (
            "has(order.subscription) && has(order.subscription.sequence) && order.subscription.sequence > 1",
            "has(order.subscription) && !has(order.subscription)",
        ),
        (
            "order.subscription != null && order.subscription.sequence == 7",
            "order.subscription == null && order.replaces != null && order.replaces == null",
        ),
        ("order.replaces != null", "order.paid && !order.paid"),
        (
            "!has(order.order_number)",
            "has(order.order_number) && !has(order.order_number)",
        ),
        (
            "customer.region != null && customer.country == \"US\"",
            "customer.region != null && customer.region == null",
        ),
    ] {
        let of = |condition: &str| {
            let start = format!("on = \"order.placed\"\nwhere = '{condition}'");
            let policy = "[consent]\nUS = { offer = \"opt_in\" }\nDE = { offer = \"opt_in\" }\n";
            shop(
                policy,
                &[&sequence("news", &start, &step("placed", ""))],
                &[],
            )
        };
        let found = proof(&of(where_));
        assert_eq!(codes(&found), [""; 0], "{where_}: {:#?}", found.failures);
        assert_eq!(found.explored[0].reached, 1, "{where_}");
        let found = proof(&of(unreachable));
        assert_eq!(codes(&found), ["E337"], "{unreachable}");
    }
}

#[test]
fn whoever_waits_for_a_pre_order_is_found() {
    let text = sequence(
        "news",
        "on = \"order.placed\"\nwhere = '\"pre-order\" in order.tags'",
        &step(
            "reminder",
            "after = \"start + 2w\"\nunless = \"order.dispatched || order.delivered || order.cancelled || order.refunded\"",
        ),
    );
    let found = proof(&shop("", &[&text], &[]));
    assert_eq!(codes(&found), [""; 0], "{:#?}", found.failures);
    assert_eq!(found.explored[0].reached, 1);
}

#[test]
fn whoever_uses_something_up_is_found() {
    let refill = sequence("refill", "on = \"replenish\"", &step("reminder", ""))
        .replace("fulfilment", "education");
    let mut files = shop("", &[&refill], &[]);
    // The first product of the family lasts for ever; another does not.
    for (path, text) in &mut files {
        if path == "config/catalog.json" {
            *text = text.replace(
                "[\n{",
                "[\n{\"product_id\": \"ACE\", \"sku\": \"ACE-1\", \"title\": \"Camera\", \"kind\": \"physical\", \"tags\": [\"dslr\"], \"prices\": {\"EUR\": 90000}},\n{\"replenish_days\": 28, ",
            );
        }
    }
    clean(&files);
}

#[test]
fn a_letter_of_every_month_is_no_mail_twice() {
    let letter = sequence(
        "letter",
        "on = \"schedule\"\ncron = \"0 0 10 1 * *\"\nwhere = 'customer.orders > 0'",
        &step("reminder", ""),
    )
    .replace("fulfilment", "education");
    let found = proof(&shop("", &[&letter], &[]));
    assert_eq!(codes(&found), [""; 0], "{:#?}", found.failures);
    assert_eq!(found.explored[0].reached, 1);
    // Two steps of one month with the same words are.
    let twice = format!(
        "{letter}{}",
        step("other", "after = \"reminder + 1d\"").replace("a/other", "a/reminder")
    );
    let found = proof(&shop("", &[&twice], &[]));
    assert_eq!(codes(&found), ["E334"], "{:#?}", found.failures);
}

#[test]
fn every_arm_is_lived_through() {
    let steps = format!(
        "{}{}{}",
        step("first", "variant = [\"fast\"]"),
        step("second", "variant = \"slow\""),
        step("other", "variant = \"none\"\nwhen = 'order.gift'"),
    );
    let experiment = "[experiment]\nid = \"cadence\"\nsplit = { fast = 80, slow = 15, none = 5 }\n\
                      decide = { on = 2027-01-15, at_least = 100 }\n";
    let text = sequence(
        "news",
        "on = \"order.placed\"",
        &format!("{steps}{experiment}"),
    );
    let found = proof(&shop("", &[&text], &[]));
    // Nobody of the third arm orders a present in the plain stories; the first two arms go.
    let reached = found.explored[0].reached;
    assert!(reached >= 2, "{:#?}", found.failures);
    let text = text.replace("\nwhen = 'order.gift'", "");
    let found = proof(&shop("", &[&text], &[]));
    assert_eq!(codes(&found), [""; 0], "{:#?}", found.failures);
    assert_eq!(found.explored[0].reached, 3);
}
