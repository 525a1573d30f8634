//! The pulls of `follow`: what stays from one pull to the next, and how each is reported.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::collect::collector::{CollectOptions, SourceCollector};
use crate::collect::connector::{SourceConnector, key_fingerprint};
use crate::collect::message_throttle::MessageThrottle;
use crate::collect::run_registry::RunRegistry;
use crate::collect::summary;
use crate::config::env::ProcessEnv;
use crate::config::request::PullRequest;
use crate::config::settings::SourceSettings;
use crate::credentials::Credential;
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::name::SourceName;
use crate::model::number::counted;
use crate::model::record::Fingerprint;
use crate::pipeline::report::SourceReport;
use crate::pipeline::stop::StopRequest;
use crate::telemetry::console::{Level, StderrConsole};

/// For how long a cursor that brings nothing is trusted alone: otherwise a pull every minute would
/// spend every second request on the same events.
const TRUST_IDLE_CURSOR: Duration = Duration::from_secs(600);

/// All pulls of the process.
pub struct PullSeries<'a> {
    env: &'a ProcessEnv,
    console: Arc<StderrConsole>,
    registry: Arc<RunRegistry>,
    throttle: Arc<MessageThrottle>,
    /// Its connections live as long as settings and keys stay the same; its limits survive changes.
    connector: SourceConnector,
    connected: HashMap<SourceName, (SourceSettings, Option<Fingerprint>)>,
}

/// A pull that has begun.
pub struct StartedPull<'c> {
    collection: SourceCollector<'c>,
    count: usize,
}

/// A pull that is over.
pub struct FinishedPull {
    reports: Vec<SourceReport>,
    took: Duration,
}

impl<'a> PullSeries<'a> {
    /// A series without a pull yet.
    pub fn new(
        env: &'a ProcessEnv,
        console: &Arc<StderrConsole>,
        accounts: Arc<RunRegistry>,
    ) -> PullSeries<'a> {
        PullSeries {
            env,
            console: console.clone(),
            registry: accounts,
            throttle: Arc::default(),
            connector: SourceConnector::of_process(env),
            connected: HashMap::new(),
        }
    }

    /// Loads all credentials, which may have changed, and starts a pull.
    pub async fn start(
        &mut self,
        request: PullRequest,
        stop: watch::Receiver<StopRequest>,
    ) -> StartedPull<'_> {
        let names = request.sources.iter().map(|source| source.name.as_str());
        self.throttle.retain_sources(names);
        let options = CollectOptions {
            trust_idle_cursor: TRUST_IDLE_CURSOR,
            registry: self.registry.clone(),
            throttle: Some(self.throttle.clone()),
            ..CollectOptions::of_pull(&request, stop, &self.console)
        };
        let credentials = options.load_credentials(&request.sources, self.env).await;
        self.reset_connector_if_changed(&request.sources, &credentials);
        let connector = &mut self.connector;
        let collection = SourceCollector::start_pull(options, connector, &request, credentials);
        StartedPull { count: request.sources.len(), collection }
    }

    /// Drops the connections if a source or its key has changed: otherwise they would pile up.
    fn reset_connector_if_changed(
        &mut self,
        sources: &[SourceSettings],
        credentials: &[Result<Credential, AppError>],
    ) {
        let keys =
            credentials.iter().map(|credential| credential.as_ref().ok().map(key_fingerprint));
        let now: HashMap<_, _> = sources
            .iter()
            .zip(keys)
            .map(|(source, key)| (source.name.clone(), (source.clone(), key)))
            .collect();
        if now != self.connected {
            self.connector.reset();
            self.connected = now;
        }
    }

    /// Reports what a pull brought; a pull without events only with `-v`.
    pub fn report(&self, ended: &FinishedPull) {
        let is_news = ended.reports.iter().any(|report| report.events > 0);
        let level = if is_news { Level::Notice } else { Level::Info };
        summary::report_at(level, &self.console, &ended.reports, ended.took);
    }
}

impl StartedPull<'_> {
    /// Whether no source can be used with its configuration.
    pub fn is_misconfigured(&self) -> bool {
        self.collection.count_misconfigured() == self.count
    }

    /// Waits for its end.
    pub async fn finish(self) -> FinishedPull {
        let (reports, _, took) = self.collection.finish().await;
        FinishedPull { reports, took }
    }
}

impl FinishedPull {
    /// The exit code of a failure that no waiting can fix: the reader of the output went away, or,
    /// at the start, no source can be used with its configuration. What a person may fix meanwhile
    /// (a key, a disk) is retried.
    pub fn fatal_exit(&self, is_first: bool) -> Option<Exit> {
        let is_misconfigured = |report: &SourceReport| {
            report.exit_code == Exit::Config.code() || report.exit_code == Exit::Usage.code()
        };
        if self.reports.iter().any(|report| report.output_closed) {
            return Some(Exit::Output);
        }
        (is_first && self.reports.iter().all(is_misconfigured)).then_some(Exit::Config)
    }

    /// `4 sources, 12 events; acme fails (code 4); next pull in 60s`
    pub fn status(&self, every: Duration) -> String {
        let events = self.reports.iter().map(|report| report.events).sum();
        let mut text = format!(
            "{}, {}",
            counted(self.reports.len() as u64, "source"),
            counted(events, "event")
        );
        let failed: Vec<_> = self.reports.iter().filter(|report| report.error.is_some()).collect();
        match failed.as_slice() {
            [] => {}
            [one] => text.push_str(&format!("; {} fails (code {})", one.source, one.exit_code)),
            [one, others @ ..] => {
                text.push_str(&format!("; {} and {} more fail", one.source, others.len()));
            }
        }
        text.push_str(&format!("; next pull in {}", humantime::format_duration(every)));
        text
    }
}
