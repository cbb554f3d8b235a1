//! `export-person ADDRESS`: everything that is held on somebody, as one JSON document to
//! answer their request with; without an address, the requests that wait for an answer.

use super::context::{Open, Shop};
use super::exit::misuse;
use super::row;
use super::{Exit, Global, Out};
use crate::engine::privacy::{self, OpenRequest};
use crate::ingest::canonical;
use crate::model::email::{Address, normalise};
use crate::model::event::Event;
use crate::model::ids::{CustomerId, EventSeq};
use crate::model::time::Timestamp;
use crate::state;
use crate::store::{Access, SendFilter, Who};
use anyhow::Context as _;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Whom, and where to.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The address; unset: list the requests that wait for an answer
    #[arg(value_name = "ADDRESS")]
    pub address: Option<String>,
    /// Write it there, readable by you alone; unset: to standard output
    #[arg(long, value_name = "FILE", requires = "address")]
    pub out: Option<PathBuf>,
}

/// A request that waits.
#[derive(Debug, Serialize)]
struct Row {
    due: Timestamp,
    asked: Option<Timestamp>,
    source: Option<String>,
    request: Option<String>,
    customer: Option<String>,
    email: Option<String>,
    customer_id: Option<String>,
}

/// Writes it and notes the requests as answered; or lists them.
pub async fn run(global: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let shop = Shop::open(global)?;
    let Some(text) = &args.address else {
        let open = shop.open_all(Access::Reader).await?;
        let exit = list(&open, out).await?;
        open.store.close().await;
        return Ok(exit);
    };
    let address = Address::parse(text).map_err(|error| misuse(error.to_string()))?;
    let open = shop.open_all(Access::Writer).await?;
    let (document, people) = gather(&open, &address).await?;
    let mut answered: Vec<EventSeq> = Vec::new();
    for one in privacy::open_requests(&open.store).await? {
        if is_of(&one, &people, &address) {
            answered.push(one.request.seq);
        }
    }
    match &args.out {
        Some(path) => write(path, &document)?,
        None => out.line(serde_json::to_string_pretty(&document)?)?,
    }
    // Only once it is written.
    if !answered.is_empty() {
        privacy::answer(&open.store, &answered).await?;
    }
    open.store.close().await;
    if let Some(path) = &args.out {
        let words = format!(
            "written to {}; {} requests answered",
            path.display(),
            answered.len()
        );
        if out.is_json() {
            out.object(&json!({"file": path, "answered": answered.len()}))?;
        } else {
            out.line(words)?;
        }
    }
    Ok(Exit::Fine)
}

fn is_of(one: &OpenRequest, people: &[CustomerId], address: &Address) -> bool {
    let asked_by = |event: &Event| {
        event
            .addresses()
            .any(|told| normalise(told) == normalise(address.as_typed()))
    };
    match one.request.customer {
        Some(customer) => people.contains(&customer),
        None => one.request.event.as_ref().is_ok_and(asked_by),
    }
}

async fn list(open: &Open, out: &mut Out) -> anyhow::Result<Exit> {
    let waiting = privacy::open_requests(&open.store).await?;
    let mut table = out.table(&["due", "asked", "source", "request", "customer", "address"]);
    for one in &waiting {
        let event = one.request.event.as_ref().ok();
        let who = event.and_then(|event| event.body.customer_ref.clone());
        let mut row = Row {
            due: one.due,
            asked: event.map(|event| event.time),
            source: event.map(|event| event.source.clone()),
            request: event
                .and_then(|event| event.body.request.as_ref())
                .and_then(|request| request.request_id.clone()),
            customer: one.request.customer.map(|customer| customer.to_string()),
            email: who.as_ref().and_then(|who| who.email.clone()),
            customer_id: who.and_then(|who| who.customer_id),
        };
        if let (None, Some(customer)) = (&row.email, one.request.customer) {
            row.email = address_of(open, customer).await?;
        }
        if out.is_json() {
            out.object(&row)?;
            continue;
        }
        let customer = row.customer_id.or(row.customer);
        table.add_row(vec![
            row::local(row.due, None),
            row.asked.map(|at| row::local(at, None)).unwrap_or_default(),
            row.source.unwrap_or_default(),
            row.request.unwrap_or_default(),
            customer.unwrap_or_default(),
            row.email.unwrap_or_default(),
        ]);
    }
    if !out.is_json() {
        if waiting.is_empty() {
            out.line("nobody waits for their data")?;
        } else {
            out.show(&table)?;
            out.line("answer one with `aftercare export-person ADDRESS --out FILE`")?;
        }
    }
    Ok(Exit::Fine)
}

async fn address_of(open: &Open, customer: CustomerId) -> anyhow::Result<Option<String>> {
    let history = open.history(customer).await?;
    let catalog = &open.live.catalog;
    let state = state::fold(
        &catalog.policy,
        &catalog.products,
        &history,
        open.clock.now(),
    );
    Ok(state.person.email.map(|email| email.as_typed().to_owned()))
}

/// Everything, with the people it is about.
async fn gather(open: &Open, address: &Address) -> anyhow::Result<(Value, Vec<CustomerId>)> {
    let now = open.clock.now();
    let who = Who::Address(address.as_typed().to_owned());
    let people = open.store.find(&who).await?;
    let mut addresses = BTreeSet::from([address.as_typed().to_owned()]);
    let mut told = Vec::new();
    for customer in &people {
        let history = open.history(*customer).await?;
        let addressed = history.events.iter().flat_map(Event::addresses);
        addresses.extend(addressed.map(str::to_owned));
        let filter = SendFilter {
            customer: Some(*customer),
            ..SendFilter::default()
        };
        let mut sends = Vec::new();
        let mut after = None;
        loop {
            let (page, last) = open.sends(&filter, after).await?;
            for (_, to, send) in page {
                addresses.extend(to.clone());
                let mut mail = serde_json::to_value(&send)?;
                mail["to"] = to.into();
                sends.push(mail);
            }
            after = last;
            if after.is_none() {
                break;
            }
        }
        let catalog = &open.live.catalog;
        let person = state::fold(&catalog.policy, &catalog.products, &history, now).person;
        told.push(json!({
            "customer": customer.to_string(),
            "forgotten": history.erased,
            "customer_ids": person.customer_ids,
            "email": person.email.map(|email| email.as_typed().to_owned()),
            "name": person.name,
            "locale": person.locale,
            "time_zone": person.zone_name,
            "country": person.country,
            "region": person.region,
            "tags": person.tags,
            "marketing_consent": person.consent,
            "opted_out_of": person.opt_outs.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "events": history.events.iter().map(canonical::written).collect::<Vec<_>>(),
            "series": history.enrolments,
            "mails": sends,
            "experiments": history.assignments,
            "waiting": history.waiting,
        }));
    }
    let naming = open.store.naming(&addresses).await?;
    let quarantined: Vec<Value> = naming
        .quarantined
        .iter()
        .map(|one| {
            json!({
                "id": one.id, "source": one.source, "type": one.kind,
                "recordedtime": one.recorded, "reason": one.reason, "because": one.because,
                "body": one.body,
            })
        })
        .collect();
    let waiting = naming.parked.iter().map(canonical::written);
    let document = json!({
        "about": address.as_typed(),
        "shop": open.live.catalog.policy.name,
        "written_at": now,
        "people": told,
        "not_understood": quarantined,
        "not_matched": waiting.collect::<Vec<_>>(),
    });
    Ok((document, people))
}

/// Writes a file that only its owner can read, where there is none yet.
fn write(path: &Path, document: &Value) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let what = || format!("cannot write {}", path.display());
    let mut file = options.open(path).with_context(what)?;
    serde_json::to_writer_pretty(&mut file, document).with_context(what)?;
    file.write_all(b"\n").with_context(what)?;
    file.sync_all().with_context(what)?;
    Ok(())
}
