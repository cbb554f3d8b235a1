//! `upcoming`: the dry run. What will go out, when, in whose zone, and what may still
//! stop it: the planner itself, walked on from everybody's real history.

use super::context::{Open, PAGE, Shop, is_of_order};
use super::row::{self, PLANNED, Row, Rows};
use super::{Exit, Global, Out};
use crate::model::history::History;
use crate::model::ids::{CustomerId, SendId};
use crate::model::kind::Kind;
use crate::model::send::SendState;
use crate::model::time::{self, Timestamp};
use crate::plan::Outlook;
use crate::plan::explain::Addressees;
use crate::plan::walk;
use crate::store::Access;
use jiff::SignedDuration;
use serde::Serialize;

/// How far one looks, in days, at most.
const MAX_DAYS: u32 = 3660;

/// Which mails.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many days ahead
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_DAYS)))]
    pub days: u32,
    /// To this person: address, the shop's id or ours
    #[arg(long, value_name = "CUSTOMER")]
    pub customer: Option<String>,
    /// About this order, by number or id
    #[arg(long, value_name = "N")]
    pub order: Option<String>,
    /// Of this sequence
    #[arg(long, value_name = "ID")]
    pub sequence: Option<String>,
    /// Of this kind: fulfilment, education, survey, review, offer
    #[arg(long, value_name = "KIND")]
    pub kind: Option<Kind>,
    /// Only what is queued up already, as the last plans left it: fast, without what hangs on it
    #[arg(long)]
    pub next: bool,
}

#[derive(Debug, Serialize)]
struct Upcoming {
    #[serde(flatten)]
    row: Row,
    /// What may still stop or move it.
    depends_on: Vec<String>,
}

/// Prints what is upcoming, by the instant at which it should go.
pub async fn run(global: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let open = Shop::open(global)?.open_all(Access::Reader).await?;
    let now = open.clock.now();
    let until = time::saturating_add(now, SignedDuration::from_hours(24 * i64::from(args.days)));
    let exit = if args.next {
        next(&open, args, until, out).await?
    } else {
        walked(&open, args, now, until, out).await?
    };
    open.store.close().await;
    Ok(exit)
}

async fn walked(
    open: &Open,
    args: &Args,
    now: Timestamp,
    until: Timestamp,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    let mut all: Vec<Upcoming> = Vec::new();
    let mut unreadable = 0_usize;
    let mut look = async |people: &[CustomerId]| -> anyhow::Result<()> {
        for history in open.store.histories(people).await? {
            match history {
                Ok(history) => all.extend(of_person(open, &history, now, until)),
                Err(corrupt) => {
                    tracing::warn!(error = %corrupt, "set aside: a row does not parse");
                    unreadable += 1;
                }
            }
        }
        Ok(())
    };
    match (&args.customer, &args.order) {
        (Some(customer), _) => look(&open.people(customer).await?).await?,
        (None, Some(order)) => look(&open.people_of_order(order).await?).await?,
        (None, None) => {
            let mut after = None;
            loop {
                let people = open.store.active_customers(after, PAGE).await?;
                let Some(last) = people.last() else { break };
                after = Some(*last);
                look(&people).await?;
            }
        }
    }
    all.retain(|one| is_wanted(&one.row, args));
    all.sort_by(|a, b| (goes(&a.row), &a.row.id).cmp(&(goes(&b.row), &b.row.id)));
    if out.is_json() {
        for one in &all {
            out.object(one)?;
        }
    } else {
        show(&all, args.days, out)?;
    }
    Ok(if unreadable == 0 {
        Exit::Fine
    } else {
        Exit::Problems
    })
}

fn is_wanted(row: &Row, args: &Args) -> bool {
    args.sequence
        .as_ref()
        .is_none_or(|wanted| row.sequence == *wanted)
        && args.kind.is_none_or(|wanted| row.kind == wanted.as_str())
        && args.order.as_deref().is_none_or(|wanted| {
            is_of_order(row.order.as_deref(), row.order_number.as_deref(), wanted)
        })
}

/// What one person will get. Skips are decisions, not mail.
fn of_person(open: &Open, history: &History, now: Timestamp, until: Timestamp) -> Vec<Upcoming> {
    let catalog = &open.live.catalog;
    let press = open.press();
    let rows = Rows {
        catalog,
        press: Some(&press),
    };
    let addressees = Addressees::new(catalog, history, now);
    walk::forecast(catalog, history, now, until)
        .into_iter()
        .filter(|one| match one.send.state {
            SendState::Accepted { .. }
            | SendState::Queued { .. }
            | SendState::Sending { .. }
            | SendState::Held { .. }
            | SendState::Uncertain { .. } => true,
            SendState::Skipped
            | SendState::Cancelled
            | SendState::Refused { .. }
            | SendState::Unknown => false,
        })
        .map(|one| {
            let email = addressees.of(&one.send).map(|to| to.as_typed().to_owned());
            // What the ledger knows is shown as it stands there, the rest as foreseen.
            let known = history.send(one.send.id);
            let mut row = rows.of(known.unwrap_or(&one.send), history.customer, email);
            if known.is_none() {
                row.state = PLANNED;
                row.attempts = 0;
            }
            Upcoming {
                row,
                depends_on: one.depends_on,
            }
        })
        .collect()
}

/// When a mail will go: as foreseen where only that is known, else when it should.
fn goes(row: &Row) -> Timestamp {
    row.at.filter(|_| row.state == PLANNED).unwrap_or(row.due)
}

/// Streams the stored outlooks; nothing is planned.
async fn next(open: &Open, args: &Args, until: Timestamp, out: &mut Out) -> anyhow::Result<Exit> {
    let catalog = &open.live.catalog;
    let press = open.press();
    let rows = Rows {
        catalog,
        press: Some(&press),
    };
    let only = match &args.customer {
        Some(customer) => Some(open.people(customer).await?),
        None => None,
    };
    let mut after = None;
    let mut count = 0_u64;
    loop {
        let page = open.store.outlooks(Some(until), after, PAGE * 4).await?;
        let Some(last) = page.last() else { break };
        after = Some((last.wake_at, last.customer));
        for foreseen in page {
            if only
                .as_ref()
                .is_some_and(|people| !people.contains(&foreseen.customer))
            {
                continue;
            }
            for outlook in foreseen
                .outlook
                .iter()
                .filter(|outlook| outlook.go <= until)
            {
                let row = of_outlook(&rows, foreseen.customer, outlook);
                if !is_wanted(&row, args) {
                    continue;
                }
                count += 1;
                if out.is_json() {
                    let depends_on = Vec::new();
                    out.object(&Upcoming { row, depends_on })?;
                } else {
                    out.line(format_args!(
                        "{}  {:10}  {}  {}",
                        outlook.go,
                        row.customer,
                        row.name(),
                        row.order_shown()
                    ))?;
                }
            }
        }
    }
    if !out.is_json() {
        out.line(format_args!("{count} mails are waited for"))?;
    }
    Ok(Exit::Fine)
}

/// The row of a stored outlook. It knows no person: whom it concerns is a number.
fn of_outlook(rows: &Rows<'_>, customer: CustomerId, outlook: &Outlook) -> Row {
    let id = SendId::derive(outlook.enrolment, &outlook.step, &outlook.occurrence);
    Row {
        id: id.to_string(),
        message_id: rows.message_id(id, &outlook.sequence),
        customer: customer.to_string(),
        email: None,
        order: outlook.order.clone(),
        order_number: outlook.order_number.clone(),
        sequence: outlook.sequence.clone(),
        step: outlook.step.clone(),
        occurrence: row::some(&outlook.occurrence),
        kind: outlook.kind.as_str(),
        mail: outlook.mail.clone(),
        locale: None,
        state: PLANNED,
        due: outlook.due,
        zone: None,
        at: Some(outlook.go),
        attempts: 0,
        reason: outlook.because.as_ref().map(|reason| reason.code()),
        because: outlook.because.as_ref().map(|reason| reason.sentence()),
    }
}

fn show(all: &[Upcoming], days: u32, out: &mut Out) -> anyhow::Result<()> {
    if !all.is_empty() {
        let mut table = out.table(&[
            "when",
            "zone",
            "to",
            "mail",
            "order",
            "state",
            "what may still stop it",
        ]);
        for Upcoming { row, depends_on } in all {
            table.add_row(vec![
                row::local(goes(row), row.zone.as_deref()),
                row.zone.clone().unwrap_or_default(),
                row.whom(),
                row.name(),
                row.order_shown(),
                row::state_shown(row),
                depends_on.join("\n"),
            ]);
        }
        out.show(&table)?;
    }
    out.line(format_args!(
        "{} mails in the next {days} days, if no news comes",
        all.len()
    ))
}
