//! The shop's policy: `config/store.toml` and `config/people.toml` as meant.

use super::holidays::Workdays;
use super::kind::Kind;
use super::time::{Date, Length, Time, TimeZone, Timestamp, Weekday};
use super::transit::Transits;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Everything a shop decided about when and whether people may be mailed.
#[derive(Debug, Clone)]
pub struct Policy {
    pub id: String,
    pub name: String,
    pub url: String,
    /// Postal address for footers.
    pub address: String,
    pub zone: TimeZone,
    /// The IANA name of `zone`.
    pub zone_name: String,
    /// Languages of the shop; the first serves languages not listed.
    pub locales: Vec<String>,
    /// Stands in for missing translations.
    pub fallback: Option<String>,
    /// Whose layouts, partials and words mails use before the common ones.
    pub brand: Option<String>,
    /// What links in mails say about where their reader came from.
    pub campaign: CampaignParameters,
    /// Facts before it are history only.
    pub live_since: Option<Timestamp>,
    /// Older facts enrol nobody: for fulfilment sequences, for all others.
    pub enrol_max_age: EnrolMaxAge,
    /// The only addresses (normalised) that get mail about test orders.
    pub test_recipients: Vec<String>,
    pub hours: Option<Hours>,
    pub limits: Limits,
    /// What an ask costs in education mails.
    pub earn: BTreeMap<Kind, u32>,
    /// First match by country; `*` matches any.
    pub assume: Vec<Assume>,
    /// Whether what the shop's own parcels have taught comes before `assume`.
    pub learn: bool,
    /// What they have taught: no file says it, whoever puts files in force lays it here.
    pub transits: Arc<Transits>,
    pub consent: ConsentTable,
    /// How long a solved ticket still holds asks back (rule 21).
    pub ticket_cool_down: Length,
    /// Who signs mails, by id.
    pub people: BTreeMap<String, Sender>,
    /// The shop's own country (ISO 3166 alpha-2): its holidays count for customers whose
    /// country nobody knows.
    pub country: Option<String>,
    /// Days on which the shop is closed, besides weekends and holidays.
    pub closed: BTreeSet<Date>,
}

impl Policy {
    /// The working days of a place; those of the shop where nobody knows the country.
    pub fn workdays(&self, country: Option<&str>, region: Option<&str>) -> Workdays<'_> {
        match country {
            Some(country) => Workdays::new(Some(country), region, &self.closed),
            None => Workdays::new(self.country.as_deref(), None, &self.closed),
        }
    }

    /// Who signs for somebody at an instant: that person, or whoever stands in for them on
    /// that day of the shop; and until which day the person is away, where nobody stands
    /// in. `None` where nobody is called so.
    pub fn sender(&self, id: &str, now: Timestamp) -> Option<Sender> {
        let today = super::time::day(now, &self.zone);
        let mut person = self.people.get(id)?;
        // Circles are refused when the files are read; this only bounds the walk.
        for _ in 0..self.people.len() {
            let Some(away) = person.away.iter().find(|away| away.covers(today)) else {
                break;
            };
            let stand_in = away.stand_in.as_deref().and_then(|id| self.people.get(id));
            let Some(stand_in) = stand_in else {
                return Some(Sender {
                    away_until: Some(away.to),
                    ..person.clone()
                });
            };
            person = stand_in;
        }
        Some(person.clone())
    }
}

/// What `{{link}}` and `{{stars}}` add to addresses. `{sequence}`, `{step}` and `{locale}`
/// are filled in; an empty text leaves its parameter out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignParameters {
    /// `utm_source`
    pub source: String,
    /// `utm_medium`
    pub medium: String,
    /// `utm_campaign`
    pub campaign: String,
    /// `utm_content`
    pub content: String,
    /// `utm_term`
    pub term: String,
    /// Whether addresses of other hosts than the shop's get them too.
    pub elsewhere: bool,
}

impl CampaignParameters {
    /// The names that `{…}` may stand for.
    pub const NAMES: [&'static str; 3] = ["sequence", "step", "locale"];

    /// The parameters with their names, in the order in which they are added.
    pub fn named(&self) -> [(&'static str, &str); 5] {
        [
            ("utm_source", &self.source),
            ("utm_medium", &self.medium),
            ("utm_campaign", &self.campaign),
            ("utm_content", &self.content),
            ("utm_term", &self.term),
        ]
    }
}

impl Default for CampaignParameters {
    fn default() -> Self {
        CampaignParameters {
            source: "aftercare".into(),
            medium: "email".into(),
            campaign: "{sequence}".into(),
            content: "{step}".into(),
            term: String::new(),
            elsewhere: true,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct EnrolMaxAge {
    pub fulfilment: Length,
    pub others: Length,
}

/// When mail may go, in the customer's zone.
#[derive(Debug, Clone)]
pub struct Hours {
    pub open: Time,
    pub close: Time,
    /// Days on which there are hours at all.
    pub days: Vec<Weekday>,
    /// Kinds that go at any hour.
    pub except: Vec<Kind>,
}

/// At most so many mails per person, fulfilment apart, counted in local days.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    pub per_day: Option<u32>,
    pub per_week: Option<u32>,
    pub asks: Option<AskLimit>,
    /// How long a limit may put a send off before it is skipped.
    pub when_over: Option<Length>,
}

#[derive(Debug, Clone, Copy)]
pub struct AskLimit {
    pub at_most: u32,
    /// In days.
    pub within_days: i64,
}

/// That a parcel to a country has arrived so long after its dispatch, if nothing is heard.
#[derive(Debug, Clone)]
pub struct Assume {
    /// ISO 3166 alpha-2, or `*`.
    pub to: String,
    pub after: Length,
}

/// What a kind of mail needs in a country.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConsentRule {
    /// Nothing at all.
    None,
    /// That nobody opted out.
    OptOut,
    /// State `subscribed`, or basis `soft_opt_in`.
    SoftOptIn,
    /// State `subscribed`.
    OptIn,
    /// Never sent.
    Never,
}

/// Consent rules by country and kind.
#[derive(Debug, Clone, Default)]
pub struct ConsentTable {
    pub default: BTreeMap<Kind, ConsentRule>,
    pub by_country: BTreeMap<String, BTreeMap<Kind, ConsentRule>>,
}

impl ConsentTable {
    /// The rule for a kind in a country: the country's row, then the default row, then
    /// what the kind's class needs in the strictest market. Fulfilment needs nothing.
    pub fn rule(&self, country: Option<&str>, kind: Kind) -> ConsentRule {
        if kind == Kind::Fulfilment {
            return ConsentRule::None;
        }
        country
            .and_then(|country| self.by_country.get(country))
            .and_then(|row| row.get(&kind))
            .or_else(|| self.default.get(&kind))
            .copied()
            .unwrap_or(match kind {
                Kind::Fulfilment => ConsentRule::None,
                Kind::Education => ConsentRule::OptOut,
                Kind::Survey | Kind::Review | Kind::Offer => ConsentRule::SoftOptIn,
            })
    }
}

/// A person in whose name mail goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    pub id: String,
    pub name: String,
    pub email: String,
    pub reply_to: Option<String>,
    /// When they are away.
    pub away: Vec<Away>,
    /// The last day of the absence that runs while the mail is made, where nobody stands
    /// in.
    pub away_until: Option<Date>,
}

/// An absence, in days of the shop's zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    pub from: Date,
    /// The last day.
    pub to: Date,
    /// Who signs meanwhile.
    pub stand_in: Option<String>,
}

impl Away {
    /// Whether a day lies in it.
    pub fn covers(&self, day: Date) -> bool {
        self.from <= day && day <= self.to
    }
}
