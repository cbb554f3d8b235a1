//! MJML made into HTML, and style sheets written into the elements they speak of: once,
//! when the files are loaded. Tags are tokens by then, so neither step can break one.

use super::html::State;
use super::tags::{Piece, Sort, TOKEN, Tags, pieces};
use css_inline::CSSInliner;
use mrml::prelude::parser::ParserOptions;
use mrml::prelude::render::RenderOptions;
use std::collections::HashMap;

/// HTML of an MJML text with tokens, which [`super::mjml_lint`] has found nothing in.
///
/// # Errors
/// Says why it was refused.
pub fn to_html(source: &str) -> Result<String, String> {
    // Files of Windows end their lines otherwise, which is no difference to a page.
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let source = source.trim();
    let parsed = mrml::parse_with_options(source, &ParserOptions::default())
        .map_err(|error| format!("this MJML cannot be read: {error}"))?;
    // No fonts from elsewhere: a mail fetches nothing that its author did not write.
    let options = RenderOptions {
        fonts: HashMap::new(),
        ..RenderOptions::default()
    };
    let html = parsed
        .element
        .render(&options)
        .map_err(|error| format!("this MJML cannot be rendered: {error}"))?;
    if order(source) != order(&html) {
        // Tags in the head are moved or repeated (title, preview); that is no fault.
        // A tag of the body that is gone is one.
        let kept = order(&html);
        if order(source).iter().any(|number| !kept.contains(number)) {
            return Err(
                "a tag between MJML elements would be lost; put it inside mj-text or mj-raw".into(),
            );
        }
    }
    Ok(html)
}

fn order(text: &str) -> Vec<usize> {
    pieces(text)
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Tag(number) => Some(number),
            Piece::Text(_) => None,
        })
        .collect()
}

/// Writes the style sheets of a page into its elements. A page whose tags would change
/// their order is given back as it was.
pub fn inline(html: String, tags: &Tags) -> String {
    let guarded = guard(&html, tags);
    let inliner = CSSInliner::options()
        .keep_style_tags(true)
        .load_remote_stylesheets(false)
        .build();
    match inliner.inline(&guarded) {
        Ok(inlined)
            if order(&inlined) == order(&html)
                && (is_whole(&inlined, tags) || !is_whole(&html, tags)) =>
        {
            inlined
        }
        _ => html,
    }
}

/// Whether every block holds whole elements.
fn is_whole(html: &str, tags: &Tags) -> bool {
    let mut state = State::default();
    let mut open: Vec<State> = Vec::new();
    for piece in pieces(html) {
        match piece {
            Piece::Text(text) => state.read(text),
            Piece::Tag(number) => {
                let same = match tags.get(number).map(|tag| tag.sort) {
                    Some(Sort::Open) => {
                        open.push(state.clone());
                        true
                    }
                    Some(Sort::Else) => open.last().is_none_or(|was| was.same(&state, true)),
                    Some(Sort::Close) => open.pop().is_none_or(|was| was.same(&state, true)),
                    _ => {
                        state.value();
                        true
                    }
                };
                if !same {
                    return false;
                }
            }
        }
    }
    true
}

/// Hides the tags of blocks in comments where they stand in text, so that a loop around
/// a table's rows is not moved out of the table.
fn guard(html: &str, tags: &Tags) -> String {
    let mut state = State::default();
    let mut out = String::with_capacity(html.len() + 256);
    for piece in pieces(html) {
        match piece {
            Piece::Text(text) => {
                state.read(text);
                out.push_str(text);
            }
            Piece::Tag(number) => {
                let token = super::tags::token(number);
                let block = tags.get(number).is_some_and(super::tags::Tag::is_block);
                if block && state.in_text() && !state.in_plain() {
                    out.push_str("<!--");
                    out.push_str(&token);
                    out.push_str("-->");
                } else {
                    out.push_str(&token);
                }
            }
        }
    }
    debug_assert!(out.contains(TOKEN) == html.contains(TOKEN));
    out
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::markup::Masked;
    use super::super::mjml_lint::{Components, NOT_RENDERED, UNUSED, check};
    use super::to_html;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    /// Set to write what we make now over the golden files: look at the difference, and run
    /// `scripts/compare-mjml`.
    const BLESS: &str = "AFTERCARE_BLESS";

    fn pages() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/render/mjml_pages")
    }

    fn holds(path: &Path, made: &str) {
        if std::env::var_os(BLESS).is_some() {
            fs::write(path, made).unwrap();
        }
        let golden = fs::read_to_string(path).unwrap_or_default();
        assert!(
            golden == made,
            "{} changed: set {BLESS}=1, look at the difference, run scripts/compare-mjml",
            path.display()
        );
    }

    /// A layout with words in the place of its tags.
    fn filled(layout: &str) -> String {
        let masked = Masked::new(layout, false);
        let mut out = String::new();
        let mut at = 0;
        for hole in masked.holes {
            out.push_str(&layout[at..hole.start]);
            at = hole.end;
            let tag = &layout[hole];
            out.push_str(match tag {
                "{{{content}}}" => "<p>Hello Ann,</p><h2>A heading</h2><p>Some words, and <a href=\"https://shop.example.com/a\">a link</a>.</p><p><strong><a href=\"https://shop.example.com/b\">A button</a></strong></p><blockquote><p>A word of advice.</p></blockquote>",
                _ if tag.contains("url") || tag.contains("links.") => "https://shop.example.com/x",
                _ if tag.contains("locale") => "en",
                "{{mail.dir}}" => "ltr",
                "{{mail.start}}" => "left",
                "{{mail.end}}" => "right",
                _ => "Words",
            });
        }
        out.push_str(&layout[at..]);
        out
    }

    #[test]
    fn pages_are_made_as_they_were_compared_with_the_reference() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["default", "fulfilment"] {
            let layout = root.join(format!("templates/layouts/{name}.mjml"));
            let page = filled(&fs::read_to_string(layout).unwrap());
            holds(&pages().join(format!("layout-{name}.mjml")), &page);
        }
        let mut seen = 0;
        for entry in fs::read_dir(pages()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|ending| ending != "mjml") {
                continue;
            }
            let source = fs::read_to_string(&path).unwrap();
            let masked = Masked::new(&source, false);
            assert_eq!(check("page", &masked, 0..source.len()), [], "{path:?}");
            holds(&path.with_extension("html"), &to_html(&source).unwrap());
            seen += 1;
        }
        assert!(seen >= 10);
    }

    /// A page that holds one element, with the elements around it that it needs.
    fn around(name: &str, attribute: &str) -> String {
        let all = Components::get();
        let words = all.by[name].words;
        let inside = match name {
            "mj-social" => {
                "<mj-social-element name=\"facebook\" href=\"https://a.b\">x</mj-social-element>"
            }
            "mj-navbar" => "<mj-navbar-link href=\"/x\">x</mj-navbar-link>",
            "mj-accordion" => {
                "<mj-accordion-element><mj-accordion-title>a</mj-accordion-title><mj-accordion-text>b</mj-accordion-text></mj-accordion-element>"
            }
            "mj-accordion-element" => {
                "<mj-accordion-title>a</mj-accordion-title><mj-accordion-text>b</mj-accordion-text>"
            }
            "mj-carousel" => {
                "<mj-carousel-image src=\"https://a.b/c.png\" /><mj-carousel-image src=\"https://a.b/d.png\" />"
            }
            "mj-section" | "mj-group" => {
                "<mj-column><mj-text>x</mj-text></mj-column><mj-column><mj-text>y</mj-text></mj-column>"
            }
            "mj-wrapper" => "<mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section>",
            "mj-column" | "mj-hero" => "<mj-text>x</mj-text>",
            "mj-body" => "<mj-section></mj-section>",
            "mj-table" => "<tr><td>x</td></tr>",
            _ if words => "x",
            _ => "",
        };
        let more = match name {
            "mj-image" | "mj-carousel-image"
                if attribute != "src" && !attribute.starts_with("src=") =>
            {
                " src=\"https://a.b/c.png\""
            }
            "mj-button" | "mj-navbar-link" | "mj-social-element"
                if !attribute.starts_with("href") =>
            {
                " href=\"https://a.b\""
            }
            _ => "",
        };
        // Some attributes need another one beside them.
        let more = match name {
            "mj-hero" if attribute.starts_with("mode") => {
                " height=\"300px\" background-url=\"https://a.b/c.png\" background-height=\"200px\" background-width=\"600px\""
            }
            "mj-section" | "mj-wrapper" | "mj-hero" if !attribute.starts_with("background-url") => {
                " background-url=\"https://a.b/c.png\""
            }
            "mj-column" if !attribute.starts_with("padding=") => " padding=\"9px\"",
            "mj-image"
                if attribute.starts_with("rel")
                    || attribute.starts_with("target")
                    || attribute.starts_with("name") =>
            {
                " src=\"https://a.b/c.png\" href=\"https://a.b\""
            }
            "mj-image" | "mj-social-element" if attribute.starts_with("sizes") => {
                " src=\"https://a.b/c.png\" srcset=\"https://a.b/d.png 2x\""
            }
            _ => more,
        };
        let more = if name == "mj-social-element" && !attribute.starts_with("name") {
            format!("{more} name=\"facebook\"")
        } else {
            more.to_owned()
        };
        let element = format!("<{name}{more} {attribute}>{inside}</{name}>");
        let column = |inside: String| {
            format!("<mj-body><mj-section><mj-column>{inside}</mj-column></mj-section></mj-body>")
        };
        let body = match name {
            "mj-body" => element,
            "mj-section" | "mj-wrapper" | "mj-hero" => format!("<mj-body>{element}</mj-body>"),
            "mj-column" | "mj-group" => {
                format!("<mj-body><mj-section>{element}</mj-section></mj-body>")
            }
            "mj-social-element" => column(format!("<mj-social>{element}</mj-social>")),
            "mj-navbar-link" => column(format!("<mj-navbar>{element}</mj-navbar>")),
            "mj-accordion-element" => column(format!("<mj-accordion>{element}</mj-accordion>")),
            "mj-accordion-title" | "mj-accordion-text" => column(format!(
                "<mj-accordion><mj-accordion-element>{element}</mj-accordion-element></mj-accordion>"
            )),
            "mj-carousel-image" => column(format!(
                "<mj-carousel>{element}<mj-carousel-image src=\"https://a.b/d.png\" /></mj-carousel>"
            )),
            _ => column(element),
        };
        format!("<mjml>{body}</mjml>")
    }

    /// Values that an attribute of a type takes, most of them unlike any default.
    fn values(of: &str) -> Vec<String> {
        if let Some(list) = of.strip_prefix("enum(") {
            return list
                .trim_end_matches(')')
                .split(',')
                .filter(|one| !one.is_empty())
                .map(str::to_owned)
                .collect();
        }
        let one = match of {
            "color" => "#123456",
            "integer" => "7",
            _ if of.starts_with("unit") => "17px",
            _ => "17px solid red",
        };
        let more = [
            "hamburger",
            "1",
            "true",
            "fixed-height",
            "fluid-height",
            "top left",
        ];
        std::iter::once(one)
            .chain(more)
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn attributes_that_we_do_not_use_are_known() {
        // Those of the head say what the page is, and ids of parts are drawn anew each time.
        let apart = [
            "mj-font",
            "mj-breakpoint",
            "mj-style",
            "mj-raw",
            "mj-class",
            "mj-include",
            "mjml",
            "mj-carousel",
            "mj-carousel-image",
            "mj-navbar",
        ];
        let mut unused = BTreeSet::new();
        for (name, component) in &Components::get().by {
            if apart.contains(name) || NOT_RENDERED.contains(name) {
                continue;
            }
            for (attribute, of) in &component.attributes {
                // The names of networks are a list of the renderer's own.
                if (*name, *attribute) == ("mj-social-element", "name") {
                    continue;
                }
                let plain = to_html(
                    &around(name, &format!("{attribute}=\"\""))
                        .replace(&format!(" {attribute}=\"\""), ""),
                );
                let used = values(of).iter().any(|value| {
                    to_html(&around(name, &format!("{attribute}=\"{value}\""))) != plain
                });
                if !used {
                    unused.insert((*name, *attribute));
                }
            }
        }
        assert_eq!(unused, UNUSED.into_iter().collect());
    }
}
