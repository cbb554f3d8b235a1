//! TOML, walked by hand: every key is asked for by name, and what nobody asked for is
//! reported. Spans point into the file as it was written. Nothing here knows what the
//! keys mean.

use super::keys::{self, Table};
use crate::model::diagnostic::{Diagnostic, position};
use crate::model::email::Address;
use crate::model::nearest::nearest;
use crate::model::time::{BadLength, Date, Length, Time};
use crate::model::torn::torn;
use crate::sequence::catalog::Place;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use toml_edit::{Document, Item, TableLike, Value};

/// So many strange keys of another table are no misspelt names any more.
const HEADERLESS: usize = 3;

/// Longest list that a file may hold.
pub const MAX_LIST: usize = 10_000;

/// Words that people write for keys of ours, from other tools and by sound.
const SYNONYMS: [(&str, &str); 14] = [
    ("until", "unless"),
    ("untill", "unless"),
    ("if", "when"),
    ("condition", "when"),
    ("delay", "after"),
    ("wait", "after"),
    ("time", "at"),
    ("cron", "slot"),
    ("template", "mail"),
    ("email", "mail"),
    ("steps", "step"),
    ("trigger", "start"),
    ("sender", "from"),
    ("timezone", "zone"),
];

/// A value and where it stands in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spanned<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
}

impl<T> Spanned<T> {
    pub(crate) fn new(value: T, span: Range<usize>) -> Self {
        Spanned { value, span }
    }
}

/// A file that is being read, and what was found wrong with it.
#[derive(Debug)]
pub(crate) struct Sheet<'a> {
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
    /// Behind a lock, because files are read on every core.
    found: Mutex<Vec<Diagnostic>>,
}

impl<'a> Sheet<'a> {
    pub(crate) fn new(path: &'a str, text: &'a str) -> Self {
        Sheet {
            path,
            text,
            found: Mutex::default(),
        }
    }

    /// The file as TOML; a file that is none is reported once, at the first mistake.
    pub(crate) fn parse(&self) -> Option<Document<&'a str>> {
        match Document::parse(self.text) {
            Ok(document) => Some(document),
            Err(error) => {
                let torn = torn(self.text, error.span(), error.message(), "this is no TOML");
                self.report(torn.problem("E100", self.path, 0));
                None
            }
        }
    }

    pub(crate) fn report(&self, problem: impl Into<Box<Diagnostic>>) {
        self.found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(*problem.into());
    }

    /// A problem of this file, to be completed and reported.
    pub(crate) fn problem(
        &self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::new(code, self.path, span, message)
    }

    /// Everything found so far.
    pub(crate) fn found(self) -> Vec<Diagnostic> {
        let mut found: Vec<Diagnostic> = Vec::new();
        for problem in self
            .found
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
        {
            // A step is read once for each arm, and most of it is the same in all.
            if !found.contains(&problem) {
                found.push(problem);
            }
        }
        found
    }

    /// Where a byte of the file stands, for explanations.
    pub(crate) fn place(&self, at: usize) -> Place {
        let (line, column) = position(self.text, at);
        Place {
            file: self.path.to_owned(),
            line,
            column,
        }
    }

    /// The place in the file of a part of a text whose value stands at `span`. Escapes and
    /// lines break the count of bytes; then the part is searched for, and where it is not
    /// found once, the whole value is meant.
    pub(crate) fn inside(
        &self,
        span: &Range<usize>,
        text: &str,
        part: &Range<usize>,
    ) -> Range<usize> {
        let raw = self.text.get(span.clone()).unwrap_or_default();
        let quote = if raw.starts_with("\"\"\"") || raw.starts_with("'''") {
            3
        } else {
            1
        };
        if raw
            .get(quote..)
            .is_some_and(|inner| inner.starts_with(text))
        {
            let start = span.start + quote;
            return start + part.start..start + part.end;
        }
        let words = text.get(part.clone()).unwrap_or_default();
        let mut places = raw.match_indices(words);
        match (places.next(), places.next()) {
            (Some((at, _)), None) if !words.is_empty() => {
                span.start + at..span.start + at + words.len()
            }
            _ => span.clone(),
        }
    }
}

/// A table of a file.
#[derive(Clone)]
pub(crate) struct Section<'s, 'd> {
    pub(crate) sheet: &'s Sheet<'s>,
    table: &'d dyn TableLike,
    /// Its header, or the table itself where it stands in braces.
    pub(crate) span: Range<usize>,
    /// What it is called in messages: `step "basics"`, `[start]`.
    pub(crate) what: String,
}

impl<'s, 'd> Section<'s, 'd> {
    pub(crate) fn root(sheet: &'s Sheet<'s>, document: &'d Document<&str>) -> Self {
        Section {
            sheet,
            table: document.as_table(),
            span: 0..0,
            what: "the file".to_owned(),
        }
    }

    /// The names of its keys.
    pub(crate) fn keys(&self) -> Vec<Spanned<String>> {
        self.table
            .iter()
            .map(|(key, item)| {
                let span = self.table.key(key).and_then(toml_edit::Key::span);
                let span = span
                    .or_else(|| item.span())
                    .unwrap_or_else(|| self.span.clone());
                Spanned::new(key.to_owned(), span)
            })
            .collect()
    }

    /// Whether nothing is written in it, with a report: one, not one for each key.
    pub(crate) fn is_empty(&self, help: &str) -> bool {
        let empty = self.table.is_empty();
        if empty {
            self.sheet.report(
                self.sheet
                    .problem("E102", self.span.clone(), format!("{} is empty", self.what))
                    .help(help),
            );
        }
        empty
    }

    /// Whether no key outside of `known` is most likely `name`, misspelt.
    pub(crate) fn all_known(&self, table: &Table, name: &str) -> bool {
        self.keys()
            .iter()
            .all(|key| table.key(&key.value).is_some() || nearest(&key.value, [name]).is_none())
    }

    /// Reports keys that the table of this part of the file does not have. `later` are keys
    /// of a later version, with what they come with.
    pub(crate) fn only(&self, table: &Table, later: &[(&str, &str)]) {
        let known: Vec<&str> = table.names().collect();
        self.only_of(&known, later);
    }

    /// As [`Section::only`], where other keys decide which of a table's keys may stand here.
    pub(crate) fn only_of(&self, known: &[&str], later: &[(&str, &str)]) {
        if self.without_header(known) {
            return;
        }
        for key in self.keys() {
            if known.contains(&key.value.as_str()) {
                continue;
            }
            let name = key.value.escape_debug().to_string();
            if let Some((_, with)) = later.iter().find(|(later, _)| *later == key.value) {
                self.sheet.report(
                    self.sheet
                        .problem("E190", key.span, format!("`{name}` is not there yet"))
                        .help(format!("it comes with {with}, in a later version"))
                        .help("leave it out for now"),
                );
                continue;
            }
            let mut problem =
                self.sheet
                    .problem("E104", key.span, format!("unknown key \"{name}\""));
            let meant = SYNONYMS
                .iter()
                .find(|(word, meant)| *word == key.value && known.contains(meant))
                .map(|(_, meant)| *meant);
            match meant.or_else(|| nearest(&key.value, known.iter().copied())) {
                Some(near) => problem = problem.label(format!("did you mean `{near}`?")),
                None => {
                    problem = problem.help(format!("{} has {}", self.what, known.join(", ")));
                }
            }
            self.sheet.report(problem);
        }
    }

    /// Whether several keys that this part does not have all belong to one table, whose
    /// header is missing above them: one slip, reported once.
    fn without_header(&self, known: &[&str]) -> bool {
        let strange: Vec<Spanned<String>> = (self.keys().into_iter())
            .filter(|key| !known.contains(&key.value.as_str()))
            .collect();
        let (Some(first), true) = (strange.first(), strange.len() >= HEADERLESS) else {
            return false;
        };
        let header = keys::HEADERS
            .iter()
            .find(|(_, table)| strange.iter().all(|key| table.key(&key.value).is_some()));
        let Some((header, _)) = header else {
            return false;
        };
        let names: Vec<&str> = strange.iter().map(|key| key.value.as_str()).collect();
        self.sheet.report(
            self.sheet
                .problem(
                    "E104",
                    first.span.clone(),
                    format!("{} has no {}", self.what, names.join(", ")),
                )
                .label(format!("{header} is missing above this line"))
                .help(format!(
                    "write {header} on a line of its own above `{}`",
                    first.value
                )),
        );
        true
    }

    pub(crate) fn item(&self, key: &str) -> Option<(&'d Item, Range<usize>)> {
        let (found, item) = self.table.get_key_value(key)?;
        let span = item
            .span()
            .or_else(|| found.span())
            .unwrap_or_else(|| self.span.clone());
        Some((item, span))
    }

    /// Where the value of a key stands.
    pub(crate) fn has(&self, key: &str) -> Option<Range<usize>> {
        self.item(key).map(|(_, span)| span)
    }

    /// Whether a key holds a table.
    pub(crate) fn is_table(&self, key: &str) -> bool {
        self.item(key).is_some_and(|(item, _)| item.is_table_like())
    }

    /// Reports that a key is missing.
    pub(crate) fn missing(&self, key: &str, example: &str) {
        self.sheet.report(
            self.sheet
                .problem(
                    "E102",
                    self.span.clone(),
                    format!("{} has no `{key}`", self.what),
                )
                .help(format!("write {key} = {example}")),
        );
    }

    pub(crate) fn wrong(&self, key: &str, item: &Item, span: Range<usize>, wanted: &str) {
        let found = match item {
            Item::Value(Value::String(_)) => "a text",
            Item::Value(Value::Integer(_)) => "a whole number",
            Item::Value(Value::Float(_)) => "a number with a fraction",
            Item::Value(Value::Boolean(_)) => "true or false",
            Item::Value(Value::Datetime(_)) => "a date",
            Item::Value(Value::Array(_)) => "a list",
            Item::Value(Value::InlineTable(_)) | Item::Table(_) => "a table",
            Item::ArrayOfTables(_) => "a list of tables",
            Item::None => "nothing",
        };
        let written = self.sheet.text.get(span.clone()).unwrap_or_default();
        let is_short = written.len() <= 40 && !written.contains(['"', '\'', '\n']);
        let help = match wanted {
            "a text" if is_short => format!("write it in quotes: {key} = \"{written}\""),
            "a text" => format!("write it in quotes: {key} = \"…\""),
            "a whole number" => format!("write digits alone, without quotes: {key} = 2"),
            "an instant" => format!("write date, time and offset: {key} = 2026-01-17T00:00:00Z"),
            "a list of texts" => format!("write {key} = [\"…\", \"…\"]"),
            "a table" => format!("write {key} = {{ … }}, or [{key}] with its keys below"),
            _ => format!("write [[{key}]] with its keys below"),
        };
        self.sheet.report(
            self.sheet
                .problem(
                    "E103",
                    span,
                    format!("`{key}` wants {wanted}, and this is {found}"),
                )
                .help(help),
        );
    }

    /// A text, if the key is there.
    pub(crate) fn text(&self, key: &str) -> Option<Spanned<String>> {
        let (item, span) = self.item(key)?;
        match item.as_str() {
            Some(text) => Some(Spanned::new(text.to_owned(), span)),
            None => {
                self.wrong(key, item, span, "a text");
                None
            }
        }
    }

    /// A text, if the key is there and is one; nothing is reported.
    pub(crate) fn peek(&self, key: &str) -> Option<Spanned<String>> {
        let (item, span) = self.item(key)?;
        item.as_str()
            .map(|text| Spanned::new(text.to_owned(), span))
    }

    /// A text that must be there and say something.
    pub(crate) fn need(&self, key: &str, example: &str) -> Option<Spanned<String>> {
        if self.item(key).is_none() {
            self.missing(key, example);
            return None;
        }
        let text = self.text(key)?;
        if text.value.trim().is_empty() || text.value.chars().any(char::is_control) {
            self.sheet.report(
                self.sheet
                    .problem("E127", text.span, format!("`{key}` wants one line of text"))
                    .help(format!("write {key} = {example}")),
            );
            return None;
        }
        if let Some(markup) = markup(&text.value) {
            self.sheet.report(
                self.sheet
                    .problem(
                        "E127",
                        text.span,
                        format!("{markup} in `{key}` would be printed as it stands here"),
                    )
                    .help("customers would read it; tags and HTML belong into templates")
                    .help(format!("write plain words: {key} = {example}")),
            );
            return None;
        }
        Some(text)
    }

    /// A text that, where it is there, says something.
    pub(crate) fn need_if_there(&self, key: &str, example: &str) -> Option<Spanned<String>> {
        self.has(key).and_then(|_| self.need(key, example))
    }

    /// A whole number from `least` to `most`.
    pub(crate) fn number(&self, key: &str, least: i64, most: i64) -> Option<i64> {
        let (item, span) = self.item(key)?;
        match item.as_integer() {
            Some(number) if (least..=most).contains(&number) => Some(number),
            Some(number) => {
                self.sheet.report(
                    self.sheet
                        .problem(
                            "E118",
                            span,
                            format!(
                                "`{key}` wants a number from {least} to {most}, and this is {number}"
                            ),
                        )
                        .help(format!(
                            "write {key} = {}",
                            number.clamp(least, most)
                        )),
                );
                None
            }
            None => {
                self.wrong(key, item, span, "a whole number");
                None
            }
        }
    }

    /// A yes or no, written `true` or `false`.
    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        let (item, span) = self.item(key)?;
        let value = item.as_bool();
        if value.is_none() {
            self.wrong(key, item, span, "true or false, without quotes");
        }
        value
    }

    /// An instant, as a TOML date with an offset or as a text.
    pub(crate) fn instant(&self, key: &str) -> Option<crate::model::time::Timestamp> {
        let (item, span) = self.item(key)?;
        let text = match item {
            Item::Value(Value::Datetime(date)) => date.value().to_string(),
            Item::Value(Value::String(text)) => text.value().clone(),
            _ => {
                self.wrong(key, item, span, "an instant");
                return None;
            }
        };
        match text.parse() {
            Ok(instant) => Some(instant),
            Err(_) => {
                self.sheet.report(
                    self.sheet
                        .problem("E113", span, format!("\"{text}\" is not an instant"))
                        .help("write date, time and offset: 2026-01-17T00:00:00Z"),
                );
                None
            }
        }
    }

    /// A list of texts, or one; what is none is left out, and nothing is reported.
    pub(crate) fn peek_texts(&self, key: &str) -> Vec<Spanned<String>> {
        let Some((item, span)) = self.item(key) else {
            return Vec::new();
        };
        let one = item
            .as_str()
            .map(|text| Spanned::new(text.to_owned(), span.clone()));
        let several = item.as_array().into_iter().flatten().filter_map(|value| {
            let at = value.span().unwrap_or_else(|| span.clone());
            Some(Spanned::new(value.as_str()?.to_owned(), at))
        });
        one.into_iter().chain(several).collect()
    }

    /// A day, as a TOML date or as a text.
    pub(crate) fn date(&self, key: &str) -> Option<Spanned<Date>> {
        let (item, span) = self.item(key)?;
        let found = item.as_value().map(|value| self.day(key, value, span));
        found.flatten()
    }

    /// A list of days; nothing where the key is missing.
    pub(crate) fn dates(&self, key: &str) -> Vec<Spanned<Date>> {
        let Some((item, span)) = self.item(key) else {
            return Vec::new();
        };
        let Some(array) = item.as_array().filter(|array| array.len() <= MAX_LIST) else {
            self.wrong(key, item, span, "a list of days");
            return Vec::new();
        };
        let day = |value: &Value| {
            let at = value.span().unwrap_or_else(|| span.clone());
            self.day(key, value, at)
        };
        array.iter().filter_map(day).collect()
    }

    fn day(&self, key: &str, value: &Value, span: Range<usize>) -> Option<Spanned<Date>> {
        let text = match value {
            Value::Datetime(date) => date.value().to_string(),
            Value::String(text) => text.value().clone(),
            _ => {
                self.sheet.report(self.sheet.problem(
                    "E103",
                    span,
                    format!("`{key}` wants a day, and this is a {}", value.type_name()),
                ));
                return None;
            }
        };
        match text.parse::<Date>() {
            Ok(date) if text.len() == date.to_string().len() => Some(Spanned::new(date, span)),
            _ => {
                self.sheet.report(
                    self.sheet
                        .problem(
                            "E113",
                            span,
                            format!("\"{}\" is no day", text.escape_debug()),
                        )
                        .help("write year, month and day, without a time: 2026-12-24"),
                );
                None
            }
        }
    }

    /// A list of texts; a single text counts as a list of one where `or_one`.
    pub(crate) fn texts(&self, key: &str, or_one: bool) -> Option<Vec<Spanned<String>>> {
        let (item, span) = self.item(key)?;
        if or_one && let Some(text) = item.as_str() {
            return Some(vec![Spanned::new(text.to_owned(), span)]);
        }
        let Some(array) = item.as_array().filter(|array| array.len() <= MAX_LIST) else {
            self.wrong(key, item, span, "a list of texts");
            return None;
        };
        let mut found = Vec::new();
        for value in array {
            let at = value.span().unwrap_or_else(|| span.clone());
            match value.as_str() {
                Some(text) => found.push(Spanned::new(text.to_owned(), at)),
                None => self.sheet.report(
                    self.sheet
                        .problem(
                            "E103",
                            at,
                            format!("`{key}` wants texts, and this is a {}", value.type_name()),
                        )
                        .help(format!("write each in quotes: {key} = [\"…\", \"…\"]")),
                ),
            }
        }
        Some(found)
    }

    /// A table under a key, in braces or with a header of its own.
    pub(crate) fn table(&self, key: &str) -> Option<Section<'s, 'd>> {
        let (item, span) = self.item(key)?;
        match item.as_table_like() {
            Some(table) => Some(Section {
                sheet: self.sheet,
                table,
                span,
                what: format!("[{key}]"),
            }),
            None => {
                self.wrong(key, item, span, "a table");
                None
            }
        }
    }

    /// The tables of `[[key]]`, or of a list of tables in braces.
    pub(crate) fn tables(&self, key: &str) -> Vec<Section<'s, 'd>> {
        let Some((item, span)) = self.item(key) else {
            return Vec::new();
        };
        let section = |table: &'d dyn TableLike, at: Option<Range<usize>>| Section {
            sheet: self.sheet,
            table,
            span: at.unwrap_or_else(|| span.clone()),
            what: format!("[[{key}]]"),
        };
        match item {
            Item::ArrayOfTables(tables) => tables
                .iter()
                .map(|table| section(table, table.span()))
                .collect(),
            Item::Value(Value::Array(values))
                if values.iter().all(|value| value.as_inline_table().is_some()) =>
            {
                values
                    .iter()
                    .filter_map(|value| value.as_inline_table())
                    .map(|table| section(table, table.span()))
                    .collect()
            }
            _ => {
                self.wrong(key, item, span, &format!("tables, written [[{key}]]"));
                Vec::new()
            }
        }
    }

    /// A text that `read` understands, or a problem in its words.
    pub(crate) fn parsed<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Sheet<'_>, &Spanned<String>) -> Result<T, Box<Diagnostic>>,
    ) -> Option<Spanned<T>> {
        let text = self.text(key)?;
        match read(self.sheet, &text) {
            Ok(value) => Some(Spanned::new(value, text.span)),
            Err(problem) => {
                self.sheet.report(problem);
                None
            }
        }
    }

    /// A length, if the key is there.
    pub(crate) fn length(&self, key: &str) -> Option<Spanned<Length>> {
        self.parsed(key, |sheet, text| length(sheet, text, &text.value))
    }
}

/// Reads a length, with E112 where it is none. `part` is what of `text` is the length.
pub(crate) fn length(
    sheet: &Sheet<'_>,
    text: &Spanned<String>,
    part: &str,
) -> Result<Length, Box<Diagnostic>> {
    let wrong = |bad: BadLength| {
        let problem = sheet.problem(
            "E112",
            text.span.clone(),
            format!("\"{}\" is not a length we accept", part.trim()),
        );
        match bad {
            BadLength::Month => problem
                .help("months differ in length, so two buyers would get different waits")
                .help("write \"4w\" or \"30d\""),
            BadLength::Shape => problem
                .help("write a number and a unit: min, h (elapsed), d, w or bd (calendar days)")
                .help("for example \"30min\", \"48h\", \"2d\", \"3w\" or \"4bd\""),
            BadLength::Long => problem.help(bad.to_string()),
        }
    };
    part.parse().map_err(|bad| Box::new(wrong(bad)))
}

/// Reads a time of day, `10:00`.
pub(crate) fn time(sheet: &Sheet<'_>, text: &Spanned<String>) -> Result<Time, Box<Diagnostic>> {
    let parts = text.value.split_once(':').filter(|(hour, minute)| {
        (1..=2).contains(&hour.len())
            && minute.len() == 2
            && (hour.bytes().chain(minute.bytes())).all(|b| b.is_ascii_digit())
    });
    parts
        .and_then(|(hour, minute)| Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok())
        .ok_or_else(|| {
            sheet
                .problem(
                    "E113",
                    text.span.clone(),
                    format!("\"{}\" is not a time of day", text.value.escape_debug()),
                )
                .help("write hours and minutes, on 24 hours: \"08:30\", \"21:00\"")
                .into()
        })
}

/// A tag of a template, or HTML, in words that no template is made of.
fn markup(text: &str) -> Option<&str> {
    const MARKS: [&str; 15] = [
        "{{", "{%", "*|", "&amp;", "&lt;", "&gt;", "&quot;", "&nbsp;", "&#", "</", "<br", "<b>",
        "<i>", "<p>", "<a ",
    ];
    let mark = MARKS.iter().find(|mark| text.contains(**mark))?;
    let at = text.find(mark)?;
    let rest = &text[at..];
    let end = ["}}", "%}", "|*", ";", ">"]
        .iter()
        .filter_map(|end| rest.find(end).map(|at| at + end.len()))
        .min();
    Some(&rest[..end.unwrap_or(mark.len())])
}

/// Reads an address that mail can be tried on.
pub(crate) fn address(
    sheet: &Sheet<'_>,
    text: &Spanned<String>,
) -> Result<String, Box<Diagnostic>> {
    Address::parse(&text.value)
        .map(|address| address.as_typed().to_owned())
        .map_err(|bad| {
            sheet
                .problem(
                    "E116",
                    text.span.clone(),
                    format!("this is no mail address: {bad}"),
                )
                .help("mail from it would be refused, and answers to it lost")
                .help("write it as \"help@shop.example.com\"")
        })
        .map_err(Box::new)
}

/// Reads one of a set of words.
pub(crate) fn one_of<T>(
    sheet: &Sheet<'_>,
    text: &Spanned<String>,
    what: &str,
    words: &[&str],
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, Box<Diagnostic>> {
    read(&text.value).ok_or_else(|| {
        let problem = sheet.problem(
            "E105",
            text.span.clone(),
            format!("\"{}\" is not {what}", text.value.escape_debug()),
        );
        match nearest(&text.value, words.iter().copied()) {
            Some(near) => problem.help(format!("did you mean \"{near}\"?")),
            None => problem.help(format!("there are {}", words.join(", "))),
        }
        .into()
    })
}
