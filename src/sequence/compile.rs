//! Sequence files as meant: one file a sequence, every problem of every file in one run.
//! Nothing is guessed: what a file does not say is the documented default.

mod experiment;
mod rule;
mod start;
mod step;
mod timed;

use super::catalog::{Per, Sequence};
use super::elsewhere;
use super::keys;
use super::syntax::{Section, Sheet, Spanned, one_of};
use crate::model::cores;
use crate::model::diagnostic::Diagnostic;
use crate::model::event::{EventKind, FactKind};
use crate::model::kind::Kind;
use crate::model::nearest::nearest;
use crate::model::policy::Hours;
use crate::model::product::Products;
use crate::model::time::Length;
use experiment::Arms;
pub(super) use experiment::MAX_HOLDOUT;
use start::{default_per, everything, per_part};
use std::collections::BTreeMap;
use toml_edit::Document;

/// Most steps of a sequence.
pub const MAX_STEPS: usize = 100;
/// Longest id, in bytes.
pub const MAX_ID: usize = 64;
/// When the next enrolment of one key may open, where the file does not say.
const AGAIN: Length = Length::Days(365);

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
    /// Ids that the sequence had before.
    was: Vec<String>,
    /// Old ids of steps, with their new ones.
    renamed: Vec<(String, String)>,
    start: Option<FactKind>,
    of: Option<String>,
    per: Vec<Per>,
    /// Whether the id of every step could be read.
    whole: bool,
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
    let documents: Vec<Option<Document<&str>>> = cores::each(&sheets, Sheet::parse);
    let mut heads: BTreeMap<String, Head> = BTreeMap::new();
    let mut twice = Vec::new();
    let mut nameless = false;
    for (index, document) in documents.iter().enumerate() {
        let Some(document) = document else {
            nameless = true;
            continue;
        };
        let quiet = Sheet::new(sheets[index].path, sheets[index].text);
        let Some((id, head)) = head(&Section::root(&quiet, document)) else {
            nameless = true;
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
    let written: Vec<_> = sheets.iter().zip(&documents).collect();
    let read = cores::each(&written, |(sheet, document)| {
        let mut reader = Reader {
            sheet,
            around,
            nameless,
            heads: &heads,
            arms: Arms::default(),
        };
        reader.sequence(&Section::root(sheet, document.as_ref()?))
    });
    let mut found: Vec<Sequence> = read.into_iter().flatten().collect();
    found.sort_by(|a, b| a.id.cmp(&b.id));
    experiment::agree(&found, &sheets);
    (found, sheets.into_iter().flat_map(Sheet::found).collect())
}

fn head(root: &Section<'_, '_>) -> Option<(Spanned<String>, Head)> {
    let start = root.table("start");
    let text = |key: &str| start.as_ref().and_then(|start| start.text(key));
    let on: Option<FactKind> = text("on").and_then(|on| on.value.parse().ok());
    let per = text("per").map_or_else(
        || default_per(on),
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
            was: root
                .peek_texts("was")
                .into_iter()
                .map(|was| was.value)
                .collect(),
            renamed: root
                .tables("step")
                .iter()
                .filter_map(|step| Some((step.peek_texts("was"), step.peek("id")?.value)))
                .flat_map(|(was, id)| was.into_iter().map(move |was| (was.value, id.clone())))
                .collect(),
            start: on,
            of: text("of").map(|of| of.value),
            per,
            whole: root.all_known(&keys::SEQUENCE, "step")
                && root
                    .tables("step")
                    .iter()
                    .all(|step| step.peek("id").is_some()),
        },
    ))
}

struct Reader<'s> {
    sheet: &'s Sheet<'s>,
    /// Whether there are files whose id cannot be read.
    nameless: bool,
    around: Around<'s>,
    heads: &'s BTreeMap<String, Head>,
    /// What the file's experiment says of its arms.
    arms: Arms,
}

impl<'s> Reader<'s> {
    /// One file. `None` where something that the rest hangs on is missing.
    fn sequence(&mut self, root: &Section<'s, '_>) -> Option<Sequence> {
        if root.is_empty("a sequence begins with format = 1, id, kind, title and from") {
            return None;
        }
        root.only(&keys::SEQUENCE, &[]);
        match root.has("format") {
            None => root.missing("format", "1"),
            Some(span) => {
                if let Some(format) = root.number("format", 0, i64::MAX)
                    && format != 1
                {
                    self.sheet.report(
                        self.sheet
                            .problem(
                                "E106",
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
                    "E125",
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
        let section = root.table("experiment");
        let experiment = section
            .as_ref()
            .and_then(|section| self.experiment(section));
        self.arms = Arms::of(root.has("experiment").is_some(), experiment.as_ref());
        let known = start
            .as_ref()
            .map(|start| self.with_variant(self.known(start)));
        let forms = self.steps(root, kind, start.as_ref());
        let (steps, experiment) = self.arranged(experiment, forms);
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
        let others: Vec<&str> = self.heads.keys().map(String::as_str).collect();
        let was = self.was(root, &others);
        for text in root.peek_texts("was") {
            let own = id.as_ref().map_or("", |id| id.value.as_str());
            let taken = self
                .heads
                .iter()
                .any(|(other, head)| other.as_str() < own && head.was.contains(&text.value));
            if taken {
                self.renamed_twice(&text);
            }
        }
        let id = id?;
        Some(Sequence {
            place: self.sheet.place(id.span.start),
            id: id.value,
            was,
            kind: kind?,
            title: title?.value,
            from: from?.value,
            start: start?,
            steps,
            pauses,
            stops,
            experiment,
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
                    .problem("E111", id.span.clone(), "this is no id")
                    .help(format!(
                        "ids are small letters, digits, - and _, at most {MAX_ID}: \"first-steps\""
                    )),
            );
        }
        fits
    }

    /// The ids that something had before: none of them may be that of another one now.
    fn was(&self, section: &Section<'s, '_>, taken: &[&str]) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for was in section.texts("was", true).unwrap_or_default() {
            if was.value.trim().is_empty() {
                self.sheet.report(
                    self.sheet
                        .problem("E127", was.span, "`was` names nothing")
                        .help("customers who got the mail under its old id would get it again")
                        .help("write the old id, or leave `was` out"),
                );
                continue;
            }
            if taken.contains(&was.value.as_str()) {
                self.sheet.report(
                    self.sheet
                        .problem(
                            "E174",
                            was.span,
                            format!("\"{}\" is still there", was.value.escape_debug()),
                        )
                        .help("`was` names an id that is gone: customers who got the mail under it have got this one")
                        .help("leave `was` out, or remove the other one"),
                );
            } else if found.contains(&was.value) {
                self.renamed_twice(&was);
            } else {
                found.push(was.value);
            }
        }
        found
    }

    /// Reports an old id that is named a second time.
    fn renamed_twice(&self, was: &Spanned<String>) {
        self.sheet.report(
            self.sheet
                .problem(
                    "E175",
                    was.span.clone(),
                    format!("\"{}\" was renamed already", was.value.escape_debug()),
                )
                .help(
                    "one id becomes one other: who got the old mail would count as having got both",
                )
                .help("keep `was` at the one that replaces it"),
        );
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
        // It may be in a file, or the step, whose id cannot be read: that was said already.
        let unsure = match self.heads.get(sequence) {
            Some(head) => !head.whole,
            None => self.nameless,
        };
        if unsure {
            return true;
        }
        if !known {
            let all: Vec<String> = self
                .heads
                .iter()
                .flat_map(|(id, head)| head.steps.iter().map(move |step| format!("{id}/{step}")))
                .collect();
            let problem = self.sheet.problem(
                "E121",
                span,
                format!("no step is called \"{}\"", name.escape_debug()),
            );
            let renamed = self.heads.get(sequence).and_then(|head| {
                let of = head.renamed.iter().find(|(was, _)| was == step);
                of.map(|(_, id)| id)
            });
            if let Some(id) = renamed {
                let now = format!("it is called \"{sequence}/{id}\" now");
                self.sheet.report(problem.help(now));
                return known;
            }
            self.sheet.report(suggest(
                problem,
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
            Ok(fact) if fact.is_of_time() => {
                self.sheet.report(
                    self.sheet
                        .problem(
                            "E170",
                            text.span.clone(),
                            format!("\"{fact}\" can only start a sequence"),
                        )
                        .help("it is time that brings it, and nothing that happens to a customer; name a fact, such as \"order.placed\"")
                        .help("to begin then, write on = \"…\" in [start] of a sequence of its own"),
                );
                None
            }
            Ok(FactKind::Event(EventKind::ProductUpdated)) => {
                self.sheet.report(
                    self.sheet
                        .problem(
                            "E126",
                            text.span.clone(),
                            "\"product.updated\" is about no customer",
                        )
                        .help("it updates the catalogue; ask in_stock(\"…\") in a condition"),
                );
                None
            }
            Ok(fact) => Some(fact),
            Err(mut problem) => {
                if let Some(ours) = elsewhere::fact(&text.value) {
                    problem.help = vec![format!("did you mean \"{ours}\"?")];
                }
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
    let near = nearest(word, listed.iter().copied());
    match near.or_else(|| elsewhere::fact(word)) {
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
