//! Owns the sealing of an export: to be replaced.

use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use super::facts::{Facts, SourceFacts};
use super::manifest::{Counts, LinesEntry, Manifest, SCHEMA, SourceEntry};
use super::page::PageLine;
use super::sign::SigningKey;

/// Why an export cannot be sealed.
#[derive(Debug, thiserror::Error)]
#[error("cannot seal the export")]
pub struct EvidenceError(#[source] pub io::Error);

/// Writes the manifest.
pub fn seal(dir: &Path, facts: &Facts, _: Option<&SigningKey>) -> Result<Manifest, EvidenceError> {
    try_seal(dir, facts).map_err(EvidenceError)
}

fn try_seal(dir: &Path, facts: &Facts) -> io::Result<Manifest> {
    let sources: io::Result<Vec<_>> = facts.sources.iter().map(|one| entry(dir, one)).collect();
    let (Some(first), Some(last)) = (facts.runs.first(), facts.runs.last()) else {
        return Err(io::Error::other("no run"));
    };
    let manifest = Manifest {
        schema: SCHEMA.to_owned(),
        complete: facts.sources.iter().all(|one| one.complete),
        asked: facts.asked.clone(),
        started: first.started,
        finished: last.finished.unwrap_or(last.started),
        runs: facts.runs.clone(),
        made_by: facts.made_by.clone(),
        clock: None,
        sources: sources?,
        files: Vec::new(),
    };
    let text = serde_json::to_vec_pretty(&manifest)?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    io::Write::write_all(&mut file, &text)?;
    file.persist(dir.join("manifest.json"))
        .map_err(|e| e.error)?;
    Ok(manifest)
}

fn entry(dir: &Path, facts: &SourceFacts) -> io::Result<SourceEntry> {
    let lines = |kind: &str| -> io::Result<Vec<String>> {
        let path = dir.join(kind).join(format!("{}.jsonl.zst", facts.name));
        let Ok(file) = std::fs::File::open(path) else {
            return Ok(Vec::new());
        };
        BufReader::new(zstd::stream::read::Decoder::new(file)?)
            .lines()
            .collect()
    };
    let (events, pages) = (lines("events")?, lines("pages")?);
    let mut counts = Counts {
        responses: pages.len() as u64,
        repeats: facts.dropped.repeats,
        outside: facts.dropped.outside,
        written: events.len() as u64,
        ..Counts::default()
    };
    for line in &pages {
        let line: PageLine = serde_json::from_str(line)?;
        counts.pages += u64::from(line.records.is_some());
        counts.served += line.records.unwrap_or_default();
    }
    counts.read_again = counts.served - counts.repeats - counts.outside - counts.written;
    let entry = |kind: &str, lines: &[String]| LinesEntry {
        file: format!("{kind}/{}.jsonl.zst", facts.name),
        lines: lines.len() as u64,
        bytes: 0,
        text_bytes: 0,
        sha256: String::new(),
        chain: String::new(),
        marks: Vec::new(),
    };
    Ok(SourceEntry {
        facts: facts.clone(),
        counts,
        first: None,
        last: None,
        retries: Vec::new(),
        waited_ms: 0,
        events: entry("events", &events),
        pages: entry("pages", &pages),
    })
}
