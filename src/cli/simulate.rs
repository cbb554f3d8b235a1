//! `simulate`: what would go out if these events came, by the planner itself in
//! virtual time. It opens no database; the same file gives the same lines.

use super::context::Shop;
use super::lines::{self, Lines};
use super::row::{self, Rows};
use super::{Exit, Global, Out};
use crate::ingest::canonical::Learnt;
use crate::model::time::Timestamp;
use crate::plan::simulate::{Simulated, simulate};
use std::collections::BTreeMap;
use std::io::Write as _;

/// What to simulate.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Canonical events, one JSON object a line; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    pub events: String,
    /// Show what is decided from this instant on (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,
    /// Stop here (RFC 3339); unset: long after the last event
    #[arg(long, value_name = "TIME")]
    pub to: Option<Timestamp>,
}

/// Prints every send that is decided in the period, skipped ones too.
pub async fn run(global: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let shop = Shop::open(global)?;
    let live = shop.files()?;
    let mut events = Vec::new();
    let mut poison = 0_u64;
    for line in Lines::open(&args.events)? {
        let line = line?;
        match lines::event(&line, Learnt::AsTold(Timestamp::UNIX_EPOCH), false) {
            Ok(event) => events.push(event),
            Err(bad) => {
                poison += 1;
                // Whoever closed standard error does not want to know.
                let _ = writeln!(
                    anstream::stderr(),
                    "line {}: {}: {}",
                    line.number,
                    bad.reason,
                    bad.because
                );
            }
        }
    }
    let count = events.len();
    let decided = simulate(&live.catalog, events, args.from, args.to);
    let rows = Rows {
        catalog: &live.catalog,
        press: None,
    };
    let mut table = out.table(&["when", "zone", "to", "mail", "order", "state", "why"]);
    for Simulated {
        send,
        customer,
        email,
    } in &decided
    {
        let row = rows.of(send, *customer, email.clone());
        if out.is_json() {
            out.object(&row)?;
        } else {
            table.add_row(vec![
                row::local(send.at, Some(&send.zone)),
                send.zone.clone(),
                row.whom(),
                row.name(),
                row.order_shown(),
                row.state.to_owned(),
                row.because.unwrap_or_default(),
            ]);
        }
    }
    let totals = totals(&decided, count, poison);
    if out.is_json() {
        // Whoever closed standard error does not want to know.
        let _ = writeln!(anstream::stderr(), "{totals}");
    } else {
        if !decided.is_empty() {
            out.show(&table)?;
        }
        out.line(totals)?;
    }
    Ok(if poison == 0 {
        Exit::Fine
    } else {
        Exit::Problems
    })
}

fn totals(decided: &[Simulated], events: usize, poison: u64) -> String {
    let mut states: BTreeMap<&str, u64> = BTreeMap::new();
    let mut people: Vec<_> = decided.iter().map(|one| one.customer).collect();
    people.sort_unstable();
    people.dedup();
    for one in decided {
        *states.entry(one.send.state.as_str()).or_default() += 1;
    }
    let mut text = format!(
        "{events} events, {} sends to {} people",
        decided.len(),
        people.len()
    );
    for (state, count) in states {
        text.push_str(&format!(", {count} {state}"));
    }
    if poison > 0 {
        text.push_str(&format!("; {poison} lines are no events"));
    }
    text
}
