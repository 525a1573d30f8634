//! Tests of the decision: every status, every transport error, and the arithmetic of waiting.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const RETRY_BUDGET: RetryBudget =
    RetryBudget { retry_for: Duration::from_secs(60), max_wait: Duration::from_secs(900) };

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn answer(status: u16, asked: Option<u64>) -> AttemptOutcome {
    AttemptOutcome::Response {
        status,
        html: false,
        refusal: RefusalKind::Plain,
        requested_wait: asked.map(secs),
    }
}

/// After `failures` failed and `limits` limited attempts, each sort in trouble for so many seconds.
fn history(failures: u32, decide_backoff: u64, limits: u32, limited: u64) -> RetryHistory {
    RetryHistory { failures, failing_for: secs(decide_backoff), limits, limited_for: secs(limited) }
}

fn delay(outcome: AttemptOutcome, history: RetryHistory, roll: f64) -> Option<Duration> {
    match decide(&outcome, &history, &RETRY_BUDGET, roll) {
        RetryDecision::Wait { delay, .. } => Some(delay),
        _ => None,
    }
}

fn describe_decision(decision: RetryDecision) -> String {
    match decision {
        RetryDecision::GiveUp(kind) => format!("give up: {kind:?}"),
        RetryDecision::Wait { delay, pause_endpoint, reason } => {
            let scope = if pause_endpoint { "everyone" } else { "alone" };
            format!("wait {delay:?}, {scope}, {reason:?}")
        }
    }
}

/// `300-399 give up: Redirected` lines: neighbours with the same decision in one.
fn table(outcome: impl Fn(u16) -> AttemptOutcome) -> String {
    let mut rows: Vec<(u16, u16, String)> = Vec::new();
    for status in 200..=599 {
        let name = describe_decision(decide(
            &outcome(status),
            &RetryHistory::default(),
            &RETRY_BUDGET,
            0.5,
        ));
        match rows.last_mut() {
            Some((_, last, known)) if *known == name => *last = status,
            _ => rows.push((status, status, name)),
        }
    }
    let lines = rows.iter().map(|(first, last, name)| format!("{first}-{last} {name}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_status() {
    insta::assert_snapshot!(table(|status| answer(status, None)), @r"
    200-299 give up: Unexpected
    300-399 give up: Redirected
    400-400 give up: BadRequest
    401-401 give up: CredentialRefused
    402-402 give up: BadRequest
    403-403 give up: Forbidden
    404-404 give up: NotFound
    405-407 give up: BadRequest
    408-408 wait 250ms, alone, Backoff
    409-409 give up: BadRequest
    410-410 give up: NotFound
    411-424 give up: BadRequest
    425-425 wait 250ms, alone, Backoff
    426-428 give up: BadRequest
    429-429 wait 2.1s, everyone, Server
    430-499 give up: BadRequest
    500-500 wait 250ms, alone, Backoff
    501-501 give up: Unexpected
    502-504 wait 250ms, alone, Backoff
    505-505 give up: Unexpected
    506-599 wait 250ms, alone, Backoff
    ");
}

#[test]
fn every_status_with_a_wait_asked_for() {
    insta::assert_snapshot!(table(|status| answer(status, Some(20))), @r"
    200-299 give up: Unexpected
    300-399 give up: Redirected
    400-400 give up: BadRequest
    401-401 give up: CredentialRefused
    402-402 give up: BadRequest
    403-403 give up: Forbidden
    404-404 give up: NotFound
    405-407 give up: BadRequest
    408-408 wait 21s, everyone, Server
    409-409 give up: BadRequest
    410-410 give up: NotFound
    411-424 give up: BadRequest
    425-425 wait 21s, everyone, Server
    426-428 give up: BadRequest
    429-429 wait 21s, everyone, Server
    430-499 give up: BadRequest
    500-500 wait 21s, everyone, Server
    501-501 give up: Unexpected
    502-504 wait 21s, everyone, Server
    505-505 give up: Unexpected
    506-599 wait 21s, everyone, Server
    ");
}

#[test]
fn every_status_with_a_page_for_people_that_names_a_scope() {
    let outcome = |status| AttemptOutcome::Response {
        status,
        html: true,
        refusal: RefusalKind::Scope,
        requested_wait: None,
    };
    insta::assert_snapshot!(table(outcome), @r"
    200-299 give up: HtmlInstead
    300-399 give up: Redirected
    400-400 give up: BadRequest
    401-401 give up: ScopeMissing
    402-402 give up: BadRequest
    403-403 give up: ScopeMissing
    404-404 give up: NotFound
    405-407 give up: BadRequest
    408-408 wait 250ms, alone, Backoff
    409-409 give up: BadRequest
    410-410 give up: NotFound
    411-424 give up: BadRequest
    425-425 wait 250ms, alone, Backoff
    426-428 give up: BadRequest
    429-429 wait 2.1s, everyone, Server
    430-499 give up: BadRequest
    500-500 wait 250ms, alone, Backoff
    501-501 give up: Unexpected
    502-504 wait 250ms, alone, Backoff
    505-505 give up: Unexpected
    506-599 wait 250ms, alone, Backoff
    ");
}

#[test]
fn every_attempt_without_an_answer() {
    use TransportErrorKind::*;
    let kinds = [
        Dns,
        Connect,
        Tls,
        ConnectTimeout,
        ReadTimeout,
        ConnectionLost,
        BodyLost,
        Garbled,
        TooLarge,
        Invalid,
        CredentialLocked,
    ];
    let worn = history(9, 60, 0, 0);
    let mut lines: Vec<String> = kinds
        .into_iter()
        .map(|kind| {
            let decide = |history| {
                describe_decision(decide(
                    &AttemptOutcome::Failed(kind),
                    &history,
                    &RETRY_BUDGET,
                    0.5,
                ))
            };
            format!("{kind:?}: {}; in the end {}", decide(history(0, 0, 0, 0)), decide(worn))
        })
        .collect();
    for outcome in [AttemptOutcome::Unreadable, AttemptOutcome::ErrorInPage] {
        lines.push(describe_decision(decide(&outcome, &worn, &RETRY_BUDGET, 0.5)));
    }
    insta::assert_snapshot!(lines.join("\n"), @r"
    Dns: wait 250ms, alone, Backoff; in the end give up: Unreachable
    Connect: wait 250ms, alone, Backoff; in the end give up: Unreachable
    Tls: give up: Tls; in the end give up: Tls
    ConnectTimeout: wait 250ms, alone, Backoff; in the end give up: TimedOut
    ReadTimeout: wait 250ms, alone, Backoff; in the end give up: TimedOut
    ConnectionLost: wait 250ms, alone, Backoff; in the end give up: ConnectionLost
    BodyLost: wait 250ms, alone, Backoff; in the end give up: ConnectionLost
    Garbled: wait 250ms, alone, Backoff; in the end give up: Unreadable
    TooLarge: give up: TooLarge; in the end give up: TooLarge
    Invalid: give up: Unexpected; in the end give up: Unexpected
    CredentialLocked: give up: CaptchaRequired; in the end give up: CaptchaRequired
    give up: Unreadable
    give up: ErrorInPage
    ");
}

#[test]
fn a_refusal_through_the_cdn_may_pass_and_a_captcha_may_not() {
    let refused = |status, html, refusal, history| {
        let outcome = AttemptOutcome::Response { status, html, refusal, requested_wait: None };
        describe_decision(decide(&outcome, &history, &RETRY_BUDGET, 0.5))
    };
    let (fresh, worn) = (history(0, 0, 0, 0), history(9, 60, 0, 0));
    for (status, html, permanent_cases) in [
        (403, true, "give up: CdnRefused"),
        (404, true, "give up: CdnRefused"),
        (403, false, "give up: Forbidden"),
        (404, false, "give up: NotFound"),
    ] {
        let first = refused(status, html, RefusalKind::Cdn, fresh);
        assert_eq!(first, "wait 250ms, alone, Backoff", "{status}");
        assert_eq!(refused(status, html, RefusalKind::Cdn, worn), permanent_cases);
    }
    let credential = refused(401, false, RefusalKind::Cdn, fresh);
    assert_eq!(credential, "give up: CredentialRefused");
    for status in [401, 403] {
        let locked = refused(status, false, RefusalKind::Captcha, fresh);
        assert_eq!(locked, "give up: CaptchaRequired");
    }
}

#[test]
fn a_free_plan_is_told_from_a_missing_permission() {
    let outcome = AttemptOutcome::Response {
        status: 403,
        html: false,
        refusal: RefusalKind::FreePlan,
        requested_wait: None,
    };
    let decision = decide(&outcome, &RetryHistory::default(), &RETRY_BUDGET, 0.5);
    assert_eq!(decision, RetryDecision::GiveUp(FailureKind::FreePlan));
}

#[test]
fn failures_back_off_exponentially_with_full_jitter() {
    let at = |failures, roll| delay(answer(502, None), history(failures, 1, 0, 0), roll).unwrap();
    assert_eq!(at(0, 0.0), BACKOFF_FLOOR);
    assert_eq!(at(0, 0.9), Duration::from_millis(450));
    assert_eq!(at(3, 0.5), secs(2));
    assert_eq!(at(6, 0.5), secs(15));
    assert_eq!(at(60, 0.5), secs(15));
}

#[test]
fn retry_for_bounds_the_failing_but_leaves_one_retry() {
    let unavailable = answer(503, None);
    assert_eq!(delay(unavailable, history(5, 53, 0, 0), 0.5), None);
    assert_eq!(delay(unavailable, history(5, 51, 0, 0), 0.5), Some(secs(8)));
    let short = |retry_for, failures| {
        let budget = RetryBudget { retry_for, ..RETRY_BUDGET };
        let history = history(failures, 0, 0, 0);
        decide(&unavailable, &history, &budget, 0.99)
    };
    let give_up = RetryDecision::GiveUp(FailureKind::Unavailable);
    assert_eq!(short(Duration::ZERO, 0), give_up);
    assert_ne!(short(Duration::from_millis(1), 0), give_up);
    assert_eq!(short(Duration::from_millis(1), 1), give_up);
    // Time spent limited is not time spent failing.
    assert!(delay(unavailable, history(0, 0, 9, 800), 0.5).is_some());
}

#[test]
fn a_limit_without_guidance_backs_off_from_two_seconds() {
    let waits: Vec<_> = (0..8)
        .filter_map(|limits| delay(answer(429, None), history(0, 0, limits, 1), 0.0))
        .collect();
    assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60, 60].map(secs));
    let jittered = delay(answer(429, None), RetryHistory::default(), 0.5).unwrap();
    assert_eq!(jittered, Duration::from_millis(2100));
}

#[test]
fn a_wait_asked_for_is_obeyed_and_never_shortened() {
    assert_eq!(delay(answer(429, Some(1)), RetryHistory::default(), 0.0), Some(secs(1)));
    assert_eq!(
        delay(answer(429, Some(600)), RetryHistory::default(), 0.99).unwrap().as_secs(),
        609
    );
    // An answer that keeps saying one second does not make a tight loop.
    assert_eq!(delay(answer(429, Some(1)), history(0, 0, 3, 9), 0.0), Some(secs(16)));
}

#[test]
fn max_wait_bounds_one_wait_and_all_of_them() {
    let limited = RetryDecision::GiveUp(FailureKind::RateLimited);
    let decide = |outcome, history| decide(&outcome, &history, &RETRY_BUDGET, 0.99);
    assert_eq!(decide(answer(429, Some(901)), RetryHistory::default()), limited);
    assert_eq!(decide(answer(503, Some(901)), RetryHistory::default()), limited);
    assert_eq!(decide(answer(429, Some(u64::MAX)), RetryHistory::default()), limited);
    assert_eq!(decide(answer(429, Some(500)), history(0, 0, 1, 500)), limited);
    assert_eq!(decide(answer(429, None), history(0, 0, 20, 850)), limited);
    let unavailable = RetryDecision::GiveUp(FailureKind::Unavailable);
    assert_eq!(decide(answer(503, Some(500)), history(0, 0, 1, 500)), unavailable);
    assert_eq!(
        delay(answer(429, Some(900)), RetryHistory::default(), 0.99),
        Some(RETRY_BUDGET.max_wait)
    );
}

proptest! {
    #[test]
    fn no_decision_is_a_tight_loop_or_an_endless_one(
        status in 200u16..600,
        asked in prop::option::of(1u64..100_000),
        (failures, limits) in (0u32..u32::MAX, 0u32..u32::MAX),
        (decide_backoff, limited) in (0u64..10_000, 0u64..10_000),
        roll in 0.0f64..1.0,
    ) {
        let history = history(failures, decide_backoff, limits, limited);
        if let Some(delay) = delay(answer(status, asked), history, roll) {
            prop_assert!(delay >= BACKOFF_FLOOR);
            prop_assert!(delay <= RETRY_BUDGET.max_wait);
            prop_assert!(asked.is_none_or(|asked| delay >= secs(asked)));
        }
    }
}

/// The wait in seconds, our own clock saying 2026-11-20T09:30:20Z.
fn asked(status: u16, headers: &[(&str, &str)]) -> Option<f64> {
    let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
    let response = Response { status, headers: headers.collect(), body: Bytes::new() };
    let now = parse_api_time("2026-11-20T09:30:20Z").unwrap();
    requested_wait(&response, now).map(|wait| wait.as_secs_f64())
}

#[test]
fn retry_after_in_every_form() {
    let cases = [
        ("7", Some(7.0)),
        (" 7 ", Some(7.0)),
        ("1.5", Some(1.5)),
        ("0", None),
        ("-3", None),
        ("soon", None),
        ("", None),
        ("NaN", None),
        ("Fri, 20 Nov 2026 09:30:50 GMT", Some(30.0)),
        ("Friday, 20-Nov-26 09:30:50 GMT", Some(30.0)),
        ("Fri Nov 20 09:30:50 2026", Some(30.0)),
        ("Fri, 20 Nov 2026 09:30:00 GMT", None),
    ];
    for (text, want) in cases {
        assert_eq!(asked(503, &[("retry-after", text)]), want, "{text:?}");
    }
    let absurd = asked(429, &[("retry-after", "99999999999999999999999")]);
    assert!(absurd.unwrap() > 1e18);
}

#[test]
fn a_reset_in_every_form() {
    let cases = [
        ("2026-11-20T09:31Z", Some(100.0)),
        ("2026-11-20T09:30Z", Some(40.0)),
        ("2026-11-20T10:30+01:00", Some(40.0)),
        ("2026-11-20T09:29Z", None),
        ("2026-11-20T09:30:45Z", Some(25.0)),
        ("2026-11-20T09:30:45.500Z", Some(25.5)),
        ("1795167045", Some(25.0)),
        ("1795167045.25", Some(25.25)),
        ("1795167045000", Some(25.0)),
        ("1795167045000.0", Some(25.0)),
        ("1795167045000000", Some(25.0)),
        ("1795167045000000000", Some(25.0)),
        ("1795167000", None),
        ("30", Some(30.0)),
        ("0.5", Some(0.5)),
        ("\"30\"", Some(30.0)),
        ("Fri, 20 Nov 2026 09:30:45 GMT", Some(25.0)),
        ("Friday, 20-Nov-26 09:30:45 GMT", Some(25.0)),
        ("2026-11-20T09:30:45", Some(25.0)),
        ("2026-11-20 09:30:45.500", Some(25.5)),
        ("2026-11-20 09:30:45 UTC", Some(25.0)),
        ("2026-11-20T09:30", Some(40.0)),
        ("2026-11-20t09:31z", Some(100.0)),
        ("2026-11-20T10:31+0100", Some(100.0)),
        ("1.2.3", None),
        (".", None),
        ("1e300", None),
        ("2026-11-20", None),
        ("\u{1b}[2J", None),
    ];
    for (text, want) in cases {
        assert_eq!(asked(429, &[("x-ratelimit-reset", text)]), want, "{text:?}");
        assert_eq!(asked(503, &[("x-ratelimit-reset", text)]), None, "{text:?}");
    }
}

#[test]
fn the_servers_clock_is_the_one_that_counts() {
    let date = ("date", "Fri, 20 Nov 2026 10:30:20 GMT");
    let at = "Fri, 20 Nov 2026 10:30:50 GMT";
    assert_eq!(asked(503, &[date, ("retry-after", at)]), Some(30.0));
    let reset = ("x-ratelimit-reset", "2026-11-20T10:30:45Z");
    assert_eq!(asked(429, &[date, reset]), Some(25.0));
    assert_eq!(asked(429, &[("date", "garbled"), reset]), Some(3625.0));
}

#[test]
fn the_longer_of_two_holds_and_a_precise_one_saves_the_rounding() {
    let reset = ("x-ratelimit-reset", "2026-11-20T09:31Z");
    assert_eq!(asked(429, &[("retry-after", "5"), reset]), Some(40.0));
    assert_eq!(asked(429, &[("retry-after", "50"), reset]), Some(50.0));
}
