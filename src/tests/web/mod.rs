//! The doors, called without a port: every method at every door, in every state.

mod hooks;
mod intake;
mod opt_out;
mod overload;
mod rooms;
mod socket;
mod watching;

use crate::story::{CAMERA, Story};
use aftercare::clock::Clock;
use aftercare::engine::Engine;
use aftercare::engine::reload::{self, Live};
use aftercare::ingest::signature::Secret;
use aftercare::links::{Links, Purpose};
use aftercare::mail::{Capture, Memory, Transport};
use aftercare::model::time::Timestamp;
use aftercare::store::{Access, Incoming, SendFilter, Store};
use aftercare::web::{Intake, Settings, router};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tempfile::TempDir;
use tower::ServiceExt;

/// The key under which the recorded deliveries are signed.
pub const KEY: &[u8] = b"canonical-test-secret-24";
/// Wide enough for deliveries that were recorded in another year.
pub const ANY_TIME: Duration = Duration::from_secs(50 * 365 * 24 * 3600);

/// A service with its doors, and a folder that goes with it.
pub struct Doors {
    pub engine: Arc<Engine>,
    pub router: Router,
    _folder: TempDir,
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// The shop of the repository, read once.
pub fn shop() -> Live {
    static SHOP: OnceLock<Live> = OnceLock::new();
    let read = || {
        let read = reload::read(Path::new(env!("CARGO_MANIFEST_DIR")));
        read.live.unwrap_or_else(|| panic!("{:#?}", read.problems))
    };
    SHOP.get_or_init(read).clone()
}

/// An engine over the repository's shop, with one order in it whose first mail waits.
pub async fn engine(captures: bool) -> (Arc<Engine>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let transport = if captures {
        let mails = folder.path().join("mailbox");
        std::fs::create_dir(&mails).unwrap();
        Transport::Capture(Capture::new(mails))
    } else {
        Transport::Memory(Memory::new())
    };
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let store = Store::open(&url, Access::Owner).await.unwrap();
    let links = Links::new(
        &store.root_secret().await.unwrap(),
        "harbor-pine",
        "http://127.0.0.1:8025",
    );
    let now: Timestamp = "2026-03-10T09:00:00Z".parse().unwrap();
    let config = crate::harness::defaults(folder.path());
    let engine = Engine::new(store, transport, Clock::manual(now), config, links, shop());
    let event = Story::new()
        .order("W1", "ann", "2026-03-10T08:59:00Z", &[CAMERA])
        .events
        .remove(0);
    engine
        .accept(
            vec![Incoming {
                event,
                transport: None,
            }],
            Vec::new(),
        )
        .await
        .unwrap();
    while engine.plan_due().await.unwrap() > 0 {}
    (Arc::new(engine), folder)
}

/// A token that stands in a mail, and one of its length that was made up.
pub async fn tokens(engine: &Engine) -> (String, String) {
    let sends = engine
        .store
        .sends(&SendFilter::default(), None, 1)
        .await
        .unwrap();
    let (_, _, send) = sends.into_iter().next().unwrap().unwrap();
    let known = engine.links.token(Purpose::Unsubscribe, send.id);
    let made_up = known.chars().rev().collect();
    (known, made_up)
}

/// What the service holds: compared before and after what must change nothing.
pub async fn state(engine: &Engine) -> String {
    format!("{:?}", engine.counts().await.unwrap())
}

impl Doors {
    pub async fn open(settings: Settings) -> Doors {
        let (engine, folder) = engine(true).await;
        Doors {
            router: router(Arc::clone(&engine), settings),
            engine,
            _folder: folder,
        }
    }

    pub async fn unsigned() -> Doors {
        Doors::open(with(Intake::unsigned())).await
    }

    pub async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(request(Method::GET, path, &[], "")).await
    }

    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.ask(request(Method::POST, path, headers, body.to_owned()))
            .await
    }
}

pub fn with(intake: Intake) -> Settings {
    Settings {
        intake: Some(intake),
        ..Settings::default()
    }
}

pub fn signed() -> Intake {
    Intake::signed(vec![secret(KEY)])
}

pub fn secret(key: &[u8]) -> Secret {
    Secret::parse(&format!("whsec_{}", STANDARD.encode(key))).unwrap()
}

pub fn request(
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

/// What a sender with this key puts into `webhook-signature`.
pub fn signature(key: &[u8], id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// A recorded delivery: its headers and its very bytes.
pub fn recorded(headers: &str, body: &str) -> Request<Body> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/tests/fixtures/events/canonical"
    );
    let lines = std::fs::read_to_string(format!("{folder}/{headers}.headers")).unwrap();
    let body = std::fs::read(format!("{folder}/{body}.json")).unwrap();
    let headers: Vec<(&str, &str)> = lines
        .lines()
        .filter_map(|line| line.split_once(": "))
        .collect();
    request(Method::POST, "/events", &headers, body)
}

/// An event that is fine, with an id of its own.
pub fn order_placed(id: &str) -> String {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/tests/fixtures/events/canonical"
    );
    let text = std::fs::read_to_string(format!("{folder}/order.placed.json")).unwrap();
    let mut event: serde_json::Value = serde_json::from_str(&text).unwrap();
    event["id"] = id.into();
    event.to_string()
}
