//! Owns `pull`: every source asked for, once, to its end.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::commands::run_registry::RunRegistry;
use crate::commands::collect::{CollectOptions, SourceCollector, may_show_progress};
use crate::commands::connect::{SourceConnector, quota_dir};
use crate::commands::metrics::MetricsFile;
use crate::commands::{expiry, output_owner, stop, summary};
use crate::config::env::ProcessEnv;
use crate::config::request::{PullRequest, ReportTarget};
use crate::config::settings::SourceSettings;
use crate::credentials::{self, Credential};
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::time::{Timestamp, format_millis};
use crate::pipeline::report::{RunReport, SourceReport};
use crate::pipeline::run::RunMode;
use crate::pipeline::stop::{StopRequest, unless_stopped};
use crate::sink::stdout;
use crate::state::lookups::LookupCache;
use crate::state::notices::NoticeStore;
use crate::telemetry::console::StderrConsole;

/// Pulls, and returns how the worst source ended.
///
/// # Errors
/// A time range would go into a file of an ordinary pull, or the report's file cannot be opened. Nothing has been
/// requested or written then.
pub async fn run(
    request: PullRequest,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<Exit, AppError> {
    output_owner::refuse_owned(&request)?;
    let report_output = request.report.as_ref();
    let report_output = report_output.map(|target| ReportOutput::open(target, request.file_mode));
    let report_output = report_output.transpose()?;
    let accounts = Arc::new(RunRegistry::default());
    let metrics = match &request.metrics_file {
        None => None,
        Some(path) => {
            accounts.set_sources(&request.sources, &request.state_dir);
            let mode = request.file_mode;
            Some(MetricsFile::open(path, mode, accounts.clone())?)
        }
    };
    let terms = CollectOptions {
        state_dir: request.state_dir.clone(),
        lookups: LookupCache::new(&request.state_dir),
        start: request.now,
        max_events: request.max_events,
        trust_idle_cursor: Duration::ZERO,
        stop: stop::watch_signals(),
        console: console.clone(),
        shows_progress: may_show_progress(request.sources.iter().map(|source| &source.output)),
        registry: accounts,
        throttle: None,
    };
    let pulling = async {
        let mut connector = SourceConnector::new(quota_dir(env));
        let credentials = credentials(&request.sources, env, &terms).await;
        let collection = SourceCollector::new(terms, &mut connector);
        start(collection, &request, credentials).finish().await
    };
    let (reports, exit, elapsed) = match &metrics {
        None => pulling.await,
        Some(metrics) => tokio::select! {
            ended = pulling => ended,
            never = metrics.refresh_periodically() => match never {},
        },
    };
    summary::report(console, &reports, elapsed);
    let exit = match metrics.map(|metrics| metrics.close()) {
        Some(Err(error)) => {
            error.tell(console);
            exit.worst(Exit::Output)
        }
        _ => exit,
    };
    let Some(output) = report_output else {
        return Ok(exit);
    };
    let text = report_text(reports, request.now, exit);
    match text.and_then(|text| output.write(&text)) {
        Ok(()) => Ok(exit),
        Err(error) => {
            error.tell(console);
            Ok(exit.worst(Exit::Output))
        }
    }
}

/// The credential of each source, or why there is none; warns of one that ends soon, once a day.
pub(super) async fn credentials(
    sources: &[SourceSettings],
    env: &ProcessEnv,
    terms: &CollectOptions,
) -> Vec<Result<Credential, AppError>> {
    let mut credentials = Vec::with_capacity(sources.len());
    let notices = NoticeStore::new(&terms.state_dir);
    for settings in sources {
        let credential = credential(settings, env, &terms.stop).await;
        let known = credential.as_ref().ok();
        expiry::warn_daily(settings, known, &notices, terms.start, &terms.console);
        credentials.push(credential);
        terms.registry.note_progress();
    }
    credentials
}

/// Starts all sources of `request`, each with its credential.
pub(super) fn start<'c>(
    mut collection: SourceCollector<'c>,
    request: &PullRequest,
    credentials: Vec<Result<Credential, AppError>>,
) -> SourceCollector<'c> {
    for (settings, credential) in request.sources.iter().zip(&credentials) {
        if let Ok(credential) = credential {
            collection.register_rate(settings, credential);
        }
    }
    for (settings, credential) in request.sources.iter().zip(credentials) {
        let course = match request.one_off {
            Some(one_off) => RunMode::Window(one_off.window(settings, request.now)),
            None => RunMode::Incremental,
        };
        collection.start(settings.clone(), credential, course);
    }
    collection
}

/// Whoever keeps the secret may take long, or ask a person who wants to stop instead.
async fn credential(
    settings: &SourceSettings,
    env: &ProcessEnv,
    stop: &watch::Receiver<StopRequest>,
) -> Result<Credential, AppError> {
    Ok(unless_stopped(stop, credentials::load(settings, env)).await??)
}

/// Where the report of the run goes.
enum ReportOutput<'a> {
    Stdout,
    File(&'a Path, File),
}

impl ReportOutput<'_> {
    /// Opens the report before anything else is done: a wrong path is told at once. A new file gets the
    /// permission bits `mode`, or 0600 where the configuration sets none.
    fn open(target: &ReportTarget, mode: Option<u32>) -> Result<ReportOutput<'_>, AppError> {
        let path = match target {
            ReportTarget::Stdout => return Ok(ReportOutput::Stdout),
            ReportTarget::File(path) => path,
        };
        let file = create_with_mode(path, mode.unwrap_or(0o600))
            .map_err(|error| report_error(path, &error).hint("check the path of `--report`"))?;
        Ok(ReportOutput::File(path, file))
    }

    fn write(self, text: &str) -> Result<(), AppError> {
        match self {
            ReportOutput::Stdout => Ok(stdout::print(text)?),
            ReportOutput::File(path, mut file) => {
                file.write_all(text.as_bytes()).map_err(|error| {
                    report_error(path, &error)
                        .hint("the run itself is over; what it wrote and its checkpoint stand")
                })
            }
        }
    }
}

/// An existing file is emptied and keeps its permissions.
fn create_with_mode(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).mode(mode);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            // Whatever the process's mask takes away.
            file.set_permissions(Permissions::from_mode(mode))?;
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            options.create(true).truncate(true).open(path)
        }
        Err(error) => Err(error),
    }
}

fn report_error(path: &Path, error: &io::Error) -> AppError {
    let what = format!("cannot write the report `{}`", path.display());
    AppError::new(Exit::Output, what).because(error)
}

fn report_text(
    sources: Vec<SourceReport>,
    started: Timestamp,
    exit: Exit,
) -> Result<String, AppError> {
    let report = RunReport {
        schema: "atlaudit/report/1",
        atlaudit: env!("CARGO_PKG_VERSION"),
        started: format_millis(started),
        finished: format_millis(chrono::Utc::now()),
        exit_code: exit.code(),
        sources,
    };
    let text = serde_json::to_string_pretty(&report).map_err(|error| {
        AppError::new(Exit::Unexpected, "the report cannot be written as JSON")
            .because(&error)
            .hint("please report it")
    })?;
    Ok(text + "\n")
}
