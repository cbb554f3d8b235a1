//! Which orders there are, what their sources last said of them, and which order each
//! fact concerns (`docs/events.md`, rules 5, 9, 11).

use super::telling::{Telling, by_content};
use crate::model::event::{Event, EventKind, Order as Snapshot, OrderRef};
use crate::model::time::Timestamp;
use std::collections::BTreeMap;

/// One look at an order: a snapshot and the row that carries it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sighting<'a> {
    pub(super) order: &'a Snapshot,
    pub(super) row: &'a Event,
    /// Index of the telling that the row belongs to.
    pub(super) telling: usize,
}

/// All that was seen of one order.
#[derive(Debug)]
pub(super) struct Dossier<'a> {
    pub(super) source: &'a str,
    pub(super) key: String,
    /// By (version, recorded, content); never empty.
    pub(super) sightings: Vec<Sighting<'a>>,
    /// Tellings that concern it, in their order.
    pub(super) tellings: Vec<usize>,
    pub(super) test: bool,
}

impl<'a> Dossier<'a> {
    pub(super) fn newest(&self) -> &Sighting<'a> {
        &self.sightings[self.sightings.len() - 1]
    }

    /// When it was placed: as its source says, else its earliest fact.
    pub(super) fn placed_at(&self) -> Option<Timestamp> {
        self.newest()
            .order
            .placed_at
            .or_else(|| self.sightings.iter().map(|seen| seen.row.time).min())
    }
}

/// All orders of a person.
#[derive(Debug)]
pub(super) struct Book<'a> {
    pub(super) dossiers: Vec<Dossier<'a>>,
    /// For every telling the dossier that it concerns.
    pub(super) of_telling: Vec<Option<usize>>,
}

/// The form of an order number under which `#1042` and `1042` are one.
pub(super) fn number(text: &str) -> &str {
    text.trim().trim_start_matches('#')
}

/// Whether a payment status means that the money came in, at some time.
pub(super) fn says_paid(status: &str) -> bool {
    matches!(status, "paid" | "partially_refunded" | "refunded")
}

impl<'a> Book<'a> {
    pub(super) fn open(tellings: &[Telling<'a>]) -> Book<'a> {
        let mut seen: BTreeMap<(&str, &str), Vec<Sighting<'a>>> = BTreeMap::new();
        for (place, telling) in tellings.iter().enumerate() {
            for row in telling.rows() {
                if let Some(order) = &row.body.order {
                    seen.entry((row.source.as_str(), order.order_id.as_str()))
                        .or_default()
                        .push(Sighting {
                            order,
                            row,
                            telling: place,
                        });
                }
            }
        }
        let mut dossiers: Vec<Dossier<'a>> = seen
            .into_iter()
            .map(|((source, id), mut sightings)| {
                sightings.sort_by(|a, b| {
                    (a.order.version, a.row.recorded)
                        .cmp(&(b.order.version, b.row.recorded))
                        .then_with(|| by_content(&a.row.body, &b.row.body))
                });
                Dossier {
                    source,
                    key: id.to_owned(),
                    sightings,
                    tellings: Vec::new(),
                    test: false,
                }
            })
            .collect();
        distinguish(&mut dossiers);
        dossiers.sort_by(|a, b| {
            (a.placed_at(), &a.key, a.source).cmp(&(b.placed_at(), &b.key, b.source))
        });
        let mut book = Book {
            dossiers,
            of_telling: vec![None; tellings.len()],
        };
        book.refer(tellings);
        book
    }

    fn refer(&mut self, tellings: &[Telling<'a>]) {
        let mut told: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
        for (place, telling) in tellings.iter().enumerate() {
            let found = match &telling.body().order {
                Some(order) => self.exact(telling.source(), &order.order_id),
                None => telling
                    .body()
                    .order_ref
                    .as_ref()
                    .and_then(|order| self.resolve(telling.source(), order)),
            };
            self.of_telling[place] = found;
            if let (Some(found), Some((sort, id))) = (found, thread(telling)) {
                told.insert((telling.source(), sort, id), found);
            }
        }
        // A later word on a dispute or a return often names no order any more.
        for (place, telling) in tellings.iter().enumerate() {
            if self.of_telling[place].is_none()
                && let Some((sort, id)) = thread(telling)
            {
                self.of_telling[place] = told.get(&(telling.source(), sort, id)).copied();
            }
        }
        for place in 0..tellings.len() {
            if let Some(of) = self.of_telling[place] {
                self.dossiers[of].tellings.push(place);
            }
        }
        for dossier in &mut self.dossiers {
            dossier.test = dossier.sightings.iter().any(|seen| seen.row.body.test);
        }
    }

    fn exact(&self, source: &str, id: &str) -> Option<usize> {
        self.dossiers
            .iter()
            .position(|d| d.source == source && d.newest().order.order_id == id)
    }

    /// The order that a reference means: by id, alias, number; in the reference's own
    /// source first, then in any other where only one fits.
    pub(super) fn resolve(&self, source: &str, order: &OrderRef) -> Option<usize> {
        let among = |fits: &dyn Fn(&Snapshot) -> bool| {
            let fitting = |own: bool| {
                let mut found = self
                    .dossiers
                    .iter()
                    .enumerate()
                    .filter(|(_, d)| (d.source == source) == own && fits(d.newest().order))
                    .map(|(place, _)| place);
                let first = found.next();
                if found.next().is_some() { None } else { first }
            };
            fitting(true).or_else(|| fitting(false))
        };
        order
            .order_id
            .as_deref()
            .and_then(|id| among(&|o| o.order_id == id))
            .or_else(|| {
                let names = order.order_id.iter().chain(&order.aliases);
                names
                    .into_iter()
                    .find_map(|alias| among(&|o| o.aliases.contains(alias)))
            })
            .or_else(|| {
                let wanted = number(order.order_number.as_deref()?);
                among(&|o| o.order_number.as_deref().map(number) == Some(wanted))
            })
    }
}

/// What a fact continues: a return, a dispute, a ticket.
fn thread<'a>(telling: &Telling<'a>) -> Option<(&'static str, &'a str)> {
    let body = telling.body();
    body.dispute
        .as_ref()
        .map(|dispute| ("dispute", dispute.dispute_id.as_str()))
        .or_else(|| {
            body.return_
                .as_ref()
                .map(|r| ("return", r.return_id.as_str()))
        })
        .or_else(|| {
            body.ticket
                .as_ref()
                .map(|t| ("ticket", t.ticket_id.as_str()))
        })
}

/// Gives orders of two sources that share an id keys of their own. The one seen first
/// (by its facts' times) keeps the plain id.
fn distinguish(dossiers: &mut [Dossier<'_>]) {
    let since = |d: &Dossier<'_>| d.sightings.iter().map(|seen| seen.row.time).min();
    for place in 0..dossiers.len() {
        let mine = &dossiers[place];
        let rank = (since(mine), mine.source);
        let clashes = dossiers.iter().any(|other| {
            other.newest().order.order_id == mine.newest().order.order_id
                && (since(other), other.source) < rank
        });
        if clashes {
            let key = format!("{}@{}", mine.newest().order.order_id, mine.source);
            dossiers[place].key = key;
        }
    }
}

/// When the order was paid, and the telling that says so: an `order.paid`, or the first
/// snapshot with such a status. A later revision of a fact that first said otherwise
/// counts from its version.
pub(super) fn paid(dossier: &Dossier<'_>, tellings: &[Telling<'_>]) -> Option<(Timestamp, usize)> {
    let events = dossier
        .tellings
        .iter()
        .filter(|place| tellings[**place].kind() == EventKind::OrderPaid)
        .map(|place| (tellings[*place].time(), *place));
    let snapshots = dossier
        .sightings
        .iter()
        .filter(|seen| says_paid(&seen.order.payment_status))
        .map(|seen| {
            let denied = tellings[seen.telling].rows().iter().any(|row| {
                row.body.order.as_ref().is_some_and(|order| {
                    order.version < seen.order.version && !says_paid(&order.payment_status)
                })
            });
            let time = if denied {
                seen.order.version.max(seen.row.time)
            } else {
                seen.row.time
            };
            (time, seen.telling)
        });
    events.chain(snapshots).min()
}

/// When the order was cancelled, and by which telling: the last cancellation, unless
/// the shop itself dispatched something after it (it was fulfilled again).
pub(super) fn cancelled(
    dossier: &Dossier<'_>,
    tellings: &[Telling<'_>],
) -> Option<(Timestamp, usize)> {
    let mut own = dossier
        .tellings
        .iter()
        .map(|place| (&tellings[*place], *place));
    let first = own
        .by_ref()
        .find(|(telling, _)| telling.kind() == EventKind::OrderCancelled)
        .map(|(telling, place)| (telling.time(), place))?;
    let last = dossier
        .tellings
        .iter()
        .filter(|place| tellings[**place].kind() == EventKind::OrderCancelled)
        .map(|place| tellings[*place].time())
        .max()
        .unwrap_or(first.0);
    let again = dossier.tellings.iter().any(|place| {
        let telling = &tellings[*place];
        telling.kind() == EventKind::ShipmentDispatched
            && telling.source() == dossier.source
            && telling.time() > last
    });
    (!again).then_some(first)
}
