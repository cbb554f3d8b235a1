//! `store.toml` and `people.toml`, as meant. What a file leaves out is the documented
//! default.

use super::allow::KEY as ALLOW;
use super::campaign;
use super::keys;
use super::syntax::{Section, Sheet, Spanned, address, length, one_of, time};
use crate::model::diagnostic::Diagnostic;
use crate::model::email;
use crate::model::holidays;
use crate::model::kind::Kind;
use crate::model::nearest::nearest;
use crate::model::policy::{
    AskLimit, Assume, Away, ConsentRule, ConsentTable, EnrolMaxAge, Hours, Limits, Policy, Sender,
};
use crate::model::time::{Date, Length, TimeZone, Weekday};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use toml_edit::Document;
use url::Url;

/// Youngest that a fact can be asked to be, in hours: sources tell of it a little later.
const NEWEST_HOURS: i64 = 1;
/// Soonest after its dispatch that a parcel can be taken for delivered, in hours.
const SOONEST_HOURS: i64 = 24;

const WEEK: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

const CONSENT: [(&str, ConsentRule); 5] = [
    ("none", ConsentRule::None),
    ("opt_out", ConsentRule::OptOut),
    ("soft_opt_in", ConsentRule::SoftOptIn),
    ("opt_in", ConsentRule::OptIn),
    ("never", ConsentRule::Never),
];

/// Reads `store.toml`. The people are filled in by the caller. `None` where something is
/// missing that has no default.
pub(crate) fn store(sheet: &Sheet<'_>, document: &Document<&str>) -> Option<Policy> {
    let root = Section::root(sheet, document);
    if root.is_empty("it begins with id, name, url, address, zone and locales") {
        return None;
    }
    root.only(
        &keys::STORE,
        &[
            ("brake", "the brake on large changes"),
            ("survey", "surveys"),
        ],
    );
    let id = root.need("id", "\"harbor-pine\"").filter(|id| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = id.value.len() <= 40 && id.value.chars().all(plain);
        if !fits {
            sheet.report(
                sheet
                    .problem("E111", id.span.clone(), "this is no shop id")
                    .help("small letters, digits and -, at most 40: \"harbor-pine\""),
            );
        }
        fits
    });
    let name = root.need("name", "\"Harbor & Pine\"");
    let url = root
        .need("url", "\"https://shop.example.com\"")
        .filter(|url| is_web(sheet, url));
    let address = root.need("address", "\"12 Quay Street, 20457 Hamburg\"");
    let zone = root
        .need("zone", "\"Europe/Berlin\"")
        .and_then(|text| zone(sheet, text));
    let locales = locales(&root);
    let fallback = root.text("fallback").filter(|fallback| {
        let known = locales
            .as_ref()
            .is_none_or(|locales| locales.contains(&fallback.value));
        if !known {
            sheet.report(
                sheet
                    .problem(
                        "E115",
                        fallback.span.clone(),
                        format!(
                            "\"{}\" is not one of the shop's locales",
                            fallback.value.escape_debug()
                        ),
                    )
                    .help("add it to `locales`, or choose one of them"),
            );
        }
        known
    });
    let brand = root.text("brand").map(|brand| brand.value);
    let campaign = campaign::parameters(&root);
    let live_since = root.instant("live_since");
    let enrol_max_age = enrol_max_age(&root);
    let test_recipients = root.texts("test_recipients", false).unwrap_or_default();
    let test_recipients = test_recipients
        .iter()
        .filter_map(|text| reported(sheet, self::address(sheet, text)))
        .map(|address| email::normalise(&address))
        .collect();
    let hours = match root.table("hours") {
        Some(section) => Some(hours(&section)?),
        None => None,
    };
    let limits = root
        .table("limits")
        .map(|section| limits(&section))
        .unwrap_or_default();
    let earn = root
        .table("earn")
        .map(|section| earn(&section))
        .unwrap_or_default();
    let (assume, learn) = delivery(&root);
    let consent = root.table("consent").map(|section| consent(&section));
    let cool_down = root.length("ticket_cool_down");
    let (country, closed) = holidays(&root);
    let (zone_name, zone) = zone?;
    Some(Policy {
        id: id?.value,
        name: name?.value,
        url: url?.value.trim_end_matches('/').to_owned(),
        address: address?.value,
        zone,
        zone_name,
        locales: locales?,
        fallback: fallback.map(|fallback| fallback.value),
        brand,
        campaign,
        live_since,
        enrol_max_age,
        test_recipients,
        hours,
        limits,
        earn,
        assume,
        learn,
        transits: Arc::default(),
        consent: consent.unwrap_or_else(default_consent),
        ticket_cool_down: cool_down.map_or(Length::Days(3), |length| length.value),
        people: BTreeMap::new(),
        country,
        closed,
    })
}

/// `[holidays]`: the shop's country, and the days on which it is closed besides.
fn holidays(root: &Section<'_, '_>) -> (Option<String>, BTreeSet<Date>) {
    let Some(section) = root.table("holidays") else {
        return (None, BTreeSet::new());
    };
    section.only(&keys::HOLIDAYS, &[]);
    let country = section
        .text("country")
        .filter(|country| is_code(section.sheet, country))
        .filter(|country| {
            let known = holidays::is_known(&country.value);
            if !known {
                let problem = section.sheet.problem(
                    "E179",
                    country.span.clone(),
                    format!("the holidays of \"{}\" are not known", country.value),
                );
                section.sheet.report(
                    match nearest(&country.value, holidays::countries()) {
                        Some(near) => problem.help(format!("did you mean \"{near}\"?")),
                        None => problem,
                    }
                    .help("`bd` counts the days on which people work where the customer lives; name the shop's days in `closed`"),
                );
            }
            known
        });
    let closed = section.dates("closed").into_iter().map(|date| date.value);
    (country.map(|country| country.value), closed.collect())
}

/// The languages of a store whose other keys may be wrong; says nothing itself. `None`
/// where they cannot be read.
pub(crate) fn languages(quiet: &Sheet<'_>) -> Option<(Vec<String>, Option<String>)> {
    let document = quiet.parse()?;
    let root = Section::root(quiet, &document);
    let locales = locales(&root)?;
    let fallback = root
        .peek("fallback")
        .map(|fallback| fallback.value)
        .filter(|fallback| locales.contains(fallback));
    Some((locales, fallback))
}

fn reported<T>(sheet: &Sheet<'_>, result: Result<T, Box<Diagnostic>>) -> Option<T> {
    result.map_err(|problem| sheet.report(problem)).ok()
}

fn is_web(sheet: &Sheet<'_>, text: &Spanned<String>) -> bool {
    let web = Url::parse(&text.value)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        // The standard forgives what mail programs do not: `https:/shop.example.com`.
        && ["http://", "https://"].iter().any(|scheme| text.value.starts_with(scheme))
        && !text.value.contains(|c: char| c.is_whitespace() || matches!(c, '{' | '}' | ','));
    if !web {
        sheet.report(
            sheet
                .problem(
                    "E117",
                    text.span.clone(),
                    format!("\"{}\" is no web address", text.value.escape_debug()),
                )
                .help("write \"https://shop.example.com\""),
        );
    }
    web
}

fn zone(sheet: &Sheet<'_>, text: Spanned<String>) -> Option<(String, TimeZone)> {
    match TimeZone::get(&text.value) {
        Ok(zone) => Some((text.value, zone)),
        Err(_) => {
            let names: Vec<String> = jiff::tz::db()
                .available()
                .map(|name| name.to_string())
                .collect();
            let mut problem = sheet.problem(
                "E114",
                text.span,
                format!(
                    "\"{}\" is not a time zone we know",
                    text.value.escape_debug()
                ),
            );
            if let Some(near) = nearest(&text.value, names.iter().map(String::as_str)) {
                problem = problem.help(format!("did you mean \"{near}\"?"));
            }
            sheet.report(
                problem.help("zones have names like \"Europe/Berlin\" or \"America/New_York\""),
            );
            None
        }
    }
}

fn locales(root: &Section<'_, '_>) -> Option<Vec<String>> {
    let span = match root.has("locales") {
        Some(span) => span,
        None => {
            root.missing("locales", "[\"en\"]");
            return None;
        }
    };
    let mut found = Vec::new();
    for text in root.texts("locales", false)? {
        if icu_locale_core::Locale::try_from_str(&text.value).is_err() || text.value.len() > 35 {
            root.sheet.report(
                root.sheet
                    .problem(
                        "E115",
                        text.span,
                        format!("\"{}\" is no locale", text.value.escape_debug()),
                    )
                    .help("write a language, and a region where it matters: \"en\", \"pt-BR\""),
            );
        } else if found.contains(&text.value) {
            root.sheet.report(
                root.sheet
                    .problem(
                        "E115",
                        text.span,
                        format!("\"{}\" stands twice", text.value.escape_debug()),
                    )
                    .help("readers of the language that was meant would get another one")
                    .help("name each language once"),
            );
        } else {
            found.push(text.value);
        }
    }
    if found.is_empty() {
        root.sheet.report(
            root.sheet
                .problem("E115", span, "a shop has one language at least")
                .help("write locales = [\"en\"]"),
        );
        return None;
    }
    Some(found)
}

fn enrol_max_age(root: &Section<'_, '_>) -> EnrolMaxAge {
    let section = root.table("enrol_max_age");
    let length = |key: &str, days: i64| {
        section
            .as_ref()
            .and_then(|section| {
                long_enough(
                    section,
                    key,
                    NEWEST_HOURS,
                    "facts are always a little older, so nobody would ever get a mail",
                    "\"7d\"",
                )
            })
            .unwrap_or(Length::Days(days))
    };
    if let Some(section) = &section {
        section.only(&keys::AGES, &[]);
    }
    EnrolMaxAge {
        fulfilment: length("fulfilment", 7),
        others: length("others", 30),
    }
}

/// A length of at least so many hours; a shorter one is reported, with why it is too short.
fn long_enough(
    section: &Section<'_, '_>,
    key: &str,
    hours: i64,
    why: &str,
    example: &str,
) -> Option<Length> {
    let length = section.length(key)?;
    if length.value.roughly() >= jiff::SignedDuration::from_hours(hours) {
        return Some(length.value);
    }
    section.sheet.report(
        section
            .sheet
            .problem(
                "E112",
                length.span,
                format!("`{key}` is too short to mean anything"),
            )
            .help(why)
            .help(format!("write {key} = {example}")),
    );
    None
}

fn hours(section: &Section<'_, '_>) -> Option<Hours> {
    section.only(&keys::HOURS, &[]);
    for (key, example) in [("open", "\"08:00\""), ("close", "\"20:00\"")] {
        if section.has(key).is_none() {
            section.missing(key, example);
        }
    }
    let open = section.parsed("open", time);
    let close = section.parsed("close", time);
    let days = section.parsed("days", days);
    let mut except = Vec::new();
    for text in section.texts("except", false).unwrap_or_default() {
        except.extend(reported(section.sheet, kind(section.sheet, &text)));
    }
    let (open, close) = (open?, close?);
    if open.value >= close.value {
        section.sheet.report(
            section
                .sheet
                .problem("E151", close.span, "[hours] closes before it opens")
                .related(open.span, "opens here")
                .help("hours lie within one day: open = \"08:00\", close = \"20:00\""),
        );
        return None;
    }
    Some(Hours {
        open: open.value,
        close: close.value,
        days: days.map_or_else(|| WEEK.map(|(_, day)| day).to_vec(), |days| days.value),
        except,
    })
}

/// `Mon-Sat`, `Mon, Wed, Fri`, `Sat-Mon`.
fn days(sheet: &Sheet<'_>, text: &Spanned<String>) -> Result<Vec<Weekday>, Box<Diagnostic>> {
    let index = |name: &str| {
        WEEK.iter()
            .position(|(day, _)| day.eq_ignore_ascii_case(name.trim()))
    };
    let wrong = || {
        sheet
            .problem(
                "E105",
                text.span.clone(),
                format!("\"{}\" does not name days", text.value.escape_debug()),
            )
            .help("write \"Mon-Sat\", or \"Mon, Wed, Fri\"")
    };
    let mut on = [false; 7];
    for part in text.value.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = index(first).zip(index(last)).ok_or_else(wrong)?;
        let length = (last + 7 - first) % 7;
        for day in 0..=length {
            on[(first + day) % 7] = true;
        }
    }
    Ok(WEEK
        .iter()
        .zip(on)
        .filter(|(_, on)| *on)
        .map(|((_, day), _)| *day)
        .collect())
}

fn kind(sheet: &Sheet<'_>, text: &Spanned<String>) -> Result<Kind, Box<Diagnostic>> {
    let words = Kind::ALL.map(Kind::as_str);
    one_of(sheet, text, "a kind of mail", &words, |text| {
        text.parse().ok()
    })
}

fn limits(section: &Section<'_, '_>) -> Limits {
    section.only(&keys::LIMITS, &[]);
    let count = |key: &str| {
        section
            .number(key, 1, 1000)
            .and_then(|n| u32::try_from(n).ok())
    };
    let asks = section.table("asks").and_then(|asks| {
        asks.only(&keys::ASKS, &[]);
        for (key, example) in [("at_most", "2"), ("within", "\"30d\"")] {
            if asks.has(key).is_none() {
                asks.missing(key, example);
            }
        }
        let at_most = asks
            .number("at_most", 0, 1000)
            .and_then(|n| u32::try_from(n).ok());
        let within = asks.parsed("within", |sheet, text| {
            match length(sheet, text, &text.value)? {
                Length::Days(days) if days > 0 => Ok(days),
                _ => Err(sheet
                    .problem(
                        "E112",
                        text.span.clone(),
                        "asks are counted in calendar days",
                    )
                    .help("write \"30d\" or \"4w\"")
                    .into()),
            }
        });
        Some(AskLimit {
            at_most: at_most?,
            within_days: within?.value,
        })
    });
    let (per_day, per_week) = (count("per_day"), count("per_week"));
    if let (Some(day), Some(week), Some(span)) = (per_day, per_week, section.has("per_day"))
        && day > week
    {
        section.sheet.report(
            section
                .sheet
                .problem(
                    "E118",
                    span,
                    format!("nobody can get {day} mails on a day and {week} in a week"),
                )
                .help("customers would get fewer mails than this says, or more than was meant")
                .help(format!("write per_day = {week} or less, or raise per_week")),
        );
    }
    Limits {
        per_day,
        per_week,
        asks,
        when_over: section.length("when_over").map(|length| length.value),
    }
}

fn earn(section: &Section<'_, '_>) -> BTreeMap<Kind, u32> {
    section.only(&keys::EARN, &[]);
    let cost = |kind: Kind| {
        let cost = section.number(kind.as_str(), 0, 1000)?;
        Some((kind, u32::try_from(cost).ok()?))
    };
    [Kind::Survey, Kind::Review]
        .into_iter()
        .filter_map(cost)
        .collect()
}

/// `[delivery]`: what is assumed of silent parcels, and whether what the shop's own have
/// taught comes first.
fn delivery(root: &Section<'_, '_>) -> (Vec<Assume>, bool) {
    let Some(section) = root.table("delivery") else {
        return (Vec::new(), false);
    };
    section.only(&keys::DELIVERY, &[]);
    let learn = section.flag("learn").unwrap_or(false);
    (assume(&section), learn)
}

fn assume(delivery: &Section<'_, '_>) -> Vec<Assume> {
    let mut found: Vec<Assume> = Vec::new();
    let (mut star, mut told) = (None::<Range<usize>>, false);
    for section in delivery.tables("assume") {
        section.only(&keys::ASSUME, &[]);
        let to = section.need("to", "\"DE\", or \"*\" for any country");
        if section.has("after").is_none() {
            section.missing("after", "\"4bd\"");
        }
        let after = long_enough(
            &section,
            "after",
            SOONEST_HOURS,
            "parcels would count as delivered while they are still on their way, and customers be asked about what they do not have",
            "\"10bd\"",
        );
        let (Some(to), Some(after)) = (to, after) else {
            continue;
        };
        if to.value != "*" && !is_country(section.sheet, &to) {
            continue;
        }
        if let Some(star) = &star {
            // All rows below it are dead: one slip, told once, where it was made.
            if !std::mem::replace(&mut told, true) {
                section.sheet.report(
                    section
                        .sheet
                        .problem(
                            "E124",
                            star.clone(),
                            "\"*\" matches every country, so the rows below it are never reached",
                        )
                        .related(to.span, "the first of them")
                        .help("put \"*\" last and each country once"),
                );
            }
            continue;
        }
        star = (to.value == "*").then(|| to.span.clone());
        if found.iter().any(|had| had.to == to.value) {
            section.sheet.report(
                section
                    .sheet
                    .problem(
                        "E124",
                        to.span,
                        format!("an earlier row already matches \"{}\"", to.value),
                    )
                    .help("the first match counts; put \"*\" last and each country once"),
            );
            continue;
        }
        found.push(Assume {
            to: to.value,
            after,
        });
    }
    found
}

/// Whether a text is a country that customers can have.
fn is_country(sheet: &Sheet<'_>, text: &Spanned<String>) -> bool {
    if !is_code(sheet, text) {
        return false;
    }
    let known = holidays::is_known(&text.value);
    if !known {
        let problem = sheet
            .problem(
                "E105",
                text.span.clone(),
                format!("no country has the code \"{}\"", text.value),
            )
            .help("it would match no customer, and theirs would be treated like any other");
        sheet.report(match text.value.as_str() {
            "UK" | "EN" => problem.help("the United Kingdom is \"GB\""),
            "EL" => problem.help("Greece is \"GR\""),
            "EU" => problem.help("the countries of the European Union stand each in a row of its own; `default` and \"*\" are for all others"),
            other => match nearest(other, holidays::countries()) {
                Some(near) => problem.help(format!("did you mean \"{near}\"?")),
                None => problem.help("write the two capital letters of ISO 3166: \"DE\", \"US\", \"GB\""),
            },
        });
    }
    known
}

/// Whether a text has the form of a country's code.
fn is_code(sheet: &Sheet<'_>, text: &Spanned<String>) -> bool {
    let fits = text.value.len() == 2 && text.value.bytes().all(|b| b.is_ascii_uppercase());
    if !fits {
        sheet.report(
            sheet
                .problem(
                    "E105",
                    text.span.clone(),
                    format!("\"{}\" is no country code", text.value.escape_debug()),
                )
                .help("write the two capital letters of ISO 3166: \"DE\", \"US\", \"GB\""),
        );
    }
    fits
}

/// What each kind needs where the shop says nothing: the reading for the strictest of
/// the large markets.
fn default_consent() -> ConsentTable {
    use ConsentRule::{OptOut, SoftOptIn};
    ConsentTable {
        default: BTreeMap::from([
            (Kind::Education, OptOut),
            (Kind::Survey, SoftOptIn),
            (Kind::Review, SoftOptIn),
            (Kind::Offer, SoftOptIn),
        ]),
        by_country: BTreeMap::new(),
    }
}

fn consent(section: &Section<'_, '_>) -> ConsentTable {
    let mut table = default_consent();
    for key in section.keys() {
        let Some(row) = section.table(&key.value) else {
            continue;
        };
        let rules = consent_row(&row);
        if key.value == "default" {
            table.default.extend(rules);
        } else if is_country(section.sheet, &key) {
            table.by_country.insert(key.value, rules);
        }
    }
    table
}

fn consent_row(row: &Section<'_, '_>) -> BTreeMap<Kind, ConsentRule> {
    row.only(&keys::CONSENT_ROW, &[]);
    let mut rules = BTreeMap::new();
    for kind in Kind::ALL {
        let rule = row.parsed(kind.as_str(), |sheet, text| {
            one_of(
                sheet,
                text,
                "a rule of consent",
                &CONSENT.map(|(name, _)| name),
                |text| {
                    CONSENT
                        .iter()
                        .find(|(name, _)| *name == text)
                        .map(|(_, rule)| *rule)
                },
            )
        });
        match rule {
            Some(rule) if kind == Kind::Fulfilment && rule.value != ConsentRule::None => {
                row.sheet.report(
                    row.sheet
                        .problem("E129", rule.span, "fulfilment is always \"none\"")
                        .help("people must hear where their order is; leave it out"),
                );
            }
            Some(rule) => {
                rules.insert(kind, rule.value);
            }
            None => {}
        }
    }
    rules
}

/// Who signs mails.
#[derive(Debug, Default)]
pub(crate) struct People {
    pub(crate) by_id: BTreeMap<String, Sender>,
    /// All ids, also of people of whom something is wrong.
    pub(crate) ids: Vec<String>,
}

/// Reads `people.toml`.
pub(crate) fn people(sheet: &Sheet<'_>, document: &Document<&str>) -> People {
    let root = Section::root(sheet, document);
    let mut found = People::default();
    root.is_empty("a table for each person who signs mails: [aya], with name and email");
    let mut stand_ins = Vec::new();
    for key in root.keys() {
        if key.value == ALLOW {
            continue;
        }
        let Some(mut section) = root.table(&key.value) else {
            continue;
        };
        if people_inside(&section) {
            let inner = section.keys();
            let name = inner.first().map_or("aya", |one| one.value.as_str());
            sheet.report(
                sheet
                    .problem(
                        "E104",
                        key.span.clone(),
                        format!("\"{}\" is no person", key.value.escape_debug()),
                    )
                    .help(format!(
                        "people stand in tables of their own: write [{name}]"
                    )),
            );
            found.ids.extend(inner.into_iter().map(|one| one.value));
            continue;
        }
        found.ids.push(key.value.clone());
        section.what = format!("[{}]", key.value.escape_debug());
        section.only(&keys::PERSON, &[]);
        let name = section.need("name", "\"Aya Tanaka\"");
        let mail = section.need("email", "\"aya@shop.example.com\"");
        let mail = mail.and_then(|text| reported(sheet, sender(sheet, &text)));
        let reply_to = section.parsed("reply_to", sender);
        let away = absences(&section, &key.value, &mut stand_ins);
        if let (Some(name), Some(email)) = (name, mail) {
            found.by_id.insert(
                key.value.clone(),
                Sender {
                    id: key.value,
                    name: name.value,
                    email,
                    reply_to: reply_to.map(|address| address.value),
                    away,
                    away_until: None,
                },
            );
        }
    }
    stand_ins_exist(sheet, &found, &stand_ins);
    found
}

/// Whether a table holds nothing but tables, and so is no person: `[people.aya]`.
fn people_inside(section: &Section<'_, '_>) -> bool {
    let keys = section.keys();
    let inner = |key: &Spanned<String>| {
        section.is_table(&key.value) && keys::PERSON.key(&key.value).is_none()
    };
    !keys.is_empty() && keys.iter().all(inner)
}

/// The address of somebody who signs: it stands in headers, where relays take no others.
fn sender(sheet: &Sheet<'_>, text: &Spanned<String>) -> Result<String, Box<Diagnostic>> {
    let odd = text.value.char_indices().find(|(at, c)| {
        let local = text.value.rfind('@').is_some_and(|end| *at < end);
        !c.is_ascii() && (local || !c.is_alphanumeric())
    });
    let Some((_, odd)) = odd else {
        return address(sheet, text);
    };
    let shown = match odd {
        c if c.is_alphanumeric() => {
            format!("the letter {c} (U+{:04X}) from another alphabet", c as u32)
        }
        c => format!("a sign that cannot be seen (U+{:04X})", c as u32),
    };
    Err(Box::new(
        sheet
            .problem(
                "E116",
                text.span.clone(),
                format!("this is no mail address: it holds {shown}"),
            )
            .help("mail from it would be refused, and answers to it lost")
            .help("type it anew; what looks the same may have been copied from somewhere"),
    ))
}

/// Somebody who stands in for somebody, as written.
struct StandIn {
    whose: String,
    from: Date,
    to: Date,
    who: Spanned<String>,
}

/// `[[aya.away]]`: when somebody is away, and who signs meanwhile.
fn absences(section: &Section<'_, '_>, whose: &str, stand_ins: &mut Vec<StandIn>) -> Vec<Away> {
    if section.has("away").is_none() {
        return Vec::new();
    }
    let mut found: Vec<Away> = Vec::new();
    for mut one in section.tables("away") {
        one.what = format!("[[{}.away]]", whose.escape_debug());
        one.only(&keys::AWAY, &[]);
        for (key, example) in [("from", "2026-12-20"), ("to", "2027-01-06, the last day")] {
            if one.has(key).is_none() {
                one.missing(key, example);
            }
        }
        let (from, to) = (one.date("from"), one.date("to"));
        let who = one.need_if_there("stand_in", "\"ben\"");
        let (Some(from), Some(to)) = (from, to) else {
            continue;
        };
        let wrong = if to.value < from.value {
            Some("this absence ends before it begins".to_owned())
        } else {
            found
                .iter()
                .find(|had| had.from <= to.value && from.value <= had.to)
                .map(|had| format!("they are away from {} to {} already", had.from, had.to))
        };
        if let Some(wrong) = wrong {
            one.sheet.report(
                one.sheet
                    .problem("E178", to.span, wrong)
                    .related(from.span, "from here")
                    .help("`from` and `to` are the first and the last day; who signs on a day must be clear"),
            );
            continue;
        }
        if let Some(who) = &who {
            stand_ins.push(StandIn {
                whose: whose.to_owned(),
                from: from.value,
                to: to.value,
                who: who.clone(),
            });
        }
        found.push(Away {
            from: from.value,
            to: to.value,
            stand_in: who.map(|who| who.value),
        });
    }
    found
}

/// Checks that everybody who stands in is somebody, and that on no day people stand in
/// for each other in a circle: then nobody would be there to answer.
fn stand_ins_exist(sheet: &Sheet<'_>, people: &People, all: &[StandIn]) {
    for one in all {
        let who = &one.who.value;
        if !people.ids.contains(who) {
            let problem = sheet.problem(
                "E176",
                one.who.span.clone(),
                format!("nobody in this file is called \"{}\"", who.escape_debug()),
            );
            let near = nearest(who, people.ids.iter().map(String::as_str));
            sheet.report(match near {
                Some(near) => problem.help(format!("did you mean \"{near}\"?")),
                None => problem.help("answers must reach a person: name one of this file"),
            });
            continue;
        }
        // Who stands in changes only where an absence begins.
        let begins = all.iter().map(|other| other.from);
        let round = begins
            .filter(|day| one.from <= *day && *day <= one.to)
            .find(|day| {
                let mut at = who.as_str();
                for _ in 0..=all.len() {
                    if at == one.whose {
                        return true;
                    }
                    let next = all
                        .iter()
                        .find(|other| other.whose == at && other.from <= *day && *day <= other.to);
                    match next {
                        Some(next) => at = &next.who.value,
                        None => return false,
                    }
                }
                false
            });
        if let Some(day) = round {
            sheet.report(
                sheet
                    .problem(
                        "E177",
                        one.who.span.clone(),
                        format!("on {day} nobody is left who stands in for {}", one.whose),
                    )
                    .help("they stand in for each other in a circle, and a customer's answer would reach nobody")
                    .help("name somebody who is there, or leave `stand_in` out"),
            );
        }
    }
}
