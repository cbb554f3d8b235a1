//! The authoring language: text to [`catalog::Catalog`], with every problem named.

pub mod catalog;
pub mod condition;
