//! Orders of WooCommerce as its two usual plugins export them: a row an order with the
//! lines in `line_items` or `line_item_1`, `line_item_2`, …, or a row an item with
//! `item_…` columns. Times are the site's own.

use super::super::super::shape::Misfit;
use super::{Rows, whole_id};
use serde_json::{Map, Value, json};

/// Columns without which there is no order; the first names it.
pub(super) const NEEDED: &[&str] = &["order_id", "status", "order_total", "order_currency"];
/// Columns of lines that are looked for by number.
const MAX_LINE_COLUMNS: usize = 200;

/// The order as `order.updated` would tell it.
pub(super) fn order(rows: &Rows<'_>) -> Result<Value, Misfit> {
    let first = |columns: &[&str]| -> Value {
        columns
            .iter()
            .find_map(|column| rows.of_order(column))
            .into()
    };
    let id = whole_id(rows.of_order("order_id").unwrap_or_default(), "order_id")?;
    let date = first(&["date", "order_date"]);
    if date.is_null() {
        return Err(Misfit::new("missing", "date is missing"));
    }
    let status = rows
        .of_order("status")
        .unwrap_or_default()
        .to_lowercase()
        .replace(' ', "-");
    let paid = match first(&["date_paid", "paid_date"]) {
        // These come only after the payment.
        Value::Null if matches!(status.as_str(), "processing" | "completed" | "refunded") => {
            date.clone()
        }
        told => told,
    };
    let total = rows.of_order("order_total").unwrap_or_default();
    let refunds = if status == "refunded" {
        let back = rows
            .of_order("refunded_total")
            .or(rows.of_order("order_refund"))
            .unwrap_or(total);
        json!([{ "id": format!("export:{id}"), "total": back }])
    } else {
        json!([])
    };
    let address = |side: &str| {
        let of = |what: &str| rows.value(&format!("{side}_{what}"));
        json!({
            "first_name": of("first_name"), "last_name": of("last_name"), "phone": of("phone"),
            "postcode": of("postcode"), "city": of("city"), "country": of("country"),
            "state": first(&[&format!("{side}_state_code"), &format!("{side}_state")]),
            "email": if side == "billing" { first(&["billing_email", "customer_email"]) } else { Value::Null },
        })
    };
    let coupons: Vec<Value> = rows
        .of_order("coupon_items")
        .map(|all| all.split(';').filter_map(coupon).collect())
        .unwrap_or_default();
    Ok(json!({
        "id": id,
        "number": first(&["order_number_formatted", "order_number"]),
        "status": status,
        "currency": rows.value("order_currency"),
        "date_created": date,
        // The oldest possible: what came in live knows more.
        "date_modified": date,
        "date_paid": paid,
        "date_completed": first(&["date_completed", "completed_date"]),
        "discount_total": first(&["discount_total", "cart_discount"]),
        "shipping_total": rows.value("shipping_total"),
        "total_tax": rows.value("tax_total"),
        "total": total,
        "customer_id": first(&["customer_id", "customer_user"]),
        "billing": address("billing"),
        "shipping": address("shipping"),
        "coupon_lines": coupons,
        "shipping_lines": [{ "method_title": rows.value("shipping_method") }],
        "line_items": lines(rows),
        "refunds": refunds,
    }))
}

fn coupon(text: &str) -> Option<Value> {
    let parts = parts(text);
    let code = parts.get("code")?.clone();
    Some(json!({ "code": code }))
}

/// `name:Camera|sku:X100|quantity:1` by name.
fn parts(text: &str) -> Map<String, Value> {
    text.split('|')
        .filter_map(|part| part.split_once(':'))
        .map(|(name, value)| (name.trim().to_lowercase(), value.trim().into()))
        .collect()
}

fn lines(rows: &Rows<'_>) -> Vec<Value> {
    let mut lines: Vec<Value> = Vec::new();
    if let Some(all) = rows.of_order("line_items") {
        lines.extend(all.split(';').map(parts).filter_map(told));
    }
    for number in 1..=MAX_LINE_COLUMNS {
        match rows.of_order(&format!("line_item_{number}")) {
            Some(text) => lines.extend(told(parts(text))),
            None => break,
        }
    }
    if lines.is_empty() {
        for row in 0..rows.count() {
            let names = [
                "id",
                "product_id",
                "variation_id",
                "name",
                "sku",
                "quantity",
                "subtotal",
                "total",
            ];
            let cells = names.iter().filter_map(|name| {
                let cell = rows.cell(row, &format!("item_{name}"))?;
                Some(((*name).to_owned(), Value::from(cell)))
            });
            lines.extend(told(cells.collect()));
        }
    }
    for (place, line) in lines.iter_mut().enumerate() {
        if line["id"].is_null() {
            line["id"] = format!("row:{}", place + 1).into();
        }
    }
    lines
}

/// A line by its parts; `None` where there is nothing in it.
fn told(parts: Map<String, Value>) -> Option<Value> {
    let first = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| parts.get(*name).filter(|value| value.as_str() != Some("")))
            .cloned()
            .unwrap_or(Value::Null)
    };
    let name = first(&["name"]);
    if name.is_null() && first(&["product_id", "sku"]).is_null() {
        return None;
    }
    Some(json!({
        "id": first(&["id"]),
        "name": name,
        "product_id": first(&["product_id"]),
        "variation_id": first(&["variation_id"]),
        "sku": first(&["sku"]),
        "quantity": first(&["quantity", "qty"]),
        "subtotal": first(&["subtotal", "sub_total"]),
        "total": first(&["total"]),
    }))
}
