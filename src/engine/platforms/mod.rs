//! Asking platforms: for what their deliveries lost ([`poll`]), and for what thin ones
//! leave out ([`fetch`]). What they answer goes through the same adapters as deliveries
//! do, so it tells the same facts under the same names: one that is known is a duplicate.
//!
//! Nothing here sleeps. Where a platform wants to be left alone, or asking fails, the
//! database keeps when to go on, and so does a process that starts after a crash.

mod bigcommerce;
mod commercetools;
pub mod fetch;
pub mod interface;
mod medusa;
pub mod poll;
mod shipstation;
mod shopify;
mod stripe;
mod woocommerce;

pub use interface::{Interface, Trouble};

use crate::config;
use crate::ingest::adapters::{Headers, Source};
use crate::model::platform::Platform;
use crate::model::time::Timestamp;
use serde_json::Value;
use std::time::Duration;

/// A source whose platform can be asked.
#[derive(Debug)]
pub struct Asked {
    pub source: Source,
    pub interface: Interface,
    /// How often to ask for what was lost; `None`: never.
    pub poll: Option<Duration>,
    /// How far back the first poll looks.
    pub poll_back: Duration,
}

impl Asked {
    /// A source as configured, with its interface; `None` where there is no token.
    ///
    /// # Errors
    /// What was configured cannot be asked.
    pub fn of(
        told: &config::Source,
        source: Source,
    ) -> Result<Option<Asked>, crate::client::ClientError> {
        let (Some(api), Some(interface)) = (&told.api, Interface::of(told)?) else {
            return Ok(None);
        };
        Ok(Some(Asked {
            source,
            interface,
            poll: api.poll.filter(|_| can_poll(told.platform)),
            poll_back: api.poll_back,
        }))
    }
}

impl Asked {
    /// The `source` of the events that it tells, as its deliveries call themselves.
    pub fn origin(&self) -> String {
        let place = self.interface.place();
        let url = url::Url::parse(&place).ok();
        let host = url.as_ref().and_then(|url| url.host_str());
        let told = match self.source.platform {
            Platform::Shopify => host.map(str::to_owned),
            Platform::WooCommerce => {
                host.zip(url.as_ref())
                    .map(|(host, url)| match url.path().trim_matches('/') {
                        "" => host.to_owned(),
                        path => format!("{host}/{path}"),
                    })
            }
            Platform::BigCommerce => place
                .rsplit_once("/stores/")
                .map(|(_, hash)| hash.to_owned()),
            _ => None,
        };
        self.source.origin(told.as_deref())
    }
}

/// Whether we know how to ask a platform for what its deliveries lost.
pub fn can_poll(platform: Platform) -> bool {
    !poll::feeds(platform).is_empty()
}

/// Whether we know how to fetch what a platform's thin deliveries name.
pub fn can_fetch(platform: Platform) -> bool {
    matches!(
        platform,
        Platform::BigCommerce
            | Platform::Stripe
            | Platform::ShipEngine
            | Platform::Commercetools
            | Platform::Medusa
    )
}

/// Something that changed at a platform, as a delivery of its own would tell it.
#[derive(Debug)]
struct Item {
    /// What tells it from the same thing at another time.
    key: String,
    /// When it changed, by the platform's clock.
    changed: Option<Timestamp>,
    headers: Headers,
    body: Vec<u8>,
    /// The fact of the order whose version says that nothing newer is to be had, where
    /// looking closer would cost more questions.
    cheap: Option<String>,
}

/// A text of JSON, or nothing.
fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value[name].as_str()
}
