//! The capture mailbox: every mail becomes an `.eml` file in a folder and none leaves the machine.
//!
//! A mail is there whole or not at all: it is written beside, synced, and renamed into place. The name comes from the
//! mail's own Date and Message-ID, so nothing here reads a clock, and a mail captured twice makes two files: a double
//! must be seen, not hidden.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mail_parser::{Message, MessageParser};

use super::compose::Composed;
use super::delivery::{Delivery, Step, Trouble};
use super::smtp::Reply;

/// Most bytes of a file that the mailbox page reads. Larger ones are not ours.
pub const FILE_LIMIT: u64 = 16 * 1_024 * 1_024;
/// Most bytes read of each file for the list.
const HEADERS_LIMIT: u64 = 64 * 1_024;
/// Most copies of one mail that get a name.
const COPIES_LIMIT: u32 = 10_000;
/// Longest part of a file's name that comes from the Message-ID, in bytes.
const NAME_LIMIT: usize = 80;

/// A folder of captured mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    folder: PathBuf,
}

/// What the mailbox's list shows of one mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caught {
    /// Name of the file without `.eml`; also sorts by time.
    pub id: String,
    /// From, as `Name <address>`.
    pub from: String,
    /// To, as `Name <address>`.
    pub to: String,
    /// The subject, decoded.
    pub subject: String,
    /// The Date header, where there is one that makes sense.
    pub date: Option<Timestamp>,
}

/// One captured mail, taken apart for showing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// What the list shows.
    pub caught: Caught,
    /// The text part, decoded.
    pub text: Option<String>,
    /// The HTML part, decoded. It is somebody else's markup: show it in a sandbox.
    pub html: Option<String>,
    /// The file as it is.
    pub source: Vec<u8>,
}

impl Capture {
    /// Captures into `folder`, which is made when the first mail comes.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The newest mails, newest first, `limit` at most. Files that are not mails are passed over. Blocks on the disk.
    pub fn list(&self, limit: usize) -> io::Result<Vec<Caught>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            if let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".eml")) {
                ids.push(id.to_owned());
            }
        }
        ids.sort_unstable_by(|a, b| b.cmp(a));
        // A file that is gone or half-made by now is no reason to show nothing.
        let caught = ids.iter().filter_map(|id| self.summary(id).ok().flatten());
        Ok(caught.take(limit).collect())
    }

    fn summary(&self, id: &str) -> io::Result<Option<Caught>> {
        let Some(path) = self.path(id)? else {
            return Ok(None);
        };
        let mut start = Vec::new();
        File::open(path)?
            .take(HEADERS_LIMIT)
            .read_to_end(&mut start)?;
        let message = MessageParser::default().parse_headers(&start);
        Ok(message.map(|message| summary(id, &message)))
    }

    /// The file of one mail, if there is such a mail.
    fn path(&self, id: &str) -> io::Result<Option<PathBuf>> {
        if id.is_empty() || id.starts_with('.') || !id.bytes().all(is_plain) {
            return Ok(None);
        }
        let path = self.folder.join(format!("{id}.eml"));
        match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_file() && (1..=FILE_LIMIT).contains(&meta.len()) => Ok(Some(path)),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// One mail by its id; `None` where there is none. The id may come from a URL: it can't lead out of the folder.
    /// Blocks on the disk.
    pub fn read(&self, id: &str) -> io::Result<Option<Opened>> {
        let Some(path) = self.path(id)? else {
            return Ok(None);
        };
        let source = fs::read(path)?;
        let Some(message) = MessageParser::default().parse(&source) else {
            return Ok(None);
        };
        let opened = Opened {
            caught: summary(id, &message),
            text: message.body_text(0).map(|text| text.into_owned()),
            html: message
                .html_bodies()
                .next()
                .filter(|part| part.is_text_html())
                .and_then(|part| part.text_contents())
                .map(str::to_owned),
            source: Vec::new(),
        };
        Ok(Some(Opened { source, ..opened }))
    }

    /// Writes one mail; this is the capture mailbox's final dot.
    pub(super) async fn dot(&self, mail: Composed) -> Delivery {
        let folder = self.folder.clone();
        let written = tokio::task::spawn_blocking(move || write(&folder, &mail.eml())).await;
        let trouble = |cause: String| Trouble::Folder {
            folder: self.folder.display().to_string(),
            cause,
        };
        match written {
            Ok(Ok(id)) => Delivery::Accepted(Reply {
                code: 250,
                enhanced: Some((2, 0, 0)),
                text: format!("captured as {id}.eml"),
            }),
            Ok(Err(Failed::Before(error))) => Delivery::Unsent(trouble(error.to_string())),
            Ok(Err(Failed::After(error))) => Delivery::Uncertain(trouble(error.to_string())),
            Err(_) => Delivery::Uncertain(Trouble::Closed { step: Step::Dot }),
        }
    }
}

/// Whether the mail can be seen already.
enum Failed {
    /// It is not there.
    Before(io::Error),
    /// It is there and may not survive a power loss.
    After(io::Error),
}

fn write(folder: &Path, message: &[u8]) -> Result<String, Failed> {
    fs::create_dir_all(folder).map_err(Failed::Before)?;
    let (id, path) = reserve(folder, &stem(message)).map_err(Failed::Before)?;
    let beside = folder.join(format!(".{id}.part"));
    let placed = File::create(&beside)
        .and_then(|mut file| file.write_all(message).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, &path));
    if let Err(error) = placed {
        // What is left behind is an empty reservation, which the list passes over.
        let _ = fs::remove_file(&beside);
        let _ = fs::remove_file(&path);
        return Err(Failed::Before(error));
    }
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(Failed::After)?;
    Ok(id)
}

/// Takes a name that nobody has: an empty file, which the finished mail then replaces.
fn reserve(folder: &Path, stem: &str) -> io::Result<(String, PathBuf)> {
    for copy in 1..=COPIES_LIMIT {
        let id = match copy {
            1 => stem.to_owned(),
            n => format!("{stem}.{n}"),
        };
        let path = folder.join(format!("{id}.eml"));
        match File::create_new(&path) {
            Ok(_) => return Ok((id, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other(format!(
        "there are {COPIES_LIMIT} copies of {stem} already"
    )))
}

/// `20260301T093000Z-k3jd9s`: when and which.
fn stem(message: &[u8]) -> String {
    let parsed = MessageParser::default().parse_headers(message);
    let (date, id) = match &parsed {
        Some(message) => (date(message), message.message_id().unwrap_or("unnamed")),
        None => (None, "unnamed"),
    };
    let when = match date {
        Some(date) => date
            .to_zoned(TimeZone::UTC)
            .strftime("%Y%m%dT%H%M%SZ")
            .to_string(),
        None => "undated".to_owned(),
    };
    let id: String = id
        .split('@')
        .next()
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(NAME_LIMIT)
        .collect();
    format!("{when}-{id}")
}

fn is_plain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')
}

fn summary(id: &str, message: &Message<'_>) -> Caught {
    let who = |addresses: Option<&mail_parser::Address<'_>>| {
        addresses
            .and_then(|list| list.first())
            .map_or_else(String::new, |one| {
                let address = one.address().unwrap_or_default();
                match one.name() {
                    Some(name) => format!("{name} <{address}>"),
                    None => address.to_owned(),
                }
            })
    };
    Caught {
        id: id.to_owned(),
        from: who(message.from()),
        to: who(message.to()),
        subject: message.subject().unwrap_or_default().to_owned(),
        date: date(message),
    }
}

fn date(message: &Message<'_>) -> Option<Timestamp> {
    Timestamp::from_second(message.date()?.to_timestamp()).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::compose::tests::letter;
    use super::*;

    #[tokio::test]
    async fn keeps_mails_and_shows_them() {
        let folder = tempfile::tempdir().unwrap();
        let capture = Capture::new(folder.path().join("data/mailbox"));
        assert_eq!(capture.list(10).unwrap(), []);
        let mut letter = letter("a..b@docomo.ne.jp");
        letter.subject = "ご注文ありがとうございます".to_owned();
        let mail = letter.compose().unwrap();
        let Delivery::Accepted(reply) = capture.dot(mail.clone()).await else {
            panic!("not accepted");
        };
        assert_eq!(
            reply.to_string(),
            "250 2.0.0 captured as 20260301T093000Z-k3jd9s.eml"
        );
        // A second time is a second file.
        assert!(matches!(
            capture.dot(mail.clone()).await,
            Delivery::Accepted(_)
        ));
        let list = capture.list(10).unwrap();
        let ids: Vec<&str> = list.iter().map(|caught| caught.id.as_str()).collect();
        assert_eq!(
            ids,
            ["20260301T093000Z-k3jd9s.2", "20260301T093000Z-k3jd9s"]
        );
        let opened = capture.read(ids[1]).unwrap().unwrap();
        assert_eq!(opened.caught.subject, letter.subject);
        assert_eq!(opened.caught.date, Some(letter.date));
        assert_eq!(
            opened.caught.from,
            "Mara at Lens & Bean <mara@shop.example>"
        );
        assert!(
            opened.caught.to.starts_with("Ann Example <"),
            "{}",
            opened.caught.to
        );
        assert_eq!(opened.source, mail.eml());
        assert!(opened.html.unwrap().starts_with("<p>Hello <b>Ann</b></p>"));
        assert!(opened.text.unwrap().starts_with("Hello Ann"));
    }

    #[tokio::test]
    async fn can_not_be_led_out_of_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret.eml"), "Subject: x\r\n\r\ny").unwrap();
        let capture = Capture::new(folder.path().join("mailbox"));
        fs::create_dir(capture.folder()).unwrap();
        for id in ["../secret", "..", "", ".x", "a/b", "a\\b", "a\0b"] {
            assert_eq!(capture.read(id).unwrap(), None, "{id:?}");
        }
        #[cfg(unix)]
        {
            let link = capture.folder().join("link.eml");
            std::os::unix::fs::symlink(folder.path().join("secret.eml"), link).unwrap();
            assert_eq!(capture.read("link").unwrap(), None);
        }
        // Half-made and foreign files are no mails.
        fs::write(capture.folder().join("empty.eml"), "").unwrap();
        fs::write(capture.folder().join("notes.txt"), "x").unwrap();
        assert_eq!(capture.list(10).unwrap(), []);
    }

    #[tokio::test]
    async fn says_when_it_can_not_write() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let capture = Capture::new(folder.path().join("file/mailbox"));
        let mail = letter("ann@example.com").compose().unwrap();
        assert!(matches!(
            capture.dot(mail).await,
            Delivery::Unsent(Trouble::Folder { .. })
        ));
    }
}
