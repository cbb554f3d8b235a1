//! The values as they were given: key by key, from the file or over it from the
//! environment, each with the place it came from.

use super::sources::Keys;
use crate::model::diagnostic::Diagnostic;
use crate::model::nearest::nearest;
use crate::model::torn::torn;
use std::collections::BTreeMap;
use std::ops::Range;
use toml_edit::{Document, Item, TableLike, Value};

/// What variables of ours begin with.
pub const PREFIX: &str = "AFTERCARE_";
/// What stands for the environment where a file is named.
pub const ENVIRONMENT: &str = "environment";

/// Every key there is.
pub const KEYS: [&str; 48] = [
    "data_dir",
    "arming_key_file",
    "secret_file",
    "database.url",
    "http.listen",
    "http.public_url",
    "smtp.url",
    "smtp.user",
    "smtp.password",
    "smtp.password_file",
    "smtp.connections",
    "smtp.bounce_address",
    "smtp.helo",
    "smtp.ca_file",
    "smtp.timeouts.connect",
    "smtp.timeouts.tls",
    "smtp.timeouts.banner",
    "smtp.timeouts.ehlo",
    "smtp.timeouts.starttls",
    "smtp.timeouts.auth",
    "smtp.timeouts.mail",
    "smtp.timeouts.rcpt",
    "smtp.timeouts.data",
    "smtp.timeouts.block",
    "smtp.timeouts.body",
    "smtp.timeouts.dot",
    "smtp.timeouts.reset",
    "smtp.timeouts.quit",
    "intake.events.unsigned",
    "intake.events.secrets",
    "intake.events.secrets_file",
    "intake.events.max_body",
    "intake.events.max_depth",
    "intake.events.read_timeout",
    "intake.events.signature_window",
    "intake.events.rate",
    "intake.events.burst",
    "intake.journal.max",
    "mailer.keep_bodies",
    "mailer.message_id_domain",
    "clock.start",
    "clock.speed",
    "log.format",
    "alerts.mail",
    "alerts.webhook",
    "alerts.webhook_secret",
    "alerts.webhook_secret_file",
    "alerts.quarantine",
];

/// Where sources of platforms stand, each under a name of its own.
const SOURCES: &str = "intake.sources";
/// Every key of one source.
pub const SOURCE_KEYS: [&str; 26] = [
    "platform",
    "source",
    "secrets",
    "secrets_file",
    "public_keys_file",
    "keys_url",
    "unsigned",
    "max_body",
    "max_depth",
    "read_timeout",
    "signature_window",
    "storefront",
    "currency",
    "time_zone",
    "dispatched_statuses",
    "delivered_statuses",
    "mapping",
    "api_url",
    "api_user",
    "api_token",
    "api_token_file",
    "api_version",
    "poll",
    "poll_back",
    "rate",
    "burst",
];
/// Where brokers stand, each under a name of its own.
const BROKERS: &str = "intake.brokers";
/// Every key of one broker.
pub const BROKER_KEYS: [&str; 18] = [
    "url",
    "user",
    "password",
    "password_file",
    "mechanism",
    "credentials_file",
    "ca_file",
    "stream",
    "queue",
    "topic",
    "subject",
    "field",
    "group",
    "batch",
    "max_body",
    "max_depth",
    "redeliver_after",
    "source",
];

/// Tables that stand under names which a shop chooses.
#[derive(Clone, Copy)]
struct Family {
    /// Where they stand.
    above: &'static str,
    /// What one of them is called.
    one: &'static str,
    keys: &'static [&'static str],
    /// Keys that hold secrets.
    secrets: &'static [&'static str],
    /// The name of one, for hints.
    example: &'static str,
}

/// The families there are.
const FAMILIES: [Family; 2] = [
    Family {
        above: SOURCES,
        one: "source",
        keys: &SOURCE_KEYS,
        secrets: &["secrets", "api_token"],
        example: "shopify",
    },
    Family {
        above: BROKERS,
        one: "broker",
        keys: &BROKER_KEYS,
        secrets: &["password"],
        example: "orders",
    },
];
/// Longest name of a source or a broker, in characters.
const MAX_SOURCE_NAME: usize = 40;

/// Keys that hold secrets, which never stand in a file that may be in git.
const SECRETS: [&str; 3] = [
    "smtp.password",
    "intake.events.secrets",
    "alerts.webhook_secret",
];

/// One value as text, and where it came from.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) text: String,
    file: String,
    span: Range<usize>,
    /// The variable, where it came by environment.
    variable: Option<String>,
}

/// The values of all keys that were given, and what is wrong with them so far.
#[derive(Default)]
pub(super) struct Raw {
    values: BTreeMap<&'static str, Given>,
    /// Whether `[intake.events]` is there at all.
    pub(super) intake: bool,
    /// The sources of platforms by name: where each is told, and its keys.
    pub(super) sources: BTreeMap<String, (Given, Keys)>,
    /// The brokers by name, likewise.
    pub(super) brokers: BTreeMap<String, (Given, Keys)>,
    pub(super) problems: Vec<Diagnostic>,
}

impl Given {
    /// Whether it came by environment and not from the file.
    pub(super) fn is_of_environment(&self) -> bool {
        self.variable.is_some()
    }

    /// A problem with this value.
    pub(super) fn problem(&self, code: &'static str, message: impl Into<String>) -> Diagnostic {
        let problem = Diagnostic::new(code, self.file.as_str(), self.span.clone(), message);
        match &self.variable {
            Some(variable) => problem.help(format!("it comes from the variable {variable}")),
            None => problem,
        }
    }
}

impl Raw {
    /// Reads the file and lays the environment over it.
    pub(super) fn read(
        file: Option<(&str, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Raw {
        let mut raw = Raw::default();
        if let Some((path, text)) = file {
            match Document::parse(text) {
                Ok(document) => raw.table(path, document.as_table(), ""),
                Err(error) => {
                    let torn = torn(text, error.span(), error.message(), "this is no TOML");
                    raw.problems.push(torn.problem("E100", path, 0));
                }
            }
        }
        let mut variables: Vec<(String, String)> = environment.into_iter().collect();
        variables.sort();
        for (name, value) in variables {
            raw.variable(&name, value);
        }
        raw
    }

    fn table(&mut self, file: &str, table: &dyn TableLike, above: &str) {
        for (name, item) in table.iter() {
            let path = if above.is_empty() {
                name.to_owned()
            } else {
                format!("{above}.{name}")
            };
            let span = table
                .key(name)
                .and_then(toml_edit::Key::span)
                .or_else(|| item.span())
                .unwrap_or(0..0);
            if let Some(family) = FAMILIES.into_iter().find(|family| family.above == path) {
                self.family(family, file, item, span);
                continue;
            }
            let is_section = KEYS.iter().any(|key| key.starts_with(&format!("{path}.")));
            if path == "intake.events" {
                self.intake = true;
            }
            match (item.as_table_like(), is_section) {
                (Some(inner), true) => self.table(file, inner, &path),
                (None, true) => self.problems.push(
                    Diagnostic::new("E103", file, span, format!("`{path}` wants a table"))
                        .help(format!("write [{path}], and its keys below")),
                ),
                (_, false) => self.value(file, &path, item, span),
            }
        }
    }

    fn value(&mut self, file: &str, path: &str, item: &Item, span: Range<usize>) {
        let Some(key) = KEYS.into_iter().find(|key| *key == path) else {
            self.problems.push(unknown(
                Diagnostic::new(
                    "E104",
                    file,
                    span,
                    format!("unknown key \"{}\"", path.escape_debug()),
                ),
                path,
                &KEYS,
            ));
            return;
        };
        if let Some(given) = self.given(file, key, SECRETS.contains(&key), item, span) {
            self.values.insert(key, given);
        }
    }

    /// The one value at a key, as text.
    fn given(
        &mut self,
        file: &str,
        path: &str,
        is_secret: bool,
        item: &Item,
        span: Range<usize>,
    ) -> Option<Given> {
        if is_secret {
            self.problems.push(
                Diagnostic::new(
                    "E180",
                    file,
                    span.clone(),
                    format!("`{path}` is a secret, and this file may be in git"),
                )
                .help(format!(
                    "set {} instead, or name a file: {path}_file",
                    variable_of(path)
                )),
            );
        }
        let text = match item {
            Item::Value(Value::String(text)) => text.value().clone(),
            Item::Value(Value::Integer(number)) => number.value().to_string(),
            Item::Value(Value::Float(number)) => number.value().to_string(),
            Item::Value(Value::Boolean(flag)) => flag.value().to_string(),
            Item::Value(Value::Datetime(date)) => date.value().to_string(),
            // What was said of a list of secrets is enough.
            _ if is_secret => return None,
            _ => {
                self.problems.push(
                    Diagnostic::new("E103", file, span, format!("`{path}` wants one value")).help(
                        "config/aftercare.toml of a new shop shows every key with an example",
                    ),
                );
                return None;
            }
        };
        Some(Given {
            text,
            file: file.to_owned(),
            span: item.span().unwrap_or(span),
            variable: None,
        })
    }

    /// `[intake.sources.NAME]` or `[intake.brokers.NAME]`, all there are.
    fn family(&mut self, family: Family, file: &str, item: &Item, span: Range<usize>) {
        let above = family.above;
        let wants = |path: &str, span| {
            Diagnostic::new("E103", file, span, format!("`{path}` wants a table")).help(format!(
                "write [{above}.{}], and its keys below",
                family.example
            ))
        };
        let Some(all) = item.as_table_like() else {
            self.problems.push(wants(above, span));
            return;
        };
        for (name, item) in all.iter() {
            let span = all
                .key(name)
                .and_then(toml_edit::Key::span)
                .or_else(|| item.span())
                .unwrap_or(0..0);
            let path = format!("{above}.{}", name.escape_debug());
            if !is_source_name(name) {
                self.problems.push(
                    Diagnostic::new("E111", file, span, format!("`{path}` is no name of a {}", family.one))
                        .help("lower-case letters, digits and single underscores, letters first: it stands in addresses, in metrics and in names of variables"),
                );
                continue;
            }
            let Some(table) = item.as_table_like() else {
                self.problems.push(wants(&path, span));
                continue;
            };
            let at = Given {
                text: name.to_owned(),
                file: file.to_owned(),
                span,
                variable: None,
            };
            let mut keys = Keys::new();
            for (name, item) in table.iter() {
                let span = table
                    .key(name)
                    .and_then(toml_edit::Key::span)
                    .unwrap_or(0..0);
                let Some(key) = family.keys.iter().copied().find(|key| *key == name) else {
                    let name = name.escape_debug();
                    self.problems.push(unknown(
                        Diagnostic::new(
                            "E104",
                            file,
                            span,
                            format!("unknown key \"{path}.{name}\""),
                        ),
                        &name.to_string(),
                        family.keys,
                    ));
                    continue;
                };
                let path = format!("{path}.{key}");
                if let Some(given) =
                    self.given(file, &path, family.secrets.contains(&key), item, span)
                {
                    keys.insert(key, given);
                }
            }
            self.of_family(family).insert(name.to_owned(), (at, keys));
        }
    }

    fn of_family(&mut self, family: Family) -> &mut BTreeMap<String, (Given, Keys)> {
        if family.above == SOURCES {
            &mut self.sources
        } else {
            &mut self.brokers
        }
    }

    /// A variable of a source or a broker: `AFTERCARE_INTAKE__SOURCES__SHOPIFY__SECRETS`.
    /// Whether it is one.
    fn family_variable(&mut self, name: &str, path: &str, value: &str) -> bool {
        let Some((family, source, key)) = FAMILIES.into_iter().find_map(|family| {
            let rest = path.strip_prefix(family.above)?.strip_prefix('.')?;
            let (source, key) = rest.split_once('.')?;
            Some((family, source, key))
        }) else {
            return false;
        };
        let known = family.keys.iter().copied().find(|known| *known == key);
        let Some(key) = known.filter(|_| is_source_name(source)) else {
            return false;
        };
        let given = |text: &str| Given {
            text: text.to_owned(),
            file: ENVIRONMENT.to_owned(),
            span: 0..0,
            variable: Some(name.to_owned()),
        };
        let (_, keys) = self
            .of_family(family)
            .entry(source.to_owned())
            .or_insert_with(|| (given(source), Keys::new()));
        keys.insert(key, given(value));
        true
    }

    /// A variable, where it is one of ours. A single word after the prefix that is no key
    /// belongs to somebody else: logging, tests.
    fn variable(&mut self, name: &str, value: String) {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            return;
        };
        let path = rest.to_lowercase().replace("__", ".");
        if self.family_variable(name, &path, &value) {
            return;
        }
        match KEYS.into_iter().find(|key| *key == path) {
            Some(key) => {
                self.intake |= key.starts_with("intake.events.");
                let given = Given {
                    text: value,
                    file: ENVIRONMENT.to_owned(),
                    span: 0..0,
                    variable: Some(name.to_owned()),
                };
                self.values.insert(key, given);
            }
            None if path.contains('.') => {
                let names = KEYS.map(variable_of);
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let problem = Diagnostic::new(
                    "E181",
                    ENVIRONMENT,
                    0..0,
                    format!("the variable {} sets no key we know", name.escape_debug()),
                );
                self.problems.push(unknown(problem, name, &names));
            }
            None => {}
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &'static str) -> Option<&Given> {
        self.values.get(key)
    }
}

/// A name that can stand in an address and in the name of a variable.
fn is_source_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=MAX_SOURCE_NAME).contains(&name.len())
        && name.bytes().all(plain)
        && name.as_bytes()[0].is_ascii_lowercase()
        && !name.contains("__")
        && !name.ends_with('_')
}

/// The variable that sets a key.
pub(super) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"))
}

fn unknown(problem: Diagnostic, word: &str, names: &[&str]) -> Diagnostic {
    match nearest(word, names.iter().copied()) {
        Some(near) => problem.help(format!("did you mean {near}?")),
        None => problem.help("the config/aftercare.toml that aftercare comes with lists every key"),
    }
}
