//! The real program, killed with -9 in the middle of a poll, again and again: every order
//! is taken in once, and none is lost.

use super::mock::{Fault, Mock};
use super::*;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// How often it is killed.
const KILLS: usize = 4;
/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

struct Install {
    folder: tempfile::TempDir,
    base: String,
}

impl Install {
    fn new(base: &str) -> Install {
        let folder = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for part in ["config", "templates"] {
            copy(&root.join(part), &folder.path().join(part));
        }
        Install {
            folder,
            base: base.to_owned(),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aftercare"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AFTERCARE_") {
                command.env_remove(name);
            }
        }
        let source = |key: &str| format!("AFTERCARE_INTAKE__SOURCES__SHOPIFY__{key}");
        command
            .args(arguments)
            .arg("--shop")
            .arg(self.folder.path())
            .env("AFTERCARE_DATA_DIR", self.folder.path().join("data"))
            .env("AFTERCARE_SMTP__URL", "capture")
            .env("AFTERCARE_HTTP__LISTEN", "127.0.0.1:0")
            .env(source("API_URL"), &self.base)
            .env(source("API_TOKEN"), "token-of-the-shop")
            .env(source("UNSIGNED"), "true")
            .env(source("SOURCE"), "/shopify/shop.example")
            .stdin(Stdio::null());
        command
    }

    fn serve(&self) -> Child {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        self.command(&["serve"])
            .env("AFTERCARE_LOG", "trace")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

async fn until(what: &str, mut look: impl FnMut() -> bool) {
    let began = Instant::now();
    while !look() {
        assert!(began.elapsed() < PATIENCE, "this did not come true: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_that_is_killed_loses_nothing() {
    let mock = Mock::start().await;
    let at = |id: u64| {
        let now = Timestamp::now();
        (now - jiff::SignedDuration::from_mins(300 - 10 * id as i64)).to_string()
    };
    {
        let mut world = mock.world();
        world.orders = (1..=24)
            .map(|id| {
                let mut order = fixture("shopify/orders_create.json");
                order["id"] = id.into();
                order["name"] = format!("#{id}").into();
                order["updated_at"] = at(id).into();
                order
            })
            .collect();
        world.per_page = 3;
    }
    let install = Install::new(&mock.base);
    for kill in 0..KILLS {
        // Each life gets a page further, and dies with the next question open.
        mock.go_wrong(match kill {
            0 => vec![Fault::None, Fault::Hang],
            1 => vec![Fault::None, Fault::None, Fault::Hang],
            _ => vec![Fault::None, Fault::Hang],
        });
        let mut service = install.serve();
        until("the next question", || mock.world().faults.is_empty()).await;
        service.kill().unwrap();
        service.wait().unwrap();
    }
    let mut service = install.serve();
    let done = || {
        let told = install.run(&["doctor", "events"]);
        told.contains("last asked to the end at")
    };
    until("a whole round", done).await;
    service.kill().unwrap();
    service.wait().unwrap();
    let told = install.run(&["events", "tail", "--json", "--lines", "1000"]);
    for id in 1..=24 {
        for fact in ["placed", "paid"] {
            let name = format!("\"order/{id}/{fact}\"");
            assert_eq!(told.matches(&name).count(), 1, "{name} in\n{told}");
        }
    }
    let log = std::fs::read_to_string(install.folder.path().join("log")).unwrap();
    assert!(
        !log.contains("token-of-the-shop"),
        "the token is in the log"
    );
}
