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
        assert_eq!(names(&["zendesk"]).len(), 4);
    }
}
