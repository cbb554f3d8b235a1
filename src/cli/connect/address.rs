//! The address that a platform is given, and whether it can be reached from outside at
//! all. Nothing is looked up: a name may lead anywhere by the time that it matters.

use crate::cli::exit::misuse;
use std::net::IpAddr;
use url::{Host, Url};

/// Endings of names that lead nowhere from outside (RFC 6761, RFC 6762, RFC 8375, and
/// what routers and companies use within their own walls).
const INSIDE: &[&str] = &[
    "localhost",
    "local",
    "internal",
    "intranet",
    "lan",
    "corp",
    "home",
    "home.arpa",
    "test",
    "invalid",
];

/// Where a platform delivers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    base: Url,
    /// The whole address, without a token.
    pub url: String,
}

impl Address {
    /// Of a source below a public address.
    ///
    /// # Errors
    /// It is no web address, or holds what no delivery brings along.
    pub fn read(base: &str, name: &str) -> anyhow::Result<Address> {
        let wrong = |what: &str| {
            misuse(format!(
                "{base}: {what}\nhint: --url https://hooks.shop.example.com"
            ))
        };
        let url = Url::parse(base).map_err(|_| wrong("expected a web address"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(wrong("expected a web address"));
        }
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
            return Err(wrong("expected no user, query or fragment in it"));
        }
        let before = url.as_str().trim_end_matches('/');
        Ok(Address {
            url: format!("{before}/hooks/{name}"),
            base: url,
        })
    }

    /// The public address itself.
    pub fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Why no platform can deliver there.
    pub fn unreachable(&self) -> Option<&'static str> {
        let inside = match self.base.host() {
            Some(Host::Domain(name)) => {
                let name = name.trim_end_matches('.').to_ascii_lowercase();
                let ends = |ending: &&str| {
                    name.strip_suffix(*ending)
                        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                };
                !name.contains('.') || INSIDE.iter().any(ends)
            }
            Some(Host::Ipv4(ip)) => is_inside(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => is_inside(IpAddr::V6(ip).to_canonical()),
            None => true,
        };
        if inside {
            return Some("it is an address of this machine or of a private network");
        }
        if self.base.scheme() != "https" {
            return Some(
                "it is no https:// address, and deliveries hold what customers bought and where they live",
            );
        }
        None
    }
}

/// Whether an address is not of the internet at large (RFC 6890).
fn is_inside(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast()
                // Shared behind a provider's own translation (RFC 6598).
                || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_only_we_can_reach_is_told() {
        for inside in [
            "http://127.0.0.1:8025",
            "https://localhost",
            "https://shop.localhost",
            "https://10.0.0.7",
            "https://192.168.1.2:8443",
            "https://172.31.0.1",
            "https://100.64.0.1",
            "https://169.254.169.254",
            "https://0.0.0.0",
            "https://[::1]",
            "https://[fd00::1]",
            "https://[::ffff:127.0.0.1]",
            "https://nas",
            "https://shop.local",
            "https://box.home.arpa.",
            "http://shop.example.com",
        ] {
            let address = Address::read(inside, "shop").unwrap();
            assert!(address.unreachable().is_some(), "{inside}");
        }
        for outside in [
            "https://hooks.shop.example.com",
            "https://shop.example.com:8443/aftercare/",
            "https://192.0.2.7",
            "https://[2001:db8::1]",
            "https://locals.example",
        ] {
            let address = Address::read(outside, "shop").unwrap();
            assert_eq!(address.unreachable(), None, "{outside}");
        }
        let address = Address::read("https://a.example/aftercare/", "shop").unwrap();
        assert_eq!(address.url, "https://a.example/aftercare/hooks/shop");
        for bad in [
            "",
            "shop.example.com",
            "ftp://a.example",
            "https://a.example/?x=1",
            "https://u:p@a.example",
        ] {
            assert!(Address::read(bad, "shop").is_err(), "{bad}");
        }
    }
}
