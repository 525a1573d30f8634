//! The one incident in the organization's history, for a reader to find.
//!
//! In the night before the history ends, somebody guesses the password of **Henk Dijkstra**, an
//! organization admin who works from Utrecht. From [`IP`], an address in a country where nobody of
//! the company works, come:
//!
//! 1. 14 `user_login` within nine minutes whose context says `failure`: no other sign of a failed
//!    login is known,
//! 2. a `user_login` that succeeds,
//! 3. `user_logged_in_as_user`: Henk's session becomes that of **Ines Carvalho**, of finance,
//! 4. `ts_api_token_creation`: a token "backup" that outlives the session,
//! 5. `confluence_export_space_finished` of the space Finance, and `export_audit_log`, by that
//!    token.
//!
//! Nothing else in the history has that address. Histories of fewer than 100 events have no
//! incident.

use chrono::{NaiveTime, TimeZone, Utc};

use fastrand::Rng;

use super::{
    org_event::{self, EventDraft},
    people::{self, SamplePerson},
};
use crate::sandbox::{Api, json_text::JsonText, record_log::SandboxRecord};

/// The intruder's address.
const IP: &str = "192.0.2.177";
/// When a password is guessed wrong, in seconds from the beginning.
const FAILED_AT: [i64; 14] = [0, 31, 58, 97, 133, 170, 214, 249, 291, 338, 377, 421, 466, 512];
/// What happens then, and what the context says of a login.
const LATER: [(i64, &str, &str); 5] = [
    (561, "user_login", "success"),
    (742, "user_logged_in_as_user", ""),
    (905, "ts_api_token_creation", ""),
    (1188, "confluence_export_space_finished", ""),
    (1391, "export_audit_log", ""),
];
/// How many events it is.
pub const SIZE: usize = FAILED_AT.len() + LATER.len();

fn steps() -> impl Iterator<Item = (i64, &'static str, &'static str)> {
    FAILED_AT.into_iter().map(|at| (at, "user_login", "failure")).chain(LATER)
}

const ELSEWHERE: [&str; 4] = ["Iceland", "Capital Region", "Reykjavik", "64.15,-21.94"];
const TOKEN_ID: &str = "tok-9f20c7";
/// From when on the token is used.
const TOKEN_USED_FROM: i64 = 1000;
const HOUR_MS: i64 = 3_600_000;

/// The incident's events, in order, within the window from `start` to `end`.
pub fn compose(rng: &mut Rng, start: i64, end: i64) -> Vec<SandboxRecord> {
    let begin = start_time(start, end);
    let (victim, second) = (&people::people()[1], &people::people()[7]);
    let event = |(seconds, action, status): (i64, &'static str, &'static str)| {
        let processed_ms = begin + seconds * 1000 + rng.i64(400..900);
        let auth = match seconds < TOKEN_USED_FROM {
            true => org_event::session(),
            false => org_event::token(TOKEN_ID, "backup"),
        };
        let (context, message) = about(action, status, victim, second);
        let draft = EventDraft {
            id: org_event::uuid(rng),
            time_ms: processed_ms - rng.i64(200..400),
            processed_ms,
            action,
            actor: people::actor(victim, auth),
            context,
            container: org_event::container(Api::OrgEvents, action),
            location: people::location(IP, ELSEWHERE),
            message,
            url: org_event::events_url(Api::OrgEvents),
        };
        draft.finish(&[])
    };
    steps().map(event).collect()
}

fn about(
    action: &str,
    status: &str,
    victim: &SamplePerson,
    second: &SamplePerson,
) -> (Vec<JsonText>, String) {
    let (context, deed) = match (action, status) {
        ("user_logged_in_as_user", _) => {
            (vec![org_event::user(second)], format!("logged in as {}", second.name))
        }
        ("ts_api_token_creation", _) => {
            (vec![org_event::thing("apiTokens", "backup")], "created API token backup".to_owned())
        }
        ("confluence_export_space_finished", _) => {
            (vec![org_event::thing("spaces", "Finance")], "exported space Finance".to_owned())
        }
        ("export_audit_log", _) => (vec![org_event::org()], "exported the audit log".to_owned()),
        (_, status) => {
            let deed = if status == "success" { "logged in" } else { "tried to log in" };
            (vec![org_event::user(victim), org_event::attempt(status)], deed.to_owned())
        }
    };
    (context, format!("{} {deed}", victim.name))
}

/// 02:47 UTC of the history's last night that was over an hour before the end; in a short history,
/// three hours before the end.
fn start_time(start: i64, end: i64) -> i64 {
    let night = |days_back: u64| {
        let day = Utc.timestamp_millis_opt(end).single()?.date_naive();
        let day = day.checked_sub_days(chrono::Days::new(days_back))?;
        let at = day.and_time(NaiveTime::from_hms_opt(2, 47, 0)?).and_utc();
        Some(at.timestamp_millis()).filter(|at| *at > start && at + HOUR_MS < end)
    };
    night(0).or_else(|| night(1)).unwrap_or(end - 3 * HOUR_MS)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::sandbox::DataOptions;

    #[test]
    fn the_incident_is_complete_and_alone_at_its_address() {
        let now: chrono::DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
        let options = DataOptions { now, ..DataOptions::default() };
        let events = super::super::compose_history(Api::OrgEvents, &options).0;
        let found: Vec<&SandboxRecord> =
            events.iter().filter(|event| event.text.contains(IP)).collect();
        assert_eq!(found.len(), SIZE);
        for (event, (_, action, status)) in found.iter().zip(steps()) {
            let event: Value = serde_json::from_str(&event.text).unwrap();
            assert_eq!(event["attributes"]["action"], action);
            let said = event.pointer("/attributes/context/1/attributes/status");
            assert_eq!(said.and_then(Value::as_str).unwrap_or_default(), status, "{event}");
        }
        assert_eq!(
            Utc.timestamp_millis_opt(found[0].time_ms).unwrap().format("%F %H:%M").to_string(),
            "2026-11-20 02:47"
        );
    }

    #[test]
    fn the_beginning_lies_in_the_window() {
        let day = 24 * HOUR_MS;
        for end in (0..48).map(|hour| 20_000 * day + hour * HOUR_MS / 2) {
            for days in [1, 30] {
                let (start, at) = (end - days * day, start_time(end - days * day, end));
                assert!(at > start && at + HOUR_MS / 2 < end, "{start} {at} {end}");
            }
        }
    }
}
