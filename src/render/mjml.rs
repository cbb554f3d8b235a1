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
