//! `[campaign]` of `store.toml`: the parameters that links in mails carry, by which a
//! shop's own statistics tell where visitors came from.

use super::keys;
use super::syntax::{Section, one_of};
use crate::model::nearest::nearest;
use crate::model::policy::CampaignParameters;

/// Longest parameter, in bytes; a link has to fit a line of the mail.
const MAX_PARAMETER: usize = 100;

/// The parameters as meant; what a file leaves out is the usual one.
pub(super) fn parameters(root: &Section<'_, '_>) -> CampaignParameters {
    let mut found = CampaignParameters::default();
    let Some(section) = root.table("campaign") else {
        return found;
    };
    section.only(&keys::CAMPAIGN, &[]);
    for (key, place) in [
        ("source", &mut found.source),
        ("medium", &mut found.medium),
        ("campaign", &mut found.campaign),
        ("content", &mut found.content),
        ("term", &mut found.term),
    ] {
        if let Some(text) = section.text(key) {
            check(&section, &text);
            *place = text.value;
        }
    }
    if let Some(hosts) = section.text("hosts") {
        let meant = one_of(
            section.sheet,
            &hosts,
            "a set of hosts",
            &["all", "shop"],
            |word| match word {
                "all" => Some(true),
                "shop" => Some(false),
                _ => None,
            },
        );
        match meant {
            Ok(elsewhere) => found.elsewhere = elsewhere,
            Err(problem) => section.sheet.report(problem),
        }
    }
    found
}

fn check(section: &Section<'_, '_>, text: &super::syntax::Spanned<String>) {
    let report = |message: String, help: String| {
        section.sheet.report(
            section
                .sheet
                .problem("E270", text.span.clone(), message)
                .help(help),
        );
    };
    if text.value.len() > MAX_PARAMETER || text.value.chars().any(char::is_control) {
        report(
            format!("a parameter is one line of at most {MAX_PARAMETER} bytes"),
            "every link of every mail carries it".to_owned(),
        );
    }
    let mut rest = text.value.as_str();
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            report(
                "this bracket is not closed".to_owned(),
                "write {sequence}, {step} or {locale}".to_owned(),
            );
            return;
        };
        if !CampaignParameters::NAMES.contains(&name) {
            let known = CampaignParameters::NAMES
                .map(|name| format!("{{{name}}}"))
                .join(", ");
            let help = match nearest(name, CampaignParameters::NAMES) {
                Some(near) => format!("did you mean {{{near}}}?"),
                None => format!("there are {known}"),
            };
            report(
                format!("{{{}}} stands for nothing here", name.escape_debug()),
                help,
            );
        }
        rest = after;
    }
}
