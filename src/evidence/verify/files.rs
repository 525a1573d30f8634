//! Compares every file with what SHA256SUMS and the manifest say of it, and names the one of the
//! three that disagrees with the other two; and recreates the files that are made from the
//! manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::SourceSurvey;
use super::load::read_limited;
use super::{ExportCheck, FindingLocation, MANIFEST, Manifest, README, REPORT, SIGNATURE, SUMS};
use crate::evidence::chain::ChainKind;
use crate::evidence::manifest::FileEntry;
use crate::evidence::survey::path_of;
use crate::evidence::{export_report, readme};
use crate::model::text::printable;

/// The longest README that is read.
const MAX_README_BYTES: u64 = 64 * 1024 * 1024;

/// The file that was changed, and what is said of it.
type FileFinding<'a> = Option<(&'a str, String)>;

impl ExportCheck<'_> {
    /// Compares every file that is there, or is named.
    pub(super) fn check_files(&mut self, manifest: Option<&Manifest>) {
        let mut listed: BTreeMap<&str, &FileEntry> = BTreeMap::new();
        for entry in manifest.iter().flat_map(|manifest| &manifest.files) {
            if listed.insert(&entry.file, entry).is_some() {
                let what = format!("names `{}` twice", printable(&entry.file));
                self.findings.add(MANIFEST, what);
            }
        }
        let sums = self.sums.as_ref();
        let summed = sums.iter().flat_map(|sums| sums.hashes.keys());
        let mut all: BTreeSet<String> = self.listing.files.iter().cloned().collect();
        all.extend(summed.cloned());
        all.extend(listed.keys().map(|file| (*file).to_owned()));
        // Every export has them; one that was never finished lacks more than these.
        if manifest.is_some() || !self.listing.has_state {
            all.extend([README, REPORT].map(str::to_owned));
        }
        for file in &all {
            let is_named = self.expected_hash(file).is_some();
            // What cannot be read was reported when it was hashed.
            if self.listing.files.contains(file) && self.actual_hash(file).is_none() {
                continue;
            }
            let found = match file.as_str() {
                SUMS | SIGNATURE if !is_named => None,
                SUMS | SIGNATURE => Some((SUMS, format!("names `{file}`, which it cannot cover"))),
                MANIFEST | README | REPORT => self.compare_derived_file(file),
                _ => {
                    let entry = listed.get(file.as_str()).copied();
                    self.compare_listed_file(file, entry, manifest.is_some())
                }
            };
            let lines = self.sums.as_ref().map(|sums| &sums.lines);
            match found {
                None => {}
                Some((SUMS, what)) => {
                    let line = lines.and_then(|lines| lines.get(file));
                    let place = line.map_or(FindingLocation::File, |at| FindingLocation::Line(*at));
                    self.findings.add_at(SUMS, place, what);
                }
                Some((changed, what)) => self.findings.add(changed, what),
            }
        }
    }

    /// Of a file that the manifest names or should name. Two of the three outvote the third, but
    /// for a manifest that is as SHA256SUMS says: then the file was changed together with
    /// SHA256SUMS.
    fn compare_listed_file<'a>(
        &self,
        file: &'a str,
        entry: Option<&FileEntry>,
        has_manifest: bool,
    ) -> FileFinding<'a> {
        let actual = self.actual_hash(file);
        // Where one of the two is not there, the other one stands for it.
        let (summed, listed) = match (&self.sums, has_manifest) {
            (Some(_), true) => (self.expected_hash(file), entry.map(|entry| &*entry.sha256)),
            (None, true) => {
                let listed = entry.map(|entry| &*entry.sha256);
                (listed, listed)
            }
            // Only damaged sums could have named it.
            (Some(sums), false) if !sums.is_whole && self.expected_hash(file).is_none() => {
                return None;
            }
            (Some(_), false) => (self.expected_hash(file), self.expected_hash(file)),
            (None, false) => return None,
        };
        let changed = |what: &str| Some((file, what.to_owned()));
        match (actual == summed, actual == listed) {
            (true, true) => {
                let there = self.actual.get(file).map(|actual| actual.bytes);
                let is_other = entry.is_some_and(|entry| Some(entry.bytes) != there);
                is_other
                    .then(|| (MANIFEST, format!("has another length for `{}`", printable(file))))
            }
            (false, true) => {
                Some((SUMS, disagreement(file, summed, "the folder and manifest.json", actual)))
            }
            (true, false) if self.is_manifest_suspect => {
                Some((MANIFEST, disagreement(file, listed, "the folder and SHA256SUMS", actual)))
            }
            _ if actual.is_none() => changed("is missing"),
            _ if listed.is_none() && summed.is_some() => {
                changed("was added: manifest.json does not name it, though SHA256SUMS does")
            }
            _ if listed.is_none() => {
                changed("was added: neither SHA256SUMS nor manifest.json names it")
            }
            (true, false) => {
                changed("was changed: SHA256SUMS has its hash, but manifest.json another")
            }
            _ => changed("modified: SHA-256 does not match"),
        }
    }

    /// Of the manifest and what is made from it, which the manifest cannot name. Whether they are
    /// what the other files make stands for its word.
    fn compare_derived_file<'a>(&self, file: &'a str) -> FileFinding<'a> {
        let (actual, summed) = (self.actual_hash(file), self.expected_hash(file));
        let is_correct = self.derived.is_correct(file);
        let changed = |what: &str| Some((file, what.to_owned()));
        if actual.is_none() {
            // That the manifest is missing was reported when it was read.
            return changed("is missing").filter(|_| file != MANIFEST);
        }
        if self.sums.is_some() && summed != actual {
            return match summed.is_none() || is_correct == Some(true) {
                true => Some((SUMS, disagreement(file, summed, "the other files", actual))),
                false => changed("modified: SHA-256 does not match"),
            };
        }
        let is_readme_changed = || self.expected_hash(README) != self.actual_hash(README);
        match is_correct {
            _ if self.is_manifest_suspect => None,
            Some(false) if file != MANIFEST => {
                changed("is not what follows from manifest.json: one of the two was changed")
            }
            Some(false) if !is_readme_changed() => {
                changed("is not what README.txt was made from: one of the two was changed")
            }
            _ => None,
        }
    }
}

/// What one says of `file`, and what the others say.
fn disagreement(file: &str, one: Option<&str>, others: &str, other: Option<&str>) -> String {
    let claim = |hash: Option<&str>| match hash {
        None => "nothing".to_owned(),
        Some(hash) => {
            let start: String = hash.chars().take(12).collect();
            format!("SHA-256 {}…", printable(&start))
        }
    };
    let (file, one, other) = (printable(file), claim(one), claim(other));
    format!("has {one} for `{file}`; {others} have {other}")
}

/// Whether the files that no other file has a hash of are as the other files say; unknown where
/// that is not known.
#[derive(Debug, Default)]
pub struct DerivedFileCheck {
    manifest: Option<bool>,
    readme: Option<bool>,
    report: Option<bool>,
}

impl DerivedFileCheck {
    fn is_correct(&self, file: &str) -> Option<bool> {
        match file {
            MANIFEST => self.manifest,
            README => self.readme,
            REPORT => self.report,
            _ => None,
        }
    }

    /// Recreates them, and compares.
    pub fn run(
        check: &mut ExportCheck<'_>,
        manifest: Option<&Manifest>,
        found: &[Option<SourceSurvey>],
    ) -> DerivedFileCheck {
        let mut derived = DerivedFileCheck::default();
        let Some(sha256) = check.actual_hash(MANIFEST).map(str::to_owned) else {
            return derived;
        };
        let has_readme = check.listing.files.contains(README);
        let path = check.dir.join(README);
        let readme = has_readme.then(|| read_limited(&path, MAX_README_BYTES).ok()).flatten();
        let names_manifest =
            |text: &Vec<u8>| memchr::memmem::find(text, sha256.as_bytes()).is_some();
        derived.manifest = readme.as_ref().map(names_manifest);
        let Some(manifest) = manifest else {
            return derived;
        };
        let (by, ours) = (&manifest.made_by.version, env!("CARGO_PKG_VERSION"));
        if by != ours {
            let by = printable(by);
            check.not_checked.push(format!(
                "{README}, {REPORT}: atlaudit {by} made them, and {ours} may word them otherwise; \
                 only their hashes were checked"
            ));
            return derived;
        }
        derived.readme = readme.map(|text| text == readme::text(manifest, &sha256).as_bytes());
        // What unpacks to more than the manifest says is not unpacked a second time.
        let is_whole = |found: &SourceSurvey| !found.events.file.is_broken;
        if found.iter().flatten().all(is_whole) && can_recreate_report(check, manifest) {
            derived.report = is_report_correct(check.dir, manifest);
        }
        derived
    }
}

/// Whether report.html can be recreated. It shows the events: where these were changed, or cannot
/// be read, it differs too.
fn can_recreate_report(check: &ExportCheck<'_>, manifest: &Manifest) -> bool {
    let listing = check.listing;
    let mut sources = manifest.sources.iter();
    let are_as_listed = sources.all(|source| {
        let entry = &source.events;
        let is_there = listing.files.contains(&entry.file);
        // A name from a changed manifest leads anywhere.
        let is_own = entry.file == path_of(ChainKind::Events, &source.facts.name);
        let actual = check.actual_hash(&entry.file).unwrap_or_default();
        is_own && is_there != entry.sha256.is_empty() && actual == entry.sha256
    });
    are_as_listed && listing.unexpected.is_empty() && listing.files.contains(REPORT)
}

/// Whether report.html is what the manifest and the events make; unknown where it cannot be read.
fn is_report_correct(dir: &Path, manifest: &Manifest) -> Option<bool> {
    let page = export_report::html(dir, manifest);
    match read_limited(&dir.join(REPORT), page.len() as u64) {
        Ok(file) => Some(file == page.as_bytes()),
        Err(error) => (error.kind() == io::ErrorKind::FileTooLarge).then_some(false),
    }
}
