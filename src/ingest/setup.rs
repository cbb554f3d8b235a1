//! What is to be done at each platform so that it delivers: where to click, which topics
//! to choose, which secret goes where. The words are data, one file a platform in
//! `setup/`; here they are read, and chosen from by what the shop's files need, so that
//! nobody is told to switch on what nothing lives on.
//!
//! A key of these files: `secret` (who makes it, [`Hidden`]), `where` (it is shown, or goes),
//! `keys_url` (of the platform's public keys), `account` (what names the shop there),
//! `storefront` (whether it sells), `token` (what lets us set it up by its interface),
//! `steps`, `try` (what makes a delivery come now), `learn` (what it never says), `silent`
//! (why nothing comes), `[[switch]]` (topics, and the kinds of event that they tell),
//! `[called]` (what the admin calls a topic). In steps, `{url}`, `{secret}`, `{where}`,
//! `{name}` and `{topics}` stand for what connecting finds out.

use crate::model::event::EventKind;
use crate::model::platform::Platform;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// Who makes the secret, and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hidden {
    /// The platform makes it; it is copied from there.
    Theirs,
    /// We make it, and the platform signs with it.
    Ours,
    /// As [`Hidden::Ours`], in the form of Standard Webhooks.
    Standard,
    /// We make it, and it stands in the address.
    Token,
    /// We make it, and it stands in a header.
    Bearer,
    /// There is none: the platform signs with a private key and publishes the other.
    Keys,
}

impl Hidden {
    /// Whether we make it.
    pub fn is_ours(self) -> bool {
        match self {
            Hidden::Ours | Hidden::Standard | Hidden::Token | Hidden::Bearer => true,
            Hidden::Theirs | Hidden::Keys => false,
        }
    }
}

/// Topics that are switched on together, and what they tell.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// The kinds of event that they bring.
    pub kinds: Vec<EventKind>,
    /// By their names on the wire; none where the platform never says it.
    pub topics: Vec<String>,
    /// Where they are, in a few words, for `doctor events`.
    pub words: String,
    /// Why every shop needs them.
    pub always: Option<String>,
    /// Whether the platform's interface cannot make them.
    #[serde(default)]
    pub by_hand: bool,
}

/// What is to be done at a platform.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    pub secret: Hidden,
    /// Where a secret of theirs is shown; where one of ours goes; where their keys are.
    #[serde(rename = "where")]
    pub place: String,
    /// Where its public keys are; `{account}` stands for the shop's name there.
    pub keys_url: Option<String>,
    /// What names the shop at the platform, and looks how.
    pub account: Option<String>,
    /// What lets us set it up by its interface; unset: that is not offered.
    pub token: Option<String>,
    /// Whether it sells: then links of its products lead to the shop's pages.
    #[serde(default)]
    pub storefront: bool,
    pub steps: Vec<String>,
    /// What makes a first delivery come.
    #[serde(rename = "try")]
    pub attempt: String,
    /// What it does not say, and what its words mean.
    pub learn: Vec<String>,
    /// Why nothing comes, at this platform.
    pub silent: Vec<String>,
    #[serde(rename = "switch", default)]
    pub switches: Vec<Switch>,
    /// By topic: what the platform's own pages call it.
    #[serde(default)]
    pub called: BTreeMap<String, String>,
}

/// A topic to switch on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// On the wire.
    pub name: String,
    /// In the platform's own pages, where they call it otherwise.
    pub called: Option<String>,
    /// The kinds of event that the files need and it brings.
    pub brings: Vec<EventKind>,
    /// Why it is needed whatever the files say.
    pub always: Option<String>,
    /// Whether the platform's interface cannot make it.
    pub by_hand: bool,
}

static ALL: LazyLock<BTreeMap<Platform, Setup>> = LazyLock::new(|| {
    let read = |platform: &Platform| {
        let setup = toml_edit::de::from_str(text(*platform)).ok()?;
        Some((*platform, setup))
    };
    Platform::ALL.iter().filter_map(read).collect()
});

fn text(platform: Platform) -> &'static str {
    match platform {
        Platform::Shopify => include_str!("setup/shopify.toml"),
        Platform::WooCommerce => include_str!("setup/woocommerce.toml"),
        Platform::Stripe => include_str!("setup/stripe.toml"),
        Platform::AfterShip => include_str!("setup/aftership.toml"),
        Platform::EasyPost => include_str!("setup/easypost.toml"),
        Platform::Zendesk => include_str!("setup/zendesk.toml"),
        Platform::Gorgias => include_str!("setup/gorgias.toml"),
        Platform::JudgeMe => include_str!("setup/judgeme.toml"),
        Platform::BigCommerce => include_str!("setup/bigcommerce.toml"),
        Platform::Shippo => include_str!("setup/shippo.toml"),
        Platform::ShipEngine => include_str!("setup/shipengine.toml"),
        Platform::SeventeenTrack => include_str!("setup/17track.toml"),
        Platform::Saleor => include_str!("setup/saleor.toml"),
        Platform::Spree => include_str!("setup/spree.toml"),
        Platform::Medusa => include_str!("setup/medusa.toml"),
        Platform::Commercetools => include_str!("setup/commercetools.toml"),
        Platform::AdobeCommerce => include_str!("setup/adobe.toml"),
        Platform::Yotpo => include_str!("setup/yotpo.toml"),
        Platform::Klaviyo => include_str!("setup/klaviyo.toml"),
        Platform::Generic => include_str!("setup/generic.toml"),
    }
}

/// Every platform that the program carries words for, with them.
pub fn all() -> impl Iterator<Item = (Platform, &'static Setup)> {
    ALL.iter().map(|(platform, setup)| (*platform, setup))
}

/// What is to be done at a platform.
pub fn of(platform: Platform) -> Option<&'static Setup> {
    ALL.get(&platform)
}

impl Setup {
    /// The topics to switch on where the files need these kinds, each once, in the order
    /// of the file.
    pub fn topics(&self, needed: &BTreeSet<EventKind>) -> Vec<Topic> {
        let mut chosen: Vec<Topic> = Vec::new();
        for switch in &self.switches {
            let wanted = switch.kinds.iter().filter(|kind| needed.contains(kind));
            let brings: Vec<EventKind> = wanted.copied().collect();
            if brings.is_empty() && switch.always.is_none() {
                continue;
            }
            for name in &switch.topics {
                match chosen.iter_mut().find(|topic| topic.name == *name) {
                    Some(topic) => {
                        let new = brings.iter().filter(|kind| !topic.brings.contains(kind));
                        let new: Vec<EventKind> = new.copied().collect();
                        topic.brings.extend(new);
                    }
                    None => chosen.push(Topic {
                        name: name.clone(),
                        called: self.called.get(name).cloned(),
                        brings: brings.clone(),
                        always: switch.always.clone(),
                        by_hand: switch.by_hand,
                    }),
                }
            }
        }
        chosen
    }

    /// Topics that it could send and nothing in the files lives on.
    pub fn spared(&self, needed: &BTreeSet<EventKind>) -> Vec<&str> {
        let chosen = self.topics(needed);
        let mut spared: Vec<&str> = Vec::new();
        for name in self.switches.iter().flat_map(|switch| &switch.topics) {
            let is_chosen = chosen.iter().any(|topic| topic.name == *name);
            if !is_chosen && !spared.contains(&name.as_str()) {
                spared.push(name);
            }
        }
        spared
    }

    /// The kinds of event that it can tell.
    pub fn kinds(&self) -> BTreeSet<EventKind> {
        let telling = self.switches.iter().filter(|one| !one.topics.is_empty());
        telling.flat_map(|one| &one.kinds).copied().collect()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_platform_says_what_is_to_be_done() {
        for platform in Platform::ALL {
            let read = toml_edit::de::from_str::<Setup>(text(*platform));
            let setup = read.unwrap_or_else(|error| panic!("{platform}: {error}"));
            let steps = setup.steps.join("\n");
            let whole = format!("{steps}\n{}", setup.attempt);
            assert!(whole.contains("{url}"), "{platform}: no address");
            assert!(whole.contains("{topics}"), "{platform}: no topics");
            let hides = setup.secret != Hidden::Keys;
            assert_eq!(whole.contains("{secret}"), hides, "{platform}: its secret");
            for name in setup.called.keys() {
                let mut topics = setup.switches.iter().flat_map(|one| &one.topics);
                assert!(topics.any(|topic| topic == name), "{platform}: {name}");
            }
            let mut open = whole.split('{').skip(1);
            let known = ["url}", "topics}", "secret}", "where}", "name}"];
            assert!(
                open.all(|rest| known.iter().any(|name| rest.starts_with(name))),
                "{platform}: a place that nothing fills"
            );
        }
        assert_eq!(all().count(), Platform::ALL.len());
    }

    #[test]
    fn what_nothing_lives_on_is_not_asked_for() {
        let names = |platform, kinds: &[EventKind]| -> Vec<String> {
            let setup = of(platform).unwrap();
            let topics = setup.topics(&kinds.iter().copied().collect());
            topics.into_iter().map(|topic| topic.name).collect()
        };
        assert!(names(Platform::JudgeMe, &[EventKind::ShipmentDelivered]).is_empty());
        assert_eq!(
            names(Platform::JudgeMe, &[EventKind::ReviewReceived]),
            ["review/created", "review/published"]
        );
        // Orders and the law are asked for always, and each topic once.
        let bare = names(Platform::Shopify, &[]);
        assert!(bare.contains(&"orders/create".to_owned()));
        assert!(bare.contains(&"customers/redact".to_owned()));
        assert!(!bare.contains(&"refunds/create".to_owned()));
        let woo = names(Platform::WooCommerce, &[EventKind::ShipmentDispatched]);
        assert_eq!(
            woo.iter().filter(|name| *name == "order.updated").count(),
            1
        );
        let setup = of(Platform::Shopify).unwrap();
        let spared = setup.spared(&BTreeSet::new());
        assert!(spared.contains(&"refunds/create") && !spared.contains(&"orders/create"));
    }
}
