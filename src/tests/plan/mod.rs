//! The rules of planning, told as stories and held against the trace of sends.

mod documented;
pub mod elapsed;
pub mod experiments;
mod goods;
mod limits;
mod parcels;
mod people;
mod renamed;
pub mod series;
mod shelves;
mod workdays;
