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
/// The alerts, where the events were judged.
pub const ALERTS: &str = "alerts.jsonl";
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
                let shown = match folder.as_str() {
                    "" => name.to_string_lossy().into_owned(),
                    folder => format!("{folder}/{}", name.to_string_lossy()),
                };
                let why = if name.to_str().is_none() {
                    "has a name that is not UTF-8"
                } else if kind.is_file() {
                    listing.files.insert(shown);
                    continue;
                } else if shown == STATE && kind.is_dir() {
                    listing.has_state = true;
                    continue;
                } else if kind.is_dir() && shown.matches('/').count() >= MAX_DEPTH {
                    // There is no end to how deep it may go.
                    "is a folder that no export has; what is in it was not looked at"
                } else if kind.is_dir() {
                    open.push(shown.clone());
                    listing.folders.insert(shown);
                    continue;
                } else if kind.is_symlink() {
                    "is a link, not a file"
                } else {
                    "is neither a file nor a folder"
                };
                listing.unexpected.push((shown, why));
            }
        }
        listing.unexpected.sort();
        Ok(listing)
    }

    /// The files that the manifest names: all that are not made with it, from it or after
    /// it.
    pub fn files_in_manifest(&self) -> impl Iterator<Item = &String> {
        let others = [SUMS, SIGNATURE, MANIFEST, README, REPORT];
        self.files.iter().filter(move |file| !others.contains(&file.as_str()))
    }
}
