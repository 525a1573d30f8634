//! Owns the conversation with a server: one request at a time, within the limits, retried by one
//! pure decision.
//!
//! `exchange` is the way in. It asks `limit` for leave, has a `client::Transport` send one attempt,
//! and obeys what `retry` decides about the outcome.

mod attempt_log;
mod captcha;
pub mod client;
mod decode;
mod diagnose;
mod envelope;
pub mod error;
pub mod exchange;
pub mod failure;
mod gate;
mod held;
pub mod limit;
pub mod message;
mod pace;
pub mod page_error;
pub mod pool;
pub mod proxy;
pub mod rate;
pub mod reach;
pub mod retry;
pub mod room;
pub mod shared;
mod shared_window;
pub mod sharing;
pub mod watched;
mod window;
pub mod witness;
