//! What the doors saw of each source of platforms: when it delivered last and what, and
//! when a delivery was refused and why. Other processes read it (`connect`), so it lies in
//! the database, as one row a source that never grows beyond its limits.
//!
//! A stranger who knows the name of a source can have deliveries refused as fast as the
//! network allows. So what was seen is gathered in memory and written every [`EVERY`] at
//! most. Nothing of a body, an address or a secret is kept.

use super::Engine;
use crate::clock;
use crate::ingest::signature::SignatureError;
use crate::model::time::Timestamp;
use crate::store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often what was seen of one source is written, at most.
pub const EVERY: Duration = Duration::from_secs(10);
/// Most topics that are remembered of one source.
const MAX_TOPICS: usize = 48;
/// Most `source`s of events that are remembered of one source.
const MAX_ORIGINS: usize = 8;
/// Longest text that is kept, in characters.
const MAX_TEXT: usize = 200;

/// Why a delivery was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Nothing in it proves who sent it: no signature, no token.
    NoProof,
    /// Its signature or token fits no secret of ours.
    WrongProof,
    /// It is signed with a key that we do not have.
    UnknownKey,
    /// The time that is signed is too far from ours, or is none.
    WrongTime,
    /// Its body is too large.
    TooLarge,
    /// Its body took too long.
    TooSlow,
    /// Its body is compressed.
    Compressed,
    /// We had too much to do, or no database.
    Overload,
    /// Something else.
    Other,
}

impl Refusal {
    /// Of a signature that does not hold; `shown`: whether there was any.
    pub fn of(error: SignatureError, shown: bool) -> Refusal {
        match error {
            _ if !shown => Refusal::NoProof,
            SignatureError::UnknownKey => Refusal::UnknownKey,
            SignatureError::Window | SignatureError::Timestamp => Refusal::WrongTime,
            SignatureError::Signature
            | SignatureError::NoSecret
            | SignatureError::Length
            | SignatureError::Short
            | SignatureError::NoKey => Refusal::WrongProof,
        }
    }

    /// By the status that it is answered with.
    pub fn by_status(status: u16) -> Refusal {
        match status {
            408 => Refusal::TooSlow,
            413 | 431 => Refusal::TooLarge,
            415 => Refusal::Compressed,
            429 | 503 => Refusal::Overload,
            _ => Refusal::Other,
        }
    }
}

/// The deliveries of one topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Topic {
    pub at: Timestamp,
    pub count: u64,
    /// What the last one came to: the name in metrics.
    pub outcome: String,
    /// Why it cannot be used, where it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// Deliveries that were turned away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// When the last one was.
    pub at: Timestamp,
    pub count: u64,
    /// Why the last one was.
    pub because: Refusal,
}

/// What the doors saw of one source.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Trace {
    /// When the last delivery came that was proved.
    pub last: Option<Timestamp>,
    /// How many were proved.
    pub count: u64,
    /// The `source`s of their events.
    pub origins: Vec<String>,
    /// The version of the platform's interface that they are written in.
    pub version: Option<String>,
    /// By what the platform calls it.
    pub topics: BTreeMap<String, Topic>,
    /// When it last asked whether we are there.
    pub ping: Option<Timestamp>,
    pub refused: Option<Refused>,
}

/// What was seen of one delivery.
#[derive(Debug, Clone)]
pub enum Seen {
    /// It only asked whether we are there.
    Ping,
    Refused(Refusal),
    /// It was proved.
    Proved {
        topic: String,
        outcome: &'static str,
        origin: Option<String>,
        version: Option<String>,
        /// Why it cannot be used; repeats nothing of it.
        because: Option<String>,
    },
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

impl Trace {
    /// Takes one more delivery in.
    pub fn note(&mut self, seen: &Seen, now: Timestamp) {
        match seen {
            Seen::Ping => self.ping = Some(now),
            Seen::Refused(because) => {
                let count = self.refused.as_ref().map_or(0, |refused| refused.count);
                self.refused = Some(Refused {
                    at: now,
                    count: count.saturating_add(1),
                    because: *because,
                });
            }
            Seen::Proved {
                topic,
                outcome,
                origin,
                version,
                because,
            } => {
                self.last = Some(now);
                self.count = self.count.saturating_add(1);
                if let Some(version) = version {
                    self.version = Some(cut(version));
                }
                if let Some(origin) = origin
                    && !self.origins.contains(origin)
                    && self.origins.len() < MAX_ORIGINS
                {
                    self.origins.push(cut(origin));
                }
                let name = cut(topic);
                if self.topics.contains_key(&name) || self.topics.len() < MAX_TOPICS {
                    let had = self.topics.get(&name).map_or(0, |topic| topic.count);
                    let topic = Topic {
                        at: now,
                        count: had.saturating_add(1),
                        outcome: (*outcome).to_owned(),
                        because: because.as_deref().map(cut),
                    };
                    self.topics.insert(name, topic);
                }
            }
        }
    }

    /// Lays what was seen since over what was known before.
    fn over(self, mut before: Trace) -> Trace {
        before.last = before.last.max(self.last);
        before.count = before.count.saturating_add(self.count);
        before.version = self.version.or(before.version);
        before.ping = before.ping.max(self.ping);
        for origin in self.origins {
            if !before.origins.contains(&origin) && before.origins.len() < MAX_ORIGINS {
                before.origins.push(origin);
            }
        }
        for (name, mut topic) in self.topics {
            let known = before.topics.get(&name).map(|topic| topic.count);
            if known.is_some() || before.topics.len() < MAX_TOPICS {
                topic.count = topic.count.saturating_add(known.unwrap_or(0));
                before.topics.insert(name, topic);
            }
        }
        if let Some(mut refused) = self.refused {
            let known = before.refused.as_ref().map_or(0, |refused| refused.count);
            refused.count = refused.count.saturating_add(known);
            before.refused = Some(refused);
        }
        before
    }
}

/// What was seen and is not written yet, by source.
#[derive(Debug, Default)]
pub(super) struct Traces(Mutex<BTreeMap<String, Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    new: Trace,
    /// Somebody is about to write it.
    taken: bool,
    /// When it was written last.
    written: Option<Instant>,
}

impl Waiting {
    /// Takes one more in; when to write it, unless somebody is about to.
    fn note(&mut self, seen: &Seen, now: Timestamp, at: Instant) -> Option<Duration> {
        self.new.note(seen, now);
        if std::mem::replace(&mut self.taken, true) {
            return None;
        }
        let since = self.written.map(|written| at.duration_since(written));
        Some(since.map_or(Duration::ZERO, |since| EVERY.saturating_sub(since)))
    }

    /// What is to be written now.
    fn take(&mut self, at: Instant) -> Trace {
        self.taken = false;
        self.written = Some(at);
        std::mem::take(&mut self.new)
    }
}

/// Under which key the database keeps a trace.
fn key(source: &str) -> String {
    format!("deliveries/{source}")
}

/// What the doors saw of a source, as far as it is written.
///
/// # Errors
/// The database is out of reach.
pub async fn trace(store: &Store, source: &str) -> Result<Trace, StoreError> {
    let text = store.meta(&key(source)).await?;
    // A row that does not parse is of another version: it begins anew.
    Ok(text
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default())
}

impl Engine {
    /// Notes a delivery of a source that is configured. It is written at once where that
    /// was not done lately, else a little later, and never twice within [`EVERY`].
    pub fn note_delivery(self: &Arc<Self>, source: &str, seen: &Seen) {
        let now = clock::real();
        let wait = {
            let mut all = self.traces.0.lock().unwrap_or_else(PoisonError::into_inner);
            let waiting = all.entry(source.to_owned()).or_default();
            waiting.note(seen, now, Instant::now())
        };
        let Some(wait) = wait else { return };
        let (engine, source) = (Arc::clone(self), source.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            if let Err(error) = engine.write_trace(&source).await {
                tracing::debug!(source, %error, "what was seen of a source could not be written");
            }
        });
    }

    async fn write_trace(&self, source: &str) -> Result<(), StoreError> {
        let new = {
            let mut all = self.traces.0.lock().unwrap_or_else(PoisonError::into_inner);
            let waiting = all.entry(source.to_owned()).or_default();
            waiting.take(Instant::now())
        };
        // Another process may write in between: then a few are not counted.
        let before = trace(&self.store, source).await?;
        let text = serde_json::to_string(&new.over(before)).unwrap_or_default();
        self.store.set_meta(&key(source), &text).await
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn proved(topic: &str) -> Seen {
        Seen::Proved {
            topic: topic.to_owned(),
            outcome: "understood",
            origin: Some(format!("/shopify/{topic}")),
            version: Some("2026-07".to_owned()),
            because: None,
        }
    }

    #[test]
    fn a_flood_is_written_once_in_a_while() {
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let begin = Instant::now();
        let refused = Seen::Refused(Refusal::WrongProof);
        let mut waiting = Waiting::default();
        assert_eq!(waiting.note(&refused, now, begin), Some(Duration::ZERO));
        for _ in 0..1000 {
            assert_eq!(waiting.note(&refused, now, begin), None);
        }
        assert_eq!(waiting.take(begin).refused.map(|one| one.count), Some(1001));
        // The next one waits for its turn, and those after it wait with it.
        let later = begin + Duration::from_secs(4);
        let left = Duration::from_secs(6);
        assert_eq!(waiting.note(&refused, now, later), Some(left));
        assert_eq!(waiting.note(&refused, now, later), None);
        assert_eq!(
            waiting.take(begin + EVERY).refused.map(|one| one.count),
            Some(2)
        );
    }

    #[test]
    fn what_is_known_grows_to_its_limits_and_adds_up() {
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let mut trace = Trace::default();
        for number in 0..500 {
            trace.note(&proved(&format!("topic-{number}-{}", "x".repeat(400))), now);
            trace.note(&Seen::Refused(Refusal::WrongProof), now);
        }
        assert_eq!((trace.topics.len(), trace.origins.len()), (48, 8));
        assert_eq!(
            (trace.count, trace.refused.as_ref().unwrap().count),
            (500, 500)
        );
        let text = serde_json::to_string(&trace).unwrap();
        assert!(text.len() < 32 * 1024, "{}", text.len());
        let mut more = Trace::default();
        more.note(&proved("topic-0"), now);
        more.note(&Seen::Ping, now);
        let both = more.over(serde_json::from_str(&text).unwrap());
        assert_eq!((both.count, both.topics.len()), (501, 48));
        assert_eq!(both.ping, Some(now));
        assert_eq!(both.refused.unwrap().count, 500);
    }
}
