//! `config/sources/NAME.toml`: every problem of it in one go, each with its place.

use super::expression::Expression;
use super::scheme::{Algorithm, Encoding, Part, Scheme, template};
use super::{Mapping, Telling};
use crate::model::diagnostic::Diagnostic;
use crate::model::event::EventKind;
use crate::model::nearest::nearest;
use crate::model::torn::torn;
use std::ops::Range;
use toml_edit::{Document, Item, TableLike};

/// Most `[[fact]]` in a file.
const MAX_TELLINGS: usize = 100;
const TOP: &[&str] = &["signature", "delivery", "fact"];
const SIGNATURE: &[&str] = &[
    "header",
    "algorithm",
    "encoding",
    "prefix",
    "signed",
    "timestamp",
    "key",
];
const DELIVERY: &[&str] = &["topic", "key"];
const FACT: &[&str] = &[
    "type", "when", "each", "id", "about", "line", "time", "test", "history", "data",
];
/// The parts that `data` of an event may have.
const DATA: &[&str] = &[
    "order",
    "order_ref",
    "customer",
    "customer_ref",
    "shipment",
    "delivery",
    "failure",
    "pickup",
    "refund",
    "cancel",
    "return",
    "dispute",
    "review",
    "ticket",
    "consent",
    "survivor",
    "absorbed",
    "changes",
    "previous",
    "erasure",
    "request",
    "product",
];

struct Reader<'f> {
    path: &'f str,
    problems: Vec<Diagnostic>,
}

pub(super) fn read(path: &str, text: &str) -> Result<Mapping, Vec<Diagnostic>> {
    let mut reader = Reader {
        path,
        problems: Vec::new(),
    };
    let mapping = match Document::parse(text) {
        Ok(document) => reader.mapping(document.as_table()),
        Err(error) => {
            let torn = torn(text, error.span(), error.message(), "this is no TOML");
            reader.problems.push(torn.problem("E100", path, 0));
            None
        }
    };
    match mapping {
        Some(mapping) if reader.problems.is_empty() => Ok(mapping),
        _ => Err(reader.problems),
    }
}

fn span_of(table: &dyn TableLike, name: &str) -> Range<usize> {
    let item = table.get(name).and_then(Item::span);
    let key = table.key(name).and_then(toml_edit::Key::span);
    item.or(key).unwrap_or(0..0)
}

impl Reader<'_> {
    fn report(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let mut problem = Diagnostic::new(code, self.path, span, message);
        if let Some(help) = help {
            problem = problem.help(help);
        }
        self.problems.push(problem);
    }

    /// Every key is one of those known.
    fn keys(&mut self, table: &dyn TableLike, known: &[&str], place: &str) {
        for (name, _) in table.iter() {
            if known.contains(&name) {
                continue;
            }
            let span = table
                .key(name)
                .and_then(toml_edit::Key::span)
                .unwrap_or(0..0);
            let near =
                nearest(name, known.iter().copied()).map(|near| format!("did you mean {near}?"));
            let help = near.unwrap_or_else(|| format!("{place} knows {}", known.join(", ")));
            let message = format!("unknown key \"{}\"", name.escape_debug());
            self.report("E104", span, message, Some(help));
        }
    }

    fn text<'t>(&mut self, table: &'t dyn TableLike, name: &str) -> Option<&'t str> {
        let item = table.get(name)?;
        let text = item.as_str();
        if text.is_none() {
            let message = format!("`{name}` wants a text");
            self.report("E103", span_of(table, name), message, None);
        }
        text
    }

    fn expression(&mut self, table: &dyn TableLike, name: &str, place: &str) -> Option<Expression> {
        let text = self.text(table, name)?;
        match Expression::parse(text, format!("{place}: {name}")) {
            Ok(expression) => Some(expression),
            Err((message, help)) => {
                self.report("E187", span_of(table, name), message, help);
                None
            }
        }
    }

    fn missing(&mut self, span: Range<usize>, place: &str, what: &str, help: &str) {
        let message = format!("{place} lacks `{what}`");
        self.report("E102", span, message, Some(help.to_owned()));
    }

    fn mapping(&mut self, table: &dyn TableLike) -> Option<Mapping> {
        self.keys(table, TOP, "a mapping");
        let scheme = table
            .get("signature")
            .and_then(Item::as_table_like)
            .and_then(|inner| self.scheme(inner, span_of(table, "signature")));
        let (mut topic, mut key) = (None, None);
        if let Some(delivery) = table.get("delivery").and_then(Item::as_table_like) {
            self.keys(delivery, DELIVERY, "[delivery]");
            topic = self.expression(delivery, "topic", "[delivery]");
            key = self.expression(delivery, "key", "[delivery]");
        }
        let facts = table.get("fact").and_then(Item::as_array_of_tables);
        let Some(facts) = facts.filter(|facts| !facts.is_empty()) else {
            self.missing(
                0..0,
                "the mapping",
                "[[fact]]",
                "write [[fact]], with `type`, `id` and [fact.data] below it",
            );
            return None;
        };
        if facts.len() > MAX_TELLINGS {
            let message = format!("more than {MAX_TELLINGS} [[fact]]");
            self.report("E118", 0..0, message, None);
        }
        let mut told = Vec::new();
        for (nth, fact) in facts.iter().enumerate() {
            let span = fact.span().unwrap_or(0..0);
            told.extend(self.telling(fact, nth + 1, span));
        }
        Some(Mapping {
            scheme,
            topic,
            key,
            facts: told,
        })
    }

    fn scheme(&mut self, table: &dyn TableLike, span: Range<usize>) -> Option<Scheme> {
        self.keys(table, SIGNATURE, "[signature]");
        let header = self.text(table, "header");
        if header.is_none() && table.get("header").is_none() {
            self.missing(
                span,
                "[signature]",
                "header",
                "name the header that holds the signature",
            );
        }
        let algorithm = match self.text(table, "algorithm").unwrap_or("hmac-sha256") {
            "hmac-sha256" => Some(Algorithm::HmacSha256),
            "hmac-sha512" => Some(Algorithm::HmacSha512),
            _ => {
                self.one_of(table, "algorithm", "hmac-sha256, hmac-sha512");
                None
            }
        };
        let encoding = self.encoding(table, "encoding", Encoding::Hex);
        let key = match self.text(table, "key") {
            None | Some("text") => None,
            Some(_) => Some(self.encoding(table, "key", Encoding::Base64)?),
        };
        let timestamp = self.text(table, "timestamp").map(str::to_ascii_lowercase);
        let signed = match template(self.text(table, "signed").unwrap_or("{body}")) {
            Ok(parts) => parts,
            Err(why) => {
                self.report("E187", span_of(table, "signed"), why, None);
                return None;
            }
        };
        if signed.contains(&Part::Timestamp) && timestamp.is_none() {
            self.missing(
                span_of(table, "signed"),
                "[signature]",
                "timestamp",
                "name the header that {timestamp} stands for",
            );
        }
        Some(Scheme {
            header: header?.to_ascii_lowercase(),
            algorithm: algorithm?,
            encoding: encoding?,
            prefix: self.text(table, "prefix").unwrap_or_default().to_owned(),
            signed,
            timestamp,
            key,
        })
    }

    fn encoding(&mut self, table: &dyn TableLike, name: &str, usual: Encoding) -> Option<Encoding> {
        match self.text(table, name) {
            None => Some(usual),
            Some("hex") => Some(Encoding::Hex),
            Some("base64") => Some(Encoding::Base64),
            Some(_) => {
                self.one_of(table, name, "hex, base64");
                None
            }
        }
    }

    fn one_of(&mut self, table: &dyn TableLike, name: &str, known: &str) {
        let message = format!("`{name}` is one of {known}");
        self.report("E105", span_of(table, name), message, None);
    }

    fn telling(
        &mut self,
        table: &dyn TableLike,
        nth: usize,
        span: Range<usize>,
    ) -> Option<Telling> {
        let place = format!("[[fact]] {nth}");
        self.keys(table, FACT, "[[fact]]");
        let kind = match self.text(table, "type") {
            None => {
                self.missing(
                    span.clone(),
                    &place,
                    "type",
                    "such as type = \"order.placed\"",
                );
                None
            }
            Some(text) => {
                let kind = text.parse::<EventKind>().ok();
                if kind.is_none() {
                    let near = nearest(text, EventKind::ALL.iter().map(|kind| kind.as_str()))
                        .map(|near| format!("did you mean {near}?"));
                    let message = format!("no event is called \"{}\"", text.escape_debug());
                    self.report("E105", span_of(table, "type"), message, near);
                }
                kind
            }
        };
        let id = self.expression(table, "id", &place);
        if table.get("id").is_none() {
            self.missing(
                span.clone(),
                &place,
                "id",
                "the name of the fact, by which it is known again: id = \"'order/' + string(body.id) + '/placed'\"",
            );
        }
        let mut data = Vec::new();
        match table.get("data").and_then(Item::as_table_like) {
            None => self.missing(span, &place, "data", "write [fact.data] below it"),
            Some(inner) => {
                self.keys(inner, DATA, "[fact.data]");
                for name in DATA {
                    if let Some(one) = self.expression(inner, name, &format!("{place}: data")) {
                        data.push(((*name).to_owned(), one));
                    }
                }
            }
        }
        let when = self.expression(table, "when", &place);
        let each = self.expression(table, "each", &place);
        let about = self.expression(table, "about", &place);
        let line = self.expression(table, "line", &place);
        let time = self.expression(table, "time", &place);
        let test = self.expression(table, "test", &place);
        let history = self.expression(table, "history", &place);
        Some(Telling {
            kind: kind?,
            when,
            each,
            id: id?,
            about,
            line,
            time,
            test,
            history,
            data,
        })
    }
}
