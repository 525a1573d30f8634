//! Runs `follow`: pulls, waits and pulls again, until it is stopped.

mod housekeeping;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;

use crate::collect::collector::{CollectOptions, SourceCollector};
use crate::collect::connector::{SourceConnector, key_fingerprint};
use crate::collect::failure_notices::FailureNotices;
use crate::collect::run_registry::RunRegistry;
use crate::collect::source_end::MessageThrottle;
use crate::collect::summary;
use crate::commands::follow::housekeeping::FollowHousekeeping;
use crate::commands::pull::{load_detection, print_heads};
use crate::config::env::ProcessEnv;
use crate::config::request::{FollowRequest, PullRequest};
use crate::config::settings::{ObjectStoreSettings, SourceSettings};
use crate::credentials::Credential;
use crate::detect::DetectionSetup;
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::name::SourceName;
use crate::model::record::Fingerprint;
use crate::model::text::counted;
use crate::pipeline::report::SourceReport;
use crate::pipeline::stop::StopRequest;
use crate::state::remote::RemoteStates;
use crate::state::store::{StateStore, remote_states};
use crate::telemetry::console::{Level, StderrConsole};

pub use housekeeping::ConfigReloader;

/// The random part of the wait: processes that were started together do not stay together.
const JITTER: f64 = 0.1;

/// For how long a cursor that brings nothing is trusted alone: otherwise a pull every minute would
/// spend every second request on the same events.
const TRUST_IDLE_CURSOR: Duration = Duration::from_secs(600);

/// Pulls continuously. To be stopped by a signal is a success, whatever the pulls brought.
///
/// # Errors
/// The metrics file cannot be written. The errors of a pull are reported, and it is tried again.
pub async fn run(
    request: FollowRequest,
    reread: ConfigReloader<'_>,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<Exit, AppError> {
    let sources = counted(request.pull.sources.len() as u64, "source");
    let every = humantime::format_duration(request.every);
    let view_state = match request.pull.is_view {
        true => Some(tempfile::tempdir().map_err(|error| {
            AppError::new(Exit::Output, "cannot create a temporary folder for what is shown")
                .because(&error)
                .hint("TMPDIR names the folder that it is created in")
        })?),
        false => None,
    };
    print_heads(&request.pull)?;
    let detection = load_detection(&request.pull, console)?;
    // A person at a terminal has not read what other processes printed.
    let failures = match env.stderr_is_terminal || view_state.is_some() {
        true => FailureNotices::of_process(),
        false => FailureNotices::shared(&request.pull.state_dir),
    };
    let mut housekeeping = FollowHousekeeping::new(request, reread, env, console)?;
    let mut series = PullSeries {
        env,
        console,
        registry: housekeeping.registry.clone(),
        view_state: view_state.as_ref().map(TempDir::path),
        throttle: Arc::default(),
        failures: Arc::new(failures),
        connector: SourceConnector::of_process(env),
        connected: HashMap::new(),
        detection,
        detection_fault: None,
        remote: None,
    };
    console.notice(format!("following {sources}, every {every}; Ctrl-C or SIGTERM stops it"));
    let exit = pull_until_stopped(&mut series, &mut housekeeping).await;
    series.release(&housekeeping.request.pull.sources);
    if let Some(metrics) = &housekeeping.metrics {
        metrics.close()?;
    }
    if exit == Exit::Done {
        console.notice(match view_state {
            Some(_) => "stopped; no checkpoint was moved",
            None => "stopped; the next run resumes here",
        });
    }
    Ok(exit)
}

/// Pulls until it is stopped, or until no further pull could bring anything.
async fn pull_until_stopped(
    series: &mut PullSeries<'_>,
    housekeeping: &mut FollowHousekeeping<'_>,
) -> Exit {
    let mut is_first = true;
    loop {
        let Some(reports) = pull_once(series, housekeeping, is_first).await else {
            return Exit::Done;
        };
        if let Some(exit) = fatal_exit(&reports, is_first) {
            return exit;
        }
        is_first = false;
        let every = housekeeping.request.every;
        housekeeping.service.status(&status(&reports, every));
        if housekeeping.wait(every.mul_f64(1.0 + JITTER * fastrand::f64())).await {
            return Exit::Done;
        }
    }
}

/// Pulls all sources once; `None` if a signal ended it.
async fn pull_once(
    series: &mut PullSeries<'_>,
    housekeeping: &mut FollowHousekeeping<'_>,
    is_first: bool,
) -> Option<Vec<SourceReport>> {
    housekeeping.has_reloaded = false;
    let mut pull = housekeeping.request.pull.clone();
    pull.now = chrono::Utc::now();
    if let Some(state) = series.view_state {
        // Pulls of a view continue each other, and nobody else.
        pull.state_dir = state.to_owned();
        pull.remote_state = None;
        pull.is_view = false;
    }
    housekeeping.registry.set_sources(&pull.sources, &pull.state_dir);
    let count = pull.sources.len();
    let (console, stop) = (series.console, housekeeping.stop.clone());
    // The longest pause there is between two pulls.
    let every = housekeeping.request.every.mul_f64(1.0 + JITTER);
    let collector = housekeeping.run_alongside(series.start(pull, stop, every)).await;
    // By now the credentials were loaded and the settings checked.
    if !is_first {
        housekeeping.service.status(&format!("pulls {count} sources"));
    } else if collector.count_misconfigured() < count {
        housekeeping.service.ready(&format!("pulls {count} sources"));
    }
    let (reports, _, took) = housekeeping.run_alongside(collector.finish()).await;
    if let Some(metrics) = &housekeeping.metrics {
        metrics.refresh();
    }
    // A pull that a signal ended is not reported: the next one resumes it.
    if *housekeeping.stop.borrow() > StopRequest::NotRequested {
        return None;
    }
    // Without events, only with `-v`.
    let is_news = reports.iter().any(|report| report.events > 0 || !report.deleted.is_none());
    let level = if is_news { Level::Notice } else { Level::Info };
    summary::report(level, console, &reports, took);
    Some(reports)
}

/// The exit code of a failure that no waiting can fix: the reader of the output went away, or, at
/// the start, no source can be used with its configuration. What a person may fix meanwhile (a key,
/// a disk) is retried.
fn fatal_exit(reports: &[SourceReport], is_first: bool) -> Option<Exit> {
    let is_misconfigured = |report: &SourceReport| {
        report.exit_code == Exit::Config.code() || report.exit_code == Exit::Usage.code()
    };
    if reports.iter().any(|report| report.output_closed) {
        return Some(Exit::Output);
    }
    (is_first && reports.iter().all(is_misconfigured)).then_some(Exit::Config)
}

/// `4 sources, 12 events; acme fails (code 4); next pull in 60s`
fn status(reports: &[SourceReport], every: Duration) -> String {
    let events = reports.iter().map(|report| report.events).sum();
    let failed: Vec<_> = reports.iter().filter(|report| report.error.is_some()).collect();
    let failed = match failed.as_slice() {
        [] => String::new(),
        [one] => format!("; {} fails (code {})", one.source, one.exit_code),
        [one, others @ ..] => format!("; {} and {} more fail", one.source, others.len()),
    };
    format!(
        "{}, {}{failed}; next pull in {}",
        counted(reports.len() as u64, "source"),
        counted(events, "event"),
        humantime::format_duration(every),
    )
}

/// What stays from one pull to the next.
struct PullSeries<'a> {
    /// The folder of the checkpoints of a view.
    view_state: Option<&'a Path>,
    env: &'a ProcessEnv,
    console: &'a Arc<StderrConsole>,
    registry: Arc<RunRegistry>,
    throttle: Arc<MessageThrottle>,
    failures: Arc<FailureNotices>,
    /// Its connections live as long as settings and keys stay the same; its limits survive changes.
    connector: SourceConnector,
    connected: HashMap<SourceName, (SourceSettings, Option<Fingerprint>)>,
    /// What events are judged with, as it was last loaded.
    detection: Option<Arc<DetectionSetup>>,
    /// Why it could not be loaded again.
    detection_fault: Option<String>,
    /// Where the checkpoints are, if not in the state folder: its connections stay too.
    remote: Option<(ObjectStoreSettings, Arc<dyn RemoteStates>)>,
}

impl PullSeries<'_> {
    /// Loads all credentials, which may have changed, and starts a pull.
    async fn start(
        &mut self,
        request: PullRequest,
        stop: watch::Receiver<StopRequest>,
        every: Duration,
    ) -> SourceCollector<'_> {
        let names = request.sources.iter().map(|source| source.name.as_str());
        self.throttle.retain_sources(names.clone());
        self.failures.retain_sources(names);
        self.reload_detection(&request);
        let options = CollectOptions {
            store: self.store(&request, every),
            trust_idle_cursor: TRUST_IDLE_CURSOR,
            registry: self.registry.clone(),
            throttle: Some(self.throttle.clone()),
            failures: Some(self.failures.clone()),
            detection: self.detection.clone(),
            ..CollectOptions::of_pull(&request, stop, self.console)
        };
        let credentials = options.load_credentials(&request.sources, self.env).await;
        self.reset_connector_if_changed(&request.sources, &credentials);
        SourceCollector::start_pull(options, &mut self.connector, &request, credentials)
    }

    fn store(&mut self, request: &PullRequest, every: Duration) -> StateStore {
        let settings = request.remote_state.as_ref();
        if self.remote.as_ref().map(|(known, _)| known) != settings {
            let states = settings.and_then(|settings| remote_states(settings, Some(every)));
            self.remote = settings.cloned().zip(states);
        }
        let states = self.remote.as_ref().map(|(_, states)| states.clone());
        StateStore::new(&request.state_dir).with_remote(states)
    }

    /// Lets others take the sources at once, where a store says who holds them.
    fn release(&self, sources: &[SourceSettings]) {
        let Some((_, states)) = &self.remote else {
            return;
        };
        for source in sources {
            if let Err(error) = states.release(&source.name) {
                tracing::info!("others wait for the end of its lease: {error}");
            }
        }
    }

    /// Loads rules and lists again, which others keep up to date. What cannot be used, such as a
    /// list that is half written, is reported, and the last one stays.
    fn reload_detection(&mut self, request: &PullRequest) {
        let settings = request.detect.clone();
        match settings.map(|settings| DetectionSetup::load(settings, request.now)).transpose() {
            Ok(setup) => (self.detection, self.detection_fault) = (setup.map(Arc::new), None),
            Err(error) => {
                let fault = Some(error.to_string());
                if fault != self.detection_fault {
                    AppError::from(error).report_to(self.console);
                    self.console.warn("events are judged as before");
                }
                self.detection_fault = fault;
            }
        }
    }

    /// Drops the connections if a source or its key has changed: otherwise they would pile up.
    fn reset_connector_if_changed(
        &mut self,
        sources: &[SourceSettings],
        credentials: &[Result<Credential, AppError>],
    ) {
        let keys = credentials.iter().map(|loaded| loaded.as_ref().ok().map(key_fingerprint));
        let sources = sources.iter().zip(keys);
        let now = sources.map(|(source, key)| (source.name.clone(), (source.clone(), key)));
        let now: HashMap<_, _> = now.collect();
        if now != self.connected {
            self.connector.reset();
            self.connected = now;
        }
    }
}
