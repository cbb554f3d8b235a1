//! What the mails themselves must show, by country: who writes, where they are, how to
//! stop. (Postal address and opt-out in everything but fulfilment are checked with each
//! mail, because every country asks for them.)

use super::Shop;
use crate::model::diagnostic::Diagnostic;
use crate::model::kind::{Class, Kind};
use crate::model::locale;
use crate::render::survey::{Link, Survey, To};
use std::collections::BTreeMap;

/// Something that must stand in a mail: any of these names.
struct Item {
    any: &'static [&'static str],
    what: &'static str,
}

/// 特定電子メール法 4 and its regulation: the things that advertising must show beside the
/// opt-out and the postal address.
const JAPAN: &[Item] = &[
    Item {
        any: &["shop.name", "sender.name"],
        what: "the sender's name",
    },
    Item {
        any: &["sender.email", "sender.reply_to"],
        what: "where to send questions and complaints",
    },
];

/// CASL 6(2): who writes, how to reach them, and how to unsubscribe; in messages about
/// an order as well.
const CANADA: &[Item] = &[
    Item {
        any: &["shop.name", "sender.name"],
        what: "who writes",
    },
    Item {
        any: &["shop.address"],
        what: "the postal address",
    },
    Item {
        any: &["links.preferences", "links.unsubscribe"],
        what: "the way to the preferences",
    },
];

pub fn look(shop: &Shop<'_>, surveys: &[&Survey], found: &mut Vec<Diagnostic>) {
    let policy = &shop.catalog.policy;
    let japan = policy.consent.by_country.contains_key("JP")
        || policy
            .locales
            .iter()
            .any(|tag| locale::language(tag) == "ja");
    let canada = policy.consent.by_country.contains_key("CA");
    if !japan && !canada {
        return;
    }
    let mut kinds: BTreeMap<&str, Vec<Kind>> = BTreeMap::new();
    for (_, step) in shop.forms() {
        kinds.entry(&step.mail).or_default().push(step.kind);
    }
    // A layout that lacks something is one mistake, shown at the first mail.
    let mut lacking: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for survey in surveys {
        let Some(kinds) = kinds.get(survey.mail.as_str()) else {
            continue;
        };
        let marketing = kinds.iter().any(|kind| kind.class() == Class::Marketing);
        let order = kinds.contains(&Kind::Fulfilment);
        for (wanted, code, items) in [
            (japan && marketing, "E310", JAPAN),
            (canada && order, "E311", CANADA),
        ] {
            if !wanted {
                continue;
            }
            for item in items.iter().filter(|item| !shows(survey, item)) {
                lacking
                    .entry((code, item.what))
                    .or_default()
                    .push(survey.file.clone());
            }
        }
    }
    for ((code, what), files) in lacking {
        let (law, items) = if code == "E310" {
            (
                "特定電子メール法 4: advertising to Japan must show the sender's name, where to opt out, the postal address and a contact",
                JAPAN,
            )
        } else {
            (
                "CASL 6(2): mail to Canada must show who writes, an address and the way to unsubscribe, about orders as well",
                CANADA,
            )
        };
        let code: &'static str = if code == "E310" { "E310" } else { "E311" };
        let names = items
            .iter()
            .find(|item| item.what == what)
            .map_or("", |item| item.any[0]);
        let first = files.first().cloned().unwrap_or_default();
        let mut problem = Diagnostic::new(
            code,
            first,
            0..0,
            format!("neither this mail nor its layout shows {what}"),
        )
        .help(law)
        .help(format!("print {{{{{names}}}}} in the layout's footer"));
        if files.len() > 1 {
            problem = problem.help(format!("{} more mails lack it too", files.len() - 1));
        }
        found.push(problem);
    }
}

fn shows(survey: &Survey, item: &Item) -> bool {
    let shown = survey.shows();
    item.any.iter().any(|name| shown.contains(name))
        || item.any.contains(&"sender.email")
            && survey.links.iter().any(|Link { to, .. }| {
                matches!(to, To::Address(address) if address.starts_with("mailto:"))
            })
}
