//! `connect` as somebody types it: the steps of every platform, and set-up by a platform's
//! own interface against a double of it, cut off in the middle.

#![expect(clippy::unwrap_used, reason = "tests")]

use crate::cli::{Install, told};
use aftercare::model::platform::Platform;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// Where the service is said to be reached.
const URL: &str = "https://hooks.shop.example.com";

fn account(platform: Platform) -> &'static str {
    match platform {
        Platform::Saleor => "lamp.saleor.cloud",
        Platform::BigCommerce => "abc123",
        _ => "lamp.myshopify.com",
    }
}

#[test]
fn every_platform_has_its_steps() {
    let install = Install::new();
    let bless = std::env::var_os("AFTERCARE_BLESS").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/fixtures/connect");
    let data = install.data.path().display().to_string();
    let mut wrong = Vec::new();
    for platform in Platform::ALL {
        let line = format!(
            "connect {platform} --url {URL} --account {} --no-wait",
            account(*platform)
        );
        let (code, text) = install.run(&line);
        assert_eq!(code, 0, "{platform}: {text}");
        let text = text.replace(&data, "data");
        let path = folder.join(format!("{platform}.txt"));
        if bless {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if text != expected {
            wrong.push(format!(
                "{platform}: AFTERCARE_BLESS=1 brings it up to date\n{text}"
            ));
        }
        // No secret is printed that nobody asked to see.
        let kept = fs::read_dir(install.data.path().join("secrets"));
        for entry in kept.into_iter().flatten() {
            let secrets = fs::read_to_string(entry.unwrap().path()).unwrap();
            for secret in secrets.lines().filter(|line| !line.starts_with('#')) {
                assert!(!text.contains(secret), "{platform}");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_documents_and_the_steps_name_the_same_topics() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/sources.md")).unwrap();
    let mut missing = Vec::new();
    for (platform, setup) in aftercare::ingest::setup::all() {
        // What it sends is no topic of its own.
        if platform == Platform::Klaviyo {
            continue;
        }
        for topic in setup.switches.iter().flat_map(|switch| &switch.topics) {
            if !text.contains(&format!("`{topic}`")) {
                missing.push(format!("{platform}: {topic}"));
            }
        }
    }
    assert!(missing.is_empty(), "docs/sources.md lacks {missing:#?}");
}

#[test]
fn the_steps_are_said_to_machines_as_well_and_a_secret_only_when_asked() {
    let install = Install::new();
    let rows = install.rows(&format!("connect shippo --url {URL} --no-wait --json"));
    let said = &rows[0];
    assert_eq!(said["url"], format!("{URL}/hooks/shippo?token=SECRET"));
    assert_eq!(said["topics"][0]["topic"], "track_updated");
    assert!(said["steps"].as_array().unwrap().len() >= 3);
    let rows = install.rows(&format!(
        "connect shippo --url {URL} --no-wait --json --show-secret"
    ));
    let url = rows[0]["url"].as_str().unwrap();
    let secret = fs::read_to_string(install.data.path().join("secrets/shippo")).unwrap();
    assert_eq!(
        url.split_once("token=").unwrap().1,
        secret.lines().last().unwrap()
    );
    // Made once and not again; a dry run makes none.
    let (_, _) = install.run(&format!("connect yotpo --url {URL} --dry-run"));
    assert!(!install.data.path().join("secrets/yotpo").exists());
}

/// A double of the platforms' interfaces: what webhooks there are, and when to fall over.
#[derive(Debug, Default)]
struct Double {
    hooks: Mutex<Vec<Value>>,
    /// After so many were made, the next is made and not answered.
    deaf_after: Mutex<Option<usize>>,
    died: Notify,
    asked: Mutex<Vec<String>>,
}

impl Double {
    async fn start(self: &Arc<Self>) -> String {
        let router = Router::new().fallback(answer).with_state(Arc::clone(self));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    /// Takes one in; whether to answer.
    fn make(&self, mut hook: Value) -> (Value, bool) {
        let mut hooks = self.hooks.lock().unwrap();
        hook["id"] = json!(format!("hook{}", hooks.len() + 1));
        hooks.push(hook.clone());
        let mut deaf = self.deaf_after.lock().unwrap();
        let answers = *deaf != Some(hooks.len());
        if !answers {
            *deaf = None;
        }
        (hook, answers)
    }

    fn change(&self, id: &str, with: &Value) {
        let mut hooks = self.hooks.lock().unwrap();
        let hook = hooks.iter_mut().find(|hook| hook["id"] == id).unwrap();
        for (key, value) in with.as_object().unwrap() {
            hook[key] = value.clone();
        }
    }

    /// Topics and addresses of what is there, sorted.
    fn there(&self, topic: &str, url: &str) -> Vec<(String, String)> {
        let hooks = self.hooks.lock().unwrap();
        let mut all: Vec<(String, String)> = hooks
            .iter()
            .map(|hook| (hook[topic].to_string(), hook[url].to_string()))
            .collect();
        all.sort();
        all
    }
}

async fn answer(
    State(double): State<Arc<Double>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let proved = ["authorization", "x-auth-token", "x-shopify-access-token"]
        .iter()
        .any(|name| headers.contains_key(*name));
    if !proved {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let path = uri.path().to_owned();
    double
        .asked
        .lock()
        .unwrap()
        .push(format!("{method} {path}"));
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    let sent: Value = serde_json::from_slice(&body).unwrap_or_default();
    let all = || Value::from(double.hooks.lock().unwrap().clone());
    let id = path.rsplit('/').next().unwrap_or_default().to_owned();
    let (said, answers) = match (method.as_str(), path.as_str()) {
        ("POST", "/admin/api/2026-07/graphql.json") => {
            let query = sent["query"].as_str().unwrap();
            if query.starts_with("query") {
                let page = json!({"nodes": all(), "pageInfo": {"hasNextPage": false}});
                (json!({"data": {"webhookSubscriptions": page}}), true)
            } else {
                let topic = &sent["variables"]["topic"];
                let uri = &sent["variables"]["webhookSubscription"]["uri"];
                let (hook, answers) = double.make(json!({"topic": topic, "uri": uri}));
                let made = json!({"webhookSubscription": hook, "userErrors": []});
                (
                    json!({"data": {"webhookSubscriptionCreate": made}}),
                    answers,
                )
            }
        }
        ("GET", "/v3/hooks") => (json!({"data": all()}), true),
        ("GET", "/v1/webhook_endpoints") => (json!({"data": all(), "has_more": false}), true),
        ("GET", "/v2/webhooks") => (json!({"webhooks": all()}), true),
        ("GET", _) => (all(), true),
        ("POST", "/v1/webhook_endpoints") => {
            let named = |wanted: &str| -> Vec<Value> {
                let all = form.iter().filter(|(name, _)| name == wanted);
                all.map(|(_, value)| value.as_str().into()).collect()
            };
            let (mut hook, answers) = double.make(json!({
                "url": named("url")[0], "enabled_events": named("enabled_events[]"),
                "metadata": {"aftercare": named("metadata[aftercare]")[0]}, "status": "enabled",
            }));
            hook["secret"] = json!(format!("whsec_of_{}", hook["id"].as_str().unwrap()));
            (hook, answers)
        }
        ("POST", "/v2/webhooks") => double.make(sent["webhook"].clone()),
        ("POST", _) => double.make(sent),
        ("DELETE", _) => {
            double.hooks.lock().unwrap().retain(|hook| hook["id"] != id);
            (json!({}), true)
        }
        _ => {
            double.change(&id, &sent);
            (json!({}), true)
        }
    };
    if !answers {
        double.died.notify_one();
        std::future::pending::<()>().await;
    }
    axum::Json(said).into_response()
}

struct Setting {
    install: Install,
    double: Arc<Double>,
    line: String,
}

impl Setting {
    async fn of(platform: &str, token: &str) -> Setting {
        let install = Install::new();
        let double = Arc::new(Double::default());
        let at = double.start().await;
        let file: PathBuf = install.data.path().join("token");
        fs::write(&file, token).unwrap();
        let account = match platform {
            "bigcommerce" => "abc123",
            _ => "lamp.myshopify.com",
        };
        let line = format!(
            "connect {platform} --url {URL} --no-wait --account {account} --interface {at} --token-file {}",
            file.display()
        );
        Setting {
            install,
            double,
            line,
        }
    }

    async fn run(&self, more: &str) -> (i32, String) {
        let mut command = self.install.command(&format!("{}{more}", self.line));
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        told(&output.await.unwrap())
    }

    /// Runs it until the double falls over, and kills it there.
    async fn run_until_killed(&self) {
        let mut command = self.install.command(&self.line);
        command.stdout(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        self.double.died.notified().await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_made_once_whatever_moment_it_is_cut_off_at() {
    for (platform, token, topic, url) in [
        ("shopify", "shpat_0", "topic", "uri"),
        ("woocommerce", "ck_0:cs_0", "topic", "delivery_url"),
        ("bigcommerce", "xauth-0", "scope", "destination"),
        ("easypost", "EZAK0", "mode", "url"),
    ] {
        let setting = Setting::of(platform, token).await;
        // Somebody else's stays as it is.
        setting.double.make(json!({
            topic: "order.created", url: "https://other.example/hook", "status": "active", "is_active": true,
        }));
        let (code, text) = setting.run(" --dry-run").await;
        assert_eq!(code, 0, "{platform}: {text}");
        assert!(text.contains("would be made"), "{platform}: {text}");
        assert_eq!(
            setting.double.there(topic, url).len(),
            1,
            "{platform}: a dry run made one"
        );
        *setting.double.deaf_after.lock().unwrap() = Some(2);
        setting.run_until_killed().await;
        assert_eq!(setting.double.there(topic, url).len(), 2, "{platform}");
        let (code, text) = setting.run("").await;
        assert_eq!(code, 0, "{platform}: {text}");
        assert!(!text.contains(token), "{platform}: a token is printed");
        assert!(
            text.contains("1 webhooks lead to other addresses"),
            "{platform}: {text}"
        );
        let there = setting.double.there(topic, url);
        let mut once = there.clone();
        once.dedup();
        assert_eq!(there, once, "{platform}: twice the same");
        let made = if platform == "easypost" { 2 } else { 4 };
        assert!(there.len() >= made, "{platform}: {there:?}");
        // And once more changes nothing.
        let (code, text) = setting.run("").await;
        assert_eq!(code, 0, "{platform}: {text}");
        assert!(!text.contains(": made"), "{platform}: {text}");
        assert_eq!(setting.double.there(topic, url), there, "{platform}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_switched_off_is_switched_on_with_our_secret() {
    let setting = Setting::of("woocommerce", "ck_0:cs_0").await;
    let (code, text) = setting.run("").await;
    assert_eq!(code, 0, "{text}");
    let file = setting.install.data.path().join("secrets/woocommerce");
    let secret = fs::read_to_string(file)
        .unwrap()
        .lines()
        .last()
        .unwrap()
        .to_owned();
    {
        let mut hooks = setting.double.hooks.lock().unwrap();
        assert!(hooks.iter().all(|hook| hook["secret"] == secret.as_str()));
        hooks[0]["status"] = json!("disabled");
        hooks[0]["secret"] = json!("another");
    }
    let (code, text) = setting.run("").await;
    assert_eq!(code, 0, "{text}");
    let hooks = setting.double.hooks.lock().unwrap();
    assert_eq!(hooks[0]["status"], "active");
    assert_eq!(hooks[0]["secret"], secret.as_str());
    assert!(!text.contains(&secret), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_told_once_is_kept_and_a_lost_one_made_anew() {
    let setting = Setting::of("stripe", "sk_test_0").await;
    *setting.double.deaf_after.lock().unwrap() = Some(1);
    setting.run_until_killed().await;
    let file = setting.install.data.path().join("secrets/stripe");
    let kept = || {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<String> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(str::to_owned)
            .collect();
        lines
    };
    assert!(kept().is_empty());
    let (code, text) = setting.run("").await;
    assert_eq!(code, 0, "{text}");
    assert_eq!(setting.double.hooks.lock().unwrap().len(), 1);
    assert_eq!(kept(), ["whsec_of_hook1"]);
    assert!(!text.contains("whsec_of"), "{text}");
    let (code, text) = setting.run("").await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("is there"), "{text}");
    assert_eq!(kept().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_platform_refuses_is_told_in_its_words_without_the_token() {
    let setting = Setting::of("bigcommerce", "a-secret-token").await;
    let router = Router::new().fallback(async || {
        (
            StatusCode::FORBIDDEN,
            axum::Json(json!({"title": "You don't have a required scope"})),
        )
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut command = setting.install.command(&format!(
        "connect bigcommerce --url {URL} --no-wait --account abc --interface {at}"
    ));
    command.env("AFTERCARE_CONNECT_TOKEN", "a-secret-token");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains("403: You don't have a required scope"),
        "{text}"
    );
    assert!(text.contains("the right token"), "{text}");
    assert!(!text.contains("a-secret-token"), "{text}");
    // A token goes to the platform it is for, and not in clear text.
    for (line, word) in [
        (
            format!("connect shopify --url {URL} --no-wait --account evil.example"),
            "myshopify.com",
        ),
        (
            format!("connect stripe --url {URL} --no-wait --interface http://a.example"),
            "clear text",
        ),
        (
            format!("connect zendesk --url {URL} --no-wait"),
            "not set up by its interface",
        ),
    ] {
        let mut command = setting.install.command(&line);
        command.env("AFTERCARE_CONNECT_TOKEN", "a-secret-token");
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{line}: {text}");
        assert!(text.contains(word), "{line}: {text}");
    }
}
