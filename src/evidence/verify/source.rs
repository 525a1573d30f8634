//! Compares a source's files of lines with what the manifest says of them, and its bodies with the
//! responses that they are of.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, BufReader, Read as _};
use std::path::Path;

use super::check::{ExportCheck, FindingLocation};
use crate::evidence::folder::MANIFEST;
use crate::evidence::hash::{ChainKind, FileDigest, HashingReader};
use crate::evidence::line_problems::{LineProblem, ProblemList};
use crate::evidence::manifest::{ExportParameters, LinesEntry, Manifest, SourceEntry};
use crate::evidence::packed_lines::{describe_read_error, open_regular_file, unpack};
use crate::evidence::page::LARGEST_BODY;
use crate::evidence::survey::{self, PageClaims, SourceSurvey, SurveyedFile, body_path};
use crate::model::name::SourceName;
use crate::model::text::printable;

impl ExportCheck<'_> {
    /// Surveys the files of lines, a source each; nothing of a source whose files cannot be read.
    pub fn survey(&mut self, manifest: &Manifest) -> Vec<Option<SourceSurvey>> {
        let files = manifest.files.iter().map(|entry| entry.file.as_str());
        let bodies: HashSet<_> = files.filter(|file| file.starts_with("bodies/")).collect();
        let mut seen = HashSet::new();
        let mut one = |source: &SourceEntry| {
            // A source that is described twice is reported elsewhere; its files are read once.
            let is_new = seen.insert(source.facts.name.clone());
            is_new.then(|| self.survey_source(&manifest.asked, source, &bodies))?
        };
        manifest.sources.iter().map(&mut one).collect()
    }

    fn survey_source(
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
            let file = body_path(&source.name, sha256);
            self.listing.files.contains(&file)
                || self.expected_hash(&file).is_some()
                || bodies.contains(file.as_str())
        };
        let claims = PageClaims { entry: said, has_body: &has_body };
        let mut found = SourceSurvey::new(source);
        let read = [
            (ChainKind::Events, found.read_events(self.dir, asked, Some(&said.events))),
            (ChainKind::Pages, found.read_pages(self.dir, Some(claims))),
        ];
        let is_read = read.iter().all(|(_, read)| read.is_ok());
        for (kind, read) in read {
            if let Err(error) = read {
                let file = survey::path_of(kind, &source.name);
                self.findings.add(&file, format!("cannot be read: {error}"));
            }
        }
        if !is_read {
            return None;
        }
        self.counts.sources += 1;
        self.counts.events += found.events.entry.lines;
        self.counts.pages += found.pages.entry.lines;
        for LinesEntry { file, bytes, sha256, .. } in [&found.events.entry, &found.pages.entry] {
            if self.listing.files.contains(file) {
                self.record_file(file, FileDigest { bytes: *bytes, sha256: sha256.clone() });
            }
        }
        Some(found)
    }

    /// Compares the lines of every source.
    pub fn check_lines(&mut self, manifest: &Manifest, found: &[Option<SourceSurvey>]) {
        for (said, found) in manifest.sources.iter().zip(found) {
            if let Some(found) = found {
                self.check_line_file(&said.events, &found.events);
                self.check_line_file(&said.pages, &found.pages);
            }
        }
    }

    fn check_line_file(&mut self, said: &LinesEntry, found: &SurveyedFile) {
        let SurveyedFile { entry, problems, is_broken } = found;
        let file = &entry.file;
        let exceeds =
            |problem: &LineProblem| matches!(problem, LineProblem::ExceedsManifest { .. });
        // A file that is as its hash says has not too much: the manifest says too little of it.
        let is_understated = said.sha256 == entry.sha256
            && problems.listed.iter().any(|(_, problem)| exceeds(problem));
        if is_understated {
            let LinesEntry { lines, text_bytes, .. } = said;
            let what = format!(
                "says that `{file}` has {lines} lines, of {text_bytes} bytes of text; it has more"
            );
            self.findings.add(MANIFEST, what);
        } else {
            self.check_lines_entry(said, entry, *is_broken);
        }
        self.report_problems(file, problems, |problem| !(is_understated && exceeds(problem)));
    }

    fn report_problems(
        &mut self,
        file: &str,
        problems: &ProblemList,
        is_reported: impl Fn(&LineProblem) -> bool,
    ) {
        for (line, problem) in problems.listed.iter().filter(|(_, problem)| is_reported(problem)) {
            self.findings.add_at(file, FindingLocation::Line(*line), problem.to_string());
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
        let is_as_summed = self.expected_hash(file) == Some(&found.sha256);
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
        for (what, said, found) in [
            ("lines", said.lines, found.lines),
            ("bytes", said.bytes, found.bytes),
            ("bytes of text", said.text_bytes, found.text_bytes),
        ] {
            if said != found {
                let what = format!("says that `{file}` has {said} {what}; it has {found}");
                self.findings.add(MANIFEST, what);
            }
        }
        for (what, is_same) in [
            ("another chain", said.chain == found.chain),
            ("other marks", said.has_marks_of(found)),
        ] {
            if !is_same {
                let what = format!("has {what} for `{file}`, whose hash is right");
                self.findings.add(MANIFEST, what);
            }
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
            let what = match said.text_bytes == found.text_bytes && said.has_marks_of(found) {
                _ if !file.starts_with("events/") => "their packing is not",
                true => "their packing, or when they were received, is not",
                false => "what it says of their text is not",
            };
            let what = format!("its lines are the same as the manifest says; {what}");
            return self.findings.add(file, what);
        }
        let (first, last) = said.lines_with_change(found);
        let location = match first == last {
            true => FindingLocation::Line(first),
            false => FindingLocation::Lines(first, last),
        };
        let what = "hash chain mismatch: a line was changed, moved, added or removed";
        self.findings.add_at(file, location, what);
    }

    /// Compares every body with its response, and every response with its body.
    pub fn check_bodies(&mut self, manifest: &Manifest, found: &[Option<SourceSurvey>]) {
        let mut wanted = BTreeMap::new();
        // The bodies of responses that were changed or cannot be read: that was reported.
        let mut unknown = Vec::new();
        for (said, found) in manifest.sources.iter().zip(found) {
            let name = &said.facts.name;
            let prefix = format!("bodies/{name}/");
            let Some(SourceSurvey { pages, bodies, missing_bodies, .. }) = found else {
                if self.listing.files.iter().any(|file| file.starts_with(&prefix)) {
                    let what = "the responses that they belong to cannot be read";
                    self.not_checked.push(format!("{prefix}: {what}"));
                }
                unknown.push(prefix);
                continue;
            };
            if !pages.is_all_of(&said.pages) {
                unknown.push(prefix);
            } else if manifest.asked.keep_bodies {
                self.report_problems(&pages.entry.file, missing_bodies, |_| true);
            }
            for (sha256, bytes) in bodies {
                wanted.insert(body_path(name, sha256), (sha256, *bytes));
            }
        }
        for file in self.listing.files.iter().filter(|file| file.starts_with("bodies/")) {
            self.counts.bodies += 1;
            match wanted.get(file) {
                Some((sha256, bytes)) => self.check_body(file, sha256, *bytes),
                None if unknown.iter().any(|prefix| file.starts_with(prefix)) => {}
                None => self.findings.add(file, "belongs to no response"),
            }
        }
    }

    fn check_body(&mut self, file: &str, sha256: &str, bytes: Option<u64>) {
        let Some(bytes) = bytes else {
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
