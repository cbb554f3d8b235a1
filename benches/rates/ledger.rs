//! T9, T11, T14: what the store costs with a million who wait.

use crate::machine;
use crate::mails::{self, Run};
use crate::pending::{self, Pending};
use crate::report::Row;
use crate::shop;
use aftercare::mail::{Memory, Transport};
use aftercare::model::ids::SendId;
use aftercare::model::send::{Prepared, Send, SendState};
use aftercare::model::time::from_ms;
use aftercare::store::{Access, Barrier, Passed, SendFilter, Settle, Settled, Store};
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

/// Steps claimed, and settled, in one commit.
const BATCH: usize = 1_000;
/// Steps of one run.
const STEPS: usize = 20_000;
/// The fewer who wait, to compare with the million.
const FEW: usize = 10_000;
/// Rows of a page of the listing.
const PAGE: usize = 5_000;
/// Asks a process of this program to do the listing, so that its memory is its own.
pub const LISTING: &str = "listing-of";

fn url(of: &std::path::Path) -> String {
    format!("sqlite:{}", of.display())
}

/// T9: claim, barrier and acceptance of whole batches, all durable.
pub async fn claim_and_done(runs: usize, waiting: &Pending) -> Result<Row> {
    let store = Store::open(&url(&waiting.database), Access::Owner).await?;
    let now = from_ms(waiting.first + 10 * i64::try_from(pending::million())?);
    let page = store.sends(&SendFilter::default(), None, 1).await?;
    let (_, _, model) = page.into_iter().next().context("a send")??;
    let steps = STEPS.min(pending::million() / runs.max(1));
    let (mut rates, mut cpus) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let cpu = machine::own_cpu()?;
        let began = Instant::now();
        let mut done = 0;
        while done < steps {
            done += batch(&store, &model, now).await?;
        }
        rates.push(done as f64 / began.elapsed().as_secs_f64());
        cpus.push((machine::own_cpu()? - cpu) * 1e6 / done as f64);
    }
    store.close().await;
    let what = format!(
        "claim + barrier + done in batches of {BATCH}, {} pending",
        pending::million()
    );
    Ok(Row::of("T9", what, "steps/s", Some(50_000.0), rates)
        .with_median("cpu_µs_a_step", &cpus)
        .with("commits_a_batch", 2))
}

async fn batch(
    store: &Store,
    model: &Send,
    now: aftercare::model::time::Timestamp,
) -> Result<usize> {
    let claims = store.claim_sends(now, BATCH).await?;
    let prepared = Arc::new(Prepared {
        hash: "0".repeat(64),
        version: model.rule.version.clone(),
        date: now,
        to: "customer@example.org".into(),
        locale: "en".into(),
        values: serde_json::Value::Null,
    });
    // All copies of the model are at its version.
    let version = match store
        .histories(&[claims.first().context("a claim")?.customer])
        .await?
        .pop()
    {
        Some(Ok(history)) => history.version,
        _ => bail!("the copies cannot be read"),
    };
    let barriers = claims
        .iter()
        .map(|claim| Barrier {
            send: claim.send,
            customer: claim.customer,
            version,
            fence: claim.fence,
            prepared: Arc::clone(&prepared),
            now,
        })
        .collect();
    let passed = store.barrier(barriers).await?;
    if passed.iter().any(|one| *one != Passed::Yes) {
        bail!("a barrier was not passed");
    }
    let settles = claims
        .iter()
        .map(|claim| settle(model, claim.send, claim.customer, claim.fence, now))
        .collect();
    let settled = store.settle(settles).await?;
    if settled.iter().any(|one| *one != Settled::Done) {
        bail!("an outcome was not written");
    }
    Ok(claims.len())
}

fn settle(
    model: &Send,
    send: SendId,
    customer: aftercare::model::ids::CustomerId,
    fence: i64,
    now: aftercare::model::time::Timestamp,
) -> Settle {
    let send = Send {
        id: send,
        state: SendState::Accepted {
            reply: "250 2.0.0 Ok".into(),
        },
        at: now,
        attempts: 1,
        ..model.clone()
    };
    Settle {
        customer,
        send,
        fence,
        now,
    }
}

/// T11: whether a mail costs more where many wait. The relay is in memory, so that the
/// processor's time is ours alone.
pub async fn growth(runs: usize, waiting: &Pending) -> Result<Row> {
    let mails = mails::number("BENCH_MAILS", 5_000).min(5_000);
    let few = Pending::make(FEW).await?;
    let (mut ratios, mut small, mut large) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..runs {
        let from = 10_000_000 + run * mails;
        let with_few = among(&few, from, mails).await?;
        let with_many = among(waiting, from, mails).await?;
        small.push(with_few.all.cpu);
        large.push(with_many.all.cpu);
        ratios.push(with_many.all.cpu / with_few.all.cpu);
    }
    let what = format!("CPU a mail, {FEW} -> {} pending", pending::million());
    Ok(Row::of("T11", what, "x", Some(1.05), ratios)
        .with_median("cpu_µs_with_few", &small)
        .with_median("cpu_µs_with_many", &large))
}

async fn among(waiting: &Pending, from: usize, mails: usize) -> Result<Run> {
    let memory = Transport::Memory(Memory::new());
    let engine = waiting.engine(&shop::folder(), memory, 64).await?;
    shop::accept(&engine, shop::orders(from, mails)).await?;
    mails::drain(Arc::new(engine), mails).await
}

/// T14: every outlook, streamed as text.
pub async fn listing(runs: usize, waiting: &Pending) -> Result<Row> {
    let (mut seconds, mut memory, mut mails) = (Vec::new(), Vec::new(), 0.0);
    for _ in 0..runs {
        let output = std::process::Command::new(std::env::current_exe()?)
            .arg(LISTING)
            .arg(&waiting.database)
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let figures: Vec<f64> = text
            .split_whitespace()
            .filter_map(|figure| figure.parse().ok())
            .collect();
        let [took, most, listed] = figures[..] else {
            bail!(
                "the listing failed: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        };
        seconds.push(took);
        memory.push(most);
        mails = listed;
    }
    let what = format!(
        "next mails of {} customers, streamed as text",
        pending::million()
    );
    Ok(Row::of("T14", what, "s", Some(1.0), seconds)
        .with_median("peak_rss_mib", &memory)
        .with("mails_listed", mails))
}

/// The process that lists; prints seconds, MiB and how many.
#[expect(
    clippy::print_stdout,
    reason = "the answer to the process that started it"
)]
pub async fn list(database: &str) -> Result<()> {
    let began = Instant::now();
    let store = Store::open(&url(std::path::Path::new(database)), Access::Reader).await?;
    let mut out = std::io::BufWriter::new(std::fs::File::create("/dev/null")?);
    let (mut after, mut listed) = (None, 0_usize);
    loop {
        let page = store.outlooks(None, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some((last.wake_at, last.customer));
        for one in &page {
            if let Some(next) = one.outlook.first() {
                listed += 1;
                let order = next.order_number.as_deref().unwrap_or("-");
                writeln!(
                    out,
                    "{} {} {order} {}/{}",
                    next.go, one.customer, next.sequence, next.step
                )?;
            }
        }
    }
    out.flush()?;
    println!(
        "{} {} {listed}",
        began.elapsed().as_secs_f64(),
        machine::memory("VmHWM")?
    );
    Ok(())
}
