//! The sources of platforms as the configuration has them, made ready for the doors and
//! for commands that read deliveries.

use super::exit::misuse;
use crate::config::{self, Config};
use crate::engine::keys::Ring;
use crate::engine::platforms::{self, Asked};
use crate::ingest::adapters::{Mapping, Notes, PublicKeys, SharedSecret, Source};
use crate::model::time::TimeZone;
use crate::web::admission::Pace;
use crate::web::{self, Hook};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every source that delivers over HTTP, with its limits, by name. One that cannot prove
/// who sends and comes by a broker has no door here.
///
/// # Errors
/// A secret is too short.
pub fn hooks(config: &Config) -> anyhow::Result<BTreeMap<String, Hook>> {
    config
        .sources
        .iter()
        .filter(|told| told.unsigned || told.can_prove() || !config.comes_by_broker(&told.name))
        .map(|told| {
            let source = source(told)?;
            let ring = match &told.keys_url {
                Some(url) => {
                    let ring = Ring::new(&told.name, url, source.keys.clone(), &config.data_dir)
                        .map_err(|error| {
                            misuse(format!("intake.sources.{}.keys_url: {error}", told.name))
                        })?;
                    Some(Arc::new(ring))
                }
                None => None,
            };
            let hook = Hook {
                source,
                ring,
                max_body: told.max_body.unwrap_or(web::MAX_BODY),
                read_timeout: told.read_timeout.unwrap_or(web::READ_TIMEOUT),
                pace: Pace::of(told.rate, told.burst).unwrap_or_default(),
            };
            Ok((told.name.clone(), hook))
        })
        .collect()
}

/// Every source whose platform can be asked, by name.
///
/// # Errors
/// What is configured cannot be asked.
pub fn asked(config: &Config) -> anyhow::Result<BTreeMap<String, Asked>> {
    let mut asked = BTreeMap::new();
    for told in &config.sources {
        let of = Asked::of(told, source(told)?)
            .map_err(|error| misuse(format!("intake.sources.{}.api_url: {error}", told.name)))?;
        asked.extend(of.map(|of| (told.name.clone(), of)));
    }
    Ok(asked)
}

/// One source.
///
/// # Errors
/// A secret is too short.
pub fn source(told: &config::Source) -> anyhow::Result<Source> {
    let usual = Source::new(told.name.as_str(), told.platform);
    let secrets = told
        .secrets
        .iter()
        .map(|secret| SharedSecret::new(secret.reveal()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| misuse(format!("intake.sources.{}.secrets: {error}", told.name)))?;
    let keys = match &told.public_keys {
        Some(text) => PublicKeys::read(text).map_err(|error| {
            misuse(format!(
                "intake.sources.{}.public_keys_file: {error}",
                told.name
            ))
        })?,
        None => PublicKeys::default(),
    };
    let mapping = match &told.mapping {
        // Its problems were told where the configuration was read.
        Some((path, text)) => {
            Some(Arc::new(Mapping::read(path, text).map_err(|problems| {
                misuse(format!("{path}: {} problems", problems.len()))
            })?))
        }
        None => None,
    };
    Ok(Source {
        mapping,
        keys,
        fetches_keys: told.keys_url.is_some(),
        origin: told.origin.clone(),
        secrets,
        unsigned: told.unsigned,
        fetches: told.api.is_some() && platforms::can_fetch(told.platform),
        window: told.signature_window.unwrap_or(usual.window),
        depth: told.max_depth.unwrap_or(usual.depth),
        notes: Notes {
            storefront: told.storefront.clone(),
            currency: told.currency.clone(),
            // Configuration takes no zone that is none.
            zone: told
                .time_zone
                .as_deref()
                .and_then(|name| TimeZone::get(name).ok()),
            dispatched: told.dispatched.clone(),
            delivered: told.delivered.clone(),
        },
        ..usual
    })
}
