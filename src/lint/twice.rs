//! The same mail, sent by two steps to one person.

use super::Shop;
use super::moments::{self, Because, Must};
use super::possible;
use super::source::{At, in_sequence};
use crate::model::diagnostic::Diagnostic;
use crate::sequence::catalog::{Sequence, Step};
use std::borrow::Cow;
use std::collections::BTreeMap;

pub fn look(shop: &Shop<'_>, found: &mut Vec<Diagnostic>) {
    let mut by_mail: BTreeMap<&str, Vec<(&Sequence, &Step)>> = BTreeMap::new();
    for (sequence, step) in shop.steps() {
        by_mail
            .entry(&step.mail)
            .or_default()
            .push((sequence, step));
    }
    for (mail, steps) in by_mail {
        for (at, (sequence, step)) in steps.iter().enumerate() {
            let first = steps[..at].iter().find(|(other, before)| {
                (other.id == sequence.id || !moments::is_of_time(sequence.start.on))
                    && other.start.on == sequence.start.on
                    && other.start.of == sequence.start.of
                    && may_both_go(shop, (other, before), (sequence, step))
            });
            let Some((other, before)) = first else {
                continue;
            };
            let span = shop.source.key(sequence, At::Step(&step.id), "mail");
            let mut problem = in_sequence(
                "W502",
                sequence,
                span,
                format!("\"{}\" sends the mail \"{mail}\" a second time", step.id),
            )
            .label("again here");
            problem = if other.id == sequence.id {
                let first = shop.source.key(sequence, At::Step(&before.id), "mail");
                problem.related(first, format!("\"{}\" sends it first", before.id))
            } else {
                problem.help(format!("{}/{} sends it first", other.id, before.id))
            };
            found.push(
                problem
                    .help("the same customer would read the same words twice")
                    .help("write a mail of its own, or give the two steps opposite conditions"),
            );
        }
    }
}

/// Whether one customer may come to both steps: opposite conditions are a branch.
fn may_both_go(shop: &Shop<'_>, one: (&Sequence, &Step), other: (&Sequence, &Step)) -> bool {
    let mut both: Vec<Must<'_>> = moments::entering(shop.catalog, one.0);
    if one.0.id != other.0.id {
        both.extend(moments::entering(shop.catalog, other.0));
    }
    for step in [one.1, other.1] {
        for (condition, holds) in [(&step.when, true), (&step.unless, false)] {
            if let Some(condition) = condition {
                both.push(Must {
                    claim: Cow::Borrowed(condition.claim()),
                    holds,
                    because: Because::When,
                });
            }
        }
    }
    // What was so at the start may have changed; only the steps' own words branch.
    let of_steps: Vec<Must<'_>> = both
        .iter()
        .filter(|must| must.because == Because::When)
        .cloned()
        .collect();
    possible::conflict(&moments::premises(&of_steps)).is_none()
        && (one.0.id == other.0.id || possible::conflict(&moments::premises(&both)).is_none())
}
