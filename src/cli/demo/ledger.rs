//! What became of things: the ledger, as `aftercare sends --json` prints it, and the
//! mails in the capture mailbox, which are the independent witness.

use super::service::{ServiceError, Setup};
use crate::cli::context::Open;
use crate::cli::row::Row;
use crate::cli::sends;
use crate::model::time::Timestamp;
use crate::store::SendFilter;
use mail_parser::{HeaderValue, MessageParser};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::Path;

/// What a send is, whoever says so: address, order, sequence, step, occurrence.
pub type Key = [String; 5];

/// The key of a line of the ledger.
pub fn key(row: &Row) -> Key {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    [
        text(&row.email),
        text(&row.order),
        row.sequence.clone(),
        row.step.clone(),
        text(&row.occurrence),
    ]
}

/// Whether nothing but evidence can still change a send in this state.
pub fn is_final(state: &str) -> bool {
    !matches!(
        state,
        "planned" | "queued" | "sending" | "held" | "uncertain"
    )
}

/// Whether a mail in this state went out, or may have.
pub fn may_be_out(state: &str) -> bool {
    matches!(state, "accepted" | "unknown" | "uncertain")
}

/// The whole ledger, as `aftercare sends` has it.
///
/// # Errors
/// The database is out of reach.
pub async fn sends(open: &Open) -> anyhow::Result<Vec<Row>> {
    let mut ledger = Vec::new();
    let mut after = None;
    loop {
        let (page, last) = open.sends(&SendFilter::default(), after).await?;
        ledger.extend(sends::rows(open, page, None).await?);
        after = last;
        if after.is_none() {
            return Ok(ledger);
        }
    }
}

/// What the demo wants to know of a line of `simulate --json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Simulated {
    email: Option<String>,
    order: Option<String>,
    sequence: String,
    step: String,
    occurrence: Option<String>,
    state: String,
}

/// The mails that `simulate` says would go out for a file of events.
///
/// # Errors
/// The command's.
pub async fn simulate(
    setup: &Setup,
    events: &Path,
    from: Timestamp,
    to: Timestamp,
) -> Result<BTreeSet<Key>, ServiceError> {
    let (events, from, to) = (events.to_string_lossy(), from.to_string(), to.to_string());
    let arguments = [
        "simulate", "--events", &events, "--from", &from, "--to", &to, "--json",
    ];
    let text = setup.output(&arguments).await?;
    Ok(text
        .lines()
        .filter_map(|line| serde_json::from_str::<Simulated>(line).ok())
        .filter(|row| may_be_out(&row.state))
        .map(|row| {
            let text = Option::unwrap_or_default;
            [
                text(row.email),
                text(row.order),
                row.sequence,
                row.step,
                text(row.occurrence),
            ]
        })
        .collect())
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
            let Some((id, mail)) = read(&fs::read(entry.path())?) else {
                continue;
            };
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
    Some((
        id,
        Mail {
            subject,
            unsubscribe,
        },
    ))
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
        if !keys.insert(key(row)) {
            audit.repeated += 1;
        }
        let id = row.message_id.clone().unwrap_or_default();
        match row.state {
            "accepted" => {
                audit.accepted += 1;
                let copies = mailbox.mails.get(&id).map_or(0, Vec::len);
                match copies {
                    0 => audit.lost.push(id.clone()),
                    1 => {}
                    _ if row.reason == Some("resent_after_uncertain") => {
                        audit.resent.push(id.clone())
                    }
                    _ => audit.doubles.push(id.clone()),
                }
                sent.insert(id);
            }
            "unknown" | "uncertain" => {
                audit.doubtful += 1;
                sent.insert(id);
            }
            state if is_final(state) => {}
            _ => audit.open += 1,
        }
    }
    audit.unknown = mailbox
        .mails
        .keys()
        .filter(|id| !sent.contains(*id))
        .cloned()
        .collect();
    audit
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn row(id: &str, state: &'static str, reason: Option<&'static str>) -> Row {
        Row {
            id: id.to_owned(),
            message_id: Some(id.to_owned()),
            customer: "c1".to_owned(),
            email: Some(id.to_owned()),
            order: Some("1".to_owned()),
            order_number: None,
            sequence: "a".to_owned(),
            step: "b".to_owned(),
            occurrence: None,
            kind: "fulfilment",
            mail: "a/b".to_owned(),
            locale: None,
            state,
            due: Timestamp::UNIX_EPOCH,
            zone: None,
            at: None,
            attempts: 1,
            reason,
            because: None,
        }
    }

    fn mailbox(ids: &[&str]) -> Mailbox {
        let mut mailbox = Mailbox::default();
        for id in ids {
            let mail = Mail {
                subject: String::new(),
                unsubscribe: None,
            };
            mailbox
                .mails
                .entry((*id).to_owned())
                .or_default()
                .push(mail);
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
        let audit = audit(
            &ledger,
            &mailbox(&["once", "twice", "twice", "again", "again", "doubt", "no"]),
        );
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
        assert_eq!(
            mail.unsubscribe.as_deref(),
            Some("http://127.0.0.1:8025/u/abc")
        );
    }
}
