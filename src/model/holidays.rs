//! Days on which shops and carriers rest: weekends, public holidays by country and
//! region, and the shop's own closed days. The table is made by `scripts/holidays` from
//! Python's `holidays` (MIT licence); nothing here knows a holiday by itself.

use super::time::{Date, is_business_day};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

const TABLE: &str = include_str!("holidays.tsv");

/// The days of one place.
#[derive(Debug, Default)]
struct Place {
    /// (month, day) of every year that is covered.
    always: BTreeSet<(i8, i8)>,
    /// Days of single years.
    single: BTreeSet<Date>,
}

#[derive(Debug, Default)]
struct Table {
    places: BTreeMap<&'static str, Place>,
    first: i16,
    last: i16,
}

static DAYS: LazyLock<Table> = LazyLock::new(|| read(TABLE));

fn month_day(text: &str) -> Option<(i8, i8)> {
    Some((text.get(..2)?.parse().ok()?, text.get(2..)?.parse().ok()?))
}

fn read(text: &'static str) -> Table {
    let mut table = Table::default();
    for line in text.lines() {
        let mut cells = line.split('\t');
        let name = cells.next().unwrap_or_default();
        if name.starts_with('#') {
            if name == "# years" {
                let mut year = || cells.next().and_then(|year| year.parse().ok());
                (table.first, table.last) = (year().unwrap_or(0), year().unwrap_or(0));
            }
            continue;
        }
        let mut place = Place::default();
        let always = cells.next().unwrap_or_default().split_whitespace();
        place.always.extend(always.filter_map(month_day));
        for cell in cells {
            let Some((year, days)) = cell.split_once(':') else {
                continue;
            };
            let Ok(year) = year.parse() else { continue };
            place.single.extend(
                days.split_whitespace()
                    .filter_map(month_day)
                    .filter_map(|(month, day)| Date::new(year, month, day).ok()),
            );
        }
        table.places.insert(name, place);
    }
    table
}

/// The first and the last year whose holidays are known. Outside them only weekends and
/// the shop's closed days count.
pub fn years() -> (i16, i16) {
    (DAYS.first, DAYS.last)
}

/// Whether the holidays of a country (ISO 3166 alpha-2) are known.
pub fn is_known(country: &str) -> bool {
    DAYS.places.contains_key(country)
}

/// The countries whose holidays are known.
pub fn countries() -> impl Iterator<Item = &'static str> {
    DAYS.places.keys().copied().filter(|name| name.len() == 2)
}

/// The working days of a place, as a shop counts them.
#[derive(Debug, Clone)]
pub struct Workdays<'a> {
    country: Option<&'static Place>,
    region: Option<&'static Place>,
    closed: &'a BTreeSet<Date>,
}

impl<'a> Workdays<'a> {
    /// Those of a country and its region (ISO 3166-2, with or without the country before
    /// it), without the days on which the shop is closed.
    pub fn new(
        country: Option<&str>,
        region: Option<&str>,
        closed: &'a BTreeSet<Date>,
    ) -> Workdays<'a> {
        let name = country.map(|country| country.trim().to_uppercase());
        let region = name.as_deref().zip(region).and_then(|(country, region)| {
            let region = region.trim().to_uppercase();
            let bare = region
                .strip_prefix(country)
                .and_then(|rest| rest.strip_prefix('-'))
                .unwrap_or(&region);
            DAYS.places.get(format!("{country}-{bare}").as_str())
        });
        Workdays {
            country: name.and_then(|country| DAYS.places.get(country.as_str())),
            region,
            closed,
        }
    }

    /// Whether shops and carriers work on a day.
    pub fn includes(&self, date: Date) -> bool {
        let covered = (DAYS.first..=DAYS.last).contains(&date.year());
        let rests = |place: Option<&Place>| {
            place.is_some_and(|place| {
                place.always.contains(&(date.month(), date.day())) || place.single.contains(&date)
            })
        };
        is_business_day(date)
            && !self.closed.contains(&date)
            && !(covered && (rests(self.country) || rests(self.region)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn works(country: &str, region: Option<&str>, year: i16, month: i8, day: i8) -> bool {
        let closed = BTreeSet::from([Date::constant(2026, 12, 24)]);
        Workdays::new(Some(country), region, &closed).includes(Date::constant(year, month, day))
    }

    #[test]
    fn countries_and_their_regions_rest_on_their_own_days() {
        assert!(!works("DE", None, 2026, 4, 3), "Good Friday");
        assert!(works("US", None, 2026, 4, 3), "no holiday of the country");
        assert!(!works("US", None, 2026, 11, 26), "Thanksgiving");
        assert!(works("DE", None, 2026, 11, 26));
        assert!(works("DE", None, 2027, 1, 6), "not everywhere");
        assert!(!works("DE", Some("BY"), 2027, 1, 6), "Epiphany in Bavaria");
        assert!(!works("de", Some("DE-BY"), 2027, 1, 6));
        assert!(!works("JP", None, 2026, 2, 11));
        assert!(!works("DE", None, 2026, 12, 24), "closed by the shop");
        assert!(works("XX", None, 2026, 12, 25), "nothing is known");
        assert!(!works("XX", None, 2026, 12, 26), "a Saturday");
    }

    #[test]
    fn the_table_is_whole() {
        let (first, last) = years();
        assert!(first <= 2024 && last >= 2030, "{first} to {last}");
        assert!(countries().count() > 150);
        for country in [
            "DE", "AT", "CH", "FR", "GB", "US", "CA", "AU", "JP", "NL", "IT", "ES",
        ] {
            for year in first..=last {
                let closed = BTreeSet::new();
                let days = Workdays::new(Some(country), None, &closed);
                let resting = (1..=12)
                    .flat_map(|month| (1..=28).map(move |day| Date::constant(year, month, day)))
                    .filter(|date| is_business_day(*date) && !days.includes(*date))
                    .count();
                assert!((1..30).contains(&resting), "{country} {year}: {resting}");
            }
        }
    }
}
