//! `sends`: the ledger, every send with its state.

use super::context::{Open, Owed, Shop, is_of_order};
use super::row::{self, Row, Rows};
use super::{Exit, Global, Out};
use crate::model::history::History;
use crate::model::ids::CustomerId;
use crate::model::send::SendState;
use crate::model::time::Timestamp;
use crate::plan::explain::Addressees;
use crate::store::{Access, SendFilter};
use std::collections::HashMap;

/// Which sends.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// In this state
    #[arg(long, value_name = "STATE", value_parser = clap::builder::PossibleValuesParser::new(SendState::NAMES))]
    pub state: Option<String>,
    /// To this person: address, the shop's id or ours
    #[arg(long, value_name = "CUSTOMER")]
    pub customer: Option<String>,
    /// Of this sequence
    #[arg(long, value_name = "ID")]
    pub sequence: Option<String>,
    /// About this order, by number or id
    #[arg(long, value_name = "N")]
    pub order: Option<String>,
    /// Whose state changed at this instant or later (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub since: Option<Timestamp>,
}

/// Prints the ledger.
pub async fn run(global: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let open = Shop::open(global)?.open_all(Access::Reader).await?;
    let people = match &args.customer {
        Some(customer) => Some(open.people(customer).await?),
        None => None,
    };
    let mut table = out.table(&["last change", "to", "mail", "order", "state", "why"]);
    let mut count = 0_u64;
    let of: Vec<Option<CustomerId>> = match people {
        Some(people) => people.into_iter().map(Some).collect(),
        None => vec![None],
    };
    for customer in of {
        let filter = SendFilter {
            state: args.state.clone(),
            customer,
            sequence: args.sequence.clone(),
            since: args.since,
            ..SendFilter::default()
        };
        let mut after = None;
        loop {
            let (page, last) = open.sends(&filter, after).await?;
            after = last;
            for row in rows(&open, page, args.order.as_deref()).await? {
                count += 1;
                if out.is_json() {
                    out.object(&row)?;
                } else {
                    table.add_row(cells(&row));
                }
            }
            if after.is_none() {
                break;
            }
        }
    }
    if !out.is_json() {
        if count > 0 {
            out.show(&table)?;
        }
        out.line(format_args!("{count} sends"))?;
    }
    open.store.close().await;
    Ok(Exit::Fine)
}

/// The rows of one page, with the address of those that were not rendered yet.
pub(super) async fn rows(
    open: &Open,
    page: Vec<Owed>,
    order: Option<&str>,
) -> anyhow::Result<Vec<Row>> {
    let page: Vec<_> = page
        .into_iter()
        .filter(|(_, _, send)| {
            order.is_none_or(|order| {
                is_of_order(send.order.as_deref(), send.order_number.as_deref(), order)
            })
        })
        .collect();
    let mut unknown: Vec<CustomerId> = page
        .iter()
        .filter(|(_, email, _)| email.is_none())
        .map(|(customer, ..)| *customer)
        .collect();
    unknown.sort_unstable();
    unknown.dedup();
    let histories: HashMap<CustomerId, History> = match unknown.is_empty() {
        true => HashMap::new(),
        false => open
            .store
            .histories(&unknown)
            .await?
            .into_iter()
            .filter_map(|history| history.ok().map(|history| (history.customer, history)))
            .collect(),
    };
    let catalog = &open.live.catalog;
    let press = open.press();
    let rows = Rows {
        catalog,
        press: Some(&press),
    };
    Ok(page
        .into_iter()
        .map(|(customer, email, send)| {
            let email = email.or_else(|| {
                let history = histories.get(&customer)?;
                let looked = Addressees::new(catalog, history, send.at);
                looked.of(&send).map(|to| to.as_typed().to_owned())
            });
            rows.of(&send, customer, email)
        })
        .collect())
}

fn cells(row: &Row) -> Vec<String> {
    vec![
        row.at
            .map(|at| row::local(at, row.zone.as_deref()))
            .unwrap_or_default(),
        row.whom(),
        row.name(),
        row.order_shown(),
        row.state.to_owned(),
        row.because.clone().unwrap_or_default(),
    ]
}
