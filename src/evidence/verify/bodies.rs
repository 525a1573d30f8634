//! Owns the comparing of the kept bodies with the answers that they are of.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read as _};
use std::path::Path;

use super::{ExportCheck, SourceSurvey, Manifest, FindingLocation};
use crate::evidence::hash::{FileDigest, HashingReader};
use crate::evidence::packed_lines::{open_regular_file, describe_read_error, unpack};
use crate::evidence::page::LARGEST_BODY;
use crate::evidence::survey::{KeptBody, PagesSurvey};

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
            if manifest.asked.keep_bodies && pages.covers_file(&said.pages) {
                self.report_missing_bodies(name, pages);
            }
            for (sha256, body) in &pages.bodies {
                wanted.insert(path_of(name, sha256), (sha256, body));
            }
        }
        let listing = self.listing;
        let there = listing
            .files
            .iter()
            .filter(|file| file.starts_with("bodies/"));
        for file in there {
            self.counts.bodies += 1;
            match wanted.get(file) {
                Some((sha256, body)) => self.check_body(file, sha256, body),
                None if self.belongs_to_changed_pages(file, manifest, found) => {}
                None => self.findings.add(file, "belongs to no answer"),
            }
        }
    }

    /// Pages whose bodies are neither there nor named anywhere.
    fn report_missing_bodies(&mut self, source: &str, pages: &PagesSurvey) {
        let file = &pages.entry.file;
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
        if self
            .listing
            .files
            .iter()
            .any(|file| file.starts_with(&prefix))
        {
            let what = format!("{prefix}: the answers that they belong to cannot be read");
            self.not_checked.push(what);
        }
    }

    /// Whether the answers that `file` may belong to were changed or cannot be read: that was told.
    fn belongs_to_changed_pages(&self, file: &str, manifest: &Manifest, found: &[Option<SourceSurvey>]) -> bool {
        let mut sources = manifest.sources.iter().zip(found);
        sources.any(|(said, found)| {
            let is_its = file.starts_with(&format!("bodies/{}/", said.facts.name));
            let is_changed = found
                .as_ref()
                .is_none_or(|found| !found.pages.covers_file(&said.pages));
            is_its && is_changed
        })
    }

    fn check_body(&mut self, file: &str, sha256: &str, body: &KeptBody) {
        let KeptBody::Length(bytes) = *body else {
            let what = "cannot be the body of all its answers: they say different lengths";
            return self.findings.add(file, what);
        };
        match digest_unpacked(&self.dir.join(file), bytes.min(LARGEST_BODY)) {
            Ok(there) if there.sha256 == sha256 && there.bytes == bytes => {}
            Ok(_) => {
                let what =
                    "is not the body that its answer had: its content has another hash or length";
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
