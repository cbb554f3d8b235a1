//! Which zone a country, or a region of one, is in. The table is made by
//! `scripts/zones` from the tz database.

use std::collections::HashMap;
use std::sync::LazyLock;

const TABLE: &str = include_str!("zones.tsv");

/// Countries so wide that the country alone says nothing: the region is needed.
const WIDE: &[&str] = &["US", "CA", "AU", "BR", "RU"];

static ZONES: LazyLock<HashMap<(&str, &str), &str>> = LazyLock::new(|| {
    TABLE
        .lines()
        .filter_map(|line| {
            let mut parts = line.split('\t');
            Some(((parts.next()?, parts.next()?), parts.next()?))
        })
        .collect()
});

/// The IANA zone of a place and whether its `region` or its `country` told. Regions are
/// ISO 3166-2, with or without the country before them.
pub fn of(country: &str, region: Option<&str>) -> Option<(&'static str, &'static str)> {
    let country = country.trim().to_uppercase();
    let region = region.map(|text| {
        let text = text.trim().to_uppercase();
        match text.strip_prefix(&format!("{country}-")) {
            Some(bare) => bare.to_owned(),
            None => text,
        }
    });
    let lookup = |region: &str| ZONES.get(&(country.as_str(), region)).copied();
    if let Some(zone) = region.as_deref().filter(|r| !r.is_empty()).and_then(lookup) {
        return Some((zone, "region"));
    }
    if WIDE.contains(&country.as_str()) {
        return None;
    }
    lookup("").map(|zone| (zone, "country"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::TimeZone;

    #[test]
    fn every_zone_of_the_table_exists() {
        for line in TABLE.lines() {
            let zone = line.rsplit('\t').next().unwrap_or_default();
            assert!(TimeZone::get(zone).is_ok(), "{line}");
        }
    }

    #[test]
    fn wide_countries_need_their_region() {
        assert_eq!(of("DE", None), Some(("Europe/Berlin", "country")));
        assert_eq!(of("jp", Some("13")), Some(("Asia/Tokyo", "country")));
        assert_eq!(of("US", None), None);
        assert_eq!(
            of("US", Some("us-ca")),
            Some(("America/Los_Angeles", "region"))
        );
        assert_eq!(of("CA", Some("BC")), Some(("America/Vancouver", "region")));
        assert_eq!(of("ES", Some("TF")), Some(("Atlantic/Canary", "region")));
        assert_eq!(of("XX", None), None);
    }
}
