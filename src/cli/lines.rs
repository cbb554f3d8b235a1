//! NDJSON from a file or standard input: line by line, each bounded, numbered, and
//! parsed as one canonical event.

use super::exit::misuse;
use crate::ingest::canonical::{self, Learnt, Limits};
use crate::model::event::{Event, IngestMode};
use crate::store::Poison;
use crate::web::MAX_DEPTH;
use anyhow::Context as _;
use indicatif::ProgressBar;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

/// The longest line, in bytes: what intake over HTTP takes as well.
pub const MAX_LINE: usize = crate::web::MAX_BODY;
/// How much of a line that is no event is kept for the quarantine, in bytes.
const KEPT: usize = 64 * 1024;

/// One line.
#[derive(Debug)]
pub struct Line {
    /// From 1.
    pub number: u64,
    pub text: Vec<u8>,
    /// It went on beyond [`MAX_LINE`], and the rest is not here.
    pub cut: bool,
}

/// The lines of a file that are not blank.
pub struct Lines {
    from: Box<dyn BufRead + Send>,
    number: u64,
}

impl Lines {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(name: &str) -> anyhow::Result<Lines> {
        let from: Box<dyn BufRead + Send> = if name == "-" {
            Box::new(BufReader::new(io::stdin()))
        } else {
            let file =
                File::open(name).map_err(|error| misuse(format!("cannot open {name}: {error}")))?;
            Box::new(BufReader::with_capacity(256 * 1024, file))
        };
        Ok(Lines { from, number: 0 })
    }

    /// As [`Lines::open`], with a bar that follows.
    ///
    /// # Errors
    /// The same.
    pub fn following(name: &str, bar: &ProgressBar) -> anyhow::Result<Lines> {
        let mut lines = Lines::open(name)?;
        let from = std::mem::replace(&mut lines.from, Box::new(io::empty()));
        lines.from = Box::new(BufReader::new(bar.wrap_read(from)));
        Ok(lines)
    }

    #[cfg(test)]
    fn of(text: &'static [u8]) -> Lines {
        Lines {
            from: Box::new(text),
            number: 0,
        }
    }

    fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let mut text = Vec::new();
            let limit = MAX_LINE as u64 + 1;
            let read = (&mut self.from).take(limit).read_until(b'\n', &mut text)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            let cut = !text.ends_with(b"\n") && text.len() > MAX_LINE;
            if cut {
                self.skip_rest()?;
            }
            let trimmed = text.trim_ascii();
            if trimmed.is_empty() {
                continue;
            }
            return Ok(Some(Line {
                number: self.number,
                text: trimmed.to_vec(),
                cut,
            }));
        }
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        loop {
            let (found, used) = {
                let have = self.from.fill_buf()?;
                match have.iter().position(|byte| *byte == b'\n') {
                    Some(end) => (true, end + 1),
                    None => (have.is_empty(), have.len()),
                }
            };
            self.from.consume(used);
            if found {
                return Ok(());
            }
        }
    }
}

impl Iterator for Lines {
    type Item = anyhow::Result<Line>;
    fn next(&mut self) -> Option<Self::Item> {
        self.next_line()
            .context("the events cannot be read")
            .transpose()
    }
}

/// What a line says: an event, or why it is none. `backfill` makes history of it.
pub fn event(line: &Line, learnt: Learnt, backfill: bool) -> Result<Event, Box<Poison>> {
    let (Learnt::Now(recorded) | Learnt::AsTold(recorded)) = learnt;
    let poison = |reason: &str, because: String| {
        Box::new(Poison {
            source: None,
            id: None,
            kind: None,
            body: String::from_utf8_lossy(&line.text[..line.text.len().min(KEPT)]).into_owned(),
            reason: reason.to_owned(),
            because,
            recorded,
            transport: None,
        })
    };
    if line.cut {
        return Err(poison(
            "too_large",
            format!("the line is longer than {MAX_LINE} bytes"),
        ));
    }
    let limits = Limits { depth: MAX_DEPTH };
    let parsed = canonical::parse_line(&line.text, learnt, limits)
        .map_err(|malformed| poison("not_json", malformed.to_string()))?;
    if let Some(bad) = parsed.poison.into_iter().next() {
        return Err(Box::new(Poison::from(bad)));
    }
    let mut event = parsed
        .events
        .into_iter()
        .next()
        .ok_or_else(|| poison("not_an_event", "the line holds no event".into()))?;
    if backfill {
        event.mode = IngestMode::Backfill;
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_as_in_the_file_and_blank_ones_passed_over() {
        let lines: Vec<Line> = Lines::of(b"one\n\n  \r\ntwo\r\nthree")
            .map(Result::unwrap)
            .collect();
        let got: Vec<(u64, &[u8])> = lines
            .iter()
            .map(|l| (l.number, l.text.as_slice()))
            .collect();
        assert_eq!(got, [(1, b"one".as_slice()), (4, b"two"), (5, b"three")]);
    }
}
