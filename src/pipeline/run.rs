//! Runs one source from its plan to its last checkpoint.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::block_in_place;
use tokio::time::timeout;
use tracing::Instrument as _;

use crate::config::settings::{OutputPath, OutputSettings, SourceSettings};
use crate::fetch::Fetcher;
use crate::fetch::attempt_record::AttemptRecorder;
use crate::fetch::plan::{self, CursorCheck, LookbackSettings, ReadPlan};
use crate::fetch::types::{FetchError, FetchMessage, FetchOutcome};
use crate::http::client::Transport;
use crate::model::name::SourceKind;
use crate::model::time::{Timestamp, Window};
use crate::normalise::RecordOrigin;
use crate::pipeline::checkpoint_writer::{CheckpointWriter, LockedSource, ReleasedSource};
use crate::pipeline::error::RunError;
use crate::pipeline::export_run::{ExportRun, SourceContext};
use crate::pipeline::record_processor::RecordProcessor;
use crate::pipeline::report::{FirstPull, SourceReport};
use crate::pipeline::silence::SourceSilence;
use crate::pipeline::stop::{StopRequest, unless_stopped, wait_for_stop, within_grace_period};
use crate::pipeline::writer::{EventWriter, WriteFlow};
use crate::sink::location::{is_locked, path_at};
use crate::sink::{self, SinkError, UnexpectedFile};
use crate::source::DeliveryOrder;
use crate::state::checkpoint::OpenWindow;
use crate::state::store::StateStore;

/// Pages that the fetcher may be ahead of the writer.
const PAGES_AHEAD: usize = 2;

/// How long a writer stays on its thread for the next delivery: one that came to another thread with each page
/// would leave in each what the C library keeps of freed memory; hundreds that stayed would keep hundreds of threads.
const WRITER_LINGER: Duration = Duration::from_millis(20);

/// What a run says that ended on empty pages: none of them says that it is the last.
const EMPTY_PAGES_WARNING: &str = "the server gave only empty pages at the end, each with a new cursor; whether more follows after them is not known, and the next pull goes on there";

/// Everything that the run of one source needs.
pub struct SourceRun<T> {
    /// What the user wants of the source.
    pub settings: SourceSettings,
    /// What its events say of where they come from.
    pub origin: RecordOrigin,
    /// Reads it.
    pub fetcher: Fetcher<T>,
    /// Where its checkpoint lives.
    pub store: StateStore,
    /// What it reads.
    pub mode: RunMode,
    /// Stop after so many events.
    pub max_events: Option<u64>,
    /// For how long a cursor that brings nothing is trusted alone.
    pub trust_idle_cursor: Duration,
    /// The start of the run.
    pub start: Timestamp,
    /// What signals have asked for.
    pub stop: watch::Receiver<StopRequest>,
}

/// What a run reads, and what it remembers of it.
#[derive(Debug, Clone)]
pub enum RunMode {
    /// On from the checkpoint, which it moves.
    Incremental,
    /// A window; it neither reads nor moves the checkpoint.
    Window(Window),
    /// A window of an export, whose checkpoint is its own.
    Export(ExportRun),
}

impl RunMode {
    /// The window, where it has one of its own.
    pub fn window(&self) -> Option<Window> {
        match self {
            RunMode::Incremental => None,
            RunMode::Window(window) => Some(*window),
            RunMode::Export(export) => Some(export.window),
        }
    }

    /// Keeps what was asked and answered by a run that never came to read, where that is wanted. Blocks.
    ///
    /// # Errors
    /// It cannot be kept.
    pub fn persist_failed_start(&self, whose: SourceContext<'_>) -> Result<(), RunError> {
        match self {
            RunMode::Export(export) => export.persist_failed_start(whose),
            RunMode::Incremental | RunMode::Window(_) => Ok(()),
        }
    }

    /// What takes down the run's requests, if anything does.
    pub fn attempt_recorder(&self) -> Option<&AttemptRecorder> {
        match self {
            RunMode::Export(export) => Some(&export.transcript),
            RunMode::Incremental | RunMode::Window(_) => None,
        }
    }
}

/// How the run of one source ended.
#[derive(Debug)]
pub struct RunOutcome {
    /// Its account, without the error.
    pub report: SourceReport,
    /// The source, still held, where the run got to hold it.
    pub released: Option<ReleasedSource>,
    /// Whether it reached its end.
    pub result: Result<(), RunError>,
}

/// Whether the writer saw the end of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WriteEnd {
    /// All that the fetcher had was written.
    All,
    /// `--max-events` was reached.
    LimitReached,
}

/// A run behind its last commit.
struct FinishedRun {
    writer: EventWriter,
    /// How far the reading came.
    fetched: Result<FetchOutcome, FetchError>,
    /// How far the writing came.
    written: Result<WriteEnd, RunError>,
    /// Whether what was written is durable.
    committed: Result<(), RunError>,
    /// Whether everything there was is.
    is_complete: bool,
}

/// How far the source reaches back and ahead.
pub fn lookback_settings(settings: &SourceSettings) -> LookbackSettings {
    LookbackSettings {
        initial_lookback: settings.initial_lookback,
        overlap: settings.overlap,
        late_margin: settings.late_margin,
        retention: settings.target.kind().descriptor().retention,
    }
}

/// What a checkpoint of the source belongs to.
pub fn scope(origin: &RecordOrigin) -> String {
    let owner = origin.org_id.as_deref().or(origin.site.as_deref());
    scope_of(origin.kind, owner.unwrap_or_default())
}

/// What a checkpoint of a source of this type belongs to; `owner` is its organization or site.
pub fn scope_of(kind: SourceKind, owner: &str) -> String {
    format!("{kind}:{owner}")
}

/// Pulls one source: reads what the plan says, writes it, moves the checkpoint.
///
/// What was written stays sound whatever happens; the outcome says what did.
pub async fn pull<T: Transport + 'static>(run: SourceRun<T>) -> RunOutcome {
    let mut report = SourceReport::new(&run.origin.name, run.origin.kind.as_str());
    let mut left = None;
    let result = pull_into(&run, &mut report, &mut left).await;
    RunOutcome { report, released: left, result }
}

async fn pull_into<T: Transport + 'static>(
    run: &SourceRun<T>,
    report: &mut SourceReport,
    left: &mut Option<ReleasedSource>,
) -> Result<(), RunError> {
    let order = run.fetcher.reader.source.order();
    let (plan, writer) = block_in_place(|| prepare(run, order, report))?;
    report.windows = plan.windows.iter().map(|open| open.window().into()).collect();
    let check = CursorCheck { overlap: run.settings.overlap, when_idle: run.trust_idle_cursor };
    let writer = unless_stopped(&run.stop, open_output(writer)).await??;

    let (sender, receiver) = mpsc::channel(PAGES_AHEAD);
    let stop = run.stop.clone();
    // In a task of its own, and on a thread of its own only while it writes.
    let writing = tokio::spawn(write_messages(writer, receiver, stop).in_current_span());
    let fetching = async {
        let listener = sender.clone();
        tokio::select! {
            result = run.fetcher.run(&plan, check, sender) => result,
            // The writer has left: whatever the fetcher waits for, nobody wants it.
            () = listener.closed() => Ok(FetchOutcome::ReceiverClosed),
        }
    };
    let ended = async {
        let (fetched, written) = tokio::join!(fetching, writing);
        // Only then has every request been recorded with its outcome.
        run.fetcher.reader.wait_for_tasks().await;
        let (writer, written) = written?;
        finish_run(writer, fetched, written, run.start).await
    };
    let ended = within_grace_period(&run.stop, ended).await??;
    report.set_counts(ended.writer.committed_counts(), &run.fetcher.reader.meter);
    report.set_files(&ended.writer.written_files());
    if let RunMode::Window(window) = run.mode {
        report.warn_about_retention(run.origin.kind, window, run.start);
    }
    report.complete = ended.is_complete;
    if report.complete {
        report_silence(run, &ended.writer, report);
    }
    *left = ended.writer.release();
    // First what may have been lost: whatever else ended the run, it says that what was written is sound.
    ended.committed?;
    let end = ended.written?;
    let reached = ended.fetched?;
    if (reached, end) == (FetchOutcome::EmptyPages, WriteEnd::All) {
        report.warnings.push(EMPTY_PAGES_WARNING.to_owned());
    }
    Ok(())
}

/// An empty answer looks like success and often is not: an unusual silence is reported, with what to check.
fn report_silence<T>(run: &SourceRun<T>, writer: &EventWriter, report: &mut SourceReport) {
    let silence = match run.mode {
        RunMode::Window(window) => (report.events == 0)
            .then(|| SourceSilence::in_window(Some(window), newest_known_event(run))),
        RunMode::Export(_) => {
            (writer.total_events() == 0).then(|| SourceSilence::in_window(run.mode.window(), None))
        }
        RunMode::Incremental => writer.silence(run.start),
    };
    let lookback = run.settings.initial_lookback;
    if let Some(silence) = &silence {
        let text = silence.describe(&run.origin, lookback, run.mode.window());
        match silence.is_expected() {
            true => report.notices.push(text),
            false => report.warnings.push(text),
        }
    }
    report.silence = silence;
}

/// The newest event that the incremental pulls of the source know of, if there is one.
fn newest_known_event<T>(run: &SourceRun<T>) -> Option<Timestamp> {
    // A window needs no checkpoint: one that cannot be read is left to the next pull.
    let found = run.store.load(&run.settings.name).ok()??;
    let is_own = found.scope == scope(&run.origin) && found.events > 0;
    found.watermark.filter(|_| is_own)
}

/// Opens the output on a thread that may block: a named pipe waits for its reader.
async fn open_output(mut writer: EventWriter) -> Result<EventWriter, RunError> {
    tokio::task::spawn_blocking(move || writer.open().map(|()| writer)).await?
}

/// Commits for the last time, on a thread that may block; not where the output has failed.
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
        let committed = match &written {
            Ok(_) | Err(RunError::Interrupted) => writer.finish(),
            Err(_) => Ok(()),
        };
        FinishedRun {
            writer,
            fetched,
            written,
            is_complete: is_all && committed.is_ok(),
            committed,
        }
    };
    Ok(tokio::task::spawn_blocking(finish).await?)
}

/// Takes hold of the state, plans, and sets up the writing side.
fn prepare<T: Transport>(
    run: &SourceRun<T>,
    order: DeliveryOrder,
    report: &mut SourceReport,
) -> Result<(ReadPlan, EventWriter), RunError> {
    let settings = &run.settings;
    let reach = lookback_settings(settings);
    let format = settings.output.format;
    let mut step = RecordProcessor::new(run.origin.clone(), format, settings.overlap, run.start);
    step.remaining = run.max_events;
    let (plan, checkpoint, pages) = match &run.mode {
        RunMode::Window(window) => (plan::one_off(order, &reach, *window, run.start), None, None),
        RunMode::Incremental => {
            let scope = scope(&run.origin);
            let held = LockedSource::take(&run.store, &settings.name, &scope)?;
            let plan = plan::incremental(order, &reach, held.checkpoint.as_ref(), run.start);
            let first = plan.windows.first();
            let first = first.filter(|_| held.checkpoint.is_none());
            report.first_pull = first.map(|window| FirstPull {
                from: window.from,
                initial_lookback: settings.initial_lookback,
            });
            let checkpoint = held.begin(&plan, &mut step, &scope, run.start);
            (plan, Some(checkpoint), None)
        }
        RunMode::Export(export) => {
            let whose = SourceContext {
                settings,
                origin: &run.origin,
                store: &run.store,
                start: run.start,
            };
            let (plan, checkpoint, pages) = export.begin(whose, &mut step)?;
            (plan, Some(checkpoint), Some(pages))
        }
    };
    refuse_unfinished(settings, &run.store)?;
    step.keep = plan.event_filter;
    let is_reread_in_progress = plan.windows.iter().any(OpenWindow::is_reread_in_progress);
    match (plan.rereads, is_reread_in_progress) {
        (true, true) => step.resume_reread(),
        (true, false) => step.start_reread(),
        (false, _) => step.written_before = None,
    }
    let account = checkpoint.as_ref().and_then(CheckpointWriter::output).cloned();
    let sink = sink::from_settings(&settings.output, account);
    let writer = EventWriter::new(sink, step, checkpoint, run.fetcher.reader.meter.clone());
    Ok((plan, writer.with_attempt_file(pages)))
}

/// Refuses a file that another source's run died on: its next run cuts off what lies behind its last
/// commit, and our lines would be among it.
///
/// # Errors
/// It is such a file, or is being written; the state folder cannot be read.
pub fn refuse_unfinished(settings: &SourceSettings, store: &StateStore) -> Result<(), RunError> {
    let Some(path) = current_output_file(&settings.output)? else {
        return Ok(());
    };
    let mut others = store.outputs_of_others(&settings.name)?;
    match others.find(|(_, output)| output.is_open && output.path == path) {
        None => Ok(()),
        Some(_) if is_locked(&path) => Err(UnexpectedFile::LockedByOtherRun.at(&path).into()),
        Some((other, _)) => Err(RunError::Unfinished { path, other: other.clone() }),
    }
}

/// The file that is appended to now by `output`, if that is one.
///
/// # Errors
/// The working directory is gone.
pub fn current_output_file(output: &OutputSettings) -> Result<Option<PathBuf>, SinkError> {
    match &output.path {
        OutputPath::File(template) => {
            path_at(template, output.compression, chrono::Utc::now()).map(Some)
        }
        OutputPath::Stdout => Ok(None),
    }
}

/// What the writer waits for.
enum WriterEvent {
    Message(FetchMessage),
    CommitDue,
    Stop,
    End,
}

/// Writes what is delivered until the end, and commits in time, also while nothing comes.
async fn write_messages(
    mut writer: EventWriter,
    mut deliveries: mpsc::Receiver<FetchMessage>,
    mut stop: watch::Receiver<StopRequest>,
) -> (EventWriter, Result<WriteEnd, RunError>) {
    let runtime = Handle::current();
    loop {
        let mut coming = next_event(&mut deliveries, &mut stop, writer.commit_due()).await;
        let ended = block_in_place(|| {
            loop {
                if let ControlFlow::Break(result) = handle_event(&mut writer, coming) {
                    return Some(result);
                }
                let more = next_event(&mut deliveries, &mut stop, writer.commit_due());
                coming = runtime.block_on(async { timeout(WRITER_LINGER, more).await }).ok()?;
            }
        });
        if let Some(result) = ended {
            return (writer, result);
        }
    }
}

/// Does what has come up; how it ends, if it does.
fn handle_event(
    writer: &mut EventWriter,
    coming: WriterEvent,
) -> ControlFlow<Result<WriteEnd, RunError>> {
    let step = match coming {
        WriterEvent::Message(delivery) => writer.write(delivery),
        WriterEvent::CommitDue => writer.commit().map(|()| WriteFlow::Continue),
        WriterEvent::Stop => return ControlFlow::Break(Err(RunError::Interrupted)),
        WriterEvent::End => return ControlFlow::Break(Ok(WriteEnd::All)),
    };
    match step {
        Ok(WriteFlow::Continue) => ControlFlow::Continue(()),
        Ok(WriteFlow::LimitReached) => ControlFlow::Break(Ok(WriteEnd::LimitReached)),
        Err(error) => ControlFlow::Break(Err(error)),
    }
}

async fn next_event(
    deliveries: &mut mpsc::Receiver<FetchMessage>,
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
        delivery = deliveries.recv() => delivery.map_or(WriterEvent::End, WriterEvent::Message),
    }
}
