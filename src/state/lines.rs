//! Lines: what is left of them after edits, refunds and returns, and what has to be
//! delivered (`docs/events.md`, rules 13, 16, 19, 20).

use super::orders::Dossier;
use super::telling::Telling;
use crate::model::event::{EventKind, LineItem, LineKind, RefundScope, Restock};
use crate::model::policy::Policy;
use crate::model::product::Products;
use crate::model::time::{TimeZone, Timestamp};
use std::collections::BTreeMap;

/// What became of one line, in units.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    pub(super) item: LineItem,
    pub(super) sort: Sort,
    /// Units that the order still names, edits applied.
    pub(super) current: i64,
    /// Units refunded, by line; those that an edit may already have taken off apart.
    refunded_before: i64,
    refunded_after: i64,
    pub(super) cancelled_units: i64,
    pub(super) returned_units: i64,
    pub(super) return_open: bool,
    /// When refunds left nothing of it, and the telling.
    pub(super) refunded_by: Option<(Timestamp, usize)>,
    /// When a return of it was received, and the telling.
    pub(super) returned_by: Option<(Timestamp, usize)>,
}

/// How a line reaches the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// In a parcel.
    Shipped,
    /// At once, when paid.
    Digital,
    /// Not at all that we could see: gift cards, services, lines without shipping.
    Apart,
}

/// The lines of an order with all that is told about them.
#[derive(Debug)]
pub(super) struct Tallies {
    pub(super) lines: Vec<Tally>,
    /// When the order was wholly refunded, and the telling.
    pub(super) refunded_by: Option<(Timestamp, usize)>,
    /// Ends of cool-downs after declined returns.
    pub(super) cool_downs: Vec<Timestamp>,
}

impl Tally {
    fn refunded_units(&self) -> i64 {
        self.refunded_before + self.refunded_after
    }

    /// Units that the customer keeps. Sources differ in whether their current quantity
    /// already leaves out what was refunded before that snapshot, so the larger of the
    /// two reductions counts, not their sum.
    pub(super) fn kept(&self) -> i64 {
        let quantity = self.item.quantity.max(self.current);
        let edited = quantity - self.current;
        let off = edited.max(self.refunded_before) + self.refunded_after;
        let off = off.max(self.returned_units);
        (quantity - off).max(0)
    }

    /// Units that a parcel has to bring: rule 13. `dispatched` units can no longer be
    /// called off before their dispatch.
    pub(super) fn owed(&self, dispatched: i64) -> i64 {
        match self.sort {
            Sort::Shipped => {
                let quantity = self.item.quantity.max(self.current);
                let edited = quantity - self.current;
                let left = quantity - edited.max(self.cancelled_units);
                left.max(dispatched.min(self.current)).max(0)
            }
            Sort::Digital | Sort::Apart => 0,
        }
    }
}

fn sort_of(item: &LineItem, products: &Products) -> Sort {
    let kind = match item.kind {
        LineKind::Unknown => item
            .sku
            .as_deref()
            .and_then(|sku| products.variant(sku))
            .and_then(|(_, variant)| variant.kind.as_deref())
            .map_or(LineKind::Unknown, |kind| match kind {
                "digital" => LineKind::Digital,
                "gift_card" => LineKind::GiftCard,
                "service" => LineKind::Service,
                "physical" => LineKind::Physical,
                _ => LineKind::Unknown,
            }),
        known => known,
    };
    match kind {
        LineKind::Digital => Sort::Digital,
        LineKind::GiftCard | LineKind::Service => Sort::Apart,
        LineKind::Physical | LineKind::Unknown if item.requires_shipping == Some(false) => {
            Sort::Apart
        }
        LineKind::Physical | LineKind::Unknown => Sort::Shipped,
    }
}

/// Counts every line of an order.
pub(super) fn count(
    dossier: &Dossier<'_>,
    tellings: &[Telling<'_>],
    policy: &Policy,
    products: &Products,
    zone: &TimeZone,
    now: Timestamp,
) -> Tallies {
    let mut tallies = Tallies {
        lines: lines(dossier, tellings, products),
        refunded_by: None,
        cool_downs: Vec::new(),
    };
    refunds(&mut tallies, dossier, tellings);
    returns(&mut tallies, dossier, tellings, policy, zone, now);
    tallies
}

/// The lines of the newest snapshot, then those that older ones had (now at zero), with
/// edits laid over that are newer than the snapshot.
fn lines(dossier: &Dossier<'_>, tellings: &[Telling<'_>], products: &Products) -> Vec<Tally> {
    let newest = dossier.newest().order;
    let tally = |item: &LineItem, current: i64| Tally {
        sort: sort_of(item, products),
        current: current.max(0),
        item: item.clone(),
        refunded_before: 0,
        refunded_after: 0,
        cancelled_units: 0,
        returned_units: 0,
        return_open: false,
        refunded_by: None,
        returned_by: None,
    };
    let mut lines: Vec<Tally> = newest
        .line_items
        .iter()
        .map(|item| tally(item, item.current_quantity))
        .collect();
    for seen in dossier.sightings.iter().rev() {
        for item in &seen.order.line_items {
            if !lines.iter().any(|had| had.item.line_id == item.line_id) {
                lines.push(tally(item, 0));
            }
        }
    }
    for place in &dossier.tellings {
        let telling = &tellings[*place];
        let Some(changes) = &telling.body().changes else {
            continue;
        };
        if telling.body().order.is_some() || telling.time() <= newest.version {
            continue;
        }
        for (refs, sign) in [(&changes.added, 1), (&changes.removed, -1)] {
            for item in refs {
                let line = lines.iter_mut().find(|had| match &item.line_id {
                    Some(id) => had.item.line_id == *id,
                    None => item.sku.is_some() && had.item.sku == item.sku,
                });
                if let Some(line) = line {
                    line.current = line
                        .current
                        .saturating_add(item.quantity.saturating_mul(sign))
                        .max(0);
                }
            }
        }
    }
    for line in &mut lines {
        line.item.current_quantity = line.current;
    }
    lines
}

fn refunds(tallies: &mut Tallies, dossier: &Dossier<'_>, tellings: &[Telling<'_>]) {
    let newest = dossier.newest().order;
    let mut total: i64 = 0;
    for place in &dossier.tellings {
        let telling = &tellings[*place];
        let Some(refund) = telling
            .body()
            .refund
            .as_ref()
            .filter(|_| telling.kind() == EventKind::RefundIssued)
        else {
            continue;
        };
        for given in &refund.items {
            let Some(line) = tallies
                .lines
                .iter_mut()
                .find(|line| line.item.line_id == given.line_id)
            else {
                continue;
            };
            let units = given.quantity.max(0);
            if telling.time() <= newest.version {
                line.refunded_before = line.refunded_before.saturating_add(units);
            } else {
                line.refunded_after = line.refunded_after.saturating_add(units);
            }
            if given.restock == Some(Restock::Cancel) {
                line.cancelled_units = line.cancelled_units.saturating_add(units);
            }
            let whole = line.refunded_units() >= line.item.quantity || line.kept() == 0;
            if whole && line.refunded_by.is_none() {
                line.refunded_by = Some((telling.time(), *place));
            }
        }
        let same = refund.amount.currency == newest.currency;
        // Who tells the running total may tell steps of it that overlap.
        if same && refund.refunded_total.is_none() {
            total = total.saturating_add(refund.amount.amount);
        }
        let told = refund
            .refunded_total
            .as_ref()
            .filter(|money| money.currency == newest.currency)
            .map_or(0, |money| money.amount);
        let reached = newest.total.amount > 0 && total.max(told) >= newest.total.amount;
        if (refund.scope == RefundScope::Full || reached) && tallies.refunded_by.is_none() {
            tallies.refunded_by = Some((telling.time(), *place));
        }
    }
    if tallies.refunded_by.is_none() {
        // The refund itself may have been lost on its way; the order's status says it.
        tallies.refunded_by = dossier
            .sightings
            .iter()
            .filter(|seen| seen.order.payment_status == "refunded")
            .map(|seen| (seen.row.time, seen.telling))
            .min()
            .filter(|_| newest.payment_status == "refunded");
    }
    if let Some(by) = tallies.refunded_by {
        for line in &mut tallies.lines {
            if line.item.quantity > 0 && line.refunded_by.is_none() {
                line.refunded_by = Some(by);
            }
        }
    }
}

/// What a return's status means; the set is open, and what is not known is still open.
#[derive(PartialEq)]
enum Stand {
    Open,
    Received,
    Declined,
    Settled,
}

fn stand(status: &str) -> Stand {
    match status {
        "received" | "returned" | "refunded" | "restocked" | "inspected" => Stand::Received,
        "declined" | "cancelled" | "canceled" | "rejected" => Stand::Declined,
        "closed" | "resolved" | "completed" | "processed" => Stand::Settled,
        _ => Stand::Open,
    }
}

fn returns(
    tallies: &mut Tallies,
    dossier: &Dossier<'_>,
    tellings: &[Telling<'_>],
    policy: &Policy,
    zone: &TimeZone,
    now: Timestamp,
) {
    let mut by_id: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for place in &dossier.tellings {
        let telling = &tellings[*place];
        if let Some(told) = &telling.body().return_ {
            by_id
                .entry((telling.source(), told.return_id.as_str()))
                .or_default()
                .push(*place);
        }
    }
    let settled_by_refund = |id: &str| {
        dossier.tellings.iter().any(|place| {
            let refund = tellings[*place].body().refund.as_ref();
            refund.is_some_and(|refund| refund.return_id.as_deref() == Some(id))
        })
    };
    for ((_, id), places) in by_id {
        let told = |place: &usize| tellings[*place].body().return_.as_ref();
        // The latest telling that names items says what comes back; none: everything.
        let items = places
            .iter()
            .rev()
            .filter_map(told)
            .map(|told| &told.items)
            .find(|items| !items.is_empty());
        let received = places
            .iter()
            .find(|place| told(place).is_some_and(|r| stand(&r.status) == Stand::Received));
        let last = places[places.len() - 1];
        let latest = told(&last).map_or(Stand::Open, |r| stand(&r.status));
        let free = Stand::Declined == latest && received.is_none();
        let until = policy.ticket_cool_down.after(tellings[last].time(), zone);
        if free && until > now {
            tallies.cool_downs.push(until);
        }
        let open = received.is_none()
            && !settled_by_refund(id)
            && match latest {
                Stand::Open => true,
                Stand::Declined => until > now,
                Stand::Received | Stand::Settled => false,
            };
        for line in &mut tallies.lines {
            let units = match items {
                None => line.item.quantity,
                Some(items) => items
                    .iter()
                    .filter(|item| match &item.line_id {
                        Some(id) => line.item.line_id == *id,
                        None => item.sku.is_some() && item.sku == line.item.sku,
                    })
                    .map(|item| item.quantity.max(0))
                    .fold(0, i64::saturating_add),
            };
            if units == 0 {
                continue;
            }
            if let Some(place) = received {
                line.returned_units = line.returned_units.saturating_add(units);
                if line.returned_by.is_none() {
                    line.returned_by = Some((tellings[*place].time(), *place));
                }
            }
            line.return_open |= open;
        }
    }
    for line in &mut tallies.lines {
        line.return_open &= line.kept() > 0 && line.refunded_by.is_none();
    }
}
