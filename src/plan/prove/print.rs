//! Every mail of every story is really made, in every language of the shop: a value that
//! is missing on some path would hold that mail for a customer. Values of one shape are
//! made once.

use super::checks::Violation;
use super::life::{Going, World};
use crate::model::locale;
use crate::plan::values::{self, Addresses};
use crate::render::Templates;
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Longest text that is told apart by what it says: words such as `delivered`, which
/// templates compare with.
const MAX_WORD: usize = 16;

/// The shop's templates, and the shapes of mails already made.
#[derive(Debug)]
pub(super) struct Printing<'a> {
    templates: &'a Templates,
    made: RefCell<HashSet<u64>>,
    /// Mails made so far.
    pub(super) mails: Cell<u64>,
}

impl<'a> Printing<'a> {
    pub(super) fn new(templates: &'a Templates) -> Self {
        Printing {
            templates,
            made: RefCell::default(),
            mails: Cell::new(0),
        }
    }

    /// Makes one mail in every language, unless one of its shape was made; what is wrong
    /// with it. A shape that is wrong is told each time, so that stories can be cut short.
    pub(super) fn print(&self, world: &World<'_>, mut going: Going) -> Option<Violation> {
        let mut hash = DefaultHasher::new();
        (&going.send.mail, &going.send.sequence, &going.send.step).hash(&mut hash);
        for value in &going.ready.names.values {
            value.0.hash(&mut hash);
            shape(value.1, true, &mut hash);
        }
        (&going.ready.names.owned, &going.ready.currency).hash(&mut hash);
        let shape = hash.finish();
        if self.made.borrow().contains(&shape) {
            return None;
        }
        let policy = &world.catalog.policy;
        let mut locales = Vec::new();
        let own = &going.ready.locales;
        if !own
            .first()
            .is_some_and(|first| policy.locales.contains(first))
        {
            locales.push(own.clone());
        }
        for other in &policy.locales {
            let mut chain = locale::chain(other, None);
            chain.extend(policy.fallback.iter().cloned());
            locales.push(chain);
        }
        let mut values = values::values(
            policy,
            &going.send,
            &mut going.ready,
            &Addresses {
                unsubscribe: format!("{}/unsubscribe", policy.url),
                preferences: format!("{}/preferences", policy.url),
            },
        );
        for chain in locales {
            if let Some(Value::Object(mail)) = values.get_mut("mail") {
                mail.insert(
                    "locale".into(),
                    Value::String(chain.first().cloned().unwrap_or_default()),
                );
            }
            let mut ready = going.ready.clone();
            ready.locales.clone_from(&chain);
            let context = values::context(world.catalog, &going.send, &mut ready, values.clone());
            self.mails.set(self.mails.get() + 1);
            if let Err(error) = self.templates.render(&going.send.mail, &chain, &context) {
                let what = format!("\"{}\" would be held: {}", going.send.name(), error.message);
                let mut wrong = Violation::of("E336", &going, what)
                    .help("the customer would get this mail late or never, and somebody would have to mend it first")
                    .help("give the name a fallback, {{default … \"…\"}}, or an {{#if …}} that tests this very name");
                wrong.elsewhere = Some((error.template, error.line));
                return Some(wrong);
            }
        }
        self.made.borrow_mut().insert(shape);
        None
    }
}

/// What of a value can make a difference to whether a mail can be made: what is there
/// and what is not, how many of it, and short words.
fn shape(value: &Value, top: bool, hash: &mut DefaultHasher) {
    match value {
        Value::Null => 0_u8.hash(hash),
        Value::Bool(value) => (1_u8, value).hash(hash),
        Value::Number(number) => {
            (2_u8, number.as_f64().map(|number| number.total_cmp(&0.0))).hash(hash)
        }
        Value::String(text) => {
            3_u8.hash(hash);
            text.is_empty().hash(hash);
            let word =
                text.len() <= MAX_WORD && text.bytes().all(|c| c.is_ascii_lowercase() || c == b'_');
            if word {
                text.hash(hash);
            }
        }
        Value::Array(values) => {
            (4_u8, values.len().min(2)).hash(hash);
            values
                .iter()
                .take(2)
                .for_each(|value| shape(value, false, hash));
        }
        Value::Object(fields) => {
            (5_u8, top).hash(hash);
            for (name, value) in fields {
                name.hash(hash);
                shape(value, false, hash);
            }
        }
    }
}
