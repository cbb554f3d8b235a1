//! `check --prove`: the promises of a shop, tried on every story that its sequences can
//! tell apart, up to a number of events.
//!
//! Nothing is argued about here: histories are made in memory and the planner that sends
//! mail ([`crate::plan::plan`], [`crate::plan::clear`], by [`crate::plan::walk`]) lives
//! them through. Every mail that goes out is looked at ([`checks`]) and really made
//! ([`print`]). What was not explored is said; it must never claim more than was done.
//! Pure: the same files and bounds give the same answer.
//!
//! Read [`prove`], then [`explore`] (all stories of one sequence), [`settings`] (in which
//! baskets, countries, languages), [`pairs`] (two sequences under one set of limits).

mod checks;
mod explore;
mod life;
mod literals;
mod moves;
mod pairs;
mod print;
mod sequences;
mod setting;
mod settings;
mod story;
mod telling;

pub use literals::{Comparison, comparisons};
pub use setting::set;

use crate::model::diagnostic::Diagnostic;
use crate::render::Templates;
use crate::sequence::catalog::{Catalog, Place, Sequence};
use checks::Violation;
use explore::{Findings, Found};
use life::World;
use print::Printing;
use sequences::{Mentions, with_needed};

/// Events in one story, at most, unless told otherwise.
pub const MAX_EVENTS: usize = 5;
/// Plans made in one proof, at most, unless told otherwise: some seconds of work.
pub const MAX_PLANS: u64 = 60_000;

/// Of a hundred plans, those for all stories of single sequences; then for what sources
/// may leave out; the rest is for pairs.
const SHARE_SINGLE: u64 = 60;
const SHARE_VARIED: u64 = 25;

/// The files that are to be proved.
#[derive(Debug, Clone, Copy)]
pub struct Shop<'a> {
    pub catalog: &'a Catalog,
    pub templates: &'a Templates,
    /// Paths and texts, to point into.
    pub files: &'a [(String, String)],
}

/// How much work a proof may be.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Events in one story, at most.
    pub events: usize,
    /// Plans in all, at most.
    pub plans: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            events: MAX_EVENTS,
            plans: MAX_PLANS,
        }
    }
}

/// What was proved, and what was not.
#[derive(Debug, Clone, Default)]
pub struct Proof {
    /// By sequence, in the order of the files.
    pub explored: Vec<Explored>,
    /// Pairs of sequences under one set of limits.
    pub pairs: Paired,
    /// Broken promises.
    pub failures: Vec<Failure>,
    /// Mails that were really made.
    pub mails: u64,
}

/// What was done for one sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explored {
    pub sequence: String,
    /// Stories lived to their end.
    pub stories: u64,
    pub plans: u64,
    /// Every story of up to so many events was looked at, in its plainest setting.
    pub events: usize,
    /// Longer stories exist that were not looked at.
    pub longer: bool,
    /// Branches left out because the budget was used up.
    pub left_out: u64,
    /// Customers of other sorts who were not put into its stories, for the same reason.
    pub people_left_out: u64,
    /// Steps that went out in some story.
    pub reached: usize,
    pub steps: usize,
}

/// What was done for pairs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paired {
    pub pairs: u64,
    pub stories: u64,
    pub plans: u64,
    /// Pairs left out because the budget was used up.
    pub left_out: u64,
}

/// A broken promise.
#[derive(Debug, Clone)]
pub struct Failure {
    pub diagnostic: Diagnostic,
    /// The shortest story, as a scenario; none where no story leads somewhere, or where
    /// scenarios have no words for it.
    pub scenario: Option<Scenario>,
}

/// A scenario file ready to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    pub file_name: String,
    pub text: String,
}

/// Explores within the bounds, and says what it found and how far it came.
pub fn prove(shop: &Shop<'_>, bounds: Bounds) -> Proof {
    let printing = Printing::new(shop.templates);
    let mut proof = Proof::default();
    let mut all = Findings::default();
    let count = shop.catalog.sequences.len().max(1) as u64;
    let each = bounds.plans * SHARE_SINGLE / 100 / count;
    let varied = bounds.plans * SHARE_VARIED / 100 / count;
    let mut solos = Vec::new();
    for sequence in shop.catalog.sequences.iter() {
        let (explored, findings) = alone(shop, sequence, &printing, bounds.events, each, varied);
        let sequence_reached = findings.reached.clone();
        unreached(shop, sequence, &explored, &findings, &mut proof.failures);
        for found in findings.found {
            if !all.found.iter().any(|had| had.wrong.same(&found.wrong)) {
                all.found.push(found);
            }
        }
        solos.push((sequence, sequence_reached));
        proof.explored.push(explored);
    }
    let used: u64 = proof.explored.iter().map(|one| one.plans).sum();
    proof.pairs = pairs::explore(
        shop.catalog,
        &solos,
        &printing,
        bounds.plans.saturating_sub(used),
        &mut all,
    );
    for mut found in all.found {
        let catalog = with_needed(shop.catalog, &found_in(&found));
        let setting = found.story.setting.clone();
        let mut world = World {
            catalog: &catalog,
            setting: &setting,
            printing: &printing,
            plans: 0,
        };
        explore::shorten(&mut world, &mut found);
        proof.failures.push(failure(shop, &found));
    }
    proof.failures.sort_by(|a, b| {
        let key = |one: &Failure| {
            (
                one.diagnostic.file.clone(),
                one.diagnostic.span.start,
                one.diagnostic.code,
            )
        };
        key(a).cmp(&key(b))
    });
    proof.mails = printing.mails.get();
    proof
}

fn found_in(found: &Found) -> Vec<&str> {
    found.sequences.iter().map(String::as_str).collect()
}

/// One sequence with those that it needs.
fn alone(
    shop: &Shop<'_>,
    sequence: &Sequence,
    printing: &Printing<'_>,
    events: usize,
    plans: u64,
    varied: u64,
) -> (Explored, Findings) {
    let catalog = with_needed(shop.catalog, &[&sequence.id]);
    let mentions = Mentions::of(&catalog);
    let moves = moves::alphabet(&mentions);
    let mut findings = Findings::of(&[&sequence.id]);
    let mut spent = 0;
    let (chosen, looked) = settings::choose(
        &catalog,
        sequence,
        &mentions,
        &moves,
        printing,
        &mut findings,
    );
    spent += looked;
    let mut reach = explore::Reach { events, more: true };
    for (number, setting) in chosen.iter().enumerate() {
        let left = plans.saturating_sub(spent) / (chosen.len() - number) as u64;
        let mut world = World {
            catalog: &catalog,
            setting,
            printing,
            plans: 0,
        };
        let came = explore::explore(&mut world, &moves, events, left, &mut findings);
        spent += world.plans;
        reach = explore::Reach {
            events: reach.events.min(came.events),
            more: came.more || number > 0 && reach.more,
        };
    }
    spent += settings::seek(
        &catalog,
        sequence,
        &mentions,
        &moves,
        printing,
        &chosen,
        varied,
        &mut findings,
    );
    spent += settings::vary(&catalog, sequence, printing, varied, &mut findings);
    let reached = sequence
        .steps
        .iter()
        .filter(|step| {
            findings
                .reached
                .contains_key(&format!("{}/{}", sequence.id, step.id))
        })
        .count();
    let explored = Explored {
        sequence: sequence.id.clone(),
        stories: findings.stories,
        plans: spent,
        events: reach.events,
        longer: reach.more,
        left_out: findings.left_out,
        people_left_out: findings.people_left_out,
        reached,
        steps: sequence.steps.len(),
    };
    (explored, findings)
}

/// Steps that no story sends.
fn unreached(
    shop: &Shop<'_>,
    sequence: &Sequence,
    explored: &Explored,
    findings: &Findings,
    failures: &mut Vec<Failure>,
) {
    for step in &sequence.steps {
        let name = format!("{}/{}", sequence.id, step.id);
        if findings.reached.contains_key(&name) {
            continue;
        }
        let mut diagnostic = Diagnostic::new(
            "E337",
            step.place.file.clone(),
            span(shop.files, &step.place),
            format!("no story sends \"{}\"", step.id),
        )
        .help("a mail that nobody gets helps nobody");
        diagnostic = match findings.skipped.get(&name) {
            Some(because) => {
                diagnostic.help(format!("where its moment came, it was skipped: {because}"))
            }
            None => diagnostic.help(format!(
                "its moment never came: it counts from {}",
                anchor_words(sequence, step)
            )),
        };
        diagnostic = diagnostic.help(format!(
            "tried: {} stories of up to {} events, with {}",
            explored.stories,
            explored.events.max(1),
            findings.tried_words(),
        ));
        failures.push(Failure {
            diagnostic,
            scenario: None,
        });
    }
}

fn anchor_words(sequence: &Sequence, step: &crate::sequence::catalog::Step) -> String {
    use crate::sequence::catalog::Anchor;
    match &step.anchor {
        Anchor::Start => format!("the start, on {}", sequence.start.on),
        Anchor::Fact(kind) => kind.to_string(),
        Anchor::Step(earlier) => format!("the sending of \"{earlier}\""),
    }
}

fn failure(shop: &Shop<'_>, found: &Found) -> Failure {
    let wrong = &found.wrong;
    let place = place(shop, wrong);
    let scenario = wrong.tellable.then(|| Scenario {
        file_name: story::file_name(wrong),
        text: story::scenario(shop.catalog, &found.story, wrong),
    });
    let mut diagnostic = Diagnostic::new(
        wrong.code,
        place.file.clone(),
        span(shop.files, &place),
        wrong.message.clone(),
    )
    .help(format!(
        "shortest story: {}",
        story::line(shop.catalog, &found.story, wrong)
    ));
    for line in &wrong.help {
        diagnostic = diagnostic.help(line.clone());
    }
    Failure {
        diagnostic,
        scenario,
    }
}

fn place(shop: &Shop<'_>, wrong: &Violation) -> Place {
    if let Some((file, line)) = &wrong.elsewhere {
        return Place {
            file: file.clone(),
            line: *line,
            column: 1,
        };
    }
    shop.catalog
        .sequence(&wrong.sequence)
        .and_then(|sequence| Some(sequence.step(&wrong.step)?.place.clone()))
        .unwrap_or_default()
}

/// The rest of the line at a place, without what is blank or a comment.
fn span(files: &[(String, String)], place: &Place) -> std::ops::Range<usize> {
    let Some((_, text)) = files.iter().find(|(path, _)| *path == place.file) else {
        return 0..0;
    };
    let Some(line) = (place.line as usize).checked_sub(1) else {
        return 0..0;
    };
    let begin: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let whole = text[begin..].lines().next().unwrap_or_default();
    let skip: usize = whole
        .chars()
        .take((place.column as usize).saturating_sub(1))
        .map(char::len_utf8)
        .sum();
    let rest = &whole[skip..];
    let meant = match rest.chars().next() {
        // A quoted value ends at its quote.
        Some(quote @ ('"' | '\'')) => rest[1..].find(quote).map_or(rest, |end| &rest[..end + 2]),
        _ => rest.trim_end(),
    };
    let blank = meant.len() - meant.trim_start().len();
    begin + skip + blank..begin + skip + meant.len()
}
