//! What an operator has to hear of without looking: a source that fell silent and one that
//! speaks again, a quarantine that grew, events that waited in vain, requests for data. By
//! mail over the shop's own relay, and by a signed webhook.
//!
//! An alert is written down before it is told, so that a restart neither forgets one nor
//! tells one twice that was told. It is no mail owed to anybody: nothing of it stands in
//! the ledger. It says what and where to look, and nothing of any customer.

mod tell;

pub use tell::Hook;

use super::privacy;
use super::{Engine, EngineError};
use crate::model::time::{self, Timestamp};
use crate::store::{Store, StoreError};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Under which key the database keeps what is open and what is not told yet.
const ALERTS: &str = "alerts";
/// Alerts that wait to be told at most; the oldest go first, and the log has them all.
const MOST_WAITING: usize = 200;
/// The least time between two mails: what comes meanwhile goes in one.
pub const BETWEEN_MAILS: SignedDuration = SignedDuration::from_mins(10);
/// How long a place that does not answer is tried.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(72);
/// The wait before the second try; it doubles.
const FIRST_WAIT: Duration = Duration::from_secs(5 * 60);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum What {
    /// Longer than its rhythm explains.
    #[serde(rename = "source.silent")]
    Silent {
        source: String,
        kind: String,
        since: Timestamp,
        /// Facts a week, by its rhythm.
        weekly: f64,
    },
    #[serde(rename = "source.heard")]
    Heard { source: String, kind: String },
    #[serde(rename = "quarantine.grew")]
    Quarantine {
        /// How many are there.
        held: i64,
        /// How many more than when it was last told.
        new: i64,
    },
    #[serde(rename = "parked.expired")]
    Expired { events: u64 },
    #[serde(rename = "data.requested")]
    DataRequested { requests: usize, due: Timestamp },
}

impl What {
    /// In one sentence, with what to do.
    pub fn sentence(&self) -> String {
        match self {
            What::Silent {
                source,
                kind,
                since,
                weekly,
            } => format!(
                "{source} has told no {kind} since {since}, and tells about {weekly:.0} a week: look whether the platform has switched its webhook off, and at `aftercare doctor events`"
            ),
            What::Heard { source, kind } => format!("{source} tells {kind} again"),
            What::Quarantine { held, new } => format!(
                "{new} more deliveries could not be used, {held} in all: `aftercare quarantine list --by cause` says why"
            ),
            What::Expired { events } => format!(
                "{events} events waited 30 days for the order, parcel or person that they are about, in vain: they are in quarantine, `aftercare quarantine list --by cause`"
            ),
            What::DataRequested { requests: 1, due } => format!(
                "a customer asks what is held on them, and the law wants an answer by {due}: `aftercare export-person` says who"
            ),
            What::DataRequested { requests, due } => format!(
                "{requests} customers ask what is held on them, and the law wants the first answer by {due}: `aftercare export-person` says who"
            ),
        }
    }

    /// A few words.
    pub fn title(&self) -> String {
        match self {
            What::Silent { source, .. } => format!("{source} has fallen silent"),
            What::Heard { source, .. } => format!("{source} is heard again"),
            What::Quarantine { new, .. } => format!("{new} deliveries could not be used"),
            What::Expired { events } => format!("{events} events waited in vain"),
            What::DataRequested { .. } => "a request for data".to_owned(),
        }
    }
}

/// An alert that is not told everywhere yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// Its number, for ever: whoever gets it twice can tell.
    pub number: u64,
    pub at: Timestamp,
    pub what: What,
    /// Still to be told by mail, by webhook.
    mail: bool,
    hook: bool,
    tries: u32,
    next: Timestamp,
}

/// A source and kind that are silent, as it was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    pub source: String,
    pub kind: String,
    pub since: Timestamp,
}

/// Everything there is to know of alerts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Alerts {
    /// How many there were.
    pub number: u64,
    pub silent: Vec<Silence>,
    pub waiting: Vec<Waiting>,
    /// How many were in quarantine when that was last told.
    quarantined: i64,
    /// The newest request for data that was told.
    requests: i64,
    last_mail: Option<Timestamp>,
}

/// What stands now.
///
/// # Errors
/// The database is out of reach.
pub async fn standing(store: &Store) -> Result<Alerts, StoreError> {
    let text = store.meta(ALERTS).await?;
    let read = text.as_deref().map(serde_json::from_str);
    Ok(match read.transpose() {
        Ok(alerts) => alerts.unwrap_or_default(),
        Err(error) => {
            tracing::error!(%error, "what is known of alerts cannot be read; it begins anew");
            Alerts::default()
        }
    })
}

impl Alerts {
    fn raise(&mut self, what: What, now: Timestamp, to: (bool, bool)) {
        tracing::warn!(alert = what.title(), "{}", what.sentence());
        self.number += 1;
        let (mail, hook) = to;
        if !mail && !hook {
            return;
        }
        self.waiting.push(Waiting {
            number: self.number,
            at: now,
            what,
            mail,
            hook,
            tries: 0,
            next: now,
        });
        if self.waiting.len() > MOST_WAITING {
            self.waiting.remove(0);
        }
    }
}

/// The silences that a look found: by source and kind, since when, and the facts a week.
pub type Found = BTreeMap<(String, String), (Timestamp, f64)>;

impl Engine {
    async fn keep(&self, alerts: &Alerts) -> Result<(), EngineError> {
        let text = serde_json::to_string(alerts).unwrap_or_default();
        self.store.set_meta(ALERTS, &text).await?;
        Ok(())
    }

    /// By mail, by webhook.
    fn told_by(&self) -> (bool, bool) {
        let to = &self.config.alerts;
        (to.mail.is_some(), to.webhook.is_some())
    }

    /// Raises what the last look at the sources brought. `heard` are those that speak; who
    /// is neither silent nor heard was given up, and nobody waits for them.
    pub(super) async fn tell_silence(
        &self,
        silent: &Found,
        heard: &[(String, String)],
    ) -> Result<(), EngineError> {
        let mut alerts = standing(&self.store).await?;
        let (before, now) = (alerts.clone(), self.now());
        for ((source, kind), (since, weekly)) in silent {
            let known = |one: &Silence| one.source == *source && one.kind == *kind;
            if alerts.silent.iter().any(known) {
                continue;
            }
            alerts.silent.push(Silence {
                source: source.clone(),
                kind: kind.clone(),
                since: *since,
            });
            let what = What::Silent {
                source: source.clone(),
                kind: kind.clone(),
                since: *since,
                weekly: *weekly,
            };
            alerts.raise(what, now, self.told_by());
        }
        let over: Vec<Silence> = alerts
            .silent
            .iter()
            .filter(|one| !silent.contains_key(&(one.source.clone(), one.kind.clone())))
            .cloned()
            .collect();
        for one in over {
            alerts.silent.retain(|had| *had != one);
            let again = (one.source.clone(), one.kind.clone());
            if heard.contains(&again) {
                let (source, kind) = again;
                alerts.raise(What::Heard { source, kind }, now, self.told_by());
            }
        }
        if alerts != before {
            self.keep(&alerts).await?;
        }
        Ok(())
    }

    /// Raises that events waited in vain.
    pub(super) async fn tell_expired(&self, events: u64) -> Result<(), EngineError> {
        let mut alerts = standing(&self.store).await?;
        alerts.raise(What::Expired { events }, self.now(), self.told_by());
        // They are in quarantine, and told: not once more as its growth.
        alerts.quarantined += i64::try_from(events).unwrap_or(0);
        self.keep(&alerts).await
    }

    /// Looks at the quarantine and for requests for data.
    ///
    /// # Errors
    /// The store's; it is looked again.
    pub async fn look_for_alerts(&self) -> Result<(), EngineError> {
        let mut alerts = standing(&self.store).await?;
        let (before, now) = (alerts.clone(), self.now());
        let held = self.store.counts().await?.quarantined;
        let new = held - alerts.quarantined;
        if new >= self.config.alerts.quarantine {
            alerts.quarantined = held;
            alerts.raise(What::Quarantine { held, new }, now, self.told_by());
        }
        // What was mended counts as new when it comes back.
        alerts.quarantined = alerts.quarantined.min(held);
        let open = privacy::open_requests(&self.store).await?;
        let fresh = open
            .iter()
            .filter(|one| one.request.seq.0 > alerts.requests);
        let (requests, due) = fresh.clone().fold((0, None), |(count, due), one| {
            (
                count + 1,
                due.map_or(Some(one.due), |due: Timestamp| Some(due.min(one.due))),
            )
        });
        let newest = fresh.map(|one| one.request.seq.0).max();
        if let (Some(newest), Some(due)) = (newest, due) {
            alerts.requests = newest;
            alerts.raise(What::DataRequested { requests, due }, now, self.told_by());
        }
        if alerts != before {
            self.keep(&alerts).await?;
        }
        Ok(())
    }

    /// Tells what waits to be told: all of it in one mail, each by a webhook of its own.
    /// An install that only observes tells nobody.
    ///
    /// # Errors
    /// The store's; then it is told once more.
    pub async fn tell_alerts(&self) -> Result<(), EngineError> {
        if self.is_observing() {
            return Ok(());
        }
        let mut alerts = standing(&self.store).await?;
        let now = self.now();
        let is_due = |one: &Waiting| one.next <= now;
        if !alerts.waiting.iter().any(is_due) {
            return Ok(());
        }
        let rested = alerts
            .last_mail
            .is_none_or(|last| time::saturating_add(last, BETWEEN_MAILS) <= now);
        let mail: Vec<usize> = (0..alerts.waiting.len())
            .filter(|place| alerts.waiting[*place].mail && is_due(&alerts.waiting[*place]))
            .collect();
        let mut failed: Vec<usize> = Vec::new();
        if rested && !mail.is_empty() {
            let all: Vec<&Waiting> = mail.iter().map(|place| &alerts.waiting[*place]).collect();
            match self.mail_alerts(&all, now).await {
                Ok(()) => {
                    mail.iter()
                        .for_each(|place| alerts.waiting[*place].mail = false);
                    alerts.last_mail = Some(now);
                    // At once: what went must not go again.
                    self.keep(&alerts).await?;
                }
                Err(because) => {
                    tracing::error!(because, "an alert could not be mailed; it is tried again");
                    failed.extend(&mail);
                }
            }
        }
        for place in 0..alerts.waiting.len() {
            let one = &alerts.waiting[place];
            if !one.hook || !is_due(one) {
                continue;
            }
            match self.post_alert(one).await {
                Ok(()) => {
                    alerts.waiting[place].hook = false;
                    self.keep(&alerts).await?;
                }
                Err(because) => {
                    tracing::error!(because, "an alert could not be posted; it is tried again");
                    failed.push(place);
                }
            }
        }
        failed.sort_unstable();
        failed.dedup();
        for place in failed {
            let one = &mut alerts.waiting[place];
            one.tries += 1;
            one.next = time::saturating_add(now, wait(one.tries));
            if time::saturating_add(one.at, GIVE_UP) <= now {
                tracing::error!(
                    alert = one.what.title(),
                    "an alert could not be told for days; it is given up"
                );
                (one.mail, one.hook) = (false, false);
            }
        }
        alerts.waiting.retain(|one| one.mail || one.hook);
        self.keep(&alerts).await
    }
}

fn wait(tries: u32) -> SignedDuration {
    let wait = time::doubled(FIRST_WAIT, tries, LONGEST_WAIT);
    // Hours at most: it fits.
    SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX)
}
