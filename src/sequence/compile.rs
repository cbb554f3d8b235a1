//! Sequence files as meant: one file a sequence, every problem of every file in one run.
//! Nothing is guessed: what a file does not say is the documented default.

mod rule;
mod start;
mod step;

use super::allow::KEY as ALLOW;
use super::catalog::{Per, Sequence};
use super::nearest;
use super::syntax::{Section, Sheet, Spanned, one_of};
use crate::model::diagnostic::Diagnostic;
use crate::model::event::{EventKind, FactKind};
use crate::model::kind::Kind;
use crate::model::policy::Hours;
use crate::model::product::Products;
use crate::model::time::Length;
use start::{everything, per_part};
use std::collections::BTreeMap;
use toml_edit::Document;

/// Most steps of a sequence.
pub const MAX_STEPS: usize = 100;
/// Longest id, in bytes.
pub const MAX_ID: usize = 64;
/// When the next enrolment of one key may open, where the file does not say.
const AGAIN: Length = Length::Days(365);
/// Starts that come in a later version, and the keys that go with them.
const LATER_STARTS: [&str; 3] = ["absence", "schedule", "replenish"];

/// What a sequence is checked against, as far as it could be read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Around<'a> {
    pub(crate) hours: Option<&'a Hours>,
    pub(crate) people: Option<&'a [String]>,
    pub(crate) products: Option<&'a Products>,
}

/// What other sequences need to know of one: read ahead, silently.
struct Head {
    file: String,
    steps: Vec<String>,
    start: Option<FactKind>,
    of: Option<String>,
    per: Vec<Per>,
}

/// Reads all sequence files.
pub(crate) fn sequences(
    files: &[(&str, &str)],
    around: Around<'_>,
) -> (Vec<Sequence>, Vec<Diagnostic>) {
    let sheets: Vec<Sheet<'_>> = files
        .iter()
        .map(|(path, text)| Sheet::new(path, text))
        .collect();
    let documents: Vec<Option<Document<&str>>> = sheets.iter().map(Sheet::parse).collect();
    let mut heads: BTreeMap<String, Head> = BTreeMap::new();
    let mut twice = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let Some(document) = document else { continue };
        let quiet = Sheet::new(sheets[index].path, sheets[index].text);
        let Some((id, head)) = head(&Section::root(&quiet, document)) else {
            continue;
        };
        match heads.get(&id.value) {
            Some(first) => twice.push((index, id, first.file.clone())),
            None => {
                heads.insert(id.value, head);
            }
        }
    }
    for (index, id, first) in twice {
        let sheet = &sheets[index];
        sheet.report(
            sheet
                .problem(
                    "E101",
                    id.span,
                    format!("another sequence is called \"{}\" too", id.value),
                )
                .help(format!("the other one is in {first}"))
                .help("a sequence's id is how we know who is in it; give this one its own"),
        );
    }
    let mut found = Vec::new();
    for (sheet, document) in sheets.iter().zip(&documents) {
        let Some(document) = document else { continue };
        let reader = Reader {
            sheet,
            around,
            heads: &heads,
        };
        found.extend(reader.sequence(&Section::root(sheet, document)));
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    (found, sheets.into_iter().flat_map(Sheet::found).collect())
}

fn head(root: &Section<'_, '_>) -> Option<(Spanned<String>, Head)> {
    let start = root.table("start");
    let text = |key: &str| start.as_ref().and_then(|start| start.text(key));
    let per = text("per").map_or_else(
        || vec![Per::Order],
        |text| {
            text.value
                .split(',')
                .filter_map(|part| per_part(part.trim()).ok())
                .collect()
        },
    );
    Some((
        root.text("id")?,
        Head {
            file: root.sheet.path.to_owned(),
            steps: root
                .tables("step")
                .iter()
                .filter_map(|step| step.text("id").map(|id| id.value))
                .collect(),
            start: text("on").and_then(|on| on.value.parse().ok()),
            of: text("of").map(|of| of.value),
            per,
        },
    ))
}

struct Reader<'s> {
    sheet: &'s Sheet<'s>,
    around: Around<'s>,
    heads: &'s BTreeMap<String, Head>,
}

impl<'s> Reader<'s> {
    /// One file. `None` where something that the rest hangs on is missing.
    fn sequence(&self, root: &Section<'s, '_>) -> Option<Sequence> {
        root.only(
            &[
                "format", "id", "kind", "title", "from", "start", "step", "pause", "stop", ALLOW,
            ],
            &[("experiment", "experiments")],
        );
        match root.has("format") {
            None => root.missing("format", "1"),
            Some(span) => {
                if let Some(format) = root.number("format", 0, i64::MAX)
                    && format != 1
                {
                    self.sheet.report(
                        self.sheet
                            .problem(
                                "E105",
                                span,
                                format!("format {format} is not known to this version"),
                            )
                            .help("write format = 1"),
                    );
                }
            }
        }
        let id = root
            .need("id", "\"education-camera\"")
            .filter(|id| self.is_id(id));
        let kind = root
            .need("kind", "\"education\"")
            .and_then(|_| self.kind(root));
        let title = root.need("title", "\"Getting to know your camera\"");
        let from = root.need("from", "\"aya\"");
        if let (Some(from), Some(people)) = (&from, self.around.people)
            && !people.contains(&from.value)
        {
            self.sheet.report(suggest(
                self.sheet.problem(
                    "E105",
                    from.span.clone(),
                    format!("nobody in config/people.toml is called \"{}\"", from.value),
                ),
                &from.value,
                people.iter().map(String::as_str),
                "there are",
            ));
        }
        let start = match root.table("start") {
            Some(section) => self.start(&section, id.as_ref().map(|id| id.value.as_str())),
            None => {
                if root.has("start").is_none() {
                    self.sheet.report(
                        self.sheet
                            .problem("E102", 0..0, "this sequence has no [start]")
                            .help("write [start] and on = \"order.placed\", or another fact"),
                    );
                }
                None
            }
        };
        let known = start.as_ref().map(|start| self.known(start));
        let steps = self.steps(root, kind, start.as_ref());
        let known = known.unwrap_or_else(everything);
        let pauses = root
            .tables("pause")
            .iter()
            .filter_map(|one| self.pause(one, &known))
            .collect();
        let stops = root
            .tables("stop")
            .iter()
            .filter_map(|one| self.stop(one, &known))
            .collect();
        let id = id?;
        Some(Sequence {
            place: self.sheet.place(id.span.start),
            id: id.value,
            kind: kind?,
            title: title?.value,
            from: from?.value,
            start: start?,
            steps,
            pauses,
            stops,
        })
    }

    fn is_id(&self, id: &Spanned<String>) -> bool {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        let fits = id.value.len() <= MAX_ID
            && id.value.chars().all(plain)
            && id.value.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !fits {
            self.sheet.report(
                self.sheet
                    .problem("E105", id.span.clone(), "this is no id")
                    .help(format!(
                        "ids are small letters, digits, - and _, at most {MAX_ID}: \"first-steps\""
                    )),
            );
        }
        fits
    }

    fn kind(&self, section: &Section<'s, '_>) -> Option<Kind> {
        let kind = section.parsed("kind", |sheet, text| {
            one_of(
                sheet,
                text,
                "a kind of mail",
                &Kind::ALL.map(Kind::as_str),
                |text| text.parse::<Kind>().ok(),
            )
        })?;
        Some(kind.value)
    }

    /// Whether `sequence/step` names a step of any file; reports where it does not.
    fn is_step(&self, name: &str, span: std::ops::Range<usize>) -> bool {
        let (sequence, step) = name.split_once('/').unwrap_or((name, ""));
        let known = self
            .heads
            .get(sequence)
            .is_some_and(|head| head.steps.iter().any(|had| had == step));
        if !known {
            let all: Vec<String> = self
                .heads
                .iter()
                .flat_map(|(id, head)| head.steps.iter().map(move |step| format!("{id}/{step}")))
                .collect();
            self.sheet.report(suggest(
                self.sheet.problem(
                    "E121",
                    span,
                    format!("no step is called \"{}\"", name.escape_debug()),
                ),
                name,
                all.iter().map(String::as_str),
                "there are",
            ));
        }
        known
    }

    /// A fact about a customer.
    fn fact(&self, text: &Spanned<String>) -> Option<FactKind> {
        let names: Vec<&str> = FactKind::names().collect();
        let read = one_of(self.sheet, text, "a fact we know", &names, |text| {
            text.parse().ok()
        });
        match read {
            Ok(FactKind::Event(EventKind::ProductUpdated)) => {
                self.sheet.report(
                    self.sheet
                        .problem(
                            "E105",
                            text.span.clone(),
                            "\"product.updated\" is about no customer",
                        )
                        .help("it updates the catalogue; ask in_stock(\"…\") in a condition"),
                );
                None
            }
            Ok(fact) => Some(fact),
            Err(problem) => {
                self.sheet.report(problem);
                None
            }
        }
    }
}

/// With the name that was likely meant, or all there are.
fn suggest<'a>(
    problem: Diagnostic,
    word: &str,
    names: impl IntoIterator<Item = &'a str>,
    there_are: &str,
) -> Diagnostic {
    /// Most names that a message lists.
    const LISTED: usize = 12;
    let mut listed: Vec<&str> = names.into_iter().collect();
    match nearest(word, listed.iter().copied()) {
        Some(near) => problem.help(format!("did you mean \"{near}\"?")),
        None => {
            let more = listed.len() > LISTED;
            listed.truncate(LISTED);
            problem.help(format!(
                "{there_are} {}{}",
                listed.join(", "),
                if more { ", …" } else { "" }
            ))
        }
    }
}
