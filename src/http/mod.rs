//! Owns the conversation with a server: one request at a time, within the limits, retried by one
//! pure decision.
//!
//! `exchange` is the way in. It asks `limit` for leave, has a `client::Transport` send one attempt,
//! and obeys what `retry` decides about the outcome.

pub mod attempt_observer;
mod captcha;
pub mod client;
pub mod credential_limit;
mod decode;
mod diagnose;
mod envelope;
pub mod error;
pub mod exchange;
pub mod failure;
pub mod limiter;
pub mod memory_budget;
pub mod message;
pub mod page_error;
pub mod pool;
pub mod probe;
pub mod proxy;
pub mod quota_file;
pub mod recording_transport;
pub mod retry;
mod retry_after;
mod rolling_window;
