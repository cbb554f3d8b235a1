//! Gorgias: an HTTP integration sends the body that was written into it; ours is
//! `{event, ticket: {id, status, subject, channel, created_datetime, updated_datetime,
//! closed_datetime, tags, customer: {id, email, name}}}`. Its times are UTC and do not say
//! so. It does not sign: a header with a token stands in for that.

use super::super::shape::Misfit;
use super::facts::{Facts, customer_ref, order_ref, via};
use super::loose::{address, id, needed, tags, text, word};
use super::moment::{gmt, stamp};
use super::zendesk::{numbered, of_tag, standing, verb_of};
use super::{Heard, Told};
use crate::model::event::EventKind;
use serde_json::{Value, json};

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    templated(told, "gorgias")
}

/// Maps a body of our own template, whichever help desk fills it in.
pub(super) fn templated(told: &Told<'_>, adapter: &str) -> Result<Heard, Misfit> {
    let body = told.body;
    // Whoever left the event out of the body still says how the ticket stands.
    let unsaid = body["ticket"].is_object().then_some("ticket-updated");
    let topic = needed(text(&body["event"]).or(unsaid), "event")?;
    if !topic.starts_with("ticket-") && !topic.starts_with("ticket.") {
        return Ok(Heard::unused(topic));
    }
    let ticket = &body["ticket"];
    let own = needed(id(&ticket["id"]), "ticket.id")?;
    let said = text(&ticket["status"]).unwrap_or_default().to_lowercase();
    let (kind, status) = standing(&said);
    let time = |name: &str| gmt(&ticket[name]);
    let at = match kind {
        EventKind::TicketClosed => time("closed_datetime").or_else(|| time("updated_datetime")),
        _ => time("updated_datetime").or_else(|| time("created_datetime")),
    };
    let at = at.unwrap_or(told.received);
    let who = &ticket["customer"];
    let subject = text(&ticket["subject"]);
    let tagged = tags(&ticket["tags"]);
    let number = subject
        .and_then(numbered)
        .or_else(|| tagged.iter().find_map(|tag| of_tag(tag)));
    let reference = number.map_or(Value::Null, |number| order_ref(None, Some(&number)));
    let about = format!("ticket/{own}");
    let mut facts = Facts::of(
        told.source.origin(None),
        via(adapter, topic, None, None),
        false,
    );
    facts.tell(
        kind,
        format!("ticket/{own}/{}@{}", verb_of(kind), stamp(at)),
        &about,
        &about,
        Some(at),
        json!({
            "ticket": {
                "ticket_id": own,
                "status": status,
                "subject": subject,
                "channel": text(&ticket["channel"]).or_else(|| text(&ticket["via"])),
                "tags": tagged,
                "priority": text(&ticket["priority"]),
                "requester_id": word(&who["id"]),
            },
            "customer_ref": customer_ref(None, address(&who["email"])),
            "order_ref": reference,
        }),
    );
    // It has no id of its own; the same ticket, event and time are one delivery.
    let key = format!("{own}/{topic}@{}", stamp(at));
    Ok(Heard::facts(topic, Some(key), facts))
}
