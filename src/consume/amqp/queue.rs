//! What a queue says of itself: how much waits in it, and whether what waits there
//! outlives a broken machine. Nothing here changes a queue.

use super::{Finding, Trouble, lost};
use lapin::options::QueueDeclareOptions;
use lapin::protocol::{AMQPError, AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, ErrorKind, Queue};

/// What to do about a queue that loses messages.
const QUORUM: &str = "make a quorum queue in its place, and move its bindings there";
/// Most arguments of a queue that are found out, one question each.
const MAX_ARGUMENTS: usize = 16;

/// How many messages wait in a queue.
pub(super) async fn count(connection: &Connection, queue: &str) -> Result<u64, Trouble> {
    let options = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    match ask(connection, queue, options, FieldTable::default()).await {
        Ok(found) => Ok(found.message_count().into()),
        Err(error) => Err(match refusal(&error) {
            Some((AMQPSoftError::NOTFOUND, _)) => Trouble::plain(format!(
                "there is no queue {queue}: make it with `rabbitmqadmin declare queue name={queue} durable=true arguments='{{\"x-queue-type\":\"quorum\"}}'`"
            )),
            _ => lost(error),
        }),
    }
}

/// Why messages of a queue could be lost before anybody reads them. A queue cannot be asked what it is: it is declared once more as it should
/// be, and the broker, which lets nobody declare one queue in two ways, says where it
/// differs. What it does not say to this user, is not doubted.
pub(super) async fn findings(
    connection: &Connection,
    queue: &str,
) -> Result<Vec<Finding>, Trouble> {
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let mut beside: Vec<(String, AMQPValue)> = Vec::new();
    for _ in 0..MAX_ARGUMENTS {
        // Without it the declaration would make the queue.
        count(connection, queue).await?;
        let mut arguments = FieldTable::default();
        arguments.insert(
            "x-queue-type".into(),
            AMQPValue::LongString("quorum".into()),
        );
        for (name, value) in &beside {
            arguments.insert(name.as_str().into(), value.clone());
        }
        let Err(error) = ask(connection, queue, options, arguments).await else {
            break;
        };
        let Some((AMQPSoftError::PRECONDITIONFAILED, told)) = refusal(&error) else {
            break;
        };
        match Differs::read(&told) {
            Differs::Harmful(harm) => return Ok(vec![Finding::new(harm.words(queue), QUORUM)]),
            Differs::Beside(name, value) => beside.push((name, value)),
            Differs::Unknown => break,
        }
    }
    Ok(limits(queue, &beside))
}

/// What the arguments of a queue let the broker throw away.
fn limits(queue: &str, arguments: &[(String, AMQPValue)]) -> Vec<Finding> {
    let told = |name: &str| {
        let mut all = arguments.iter();
        all.find(|(known, _)| known == name).map(|(_, value)| value)
    };
    let number = |name: &str| match told(name) {
        Some(AMQPValue::LongLongInt(value)) => Some(*value),
        _ => None,
    };
    let is = |name: &str, text: &str| matches!(told(name), Some(AMQPValue::LongString(value)) if value.as_bytes() == text.as_bytes());
    let goes_on = told("x-dead-letter-exchange").is_some();
    let mut findings = Vec::new();
    let mut find = |words: String, help: &str| findings.push(Finding::new(words, help));
    if let Some(age) = number("x-message-ttl").filter(|_| !goes_on) {
        find(
            format!(
                "the queue {queue} drops messages after {} s, read or not",
                age / 1000
            ),
            "make it without x-message-ttl",
        );
    }
    if told("x-expires").is_some() {
        find(
            format!(
                "the queue {queue} is deleted with its messages when nobody reads it for a while"
            ),
            "make it without x-expires",
        );
    }
    let is_bounded = ["x-max-length", "x-max-length-bytes"]
        .into_iter()
        .any(|name| told(name).is_some());
    if is_bounded && !goes_on && !is("x-overflow", "reject-publish") {
        find(
            format!("the queue {queue} drops its oldest messages once it is full"),
            "make it with x-overflow=reject-publish",
        );
    }
    if let Some(times) = number("x-delivery-limit").filter(|times| *times >= 0 && !goes_on) {
        find(
            format!(
                "the queue {queue} drops a message that was handed out {times} times, as when this service is restarted so often"
            ),
            "make it with x-delivery-limit=-1, or with an x-dead-letter-exchange",
        );
    }
    findings
}

/// One question, on a channel of its own: a refusal closes it.
async fn ask(
    connection: &Connection,
    queue: &str,
    options: QueueDeclareOptions,
    arguments: FieldTable,
) -> Result<Queue, lapin::Error> {
    let channel = connection.create_channel().await?;
    let answer = channel
        .queue_declare(queue.into(), options, arguments)
        .await;
    if answer.is_ok() {
        channel.close(200, "answered".into()).await?;
    }
    answer
}

/// What the broker refuses, and its words.
fn refusal(error: &lapin::Error) -> Option<(AMQPSoftError, String)> {
    match error.kind() {
        ErrorKind::ProtocolError(told) => match told.kind() {
            AMQPErrorKind::Soft(soft) => Some((soft.clone(), words(told))),
            AMQPErrorKind::Hard(_) => None,
        },
        _ => None,
    }
}

fn words(told: &AMQPError) -> String {
    told.get_message().to_string()
}

/// In what a queue is not declared as we did.
#[derive(Debug, PartialEq)]
enum Differs {
    /// In what loses messages.
    Harmful(Harm),
    /// An argument that it has beside, to be declared as well.
    Beside(String, AMQPValue),
    /// The broker says it in words that are not known.
    Unknown,
}

/// How a queue loses messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    Fleeting,
    Deleted,
    Stream,
    Classic,
}

impl Harm {
    fn words(self, queue: &str) -> String {
        match self {
            Harm::Fleeting => {
                format!(
                    "the queue {queue} is not durable: when the broker restarts, its messages are gone"
                )
            }
            Harm::Deleted => format!(
                "the queue {queue} is deleted with its messages once nobody reads it, as when this service restarts"
            ),
            Harm::Stream => format!(
                "{queue} is a stream, which forgets who read what: messages that came while nobody read are not delivered"
            ),
            Harm::Classic => format!(
                "the queue {queue} is a classic one: where the disk of its broker is lost, so are its messages"
            ),
        }
    }
}

impl Differs {
    /// Reads `… inequivalent arg 'NAME' for queue …: received … but current is the value
    /// 'VALUE' of type 'TYPE'`.
    fn read(told: &str) -> Differs {
        let between = |text: &str, begin: &str| {
            let rest = text.split_once(begin)?.1;
            Some(rest.split_once('\'')?.0.to_owned())
        };
        let Some(name) = between(told, "inequivalent arg '") else {
            return Differs::Unknown;
        };
        let current = told.rsplit_once("current is ").map_or("", |(_, rest)| rest);
        let value = between(current, "'");
        match (name.as_str(), value) {
            ("durable", _) => Differs::Harmful(Harm::Fleeting),
            ("auto_delete", _) => Differs::Harmful(Harm::Deleted),
            ("x-queue-type", Some(value)) if value == "stream" => Differs::Harmful(Harm::Stream),
            ("x-queue-type", _) => Differs::Harmful(Harm::Classic),
            (_, Some(value)) => match between(current, "of type '").as_deref() {
                Some("longstr") => Differs::Beside(name, AMQPValue::LongString(value.into())),
                Some("bool") => Differs::Beside(name, AMQPValue::Boolean(value == "true")),
                Some(_) => value.parse().map_or(Differs::Unknown, |value| {
                    Differs::Beside(name, AMQPValue::LongLongInt(value))
                }),
                None => Differs::Unknown,
            },
            (_, None) => Differs::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_doubted_for_what_can_lose_its_messages() {
        let harmful = |told: &str, expected: &str| match Differs::read(told) {
            Differs::Harmful(harm) => assert!(harm.words("orders").contains(expected), "{harm:?}"),
            other => panic!("{told}: {other:?}"),
        };
        harmful(
            "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'orders' in vhost '/': received 'true' but current is 'false'",
            "not durable",
        );
        harmful(
            "PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue 'orders' in vhost '/': received 'false' but current is 'true'",
            "once nobody reads it",
        );
        harmful(
            "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'orders' in vhost '/': received the value 'quorum' of type 'longstr' but current is none",
            "classic",
        );
        harmful(
            "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'orders' in vhost '/': received 'quorum' but current is 'stream'",
            "stream",
        );
    }

    #[test]
    fn arguments_beside_are_declared_as_well() {
        let check = |told: &str, expected: Differs| assert_eq!(Differs::read(told), expected);
        check(
            "PRECONDITION_FAILED - inequivalent arg 'x-dead-letter-exchange' for queue 'orders' in vhost '/': received none but current is the value 'dead' of type 'longstr'",
            Differs::Beside(
                "x-dead-letter-exchange".to_owned(),
                AMQPValue::LongString("dead".into()),
            ),
        );
        check(
            "PRECONDITION_FAILED - inequivalent arg 'x-delivery-limit' for queue 'orders' in vhost '/': received none but current is the value '20' of type 'signedint'",
            Differs::Beside("x-delivery-limit".to_owned(), AMQPValue::LongLongInt(20)),
        );
        check("something else", Differs::Unknown);
    }

    #[test]
    fn a_queue_is_doubted_for_what_it_throws_away() {
        let check = |arguments: &[(&str, AMQPValue)], expected: &[&str]| {
            let told: Vec<(String, AMQPValue)> = arguments
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect();
            let found: Vec<String> = limits("orders", &told)
                .into_iter()
                .map(|finding| finding.words)
                .collect();
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.contains(expected), "{found} lacks {expected}");
            }
        };
        let number = AMQPValue::LongLongInt;
        let text = |text: &str| AMQPValue::LongString(text.into());
        check(&[], &[]);
        check(&[("x-message-ttl", number(60_000))], &["after 60 s"]);
        check(&[("x-expires", number(60_000))], &["when nobody reads it"]);
        check(&[("x-max-length", number(10))], &["once it is full"]);
        let refuses = ("x-overflow", text("reject-publish"));
        check(&[("x-max-length", number(10)), refuses], &[]);
        check(&[("x-delivery-limit", number(20))], &["20 times"]);
        check(&[("x-delivery-limit", number(-1))], &[]);
        let goes_on = ("x-dead-letter-exchange", text("dead"));
        check(&[("x-delivery-limit", number(20)), goes_on], &[]);
    }
}
