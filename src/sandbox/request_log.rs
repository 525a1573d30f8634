//! What was asked of the server, and when.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::Api;

/// Requests remembered; older ones are forgotten, so that `atlaudit sandbox` can run for months.
const MAX_LOGGED_REQUESTS: usize = 100_000;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct LoggedRequest {
    /// When its head had been read.
    pub at: Instant,
    /// The audited endpoint it was for, if any.
    pub api: Option<Api>,
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
}

/// The requests in order of arrival.
#[derive(Debug, Default)]
pub struct RequestLog {
    requests: VecDeque<LoggedRequest>,
    dropped: usize,
}

impl RequestLog {
    /// Notes a request, and gives the number by which to [`set_status`](Self::settle) it.
    pub fn push(&mut self, request: LoggedRequest) -> usize {
        if self.requests.len() == MAX_LOGGED_REQUESTS {
            self.requests.pop_front();
            self.dropped += 1;
        }
        self.requests.push_back(request);
        self.dropped + self.requests.len() - 1
    }

    /// Notes the status that request `number` got.
    pub fn set_status(&mut self, number: usize, status: u16) {
        let place = number.checked_sub(self.dropped);
        if let Some(request) = place.and_then(|place| self.requests.get_mut(place)) {
            request.status = status;
        }
    }

    /// Everything remembered.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.requests.iter().cloned().collect()
    }

    /// How many requests `api` got.
    pub fn count(&self, api: Api) -> usize {
        self.arrivals(api).len()
    }

    /// The largest number of requests to `api` in any span shorter than `span`.
    pub fn max_in_window(&self, api: Api, span: Duration) -> usize {
        let arrivals = self.arrivals(api);
        let (mut first, mut most) = (0, 0);
        for (last, at) in arrivals.iter().enumerate() {
            while at.duration_since(arrivals[first]) >= span && first < last {
                first += 1;
            }
            most = most.max(last - first + 1);
        }
        most
    }

    /// Forgets all requests.
    pub fn clear(&mut self) {
        self.dropped += self.requests.len();
        self.requests.clear();
    }

    fn arrivals(&self, api: Api) -> Vec<Instant> {
        self.requests
            .iter()
            .filter(|request| request.api == Some(api))
            .map(|request| request.at)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(at: Instant, api: Option<Api>) -> LoggedRequest {
        LoggedRequest {
            at,
            api,
            path: "/x".into(),
            query: Vec::new(),
            status: 0,
            user_agent: String::new(),
            authorization_present: false,
        }
    }

    #[test]
    fn the_busiest_window_is_found_wherever_it_starts() {
        let start = Instant::now();
        let mut ledger = RequestLog::default();
        for millis in [0, 900, 950, 990, 1000, 1890, 3000] {
            let at = start + Duration::from_millis(millis);
            ledger.push(request(at, Some(Api::OrgEvents)));
            ledger.push(request(at, None));
        }
        assert_eq!(ledger.count(Api::OrgEvents), 7);
        assert_eq!(
            ledger.max_in_window(Api::OrgEvents, Duration::from_secs(1)),
            5
        );
        assert_eq!(
            ledger.max_in_window(Api::JiraAudit, Duration::from_secs(1)),
            0
        );
    }

    #[test]
    fn a_status_finds_its_request_after_a_clear() {
        let mut ledger = RequestLog::default();
        let old = ledger.push(request(Instant::now(), None));
        ledger.clear();
        let new = ledger.push(request(Instant::now(), None));
        ledger.set_status(old, 500);
        ledger.set_status(new, 200);
        assert_eq!(ledger.requests()[0].status, 200);
    }
}
