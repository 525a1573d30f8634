//! The commands: one file or folder each, from a checked request to an exit code.

pub mod auth;
pub mod check;
pub mod convert;
pub mod demo;
pub mod export;
pub mod follow;
pub mod man;
pub mod pull;
pub mod sandbox;
pub mod status;
pub mod verify;
