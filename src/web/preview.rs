//! `/preview`, with `serve --watch` only: the contact sheet of the files in force, which
//! loads itself anew when they were saved. Broken files are told on the page, while the
//! last good set stays in force, on the page as in the service.

use super::contact::{self, Frames, Sheet};
use super::reply::{self, Problem, escape};
use super::router::Doors;
use crate::engine::reload::Live;
use crate::engine::sample::Cast;
use crate::engine::sheet::{self, Card, Outcome, Wanted, in_colours};
use crate::model::diagnostic::Severity;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a page waits for the next change before it asks again.
pub const PATIENCE: Duration = Duration::from_secs(25);
/// Mails on the page where nobody chose.
const MAX_CARDS: usize = 400;

/// The page: its style, its own script, frames and questions to here.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; \
    connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A mail in its frame: pictures and style, no script.
const FRAME_POLICY: &str = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; \
    style-src 'unsafe-inline'; img-src http: https: data:; base-uri 'none'; frame-ancestors 'self'";

/// Asks for the next change, and loads the page anew where it was looking.
const SCRIPT: &str = "\
const after = document.currentScript.dataset.after;\n\
const ask = async () => {\n\
  for (;;) {\n\
    try {\n\
      const answer = await fetch('preview/changes?after=' + after);\n\
      const { number } = await answer.json();\n\
      if (String(number) !== after) { location.reload(); return; }\n\
    } catch { await new Promise(done => setTimeout(done, 1000)); }\n\
  }\n\
};\n\
ask();\n";

/// Mails that the page has made, so that its frames need not make them again.
#[derive(Debug, Default)]
pub struct Ready {
    /// Of which set of files.
    version: String,
    made: HashMap<(String, String, Cast), String>,
}

impl Ready {
    /// Keeps what was made of a set of files; what older sets gave goes.
    fn keep(&mut self, version: &str, cards: &[Card]) {
        if self.version != version || self.made.len() > MAX_CARDS {
            self.made.clear();
            version.clone_into(&mut self.version);
        }
        for card in cards {
            if let Outcome::Made(made) = &card.outcome {
                let key = (card.mail.clone(), card.locale.clone(), card.cast);
                self.made.insert(key, made.html.clone());
            }
        }
    }
}

/// What to show.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Asked {
    /// A mail or a group; empty: all.
    mail: String,
    /// Empty: the shop's first.
    locale: String,
    /// Empty: the plain one.
    sample: String,
    dark: u8,
    after: u64,
}

struct Served;

impl Frames for Served {
    fn html(&self, card: &Card, dark: bool) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("mail", &card.mail)
            .append_pair("locale", &card.locale)
            .append_pair("sample", card.cast.as_str())
            .append_pair("dark", if dark { "1" } else { "0" })
            .finish();
        format!("preview/frame?{query}")
    }
    fn eml(&self, _: &Card) -> Option<String> {
        None
    }
}

fn wanted(asked: &Asked, live: &Live) -> Wanted {
    let locales = &live.catalog.policy.locales;
    let locale = match asked.locale.as_str() {
        "all" => Vec::new(),
        "" => locales.first().cloned().into_iter().collect(),
        one => vec![one.to_owned()],
    };
    Wanted {
        mails: Some(asked.mail.clone())
            .filter(|mail| !mail.is_empty())
            .into_iter()
            .collect(),
        locales: locale,
        casts: match asked.sample.as_str() {
            "all" => Cast::ALL.to_vec(),
            one => Cast::parse(one).into_iter().collect(),
        },
    }
}

/// The sheet.
pub async fn show(
    State(doors): State<Arc<Doors>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let asked = asked.map(|Query(asked)| asked).unwrap_or_default();
    let engine = Arc::clone(&doors.engine);
    let made = tokio::task::spawn_blocking(move || {
        let live = engine.live();
        let said = engine.said();
        let wanted = wanted(&asked, &live);
        let mut cards = sheet::cards(&live, &engine.config, &wanted);
        let cut = cards.len().saturating_sub(MAX_CARDS);
        cards.truncate(MAX_CARDS);
        ready(&doors).keep(&live.catalog.version, &cards);
        let stale = said
            .problems
            .iter()
            .any(|one| one.severity() == Severity::Error);
        let above = choices(&asked, &live, cut);
        let head = format!(
            "<script src=\"preview/watch.js\" data-after=\"{}\"></script>",
            said.number
        );
        contact::page(
            &Sheet {
                shop: &live.catalog.policy.name,
                cards: &cards,
                problems: &said.problems,
                files: &said.files,
                stale,
                head: &head,
                above: &above,
            },
            &Served,
        )
    });
    match made.await {
        Ok(html) => reply::page_under(StatusCode::OK, html, POLICY),
        Err(_) => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the mails cannot be shown",
        )
        .into_response(),
    }
}

fn ready(doors: &Doors) -> MutexGuard<'_, Ready> {
    doors
        .previews
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// A form for choosing what is shown.
fn choices(asked: &Asked, live: &Live, cut: usize) -> String {
    let select = |name: &str, chosen: &str, all: &mut dyn Iterator<Item = (String, String)>| {
        let mut out = format!("<label>{name} <select name=\"{name}\">");
        for (value, words) in all {
            out.push_str(&format!(
                "<option value=\"{}\"{}>{}</option>",
                escape(&value),
                if value == chosen { " selected" } else { "" },
                escape(&words)
            ));
        }
        out.push_str("</select></label> ");
        out
    };
    let same = |one: &str| (one.to_owned(), one.to_owned());
    let every = |words: &str, value: &str| (value.to_owned(), words.to_owned());
    let mut form = "<form action=\"preview\" class=\"bar\">".to_owned();
    form.push_str(&select(
        "mail",
        &asked.mail,
        &mut std::iter::once(every("all", "")).chain(live.templates.mails().map(same)),
    ));
    form.push_str(&select(
        "locale",
        &asked.locale,
        &mut std::iter::once(every("first", ""))
            .chain([every("all", "all")])
            .chain(live.catalog.policy.locales.iter().map(|one| same(one))),
    ));
    form.push_str(&select(
        "sample",
        &asked.sample,
        &mut Cast::ALL
            .iter()
            .map(|cast| same(cast.as_str()))
            .chain([every("all", "all")]),
    ));
    form.push_str("<button>Show</button></form>");
    if cut > 0 {
        form.push_str(&format!(
            "<p class=\"soft\">{cut} more are left out; choose a mail or a language, or write all of them to a folder: aftercare preview --all --html DIR</p>"
        ));
    }
    form
}

/// One mail's HTML part, alone.
pub async fn frame(
    State(doors): State<Arc<Doors>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let Ok(Query(asked)) = asked else {
        return Problem::bare(StatusCode::NOT_FOUND).into_response();
    };
    let engine = Arc::clone(&doors.engine);
    let made = tokio::task::spawn_blocking(move || {
        let live = engine.live();
        let wanted = wanted(&asked, &live);
        let (Some(locale), Some(cast)) = (wanted.locales.first(), Cast::parse(&asked.sample))
        else {
            return None;
        };
        let key = (asked.mail.clone(), locale.clone(), cast);
        {
            let ready = ready(&doors);
            if ready.version == live.catalog.version
                && let Some(html) = ready.made.get(&key)
            {
                return Some(in_colours(html, asked.dark == 1));
            }
        }
        let cards = sheet::cards(&live, &engine.config, &wanted);
        ready(&doors).keep(&live.catalog.version, &cards);
        let card = cards.into_iter().find(|card| card.mail == asked.mail)?;
        match card.outcome {
            Outcome::Made(made) => Some(in_colours(&made.html, asked.dark == 1)),
            Outcome::Held(_) | Outcome::NotForThem(_) => None,
        }
    });
    match made.await {
        Ok(Some(html)) => {
            let mut response = reply::page_under(StatusCode::OK, html, FRAME_POLICY);
            response.headers_mut().insert(
                header::X_FRAME_OPTIONS,
                HeaderValue::from_static("SAMEORIGIN"),
            );
            response
        }
        _ => Problem::new(StatusCode::NOT_FOUND, "there is no such mail").into_response(),
    }
}

/// Answers with the number of the last reading of the files: at once where it is another
/// than `after`, else once there is another, or after [`PATIENCE`].
pub async fn changes(
    State(doors): State<Arc<Doors>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let after = asked.map(|Query(asked)| asked.after).unwrap_or_default();
    let mut readings = doors.engine.readings();
    let other = readings.wait_for(|said| said.number != after);
    let number = match tokio::time::timeout(PATIENCE, other).await {
        Ok(Ok(said)) => said.number,
        Ok(Err(_)) | Err(_) => after,
    };
    reply::json(StatusCode::OK, &serde_json::json!({ "number": number }))
}

/// The page's script.
pub async fn script() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (StatusCode::OK, kind, SCRIPT).into_response()
}
