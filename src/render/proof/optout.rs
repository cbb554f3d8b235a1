//! The page behind the unsubscribe link: whether its buttons stop what they say. A button
//! that stops nothing looks to a customer like one that works. It reads the file as it was
//! written; what a button does is the service's matter.

use super::super::markup::{Element, Masked, Part, parts};
use crate::model::diagnostic::Diagnostic;
use crate::model::kind::Scope;
use std::ops::Range;

/// Where the page stands, in the shop's folders or a brand's.
const PAGE: &str = "pages/unsubscribe.hbs";
/// What a button must send.
const FIELD: &str = "scope";

/// A form as written.
struct Form {
    element: Element,
    /// The places of what its buttons and fields send as scope, with the words.
    scopes: Vec<(Range<usize>, String)>,
    /// Buttons that send something else.
    others: Vec<Range<usize>>,
}

/// Looks at the page's forms.
pub fn check(path: &str, source: &str, problems: &mut Vec<Diagnostic>) {
    if !path.ends_with(PAGE) || source.len() > super::super::MAX_SOURCE {
        return;
    }
    let masked = Masked::new(source, false);
    let at = |span: &Range<usize>| source.get(span.clone()).unwrap_or_default();
    let mut report = |span: Range<usize>, message: String, help: &str| {
        problems.push(
            Diagnostic::new("E208", path, span, message)
                .help("customers would press the button, and the mails would go on")
                .help(help),
        );
    };
    let mut works = false;
    let forms = forms(source, &masked);
    for form in &forms {
        let method = form.element.value("method");
        let posts = method
            .as_ref()
            .is_some_and(|method| at(method).trim().eq_ignore_ascii_case("post"));
        let action = form.element.value("action");
        let home = action
            .as_ref()
            .is_some_and(|action| matches!(at(action).trim(), "{{action}}" | "{{ action }}"));
        if !posts {
            let place = method.unwrap_or_else(|| form.element.span.clone());
            report(
                place,
                "this form changes nothing".into(),
                "write method=\"post\"",
            );
        } else if !home {
            let place = action.unwrap_or_else(|| form.element.span.clone());
            let message = "this form leads elsewhere than to the service".to_owned();
            report(place, message, "write action=\"{{action}}\"");
        } else if form.scopes.is_empty() {
            let place = form.others.first().cloned();
            report(
                place.unwrap_or_else(|| form.element.span.clone()),
                "this form does not say what to stop".into(),
                "write <button name=\"scope\" value=\"all\">; other values are education, all_marketing, a kind of mail, sequence:ID",
            );
        }
        for (span, words) in &form.scopes {
            if masked.has_hole(span) || words.parse::<Scope>().is_ok() {
                works |= posts && home;
                continue;
            }
            let scopes = [
                "all",
                "all_marketing",
                "education",
                "survey",
                "review",
                "offer",
            ];
            let near = crate::model::nearest::nearest(words, scopes);
            let help = match near {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("write one of {}, or sequence:ID", scopes.join(", ")),
            };
            report(
                span.clone(),
                format!("\"{words}\" is nothing that can be stopped"),
                &help,
            );
        }
    }
    if forms.is_empty() && !works {
        report(
            0..0,
            "this page has no form, so nobody can stop anything".into(),
            "write <form method=\"post\" action=\"{{action}}\"><button name=\"scope\" value=\"all\">…</button></form>",
        );
    }
}

fn forms(source: &str, masked: &Masked) -> Vec<Form> {
    let at = |span: Range<usize>| source.get(span).unwrap_or_default();
    let mut found: Vec<Form> = Vec::new();
    let mut open = false;
    for part in parts(&masked.text, 0..source.len()) {
        let Part::Tag(tag) = part else {
            continue;
        };
        match (tag.name.as_str(), tag.closing) {
            ("form", true) => open = false,
            ("form", false) => {
                open = true;
                found.push(Form {
                    element: tag,
                    scopes: Vec::new(),
                    others: Vec::new(),
                });
            }
            ("button" | "input" | "option" | "select", false) if open => {
                let Some(form) = found.last_mut() else {
                    continue;
                };
                let name = tag.value("name").map(at);
                match (name, tag.value("value")) {
                    (Some(FIELD), Some(value)) => {
                        form.scopes.push((value.clone(), at(value).to_owned()));
                    }
                    _ => form.others.push(tag.span.clone()),
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(page: &str) -> Vec<String> {
        let mut problems = Vec::new();
        check("templates/pages/unsubscribe.hbs", page, &mut problems);
        problems.into_iter().map(|one| one.message).collect()
    }

    #[test]
    fn buttons_that_stop_nothing_are_told() {
        let page = "<form method=\"post\" action=\"{{action}}\">\n<button name=\"scope\" value=\"education\">x</button></form>";
        assert_eq!(said(page), Vec::<String>::new());
        for (was, now, message) in [
            (
                "value=\"education\"",
                "value=\"eduction\"",
                "is nothing that can be stopped",
            ),
            (
                "name=\"scope\"",
                "name=\"scop\"",
                "does not say what to stop",
            ),
            ("method=\"post\"", "method=\"get\"", "changes nothing"),
            (" method=\"post\"", "", "changes nothing"),
            ("{{action}}", "/unsubscribe", "leads elsewhere"),
            ("<form", "<div", "has no form"),
        ] {
            let found = said(&page.replace(was, now));
            assert_eq!(found.len(), 1, "{now}: {found:?}");
            assert!(found[0].contains(message), "{now}: {found:?}");
        }
    }
}
