//! The rules of planning, told as stories and held against the trace of sends.

pub mod elapsed;
mod limits;
mod parcels;
mod people;
mod renamed;
pub mod series;
