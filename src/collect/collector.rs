//! The collector runs several sources at once, and reports and records how each of them ended.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit, watch};
use tokio::task::{JoinSet, block_in_place};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use crate::collect::connector::{PreparedSource, SourceConnector};
use crate::collect::expiry;
use crate::collect::failure_notices::FailureNotices;
use crate::collect::file_turns::{FileTurn, FileTurns};
use crate::collect::progress_publisher::ProgressPublisher;
use crate::collect::run_registry::RunRegistry;
use crate::collect::source_end::{EndReporter, MessageThrottle};
use crate::collect::summary;
use crate::config::env::ProcessEnv;
use crate::config::request::{IfRunning, OneOffWindow, PullRequest};
use crate::config::settings::SourceSettings;
use crate::credentials::{self, Credential};
use crate::detect::DetectionSetup;
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::name::SourceName;
use crate::model::time::{Timestamp, Window};
use crate::pipeline::checkpoint_writer::ReleasedSource;
use crate::pipeline::error::RunError;
use crate::pipeline::report::SourceReport;
use crate::pipeline::run::{self, RunMode, SourceRun};
use crate::pipeline::source_context::SourceContext;
use crate::pipeline::stop::{StopRequest, unless_stopped, wait_for_stop};
use crate::sink::stdout::is_stored;
use crate::state::caches::{LookupCache, NoticeStore};
use crate::state::run_history::{RunHistoryStore, RunRecord};
use crate::state::store::StateStore;
use crate::telemetry::console::StderrConsole;
use crate::telemetry::meter::SourceMeter;
use crate::telemetry::progress::ProgressLine;

/// Sources that start without waiting. Each takes up to a megabyte: its dedup cache, its buffers.
const MAX_IMMEDIATE_STARTS: usize = 3;

/// The longest that one source waits after the one before it.
const MAX_START_DELAY: Duration = Duration::from_millis(100);

/// What all sources of a run share.
pub struct CollectOptions {
    /// The folder of the checkpoints.
    pub state_dir: PathBuf,
    /// The checkpoints.
    pub store: StateStore,
    /// What earlier runs have looked up.
    pub lookups: LookupCache,
    /// The start of the run.
    pub start: Timestamp,
    /// Stop each source after so many events.
    pub max_events: Option<u64>,
    /// For how long a cursor that brings nothing is trusted alone.
    pub trust_idle_cursor: Duration,
    /// What events are judged with, where they are.
    pub detection: Option<Arc<DetectionSetup>>,
    /// What signals have requested.
    pub stop: watch::Receiver<StopRequest>,
    /// Where messages for people go.
    pub console: Arc<StderrConsole>,
    /// Where metrics and the watchdog see the sources while they run.
    pub registry: Arc<RunRegistry>,
    /// Suppresses repeated warnings if sources are pulled continuously.
    pub throttle: Option<Arc<MessageThrottle>>,
    /// Suppresses repeated errors, where nobody reads along.
    pub failures: Option<Arc<FailureNotices>>,
    /// What becomes of a source that another run holds.
    pub if_running: IfRunning,
}

impl CollectOptions {
    /// The options of a single run that starts now, with its checkpoints in `state_dir`.
    pub fn new(
        state_dir: &Path,
        stop: watch::Receiver<StopRequest>,
        console: &Arc<StderrConsole>,
    ) -> CollectOptions {
        CollectOptions {
            state_dir: state_dir.to_owned(),
            store: StateStore::new(state_dir),
            lookups: LookupCache::new(state_dir),
            start: chrono::Utc::now(),
            max_events: None,
            trust_idle_cursor: Duration::ZERO,
            detection: None,
            stop,
            console: console.clone(),
            registry: Arc::default(),
            throttle: None,
            failures: None,
            if_running: IfRunning::Fail,
        }
    }

    /// The same for `request`.
    pub fn of_pull(
        request: &PullRequest,
        stop: watch::Receiver<StopRequest>,
        console: &Arc<StderrConsole>,
    ) -> CollectOptions {
        CollectOptions {
            store: StateStore::of_settings(&request.state_dir, request.remote_state.as_ref()),
            start: request.now,
            max_events: request.max_events,
            if_running: request.if_running,
            ..CollectOptions::new(&request.state_dir, stop, console)
        }
    }

    /// Returns the credential of each source, or why there is none. Warns once a day of one that
    /// expires soon.
    pub async fn load_credentials(
        &self,
        sources: &[SourceSettings],
        env: &ProcessEnv,
    ) -> Vec<Result<Credential, AppError>> {
        let mut credentials = Vec::with_capacity(sources.len());
        let notices = NoticeStore::new(&self.state_dir);
        for settings in sources {
            // A keyring may take long, or ask a person who wants to stop instead.
            let loaded = unless_stopped(&self.stop, credentials::load(settings, env)).await;
            let loaded = loaded.map_err(AppError::from);
            let credential = loaded.and_then(|loaded| loaded.map_err(AppError::from));
            let known = credential.as_ref().ok();
            expiry::warn_daily(settings, known, &notices, self.start, &self.console);
            credentials.push(credential);
            self.registry.note_progress();
        }
        credentials
    }
}

/// A source to read: its settings, its credential, and which part of it is read.
pub type SourceToRead = (SourceSettings, Result<Credential, AppError>, RunMode);

/// Sources that run at once.
pub struct SourceCollector<'c> {
    shared: Arc<SharedByJobs>,
    connector: &'c mut SourceConnector,
    source_count: usize,
    running: JoinSet<(Arc<SourceJob>, SourceEnd)>,
    /// Hears of a stop for the store of the checkpoints, which blocks threads while it retries.
    _stop_watch: Option<AbortOnDropHandle<()>>,
    /// Each source that has ended, with its position among the requested ones.
    finished: Vec<(usize, SourceReport)>,
    began: Instant,
}

struct SharedByJobs {
    options: CollectOptions,
    start_limiter: StartLimiter,
    /// Whether progress may be drawn. Drawing erases lines upwards from the cursor. If events, or
    /// what another program makes of them, reach the same terminal, it would erase those.
    may_show_progress: bool,
}

/// What a view of a source shows: what came after the last record that was written, or what a first
/// pull would read. Where the checkpoint cannot be read, a pull says so; a view does without.
fn view_window(options: &CollectOptions, settings: &SourceSettings) -> Window {
    let checkpoint = options.store.load(&settings.name).ok().flatten();
    let since = checkpoint.and_then(|checkpoint| checkpoint.watermark);
    OneOffWindow { since, until: None }.window(settings, options.start)
}

/// How one source ended.
type SourceEnd = (SourceReport, Option<AppError>);

impl<'c> SourceCollector<'c> {
    /// Starts to pull the sources of `request`, each with its credential.
    pub fn start_pull(
        options: CollectOptions,
        connector: &'c mut SourceConnector,
        request: &PullRequest,
        credentials: Vec<Result<Credential, AppError>>,
    ) -> SourceCollector<'c> {
        let sources = request.sources.iter().zip(credentials);
        let sources = sources.map(|(settings, credential)| {
            let mode = match (request.one_off, request.backfill) {
                (Some(one_off), _) => RunMode::Window(one_off.window(settings, request.now)),
                (None, Some(from)) => RunMode::Backfill { from },
                (None, None) if request.is_view => RunMode::Window(view_window(&options, settings)),
                (None, None) => RunMode::Incremental,
            };
            (settings.clone(), credential, mode)
        });
        let sources = sources.collect();
        SourceCollector::start(options, connector, sources)
    }

    /// Starts to read all `sources`. A source that cannot be started has ended with an error; the
    /// others go on.
    pub fn start(
        options: CollectOptions,
        connector: &'c mut SourceConnector,
        sources: Vec<SourceToRead>,
    ) -> SourceCollector<'c> {
        connector.forget_lockouts();
        if let Some(failures) = &options.failures {
            let names = sources.iter().map(|(settings, ..)| &settings.name);
            let failing = names.filter(|name| failures.is_failing(name)).map(SourceName::to_string);
            options.console.set_failing(failing.collect());
        }
        for (settings, credential, _) in &sources {
            if let Ok(credential) = credential {
                connector.register_rate(settings, credential);
            }
        }
        let may_show_progress = sources.iter().all(|(settings, ..)| is_stored(&settings.output));
        let start_limiter = StartLimiter::default();
        let stop_watch = options.store.remote().cloned().map(|states| {
            let mut stop = options.stop.clone();
            AbortOnDropHandle::new(tokio::spawn(async move {
                wait_for_stop(&mut stop, StopRequest::AfterCommit).await;
                states.stop_retrying();
            }))
        });
        let mut collector = SourceCollector {
            shared: Arc::new(SharedByJobs { options, start_limiter, may_show_progress }),
            connector,
            source_count: sources.len(),
            running: JoinSet::new(),
            _stop_watch: stop_watch,
            finished: Vec::new(),
            began: Instant::now(),
        };
        let mut turns = FileTurns::default();
        for (index, source) in sources.into_iter().enumerate() {
            let turn = turns.next(&source.0);
            collector.start_source(index, source, turn);
        }
        collector
    }

    fn start_source(
        &mut self,
        index: usize,
        (settings, credential, mode): SourceToRead,
        turn: FileTurn,
    ) {
        let options = &self.shared.options;
        let expiry = expiry::find_expiry(&settings, credential.as_ref().ok(), None);
        let prepared = credential.and_then(|key| self.connector.connect(&settings, &key));
        let meter = prepared.as_ref().map(|source| source.api.meter.clone()).unwrap_or_default();
        let job = Arc::new(SourceJob {
            index,
            settings,
            meter: meter.clone(),
            is_one_off: mode.window().is_some(),
            credential_ends: expiry.map(|expiry| expiry.day),
            shared: self.shared.clone(),
        });
        let source = match prepared {
            Ok(source) => source,
            Err(error) => return self.finish_source(&job, job.not_started(error)),
        };
        let name = &job.settings.name;
        options.registry.run_started(name, meter.clone());
        let bars = options.console.bars().filter(|_| self.shared.may_show_progress);
        let zone = options.console.zone();
        let progress = bars.map(|bars| ProgressLine::start(bars, name.as_str(), meter, zone));
        let is_published = matches!(mode, RunMode::Incremental);
        let publisher = is_published
            .then(|| ProgressPublisher::start(&options.state_dir, name, job.meter.clone()));
        let span = tracing::error_span!("pull", source = name.as_str());
        let own = job.clone();
        let pulling = async move {
            let began = Instant::now();
            let (mut report, error) = own.pull(source, mode, turn).await;
            report.duration = began.elapsed();
            drop((progress, publisher));
            (report, error)
        };
        // In a task of its own, so that a bug in one source does not stop the others.
        let task = tokio::spawn(pulling.instrument(span));
        self.running.spawn(async move {
            let ended = task.await;
            let died = |died| job.not_started(RunError::TaskDied(died).into());
            let ended = ended.unwrap_or_else(died);
            (job, ended)
        });
    }

    /// Waits for all sources and reports what went wrong. Returns their reports in the order in
    /// which they were started, the exit code of the worst, and how long it took.
    pub async fn finish(mut self) -> (Vec<SourceReport>, Exit, Duration) {
        while let Some(joined) = self.running.join_next().await {
            // These tasks only wait for others; none of them can die.
            if let Ok((job, ended)) = joined {
                self.finish_source(&job, ended);
            }
        }
        self.finished.sort_by_key(|(index, _)| *index);
        let reports: Vec<_> = self.finished.into_iter().map(|(_, report)| report).collect();
        let exit = summary::worst_exit(&reports);
        let options = &self.shared.options;
        let is_stopped = reports.iter().any(|report| report.interrupted);
        if is_stopped && self.source_count > 1 && options.throttle.is_none() {
            options.console.warn(
                "stopped before everything was read; what was written is sound: run it again to \
                 go on from here",
            );
        }
        (reports, exit, self.began.elapsed())
    }

    /// Reports how a source ended.
    fn finish_source(&mut self, job: &SourceJob, (report, error): SourceEnd) {
        let options = &self.shared.options;
        if let Some(error) = error.as_ref().filter(|error| job.is_left_to_other_run(error)) {
            options.console.notice(format!("{}; skipped", error.text()));
            self.finished.push((job.index, SourceReport { skipped: true, ..report }));
            return;
        }
        let reporter = EndReporter {
            console: &options.console,
            throttle: options.throttle.as_deref(),
            failures: options.failures.as_deref().filter(|_| !job.is_one_off),
            is_one_of_several: self.source_count > 1,
        };
        let (name, now) = (&job.settings.name, chrono::Utc::now());
        reporter.report(name, &report, error.as_ref(), now);
        // To stand by is no failure.
        let error = error.filter(|error| options.throttle.is_none() || !error.is_held_elsewhere());
        let report = SourceReport {
            exit_code: error.as_ref().map_or(Exit::Done, AppError::exit).code(),
            interrupted: error.as_ref().is_some_and(AppError::is_interruption),
            output_closed: error.as_ref().is_some_and(AppError::is_quiet),
            error: error.map(|error| error.text().to_owned()),
            ..report
        };
        self.finished.push((job.index, report));
    }

    /// How many sources have ended because of their configuration.
    pub fn count_misconfigured(&self) -> usize {
        let codes = self.finished.iter().map(|(_, report)| report.exit_code);
        codes.filter(|code| *code == Exit::Config.code()).count()
    }
}

/// One source of a run.
struct SourceJob {
    index: usize,
    settings: SourceSettings,
    /// Counts for the run.
    meter: Arc<SourceMeter>,
    /// A one-off run is not part of the source's history.
    is_one_off: bool,
    /// The last day of the credential, if known. Recorded, because `status` loads no credential.
    credential_ends: Option<NaiveDate>,
    shared: Arc<SharedByJobs>,
}

impl SourceJob {
    /// Looks up what must be known first, then pulls, when it is the `turn` of the source.
    async fn pull(&self, source: PreparedSource, mode: RunMode, mut turn: FileTurn) -> SourceEnd {
        let (options, settings) = (&self.shared.options, &self.settings);
        let store = match turn.is_shared() {
            // The sources before this one change what their states say of the file.
            true => options.store.reopened(),
            false => options.store.clone(),
        };
        let mut context = SourceContext {
            settings: settings.clone(),
            origin: source.origin.clone(),
            store,
            start: options.start,
            detection: options.detection.clone(),
        };
        let begun = async {
            turn.wait().await;
            let permit = self.shared.start_limiter.acquire().await;
            let fetcher = source.into_fetcher(&options.lookups, mode.attempt_recorder());
            Ok::<_, AppError>((permit, fetcher.await?))
        };
        let ready = unless_stopped(&options.stop, begun).await;
        let (_permit, fetcher) = match ready.map_err(AppError::from).flatten() {
            Ok((permit, (origin, fetcher))) => {
                context.origin = origin;
                (permit, fetcher)
            }
            Err(error) => {
                let saved = block_in_place(|| mode.persist_failed_start(&context));
                return self.not_started(saved.err().map_or(error, AppError::from));
            }
        };
        let outcome = run::pull(SourceRun {
            context,
            fetcher,
            mode,
            max_events: options.max_events,
            trust_idle_cursor: options.trust_idle_cursor,
            stop: options.stop.clone(),
        });
        let outcome = outcome.await;
        let error = outcome.result.err().map(AppError::from);
        let error = error.map(|error| error.for_settings(settings));
        // While the start permit is held, on the thread that has just written the checkpoint: so no
        // more sources wait for the disk at once.
        block_in_place(|| self.record(error.as_ref(), outcome.released));
        if settings.target.gateway.is_some()
            && let Some(site) = settings.target.site()
            && error.as_ref().map(AppError::exit) == Some(Exit::Credential)
        {
            // The site may have been recreated since its cloud id was looked up.
            options.lookups.update(&site, |facts| facts.cloud_id = None);
        }
        (outcome.report, error)
    }

    /// Whether `error` only says that another run pulls the source, or writes its file, and that is
    /// as it should be.
    fn is_left_to_other_run(&self, error: &AppError) -> bool {
        error.is_held() && self.shared.options.if_running == IfRunning::Skip
    }

    /// The end of a source that sent no request for a page.
    fn not_started(&self, error: AppError) -> SourceEnd {
        let (name, kind) = (self.settings.name.as_str(), self.settings.target.kind());
        let error = error.for_settings(&self.settings);
        self.record(Some(&error), None);
        (SourceReport::new(name, kind.as_str()), Some(error))
    }

    /// Writes the run, which ended with `error` or well, into the run history while the source is
    /// locked. If another run holds the source, nothing is written: that run writes the history. A
    /// first run that failed before it could read is recorded too, in a new state folder; otherwise
    /// `status` would show a source that was never pulled. A run that had nothing to request has
    /// shown nothing of the source, and would hide how the last one failed. Blocks.
    fn record(&self, error: Option<&AppError>, released: Option<ReleasedSource>) {
        let (options, name) = (&self.shared.options, &self.settings.name);
        let is_left =
            |error: &AppError| error.is_held_elsewhere() || self.is_left_to_other_run(error);
        let is_idle = error.is_none() && self.meter.requests.get() == 0;
        if self.is_one_off || is_idle || error.is_some_and(is_left) {
            return options.registry.run_recorded(name, |_| {});
        }
        let run = RunRecord {
            started: options.start,
            finished: chrono::Utc::now(),
            exit_code: error.map_or(Exit::Done, AppError::exit).code(),
            error: error.map(|error| error.text().to_owned()),
            causes: error.map_or(Vec::new(), |error| error.causes().to_vec()),
            hint: error.and_then(AppError::hint_text).map(str::to_owned),
            interrupted: error.is_some_and(AppError::is_interruption),
            credential_ends: self.credential_ends,
            counts: options.registry.run_finished(name, &self.meter),
        };
        let (progress, lock) = match released {
            Some(source) => (source.progress, Some(source.lock)),
            None => (None, options.store.lock(name).ok()),
        };
        if lock.is_none() {
            // Not added to the totals: the counters of the next process would fall below them.
            return options.registry.run_recorded(name, |known| known.ended(run));
        }
        let histories = RunHistoryStore::new(&options.state_dir);
        let history = histories.change(name, |history| history.record(run, progress));
        options.registry.run_recorded(name, |known| *known = history);
    }
}

/// Decides when each source of a run starts: some at once, the others when one ends, in the order
/// in which they ask. After [`MAX_START_DELAY`] a source starts anyway, so that slow sources cannot
/// block others.
struct StartLimiter {
    permits: Semaphore,
    queue: Mutex<()>,
}

impl Default for StartLimiter {
    fn default() -> StartLimiter {
        StartLimiter { permits: Semaphore::new(MAX_IMMEDIATE_STARTS), queue: Mutex::default() }
    }
}

impl StartLimiter {
    /// Waits until the source may start. Its permit, if it got one in time, is returned when
    /// dropped.
    async fn acquire(&self) -> Option<SemaphorePermit<'_>> {
        // One after the other, so that sources whose delay is over do not all start at once.
        let _queue = self.queue.lock().await;
        timeout(MAX_START_DELAY, self.permits.acquire()).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_source_starts_when_another_ends_or_after_the_delay() {
        let (limiter, began) = (StartLimiter::default(), Instant::now());
        let mut first = Vec::new();
        for _ in 0..MAX_IMMEDIATE_STARTS {
            first.push(limiter.acquire().await);
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        first.pop();
        let _next = limiter.acquire().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        // All are slow.
        let _more = [limiter.acquire().await, limiter.acquire().await];
        assert_eq!(began.elapsed(), MAX_START_DELAY * 2);
    }
}
