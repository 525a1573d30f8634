//! atlaudit collects the audit trail of an Atlassian customer, completely and exactly once.
//!
//! # The way of an event
//!
//! Plan (no I/O), fetch (async), process: remove repeats, normalise, render (no I/O), append,
//! commit, checkpoint. Only `pipeline` knows that order; the checkpoint moves after the output's
//! commit.
//!
//! # The import rule
//!
//! Each name is a folder or file of `src`. It imports only from the lines below its own; names on
//! one line do not see each other, and no two files import each other in a circle.
//! `tests/it/layers.rs` reads this table and checks the code against it.
//!
//! ```text
//! app   fuzz   bench
//! cli   commands
//! respond
//! collect
//! error
//! convert   search   pipeline   sandbox
//! fetch   saved
//! evidence
//! detect   posture
//! source   normalise   render   sink   state   report
//! objects
//! credentials   http   columnar
//! telemetry
//! config
//! files   filter   time_sorter
//! model   exit   crash
//! ```

mod app;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod cli;
mod collect;
mod columnar;
mod commands;
mod config;
mod convert;
mod crash;
mod credentials;
mod detect;
mod error;
mod evidence;
mod exit;
mod fetch;
mod files;
mod filter;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod http;
mod model;
mod normalise;
mod objects;
mod pipeline;
mod posture;
mod render;
mod report;
#[cfg(feature = "respond")]
mod respond;
pub mod sandbox;
mod saved;
mod search;
mod sink;
mod source;
mod state;
mod telemetry;
mod time_sorter;

pub use app::run;
pub use exit::Exit;
