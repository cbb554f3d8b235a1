//! More than can be stored at once: what goes into the journal and comes out of it, and
//! who is told to come back.

use super::*;
use aftercare::engine::spill::{Because, Spill};
use aftercare::ingest::adapters::{SharedSecret, Source};
use aftercare::journal::Bounds;
use aftercare::model::platform::Platform;
use aftercare::store::Counts;
use aftercare::web::Hook;
use aftercare::web::admission::Pace;
use sqlx::{Connection, SqliteConnection};

const SECRET: &str = "test-secret-overload";
const TYPE: (&str, &str) = ("content-type", "application/cloudevents+json");

/// A service with a journal, whose database can be taken from it.
struct Busy {
    engine: Arc<Engine>,
    router: Router,
    settings: Settings,
    spill: Arc<Spill>,
    folder: TempDir,
}

/// Long enough for any commit, on any machine.
const PATIENT: Duration = Duration::from_secs(60);

impl Busy {
    async fn open(settings: Settings, bounds: Bounds) -> Busy {
        let (engine, folder) = engine(true).await;
        let spill = Arc::new(Spill::open(folder.path(), bounds).unwrap());
        let settings = Settings {
            spill: Some(Arc::clone(&spill)),
            spill_after: Duration::from_millis(20),
            ..settings
        };
        Busy {
            router: router(Arc::clone(&engine), settings.clone()),
            settings,
            engine,
            spill,
            folder,
        }
    }

    /// From now on a delivery waits for its commit however long that takes.
    fn be_patient(&mut self) {
        self.settings.spill_after = PATIENT;
        self.router = router(Arc::clone(&self.engine), self.settings.clone());
    }

    async fn usual() -> Busy {
        Busy::open(hooks(), Bounds::default()).await
    }

    /// Holds the write lock of the database as long as it lives.
    async fn lock(&self) -> SqliteConnection {
        let path = self.folder.path().join("test.db");
        let url = format!("sqlite:{}", path.display());
        let mut other = SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE")
            .execute(&mut other)
            .await
            .unwrap();
        other
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let request = request(Method::POST, path, headers, body.to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    async fn event(&self, id: &str) -> Answer {
        self.post("/events", &[TYPE], &order_placed(id)).await
    }

    /// As that platform would send it.
    async fn hook(&self, platform: Platform, body: &str) -> Answer {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let tag = mac.finalize().into_bytes();
        let (name, value) = match platform {
            Platform::AfterShip => ("aftership-hmac-sha256", STANDARD.encode(tag)),
            _ => ("x-wc-webhook-signature", STANDARD.encode(tag)),
        };
        let headers = [
            ("content-type", "application/json"),
            ("x-wc-webhook-topic", "order.created"),
            (name, value.as_str()),
        ];
        let path = format!("/hooks/{platform}");
        self.post(&path, &headers, body).await
    }

    async fn counts(&self) -> Counts {
        self.engine.counts().await.unwrap()
    }

    /// Everything that the journal holds is stored; how many deliveries.
    async fn drain(&self) -> usize {
        let mut all = 0;
        loop {
            match self.spill.drain_some(&self.engine).await.unwrap() {
                0 => return all,
                some => all += some,
            }
        }
    }
}

/// `/events`, and two platforms: one that never comes again and one that does.
fn hooks() -> Settings {
    let hook = |platform: Platform| {
        let mut source = Source::new(platform.as_str(), platform);
        source.secrets = vec![SharedSecret::new(SECRET).unwrap()];
        (platform.as_str().to_owned(), Hook::of(source))
    };
    Settings {
        intake: Some(Intake::unsigned()),
        hooks: [Platform::WooCommerce, Platform::AfterShip]
            .map(hook)
            .into(),
        ..Settings::default()
    }
}

#[tokio::test]
async fn what_a_locked_database_cannot_take_is_kept_and_stored_once_it_can() {
    let mut service = Busy::usual().await;
    let before = service.counts().await;
    let lock = service.lock().await;
    for id in ["order/A/placed", "order/B/placed", "order/A/placed"] {
        let answer = service.event(id).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        assert_eq!(
            answer.body,
            r#"{"accepted":1,"duplicate":0,"quarantined":0,"journal":true}"#
        );
    }
    // What cannot be read is kept as well.
    let answer = service.hook(Platform::WooCommerce, "{").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    assert!(answer.body.contains("\"journal\":true"), "{}", answer.body);
    let state = service.spill.state();
    assert!(state.takes);
    assert_eq!(state.held.records, 4);
    assert!(state.held.oldest.is_some());
    drop(lock);
    assert_eq!(service.drain().await, 4);
    let after = service.counts().await;
    assert_eq!(after.events, before.events + 2);
    assert_eq!(after.quarantined, before.quarantined + 1);
    assert_eq!(service.spill.state().held.records, 0);
    service.be_patient();
    // Now it goes straight into the database, which knows them.
    let answer = service.event("order/A/placed").await;
    assert_eq!(
        answer.body,
        r#"{"accepted":0,"duplicate":1,"quarantined":0}"#
    );
}

#[tokio::test]
async fn a_source_that_waits_in_the_journal_keeps_its_order_and_others_go_straight_in() {
    let mut service = Busy::usual().await;
    let lock = service.lock().await;
    service.event("order/A/placed").await;
    drop(lock);
    service.be_patient();
    let behind = service.event("order/B/placed").await;
    assert!(behind.body.contains("journal"), "{}", behind.body);
    let other = service.hook(Platform::AfterShip, "{").await;
    assert!(!other.body.contains("journal"), "{}", other.body);
    assert_eq!(service.drain().await, 2);
    let straight = service.event("order/C/placed").await;
    assert!(!straight.body.contains("journal"), "{}", straight.body);
}

#[tokio::test]
async fn a_crash_between_storing_and_removing_stores_nothing_twice() {
    let service = Busy::usual().await;
    let lock = service.lock().await;
    service.event("order/A/placed").await;
    service.hook(Platform::WooCommerce, "{").await;
    // What another process finds after a crash: the files as they are now.
    let left = tempfile::tempdir().unwrap();
    let spilled = left.path().join("spill");
    std::fs::create_dir(&spilled).unwrap();
    for entry in std::fs::read_dir(service.folder.path().join("spill")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, spilled.join(path.file_name().unwrap())).unwrap();
    }
    drop(lock);
    assert_eq!(service.drain().await, 2);
    let stored = service.counts().await;
    let next = Spill::open(left.path(), Bounds::default()).unwrap();
    assert!(next.before("/events").is_some(), "what is left goes first");
    assert_eq!(next.drain_some(&service.engine).await.unwrap(), 2);
    assert_eq!(next.drain_some(&service.engine).await.unwrap(), 0);
    assert_eq!(next.before("/events"), None);
    assert_eq!(service.counts().await, stored);
    assert_eq!(std::fs::read_dir(&spilled).unwrap().count(), 0);
}

#[tokio::test]
async fn while_the_database_is_away_the_service_is_ready_and_says_so() {
    let service = Busy::usual().await;
    service.engine.store.clone().close().await;
    let kept = service.event("order/A/placed").await;
    assert_eq!(kept.status, StatusCode::ACCEPTED, "{}", kept.body);
    assert!(service.spill.drain_some(&service.engine).await.is_err());
    assert!(service.spill.state().away);
    // Nobody tries the database any more, whichever the source.
    let other = service.hook(Platform::AfterShip, "{").await;
    assert!(other.body.contains("journal"), "{}", other.body);
    let request = request(Method::GET, "/readyz", &[], "");
    let response = service.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let told: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(told["checks"]["database"]["state"], "degraded", "{told}");
    assert_eq!(told["checks"]["journal"]["state"], "degraded", "{told}");
    let because = told["checks"]["journal"]["because"].as_str().unwrap();
    assert!(
        because.starts_with("what waits for the database: 2, "),
        "{because}"
    );
}

/// Who asked once need not ask again.
#[tokio::test]
async fn an_opt_out_that_cannot_be_stored_now_is_kept_and_counts_once() {
    let mut service = Busy::usual().await;
    let (known, made_up) = tokens(&service.engine).await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let opt_out = async |service: &Busy, token: &str| {
        service
            .post(&format!("/u/{token}"), &form, "List-Unsubscribe=One-Click")
            .await
    };
    let before = state(&service.engine).await;
    let lock = service.lock().await;
    for (token, records) in [(&known, 1), (&made_up, 1), (&known, 2)] {
        let answer = opt_out(&service, token).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(service.spill.state().held.records, records);
    }
    drop(lock);
    assert_eq!(service.drain().await, 2);
    let kept = state(&service.engine).await;
    assert_ne!(kept, before, "it is recorded");
    // The clock stands still, so that the same was asked for thrice: now it is known.
    service.be_patient();
    opt_out(&service, &known).await;
    assert_eq!(state(&service.engine).await, kept);
    // Away altogether.
    service.engine.store.clone().close().await;
    let answer = opt_out(&service, &known).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(service.spill.state().held.records, 1);
}

/// A broken row keeps nothing else back, and nobody is told that they are done.
#[tokio::test]
async fn an_opt_out_of_a_mail_that_cannot_be_read_is_a_matter_of_its_own() {
    let mut service = Busy::usual().await;
    let (known, _) = tokens(&service.engine).await;
    let before = service.counts().await;
    let asked = service.engine.asked(&known, None).unwrap();
    let kept = service.spill.keep_opt_out(&asked, Because::Away).await;
    kept.unwrap();
    let mut lock = service.lock().await;
    service.event("order/B/placed").await;
    for sql in ["UPDATE sends SET detail = '{'", "COMMIT"] {
        sqlx::raw_sql(sql).execute(&mut lock).await.unwrap();
    }
    assert_eq!(service.drain().await, 2);
    let after = service.counts().await;
    assert_eq!(after.events, before.events + 1);
    assert_eq!(after.quarantined, before.quarantined + 1);
    service.be_patient();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let path = format!("/u/{known}");
    let answer = service.post(&path, &form, "scope=all").await;
    assert!(answer.status.is_server_error(), "{}", answer.body);
    assert!(!service.spill.state().away);
    assert_eq!(service.spill.state().held.records, 0);
}

#[tokio::test]
async fn an_opt_out_that_cannot_be_kept_either_is_not_confirmed() {
    let bounds = Bounds {
        most: 64,
        ..Bounds::default()
    };
    let service = Busy::open(hooks(), bounds).await;
    let (known, _) = tokens(&service.engine).await;
    service.engine.store.clone().close().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = service
        .post(&format!("/u/{known}"), &form, "scope=all")
        .await;
    assert_eq!(
        answer.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn a_full_journal_refuses_as_if_there_were_none() {
    let bounds = Bounds {
        most: 64,
        ..Bounds::default()
    };
    let mut service = Busy::open(hooks(), bounds).await;
    let before = service.counts().await;
    let lock = service.lock().await;
    let refused = service.event("order/A/placed").await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.header("retry-after"), "5");
    assert!(!service.spill.state().takes);
    drop(lock);
    assert_eq!(service.drain().await, 0);
    service.be_patient();
    // The write that was given up may have happened all the same; its sender comes again.
    let again = service.event("order/A/placed").await;
    assert_eq!(again.status, StatusCode::ACCEPTED, "{}", again.body);
    assert_eq!(service.counts().await.events, before.events + 1);
}

#[tokio::test]
async fn who_comes_again_is_told_when_and_who_does_not_is_kept() {
    let mut settings = hooks();
    let pace = Pace { rate: 1, burst: 2 };
    for hook in settings.hooks.values_mut() {
        hook.pace = pace;
    }
    settings.intake = Some(Intake {
        pace: Some(pace),
        ..Intake::unsigned()
    });
    let mut service = Busy::open(settings, Bounds::default()).await;
    service.be_patient();
    let deliver = async |what: &str, n: usize| match what {
        "/events" => service.event(&format!("order/{n}/placed")).await,
        "aftership" => service.hook(Platform::AfterShip, &format!("{n}{{")).await,
        _ => service.hook(Platform::WooCommerce, &format!("{n}{{")).await,
    };
    for (what, expected) in [
        ("/events", StatusCode::TOO_MANY_REQUESTS),
        ("aftership", StatusCode::TOO_MANY_REQUESTS),
        ("woocommerce", StatusCode::ACCEPTED),
    ] {
        let mut last = deliver(what, 0).await;
        assert_eq!(last.status, StatusCode::ACCEPTED, "{what}: {}", last.body);
        // The burst is over within a few, however fast this machine is.
        for n in 1..50 {
            last = deliver(what, n).await;
            if last.status != StatusCode::ACCEPTED || last.body.contains("journal") {
                break;
            }
        }
        assert_eq!(last.status, expected, "{what}: {}", last.body);
        let journal = last.body.contains("journal");
        assert_eq!(journal, expected == StatusCode::ACCEPTED, "{what}");
        let retry = last.header("retry-after");
        assert_eq!(retry.is_empty(), journal, "{what}");
    }
}

#[tokio::test]
async fn more_than_can_be_committed_at_once_goes_into_the_journal() {
    let settings = Settings {
        in_flight: 0,
        ..hooks()
    };
    let service = Busy::open(settings, Bounds::default()).await;
    let answer = service.event("order/A/placed").await;
    assert!(answer.body.contains("journal"), "{}", answer.body);
    assert_eq!(service.drain().await, 1);
}

/// One source fills its own part and the common half; another's next delivery comes in
/// all the same.
#[tokio::test]
async fn who_floods_keeps_no_other_out() {
    use tokio::task::JoinSet;
    let settings = Settings {
        // Two for each of three sources, and six for whoever comes first.
        in_flight: 12,
        ..hooks()
    };
    let mut service = Busy::open(settings, Bounds::default()).await;
    service.settings.spill = None;
    service.be_patient();
    let service = Arc::new(service);
    let lock = service.lock().await;
    let mut flood = JoinSet::new();
    for n in 0..9 {
        let service = Arc::clone(&service);
        flood.spawn(async move { service.event(&format!("order/{n}/placed")).await });
    }
    // Eight wait for the database; the ninth finds no place.
    let refused = flood.join_next().await.unwrap().unwrap();
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.header("retry-after"), "2", "{}", refused.body);
    let other = {
        let service = Arc::clone(&service);
        tokio::spawn(async move { service.hook(Platform::AfterShip, "{").await })
    };
    // It is among those that wait: nothing answers it while the database is locked.
    tokio::task::yield_now().await;
    assert!(!other.is_finished());
    drop(lock);
    let other = other.await.unwrap();
    assert_eq!(other.status, StatusCode::ACCEPTED, "{}", other.body);
    while let Some(one) = flood.join_next().await {
        assert_eq!(one.unwrap().status, StatusCode::ACCEPTED);
    }
}

#[tokio::test]
async fn a_body_that_finds_no_room_is_refused_before_it_is_held() {
    let settings = Settings {
        bytes_in_flight: 32 * 4096,
        ..with(Intake::unsigned())
    };
    let doors = Doors::open(settings).await;
    let event = order_placed("order/A/placed");
    let padded = format!("{event}{}", " ".repeat(200_000));
    let refused = doors.post("/events", &[TYPE], &padded).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.header("retry-after"), "2");
    let taken = doors.post("/events", &[TYPE], &event).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{}", taken.body);
}

/// A record of a later release is no delivery that we can store, and is not lost either.
#[tokio::test]
async fn what_a_later_release_kept_goes_to_quarantine_whole() {
    let service = Busy::usual().await;
    let journal =
        aftercare::journal::Journal::open(&service.folder.path().join("spill"), Bounds::default())
            .unwrap();
    let text = r#"{"form":2,"door":"shop","parcels":["of another kind"]}"#;
    journal.append(1, text.as_bytes()).await.unwrap();
    let left = tempfile::tempdir().unwrap();
    let spilled = left.path().join("spill");
    std::fs::create_dir(&spilled).unwrap();
    for entry in std::fs::read_dir(service.folder.path().join("spill")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, spilled.join(path.file_name().unwrap())).unwrap();
    }
    let spill = Spill::open(left.path(), Bounds::default()).unwrap();
    assert_eq!(spill.drain_some(&service.engine).await.unwrap(), 1);
    let kept = service.engine.store.quarantined(0, 10).await.unwrap();
    assert_eq!(kept[0].reason, "spill_unreadable");
    assert_eq!(kept[0].body, text);
}
