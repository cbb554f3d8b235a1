//! `suppress` and `unsuppress`: an operator's word that an address must not, or may
//! again, be mailed. It is recorded as a fact, like a customer's own.

use super::context::Shop;
use super::exit::misuse;
use super::{Exit, Global, Out, key};
use crate::engine::consent::{OPERATOR_SOURCE, consent_event};
use crate::model::email::Address;
use crate::model::event::ConsentState;
use crate::model::kind::Scope;
use crate::store::{Access, Incoming};
use std::sync::Arc;

/// Whom, and how far.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The address
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// all, all_marketing, a kind (education, survey, review, offer), sequence:ID, or dead
    #[arg(long, value_name = "SCOPE", default_value = "all")]
    pub scope: Scope,
    /// Why: kept with the fact
    #[arg(long, value_name = "WORDS")]
    pub reason: String,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    Stop,
    Allow,
}

/// Records it; the service acts on it before the next mail.
pub async fn run(global: &Global, args: &Args, to: To, out: &mut Out) -> anyhow::Result<Exit> {
    let shop = Shop::open(global)?;
    let address = Address::parse(&args.address).map_err(|error| misuse(error.to_string()))?;
    if args.reason.trim().is_empty() {
        return Err(misuse("--reason: expected words, found none"));
    }
    let store = shop.store(Access::Writer).await?;
    key::arming(&store, &shop.config.arming_key_file).await?;
    let now = shop.clock(&store).await?.now();
    let (state, word) = match to {
        To::Stop => (ConsentState::Unsubscribed, "suppress"),
        To::Allow => (ConsentState::Subscribed, "unsuppress"),
    };
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce)
        .map_err(|_| super::out_of_reach("the system gives no random numbers"))?;
    let id = format!(
        "{word}/{}@{}-{:016x}",
        args.scope,
        now.as_millisecond(),
        u64::from_be_bytes(nonce)
    );
    let mut event = consent_event(
        OPERATOR_SOURCE,
        id,
        address.as_typed(),
        state,
        &args.scope,
        now,
    );
    let body = Arc::make_mut(&mut event.body);
    if let Some(consent) = &mut body.consent {
        consent.source = format!("operator: {}", args.reason.trim());
    }
    store
        .accept(
            vec![Incoming {
                event,
                transport: None,
            }],
            Vec::new(),
            now,
        )
        .await?;
    store.close().await;
    if out.is_json() {
        out.object(&serde_json::json!({
            "email": address.as_typed(),
            "scope": args.scope.to_string(),
            "suppressed": to == To::Stop,
        }))?;
    } else {
        let what = match to {
            To::Stop => "is not mailed any more",
            To::Allow => "may be mailed again",
        };
        out.line(format_args!(
            "{} {what}: {}",
            address.as_typed(),
            args.scope
        ))?;
    }
    Ok(Exit::Fine)
}
