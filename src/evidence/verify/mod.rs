//! Verifies an export: everything that can be computed is recomputed, without the network, and
//! every difference is reported with its file.

mod files;
mod finding;
mod load;
mod manifest_check;
mod source;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

pub use finding::{CheckedCounts, FindingLocation, Signature, VerifyFinding, VerifyResult};
pub use load::{MAX_FILE_BYTES, read_limited};

use super::error::{EvidenceError, failed};
use super::folder::{BODIES, FolderListing, MANIFEST, README, REPORT, SIGNATURE, STATE, SUMS};
use super::hash::{self, FileDigest};
use super::manifest::{Manifest, SourceEntry};
use super::sign::PublicKey;
use super::survey::SourceSurvey;
use files::DerivedFileCheck;
use finding::FindingList;
use load::ChecksumTable;

/// What is gathered while checking.
struct ExportCheck<'a> {
    dir: &'a Path,
    listing: &'a FolderListing,
    findings: FindingList,
    not_checked: Vec<String>,
    counts: CheckedCounts,
    /// What the files are that could be read.
    actual: BTreeMap<String, FileDigest>,
    /// What SHA256SUMS says; nothing where it is not there.
    sums: Option<ChecksumTable>,
    /// Whether SHA256SUMS has another hash for the manifest: one of the two was changed.
    is_manifest_suspect: bool,
    /// Whether what is made from the manifest is what it makes.
    derived: DerivedFileCheck,
}

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
        _ => {
            let path = dir.to_owned();
            return Err(EvidenceError::NoFolder { path });
        }
    }
    let listing = FolderListing::of(dir)?;
    if !is_export(&listing) {
        let path = dir.to_owned();
        return Err(EvidenceError::NoExport { path });
    }
    let mut check = ExportCheck {
        dir,
        listing: &listing,
        findings: FindingList::default(),
        not_checked: Vec::new(),
        counts: CheckedCounts::default(),
        actual: BTreeMap::new(),
        sums: None,
        is_manifest_suspect: false,
        derived: DerivedFileCheck::default(),
    };
    let manifest = check.load_manifest();
    check.load_sums(manifest.as_ref());
    let found = manifest.as_ref().map(|manifest| check.survey(manifest)).unwrap_or_default();
    check.hash_other_files();
    check.compare_manifest_hash();
    check.derived = DerivedFileCheck::run(&mut check, manifest.as_ref(), &found);
    check.check_folders(manifest.as_ref());
    check.check_files(manifest.as_ref());
    if let Some(manifest) = &manifest {
        check.check_lines(manifest, &found);
        check.check_facts(manifest);
        check.check_spans(manifest, &found);
        check.check_manifest(manifest, &found);
        check.check_bodies(manifest, &found);
    }
    let signature = check.check_signature(key);
    Ok(check.finish(manifest.as_ref(), signature))
}

fn is_export(listing: &FolderListing) -> bool {
    let has = |file: &str| listing.files.contains(file);
    let has_folder = |folder: &str| listing.folders.contains(folder);
    listing.has_state
        || has(MANIFEST)
        || has(SUMS)
        || (has_folder("events") && has_folder("pages"))
        || (has_folder("events") && has(README))
}

impl ExportCheck<'_> {
    /// Surveys the files of lines, a source each.
    fn survey(&mut self, manifest: &Manifest) -> Vec<Option<SourceSurvey>> {
        let files = manifest.files.iter().map(|entry| entry.file.as_str());
        let bodies: HashSet<_> = files.filter(|file| file.starts_with("bodies/")).collect();
        let mut seen = HashSet::new();
        let mut one = |source: &SourceEntry| {
            // A source that is described twice is reported elsewhere; its files are read once.
            let is_new = seen.insert(source.facts.name.clone());
            is_new.then(|| self.survey_one(&manifest.asked, source, &bodies))?
        };
        manifest.sources.iter().map(&mut one).collect()
    }

    /// Hashes what no survey has read.
    fn hash_other_files(&mut self) {
        for file in &self.listing.files {
            if self.actual.contains_key(file) {
                continue;
            }
            match hash::digest_file(&self.dir.join(file)) {
                Ok(summed) => self.record_file(file, summed),
                Err(error) => self.findings.add(file, format!("cannot be read: {error}")),
            }
        }
    }

    /// Remembers what a file is.
    fn record_file(&mut self, file: &str, summed: FileDigest) {
        self.counts.files += 1;
        self.counts.bytes += summed.bytes;
        self.actual.insert(file.to_owned(), summed);
    }

    /// What SHA256SUMS says of `file`.
    fn expected_hash(&self, file: &str) -> Option<&str> {
        self.sums.as_ref()?.hashes.get(file).map(String::as_str)
    }

    /// The hash that `file` has.
    fn actual_hash(&self, file: &str) -> Option<&str> {
        self.actual.get(file).map(|summed| summed.sha256.as_str())
    }

    fn compare_manifest_hash(&mut self) {
        let (said, actual) = (self.expected_hash(MANIFEST), self.actual_hash(MANIFEST));
        self.is_manifest_suspect = said.is_some() && said != actual;
    }

    /// Folders that no export has, and what is neither file nor folder.
    fn check_folders(&mut self, manifest: Option<&Manifest>) {
        for (name, why) in &self.listing.unexpected {
            self.findings.add(name, *why);
        }
        let Some(manifest) = manifest else { return };
        for folder in &self.listing.folders {
            let is_body = folder == BODIES
                || folder.strip_prefix("bodies/").is_some_and(|name| {
                    manifest.sources.iter().any(|source| source.facts.name == name)
                });
            let is_known = matches!(folder.as_str(), "events" | "pages");
            if !(is_known || is_body && manifest.asked.keep_bodies) {
                self.findings.add(folder, "was added: this export has no such folder");
            }
        }
        if self.listing.has_state && manifest.complete {
            let what = "only an export that is not finished has this folder: either it was \
                        added, or a run was stopped before it had removed it; then repeat the \
                        `export` command: it removes it";
            self.findings.add(STATE, what);
        }
    }

    fn finish(self, manifest: Option<&Manifest>, signature: Signature) -> VerifyResult {
        let mut not_checked = self.not_checked;
        let is_complete = manifest.map(|manifest| manifest.complete);
        let has_manifest = self.listing.files.contains(MANIFEST);
        let is_unfinished = self.listing.has_state && !has_manifest;
        if self.listing.has_state && is_complete == Some(false) {
            not_checked
                .push(format!("{STATE}: it is kept for going on, and no part of the export"));
        }
        VerifyResult {
            sums_sha256: self.actual.get(SUMS).map(|summed| summed.sha256.clone()),
            findings: self.findings.into_sorted(),
            not_checked,
            counts: self.counts,
            is_complete,
            is_unfinished,
            missing: manifest.map(manifest_check::missing).unwrap_or_default(),
            not_available: manifest.map(manifest_check::not_available).unwrap_or_default(),
            signature,
        }
    }
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
