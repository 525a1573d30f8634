//! Reads the configuration file and the environment, and checks them into settings.

pub mod check;
pub mod config_paths;
pub mod credential_spec;
pub mod edit;
pub mod env;
pub mod error;
pub mod error_location;
pub mod file;
pub mod implied_settings;
pub mod keywords;
pub mod output;
pub mod prompt;
pub mod request;
pub mod settings;
pub mod source;
pub mod suggestions;
mod target;
pub mod telemetry;
pub mod validate;
