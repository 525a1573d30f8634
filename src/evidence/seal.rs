//! Seals an export: from its files of lines and its facts to the manifest, README.txt,
//! report.html, SHA256SUMS and its signature. An export is sealed once SHA256SUMS is there.

use std::path::Path;

use super::chain::ChainKind;
use super::error::{EvidenceError, failed};
use super::facts::{ExportFacts, SourceFacts};
use super::folder::{FolderListing, MANIFEST, README, REPORT, SIGNATURE, SUMS};
use super::hash;
use super::manifest::{FileEntry, Manifest};
use super::sign::SigningKey;
use super::survey::{self, ProblemList, SourceSurvey, SurveyLimits};
use super::{atomic_file, export_report, readme};

/// Seals the export at `dir`, in the place of what an earlier seal wrote.
///
/// # Errors
/// The file system's; a file of lines that cannot be read to its end; something in the folder that
/// is no plain file. The folder is without SHA256SUMS then.
pub fn seal(
    dir: &Path,
    facts: &ExportFacts,
    key: Option<&SigningKey>,
) -> Result<Manifest, EvidenceError> {
    // First of all: old sums would call what follows a forgery.
    atomic_file::remove_leftovers(dir, &[SIGNATURE, SUMS])?;
    let found = facts
        .sources
        .iter()
        .map(|source| survey_one(dir, facts, source))
        .collect::<Result<Vec<_>, _>>()?;
    let files = file_entries(dir, &found)?;
    let manifest = survey::manifest(facts, &found.iter().collect::<Vec<_>>(), files)
        .ok_or(EvidenceError::NoRun)?;
    let text = manifest.text();
    atomic_file::write(dir, MANIFEST, &text)?;
    let readme = readme::text(&manifest, &hash::sha256(&text));
    atomic_file::write(dir, README, readme.as_bytes())?;
    let report = export_report::html(dir, &manifest);
    atomic_file::write(dir, REPORT, report.as_bytes())?;
    let sums = checksum_text(dir, &manifest)?;
    if let Some(key) = key {
        let signature = key
            .sign(sums.as_bytes(), manifest.finished)
            .map_err(|error| EvidenceError::Sign(error.to_string()))?;
        atomic_file::write(dir, SIGNATURE, signature.as_bytes())?;
    }
    atomic_file::write(dir, SUMS, sums.as_bytes())?;
    Ok(manifest)
}

fn survey_one(
    dir: &Path,
    facts: &ExportFacts,
    source: &SourceFacts,
) -> Result<SourceSurvey, EvidenceError> {
    let file = survey::path_of(ChainKind::Events, &source.name);
    let events = survey::events(dir, &facts.asked, source, SurveyLimits::NONE);
    let events = events.map_err(failed("read", &dir.join(&file)))?;
    check_intact(&file, &events.file.problems)?;
    let file = survey::path_of(ChainKind::Pages, &source.name);
    let pages = survey::pages(dir, source, SurveyLimits::NONE, None);
    let pages = pages.map_err(failed("read", &dir.join(&file)))?;
    check_intact(&file, &pages.file.problems)?;
    Ok(SourceSurvey { events, pages })
}

/// A file with a line that is no line must not be sealed.
fn check_intact(file: &str, problems: &ProblemList) -> Result<(), EvidenceError> {
    let mut damage = problems.listed().iter().filter(|problem| problem.problem.is_damage());
    match damage.next() {
        None => Ok(()),
        Some(problem) => Err(EvidenceError::Damaged {
            file: file.to_owned(),
            what: format!("line {}: {}", problem.line, problem.problem),
        }),
    }
}

/// Every file that is there, with its hash.
fn file_entries(dir: &Path, found: &[SourceSurvey]) -> Result<Vec<FileEntry>, EvidenceError> {
    let listing = FolderListing::of(dir)?;
    if let Some((name, why)) = listing.unexpected.first() {
        return Err(EvidenceError::UnexpectedEntry { name: name.clone(), why: (*why).to_owned() });
    }
    let known = found.iter().flat_map(|found| [&found.events.file.entry, &found.pages.file.entry]);
    let known: Vec<_> = known.collect();
    let entry = |file: &String| {
        if let Some(entry) = known.iter().find(|entry| entry.file == *file) {
            return Ok(FileEntry {
                file: file.clone(),
                bytes: entry.bytes,
                sha256: entry.sha256.clone(),
            });
        }
        let path = dir.join(file);
        let summed = hash::digest_file(&path).map_err(failed("read", &path))?;
        Ok(FileEntry { file: file.clone(), bytes: summed.bytes, sha256: summed.sha256 })
    };
    listing.files_in_manifest().map(entry).collect()
}

/// The text of SHA256SUMS.
fn checksum_text(dir: &Path, manifest: &Manifest) -> Result<String, EvidenceError> {
    let known = manifest.files.iter();
    let mut all: Vec<_> = known.map(|entry| (entry.file.clone(), entry.sha256.clone())).collect();
    for made in [MANIFEST, README, REPORT] {
        let path = dir.join(made);
        let summed = hash::digest_file(&path).map_err(failed("read", &path))?;
        all.push((made.to_owned(), summed.sha256));
    }
    all.sort();
    Ok(hash::checksum_text(all.iter().map(|(file, sha256)| (file.as_str(), sha256.as_str()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::test_export::{SECRET, TestExport};
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_same_facts_and_lines_make_the_same_seal() {
        let export = TestExport::sealed(60);
        let sums = export.read(SUMS);
        fs::write(export.path(".atlaudit-x.part"), "of a run that died").unwrap();
        export.seal();
        assert_eq!(export.read(SUMS), sums);
        assert!(!export.path(".atlaudit-x.part").exists());
        let key = SigningKey::open(&SECRET.into(), None).unwrap();
        seal(export.dir(), &export.facts, Some(&key)).unwrap();
        for made in [SUMS, MANIFEST, README, REPORT, SIGNATURE] {
            let mode = fs::metadata(export.path(made)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{made}");
        }
        // Nothing of the way there is left.
        assert_eq!(fs::read_dir(export.dir()).unwrap().count(), 8);
    }

    #[test]
    fn a_damaged_export_is_not_sealed() {
        let refused = |change: &dyn Fn(&TestExport)| {
            let export = TestExport::sealed(60);
            change(&export);
            let error = seal(export.dir(), &export.facts, None).unwrap_err();
            assert!(!export.path(SUMS).exists());
            error.to_string()
        };
        let torn = refused(&|export| {
            let file = "pages/acme.jsonl.zst";
            let bytes = export.read(file);
            fs::write(export.path(file), &bytes[..bytes.len() - 3]).unwrap();
        });
        assert!(torn.starts_with("`pages/acme.jsonl.zst` is damaged: line "), "{torn}");
        let unreadable = refused(&|export| {
            let file = "events/acme.jsonl.zst";
            let mut lines = export.lines(file);
            lines[7] = "{}".to_owned();
            export.repack(file, &lines);
        });
        assert!(unreadable.contains("line 8: cannot be read"), "{unreadable}");
        let link = refused(&|export| {
            std::os::unix::fs::symlink("/", export.path("events/root")).unwrap();
        });
        assert_eq!(link, "`events/root` is a link, not a file");
    }
}
