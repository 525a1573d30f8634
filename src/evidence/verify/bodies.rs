//! Owns the comparing of the kept bodies with the answers that they are of.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::{Check, Found, Manifest, Place};
use crate::evidence::hash::{Summed, Summing};
use crate::evidence::lines::reason;
use crate::evidence::page::Body;

/// The path of a source's body.
fn path_of(source: &str, sha256: &str) -> String {
    format!("bodies/{source}/{sha256}.json.zst")
}

impl Check<'_> {
    /// Compares every body with its answer, and every answer with its body.
    pub(super) fn bodies(&mut self, manifest: &Manifest, found: &[Option<Found>]) {
        let mut wanted = BTreeMap::new();
        for (said, found) in manifest.sources.iter().zip(found) {
            let Some(found) = found else {
                // Its answers cannot be read, and its bodies not compared.
                self.not_checked_bodies(&said.facts.name);
                continue;
            };
            // Where the answers were changed it is they that a body does not fit.
            let is_same = found.pages.entry.sha256 == said.pages.sha256;
            for (line, is_page, body) in &found.pages.bodies {
                let file = path_of(&said.facts.name, &body.sha256);
                let is_there = self.listing.files.contains(&file);
                let is_told = self.findings.names(&file);
                if manifest.asked.keep_bodies && *is_page && !is_there && is_same && !is_told {
                    let what = format!("its body `{file}` is missing");
                    let pages = &found.pages.entry.file;
                    self.findings.at(pages, Place::Line(*line), what);
                }
                wanted.insert(file, (body.clone(), is_same));
            }
        }
        let listing = self.listing;
        let there = listing
            .files
            .iter()
            .filter(|file| file.starts_with("bodies/"));
        for file in there {
            self.tally.bodies += 1;
            match wanted.get(file) {
                Some((body, _)) => self.body(file, body),
                None if self.is_of_changed(file, manifest, found) => {}
                None => self.findings.file(file, "belongs to no answer"),
            }
        }
    }

    fn not_checked_bodies(&mut self, source: &str) {
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
    fn is_of_changed(&self, file: &str, manifest: &Manifest, found: &[Option<Found>]) -> bool {
        let mut sources = manifest.sources.iter().zip(found);
        sources.any(|(said, found)| {
            let is_its = file.starts_with(&format!("bodies/{}/", said.facts.name));
            let is_changed = found
                .as_ref()
                .is_none_or(|found| found.pages.entry.sha256 != said.pages.sha256);
            is_its && is_changed
        })
    }

    fn body(&mut self, file: &str, body: &Body) {
        match unpacked(&self.dir.join(file), body.bytes) {
            Ok(there) if there.sha256 == body.sha256 && there.bytes == body.bytes => {}
            Ok(_) => {
                let what =
                    "is not the body that its answer had: its content has another hash or length";
                self.findings.file(file, what);
            }
            Err(error) => self.findings.file(file, reason(&error)),
        }
    }
}

/// Length and hash of what is packed in a file, of no more than one byte beyond `most`.
fn unpacked(path: &Path, most: u64) -> io::Result<Summed> {
    let input = zstd::stream::read::Decoder::new(File::open(path)?)?;
    Summing::new(input.take(most.saturating_add(1))).finish()
}
