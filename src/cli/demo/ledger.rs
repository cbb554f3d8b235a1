//! What became of things: the ledger, as `aftercare sends --json` prints it, and the
//! mails in the capture mailbox, which are the independent witness.

use super::service::{ServiceError, Setup};
use crate::model::time::Timestamp;
use mail_parser::{HeaderValue, MessageParser};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::Path;

/// One line of `sends --json` or `simulate --json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Row {
    pub message_id: Option<String>,
    pub email: Option<String>,
    pub order: Option<String>,
    pub sequence: String,
    pub step: String,
    #[serde(default)]
    pub occurrence: Option<String>,
    pub locale: String,
    pub state: String,
    pub zone: String,
    pub at: Option<Timestamp>,
    pub reason: Option<String>,
    pub because: Option<String>,
}

impl Row {
    /// What it is, whoever says so.
    pub fn key(&self) -> [String; 5] {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        [
            text(&self.email),
            text(&self.order),
            self.sequence.clone(),
            self.step.clone(),
            text(&self.occurrence),
        ]
    }

    /// `sequence/step`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.sequence, self.step)
    }

    /// Whether nothing but evidence can still change it.
    pub fn is_final(&self) -> bool {
        !matches!(self.state.as_str(), "planned" | "queued" | "sending" | "held" | "uncertain")
    }
}

/// The whole ledger.
///
/// # Errors
/// The command's.
pub async fn sends(setup: &Setup) -> Result<Vec<Row>, ServiceError> {
    Ok(rows(&setup.output(&["sends", "--json"]).await?))
}

/// What `simulate` makes of a file of events.
///
/// # Errors
/// The command's.
pub async fn simulate(
    setup: &Setup,
    events: &Path,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Row>, ServiceError> {
    let (events, from, to) = (events.to_string_lossy(), from.to_string(), to.to_string());
    let arguments = ["simulate", "--events", &events, "--from", &from, "--to", &to, "--json"];
    Ok(rows(&setup.output(&arguments).await?))
}

fn rows(text: &str) -> Vec<Row> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The mails in the mailbox, read as they come.
#[derive(Debug, Default)]
pub struct Mailbox {
    seen: HashSet<String>,
    /// By Message-ID; one has several where it was captured more than once.
    pub mails: BTreeMap<String, Vec<Mail>>,
}

/// What the demo wants to know of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub subject: String,
    /// The address in List-Unsubscribe.
    pub unsubscribe: Option<String>,
}

impl Mailbox {
    /// Reads what has come since the last look.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn look(&mut self, folder: &Path) -> io::Result<()> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.ends_with(".eml") || name.starts_with('.') || self.seen.contains(&name) {
                continue;
            }
            // A name without a mail is a reservation: the mail replaces it when it is whole.
            let Some((id, mail)) = read(&fs::read(entry.path())?) else { continue };
            self.seen.insert(name);
            self.mails.entry(id).or_default().push(mail);
        }
        Ok(())
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// The newest mail with this Message-ID.
    pub fn mail(&self, id: &str) -> Option<&Mail> {
        self.mails.get(id)?.last()
    }
}

fn read(source: &[u8]) -> Option<(String, Mail)> {
    let message = MessageParser::default().parse_headers(source)?;
    let id = message.message_id()?.to_owned();
    let subject = message.subject().unwrap_or_default().to_owned();
    let unsubscribe = match message.header("List-Unsubscribe") {
        Some(HeaderValue::Text(text)) => Some(text.trim_matches(['<', '>']).to_owned()),
        Some(HeaderValue::Address(all)) => {
            all.first().and_then(|one| one.address()).map(str::to_owned)
        }
        _ => None,
    };
    Some((id, Mail { subject, unsubscribe }))
}

/// What the ledger and the mailbox say of each other.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Sends that the ledger holds for accepted.
    pub accepted: usize,
    /// Mails that are there more than once although nobody was in doubt about them.
    pub doubles: Vec<String>,
    /// Mails that are there twice because a kill left it open whether they had gone out.
    pub resent: Vec<String>,
    /// Accepted by the ledger, and not in the mailbox.
    pub lost: Vec<String>,
    /// In the mailbox, and not known to the ledger as sent or in doubt.
    pub unknown: Vec<String>,
    /// In doubt for good.
    pub doubtful: usize,
    /// Not decided yet, or held.
    pub open: usize,
    /// The same mail owed twice.
    pub repeated: usize,
}

/// Holds the ledger against the mailbox.
pub fn audit(ledger: &[Row], mailbox: &Mailbox) -> Audit {
    let mut audit = Audit::default();
    let mut keys = BTreeSet::new();
    let mut sent = BTreeSet::new();
    for row in ledger {
        if !keys.insert(row.key()) {
            audit.repeated += 1;
        }
        let id = row.message_id.clone().unwrap_or_default();
        match row.state.as_str() {
            "accepted" => {
                audit.accepted += 1;
                let copies = mailbox.mails.get(&id).map_or(0, Vec::len);
                match copies {
                    0 => audit.lost.push(id.clone()),
                    1 => {}
                    _ if row.reason.as_deref() == Some("resent_after_uncertain") => audit.resent.push(id.clone()),
                    _ => audit.doubles.push(id.clone()),
                }
                sent.insert(id);
            }
            "unknown" | "uncertain" => {
                audit.doubtful += 1;
                sent.insert(id);
            }
            _ if row.is_final() => {}
            _ => audit.open += 1,
        }
    }
    audit.unknown = mailbox.mails.keys().filter(|id| !sent.contains(*id)).cloned().collect();
    audit
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn row(id: &str, state: &str, reason: Option<&str>) -> Row {
        serde_json::from_value(serde_json::json!({
            "message_id": id, "email": id, "order": "1", "sequence": "a", "step": "b", "occurrence": "",
            "locale": "en", "state": state, "zone": "UTC", "at": null, "reason": reason, "because": null,
        }))
        .unwrap()
    }

    fn mailbox(ids: &[&str]) -> Mailbox {
        let mut mailbox = Mailbox::default();
        for id in ids {
            let mail = Mail { subject: String::new(), unsubscribe: None };
            mailbox.mails.entry((*id).to_owned()).or_default().push(mail);
        }
        mailbox
    }

    #[test]
    fn doubles_and_losses_are_seen() {
        let ledger = [
            row("once", "accepted", None),
            row("twice", "accepted", None),
            row("again", "accepted", Some("resent_after_uncertain")),
            row("gone", "accepted", None),
            row("doubt", "unknown", Some("uncertain_on_hold")),
            row("no", "skipped", Some("late")),
        ];
        let audit = audit(&ledger, &mailbox(&["once", "twice", "twice", "again", "again", "doubt", "no"]));
        assert_eq!(audit.accepted, 4);
        assert_eq!(audit.doubles, ["twice"]);
        assert_eq!(audit.resent, ["again"]);
        assert_eq!(audit.lost, ["gone"]);
        assert_eq!(audit.unknown, ["no"]);
        assert_eq!((audit.doubtful, audit.open, audit.repeated), (1, 0, 0));
    }

    #[test]
    fn the_link_of_a_mail_is_found() {
        let mail = b"Message-ID: <a@b.example>\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n\
            List-Unsubscribe: <http://127.0.0.1:8025/u/abc>\r\n\r\nx\r\n";
        let (id, mail) = read(mail).unwrap();
        assert_eq!(id, "a@b.example");
        assert_eq!(mail.subject, "café");
        assert_eq!(mail.unsubscribe.as_deref(), Some("http://127.0.0.1:8025/u/abc"));
    }
}
