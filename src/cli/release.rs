//! `release`: held mail goes, whatever held it. It is planned and cleared once more,
//! so that no rule is passed over.

use super::context::{Open, Shop};
use super::exit::{misuse, not_found};
use super::{Exit, Global, Out};
use crate::model::ids::{CustomerId, SendId};
use crate::model::reason::Reason;
use crate::model::send::SendState;
use crate::plan::{self, Decision};
use crate::store::{Access, Saved, Saving, SendFilter};

/// How often one tries again where news about the person came in meanwhile.
const TRIES: usize = 10;

/// Which.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct Args {
    /// The send's id
    #[arg(value_name = "SEND", group = "which")]
    pub send: Option<String>,
    /// Every held send
    #[arg(long, group = "which")]
    pub all: bool,
    /// Why: kept with the send
    #[arg(long, value_name = "WORDS", default_value = "released by hand")]
    pub reason: String,
}

/// Lets them go; 1 where one could not.
pub async fn run(global: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let open = Shop::open(global)?.open_all(Access::Writer).await?;
    let held = match &args.send {
        Some(text) => {
            let id: SendId = text
                .parse()
                .map_err(|_| misuse(format!("`{text}` is no id of a send")))?;
            let (customer, send) = open
                .store
                .send(id)
                .await?
                .ok_or_else(|| not_found(format!("no send {id}")))?;
            if !matches!(send.state, SendState::Held { .. }) {
                return Err(not_found(format!(
                    "{id} is not held: it is {}",
                    send.state.as_str()
                )));
            }
            vec![(customer, id)]
        }
        None => all_held(&open).await?,
    };
    let mut released = 0;
    for (customer, id) in &held {
        if release(&open, *customer, *id, &args.reason).await? {
            released += 1;
        }
    }
    open.store.close().await;
    if out.is_json() {
        out.object(&serde_json::json!({"released": released, "held": held.len() - released}))?;
    } else {
        out.line(format_args!(
            "{released} of {} held mails released",
            held.len()
        ))?;
    }
    Ok(if released == held.len() {
        Exit::Fine
    } else {
        Exit::Problems
    })
}

async fn all_held(open: &Open) -> anyhow::Result<Vec<(CustomerId, SendId)>> {
    let filter = SendFilter {
        state: Some("held".into()),
        ..SendFilter::default()
    };
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let (page, last) = open.sends(&filter, after).await?;
        all.extend(page.iter().map(|(customer, _, send)| (*customer, send.id)));
        after = last;
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// Whether it was still held and waits to be sent now.
async fn release(open: &Open, customer: CustomerId, id: SendId, why: &str) -> anyhow::Result<bool> {
    for _ in 0..TRIES {
        let mut history = open.history(customer).await?;
        let now = open.clock.now();
        let Some(mut send) = history.send(id).cloned() else {
            return Ok(false);
        };
        if !matches!(send.state, SendState::Held { .. }) {
            return Ok(false);
        }
        send.state = SendState::Queued { not_before: now };
        send.at = now;
        // What was ever in doubt keeps saying so.
        if send.doubts == 0 {
            send.reason = Some(Reason::Operator {
                what: "release".into(),
                why: why.to_owned(),
            });
        }
        let released = Decision::Revise(send);
        let version = history.version;
        released.apply(&mut history);
        // The save speaks for everything that this person's history holds, so it is planned whole.
        let mut plan = plan::plan(&open.live.catalog, &history, now);
        plan.decisions.insert(0, released);
        let saved = open
            .store
            .save(vec![Saving {
                customer,
                version,
                now,
                plan,
            }])
            .await?;
        if !matches!(saved.first(), Some(Saved::Stale)) {
            return Ok(true);
        }
    }
    Ok(false)
}
