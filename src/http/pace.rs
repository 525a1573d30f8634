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
        .and_then(http_date)
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

/// RFC 9110, section 10.2.3: seconds or an HTTP date. A fraction of a second is let pass.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    seconds(text)
        .or_else(|| Duration::try_from_secs_f64(text.parse().ok()?).ok())
        .or_else(|| Some(until(http_date(text)?, now)))
}

/// Atlassian writes the reset as `2026-11-20T09:31Z`, cut to the minute (JRACLOUD-69262), so that it
/// may already be past: it is rounded up, unless a `Retry-After` beside it (`precise`) says when.
fn reset(text: &str, now: Timestamp, precise: bool) -> Option<Duration> {
    if let Some(wait) = seconds(text) {
        return Some(epoch_or_delta(wait, now));
    }
    if let Some(time) = parse_api_time(text) {
        return Some(until(time, now));
    }
    // chrono reads `%z` only with an offset, so `Z` is spelled out.
    let spelled = text.strip_suffix('Z').map(|head| format!("{head}+0000"));
    let minute =
        DateTime::parse_from_str(spelled.as_deref().unwrap_or(text), "%Y-%m-%dT%H:%M%z").ok()?;
    let rounding = TimeDelta::seconds(if precise { 0 } else { 60 });
    Some(until(
        minute.with_timezone(&Utc).checked_add_signed(rounding)?,
        now,
    ))
}

/// A bare number is a time since 1970 when it is large enough to be one (milliseconds from 10^12),
/// else a number of seconds from now, as in the IETF's draft for `RateLimit` headers.
fn epoch_or_delta(number: Duration, now: Timestamp) -> Duration {
    let number_i64 = i64::try_from(number.as_secs()).unwrap_or(i64::MAX);
    let time = match number_i64 {
        1_000_000_000..1_000_000_000_000 => DateTime::from_timestamp(number_i64, 0),
        1_000_000_000_000.. => DateTime::from_timestamp_millis(number_i64),
        _ => None,
    };
    time.map_or(number, |time| until(time, now))
}

/// Digits as seconds. A number past every clock means "very long", not "nothing".
fn seconds(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

fn until(time: Timestamp, now: Timestamp) -> Duration {
    (time - now).to_std().unwrap_or_default()
}

/// RFC 9110, section 5.6.7: IMF-fixdate, and the two obsolete forms that a recipient must accept.
pub(super) fn http_date(text: &str) -> Option<Timestamp> {
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
            ("1795167045000", Some(25.0)),
            ("30", Some(30.0)),
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
