//! Customers: their record, what they agreed to, merges, and what the law lets them ask.

use super::super::super::json::Json;
use super::super::super::shape::Misfit;
use super::super::body_hash;
use super::super::facts::{Facts, customer_ref, unknown_consent};
use super::super::loose::{address, country, flag, full_name, gid, list, needed, tags, text};
use super::super::moment::{gmt, stamp};
use super::Of;
use crate::model::event::EventKind;
use crate::model::time::{Timestamp, saturating_add};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// How long Shopify gives for a request under privacy law.
const PRIVACY_DUE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Characters of a hash that stand for somebody who has no id.
const SHORT_HASH: usize = 16;

/// `customers/create`, `/update`, `/enable`, `/disable`.
pub(super) fn updated(of: &Of<'_>, facts: &mut Facts) -> Result<(), Misfit> {
    let body = of.told.body;
    let id = needed(gid(&body["id"]), "the customer's id")?;
    let at = gmt(&body["updated_at"]).unwrap_or_else(|| of.happened());
    let (first, last) = (text(&body["first_name"]), text(&body["last_name"]));
    let place = [&body["default_address"], &body["addresses"][0]]
        .into_iter()
        .find(|place| country(&place["country_code"]).is_some());
    let account = match text(&body["state"]) {
        Some("enabled") => "registered",
        _ => "guest",
    };
    // Since 2025 the record says nothing of consent; then it is unknown, and overwrites
    // nothing. Before 2022 it said yes or no.
    let consent = &body["email_marketing_consent"];
    let consent = match (text(&consent["state"]), flag(&body["accepts_marketing"])) {
        (Some(state), _) => agreed(
            consent,
            state,
            "email",
            "shopify:customer.email_marketing_consent",
        ),
        (None, Some(accepts)) => json!({
            "channel": "email",
            "state": if accepts { "subscribed" } else { "not_subscribed" },
            "opt_in_level": text(&body["marketing_opt_in_level"]).unwrap_or("unknown"),
            "basis": if accepts { "explicit" } else { "none" },
            "source": "shopify:customer.accepts_marketing",
            "updated_at": gmt(&body["accepts_marketing_updated_at"]).map(stamp),
        }),
        (None, None) => unknown_consent("shopify:not-in-payload"),
    };
    let record = json!({
        "customer_id": id,
        "account": account,
        "email": address(&body["email"]),
        "first_name": first,
        "last_name": last,
        "name": full_name(first, last),
        "phone": text(&body["phone"]),
        "locale": text(&body["locale"]),
        "time_zone": null,
        "country": place.and_then(|place| country(&place["country_code"])),
        "region": place.and_then(|place| text(&place["province_code"])),
        "tags": tags(&body["tags"]),
        "marketing_consent": consent,
    });
    facts.of_customer(&id, at, record);
    Ok(())
}

/// A consent as the platform has it.
fn agreed(consent: &Json, state: &str, channel: &str, source: &str) -> Value {
    let state = match state {
        "subscribed" | "pending" | "not_subscribed" | "unsubscribed" => state,
        // The platform forgot the address, or gave it up as dead.
        "redacted" | "invalid" => "unsubscribed",
        _ => "unknown",
    };
    json!({
        "channel": channel,
        "state": state,
        "opt_in_level": text(&consent["opt_in_level"]).unwrap_or("unknown"),
        "basis": if state == "subscribed" { "explicit" } else { "none" },
        "source": source,
        "updated_at": gmt(&consent["consent_updated_at"]).map(stamp),
    })
}

/// `customers_email_marketing_consent/update`, and the same for text messages.
pub(super) fn consented(of: &Of<'_>, channel: &str, facts: &mut Facts) -> Result<(), Misfit> {
    let body = of.told.body;
    let id = gid(&body["customer_id"]).or_else(|| gid(&body["id"]));
    let email = address(&body["email_address"]).or_else(|| address(&body["email"]));
    if id.is_none() && email.is_none() {
        return Err(Misfit::new(
            "missing",
            "customer_id and email_address are missing: nobody is named",
        ));
    }
    let consent = &body[format!("{channel}_marketing_consent").as_str()];
    let at = gmt(&consent["consent_updated_at"]).unwrap_or_else(|| of.happened());
    let who = name(of, id.as_deref());
    let about = format!("customer/{who}");
    let state = text(&consent["state"]).unwrap_or_default();
    let source = format!("shopify:{}", of.topic);
    let mut consent = agreed(consent, state, channel, &source);
    consent["updated_at"] = stamp(at).into();
    consent["scope"] = "all_marketing".into();
    facts.tell(
        EventKind::ConsentChanged,
        format!("consent/{who}/{channel}@{}", stamp(at)),
        &about,
        &about,
        Some(at),
        json!({ "customer_ref": customer_ref(id.as_deref(), email), "consent": consent }),
    );
    Ok(())
}

/// `customers/merge` also tells of merges that failed.
pub(super) fn merged(of: &Of<'_>, facts: &mut Facts) -> Result<(), Misfit> {
    let body = of.told.body;
    if text(&body["status"]) != Some("completed") {
        return Ok(());
    }
    let kept = "admin_graphql_api_customer_kept_id";
    let gone = "admin_graphql_api_customer_deleted_id";
    let survivor = needed(gid(&body[kept]), kept)?;
    let absorbed = needed(gid(&body[gone]), gone)?;
    let about = format!("customer/{survivor}");
    facts.tell(
        EventKind::CustomerMerged,
        format!("customer/{survivor}/merged/{absorbed}"),
        &about,
        &about,
        Some(of.happened()),
        json!({
            "survivor": customer_ref(Some(&survivor), None),
            "absorbed": [customer_ref(Some(&absorbed), None)],
        }),
    );
    Ok(())
}

/// What stands for somebody in names of facts: their id, else a hash of what was sent,
/// so that two requests without ids are two.
fn name(of: &Of<'_>, id: Option<&str>) -> String {
    match id {
        Some(id) => id.to_owned(),
        None => {
            let hash = body_hash(of.topic, of.told.raw);
            hash.chars().take(SHORT_HASH).collect()
        }
    }
}

fn due(from: Timestamp) -> String {
    stamp(saturating_add(from, PRIVACY_DUE))
}

fn ids(all: &Json) -> Vec<String> {
    list(all).iter().filter_map(gid).collect()
}

/// `customers/data_request`.
pub(super) fn asks_for_data(of: &Of<'_>, facts: &mut Facts) -> Result<(), Misfit> {
    let body = of.told.body;
    let (id, email) = asking(body)?;
    let at = of.happened();
    let who = name(of, id.as_deref());
    let about = format!("customer/{who}");
    let request = gid(&body["data_request"]["id"]);
    let key = match &request {
        Some(request) => format!("data_request/{request}"),
        None => format!("data_request/customer/{who}@{}", stamp(at)),
    };
    facts.tell(
        EventKind::DataRequested,
        key,
        &about,
        &about,
        Some(at),
        json!({
            "customer_ref": customer_ref(id.as_deref(), email.as_deref()),
            "request": {
                "request_id": request, "orders": ids(&body["orders_requested"]),
                "due_at": due(at),
            },
        }),
    );
    Ok(())
}

/// Who asks: by id, by address, or by both.
fn asking(body: &Json) -> Result<(Option<String>, Option<String>), Misfit> {
    let who = &body["customer"];
    let id = gid(&who["id"]);
    let email = address(&who["email"]).map(str::to_owned);
    if id.is_none() && email.is_none() {
        return Err(Misfit::new(
            "missing",
            "customer.id and customer.email are missing: the law wants this done, and nobody is named",
        ));
    }
    Ok((id, email))
}

/// `customers/redact`; it may name an address alone.
pub(super) fn forget(of: &Of<'_>, facts: &mut Facts) -> Result<(), Misfit> {
    let body = of.told.body;
    let (id, email) = asking(body)?;
    let at = of.happened();
    let who = name(of, id.as_deref());
    let about = format!("customer/{who}");
    facts.tell(
        EventKind::ErasureRequested,
        format!("erasure/customer/{who}@{}", stamp(at)),
        &about,
        &about,
        Some(at),
        json!({
            "customer_ref": customer_ref(id.as_deref(), email.as_deref()),
            "erasure": {
                "scope": "customer", "orders": ids(&body["orders_to_redact"]), "due_at": due(at),
            },
        }),
    );
    Ok(())
}

/// `shop/redact`: the shop took the app away.
pub(super) fn forget_shop(of: &Of<'_>, facts: &mut Facts) -> Result<(), Misfit> {
    let body = of.told.body;
    let named = gid(&body["shop_id"])
        .or_else(|| text(&body["shop_domain"]).map(str::to_owned))
        .or_else(|| of.shop.map(str::to_owned));
    let shop = needed(named, "shop_id")?;
    let at = of.happened();
    let about = format!("shop/{shop}");
    facts.tell(
        EventKind::ErasureRequested,
        format!("erasure/shop/{shop}@{}", stamp(at)),
        &about,
        &about,
        Some(at),
        json!({ "erasure": { "scope": "shop", "orders": [], "due_at": due(at) } }),
    );
    Ok(())
}
