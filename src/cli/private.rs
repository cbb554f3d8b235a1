//! Files that their owner alone may read: keys and secrets.

use anyhow::Context as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

/// Writes a file that its owner alone may read, whole or not at all, in place of any that
/// was there. It is on disk when this returns.
///
/// # Errors
/// The folder or file cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let told = || format!("cannot write {}", path.display());
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder).with_context(told)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside).with_context(told)?;
    file.write_all(bytes).with_context(told)?;
    file.sync_all().with_context(told)?;
    fs::rename(&beside, path).with_context(told)?;
    if let Some(folder) = folder
        && let Ok(folder) = File::open(folder)
    {
        // Not every file system can sync a folder.
        let _ = folder.sync_all();
    }
    Ok(())
}
