//! The shop's folder: read whole into paths and texts, and watched. The floors below get
//! texts and never paths that they could open.

use crate::config::{self, Config};
use crate::ingest::adapters::Mapping;
use crate::model::cores;
use crate::model::diagnostic::{Diagnostic, position};
use notify_debouncer_full::notify::{EventKind, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;

/// Largest file that is read, in bytes; a feed of a large shop fits.
pub const MAX_FILE: u64 = 64 << 20;
/// Largest file that people write, in bytes: all but feeds.
pub const MAX_WRITTEN: u64 = 4 << 20;
/// Largest sum of all files, in bytes.
pub const MAX_TOTAL: u64 = 256 << 20;
/// Most files of a shop.
pub const MAX_FILES: usize = 20_000;
/// Deepest nesting of folders.
pub const MAX_DEPTH: usize = 8;
/// How long files must lie still before a change is reported: editors write in several
/// steps, and half a set of files is no set.
pub const STILL: Duration = Duration::from_millis(300);

/// The folders of a shop that hold its files.
const FOLDERS: [&str; 2] = ["config", "templates"];
/// The service's own configuration.
const CONFIGURATION: &str = "config/aftercare.toml";
/// Endings of what is read; anything else (pictures, notes) is left alone.
const ENDINGS: [&str; 8] = ["toml", "json", "md", "mjml", "html", "hbs", "txt", "ftl"];

/// All files under `config/` and `templates/`, as paths under the shop's folder with `/`
/// between their parts, sorted, and what kept others from being read.
pub fn read(shop: &Path) -> (Vec<(String, String)>, Vec<Diagnostic>) {
    let mut reading = Reading::default();
    let root = match shop.canonicalize() {
        Ok(root) => root,
        Err(error) => {
            let problem = Diagnostic::new(
                "E107",
                shop.display().to_string(),
                0..0,
                format!("this folder cannot be read: {error}"),
            );
            return (Vec::new(), vec![problem]);
        }
    };
    for folder in FOLDERS {
        let path = root.join(folder);
        if path.is_dir() {
            // Where it really is, be it a link: what is in it must be inside the shop's.
            let path = path.canonicalize().unwrap_or(path);
            reading.folder(&root, &path, folder, 0);
        }
    }
    reading.read()
}

#[derive(Debug, Default)]
struct Reading {
    /// What is to be read, once all is found.
    found: Vec<Found>,
    problems: Vec<Diagnostic>,
    total: u64,
}

/// A file of the shop.
#[derive(Debug)]
struct Found {
    path: PathBuf,
    /// Under the shop's folder, with `/`.
    name: String,
    /// Largest that is read.
    most: u64,
}

impl Reading {
    fn problem(&mut self, path: &str, message: impl Into<String>) {
        self.problems
            .push(Diagnostic::new("E109", path, 0..0, message));
    }

    fn folder(&mut self, root: &Path, folder: &Path, name: &str, depth: usize) {
        if depth >= MAX_DEPTH {
            self.problem(
                name,
                format!("folders are nested more than {MAX_DEPTH} deep"),
            );
            return;
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                return self.problem(name, format!("this folder cannot be read: {error}"));
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.problem(name, format!("this folder cannot be read: {error}"));
                    continue;
                }
            };
            let Some(own) = entry.file_name().to_str().map(str::to_owned) else {
                self.problem(name, "the name of a file in here is not UTF-8");
                continue;
            };
            // What editors and systems leave lying about.
            if own.starts_with('.') || own.ends_with('~') || own.starts_with('#') {
                continue;
            }
            let name = format!("{name}/{own}");
            // What is no link is where its folder is, and that was looked at.
            let path = match entry.file_type() {
                Ok(sort) if !sort.is_symlink() => Ok((entry.path(), sort.is_dir())),
                _ => (entry.path().canonicalize()).map(|path| {
                    let is_folder = path.is_dir();
                    (path, is_folder)
                }),
            };
            let (path, is_folder) = match path {
                Ok(found) => found,
                Err(error) => {
                    self.problem(&name, format!("this cannot be read: {error}"));
                    continue;
                }
            };
            if !path.starts_with(root) {
                self.problem(&name, "this link leads out of the shop's folder");
            } else if is_folder {
                if is_read(&own) {
                    self.problems.push(
                        Diagnostic::new(
                            "E109",
                            name,
                            0..0,
                            "this is a folder, and a file belongs here",
                        )
                        .help("folders have names without an ending; what is in it is not read"),
                    );
                } else {
                    self.folder(root, &path, &name, depth + 1);
                }
            } else if is_read(&own) {
                self.file(&path, name);
            }
        }
    }

    fn file(&mut self, path: &Path, name: String) {
        if self.found.len() >= MAX_FILES {
            if self.found.len() == MAX_FILES {
                self.problem(&name, format!("a shop has {MAX_FILES} files at most"));
            }
            return;
        }
        let most = if name.ends_with(".json") {
            MAX_FILE
        } else {
            MAX_WRITTEN
        };
        let length = match fs::metadata(path) {
            Ok(about) if about.is_file() => about.len(),
            Ok(_) => return self.unreadable(&name, &no_file()),
            Err(error) => return self.unreadable(&name, &error),
        };
        if length > most {
            return self.too_large(&name, most);
        }
        self.total = self.total.saturating_add(length);
        if self.total > MAX_TOTAL {
            return self.problem(
                &name,
                format!("the files of this shop are over {} MiB", MAX_TOTAL >> 20),
            );
        }
        self.found.push(Found {
            path: path.to_owned(),
            name,
            most,
        });
    }

    fn unreadable(&mut self, name: &str, error: &std::io::Error) {
        self.problem(name, format!("this file cannot be read: {error}"));
    }

    fn too_large(&mut self, name: &str, most: u64) {
        self.problem(name, format!("this file is over {} MiB", most >> 20));
    }

    /// Reads what was found.
    fn read(mut self) -> (Vec<(String, String)>, Vec<Diagnostic>) {
        let found = std::mem::take(&mut self.found);
        let read = cores::each(&found, |file| bytes(&file.path, file.most));
        let mut files = Vec::with_capacity(found.len());
        for (file, read) in found.into_iter().zip(read) {
            let bytes = match read {
                Ok(Some(bytes)) => bytes,
                // It has grown since it was found.
                Ok(None) => {
                    self.too_large(&file.name, file.most);
                    continue;
                }
                Err(error) => {
                    self.unreadable(&file.name, &error);
                    continue;
                }
            };
            match text(bytes) {
                Ok(text) => files.push((file.name, text)),
                Err(bad) => self.problems.push(
                    Diagnostic::new("E109", file.name, bad.span, bad.why)
                        .help(bad.matters)
                        .help(bad.remedy),
                ),
            }
        }
        files.sort();
        (files, self.problems)
    }
}

/// Whether a file of this name is read.
fn is_read(name: &str) -> bool {
    ENDINGS
        .iter()
        .any(|ending| name.ends_with(&format!(".{ending}")))
}

/// Why bytes are no text.
struct NoText {
    why: String,
    /// Where, in the text that [`shown`] makes of them.
    span: std::ops::Range<usize>,
    matters: &'static str,
    remedy: &'static str,
}

/// The text of a file, without the mark that some editors put before it.
///
/// # Errors
/// Why it is none.
fn text(bytes: Vec<u8>) -> Result<String, NoText> {
    let encoding = |why: &str, span| NoText {
        why: why.to_owned(),
        span,
        matters: "another encoding would reach customers as \"GrÃ¼ÃŸe\"",
        remedy: "save the file as UTF-8",
    };
    if is_utf_16(&bytes) {
        return Err(NoText {
            remedy: "save the file as UTF-8 (\"Save with encoding\" in editors); PowerShell's `>` writes UTF-16, `Out-File -Encoding utf8` does not",
            ..encoding("this file is UTF-16, not UTF-8", 0..0)
        });
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let before = &error.as_bytes()[..at];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let bad = char::REPLACEMENT_CHARACTER.len_utf8();
            return Err(encoding(&format!("line {line} is not UTF-8"), at..at + bad));
        }
    };
    if let Some(at) = text.find('\0') {
        return Err(NoText {
            why: "a character that is no text (U+0000)".to_owned(),
            span: at..at + 1,
            matters: "mail programs cut a mail off there, or show a box",
            remedy: "take it out; editors show it as ^@ or ␀",
        });
    }
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// Whether bytes are text of two bytes a letter, with or without the mark that says so:
/// without it, every other byte of what people write in Latin letters, or at least of its
/// markup, is 0.
fn is_utf_16(bytes: &[u8]) -> bool {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return true;
    }
    let nothing = |first: usize| {
        let every_other = bytes.iter().skip(first).step_by(2);
        every_other.filter(|byte| **byte == 0).count()
    };
    let (even, odd) = (nothing(0), nothing(1));
    even.max(odd) >= 2
        && even.max(odd) > bytes.len() / UTF_16_SHARE
        && even.min(odd) * 8 < even.max(odd)
}

/// A file of which more than one byte in so many is 0, all at even or all at odd places,
/// is UTF-16.
const UTF_16_SHARE: usize = 16;

/// A file that is no text, as far as it can be shown: for the lines of its problems.
/// `None` where nothing of it can be read.
pub fn shown(shop: &Path, name: &str) -> Option<String> {
    let root = shop.canonicalize().ok()?;
    let path = root.join(name).canonicalize().ok()?;
    if !path.starts_with(&root) {
        return None;
    }
    let bytes = bytes(&path, MAX_WRITTEN).ok()??;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn no_file() -> std::io::Error {
    std::io::Error::other("it is no regular file")
}

/// The bytes of a regular file of at most `most`; never more is read.
fn bytes(path: &Path, most: u64) -> std::io::Result<Option<Vec<u8>>> {
    let about = fs::metadata(path)?;
    if !about.is_file() {
        return Err(no_file());
    }
    // With room to notice the end.
    let length = about.len().min(most).saturating_add(1);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    fs::File::open(path)?
        .take(most + 1)
        .read_to_end(&mut bytes)?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= most);
    Ok(fits.then_some(bytes))
}

/// A configuration that holds errors: the problems, and the file for showing them.
#[derive(Debug)]
pub struct BadConfig {
    /// Every problem found.
    pub problems: Vec<Diagnostic>,
    /// `config/aftercare.toml`, where there is one.
    pub files: Vec<(String, String)>,
}

/// One line a problem, each followed by its hints.
impl fmt::Display for BadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}", problem.file)?;
            if let Some((_, text)) = self.files.iter().find(|(path, _)| *path == problem.file) {
                let (line, column) = position(text, problem.span.start);
                write!(f, ":{line}:{column}")?;
            }
            write!(f, ": {}", problem.message)?;
            for help in &problem.help {
                write!(f, "\nhint: {help}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for BadConfig {}

impl Config {
    /// The configuration of a shop under the environment of this process.
    ///
    /// # Errors
    /// Every problem of it.
    pub fn load(shop: &Path) -> Result<Config, BadConfig> {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let (config, warnings) = configuration(shop, variables)?;
        for warning in warnings {
            tracing::warn!(code = warning.code, "{}", warning.message);
        }
        Ok(config)
    }
}

/// Reads `config/aftercare.toml` of a shop and lays `environment` over it.
///
/// # Errors
/// Every problem of the configuration; warnings beside no error are returned with it.
pub fn configuration(
    shop: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<(Config, Vec<Diagnostic>), BadConfig> {
    let path = shop.join(CONFIGURATION);
    let mut files = Vec::new();
    let read = match bytes(&path, MAX_WRITTEN) {
        Ok(Some(bytes)) => text(bytes).map(Some).map_err(|bad| bad.why),
        Ok(None) => Err(format!("this file is over {} MiB", MAX_WRITTEN >> 20)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("this file cannot be read: {error}")),
    };
    match read {
        Ok(text) => files.extend(text.map(|text| (CONFIGURATION.to_owned(), text))),
        Err(why) => {
            return Err(BadConfig {
                problems: vec![Diagnostic::new("E109", CONFIGURATION, 0..0, why)],
                files,
            });
        }
    }
    let file = files
        .first()
        .map(|(path, text)| (path.as_str(), text.as_str()));
    let open = |path: &Path| match bytes(path, MAX_WRITTEN) {
        Ok(Some(bytes)) => String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()),
        Ok(None) => Err("it is too large".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    match config::read(shop, file, environment, open) {
        (Some(config), mut problems) => {
            let before = problems.len();
            for source in &config.sources {
                if let Some((path, text)) = &source.mapping
                    && let Err(found) = Mapping::read(path, text)
                {
                    problems.extend(found);
                    files.push((path.clone(), text.clone()));
                }
            }
            if problems.len() > before {
                return Err(BadConfig { problems, files });
            }
            Ok((config, problems))
        }
        (None, problems) => Err(BadConfig { problems, files }),
    }
}

/// Tells that files of a shop changed. Dropped, it stops watching.
pub struct Changes {
    changed: mpsc::Receiver<()>,
    _watcher: Debouncer<notify_debouncer_full::notify::RecommendedWatcher, RecommendedCache>,
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Changes")
    }
}

impl Changes {
    /// Waits until something changed and lay still for [`STILL`]; false where nothing
    /// will ever be told again. Changes between two calls are told once.
    pub async fn changed(&mut self) -> bool {
        self.changed.recv().await.is_some()
    }
}

/// The system refuses to watch.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch {}", .path.display())]
pub struct WatchError {
    /// What was to be watched.
    pub path: PathBuf,
    /// Why not.
    pub source: notify_debouncer_full::notify::Error,
}

/// Watches the files of a shop.
///
/// # Errors
/// The system's, with what could not be watched.
pub fn watch(shop: &Path) -> Result<Changes, WatchError> {
    let refused = |path: &Path| {
        let path = path.to_owned();
        move |source| WatchError { path, source }
    };
    // One place is enough: a change that is not yet fetched stands for all since.
    let (tell, changed) = mpsc::channel(1);
    let told = move |events: DebounceEventResult| {
        let touched = match &events {
            Ok(events) => events
                .iter()
                .any(|event| !matches!(event.kind, EventKind::Access(_))),
            Err(_) => true,
        };
        if touched {
            // Full means that a change is already waiting to be fetched.
            let _ = tell.try_send(());
        }
    };
    let mut watcher = new_debouncer(STILL, None, told).map_err(refused(shop))?;
    for folder in FOLDERS {
        let path = shop.join(folder);
        if path.is_dir() {
            watcher
                .watch(&path, RecursiveMode::Recursive)
                .map_err(refused(&path))?;
        }
    }
    Ok(Changes {
        changed,
        _watcher: watcher,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn shop(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    #[test]
    fn files_are_paths_and_texts() {
        let shop = shop(&[
            ("config/store.toml", b"a"),
            ("config/sequences/x.toml", b"b"),
            ("templates/mail/x/y.en.md", "ü".as_bytes()),
            ("config/.swp.toml", b"no"),
            ("config/picture.png", &[0xff]),
            ("data/aftercare.toml", b"no"),
        ]);
        let (files, problems) = read(shop.path());
        let names: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            names,
            [
                "config/sequences/x.toml",
                "config/store.toml",
                "templates/mail/x/y.en.md"
            ]
        );
        assert_eq!(files[2].1, "ü");
        assert_eq!(problems, []);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let shop = shop(&[("config/bad.toml", b"a\n\xff"), ("config/good.toml", b"")]);
        let outside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), shop.path().join("config/away")).unwrap();
        std::os::unix::fs::symlink(shop.path().join("config"), shop.path().join("config/round"))
            .unwrap();
        let (files, problems) = read(shop.path());
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(files.iter().any(|(path, _)| path == "config/good.toml"));
        assert!(
            said.iter()
                .any(|s| s == "error[E109]: config/bad.toml: line 2 is not UTF-8"),
            "{said:?}"
        );
        assert!(
            said.iter()
                .any(|s| s == "error[E109]: config/away: this link leads out of the shop's folder")
        );
        assert!(said.iter().any(|s| s.contains("nested more than")));
    }

    #[test]
    fn what_editors_and_systems_leave_is_read_or_told() {
        let utf16: Vec<u8> = "\u{feff}a = 1"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let large = vec![b'#'; usize::try_from(MAX_WRITTEN).unwrap() + 1];
        let shop = shop(&[
            ("config/store.toml", "\u{feff}a = 1\r\n".as_bytes()),
            ("config/people.toml", &utf16),
            ("config/catalog.toml", &large),
            ("config/feed.json", &large),
            ("config/empty.toml", b""),
            ("config/sequences/x.toml/y.toml", b"a"),
        ]);
        std::os::unix::fs::symlink("/nowhere", shop.path().join("config/gone.toml")).unwrap();
        let (files, problems) = read(shop.path());
        let text = |path: &str| {
            let file = files.iter().find(|(had, _)| had == path);
            file.map(|(_, text)| text.as_str())
        };
        assert_eq!(text("config/store.toml"), Some("a = 1\r\n"));
        assert_eq!(text("config/empty.toml"), Some(""));
        assert!(text("config/feed.json").is_some());
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        for wanted in [
            "error[E109]: config/people.toml: this file is UTF-16, not UTF-8",
            "error[E109]: config/catalog.toml: this file is over 4 MiB",
            "error[E109]: config/sequences/x.toml: this is a folder, and a file belongs here",
        ] {
            assert!(
                said.iter().any(|said| said == wanted),
                "{wanted} in {said:#?}"
            );
        }
        assert!(
            said.iter()
                .any(|said| said.contains("config/gone.toml: this cannot be read"))
        );
        assert_eq!(said.len(), 4);
    }

    #[test]
    fn the_configuration_opens_secret_files() {
        let shop = shop(&[
            (
                "config/aftercare.toml",
                b"[intake.events]\nsecrets_file = \"keys\"\n",
            ),
            ("keys", b"# old\nwhsec_a\n\nwhsec_b\n"),
        ]);
        let (config, problems) = configuration(shop.path(), []).unwrap();
        assert_eq!(problems, []);
        let secrets = config.intake.unwrap().secrets;
        assert_eq!(
            secrets.iter().map(|s| s.reveal()).collect::<Vec<_>>(),
            ["whsec_a", "whsec_b"]
        );
        let bad = configuration(
            shop.path(),
            [("AFTERCARE_HTTP__LISTEN".to_owned(), "x".to_owned())],
        );
        assert_eq!(
            bad.unwrap_err().to_string(),
            "environment: `http.listen` wants an address and a port: \"127.0.0.1:8025\"
\
             hint: it comes from the variable AFTERCARE_HTTP__LISTEN"
        );
    }

    #[test]
    fn the_shop_of_the_repository_is_without_problems() {
        let shop = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (files, problems) = read(shop);
        assert_eq!(problems, []);
        let (catalog, problems) = crate::sequence::read(&files);
        assert_eq!(problems, []);
        assert!(catalog.is_some_and(|catalog| !catalog.sequences.is_empty()));
        assert!(configuration(shop, []).is_ok());
    }

    /// The file of a new shop shows every key, commented out; each must be one we read.
    #[test]
    fn every_key_that_the_file_shows_can_be_set() {
        let shop = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(shop.join(CONFIGURATION)).unwrap();
        let is_key = |line: &str| {
            line.split_once(" = ")
                .is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
                || line.starts_with('[')
        };
        let set: Vec<&str> = text
            .lines()
            .map(|line| {
                line.strip_prefix("# ")
                    .filter(|rest| is_key(rest))
                    .unwrap_or(line)
            })
            .collect();
        assert!(set.contains(&"start = 2026-03-01T00:00:00Z"));
        let (config, problems) =
            config::read(shop, Some((CONFIGURATION, &set.join("\n"))), [], |_| {
                Ok(String::new())
            });
        assert_eq!(problems, []);
        assert!(config.is_some_and(|config| config.intake.is_some() && config.clock.is_some()));
    }

    #[tokio::test]
    async fn a_change_is_told() {
        let shop = shop(&[("config/store.toml", b"a")]);
        let mut changes = watch(shop.path()).unwrap();
        fs::write(shop.path().join("config/store.toml"), "b").unwrap();
        assert!(changes.changed().await);
    }
}
