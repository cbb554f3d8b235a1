//! Sequence files as meant: one file a sequence, every problem of every file in one run.
//! Nothing is guessed: what a file does not say is the documented default.

use super::catalog::{Anchor, Each, Pause, Per, Sequence, Slot, Start, Step, Stop};
use super::condition::{Condition, Problem};
use super::nearest;
use super::syntax::{Section, Sheet, Spanned, length, one_of, time};
use crate::model::diagnostic::Diagnostic;
use crate::model::event::{DerivedKind, EventKind, FactKind};
use crate::model::kind::{Kind, OnUncertain};
use crate::model::names::{ITEM, Known, Type, field};
use crate::model::policy::Hours;
use crate::model::product::Products;
use crate::model::time::{Length, Time};
use cron::TimeUnitSpec;
use std::collections::BTreeMap;
use std::sync::Arc;
use toml_edit::Document;

/// Most steps of a sequence.
pub const MAX_STEPS: usize = 100;
/// Longest id, in bytes.
pub const MAX_ID: usize = 64;
/// When the next enrolment of one key may open, where the file does not say.
const AGAIN: Length = Length::Days(365);
/// Starts that come in a later version, and the keys that go with them.
const LATER_STARTS: [&str; 3] = ["absence", "schedule", "replenish"];

/// What a sequence is checked against, as far as it could be read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Around<'a> {
    pub(crate) hours: Option<&'a Hours>,
    pub(crate) people: Option<&'a [String]>,
    pub(crate) products: Option<&'a Products>,
}

/// What other sequences need to know of one: read ahead, silently.
struct Head {
    file: String,
    steps: Vec<String>,
    start: Option<FactKind>,
    of: Option<String>,
    per: Vec<Per>,
}

/// Reads all sequence files.
pub(crate) fn sequences(
    files: &[(&str, &str)],
    around: Around<'_>,
) -> (Vec<Sequence>, Vec<Diagnostic>) {
    let sheets: Vec<Sheet<'_>> = files
        .iter()
        .map(|(path, text)| Sheet::new(path, text))
        .collect();
    let documents: Vec<Option<Document<&str>>> = sheets.iter().map(Sheet::parse).collect();
    let mut heads: BTreeMap<String, Head> = BTreeMap::new();
    let mut twice = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let Some(document) = document else { continue };
        let quiet = Sheet::new(sheets[index].path, sheets[index].text);
        let Some((id, head)) = head(&Section::root(&quiet, document)) else {
            continue;
        };
        match heads.get(&id.value) {
            Some(first) => twice.push((index, id, first.file.clone())),
            None => {
                heads.insert(id.value, head);
            }
        }
    }
    for (index, id, first) in twice {
        let sheet = &sheets[index];
        sheet.report(
            sheet
                .problem(
                    "E101",
                    id.span,
                    format!("another sequence is called \"{}\" too", id.value),
                )
                .help(format!("the other one is in {first}"))
                .help("a sequence's id is how we know who is in it; give this one its own"),
        );
    }
    let mut found = Vec::new();
    for (sheet, document) in sheets.iter().zip(&documents) {
        let Some(document) = document else { continue };
        let reader = Reader {
            sheet,
            around,
            heads: &heads,
        };
        found.extend(reader.sequence(&Section::root(sheet, document)));
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    (found, sheets.into_iter().flat_map(Sheet::found).collect())
}

fn head(root: &Section<'_, '_>) -> Option<(Spanned<String>, Head)> {
    let start = root.table("start");
    let text = |key: &str| start.as_ref().and_then(|start| start.text(key));
    let per = text("per").map_or_else(
        || vec![Per::Order],
        |text| {
            text.value
                .split(',')
                .filter_map(|part| per_part(part.trim()).ok())
                .collect()
        },
    );
    Some((
        root.text("id")?,
        Head {
            file: root.sheet.path.to_owned(),
            steps: root
                .tables("step")
                .iter()
                .filter_map(|step| step.text("id").map(|id| id.value))
                .collect(),
            start: text("on").and_then(|on| on.value.parse().ok()),
            of: text("of").map(|of| of.value),
            per,
        },
    ))
}

struct Reader<'s> {
    sheet: &'s Sheet<'s>,
    around: Around<'s>,
    heads: &'s BTreeMap<String, Head>,
}

impl<'s> Reader<'s> {
    /// One file. `None` where something that the rest hangs on is missing.
    fn sequence(&self, root: &Section<'s, '_>) -> Option<Sequence> {
        root.only(
            &[
                "format", "id", "kind", "title", "from", "start", "step", "pause", "stop",
            ],
            &[("experiment", "experiments")],
        );
        match root.has("format") {
            None => root.missing("format", "1"),
            Some(span) => {
                if let Some(format) = root.number("format", 0, i64::MAX)
                    && format != 1
                {
                    self.sheet.report(
                        self.sheet
                            .problem(
                                "E105",
                                span,
                                format!("format {format} is not known to this version"),
                            )
                            .help("write format = 1"),
                    );
                }
            }
        }
        let id = root
            .need("id", "\"education-camera\"")
            .filter(|id| self.is_id(id));
        let kind = root
            .need("kind", "\"education\"")
            .and_then(|_| self.kind(root));
        let title = root.need("title", "\"Getting to know your camera\"");
        let from = root.need("from", "\"aya\"");
        if let (Some(from), Some(people)) = (&from, self.around.people)
            && !people.contains(&from.value)
        {
            self.sheet.report(suggest(
                self.sheet.problem(
                    "E105",
                    from.span.clone(),
                    format!("nobody in config/people.toml is called \"{}\"", from.value),
                ),
                &from.value,
                people.iter().map(String::as_str),
                "there are",
            ));
        }
        let start = match root.table("start") {
            Some(section) => self.start(&section, id.as_ref().map(|id| id.value.as_str())),
            None => {
                if root.has("start").is_none() {
                    self.sheet.report(
                        self.sheet
                            .problem("E102", 0..0, "this sequence has no [start]")
                            .help("write [start] and on = \"order.placed\", or another fact"),
                    );
                }
                None
            }
        };
        let known = start.as_ref().map(|start| self.known(start));
        let steps = self.steps(root, kind, start.as_ref());
        let known = known.unwrap_or_else(everything);
        let pauses = root
            .tables("pause")
            .iter()
            .filter_map(|one| self.pause(one, &known))
            .collect();
        let stops = root
            .tables("stop")
            .iter()
            .filter_map(|one| self.stop(one, &known))
            .collect();
        let id = id?;
        Some(Sequence {
            place: self.sheet.place(id.span.start),
            id: id.value,
            kind: kind?,
            title: title?.value,
            from: from?.value,
            start: start?,
            steps,
            pauses,
            stops,
        })
    }

    fn is_id(&self, id: &Spanned<String>) -> bool {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        let fits = id.value.len() <= MAX_ID
            && id.value.chars().all(plain)
            && id.value.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !fits {
            self.sheet.report(
                self.sheet
                    .problem("E105", id.span.clone(), "this is no id")
                    .help(format!(
                        "ids are small letters, digits, - and _, at most {MAX_ID}: \"first-steps\""
                    )),
            );
        }
        fits
    }

    fn kind(&self, section: &Section<'s, '_>) -> Option<Kind> {
        let kind = section.parsed("kind", |sheet, text| {
            one_of(
                sheet,
                text,
                "a kind of mail",
                &Kind::ALL.map(Kind::as_str),
                |text| text.parse::<Kind>().ok(),
            )
        })?;
        Some(kind.value)
    }

    fn start(&self, section: &Section<'s, '_>, own: Option<&str>) -> Option<Start> {
        let on = section.need("on", "\"order.placed\"")?;
        if LATER_STARTS.contains(&on.value.as_str()) {
            self.sheet.report(
                self.sheet
                    .problem("E190", on.span, format!("starts on \"{}\" are not there yet", on.value))
                    .help("they come in a later version; start on a fact for now, such as \"order.delivered\""),
            );
            return None;
        }
        section.only(
            &["on", "of", "where", "per", "again"],
            &[
                ("for", "starts on silence"),
                ("cron", "starts on a schedule"),
            ],
        );
        let on = self.fact(&on)?;
        let of = self.of(section, on, own);
        let Some(per) = self.per(section, on, of.as_deref()) else {
            self.condition(section, "where", &everything());
            return None;
        };
        let mut start = Start {
            on,
            of,
            where_: None,
            again: None,
            per,
            place: self.sheet.place(section.span.start),
        };
        let once = start
            .per
            .iter()
            .any(|part| matches!(part, Per::Order | Per::Shipment | Per::Item));
        match section.length("again") {
            Some(again) if once => self.sheet.report(
                self.sheet
                    .problem("E123", again.span, "`again` means nothing here: this key never comes twice")
                    .help("an order, a parcel or a line of an order is enrolled once; leave `again` out")
                    .help("to enrol a person once for each family, write per = \"customer, item.family\""),
            ),
            Some(again) => start.again = Some(again.value),
            None if once => {}
            None => start.again = Some(AGAIN),
        }
        start.where_ = self.condition(section, "where", &self.known(&start));
        if section.has("where").is_some() && start.where_.is_none() {
            return None;
        }
        Some(start)
    }

    /// The step that a start on `step.sent` waits for.
    fn of(&self, section: &Section<'s, '_>, on: FactKind, own: Option<&str>) -> Option<String> {
        let sent = on == FactKind::Derived(DerivedKind::StepSent);
        let Some(of) = section.text("of") else {
            if sent && section.has("of").is_none() {
                section.missing("of", "\"sequence/step\", the step that was sent");
            }
            return None;
        };
        if !sent {
            self.sheet.report(
                self.sheet
                    .problem(
                        "E123",
                        of.span,
                        format!("`of` goes with on = \"step.sent\", not with \"{on}\""),
                    )
                    .help("leave it out"),
            );
            return None;
        }
        let names_itself = of
            .value
            .split_once('/')
            .is_some_and(|(sequence, _)| Some(sequence) == own);
        if names_itself {
            self.sheet.report(
                self.sheet
                    .problem("E121", of.span, "this sequence would start itself")
                    .help("name a step of another sequence"),
            );
            return None;
        }
        self.is_step(&of.value, of.span).then_some(of.value)
    }

    /// Whether `sequence/step` names a step of any file; reports where it does not.
    fn is_step(&self, name: &str, span: std::ops::Range<usize>) -> bool {
        let (sequence, step) = name.split_once('/').unwrap_or((name, ""));
        let known = self
            .heads
            .get(sequence)
            .is_some_and(|head| head.steps.iter().any(|had| had == step));
        if !known {
            let all: Vec<String> = self
                .heads
                .iter()
                .flat_map(|(id, head)| head.steps.iter().map(move |step| format!("{id}/{step}")))
                .collect();
            self.sheet.report(suggest(
                self.sheet.problem(
                    "E121",
                    span,
                    format!("no step is called \"{}\"", name.escape_debug()),
                ),
                name,
                all.iter().map(String::as_str),
                "there are",
            ));
        }
        known
    }

    /// A fact about a customer.
    fn fact(&self, text: &Spanned<String>) -> Option<FactKind> {
        let names: Vec<&str> = FactKind::names().collect();
        let read = one_of(self.sheet, text, "a fact we know", &names, |text| {
            text.parse().ok()
        });
        match read {
            Ok(FactKind::Event(EventKind::ProductUpdated)) => {
                self.sheet.report(
                    self.sheet
                        .problem(
                            "E105",
                            text.span.clone(),
                            "\"product.updated\" is about no customer",
                        )
                        .help("it updates the catalogue; ask in_stock(\"…\") in a condition"),
                );
                None
            }
            Ok(fact) => Some(fact),
            Err(problem) => {
                self.sheet.report(problem);
                None
            }
        }
    }

    fn per(&self, section: &Section<'s, '_>, on: FactKind, of: Option<&str>) -> Option<Vec<Per>> {
        let text = match section.text("per") {
            Some(text) => text,
            None if section.has("per").is_some() => return None,
            None => Spanned::new("order".to_owned(), section.has("on")?),
        };
        let mut found: Vec<Per> = Vec::new();
        let mut whole = true;
        for part in text.value.split(',').map(str::trim) {
            match per_part(part) {
                Ok(per) if found.contains(&per) => {}
                Ok(per) => found.push(per),
                Err(help) => {
                    whole = false;
                    self.sheet.report(
                        self.sheet
                            .problem(
                                "E122",
                                text.span.clone(),
                                format!("\"{}\" is no part of a key", part.escape_debug()),
                            )
                            .help(help),
                    );
                }
            }
        }
        let gives = self.gives(on, of, 0);
        for per in &found {
            let needs = match per {
                Per::Customer => continue,
                Per::Order => "order",
                Per::Shipment => "shipment",
                Per::Item | Per::ItemField(_) => "item",
            };
            if !gives.contains(&needs) {
                whole = false;
                let problem = self.sheet.problem(
                    "E122",
                    text.span.clone(),
                    format!(
                        "the key names {}, and \"{on}\" is about none",
                        if needs == "shipment" {
                            "a shipment"
                        } else if needs == "item" {
                            "an item"
                        } else {
                            "an order"
                        }
                    ),
                );
                self.sheet.report(match needs {
                    "shipment" => problem
                        .help("start on a fact of a shipment, such as \"shipment.dispatched\""),
                    _ => problem.help("write per = \"customer\", or start on a fact of an order"),
                });
                break;
            }
        }
        whole.then_some(found)
    }

    /// What a fact can be looked at for: the parts that a key may name.
    fn gives(&self, on: FactKind, of: Option<&str>, depth: usize) -> Vec<&'static str> {
        use EventKind::*;
        match on {
            FactKind::Derived(DerivedKind::StepSent) => {
                let head = of
                    .and_then(|of| of.split_once('/'))
                    .and_then(|(sequence, _)| self.heads.get(sequence));
                let Some(head) = head else {
                    return vec!["order", "item", "shipment"];
                };
                let mut gives = Vec::new();
                for per in &head.per {
                    match per {
                        Per::Customer => {}
                        Per::Order => gives.push("order"),
                        Per::Shipment => gives.extend(["order", "shipment"]),
                        Per::Item | Per::ItemField(_) => gives.extend(["order", "item"]),
                    }
                }
                // Lines of the order that the other enrolment is about can be told apart.
                if gives.contains(&"order") {
                    gives.push("item");
                }
                if let (Some(start), true) = (head.start, depth < self.heads.len()) {
                    let before = self.gives(start, head.of.as_deref(), depth + 1);
                    gives.retain(|part| before.contains(part));
                }
                gives
            }
            FactKind::Event(
                CustomerUpdated | CustomerMerged | ConsentChanged | ErasureRequested
                | DataRequested | ProductUpdated,
            ) => Vec::new(),
            _ if on.is_of_shipment() => vec!["order", "item", "shipment"],
            FactKind::Event(_) | FactKind::Derived(_) => vec!["order", "item"],
        }
    }

    /// The names that the whole of an enrolment has.
    fn known(&self, start: &Start) -> Known {
        let mut known = known_of(&start.per).with_payload(start.on);
        if start.on.is_of_shipment() {
            known = known.with("order").with("shipment");
        } else if self
            .gives(start.on, start.of.as_deref(), 0)
            .contains(&"order")
            && (start.on.as_str().starts_with("order.") || start.on.is_of_item())
        {
            known = known.with("order");
        }
        if let Some((sequence, _)) = start.of.as_deref().and_then(|of| of.split_once('/'))
            && let Some(head) = self.heads.get(sequence)
        {
            let theirs = known_of(&head.per);
            for name in ["order", "item", "product", "shipment"] {
                if theirs.has(name) {
                    known = known.with(name);
                }
            }
        }
        known
    }

    fn steps(
        &self,
        root: &Section<'s, '_>,
        kind: Option<Kind>,
        start: Option<&Start>,
    ) -> Vec<Step> {
        let sections = root.tables("step");
        if sections.is_empty() && root.has("step").is_none() {
            self.sheet.report(
                self.sheet
                    .problem("E102", 0..0, "this sequence has no step")
                    .help("write [[step]], with an id and a mail"),
            );
        }
        if let Some(extra) = sections.get(MAX_STEPS) {
            self.sheet.report(
                self.sheet
                    .problem(
                        "E105",
                        extra.span.clone(),
                        format!("a sequence has {MAX_STEPS} steps at most"),
                    )
                    .help("split it: let a second sequence start on \"step.sent\""),
            );
        }
        let ids: Vec<Option<Spanned<String>>> =
            sections.iter().map(|step| step.peek("id")).collect();
        // A step whose id cannot be read stands here without a name.
        let names: Vec<&str> = ids
            .iter()
            .map(|id| id.as_ref().map_or("", |id| id.value.as_str()))
            .collect();
        let mut found = Vec::new();
        for (index, section) in sections.iter().take(MAX_STEPS).enumerate() {
            let mut section = section.clone();
            if let Some(id) = &ids[index] {
                section.what = format!("step \"{}\"", id.value.escape_debug());
                let first = ids[..index]
                    .iter()
                    .flatten()
                    .find(|had| had.value == id.value);
                if let Some(first) = first {
                    self.sheet.report(
                        self.sheet
                            .problem(
                                "E101",
                                id.span.clone(),
                                format!("this sequence has two steps called \"{}\"", id.value),
                            )
                            .label("again here")
                            .related(first.span.clone(), "first one")
                            .help("a step's id is how we know who already got it")
                            .help(format!(
                                "give the second one its own id, for example \"{}-2\"",
                                id.value
                            )),
                    );
                }
            }
            let earlier: Vec<&str> = ids[..index]
                .iter()
                .flatten()
                .map(|id| id.value.as_str())
                .collect();
            found.extend(self.step(&section, kind, start, &earlier, &names));
        }
        found
    }

    fn step(
        &self,
        section: &Section<'s, '_>,
        of_sequence: Option<Kind>,
        start: Option<&Start>,
        earlier: &[&str],
        all: &[&str],
    ) -> Option<Step> {
        section.only(
            &[
                "id",
                "kind",
                "after",
                "at",
                "slot",
                "each",
                "gather",
                "when",
                "unless",
                "mail",
                "late",
                "on_uncertain",
            ],
            &[("was", "plan and apply"), ("variants", "experiments")],
        );
        let id = section
            .need("id", "\"first-steps\"")
            .filter(|id| self.is_id(id));
        if let Some(id) = &id
            && id.value == "start"
        {
            self.sheet.report(
                self.sheet
                    .problem("E105", id.span.clone(), "a step cannot be called \"start\"")
                    .help("`start` in `after` is the fact that opened the enrolment"),
            );
        }
        let kind = match section.has("kind") {
            Some(_) => self.kind(section),
            None => of_sequence,
        };
        let (anchor, wait) = self.after(section, earlier, all)?;
        let each = self.each(section, start);
        let gather = section.length("gather");
        if let (Some(gather), None) = (&gather, section.has("each")) {
            self.sheet.report(
                self.sheet
                    .problem(
                        "E123",
                        gather.span.clone(),
                        "`gather` merges what `each` repeats, and this step has no `each`",
                    )
                    .help("add each = \"shipment\", or leave `gather` out"),
            );
        }
        let at = section.parsed("at", time);
        let slot = section.parsed("slot", slot);
        if let (Some(at), Some(slot)) = (&at, &slot) {
            self.sheet.report(
                self.sheet
                    .problem(
                        "E123",
                        slot.span.clone(),
                        "a step has `at` or `slot`, not both",
                    )
                    .related(at.span.clone(), "and here")
                    .help("`at` is a time of day, `slot` says days and times; keep one"),
            );
        }
        if let (Some(id), Some(kind)) = (&id, kind) {
            self.fits_hours(&id.value, kind, at.as_ref(), slot.as_ref());
        }
        let mut known = start.map_or_else(everything, |start| self.known(start));
        if let Anchor::Fact(fact) = &anchor {
            known = known.with_payload(*fact);
        }
        known = match each {
            Some(Each::Shipment) => known.with("order").with("shipment"),
            Some(Each::Item) => known.with("order").with("item").with("product"),
            // A word that was meant to be one of the two; its names are not reported again.
            None if section.has("each").is_some() => everything(),
            None => known,
        };
        let late = section.parsed("late", late);
        let on_uncertain = section.parsed("on_uncertain", |sheet, text| {
            one_of(
                sheet,
                text,
                "a way to deal with doubt",
                &["resend", "hold"],
                |text| match text {
                    "resend" => Some(OnUncertain::Resend),
                    "hold" => Some(OnUncertain::Hold),
                    _ => None,
                },
            )
        });
        let when = self.condition(section, "when", &known);
        let unless = self.condition(section, "unless", &known);
        let mail = section
            .need("mail", "\"group/name\"")
            .filter(|mail| self.is_mail(mail));
        let kind = kind?;
        let id = id?;
        Some(Step {
            place: self.sheet.place(id.span.start),
            id: id.value,
            kind,
            anchor,
            length: wait,
            at: at.map(|at| at.value),
            slot: slot.map(|slot| slot.value),
            each,
            gather: gather.map(|gather| gather.value),
            when,
            unless,
            mail: mail?.value,
            late: late.map_or(Length::Minutes(kind.late_hours() * 60), |late| late.value),
            on_uncertain: on_uncertain.map_or(kind.on_uncertain(), |how| how.value),
            known,
            since: None,
        })
    }

    fn is_mail(&self, mail: &Spanned<String>) -> bool {
        let part = |part: &str| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        };
        let fits = mail
            .value
            .split_once('/')
            .is_some_and(|(group, name)| part(group) && part(name));
        if !fits {
            self.sheet.report(
                self.sheet
                    .problem(
                        "E105",
                        mail.span.clone(),
                        format!("\"{}\" names no mail", mail.value.escape_debug()),
                    )
                    .help("write \"group/name\": dslr/basics is templates/mail/dslr/basics.en.md"),
            );
        }
        fits
    }

    /// `after`: an anchor, and how long after it.
    fn after(
        &self,
        section: &Section<'s, '_>,
        earlier: &[&str],
        all: &[&str],
    ) -> Option<(Anchor, Length)> {
        let Some(span) = section.has("after") else {
            return Some((Anchor::Start, Length::NONE));
        };
        if section.is_table("after") {
            self.sheet.report(
                self.sheet
                    .problem("E190", span, "an `after` for each variant is not there yet")
                    .help("it comes with experiments, in a later version; write one text for now"),
            );
            return None;
        }
        let text = section.text("after")?;
        let (anchor, wait) = match text.value.split_once('+') {
            Some((anchor, wait)) => (anchor.trim(), Some(wait.trim())),
            None => (text.value.trim(), None),
        };
        if wait.is_none()
            && anchor.starts_with(|c: char| c.is_ascii_digit())
            && anchor.parse::<Length>().is_ok()
        {
            self.sheet.report(
                self.sheet
                    .problem("E120", text.span, "this says how long, and not after what")
                    .help(format!("write after = \"start + {anchor}\"")),
            );
            return None;
        }
        let length = match wait.map(|wait| length(self.sheet, &text, wait)).transpose() {
            Ok(length) => length,
            Err(problem) => {
                self.sheet.report(problem);
                return None;
            }
        };
        let anchor = self.anchor(section, &text, anchor, earlier, all)?;
        Some((anchor, length.unwrap_or(Length::NONE)))
    }

    fn anchor(
        &self,
        section: &Section<'s, '_>,
        text: &Spanned<String>,
        name: &str,
        earlier: &[&str],
        all: &[&str],
    ) -> Option<Anchor> {
        if name == "start" {
            return Some(Anchor::Start);
        }
        if earlier.contains(&name) {
            return Some(Anchor::Step(name.to_owned()));
        }
        if all.contains(&name) {
            self.sheet.report(
                self.sheet
                    .problem(
                        "E120",
                        text.span.clone(),
                        format!(
                            "{} waits for \"{name}\", which {}",
                            section.what,
                            if section.what.ends_with(&format!("\"{name}\"")) {
                                "is itself"
                            } else {
                                "comes later"
                            }
                        ),
                    )
                    .help("anchors may only point at the start, an event, or an earlier step"),
            );
            return None;
        }
        match name.parse::<FactKind>() {
            Ok(FactKind::Derived(DerivedKind::StepSent)) => {
                self.sheet.report(
                    self.sheet
                        .problem(
                            "E120",
                            text.span.clone(),
                            "a step waits for another step by that step's id",
                        )
                        .help("write after = \"basics + 1w\""),
                );
                None
            }
            Ok(_) => self
                .fact(&Spanned::new(name.to_owned(), text.span.clone()))
                .map(Anchor::Fact),
            // It may be the step whose id cannot be read, of which something was said.
            Err(_) if all.iter().any(|id| id.is_empty()) => None,
            Err(_) => {
                let mut names: Vec<&str> = earlier.to_vec();
                names.push("start");
                for fact in FactKind::names() {
                    names.push(fact);
                }
                self.sheet.report(suggest(
                    self.sheet.problem(
                        "E120",
                        text.span.clone(),
                        format!(
                            "\"{}\" is no fact and no step of this sequence",
                            name.escape_debug()
                        ),
                    ),
                    name,
                    names,
                    "an anchor is \"start\", an earlier step or a fact:",
                ));
                None
            }
        }
    }

    fn each(&self, section: &Section<'s, '_>, start: Option<&Start>) -> Option<Each> {
        let each = section.parsed("each", |sheet, text| {
            one_of(
                sheet,
                text,
                "something to repeat a step for",
                &["shipment", "item"],
                |text| match text {
                    "shipment" => Some(Each::Shipment),
                    "item" => Some(Each::Item),
                    _ => None,
                },
            )
        })?;
        let Some(start) = start else {
            return Some(each.value);
        };
        let has = |part: &Per| start.per.contains(part);
        let of_item = start
            .per
            .iter()
            .any(|part| matches!(part, Per::Item | Per::ItemField(_)));
        let message = match each.value {
            Each::Shipment if has(&Per::Shipment) => {
                "the key names a shipment already: there is only one"
            }
            Each::Item if of_item => "the key names an item already: there is only one",
            _ if of_item => {
                "the key names an item, and `each` goes over an order's parcels or items"
            }
            _ if has(&Per::Order) || has(&Per::Shipment) => return Some(each.value),
            _ => "`each` goes over an order's parcels or items, and the key names no order",
        };
        self.sheet.report(
            self.sheet
                .problem("E122", each.span, message)
                .help("leave `each` out, or write per = \"order\" in [start]"),
        );
        Some(each.value)
    }

    /// A step whose time is never inside the shop's hours can never go out.
    fn fits_hours(
        &self,
        id: &str,
        kind: Kind,
        at: Option<&Spanned<Time>>,
        slot: Option<&Spanned<Slot>>,
    ) {
        let Some(hours) = self
            .around
            .hours
            .filter(|hours| kind.is_bound() && !hours.except.contains(&kind))
        else {
            return;
        };
        let open = |time: Time| hours.open <= time && time < hours.close;
        let wrong = match (at, slot) {
            (Some(at), _) if !open(at.value) => Some((
                at.span.clone(),
                format!("at = \"{}\"", at.value.strftime("%H:%M")),
            )),
            (None, Some(slot)) => {
                let schedule = &slot.value.schedule;
                let minutes: Vec<u32> = schedule.minutes().iter().collect();
                let ever = schedule.hours().iter().any(|hour| {
                    minutes.iter().any(|minute| {
                        let part = |number: u32| i8::try_from(number).unwrap_or(0);
                        Time::new(part(hour), part(*minute), 0, 0).is_ok_and(open)
                    })
                });
                (!ever).then(|| (slot.span.clone(), format!("slot = \"{}\"", slot.value.text)))
            }
            _ => None,
        };
        if let Some((span, what)) = wrong {
            let clock = |time: Time| time.strftime("%H:%M").to_string();
            self.sheet.report(
                self.sheet
                    .problem("E152", span, format!("step \"{id}\" can never go out"))
                    .help(format!(
                        "{what}, but [hours] opens at {}, closes at {} and kind \"{kind}\" is not an exception",
                        clock(hours.open),
                        clock(hours.close)
                    ))
                    .help("choose a time inside the hours"),
            );
        }
    }

    fn condition(&self, section: &Section<'s, '_>, key: &str, known: &Known) -> Option<Condition> {
        let text = section.text(key)?;
        let report = |problem: &Problem| {
            let span = self.sheet.inside(&text.span, &text.value, &problem.at);
            let mut found = self
                .sheet
                .problem(problem.code, span, problem.message.clone());
            found.help.clone_from(&problem.help);
            self.sheet.report(found);
        };
        let condition = match Condition::compile(&text.value, known) {
            Ok(condition) => condition,
            Err(problems) => {
                problems.iter().for_each(report);
                return None;
            }
        };
        condition.warnings().iter().for_each(report);
        for (step, at) in condition.sent_steps() {
            self.is_step(step, self.sheet.inside(&text.span, &text.value, at));
        }
        for (name, at) in condition.products() {
            self.is_product(name, self.sheet.inside(&text.span, &text.value, at));
        }
        Some(condition)
    }

    /// Warns of a family, SKU or product that the catalogue does not have: an event may
    /// still bring it.
    fn is_product(&self, name: &str, span: std::ops::Range<usize>) {
        let Some(products) = self.around.products else {
            return;
        };
        if products.family(name).is_some()
            || products.product(name).is_some()
            || products.variant(name).is_some()
        {
            return;
        }
        let families = products.families().iter().map(|family| family.id.as_str());
        let ids = products.iter().map(|product| product.product_id.as_str());
        let mut problem = self
            .sheet
            .problem(
                "W135",
                span,
                format!("the catalogue has no \"{}\"", name.escape_debug()),
            )
            .help("nobody owns what is not there, and it counts as in stock");
        if let Some(near) = nearest(name, families.chain(ids)) {
            problem = problem.help(format!("did you mean \"{near}\"?"));
        }
        self.sheet.report(problem);
    }

    fn pause(&self, section: &Section<'s, '_>, known: &Known) -> Option<Pause> {
        section.only(&["while", "at_most"], &[]);
        if section.has("while").is_none() {
            section.missing("while", "\"customer.open_ticket\"");
        }
        let at_most = section.length("at_most");
        Some(Pause {
            while_: self.condition(section, "while", known)?,
            at_most: at_most.map(|length| length.value),
            place: self.sheet.place(section.span.start),
        })
    }

    fn stop(&self, section: &Section<'s, '_>, known: &Known) -> Option<Stop> {
        section.only(&["on", "when"], &[]);
        if section.has("on").is_none() {
            section.missing("on", "[\"order.cancelled\"]");
        }
        let mut on = Vec::new();
        for text in section.texts("on", true).unwrap_or_default() {
            let Some(fact) = self.fact(&text) else {
                continue;
            };
            if fact == FactKind::Derived(DerivedKind::StepSent) {
                self.sheet.report(
                    self.sheet
                        .problem("E105", text.span, "a sequence does not stop because a mail was sent")
                        .help("write unless = 'sent(\"sequence/step\")' at the steps that should not follow"),
                );
            } else {
                on.push(fact);
            }
        }
        let mut known = known.clone();
        for fact in &on {
            known = known.with_payload(*fact);
        }
        let when = self.condition(section, "when", &known);
        if on.is_empty() || section.has("when").is_some() && when.is_none() {
            return None;
        }
        Some(Stop {
            on,
            when,
            place: self.sheet.place(section.span.start),
        })
    }
}

/// A part of `per`, or what to say of it.
fn per_part(part: &str) -> Result<Per, String> {
    let texts = || {
        ITEM.iter()
            .filter(|field| field.of == Type::Text)
            .map(|field| field.name)
    };
    match part {
        "customer" => Ok(Per::Customer),
        "order" => Ok(Per::Order),
        "shipment" => Ok(Per::Shipment),
        "item" => Ok(Per::Item),
        _ => match part.strip_prefix("item.") {
            Some(name) if field(ITEM, name).is_some_and(|field| field.of == Type::Text) => {
                Ok(Per::ItemField(name.to_owned()))
            }
            Some(name) => Err(match nearest(name, texts()) {
                Some(near) => format!("did you mean item.{near}?"),
                None => "a name of an item that is a text: item.family, item.product_id, item.sku".to_owned(),
            }),
            None => Err(match nearest(part, ["customer", "order", "shipment", "item"]) {
                Some(near) => format!("did you mean {near}?"),
                None => "there are customer, order, shipment, item and names of an item such as item.family".to_owned(),
            }),
        },
    }
}

fn known_of(per: &[Per]) -> Known {
    per.iter()
        .fold(Known::customer(), |known, part| match part {
            Per::Customer => known,
            Per::Order => known.with("order"),
            Per::Shipment => known.with("order").with("shipment"),
            Per::Item | Per::ItemField(_) => known.with("order").with("item").with("product"),
        })
}

/// Where the start could not be read, names are given the benefit of the doubt: one
/// mistake should not look like many.
fn everything() -> Known {
    crate::model::names::SHARED
        .iter()
        .fold(Known::customer(), |known, field| known.with(field.name))
}

trait WithPayload {
    fn with_payload(self, fact: FactKind) -> Self;
}

impl WithPayload for Known {
    /// With what a fact carries.
    fn with_payload(self, fact: FactKind) -> Known {
        use EventKind::*;
        let FactKind::Event(kind) = fact else {
            return self;
        };
        match kind {
            RefundIssued => self.with("refund"),
            OrderCancelled => self.with("cancel"),
            ReturnRequested | ReturnUpdated => self.with("return"),
            DisputeOpened | DisputeClosed => self.with("dispute"),
            ReviewReceived => self.with("review"),
            TicketOpened | TicketClosed => self.with("ticket"),
            ShipmentDeliveryFailed => self.with("failure"),
            ShipmentAvailableForPickup => self.with("pickup"),
            OrderPlaced
            | OrderPaid
            | OrderUpdated
            | ShipmentDispatched
            | ShipmentInTransit
            | ShipmentOutForDelivery
            | ShipmentDelivered
            | ShipmentReturnedToSender
            | ShipmentLost
            | ShipmentCancelled
            | CustomerUpdated
            | CustomerMerged
            | ConsentChanged
            | ErasureRequested
            | DataRequested
            | ProductUpdated => self,
        }
    }
}

/// `48h, then skip`.
fn late(sheet: &Sheet<'_>, text: &Spanned<String>) -> Result<Length, Diagnostic> {
    let (bound, then) = match text.value.split_once(',') {
        Some((bound, then)) => (bound, then.trim()),
        None => (text.value.as_str(), "then skip"),
    };
    if then != "then skip" {
        return Err(sheet
            .problem(
                "E105",
                text.span.clone(),
                format!("\"{}\" is not a way to be late", then.escape_debug()),
            )
            .help("write late = \"48h, then skip\""));
    }
    length(sheet, text, bound)
}

/// A cron expression, with seconds or without.
fn slot(sheet: &Sheet<'_>, text: &Spanned<String>) -> Result<Slot, Diagnostic> {
    let wrong = |message: &str| {
        sheet
            .problem("E110", text.span.clone(), message.to_owned())
            .help(
                "seconds, minutes, hours, day of month, month, day of week: \"0 0 10 * * Tue-Thu\"",
            )
    };
    let mut fields: Vec<&str> = text.value.split_whitespace().collect();
    match fields.len() {
        5 => fields.insert(0, "0"),
        6 | 7 => {}
        _ => return Err(wrong("a slot has five, six or seven fields")),
    }
    let days = fields[5];
    if days.contains(|c: char| c.is_ascii_digit()) {
        return Err(wrong("days of the week are written as names")
            .help("programs count them differently: is 1 Sunday or Monday? Write Mon-Fri"));
    }
    let written = fields.join(" ");
    let schedule: cron::Schedule = written
        .parse()
        .map_err(|_| wrong("this is no cron expression we can read"))?;
    // Asked from a fixed day, so that the answer hangs on the file alone.
    let first = chrono::DateTime::from_timestamp(1_767_225_600, 0);
    if first.is_none_or(|first| schedule.after(&first).next().is_none()) {
        return Err(wrong("this moment never comes"));
    }
    Ok(Slot {
        text: text.value.clone(),
        schedule: Arc::new(schedule),
    })
}

/// With the name that was likely meant, or all there are.
fn suggest<'a>(
    problem: Diagnostic,
    word: &str,
    names: impl IntoIterator<Item = &'a str>,
    there_are: &str,
) -> Diagnostic {
    /// Most names that a message lists.
    const LISTED: usize = 12;
    let mut listed: Vec<&str> = names.into_iter().collect();
    match nearest(word, listed.iter().copied()) {
        Some(near) => problem.help(format!("did you mean \"{near}\"?")),
        None => {
            let more = listed.len() > LISTED;
            listed.truncate(LISTED);
            problem.help(format!(
                "{there_are} {}{}",
                listed.join(", "),
                if more { ", …" } else { "" }
            ))
        }
    }
}
