//! Reads the configuration file and the environment, and checks them into settings.

pub mod prompt;
pub mod error_location;
pub mod check;
pub mod credential_spec;
pub mod edit;
pub mod env;
pub mod error;
pub mod validate;
pub mod file;
pub mod implied_settings;
pub mod suggestions;
pub mod output;
pub mod config_paths;
pub mod request;
pub mod settings;
pub mod source;
mod target;
pub mod telemetry;
pub mod keywords;
