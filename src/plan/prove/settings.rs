//! In which settings the stories of a sequence are told: those in which it runs at all,
//! then those that conditions, countries, languages and silent sources make different.

use super::explore::{Findings, Story, relive};
use super::life::{Told, World};
use super::literals::{Comparison, within};
use super::moves::Move;
use super::print::Printing;
use super::sequences::Mentions;
use super::setting::{Absent, Agreed, OPTIONAL, Piece, Setting, countries, representatives};
use super::telling;
use crate::model::event::EventKind;
use crate::model::ids::CustomerId;
use crate::model::time::{self, Timestamp};
use crate::plan::assign;
use crate::sequence::catalog::{Catalog, Sequence};
use jiff::SignedDuration;
use std::collections::BTreeSet;

/// Settings whose stories are all explored, for one sequence.
const MAX_EXPLORED: usize = 2;
/// Customers among whom one of each arm of an experiment is looked for: enough for arms of
/// two per cent, where two in five are held out.
const MAX_CUSTOMERS: i64 = 400;
/// Values of conditions that are also tried without one of them, at most.
const MAX_TOGETHER: usize = 8;
/// Orders of one customer, at most, where conditions count them.
const MAX_REGULAR: u8 = 12;
/// Hours between the events of a plain story.
const PLAIN_HOURS: i64 = 46;
/// From the usual beginning to the evening of a Saturday, in hours.
const TO_SATURDAY_NIGHT: i64 = 5 * 24 + 11;

/// Stories as they usually go: bought, sent, delivered; paid late; not sent at all, or never
/// heard of again.
fn plain(setting: &Setting, moves: &[Move]) -> Vec<Vec<Told>> {
    let parcel = |kind, parcel| Move::Parcel {
        kind,
        order: 0,
        parcel,
    };
    let arrives = |number| {
        [
            parcel(EventKind::ShipmentDispatched, number),
            parcel(EventKind::ShipmentDelivered, number),
        ]
    };
    let placed = Move::Placed {
        order: 0,
        paid: true,
    };
    let mut stories = vec![vec![placed.clone()]];
    stories[0].extend(arrives(0));
    if setting.splits {
        stories[0].extend(arrives(1));
    }
    stories.push(vec![
        placed.clone(),
        parcel(EventKind::ShipmentDispatched, 0),
    ]);
    let mut late = vec![
        Move::Placed {
            order: 0,
            paid: false,
        },
        Move::Paid(0),
    ];
    late.extend(arrives(0));
    stories.push(late);
    // Ordered, and for a long time nothing: that is what waits are written for.
    stories.push(vec![placed]);
    stories.retain_mut(|story| {
        story.retain(|one| moves.contains(one));
        !story.is_empty()
    });
    stories.dedup();
    stories
        .into_iter()
        .map(|story| timed(setting, story))
        .collect()
}

/// As [`plain`], each followed by one more thing, soon or at the very end.
fn eventful(setting: &Setting, moves: &[Move]) -> Vec<Vec<Told>> {
    let mut stories = Vec::new();
    let placed = vec![Move::Placed {
        order: 0,
        paid: true,
    }];
    let whole: Vec<Move> = plain(setting, moves)
        .into_iter()
        .next()
        .map(|story| story.into_iter().map(|told| told.what).collect())
        .unwrap_or_default();
    for begin in [&placed, &whole] {
        for more in moves {
            let mut story = begin.clone();
            if more.may_follow(story.iter()) {
                story.push(more.clone());
                stories.push(timed(setting, story.clone()));
            }
            // What ends something needs its beginning.
            for end in moves {
                if !end.may_follow(begin.iter()) && end.may_follow(story.iter()) {
                    let mut longer = story.clone();
                    longer.push(end.clone());
                    stories.push(timed(setting, longer));
                }
            }
        }
    }
    stories
}

/// The plainest story as one of the last orders of somebody who buys often, where a
/// condition counts orders.
fn regulars(setting: &Setting, mentions: &Mentions, moves: &[Move]) -> Vec<Vec<Told>> {
    let counted = mentions
        .comparisons
        .iter()
        .filter(|one| one.path == "customer.orders")
        .filter_map(|one| one.value.as_u64()?.try_into().ok())
        .filter(|orders: &u8| (2..=MAX_REGULAR).contains(orders));
    let whole = plain(setting, moves).into_iter().next().unwrap_or_default();
    counted
        .map(|orders| {
            let mut story: Vec<Move> = (0..orders - 1)
                .map(|order| Move::Placed { order, paid: true })
                .collect();
            story.extend(whole.iter().map(|told| told.what.about(orders - 1)));
            timed(setting, story)
        })
        .collect()
}

fn timed(setting: &Setting, story: Vec<Move>) -> Vec<Told> {
    story
        .into_iter()
        .zip(0..)
        .map(|(what, number)| Told {
            what,
            at: later(setting.begins, PLAIN_HOURS * number),
        })
        .collect()
}

fn later(from: Timestamp, hours: i64) -> Timestamp {
    time::saturating_add(from, SignedDuration::from_hours(hours))
}

/// The settings in which most of a sequence runs, and how many plans it took to find out.
pub(super) fn choose(
    catalog: &Catalog,
    sequence: &Sequence,
    mentions: &Mentions,
    moves: &[Move],
    printing: &Printing<'_>,
    findings: &mut Findings,
) -> (Vec<Setting>, u64) {
    let pieces = representatives(&catalog.products, &mentions.comparisons);
    let mut plans = 0;
    let mut scored: Vec<(Vec<String>, Setting)> = Vec::new();
    let mut candidates: Vec<Setting> = pieces
        .iter()
        .map(|piece| with_company(catalog, mentions, &pieces, piece))
        .collect();
    if candidates.is_empty() {
        candidates.push(Setting::of(catalog, None));
    }
    for (round, setting) in candidates.iter().enumerate() {
        let sent = sends(
            catalog, sequence, setting, moves, printing, &mut plans, findings,
        );
        let all = sent.len() == sequence.steps.len();
        scored.push((sent, setting.clone()));
        // What conditions name comes first; once everything went out, enough is known.
        if all && round + 1 >= mentions.comparisons.len().min(candidates.len()) {
            break;
        }
    }
    // What the plainest people never get: those whom a condition names, and other arms.
    let mut reached: BTreeSet<String> = scored.iter().flat_map(|(sent, _)| sent.clone()).collect();
    let base = scored.iter().rev().max_by_key(|(sent, _)| sent.len());
    if let Some((_, base)) = base.cloned() {
        for setting in particular(catalog, mentions, &base) {
            if reached.len() == sequence.steps.len() {
                break;
            }
            let sent = sends(
                catalog, sequence, &setting, moves, printing, &mut plans, findings,
            );
            reached.extend(sent.iter().cloned());
            scored.push((sent, setting));
        }
    }
    let mut chosen: Vec<Setting> = Vec::new();
    let mut covered: Vec<String> = Vec::new();
    while chosen.len() < MAX_EXPLORED {
        let best = scored
            .iter()
            .map(|(sent, setting)| {
                let new = sent.iter().filter(|step| !covered.contains(step)).count();
                (new, setting, sent)
            })
            .rev()
            .max_by_key(|(new, ..)| *new);
        match best {
            Some((new, setting, sent)) if new > 0 || chosen.is_empty() => {
                covered.extend(sent.iter().cloned());
                chosen.push(setting.clone());
            }
            _ => break,
        }
    }
    (chosen, plans)
}

/// People who differ from the plainest in what a condition speaks of: somebody in each arm
/// of an experiment, each value that is compared with, all of them at once, all but one,
/// and each value that is asked about left out.
fn particular(catalog: &Catalog, mentions: &Mentions, base: &Setting) -> Vec<Setting> {
    let mut found: Vec<Setting> = Vec::new();
    let experiments = (catalog.sequences.iter()).filter_map(|one| one.experiment.as_ref());
    for experiment in experiments {
        for arm in &experiment.arms {
            let drawn = (1..=MAX_CUSTOMERS)
                .map(CustomerId)
                .find(|customer| assign::draw(experiment, &telling::email(*customer)) == arm.name);
            found.extend(
                drawn
                    .filter(|one| *one != base.customer)
                    .map(|customer| Setting {
                        customer,
                        ..base.clone()
                    }),
            );
        }
    }
    let with = |set: Vec<Comparison>| Setting {
        set,
        ..base.clone()
    };
    found.extend(
        mentions
            .comparisons
            .iter()
            .map(|one| with(vec![one.clone()])),
    );
    let mut all: Vec<Comparison> = Vec::new();
    for one in &mentions.comparisons {
        if !all.iter().any(|had| had.path == one.path) {
            all.push(one.clone());
        }
    }
    if all.len() > 1 {
        found.push(with(all.clone()));
    }
    if (3..=MAX_TOGETHER).contains(&all.len()) {
        for without in 0..all.len() {
            let mut fewer = all.clone();
            fewer.remove(without);
            found.push(with(fewer));
        }
    }
    let asked_about = OPTIONAL.iter().filter(|path| {
        let name = path.replace("order.line_items.", "item.");
        mentions.names.iter().any(|said| within(said, &name))
    });
    found.extend(asked_about.map(|path| Setting {
        absent: Absent::One(path),
        ..base.clone()
    }));
    found
}

/// A basket with one product, or two in two parcels where something repeats by parcel.
fn with_company(
    catalog: &Catalog,
    mentions: &Mentions,
    pieces: &[Piece],
    piece: &Piece,
) -> Setting {
    let mut setting = Setting::of(catalog, Some(piece.clone()));
    if mentions.each_parcel
        && let Some(other) = pieces.iter().find(|other| *other != piece)
    {
        setting.baskets[0].push(other.clone());
        setting.splits = true;
    }
    setting
}

/// The steps of a sequence that go out in the plain stories of a setting.
fn sends(
    catalog: &Catalog,
    sequence: &Sequence,
    setting: &Setting,
    moves: &[Move],
    printing: &Printing<'_>,
    plans: &mut u64,
    findings: &mut Findings,
) -> Vec<String> {
    let mut world = World {
        catalog,
        setting,
        printing,
        plans: 0,
    };
    let mut sent: Vec<String> = Vec::new();
    for story in plain(setting, moves) {
        let life = relive(&mut world, &story);
        for send in life.accepted().filter(|send| send.sequence == sequence.id) {
            if !sent.contains(&send.step) {
                sent.push(send.step.clone());
            }
        }
        findings.see(setting, &life);
    }
    *plans += world.plans;
    sent
}

/// Looks for a way to the steps that no story has sent yet: other products, the values
/// that conditions name, other countries, other customers. Gives the plans it took.
#[expect(
    clippy::too_many_arguments,
    reason = "a search is made of that many things"
)]
pub(super) fn seek(
    catalog: &Catalog,
    sequence: &Sequence,
    mentions: &Mentions,
    moves: &[Move],
    printing: &Printing<'_>,
    chosen: &[Setting],
    plans: u64,
    findings: &mut Findings,
) -> u64 {
    let missing = |findings: &Findings| {
        sequence.steps.iter().any(|step| {
            !findings
                .reached
                .contains_key(&format!("{}/{}", sequence.id, step.id))
        })
    };
    let Some(base) = chosen.first() else { return 0 };
    let mut spent = 0;
    let mut candidates: Vec<Setting> = chosen.to_vec();
    candidates.extend(particular(catalog, mentions, base));
    for country in countries(&catalog.policy) {
        candidates.push(Setting {
            country,
            ..base.clone()
        });
    }
    candidates.push(Setting {
        quantity: 2,
        ..base.clone()
    });
    for piece in representatives(&catalog.products, &mentions.comparisons) {
        let other = Setting::of(catalog, Some(piece));
        candidates.push(Setting {
            baskets: [base.baskets[0].clone(), other.baskets[0].clone()],
            ..base.clone()
        });
        candidates.push(other);
    }
    for setting in candidates {
        let stories = plain(&setting, moves)
            .into_iter()
            .chain(eventful(&setting, moves))
            .chain(regulars(&setting, mentions, moves));
        for story in stories {
            if !missing(findings) {
                return spent;
            }
            if spent >= plans {
                findings.people_left_out += 1;
                return spent;
            }
            let mut world = World {
                catalog,
                setting: &setting,
                printing,
                plans: 0,
            };
            let life = relive(&mut world, &story);
            spent += world.plans;
            findings.see(&setting, &life);
        }
    }
    spent
}

/// Lives the stories in which each step goes out again for other people: with each value
/// left out that a source may leave out, in every language and country, unknown products,
/// two of a kind, ordered on a Saturday night. Gives the plans it took.
pub(super) fn vary(
    catalog: &Catalog,
    sequence: &Sequence,
    printing: &Printing<'_>,
    plans: u64,
    findings: &mut Findings,
) -> u64 {
    let mut spent = 0;
    let mut stories: Vec<Story> = Vec::new();
    for step in sequence.steps.iter().rev() {
        let name = format!("{}/{}", sequence.id, step.id);
        if let Some(story) = findings.reached.get(&name)
            && !stories.contains(story)
        {
            stories.push(story.clone());
        }
    }
    let mut covered: Vec<String> = Vec::new();
    for story in stories {
        let mut world = World {
            catalog,
            setting: &story.setting,
            printing,
            plans: 0,
        };
        let life = relive(&mut world, &story.told);
        spent += world.plans;
        let sent: Vec<String> = life.accepted().map(|send| send.name()).collect();
        if sent.iter().all(|name| covered.contains(name)) {
            continue;
        }
        covered.extend(sent);
        for setting in others(catalog, &story.setting) {
            if spent >= plans {
                findings.people_left_out += 1;
                continue;
            }
            let shift = setting.begins.duration_since(story.setting.begins);
            let told: Vec<Told> = story
                .told
                .iter()
                .map(|told| Told {
                    what: told.what.clone(),
                    at: time::saturating_add(told.at, shift),
                })
                .collect();
            let mut world = World {
                catalog,
                setting: &setting,
                printing,
                plans: 0,
            };
            let life = relive(&mut world, &told);
            spent += world.plans;
            findings.see(&setting, &life);
        }
    }
    spent
}

/// Other people in the same story.
fn others(catalog: &Catalog, base: &Setting) -> Vec<Setting> {
    let policy = &catalog.policy;
    let mut all = vec![
        Setting {
            absent: Absent::All,
            ..base.clone()
        },
        Setting {
            unknown_products: true,
            ..base.clone()
        },
        Setting {
            quantity: 2,
            ..base.clone()
        },
        Setting {
            agreed: Agreed::SoftOptIn,
            ..base.clone()
        },
        Setting {
            agreed: Agreed::Unknown,
            ..base.clone()
        },
        Setting {
            begins: later(base.begins, TO_SATURDAY_NIGHT),
            ..base.clone()
        },
    ];
    all.extend(OPTIONAL.iter().map(|path| Setting {
        absent: Absent::One(path),
        ..base.clone()
    }));
    all.extend(policy.locales.iter().skip(1).map(|locale| Setting {
        locale: locale.clone(),
        ..base.clone()
    }));
    all.extend(countries(policy).into_iter().map(|country| Setting {
        country,
        ..base.clone()
    }));
    all
}
