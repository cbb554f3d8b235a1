//! Problems of files, shown in their place: with drawn excerpts on a terminal, plain
//! elsewhere, one JSON object a line for programs.

use super::Out;
use crate::model::diagnostic::{Diagnostic, Severity, position};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use serde::Serialize;
use std::fmt::{self, Write as _};
use std::io::{IsTerminal, Write as _};
use std::ops::Range;

/// How wide the drawn form is.
const WIDTH: usize = 100;
/// Longest line of a file that is quoted, in characters; feeds have far longer ones.
const LONGEST_LINE: usize = 160;

/// How problems look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Excerpts with drawn arrows and colours.
    Drawn,
    /// Text alone, for files and pipes.
    Plain,
}

/// Prints problems as the answer of a command. `files` are paths and texts, to quote from.
///
/// # Errors
/// Standard output is closed.
pub fn print(
    out: &mut Out,
    problems: &[Diagnostic],
    files: &[(String, String)],
) -> anyhow::Result<()> {
    for problem in problems {
        if out.is_json() {
            out.object(&Row::of(problem, files))?;
        } else {
            let look = look(std::io::stdout().is_terminal());
            out.line(text(problem, files, look))?;
        }
    }
    Ok(())
}

/// Prints problems to standard error, where they are not what was asked for.
pub fn complain(problems: &[Diagnostic], files: &[(String, String)]) {
    let mut to = anstream::stderr();
    let look = look(std::io::stderr().is_terminal());
    for problem in problems {
        // Where even this cannot be said, there is nobody to say it to.
        let _ = writeln!(to, "{}", text(problem, files, look));
    }
}

fn look(terminal: bool) -> Look {
    if terminal { Look::Drawn } else { Look::Plain }
}

/// One problem for people, with an empty line after it.
pub fn text(problem: &Diagnostic, files: &[(String, String)], look: Look) -> String {
    let source = source(problem, files);
    match (look, source) {
        (Look::Drawn, Some(source)) if is_drawable(problem, source) => {
            drawn(problem, source).unwrap_or_else(|| plain(problem, Some(source)))
        }
        (Look::Drawn | Look::Plain, source) => plain(problem, source),
    }
}

/// Whether the lines of a problem are short enough to be drawn whole.
fn is_drawable(problem: &Diagnostic, text: &str) -> bool {
    let others = problem.related.iter().map(|(span, _)| span);
    std::iter::once(&problem.span).chain(others).all(|span| {
        let (Some(before), Some(after)) = (text.get(..span.start), text.get(span.start..)) else {
            return false;
        };
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let end = span.start + after.find('\n').unwrap_or(after.len());
        end - start <= LONGEST_LINE * 4
            && text[start..end].chars().count() <= LONGEST_LINE
            && !text[start..end].chars().any(is_unseen)
    })
}

/// Whether a character could do something to a terminal.
fn is_unseen(c: char) -> bool {
    c.is_control() && c != '\t' && c != '\r'
}

/// The text that the problem is about, where there is something in it to quote.
fn source<'a>(problem: &Diagnostic, files: &'a [(String, String)]) -> Option<&'a str> {
    files
        .iter()
        .find(|(path, _)| *path == problem.file)
        .map(|(_, text)| text.as_str())
        .filter(|text| problem.span.end <= text.len() && problem.span != (0..0))
}

/// One problem for programs.
#[derive(Debug, Serialize)]
pub struct Row<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    /// The place after its last character.
    end: End,
    code: &'a str,
    severity: &'a str,
    message: &'a str,
    help: Vec<&'a str>,
}

/// A line and a column, both from 1.
#[derive(Debug, Serialize)]
pub struct End {
    line: u32,
    column: u32,
}

impl<'a> Row<'a> {
    /// The row of a problem.
    pub fn of(problem: &'a Diagnostic, files: &[(String, String)]) -> Self {
        let text = source(problem, files).unwrap_or_default();
        let (line, column) = position(text, problem.span.start);
        let (end_line, end_column) = position(text, problem.span.end);
        let label = problem.label.iter();
        Row {
            file: &problem.file,
            line,
            column,
            end: End {
                line: end_line,
                column: end_column,
            },
            code: problem.code,
            severity: problem.severity().as_str(),
            message: &problem.message,
            help: label.chain(&problem.help).map(String::as_str).collect(),
        }
    }
}

fn plain(problem: &Diagnostic, source: Option<&str>) -> String {
    let mut to = format!(
        "{}[{}]: {}\n",
        problem.severity().as_str(),
        problem.code,
        problem.message
    );
    let mut quoted = Ok(());
    match source {
        Some(text) => {
            let (line, column) = position(text, problem.span.start);
            let _ = writeln!(to, "  --> {}:{line}:{column}", problem.file);
            quoted = excerpt(&mut to, problem, text);
        }
        None => {
            let _ = writeln!(to, "  --> {}", problem.file);
        }
    }
    // Writing into a String does not fail.
    debug_assert!(quoted.is_ok());
    for line in &problem.help {
        let _ = writeln!(to, "   = {line}");
    }
    to
}

/// The lines that the problem is about, each with a mark under what is meant.
fn excerpt(to: &mut String, problem: &Diagnostic, text: &str) -> fmt::Result {
    let label = problem.label.as_deref().unwrap_or_default();
    let mut marks: Vec<(&Range<usize>, &str, char)> = vec![(&problem.span, label, '^')];
    marks.extend(
        problem
            .related
            .iter()
            .filter(|(span, _)| span.end <= text.len())
            .map(|(span, words)| (span, words.as_str(), '-')),
    );
    marks.sort_by_key(|(span, ..)| span.start);
    let last = marks
        .last()
        .map_or(1, |(span, ..)| position(text, span.start).0);
    let width = last.to_string().len().max(2);
    writeln!(to, "{:width$} |", "")?;
    let mut shown = 0;
    for (span, words, sign) in marks {
        let (number, column) = position(text, span.start);
        let line = text
            .split('\n')
            .nth(usize::try_from(number).unwrap_or(1) - 1)
            .unwrap_or_default();
        let line = line.trim_end_matches('\r');
        if line.chars().count() > LONGEST_LINE {
            continue;
        }
        if number != shown {
            let seen: String = line
                .chars()
                .map(|c| if is_unseen(c) { '\u{fffd}' } else { c })
                .collect();
            writeln!(to, "{number:width$} | {seen}")?;
            shown = number;
        }
        let before = usize::try_from(column).unwrap_or(1) - 1;
        // Tabs stay tabs, so that the mark stands under what is meant.
        let indent: String = line
            .chars()
            .take(before)
            .map(|c| if c == '\t' { c } else { ' ' })
            .collect();
        let meant = text.get(span.clone()).unwrap_or_default();
        let long = meant
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            .max(1);
        let mark = sign.to_string().repeat(long);
        writeln!(
            to,
            "{}",
            format!("{:width$} | {indent}{mark} {words}", "").trim_end()
        )?;
    }
    Ok(())
}

fn drawn(problem: &Diagnostic, source: &str) -> Option<String> {
    let shown = Shown {
        problem,
        source: NamedSource::new(&problem.file, source.to_owned()),
    };
    let mut to = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode())
        .with_width(WIDTH)
        .with_links(false)
        .with_context_lines(1)
        .render_report(&mut to, &shown)
        .ok()?;
    Some(to)
}

/// A problem as miette wants it.
#[derive(Debug)]
struct Shown<'a> {
    problem: &'a Diagnostic,
    source: NamedSource<String>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn code(&self) -> Option<Box<dyn fmt::Display + '_>> {
        let severity = self.problem.severity().as_str();
        Some(Box::new(format!("{severity}[{}]", self.problem.code)))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.problem.severity() {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        let lines = &self.problem.help;
        (!lines.is_empty()).then(|| Box::new(lines.join("\n")) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let here = self
            .problem
            .label
            .clone()
            .unwrap_or_else(|| "here".to_owned());
        let first = LabeledSpan::new_primary_with_span(Some(here), self.problem.span.clone());
        let others = self
            .problem
            .related
            .iter()
            .map(|(span, words)| LabeledSpan::new_with_span(Some(words.clone()), span.clone()));
        Some(Box::new(std::iter::once(first).chain(others)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "format = 1\n\tid = \"manual\"\nx = 2\nid = \"manual\" # ü\n";

    fn files() -> Vec<(String, String)> {
        vec![("config/a.toml".to_owned(), TEXT.to_owned())]
    }

    fn twice() -> Diagnostic {
        Diagnostic::new(
            "E101",
            "config/a.toml",
            37..45,
            "two steps are called \"manual\"",
        )
        .label("again here")
        .related(17..25, "first one")
        .help("a step's id is how we know who already got it")
    }

    #[test]
    fn plain_problems_quote_their_lines() {
        assert_eq!(
            text(&twice(), &files(), Look::Plain),
            "error[E101]: two steps are called \"manual\"\n  \
               --> config/a.toml:4:6\n   |\n \
             2 | \tid = \"manual\"\n   | \t     -------- first one\n \
             4 | id = \"manual\" # ü\n   |      ^^^^^^^^ again here\n   \
               = a step's id is how we know who already got it\n"
        );
        let whole = Diagnostic::new("W108", "config/b.toml", 0..0, "nothing reads this file");
        assert_eq!(
            text(&whole, &files(), Look::Drawn),
            "warning[W108]: nothing reads this file\n  --> config/b.toml\n"
        );
    }

    #[test]
    fn drawn_problems_have_the_same_words() {
        let drawn = text(&twice(), &files(), Look::Drawn);
        for part in [
            "error[E101]",
            "again here",
            "first one",
            "config/a.toml:4:6",
            "who already got it",
        ] {
            assert!(drawn.contains(part), "{part} in {drawn}");
        }
    }

    #[test]
    fn programs_get_one_object() {
        let (files, problem) = (files(), twice());
        let row = serde_json::to_value(Row::of(&problem, &files)).ok();
        assert_eq!(
            row,
            Some(serde_json::json!({
                "file": "config/a.toml", "line": 4, "column": 6, "end": {"line": 4, "column": 14},
                "code": "E101", "severity": "error", "message": "two steps are called \"manual\"",
                "help": ["again here", "a step's id is how we know who already got it"],
            }))
        );
    }
}
