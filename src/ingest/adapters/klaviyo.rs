//! Consent as marketing tools keep it: profiles with what somebody agreed to by mail and
//! by text message, one or many (`data`, as Klaviyo's interface gives them, or a plain
//! list). It is an import: it says what stands, and starts nothing.

use super::super::json::Json;
use super::super::shape::Misfit;
use super::facts::{Facts, as_history, customer_ref, via};
use super::loose::{address, id, needed, text};
use super::moment::{stamp, utc};
use super::{Heard, Told, body_hash};
use crate::model::event::EventKind;
use serde_json::json;

/// Most profiles in one delivery.
const MAX_PROFILES: usize = 5_000;

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    let body = told.body;
    let topic = text(&body["topic"])
        .or_else(|| text(&body["event"]))
        .unwrap_or("profiles");
    let all: Vec<&Json<'_>> = match [&body["data"], &body["profiles"], body]
        .into_iter()
        .find(|part| part.is_array() || part["attributes"].is_object() || part["email"].is_string())
    {
        Some(Json::Array(all)) => all.iter().collect(),
        Some(one) => vec![one],
        None => {
            return Err(Misfit::new(
                "missing",
                "data: expected a profile or a list of them",
            ));
        }
    };
    if all.len() > MAX_PROFILES {
        return Err(Misfit::new(
            "too_long",
            format!("data: more than {MAX_PROFILES} profiles; send them in parts"),
        ));
    }
    let mut facts = Facts::of(
        told.source.origin(None),
        via("klaviyo", topic, None, None),
        false,
    );
    for one in all {
        let read = profile(told, one, &mut facts);
        facts.part(read);
    }
    as_history(&mut facts.all);
    let key = body_hash(topic, told.raw);
    Ok(Heard::facts(topic, Some(key), facts))
}

fn profile(told: &Told<'_>, one: &Json, facts: &mut Facts) -> Result<(), Misfit> {
    // Fields stand under `attributes`, or plainly.
    let said = if one["attributes"].is_object() {
        &one["attributes"]
    } else {
        one
    };
    let email = address(&said["email"]);
    let external = id(&said["external_id"]);
    let own = id(&one["id"])
        .or_else(|| external.clone())
        .unwrap_or_else(|| body_hash("profile", email.unwrap_or_default().as_bytes()));
    if email.is_none() && external.is_none() {
        // A number alone: we send no text messages.
        return Ok(());
    }
    let about = format!("customer/{own}");
    for channel in ["email", "sms"] {
        let consent = &said["subscriptions"][channel]["marketing"];
        let state = text(&consent["consent"]).or_else(|| {
            let plain = format!("{channel}_marketing_consent");
            text(&said[plain.as_str()])
                .or_else(|| text(&said["consent"]).filter(|_| channel == "email"))
        });
        let Some(state) = state else {
            continue;
        };
        let state = match state.to_ascii_lowercase().as_str() {
            "subscribed" | "opt_in" | "true" => "subscribed",
            "unsubscribed" | "opt_out" | "suppressed" => "unsubscribed",
            "never_subscribed" | "not_subscribed" | "false" => "not_subscribed",
            "pending" | "pending_confirmation" => "pending",
            _ => "unknown",
        };
        let at = ["consent_timestamp", "last_updated"]
            .iter()
            .find_map(|name| utc(&consent[*name]))
            .or_else(|| utc(&said["consent_updated_at"]))
            .or_else(|| utc(&said["updated"]));
        // Without its time a consent is as old as can be: nothing that is known yields.
        let at = needed(at, "the time of a consent (consent_timestamp)");
        let Some(at) = facts.part(at) else {
            continue;
        };
        let double = text(&consent["method"]).or_else(|| text(&consent["double_optin"]));
        facts.tell(
            EventKind::ConsentChanged,
            format!("consent/{own}/{channel}@{}", stamp(at)),
            &about,
            &about,
            Some(at.min(told.received)),
            json!({
                "customer_ref": customer_ref(external.as_deref(), email),
                "consent": {
                    "channel": channel,
                    "state": state,
                    "opt_in_level": double.unwrap_or("unknown"),
                    "basis": if state == "subscribed" { "explicit" } else { "none" },
                    "source": "klaviyo:profile.subscriptions",
                    "updated_at": stamp(at),
                    "scope": "all_marketing",
                },
            }),
        );
    }
    Ok(())
}
