//! Compares every file with what SHA256SUMS and the manifest say of it, and names the one of the
//! three that disagrees with the other two; and recreates the files that are made from the
//! manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;

use super::check::{ExportCheck, FindingLocation, read_limited};
use crate::evidence::folder::{ALERTS, BODIES, MANIFEST, README, REPORT, SIGNATURE, STATE, SUMS};
use crate::evidence::hash::ChainKind;
use crate::evidence::manifest::{FileEntry, Manifest};
use crate::evidence::survey::{SourceSurvey, path_of};
use crate::evidence::{export_report, readme};
use crate::model::text::printable;

/// The longest README that is read.
const MAX_README_BYTES: u64 = 64 * 1024 * 1024;

/// The file that was changed, and what is said of it.
type FileFinding<'a> = Option<(&'a str, String)>;

impl ExportCheck<'_> {
    /// Compares every file that is there, or is named.
    pub fn check_files(&mut self, manifest: Option<&Manifest>) {
        let mut listed: BTreeMap<&str, &FileEntry> = BTreeMap::new();
        for entry in manifest.iter().flat_map(|manifest| &manifest.files) {
            if listed.insert(&entry.file, entry).is_some() {
                let what = format!("names `{}` twice", printable(&entry.file));
                self.findings.add(MANIFEST, what);
            }
        }
        let mut all: BTreeSet<&str> = self.listing.files.iter().map(String::as_str).collect();
        let summed = self.sums.iter().flat_map(|sums| sums.entries.keys());
        all.extend(summed.map(String::as_str));
        all.extend(listed.keys());
        // Every export has them; one that was never finished lacks more than these.
        if manifest.is_some() || !self.listing.has_state {
            all.extend([README, REPORT]);
        }
        for file in all {
            // What cannot be read was reported when it was hashed.
            if self.listing.files.contains(file) && self.actual_hash(file).is_none() {
                continue;
            }
            let found = match file {
                SUMS | SIGNATURE => self
                    .expected_hash(file)
                    .map(|_| (SUMS, format!("names `{file}`, which it cannot cover"))),
                MANIFEST | README | REPORT => self.compare_derived_file(file),
                _ => self.compare_listed_file(file, listed.get(file).copied(), manifest.is_some()),
            };
            let Some((changed, what)) = found else { continue };
            let line = self.sums.as_ref().and_then(|sums| sums.entries.get(file));
            let location = match line {
                Some((line, _)) if changed == SUMS => FindingLocation::Line(*line),
                _ => FindingLocation::File,
            };
            self.findings.add_at(changed, location, what);
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
        let (actual, summed) = (self.actual_hash(file), self.expected_hash(file));
        let listed = entry.map(|entry| entry.sha256.as_str());
        // Where one of the two is not there, the other one stands for it.
        let (summed, listed) = match (&self.sums, has_manifest) {
            (Some(_), true) => (summed, listed),
            (None, true) => (listed, listed),
            // Only damaged sums could have named it.
            (Some(sums), false) if !sums.is_whole && summed.is_none() => return None,
            (Some(_), false) => (summed, summed),
            (None, false) => return None,
        };
        if actual == listed && actual == summed {
            let bytes = self.actual.get(file).map(|actual| actual.bytes);
            let is_other = entry.is_some_and(|entry| Some(entry.bytes) != bytes);
            let what = || format!("has another length for `{}`", printable(file));
            return is_other.then(|| (MANIFEST, what()));
        }
        if actual == listed {
            let others = "the folder and manifest.json";
            return Some((SUMS, disagreement(file, summed, others, actual)));
        }
        if actual == summed && self.is_manifest_suspect {
            let others = "the folder and SHA256SUMS";
            return Some((MANIFEST, disagreement(file, listed, others, actual)));
        }
        let what = match (actual, listed, summed) {
            (None, ..) => "is missing",
            (_, None, None) => "was added: neither SHA256SUMS nor manifest.json names it",
            (_, None, _) => "was added: manifest.json does not name it, though SHA256SUMS does",
            _ if actual == summed => {
                "was changed: SHA256SUMS has its hash, but manifest.json another"
            }
            _ => "modified: SHA-256 does not match",
        };
        Some((file, what.to_owned()))
    }

    /// Of the manifest and what is made from it, which the manifest cannot name. Whether they are
    /// what the other files make stands for its word.
    fn compare_derived_file<'a>(&self, file: &'a str) -> FileFinding<'a> {
        let (actual, summed) = (self.actual_hash(file), self.expected_hash(file));
        let is_correct = self.derived.get(file).copied();
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
        if self.is_manifest_suspect || is_correct != Some(false) {
            return None;
        }
        if file != MANIFEST {
            return changed("is not what follows from manifest.json: one of the two was changed");
        }
        let what = "is not what README.txt was made from: one of the two was changed";
        let is_readme_summed = self.expected_hash(README) == self.actual_hash(README);
        changed(what).filter(|_| is_readme_summed)
    }

    /// Recreates the files that are made from the manifest, and compares them.
    pub fn recreate_files(&mut self, manifest: Option<&Manifest>, found: &[Option<SourceSurvey>]) {
        let Some(sha256) = self.actual_hash(MANIFEST).map(str::to_owned) else {
            return;
        };
        let readme = read_limited(&self.dir.join(README), MAX_README_BYTES).ok();
        if let Some(text) = &readme {
            let names_manifest = memchr::memmem::find(text, sha256.as_bytes()).is_some();
            self.derived.insert(MANIFEST, names_manifest);
        }
        let Some(manifest) = manifest else { return };
        let (by, ours) = (&manifest.made_by.version, env!("CARGO_PKG_VERSION"));
        if by != ours {
            let by = printable(by);
            self.not_checked.push(format!(
                "{README}, {REPORT}: atlaudit {by} made them, and {ours} may word them otherwise; \
                 only their hashes were checked"
            ));
            return;
        }
        if let Some(text) = readme {
            self.derived.insert(README, text == readme::text(manifest, &sha256).as_bytes());
        }
        if self.can_recreate_report(manifest, found) {
            let page = export_report::html(self.dir, manifest);
            let file = page.and_then(|page| {
                let file = read_limited(&self.dir.join(REPORT), page.len() as u64)?;
                Ok(file == page.as_bytes())
            });
            match file {
                Ok(is_same) => self.derived.insert(REPORT, is_same),
                Err(error) if error.kind() == ErrorKind::FileTooLarge => {
                    self.derived.insert(REPORT, false)
                }
                Err(_) => None,
            };
        }
    }

    /// Whether report.html can be recreated. It shows the events and the alerts: where these
    /// were changed, or cannot be read, it differs too.
    fn can_recreate_report(&self, manifest: &Manifest, found: &[Option<SourceSurvey>]) -> bool {
        let listing = self.listing;
        let are_as_listed = manifest.sources.iter().all(|source| {
            let entry = &source.events;
            let is_there = listing.files.contains(&entry.file);
            // A name from a changed manifest leads anywhere.
            let is_own = entry.file == path_of(ChainKind::Events, &source.facts.name);
            let actual = self.actual_hash(&entry.file).unwrap_or_default();
            is_own && is_there != entry.sha256.is_empty() && actual == entry.sha256
        });
        let mut alerts = manifest.files.iter().filter(|entry| entry.file == ALERTS);
        let are_alerts_as_listed = manifest.detection.is_none()
            || alerts.all(|entry| self.actual_hash(ALERTS) == Some(entry.sha256.as_str()));
        // What unpacks to more than the manifest says is not unpacked a second time.
        let is_whole = |found: &SourceSurvey| !found.events.is_broken;
        are_as_listed
            && are_alerts_as_listed
            && found.iter().flatten().all(is_whole)
            && listing.unexpected.is_empty()
            && listing.files.contains(REPORT)
    }

    /// Reports folders that no export has, and what is neither file nor folder.
    pub fn check_folders(&mut self, manifest: Option<&Manifest>) {
        for (name, why) in &self.listing.unexpected {
            self.findings.add(name, *why);
        }
        let Some(manifest) = manifest else { return };
        for folder in &self.listing.folders {
            let is_known = match folder.strip_prefix("bodies/") {
                _ if matches!(folder.as_str(), "events" | "pages") => true,
                _ if !manifest.asked.keep_bodies => false,
                None => folder == BODIES,
                Some(name) => manifest.sources.iter().any(|source| source.facts.name == name),
            };
            if !is_known {
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
