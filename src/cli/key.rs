//! Key files: 32 random bytes that live outside the database. The arming key is what a
//! copied or restored database lacks, so that it only observes (M5).

use super::exit::{misuse, out_of_reach};
use super::private;
use crate::store::Store;
use anyhow::Context as _;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Under which key the database remembers the arming key's SHA-256.
const ARMED_BY: &str = "arming_key_sha256";
/// Bytes of a key.
const KEY: usize = 32;

/// Whether this install may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arming {
    /// Key and database belong together.
    Armed,
    /// They do not: it observes, and this is why.
    Observing(String),
}

/// Reads a key, `None` where there is no file.
///
/// # Errors
/// The file cannot be read, or is no key.
pub fn read(path: &Path) -> anyhow::Result<Option<[u8; KEY]>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read the key {}", path.display()));
        }
    };
    let mut bytes = Vec::with_capacity(KEY + 1);
    (&mut file).take(KEY as u64 + 1).read_to_end(&mut bytes)?;
    let length = bytes.len();
    let key = bytes.try_into().map_err(|_| {
        misuse(format!(
            "{}: expected a key of {KEY} bytes, found {}{length}",
            path.display(),
            if length > KEY { "more than " } else { "" }
        ))
    })?;
    Ok(Some(key))
}

/// Makes a key of random bytes, readable by its owner alone, in place of any that was
/// there. It is on disk when this returns.
///
/// # Errors
/// The folder or file cannot be written.
pub fn make(path: &Path) -> anyhow::Result<[u8; KEY]> {
    let mut key = [0; KEY];
    getrandom::fill(&mut key).map_err(|_| out_of_reach("the system gives no random numbers"))?;
    private::write(path, &key)?;
    Ok(key)
}

/// Whether this install may send. An empty database is armed on the spot, with the key
/// that lies there or with a new one: so whatever writes first makes an install of it.
///
/// # Errors
/// The key cannot be read or written; the store's.
pub async fn arming(store: &Store, path: &Path) -> anyhow::Result<Arming> {
    let known = store.meta(ARMED_BY).await?;
    let key = read(path)?;
    let because = match (known, key) {
        (Some(known), Some(key)) if known == digest(&key) => return Ok(Arming::Armed),
        (None, key) if is_empty(store).await? => {
            let key = match key {
                Some(key) => key,
                None => make(path)?,
            };
            store.set_meta(ARMED_BY, &digest(&key)).await?;
            return Ok(Arming::Armed);
        }
        (_, None) => format!("its key {} is not there", path.display()),
        (_, Some(_)) => format!("the key {} is not the one of this database", path.display()),
    };
    Ok(Arming::Observing(because))
}

/// The same without making anything, for `doctor`.
///
/// # Errors
/// The key cannot be read; the store's.
pub async fn look(store: &Store, path: &Path) -> anyhow::Result<Arming> {
    let known = store.meta(ARMED_BY).await?;
    Ok(match (known, read(path)?) {
        (Some(known), Some(key)) if known == digest(&key) => Arming::Armed,
        (None, _) => Arming::Observing("this database was never armed".into()),
        (Some(_), None) => Arming::Observing(format!("its key {} is not there", path.display())),
        (Some(_), Some(_)) => Arming::Observing(format!(
            "the key {} is not the one of this database",
            path.display()
        )),
    })
}

/// Gives the database a new key.
///
/// # Errors
/// The key cannot be written; the store's.
pub async fn arm(store: &Store, path: &Path) -> anyhow::Result<()> {
    let key = make(path)?;
    store.set_meta(ARMED_BY, &digest(&key)).await?;
    Ok(())
}

async fn is_empty(store: &Store) -> anyhow::Result<bool> {
    let counts = store.counts().await?;
    Ok(counts.events == 0 && counts.people == 0)
}

fn digest(key: &[u8; KEY]) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(key);
    digest
        .iter()
        .fold(String::with_capacity(2 * KEY), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_private_bytes_and_never_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/arming.key");
        assert_eq!(read(&path).unwrap(), None);
        let first = make(&path).unwrap();
        assert_eq!(read(&path).unwrap(), Some(first));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        assert_ne!(make(&path).unwrap(), first);
        std::fs::write(&path, b"short").unwrap();
        assert!(read(&path).is_err());
    }
}
