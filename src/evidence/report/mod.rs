//! Owns report.html.

use std::io::{self, Write};
use std::path::Path;

use super::manifest::Manifest;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Where it goes to.
    #[error("the report cannot be written")]
    Write(#[from] io::Error),
}

/// Writes the page.
///
/// # Errors
/// `out` cannot be written to.
pub fn write(_dir: &Path, manifest: &Manifest, out: &mut impl Write) -> Result<(), ReportError> {
    let complete = manifest.complete;
    Ok(writeln!(out, "<!doctype html><p>{complete}")?)
}
