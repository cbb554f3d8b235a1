//! The orders export of Shopify's admin: the first row of an order tells the order and
//! its first line, the others a line each. It has no ids of lines, parcels and refunds,
//! and countries of addresses as two letters.

use super::super::super::shape::Misfit;
use super::super::moment::{stamp, utc_text};
use super::{Rows, whole_id};
use serde_json::{Value, json};

/// Columns without which there is no order; the first names it.
pub(super) const NEEDED: &[&str] = &[
    "name",
    "created at",
    "currency",
    "total",
    "financial status",
    "lineitem quantity",
    "lineitem name",
    "lineitem price",
];

/// The order as `orders/updated` would tell it.
pub(super) fn order(rows: &Rows<'_>) -> Result<Value, Misfit> {
    let name = rows.of_order("name").unwrap_or_default();
    // Exports from before 2016 have no column of ids; then the number is all there is.
    let id = whole_id(
        rows.of_order("id")
            .unwrap_or_else(|| name.trim_start_matches('#')),
        "Id",
    )?;
    let created = instant(rows, "created at")?
        .ok_or_else(|| Misfit::new("missing", "Created at is missing, or nothing of use"))?;
    let paid = instant(rows, "paid at")?;
    let fulfilled = instant(rows, "fulfilled at")?;
    let cancelled = instant(rows, "cancelled at")?;
    let mut lines = Vec::new();
    for row in 0..rows.count() {
        lines.extend(line(rows, row));
    }
    let fulfilments: Vec<Value> = fulfilled
        .iter()
        .map(|at| {
            let gone: Vec<&Value> = lines
                .iter()
                .filter(|line| line["fulfilled"] == Value::Bool(true))
                .collect();
            json!({
                "id": format!("order:{id}"), "status": "success", "created_at": at,
                "line_items": gone,
            })
        })
        .collect();
    let address = |side: &str| {
        let of = |what: &str| rows.value(&format!("{side} {what}"));
        // Some orders have one address only, which names the buyer all the same.
        let other = if side == "billing" {
            "shipping"
        } else {
            "billing"
        };
        let name = rows.of_order(&format!("{side} name"));
        let (first, last) = split(name.or_else(|| rows.of_order(&format!("{other} name"))));
        json!({
            "first_name": first, "last_name": last, "zip": of("zip"), "city": of("city"),
            "province_code": of("province"), "country_code": of("country"), "phone": of("phone"),
        })
    };
    let codes: Vec<Value> = rows
        .of_order("discount code")
        .map(|codes| {
            codes
                .split(',')
                .map(|code| json!({ "code": code.trim() }))
                .collect()
        })
        .unwrap_or_default();
    Ok(json!({
        "id": id,
        "name": name,
        "created_at": created,
        "processed_at": created,
        // The oldest possible: what came in live knows more.
        "updated_at": created,
        "email": rows.value("email"),
        "phone": rows.value("phone"),
        "currency": rows.value("currency"),
        "subtotal_price": rows.value("subtotal"),
        "total_discounts": rows.value("discount amount"),
        "total_tax": rows.value("taxes"),
        "total_price": rows.value("total"),
        "financial_status": rows.of_order("financial status")
            .map(str::to_lowercase)
            // Paid at tells it where a later status hides it.
            .or_else(|| paid.as_ref().map(|_| "paid".to_owned())),
        "fulfillment_status": rows.of_order("fulfillment status").map(str::to_lowercase),
        "buyer_accepts_marketing": rows.value("accepts marketing"),
        "cancelled_at": cancelled,
        "source_name": rows.value("source"),
        "tags": rows.value("tags"),
        "discount_codes": codes,
        "shipping_lines": [{ "title": rows.value("shipping method") }],
        "billing_address": address("billing"),
        "shipping_address": address("shipping"),
        "line_items": lines,
        "fulfillments": fulfilments,
    }))
}

/// An instant as the platform writes it: `2026-03-02 10:14:08 -0500`.
fn instant(rows: &Rows<'_>, column: &str) -> Result<Option<String>, Misfit> {
    let Some(text) = rows.of_order(column) else {
        return Ok(None);
    };
    match utc_text(text) {
        Some(at) => Ok(Some(stamp(at))),
        None => Err(Misfit::new(
            "bad_time",
            format!("{column}: expected a time with its offset, such as 2026-03-02 10:14:08 -0500"),
        )),
    }
}

/// A name in two parts, the last word by itself.
fn split(name: Option<&str>) -> (Option<&str>, Option<&str>) {
    match name.map(|name| (name, name.rsplit_once(' '))) {
        Some((_, Some((first, last)))) => (Some(first.trim()), Some(last)),
        Some((name, None)) => (Some(name), None),
        None => (None, None),
    }
}

/// The line that a row tells; some rows (a second payment) tell none.
fn line(rows: &Rows<'_>, row: usize) -> Option<Value> {
    let cell = |column: &str| rows.cell(row, column);
    let title = cell("lineitem name")?;
    let quantity = cell("lineitem quantity")?;
    let fulfilled = cell("lineitem fulfillment status")
        .is_some_and(|status| status.eq_ignore_ascii_case("fulfilled"));
    Some(json!({
        // It has none of its own; its place does not change.
        "id": format!("row:{}", row + 1),
        "title": title,
        "quantity": quantity,
        "price": cell("lineitem price"),
        "total_discount": cell("lineitem discount"),
        "sku": cell("lineitem sku"),
        "vendor": cell("vendor"),
        "requires_shipping": cell("lineitem requires shipping"),
        "fulfilled": fulfilled,
    }))
}
