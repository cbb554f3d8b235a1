//! Steps: what each waits for, how long, at which time of day, and whether it can ever go.

use super::experiment::Forms;
use super::start::{WithPayload, everything};
use super::{MAX_STEPS, Reader, suggest};
use crate::model::diagnostic::Diagnostic;
use crate::model::event::{DerivedKind, FactKind};
use crate::model::kind::{Kind, OnUncertain};
use crate::model::time::{Length, Time};
use crate::sequence::catalog::{Anchor, Each, Incentive, Per, Slot, Start, Step, Timed};
use crate::sequence::keys;
use crate::sequence::syntax::{Section, Sheet, Spanned, length, one_of, time};
use cron::TimeUnitSpec;
use std::ops::Range;
use std::sync::Arc;

/// Where a step stands: among which others, and read for which arm.
pub(super) struct Around<'a> {
    arm: Option<&'a str>,
    /// The arms that have the step.
    of_step: &'a [Option<String>],
    /// Ids of the steps before it that the arm has.
    earlier: &'a [&'a str],
    /// Ids of all steps before it.
    elsewhere: &'a [&'a str],
    /// Ids of all steps.
    all: &'a [&'a str],
}

/// Shortest that `late` may be, in minutes: after a restart the service needs some.
const SHORTEST_LATE_MINUTES: i64 = 5;

impl<'s> Reader<'s> {
    pub(super) fn steps(
        &self,
        root: &Section<'s, '_>,
        kind: Option<Kind>,
        start: Option<&Start>,
    ) -> Vec<Forms> {
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
                        "E118",
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
        let arms: Vec<Vec<Option<String>>> = sections
            .iter()
            .take(MAX_STEPS)
            .map(|section| self.arms_of(section))
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
            let mut by_arm = Vec::new();
            for arm in &arms[index] {
                // Steps that this arm has come first in the list of what can be meant.
                let earlier: Vec<&str> = ids[..index]
                    .iter()
                    .zip(&arms)
                    .filter(|(_, theirs)| theirs.contains(arm))
                    .filter_map(|(id, _)| id.as_ref())
                    .map(|id| id.value.as_str())
                    .collect();
                let elsewhere: Vec<&str> = ids[..index]
                    .iter()
                    .flatten()
                    .map(|id| id.value.as_str())
                    .collect();
                let around = Around {
                    arm: arm.as_deref(),
                    of_step: &arms[index],
                    earlier: &earlier,
                    elsewhere: &elsewhere,
                    all: &names,
                };
                let step = self.step(&section, kind, start, &around);
                by_arm.extend(step.map(|step| (arm.clone(), step)));
            }
            found.push(Forms { by_arm });
        }
        self.renamed_once(&sections);
        found
    }

    /// Two steps cannot both be what one was.
    fn renamed_once(&self, sections: &[Section<'s, '_>]) {
        let mut seen: Vec<(String, usize)> = Vec::new();
        for (index, section) in sections.iter().enumerate() {
            for was in section.peek_texts("was") {
                match seen.iter().find(|(had, _)| *had == was.value) {
                    Some((_, first)) if *first != index => self.renamed_twice(&was),
                    Some(_) => {}
                    None => seen.push((was.value, index)),
                }
            }
        }
    }

    pub(super) fn step(
        &self,
        section: &Section<'s, '_>,
        of_sequence: Option<Kind>,
        start: Option<&Start>,
        around: &Around<'_>,
    ) -> Option<Step> {
        section.only(&keys::STEP, &[]);
        let id = section
            .need("id", "\"first-steps\"")
            .filter(|id| self.is_id(id));
        if let Some(id) = &id
            && id.value == "start"
        {
            self.sheet.report(
                self.sheet
                    .problem("E111", id.span.clone(), "a step cannot be called \"start\"")
                    .help("`start` in `after` is the fact that opened the enrolment"),
            );
        }
        let was = self.was(section, around.all);
        let kind = match section.has("kind") {
            Some(_) => self.kind(section),
            None => of_sequence,
        };
        self.same_for_all(section, kind);
        let form = |key| self.form(section, key, around.arm, around.of_step);
        let after = form("after");
        let after = after.and_then(|(from, key)| {
            let place = from.has(&key).unwrap_or_else(|| section.span.clone());
            self.after(&from, &key, around).map(|after| (after, place))
        });
        let ((anchor, wait), place) = after?;
        self.is_broken_silence(start, &anchor, place);
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
        let at = form("at").and_then(|(from, key)| from.parsed(&key, time));
        let slot = form("slot").and_then(|(from, key)| from.parsed(&key, slot));
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
        let mut known = start.map_or_else(everything, |start| self.with_variant(self.known(start)));
        // At its moment a step knows the event that it waited for, and no more that of the start.
        if let Anchor::Fact(fact) = &anchor {
            known = known.without_payload().with_payload(*fact);
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
        let incentive = self.incentive(section, kind);
        let asks = kind == Some(Kind::Review);
        let when = self.condition_of(section, "when", &known, asks);
        let unless = self.condition_of(section, "unless", &known, asks);
        let mail = form("mail")
            .and_then(|(from, key)| from.need(&key, "\"group/name\""))
            .filter(|mail| self.is_mail(mail));
        let kind = kind?;
        let id = id?;
        Some(Step {
            place: self.sheet.place(id.span.start),
            id: id.value,
            was,
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
            incentive,
            known,
            since: None,
        })
    }

    /// `incentive = { unconditional = true, disclosed = true }`.
    fn incentive(&self, section: &Section<'s, '_>, kind: Option<Kind>) -> Option<Incentive> {
        let span = section.has("incentive")?;
        let table = section.table("incentive")?;
        table.only(&keys::INCENTIVE, &[]);
        if let Some(kind) = kind
            && !kind.is_ask()
        {
            self.sheet.report(
                self.sheet
                    .problem(
                        "E123",
                        span,
                        format!("`incentive` means nothing in a step of kind \"{kind}\""),
                    )
                    .help("it is what a survey or a review is rewarded with; leave it out"),
            );
        }
        let said = |key: &str| {
            if table.has(key).is_none() {
                table.missing(key, "true");
            }
            table.flag(key)
        };
        Some(Incentive {
            unconditional: said("unconditional")?,
            disclosed: said("disclosed")?,
        })
    }

    pub(super) fn is_mail(&self, mail: &Spanned<String>) -> bool {
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
                        "E119",
                        mail.span.clone(),
                        format!("\"{}\" names no mail", mail.value.escape_debug()),
                    )
                    .help("write \"group/name\": dslr/basics is templates/mail/dslr/basics.en.md"),
            );
        }
        fits
    }

    /// Says where a step of a sequence on silence waits for what ends the silence.
    fn is_broken_silence(&self, start: Option<&Start>, anchor: &Anchor, place: Range<usize>) {
        if let Some(Timed::Absence { of, .. }) = start.and_then(|start| start.timed.as_ref())
            && *anchor == Anchor::Fact(*of)
        {
            self.sheet.report(
                self.sheet
                    .problem(
                        "E142",
                        place,
                        format!("this waits for \"{of}\", and the sequence ends when it comes"),
                    )
                    .help("it is for people of whom nothing is heard: no customer would ever get this mail")
                    .help("count from the silence: after = \"start + 3d\""),
            );
        }
    }

    /// `after`: an anchor, and how long after it.
    pub(super) fn after(
        &self,
        section: &Section<'s, '_>,
        key: &str,
        around: &Around<'_>,
    ) -> Option<(Anchor, Length)> {
        if section.has(key).is_none() {
            return Some((Anchor::Start, Length::NONE));
        }
        let text = section.text(key)?;
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
        if wait.is_none()
            && let Some((anchor, before)) = anchor.split_once(" -")
            && before.trim().parse::<Length>().is_ok()
        {
            let (anchor, before) = (anchor.trim(), before.trim());
            self.sheet.report(
                self.sheet
                    .problem(
                        "E120",
                        text.span,
                        format!(
                            "nothing can go {before} before \"{}\"",
                            anchor.escape_debug()
                        ),
                    )
                    .help("until then nobody knows that it will come; a length is always added")
                    .help(format!(
                        "write after = \"{anchor}\", or \"{anchor} + {before}\""
                    )),
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
        let anchor = self.anchor(section, &text, anchor, around)?;
        Some((anchor, length.unwrap_or(Length::NONE)))
    }

    pub(super) fn anchor(
        &self,
        section: &Section<'s, '_>,
        text: &Spanned<String>,
        name: &str,
        around: &Around<'_>,
    ) -> Option<Anchor> {
        let Around { earlier, all, .. } = *around;
        if name == "start" {
            return Some(Anchor::Start);
        }
        if earlier.contains(&name) {
            return Some(Anchor::Step(name.to_owned()));
        }
        if around.elsewhere.contains(&name)
            && let Some(arm) = around.arm
        {
            self.sheet.report(
                self.sheet
                    .problem(
                        "E197",
                        text.span.clone(),
                        format!(
                            "{} waits for \"{name}\", which arm \"{arm}\" does not have",
                            section.what
                        ),
                    )
                    .help(format!("customers in \"{arm}\" would wait for ever"))
                    .help(format!(
                        "write an `after` for each arm: after = {{ {arm} = \"start + 1w\", … }}"
                    )),
            );
            return None;
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

    pub(super) fn each(&self, section: &Section<'s, '_>, start: Option<&Start>) -> Option<Each> {
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
    pub(super) fn fits_hours(
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
}

/// `48h, then skip`.
fn late(sheet: &Sheet<'_>, text: &Spanned<String>) -> Result<Length, Box<Diagnostic>> {
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
            .help("write late = \"48h, then skip\"")
            .into());
    }
    let length = length(sheet, text, bound)?;
    if length.roughly() < jiff::SignedDuration::from_mins(SHORTEST_LATE_MINUTES) {
        return Err(sheet
            .problem("E112", text.span.clone(), "every mail would be late by then")
            .help("mails leave seconds or minutes after their moment, so no customer would get this one")
            .help("write late = \"48h, then skip\"")
            .into());
    }
    Ok(length)
}

/// A cron expression, with seconds or without.
pub(super) fn slot(sheet: &Sheet<'_>, text: &Spanned<String>) -> Result<Slot, Box<Diagnostic>> {
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
        _ => return Err(wrong("a slot has five, six or seven fields").into()),
    }
    let days = fields[5];
    if days.contains(|c: char| c.is_ascii_digit()) {
        return Err(wrong("days of the week are written as names")
            .help("programs count them differently: is 1 Sunday or Monday? Write Mon-Fri")
            .into());
    }
    let written = fields.join(" ");
    let schedule: cron::Schedule = written
        .parse()
        .map_err(|_| wrong("this is no cron expression we can read"))?;
    // Asked from a fixed day, so that the answer hangs on the file alone.
    let first = chrono::DateTime::from_timestamp(1_767_225_600, 0);
    if first.is_none_or(|first| schedule.after(&first).next().is_none()) {
        return Err(wrong("this moment never comes").into());
    }
    Ok(Slot {
        text: text.value.clone(),
        schedule: Arc::new(schedule),
    })
}
