//! Which sequences a proof is about, with those that they need, and what they mention.

use super::literals::{Comparison, comparisons, names, rarities};
use super::setting::countries;
use crate::model::event::{EventKind, FactKind};
use crate::model::kind::Kind;
use crate::sequence::catalog::{Anchor, Catalog, Each, Sequence, Timed};
use crate::sequence::condition::Condition;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Education sequences that are looked at beside an ask, at most: they earn it.
const MAX_HELPERS: usize = 12;

/// Where goods go that leave the only country of a policy.
const ELSEWHERE: &str = "NZ";

/// The catalogue with only the named sequences and those that they need: the ones whose
/// mails they start from or ask about, and for an ask the help that earns it.
pub(super) fn with_needed(catalog: &Catalog, ids: &[&str]) -> Catalog {
    let mut wanted: BTreeSet<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    loop {
        let mut more: BTreeSet<String> = BTreeSet::new();
        for sequence in catalog
            .sequences
            .iter()
            .filter(|one| wanted.contains(&one.id))
        {
            let named = conditions(sequence)
                .flat_map(|one| one.sent_steps().iter().map(|(name, _)| name.as_str()))
                .chain(sequence.start.of.as_deref());
            more.extend(
                named
                    .filter_map(|name| name.split_once('/'))
                    .map(|(id, _)| id.to_owned()),
            );
            if sequence.steps.iter().any(|step| step.kind.is_ask())
                && !helped(catalog, &wanted, &more)
            {
                more.extend(
                    catalog
                        .sequences
                        .iter()
                        .filter(|one| helps(one))
                        .take(MAX_HELPERS)
                        .map(|one| one.id.clone()),
                );
            }
        }
        let before = wanted.len();
        wanted.extend(more);
        if wanted.len() == before {
            break;
        }
    }
    let sequences: Vec<Sequence> = catalog
        .sequences
        .iter()
        .filter(|one| wanted.contains(&one.id))
        .cloned()
        .collect();
    Catalog {
        sequences: Arc::new(sequences),
        ..catalog.clone()
    }
}

fn helps(sequence: &Sequence) -> bool {
    sequence
        .steps
        .iter()
        .any(|step| step.kind == Kind::Education)
}

fn helped(catalog: &Catalog, wanted: &BTreeSet<String>, more: &BTreeSet<String>) -> bool {
    catalog
        .sequences
        .iter()
        .any(|one| helps(one) && (wanted.contains(&one.id) || more.contains(&one.id)))
}

/// Every condition of a sequence.
pub(super) fn conditions(sequence: &Sequence) -> impl Iterator<Item = &Condition> {
    let of_steps = sequence
        .all_forms()
        .flat_map(|step| step.when.iter().chain(&step.unless));
    sequence
        .start
        .where_
        .iter()
        .chain(of_steps)
        .chain(sequence.pauses.iter().map(|pause| &pause.while_))
        .chain(sequence.stops.iter().filter_map(|stop| stop.when.as_ref()))
}

/// What a set of sequences mentions.
#[derive(Debug, Default)]
pub(super) struct Mentions {
    pub(super) facts: BTreeSet<FactKind>,
    /// The texts of all conditions.
    texts: Vec<String>,
    pub(super) comparisons: Vec<Comparison>,
    /// The names that conditions say.
    pub(super) names: BTreeSet<String>,
    /// Something of it is under limits and may be stopped.
    pub(super) bound: bool,
    /// Something of it asks.
    pub(super) asks: bool,
    /// Something repeats for every parcel.
    pub(super) each_parcel: bool,
    /// Silence after dispatch counts as arrival.
    pub(super) assumes_delivery: bool,
}

impl Mentions {
    pub(super) fn of(catalog: &Catalog) -> Mentions {
        let mut all = Mentions {
            assumes_delivery: !catalog.policy.assume.is_empty(),
            ..Mentions::default()
        };
        for sequence in catalog.sequences.iter() {
            all.facts.insert(sequence.start.on);
            if let Some(Timed::Absence { of, .. }) = &sequence.start.timed {
                all.facts.insert(*of);
            }
            for stop in &sequence.stops {
                all.facts.extend(stop.on.iter().copied());
            }
            for step in sequence.all_forms() {
                if let Anchor::Fact(kind) = &step.anchor {
                    all.facts.insert(*kind);
                }
                all.bound |= step.kind.is_bound();
                all.asks |= step.kind.is_ask();
                all.each_parcel |= step.each == Some(Each::Shipment);
            }
            for condition in conditions(sequence) {
                all.texts.push(condition.text().to_owned());
                all.names.extend(names(condition.text()));
                let text = condition.text();
                for one in comparisons(text).into_iter().chain(rarities(text)) {
                    if !all.comparisons.contains(&one) {
                        all.comparisons.push(one);
                    }
                }
            }
        }
        // Goods that go to another country than the buyer's are a matter of two names.
        let speaks_of = |name: &str| all.names.contains(name);
        if speaks_of("order.ship_to.country") || speaks_of("order.gift") {
            let other = countries(&catalog.policy).into_iter().nth(1);
            all.comparisons.push(Comparison {
                path: "order.ship_to.country".to_owned(),
                value: other.unwrap_or_else(|| ELSEWHERE.to_owned()).into(),
            });
        }
        all
    }

    /// Whether an event of this kind is mentioned.
    pub(super) fn has(&self, kind: EventKind) -> bool {
        self.facts.contains(&FactKind::Event(kind))
    }

    /// Whether some condition says this word.
    pub(super) fn uses(&self, word: &str) -> bool {
        self.texts.iter().any(|text| text.contains(word))
    }
}
