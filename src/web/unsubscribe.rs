//! `/u/{token}`: the page behind the unsubscribe and preferences links, and the one
//! click of RFC 8058.
//!
//! GET and HEAD show a page and change nothing: scanners follow every link in a mail.
//! Only a POST opts out, at once, without login, cookie or redirect. Everybody gets
//! the same page, whether the token is one of ours, was made up, or has been used.

use super::admission::Room;
use super::events::COMMIT_TIMEOUT;
use super::form;
use super::receive::{self, Bounds};
use super::reply::{self, Problem};
use super::router::Doors;
use crate::engine::EngineError;
use crate::engine::consent::OptOut;
use crate::engine::spill::Because;
use crate::model::kind::{Kind, Scope};
use crate::telemetry;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;

/// The template under `templates/pages` and the values it is given beside the shop's:
/// `action` (where its buttons post to) and `done` (whether a choice was taken).
pub const PAGE: &str = "unsubscribe";
/// How long a form may take to arrive.
pub const FORM_TIMEOUT: Duration = Duration::from_secs(10);
/// Languages of a browser that are looked at.
pub const MAX_LANGUAGES: usize = 10;
/// Longest token that is looked at, in bytes; ours are far shorter.
pub const MAX_TOKEN: usize = 512;

/// Shows the page.
pub async fn show(State(doors): State<Arc<Doors>>, uri: Uri, headers: HeaderMap) -> Response {
    answer(&doors, &spoken(&headers), token(&uri), false)
}

/// The languages that a reader's browser asks for, the best first. Not that of the mail:
/// who tries tokens would learn from it which of them are real.
fn spoken(headers: &HeaderMap) -> Vec<String> {
    let asked = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut all: Vec<(f32, &str)> = asked
        .split(',')
        .take(MAX_LANGUAGES)
        .map(|part| part.split_once(";q=").unwrap_or((part, "1")))
        .map(|(tag, weight)| (weight.trim().parse().unwrap_or(0.0), tag.trim()))
        .collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all.into_iter().map(|(_, tag)| tag.to_owned()).collect()
}

/// Opts out.
pub async fn take(State(doors): State<Arc<Doors>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let token = token(&head.uri);
    let bounds = Bounds {
        counted: None,
        limit: form::MAX_FORM,
        time: FORM_TIMEOUT,
    };
    let mut room = Room::default();
    let body = match receive::body(&head.headers, body, bounds, &mut room).await {
        Ok(body) => body,
        Err(problem) => return problem.into_response(),
    };
    let content_type = receive::single(&head.headers, header::CONTENT_TYPE.as_str());
    let choice = content_type
        .ok()
        .and_then(|content_type| form::fields(content_type, &body))
        .and_then(|fields| Choice::read(&fields));
    let Some(choice) = choice else {
        return Problem::new(
            StatusCode::BAD_REQUEST,
            "expected a form with List-Unsubscribe=One-Click, or with a scope of all, all_marketing, \
             education, survey, review, offer or sequence:ID; nothing was changed",
        )
        .into_response();
    };
    let (how, scope) = match choice {
        Choice::OneClick => ("one_click", None),
        Choice::Scope(scope) => ("page", Some(scope)),
    };
    if let Some(asked) = doors.engine.asked(token, scope) {
        match opt_out(&doors, &asked).await {
            Ok(true) => telemetry::opted_out(how),
            Ok(false) => {}
            Err(problem) => return problem.into_response(),
        }
    }
    answer(&doors, &spoken(&head.headers), token, true)
}

/// Records what was asked for, or keeps it in the journal where the database cannot take it
/// now: who asked once must not have to ask again. Whether it is there to stay.
async fn opt_out(doors: &Doors, asked: &OptOut) -> Result<bool, Problem> {
    let Some(spill) = &doors.settings.spill else {
        return doors.engine.opt_out(asked).await.map_err(failed);
    };
    let because = if spill.state().away {
        Because::Away
    } else {
        match tokio::time::timeout(doors.settings.spill_after, doors.engine.opt_out(asked)).await {
            Ok(Ok(known)) => return Ok(known),
            Ok(Err(EngineError::Store(error))) if error.is_passing() => Because::Away,
            Ok(Err(error)) => return Err(failed(error)),
            // Should it be recorded yet, it is known the second time.
            Err(_) => Because::Slow,
        }
    };
    match tokio::time::timeout(COMMIT_TIMEOUT, spill.keep_opt_out(asked, because)).await {
        Ok(Ok(())) => Ok(true),
        // Its cause is in the log.
        Ok(Err(_)) => Err(Problem::unavailable()),
        Err(_) => Err(Problem::overload()),
    }
}

/// What a form asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Choice {
    /// What the mail's own kind implies (`Scope::of_one_click`).
    OneClick,
    /// What the reader chose on our page.
    Scope(Scope),
}

impl Choice {
    fn read(fields: &[(String, String)]) -> Option<Choice> {
        let one_click = fields.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("List-Unsubscribe")
                && value.trim().eq_ignore_ascii_case("One-Click")
        });
        if one_click {
            return Some(Choice::OneClick);
        }
        let (_, scope) = fields.iter().find(|(name, _)| name == "scope")?;
        match scope.trim().parse().ok()? {
            // Nobody can opt out of hearing where an order is, and only a bounce makes an address dead.
            Scope::Kind(Kind::Fulfilment) | Scope::Dead => None,
            scope @ (Scope::All | Scope::AllMarketing | Scope::Kind(_) | Scope::Sequence(_)) => {
                Some(Choice::Scope(scope))
            }
        }
    }
}

/// The token as it stands in the path: ours need no decoding, and what is not ours is
/// put back into the page as it came.
fn token(uri: &Uri) -> &str {
    let token = uri.path().rsplit('/').next().unwrap_or_default();
    if token.len() <= MAX_TOKEN { token } else { "" }
}

/// The page. The opt-out stands even where the shop's template is broken, so then a
/// plain page of our own says so.
fn answer(doors: &Doors, spoken: &[String], token: &str, done: bool) -> Response {
    // Relative to the page, so that it holds behind a proxy that adds a path; with `./`
    // before it, because a made-up token may look like an address of its own.
    let action = format!("./{token}");
    let values = serde_json::json!({ "action": action, "done": done });
    let html = match doors.engine.render_page(PAGE, spoken, values) {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                page = PAGE,
                "a page could not be rendered, a plain one stands in"
            );
            plain(&action, done)
        }
    };
    reply::page(StatusCode::OK, html)
}

fn plain(action: &str, done: bool) -> String {
    let action = reply::escape(action);
    let content = if done {
        "<h1>Done.</h1><p>You will not get these mails any more.</p>".to_owned()
    } else {
        format!(
            "<h1>Your mails from us</h1><form method=\"post\" action=\"{action}\">\
             <p><button name=\"scope\" value=\"education\">No more tips</button></p>\
             <p><button name=\"scope\" value=\"all_marketing\">No more requests and offers</button></p>\
             <p><button name=\"scope\" value=\"all\">Nothing but mails about my orders</button></p></form>"
        )
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>Your mails from us</title>\
         <style>body{{font:16px/1.6 sans-serif;max-width:40em;margin:2em auto;padding:0 1em}}button{{font:inherit;padding:.6em 1em}}</style>\
         </head><body>{content}</body></html>\n"
    )
}

fn failed(error: EngineError) -> Problem {
    tracing::error!(
        error = &error as &dyn std::error::Error,
        "an opt-out could not be recorded"
    );
    Problem::engine(&error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_and_nobody_opts_out_of_order_mails() {
        let check = |fields: &[(&str, &str)], expected: Option<Choice>| {
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!(Choice::read(&fields), expected, "{fields:?}");
        };
        check(&[("List-Unsubscribe", "One-Click")], Some(Choice::OneClick));
        check(
            &[("list-unsubscribe", "one-click ")],
            Some(Choice::OneClick),
        );
        check(&[("scope", "all")], Some(Choice::Scope(Scope::All)));
        check(
            &[("scope", "education")],
            Some(Choice::Scope(Scope::Kind(Kind::Education))),
        );
        check(
            &[("scope", "sequence:a")],
            Some(Choice::Scope(Scope::Sequence("a".into()))),
        );
        check(&[("scope", "fulfilment")], None);
        check(&[("scope", "dead")], None);
        check(&[("scope", "everything")], None);
        check(&[("List-Unsubscribe", "Two-Clicks")], None);
        check(&[], None);
    }
}
