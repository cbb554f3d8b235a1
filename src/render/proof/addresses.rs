//! Where links and pictures lead: addresses that work from an inbox, words that say where
//! a link goes, pictures that say what they show.

use super::sheet::{Picture, Seen, Sheet, Sort};
use crate::model::diagnostic::Diagnostic;
use crate::model::names::{IN_MAILS, SHARED};
use std::ops::Range;

/// What may begin the address of a link.
const SCHEMES: [&str; 3] = ["https", "mailto", "tel"];

/// Words that say nothing about where a link leads, in lower case.
const VAGUE: [&str; 40] = [
    "click here",
    "here",
    "click",
    "click this link",
    "this link",
    "link",
    "this page",
    "hier",
    "hier klicken",
    "klicken sie hier",
    "klick hier",
    "klicke hier",
    "dieser link",
    "diesen link",
    "zum link",
    "ici",
    "cliquez ici",
    "cliquer ici",
    "clique ici",
    "ce lien",
    "lien",
    "こちら",
    "ここ",
    "こちらをクリック",
    "ここをクリック",
    "クリック",
    "リンク",
    "このリンク",
    "aquí",
    "haz clic aquí",
    "haga clic aquí",
    "este enlace",
    "qui",
    "clicca qui",
    "aqui",
    "clique aqui",
    "klik hier",
    "kliknij tutaj",
    "klicka här",
    "点击这里",
];

/// Hosts that exist nowhere but on the author's machine or in examples (RFC 2606, 6761).
const NOWHERE: [&str; 8] = [
    "localhost",
    "example.com",
    "example.net",
    "example.org",
    "example",
    "test",
    "invalid",
    "local",
];

/// The host of an address.
pub fn host(address: &str) -> Option<&str> {
    let rest = address.split_once("//")?.1;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].rsplit('@').next()?;
    let host = if host.starts_with('[') {
        host.split(']').next()?.trim_start_matches('[')
    } else {
        host.split(':').next()?
    };
    (!host.is_empty()).then_some(host)
}

/// Whether nobody but the author can reach a host.
pub fn is_nowhere(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let private = ["127.", "10.", "192.168.", "0."]
        .iter()
        .any(|net| host.starts_with(net) && host.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    private
        || host == "::1"
        || NOWHERE.iter().any(|name| {
            host == *name
                || host
                    .strip_suffix(name)
                    .is_some_and(|rest| rest.ends_with('.'))
        })
}

/// Every link of a file.
pub fn links(sheet: &Sheet<'_>, seen: &Seen, demo: bool, problems: &mut Vec<Diagnostic>) {
    for link in &seen.links {
        let place = if link.href.is_empty() {
            link.place.clone()
        } else {
            link.href.clone()
        };
        if let Some(problem) = address(sheet, &link.href, &place) {
            problems.push(problem);
        } else {
            host_of(sheet, &link.href, demo, problems);
        }
        let words = link.words.trim();
        if words.is_empty() {
            problems.push(
                Diagnostic::new(
                    "E231",
                    sheet.path,
                    link.place.clone(),
                    "this link has no words",
                )
                .help("nobody can see it or hear it read out")
                .help("write what readers find there: [Your order](…)"),
            );
        } else if VAGUE.contains(&bare(words).as_str()) {
            problems.push(
                Diagnostic::new(
                    "W232",
                    sheet.path,
                    link.place.clone(),
                    format!("\"{}\" does not say where this link leads", words),
                )
                .help("people who listen to mails hear the links alone, and spam filters know these words")
                .help("write what is there: \"Read the first-week guide\""),
            );
        }
    }
}

/// Words in lower case without marks at their ends.
fn bare(words: &str) -> String {
    words
        .trim_matches(|c: char| !c.is_alphanumeric())
        .to_lowercase()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// What is wrong with the address of a link.
fn address(sheet: &Sheet<'_>, href: &Range<usize>, place: &Range<usize>) -> Option<Diagnostic> {
    let wrong = |message: String| {
        Diagnostic::new("E230", sheet.path, place.clone(), message)
            .help("a mail is read outside the shop: only whole addresses lead somewhere")
    };
    let text = sheet.at(href);
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Some(wrong("this link leads nowhere".into()).help("write href=\"https://…\""));
    }
    let mut holes = sheet.masked.holes_in(href);
    let first = holes.next().cloned();
    if let Some(hole) = &first
        && hole.start == href.start
    {
        let tag = sheet.at(hole);
        return (hole.end == href.end)
            .then(|| no_address(tag))
            .flatten()
            .map(|name| {
                wrong(format!("`{name}` is no address"))
                    .help("fields that hold addresses end in _url; {{links.…}} and {{shop.url}} are addresses, too")
            });
    }
    let literal = first.map_or(text, |hole| sheet.at(&(href.start..hole.start)));
    let scheme = literal
        .split_once(':')
        .map(|(scheme, _)| scheme)
        .filter(|scheme| {
            !scheme.contains(['/', '?', '#', '@']) && !scheme.contains(char::is_whitespace)
        });
    match scheme.map(str::to_ascii_lowercase).as_deref() {
        Some("http") => None,
        Some(scheme) if SCHEMES.contains(&scheme) => {
            let rest = literal[scheme.len() + 1..].trim_start_matches('/');
            let whole = literal.len() == text.len();
            if whole && rest.is_empty() {
                Some(wrong(format!("\"{trimmed}\" is no whole address")))
            } else if scheme == "https" && !literal[scheme.len() + 1..].starts_with("//") {
                Some(
                    wrong(format!("\"{trimmed}\" is no whole address"))
                        .help(format!("write https://{rest}")),
                )
            } else if whole && text.contains(char::is_whitespace) {
                Some(wrong("an address holds no spaces".into()).help("write %20 for a space"))
            } else {
                None
            }
        }
        Some(scheme) => Some(
            wrong(format!("links in mails cannot begin with \"{scheme}:\"")).help(
                match crate::model::nearest::nearest(scheme, SCHEMES) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "they begin with https:, mailto: or tel:".into(),
                },
            ),
        ),
        None if literal.contains('@') && !literal.contains('/') => Some(
            wrong(format!("\"{trimmed}\" is no whole address"))
                .help(format!("write mailto:{trimmed}")),
        ),
        None if literal.starts_with('#') => Some(
            wrong(format!("\"{trimmed}\" leads nowhere"))
                .help("jumps inside a mail do not work in most mail programs"),
        ),
        None if literal.starts_with("//") => Some(
            wrong(format!("\"{trimmed}\" is no whole address"))
                .help(format!("write https:{trimmed}")),
        ),
        None if literal.starts_with('/') => Some(
            wrong(format!("\"{trimmed}\" is no whole address"))
                .help(format!("write {{{{shop.url}}}}{trimmed}")),
        ),
        None => Some(
            wrong(format!("\"{trimmed}\" is no whole address"))
                .help(format!("write https://{trimmed}")),
        ),
    }
}

/// The name in a tag, if it is one of the shop's fields that holds no address.
fn no_address(tag: &str) -> Option<&str> {
    let name = tag.trim_matches(['{', '}', '~']).trim();
    let is_path = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
    let (top, last) = (name.split('.').next()?, name.rsplit('.').next()?);
    let ours = name.contains('.')
        && IN_MAILS.iter().chain(SHARED).any(|field| field.name == top)
        && top != "links";
    (is_path && ours && !last.contains("url")).then_some(name)
}

/// Warns of addresses that are not safe or not there.
fn host_of(sheet: &Sheet<'_>, href: &Range<usize>, demo: bool, problems: &mut Vec<Diagnostic>) {
    let end = sheet
        .masked
        .holes_in(href)
        .next()
        .map_or(href.end, |hole| hole.start);
    let literal = sheet.at(&(href.start..end));
    let Some(host) = host(literal) else {
        return;
    };
    if is_nowhere(host) {
        if !demo {
            problems.push(
                Diagnostic::new(
                    "W231",
                    sheet.path,
                    href.clone(),
                    format!("nobody but you can reach \"{host}\""),
                )
                .help("customers would see an error page")
                .help("write the shop's own address, or {{shop.url}}"),
            );
        }
    } else if literal
        .get(..7)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"))
    {
        problems.push(
            Diagnostic::new(
                "W230",
                sheet.path,
                href.clone(),
                "this link is not encrypted",
            )
            .help("browsers warn readers before they open it, and spam filters count it")
            .help(format!("write https://{}", &literal[7..])),
        );
    }
}

/// Every picture of a file.
pub fn pictures(sheet: &Sheet<'_>, seen: &Seen, problems: &mut Vec<Diagnostic>) {
    for picture in &seen.pictures {
        if !picture.alt {
            let how = match sheet.sort {
                Sort::Markdown if sheet.at(&picture.place).starts_with('!') => {
                    "write ![what it shows](https://…)"
                }
                _ => "write alt=\"what it shows\", or alt=\"\" if it is decoration only",
            };
            problems.push(
                Diagnostic::new(
                    "E232",
                    sheet.path,
                    picture.place.clone(),
                    "this picture has no words that stand in for it",
                )
                .help(
                    "many mail programs show no pictures at first, and some readers never see them",
                )
                .help(how),
            );
        }
        if let Some((message, help)) = source(sheet, picture) {
            let place = if picture.src.is_empty() {
                &picture.place
            } else {
                &picture.src
            };
            problems.push(
                Diagnostic::new("E233", sheet.path, place.clone(), message)
                    .help("mail programs would show an empty frame")
                    .help(help),
            );
        }
        if !picture.wide {
            problems.push(
                Diagnostic::new(
                    "W233",
                    sheet.path,
                    picture.place.clone(),
                    "this picture does not say how wide it is",
                )
                .help("Outlook shows it in its full size and tears the page apart")
                .help("write width=\"…\", in pixels without a unit"),
            );
        }
    }
}

/// What is wrong with a picture's address.
fn source(sheet: &Sheet<'_>, picture: &Picture) -> Option<(String, String)> {
    let text = sheet.at(&picture.src);
    if text.trim().is_empty() {
        return Some((
            "this picture has no address".into(),
            "write src=\"https://…\"".into(),
        ));
    }
    if let Some(hole) = sheet.masked.holes_in(&picture.src).next()
        && hole.start == picture.src.start
    {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let file = lower.split(['?', '#']).next().unwrap_or_default();
    if lower.starts_with("data:") {
        Some((
            "pictures cannot be written into a mail".into(),
            "put the picture on a server and write its https:// address; Gmail and Outlook show no data: pictures".into(),
        ))
    } else if lower.starts_with("cid:") {
        Some((
            "pictures cannot be attached to a mail".into(),
            "put the picture on a server and write its https:// address".into(),
        ))
    } else if !lower.starts_with("https://") {
        let rest = lower
            .strip_prefix("http://")
            .or_else(|| lower.strip_prefix("//"))
            .map_or_else(
                || "write its whole address: https://…".to_owned(),
                |_| {
                    format!(
                        "write https://{}",
                        text.split_once("//").map_or("", |(_, rest)| rest)
                    )
                },
            );
        Some((format!("\"{text}\" is no https:// address"), rest))
    } else if file.ends_with(".svg") || file.ends_with(".svgz") {
        Some((
            "most mail programs show no SVG".into(),
            "save it as PNG, twice as large as it is shown".into(),
        ))
    } else if file.ends_with(".webp") || file.ends_with(".avif") {
        Some((
            format!(
                "Outlook shows no .{} pictures",
                file.rsplit('.').next().unwrap_or_default()
            ),
            "save it as JPEG or PNG".into(),
        ))
    } else {
        None
    }
}
