//! What other tools call our facts: shops' webhooks, and the triggers of mail services. It
//! only makes suggestions.

/// Words of others, with `.` between their parts, and the fact that is meant.
const FACTS: [(&str, &str); 38] = [
    ("order.created", "order.placed"),
    ("orders.create", "order.placed"),
    ("orders.created", "order.placed"),
    ("placed.order", "order.placed"),
    ("order.completed", "order.placed"),
    ("checkout.completed", "order.placed"),
    ("ordered.product", "order.placed"),
    ("purchase", "order.placed"),
    ("purchased", "order.placed"),
    ("bought", "order.placed"),
    ("orders.paid", "order.paid"),
    ("order.payed", "order.paid"),
    ("payment.received", "order.paid"),
    ("paid", "order.paid"),
    ("order.shipped", "shipment.dispatched"),
    ("order.fulfilled", "shipment.dispatched"),
    ("orders.fulfilled", "shipment.dispatched"),
    ("fulfilled.order", "shipment.dispatched"),
    ("fulfilled", "shipment.dispatched"),
    ("fulfillment.created", "shipment.dispatched"),
    ("fulfillments.create", "shipment.dispatched"),
    ("shipment.created", "shipment.dispatched"),
    ("item.shipped", "shipment.dispatched"),
    ("shipped", "shipment.dispatched"),
    ("package.shipped", "shipment.dispatched"),
    ("delivered", "item.delivered"),
    ("delivery", "item.delivered"),
    ("item.received", "item.delivered"),
    ("package.delivered", "shipment.delivered"),
    ("shipment.arrived", "shipment.delivered"),
    ("orders.cancelled", "order.cancelled"),
    ("cancelled.order", "order.cancelled"),
    ("refunds.create", "refund.issued"),
    ("refund.created", "refund.issued"),
    ("refunded", "item.refunded"),
    ("refunded.order", "order.refunded"),
    ("unsubscribed", "consent.changed"),
    ("email.sent", "step.sent"),
];

/// The fact that a word of another tool means.
pub(crate) fn fact(word: &str) -> Option<&'static str> {
    let parts: String = (word.trim().to_lowercase().chars())
        .map(|c| match c {
            '/' | ' ' | '_' | '-' | ':' => '.',
            other => other,
        })
        .collect();
    FACTS
        .iter()
        .find(|(theirs, _)| *theirs == parts)
        .map(|(_, ours)| *ours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::FactKind;

    #[test]
    fn words_of_others_mean_facts_that_exist() {
        for (theirs, ours) in FACTS {
            assert!(FactKind::names().any(|name| name == ours), "{ours}");
            assert!(FactKind::names().all(|name| name != theirs), "{theirs}");
        }
        assert_eq!(fact("orders/create"), Some("order.placed"));
        assert_eq!(fact("Placed Order"), Some("order.placed"));
        assert_eq!(fact("order.placed"), None);
    }
}
