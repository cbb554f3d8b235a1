//! What must be so at two moments: when somebody enters a sequence, and when a step is
//! about to go. Files say part of it (`where`, `when`, `unless`); the rest follows from
//! the fact that is waited for and from rules that hold for every shop.

use super::possible::Premise;
use crate::model::event::{DerivedKind, EventKind, FactKind};
use crate::model::kind::Kind;
use crate::sequence::catalog::{Anchor, Catalog, Each, Per, Sequence, Step};
use crate::sequence::condition::claim::{Claim, Is, Test};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Why something must be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// `where` of the sequence's own start.
    Where,
    When,
    Unless,
    /// The fact that the start is on.
    Start(FactKind),
    /// The fact that the step waits for.
    Anchor(FactKind),
    /// The conditions of the sequence whose step opens this one.
    Before(String),
    /// A rule that holds for every shop, as a sentence.
    Rule(&'static str),
}

/// Something that must come out one way at a moment.
#[derive(Debug, Clone)]
pub struct Must<'c> {
    pub claim: Cow<'c, Claim>,
    pub holds: bool,
    pub because: Because,
}

/// The premises of a moment, for asking whether it can come; `from` is the index.
pub fn premises<'m>(moment: &'m [Must<'_>]) -> Vec<Premise<'m>> {
    moment
        .iter()
        .enumerate()
        .map(|(from, must)| Premise {
            claim: &must.claim,
            holds: must.holds,
            from,
        })
        .collect()
}

/// Names that do not change after the start: what was true of them once stays true.
/// An item's own fields and an order's identity; everything else may be told anew.
const STABLE: [&str; 19] = [
    "item.line_id",
    "item.product_id",
    "item.variant_id",
    "item.sku",
    "item.kind",
    "item.family",
    "item.vendor",
    "item.requires_shipping",
    "item.bundle",
    "order.order_id",
    "order.order_number",
    "order.placed_at",
    "order.channel",
    "order.currency",
    "order.replaces",
    "order.gift",
    "order.subscription",
    "shipment.shipment_id",
    "shipment.direction",
];

/// Flags that, once raised, stay up.
const STICKY: [&str; 9] = [
    "order.paid",
    "order.delivered",
    "order.dispatched",
    "order.cancelled",
    "order.refunded",
    "item.delivered",
    "item.returned",
    "item.reviewed",
    "shipment.delivered",
];

/// Instants that are there exactly when a flag is up.
const TWINS: [(&str, &str); 6] = [
    ("order.paid", "order.paid_at"),
    ("order.cancelled", "order.cancelled_at"),
    ("order.dispatched", "order.dispatched_at"),
    ("order.delivered", "order.delivered_at"),
    ("item.delivered", "item.delivered_at"),
    ("shipment.delivered", "shipment.delivered_at"),
];

fn test(of: &str, is: Is) -> Claim {
    Claim::Test(Test {
        of: of.to_owned(),
        is,
        at: 0..0,
    })
}

fn must(of: &str, holds: bool, because: Because) -> Must<'static> {
    Must {
        claim: Cow::Owned(test(of, Is::True)),
        holds,
        because,
    }
}

/// What a fact says of the thing that it is about, at the moment it is known.
fn said_by(fact: FactKind) -> Option<&'static str> {
    Some(match fact {
        FactKind::Event(EventKind::OrderPaid) => "order.paid",
        FactKind::Event(EventKind::OrderCancelled) => "order.cancelled",
        FactKind::Event(EventKind::ShipmentDelivered) => "shipment.delivered",
        FactKind::Derived(DerivedKind::OrderDelivered) => "order.delivered",
        FactKind::Derived(DerivedKind::OrderRefunded) => "order.refunded",
        FactKind::Derived(DerivedKind::ItemDelivered) => "item.delivered",
        FactKind::Derived(DerivedKind::ItemRefunded) => "item.refunded",
        FactKind::Derived(DerivedKind::ItemReturned) => "item.returned",
        FactKind::Event(_) | FactKind::Derived(_) => return None,
    })
}

/// Whether it is time that brings a start: two of them have nothing in common but that.
pub fn is_of_time(fact: FactKind) -> bool {
    matches!(fact.as_str(), "absence" | "schedule" | "replenish")
}

/// Whether a sequence is about orders at all: only then do rules about goods hold.
pub fn has_goods(sequence: &Sequence) -> bool {
    let of_key = sequence.start.per.iter().any(|per| *per != Per::Customer);
    let fact = sequence.start.on;
    of_key || fact.as_str().starts_with("order.") || fact.is_of_item() || fact.is_of_shipment()
}

/// What must be so when somebody enters.
pub fn entering<'c>(catalog: &'c Catalog, sequence: &'c Sequence) -> Vec<Must<'c>> {
    let mut musts = before(catalog, sequence);
    let fact = sequence.start.on;
    if let Some(name) = said_by(fact) {
        musts.push(must(name, true, Because::Start(fact)));
    }
    if matches!(
        fact,
        FactKind::Event(EventKind::OrderPlaced | EventKind::OrderPaid)
    ) {
        let rule = Because::Rule("an order that is first seen as cancelled starts nothing");
        musts.push(must("order.cancelled", false, rule));
    }
    musts.extend(exempt(sequence));
    if let Some(condition) = &sequence.start.where_ {
        musts.push(Must {
            claim: Cow::Borrowed(condition.claim()),
            holds: true,
            because: Because::Where,
        });
    }
    musts.extend(twins(&musts));
    musts
}

/// Whom every sequence but fulfilment leaves out, unless its `where` speaks of gifts.
fn exempt(sequence: &Sequence) -> Vec<Must<'static>> {
    let mut musts = Vec::new();
    if sequence.kind == Kind::Fulfilment {
        return musts;
    }
    let where_ = sequence.start.where_.as_ref();
    if !where_.is_some_and(|condition| condition.uses("order.gift")) {
        musts.push(must(
            "order.gift",
            false,
            Because::Rule("gifts start no such sequence unless its `where` speaks of order.gift"),
        ));
    }
    musts.push(Must {
        claim: Cow::Owned(test("item.kind", Is::Text("gift_card".into()))),
        holds: false,
        because: Because::Rule("gift cards start no such sequence"),
    });
    if sequence.kind == Kind::Education || sequence.kind.is_ask() {
        musts.push(Must {
            claim: Cow::Owned(test(
                "order.subscription.sequence",
                Is::Between(2, i64::MAX),
            )),
            holds: false,
            because: Because::Rule("later deliveries of a subscription start no such sequence"),
        });
    }
    musts
}

/// What must be so when a step is about to go.
pub fn going<'c>(catalog: &'c Catalog, sequence: &'c Sequence, step: &'c Step) -> Vec<Must<'c>> {
    let mut musts = carried(entering(catalog, sequence), step.each);
    if let Anchor::Fact(fact) = step.anchor
        && let Some(name) = said_by(fact)
    {
        musts.push(must(name, true, Because::Anchor(fact)));
    }
    if sequence.kind != Kind::Fulfilment && has_goods(sequence) && step.each.is_none() {
        const GONE: Because = Because::Rule(
            "a sequence ends when nothing that started it is kept; only kind \"fulfilment\" goes on",
        );
        for (name, holds) in [
            ("item.kept", true),
            ("item.refunded", false),
            ("order.cancelled", false),
            ("order.refunded", false),
        ] {
            musts.push(must(name, holds, GONE));
        }
    }
    for (condition, holds, because) in [
        (&step.when, true, Because::When),
        (&step.unless, false, Because::Unless),
    ] {
        if let Some(condition) = condition {
            musts.push(Must {
                claim: Cow::Borrowed(condition.claim()),
                holds,
                because,
            });
        }
    }
    musts.extend(twins(&musts));
    musts
}

/// What a sequence that opens this one by its sends has made sure of.
fn before<'c>(catalog: &'c Catalog, sequence: &'c Sequence) -> Vec<Must<'c>> {
    let mut musts = Vec::new();
    let mut seen: Vec<&str> = vec![&sequence.id];
    let mut at = sequence;
    while let Some((id, _)) = at.start.of.as_deref().and_then(|of| of.split_once('/')) {
        let Some(opener) = catalog.sequence(id).filter(|_| !seen.contains(&id)) else {
            break;
        };
        seen.push(&opener.id);
        let mut own = exempt(opener);
        if let Some(condition) = &opener.start.where_ {
            own.push(Must {
                claim: Cow::Borrowed(condition.claim()),
                holds: true,
                because: Because::Where,
            });
        }
        musts.extend(carried(own, None).into_iter().map(|must| Must {
            because: Because::Before(opener.id.clone()),
            ..must
        }));
        at = opener;
    }
    musts
}

/// What of the moment of entering still holds later. `each` repeats a step for parcels
/// or items other than the one that started.
fn carried(musts: Vec<Must<'_>>, each: Option<Each>) -> Vec<Must<'_>> {
    let other = match each {
        Some(Each::Shipment) => "shipment.",
        Some(Each::Item) => "item.",
        None => "\0",
    };
    let mut kept = Vec::new();
    let mut open = musts;
    open.reverse();
    while let Some(must) = open.pop() {
        // Parts that must all hold are looked at one by one.
        if let (Claim::All(parts), true) = (must.claim.as_ref(), must.holds) {
            for part in parts.iter().rev() {
                open.push(Must {
                    claim: Cow::Owned(part.clone()),
                    holds: true,
                    because: must.because.clone(),
                });
            }
            continue;
        }
        let mut stays = true;
        must.claim.tests(&mut |test| {
            let stable = STABLE.iter().any(|name| {
                test.of
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            });
            stays &= stable && !test.of.starts_with(other);
        });
        let raised = matches!(
            must.claim.as_ref(),
            Claim::Test(Test { of, is: Is::True, .. })
                if must.holds
                    && !of.starts_with(other)
                    && (STICKY.contains(&of.as_str()) || of.starts_with("sent("))
        );
        if stays || raised {
            kept.push(must);
        }
    }
    kept
}

/// What ties names together, where both are spoken of.
fn twins(musts: &[Must<'_>]) -> Vec<Must<'static>> {
    let mut named = BTreeSet::new();
    for must in musts {
        must.claim.tests(&mut |test| {
            named.insert(test.of.clone());
        });
    }
    let mut found = Vec::new();
    let not = |claim: Claim| Claim::Not(Box::new(claim));
    for (flag, instant) in TWINS {
        if named.contains(flag) && named.contains(instant) {
            let (up, there) = (test(flag, Is::True), not(test(instant, Is::Null)));
            found.push(Claim::Any(vec![
                Claim::All(vec![up.clone(), there.clone()]),
                Claim::All(vec![not(up), not(there)]),
            ]));
        }
    }
    if named.contains("shipment.delivered") && named.contains("shipment.status") {
        found.push(Claim::Any(vec![
            not(test("shipment.status", Is::Text("delivered".into()))),
            test("shipment.delivered", Is::True),
        ]));
    }
    if named.contains("item.kept") && named.contains("item.kept_quantity") {
        let (kept, some) = (
            test("item.kept", Is::True),
            test("item.kept_quantity", Is::Between(1, i64::MAX)),
        );
        found.push(Claim::Any(vec![
            Claim::All(vec![kept.clone(), some.clone()]),
            Claim::All(vec![not(kept), not(some)]),
        ]));
    }
    found
        .into_iter()
        .map(|claim| Must {
            claim: Cow::Owned(claim),
            holds: true,
            because: Because::Rule("the two names say the same"),
        })
        .collect()
}

/// The families that a sequence is about, where its start names them.
pub fn families(catalog: &Catalog, sequence: &Sequence) -> Option<BTreeSet<String>> {
    fn family(claim: &Claim) -> Option<BTreeSet<String>> {
        match claim {
            Claim::Test(test) if test.of == "item.family" => match &test.is {
                Is::Text(family) => Some([family.clone()].into()),
                _ => None,
            },
            Claim::All(parts) => parts.iter().find_map(family),
            Claim::Any(parts) => {
                let mut all = BTreeSet::new();
                for part in parts {
                    all.extend(family(part)?);
                }
                Some(all)
            }
            Claim::Test(_) | Claim::Not(_) | Claim::Always(_) => None,
        }
    }
    entering(catalog, sequence)
        .iter()
        .filter(|must| must.holds)
        .find_map(|must| family(&must.claim))
}
