//! Owns reading how long a server asks us to wait: `Retry-After` and `X-RateLimit-Reset`.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::http::message::Response;
use crate::model::time::{Timestamp, parse_api_time};

/// How long the server asks to be left alone, counted from now; `None` when it does not say, or
/// names a time already past.
///
/// Absolute times are compared with the server's own `Date`, because our clock may be an hour off;
/// `local_now` stands in when it sends none. `X-RateLimit-Reset` counts only on a 429: Atlassian
/// sends it on other answers too, where it says when the quota is full again. When both are there,
/// the longer one holds.
pub(super) fn asked_wait(response: &Response, local_now: Timestamp) -> Option<Duration> {
    let now = response
        .header("date")
        .and_then(parse_http_date)
        .unwrap_or(local_now);
    let retry_after = response
        .header("retry-after")
        .and_then(|text| retry_after(text.trim(), now));
    let reset = match response.status {
        429 => response
            .header("x-ratelimit-reset")
            .and_then(|text| reset(text.trim(), now, retry_after.is_some())),
        _ => None,
    };
    retry_after.max(reset).filter(|wait| !wait.is_zero())
}

/// RFC 9110, section 10.2.3: seconds or an HTTP date; what else a reset may be is let pass.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    wait_until(text, now, TimeDelta::zero())
}

/// Atlassian writes the reset as `2026-11-20T09:31Z`, cut to the minute (JRACLOUD-69262), so that it
/// may already be past: it is rounded up, unless a `Retry-After` beside it (`precise`) says when.
fn reset(text: &str, now: Timestamp, precise: bool) -> Option<Duration> {
    let rounding = TimeDelta::seconds(if precise { 0 } else { 60 });
    wait_until(text, now, rounding)
}

/// The time from `now` to what `text` names, in any form: a number, an HTTP date, or ISO 8601. A time that was cut to the
/// minute is made later by `rounding`.
fn wait_until(text: &str, now: Timestamp, rounding: TimeDelta) -> Option<Duration> {
    let text = text.trim_matches('"').trim();
    if let Some(number) = plain_number(text) {
        return Some(epoch_or_delta(number, now));
    }
    let time = parse_http_date(text).or_else(|| parse_api_time(text));
    Some(until(time.or_else(|| iso_time(text, rounding))?, now))
}

/// ISO 8601 with or without seconds, and with or without a zone: without one it is UTC, like all that Atlassian writes.
fn iso_time(text: &str, rounding: TimeDelta) -> Option<Timestamp> {
    let text = text.replacen(' ', "T", 1).to_ascii_uppercase();
    let is_utc = |zone: &str| {
        text.strip_suffix(zone)
            .map(|head| head.trim_end().to_owned())
    };
    // chrono reads `%z` only with an offset.
    let text = ["Z", "UTC", "GMT"]
        .into_iter()
        .find_map(is_utc)
        .unwrap_or(text);
    let read = |form: &str| {
        let zoned = DateTime::parse_from_str(&text, &format!("{form}%z"));
        let zoned = zoned.map(|time| time.with_timezone(&Utc));
        zoned.or_else(|_| NaiveDateTime::parse_from_str(&text, form).map(|time| time.and_utc()))
    };
    if let Ok(time) = read("%Y-%m-%dT%H:%M:%S%.f") {
        return Some(time);
    }
    read("%Y-%m-%dT%H:%M").ok()?.checked_add_signed(rounding)
}

/// A bare number is a time since 1970 when it is large enough to be one (in seconds, milliseconds, micro- or
/// nanoseconds), else a number of seconds from now, as in the IETF's draft for `RateLimit` headers.
fn epoch_or_delta(number: f64, now: Timestamp) -> Duration {
    let seconds = match number {
        1e9..1e12 => number - since_epoch(now),
        1e12..1e15 => number / 1e3 - since_epoch(now),
        1e15..1e18 => number / 1e6 - since_epoch(now),
        1e18..1e21 => number / 1e9 - since_epoch(now),
        // A number past every clock means "very long", not "nothing".
        _ => return Duration::try_from_secs_f64(number).unwrap_or(Duration::MAX),
    };
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn since_epoch(time: Timestamp) -> f64 {
    time.timestamp_micros() as f64 / 1e6
}

/// Digits, perhaps with a fraction.
fn plain_number(text: &str) -> Option<f64> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    is_plain.then(|| text.parse().ok()).flatten()
}

fn until(time: Timestamp, now: Timestamp) -> Duration {
    (time - now).to_std().unwrap_or_default()
}

/// RFC 9110, section 5.6.7: IMF-fixdate, and the two obsolete forms that a recipient must accept.
pub(super) fn parse_http_date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc2822(text) {
        return Some(time.with_timezone(&Utc));
    }
    ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .into_iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|time| time.and_utc())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// The wait in seconds, our own clock saying 2026-11-20T09:30:20Z.
    fn asked(status: u16, headers: &[(&str, &str)]) -> Option<f64> {
        let headers = headers
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()));
        let response = Response {
            status,
            headers: headers.collect(),
            body: Bytes::new(),
        };
        let now = parse_api_time("2026-11-20T09:30:20Z").unwrap();
        asked_wait(&response, now).map(|wait| wait.as_secs_f64())
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
}
