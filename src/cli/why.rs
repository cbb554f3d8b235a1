//! `why CUSTOMER STEP`: the rule with its place in the files, the evidence, and what
//! would have had to be different. For what went, what did not, what will, and what
//! never began.

use super::context::{Open, Shop, is_of_order};
use super::exit::misuse;
use super::row::{self, PLANNED, Rows};
use super::{Exit, Global, Out};
use crate::model::history::History;
use crate::model::ids::EventSeq;
use crate::model::reason::Reason;
use crate::model::send::{RuleRef, Send, SendState};
use crate::model::time::{self, Timestamp};
use crate::plan::explain::{self, Addressees};
use crate::plan::{assumed, walk};
use crate::store::Access;
use jiff::SignedDuration;
use owo_colors::OwoColorize;
use serde::Serialize;
use serde_json::{Map, Value};

/// How far ahead is looked for what is not decided yet, in days.
const AHEAD_DAYS: i64 = 400;
/// The fields of a send, for what is none.
const FIELDS: [&str; 19] = [
    "id",
    "message_id",
    "customer",
    "email",
    "order",
    "order_number",
    "sequence",
    "step",
    "occurrence",
    "kind",
    "mail",
    "locale",
    "state",
    "due",
    "zone",
    "at",
    "attempts",
    "reason",
    "because",
];

/// About whom and what.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address, the shop's id of the customer, or ours
    #[arg(value_name = "CUSTOMER")]
    pub customer: String,
    /// SEQUENCE/STEP
    #[arg(value_name = "STEP")]
    pub step: String,
    /// About this order, by number or id
    #[arg(long, value_name = "N")]
    pub order: Option<String>,
}

/// An explanation.
#[derive(Debug, Serialize)]
struct Explanation {
    /// The send's fields, all of them.
    #[serde(flatten)]
    send: Map<String, Value>,
    rule: RuleRef,
    evidence: Vec<Evidence>,
    /// On which assumed deliveries it rests, in sentences.
    assumed: Vec<String>,
    /// What would have had to be different.
    needed: Option<String>,
}

/// One event that was read.
#[derive(Debug, Serialize)]
struct Evidence {
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: &'static str,
    time: Timestamp,
    recordedtime: Timestamp,
}

/// Explains.
pub async fn run(global: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let open = Shop::open(global)?.open_all(Access::Reader).await?;
    let now = open.clock.now();
    let Some((sequence, step)) = args.step.split_once('/') else {
        return Err(misuse(format!(
            "expected SEQUENCE/STEP, found `{}`",
            args.step
        )));
    };
    let mut told = 0_usize;
    for customer in open.people(&args.customer).await? {
        let history = open.history(customer).await?;
        for explanation in explain(&open, &history, sequence, step, args.order.as_deref(), now)? {
            told += 1;
            if out.is_json() {
                out.object(&explanation)?;
            } else {
                show(&explanation, out)?;
            }
        }
    }
    open.store.close().await;
    Ok(if told > 0 { Exit::Fine } else { Exit::Problems })
}

fn explain(
    open: &Open,
    history: &History,
    sequence: &str,
    step: &str,
    order: Option<&str>,
    now: Timestamp,
) -> anyhow::Result<Vec<Explanation>> {
    let catalog = &open.live.catalog;
    let press = open.press();
    let rows = Rows {
        catalog,
        press: Some(&press),
    };
    let addressees = Addressees::new(catalog, history, now);
    let is_meant = |send: &Send| {
        send.sequence == sequence
            && send.step == step
            && order.is_none_or(|order| {
                is_of_order(send.order.as_deref(), send.order_number.as_deref(), order)
            })
    };
    let email = |send: &Send| addressees.of(send).map(|to| to.as_typed().to_owned());
    let mut all = Vec::new();
    for send in history.sends.iter().filter(|send| is_meant(send)) {
        let to = send.prepared.as_ref().map(|prepared| prepared.to.clone());
        let row = rows.of(send, history.customer, to.or_else(|| email(send)));
        all.push(Explanation {
            send: fields(&row)?,
            rule: send.rule.clone(),
            evidence: evidence(history, &send.evidence),
            assumed: assumed::of_send(catalog, history, send, now),
            needed: needed(send, &walk::depends_on(catalog, history, send)),
        });
    }
    let until = time::saturating_add(now, SignedDuration::from_hours(24 * AHEAD_DAYS));
    for foreseen in walk::forecast(catalog, history, now, until) {
        let send = &foreseen.send;
        if foreseen.now.is_some() || !is_meant(send) {
            continue;
        }
        let mut row = rows.of(send, history.customer, email(send));
        let goes = matches!(
            send.state,
            SendState::Accepted { .. } | SendState::Queued { .. }
        );
        if goes {
            row.state = PLANNED;
            row.attempts = 0;
        }
        all.push(Explanation {
            send: fields(&row)?,
            rule: send.rule.clone(),
            evidence: evidence(history, &send.evidence),
            assumed: assumed::of_send(catalog, history, send, now),
            needed: needed(send, &foreseen.depends_on),
        });
    }
    if !all.is_empty() {
        return Ok(all);
    }
    let Some((sequence, step)) = catalog
        .sequence(sequence)
        .and_then(|found| Some((found, found.step(step)?)))
    else {
        let known: Vec<String> = catalog
            .sequences
            .iter()
            .flat_map(|sequence| {
                sequence
                    .steps
                    .iter()
                    .map(|step| format!("{}/{}", sequence.id, step.id))
            })
            .collect();
        return Err(misuse(format!(
            "no step is called `{sequence}/{step}`\nhint: there are {}",
            known.join(", ")
        )));
    };
    let key = match order {
        Some(text) => Some(
            addressees
                .order(text)
                .ok_or_else(|| super::not_found(format!("this customer has no order `{text}`")))?,
        ),
        None => None,
    };
    let absence = explain::absence(catalog, history, sequence, step, key, now);
    let mut send: Map<String, Value> = FIELDS
        .iter()
        .map(|name| ((*name).to_owned(), Value::Null))
        .collect();
    for (name, value) in [
        ("customer", history.customer.to_string()),
        ("sequence", sequence.id.clone()),
        ("step", step.id.clone()),
        ("kind", step.kind.to_string()),
        ("mail", step.mail.clone()),
        ("reason", absence.code.to_owned()),
        ("because", absence.because),
    ] {
        send.insert(name.to_owned(), Value::String(value));
    }
    if let Some(key) = key {
        send.insert("order".to_owned(), Value::String(key.to_owned()));
    }
    all.push(Explanation {
        send,
        rule: absence.rule,
        evidence: evidence(history, &absence.evidence),
        assumed: assumed::of_absence(catalog, history, sequence, key, now),
        needed: Some(absence.needed),
    });
    Ok(all)
}

fn fields(row: &row::Row) -> anyhow::Result<Map<String, Value>> {
    match serde_json::to_value(row)? {
        Value::Object(fields) => Ok(fields),
        other => anyhow::bail!("a send is written as an object, found {other}"),
    }
}

fn evidence(history: &History, seqs: &[EventSeq]) -> Vec<Evidence> {
    seqs.iter()
        .filter_map(|seq| history.events.iter().find(|event| event.seq == *seq))
        .map(|event| Evidence {
            id: event.id.clone(),
            source: event.source.clone(),
            kind: event.kind.as_str(),
            time: event.time,
            recordedtime: event.recorded,
        })
        .collect()
}

/// What would have had to be different, as a sentence.
fn needed(send: &Send, depends_on: &[String]) -> Option<String> {
    let stays = matches!(
        send.state,
        SendState::Skipped
            | SendState::Cancelled
            | SendState::Refused { .. }
            | SendState::Held { .. }
            | SendState::Unknown
    );
    match &send.reason {
        Some(reason) if stays || !matches!(send.state, SendState::Accepted { .. }) => {
            Some(asked_by(reason))
        }
        _ => (!depends_on.is_empty()).then(|| {
            format!(
                "it would not go, or go at another time, by: {}",
                depends_on.join("; ")
            )
        }),
    }
}

/// What a reason asks for.
fn asked_by(reason: &Reason) -> String {
    match reason {
        Reason::Condition { text, .. } => format!("at its moment this has to hold: {text}"),
        Reason::Unless { text, .. } => format!("at its moment this must not hold: {text}"),
        Reason::Late {
            late,
            held: Some(_),
            ..
        } => {
            format!("what held it has to be mended within {late} of its moment (`late`)")
        }
        Reason::Late { late, .. } => {
            format!("it has to be possible within {late} of its moment (`late`)")
        }
        Reason::Limit { which } => {
            format!("fewer mails to this person in that time (limit {which}), or a longer `when_over`")
        }
        Reason::PausedTooLong { by } => {
            format!("the pause ({by}) has to end within its `at_most`")
        }
        Reason::NotEarned { kind, earned, needed } => format!(
            "{} more helpful mails have to be sent before a {kind} request ([earn])",
            needed.saturating_sub(*earned)
        ),
        Reason::OptedOut { scope } => {
            format!("the customer has to opt in again (`aftercare unsuppress ADDRESS --scope {scope}` records it)")
        }
        Reason::NoConsent { needed, .. } => format!("the customer's consent: {needed}"),
        Reason::DeadAddress => {
            "another address, or the word that this one lives (`aftercare unsuppress ADDRESS --scope dead`)".into()
        }
        Reason::NoAddress { .. } => "an event with an address that mail can be tried on".into(),
        Reason::Test => "the address among `test_recipients` in config/store.toml".into(),
        Reason::Overtaken { by } => format!("{by} has to become known later than this mail goes"),
        Reason::HeldOut { experiment } => format!("the customer would have had to be drawn into an arm of {experiment}; the draw stays as long as its file has the experiment"),
        Reason::OtherVariant { .. } => "the customer would have had to be drawn into an arm that has the step".into(),
        Reason::Gathered { .. } => "nothing: its news stood in the other mail".into(),
        Reason::Refunded => "at least one of its items has to be kept and not refunded".into(),
        Reason::Returned => "at least one of its items has to be kept and not returned".into(),
        Reason::Cancelled => "the order has to stand".into(),
        Reason::Reviewed => "the review has to come after the mail".into(),
        Reason::Stopped { on } => format!("`{on}` has to come after this mail, or not at all"),
        Reason::Erased => "nothing: who asked to be forgotten is never mailed again".into(),
        Reason::Merged => "nothing: the same series goes on under the customer that was kept".into(),
        Reason::StepRemoved => "the step has to be in the files".into(),
        Reason::Past { .. } => "the event would have had to come in live".into(),
        Reason::AddedLater => "the step has to be in the files before its moment".into(),
        Reason::ParcelGone { .. } => "the parcel has to come".into(),
        Reason::Render { .. } => {
            "the mail's file, or the fact that it prints, has to be mended; then it goes by itself or by `aftercare release`".into()
        }
        Reason::Paused { by } => format!("the pause has to end: {by}"),
        Reason::Hours => "the shop has to open ([hours])".into(),
        Reason::RelayTrouble { .. } => "the relay has to work; it is tried again by itself".into(),
        Reason::Deferred { .. } => "the relay has to accept; it is tried again by itself".into(),
        Reason::Refused { .. } => "the relay would have had to accept".into(),
        Reason::ResentAfterUncertain | Reason::UncertainOnHold | Reason::InDoubt { .. } => {
            "the relay's answer to the final dot would have had to arrive".into()
        }
        Reason::BytesChanged => {
            "the files as they were at the first try, or word from the relay that it never arrived".into()
        }
        Reason::Operator { what, .. } => format!("the operator would have had to leave it ({what})"),
    }
}

fn show(explanation: &Explanation, out: &mut Out) -> anyhow::Result<()> {
    let text = |name: &str| match explanation.send.get(name) {
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    let occurrence = match text("occurrence") {
        none if none.is_empty() => String::new(),
        some => format!(" ({some})"),
    };
    let state = match text("state") {
        none if none.is_empty() => "not sent, not planned".to_owned(),
        some => some,
    };
    let order = match text("order_number") {
        none if none.is_empty() => String::new(),
        some => format!(", order {some}"),
    };
    out.line(format_args!(
        "{}{}{}: {}",
        format_args!("{}/{}", text("sequence"), text("step")).bold(),
        occurrence,
        order,
        state.bold()
    ))?;
    for (name, title) in [
        ("email", "to"),
        ("due", "due"),
        (
            "at",
            if text("state") == PLANNED {
                "goes"
            } else {
                "changed"
            },
        ),
        ("reason", "reason"),
        ("because", "because"),
        ("message_id", "message"),
    ] {
        let value = text(name);
        if value.is_empty() {
            continue;
        }
        let shown = match value.parse::<Timestamp>() {
            Ok(instant) if name == "due" || name == "at" => {
                let zone = text("zone");
                format!("{} {zone} ({value})", row::local(instant, Some(&zone)))
            }
            _ => value,
        };
        out.line(format_args!("  {title:9}{shown}"))?;
    }
    let rule = &explanation.rule;
    if !rule.file.is_empty() {
        let version: String = rule.version.chars().take(12).collect();
        out.line(format_args!(
            "  {:9}{}:{}:{} (files {version})",
            "rule", rule.file, rule.line, rule.column
        ))?;
    }
    if let Some(needed) = &explanation.needed {
        out.line(format_args!("  {:9}{needed}", "needed"))?;
    }
    for sentence in &explanation.assumed {
        out.line(format_args!("  {:9}{sentence}", "assumed"))?;
    }
    for (nth, event) in explanation.evidence.iter().enumerate() {
        let title = if nth == 0 { "evidence" } else { "" };
        out.line(format_args!(
            "  {title:9}{} of {} ({}), happened {}, learnt {}",
            event.kind, event.id, event.source, event.time, event.recordedtime
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absence_has_the_fields_of_a_send() {
        use crate::model::kind::Kind;
        // The row itself is checked in `row`; here, that none was forgotten.
        assert_eq!(FIELDS.len(), 19);
        assert!(FIELDS.contains(&"message_id") && FIELDS.contains(&"because"));
        let asks = asked_by(&Reason::NotEarned {
            kind: Kind::Review,
            earned: 1,
            needed: 2,
        });
        assert!(asks.starts_with("1 more helpful"), "{asks}");
    }
}
