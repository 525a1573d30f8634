//! Owns what the user wants: the file as typed, the environment as captured, the settings as checked.

pub mod ask;
pub mod blame;
pub mod check;
pub mod credential_spec;
pub mod edit;
pub mod env;
pub mod error;
pub mod field;
pub mod file;
pub mod implied;
pub mod nearest;
pub mod output;
pub mod places;
pub mod request;
pub mod settings;
pub mod source;
mod target;
pub mod telemetry;
pub mod words;
