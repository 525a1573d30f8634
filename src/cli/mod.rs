//! Owns the command line: what was typed, and what it means together with the environment and the file.

pub mod args;
mod convert;
pub mod error;
mod export;
pub mod generate;
mod help;
mod login;
pub mod parse;
mod path_registry;
mod paths;
mod pull;
mod questions;
pub mod resolve;
mod values;

pub use error::ResolveError;
pub use parse::parse;
pub use resolve::{HostAccess, resolve, telemetry};
