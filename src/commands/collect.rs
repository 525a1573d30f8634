//! Owns the running of several sources at once: their beginnings and their ends.
//! `pull` and `demo` differ only in where sources and credentials come from.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::commands::connect::Connector;
use crate::config::settings::SourceSettings;
use crate::credentials::Credential;
use crate::error::AppError;
use crate::exit::Exit;
use crate::http::client::HttpClient;
use crate::http::sharing::Sharing;
use crate::model::time::{Timestamp, Window};
use crate::pipeline::error::RunError;
use crate::pipeline::report::SourceReport;
use crate::pipeline::run::{self, Outcome, SourceRun};
use crate::pipeline::stop::Stop;
use crate::state::store::Store;
use crate::telemetry::console::{Console, Level, Message};
use crate::telemetry::progress::Progress;

/// What all sources of a run share.
pub struct Terms {
    /// Where checkpoints live.
    pub state_dir: PathBuf,
    /// The start of the run.
    pub start: Timestamp,
    /// Stop each source after so many events.
    pub max_events: Option<u64>,
    /// What signals have asked for.
    pub stop: watch::Receiver<Stop>,
    /// Where people are told what happens.
    pub console: Arc<Console>,
}

/// Sources that run at once.
pub struct Collection {
    terms: Terms,
    connector: Connector,
    store: Store,
    running: JoinSet<Ended>,
    ended: Vec<Ended>,
    began: Instant,
}

/// How one source ended.
struct Ended {
    /// Its place among the sources asked for.
    place: usize,
    report: SourceReport,
    error: Option<AppError>,
}

impl Collection {
    /// A collection that runs nothing yet, within the limits that `sharing` shares.
    pub fn new(terms: Terms, sharing: Sharing) -> Collection {
        Collection {
            store: Store::new(&terms.state_dir),
            connector: Connector::new(sharing),
            terms,
            running: JoinSet::new(),
            ended: Vec::new(),
            began: Instant::now(),
        }
    }

    /// Takes note of a source that will be started: the sources of one key share the largest of
    /// their rates.
    pub fn allow(&mut self, settings: &SourceSettings, credential: &Credential) {
        self.connector.allow(settings, credential);
    }

    /// Starts to pull `settings` with `credential`; `one_off` neither reads nor moves a checkpoint.
    /// A source that cannot be started has ended with an error; the others go on.
    pub fn start(
        &mut self,
        settings: SourceSettings,
        credential: Result<Credential, AppError>,
        one_off: Option<Window>,
    ) {
        let place = self.running.len() + self.ended.len();
        let name = settings.name.clone();
        let kind = settings.target.kind().as_str();
        match credential.and_then(|credential| self.connect(settings, &credential, one_off)) {
            Ok(run) => {
                let bars = self.terms.console.bars();
                let meter = run.fetcher.reader.meter.clone();
                let progress = bars.map(|bars| Progress::start(bars, name.as_str(), meter));
                let span = tracing::error_span!("pull", source = name.as_str());
                let pulling = async move {
                    let outcome = run::pull(run).await;
                    drop(progress);
                    ended(place, outcome)
                };
                // In a task of its own, so that a bug in one source leaves the others alone.
                let task = tokio::spawn(pulling.instrument(span));
                self.running.spawn(async move {
                    task.await.unwrap_or_else(|died| Ended {
                        place,
                        report: SourceReport::new(name.as_str(), kind),
                        error: Some(AppError::from(RunError::Died(died)).of_source(name.as_str())),
                    })
                });
            }
            Err(error) => {
                let ended = Ended {
                    place,
                    report: SourceReport::new(name.as_str(), kind),
                    error: Some(error.of_source(name.as_str())),
                };
                self.tell(&ended);
                self.ended.push(ended);
            }
        }
    }

    fn connect(
        &mut self,
        settings: SourceSettings,
        credential: &Credential,
        one_off: Option<Window>,
    ) -> Result<SourceRun<HttpClient>, AppError> {
        let (origin, fetcher) = self.connector.connect(&settings, credential)?;
        Ok(SourceRun {
            settings,
            origin,
            fetcher,
            store: self.store.clone(),
            one_off,
            max_events: self.terms.max_events,
            start: self.terms.start,
            stop: self.terms.stop.clone(),
        })
    }

    /// Waits for all sources, tells what went wrong, and gives their accounts in the order started,
    /// with the exit of the worst and how long it took.
    pub async fn finish(mut self) -> (Vec<SourceReport>, Exit, Duration) {
        while let Some(joined) = self.running.join_next().await {
            // These tasks only wait for others; none of them can die.
            if let Ok(ended) = joined {
                self.tell(&ended);
                self.ended.push(ended);
            }
        }
        let exits = self.ended.iter().filter_map(|ended| ended.error.as_ref());
        let exit = exits.map(AppError::exit).fold(Exit::Done, Exit::worst);
        (self.reports(), exit, self.began.elapsed())
    }

    fn tell(&self, ended: &Ended) {
        for warning in &ended.report.warnings {
            let text = format!("source `{}`: {warning}", ended.report.source);
            self.terms.console.say(Level::Warning, &Message::new(text));
        }
        if let Some(error) = &ended.error {
            error.tell(&self.terms.console);
        }
    }

    fn reports(&mut self) -> Vec<SourceReport> {
        self.ended.sort_by_key(|ended| ended.place);
        self.ended
            .drain(..)
            .map(|ended| SourceReport {
                exit_code: ended
                    .error
                    .as_ref()
                    .map_or(Exit::Done, AppError::exit)
                    .code(),
                reader_left: ended.error.as_ref().is_some_and(AppError::is_quiet),
                error: ended.error.as_ref().map(|error| error.text().to_owned()),
                ..ended.report
            })
            .collect()
    }
}

fn ended(place: usize, outcome: Outcome) -> Ended {
    let name = outcome.report.source.clone();
    Ended {
        place,
        report: outcome.report,
        error: outcome
            .result
            .err()
            .map(|error| AppError::from(error).of_source(&name)),
    }
}
