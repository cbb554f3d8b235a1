//! Who somebody is: names, address, language, zone and standing, as the newest facts
//! say (`docs/events.md`, rules 18, 21, 23, 24).

use super::Person;
use super::consent::{self, Standing};
use super::orders::{Book, Dossier};
use super::telling::Telling;
use crate::model::email::{Address, normalise};
use crate::model::event::{Customer, EventKind};
use crate::model::kind::Scope;
use crate::model::locale;
use crate::model::policy::Policy;
use crate::model::time::{TimeZone, Timestamp};
use crate::model::zones;
use std::collections::{BTreeMap, BTreeSet};

/// A person's record as one order, or one update, has it.
struct Record<'a> {
    time: Timestamp,
    customer: &'a Customer,
    /// The order that it stands in; none for a record of its own.
    order: Option<usize>,
}

/// Everything about the person that needs no order's inside.
pub(super) struct Portrait {
    pub(super) person: Person,
    /// By order: the address to use for it, where that is not the person's.
    pub(super) contacts: Vec<Option<Address>>,
    /// By order: a gift for somebody else.
    pub(super) gifts: Vec<bool>,
    pub(super) changes_at: Vec<Timestamp>,
}

/// The newest customer record of an order.
fn customer_of<'a>(dossier: &Dossier<'a>, tellings: &[Telling<'a>]) -> Option<&'a Customer> {
    dossier
        .sightings
        .iter()
        .rev()
        .find_map(|seen| {
            let row: &'a crate::model::event::Event = seen.row;
            row.body.customer.as_ref()
        })
        .or_else(|| {
            let own = dossier.tellings.iter().rev();
            own.filter(|place| tellings[**place].source() == dossier.source)
                .find_map(|place| tellings[*place].body().customer.as_ref())
        })
}

fn records<'a>(tellings: &[Telling<'a>], book: &Book<'a>) -> Vec<Record<'a>> {
    let mut records: Vec<Record<'a>> = Vec::new();
    for (place, dossier) in book.dossiers.iter().enumerate() {
        if let Some(customer) = customer_of(dossier, tellings) {
            // What stands in an order is what was true when it was placed, however
            // late the order changes.
            let first = dossier.sightings.iter().map(|seen| seen.row.time).min();
            records.push(Record {
                time: first.or(dossier.placed_at()).unwrap_or_default(),
                customer,
                order: Some(place),
            });
        }
    }
    for (place, telling) in tellings.iter().enumerate() {
        let own = telling.kind() == EventKind::CustomerUpdated || book.of_telling[place].is_none();
        if let Some(customer) = telling.body().customer.as_ref().filter(|_| own) {
            records.push(Record {
                time: telling.time(),
                customer,
                order: None,
            });
        }
    }
    records.sort_by_key(|record| record.time);
    records
}

/// The address as (normalised, as typed), where there is a text.
fn email_of(customer: &Customer) -> Option<(String, &str)> {
    let typed = customer.email.as_deref()?.trim();
    (!typed.is_empty()).then(|| (normalise(typed), typed))
}

/// Every address that was somebody's own at some time, and the one in use.
struct Addresses {
    own: BTreeSet<String>,
    main: Option<String>,
}

fn addresses(tellings: &[Telling<'_>], records: &[Record<'_>]) -> Addresses {
    let mut own = BTreeSet::new();
    let mut first: Option<String> = None;
    let mut first_of_id: BTreeMap<&str, String> = BTreeMap::new();
    for record in records {
        let Some((key, typed)) = email_of(record.customer) else {
            continue;
        };
        if let Some(id) = record.customer.customer_id.as_deref()
            && !first_of_id.contains_key(id)
        {
            first_of_id.insert(id, typed.to_owned());
            own.insert(key.clone());
        }
        if first.is_none() {
            first = Some(typed.to_owned());
            own.insert(key);
        }
    }
    let mut newest: Option<String> = None;
    let mut by_id: BTreeMap<&str, String> = BTreeMap::new();
    for telling in tellings {
        let body = telling.body();
        match telling.kind() {
            EventKind::CustomerUpdated => {
                let Some(customer) = &body.customer else {
                    continue;
                };
                if let Some((key, typed)) = email_of(customer) {
                    own.insert(key);
                    newest = Some(typed.to_owned());
                    if let Some(id) = customer.customer_id.as_deref() {
                        by_id.insert(id, typed.to_owned());
                    }
                }
                let before = body.previous.as_ref().and_then(|p| p.email.as_deref());
                own.extend(before.map(normalise));
            }
            EventKind::CustomerMerged => {
                for who in body.survivor.iter().chain(&body.absorbed) {
                    own.extend(who.email.as_deref().map(normalise));
                }
                let survivor = body.survivor.as_ref();
                let id = survivor.and_then(|who| who.customer_id.as_deref());
                let email = survivor
                    .and_then(|who| who.email.clone())
                    .or_else(|| by_id.get(id?).cloned())
                    .or_else(|| first_of_id.get(id?).cloned());
                newest = email.or(newest);
            }
            _ => {}
        }
    }
    let referred = || {
        tellings.iter().find_map(|telling| {
            let who = telling.body().customer_ref.as_ref()?;
            who.email.clone().filter(|email| !email.trim().is_empty())
        })
    };
    Addresses {
        own,
        main: newest.or(first).or_else(referred),
    }
}

/// Whether an order goes to somebody else than its buyer (rule 18).
fn is_gift(dossier: &Dossier<'_>, customer: Option<&Customer>) -> bool {
    let order = dossier.newest().order;
    if let Some(said) = order.gift {
        return said;
    }
    let (Some(to), Some(buyer)) = (&order.ship_to, customer) else {
        return false;
    };
    let abroad = match (&to.country, &buyer.country) {
        (Some(to), Some(from)) => !to.eq_ignore_ascii_case(from),
        _ => false,
    };
    let full = match (&buyer.first_name, &buyer.last_name) {
        (Some(first), Some(last)) => Some(format!("{first} {last}")),
        _ => None,
    };
    let buyer_name = buyer.name.clone().or(full);
    let other = match (&to.name, &buyer_name) {
        (Some(to), Some(buyer)) => !same_name(to, buyer),
        _ => false,
    };
    abroad || other
}

/// Whether two spellings can be one person's: the words of one are all among those of
/// the other, in any order (`Boyd, Marcus` and `Marcus J. Boyd`).
fn same_name(left: &str, right: &str) -> bool {
    let words = |text: &str| -> BTreeSet<String> {
        text.to_lowercase()
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let (left, right) = (words(left), words(right));
    left.is_empty() || right.is_empty() || left.is_subset(&right) || right.is_subset(&left)
}

struct Place {
    zone: TimeZone,
    name: String,
    source: &'static str,
}

/// The zone to count days in: what the newest facts name, else by country and region of
/// the delivery address (of the buyer, for a gift), else the shop's.
fn zone(records: &[Record<'_>], book: &Book<'_>, gifts: &[bool], policy: &Policy) -> Place {
    let named = records.iter().rev().find_map(|record| {
        let name = record.customer.time_zone.as_deref()?;
        let zone = TimeZone::get(name).ok()?;
        Some(Place {
            name: zone.iana_name().unwrap_or(name).to_owned(),
            zone,
            source: "event",
        })
    });
    let by_country = || {
        records.iter().rev().find_map(|record| {
            let to = record
                .order
                .filter(|order| !gifts[*order])
                .and_then(|order| book.dossiers[order].newest().order.ship_to.as_ref());
            let (country, region) = match to {
                Some(to) if to.country.is_some() => (to.country.as_deref(), to.region.as_deref()),
                _ => (
                    record.customer.country.as_deref(),
                    record.customer.region.as_deref(),
                ),
            };
            let (name, source) = zones::of(country?, region)?;
            let zone = TimeZone::get(name).ok()?;
            Some(Place {
                zone,
                name: name.to_owned(),
                source,
            })
        })
    };
    named.or_else(by_country).unwrap_or_else(|| Place {
        zone: policy.zone.clone(),
        name: policy.zone_name.clone(),
        source: "shop",
    })
}

/// Languages of countries where the country alone tells one; not of those with several
/// (CH, BE, CA …).
const LANGUAGES: &[(&str, &str)] = &[
    ("AT", "de"),
    ("AU", "en"),
    ("BR", "pt"),
    ("CN", "zh"),
    ("CZ", "cs"),
    ("DE", "de"),
    ("DK", "da"),
    ("ES", "es"),
    ("FR", "fr"),
    ("GB", "en"),
    ("GR", "el"),
    ("HU", "hu"),
    ("IE", "en"),
    ("IT", "it"),
    ("JP", "ja"),
    ("KR", "ko"),
    ("LI", "de"),
    ("MC", "fr"),
    ("MX", "es"),
    ("NL", "nl"),
    ("NO", "no"),
    ("NZ", "en"),
    ("PL", "pl"),
    ("PT", "pt"),
    ("SE", "sv"),
    ("TR", "tr"),
    ("US", "en"),
];

fn language(records: &[Record<'_>], country: Option<&str>, policy: &Policy) -> String {
    let said = records
        .iter()
        .rev()
        .find_map(|r| r.customer.locale.clone().filter(|l| !l.trim().is_empty()));
    said.unwrap_or_else(|| {
        let by_country = LANGUAGES
            .iter()
            .find(|(code, _)| Some(*code) == country)
            .map(|(_, language)| *language);
        let served = policy
            .locales
            .iter()
            .find(|served| Some(locale::language(served).as_str()) == by_country);
        served
            .or(policy.locales.first())
            .or(policy.fallback.as_ref())
            .cloned()
            .unwrap_or_else(|| "en".to_owned())
    })
}

/// Tags by which a help desk marks tickets that our own mails caused (rule 21).
const AUTOMATIC: &[&str] = &["aftercare", "auto_reply", "auto-reply", "autoreply"];

/// Whether any ticket holds asks back now, and when closed ones stop doing so.
fn tickets(
    tellings: &[Telling<'_>],
    policy: &Policy,
    zone: &TimeZone,
    now: Timestamp,
) -> (bool, Vec<Timestamp>) {
    let mut latest: BTreeMap<(&str, &str), (Timestamp, bool)> = BTreeMap::new();
    for telling in tellings {
        let opening = telling.kind() == EventKind::TicketOpened;
        if !opening && telling.kind() != EventKind::TicketClosed {
            continue;
        }
        let Some(ticket) = &telling.body().ticket else {
            continue;
        };
        let automatic = |tag: &String| AUTOMATIC.contains(&tag.to_lowercase().as_str());
        if ticket.tags.iter().any(automatic) {
            continue;
        }
        // The set of statuses is open; where one is not known, the event's kind decides.
        let open = match ticket.status.to_lowercase().as_str() {
            "new" | "open" | "pending" | "hold" | "on-hold" | "on_hold" => true,
            "solved" | "closed" | "resolved" | "deleted" | "spam" => false,
            _ => opening,
        };
        let entry = latest
            .entry((telling.source(), ticket.ticket_id.as_str()))
            .or_insert((telling.time(), open));
        // At one instant a closing comes after its opening.
        if telling.time() > entry.0 || !open {
            *entry = (telling.time(), open);
        }
    }
    let mut held = false;
    let mut ends = Vec::new();
    for (time, open) in latest.into_values() {
        let until = policy.ticket_cool_down.after(time, zone);
        held |= open || until > now;
        if !open && until > now {
            ends.push(until);
        }
    }
    (held, ends)
}

/// Whether a charge is contested: a dispute that is not closed, or that was lost. Only
/// one that ended otherwise releases.
fn disputed(tellings: &[Telling<'_>]) -> bool {
    let mut open: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    for telling in tellings {
        let Some(dispute) = &telling.body().dispute else {
            continue;
        };
        let holds = match telling.kind() {
            EventKind::DisputeOpened => true,
            EventKind::DisputeClosed => dispute.outcome.as_deref() == Some("lost"),
            _ => continue,
        };
        open.insert((telling.source(), dispute.dispute_id.as_str()), holds);
    }
    open.into_values().any(|holds| holds)
}

fn newest_text(
    records: &[Record<'_>],
    field: impl Fn(&Customer) -> Option<&String>,
) -> Option<String> {
    records
        .iter()
        .rev()
        .find_map(|record| field(record.customer).filter(|text| !text.trim().is_empty()))
        .cloned()
}

/// Draws the person.
pub(super) fn portrait(
    tellings: &[Telling<'_>],
    book: &Book<'_>,
    policy: &Policy,
    erased: bool,
    now: Timestamp,
) -> Portrait {
    let records = records(tellings, book);
    let of_order = |place: usize| {
        records
            .iter()
            .find(|record| record.order == Some(place))
            .map(|record| record.customer)
    };
    let gifts: Vec<bool> = (0..book.dossiers.len())
        .map(|place| is_gift(&book.dossiers[place], of_order(place)))
        .collect();
    let place = zone(&records, book, &gifts, policy);
    let addresses = addresses(tellings, &records);
    let main_key = addresses.main.as_deref().map(normalise);
    let contacts = (0..book.dossiers.len())
        .map(|place| {
            let (key, typed) = email_of(of_order(place)?)?;
            let apart = !addresses.own.contains(&key) && Some(&key) != main_key.as_ref();
            Address::parse(typed)
                .ok()
                .filter(|_| apart && !consent::is_dead(tellings, &key))
        })
        .collect();
    let (email, bad_email) = match addresses.main.as_deref().map(Address::parse) {
        None => (None, None),
        Some(Ok(address)) => (Some(address), None),
        Some(Err(error)) => (None, Some(error.to_string())),
    };
    let Standing {
        consent, opt_outs, ..
    } = consent::standing(tellings, main_key.as_deref());
    let (open_ticket, changes_at) = tickets(tellings, policy, &place.zone, now);
    let newest = records.last().map(|record| record.customer);
    let country = records.iter().rev().find_map(|record| {
        let own = record.customer.country.clone();
        own.map(|country| (country.to_uppercase(), record.customer.region.clone()))
    });
    let country = country.or_else(|| {
        records.iter().rev().find_map(|record| {
            let order = record.order.filter(|order| !gifts[*order])?;
            let to = book.dossiers[order].newest().order.ship_to.as_ref()?;
            Some((to.country.as_ref()?.to_uppercase(), to.region.clone()))
        })
    });
    let mut customer_ids: Vec<String> = Vec::new();
    for record in records.iter().rev() {
        if let Some(id) = &record.customer.customer_id
            && !customer_ids.contains(id)
        {
            customer_ids.push(id.clone());
        }
    }
    let registered = records
        .iter()
        .any(|record| record.customer.account.as_deref() == Some("registered"));
    let locale = language(&records, country.as_ref().map(|(c, _)| c.as_str()), policy);
    let person = Person {
        customer_ids,
        account: if registered { "registered" } else { "guest" }.to_owned(),
        email,
        bad_email,
        first_name: newest_text(&records, |c| c.first_name.as_ref()),
        last_name: newest_text(&records, |c| c.last_name.as_ref()),
        name: newest_text(&records, |c| c.name.as_ref()),
        locale,
        zone: place.zone,
        zone_name: place.name,
        zone_source: place.source,
        region: country.as_ref().and_then(|(_, region)| region.clone()),
        country: country.map(|(country, _)| country),
        tags: newest.map(|c| c.tags.clone()).unwrap_or_default(),
        consent,
        opt_outs: opt_outs.into_keys().collect::<Vec<Scope>>(),
        open_ticket,
        open_dispute: disputed(tellings),
        erased: erased
            || tellings
                .iter()
                .any(|telling| telling.kind() == EventKind::ErasureRequested),
        test: !book.dossiers.is_empty() && book.dossiers.iter().all(|d| d.test),
    };
    Portrait {
        person,
        contacts,
        gifts,
        changes_at,
    }
}
