//! The live engine, stepped by hand: a fresh SQLite file, a clock that stands still
//! until it is set, a relay in memory. It never sleeps.

use aftercare::clock::Clock;
use aftercare::config::Config;
use aftercare::engine::mailer::Mailer;
use aftercare::engine::{Engine, reload::Live};
use aftercare::links::Links;
use aftercare::mail::{Memory, Transport};
use aftercare::model::event::Event;
use aftercare::model::send::Send;
use aftercare::model::time::Timestamp;
use aftercare::store::{Access, Incoming, SendFilter, Store};
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The configuration of a shop that says nothing.
pub fn defaults(folder: &Path) -> Config {
    let open = |_: &Path| Err("no such file".to_owned());
    let (config, problems) = aftercare::config::read(folder, None, [], open);
    config.unwrap_or_else(|| panic!("{problems:?}"))
}

pub struct Harness {
    pub engine: Arc<Engine>,
    pub memory: Memory,
    _folder: tempfile::TempDir,
}

impl Harness {
    pub async fn new(live: Live, now: Timestamp) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let store = Store::open(&url, Access::Owner).await.expect("a store");
        let secret = store.root_secret().await.expect("a secret");
        let memory = Memory::new();
        let links = Links::new(&secret, "test", "http://127.0.0.1:8025");
        let engine = Engine::new(
            store,
            Transport::Memory(memory.clone()),
            Clock::manual(now),
            defaults(folder.path()),
            links,
            live,
        );
        Harness {
            engine: Arc::new(engine),
            memory,
            _folder: folder,
        }
    }

    /// Takes one event in at its recorded instant, after everything due before it.
    pub async fn arrive(&self, event: Event) {
        let before = event
            .recorded
            .checked_sub(jiff::SignedDuration::from_millis(1))
            .expect("in range");
        self.run_to(before).await;
        self.engine.clock.set(event.recorded);
        self.accept(event).await;
        self.settle().await;
    }

    pub async fn accept(&self, event: Event) {
        let incoming = Incoming {
            event,
            transport: None,
        };
        self.engine
            .accept(vec![incoming], Vec::new())
            .await
            .expect("accepted");
    }

    /// Plans and sends until nothing is due at this instant.
    pub async fn settle(&self) {
        loop {
            let planned = self.engine.plan_due().await.expect("planned");
            let mailer = Mailer::start(Arc::clone(&self.engine), 2, &CancellationToken::new());
            let mut sent = 0;
            loop {
                let claimed = mailer.deliver_due().await.expect("delivered");
                sent += claimed;
                if claimed == 0 {
                    break;
                }
            }
            mailer.finish().await;
            if planned == 0 && sent == 0 {
                return;
            }
        }
    }

    /// Plans, claims and renders what is due, lets `meanwhile` happen before any dot, and
    /// then finishes. Wants a runtime of one thread: connections run only at the end.
    pub async fn between_claim_and_dot(&self, meanwhile: impl AsyncFnOnce(&Self)) {
        while self.engine.plan_due().await.expect("planned") > 0 {}
        let stop = CancellationToken::new();
        let mailer = Mailer::start(Arc::clone(&self.engine), 1, &stop);
        // The one connection is not open before the first mail is offered to it.
        let claimed = mailer.deliver_due().await.expect("delivered");
        assert!(claimed > 0, "nothing was due");
        meanwhile(self).await;
        mailer.finish().await;
    }

    /// Lets time pass until `until`, stopping wherever something is due.
    pub async fn run_to(&self, until: Timestamp) {
        self.settle().await;
        while let Some(next) = self.engine.store.next_due().await.expect("a look") {
            if next > until {
                break;
            }
            self.engine.clock.set(next);
            self.settle().await;
        }
        self.engine.clock.set(until);
    }

    /// The whole ledger.
    pub async fn ledger(&self) -> Vec<Send> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = self
                .engine
                .store
                .sends(&SendFilter::default(), after, 500)
                .await
                .expect("the ledger");
            let page: Vec<Send> = page
                .into_iter()
                .map(|row| row.expect("a row that parses").2)
                .collect();
            let Some(last) = page.last() else { return all };
            after = Some(last.id);
            all.extend(page);
        }
    }
}
