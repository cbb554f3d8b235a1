//! Where a kind of event is switched on: by platform, in the words of its own settings.
//! A platform that is not named for a kind never says it.

use crate::model::event::EventKind as Kind;

/// Kinds that a platform tells where something is switched on.
struct Switch {
    platform: &'static str,
    kinds: &'static [Kind],
    words: &'static str,
}

const SWITCHES: &[Switch] = &[
    Switch {
        platform: "shopify",
        kinds: &[Kind::OrderPlaced, Kind::OrderPaid, Kind::OrderUpdated],
        words: "topics orders/create, orders/updated and orders/edited",
    },
    Switch {
        platform: "shopify",
        kinds: &[Kind::OrderCancelled],
        words: "topic orders/cancelled",
    },
    Switch {
        platform: "shopify",
        kinds: &[Kind::ShipmentDispatched],
        words: "topics fulfillments/create and fulfillments/update",
    },
    Switch {
        platform: "shopify",
        kinds: &[
            Kind::ShipmentDelivered,
            Kind::ShipmentInTransit,
            Kind::ShipmentOutForDelivery,
            Kind::ShipmentAvailableForPickup,
            Kind::ShipmentDeliveryFailed,
        ],
        words: "topic fulfillment_events/create (for carriers that it can track; else a tracking service, or [[delivery.assume]])",
    },
    Switch {
        platform: "shopify",
        kinds: &[Kind::RefundIssued],
        words: "topic refunds/create",
    },
    Switch {
        platform: "shopify",
        kinds: &[Kind::ReturnRequested, Kind::ReturnUpdated],
        words: "topics returns/request, returns/approve, returns/decline, returns/cancel, returns/close and returns/reopen",
    },
    Switch {
        platform: "shopify",
        kinds: &[Kind::DisputeOpened, Kind::DisputeClosed],
        words: "topics disputes/create and disputes/update",
    },
    Switch {
        platform: "shopify",
        kinds: &[Kind::ConsentChanged],
        words: "topic customers_email_marketing_consent/update",
    },
    Switch {
        platform: "shopify",
        kinds: &[Kind::CustomerUpdated, Kind::CustomerMerged],
        words: "topics customers/update and customers/merge",
    },
    Switch {
        platform: "shopify",
        kinds: &[Kind::ProductUpdated],
        words: "topics products/create and products/update",
    },
    Switch {
        platform: "shopify",
        kinds: &[Kind::ErasureRequested, Kind::DataRequested],
        words: "the app's mandatory privacy webhooks",
    },
    Switch {
        platform: "woocommerce",
        kinds: &[
            Kind::OrderPlaced,
            Kind::OrderPaid,
            Kind::OrderCancelled,
            Kind::RefundIssued,
        ],
        words: "webhooks order.created and order.updated",
    },
    Switch {
        platform: "woocommerce",
        kinds: &[Kind::ShipmentDispatched],
        words: "webhook order.updated with a tracking plugin, or intake.sources.NAME.dispatched_statuses",
    },
    Switch {
        platform: "woocommerce",
        kinds: &[Kind::ShipmentDelivered],
        words: "it never says so itself: a tracking service, intake.sources.NAME.delivered_statuses, or [[delivery.assume]]",
    },
    Switch {
        platform: "woocommerce",
        kinds: &[Kind::CustomerUpdated],
        words: "webhook customer.updated",
    },
    Switch {
        platform: "woocommerce",
        kinds: &[Kind::ProductUpdated],
        words: "webhooks product.created and product.updated",
    },
    Switch {
        platform: "stripe",
        kinds: &[Kind::OrderPlaced, Kind::OrderPaid],
        words: "event checkout.session.completed",
    },
    Switch {
        platform: "stripe",
        kinds: &[Kind::RefundIssued],
        words: "event charge.refunded, or refund.created",
    },
    Switch {
        platform: "stripe",
        kinds: &[Kind::DisputeOpened, Kind::DisputeClosed],
        words: "events charge.dispute.created and charge.dispute.closed",
    },
    Switch {
        platform: "aftership",
        kinds: TRACKING,
        words: "Tracking > Settings > Webhooks: every delivery status",
    },
    Switch {
        platform: "aftership",
        kinds: &[Kind::ReturnRequested, Kind::ReturnUpdated],
        words: "Returns > Settings > Webhooks",
    },
    Switch {
        platform: "easypost",
        kinds: TRACKING,
        words: "a webhook of mode production; it tells of trackers that were made",
    },
    Switch {
        platform: "zendesk",
        kinds: &[Kind::TicketOpened, Kind::TicketClosed],
        words: "a webhook on the events ticket created and ticket status changed",
    },
    Switch {
        platform: "gorgias",
        kinds: &[Kind::TicketOpened, Kind::TicketClosed],
        words: "an HTTP integration on ticket created and ticket updated",
    },
    Switch {
        platform: "judgeme",
        kinds: &[Kind::ReviewReceived],
        words: "webhooks review/created and review/published (a paid plan)",
    },
    Switch {
        platform: "bigcommerce",
        kinds: &[Kind::OrderPlaced, Kind::OrderPaid, Kind::OrderCancelled],
        words: "scopes store/order/created and store/order/updated",
    },
    Switch {
        platform: "bigcommerce",
        kinds: &[Kind::RefundIssued],
        words: "scope store/order/refund/created",
    },
    Switch {
        platform: "bigcommerce",
        kinds: &[Kind::ShipmentDispatched],
        words: "scope store/shipment/created",
    },
    Switch {
        platform: "saleor",
        kinds: &[
            Kind::OrderPlaced,
            Kind::OrderPaid,
            Kind::OrderCancelled,
            Kind::RefundIssued,
        ],
        words: "events order created, fully paid, cancelled and refunded",
    },
    Switch {
        platform: "saleor",
        kinds: &[Kind::ShipmentDispatched],
        words: "events order fulfilled and fulfilment created",
    },
    Switch {
        platform: "spree",
        kinds: &[Kind::OrderPlaced, Kind::OrderPaid, Kind::OrderCancelled],
        words: "events order.completed, order.paid and order.canceled",
    },
    Switch {
        platform: "spree",
        kinds: &[Kind::ShipmentDispatched],
        words: "event shipment.shipped (fulfillment.* since version 6)",
    },
    Switch {
        platform: "spree",
        kinds: &[Kind::ShipmentDelivered],
        words: "event fulfillment.delivered, since version 6 with a carrier wired",
    },
    Switch {
        platform: "medusa",
        kinds: &[
            Kind::OrderPlaced,
            Kind::OrderCancelled,
            Kind::ShipmentDispatched,
            Kind::ShipmentDelivered,
        ],
        words: "the subscriber in your shop, with its events (docs/sources.md)",
    },
    Switch {
        platform: "commercetools",
        kinds: &[Kind::OrderPlaced, Kind::OrderCancelled],
        words: "messages OrderCreated and OrderStateChanged",
    },
    Switch {
        platform: "commercetools",
        kinds: &[Kind::ShipmentDispatched],
        words: "messages DeliveryAdded and ParcelAddedToDelivery",
    },
    Switch {
        platform: "commercetools",
        kinds: &[Kind::ShipmentDelivered],
        words: "message OrderShipmentStateChanged",
    },
    Switch {
        platform: "commercetools",
        kinds: &[Kind::ReviewReceived],
        words: "message ReviewCreated",
    },
    Switch {
        platform: "adobe",
        kinds: &[Kind::OrderPlaced, Kind::OrderPaid, Kind::OrderCancelled],
        words: "event observer.sales_order_save_commit_after",
    },
    Switch {
        platform: "adobe",
        kinds: &[Kind::ShipmentDispatched],
        words: "event observer.sales_order_shipment_save_after",
    },
    Switch {
        platform: "adobe",
        kinds: &[Kind::RefundIssued],
        words: "event observer.sales_order_creditmemo_save_after",
    },
    Switch {
        platform: "shippo",
        kinds: TRACKING,
        words: "webhook track_updated",
    },
    Switch {
        platform: "shipengine",
        kinds: TRACKING,
        words: "webhook track (API_TRACK)",
    },
    Switch {
        platform: "17track",
        kinds: TRACKING,
        words: "webhook TRACKING_UPDATED",
    },
    Switch {
        platform: "yotpo",
        kinds: &[Kind::ReviewReceived],
        words: "webhooks review_create and review_updated",
    },
];

const TRACKING: &[Kind] = &[
    Kind::ShipmentInTransit,
    Kind::ShipmentOutForDelivery,
    Kind::ShipmentAvailableForPickup,
    Kind::ShipmentDeliveryFailed,
    Kind::ShipmentDelivered,
    Kind::ShipmentReturnedToSender,
    Kind::ShipmentLost,
];

/// Where to switch a kind on: (platform, words), of these platforms; of all that can say
/// it where none of these can.
pub fn where_to(kind: Kind, platforms: &[&str]) -> Vec<(&'static str, &'static str)> {
    let all = || SWITCHES.iter().filter(|one| one.kinds.contains(&kind));
    let told = |one: &Switch| (one.platform, one.words);
    let own: Vec<_> = all()
        .filter(|one| platforms.contains(&one.platform))
        .map(told)
        .collect();
    if own.is_empty() {
        all().map(told).collect()
    } else {
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::platform::Platform;

    #[test]
    fn every_switch_is_of_a_platform_and_the_shops_own_come_first() {
        for one in SWITCHES {
            assert!(one.platform.parse::<Platform>().is_ok(), "{}", one.platform);
        }
        let names = |platforms: &[&str]| -> Vec<&str> {
            let told = where_to(Kind::ShipmentDelivered, platforms);
            told.into_iter().map(|(platform, _)| platform).collect()
        };
        assert_eq!(names(&["woocommerce", "zendesk"]), ["woocommerce"]);
        assert!(names(&["zendesk"]).contains(&"aftership"));
    }
}
