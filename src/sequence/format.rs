//! One form for every TOML file: keys in the order of the reference, `=` in one column
//! within a block, one empty line between tables. Comments stay with what they belong
//! to. What a file means never changes: the result is read again and compared, and where
//! it would mean anything else, the file is left as it is.

use super::keys::{self, Table};
use super::syntax::Sheet;
use super::value;
use crate::model::diagnostic::Diagnostic;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Key, RawString, Value};

/// Longest line that a list is written on, in characters.
const WIDTH: usize = 110;
/// Spaces before a comment at the end of a line.
const GAP: usize = 3;
/// How often a text is laid out again until nothing moves.
const ROUNDS: usize = 3;

/// The file in its canonical form. A file that is no TOML, or no mail with a head, is
/// left as it is.
pub fn format(path: &str, text: &str) -> String {
    if path.starts_with("templates/mail/") {
        return mail(path, text);
    }
    if path.ends_with(".toml") {
        toml(text, keys::of_path(path))
    } else {
        text.to_owned()
    }
}

/// Why a file cannot be formatted: it is no TOML.
pub fn problem(path: &str, text: &str) -> Option<Diagnostic> {
    if !path.ends_with(".toml") {
        return None;
    }
    let sheet = Sheet::new(path, text);
    // Only the mistake is wanted here.
    drop(sheet.parse());
    sheet.found().into_iter().next()
}

/// A mail: its head alone is TOML.
fn mail(path: &str, text: &str) -> String {
    let Some(rest) = text.strip_prefix("+++\n") else {
        return text.to_owned();
    };
    let Some((head, body)) = rest.split_once("\n+++") else {
        return text.to_owned();
    };
    let head = toml(&format!("{head}\n"), keys::of_path(path));
    format!("+++\n{}\n+++{body}", head.trim_end_matches('\n'))
}

fn toml(text: &str, table: Option<&'static Table>) -> String {
    let mut before = text.to_owned();
    for _ in 0..ROUNDS {
        let Some(after) = once(&before, table) else {
            return text.to_owned();
        };
        if after == before {
            return after;
        }
        before = after;
    }
    // It never comes to rest, so it is not ours to move.
    text.to_owned()
}

/// One pass; nothing where the text is no TOML or would change its meaning.
fn once(text: &str, table: Option<&'static Table>) -> Option<String> {
    let document: DocumentMut = text.parse().ok()?;
    let formatted = self::document(&document, table);
    let again: DocumentMut = formatted.parse().ok()?;
    let same = value::json(document.as_item()) == value::json(again.as_item())
        && comments(text) == comments(&formatted);
    same.then_some(formatted)
}

/// The comments of a text, by their words. Signs inside texts count too, so quotes are
/// left out: they may change.
fn comments(text: &str) -> Vec<String> {
    let mut found: Vec<String> = text
        .lines()
        .filter_map(|line| line.split_once('#'))
        .map(|(_, words)| {
            words
                .chars()
                .filter(|c| !c.is_whitespace() && !"\"'\\".contains(*c))
                .collect()
        })
        .collect();
    found.sort();
    found
}

/// A table with its place in the file.
struct Placed<'d> {
    position: i64,
    /// As its header is written.
    header: Vec<String>,
    names: Vec<String>,
    table: &'d toml_edit::Table,
    listed: bool,
}

fn document(document: &DocumentMut, known: Option<&'static Table>) -> String {
    let mut tables = Vec::new();
    gather(document.as_table(), (&[], &[]), false, &mut 0, &mut tables);
    tables.sort_by_key(|one| one.position);
    let mut out = String::new();
    for one in &tables {
        let known = known.and_then(|root| {
            one.names
                .iter()
                .try_fold(root, |table, name| table.inside(name))
        });
        let mut lines = lines(one.table, known);
        if !one.names.is_empty() {
            header(one, &mut out);
        } else if let Some(first) = lines.iter_mut().min_by_key(|line| line.order) {
            // What stands at the top of a file belongs to the file.
            if let Some(end) = first.above.iter().rposition(String::is_empty) {
                let top: Vec<String> = first.above.drain(..=end).collect();
                push_above(&top, &mut out);
            }
        }
        table(lines, &mut out);
    }
    let rest = above(document.trailing());
    if rest.iter().any(|line| !line.is_empty()) {
        let end = rest.iter().rposition(|line| !line.is_empty()).unwrap_or(0);
        push_above(&rest[..=end], &mut out);
    }
    out
}

/// All tables of a file that have a header, and the root.
fn gather<'d>(
    table: &'d toml_edit::Table,
    (header, names): (&[String], &[String]),
    listed: bool,
    last: &mut i64,
    found: &mut Vec<Placed<'d>>,
) {
    if let Some(position) = table.position() {
        *last = position as i64;
    }
    let bare = table.is_implicit() && table.get_values().is_empty();
    if names.is_empty() || (!table.is_dotted() && !bare) {
        found.push(Placed {
            position: if names.is_empty() { i64::MIN } else { *last },
            header: header.to_vec(),
            names: names.to_vec(),
            table,
            listed,
        });
    }
    for (name, item) in table.iter() {
        let shown = table
            .key(name)
            .map_or_else(|| name.to_owned(), |key| key.display_repr().into_owned());
        let header: Vec<String> = header.iter().cloned().chain([shown]).collect();
        let names: Vec<String> = names.iter().cloned().chain([name.to_owned()]).collect();
        match item {
            Item::Table(inner) => gather(inner, (&header, &names), false, last, found),
            Item::ArrayOfTables(tables) => {
                for inner in tables.iter() {
                    gather(inner, (&header, &names), true, last, found);
                }
            }
            Item::Value(_) | Item::None => {}
        }
    }
}

fn header(one: &Placed<'_>, out: &mut String) {
    let mut above = above(one.table.decor().prefix().unwrap_or(&RawString::default()));
    while above.first().is_some_and(String::is_empty) {
        above.remove(0);
    }
    if !out.is_empty() {
        out.push('\n');
    }
    push_above(&above, out);
    let name = one.header.join(".");
    let comment = comment(one.table.decor().suffix());
    let gap = " ".repeat(GAP);
    let line = match (one.listed, comment.is_empty()) {
        (true, true) => format!("[[{name}]]"),
        (true, false) => format!("[[{name}]]{gap}{comment}"),
        (false, true) => format!("[{name}]"),
        (false, false) => format!("[{name}]{gap}{comment}"),
    };
    out.push_str(&line);
    out.push('\n');
}

/// A line `key = value # comment`, with what stands above it.
struct Line {
    /// Where it stood.
    order: usize,
    above: Vec<String>,
    key: String,
    value: String,
    comment: String,
}

fn lines(table: &toml_edit::Table, known: Option<&'static Table>) -> Vec<Line> {
    let mut lines: Vec<(usize, Line)> = table
        .get_values()
        .into_iter()
        .enumerate()
        .filter_map(|(order, (path, value))| {
            let first = path.first()?;
            let inside = known.and_then(|known| known.inside(first.get()));
            let inside = inside.filter(|_| path.len() == 1);
            let line = Line {
                order,
                above: above(first.leaf_decor().prefix().unwrap_or(&RawString::default())),
                key: path
                    .iter()
                    .map(|key| key.display_repr().into_owned())
                    .collect::<Vec<_>>()
                    .join("."),
                value: shown(value, inside, 0),
                comment: comment(value.decor().suffix()),
            };
            Some((known.map_or(0, |known| known.place(first.get())), line))
        })
        .collect();
    lines.sort_by_key(|(place, _)| *place);
    lines.into_iter().map(|(_, line)| line).collect()
}

/// The lines of a table, `=` and comments in one column within a block.
fn table(lines: Vec<Line>, out: &mut String) {
    let mut blocks: Vec<Vec<Line>> = Vec::new();
    for (place, mut line) in lines.into_iter().enumerate() {
        if place == 0 {
            while line.above.first().is_some_and(String::is_empty) {
                line.above.remove(0);
            }
        }
        match blocks.last_mut() {
            Some(block) if line.above.is_empty() => block.push(line),
            _ => blocks.push(vec![line]),
        }
    }
    for block in blocks {
        let width = |text: &str| text.chars().count();
        let key = block.iter().map(|line| width(&line.key)).max().unwrap_or(0);
        let end = block
            .iter()
            .filter(|line| !line.comment.is_empty() && !line.value.contains('\n'))
            .map(|line| key + " = ".len() + width(&line.value))
            .max()
            .unwrap_or(0);
        for line in block {
            push_above(&line.above, out);
            let text = format!("{:key$} = {}", line.key, line.value);
            out.push_str(&text);
            if !line.comment.is_empty() {
                let gap = end.saturating_sub(width(&text)) + GAP;
                let gap = if text.contains('\n') { GAP } else { gap };
                out.push_str(&" ".repeat(gap));
                out.push_str(&line.comment);
            }
            out.push('\n');
        }
    }
}

/// What stands above something: comments, and at most one empty line at a time.
fn above(raw: &RawString) -> Vec<String> {
    let text = raw.as_str().unwrap_or_default();
    let mut lines: Vec<String> = Vec::new();
    // What follows the last line end stands before the key itself: it is its indent.
    let Some((whole, _)) = text.rsplit_once('\n') else {
        return lines;
    };
    for line in whole.split('\n') {
        let line = line.trim();
        if !line.is_empty() || lines.last().is_none_or(|last| !last.is_empty()) {
            lines.push(line.to_owned());
        }
    }
    lines
}

fn push_above(lines: &[String], out: &mut String) {
    for line in lines {
        if !line.is_empty() || !out.is_empty() {
            out.push_str(line);
            out.push('\n');
        }
    }
}

fn comment(raw: Option<&RawString>) -> String {
    let text = raw.and_then(RawString::as_str).unwrap_or_default();
    text.trim().to_owned()
}

/// A value as it is written, without what stands around it. `indent` is that of the
/// line it begins on.
fn shown(value: &Value, known: Option<&'static Table>, indent: usize) -> String {
    match value {
        Value::String(text) => {
            let repr = text.display_repr();
            quoted(&repr, text.value())
        }
        Value::Integer(number) => number.display_repr().into_owned(),
        Value::Float(number) => number.display_repr().into_owned(),
        Value::Boolean(flag) => flag.display_repr().into_owned(),
        Value::Datetime(date) => date.display_repr().into_owned(),
        Value::Array(list) => array(list, known, indent),
        Value::InlineTable(table) => inline(table, known, indent),
    }
}

/// A text in double quotes, or in single ones where it holds quotes or backslashes.
fn quoted(repr: &str, text: &str) -> String {
    let long = repr.starts_with("\"\"\"") || repr.starts_with("'''");
    let plain = !text.chars().any(char::is_control);
    if long || !plain {
        return repr.to_owned();
    }
    let marked = text.contains(['"', '\\']);
    match (marked, text.contains('\'')) {
        (false, _) => format!("\"{text}\""),
        (true, false) => format!("'{text}'"),
        (true, true) => repr.to_owned(),
    }
}

fn has_comment(decor: &toml_edit::Decor) -> bool {
    [decor.prefix(), decor.suffix()]
        .into_iter()
        .flatten()
        .any(|raw| raw.as_str().is_none_or(|text| text.contains('#')))
}

fn array(list: &Array, known: Option<&'static Table>, indent: usize) -> String {
    let trailing = list
        .trailing()
        .as_str()
        .is_none_or(|text| text.contains('#'));
    if trailing || list.iter().any(|value| has_comment(value.decor())) {
        return list.to_string().trim().to_owned();
    }
    let values: Vec<String> = list
        .iter()
        .map(|value| shown(value, known, indent))
        .collect();
    let line = format!("[{}]", values.join(", "));
    if line.chars().count() <= WIDTH && !line.contains('\n') {
        return line;
    }
    let pad = " ".repeat(indent + 2);
    let values: Vec<String> = list
        .iter()
        .map(|value| format!("{pad}{},\n", shown(value, known, indent + 2)))
        .collect();
    format!("[\n{}{}]", values.concat(), " ".repeat(indent))
}

fn inline(table: &InlineTable, known: Option<&'static Table>, indent: usize) -> String {
    let raw = table.to_string();
    let values = table.get_values();
    if raw.contains('\n') || values.is_empty() {
        return raw.trim().to_owned();
    }
    let mut entries: Vec<(usize, String)> = values
        .into_iter()
        .filter_map(|(path, value)| {
            let first: &Key = path.first()?;
            let inside = known.and_then(|known| known.inside(first.get()));
            let key: Vec<String> = path
                .iter()
                .map(|key| key.display_repr().into_owned())
                .collect();
            let place = known.map_or(0, |known| known.place(first.get()));
            Some((
                place,
                format!("{} = {}", key.join("."), shown(value, inside, indent)),
            ))
        })
        .collect();
    entries.sort_by_key(|(place, _)| *place);
    let entries: Vec<String> = entries.into_iter().map(|(_, entry)| entry).collect();
    format!("{{ {} }}", entries.join(", "))
}

#[cfg(test)]
mod tests;
