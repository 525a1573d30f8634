//! Talks to a server: one request at a time, within the limits, retried by one pure decision.
//!
//! `exchange` is the way in. It waits for `limiter`, has a `client::Transport` send one attempt,
//! and does what `retry` decides about the outcome.

pub mod attempt_observer;
pub mod client;
mod decode;
pub mod envelope;
pub mod exchange;
pub mod failure;
pub mod limiter;
pub mod memory_budget;
pub mod message;
pub mod probe;
pub mod quota_file;
pub mod retry;
mod rolling_window;
