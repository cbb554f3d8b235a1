//! Who may come in, and how much at once: room in memory and at the database, shared so
//! that no source takes that of another, and how fast each may deliver.
//!
//! Half of all room belongs to the sources in equal parts; the other half is for whoever
//! comes first. So one that floods fills its own part and the common half, and the next
//! delivery of every other finds room at once. Memory is taken as a body arrives, not as
//! it is announced, and a place at the database only by what has proved who sent it: who
//! sends slowly, or nothing, holds next to nothing.
//!
//! Decides and counts; reads nothing and answers nobody.

use crate::model::platform::Platform;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Grain in which the memory of deliveries is counted, in bytes.
const GRAIN: usize = 4096;
/// Deliveries a second that a platform's source may send for long, where configuration
/// says nothing: several times what a large shop's busiest hour brings.
pub const RATE: u32 = 1_000;
/// Deliveries that it may send at once beyond that: a sale, or what a platform kept while
/// we were away.
pub const BURST: u32 = 10_000;
/// The name of `POST /events` among the sources; theirs hold no slash.
pub const EVENTS: &str = "/events";

/// How fast a source may deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Deliveries a second, for long.
    pub rate: u32,
    /// Deliveries at once.
    pub burst: u32,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            rate: RATE,
            burst: BURST,
        }
    }
}

impl Pace {
    /// As configured; a burst that is not said is ten seconds' worth.
    pub fn of(rate: Option<u32>, burst: Option<u32>) -> Option<Pace> {
        let rate = rate.or_else(|| burst.map(|_| RATE))?;
        let burst = burst.unwrap_or_else(|| rate.saturating_mul(BURST / RATE));
        Some(Pace { rate, burst })
    }
}

/// Whether a platform sends again what it was told to send later, and holds nothing against
/// us. Of the others some never repeat anything (WooCommerce), some nothing that was
/// answered 4xx (Saleor), and some count a refusal towards switching the hook off.
pub fn comes_again(platform: Platform) -> bool {
    match platform {
        Platform::Stripe
        | Platform::AfterShip
        | Platform::EasyPost
        | Platform::Spree
        | Platform::AdobeCommerce => true,
        Platform::Shopify
        | Platform::WooCommerce
        | Platform::Zendesk
        | Platform::Gorgias
        | Platform::JudgeMe
        | Platform::BigCommerce
        | Platform::Shippo
        | Platform::ShipEngine
        | Platform::SeventeenTrack
        | Platform::Saleor
        | Platform::Medusa
        | Platform::Commercetools
        | Platform::Yotpo
        | Platform::Klaviyo
        | Platform::Generic => false,
    }
}

/// Room of one sort: every source's own part, and the common half.
#[derive(Debug)]
struct Shares {
    own: HashMap<String, Arc<Semaphore>>,
    common: Arc<Semaphore>,
}

impl Shares {
    fn new<'n>(all: usize, names: impl Iterator<Item = &'n str>) -> Shares {
        let names: Vec<&str> = names.collect();
        let each = if names.len() > 1 {
            all / 2 / names.len()
        } else {
            0
        };
        let common = all - each * names.len();
        let own = names
            .into_iter()
            .map(|name| (name.to_owned(), Arc::new(Semaphore::new(each))))
            .collect();
        Shares {
            own,
            common: Arc::new(Semaphore::new(common)),
        }
    }

    /// Its own part first, so that the common half is there for as long as can be.
    fn take(&self, name: &str, count: u32) -> Option<OwnedSemaphorePermit> {
        let own = self.own.get(name).and_then(|own| {
            let own = Arc::clone(own);
            own.try_acquire_many_owned(count).ok()
        });
        own.or_else(|| {
            let common = Arc::clone(&self.common);
            common.try_acquire_many_owned(count).ok()
        })
    }
}

/// What is being read or committed now, and how fast each source has been.
#[derive(Debug)]
pub struct Gauge {
    places: Shares,
    memory: Shares,
    buckets: HashMap<String, Mutex<Bucket>>,
}

/// Memory that a delivery holds.
#[derive(Debug, Default)]
pub struct Room {
    held: Vec<OwnedSemaphorePermit>,
    bytes: usize,
}

/// A place among those that are being committed.
#[derive(Debug)]
pub struct Place {
    _held: OwnedSemaphorePermit,
}

impl Gauge {
    /// Room for so many commits and bytes at once, for these sources.
    pub fn new(
        in_flight: usize,
        bytes: usize,
        sources: &[(&str, Option<Pace>)],
        now: Instant,
    ) -> Gauge {
        let names = || sources.iter().map(|(name, _)| *name);
        Gauge {
            places: Shares::new(in_flight, names()),
            memory: Shares::new(bytes / GRAIN, names()),
            buckets: sources
                .iter()
                .filter_map(|(name, pace)| {
                    let bucket = Bucket::new((*pace)?, now);
                    Some(((*name).to_owned(), Mutex::new(bucket)))
                })
                .collect(),
        }
    }

    /// Makes room for a body of so many bytes in all. Whether there is.
    pub fn grow(&self, source: &str, room: &mut Room, bytes: usize) -> bool {
        let Some(more) = bytes.checked_sub(room.bytes) else {
            return true;
        };
        let grains = more.div_ceil(GRAIN);
        let Ok(count) = u32::try_from(grains) else {
            return false;
        };
        if count > 0 {
            let Some(held) = self.memory.take(source, count) else {
                return false;
            };
            room.held.push(held);
        }
        room.bytes += grains * GRAIN;
        true
    }

    /// A place at the database, or `None` where as many are there as may be.
    pub fn place(&self, source: &str) -> Option<Place> {
        let held = self.places.take(source, 1)?;
        Some(Place { _held: held })
    }

    /// Counts a delivery against its source's pace; where it is too fast, after how long
    /// there is room for the next.
    pub fn pace(&self, source: &str, now: Instant) -> Result<(), Duration> {
        let Some(bucket) = self.buckets.get(source) else {
            return Ok(());
        };
        // A panic leaves a count that is whole.
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(now)
    }
}

/// Deliveries that a source may send now: they come back at its rate, up to its burst.
#[derive(Debug)]
struct Bucket {
    pace: Pace,
    left: f64,
    at: Instant,
}

impl Bucket {
    fn new(pace: Pace, now: Instant) -> Bucket {
        Bucket {
            left: f64::from(pace.burst),
            pace,
            at: now,
        }
    }

    fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let (rate, burst) = (f64::from(self.pace.rate), f64::from(self.pace.burst));
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.left = (self.left + passed * rate).min(burst);
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.left) / rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauge(places: usize, bytes: usize, names: &[&str]) -> Gauge {
        let sources: Vec<(&str, Option<Pace>)> = names.iter().map(|name| (*name, None)).collect();
        Gauge::new(places, bytes, &sources, Instant::now())
    }

    #[test]
    fn who_floods_leaves_every_other_its_part() {
        let gauge = gauge(64, 64 * GRAIN, &["flood", "shop", "desk", "carrier"]);
        let flood: Vec<Place> = std::iter::from_fn(|| gauge.place("flood")).collect();
        assert_eq!(flood.len(), 8 + 32);
        for other in ["shop", "desk", "carrier"] {
            let its: Vec<Place> = std::iter::from_fn(|| gauge.place(other)).collect();
            assert_eq!(its.len(), 8, "{other}");
        }
        // Whoever is not known by name has the common half alone.
        assert!(gauge.place("nobody").is_none());
        drop(flood);
        assert!(gauge.place("nobody").is_some());
    }

    #[test]
    fn a_source_alone_has_everything() {
        let gauge = gauge(64, 64 * GRAIN, &["shop"]);
        let all: Vec<Place> = std::iter::from_fn(|| gauge.place("shop")).collect();
        assert_eq!(all.len(), 64);
    }

    #[test]
    fn memory_is_taken_as_it_is_needed_and_given_back_whole() {
        let gauge = gauge(8, 16 * GRAIN, &["shop"]);
        let mut room = Room::default();
        assert!(gauge.grow("shop", &mut room, 10));
        assert!(gauge.grow("shop", &mut room, GRAIN), "the same grain");
        assert!(gauge.grow("shop", &mut room, 15 * GRAIN));
        let mut other = Room::default();
        assert!(gauge.grow("shop", &mut other, GRAIN));
        assert!(!gauge.grow("shop", &mut other, 2 * GRAIN), "none is left");
        drop(room);
        assert!(gauge.grow("shop", &mut other, 16 * GRAIN));
    }

    #[test]
    fn a_source_may_burst_and_then_keeps_its_pace() {
        let now = Instant::now();
        let pace = Pace { rate: 10, burst: 3 };
        let gauge = Gauge::new(8, GRAIN, &[("fast", Some(pace)), ("slow", None)], now);
        for n in 0..3 {
            assert_eq!(gauge.pace("fast", now), Ok(()), "{n}");
        }
        let wait = gauge.pace("fast", now);
        assert_eq!(wait, Err(Duration::from_millis(100)));
        assert_eq!(gauge.pace("slow", now), Ok(()), "others are not concerned");
        let later = now + Duration::from_millis(100);
        assert_eq!(gauge.pace("fast", later), Ok(()));
        assert!(gauge.pace("fast", later).is_err());
        // A clock that goes back gives nothing.
        assert!(gauge.pace("fast", now).is_err());
        let much_later = later + Duration::from_secs(3600);
        let burst = (0..9).filter(|_| gauge.pace("fast", much_later).is_ok());
        assert_eq!(burst.count(), 3);
    }

    #[test]
    fn a_burst_that_is_not_said_follows_the_rate() {
        assert_eq!(Pace::of(None, None), None);
        assert_eq!(Pace::of(Some(5), None), Some(Pace { rate: 5, burst: 50 }));
        assert_eq!(
            Pace::of(None, Some(7)),
            Some(Pace {
                rate: RATE,
                burst: 7
            })
        );
    }
}
