//! commercetools: messages about an order, bare or as CloudEvents, by whatever forwards
//! them from the broker (a push of Google's wraps them once more). Only the messages that
//! create an order hold it whole; others tell one change. `sequenceNumber` orders them as
//! numbers; here it is text that sorts.

use super::super::json::Json;
use super::super::shape::Misfit;
use super::facts::{Facts, Shared, as_history, order_ref, unknown_consent, via, with};
use super::loose::{
    address, country, currency, digits, each, flag, full_name, id, list, members, money, needed,
    quantity, slug, text, whole,
};
use super::moment::{gmt, stamp};
use super::{Heard, Told, body_hash};
use crate::model::event::EventKind;
use crate::model::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// What the names of messages about orders begin with.
const OF_ORDERS: &[&str] = &["Order", "Delivery", "Parcel", "Return"];
/// Digits of a sequence number as text.
const SEQUENCE_DIGITS: usize = 19;

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    let (bytes, pushed);
    let body = match text(&told.body["message"]["data"]) {
        Some(wrapped) => {
            bytes = STANDARD
                .decode(wrapped)
                .map_err(|_| Misfit::new("wrong_type", "message.data: expected base64"))?;
            pushed = super::json::read_worn(&bytes, told.source.depth)
                .map_err(|bad| Misfit::new("not_json", format!("message.data: {bad}")))?;
            &pushed
        }
        None => told.body,
    };
    let message = if body["specversion"].is_string() {
        &body["data"]
    } else {
        body
    };
    if text(&message["notificationType"]).is_some_and(|kind| kind != "Message") {
        // A resource changed, or a subscription was made.
        return Ok(Heard::unused(
            text(&message["notificationType"]).unwrap_or_default(),
        ));
    }
    let topic = needed(text(&message["type"]), "type")?;
    let own = text(&message["id"]).or_else(|| text(&body["id"]));
    if message["payloadNotIncluded"].is_object() && OF_ORDERS.iter().any(|of| topic.starts_with(of))
    {
        // It was too large for the broker: what changed has to be asked for.
        let order = needed(id(&message["resource"]["id"]), "resource.id")?;
        let key = own.map(str::to_owned);
        let path = format!("/orders/{order}");
        return Ok(Heard::thin(topic, key, &format!("order/{order}"), &path));
    }
    let at = gmt(&message["createdAt"])
        .or_else(|| gmt(&body["time"]))
        .unwrap_or(told.received);
    let project = text(&message["projectKey"]);
    let mut facts = Facts::of(
        told.source.origin(project),
        via("commercetools", topic, own, None),
        false,
    );
    let order = id(&message["resource"]["id"]);
    let number = text(&message["resourceUserProvidedIdentifiers"]["orderNumber"]);
    let of = Of {
        message,
        order: order.clone(),
        number,
        about: format!("order/{}", order.unwrap_or_default()),
        at,
    };
    match topic {
        "OrderCreated" => snapshot(&message["order"], at, &mut facts)?,
        "OrderImported" => {
            snapshot(&message["order"], at, &mut facts)?;
            as_history(&mut facts.all);
        }
        "OrderPaymentStateChanged" => {
            if message["order"].is_object() {
                // Somebody fetched it.
                snapshot(&message["order"], at, &mut facts)?;
            } else if text(&message["paymentState"]) == Some("Paid") {
                // Who paid for what is not in it.
                let key = own.map(str::to_owned);
                let order = needed(of.order, "resource.id")?;
                return Ok(Heard::thin(
                    topic,
                    key,
                    &of.about,
                    &format!("/orders/{order}"),
                ));
            }
        }
        "OrderStateChanged" => of.cancelled(&mut facts)?,
        "DeliveryAdded" => {
            let delivery = &message["delivery"];
            for parcel in members(&delivery["parcels"]) {
                let read = of.parcel(parcel, delivery, None, &mut facts);
                facts.part(read);
            }
            if list(&delivery["parcels"]).is_empty() {
                of.parcel(delivery, delivery, None, &mut facts)?;
            }
        }
        "ParcelAddedToDelivery" => {
            of.parcel(&message["parcel"], &message["delivery"], None, &mut facts)?;
        }
        "ParcelTrackingDataUpdated" => {
            let parcel = Json::from(json!({
                "id": message["parcelId"], "trackingData": message["trackingData"],
            }));
            of.parcel(&parcel, &Json::Null, None, &mut facts)?;
        }
        "OrderShipmentStateChanged" => of.shipment_state(&mut facts)?,
        "ReturnInfoAdded" | "ReturnInfoSet" => of.returned(&mut facts)?,
        "OrderReturnShipmentStateChanged" => of.return_state(&mut facts)?,
        "ReviewCreated" => review(message, at, &mut facts)?,
        "CustomerEmailChanged" => of.new_address(&mut facts)?,
        _ => return Ok(Heard::unused(topic)),
    }
    if let Some(sequence) = whole(&message["sequenceNumber"]).filter(|number| *number >= 0) {
        for fact in &mut facts.all {
            fact.sequence = Some(format!("{sequence:0SEQUENCE_DIGITS$}"));
        }
    }
    let key = own.map_or_else(|| body_hash(topic, told.raw), str::to_owned);
    Ok(Heard::facts(topic, Some(key), facts))
}

/// `{centAmount, currencyCode, fractionDigits}` in minor units of ISO 4217.
fn cents(money: &Json) -> Option<i64> {
    let amount = whole(&money["centAmount"])?;
    let code = currency(&money["currencyCode"])?;
    let theirs = whole(&money["fractionDigits"]).and_then(|digits| u32::try_from(digits).ok());
    let ours = digits(&code);
    match theirs {
        Some(theirs) if theirs > ours => {
            let by = 10i64.checked_pow(theirs - ours)?;
            Some(each(amount, by))
        }
        Some(theirs) if theirs < ours => amount.checked_mul(10i64.checked_pow(ours - theirs)?),
        _ => Some(amount),
    }
}

fn worth(value: &Json, code: &str) -> Value {
    cents(value).map_or(Value::Null, |amount| money(amount, code))
}

/// A text in several languages: the first that is there of the buyer's and any.
fn in_language<'v>(texts: &'v Json<'v>, locale: Option<&str>) -> Option<&'v str> {
    locale
        .and_then(|locale| text(&texts[locale]))
        .or_else(|| text(texts))
        .or_else(|| texts.members().iter().find_map(|(_, one)| text(one)))
}

fn snapshot(order: &Json, at: Timestamp, facts: &mut Facts) -> Result<(), Misfit> {
    let own = needed(id(&order["id"]), "order.id")?;
    let code = needed(
        currency(&order["totalPrice"]["currencyCode"]),
        "order.totalPrice.currencyCode",
    )?;
    let gross = &order["taxedPrice"]["totalGross"];
    let total = cents(gross).or_else(|| cents(&order["totalPrice"]));
    let total = needed(total, "order.totalPrice.centAmount")?;
    let created = gmt(&order["createdAt"]).or(Some(at));
    let version = gmt(&order["lastModifiedAt"]).or(created).unwrap_or(at);
    let number = text(&order["orderNumber"]);
    let locale = text(&order["locale"]);
    let paid = matches!(text(&order["paymentState"]), Some("Paid" | "CreditOwed"));
    let (to, bill) = (&order["shippingAddress"], &order["billingAddress"]);
    let place = if to.is_object() { to } else { bill };
    let (first, last) = (text(&place["firstName"]), text(&place["lastName"]));
    let who = id(&order["customerId"]);
    let lines: Vec<Value> = members(&order["lineItems"])
        .filter_map(|one| facts.part(line(one, &code, locale)))
        .collect();
    let base = Shared::of(json!({
        "order": {
            "order_id": own,
            "order_number": number,
            "version": stamp(version),
            "placed_at": created.map(stamp),
            "channel": text(&order["store"]["key"]),
            "currency": code,
            "subtotal": null,
            "discount": null,
            "shipping": worth(&order["shippingInfo"]["price"], &code),
            "tax": worth(&order["taxedPrice"]["totalTax"], &code),
            "total": money(total, &code),
            "shop_total": null,
            "payment_status": if paid { "paid" } else { "pending" },
            "fulfilment_status": text(&order["shipmentState"]).map(str::to_lowercase),
            "status_url": null,
            "tags": [],
            "discount_codes": [],
            "shipping_method": text(&order["shippingInfo"]["shippingMethodName"]),
            "ship_to": {
                "country": country(&place["country"]),
                "region": text(&place["state"]).or_else(|| text(&place["region"])),
                "postal_code": text(&place["postalCode"]), "city": text(&place["city"]),
            },
            "line_items": lines,
        },
        "customer": {
            "customer_id": who,
            "account": if who.is_some() { "registered" } else { "guest" },
            "email": address(&order["customerEmail"]).or_else(|| address(&place["email"])),
            "first_name": first,
            "last_name": last,
            "name": full_name(first, last),
            "phone": text(&place["phone"]),
            "locale": locale,
            "time_zone": null,
            "country": country(&place["country"]).or_else(|| country(&order["country"])),
            "region": text(&place["state"]),
            "tags": [],
            "marketing_consent": unknown_consent("commercetools:not-in-payload"),
        },
    }));
    let about = format!("order/{own}");
    facts.of_order(EventKind::OrderPlaced, &own, created, base.clone());
    if paid {
        facts.of_order(EventKind::OrderPaid, &own, created, base.clone());
    }
    let of = Of {
        message: order,
        order: Some(own.clone()),
        number,
        about: about.clone(),
        at: version,
    };
    for delivery in members(&order["shippingInfo"]["deliveries"]) {
        for parcel in members(&delivery["parcels"]) {
            let read = of.parcel(parcel, delivery, None, facts);
            facts.part(read);
        }
    }
    if text(&order["orderState"]) == Some("Cancelled") {
        facts.cancelled(&own, None, version, &base);
    }
    Ok(())
}

fn line(one: &Json, code: &str, locale: Option<&str>) -> Result<Value, Misfit> {
    let own = needed(id(&one["id"]), "the id of a line")?;
    let units = needed(quantity(&one["quantity"]), "the quantity of a line")?;
    let unit = cents(&one["price"]["value"]);
    let total = cents(&one["totalPrice"]).or_else(|| unit.map(|unit| unit.saturating_mul(units)));
    let total = needed(total, "the totalPrice of a line")?;
    let unit = unit.unwrap_or_else(|| each(total, units));
    let variant = &one["variant"];
    Ok(json!({
        "line_id": own,
        "product_id": id(&one["productId"]),
        "variant_id": id(&variant["id"]),
        "sku": text(&variant["sku"]),
        "title": in_language(&one["name"], locale).unwrap_or_default(),
        "variant_title": null,
        "quantity": units,
        "current_quantity": units,
        "unit_price": money(unit, code),
        "discount": money(unit.saturating_mul(units).saturating_sub(total).max(0), code),
        "total": money(total, code),
        "vendor": null,
        "kind": "unknown",
        "requires_shipping": null,
        "tags": [],
        "categories": [],
        "image_url": text(&variant["images"][0]["url"]),
        "product_url": null,
        "catalog_resolved": false,
        "properties": {},
    }))
}

/// A message about an order.
struct Of<'m> {
    message: &'m Json<'m>,
    order: Option<String>,
    number: Option<&'m str>,
    about: String,
    at: Timestamp,
}

impl Of<'_> {
    fn reference(&self) -> Value {
        order_ref(self.order.as_deref(), self.number)
    }

    fn cancelled(&self, facts: &mut Facts) -> Result<(), Misfit> {
        if text(&self.message["orderState"]) != Some("Cancelled") {
            return Ok(());
        }
        let order = needed(self.order.as_ref(), "resource.id")?;
        facts.of_order(
            EventKind::OrderCancelled,
            order,
            Some(self.at),
            json!({
                "order_ref": self.reference(),
                "cancel": { "reason": null, "cancelled_at": stamp(self.at) },
            }),
        );
        Ok(())
    }

    /// A parcel left; `delivered` where it has arrived as well.
    fn parcel(
        &self,
        parcel: &Json,
        delivery: &Json,
        delivered: Option<Timestamp>,
        facts: &mut Facts,
    ) -> Result<(), Misfit> {
        let own = needed(id(&parcel["id"]), "the id of a parcel")?;
        let tracking = &parcel["trackingData"];
        let back = flag(&tracking["isReturn"]) == Some(true);
        let carrier = text(&tracking["carrier"]).or_else(|| text(&tracking["provider"]));
        let numbers: Vec<Value> = text(&tracking["trackingId"])
            .map(|number| {
                json!({
                    "carrier": carrier.map(slug), "carrier_name": carrier, "number": number,
                    "url": null,
                })
            })
            .into_iter()
            .collect();
        let mut inside = list(&parcel["items"]);
        if inside.is_empty() {
            inside = list(&delivery["items"]);
        }
        let items: Vec<Value> = inside
            .iter()
            .filter_map(|item| {
                let units = quantity(&item["quantity"]).filter(|units| *units > 0)?;
                Some(json!({ "line_id": id(&item["id"])?, "quantity": units }))
            })
            .collect();
        let left = gmt(&parcel["createdAt"]).or_else(|| gmt(&delivery["createdAt"]));
        let left = left.unwrap_or(self.at);
        let data = json!({
            "order_ref": self.reference(),
            "shipment": {
                "shipment_id": own,
                "direction": if back { "return" } else { "outbound" },
                "tracking": numbers, "items": items, "shipped_at": stamp(left),
            },
        });
        facts.tell(
            EventKind::ShipmentDispatched,
            format!("shipment/{own}/dispatched"),
            &self.about,
            &self.about,
            Some(left),
            data.clone(),
        );
        if let Some(at) = delivered {
            let delivery = json!({
                "delivered_at": stamp(at), "precision": "approximate", "basis": "merchant",
                "reported_by": "commercetools",
            });
            facts.tell(
                EventKind::ShipmentDelivered,
                format!("shipment/{own}/delivered"),
                &self.about,
                &self.about,
                Some(at),
                with(&data, json!({ "delivery": delivery })),
            );
        }
        Ok(())
    }

    /// The state of all parcels of an order at once, set by hand or by another system.
    fn shipment_state(&self, facts: &mut Facts) -> Result<(), Misfit> {
        let order = needed(self.order.as_ref(), "resource.id")?;
        // Which parcels, it does not say: they are one here.
        let parcel = Json::from(json!({ "id": format!("order:{order}") }));
        match text(&self.message["shipmentState"]) {
            Some("Shipped") => self.parcel(&parcel, &Json::Null, None, facts),
            Some("Delivered") => self.parcel(&parcel, &Json::Null, Some(self.at), facts),
            _ => Ok(()),
        }
    }

    fn returned(&self, facts: &mut Facts) -> Result<(), Misfit> {
        let order = needed(self.order.as_ref(), "resource.id")?;
        let info = &self.message["returnInfo"];
        let mut infos = list(info);
        if infos.is_empty() {
            infos = std::slice::from_ref(info);
        }
        for info in infos {
            for item in members(&info["items"]) {
                let own = needed(id(&item["id"]), "the id of a returned item");
                let Some(own) = facts.part(own) else {
                    continue;
                };
                let units = quantity(&item["quantity"]).unwrap_or(1).max(1);
                let back = text(&item["shipmentState"]) == Some("Returned");
                let (kind, status) = if back {
                    (EventKind::ReturnUpdated, "received")
                } else {
                    (EventKind::ReturnRequested, "requested")
                };
                facts.tell(
                    kind,
                    format!("return/{own}/{status}"),
                    &format!("order/{order}"),
                    &self.about,
                    gmt(&info["returnDate"]).or(Some(self.at)),
                    json!({
                        "order_ref": self.reference(),
                        "return": {
                            "return_id": own, "status": status, "reason": text(&item["comment"]),
                            "items": [{ "line_id": id(&item["lineItemId"]), "quantity": units }],
                        },
                    }),
                );
            }
        }
        Ok(())
    }

    fn return_state(&self, facts: &mut Facts) -> Result<(), Misfit> {
        let own = needed(id(&self.message["returnItemId"]), "returnItemId")?;
        let status = match text(&self.message["returnShipmentState"]) {
            Some("Returned" | "BackInStock") => "received",
            Some("Unusable") => "rejected",
            _ => return Ok(()),
        };
        facts.tell(
            EventKind::ReturnUpdated,
            format!("return/{own}/{status}"),
            &self.about,
            &self.about,
            Some(self.at),
            json!({
                "order_ref": self.reference(),
                "return": { "return_id": own, "status": status, "items": [] },
            }),
        );
        Ok(())
    }

    fn new_address(&self, facts: &mut Facts) -> Result<(), Misfit> {
        let own = needed(id(&self.message["resource"]["id"]), "resource.id")?;
        let email = needed(address(&self.message["email"]), "email")?;
        let record = json!({
            "customer_id": own, "account": "registered", "email": email,
            "marketing_consent": unknown_consent("commercetools:not-in-payload"),
        });
        facts.of_customer(&own, self.at, record);
        Ok(())
    }
}

fn review(message: &Json, at: Timestamp, facts: &mut Facts) -> Result<(), Misfit> {
    let review = &message["review"];
    let own = needed(id(&review["id"]), "review.id")?;
    let customer = needed(id(&review["customer"]["id"]), "review.customer")?;
    let product = (text(&review["target"]["typeId"]) == Some("product"))
        .then(|| id(&review["target"]["id"]))
        .flatten();
    let about = format!("review/{own}");
    let rating = whole(&review["rating"]).filter(|rating| (1..=5).contains(rating));
    facts.tell(
        EventKind::ReviewReceived,
        format!("review/{own}"),
        &about,
        &format!("customer/{customer}"),
        gmt(&review["createdAt"]).or(Some(at)),
        json!({
            "review": {
                "review_id": own, "platform": "commercetools", "rating": rating,
                "kind": if product.is_some() { "product" } else { "store" },
                "product_id": product,
            },
            "customer_ref": { "customer_id": customer, "email": null },
        }),
    );
    Ok(())
}
