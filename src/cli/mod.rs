//! Turns the command line, the environment and the configuration file into a checked request.

pub mod args;
mod convert;
pub mod error;
mod export;
pub mod generate;
mod help;
mod load;
mod login;
pub mod parse;
mod path_registry;
mod paths;
mod pull;
mod questions;
pub mod resolve;
mod values;

pub use error::ResolveError;
pub use load::HostAccess;
pub use parse::parse;
pub use resolve::{resolve, telemetry};
