//! All catalogues of a shop side by side: what a language lacks, what leads nowhere,
//! what runs in a circle, which plural forms a language has, and what nobody prints.

use super::{Catalogue, Entry, Key, MAX_DEPTH, Part, Pattern, STARS, Selector};
use crate::model::diagnostic::Diagnostic;
use crate::model::locale;
use crate::model::nearest::nearest;
use crate::render::languages::{Languages, language_name};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The words of every language, by its tag.
pub type Catalogues = BTreeMap<String, Catalogue>;

/// What templates print by `{{t}}`, as far as files tell.
#[derive(Debug, Default)]
pub struct Uses {
    /// In mails of every language: by layouts, and partials without a language.
    everywhere: BTreeSet<String>,
    /// By pages, which every language has.
    pages: BTreeSet<String>,
    /// By files of one language.
    by_locale: BTreeMap<String, BTreeSet<String>>,
    /// Whether some template computes a name.
    computed: bool,
}

impl Uses {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.everywhere
            .iter()
            .chain(&self.pages)
            .chain(self.by_locale.values().flatten())
            .map(String::as_str)
    }

    /// Looks through the text of a template, of one language or of all.
    pub fn scan(&mut self, text: &str, locale: Option<&str>, page: bool) {
        if let Some(locale) = locale {
            self.by_locale.entry(locale.to_owned()).or_default();
        }
        for (at, _) in text.match_indices('t') {
            let before = text[..at].trim_end_matches([' ', '~', '#']);
            let starts = before.len() < at && before.ends_with("{{")
                || text[..at].ends_with("{{")
                || text[..at].ends_with('(');
            let rest = &text[at + 1..];
            if !starts || !rest.starts_with(char::is_whitespace) {
                continue;
            }
            let rest = rest.trim_start();
            match rest.chars().next() {
                Some(quote @ ('"' | '\'')) => {
                    if let Some((name, _)) = rest[1..].split_once(quote) {
                        let names = match locale {
                            Some(locale) => self.by_locale.entry(locale.to_owned()).or_default(),
                            None if page => &mut self.pages,
                            None => &mut self.everywhere,
                        };
                        names.insert(name.to_owned());
                    }
                }
                _ => self.computed = true,
            }
        }
    }
}

/// The shop's languages, for comparing.
pub struct Shop<'a> {
    pub locales: &'a [String],
    pub fallback: Option<&'a str>,
    pub languages: &'a Languages,
}

/// Compares the catalogues of a shop: the common ones, and those of each brand, behind
/// which the common ones stand.
pub fn compare(
    common: &Catalogues,
    brands: &BTreeMap<String, Catalogues>,
    uses: &Uses,
    shop: &Shop<'_>,
    problems: &mut Vec<Diagnostic>,
) {
    let none = Catalogues::new();
    for own in std::iter::once(&none).chain(brands.values()) {
        let sets = [own, common];
        let set = if std::ptr::eq(own, &none) {
            common
        } else {
            own
        };
        for (tag, catalogue) in set {
            references(tag, catalogue, &sets, shop.fallback, problems);
            circles(catalogue, problems);
            forms(tag, catalogue, shop.languages, problems);
        }
    }
    missing(None, common, uses, shop, problems);
    for (brand, own) in brands {
        missing(Some((brand, own)), common, uses, shop, problems);
    }
    if !uses.computed {
        let all: Vec<&Catalogue> = common
            .values()
            .chain(brands.values().flat_map(Catalogues::values))
            .collect();
        unused(&all, uses, problems);
    }
}

/// The catalogues in which a language looks, best first: within a language, those of the
/// first set first.
pub fn chain<'c>(sets: &[&'c Catalogues], tag: &str, fallback: Option<&str>) -> Vec<&'c Catalogue> {
    let mut found = Vec::new();
    for tag in locale::chain(tag, fallback) {
        for set in sets {
            found.extend(
                set.iter()
                    .find(|(had, _)| had.eq_ignore_ascii_case(&tag))
                    .map(|(_, catalogue)| catalogue),
            );
        }
    }
    found
}

fn entries(catalogue: &Catalogue) -> impl Iterator<Item = (&str, &Entry)> {
    catalogue
        .messages
        .iter()
        .chain(&catalogue.terms)
        .map(|(name, entry)| (name.as_str(), entry))
}

/// A text or a term that another prints.
struct Reference<'e> {
    name: &'e str,
    term: bool,
    attribute: Option<&'e str>,
    span: &'e Range<usize>,
}

fn each_reference<'e>(pattern: &'e Pattern, depth: usize, tell: &mut dyn FnMut(Reference<'e>)) {
    if depth > MAX_DEPTH {
        return;
    }
    for part in pattern {
        match part {
            Part::Message { name, span } => tell(Reference {
                name,
                term: false,
                attribute: None,
                span,
            }),
            Part::Term { name, span, .. } => tell(Reference {
                name,
                term: true,
                attribute: None,
                span,
            }),
            Part::Select { by, variants, .. } => {
                if let Selector::Attribute {
                    term,
                    attribute,
                    span,
                } = by
                {
                    tell(Reference {
                        name: term,
                        term: true,
                        attribute: Some(attribute),
                        span,
                    });
                }
                for (_, pattern) in variants {
                    each_reference(pattern, depth + 1, tell);
                }
            }
            Part::Words(_) | Part::Number(_) | Part::Argument { .. } => {}
        }
    }
}

fn references(
    tag: &str,
    catalogue: &Catalogue,
    sets: &[&Catalogues],
    fallback: Option<&str>,
    problems: &mut Vec<Diagnostic>,
) {
    let chain = chain(sets, tag, fallback);
    for (_, entry) in entries(catalogue) {
        let patterns = std::iter::once(&entry.pattern).chain(entry.attributes.values());
        for pattern in patterns {
            each_reference(pattern, 0, &mut |to| {
                let shelf = |one: &'_ Catalogue| {
                    if to.term {
                        one.terms.contains_key(to.name)
                    } else {
                        one.messages.contains_key(to.name)
                    }
                };
                let mark = if to.term { "-" } else { "" };
                if !chain.iter().any(|one| shelf(one)) {
                    let mut problem = Diagnostic::new(
                        "E264",
                        catalogue.file.clone(),
                        to.span.clone(),
                        format!("there is no {mark}{}", to.name),
                    );
                    let names = chain.iter().flat_map(|one| {
                        if to.term {
                            one.terms.keys()
                        } else {
                            one.messages.keys()
                        }
                    });
                    if let Some(near) = nearest(to.name, names.map(String::as_str)) {
                        problem = problem.help(format!("did you mean `{mark}{near}`?"));
                    }
                    problems.push(
                        problem.help(format!("add {mark}{} = … to {}", to.name, catalogue.file)),
                    );
                } else if let Some(attribute) = to.attribute
                    && !chain.iter().any(|one| {
                        one.terms
                            .get(to.name)
                            .is_some_and(|term| term.attributes.contains_key(attribute))
                    })
                {
                    problems.push(
                        Diagnostic::new(
                            "E264",
                            catalogue.file.clone(),
                            to.span.clone(),
                            format!("-{} has no attribute .{attribute}", to.name),
                        )
                        .help(format!(
                            "add a line     .{attribute} = … below -{}",
                            to.name
                        )),
                    );
                }
            });
        }
    }
}

/// Texts that print themselves.
fn circles(catalogue: &Catalogue, problems: &mut Vec<Diagnostic>) {
    // A name, and whether it is a term's.
    type Node<'e> = (bool, &'e str);
    let mut edges: BTreeMap<Node<'_>, Vec<(Node<'_>, &Range<usize>)>> = BTreeMap::new();
    for (term, all) in [(false, &catalogue.messages), (true, &catalogue.terms)] {
        for (name, entry) in all {
            let mut to = Vec::new();
            for pattern in std::iter::once(&entry.pattern).chain(entry.attributes.values()) {
                each_reference(pattern, 0, &mut |one| {
                    if one.attribute.is_none() {
                        to.push(((one.term, one.name), one.span));
                    }
                });
            }
            edges.insert((term, name), to);
        }
    }
    let mut told: BTreeSet<Node<'_>> = BTreeSet::new();
    for start in edges.keys() {
        if told.contains(start) {
            continue;
        }
        let mut way: Vec<Node<'_>> = vec![*start];
        let mut reached: BTreeSet<Node<'_>> = BTreeSet::new();
        let mut found = None;
        follow(&edges, *start, *start, &mut way, &mut reached, &mut found);
        let Some((span, way)) = found else { continue };
        let words: Vec<String> = way
            .iter()
            .chain([start])
            .map(|(term, name)| format!("{}{name}", if *term { "-" } else { "" }))
            .collect();
        problems.push(
            Diagnostic::new(
                "E265",
                catalogue.file.clone(),
                span,
                "this text prints itself, for ever",
            )
            .help(words.join(" → ")),
        );
        told.extend(way);
    }
}

/// Where a round begins, and the texts that it leads through.
type Round<'e> = (Range<usize>, Vec<(bool, &'e str)>);
type Edges<'e> = BTreeMap<(bool, &'e str), Vec<((bool, &'e str), &'e Range<usize>)>>;

fn follow<'e>(
    edges: &Edges<'e>,
    start: (bool, &'e str),
    at: (bool, &'e str),
    way: &mut Vec<(bool, &'e str)>,
    reached: &mut BTreeSet<(bool, &'e str)>,
    found: &mut Option<Round<'e>>,
) {
    for (to, span) in edges.get(&at).into_iter().flatten() {
        if found.is_some() {
            return;
        }
        if *to == start {
            *found = Some(((*span).clone(), way.clone()));
        } else if reached.insert(*to) {
            way.push(*to);
            follow(edges, start, *to, way, reached, found);
            way.pop();
        }
    }
}

/// Plural forms that a language has and a choice lacks, and the other way round.
fn forms(tag: &str, catalogue: &Catalogue, languages: &Languages, problems: &mut Vec<Diagnostic>) {
    let language = languages.get(tag);
    for (_, entry) in entries(catalogue) {
        chosen(&entry.pattern, 0, &mut |by, variants, default, span| {
            let Selector::Argument { ordinal, .. } = by else {
                return;
            };
            let words: Vec<&str> = variants
                .iter()
                .filter_map(|(key, _)| match key {
                    Key::Word(word) => Some(word.as_str()),
                    Key::Number(_) => None,
                })
                .collect();
            let all = ["zero", "one", "two", "few", "many", "other"];
            let default_is_other =
                matches!(variants.get(default), Some((Key::Word(word), _)) if word == "other");
            // Only a choice by number speaks of plurals at all.
            if !default_is_other || words.iter().any(|word| !all.contains(word)) || words.len() < 2
            {
                return;
            }
            let has = language.forms(*ordinal);
            let never: Vec<&str> = words
                .iter()
                .copied()
                .filter(|word| !has.contains(word))
                .collect();
            let lacks: Vec<&str> = has
                .iter()
                .copied()
                .filter(|form| !words.contains(form))
                .collect();
            let name = language_name(tag);
            if !lacks.is_empty() {
                problems.push(
                    Diagnostic::new(
                        "W265",
                        catalogue.file.clone(),
                        span.clone(),
                        format!("{name} also has the form {}", lacks.join(", ")),
                    )
                    .help("readers would get the default, which is another form of the word")
                    .help(format!("add a line [{}] …", lacks[0])),
                );
            } else if !never.is_empty() {
                problems.push(
                    Diagnostic::new(
                        "W265",
                        catalogue.file.clone(),
                        span.clone(),
                        format!("{name} has no form {}", never.join(", ")),
                    )
                    .help("this variant is never taken; for one number write the number itself: [1] …"),
                );
            }
        });
    }
}

type Choice<'c> = dyn FnMut(&Selector, &[(Key, Pattern)], usize, &Range<usize>) + 'c;

fn chosen(pattern: &Pattern, depth: usize, tell: &mut Choice<'_>) {
    if depth > MAX_DEPTH {
        return;
    }
    for part in pattern {
        if let Part::Select {
            by,
            variants,
            default,
            span,
        } = part
        {
            tell(by, variants, *default, span);
            for (_, pattern) in variants {
                chosen(pattern, depth + 1, tell);
            }
        }
    }
}

/// Texts that templates print and that a language of the shop lacks: of the common ones,
/// or of those that only a brand has.
fn missing(
    brand: Option<(&String, &Catalogues)>,
    common: &Catalogues,
    uses: &Uses,
    shop: &Shop<'_>,
    problems: &mut Vec<Diagnostic>,
) {
    let has =
        |set: &Catalogues, name: &str| set.values().any(|one| one.messages.contains_key(name));
    let sets: Vec<&Catalogues> = brand.iter().map(|(_, own)| *own).chain([common]).collect();
    let sets = sets.as_slice();
    for tag in shop.locales {
        let own = chain(sets, tag, None);
        // A language without a single mail is told of as that.
        let own_mails = uses.by_locale.get(tag);
        let printed: BTreeSet<&str> = uses
            .everywhere
            .iter()
            .filter(|_| own_mails.is_some())
            .chain(own_mails.into_iter().flatten())
            .chain(&uses.pages)
            .map(String::as_str)
            .collect();
        let lacks: Vec<&str> = printed
            .into_iter()
            .filter(|name| {
                let known = match brand {
                    Some((_, own)) => has(own, name) && !has(common, name),
                    None => has(common, name),
                };
                known && !own.iter().any(|one| one.messages.contains_key(*name))
            })
            .collect();
        if lacks.is_empty() {
            continue;
        }
        let stands_in = shop.fallback.filter(|fallback| {
            let behind = chain(sets, fallback, None);
            lacks
                .iter()
                .all(|name| behind.iter().any(|one| one.messages.contains_key(*name)))
        });
        let folder = match brand {
            Some((brand, _)) => format!("templates/brands/{brand}/strings"),
            None => "templates/strings".to_owned(),
        };
        let file = own
            .iter()
            .find(|one| one.file.starts_with(&folder))
            .map_or_else(|| format!("{folder}/{tag}.ftl"), |one| one.file.clone());
        let shown: Vec<String> = lacks
            .iter()
            .take(5)
            .map(|name| format!("`{name}`"))
            .collect();
        let more = lacks.len().saturating_sub(shown.len());
        let mut list = shown.join(", ");
        if more > 0 {
            list.push_str(&format!(" and {more} more"));
        }
        let message = format!("no {} words for {list}", language_name(tag));
        problems.push(match stands_in {
            Some(fallback) => Diagnostic::new("W262", file, 0..0, message).help(format!(
                "readers get the {} words in the middle of a mail in {}",
                language_name(fallback),
                language_name(tag)
            )),
            None => Diagnostic::new("E262", file.clone(), 0..0, message)
                .help("mails and pages in this language could not be made")
                .help(format!("add {} = … to {file}", lacks[0])),
        });
    }
}

/// Texts that no template and no other text prints.
fn unused(catalogues: &[&Catalogue], uses: &Uses, problems: &mut Vec<Diagnostic>) {
    let mut printed: BTreeSet<(bool, &str)> = uses.names().map(|name| (false, name)).collect();
    printed.insert((false, STARS));
    for catalogue in catalogues {
        for (_, entry) in entries(catalogue) {
            for pattern in std::iter::once(&entry.pattern).chain(entry.attributes.values()) {
                each_reference(pattern, 0, &mut |to| {
                    printed.insert((to.term, to.name));
                });
            }
        }
    }
    for catalogue in catalogues {
        for (term, all) in [(false, &catalogue.messages), (true, &catalogue.terms)] {
            for (name, entry) in all {
                if printed.contains(&(term, name)) {
                    continue;
                }
                let mut problem = Diagnostic::new(
                    "W261",
                    catalogue.file.clone(),
                    entry.span.clone(),
                    format!("nothing prints `{}{name}`", if term { "-" } else { "" }),
                );
                let wanted = uses.names().filter(|used| {
                    !catalogues
                        .iter()
                        .any(|one| one.messages.contains_key(*used))
                });
                if let Some(near) = nearest(name, wanted).filter(|_| !term) {
                    problem =
                        problem.help(format!("templates ask for `{near}`, which is not there"));
                }
                problems.push(problem.help("take it out, or print it: {{t \"…\"}}"));
            }
        }
    }
}
