//! `POST /hooks/{source}`: recorded deliveries through the door into the store.

use super::*;
use aftercare::ingest::adapters::{Mapping, PublicKeys, Recorded, SharedSecret, Source};
use aftercare::model::ids::CustomerId;
use aftercare::model::platform::Platform;
use aftercare::web::Hook;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/fixtures/platforms")
}

/// Every platform as a source under its own name.
fn settings() -> Settings {
    let secrets = fs::read_to_string(folder().join("secrets.json")).unwrap();
    let secrets: serde_json::Value = serde_json::from_str(&secrets).unwrap();
    let mut hooks = BTreeMap::new();
    for platform in Platform::ALL {
        let name = platform.as_str();
        let mut source = Source::new(name, *platform);
        source.window = ANY_TIME;
        source.secrets = secrets
            .as_object()
            .unwrap()
            .iter()
            .filter(|(of, _)| of.split('_').next() == Some(name))
            .map(|(_, secret)| SharedSecret::new(secret.as_str().unwrap()).unwrap())
            .collect();
        for file in ["public_keys.jwks", "public_keys.pem"] {
            if let Ok(text) = fs::read_to_string(folder().join(name).join(file)) {
                source.keys = PublicKeys::read(&text).unwrap();
            }
        }
        if let Ok(text) = fs::read_to_string(folder().join(name).join("mapping.toml")) {
            source.mapping = Some(Arc::new(Mapping::read("mapping.toml", &text).unwrap()));
        }
        hooks.insert(name.to_owned(), Hook::of(source));
    }
    Settings {
        hooks,
        ..Settings::default()
    }
}

fn headers_of(platform: &str, headers: &str) -> Vec<(String, String)> {
    let path = folder().join(platform).join(format!("{headers}.headers"));
    fs::read_to_string(path)
        .unwrap()
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn body_of(platform: &str, file: &str) -> Vec<u8> {
    fs::read(folder().join(platform).join(file)).unwrap()
}

async fn send(doors: &Doors, platform: &str, headers: &str, body: Vec<u8>) -> Answer {
    let all = headers_of(platform, headers);
    let all: Vec<(&str, &str)> = all
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let path = format!("/hooks/{platform}");
    doors.ask(request(Method::POST, &path, &all, body)).await
}

fn told(accepted: u64, duplicate: u64, quarantined: u64) -> String {
    format!(
        r#"{{"accepted":{accepted},"duplicate":{duplicate},"quarantined":{quarantined},"unused":false}}"#
    )
}

#[tokio::test]
async fn a_delivery_is_taken_once_however_often_and_by_whichever_way_it_comes() {
    let doors = Doors::open(settings()).await;
    let body = || body_of("shopify", "orders_create.json");
    for (headers, expected) in [
        ("orders_create", told(2, 0, 0)),
        // The same delivery, then the same facts by another subscription.
        ("orders_create.redelivery", told(0, 2, 0)),
        ("orders_create.second_subscription", told(0, 2, 0)),
    ] {
        let answer = send(&doors, "shopify", headers, body()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        assert_eq!(answer.body, expected, "{headers}");
    }
    let forged = send(&doors, "shopify", "orders_create.bad_signature", body()).await;
    assert_eq!(forged.status, StatusCode::UNAUTHORIZED);
    assert!(!forged.body.contains("detail"), "{}", forged.body);
    // What was lost on the way is in the next snapshot.
    let fulfilled = body_of("shopify", "orders_fulfilled.json");
    let answer = send(&doors, "shopify", "orders_fulfilled", fulfilled).await;
    // The two known facts tell a newer order, and start nothing.
    assert_eq!(answer.body, told(4, 2, 0));
}

#[tokio::test]
async fn every_recorded_delivery_is_taken_and_all_of_it_is_known_the_second_time() {
    let doors = Doors::open(settings()).await;
    let mut deliveries = 0;
    for round in 0..2 {
        for platform in Platform::ALL {
            let name = platform.as_str();
            let Ok(entries) = fs::read_dir(folder().join(name)) else {
                continue;
            };
            let mut names: Vec<String> = entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter_map(|file| file.strip_suffix(".headers").map(str::to_owned))
                .filter(|file| folder().join(name).join(format!("{file}.json")).exists())
                .collect();
            names.sort();
            for file in names {
                let body = body_of(name, &format!("{file}.json"));
                let answer = send(&doors, name, &file, body).await;
                assert!(answer.status.is_success(), "{name}/{file}: {}", answer.body);
                let thin = answer.body.contains("\"quarantined\":1");
                let thinly = ["order_created", "ship_notify", "order.placed.thin"];
                let thinly = thinly.contains(&file.as_str()) && name != "shopify"
                    || file == "order_payment_state_changed";
                let thinly = thinly && name != "woocommerce";
                assert_eq!(thin, thinly, "{name}/{file}: {}", answer.body);
                if round > 0 {
                    assert!(answer.body.contains("\"accepted\":0"), "{name}/{file}");
                }
                deliveries += 1;
            }
        }
        while doors.engine.plan_due().await.unwrap() > 0 {}
    }
    assert!(deliveries >= 120, "{deliveries}");
}

#[tokio::test]
async fn what_is_signed_is_answered_2xx_whatever_it_holds() {
    let doors = Doors::open(settings()).await;
    let secret = b"test-secret-shopify";
    let post = async |topic: &str, body: &str| {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret).unwrap();
        mac.update(body.as_bytes());
        let tag = STANDARD.encode(mac.finalize().into_bytes());
        let headers = [
            ("content-type", "application/json"),
            ("x-shopify-topic", topic),
            ("x-shopify-hmac-sha256", tag.as_str()),
        ];
        doors.post("/hooks/shopify", &headers, body).await
    };
    let unused = post("carts/update", "{}").await;
    assert_eq!(unused.status, StatusCode::OK, "{}", unused.body);
    assert!(unused.body.contains("\"unused\":true"));
    for body in ["{}", "{", "null", "[[[[", "{\"id\":1,\"id\":2}"] {
        let poison = post("orders/create", body).await;
        assert_eq!(poison.status, StatusCode::ACCEPTED, "{body}");
        assert_eq!(poison.body, told(0, 0, 1), "{body}");
    }
    let kept = doors.engine.store.quarantined(0, 10).await.unwrap();
    assert_eq!(kept.len(), 5);
    assert_eq!(kept[0].source.as_deref(), Some("/shopify/shopify"));
    assert_eq!(kept[0].kind.as_deref(), Some("orders/create"));
    assert!(
        kept[0].because.contains("the order's id"),
        "{}",
        kept[0].because
    );
    let recorded = Recorded::read(&kept[1].body).unwrap();
    assert_eq!(
        (recorded.source.as_str(), recorded.body.as_str()),
        ("shopify", "{")
    );
}

/// Whatever a source's sender signs is kept, of whichever platform it is: cases of the kinds
/// that the public JSON parsing test suite has, and what is JSON and no delivery.
#[tokio::test]
async fn what_no_platform_should_send_is_kept_on_every_source() {
    let mut all = settings();
    for hook in all.hooks.values_mut() {
        hook.source.unsigned = true;
    }
    let doors = Doors::open(all).await;
    let deep = "[".repeat(100_000);
    let long = format!("{{\"{}\": 1}}", "k".repeat(200_000));
    let bodies: &[&[u8]] = &[
        b"",
        b" ",
        b"null",
        b"[]",
        b"{}",
        b"\"x\"",
        b"[null]",
        b"NaN",
        b"{\"id\":1,\"id\":2}",
        b"{\"id\": 1e400}",
        b"{\"id\":1,}",
        b"{\"a\":\"\x00\"}",
        b"\xff\xfe{\x00}\x00",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
        b"a=1&b=2",
        b"<?xml version=\"1.0\"?><order/>",
        deep.as_bytes(),
        long.as_bytes(),
    ];
    for platform in Platform::ALL {
        let name = platform.as_str();
        let headers = [
            ("x-shopify-topic", "orders/create"),
            ("x-wc-webhook-topic", "order.created"),
            ("saleor-event", "order_created"),
            ("content-type", "application/json; charset=iso-8859-1"),
        ];
        for body in bodies {
            let before = doors.engine.store.quarantined(0, 1000).await.unwrap().len();
            let path = format!("/hooks/{name}");
            let answer = doors
                .ask(request(Method::POST, &path, &headers, body.to_vec()))
                .await;
            let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
            assert!(
                answer.status.is_success(),
                "{name} {shown}: {}",
                answer.body
            );
            let kept = doors.engine.store.quarantined(0, 1000).await.unwrap().len();
            // An import of no profiles at all is empty, and not wrong.
            let empty = *platform == Platform::Klaviyo && matches!(*body, b"[]" | b"[null]");
            assert_eq!(kept, before + usize::from(!empty), "{name} {shown}");
        }
    }
}

#[tokio::test]
async fn the_ping_of_woocommerce_is_answered_200_and_makes_nothing() {
    let doors = Doors::open(settings()).await;
    let before = state(&doors.engine).await;
    let body = body_of("woocommerce", "ping.txt");
    let answer = send(&doors, "woocommerce", "ping", body).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(state(&doors.engine).await, before);
    // To others the same form is a delivery without proof.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let other = doors.post("/hooks/shopify", &form, "webhook_id=3").await;
    assert_eq!(other.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn bombs_giants_and_strangers_are_refused() {
    let mut all = settings();
    if let Some(hook) = all.hooks.get_mut("shopify") {
        hook.max_body = 20_000;
    }
    let doors = Doors::open(all).await;
    let before = state(&doors.engine).await;
    for encoding in [
        "gzip",
        "deflate",
        "br",
        "zstd",
        "x-gzip",
        "compress",
        "gzip, gzip",
        "identity, gzip",
        "",
        "GZIP",
    ] {
        let headers = [("content-encoding", encoding)];
        let answer = doors.post("/hooks/shopify", &headers, "x").await;
        assert_eq!(
            answer.status,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "{encoding}"
        );
    }
    let giant = "x".repeat(20_001);
    let answer = doors.post("/hooks/shopify", &[], &giant).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let answer = doors.post("/hooks/nobody", &[], "{}").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let answer = doors.get("/hooks/shopify").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    let answer = doors
        .post("/hooks/shopify?token=test-secret-shopify", &[], "{}")
        .await;
    assert_eq!(
        answer.status,
        StatusCode::UNAUTHORIZED,
        "a token signs nothing"
    );
    assert_eq!(state(&doors.engine).await, before);
}

/// An order comes in, then its buyer is redacted: nothing of theirs is left, and a
/// straggler does not bring it back.
#[tokio::test]
async fn a_redaction_is_carried_out() {
    let doors = Doors::open(settings()).await;
    let post = async |file: &str| {
        let body = body_of("shopify", &format!("{file}.json"));
        let answer = send(&doors, "shopify", file, body).await;
        assert!(answer.status.is_success(), "{file}: {}", answer.body);
        while doors.engine.plan_due().await.unwrap() > 0 {}
    };
    let kept = async || {
        let people: Vec<CustomerId> = (1..50).map(CustomerId).collect();
        let all = doors.engine.store.histories(&people).await.unwrap();
        format!("{all:?}").contains("amelia.hart@example.com")
    };
    post("orders_create").await;
    assert!(kept().await);
    post("customers_redact").await;
    assert!(!kept().await, "the address is still there");
    post("customers_update").await;
    assert!(!kept().await, "a straggler brought it back");
}

/// A redaction that names nobody but by an address.
#[tokio::test]
async fn a_redaction_may_name_an_address_alone() {
    use aftercare::ingest::adapters::{Beside, Headers, hear};
    let doors = Doors::open(settings()).await;
    let body = body_of("shopify", "orders_create.json");
    let answer = send(&doors, "shopify", "orders_create", body).await;
    assert!(answer.status.is_success(), "{}", answer.body);
    let kept = async || {
        let people: Vec<CustomerId> = (1..50).map(CustomerId).collect();
        let all = doors.engine.store.histories(&people).await.unwrap();
        format!("{all:?}").to_lowercase().contains("amelia")
    };
    assert!(kept().await);
    let body = serde_json::json!({
        "shop_id": 71120045, "shop_domain": "harborpine-example.myshopify.com",
        "customer": {"id": null, "email": "Amelia.Hart@Example.com", "phone": null}, "orders_to_redact": [],
    });
    let topic = ("x-shopify-topic".to_owned(), "customers/redact".to_owned());
    let taken = hear(
        &Source::new("shopify", Platform::Shopify),
        &Headers::new([topic]),
        body.to_string().as_bytes(),
        &Beside::default(),
        doors.engine.now(),
    );
    assert_eq!((taken.poison, taken.events.len()), (None, 1));
    let event = taken.events.into_iter().next().unwrap();
    let transport = None;
    let batch = vec![aftercare::store::Incoming { event, transport }];
    doors.engine.accept(batch, vec![]).await.unwrap();
    while doors.engine.plan_due().await.unwrap() > 0 {}
    assert!(!kept().await);
}

/// The shop took the app away: everybody whom it told of is forgotten, nobody else.
#[tokio::test]
async fn the_redaction_of_a_shop_is_carried_out() {
    let doors = Doors::open(settings()).await;
    let post = async |platform: &str, file: &str| {
        let body = body_of(platform, &format!("{file}.json"));
        let answer = send(&doors, platform, file, body).await;
        assert!(answer.status.is_success(), "{file}: {}", answer.body);
        while doors.engine.plan_due().await.unwrap() > 0 {}
    };
    let kept = async |address: &str| {
        let people: Vec<CustomerId> = (1..50).map(CustomerId).collect();
        let all = doors.engine.store.histories(&people).await.unwrap();
        format!("{all:?}").contains(address)
    };
    post("shopify", "orders_create").await;
    post("woocommerce", "order_created").await;
    post("shopify", "shop_redact").await;
    assert!(!kept("amelia.hart@example.com").await);
    assert!(kept("jonas.bergmann@example.org").await);
    // Once more does no harm.
    post("shopify", "shop_redact").await;
    assert!(kept("jonas.bergmann@example.org").await);
}

/// A door of one platform that takes what brings the token.
fn door_of(platform: Platform) -> Settings {
    let mut source = Source::new("door", platform);
    source.secrets = vec![SharedSecret::new("a-token-of-sixteen").unwrap()];
    Settings {
        hooks: [("door".to_owned(), Hook::of(source))].into(),
        ..Settings::default()
    }
}

#[tokio::test]
async fn a_challenge_is_answered_to_who_may_ask_and_says_back_no_markup() {
    let doors = Doors::open(door_of(Platform::AdobeCommerce)).await;
    let before = state(&doors.engine).await;
    let answer = doors
        .get("/hooks/door?challenge=8ec8d794-6f27-4ab0-aa04-4ef1b0c4bbd6")
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, "8ec8d794-6f27-4ab0-aa04-4ef1b0c4bbd6");
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    for bad in [
        "",
        "?challenge=",
        "?challenge=%3Cscript%3E",
        "?challenge=a&challenge=b",
        "?challenge=a%0d%0ab",
        &format!("?challenge={}", "a".repeat(257)),
    ] {
        let answer = doors.get(&format!("/hooks/door{bad}")).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{bad}");
    }
    let nobody = doors.get("/hooks/nobody?challenge=a").await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
    assert_eq!(state(&doors.engine).await, before);
    // Others have no challenge.
    let doors = Doors::open(door_of(Platform::Shopify)).await;
    let other = doors.get("/hooks/door?challenge=a").await;
    assert_eq!(other.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn brokers_that_ask_first_are_answered_and_codes_are_told_to_the_proved_alone() {
    let doors = Doors::open(door_of(Platform::Commercetools)).await;
    let origin = [("webhook-request-origin", "eventgrid.azure.net")];
    let greeted = doors
        .ask(request(Method::OPTIONS, "/hooks/door", &origin, ""))
        .await;
    assert_eq!(greeted.status, StatusCode::OK);
    assert_eq!(
        greeted.header("webhook-allowed-origin"),
        "eventgrid.azure.net"
    );
    let plain = doors
        .ask(request(Method::OPTIONS, "/hooks/door", &[], ""))
        .await;
    assert_eq!(plain.status, StatusCode::METHOD_NOT_ALLOWED);
    let asks = [
        ("content-type", "application/json"),
        ("aeg-event-type", "SubscriptionValidation"),
    ];
    let body = r#"[{"id":"1","data":{"validationCode":"512d38b6"}}]"#;
    let stranger = doors.post("/hooks/door", &asks, body).await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    let answer = doors
        .post("/hooks/door?token=a-token-of-sixteen", &asks, body)
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, r#"{"validationResponse":"512d38b6"}"#);
}

#[tokio::test]
async fn what_the_doors_saw_is_told_to_other_processes() {
    use aftercare::engine::traces::{Refusal, trace};
    let doors = Doors::open(settings()).await;
    let store = doors.engine.store.clone();
    let seen = async |name: &str| loop {
        let trace = trace(&store, name).await.unwrap();
        if trace != aftercare::engine::traces::Trace::default() {
            return trace;
        }
        tokio::task::yield_now().await;
    };
    doors.post("/hooks/shopify", &[], "{}").await;
    let refused = seen("shopify").await.refused.unwrap();
    assert_eq!((refused.count, refused.because), (1, Refusal::NoProof));
    let forged = [("judgeme-hmac-sha256", "00")];
    doors.post("/hooks/judgeme", &forged, "{}").await;
    let refused = seen("judgeme").await.refused.unwrap();
    assert_eq!(refused.because, Refusal::WrongProof);
    let body = body_of("woocommerce", "ping.txt");
    send(&doors, "woocommerce", "ping", body).await;
    assert!(seen("woocommerce").await.ping.is_some());
    let body = body_of("aftership", "tracking_update.delivered.json");
    send(&doors, "aftership", "tracking_update.delivered", body).await;
    let told = seen("aftership").await;
    assert_eq!((told.count, told.refused), (1, None));
    assert_eq!(told.origins, ["/aftership/aftership"]);
    assert_eq!(told.topics["tracking_update"].outcome, "understood");
    // Nobody is told of a source that nobody configured.
    doors.post("/hooks/nobody", &[], "{}").await;
    assert_eq!(trace(&store, "nobody").await.unwrap(), Default::default());
}

/// A place that publishes keys: what it answers next, and how often it was asked.
async fn publisher(
    answers: Vec<(StatusCode, String)>,
) -> (String, Arc<std::sync::atomic::AtomicUsize>) {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let router = axum::Router::new().fallback(async move || {
        let turn = count.fetch_add(1, Ordering::SeqCst);
        answers[turn.min(answers.len() - 1)].clone()
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/.well-known/jwks.json"), asked)
}

#[tokio::test]
async fn keys_are_fetched_when_an_unknown_one_comes_once_a_minute_and_kept() {
    use aftercare::engine::keys::Ring;
    use std::sync::atomic::Ordering;
    let keys = fs::read_to_string(folder().join("saleor/public_keys.jwks")).unwrap();
    let other = keys.replace("test-key-1", "test-key-0");
    assert_ne!(keys, other);
    let (url, asked) = publisher(vec![
        (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
        (StatusCode::OK, keys.clone()),
        (StatusCode::OK, other.clone()),
    ])
    .await;
    let data = tempfile::tempdir().unwrap();
    let ring =
        |url: &str| Arc::new(Ring::new("saleor", url, PublicKeys::default(), data.path()).unwrap());
    let door = |ring: &Arc<Ring>| {
        let mut source = Source::new("saleor", Platform::Saleor);
        source.fetches_keys = true;
        let mut hook = Hook::of(source);
        hook.ring = Some(Arc::clone(ring));
        Settings {
            hooks: [("saleor".to_owned(), hook)].into(),
            ..Settings::default()
        }
    };
    let first = ring(&url);
    // The start is in vain; the first delivery asks again.
    first.start().await;
    let doors = Doors::open(door(&first)).await;
    let body = || body_of("saleor", "order_fully_paid.json");
    let answer = send(&doors, "saleor", "order_fully_paid", body()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    // A key that does not exist does not make us ask twice within a minute.
    let mut forged = headers_of("saleor", "order_fully_paid");
    for (name, value) in &mut forged {
        if name.eq_ignore_ascii_case("saleor-signature") {
            let (_, rest) = value.split_once('.').unwrap();
            let head = base64::engine::general_purpose::URL_SAFE_NO_PAD
                .encode(r#"{"alg":"RS256","kid":"nobody","b64":false}"#);
            *value = format!("{head}.{rest}");
        }
    }
    let forged: Vec<(&str, &str)> = forged
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    for _ in 0..3 {
        let refused = doors
            .ask(request(Method::POST, "/hooks/saleor", &forged, body()))
            .await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    // Another start without network has what was fetched last.
    let offline = ring("http://127.0.0.1:9/jwks.json");
    offline.start().await;
    let doors = Doors::open(door(&offline)).await;
    let answer = send(&doors, "saleor", "order_fully_paid", body()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    // Keys that the platform has withdrawn count no more once others were fetched.
    let rotated = ring(&url);
    rotated.start().await;
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    let doors = Doors::open(door(&rotated)).await;
    let answer = send(&doors, "saleor", "order_fully_paid", body()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn keys_come_from_the_configured_host_alone() {
    use aftercare::engine::keys::Ring;
    let keys = fs::read_to_string(folder().join("saleor/public_keys.jwks")).unwrap();
    let (elsewhere, asked) = publisher(vec![(StatusCode::OK, keys)]).await;
    let moved = axum::Router::new()
        .fallback(async move || (StatusCode::FOUND, [("location", elsewhere.clone())], ""));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, moved).await });
    let data = tempfile::tempdir().unwrap();
    let ring = Ring::new("saleor", &url, PublicKeys::default(), data.path()).unwrap();
    assert!(!ring.refresh().await);
    assert!(ring.keys().is_empty());
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 0);
}
