//! What Saleor sends where a webhook has no query of its own, as older versions did: a list
//! of one order with names in the manner of Python and amounts beside each other. It is
//! turned into what the query would have given.

use super::super::super::json::Json;
use super::super::loose::{currency, members, text};
use serde_json::{Value, json};

/// Such a delivery as the answer of a query; `None` where it is one already.
pub(super) fn modern(body: &Json) -> Option<Json<'static>> {
    let order = &body[0];
    if text(&order["type"]) != Some("Order") || order["total_gross_amount"].is_null() {
        return None;
    }
    let code = members(&order["lines"])
        .find_map(|line| currency(&line["currency"]))
        .or_else(|| currency(&order["channel"]["currency_code"]));
    let gross = |amount: &Json| json!({ "gross": { "amount": amount, "currency": code } });
    let paid = members(&order["payments"])
        .any(|one| text(&one["charge_status"]).is_some_and(|status| status == "fully-charged"));
    let lines: Vec<Value> = members(&order["lines"])
        .map(|line| {
            json!({
                "id": line["id"], "productName": line["product_name"],
                "variantName": line["variant_name"], "productSku": line["product_sku"],
                "quantity": line["quantity"],
                "isShippingRequired": line["is_shipping_required"],
                "unitPrice": gross(&line["unit_price_gross_amount"]),
                "undiscountedUnitPrice": gross(&line["undiscounted_unit_price_gross_amount"]),
                "totalPrice": gross(&line["total_price_gross_amount"]),
                "variant": { "id": line["product_variant_id"] },
            })
        })
        .collect();
    let fulfillments: Vec<Value> = members(&order["fulfillments"])
        .map(|one| {
            json!({
                "id": one["id"], "status": one["status"], "created": one["created"],
                "trackingNumber": one["tracking_number"], "lines": [],
            })
        })
        .collect();
    let order = json!({ "order": {
        "id": order["id"],
        "number": order["number"],
        "created": order["created"],
        "status": order["status"],
        "paymentStatus": if paid { "FULLY_CHARGED" } else { "" },
        "channel": { "slug": order["channel"]["slug"], "currencyCode": code },
        "userEmail": order["user_email"],
        "languageCodeEnum": order["language_code"],
        "shippingMethodName": order["shipping_method_name"],
        "shippingPrice": gross(&order["shipping_price_gross_amount"]),
        "total": gross(&order["total_gross_amount"]),
        "shippingAddress": place(&order["shipping_address"]),
        "billingAddress": place(&order["billing_address"]),
        "lines": lines,
        "fulfillments": fulfillments,
    }});
    Some(order.into())
}

fn place(address: &Json) -> Value {
    if !address.is_object() {
        return Value::Null;
    }
    json!({
        "firstName": address["first_name"], "lastName": address["last_name"],
        "city": address["city"], "postalCode": address["postal_code"],
        "country": { "code": address["country"] }, "countryArea": address["country_area"],
        "phone": address["phone"],
    })
}
