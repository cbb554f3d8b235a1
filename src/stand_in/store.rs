//! A stand-in for the store, as far as the doors see it.
use crate::model::event::Event;
use crate::model::time::Timestamp;

#[derive(Debug, Clone)]
pub struct Incoming {
    pub event: Event,
    pub transport: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Poison {
    pub source: Option<String>,
    pub id: Option<String>,
    pub kind: Option<String>,
    pub body: String,
    pub reason: String,
    pub because: String,
    pub recorded: Timestamp,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    #[error("away")]
    Unavailable(String),
    #[error("full")]
    Full(String),
    #[error("locked")]
    Locked(String),
    #[error("closed")]
    Closed,
    #[error("corrupt")]
    Corrupt,
}
