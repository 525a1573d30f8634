//! The handle with which a test adds events, scripts faults, turns switches and counts requests.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use super::{
    Api, Behaviour, Fault, LoggedRequest,
    data::{OrgEvent, RecordComposer},
    records::{RecordLog, SandboxRecord},
    server_state::{ServerState, SharedServerState},
};

/// Added events share a processing millisecond in groups of this size.
const ADDED_PER_MILLISECOND: usize = 50;

/// A handle to a running [`super::Sandbox`]; clones are the same handle.
#[derive(Clone, Debug)]
pub struct SandboxControl {
    shared: Arc<SharedServerState>,
}

impl SandboxControl {
    pub(super) fn new(shared: Arc<SharedServerState>) -> Self {
        Self { shared }
    }

    /// Composes `n` more organization events, processed now and after all others.
    pub fn add_org_events(&self, n: usize) {
        let state = &mut *self.shared.state();
        let now = state.now_ms();
        let start = start_after(state.org.last_processed_ms(), now, n);
        for (position, at) in spread_times(start, n) {
            // One in a dozen was late, like in the history.
            let event = state.org_composer.compose(at, position % 12 == 11);
            state.org.add(event);
        }
    }

    /// Adds an event whose JSON text is served as it is, byte for byte.
    ///
    /// `time` is read from the text for the filters that need it; `processed_at` decides its place,
    /// and is not written into it.
    pub fn add_org_event_json(&self, json: String, processed_at: DateTime<Utc>) {
        let event = OrgEvent::verbatim(json, processed_at.timestamp_millis());
        self.shared.state().org.add(event);
    }

    /// Composes `n` more Jira records, created now and after all others.
    pub fn add_jira_records(&self, n: usize) {
        let state = &mut *self.shared.state();
        let now = state.now_ms();
        add(&mut state.jira, &mut state.jira_composer, now, n);
    }

    /// Composes `n` more Confluence records, created now and after all others.
    pub fn add_confluence_records(&self, n: usize) {
        let state = &mut *self.shared.state();
        let now = state.now_ms();
        add(&mut state.confluence, &mut state.confluence_composer, now, n);
    }

    /// Composes `n` more Data Center events, of now and after all others.
    pub fn add_datacenter_events(&self, n: usize) {
        let state = &mut *self.shared.state();
        let now = state.now_ms();
        add(&mut state.datacenter, &mut state.datacenter_composer, now, n);
    }

    /// Adds a record whose JSON text is served as it is. `created` decides its place, and is not
    /// written into it.
    pub fn add_jira_record_json(&self, json: String, created: DateTime<Utc>) {
        let record = SandboxRecord::verbatim(json, created.timestamp_millis());
        self.shared.state().jira.add(record);
    }

    /// Adds a Confluence record in the same way.
    pub fn add_confluence_record_json(&self, json: String, created: DateTime<Utc>) {
        let record = SandboxRecord::verbatim(json, created.timestamp_millis());
        self.shared.state().confluence.add(record);
    }

    /// Adds a Data Center event in the same way.
    pub fn add_datacenter_event_json(&self, json: String, at: DateTime<Utc>) {
        let record = SandboxRecord::verbatim(json, at.timestamp_millis());
        self.shared.state().datacenter.add(record);
    }

    /// The ids of all organization events, by processing time and then by order of arrival.
    pub fn org_ids(&self) -> Vec<String> {
        self.shared.state().org.ids()
    }

    /// The ids of all Jira records, newest first, as served.
    pub fn jira_ids(&self) -> Vec<String> {
        self.shared.state().jira.ids()
    }

    /// The JSON text of all organization events, in the order of [`org_ids`](Self::org_ids).
    pub fn org_texts(&self) -> Vec<String> {
        self.shared.state().org.texts()
    }

    /// The JSON text of all Jira records, in the order of [`jira_ids`](Self::jira_ids).
    pub fn jira_texts(&self) -> Vec<String> {
        self.shared.state().jira.texts()
    }

    /// The JSON text of all Confluence records, newest first, as served.
    pub fn confluence_texts(&self) -> Vec<String> {
        self.shared.state().confluence.texts()
    }

    /// The JSON text of all Data Center events, newest first, as served.
    pub fn datacenter_texts(&self) -> Vec<String> {
        self.shared.state().datacenter.texts()
    }

    /// The requests so far, in order of arrival, those to unlisted paths included.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.shared.state().request_log.requests()
    }

    /// How many requests `api` got, whatever the answer.
    pub fn request_count(&self, api: Api) -> usize {
        self.shared.state().request_log.count(api)
    }

    /// The largest number of requests to `api` in any rolling window of this length.
    pub fn max_in_window(&self, api: Api, window: Duration) -> usize {
        self.shared.state().request_log.max_in_window(api, window)
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.shared.state().request_log.clear();
    }

    /// The next request to `api` that no earlier script hits gets this fault.
    pub fn inject(&self, api: Api, fault: Fault) {
        self.inject_times(api, fault, 1);
    }

    /// The next `n` such requests get it.
    pub fn inject_times(&self, api: Api, fault: Fault, n: usize) {
        self.shared.state().scripts.of(api).push(fault, Some(n));
    }

    /// All such requests get it, until [`clear_faults`](Self::clear_faults).
    pub fn inject_always(&self, api: Api, fault: Fault) {
        self.shared.state().scripts.of(api).push(fault, None);
    }

    /// Takes back the scripts that are still waiting.
    pub fn clear_faults(&self, api: Api) {
        self.shared.state().scripts.of(api).clear();
    }

    /// Every cursor given out so far is answered with 400 `ADMIN-400-1`.
    pub fn expire_cursors(&self) {
        self.shared.state().cursor_generation += 1;
    }

    /// Turns switches.
    pub fn set_behaviour(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.state().behaviour);
    }

    /// The switches as they are.
    pub fn behaviour(&self) -> Behaviour {
        self.shared.state().behaviour.clone()
    }

    /// The sandbox's clock: `DataOptions::now` and the time since the start.
    pub fn now(&self) -> DateTime<Utc> {
        let now = ServerState::now_ms(&self.shared.state());
        DateTime::from_timestamp_millis(now).unwrap_or_default()
    }

    /// Stops the server, as dropping the [`super::Sandbox`] does.
    pub fn stop(&self) {
        self.shared.stop();
    }
}

/// Composes `n` more records of a log.
fn add(log: &mut RecordLog, composer: &mut impl RecordComposer, now: i64, n: usize) {
    let start = start_after(log.last_created_ms(), now, n);
    for (_, at) in spread_times(start, n) {
        log.add(composer.compose(at));
    }
}

/// The first millisecond of `n` additions: after the last event, and ending no later than now where
/// that is possible.
fn start_after(last: Option<i64>, now: i64, n: usize) -> i64 {
    let needed = i64::try_from(n.saturating_sub(1) / ADDED_PER_MILLISECOND).unwrap_or(i64::MAX);
    last.map_or(i64::MIN, |last| last + 1).max(now - needed)
}

fn spread_times(start: i64, n: usize) -> impl Iterator<Item = (usize, i64)> {
    (0..n).map(move |position| {
        let offset = i64::try_from(position / ADDED_PER_MILLISECOND).unwrap_or_default();
        (position, start + offset)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additions_come_after_the_last_and_not_in_the_future() {
        assert_eq!(start_after(None, 1000, 1), 1000);
        assert_eq!(start_after(Some(100), 1000, 101), 998);
        assert_eq!(start_after(Some(1000), 1000, 1), 1001);
        let times: Vec<i64> = spread_times(998, 101).map(|(_, at)| at).collect();
        assert_eq!((times[0], times[49], times[50], times[100]), (998, 998, 999, 1000));
    }
}
