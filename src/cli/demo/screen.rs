//! The demo's words on the terminal: plain lines of at most eighty columns, with colour
//! where there is one.

use crate::model::time::{TimeZone, Timestamp};
use owo_colors::OwoColorize;
use std::io::{self, Write};

/// Columns that a line may take.
pub const COLUMNS: usize = 80;
/// Columns of the date before every line.
const DATE: usize = 18;
/// Columns of a customer's name.
const NAME: usize = 16;

/// Something that came in.
pub fn event(at: Timestamp, zone: &str, who: &str, what: &str) -> io::Result<()> {
    let text = clip(&format!("{}{what}", pad(who, NAME)), COLUMNS - DATE - 2);
    line(&format!(
        "{}{} {}",
        date(at, zone).dimmed(),
        ">".dimmed(),
        text.dimmed()
    ))
}

/// A mail that went out.
pub fn mail(
    at: Timestamp,
    zone: &str,
    who: &str,
    subject: &str,
    name: &str,
    why: &str,
) -> io::Result<()> {
    let subject = clip(subject, COLUMNS - DATE - 2 - NAME);
    let who = pad(who, NAME);
    line(&format!(
        "{}{} {}{}",
        date(at, zone),
        "@".green().bold(),
        who.bold(),
        subject.green()
    ))?;
    under(name, why)
}

/// A mail that did not go.
pub fn no_mail(
    at: Timestamp,
    zone: &str,
    who: &str,
    state: &str,
    because: &str,
    name: &str,
) -> io::Result<()> {
    let who = pad(who, NAME);
    let said = clip(&format!("{state}: {because}"), COLUMNS - DATE - 2 - NAME);
    line(&format!(
        "{}{} {}{}",
        date(at, zone),
        "x".yellow().bold(),
        who,
        said.yellow()
    ))?;
    under(name, "")
}

/// What happens to the service itself.
pub fn service(what: &str) -> io::Result<()> {
    line(&format!(
        "{}{} {}",
        " ".repeat(DATE),
        "!".red().bold(),
        what.red().bold()
    ))
}

/// A heading.
pub fn heading(text: &str) -> io::Result<()> {
    line("")?;
    line(&format!("{}", text.bold()))?;
    line("")
}

/// One line of the summary: what, then the words, broken where they are too long.
pub fn total(what: &str, words: &str) -> io::Result<()> {
    let mut first = true;
    for part in wrap(words, COLUMNS - DATE) {
        let label = pad(if first { what } else { "" }, DATE);
        line(&format!("{}{part}", label.bold()))?;
        first = false;
    }
    Ok(())
}

/// A line as it is.
pub fn line(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

fn under(name: &str, why: &str) -> io::Result<()> {
    let text = if why.is_empty() {
        name.to_owned()
    } else {
        format!("{name}: {why}")
    };
    let indent = DATE + 2;
    line(&format!(
        "{}{}",
        " ".repeat(indent),
        clip(&text, COLUMNS - indent).dimmed()
    ))
}

/// `Mon  2 Mar 18:20  ` on the clock of the one concerned.
fn date(at: Timestamp, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    pad(
        &at.to_zoned(zone).strftime("%a %e %b %H:%M").to_string(),
        DATE,
    )
}

/// Columns that a character takes: the wide ones of East Asia take two.
fn columns(c: char) -> usize {
    match c as u32 {
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        0x300..=0x36f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        _ => 1,
    }
}

fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

fn clip(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut clipped = String::new();
    let mut used = 0;
    for c in text.chars() {
        if used + columns(c) >= room {
            break;
        }
        used += columns(c);
        clipped.push(c);
    }
    clipped.push('…');
    clipped
}

fn pad(text: &str, room: usize) -> String {
    let text = clip(text, room - 1);
    let missing = room.saturating_sub(width(&text));
    format!("{text}{}", " ".repeat(missing))
}

fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(last) = lines.last_mut() else { break };
        if last.is_empty() {
            last.push_str(word);
        } else if width(last) + 1 + width(word) <= room {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_in_eighty_columns_in_every_script() {
        assert_eq!(clip("short", 10), "short");
        assert_eq!(clip("a long subject", 8), "a long …");
        assert_eq!(clip("ご注文ありがとう", 8), "ご注文…");
        assert_eq!(width(&pad("田中 結衣", 16)), 16);
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        let at: Timestamp = "2026-03-02T17:20:00Z".parse().unwrap_or_default();
        assert_eq!(date(at, "Europe/Berlin"), "Mon  2 Mar 18:20  ");
    }
}
