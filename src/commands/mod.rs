//! Owns the commands: one file each, from a resolved request to an exit code.

mod run_registry;
pub mod auth;
pub mod check;
pub mod collect;
mod connect;
mod api_client;
pub mod convert;
pub mod demo;
pub mod dry_run;
mod expiry;
pub mod export;
pub mod follow;
pub mod man;
mod metrics;
mod organization;
mod output_owner;
pub mod pull;
mod run_recorder;
mod message_throttle;
pub mod sandbox;
pub mod schema;
mod signing;
pub mod status;
mod stop;
mod summary;
mod start_limiter;
pub mod verify;
