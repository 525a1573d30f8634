//! atlaudit collects the audit trail of an Atlassian customer, completely and exactly once.
//!
//! # The way of an event
//!
//! `plan (pure) -> fetch (async) -> step: dedupe, normalise, render (pure) -> write, commit -> checkpoint`
//!
//! Only [`pipeline::run`] knows that order, and it alone moves a checkpoint, after the output's commit.
//!
//! # The import rule
//!
//! A room imports only from the lines below its own; rooms on one line do not see each other.
//! `tests/it/layers.rs` holds this table against the code.
//!
//! ```text
//! app   fuzz   bench
//! cli   commands
//! error
//! convert   pipeline   sandbox
//! source   normalise   render   sink   state   evidence
//! credentials   http   telemetry
//! config
//! telemetry::meter   files
//! model   exit   crash
//! ```

mod app;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod cli;
mod commands;
mod config;
mod convert;
mod crash;
mod credentials;
mod error;
mod evidence;
mod exit;
mod files;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod http;
mod model;
mod normalise;
mod pipeline;
mod render;
pub mod sandbox;
mod sink;
mod source;
mod state;
mod telemetry;

pub use app::run;
pub use exit::Exit;
