//! Everything the server knows: its records, how it behaves, what was scripted and what was
//! requested.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::watch;

use super::{
    Api, Behaviour, SandboxOptions,
    admin::{OrgDirectory, compose_directory},
    behaviour::count_down,
    data::{self, RecordComposer},
    fault::FaultQueue,
    record_log::RecordLog,
    throttle::ThrottleState,
};

/// Requests remembered; older ones are forgotten, so that `atlaudit sandbox` can run for months.
const REMEMBERED: usize = 100_000;
/// Event queries remembered, for the same reason.
const REMEMBERED_QUERIES: usize = 1000;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct LoggedRequest {
    /// When its head had been read.
    pub at: Instant,
    /// The audited endpoint it was for, if any.
    pub api: Option<Api>,
    /// The method.
    pub method: String,
    /// The path, as sent.
    pub path: String,
    /// The query, percent-decoded.
    pub query: Vec<(String, String)>,
    /// The status answered; 0 when no answer was sent.
    pub status: u16,
    /// The `user-agent` header, or an empty string.
    pub user_agent: String,
    /// Whether an `authorization` header came with it.
    pub authorization_present: bool,
    /// The body as text, at most 4 KiB of it; empty for a GET.
    pub body: String,
}

/// An event query of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventQuery {
    /// Its id.
    pub id: String,
    /// The number of its creation, from 1.
    pub number: u64,
    /// The workspace.
    pub api: Api,
    /// Lower bound, epoch milliseconds, inclusive.
    pub from_ms: Option<i64>,
    /// Upper bound, epoch milliseconds, inclusive.
    pub to_ms: Option<i64>,
    /// `IN_PROGRESS`, `COMPLETED`, `FAILED` or `CANCELLED`.
    pub status: &'static str,
    /// How many more polls say `IN_PROGRESS`.
    pub polls_left: usize,
    /// When it was created, epoch milliseconds.
    pub created_ms: i64,
    /// It shows only so many events, in the order of their arrival.
    pub arrived: u64,
}

/// What the server knows of one API.
#[derive(Debug)]
pub struct ApiState {
    /// Its records.
    pub log: RecordLog,
    /// Composes more of them.
    pub composer: RecordComposer,
    /// Scripted faults.
    pub script: FaultQueue,
    /// The state of its rate limit.
    pub throttle: ThrottleState,
    /// The last 200 body, for a fault that repeats it.
    pub last_page: Bytes,
    /// Requests that wait for their answer.
    pub requests_in_flight: usize,
    /// The most there were.
    pub most_in_flight: usize,
}

/// The server's state, under one lock that is never held across an await.
#[derive(Debug)]
pub struct ServerState {
    apis: [ApiState; 6],
    /// The switches.
    pub behaviour: Behaviour,
    /// What was requested, in order of arrival.
    pub requests: VecDeque<LoggedRequest>,
    /// The event queries of workspaces, in order of creation.
    pub event_queries: Vec<EventQuery>,
    /// The organization that the admin APIs show.
    pub directory: OrgDirectory,
    /// What it was before the last write, and how many more reads show that.
    pub stale_directory: Option<(OrgDirectory, usize)>,
    /// The state of the admin APIs' rate limit.
    pub admin_throttle: ThrottleState,
    /// Cursors of an earlier generation are expired.
    pub cursor_generation: u32,
    /// `http://127.0.0.1:PORT`
    pub base_url: String,
    started: Instant,
    started_ms: i64,
}

impl ServerState {
    /// A state with its seeded history.
    pub fn new(options: &SandboxOptions, base_url: String) -> Self {
        let apis = Api::ALL.map(|api| {
            let (records, composer) = data::compose_history(api, &options.data);
            ApiState {
                log: RecordLog::of(records),
                composer,
                script: FaultQueue::default(),
                throttle: ThrottleState::default(),
                last_page: Bytes::new(),
                requests_in_flight: 0,
                most_in_flight: 0,
            }
        });
        let started_ms = options.data.now.timestamp_millis();
        Self {
            apis,
            directory: compose_directory(options.behaviour.sound_organization, started_ms),
            stale_directory: None,
            admin_throttle: ThrottleState::default(),
            behaviour: options.behaviour.clone(),
            requests: VecDeque::new(),
            event_queries: Vec::new(),
            cursor_generation: 0,
            base_url,
            started: Instant::now(),
            started_ms,
        }
    }

    /// What is known of `api`.
    pub fn of(&mut self, api: Api) -> &mut ApiState {
        &mut self.apis[api as usize]
    }

    /// The records of `api`.
    pub fn log(&self, api: Api) -> &RecordLog {
        &self.apis[api as usize].log
    }

    /// The actions of the records of `api`, and what each is about.
    pub fn actions(&self, api: Api) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.apis[api as usize].composer.actions()
    }

    /// Composes one more record of `api`.
    pub fn compose(&mut self, api: Api, created_ms: i64, is_late: bool) {
        let ApiState { log, composer, .. } = self.of(api);
        log.add(composer.compose(created_ms, is_late));
    }

    /// Records what appears between two pages of Jira, Confluence or a workspace, at the newest end
    /// of the window, so that offsets shift.
    pub fn insert_after_page(&mut self, api: Api, to: Option<i64>) {
        let behaviour = &mut self.behaviour;
        let (records, pages) = match api {
            Api::JiraAudit => (behaviour.insert_on_jira_page, &mut behaviour.insert_on_jira_pages),
            Api::ConfluenceAudit => {
                (behaviour.insert_on_confluence_page, &mut behaviour.insert_on_confluence_pages)
            }
            Api::JiraWorkspace | Api::ConfluenceWorkspace => {
                (behaviour.insert_on_workspace_page, &mut behaviour.insert_on_workspace_pages)
            }
            Api::OrgEvents | Api::DatacenterAudit => return,
        };
        if records == 0 || !count_down(pages) {
            return;
        }
        let now = self.now_ms();
        for _ in 0..records {
            self.compose(api, to.map_or(now, |to| to.min(now)), false);
        }
    }

    /// Composes the organization again where [`Behaviour::sound_organization`] has changed since.
    pub fn seed_directory(&mut self) {
        let is_sound = self.behaviour.sound_organization;
        if self.directory.is_sound != is_sound {
            self.directory = compose_directory(is_sound, self.started_ms);
            self.stale_directory = None;
        }
    }

    /// Whether this read shows the organization as it was before the last write.
    pub fn count_stale_read(&mut self) -> bool {
        match &mut self.stale_directory {
            Some((_, left)) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    /// Remembers a request.
    pub fn remember(&mut self, request: LoggedRequest) {
        if self.requests.len() == REMEMBERED {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }

    /// Remembers an event query.
    pub fn remember_event_query(&mut self, query: EventQuery) {
        if self.event_queries.len() == REMEMBERED_QUERIES {
            self.event_queries.remove(0);
        }
        self.event_queries.push(query);
    }

    /// When requests to `api` arrived.
    pub fn arrivals(&self, api: Api) -> Vec<Instant> {
        let of_api = self.requests.iter().filter(|request| request.api == Some(api));
        of_api.map(|request| request.at).collect()
    }

    /// Since the server started.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// The sandbox's clock in epoch milliseconds: it starts at `DataOptions::now`.
    pub fn now_ms(&self) -> i64 {
        let elapsed = i64::try_from(self.uptime().as_millis()).unwrap_or(i64::MAX);
        self.started_ms.saturating_add(elapsed)
    }
}

/// The largest number of `arrivals` in any span shorter than `span`.
pub fn max_in_window(arrivals: &[Instant], span: Duration) -> usize {
    let (mut first, mut most) = (0, 0);
    for (last, at) in arrivals.iter().enumerate() {
        while at.duration_since(arrivals[first]) >= span && first < last {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    most
}

/// A request that waits for its answer, counted until it is dropped: answered, or given up by the
/// client.
#[derive(Debug)]
pub struct RequestInFlight {
    shared: Arc<SharedServerState>,
    api: Api,
}

impl RequestInFlight {
    /// Counts a request to `api`.
    pub fn new(shared: &Arc<SharedServerState>, api: Api) -> Self {
        let mut state = shared.state();
        let of_api = state.of(api);
        of_api.requests_in_flight += 1;
        of_api.most_in_flight = of_api.most_in_flight.max(of_api.requests_in_flight);
        Self { shared: Arc::clone(shared), api }
    }
}

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        self.shared.state().of(self.api).requests_in_flight -= 1;
    }
}

/// What the handlers, the [`super::SandboxControl`] and the [`super::Sandbox`] share.
#[derive(Debug)]
pub struct SharedServerState {
    state: Mutex<ServerState>,
    stop: watch::Sender<bool>,
}

impl SharedServerState {
    /// Shares a state.
    pub fn new(state: ServerState) -> Self {
        Self { state: Mutex::new(state), stop: watch::Sender::new(false) }
    }

    /// The state. A panic elsewhere does not take it away.
    pub fn state(&self) -> MutexGuard<'_, ServerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the server stop.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Returns when the server must stop.
    pub async fn stopped(&self) {
        // The sender lives in self, so that waiting cannot fail.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_window_is_found_wherever_it_starts() {
        let start = Instant::now();
        let millis = [0, 900, 950, 990, 1000, 1890, 3000];
        let arrivals = millis.map(|millis| start + Duration::from_millis(millis));
        assert_eq!(max_in_window(&arrivals, Duration::from_secs(1)), 5);
        assert_eq!(max_in_window(&[], Duration::from_secs(1)), 0);
    }
}
