//! Compares a source's files of lines with what the manifest says of them, and its bodies with the
//! responses that they are of.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, BufReader, Read as _};
use std::path::Path;

use super::{ExportCheck, FindingLocation, MANIFEST, Manifest, SourceSurvey};
use crate::evidence::chain::{ChainKind, LINES_PER_MARK};
use crate::evidence::facts::ExportParameters;
use crate::evidence::hash::{FileDigest, HashingReader};
use crate::evidence::manifest::{LinesEntry, SourceEntry};
use crate::evidence::packed_lines::{describe_read_error, open_regular_file, unpack};
use crate::evidence::page::LARGEST_BODY;
use crate::evidence::survey::{
    self, KeptBody, LineProblem, ManifestClaims, NumberedProblem, PagesSurvey, SurveyLimits,
    SurveyedFile,
};
use crate::model::name::SourceName;
use crate::model::text::printable;

impl ExportCheck<'_> {
    /// Surveys the files of a source; nothing where one cannot be read.
    pub(super) fn survey_one(
        &mut self,
        asked: &ExportParameters,
        said: &SourceEntry,
        bodies: &HashSet<&str>,
    ) -> Option<SourceSurvey> {
        let source = &said.facts;
        // The name becomes a path, and the manifest may have been changed.
        if source.name.parse::<SourceName>().is_err() {
            let name = printable(&source.name);
            let what = format!("names a source `{name}`, which no source can be called");
            self.findings.add(MANIFEST, what);
            return None;
        }
        let has_body = |sha256: &str| {
            let file = path_of(&source.name, sha256);
            self.listing.files.contains(&file)
                || self.expected_hash(&file).is_some()
                || bodies.contains(file.as_str())
        };
        let beside = ManifestClaims { retries: &said.retries, has_body: &has_body };
        let events = survey::events(self.dir, asked, source, SurveyLimits::of(&said.events));
        let pages = survey::pages(self.dir, source, SurveyLimits::of(&said.pages), Some(beside));
        let errors =
            [(ChainKind::Events, events.as_ref().err()), (ChainKind::Pages, pages.as_ref().err())];
        for (kind, error) in errors {
            if let Some(error) = error {
                let file = survey::path_of(kind, &source.name);
                self.findings.add(&file, format!("cannot be read: {error}"));
            }
        }
        let (events, pages) = (events.ok()?, pages.ok()?);
        self.counts.sources += 1;
        self.counts.events += events.file.entry.lines;
        self.counts.pages += pages.file.entry.lines;
        for entry in [&events.file.entry, &pages.file.entry] {
            if self.listing.files.contains(&entry.file) && !self.actual.contains_key(&entry.file) {
                let (bytes, sha256) = (entry.bytes, entry.sha256.clone());
                self.record_file(&entry.file, FileDigest { bytes, sha256 });
            }
        }
        Some(SourceSurvey { events, pages })
    }

    /// Compares the lines of every source.
    pub(super) fn check_lines(&mut self, manifest: &Manifest, found: &[Option<SourceSurvey>]) {
        for (said, found) in manifest.sources.iter().zip(found) {
            if let Some(SourceSurvey { events, pages }) = found {
                self.check_line_file(&said.events, &events.file);
                self.check_line_file(&said.pages, &pages.file);
            }
        }
    }

    fn check_line_file(&mut self, said: &LinesEntry, found: &SurveyedFile) {
        let SurveyedFile { entry, problems, is_broken } = found;
        let exceeds =
            |one: &NumberedProblem| matches!(one.problem, LineProblem::ExceedsManifest { .. });
        // A file that is as its hash says has not too much: the manifest says too little of it.
        let is_short_said = said.sha256 == entry.sha256 && problems.listed().iter().any(exceeds);
        let file = &entry.file;
        if is_short_said {
            let LinesEntry { lines, text_bytes, .. } = said;
            self.findings.add(
                MANIFEST,
                format!(
                    "says that `{file}` has {lines} lines, of {text_bytes} bytes of text; it has \
                     more"
                ),
            );
        } else {
            self.check_lines_entry(said, entry, *is_broken);
        }
        for one in problems.listed().iter().filter(|one| !(is_short_said && exceeds(one))) {
            self.findings.add_at(file, FindingLocation::Line(one.line), one.problem.to_string());
        }
        for more in problems.omitted() {
            self.findings.add(file, more);
        }
    }

    fn check_lines_entry(&mut self, said: &LinesEntry, found: &LinesEntry, is_broken: bool) {
        if said == found {
            return;
        }
        let file = &found.file;
        if said.file != *file {
            let other = printable(&said.file);
            let what = format!("names `{other}` in the place of `{file}`");
            return self.findings.add(MANIFEST, what);
        }
        if said.sha256 == found.sha256 {
            return self.report_wrong_entry(said, found);
        }
        let is_as_summed = self.expected_hash(file).is_some_and(|sum| sum == found.sha256);
        if is_as_summed && self.is_manifest_suspect {
            let what = format!("says another hash of `{file}`, which is as SHA256SUMS says");
            return self.findings.add(MANIFEST, what);
        }
        if !said.sha256.is_empty() && !found.sha256.is_empty() && !is_broken {
            self.locate_change(said, found);
        }
    }

    /// The file is as its hash says; so what else is said of it was changed.
    fn report_wrong_entry(&mut self, said: &LinesEntry, found: &LinesEntry) {
        let file = &found.file;
        let numbers = [
            ("lines", said.lines, found.lines),
            ("bytes", said.bytes, found.bytes),
            ("bytes of text", said.text_bytes, found.text_bytes),
        ];
        for (what, said, found) in numbers {
            if said != found {
                let what = format!("says that `{file}` has {said} {what}; it has {found}");
                self.findings.add(MANIFEST, what);
            }
        }
        if said.chain != found.chain {
            let what = format!("has another chain for `{file}`, whose hash is right");
            self.findings.add(MANIFEST, what);
        }
        if said.marks != found.marks {
            let what = format!("has other marks for `{file}`, whose hash is right");
            self.findings.add(MANIFEST, what);
        }
    }

    /// The file was changed: finds where.
    fn locate_change(&mut self, said: &LinesEntry, found: &LinesEntry) {
        let file = &found.file;
        if said.lines != found.lines {
            let (said, found) = (said.lines, found.lines);
            self.findings.add(file, format!("has {found} lines, and manifest.json says {said}"));
        }
        if said.chain == found.chain {
            let what = match said.text_bytes == found.text_bytes && said.marks == found.marks {
                _ if !file.starts_with("events/") => "their packing is not",
                true => "their packing, or when they were received, is not",
                false => "what it says of their text is not",
            };
            let what = format!("its lines are the same as the manifest says; {what}");
            return self.findings.add(file, what);
        }
        let marks = said.marks.iter().zip(&found.marks);
        let same = marks.take_while(|(said, found)| said == found).count() as u64;
        let (first, last) = (same * LINES_PER_MARK + 1, (same + 1) * LINES_PER_MARK);
        let last = last.min(said.lines.max(found.lines)).max(first);
        let what = "hash chain mismatch: a line was changed, moved, added or removed";
        self.findings.add_at(file, FindingLocation::Lines(first, last), what);
    }
}

/// The path of a source's body.
pub fn path_of(source: &str, sha256: &str) -> String {
    format!("bodies/{source}/{sha256}.json.zst")
}

impl ExportCheck<'_> {
    /// Compares every body with its answer, and every answer with its body.
    pub(super) fn check_bodies(&mut self, manifest: &Manifest, found: &[Option<SourceSurvey>]) {
        let mut wanted = BTreeMap::new();
        for (said, found) in manifest.sources.iter().zip(found) {
            let name = &said.facts.name;
            let Some(SourceSurvey { pages, .. }) = found else {
                // Its answers cannot be read, and its bodies not compared.
                self.report_unchecked_bodies(name);
                continue;
            };
            // Where the answers were changed it is they that a body does not fit.
            if manifest.asked.keep_bodies && pages.file.is_all_of(&said.pages) {
                self.report_missing_bodies(name, pages);
            }
            for (sha256, body) in &pages.bodies {
                wanted.insert(path_of(name, sha256), (sha256, body));
            }
        }
        let listing = self.listing;
        let there = listing.files.iter().filter(|file| file.starts_with("bodies/"));
        for file in there {
            self.counts.bodies += 1;
            match wanted.get(file) {
                Some((sha256, body)) => self.check_body(file, sha256, body),
                None if self.belongs_to_changed_pages(file, manifest, found) => {}
                None => self.findings.add(file, "belongs to no response"),
            }
        }
    }

    /// Pages whose bodies are neither there nor named anywhere.
    fn report_missing_bodies(&mut self, source: &str, pages: &PagesSurvey) {
        let file = &pages.file.entry.file;
        for (line, sha256) in &pages.missing_bodies {
            let what = format!("its body `{}` is missing", path_of(source, sha256));
            self.findings.add_at(file, FindingLocation::Line(*line), what);
        }
        if pages.more_missing_bodies > 0 {
            let what = format!("and {} more: bodies that are missing", pages.more_missing_bodies);
            self.findings.add(file, what);
        }
    }

    fn report_unchecked_bodies(&mut self, source: &str) {
        let prefix = format!("bodies/{source}/");
        if self.listing.files.iter().any(|file| file.starts_with(&prefix)) {
            let what = format!("{prefix}: the responses that they belong to cannot be read");
            self.not_checked.push(what);
        }
    }

    /// Whether the answers that `file` may belong to were changed or cannot be read: that was reported.
    fn belongs_to_changed_pages(
        &self,
        file: &str,
        manifest: &Manifest,
        found: &[Option<SourceSurvey>],
    ) -> bool {
        let mut sources = manifest.sources.iter().zip(found);
        sources.any(|(said, found)| {
            let is_its = file.starts_with(&format!("bodies/{}/", said.facts.name));
            let is_changed =
                found.as_ref().is_none_or(|found| !found.pages.file.is_all_of(&said.pages));
            is_its && is_changed
        })
    }

    fn check_body(&mut self, file: &str, sha256: &str, body: &KeptBody) {
        let KeptBody::Length(bytes) = *body else {
            let what = "cannot be the body of all its responses: they state different lengths";
            return self.findings.add(file, what);
        };
        match digest_unpacked(&self.dir.join(file), bytes.min(LARGEST_BODY)) {
            Ok(there) if there.sha256 == sha256 && there.bytes == bytes => {}
            Ok(_) => {
                let what = "is not the body of its response: hash or length differ";
                self.findings.add(file, what);
            }
            Err(error) => self.findings.add(file, describe_read_error(&error)),
        }
    }
}

/// Length and hash of what is packed in a file, of no more than one byte beyond `most`.
fn digest_unpacked(path: &Path, most: u64) -> io::Result<FileDigest> {
    let input = unpack(BufReader::new(open_regular_file(path)?))?;
    HashingReader::new(input.take(most.saturating_add(1))).finish()
}
