//! What commands open: the shop's folder with its configuration, its files, its
//! database, its clock. Everything that can be wrong there is said here, once.

use super::exit::{misuse, out_of_reach};
use super::{Global, report};
use crate::clock::{self, Clock};
use crate::config::{Config, Smtp};
use crate::engine::preview::Press;
use crate::engine::reload::{self, Live};
use crate::files;
use crate::links::Links;
use crate::mail::{Capture, Relay, Timeouts, Transport};
use crate::model::history::History;
use crate::model::ids::{CustomerId, SendId};
use crate::model::send::Send;
use crate::model::time::{self, Timestamp};
use crate::store::{Access, SendFilter, Store, Who};
use crate::telemetry;
use anyhow::Context as _;
use jiff::SignedDuration;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Histories read at once.
pub const PAGE: usize = 256;

/// A shop's folder, with the configuration of its service.
#[derive(Debug, Clone)]
pub struct Shop {
    pub folder: PathBuf,
    pub config: Config,
    /// Look from this instant.
    at: Option<Timestamp>,
}

/// A database with the files that give its rows a meaning.
#[derive(Debug)]
pub struct Open {
    pub shop: Shop,
    pub store: Store,
    pub live: Live,
    pub links: Links,
    pub clock: Clock,
}

/// A send, to whom, and the address that it was sent to, if it was.
pub type Owed = (CustomerId, Option<String>, Send);

/// Commands log warnings only, unless somebody asks for more.
pub fn quiet_log() -> anyhow::Result<()> {
    let asked = std::env::var_os(telemetry::FILTER_VARIABLE).is_some();
    telemetry::init(telemetry::Format::Text, (!asked).then_some("warn"))?;
    Ok(())
}

impl Shop {
    /// Reads `config/aftercare.toml` and the environment.
    ///
    /// # Errors
    /// The folder is no shop, or the configuration has errors, which are printed.
    pub fn open(global: &Global) -> anyhow::Result<Shop> {
        Shop::within(global, Shop::environment())
    }

    /// The environment of this process; what is not UTF-8 is none of ours.
    pub fn environment() -> impl Iterator<Item = (String, String)> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
    }

    /// The shop's folder.
    ///
    /// # Errors
    /// It is none.
    pub fn folder(global: &Global) -> anyhow::Result<PathBuf> {
        let folder = global.shop.clone();
        if !folder.join("config").is_dir() {
            return Err(misuse(format!(
                "{}: expected a shop's folder, found no folder `config` in it\nhint: --shop DIR",
                folder.display()
            )));
        }
        Ok(folder)
    }

    /// As [`Shop::open`], in an environment other than this process's.
    ///
    /// # Errors
    /// The same.
    pub fn within(
        global: &Global,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> anyhow::Result<Shop> {
        let folder = Shop::folder(global)?;
        let config = match files::configuration(&folder, environment) {
            Ok((config, warnings)) => {
                report::complain(&warnings, &[]);
                config
            }
            Err(bad) => {
                report::complain(&bad.problems, &bad.files);
                return Err(misuse(bad.to_string()));
            }
        };
        Ok(Shop {
            folder,
            config,
            at: global.at,
        })
    }

    /// The database. Only what may write makes one.
    ///
    /// # Errors
    /// The store's.
    pub async fn store(&self, access: Access) -> anyhow::Result<Store> {
        let url = &self.config.database.url;
        if access == Access::Reader
            && let Some(path) = sqlite_path(url)
            && !path.exists()
        {
            return Err(out_of_reach(format!(
                "there is no database yet: {}\nhint: `aftercare serve` or `aftercare ingest` makes one",
                path.display()
            )));
        }
        Store::open(url, access)
            .await
            .context("the database cannot be opened")
    }

    /// The files, which must be without errors.
    ///
    /// # Errors
    /// They are not; the problems are printed to standard error.
    pub fn files(&self) -> anyhow::Result<Live> {
        let read = reload::read(&self.folder);
        match read.live {
            Some(live) => Ok(live),
            None => {
                report::complain(&read.problems, &read.files);
                Err(misuse(format!(
                    "the files in {} hold errors",
                    self.folder.display()
                )))
            }
        }
    }

    /// The engine's clock: in a rehearsal the last instant written to the database or
    /// later; with `--at`, that instant.
    ///
    /// # Errors
    /// The configured speed is none.
    pub async fn clock(&self, store: &Store) -> anyhow::Result<Clock> {
        if let Some(at) = self.at {
            return Ok(Clock::manual(at));
        }
        match &self.config.clock {
            None => Ok(Clock::System),
            Some(rehearsal) => {
                // What is written now comes after what was written last, also to the millisecond.
                let last = store
                    .last_instant()
                    .await?
                    .map(|last| time::saturating_add(last, SignedDuration::from_millis(1)));
                let running = shown_now(store, rehearsal.speed).await?;
                Clock::rehearsal(rehearsal.start, last.max(running), rehearsal.speed)
                    .map_err(|error| misuse(error.to_string()))
            }
        }
    }

    /// The instant of `--at`, if it was given.
    pub fn at(&self) -> Option<Timestamp> {
        self.at
    }

    /// Where mail goes.
    ///
    /// # Errors
    /// `smtp.url` names no relay.
    pub fn transport(&self) -> anyhow::Result<Transport> {
        let smtp = &self.config.smtp;
        if smtp.is_capture() {
            return Ok(Transport::Capture(Capture::new(
                self.config.data_dir.join(CAPTURED),
            )));
        }
        let relay = relay(smtp).map_err(|error| misuse(format!("smtp.url: {error}")))?;
        Ok(Transport::Smtp(Box::new(relay)))
    }

    /// Signs links and makes the ids of mails: by the key file where one is configured,
    /// else by the key that the database keeps.
    ///
    /// # Errors
    /// The key file cannot be read; the database is out of reach.
    pub async fn links(&self, store: &Store, shop_id: &str) -> anyhow::Result<Links> {
        let secret = match &self.config.secret_file {
            Some(path) => super::key::read(path)?
                .ok_or_else(|| misuse(format!("secret_file: there is no {}", path.display())))?,
            None => store.root_secret().await?,
        };
        Ok(Links::new(&secret, shop_id, &self.config.http.public_url))
    }

    /// Database, files, links and clock at once.
    ///
    /// # Errors
    /// Any of them.
    pub async fn open_all(self, access: Access) -> anyhow::Result<Open> {
        let live = self.files()?;
        let store = self.store(access).await?;
        let clock = self.clock(&store).await?;
        let live = reload::dress(&store, live, clock.now(), access == Access::Owner).await?;
        let links = self.links(&store, &live.catalog.policy.id).await?;
        Ok(Open {
            shop: self,
            store,
            live,
            links,
            clock,
        })
    }
}

/// Notes what a running rehearsal's clock shows, so that other processes can set theirs
/// by it.
///
/// # Errors
/// The store's.
pub async fn show_time(store: &Store, now: Timestamp) -> anyhow::Result<()> {
    let real = time::to_ms(clock::real());
    store
        .set_meta(SHOWN, &format!("{real} {}", time::to_ms(now)))
        .await?;
    Ok(())
}

/// What the clock of a running service shows; `None` where none told lately.
async fn shown_now(store: &Store, speed: f64) -> anyhow::Result<Option<Timestamp>> {
    let told = store.meta(SHOWN).await?;
    let read = told.as_deref().and_then(|told| {
        let (real, shown) = told.split_once(' ')?;
        Some((real.parse::<i64>().ok()?, shown.parse::<i64>().ok()?))
    });
    let Some((real, shown)) = read else {
        return Ok(None);
    };
    let passed = time::to_ms(clock::real()).saturating_sub(real);
    let fresh = (0..=SHOWN_STALE_MS).contains(&passed);
    Ok(fresh.then(|| time::from_ms(shown.saturating_add((passed as f64 * speed) as i64))))
}

/// Under which key a running rehearsal tells what its clock shows.
const SHOWN: &str = "rehearsal_shows";
/// How often it tells, in real time.
pub const SHOWN_EVERY: Duration = Duration::from_millis(500);
/// After how long without word it counts as ended.
const SHOWN_STALE_MS: i64 = 1500;

/// The relay, with everything that is configured about it.
fn relay(smtp: &Smtp) -> Result<Relay, Box<dyn std::error::Error>> {
    let mut relay = Relay::parse(&smtp.url)?;
    if let Some(login) = &smtp.credentials {
        relay = relay.with_credentials(&login.user, login.password.reveal())?;
    }
    if let Some(name) = &smtp.helo {
        relay = relay.with_helo(name)?;
    }
    if let Some(path) = &smtp.ca_file {
        relay = relay.with_authorities(&std::fs::read(path)?)?;
    }
    let usual = Timeouts::default();
    let given = &smtp.timeouts;
    Ok(relay.with_timeouts(Timeouts {
        connect: given.connect.unwrap_or(usual.connect),
        tls: given.tls.unwrap_or(usual.tls),
        banner: given.banner.unwrap_or(usual.banner),
        ehlo: given.ehlo.unwrap_or(usual.ehlo),
        starttls: given.starttls.unwrap_or(usual.starttls),
        auth: given.auth.unwrap_or(usual.auth),
        mail: given.mail.unwrap_or(usual.mail),
        rcpt: given.rcpt.unwrap_or(usual.rcpt),
        data: given.data.unwrap_or(usual.data),
        block: given.block.unwrap_or(usual.block),
        body: given.body.unwrap_or(usual.body),
        dot: given.dot.unwrap_or(usual.dot),
        reset: given.reset.unwrap_or(usual.reset),
        quit: given.quit.unwrap_or(usual.quit),
    }))
}

/// Folder of captured mails inside the data folder.
pub const CAPTURED: &str = "mailbox";

/// The file of a SQLite address.
pub fn sqlite_path(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("sqlite:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let path = rest.split('?').next().unwrap_or(rest);
    Some(Path::new(path).to_owned())
}

impl Open {
    /// What this install puts into every mail.
    pub fn press(&self) -> Press<'_> {
        Press::new(&self.links, &self.shop.config)
    }

    /// One page of the ledger after an id, and the id after which the next begins.
    /// Rows that do not parse are told and left out.
    ///
    /// # Errors
    /// The store's.
    pub async fn sends(
        &self,
        filter: &SendFilter,
        after: Option<SendId>,
    ) -> anyhow::Result<(Vec<Owed>, Option<SendId>)> {
        let page = self.store.sends(filter, after, PAGE).await?;
        let last = match page.last() {
            Some(Ok((_, _, send))) => Some(send.id),
            Some(Err(corrupt)) => corrupt.id.parse().ok(),
            None => None,
        };
        let rows = page
            .into_iter()
            .filter_map(|row| {
                row.inspect_err(|corrupt| {
                    tracing::error!(error = %corrupt, "a send is left out: its row does not parse");
                })
                .ok()
            })
            .collect();
        Ok((rows, last))
    }

    /// The one history of a customer.
    ///
    /// # Errors
    /// The store's, and a row that does not parse.
    pub async fn history(&self, customer: CustomerId) -> anyhow::Result<History> {
        let found = self.store.histories(&[customer]).await?;
        match found.into_iter().next() {
            Some(history) => history.context("a row of this customer cannot be read"),
            None => Err(super::not_found(format!("no customer {customer}"))),
        }
    }

    /// The people that a text on the command line means: an address, the shop's id, or ours.
    ///
    /// # Errors
    /// Nobody is known under it.
    pub async fn people(&self, text: &str) -> anyhow::Result<Vec<CustomerId>> {
        let mut found = Vec::new();
        if text.contains('@') {
            found = self.store.find(&Who::Address(text.to_owned())).await?;
        } else {
            if let Ok(own) = text.parse::<CustomerId>() {
                found = self.store.find(&Who::Own(own)).await?;
            }
            if found.is_empty() {
                found = self.store.find(&Who::ShopId(text.to_owned())).await?;
            }
        }
        if found.is_empty() {
            return Err(super::not_found(format!("nobody is known as `{text}`")));
        }
        Ok(found)
    }

    /// The people whose order this is, by number or id.
    ///
    /// # Errors
    /// No such order is known.
    pub async fn people_of_order(&self, text: &str) -> anyhow::Result<Vec<CustomerId>> {
        let found = self.store.find(&Who::Order(text.to_owned())).await?;
        if found.is_empty() {
            return Err(super::not_found(format!("no order is known as `{text}`")));
        }
        Ok(found)
    }
}

/// Whether a send is about an order, by number (with or without `#`) or id.
pub fn is_of_order(order: Option<&str>, number: Option<&str>, wanted: &str) -> bool {
    let bare = |text: &str| text.trim_start_matches('#').to_owned();
    order == Some(wanted) || number.is_some_and(|number| bare(number) == bare(wanted))
}
