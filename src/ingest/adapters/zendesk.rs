//! Zendesk: event webhooks (`zen:event-type:ticket.*`) name whoever asks by an id alone;
//! the order is read from the subject and the tags. A trigger webhook with the body that
//! our documentation gives (the one of [`super::gorgias`]) names the address as well.
//! Events come twice and out of order, by their own statement.

use super::super::shape::Misfit;
use super::facts::{Facts, order_ref, via};
use super::loose::{address, id, needed, tags, text, word};
use super::moment::{stamp, utc};
use super::{Heard, Told, gorgias};
use crate::model::event::EventKind;
use serde_json::json;

/// What the types of ticket events begin with.
const TICKET: &str = "zen:event-type:ticket.";
/// Fewest digits behind a `#` that are taken as an order's number.
const MIN_DIGITS: usize = 3;

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    let body = told.body;
    if body["ticket"].is_object() && body["type"].is_null() {
        return gorgias::templated(told, "zendesk");
    }
    let topic = needed(text(&body["type"]), "type")?;
    let Some(verb) = topic.strip_prefix(TICKET) else {
        return Ok(Heard::unused(topic));
    };
    // A ticket that is taken away, or is part of another one now, holds nothing back.
    let gone = matches!(
        verb,
        "merged" | "soft_deleted" | "permanently_deleted" | "marked_as_spam"
    );
    if !gone && !matches!(verb, "created" | "status_changed" | "undeleted") {
        return Ok(Heard::unused(topic));
    }
    let event = text(&body["id"]);
    let detail = &body["detail"];
    let ticket = id(&detail["id"]).or_else(|| {
        text(&body["subject"])
            .and_then(|subject| subject.strip_prefix("zen:ticket:"))
            .map(str::to_owned)
    });
    let ticket = needed(ticket, "detail.id")?;
    let status = match gone {
        true => "closed".to_owned(),
        false => text(&body["event"]["current"])
            .or_else(|| text(&detail["status"]))
            .unwrap_or("open")
            .to_lowercase(),
    };
    let (kind, status) = standing(&status);
    let at = utc(&body["time"])
        .or_else(|| utc(&detail["updated_at"]))
        .unwrap_or(told.received);
    let subject = text(&detail["subject"]);
    let tagged = tags(&detail["tags"]);
    let number = subject
        .and_then(numbered)
        .or_else(|| tagged.iter().find_map(|tag| of_tag(tag)));
    let requester = word(&detail["requester_id"]);
    let about = format!("ticket/{ticket}");
    let version = text(&body["zendesk_event_version"]);
    let mut facts = Facts::of(
        told.source.origin(None),
        via("zendesk", topic, event, version),
        false,
    );
    facts.tell(
        kind,
        format!("ticket/{ticket}/{}@{}", verb_of(kind), stamp(at)),
        &about,
        &about,
        Some(at),
        json!({
            "ticket": {
                "ticket_id": ticket,
                "status": status,
                "subject": subject,
                "channel": text(&detail["via"]["channel"]),
                "tags": tagged,
                "priority": text(&detail["priority"]).map(str::to_lowercase),
                "requester_id": requester,
            },
            "customer_ref": {
                "customer_id": null,
                "email": address(&detail["requester_email"]),
                "external": { "zendesk_user_id": requester },
            },
            "order_ref": order_ref(None, number.as_deref()),
        }),
    );
    Ok(Heard::facts(topic, event.map(str::to_owned), facts))
}

/// Whether a status holds mails back. The set is open: what is not known is open still.
pub(super) fn standing(status: &str) -> (EventKind, String) {
    match status {
        "solved" | "closed" | "resolved" | "deleted" => {
            (EventKind::TicketClosed, status.to_owned())
        }
        "new" | "" => (EventKind::TicketOpened, "open".to_owned()),
        other => (EventKind::TicketOpened, other.to_owned()),
    }
}

/// The last word of a ticket's fact.
pub(super) fn verb_of(kind: EventKind) -> &'static str {
    match kind {
        EventKind::TicketClosed => "closed",
        _ => "opened",
    }
}

/// The order's number in a subject: `#` and at least so many digits.
pub(super) fn numbered(subject: &str) -> Option<String> {
    subject.split('#').skip(1).find_map(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        (digits.len() >= MIN_DIGITS).then(|| format!("#{digits}"))
    })
}

/// The order's number in a tag: `order_1042`, `order-1042`, `#1042`.
pub(super) fn of_tag(tag: &str) -> Option<String> {
    let tag = tag.trim().to_lowercase();
    let rest = ["order_", "order-", "order:", "#"]
        .iter()
        .find_map(|begin| tag.strip_prefix(begin))?;
    let rest = rest.trim_start_matches('#');
    let plain = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| format!("#{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_found_in_subjects_and_tags() {
        let check = |subject: &str, expected: Option<&str>| {
            assert_eq!(numbered(subject).as_deref(), expected, "{subject}");
        };
        check("Missing strap, order #1042", Some("#1042"));
        check("You are #1! Order #2087?", Some("#2087"));
        check("no number", None);
        check("#", None);
        assert_eq!(of_tag("Order_1042").as_deref(), Some("#1042"));
        assert_eq!(of_tag("order_status"), None);
        assert_eq!(of_tag("vip"), None);
    }
}
