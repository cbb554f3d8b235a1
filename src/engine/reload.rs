//! The files in force: read whole, checked whole, swapped whole. A set with an error
//! never replaces a good one.

use super::{Engine, EngineError, experiments, transit};
use crate::files;
use crate::lint;
use crate::model::allow::{self, Allowance};
use crate::model::codes;
use crate::model::cores;
use crate::model::diagnostic::{Diagnostic, Severity};
use crate::model::event::Event;
use crate::model::kind::Kind;
use crate::model::names::Known;
use crate::model::policy::Policy;
use crate::model::time::{self, Timestamp};
use crate::model::transit::Transits;
use crate::plan::scenario;
use crate::render::proof::{ProofPolicy, Proofreader};
use crate::render::{self, LoadPolicy, Templates};
use crate::sequence::{
    self, Draft,
    catalog::{Catalog, Sequence, Step},
};
use crate::store::Store;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Under which key the database remembers when each step was first in the files.
const STEPS_SEEN: &str = "steps_seen";

/// One complete, valid set of files.
#[derive(Debug, Clone)]
pub struct Live {
    pub catalog: Catalog,
    pub templates: Arc<Templates>,
    /// The products of the files alone, under what events say.
    feed: Arc<crate::model::product::Products>,
    /// The number of what parcels taught.
    pub(super) taught: i64,
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

/// What was said of the files when they were read.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// Counts readings; 0 where there was none since the start.
    pub number: u64,
    pub problems: Arc<Vec<Diagnostic>>,
    pub files: Arc<Vec<(String, String)>>,
}

/// Reads and checks a shop's folder: sequences, policy, catalogue, and every mail in
/// every locale against the names of its step.
pub fn read(shop: &Path) -> Read {
    Reader::default().read(shop)
}

/// As [`read`], with the problems of scenarios: those keep nobody from sending, so they
/// are no matter for the service.
pub fn read_all(shop: &Path) -> Read {
    let mut read = read(shop);
    if let Some(live) = &read.live {
        let (_, found) = scenario::read(&live.catalog, &read.files);
        read.problems.extend(found);
        Diagnostic::order(&mut read.problems);
        super::gather::gather(&mut read.problems);
    }
    read
}

/// Checks files that were read, after the `problems` of reading them: everything but the
/// disk, so that tests and tools can check files that are on none.
pub fn check(files: Vec<(String, String)>, problems: Vec<Diagnostic>) -> Read {
    Reader::default().check(files, problems)
}

/// Reads a shop's folder again and again, and does not do again what the files that
/// changed have no part in. What it finds never depends on what it found before.
#[derive(Debug, Default)]
pub struct Reader {
    templates: Option<Arc<Templates>>,
    sequences: Option<Sequences>,
    proofs: Proofreader,
    /// What `checked` was checked against.
    load: Option<LoadPolicy>,
    /// By sequence and step.
    checked: HashMap<(String, String), Checked>,
}

/// What was read of the files in `config/`.
#[derive(Debug)]
struct Sequences {
    files: Vec<(String, String)>,
    draft: Draft,
    problems: Vec<Diagnostic>,
    allowances: Vec<Allowance>,
    /// What was said of the allowances themselves.
    refused: Vec<Diagnostic>,
    /// What was said of it as a whole, once somebody asked.
    rules: Option<Vec<Diagnostic>>,
}

/// What was said of one step's mail.
#[derive(Debug)]
struct Checked {
    mail: String,
    known: Known,
    kind: Kind,
    /// Of the mail's files in all languages.
    fingerprint: u64,
    problems: Vec<Diagnostic>,
}

impl Reader {
    /// Reads and checks the folder as it is now.
    pub fn read(&mut self, shop: &Path) -> Read {
        let (files, problems) = files::read(shop);
        self.check(files, problems)
    }

    /// What the files in `config/` say.
    fn sequences(&mut self, files: &[(String, String)]) -> &mut Sequences {
        let own = || files.iter().filter(|(path, _)| path.starts_with("config/"));
        let kept = self
            .sequences
            .take()
            .filter(|had| own().eq(had.files.iter()));
        let mut read = kept.unwrap_or_else(|| {
            let (draft, problems) = sequence::draft(files);
            let (allowances, refused) = sequence::allowances(files);
            Sequences {
                files: own().cloned().collect(),
                draft,
                problems,
                allowances,
                refused,
                rules: None,
            }
        });
        if let Some(catalog) = &mut read.draft.catalog {
            catalog.version = sequence::version(files);
        }
        self.sequences.insert(read)
    }

    /// What is said of every step's mail, in the order of `steps`. What was said of the
    /// very same mail before is not found out again.
    fn check_steps(
        &mut self,
        templates: &Templates,
        steps: &[(&Sequence, &Step)],
        load: &LoadPolicy,
    ) -> Vec<Vec<Diagnostic>> {
        let key = |sequence: &Sequence, step: &Step| (sequence.id.clone(), step.id.clone());
        let checked = &self.checked;
        let found = cores::each(steps, |(sequence, step)| {
            let fingerprint = templates.fingerprint(&step.mail);
            if let Some(had) = checked.get(&key(sequence, step))
                && had.fingerprint == fingerprint
                && had.mail == step.mail
                && had.known == step.known
                && had.kind == step.kind
            {
                return Err(had.problems.clone());
            }
            let problems = templates.check(
                &step.mail,
                &step.known,
                step.kind,
                &load.locales,
                load.fallback.as_deref(),
            );
            Ok(Checked {
                mail: step.mail.clone(),
                known: step.known.clone(),
                kind: step.kind,
                fingerprint,
                problems,
            })
        });
        let keep = |(found, (sequence, step)): (_, &(&Sequence, &Step))| match found {
            Ok(fresh) => {
                let fresh: Checked = fresh;
                let problems = fresh.problems.clone();
                self.checked.insert(key(sequence, step), fresh);
                problems
            }
            Err(kept) => kept,
        };
        found.into_iter().zip(steps).map(keep).collect()
    }

    /// As [`check`].
    pub fn check(&mut self, files: Vec<(String, String)>, mut problems: Vec<Diagnostic>) -> Read {
        let unreadable: Vec<String> = problems.iter().map(|one| one.file.clone()).collect();
        let sequences = self.sequences(&files);
        let (draft, found) = (sequences.draft.clone(), sequences.problems.clone());
        let (mut allowances, refused) = (sequences.allowances.clone(), sequences.refused.clone());
        // A file that cannot be read is not missing.
        let found = found
            .into_iter()
            .filter(|one| one.span != (0..0) || !unreadable.contains(&one.file));
        problems.extend(found);
        let templates = draft.languages.map(|(locales, fallback)| {
            let load = LoadPolicy {
                locales,
                fallback,
                brand: draft.brand,
                campaign: draft.campaign,
            };
            // Other languages or brands, other checks.
            if self.load.as_ref() != Some(&load) {
                self.checked.clear();
                self.load = Some(load.clone());
            }
            let (templates, found) =
                Templates::load_after(&files, &load, self.templates.as_deref());
            let templates = Arc::new(templates);
            self.templates = Some(Arc::clone(&templates));
            problems.extend(found);
            let steps: Vec<(&Sequence, &Step)> = (draft.sequences.iter())
                .flat_map(|sequence| sequence.all_forms().map(move |step| (sequence, step)))
                .collect();
            let found = self.check_steps(&templates, &steps, &load);
            for (found, (_, step)) in found.into_iter().zip(steps) {
                // A mail of which there is no file is told where it is named.
                let place = (found.iter())
                    .any(|one| one.code == "E210" && templates.locales_of(&step.mail).is_empty())
                    .then(|| files.iter().find(|(path, _)| *path == step.place.file))
                    .flatten()
                    .and_then(|(_, text)| sequence::place_of_mail(text, &step.mail));
                problems.extend(found.into_iter().map(|one| match &place {
                    Some(span) => Diagnostic {
                        file: step.place.file.clone(),
                        span: span.clone(),
                        ..one
                    },
                    None => one,
                }));
            }
            render::settle_values(&mut problems);
            problems.extend(templates.weigh());
            let policy = ProofPolicy {
                locales: load.locales,
                // Unknown while the policy cannot be read: then nothing is said of it.
                url: (draft.catalog.as_ref()).map(|catalog| catalog.policy.url.clone()),
                courses: draft.sequences.iter().map(course).collect(),
            };
            problems.extend(self.proofs.read(&files, &policy));
            templates
        });
        if let (Some(catalog), Some(templates)) = (&draft.catalog, &templates) {
            let kept = self.sequences.as_mut();
            let rules = kept.map(|had| {
                let look = || lint::look_at_rules(&files, catalog);
                had.rules.get_or_insert_with(look).clone()
            });
            problems.extend(rules.into_iter().flatten());
            problems.extend(lint::look_at_mails(&files, catalog, templates));
        }
        problems.extend(refused);
        allowances.extend(render::allowances(&files));
        allow::settle(&mut problems, &allowances, codes::is_of_check);
        super::consequences::settle(&mut problems);
        let good = problems
            .iter()
            .all(|problem| problem.severity() != Severity::Error);
        let live = (draft.catalog.zip(templates))
            .filter(|_| good)
            .map(|(catalog, templates)| Live::new(catalog, templates));
        Diagnostic::order(&mut problems);
        super::gather::gather(&mut problems);
        Read {
            live,
            problems,
            files,
            allowances,
        }
    }
}

/// A sequence's mails in the order of its steps.
fn course(sequence: &Sequence) -> (String, Vec<String>) {
    let mut mails: Vec<String> = sequence
        .steps
        .iter()
        .map(|step| step.mail.clone())
        .collect();
    // Arms of an experiment may have mails of their own.
    for step in sequence.all_forms() {
        if !mails.contains(&step.mail) {
            mails.push(step.mail.clone());
        }
    }
    (sequence.id.clone(), mails)
}

impl Live {
    /// A set that was read and checked elsewhere.
    pub fn new(catalog: Catalog, templates: impl Into<Arc<Templates>>) -> Self {
        Live {
            feed: Arc::clone(&catalog.products),
            templates: templates.into(),
            taught: 0,
            catalog,
        }
    }

    /// Lays what the shop's parcels have taught beside the policy.
    pub(super) fn with_transits(mut self, table: Transits, edition: i64) -> Self {
        self.catalog.policy = Arc::new(Policy {
            transits: Arc::new(table),
            ..(*self.catalog.policy).clone()
        });
        self.taught = edition;
        self
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

    /// Notes when each step, and each start that time brings, was first seen by this
    /// install: before `now` where `seen` knows it, else now. The very first set of files
    /// was always there.
    fn with_steps_seen(mut self, seen: &mut BTreeMap<String, i64>, now: Timestamp) -> Self {
        let first = seen.is_empty();
        let mut sequences = (*self.catalog.sequences).clone();
        // Under each of its names, the newest first.
        let mut since = |names: &[String]| {
            let known = names.iter().find_map(|name| seen.get(name).copied());
            let since = known.unwrap_or(if first { i64::MIN } else { time::to_ms(now) });
            if let Some(newest) = names.first() {
                seen.entry(newest.clone()).or_insert(since);
            }
            (since != i64::MIN).then(|| time::from_ms(since))
        };
        for sequence in &mut sequences {
            if let Some(name) = sequence.timed_name() {
                sequence.start.since = since(&[name]);
            }
            let ids: Vec<String> = sequence.ids().map(str::to_owned).collect();
            let arms = sequence.experiment.iter_mut().flat_map(|one| &mut one.arms);
            let forms = arms.flat_map(|arm| &mut arm.steps);
            for step in sequence.steps.iter_mut().chain(forms) {
                let of_sequence = |id: &String| -> Vec<String> {
                    step.ids().map(|step| format!("{id}/{step}")).collect()
                };
                let names: Vec<String> = ids.iter().flat_map(of_sequence).collect();
                step.since = since(&names);
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
        self.live.store(Arc::new(live));
        self.catch_up().await?;
        self.to_plan.notify_one();
        Ok(())
    }

    /// Tells what was said of the files, to those who watch.
    pub fn tell(&self, problems: Vec<Diagnostic>, files: Vec<(String, String)>) {
        self.said.send_modify(|said| {
            said.number += 1;
            said.problems = Arc::new(problems);
            said.files = Arc::new(files);
        });
    }

    /// Takes in what another process was told about products.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn look_for_products(&self) -> Result<(), EngineError> {
        let seen = self.store.product_events_seen().await?;
        if seen > self.products_seen.load(Ordering::Relaxed) {
            self.refresh_products().await?;
        }
        Ok(())
    }

    /// Takes in what product events say now, and wakes those who waited for it.
    pub(super) async fn refresh_products(&self) -> Result<(), EngineError> {
        let seen = self.store.product_events_seen().await?;
        let events = self.store.product_events().await?;
        let before = super::waking::used_up(&self.live().catalog);
        let live = (*self.live()).clone().with_products(events);
        if super::waking::used_up(&live.catalog) != before {
            self.used_up_changed.store(true, Ordering::Release);
        }
        self.live.store(Arc::new(live));
        self.products_seen.store(seen, Ordering::Relaxed);
        self.store.wake_waiting(self.now()).await?;
        self.to_plan.notify_one();
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
    let (table, edition) = transit::learnt(store).await?;
    let live = live
        .with_transits(table, edition)
        .with_steps_seen(&mut seen, now)
        .with_products(store.product_events().await?);
    if remember && seen.len() != before {
        let text = serde_json::to_string(&seen).unwrap_or_default();
        store.set_meta(STEPS_SEEN, &text).await?;
    }
    if remember {
        for fault in experiments::look(store, &live.catalog, true).await? {
            tracing::warn!(experiment = fault.experiment, "{}", fault.message);
        }
    }
    Ok(live)
}
