//! Records every attempt at every request of one source, for an export: as lines that the pipeline
//! writes to [`AttemptFile`](crate::pipeline::run_output::AttemptFile).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::task::block_in_place;

use crate::evidence::page::{BodyDigest, PageLine, PageRequest, RequestedSpan};
use crate::http::attempt_observer::{AttemptObserver, RequestAttempt};
use crate::http::message::{Request, Response};
use crate::model::address::SafeUrl;
use crate::model::text::hex;
use crate::model::time::{Window, truncate_to_millis};
use crate::sink::SinkError;
use crate::sink::bodies::ResponseBodyStore;
use crate::source::{Page, PageLocator};

/// Headers that describe the response and not the client: their names, or prefixes of names.
const HEADERS: [&str; 7] = [
    "date",
    "content-type",
    "content-length",
    "etag",
    "retry-after",
    "atl-traceid",
    "atl-request-id",
];
const HEADERS_LIKE: [&str; 2] = ["x-ratelimit-", "ratelimit"];
const TRACES: [&str; 2] = ["x-request-id", "x-arequestid"];

/// Records the attempts of one source; its clones share the record.
#[derive(Debug, Clone)]
pub struct AttemptRecorder {
    taken: Arc<Mutex<PendingAttempts>>,
    bodies: Option<ResponseBodyStore>,
}

/// Attempts that are not written yet.
#[derive(Debug, Default)]
struct PendingAttempts {
    lines: Vec<PageLine>,
    failed: Option<SinkError>,
}

impl AttemptRecorder {
    /// An empty record; response bodies go into `bodies`, if they are stored.
    pub fn new(bodies: Option<ResponseBodyStore>) -> AttemptRecorder {
        AttemptRecorder { taken: Arc::default(), bodies }
    }

    /// Whether nothing was recorded since the last [`AttemptRecorder::take`].
    pub fn is_empty(&self) -> bool {
        let taken = self.taken();
        taken.lines.is_empty() && taken.failed.is_none()
    }

    /// The attempts since the last call, by the time of their response, without numbers. The bodies
    /// that the lines name are durable.
    ///
    /// # Errors
    /// A body could not be stored.
    pub fn take(&self) -> Result<Vec<PageLine>, SinkError> {
        let PendingAttempts { mut lines, failed } = std::mem::take(&mut *self.taken());
        if let Some(error) = failed {
            return Err(error);
        }
        if let Some(bodies) = self.bodies.as_ref().filter(|_| !lines.is_empty()) {
            bodies.commit()?;
        }
        // Responses that came at once were hashed in parallel.
        lines.sort_by_key(|line| line.received);
        Ok(lines)
    }

    /// Records the attempts to get a page of `window`.
    pub fn for_window<'a>(&'a self, window: &'a Window) -> WindowAttemptObserver<'a> {
        WindowAttemptObserver { recorder: self, window }
    }

    fn note(&self, line: PageLine, body: Option<&Bytes>) {
        let store = || match (&self.bodies, &line.body, body) {
            (Some(bodies), Some(named), Some(body)) => {
                // Other tasks of this thread must not wait for the disk.
                block_in_place(|| bodies.store(&named.sha256, body))
            }
            _ => Ok(()),
        };
        let stored = store();
        let mut taken = self.taken();
        taken.lines.push(line);
        if let Err(error) = stored {
            taken.failed.get_or_insert(error);
        }
    }

    fn taken(&self) -> MutexGuard<'_, PendingAttempts> {
        // Every change is one assignment or push: a panic elsewhere leaves it whole.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P> AttemptObserver<P> for AttemptRecorder {
    fn saw(&self, attempt: &RequestAttempt<'_>, _: Option<&P>) {
        self.note(line(attempt), body(attempt));
    }
}

/// Records the attempts to get a page of a window.
#[derive(Debug)]
pub struct WindowAttemptObserver<'a> {
    recorder: &'a AttemptRecorder,
    window: &'a Window,
}

impl<M> AttemptObserver<(Page, M)> for WindowAttemptObserver<'_> {
    fn saw(&self, attempt: &RequestAttempt<'_>, made: Option<&(Page, M)>) {
        let page = made.map(|(page, _)| page);
        let line = PageLine {
            span: Some(RequestedSpan { from: self.window.from, to: self.window.to }),
            records: page.map(|page| page.records.len() as u64),
            next: page.and_then(|page| page.next.as_ref()).map(describe_locator),
            ..line(attempt)
        };
        self.recorder.note(line, body(attempt));
    }
}

fn body<'a>(attempt: &RequestAttempt<'a>) -> Option<&'a Bytes> {
    attempt.response.map(|response| &response.body)
}

fn line(attempt: &RequestAttempt<'_>) -> PageLine {
    let response = attempt.response;
    PageLine {
        n: 0,
        request: page_request(attempt.request),
        span: None,
        status: response.map(|response| response.status),
        headers: response.map(recorded_headers).unwrap_or_default(),
        received: truncate_to_millis(attempt.ended),
        took_ms: millis(attempt.took),
        attempt: attempt.number,
        body: response.map(|response| digest_body(&response.body)),
        records: None,
        next: None,
        error: attempt.error.map(str::to_owned),
        waited_ms: attempt.waits.map(millis),
    }
}

/// A credential is in a header that only the client sees. A URL should have none; one is removed.
fn page_request(request: &Request) -> PageRequest {
    let url = SafeUrl::new(request.url.clone()).to_string();
    PageRequest { method: request.method().to_owned(), url }
}

fn recorded_headers(response: &Response) -> Vec<(String, String)> {
    let is_relevant = |name: &str| {
        let like = HEADERS_LIKE.iter().any(|like| name.starts_with(like));
        like || HEADERS.contains(&name) || TRACES.contains(&name)
    };
    let headers = response.headers.iter();
    headers.filter(|(name, _)| is_relevant(name)).cloned().collect()
}

fn digest_body(body: &Bytes) -> BodyDigest {
    let hash = Sha256::digest(body);
    BodyDigest { bytes: body.len() as u64, sha256: hex(&hash) }
}

/// The place of the next page, as in the requests of the API.
fn describe_locator(locator: &PageLocator) -> String {
    match locator {
        PageLocator::Start => "0".to_owned(),
        PageLocator::Cursor(cursor) | PageLocator::CountedCursor { cursor, .. } => cursor.clone(),
        PageLocator::CursorOffset { cursor, offset } => format!("{cursor}, offset {offset}"),
        PageLocator::Offset(offset) => offset.to_string(),
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::message::Endpoint;
    use crate::model::time::parse_api_time;

    fn attempt<'a>(request: &'a Request, response: Option<&'a Response>) -> RequestAttempt<'a> {
        RequestAttempt {
            request,
            number: 2,
            ended: parse_api_time("2026-11-20T12:00:00.123456Z").unwrap(),
            took: Duration::from_micros(1999),
            response,
            failed_at: None,
            error: None,
            waits: Some(Duration::from_secs(3)),
        }
    }

    fn request() -> Request {
        Request::get(
            Endpoint::EventsStream,
            "https://ada:hunter2@api.example/x?cursor=1".parse().unwrap(),
        )
    }

    fn response() -> Response {
        let headers = [
            ("date", "Fri, 20 Nov 2026 12:00:00 GMT"),
            ("set-cookie", "session=SECRET"),
            ("x-aaccountid", "SECRET"),
            ("authorization", "SECRET"),
            ("x-ratelimit-remaining", "7"),
            ("retry-after", "3"),
        ];
        Response {
            status: 200,
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            body: Bytes::from_static(b"abc"),
        }
    }

    #[test]
    fn a_line_says_what_came_and_nothing_of_who_asked() {
        let transcript = AttemptRecorder::new(None);
        assert!(transcript.is_empty());
        let (request, response) = (request(), response());
        let page = Page {
            records: Vec::new(),
            next: Some(PageLocator::Offset(500)),
            has_replaced_bytes: false,
        };
        let window = Window { from: parse_api_time("2026-11-01T00:00:00Z").unwrap(), to: None };
        let seen = attempt(&request, Some(&response));
        transcript.for_window(&window).saw(&seen, Some(&(page, ())));
        let later = RequestAttempt {
            ended: seen.ended + chrono::TimeDelta::seconds(1),
            ..attempt(&request, None)
        };
        AttemptObserver::<()>::saw(&transcript, &later, None);
        AttemptObserver::<()>::saw(&transcript, &attempt(&request, None), None);
        assert!(!transcript.is_empty());
        let lines = transcript.take().unwrap();
        let text = serde_json::to_string(&lines[0]).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"n":0,"request":{"method":"GET","url":"https://api.example/x?cursor=1"},"#,
                r#""span":{"from":"2026-11-01T00:00:00Z"},"status":200,"#,
                r#""headers":[["date","Fri, 20 Nov 2026 12:00:00 GMT"],["x-ratelimit-remaining","7"],["retry-after","3"]],"#,
                r#""received":"2026-11-20T12:00:00.123Z","took_ms":1,"attempt":2,"#,
                r#""body":{"bytes":3,"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},"#,
                r#""records":0,"next":"500","waited_ms":3000}"#
            )
        );
        let received: Vec<_> = lines.iter().map(|line| line.received).collect();
        assert!(received.len() == 3 && received.is_sorted());
        assert_eq!((lines[1].status, &lines[1].body), (None, &None));
        assert_eq!(lines[1].records, None);
        assert!(transcript.take().unwrap().is_empty());
    }
}
