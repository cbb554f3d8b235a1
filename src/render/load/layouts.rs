//! Layouts and brands: which page a mail is poured into, and that page made ready, once
//! for each language.

use super::*;

impl<'l> Loader<'l> {
    /// A layout in one language.
    pub(super) fn laid(
        &mut self,
        number: u16,
        (locale, brand): (&str, &str),
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Arc<Laid>> {
        let key = (number, locale.to_owned(), brand.to_owned());
        if let Some((ready, said, files)) = self.laid.get(&key) {
            problems.extend(said.iter().cloned());
            self.touched.extend(files);
            return ready.clone();
        }
        let around = std::mem::take(&mut self.touched);
        let mut said = Vec::new();
        let layout = self.layout(number, locale, &mut said);
        let made = layout.and_then(|layout| {
            let problems = &mut said;
            let mut tags = layout.tags.clone();
            let form = Voice {
                locale,
                form: Form::Html,
                brand,
            };
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
            let frame = format!("{head}{tail}");
            let program = Building {
                tags: &tags,
                form: Form::Html,
                raw: &[],
                whole: true,
                path: &|file| path_of(&self.files, file),
                problems,
            }
            .build(&frame, State::default());
            Some(Arc::new(Laid {
                file: number,
                text,
                tags,
                content,
                state,
                program,
                footer,
            }))
        });
        problems.extend(said.iter().cloned());
        let files = self.touched.clone();
        self.laid.insert(key, (made.clone(), said, files));
        self.touched.extend(around);
        made
    }

    /// Where a brand's own things stand first, then what all share.
    pub(super) fn racks_of(&self, brand: &str) -> impl Iterator<Item = &Rack> {
        let own = self.racks.get(brand).filter(|_| !brand.is_empty());
        own.into_iter().chain(self.racks.get(""))
    }

    /// The HTML of a layout with its tokens, in the direction of a language.
    pub(super) fn layout(
        &mut self,
        number: u16,
        locale: &str,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Arc<Protected>> {
        self.touched.insert(number);
        let key = (number, is_rtl(locale));
        if let Some((ready, said, _)) = self.layouts_ready.get(&key) {
            problems.extend(said.iter().cloned());
            return ready.clone();
        }
        let mut said = Vec::new();
        let made = self.source(number).and_then(|source| {
            let path = path_of(&self.files, number);
            if key.1 && !source.tags.all().any(|tag| tag.name == "mail.dir") {
                said.push(
                    Diagnostic::new(
                        "W266",
                        path.clone(),
                        0..0,
                        format!("this layout does not say its direction, and {} runs from right to left", language_name(locale)),
                    )
                    .help("readers would see the page mirrored: full stops on the wrong side, lists indented at the far end")
                    .help("write <mjml lang=\"{{mail.locale}}\" dir=\"{{mail.dir}}\">, and align=\"{{mail.start}}\" instead of \"left\""),
                );
            }
            if let Some(problem) = self.other_ending(number, 0) {
                said.push(problem);
                return None;
            }
            let settled = settle(&source.text, &source.tags, locale);
            let html = if path.ends_with(".mjml") {
                self.mjml(number, (0, key.1), (&settled, &source.tags), &mut said)?
            } else {
                settled
            };
            if content_of(&html, &source.tags).is_none() {
                let text = self.given.get(usize::from(number)).map(|(_, text)| text);
                let place = text.and_then(|text| meant_for_content(text));
                said.push(
                    Diagnostic::new(
                        "E212",
                        path,
                        place.unwrap_or(0..0),
                        "this layout has no place for the mail",
                    )
                    .help("write {{{content}}} where it belongs"),
                );
                return None;
            }
            Some(Arc::new(Protected {
                tags: source.tags.clone(),
                text: html,
            }))
        });
        problems.extend(said.iter().cloned());
        self.layouts_ready
            .insert(key, (made.clone(), said, BTreeSet::from([number])));
        made
    }

    /// HTML of the MJML that begins at byte `body` of a file; `source` is it with tokens.
    /// Whether it runs from right to left is the language's matter: MJML itself sets every
    /// section from left to right.
    pub(super) fn mjml(
        &mut self,
        number: u16,
        (body, rtl): (usize, bool),
        (source, tags): (&str, &Tags),
        problems: &mut Vec<Diagnostic>,
    ) -> Option<String> {
        let (path, text) = self.given.get(usize::from(number))?;
        let masked = Masked::new(text, false);
        let found = mjml_lint::check(path, &masked, body..text.len());
        let broken = found.iter().any(|one| one.severity() == Severity::Error);
        problems.extend(found);
        if broken {
            return None;
        }
        match mjml::to_html(&without_comments(source, tags)) {
            Ok(html) if rtl => Some(html.replace("direction:ltr", "direction:rtl")),
            Ok(html) => Some(html),
            Err(message) => {
                let within = body..text.len();
                let loose = mjml_lint::loose_tag(&masked, within.clone());
                let torn = mjml_torn::find(&masked, within).filter(|_| loose.is_none());
                let problem = match torn {
                    Some(torn) => {
                        Diagnostic::new("E212", path, torn.place, torn.message).help(torn.help)
                    }
                    None => Diagnostic::new("E212", path, loose.unwrap_or(body..body), message)
                        .help("nobody could be sent a mail that is laid in this page"),
                };
                problems.push(problem);
                None
            }
        }
    }

    /// Says of a file whose page begins at byte `body` that it is not written in what its
    /// ending says: programs would show MJML as it is.
    pub(super) fn other_ending(&self, number: u16, body: usize) -> Option<Diagnostic> {
        let (path, text) = self.given.get(usize::from(number))?;
        let stem = path.strip_suffix(".html")?;
        let at = body + text.get(body..)?.find("<mjml")?;
        Some(
            Diagnostic::new(
                "E212",
                path.as_str(),
                at..at + "<mjml".len(),
                "this page is MJML, and the name of its file says HTML",
            )
            .help("mail programs know no MJML: readers would see an empty or a broken page")
            .help(format!("name the file {stem}.mjml")),
        )
    }

    /// The brand that a mail's head names, or else the shop's.
    pub(super) fn brand_of(
        &self,
        front: &front::Front,
        path: &str,
        problems: &mut Vec<Diagnostic>,
    ) -> String {
        let Some(words) = &front.brand else {
            return self.shop.brand.clone().unwrap_or_default();
        };
        if !self.racks.contains_key(&words.text) || words.text.is_empty() {
            problems.push(self.no_brand(&words.text, path, words.span.clone()));
        }
        words.text.clone()
    }

    pub(super) fn no_brand(
        &self,
        brand: &str,
        path: &str,
        span: std::ops::Range<usize>,
    ) -> Diagnostic {
        let problem = Diagnostic::new(
            "E269",
            path,
            span,
            format!("there is no brand \"{}\"", brand.escape_debug()),
        );
        let names = self.racks.keys().filter(|name| !name.is_empty());
        let problem = match nearest(brand, names.map(String::as_str)) {
            Some(near) => problem.help(format!("did you mean \"{near}\"?")),
            None => problem,
        };
        problem.help(format!(
            "readers would get the mail in another shop's clothes; add a folder templates/brands/{brand} with layouts, partials or strings of its own"
        ))
    }

    /// Says where the shop's own brand is none.
    pub fn brand(&mut self) {
        let Some(brand) = &self.shop.brand else {
            return;
        };
        if self.racks.contains_key(brand) {
            return;
        }
        let store = "config/store.toml";
        let span = self
            .given
            .iter()
            .find(|(path, _)| path == store)
            .and_then(|(_, text)| {
                let mut at = 0;
                for line in text.split_inclusive('\n') {
                    if line.trim_start().starts_with("brand") {
                        return Some(at..at + line.trim_end().len());
                    }
                    at += line.len();
                }
                None
            });
        let problem = self.no_brand(brand, store, span.unwrap_or(0..0));
        self.problems.push(problem);
    }

    /// The layout that the head names, or else that of the mail's group, or else
    /// `default`.
    pub(super) fn layout_of(
        &mut self,
        front: &front::Front,
        (name, locale, brand): (&str, &str, &str),
        path: &str,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Arc<Laid>> {
        let racks: Vec<&Rack> = self.racks_of(brand).collect();
        let layout = |name: &str| {
            racks
                .iter()
                .find_map(|rack| rack.layouts.get(name).copied())
        };
        let group = name.split('/').next().unwrap_or_default();
        let (wanted, span) = match &front.layout {
            Some(words) => (words.text.as_str(), words.span.clone()),
            None if layout(group).is_some() => (group, 0..0),
            None => ("default", 0..0),
        };
        match layout(wanted) {
            Some(number) => self.laid(number, (locale, brand), problems),
            None => {
                let mut problem = Diagnostic::new(
                    "E212",
                    path,
                    span,
                    format!("there is no layout \"{wanted}\""),
                );
                let names = racks.iter().flat_map(|rack| rack.layouts.keys());
                if let Some(near) = nearest(wanted, names.map(String::as_str)) {
                    problem = problem.help(format!("did you mean `{near}`?"));
                }
                problems.push(problem.help(format!("add templates/layouts/{wanted}.mjml")));
                None
            }
        }
    }
}

/// The tag of a layout that was most likely meant to stand for the mail.
fn meant_for_content(text: &str) -> Option<std::ops::Range<usize>> {
    let holes = Masked::new(text, false).holes;
    let name = |hole: &std::ops::Range<usize>| {
        text[hole.clone()]
            .trim_matches(['{', '}', '~', '>', '&', ' '])
            .to_owned()
    };
    (holes.iter())
        .find(|hole| nearest(&name(hole), std::iter::once("content")).is_some())
        .or_else(|| {
            holes
                .iter()
                .find(|hole| text[(*hole).clone()].starts_with("{{{"))
        })
        .cloned()
}
