//! The handle with which a test adds events, scripts faults, turns switches and counts requests.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use super::{
    Api, Behaviour, Fault,
    record_log::SandboxRecord,
    server_state::{EventQuery, LoggedRequest, SharedServerState, max_in_window},
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

    /// Composes `n` more records of `api`, created now and after all others; events of the
    /// organization and of workspaces are processed then, and one in a dozen happened long before,
    /// like in the history.
    pub fn add(&self, api: Api, n: usize) {
        let state = &mut *self.shared.state();
        let start = start_after(state.log(api).last_created_ms(), state.now_ms(), n);
        for (number, at) in spread_times(start, n) {
            state.compose(api, at, number % 12 == 11);
        }
    }

    /// Adds a record whose JSON text is served as it is, byte for byte.
    ///
    /// `created`, for an event of the organization or of a workspace the time of its processing,
    /// decides its place, and is not written into it. `time` is read from the text for the filters
    /// that need it.
    pub fn add_json(&self, api: Api, json: String, created: DateTime<Utc>) {
        let record = SandboxRecord::verbatim(json, created.timestamp_millis());
        self.shared.state().of(api).log.add(record);
    }

    /// The ids of all records of `api`, as served: organization events in the order of their
    /// processing, all others newest first. Those of Confluence's and Data Center's audit records
    /// are empty.
    pub fn ids(&self, api: Api) -> Vec<String> {
        self.all(api, |record| record.id.clone())
    }

    /// The JSON texts of all records of `api`, in the same order.
    pub fn texts(&self, api: Api) -> Vec<String> {
        self.all(api, |record| record.text.clone())
    }

    fn all(&self, api: Api, part: fn(&SandboxRecord) -> String) -> Vec<String> {
        let state = self.shared.state();
        let parts = state.log(api).records().map(part);
        match api {
            Api::OrgEvents => parts.collect(),
            _ => parts.rev().collect(),
        }
    }

    /// The requests so far, in order of arrival, those to unlisted paths included.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.shared.state().requests.iter().cloned().collect()
    }

    /// The event queries so far, in order of creation.
    pub fn event_queries(&self) -> Vec<EventQuery> {
        self.shared.state().event_queries.clone()
    }

    /// How many requests `api` got, whatever the answer.
    pub fn request_count(&self, api: Api) -> usize {
        self.shared.state().arrivals(api).len()
    }

    /// The largest number of requests to `api` in any rolling window of this length.
    pub fn max_in_window(&self, api: Api, window: Duration) -> usize {
        max_in_window(&self.shared.state().arrivals(api), window)
    }

    /// The most requests to `api` that waited for their answers at the same time.
    pub fn most_in_flight(&self, api: Api) -> usize {
        self.shared.state().of(api).most_in_flight
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.shared.state().requests.clear();
    }

    /// The next request to `api` that no earlier script hits gets this fault.
    pub fn inject(&self, api: Api, fault: Fault) {
        self.inject_times(api, fault, 1);
    }

    /// The next `n` such requests get it.
    pub fn inject_times(&self, api: Api, fault: Fault, n: usize) {
        self.shared.state().of(api).script.push(fault, Some(n));
    }

    /// All such requests get it, until [`clear_faults`](Self::clear_faults).
    pub fn inject_always(&self, api: Api, fault: Fault) {
        self.shared.state().of(api).script.push(fault, None);
    }

    /// Takes back the scripts that are still waiting.
    pub fn clear_faults(&self, api: Api) {
        self.shared.state().of(api).script.clear();
    }

    /// Every cursor given out so far is answered with 400 `ADMIN-400-1`.
    pub fn expire_cursors(&self) {
        self.shared.state().cursor_generation += 1;
    }

    /// Turns switches.
    pub fn set_behaviour(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.state().behaviour);
    }

    /// The sandbox's clock: `DataOptions::now` and the time since the start.
    pub fn now(&self) -> DateTime<Utc> {
        let now = self.shared.state().now_ms();
        DateTime::from_timestamp_millis(now).unwrap_or_default()
    }

    /// Stops the server, as dropping the [`super::Sandbox`] does.
    pub fn stop(&self) {
        self.shared.stop();
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
