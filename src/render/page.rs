//! Pages of `templates/pages`, such as the one behind the unsubscribe link. They see
//! only the values they are given; the same rules of escaping and of missing values hold.

use super::context::{Campaign, Context};
use super::{RenderError, Templates};
use crate::model::product::Products;
use crate::model::time::TimeZone;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Renders a page in the first of `locales` that the shop has, else in any.
///
/// # Errors
/// If there is no such page or a value is missing.
pub fn page(
    templates: &Templates,
    name: &str,
    locales: &[String],
    values: Map<String, Value>,
) -> Result<String, RenderError> {
    let context = Context::new(
        values,
        locales.first().cloned().unwrap_or_default(),
        TimeZone::UTC,
        Arc::new(Products::default()),
        BTreeSet::new(),
        None,
        Campaign::default(),
    );
    templates.page(name, locales, &context)
}
