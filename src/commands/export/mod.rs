//! Runs `export`: writes the events of a time range and every response that brought them into a
//! folder that can be verified offline.

mod facts;
mod folder;
mod signing;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use folder::ExportFolder;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::collect::collector::{CollectOptions, SourceCollector};
use crate::collect::connector::SourceConnector;
use crate::collect::signals;
use crate::collect::summary::seconds;
use crate::commands::issue_reporter::IssueReporter;
use crate::commands::saved_detection::{self, SavedDetection, sort_error};
use crate::config::env::ProcessEnv;
use crate::config::request::{ExportRequest, SavedEventQuery};
use crate::config::settings::{
    Compression, Encoding, KeepFiles, OutputFormat, OutputPath, OutputSettings, Rotation,
    SourceSettings,
};
use crate::crash::{self, CrashPoint};
use crate::detect::DetectionSetup;
use crate::error::AppError;
use crate::evidence::folder::ALERTS;
use crate::evidence::manifest::{ExportFacts, Manifest, SourceEntry, SourceFacts};
use crate::evidence::request::ExportSpec;
use crate::evidence::seal;
use crate::exit::Exit;
use crate::fetch::attempt_record::AttemptRecorder;
use crate::model::text::{counted, hex};
use crate::model::time::Window;
use crate::model::user_zone::UserZone;
use crate::normalise::taxonomy::Taxonomy;
use crate::pipeline::export_run::ExportRun;
use crate::pipeline::report::SourceReport;
use crate::pipeline::run::RunMode;
use crate::report::DetectionNotes;
use crate::search::{self, NextStep};
use crate::sink::bodies::ResponseBodyStore;
use crate::sink::pack::unpack;
use crate::state::StateError;
use crate::state::caches::LookupCache;
use crate::state::store::StateStore;
use crate::telemetry::console::StderrConsole;

/// Exports, and returns how the worst source ended.
///
/// # Errors
/// The folder is not for this request, or the export cannot be sealed.
pub async fn run(
    request: ExportRequest,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<Exit, AppError> {
    let folder = request.folder.display();
    match make(&request, env, console).await? {
        None => {
            console.notice(format!(
                "the export `{folder}` is complete; check it with `atlaudit verify {folder}`"
            ));
            Ok(Exit::Done)
        }
        Some((manifest, exit, took)) => {
            report_export(console, &request.folder, &manifest, took);
            Ok(exit)
        }
    }
}

/// Writes the export; `None` if it is complete already.
///
/// # Errors
/// As with [`run`].
pub async fn make(
    request: &ExportRequest,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<Option<(Manifest, Exit, Duration)>, AppError> {
    let key = request.sign.as_deref();
    let key = key.map(|path| signing::load_key(path, env, console)).transpose()?;
    let detect = request.detect.clone();
    let setup = detect.map(|detect| saved_detection::load_setup(detect, request.now, console));
    let setup = setup.transpose()?;
    let wanted = export_spec(request);
    let Some(mut folder) = ExportFolder::open(&request.folder, &wanted, request.now)? else {
        return Ok(None);
    };
    // A checkpoint that cannot be read is reported before anything is changed.
    let unread = unread_sources(request, &folder)?;
    // All sources have the same.
    let extra_actions = request.sources.first().and_then(|source| source.extra_actions.as_ref());
    let extra_actions = extra_actions.map(|file| hex(&Sha256::digest(&file.text)));
    folder.begin_run(request.now, extra_actions)?;
    let (reports, exit, took) = read(request, unread, &folder, env, console).await;
    let sources = facts(request, &folder, &reports)?;
    folder.end_run(chrono::Utc::now(), end_reason(&reports))?;
    // A response that arrived while the run ended was saved, but no page names it.
    if request.keep_bodies {
        remove_unreferenced_bodies(&request.sources, folder.path())?;
    }
    let is_complete = sources.iter().all(|source| source.complete);
    let setup = setup.filter(|_| is_complete);
    let judged = setup.map(|setup| write_alerts(&folder, &setup, console)).transpose()?;
    let facts = ExportFacts {
        asked: folder.request.asked.clone(),
        runs: folder.request.runs.clone(),
        made_by: facts::made_by(env),
        sources,
        detection: judged,
    };
    let manifest = seal::seal(folder.path(), &facts, key.as_ref())?;
    if !manifest.complete {
        // The next run resumes from the state in the folder.
        return Ok(Some((manifest, exit.worst(Exit::Incomplete), took)));
    }
    folder.finish_export()?;
    Ok(Some((manifest, exit, took)))
}

/// Judges the events of a complete export, and writes their alerts into its folder, in the place of
/// what an earlier run wrote. Only the events and `setup` count, so that it may be repeated.
///
/// # Errors
/// The events cannot be sorted, or the alerts cannot be written.
fn write_alerts(
    folder: &ExportFolder,
    setup: &DetectionSetup,
    console: &StderrConsole,
) -> Result<DetectionNotes, AppError> {
    let names = folder.request.asked.sources.iter();
    let files = names.map(|name| folder.path().join(format!("events/{name}.jsonl.zst")));
    // Without an event there is no file.
    let query = SavedEventQuery::of_files(files.filter(|file| file.exists()), chrono::Utc::now());
    let mut detection = SavedDetection::new(setup);
    let reporter = IssueReporter::new(console);
    let chosen = search::choose_events(
        &query,
        Taxonomy::default(),
        &mut |issue| reporter.report(&issue),
        || Ok(()),
        |event| detection.add(&event.doc, false).map(|()| NextStep::Continue),
    );
    reporter.finish();
    chosen.map_err(|error| sort_error(&error))?;
    let mut sorted = detection.sort().map_err(|error| sort_error(&error))?;
    seal::write(folder.path(), ALERTS, |out| {
        let mut line = Vec::new();
        while let Some(alert) = sorted.next()? {
            line.clear();
            alert.append_line(&mut line);
            out.write_all(&line)?;
        }
        Ok(())
    })?;
    crash::point(CrashPoint::AlertsWritten);
    let outcome = sorted.finish();
    outcome.report(console);
    Ok(outcome.notes)
}

fn export_spec(request: &ExportRequest) -> ExportSpec {
    let names = request.sources.iter();
    ExportSpec {
        since: request.since,
        until: request.until,
        sources: names.map(|source| source.name.to_string()).collect(),
        keep_bodies: request.keep_bodies,
        detect: request.detect.is_some(),
    }
}

/// Reads the rest of `sources`.
async fn read(
    request: &ExportRequest,
    sources: Vec<SourceSettings>,
    folder: &ExportFolder,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> (Vec<SourceReport>, Exit, Duration) {
    let options = CollectOptions {
        lookups: LookupCache::new(&request.state_dir),
        start: request.now,
        ..CollectOptions::new(&folder.state_dir(), signals::watch_signals(), console)
    };
    let mut connector = SourceConnector::of_process(env);
    let credentials = options.load_credentials(&sources, env).await;
    let sources = sources.into_iter().zip(credentials);
    let sources = sources.map(|(settings, credential)| {
        let mode = run_mode(&settings, request, folder);
        let output = output(folder.path(), "events", &settings);
        (SourceSettings { output, ..settings }, credential, mode)
    });
    SourceCollector::start(options, &mut connector, sources.collect()).finish().await
}

/// The sources that no earlier run has read to their ends. For the others no request is sent, and
/// no credential is loaded.
///
/// # Errors
/// A checkpoint cannot be read.
fn unread_sources(
    request: &ExportRequest,
    folder: &ExportFolder,
) -> Result<Vec<SourceSettings>, StateError> {
    let store = StateStore::new(&folder.state_dir());
    let mut unread = Vec::new();
    for source in &request.sources {
        let found = store.load(&source.name)?;
        if found.is_none_or(|checkpoint| checkpoint.complete_until.is_none()) {
            unread.push(source.clone());
        }
    }
    Ok(unread)
}

fn run_mode(settings: &SourceSettings, request: &ExportRequest, folder: &ExportFolder) -> RunMode {
    let asked = &folder.request.asked;
    let bodies =
        request.keep_bodies.then(|| ResponseBodyStore::new(body_folder(folder.path(), settings)));
    RunMode::Export(ExportRun {
        window: Window { from: asked.since, to: Some(asked.until) },
        recorder: AttemptRecorder::new(bodies),
        attempt_log: output(folder.path(), "pages", settings),
    })
}

/// Lines of a source in the folder `kind` of the export at `path`.
fn output(path: &Path, kind: &str, settings: &SourceSettings) -> OutputSettings {
    let name = format!("{}.jsonl.zst", settings.name);
    let path = path.join(kind).join(name).to_string_lossy().into_owned();
    OutputSettings {
        preset: None,
        // A literal path, not a template.
        path: OutputPath::File(path.replace('%', "%%")),
        format: OutputFormat::Normalized,
        encoding: Encoding::JsonLines,
        compression: Compression::Zstd,
        rotation: Rotation::Never,
        keep: KeepFiles::Forever,
        mode: 0o600,
        table: None,
    }
}

/// What the manifest says of all sources. Each is locked while its checkpoint is read: a writer
/// that a second signal abandoned must have ended.
fn facts(
    request: &ExportRequest,
    folder: &ExportFolder,
    reports: &[SourceReport],
) -> Result<Vec<SourceFacts>, AppError> {
    let store = StateStore::new(&folder.state_dir());
    let first = folder.request.runs.first();
    let started = first.map_or(request.now, |run| run.started);
    let known = request.sources.iter().map(|settings| {
        let _held = store.lock(&settings.name).map_err(still_writing_error)?;
        let checkpoint = store.load(&settings.name)?;
        let report = reports.iter().find(|report| report.source == settings.name.as_str());
        let error = report.and_then(|report| report.error.clone());
        let asked = &folder.request.asked;
        Ok(facts::source_facts(settings, error, checkpoint.as_ref(), asked, started))
    });
    let mut known = known.collect::<Result<Vec<SourceFacts>, AppError>>()?;
    // The order in the configuration may have changed since the first run.
    let asked = &folder.request.asked.sources;
    known.sort_by_key(|source| asked.iter().position(|name| *name == source.name));
    Ok(known)
}

fn still_writing_error(error: StateError) -> AppError {
    match error {
        StateError::Locked { .. } => {
            AppError::new(Exit::Incomplete, "interrupted while files were being written").hint(
                "run the same command again to resume the export; it has no manifest until then",
            )
        }
        other => other.into(),
    }
}

/// How the run ended, for the manifest.
fn end_reason(reports: &[SourceReport]) -> &str {
    let mut failed = reports.iter().filter(|report| report.error.is_some());
    let is_interrupted = failed.clone().next().is_some();
    let why = failed.find(|report| !report.interrupted).and_then(|report| report.error.as_deref());
    why.unwrap_or(if is_interrupted { "interrupted" } else { "finished" })
}

/// Reports what the export at `path` contains now, from all runs, and what to do with it.
fn report_export(console: &StderrConsole, path: &Path, manifest: &Manifest, took: Duration) {
    for source in &manifest.sources {
        console.notice(source_line(source, console.zone()));
    }
    for source in &manifest.sources {
        if let Some(retention) = source.retention_text(manifest.asked.since) {
            console.warn(format!("source `{}`: {retention}", source.facts.name));
        }
    }
    console.notice(total_line(path, manifest, took));
    if let Ok(sums) = fs::read(path.join("SHA256SUMS")) {
        // Noted elsewhere, it shows that no later export was put in place of this one.
        console.notice(format!("SHA-256 of SHA256SUMS: {}", hex(&Sha256::digest(&sums))));
    }
}

/// `acme: 2,400 events, 6 requests`, and the gaps.
fn source_line(source: &SourceEntry, zone: UserZone) -> String {
    let mut line = format!(
        "{}: {}, {}",
        source.facts.name,
        counted(source.counts.written, "event"),
        counted(source.counts.responses, "request"),
    );
    for gap in &source.facts.gaps {
        let (from, to) = (zone.millis(gap.from), zone.millis(gap.to));
        line.push_str(&format!("; INCOMPLETE: not read from {from} to {to}"));
    }
    line
}

fn total_line(path: &Path, manifest: &Manifest, took: Duration) -> String {
    let sources = &manifest.sources;
    let events = sources.iter().map(|source| source.counts.written).sum();
    let folder = path.display();
    let next = match manifest.complete {
        true => format!("check it with `atlaudit verify {folder}`"),
        false => "INCOMPLETE: run the same command again to resume".to_owned(),
    };
    format!(
        "{} from {} in `{folder}`, {}; {next}",
        counted(events, "event"),
        counted(sources.len() as u64, "source"),
        seconds(took),
    )
}

/// The folder of a source's response bodies, in the export at `path`.
fn body_folder(path: &Path, settings: &SourceSettings) -> PathBuf {
    path.join("bodies").join(settings.name.as_str())
}

/// Removes the response bodies that no page names, as a killed run may leave them.
///
/// # Errors
/// A file cannot be read or removed.
fn remove_unreferenced_bodies(sources: &[SourceSettings], path: &Path) -> Result<(), AppError> {
    for settings in sources {
        let pages = path.join("pages").join(format!("{}.jsonl.zst", settings.name));
        let named = referenced_hashes(&pages).map_err(|error| {
            AppError::new(Exit::Output, format!("cannot read `{}`", pages.display()))
                .because(&error)
                .hint("start the export again in another folder")
        })?;
        ResponseBodyStore::new(body_folder(path, settings)).remove_unreferenced(&named)?;
    }
    Ok(())
}

/// The part of a page's line that names its response body.
#[derive(Deserialize)]
struct PageBodyLine {
    body: Option<BodyReference>,
}

#[derive(Deserialize)]
struct BodyReference {
    sha256: String,
}

/// The hashes of the bodies that the file `pages` names.
fn referenced_hashes(pages: &Path) -> io::Result<HashSet<String>> {
    let file = match File::open(pages) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashSet::new()),
        file => BufReader::new(file?),
    };
    let mut named = HashSet::new();
    for line in BufReader::new(unpack(Compression::Zstd, file)?).lines() {
        let line: PageBodyLine = serde_json::from_str(&line?)?;
        named.extend(line.body.map(|body| body.sha256));
    }
    Ok(named)
}
