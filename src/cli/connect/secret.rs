//! Secrets: ours are made and kept in a file that its owner alone may read; theirs are
//! put into such a file by whoever copies them. Tokens of interfaces come by file or by
//! environment, and are kept nowhere.

use super::Args;
use crate::cli::context::Shop;
use crate::cli::exit::{misuse, out_of_reach};
use crate::cli::private;
use crate::config::{self, Secret};
use crate::ingest::setup::{Hidden, Setup};
use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::fs;
use std::path::{Path, PathBuf};

/// Random bytes of a secret of ours: twice what anybody could guess.
const LENGTH: usize = 32;
/// The folder of secrets, in the data folder.
const FOLDER: &str = "secrets";
/// The variable that holds a token of an interface.
pub const TOKEN_VARIABLE: &str = "AFTERCARE_CONNECT_TOKEN";
/// The largest file with a token, in bytes.
const MAX_TOKEN: u64 = 16 * 1024;

/// Where the secrets of a source are kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// On disk.
    pub path: PathBuf,
    /// As the configuration names it: in the shop's folder where it is there.
    pub shown: String,
    /// What is good as a secret now.
    pub secrets: Vec<Secret>,
    /// Whether the configuration gives secrets from elsewhere; then the file is not ours.
    pub elsewhere: bool,
    /// What the first lines of the file say.
    about: String,
}

/// Finds the secrets of a source, or makes one where the platform takes ours; an empty
/// file to paste into where it takes theirs. What is there is left as it is.
///
/// # Errors
/// The file cannot be read or written.
pub fn keep(
    shop: &Shop,
    setup: &Setup,
    name: &str,
    known: Option<&config::Source>,
    dry_run: bool,
) -> anyhow::Result<Kept> {
    let path = shop.config.data_dir.join(FOLDER).join(name);
    let shown = path.strip_prefix(&shop.folder).unwrap_or(&path);
    let mut kept = Kept {
        shown: shown.display().to_string(),
        about: about(setup, name),
        path,
        secrets: Vec::new(),
        elsewhere: false,
    };
    if let Some(text) = read(&kept.path)? {
        kept.secrets = secrets(&text);
        tighten(&kept.path)?;
    }
    if let Some(known) = known.filter(|known| !known.secrets.is_empty()) {
        kept.elsewhere = !known
            .secrets
            .iter()
            .any(|secret| kept.secrets.contains(secret));
        kept.secrets = known.secrets.clone();
        return Ok(kept);
    }
    if dry_run || !kept.secrets.is_empty() {
        return Ok(kept);
    }
    if setup.secret.is_ours() {
        kept.add(make(setup.secret)?)?;
    } else if !kept.path.exists() {
        kept.save()?;
    }
    Ok(kept)
}

impl Kept {
    /// Puts one more secret into the file. It is on disk when this returns.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, secret: Secret) -> anyhow::Result<()> {
        if !self.secrets.contains(&secret) {
            self.secrets.push(secret);
            let surplus = self
                .secrets
                .len()
                .saturating_sub(config::MAX_SOURCE_SECRETS);
            self.secrets.drain(..surplus);
        }
        self.save()
    }

    fn save(&self) -> anyhow::Result<()> {
        let mut text = self.about.clone();
        for secret in &self.secrets {
            text.push_str(secret.reveal());
            text.push('\n');
        }
        private::write(&self.path, text.as_bytes())
    }
}

fn about(setup: &Setup, name: &str) -> String {
    let what = if setup.secret.is_ours() {
        format!(
            "# The secret of intake.sources.{name}. It goes into {}.\n",
            setup.place
        )
    } else {
        format!(
            "# The secret of intake.sources.{name}, below this on a line of its own. It is {}.\n",
            setup.place
        )
    };
    format!("{what}# One a line; two while one replaces the other.\n")
}

fn secrets(text: &str) -> Vec<Secret> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(Secret::new)
        .collect()
}

fn make(hidden: Hidden) -> anyhow::Result<Secret> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|_| out_of_reach("the system gives no random numbers"))?;
    Ok(Secret::new(match hidden {
        Hidden::Standard => format!("whsec_{}", STANDARD.encode(bytes)),
        _ => URL_SAFE_NO_PAD.encode(bytes),
    }))
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(misuse(format!("{}: {error}", path.display()))),
    }
}

/// Nobody but its owner may read it.
#[cfg(unix)]
fn tighten(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let told = || format!("cannot keep others from reading {}", path.display());
    let mode = fs::metadata(path).with_context(told)?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).with_context(told)?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn tighten(_: &Path) -> anyhow::Result<()> {
    Ok(())
}

/// The token of the platform's interface, where one is given.
///
/// # Errors
/// Its file cannot be read, or is empty.
pub fn token(args: &Args) -> anyhow::Result<Option<Secret>> {
    let (from, text) = match &args.token_file {
        Some(path) => {
            let wrong = |error: &dyn std::fmt::Display| {
                misuse(format!("--token-file {}: {error}", path.display()))
            };
            let size = fs::metadata(path).map_err(|error| wrong(&error))?.len();
            if size > MAX_TOKEN {
                return Err(wrong(&"it is too large for a token"));
            }
            let text = fs::read_to_string(path).map_err(|error| wrong(&error))?;
            (format!("--token-file {}", path.display()), text)
        }
        None => match std::env::var(TOKEN_VARIABLE) {
            Ok(text) => (TOKEN_VARIABLE.to_owned(), text),
            Err(_) => return Ok(None),
        },
    };
    match secrets(&text).into_iter().next() {
        Some(token) => Ok(Some(token)),
        None => Err(misuse(format!("{from}: expected a token, found nothing"))),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::ingest::adapters::SharedSecret;
    use crate::ingest::signature;

    #[test]
    fn what_is_made_is_good_as_a_secret_and_never_twice_the_same() {
        let one = make(Hidden::Ours).unwrap();
        assert_ne!(one, make(Hidden::Ours).unwrap());
        assert!(SharedSecret::new(one.reveal()).is_ok());
        let standard = make(Hidden::Standard).unwrap();
        assert!(signature::Secret::parse(standard.reveal()).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_of_secrets_is_its_owners_alone_and_keeps_what_it_had() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let mut kept = Kept {
            path: folder.path().join("secrets/shop"),
            shown: String::new(),
            secrets: Vec::new(),
            elsewhere: false,
            about: "# about\n".to_owned(),
        };
        kept.add(Secret::new("first-secret")).unwrap();
        kept.add(Secret::new("second-secret")).unwrap();
        kept.add(Secret::new("second-secret")).unwrap();
        let text = fs::read_to_string(&kept.path).unwrap();
        assert_eq!(text, "# about\nfirst-secret\nsecond-secret\n");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&kept.path), 0o600);
        fs::set_permissions(&kept.path, fs::Permissions::from_mode(0o644)).unwrap();
        tighten(&kept.path).unwrap();
        assert_eq!(mode(&kept.path), 0o600);
        assert_eq!(secrets(&text).len(), 2);
    }
}
