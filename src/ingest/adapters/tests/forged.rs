//! Nothing but what was signed passes: every flipped bit of a body and of a signature,
//! other secrets, other times.

use super::super::*;
use super::golden::{Recording, recordings, source, when};

/// Largest body whose every bit is flipped; of larger ones a part.
const WHOLE_BODY: usize = 2_000;
/// How many bits of a larger body are flipped.
const FLIPS: usize = 1_500;

/// The header that proves who sent a delivery.
fn proof_of(platform: Platform, one: &Recording) -> &'static str {
    match platform {
        Platform::Shopify => "x-shopify-hmac-sha256",
        Platform::WooCommerce => "x-wc-webhook-signature",
        Platform::Stripe => "stripe-signature",
        Platform::AfterShip if one.name.starts_with("return") => "as-signature-hmac-sha256",
        Platform::AfterShip => "aftership-hmac-sha256",
        Platform::EasyPost => "x-hmac-signature",
        Platform::Zendesk => "x-zendesk-webhook-signature",
        Platform::Gorgias => "authorization",
        Platform::JudgeMe => "judgeme-hmac-sha256",
        Platform::BigCommerce | Platform::Medusa => "webhook-signature",
        Platform::Shippo if one.headers.one("authorization").is_some() => "authorization",
        Platform::Shippo => "shippo-auth-signature",
        Platform::ShipEngine => "x-shipengine-rsa-sha256-signature",
        Platform::SeventeenTrack => "sign",
        Platform::Saleor => "saleor-signature",
        Platform::Spree => "x-spree-webhook-signature",
        Platform::AdobeCommerce => "x-adobe-digital-signature-1",
        Platform::Generic => "x-lantern-signature",
        Platform::Commercetools | Platform::Yotpo | Platform::Klaviyo => "authorization",
    }
}

/// The headers with another value of one.
fn with(one: &Recording, name: &str, value: &str) -> Headers {
    let mut all: Vec<(String, String)> = one
        .headers
        .every()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    for (had, text) in &mut all {
        if had == name {
            value.clone_into(text);
        }
    }
    Headers::new(all)
}

/// One delivery of each way to sign.
fn samples() -> Vec<Recording> {
    let mut seen = std::collections::BTreeSet::new();
    recordings()
        .into_iter()
        .filter(|one| !one.name.contains("bad_signature"))
        .filter(|one| seen.insert((one.platform, proof_of(one.platform, one))))
        .collect()
}

#[test]
fn every_flipped_bit_of_a_body_breaks_its_signature() {
    for one in samples() {
        if proof_of(one.platform, &one) == "authorization" {
            // A token in a header covers no body.
            continue;
        }
        let source = source(one.platform);
        let now = when(&one);
        let bits = one.body.len() * 8;
        let step = if one.body.len() <= WHOLE_BODY {
            1
        } else {
            bits / FLIPS
        };
        for bit in (0..bits).step_by(step) {
            let mut body = one.body.clone();
            body[bit / 8] ^= 1 << (bit % 8);
            let holds = source.verify(&one.headers, None, &body, now);
            assert!(holds.is_err(), "{}: bit {bit} of the body", one.name);
        }
    }
}

#[test]
fn every_flipped_bit_of_a_signature_breaks_it() {
    for one in samples() {
        let source = source(one.platform);
        let now = when(&one);
        let name = proof_of(one.platform, &one);
        let value = one.headers.one(name).unwrap();
        // What follows the signatures of Stripe is another scheme, which says nothing.
        let signed = value.split(",v0=").next().unwrap().len();
        for bit in 0..signed * 8 {
            let mut bytes = value.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Ok(text) = String::from_utf8(bytes) else {
                continue;
            };
            let forged = with(&one, name, &text);
            let holds = source.verify(&forged, None, &one.body, now);
            assert!(holds.is_err(), "{}: {name}: {text}", one.platform);
        }
        for odd in ["", " ", "=", ",", "t=,v1=", "hmac-sha256-hex=", "Bearer "] {
            let forged = with(&one, name, odd);
            let holds = source.verify(&forged, None, &one.body, now);
            assert!(holds.is_err(), "{}: {odd:?}", one.platform);
        }
        let twice = Headers::new(
            one.headers
                .every()
                .chain([(name, value)])
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        assert!(source.verify(&twice, None, &one.body, now).is_err());
    }
}

#[test]
fn the_old_secret_and_the_new_are_good_and_no_other() {
    for one in samples() {
        let now = when(&one);
        let mut source = source(one.platform);
        let other = SharedSecret::new("some-other-secret").unwrap();
        source.secrets.insert(0, other.clone());
        assert!(source.verify(&one.headers, None, &one.body, now).is_ok());
        source.secrets = vec![other];
        source.keys = PublicKeys::default();
        assert!(source.verify(&one.headers, None, &one.body, now).is_err());
        source.secrets = Vec::new();
        assert!(source.verify(&one.headers, None, &one.body, now).is_err());
    }
}

#[test]
fn signed_times_count_within_the_window_alone() {
    for one in samples() {
        let timed = [
            "stripe-signature",
            "x-zendesk-webhook-signature",
            "webhook-signature",
            "shippo-auth-signature",
            "x-spree-webhook-signature",
            "x-shipengine-rsa-sha256-signature",
            "x-lantern-signature",
        ];
        if !timed.contains(&proof_of(one.platform, &one)) {
            continue;
        }
        let source = source(one.platform);
        let own = when(&one).as_second();
        let at = |second: i64| {
            let now = Timestamp::from_second(second).unwrap();
            source.verify(&one.headers, None, &one.body, now)
        };
        assert_eq!(at(own + 300), Ok(()));
        assert_eq!(at(own - 300), Ok(()));
        assert_eq!(at(own + 301), Err(SignatureError::Window));
        assert_eq!(at(own - 301), Err(SignatureError::Window));
    }
}

#[test]
fn a_token_may_come_in_several_ways_and_must_be_whole() {
    let source = source(Platform::Gorgias);
    let body = b"{}";
    let now = Timestamp::UNIX_EPOCH;
    let check = |header: Option<&str>, address: Option<&str>, good: bool| {
        let headers = header.map(|text| ("authorization".to_owned(), text.to_owned()));
        let held = source.verify(&Headers::new(headers), address, body, now);
        assert_eq!(held.is_ok(), good, "{header:?} {address:?}");
    };
    check(Some("Bearer test-token-gorgias"), None, true);
    // user:test-token-gorgias
    check(Some("Basic dXNlcjp0ZXN0LXRva2VuLWdvcmdpYXM="), None, true);
    check(None, Some("test-token-gorgias"), true);
    check(Some("Bearer test-token-gorgia"), None, false);
    check(Some("Bearer test-token-gorgias "), None, false);
    check(Some("test-token-gorgias"), None, false);
    // What the header says counts, not what the address says beside it.
    check(
        Some("Bearer wrong-token"),
        Some("test-token-gorgias"),
        false,
    );
    check(None, Some(""), false);
    check(None, None, false);
}

#[test]
fn the_ping_of_woocommerce_needs_no_proof_and_nothing_else_passes_for_it() {
    let source = source(Platform::WooCommerce);
    let form = Headers::read("Content-Type: application/x-www-form-urlencoded");
    assert!(source.is_ping(&form, b"webhook_id=3"));
    for body in [&b"webhook_id="[..], b"webhook_id=3&x=1", b"{}", b""] {
        assert!(!source.is_ping(&form, body));
    }
    let topic = Headers::read(
        "Content-Type: application/x-www-form-urlencoded\nX-WC-Webhook-Topic: order.created",
    );
    assert!(!source.is_ping(&topic, b"webhook_id=3"));
    assert!(!Source::new("s", Platform::Shopify).is_ping(&form, b"webhook_id=3"));
}
