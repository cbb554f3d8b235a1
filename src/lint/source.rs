//! Where things stand in the files, looked up only when there is something to say: a
//! shop without faults is not read twice.

use crate::model::diagnostic::Diagnostic;
use crate::sequence::catalog::{Sequence, Step};
use crate::sequence::condition::Condition;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;
use toml_edit::{Document, Item, TableLike};

/// The shop's files as texts.
#[derive(Debug)]
pub struct Source<'f> {
    files: &'f [(String, String)],
    /// Files that something was said of, parsed once: of a slip in many places there are
    /// many things to say.
    documents: RefCell<HashMap<String, Parsed<'f>>>,
}

/// A file's tables; none where it is no TOML.
type Parsed<'f> = Option<Rc<Document<&'f str>>>;

/// One table of a sequence file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At<'a> {
    Start,
    /// A step, by its id.
    Step(&'a str),
    /// The nth `[[pause]]` or `[[stop]]`.
    Pause(usize),
    Stop(usize),
}

impl<'f> Source<'f> {
    /// Over files as (path, text).
    pub fn new(files: &'f [(String, String)]) -> Self {
        Source {
            files,
            documents: RefCell::default(),
        }
    }

    /// The text of a file.
    pub fn text(&self, path: &str) -> Option<&'f str> {
        self.files
            .iter()
            .find(|(had, _)| had == path)
            .map(|(_, text)| text.as_str())
    }

    /// The paths of all files.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(path, _)| path.as_str())
    }

    /// The value of a key in a sequence file, quotes included; the table, or the start
    /// of the file, where it is not written.
    pub fn key(&self, sequence: &Sequence, at: At<'_>, key: &str) -> Range<usize> {
        let Some(document) = self.document(&sequence.place.file) else {
            return 0..0;
        };
        let root = document.as_table();
        let tables = |name: &str| root.get(name).and_then(Item::as_array_of_tables);
        let (table, header): (Option<&dyn TableLike>, _) = match at {
            At::Start => {
                let start = root.get("start");
                (
                    start.and_then(Item::as_table_like),
                    start.and_then(Item::span),
                )
            }
            At::Step(id) => {
                let found = tables("step").and_then(|steps| {
                    steps
                        .iter()
                        .find(|step| step.get("id").and_then(Item::as_str) == Some(id))
                });
                (
                    found.map(|step| step as _),
                    found.and_then(|step| step.span()),
                )
            }
            At::Pause(nth) | At::Stop(nth) => {
                let name = if matches!(at, At::Pause(_)) {
                    "pause"
                } else {
                    "stop"
                };
                let found = tables(name).and_then(|all| all.get(nth));
                (found.map(|one| one as _), found.and_then(|one| one.span()))
            }
        };
        table
            .and_then(|table| table.get(key))
            .and_then(Item::span)
            .or(header)
            .unwrap_or(0..0)
    }

    /// A part of a condition's text that stands under a key: where it is written without
    /// escapes, exactly that part; else the whole value.
    pub fn inside(
        &self,
        sequence: &Sequence,
        at: At<'_>,
        key: &str,
        condition: &Condition,
        part: &Range<usize>,
    ) -> Range<usize> {
        let whole = self.key(sequence, at, key);
        let text = self.text(&sequence.place.file).unwrap_or_default();
        let written = text.get(whole.clone()).unwrap_or_default();
        match written.find(condition.text()) {
            Some(offset) if !part.is_empty() => {
                whole.start + offset + part.start..whole.start + offset + part.end
            }
            _ => whole,
        }
    }

    /// The `[[step]]` header's id, as the place of a problem with the step as a whole.
    pub fn step(&self, sequence: &Sequence, step: &Step) -> Range<usize> {
        self.key(sequence, At::Step(&step.id), "id")
    }

    /// The value at a path of keys in any file of `config/`, such as
    /// `["limits", "asks", "at_most"]`; the nearest table around it where the rest is
    /// not written.
    pub fn path(&self, file: &str, keys: &[&str]) -> Range<usize> {
        let Some(document) = self.document(file) else {
            return 0..0;
        };
        let mut table: &dyn TableLike = document.as_table();
        let mut span = 0..0;
        for key in keys {
            let Some((name, item)) = table.get_key_value(key) else {
                break;
            };
            span = match item {
                // A header's span covers all that is below it; its name is enough.
                Item::Table(table) => name.span().or(table.span()).unwrap_or(span),
                other => other.span().unwrap_or(span),
            };
            match item.as_table_like() {
                Some(inner) => table = inner,
                None => break,
            }
        }
        span
    }

    fn document(&self, path: &str) -> Parsed<'f> {
        if let Some(parsed) = self.documents.borrow().get(path) {
            return parsed.clone();
        }
        let parsed = self
            .text(path)
            .and_then(|text| Document::parse(text).ok())
            .map(Rc::new);
        self.documents
            .borrow_mut()
            .insert(path.to_owned(), parsed.clone());
        parsed
    }
}

/// A problem in a sequence file.
pub fn in_sequence(
    code: &'static str,
    sequence: &Sequence,
    span: Range<usize>,
    message: impl Into<String>,
) -> Diagnostic {
    Diagnostic::new(code, sequence.place.file.clone(), span, message)
}
