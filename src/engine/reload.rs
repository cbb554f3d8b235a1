//! The files in force: read whole, checked whole, swapped whole. A set with an error
//! never replaces a good one.

use super::{Engine, EngineError};
use crate::files;
use crate::lint;
use crate::model::allow::{self, Allowance};
use crate::model::codes;
use crate::model::diagnostic::{Diagnostic, Severity};
use crate::model::event::Event;
use crate::model::time::{self, Timestamp};
use crate::render::proof::{ProofPolicy, proofread};
use crate::render::{self, LoadPolicy, Templates};
use crate::sequence::{
    self,
    catalog::{Catalog, Sequence},
};
use crate::store::Store;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Under which key the database remembers when each step was first in the files.
const STEPS_SEEN: &str = "steps_seen";

/// One complete, valid set of files.
#[derive(Debug, Clone)]
pub struct Live {
    pub catalog: Catalog,
    pub templates: Arc<Templates>,
    /// The products of the files alone, under what events say.
    feed: Arc<crate::model::product::Products>,
}

/// What a folder holds: a set, if it is without errors, and every problem.
#[derive(Debug)]
pub struct Read {
    pub live: Option<Live>,
    pub problems: Vec<Diagnostic>,
    /// The texts, for showing problems in their place.
    pub files: Vec<(String, String)>,
    /// What the files turn off, for those who find problems in other ways.
    pub allowances: Vec<Allowance>,
}

/// Reads and checks a shop's folder: sequences, policy, catalogue, and every mail in
/// every locale against the names of its step.
pub fn read(shop: &Path) -> Read {
    let (files, problems) = files::read(shop);
    check(files, problems)
}

/// Checks files that were read, after the `problems` of reading them: everything but the
/// disk, so that tests and tools can check files that are on none.
pub fn check(files: Vec<(String, String)>, mut problems: Vec<Diagnostic>) -> Read {
    let unreadable: Vec<String> = problems.iter().map(|one| one.file.clone()).collect();
    let (draft, found) = sequence::draft(&files);
    // A file that cannot be read is not missing.
    let found = found
        .into_iter()
        .filter(|one| one.span != (0..0) || !unreadable.contains(&one.file));
    problems.extend(found);
    let templates = draft.languages.map(|(locales, fallback)| {
        let load = LoadPolicy { locales, fallback };
        let (templates, found) = Templates::load(&files, &load);
        problems.extend(found);
        for step in draft.sequences.iter().flat_map(|one| &one.steps) {
            problems.extend(templates.check(
                &step.mail,
                &step.known,
                step.kind,
                &load.locales,
                load.fallback.as_deref(),
            ));
        }
        problems.extend(templates.weigh());
        let policy = ProofPolicy {
            locales: load.locales,
            // Unknown while the policy cannot be read: then nothing is said of it.
            url: (draft.catalog.as_ref()).map(|catalog| catalog.policy.url.clone()),
            courses: draft.sequences.iter().map(course).collect(),
        };
        problems.extend(proofread(&files, &policy));
        templates
    });
    if let (Some(catalog), Some(templates)) = (&draft.catalog, &templates) {
        problems.extend(lint::look(&files, catalog, templates));
    }
    let (mut allowances, found) = sequence::allowances(&files);
    problems.extend(found);
    allowances.extend(render::allowances(&files));
    allow::settle(&mut problems, &allowances, codes::is_of_check);
    let good = problems
        .iter()
        .all(|problem| problem.severity() != Severity::Error);
    let live = (draft.catalog.zip(templates))
        .filter(|_| good)
        .map(|(catalog, templates)| Live::new(catalog, templates));
    Diagnostic::order(&mut problems);
    Read {
        live,
        problems,
        files,
        allowances,
    }
}

/// A sequence's mails in the order of its steps.
fn course(sequence: &Sequence) -> (String, Vec<String>) {
    let mails = sequence.steps.iter().map(|step| step.mail.clone());
    (sequence.id.clone(), mails.collect())
}

impl Live {
    /// A set that was read and checked elsewhere.
    pub fn new(catalog: Catalog, templates: Templates) -> Self {
        Live {
            feed: Arc::clone(&catalog.products),
            templates: Arc::new(templates),
            catalog,
        }
    }

    /// Lays what `product.updated` events say over the feed, oldest first.
    pub fn with_products(mut self, mut events: Vec<Event>) -> Self {
        let mut products = (*self.feed).clone();
        events.sort_by(|a, b| (a.time, &a.sequence, &a.id).cmp(&(b.time, &b.sequence, &b.id)));
        for product in events
            .iter()
            .filter_map(|event| event.body.product.as_ref())
        {
            products.update(product);
        }
        self.catalog.products = Arc::new(products);
        self
    }

    /// Notes when each step was first seen by this install: before `now` where `seen`
    /// knows it, else now. The very first set of files was always there.
    fn with_steps_seen(mut self, seen: &mut BTreeMap<String, i64>, now: Timestamp) -> Self {
        let first = seen.is_empty();
        let mut sequences = (*self.catalog.sequences).clone();
        for sequence in &mut sequences {
            for step in &mut sequence.steps {
                let name = format!("{}/{}", sequence.id, step.id);
                let since =
                    *seen
                        .entry(name)
                        .or_insert(if first { i64::MIN } else { time::to_ms(now) });
                step.since = (since != i64::MIN).then(|| time::from_ms(since));
            }
        }
        self.catalog.sequences = Arc::new(sequences);
        self
    }
}

impl Engine {
    /// Puts a set of files in force and wakes everybody whom it may concern.
    ///
    /// # Errors
    /// The store's; the old set stays.
    pub async fn apply(&self, live: Live) -> Result<(), EngineError> {
        let live = dress(&self.store, live, self.now(), true).await?;
        let changed = self.live().catalog.version != live.catalog.version;
        self.live.store(Arc::new(live));
        if changed {
            self.store.wake_all(self.now()).await?;
        }
        self.to_plan.notify_one();
        Ok(())
    }

    /// Takes in what product events say now.
    pub(super) async fn refresh_products(&self) -> Result<(), EngineError> {
        let events = self.store.product_events().await?;
        let live = (*self.live()).clone().with_products(events);
        self.live.store(Arc::new(live));
        Ok(())
    }
}

/// A set of files with what the database knows of products and of its steps' age. Only
/// the service itself should have it `remember` steps that are new.
///
/// # Errors
/// The store's.
pub async fn dress(
    store: &Store,
    live: Live,
    now: Timestamp,
    remember: bool,
) -> Result<Live, EngineError> {
    let text = store.meta(STEPS_SEEN).await?;
    let mut seen: BTreeMap<String, i64> = text
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let before = seen.len();
    let live = live
        .with_steps_seen(&mut seen, now)
        .with_products(store.product_events().await?);
    if remember && seen.len() != before {
        let text = serde_json::to_string(&seen).unwrap_or_default();
        store.set_meta(STEPS_SEEN, &text).await?;
    }
    Ok(live)
}
