//! A compiled template: a tree of texts, values and blocks, in which every tag knows
//! its place in the file it was written in and every value the place in the page where
//! it will stand.

use super::functions::Function;
use super::html::{Spot, State};
use super::tags::{PARTIAL, Piece, Sort, Tags, pieces};
use crate::model::diagnostic::Diagnostic;
use serde_json::Value;
use std::ops::Range;

/// A stretch of one of the shop's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// Which file, by its number in the set.
    pub file: u16,
    /// First byte.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
}

impl Place {
    /// A stretch of bytes of a file.
    pub fn new(file: u16, span: Range<usize>) -> Place {
        let clip = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Place {
            file,
            start: clip(span.start),
            end: clip(span.end),
        }
    }

    /// Its bytes.
    pub fn span(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Where a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// At the context, so many blocks up.
    Up(u8),
    /// At the mail's names.
    Root,
    /// At something the enclosing `each` knows (`@index`), so many loops up.
    Local(u8),
}

/// A name such as `customer.first_name`, `this.title`, `../x` or `@index`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub from: From,
    pub segments: Vec<String>,
    /// Whether it was written with `this` or `../`, so that names of partials and
    /// `as |…|` do not shadow it.
    pub explicit: bool,
    /// As written.
    pub raw: String,
    pub place: Place,
}

impl Path {
    /// Reads a path as written.
    pub fn parse(raw: &str, place: Place) -> Path {
        let mut rest = raw;
        let mut up = 0_u8;
        let mut explicit = false;
        let mut root = false;
        let mut local = false;
        loop {
            if let Some(inner) = rest.strip_prefix("../") {
                up = up.saturating_add(1);
                explicit = true;
                rest = inner;
            } else if rest == ".." {
                up = up.saturating_add(1);
                explicit = true;
                rest = "";
            } else if let Some(inner) = rest
                .strip_prefix("this.")
                .or_else(|| rest.strip_prefix("this/"))
                .or_else(|| rest.strip_prefix("./"))
            {
                explicit = true;
                rest = inner;
            } else if rest == "this" || rest == "." {
                explicit = true;
                rest = "";
            } else if let Some(inner) = rest
                .strip_prefix("@root.")
                .or_else(|| rest.strip_prefix("@root/"))
            {
                root = true;
                explicit = true;
                rest = inner;
            } else if let Some(inner) = rest.strip_prefix('@') {
                local = true;
                explicit = true;
                rest = inner;
                while let Some(deeper) = rest.strip_prefix("../") {
                    up = up.saturating_add(1);
                    rest = deeper;
                }
                break;
            } else {
                break;
            }
        }
        let segments = rest
            .split(['.', '/'])
            .filter(|part| !part.is_empty())
            .map(|part| part.trim_matches(['[', ']']).to_owned())
            .collect();
        Path {
            from: match (root, local) {
                (true, _) => From::Root,
                (_, true) => From::Local(up),
                _ => From::Up(up),
            },
            segments,
            explicit,
            raw: raw.to_owned(),
            place,
        }
    }
}

/// A helper with its arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub name: String,
    pub params: Vec<Expr>,
    /// By name, sorted.
    pub hash: Vec<(String, Expr)>,
    pub place: Place,
}

/// Something with a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    Path(Path),
    Literal(Value),
    Call(Box<Call>),
}

impl Expr {
    /// Where it stands, if it is no literal.
    pub fn place(&self) -> Option<Place> {
        match self {
            Expr::Path(path) => Some(path.place),
            Expr::Call(call) => Some(call.place),
            Expr::Literal(_) => None,
        }
    }
}

/// A helper's call with the helper found.
#[derive(Debug, Clone)]
pub struct Use {
    pub function: Function,
    pub call: Call,
}

/// One part of a template.
#[derive(Debug, Clone)]
pub enum Node {
    /// Printed as it is.
    Text(String),
    /// A value, escaped for where it stands.
    Print {
        value: Expr,
        spot: Spot,
        place: Place,
    },
    /// A helper that prints a part of the page rather than a value.
    Show { shows: Use, place: Place },
    If {
        test: Expr,
        /// For `unless`.
        negate: bool,
        then: Vec<Node>,
        other: Vec<Node>,
    },
    Each {
        list: Expr,
        names: Vec<String>,
        body: Vec<Node>,
        other: Vec<Node>,
        place: Place,
    },
    With {
        value: Expr,
        names: Vec<String>,
        body: Vec<Node>,
        other: Vec<Node>,
    },
    Partial {
        name: String,
        body: Vec<Node>,
        context: Option<Expr>,
        hash: Vec<(String, Expr)>,
        place: Place,
    },
}

/// A compiled template.
#[derive(Debug, Clone, Default)]
pub struct Program {
    pub nodes: Vec<Node>,
}

/// What a text is made into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// A part of an HTML page.
    Html,
    /// Plain text.
    Text,
}

/// What building a program needs to know of the files around it.
pub struct Building<'a> {
    pub tags: &'a Tags,
    pub form: Form,
    /// Fields that may be printed without escaping.
    pub raw: &'a [String],
    /// Whether every block must hold whole HTML elements.
    pub whole: bool,
    /// Path of a file by its number.
    pub path: &'a dyn Fn(u16) -> String,
    pub problems: &'a mut Vec<Diagnostic>,
}

enum Opened {
    If {
        test: Expr,
        negate: bool,
    },
    Each {
        list: Expr,
        names: Vec<String>,
    },
    With {
        value: Expr,
        names: Vec<String>,
    },
    /// What a partial prints, with the values it was given.
    Partial {
        name: String,
        context: Option<Expr>,
        hash: Vec<(String, Expr)>,
    },
    /// A block that was reported; its inside is still read.
    Unknown,
}

struct Block {
    opened: Opened,
    place: Place,
    then: Vec<Node>,
    in_else: bool,
    /// Opened by `{{else if}}`: closes together with the block around it.
    chained: bool,
    state: State,
    nodes: Vec<Node>,
}

impl Building<'_> {
    /// Builds the tree of a text with tokens that stands at `state` of a page.
    pub fn build(mut self, text: &str, mut state: State) -> Program {
        let mut stack: Vec<Block> = Vec::new();
        let mut nodes: Vec<Node> = Vec::new();
        let mut trim = false;
        let all = pieces(text);
        for (at, piece) in all.iter().enumerate() {
            match *piece {
                Piece::Text(words) => {
                    let mut words = words;
                    if std::mem::take(&mut trim) {
                        words = words.trim_start();
                    }
                    if let Some(Piece::Tag(next)) = all.get(at + 1)
                        && self.tags.get(*next).is_some_and(|tag| tag.trims.0)
                    {
                        words = words.trim_end();
                    }
                    if self.form == Form::Html {
                        state.read(words);
                    }
                    push_text(&mut nodes, words);
                }
                Piece::Tag(number) => {
                    let Some(tag) = self.tags.get(number) else {
                        continue;
                    };
                    trim = tag.trims.1;
                    let place = tag.place;
                    match tag.sort {
                        Sort::Comment => {}
                        Sort::Braces => push_text(&mut nodes, "{{"),
                        Sort::Value | Sort::Raw => {
                            if let Some(node) = self.value(tag, &state) {
                                nodes.push(node);
                            }
                            if self.form == Form::Html {
                                state.value();
                            }
                        }
                        // Laid open before a program is built.
                        Sort::Partial => {}
                        Sort::Open => {
                            let opened = self.opened(tag);
                            stack.push(Block {
                                opened,
                                place,
                                then: Vec::new(),
                                in_else: false,
                                chained: false,
                                state: state.clone(),
                                nodes: std::mem::take(&mut nodes),
                            });
                        }
                        Sort::Else => {
                            let Some(block) = stack.last_mut() else {
                                continue;
                            };
                            if block.in_else {
                                self.problem(
                                    "E202",
                                    place,
                                    "a second {{else}} in one block",
                                    "write {{else if …}} for all but the last",
                                );
                                continue;
                            }
                            let same = block.state.same(&state, self.whole);
                            let start = block.state.clone();
                            block.in_else = true;
                            block.then = std::mem::take(&mut nodes);
                            if !same && self.form == Form::Html {
                                self.torn(place);
                            }
                            state = start;
                            if !tag.name.is_empty() {
                                let opened = self.opened(tag);
                                stack.push(Block {
                                    opened,
                                    place,
                                    then: Vec::new(),
                                    in_else: false,
                                    chained: true,
                                    state: state.clone(),
                                    nodes: Vec::new(),
                                });
                            }
                        }
                        Sort::Close => {
                            while let Some(block) = stack.pop() {
                                let chained = block.chained;
                                if self.form == Form::Html && !block.state.same(&state, self.whole)
                                {
                                    self.torn(block.place);
                                }
                                state = block.state.clone();
                                nodes = close(block, nodes);
                                if !chained {
                                    break;
                                }
                            }
                        }
                    }
                }
            }
        }
        Program { nodes }
    }

    fn problem(&mut self, code: &'static str, place: Place, message: &str, help: &str) {
        let file = (self.path)(place.file);
        self.problems
            .push(Diagnostic::new(code, file, place.span(), message).help(help));
    }

    fn torn(&mut self, place: Place) {
        let file = (self.path)(place.file);
        self.problems.push(
            Diagnostic::new(
                "E209",
                file,
                place.span(),
                "this block begins in one place of the page and ends in another",
            )
            .help("open and close it inside one paragraph, or put both tags on lines of their own"),
        );
    }

    fn value(&mut self, tag: &super::tags::Tag, state: &State) -> Option<Node> {
        let place = tag.place;
        let mut spot = match self.form {
            Form::Text => Spot::Plain,
            Form::Html => match state.spot() {
                Ok(spot) => spot,
                Err(why) => {
                    let file = (self.path)(place.file);
                    self.problems.push(
                        Diagnostic::new("E209", file, place.span(), why)
                            .help("values may stand in text and in quoted attributes"),
                    );
                    return None;
                }
            },
        };
        // `{{(helper …)}}` has no name; `{{name}}` without arguments may be a path.
        let function = Function::named(&tag.name);
        let bare = tag.call.params.is_empty() && tag.call.hash.is_empty();
        let value = if tag.name.is_empty() {
            tag.call.params.first().cloned()?
        } else if let Some(function) = function {
            if function.shows() {
                if tag.sort == Sort::Raw {
                    self.raw_refused(place, &tag.name);
                    return None;
                }
                if self.form == Form::Html && !state.in_text() {
                    self.problem(
                        "E209",
                        place,
                        &format!(
                            "{{{{{}}}}} must stand in text, not inside an HTML tag",
                            tag.name
                        ),
                        "give it a line of its own in the words of the mail",
                    );
                    return None;
                }
                if function == Function::Items
                    && self.form == Form::Html
                    && self.whole
                    && state.in_paragraph()
                {
                    self.problem(
                        "E209",
                        place,
                        "{{items}} is a table and cannot stand inside a paragraph",
                        "give it a line of its own, with an empty line before and after; in a sentence, write {{list order.items}}",
                    );
                    return None;
                }
                return Some(Node::Show {
                    shows: Use {
                        function,
                        call: tag.call.clone(),
                    },
                    place,
                });
            }
            Expr::Call(Box::new(tag.call.clone()))
        } else if bare {
            Expr::Path(Path::parse(&tag.name, tag.call.place))
        } else {
            self.unknown_helper(&tag.name, place);
            return None;
        };
        if tag.sort == Sort::Raw {
            if self.raw.contains(&tag.name) && self.form == Form::Html {
                spot = Spot::Raw;
            } else if self.form == Form::Html {
                self.raw_refused(place, &tag.name);
                return None;
            }
        }
        Some(Node::Print { value, spot, place })
    }

    fn raw_refused(&mut self, place: Place, name: &str) {
        let file = (self.path)(place.file);
        self.problems.push(
            Diagnostic::new(
                "E207",
                file,
                place.span(),
                format!("{{{{{{{name}}}}}}} would print what others wrote as HTML"),
            )
            .help(format!(
                "write {{{{{name}}}}}, or list it in the front matter: raw = [\"{name}\"]"
            )),
        );
    }

    fn unknown_helper(&mut self, name: &str, place: Place) {
        let file = (self.path)(place.file);
        let mut problem = Diagnostic::new(
            "E205",
            file,
            place.span(),
            format!("there is no helper \"{name}\""),
        );
        if let Some(near) = crate::model::nearest::nearest(name, Function::names()) {
            problem = problem.help(format!("did you mean `{near}`?"));
        } else {
            problem = problem.help(format!(
                "helpers are {}",
                Function::names().collect::<Vec<_>>().join(", ")
            ));
        }
        self.problems.push(problem);
    }

    fn opened(&mut self, tag: &super::tags::Tag) -> Opened {
        let name = tag.name.clone();
        let one = |this: &mut Self| -> Option<Expr> {
            if tag.call.params.len() != 1 {
                let example = if name == "each" {
                    "order.items"
                } else {
                    "customer.first_name"
                };
                let file = (this.path)(tag.place.file);
                this.problems.push(
                    Diagnostic::new(
                        "E202",
                        file,
                        tag.place.span(),
                        format!(
                            "{{{{#{name}}}}} takes one value, found {}",
                            tag.call.params.len()
                        ),
                    )
                    .help(format!("for example {{{{#{name} {example}}}}}")),
                );
                return None;
            }
            tag.call.params.first().cloned()
        };
        match name.as_str() {
            PARTIAL => Opened::Partial {
                name: tag.call.name.clone(),
                context: tag.call.params.first().cloned(),
                hash: tag.call.hash.clone(),
            },
            "if" | "unless" => match one(self) {
                Some(test) => Opened::If {
                    test,
                    negate: name == "unless",
                },
                None => Opened::Unknown,
            },
            "each" => match one(self) {
                Some(list) => Opened::Each {
                    list,
                    names: tag.block_params.clone(),
                },
                None => Opened::Unknown,
            },
            "with" => match one(self) {
                Some(value) => Opened::With {
                    value,
                    names: tag.block_params.clone(),
                },
                None => Opened::Unknown,
            },
            _ => {
                let file = (self.path)(tag.place.file);
                let problem = Diagnostic::new(
                    "E205",
                    file,
                    tag.place.span(),
                    format!("there is no block \"{name}\""),
                )
                .help("blocks are if, unless, each and with; for a list write {{#each list}}");
                self.problems.push(problem);
                Opened::Unknown
            }
        }
    }
}

fn close(block: Block, inner: Vec<Node>) -> Vec<Node> {
    let mut nodes = block.nodes;
    let (then, other) = if block.in_else {
        (block.then, inner)
    } else {
        (inner, Vec::new())
    };
    match block.opened {
        Opened::If { test, negate } => nodes.push(Node::If {
            test,
            negate,
            then,
            other,
        }),
        Opened::Each { list, names } => nodes.push(Node::Each {
            list,
            names,
            body: then,
            other,
            place: block.place,
        }),
        Opened::With { value, names } => nodes.push(Node::With {
            value,
            names,
            body: then,
            other,
        }),
        Opened::Partial {
            name,
            context,
            hash,
        } => nodes.push(Node::Partial {
            name,
            body: then,
            context,
            hash,
            place: block.place,
        }),
        Opened::Unknown => {
            nodes.extend(then);
            nodes.extend(other);
        }
    }
    nodes
}

fn push_text(nodes: &mut Vec<Node>, words: &str) {
    if words.is_empty() {
        return;
    }
    match nodes.last_mut() {
        Some(Node::Text(last)) => last.push_str(words),
        _ => nodes.push(Node::Text(words.to_owned())),
    }
}
