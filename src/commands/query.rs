//! Runs a query for `search` and its relatives: pulls what is asked for from sources, or reads it
//! from files, on a thread of its own, until a signal comes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;

use crate::collect::collector::{CollectOptions, SourceCollector};
use crate::collect::connector::SourceConnector;
use crate::collect::{signals, summary};
use crate::commands::issue_reporter::IssueReporter;
use crate::config::env::ProcessEnv;
use crate::config::request::{EventInput, PullRequest, SavedEventQuery};
use crate::config::settings::{Compression, OutputFormat, OutputPath, OutputSettings};
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::text::plural;
use crate::normalise::taxonomy::Taxonomy;
use crate::pipeline::error::RunError;
use crate::pipeline::stop::StopRequest;
use crate::saved::IssueReport;
use crate::search::QueryCounts;
use crate::telemetry::console::{Level, StderrConsole};

/// How long the current line may take after a signal: a read or a write may block forever.
const STOP_TIMEOUT: Duration = Duration::from_millis(250);

/// What the work of a query gets.
pub struct QueryWork<'a> {
    /// Which events are asked for; all of them are in its inputs now.
    pub query: &'a SavedEventQuery,
    /// What actions mean.
    pub taxonomy: Taxonomy,
    /// Reports what cannot be read.
    pub report: &'a mut IssueReport<'a>,
    /// Whether a signal asked for the end.
    pub is_stopped: &'a (dyn Fn() -> bool + Send + Sync),
    /// Sources that could not be read to their end.
    pub unread_sources: &'a [String],
}

/// Runs `work` on the events of `query`, and returns what it made of them, with the exit code: not
/// 0 where something could not be read.
///
/// # Errors
/// What `work` returns, or a signal came.
pub async fn run<T: Send + 'static>(
    mut query: SavedEventQuery,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
    work: impl FnOnce(QueryWork<'_>) -> Result<(T, QueryCounts), AppError> + Send + 'static,
) -> Result<(T, Exit), AppError> {
    let stop = signals::watch_signals();
    let taxonomy = Taxonomy::with_extra_rows(query.extra_actions.as_deref())?;
    let mut exit = Exit::Done;
    let mut unread_sources = Vec::new();
    // Holds what was pulled, until the end.
    let mut _spool = None;
    if let Some(request) = query.pull.take() {
        let spool = TempDir::with_prefix("atlaudit-").map_err(|error| spool_error(&error))?;
        let names: Vec<String> =
            request.sources.iter().map(|source| source.name.to_string()).collect();
        (unread_sources, exit) = pull(*request, spool.path(), &stop, env, console).await;
        // A source without events in the time range leaves no file.
        let files = names.iter().map(|name| spool.path().join(format!("{name}.jsonl.zst")));
        query.inputs = files.filter(|file| file.exists()).map(EventInput::File).collect();
        _spool = Some(spool);
    }
    let (signals, reporter) = (stop.clone(), IssueReporter::new(console.clone()));
    let reporter_of_task = reporter.clone();
    // On a thread of its own, because files and pipes block.
    let working = tokio::task::spawn_blocking(move || {
        work(QueryWork {
            query: &query,
            taxonomy,
            report: &mut |issue| reporter_of_task.report(&issue),
            is_stopped: &|| *signals.borrow() != StopRequest::NotRequested,
            unread_sources: &unread_sources,
        })
    });
    let result = wait_for(working, stop).await;
    reporter.finish();
    let (made, counts) = result?;
    if counts.undated > 0 {
        let what = plural(counts.undated, "event that fits has", "events that fit have");
        console.warn(format!("{what} no time that can be read, and could be in the time range"));
    }
    if counts.unnamed > 0 {
        console.warn(
            "raw lines do not say where they come from: the ids, the source and some products of \
             their events are not those of a pull; `atlaudit convert --source NAME` adds them",
        );
    }
    if counts.read.lines_lost + counts.read.inputs_lost > 0 {
        exit = exit.worst(Exit::Incomplete);
    }
    Ok((made, exit))
}

/// The error of a command that a signal ended.
pub fn interrupted() -> AppError {
    AppError::new(Exit::Incomplete, "interrupted before everything was read")
        .hint("run it again; nothing was changed")
}

async fn wait_for<T: Send + 'static>(
    mut working: tokio::task::JoinHandle<Result<T, AppError>>,
    mut stop: watch::Receiver<StopRequest>,
) -> Result<T, AppError> {
    let result = tokio::select! {
        result = &mut working => result,
        Ok(_) = stop.wait_for(|&stop| stop != StopRequest::NotRequested) => {
            match tokio::time::timeout(STOP_TIMEOUT, working).await {
                Ok(result) => result,
                Err(_) => return Err(interrupted()),
            }
        }
    };
    result.map_err(RunError::TaskDied)?
}

/// Pulls the time range of `request` into files of `folder`. Returns the sources that could not be
/// read to their end, and how the worst ended.
async fn pull(
    mut request: PullRequest,
    folder: &Path,
    stop: &watch::Receiver<StopRequest>,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> (Vec<String>, Exit) {
    for source in &mut request.sources {
        let file = folder.join(format!("{}.jsonl", source.name)).display().to_string();
        source.output = OutputSettings {
            path: OutputPath::File(file.replace('%', "%%")),
            format: OutputFormat::Normalized,
            compression: Compression::Zstd,
            ..OutputSettings::default()
        };
    }
    let options = CollectOptions::of_pull(&request, stop.clone(), console);
    let mut connector = SourceConnector::of_process(env);
    let credentials = options.load_credentials(&request.sources, env).await;
    let collector = SourceCollector::start_pull(options, &mut connector, &request, credentials);
    let (mut reports, exit, elapsed) = collector.finish().await;
    let failed = reports.iter().filter(|report| report.error.is_some());
    let failed = failed.map(|report| report.source.clone()).collect();
    // The files are about to be removed.
    reports.iter_mut().for_each(|report| report.files.clear());
    summary::report(Level::Notice, console, &reports, elapsed);
    (failed, exit)
}

fn spool_error(error: &std::io::Error) -> AppError {
    AppError::new(Exit::Output, "cannot create a temporary folder for what is read")
        .because(error)
        .hint("TMPDIR names the folder that it is created in")
}
