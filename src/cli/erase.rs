//! `erase ADDRESS`: forgets somebody, as an event that asks for it would. The request is
//! recorded first, so that what comes in later is not kept either; then everything that
//! waits is withdrawn and what names them is removed.

use super::context::{Open, Shop};
use super::exit::{misuse, out_of_reach};
use super::{Exit, Global, Out, key};
use crate::engine::consent::OPERATOR_SOURCE;
use crate::model::email::Address;
use crate::model::event::{Body, CustomerRef, Erasure, Event, EventKind, IngestMode};
use crate::model::ids::{CustomerId, EventSeq};
use crate::model::kind::Kind;
use crate::model::time::Timestamp;
use crate::plan;
use crate::store::{Access, Incoming, Saved, Saving, Who};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How often one tries again where news about the person came in meanwhile.
const TRIES: usize = 10;

/// Whom.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The address
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// Only say what would be removed
    #[arg(long)]
    pub dry_run: bool,
}

/// What there is of them.
#[derive(Debug, Default, Serialize)]
struct Held {
    people: usize,
    events: usize,
    /// The ledger keeps that they went, without to whom.
    sends: usize,
    /// Withdrawn.
    open_sends: usize,
    quarantined: usize,
    parked: usize,
    /// Order mails that are still owed: for a human, by order number.
    open_orders: BTreeSet<String>,
    erased: bool,
}

/// Forgets, or says what that would remove.
pub async fn run(global: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let shop = Shop::open(global)?;
    let address = Address::parse(&args.address).map_err(|error| misuse(error.to_string()))?;
    let access = if args.dry_run {
        Access::Reader
    } else {
        Access::Writer
    };
    let open = shop.open_all(access).await?;
    let now = open.clock.now();
    if !args.dry_run {
        key::arming(&open.store, &open.shop.config.arming_key_file).await?;
    }
    let mut held = look(&open, &address).await?;
    if !args.dry_run {
        let event = request(&address, now)?;
        let incoming = Incoming {
            event,
            transport: None,
        };
        open.store.accept(vec![incoming], Vec::new(), now).await?;
        let who = Who::Address(address.as_typed().to_owned());
        for customer in open.store.find(&who).await? {
            forget(&open, customer).await?;
        }
        held.erased = true;
    }
    open.store.close().await;
    tell(&address, &held, out)?;
    Ok(Exit::Fine)
}

/// What there is of somebody.
async fn look(open: &Open, address: &Address) -> anyhow::Result<Held> {
    let mut held = Held::default();
    let mut addresses = BTreeSet::from([address.as_typed().to_owned()]);
    let who = Who::Address(address.as_typed().to_owned());
    for customer in open.store.find(&who).await? {
        let history = open.history(customer).await?;
        held.people += 1;
        held.events += history.events.len();
        held.sends += history.sends.len();
        let addressed = history.events.iter().flat_map(Event::addresses);
        addresses.extend(addressed.map(str::to_owned));
        for send in history
            .sends
            .iter()
            .filter(|send| !send.state.is_terminal())
        {
            held.open_sends += 1;
            if send.kind == Kind::Fulfilment
                && let Some(order) = send.order_number.clone().or_else(|| send.order.clone())
            {
                held.open_orders.insert(order);
            }
        }
    }
    let naming = open.store.naming(&addresses).await?;
    held.quarantined = naming.quarantined.len();
    held.parked = naming.parked.len();
    Ok(held)
}

/// The fact that somebody is to be forgotten, on an operator's word.
fn request(address: &Address, now: Timestamp) -> anyhow::Result<Event> {
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(|_| out_of_reach("the system gives no random numbers"))?;
    let nonce = u64::from_be_bytes(nonce);
    Ok(Event {
        seq: EventSeq(0),
        // Its name stays: no address in it.
        id: format!("erasure/{}-{nonce:016x}", now.as_millisecond()),
        source: OPERATOR_SOURCE.to_owned(),
        kind: EventKind::ErasureRequested,
        subject: "erasure".into(),
        time: now,
        recorded: now,
        sequence: None,
        partition: None,
        mode: IngestMode::Live,
        misdated: false,
        body: Arc::new(Body {
            customer_ref: Some(CustomerRef {
                customer_id: None,
                email: Some(address.as_typed().to_owned()),
            }),
            erasure: Some(Erasure {
                scope: Some("customer".to_owned()),
                ..Erasure::default()
            }),
            ..Body::default()
        }),
        considered: false,
    })
}

/// Withdraws what waits, then removes what names them.
async fn forget(open: &Open, customer: CustomerId) -> anyhow::Result<()> {
    for _ in 0..TRIES {
        let history = open.history(customer).await?;
        if history.erased {
            return Ok(());
        }
        let now = open.clock.now();
        let plan = plan::plan(&open.live.catalog, &history, now);
        let saving = Saving {
            customer,
            version: history.version,
            now,
            plan,
        };
        let saved = open.store.save(vec![saving]).await?;
        if !matches!(saved.first(), Some(Saved::Stale)) {
            open.store.erase(customer, now).await?;
            return Ok(());
        }
    }
    Err(out_of_reach(
        "news about this person kept coming in\nhint: the request is recorded, and the service carries it out",
    ))
}

fn tell(address: &Address, held: &Held, out: &mut Out) -> anyhow::Result<()> {
    if out.is_json() {
        return out.object(held);
    }
    let address = address.as_typed();
    let what = format!(
        "{} events, {} mails of the ledger ({} of them open), {} bodies in quarantine, {} events that wait",
        held.events, held.sends, held.open_sends, held.quarantined, held.parked
    );
    if held.erased {
        out.line(format_args!("{address} is forgotten: {what}"))?;
        if held.people == 0 {
            out.line("nobody was known by it; should they come, nothing is kept")?;
        }
    } else if held.people == 0 && held.quarantined + held.parked == 0 {
        out.line(format_args!("nothing is held on {address}"))?;
    } else {
        out.line(format_args!("would be removed of {address}: {what}"))?;
    }
    if !held.open_orders.is_empty() {
        let orders: Vec<&str> = held.open_orders.iter().map(String::as_str).collect();
        out.line(format_args!(
            "orders of which mail was still owed, for you to look after: {}",
            orders.join(", ")
        ))?;
    }
    Ok(())
}
