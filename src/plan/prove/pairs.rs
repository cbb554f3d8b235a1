//! Two sequences and one customer: one set of limits binds them both. Each pair is lived
//! with every shift that lets one mail of the one meet one mail of the other.

use super::Paired;
use super::explore::{Findings, Story, relive};
use super::life::{Told, World};
use super::print::Printing;
use super::sequences::with_needed;
use super::setting::Setting;
use crate::model::send::Send;
use crate::model::time;
use crate::sequence::catalog::{Catalog, Sequence};
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};

/// Longest shift between the two, in days: beyond it they do not meet.
const MAX_SHIFT_DAYS: i64 = 60;

/// Lives every pair of sequences under limits, as long as fewer than `plans` plans are made.
pub(super) fn explore(
    catalog: &Catalog,
    alone: &[(&Sequence, BTreeMap<String, Story>)],
    printing: &Printing<'_>,
    plans: u64,
    all: &mut Findings,
) -> Paired {
    let mut done = Paired::default();
    let bound: Vec<_> = alone
        .iter()
        .filter_map(|(sequence, reached)| {
            let steps = || sequence.steps.iter().filter(|step| step.kind.is_bound());
            steps()
                .rev()
                .find_map(|step| reached.get(&format!("{}/{}", sequence.id, step.id)))
                .map(|story| (*sequence, story))
        })
        .collect();
    for (number, (first, one)) in bound.iter().enumerate() {
        for (second, other) in &bound[number + 1..] {
            if done.plans >= plans {
                done.left_out += 1;
                continue;
            }
            let mut findings = Findings::of(&[&first.id, &second.id]);
            done.plans += pair(
                catalog,
                (first, one),
                (second, other),
                printing,
                &mut findings,
            );
            done.pairs += 1;
            done.stories += findings.stories;
            for found in findings.found {
                if !all.found.iter().any(|had| had.wrong.same(&found.wrong)) {
                    all.found.push(found);
                }
            }
        }
    }
    done
}

fn pair(
    catalog: &Catalog,
    (first, one): (&Sequence, &Story),
    (second, other): (&Sequence, &Story),
    printing: &Printing<'_>,
    findings: &mut Findings,
) -> u64 {
    let catalog = with_needed(catalog, &[&first.id, &second.id]);
    let mut setting = Setting {
        baskets: [
            one.setting.baskets[0].clone(),
            other.setting.baskets[0].clone(),
        ],
        ..one.setting.clone()
    };
    for more in &other.setting.set {
        if !setting.set.iter().any(|had| had.path == more.path) {
            setting.set.push(more.clone());
        }
    }
    let mut spent = 0;
    let mut days = |story: &Story, of: &Sequence| -> Vec<i64> {
        let mut world = World {
            catalog: &catalog,
            setting: &story.setting,
            printing,
            plans: 0,
        };
        let life = relive(&mut world, &story.told);
        spent += world.plans;
        let day = |send: &Send| {
            let begun = time::day(story.setting.begins, &catalog.policy.zone);
            let at = time::day(send.at, &catalog.policy.zone);
            begun.until(at).map_or(0, |span| i64::from(span.get_days()))
        };
        life.accepted()
            .filter(|send| send.sequence == of.id && send.kind.is_bound())
            .map(day)
            .collect()
    };
    let (ours, theirs) = (days(one, first), days(other, second));
    let mut shifts: BTreeSet<i64> = BTreeSet::from([0]);
    for at in &ours {
        shifts.extend(theirs.iter().map(|its| at - its));
    }
    shifts.retain(|days| days.abs() <= MAX_SHIFT_DAYS);
    for days in shifts {
        let told = together(one, other, days);
        let mut world = World {
            catalog: &catalog,
            setting: &setting,
            printing,
            plans: 0,
        };
        let life = relive(&mut world, &told);
        spent += world.plans;
        findings.see(&setting, &life);
    }
    spent
}

/// Both stories on one line of time, the second about an order of its own and so many
/// days later; earlier ones move the first instead.
fn together(one: &Story, other: &Story, days: i64) -> Vec<Told> {
    let shifted = |told: &Told, order: u8, days: i64| {
        let what = match told.what.order() {
            Some(0) => told.what.about(order),
            _ => told.what.clone(),
        };
        Told {
            what,
            at: time::saturating_add(told.at, SignedDuration::from_hours(24 * days)),
        }
    };
    // Both orders are placed at the beginning, so that the first is the first of the two.
    let mut told: Vec<Told> = one
        .told
        .iter()
        .enumerate()
        .map(|(number, told)| shifted(told, 0, if number == 0 { 0 } else { (-days).max(0) }))
        .collect();
    told.extend(other.told.iter().enumerate().map(|(number, told)| {
        let mut told = shifted(told, 1, if number == 0 { 0 } else { days.max(0) });
        told.at = time::saturating_add(told.at, SignedDuration::from_mins(1));
        told
    }));
    told.sort_by_key(|told| told.at);
    told
}
