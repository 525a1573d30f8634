//! Owns where the bodies of an export lie, and that each is named by a page: a run that was killed may have kept one
//! that no page came to name.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::settings::{Compression, SourceSettings};
use crate::error::AppError;
use crate::exit::Exit;
use crate::sink::bodies::ResponseBodyStore;
use crate::sink::pack::unpack;

/// The folder of a source's bodies, in the export at `path`.
pub fn body_folder(path: &Path, settings: &SourceSettings) -> PathBuf {
    path.join("bodies").join(settings.name.as_str())
}

/// Removes the bodies that no page names.
///
/// # Errors
/// A file cannot be read or removed.
pub fn remove_unreferenced(sources: &[SourceSettings], path: &Path) -> Result<(), AppError> {
    for settings in sources {
        let pages = path
            .join("pages")
            .join(format!("{}.jsonl.zst", settings.name));
        let named = referenced_hashes(&pages).map_err(|error| {
            AppError::new(Exit::Output, format!("cannot read `{}`", pages.display()))
                .because(&error)
                .hint("begin the export once more in another folder")
        })?;
        ResponseBodyStore::new(body_folder(path, settings)).remove_unreferenced(&named)?;
    }
    Ok(())
}

/// The part of a page's line that names its body.
#[derive(Deserialize)]
struct PageBodyLine {
    body: Option<BodyReference>,
}

#[derive(Deserialize)]
struct BodyReference {
    sha256: String,
}

/// The hashes of the bodies that the file `pages` names.
fn referenced_hashes(pages: &Path) -> io::Result<HashSet<String>> {
    let file = match File::open(pages) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashSet::new()),
        file => BufReader::new(file?),
    };
    let mut named = HashSet::new();
    for line in BufReader::new(unpack(Compression::Zstd, file)?).lines() {
        let line: PageBodyLine = serde_json::from_str(&line?)?;
        named.extend(line.body.map(|body| body.sha256));
    }
    Ok(named)
}
