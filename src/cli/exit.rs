//! How commands end: exit codes, and errors printed as a chain with its hints.

use crate::engine::EngineError;
use crate::store::StoreError;
use std::fmt::Write as _;
use std::io::{self, Write as _};

/// The exit codes, the same for every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, and nothing is wrong.
    Fine,
    /// Done, and the command found problems.
    Problems,
    /// Wrong use or wrong configuration.
    Misuse,
    /// The data (database, relay, file) is out of reach.
    OutOfReach,
}

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Fine => 0,
            Exit::Problems => 1,
            Exit::Misuse => 2,
            Exit::OutOfReach => 3,
        }
    }
}

/// An error of a command's own, with its exit code. A hint stands in the message on a
/// line of its own that begins with `hint: `.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    exit: Exit,
    message: String,
}

/// Wrong use or configuration.
pub fn misuse(message: impl Into<String>) -> anyhow::Error {
    Failure {
        exit: Exit::Misuse,
        message: message.into(),
    }
    .into()
}

/// What was asked about is not there.
pub fn not_found(message: impl Into<String>) -> anyhow::Error {
    Failure {
        exit: Exit::Problems,
        message: message.into(),
    }
    .into()
}

/// Data that cannot be had now.
pub fn out_of_reach(message: impl Into<String>) -> anyhow::Error {
    Failure {
        exit: Exit::OutOfReach,
        message: message.into(),
    }
    .into()
}

/// The exit code of an error. A reader that closed the pipe has what it wanted.
pub fn exit_of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return failure.exit;
        }
        if let Some(error) = cause.downcast_ref::<StoreError>() {
            return of_store(error);
        }
        if let Some(error) = cause.downcast_ref::<EngineError>() {
            return match error {
                EngineError::Store(error) => of_store(error),
                EngineError::Files { .. } | EngineError::Page(_) => Exit::Misuse,
                EngineError::Io { .. } => Exit::OutOfReach,
            };
        }
        if is_closed_pipe(cause) {
            return Exit::Fine;
        }
    }
    Exit::Misuse
}

fn of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::Url { .. } | StoreError::NewerSchema { .. } | StoreError::OldSqlite { .. } => {
            Exit::Misuse
        }
        _ => Exit::OutOfReach,
    }
}

fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Prints an error to standard error, unless it is only that nobody reads any more.
pub fn complain(error: &anyhow::Error) {
    if error.chain().any(is_closed_pipe) {
        return;
    }
    use owo_colors::OwoColorize;
    let mut to = anstream::stderr();
    let told = told(error);
    let (first, rest) = told.split_once('\n').unwrap_or((&told, ""));
    // Nobody can be told that standard error is closed.
    let _ = writeln!(to, "{} {first}", "error:".red().bold());
    if !rest.is_empty() {
        let _ = writeln!(to, "{rest}");
    }
}

/// The chain as text: what, then each cause, then every hint.
fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    let mut hints: Vec<String> = Vec::new();
    let mut said: Vec<String> = Vec::new();
    for cause in error.chain() {
        let message = cause.to_string();
        let (own, hinted): (Vec<&str>, Vec<&str>) = message
            .lines()
            .partition(|line| !line.trim_start().starts_with("hint: "));
        hints.extend(hinted.into_iter().map(|line| line.trim_start().to_owned()));
        let own = own.join("\n         ");
        if own.is_empty() || said.iter().any(|before| before.contains(&own)) {
            continue;
        }
        if said.is_empty() {
            text.push_str(&own);
        } else {
            let _ = write!(text, "\n  because: {own}");
        }
        said.push(own);
    }
    hints.dedup();
    for hint in hints {
        let _ = write!(text, "\n  {hint}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_chain_is_told_from_the_outside_in_with_its_hints_last() {
        let error = Err::<(), _>(misuse("expected a, found b\nhint: write a"))
            .context("config/aftercare.toml: http.listen")
            .unwrap_err();
        assert_eq!(
            told(&error),
            "config/aftercare.toml: http.listen\n  because: expected a, found b\n  hint: write a"
        );
        assert_eq!(exit_of(&error), Exit::Misuse);
    }

    #[test]
    fn each_sort_of_failure_has_its_code() {
        let closed =
            anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).context("writing");
        for (error, code) in [
            (misuse("x"), 2),
            (not_found("x"), 1),
            (out_of_reach("x"), 3),
            (closed, 0),
            (StoreError::Closed.into(), 3),
            (EngineError::Store(StoreError::Closed).into(), 3),
            (StoreError::Url { found: "x".into() }.into(), 2),
            (anyhow::anyhow!("x"), 2),
        ] {
            assert_eq!(exit_of(&error).code(), code, "{error:?}");
        }
    }
}
