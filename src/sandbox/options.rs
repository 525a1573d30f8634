//! How a sandbox is started: where it listens, what data it composes, how it behaves at first.

use chrono::{DateTime, Utc};

use super::Behaviour;

/// Everything [`super::Sandbox::start`] needs.
#[derive(Clone, Debug, Default)]
pub struct SandboxOptions {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The history that exists when the server starts.
    pub data: DataOptions,
    /// The switches, which [`super::SandboxControl::set_behaviour`] may change later.
    pub behaviour: Behaviour,
}

/// The seeded history. The same values always give the same bytes.
#[derive(Clone, Debug)]
pub struct DataOptions {
    /// Seed of the generator.
    pub seed: u64,
    /// Organization events in the history, the incident included.
    pub org_events: usize,
    /// Jira audit records in the history.
    pub jira_records: usize,
    /// Confluence audit records in the history.
    pub confluence_records: usize,
    /// Data Center audit events in the history.
    pub datacenter_events: usize,
    /// The end of the history, and the sandbox's clock when it starts.
    pub now: DateTime<Utc>,
    /// Length of the history in days; at least 1.
    pub days: u32,
    /// Only regular shapes: no odd actors, no missing fields, no late events, no shared
    /// milliseconds.
    pub clean: bool,
}

impl Default for DataOptions {
    fn default() -> Self {
        Self {
            seed: 7,
            org_events: 2400,
            jira_records: 600,
            confluence_records: 300,
            datacenter_events: 300,
            now: Utc::now(),
            days: 30,
            clean: false,
        }
    }
}
