//! Owns the commands: one file each, from a resolved request to an exit code.

mod accounts;
pub mod auth;
pub mod check;
pub mod collect;
mod connect;
mod connected;
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
mod record;
mod repeats;
pub mod sandbox;
pub mod schema;
mod signing;
pub mod status;
mod stop;
mod summary;
mod turns;
pub mod verify;
