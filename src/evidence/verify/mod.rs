//! Verifies an export: everything that can be computed is recomputed, without the network, and
//! every difference is reported with its file.

mod check;
mod files;
mod manifest_check;
mod source;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

pub use check::{
    FindingLocation, MAX_FILE_BYTES, Signature, VerifyFinding, VerifyResult, read_limited,
};

use super::error::{EvidenceError, failed};
use super::folder::{FolderListing, MANIFEST, README, STATE, SUMS};
use super::manifest::Manifest;
use super::sign::PublicKey;
use check::ExportCheck;

/// Checks the export at `dir`, its signature with `key`.
///
/// # Errors
/// It is no export, or a folder of it cannot be read. Whatever is wrong with an export's files is
/// no error, but found.
pub fn verify(dir: &Path, key: Option<&PublicKey>) -> Result<VerifyResult, EvidenceError> {
    match fs::metadata(dir) {
        Ok(facts) if facts.is_dir() => {}
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(failed("read", dir)(error));
        }
        _ => return Err(EvidenceError::NoFolder(dir.to_owned())),
    }
    let listing = FolderListing::of(dir)?;
    if !is_export(&listing) {
        return Err(EvidenceError::NoExport(dir.to_owned()));
    }
    let mut check = ExportCheck::new(dir, &listing);
    let manifest = check.load_manifest();
    let manifest = manifest.as_ref();
    check.load_sums(manifest);
    let found = manifest.map(|manifest| check.survey(manifest)).unwrap_or_default();
    check.hash_other_files();
    check.recreate_files(manifest, &found);
    check.check_folders(manifest);
    check.check_files(manifest);
    if let Some(manifest) = manifest {
        check.check_lines(manifest, &found);
        check.check_facts(manifest);
        check.check_spans(manifest, &found);
        check.check_manifest(manifest, &found);
        check.check_bodies(manifest, &found);
    }
    let signature = check.check_signature(key);
    let is_complete = manifest.map(|manifest| manifest.complete);
    if listing.has_state && is_complete == Some(false) {
        let what = format!("{STATE}: it is kept for going on, and no part of the export");
        check.not_checked.push(what);
    }
    Ok(VerifyResult {
        sums_sha256: check.actual_hash(SUMS).map(str::to_owned),
        findings: check.findings.into_sorted(),
        not_checked: check.not_checked,
        counts: check.counts,
        is_complete,
        is_unfinished: listing.has_state && !listing.files.contains(MANIFEST),
        missing: manifest.map(manifest_check::missing).unwrap_or_default(),
        not_available: manifest.map(manifest_check::not_available).unwrap_or_default(),
        signature,
    })
}

fn is_export(listing: &FolderListing) -> bool {
    let has = |file: &str| listing.files.contains(file);
    let has_folder = |folder: &str| listing.folders.contains(folder);
    listing.has_state
        || has(MANIFEST)
        || has(SUMS)
        || has_folder("events") && (has_folder("pages") || has(README))
}

/// The manifest of the export in `dir`, if it has one that can be read.
pub fn manifest(dir: &Path) -> Option<Manifest> {
    let text = read_limited(&dir.join(MANIFEST), MAX_FILE_BYTES).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod manifest_tests;
#[cfg(test)]
mod random_tests;
#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
