//! The public keys of a platform that signs with a private one, as it publishes them:
//! fetched when the service starts, and again when a delivery names a key that nobody
//! knows, at most every [`EVERY`]. They are fetched from the one host that configuration
//! names and from no other. What was fetched last lies on disk, so that a start without
//! network is no start without keys; keys of a configured file count always.
//!
//! Whoever names keys that do not exist makes us ask the platform once a minute, and waits
//! with few others for that; nobody else does.

use crate::client::{Ask, Auth, Client, ClientError, Limits};
use crate::ingest::adapters::PublicKeys;
use arc_swap::ArcSwap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

/// How often an unknown key makes us ask, at most.
pub const EVERY: Duration = Duration::from_secs(60);
/// Deliveries that wait for one answer; more are refused at once.
const MAX_WAITING: usize = 16;
/// What one answer may cost. Deliveries wait for it, and platforms do not wait for long.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(3),
    answer: Duration::from_secs(4),
    body: 64 * 1024,
};

/// The keys of one source.
#[derive(Debug)]
pub struct Ring {
    source: String,
    client: Client,
    path: String,
    /// Where those that were fetched last are kept.
    file: PathBuf,
    /// Those of the configured file.
    given: PublicKeys,
    /// All that count now.
    keys: ArcSwap<PublicKeys>,
    /// How often they were fetched.
    fetched: AtomicU64,
    waiting: AtomicUsize,
    /// When an unknown key last made us ask.
    asked: Mutex<Option<Instant>>,
}

/// Why there are no keys from there.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("it answers {0}")]
    Status(u16),
    #[error("its answer holds no RSA keys")]
    NoKeys,
}

impl Ring {
    /// A ring with those keys that are given, and those that were fetched before.
    ///
    /// # Errors
    /// The address cannot be asked.
    pub fn new(
        source: &str,
        url: &str,
        given: PublicKeys,
        data_dir: &Path,
    ) -> Result<Ring, ClientError> {
        let bad = || ClientError::Base {
            because: "it is no web address",
        };
        let mut base = Url::parse(url).map_err(|_| bad())?;
        let path = match base.query() {
            Some(query) => format!("{}?{query}", base.path()),
            None => base.path().to_owned(),
        };
        base.set_path("");
        base.set_query(None);
        let client = Client::new(base.as_str().trim_end_matches('/'), Auth::None)?;
        let file = data_dir.join("keys").join(format!("{source}.jwks"));
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        // Nothing was fetched yet, or the file is torn: then it is fetched again.
        let kept = PublicKeys::read(&kept).unwrap_or_default();
        Ok(Ring {
            source: source.to_owned(),
            client: client.with_limits(LIMITS),
            path,
            file,
            keys: ArcSwap::from_pointee(kept.and(&given)),
            given,
            fetched: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            asked: Mutex::new(None),
        })
    }

    /// Those that count now.
    pub fn keys(&self) -> Arc<PublicKeys> {
        self.keys.load_full()
    }

    /// Fetches them when the service starts. What was there stays where that fails.
    pub async fn start(&self) {
        match self.fetch().await {
            Ok(()) => tracing::info!(source = self.source, "public keys were fetched"),
            Err(error) => tracing::warn!(
                source = self.source,
                host = self.client.host(),
                %error,
                known = !self.keys().is_empty(),
                "public keys could not be fetched: those that are known go on counting, and it is tried again when an unknown one comes"
            ),
        }
    }

    /// Fetches them because a delivery names a key that is not among them. Whether there
    /// are other keys now than when this was called.
    pub async fn refresh(&self) -> bool {
        let before = self.fetched.load(Ordering::Acquire);
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= MAX_WAITING {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            return false;
        }
        let changed = self.asked_for(before).await;
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        changed
    }

    async fn asked_for(&self, before: u64) -> bool {
        let mut asked = self.asked.lock().await;
        if self.fetched.load(Ordering::Acquire) != before {
            // Somebody else asked while we waited.
            return true;
        }
        if asked.is_some_and(|at| at.elapsed() < EVERY) {
            return false;
        }
        *asked = Some(Instant::now());
        match self.fetch().await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(
                    source = self.source,
                    host = self.client.host(),
                    %error,
                    "a delivery is signed with a key that is not known, and new ones could not be fetched"
                );
                false
            }
        }
    }

    async fn fetch(&self) -> Result<(), Trouble> {
        let answer = self.client.send(Ask::get(self.path.as_str())).await?;
        if !answer.is_fine() {
            return Err(Trouble::Status(answer.status()));
        }
        let text = String::from_utf8_lossy(answer.body());
        let new = PublicKeys::read(&text).map_err(|_| Trouble::NoKeys)?;
        self.keys.store(Arc::new(new.and(&self.given)));
        self.fetched.fetch_add(1, Ordering::AcqRel);
        if let Err(error) = self.keep(&text) {
            tracing::warn!(source = self.source, %error, "public keys could not be kept on disk");
        }
        Ok(())
    }

    fn keep(&self, text: &str) -> std::io::Result<()> {
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let beside = self.file.with_extension("new");
        std::fs::write(&beside, text)?;
        std::fs::rename(&beside, &self.file)
    }
}
