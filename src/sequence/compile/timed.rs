//! Starts that time brings: silence, a day of the calendar, goods that are used up.

use super::Reader;
use super::step::slot;
use crate::model::event::{DerivedKind, FactKind};
use crate::model::time::Length;
use crate::sequence::catalog::{Slot, Timed};
use crate::sequence::syntax::{Section, Spanned, one_of};

/// What goes with which start, and what to write.
const KEYS: [(&str, DerivedKind, &str); 3] = [
    (
        "of",
        DerivedKind::Absence,
        "\"order.placed\", what has not happened",
    ),
    ("for", DerivedKind::Absence, "\"90d\""),
    ("cron", DerivedKind::Schedule, "\"0 0 9 1 * *\""),
];

impl<'s> Reader<'s> {
    /// What a sequence starts on, where it is no word for what time brings.
    pub(super) fn fact_to_start_on(&self, text: &Spanned<String>) -> Option<FactKind> {
        if text.value.parse::<FactKind>().is_ok() {
            return self.fact(text);
        }
        let of_time = DerivedKind::ALL
            .iter()
            .filter(|kind| FactKind::Derived(**kind).is_of_time())
            .map(|kind| kind.as_str());
        let names: Vec<&str> = FactKind::names().chain(of_time).collect();
        let read = one_of(self.sheet, text, "a fact we know", &names, |_| None);
        read.map_err(|problem| self.sheet.report(problem)).ok()
    }

    /// What time has to bring for a start on `on`. `None` for other starts, and where
    /// something is missing or wrong, which is reported.
    pub(super) fn timed(&self, section: &Section<'s, '_>, on: FactKind) -> Option<Timed> {
        for (key, with, example) in KEYS {
            let wanted = on == FactKind::Derived(with);
            let of_send = key == "of" && !on.is_of_time();
            match section.has(key) {
                None if wanted => section.missing(key, example),
                Some(span) if !wanted && !of_send => self.sheet.report(
                    self.sheet
                        .problem(
                            "E123",
                            span,
                            format!("`{key}` goes with on = \"{with}\", not with \"{on}\""),
                        )
                        .help("leave it out"),
                ),
                _ => {}
            }
        }
        match on {
            FactKind::Derived(DerivedKind::Absence) => {
                let of = section.text("of").and_then(|of| self.silent(&of));
                let length = section.length("for").filter(|length| self.lasts(length));
                Some(Timed::Absence {
                    of: of?,
                    length: length?.value,
                })
            }
            FactKind::Derived(DerivedKind::Schedule) => {
                let slot = section.parsed("cron", slot)?;
                self.is_daily_at_most(&slot)
                    .then_some(Timed::Schedule(slot.value))
            }
            FactKind::Derived(DerivedKind::Replenish) => {
                self.anything_used_up(section);
                Some(Timed::Replenish)
            }
            FactKind::Event(_) | FactKind::Derived(_) => None,
        }
    }

    /// The fact of which nothing is heard.
    fn silent(&self, of: &Spanned<String>) -> Option<FactKind> {
        let fact = self.fact(of)?;
        if fact != FactKind::Derived(DerivedKind::StepSent) {
            return Some(fact);
        }
        self.sheet.report(
            self.sheet
                .problem(
                    "E171",
                    of.span.clone(),
                    "our own mails are no sign of a customer",
                )
                .help("silence is that of the customer: write of = \"order.placed\"")
                .help("to follow a mail after a while, write on = \"step.sent\", and after = \"start + 30d\" at the step"),
        );
        None
    }

    fn lasts(&self, length: &Spanned<Length>) -> bool {
        let lasts = !length.value.is_zero();
        if !lasts {
            self.sheet.report(
                self.sheet
                    .problem(
                        "E172",
                        length.span.clone(),
                        "silence that lasts no time is none",
                    )
                    .help(
                        "a customer would be missed at the moment of buying; write for = \"90d\"",
                    ),
            );
        }
        lasts
    }

    /// A schedule brings a day, not an hour: nobody is greeted twice on one.
    fn is_daily_at_most(&self, slot: &Spanned<Slot>) -> bool {
        use cron::TimeUnitSpec;
        let schedule = &slot.value.schedule;
        let one = |count: u32| count == 1;
        let once = one(schedule.hours().count())
            && one(schedule.minutes().count())
            && one(schedule.seconds().count());
        if !once {
            self.sheet.report(
                self.sheet
                    .problem(
                        "E173",
                        slot.span.clone(),
                        "a schedule comes once a day at most, and this one comes more often",
                    )
                    .help("each customer would get the same mail several times a day")
                    .help("name one second, one minute and one hour: \"0 0 9 1 * *\" is nine o'clock on the first of each month"),
            );
        }
        once
    }

    /// Warns where no product of the feed is ever used up: an event may still bring one.
    fn anything_used_up(&self, section: &Section<'s, '_>) {
        let Some(products) = self.around.products else {
            return;
        };
        if !products.used_up().is_empty() {
            return;
        }
        let span = section.has("on").unwrap_or_else(|| section.span.clone());
        self.sheet.report(
            self.sheet
                .problem(
                    "W170",
                    span,
                    "no product of the catalogue has `replenish_days`: this starts nothing",
                )
                .help("write at each product of the feed after how many days one is used up: \"replenish_days\": 28"),
        );
    }
}
