//! The history is what an invented company of a dozen people did for a month, drawn from a seed.
//!
//! Every name, address and id is invented. The shapes are those that Atlassian's models and other
//! collectors' fixtures show; `DataOptions::clean` leaves out the irregular ones.

mod composer;
mod incident;
pub mod org_event;
pub mod people;
mod product_records;
mod record_table;

pub use composer::{RecordComposer, search_performed};
pub use org_event::uuid;
pub use record_table::lines as table_lines;

use fastrand::Rng;

use super::{Api, DataOptions, record_log::SandboxRecord};

/// A history this small has no room for the incident.
const SMALLEST_WITH_INCIDENT: usize = 100;
/// Every so many events, several share a millisecond, across the point where a page of 50, 100, 200
/// or 500 ends.
const TIE_EVERY: usize = 100;
/// Events before and after that point that share it.
const TIE_REACH: usize = 4;
/// A record without id whose number is a multiple of one of these repeats its forerunner: in
/// the middle of pages, and where one of 50, 100 or 200 ends.
const REPEAT_EVERY: [usize; 2] = [47, TIE_EVERY];
/// One event of the organization, or of a workspace, in so many is late.
const LATE_EVERY: usize = 45;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Activity in each hour of the day, UTC; the busiest hour has [`BUSIEST`].
const HOURS: [u32; 24] =
    [2, 1, 1, 1, 1, 3, 6, 15, 31, 39, 40, 35, 26, 35, 38, 37, 29, 17, 9, 7, 6, 4, 3, 2];
const BUSIEST: u32 = 40;
/// A weekend has this part of a weekday's activity.
const WEEKEND_PART: u32 = 6;

/// The history of `api` in the order of its times, and the composer that continues from it.
///
/// Some records of Confluence and Data Center are there twice: without an id they are equal in
/// every letter.
pub fn compose_history(api: Api, options: &DataOptions) -> (Vec<SandboxRecord>, RecordComposer) {
    let count = match api {
        Api::OrgEvents => options.org_events,
        Api::JiraAudit => options.jira_records,
        Api::ConfluenceAudit => options.confluence_records,
        Api::DatacenterAudit => options.datacenter_events,
        Api::JiraWorkspace | Api::ConfluenceWorkspace => options.workspace_events,
    };
    let mut composer = RecordComposer::new(api, options.seed, options.clean);
    let end = options.now.timestamp_millis();
    let start = end - i64::from(options.days.max(1)) * DAY_MS;
    let has_incident = api == Api::OrgEvents && count >= SMALLEST_WITH_INCIDENT;
    let incident_size = if has_incident { incident::SIZE } else { 0 };
    let mut times = draw_times(&mut composer.rng, start, end, count - incident_size);
    if !options.clean {
        share_milliseconds(&mut times);
    }
    let incident = match has_incident {
        true => incident::compose(&mut composer.rng, start, end),
        false => Vec::new(),
    };
    let mut incident = incident.into_iter().peekable();
    let has_repeats = !options.clean && matches!(api, Api::ConfluenceAudit | Api::DatacenterAudit);
    let mut records: Vec<SandboxRecord> = Vec::with_capacity(count);
    for (number, at) in times.into_iter().enumerate() {
        while let Some(event) = incident.next_if(|event| event.created_ms < at) {
            records.push(event);
        }
        let is_repeat = has_repeats && REPEAT_EVERY.iter().any(|every| number % every == 0);
        let record = match records.last() {
            Some(last) if is_repeat => last.clone(),
            _ => composer.compose(at, number % LATE_EVERY == LATE_EVERY - 1),
        };
        records.push(record);
    }
    records.extend(incident);
    (records, composer)
}

/// The texts of `api`'s history, in the order in which it delivers them: organization events as
/// they were processed, all others newest first.
pub fn history(api: Api, options: &DataOptions) -> Vec<String> {
    let texts = compose_history(api, options).0.into_iter().map(|record| record.text);
    match api {
        Api::OrgEvents => texts.collect(),
        _ => texts.rev().collect(),
    }
}

fn share_milliseconds(times: &mut [i64]) {
    for edge in (TIE_EVERY..times.len()).step_by(TIE_EVERY) {
        let first = edge - TIE_REACH;
        let at = times[first];
        let last = times.len().min(edge + TIE_REACH);
        times[first..last].fill(at);
    }
}

/// `count` moments of the window, sorted: people work by day and on weekdays.
fn draw_times(rng: &mut Rng, start: i64, end: i64, count: usize) -> Vec<i64> {
    let mut times: Vec<i64> = (0..count).map(|_| moment(rng, start, end)).collect();
    times.sort_unstable();
    times
}

fn moment(rng: &mut Rng, start: i64, end: i64) -> i64 {
    loop {
        let at = rng.i64(start..=end);
        let hour = usize::try_from(at.rem_euclid(DAY_MS) / HOUR_MS).unwrap_or_default();
        // 1970-01-01 was a Thursday; 0 is Sunday.
        let weekday = (at.div_euclid(DAY_MS) + 4).rem_euclid(7);
        let activity = match weekday {
            0 | 6 => (HOURS[hour] / WEEKEND_PART).max(1),
            _ => HOURS[hour],
        };
        if rng.u32(0..BUSIEST) < activity {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use chrono::DateTime;
    use serde_json::Value;

    use super::*;

    fn options(clean: bool) -> DataOptions {
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        DataOptions { now, clean, ..DataOptions::default() }
    }

    fn records(api: Api, options: &DataOptions) -> Vec<SandboxRecord> {
        compose_history(api, options).0
    }

    fn parsed(clean: bool) -> Vec<Value> {
        let events = records(Api::OrgEvents, &options(clean));
        events.iter().map(|event| serde_json::from_str(&event.text).unwrap()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let other = DataOptions { seed: 8, ..options(false) };
        for api in Api::ALL {
            assert_eq!(records(api, &options(false)), records(api, &options(false)));
            assert_ne!(records(api, &options(false)), records(api, &other));
        }
    }

    #[test]
    fn the_history_is_complete_ordered_and_within_its_window() {
        for clean in [true, false] {
            let options = options(clean);
            let events = records(Api::OrgEvents, &options);
            assert_eq!(events.len(), options.org_events);
            assert!(events.is_sorted_by_key(|event| event.created_ms));
            let end = options.now.timestamp_millis();
            let start = end - i64::from(options.days) * 86_400_000;
            assert!(events[0].created_ms >= start && events[2399].created_ms <= end);
            let ids: HashSet<&str> = events.iter().map(|event| event.id.as_str()).collect();
            assert_eq!(ids.len(), events.len());
            let records = records(Api::JiraAudit, &options);
            assert_eq!(records.len(), options.jira_records);
            assert!(records.is_sorted_by_key(|record| record.created_ms));
            let ids: HashSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
            assert_eq!(ids.len(), records.len());
        }
    }

    #[test]
    fn what_the_log_sorts_by_is_what_the_text_says() {
        for event in records(Api::OrgEvents, &options(false)) {
            let value: Value = serde_json::from_str(&event.text).unwrap();
            let at = |key: &str| {
                let text = value["attributes"][key].as_str().unwrap();
                DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
            };
            assert_eq!(at("processedAt"), event.created_ms);
            assert_eq!(at("time"), event.time_ms);
            assert_eq!(value["id"], event.id.as_str());
        }
        for record in records(Api::JiraAudit, &options(false)) {
            let value: Value = serde_json::from_str(&record.text).unwrap();
            let created = value["created"].as_str().unwrap();
            let created = DateTime::parse_from_str(created, "%Y-%m-%dT%H:%M:%S%.3f%z").unwrap();
            assert_eq!(created.timestamp_millis(), record.created_ms);
            assert_eq!(value["id"].to_string(), record.id);
        }
    }

    #[test]
    fn records_without_an_id_repeat_and_are_of_many_kinds() {
        for clean in [true, false] {
            let options = options(clean);
            for (api, kind, time) in [
                (Api::ConfluenceAudit, "/summary", "/creationDate"),
                (Api::DatacenterAudit, "/type/action", "/timestamp"),
            ] {
                let texts = history(api, &options);
                assert_eq!(texts.len(), 300);
                assert_eq!(texts, history(api, &options));
                let repeats = texts.windows(2).filter(|pair| pair[0] == pair[1]);
                assert_eq!(repeats.count() >= 8, !clean, "{api:?}");
                let mut kinds = HashSet::new();
                for text in &texts {
                    let value: Value = serde_json::from_str(text)
                        .unwrap_or_else(|error| panic!("{error}: {text}"));
                    let kind = value.pointer(kind).and_then(Value::as_str).unwrap();
                    assert!(value.pointer(time).is_some() && !kind.is_empty(), "{text}");
                    kinds.insert(kind.to_owned());
                }
                assert!(kinds.len() >= 20, "{api:?}: {kinds:?}");
                let all = texts.concat();
                assert!(!clean || !all.contains("null,\"type\"") && !all.contains("🔭"));
            }
        }
        let confluence = history(Api::ConfluenceAudit, &options(false)).concat();
        let datacenter = history(Api::DatacenterAudit, &options(false)).concat();
        for mark in
            ["Unknown user", "\"author\":null", "🔭", "hiddenNewValue\":\"712020", "\\u0070"]
        {
            assert!(confluence.contains(mark), "{mark}");
        }
        for mark in
            ["\"id\":\"-1\"", "Audit Log search performed", "🔭", "\"from\":null", "\\u0063"]
        {
            assert!(datacenter.contains(mark), "{mark}");
        }
    }

    #[test]
    fn many_kinds_of_action_and_both_time_formats() {
        let events = parsed(false);
        let actions: HashSet<&str> =
            events.iter().filter_map(|event| event["attributes"]["action"].as_str()).collect();
        assert!(actions.len() >= 40, "{}", actions.len());
        let plain = |event: &&Value| event["attributes"]["time"].as_str().unwrap().len() == 20;
        let without_millis = events.iter().filter(plain).count();
        assert!((20..1200).contains(&without_millis), "{without_millis}");
        let mean = events.iter().map(|event| event.to_string().len()).sum::<usize>() / events.len();
        assert!((700..=1200).contains(&mean), "{mean} bytes");
    }

    #[test]
    fn the_catalogue_has_each_action_of_the_history_once() {
        let (events, composer) = compose_history(Api::OrgEvents, &options(false));
        let catalogue: Vec<&str> = composer.actions().map(|(action, _)| action).collect();
        let distinct: HashSet<&str> = catalogue.iter().copied().collect();
        assert_eq!(distinct.len(), catalogue.len());
        for event in events {
            let event: Value = serde_json::from_str(&event.text).unwrap();
            assert!(distinct.contains(event["attributes"]["action"].as_str().unwrap()), "{event}");
        }
    }

    #[test]
    fn each_product_of_datacenter_writes_its_own_keys_and_addresses() {
        let texts = history(Api::DatacenterAudit, &options(true)).into_iter();
        let mut products: BTreeMap<String, usize> = BTreeMap::new();
        for text in texts {
            let event: Value = serde_json::from_str(&text).unwrap();
            let system = event["system"].as_str().unwrap();
            let key = event["type"]["actionI18nKey"].as_str().unwrap();
            let product = system.strip_prefix("https://").unwrap().split('.').next().unwrap();
            let starts: &[&str] = match product {
                "bitbucket" => &["bitbucket."],
                "confluence" => &["audit.logging.summary."],
                _ => &["jira.auditing.", "personal.access.tokens.", "atlassian.audit."],
            };
            assert!(starts.iter().any(|start| key.starts_with(start)), "{event}");
            assert!(event["author"]["uri"].as_str().unwrap().starts_with(system), "{event}");
            *products.entry(product.to_owned()).or_default() += 1;
        }
        assert_eq!(products.len(), 3, "{products:?}");
        assert!(products.values().all(|count| *count >= 20), "{products:?}");
    }

    #[test]
    fn ties_and_late_events_are_there_unless_clean() {
        for (clean, expected) in [(false, true), (true, false)] {
            let events = records(Api::OrgEvents, &options(clean));
            let tied = events.windows(5).any(|five| five[0].created_ms == five[4].created_ms);
            let late = events.iter().any(|event| event.created_ms - event.time_ms > 3_600_000);
            assert_eq!((tied, late), (expected, expected));
            assert!(events.iter().all(|event| event.time_ms <= event.created_ms));
        }
    }

    #[test]
    fn a_clean_history_is_regular() {
        for event in parsed(true) {
            let attributes = &event["attributes"];
            assert!(attributes["actor"]["name"].is_string(), "{event}");
            assert!(attributes["actor"]["email"].as_str().unwrap().contains('@'), "{event}");
            assert!(attributes["location"]["city"].as_str().is_some_and(|city| !city.is_empty()));
            assert!(attributes["container"][0]["id"].is_string());
            assert!(!event["message"]["content"].as_str().unwrap().contains('{'), "{event}");
        }
    }

    #[test]
    fn every_shape_is_json_and_keeps_id_and_action() {
        let options = DataOptions { org_events: 600, ..DataOptions::default() };
        for text in history(Api::OrgEvents, &options) {
            let value: Value =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert!(value["id"].is_string() && value["attributes"]["action"].is_string());
        }
    }

    #[test]
    fn some_hundred_events_have_every_shape() {
        let options = DataOptions { org_events: 400, ..DataOptions::default() };
        let all = history(Api::OrgEvents, &options).concat();
        for mark in [
            "12345678901234567890123",
            "\"actor\":null",
            "Atlassian app",
            "5b10a2844c20165700ede21f",
            "557058:",
            "passkey-handover",
            "onBehalfOf",
            "\\u001b",
            "\\/",
            "\u{202e}",
            "🔭",
            "\"second\"",
            "\"city\":\"\"",
        ] {
            assert!(all.contains(mark), "{mark}");
        }
    }

    #[test]
    fn events_of_workspaces_are_of_many_kinds_and_some_name_an_issue() {
        for clean in [true, false] {
            for api in [Api::JiraWorkspace, Api::ConfluenceWorkspace] {
                let events = records(api, &options(clean));
                assert_eq!(events.len(), 300);
                assert!(events.is_sorted_by_key(|event| event.created_ms));
                let late = events.iter().any(|event| event.created_ms - event.time_ms > HOUR_MS);
                assert_eq!(late, !clean);
                let (mut actions, mut issues) = (HashSet::new(), 0);
                for event in &events {
                    let value: Value = serde_json::from_str(&event.text).unwrap();
                    assert_eq!(
                        (&value["type"], &value["id"]),
                        (&"events".into(), &event.id.as_str().into())
                    );
                    let attributes = &value["attributes"];
                    actions.insert(attributes["action"].as_str().unwrap().to_owned());
                    let site = &attributes["container"][0];
                    assert!(!clean || site["id"] == crate::sandbox::CLOUD_ID, "{value}");
                    if let Some(key) = site["attributes"]["issueKeyOrId"].as_str() {
                        assert!(site["links"]["alt"].as_str().unwrap().ends_with(key));
                        issues += usize::from(attributes["context"] == Value::Array(Vec::new()));
                    }
                }
                assert!(actions.len() >= 14 && issues >= 8, "{api:?}: {issues} {actions:?}");
            }
        }
    }

    #[test]
    fn more_happens_at_ten_than_at_three() {
        let start = 20_000 * DAY_MS;
        let times = draw_times(&mut Rng::with_seed(1), start, start + 28 * DAY_MS, 5000);
        let in_hour =
            |hour: i64| times.iter().filter(|at| at.rem_euclid(DAY_MS) / HOUR_MS == hour).count();
        assert!(in_hour(10) > 10 * in_hour(3), "{} {}", in_hour(10), in_hour(3));
        assert!(times.is_sorted());
    }
}
