//! What an SMTP outcome makes of a send: the Send state machine's last step, pure.

use crate::mail::{Delivery, Rejection};
use crate::model::reason::Reason;
use crate::model::send::{Send, SendState};
use crate::model::time::{self, Timestamp};
use jiff::SignedDuration;
use sha2::{Digest, Sha256};

/// After how many days of "not now" one gives up (RFC 5321, 4.5.4.1: 4–5 days).
pub const GIVE_UP_DAYS: i64 = 5;
/// Waits between tries, in minutes; the last repeats.
pub const BACK_OFF_MINUTES: [i64; 6] = [5, 15, 30, 60, 120, 240];
/// Longest text of a reply that is kept.
pub const REPLY_KEPT: usize = 300;

/// A send after the relay answered to its final dot.
pub fn after_dot(mut send: Send, delivery: &Delivery, now: Timestamp) -> Send {
    match delivery {
        Delivery::Accepted(reply) => {
            send.attempts += 1;
            send.state = SendState::Accepted {
                reply: kept(&reply.to_string()),
            };
            // A doubt is told for ever, even where a "not now" came between.
            send.reason = (send.doubts > 0).then_some(Reason::ResentAfterUncertain);
        }
        Delivery::Deferred(reply) => return later(send, &reply.to_string(), now),
        Delivery::Refused(reply) => return refused(send, &reply.to_string(), now),
        // The dot did not go out: nothing happened, and nobody's attempt is spent.
        Delivery::Unsent(_) => send.state = SendState::Queued { not_before: now },
        Delivery::Uncertain(trouble) => {
            send.attempts += 1;
            return in_doubt(send, &trouble.to_string(), now);
        }
    }
    send.at = now;
    send
}

/// A send that was turned away before its body went out.
pub fn after_rejection(send: Send, rejection: &Rejection, now: Timestamp) -> Send {
    let words = match rejection {
        Rejection::Reply { reply, .. } => reply.to_string(),
        other => other.to_string(),
    };
    if rejection.is_permanent() {
        refused(send, &words, now)
    } else {
        later(send, &words, now)
    }
}

/// A send of which nobody can know whether it went out.
pub fn in_doubt(mut send: Send, cause: &str, now: Timestamp) -> Send {
    send.doubts += 1;
    send.state = SendState::Uncertain { since: now };
    send.reason = Some(Reason::InDoubt { cause: kept(cause) });
    send.at = now;
    send
}

fn refused(mut send: Send, reply: &str, now: Timestamp) -> Send {
    send.attempts += 1;
    let reply = kept(reply);
    let because = Reason::Refused {
        reply: reply.clone(),
    };
    send.end(SendState::Refused { reply }, because, now);
    send
}

fn later(mut send: Send, reply: &str, now: Timestamp) -> Send {
    let first = *send.first_tried.get_or_insert(now);
    let give_up = time::saturating_add(first, SignedDuration::from_hours(24 * GIVE_UP_DAYS));
    if now >= give_up {
        return refused(send, reply, now);
    }
    let wait = back_off(&send);
    send.attempts += 1;
    send.state = SendState::Queued {
        not_before: time::saturating_add(now, wait),
    };
    send.reason = Some(Reason::Deferred { reply: kept(reply) });
    send.at = now;
    send
}

/// How long to wait before the next try: longer each time, with up to a fifth of jitter
/// that follows from the send's id and the try.
fn back_off(send: &Send) -> SignedDuration {
    let step = (send.attempts as usize).min(BACK_OFF_MINUTES.len() - 1);
    let seconds = BACK_OFF_MINUTES[step] * 60;
    let mut hash = Sha256::new();
    hash.update(send.id.0);
    hash.update(send.attempts.to_be_bytes());
    let jitter = i64::from(hash.finalize()[0]) * seconds / (5 * 256);
    SignedDuration::from_secs(seconds + jitter)
}

fn kept(text: &str) -> String {
    text.chars().take(REPLY_KEPT).collect()
}
