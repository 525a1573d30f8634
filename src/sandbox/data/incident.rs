//! The one incident in the organization's history, for a reader to find.
//!
//! In the night before the history ends, somebody guesses the password of **Henk Dijkstra**, an
//! organization admin who works from Utrecht. From [`IP`], an address in a country where nobody of
//! the company works, come:
//!
//! 1. 14 `user_login_failed` within nine minutes,
//! 2. a `user_login` that succeeds,
//! 3. `user_logged_in_as_user`: Henk's session becomes that of **Ines Carvalho**, of finance,
//! 4. `api_token_created`: a token "backup" that outlives the session,
//! 5. `confluence_space_export` of the space Finance, and `org_audit_log_exported`, by that token.
//!
//! Nothing else in the history has that address. Histories of fewer than 100 events have no
//! incident.

use chrono::{NaiveTime, TimeZone, Utc};

use super::{
    context,
    org_event::{EventDraft, OrgComposer, OrgEvent},
    people::{self, PEOPLE, SampleAuth, SampleLocation, SamplePerson},
};
use crate::sandbox::json_text::quoted;

/// The intruder's address.
pub const IP: &str = "192.0.2.177";
/// The address of the admin whose account is taken.
pub const VICTIM_EMAIL: &str = "henk.dijkstra@lindenfell.example";
/// What happens: seconds from the beginning, and the action.
#[rustfmt::skip] // a table reads as a table
pub const STEPS: [(i64, &str); 19] = [
    (0, "user_login_failed"), (31, "user_login_failed"), (58, "user_login_failed"), (97, "user_login_failed"),
    (133, "user_login_failed"), (170, "user_login_failed"), (214, "user_login_failed"), (249, "user_login_failed"),
    (291, "user_login_failed"), (338, "user_login_failed"), (377, "user_login_failed"), (421, "user_login_failed"),
    (466, "user_login_failed"), (512, "user_login_failed"),
    (561, "user_login"),
    (742, "user_logged_in_as_user"),
    (905, "api_token_created"),
    (1188, "confluence_space_export"),
    (1391, "org_audit_log_exported"),
];

const ELSEWHERE: SampleLocation = SampleLocation {
    country: "Iceland",
    region: "Capital Region",
    city: "Reykjavik",
    geo: "64.15,-21.94",
};
const TOKEN_ID: &str = "tok-9f20c7";
/// From when on the token is used.
const TOKEN_USED_FROM: i64 = 1000;
const HOUR_MS: i64 = 3_600_000;

/// The incident's events, in order, within the window from `start` to `end`.
pub(super) fn compose(composer: &mut OrgComposer, start: i64, end: i64) -> Vec<OrgEvent> {
    let begin = start_time(start, end);
    let (victim, second) = (&PEOPLE[1], &PEOPLE[7]);
    STEPS
        .iter()
        .map(|(seconds, action)| {
            let processed_ms = begin + seconds * 1000 + composer.rng().i64(400..900);
            let token = SampleAuth {
                kind: "api-token",
                token_id: Some(TOKEN_ID.to_owned()),
                label: "backup",
            };
            let auth = if *seconds < TOKEN_USED_FROM { SampleAuth::SESSION } else { token };
            let (item, says) = about(action, victim, second);
            let draft = EventDraft {
                id: composer.uuid(),
                time_ms: processed_ms - composer.rng().i64(200..400),
                processed_ms,
                action: (*action).to_owned(),
                actor: Some(people::actor(victim, &auth)),
                context: Some(vec![item]),
                container: Some(context::container(action)),
                location: Some(people::location(IP, &ELSEWHERE)),
                message: Some(quoted(&says)),
                more_attributes: Vec::new(),
                more: Vec::new(),
            };
            draft.finish()
        })
        .collect()
}

fn about(action: &str, victim: &SamplePerson, second: &SamplePerson) -> (String, String) {
    let name = victim.name;
    match action {
        "user_logged_in_as_user" => {
            (context::user(second), format!("{name} logged in as {}", second.name))
        }
        "api_token_created" => {
            (context::thing("apiTokens", "backup"), format!("{name} created API token backup"))
        }
        "confluence_space_export" => {
            (context::thing("spaces", "Finance"), format!("{name} exported space Finance"))
        }
        "org_audit_log_exported" => (context::org(), format!("{name} exported the audit log")),
        "user_login" => (context::user(victim), format!("{name} logged in")),
        _ => (context::user(victim), format!("{name} failed to log in")),
    }
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
    use super::*;
    use crate::sandbox::DataOptions;

    #[test]
    fn the_incident_is_complete_and_alone_at_its_address() {
        let now: chrono::DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
        let (events, _) = crate::sandbox::data::org_history::<Vec<_>>(&DataOptions {
            now,
            ..DataOptions::default()
        });
        let found: Vec<&OrgEvent> = events.iter().filter(|event| event.text.contains(IP)).collect();
        assert_eq!(found.len(), STEPS.len());
        for (event, (_, action)) in found.iter().zip(STEPS) {
            assert!(event.text.contains(&format!("\"action\":\"{action}\"")), "{}", event.text);
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
