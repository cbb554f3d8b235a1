//! `connect`: a platform, from its own admin to a first delivery that is proved. It says
//! what is to be done there, makes what can be made (our secret, the lines of the
//! configuration, the webhooks where a token is given), then watches the database of the
//! running service until the platform delivers, and says what its deliveries hold.
//!
//! It never prints a secret unasked, never takes a token on the command line, and changes
//! no line that stands in a file already.

mod address;
mod api;
mod learnt;
mod say;
mod secret;
mod wait;
mod write;

use super::context::Shop;
use super::exit::misuse;
use super::{Exit, Global, Out};
use crate::config;
use crate::engine::reload::{self, Live};
use crate::ingest::setup::{self, Hidden, Setup, Topic};
use crate::model::event::EventKind;
use crate::model::nearest::nearest;
use crate::model::platform::Platform;
use crate::sequence::needed::needed;
use address::Address;
use secret::Kept;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// Longest name of a source, in characters.
const MAX_NAME: usize = 40;
/// What other names platforms go by.
const ALSO: &[(&str, Platform)] = &[
    ("magento", Platform::AdobeCommerce),
    ("adobe_commerce", Platform::AdobeCommerce),
    ("shipstation", Platform::ShipEngine),
    ("woo", Platform::WooCommerce),
    ("seventeen_track", Platform::SeventeenTrack),
    ("judge.me", Platform::JudgeMe),
];

/// Which platform, and how far to go.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The platform: shopify, woocommerce, stripe, aftership, …
    #[arg(value_name = "PLATFORM", value_parser = platform)]
    pub platform: Platform,
    /// What the source is called here and in its address; unset: the platform's name
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: Option<String>,
    /// Where platforms reach this service: https://hooks.shop.example.com; unset: http.public_url
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// What names the shop at the platform: NAME.myshopify.com, a store hash, a host
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<String>,
    /// Add the source to config/aftercare.toml
    #[arg(long)]
    pub write: bool,
    /// Print the secret that we made, for copying
    #[arg(long)]
    pub show_secret: bool,
    /// A file with a token of the platform's interface: makes the webhooks there (else
    /// AFTERCARE_CONNECT_TOKEN)
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Another address of the platform's interface, such as a proxy
    #[arg(long, value_name = "URL")]
    pub interface: Option<String>,
    /// Change nothing, here or there; show what would be changed
    #[arg(long)]
    pub dry_run: bool,
    /// Wait for a new delivery, although some came already
    #[arg(long, conflicts_with = "no_wait")]
    pub wait: bool,
    /// Say what is to be done, and end
    #[arg(long)]
    pub no_wait: bool,
    /// How long to wait: 90s, 10min, 2h
    #[arg(long = "for", value_name = "TIME", default_value = "10min", value_parser = patience)]
    pub patience: Duration,
}

fn platform(text: &str) -> Result<Platform, String> {
    let text = text.to_lowercase();
    let also = ALSO.iter().find(|(name, _)| *name == text);
    if let Some((_, platform)) = also {
        return Ok(*platform);
    }
    text.parse().map_err(|_| {
        let near = nearest(&text, Platform::NAMES.iter().copied());
        match near {
            Some(near) => format!("no platform is called so: did you mean {near}?"),
            None => format!(
                "no platform is called so: there are {}; what is none of them connects as generic",
                Platform::NAMES.join(", ")
            ),
        }
    })
}

fn name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let good = text.len() <= MAX_NAME
        && text.bytes().all(plain)
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && !text.contains("__")
        && !text.ends_with('_');
    match good {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "a source is called by lower-case letters, digits and single underscores, a letter first, {MAX_NAME} at most"
        )),
    }
}

fn patience(text: &str) -> Result<Duration, String> {
    let wanted = || "expected a time such as 90s, 10min or 2h".to_owned();
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or_else(wanted)?;
    let (number, unit) = text.split_at(split);
    let each = match unit {
        "s" => 1,
        "min" => 60,
        "h" => 3600,
        _ => return Err(wanted()),
    };
    let number: u32 = number.parse().map_err(|_| wanted())?;
    Ok(Duration::from_secs(u64::from(number) * each))
}

/// Everything that connecting one source is about.
struct Connection<'c> {
    platform: Platform,
    name: String,
    setup: &'static Setup,
    shop: &'c Shop,
    live: Option<Live>,
    /// What the files live on; every kind, where they cannot be read.
    needed: BTreeSet<EventKind>,
    topics: Vec<Topic>,
    /// As it is configured already.
    known: Option<&'c config::Source>,
    address: Address,
    secret: Option<Kept>,
}

/// Says it, makes it, waits for it.
pub async fn run(global: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let shop = Shop::open(global)?;
    let setup = setup::of(args.platform).ok_or_else(|| {
        misuse(format!(
            "nothing is known of how to connect {}",
            args.platform
        ))
    })?;
    let name = args
        .name
        .clone()
        .unwrap_or_else(|| usual_name(args.platform));
    let known = shop
        .config
        .sources
        .iter()
        .find(|source| source.name == name);
    if let Some(known) = known
        && known.platform != args.platform
    {
        return Err(misuse(format!(
            "intake.sources.{name} is {} already\nhint: give this one another name: --name {name}_2",
            known.platform.called()
        )));
    }
    let base = args.url.as_deref().unwrap_or(&shop.config.http.public_url);
    let address = Address::read(base, &name)?;
    if let Some(because) = address.unreachable()
        && !args.no_wait
    {
        return Err(misuse(format!(
            "{base}: {} cannot reach it: {because}\nhint: --url https://HOST, or http.public_url, where your proxy or tunnel listens\nhint: to look at the steps all the same: --no-wait; to try a recorded delivery: aftercare map FILE --source {name}",
            args.platform.called()
        )));
    }
    let live = reload::read(&shop.folder).live;
    let needed: BTreeSet<EventKind> = match &live {
        Some(live) => needed(&live.catalog).into_keys().collect(),
        None => EventKind::ALL.iter().copied().collect(),
    };
    let topics = topics(args.platform, setup, &needed);
    let is_useful = topics
        .iter()
        .any(|topic| !topic.brings.is_empty() || topic.always.is_some());
    let secret = match setup.secret {
        Hidden::Keys => None,
        _ => Some(secret::keep(
            &shop,
            setup,
            &name,
            known,
            args.dry_run || !is_useful,
        )?),
    };
    let connection = Connection {
        platform: args.platform,
        topics,
        name,
        setup,
        shop: &shop,
        needed,
        live,
        known,
        address,
        secret,
    };
    let lines = write::lines(&connection, args);
    say::steps(&connection, args, &lines, out)?;
    if !is_useful {
        return Ok(Exit::Fine);
    }
    if args.write && known.is_none() {
        write::add(&connection, &lines, args.dry_run, out)?;
    }
    out.flush()?;
    if let Some(token) = secret::token(args)? {
        let done = api::set_up(&connection, args, token, out).await;
        out.flush()?;
        done?;
    }
    if args.no_wait || args.dry_run {
        return Ok(Exit::Fine);
    }
    wait::first(&connection, args, out).await
}

/// What a source is called where nobody says otherwise: a letter stands first.
fn usual_name(platform: Platform) -> String {
    match platform {
        Platform::SeventeenTrack => "track17".to_owned(),
        other => other.as_str().to_owned(),
    }
}

/// The topics to switch on; a shop of its own make has none of its own, and tells the
/// kinds that the files need.
fn topics(platform: Platform, setup: &Setup, needed: &BTreeSet<EventKind>) -> Vec<Topic> {
    if platform != Platform::Generic {
        return setup.topics(needed);
    }
    let orders = [EventKind::OrderPlaced, EventKind::OrderCancelled];
    let kinds: BTreeSet<EventKind> = needed.iter().copied().chain(orders).collect();
    kinds
        .into_iter()
        .map(|kind| Topic {
            name: kind.as_str().to_owned(),
            called: None,
            brings: vec![kind],
            always: None,
            by_hand: true,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_platforms_and_waits_are_read() {
        assert_eq!(platform("Magento"), Ok(Platform::AdobeCommerce));
        assert_eq!(platform("shopify"), Ok(Platform::Shopify));
        assert!(platform("shopfy").is_err_and(|because| because.contains("mean shopify?")));
        assert!(platform("zzz").is_err_and(|because| because.contains("generic")));
        for bad in ["", "17track", "Shop", "a__b", "a_", "a-b", &"x".repeat(41)] {
            assert!(name(bad).is_err(), "{bad}");
        }
        for platform in Platform::ALL {
            assert!(name(&usual_name(*platform)).is_ok(), "{platform}");
        }
        assert_eq!(patience("2h"), Ok(Duration::from_secs(7200)));
        for bad in ["", "5", "min", "5 days", "-1s", "99999999999h"] {
            assert!(patience(bad).is_err(), "{bad}");
        }
    }
}
