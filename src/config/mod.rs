//! Reads the configuration file and the environment, and checks them into settings.

pub mod check;
pub mod credential_spec;
mod detect_table;
pub mod detection;
pub mod edit;
pub mod effective;
pub mod env;
pub mod error;
pub mod file;
pub mod output;
pub mod output_preset;
pub mod path_template;
pub mod posture;
mod posture_table;
pub mod prompt;
pub mod request;
#[cfg(feature = "respond")]
pub mod respond;
pub mod settings;
pub mod source;
pub mod telemetry;
pub mod validate;
