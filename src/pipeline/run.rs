//! Runs one source from its plan to its last checkpoint.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::block_in_place;
use tokio::time::timeout;
use tracing::Instrument as _;

use crate::config::settings::{Encoding, OutputPath, SourceSettings};
use crate::fetch::Fetcher;
use crate::fetch::attempt_record::AttemptRecorder;
use crate::fetch::event_query::cancel_queries;
use crate::fetch::plan::{self, CursorCheck, ReadPlan};
use crate::fetch::types::{FetchError, FetchMessage, FetchOutcome};
use crate::http::client::Transport;
use crate::model::record::Record;
use crate::model::text::plural;
use crate::model::time::{Timestamp, Window};
use crate::pipeline::alert_notifier::AlertNotifier;
use crate::pipeline::alert_output::AlertOutput;
use crate::pipeline::backfill_run;
use crate::pipeline::checkpoint_writer::{CheckpointWriter, LockedSource, ReleasedSource, scope};
use crate::pipeline::error::RunError;
use crate::pipeline::export_run::ExportRun;
use crate::pipeline::file_retention::delete_expired;
use crate::pipeline::report::{FirstPull, SourceReport};
use crate::pipeline::run_output::RunOutput;
use crate::pipeline::silence::SourceSilence;
use crate::pipeline::source_context::SourceContext;
use crate::pipeline::stop::{StopRequest, unless_stopped, wait_for_stop, within_grace_period};
use crate::pipeline::unfinished_files::close_unfinished;
use crate::pipeline::writer::{EventWriter, WriteFlow};
use crate::sink::LastOutput;
use crate::sink::waiting_lines::left_waiting;
use crate::source::DeliveryOrder;
use crate::state::checkpoint::OpenWindow;

/// Pages that the fetcher may be ahead of the writer.
const PAGES_AHEAD: usize = 2;

/// How long a writer stays on its thread for the next message. A writer that moved to another
/// thread with each page would leave memory in the C library's pool of each; hundreds of writers
/// that stayed would need hundreds of threads.
const WRITER_LINGER: Duration = Duration::from_millis(20);

/// The warning of a run that ended on empty pages: none of them says that it is the last.
const EMPTY_PAGES_WARNING: &str = "the server gave only empty pages at the end, each with a new \
    cursor; whether more follows after them is not known, and the next pull resumes there";

/// The notice of a run whose events are not objects yet.
const WAITING_NOTICE: &str = "events wait in the state, committed, until `rotate` says that \
    objects are made of them";

/// Everything that the run of one source needs.
pub struct SourceRun<T> {
    /// The source.
    pub context: SourceContext,
    /// Reads it.
    pub fetcher: Fetcher<T>,
    /// What it reads.
    pub mode: RunMode,
    /// Stop after so many events.
    pub max_events: Option<u64>,
    /// For how long a cursor that brings nothing is trusted alone.
    pub trust_idle_cursor: Duration,
    /// What signals have requested.
    pub stop: watch::Receiver<StopRequest>,
}

/// What a run reads, and which checkpoint it moves.
#[derive(Debug, Clone)]
pub enum RunMode {
    /// Everything after the checkpoint, which it moves.
    Incremental,
    /// Everything from here to where the history begins. It moves a resume point of its own.
    Backfill {
        /// Where the history is to begin.
        from: Timestamp,
    },
    /// A window; it neither reads nor moves the checkpoint.
    Window(Window),
    /// A window of an export, which has a checkpoint of its own.
    Export(ExportRun),
}

impl RunMode {
    /// The window, if it is fixed.
    pub fn window(&self) -> Option<Window> {
        match self {
            RunMode::Incremental | RunMode::Backfill { .. } => None,
            RunMode::Window(window) => Some(*window),
            RunMode::Export(export) => Some(export.window),
        }
    }

    /// For exports: saves the attempt log of a run that failed before its first page. Blocks.
    ///
    /// # Errors
    /// It cannot be saved.
    pub fn persist_failed_start(&self, context: &SourceContext) -> Result<(), RunError> {
        match self {
            RunMode::Export(export) => export.persist_failed_start(context),
            RunMode::Incremental | RunMode::Backfill { .. } | RunMode::Window(_) => Ok(()),
        }
    }

    /// For exports: records every attempt at a request.
    pub fn attempt_recorder(&self) -> Option<&AttemptRecorder> {
        match self {
            RunMode::Export(export) => Some(&export.recorder),
            RunMode::Incremental | RunMode::Backfill { .. } | RunMode::Window(_) => None,
        }
    }
}

/// How the run of one source ended.
#[derive(Debug)]
pub struct RunOutcome {
    /// Its report, without the error.
    pub report: SourceReport,
    /// The source, still locked, if the run had locked it.
    pub released: Option<ReleasedSource>,
    /// Whether it reached its end.
    pub result: Result<(), RunError>,
}

/// How the writer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WriteEnd {
    /// Everything that the fetcher sent was written.
    All,
    /// `--max-events` was reached.
    LimitReached,
}

/// A run before its first request.
struct PreparedRun {
    plan: ReadPlan,
    writer: EventWriter,
    /// What is left to other runs of what `plan` reads.
    known: Option<ReadPlan>,
}

/// A run after its last commit.
struct FinishedRun {
    writer: EventWriter,
    /// How the reading ended.
    fetched: Result<FetchOutcome, FetchError>,
    /// How the writing ended.
    written: Result<WriteEnd, RunError>,
    /// Whether what was written is durable.
    committed: Result<(), RunError>,
    /// Its alerts may not all be delivered yet. Only after a commit.
    notifier: Option<AlertNotifier>,
    /// Whether everything was read, written and committed.
    is_complete: bool,
}

/// Pulls one source: reads what the plan says, writes it, moves the checkpoint.
///
/// What was written stays valid however the run ends.
pub async fn pull<T: Transport + 'static>(run: SourceRun<T>) -> RunOutcome {
    let origin = &run.context.origin;
    let mut report = SourceReport::new(&origin.name, origin.kind.as_str());
    let mut released = None;
    let result = pull_into(&run, &mut report, &mut released).await;
    RunOutcome { report, released, result }
}

async fn pull_into<T: Transport + 'static>(
    run: &SourceRun<T>,
    report: &mut SourceReport,
    released: &mut Option<ReleasedSource>,
) -> Result<(), RunError> {
    let order = run.fetcher.reader.source.order();
    let PreparedRun { plan, mut writer, known } = block_in_place(|| prepare(run, order, report))?;
    report.windows = plan.windows.iter().map(|open| open.window().into()).collect();
    let check =
        CursorCheck { overlap: run.context.settings.overlap, when_idle: run.trust_idle_cursor };
    if let Some(known) = &known {
        let records = unless_stopped(&run.stop, read_all(&run.fetcher, known, check)).await??;
        writer.leave_to_others(&records);
    }
    let writer = unless_stopped(&run.stop, open_output(writer)).await??;

    let (sender, receiver) = mpsc::channel(PAGES_AHEAD);
    let stop = run.stop.clone();
    // A task of its own, which blocks a thread only while it writes.
    let writing = tokio::spawn(write_messages(writer, receiver, stop).in_current_span());
    let fetching = async {
        let listener = sender.clone();
        tokio::select! {
            result = run.fetcher.run(&plan, check, sender) => result,
            // The writer has ended, so the fetcher need not wait for anything.
            () = listener.closed() => Ok(FetchOutcome::ReceiverClosed),
        }
    };
    let ended = async {
        let (fetched, written) = tokio::join!(fetching, writing);
        // Until then, not every request has been recorded with its outcome.
        run.fetcher.reader.wait_for_tasks().await;
        if *run.stop.borrow() != StopRequest::NotRequested {
            cancel_queries(&run.fetcher.reader).await;
        }
        let (writer, written) = written?;
        finish_run(writer, fetched, written, run.context.start).await
    };
    let mut ended = within_grace_period(&run.stop, ended).await??;
    if let Some(notifier) = ended.notifier.take() {
        let delivered = notifier.finish(&run.stop).await;
        if delivered > 0 {
            ended.committed = block_in_place(|| ended.writer.finish_notified(delivered));
        }
    }
    fill_report(run, &ended, report);
    *released = ended.writer.release();
    // This error first: the other two say that what was written is valid.
    ended.committed?;
    let end = ended.written?;
    let outcome = ended.fetched?;
    if (outcome, end) == (FetchOutcome::EmptyPages, WriteEnd::All) {
        report.warnings.push(EMPTY_PAGES_WARNING.to_owned());
    }
    Ok(())
}

/// Fills in what the run did, and deletes the files that are kept no longer.
fn fill_report<T>(run: &SourceRun<T>, ended: &FinishedRun, report: &mut SourceReport) {
    report.set_counts(ended.writer.committed_counts(), &run.fetcher.reader.meter);
    report.set_files(&ended.writer.written_files());
    if let Some(found) = ended.writer.alert_counts() {
        report.set_alerts(found, ended.writer.committed_counts().undated);
    }
    let bounded = match run.mode {
        RunMode::Window(window) => Some(window),
        _ => report.backfill,
    };
    if let Some(window) = bounded {
        report.warn_about_retention(run.context.origin.kind, window, run.context.start);
    }
    if ended.writer.has_waiting_lines() {
        report.notices.push(WAITING_NOTICE.to_owned());
    }
    report.complete = ended.is_complete;
    if report.complete {
        report_silence(run, &ended.writer, report);
        if matches!(run.mode, RunMode::Incremental) {
            let SourceContext { settings, store, .. } = &run.context;
            let server_ahead = run.fetcher.reader.meter.server_ahead();
            block_in_place(|| delete_expired(settings, store, server_ahead, report));
        }
    }
}

/// Reports an unusual silence, with what to check: an empty response looks like success and often
/// is none.
fn report_silence<T>(run: &SourceRun<T>, writer: &EventWriter, report: &mut SourceReport) {
    let silence = match run.mode {
        RunMode::Window(window) => (report.events == 0)
            .then(|| SourceSilence::in_window(Some(window), newest_known_event(run))),
        RunMode::Export(_) => {
            (writer.total_events() == 0).then(|| SourceSilence::in_window(run.mode.window(), None))
        }
        RunMode::Incremental => writer.silence(run.context.start),
        RunMode::Backfill { .. } => None,
    };
    let lookback = run.context.settings.initial_lookback;
    if let Some(silence) = &silence {
        let text = silence.describe(&run.context.origin, lookback, run.mode.window());
        match silence.is_expected() {
            true => report.notices.push(text),
            false => report.warnings.push(text),
        }
    }
    report.silence = silence;
}

/// The newest event that the incremental pulls of the source know of, if there is one.
fn newest_known_event<T>(run: &SourceRun<T>) -> Option<Timestamp> {
    // A window needs no checkpoint: one that cannot be read is an error of the next pull.
    let found = run.context.store.load(&run.context.settings.name).ok()??;
    let is_own = found.scope == scope(&run.context.origin) && found.events > 0;
    found.watermark.filter(|_| is_own)
}

/// Reads the windows of `plan` into memory. They are short.
async fn read_all<T: Transport + 'static>(
    fetcher: &Fetcher<T>,
    plan: &ReadPlan,
    check: CursorCheck,
) -> Result<Vec<Record>, RunError> {
    let (sender, mut receiver) = mpsc::channel(PAGES_AHEAD);
    let collect = async {
        let mut all = Vec::new();
        while let Some(message) = receiver.recv().await {
            if let FetchMessage::Records { records, .. } = message {
                all.extend(records);
            }
        }
        all
    };
    let (fetched, records) = tokio::join!(fetcher.run(plan, check, sender), collect);
    fetched?;
    Ok(records)
}

/// Opens the output on a thread that may block: a named pipe waits until somebody reads it.
async fn open_output(mut writer: EventWriter) -> Result<EventWriter, RunError> {
    tokio::task::spawn_blocking(move || writer.open().map(|()| writer)).await?
}

/// Commits for the last time, on a thread that may block, unless the output has failed.
async fn finish_run(
    mut writer: EventWriter,
    fetched: Result<FetchOutcome, FetchError>,
    written: Result<WriteEnd, RunError>,
    start: Timestamp,
) -> Result<FinishedRun, RunError> {
    let finish = move || {
        let is_all =
            matches!((&fetched, &written), (Ok(FetchOutcome::Complete), Ok(WriteEnd::All)));
        if is_all {
            writer.mark_complete(start);
        }
        let finished = match &written {
            Ok(_) | Err(RunError::Interrupted)
                if is_all
                    || writer.is_continued()
                    || matches!(written, Ok(WriteEnd::LimitReached)) =>
            {
                writer.finish()
            }
            // A file that has its name only when it is whole gets none.
            Ok(_) | Err(RunError::Interrupted) => writer.commit().map(|()| None),
            Err(_) => Ok(None),
        };
        let (committed, notifier) = match finished {
            Ok(notifier) => (Ok(()), notifier),
            Err(error) => (Err(error), None),
        };
        FinishedRun {
            writer,
            fetched,
            written,
            is_complete: is_all && committed.is_ok(),
            committed,
            notifier,
        }
    };
    Ok(tokio::task::spawn_blocking(finish).await?)
}

/// Locks the source, plans, and prepares the output.
fn prepare<T: Transport>(
    run: &SourceRun<T>,
    order: DeliveryOrder,
    report: &mut SourceReport,
) -> Result<PreparedRun, RunError> {
    let SourceContext { settings, origin, store, start, .. } = &run.context;
    let lookback = run.context.lookback();
    let mut processor = run.context.processor();
    processor.remaining = run.max_events;
    let mut known = None;
    let (plan, checkpoint, attempts) = match &run.mode {
        RunMode::Window(window) => (plan::one_off(order, &lookback, *window, *start), None, None),
        RunMode::Incremental => {
            let scope = scope(origin);
            let locked = LockedSource::take(store, &settings.name, &scope)?;
            let from = settings.initial_from.filter(|from| from > start);
            if let (Some(from), None) = (from, &locked.checkpoint) {
                return Err(RunError::FutureStart { from });
            }
            let plan = plan::incremental(order, &lookback, locked.checkpoint.as_ref(), *start);
            let first = plan.windows.first().filter(|_| locked.checkpoint.is_none());
            report.first_pull = first.map(|window| FirstPull::of(settings, window.from));
            let checkpoint = locked.begin(&plan, &mut processor, &scope, *start);
            (plan, Some(checkpoint), None)
        }
        RunMode::Backfill { from } => {
            let (plan, checkpoint, written) =
                backfill_run::begin(&run.context, *from, &mut processor, report)?;
            known = written;
            (plan, Some(checkpoint), None)
        }
        RunMode::Export(export) => {
            let (plan, checkpoint, attempts) = export.begin(&run.context, &mut processor)?;
            (plan, Some(checkpoint), Some(attempts))
        }
    };
    let last = checkpoint.as_ref().map(CheckpointWriter::output).unwrap_or_default();
    close_unfinished(settings, store, last.file.as_ref())?;
    processor.keep = plan.event_filter;
    let is_reread_in_progress = plan.windows.iter().any(OpenWindow::is_reread_in_progress);
    match (plan.rereads, is_reread_in_progress) {
        (true, true) => processor.resume_reread(),
        (true, false) => processor.start_reread(None),
        (false, _) => processor.written_before = None,
    }
    refuse_waiting(settings, &last)?;
    let mut output = match checkpoint {
        Some(_) => RunOutput::new(&settings.output, last, attempts)?,
        None => RunOutput::of_one_run(&settings.output)?,
    };
    if let Some(alerts) = resume_alerts(run, checkpoint.as_ref(), report)? {
        output = output.with_alerts(alerts);
        processor.detection.clone_from(&run.context.detection);
    }
    let meter = &run.fetcher.reader.meter;
    if !matches!(run.mode, RunMode::Window(_) | RunMode::Export(_)) {
        meter.set_window(whole_window(&plan, *start));
    }
    let writer = EventWriter::new(output, processor, checkpoint, meter.clone());
    Ok(PreparedRun { plan, writer, known })
}

/// From the start of the first window of `plan` to the end of the last one.
fn whole_window(plan: &ReadPlan, now: Timestamp) -> Window {
    let from = plan.windows.first().map_or(now, |first| first.from);
    Window { from, to: plan.windows.iter().map(|open| open.to.unwrap_or(now)).max() }
}

/// The output of alerts, if the events are judged. What was not judged before is reported.
fn resume_alerts<T>(
    run: &SourceRun<T>,
    checkpoint: Option<&CheckpointWriter>,
    report: &mut SourceReport,
) -> Result<Option<AlertOutput>, RunError> {
    let SourceContext { settings, store, detection, .. } = &run.context;
    let (RunMode::Incremental, Some(setup), Some(alerts)) =
        (&run.mode, detection, &settings.alerts)
    else {
        return Ok(None);
    };
    let last = checkpoint.and_then(CheckpointWriter::detection);
    let alerts = AlertOutput::resume(setup.clone(), alerts, (store, &settings.name), last)?;
    let written = checkpoint.map_or(0, CheckpointWriter::events);
    let unjudged = written.saturating_sub(last.map_or(0, |last| last.events));
    if unjudged > 0 {
        let what = plural(unjudged, "event was", "events were");
        report.warnings.push(format!(
            "{what} written before without being judged; `atlaudit detect FILE` judges them"
        ));
    }
    if alerts.lost_events() > 0 {
        let what = plural(alerts.lost_events(), "event that waited was", "events that waited were");
        report.warnings.push(format!(
            "{what} never judged, because what detection remembered is gone; `atlaudit detect \
             FILE` judges them"
        ));
    }
    Ok(Some(alerts))
}

/// Refuses to go on in lines while events of earlier pulls wait for Parquet: nobody would make it.
fn refuse_waiting(settings: &SourceSettings, last: &LastOutput) -> Result<(), RunError> {
    let is_object = matches!(settings.output.path, OutputPath::Object(_));
    if let Some(lines) = last.objects.waiting.as_ref().filter(|_| !is_object) {
        return Err(RunError::WaitingLines(PathBuf::from(&lines.form.template)));
    }
    match last.file.as_ref().and_then(left_waiting) {
        Some(path) if settings.output.encoding == Encoding::JsonLines => {
            Err(RunError::WaitingLines(path))
        }
        _ => Ok(()),
    }
}

/// What the writer waits for.
enum WriterEvent {
    Message(FetchMessage),
    CommitDue,
    Stop,
    End,
}

/// Writes messages until the end, and commits in time also while none comes.
async fn write_messages(
    mut writer: EventWriter,
    mut messages: mpsc::Receiver<FetchMessage>,
    mut stop: watch::Receiver<StopRequest>,
) -> (EventWriter, Result<WriteEnd, RunError>) {
    let runtime = Handle::current();
    loop {
        let mut event = next_event(&mut messages, &mut stop, writer.commit_due()).await;
        let ended = block_in_place(|| {
            loop {
                if let ControlFlow::Break(result) = handle_event(&mut writer, event) {
                    return Some(result);
                }
                let more = next_event(&mut messages, &mut stop, writer.commit_due());
                event = runtime.block_on(async { timeout(WRITER_LINGER, more).await }).ok()?;
            }
        });
        if let Some(result) = ended {
            return (writer, result);
        }
    }
}

/// Handles one event; breaks with how the writing ended.
fn handle_event(
    writer: &mut EventWriter,
    event: WriterEvent,
) -> ControlFlow<Result<WriteEnd, RunError>> {
    let flow = match event {
        WriterEvent::Message(message) => writer.write(message),
        WriterEvent::CommitDue => writer.commit().map(|()| WriteFlow::Continue),
        WriterEvent::Stop => return ControlFlow::Break(Err(RunError::Interrupted)),
        WriterEvent::End => return ControlFlow::Break(Ok(WriteEnd::All)),
    };
    match flow {
        Ok(WriteFlow::Continue) => ControlFlow::Continue(()),
        Ok(WriteFlow::LimitReached) => ControlFlow::Break(Ok(WriteEnd::LimitReached)),
        Err(error) => ControlFlow::Break(Err(error)),
    }
}

async fn next_event(
    messages: &mut mpsc::Receiver<FetchMessage>,
    stop: &mut watch::Receiver<StopRequest>,
    due: Option<Duration>,
) -> WriterEvent {
    let commit = async {
        match due {
            Some(due) => tokio::time::sleep(due).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = wait_for_stop(stop, StopRequest::AfterCommit) => WriterEvent::Stop,
        () = commit => WriterEvent::CommitDue,
        message = messages.recv() => message.map_or(WriterEvent::End, WriterEvent::Message),
    }
}
