//! Markdown with tokens in it, made once into HTML and into plain text. Tags that stand
//! alone on a line become parts of the page by themselves: they never end up inside a
//! paragraph that Markdown wrapped around them.

use super::tags::{NOTHING, Piece, Sort, TOKEN, Tags, pieces};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

fn options() -> Options {
    Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH
}

/// HTML of a Markdown text with tokens.
pub fn to_html(source: &str, tags: &Tags) -> String {
    let source = prepare(source, tags);
    let mut out = String::with_capacity(source.len() * 2);
    html::push_html(&mut out, Parser::new_ext(&source, options()));
    out.replace(NOTHING, "")
}

/// The inside of the only paragraph, for use within another one.
pub fn unwrap_paragraph(html: &str) -> &str {
    let trimmed = html.trim();
    match trimmed
        .strip_prefix("<p>")
        .and_then(|inner| inner.strip_suffix("</p>"))
    {
        Some(inner) if !inner.contains("<p>") => inner,
        _ => trimmed,
    }
}

/// Sets tokens that are alone on their line apart as comments, which Markdown takes as
/// blocks of their own, and keeps emphasis working beside East Asian punctuation.
fn prepare(source: &str, tags: &Tags) -> String {
    let mut out = String::with_capacity(source.len() + 64);
    for line in source.split_inclusive('\n') {
        let content = line.trim_end();
        let mark = content
            .find(|c: char| c != '>' && !c.is_whitespace())
            .unwrap_or(content.len());
        let (lead, rest) = content.split_at(mark);
        if rest.starts_with(TOKEN) && alone(rest, tags) {
            match lead.rfind('>') {
                Some(at) => {
                    out.push_str(&lead[..=at]);
                    out.push(' ');
                }
                // Four spaces would make it code.
                None => out.push_str(&" ".repeat(lead.len().min(3))),
            }
            for piece in pieces(rest) {
                if let Piece::Tag(number) = piece {
                    out.push_str("<!--");
                    out.push_str(&super::tags::token(number));
                    out.push_str("-->");
                }
            }
            out.push('\n');
        } else {
            soften(line, &mut out);
        }
    }
    out
}

/// Whether a line holds nothing but tags that are parts of the page by themselves.
fn alone(line: &str, tags: &Tags) -> bool {
    pieces(line).iter().all(|piece| match piece {
        Piece::Text(text) => text.trim().is_empty(),
        Piece::Tag(number) => tags.get(*number).is_some_and(super::tags::Tag::is_block),
    })
}

/// CommonMark closes no `**` between 。 and a letter, so Japanese emphasis would show its
/// stars. A word that is taken out again parts them.
fn soften(line: &str, out: &mut String) {
    let mut before: Option<char> = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '*' {
            out.push(c);
            before = Some(c);
            continue;
        }
        if before.is_some_and(is_wide_mark) {
            out.push_str(NOTHING);
        }
        out.push('*');
        while chars.next_if_eq(&'*').is_some() {
            out.push('*');
        }
        if chars.peek().copied().is_some_and(is_wide_mark) {
            out.push_str(NOTHING);
        }
        before = Some('*');
    }
}

fn is_wide_mark(c: char) -> bool {
    matches!(c, '\u{3001}'..='\u{303f}' | '\u{30fb}' | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff40}' | '\u{ff5b}'..='\u{ff65}')
}

/// Plain text of a Markdown text with tokens. Paragraphs are single lines; they are
/// wrapped once the values are in.
pub fn to_text(source: &str, tags: &Tags, locale: &str) -> String {
    let source = prepare(source, tags);
    let mut writer = Writer::new(tags, super::text::colon(locale));
    let events: Vec<Event<'_>> = Parser::new_ext(&source, options()).collect();
    for (at, event) in events.iter().enumerate() {
        // Whether nothing more is said in this paragraph.
        let next = events[at + 1..]
            .iter()
            .find(|next| !matches!(next, Event::End(TagEnd::Strong | TagEnd::Emphasis)));
        let ends = matches!(
            next,
            None | Some(Event::End(
                TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item
            ))
        );
        writer.event(event.clone(), ends);
    }
    writer.out.replace(NOTHING, "")
}

struct Writer<'t> {
    tags: &'t Tags,
    /// What stands before an address.
    colon: &'static str,
    out: String,
    /// New lines owed before the next words.
    gap: usize,
    /// What each new line begins with, outermost first.
    prefixes: Vec<&'static str>,
    /// A list's next number; `None` for bullets.
    lists: Vec<Option<u64>>,
    /// What the next words begin with, once.
    bullet: Option<String>,
    links: Vec<(String, usize)>,
    tight: bool,
}

impl<'t> Writer<'t> {
    fn new(tags: &'t Tags, colon: &'static str) -> Self {
        Writer {
            tags,
            colon,
            out: String::new(),
            gap: 0,
            prefixes: Vec::new(),
            lists: Vec::new(),
            bullet: None,
            links: Vec::new(),
            tight: false,
        }
    }

    fn owe(&mut self, lines: usize) {
        self.gap = self.gap.max(lines);
    }

    /// Pays the lines owed, so that words may follow.
    fn settle(&mut self) {
        if self.gap > 0 || self.bullet.is_some() {
            let hang = self.bullet.is_some();
            for _ in 0..self.gap {
                self.out.push('\n');
            }
            self.gap = 0;
            let last = self.prefixes.len().saturating_sub(usize::from(hang));
            for prefix in &self.prefixes[..last] {
                self.out.push_str(prefix);
            }
            if let Some(bullet) = self.bullet.take() {
                self.out.push_str(&bullet);
            }
        } else if self.out.is_empty() {
            for prefix in &self.prefixes {
                self.out.push_str(prefix);
            }
        }
    }

    fn words(&mut self, text: &str) {
        if !text.is_empty() {
            self.settle();
            self.out.push_str(text);
        }
    }

    /// A part of the page by itself.
    fn block(&mut self, number: usize) {
        let Some(tag) = self.tags.get(number) else {
            return;
        };
        let token = super::tags::token(number);
        match tag.sort {
            Sort::Partial | Sort::Value | Sort::Raw => {
                self.settle();
                self.out.push_str(&token);
                self.owe(2);
            }
            Sort::Open => {
                self.out.push_str(&token);
                // A loop comes back to its beginning: each turn begins with a gap.
                self.owe(if self.lists.is_empty() { 2 } else { 1 });
            }
            Sort::Else | Sort::Close | Sort::Comment | Sort::Braces => self.out.push_str(&token),
        }
    }

    fn event(&mut self, event: Event<'_>, ends: bool) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag, ends),
            Event::Text(text) | Event::Code(text) => {
                if self.tight {
                    for (at, line) in text.trim_end_matches('\n').split('\n').enumerate() {
                        if at > 0 {
                            self.owe(1);
                        }
                        self.words("    ");
                        self.words(line);
                    }
                } else {
                    self.words(&text);
                }
            }
            Event::SoftBreak => self.words(" "),
            Event::HardBreak => self.owe(1),
            Event::Rule => {
                self.words("----------");
                self.owe(2);
            }
            Event::Html(html) => {
                for piece in pieces(&html) {
                    match piece {
                        Piece::Tag(number) => self.block(number),
                        Piece::Text(text) => {
                            let bare = strip(text);
                            if !bare.trim().is_empty() {
                                self.words(bare.trim());
                                self.owe(2);
                            }
                        }
                    }
                }
            }
            Event::InlineHtml(html) => {
                for piece in pieces(&html) {
                    if let Piece::Tag(number) = piece {
                        self.words(&super::tags::token(number));
                    } else if let Piece::Text("<br>" | "<br/>" | "<br />") = piece {
                        self.owe(1);
                    }
                }
            }
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                self.words(&text)
            }
            Event::TaskListMarker(done) => self.words(if done { "[x] " } else { "[ ] " }),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::BlockQuote(_) => self.prefixes.push("> "),
            Tag::List(first) => {
                if !self.lists.is_empty() {
                    self.owe(1);
                }
                self.lists.push(first);
            }
            Tag::Item => {
                let bullet = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let bullet = format!("{number}. ");
                        *number += 1;
                        bullet
                    }
                    _ => "- ".to_owned(),
                };
                self.prefixes
                    .push(if bullet.len() > 2 { "   " } else { "  " });
                self.bullet = Some(bullet);
            }
            Tag::Link { dest_url, .. } => {
                self.settle();
                self.links.push((dest_url.into_string(), self.out.len()));
            }
            Tag::CodeBlock(_) => self.tight = true,
            Tag::Heading { level, .. } if level <= HeadingLevel::H2 => {
                self.owe(if self.out.is_empty() { 0 } else { 2 })
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd, ends: bool) {
        match tag {
            TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::HtmlBlock => self.owe(2),
            TagEnd::Table => self.owe(2),
            TagEnd::TableRow | TagEnd::TableHead => self.owe(1),
            TagEnd::TableCell => self.words("  "),
            TagEnd::CodeBlock => {
                self.tight = false;
                self.owe(2);
            }
            TagEnd::BlockQuote(_) => {
                self.prefixes.pop();
                self.owe(2);
            }
            TagEnd::Item => {
                self.prefixes.pop();
                self.bullet = None;
                self.gap = 1;
            }
            TagEnd::List(_) => {
                self.lists.pop();
                self.owe(if self.lists.is_empty() { 2 } else { 1 });
            }
            TagEnd::Link => {
                let Some((address, from)) = self.links.pop() else {
                    return;
                };
                let shown = self.out.get(from..).unwrap_or_default().trim();
                let bare = address.strip_prefix("mailto:").unwrap_or(&address);
                if shown == address || shown == bare {
                    return;
                }
                let after_mark = shown.ends_with([':', '?', '!', '：', '？', '！', '。']);
                let joined = match (ends, shown.is_empty(), after_mark) {
                    (_, true, _) => bare.to_owned(),
                    (true, _, false) => format!("{}{bare}", self.colon),
                    (true, _, true) => format!(" {bare}"),
                    (false, _, _) => format!(" <{bare}>"),
                };
                self.out.push_str(&joined);
            }
            _ => {}
        }
    }
}

/// Text of a bit of HTML: what stands between its tags.
fn strip(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out
}
