//! The collector runs several sources at once, and reports and records how each of them ended.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinSet, block_in_place};
use tokio::time::timeout;
use tracing::Instrument as _;

use crate::collect::connector::{PreparedSource, SourceConnector};
use crate::collect::expiry;
use crate::collect::message_throttle::MessageThrottle;
use crate::collect::run_registry::{RecordOutcome, RunRecorder, RunRegistry};
use crate::config::env::ProcessEnv;
use crate::config::request::PullRequest;
use crate::config::settings::{OutputSettings, SourceSettings};
use crate::credentials::{self, Credential};
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::time::Timestamp;
use crate::pipeline::error::RunError;
use crate::pipeline::export_run::SourceContext;
use crate::pipeline::report::SourceReport;
use crate::pipeline::run::{self, RunMode, SourceRun};
use crate::pipeline::stop::{StopRequest, unless_stopped};
use crate::sink::stdout::is_stored;
use crate::state::caches::{LookupCache, NoticeStore};
use crate::state::store::StateStore;
use crate::telemetry::console::{ConsoleMessage, Level, StderrConsole};
use crate::telemetry::progress::ProgressLine;

/// Sources that start without waiting. Each takes up to a megabyte: its dedup cache, its buffers.
const MAX_IMMEDIATE_STARTS: usize = 3;

/// The longest that one source waits after the one before it.
const MAX_START_DELAY: Duration = Duration::from_millis(100);

/// What all sources of a run share.
pub struct CollectOptions {
    /// The folder of the checkpoints.
    pub state_dir: PathBuf,
    /// What earlier runs have looked up.
    pub lookups: LookupCache,
    /// The start of the run.
    pub start: Timestamp,
    /// Stop each source after so many events.
    pub max_events: Option<u64>,
    /// For how long a cursor that brings nothing is trusted alone.
    pub trust_idle_cursor: Duration,
    /// What signals have requested.
    pub stop: watch::Receiver<StopRequest>,
    /// Where messages for people go.
    pub console: Arc<StderrConsole>,
    /// Whether the progress of each source may be shown; see [`may_show_progress`].
    pub shows_progress: bool,
    /// Where metrics and the watchdog see the sources while they run.
    pub registry: Arc<RunRegistry>,
    /// Suppresses repeated messages if sources are pulled continuously.
    pub throttle: Option<Arc<MessageThrottle>>,
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
            lookups: LookupCache::new(state_dir),
            start: chrono::Utc::now(),
            max_events: None,
            trust_idle_cursor: Duration::ZERO,
            stop,
            console: console.clone(),
            shows_progress: true,
            registry: Arc::default(),
            throttle: None,
        }
    }

    /// The same for `request`.
    pub fn of_pull(
        request: &PullRequest,
        stop: watch::Receiver<StopRequest>,
        console: &Arc<StderrConsole>,
    ) -> CollectOptions {
        let outputs = request.sources.iter().map(|source| &source.output);
        CollectOptions {
            start: request.now,
            max_events: request.max_events,
            shows_progress: may_show_progress(outputs),
            ..CollectOptions::new(&request.state_dir, stop, console)
        }
    }

    /// Relimiter the credential of each source, or why there is none. Warns once a day of one that
    /// expires soon.
    pub async fn load_credentials(
        &self,
        sources: &[SourceSettings],
        env: &ProcessEnv,
    ) -> Vec<Result<Credential, AppError>> {
        let mut credentials = Vec::with_capacity(sources.len());
        let notices = NoticeStore::new(&self.state_dir);
        for settings in sources {
            let loading = credentials::load(settings, env);
            // A keyring may take long, or ask a person who wants to stop instead.
            let loaded = unless_stopped(&self.stop, loading).await;
            let credential = match loaded {
                Ok(loaded) => loaded.map_err(AppError::from),
                Err(stopped) => Err(stopped.into()),
            };
            let known = credential.as_ref().ok();
            expiry::warn_daily(settings, known, &notices, self.start, &self.console);
            credentials.push(credential);
            self.registry.note_progress();
        }
        credentials
    }
}

/// Whether progress may be drawn while events go to `outputs`. Drawing erases lines upwards from
/// the cursor. If events, or what another program makes of them, reach the same terminal, it would
/// erase those.
pub fn may_show_progress<'a>(outputs: impl IntoIterator<Item = &'a OutputSettings>) -> bool {
    outputs.into_iter().all(is_stored)
}

/// A source to read: its settings, its credential, and which part of it is read.
pub type SourceToRead = (SourceSettings, Result<Credential, AppError>, RunMode);

/// Sources that run at once.
pub struct SourceCollector<'c> {
    options: Arc<CollectOptions>,
    connector: &'c mut SourceConnector,
    store: StateStore,
    start_limiter: StartLimiter,
    running: JoinSet<(Arc<RunRecorder>, CollectedSource)>,
    finished: Vec<CollectedSource>,
    began: Instant,
}

/// How one source ended.
struct CollectedSource {
    /// Its position among the requested sources.
    index: usize,
    report: SourceReport,
    error: Option<AppError>,
    /// What became of its entry in the run history, once that was tried.
    recorded: Option<RecordOutcome>,
}

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
            let mode = match request.one_off {
                Some(one_off) => RunMode::Window(one_off.window(settings, request.now)),
                None => RunMode::Incremental,
            };
            (settings.clone(), credential, mode)
        });
        SourceCollector::start(options, connector, sources.collect())
    }

    /// Starts to read all `sources`. A source that cannot be started has ended with an error; the
    /// others go on.
    pub fn start(
        options: CollectOptions,
        connector: &'c mut SourceConnector,
        sources: Vec<SourceToRead>,
    ) -> SourceCollector<'c> {
        connector.forget_lockouts();
        for (settings, credential, _) in &sources {
            if let Ok(credential) = credential {
                connector.register_rate(settings, credential);
            }
        }
        let mut collector = SourceCollector {
            store: StateStore::new(&options.state_dir),
            start_limiter: StartLimiter::default(),
            connector,
            options: Arc::new(options),
            running: JoinSet::new(),
            finished: Vec::new(),
            began: Instant::now(),
        };
        for (index, source) in sources.into_iter().enumerate() {
            collector.start_source(index, source);
        }
        collector
    }

    fn start_source(&mut self, index: usize, (settings, credential, mode): SourceToRead) {
        let options = &self.options;
        let name = settings.name.clone();
        let kind = settings.target.kind().as_str();
        let end = expiry::find_expiry(&settings, credential.as_ref().ok(), None);
        let prepared = credential.and_then(|key| self.connector.connect(&settings, &key));
        let meter = prepared.as_ref().map(|source| source.meter().clone());
        let recorder = Arc::new(RunRecorder {
            name: name.clone(),
            meter: meter.unwrap_or_default(),
            registry: options.registry.clone(),
            is_one_off: mode.window().is_some(),
            state_dir: options.state_dir.clone(),
            store: self.store.clone(),
            start: options.start,
            credential_ends: end.map(|end| end.day),
        });
        let source = match prepared {
            Ok(source) => source,
            Err(error) => {
                let ended = CollectedSource::not_started(index, name.as_str(), kind, error);
                return self.finish_source(&recorder, ended);
            }
        };
        let meter = recorder.meter.clone();
        options.registry.run_started(&name, meter.clone());
        let bars = options.console.bars().filter(|_| options.shows_progress);
        let progress = bars.map(|bars| ProgressLine::start(bars, name.as_str(), meter));
        let span = tracing::error_span!("pull", source = name.as_str());
        let job = SourceJob {
            index,
            settings,
            source,
            mode,
            options: options.clone(),
            store: self.store.clone(),
            start_limiter: self.start_limiter.clone(),
        };
        let own = recorder.clone();
        let pulling = async move {
            let began = Instant::now();
            let mut ended = job.pull(&own).await;
            ended.report.duration = began.elapsed();
            drop(progress);
            ended
        };
        // In a task of its own, so that a bug in one source does not stop the others.
        let task = tokio::spawn(pulling.instrument(span));
        self.running.spawn(async move {
            let ended = task.await.unwrap_or_else(|died| {
                let error = RunError::TaskDied(died).into();
                CollectedSource::not_started(index, name.as_str(), kind, error)
            });
            (recorder, ended)
        });
    }

    /// Waits for all sources and reports what went wrong. Relimiter their reports in the order in
    /// which they were started, the exit code of the worst, and how long it took.
    pub async fn finish(mut self) -> (Vec<SourceReport>, Exit, Duration) {
        while let Some(joined) = self.running.join_next().await {
            // These tasks only wait for others; none of them can die.
            if let Ok((recorder, ended)) = joined {
                self.finish_source(&recorder, ended);
            }
        }
        self.finished.sort_by_key(|ended| ended.index);
        let exits = self.finished.iter().map(CollectedSource::exit);
        let exit = exits.fold(Exit::Done, Exit::worst);
        let reports = self.finished.into_iter().map(CollectedSource::into_report);
        (reports.collect(), exit, self.began.elapsed())
    }

    /// Reports how a source ended, and records it if its task has not.
    fn finish_source(&mut self, recorder: &RunRecorder, mut ended: CollectedSource) {
        self.report_end(&ended);
        let recorded = ended.recorded.take();
        let recorded = recorded.unwrap_or_else(|| recorder.record(ended.error.as_ref(), None));
        let registry = &self.options.registry;
        registry.run_recorded(&recorder.name, recorded);
        self.finished.push(ended);
    }

    fn report_end(&self, ended: &CollectedSource) {
        let (console, report) = (&self.options.console, &ended.report);
        let say = |level, text: &str| {
            let text = format!("source `{}`: {text}", report.source);
            let message = ConsoleMessage::new(text);
            console.say(
                level,
                &match level {
                    Level::Warning => message.fact("source", report.source.as_str()),
                    _ => message,
                },
            );
        };
        let error = ended.error.as_ref();
        let Some(throttle) = &self.options.throttle else {
            let warnings = report.warnings.iter();
            warnings.for_each(|text| say(Level::Warning, text));
            let notices = report.notices.iter();
            notices.for_each(|text| say(Level::Notice, text));
            error.into_iter().for_each(|error| error.report_to(console));
            return;
        };
        if error.is_some_and(AppError::is_interruption) {
            // The person who stopped it knows.
            return;
        }
        let news = throttle.select_new(&report.source, &report.warnings, error.map(AppError::text));
        for (text, is_new) in report.warnings.iter().zip(news.warnings) {
            match is_new {
                true => say(Level::Warning, text),
                false => tracing::info!(source = report.source, "as before: {text}"),
            }
        }
        match error {
            Some(error) if news.error => error.report_to(console),
            Some(error) => tracing::info!("as before: {}", error.text()),
            None if news.recovered => {
                let text = format!("source `{}`: it works again", report.source);
                let message = ConsoleMessage::new(text).fact("source", report.source.as_str());
                console.say(Level::Notice, &message);
            }
            None => {}
        }
    }

    /// How many sources have ended because of their configuration.
    pub fn count_misconfigured(&self) -> usize {
        let exits = self.finished.iter().map(CollectedSource::exit);
        exits.filter(|exit| *exit == Exit::Config).count()
    }
}

/// One source while it runs.
struct SourceJob {
    index: usize,
    settings: SourceSettings,
    source: PreparedSource,
    mode: RunMode,
    options: Arc<CollectOptions>,
    store: StateStore,
    start_limiter: StartLimiter,
}

impl SourceJob {
    /// Looks up what must be known first, then pulls.
    async fn pull(self, recorder: &RunRecorder) -> CollectedSource {
        let options = self.options;
        let settings = self.settings.clone();
        let origin = self.source.origin.clone();
        let begun = async {
            let permit = self.start_limiter.acquire().await;
            let attempt_log = self.mode.attempt_recorder();
            let fetcher = self.source.into_fetcher(&options.lookups, attempt_log);
            Ok::<_, AppError>((permit, fetcher.await?))
        };
        let ready = unless_stopped(&options.stop, begun).await;
        let (_permit, (origin, fetcher)) = match ready.map_err(AppError::from).flatten() {
            Ok(ready) => ready,
            Err(error) => {
                let context = SourceContext {
                    settings: &settings,
                    origin: &origin,
                    store: &self.store,
                    start: options.start,
                };
                let saved = block_in_place(|| self.mode.persist_failed_start(context));
                let error = saved.err().map_or(error, AppError::from);
                let error = error.for_settings(&settings);
                let (name, kind) = (settings.name.as_str(), settings.target.kind());
                return CollectedSource::not_started(self.index, name, kind.as_str(), error);
            }
        };
        let outcome = run::pull(SourceRun {
            settings: self.settings,
            origin,
            fetcher,
            store: self.store,
            mode: self.mode,
            max_events: options.max_events,
            trust_idle_cursor: options.trust_idle_cursor,
            start: options.start,
            stop: options.stop.clone(),
        });
        let mut outcome = outcome.await;
        let error = outcome.result.err().map(AppError::from);
        let error = error.map(|error| error.for_settings(&settings));
        // While the start permit is held, on the thread that has just written the checkpoint: so no
        // more sources wait for the disk at once.
        let recorded = block_in_place(|| recorder.record(error.as_ref(), outcome.released.take()));
        if settings.target.is_through_gateway()
            && let Some(site) = settings.target.site()
            && error.as_ref().map(AppError::exit) == Some(Exit::Credential)
        {
            // The site may have been recreated since its cloud id was looked up.
            options.lookups.update(&site, |facts| facts.cloud_id = None);
        }
        CollectedSource {
            index: self.index,
            report: outcome.report,
            error,
            recorded: Some(recorded),
        }
    }
}

impl CollectedSource {
    /// A source that sent no request for a page.
    fn not_started(
        index: usize,
        name: &str,
        kind: &'static str,
        error: AppError,
    ) -> CollectedSource {
        CollectedSource {
            index,
            report: SourceReport::new(name, kind),
            error: Some(error.of_source(name)),
            recorded: None,
        }
    }

    fn exit(&self) -> Exit {
        self.error.as_ref().map_or(Exit::Done, AppError::exit)
    }

    fn into_report(self) -> SourceReport {
        let error = self.error.as_ref();
        SourceReport {
            exit_code: self.exit().code(),
            interrupted: error.is_some_and(AppError::is_interruption),
            output_closed: error.is_some_and(AppError::is_quiet),
            error: error.map(|error| error.text().to_owned()),
            ..self.report
        }
    }
}

/// Decides when each source of a run starts: some at once, the others when one ends, in the order
/// in which they ask. After [`MAX_START_DELAY`] a source starts anyway, so that slow sources cannot
/// block others.
#[derive(Debug, Clone)]
struct StartLimiter {
    permits: Arc<Semaphore>,
    queue: Arc<Mutex<()>>,
}

impl Default for StartLimiter {
    fn default() -> StartLimiter {
        StartLimiter {
            permits: Arc::new(Semaphore::new(MAX_IMMEDIATE_STARTS)),
            queue: Arc::default(),
        }
    }
}

impl StartLimiter {
    /// Waits until the source may start. Its permit, if it got one in time, is returned when
    /// dropped.
    async fn acquire(&self) -> Option<OwnedSemaphorePermit> {
        // One after the other, so that sources whose delay is over do not all start at once.
        let _queue = self.queue.lock().await;
        let permit = timeout(MAX_START_DELAY, self.permits.clone().acquire_owned()).await;
        permit.ok().and_then(Result::ok)
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
