//! Platforms' own deliveries: from headers and bytes to canonical facts. Each adapter is
//! a pure function in a file of its own; here is what they share.
//!
//! A delivery is expanded into every fact that it attests, not only the one its topic
//! names, so that lost, late and repeated deliveries mend themselves: a fact is known by
//! its name. What a platform says and we have no use for is no error. What cannot be
//! read is kept whole, with the reason in words, and can be replayed: [`Recorded`].
//!
//! Nothing here stores, fetches or reads a clock, and nothing of what a stranger sent can
//! make it panic. Start reading at [`hear`]; [`proof`] comes before it.

mod adobe;
mod aftership;
mod bigcommerce;
mod carried;
mod commercetools;
mod easypost;
mod facts;
mod generic;
mod gorgias;
mod headers;
mod judgeme;
mod klaviyo;
mod loose;
mod medusa;
mod moment;
mod plain;
mod proof;
mod public_keys;
mod recorded;
mod saleor;
mod seventeen;
mod shipengine;
mod shippo;
mod shopify;
mod spree;
mod stripe;
pub mod tables;
#[cfg(test)]
mod tests;
mod woocommerce;
mod yotpo;
mod zendesk;

pub use generic::Mapping;
pub use headers::Headers;
pub use proof::{MAX_SECRETS, MIN_SECRET, SharedSecret};
pub use public_keys::PublicKeys;
pub use recorded::Recorded;

use super::canonical::{Learnt, MAX_NAME, Poison};
use super::json::{self, Json};
use super::shape::Misfit;
use super::signature::SignatureError;
use crate::model::event::Event;
use crate::model::platform::Platform;
use crate::model::time::{TimeZone, Timestamp};
use facts::{Fact, Facts, Reading};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Longest topic that is kept, in characters.
const MAX_TOPIC: usize = 128;
/// Longest key of a delivery, in bytes.
const MAX_KEY: usize = 256;

/// A place that deliveries come from: one shop on one platform.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name in our address and configuration.
    pub name: String,
    pub platform: Platform,
    /// The `source` of its events, where configuration says it; else what the platform
    /// says of itself, else `/PLATFORM/NAME`.
    pub origin: Option<String>,
    /// What is good as a secret now.
    pub secrets: Vec<SharedSecret>,
    /// The public keys of a platform that signs with a private one.
    pub keys: PublicKeys,
    /// Public keys prove who sends, though there may be none yet: they are fetched.
    pub fetches_keys: bool,
    /// Take deliveries without proof of who sends.
    pub unsigned: bool,
    /// How far a signed time may lie from ours, either way.
    pub window: Duration,
    /// Deepest nesting of the JSON.
    pub depth: usize,
    pub notes: Notes,
    /// How a shop of its own make signs and speaks.
    pub mapping: Option<Arc<Mapping>>,
    /// Whether somebody fetches what a delivery leaves out: then it is not told without.
    pub fetches: bool,
}

/// What a platform's deliveries do not say of the shop.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    /// Where its pages are, without a slash at the end.
    pub storefront: Option<String>,
    /// The currency of its prices.
    pub currency: Option<String>,
    /// In which zone to read times that name none.
    pub zone: Option<TimeZone>,
    /// Statuses of orders that mean "handed to the carrier".
    pub dispatched: Vec<String>,
    /// Statuses of orders that mean "arrived".
    pub delivered: Vec<String>,
}

impl Source {
    /// A source with nothing said of it.
    pub fn new(name: impl Into<String>, platform: Platform) -> Source {
        Source {
            name: name.into(),
            platform,
            origin: None,
            secrets: Vec::new(),
            keys: PublicKeys::default(),
            fetches_keys: false,
            unsigned: false,
            window: super::signature::WINDOW,
            depth: super::canonical::MAX_DEPTH,
            notes: Notes::default(),
            mapping: None,
            fetches: false,
        }
    }

    /// The `source` of events: as configured, else with what the platform says of itself.
    pub fn origin(&self, told: Option<&str>) -> String {
        let told = told.filter(|told| !told.chars().any(char::is_control));
        match (&self.origin, told) {
            (Some(origin), _) => origin.clone(),
            (None, Some(told)) => format!("/{}/{told}", self.platform),
            (None, None) => format!("/{}/{}", self.platform, self.name),
        }
    }

    /// Checks who sent a delivery, over its raw bytes. `token` is what the address says.
    ///
    /// # Errors
    /// No signature holds, or its time is too far from `now`.
    pub fn verify(
        &self,
        headers: &Headers,
        token: Option<&str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        self.verify_by(&self.keys, headers, token, body, now)
    }

    /// As [`Source::verify`], by these public keys instead of its own.
    ///
    /// # Errors
    /// The same; [`SignatureError::UnknownKey`] where newer keys might do.
    pub fn verify_by(
        &self,
        keys: &PublicKeys,
        headers: &Headers,
        token: Option<&str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        let secrets = self.secrets.as_slice();
        let keyed = self.fetches_keys || !keys.is_empty();
        match self.platform {
            Platform::Shopify => {
                let header = headers.first(&["x-shopify-hmac-sha256", "shopify-hmac-sha256"]);
                proof::base64_of_body(header, body, secrets)
            }
            Platform::WooCommerce => {
                proof::base64_of_body(headers.one("x-wc-webhook-signature"), body, secrets)
            }
            Platform::Stripe => proof::stripe(headers, body, secrets, now, self.window),
            Platform::AfterShip => {
                let header = headers.first(&["aftership-hmac-sha256", "as-signature-hmac-sha256"]);
                proof::base64_of_body(header, body, secrets)
            }
            Platform::EasyPost => proof::easypost(headers, body, secrets),
            Platform::Zendesk => proof::zendesk(headers, body, secrets, now, self.window),
            Platform::Gorgias => proof::token(headers, token, secrets),
            Platform::JudgeMe => {
                proof::hex_of_body(headers.one("judgeme-hmac-sha256"), body, secrets)
            }
            Platform::BigCommerce => {
                proof::standard(headers, body, secrets, true, now, self.window)
            }
            Platform::Generic => generic::verify(self, headers, token, body, now),
            Platform::Medusa => proof::standard(headers, body, secrets, false, now, self.window),
            Platform::Shippo => proof::shippo(headers, token, body, secrets, now, self.window),
            Platform::SeventeenTrack => proof::seventeen(headers, token, body, secrets),
            Platform::Spree => proof::spree(headers, body, secrets, now, self.window),
            Platform::Saleor => proof::saleor(headers, body, secrets, keys),
            Platform::ShipEngine if keyed => {
                proof::shipengine(headers, body, keys, now, self.window)
            }
            Platform::AdobeCommerce if keyed => proof::adobe(headers, body, keys),
            Platform::ShipEngine
            | Platform::AdobeCommerce
            | Platform::Commercetools
            | Platform::Yotpo
            | Platform::Klaviyo => proof::token(headers, token, secrets),
        }
    }

    /// Whether a delivery shows any proof at all, right or wrong: then it is the secret
    /// that does not fit, and else the platform that does not sign.
    pub fn shows_proof(&self, headers: &Headers, token: Option<&str>) -> bool {
        let mut names: Vec<&str> = match self.platform {
            Platform::Shopify => vec!["x-shopify-hmac-sha256", "shopify-hmac-sha256"],
            Platform::WooCommerce => vec!["x-wc-webhook-signature"],
            Platform::Stripe => vec!["stripe-signature"],
            Platform::AfterShip => vec!["aftership-hmac-sha256", "as-signature-hmac-sha256"],
            Platform::EasyPost => vec!["x-hmac-signature"],
            Platform::Zendesk => vec!["x-zendesk-webhook-signature"],
            Platform::JudgeMe => vec!["judgeme-hmac-sha256"],
            Platform::BigCommerce | Platform::Medusa => vec!["webhook-signature"],
            Platform::Shippo => vec!["shippo-auth-signature"],
            Platform::SeventeenTrack => vec!["sign"],
            Platform::Spree => vec!["x-spree-webhook-signature"],
            Platform::Saleor => vec!["saleor-signature"],
            Platform::ShipEngine => vec!["x-shipengine-rsa-sha256-signature"],
            Platform::AdobeCommerce => {
                vec!["x-adobe-digital-signature-1", "x-adobe-digital-signature-2"]
            }
            Platform::Gorgias
            | Platform::Commercetools
            | Platform::Yotpo
            | Platform::Klaviyo
            | Platform::Generic => Vec::new(),
        };
        if let Some(mapping) = &self.mapping {
            names.extend(mapping.signed_in());
        }
        let takes_token = match self.platform {
            Platform::Shippo
            | Platform::SeventeenTrack
            | Platform::Gorgias
            | Platform::ShipEngine
            | Platform::AdobeCommerce
            | Platform::Commercetools
            | Platform::Yotpo
            | Platform::Klaviyo
            | Platform::Generic => true,
            Platform::Shopify
            | Platform::WooCommerce
            | Platform::Stripe
            | Platform::AfterShip
            | Platform::EasyPost
            | Platform::Zendesk
            | Platform::JudgeMe
            | Platform::BigCommerce
            | Platform::Saleor
            | Platform::Spree
            | Platform::Medusa => false,
        };
        headers.every().any(|(name, _)| names.contains(&name))
            || (takes_token && (token.is_some() || headers.one("authorization").is_some()))
    }

    /// Whether a delivery only asks whether we are there: it may come without proof, and
    /// nothing becomes of it.
    pub fn is_ping(&self, headers: &Headers, body: &[u8]) -> bool {
        self.platform == Platform::WooCommerce && woocommerce::is_ping(headers, body)
    }

    /// The code that a broker wants back before it delivers (Azure Event Grid, to which
    /// commercetools delivers): what asks so is proved by then.
    pub fn validation(&self, headers: &Headers, body: &[u8]) -> Option<String> {
        let asks = matches!(self.platform, Platform::Commercetools | Platform::Generic)
            && headers.begins("aeg-event-type", "SubscriptionValidation");
        if !asks {
            return None;
        }
        let body = json::read(body, self.depth).ok()?;
        let code = body[0]["data"]["validationCode"].as_str()?;
        (code.len() <= MAX_KEY).then(|| code.to_owned())
    }

    /// Whether anything could prove who sends.
    pub fn can_prove(&self) -> bool {
        !self.secrets.is_empty() || !self.keys.is_empty() || self.fetches_keys
    }
}

/// What is known beside a delivery, because it was asked for or told before.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// The lines of the order, as the platform's interface gives them.
    pub line_items: Option<Value>,
    /// Ids of orders by other names of theirs: sessions, payments, charges.
    pub orders: BTreeMap<String, String>,
}

/// A delivery in the hands of an adapter.
struct Told<'t> {
    source: &'t Source,
    headers: &'t Headers,
    raw: &'t [u8],
    body: &'t Json<'t>,
    received: Timestamp,
    beside: &'t Beside,
    /// The lines of the order, where they were asked for.
    line_items: Option<Json<'t>>,
}

/// What an adapter understood.
#[derive(Debug)]
struct Heard {
    /// What the platform calls it.
    topic: String,
    /// What tells a repetition of this delivery from another one.
    key: Option<String>,
    what: What,
    /// The first part of it that cannot be read, where the rest can.
    unread: Option<Misfit>,
}

#[derive(Debug)]
enum What {
    /// None where it says nothing that matters.
    Facts(Vec<Fact>),
    /// A topic that we have no use for.
    Unused,
    /// It names something alone, which has to be fetched: what, and where it is.
    Thin { about: String, path: String },
}

/// A topic, no longer than is kept of it.
fn short(topic: &str) -> String {
    topic.chars().take(MAX_TOPIC).collect()
}

impl Heard {
    fn thin(topic: &str, key: Option<String>, about: &str, path: &str) -> Heard {
        Heard {
            topic: short(topic),
            key,
            what: What::Thin {
                about: about.to_owned(),
                path: path.to_owned(),
            },
            unread: None,
        }
    }

    fn unused(topic: &str) -> Heard {
        Heard {
            topic: short(topic),
            key: None,
            what: What::Unused,
            unread: None,
        }
    }

    fn facts(topic: &str, key: Option<String>, facts: Facts) -> Heard {
        Heard {
            topic: short(topic),
            key,
            what: What::Facts(facts.all),
            unread: facts.unread,
        }
    }

    /// A topic that we know, which says nothing that matters.
    fn nothing(topic: &str, key: Option<String>) -> Heard {
        Heard {
            topic: short(topic),
            key,
            what: What::Facts(Vec::new()),
            unread: None,
        }
    }
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was understood; it may still hold nothing new.
    Understood,
    /// We have no use for its topic.
    Unused,
    /// It says where to look, and is kept until somebody does.
    ToFetch,
    /// It, or a part of it, cannot be read, and is kept.
    Poison,
}

impl Outcome {
    /// The name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Understood => "understood",
            Outcome::Unused => "unused",
            Outcome::ToFetch => "to_fetch",
            Outcome::Poison => "quarantined",
        }
    }
}

/// Everything that a delivery came to.
#[derive(Debug)]
pub struct Taken {
    /// What the platform calls it.
    pub topic: String,
    /// What tells a repetition of this delivery from another one.
    pub key: Option<String>,
    pub events: Vec<Event>,
    /// The whole delivery, where it or a part of it cannot be read.
    pub poison: Option<Poison>,
    pub outcome: Outcome,
}

/// What a delivery says.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// Canonical events as JSON; none where it says nothing that matters.
    Facts(Vec<Value>),
    /// We have no use for its topic.
    Unused(String),
    /// It names something that has to be fetched; in words.
    ToFetch(String),
}

/// The canonical events of a delivery as JSON, for golden files and `aftercare map`.
///
/// # Errors
/// Says in words what is wrong with it.
pub fn canonical(
    source: &Source,
    headers: &Headers,
    body: &[u8],
    beside: &Beside,
    received: Timestamp,
) -> Result<Said, String> {
    match heard(source, headers, body, beside, received) {
        Ok(heard) => Ok(match heard.what {
            What::Facts(facts) => Said::Facts(facts.iter().map(Fact::to_json).collect()),
            What::Unused => Said::Unused(heard.topic),
            What::Thin { about, path } => Said::ToFetch(to_fetch(&about, &path)),
        }),
        Err((_, misfit)) => Err(format!("{}: {}", misfit.reason, misfit.because)),
    }
}

/// Why a thin delivery waits.
fn to_fetch(about: &str, path: &str) -> String {
    format!("it names {about} and no more: what it says has to be fetched from {path}")
}

/// Understands a delivery whose sender is known.
pub fn hear(
    source: &Source,
    headers: &Headers,
    body: &[u8],
    beside: &Beside,
    received: Timestamp,
) -> Taken {
    let keep = |topic: &str, origin: Option<String>, misfit: Misfit| Poison {
        source: Some(origin.unwrap_or_else(|| source.origin(None))),
        id: None,
        kind: Some(topic.chars().take(MAX_TOPIC).collect()),
        body: Recorded::of(source, headers, body).to_text(),
        reason: misfit.reason.to_owned(),
        because: misfit.because,
        recorded: received,
    };
    let heard = match heard(source, headers, body, beside, received) {
        Ok(heard) => heard,
        Err((topic, misfit)) => {
            return Taken {
                poison: Some(keep(&topic, None, misfit)),
                topic,
                key: None,
                events: Vec::new(),
                outcome: Outcome::Poison,
            };
        }
    };
    let key = heard.key.filter(|key| key.len() <= MAX_KEY);
    let facts = match heard.what {
        What::Facts(facts) => facts,
        What::Unused => {
            return Taken {
                topic: heard.topic,
                key,
                events: Vec::new(),
                poison: None,
                outcome: Outcome::Unused,
            };
        }
        What::Thin { about, path } => {
            let misfit = Misfit::new("to_fetch", to_fetch(&about, &path));
            let mut poison = keep(&heard.topic, None, misfit);
            poison.id = Some(about.chars().take(MAX_NAME).collect());
            return Taken {
                poison: Some(poison),
                topic: heard.topic,
                key,
                events: Vec::new(),
                outcome: Outcome::ToFetch,
            };
        }
    };
    let mut events = Vec::with_capacity(facts.len());
    let mut bad = None;
    let mut reading = Reading::default();
    for fact in &facts {
        match reading.event(fact, Learnt::Now(received)) {
            Ok(event) => events.push(event),
            Err(misfit) => {
                bad.get_or_insert((fact.source(), misfit));
            }
        }
    }
    // The facts that can be read are taken; the delivery is kept once for those that
    // cannot, because replaying it tells the others again, which does no harm.
    let misfit = bad
        .map(|(origin, misfit)| (Some(origin.to_owned()), misfit))
        .or(heard.unread.map(|misfit| (None, misfit)));
    let poison = misfit.map(|(origin, misfit)| keep(&heard.topic, origin, misfit));
    Taken {
        outcome: match poison {
            Some(_) => Outcome::Poison,
            None => Outcome::Understood,
        },
        topic: heard.topic,
        key,
        events,
        poison,
    }
}

/// Reads the JSON and has the adapter map it; on failure the topic stands beside.
fn heard(
    source: &Source,
    headers: &Headers,
    raw: &[u8],
    beside: &Beside,
    received: Timestamp,
) -> Result<Heard, (String, Misfit)> {
    let body = json::read_worn(raw, source.depth).map_err(|bad| {
        let topic = header_topic(source.platform, headers).unwrap_or_default();
        (
            short(topic),
            Misfit::new("not_json", format!("the body: {bad}")),
        )
    })?;
    let told = Told {
        source,
        headers,
        raw,
        body: &body,
        received,
        beside,
        line_items: beside.line_items.as_ref().map(Json::from),
    };
    let mapped = match source.platform {
        Platform::Shopify => shopify::map(&told),
        Platform::WooCommerce => woocommerce::map(&told),
        Platform::Stripe => stripe::map(&told),
        Platform::AfterShip => aftership::map(&told),
        Platform::EasyPost => easypost::map(&told),
        Platform::Zendesk => zendesk::map(&told),
        Platform::Gorgias => gorgias::map(&told),
        Platform::JudgeMe => judgeme::map(&told),
        Platform::BigCommerce => bigcommerce::map(&told),
        Platform::Shippo => shippo::map(&told),
        Platform::ShipEngine => shipengine::map(&told),
        Platform::SeventeenTrack => seventeen::map(&told),
        Platform::Saleor => saleor::map(&told),
        Platform::Spree => spree::map(&told),
        Platform::Medusa => medusa::map(&told),
        Platform::Commercetools => commercetools::map(&told),
        Platform::AdobeCommerce => adobe::map(&told),
        Platform::Yotpo => yotpo::map(&told),
        Platform::Klaviyo => klaviyo::map(&told),
        Platform::Generic => generic::map(&told),
    };
    mapped.map_err(|misfit| {
        let topic = header_topic(source.platform, headers)
            .or_else(|| body_topic(&body))
            .unwrap_or_default();
        (short(topic), misfit)
    })
}

/// The topic, where headers say it.
fn header_topic(platform: Platform, headers: &Headers) -> Option<&str> {
    if platform == Platform::WooCommerce {
        return headers.one("x-wc-webhook-topic");
    }
    headers.first(&[
        "x-shopify-topic",
        "shopify-topic",
        "saleor-event",
        "x-saleor-event",
    ])
}

/// The topic, where the body says it under one of the usual names.
fn body_topic<'j>(body: &'j Json<'_>) -> Option<&'j str> {
    [
        "type",
        "event",
        "topic",
        "key",
        "description",
        "scope",
        "name",
        "resource_type",
    ]
    .iter()
    .find_map(|name| loose::text(&body[*name]))
}

/// A short name for a body: the same bytes have the same.
fn body_hash(topic: &str, body: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    use std::fmt::Write as _;
    let mut hash = Sha256::new();
    hash.update(topic.as_bytes());
    hash.update([b'\n']);
    hash.update(body);
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
