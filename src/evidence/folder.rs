//! The layout of an export's folder, and the listing of what lies in one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::error::{EvidenceError, failed};

/// The manifest.
pub const MANIFEST: &str = "manifest.json";
/// The sums of all other files.
pub const SUMS: &str = "SHA256SUMS";
/// The signature of the sums.
pub const SIGNATURE: &str = "SHA256SUMS.minisig";
/// What a person reads first.
pub const README: &str = "README.txt";
/// What a person looks at.
pub const REPORT: &str = "report.html";
/// The folder of the bodies.
pub const BODIES: &str = "bodies";
/// What an export keeps for itself until it is complete.
pub const STATE: &str = ".atlaudit";

/// Folders within each other: `bodies` and a source's.
const MAX_DEPTH: usize = 2;

/// What lies in a folder.
#[derive(Debug, Default)]
pub struct FolderListing {
    /// The paths of its plain files, with `/` between folders; in the order of their bytes.
    pub files: BTreeSet<String>,
    /// Its folders, the same way.
    pub folders: BTreeSet<String>,
    /// What is neither, or has a name that no text can hold; each with why it cannot be part of an
    /// export.
    pub unexpected: Vec<(String, &'static str)>,
    /// Whether it has the state of an unfinished export, which is no part of it.
    pub has_state: bool,
}

impl FolderListing {
    /// What lies in `dir`. No link is followed, and nothing but folders is opened.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn of(dir: &Path) -> Result<FolderListing, EvidenceError> {
        let mut listing = FolderListing::default();
        let mut open = vec![String::new()];
        while let Some(folder) = open.pop() {
            let path = dir.join(&folder);
            for entry in fs::read_dir(&path).map_err(failed("read", &path))? {
                let entry = entry.map_err(failed("read", &path))?;
                let kind = entry.file_type().map_err(failed("read", &path))?;
                let name = entry.file_name();
                let inside = |name: &str| match folder.as_str() {
                    "" => name.to_owned(),
                    folder => format!("{folder}/{name}"),
                };
                let Some(name) = name.to_str().map(inside) else {
                    let shown = inside(&name.to_string_lossy());
                    listing.unexpected.push((shown, "has a name that is not UTF-8"));
                    continue;
                };
                if name == STATE && kind.is_dir() {
                    listing.has_state = true;
                } else if kind.is_dir() && name.matches('/').count() >= MAX_DEPTH {
                    // Whatever is in it is no part of an export, and there is no end to how deep it
                    // may go.
                    let why = "is a folder that no export has; what is in it was not looked at";
                    listing.unexpected.push((name, why));
                } else if kind.is_dir() {
                    open.push(name.clone());
                    listing.folders.insert(name);
                } else if kind.is_file() {
                    listing.files.insert(name);
                } else if kind.is_symlink() {
                    listing.unexpected.push((name, "is a link, not a file"));
                } else {
                    listing.unexpected.push((name, "is neither a file nor a folder"));
                }
            }
        }
        listing.unexpected.sort();
        Ok(listing)
    }

    /// The files that the sums name: all but the sums and their signature.
    pub fn files_in_sums(&self) -> impl Iterator<Item = &String> {
        let files = self.files.iter();
        files.filter(|file| !matches!(file.as_str(), SUMS | SIGNATURE))
    }

    /// The files that the manifest names: all that are not made with it or from it.
    pub fn files_in_manifest(&self) -> impl Iterator<Item = &String> {
        let files = self.files_in_sums();
        files.filter(|file| !matches!(file.as_str(), MANIFEST | README | REPORT))
    }
}
