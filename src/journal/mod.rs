//! An append-only journal for what must not be lost while the database is busy or away: a
//! folder of files, each written and locked by one process.
//!
//! [`Journal::append`] returns once the record is on disk; many who wait share one `fsync`.
//! [`Journal::read`] gives the oldest records and removes nothing; [`Journal::remove`] does,
//! once whoever read them has kept them elsewhere. A crash between the two gives the same
//! records again. Files that a dead process left (their lock is free) are taken over by
//! whoever looks first, and never appended to.
//!
//! It knows nothing of what the records say. It must never say that a record is kept before
//! it is on disk, never remove one that was not asked to be, and never grow beyond its
//! bounds.

mod file;
mod frame;
#[cfg(test)]
mod tests;

pub use frame::Record;

use file::Segment;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Records that share one `fsync` at most.
const GROUP: usize = 512;
/// Bytes that share one `fsync` at most, one record apart.
const GROUP_BYTES: usize = 8 << 20;
/// Records that may wait for the disk before whoever appends does.
const WAITING: usize = 1024;
/// What the names of our files end with.
const ENDING: &str = "journal";
/// What a file is called from then on in which bytes went bad.
const DAMAGED: &str = "damaged";

/// How much a journal may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of all files that this process has; a record beyond them is refused.
    pub most: u64,
    /// Bytes after which a new file is begun, so that what was read can go.
    pub segment: u64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            most: 1 << 30,
            segment: 16 << 20,
        }
    }
}

/// Why a record was not kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// It holds as much as it may.
    #[error("the journal holds {most} bytes, which is all it may")]
    Full {
        /// The bound.
        most: u64,
    },
    /// The file system would not have it.
    #[error("the journal cannot be written")]
    Io(#[source] Arc<std::io::Error>),
    /// The journal is closed.
    #[error("the journal is closed")]
    Closed,
}

impl From<std::io::Error> for JournalError {
    fn from(error: std::io::Error) -> JournalError {
        JournalError::Io(Arc::new(error))
    }
}

/// What a journal holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    pub records: u64,
    pub bytes: u64,
    /// When the oldest of them came, or a little before, in ms since 1970.
    pub oldest: Option<i64>,
    /// Files in which bytes went bad; they are kept for a human.
    pub damaged: u64,
}

/// Some of the oldest records, and how to have them removed.
#[derive(Debug, Default)]
pub struct Batch {
    pub records: Vec<Record>,
    /// Where they end; nothing where there was nothing.
    upto: Option<Upto>,
}

#[derive(Debug, Clone)]
struct Upto {
    path: PathBuf,
    place: u64,
    records: u64,
    at: Option<i64>,
}

impl Batch {
    /// Whether the journal gave nothing at all.
    pub fn is_empty(&self) -> bool {
        self.upto.is_none()
    }
}

/// A journal; clones share it.
#[derive(Debug, Clone)]
pub struct Journal {
    shared: Arc<Shared>,
    to: mpsc::Sender<Append>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    bounds: Bounds,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Oldest first; the last one may still be written to.
    files: VecDeque<Segment>,
    /// While records are on their way into the last file.
    writing: bool,
}

impl State {
    fn place_of(&self, path: &Path) -> Option<usize> {
        self.files.iter().position(|file| file.path == path)
    }

    /// Whether records are on their way into that file now.
    fn may_grow(&self, at: usize) -> bool {
        let file = &self.files[at];
        self.writing && file.own && !file.sealed && at + 1 == self.files.len()
    }
}

#[derive(Debug)]
struct Append {
    at: i64,
    framed: Vec<u8>,
    answer: oneshot::Sender<Result<(), JournalError>>,
}

impl Journal {
    /// Opens the journal in a folder, and takes over what dead processes left there. Makes
    /// nothing before the first record.
    ///
    /// # Errors
    /// The folder is there and cannot be read, or no thread can be started.
    pub fn open(folder: &Path, bounds: Bounds) -> Result<Journal, JournalError> {
        let shared = Arc::new(Shared {
            folder: folder.to_owned(),
            bounds,
            state: Mutex::default(),
        });
        let (to, from) = mpsc::channel(WAITING);
        let writing = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write_all(&writing, from))?;
        let journal = Journal { shared, to };
        journal.adopt()?;
        Ok(journal)
    }

    /// Keeps a record that came at `at` (ms since 1970); on disk when it returns.
    ///
    /// # Errors
    /// It is not kept.
    pub async fn append(&self, at: i64, record: &[u8]) -> Result<(), JournalError> {
        let framed = frame::frame(at, record).ok_or(JournalError::Full {
            most: u64::from(u32::MAX),
        })?;
        let (answer, kept) = oneshot::channel();
        let append = Append { at, framed, answer };
        self.to
            .send(append)
            .await
            .map_err(|_| JournalError::Closed)?;
        kept.await.map_err(|_| JournalError::Closed)?
    }

    /// Takes over the files whose writers are dead; gives how many.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn adopt(&self) -> Result<usize, JournalError> {
        let left = {
            let state = self.shared.state();
            let known = |path: &Path| state.files.iter().any(|file| file.path == path);
            file::left(&self.shared.folder, known)?
        };
        let count = left.len();
        let mut state = self.shared.state();
        for one in left.into_iter().rev() {
            state.files.push_front(one);
        }
        Ok(count)
    }

    /// Whether it holds records that another process took in.
    pub fn has_adopted(&self) -> bool {
        self.shared.state().files.iter().any(|file| !file.own)
    }

    /// What it holds.
    pub fn held(&self) -> Held {
        let state = self.shared.state();
        let mut held = Held::default();
        for file in &state.files {
            held.records += file.records;
            held.bytes += file.length.saturating_sub(file.read);
            held.oldest = held.oldest.or(file.oldest.filter(|_| file.records > 0));
        }
        held
    }

    /// The oldest records, so many and so many bytes at most (one record apart). They stay.
    ///
    /// # Errors
    /// A file cannot be read.
    pub async fn read(&self, records: usize, bytes: usize) -> Result<Batch, JournalError> {
        let shared = Arc::clone(&self.shared);
        let reading = tokio::task::spawn_blocking(move || shared.read(records, bytes));
        reading.await.map_err(|_| JournalError::Closed)?
    }

    /// Forgets records that were read and are kept elsewhere.
    ///
    /// # Errors
    /// Their file cannot be removed; they will be given again after a restart.
    pub async fn remove(&self, batch: Batch) -> Result<(), JournalError> {
        let Some(upto) = batch.upto else {
            return Ok(());
        };
        let shared = Arc::clone(&self.shared);
        let removing = tokio::task::spawn_blocking(move || shared.remove(&upto));
        removing.await.map_err(|_| JournalError::Closed)?
    }
}

/// What all files in a folder hold, whoever writes them: for who looks from outside.
///
/// # Errors
/// The folder is there and cannot be read.
pub fn look(folder: &Path) -> Result<Held, JournalError> {
    Ok(file::look(folder)?)
}

impl Shared {
    /// A panic of another thread leaves no half-done state: each change is one assignment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, records: usize, bytes: usize) -> Result<Batch, JournalError> {
        let Some((path, from, to, own)) = self.oldest()? else {
            return Ok(Batch::default());
        };
        let found = file::read(&path, from, to, records, bytes)?;
        if found.damaged {
            tracing::error!(
                file = %path.display(),
                "bytes of the journal went bad; what can be read of it is used, and the file is kept"
            );
            let mut state = self.state();
            if let Some(at) = state.place_of(&path) {
                state.files[at].damaged = true;
            }
        } else if found.torn && !own {
            tracing::warn!(
                file = %path.display(),
                "the journal ends in the midst of a record, which was acknowledged to nobody"
            );
        }
        let upto = Upto {
            path,
            place: found.place,
            records: found.records.len() as u64,
            at: found.records.last().map(|record| record.at),
        };
        Ok(Batch {
            records: found.records,
            upto: Some(upto),
        })
    }

    /// The file in which the oldest records are, from where on and up to where; those in
    /// which none are left are put away on the way.
    fn oldest(&self) -> Result<Option<(PathBuf, u64, u64, bool)>, JournalError> {
        loop {
            let mut state = self.state();
            let Some(first) = state.files.front() else {
                return Ok(None);
            };
            if first.read < first.length || !first.own {
                let place = (first.path.clone(), first.read, first.length, first.own);
                return Ok(Some(place));
            }
            if state.may_grow(0) {
                return Ok(None);
            }
            let done = state.files.pop_front();
            drop(state);
            if let Some(done) = done {
                done.dispose()?;
            }
        }
    }

    fn remove(&self, upto: &Upto) -> Result<(), JournalError> {
        let mut state = self.state();
        let Some(at) = state.place_of(&upto.path) else {
            return Ok(());
        };
        let file = &mut state.files[at];
        file.read = upto.place.max(file.read);
        file.records = file.records.saturating_sub(upto.records);
        file.oldest = upto.at.or(file.oldest);
        if file.read < file.length || state.may_grow(at) {
            return Ok(());
        }
        // Taken out first: what cannot be removed is not read over and over.
        let done = state.files.remove(at);
        drop(state);
        Ok(done.map_or(Ok(()), Segment::dispose)?)
    }

    /// The last file, where it may be written to, else a new one. Marks it as written to.
    fn begin(&self, at: i64) -> Result<(std::fs::File, u64), JournalError> {
        let mut state = self.state();
        let room =
            |file: &&mut Segment| file.own && !file.sealed && file.length < self.bounds.segment;
        if let Some(last) = state.files.back_mut().filter(room) {
            let file = last.file.try_clone()?;
            let length = last.length;
            state.writing = true;
            return Ok((file, length));
        }
        drop(state);
        let made = Segment::make(&self.folder, at)?;
        let file = made.file.try_clone()?;
        let mut state = self.state();
        state.files.push_back(made);
        state.writing = true;
        Ok((file, 0))
    }

    /// Notes what became of the records that were on their way into the last file.
    fn end(&self, written: Option<(&[Append], u64)>) {
        let mut state = self.state();
        state.writing = false;
        let Some(last) = state.files.back_mut() else {
            return;
        };
        match written {
            Some((group, bytes)) => {
                if last.records == 0 {
                    last.oldest = group.first().map(|one| one.at);
                }
                last.records += group.len() as u64;
                last.length += bytes;
            }
            // Nobody knows what stands behind its end: nothing is ever put there.
            None => {
                last.sealed = true;
                if let Err(error) = last.file.set_len(last.length) {
                    tracing::warn!(%error, "the journal's torn end could not be cut; it is passed over");
                }
            }
        }
    }
}

/// The thread that writes: takes all that wait, writes them as one, and answers once they
/// are on disk.
fn write_all(shared: &Shared, mut from: mpsc::Receiver<Append>) {
    while let Some(first) = from.blocking_recv() {
        let mut bytes = first.framed.len();
        let mut group = vec![first];
        while group.len() < GROUP && bytes < GROUP_BYTES {
            let Ok(next) = from.try_recv() else { break };
            bytes += next.framed.len();
            group.push(next);
        }
        let group = turn_away(shared, group);
        if group.is_empty() {
            continue;
        }
        let outcome = write(shared, &group);
        for one in group {
            // Who went away will send it again, which is harmless.
            let _ = one.answer.send(outcome.clone());
        }
    }
}

/// Refuses what does not fit any more; gives what does.
fn turn_away(shared: &Shared, group: Vec<Append>) -> Vec<Append> {
    let most = shared.bounds.most;
    let mut held: u64 = shared.state().files.iter().map(|file| file.length).sum();
    let mut fits = Vec::with_capacity(group.len());
    for one in group {
        let bytes = one.framed.len() as u64;
        if held + bytes > most {
            let _ = one.answer.send(Err(JournalError::Full { most }));
        } else {
            held += bytes;
            fits.push(one);
        }
    }
    fits
}

fn write(shared: &Shared, group: &[Append]) -> Result<(), JournalError> {
    let at = group.first().map_or(0, |one| one.at);
    let (mut file, place) = shared.begin(at)?;
    let whole: Vec<u8> = group
        .iter()
        .flat_map(|one| one.framed.iter().copied())
        .collect();
    match file::put(&mut file, place, &whole) {
        Ok(()) => {
            shared.end(Some((group, whole.len() as u64)));
            Ok(())
        }
        Err(error) => {
            shared.end(None);
            Err(error.into())
        }
    }
}
