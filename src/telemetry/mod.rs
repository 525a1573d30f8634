//! What the program reports about itself while it runs: counters, messages and the progress line.
//!
//! [`meter`] is at the bottom and is written by every folder that does something; only upper layers
//! use the rest.

pub mod console;
pub mod meter;
pub mod notify;
pub mod progress;
pub mod terminal;
