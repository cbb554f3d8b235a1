//! Reviews: everybody is asked alike, and nobody is paid for an answer unseen. Rules of
//! the FTC (16 CFR 465), of platforms, and of stealth-marketing law in Japan.

use super::Shop;
use super::selling::written;
use super::source::{At, in_sequence};
use super::wording;
use crate::model::diagnostic::Diagnostic;
use crate::model::kind::Kind;
use crate::render::survey::{Link, Survey, To};
use crate::sequence::catalog::{Sequence, Step};
use crate::sequence::condition::Condition;
use crate::sequence::condition::claim::{Is, Test};
use std::collections::{BTreeMap, BTreeSet};

/// Parts of addresses at which the public writes reviews.
const PLATFORMS: [&str; 14] = [
    "g.page/",
    "google.com/local/writereview",
    "google.com/maps/place",
    "maps.app.goo.gl/",
    "trustpilot.com/",
    "yelp.",
    "tripadvisor.",
    "trustedshops.",
    "ekomi.",
    "judge.me/",
    "feefo.com/",
    "reviews.io/",
    "kakaku.com/",
    "review.rakuten.co.jp",
];
/// Names that tell how content somebody is.
const MOODS: [&str; 5] = [
    "review.rating",
    "ticket.",
    "survey.",
    "customer.open_ticket",
    "customer.open_dispute",
];
/// Words in tags that tell the same, in lower case.
const MOOD_TAGS: [&str; 12] = [
    "promoter",
    "detractor",
    "passive",
    "happy",
    "unhappy",
    "satisfied",
    "dissatisfied",
    "unsatisfied",
    "angry",
    "complained",
    "complainer",
    "nps",
];

pub fn look(shop: &Shop<'_>, surveys: &[&Survey], found: &mut Vec<Diagnostic>) {
    let public: BTreeSet<&str> = surveys
        .iter()
        .filter(|survey| survey.links.iter().any(is_public))
        .map(|survey| survey.mail.as_str())
        .collect();
    let asks = |step: &Step| step.kind == Kind::Review || public.contains(step.mail.as_str());
    for sequence in shop.catalog.sequences.iter() {
        in_conditions(shop, sequence, &asks, found);
    }
    // By mail: the steps that send it.
    let mut steps: BTreeMap<&str, Vec<(&Sequence, &Step)>> = BTreeMap::new();
    for (sequence, step) in shop.forms() {
        steps.entry(&step.mail).or_default().push((sequence, step));
    }
    let mut seen = BTreeSet::new();
    let mut paid = BTreeSet::new();
    for survey in surveys {
        let Some(steps) = steps.get(survey.mail.as_str()) else {
            continue;
        };
        if steps.iter().any(|(_, step)| asks(step)) {
            let review = steps.iter().any(|(_, step)| step.kind == Kind::Review);
            in_mail(survey, review, &mut seen, found);
        }
        for (sequence, step) in steps {
            if (asks(step) || step.kind == Kind::Survey)
                && !paid.contains(&(&sequence.id, &step.id))
                && let Some(problem) = rewarded(shop, survey, step)
            {
                paid.insert((&sequence.id, &step.id));
                found.push(problem);
            }
        }
    }
    unfair(shop, found);
}

/// Conditions that choose whom to ask by mood.
fn in_conditions(
    shop: &Shop<'_>,
    sequence: &Sequence,
    asks: &dyn Fn(&Step) -> bool,
    found: &mut Vec<Diagnostic>,
) {
    if !sequence.steps.iter().any(asks) {
        return;
    }
    let all = sequence
        .steps
        .iter()
        .filter(|step| step.kind.is_bound())
        .all(asks);
    let mut look = |at: At<'_>, key: &str, condition: Option<&Condition>| {
        let Some(condition) = condition else { return };
        let mut moody: Option<Test> = None;
        condition.claim().tests(&mut |test| {
            if moody.is_none() && is_mood(test) {
                moody = Some(test.clone());
            }
        });
        if let Some(test) = moody {
            let span = shop.source.inside(sequence, at, key, condition, &test.at);
            found.push(gating(in_sequence(
                "E305",
                sequence,
                span,
                if matches!(key, "unless") || condition.text().trim_start().starts_with('!') {
                    "this keeps dissatisfied customers from being asked for a review"
                } else {
                    "this asks only satisfied customers for a review"
                },
            )));
        }
    };
    // Where help and asks go together, the start is about the help.
    if all {
        look(At::Start, "where", sequence.start.where_.as_ref());
        for (nth, stop) in sequence.stops.iter().enumerate() {
            look(At::Stop(nth), "when", stop.when.as_ref());
        }
    }
    for step in sequence.steps.iter().filter(|step| asks(step)) {
        look(At::Step(&step.id), "when", step.when.as_ref());
        look(At::Step(&step.id), "unless", step.unless.as_ref());
    }
}

fn gating(problem: Diagnostic) -> Diagnostic {
    problem
        .help("consumer-protection guidance in several countries forbids picking reviewers by mood (16 CFR 465.7, DMCC Act 2024, 景品表示法)")
        .help("ask everyone, and use [[pause]] while a problem is open")
}

fn is_mood(test: &Test) -> bool {
    let named = |of: &str| MOODS.iter().any(|mood| of.starts_with(mood));
    let tagged = |of: &str, value: &str| {
        of.contains(".tags")
            && value
                .to_lowercase()
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| MOOD_TAGS.contains(&word))
    };
    match &test.is {
        Is::Text(value) => named(&test.of) || tagged(&test.of, value),
        // What could not be taken apart stands as its text.
        Is::True => {
            named(&test.of)
                || MOODS[..3]
                    .iter()
                    .any(|mood| test.of.contains(&format!(" {mood}")))
                || tagged(&test.of, &test.of)
        }
        Is::Null | Is::Between(..) => named(&test.of),
        // Tests inside are looked at by themselves.
        Is::Loop(_) => false,
    }
}

/// Links to reviews that stand under a condition of mood.
fn in_mail(
    survey: &Survey,
    review: bool,
    seen: &mut BTreeSet<(String, usize)>,
    found: &mut Vec<Diagnostic>,
) {
    for link in survey.links.iter().filter(|link| {
        is_public(link) || review && matches!(&link.to, To::Name(of) if of.ends_with("product_url"))
    }) {
        let asked = link
            .under
            .iter()
            .find(|(of, _)| MOODS.iter().any(|mood| of.starts_with(mood)));
        if let Some((_, spot)) = asked
            && seen.insert((spot.file.clone(), spot.span.start))
        {
            found.push(gating(Diagnostic::new(
                "E305",
                spot.file.clone(),
                spot.span.clone(),
                "this shows the link to a review to some customers only, by their mood",
            )));
        }
    }
}

/// Whether a link leads where the public reads reviews.
fn is_public(link: &Link) -> bool {
    match &link.to {
        To::Stars(_) => true,
        To::Address(address) => {
            let address = address.to_lowercase();
            PLATFORMS.iter().any(|platform| address.contains(platform))
        }
        To::Name(_) => false,
    }
}

fn is_google(link: &Link) -> bool {
    matches!(&link.to, To::Address(address)
        if address.contains("google.") || address.contains("g.page/") || address.contains("goo.gl/"))
}

/// A reward in the mail of a step that asks.
fn rewarded(shop: &Shop<'_>, survey: &Survey, step: &Step) -> Option<Diagnostic> {
    let words = wording::reward(&survey.words)?;
    let google = survey.links.iter().any(is_google);
    let fair = step
        .incentive
        .is_some_and(|incentive| incentive.unconditional && incentive.disclosed);
    // What `incentive` says of it is judged where it is said.
    if !google && (fair || step.incentive.is_some()) {
        return None;
    }
    let spot = written(shop, survey, words);
    let problem = Diagnostic::new(
        "E306",
        spot.file,
        spot.span,
        if google {
            "a review on Google is asked for with a reward".to_owned()
        } else {
            format!("a {} is asked for with a reward", step.kind)
        },
    )
    .label(format!("\"{words}\""));
    Some(if google {
        problem
            .help("Google forbids rewards for reviews, whatever they say, and takes such reviews down")
            .help("leave the reward out, or ask for a review of your own shop instead")
    } else {
        problem
            .help("a reward that hangs on a good answer is forbidden (16 CFR 465.4), and one that nobody hears of as well (16 CFR 255)")
            .help("leave it out; or give it to everybody who is asked, say so in the mail, and write incentive = { unconditional = true, disclosed = true } in the step")
    })
}

/// `incentive` with a reward that hangs on the answer, or that is not told.
fn unfair(shop: &Shop<'_>, found: &mut Vec<Diagnostic>) {
    for (sequence, step) in shop.steps() {
        let Some(incentive) = step.incentive else {
            continue;
        };
        if incentive.unconditional && incentive.disclosed {
            continue;
        }
        let span = shop.source.key(sequence, At::Step(&step.id), "incentive");
        let what = if incentive.unconditional {
            "a reward for a review must be told"
        } else {
            "a reward for a review must not hang on the answer"
        };
        found.push(
            in_sequence("E308", sequence, span, what)
                .help("readers take a rewarded opinion for a free one, and the law forbids to mislead them (16 CFR 255 and 465.4)")
                .help("give it to everybody who is asked, say so in the mail, and write incentive = { unconditional = true, disclosed = true }"),
        );
    }
}
