//! Mail files in, mails out: subject, preheader, HTML and text of one mail for one
//! person, from templates that were read, checked and compiled when the shop's files
//! were loaded.
//!
//! What a template may say is Handlebars; its grammar is the `handlebars` crate's. What
//! it *means* is settled here, because a mail that goes to a customer needs more than
//! an engine gives: a value that is not there stops the mail instead of printing a
//! blank, every loop and every byte is counted, values are escaped by the place where
//! they stand (text, attribute, address), and the tree that is checked against the
//! names of [`crate::model::names`] is the tree that is rendered.
//!
//! Nothing here reads a file, a clock or a random number: the same inputs give the same
//! bytes. Start reading at [`templates`]; [`program`] is the tree, [`check`] walks it
//! with types, [`evaluate`] with values.

mod allow;
mod check;
pub mod context;
mod evaluate;
mod foreign;
mod front;
pub mod functions;
mod html;
mod laid;
pub mod languages;
mod leftover;
mod load;
mod markdown;
mod markup;
mod mjml;
mod mjml_lint;
mod mjml_torn;
pub mod page;
mod program;
pub mod proof;
mod reads;
mod show;
mod strings;
pub mod survey;
mod tags;
mod templates;
#[cfg(test)]
mod tests;
mod text;
#[cfg(test)]
mod words_tests;

pub use allow::allowances;
pub use check::settle_values;
pub use context::{Campaign, Context};
pub use front::KEYS as HEAD_KEYS;
pub use templates::{LoadPolicy, MAX_SUBJECT, Rendered, Templates};

/// The first words of all names that mails may know.
pub(crate) fn names_of_mails() -> impl Iterator<Item = &'static str> {
    use crate::model::names::{IN_MAILS, SHARED};
    IN_MAILS.iter().chain(SHARED).map(|field| field.name)
}

/// Largest part of one mail, in bytes.
pub const MAX_OUTPUT: usize = 1 << 20;
/// Deepest nesting of blocks and partials.
pub const MAX_DEPTH: usize = 32;
/// Most parts of a template that one rendering may pass through, loops included.
pub const MAX_STEPS: u32 = 200_000;
/// Largest template file, in bytes.
pub const MAX_SOURCE: usize = 512 * 1024;

/// Why a mail could not be rendered. The send is held until files or facts change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{template}:{line}: {message}")]
pub struct RenderError {
    /// What was wanted and what was there, lower case; never a customer's value.
    pub message: String,
    /// The file, relative to the shop's folder.
    pub template: String,
    /// From 1; 0 where it concerns the file as a whole.
    pub line: u32,
}
