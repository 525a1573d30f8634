//! Owns report.html.

use std::io::{self, Write};
use std::path::Path;

use super::manifest::Manifest;

/// Writes the page.
///
/// # Errors
/// What the file system says.
pub fn write(_dir: &Path, manifest: &Manifest, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "<!doctype html><title>Export</title><p>{}",
        manifest.complete
    )
}
