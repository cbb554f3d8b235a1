//! `/mailbox`: the mails that the capture transport kept instead of sending. Without
//! that transport none of this is served.
//!
//! What a mail says was written by templates and by customers, so it is shown in a
//! frame of its own that may run nothing and reach nothing but pictures.

use super::reply::{self, Problem, escape};
use super::router::Doors;
use crate::mail::Capture;
use crate::mail::capture::{Caught, Opened};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use std::fmt::Write;
use std::io;
use std::sync::Arc;

/// Mails on one page of the list.
pub const PAGE_SIZE: usize = 100;
/// Most mails that the list knows: the newest.
pub const MAX_LISTED: usize = 2000;
/// Longest search that is looked at, in bytes.
pub const MAX_SEARCH: usize = 200;

/// The mailbox's own pages: their style and a frame from here.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A captured mail in its frame: pictures and style, no script, an origin of its own.
/// Links open beside it, so that a click on "unsubscribe" can be tried.
const FRAME_POLICY: &str = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; \
    style-src 'unsafe-inline'; img-src http: https: data:; base-uri 'none'; frame-ancestors 'self'";

/// Whoever comes to the front of a service that captures wants to see the mails.
pub async fn front() -> Redirect {
    Redirect::to("mailbox")
}

/// What to show of the list.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// Part of a subject or of a recipient.
    q: String,
    /// Counted from 1.
    page: usize,
}

/// The list, newest first.
pub async fn list(
    State(doors): State<Arc<Doors>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    // A query that makes no sense shows the whole list.
    let mut wanted = wanted.map(|Query(wanted)| wanted).unwrap_or_default();
    if wanted.q.len() > MAX_SEARCH {
        wanted.q.clear();
    }
    match with_folder(&doors, |capture| capture.list(MAX_LISTED)).await {
        Ok(mails) => reply::page_under(StatusCode::OK, list_page(&mails, &wanted), POLICY),
        Err(problem) => problem.into_response(),
    }
}

/// One mail: its headers, its HTML in a frame, its text.
pub async fn open(State(doors): State<Arc<Doors>>, Path(id): Path<String>) -> Response {
    match find(&doors, id).await {
        Ok(mail) => reply::page_under(StatusCode::OK, mail_page(&mail), POLICY),
        Err(problem) => problem.into_response(),
    }
}

/// The HTML part alone, under [`FRAME_POLICY`].
pub async fn html(State(doors): State<Arc<Doors>>, Path(id): Path<String>) -> Response {
    match find(&doors, id).await {
        Ok(Opened {
            html: Some(html), ..
        }) => {
            let html = open_links_beside(&html);
            let mut response = reply::page_under(StatusCode::OK, html, FRAME_POLICY);
            let headers = response.headers_mut();
            headers.insert(
                header::X_FRAME_OPTIONS,
                HeaderValue::from_static("SAMEORIGIN"),
            );
            response
        }
        Ok(_) => Problem::new(StatusCode::NOT_FOUND, "this mail has no HTML part").into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// The file as it is, to open in a mail program.
pub async fn eml(State(doors): State<Arc<Doors>>, Path(id): Path<String>) -> Response {
    match find(&doors, id).await {
        Ok(mail) => {
            // The id is a file's name that the mailbox itself gave, letters and digits of ASCII.
            let disposition = format!("attachment; filename=\"{}.eml\"", mail.caught.id);
            let headers = [
                (header::CONTENT_TYPE, "message/rfc822".to_owned()),
                (header::CONTENT_DISPOSITION, disposition),
            ];
            (StatusCode::OK, headers, mail.source).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

async fn find(doors: &Doors, id: String) -> Result<Opened, Problem> {
    with_folder(doors, move |capture| capture.read(&id))
        .await?
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "there is no such mail"))
}

/// Looks into the folder, away from the threads that answer.
async fn with_folder<T: Send + 'static>(
    doors: &Doors,
    look: impl FnOnce(&Capture) -> io::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let capture = doors
        .engine
        .mailbox()
        .ok_or_else(|| Problem::bare(StatusCode::NOT_FOUND))?;
    let looked = tokio::task::spawn_blocking(move || look(&capture)).await;
    let unreadable = || {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the folder of captured mails cannot be read",
        )
    };
    match looked {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the folder of captured mails cannot be read"
            );
            Err(unreadable())
        }
        Err(_) => Err(unreadable()),
    }
}

/// Makes links open beside the frame; inside it they would lead to pages that let
/// nobody frame them.
fn open_links_beside(html: &str) -> String {
    const BASE: &str = "<base target=\"_blank\">";
    let lower = html.to_ascii_lowercase();
    let head = lower
        .find("<head>")
        .or_else(|| lower.find("<head "))
        .and_then(|start| html[start..].find('>').map(|end| start + end + 1));
    match head {
        Some(place) => format!("{}{BASE}{}", &html[..place], &html[place..]),
        None => format!("{BASE}{html}"),
    }
}

const STYLE: &str = "\
:root{color-scheme:light dark;--page:#f4f1eb;--card:#fff;--text:#24302c;--soft:#65716c;--line:#e4dfd5;--accent:#1f5244;--hover:#faf8f4}\
@media(prefers-color-scheme:dark){:root{--page:#0f1513;--card:#19211e;--text:#e3e8e4;--soft:#9aa7a1;--line:#2f3b36;--accent:#8fd0b4;--hover:#1f2925}}\
*{box-sizing:border-box}\
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,-apple-system,'Segoe UI',Helvetica,Arial,'Hiragino Sans','Noto Sans CJK JP',sans-serif}\
header,main{max-width:1080px;margin:0 auto;padding:0 20px}\
header{display:flex;flex-wrap:wrap;gap:12px 24px;align-items:center;justify-content:space-between;padding-top:28px;padding-bottom:18px}\
h1{margin:0;font-size:22px;line-height:1.3;overflow-wrap:anywhere}h1 a{color:inherit;text-decoration:none}\
header p{margin:2px 0 0;color:var(--soft)}\
a{color:var(--accent)}\
form{display:flex;gap:8px;flex:0 1 340px}\
input{flex:1;min-width:0;padding:8px 12px;border:1px solid var(--line);border-radius:8px;background:var(--card);color:inherit;font:inherit}\
button{padding:8px 14px;border:1px solid var(--accent);border-radius:8px;background:none;color:var(--accent);font:inherit;font-weight:600;cursor:pointer}\
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}\
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;overflow:hidden;margin-bottom:20px}\
ol{list-style:none;margin:0;padding:0}\
li+li{border-top:1px solid var(--line)}\
li a{display:grid;grid-template-columns:minmax(0,15em) minmax(0,1fr) auto;gap:2px 20px;padding:12px 18px;color:inherit;text-decoration:none}\
li a:hover{background:var(--hover)}\
li span{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}\
.subject{font-weight:600}.soft,time{color:var(--soft);font-variant-numeric:tabular-nums}\
.empty{padding:48px 24px;text-align:center;color:var(--soft)}\
nav{display:flex;justify-content:space-between;padding:0 0 40px}\
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:4px 18px;margin:0;padding:16px 18px}\
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\
iframe{display:block;width:100%;height:78vh;border:0;background:#fff;resize:vertical}\
h2{margin:0;padding:10px 18px;border-bottom:1px solid var(--line);font-size:13px;font-weight:600;color:var(--soft);display:flex;justify-content:space-between}\
details>summary{padding:10px 18px;font-size:13px;font-weight:600;color:var(--soft);cursor:pointer}\
pre{margin:0;padding:16px 18px;white-space:pre-wrap;overflow-wrap:anywhere;font:13px/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,'Noto Sans Mono CJK JP',monospace}\
details pre{border-top:1px solid var(--line)}\
@media(max-width:640px){header,main{padding-left:12px;padding-right:12px}form{flex-basis:100%}\
li a{grid-template-columns:minmax(0,1fr) auto}.subject{grid-column:1/-1;grid-row:2;white-space:normal}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}}";

fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex, nofollow\"><title>{}</title><style>{STYLE}</style></head>\
         <body>{body}</body></html>\n",
        escape(title)
    )
}

/// Names and subjects come in every script, so each keeps its direction to itself.
fn isolated(text: &str) -> String {
    format!("<bdi>{}</bdi>", escape(text))
}

fn subject(mail: &Caught) -> &str {
    match mail.subject.trim() {
        "" => "(no subject)",
        subject => subject,
    }
}

fn when(mail: &Caught) -> String {
    mail.date.map_or_else(
        || "no date".to_owned(),
        |date| {
            let shown = date.strftime("%a %-d %b %Y, %H:%M");
            format!("<time datetime=\"{date}\">{shown} UTC</time>")
        },
    )
}

fn list_page(mails: &[Caught], wanted: &Wanted) -> String {
    let search = wanted.q.trim().to_lowercase();
    let found: Vec<&Caught> = mails
        .iter()
        .filter(|mail| {
            search.is_empty()
                || mail.subject.to_lowercase().contains(&search)
                || mail.to.to_lowercase().contains(&search)
        })
        .collect();
    let pages = found.len().div_ceil(PAGE_SIZE).max(1);
    let page = wanted.page.clamp(1, pages);
    let shown = found.iter().skip((page - 1) * PAGE_SIZE).take(PAGE_SIZE);
    let count = match found.len() {
        1 => "1 mail".to_owned(),
        MAX_LISTED => format!("The newest {MAX_LISTED} mails"),
        count => format!("{count} mails"),
    };
    let mut body = format!(
        "<header><div><h1><a href=\"mailbox\">Mailbox</a></h1><p>{count}, captured here instead of being sent</p></div>\
         <form><input type=\"search\" name=\"q\" value=\"{}\" aria-label=\"Subject or recipient\" \
         placeholder=\"Subject or recipient\"><button>Find</button></form></header><main><div class=\"card\">",
        escape(wanted.q.trim())
    );
    if found.is_empty() {
        let empty = if search.is_empty() {
            "No mails yet. They appear here as they fall due."
        } else {
            "No mail matches."
        };
        push(&mut body, format_args!("<p class=\"empty\">{empty}</p>"));
    } else {
        body.push_str("<ol>");
        for mail in shown {
            push(
                &mut body,
                format_args!(
                    "<li><a href=\"mailbox/{}\"><span class=\"soft\">{}</span><span class=\"subject\">{}</span>{}</a></li>",
                    escape(&mail.id),
                    isolated(&mail.to),
                    isolated(subject(mail)),
                    when(mail)
                ),
            );
        }
        body.push_str("</ol>");
    }
    body.push_str("</div>");
    if pages > 1 {
        let link = |to: usize, text: &str| {
            if (1..=pages).contains(&to) {
                let query = url::form_urlencoded::Serializer::new(String::new())
                    .append_pair("q", wanted.q.trim())
                    .append_pair("page", &to.to_string())
                    .finish();
                format!("<a href=\"mailbox?{}\">{text}</a>", escape(&query))
            } else {
                "<span></span>".to_owned()
            }
        };
        push(
            &mut body,
            format_args!(
                "<nav>{}<span class=\"soft\">page {page} of {pages}</span>{}</nav>",
                link(page - 1, "← newer"),
                link(page + 1, "older →")
            ),
        );
    }
    body.push_str("</main>");
    document("Mailbox", &body)
}

fn mail_page(mail: &Opened) -> String {
    let caught = &mail.caught;
    let id = escape(&caught.id);
    let mut body = format!(
        "<header><div><p><a href=\"../mailbox\">← Mailbox</a></p><h1>{}</h1></div>\
         <p><a href=\"{id}/eml\">Download .eml</a></p></header><main>\
         <div class=\"card\"><dl><dt>From</dt><dd>{}</dd><dt>To</dt><dd>{}</dd><dt>Date</dt><dd>{}</dd></dl></div>",
        isolated(subject(caught)),
        isolated(&caught.from),
        isolated(&caught.to),
        when(caught)
    );
    if mail.html.is_some() {
        push(
            &mut body,
            format_args!(
                "<section class=\"card\"><h2>HTML <a href=\"{id}/html\">open alone</a></h2>\
                 <iframe title=\"The mail\" src=\"{id}/html\" referrerpolicy=\"no-referrer\" \
                 sandbox=\"allow-popups allow-popups-to-escape-sandbox\"></iframe></section>"
            ),
        );
    }
    if let Some(text) = &mail.text {
        let open = if mail.html.is_none() { " open" } else { "" };
        push(
            &mut body,
            format_args!(
                "<details class=\"card\"{open}><summary>Text part</summary><pre dir=\"auto\">{}</pre></details>",
                escape(text)
            ),
        );
    }
    push(
        &mut body,
        format_args!(
            "<details class=\"card\"><summary>Headers</summary><pre>{}</pre></details></main>",
            escape(&raw_headers(&mail.source))
        ),
    );
    document(subject(caught), &body)
}

/// The header block as it stands in the file.
fn raw_headers(source: &[u8]) -> String {
    let end = source
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or(source.len());
    String::from_utf8_lossy(&source[..end]).into_owned()
}

fn push(body: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = body.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caught(subject: &str, to: &str) -> Caught {
        Caught {
            id: "20260301-a".into(),
            from: "Aya <aya@shop.example>".into(),
            to: to.into(),
            subject: subject.into(),
            date: None,
        }
    }

    #[test]
    fn what_strangers_wrote_stays_text() {
        let nasty = "\"><script>alert(1)</script>";
        let wanted = Wanted {
            q: String::new(),
            page: 0,
        };
        let list = list_page(&[caught(nasty, nasty)], &wanted);
        let opened = Opened {
            caught: caught(nasty, nasty),
            text: Some(nasty.into()),
            html: Some(nasty.into()),
            source: format!("Subject: {nasty}\r\n\r\nbody").into_bytes(),
        };
        let search = list_page(
            &[],
            &Wanted {
                q: nasty.into(),
                page: 7,
            },
        );
        for page in [list, mail_page(&opened), search] {
            assert!(!page.contains("<script"), "{page}");
            assert!(page.contains("&lt;script&gt;"), "{page}");
        }
    }

    #[test]
    fn links_in_a_frame_open_beside_it() {
        let check = |html: &str, expected: &str| assert_eq!(open_links_beside(html), expected);
        check(
            "<html><HEAD lang=x><title>",
            "<html><HEAD lang=x><base target=\"_blank\"><title>",
        );
        check("<head><p>", "<head><base target=\"_blank\"><p>");
        check("<header>", "<base target=\"_blank\"><header>");
    }

    #[test]
    fn the_list_is_searched_and_paged() {
        let mails: Vec<Caught> = (0..PAGE_SIZE + 1)
            .map(|number| caught(&format!("Mail {number}"), "kim@example.org"))
            .collect();
        let page = |q: &str, page| list_page(&mails, &Wanted { q: q.into(), page });
        assert_eq!(page("", 1).matches("<li>").count(), PAGE_SIZE);
        assert_eq!(page("", 2).matches("<li>").count(), 1);
        assert_eq!(page("", 99).matches("<li>").count(), 1);
        assert_eq!(page("mail 100", 1).matches("<li>").count(), 1);
        assert_eq!(page("KIM@", 1).matches("<li>").count(), PAGE_SIZE);
        assert!(page("nobody", 1).contains("No mail matches"));
    }
}
