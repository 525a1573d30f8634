//! Runs `status`: shows how far each source has been read, and how its last run ended.

mod source_status;
mod table;

use std::time::Duration;

use crate::commands::status::source_status::{CheckpointStatus, SourceStatus};
use crate::config::request::StatusRequest;
use crate::error::AppError;
use crate::exit::Exit;
use crate::sink::stdout;
use crate::telemetry::console::StderrConsole;

/// Prints the status of each source.
///
/// # Errors
/// A state cannot be read (after everything else was printed), a source lags by more than
/// `--max-lag`, or standard output cannot be written.
pub fn run(request: &StatusRequest, console: &StderrConsole) -> Result<(), AppError> {
    let sources = request.sources.iter();
    let standings: Vec<_> = sources
        .map(|settings| SourceStatus::of(settings, &request.state_dir, request.now))
        .collect();
    let text = match request.json {
        true => source_status::json_lines(&standings, request.now)?,
        false => table::text(&standings, request),
    };
    stdout::print(&text)?;
    let behind = request.max_lag.map(|most| behind(&standings, most));
    let unreadable = standings.into_iter().filter_map(|standing| match standing.state {
        CheckpointStatus::Unreadable(error) => Some(error),
        _ => None,
    });
    let mut errors = unreadable.chain(behind.flatten());
    let first = errors.next();
    errors.for_each(|error| error.report_to(console));
    first.map_or(Ok(()), Err)
}

/// The error for sources that lag by more than `most`.
fn behind(standings: &[SourceStatus], most: Duration) -> Option<AppError> {
    let late = standings.iter().filter(|standing| match standing.lag {
        Some(lag) => lag > most,
        None => true,
    });
    let late: Vec<_> = late.map(|standing| format!("`{}`", standing.name)).collect();
    let what =
        format!("behind by more than {}: {}", humantime::format_duration(most), late.join(", "));
    let hint = "see what `atlaudit status` says of their last run, and whether anything pulls them";
    (!late.is_empty()).then(|| AppError::new(Exit::Incomplete, what).hint(hint))
}
