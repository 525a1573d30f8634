//! Seals an export: from its files of lines and its facts to the manifest, README.txt,
//! report.html, SHA256SUMS and its signature. An export is sealed once SHA256SUMS is there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use super::error::{EvidenceError, failed};
use super::folder::{FolderListing, MANIFEST, README, REPORT, SIGNATURE, SUMS};
use super::hash::ChainKind;
use super::manifest::{ExportFacts, FileEntry, Manifest, SourceFacts};
use super::sign::SigningKey;
use super::survey::{self, SourceSurvey, SurveyedFile};
use super::{export_report, hash, readme};
use crate::files::{Durability, FileReplacement, sync_folder};

/// What the names of unfinished files begin and end with.
const TEMP_PREFIX: &str = ".atlaudit-";
const TEMP_SUFFIX: &str = ".part";

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
    remove_leftovers(dir)?;
    let found: Result<Vec<_>, _> =
        facts.sources.iter().map(|source| survey_source(dir, facts, source)).collect();
    let found = found?;
    let files = file_entries(dir)?;
    let manifest = survey::manifest(facts, &found.iter().collect::<Vec<_>>(), files)
        .ok_or(EvidenceError::NoRun)?;
    let text = manifest.text();
    let readme = readme::text(&manifest, &hash::sha256(&text)).into_bytes();
    let report = export_report::html(dir, &manifest).map_err(failed("read the events of", dir))?;
    let report = report.into_bytes();
    let listed = manifest.files.iter();
    let mut sums: BTreeMap<_, _> =
        listed.map(|entry| (entry.file.as_str(), entry.sha256.clone())).collect();
    for (name, bytes) in [(MANIFEST, text), (README, readme), (REPORT, report)] {
        write(dir, name, |out| out.write_all(&bytes))?;
        sums.insert(name, hash::sha256(&bytes));
    }
    let sums = hash::checksum_text(sums.iter().map(|(file, sha256)| (*file, sha256.as_str())));
    if let Some(key) = key {
        let signature = key.sign(sums.as_bytes(), manifest.finished);
        let signature = signature.map_err(EvidenceError::Sign)?;
        write(dir, SIGNATURE, |out| out.write_all(signature.as_bytes()))?;
    }
    write(dir, SUMS, |out| out.write_all(sums.as_bytes()))?;
    Ok(manifest)
}

/// Removes the sums, their signature, and what dead runs left of unfinished files.
fn remove_leftovers(dir: &Path) -> Result<(), EvidenceError> {
    for entry in fs::read_dir(dir).map_err(failed("read", dir))? {
        let entry = entry.map_err(failed("read", dir))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_unfinished = name.starts_with(TEMP_PREFIX) && name.ends_with(TEMP_SUFFIX);
        if is_unfinished || [SIGNATURE, SUMS].contains(&&*name) {
            let path = entry.path();
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
    }
    sync_folder(dir).map_err(failed("sync", dir))
}

fn survey_source(
    dir: &Path,
    facts: &ExportFacts,
    source: &SourceFacts,
) -> Result<SourceSurvey, EvidenceError> {
    let failed = |kind| failed("read", &dir.join(survey::path_of(kind, &source.name)));
    let mut found = SourceSurvey::new(source);
    found.read_events(dir, &facts.asked, None).map_err(failed(ChainKind::Events))?;
    check_intact(&found.events)?;
    found.read_pages(dir, None).map_err(failed(ChainKind::Pages))?;
    check_intact(&found.pages)?;
    Ok(found)
}

/// Refuses a file with a line that is no line.
fn check_intact(file: &SurveyedFile) -> Result<(), EvidenceError> {
    let mut problems = file.problems.listed.iter();
    match problems.find(|(_, problem)| problem.is_damage()) {
        None => Ok(()),
        Some((line, problem)) => Err(EvidenceError::Damaged {
            file: file.entry.file.clone(),
            what: format!("line {line}: {problem}"),
        }),
    }
}

/// Every file that is there, with its hash.
fn file_entries(dir: &Path) -> Result<Vec<FileEntry>, EvidenceError> {
    let listing = FolderListing::of(dir)?;
    if let Some((name, why)) = listing.unexpected.first() {
        return Err(EvidenceError::UnexpectedEntry { name: name.clone(), why });
    }
    let entry = |file: &String| {
        let path = dir.join(file);
        let digest = hash::digest_file(&path).map_err(failed("read", &path))?;
        Ok(FileEntry { file: file.clone(), bytes: digest.bytes, sha256: digest.sha256 })
    };
    listing.files_in_manifest().map(entry).collect()
}

/// Writes a file for its owner only, so that it is there whole or not at all, and durable. What is
/// left of an unfinished one is removed by the next seal.
///
/// # Errors
/// The file system's, or that of `fill`.
pub fn write(
    dir: &Path,
    name: &str,
    fill: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> Result<(), EvidenceError> {
    let path = dir.join(name);
    FileReplacement::new(&path, Durability::FileAndDir)
        .named(TEMP_PREFIX, TEMP_SUFFIX)
        .write(fill)
        .map_err(failed("write", &path))
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
