//! Every key of every file that people write, once: its type, what it means, what it is
//! where it is left out. JSON Schemas, the reference and the canonical order of keys are
//! made from these tables; a test holds the readers to them. Nothing here reads a file.

mod feed;
mod scenario;
mod sequence;
mod service;
mod shop;

pub use feed::FEED;
pub use scenario::{EVENT, EXPECT, NEVER, SCENARIO};
pub use sequence::{DECIDE, EXPERIMENT, INCENTIVE, PAUSE, SEQUENCE, START, STEP, STOP};
pub use service::{MAIL, SERVICE};
pub use shop::{
    AGES, ASKS, ASSUME, AWAY, CAMPAIGN, CATALOG, CONSENT_ROW, DELIVERY, EARN, FAMILY, HOLIDAYS,
    HOURS, KIT, KIT_MATCH, LIMITS, MATCH, PEOPLE, PERSON, STORE, UNRESOLVED,
};

/// A table of a file.
#[derive(Debug)]
pub struct Table {
    /// What it is called in documentation: `[[step]]`.
    pub title: &'static str,
    pub about: &'static str,
    /// In canonical order.
    pub keys: &'static [Key],
    /// What names that the author chooses hold, where the table has such.
    pub others: Option<&'static Shape>,
}

/// A key.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub shape: Shape,
    pub must: bool,
    pub about: &'static str,
    /// What holds where it is left out, as TOML or in words.
    pub default: &'static str,
    /// As TOML.
    pub example: &'static str,
}

/// What a value looks like.
#[derive(Debug)]
pub enum Shape {
    Text,
    /// A text of a form (a regular expression).
    Form(&'static str),
    OneOf(&'static [&'static str]),
    /// `30min`, `48h`, `2d`, `3w`, `4bd`.
    Length,
    /// `10:00`.
    Time,
    Instant,
    /// An instant, or `+2d` after another.
    Moment,
    Day,
    Flag,
    Number(i64, i64),
    /// An expression over the names of a step.
    Condition,
    Texts,
    /// A list of some of these.
    Words(&'static [&'static str]),
    Days,
    TextOrTexts,
    Table(&'static Table),
    Tables(&'static Table),
    /// Either of two.
    Either(&'static Shape, &'static Shape),
    /// Anything: it has a schema of its own.
    Any,
}

const fn must(name: &'static str, shape: Shape, about: &'static str, example: &'static str) -> Key {
    Key {
        name,
        shape,
        must: true,
        about,
        default: "",
        example,
    }
}

const fn may(
    name: &'static str,
    shape: Shape,
    about: &'static str,
    default: &'static str,
    example: &'static str,
) -> Key {
    Key {
        name,
        shape,
        must: false,
        about,
        default,
        example,
    }
}

const ID: Shape = Shape::Form("^[a-z0-9][a-z0-9_-]{0,63}$");
const KINDS: Shape = Shape::OneOf(&["fulfilment", "education", "survey", "review", "offer"]);
const RULES: Shape = Shape::OneOf(&["none", "opt_out", "soft_opt_in", "opt_in", "never"]);
const FORMAT: Key = must(
    "format",
    Shape::Number(1, 1),
    "The version of the language.",
    "1",
);
const ALLOW: Key = may(
    "allow",
    Shape::Tables(&ALLOWED),
    "Problems that this file turns off, each with a reason.",
    "none",
    "[[allow]]",
);
pub static ALLOWED: Table = Table {
    title: "[[allow]]",
    about: "A problem that is turned off in this file, by its code and with a reason.",
    keys: &[
        must(
            "code",
            Shape::Form("^[EW][0-9]{3}$"),
            "The code, as `check` prints it.",
            "\"W510\"",
        ),
        must(
            "reason",
            Shape::Text,
            "Why customers are fine with it.",
            "\"asked for by the shop's lawyers\"",
        ),
    ],
    others: None,
};

/// What the head of a mail allows: it has one line for each.
static ALLOWED_HERE: Table = Table {
    title: "allow",
    about: "Codes, and why customers are fine with each.",
    keys: &[],
    others: Some(&Shape::Text),
};

/// Tables of files that people write, by the header that begins them.
pub static HEADERS: [(&str, &Table); 8] = [
    ("[start]", &START),
    ("[[step]]", &STEP),
    ("[experiment]", &EXPERIMENT),
    ("[hours]", &HOURS),
    ("[limits]", &LIMITS),
    ("[campaign]", &CAMPAIGN),
    ("[[event]]", &EVENT),
    ("[[expect]]", &EXPECT),
];

/// Every kind of file, by the name that `schema` takes.
pub static KINDS_OF_FILE: [(&str, &Table); 8] = [
    ("sequence", &SEQUENCE),
    ("store", &STORE),
    ("people", &PEOPLE),
    ("catalog", &CATALOG),
    ("feed", &FEED),
    ("scenario", &SCENARIO),
    ("mail", &MAIL),
    ("aftercare", &SERVICE),
];

/// The kind of a file of a shop.
pub fn of_path(path: &str) -> Option<&'static Table> {
    let ends = |ending: &str| path.ends_with(ending);
    if path.starts_with("templates/mail/") {
        return Some(&MAIL);
    }
    if !ends(".toml") {
        return None;
    }
    match path {
        "config/store.toml" => Some(&STORE),
        "config/people.toml" => Some(&PEOPLE),
        "config/catalog.toml" => Some(&CATALOG),
        "config/aftercare.toml" => Some(&SERVICE),
        _ if path.starts_with("config/sequences/") => Some(&SEQUENCE),
        _ if path.starts_with("config/scenarios/") => Some(&SCENARIO),
        _ => None,
    }
}

impl Table {
    /// A key of this table.
    pub fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The names of all keys, in canonical order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }

    /// The table under a key, where there is one.
    pub fn inside(&'static self, name: &str) -> Option<&'static Table> {
        fn of(shape: &'static Shape) -> Option<&'static Table> {
            match shape {
                Shape::Table(table) | Shape::Tables(table) => Some(table),
                Shape::Either(one, other) => of(one).or_else(|| of(other)),
                _ => None,
            }
        }
        match self.key(name) {
            Some(_) => of(&self.keys.iter().find(|key| key.name == name)?.shape),
            None => of(self.others?),
        }
    }

    /// Where a key stands in the canonical order; unknown ones after all others.
    pub fn place(&self, name: &str) -> usize {
        self.keys
            .iter()
            .position(|key| key.name == name)
            .unwrap_or(self.keys.len())
    }

    /// This table and all below it, each once.
    pub fn all(&'static self) -> Vec<&'static Table> {
        let mut found = vec![self];
        let mut at = 0;
        while let Some(table) = found.get(at).copied() {
            let below = table.keys.iter().filter_map(|key| table.inside(key.name));
            let below: Vec<_> = below.chain(table.inside("\u{0}")).collect();
            for one in below {
                if !found.iter().any(|had| std::ptr::eq(*had, one)) {
                    found.push(one);
                }
            }
            at += 1;
        }
        found
    }
}
