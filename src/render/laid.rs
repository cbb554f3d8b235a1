//! A mail's page in two steps: what is read and checked when files are loaded, and the
//! page itself, made when a mail is first rendered. Writing a layout's styles into a
//! thousand mails takes longer than all the rest of loading, and a check needs none of
//! it. Both steps see the same tokens, so what was checked is what is rendered.

use super::html::State;
use super::mjml;
use super::program::{Building, Form, Node, Program};
use super::tags::{Tags, token};
use std::sync::{Arc, OnceLock};

/// From this weight on, in bytes, a long order may bring a page to where Gmail cuts it off.
pub const NEARLY_CLIPPED: usize = 90 * 1024;
/// What a value takes in a page, about, in bytes.
const VALUE: usize = 32;
/// What a list of items or a row of stars takes in a page, about.
const SHOWN: usize = 2_000;
/// How often a loop turns in a usual order.
const TURNS: usize = 3;
/// What styles add to an element of a mail at most, about.
const STYLED: usize = 400;

/// A layout in one language, its partials laid open.
#[derive(Debug)]
pub struct Laid {
    /// The layout's file.
    pub file: u16,
    pub text: String,
    pub tags: Tags,
    /// The tag that stands for the mail.
    pub content: usize,
    /// Where in the page that is.
    pub state: State,
    /// What the layout prints around the mail; for checking.
    pub program: Program,
    /// What follows the mail, as plain text with tokens.
    pub footer: String,
}

/// A mail's page before its styles are written into it.
#[derive(Debug)]
pub struct Page {
    /// None: the mail is a whole page itself.
    pub layout: Option<Arc<Laid>>,
    /// With tokens.
    body: String,
    /// The body's own, numbered after the layout's.
    tags: Vec<super::tags::Tag>,
    raw: Vec<String>,
    styled: bool,
    /// What is checked: the body alone.
    pub checked: Program,
    ready: OnceLock<Program>,
    weight: OnceLock<usize>,
}

impl Page {
    /// A page of a body that was built as `checked`. `tags` are the layout's and its own;
    /// `styled` says whether style sheets are written into its elements.
    pub fn new(
        layout: Option<Arc<Laid>>,
        body: String,
        mut tags: Tags,
        raw: Vec<String>,
        styled: bool,
        checked: Program,
    ) -> Page {
        let own = layout.as_ref().map_or(0, |laid| laid.tags.len());
        Page {
            tags: tags.split_off(own),
            layout,
            body,
            raw,
            styled,
            checked,
            ready: OnceLock::new(),
            weight: OnceLock::new(),
        }
    }

    /// The page as it is rendered.
    pub fn ready(&self) -> &Program {
        self.ready.get_or_init(|| {
            let mut tags = self
                .layout
                .as_ref()
                .map_or_else(Tags::default, |laid| laid.tags.clone());
            tags.extend(&self.tags);
            let html = match &self.layout {
                Some(laid) => laid.text.replacen(&token(laid.content), &self.body, 1),
                None => self.body.clone(),
            };
            let html = if self.styled {
                mjml::inline(html, &tags)
            } else {
                html
            };
            // Everything was said when the parts were checked.
            let mut said = Vec::new();
            Building {
                tags: &tags,
                form: Form::Html,
                raw: &self.raw,
                whole: self.layout.is_some(),
                path: &|_| String::new(),
                problems: &mut said,
            }
            .build(&html, State::default())
        })
    }

    /// About how many bytes the page has once it is rendered, for a usual order. It is
    /// made for that only where it may be more than
    /// [`NEARLY_CLIPPED`].
    pub fn weight(&self) -> usize {
        *self.weight.get_or_init(|| {
            let around = self.layout.as_ref().map_or(0, |laid| laid.text.len());
            let elements = self.body.bytes().filter(|b| *b == b'<').count();
            let most = 2 * around + elements * STYLED + weight(&self.checked.nodes);
            if most <= NEARLY_CLIPPED {
                most
            } else {
                weight(&self.ready().nodes)
            }
        })
    }
}

fn weight(nodes: &[Node]) -> usize {
    nodes
        .iter()
        .map(|node| match node {
            Node::Text(text) => text.len(),
            Node::Print { .. } => VALUE,
            Node::Show { .. } => SHOWN,
            Node::If { then, other, .. } => weight(then).max(weight(other)),
            Node::Each { body, other, .. } => (TURNS * weight(body)).max(weight(other)),
            Node::With { body, other, .. } => weight(body).max(weight(other)),
            Node::Partial { body, .. } => weight(body),
        })
        .sum()
}
