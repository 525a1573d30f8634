//! Owns `export`: the events of a window and every answer that brought them, in a folder that proves itself.

mod bodies;
mod facts;
mod folder;
mod made_by;
mod sealing;
mod export_messages;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::commands::run_registry::RunRegistry;
use crate::commands::collect::{CollectOptions, SourceCollector};
use crate::commands::connect::{SourceConnector, quota_dir};
use crate::commands::{pull, stop};
use crate::config::env::ProcessEnv;
use crate::config::request::ExportRequest;
use crate::config::settings::{
    Compression, OutputFormat, OutputPath, OutputSettings, Rotation, SourceSettings,
};
use crate::error::AppError;
use crate::evidence::facts::{ExportFacts, SourceFacts};
use crate::evidence::manifest::Manifest;
use crate::evidence::request::ExportSpec;
use crate::exit::Exit;
use crate::model::time::{TypedTime, Window, truncate_to_millis};
use crate::fetch::attempt_record::AttemptRecorder;
use crate::pipeline::export_run::ExportRun;
use crate::pipeline::report::SourceReport;
use crate::pipeline::run::RunMode;
use crate::sink::bodies::ResponseBodyStore;
use crate::state::StateError;
use crate::state::lookups::LookupCache;
use crate::state::store::StateStore;
use crate::telemetry::console::StderrConsole;
use folder::ExportFolder;

/// What a run made of the sources.
struct ReadResult {
    reports: Vec<SourceReport>,
    exit: Exit,
    took: Duration,
}

/// Exports, and returns how the worst source ended.
///
/// # Errors
/// The folder is not for this request, or the whole cannot be made of what was read.
pub async fn run(
    request: ExportRequest,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<Exit, AppError> {
    let Some((manifest, exit, took)) = make(&request, env, console).await? else {
        export_messages::report_already_complete(console, &request.folder);
        return Ok(Exit::Done);
    };
    export_messages::report_export(console, &request.folder, &manifest, took);
    Ok(exit)
}

/// Makes the export; nothing where it is made already.
///
/// # Errors
/// As with [`run`].
pub async fn make(
    request: &ExportRequest,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<Option<(Manifest, Exit, Duration)>, AppError> {
    let key = sealing::key(request.sign.as_deref(), env)?;
    let wanted = export_spec(request);
    let Some(mut folder) = ExportFolder::open(&request.folder, &wanted, request.now)? else {
        return Ok(None);
    };
    // Whatever of it cannot be read is told before anything is touched.
    let unread = unread_sources(request, &folder)?;
    folder.begin_run(request.now)?;
    let read = read(request, unread, &folder, env, console).await;
    let sources = facts(request, &folder, &read.reports)?;
    folder.end_run(chrono::Utc::now(), end_reason(&read.reports))?;
    // An answer that came while the run ended was kept, and is told of by no line.
    if request.keep_bodies {
        bodies::remove_unreferenced(&request.sources, folder.path())?;
    }
    let facts = ExportFacts {
        asked: folder.request.asked.clone(),
        runs: folder.request.runs.clone(),
        made_by: made_by::made_by(env),
        sources,
    };
    let manifest = sealing::seal(folder.path(), &facts, key.as_ref())?;
    finish(folder, &manifest)?;
    let exit = match manifest.complete {
        true => read.exit,
        false => read.exit.worst(Exit::Incomplete),
    };
    Ok(Some((manifest, exit, read.took)))
}

/// A complete export needs its state no more; another goes on from it.
fn finish(folder: ExportFolder, manifest: &Manifest) -> Result<(), AppError> {
    match manifest.complete {
        true => folder.finish_export(),
        false => Ok(()),
    }
}

fn export_spec(request: &ExportRequest) -> ExportSpec {
    let names = request.sources.iter();
    // Events have whole milliseconds, and so must their window: none may lie on both sides of its edge.
    let whole = |typed: TypedTime| match typed {
        TypedTime::At(time) => TypedTime::At(truncate_to_millis(time)),
        ago => ago,
    };
    ExportSpec {
        since: whole(request.since),
        until: request.until.map(whole),
        sources: names.map(|source| source.name.to_string()).collect(),
        keep_bodies: request.keep_bodies,
    }
}

/// Reads what is left to read of `sources`.
async fn read(
    request: &ExportRequest,
    sources: Vec<SourceSettings>,
    folder: &ExportFolder,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> ReadResult {
    let terms = CollectOptions {
        state_dir: folder.state_dir(),
        lookups: LookupCache::new(&request.state_dir),
        start: request.now,
        max_events: None,
        trust_idle_cursor: Duration::ZERO,
        stop: stop::watch_signals(),
        console: console.clone(),
        // The events go to files of the folder.
        shows_progress: true,
        registry: Arc::new(RunRegistry::default()),
        throttle: None,
    };
    let mut connector = SourceConnector::new(quota_dir(env));
    let credentials = pull::credentials(&sources, env, &terms).await;
    let mut collection = SourceCollector::new(terms, &mut connector);
    for (settings, credential) in sources.iter().zip(&credentials) {
        if let Ok(credential) = credential {
            collection.register_rate(settings, credential);
        }
    }
    for (settings, credential) in sources.iter().zip(credentials) {
        let course = run_mode(settings, request, folder);
        let events = output(folder.path(), "events", settings);
        let settings = SourceSettings {
            output: events,
            ..settings.clone()
        };
        collection.start(settings, credential, course);
    }
    let (reports, exit, took) = collection.finish().await;
    ReadResult {
        reports,
        exit,
        took,
    }
}

/// The sources that no earlier run has read to their ends. Of the others nothing is asked, not even a credential.
///
/// # Errors
/// A checkpoint cannot be read.
fn unread_sources(request: &ExportRequest, folder: &ExportFolder) -> Result<Vec<SourceSettings>, StateError> {
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
    let bodies = request
        .keep_bodies
        .then(|| ResponseBodyStore::new(bodies::body_folder(folder.path(), settings)));
    RunMode::Export(ExportRun {
        window: Window {
            from: asked.since,
            to: Some(asked.until),
        },
        transcript: AttemptRecorder::new(bodies),
        pages: output(folder.path(), "pages", settings),
    })
}

/// Lines of a source in the folder `kind` of the export at `path`.
fn output(path: &Path, kind: &str, settings: &SourceSettings) -> OutputSettings {
    let name = format!("{}.jsonl.zst", settings.name);
    let path = path.join(kind).join(name).to_string_lossy().into_owned();
    OutputSettings {
        // Whatever else it holds, it is no template.
        path: OutputPath::File(path.replace('%', "%%")),
        format: OutputFormat::Normalized,
        compression: Compression::Zstd,
        rotation: Rotation::Never,
        mode: 0o600,
    }
}

/// What is known of all sources. Each is held while its checkpoint is read: a writer that a second signal left behind
/// must be at its end.
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
        let report = reports
            .iter()
            .find(|report| report.source == settings.name.as_str());
        let error = report.and_then(|report| report.error.clone());
        Ok(facts::source_facts(
            settings,
            error,
            checkpoint.as_ref(),
            &folder.request.asked,
            started,
        ))
    });
    let mut known = known.collect::<Result<Vec<SourceFacts>, AppError>>()?;
    // The configuration may have been sorted anew since the first run.
    let asked = &folder.request.asked.sources;
    known.sort_by_key(|source| asked.iter().position(|name| *name == source.name));
    Ok(known)
}

fn still_writing_error(error: StateError) -> AppError {
    match error {
        StateError::Locked { .. } => AppError::new(
            Exit::Incomplete,
            "interrupted while files were being written",
        )
        .hint("run the same command again to resume the export; it has no manifest until then"),
        other => other.into(),
    }
}

/// How the run ended, for the manifest.
fn end_reason(reports: &[SourceReport]) -> &str {
    let failed = reports
        .iter()
        .filter_map(|report| Some((report, report.error.as_deref()?)));
    let mut failed = failed.peekable();
    match failed.peek() {
        None => "finished",
        Some(_) => {
            let is_asked = |(report, _): &(&SourceReport, &str)| report.interrupted;
            let why = failed.clone().find(|failed| !is_asked(failed));
            why.map_or("interrupted", |(_, error)| error)
        }
    }
}
