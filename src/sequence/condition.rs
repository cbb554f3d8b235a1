//! Conditions: CEL, parsed once, names and types checked against
//! [`crate::model::names`], evaluated over [`Names`]. An evaluation that fails is an
//! error that never lets a mail go.

use crate::model::names::{Known, Names};
use std::collections::BTreeSet;

/// A checked condition.
#[derive(Debug, Clone)]
pub struct Condition {
    text: String,
    uses: BTreeSet<String>,
}

/// What is wrong with a condition's text: offset and length in it, and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub code: &'static str,
    pub at: std::ops::Range<usize>,
    pub message: String,
    pub help: Vec<String>,
}

impl Condition {
    /// Parses and checks a condition for a place where `known` names exist.
    ///
    /// # Errors
    /// Every problem found, with its place in `text`.
    pub fn compile(text: &str, known: &Known) -> Result<Condition, Vec<Problem>> {
        let _ = known;
        Ok(Condition {
            text: text.to_owned(),
            uses: BTreeSet::new(),
        })
    }

    /// Its text as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Paths that it reads, such as `order.gift`, and calls, such as `owns()`.
    pub fn uses(&self, path: &str) -> bool {
        self.uses.contains(path)
    }

    /// Whether its value can change with time alone (`now`, `days_since`).
    pub fn moves_with_time(&self) -> bool {
        self.uses("now") || self.uses("days_since()")
    }

    /// Evaluates it.
    ///
    /// # Errors
    /// A sentence, where a value was missing or no boolean came out.
    pub fn holds(&self, names: &Names) -> Result<bool, String> {
        let _ = names;
        todo!()
    }
}
