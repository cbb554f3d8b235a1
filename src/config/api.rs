//! The keys of `[intake.sources.NAME]` that say how to ask a platform: where, as whom,
//! and how often for what its deliveries may have lost.

use super::meant::{Reader, length, wait};
use super::raw::variable_of;
use super::sources::Keys;
use super::{Api, Secret};
use crate::model::platform::Platform;
use std::path::Path;
use std::time::Duration;
use url::{Host, Url};

/// How often a platform is asked where nobody says otherwise.
pub const POLL: Duration = Duration::from_secs(600);
/// How far back the first poll looks where nobody says otherwise.
pub const POLL_BACK: Duration = Duration::from_secs(3 * 24 * 3600);
/// The shortest time between two polls: platforms count what they are asked.
const LEAST_POLL: Duration = Duration::from_secs(60);
/// How far back a first poll may look: platforms give no older orders without a
/// permission of its own, and what is older is for `import`.
const MOST_BACK: Duration = Duration::from_secs(60 * 24 * 3600);
/// What turns polling off.
const OFF: &str = "off";

impl<O: FnMut(&Path) -> Result<String, String>> Reader<'_, O> {
    /// How to ask the platform of a source, where a token is given.
    pub(super) fn api(
        &mut self,
        platform: Option<Platform>,
        keys: &Keys,
        section: &str,
        storefront: Option<&str>,
    ) -> Option<Api> {
        let wanted = "the address of the platform's interface: \"https://shop.example.com\", http on this machine alone";
        let url = self.of(keys, section, "api_url", wanted, place);
        let user = keys
            .get("api_user")
            .map(|given| given.text.trim().to_owned());
        let version = self.of(
            keys,
            section,
            "api_version",
            "a version as the platform writes it: \"2026-07\"",
            |text| {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
                let fits = (1..=32).contains(&text.len()) && text.bytes().all(plain);
                (fits && text != "." && text != "..").then(|| text.to_owned())
            },
        );
        let poll = self.of(
            keys,
            section,
            "poll",
            "\"off\", or a time from \"1min\" to \"1d\"",
            |text| {
                if text == OFF {
                    return Some(None);
                }
                wait(text).filter(|every| *every >= LEAST_POLL).map(Some)
            },
        );
        let poll_back = self.of(
            keys,
            section,
            "poll_back",
            "a time such as \"12h\" or \"3d\", 60 days at most: what is older is for aftercare import",
            |text| length(text).filter(|back| *back <= MOST_BACK),
        );
        let token = match keys.get("api_token") {
            Some(given) => Some(given.text.clone()),
            None => self.of_file(keys, section, "api_token_file"),
        };
        let token = token.map(|text| text.trim().to_owned());
        let token = token.filter(|text| !text.is_empty())?;
        let given = keys
            .get("api_token")
            .or_else(|| keys.get("api_token_file"))?
            .clone();
        let url = url
            .or_else(|| usual_url(platform?).map(str::to_owned))
            .or_else(|| {
                let is_same = platform == Some(Platform::WooCommerce);
                storefront.filter(|_| is_same).and_then(place)
            });
        if let (Some(platform), None, false) = (platform, &url, keys.contains_key("api_url"))
            && let Some(example) = example_url(platform)
        {
            self.report(
                given
                    .problem(
                        "E102",
                        format!("`{section}` has an api_token and no api_url to use it at"),
                    )
                    .help(
                        "what a webhook lost would stay lost: a customer waits for a mail that never comes",
                    )
                    .help(format!("set api_url = \"{example}\"")),
            );
        }
        if let Some(platform) = platform
            && user.is_none()
            && let Some(who) = wants_user(platform)
        {
            self.report(
                given
                    .problem(
                        "E102",
                        format!("`{section}` has an api_token and no api_user beside it"),
                    )
                    .help(format!(
                        "set api_user to {who}, or {}",
                        variable_of(&format!("{section}.api_user"))
                    )),
            );
        }
        Some(Api {
            url,
            user,
            token: Secret::new(token),
            version,
            poll: poll.unwrap_or(Some(POLL)),
            poll_back: poll_back.unwrap_or(POLL_BACK),
        })
    }
}

/// An address that may be asked with a secret: over TLS, or on this machine.
fn place(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let is_here = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
    };
    let plain = url.scheme() == "https" || (url.scheme() == "http" && is_here);
    let bare = url.username().is_empty() && url.password().is_none();
    let whole = url.query().is_none() && url.fragment().is_none();
    (plain && bare && whole).then(|| text.trim_end_matches('/').to_owned())
}

/// Where the interface of a platform is that has one place for everybody.
fn usual_url(platform: Platform) -> Option<&'static str> {
    match platform {
        Platform::Stripe => Some("https://api.stripe.com"),
        Platform::ShipEngine => Some("https://ssapi.shipstation.com"),
        _ => None,
    }
}

/// What the address looks like where every shop has its own.
fn example_url(platform: Platform) -> Option<&'static str> {
    match platform {
        Platform::Shopify => Some("https://SHOP.myshopify.com"),
        Platform::WooCommerce => Some("https://shop.example.com"),
        Platform::BigCommerce => Some("https://api.bigcommerce.com/stores/HASH"),
        Platform::Commercetools => Some("https://api.europe-west1.gcp.commercetools.com/PROJECT"),
        Platform::Medusa => Some("https://medusa.example.com"),
        _ => None,
    }
}

/// Whose name stands beside the token, where the platform wants one.
fn wants_user(platform: Platform) -> Option<&'static str> {
    match platform {
        Platform::WooCommerce => Some("the consumer key (ck_…)"),
        Platform::Commercetools => Some("the client's id"),
        _ => None,
    }
}
