//! Partials: each built once, and what they print put in the place of their tags, so that
//! one program holds a whole mail.

use super::*;

impl<'l> Loader<'l> {
    /// Builds every partial once for every language it could be used in, so that faults
    /// are found in those that no mail uses.
    pub fn partials_all(&mut self) {
        self.empty_partials();
        let mut all: Vec<(String, String, String)> = Vec::new();
        for (brand, rack) in self.racks.iter() {
            for (name, by) in &rack.partials {
                all.extend(
                    by.keys()
                        .map(|locale| (brand.clone(), name.clone(), locale.clone())),
                );
            }
        }
        for (brand, name, locale) in all {
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
                let voice = Voice {
                    locale: &locale,
                    form,
                    brand: &brand,
                };
                let found = self.partial(&name, Place::default(), voice, false, &mut problems);
                if let Some(found) = found {
                    self.build(&found.text, &found.tags, voice, (&[], true), &mut problems);
                }
            }
            self.problems.extend(problems);
        }
    }

    /// Reports partials without a word: most likely a file that was never filled, or that
    /// an editor emptied.
    fn empty_partials(&mut self) {
        let racks = Arc::clone(&self.racks);
        for number in racks
            .values()
            .flat_map(|rack| &rack.partials)
            .flat_map(|(_, by)| by.values())
        {
            let Some((path, text)) = self.given.get(usize::from(*number)) else {
                continue;
            };
            if text.trim().is_empty() {
                self.problems.push(
                    Diagnostic::new("E216", path.as_str(), 0..0, "this partial is empty")
                        .help("mails that print it would miss what readers of other languages get")
                        .help("write its words; where it shall say nothing, say so: {{!-- nothing here --}}"),
                );
            }
        }
    }

    pub(super) fn source(&mut self, number: u16) -> Option<Arc<Protected>> {
        self.touched.insert(number);
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

    pub(super) fn partial(
        &mut self,
        name: &str,
        place: Place,
        voice: Voice<'_>,
        inline: bool,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Arc<Protected>> {
        let file = path_of(&self.files, place.file);
        let locale = voice.locale;
        let racks: Vec<&Rack> = self.racks_of(voice.brand).collect();
        let number = racks.iter().find_map(|rack| {
            let by = rack.partials.get(name)?;
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
            let names = racks.iter().flat_map(|rack| rack.partials.keys());
            if let Some(near) =
                nearest(name, names.map(String::as_str).filter(|near| *near != name))
            {
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
        let key = (
            number,
            locale.to_owned(),
            voice.brand.to_owned(),
            voice.form,
            inline,
        );
        if let Some((ready, files)) = self.printed.get(&key) {
            self.touched.extend(files);
            return Some(Arc::clone(ready));
        }
        let around = std::mem::take(&mut self.touched);
        let Some(source) = self.source(number) else {
            self.touched.extend(around);
            return None;
        };
        let before = problems.len();
        self.open.push(number);
        let words = settle(&source.text, &source.tags, locale);
        let text = match voice.form {
            Form::Html => {
                let html = markdown::to_html(&words, &source.tags);
                if inline {
                    markdown::unwrap_paragraph(&html).to_owned()
                } else {
                    html
                }
            }
            Form::Text => markdown::to_text(&words, &source.tags, locale),
        };
        let mut tags = source.tags.clone();
        let text = self.lay_open(&text, &mut tags, State::default(), voice, problems);
        self.open.pop();
        let made = Arc::new(Protected { tags, text });
        if problems.len() == before {
            let files = self.touched.clone();
            self.printed.insert(key, (Arc::clone(&made), files));
        }
        self.touched.extend(around);
        Some(made)
    }

    /// Puts what partials print in the place of their tags, so that style sheets reach
    /// it and one program holds the whole mail.
    pub(super) fn lay_open(
        &mut self,
        text: &str,
        tags: &mut Tags,
        mut state: State,
        voice: Voice<'_>,
        problems: &mut Vec<Diagnostic>,
    ) -> String {
        let mut out = String::with_capacity(text.len() + 512);
        for piece in pieces(text) {
            let number = match piece {
                Piece::Text(words) => {
                    if voice.form == Form::Html {
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
            let given = self.handed.entry(tag.name.clone()).or_default();
            given.extend(tag.call.hash.iter().map(|(name, _)| name.clone()));
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
            let Some(inner) = self.partial(&tag.name, tag.place, voice, inline, problems) else {
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
    pub(super) fn build(
        &mut self,
        text: &str,
        tags: &Tags,
        voice: Voice<'_>,
        (raw, whole): (&[String], bool),
        problems: &mut Vec<Diagnostic>,
    ) -> Program {
        let mut tags = tags.clone();
        let text = self.lay_open(text, &mut tags, State::default(), voice, problems);
        Building {
            tags: &tags,
            form: voice.form,
            raw,
            whole,
            path: &|file| path_of(&self.files, file),
            problems,
        }
        .build(&text, State::default())
    }
}
