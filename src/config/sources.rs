//! `[intake.sources.NAME]`: who delivers to `POST /hooks/NAME`, how it proves that, and
//! what its deliveries do not say of the shop.

use super::meant::Reader;
use super::raw::{Given, variable_of};
use super::{Secret, Source};
use crate::model::diagnostic::Diagnostic;
use crate::model::nearest::nearest;
use crate::model::platform::Platform;
use crate::model::time::TimeZone;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use url::{Host, Url};

/// Most secrets of one source: two of each of the products of a platform that sign with
/// keys of their own.
pub const MAX_SOURCE_SECRETS: usize = 4;
/// Longest `source` of events.
const MAX_ORIGIN: usize = 200;
/// Most statuses that may be named.
const MAX_STATUSES: usize = 32;

/// What one source was given, by key.
pub(super) type Keys = BTreeMap<&'static str, Given>;

impl<O: FnMut(&Path) -> Result<String, String>> Reader<'_, O> {
    pub(super) fn sources(&mut self, listen: Option<SocketAddr>) -> Vec<Source> {
        let all = std::mem::take(&mut self.raw.sources);
        all.iter()
            .filter_map(|(name, (at, keys))| self.source(name, at, keys, listen))
            .collect()
    }

    fn source(
        &mut self,
        name: &str,
        at: &Given,
        keys: &Keys,
        listen: Option<SocketAddr>,
    ) -> Option<Source> {
        let platform = self.platform(name, at, keys);
        let section = format!("intake.sources.{name}");
        let unsigned = self.of(
            keys,
            &section,
            "unsigned",
            "true or false",
            |text| match text {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
        );
        let unsigned = unsigned.unwrap_or(false);
        let loopback = listen.is_none_or(|listen| listen.ip().to_canonical().is_loopback());
        if let (true, false, Some(given)) = (unsigned, loopback, keys.get("unsigned")) {
            self.report(
                given
                    .problem(
                        "E184",
                        "unsigned deliveries are taken on a loopback address alone",
                    )
                    .help("anybody who reaches the port could make mails go out")
                    .help(format!(
                        "set http.listen = \"127.0.0.1:8025\", or give {section}.secrets"
                    )),
            );
        }
        let secrets = self.source_secrets(keys, &section);
        let origin = self.of(
            keys,
            &section,
            "source",
            "a path such as \"/shopify/shop.example.com\"",
            |text| {
                let plain = text.starts_with('/')
                    && text.len() > 1
                    && text.len() <= MAX_ORIGIN
                    && !text.chars().any(|c| c.is_control() || c.is_whitespace());
                plain.then(|| text.to_owned())
            },
        );
        let storefront = self.of(
            keys,
            &section,
            "storefront",
            "a web address: \"https://shop.example.com\"",
            |text| {
                let url = Url::parse(text).ok()?;
                let plain = matches!(url.scheme(), "http" | "https") && url.has_host();
                plain.then(|| text.trim_end_matches('/').to_owned())
            },
        );
        let keys_url = self.of(
            keys,
            &section,
            "keys_url",
            "an https:// address: \"https://shop.example.com/.well-known/jwks.json\"",
            |text| {
                let url = Url::parse(text).ok()?;
                // Whoever can change keys on the way can send in the platform's name.
                let safe = url.scheme() == "https" || (url.scheme() == "http" && is_here(&url));
                let bare = url.username().is_empty() && url.password().is_none();
                (safe && bare && url.has_host()).then(|| text.to_owned())
            },
        );
        let currency = self.of(
            keys,
            &section,
            "currency",
            "three capital letters: \"EUR\"",
            |text| {
                let plain = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
                plain.then(|| text.to_owned())
            },
        );
        let time_zone = self.of(
            keys,
            &section,
            "time_zone",
            "a zone: \"Europe/Berlin\"",
            |text| TimeZone::get(text).ok().map(|_| text.to_owned()),
        );
        let mut statuses = |key: &'static str| {
            let wanted = "statuses, with commas between them: \"shipped, completed\"";
            self.of(keys, &section, key, wanted, |text| {
                let all: Vec<String> = text
                    .split(',')
                    .map(|status| status.trim().to_owned())
                    .filter(|status| !status.is_empty())
                    .collect();
                (all.len() <= MAX_STATUSES).then_some(all)
            })
            .unwrap_or_default()
        };
        let (dispatched, delivered) = (
            statuses("dispatched_statuses"),
            statuses("delivered_statuses"),
        );
        let mapping = keys
            .get("mapping")
            .map(|given| given.text.trim().to_owned())
            .zip(self.of_file(keys, &section, "mapping"));
        if platform == Some(Platform::Generic) && !keys.contains_key("mapping") {
            self.report(
                at.problem("E102", format!("`{section}` has no mapping"))
                    .help("a shop of its own make says in a file what its deliveries mean")
                    .help(format!("set mapping = \"config/sources/{name}.toml\"")),
            );
        }
        let api = self.api(platform, keys, &section, storefront.as_deref());
        Some(Source {
            api,
            mapping,
            name: name.to_owned(),
            platform: platform?,
            origin,
            secrets,
            public_keys: self.of_file(keys, &section, "public_keys_file"),
            keys_url,
            unsigned,
            max_body: self.of_number(keys, &section, "max_body", 1024, super::meant::MAX_BODY),
            max_depth: self.of_number(keys, &section, "max_depth", 8, super::meant::MAX_DEPTH),
            read_timeout: self.of(keys, &section, "read_timeout", WAIT, super::meant::wait),
            signature_window: self.of(keys, &section, "signature_window", WAIT, super::meant::wait),
            rate: self.of_count(keys, &section, "rate"),
            burst: self.of_count(keys, &section, "burst"),
            storefront,
            currency,
            time_zone,
            dispatched,
            delivered,
        })
    }

    /// What it is, by its key or by the name of the source itself.
    fn platform(&mut self, name: &str, at: &Given, keys: &Keys) -> Option<Platform> {
        let (given, text) = match keys.get("platform") {
            Some(given) => (given, given.text.trim()),
            None => (at, name),
        };
        let found = text.parse().ok();
        if found.is_none() {
            let message = if keys.contains_key("platform") {
                format!("no platform is called \"{}\"", text.escape_debug())
            } else {
                format!("`intake.sources.{name}` does not say which platform it is")
            };
            let known = Platform::NAMES.join(", ");
            let near = nearest(text, Platform::NAMES.iter().copied());
            let mut problem = given.problem("E105", message);
            if let Some(near) = near {
                problem = problem.help(format!("did you mean platform = \"{near}\"?"));
            }
            self.report(problem.help(format!("platform is one of {known}")));
        }
        found
    }

    pub(super) fn of<T>(
        &mut self,
        keys: &Keys,
        section: &str,
        key: &'static str,
        wanted: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let given = keys.get(key)?;
        let value = read(given.text.trim());
        if value.is_none() {
            self.report(given.problem("E186", format!("`{section}.{key}` wants {wanted}")));
        }
        value
    }

    pub(super) fn of_number(
        &mut self,
        keys: &Keys,
        section: &str,
        key: &'static str,
        least: usize,
        most: usize,
    ) -> Option<usize> {
        let wanted = format!("a number from {least} to {most}");
        self.of(keys, section, key, &wanted, |text| {
            let number = text.parse().ok()?;
            (least..=most).contains(&number).then_some(number)
        })
    }

    fn of_count(&mut self, keys: &Keys, section: &str, key: &'static str) -> Option<u32> {
        let count = self.of_number(keys, section, key, 1, super::meant::MAX_PACE)?;
        u32::try_from(count).ok()
    }

    /// The text of the file that a key names.
    pub(super) fn of_file(
        &mut self,
        keys: &Keys,
        section: &str,
        key: &'static str,
    ) -> Option<String> {
        let given = keys.get(key)?;
        let path = self.inside(given.text.trim());
        match (self.open)(&path) {
            Ok(text) => Some(text),
            Err(why) => {
                self.report(given.problem(
                    "E183",
                    format!(
                        "`{section}.{key}`: {} cannot be read: {why}",
                        path.display()
                    ),
                ));
                None
            }
        }
    }

    fn source_secrets(&mut self, keys: &Keys, section: &str) -> Vec<Secret> {
        let here = keys
            .get("secrets")
            .map(|given| given.text.replace(',', "\n"));
        let file = self.of_file(keys, section, "secrets_file");
        let mut secrets: Vec<Secret> = Vec::new();
        for text in [here, file].into_iter().flatten() {
            let lines = text.lines().map(str::trim);
            let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
            secrets.extend(lines.map(|line| Secret(line.to_owned())));
        }
        if secrets.len() > MAX_SOURCE_SECRETS {
            self.report(
                Diagnostic::new(
                    "E186",
                    super::raw::ENVIRONMENT,
                    0..0,
                    format!("{section} takes {MAX_SOURCE_SECRETS} secrets at most"),
                )
                .help(format!(
                    "two while one replaces the other: {}",
                    variable_of(&format!("{section}.secrets"))
                )),
            );
        }
        secrets
    }
}

/// Whether an address is of this machine.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    }
}

/// What a time limit looks like.
const WAIT: &str = "a time such as \"30s\", \"5min\" or \"1h\", a day at most";
