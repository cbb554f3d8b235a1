//! The consent table against the law of the countries it serves: a warning with its
//! source, because a shop may know better than its software.

use super::Shop;
use crate::model::diagnostic::Diagnostic;
use crate::model::kind::{Class, Kind};
use crate::model::locale;
use crate::model::policy::ConsentRule;

const STORE: &str = "config/store.toml";

/// What the law of some countries asks for, at the least.
struct Law {
    countries: &'static [&'static str],
    kinds: &'static [Kind],
    least: ConsentRule,
    source: &'static str,
}

const ASKS_AND_OFFERS: &[Kind] = &[Kind::Survey, Kind::Review, Kind::Offer];

/// ePrivacy 13 and its like reach the member states, the EEA, the United Kingdom and
/// Switzerland.
const EUROPE: &[&str] = &[
    "DE", "FR", "GB", "IT", "AT", "BE", "BG", "CH", "CY", "CZ", "DK", "EE", "ES", "FI", "GR", "HR",
    "HU", "IE", "IS", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
];

const LAWS: &[Law] = &[
    Law {
        countries: EUROPE,
        kinds: ASKS_AND_OFFERS,
        least: ConsentRule::SoftOptIn,
        source: "ePrivacy directive 13, PECR 22, UWG § 7: consent, or the existing-customer exception offered at the checkout; a survey counts too (BGH VI ZR 225/17)",
    },
    Law {
        countries: EUROPE,
        kinds: &[Kind::Education],
        least: ConsentRule::OptOut,
        source: "GDPR 21(2): an objection must be honoured",
    },
    Law {
        countries: &["JP"],
        kinds: ASKS_AND_OFFERS,
        least: ConsentRule::OptIn,
        source: "特定商取引法 12-3: shops may advertise by mail only on request or with consent, records kept for three years",
    },
    Law {
        countries: &["CA"],
        kinds: ASKS_AND_OFFERS,
        least: ConsentRule::SoftOptIn,
        source: "CASL 6 and 10: express consent, or implied by a purchase for 24 months",
    },
    Law {
        countries: &["AU"],
        kinds: ASKS_AND_OFFERS,
        least: ConsentRule::SoftOptIn,
        source: "Spam Act 2003, 16 and schedule 2: consent, express or inferred from the relationship",
    },
    Law {
        countries: &["US"],
        kinds: &[Kind::Education, Kind::Survey, Kind::Review, Kind::Offer],
        least: ConsentRule::OptOut,
        source: "CAN-SPAM, 15 USC 7704(a)(4): an opt-out must be honoured",
    },
];

pub fn look(shop: &Shop<'_>, found: &mut Vec<Diagnostic>) {
    let table = &shop.catalog.policy.consent;
    for law in LAWS {
        for kind in law.kinds {
            // One wrong row is one mistake, whatever number of countries fall to it.
            let mut fallen: Vec<&str> = Vec::new();
            for country in law.countries {
                let rule = table.rule(Some(country), *kind);
                if !serves(shop, country) {
                    continue;
                }
                if strength(rule) >= strength(law.least) {
                    continue;
                }
                let own = table
                    .by_country
                    .get(*country)
                    .is_some_and(|row| row.contains_key(kind));
                if own {
                    found.push(weak(shop, country, *kind, rule, law, &[country]));
                } else {
                    fallen.push(country);
                }
            }
            if let Some(first) = fallen.first() {
                let rule = table.rule(Some(first), *kind);
                found.push(weak(shop, "default", *kind, rule, law, &fallen));
            }
        }
    }
    quiet_hours(shop, found);
}

/// Whether a shop shows that it sends to a country. Europe is what the default is for.
fn serves(shop: &Shop<'_>, country: &str) -> bool {
    let policy = &shop.catalog.policy;
    EUROPE.contains(&country)
        || policy.consent.by_country.contains_key(country)
        || policy.assume.iter().any(|row| row.to == country)
        || country == "JP"
            && policy
                .locales
                .iter()
                .any(|tag| locale::language(tag) == "ja")
}

/// Most countries that a message names.
const NAMED: usize = 4;

fn weak(
    shop: &Shop<'_>,
    row: &str,
    kind: Kind,
    rule: ConsentRule,
    law: &Law,
    countries: &[&str],
) -> Diagnostic {
    let span = shop.source.path(STORE, &["consent", row, kind.as_str()]);
    let mut named = countries[..countries.len().min(NAMED)].join(", ");
    if countries.len() > NAMED {
        named.push_str(&format!(" and {} more countries", countries.len() - NAMED));
    }
    Diagnostic::new(
        "W540",
        STORE,
        span,
        format!(
            "mails of kind \"{kind}\" go to customers in {} under \"{}\", and the law asks for more",
            named,
            name(rule)
        ),
    )
    .label(format!("\"{}\" is the least there", name(law.least)))
    .help(law.source)
    .help(if row == "default" && countries.len() < 4 {
        format!(
            "write {} = {{ {kind} = \"{}\" }} in [consent]",
            countries.first().unwrap_or(&"DE"),
            name(law.least)
        )
    } else {
        format!("write {kind} = \"{}\"", name(law.least))
    })
}

/// Mail that may arrive at three in the morning.
fn quiet_hours(shop: &Shop<'_>, found: &mut Vec<Diagnostic>) {
    if shop.catalog.policy.hours.is_some() {
        return;
    }
    let loose = shop.forms().find(|(_, step)| {
        step.kind.class() == Class::Marketing && step.at.is_none() && step.slot.is_none()
    });
    if let Some((sequence, step)) = loose {
        found.push(
            Diagnostic::new("W541", STORE, 0..0, "this shop has no quiet hours")
                .help(format!(
                    "{}/{} may reach a customer at three in the morning: it has neither `at` nor `slot`",
                    sequence.id, step.id
                ))
                .help("write [hours] with open = \"08:00\" and close = \"20:00\""),
        );
    }
}

fn strength(rule: ConsentRule) -> u8 {
    match rule {
        ConsentRule::None => 0,
        ConsentRule::OptOut => 1,
        ConsentRule::SoftOptIn => 2,
        ConsentRule::OptIn => 3,
        ConsentRule::Never => 4,
    }
}

fn name(rule: ConsentRule) -> &'static str {
    match rule {
        ConsentRule::None => "none",
        ConsentRule::OptOut => "opt_out",
        ConsentRule::SoftOptIn => "soft_opt_in",
        ConsentRule::OptIn => "opt_in",
        ConsentRule::Never => "never",
    }
}
