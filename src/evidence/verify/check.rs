//! The check of an export while it runs: its findings, and the hash that each file has and should
//! have; and the manifest, the sums and the signature, whatever they hold.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::evidence::folder::{FolderListing, MANIFEST, SIGNATURE, SUMS};
use crate::evidence::hash::{self, FileDigest, parse_checksum_line};
use crate::evidence::manifest::{Manifest, SCHEMA};
use crate::evidence::packed_lines::open_regular_file;
use crate::evidence::sign::{self, PublicKey};
use crate::model::text::printable;

/// The longest manifest or sums that are read: some hundred bytes for each file and each thousand
/// events.
pub const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;
/// The longest signature that is read; `minisign` allows 8 KiB for its comments.
const MAX_SIGNATURE_BYTES: u64 = 64 * 1024;
/// Lines of the sums that are reported each.
const MAX_REPORTED_LINES: u64 = 10;
/// Files that only the sums name and that are kept each: who removes files removes rarely more.
const MAX_UNKNOWN_FILES: u64 = 1000;

/// Where in its file a difference lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingLocation {
    /// Somewhere, or all of it.
    File,
    /// In a line, from 1.
    Line(u64),
    /// In one of these lines.
    Lines(u64, u64),
}

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyFinding {
    /// The file, by its path within the export.
    pub file: String,
    /// Where in it.
    pub location: FindingLocation,
    /// What differs.
    pub what: String,
}

impl fmt::Display for VerifyFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", printable(&self.file))?;
        match self.location {
            FindingLocation::File => {}
            FindingLocation::Line(line) => write!(f, "line {line}: ")?,
            FindingLocation::Lines(first, last) => write!(f, "lines {first} to {last}: ")?,
        }
        f.write_str(&self.what)
    }
}

/// The differences, in the order in which they were found.
#[derive(Debug, Default)]
pub struct FindingList(Vec<VerifyFinding>);

impl FindingList {
    /// `file` differs: `what`.
    pub fn add(&mut self, file: &str, what: impl Into<String>) {
        self.add_at(file, FindingLocation::File, what);
    }

    /// `file` differs at `place`: `what`.
    pub fn add_at(&mut self, file: &str, place: FindingLocation, what: impl Into<String>) {
        self.0.push(VerifyFinding { file: file.to_owned(), location: place, what: what.into() });
    }

    /// All of them, those of a file together, in the order of the files' first ones.
    pub fn into_sorted(self) -> Vec<VerifyFinding> {
        let mut order = HashMap::new();
        for finding in &self.0 {
            let next = order.len();
            order.entry(finding.file.clone()).or_insert(next);
        }
        let mut all = self.0;
        all.sort_by_key(|finding| order.get(&finding.file).copied());
        all
    }
}

/// What is known of the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signature {
    /// There is none, and none was requested.
    None,
    /// There is one, and no public key to check it with. The key that it names.
    NotChecked(Option<String>),
    /// It is good: the key, and what the signature says of itself.
    Good {
        /// The key's number.
        key: String,
        /// Its trusted comment.
        says: String,
    },
    /// It is missing or wrong: a difference says how.
    Bad,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CheckedCounts {
    /// Files whose hash was computed.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Sources.
    pub sources: u64,
    /// Lines of events.
    pub events: u64,
    /// Lines of responses.
    pub pages: u64,
    /// Bodies of responses.
    pub bodies: u64,
}

/// What `verify` found.
#[derive(Debug)]
pub struct VerifyResult {
    /// The differences; none where all is well.
    pub findings: Vec<VerifyFinding>,
    /// What could not be checked, and why.
    pub not_checked: Vec<String>,
    /// How much was looked at.
    pub counts: CheckedCounts,
    /// Whether the export says that it is complete; unknown without a manifest.
    pub is_complete: Option<bool>,
    /// Whether it was never finished: it has no manifest, but the state of a run that may go on.
    pub is_unfinished: bool,
    /// What it says is missing, a line each.
    pub missing: Vec<String>,
    /// What it says its sources no longer kept, a line each.
    pub not_available: Vec<String>,
    /// The signature.
    pub signature: Signature,
    /// The SHA-256 of SHA256SUMS, in hex: the one number that stands for all of it.
    pub sums_sha256: Option<String>,
}

/// What SHA256SUMS says.
#[derive(Debug, Default)]
pub struct ChecksumTable {
    /// The line and the hash of each file that it names.
    pub entries: BTreeMap<String, (u64, String)>,
    /// Whether every line could be read.
    pub is_whole: bool,
}

/// What is gathered while checking.
pub struct ExportCheck<'a> {
    /// The export's folder.
    pub dir: &'a Path,
    /// What lies in it.
    pub listing: &'a FolderListing,
    /// The differences so far.
    pub findings: FindingList,
    /// What could not be checked, and why.
    pub not_checked: Vec<String>,
    /// How much was looked at.
    pub counts: CheckedCounts,
    /// The hashes of the files that could be read.
    pub actual: BTreeMap<String, FileDigest>,
    /// What SHA256SUMS says; nothing where it is not there.
    pub sums: Option<ChecksumTable>,
    /// Whether SHA256SUMS has another hash for the manifest: one of the two was changed.
    pub is_manifest_suspect: bool,
    /// Whether the files that no other file has a hash of are as the other files say; where that is
    /// known.
    pub derived: BTreeMap<&'static str, bool>,
}

impl<'a> ExportCheck<'a> {
    /// A check of the export in `dir` that has found nothing yet.
    pub fn new(dir: &'a Path, listing: &'a FolderListing) -> ExportCheck<'a> {
        ExportCheck {
            dir,
            listing,
            findings: FindingList::default(),
            not_checked: Vec::new(),
            counts: CheckedCounts::default(),
            actual: BTreeMap::new(),
            sums: None,
            is_manifest_suspect: false,
            derived: BTreeMap::new(),
        }
    }

    /// The hash that SHA256SUMS says `file` has.
    pub fn expected_hash(&self, file: &str) -> Option<&str> {
        self.sums.as_ref()?.entries.get(file).map(|(_, sha256)| sha256.as_str())
    }

    /// The hash that `file` has.
    pub fn actual_hash(&self, file: &str) -> Option<&str> {
        self.actual.get(file).map(|digest| digest.sha256.as_str())
    }

    /// Remembers what a file is.
    pub fn record_file(&mut self, file: &str, digest: FileDigest) {
        self.counts.files += 1;
        self.counts.bytes += digest.bytes;
        self.actual.insert(file.to_owned(), digest);
    }

    /// Hashes what no survey has read.
    pub fn hash_other_files(&mut self) {
        for file in &self.listing.files {
            if self.actual.contains_key(file) {
                continue;
            }
            match hash::digest_file(&self.dir.join(file)) {
                Ok(digest) => self.record_file(file, digest),
                Err(error) => self.findings.add(file, format!("cannot be read: {error}")),
            }
        }
        let said = self.expected_hash(MANIFEST);
        self.is_manifest_suspect = said.is_some() && said != self.actual_hash(MANIFEST);
    }

    /// The bytes of the manifest or the sums; where they cannot be had that is a difference.
    fn read_own_file(&mut self, file: &str, absent: &str) -> Option<Vec<u8>> {
        if !self.listing.files.contains(file) {
            self.findings.add(file, absent);
            return None;
        }
        let read = read_limited(&self.dir.join(file), MAX_FILE_BYTES);
        // What cannot be opened at all is reported where it is hashed.
        if read.as_ref().is_err_and(|error| error.kind() == ErrorKind::FileTooLarge) {
            self.findings.add(file, "is longer than any of its kind");
        }
        read.ok()
    }

    /// The manifest, where there is one that can be read.
    pub fn load_manifest(&mut self) -> Option<Manifest> {
        #[derive(Deserialize)]
        struct ManifestFormat {
            schema: String,
        }
        let absent = match self.listing.has_state {
            true => "is missing: this export was never finished",
            false => "is missing",
        };
        let text = self.read_own_file(MANIFEST, absent)?;
        let format = serde_json::from_slice::<ManifestFormat>(&text);
        let what = match (format, serde_json::from_slice(&text)) {
            (Ok(ManifestFormat { schema }), _) if schema != SCHEMA => {
                let schema = printable(&schema);
                format!("has the format `{schema}`; this atlaudit knows `{SCHEMA}`")
            }
            (_, Ok(manifest)) => return Some(manifest),
            (_, Err(error)) => {
                let why = printable(&error.to_string());
                format!("is not a manifest: {why}; its sources were not checked")
            }
        };
        self.findings.add(MANIFEST, what);
        None
    }

    /// Reads the sums. Of files that are neither there nor in the manifest only so many are kept.
    pub fn load_sums(&mut self, manifest: Option<&Manifest>) {
        let absent = "is missing: either it was removed, or the export was never finished";
        let Some(bytes) = self.read_own_file(SUMS, absent) else {
            return;
        };
        let listed = manifest.iter().flat_map(|manifest| &manifest.files);
        let listed: HashSet<_> = listed.map(|entry| entry.file.as_str()).collect();
        let is_known =
            |file: &String| self.listing.files.contains(file) || listed.contains(file.as_str());
        let mut entries = BTreeMap::new();
        let (mut last, mut bad, mut strange) = (None::<String>, 0, 0);
        for (number, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            let line = std::str::from_utf8(line).ok();
            let read = line.and_then(|line| parse_checksum_line(line.strip_suffix('\n')?));
            strange += u64::from(read.as_ref().is_some_and(|(file, _)| !is_known(file)));
            let what = match read {
                None => "is no line of `sha256sum`, or has no end",
                Some((file, _)) if !is_known(&file) && strange > MAX_UNKNOWN_FILES => continue,
                Some((file, sha256)) => {
                    let before = last.replace(file.clone());
                    match entries.insert(file.clone(), (number, sha256)) {
                        Some(_) => "names a file that another line names too",
                        None if before.is_some_and(|before| before > file) => "is not in order",
                        None => continue,
                    }
                }
            };
            bad += 1;
            if bad <= MAX_REPORTED_LINES {
                self.findings.add_at(SUMS, FindingLocation::Line(number), what);
            }
        }
        if bad > MAX_REPORTED_LINES {
            let more = bad - MAX_REPORTED_LINES;
            let what = format!("{more} more of its lines are not as they are written");
            self.findings.add(SUMS, what);
        }
        if strange > MAX_UNKNOWN_FILES {
            let more = strange - MAX_UNKNOWN_FILES;
            let what =
                format!("names {more} more files that are neither there nor in manifest.json");
            self.findings.add(SUMS, what);
        }
        self.sums = Some(ChecksumTable { entries, is_whole: bad == 0 });
    }

    /// Checks the signature with `key`.
    pub fn check_signature(&mut self, key: Option<&PublicKey>) -> Signature {
        let is_there = self.listing.files.contains(SIGNATURE);
        let text = read_limited(&self.dir.join(SIGNATURE), MAX_SIGNATURE_BYTES).ok();
        let text = text.map(|text| String::from_utf8_lossy(&text).into_owned());
        let what = match (key, text) {
            (None, None) if !is_there => return Signature::None,
            (None, text) => match text.as_deref().and_then(sign::signing_key_id) {
                None => "is not a signature as `minisign` writes it".to_owned(),
                signer => return Signature::NotChecked(signer),
            },
            (Some(_), None) if !is_there => "is missing: there is no signature to check".to_owned(),
            (Some(_), None) => "cannot be read, or is longer than any signature".to_owned(),
            (Some(key), Some(text)) => {
                let sums = self.sums.as_ref();
                let sums =
                    sums.and_then(|_| read_limited(&self.dir.join(SUMS), MAX_FILE_BYTES).ok());
                // That they are missing was reported.
                let Some(sums) = sums else { return Signature::Bad };
                match key.check(&text, &sums) {
                    Ok(says) => return Signature::Good { key: key.id(), says },
                    Err(error) => error,
                }
            }
        };
        self.findings.add(SIGNATURE, what);
        Signature::Bad
    }
}

/// What the plain file at `path` holds; refused where that is more than anyone would write there.
///
/// # Errors
/// It cannot be read, is no plain file, or is longer than `largest`.
pub fn read_limited(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular_file(path)?.take(largest + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > largest {
        true => Err(ErrorKind::FileTooLarge.into()),
        false => Ok(bytes),
    }
}
