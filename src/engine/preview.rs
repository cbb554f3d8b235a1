//! Making one mail: values, rendering, MIME. What `preview` shows is made by the same
//! function as what is sent, so the bytes are the same.

use super::reload::Live;
use crate::config::Config;
use crate::links::Links;
use crate::mail::{Address, Composed, Envelope, Letter, Mailbox};
use crate::model::ids::SendId;
use crate::model::kind::Kind;
use crate::model::kind::OnUncertain;
use crate::model::reason::Reason;
use crate::model::send::{Prepared, Send};
use crate::model::time::Timestamp;
use crate::plan::{self, Ready};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::sync::Arc;

/// A mail, made.
#[derive(Debug, Clone)]
pub struct Made {
    pub composed: Composed,
    pub prepared: Arc<Prepared>,
    pub to: String,
    pub subject: String,
    pub preheader: String,
    pub html: String,
    pub text: String,
    pub message_id: String,
}

/// What an install puts into every mail: its links and ids, and where bounces go.
#[derive(Debug)]
pub struct Press<'a> {
    links: &'a Links,
    bounce_to: Option<Address>,
    /// The host of Message-IDs; unset, that of the sender's address.
    domain: Option<&'a str>,
    /// Whether the bytes of each mail are kept with its send.
    keep_bodies: bool,
}

impl<'a> Press<'a> {
    /// By the install's configuration and key.
    pub fn new(links: &'a Links, config: &'a Config) -> Self {
        Press {
            links,
            bounce_to: config
                .smtp
                .bounce_address
                .as_deref()
                .and_then(|address| Address::parse(address).ok()),
            domain: config.mailer.message_id_domain.as_deref(),
            keep_bodies: config.mailer.keep_bodies,
        }
    }

    /// The Message-ID of a send whose mail comes from `from`.
    pub fn message_id(&self, send: SendId, from: &Mailbox) -> String {
        let domain = self.domain.unwrap_or(from.address.domain());
        self.links.message_id(send, 0, domain)
    }
}

/// Renders and composes one send for one person. The same send, values and instant give
/// the same bytes.
///
/// # Errors
/// The reason for which the send has to be held.
pub fn make(
    press: &Press<'_>,
    live: &Live,
    send: &Send,
    mut ready: Ready,
    now: Timestamp,
) -> Result<Made, Reason> {
    // In doubt, only the very bytes of the first try may go again.
    if send.doubts > 0 {
        return remake(press, live, send, ready);
    }
    let values = values(press, live, send, &mut ready);
    build(press, live, send, ready, values, now)
}

/// Makes the very bytes of an earlier try again: from those that were kept, else from the
/// values that were.
fn remake(press: &Press<'_>, live: &Live, send: &Send, ready: Ready) -> Result<Made, Reason> {
    let Some(prepared) = &send.prepared else {
        return Err(Reason::BytesChanged);
    };
    let ready = Ready {
        to: crate::model::email::Address::parse(&prepared.to).map_err(|_| Reason::BytesChanged)?,
        ..ready
    };
    let made = match &prepared.values {
        Value::Object(values) => build(press, live, send, ready, values.clone(), prepared.date)?,
        Value::String(eml) => kept(press, send, &ready, prepared, eml)?,
        _ => return Err(Reason::BytesChanged),
    };
    if made.prepared.hash == prepared.hash {
        Ok(made)
    } else {
        Err(Reason::BytesChanged)
    }
}

/// A mail whose bytes were kept.
fn kept(
    press: &Press<'_>,
    send: &Send,
    ready: &Ready,
    prepared: &Prepared,
    eml: &str,
) -> Result<Made, Reason> {
    let lost = |_| Reason::BytesChanged;
    let from = Mailbox::new(None, &ready.sender.email).map_err(lost)?;
    let message_id = press.message_id(send.id, &from);
    let envelope = Envelope {
        from: press.bounce_to.clone().unwrap_or(from.address),
        to: Address::parse(ready.to.as_typed()).map_err(lost)?,
    };
    let composed = Composed::from_message(envelope, eml.as_bytes());
    Ok(Made {
        prepared: Arc::new(Prepared {
            hash: hash(&composed),
            ..prepared.clone()
        }),
        composed,
        to: prepared.to.clone(),
        subject: String::new(),
        preheader: String::new(),
        html: String::new(),
        text: String::new(),
        message_id,
    })
}

/// SHA-256 of a mail's bytes, hex.
fn hash(of: &Composed) -> String {
    let digest = Sha256::digest(of.eml());
    let mut text = String::with_capacity(2 * digest.len());
    for byte in digest {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn build(
    press: &Press<'_>,
    live: &Live,
    send: &Send,
    mut ready: Ready,
    values: Map<String, Value>,
    date: Timestamp,
) -> Result<Made, Reason> {
    let failed = |message: String| Reason::Render { message };
    let keeps_values = live
        .catalog
        .sequence(&send.sequence)
        .and_then(|sequence| sequence.step(&send.step))
        .is_some_and(|step| step.on_uncertain == OnUncertain::Resend);
    let context = plan::values::context(&live.catalog, send, &mut ready, values).at(date);
    let rendered = live
        .templates
        .render(&send.mail, &ready.locales, &context)
        .map_err(|error| failed(error.to_string()))?;
    let kept = if keeps_values {
        context.into_values()
    } else {
        Value::Null
    };
    let from = Mailbox::new(Some(&ready.sender.name), &ready.sender.email)
        .map_err(|error| failed(error.to_string()))?;
    let reply_to = ready
        .sender
        .reply_to
        .as_deref()
        .unwrap_or(&ready.sender.email);
    let reply_to = Mailbox::new(Some(&ready.sender.name), reply_to)
        .map_err(|error| failed(error.to_string()))?;
    let to = Mailbox::new(ready.to_name.as_deref(), ready.to.as_typed()).map_err(|error| {
        Reason::NoAddress {
            why: error.to_string(),
        }
    })?;
    let domain = from.address.domain().to_owned();
    let message_id = press.message_id(send.id, &from);
    let bound = send.kind != Kind::Fulfilment;
    let letter = Letter {
        bounce_to: press.bounce_to.clone(),
        reply_to: Some(reply_to),
        to,
        subject: rendered.subject,
        text: rendered.text,
        html: Some(rendered.html),
        message_id: message_id.clone(),
        date,
        boundary: press.links.boundary(send.id),
        list_unsubscribe: bound.then(|| press.links.unsubscribe(send.id)),
        list_id: Some(format!("{}.{domain}", send.sequence)),
        feedback_id: Some(format!(
            "{}:{}:{}:{}",
            send.step, send.sequence, send.kind, live.catalog.policy.id
        )),
        from,
    };
    let composed = letter
        .compose()
        .map_err(|error| failed(error.to_string()))?;
    let hash = hash(&composed);
    let kept = if press.keep_bodies {
        String::from_utf8(composed.eml()).map_or(kept, Value::String)
    } else {
        kept
    };
    Ok(Made {
        prepared: Arc::new(Prepared {
            hash,
            version: live.catalog.version.clone(),
            date,
            to: ready.to.as_typed().to_owned(),
            locale: rendered.locale,
            values: kept,
        }),
        composed,
        to: ready.to.as_typed().to_owned(),
        subject: letter.subject,
        preheader: rendered.preheader,
        html: letter.html.unwrap_or_default(),
        text: letter.text,
        message_id,
    })
}

/// Everything that the templates of a mail may name; taken out of `ready`.
fn values(press: &Press<'_>, live: &Live, send: &Send, ready: &mut Ready) -> Map<String, Value> {
    let addresses = plan::values::Addresses {
        unsubscribe: press.links.unsubscribe(send.id),
        preferences: press.links.preferences(send.id),
    };
    plan::values::values(&live.catalog.policy, send, ready, &addresses)
}
