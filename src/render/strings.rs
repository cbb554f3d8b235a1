//! The words of layouts and pages: Project Fluent files, one for each language.
//!
//! What such a file may say is Fluent; its grammar is the `fluent-syntax` crate's. What
//! it *means* is settled here, for the reason for which templates have a walker of their
//! own: a reference that leads nowhere or an argument that is not there stops the mail
//! instead of printing `{$name}`, plurals and numbers are those of the reader's language
//! ([`super::languages`]), and every step is counted.
//!
//! [`read`] makes a catalogue of a file, [`compare`] looks at all of them together.

pub mod compare;
pub mod read;

use super::html::is_stray;
use super::languages::{Language, is_foreign, isolate_into};
use crate::model::nearest::nearest;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Most parts of messages that one `{{t}}` may pass through.
const MAX_PARTS: u32 = 2_000;
/// Deepest nesting of messages, terms and selectors.
pub const MAX_DEPTH: usize = 16;
/// The message that `{{stars}}` reads its words from, where a catalogue has it.
pub const STARS: &str = "stars";

/// The words of one language.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// Path of its file.
    pub file: String,
    pub messages: BTreeMap<String, Entry>,
    /// Without the leading `-`.
    pub terms: BTreeMap<String, Entry>,
}

/// A message or a term.
#[derive(Debug, Default)]
pub struct Entry {
    /// Its name in the file.
    pub span: Range<usize>,
    pub pattern: Pattern,
    /// Of terms only.
    pub attributes: BTreeMap<String, Pattern>,
}

/// What is printed, in order.
pub type Pattern = Vec<Part>;

/// One part of a pattern.
#[derive(Debug)]
pub enum Part {
    Words(String),
    /// `{ $name }`
    Argument {
        name: String,
    },
    /// `{ 3 }`
    Number(i64),
    /// `{ other-message }`
    Message {
        name: String,
        span: Range<usize>,
    },
    /// `{ -term }`, `{ -term(case: "dative") }`
    Term {
        name: String,
        given: Vec<(String, Given)>,
        span: Range<usize>,
    },
    /// `{ $n -> [one] … *[other] … }`
    Select {
        by: Selector,
        variants: Vec<(Key, Pattern)>,
        default: usize,
        span: Range<usize>,
    },
}

/// What a choice depends on.
#[derive(Debug)]
pub enum Selector {
    /// `$n`, or `NUMBER($n, type: "ordinal")`.
    Argument { name: String, ordinal: bool },
    /// `-term.gender`
    Attribute {
        term: String,
        attribute: String,
        span: Range<usize>,
    },
}

/// When a variant is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    Number(i64),
    /// A plural category, or a word.
    Word(String),
}

/// The value of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    Text(String),
    Number(i64),
}

/// Where the words of one mail are looked up.
#[derive(Debug, Clone, Copy)]
pub struct Shelf<'s> {
    /// The mail's own language first, then the shop's fallback; a brand's before the
    /// common ones.
    pub chain: &'s [&'s Catalogue],
    /// Every catalogue of the shop.
    pub all: &'s [&'s Catalogue],
}

impl<'s> Shelf<'s> {
    /// A message, in the first language that has it.
    pub fn message(&self, name: &str) -> Option<&'s Entry> {
        self.chain.iter().find_map(|one| one.messages.get(name))
    }

    fn term(&self, name: &str) -> Option<&'s Entry> {
        self.chain.iter().find_map(|one| one.terms.get(name))
    }

    /// Whether any language has it.
    pub fn exists(&self, name: &str) -> bool {
        self.all.iter().any(|one| one.messages.contains_key(name))
    }

    /// The names of all messages of any language.
    pub fn names(&self) -> impl Iterator<Item = &'s str> {
        self.all
            .iter()
            .flat_map(|one| one.messages.keys().map(String::as_str))
    }

    /// The arguments that a message cannot do without, those of messages that it prints
    /// included.
    pub fn needs(&self, name: &str) -> BTreeSet<&'s str> {
        let mut found = BTreeSet::new();
        if let Some(entry) = self.message(name) {
            self.needed(&entry.pattern, 0, &mut found);
        }
        found
    }

    /// Whether a text in any language has a use for an argument.
    pub fn uses(&self, name: &str, argument: &str) -> bool {
        self.all.iter().any(|one| {
            let chain = [*one];
            let alone = Shelf {
                chain: &chain,
                all: self.all,
            };
            alone.needs(name).contains(argument)
        }) || self.needs(name).contains(argument)
    }

    fn needed(&self, pattern: &'s Pattern, depth: usize, found: &mut BTreeSet<&'s str>) {
        if depth > MAX_DEPTH {
            return;
        }
        for part in pattern {
            match part {
                Part::Words(_) | Part::Number(_) | Part::Term { .. } => {}
                Part::Argument { name } => {
                    found.insert(name);
                }
                Part::Message { name, .. } => {
                    if let Some(entry) = self.message(name) {
                        self.needed(&entry.pattern, depth + 1, found);
                    }
                }
                Part::Select { by, variants, .. } => {
                    if let Selector::Argument { name, .. } = by {
                        found.insert(name);
                    }
                    for (_, pattern) in variants {
                        self.needed(pattern, depth + 1, found);
                    }
                }
            }
        }
    }

    /// What is wrong with asking for a message with some arguments: code, message, help.
    pub fn asked(&self, name: &str, given: &[&str]) -> Vec<(&'static str, String, Option<String>)> {
        if self.message(name).is_none() {
            // What another language has is told once, by its file ([`compare`]).
            if self.exists(name) {
                return Vec::new();
            }
            let near = nearest(name, self.names());
            return vec![(
                "E211",
                format!("templates/strings has no \"{name}\""),
                Some(near.map_or_else(
                    || format!("add {name} = … to the files in templates/strings"),
                    |near| format!("did you mean `{near}`?"),
                )),
            )];
        }
        let needs = self.needs(name);
        let mut found = Vec::new();
        for one in needs.iter().filter(|one| !given.contains(one)) {
            found.push((
                "E263",
                format!("\"{name}\" needs {one}=…"),
                Some(
                    match given.iter().find(|had| {
                        !needs.contains(*had) && nearest(one, std::iter::once(**had)).is_some()
                    }) {
                        Some(had) => format!("did you mean `{one}` instead of `{had}`?"),
                        None => format!(
                            "its words print {{ ${one} }}; without a value the mail could not be made"
                        ),
                    },
                ),
            ));
        }
        if found.is_empty() {
            for one in given.iter().filter(|one| !self.uses(name, one)) {
                found.push((
                    "W263",
                    format!("no words of \"{name}\" print `{one}`"),
                    Some(match needs.iter().next() {
                        Some(_) => format!(
                            "they take {}",
                            needs.iter().copied().collect::<Vec<_>>().join(", ")
                        ),
                        None => format!("write {{ ${one} }} in templates/strings, or leave it out"),
                    }),
                ));
            }
        }
        found
    }

    /// The words of a message.
    ///
    /// Arguments that are text stand in a direction of their own (U+2068 … U+2069) where
    /// they could disturb that of the sentence; whoever prints turns the marks into
    /// markup.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn say(
        &self,
        name: &str,
        given: &[(String, Given)],
        language: &Language,
    ) -> Result<String, String> {
        let entry = self
            .message(name)
            .ok_or_else(|| format!("templates/strings has no \"{name}\""))?;
        let mut saying = Saying {
            shelf: self,
            language,
            out: String::new(),
            parts: 0,
        };
        saying.pattern(&entry.pattern, given, 0)?;
        Ok(saying.out)
    }
}

struct Saying<'a, 's> {
    shelf: &'a Shelf<'s>,
    language: &'a Language,
    out: String,
    parts: u32,
}

impl Saying<'_, '_> {
    fn pattern(
        &mut self,
        pattern: &Pattern,
        given: &[(String, Given)],
        depth: usize,
    ) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("words are nested deeper than {MAX_DEPTH}"));
        }
        for part in pattern {
            self.parts += 1;
            if self.parts > MAX_PARTS {
                return Err(format!("these words have more than {MAX_PARTS} parts"));
            }
            match part {
                Part::Words(words) => self.out.push_str(words),
                Part::Number(number) => self.out.push_str(&self.language.number(*number)),
                Part::Argument { name } => match find(given, name)? {
                    Given::Number(number) => self.out.push_str(&self.language.number(*number)),
                    Given::Text(text) => {
                        if is_foreign(text, self.language.is_rtl()) {
                            isolate_into(&mut self.out, text);
                        } else {
                            self.out.extend(text.chars().filter(|c| !is_stray(*c)));
                        }
                    }
                },
                Part::Message { name, .. } => {
                    let entry = self
                        .shelf
                        .message(name)
                        .ok_or_else(|| format!("templates/strings has no \"{name}\""))?;
                    self.pattern(&entry.pattern, given, depth + 1)?;
                }
                Part::Term {
                    name, given: own, ..
                } => {
                    let entry = self
                        .shelf
                        .term(name)
                        .ok_or_else(|| format!("templates/strings has no term \"-{name}\""))?;
                    self.pattern(&entry.pattern, own, depth + 1)?;
                }
                Part::Select {
                    by,
                    variants,
                    default,
                    ..
                } => {
                    let taken = self
                        .taken(by, variants, given)?
                        .or_else(|| variants.get(*default).map(|(_, pattern)| pattern));
                    if let Some(pattern) = taken {
                        self.pattern(pattern, given, depth + 1)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn taken<'v>(
        &self,
        by: &Selector,
        variants: &'v [(Key, Pattern)],
        given: &[(String, Given)],
    ) -> Result<Option<&'v Pattern>, String> {
        let word = |word: &str| {
            variants
                .iter()
                .find(|(key, _)| matches!(key, Key::Word(own) if own == word))
                .map(|(_, pattern)| pattern)
        };
        Ok(match by {
            Selector::Attribute {
                term, attribute, ..
            } => {
                let pattern = self
                    .shelf
                    .term(term)
                    .and_then(|entry| entry.attributes.get(attribute));
                match pattern.map(Vec::as_slice) {
                    Some([Part::Words(own)]) => word(own),
                    _ => None,
                }
            }
            Selector::Argument { name, ordinal, .. } => {
                // A term's own arguments may be left out; its default stands in.
                let Some((_, value)) = given.iter().find(|(had, _)| had == name) else {
                    return Ok(None);
                };
                match value {
                    Given::Text(text) => word(text),
                    Given::Number(number) => variants
                        .iter()
                        .find(|(key, _)| *key == Key::Number(*number))
                        .map(|(_, pattern)| pattern)
                        .or_else(|| {
                            word(if *ordinal {
                                self.language.ordinal(*number)
                            } else {
                                self.language.plural(*number)
                            })
                        }),
                }
            }
        })
    }
}

fn find<'g>(given: &'g [(String, Given)], name: &str) -> Result<&'g Given, String> {
    given
        .iter()
        .find(|(had, _)| had == name)
        .map(|(_, value)| value)
        .ok_or_else(|| format!("`{name}` has no value to print"))
}
