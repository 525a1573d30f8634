//! The commands: one file or folder each, from a checked request to an exit code.

pub mod actions;
pub mod auth;
pub mod check;
pub mod config;
mod config_file;
pub mod convert;
pub mod demo;
pub mod detect;
pub mod export;
pub mod follow;
pub mod init;
mod issue_reporter;
mod local_export;
pub mod nagios;
pub mod posture;
pub mod pull;
mod query;
pub mod report;
#[cfg(feature = "respond")]
pub mod respond;
pub mod rules;
pub mod sandbox;
pub mod saved_detection;
pub mod search;
pub mod sources;
pub mod stats;
pub mod status;
mod text_table;
pub mod top;
pub mod verify;

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::AppError;
use crate::exit::Exit;

/// Runs `man --dir`: writes `pages`, each with its file's name, into `folder`, which is created if
/// needed.
///
/// # Errors
/// One cannot be written.
pub fn write_manual_pages(folder: &Path, pages: Vec<(PathBuf, String)>) -> Result<(), AppError> {
    let failed = |path: &Path, error: &std::io::Error| {
        AppError::new(Exit::Output, format!("cannot write `{}`", path.display()))
            .because(error)
            .hint("check the folder of `--dir`")
    };
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    for (name, text) in pages {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| failed(&path, &error))?;
    }
    Ok(())
}
