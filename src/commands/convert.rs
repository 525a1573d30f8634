//! Runs `convert`: converts saved events to another format.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::collect::signals;
use crate::collect::summary::seconds;
use crate::commands::issue_reporter::IssueReporter;
use crate::config::env::ProcessEnv;
use crate::config::request::{ConvertRequest, EventInput, RawLines};
use crate::convert::{self, ConvertContext, ConvertCounts, ConvertError};
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::source_kind::SourceAddress;
use crate::model::text::counted;
use crate::normalise::taxonomy::Taxonomy;
use crate::pipeline::error::RunError;
use crate::pipeline::stop::StopRequest;
use crate::sink::atomic_create;
use crate::sink::pending_file::PendingFiles;
use crate::telemetry::console::{ConsoleMessage, Level, StderrConsole};

/// How long the current line may take after a signal: a read or a write may block forever.
const STOP_TIMEOUT: Duration = Duration::from_millis(250);

/// Converts, and returns whether all of it could be read.
///
/// # Errors
/// The output cannot be written, a raw record has no site, or a signal interrupted it.
pub async fn run(
    request: ConvertRequest,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<Exit, AppError> {
    let stop = signals::watch_signals();
    let began = Instant::now();
    if env.stdin_is_terminal && request.inputs.contains(&EventInput::Stdin) {
        console.notice("reading lines from the terminal; Ctrl-D ends them");
    }
    warn_of_no_org_id(&request.raw, console);
    let taxonomy = Taxonomy::with_extra_rows(request.extra_actions.as_deref())?;
    let files = PendingFiles::default();
    let (signals, written) = (stop.clone(), files.clone());
    let reporter = IssueReporter::new(console.clone());
    let reporter_of_task = reporter.clone();
    // On a thread of its own, because files and pipes block.
    let working = tokio::task::spawn_blocking(move || {
        let mut sink = atomic_create::create(&request.output, request.now, &written)?;
        convert::run(ConvertContext {
            request: &request,
            taxonomy,
            sink: sink.as_mut(),
            report: &mut |issue| reporter_of_task.report(&issue),
            is_stopped: &|| *signals.borrow() != StopRequest::NotRequested,
        })
    });
    let result = wait_for_task(working, stop).await;
    reporter.finish();
    // If no input could be opened, not even an empty file is left.
    let is_kept = |tally: &&ConvertCounts| tally.read.opened > 0;
    match result.as_ref().ok().filter(is_kept) {
        Some(_) => files.publish()?,
        None => files.discard(),
    }
    let tally = result?;
    console.notice(summary(&tally, began.elapsed()));
    Ok(match tally.read.lines_lost + tally.read.inputs_lost {
        0 => Exit::Done,
        _ => Exit::Incomplete,
    })
}

/// Warns if the organization is not configured. It may be stored with the key, which `convert` does
/// not load.
fn warn_of_no_org_id(raw: &RawLines, console: &StderrConsole) {
    let is_organization =
        raw.kind.is_some_and(|kind| kind.address() == SourceAddress::Organization);
    if let (Some(name), true, None) = (&raw.name, is_organization, &raw.org_id) {
        let message = ConsoleMessage::new(format!(
            "source `{name}`: the configuration does not say its organization's id; raw lines \
             become events without it"
        ));
        console.say(Level::Warning, &message.hint("add `--org-id ID`"));
    }
}

/// Waits for the end of the conversion; after a signal for [`STOP_TIMEOUT`] at most.
async fn wait_for_task(
    mut working: JoinHandle<Result<ConvertCounts, ConvertError>>,
    mut stop: watch::Receiver<StopRequest>,
) -> Result<ConvertCounts, AppError> {
    let result = tokio::select! {
        result = &mut working => result,
        Ok(_) = stop.wait_for(|&stop| stop != StopRequest::NotRequested) => {
            match tokio::time::timeout(STOP_TIMEOUT, working).await {
                Ok(result) => result,
                Err(_) => Ok(Err(ConvertError::Interrupted)),
            }
        }
    };
    Ok(result.map_err(RunError::TaskDied)??)
}

/// `converted 2,980 events in 1.3s, 3 unparsed, 1 with an unreadable time; 2 lines and 1 file could
/// not be read`
fn summary(tally: &ConvertCounts, elapsed: Duration) -> String {
    let mut line = format!("converted {} in {}", counted(tally.events, "event"), seconds(elapsed));
    for (count, what) in
        [(tally.unparsed, "unparsed"), (tally.unreadable_times, "with an unreadable time")]
    {
        if count > 0 {
            line.push_str(&format!(", {count} {what}"));
        }
    }
    let lost = [(tally.read.lines_lost, "line"), (tally.read.inputs_lost, "file")];
    let lost = lost.iter().filter(|(count, _)| *count > 0);
    let lost: Vec<_> = lost.map(|(count, what)| counted(*count, what)).collect();
    if !lost.is_empty() {
        line.push_str(&format!("; {} could not be read", lost.join(" and ")));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_unreadable_lines_and_files() {
        let mut tally = ConvertCounts { events: 2_980, ..ConvertCounts::default() };
        let line = |tally: &ConvertCounts| summary(tally, Duration::from_millis(1340));
        assert_eq!(line(&tally), "converted 2,980 events in 1.3s");
        tally.unparsed = 3;
        tally.unreadable_times = 1;
        tally.read.lines_lost = 2;
        tally.read.inputs_lost = 1;
        assert_eq!(
            line(&tally),
            "converted 2,980 events in 1.3s, 3 unparsed, 1 with an unreadable time; \
             2 lines and 1 file could not be read"
        );
    }
}
