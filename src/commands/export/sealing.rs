//! Owns the way from the command to the sealing of an export: its key, and the manifest that comes of it.

use std::path::Path;

use crate::commands::signing;
use crate::config::env::ProcessEnv;
use crate::error::AppError;
use crate::evidence::facts::ExportFacts;
use crate::evidence::manifest::Manifest;
use crate::evidence::seal;
use crate::evidence::sign::SigningKey;

/// The key in the file `--sign` names, if it does. To be read before anything is asked for.
///
/// # Errors
/// It is no key, or cannot be read.
pub fn key(path: Option<&Path>, env: &ProcessEnv) -> Result<Option<SigningKey>, AppError> {
    path.map(|path| signing::load_key(path, env)).transpose()
}

/// Makes the manifest and all that goes with it.
///
/// # Errors
/// A file cannot be read or written.
pub fn seal(dir: &Path, facts: &ExportFacts, key: Option<&SigningKey>) -> Result<Manifest, AppError> {
    Ok(seal::seal(dir, facts, key)?)
}
