//! `verify --against-source`: reads the window of an export again, into a temporary folder, and
//! compares the events.

use std::path::Path;
use std::sync::Arc;

use crate::commands::export;
use crate::config::env::ProcessEnv;
use crate::config::request::{AgainstRequest, ExportRequest};
use crate::config::settings::SourceSettings;
use crate::error::AppError;
use crate::evidence::event_comparison::{self, EventDifferenceKind, EventSummary};
use crate::evidence::manifest::{Manifest, SourceEntry, SourceFacts};
use crate::evidence::{survey, verify};
use crate::exit::Exit;
use crate::model::time::TypedTime;
use crate::telemetry::console::{ConsoleMessage, Level, StderrConsole};

/// An event that differs, and its source.
pub struct EventDifference {
    /// The source's name.
    pub source: String,
    /// How it differs.
    pub kind: EventDifferenceKind,
    /// The event.
    pub event: EventSummary,
}

/// The result of the comparison.
pub struct SourceComparison {
    /// The events that differ.
    pub differences: Vec<EventDifference>,
    /// How many sources were read.
    pub sources: usize,
    /// How reading them ended.
    pub exit: Exit,
}

/// Compares the export at `dir` with its sources as they are now.
///
/// # Errors
/// The manifest cannot be read, a source is not configured or is a different one now, or it cannot
/// be read.
pub async fn compare(
    dir: &Path,
    request: &AgainstRequest,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<SourceComparison, AppError> {
    let manifest = manifest(dir)?;
    let sources = sources(&manifest, request)?;
    let folder =
        tempfile::Builder::new().prefix("atlaudit-verify-").tempdir().map_err(|error| {
            AppError::new(Exit::Output, "cannot make a folder for what is read again")
                .because(&error)
                .hint("check the folder that TMPDIR names")
        })?;
    let again = ExportRequest {
        sources,
        state_dir: request.state_dir.clone(),
        now: request.now,
        since: TypedTime::At(manifest.asked.since),
        until: Some(TypedTime::At(manifest.asked.until)),
        folder: folder.path().join("again"),
        keep_bodies: false,
        sign: None,
    };
    let made = export::make(&again, env, console).await?;
    let Some((now, exit, _)) = made else {
        return Err(AppError::new(Exit::Unexpected, "the folder for what is read again was taken"));
    };
    let mut compared =
        SourceComparison { differences: Vec::new(), sources: now.sources.len(), exit };
    for source in &now.sources {
        let mut before = manifest.sources.iter();
        if let Some(before) = before.find(|before| before.facts.name == source.facts.name) {
            check_same_source(&before.facts, &source.facts)?;
            compare_source(dir, &again.folder, before, &source.facts, &mut compared)?;
            warn_incomplete(console, &before.facts, &source.facts);
        }
    }
    Ok(compared)
}

fn manifest(dir: &Path) -> Result<Manifest, AppError> {
    verify::manifest(dir).ok_or_else(|| {
        AppError::new(
            Exit::Different,
            "without its manifest the export cannot be compared with its sources",
        )
        .hint("compare another copy of it")
    })
}

/// The settings of the export's sources, or of the one that was named.
fn sources(manifest: &Manifest, request: &AgainstRequest) -> Result<Vec<SourceSettings>, AppError> {
    let names = manifest.sources.iter().map(|source| &source.facts.name);
    let wanted: Vec<_> = match &request.name {
        Some(name) => names.filter(|known| *known == name.as_str()).collect(),
        None => names.collect(),
    };
    if let (Some(name), []) = (&request.name, wanted.as_slice()) {
        let what = format!("the export has no source `{name}`");
        return Err(AppError::new(Exit::Usage, what).hint("its manifest.json names its sources"));
    }
    let settings = |name: &String| {
        let found = request.sources.iter().find(|source| source.name.as_str() == name);
        found.cloned().ok_or_else(|| {
            AppError::new(Exit::Config, format!("source `{name}` of the export is not configured"))
                .hint(
                    "configure it under that name, or compare one source: `--against-source NAME`",
                )
        })
    };
    wanted.into_iter().map(settings).collect()
}

/// Refuses a different source of the same name, which would only show differences.
fn check_same_source(before: &SourceFacts, now: &SourceFacts) -> Result<(), AppError> {
    let of = |facts: &SourceFacts| {
        let parts = [Some(&facts.kind), facts.org_id.as_ref(), facts.site.as_ref()];
        let parts: Vec<_> = parts.into_iter().flatten().map(String::as_str).collect();
        parts.join(", ")
    };
    if of(before) == of(now) {
        return Ok(());
    }
    let what = format!(
        "source `{}` is another one by now: {}; the export is of {}",
        before.name,
        of(now),
        crate::model::text::printable(&of(before)),
    );
    Err(AppError::new(Exit::Config, what)
        .hint("name the configuration that the export was made with: `--config`"))
}

fn compare_source(
    dir: &Path,
    again: &Path,
    before: &SourceEntry,
    now: &SourceFacts,
    compared: &mut SourceComparison,
) -> Result<(), AppError> {
    // The name is that of a configured source, and leads nowhere else.
    let file = format!("events/{}.jsonl.zst", now.name);
    let differences = &mut compared.differences;
    let mut add = |since, event| {
        differences.push(EventDifference { source: before.facts.name.clone(), kind: since, event });
    };
    let (path, again) = (dir.join(&file), again.join(&file));
    let said = survey::text_limit(&before.events);
    event_comparison::compare(&path, said, &again, now.complete, &mut add).map_err(|error| {
        AppError::new(Exit::Different, format!("cannot compare `{file}` with its source"))
            .because(&error)
            .hint("compare another copy of the export")
    })
}

fn warn_incomplete(console: &StderrConsole, before: &SourceFacts, now: &SourceFacts) {
    let name = &now.name;
    if !before.complete {
        let what = "was not read to its end for the export: what that lacks counts as appeared";
        console.say(Level::Warning, &ConsoleMessage::new(format!("source `{name}` {what}")));
    }
    if !now.complete {
        let what = "could not be read to its end now, so vanished events are not reported";
        console.say(Level::Warning, &ConsoleMessage::new(format!("source `{name}` {what}")));
    }
}
