//! Signatures that standards and platforms publish with their keys and bodies, and the
//! ways in which a header may be written.

use super::super::*;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::Mac;

fn source(platform: Platform, secrets: &[&str]) -> Source {
    let mut source = Source::new("main", platform);
    source.secrets = secrets
        .iter()
        .map(|text| SharedSecret::new(text).unwrap())
        .collect();
    source
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// RFC 4231, test cases 1, 2 and 6.
#[test]
fn the_vectors_of_hmac_hold() {
    for (key, text, tag) in [
        (
            vec![0x0b; 20],
            &b"Hi There"[..],
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe".to_vec(),
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            vec![0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ] {
        let (first, second) = text.split_at(3);
        let made = proof::hmac(&key, &[first, second]).unwrap();
        assert!(made.verify_slice(&proof::hex(tag).unwrap()).is_ok());
    }
}

/// The vector of the Standard Webhooks libraries, which are Svix's as well.
#[test]
fn the_vector_of_standard_webhooks_holds() {
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const GOOD: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const TIME: i64 = 1_614_265_330;
    let body = br#"{"test": 2432232314}"#;
    let check = |signature: &str, time: &str, now: i64| {
        let headers = Headers::new(
            [
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                ("webhook-timestamp", time),
                ("webhook-signature", signature),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        source(Platform::Medusa, &[SECRET]).verify(&headers, None, body, at(now))
    };
    let own = TIME.to_string();
    let other = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
    for good in [
        GOOD.to_owned(),
        format!("{other} v2,bm9wZQ== {GOOD} {other}"),
        format!("v1a,bm9wZQ== {GOOD}"),
        format!("{GOOD} {GOOD}"),
    ] {
        assert_eq!(check(&good, &own, TIME), Ok(()), "{good}");
    }
    for bad in [
        "".to_owned(),
        other.to_owned(),
        // Another version says nothing, with the same bytes as well.
        GOOD.replace("v1,", "v2,"),
        GOOD.replace("v1,", "v1a,"),
        GOOD.replace("v1,", ""),
        GOOD.replace("v1,", "V1,"),
        // One way to write it: with its padding, in the alphabet of the standard.
        GOOD.replace('=', ""),
        GOOD.replace('=', "=="),
        GOOD.replace('+', "-").replace('/', "_"),
        GOOD.replace("v1,", "v1, "),
        GOOD.replace("OTPJ", "OTP\nJ"),
        GOOD[..GOOD.len() - 4].to_owned(),
        // Behind the eighth nobody looks.
        format!("{} {GOOD}", [other; 8].join(" ")),
    ] {
        assert_eq!(
            check(&bad, &own, TIME),
            Err(SignatureError::Signature),
            "{bad}"
        );
    }
    assert_eq!(check(GOOD, &own, TIME + 300), Ok(()));
    assert_eq!(check(GOOD, &own, TIME - 300), Ok(()));
    assert_eq!(check(GOOD, &own, TIME + 301), Err(SignatureError::Window));
    assert_eq!(check(GOOD, &own, TIME - 301), Err(SignatureError::Window));
    for odd in [
        "",
        "hello",
        "1614265330.0",
        "+1614265330",
        "-1614265330",
        " 1614265330",
        "1e9",
        "\u{0661}614265330",
    ] {
        assert_eq!(
            check(GOOD, odd, TIME),
            Err(SignatureError::Timestamp),
            "{odd:?}"
        );
    }
    assert_eq!(
        check(GOOD, "01614265330", TIME),
        Err(SignatureError::Signature)
    );
}

/// A header of Stripe's holds a time, any number of signatures, and schemes of which
/// nobody is to think anything.
#[test]
fn the_header_of_stripe_may_be_written_in_many_ways() {
    const TIME: i64 = 1_492_774_577;
    let body = b"{\"id\":\"evt_test_webhook\",\"object\":\"event\"}";
    let secrets = ["whsec_test_secret"];
    let pieces = [TIME.to_string(), ".".to_owned()];
    let made = proof::hmac(secrets[0].as_bytes(), &[pieces[0].as_bytes(), b".", body]);
    let tag: String = made
        .unwrap()
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let check = |header: &str| {
        let headers = Headers::new([("Stripe-Signature".to_owned(), header.to_owned())]);
        source(Platform::Stripe, &secrets).verify(&headers, None, body, at(TIME))
    };
    let bad = "5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd";
    for good in [
        format!("t={TIME},v1={tag}"),
        format!("v1={tag},t={TIME}"),
        format!("t={TIME},v1={bad},v1={tag},v0={bad}"),
        format!("t={TIME},v1={tag},v1={bad},v2=x,odd,=,"),
    ] {
        assert_eq!(check(&good), Ok(()), "{good}");
    }
    for (header, cause) in [
        (format!("t={TIME},v0={tag}"), SignatureError::Signature),
        (format!("t={TIME},v1={bad}"), SignatureError::Signature),
        (format!("t={TIME}"), SignatureError::Signature),
        (
            format!("t={TIME},v1={}", tag.to_uppercase()),
            SignatureError::Signature,
        ),
        (format!("t={TIME},v1={tag}00"), SignatureError::Signature),
        (
            format!("t={TIME},v1={}", &tag[..62]),
            SignatureError::Signature,
        ),
        (format!("t={TIME},V1={tag}"), SignatureError::Signature),
        (
            format!("t={TIME},t={TIME},v1={tag}"),
            SignatureError::Timestamp,
        ),
        (format!("v1={tag}"), SignatureError::Timestamp),
        (format!("t=,v1={tag}"), SignatureError::Timestamp),
        (format!("t=0x58,v1={tag}"), SignatureError::Timestamp),
        (
            format!("t={},v1={tag}", TIME + 1),
            SignatureError::Signature,
        ),
        (String::new(), SignatureError::Timestamp),
    ] {
        assert_eq!(check(&header), Err(cause), "{header}");
    }
}

/// RFC 7515, A.2 (RS256), with its payload detached as in appendix F.
#[test]
fn the_vector_of_json_web_signatures_holds() {
    const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    const TAG: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let body =
        b"{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
    let mut saleor = source(Platform::Saleor, &[]);
    saleor.keys = PublicKeys::read(&format!(
        r#"{{"keys":[{{"kty":"EC","crv":"P-256"}},{{"kty":"RSA","n":"{N}","e":"AQAB"}}]}}"#
    ))
    .unwrap();
    let check = |header: &str| {
        let headers = Headers::new([("Saleor-Signature".to_owned(), header.to_owned())]);
        saleor.verify(&headers, None, body, at(0))
    };
    let protected = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#);
    assert_eq!(check(&format!("{protected}..{TAG}")), Ok(()));
    let whole = URL_SAFE_NO_PAD.encode(body);
    for bad in [
        // The payload belongs to the body alone.
        format!("{protected}.{whole}.{TAG}"),
        format!("{protected}.{TAG}"),
        format!("{protected}..{TAG}=="),
        format!("{protected}..{}", STANDARD.encode(URL_SAFE_NO_PAD.decode(TAG).unwrap())),
        format!("..{TAG}"),
        format!("{protected}.."),
        // RFC 7797, 4.2: an HMAC, made with a key that everybody can read.
        "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19..A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY".to_owned(),
    ] {
        assert_eq!(check(&bad), Err(SignatureError::Signature), "{bad}");
    }
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"rs256"}"#,
        r#"{"alg":"RS256","crit":["exp"]}"#,
        r#"{"alg":"RS256","crit":"b64"}"#,
        r#"{"alg":"RS256","kid":"other"}"#,
        "{}",
        "[]",
        "nonsense",
    ] {
        let header = format!("{}..{TAG}", URL_SAFE_NO_PAD.encode(header));
        assert_eq!(check(&header), Err(SignatureError::Signature), "{header}");
    }
}

/// Plain signatures over the body: one way to write each.
#[test]
fn plain_signatures_are_written_in_one_way() {
    let body = b"{}";
    let secret = "a secret of the shop";
    let tag = proof::hmac(secret.as_bytes(), &[body])
        .unwrap()
        .finalize()
        .into_bytes();
    let base64 = STANDARD.encode(tag);
    let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    let check = |platform: Platform, name: &str, value: &str| {
        let headers = Headers::new([(name.to_owned(), value.to_owned())]);
        source(platform, &[secret]).verify(&headers, None, body, at(0))
    };
    for (platform, name, good) in [
        (Platform::Shopify, "X-Shopify-Hmac-Sha256", &base64),
        (Platform::Shopify, "Shopify-Hmac-Sha256", &base64),
        (Platform::WooCommerce, "X-WC-Webhook-Signature", &base64),
        (Platform::AfterShip, "aftership-hmac-sha256", &base64),
        (Platform::AfterShip, "as-signature-hmac-sha256", &base64),
        (Platform::JudgeMe, "JUDGEME-HMAC-SHA256", &hex),
        (
            Platform::EasyPost,
            "X-Hmac-Signature",
            &format!("hmac-sha256-hex={hex}"),
        ),
    ] {
        assert_eq!(check(platform, name, good), Ok(()), "{platform}");
        for bad in [
            good.trim_end_matches('=').to_uppercase(),
            format!(" {good}"),
            format!("{good} "),
            format!("{good},{good}"),
            format!("sha256={good}"),
            good.chars().rev().collect(),
            good[..good.len() - 1].to_owned(),
            // The other way to write the same bytes.
            if good.contains('=') && !good.contains("hex") {
                hex.clone()
            } else {
                base64.clone()
            },
        ] {
            assert_eq!(
                check(platform, name, &bad),
                Err(SignatureError::Signature),
                "{platform}: {bad}"
            );
        }
    }
}
