//! A batch on its way from the broker into the database: understood off the loop, handed
//! to the engine until it is durable. What fails for good by itself is found by halving
//! and goes to quarantine; what fails because the database is busy or away is tried again
//! for as long as it takes, and nothing is acknowledged meanwhile.

use super::backoff::Backoff;
use super::session::Delivery;
use crate::engine::{Engine, EngineError};
use crate::ingest::adapters::Outcome;
use crate::ingest::message::{Message, Reading, Understood, fingerprint, keep, understand};
use crate::model::time::Timestamp;
use crate::store::{Incoming, Poison, StoreError};
use crate::telemetry;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A message, and what it came to.
struct Item {
    message: Message,
    incoming: Vec<Incoming>,
    poison: Vec<Poison>,
}

/// Messages that are understood, on their way to the engine.
pub(super) struct Batch(Vec<Item>);

/// The batch was not taken: it was given up because the service ends or its session did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GivenUp;

/// Understands what was fetched. This takes CPU time and no other: it runs where it holds
/// nobody up.
pub(super) fn read<R>(
    reading: &Reading,
    deliveries: Vec<Delivery<R>>,
    received: Timestamp,
) -> (Batch, Vec<R>) {
    let mut items = Vec::with_capacity(deliveries.len());
    let mut receipts = Vec::with_capacity(deliveries.len());
    let (mut unusable, mut first) = (0, None);
    for delivery in deliveries {
        let Understood {
            parsed,
            key,
            outcome,
        } = understand(reading, &delivery.message, received);
        if let Some(source) = &reading.source {
            telemetry::hook(&source.name, outcome.as_str());
        }
        if outcome == Outcome::Poison {
            unusable += 1;
            let reason = parsed.poison.first().map(|poison| poison.reason.clone());
            first = first.or(reason.map(|reason| (reason, delivery.message.position.clone())));
        }
        // One message may carry many; each keeps a key of its own under that of the message.
        let under = |key: &Option<String>, many: bool, place: usize| {
            key.as_ref().map(|key| {
                if many {
                    format!("{key}#{place}")
                } else {
                    key.clone()
                }
            })
        };
        // Facts are known by their names; what cannot be read has none.
        let kept_as = match (&key, parsed.poison.is_empty()) {
            (None, false) => Some(fingerprint(&delivery.message)),
            _ => key.clone(),
        };
        let (events, poison) = (parsed.events, parsed.poison);
        let (many, many_bad) = (events.len() > 1, poison.len() > 1);
        items.push(Item {
            incoming: events
                .into_iter()
                .enumerate()
                .map(|(place, event)| Incoming {
                    event,
                    transport: under(&key, many, place),
                })
                .collect(),
            poison: poison
                .into_iter()
                .enumerate()
                .map(|(place, poison)| Poison {
                    transport: under(&kept_as, many_bad, place),
                    ..Poison::from(poison)
                })
                .collect(),
            message: delivery.message,
        });
        receipts.push(delivery.receipt);
    }
    if let Some((reason, position)) = first {
        telemetry::broker(&reading.broker, telemetry::BrokerMessage::Poison, unusable);
        // One line, however many. The reason repeats nothing of what was sent.
        tracing::warn!(
            broker = reading.broker,
            count = unusable,
            reason,
            position,
            "messages cannot be used and go to quarantine"
        );
    }
    (Batch(items), receipts)
}

impl Batch {
    /// Hands everything to the engine; returns after the durable commit.
    ///
    /// # Errors
    /// It was given up: nothing may be acknowledged.
    pub(super) async fn accept(
        self,
        engine: Arc<Engine>,
        reading: Arc<Reading>,
        give_up: CancellationToken,
    ) -> Result<(), GivenUp> {
        // Pieces that are to be taken, the next one last.
        let mut pieces = vec![self.0];
        let mut backoff = Backoff::default();
        while let Some(piece) = pieces.pop() {
            let incoming = piece.iter().flat_map(|item| item.incoming.iter().cloned());
            let poison = piece.iter().flat_map(|item| item.poison.iter().cloned());
            let error = match engine.accept(incoming.collect(), poison.collect()).await {
                Ok(_) => {
                    if backoff.failed() > 0 {
                        tracing::info!(broker = reading.broker, "messages are stored again");
                        backoff.reset();
                    }
                    continue;
                }
                Err(error) => error,
            };
            if !is_of_the_piece(&error) {
                if backoff.failed() == 0 {
                    tracing::warn!(
                        broker = reading.broker,
                        error = &error as &dyn std::error::Error,
                        "messages cannot be stored now; none is acknowledged until they are"
                    );
                }
                pieces.push(piece);
            } else if piece.len() > 1 {
                let mut first = piece;
                let second = first.split_off(first.len() / 2);
                pieces.push(second);
                pieces.push(first);
                continue;
            } else if piece.iter().all(|item| item.incoming.is_empty()) {
                // Even its keeping was refused: a mistake of ours, or of the database.
                tracing::error!(
                    broker = reading.broker,
                    error = &error as &dyn std::error::Error,
                    "a message can be neither stored nor kept in quarantine; it is tried again"
                );
                pieces.push(piece);
            } else {
                tracing::error!(
                    broker = reading.broker,
                    error = &error as &dyn std::error::Error,
                    "the database refuses a message; it goes to quarantine"
                );
                telemetry::broker(&reading.broker, telemetry::BrokerMessage::Poison, 1);
                let received = engine.now();
                let kept = |item: Item| Item {
                    poison: vec![refused(&reading, &item.message, received)],
                    incoming: Vec::new(),
                    message: item.message,
                };
                pieces.push(piece.into_iter().map(kept).collect());
                continue;
            }
            tokio::select! {
                () = give_up.cancelled() => return Err(GivenUp),
                () = tokio::time::sleep(backoff.next()) => {}
            }
        }
        Ok(())
    }
}

/// Whether the failure may be the fault of what was to be stored, and not of the moment.
fn is_of_the_piece(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::Store(
            StoreError::Refused(_)
                | StoreError::Corrupt(_)
                | StoreError::Json(_)
                | StoreError::Values { .. }
        )
    )
}

fn refused(reading: &Reading, message: &Message, received: Timestamp) -> Poison {
    let because = "the database refuses it".to_owned();
    let poison = keep(reading, message, "refused", because, received);
    Poison {
        transport: message.position.clone(),
        ..Poison::from(poison)
    }
}
