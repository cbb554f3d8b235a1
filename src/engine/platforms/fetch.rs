//! Fetching what thin deliveries name. They wait in quarantine under `to_fetch`; each is
//! fetched, handed to its adapter whole, taken in, and only then taken away: a crash in
//! between fetches it again, and its facts are known.
//!
//! What fails is tried again, later and later. What the platform says is not there is
//! kept, with that in words, and asked for no more. Where nothing may be asked, it waits
//! and says what to configure.

use super::poll::wait_after;
use super::{
    Asked, Trouble, bigcommerce, can_fetch, commercetools, medusa, shipstation, stripe, text,
};
use crate::engine::{Engine, EngineError};
use crate::ingest::adapters::{Beside, Headers, Outcome, Recorded, hear};
use crate::model::platform::Platform;
use crate::model::time::{self, Timestamp};
use crate::store::{Incoming, Quarantined};
use crate::telemetry;
use jiff::SignedDuration;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Thin deliveries that are taken on at once.
const AT_ONCE: usize = 16;
/// How long fetching those may take before another process may try.
const LEASE: SignedDuration = SignedDuration::from_mins(10);
/// How long one waits that cannot be fetched as things are configured. A restart, which a
/// new configuration needs, ends the wait.
const UNTIL_CONFIGURED: SignedDuration = SignedDuration::from_hours(24);
/// After so many failures what can be read without fetching is taken as it is.
const ENOUGH: i64 = 8;

/// What became of those that were taken on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Fetched and taken in.
    pub done: usize,
    /// To be tried again.
    pub put_off: usize,
    /// Not to be had.
    pub gone: usize,
}

impl Fetched {
    /// Whether nothing was taken on.
    pub fn is_idle(self) -> bool {
        self == Fetched::default()
    }
}

/// A delivery with what was fetched.
struct Whole {
    headers: Headers,
    body: Vec<u8>,
    beside: Beside,
    /// Whether it says all there is of what it is about, so that every other thin delivery
    /// about the same is served by it.
    covers: bool,
}

impl Engine {
    /// Takes on a batch of thin deliveries that are due; nothing done means nothing due.
    ///
    /// # Errors
    /// The database is out of reach.
    pub async fn fetch_due(&self, asked: &BTreeMap<String, Asked>) -> Result<Fetched, EngineError> {
        let now = self.now();
        if !self.store.is_to_fetch(now).await? {
            return Ok(Fetched::default());
        }
        let until = time::saturating_add(now, LEASE);
        let rows = self.store.claim_fetches(now, until, AT_ONCE).await?;
        let mut fetched = Fetched::default();
        // A platform that wants to be left alone is not asked for the others either.
        let mut left_alone: BTreeMap<String, Timestamp> = BTreeMap::new();
        for row in rows {
            if self.store.quarantined_one(row.id).await?.is_none() {
                // Served by an earlier one of this batch.
                continue;
            }
            self.fetch(asked, &row, &mut left_alone, &mut fetched)
                .await?;
        }
        Ok(fetched)
    }

    async fn fetch(
        &self,
        asked: &BTreeMap<String, Asked>,
        row: &Quarantined,
        left_alone: &mut BTreeMap<String, Timestamp>,
        fetched: &mut Fetched,
    ) -> Result<(), EngineError> {
        let now = self.now();
        let Some(recorded) = Recorded::read(&row.body) else {
            self.store
                .give_up_fetch(row.id, "not_json", "what is kept here is no delivery")
                .await?;
            fetched.gone += 1;
            return Ok(());
        };
        let name = recorded.source.as_str();
        let Some(of) = asked.get(name).filter(|of| can_fetch(of.source.platform)) else {
            let because = format!(
                "{}; nobody may fetch it: set intake.sources.{name}.api_token",
                plain(&row.because)
            );
            let at = time::saturating_add(now, UNTIL_CONFIGURED);
            self.store.put_off_fetch(row.id, &because, at).await?;
            fetched.put_off += 1;
            return Ok(());
        };
        if let Some(at) = left_alone.get(name) {
            self.store.put_off_fetch(row.id, &row.because, *at).await?;
            fetched.put_off += 1;
            return Ok(());
        }
        let body: Value = serde_json::from_str(&recorded.body).unwrap_or(Value::Null);
        let trouble = match self.whole(of, row, &recorded, &body, now).await {
            Ok(Some(whole)) => {
                if self.take_whole(of, row, whole, now).await? {
                    telemetry::fetched(name, "fetched");
                    fetched.done += 1;
                } else {
                    telemetry::fetched(name, "quarantined");
                    fetched.gone += 1;
                }
                return Ok(());
            }
            // Everything it could say is known.
            Ok(None) => {
                self.store.drop_quarantined(row.id).await?;
                telemetry::fetched(name, "known");
                fetched.done += 1;
                return Ok(());
            }
            Err(trouble) => trouble,
        };
        let (because, at) = match trouble {
            Trouble::Missing(because) => {
                telemetry::fetched(name, "gone");
                fetched.gone += 1;
                if self.take_bare(of, row, &recorded, now).await? {
                    return Ok(());
                }
                let because = format!("{}; {because}", plain(&row.because));
                self.store
                    .give_up_fetch(row.id, "not_there", &because)
                    .await?;
                return Ok(());
            }
            Trouble::Later { after, because } => {
                let wait = after.unwrap_or_else(|| wait_after(row.tries + 1));
                let at = later(now, wait);
                if after.is_some() {
                    left_alone.insert(name.to_owned(), at);
                }
                (because, at)
            }
            Trouble::Refused(because) => {
                let at = later(now, wait_after(row.tries + 1));
                left_alone.insert(name.to_owned(), at);
                (because, at)
            }
            Trouble::Odd(because) => (because, later(now, wait_after(row.tries + 1))),
        };
        telemetry::fetched(name, "failed");
        fetched.put_off += 1;
        if row.tries + 1 >= ENOUGH && self.take_bare(of, row, &recorded, now).await? {
            return Ok(());
        }
        let because = format!("{}; {because}", plain(&row.because));
        self.store.put_off_fetch(row.id, &because, at).await?;
        Ok(())
    }

    /// Fetches what one names; `None` where all it could say is known.
    async fn whole(
        &self,
        of: &Asked,
        row: &Quarantined,
        recorded: &Recorded,
        body: &Value,
        now: Timestamp,
    ) -> Result<Option<Whole>, Trouble> {
        let interface = &of.interface;
        let about = row.event_id.as_deref().unwrap_or_default();
        let own = about.rsplit_once('/').map_or(about, |(_, own)| own);
        let with = |whole: Value, covers: bool| Whole {
            headers: recorded.headers.clone(),
            body: whole.to_string().into_bytes(),
            beside: Beside::default(),
            covers,
        };
        Ok(Some(match of.source.platform {
            Platform::BigCommerce if about.starts_with("customer/") => with(
                bigcommerce::customer(interface, body, own, now).await?,
                true,
            ),
            Platform::BigCommerce => {
                with(bigcommerce::order(interface, body, own, now).await?, true)
            }
            Platform::Commercetools => {
                with(commercetools::order(interface, body, own, now).await?, true)
            }
            Platform::Medusa => with(medusa::order(interface, body, now).await?, false),
            Platform::ShipEngine => with(shipstation::parcels(interface, body, now).await?, false),
            Platform::Stripe => {
                if self.knows_bare(of, recorded, now).await? {
                    return Ok(None);
                }
                let session = text(&body["data"]["object"], "id").unwrap_or_default();
                let lines = stripe::lines(interface, session, now).await?;
                Whole {
                    headers: recorded.headers.clone(),
                    body: recorded.body.clone().into_bytes(),
                    beside: Beside {
                        line_items: Some(lines),
                        ..Beside::default()
                    },
                    covers: false,
                }
            }
            other => {
                return Err(Trouble::odd(format!(
                    "nobody knows how to fetch from {}",
                    other.called()
                )));
            }
        }))
    }

    /// Takes in what was fetched, and takes the thin delivery away. Says whether it was
    /// understood; else it is kept as what it is now.
    async fn take_whole(
        &self,
        of: &Asked,
        row: &Quarantined,
        whole: Whole,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        let taken = hear(&of.source, &whole.headers, &whole.body, &whole.beside, now);
        if taken.outcome == Outcome::ToFetch {
            let because = format!("{}; what was fetched does not say it", plain(&row.because));
            self.store
                .give_up_fetch(row.id, "not_there", &because)
                .await?;
            return Ok(false);
        }
        let understood = taken.outcome != Outcome::Poison;
        let batch = taken.events.into_iter().map(|event| Incoming {
            event,
            transport: None,
        });
        let poison = taken.poison.into_iter().map(Into::into).collect();
        self.accept(batch.collect(), poison).await?;
        match (whole.covers, &row.source, &row.event_id) {
            (true, Some(source), Some(about)) => {
                self.store.covered_by_fetch(source, about, now).await?;
            }
            _ => {
                self.store.drop_quarantined(row.id).await?;
            }
        }
        Ok(understood)
    }

    /// Takes a delivery as it is, where it says something without what cannot be had: an
    /// order without its lines is better than none. Says whether it was.
    async fn take_bare(
        &self,
        of: &Asked,
        row: &Quarantined,
        recorded: &Recorded,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        let mut source = of.source.clone();
        source.fetches = false;
        let taken = hear(
            &source,
            &recorded.headers,
            recorded.body.as_bytes(),
            &Beside::default(),
            now,
        );
        if taken.outcome != Outcome::Understood {
            return Ok(false);
        }
        let batch = taken.events.into_iter().map(|event| Incoming {
            event,
            transport: None,
        });
        self.accept(batch.collect(), Vec::new()).await?;
        self.store.drop_quarantined(row.id).await?;
        tracing::warn!(
            source = of.source.name,
            "an order is taken without its lines: they could not be fetched"
        );
        Ok(true)
    }

    /// Whether every fact of a delivery is known already.
    async fn knows_bare(
        &self,
        of: &Asked,
        recorded: &Recorded,
        now: Timestamp,
    ) -> Result<bool, Trouble> {
        let mut source = of.source.clone();
        source.fetches = false;
        let body = recorded.body.as_bytes();
        let taken = hear(&source, &recorded.headers, body, &Beside::default(), now);
        let facts = taken
            .events
            .iter()
            .map(|event| (event.source.as_str(), event.id.as_str()))
            .collect();
        let known = self.store.known(&facts).await;
        let known = known.map_err(|error| Trouble::Later {
            after: None,
            because: error.to_string(),
        })?;
        Ok(!facts.is_empty() && known.len() == facts.len())
    }
}

/// Why it waits, without what was said of earlier tries.
fn plain(because: &str) -> &str {
    because.split("; ").next().unwrap_or(because)
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    time::saturating_add(now, wait)
}
