//! Owns what the program says about itself while it runs: counters, messages and the progress line.
//!
//! [`meter`] lies at the bottom and is written by every room that does something; the rest reads it
//! and is known to commands only.

pub mod console;
pub mod log;
pub mod meter;
pub mod notify;
pub mod progress;
pub mod prometheus;
pub mod terminal;
