//! Scenario files as meant. Every slip is named where it stands; a scenario with a slip
//! does not run.

use super::short::{self, Book};
use super::when::{self, Clock};
use super::{Expect, FOLDER, MAX_EVENTS, MAX_EXPECTED, Never, Outcome, Scenario, When, Who, fits};
use crate::ingest::canonical::{self, Learnt, Limits};
use crate::model::cores;
use crate::model::diagnostic::{Diagnostic, Severity};
use crate::model::event::{Event, EventKind};
use crate::model::locale;
use crate::model::nearest::nearest;
use crate::model::reason::Reason;
use crate::model::time::{Date, TimeZone, Timestamp};
use crate::sequence::catalog::Catalog;
use crate::sequence::keys;
use crate::sequence::syntax::{Section, Sheet, Spanned, one_of};
use crate::sequence::value;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Who tells the events of a scenario, where they do not say.
const SOURCE: &str = "/scenario";
/// Keys of an event in its general form.
pub(super) const GENERAL: [&str; 9] = [
    "at", "who", "type", "data", "id", "source", "subject", "learnt", "mode",
];

/// Keys of a customer: those of `data.customer` in events, and `consent` in one word.
const CUSTOMER: [&str; 14] = [
    "email",
    "customer_id",
    "account",
    "first_name",
    "last_name",
    "name",
    "phone",
    "locale",
    "time_zone",
    "country",
    "region",
    "tags",
    "consent",
    "marketing_consent",
];

/// What `consent` of a customer may be in one word.
const STANDINGS: [&str; 6] = [
    "subscribed",
    "soft_opt_in",
    "not_subscribed",
    "pending",
    "unsubscribed",
    "unknown",
];

/// Whose language a scenario names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Customer,
    Expected,
}

/// Reads `config/scenarios/*.toml` against the shop's files. A scenario with an error is
/// left out.
pub fn read(catalog: &Catalog, files: &[(String, String)]) -> (Vec<Scenario>, Vec<Diagnostic>) {
    let inside: Vec<&(String, String)> = files
        .iter()
        .filter(|(path, _)| {
            path.strip_prefix(FOLDER)
                .is_some_and(|name| name.ends_with(".toml"))
        })
        .collect();
    let mut found = Vec::new();
    let mut scenarios = Vec::new();
    for (scenario, problems) in cores::each(&inside, |(path, text)| one(catalog, path, text)) {
        found.extend(problems);
        scenarios.extend(scenario);
    }
    (scenarios, found)
}

/// Reads one file.
fn one(catalog: &Catalog, path: &str, text: &str) -> (Option<Scenario>, Vec<Diagnostic>) {
    let sheet = Sheet::new(path, text);
    let scenario = sheet.parse().and_then(|document| {
        let root = Section::root(&sheet, &document);
        Reader {
            catalog,
            sheet: &sheet,
        }
        .scenario(&root)
    });
    let mut found = sheet.found();
    // Where an event cannot be read, what follows from it is not another mistake.
    let first = found
        .iter()
        .filter(|one| !matches!(one.code, "E414" | "E416") && one.severity() == Severity::Error)
        .map(|one| one.span.start)
        .min();
    if let Some(first) = first {
        found.retain(|one| one.code != "E414" || one.span.start < first);
    }
    let clean = found.iter().all(|one| one.severity() == Severity::Warning);
    (scenario.filter(|_| clean), found)
}

struct Reader<'s> {
    catalog: &'s Catalog,
    sheet: &'s Sheet<'s>,
}

/// A customer as the file describes them.
pub(super) struct Person {
    pub(super) who: Who,
    /// What is laid under `data.customer` of their events.
    pub(super) record: Map<String, Value>,
    pub(super) clock: Clock,
}

impl<'s> Reader<'s> {
    fn scenario(&self, root: &Section<'s, '_>) -> Option<Scenario> {
        root.only(&keys::SCENARIO, &[]);
        match root.has("format") {
            None => root.missing("format", "1"),
            Some(_) => {
                root.number("format", 1, 1);
            }
        }
        let title = root.need("title", "\"A camera: help first, then one question\"");
        let people = self.people(root);
        let clock = people.first().map_or_else(
            || Clock {
                zone: self.catalog.policy.zone.clone(),
            },
            |person| person.clock.clone(),
        );
        let start = when::instant(root, "start", &clock, None);
        let events = self.events(root, &people, start);
        let last = events.iter().map(|event| event.recorded).max();
        let until = when::instant(root, "until", &clock, last);
        if root.has("event").is_none() {
            self.sheet.report(
                self.sheet
                    .problem("E102", 0..0, "this scenario has no [[event]]")
                    .help("write [[event]] and order = \"1001\", items = [\"SKU\"], or type = \"order.placed\" with its data"),
            );
        }
        let expect = self.expectations(root, &people);
        let never = self.nevers(root, &people);
        let name = self
            .sheet
            .path
            .strip_prefix(FOLDER)
            .unwrap_or(self.sheet.path)
            .trim_end_matches(".toml")
            .to_owned();
        Some(Scenario {
            path: self.sheet.path.to_owned(),
            name,
            title: title?.value,
            start,
            until,
            only: root.flag("only").unwrap_or(true),
            events,
            people: people.into_iter().map(|person| person.who).collect(),
            expect,
            never,
        })
    }

    /// `[customer]`, or `[customers.ann]` and others.
    fn people(&self, root: &Section<'s, '_>) -> Vec<Person> {
        let mut people = Vec::new();
        if let Some(several) = root.table("customers") {
            if let Some(span) = root.has("customer") {
                self.sheet.report(
                    self.sheet
                        .problem("E416", span, "[customer] and [customers] at once")
                        .help("one customer is [customer]; several are [customers.ann], [customers.bob]"),
                );
            }
            for key in several.keys() {
                people.extend(
                    several
                        .json(&key.value)
                        .map(|record| self.person(&several, key.value, record)),
                );
            }
        } else if let Some(record) = root.json("customer") {
            people.push(self.person(root, String::new(), record));
        }
        people
    }

    /// The customer of a name, or of `[customer]`, which has none.
    fn person(
        &self,
        parent: &Section<'s, '_>,
        name: String,
        record: Spanned<Map<String, Value>>,
    ) -> Person {
        let table = if name.is_empty() { "customer" } else { &name };
        let mut record = record.value;
        if let Some(mut section) = parent.table(table) {
            section.what = "a customer".to_owned();
            section.only_of(&CUSTOMER, &[]);
            let standing = section.parsed("consent", |sheet, text| {
                let known = |text: &str| STANDINGS.contains(&text).then(|| text.to_owned());
                one_of(sheet, text, "a consent", &STANDINGS, known)
            });
            if section.has("consent").is_some() && standing.is_none() {
                record.remove("consent");
            }
        }
        if let Some(consent) = record.remove("consent") {
            record
                .entry("marketing_consent")
                .or_insert_with(|| short::standing(&consent));
        }
        self.could_be(parent, table, &mut record);
        if let Some(Value::String(locale)) = record.get("locale") {
            self.is_spoken(locale, parent.locate(table, "locale"), Side::Customer);
        }
        let text = |key: &str| record.get(key).and_then(Value::as_str);
        let zone = text("time_zone").or_else(|| {
            crate::state::zone_of(text("country")?, text("region")).map(|(zone, _)| zone)
        });
        let zone = zone
            .and_then(|zone| TimeZone::get(zone).ok())
            .unwrap_or_else(|| self.catalog.policy.zone.clone());
        Person {
            who: Who {
                name,
                email: text("email").map(str::to_owned),
            },
            clock: Clock { zone },
            record,
        }
    }

    /// Reports what no shop could say of a customer, where it is written, and takes it out,
    /// so that it is not told again with each of their events.
    fn could_be(&self, parent: &Section<'_, '_>, table: &str, record: &mut Map<String, Value>) {
        for _ in 0..CUSTOMER.len() {
            let mut probe = record.clone();
            probe
                .entry("customer_id")
                .or_insert_with(|| json!("customer"));
            let data = json!({ "customer": probe });
            let told = Told {
                kind: EventKind::CustomerUpdated.as_str().to_owned(),
                subject: None,
                id: Some("scenario/customer".to_owned()),
                source: Some(SOURCE.to_owned()),
                mode: None,
                data: data.as_object().cloned().unwrap_or_default(),
            };
            let Err(because) = intake(told, Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH) else {
                return;
            };
            let Some((path, why)) = because
                .strip_prefix("data.customer.")
                .and_then(|rest| rest.split_once(": "))
            else {
                return;
            };
            let key = path.split(['.', '[']).next().unwrap_or(path);
            if record.remove(key).is_none() {
                return;
            }
            self.sheet.report(
                self.sheet
                    .problem(
                        "E412",
                        parent.locate(table, path),
                        format!("no shop could have this customer: {path}: {why}"),
                    )
                    .help("what is known of customers is described in docs/events.md"),
            );
        }
    }

    /// Reports a language of which the shop has no words, or that is none. A customer's may
    /// be one for which another stands in.
    fn is_spoken(&self, text: &str, span: std::ops::Range<usize>, side: Side) {
        let policy = &self.catalog.policy;
        let known = || policy.locales.iter();
        let told = locale::chain(text, None);
        let written = |one: &String| known().any(|had| had.eq_ignore_ascii_case(one));
        let is_fine = match side {
            // A mail is told as written in exactly one of the shop's languages.
            Side::Expected => written(&text.to_owned()),
            Side::Customer => told.iter().any(written) || policy.fallback.is_some(),
        };
        let is_tag = locale::is_tag(text);
        if is_tag && is_fine {
            return;
        }
        let shown = text.escape_debug();
        let message = match (is_tag, side) {
            (false, _) => format!("\"{shown}\" is no language"),
            (true, Side::Expected) => format!("no mail of this shop is written in \"{shown}\""),
            (true, Side::Customer) => {
                format!("the shop has no words in \"{shown}\", and none that stand in")
            }
        };
        let all: Vec<&str> = known().map(String::as_str).collect();
        let mut problem = self
            .sheet
            .problem("E417", span, message)
            .help("the scenario would promise words that no customer gets");
        let near = told.iter().find(|one| written(one)).map(String::as_str);
        problem = match near.or_else(|| nearest(text, all.iter().copied())) {
            Some(near) => problem.help(format!("did you mean \"{near}\"?")),
            None => problem.help(format!("the shop's languages are {}", all.join(", "))),
        };
        self.sheet.report(problem);
    }

    /// Whom an event or expectation is about. Reported where nobody is of that name.
    fn who<'p>(&self, section: &Section<'_, '_>, people: &'p [Person]) -> Option<&'p Person> {
        let Some(name) = section.text("who") else {
            return match people {
                [only] => Some(only),
                _ => None,
            };
        };
        let found = people.iter().find(|person| person.who.name == name.value);
        if found.is_none() {
            let names = || people.iter().map(|person| person.who.name.as_str());
            let mut problem = self.sheet.problem(
                "E416",
                name.span,
                format!("nobody here is called \"{}\"", name.value.escape_debug()),
            );
            problem = match nearest(&name.value, names()) {
                Some(near) => problem.help(format!("did you mean \"{near}\"?")),
                None => problem.help("customers with names are written [customers.ann]"),
            };
            self.sheet.report(problem);
        }
        found
    }

    fn events(
        &self,
        root: &Section<'s, '_>,
        people: &[Person],
        start: Option<Timestamp>,
    ) -> Vec<Event> {
        let sections = root.tables("event");
        if sections.len() > MAX_EVENTS {
            self.too_many(root.has("event"), "events", MAX_EVENTS);
            return Vec::new();
        }
        let mut book = Book::default();
        let mut events = Vec::new();
        let mut before = start;
        for (number, mut section) in sections.into_iter().enumerate() {
            section.what = format!("event {}", number + 1);
            let person = self.who(&section, people);
            let person = match person {
                // The slip is told; the story goes on, so that one mistake stays one.
                None if section.has("who").is_some() => people.first(),
                other => other,
            };
            if person.is_none() && people.len() > 1 {
                section.missing("who", "\"ann\", one of [customers]");
            }
            let clock = person.map_or_else(
                || Clock {
                    zone: self.catalog.policy.zone.clone(),
                },
                |person| person.clock.clone(),
            );
            let at = match (section.has("at"), before) {
                (None, None) => {
                    section.missing("at", "2026-03-02T09:00:00Z");
                    None
                }
                (None, Some(before)) => Some(before),
                (Some(_), _) => when::instant(&section, "at", &clock, before),
            };
            // An instant that cannot be read is told once; the next ones count from any.
            let slip = at.is_none();
            before = at.or(before).or(Some(Timestamp::UNIX_EPOCH));
            let at = before;
            let learnt = match section.has("learnt") {
                Some(_) => when::instant(&section, "learnt", &clock, at),
                None => at,
            };
            let told = if section.has("type").is_some() {
                self.general(&section, person)
            } else {
                short::event(self.catalog, &section, person, at, &mut book)
            };
            let (Some(mut told), Some(at), Some(learnt)) = (told, at, learnt) else {
                continue;
            };
            let source = section.peek("source").map(|text| text.value);
            book.note(&told.data, source.as_deref(), person);
            if slip {
                continue;
            }
            self.dress(&section, &mut told, number);
            events.extend(self.event(&section, told, at, learnt));
        }
        events
    }

    /// An event with `type` and `data`.
    fn general(&self, section: &Section<'s, '_>, person: Option<&Person>) -> Option<Told> {
        section.only_of(&GENERAL, &[]);
        let kind = section.text("type")?;
        let names: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        let read = one_of(self.sheet, &kind, "an event we know", &names, |text| {
            text.parse::<EventKind>().ok()
        });
        if let Err(problem) = read {
            self.sheet.report(problem);
            return None;
        }
        if section.has("data").is_none() {
            section.missing("data", "{ order_ref = { order_id = \"1001\" }, … }");
        }
        let mut data = section.json("data")?.value;
        if let Some(person) = person {
            lay_under(&mut data, &kind.value, person);
        }
        Some(Told {
            kind: kind.value,
            subject: None,
            id: None,
            source: None,
            mode: None,
            data,
        })
    }

    /// The envelope, where the file says more of it than it must.
    fn dress(&self, section: &Section<'_, '_>, told: &mut Told, number: usize) {
        let text = |key: &str| section.text(key).map(|text| text.value);
        told.id = text("id").or_else(|| Some(format!("scenario/{}", number + 1)));
        told.source = text("source")
            .or_else(|| told.source.take())
            .or_else(|| Some(SOURCE.to_owned()));
        told.mode = text("mode");
        told.subject = text("subject").or_else(|| told.subject.take());
    }

    /// Reads an event by the reader of intake, so that what a scenario says is what a
    /// source could say.
    fn event(
        &self,
        section: &Section<'_, '_>,
        told: Told,
        at: Timestamp,
        learnt: Timestamp,
    ) -> Option<Event> {
        let because = match intake(told, at, learnt) {
            Ok(event) => return event,
            Err(because) => because,
        };
        let path = because
            .split([':', ' '])
            .find_map(|word| word.strip_prefix("data."))
            .unwrap_or_default();
        let span = if section.has("data").is_some() {
            section.locate("data", path)
        } else {
            section.span.clone()
        };
        self.sheet.report(
            self.sheet
                .problem(
                    "E412",
                    span,
                    format!("no shop could send this event: {because}"),
                )
                .help("the data of each event is described in docs/events.md"),
        );
        None
    }

    fn too_many(&self, span: Option<std::ops::Range<usize>>, what: &str, most: usize) {
        self.sheet.report(self.sheet.problem(
            "E105",
            span.unwrap_or_default(),
            format!("a scenario has {most} {what} at most"),
        ));
    }

    fn expectations(&self, root: &Section<'s, '_>, people: &[Person]) -> Vec<Expect> {
        let sections = root.tables("expect");
        if sections.len() > MAX_EXPECTED {
            self.too_many(root.has("expect"), "expectations", MAX_EXPECTED);
            return Vec::new();
        }
        sections
            .iter()
            .filter_map(|section| self.expectation(section, people))
            .collect()
    }

    fn expectation(&self, section: &Section<'s, '_>, people: &[Person]) -> Option<Expect> {
        section.only(&keys::EXPECT, &[]);
        let send = section.need("send", "\"education-dslr/basics\"")?;
        self.names_a_step(&send);
        let person = self.who(section, people);
        let zone = person.map_or(&self.catalog.policy.zone, |person| &person.clock.zone);
        let clock = Clock { zone: zone.clone() };
        let when = if section.has("at").is_some() {
            When::At(when::instant(section, "at", &clock, None)?)
        } else if let Some((item, span)) = section.item("on") {
            let text = value::json(item);
            match text.as_str().and_then(|text| text.parse::<Date>().ok()) {
                Some(date) => When::On(date),
                None => {
                    self.sheet.report(
                        self.sheet
                            .problem("E415", span, "this is no day")
                            .help("write on = 2026-03-09, or at = 2026-03-09T10:00:00"),
                    );
                    return None;
                }
            }
        } else {
            When::Whenever
        };
        let state = section.parsed("state", |sheet, text| {
            let names = Outcome::ALL.map(Outcome::as_str);
            let what = "how a send ends";
            one_of(sheet, text, what, &names, |text| {
                Outcome::ALL.into_iter().find(|one| one.as_str() == text)
            })
        });
        let reason = section.parsed("reason", |sheet, text| {
            one_of(sheet, text, "a reason", &Reason::CODES, |text| {
                Reason::CODES.contains(&text).then(|| text.to_owned())
            })
        });
        let state = match (state, &reason) {
            (Some(state), _) => state.value,
            // What was sent has no reason; so what has one was not.
            (None, Some(_)) => Outcome::Skipped,
            (None, None) => Outcome::Accepted,
        };
        Some(Expect {
            who: person.map(|person| person.who.name.clone()),
            order: section.text("order").map(|text| text.value),
            when,
            state,
            reason: reason.map(|reason| reason.value),
            locale: section.text("locale").map(|text| {
                self.is_spoken(&text.value, text.span, Side::Expected);
                text.value
            }),
            count: section
                .number("count", 1, 1000)
                .and_then(|count| usize::try_from(count).ok())
                .unwrap_or(1),
            line: self.sheet.place(send.span.start).line,
            send: send.value,
        })
    }

    /// `[[never]]` tables, or a list of names.
    fn nevers(&self, root: &Section<'s, '_>, people: &[Person]) -> Vec<Never> {
        let Some((item, _)) = root.item("never") else {
            return Vec::new();
        };
        let texts = item
            .as_array()
            .is_some_and(|list| list.iter().all(|value| value.as_str().is_some()));
        if texts {
            return root
                .texts("never", false)
                .unwrap_or_default()
                .into_iter()
                .map(|text| {
                    self.names_a_step(&text);
                    Never {
                        line: self.sheet.place(text.span.start).line,
                        send: text.value,
                        who: None,
                    }
                })
                .collect();
        }
        let one = |section: &Section<'s, '_>| {
            section.only(&keys::NEVER, &[]);
            let send = section.need("send", "\"review-dslr/*\"")?;
            self.names_a_step(&send);
            let named = section.has("who").is_some();
            let who = self.who(section, people).filter(|_| named);
            Some(Never {
                line: self.sheet.place(send.span.start).line,
                send: send.value,
                who: who.map(|person| person.who.name.clone()),
            })
        };
        root.tables("never").iter().filter_map(one).collect()
    }

    /// Reports a pattern that no step fits: it would promise nothing.
    fn names_a_step(&self, pattern: &Spanned<String>) {
        let steps = || {
            self.catalog.sequences.iter().flat_map(|sequence| {
                let id = sequence.id.as_str();
                sequence
                    .steps
                    .iter()
                    .map(move |step| format!("{id}/{}", step.id))
            })
        };
        if steps().any(|name| fits(&pattern.value, &name)) {
            return;
        }
        let steps: Vec<String> = steps().collect();
        let mut problem = self.sheet.problem(
            "E410",
            pattern.span.clone(),
            format!("no step is called \"{}\"", pattern.value.escape_debug()),
        );
        problem = match nearest(&pattern.value, steps.iter().map(String::as_str)) {
            Some(near) => problem.help(format!("did you mean \"{near}\"?")),
            None => problem.help("write sequence/step; * stands for any part of a name"),
        };
        self.sheet
            .report(problem.help("a promise about a mail that nobody can get protects nobody"));
    }
}

/// What the reader of intake makes of an event; `None` where it passes it over.
///
/// # Errors
/// Why it refuses the event.
fn intake(told: Told, at: Timestamp, learnt: Timestamp) -> Result<Option<Event>, String> {
    let subject = told.subject.unwrap_or_else(|| subject(&told.data));
    let mut whole = json!({
        "specversion": "1.0",
        "id": told.id,
        "source": told.source,
        "type": told.kind,
        "subject": subject,
        "time": at,
        "recordedtime": learnt,
        "data": told.data,
    });
    if let Some(mode) = told.mode {
        whole["ingestmode"] = Value::String(mode);
    }
    let parsed = canonical::parse_line(
        whole.to_string().as_bytes(),
        Learnt::AsTold(learnt),
        Limits::default(),
    )
    .map_err(|malformed| malformed.to_string())?;
    match parsed.poison.into_iter().next() {
        None => Ok(parsed.events.into_iter().next()),
        Some(poison) => Err(poison.because.to_string()),
    }
}

/// An event before it is read.
pub(super) struct Told {
    pub(super) kind: String,
    pub(super) subject: Option<String>,
    pub(super) id: Option<String>,
    pub(super) source: Option<String>,
    pub(super) mode: Option<String>,
    pub(super) data: Map<String, Value>,
}

/// What an event is about, where it does not say.
fn subject(data: &Map<String, Value>) -> String {
    let id = |part: &str, key: &str| data.get(part)?.get(key)?.as_str();
    for (part, key, name) in [
        ("order", "order_id", "order"),
        ("order_ref", "order_id", "order"),
        ("shipment", "shipment_id", "shipment"),
        ("ticket", "ticket_id", "ticket"),
        ("product", "product_id", "product"),
        ("customer", "email", "customer"),
        ("customer_ref", "email", "customer"),
    ] {
        if let Some(id) = id(part, key) {
            return format!("{name}/{id}");
        }
    }
    "customer".to_owned()
}

/// Lays what the file says of a customer under an event: what the event says wins.
pub(super) fn lay_under(data: &mut Map<String, Value>, kind: &str, person: &Person) {
    if kind == EventKind::ProductUpdated.as_str() || kind == EventKind::CustomerMerged.as_str() {
        return;
    }
    let had = data.remove("customer");
    let mut record = person.record.clone();
    match had {
        Some(Value::Object(own)) => record.extend(own),
        Some(other) => {
            data.insert("customer".to_owned(), other);
            return;
        }
        None => {}
    }
    let carries = [
        EventKind::OrderPlaced,
        EventKind::OrderPaid,
        EventKind::CustomerUpdated,
    ]
    .iter()
    .any(|one| one.as_str() == kind);
    if carries || data.contains_key("order") {
        data.insert("customer".to_owned(), Value::Object(record));
    } else if !data.contains_key("customer_ref") && !data.contains_key("order_ref") {
        let ids: BTreeMap<&str, &Value> = ["customer_id", "email"]
            .into_iter()
            .filter_map(|key| Some((key, record.get(key)?)))
            .collect();
        data.insert("customer_ref".to_owned(), json!(ids));
    }
}
