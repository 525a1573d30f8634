//! Tests of the exchange: a scripted transport under tokio's paused time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::*;
use crate::http::limiter::CredentialLimit;
use crate::http::message::Endpoint;
use crate::http::message::TransportErrorKind;

type ScriptedReply = Result<Response, TransportError>;

/// Answers with its steps in turn, and notes when it was asked.
struct ScriptedTransport {
    steps: Mutex<VecDeque<ScriptedReply>>,
    requested_at: Mutex<Vec<u64>>,
    start: Instant,
}

impl Transport for ScriptedTransport {
    async fn send(&self, _: &Request) -> ScriptedReply {
        let at = self.start.elapsed().as_secs();
        self.requested_at.lock().unwrap().push(at);
        self.steps.lock().unwrap().pop_front().expect("a step")
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> ScriptedReply {
    let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
    Ok(Response {
        status,
        headers: headers.collect(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    })
}

fn lost_connection() -> ScriptedReply {
    Err(TransportError::new(TransportErrorKind::ConnectionLost, "reset"))
}

struct ExchangeRun {
    result: Result<u32, Failure>,
    asked_at: Vec<u64>,
    meter: SourceMeter,
    limits: Arc<RequestLimiter>,
}

fn limits() -> Arc<RequestLimiter> {
    let credential = Arc::new(CredentialLimit::new(None));
    Arc::new(RequestLimiter::new(Endpoint::EventsStream, None, credential, Vec::new()))
}

fn request() -> Request {
    Request::get(Endpoint::EventsStream, "https://api.example:8443/x?cursor=c".parse().unwrap())
}

const RETRY_BUDGET: RetryBudget =
    RetryBudget { retry_for: Duration::from_secs(60), max_wait: Duration::from_secs(900) };

/// A page is a number.
fn read_number(response: &Response) -> Result<u32, UnreadableBody> {
    let text = String::from_utf8_lossy(&response.body);
    text.parse().map_err(|_| UnreadableBody::new("not a number"))
}

async fn run(steps: impl IntoIterator<Item = ScriptedReply>) -> ExchangeRun {
    run_within(limits(), steps).await
}

async fn run_within(
    limits: Arc<RequestLimiter>,
    steps: impl IntoIterator<Item = ScriptedReply>,
) -> ExchangeRun {
    let script = script(steps);
    let meter = SourceMeter::default();
    let (request, observer) = (request(), None::<NotingObserver>);
    let asked = send_with_retries(
        &script,
        &limits,
        &RETRY_BUDGET,
        &meter,
        &request,
        read_number,
        &observer,
    );
    let result = asked.await;
    let asked_at = script.requested_at.into_inner().unwrap();
    ExchangeRun { result, asked_at, meter, limits }
}

#[tokio::test(start_paused = true)]
async fn a_good_answer_is_read_once_and_nothing_is_waited_for() {
    let run = run([answer(200, &[], "7")]).await;
    assert_eq!(run.result, Ok(7));
    assert_eq!(run.asked_at, [0]);
    let meter = &run.meter;
    let counts = [&meter.requests, &meter.retries, &meter.limited];
    assert_eq!(counts.map(|count| count.get()), [1, 0, 0]);
    assert_eq!(meter.waited_ms(), 0);
}

#[tokio::test(start_paused = true)]
async fn passing_faults_are_outlived() {
    let run = run([
        lost_connection(),
        answer(502, &[], "<html>"),
        answer(200, &[], "{\"cut"),
        answer(200, &[], "7"),
    ])
    .await;
    assert_eq!(run.result, Ok(7));
    assert_eq!(run.meter.requests.get(), 4);
    assert_eq!(run.meter.retries.get(), 3);
    assert!(run.meter.waited_ms() >= 300);
    assert_eq!(run.meter.current_wait(), None);
}

/// The attempt, the status, what was wrong, the wait, what was made of it.
type AttemptNote = (u32, Option<u16>, Option<String>, Option<u64>, Option<u32>);

/// Notes what it sees.
#[derive(Default)]
struct NotingObserver(Mutex<Vec<AttemptNote>>);

impl AttemptObserver<u32> for NotingObserver {
    fn saw(&self, attempt: &RequestAttempt<'_>, made: Option<&u32>) {
        self.0.lock().unwrap().push((
            attempt.number,
            attempt.response.map(|response| response.status),
            attempt.error.map(str::to_owned),
            attempt.waits.map(|wait| wait.as_secs()),
            made.copied(),
        ));
    }
}

fn script(steps: impl IntoIterator<Item = ScriptedReply>) -> ScriptedTransport {
    ScriptedTransport {
        steps: Mutex::new(steps.into_iter().collect()),
        requested_at: Mutex::default(),
        start: Instant::now(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_witness_sees_every_attempt() {
    let (notes, meter) = (NotingObserver::default(), SourceMeter::default());
    let script = script([
        lost_connection(),
        answer(429, &[("retry-after", "30")], "slowly"),
        answer(200, &[], "{\"cut"),
        answer(200, &[], "7"),
        answer(404, &[], "no"),
    ]);
    let (limits, request) = (limits(), request());
    let ask = || {
        send_with_retries(&script, &limits, &RETRY_BUDGET, &meter, &request, read_number, &notes)
    };
    assert_eq!(ask().await, Ok(7));
    assert!(ask().await.is_err());
    let notes = notes.0.into_inner().unwrap();
    let kinds: Vec<_> = notes
        .iter()
        .map(|(attempt, status, error, _, made)| (*attempt, *status, error.is_some(), *made))
        .collect();
    let want = [
        (1, None, true, None),
        (2, Some(429), true, None),
        (3, Some(200), true, None),
        (4, Some(200), false, Some(7)),
        (1, Some(404), true, None),
    ];
    assert_eq!(kinds, want);
    assert_eq!(notes[1].2.as_deref(), Some("slowly"));
    assert!((30..=33).contains(&notes[1].3.unwrap()), "{:?}", notes[1]);
    let waits: Vec<_> = notes.iter().map(|note| note.3.is_some()).collect();
    assert_eq!(waits, [true, true, true, false, false]);
}

#[tokio::test(start_paused = true)]
async fn a_witness_sees_an_attempt_that_nobody_waits_for_any_more() {
    /// Never answers.
    struct SilentTransport;
    impl Transport for SilentTransport {
        async fn send(&self, _: &Request) -> ScriptedReply {
            std::future::pending().await
        }
    }
    let (notes, meter, limits) = (NotingObserver::default(), SourceMeter::default(), limits());
    let request = request();
    let asking = send_with_retries(
        &SilentTransport,
        &limits,
        &RETRY_BUDGET,
        &meter,
        &request,
        read_number,
        &notes,
    );
    let waited = tokio::time::timeout(Duration::from_secs(3), asking).await;
    assert!(waited.is_err());
    let notes = notes.0.into_inner().unwrap();
    assert_eq!(notes.len(), 1);
    assert_eq!((notes[0].0, notes[0].1, notes[0].4), (1, None, None));
    assert!(notes[0].2.as_deref().unwrap().starts_with("given up"));
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_obeyed_and_pauses_everyone() {
    let script = [answer(429, &[("retry-after", "30")], ""), answer(200, &[], "7")];
    let run = run(script).await;
    assert_eq!(run.result, Ok(7));
    assert!((30..=33).contains(&run.asked_at[1]), "{:?}", run.asked_at);
    assert_eq!(run.meter.limited.get(), 1);
    assert!(run.meter.waited_ms() >= 30_000);

    let shared = limits();
    let other = run_within(Arc::clone(&shared), [answer(200, &[], "8")]);
    let first =
        run_within(shared, [answer(503, &[("retry-after", "20")], ""), answer(200, &[], "7")]);
    let later = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        other.await
    };
    let (first, other) = tokio::join!(first, later);
    assert_eq!((first.result, other.result), (Ok(7), Ok(8)));
    assert!(other.asked_at[0] >= 19, "{:?}", other.asked_at);
}

#[tokio::test(start_paused = true)]
async fn a_wait_too_long_is_abandoned_and_keeps_the_next_away() {
    let run = run([answer(429, &[("retry-after", "3600")], "")]).await;
    let failure = run.result.unwrap_err();
    assert_eq!(failure.kind, FailureKind::RateLimited);
    assert_eq!(run.asked_at, [0]);

    let next = run_within(run.limits, []).await;
    let failure = next.result.unwrap_err();
    assert_eq!((failure.kind, failure.attempts), (FailureKind::RateLimited, 0));
    assert!(failure.message.contains("another 3600 s"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_limits_forever_is_abandoned_within_max_wait() {
    let run = run((0..100).map(|_| answer(429, &[], ""))).await;
    let failure = run.result.unwrap_err();
    assert_eq!(failure.kind, FailureKind::RateLimited);
    let last = *run.asked_at.last().unwrap();
    assert!((800..=990).contains(&last), "{last}");
    assert!(run.asked_at.windows(2).all(|pair| pair[1] - pair[0] >= 2));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_forever_is_abandoned_within_retry_for() {
    let first = answer(500, &[], r#"{"errors":[{"code":"ADMIN-500-1","title":"Internal error"}]}"#);
    let run = run(std::iter::once(first).chain((0..2000).map(|_| lost_connection()))).await;
    let failure = run.result.unwrap_err();
    assert_eq!(failure.kind, FailureKind::ConnectionLost);
    assert!(*run.asked_at.last().unwrap() <= 61, "{:?}", run.asked_at);
    assert_eq!(failure.causes, ["500: Internal error"]);
    assert_eq!(failure.host, "api.example:8443");
    assert!(failure.attempts > 2);
    assert!(!failure.to_string().contains("cursor"));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_our_own_quota_is_not_failing() {
    let credential = Arc::new(CredentialLimit::new(None));
    let narrow = RequestLimiter::new(Endpoint::EventsStream, Some(1), credential, Vec::new());
    let steps = [lost_connection(), lost_connection(), lost_connection(), answer(200, &[], "7")];
    let run = run_within(Arc::new(narrow), steps).await;
    assert_eq!(run.result, Ok(7));
    assert_eq!(run.asked_at, [0, 60, 121, 181]);
}

#[tokio::test(start_paused = true)]
async fn what_no_retry_can_mend_is_abandoned_at_once() {
    let login = [("location", "https://id.atlassian.com/login?token=s3cret")];
    let gateway = r#"{"code":401,"message":"Unauthorized; scope does not match"}"#;
    let long_host = format!("x://{}/", "x".repeat(100_000));
    let cases = [
        (answer(302, &login, ""), FailureKind::Redirected, "to id.atlassian.com"),
        (
            answer(302, &[("location", "/login?x=s3cret")], ""),
            FailureKind::Redirected,
            "to another path",
        ),
        (
            answer(302, &[("location", &long_host)], ""),
            FailureKind::Redirected,
            &format!("to {}…", "x".repeat(300)),
        ),
        (answer(200, &[], "<html>"), FailureKind::HtmlInstead, "an HTML page"),
        (
            answer(401, &[], gateway),
            FailureKind::ScopeMissing,
            "Unauthorized; scope does not match",
        ),
        (answer(404, &[], ""), FailureKind::NotFound, "an empty body"),
        (
            Err(TransportError::too_large(9)),
            FailureKind::TooLarge,
            "body too large: more than 9 bytes",
        ),
    ];
    for (step, kind, message) in cases {
        let run = run([step]).await;
        let failure = run.result.unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), (kind, message));
        assert_eq!((failure.attempts, run.asked_at.len()), (1, 1));
        assert!(failure.causes.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn the_future_can_be_spawned() {
    let task = tokio::spawn(run([answer(200, &[], "7")]));
    assert_eq!(task.await.unwrap().result, Ok(7));
}
