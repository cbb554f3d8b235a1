//! The alphabet: what may happen to a customer that makes a difference to a set of
//! sequences.

use super::sequences::Mentions;
use crate::model::event::{DerivedKind, EventKind, FactKind};
use crate::model::kind::{Kind, Scope};

/// Orders in one story, at most.
pub(super) const MAX_ORDERS: u8 = 2;

/// One thing that happens. Orders and parcels count from 0.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Move {
    Placed {
        order: u8,
        paid: bool,
    },
    Paid(u8),
    Parcel {
        kind: EventKind,
        order: u8,
        parcel: u8,
    },
    Refund {
        order: u8,
        what: Refunded,
    },
    Cancelled(u8),
    Return {
        order: u8,
        how: Back,
    },
    Reviewed(u8),
    Edited(u8),
    Dispute {
        over: bool,
    },
    Ticket {
        over: bool,
    },
    OptOut(Scope),
    Updated,
}

/// What a refund gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Refunded {
    Everything,
    FirstLine,
    /// Some money, no item.
    Goodwill,
}

/// How far a return is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Back {
    Requested,
    Received,
    Declined,
}

impl Move {
    /// The order that it is about.
    pub(super) fn order(&self) -> Option<u8> {
        match self {
            Move::Placed { order, .. }
            | Move::Parcel { order, .. }
            | Move::Refund { order, .. }
            | Move::Return { order, .. } => Some(*order),
            Move::Paid(order)
            | Move::Cancelled(order)
            | Move::Reviewed(order)
            | Move::Edited(order) => Some(*order),
            Move::Dispute { .. } | Move::Ticket { .. } | Move::OptOut(_) | Move::Updated => None,
        }
    }

    /// The same about another order.
    pub(super) fn about(&self, order: u8) -> Move {
        let mut same = self.clone();
        match &mut same {
            Move::Placed { order: had, .. }
            | Move::Parcel { order: had, .. }
            | Move::Refund { order: had, .. }
            | Move::Return { order: had, .. }
            | Move::Paid(had)
            | Move::Cancelled(had)
            | Move::Reviewed(had)
            | Move::Edited(had) => *had = order,
            Move::Dispute { .. } | Move::Ticket { .. } | Move::OptOut(_) | Move::Updated => {}
        }
        same
    }

    /// Whether it may happen after what did: nothing twice, nothing about an order that
    /// nobody placed, no end without a beginning.
    pub(super) fn may_follow<'m>(&self, told: impl Iterator<Item = &'m Move> + Clone) -> bool {
        let has = |wanted: &Move| told.clone().any(|had| had == wanted);
        let placed = |order: u8| {
            told.clone()
                .any(|had| matches!(had, Move::Placed { order: of, .. } if *of == order))
        };
        if has(self) {
            return false;
        }
        match self {
            Move::Placed { order, .. } => !placed(*order) && (0..*order).all(placed),
            Move::Paid(order) => has(&Move::Placed {
                order: *order,
                paid: false,
            }),
            Move::Return { order, how } => {
                let other =
                    match how {
                        Back::Requested => return placed(*order)
                            && !told.clone().any(
                                |had| matches!(had, Move::Return { order: of, .. } if of == order),
                            ),
                        Back::Received => Back::Declined,
                        Back::Declined => Back::Received,
                    };
                let asked = has(&Move::Return {
                    order: *order,
                    how: Back::Requested,
                });
                placed(*order)
                    && (asked || *how == Back::Received)
                    && !has(&Move::Return {
                        order: *order,
                        how: other,
                    })
            }
            Move::Parcel { order, .. }
            | Move::Refund { order, .. }
            | Move::Cancelled(order)
            | Move::Reviewed(order)
            | Move::Edited(order) => placed(*order),
            Move::Dispute { over } => placed(0) && (!over || has(&Move::Dispute { over: false })),
            Move::Ticket { over } => placed(0) && (!over || has(&Move::Ticket { over: false })),
            Move::OptOut(_) | Move::Updated => placed(0),
        }
    }

    /// In words, for one line of a story.
    pub(super) fn words(&self) -> String {
        let of = |order: u8| if order == 0 { "" } else { " (second order)" };
        match self {
            Move::Placed { order, paid: true } => format!("order.placed{}", of(*order)),
            Move::Placed { order, paid: false } => format!("order.placed, unpaid{}", of(*order)),
            Move::Paid(order) => format!("order.paid{}", of(*order)),
            Move::Parcel {
                kind,
                order,
                parcel,
            } => {
                let which = if *parcel == 0 { "" } else { " (second parcel)" };
                format!("{kind}{which}{}", of(*order))
            }
            Move::Refund { order, what } => {
                let what = match what {
                    Refunded::Everything => "everything",
                    Refunded::FirstLine => "one item",
                    Refunded::Goodwill => "some money",
                };
                format!("refund.issued: {what}{}", of(*order))
            }
            Move::Cancelled(order) => format!("order.cancelled{}", of(*order)),
            Move::Return { order, how } => {
                let how = match how {
                    Back::Requested => "return.requested",
                    Back::Received => "return.updated: received",
                    Back::Declined => "return.updated: declined",
                };
                format!("{how}{}", of(*order))
            }
            Move::Reviewed(order) => format!("review.received{}", of(*order)),
            Move::Edited(order) => format!("order.updated{}", of(*order)),
            Move::Dispute { over: false } => "dispute.opened".to_owned(),
            Move::Dispute { over: true } => "dispute.closed".to_owned(),
            Move::Ticket { over: false } => "ticket.opened".to_owned(),
            Move::Ticket { over: true } => "ticket.closed".to_owned(),
            Move::OptOut(scope) => format!("opted out of {}", scope_words(scope)),
            Move::Updated => "customer.updated".to_owned(),
        }
    }
}

fn scope_words(scope: &Scope) -> String {
    match scope {
        Scope::All => "everything".to_owned(),
        Scope::AllMarketing => "all marketing".to_owned(),
        Scope::Kind(Kind::Education) => "help".to_owned(),
        other => other.to_string(),
    }
}

/// What may happen that the mentioned facts and names depend on, the commonest first:
/// where the budget ends, what was left out is the rarest.
pub(super) fn alphabet(mentions: &Mentions) -> Vec<Move> {
    let mut moves = vec![Move::Placed {
        order: 0,
        paid: true,
    }];
    let mut put = |one: Move| {
        if !moves.contains(&one) {
            moves.push(one);
        }
    };
    let parcel = |kind, order, parcel| Move::Parcel {
        kind,
        order,
        parcel,
    };
    let delivered = |order, number| parcel(EventKind::ShipmentDelivered, order, number);
    let arrives = mentions.facts.iter().any(|fact| {
        matches!(
            fact,
            FactKind::Event(EventKind::ShipmentDelivered)
                | FactKind::Derived(
                    DerivedKind::ItemDelivered
                        | DerivedKind::OrderDelivered
                        | DerivedKind::Replenish
                )
        )
    }) || mentions.uses("delivered");
    let leaves = mentions.has(EventKind::ShipmentDispatched) || mentions.uses("shipment.");
    if leaves || mentions.assumes_delivery && arrives {
        put(parcel(EventKind::ShipmentDispatched, 0, 0));
    }
    if arrives || leaves {
        put(delivered(0, 0));
    }
    put(Move::Refund {
        order: 0,
        what: Refunded::Everything,
    });
    put(Move::Cancelled(0));
    if mentions.has(EventKind::OrderPaid) || mentions.uses("paid") {
        put(Move::Placed {
            order: 0,
            paid: false,
        });
        put(Move::Paid(0));
    }
    if mentions.bound {
        put(Move::OptOut(Scope::All));
        put(Move::OptOut(Scope::Kind(Kind::Education)));
        put(Move::Return {
            order: 0,
            how: Back::Requested,
        });
        put(Move::Return {
            order: 0,
            how: Back::Received,
        });
        put(Move::Ticket { over: false });
        put(Move::Ticket { over: true });
    }
    if mentions.uses("return_open")
        || mentions.has(EventKind::ReturnRequested)
        || mentions.has(EventKind::ReturnUpdated)
    {
        put(Move::Return {
            order: 0,
            how: Back::Requested,
        });
        put(Move::Return {
            order: 0,
            how: Back::Received,
        });
        put(Move::Return {
            order: 0,
            how: Back::Declined,
        });
    }
    if mentions.has(EventKind::ReviewReceived) || mentions.uses("reviewed") || mentions.asks {
        put(Move::Reviewed(0));
    }
    if mentions.has(EventKind::TicketOpened)
        || mentions.has(EventKind::TicketClosed)
        || mentions.uses("ticket")
    {
        put(Move::Ticket { over: false });
        put(Move::Ticket { over: true });
    }
    if mentions.has(EventKind::DisputeOpened)
        || mentions.has(EventKind::DisputeClosed)
        || mentions.uses("dispute")
    {
        put(Move::Dispute { over: false });
        put(Move::Dispute { over: true });
    }
    for kind in [
        EventKind::ShipmentInTransit,
        EventKind::ShipmentOutForDelivery,
        EventKind::ShipmentAvailableForPickup,
        EventKind::ShipmentDeliveryFailed,
        EventKind::ShipmentReturnedToSender,
        EventKind::ShipmentLost,
        EventKind::ShipmentCancelled,
    ] {
        if mentions.has(kind) {
            put(parcel(kind, 0, 0));
        }
    }
    if mentions.each_parcel {
        put(parcel(EventKind::ShipmentDispatched, 0, 1));
        put(delivered(0, 1));
    }
    if mentions.bound {
        put(Move::Refund {
            order: 0,
            what: Refunded::FirstLine,
        });
        put(Move::OptOut(Scope::AllMarketing));
        put(Move::Placed {
            order: 1,
            paid: true,
        });
        if arrives || leaves {
            put(delivered(1, 0));
        }
        put(Move::Refund {
            order: 1,
            what: Refunded::Everything,
        });
    }
    if mentions.has(EventKind::RefundIssued) {
        put(Move::Refund {
            order: 0,
            what: Refunded::FirstLine,
        });
        put(Move::Refund {
            order: 0,
            what: Refunded::Goodwill,
        });
    }
    if mentions.has(EventKind::OrderUpdated)
        || mentions
            .facts
            .contains(&FactKind::Derived(DerivedKind::OrderEdited))
    {
        put(Move::Edited(0));
    }
    if mentions.has(EventKind::CustomerUpdated) {
        put(Move::Updated);
    }
    if mentions.has(EventKind::ConsentChanged) {
        put(Move::OptOut(Scope::AllMarketing));
    }
    moves
}
