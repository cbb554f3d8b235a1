//! All templates of a shop: read and compiled at load, rendered from then on without
//! reading anything. Start here.

use super::check::{Checker, Given};
use super::context::Context;
use super::evaluate::{Evaluation, Places};
use super::laid::{NEARLY_CLIPPED, Page};
use super::languages::{Languages, language_name};
use super::load::Loader;
use super::program::{Form, Place, Program};
use super::strings::compare::{Catalogues, chain};
use super::strings::{Catalogue, Shelf};
use super::survey::Survey;
use super::{RenderError, text};
use crate::model::diagnostic::Diagnostic;
use crate::model::kind::Kind;
use crate::model::locale;
use crate::model::names::Known;
use crate::model::nearest::nearest;
use crate::model::policy::CampaignParameters;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

/// Longest subject, in bytes.
pub const MAX_SUBJECT: usize = 998;

/// Bytes of a page behind which Gmail cuts it off (102 kB).
const CLIPPED: usize = 102 * 1024;

/// What loading needs to know of the shop.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoadPolicy {
    /// The shop's languages.
    pub locales: Vec<String>,
    /// The language that stands in for missing translations.
    pub fallback: Option<String>,
    /// Whose layouts, partials and words come before the common ones.
    pub brand: Option<String>,
    /// What links say about where their reader came from.
    pub campaign: CampaignParameters,
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
    pub(super) files: Arc<Vec<File>>,
    /// By name, then by language.
    pub(super) mails: Mails,
    /// Mails that have a file, by name, with its languages: what is wrong with those that
    /// could not be read was said of them.
    written: BTreeMap<String, BTreeSet<String>>,
    /// By name, then by language.
    pages: BTreeMap<String, BTreeMap<String, Program>>,
    strings: Catalogues,
    brand_strings: BTreeMap<String, Catalogues>,
    languages: Arc<Languages>,
    pub(super) policy: LoadPolicy,
    /// Changes with everything that a check of mails depends on, their own files apart.
    around: u64,
    /// What partials are given anywhere.
    given: Given,
}

/// Mails by name, then by language.
pub type Mails = BTreeMap<String, BTreeMap<String, Arc<Mail>>>;

/// A file, for messages.
#[derive(Debug)]
pub struct File {
    pub path: String,
    /// Bytes at which lines end.
    pub ends: Vec<u32>,
}

/// A mail in one language.
#[derive(Debug)]
pub struct Mail {
    pub file: u16,
    pub subject: Program,
    pub preheader: Option<Program>,
    pub page: Page,
    /// None: made from the HTML once it is rendered.
    pub text: Option<Program>,
    /// Whether the text was written by hand, and so must be checked by itself.
    pub own_text: bool,
    /// Empty: none.
    pub brand: String,
    /// The files that it was made of, and what they held.
    pub made_of: Vec<(u16, u64)>,
    /// What was said of it; it could be made all the same.
    pub said: Vec<Diagnostic>,
    /// What it shows, once somebody asked.
    pub survey: OnceLock<Survey>,
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
        Templates::load_after(files, shop, None)
    }

    /// As [`Templates::load`], taking over what `before` made of files that are still the
    /// same. The outcome does not depend on it.
    pub fn load_after(
        files: &[(String, String)],
        shop: &LoadPolicy,
        before: Option<&Templates>,
    ) -> (Templates, Vec<Diagnostic>) {
        let languages = before.map_or_else(Arc::default, |before| Arc::clone(&before.languages));
        let mut loader = Loader::new(files, shop);
        loader.brand();
        loader.unread();
        loader.strings(&languages);
        loader.partials_all();
        // Calls of partials in what is taken over were read before.
        for (partial, names) in before.iter().flat_map(|before| &before.given) {
            let handed = loader.handed.entry(partial.clone()).or_default();
            handed.extend(names.iter().cloned());
        }
        let mails = loader.mails(before);
        let pages = loader.pages();
        let mut problems = std::mem::take(&mut loader.problems);
        tidy(&mut problems);
        let templates = Templates {
            files: loader.files,
            mails,
            written: loader.written,
            pages,
            strings: loader.strings,
            brand_strings: loader.brand_strings,
            languages,
            policy: shop.clone(),
            around: around(files),
            given: loader.handed,
        };
        // Formatters of the shop's languages are ready before the first mail is due.
        for locale in &shop.locales {
            templates.languages.get(locale);
        }
        templates.check_pages(&mut problems);
        tidy(&mut problems);
        (templates, problems)
    }

    /// Checks pages against the few names that they see.
    fn check_pages(&self, problems: &mut Vec<Diagnostic>) {
        let nothing = Known::default();
        let path = |file: u16| self.path(file);
        for by_locale in self.pages.values() {
            for (locale, program) in by_locale {
                let words = self.words(locale, self.policy.brand.as_deref().unwrap_or_default());
                Checker::new(&nothing, Kind::Education, words.shelf(), &path, problems)
                    .check_page(program);
            }
        }
    }

    /// The names of all mails, such as `dslr/basics`.
    pub fn mails(&self) -> impl Iterator<Item = &str> {
        self.mails.keys().map(String::as_str)
    }

    /// Every mail in every language: name, language, programs.
    pub(super) fn written(&self) -> impl Iterator<Item = (&str, &str, &Mail)> {
        self.mails.iter().flat_map(|(name, by)| {
            by.iter()
                .map(move |(locale, mail)| (name.as_str(), locale.as_str(), &**mail))
        })
    }

    /// The path of a file by its number; empty where there is none.
    pub(super) fn file_path(&self, file: u16) -> &str {
        self.files
            .get(usize::from(file))
            .map_or("", |file| file.path.as_str())
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
            if self.written.contains_key(mail) {
                return problems;
            }
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
            let written = |wanted: &str| {
                find(by_locale, wanted).is_some()
                    || self
                        .written
                        .get(mail)
                        .is_some_and(|locales| locales.contains(wanted))
            };
            if !written(wanted) && !fallback.is_some_and(written) {
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
            let words = self.words(locale, &mail.brand);
            let mut checker = Checker::new(known, kind, words.shelf(), &path, &mut problems);
            checker.given = Some(&self.given);
            checker.check(&mail.subject);
            if let Some(preheader) = &mail.preheader {
                checker.check(preheader);
            }
            checker.heads = true;
            // What stands in a subject is not seen in the page.
            checker.used.clear();
            if let Some(laid) = &mail.page.layout {
                checker.check(&laid.program);
            }
            checker.check(&mail.page.checked);
            let used = std::mem::take(&mut checker.used);
            if let (Some(text), true) = (&mail.text, mail.own_text) {
                checker.check(text);
            }
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
                    if used.contains(name) {
                        continue;
                    }
                    // All mails of a layout lack what it does not print.
                    let (file, who) = match &mail.page.layout {
                        Some(laid) => (laid.file, "neither this layout nor the mails in it print"),
                        None => (mail.file, "the page of this mail does not print"),
                    };
                    problems.push(
                        Diagnostic::new("E208", self.path(file), 0..0, format!("{who} `{name}`"))
                            .help(why)
                            .help(format!("print {{{{{name}}}}} in its footer")),
                    );
                }
            }
        }
        tidy(&mut problems);
        problems
    }

    /// Says which pages mail programs would cut off.
    pub fn weigh(&self) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        for mail in self.mails.values().flat_map(BTreeMap::values) {
            let weight = mail.page.weight();
            let (code, message) = if weight > CLIPPED {
                ("E234", "Gmail would cut this mail off")
            } else if weight > NEARLY_CLIPPED {
                ("W234", "Gmail may cut this mail off")
            } else {
                continue;
            };
            problems.push(
                Diagnostic::new(
                    code,
                    self.path(mail.file),
                    0..0,
                    format!("{message}: its page takes about {} kB of {}", weight / 1024, CLIPPED / 1024),
                )
                .help("what is cut off is hidden behind a link, and with it the footer that lets people unsubscribe")
                .help("shorten it, split it in two mails, or put long parts on a page of the shop"),
            );
        }
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
        let words = self.words(locale, &written.brand);
        let mut about = match context.root.get("mail") {
            Some(Value::Object(fields)) => fields.clone(),
            _ => serde_json::Map::new(),
        };
        about.insert("locale".into(), Value::String(locale.to_owned()));
        let sides = if language.is_rtl() {
            ["rtl", "right", "left"]
        } else {
            ["ltr", "left", "right"]
        };
        for (name, side) in ["dir", "start", "end"].into_iter().zip(sides) {
            about.insert(name.into(), Value::String(side.to_owned()));
        }
        for later in ["subject", "preheader"] {
            about.remove(later);
        }
        let mut about = Value::Object(about);
        let run = |program: &Program, about: &Value, form: Form, expected: usize| {
            Evaluation::new(context, about, &language, words.shelf(), self, form)
                .with_parameters(&self.policy.campaign)
                .run(program, expected)
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
        let html = run(written.page.ready(), &about, Form::Html, 24 * 1024)?;
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
        let words = self.words(locale, self.policy.brand.as_deref().unwrap_or_default());
        let nothing = Value::Null;
        let mut evaluation = Evaluation::new(
            context,
            &nothing,
            &language,
            words.shelf(),
            self,
            Form::Html,
        );
        evaluation.page = true;
        evaluation.run(program, 8 * 1024)
    }

    /// Where a mail in a language finds its words.
    fn words(&self, locale: &str, brand: &str) -> Words<'_> {
        let own = self.brand_strings.get(brand).filter(|_| !brand.is_empty());
        let sets: Vec<&Catalogues> = own.into_iter().chain([&self.strings]).collect();
        Words {
            chain: chain(&sets, locale, self.policy.fallback.as_deref()),
            all: sets.iter().flat_map(|set| set.values()).collect(),
        }
    }

    /// What the outcome of [`Templates::check`] for a mail depends on besides its other
    /// arguments: the same number, the same outcome.
    pub fn fingerprint(&self, mail: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.around.hash(&mut hasher);
        for (locale, mail) in self.mails.get(mail).into_iter().flatten() {
            (locale, &mail.made_of).hash(&mut hasher);
        }
        hasher.finish()
    }

    fn path(&self, file: u16) -> String {
        path_of(&self.files, file)
    }
}

/// The catalogues for one mail.
struct Words<'t> {
    chain: Vec<&'t Catalogue>,
    all: Vec<&'t Catalogue>,
}

impl Words<'_> {
    fn shelf(&self) -> Shelf<'_> {
        Shelf {
            chain: &self.chain,
            all: &self.all,
        }
    }
}

/// What all checks share: which files there are, and every language's words.
fn around(files: &[(String, String)]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (path, text) in files
        .iter()
        .filter(|(path, _)| path.starts_with("templates/"))
    {
        path.hash(&mut hasher);
        if path.ends_with(".ftl") {
            text.hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// The path of a file by its number.
pub fn path_of(files: &[File], file: u16) -> String {
    files
        .get(usize::from(file))
        .map_or_else(String::new, |file| file.path.clone())
}

/// The entry of a language, by its tag or else by its language alone.
pub fn find<'m, T>(by: &'m BTreeMap<String, T>, wanted: &str) -> Option<(&'m str, &'m T)> {
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
    fn key(one: &Diagnostic) -> (&str, usize, &str, usize, &str) {
        (
            &one.file,
            one.span.start,
            one.code,
            one.span.end,
            &one.message,
        )
    }
    problems.sort_by(|a, b| key(a).cmp(&key(b)));
    problems.dedup_by(|a, b| key(a) == key(b));
}

/// Mails are rendered on several threads from one set.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Templates>();
    shared::<Context>();
};
