//! From settings to the broker that they mean, as far as this program was built with it.

use super::Settings;
#[cfg(any(
    feature = "nats",
    feature = "redis",
    feature = "amqp",
    feature = "kafka"
))]
use super::run;
#[cfg(any(
    feature = "nats",
    feature = "redis",
    feature = "amqp",
    feature = "kafka"
))]
use super::session::Broker;
use super::session::{Finding, Trouble};
use crate::config::BrokerKind;
use crate::engine::Engine;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// This program was built without a broker that its configuration names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "intake.brokers.{name}: expected a program built with {}, found one without\n\
     hint: cargo build --release --features {}",
    kind.name(),
    kind.feature()
)]
pub struct Unbuilt {
    /// Its name in the configuration.
    pub name: String,
    pub kind: BrokerKind,
}

/// Whether this program was built with a sort of broker.
pub fn built(kind: BrokerKind) -> bool {
    match kind {
        BrokerKind::Nats => cfg!(feature = "nats"),
        BrokerKind::Redis => cfg!(feature = "redis"),
        BrokerKind::Amqp => cfg!(feature = "amqp"),
        BrokerKind::Kafka => cfg!(feature = "kafka"),
    }
}

/// Reads all these brokers until `stop`; then what is in hand is finished.
///
/// # Errors
/// One of them is of a sort that this program was built without; none was read.
pub async fn consume(
    all: Vec<Settings>,
    engine: Arc<Engine>,
    stop: CancellationToken,
) -> Result<(), Unbuilt> {
    if let Some(missing) = all.iter().find(|one| !built(one.broker.kind)) {
        return Err(unbuilt(missing));
    }
    let mut tasks: JoinSet<()> = JoinSet::new();
    for settings in all {
        let (engine, stop) = (Arc::clone(&engine), stop.clone());
        match settings.broker.kind {
            #[cfg(feature = "nats")]
            BrokerKind::Nats => {
                let broker = super::nats::Nats::new(settings.clone());
                tasks.spawn(run::run(broker, settings, engine, stop));
            }
            #[cfg(feature = "redis")]
            BrokerKind::Redis => {
                let broker = super::redis::Redis::new(settings.clone());
                tasks.spawn(run::run(broker, settings, engine, stop));
            }
            #[cfg(feature = "amqp")]
            BrokerKind::Amqp => {
                let broker = super::amqp::Amqp::new(settings.clone());
                tasks.spawn(run::run(broker, settings, engine, stop));
            }
            #[cfg(feature = "kafka")]
            BrokerKind::Kafka => {
                let broker = super::kafka::Kafka::new(settings.clone());
                tasks.spawn(run::run(broker, settings, engine, stop));
            }
            #[allow(unreachable_patterns, reason = "where all are built")]
            _ => drop((engine, stop)),
        }
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a broker's loop ended badly; the service stops");
            stop.cancel();
        }
    }
    Ok(())
}

/// Looks what about a broker's settings endangers messages, without reading any.
///
/// # Errors
/// The broker cannot be reached or does not tell; or this program was built without it.
pub async fn inspect(settings: &Settings) -> Result<Vec<Finding>, Trouble> {
    match settings.broker.kind {
        #[cfg(feature = "nats")]
        BrokerKind::Nats => super::nats::Nats::new(settings.clone()).inspect().await,
        #[cfg(feature = "redis")]
        BrokerKind::Redis => super::redis::Redis::new(settings.clone()).inspect().await,
        #[cfg(feature = "amqp")]
        BrokerKind::Amqp => super::amqp::Amqp::new(settings.clone()).inspect().await,
        #[cfg(feature = "kafka")]
        BrokerKind::Kafka => super::kafka::Kafka::new(settings.clone()).inspect().await,
        #[allow(unreachable_patterns, reason = "where all are built")]
        _ => Err(Trouble::plain(unbuilt(settings).to_string())),
    }
}

fn unbuilt(settings: &Settings) -> Unbuilt {
    Unbuilt {
        name: settings.broker.name.clone(),
        kind: settings.broker.kind,
    }
}
