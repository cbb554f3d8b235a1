//! The kind of a mail settles its class, who may stop it, how late is too late
//! and what happens when its sending is in doubt (`docs/architecture.md`, kinds).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a mail is for. The order is the order in which kinds go first when two
/// want the same day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Where the order is: confirmed, shipped, delivered, delayed, refunded.
    Fulfilment,
    /// Help with what was bought.
    Education,
    /// A question about how it went.
    Survey,
    /// A request for a public review.
    Review,
    /// Something else to buy.
    Offer,
}

/// What the law calls a mail of some kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Part of carrying out the contract; needs no consent, may not sell.
    Transactional,
    /// Help within the relationship; has its own opt-out.
    Service,
    /// Advertising in the strictest market.
    Marketing,
}

/// What to do with a send of which nobody can know whether it went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUncertain {
    /// Send the same bytes again, under the same Message-ID: a recognisable double is
    /// possible, a loss is not.
    Resend,
    /// Leave it: a loss is possible, a double is not.
    Hold,
}

impl Class {
    /// The name in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Transactional => "transactional",
            Class::Service => "service",
            Class::Marketing => "marketing",
        }
    }
}

impl Kind {
    /// All kinds, first come first in the order of going out.
    pub const ALL: [Kind; 5] = [
        Kind::Fulfilment,
        Kind::Education,
        Kind::Survey,
        Kind::Review,
        Kind::Offer,
    ];

    /// The name in files, on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Fulfilment => "fulfilment",
            Kind::Education => "education",
            Kind::Survey => "survey",
            Kind::Review => "review",
            Kind::Offer => "offer",
        }
    }

    /// What it is for, in a sentence.
    pub fn says(self) -> &'static str {
        match self {
            Kind::Fulfilment => "Where the order is: placed, dispatched, arrived, late, refunded.",
            Kind::Education => "Help with what was bought.",
            Kind::Survey => "A question about how it went.",
            Kind::Review => "A request for a public review.",
            Kind::Offer => "Something else to buy.",
        }
    }

    /// The law's class of this kind.
    pub fn class(self) -> Class {
        match self {
            Kind::Fulfilment => Class::Transactional,
            Kind::Education => Class::Service,
            Kind::Survey | Kind::Review | Kind::Offer => Class::Marketing,
        }
    }

    /// Whether this kind asks something of the customer, and so must be earned.
    pub fn is_ask(self) -> bool {
        matches!(self, Kind::Survey | Kind::Review)
    }

    /// Whether limits, quiet hours and List-Unsubscribe apply.
    pub fn is_bound(self) -> bool {
        self != Kind::Fulfilment
    }

    /// How late after its due time a mail of this kind is still worth sending, in hours.
    pub fn late_hours(self) -> i64 {
        match self {
            Kind::Fulfilment => 48,
            Kind::Education => 14 * 24,
            Kind::Survey | Kind::Review => 10 * 24,
            Kind::Offer => 7 * 24,
        }
    }

    /// What happens when its sending is in doubt.
    pub fn on_uncertain(self) -> OnUncertain {
        match self {
            Kind::Fulfilment => OnUncertain::Resend,
            Kind::Education | Kind::Survey | Kind::Review | Kind::Offer => OnUncertain::Hold,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;
    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownKind)
    }
}

/// The text names no kind of mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected fulfilment, education, survey, review or offer")]
pub struct UnknownKind;

/// How far an opt-out or a suppression reaches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everything but fulfilment.
    All,
    /// Surveys, reviews and offers.
    AllMarketing,
    /// One kind.
    Kind(Kind),
    /// One sequence, by its id.
    Sequence(String),
    /// The address is dead: nothing at all can reach it.
    Dead,
}

impl Scope {
    /// Whether an opt-out of this scope stops a mail of `kind` in `sequence`.
    /// Fulfilment is stopped by a dead address only.
    pub fn stops(&self, kind: Kind, sequence: &str) -> bool {
        match self {
            Scope::Dead => true,
            _ if kind == Kind::Fulfilment => false,
            Scope::All => true,
            Scope::AllMarketing => kind.class() == Class::Marketing,
            Scope::Kind(only) => *only == kind,
            Scope::Sequence(id) => id == sequence,
        }
    }

    /// The scope that one click on a mail of `kind` sets, where the reader chose nothing.
    pub fn of_one_click(kind: Kind) -> Scope {
        match kind.class() {
            Class::Marketing => Scope::AllMarketing,
            Class::Service | Class::Transactional => Scope::Kind(Kind::Education),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::All => f.write_str("all"),
            Scope::AllMarketing => f.write_str("all_marketing"),
            Scope::Kind(kind) => f.write_str(kind.as_str()),
            Scope::Sequence(id) => write!(f, "sequence:{id}"),
            Scope::Dead => f.write_str("dead"),
        }
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Ok(match text {
            "all" => Scope::All,
            "all_marketing" | "marketing" => Scope::AllMarketing,
            "dead" => Scope::Dead,
            other => match other.strip_prefix("sequence:") {
                Some(id) if !id.is_empty() => Scope::Sequence(id.to_owned()),
                _ => Scope::Kind(other.parse().map_err(|_| UnknownScope)?),
            },
        })
    }
}

impl Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The text names no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected all, all_marketing, a kind of mail or sequence:ID")]
pub struct UnknownScope;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_stop_what_the_table_says() {
        let check = |scope: &str, stopped: &[Kind]| {
            let scope: Result<Scope, _> = scope.parse();
            assert!(scope.is_ok(), "a scope");
            let Ok(scope) = scope else { return };
            let got: Vec<Kind> = Kind::ALL
                .into_iter()
                .filter(|k| scope.stops(*k, "s"))
                .collect();
            assert_eq!(got, stopped, "{scope}");
        };
        use Kind::*;
        check("all", &[Education, Survey, Review, Offer]);
        check("all_marketing", &[Survey, Review, Offer]);
        check("education", &[Education]);
        check("fulfilment", &[]);
        check("sequence:s", &[Education, Survey, Review, Offer]);
        check("sequence:other", &[]);
        check("dead", &Kind::ALL);
    }
}
