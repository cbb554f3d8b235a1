//! The Handlebars tags of a source: found, parsed one by one, and set aside behind
//! tokens, so that Markdown, MJML and the CSS inliner work on a text in which no tag can
//! be broken, moved unseen or quoted wrongly.
//!
//! A token is a word of ASCII letters and digits. It stands where the tag stood, in
//! text, in attributes and in addresses alike; [`super::program`] reads it back.

mod read;

use read::{read, word};

use super::foreign::{self, Refusal};
use crate::model::diagnostic::Diagnostic;
use crate::render::MAX_DEPTH;
use crate::render::program::{Call, Expr, Place};
use std::collections::HashMap;

/// The blocks that there are.
const BLOCKS: [&str; 4] = ["if", "unless", "each", "with"];
/// How tokens begin; a source that holds this word is refused.
pub const TOKEN: &str = "qxhbz";
/// The name of the block that stands around what a partial prints; no author can write it.
pub const PARTIAL: &str = ">";
/// Digits of a token's number.
const DIGITS: usize = 5;
/// A token that stands for nothing; it parts what Markdown would misread.
pub const NOTHING: &str = "qxhbzNNNNNz";
/// Longest tag, in bytes.
pub const MAX_TAG: usize = 4096;
/// Most tags in one file.
pub const MAX_TAGS: usize = 20_000;

/// What a tag does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// `{{x}}`
    Value,
    /// `{{{x}}}`
    Raw,
    /// `{{#x}}`
    Open,
    /// `{{else}}`, `{{else if x}}`
    Else,
    /// `{{/x}}`
    Close,
    /// `{{> x}}`
    Partial,
    /// `{{! x}}`
    Comment,
    /// `\{{`: two braces to be printed.
    Braces,
}

/// A tag with its parts.
#[derive(Debug, Clone)]
pub struct Tag {
    pub sort: Sort,
    pub place: Place,
    /// The block's, helper's or partial's name; empty for a plain value.
    pub name: String,
    pub call: Call,
    /// Names after `as |…|`.
    pub block_params: Vec<String>,
    /// Whether white space before and after it goes.
    pub trims: (bool, bool),
}

/// The tags behind the tokens of one text.
#[derive(Debug, Clone, Default)]
pub struct Tags {
    all: Vec<Tag>,
}

/// Tags that were read before, by their text: mails and their translations share most.
#[derive(Debug, Clone, Default)]
pub struct Known {
    by: HashMap<String, Result<Tag, Refusal>>,
}

impl Known {
    fn read(&mut self, text: &str, place: Place) -> Result<Tag, Refusal> {
        let read = match self.by.get(text) {
            Some(known) => known.clone(),
            None => {
                let fresh = read(text, Place::new(0, 0..text.len()));
                self.by.insert(text.to_owned(), fresh.clone());
                fresh
            }
        };
        read.map(|mut tag| {
            tag.place = place;
            settle(&mut tag.call, place);
            tag
        })
    }
}

/// Moves the places of a call, which count from its tag's first byte, into the file.
fn settle(call: &mut Call, tag: Place) {
    shift(&mut call.place, tag);
    for value in call
        .params
        .iter_mut()
        .chain(call.hash.iter_mut().map(|(_, value)| value))
    {
        match value {
            Expr::Path(path) => shift(&mut path.place, tag),
            Expr::Call(inner) => settle(inner, tag),
            Expr::Literal(_) => {}
        }
    }
}

fn shift(place: &mut Place, tag: Place) {
    place.file = tag.file;
    place.start = place.start.saturating_add(tag.start);
    place.end = place.end.saturating_add(tag.start);
}

/// A piece of a text with tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    Text(&'a str),
    /// The number of a tag.
    Tag(usize),
}

impl Tags {
    /// The tag behind a token.
    pub fn get(&self, number: usize) -> Option<&Tag> {
        self.all.get(number)
    }

    /// All of them, in the order in which they were met.
    pub fn all(&self) -> impl Iterator<Item = &Tag> {
        self.all.iter()
    }

    /// Takes the tags out of a part of a file (which begins at byte `base` of it) and
    /// leaves tokens. Problems are added to `problems`; the tags concerned are left out.
    pub fn protect(
        &mut self,
        source: &str,
        file: (u16, &str),
        base: usize,
        known: &mut Known,
        problems: &mut Vec<Diagnostic>,
    ) -> String {
        let (number, path) = file;
        if let Some(at) = source.find(TOKEN) {
            problems.push(Diagnostic::new(
                "E202",
                path,
                base + at..base + at + TOKEN.len(),
                format!("the word \"{TOKEN}\" is reserved"),
            ));
            return String::new();
        }
        let mut out = String::with_capacity(source.len());
        let mut open: Vec<(String, std::ops::Range<usize>)> = Vec::new();
        let mut at = 0;
        let before = problems.len();
        // The file ends inside a tag: the ends of blocks went with the rest of it.
        let mut torn = false;
        while let Some(found) = source[at..].find("{{") {
            let start = at + found;
            self.words(&source[at..start], path, base + at, problems);
            out.push_str(&source[at..start]);
            let span_of = |end: usize| base + start..base + end;
            if out.ends_with('\\') {
                out.pop();
                let place = Place::new(number, span_of(start + 2));
                self.push(&mut out, plain(Sort::Braces, place));
                at = start + 2;
                continue;
            }
            if self.all.len() >= MAX_TAGS {
                problems.push(Diagnostic::new(
                    "E202",
                    path,
                    span_of(start + 2),
                    format!("more than {MAX_TAGS} tags in one mail"),
                ));
                break;
            }
            let end = match end_of(&source[start..]) {
                Ok(len) => start + len,
                Err(shown) => {
                    problems.push(
                        Diagnostic::new(
                            "E202",
                            path,
                            span_of(start + shown),
                            "this tag is not closed",
                        )
                        .label("opens here")
                        .help("end it with }}; quotes inside it must be straight and in pairs"),
                    );
                    if shown >= MAX_TAG {
                        at = source.len();
                        break;
                    }
                    // A block that opens or closes here still does, so that its other end
                    // gives no message of its own.
                    let inner = source[start..start + shown].trim_start_matches(['{', '~']);
                    if let Some(head) = inner.strip_prefix('#') {
                        open.push((word(head).to_owned(), span_of(start + shown)));
                    } else if inner.starts_with('/') {
                        open.pop();
                    }
                    at = start + shown;
                    torn = source[at..].trim().is_empty();
                    continue;
                }
            };
            let tag = &source[start..end];
            if tag.starts_with("{{{") && !tag.starts_with("{{{{") && !tag.ends_with("}}}") {
                refuse(
                    problems,
                    path,
                    span_of(end),
                    Refusal {
                        code: foreign::TORN,
                        message: "this tag begins with three braces and ends with two".into(),
                        help: Some("write {{ }}, or {{{ }}} for what a head lists in `raw`".into()),
                    },
                );
            }
            if source[end..].starts_with('}') && tag.starts_with("{{") {
                let more = source[end..].bytes().take_while(|b| *b == b'}').count();
                refuse(
                    problems,
                    path,
                    span_of(end + more),
                    Refusal {
                        code: foreign::TORN,
                        message: "this tag has more braces at its end than at its beginning".into(),
                        help: Some(
                            "a tag begins with two and ends with two; {{{ }}} prints what a head lists in `raw`"
                                .into(),
                        ),
                    },
                );
            }
            let text = &source[start..end];
            let place = Place::new(number, span_of(end));
            match known.read(text, place) {
                Ok(tag) => {
                    match tag.sort {
                        Sort::Open => {
                            open.push((tag.name.clone(), span_of(end)));
                            if open.len() > MAX_DEPTH {
                                problems.push(Diagnostic::new(
                                    "E202",
                                    path,
                                    span_of(end),
                                    format!("blocks are nested deeper than {MAX_DEPTH}"),
                                ));
                                return String::new();
                            }
                        }
                        Sort::Else if open.is_empty() => {
                            problems.push(
                                Diagnostic::new(
                                    "E202",
                                    path,
                                    span_of(end),
                                    "this {{else}} belongs to no block",
                                )
                                .help("without one, nobody can say who gets which words")
                                .help("begin the block before it, with {{#if …}}"),
                            );
                            // The end of that block is then no second mistake.
                            open.push((String::new(), span_of(end)));
                        }
                        Sort::Close => match open.pop() {
                            Some((name, _)) if name == tag.name || name.is_empty() => {}
                            // The one of the two that is no block was misspelt.
                            Some((name, opened))
                                if !BLOCKS.contains(&name.as_str())
                                    && BLOCKS.contains(&tag.name.as_str()) =>
                            {
                                problems.push(
                                    Diagnostic::new(
                                        "E202",
                                        path,
                                        opened,
                                        format!("there is no block \"{}\"", name.escape_debug()),
                                    )
                                    .label(format!("did you mean {{{{#{}}}}}?", tag.name))
                                    .related(span_of(end), "closed here"),
                                );
                            }
                            Some((name, opened))
                                if BLOCKS.contains(&name.as_str())
                                    && !BLOCKS.contains(&tag.name.as_str()) =>
                            {
                                problems.push(
                                    Diagnostic::new(
                                        "E202",
                                        path,
                                        span_of(end),
                                        format!("there is no block \"{}\"", tag.name.escape_debug()),
                                    )
                                    .label(format!("did you mean {{{{/{name}}}}}?"))
                                    .related(opened, "opened here"),
                                );
                            }
                            Some((name, opened)) => problems.push(
                                Diagnostic::new(
                                    "E202",
                                    path,
                                    span_of(end),
                                    format!("{{{{/{}}}}} closes {{{{#{name}}}}}", tag.name),
                                )
                                .related(opened, "opened here")
                                .help(format!("write {{{{/{name}}}}} here first")),
                            ),
                            None => problems.push(
                                Diagnostic::new(
                                    "E202",
                                    path,
                                    span_of(end),
                                    format!("{{{{/{}}}}} closes nothing", tag.name),
                                )
                                .help("without its beginning, nobody can say who gets which words")
                                .help(format!(
                                    "begin the block before it, with {{{{#{} …}}}}, or take this out",
                                    tag.name
                                )),
                            ),
                        },
                        _ => {}
                    }
                    self.push(&mut out, tag);
                }
                Err(refusal) => {
                    refuse(problems, path, span_of(end), refusal);
                    // Keep blocks paired, so that one bad tag gives one message.
                    let inner = text.trim_start_matches(['{', '~']);
                    let head = inner
                        .strip_prefix('#')
                        .or_else(|| {
                            inner
                                .strip_prefix('^')
                                .filter(|rest| !word(rest).is_empty())
                        })
                        .map(|head| head.trim_start_matches(['>', '*', ' ']));
                    if let Some(head) = head {
                        open.push((word(head).to_owned(), span_of(end)));
                    } else if inner.starts_with('/') {
                        open.pop();
                    }
                }
            }
            at = end;
        }
        self.words(&source[at..], path, base + at, problems);
        out.push_str(&source[at..]);
        let mut open = open.into_iter().filter(|(name, _)| !name.is_empty());
        if let Some((name, span)) = open.next().filter(|_| !torn) {
            let mut problem = Diagnostic::new(
                "E202",
                path,
                span,
                format!("{{{{#{name}}}}} is never closed"),
            )
            .help(format!("end it with {{{{/{name}}}}}"));
            // Several at once were lost together.
            for (name, span) in open {
                problem = problem.related(span, format!("nor is {{{{#{name}}}}}"));
            }
            problems.push(problem);
        }
        if problems.len() > before {
            return String::new();
        }
        out
    }

    /// Looks at words between tags for what was meant as a tag.
    fn words(&self, words: &str, path: &str, base: usize, problems: &mut Vec<Diagnostic>) {
        for (span, refusal) in foreign::between(words) {
            refuse(problems, path, base + span.start..base + span.end, refusal);
        }
    }

    /// Takes away those from a number on.
    pub fn split_off(&mut self, from: usize) -> Vec<Tag> {
        self.all.split_off(from.min(self.all.len()))
    }

    /// Adds more at the end.
    pub fn extend(&mut self, more: &[Tag]) {
        self.all.extend_from_slice(more);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Takes in what a partial prints: its text with tokens of these tags, inside a block
    /// that gives it the values of `tag`.
    pub fn take_in(&mut self, tag: &Tag, inner: &Tags, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 2 * NOTHING.len());
        let mut open = tag.clone();
        open.sort = Sort::Open;
        PARTIAL.clone_into(&mut open.name);
        open.trims.1 = false;
        let mut close = plain(Sort::Close, tag.place);
        PARTIAL.clone_into(&mut close.name);
        close.trims.1 = tag.trims.1;
        self.push(&mut out, open);
        let base = self.all.len();
        self.all.extend(inner.all.iter().cloned());
        for piece in pieces(text) {
            match piece {
                Piece::Text(words) => out.push_str(words),
                Piece::Tag(number) => out.push_str(&token(base + number)),
            }
        }
        self.push(&mut out, close);
        out
    }

    fn push(&mut self, out: &mut String, tag: Tag) {
        out.push_str(&token(self.all.len()));
        self.all.push(tag);
    }
}

fn refuse(
    problems: &mut Vec<Diagnostic>,
    path: &str,
    span: std::ops::Range<usize>,
    refusal: Refusal,
) {
    let mut problem = Diagnostic::new(refusal.code, path, span, refusal.message);
    if let Some(help) = refusal.help {
        problem = problem.help(help);
    }
    problems.push(problem);
}

fn plain(sort: Sort, place: Place) -> Tag {
    Tag {
        sort,
        place,
        name: String::new(),
        call: Call {
            name: String::new(),
            params: Vec::new(),
            hash: Vec::new(),
            place,
        },
        block_params: Vec::new(),
        trims: (false, false),
    }
}

/// The token of a tag's number.
pub fn token(number: usize) -> String {
    format!("{TOKEN}{number:0DIGITS$}z")
}

/// Cuts a text into its words and its tokens, in order.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    let mut at = 0;
    while let Some(hit) = text[at..].find(TOKEN) {
        let start = at + hit;
        let digits = start + TOKEN.len();
        let end = digits + DIGITS + 1;
        let number = text.get(digits..end).filter(|word| word.ends_with('z'));
        let Some(word) = number else {
            at = digits;
            continue;
        };
        let (mut left, mut right) = (start, end);
        if text[..left].ends_with("<!--") && text[right..].starts_with("-->") {
            left -= 4;
            right += 3;
        }
        if left > from {
            found.push(Piece::Text(&text[from..left]));
        }
        if let Ok(number) = word[..DIGITS].parse() {
            found.push(Piece::Tag(number));
        }
        from = right;
        at = right;
    }
    if from < text.len() {
        found.push(Piece::Text(&text[from..]));
    }
    found
}

/// Where the tag ends that the text begins with.
///
/// # Errors
/// It does not; how much of the text was meant as the tag.
pub fn end_of(text: &str) -> Result<usize, usize> {
    if text.starts_with("{{!--") {
        return text.find("--}}").map(|at| at + 4).ok_or(5);
    }
    if text.starts_with("{{!") {
        return text.find("}}").map(|at| at + 2).ok_or(3);
    }
    let braces = text.bytes().take_while(|b| *b == b'{').count().min(4);
    let mut quote = None;
    // Where the tag most likely ends, should its braces not come.
    let mut likely = None;
    let torn = |likely: Option<usize>, at: usize| {
        let line = text[..at].find('\n').unwrap_or(at);
        let words = likely.unwrap_or(line).min(line);
        Err(words.max(braces))
    };
    for (at, c) in text.char_indices().skip(braces) {
        if at > MAX_TAG {
            return torn(likely, at);
        }
        match quote {
            Some(q) if c == q => quote = None,
            // A quote that never ends would swallow the tags after it.
            Some(_) if text[at..].starts_with("{{") && !ends_on_line(&text[at..], quote) => {
                return torn(likely, at);
            }
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if text[at..].starts_with("}}") => {
                let ends = text[at..].bytes().take_while(|b| *b == b'}').count();
                return Ok(at + ends.min(braces.max(2)));
            }
            None if text[at..].starts_with("{{") => return torn(likely, at),
            None if c == '}' => {
                likely.get_or_insert(at + 1);
            }
            None => {}
        }
    }
    torn(likely, text.len().min(MAX_TAG))
}

/// Whether a quote ends before its line does.
fn ends_on_line(text: &str, quote: Option<char>) -> bool {
    let line = text.lines().next().unwrap_or_default();
    quote.is_some_and(|quote| line.contains(quote))
}
