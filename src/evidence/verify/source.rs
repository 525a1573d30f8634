//! Owns the comparing of a source's files of lines with what the manifest says of them: which lines differ, what is wrong
//! with one, and whether the manifest itself was changed.

use std::collections::HashSet;

use super::bodies::path_of;
use super::{ExportCheck, SourceSurvey, MANIFEST, Manifest, FindingLocation};
use crate::evidence::chain::{LINES_PER_MARK, ChainKind};
use crate::evidence::facts::ExportParameters;
use crate::evidence::hash::FileDigest;
use crate::evidence::manifest::{LinesEntry, SourceEntry};
use crate::evidence::survey::{self, SurveyLimits, ManifestClaims, NumberedProblem, ProblemList, LineProblem};
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
        let beside = ManifestClaims {
            retries: &said.retries,
            has_body: &has_body,
        };
        let events = survey::events(self.dir, asked, source, SurveyLimits::of(&said.events));
        let pages = survey::pages(self.dir, source, SurveyLimits::of(&said.pages), Some(beside));
        let path = |kind| survey::path_of(kind, &source.name);
        if let Err(error) = &events {
            let what = format!("cannot be read: {error}");
            self.findings.add(&path(ChainKind::Events), what);
        }
        if let Err(error) = &pages {
            let what = format!("cannot be read: {error}");
            self.findings.add(&path(ChainKind::Pages), what);
        }
        let (events, pages) = (events.ok()?, pages.ok()?);
        self.counts.sources += 1;
        self.counts.events += events.entry.lines;
        self.counts.pages += pages.entry.lines;
        for entry in [&events.entry, &pages.entry] {
            if self.listing.files.contains(&entry.file) && !self.actual.contains_key(&entry.file) {
                let summed = FileDigest {
                    bytes: entry.bytes,
                    sha256: entry.sha256.clone(),
                };
                self.record_file(&entry.file, summed);
            }
        }
        Some(SourceSurvey { events, pages })
    }

    /// Compares the lines of every source.
    pub(super) fn check_lines(&mut self, manifest: &Manifest, found: &[Option<SourceSurvey>]) {
        for (said, found) in manifest.sources.iter().zip(found) {
            let Some(SourceSurvey { events, pages }) = found else {
                continue;
            };
            self.check_line_file(&said.events, &events.entry, &events.problems);
            self.check_line_file(&said.pages, &pages.entry, &pages.problems);
        }
    }

    fn check_line_file(&mut self, said: &LinesEntry, found: &LinesEntry, troubles: &ProblemList) {
        let is_too_much = |trouble: &&NumberedProblem| matches!(trouble.problem, LineProblem::ExceedsManifest { .. });
        let is_cut = troubles.listed().iter().any(|trouble| is_too_much(&trouble));
        // A file that is as its hash says has not too much: too little is said of it.
        let is_short_said = is_cut && said.sha256 == found.sha256;
        if is_short_said {
            let (file, lines, text_bytes) = (&found.file, said.lines, said.text_bytes);
            let what = format!(
                "says that `{file}` has {lines} lines, of {text_bytes} bytes of text; it has more"
            );
            self.findings.add(MANIFEST, what);
        } else {
            let mut kept = troubles.listed().iter();
            let is_broken = kept.any(|trouble| trouble.problem.stops_reading());
            self.check_lines_entry(said, found, is_broken);
        }
        for trouble in troubles.listed() {
            if !(is_short_said && is_too_much(&trouble)) {
                let what = trouble.problem.to_string();
                self.findings
                    .add_at(&found.file, FindingLocation::Line(trouble.line), what);
            }
        }
        for more in troubles.omitted() {
            self.findings.add(&found.file, more);
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

    /// The file was changed: tells where.
    fn locate_change(&mut self, said: &LinesEntry, found: &LinesEntry) {
        let file = &found.file;
        if said.lines != found.lines {
            let what = format!(
                "has {} lines, and manifest.json says {}",
                found.lines, said.lines
            );
            self.findings.add(file, what);
        }
        if said.chain == found.chain {
            let what = match said.text_bytes == found.text_bytes && said.marks == found.marks {
                true => {
                    "its events are the same as the manifest says; their packing, or when they were received, is not"
                }
                false => {
                    "its events are the same as the manifest says; what it says of their text is not"
                }
            };
            let is_events = file.starts_with("events/");
            let what = match is_events {
                true => what,
                false => "its lines are the same as the manifest says; their packing is not",
            };
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
