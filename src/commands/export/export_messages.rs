//! Owns the lines that end an export.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::commands::summary::seconds;
use crate::evidence::manifest::{Manifest, SourceEntry};
use crate::model::number::{counted, hex};
use crate::model::time::format_millis;
use crate::telemetry::console::{StderrConsole, Level, ConsoleMessage};

/// Tells what the export at `path` holds by now, whichever run brought it, and what to do with it.
pub fn report_export(console: &StderrConsole, path: &Path, manifest: &Manifest, took: Duration) {
    for source in &manifest.sources {
        console.say(Level::Notice, &ConsoleMessage::new(source_line(source)));
    }
    for source in &manifest.sources {
        if let Some(retention) = source.retention_text(manifest.asked.since) {
            let text = format!("source `{}`: {retention}", source.facts.name);
            console.say(Level::Warning, &ConsoleMessage::new(text));
        }
    }
    console.say(Level::Notice, &ConsoleMessage::new(total_line(path, manifest, took)));
    if let Ok(sums) = fs::read(path.join("SHA256SUMS")) {
        // Noted elsewhere, it tells this export from one that was made up later.
        let text = format!("SHA-256 of SHA256SUMS: {}", hex(&Sha256::digest(&sums)));
        console.say(Level::Notice, &ConsoleMessage::new(text));
    }
}

/// Tells that nothing was left to do.
pub fn report_already_complete(console: &StderrConsole, path: &Path) {
    let shown = path.display();
    let text = format!("the export `{shown}` is complete; check it with `atlaudit verify {shown}`");
    console.say(Level::Notice, &ConsoleMessage::new(text));
}

/// `acme: 2,400 events, 6 requests`, and where it is not read to its end.
fn source_line(source: &SourceEntry) -> String {
    let mut line = format!(
        "{}: {}, {}",
        source.facts.name,
        counted(source.counts.written, "event"),
        counted(source.counts.responses, "request"),
    );
    for gap in &source.facts.gaps {
        let (from, to) = (format_millis(gap.from), format_millis(gap.to));
        line.push_str(&format!("; INCOMPLETE: not read from {from} to {to}"));
    }
    line
}

fn total_line(path: &Path, manifest: &Manifest, took: Duration) -> String {
    let sources = &manifest.sources;
    let events = sources.iter().map(|source| source.counts.written).sum();
    let mut line = format!(
        "{} from {} in `{}`, {}",
        counted(events, "event"),
        counted(sources.len() as u64, "source"),
        path.display(),
        seconds(took),
    );
    line.push_str(&match manifest.complete {
        true => format!("; check it with `atlaudit verify {}`", path.display()),
        false => "; INCOMPLETE: run the same command again to resume".to_owned(),
    });
    line
}
