//! The words everything else is written in: values that cannot be wrong once
//! built, what happened, to whom, and the state machines of enrolments and sends.
//!
//! Nothing here does I/O, reads a clock or draws a random number. Start reading
//! at [`event`] (what comes in), [`history`] (all facts about one customer) and
//! [`send`] (what goes out).

pub mod allow;
pub mod assignment;
pub mod closed;
pub mod codes;
pub mod cores;
pub mod diagnostic;
pub mod email;
pub mod enrolment;
pub mod event;
pub mod history;
pub mod holidays;
pub mod ids;
pub mod kind;
pub mod locale;
pub mod money;
pub mod names;
pub mod nearest;
pub mod places;
pub mod platform;
pub mod policy;
pub mod product;
pub mod reason;
pub mod send;
pub mod time;
pub mod torn;
pub mod transit;
pub mod waiting;
pub mod zones;
