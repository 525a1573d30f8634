//! Reads the manifest, the sums and the signature, whatever they hold.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read as _};
use std::path::Path;

use serde::Deserialize;

use super::{ExportCheck, FindingLocation, MANIFEST, Manifest, SIGNATURE, SUMS, Signature};
use crate::evidence::hash::{ChecksumLine, parse_checksum_line};
use crate::evidence::manifest::SCHEMA;
use crate::evidence::packed_lines::open_regular_file;
use crate::evidence::sign::{self, PublicKey};
use crate::model::text::printable;

/// The longest manifest or sums that are read: some hundred bytes for each file and each thousand
/// events.
pub const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Lines that are reported each.
const MAX_REPORTED_LINES: u64 = 10;

/// Files that only the sums name and that are kept each: who removes files removes rarely more.
const MAX_UNKNOWN_FILES: u64 = 1000;

/// What SHA256SUMS says.
#[derive(Debug, Default)]
pub struct ChecksumTable {
    /// The hash of each file that it names.
    pub hashes: BTreeMap<String, String>,
    /// The line of each, from 1.
    pub lines: BTreeMap<String, u64>,
    /// Whether every line could be read.
    pub is_whole: bool,
}

/// What the plain file at `path` holds; refused where that is more than anyone would write there.
///
/// # Errors
/// It cannot be read, is no plain file, or is longer than `largest`.
pub fn read_limited(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular_file(path)?.take(largest + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > largest {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(bytes),
    }
}

impl ExportCheck<'_> {
    /// The bytes of a file of ours; where it cannot be had that is a difference.
    fn read_own_file(&mut self, file: &str, absent: &str) -> Option<Vec<u8>> {
        if !self.listing.files.contains(file) {
            self.findings.add(file, absent);
            return None;
        }
        match read_limited(&self.dir.join(file), MAX_FILE_BYTES) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                // What cannot be opened at all is reported where it is hashed.
                if error.kind() == io::ErrorKind::FileTooLarge {
                    self.findings.add(file, "is longer than any of its kind");
                }
                None
            }
        }
    }

    /// The manifest, where there is one that can be read.
    pub(super) fn load_manifest(&mut self) -> Option<Manifest> {
        let absent = match self.listing.has_state {
            true => "is missing: this export was never finished",
            false => "is missing",
        };
        let text = self.read_own_file(MANIFEST, absent)?;
        #[derive(Deserialize)]
        struct ManifestFormat {
            schema: String,
        }
        match serde_json::from_slice::<ManifestFormat>(&text) {
            Ok(format) if format.schema != SCHEMA => {
                let schema = printable(&format.schema);
                let what = format!("has the format `{schema}`; this atlaudit knows `{SCHEMA}`");
                self.findings.add(MANIFEST, what);
                return None;
            }
            _ => {}
        }
        match serde_json::from_slice(&text) {
            Ok(manifest) => Some(manifest),
            Err(error) => {
                let why = printable(&error.to_string());
                let what = format!("is not a manifest: {why}; its sources were not checked");
                self.findings.add(MANIFEST, what);
                None
            }
        }
    }

    /// Reads the sums. Of files that are neither there nor in the manifest only so many are kept.
    pub(super) fn load_sums(&mut self, manifest: Option<&Manifest>) {
        let absent = "is missing: either it was removed, or the export was never finished";
        let Some(bytes) = self.read_own_file(SUMS, absent) else {
            return;
        };
        let listed = manifest.iter().flat_map(|manifest| &manifest.files);
        let listed: HashSet<_> = listed.map(|entry| entry.file.as_str()).collect();
        let mut known = ChecksumTable::default();
        let (mut last, mut bad, mut strange) = (None::<String>, 0, 0);
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        for (number, line) in (1..).zip(lines) {
            let line = std::str::from_utf8(line).ok();
            let read = line.and_then(|line| parse_checksum_line(line.strip_suffix('\n')?));
            if let Some(ChecksumLine { file, .. }) = &read
                && !self.listing.files.contains(file)
                && !listed.contains(file.as_str())
            {
                strange += 1;
                if strange > MAX_UNKNOWN_FILES {
                    continue;
                }
            }
            let what = match read {
                None => "is no line of `sha256sum`, or has no end",
                Some(ChecksumLine { sha256, file }) => {
                    let before = last.replace(file.clone());
                    known.lines.insert(file.clone(), number);
                    let earlier = known.hashes.insert(file.clone(), sha256);
                    match before {
                        _ if earlier.is_some() => "names a file that another line names too",
                        Some(before) if before > file => "is not in order",
                        _ => continue,
                    }
                }
            };
            bad += 1;
            if bad <= MAX_REPORTED_LINES {
                self.findings.add_at(SUMS, FindingLocation::Line(number), what);
            }
        }
        if bad > MAX_REPORTED_LINES {
            let what = format!(
                "{} more of its lines are not as they are written",
                bad - MAX_REPORTED_LINES
            );
            self.findings.add(SUMS, what);
        }
        if strange > MAX_UNKNOWN_FILES {
            let what = format!(
                "names {} more files that are neither there nor in manifest.json",
                strange - MAX_UNKNOWN_FILES
            );
            self.findings.add(SUMS, what);
        }
        known.is_whole = bad == 0;
        self.sums = Some(known);
    }
}

/// The longest signature that is read; `minisign` allows 8 KiB for its comments.
const MAX_SIGNATURE_BYTES: u64 = 64 * 1024;

impl ExportCheck<'_> {
    /// Checks the signature with `key`.
    pub(super) fn check_signature(&mut self, key: Option<&PublicKey>) -> Signature {
        let is_there = self.listing.files.contains(SIGNATURE);
        let text = match is_there {
            true => read_limited(&self.dir.join(SIGNATURE), MAX_SIGNATURE_BYTES).ok(),
            false => None,
        };
        let text = text.map(|text| String::from_utf8_lossy(&text).into_owned());
        let signer = text.as_deref().and_then(sign::signing_key_id);
        let what = match (key, text) {
            (None, None) if !is_there => return Signature::None,
            (None, _) if signer.is_some() => return Signature::NotChecked(signer),
            (None, _) => "is not a signature as `minisign` writes it".to_owned(),
            (Some(_), None) if !is_there => "is missing: there is no signature to check".to_owned(),
            (Some(_), None) => "cannot be read, or is longer than any signature".to_owned(),
            (Some(key), Some(text)) => {
                let sums = match self.sums {
                    None => None,
                    Some(_) => read_limited(&self.dir.join(SUMS), MAX_FILE_BYTES).ok(),
                };
                let Some(sums) = sums else {
                    // That they are missing was reported.
                    return Signature::Bad;
                };
                match key.check(&text, &sums) {
                    Ok(says) => {
                        return Signature::Good { key: key.id(), says };
                    }
                    Err(error) => error.to_string(),
                }
            }
        };
        self.findings.add(SIGNATURE, what);
        Signature::Bad
    }
}
