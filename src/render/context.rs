//! What one rendering knows: the values of the names, the reader's language and zone,
//! and the catalogue.

use crate::model::product::Products;
use crate::model::time::{TimeZone, Timestamp};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What links in a mail say about where the reader came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Campaign {
    /// The sequence's id, for `utm_campaign`.
    pub sequence: String,
    /// The step's id, for `utm_content`.
    pub step: String,
}

/// The inputs of one rendering.
#[derive(Debug, Clone)]
pub struct Context {
    pub(super) root: Value,
    pub(super) locale: String,
    pub(super) zone: TimeZone,
    pub(super) products: Arc<Products>,
    pub(super) owned: BTreeSet<String>,
    pub(super) currency: Option<String>,
    pub(super) campaign: Campaign,
    pub(super) now: Option<Timestamp>,
}

impl Context {
    /// `values` holds all names that the step knows and those of every mail;
    /// `mail.subject`, `mail.preheader` and `mail.locale` are filled in by rendering.
    /// `locale` is the reader's language, `owned` what the reader keeps (families, SKUs,
    /// product ids), `currency` the one in which prices are quoted.
    pub fn new(
        values: Map<String, Value>,
        locale: String,
        zone: TimeZone,
        products: Arc<Products>,
        owned: BTreeSet<String>,
        currency: Option<String>,
        campaign: Campaign,
    ) -> Context {
        Context {
            root: Value::Object(values),
            locale,
            zone,
            products,
            owned,
            currency,
            campaign,
            now: None,
        }
    }

    /// The instant from which near dates are counted; without it they are printed in full.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Context {
        self.now = Some(now);
        self
    }

    /// The values again, once everything is rendered.
    pub fn into_values(self) -> Value {
        self.root
    }
}
