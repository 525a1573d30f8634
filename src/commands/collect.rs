//! Owns the running of several sources at once: their beginnings and their ends.
//! `pull` and `demo` differ only in where sources and credentials come from.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{JoinSet, block_in_place};
use tracing::Instrument as _;

use crate::commands::run_registry::{RecordOutcome, RunRegistry};
use crate::commands::connect::SourceConnector;
use crate::commands::api_client::PreparedSource;
use crate::commands::expiry;
use crate::commands::run_recorder::RunRecorder;
use crate::commands::message_throttle::MessageThrottle;
use crate::commands::start_limiter::StartLimiter;
use crate::config::settings::{OutputSettings, SourceSettings};
use crate::credentials::Credential;
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::time::Timestamp;
use crate::pipeline::error::RunError;
use crate::pipeline::export_run::SourceContext;
use crate::pipeline::report::SourceReport;
use crate::pipeline::run::{self, RunMode, RunOutcome, SourceRun};
use crate::pipeline::stop::{StopRequest, unless_stopped};
use crate::sink::stdout::is_stored;
use crate::state::lookups::LookupCache;
use crate::state::store::StateStore;
use crate::telemetry::console::{StderrConsole, Level, ConsoleMessage};
use crate::telemetry::progress::ProgressLine;

/// What all sources of a run share.
pub struct CollectOptions {
    /// Where checkpoints live.
    pub state_dir: PathBuf,
    /// What was looked up by earlier runs.
    pub lookups: LookupCache,
    /// The start of the run.
    pub start: Timestamp,
    /// Stop each source after so many events.
    pub max_events: Option<u64>,
    /// For how long a cursor that brings nothing is trusted alone.
    pub trust_idle_cursor: Duration,
    /// What signals have asked for.
    pub stop: watch::Receiver<StopRequest>,
    /// Where people are told what happens.
    pub console: Arc<StderrConsole>,
    /// Whether a person may watch the progress of each source; see [`may_show_progress`].
    pub shows_progress: bool,
    /// What others are told of the sources, while they run.
    pub registry: Arc<RunRegistry>,
    /// What was told before, where sources are pulled again and again.
    pub throttle: Option<Arc<MessageThrottle>>,
}

/// Whether progress may be drawn while events go to `outputs`. Drawing erases lines upwards from the cursor: where
/// events, or what another program makes of them, reach the same terminal, it would erase those.
pub fn may_show_progress<'a>(outputs: impl IntoIterator<Item = &'a OutputSettings>) -> bool {
    outputs.into_iter().all(is_stored)
}

/// Sources that run at once.
pub struct SourceCollector<'c> {
    terms: CollectOptions,
    connector: &'c mut SourceConnector,
    store: StateStore,
    start_limiter: StartLimiter,
    running: JoinSet<(Arc<RunRecorder>, CollectedSource)>,
    finished: Vec<CollectedSource>,
    began: Instant,
}

/// How one source ended.
struct CollectedSource {
    /// Its place among the sources asked for.
    index: usize,
    report: SourceReport,
    error: Option<AppError>,
    /// What was noted of it, once that was tried.
    recorded: Option<RecordOutcome>,
}

impl<'c> SourceCollector<'c> {
    /// A collection that runs nothing yet.
    pub fn new(terms: CollectOptions, connector: &'c mut SourceConnector) -> SourceCollector<'c> {
        connector.forget_lockouts();
        SourceCollector {
            store: StateStore::new(&terms.state_dir),
            start_limiter: StartLimiter::default(),
            connector,
            terms,
            running: JoinSet::new(),
            finished: Vec::new(),
            began: Instant::now(),
        }
    }

    /// Takes note of a source that will be started: the sources of one key share the largest of
    /// their rates.
    pub fn register_rate(&mut self, settings: &SourceSettings, credential: &Credential) {
        self.connector.register_rate(settings, credential);
    }

    /// Starts to pull `settings` with `credential`; `course` says what is read.
    /// A source that cannot be started has ended with an error; the others go on.
    pub fn start(
        &mut self,
        settings: SourceSettings,
        credential: Result<Credential, AppError>,
        course: RunMode,
    ) {
        let place = self.running.len() + self.finished.len();
        let name = settings.name.clone();
        let kind = settings.target.kind().as_str();
        let end = expiry::find_expiry(&settings, credential.as_ref().ok(), None);
        let connected = credential.and_then(|key| self.connector.connect(&settings, &key));
        let meter = connected
            .as_ref()
            .map(|connected| connected.meter().clone());
        let recorder = Arc::new(RunRecorder {
            name: name.clone(),
            meter: meter.unwrap_or_default(),
            registry: self.terms.registry.clone(),
            is_one_off: course.window().is_some(),
            state_dir: self.terms.state_dir.clone(),
            store: self.store.clone(),
            start: self.terms.start,
            credential_ends: end.map(|end| end.day),
        });
        match connected {
            Ok(connected) => {
                let bars = self.terms.console.bars();
                let bars = bars.filter(|_| self.terms.shows_progress);
                let meter = recorder.meter.clone();
                self.terms.registry.run_started(&name, meter.clone());
                let progress = bars.map(|bars| ProgressLine::start(bars, name.as_str(), meter));
                let span = tracing::error_span!("pull", source = name.as_str());
                let source = self.job(place, settings, connected, course);
                let own = recorder.clone();
                let pulling = async move {
                    let began = Instant::now();
                    let mut ended = source.pull(&own).await;
                    ended.report.duration = began.elapsed();
                    drop(progress);
                    ended
                };
                // In a task of its own, so that a bug in one source leaves the others alone.
                let task = tokio::spawn(pulling.instrument(span));
                self.running.spawn(async move {
                    let ended = task.await.unwrap_or_else(|died| {
                        CollectedSource::not_started(
                            place,
                            name.as_str(),
                            kind,
                            RunError::TaskDied(died).into(),
                        )
                    });
                    (recorder, ended)
                });
            }
            Err(error) => {
                let ended = CollectedSource::not_started(place, name.as_str(), kind, error);
                self.finish_source(&recorder, ended);
            }
        }
    }

    fn job(
        &self,
        place: usize,
        settings: SourceSettings,
        connected: PreparedSource,
        course: RunMode,
    ) -> SourceJob {
        SourceJob {
            place,
            settings,
            connected,
            turns: self.start_limiter.clone(),
            lookups: self.terms.lookups.clone(),
            store: self.store.clone(),
            course,
            max_events: self.terms.max_events,
            trust_idle_cursor: self.terms.trust_idle_cursor,
            start: self.terms.start,
            stop: self.terms.stop.clone(),
        }
    }

    /// Waits for all sources, tells what went wrong, and gives their accounts in the order started,
    /// with the exit of the worst and how long it took.
    pub async fn finish(mut self) -> (Vec<SourceReport>, Exit, Duration) {
        while let Some(joined) = self.running.join_next().await {
            // These tasks only wait for others; none of them can die.
            if let Ok((recorder, ended)) = joined {
                self.finish_source(&recorder, ended);
            }
        }
        let exits = self.finished.iter().filter_map(|ended| ended.error.as_ref());
        let exit = exits.map(AppError::exit).fold(Exit::Done, Exit::worst);
        (self.reports(), exit, self.began.elapsed())
    }

    /// Tells how a source ended, and takes note of it where its task did not.
    fn finish_source(&mut self, recorder: &RunRecorder, mut ended: CollectedSource) {
        self.report_end(&ended);
        let noted = ended.recorded.take();
        let noted = noted.unwrap_or_else(|| recorder.record(ended.error.as_ref(), None));
        self.terms.registry.run_recorded(&recorder.name, noted);
        self.finished.push(ended);
    }

    fn report_end(&self, ended: &CollectedSource) {
        let (console, report) = (&self.terms.console, &ended.report);
        let error = ended.error.as_ref();
        let Some(repeats) = &self.terms.throttle else {
            report
                .warnings
                .iter()
                .for_each(|text| warn(console, report, text));
            for text in &report.notices {
                let text = format!("source `{}`: {text}", report.source);
                console.say(Level::Notice, &ConsoleMessage::new(text));
            }
            error.into_iter().for_each(|error| error.tell(console));
            return;
        };
        if error.is_some_and(AppError::is_interruption) {
            // Who asked for the end knows.
            return;
        }
        let news = repeats.select_new(&report.source, &report.warnings, error.map(AppError::text));
        for (text, is_new) in report.warnings.iter().zip(news.warnings) {
            match is_new {
                true => warn(console, report, text),
                false => tracing::info!(source = report.source, "as before: {text}"),
            }
        }
        match error {
            Some(error) if news.error => error.tell(console),
            Some(error) => tracing::info!("as before: {}", error.text()),
            None if news.recovered => {
                let text = format!("source `{}`: it works again", report.source);
                let message = ConsoleMessage::new(text).fact("source", report.source.as_str());
                console.say(Level::Notice, &message);
            }
            None => {}
        }
    }

    /// How many sources have ended because of how they are configured.
    pub fn count_misconfigured(&self) -> usize {
        let exits = self.finished.iter().filter_map(|ended| ended.error.as_ref());
        exits.filter(|error| error.exit() == Exit::Config).count()
    }

    fn reports(&mut self) -> Vec<SourceReport> {
        self.finished.sort_by_key(|ended| ended.index);
        self.finished
            .drain(..)
            .map(|ended| SourceReport {
                exit_code: ended
                    .error
                    .as_ref()
                    .map_or(Exit::Done, AppError::exit)
                    .code(),
                interrupted: ended.error.as_ref().is_some_and(AppError::is_interruption),
                output_closed: ended.error.as_ref().is_some_and(AppError::is_quiet),
                error: ended.error.as_ref().map(|error| error.text().to_owned()),
                ..ended.report
            })
            .collect()
    }
}

fn warn(console: &StderrConsole, report: &SourceReport, text: &str) {
    let text = format!("source `{}`: {text}", report.source);
    let message = ConsoleMessage::new(text).fact("source", report.source.as_str());
    console.say(Level::Warning, &message);
}

/// One source on its way.
struct SourceJob {
    place: usize,
    settings: SourceSettings,
    connected: PreparedSource,
    turns: StartLimiter,
    lookups: LookupCache,
    store: StateStore,
    course: RunMode,
    max_events: Option<u64>,
    trust_idle_cursor: Duration,
    start: Timestamp,
    stop: watch::Receiver<StopRequest>,
}

impl SourceJob {
    /// Looks up what must be known first, then pulls.
    async fn pull(self, recorder: &RunRecorder) -> CollectedSource {
        let (name, kind) = (self.settings.name.clone(), self.settings.target.kind());
        let origin = self.connected.origin.clone();
        let begun = async {
            let turn = self.turns.acquire().await;
            Ok::<_, AppError>((
                turn,
                self.connected
                    .into_fetcher(&self.lookups, self.course.attempt_recorder())
                    .await?,
            ))
        };
        let ready = unless_stopped(&self.stop, begun).await;
        let (_turn, (origin, fetcher)) = match ready.map_err(AppError::from).flatten() {
            Ok(ready) => ready,
            Err(error) => {
                let whose = SourceContext {
                    settings: &self.settings,
                    origin: &origin,
                    store: &self.store,
                    start: self.start,
                };
                let kept = block_in_place(|| self.course.persist_failed_start(whose));
                let error = kept.err().map_or(error, AppError::from);
                let error = error.for_settings(&self.settings);
                return CollectedSource::not_started(self.place, name.as_str(), kind.as_str(), error);
            }
        };
        let settings = self.settings.clone();
        let site = settings.target.site();
        let site = site.filter(|_| self.settings.target.is_through_gateway());
        let outcome = run::pull(SourceRun {
            settings: self.settings,
            origin,
            fetcher,
            store: self.store,
            mode: self.course,
            max_events: self.max_events,
            trust_idle_cursor: self.trust_idle_cursor,
            start: self.start,
            stop: self.stop,
        });
        let mut outcome = outcome.await;
        let left = outcome.released.take();
        let mut ended = CollectedSource::from_outcome(self.place, outcome, &settings);
        // Within its turn, on the thread that has just written the checkpoint: no more wait for the disk at once.
        ended.recorded = Some(block_in_place(|| {
            recorder.record(ended.error.as_ref(), left)
        }));
        let exit = ended.error.as_ref().map(AppError::exit);
        if let (Some(site), Some(Exit::Credential)) = (site, exit) {
            // It may have been made anew since its cloud id was told.
            self.lookups.update(&site, |facts| facts.cloud_id = None);
        }
        ended
    }
}

impl CollectedSource {
    /// A source of which nothing could be asked for.
    fn not_started(place: usize, name: &str, kind: &'static str, error: AppError) -> CollectedSource {
        CollectedSource {
            index: place,
            report: SourceReport::new(name, kind),
            error: Some(error.of_source(name)),
            recorded: None,
        }
    }

    fn from_outcome(place: usize, outcome: RunOutcome, settings: &SourceSettings) -> CollectedSource {
        let error = outcome.result.err().map(AppError::from);
        let error = error.map(|error| error.for_settings(settings));
        CollectedSource {
            index: place,
            report: outcome.report,
            error,
            recorded: None,
        }
    }
}
