//! Owns `pull`: every source asked for, once, to its end.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::commands::accounts::Accounts;
use crate::commands::collect::{Collection, Terms};
use crate::commands::connect::{Connector, sharing};
use crate::commands::metrics::MetricsFile;
use crate::commands::{expiry, output_owner, stop, summary};
use crate::config::env::Env;
use crate::config::request::PullRequest;
use crate::config::settings::SourceSettings;
use crate::credentials::{self, Credential};
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::time::{Timestamp, format_millis};
use crate::pipeline::report::{RunReport, SourceReport};
use crate::pipeline::run::Course;
use crate::pipeline::stop::{Stop, unless_asked};
use crate::state::lookups::Lookups;
use crate::state::notices::Notices;
use crate::telemetry::console::Console;

/// Pulls, and returns how the worst source ended.
///
/// # Errors
/// A time range would go into a file of an ordinary pull, or the report's file cannot be opened. Nothing has been
/// requested or written then.
pub async fn run(
    request: PullRequest,
    env: &Env,
    console: &Arc<Console>,
) -> Result<Exit, AppError> {
    output_owner::refuse_owned(&request)?;
    let report_file = request.report.as_deref().map(open_report).transpose()?;
    let accounts = Arc::new(Accounts::default());
    let metrics = match &request.metrics_file {
        None => None,
        Some(path) => {
            accounts.know(&request.sources, &request.state_dir);
            Some(MetricsFile::open(path, accounts.clone())?)
        }
    };
    let terms = Terms {
        state_dir: request.state_dir.clone(),
        lookups: Lookups::new(&request.state_dir),
        start: request.now,
        max_events: request.max_events,
        trust_idle_cursor: Duration::ZERO,
        stop: stop::requested(),
        console: console.clone(),
        accounts,
        repeats: None,
    };
    let pulling = async {
        let mut connector = Connector::new(sharing(env));
        let credentials = credentials(&request.sources, env, &terms).await;
        let collection = Collection::new(terms, &mut connector);
        start(collection, &request, credentials).finish().await
    };
    let (reports, exit, elapsed) = match &metrics {
        None => pulling.await,
        Some(metrics) => tokio::select! {
            ended = pulling => ended,
            never = metrics.keep() => match never {},
        },
    };
    summary::tell(console, &reports, elapsed);
    let exit = match metrics.map(|metrics| metrics.close()) {
        Some(Err(error)) => {
            error.tell(console);
            exit.worst(Exit::Output)
        }
        _ => exit,
    };
    let (Some(path), Some(file)) = (&request.report, report_file) else {
        return Ok(exit);
    };
    match write_report(file, reports, request.now, exit) {
        Ok(()) => Ok(exit),
        Err(error) => {
            report_fails(path, &error)
                .hint("the run itself is over; what it wrote and its checkpoint stand")
                .tell(console);
            Ok(exit.worst(Exit::Output))
        }
    }
}

/// The credential of each source, or why there is none; warns of one that ends soon, once a day.
pub(super) async fn credentials(
    sources: &[SourceSettings],
    env: &Env,
    terms: &Terms,
) -> Vec<Result<Credential, AppError>> {
    let mut credentials = Vec::with_capacity(sources.len());
    let notices = Notices::new(&terms.state_dir);
    for settings in sources {
        let credential = credential(settings, env, &terms.stop).await;
        let known = credential.as_ref().ok();
        expiry::warn_daily(settings, known, &notices, terms.start, &terms.console);
        credentials.push(credential);
        terms.accounts.beat();
    }
    credentials
}

/// Starts all sources of `request`, each with its credential.
pub(super) fn start<'c>(
    mut collection: Collection<'c>,
    request: &PullRequest,
    credentials: Vec<Result<Credential, AppError>>,
) -> Collection<'c> {
    for (settings, credential) in request.sources.iter().zip(&credentials) {
        if let Ok(credential) = credential {
            collection.allow(settings, credential);
        }
    }
    for (settings, credential) in request.sources.iter().zip(credentials) {
        let course = match request.one_off {
            Some(one_off) => Course::OneOff(one_off.window(settings, request.now)),
            None => Course::GoesOn,
        };
        collection.start(settings.clone(), credential, course);
    }
    collection
}

/// Whoever keeps the secret may take long, or ask a person who wants to stop instead.
async fn credential(
    settings: &SourceSettings,
    env: &Env,
    stop: &watch::Receiver<Stop>,
) -> Result<Credential, AppError> {
    Ok(unless_asked(stop, credentials::load(settings, env)).await??)
}

/// Opens the report before anything else is done: a wrong path is told at once.
fn open_report(path: &Path) -> Result<File, AppError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| report_fails(path, &error).hint("check the path of `--report`"))
}

fn report_fails(path: &Path, error: &io::Error) -> AppError {
    let what = format!("cannot write the report `{}`", path.display());
    AppError::new(Exit::Output, what).because(error)
}

fn write_report(
    mut file: File,
    sources: Vec<SourceReport>,
    started: Timestamp,
    exit: Exit,
) -> io::Result<()> {
    let report = RunReport {
        schema: "atlaudit/report/1",
        atlaudit: env!("CARGO_PKG_VERSION"),
        started: format_millis(started),
        finished: format_millis(chrono::Utc::now()),
        exit_code: exit.code(),
        sources,
    };
    let mut text = serde_json::to_vec_pretty(&report)?;
    text.push(b'\n');
    file.write_all(&text)
}
