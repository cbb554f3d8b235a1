//! What stands in the files and reaches nobody: mails that no step sends, people in
//! whose name nothing goes out, families without products.

use super::Shop;
use crate::model::diagnostic::Diagnostic;
use crate::render::Templates;
use std::collections::BTreeSet;

const PEOPLE: &str = "config/people.toml";
const CATALOG: &str = "config/catalog.toml";

pub fn look(shop: &Shop<'_>, templates: &Templates, found: &mut Vec<Diagnostic>) {
    let sent: BTreeSet<&str> = shop.forms().map(|(_, step)| step.mail.as_str()).collect();
    for mail in templates.mails().filter(|mail| !sent.contains(mail)) {
        let folder = format!("templates/mail/{mail}.");
        let file = shop
            .source
            .paths()
            .find(|path| path.starts_with(&folder))
            .unwrap_or("templates/mail");
        found.push(
            Diagnostic::new(
                "W503",
                file,
                0..0,
                format!("no step sends the mail \"{mail}\""),
            )
            .help("no customer ever reads it; a step may name another by mistake")
            .help(format!(
                "write mail = \"{mail}\" in a step, or delete its files"
            )),
        );
    }
    let sign: BTreeSet<&str> = shop
        .catalog
        .sequences
        .iter()
        .map(|sequence| sequence.from.as_str())
        .collect();
    for id in shop.catalog.policy.people.keys() {
        if !sign.contains(id.as_str()) && !stands_in(shop, id) {
            let span = shop.source.path(PEOPLE, &[id]);
            found.push(
                Diagnostic::new(
                    "W504",
                    PEOPLE,
                    span,
                    format!("nothing goes out in the name of \"{id}\""),
                )
                .help("answers of customers reach only those who sign")
                .help(format!(
                    "write from = \"{id}\" in a sequence, or take the person out"
                )),
            );
        }
    }
    let products = &shop.catalog.products;
    if products.iter().next().is_none() {
        return;
    }
    for family in products.families() {
        // One that matches nothing at all is spoken of where it is read.
        let matches = [
            &family.skus,
            &family.products,
            &family.tags,
            &family.categories,
            &family.vendors,
        ];
        if matches.iter().all(|list| list.is_empty()) {
            continue;
        }
        if products.members(&family.id).next().is_none() {
            let span = shop.source.path(CATALOG, &["family", &family.id]);
            found.push(
                Diagnostic::new(
                    "W505",
                    CATALOG,
                    span,
                    format!("no product belongs to the family \"{}\"", family.id),
                )
                .help("whatever is written for its buyers reaches nobody")
                .help("see whether `match` names tags, products or SKUs as the feed spells them, and whether a family above takes them all"),
            );
        }
    }
}

/// Whether somebody else names this person in people.toml, for times of absence.
fn stands_in(shop: &Shop<'_>, id: &str) -> bool {
    let text = shop.source.text(PEOPLE).unwrap_or_default();
    ['"', '\'']
        .into_iter()
        .any(|quote| text.contains(&format!("{quote}{id}{quote}")))
}
