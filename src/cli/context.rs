//! What commands open: the shop's folder with its configuration, its files, its
//! database, its clock. Everything that can be wrong there is said here, once.

use super::exit::{misuse, out_of_reach};
use super::{Global, report};
use crate::clock::Clock;
use crate::config::Config;
use crate::engine::reload::{self, Live};
use crate::links::Links;
use crate::mail::{Capture, Relay, Transport};
use crate::model::history::History;
use crate::model::ids::CustomerId;
use crate::model::time::Timestamp;
use crate::store::{Access, Store, Who};
use crate::telemetry;
use anyhow::Context as _;
use std::path::{Path, PathBuf};

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
        let folder = global.shop.clone();
        if !folder.join("config").is_dir() {
            return Err(misuse(format!(
                "{}: expected a shop's folder, found no folder `config` in it\nhint: --shop DIR",
                folder.display()
            )));
        }
        let config = Config::load(&folder)?;
        Ok(Shop { folder, config, at: global.at })
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
        Store::open(url, access).await.context("the database cannot be opened")
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
                Err(misuse(format!("the files in {} hold errors", self.folder.display())))
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
                let last = store.last_instant().await?;
                Clock::rehearsal(rehearsal.start, last, rehearsal.speed)
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
        if smtp.url == "capture" {
            return Ok(Transport::Capture(Capture::new(self.config.data_dir.join(CAPTURED))));
        }
        let relay = Relay::parse(&smtp.url).map_err(|error| misuse(format!("smtp.url: {error}")))?;
        Ok(Transport::Smtp(Box::new(relay)))
    }

    /// Signs links and makes the ids of mails: by the key file where one is configured,
    /// else by the key that the database keeps.
    ///
    /// # Errors
    /// The key file cannot be read; the database is out of reach.
    pub async fn links(&self, store: &Store, shop_id: &str) -> anyhow::Result<Links> {
        let secret = match &self.config.secret_file {
            Some(path) => super::key::read(path)?.ok_or_else(|| {
                misuse(format!("secret_file: there is no {}", path.display()))
            })?,
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
        let live = reload::dress(&store, live, clock.now()).await?;
        let links = self.links(&store, &live.catalog.policy.id).await?;
        Ok(Open { shop: self, store, live, links, clock })
    }
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
        let mut found = self.store.find(&Who::Order(text.to_owned())).await?;
        if found.is_empty() && !text.starts_with('#') {
            found = self.store.find(&Who::Order(format!("#{text}"))).await?;
        }
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
