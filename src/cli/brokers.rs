//! The brokers as the configuration has them, made ready to be read.

use super::exit::misuse;
use super::sources;
use crate::config::{self, Config};
use crate::consume::{self, Settings};
use crate::ingest::canonical::MAX_DEPTH;
use crate::ingest::message::Reading;
use crate::web;

/// Every broker with its limits.
///
/// # Errors
/// A secret of its source is too short.
pub fn settings(config: &Config) -> anyhow::Result<Vec<Settings>> {
    config
        .brokers
        .iter()
        .map(|told| one(config, told))
        .collect()
}

/// As [`settings`], where this program was built with all of them.
///
/// # Errors
/// It was not; or as there.
pub fn ready(config: &Config) -> anyhow::Result<Vec<Settings>> {
    let all = settings(config)?;
    match all.iter().find(|one| !consume::built(one.broker.kind)) {
        Some(missing) => {
            let missing = consume::Unbuilt {
                name: missing.broker.name.clone(),
                kind: missing.broker.kind,
            };
            Err(misuse(missing.to_string()))
        }
        None => Ok(all),
    }
}

fn one(config: &Config, told: &config::Broker) -> anyhow::Result<Settings> {
    Ok(Settings {
        broker: told.clone(),
        reading: reading(config, told)?,
    })
}

/// How the messages of a broker are to be read.
///
/// # Errors
/// A secret of its source is too short.
pub fn reading(config: &Config, told: &config::Broker) -> anyhow::Result<Reading> {
    let named = |source: &&config::Source| told.source.as_deref() == Some(source.name.as_str());
    let source = config.sources.iter().find(named);
    let source = source.map(sources::source).transpose()?;
    Ok(Reading {
        broker: told.name.clone(),
        source,
        max_body: told.max_body.unwrap_or(web::MAX_BODY),
        depth: told.max_depth.unwrap_or(MAX_DEPTH),
    })
}
