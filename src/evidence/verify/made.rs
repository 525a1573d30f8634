//! Owns the making anew of what is made from the manifest, to compare it with what is there.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use super::{Check, MANIFEST, Manifest, README, REPORT};
use crate::evidence::{readme, report};

/// The longest README that is read.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Whether the files that no other file has a hash of are as the other files say; nothing where that cannot be told.
#[derive(Debug, Default)]
pub struct Made {
    manifest: Option<bool>,
    readme: Option<bool>,
    report: Option<bool>,
}

impl Made {
    /// Whether `file` is right.
    pub fn is_right(&self, file: &str) -> Option<bool> {
        match file {
            MANIFEST => self.manifest,
            README => self.readme,
            REPORT => self.report,
            _ => None,
        }
    }

    /// Makes them anew.
    pub fn of(check: &mut Check<'_>, manifest: Option<&Manifest>) -> Made {
        let mut made = Made::default();
        let readme = super::load::read(&check.dir.join(README), LARGEST).ok();
        let readme = readme.filter(|_| check.listing.files.contains(README));
        let Some(sha256) = check.actual(MANIFEST).map(str::to_owned) else {
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
        // It shows the events: where these are others, it is another too.
        let is_as_listed = manifest.files.iter().all(|entry| {
            !entry.file.starts_with("events/")
                || check.actual(&entry.file) == Some(entry.sha256.as_str())
        });
        if is_as_listed && check.listing.files.contains(REPORT) {
            made.report = is_report(check.dir, manifest);
        }
        made
    }
}

/// Whether report.html is what the manifest and the events make; nothing where it cannot be read or made.
fn is_report(dir: &Path, manifest: &Manifest) -> Option<bool> {
    let file = File::open(dir.join(REPORT)).ok()?;
    let mut same = Same {
        with: BufReader::new(file),
        is_same: true,
    };
    report::write(dir, manifest, &mut same).ok()?;
    let mut rest = [0];
    let count = same.with.read(&mut rest).ok()?;
    Some(same.is_same && count == 0)
}

/// Compares what is written to it with what it reads.
struct Same<R> {
    with: R,
    is_same: bool,
}

impl<R: Read> Write for Same<R> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut piece = [0; 8192];
        let mut left = bytes;
        while self.is_same && !left.is_empty() {
            let count = left.len().min(piece.len());
            let (now, later) = left.split_at(count);
            let there = piece.get_mut(..count).unwrap_or_default();
            self.is_same = self.with.read_exact(there).is_ok() && *there == *now;
            left = later;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
