//! Reads a shop's template files and builds every program once: heads, layouts,
//! partials, mails and pages. All that is wrong is collected; what is concerned is left
//! out.

use super::check::nearest;
use super::evaluate::Strings;
use super::html::State;
use super::laid::{Laid, Page};
use super::markup::Masked;
use super::program::{Building, Form, Place, Program};
use super::tags::{self, MAX_TAGS, Piece, Sort, Tags, pieces, token};
use super::templates::{File, LoadPolicy, Mail, find, path_of};
use super::{MAX_DEPTH, MAX_SOURCE, front, markdown, mjml, mjml_lint, text};
use crate::model::diagnostic::Diagnostic;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// A source without its tags.
#[derive(Debug)]
struct Protected {
    tags: Tags,
    text: String,
}

/// Builds everything once.
pub struct Loader<'l> {
    given: &'l [(String, String)],
    shop: &'l LoadPolicy,
    pub files: Arc<Vec<File>>,
    pub strings: BTreeMap<String, Strings>,
    /// By name, then by language (empty: all).
    partials: BTreeMap<String, BTreeMap<String, u16>>,
    layouts: BTreeMap<String, u16>,
    sources: HashMap<u16, Option<Arc<Protected>>>,
    layouts_ready: HashMap<u16, Option<Arc<Protected>>>,
    laid: HashMap<(u16, String), Option<Arc<Laid>>>,
    /// Partials that were built without a fault: by file, language, form, and whether
    /// they stand inside a paragraph.
    printed: HashMap<(u16, String, Form, bool), Arc<Protected>>,
    known: tags::Known,
    /// Partials being built, outermost first.
    open: Vec<u16>,
    /// Mails that have a file, by name, with its languages.
    pub written: BTreeMap<String, BTreeSet<String>>,
    pub problems: Vec<Diagnostic>,
}

impl<'l> Loader<'l> {
    pub fn new(given: &'l [(String, String)], shop: &'l LoadPolicy) -> Self {
        let files = given
            .iter()
            .map(|(path, text)| File {
                path: path.clone(),
                ends: text
                    .match_indices('\n')
                    .map(|(at, _)| u32::try_from(at).unwrap_or(u32::MAX))
                    .collect(),
            })
            .collect();
        let mut loader = Loader {
            given,
            shop,
            files: Arc::new(files),
            strings: BTreeMap::new(),
            partials: BTreeMap::new(),
            layouts: BTreeMap::new(),
            sources: HashMap::new(),
            layouts_ready: HashMap::new(),
            laid: HashMap::new(),
            printed: HashMap::new(),
            known: tags::Known::default(),
            open: Vec::new(),
            written: BTreeMap::new(),
            problems: Vec::new(),
        };
        for (number, path, _) in loader.under("templates/partials/") {
            if let Some(name) = path.strip_suffix(".hbs") {
                let (name, locale) = match name.rsplit_once('.') {
                    Some((name, locale)) => (name, locale),
                    None => (name, ""),
                };
                loader
                    .partials
                    .entry(name.to_owned())
                    .or_default()
                    .insert(locale.to_owned(), number);
            }
        }
        for (number, path, _) in loader.under("templates/layouts/") {
            if let Some(name) = path
                .strip_suffix(".mjml")
                .or_else(|| path.strip_suffix(".html"))
            {
                loader.layouts.insert(name.to_owned(), number);
            }
        }
        loader
    }

    /// Files of a folder: number, path below it, text. Files too large are reported.
    fn under(&mut self, folder: &str) -> Vec<(u16, &'l str, &'l str)> {
        let mut found = Vec::new();
        for (at, (path, text)) in self.given.iter().enumerate() {
            let (Ok(number), Some(rest)) = (u16::try_from(at), path.strip_prefix(folder)) else {
                continue;
            };
            if text.len() > MAX_SOURCE {
                self.problems.push(Diagnostic::new(
                    "E200",
                    path,
                    0..0,
                    format!("this file is larger than {MAX_SOURCE} bytes"),
                ));
                continue;
            }
            found.push((number, rest, text.as_str()));
        }
        found
    }

    pub fn strings(&mut self) {
        for (number, path, text) in self.under("templates/strings/") {
            let Some(locale) = path.strip_suffix(".toml") else {
                continue;
            };
            let file = path_of(&self.files, number);
            let document = match toml_edit::Document::parse(text) {
                Ok(document) => document,
                Err(error) => {
                    self.problems.push(Diagnostic::new(
                        "E200",
                        file,
                        error.span().unwrap_or(0..0),
                        format!("this is no TOML: {}", error.message().replace('\n', " ")),
                    ));
                    continue;
                }
            };
            let mut strings = Strings::new();
            for (key, item) in document.iter() {
                match item.as_str() {
                    Some(words) => {
                        strings.insert(key.to_owned(), words.to_owned());
                    }
                    None => self.problems.push(Diagnostic::new(
                        "E200",
                        file.clone(),
                        item.span().unwrap_or(0..0),
                        format!("`{key}` must be text in quotes"),
                    )),
                }
            }
            self.strings.insert(locale.to_owned(), strings);
        }
    }

    /// Builds every partial once for every language it could be used in, so that faults
    /// are found in those that no mail uses.
    pub fn partials_all(&mut self) {
        let all: Vec<(String, Vec<String>)> = self
            .partials
            .iter()
            .map(|(name, by)| (name.clone(), by.keys().cloned().collect()))
            .collect();
        for (name, locales) in all {
            for locale in locales {
                let locale = if locale.is_empty() {
                    self.shop
                        .locales
                        .first()
                        .cloned()
                        .unwrap_or_else(|| "en".into())
                } else {
                    locale
                };
                let mut problems = Vec::new();
                for form in [Form::Html, Form::Text] {
                    let found = self.partial(
                        &name,
                        Place::default(),
                        (&locale, form),
                        false,
                        &mut problems,
                    );
                    if let Some(found) = found {
                        self.build(
                            &found.text,
                            &found.tags,
                            (&locale, form),
                            (&[], true),
                            &mut problems,
                        );
                    }
                }
                self.problems.extend(problems);
            }
        }
    }

    fn source(&mut self, number: u16) -> Option<Arc<Protected>> {
        if let Some(ready) = self.sources.get(&number) {
            return ready.clone();
        }
        let (path, text) = self.given.get(usize::from(number))?;
        let mut tags = Tags::default();
        let before = self.problems.len();
        let text = tags.protect(text, (number, path), 0, &mut self.known, &mut self.problems);
        let made = (self.problems.len() == before).then(|| Arc::new(Protected { tags, text }));
        self.sources.insert(number, made.clone());
        made
    }

    fn partial(
        &mut self,
        name: &str,
        place: Place,
        (locale, form): (&str, Form),
        inline: bool,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Arc<Protected>> {
        let file = path_of(&self.files, place.file);
        let number = self.partials.get(name).and_then(|by| {
            find(by, locale)
                .map(|(_, number)| *number)
                .or_else(|| by.get("").copied())
                .or_else(|| {
                    let fallback = self.shop.fallback.as_deref()?;
                    find(by, fallback).map(|(_, number)| *number)
                })
        });
        let Some(number) = number else {
            let mut problem = Diagnostic::new(
                "E206",
                file,
                place.span(),
                format!("there is no partial \"{name}\" for the language \"{locale}\""),
            );
            if let Some(near) = nearest(
                name,
                self.partials
                    .keys()
                    .map(String::as_str)
                    .filter(|near| *near != name),
            ) {
                problem = problem.help(format!("did you mean `{near}`?"));
            }
            problems.push(problem.help(format!("add templates/partials/{name}.{locale}.hbs")));
            return None;
        };
        if let Some(at) = self.open.iter().position(|open| *open == number) {
            let names: Vec<String> = self.open[at..]
                .iter()
                .chain([&number])
                .map(|open| {
                    path_of(&self.files, *open)
                        .trim_start_matches("templates/partials/")
                        .to_owned()
                })
                .collect();
            problems.push(
                Diagnostic::new(
                    "E214",
                    file,
                    place.span(),
                    format!(
                        "these partials print each other for ever: {}",
                        names.join(" → ")
                    ),
                )
                .help("no mail that prints one of them could ever be finished")
                .help("take one of these tags out, or put what both need into a third partial"),
            );
            return None;
        }
        if self.open.len() >= MAX_DEPTH {
            problems.push(Diagnostic::new(
                "E206",
                file,
                place.span(),
                format!("partials are nested deeper than {MAX_DEPTH}"),
            ));
            return None;
        }
        let key = (number, locale.to_owned(), form, inline);
        if let Some(ready) = self.printed.get(&key) {
            return Some(Arc::clone(ready));
        }
        let source = self.source(number)?;
        let before = problems.len();
        self.open.push(number);
        let text = match form {
            Form::Html => {
                let html = markdown::to_html(&source.text, &source.tags);
                if inline {
                    markdown::unwrap_paragraph(&html).to_owned()
                } else {
                    html
                }
            }
            Form::Text => markdown::to_text(&source.text, &source.tags, locale),
        };
        let mut tags = source.tags.clone();
        let text = self.lay_open(&text, &mut tags, State::default(), (locale, form), problems);
        self.open.pop();
        let made = Arc::new(Protected { tags, text });
        if problems.len() == before {
            self.printed.insert(key, Arc::clone(&made));
        }
        Some(made)
    }

    /// Puts what partials print in the place of their tags, so that style sheets reach
    /// it and one program holds the whole mail.
    fn lay_open(
        &mut self,
        text: &str,
        tags: &mut Tags,
        mut state: State,
        (locale, form): (&str, Form),
        problems: &mut Vec<Diagnostic>,
    ) -> String {
        let mut out = String::with_capacity(text.len() + 512);
        for piece in pieces(text) {
            let number = match piece {
                Piece::Text(words) => {
                    if form == Form::Html {
                        state.read(words);
                    }
                    out.push_str(words);
                    continue;
                }
                Piece::Tag(number) => number,
            };
            let Some(tag) = tags
                .get(number)
                .filter(|tag| tag.sort == Sort::Partial)
                .cloned()
            else {
                state.value();
                out.push_str(&token(number));
                continue;
            };
            let file = path_of(&self.files, tag.place.file);
            if !state.in_text() {
                problems.push(Diagnostic::new(
                    "E209",
                    file,
                    tag.place.span(),
                    "a partial must stand in text, not inside an HTML tag",
                ));
                continue;
            }
            let inline = state.in_paragraph();
            let Some(inner) = self.partial(&tag.name, tag.place, (locale, form), inline, problems)
            else {
                continue;
            };
            if tags.len() + inner.tags.len() > MAX_TAGS || out.len() > MAX_SOURCE {
                problems.push(
                    Diagnostic::new(
                        "E206",
                        file,
                        tag.place.span(),
                        "with its partials, this mail is too large",
                    )
                    .help(format!(
                        "a mail holds at most {MAX_TAGS} tags and {MAX_SOURCE} bytes"
                    )),
                );
                break;
            }
            out.push_str(&tags.take_in(&tag, &inner.tags, &inner.text));
        }
        out
    }

    /// Builds the program of a text, partials included.
    fn build(
        &mut self,
        text: &str,
        tags: &Tags,
        (locale, form): (&str, Form),
        (raw, whole): (&[String], bool),
        problems: &mut Vec<Diagnostic>,
    ) -> Program {
        let mut tags = tags.clone();
        let text = self.lay_open(text, &mut tags, State::default(), (locale, form), problems);
        Building {
            tags: &tags,
            form,
            raw,
            whole,
            path: &|file| path_of(&self.files, file),
            problems,
        }
        .build(&text, State::default())
    }

    /// A layout in one language.
    fn laid(
        &mut self,
        number: u16,
        locale: &str,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Arc<Laid>> {
        let key = (number, locale.to_owned());
        if let Some(ready) = self.laid.get(&key) {
            return ready.clone();
        }
        let made = self.layout(number).and_then(|layout| {
            let mut tags = layout.tags.clone();
            let form = (locale, Form::Html);
            let content = content_of(&layout.text, &tags)?;
            let (_, tail) = layout.text.split_once(&token(content))?;
            let footer = text::footer(tail, &layout.tags, locale);
            let text = self.lay_open(&layout.text, &mut tags, State::default(), form, problems);
            let (head, tail) = text.split_once(&token(content))?;
            let mut state = State::default();
            for piece in pieces(head) {
                match piece {
                    Piece::Text(words) => state.read(words),
                    Piece::Tag(_) => state.value(),
                }
            }
            let around = format!("{head}{tail}");
            let program = Building {
                tags: &tags,
                form: Form::Html,
                raw: &[],
                whole: true,
                path: &|file| path_of(&self.files, file),
                problems,
            }
            .build(&around, State::default());
            Some(Arc::new(Laid {
                text,
                tags,
                content,
                state,
                program,
                footer,
            }))
        });
        self.laid.insert(key, made.clone());
        made
    }

    /// The HTML of a layout with its tokens.
    fn layout(&mut self, number: u16) -> Option<Arc<Protected>> {
        if let Some(ready) = self.layouts_ready.get(&number) {
            return ready.clone();
        }
        let made = self.source(number).and_then(|source| {
            let path = path_of(&self.files, number);
            let html = if path.ends_with(".mjml") {
                self.mjml(number, 0, &source.text, &source.tags)?
            } else {
                source.text.clone()
            };
            if content_of(&html, &source.tags).is_none() {
                self.problems.push(
                    Diagnostic::new("E212", path, 0..0, "this layout has no place for the mail")
                        .help("write {{{content}}} where it belongs"),
                );
                return None;
            }
            Some(Arc::new(Protected {
                tags: source.tags.clone(),
                text: html,
            }))
        });
        self.layouts_ready.insert(number, made.clone());
        made
    }

    /// HTML of the MJML that begins at byte `body` of a file; `source` is it with tokens.
    fn mjml(&mut self, number: u16, body: usize, source: &str, tags: &Tags) -> Option<String> {
        let (path, text) = self.given.get(usize::from(number))?;
        let masked = Masked::new(text, false);
        let found = mjml_lint::check(path, &masked, body..text.len());
        if !found.is_empty() {
            self.problems.extend(found);
            return None;
        }
        match mjml::to_html(&without_comments(source, tags)) {
            Ok(html) => Some(html),
            Err(message) => {
                let place = mjml_lint::loose_tag(&masked, body..text.len()).unwrap_or(body..body);
                self.problems
                    .push(Diagnostic::new("E212", path, place, message));
                None
            }
        }
    }

    pub fn mails(&mut self) -> BTreeMap<String, BTreeMap<String, Mail>> {
        let mut mails: BTreeMap<String, BTreeMap<String, Mail>> = BTreeMap::new();
        let files = self.under("templates/mail/");
        let texts: BTreeMap<&str, u16> = files
            .iter()
            .filter_map(|(number, rest, _)| Some((rest.strip_suffix(".txt")?, *number)))
            .collect();
        for (number, rest, text) in &files {
            let path = path_of(&self.files, *number);
            let Some((stem, ending)) = rest.rsplit_once('.') else {
                continue;
            };
            if ending == "txt" || !matches!(ending, "md" | "mjml" | "html") {
                continue;
            }
            let Some((name, locale)) = stem
                .rsplit_once('.')
                .filter(|(_, locale)| !locale.contains('/'))
            else {
                self.problems.push(
                    Diagnostic::new("E200", path, 0..0, "the name of this file has no language")
                        .help(format!("name it {stem}.en.{ending}")),
                );
                continue;
            };
            self.written
                .entry(name.to_owned())
                .or_default()
                .insert(locale.to_owned());
            let own_text = texts.get(stem).copied();
            let Some(mail) = self.mail(*number, (name, locale, ending), text, own_text) else {
                continue;
            };
            let by = mails.entry(name.to_owned()).or_default();
            if by.insert(locale.to_owned(), mail).is_some() {
                self.problems.push(Diagnostic::new(
                    "E200",
                    path,
                    0..0,
                    format!("\"{name}\" is written twice in \"{locale}\""),
                ));
            }
        }
        mails
    }

    fn mail(
        &mut self,
        number: u16,
        (name, locale, ending): (&str, &str, &str),
        text: &'l str,
        own_text: Option<u16>,
    ) -> Option<Mail> {
        let path = path_of(&self.files, number);
        let mut problems = Vec::new();
        let front = front::read(&path, text, &mut problems);
        let made = front.and_then(|front| {
            let file = (number, path.as_str());
            let mut head = |this: &mut Self, words: &front::Words| {
                let mut tags = Tags::default();
                let before = problems.len();
                let text = tags.protect(
                    &words.text,
                    file,
                    words.span.start,
                    &mut this.known,
                    &mut problems,
                );
                (problems.len() == before).then(|| {
                    this.build(
                        &text,
                        &tags,
                        (locale, Form::Text),
                        (&[], false),
                        &mut problems,
                    )
                })
            };
            let subject = front.subject.as_ref().and_then(|words| head(self, words));
            let preheader = match &front.preheader {
                Some(words) => head(self, words).map(Some),
                None => Some(None),
            };
            let layout = match ending {
                "md" => Some(self.layout_of(&front, (name, locale), &path, &mut problems)?),
                _ => {
                    if let Some(layout) = &front.layout {
                        problems.push(Diagnostic::new(
                            "E212",
                            path.clone(),
                            layout.span.clone(),
                            format!("a .{ending} mail brings its own page, so it has no layout"),
                        ));
                    }
                    None
                }
            };
            let body = text.get(front.body..).unwrap_or_default();
            let before = problems.len();
            let mut tags = layout
                .as_ref()
                .map_or_else(Tags::default, |layout| layout.tags.clone());
            let body = tags.protect(body, file, front.body, &mut self.known, &mut problems);
            if problems.len() > before {
                return None;
            }
            let form = (locale, Form::Html);
            let (html, plain, state) = match &layout {
                Some(laid) => {
                    let mut plain = markdown::to_text(&body, &tags, locale);
                    plain.push_str("\n\n-- \n");
                    plain.push_str(&laid.footer);
                    (
                        markdown::to_html(&body, &tags),
                        Some(plain),
                        laid.state.clone(),
                    )
                }
                None if ending == "mjml" => (
                    self.mjml(number, front.body, &body, &tags)?,
                    None,
                    State::default(),
                ),
                None => (body, None, State::default()),
            };
            let text_tags = tags.clone();
            let html = self.lay_open(&html, &mut tags, state.clone(), form, &mut problems);
            let checked = Building {
                tags: &tags,
                form: Form::Html,
                raw: &front.raw,
                whole: layout.is_some(),
                path: &|file| path_of(&self.files, file),
                problems: &mut problems,
            }
            .build(&html, state);
            let styled = ending != "html";
            let page = Page::new(layout, html, tags, front.raw.clone(), styled, checked);
            let tags = text_tags;
            let mut own = false;
            let text = match (plain, own_text) {
                (_, Some(number)) => {
                    let source = self.source(number)?;
                    own = true;
                    Some(self.build(
                        &source.text,
                        &source.tags,
                        (locale, Form::Text),
                        (&[], false),
                        &mut problems,
                    ))
                }
                (Some(plain), None) => Some(self.build(
                    &plain,
                    &tags,
                    (locale, Form::Text),
                    (&[], false),
                    &mut problems,
                )),
                (None, None) => None,
            };
            Some(Mail {
                file: number,
                subject: subject?,
                preheader: preheader?,
                page,
                text,
                own_text: own,
            })
        });
        self.problems.extend(problems);
        made
    }

    /// The layout that the head names, or else that of the mail's group, or else
    /// `default`.
    fn layout_of(
        &mut self,
        front: &front::Front,
        (name, locale): (&str, &str),
        path: &str,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Arc<Laid>> {
        let group = name.split('/').next().unwrap_or_default();
        let (wanted, span) = match &front.layout {
            Some(words) => (words.text.as_str(), words.span.clone()),
            None if self.layouts.contains_key(group) => (group, 0..0),
            None => ("default", 0..0),
        };
        match self.layouts.get(wanted).copied() {
            Some(number) => self.laid(number, locale, problems),
            None => {
                let mut problem = Diagnostic::new(
                    "E212",
                    path,
                    span,
                    format!("there is no layout \"{wanted}\""),
                );
                if let Some(near) = nearest(wanted, self.layouts.keys().map(String::as_str)) {
                    problem = problem.help(format!("did you mean `{near}`?"));
                }
                problems.push(problem.help(format!("add templates/layouts/{wanted}.mjml")));
                None
            }
        }
    }

    pub fn pages(&mut self) -> BTreeMap<String, BTreeMap<String, Program>> {
        let mut pages: BTreeMap<String, BTreeMap<String, Program>> = BTreeMap::new();
        for (number, rest, _) in self.under("templates/pages/") {
            let Some(name) = rest.strip_suffix(".hbs") else {
                continue;
            };
            let Some(source) = self.source(number) else {
                continue;
            };
            for locale in self.shop.locales.clone() {
                let mut problems = Vec::new();
                let program = self.build(
                    &source.text,
                    &source.tags,
                    (&locale, Form::Html),
                    (&[], false),
                    &mut problems,
                );
                self.problems.extend(problems);
                pages
                    .entry(name.to_owned())
                    .or_default()
                    .insert(locale, program);
            }
        }
        pages
    }
}

/// A text without the tokens of comments, which may stand where MJML takes no words.
fn without_comments(text: &str, tags: &Tags) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(words) => out.push_str(words),
            Piece::Tag(number) => {
                if tags.get(number).is_none_or(|tag| tag.sort != Sort::Comment) {
                    out.push_str(&token(number));
                }
            }
        }
    }
    out
}

/// The tag in a layout that stands for the mail.
fn content_of(html: &str, tags: &Tags) -> Option<usize> {
    pieces(html).into_iter().find_map(|piece| match piece {
        Piece::Tag(number) => tags
            .get(number)
            .filter(|tag| tag.sort == Sort::Raw && tag.name == "content")
            .map(|_| number),
        Piece::Text(_) => None,
    })
}
