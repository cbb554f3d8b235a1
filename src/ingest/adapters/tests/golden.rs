//! Every recorded delivery verifies and comes to exactly the facts of its golden file.

use super::super::*;
use crate::model::time::TimeZone;
use std::fs;
use std::path::{Path, PathBuf};

/// Headers files whose body is another file's.
const VARIANTS: &[&str] = &[
    ".redelivery",
    ".second_subscription",
    ".bad_signature",
    ".nfkd_secret",
];

/// A recorded delivery.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) platform: Platform,
    pub(crate) name: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    golden: Option<Value>,
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/fixtures/platforms")
}

pub(crate) fn recordings() -> Vec<Recording> {
    let mut all = Vec::new();
    for platform in Platform::ALL {
        let folder = folder().join(platform.as_str());
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(".headers").map(str::to_owned))
            .filter(|name| name != "ping")
            .collect();
        names.sort();
        for name in names {
            let mut of = name.clone();
            for variant in VARIANTS {
                of = of.replace(variant, "");
            }
            let read = |ending: &str| fs::read(folder.join(format!("{of}{ending}")));
            let headers = fs::read_to_string(folder.join(format!("{name}.headers"))).unwrap();
            all.push(Recording {
                platform: *platform,
                headers: Headers::read(&headers),
                body: read(".json").unwrap(),
                // A variant differs in its headers, and so in what its facts say of them.
                golden: read(".canonical.json")
                    .ok()
                    .filter(|_| of == name)
                    .map(|text| serde_json::from_slice(&text).unwrap()),
                name,
            });
        }
    }
    all
}

/// The mapping of the shop of its own make.
pub(crate) fn mapping() -> Arc<Mapping> {
    let text = fs::read_to_string(folder().join("generic/mapping.toml")).unwrap();
    Arc::new(Mapping::read("config/sources/lantern.toml", &text).unwrap())
}

/// The source that the deliveries were recorded for.
pub(crate) fn source(platform: Platform) -> Source {
    let secrets = fs::read_to_string(folder().join("secrets.json")).unwrap();
    let secrets: Value = serde_json::from_str(&secrets).unwrap();
    let mut source = Source::new("main", platform);
    source.secrets = secrets
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| name.split('_').next() == Some(platform.as_str()))
        .map(|(_, secret)| SharedSecret::new(secret.as_str().unwrap()).unwrap())
        .collect();
    for file in ["public_keys.jwks", "public_keys.pem"] {
        if let Ok(text) = fs::read_to_string(folder().join(platform.as_str()).join(file)) {
            source.keys = PublicKeys::read(&text).unwrap();
        }
    }
    if platform == Platform::Generic {
        source.mapping = Some(mapping());
    }
    source.origin = match platform {
        Platform::Stripe => Some("/stripe/acct_example".to_owned()),
        Platform::Zendesk | Platform::Gorgias => Some(format!("/{platform}/example")),
        _ => None,
    };
    if platform == Platform::Shopify {
        source.notes.storefront = Some("https://shop.example.com".to_owned());
        source.notes.currency = Some("USD".to_owned());
        source.notes.zone = Some(TimeZone::UTC);
    }
    source
}

/// What was known beside the deliveries: what the platform's interface says of the lines,
/// and which order a payment belongs to.
pub(crate) fn beside(platform: Platform) -> Beside {
    let mut beside = Beside::default();
    if platform == Platform::Stripe {
        let lines = folder().join("stripe/api_checkout_session_line_items.json");
        beside.line_items = Some(serde_json::from_slice(&fs::read(lines).unwrap()).unwrap());
        let session = folder().join("stripe/checkout.session.completed.json");
        let session: Value = serde_json::from_slice(&fs::read(session).unwrap()).unwrap();
        let session = &session["data"]["object"];
        beside.orders.insert(
            session["payment_intent"].as_str().unwrap().to_owned(),
            session["client_reference_id"].as_str().unwrap().to_owned(),
        );
    }
    beside
}

/// An instant at which the delivery's own signature is fresh.
pub(crate) fn when(one: &Recording) -> Timestamp {
    let header = |name: &str| one.headers.one(name);
    if let Some(text) = header("stripe-signature") {
        let seconds = text.split(',').next().unwrap().trim_start_matches("t=");
        return Timestamp::from_second(seconds.parse().unwrap()).unwrap();
    }
    let seconds = header("webhook-timestamp")
        .or_else(|| header("x-spree-webhook-timestamp"))
        .or_else(|| header("x-lantern-time"))
        .or_else(|| {
            let header = header("shippo-auth-signature")?;
            header.split(',').next()?.strip_prefix("t=")
        });
    if let Some(seconds) = seconds {
        return Timestamp::from_second(seconds.parse().unwrap()).unwrap();
    }
    let spoken = header("x-zendesk-webhook-signature-timestamp")
        .or_else(|| header("x-shipengine-timestamp"));
    spoken.map_or_else(
        || "2026-07-01T00:00:00Z".parse().unwrap(),
        |text| text.parse().unwrap(),
    )
}

#[test]
fn every_recorded_delivery_verifies_but_the_forged_one() {
    let all = recordings();
    assert!(all.len() >= 60, "{}", all.len());
    for one in all {
        let holds = source(one.platform)
            .verify(&one.headers, None, &one.body, when(&one))
            .is_ok();
        let forged = one.name.contains("bad_signature");
        assert_eq!(holds, !forged, "{}/{}", one.platform, one.name);
    }
}

/// What the adapter makes of it; a delivery that has to be fetched makes nothing yet.
fn made(one: &Recording) -> Result<Value, String> {
    let said = canonical(
        &source(one.platform),
        &one.headers,
        &one.body,
        &beside(one.platform),
        when(one),
    )?;
    Ok(match said {
        Said::Facts(facts) => Value::Array(facts),
        Said::Unused(_) | Said::ToFetch(_) => Value::Array(Vec::new()),
    })
}

/// The first place where two values differ.
fn differ(path: &str, made: &Value, golden: &Value) -> Option<String> {
    match (made, golden) {
        (Value::Object(made), Value::Object(golden)) => {
            for (name, value) in golden {
                let path = format!("{path}.{name}");
                match made.get(name) {
                    None => return Some(format!("{path} is not there, expected {value}")),
                    Some(made) => {
                        if let Some(found) = differ(&path, made, value) {
                            return Some(found);
                        }
                    }
                }
            }
            made.keys()
                .find(|name| !golden.contains_key(*name))
                .map(|name| format!("{path}.{name} is too much"))
        }
        (Value::Array(made), Value::Array(golden)) if made.len() == golden.len() => made
            .iter()
            .zip(golden)
            .enumerate()
            .find_map(|(place, (made, golden))| differ(&format!("{path}[{place}]"), made, golden)),
        (made, golden) if made == golden => None,
        (made, golden) => Some(format!("{path}: made {made}, expected {golden}")),
    }
}

/// `AFTERCARE_BLESS=1` writes the golden files of the platforms whose deliveries are our
/// own, after public documentation: look at the difference.
#[test]
fn every_recorded_delivery_comes_to_its_golden_facts() {
    let blessed = std::env::var_os("AFTERCARE_BLESS").is_some();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for one in recordings() {
        let path = folder().join(one.platform.as_str());
        let path = path.join(format!("{}.canonical.json", one.name));
        if blessed && one.platform >= Platform::BigCommerce {
            let made = made(&one).unwrap_or_else(|error| panic!("{}: {error}", one.name));
            let text = serde_json::to_string_pretty(&made).unwrap();
            fs::write(&path, text + "\n").unwrap();
        }
        let Some(golden) = &one.golden else {
            let variant = VARIANTS.iter().any(|variant| one.name.contains(variant));
            assert!(variant || blessed, "{} is not there", path.display());
            continue;
        };
        compared += 1;
        let name = format!("{}/{}", one.platform, one.name);
        match made(&one) {
            Ok(made) => {
                wrong.extend(differ("", &made, golden).map(|at| format!("{name}{at}")));
            }
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(compared >= 60, "{compared}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_fact_of_a_recorded_delivery_is_one_that_we_read() {
    for one in recordings() {
        let taken = hear(
            &source(one.platform),
            &one.headers,
            &one.body,
            &beside(one.platform),
            when(&one),
        );
        if taken.outcome == Outcome::ToFetch {
            let poison = taken.poison.unwrap();
            assert_eq!(poison.reason, "to_fetch", "{}", one.name);
            assert!(poison.id.is_some(), "{}", one.name);
            continue;
        }
        assert!(taken.poison.is_none(), "{}: {:?}", one.name, taken.poison);
        assert_eq!(taken.outcome, Outcome::Understood, "{}", one.name);
        assert!(taken.key.is_some(), "{}", one.name);
    }
}
