//! One template as it was written: its head, and the links, pictures, elements and styles
//! of its body, each with its place.

use super::super::front::{self, Front};
use super::super::markup::{Element, Masked, Part, parts};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::ops::Range;

/// What a template is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Markdown,
    Html,
    Mjml,
    /// A text part written by hand.
    Text,
}

/// A template file.
#[derive(Debug)]
pub struct Sheet<'s> {
    pub path: &'s str,
    pub source: &'s str,
    pub sort: Sort,
    /// A mail's name and language.
    pub mail: Option<(&'s str, &'s str)>,
    pub front: Option<Front>,
    pub masked: Masked,
    /// Where the body stands.
    pub body: Range<usize>,
    /// Whether it is a whole page: a layout, or a mail with a page of its own.
    pub page: bool,
    pub seen: Seen,
}

/// A link as written.
#[derive(Debug, Clone)]
pub struct Link {
    /// The address; empty where none is given.
    pub href: Range<usize>,
    /// What readers see; masked.
    pub words: String,
    /// What to point at where there is no address.
    pub place: Range<usize>,
}

/// A picture as written.
#[derive(Debug, Clone)]
pub struct Picture {
    pub src: Range<usize>,
    /// Whether the words that stand in for it are given, be they empty.
    pub alt: bool,
    /// Whether its width is known before it is loaded.
    pub wide: bool,
    pub place: Range<usize>,
}

/// What stands in a body.
#[derive(Debug, Default)]
pub struct Seen {
    pub links: Vec<Link>,
    pub pictures: Vec<Picture>,
    pub elements: Vec<Element>,
    /// Style sheets.
    pub sheets: Vec<Range<usize>>,
    /// Whether any words, pictures or tags stand in it.
    pub says: bool,
}

impl<'s> Sheet<'s> {
    /// The sheet of a file, if it is a template that readers see a part of.
    pub fn of(path: &'s str, source: &'s str) -> Option<Sheet<'s>> {
        let rest = path.strip_prefix("templates/")?;
        let (folder, name) = rest.split_once('/')?;
        let (stem, ending) = name.rsplit_once('.')?;
        let sort = match (folder, ending) {
            ("mail", "md") | ("partials", "hbs") => Sort::Markdown,
            ("mail" | "layouts", "html") => Sort::Html,
            ("mail" | "layouts", "mjml") => Sort::Mjml,
            ("mail", "txt") => Sort::Text,
            _ => return None,
        };
        if source.len() > super::super::MAX_SOURCE {
            return None;
        }
        let mail = (folder == "mail").then(|| stem.rsplit_once('.')).flatten();
        if folder == "mail" && mail.is_none() {
            return None;
        }
        let front = match sort {
            Sort::Text => None,
            _ if folder == "mail" => Some(front::read(path, source, &mut Vec::new())?),
            _ => None,
        };
        let body = front.as_ref().map_or(0, |front| front.body)..source.len();
        let mut sheet = Sheet {
            path,
            source,
            sort,
            mail,
            masked: Masked::new(source, sort == Sort::Markdown),
            body,
            page: matches!(sort, Sort::Html | Sort::Mjml),
            front,
            seen: Seen::default(),
        };
        sheet.seen = sheet.look();
        Some(sheet)
    }

    /// Words of the file at a place.
    pub fn at(&self, span: &Range<usize>) -> &'s str {
        self.source.get(span.clone()).unwrap_or_default()
    }

    /// What stands in the body.
    fn look(&self) -> Seen {
        let mut seen = Seen::default();
        match self.sort {
            Sort::Markdown => self.markdown(&mut seen),
            Sort::Html | Sort::Mjml => {
                self.markup(parts(&self.masked.text, self.body.clone()), &mut seen);
            }
            Sort::Text => seen.says = !self.at(&self.body).trim().is_empty(),
        }
        seen
    }

    fn markdown(&self, seen: &mut Seen) {
        let base = self.body.start;
        let text = self.masked.text.get(self.body.clone()).unwrap_or_default();
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        let mut markup: Vec<Part> = Vec::new();
        // Links and pictures that are open, with what they show.
        let mut open: Vec<(bool, Link)> = Vec::new();
        for (event, span) in Parser::new_ext(text, options).into_offset_iter() {
            let span = base + span.start..base + span.end;
            match event {
                Event::Start(Tag::Link { dest_url, .. }) => {
                    open.push((false, self.link(&dest_url, span)));
                }
                Event::Start(Tag::Image { dest_url, .. }) => {
                    open.push((true, self.link(&dest_url, span)));
                }
                Event::End(TagEnd::Link | TagEnd::Image) => {
                    let Some((picture, link)) = open.pop() else {
                        continue;
                    };
                    if let Some((_, around)) = open.last_mut() {
                        around.words.push_str(&link.words);
                    }
                    if picture {
                        seen.says = true;
                        seen.pictures.push(Picture {
                            src: link.href,
                            alt: !link.words.trim().is_empty(),
                            // Markdown gives no widths; layouts bound them.
                            wide: true,
                            place: link.place,
                        });
                    } else {
                        seen.links.push(link);
                    }
                }
                Event::Text(words) | Event::Code(words) => {
                    seen.says |= !words.trim().is_empty();
                    match open.last_mut() {
                        Some((_, link)) => link.words.push_str(&words),
                        // It may stand between two tags of HTML.
                        None => markup.push(Part::Words(span)),
                    }
                }
                Event::Start(Tag::HtmlBlock) | Event::InlineHtml(_) => {
                    seen.says |= self
                        .masked
                        .holes_in(&span)
                        .any(|hole| !self.at(hole).starts_with("{{!"));
                    markup.extend(parts(&self.masked.text, span));
                }
                _ => {}
            }
        }
        self.markup(markup, seen);
    }

    /// A link of Markdown, with the place of its address.
    fn link(&self, address: &str, span: Range<usize>) -> Link {
        let inside = self.masked.text.get(span.clone()).unwrap_or_default();
        // `[words](address)`: the address stands behind the words.
        let from = inside.rfind("](").map_or(0, |at| at + 2);
        let href = inside[from..]
            .find(address)
            .or_else(|| inside.find(address).map(|at| at.wrapping_sub(from)))
            .filter(|_| !address.is_empty())
            .map(|at| {
                let start = span.start + from.wrapping_add(at);
                start..start + address.len()
            });
        Link {
            href: href.unwrap_or(span.start..span.start),
            words: String::new(),
            place: span,
        }
    }

    fn markup(&self, parts: Vec<Part>, seen: &mut Seen) {
        let mut open: Option<Link> = None;
        let text = &self.masked.text;
        for part in parts {
            match part {
                Part::Words(span) => {
                    let words = text.get(span).unwrap_or_default();
                    seen.says |= !words.trim().is_empty();
                    if let Some(link) = &mut open {
                        link.words.push_str(words);
                    }
                }
                Part::Foreign(span) => seen.sheets.push(span),
                Part::Comment(_) => {}
                Part::Tag(tag) => {
                    let name = tag.name.as_str();
                    let is_link = matches!(
                        name,
                        "a" | "area" | "mj-button" | "mj-navbar-link" | "mj-social-element"
                    );
                    if tag.closing {
                        if is_link && let Some(link) = open.take() {
                            seen.links.push(link);
                        }
                        continue;
                    }
                    if is_link && let Some(left) = open.take() {
                        seen.links.push(left);
                    }
                    let given = |name: &str| tag.value(name);
                    let href = given("href");
                    // An anchor without an address is a mark, not a link, unless what it has
                    // was to be one.
                    let misspelt = tag.attributes.iter().any(|one| {
                        ["herf", "hreff", "hfref", "hre", "ref", "url", "link", "src"]
                            .contains(&one.name.as_str())
                    });
                    let is_mark = name == "a"
                        && !misspelt
                        && ["name", "id"]
                            .iter()
                            .any(|mark| tag.attribute(mark).is_some());
                    if is_link && (href.is_some() || name == "mj-button" || name == "a" && !is_mark)
                    {
                        let mut link = Link {
                            href: href.clone().unwrap_or(tag.span.start..tag.span.start),
                            words: String::new(),
                            place: tag.span.clone(),
                        };
                        if matches!(name, "mj-social-element" | "area") {
                            // Its icon is what readers see.
                            link.words.push_str("icon");
                        }
                        for label in ["aria-label", "title"] {
                            if let Some(words) = given(label) {
                                link.words.push_str(text.get(words).unwrap_or_default());
                            }
                        }
                        if tag.closed {
                            seen.links.push(link);
                        } else {
                            open = Some(link);
                        }
                    }
                    if matches!(name, "img" | "mj-image" | "mj-carousel-image") {
                        seen.says = true;
                        let alt = given("alt");
                        if let (Some(link), Some(alt)) = (&mut open, &alt) {
                            link.words
                                .push_str(text.get(alt.clone()).unwrap_or_default());
                        }
                        seen.pictures.push(Picture {
                            src: given("src").unwrap_or(tag.span.start..tag.span.start),
                            alt: alt.is_some(),
                            wide: name != "img"
                                || given("width").is_some()
                                || given("style").is_some_and(|style| {
                                    text.get(style).is_some_and(|style| style.contains("width"))
                                }),
                            place: tag.span.clone(),
                        });
                        if let Some(href) = href.filter(|_| name != "img") {
                            seen.links.push(Link {
                                href,
                                words: "icon".into(),
                                place: tag.span.clone(),
                            });
                        }
                    }
                    seen.elements.push(tag);
                }
            }
        }
        seen.links.extend(open);
    }
}
