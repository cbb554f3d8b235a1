//! Tables of past orders: what shops' platforms export as CSV, and CSV whose columns are
//! named by a mapping. Each order's rows become the same facts, under the same names, as
//! its webhooks would have told, so that an order that is imported and then heard of
//! again is one order.
//!
//! A platform's rows are first written as the platform itself would have told the order,
//! and then read by its adapter; nothing about orders is decided here. An export knows
//! less than a webhook (no ids of lines, parcels and refunds), so its version of an order
//! is the oldest possible: it never replaces what came in live. Nothing here reads files.
//! Start reading at [`Table`].

mod columns;
mod shopify;
mod woocommerce;

pub use columns::{Mapping, MappingError};

use super::super::canonical::Learnt;
use super::super::json::Json;
use super::super::shape::Misfit;
use super::facts::{Fact, Reading};
use super::{Beside, Headers, Source, Told, What};
use crate::model::event::{Event, IngestMode};
use crate::model::time::Timestamp;
use serde_json::Value;
use std::collections::HashMap;

/// Rows that one order may have.
pub const MAX_ROWS: usize = 1000;

/// Which table it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// The orders export of Shopify's admin.
    Shopify,
    /// WooCommerce: Customer/Order/Coupon Export ("Default", "Default - One Row per
    /// Item") and Import and Export of WooCommerce Orders, by their column names.
    WooCommerce,
    /// Columns named as in the documentation, or by a mapping.
    Columns(Box<Mapping>),
}

impl Form {
    /// The form whose columns a header has; `None` where it is neither of the exports.
    pub fn of_header(header: &[String]) -> Option<Form> {
        let has = |wanted: &[&str]| {
            wanted
                .iter()
                .all(|name| header.iter().any(|column| tidy(column) == *name))
        };
        if has(&["name", "financial status", "lineitem name"]) {
            return Some(Form::Shopify);
        }
        let lines = has(&["item_name"])
            || has(&["item_product_id"])
            || has(&["line_items"])
            || has(&["line_item_1"]);
        if has(&["order_id", "status", "order_total"]) && lines {
            return Some(Form::WooCommerce);
        }
        has(&["order_id", "placed_at", "email"]).then(|| Form::Columns(Box::default()))
    }

    /// Its name in words.
    pub fn as_str(&self) -> &'static str {
        match self {
            Form::Shopify => "Shopify orders export",
            Form::WooCommerce => "WooCommerce orders export",
            Form::Columns(_) => "CSV with named columns",
        }
    }
}

/// How a column's name is compared.
fn tidy(name: &str) -> String {
    name.trim_start_matches('\u{feff}').trim().to_lowercase()
}

/// One row, with the line of the file that it begins on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// From 1; the header is on the first.
    pub line: u64,
    pub cells: Vec<String>,
}

/// A table whose header is read.
#[derive(Debug)]
pub struct Table {
    form: Form,
    places: HashMap<String, usize>,
    source: Source,
    /// The column that names the order.
    key: usize,
}

/// A header that does not fit the form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// A column that is needed is not there.
    #[error("the header has no column {column:?}; it has {found}")]
    Missing {
        /// Its name.
        column: String,
        /// Those that are there.
        found: String,
    },
    /// Two columns have one name, and it matters which is meant.
    #[error("the header has the column {column:?} twice")]
    Twice {
        /// Its name.
        column: String,
    },
}

impl Table {
    /// A table of a form with its header; `source` says whose orders these are.
    ///
    /// # Errors
    /// A column that orders cannot do without is missing, or stands there twice.
    pub fn new(form: Form, header: &[String], source: Source) -> Result<Table, HeaderError> {
        let mut places = HashMap::new();
        let mut twice = None;
        for (place, column) in header.iter().enumerate() {
            let name = tidy(column);
            if !name.is_empty() && places.insert(name.clone(), place).is_some() {
                twice.get_or_insert(name);
            }
        }
        let needed: Vec<String> = match &form {
            Form::Shopify => shopify::NEEDED.iter().map(|name| (*name).into()).collect(),
            Form::WooCommerce => woocommerce::NEEDED
                .iter()
                .map(|name| (*name).into())
                .collect(),
            Form::Columns(mapping) => mapping.needed(),
        };
        for column in &needed {
            if !places.contains_key(column) {
                let found: Vec<&str> = header.iter().map(|name| name.trim()).collect();
                return Err(HeaderError::Missing {
                    column: column.clone(),
                    found: found.join(", "),
                });
            }
        }
        if let Some(column) = twice.filter(|name| needed.contains(name)) {
            return Err(HeaderError::Twice { column });
        }
        let key = needed.first().and_then(|name| places.get(name)).copied();
        Ok(Table {
            form,
            places,
            source,
            key: key.unwrap_or_default(),
        })
    }

    /// Which order a row belongs to: rows of one order stand together and name it alike.
    /// `None` where the row does not say.
    pub fn order_of<'r>(&self, row: &'r Row) -> Option<&'r str> {
        let name = row.cells.get(self.key)?.trim();
        (!name.is_empty()).then_some(name)
    }

    /// The facts of one order, of whose rows there is at least one. `now` counts as the
    /// moment of learning where the table does not say when something happened.
    ///
    /// # Errors
    /// The rows cannot be read as an order; why, in words.
    pub fn facts(
        &self,
        rows: &[Row],
        mode: impl Fn(Timestamp) -> IngestMode,
        now: Timestamp,
    ) -> Result<Vec<Event>, Unreadable> {
        let unreadable = |misfit: Misfit| Unreadable {
            reason: misfit.reason.to_owned(),
            because: misfit.because,
        };
        if rows.len() > MAX_ROWS {
            return Err(unreadable(Misfit::new(
                "too_large",
                format!("the order has more than {MAX_ROWS} rows"),
            )));
        }
        let rows = Rows { table: self, rows };
        let told = self.told(&rows, now).map_err(unreadable)?;
        let mut reading = Reading::default();
        let mut events: Vec<Event> = told
            .iter()
            .map(|fact| reading.event(fact, Learnt::AsTold(now)))
            .collect::<Result<_, _>>()
            .map_err(unreadable)?;
        for event in &mut events {
            event.mode = mode(event.time);
            event.recorded = event.recorded.min(now);
        }
        Ok(events)
    }

    fn told(&self, rows: &Rows<'_>, now: Timestamp) -> Result<Vec<Fact>, Misfit> {
        let (topic, body) = match &self.form {
            Form::Shopify => ("orders/updated", shopify::order(rows)?),
            Form::WooCommerce => ("order.updated", woocommerce::order(rows)?),
            Form::Columns(mapping) => {
                return columns::facts(mapping, rows, &self.source);
            }
        };
        let headers = Headers::new(
            ["x-shopify-topic", "x-wc-webhook-topic"]
                .iter()
                .map(|name| ((*name).to_owned(), topic.to_owned())),
        );
        let told = Told {
            source: &self.source,
            headers: &headers,
            raw: &[],
            body: &Json::from(&body),
            received: now,
            beside: &Beside::default(),
            line_items: None,
        };
        let heard = match &self.form {
            Form::WooCommerce => super::woocommerce::map(&told)?,
            Form::Shopify | Form::Columns(_) => super::shopify::map(&told)?,
        };
        if let Some(misfit) = heard.unread {
            // Whoever imports mends the row and imports it again.
            return Err(misfit);
        }
        match heard.what {
            What::Facts(facts) => Ok(facts),
            // Rows are whole orders: nothing of them has to be fetched.
            What::Unused | What::Thin { .. } => Ok(Vec::new()),
        }
    }
}

/// Why rows are no order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// A stable code, as that of quarantined events.
    pub reason: String,
    /// A sentence.
    pub because: String,
}

/// The rows of one order, by columns.
struct Rows<'r> {
    table: &'r Table,
    rows: &'r [Row],
}

impl Rows<'_> {
    /// The cell of a row in a column, where there is one and something stands in it.
    fn cell(&self, row: usize, column: &str) -> Option<&str> {
        let place = *self.table.places.get(column)?;
        let cell = self.rows.get(row)?.cells.get(place)?.trim();
        // Spreadsheets are told by an apostrophe that digits are a text.
        let cell = cell.strip_prefix('\'').unwrap_or(cell);
        (!cell.is_empty()).then_some(cell)
    }

    /// What a column says of the whole order: in the first row that says anything.
    fn of_order(&self, column: &str) -> Option<&str> {
        (0..self.rows.len()).find_map(|row| self.cell(row, column))
    }

    /// The same as JSON: text or null.
    fn value(&self, column: &str) -> Value {
        self.of_order(column).into()
    }

    fn count(&self) -> usize {
        self.rows.len()
    }
}

/// An id that a spreadsheet program has not made a rounded number of.
///
/// # Errors
/// It has: the last digits are gone, and nothing can be known again by it.
fn whole_id(text: &str, column: &str) -> Result<String, Misfit> {
    let rounded = text.split_once(['E', 'e']).is_some_and(|(digits, power)| {
        digits.contains(['.', ',']) && power.starts_with('+') || {
            let plain =
                |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            plain(digits) && power.strip_prefix('+').is_some_and(plain)
        }
    });
    if rounded {
        return Err(Misfit::new(
            "wrong_type",
            format!(
                "{column}: a spreadsheet program has rounded the id to {text}; export again and do not save it there"
            ),
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
