//! Owns `schema`: prints the JSON Schema of a normalized event.

use crate::error::AppError;
use crate::render::SCHEMA_TEXT;
use crate::sink::stdout;

/// Prints the schema to standard output.
///
/// # Errors
/// Standard output cannot be written.
pub fn run() -> Result<(), AppError> {
    Ok(stdout::print(SCHEMA_TEXT)?)
}
