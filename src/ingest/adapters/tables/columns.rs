//! CSV of any shop: its columns by our names, or a mapping that says which of its columns
//! is which, what stands for all rows, and how it writes times and amounts.

use super::super::super::json::Json;
use super::super::super::shape::Misfit;
use super::super::Source;
use super::super::facts::{Data, Fact, Facts, Shared, order_ref, unknown_consent, via, with};
use super::super::loose::{
    address, country, currency, each, flag, full_name, minor, money, needed, quantity, slug, sum,
    tags,
};
use super::super::moment::{stamp, told};
use super::{Rows, tidy, whole_id};
use crate::model::event::EventKind;
use crate::model::nearest::nearest;
use crate::model::time::{TimeZone, Timestamp};
use jiff::civil::{Date, DateTime};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What a table may say: of the order, of its buyer, of its parcel, of each line.
const FIELDS: &[&str] = &[
    "order_id",
    "order_number",
    "placed_at",
    "currency",
    "total",
    "paid_at",
    "cancelled_at",
    "refunded_at",
    "shipped_at",
    "delivered_at",
    "carrier",
    "tracking_number",
    "customer_id",
    "email",
    "first_name",
    "last_name",
    "phone",
    "locale",
    "time_zone",
    "country",
    "region",
    "postal_code",
    "city",
    "consent",
    "tags",
    "line_id",
    "product_id",
    "variant_id",
    "sku",
    "title",
    "quantity",
    "price",
    "line_total",
    "kind",
    "test",
];
/// Those without which there is no order; the first names it.
const NEEDED: &[&str] = &["order_id", "placed_at", "email", "currency"];

/// Which column is which.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// The `source` of the events, such as `/shop/shop.example.com`.
    pub source: Option<String>,
    /// Our name to the column's, lower-case.
    columns: BTreeMap<String, String>,
    /// Our name to what stands for every order.
    values: BTreeMap<String, String>,
    zone: TimeZone,
    time_format: Option<String>,
    decimal_comma: bool,
}

impl Default for Mapping {
    fn default() -> Self {
        Mapping {
            source: None,
            columns: FIELDS
                .iter()
                .map(|name| ((*name).to_owned(), (*name).to_owned()))
                .collect(),
            values: BTreeMap::new(),
            zone: TimeZone::UTC,
            time_format: None,
            decimal_comma: false,
        }
    }
}

/// Why a mapping cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// It is no TOML of this form.
    #[error("{0}")]
    Syntax(String),
    /// A name that nothing has.
    #[error("no field is called {found:?}{}", near.as_ref().map(|near| format!("\nhint: did you mean {near:?}?")).unwrap_or_default())]
    Field {
        /// What stands there.
        found: String,
        /// The nearest one.
        near: Option<String>,
    },
    /// A zone that is none.
    #[error("time_zone: expected a zone such as \"Europe/Berlin\", found {0:?}")]
    Zone(String),
    /// Something that must be said is not.
    #[error(
        "nothing says which column is {0:?}\nhint: [columns] {0} = \"its name\", or [values] {0} = \"the same for all\""
    )]
    Missing(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    source: Option<String>,
    time_zone: Option<String>,
    time_format: Option<String>,
    #[serde(default)]
    decimal_comma: bool,
    #[serde(default)]
    columns: BTreeMap<String, String>,
    #[serde(default)]
    values: BTreeMap<String, String>,
}

impl Mapping {
    /// Reads a mapping.
    ///
    /// # Errors
    /// It is no TOML, names a field that is none, or leaves out one that is needed.
    pub fn read(text: &str) -> Result<Mapping, MappingError> {
        let written: Written = toml_edit::de::from_str(text)
            .map_err(|error| MappingError::Syntax(error.to_string().trim_end().to_owned()))?;
        for name in written.columns.keys().chain(written.values.keys()) {
            if !FIELDS.contains(&name.as_str()) {
                let near = nearest(name, FIELDS.iter().copied());
                return Err(MappingError::Field {
                    found: name.clone(),
                    near: near.map(str::to_owned),
                });
            }
        }
        for name in NEEDED {
            let given = written.columns.contains_key(*name)
                || (*name != "order_id" && written.values.contains_key(*name));
            if !given {
                return Err(MappingError::Missing((*name).to_owned()));
            }
        }
        let zone = match written.time_zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(&name).map_err(|_| MappingError::Zone(name))?,
        };
        Ok(Mapping {
            source: written.source,
            columns: written
                .columns
                .into_iter()
                .map(|(name, column)| (name, tidy(&column)))
                .collect(),
            values: written.values,
            zone,
            time_format: written.time_format,
            decimal_comma: written.decimal_comma,
        })
    }

    /// Columns that the header must have, the one that names the order first.
    pub(super) fn needed(&self) -> Vec<String> {
        let column = |name: &&str| {
            let said = !self.values.contains_key(*name);
            self.columns.get(*name).filter(|_| said).cloned()
        };
        NEEDED.iter().filter_map(column).collect()
    }

    fn of<'r>(&'r self, rows: &'r Rows<'_>, row: Option<usize>, name: &str) -> Option<&'r str> {
        let told = self.columns.get(name).and_then(|column| match row {
            Some(row) => rows.cell(row, column),
            None => rows.of_order(column),
        });
        told.or_else(|| self.values.get(name).map(String::as_str))
    }

    fn instant(&self, text: &str, name: &str) -> Result<Timestamp, Misfit> {
        if let Some(format) = &self.time_format {
            let civil = DateTime::strptime(format, text).ok().or_else(|| {
                let date = Date::strptime(format, text).ok()?;
                Some(date.at(12, 0, 0, 0))
            });
            let at = civil.and_then(|civil| {
                let zoned = self.zone.to_ambiguous_timestamp(civil);
                zoned.compatible().ok()
            });
            return at.ok_or_else(|| {
                Misfit::new(
                    "bad_time",
                    format!("{name}: {text:?} is not written as time_format says: {format}"),
                )
            });
        }
        told(&text.into(), &self.zone)
            .map(|moment| moment.at)
            .ok_or_else(|| {
                Misfit::new(
                    "bad_time",
                    format!("{name}: expected a time such as 2026-03-02T10:14:08+01:00, or with a time_format in a mapping"),
                )
            })
    }

    fn amount(&self, text: &str, code: &str, name: &str) -> Result<i64, Misfit> {
        let plain: String = if self.decimal_comma {
            text.chars()
                .filter(|c| *c != '.' && !c.is_whitespace())
                .map(|c| if c == ',' { '.' } else { c })
                .collect()
        } else {
            text.to_owned()
        };
        minor(&plain.into(), code).ok_or_else(|| {
            Misfit::new(
                "wrong_type",
                format!("{name}: expected an amount such as 24.90 (24,90 with decimal_comma = true in a mapping)"),
            )
        })
    }
}

/// The facts of one order.
pub(super) fn facts(
    mapping: &Mapping,
    rows: &Rows<'_>,
    source: &Source,
) -> Result<Vec<Fact>, Misfit> {
    let whole = |name: &str| mapping.of(rows, None, name);
    let instant = |name: &str| {
        whole(name)
            .map(|text| mapping.instant(text, name))
            .transpose()
    };
    let id = whole_id(needed(whole("order_id"), "order_id")?, "order_id")?;
    let placed = needed(instant("placed_at")?, "placed_at")?;
    let code = whole("currency").and_then(|text| currency(&text.into()));
    let code = needed(code, "currency (three letters)")?;
    let number = whole("order_number");
    let paid = instant("paid_at")?;
    let (shipped, arrived) = (instant("shipped_at")?, instant("delivered_at")?);
    let (cancelled, refunded) = (instant("cancelled_at")?, instant("refunded_at")?);
    let lines: Vec<Value> = (0..rows.count())
        .filter_map(|row| line(mapping, rows, row, &code).transpose())
        .collect::<Result<_, _>>()?;
    let total = match whole("total") {
        Some(text) => mapping.amount(text, &code, "total")?,
        None => sum(lines
            .iter()
            .filter_map(|line| line["total"]["amount"].as_i64())),
    };
    let status = match (refunded, paid) {
        (Some(_), _) => "refunded",
        (None, Some(_)) => "paid",
        (None, None) => "unknown",
    };
    let base = Shared::of(json!({
        "order": {
            "order_id": id,
            "order_number": number,
            // The oldest possible: what came in live knows more.
            "version": stamp(placed),
            "placed_at": stamp(placed),
            "currency": code,
            "total": money(total, &code),
            "payment_status": status,
            "fulfilment_status": if shipped.or(arrived).is_some() { "fulfilled" } else { "unknown" },
            "tags": whole("tags").map(|text| tags(&text.into())).unwrap_or_default(),
            "discount_codes": [],
            "ship_to": {
                "country": whole("country").and_then(|text| country(&text.into())),
                "region": whole("region"), "postal_code": whole("postal_code"), "city": whole("city"),
            },
            "line_items": lines,
        },
        "customer": buyer(mapping, rows, placed),
    }));
    let test = whole("test")
        .and_then(|text| flag(&text.into()))
        .unwrap_or(false);
    let mut facts = Facts::of(source.origin(None), via("csv", "order", None, None), test);
    let about = format!("order/{id}");
    facts.of_order(EventKind::OrderPlaced, &id, Some(placed), base.clone());
    if let Some(at) = paid {
        facts.of_order(EventKind::OrderPaid, &id, Some(at), base.clone());
    }
    let mut tell = |kind: EventKind, name: String, at: Timestamp, data: Data| {
        facts.tell(kind, name, &about, &about, Some(at), data);
    };
    let parcel = format!("order:{id}");
    let mut tracking = Vec::new();
    if let Some(number) = whole("tracking_number") {
        let carrier = whole("carrier");
        tracking.push(json!({
            "carrier": carrier.map(slug), "carrier_name": carrier, "number": number, "url": null,
        }));
    }
    let shipment = Shared::of(json!({
        "order_ref": order_ref(Some(&id), number),
        "shipment": {
            "shipment_id": parcel, "direction": "outbound", "items": [],
            "shipped_at": shipped.map(stamp), "tracking": tracking,
        },
    }));
    if let Some(at) = shipped {
        let name = format!("shipment/{parcel}/dispatched");
        tell(
            EventKind::ShipmentDispatched,
            name,
            at,
            shipment.clone().into(),
        );
    }
    if let Some(at) = arrived {
        let delivery = json!({
            "delivered_at": stamp(at), "precision": "approximate", "basis": "merchant",
            "reported_by": "csv",
        });
        let data = with(&shipment, json!({ "delivery": delivery }));
        tell(
            EventKind::ShipmentDelivered,
            format!("shipment/{parcel}/delivered"),
            at,
            data,
        );
    }
    if let Some(at) = refunded {
        let data = json!({
            "order_ref": order_ref(Some(&id), number),
            "refund": {
                "refund_id": format!("order:{id}"), "amount": money(total, &code),
                "scope": "full", "items": [],
            },
        });
        tell(
            EventKind::RefundIssued,
            format!("refund/order:{id}"),
            at,
            data.into(),
        );
    }
    if let Some(at) = cancelled {
        facts.cancelled(&id, None, at, &base);
    }
    Ok(facts.all)
}

fn buyer(mapping: &Mapping, rows: &Rows<'_>, placed: Timestamp) -> Value {
    let whole = |name: &str| mapping.of(rows, None, name);
    let (first, last) = (whole("first_name"), whole("last_name"));
    let state = match whole("consent").map(str::to_lowercase).as_deref() {
        Some("subscribed" | "yes" | "true" | "1") => Some("subscribed"),
        Some("not_subscribed" | "no" | "false" | "0") => Some("not_subscribed"),
        Some("unsubscribed") => Some("unsubscribed"),
        Some("pending") => Some("pending"),
        Some(_) | None => None,
    };
    let consent = match state {
        None => unknown_consent("csv:none"),
        Some(state) => json!({
            "channel": "email", "state": state, "opt_in_level": "unknown",
            "basis": if state == "subscribed" { "explicit" } else { "none" },
            "source": "csv:consent", "updated_at": stamp(placed),
        }),
    };
    let email = whole("email").map_or(Json::Null, Json::from);
    json!({
        "customer_id": whole("customer_id"),
        "email": address(&email),
        "first_name": first,
        "last_name": last,
        "name": full_name(first, last),
        "phone": whole("phone"),
        "locale": whole("locale"),
        "time_zone": whole("time_zone"),
        "country": whole("country").and_then(|text| country(&text.into())),
        "region": whole("region"),
        "tags": [],
        "marketing_consent": consent,
    })
}

/// The line that a row tells, where it tells one.
fn line(
    mapping: &Mapping,
    rows: &Rows<'_>,
    row: usize,
    code: &str,
) -> Result<Option<Value>, Misfit> {
    let cell = |name: &str| mapping.of(rows, Some(row), name);
    let (sku, product) = (cell("sku"), cell("product_id"));
    let Some(title) = cell("title").or(sku).or(product) else {
        return Ok(None);
    };
    let units = match cell("quantity") {
        None => 1,
        Some(text) => needed(quantity(&text.into()), "quantity (a number)")?,
    };
    let price = cell("price")
        .map(|text| mapping.amount(text, code, "price"))
        .transpose()?;
    let total = cell("line_total")
        .map(|text| mapping.amount(text, code, "line_total"))
        .transpose()?;
    let total = total
        .or(price.map(|price| price.saturating_mul(units)))
        .unwrap_or(0);
    let mut line = Map::new();
    let mut put = |name: &str, value: Value| line.insert(name.to_owned(), value);
    put(
        "line_id",
        cell("line_id")
            .map_or_else(|| format!("row:{}", row + 1), str::to_owned)
            .into(),
    );
    put("product_id", product.into());
    put("variant_id", cell("variant_id").into());
    put("sku", sku.into());
    put("title", title.into());
    put("quantity", units.into());
    put("current_quantity", units.into());
    put(
        "unit_price",
        money(price.unwrap_or_else(|| each(total, units)), code),
    );
    put("total", money(total, code));
    put("kind", cell("kind").unwrap_or("unknown").into());
    put("catalog_resolved", false.into());
    Ok(Some(Value::Object(line)))
}
