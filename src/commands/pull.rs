//! Owns `pull`: every source asked for, once, to its end.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use crate::commands::collect::{Collection, Terms};
use crate::commands::connect::sharing;
use crate::commands::{expiry, stop, summary};
use crate::config::env::Env;
use crate::config::request::PullRequest;
use crate::config::settings::SourceSettings;
use crate::credentials::{self, Credential};
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::time::{Timestamp, format_millis};
use crate::pipeline::report::{RunReport, SourceReport};
use crate::pipeline::stop::{Stop, unless_asked};
use crate::state::notices::Notices;
use crate::telemetry::console::Console;

/// Pulls, and returns how the worst source ended.
///
/// # Errors
/// The report's file cannot be opened; nothing has been asked for then.
pub async fn run(
    request: PullRequest,
    env: &Env,
    console: &Arc<Console>,
) -> Result<Exit, AppError> {
    let report_file = request.report.as_deref().map(open_report).transpose()?;
    let stop = stop::requested();
    let terms = Terms {
        state_dir: request.state_dir.clone(),
        start: request.now,
        max_events: request.max_events,
        stop: stop.clone(),
        console: console.clone(),
    };
    let mut collection = Collection::new(terms, sharing(env));
    let mut sources = Vec::new();
    let notices = Notices::new(&request.state_dir);
    for settings in request.sources {
        let credential = credential(&settings, env, &stop).await;
        let known = credential.as_ref().ok();
        expiry::warn_daily(&settings, known, &notices, request.now, console);
        if let Ok(credential) = &credential {
            collection.allow(&settings, credential);
        }
        sources.push((settings, credential));
    }
    for (settings, credential) in sources {
        let one_off = request
            .one_off
            .map(|one_off| one_off.window(&settings, request.now));
        collection.start(settings, credential, one_off);
    }
    let (reports, exit, elapsed) = collection.finish().await;
    summary::tell(console, &reports, elapsed);
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
