//! What is wrong with a row of the feed, field by field and in its place: another type than
//! ours, a blank, an amount that is none, an address that leads nowhere. What is left alone
//! is what no mail could print wrong.

use super::super::syntax::Sheet;
use super::places::{self, Node};
use crate::model::closed::{self, Closed};
use crate::model::nearest::nearest;
use serde_json::Value;
use std::cell::OnceCell;

/// Fields that are texts.
const TEXTS: [&str; 9] = [
    "product_id",
    "sku",
    "variant_id",
    "variant_title",
    "title",
    "kind",
    "vendor",
    "image_url",
    "product_url",
];
/// Fields that are lists of texts.
const LISTS: [&str; 3] = ["tags", "categories", "related"];
/// Fields that hold addresses.
const ADDRESSES: [&str; 2] = ["image_url", "product_url"];
/// Smallest units of most currencies in one of the whole ones.
const MINOR: f64 = 100.0;

/// A feed whose rows are looked at.
pub(super) struct Feed<'f, 's> {
    pub(super) sheet: &'f Sheet<'s>,
    /// Where everything stands, once somebody asked.
    pub(super) parts: OnceCell<Node>,
}

impl Feed<'_, '_> {
    /// Reports a problem of a row, counted from 0, at a field's value, or at `outer.inner`;
    /// where there is none, at the row's beginning.
    pub(super) fn report(&self, row: usize, path: &str, message: String, help: &[&str]) {
        let root = self.parts.get_or_init(|| places::find(self.sheet.text));
        let span = root.part(row, "").map(|row| {
            let mut node = row;
            let mut key = None;
            for part in path.split('.').filter(|part| !part.is_empty()) {
                let number = part.parse().unwrap_or(usize::MAX);
                let Some(inner) = node.part(number, part) else {
                    break;
                };
                key = node.key(part);
                node = inner;
            }
            let whole = matches!(node.inside, places::Inside::Plain);
            match key {
                _ if whole => node.span.clone(),
                Some(key) => key,
                None => node.span.start..node.span.start + 1,
            }
        });
        let mut problem = self.sheet.problem("E161", span.unwrap_or(0..0), message);
        for line in help {
            problem = problem.help(*line);
        }
        self.sheet.report(problem);
    }

    /// Whether nothing is wrong with a row, counted from 0; what is, is reported.
    pub(super) fn is_sound(&self, row: usize, value: &Value) -> bool {
        let Value::Object(fields) = value else {
            let message = format!("row {}: this is no product", row + 1);
            let help = "a product is { \"product_id\": \"…\", \"sku\": \"…\", \"titles\": { … } }";
            self.report(row, "", message, &[help]);
            return false;
        };
        let mut sound = true;
        let mut wrong = |path: &str, message: String, help: &[&str]| {
            self.report(row, path, format!("row {}: {message}", row + 1), help);
            sound = false;
        };
        if fields.get("product_id").is_none_or(Value::is_null) {
            let help = "write \"product_id\": \"P-1\"; variants of one product have the same";
            wrong("product_id", "no \"product_id\"".into(), &[help]);
        }
        for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            let name = key.as_str();
            if TEXTS.contains(&name) {
                match value {
                    Value::String(text) => {
                        let blank = text.trim().is_empty() && matches!(name, "product_id" | "sku");
                        if blank {
                            let help = "events could never say that they mean this product";
                            wrong(name, format!("\"{name}\" is empty"), &[help]);
                        } else if ADDRESSES.contains(&name) && !text.is_empty() {
                            if let Some(help) = no_address(text) {
                                let why = "in a mail it would lead nowhere";
                                wrong(
                                    name,
                                    format!("{} is no whole address", shown(value)),
                                    &[why, &help],
                                );
                            }
                        } else if name == "kind"
                            && let Some(help) = no_kind(text)
                        {
                            wrong(
                                name,
                                format!("\"kind\" is never {}", shown(value)),
                                &[&help],
                            );
                        }
                    }
                    other => wrong(name, wants(name, "a text", other), &[&as_text(name, other)]),
                }
            } else if LISTS.contains(&name) {
                let texts = value
                    .as_array()
                    .is_some_and(|all| all.iter().all(Value::is_string));
                if !texts {
                    wrong(
                        name,
                        wants(name, "a list of texts", value),
                        &[&as_list(name, value)],
                    );
                }
            } else if name == "titles" {
                self.titles(value, &mut wrong);
            } else if name == "prices" {
                self.prices(value, &mut wrong);
            } else if matches!(name, "replenish_days" | "inventory_quantity") && !value.is_i64() {
                let help = format!("write \"{name}\": 30, without quotes");
                wrong(name, wants(name, "a whole number", value), &[&help]);
            } else if name == "available" && !value.is_boolean() {
                wrong(
                    name,
                    wants(name, "true or false", value),
                    &["write \"available\": true"],
                );
            } else if name == "components" && !value.is_array() {
                let help = "write \"components\": [{ \"sku\": \"…\", \"quantity\": 1 }]";
                wrong(name, wants(name, "a list of parts", value), &[help]);
            }
        }
        sound
    }

    fn titles(&self, value: &Value, wrong: &mut impl FnMut(&str, String, &[&str])) {
        let Value::Object(all) = value else {
            let help = "write \"titles\": {\"en\": \"…\"}, or \"title\": \"…\" for all languages";
            return wrong(
                "titles",
                wants("titles", "a title for each language", value),
                &[help],
            );
        };
        for (language, title) in all {
            let path = format!("titles.{language}");
            if !is_language(language) {
                let help = "languages are written as in file names: en, de, pt-BR";
                wrong(
                    &path,
                    format!("\"{}\" is no language", language.escape_debug()),
                    &[help],
                );
            } else if title.as_str().is_none_or(|title| title.trim().is_empty()) {
                let what = match title {
                    Value::String(_) => format!("the title in \"{language}\" is empty"),
                    other => wants(language, "a text", other),
                };
                let why = "mails would have a blank where its name belongs";
                wrong(
                    &path,
                    what,
                    &[why, "write the title, or take the language out"],
                );
            }
        }
    }

    fn prices(&self, value: &Value, wrong: &mut impl FnMut(&str, String, &[&str])) {
        let Value::Object(all) = value else {
            let help = "write \"prices\": {\"EUR\": 15900}, in cents";
            return wrong(
                "prices",
                wants("prices", "an amount for each currency", value),
                &[help],
            );
        };
        for (currency, amount) in all {
            let path = format!("prices.{currency}");
            let code = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase());
            if !code {
                let message = format!("\"{}\" is no currency", currency.escape_debug());
                let help = "currencies are three capital letters by ISO 4217: \"EUR\", \"USD\"";
                wrong(&path, message, &[help]);
            } else if amount.as_i64().is_none_or(|amount| amount < 0) {
                let what = match amount.as_i64() {
                    Some(_) => format!("the price in {currency} is less than nothing"),
                    None => wants(currency, "a whole number", amount),
                };
                let why = "prices stand in the smallest unit: cents of the euro, yen themselves";
                wrong(&path, what, &[why, &as_amount(currency, amount)]);
            }
        }
    }
}

fn shown(value: &Value) -> String {
    let mut text = value.to_string();
    /// Longest value that a message shows, in bytes.
    const LONGEST: usize = 60;
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}

fn wants(name: &str, what: &str, value: &Value) -> String {
    format!("\"{name}\" wants {what}, not {}", shown(value))
}

fn as_text(name: &str, value: &Value) -> String {
    match value {
        Value::Number(number) => format!("write \"{name}\": \"{number}\""),
        Value::Array(all) if all.len() == 1 && all[0].is_string() => {
            format!("write \"{name}\": {}", all[0])
        }
        Value::Object(_) if name == "title" => {
            "a title for each language is \"titles\": {\"en\": \"…\"}".into()
        }
        _ => format!("write \"{name}\": \"…\""),
    }
}

fn as_list(name: &str, value: &Value) -> String {
    let parts: Vec<String> = (value.as_str().unwrap_or("…").split(','))
        .map(|part| format!("\"{}\"", part.trim().escape_debug()))
        .collect();
    format!("write \"{name}\": [{}]", parts.join(", "))
}

/// What an amount was most likely meant to be.
fn as_amount(currency: &str, value: &Value) -> String {
    let written = match value {
        Value::String(text) => text.replace(',', "."),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let amount = match written.parse::<f64>() {
        Ok(amount) if written.contains('.') && amount > 0.0 && amount < 1e12 => {
            format!("{:.0}", amount * MINOR)
        }
        Ok(amount) if amount > 0.0 && amount < 1e15 => format!("{amount:.0}"),
        _ => "15900".into(),
    };
    format!("write \"{currency}\": {amount}, or leave the currency out")
}

/// Why an address leads nowhere from a mail, as what to write.
fn no_address(text: &str) -> Option<String> {
    let rest = (text.strip_prefix("https://")).or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest) if text.contains(char::is_whitespace) || rest.is_empty() => {
            Some("write its whole address, with %20 for a space".into())
        }
        Some(_) => None,
        None if text.starts_with("//") => Some(format!("write \"https:{text}\"")),
        None => Some("write its whole address: \"https://…\"".into()),
    }
}

/// What to say of a kind of goods that no event knows.
fn no_kind(text: &str) -> Option<String> {
    let Some(Closed::OneOf(kinds)) = closed::of("item.kind") else {
        return None;
    };
    let near = || {
        nearest(
            &text.to_lowercase().replace([' ', '-'], "_"),
            kinds.iter().copied(),
        )
    };
    (!kinds.contains(&text)).then(|| match near() {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("there are {}", kinds.join(", ")),
    })
}

/// Whether a text is a language as files name it: `en`, `pt-BR`.
fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let lower = matches!(first.len(), 2 | 3) && first.bytes().all(|b| b.is_ascii_lowercase());
    lower && parts.all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}
