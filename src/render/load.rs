//! Reads a shop's template files and builds every program once: heads, layouts,
//! partials, mails and pages. All that is wrong is collected; what is concerned is left
//! out.

mod layouts;
mod partials;

use super::check::Given;
use super::html::State;
use super::laid::{Laid, Page};
use super::languages::{Languages, is_rtl, language_name};
use super::markup::Masked;
use super::program::{Building, Form, Place, Program};
use super::strings::compare::{self, Catalogues, Uses, compare};
use super::strings::read::read as read_strings;
use super::tags::{self, MAX_TAGS, Piece, Sort, Tags, pieces, token};
use super::templates::{File, LoadPolicy, Mail, Mails, Templates, find, path_of};
use super::{MAX_DEPTH, MAX_SOURCE, front, leftover, markdown, mjml, mjml_lint, mjml_torn, text};
use crate::model::cores;
use crate::model::diagnostic::{Diagnostic, Severity};
use crate::model::nearest::nearest;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

/// A source without its tags.
#[derive(Debug)]
struct Protected {
    tags: Tags,
    text: String,
}

/// For whom something is built.
#[derive(Debug, Clone, Copy)]
struct Voice<'v> {
    locale: &'v str,
    form: Form,
    /// Empty: none.
    brand: &'v str,
}

/// The layouts and partials of a brand, or those that all share.
#[derive(Debug, Default)]
struct Rack {
    /// By name, then by language (empty: all).
    partials: BTreeMap<String, BTreeMap<String, u16>>,
    layouts: BTreeMap<String, u16>,
}

/// Which partial, for whom.
type Printed = (u16, String, String, Form, bool);

/// Something that several mails share: what was made, what was said of it, and the files
/// that went into it.
type Shared<T> = (Option<Arc<T>>, Vec<Diagnostic>, BTreeSet<u16>);

/// A mail's file.
struct Written<'l> {
    number: u16,
    /// Name, language and ending.
    about: (&'l str, &'l str, &'l str),
    text: &'l str,
    /// A text part written by hand.
    own_text: Option<u16>,
    /// What was made of it before, of the very same files.
    kept: Option<&'l Arc<Mail>>,
}

/// Builds everything once.
pub struct Loader<'l> {
    given: &'l [(String, String)],
    shop: &'l LoadPolicy,
    pub files: Arc<Vec<File>>,
    pub strings: Catalogues,
    /// By brand.
    pub brand_strings: BTreeMap<String, Catalogues>,
    /// By brand; under the empty name what all share.
    racks: Arc<BTreeMap<String, Rack>>,
    sources: HashMap<u16, Option<Arc<Protected>>>,
    /// By file and by whether it runs from right to left.
    layouts_ready: HashMap<(u16, bool), Shared<Protected>>,
    /// By file, language and brand.
    laid: HashMap<(u16, String, String), Shared<Laid>>,
    /// Partials that were built without a fault: by file, language, brand, form, and
    /// whether they stand inside a paragraph; with the files that went into them.
    printed: HashMap<Printed, (Arc<Protected>, BTreeSet<u16>)>,
    /// The files that went into what is being built.
    touched: BTreeSet<u16>,
    /// What each file holds, for telling whether it changed.
    prints: Arc<Vec<u64>>,
    known: tags::Known,
    /// Partials being built, outermost first.
    open: Vec<u16>,
    /// Mails that have a file, by name, with its languages.
    pub written: BTreeMap<String, BTreeSet<String>>,
    /// The names that partials are given.
    pub handed: Given,
    pub problems: Vec<Diagnostic>,
}

impl<'l> Loader<'l> {
    pub fn new(given: &'l [(String, String)], shop: &'l LoadPolicy) -> Self {
        let (files, prints) = cores::each(given, |(path, text)| {
            let file = File {
                path: path.clone(),
                ends: text
                    .match_indices('\n')
                    .map(|(at, _)| u32::try_from(at).unwrap_or(u32::MAX))
                    .collect(),
            };
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            (file, hasher.finish())
        })
        .into_iter()
        .unzip();
        let mut loader = Loader {
            given,
            shop,
            files: Arc::new(files),
            strings: Catalogues::new(),
            brand_strings: BTreeMap::new(),
            racks: Arc::default(),
            sources: HashMap::new(),
            layouts_ready: HashMap::new(),
            laid: HashMap::new(),
            printed: HashMap::new(),
            touched: BTreeSet::new(),
            prints: Arc::new(prints),
            known: tags::Known::default(),
            open: Vec::new(),
            written: BTreeMap::new(),
            handed: Given::new(),
            problems: Vec::new(),
        };
        let mut racks = BTreeMap::from([(String::new(), Rack::default())]);
        for (number, path, _) in loader.under("templates/") {
            let (brand, rest) = match path
                .strip_prefix("brands/")
                .and_then(|rest| rest.split_once('/'))
            {
                Some((brand, rest)) => (brand, rest),
                None => ("", path),
            };
            let rack = racks.entry(brand.to_owned()).or_default();
            if let Some(name) = rest
                .strip_prefix("partials/")
                .and_then(|rest| rest.strip_suffix(".hbs"))
            {
                let (name, locale) = name.rsplit_once('.').unwrap_or((name, ""));
                rack.partials
                    .entry(name.to_owned())
                    .or_default()
                    .insert(locale.to_owned(), number);
            } else if let Some(name) = rest.strip_prefix("layouts/").and_then(|rest| {
                rest.strip_suffix(".mjml")
                    .or_else(|| rest.strip_suffix(".html"))
            }) {
                rack.layouts.insert(name.to_owned(), number);
            }
        }
        loader.racks = Arc::new(racks);
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
                // Every file is looked at once from the top.
                if folder == "templates/" {
                    self.problems.push(Diagnostic::new(
                        "E200",
                        path,
                        0..0,
                        format!("this file is larger than {MAX_SOURCE} bytes"),
                    ));
                }
                continue;
            }
            if folder == "templates/" {
                self.problems.extend(leftover::unsettled(path, text));
            }
            found.push((number, rest, text.as_str()));
        }
        found
    }

    /// Says which files below `templates/` nobody reads: most likely a slip in a name.
    pub fn unread(&mut self) {
        for (_, path, _) in self.under("templates/") {
            let rest = match path
                .strip_prefix("brands/")
                .and_then(|rest| rest.split_once('/'))
            {
                Some((_, rest)) => rest,
                None => path,
            };
            let (folder, name) = rest.split_once('/').unwrap_or(("", rest));
            let ending = name.rsplit('.').next().unwrap_or_default();
            let (read, form) = match folder {
                "mail" => (
                    matches!(ending, "md" | "mjml" | "html" | "txt"),
                    "mails end with .md, .mjml or .html, their text parts with .txt",
                ),
                "partials" => (ending == "hbs", "partials are named NAME.LOCALE.hbs"),
                "layouts" => (
                    matches!(ending, "mjml" | "html"),
                    "layouts end with .mjml or .html",
                ),
                "strings" => (
                    matches!(ending, "ftl" | "toml"),
                    "words stand in LOCALE.ftl",
                ),
                "pages" => (
                    name == "unsubscribe.hbs",
                    "the one page is templates/pages/unsubscribe.hbs; until it is there, customers see a plain one of our own",
                ),
                _ => (
                    false,
                    "templates stand in mail, partials, layouts, strings and pages",
                ),
            };
            if read {
                continue;
            }
            let folders = ["mail", "partials", "layouts", "strings", "pages", "brands"];
            let near = nearest(folder, folders).filter(|near| *near != folder);
            let mut problem = Diagnostic::new(
                "W108",
                format!("templates/{path}"),
                0..0,
                "nothing reads this file",
            );
            if let Some(near) = near {
                problem = problem.help(format!("did you mean the folder templates/{near}?"));
            }
            self.problems.push(problem.help(form));
        }
    }

    /// Reads the words of every language and compares them.
    pub fn strings(&mut self, languages: &Languages) {
        let mut uses = Uses::default();
        let mut problems = Vec::new();
        for (_, path, text) in self.under("templates/") {
            let (brand, rest) = match path
                .strip_prefix("brands/")
                .and_then(|rest| rest.split_once('/'))
            {
                Some((brand, rest)) => (Some(brand), rest),
                None => (None, path),
            };
            let Some(name) = rest.strip_prefix("strings/") else {
                uses.scan(text, locale_of(rest), rest.starts_with("pages/"));
                continue;
            };
            let file = format!("templates/{path}");
            if let Some(name) = name.strip_suffix(".toml") {
                problems.push(
                    Diagnostic::new("E268", file, 0..0, "words stand in Fluent files, not in TOML")
                        .help(format!("rename it to {name}.ftl, and write key = Words without quotes; a name in braces becomes {{ $name }}")),
                );
                continue;
            }
            let Some(locale) = name.strip_suffix(".ftl") else {
                continue;
            };
            let catalogue = read_strings(&file, text, &mut problems);
            let set = match brand {
                Some(brand) => self.brand_strings.entry(brand.to_owned()).or_default(),
                None => &mut self.strings,
            };
            set.insert(locale.to_owned(), catalogue);
        }
        let shop = compare::Shop {
            locales: &self.shop.locales,
            fallback: self.shop.fallback.as_deref(),
            languages,
        };
        // What could not be read would look like missing.
        if problems
            .iter()
            .all(|problem| !matches!(problem.code, "E260" | "E261" | "E266" | "E268"))
        {
            compare(
                &self.strings,
                &self.brand_strings,
                &uses,
                &shop,
                &mut problems,
            );
        }
        self.problems.extend(problems);
    }

    /// All mails. What `before` made of the very same files is taken over.
    pub fn mails(&mut self, before: Option<&'l Templates>) -> Mails {
        let before = before.filter(|before| {
            before.policy == *self.shop
                && before.files.len() == self.files.len()
                && before
                    .files
                    .iter()
                    .zip(self.files.iter())
                    .all(|(one, other)| one.path == other.path)
        });
        let files = self.under("templates/mail/");
        let texts: BTreeMap<&str, u16> = files
            .iter()
            .filter_map(|(number, rest, _)| Some((rest.strip_suffix(".txt")?, *number)))
            .collect();
        let mut written = Vec::new();
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
            let kept = before
                .and_then(|before| before.mails.get(name)?.get(locale))
                .filter(|had| {
                    had.file == *number
                        && had
                            .made_of
                            .iter()
                            .all(|(file, print)| self.prints.get(usize::from(*file)) == Some(print))
                });
            written.push(Written {
                number: *number,
                about: (name, locale, ending),
                text,
                own_text: texts.get(stem).copied(),
                kept,
            });
        }
        // Mails know nothing of each other, and what they share each core makes for itself.
        let made = cores::in_runs(&written, |run| {
            let mut own = self.beside();
            let mails: Vec<_> = run.iter().map(|one| own.written(one)).collect();
            (mails, own.problems, own.handed)
        });
        let mut mails = Mails::new();
        let mut all = written.iter();
        for (made, problems, handed) in made {
            self.problems.extend(problems);
            for (partial, names) in handed {
                self.handed.entry(partial).or_default().extend(names);
            }
            for (mail, one) in made.into_iter().zip(all.by_ref()) {
                let Some(mail) = mail else { continue };
                let (name, locale, _) = one.about;
                let by = mails.entry(name.to_owned()).or_default();
                if by.insert(locale.to_owned(), mail).is_some() {
                    self.problems.push(
                        Diagnostic::new(
                            "E200",
                            path_of(&self.files, one.number),
                            0..0,
                            format!("\"{name}\" is written twice in \"{locale}\""),
                        )
                        .help("nobody could say which of them customers get")
                        .help("keep one file of each mail and language, and delete the other"),
                    );
                }
            }
        }
        mails
    }

    /// One that builds some of the mails, with what was made for all of them so far.
    fn beside(&self) -> Loader<'l> {
        Loader {
            given: self.given,
            shop: self.shop,
            files: Arc::clone(&self.files),
            // Words are looked up when a mail is checked or sent.
            strings: Catalogues::new(),
            brand_strings: BTreeMap::new(),
            racks: Arc::clone(&self.racks),
            sources: self.sources.clone(),
            layouts_ready: HashMap::new(),
            laid: HashMap::new(),
            printed: self.printed.clone(),
            touched: BTreeSet::new(),
            prints: Arc::clone(&self.prints),
            known: self.known.clone(),
            open: Vec::new(),
            written: BTreeMap::new(),
            handed: Given::new(),
            problems: Vec::new(),
        }
    }

    /// A mail that has a file: what was made of it before, or else made now.
    fn written(&mut self, one: &Written<'l>) -> Option<Arc<Mail>> {
        match one.kept {
            Some(kept) => {
                self.problems.extend(kept.said.iter().cloned());
                Some(Arc::clone(kept))
            }
            None => self
                .mail(one.number, one.about, one.text, one.own_text)
                .map(Arc::new),
        }
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
        self.touched = BTreeSet::from([number]);
        self.touched.extend(own_text);
        let front = front::read(&path, text, &mut problems);
        let made = front.and_then(|front| {
            let brand = self.brand_of(&front, &path, &mut problems);
            let voice = |form| Voice {
                locale,
                form,
                brand: &brand,
            };
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
                    this.build(&text, &tags, voice(Form::Text), (&[], false), &mut problems)
                })
            };
            let subject = front.subject.as_ref().and_then(|words| head(self, words));
            let preheader = match &front.preheader {
                Some(words) => head(self, words).map(Some),
                None => Some(None),
            };
            let layout = match ending {
                "md" => {
                    Some(self.layout_of(&front, (name, locale, &brand), &path, &mut problems)?)
                }
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
            let blank = body.len() - body.trim_start().len();
            if body[blank..].starts_with("+++") {
                let at = front.body + blank;
                problems.push(
                    Diagnostic::new("E200", path.clone(), at..at + 3, "a second head begins here")
                        .help("readers would see it as words")
                        .help("a mail has one head, between two lines of +++; take this line out"),
                );
            }
            if let Some(problem) = self.other_ending(number, front.body) {
                problems.push(problem);
                return None;
            }
            let body = text.get(front.body..).unwrap_or_default();
            let before = problems.len();
            let mut tags = layout
                .as_ref()
                .map_or_else(Tags::default, |layout| layout.tags.clone());
            let body = tags.protect(body, file, front.body, &mut self.known, &mut problems);
            if problems.len() > before {
                return None;
            }
            let body = settle(&body, &tags, locale);
            let form = voice(Form::Html);
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
                    self.mjml(
                        number,
                        (front.body, is_rtl(locale)),
                        (&body, &tags),
                        &mut problems,
                    )?,
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
                    if source.text.trim_start().starts_with("+++") {
                        problems.push(
                            Diagnostic::new(
                                "E200",
                                path_of(&self.files, number),
                                0..3,
                                "a text part has no head",
                            )
                            .help("readers would see it as words")
                            .help("take out all between the two lines of +++, and them; the subject stands in the page's file"),
                        );
                    }
                    Some(self.build(
                        &source.text,
                        &source.tags,
                        voice(Form::Text),
                        (&[], false),
                        &mut problems,
                    ))
                }
                (Some(plain), None) => Some(self.build(
                    &plain,
                    &tags,
                    voice(Form::Text),
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
                brand: brand.clone(),
                made_of: Vec::new(),
                said: Vec::new(),
                survey: OnceLock::new(),
            })
        });
        let made = made.map(|mail| Mail {
            made_of: self
                .touched
                .iter()
                .filter_map(|file| Some((*file, *self.prints.get(usize::from(*file))?)))
                .collect(),
            said: problems.clone(),
            ..mail
        });
        self.problems.extend(problems);
        made
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
                let brand = self.shop.brand.clone().unwrap_or_default();
                let voice = Voice {
                    locale: &locale,
                    form: Form::Html,
                    brand: &brand,
                };
                let words = settle(&source.text, &source.tags, &locale);
                let program = self.build(&words, &source.tags, voice, (&[], false), &mut problems);
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

/// Writes out what a language's direction settles: `mail.dir`, `mail.start`, `mail.end`
/// (in pages `dir`). Being constants of the file's language, they may stand where no
/// value may: in styles, and in attributes of MJML.
fn settle(text: &str, tags: &Tags, locale: &str) -> String {
    let rtl = is_rtl(locale);
    let mut out = String::with_capacity(text.len());
    for piece in pieces(text) {
        let number = match piece {
            Piece::Text(words) => {
                out.push_str(words);
                continue;
            }
            Piece::Tag(number) => number,
        };
        let name = tags
            .get(number)
            .filter(|tag| tag.sort == Sort::Value)
            .map_or("", |tag| tag.name.as_str());
        match (name, rtl) {
            ("mail.dir" | "dir", true) => out.push_str("rtl"),
            ("mail.dir" | "dir", false) => out.push_str("ltr"),
            ("mail.start", true) | ("mail.end", false) => out.push_str("right"),
            ("mail.start", false) | ("mail.end", true) => out.push_str("left"),
            _ => out.push_str(&token(number)),
        }
    }
    out
}

/// The language that a template's name gives it: mails and partials may have one.
fn locale_of(path: &str) -> Option<&str> {
    if !path.starts_with("mail/") && !path.starts_with("partials/") {
        return None;
    }
    let (stem, _) = path.rsplit_once('.')?;
    let (_, locale) = stem.rsplit_once('.')?;
    (!locale.contains('/')).then_some(locale)
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
