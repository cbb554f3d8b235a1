//! What is wrong with an authored file: what, where, why it matters to a customer,
//! what to type. Readers collect all of them; nobody stops at the first.

use std::fmt;
use std::ops::Range;

/// One problem in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code, such as `E104`; `W…` for warnings.
    pub code: &'static str,
    /// What is wrong, one line, lower case.
    pub message: String,
    /// The file, relative to the shop's folder.
    pub file: String,
    /// Bytes of the file that it is about; empty at 0 where it is the whole file.
    pub span: Range<usize>,
    /// Words set beside the span.
    pub label: Option<String>,
    /// Other places in the same file that belong to it, with their words.
    pub related: Vec<(Range<usize>, String)>,
    /// Why it matters and what to type; each a line.
    pub help: Vec<String>,
}

/// Whether a problem keeps the files from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Error,
    Warning,
}

impl Severity {
    /// The name in `check --json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

impl Diagnostic {
    /// A problem at `span` of `file`.
    pub fn new(
        code: &'static str,
        file: impl Into<String>,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        Diagnostic {
            code,
            message: message.into(),
            file: file.into(),
            span,
            label: None,
            related: Vec::new(),
            help: Vec::new(),
        }
    }

    /// Adds a line of help.
    #[must_use]
    pub fn help(mut self, line: impl Into<String>) -> Self {
        self.help.push(line.into());
        self
    }

    /// Sets the words beside the span.
    #[must_use]
    pub fn label(mut self, words: impl Into<String>) -> Self {
        self.label = Some(words.into());
        self
    }

    /// Points at another place of the same file.
    #[must_use]
    pub fn related(mut self, span: Range<usize>, words: impl Into<String>) -> Self {
        self.related.push((span, words.into()));
        self
    }

    /// Puts problems in the order in which they are told, each once: by file, place, code
    /// and words, so that two runs over the same files say the same. What several readers
    /// of a file say of one place in the same words is one problem, with the help of the
    /// first of them.
    pub fn order(problems: &mut Vec<Diagnostic>) {
        problems.sort_by(|a, b| {
            let key = |one: &Diagnostic| (one.span.start, one.span.end, one.code);
            (&a.file, key(a), &a.message).cmp(&(&b.file, key(b), &b.message))
        });
        problems.dedup_by(|a, b| {
            (&a.file, &a.span, a.code, &a.message) == (&b.file, &b.span, b.code, &b.message)
        });
    }

    /// Error or warning, by the code's letter.
    pub fn severity(&self) -> Severity {
        if self.code.starts_with('W') {
            Severity::Warning
        } else {
            Severity::Error
        }
    }
}

/// Line and column, both from 1, columns in characters.
pub fn position(text: &str, offset: usize) -> (u32, u32) {
    let offset = (0..=offset.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    let before = &text[..offset];
    let line = before.matches('\n').count() as u32 + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before[start..].chars().count() as u32 + 1)
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}[{}]: {}: {}",
            self.severity().as_str(),
            self.code,
            self.file,
            self.message
        )
    }
}
