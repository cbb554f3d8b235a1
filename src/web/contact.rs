//! The contact sheet as a page: mails beside what is to be known of them. It runs no
//! script and fetches nothing but its frames, so it opens from a folder as well as from
//! `/preview`; what is shown is chosen by ticks that the style sheet alone reads.

use super::reply::escape;
use crate::engine::sheet::{CLIP, Card, Outcome, links_of};
use crate::model::diagnostic::{Diagnostic, Severity, position};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Where the frames of a sheet come from.
pub trait Frames {
    /// The address of a mail's HTML part, for light or for dark colours.
    fn html(&self, card: &Card, dark: bool) -> String;
    /// The address of the whole mail, if it is kept.
    fn eml(&self, card: &Card) -> Option<String>;
}

/// What a sheet shows.
#[derive(Debug)]
pub struct Sheet<'s> {
    pub shop: &'s str,
    pub cards: &'s [Card],
    pub problems: &'s [Diagnostic],
    /// The texts that the problems are about.
    pub files: &'s [(String, String)],
    /// Whether the files on disk hold errors, so that the mails are those of the set before.
    pub stale: bool,
    /// Written into the page's head, as it is.
    pub head: &'s str,
    /// Written below the title, as it is.
    pub above: &'s str,
}

const STYLE: &str = "\
:root{color-scheme:light dark;--page:#f4f1eb;--card:#fff;--text:#24302c;--soft:#5d6964;--line:#e4dfd5;--accent:#1f5244;--bad:#a3261b;--badbg:#fdeceb;--warn:#8a5a00}\
@media(prefers-color-scheme:dark){:root{--page:#0f1513;--card:#19211e;--text:#e3e8e4;--soft:#9aa7a1;--line:#2f3b36;--accent:#8fd0b4;--bad:#ff9d92;--badbg:#3a1d1a;--warn:#f0c36a}}\
*{box-sizing:border-box}\
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,-apple-system,'Segoe UI',Helvetica,Arial,'Hiragino Sans','Noto Sans CJK JP',sans-serif}\
header,main{max-width:1500px;margin:0 auto;padding:0 20px}header{padding-top:26px}\
h1{margin:0;font-size:24px;line-height:1.3}h2{margin:34px 0 10px;font-size:19px;overflow-wrap:anywhere}h2 small{font-weight:400;color:var(--soft);font-size:14px;margin-inline-start:10px}\
.soft{color:var(--soft)}p{margin:4px 0 10px}a{color:var(--accent)}\
.bar{position:sticky;top:0;z-index:2;display:flex;flex-wrap:wrap;gap:6px 18px;padding:10px 0;margin-top:8px;background:var(--page);border-bottom:1px solid var(--line)}\
.bar fieldset{display:flex;flex-wrap:wrap;gap:4px 12px;margin:0;padding:0;border:0}.bar legend{float:left;margin-inline-end:8px;color:var(--soft)}\
label{cursor:pointer}:focus-visible{outline:3px solid var(--accent);outline-offset:2px}\
.card{display:grid;grid-template-columns:minmax(220px,300px) 1fr;gap:18px;margin:0 0 16px;padding:16px;border:1px solid var(--line);border-radius:12px;background:var(--card)}\
.card h3{margin:0 0 8px;font-size:15px}.tag{display:inline-block;padding:1px 9px;border:1px solid var(--line);border-radius:20px;font-size:13px;font-weight:400;margin-inline-end:6px}\
dl{margin:0;font-size:14px}dt{color:var(--soft);font-size:12px;margin-top:8px}dd{margin:0;overflow-wrap:anywhere}\
meter{width:100%;height:10px}.bad{color:var(--bad)}.warn{color:var(--warn)}\
.frames{display:flex;flex-wrap:wrap;gap:16px;min-width:0}figure{margin:0}figcaption{color:var(--soft);font-size:12px;margin-bottom:4px}\
.view{overflow:hidden;border:1px solid var(--line);border-radius:8px;background:#fff}\
.narrow{width:263px;height:504px}.wide{width:560px;max-width:100%;height:504px}\
iframe{border:0;transform:scale(.7);transform-origin:0 0;display:block}.narrow iframe{width:375px;height:720px}.wide iframe{width:800px;height:720px}\
iframe.dark{display:none}body:has(#dark:checked) iframe.dark{display:block}body:has(#dark:checked) iframe.light{display:none}\
details{margin-top:10px;font-size:14px}summary{cursor:pointer;color:var(--accent)}\
pre{margin:8px 0 0;white-space:pre-wrap;overflow-wrap:anywhere;font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,'Noto Sans Mono CJK JP',monospace}\
ul{margin:6px 0;padding-inline-start:18px}li{overflow-wrap:anywhere}\
.note{padding:12px 16px;border-radius:10px;background:var(--badbg);color:var(--bad)}.none{grid-template-columns:1fr}\
.problems{list-style:none;padding:0}.problems>li{margin:0 0 10px;padding:12px 16px;border:1px solid var(--line);border-inline-start:4px solid var(--warn);border-radius:8px;background:var(--card)}.problems>li.error{border-inline-start-color:var(--bad)}\
mark{background:var(--badbg);color:var(--bad);font-weight:600;text-decoration:underline wavy}\
@media(max-width:900px){.card{grid-template-columns:1fr}}";

/// The whole page.
pub fn page(sheet: &Sheet<'_>, frames: &dyn Frames) -> String {
    let mails: BTreeSet<&str> = sheet.cards.iter().map(|card| card.mail.as_str()).collect();
    let locales: Vec<&str> = distinct(sheet.cards.iter().map(|card| card.locale.as_str()));
    let casts: Vec<&str> = distinct(sheet.cards.iter().map(|card| card.cast.as_str()));
    let held = sheet
        .cards
        .iter()
        .filter(|card| matches!(card.outcome, Outcome::Held(_)))
        .count();
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex, nofollow\"><title>Mails of {shop}</title>{head}<style>{STYLE}{hiding}</style></head>\
         <body><header><h1>Mails of {shop}</h1><p class=\"soft\">{mails}, {locales}, {cards}{held}</p>{above}</header><main>",
        shop = escape(sheet.shop),
        head = sheet.head,
        hiding = hiding(&locales, &casts),
        mails = counted(mails.len(), "mail"),
        locales = counted(locales.len(), "language"),
        cards = counted(sheet.cards.len(), "card"),
        held = if held == 0 {
            String::new()
        } else {
            format!(" · <strong class=\"bad\">{held} would be held</strong>")
        },
        above = sheet.above,
    );
    problems(sheet, &mut out);
    push(
        &mut out,
        format_args!(
            "<div class=\"bar\"><fieldset><legend>Colours</legend>\
             <label><input type=\"radio\" name=\"colours\" id=\"light\" checked> light</label>\
             <label><input type=\"radio\" name=\"colours\" id=\"dark\"> dark</label></fieldset>{}{}</div>",
            ticks("Languages", "locale", &locales),
            ticks("Samples", "sample", &casts),
        ),
    );
    for mail in mails {
        let steps = sheet
            .cards
            .iter()
            .find(|card| card.mail == mail)
            .map(|card| card.steps.join(", "))
            .unwrap_or_default();
        push(
            &mut out,
            format_args!(
                "<section id=\"{id}\"><h2>{id}<small>{}</small></h2>",
                if steps.is_empty() {
                    "no step sends it".to_owned()
                } else {
                    format!("sent by {}", escape(&steps))
                },
                id = escape(mail),
            ),
        );
        for one in sheet.cards.iter().filter(|card| card.mail == mail) {
            card(one, sheet, frames, &mut out);
        }
        out.push_str("</section>");
    }
    out.push_str("</main></body></html>\n");
    out
}

fn distinct<'a>(all: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for one in all {
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

/// A name as a part of an id: what is no letter or digit becomes a line.
fn ident(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect()
}

fn hiding(locales: &[&str], casts: &[&str]) -> String {
    let mut out = String::new();
    for (kind, all) in [("locale", locales), ("sample", casts)] {
        for one in all {
            push(
                &mut out,
                format_args!(
                    "body:has(#{kind}-{id}:not(:checked)) .{kind}-{id}{{display:none}}",
                    id = ident(one)
                ),
            );
        }
    }
    out
}

fn ticks(title: &str, kind: &str, all: &[&str]) -> String {
    if all.len() < 2 {
        return String::new();
    }
    let mut out = format!("<fieldset><legend>{title}</legend>");
    for one in all {
        push(
            &mut out,
            format_args!(
                "<label><input type=\"checkbox\" id=\"{kind}-{}\" checked> {}</label>",
                ident(one),
                escape(one)
            ),
        );
    }
    out.push_str("</fieldset>");
    out
}

fn problems(sheet: &Sheet<'_>, out: &mut String) {
    if sheet.stale {
        out.push_str("<p class=\"note\" role=\"alert\"><strong>The files hold errors.</strong> What you see, and what is sent, is the last good set.</p>");
    }
    let of = |severity| {
        sheet
            .problems
            .iter()
            .filter(move |one| one.severity() == severity)
    };
    listed(sheet, of(Severity::Error), out);
    let warnings = of(Severity::Warning).count();
    if warnings > 0 {
        push(
            out,
            format_args!(
                "<details><summary>{}</summary>",
                counted(warnings, "warning")
            ),
        );
        listed(sheet, of(Severity::Warning), out);
        out.push_str("</details>");
    }
}

fn listed<'d>(sheet: &Sheet<'_>, problems: impl Iterator<Item = &'d Diagnostic>, out: &mut String) {
    out.push_str("<ul class=\"problems\">");
    for problem in problems {
        let text = sheet
            .files
            .iter()
            .find(|(path, _)| *path == problem.file)
            .map(|(_, text)| text.as_str());
        let mut place = problem.file.clone();
        let mut quoted = String::new();
        if let Some(text) = text.filter(|_| problem.span != (0..0)) {
            let (line, column) = position(text, problem.span.start);
            place.push_str(&format!(":{line}:{column}"));
            quoted = quote(text, &problem.span);
        }
        let error = problem.severity() == Severity::Error;
        push(
            out,
            format_args!(
                "<li class=\"{kind}\"><strong class=\"{colour}\">{kind} {}</strong> <span class=\"soft\">{}</span><br>{}{quoted}",
                problem.code,
                escape(&place),
                escape(&problem.message),
                kind = if error { "error" } else { "warning" },
                colour = if error { "bad" } else { "warn" },
            ),
        );
        for help in &problem.help {
            push(
                out,
                format_args!("<br><span class=\"soft\">{}</span>", escape(help)),
            );
        }
        out.push_str("</li>");
    }
    out.push_str("</ul>");
}

/// The line that a problem is about, with its words marked.
fn quote(text: &str, span: &std::ops::Range<usize>) -> String {
    let (Some(before), Some(_)) = (text.get(..span.start), text.get(span.end..)) else {
        return String::new();
    };
    let from = before.rfind('\n').map_or(0, |at| at + 1);
    let to = text[span.start..]
        .find('\n')
        .map_or(text.len(), |at| span.start + at);
    let end = span.end.min(to).max(span.start);
    format!(
        "<pre dir=\"ltr\">{}<mark>{}</mark>{}</pre>",
        escape(&text[from..span.start]),
        escape(&text[span.start..end]),
        escape(&text[end..to])
    )
}

fn card(card: &Card, sheet: &Sheet<'_>, frames: &dyn Frames, out: &mut String) {
    let classes = format!(
        "locale-{} sample-{}",
        ident(&card.locale),
        ident(card.cast.as_str())
    );
    let title = format!(
        "<h3><span class=\"tag\">{}</span><span class=\"tag\">{}</span></h3>",
        escape(&card.locale),
        card.cast.as_str()
    );
    let made = match &card.outcome {
        Outcome::Made(made) => made,
        Outcome::Held(why) => {
            push(
                out,
                format_args!(
                    "<article class=\"card none {classes}\"><div>{title}<p class=\"note\"><strong>Held:</strong> {}</p></div></article>",
                    escape(why)
                ),
            );
            return;
        }
        Outcome::NotForThem(why) => {
            push(
                out,
                format_args!(
                    "<article class=\"card none {classes}\"><div>{title}<p class=\"soft\">{}</p></div></article>",
                    escape(why)
                ),
            );
            return;
        }
    };
    push(
        out,
        format_args!("<article class=\"card {classes}\"><div>{title}<dl>"),
    );
    for (name, value) in [
        ("Subject", &made.subject),
        ("Preheader", &made.preheader),
        ("To", &made.to),
    ] {
        push(
            out,
            format_args!("<dt>{name}</dt><dd><bdi>{}</bdi></dd>", escape(value)),
        );
    }
    let html = made.html.len();
    let over = html > CLIP;
    push(
        out,
        format_args!(
            "<dt>Size</dt><dd{}>{} of HTML{}, {} in all<br><meter min=\"0\" max=\"{CLIP}\" high=\"{}\" optimum=\"0\" value=\"{}\"></meter></dd>",
            if over { " class=\"bad\"" } else { "" },
            kilobytes(html),
            if over {
                ": Gmail cuts it off at 102 kB".to_owned()
            } else {
                format!(
                    " ({} % of the 102 kB at which Gmail cuts)",
                    html * 100 / CLIP
                )
            },
            kilobytes(made.composed.eml().len()),
            CLIP * 9 / 10,
            html.min(CLIP),
        ),
    );
    let own = format!("templates/mail/{}.", card.mail);
    let said: Vec<&Diagnostic> = sheet
        .problems
        .iter()
        .filter(|one| {
            one.file
                .strip_prefix(&own)
                .is_some_and(|rest| rest.split('.').next() == Some(&made.prepared.locale))
        })
        .collect();
    if said.is_empty() {
        out.push_str("<dt>Checks</dt><dd>nothing to say</dd>");
    } else {
        out.push_str("<dt>Checks</dt><dd><ul>");
        for one in said {
            push(
                out,
                format_args!(
                    "<li class=\"warn\">{}: {}</li>",
                    one.code,
                    escape(&one.message)
                ),
            );
        }
        out.push_str("</ul></dd>");
    }
    out.push_str("</dl>");
    let links = links_of(&made.html);
    push(
        out,
        format_args!(
            "<details><summary>{}</summary><ul>",
            counted(links.len(), "link")
        ),
    );
    for link in &links {
        push(out, format_args!("<li>{}</li>", escape(link)));
    }
    push(
        out,
        format_args!(
            "</ul></details><details><summary>Text part</summary><pre dir=\"auto\">{}</pre></details>",
            escape(&made.text)
        ),
    );
    if let Some(eml) = frames.eml(card) {
        push(
            out,
            format_args!(
                "<details><summary>The mail itself</summary><p><a href=\"{}\">as .eml</a>, sha256 {}</p></details>",
                escape(&eml),
                escape(&made.prepared.hash)
            ),
        );
    }
    out.push_str("</div><div class=\"frames\">");
    for (kind, width) in [("narrow", 375), ("wide", 800)] {
        push(
            out,
            format_args!("<figure><figcaption>{width} px</figcaption><div class=\"view {kind}\">"),
        );
        for (colours, dark) in [("light", false), ("dark", true)] {
            push(
                out,
                format_args!(
                    "<iframe class=\"{colours}\" loading=\"lazy\" sandbox=\"allow-popups allow-popups-to-escape-sandbox\" referrerpolicy=\"no-referrer\" title=\"{} at {width} px, {colours}\" src=\"{}\"></iframe>",
                    escape(&made.subject),
                    escape(&frames.html(card, dark))
                ),
            );
        }
        out.push_str("</div></figure>");
    }
    out.push_str("</div></article>");
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn kilobytes(bytes: usize) -> String {
    let tenths = bytes * 10 / 1024;
    format!("{}.{} kB", tenths / 10, tenths % 10)
}

fn push(out: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    let _ = out.write_fmt(words);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample::Cast;

    struct Nowhere;
    impl Frames for Nowhere {
        fn html(&self, _: &Card, _: bool) -> String {
            "x.html".into()
        }
        fn eml(&self, _: &Card) -> Option<String> {
            None
        }
    }

    #[test]
    fn what_others_wrote_stays_text() {
        let nasty = "\"><script>alert(1)</script>";
        let cards = [Card {
            mail: format!("a/{nasty}"),
            locale: "en".into(),
            cast: Cast::Plain,
            steps: vec![nasty.into()],
            outcome: Outcome::Held(nasty.into()),
        }];
        let text = format!("one\ntwo {nasty}\nthree");
        let problem = Diagnostic::new("E201", "a.md", 8..12, nasty).help(nasty);
        let html = page(
            &Sheet {
                shop: nasty,
                cards: &cards,
                problems: &[problem],
                files: &[("a.md".into(), text)],
                stale: true,
                head: "",
                above: "",
            },
            &Nowhere,
        );
        assert!(!html.contains("<script"), "{html}");
        assert!(
            html.contains("a.md:2:5") && html.contains("<mark>"),
            "{html}"
        );
        assert!(html.contains("last good set") && html.contains("1 would be held"));
    }
}
