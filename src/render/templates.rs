//! All templates of a shop: read and compiled at load, rendered from then on without
//! reading anything. Start here.

use super::check::{Checker, nearest};
use super::context::Context;
use super::evaluate::{Evaluation, Places, Strings};
use super::html::State;
use super::languages::Languages;
use super::program::{Building, Form, Place, Program};
use super::tags::{MAX_TAGS, Piece, Sort, Tags, pieces, token};
use super::{MAX_DEPTH, MAX_SOURCE, RenderError, front, markdown, mjml, text};
use crate::model::diagnostic::Diagnostic;
use crate::model::kind::Kind;
use crate::model::locale;
use crate::model::names::Known;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Longest subject, in bytes.
pub const MAX_SUBJECT: usize = 998;

/// What loading needs to know of the shop.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoadPolicy {
    /// The shop's languages.
    pub locales: Vec<String>,
    /// The language that stands in for missing translations.
    pub fallback: Option<String>,
}

/// A mail as one person gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line, no control characters.
    pub subject: String,
    /// What mail programs show beside the subject.
    pub preheader: String,
    pub html: String,
    pub text: String,
    /// The language of the file that was used.
    pub locale: String,
}

/// The templates of a shop.
#[derive(Debug)]
pub struct Templates {
    files: Arc<Vec<File>>,
    /// By name, then by language.
    mails: BTreeMap<String, BTreeMap<String, Mail>>,
    /// By name, then by language.
    pages: BTreeMap<String, BTreeMap<String, Program>>,
    strings: BTreeMap<String, Strings>,
    none: Strings,
    languages: Languages,
    fallback: Option<String>,
}

/// A file with the places of its line ends.
#[derive(Debug)]
struct File {
    path: String,
    ends: Vec<u32>,
}

#[derive(Debug)]
struct Mail {
    file: u16,
    subject: Program,
    preheader: Option<Program>,
    html: Program,
    /// None: made from the HTML once it is rendered.
    text: Option<Program>,
    /// Whether the text was written by hand, and so must be checked by itself.
    own_text: bool,
}

impl Places for Templates {
    fn of(&self, place: Place) -> (String, u32) {
        match self.files.get(usize::from(place.file)) {
            Some(file) => {
                let line = file.ends.partition_point(|end| *end < place.start) + 1;
                (file.path.clone(), u32::try_from(line).unwrap_or(u32::MAX))
            }
            None => (String::new(), 0),
        }
    }
}

impl Templates {
    /// Reads and compiles all templates of `files` (path under the shop's folder, with
    /// `/`, and text); other files are left alone. What is wrong is said in the second
    /// part of the answer; templates concerned are missing from the first.
    pub fn load(files: &[(String, String)], shop: &LoadPolicy) -> (Templates, Vec<Diagnostic>) {
        let mut loader = Loader::new(files, shop);
        loader.strings();
        loader.partials_all();
        let mails = loader.mails();
        let pages = loader.pages();
        let mut problems = std::mem::take(&mut loader.problems);
        tidy(&mut problems);
        let templates = Templates {
            files: loader.files,
            mails,
            pages,
            strings: loader.strings,
            none: Strings::new(),
            languages: Languages::default(),
            fallback: shop.fallback.clone(),
        };
        // Formatters of the shop's languages are ready before the first mail is due.
        for locale in &shop.locales {
            templates.languages.get(locale);
        }
        (templates, problems)
    }

    /// The names of all mails, such as `dslr/basics`.
    pub fn mails(&self) -> impl Iterator<Item = &str> {
        self.mails.keys().map(String::as_str)
    }

    /// The languages that a mail is written in.
    pub fn locales_of(&self, mail: &str) -> Vec<&str> {
        self.mails
            .get(mail)
            .map(|by| by.keys().map(String::as_str).collect())
            .unwrap_or_default()
    }

    /// Checks a mail in all its languages against what its step knows.
    pub fn check(
        &self,
        mail: &str,
        known: &Known,
        kind: Kind,
        locales: &[String],
        fallback: Option<&str>,
    ) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        let Some(by_locale) = self.mails.get(mail) else {
            let file = format!(
                "templates/mail/{mail}.{}.md",
                locales.first().map_or("en", String::as_str)
            );
            let mut problem = Diagnostic::new(
                "E210",
                file.clone(),
                0..0,
                format!("there is no mail \"{mail}\""),
            );
            if let Some(near) = nearest(mail, self.mails.keys().map(String::as_str)) {
                problem = problem.help(format!("did you mean `{near}`?"));
            }
            problems.push(problem.help(format!("add {file}")));
            return problems;
        };
        for wanted in locales {
            let stands_in = fallback.is_some_and(|fallback| by_locale.contains_key(fallback));
            if find(by_locale, wanted).is_none() && !stands_in {
                let file = format!("templates/mail/{mail}.{wanted}.md");
                let problem = Diagnostic::new(
                    "E210",
                    file.clone(),
                    0..0,
                    format!("no {} text for \"{mail}\"", language_name(wanted)),
                )
                .help(format!("add {file}"));
                problems.push(match fallback {
                    Some(fallback) => problem.help(format!(
                        "or write its {} text, which stands in",
                        language_name(fallback)
                    )),
                    None => problem.help("or set fallback = \"…\" in config/store.toml"),
                });
            }
        }
        let path = |file: u16| self.path(file);
        for (locale, mail) in by_locale {
            let strings = self.strings_for(locale);
            let mut checker = Checker::new(known, kind, &strings, &path, &mut problems);
            checker.check(&mail.subject);
            if let Some(preheader) = &mail.preheader {
                checker.check(preheader);
            }
            checker.heads = true;
            checker.check(&mail.html);
            if let (Some(text), true) = (&mail.text, mail.own_text) {
                checker.check(text);
            }
            let used = std::mem::take(&mut checker.used);
            if kind != Kind::Fulfilment {
                for (name, why) in [
                    (
                        "links.unsubscribe",
                        "readers must be able to stop mails of this kind",
                    ),
                    (
                        "shop.address",
                        "the shop's postal address must stand in mails of this kind",
                    ),
                ] {
                    if !used.contains(name) {
                        problems.push(
                            Diagnostic::new(
                                "E208",
                                self.path(mail.file),
                                0..0,
                                format!("neither this mail nor its layout prints `{name}`"),
                            )
                            .help(why)
                            .help(format!("print {{{{{name}}}}} in the layout's footer")),
                        );
                    }
                }
            }
        }
        tidy(&mut problems);
        problems
    }

    /// Renders a mail in the first language of `locales` in which it is written.
    ///
    /// # Errors
    /// If it is written in none of them, a value is missing, or a limit is passed.
    pub fn render(
        &self,
        mail: &str,
        locales: &[String],
        context: &Context,
    ) -> Result<Rendered, RenderError> {
        let found = self
            .mails
            .get(mail)
            .and_then(|by| locales.iter().find_map(|wanted| find(by, wanted)));
        let Some((locale, written)) = found else {
            return Err(RenderError {
                message: format!("no text in {}", locales.join(", ")),
                template: format!("templates/mail/{mail}"),
                line: 0,
            });
        };
        let same = locale::language(&context.locale) == locale::language(locale);
        let language = self
            .languages
            .get(if same { &context.locale } else { locale });
        let strings = self.strings_for(locale);
        let mut about = match context.root.get("mail") {
            Some(Value::Object(fields)) => fields.clone(),
            _ => serde_json::Map::new(),
        };
        about.insert("locale".into(), Value::String(locale.to_owned()));
        for later in ["subject", "preheader"] {
            about.remove(later);
        }
        let mut about = Value::Object(about);
        let run = |program: &Program, about: &Value, form: Form, expected: usize| {
            Evaluation::new(context, about, &language, &strings, self, form).run(program, expected)
        };
        let one_line = |words: String| words.split_whitespace().collect::<Vec<_>>().join(" ");
        let subject = one_line(run(&written.subject, &about, Form::Text, 128)?);
        if subject.is_empty() || subject.len() > MAX_SUBJECT {
            return Err(RenderError {
                message: format!("the subject is empty or longer than {MAX_SUBJECT} bytes"),
                template: self.path(written.file),
                line: 1,
            });
        }
        let preheader = match &written.preheader {
            Some(program) => one_line(run(program, &about, Form::Text, 128)?),
            None => subject.clone(),
        };
        if let Value::Object(fields) = &mut about {
            fields.insert("subject".into(), Value::String(subject.clone()));
            fields.insert("preheader".into(), Value::String(preheader.clone()));
        }
        let html = run(&written.html, &about, Form::Html, 24 * 1024)?;
        let text = match &written.text {
            Some(program) => text::settle(&run(program, &about, Form::Text, 4 * 1024)?),
            None => text::of_html(&html).ok_or_else(|| RenderError {
                message: "no text can be made from this HTML".into(),
                template: self.path(written.file),
                line: 0,
            })?,
        };
        Ok(Rendered {
            subject,
            preheader,
            html,
            text,
            locale: locale.to_owned(),
        })
    }

    /// Renders a page of `templates/pages` in the first language of `locales`; see
    /// [`super::page`].
    pub(super) fn page(
        &self,
        name: &str,
        locales: &[String],
        context: &Context,
    ) -> Result<String, RenderError> {
        let by = self.pages.get(name).ok_or_else(|| RenderError {
            message: "there is no such page".into(),
            template: format!("templates/pages/{name}.hbs"),
            line: 0,
        })?;
        let (locale, program) = locales
            .iter()
            .find_map(|wanted| find(by, wanted))
            .or_else(|| {
                by.iter()
                    .next()
                    .map(|(locale, program)| (locale.as_str(), program))
            })
            .ok_or_else(|| RenderError {
                message: "the shop has no language".into(),
                template: format!("templates/pages/{name}.hbs"),
                line: 0,
            })?;
        let language = self.languages.get(locale);
        let strings = self.strings_for(locale);
        let nothing = Value::Null;
        let mut evaluation =
            Evaluation::new(context, &nothing, &language, &strings, self, Form::Html);
        evaluation.page = true;
        evaluation.run(program, 8 * 1024)
    }

    fn strings_for(&self, locale: &str) -> [&Strings; 2] {
        let of = |tag: Option<&str>| {
            tag.and_then(|tag| find(&self.strings, tag))
                .map_or(&self.none, |(_, strings)| strings)
        };
        [of(Some(locale)), of(self.fallback.as_deref())]
    }

    fn path(&self, file: u16) -> String {
        path_of(&self.files, file)
    }
}

fn path_of(files: &[File], file: u16) -> String {
    files
        .get(usize::from(file))
        .map_or_else(String::new, |file| file.path.clone())
}

/// The entry of a language, by its tag or else by its language alone.
fn find<'m, T>(by: &'m BTreeMap<String, T>, wanted: &str) -> Option<(&'m str, &'m T)> {
    by.get_key_value(wanted)
        .or_else(|| by.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(wanted)))
        .or_else(|| {
            let language = locale::language(wanted);
            by.get_key_value(&language)
        })
        .map(|(tag, found)| (tag.as_str(), found))
}

/// Each problem once, in the order of files.
fn tidy(problems: &mut Vec<Diagnostic>) {
    let mut seen: Vec<Diagnostic> = Vec::with_capacity(problems.len());
    for problem in problems.drain(..) {
        let known = seen.iter().any(|had| {
            had.code == problem.code
                && had.file == problem.file
                && had.span == problem.span
                && had.message == problem.message
        });
        if !known {
            seen.push(problem);
        }
    }
    seen.sort_by(|a, b| (&a.file, a.span.start, a.code).cmp(&(&b.file, b.span.start, b.code)));
    *problems = seen;
}

fn language_name(tag: &str) -> String {
    match locale::language(tag).as_str() {
        "en" => "English".into(),
        "de" => "German".into(),
        "fr" => "French".into(),
        "ja" => "Japanese".into(),
        "es" => "Spanish".into(),
        "it" => "Italian".into(),
        "nl" => "Dutch".into(),
        "pt" => "Portuguese".into(),
        "pl" => "Polish".into(),
        "sv" => "Swedish".into(),
        "da" => "Danish".into(),
        "ko" => "Korean".into(),
        "zh" => "Chinese".into(),
        _ => format!("\"{tag}\""),
    }
}

/// A source without its tags.
#[derive(Debug)]
struct Protected {
    tags: Tags,
    text: String,
}

/// Builds everything once.
struct Loader<'l> {
    given: &'l [(String, String)],
    shop: &'l LoadPolicy,
    files: Arc<Vec<File>>,
    strings: BTreeMap<String, Strings>,
    /// By name, then by language (empty: all).
    partials: BTreeMap<String, BTreeMap<String, u16>>,
    layouts: BTreeMap<String, u16>,
    sources: HashMap<u16, Option<Arc<Protected>>>,
    laid: HashMap<u16, Option<Arc<Protected>>>,
    /// Partials being built, outermost first.
    open: Vec<u16>,
    problems: Vec<Diagnostic>,
}

impl<'l> Loader<'l> {
    fn new(given: &'l [(String, String)], shop: &'l LoadPolicy) -> Self {
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
            laid: HashMap::new(),
            open: Vec::new(),
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

    fn strings(&mut self) {
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
    fn partials_all(&mut self) {
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
        let text = tags.protect(text, (number, path), 0, &mut self.problems);
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
    ) -> Option<Protected> {
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
                    "E206",
                    file,
                    place.span(),
                    "this partial prints itself, for ever",
                )
                .help(names.join(" → ")),
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
        let source = self.source(number)?;
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
            Form::Text => markdown::to_text(&source.text, &source.tags),
        };
        let mut tags = source.tags.clone();
        let text = self.lay_open(&text, &mut tags, (locale, form), problems);
        self.open.pop();
        Some(Protected { tags, text })
    }

    /// Puts what partials print in the place of their tags, so that style sheets reach
    /// it and one program holds the whole mail.
    fn lay_open(
        &mut self,
        text: &str,
        tags: &mut Tags,
        (locale, form): (&str, Form),
        problems: &mut Vec<Diagnostic>,
    ) -> String {
        let mut state = State::default();
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
        let text = self.lay_open(text, &mut tags, (locale, form), problems);
        Building {
            tags: &tags,
            form,
            raw,
            whole,
            path: &|file| path_of(&self.files, file),
            problems,
        }
        .build(&text)
    }

    /// The HTML of a layout with its tokens.
    fn layout(&mut self, number: u16) -> Option<Arc<Protected>> {
        if let Some(ready) = self.laid.get(&number) {
            return ready.clone();
        }
        let made = self.source(number).and_then(|source| {
            let path = path_of(&self.files, number);
            let html = if path.ends_with(".mjml") {
                self.mjml(number, &source.text)?
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
        self.laid.insert(number, made.clone());
        made
    }

    fn mjml(&mut self, number: u16, source: &str) -> Option<String> {
        match mjml::to_html(source) {
            Ok(html) => Some(html),
            Err(refused) => {
                let (path, text) = &self.given[usize::from(number)];
                let span = refused
                    .words
                    .as_deref()
                    .and_then(|words| text.find(words).map(|at| at..at + words.len()))
                    .unwrap_or(0..0);
                let mut problem = Diagnostic::new("E212", path, span, refused.message);
                if let Some(help) = refused.help {
                    problem = problem.help(help);
                }
                self.problems.push(problem);
                None
            }
        }
    }

    fn mails(&mut self) -> BTreeMap<String, BTreeMap<String, Mail>> {
        let mut mails: BTreeMap<String, BTreeMap<String, Mail>> = BTreeMap::new();
        let files = self.under("templates/mail/");
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
            let own_text = files
                .iter()
                .find(|(_, other, _)| *other == format!("{stem}.txt"))
                .map(|(number, _, _)| *number);
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
                let text = tags.protect(&words.text, file, words.span.start, &mut problems);
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
                "md" => Some(self.layout_of(&front, name, &path, &mut problems)?),
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
            let body = tags.protect(body, file, front.body, &mut problems);
            if problems.len() > before {
                return None;
            }
            let (html, plain) = match &layout {
                Some(layout) => {
                    let content = content_of(&layout.text, &tags)?;
                    let html = layout
                        .text
                        .replace(&token(content), &markdown::to_html(&body, &tags));
                    let tail = layout
                        .text
                        .split(&token(content))
                        .nth(1)
                        .unwrap_or_default();
                    let mut plain = markdown::to_text(&body, &tags);
                    plain.push_str("\n\n-- \n");
                    plain.push_str(&text::footer(tail, &tags));
                    let html = self.lay_open(&html, &mut tags, (locale, Form::Html), &mut problems);
                    (mjml::inline(html, &tags), Some(plain))
                }
                None if ending == "mjml" => (mjml::inline(self.mjml(number, &body)?, &tags), None),
                None => (body, None),
            };
            let html = self.build(
                &html,
                &tags,
                (locale, Form::Html),
                (&front.raw, layout.is_some()),
                &mut problems,
            );
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
                html,
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
        name: &str,
        path: &str,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Arc<Protected>> {
        let group = name.split('/').next().unwrap_or_default();
        let (wanted, span) = match &front.layout {
            Some(words) => (words.text.as_str(), words.span.clone()),
            None if self.layouts.contains_key(group) => (group, 0..0),
            None => ("default", 0..0),
        };
        match self.layouts.get(wanted).copied() {
            Some(number) => self.layout(number),
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

    fn pages(&mut self) -> BTreeMap<String, BTreeMap<String, Program>> {
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

/// Mails are rendered on several threads from one set.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Templates>();
    shared::<Context>();
};
