//! Values that no event carries: `item.kind == "fysical"` is true of nothing.

use super::Shop;
use super::source::{At, in_sequence};
use crate::model::closed::{self, Closed};
use crate::model::diagnostic::Diagnostic;
use crate::model::nearest::nearest;
use crate::model::product::KitTrack;
use crate::render::survey::{Compared, Survey};
use crate::sequence::catalog::Sequence;
use crate::sequence::condition::Condition;
use crate::sequence::condition::claim::Is;

pub fn look(shop: &Shop<'_>, surveys: &[&Survey], found: &mut Vec<Diagnostic>) {
    for sequence in shop.catalog.sequences.iter() {
        let mut at = |at: At<'_>, key: &str, condition: &Option<Condition>| {
            if let Some(condition) = condition {
                in_condition(shop, sequence, (at, key), condition, found);
            }
        };
        at(At::Start, "where", &sequence.start.where_);
        for step in &sequence.steps {
            at(At::Step(&step.id), "when", &step.when);
            at(At::Step(&step.id), "unless", &step.unless);
        }
        for (nth, pause) in sequence.pauses.iter().enumerate() {
            at(At::Pause(nth), "while", &Some(pause.while_.clone()));
        }
        for (nth, stop) in sequence.stops.iter().enumerate() {
            at(At::Stop(nth), "when", &stop.when);
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    for mail in surveys {
        for Compared { of, value, place } in &mail.compared {
            let Some(help) = wrong(shop, of, value) else {
                continue;
            };
            // A partial is looked at once, whatever number of mails print it.
            if !seen.insert((place.file.clone(), place.span.start)) {
                continue;
            }
            let mut problem = Diagnostic::new(
                "E143",
                place.file.clone(),
                place.span.clone(),
                message(of, value),
            );
            problem.help = help;
            found.push(problem);
        }
    }
}

fn in_condition(
    shop: &Shop<'_>,
    sequence: &Sequence,
    (at, key): (At<'_>, &str),
    condition: &Condition,
    found: &mut Vec<Diagnostic>,
) {
    let mut wrongs = Vec::new();
    condition.claim().tests(&mut |test| {
        if let Is::Text(value) = &test.is
            && let Some(help) = wrong(shop, &test.of, value)
        {
            wrongs.push((test, value, help));
        }
    });
    for (test, value, help) in wrongs {
        // The value itself, where it is written in the test's text.
        let text = condition.text().get(test.at.clone()).unwrap_or_default();
        let part = ['"', '\'']
            .into_iter()
            .find_map(|quote| {
                let words = format!("{quote}{value}{quote}");
                let from = text.find(&words)? + test.at.start;
                Some(from..from + words.len())
            })
            .unwrap_or_else(|| test.at.clone());
        let span = shop.source.inside(sequence, at, key, condition, &part);
        let mut problem = in_sequence("E143", sequence, span, message(&test.of, value));
        problem.help = help;
        found.push(problem);
    }
}

fn message(of: &str, value: &str) -> String {
    format!(
        "`{}` is never \"{}\"",
        of.replace("[]", ""),
        value.escape_debug()
    )
}

/// What to say of a value that a name never has; `None` where it may.
fn wrong(shop: &Shop<'_>, of: &str, value: &str) -> Option<Vec<String>> {
    let why = "customers for whom this was meant are never recognised by it".to_owned();
    if of == "item.family" || of.ends_with("[].family") {
        let families = shop.catalog.products.families();
        // A kit that is taught as one thing is a family of its own.
        let kits = shop.catalog.products.kits().iter();
        let kits: Vec<&str> = kits
            .filter(|kit| kit.track == KitTrack::Kit)
            .map(|kit| kit.id.as_str())
            .collect();
        let ids = || {
            let families = families.iter().map(|family| family.id.as_str());
            families.chain(kits.iter().copied())
        };
        if families.is_empty() || ids().any(|id| id == value) {
            return None;
        }
        return Some(vec![
            why,
            match nearest(value, ids()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!(
                    "families stand in config/catalog.toml: {}",
                    ids().take(12).collect::<Vec<_>>().join(", ")
                ),
            },
        ]);
    }
    match closed::of(of)? {
        Closed::OneOf(values) if values.contains(&value) => None,
        Closed::OneOf(values) => Some(vec![
            why,
            match nearest(value, values.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("there are {}", values.join(", ")),
            },
        ]),
        Closed::Code(length) => {
            let code = value.len() == length && value.bytes().all(|b| b.is_ascii_uppercase());
            // Reserved for the United Kingdom and Greece, and not their codes in ISO 3166.
            let other = match value {
                "UK" => Some("GB"),
                "EL" => Some("GR"),
                _ => None,
            };
            if code && (length != 2 || other.is_none()) {
                return None;
            }
            Some(vec![
                why,
                match other {
                    Some(other) => format!("write \"{other}\", its code in ISO 3166"),
                    None if length == 2 => {
                        "countries are two capital letters by ISO 3166: \"DE\", \"US\", \"GB\""
                            .to_owned()
                    }
                    None => "currencies are three capital letters by ISO 4217: \"EUR\", \"USD\""
                        .to_owned(),
                },
            ])
        }
    }
}
