//! Asking for what deliveries lost, page by page. A step asks one page, takes it in, and
//! only then writes down where to go on: what a crash loses is asked again, and what comes
//! twice is known.
//!
//! How far a source was asked is kept by the platform's own clock: the newest change that
//! it told, never later than when the run began. Each run begins a little before where
//! the last one ended, for changes that the platform writes down late. The first one
//! begins [`Asked::poll_back`] before now; what is older is for `aftercare import`.

use super::{Asked, Item, Trouble, bigcommerce, shopify, stripe, woocommerce};
use crate::engine::{Engine, EngineError};
use crate::ingest::adapters::{Beside, Headers, Outcome, hear};
use crate::model::platform::Platform;
use crate::model::time::{self, Timestamp, from_ms, to_ms};
use crate::store::{Incoming, Poison, Polled, Step};
use crate::telemetry;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// How far a run reaches back behind the newest change of the last one.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);
/// How long to wait before it is looked whether another process still asks.
pub const LOOK: Duration = Duration::from_secs(30);
/// How long a step may take before another process may take its place.
const LEASE: Duration = Duration::from_secs(300);
/// How long to wait after the first failure; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// The longest wait after failures.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// Changes near the end of a run that are remembered, so that the next one passes over
/// them. Those beyond are asked again, which does no harm.
const MAX_SEEN: usize = 500;
/// Most pages of one run. A platform that never comes to an end is started anew.
const MAX_PAGES: u32 = 100_000;

/// One list that a platform keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feed {
    Orders,
    Products,
    Events,
}

impl Feed {
    fn as_str(self) -> &'static str {
        match self {
            Feed::Orders => "orders",
            Feed::Products => "products",
            Feed::Events => "events",
        }
    }
}

/// What a platform can be asked for, in the order in which it is.
pub(super) fn feeds(platform: Platform) -> &'static [Feed] {
    match platform {
        // Products first: an order is understood better once they are known.
        Platform::Shopify | Platform::WooCommerce => &[Feed::Products, Feed::Orders],
        Platform::BigCommerce => &[Feed::Orders],
        Platform::Stripe => &[Feed::Events],
        _ => &[],
    }
}

/// Which page comes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Next {
    First,
    /// At an address that the platform gave.
    Url(String),
    /// After something, by the platform's name of it.
    After(String),
    /// The nth page of what changed since an instant.
    At {
        from: Option<Timestamp>,
        page: u32,
    },
}

/// A page, as a platform's part of this module made it out.
#[derive(Debug)]
pub(super) struct Page {
    pub items: Vec<Item>,
    pub next: Option<Next>,
    /// What time it is there.
    pub clock: Option<Timestamp>,
    /// How long to leave the platform alone before the next page.
    pub pause: Duration,
    /// What is wrong with it, where it goes on all the same.
    pub trouble: Option<String>,
}

/// One page asked for.
#[derive(Debug)]
pub(super) struct Wanted<'w> {
    pub feed: Feed,
    /// What changed since; `None`: all there is.
    pub from: Option<Timestamp>,
    pub next: &'w Next,
    pub now: Timestamp,
    /// How often in a row asking failed.
    pub failures: i64,
}

/// Where a source stands, as the database keeps it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cursor {
    /// What is still to be asked in this round.
    #[serde(default)]
    left: Vec<Feed>,
    #[serde(default)]
    feeds: BTreeMap<Feed, Standing>,
    /// What went wrong in this round with feeds that were left out.
    #[serde(default)]
    trouble: Vec<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Standing {
    /// Everything that changed until then is taken in.
    since: Option<Timestamp>,
    run: Option<Run>,
    /// What changed shortly before, and is known.
    #[serde(default)]
    seen: Vec<(String, i64)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Run {
    from: Option<Timestamp>,
    /// When it began, by the platform's clock.
    began: Option<Timestamp>,
    newest: Option<Timestamp>,
    next: Next,
    pages: u32,
    #[serde(default)]
    seen: Vec<(String, i64)>,
}

impl Standing {
    /// The run under way, or a new one.
    fn run(&mut self, feed: Feed, back: Duration, now: Timestamp) -> &mut Run {
        let since = self.since;
        self.run.get_or_insert_with(|| {
            let back = SignedDuration::try_from(back).unwrap_or(SignedDuration::ZERO);
            Run {
                from: match (since, feed) {
                    (Some(since), _) => Some(time::saturating_add(since, -OVERLAP)),
                    // Products start nothing; without all of them nobody learns which
                    // product a line is.
                    (None, Feed::Products) => None,
                    (None, Feed::Orders | Feed::Events) => Some(time::saturating_add(now, -back)),
                },
                began: None,
                newest: None,
                next: Next::First,
                pages: 0,
                seen: Vec::new(),
            }
        })
    }

    /// Ends the run: everything it asked for is taken in.
    fn end(&mut self, now: Timestamp) {
        let Some(run) = self.run.take() else {
            return;
        };
        let began = run.began.unwrap_or(now);
        let reached = run.newest.or(self.since).or(run.from).unwrap_or(began);
        // Never backwards: the overlap alone may have been empty.
        let reached = self.since.map_or(reached, |since| since.max(reached));
        // A change that says it is of tomorrow must not hide those of today.
        let since = reached.min(began).min(now);
        self.since = Some(since);
        let edge = to_ms(time::saturating_add(since, -OVERLAP));
        let mut seen = run.seen;
        for old in std::mem::take(&mut self.seen) {
            if !seen.iter().any(|(key, _)| *key == old.0) {
                seen.push(old);
            }
        }
        seen.retain(|(_, changed)| *changed >= edge);
        seen.sort_by_key(|(_, changed)| std::cmp::Reverse(*changed));
        seen.truncate(MAX_SEEN);
        self.seen = seen;
    }
}

impl Run {
    fn note(&mut self, item: &Item, now: Timestamp) {
        if let Some(changed) = item.changed {
            self.newest = Some(self.newest.map_or(changed, |newest| newest.max(changed)));
        }
        self.seen
            .push((item.key.clone(), to_ms(item.changed.unwrap_or(now))));
        if self.seen.len() > 2 * MAX_SEEN {
            self.seen
                .sort_by_key(|(_, changed)| std::cmp::Reverse(*changed));
            self.seen.truncate(MAX_SEEN);
        }
    }
}

/// How long to wait after so many failures in a row.
pub(super) fn wait_after(failures: i64) -> Duration {
    let failures = u32::try_from(failures.max(0)).unwrap_or(u32::MAX);
    time::doubled(FIRST_WAIT, failures, LONGEST_WAIT)
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    time::saturating_add(now, wait)
}

/// What a page came to in the database.
#[derive(Debug, Default)]
struct Came {
    found: usize,
    known: usize,
}

impl Engine {
    /// Makes ready to poll a source. Says whether it may be: not where deliveries and
    /// answers would tell the same facts under two names, because then every mail would
    /// go twice.
    ///
    /// # Errors
    /// The database is out of reach.
    pub async fn begin_polling(&self, asked: &Asked) -> Result<bool, EngineError> {
        let Some(every) = asked.poll else {
            return Ok(false);
        };
        let name = asked.source.name.as_str();
        let known = self.store.sources().await?;
        let others = other_names(asked, &known);
        if !others.is_empty() {
            tracing::error!(
                source = name,
                "its deliveries call themselves {}, and what is asked would be called {}: set intake.sources.{name}.source to the name that is right; until then it is not asked",
                others.join(" or "),
                asked.origin(),
            );
            return Ok(false);
        }
        self.store
            .hasten_poll(name, later(self.now(), every))
            .await?;
        Ok(true)
    }

    /// One step of polling a source, where one is due. Says when the next is due, if this
    /// process has to do with it.
    ///
    /// # Errors
    /// The database is out of reach; the step is done again.
    pub async fn poll_step(&self, asked: &Asked) -> Result<Option<Timestamp>, EngineError> {
        let Some(every) = asked.poll else {
            return Ok(None);
        };
        let name = asked.source.name.as_str();
        let now = self.now();
        let Some(polled) = self.store.claim_poll(name, now, LEASE).await? else {
            return Ok(None);
        };
        let mut cursor: Cursor = serde_json::from_str(&polled.cursor).unwrap_or_else(|error| {
            tracing::warn!(source = name, %error, "where to go on asking cannot be read; it begins anew");
            Cursor::default()
        });
        let feeds = feeds(asked.source.platform);
        cursor.left.retain(|feed| feeds.contains(feed));
        if cursor.left.is_empty() {
            cursor.left = feeds.to_vec();
            cursor.trouble.clear();
        }
        let Some(feed) = cursor.left.first().copied() else {
            return Ok(None);
        };
        let step = self
            .poll_feed(asked, &polled, cursor, feed, every, now)
            .await?;
        let due = step.due_at;
        let fine = step.because.is_none();
        if let Some(because) = &step.because {
            tracing::warn!(source = name, because, again_at = %due, "a platform could not be asked");
        }
        let (found, known, is_end) = (step.found, step.known, step.is_end);
        if !self.store.end_poll_step(name, step).await? {
            tracing::warn!(
                source = name,
                "asking took so long that another process may have gone on: nothing is noted"
            );
            return Ok(None);
        }
        telemetry::polled(name, if fine { "fine" } else { "failed" }, found, known);
        let reached = if is_end { Some(now) } else { polled.fine_at };
        if let Some(reached) = reached {
            telemetry::poll_lag(name, now.duration_since(reached).unsigned_abs());
        }
        Ok(Some(due))
    }

    async fn poll_feed(
        &self,
        asked: &Asked,
        polled: &Polled,
        mut cursor: Cursor,
        feed: Feed,
        every: Duration,
        now: Timestamp,
    ) -> Result<Step, EngineError> {
        let standing = cursor.feeds.entry(feed).or_default();
        let run = standing.run(feed, asked.poll_back, now);
        let wanted = Wanted {
            feed,
            from: run.from,
            next: &run.next.clone(),
            now,
            failures: polled.failures,
        };
        let page = match page(asked, &wanted).await {
            Ok(page) => page,
            Err(trouble) => return Ok(hindered(cursor, feed, trouble, polled, every, now)),
        };
        let known: BTreeSet<&str> = standing
            .seen
            .iter()
            .chain(standing.run.iter().flat_map(|run| &run.seen))
            .map(|(key, _)| key.as_str())
            .collect();
        let new: Vec<&Item> = page
            .items
            .iter()
            .filter(|item| !known.contains(item.key.as_str()))
            .collect();
        let came = self.take_in(asked, new, now).await?;
        let run = standing.run(feed, asked.poll_back, now);
        run.began = run.began.or(page.clock.or(Some(now)));
        for item in &page.items {
            run.note(item, now);
        }
        run.pages += 1;
        let trouble = page.trouble.is_some();
        cursor.trouble.extend(page.trouble);
        let more = page.next.filter(|_| run.pages < MAX_PAGES);
        let is_last = more.is_none();
        match more {
            Some(next) => run.next = next,
            None => {
                standing.end(now);
                cursor.left.remove(0);
            }
        }
        let is_end = is_last && cursor.left.is_empty();
        let (due_at, failures, because) = match is_end {
            // A page that failed before and is had now is no failure any more.
            false if trouble => (later(now, page.pause), polled.failures, None),
            false => (later(now, page.pause), 0, None),
            true if cursor.trouble.is_empty() => (later(now, every), 0, None),
            true => {
                let failures = polled.failures + 1;
                let wait = every.max(wait_after(failures));
                (later(now, wait), failures, Some(cursor.trouble.join("; ")))
            }
        };
        Ok(Step {
            cursor: written(&cursor),
            due_at,
            now,
            is_end: is_end && because.is_none(),
            failures,
            because,
            found: came.found,
            known: came.known,
        })
    }

    /// Takes the changes of a page in, durably.
    async fn take_in(
        &self,
        asked: &Asked,
        items: Vec<&Item>,
        now: Timestamp,
    ) -> Result<Came, EngineError> {
        let origin = asked.origin();
        let cheap: BTreeSet<(&str, &str)> = items
            .iter()
            .filter_map(|item| Some((origin.as_str(), item.cheap.as_deref()?)))
            .collect();
        let versions = if cheap.is_empty() {
            HashMap::new()
        } else {
            self.store.known(&cheap).await?
        };
        let mut batch: Vec<Incoming> = Vec::new();
        let mut poison: Vec<Poison> = Vec::new();
        for item in items {
            let version = item
                .cheap
                .as_ref()
                .and_then(|fact| versions.get(&(origin.clone(), fact.clone())));
            if let (Some(version), Some(changed)) = (version, item.changed)
                && from_ms(*version) >= changed
            {
                continue;
            }
            let taken = hear(
                &asked.source,
                &item.headers,
                &item.body,
                &Beside::default(),
                now,
            );
            if taken.outcome == Outcome::Poison {
                tracing::warn!(
                    source = asked.source.name,
                    "what a platform answered cannot be read and is in quarantine"
                );
            }
            batch.extend(taken.events.into_iter().map(|event| Incoming {
                event,
                transport: None,
            }));
            poison.extend(taken.poison.map(Into::into));
        }
        if batch.is_empty() && poison.is_empty() {
            return Ok(Came::default());
        }
        let totals = self.accept(batch, poison).await?;
        Ok(Came {
            found: totals.accepted,
            known: totals.duplicate,
        })
    }
}

/// A step in which the platform gave no page.
fn hindered(
    mut cursor: Cursor,
    feed: Feed,
    trouble: Trouble,
    polled: &Polled,
    every: Duration,
    now: Timestamp,
) -> Step {
    let because = format!("{}: {trouble}", feed.as_str());
    let failures = polled.failures + 1;
    let wait = match trouble {
        Trouble::Later { after, .. } => after.unwrap_or_else(|| wait_after(failures)),
        Trouble::Refused(_) | Trouble::Missing(_) | Trouble::Odd(_) => {
            // Where to go on may be what is wrong: the next round begins where the last
            // whole one ended.
            if let Some(standing) = cursor.feeds.get_mut(&feed) {
                standing.run = None;
            }
            cursor.left.retain(|left| *left != feed);
            cursor.trouble.push(because.clone());
            if cursor.left.is_empty() {
                every.max(wait_after(failures))
            } else {
                Duration::ZERO
            }
        }
    };
    Step {
        cursor: written(&cursor),
        due_at: later(now, wait),
        now,
        is_end: false,
        failures,
        because: Some(because),
        found: 0,
        known: 0,
    }
}

fn written(cursor: &Cursor) -> String {
    // Texts, numbers and lists of them: that is always JSON.
    serde_json::to_string(cursor).unwrap_or_else(|_| "{}".to_owned())
}

async fn page(asked: &Asked, wanted: &Wanted<'_>) -> Result<Page, Trouble> {
    match asked.source.platform {
        Platform::Shopify => shopify::page(&asked.interface, wanted).await,
        Platform::WooCommerce => woocommerce::page(&asked.interface, wanted).await,
        Platform::BigCommerce => bigcommerce::page(&asked.interface, wanted).await,
        Platform::Stripe => stripe::page(&asked.interface, wanted).await,
        other => Err(Trouble::odd(format!(
            "nobody knows how to ask {} for what it lost",
            other.called()
        ))),
    }
}

/// Whether deliveries of a platform have told of themselves under other names than what
/// is asked of it would: then every fact would count twice, and every mail go twice.
/// Gives those names.
pub fn other_names<'n>(asked: &Asked, known: &'n [String]) -> Vec<&'n str> {
    let origin = asked.origin();
    if known.contains(&origin) {
        return Vec::new();
    }
    let prefix = format!("/{}/", asked.source.platform);
    known
        .iter()
        .filter(|source| source.starts_with(&prefix))
        .map(String::as_str)
        .collect()
}

/// How often a page is asked again that is no JSON, before it is set aside.
const UNREADABLE: i64 = 3;
/// Most of such a page that is kept, in bytes.
const MAX_KEPT: usize = 256 * 1024;

/// The JSON of a page; or, where it was none several times, the page itself as a delivery
/// that cannot be read, so that somebody sees it and asking goes on behind it.
pub(super) fn read_page(
    answer: &crate::client::Answer,
    wanted: &Wanted<'_>,
    headers: impl FnOnce() -> Headers,
) -> Result<Result<Value, Item>, Trouble> {
    match answer.json() {
        Ok(body) => Ok(Ok(body)),
        Err(_) if wanted.failures >= UNREADABLE => {
            let body = answer.body();
            let kept = &body[..body.len().min(MAX_KEPT)];
            Ok(Err(Item {
                key: format!("page:{}", short_name(kept)),
                changed: None,
                headers: headers(),
                body: kept.to_vec(),
                cheap: None,
            }))
        }
        Err(error) => Err(error.into()),
    }
}

/// The same bytes have the same.
fn short_name(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What is told of a page that was set aside.
pub(super) fn set_aside(feed: Feed) -> Option<String> {
    Some(format!(
        "{}: a page cannot be read and is in quarantine",
        feed.as_str()
    ))
}

/// What time it is at a platform, by the head of its answer (RFC 9110 §6.6.1).
pub(super) fn clock_of(answer: &crate::client::Answer) -> Option<Timestamp> {
    let at = jiff::fmt::rfc2822::parse(answer.header("date")?).ok()?;
    Some(at.timestamp())
}
