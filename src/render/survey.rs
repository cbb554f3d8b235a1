//! What a mail shows, without a customer: which names it prints and in which order,
//! where its links lead and under which conditions they stand, what it compares, and
//! its words. Derived from the checked program tree, the one that is rendered; nothing
//! is guessed from source text.
//!
//! For those who judge mails as a whole ([`crate::lint`]); never a judge itself.

use super::Templates;
use super::functions::Function;
use super::program::{Call, Expr, From, Node, Path, Place, Program};
use super::templates::Mail;
use crate::model::cores;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;

/// Most parts of one mail that are walked through.
const MAX_WALKED: usize = 100_000;
/// Stands for a value in a page while its links are looked for; never part of a text,
/// because tags of our own are written with its neighbours.
const VALUE: char = '\u{f8fe}';

/// One mail in one language.
#[derive(Debug, Clone)]
pub struct Survey {
    /// Its name, such as `dslr/basics`.
    pub mail: String,
    pub locale: String,
    /// Its file, relative to the shop's folder.
    pub file: String,
    /// Names that subject, preheader and page print, in the order of the page.
    pub prints: Vec<Printed>,
    /// Where the page links to, in its order.
    pub links: Vec<Link>,
    /// Texts that the mail compares names with.
    pub compared: Vec<Compared>,
    /// What the reader reads of the mail itself, layout apart; a value is an ellipsis.
    pub words: String,
}

/// A stretch of one of the shop's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    pub file: String,
    pub span: Range<usize>,
}

/// A name that is printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// In full, `[]` for elements of lists: `order.items[].title`. What the
    /// `complement` helper found is `complement.title`.
    pub of: String,
    pub place: Spot,
    /// Grows along the page; the largest for subject and preheader.
    pub order: usize,
}

/// Where a link leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// To an address that the file writes out.
    Address(String),
    /// To what a name holds, such as `item.product_url`.
    Name(String),
    /// Five stars, each a rating, to what a name holds.
    Stars(String),
}

/// A link of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub to: To,
    /// Where it is written; none for one without a value in it, whose words are known.
    pub place: Option<Spot>,
    /// The names that `if` and `unless` around it ask for, with where they ask.
    pub under: Vec<(String, Spot)>,
    pub order: usize,
}

/// `(eq item.kind "digital")`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    pub of: String,
    pub value: String,
    pub place: Spot,
}

impl Templates {
    /// A survey of every mail in every language. A mail that was taken over from an
    /// earlier reading of the shop brings its survey with it.
    pub fn surveys(&self) -> Vec<&Survey> {
        let written: Vec<_> = self.written().collect();
        cores::each(&written, |&(name, locale, mail)| {
            mail.survey.get_or_init(|| self.survey(name, locale, mail))
        })
    }

    fn survey(&self, name: &str, locale: &str, mail: &Mail) -> Survey {
        let mut walk = Walk {
            templates: self,
            page: String::new(),
            values: Vec::new(),
            asks: Vec::new(),
            under: Asked::default(),
            head: true,
            walked: 0,
            found: Survey {
                mail: name.to_owned(),
                locale: locale.to_owned(),
                file: self.file_path(mail.file).to_owned(),
                prints: Vec::new(),
                links: Vec::new(),
                compared: Vec::new(),
                words: String::new(),
            },
        };
        walk.mail(mail);
        walk.found
    }
}

/// Names that are asked for around some part of a page, with where they are.
type Asked = Rc<Vec<(String, Spot)>>;

/// What a name means where it stands.
struct Scope<'s> {
    parent: Option<&'s Scope<'s>>,
    /// In full; `None` where that is not known.
    this: Option<String>,
    level: bool,
    names: Vec<(String, Option<String>)>,
}

/// A value in the page that may be part of a link.
struct Valued {
    at: usize,
    /// The name, or the address that is written out.
    to: Option<To>,
    place: Place,
}

struct Walk<'t> {
    templates: &'t Templates,
    /// The page so far, values as [`VALUE`].
    page: String,
    values: Vec<Valued>,
    /// From which byte of the page on which names were asked for.
    asks: Vec<(usize, Asked)>,
    under: Asked,
    /// Whether subject or preheader is walked, which stand nowhere on the page.
    head: bool,
    walked: usize,
    found: Survey,
}

impl Walk<'_> {
    fn mail(&mut self, mail: &Mail) {
        let head = |this: &mut Self, program: &Program| {
            this.program(program);
            this.page.clear();
            this.values.clear();
            this.asks.clear();
        };
        head(self, &mail.subject);
        let subject = plain(&mail.subject);
        if let Some(preheader) = &mail.preheader {
            head(self, preheader);
        }
        self.head = false;
        // The layout first: what it prints counts as said before the mail begins.
        if let Some(laid) = &mail.page.layout {
            self.program(&laid.program);
        }
        self.program(&mail.page.checked);
        self.links();
        let text = match &mail.text {
            // Below this line stands what the layout says.
            Some(text) => {
                let words = plain(text);
                let end = words.find("\n-- \n").unwrap_or(words.len());
                words.get(..end).unwrap_or_default().to_owned()
            }
            None => without_tags(&self.page),
        };
        let preheader = mail.preheader.as_ref().map(plain).unwrap_or_default();
        self.found.words = format!("{subject}\n{preheader}\n{text}");
    }

    fn program(&mut self, program: &Program) {
        let root = Scope {
            parent: None,
            this: Some(String::new()),
            level: true,
            names: Vec::new(),
        };
        self.nodes(&program.nodes, &root);
    }

    fn spot(&self, place: Place) -> Spot {
        Spot {
            file: self.templates.file_path(place.file).to_owned(),
            span: place.span(),
        }
    }

    fn nodes(&mut self, nodes: &[Node], scope: &Scope<'_>) {
        for node in nodes {
            self.walked += 1;
            if self.walked > MAX_WALKED {
                return;
            }
            match node {
                Node::Text(words) => self.page.push_str(words),
                Node::Print { value, place, .. } => self.print(value, *place, scope),
                Node::Show { shows, place } => {
                    let of = shows.call.params.first().and_then(|of| name(of, scope));
                    self.compare(&Expr::Call(Box::new(shows.call.clone())), scope);
                    if let (Function::Stars, Some(of)) = (shows.function, &of) {
                        let link = Link {
                            to: To::Stars(of.clone()),
                            place: Some(self.spot(*place)),
                            under: self.under.to_vec(),
                            order: self.page.len(),
                        };
                        self.found.links.push(link);
                    }
                    self.printed(of, *place);
                    self.page.push(VALUE);
                }
                Node::If {
                    test, then, other, ..
                } => {
                    self.compare(test, scope);
                    let before = Rc::clone(&self.under);
                    let mut under = before.to_vec();
                    self.asked(test, scope, &mut under);
                    self.now_under(Rc::new(under));
                    self.nodes(then, scope);
                    self.nodes(other, scope);
                    self.now_under(before);
                }
                Node::Each {
                    list,
                    names,
                    body,
                    other,
                    ..
                } => {
                    self.compare(list, scope);
                    let this = name(list, scope).map(|list| format!("{list}[]"));
                    let inner = Scope {
                        parent: Some(scope),
                        level: true,
                        names: names.iter().cloned().zip([this.clone(), None]).collect(),
                        this,
                    };
                    self.nodes(body, &inner);
                    self.nodes(other, scope);
                }
                Node::With {
                    value,
                    names,
                    body,
                    other,
                } => {
                    self.compare(value, scope);
                    let this = name(value, scope);
                    let inner = Scope {
                        parent: Some(scope),
                        level: true,
                        names: names.iter().cloned().zip([this.clone()]).collect(),
                        this,
                    };
                    self.nodes(body, &inner);
                    self.nodes(other, scope);
                }
                Node::Partial {
                    body,
                    context,
                    hash,
                    ..
                } => {
                    let inner = Scope {
                        parent: Some(scope),
                        level: context.is_some(),
                        names: hash
                            .iter()
                            .map(|(key, value)| (key.clone(), name(value, scope)))
                            .collect(),
                        this: match context {
                            Some(context) => name(context, scope),
                            None => scope.this.clone(),
                        },
                    };
                    self.nodes(body, &inner);
                }
            }
        }
    }

    fn now_under(&mut self, under: Asked) {
        self.asks.push((self.page.len(), Rc::clone(&under)));
        self.under = under;
    }

    fn print(&mut self, value: &Expr, place: Place, scope: &Scope<'_>) {
        self.compare(value, scope);
        let of = name(value, scope);
        let to = match (&of, address(value)) {
            (_, Some(address)) => Some(To::Address(address)),
            (Some(of), None) => Some(To::Name(of.clone())),
            (None, None) => None,
        };
        self.values.push(Valued {
            at: self.page.len(),
            to,
            place,
        });
        self.page.push(VALUE);
        self.printed(of, place);
    }

    fn printed(&mut self, of: Option<String>, place: Place) {
        if let Some(of) = of {
            let printed = Printed {
                of,
                place: self.spot(place),
                order: if self.head {
                    usize::MAX
                } else {
                    self.page.len()
                },
            };
            self.found.prints.push(printed);
        }
    }

    /// The names that a test asks for.
    fn asked(&self, test: &Expr, scope: &Scope<'_>, found: &mut Vec<(String, Spot)>) {
        match test {
            Expr::Path(path) => {
                if let Some(of) = full(path, scope) {
                    found.push((of, self.spot(path.place)));
                }
            }
            Expr::Call(call) => {
                for param in &call.params {
                    self.asked(param, scope, found);
                }
                if let Some(path) = bare(call) {
                    self.asked(&Expr::Path(path), scope, found);
                }
            }
            Expr::Literal(_) => {}
        }
    }

    /// Notes comparisons of names with texts, wherever in an expression they stand.
    fn compare(&mut self, expr: &Expr, scope: &Scope<'_>) {
        let Expr::Call(call) = expr else { return };
        if let (Some(Function::Eq | Function::Ne), [a, b]) =
            (Function::named(&call.name), call.params.as_slice())
        {
            for (of, value) in [(a, b), (b, a)] {
                if let (Some(of), Expr::Literal(Value::String(value))) = (name(of, scope), value) {
                    let compared = Compared {
                        of,
                        value: value.clone(),
                        place: self.spot(call.place),
                    };
                    self.found.compared.push(compared);
                }
            }
        }
        for param in call
            .params
            .iter()
            .chain(call.hash.iter().map(|(_, value)| value))
        {
            self.compare(param, scope);
        }
    }

    /// Finds the links of the page, now that it is whole.
    fn links(&mut self) {
        let page = std::mem::take(&mut self.page);
        let mut from = 0;
        while let Some(at) = page.get(from..).and_then(|rest| rest.find("href=")) {
            let start = from + at + "href=".len();
            from = start;
            let Some(quote) = page[start..].chars().next().filter(|c| "\"'".contains(*c)) else {
                continue;
            };
            // Style sheets and icons are no links that a reader follows.
            let tag = page[..start]
                .rfind('<')
                .map_or("", |open| &page[open..start]);
            let inner = start + 1;
            let Some(length) = page[inner..].find(quote) else {
                break;
            };
            from = inner + length;
            if !tag.starts_with("<a") && !tag.starts_with("<v:") && !tag.starts_with("<area") {
                continue;
            }
            let address = &page[inner..inner + length];
            let values = self.values.iter().find(|value| value.at == inner);
            let (to, place) = match values {
                Some(value) => (value.to.clone(), Some(self.spot(value.place))),
                None => (
                    Some(To::Address(
                        address.replace("&amp;", "&").replace(VALUE, "…"),
                    )),
                    None,
                ),
            };
            let Some(to) = to else { continue };
            let asked = self.asks.partition_point(|(since, _)| *since <= inner);
            let under = asked
                .checked_sub(1)
                .and_then(|at| self.asks.get(at))
                .map(|(_, under)| under.to_vec())
                .unwrap_or_default();
            self.found.links.push(Link {
                to,
                place,
                under,
                order: inner,
            });
        }
        self.page = page;
        self.found.links.sort_by_key(|link| link.order);
    }
}

/// The full name of what an expression gives: of a path, or of what a helper formats.
fn name(expr: &Expr, scope: &Scope<'_>) -> Option<String> {
    match expr {
        Expr::Path(path) => full(path, scope),
        Expr::Literal(_) => None,
        Expr::Call(call) => match Function::named(&call.name) {
            Some(Function::Complement) => Some("complement".to_owned()),
            Some(
                Function::Date
                | Function::Money
                | Function::Number
                | Function::Plural
                | Function::Link
                | Function::Default
                | Function::Lookup
                | Function::Len,
            ) => {
                let of = name(call.params.first()?, scope)?;
                let element = Function::named(&call.name) == Some(Function::Lookup);
                Some(if element { format!("{of}[]") } else { of })
            }
            Some(_) => None,
            None => full(&bare(call)?, scope),
        },
    }
}

/// A call without arguments may be a name.
fn bare(call: &Call) -> Option<Path> {
    let is_name =
        Function::named(&call.name).is_none() && call.params.is_empty() && call.hash.is_empty();
    is_name.then(|| Path::parse(&call.name, call.place))
}

/// The address that `link` or `default` is given as a text.
fn address(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(Value::String(text)) => Some(text.clone()),
        Expr::Call(call) if call.name == "link" => address(call.params.first()?),
        _ => None,
    }
}

fn full(path: &Path, scope: &Scope<'_>) -> Option<String> {
    let (this, rest) = match path.from {
        From::Local(_) => return None,
        From::Root => (String::new(), path.segments.as_slice()),
        From::Up(up) => {
            let mut scopes = std::iter::successors(Some(scope), |scope| scope.parent);
            let named = path
                .segments
                .first()
                .filter(|_| !path.explicit)
                .and_then(|first| {
                    scopes
                        .clone()
                        .flat_map(|scope| &scope.names)
                        .find(|(name, _)| name == first)
                });
            match named {
                Some((_, found)) => (found.clone()?, path.segments.get(1..)?),
                None => {
                    let mut left = up;
                    let at = scopes.find(|scope| {
                        if !scope.level {
                            return false;
                        }
                        if left == 0 {
                            return true;
                        }
                        left -= 1;
                        false
                    })?;
                    (at.this.clone()?, path.segments.as_slice())
                }
            }
        }
    };
    let mut whole = this;
    for part in rest {
        if !whole.is_empty() {
            whole.push('.');
        }
        whole.push_str(part);
    }
    Some(whole)
}

/// The words of a program, each value an ellipsis.
fn plain(program: &Program) -> String {
    fn nodes(nodes_: &[Node], out: &mut String) {
        for node in nodes_ {
            match node {
                Node::Text(words) => out.push_str(words),
                Node::Print { .. } | Node::Show { .. } => out.push('…'),
                Node::If { then, other, .. } => {
                    nodes(then, out);
                    nodes(other, out);
                }
                Node::Each { body, other, .. } | Node::With { body, other, .. } => {
                    nodes(body, out);
                    nodes(other, out);
                }
                Node::Partial { body, .. } => nodes(body, out),
            }
        }
    }
    let mut out = String::new();
    nodes(&program.nodes, &mut out);
    out
}

/// What a page says, tags and style sheets apart.
fn without_tags(page: &str) -> String {
    let mut out = String::with_capacity(page.len() / 2);
    let mut rest = page;
    while let Some(open) = rest.find('<') {
        out.push_str(&rest[..open]);
        let tag = &rest[open..];
        let foreign = ["style", "script", "head", "title"]
            .into_iter()
            .find(|name| {
                tag.get(1..1 + name.len())
                    .is_some_and(|head| head.eq_ignore_ascii_case(name))
            });
        let end = match foreign {
            Some(name) => tag.find(&format!("</{name}")).unwrap_or(0),
            None => 0,
        };
        match tag.get(end..).and_then(|tag| tag.find('>')) {
            Some(close) => rest = &tag[end + close + 1..],
            None => {
                rest = "";
            }
        }
        out.push(' ');
    }
    out.push_str(rest);
    out.replace(VALUE, "…")
}

impl Survey {
    /// Every name that is printed or linked to.
    pub fn shows(&self) -> BTreeSet<&str> {
        let links = self.links.iter().filter_map(|link| match &link.to {
            To::Name(of) | To::Stars(of) => Some(of.as_str()),
            To::Address(_) => None,
        });
        self.prints
            .iter()
            .map(|printed| printed.of.as_str())
            .chain(links)
            .collect()
    }
}
