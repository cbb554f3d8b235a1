//! The plain text part once its values are in: wrapped, without stray blank lines. And
//! plain text of HTML mails that have no text of their own.

use super::tags::{Piece, TOKEN, Tags, pieces, token};
use crate::model::locale;

/// Widest line, in columns, where a line can be broken at all.
pub const WIDTH: usize = 78;

/// Wraps long lines at spaces, keeps the indents of lists and quotes, folds runs of
/// blank lines into one and drops white space at the ends.
pub fn settle(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 32 + 1);
    let mut blank = true;
    for line in text.lines() {
        let line = if line == "-- " { line } else { line.trim_end() };
        let body = line.trim_start_matches(['>', ' ']);
        if body.is_empty() {
            if !blank {
                out.push('\n');
                blank = true;
            }
            continue;
        }
        blank = false;
        wrap(line, body, &mut out);
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn wrap(line: &str, body: &str, out: &mut String) {
    if line.len() <= WIDTH || columns(line) <= WIDTH || line.starts_with("    ") {
        out.push_str(line);
        out.push('\n');
        return;
    }
    let lead = &line[..line.len() - body.len()];
    let digits = body.bytes().take_while(u8::is_ascii_digit).count();
    let hang = if body.starts_with("- ") {
        2
    } else if digits > 0 && body[digits..].starts_with(". ") {
        digits + 2
    } else {
        0
    };
    let indent = columns(lead) + hang;
    let mut column = columns(lead);
    out.push_str(lead);
    for word in body.split(' ').filter(|word| !word.is_empty()) {
        for (at, chunk) in chunks(word).into_iter().enumerate() {
            let spaced = at == 0 && column > columns(lead);
            let width = columns(chunk);
            if column + usize::from(spaced) + width > WIDTH && column > indent {
                out.push('\n');
                out.push_str(lead);
                out.push_str(&"        "[..hang.min(8)]);
                column = indent;
            } else if spaced {
                out.push(' ');
                column += 1;
            }
            out.push_str(chunk);
            column += width;
        }
    }
    out.push('\n');
}

/// Cuts a word where East Asian text may be broken: between two of its letters, but not
/// before a closing mark or a small letter, nor after an opening one.
fn chunks(word: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut from = 0;
    let mut before: Option<char> = None;
    for (at, c) in word.char_indices() {
        let breaks = before.is_some_and(|before| {
            (is_wide(before) || is_wide(c))
                && !"、。，．・：；？！」』）］｝】〉》〕ーぁぃぅぇぉっゃゅょァィゥェォッャュョ々%),.:;?!]}…".contains(c)
                && !"「『（［｛【〈《〔([{".contains(before)
        });
        if breaks {
            found.push(&word[from..at]);
            from = at;
        }
        before = Some(c);
    }
    found.push(&word[from..]);
    found
}

/// Columns of a text in a fixed-width font: East Asian letters take two.
pub fn columns(text: &str) -> usize {
    text.chars()
        .map(|c| match c {
            // Marks of direction take no room.
            '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2068}' | '\u{2069}' => 0,
            c if is_wide(c) => 2,
            _ => 1,
        })
        .sum()
}

fn is_wide(c: char) -> bool {
    matches!(
        c,
        '\u{1100}'..='\u{115f}'
            | '\u{2e80}'..='\u{a4cf}'
            | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}'
            | '\u{fe30}'..='\u{fe6f}'
            | '\u{ff00}'..='\u{ff60}'
            | '\u{ffe0}'..='\u{ffe6}'
            | '\u{1f300}'..='\u{1faff}'
    )
}

/// Text of a rendered HTML page, links as footnotes.
pub fn of_html(html: &str) -> Option<String> {
    html2text::config::plain_no_decorate()
        .raw_mode(true)
        .link_footnotes(true)
        .allow_width_overflow()
        .string_from_read(html.as_bytes(), WIDTH)
        .ok()
        .map(|text| settle(&text))
}

/// Plain text of what a layout prints after the mail: one line for each part, a link's
/// address behind its words. Tokens stay where they are.
pub fn footer(html: &str, tags: &Tags, locale: &str) -> String {
    let mut out = String::new();
    let mut link: Option<(String, usize)> = None;
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        push_words(&mut out, &rest[..at]);
        rest = &rest[at..];
        if rest.starts_with("<!--") {
            let end = rest.find("-->").map_or(rest.len(), |end| end + 3);
            let inside = rest.get(4..end.saturating_sub(3)).unwrap_or_default();
            if inside.starts_with(TOKEN) {
                out.push_str(inside);
            }
            rest = &rest[end..];
            continue;
        }
        let end = rest.find('>').map_or(rest.len(), |end| end + 1);
        let tag = &rest[..end];
        rest = &rest[end..];
        let name: String = tag
            .trim_start_matches(['<', '/'])
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        match name.as_str() {
            "style" | "script" if !tag.starts_with("</") => {
                let close = format!("</{name}");
                rest = rest.find(&close).map_or("", |at| &rest[at..]);
            }
            "a" if !tag.starts_with("</") => {
                let address = tag
                    .split_once("href=\"")
                    .and_then(|(_, after)| after.split_once('"'))
                    .map(|(address, _)| address.to_owned());
                link = address.map(|address| (address, out.len()));
            }
            "a" => {
                if let Some((address, from)) = link.take() {
                    let shown = out.get(from..).unwrap_or_default().trim().to_owned();
                    let bare = address.strip_prefix("mailto:").unwrap_or(&address);
                    if !same_words(&shown, bare, tags) {
                        out.push_str(colon(locale));
                        out.push_str(bare);
                    }
                    out.push('\n');
                }
            }
            "br" | "div" | "p" | "tr" | "td" | "table" | "li" | "h1" | "h2" | "h3"
                if !out.ends_with('\n') && !out.is_empty() =>
            {
                out.push('\n');
            }
            _ => {}
        }
    }
    push_words(&mut out, rest);
    out.lines()
        .map(|line| line.trim_matches(['·', '|', '•', '/', ' ', '\u{a0}']))
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

/// What stands between a link's words and its address. French sets a narrow no-break
/// space before the colon; Chinese and Japanese write it full width, without a space.
pub fn colon(locale: &str) -> &'static str {
    match locale::language(locale).as_str() {
        "fr" => "\u{202f}: ",
        "ja" | "zh" => "：",
        _ => ": ",
    }
}

/// Whether a link's words are its address.
fn same_words(shown: &str, address: &str, tags: &Tags) -> bool {
    let bare = |text: &str| -> Vec<String> {
        pieces(text)
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.to_owned(),
                Piece::Tag(number) => tags
                    .get(number)
                    .filter(|tag| tag.call.params.is_empty())
                    .map_or_else(|| token(number), |tag| tag.name.clone()),
            })
            .collect()
    };
    bare(shown) == bare(address)
}

fn push_words(out: &mut String, html: &str) {
    let mut rest = html;
    let mut put = |c: char| {
        if c.is_whitespace() {
            if !out.is_empty() && !out.ends_with([' ', '\n']) {
                out.push(' ');
            }
        } else {
            out.push(c);
        }
    };
    while let Some(c) = rest.chars().next() {
        if c == '&'
            && let Some((entity, after)) = rest[1..]
                .split_once(';')
                .filter(|(entity, _)| entity.len() < 9)
            && let Some(meant) = entity_char(entity)
        {
            put(meant);
            rest = after;
        } else {
            put(c);
            rest = &rest[c.len_utf8()..];
        }
    }
}

fn entity_char(entity: &str) -> Option<char> {
    Some(match entity {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "nbsp" => ' ',
        "middot" => '·',
        "copy" => '©',
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_and_keeps_indents() {
        let long = "word ".repeat(30);
        let text = settle(&format!(
            "\n\n{long}\n\n\n\n- {long}\n> {long}\n12. {long}\n\n"
        ));
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.starts_with("word word"));
        assert!(text.contains("\n\n- word"));
        assert!(text.contains("\n  word"));
        assert!(text.contains("\n> word"));
        assert!(text.contains("\n    word"));
        assert!(!text.contains("\n\n\n") && text.ends_with("word\n"));
        let url = format!("see https://x.example/{}", "a".repeat(90));
        assert_eq!(settle(&url), format!("{}\n", url.replace(' ', "\n")));
    }
}
