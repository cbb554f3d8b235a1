//! How fast aftercare is, in one run with a peer: `scripts/bench` says how to use it.
//! It prints what it found and asserts nothing.
//!
//! What is measured is the real code, end to end, on a SQLite file with durable commits.
//! Only what merely has to be there (a million customers who wait) is written into the
//! tables directly.

mod brokers;
mod bulk;
mod files;
mod hooks;
mod ledger;
mod machine;
mod mails;
mod pending;
mod report;
mod service;
mod shop;
mod tally;

use anyhow::{Result, bail};

/// As in the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Everything that can be asked for.
const ALL: [&str; 17] = [
    "T1", "T3", "T5", "T7", "T8", "T9", "T11", "T12", "T14", "T16", "A1", "A2", "A3", "A4", "A5",
    "A6", "B1",
];
/// Runs of each, where `BENCH_RUNS` does not say.
const RUNS: usize = 3;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, database] = arguments.as_slice()
        && first == ledger::LISTING
    {
        return runtime.block_on(ledger::list(database));
    }
    let mut as_json = false;
    let mut asked: Vec<String> = Vec::new();
    for argument in arguments {
        match argument.as_str() {
            "--json" => as_json = true,
            // Cargo tells every bench that it is one.
            "--bench" => {}
            id if ALL.contains(&id) => asked.push(id.to_owned()),
            other => bail!("expected --json or one of {ALL:?}, found {other}"),
        }
    }
    let wants = move |id: &str| asked.is_empty() || asked.iter().any(|one| one == id);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure(as_json, &wants))
}

async fn measure(as_json: bool, wants: &dyn Fn(&str) -> bool) -> Result<()> {
    let runs = mails::number("BENCH_RUNS", RUNS);
    if !as_json {
        report::head();
    }
    let print = |rows: Vec<report::Row>| rows.iter().for_each(|row| row.print(as_json));
    if wants("T1") {
        print(mails::leg(runs).await?);
    }
    if wants("T3") || wants("T5") {
        print(mails::end_to_end(runs, wants).await?);
    }
    if wants("T7") {
        print(service::intake(runs).await?);
    }
    if wants("T8") {
        print(bulk::measure(runs).await?);
    }
    if ["A1", "A2", "A3", "A4", "A5"].into_iter().any(wants) {
        print(files::measure(runs, wants)?);
    }
    if wants("A6") {
        print(vec![hooks::measure(runs)?]);
    }
    if wants("B1") {
        print(brokers::measure(runs).await?);
    }
    if !["T9", "T11", "T12", "T14", "T16"].into_iter().any(wants) {
        return Ok(());
    }
    let waiting = pending::Pending::make(pending::million()).await?;
    if wants("T14") {
        print(vec![ledger::listing(runs, &waiting).await?]);
    }
    if wants("T16") {
        print(vec![service::cold_start(runs, &waiting).await?]);
    }
    if wants("T12") {
        print(service::dispatch(&waiting).await?);
    }
    if wants("T11") {
        print(vec![ledger::growth(runs, &waiting).await?]);
    }
    // Last: it settles what waits.
    if wants("T9") {
        print(vec![ledger::claim_and_done(runs, &waiting).await?]);
    }
    Ok(())
}
