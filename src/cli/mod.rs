//! Turns the command line, the environment and the configuration file into a checked request.

pub mod args;
mod completion;
mod convert;
mod encoding;
mod environment;
pub mod generate;
mod load;
mod login;
pub mod manual;
pub mod parse;
mod paths;
mod posture;
mod pull;
mod query;
pub mod resolve;
#[cfg(feature = "respond")]
mod respond;
pub mod setup;
mod store_location;

pub use load::HostAccess;
pub use parse::parse;
pub use resolve::{resolve, telemetry};
pub use setup::check_text;
