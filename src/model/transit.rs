//! How long parcels take on their ways, as the shop's own parcels have taught: a table
//! that whoever folds facts is given, as they are given the catalogue.
//!
//! Each entry says from when on it holds, so that the same facts, files and table give the
//! same state at any instant: what was assumed of a parcel that left under one entry does
//! not move when another is learnt. Nothing here learns and nothing here reads a clock.

use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A way that parcels go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// In the form of [`carrier`].
    pub carrier: String,
    /// How the order says that it is sent, in small letters; `None`: all of the carrier's
    /// parcels together.
    pub service: Option<String>,
    /// The source of the order: what stands nearest to a warehouse in events.
    pub origin: String,
    /// ISO 3166 alpha-2.
    pub to: String,
}

/// What is known of a way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Holds for parcels that leave from this instant on, until a later entry.
    pub from: Timestamp,
    /// Working days of the destination within which nine of ten parcels arrived.
    pub days: i64,
    /// From how many parcels it was learnt.
    pub parcels: u32,
    /// The carrier, as a person calls it.
    pub name: String,
}

/// What the shop's parcels have taught so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Entry>", into = "Vec<Entry>")]
pub struct Transits {
    /// By way, the oldest first; never an empty list.
    routes: BTreeMap<Route, Vec<Known>>,
}

/// A way and one thing that is known of it, as they are written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    route: Route,
    #[serde(flatten)]
    known: Known,
}

impl From<Vec<Entry>> for Transits {
    fn from(entries: Vec<Entry>) -> Self {
        let mut routes: BTreeMap<Route, Vec<Known>> = BTreeMap::new();
        for Entry { route, known } in entries {
            routes.entry(route).or_default().push(known);
        }
        for list in routes.values_mut() {
            list.sort_by_key(|known| known.from);
        }
        Transits { routes }
    }
}

impl From<Transits> for Vec<Entry> {
    fn from(transits: Transits) -> Self {
        let one = |(route, list): (Route, Vec<Known>)| {
            list.into_iter().map(move |known| Entry {
                route: route.clone(),
                known,
            })
        };
        transits.routes.into_iter().flat_map(one).collect()
    }
}

/// What a table says of a parcel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'t> {
    /// It held when the parcel left.
    Held(&'t Known),
    /// The first that was ever learnt of its way, after it had left.
    Later(&'t Known),
}

/// What a parcel's way is looked up by.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Every name that a source gave its carrier, in the form of [`carrier`].
    pub carriers: &'a BTreeSet<String>,
    pub service: Option<&'a str>,
    pub origin: &'a str,
    pub to: &'a str,
    pub dispatched: Timestamp,
}

impl Transits {
    /// Whether nothing was learnt yet.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// All that is known now: of each way the newest.
    pub fn newest(&self) -> impl Iterator<Item = (&Route, &Known)> {
        let lists = self.routes.iter();
        lists.filter_map(|(route, list)| Some((route, list.last()?)))
    }

    /// What is known of a parcel's way: of its service before that of its carrier, what
    /// held when it left before what came later, and of several names of its carrier the
    /// one under which most parcels went.
    pub fn find(&self, asked: Asked<'_>) -> Option<Found<'_>> {
        let levels = match asked.service {
            Some(service) => vec![Some(service.to_lowercase()), None],
            None => vec![None],
        };
        let mut later = None;
        for service in levels {
            let lists = asked.carriers.iter().filter_map(|carrier| {
                self.routes.get(&Route {
                    carrier: carrier.clone(),
                    service: service.clone(),
                    origin: asked.origin.to_owned(),
                    to: asked.to.to_owned(),
                })
            });
            let (mut held, mut first): (Option<&Known>, Option<&Known>) = (None, None);
            for list in lists {
                let more = |had: Option<&Known>, new: &Known| {
                    had.is_none_or(|had| new.parcels > had.parcels)
                };
                match list.iter().rfind(|known| known.from <= asked.dispatched) {
                    Some(known) if more(held, known) => held = Some(known),
                    Some(_) => {}
                    None => first = list.first().filter(|one| more(first, one)).or(first),
                }
            }
            if let Some(known) = held {
                return Some(Found::Held(known));
            }
            later = later.or(first.map(Found::Later));
        }
        later
    }

    /// Takes in what is known of a way from now on; says whether that is news.
    pub fn learn(&mut self, route: Route, known: Known) -> bool {
        let list = self.routes.entry(route).or_default();
        match list.last_mut() {
            Some(last) if last.days == known.days => false,
            // Learnt anew at the same instant.
            Some(last) if last.from >= known.from => {
                *last = known;
                true
            }
            Some(_) | None => {
                list.push(known);
                true
            }
        }
    }
}

/// The form under which spellings of a carrier's name are one: "DHL-DE" and "dhl de".
pub fn carrier(name: &str) -> Option<String> {
    let normal: String = name
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    (!normal.is_empty()).then_some(normal)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(day * 86_400).unwrap()
    }

    fn route(carrier: &str, service: Option<&str>) -> Route {
        Route {
            carrier: carrier.into(),
            service: service.map(str::to_owned),
            origin: "/shop".into(),
            to: "DE".into(),
        }
    }

    fn known(from: i64, days: i64, parcels: u32) -> Known {
        Known {
            from: at(from),
            days,
            parcels,
            name: "DHL".into(),
        }
    }

    #[test]
    fn a_parcel_is_judged_by_what_was_known_when_it_left() {
        let mut table = Transits::default();
        assert!(table.learn(route("dhl", None), known(10, 3, 20)));
        assert!(
            !table.learn(route("dhl", None), known(11, 3, 25)),
            "no news"
        );
        assert!(table.learn(route("dhl", None), known(20, 5, 40)));
        assert!(table.learn(route("dhl", Some("express")), known(30, 1, 22)));
        assert!(table.learn(route("dhlde", None), known(10, 4, 90)));
        let text = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<Transits>(&text).unwrap(), table);

        let find = |names: &[&str], service: Option<&str>, day: i64| {
            let carriers = names.iter().map(|name| carrier(name).unwrap()).collect();
            let asked = Asked {
                carriers: &carriers,
                service,
                origin: "/shop",
                to: "DE",
                dispatched: at(day),
            };
            table.find(asked).map(|found| match found {
                Found::Held(known) => ("held", known.days),
                Found::Later(known) => ("later", known.days),
            })
        };
        assert_eq!(find(&["DHL"], None, 15), Some(("held", 3)));
        assert_eq!(find(&["D-H-L"], None, 20), Some(("held", 5)));
        assert_eq!(find(&["DHL"], None, 9), Some(("later", 3)));
        // Its own service, once that is known; else the carrier as a whole.
        assert_eq!(find(&["DHL"], Some("Express"), 25), Some(("held", 5)));
        assert_eq!(find(&["DHL"], Some("Express"), 31), Some(("held", 1)));
        // Two sources, two names: the one that is known best.
        assert_eq!(find(&["DHL", "DHL DE"], None, 25), Some(("held", 4)));
        assert_eq!(find(&["UPS"], None, 25), None);
        assert_eq!(find(&[], None, 25), None);
    }
}
