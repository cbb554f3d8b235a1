//! Values to rows and back. A row that does not parse names its table, column and key,
//! and never its content.

use super::db::Row;
use super::error::{Corrupt, StoreError};
use crate::model::enrolment::{Enrolment, EnrolmentState};
use crate::model::event::{Event, IngestMode};
use crate::model::ids::{CustomerId, EventSeq};
use crate::model::send::{Phase, Send, SendState};
use crate::model::time::{from_ms, to_ms};
use serde::Serialize;
use std::sync::Arc;

/// A flag as both databases keep it.
pub(super) fn flag(value: bool) -> i64 {
    i64::from(value)
}

/// JSON text of a value.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    Ok(serde_json::to_string(value)?)
}

pub(super) fn corrupt(
    table: &'static str,
    column: &'static str,
    id: &str,
    found: impl std::fmt::Display,
) -> Corrupt {
    Corrupt {
        table,
        column,
        id: id.to_owned(),
        found: found.to_string(),
    }
}

/// Says where a JSON text goes wrong, without quoting it: messages of the parser may
/// hold values.
pub(super) fn place(error: &serde_json::Error) -> String {
    format!(
        "a fault in line {}, column {}",
        error.line(),
        error.column()
    )
}

/// A row as read, or why it cannot be.
pub(super) type Read<T> = Result<T, Corrupt>;

// --- events ---------------------------------------------------------------------------

/// Reads (seq, customer, source, id, kind, time, recorded, considered, mode, misdated,
/// sequence, partition, subject, body).
pub(super) fn event(row: &Row) -> Result<(CustomerId, Read<Event>), StoreError> {
    let seq = row.int(0)?;
    let customer = CustomerId(row.int(1)?);
    let kind = row.text(4)?;
    let mode = row.text(8)?;
    let body = row.text(13)?;
    let id = seq.to_string();
    let read = (|| {
        Ok(Event {
            seq: EventSeq(seq),
            source: text(row, 2, "events", "source", &id)?,
            id: text(row, 3, "events", "id", &id)?,
            kind: kind
                .parse()
                .map_err(|_| corrupt("events", "kind", &id, "no kind of event"))?,
            time: from_ms(int(row, 5, "events", "time", &id)?),
            recorded: from_ms(int(row, 6, "events", "recorded", &id)?),
            considered: int(row, 7, "events", "considered", &id)? != 0,
            mode: match mode.as_str() {
                "live" => IngestMode::Live,
                "backfill" => IngestMode::Backfill,
                "replay" => IngestMode::Replay,
                _ => return Err(corrupt("events", "mode", &id, "no mode of intake")),
            },
            misdated: int(row, 9, "events", "misdated", &id)? != 0,
            sequence: row.maybe_text(10).unwrap_or_default(),
            partition: row.maybe_text(11).unwrap_or_default(),
            subject: text(row, 12, "events", "subject", &id)?,
            body: Arc::new(
                serde_json::from_str(&body)
                    .map_err(|error| corrupt("events", "body", &id, place(&error)))?,
            ),
        })
    })();
    Ok((customer, read))
}

fn text(row: &Row, at: usize, table: &'static str, column: &'static str, id: &str) -> Read<String> {
    row.text(at)
        .map_err(|error| corrupt(table, column, id, error))
}

fn int(row: &Row, at: usize, table: &'static str, column: &'static str, id: &str) -> Read<i64> {
    row.int(at)
        .map_err(|error| corrupt(table, column, id, error))
}

// --- enrolments -----------------------------------------------------------------------

/// (customer, id, sequence, state, detail)
pub(super) type EnrolmentRow = (i64, String, String, &'static str, String);

pub(super) fn enrolment_row(
    customer: CustomerId,
    of: &Enrolment,
) -> Result<EnrolmentRow, StoreError> {
    let state = match of.state {
        EnrolmentState::Active => "active",
        EnrolmentState::Paused { .. } => "paused",
        EnrolmentState::Ended { .. } => "ended",
    };
    Ok((
        customer.0,
        of.id.to_string(),
        of.sequence.clone(),
        state,
        json(of)?,
    ))
}

/// Reads (customer, id, detail).
pub(super) fn enrolment(row: &Row) -> Result<(CustomerId, Read<Enrolment>), StoreError> {
    let id = row.text(1)?;
    let detail = row.text(2)?;
    let read = serde_json::from_str(&detail)
        .map_err(|error| corrupt("enrolments", "detail", &id, place(&error)));
    Ok((CustomerId(row.int(0)?), read))
}

// --- sends ----------------------------------------------------------------------------

/// (id, customer, enrolment, sequence, step, kind, state, due, at, not_before,
/// considered, detail)
pub(super) type SendRow = (
    String,
    i64,
    String,
    String,
    String,
    &'static str,
    &'static str,
    i64,
    i64,
    Option<i64>,
    i64,
    String,
);

/// The row of a send. What makes its bytes lies in a table of its own.
pub(super) fn send_row(customer: CustomerId, of: &Send) -> Result<SendRow, StoreError> {
    let detail = match &of.prepared {
        None => json(of)?,
        Some(_) => json(&Send {
            prepared: None,
            ..of.clone()
        })?,
    };
    Ok((
        of.id.to_string(),
        customer.0,
        of.enrolment.to_string(),
        of.sequence.clone(),
        of.step.clone(),
        of.kind.as_str(),
        of.state.as_str(),
        to_ms(of.due),
        to_ms(of.at),
        queued_until(of),
        flag(of.considered),
        detail,
    ))
}

/// When a queued send is due.
pub(super) fn queued_until(of: &Send) -> Option<i64> {
    match of.state {
        SendState::Queued { not_before } => Some(to_ms(not_before)),
        SendState::Sending { .. }
        | SendState::Held { .. }
        | SendState::Accepted { .. }
        | SendState::Refused { .. }
        | SendState::Skipped
        | SendState::Cancelled
        | SendState::Uncertain { .. }
        | SendState::Unknown => None,
    }
}

/// Reads (customer, id, state, at, phase, fence, considered, detail, prepared).
pub(super) fn send(row: &Row) -> Result<(CustomerId, Read<Send>), StoreError> {
    let customer = CustomerId(row.int(0)?);
    let id = row.text(1)?;
    let state = row.text(2)?;
    let at = row.int(3)?;
    let phase = row.maybe_text(4)?;
    let fence = row.int(5)?;
    let considered = row.int(6)? != 0;
    let detail = row.text(7)?;
    let prepared = row.maybe_text(8)?;
    let read = (|| {
        let mut send: Send = serde_json::from_str(&detail)
            .map_err(|error| corrupt("sends", "detail", &id, place(&error)))?;
        send.considered = considered;
        if state == "sending" {
            let phase = match phase.as_deref() {
                Some("prepared") => Phase::Prepared,
                Some("dot") => Phase::Dot,
                _ => return Err(corrupt("sends", "phase", &id, "no phase of sending")),
            };
            send.state = SendState::Sending { phase, fence };
            send.at = from_ms(at);
        } else if state != send.state.as_str() {
            return Err(corrupt(
                "sends",
                "state",
                &id,
                "another state than in detail",
            ));
        }
        if let Some(prepared) = prepared {
            send.prepared = Some(
                serde_json::from_str(&prepared)
                    .map_err(|error| corrupt("prepared", "detail", &id, place(&error)))?,
            );
        }
        Ok(send)
    })();
    Ok((customer, read))
}
