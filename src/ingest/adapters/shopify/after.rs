//! After the sale: refunds, returns, disputes.

use super::super::super::json::Json;
use super::super::super::shape::{MAX_QUANTITY, Misfit};
use super::super::facts::{Facts, order_ref};
use super::super::loose::{
    currency, flag, gid, list, members, minor, money, needed, price, quantity, slug, sum, text,
};
use super::super::moment::{gmt, stamp};
use super::Of;
use super::order::set_in;
use crate::model::event::EventKind;
use serde_json::{Value, json};

/// How deep a currency is looked for in a refund that names none where it should.
const SEARCH_DEPTH: usize = 6;

/// `refunds/create`: one refund, without its order.
pub(super) fn refunded(of: &Of<'_>, facts: &mut Facts) -> Result<(), Misfit> {
    let body = of.told.body;
    let order = needed(gid(&body["order_id"]), "the refund's order_id")?;
    told(body, &order, None, "unknown", None, facts).map(|_| ())
}

/// The refunds in an order; the one with which all is given back is a full one.
pub(super) fn refunds_of(order: &Json, id: &str, number: Option<&str>, facts: &mut Facts) {
    let own = currency(&order["currency"]);
    let own = own.as_deref();
    let mut back = 0i64;
    for one in members(&order["refunds"]) {
        let code = currency_of(one).or_else(|| own.map(str::to_owned));
        let total = code.as_deref().and_then(|code| {
            set_in(&order["total_price_set"], code).or_else(|| minor(&order["total_price"], code))
        });
        back = back.saturating_add(code.as_deref().map_or(0, |code| given_back(one, code)));
        let scope = match total {
            Some(total) if total > 0 && back >= total => "full",
            _ => "partial",
        };
        let read = told(one, id, number, scope, own, facts);
        facts.part(read);
    }
}

/// The transactions that gave money back.
fn paid_back<'j>(refund: &'j Json<'j>) -> impl Iterator<Item = &'j Json<'j>> {
    list(&refund["transactions"]).iter().filter(|one| {
        text(&one["kind"]) == Some("refund") && text(&one["status"]) == Some("success")
    })
}

/// The sum of what succeeded; it can differ from the sum of the lines.
fn given_back(refund: &Json, currency: &str) -> i64 {
    sum(paid_back(refund).filter_map(|one| minor(&one["amount"], currency)))
}

fn currency_of(refund: &Json) -> Option<String> {
    list(&refund["transactions"])
        .iter()
        .find_map(|one| currency(&one["currency"]))
}

/// Any currency that a value names anywhere: test notifications leave it out where it
/// should be.
fn currency_within(value: &Json, depth: usize) -> Option<String> {
    if depth == 0 {
        return None;
    }
    match value {
        Json::Object(members) => ["currency", "currency_code"]
            .iter()
            .find_map(|name| currency(&value[*name]))
            .or_else(|| {
                let mut members = members.iter();
                members.find_map(|(_, inner)| currency_within(inner, depth - 1))
            }),
        Json::Array(all) => all
            .iter()
            .find_map(|inner| currency_within(inner, depth - 1)),
        _ => None,
    }
}

fn told(
    refund: &Json,
    order: &str,
    number: Option<&str>,
    scope: &str,
    of_order: Option<&str>,
    facts: &mut Facts,
) -> Result<(), Misfit> {
    let id = needed(gid(&refund["id"]), "the refund's id")?;
    let code = currency_of(refund)
        .or_else(|| of_order.map(str::to_owned))
        .or_else(|| currency_within(refund, SEARCH_DEPTH));
    let code = needed(code, "the refund's currency")?;
    let about = format!("order/{order}");
    let items: Vec<Value> = list(&refund["refund_line_items"])
        .iter()
        .filter_map(|one| item(one, &code))
        .collect();
    let at = gmt(&refund["processed_at"]).or_else(|| gmt(&refund["created_at"]));
    let test = facts.is_test()
        || list(&refund["transactions"])
            .iter()
            .any(|one| flag(&one["test"]) == Some(true));
    let data = json!({
        "order_ref": order_ref(Some(order), number),
        "refund": {
            "refund_id": id,
            "amount": money(given_back(refund, &code), &code),
            "scope": scope,
            "reason": text(&refund["note"]),
            "items": items,
            "return_id": gid(&refund["return"]["id"]),
        },
    });
    facts.tell_as(
        EventKind::RefundIssued,
        format!("refund/{id}"),
        &about,
        &about,
        at,
        data,
        test,
    );
    Ok(())
}

/// A line of a refund, its tax included.
fn item(one: &Json, code: &str) -> Option<Value> {
    let line = gid(&one["line_item_id"]).or_else(|| gid(&one["line_item"]["id"]))?;
    let part =
        |set: &str, plain: &str| set_in(&one[set], code).or_else(|| minor(&one[plain], code));
    let amount = part("subtotal_set", "subtotal")
        .map(|amount| amount.saturating_add(part("total_tax_set", "total_tax").unwrap_or(0)));
    let restock = text(&one["restock_type"])
        .filter(|restock| matches!(*restock, "return" | "cancel" | "no_restock"));
    Some(json!({
        "line_id": line,
        "sku": text(&one["line_item"]["sku"]),
        "quantity": quantity(&one["quantity"])?.min(MAX_QUANTITY),
        "amount": amount.map(|amount| money(amount, code)),
        "restock": restock,
    }))
}

/// `returns/*`. Only the request tells what comes back; none tells when.
pub(super) fn returned(of: &Of<'_>, facts: &mut Facts) -> Result<(), Misfit> {
    let body = of.told.body;
    let id = needed(gid(&body["id"]), "the return's id")?;
    let order = gid(&body["order"]["id"]).or_else(|| gid(&body["order_id"]));
    let name = text(&body["name"]);
    // "#1042-R1" is the first return of #1042.
    let number = name.and_then(|name| name.rsplit_once("-R").map(|(number, _)| number));
    let about = match &order {
        Some(order) => format!("order/{order}"),
        None => format!("return/{id}"),
    };
    let at = of.happened();
    let (kind, status, key) = match of.topic {
        "returns/request" => (EventKind::ReturnRequested, "requested", "requested".into()),
        "returns/approve" => (EventKind::ReturnUpdated, "approved", "approved".into()),
        "returns/decline" => (EventKind::ReturnUpdated, "declined", "declined".into()),
        "returns/cancel" => (EventKind::ReturnUpdated, "cancelled", "cancelled".into()),
        // It may be closed and opened again several times.
        "returns/close" => (
            EventKind::ReturnUpdated,
            "closed",
            format!("closed@{}", stamp(at)),
        ),
        _ => (
            EventKind::ReturnUpdated,
            "open",
            format!("reopened@{}", stamp(at)),
        ),
    };
    let lines = list(&body["return_line_items"]);
    let items: Vec<Value> = lines
        .iter()
        .filter_map(|one| {
            let line = gid(&one["fulfillment_line_item"]["line_item"]["id"])
                .or_else(|| gid(&one["line_item_id"]))?;
            let units = quantity(&one["quantity"]).filter(|units| *units > 0)?;
            Some(json!({ "line_id": line, "quantity": units }))
        })
        .collect();
    let reason = lines.iter().find_map(|one| text(&one["return_reason"]));
    facts.tell(
        kind,
        format!("return/{id}/{key}"),
        &about,
        &about,
        Some(at),
        json!({
            "order_ref": order_ref(order.as_deref(), number),
            "return": {
                "return_id": id, "name": name, "status": status, "reason": reason,
                "items": items,
            },
        }),
    );
    Ok(())
}

/// A label for the way back. Its number belongs to a return, so that "delivered" under it
/// is no delivery to the customer.
pub(super) fn on_its_way_back(of: &Of<'_>, facts: &mut Facts) -> Result<(), Misfit> {
    let body = of.told.body;
    let id = needed(gid(&body["id"]), "the reverse delivery's id")?;
    let deliverable = &body["shipping_deliverable"];
    let label = [&deliverable["tracking"], &deliverable["tracking_info"]]
        .into_iter()
        .find(|label| label.is_object())
        .unwrap_or(&Json::Null);
    let number = text(&label["tracking_number"]).or_else(|| text(&label["number"]));
    let Some(number) = number else {
        return Ok(());
    };
    let order = gid(&body["return"]["order"]["id"]).or_else(|| gid(&body["order_id"]));
    let about = match &order {
        Some(order) => format!("order/{order}"),
        None => format!("shipment/return:{id}"),
    };
    let company = text(&label["carrier_name"]);
    let url = text(&label["tracking_url"]).or_else(|| text(&label["url"]));
    facts.tell(
        EventKind::ShipmentDispatched,
        format!("shipment/return:{id}/dispatched"),
        &about,
        &about,
        Some(of.happened()),
        json!({
            "order_ref": order_ref(order.as_deref(), None),
            "shipment": {
                "shipment_id": format!("return:{id}"), "direction": "return",
                "tracking": [{
                    "carrier": company.map(slug), "carrier_name": company, "number": number,
                    "url": url,
                }],
                "items": [],
            },
        }),
    );
    Ok(())
}

/// `disputes/create` and `/update`: open until it was won or lost.
pub(super) fn disputed(of: &Of<'_>, facts: &mut Facts) -> Result<(), Misfit> {
    let body = of.told.body;
    let id = needed(gid(&body["id"]), "the dispute's id")?;
    let order = gid(&body["order_id"]);
    let about = match &order {
        Some(order) => format!("order/{order}"),
        None => format!("dispute/{id}"),
    };
    let amount = currency(&body["currency"]).map(|code| price(&body["amount"], &code));
    let mut dispute = json!({
        "dispute_id": id, "reason": text(&body["reason"]), "amount": amount,
    });
    let outcome = match text(&body["status"]) {
        Some("won") => Some("won"),
        Some("lost" | "accepted" | "charge_refunded") => Some("lost"),
        _ => None,
    };
    let reference = order_ref(order.as_deref(), None);
    let opened = gmt(&body["initiated_at"]);
    facts.tell(
        EventKind::DisputeOpened,
        format!("dispute/{id}/opened"),
        &about,
        &about,
        opened.or(of.triggered),
        json!({ "order_ref": reference, "dispute": dispute }),
    );
    if let Some(outcome) = outcome {
        dispute["outcome"] = outcome.into();
        facts.tell(
            EventKind::DisputeClosed,
            format!("dispute/{id}/closed"),
            &about,
            &about,
            gmt(&body["finalized_on"]).or(of.triggered),
            json!({ "order_ref": reference, "dispute": dispute }),
        );
    }
    Ok(())
}
