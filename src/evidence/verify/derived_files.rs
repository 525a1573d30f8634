//! Owns the making anew of what is made from the manifest, to compare it with what is there.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use super::{ExportCheck, SourceSurvey, MANIFEST, Manifest, README, REPORT};
use crate::evidence::chain::ChainKind;
use crate::evidence::survey::path_of;
use crate::evidence::{readme, report};

/// The longest README that is read.
const MAX_README_BYTES: u64 = 64 * 1024 * 1024;

/// Whether the files that no other file has a hash of are as the other files say; nothing where that cannot be told.
#[derive(Debug, Default)]
pub struct DerivedFileCheck {
    manifest: Option<bool>,
    readme: Option<bool>,
    report: Option<bool>,
}

impl DerivedFileCheck {
    /// Whether `file` is right.
    pub fn is_correct(&self, file: &str) -> Option<bool> {
        match file {
            MANIFEST => self.manifest,
            README => self.readme,
            REPORT => self.report,
            _ => None,
        }
    }

    /// Makes them anew.
    pub fn run(check: &mut ExportCheck<'_>, manifest: Option<&Manifest>, found: &[Option<SourceSurvey>]) -> DerivedFileCheck {
        let mut made = DerivedFileCheck::default();
        let readme = match check.listing.files.contains(README) {
            true => super::load::read_limited(&check.dir.join(README), MAX_README_BYTES).ok(),
            false => None,
        };
        let Some(sha256) = check.actual_hash(MANIFEST).map(str::to_owned) else {
            return made;
        };
        made.manifest = readme
            .as_ref()
            .map(|text| memchr::memmem::find(text, sha256.as_bytes()).is_some());
        let Some(manifest) = manifest else {
            return made;
        };
        let (by, ours) = (&manifest.made_by.version, env!("CARGO_PKG_VERSION"));
        if by != ours {
            let by = crate::model::text::printable(by);
            let what = format!(
                "{README}, {REPORT}: atlaudit {by} made them, and {ours} may word them otherwise; only their hashes were checked"
            );
            check.not_checked.push(what);
            return made;
        }
        made.readme = readme.map(|text| text == readme::text(manifest, &sha256).as_bytes());
        // What unpacks to more than is said is not unpacked once more.
        let is_whole = |found: &SourceSurvey| !found.events.is_broken;
        if found.iter().flatten().all(is_whole) && can_recreate_report(check, manifest) {
            made.report = is_report_correct(check.dir, manifest);
        }
        made
    }
}

/// Whether report.html can be made again. It shows the events: where these are others, or cannot be read, it is another too.
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

/// Whether report.html is what the manifest and the events make; nothing where it cannot be read or made.
fn is_report_correct(dir: &Path, manifest: &Manifest) -> Option<bool> {
    let file = File::open(dir.join(REPORT)).ok()?;
    let mut same = ComparingWriter {
        expected: BufReader::new(file),
        is_same: true,
    };
    report::write(dir, manifest, &mut same).ok()?;
    let mut rest = [0];
    let count = same.expected.read(&mut rest).ok()?;
    Some(same.is_same && count == 0)
}

/// Compares what is written to it with what it reads.
struct ComparingWriter<R> {
    expected: R,
    is_same: bool,
}

impl<R: Read> Write for ComparingWriter<R> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut piece = [0; 8192];
        let mut left = bytes;
        while self.is_same && !left.is_empty() {
            let count = left.len().min(piece.len());
            let (now, later) = left.split_at(count);
            let there = piece.get_mut(..count).unwrap_or_default();
            self.is_same = self.expected.read_exact(there).is_ok() && *there == *now;
            left = later;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
