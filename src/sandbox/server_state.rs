//! Everything the server knows: what is kept, how it behaves, what was scripted and what was asked.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{
    Api, Behaviour, SandboxOptions, data, fault::FaultQueue, org::OrgLog, records::RecordLog,
    reply::BodyChunks, request_log::RequestLog, throttle::ThrottleState,
};

/// One value for each [`Api`].
#[derive(Debug, Default)]
pub struct PerApi<T> {
    org_events: T,
    jira_audit: T,
    confluence_audit: T,
    datacenter_audit: T,
}

impl<T> PerApi<T> {
    /// The value of `api`.
    pub fn of(&mut self, api: Api) -> &mut T {
        match api {
            Api::OrgEvents => &mut self.org_events,
            Api::JiraAudit => &mut self.jira_audit,
            Api::ConfluenceAudit => &mut self.confluence_audit,
            Api::DatacenterAudit => &mut self.datacenter_audit,
        }
    }
}

/// The server's state, behind one lock that is never held across an await.
#[derive(Debug)]
pub struct ServerState {
    /// The organization's events.
    pub org: OrgLog,
    /// Jira's audit records.
    pub jira: RecordLog,
    /// Confluence's audit records.
    pub confluence: RecordLog,
    /// Data Center's audit events.
    pub datacenter: RecordLog,
    /// Composes more events.
    pub org_composer: data::OrgComposer,
    /// Composes more records of Jira.
    pub jira_composer: data::JiraComposer,
    /// Composes more records of Confluence.
    pub confluence_composer: data::ConfluenceComposer,
    /// Composes more events of Data Center.
    pub datacenter_composer: data::DatacenterComposer,
    /// The switches.
    pub behaviour: Behaviour,
    /// Scripted faults.
    pub scripts: PerApi<FaultQueue>,
    /// Rate limits.
    pub throttles: PerApi<ThrottleState>,
    /// The last 200 body of each API, for a fault that repeats it.
    pub last_pages: PerApi<Option<BodyChunks>>,
    /// What was asked.
    pub request_log: RequestLog,
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
        let (org, org_composer) = data::org_history(&options.data);
        let (jira, jira_composer) = data::jira_history(&options.data);
        let (confluence, confluence_composer) = data::confluence_history(&options.data);
        let (datacenter, datacenter_composer) = data::datacenter_history(&options.data);
        Self {
            org,
            jira,
            confluence,
            datacenter,
            org_composer,
            jira_composer,
            confluence_composer,
            datacenter_composer,
            behaviour: options.behaviour.clone(),
            scripts: PerApi::default(),
            throttles: PerApi::default(),
            last_pages: PerApi::default(),
            request_log: RequestLog::default(),
            cursor_generation: 0,
            base_url,
            started: Instant::now(),
            started_ms: options.data.now.timestamp_millis(),
        }
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

    /// Tells the server to stop.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Returns when the server must stop.
    pub async fn stopped(&self) {
        // The sender lives in self, so that waiting cannot fail.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }
}
