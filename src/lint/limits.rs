//! Limits and prices that make a step hopeless: nobody is ever allowed it, or nobody
//! can ever have earned it.

use super::Shop;
use super::moments;
use super::source::{At, in_sequence};
use crate::model::diagnostic::Diagnostic;
use crate::model::kind::Kind;
use crate::model::time::Length;
use crate::sequence::catalog::{Anchor, Per, Sequence, Step};
use std::collections::{BTreeMap, BTreeSet};

const STORE: &str = "config/store.toml";
/// How long an education mail counts (G1), in days; a sequence that may open again
/// within it brings more than its steps.
const EARNING_DAYS: i64 = 365;

pub fn look(shop: &Shop<'_>, found: &mut Vec<Diagnostic>) {
    forbidden(shop, found);
    let education = Education::of(shop);
    for sequence in shop.catalog.sequences.iter() {
        unearned(shop, sequence, &education, found);
        crowded(shop, sequence, found);
    }
}

/// `asks = { at_most = 0 }` beside steps that ask.
fn forbidden(shop: &Shop<'_>, found: &mut Vec<Diagnostic>) {
    let Some(asks) = shop
        .catalog
        .policy
        .limits
        .asks
        .filter(|asks| asks.at_most == 0)
    else {
        return;
    };
    let steps: Vec<String> = shop
        .steps()
        .filter(|(_, step)| step.kind.is_ask())
        .map(|(sequence, step)| format!("{}/{}", sequence.id, step.id))
        .collect();
    if steps.is_empty() {
        return;
    }
    let span = shop.source.path(STORE, &["limits", "asks", "at_most"]);
    found.push(
        Diagnostic::new(
            "E144",
            STORE,
            span,
            "this limit lets no survey and no review out",
        )
        .label(format!(
            "at most {} within {} days",
            asks.at_most, asks.within_days
        ))
        .help(format!("no customer ever gets {}", steps.join(", ")))
        .help("write at_most = 1 or more, or take the steps out"),
    );
}

/// The education mails that there are.
struct Education<'s> {
    /// By sequence: its families (none: any), how many mails, whether it may come again
    /// while its mails still count.
    sequences: Vec<(&'s Sequence, Option<BTreeSet<String>>, u32, bool)>,
}

impl<'s> Education<'s> {
    fn of(shop: &Shop<'s>) -> Self {
        let sequences = shop
            .catalog
            .sequences
            .iter()
            .filter_map(|sequence| {
                let steps = sequence
                    .steps
                    .iter()
                    .filter(|step| step.kind == Kind::Education);
                let repeats = steps.clone().any(|step| step.each.is_some());
                let count = u32::try_from(steps.count()).unwrap_or(u32::MAX);
                let once = sequence.start.per == [Per::Customer]
                    && sequence
                        .start
                        .again
                        .is_none_or(|again| again.roughly().as_hours() >= 24 * EARNING_DAYS);
                (count > 0).then(|| {
                    (
                        sequence,
                        moments::families(shop.catalog, sequence),
                        count,
                        repeats || !once,
                    )
                })
            })
            .collect();
        Education { sequences }
    }

    /// How many mails there are about any of `families`, at the most that one purchase
    /// brings; `None` where a sequence has steps for each parcel or item.
    fn about(&self, families: Option<&BTreeSet<String>>) -> u32 {
        self.sequences
            .iter()
            .filter(|(_, of, _, _)| match (of, families) {
                (Some(of), Some(families)) => !of.is_disjoint(families),
                _ => true,
            })
            .map(|(_, _, count, _)| *count)
            .fold(0, u32::saturating_add)
    }
}

/// Asks whose price nobody can pay.
fn unearned(
    shop: &Shop<'_>,
    sequence: &Sequence,
    education: &Education<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let Some(step) = sequence.steps.iter().find(|step| step.kind.is_ask()) else {
        return;
    };
    let cost = shop
        .catalog
        .policy
        .earn
        .get(&step.kind)
        .copied()
        .unwrap_or(0);
    let span = || shop.source.step(sequence, step);
    let all = education.about(None);
    let endless = education.sequences.iter().any(|(_, _, _, again)| *again);
    let families = moments::families(shop.catalog, sequence);
    let of_family = education.about(families.as_ref());
    let about = families.as_ref().map_or_else(String::new, |families| {
        let names: Vec<&str> = families.iter().map(String::as_str).collect();
        format!(" about \"{}\"", names.join("\", \""))
    });
    let mails = |count: u32| match count {
        0 => "no helpful mail".to_owned(),
        1 => "only 1 helpful mail".to_owned(),
        count => format!("only {count} helpful mails"),
    };
    if cost > all && (all == 0 || !endless) {
        found.push(
            in_sequence(
                "E147",
                sequence,
                span(),
                format!("nobody can ever have earned \"{}\"", step.id),
            )
            .help(format!(
                "[earn] {} = {cost} in config/store.toml, and this shop has {}",
                step.kind,
                mails(all)
            ))
            .help("write the help first: steps of kind \"education\", sent after the delivery")
            .help(format!("or lower {} in [earn]", step.kind)),
        );
    } else if cost > of_family {
        found.push(
            in_sequence(
                "W512",
                sequence,
                span(),
                format!("few customers can have earned \"{}\"", step.id),
            )
            .help(format!(
                "[earn] {} = {cost} in config/store.toml, and there is {}{about}",
                step.kind,
                mails(of_family)
            ))
            .help("only those who were helped with something else as well will ever be asked")
            .help(format!(
                "write more help{about}, or lower {} in [earn]",
                step.kind
            )),
        );
    } else if cost == 0 && of_family == 0 {
        found.push(
            in_sequence(
                "W514",
                sequence,
                span(),
                format!("\"{}\" asks people who were never helped", step.id),
            )
            .help(format!(
                "there is no step of kind \"education\"{about}, and [earn] asks for none"
            ))
            .help(
                "a customer who first hears of you when you want something answers less, and worse",
            )
            .help(format!(
                "write a sequence that helps, and [earn] {} = 1 in config/store.toml",
                step.kind
            )),
        );
    }
}

/// Steps that the sequence's own mails push out under the weekly limit.
fn crowded(shop: &Shop<'_>, sequence: &Sequence, found: &mut Vec<Diagnostic>) {
    let limits = &shop.catalog.policy.limits;
    let most = limits.per_week.map_or(usize::MAX, |most| most as usize);
    let days = |length: Length| length.roughly().as_hours() / 24;
    // Days, counted from the start, on which each step goes at the earliest.
    let mut gone: BTreeMap<&str, i64> = BTreeMap::new();
    let mut taken: Vec<i64> = Vec::new();
    let mut steps: Vec<(&Step, i64)> = Vec::new();
    // A step whose moment is not known from the file takes no place here, so that what
    // is said holds for everybody.
    for step in &sequence.steps {
        let certain = step.when.is_none()
            && step.unless.is_none()
            && step.each.is_none()
            && step.slot.is_none()
            && step.kind.is_bound();
        let from = match &step.anchor {
            Anchor::Start => 0,
            Anchor::Step(earlier) => match gone.get(earlier.as_str()) {
                Some(day) => *day,
                None => continue,
            },
            Anchor::Fact(_) => continue,
        };
        let wait = match step.length {
            Length::Days(days) => days,
            Length::Minutes(minutes) => minutes / (24 * 60),
            Length::BusinessDays(_) => continue,
        };
        if !certain {
            continue;
        }
        let due = from + wait;
        let mut day = due;
        while taken.contains(&day)
            || taken
                .iter()
                .filter(|one| (day - 6..=day).contains(*one))
                .count()
                >= most
        {
            day += 1;
        }
        taken.push(day);
        gone.insert(&step.id, day);
        steps.push((step, day - due));
    }
    for (step, delay) in steps {
        let patience = limits
            .when_over
            .map_or(days(step.late), |over| days(over).min(days(step.late)));
        if delay <= patience {
            continue;
        }
        let span = shop.source.key(sequence, At::Step(&step.id), "after");
        found.push(
            in_sequence(
                "W511",
                sequence,
                span,
                format!("the other mails of this sequence leave no room for \"{}\"", step.id),
            )
            .help(format!(
                "[limits] lets {} out in seven days, so it would have to wait {delay} days, and is skipped after {patience}",
                limits.per_week.map_or("one mail a day".to_owned(), |most| format!("{most} mails"))
            ))
            .help("everybody who gets the earlier ones misses it; spread the steps, or drop one"),
        );
    }
}
