//! Owns the comparing of files with what SHA256SUMS and the manifest say of them; and, where these contradict each other,
//! the telling of which of the three was changed.

use std::collections::{BTreeMap, BTreeSet};

use super::{ExportCheck, MANIFEST, Manifest, FindingLocation, README, REPORT, SIGNATURE, SUMS};

/// What all say of one file: is it there, and with which hash.
struct FileClaims<'a> {
    file: &'a str,
    actual: Option<&'a str>,
    /// By SHA256SUMS.
    summed: Option<&'a str>,
    /// By the manifest, with the length.
    listed: Option<(&'a str, u64)>,
}

/// What was changed.
enum ChangedPart {
    Nothing,
    /// The file itself.
    File(&'static str),
    Sums(String),
    Manifest(String),
}

impl ExportCheck<'_> {
    /// Compares every file that is there, or is named.
    pub(super) fn check_files(&mut self, manifest: Option<&Manifest>) {
        let mut listed = BTreeMap::new();
        let mut twice = Vec::new();
        for entry in manifest.iter().flat_map(|manifest| &manifest.files) {
            let known = (entry.sha256.as_str(), entry.bytes);
            if listed.insert(entry.file.as_str(), known).is_some() {
                twice.push(format!("names `{}` twice", entry.file));
            }
        }
        let sums = self.sums.as_ref();
        let summed = sums.iter().flat_map(|sums| sums.hashes.keys());
        let mut all: BTreeSet<String> = self.listing.files.iter().cloned().collect();
        all.extend(summed.cloned());
        all.extend(listed.keys().map(|file| (*file).to_owned()));
        // Every export has them, whoever names them; one that was never finished lacks more than these.
        if manifest.is_some() || !self.listing.has_state {
            all.extend([README, REPORT].map(str::to_owned));
        }
        let mut blames = Vec::new();
        for file in &all {
            let is_there = self.listing.files.contains(file);
            let is_own = matches!(file.as_str(), SUMS | SIGNATURE) && self.expected_hash(file).is_none();
            // What cannot be read was told.
            if is_own || is_there && self.actual_hash(file).is_none() {
                continue;
            }
            let views = FileClaims {
                file,
                actual: self.actual_hash(file),
                summed: self.expected_hash(file),
                listed: listed.get(file.as_str()).copied(),
            };
            let blame = match file.as_str() {
                MANIFEST | README | REPORT => self.judge_derived_file(&views),
                SUMS | SIGNATURE => ChangedPart::Sums(format!("names `{file}`, which it cannot cover")),
                _ => self.judge_listed_file(&views, manifest.is_some()),
            };
            blames.push((file.clone(), blame));
        }
        for what in twice {
            self.findings.add(MANIFEST, what);
        }
        for (file, blame) in blames {
            self.report_changed_part(&file, blame);
        }
    }

    fn report_changed_part(&mut self, file: &str, blame: ChangedPart) {
        match blame {
            ChangedPart::Nothing => {}
            ChangedPart::File(what) => self.findings.add(file, what),
            ChangedPart::Manifest(what) => self.findings.add(MANIFEST, what),
            ChangedPart::Sums(what) => {
                let line = self.sums.as_ref().and_then(|sums| sums.lines.get(file));
                let place = line.map_or(FindingLocation::File, |line| FindingLocation::Line(*line));
                self.findings.add_at(SUMS, place, what);
            }
        }
    }

    /// Of a file that the manifest names.
    fn judge_listed_file(&self, views: &FileClaims<'_>, has_manifest: bool) -> ChangedPart {
        let FileClaims { file, .. } = views;
        let in_sums = views.summed.is_some() || self.sums.is_none();
        let in_manifest = views.listed.is_some() || !has_manifest;
        match (views.actual.is_some(), in_sums, in_manifest) {
            (true, true, true) => self.judge_hashes(views),
            (true, false, true) if views.listed.is_some() => {
                ChangedPart::Sums(format!("has no line for `{file}`"))
            }
            (true, true, false) if views.summed.is_some() && self.is_manifest_suspect => {
                ChangedPart::Manifest(format!("does not name `{file}`, which SHA256SUMS names"))
            }
            (true, true, false) if views.summed.is_some() => {
                ChangedPart::File("was added: manifest.json does not name it, though SHA256SUMS does")
            }
            // Without a manifest only they could name it, and they are damaged.
            (true, ..)
                if self.sums.as_ref().is_some_and(|sums| !sums.is_whole) && !has_manifest =>
            {
                ChangedPart::Nothing
            }
            (true, ..) => ChangedPart::File("was added: neither SHA256SUMS nor manifest.json names it"),
            (false, ..) if views.summed.is_some() && views.listed.is_some() => {
                ChangedPart::File("is missing")
            }
            (false, ..) if views.summed.is_some() && has_manifest => ChangedPart::Sums(format!(
                "names `{file}`, which is not there, and not in manifest.json"
            )),
            (false, ..) if views.listed.is_some() && self.is_manifest_suspect => ChangedPart::Manifest(
                format!("names `{file}`, which is not there, and not in SHA256SUMS"),
            ),
            (false, ..) => ChangedPart::File("is missing"),
        }
    }

    /// Of a file that is there, and that both name or one cannot name.
    fn judge_hashes(&self, views: &FileClaims<'_>) -> ChangedPart {
        let FileClaims { file, actual, .. } = views;
        let is_as_summed = views.summed.map(|summed| Some(summed) == *actual);
        let bytes = self.actual.get(*file).map(|actual| actual.bytes);
        let is_as_listed = views.listed.map(|(sha256, _)| Some(sha256) == *actual);
        let is_long = views.listed.is_none_or(|(_, said)| Some(said) == bytes);
        match (is_as_summed, is_as_listed) {
            (Some(false), Some(true)) => ChangedPart::Sums(format!(
                "has another hash for `{file}`, which is as manifest.json says"
            )),
            (Some(true), Some(false)) if self.is_manifest_suspect => ChangedPart::Manifest(format!(
                "has another hash for `{file}`, which is as SHA256SUMS says"
            )),
            (Some(true), Some(false)) => {
                ChangedPart::File("was changed: SHA256SUMS has its hash, but manifest.json another")
            }
            (Some(false), _) | (_, Some(false)) => ChangedPart::File("modified: SHA-256 does not match"),
            _ if !is_long => ChangedPart::Manifest(format!("has another length for `{file}`")),
            _ => ChangedPart::Nothing,
        }
    }

    /// Of the manifest and what is made from it, which the manifest cannot name. What they hold is compared elsewhere.
    fn judge_derived_file(&self, views: &FileClaims<'_>) -> ChangedPart {
        let FileClaims { file, actual, .. } = views;
        match (actual, views.summed) {
            // Of the manifest that was told already.
            (None, _) if *file == MANIFEST => ChangedPart::Nothing,
            (None, _) => ChangedPart::File("is missing"),
            (Some(_), None) if self.sums.is_some() => {
                ChangedPart::Sums(format!("has no line for `{file}`"))
            }
            (Some(actual), Some(summed)) if *actual != summed => self.judge_changed_derived_file(file),
            _ if self.is_manifest_suspect || self.derived.is_correct(file) != Some(false) => {
                ChangedPart::Nothing
            }
            // Where README.txt has another hash in the sums, it is the one.
            _ if *file == MANIFEST && self.expected_hash(README) != self.actual_hash(README) => ChangedPart::Nothing,
            _ if *file == MANIFEST => {
                ChangedPart::File("is not what README.txt was made from: one of the two was changed")
            }
            _ => ChangedPart::File("is not what follows from manifest.json: one of the two was changed"),
        }
    }

    /// Of those, where the sums have another hash. A third file tells which of the two was changed.
    fn judge_changed_derived_file(&self, file: &str) -> ChangedPart {
        match self.derived.is_correct(file) {
            Some(true) => ChangedPart::Sums(format!(
                "has another hash for `{file}`, which is as the other files say"
            )),
            _ => ChangedPart::File("modified: SHA-256 does not match"),
        }
    }
}
