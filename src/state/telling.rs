//! Rows to tellings: the same fact told several times (revisions of one `(source,
//! id)`) is one telling. Nothing here depends on the order in which rows arrived.

use crate::model::event::{Body, Event, EventKind, IngestMode};
use crate::model::ids::EventSeq;
use crate::model::time::Timestamp;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// One fact with every row that tells it.
#[derive(Debug, Clone)]
pub(super) struct Telling<'a> {
    /// Never empty; by (time, recorded, version, content).
    rows: Vec<&'a Event>,
}

impl<'a> Telling<'a> {
    /// The row whose time is the fact's own.
    pub(super) fn first(&self) -> &'a Event {
        self.rows[0]
    }

    pub(super) fn rows(&self) -> &[&'a Event] {
        &self.rows
    }

    pub(super) fn kind(&self) -> EventKind {
        self.first().kind
    }

    pub(super) fn body(&self) -> &'a Body {
        &self.first().body
    }

    pub(super) fn time(&self) -> Timestamp {
        self.first().time
    }

    pub(super) fn source(&self) -> &'a str {
        &self.first().source
    }

    pub(super) fn evidence(&self) -> Vec<EventSeq> {
        self.rows.iter().map(|row| row.seq).collect()
    }

    /// Whether it was told again so that it acts.
    pub(super) fn is_replayed(&self) -> bool {
        self.rows.iter().any(|row| row.mode == IngestMode::Replay)
    }

    pub(super) fn is_test(&self) -> bool {
        self.rows.iter().any(|row| row.body.test)
    }
}

/// Orders two bodies by what they say, where nothing else tells them apart.
pub(super) fn by_content(left: &Body, right: &Body) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    let text = |body: &Body| serde_json::to_string(body).unwrap_or_default();
    text(left).cmp(&text(right))
}

fn version(row: &Event) -> Option<Timestamp> {
    row.body.order.as_ref().map(|order| order.version)
}

/// Gathers rows into tellings, by (time, source sequence, id, source).
pub(super) fn gather<'a>(rows: impl Iterator<Item = &'a Event>) -> Vec<Telling<'a>> {
    let mut by_name: BTreeMap<(&str, &str), Vec<&Event>> = BTreeMap::new();
    for row in rows {
        by_name
            .entry((row.id.as_str(), row.source.as_str()))
            .or_default()
            .push(row);
    }
    let mut tellings: Vec<Telling<'a>> = by_name
        .into_values()
        .map(|mut rows| {
            // Of a delivery the better telling counts, whichever came first (rule 6).
            let is_better = |row: &&Event| row.body.delivery.is_some();
            if rows.len() > 1 && rows.iter().any(is_better) {
                let best = rows.iter().map(|row| row.version()).max();
                rows.retain(|row| Some(row.version()) == best);
            }
            if rows.len() > 1 {
                rows.sort_by(|a, b| {
                    (a.time, a.recorded, version(a))
                        .cmp(&(b.time, b.recorded, version(b)))
                        .then_with(|| by_content(&a.body, &b.body))
                });
            }
            Telling { rows }
        })
        .collect();
    // The map gave them by (id, source) and the sort is stable.
    tellings.sort_by(|a, b| {
        let order = |t: &Telling<'a>| (t.first().time, t.first().sequence.as_deref());
        order(a).cmp(&order(b))
    });
    tellings
}
