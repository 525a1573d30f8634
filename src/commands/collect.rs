//! Owns the running of several sources at once: their connections, their limits, their ends.
//! `pull` and `demo` differ only in where sources and credentials come from.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret as _;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::settings::{SourceSettings, Target};
use crate::credentials::Credential;
use crate::error::AppError;
use crate::exit::Exit;
use crate::http::client::{Authorization, HttpClient};
use crate::http::limit::Limits;
use crate::http::message::Endpoint;
use crate::http::pool::ClientPool;
use crate::http::rate::CredentialLimit;
use crate::http::retry::Patience;
use crate::model::record::Fingerprint;
use crate::model::time::{Timestamp, Window};
use crate::normalise::Origin;
use crate::pipeline::error::RunError;
use crate::pipeline::fetch::Fetcher;
use crate::pipeline::report::SourceReport;
use crate::pipeline::run::{self, Outcome, SourceRun};
use crate::source;
use crate::state::store::Store;
use crate::telemetry::console::{Console, Level, Message};
use crate::telemetry::meter::Meter;
use crate::telemetry::progress::Progress;

/// What all sources of a run share.
pub struct Terms {
    /// Where checkpoints live.
    pub state_dir: PathBuf,
    /// The start of the run.
    pub start: Timestamp,
    /// Stop each source after so many events.
    pub max_events: Option<u64>,
    /// The largest `requests_per_minute` of the sources.
    pub rate: Option<u32>,
    /// Turns true when a signal asks for the end.
    pub stop: watch::Receiver<bool>,
    /// Where people are told what happens.
    pub console: Arc<Console>,
}

/// Sources that run at once.
pub struct Collection {
    terms: Terms,
    connections: ClientPool,
    credential_limits: HashMap<Fingerprint, Arc<CredentialLimit>>,
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
    /// A collection that runs nothing yet.
    pub fn new(terms: Terms) -> Collection {
        Collection {
            terms,
            connections: ClientPool::new(),
            credential_limits: HashMap::new(),
            running: JoinSet::new(),
            ended: Vec::new(),
            began: Instant::now(),
        }
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
                let meter = run.fetcher.meter.clone();
                let progress = bars.map(|bars| Progress::start(bars, name.as_str(), meter));
                self.running.spawn(async move {
                    let outcome = run::pull(run).await;
                    drop(progress);
                    ended(place, outcome)
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
        let origin = origin(&settings, credential)?;
        let authorization = authorization(&settings.target, credential);
        let transport = self
            .connections
            .connect(
                &settings.connection,
                settings.target.base_url(),
                Some(&authorization),
            )
            .map_err(|error| AppError::new(Exit::Config, error.to_string()).hint(error.hint()))?;
        let fetcher = Fetcher {
            source: source::of(&settings, origin.org_id.as_deref()),
            transport,
            limits: Arc::new(self.limits(&settings, credential)),
            patience: Patience {
                retry_for: settings.connection.retry_for,
                max_wait: settings.connection.max_wait,
            },
            meter: Arc::new(Meter::default()),
            page_size: settings.page_size,
        };
        Ok(SourceRun {
            settings,
            origin,
            fetcher,
            store: Store::new(&self.terms.state_dir),
            one_off,
            max_events: self.terms.max_events,
            start: self.terms.start,
            stop: self.terms.stop.clone(),
        })
    }

    /// Sources that use one key share its overall limit.
    fn limits(&mut self, settings: &SourceSettings, credential: &Credential) -> Limits {
        let rate = settings.connection.requests_per_minute;
        let key = Fingerprint::of(credential.key.expose_secret().as_bytes());
        let overall = self
            .credential_limits
            .entry(key)
            .or_insert_with(|| Arc::new(CredentialLimit::new(self.terms.rate)));
        let endpoint = match settings.target {
            Target::OrgEvents { .. } => Endpoint::EventsStream,
            Target::JiraAudit { .. } => Endpoint::JiraAuditRecords,
        };
        Limits::new(endpoint, rate, overall.clone())
    }

    /// Waits for all sources, tells what went wrong, and gives their accounts in the order started,
    /// with the exit of the worst and how long it took.
    pub async fn finish(mut self) -> (Vec<SourceReport>, Exit, Duration) {
        while let Some(joined) = self.running.join_next().await {
            match joined {
                Ok(ended) => {
                    self.tell(&ended);
                    self.ended.push(ended);
                }
                Err(died) => {
                    let error = AppError::from(RunError::Died(died));
                    error.tell(&self.terms.console);
                    return (self.reports(), Exit::Unexpected, self.began.elapsed());
                }
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

fn origin(settings: &SourceSettings, credential: &Credential) -> Result<Origin, AppError> {
    let (org_id, site) = match &settings.target {
        Target::OrgEvents { .. } => (credential.org_id.clone(), None),
        Target::JiraAudit { site, .. } => (None, Some(site.clone())),
    };
    let origin = Origin {
        name: settings.name.to_string(),
        kind: settings.target.kind(),
        org_id,
        site,
    };
    match (&settings.target, &origin.org_id) {
        (Target::OrgEvents { .. }, None) => Err(AppError::new(
            Exit::Config,
            format!(
                "no organization id, neither in the configuration nor in the {}",
                credential.origin
            ),
        )
        .hint("set `org_id`; it stands in the address of admin.atlassian.com, behind /o/")),
        _ => Ok(origin),
    }
}

/// Organization keys go as Bearer; a token of a site goes as Basic with its account, else as Bearer.
fn authorization(target: &Target, credential: &Credential) -> Authorization {
    match (target, &credential.email) {
        (Target::JiraAudit { .. }, Some(email)) => Authorization::Basic {
            user: email.clone(),
            password: credential.key.clone(),
        },
        _ => Authorization::Bearer(credential.key.clone()),
    }
}
