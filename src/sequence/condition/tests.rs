#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::model::time::TimeZone;
use proptest::prelude::*;
use serde_json::json;

fn order() -> Known {
    Known::customer().with("order")
}

fn item() -> Known {
    order().with("item").with("product")
}

fn names() -> Names {
    let serde_json::Value::Object(values) = json!({
        "customer": {"email": "ann@example.com", "tags": ["vip"], "open_ticket": false, "orders": 3},
        "order": {
            "order_id": "17", "gift": false, "cancelled": false,
            "placed_at": "2026-03-01T10:00:00Z", "paid_at": null, "ship_to": null,
            "total": {"amount": 4200, "currency": "EUR"},
            "items": [
                {"line_id": "1", "sku": "CAM", "kept": true, "quantity": 1, "family": "dslr"},
                {"line_id": "2", "sku": "TRI", "kept": false, "quantity": 2, "family": null},
            ],
        },
        "item": {"family": "dslr", "kept": true, "delivered_at": "2026-03-28T23:30:00Z"},
        "return": {"return_id": "R1", "status": "open"},
        "failure": {},
    }) else {
        unreachable!()
    };
    let set = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
    Names {
        values,
        owned: set(&["dslr", "CAM"]),
        bought: set(&["dslr", "CAM", "TRI"]),
        out_of_stock: std::sync::Arc::new(set(&["tripod"])),
        sent: set(&["fulfilment/placed"]),
        now: "2026-03-30T08:00:00Z".parse().unwrap(),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
    }
}

fn holds(text: &str) -> Result<bool, String> {
    let known = item().with("return").with("failure");
    Condition::compile(text, &known)
        .unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
        .holds(&names())
}

#[track_caller]
fn refused(text: &str, known: &Known, code: &str, under: &str, message: &str, help: &str) {
    let problems = Condition::compile(text, known).unwrap_err();
    let problem = &problems[0];
    assert_eq!(
        (
            problem.code,
            &text[problem.at.clone()],
            problem.message.as_str()
        ),
        (code, under, message),
        "{text}: {problems:?}"
    );
    assert!(
        problem.help.join("\n").contains(help),
        "{text}: {:?}",
        problem.help
    );
    assert_eq!(problems.len(), 1, "{text}: {problems:?}");
}

#[test]
fn conditions_hold_over_names() {
    for (text, expected) in [
        ("item.family == \"dslr\" && !order.gift", true),
        ("owns(\"tripod\") || !in_stock(\"tripod\")", true),
        (
            "bought(\"TRI\") && !owns(\"TRI\") && in_stock(\"CAM\")",
            true,
        ),
        ("sent(\"fulfilment/placed\") && !sent('a/b')", true),
        ("order.items.exists(i, i.kept && i.sku == \"CAM\")", true),
        ("order.items.all(i, i.kept)", false),
        ("order.items.exists_one(i, i.quantity > 1)", true),
        ("order.items.exists(i, owns(i.sku))", true),
        ("size(order.items) == 2 && customer.orders + 1 > 3", true),
        (
            "order.total.amount >= 4200 && order.total.currency == 'EUR'",
            true,
        ),
        (
            "\"vip\" in customer.tags && item.family in [\"dslr\", \"lens\"]",
            true,
        ),
        ("has(order.paid_at) || order.paid_at != null", false),
        ("has(order.ship_to.country)", false),
        (
            "order.paid_at != null && order.paid_at > order.placed_at",
            false,
        ),
        ("order.placed_at < now", true),
        (
            "customer.email.endsWith(\"example.com\") && customer.email.matches(\"^a.n@\")",
            true,
        ),
        ("return.status == \"open\"", true),
        ("has(failure.reason) || failure.attempt == 2", false),
        ("order.items[1].family == null", true),
    ] {
        assert_eq!(holds(text), Ok(expected), "{text}");
    }
}

#[test]
fn days_are_counted_on_the_local_calendar() {
    // 23:30 UTC on the 28th is the 29th in Berlin; the 30th is one day later, in UTC two.
    assert_eq!(holds("days_since(item.delivered_at) == 1"), Ok(true));
    assert_eq!(holds("days_since(now) == 0"), Ok(true));
}

#[test]
fn a_missing_value_is_a_sentence_without_personal_data() {
    for text in [
        "order.paid_at > now",
        "days_since(order.paid_at) > 3",
        "owns(order.items[1].family)",
        "order.items[7].kept",
        "order.ship_to.country == 'DE'",
        "1 / (customer.orders - 3) == 1",
        "customer.marketing_consent.state == 'x'",
    ] {
        let why = holds(text).unwrap_err();
        assert!(!why.is_empty() && !why.contains("ann@"), "{text}: {why}");
    }
}

#[test]
fn names_are_checked() {
    refused(
        "item.reviewed",
        &order(),
        "E131",
        "item.reviewed",
        "`item.reviewed` is not known in this sequence",
        "this sequence runs per order; an order has many items\nwrite order.items.exists(i, i.reviewed) or set each = \"item\"",
    );
    refused(
        "!order.gifft",
        &order(),
        "E131",
        "order.gifft",
        "`order.gifft` does not exist",
        "did you mean `order.gift`?",
    );
    refused(
        "true && cutomer.open_ticket",
        &order(),
        "E131",
        "cutomer.open_ticket",
        "`cutomer.open_ticket` does not exist",
        "did you mean `customer.open_ticket`?",
    );
    refused(
        "gift",
        &order(),
        "E131",
        "gift",
        "`gift` does not exist",
        "did you mean `order.gift`?",
    );
    refused(
        "order.items.kept",
        &order(),
        "E131",
        "order.items.kept",
        "`order.items.kept` does not exist: `order.items` is a list",
        "order.items.exists(i, i.kept)",
    );
    refused(
        "order.gift",
        &Known::customer(),
        "E131",
        "order.gift",
        "`order.gift` is not known in this sequence",
        "per = \"order\"",
    );
    refused(
        "refund.scope == 'full'",
        &order(),
        "E131",
        "refund.scope",
        "`refund.scope` is not known in this sequence",
        "\"refund.issued\"",
    );
    refused(
        "shop.name == 'x'",
        &order(),
        "E131",
        "shop.name",
        "`shop.name` is not known in conditions",
        "mails only",
    );
    refused(
        "order.items.exists(i, i.kep)",
        &order(),
        "E131",
        "i.kep",
        "`i.kep` does not exist",
        "`i.kept`",
    );
    refused(
        "'é' == 'é' && order.gifft",
        &order(),
        "E131",
        "order.gifft",
        "`order.gifft` does not exist",
        "order.gift",
    );
}

#[test]
fn types_are_checked() {
    refused(
        "order.gift == \"yes\"",
        &order(),
        "E132",
        "order.gift == \"yes\"",
        "`order.gift` is true or false, and is compared with a text",
        "without quotes",
    );
    refused(
        "customer.orders == \"3\"",
        &order(),
        "E132",
        "customer.orders == \"3\"",
        "`customer.orders` is a whole number, and is compared with a text",
        "",
    );
    refused(
        "order.total > 50",
        &order(),
        "E132",
        "order.total > 50",
        "an amount of money has no order to compare by",
        "order.total.amount >= 5000",
    );
    refused(
        "order.version > '2026-01-01'",
        &order(),
        "E132",
        "order.version > '2026-01-01'",
        "`order.version` is an instant, and is compared with a text",
        "days_since",
    );
    refused(
        "customer.orders",
        &order(),
        "E132",
        "customer.orders",
        "this is a whole number, not true or false",
        "> 0",
    );
    refused(
        "'vip' in customer.email",
        &order(),
        "E132",
        "'vip' in customer.email",
        "`in` wants a list on its right, and this is a text",
        "contains",
    );
    refused(
        "1 in customer.tags",
        &order(),
        "E132",
        "1 in customer.tags",
        "this is a whole number, and is compared with a text",
        "",
    );
    refused(
        "days_since('x') > 3",
        &order(),
        "E132",
        "'x'",
        "days_since() wants an instant, and this is a text",
        "",
    );
}

#[test]
fn functions_are_checked() {
    refused(
        "ownz('x')",
        &order(),
        "E133",
        "ownz('x')",
        "there is no function ownz()",
        "did you mean owns()?",
    );
    refused(
        "order.placed_at.getHours() > 3",
        &order(),
        "E133",
        "order.placed_at.getHours()",
        "there is no function getHours()",
        "no zones",
    );
    refused(
        "sent('placed')",
        &order(),
        "E133",
        "'placed'",
        "\"placed\" names no step",
        "fulfilment/placed",
    );
    refused(
        "owns()",
        &order(),
        "E133",
        "owns()",
        "owns() wants one value, and has 0",
        "tripod",
    );
    refused(
        "order.items.map(i, i.kept) == []",
        &order(),
        "E133",
        "order.items.map(i, i.kept)",
        "map() and filter() are not offered in conditions",
        "exists",
    );
    refused(
        "customer.email.matches('(')",
        &order(),
        "E133",
        "'('",
        "this is no regular expression",
        "",
    );
}

#[test]
fn slips_from_other_languages_are_named() {
    refused(
        "order.gift and order.paid",
        &order(),
        "E130",
        "and",
        "\"and\" is not a word here",
        "write && instead of and",
    );
    refused(
        "order.gift or order.paid",
        &order(),
        "E130",
        "or",
        "\"or\" is not a word here",
        "write || instead of or",
    );
    refused(
        "customer.orders = 3",
        &order(),
        "E130",
        "=",
        "\"=\" is not an operator here",
        "write ==",
    );
    refused(
        "order.gift & order.paid",
        &order(),
        "E130",
        "&",
        "\"&\" is not an operator here",
        "write &&",
    );
    refused(
        "customer.email == \"x",
        &order(),
        "E130",
        "\"x",
        "this text is not closed",
        "close it",
    );
    refused(
        "  ",
        &order(),
        "E130",
        "  ",
        "this condition is empty",
        "leave the key out",
    );
    refused(
        "order.gift &&",
        &order(),
        "E130",
        "",
        "this condition ends too early",
        "item.family",
    );
    assert_eq!(holds("\"a and b = c\" != 'or'"), Ok(true));
}

#[test]
fn values_that_may_be_null_want_a_test() {
    let warned = |text: &str| {
        let condition = Condition::compile(text, &item()).unwrap();
        condition
            .warnings()
            .iter()
            .map(|w| text[w.at.clone()].to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(warned("order.paid_at > order.version"), ["order.paid_at"]);
    assert_eq!(warned("owns(item.family)"), ["item.family"]);
    assert_eq!(warned("order.ship_to.country == 'DE'"), ["order.ship_to"]);
    assert_eq!(warned("item.requires_shipping"), ["item.requires_shipping"]);
    for quiet in [
        "item.family == \"dslr\"",
        "order.paid_at != null && order.paid_at > order.version",
        "order.paid_at == null || order.paid_at > order.version",
        "has(order.ship_to.country) && order.ship_to.country.startsWith('D')",
        "!has(item.family) || owns(item.family)",
        "has(item.family) ? owns(item.family) : false",
    ] {
        assert_eq!(warned(quiet), Vec::<String>::new(), "{quiet}");
    }
}

#[test]
fn what_is_read_is_known() {
    let text =
        "order.items.exists(i, i.kept) && owns('tripod') && sent('a/b') && days_since(now) > 1";
    let condition = Condition::compile(text, &item()).unwrap();
    for path in ["order", "order.items", "order.items.kept", "owns()", "now"] {
        assert!(condition.uses(path), "{path}");
    }
    assert!(!condition.uses("order.gift") && !condition.uses("in_stock()"));
    assert!(condition.moves_with_time());
    assert_eq!(condition.sent_steps()[0].0, "a/b");
    assert_eq!(condition.products()[0].0, "tripod");
}

#[test]
fn nothing_deep_or_long_reaches_the_parser() {
    // Half the stack of a worker thread: an overflow would end the process.
    std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(|| {
            let known = item();
            let pad = |head: &str, middle: &str, tail: &str| {
                let times = (MAX_TEXT - head.len() - tail.len()) / middle.len();
                format!("{head}{}{tail}", middle.repeat(times))
            };
            for text in [
                format!("{}1{}", "(".repeat(3000), ")".repeat(3000)),
                format!("{}1{}", "(".repeat(900), ")".repeat(900)),
                pad("", "!", "true"),
                pad("1 == ", "-", "1"),
                pad("order", ".a", " == 1"),
                pad("true", "?true:true", ""),
                pad("1", "+1", " == 1"),
                pad("true", "&&true", ""),
                pad("", "true?", ""),
                pad("order", "[0]", ""),
                pad("order.items", ".exists(i,i)", ""),
                format!(
                    "{}1{} == 1",
                    "-(".repeat(MAX_NESTING),
                    ")".repeat(MAX_NESTING)
                ),
                format!("1{} == 1", "+1".repeat(MAX_MARKS - 2)),
                format!("order{} == 1", ".a".repeat(MAX_MARKS - 2)),
                format!("{}true", "!".repeat(MAX_MARKS - 1)),
                format!("true{}", "?true:true".repeat(MAX_MARKS / 2 - 1)),
            ] {
                if let Ok(condition) = Condition::compile(&text, &known) {
                    let _ = condition.holds(&names());
                }
            }
        })
        .unwrap()
        .join()
        .unwrap();
}

proptest! {
    #[test]
    fn no_text_breaks_it(text in "\\PC{0,60}") {
        if let Ok(condition) = Condition::compile(&text, &item()) {
            let _ = condition.holds(&names());
        }
    }

    #[test]
    fn no_mix_of_our_words_breaks_it(words in prop::collection::vec(prop::sample::select(vec![
        "order", ".", "items", "exists", "(", ")", "i", ",", "kept", "&&", "||", "!", "==", "'a'",
        "1", "1.5", "null", "true", "now", "owns", "days_since", "has", "[", "]", "in", "?", ":",
        "-", "+", "%", "customer.tags", "order.total", "item.family", "order.paid_at", "return",
        "size", "{", "}", "1u", "9223372036854775807", "\"\\u00\"", "'\\q'", "order.items.all(i,", "// c",
        "matches", "0x", "1e999", "@x", "_", "if", "b",
    ]), 0..14)) {
        let text = words.join(" ");
        if let Ok(condition) = Condition::compile(&text, &item().with("return")) {
            let _ = condition.holds(&names());
        }
        let text = words.concat();
        if let Ok(condition) = Condition::compile(&text, &item().with("return")) {
            let _ = condition.holds(&names());
        }
    }
}
