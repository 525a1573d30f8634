//! The history is what an invented company of a dozen people did for a month, drawn from a seed.
//!
//! Every name, address and id is invented. The shapes are those that Atlassian's models and other
//! collectors' fixtures show; `DataOptions::clean` leaves out the irregular ones (`ODD_SHAPES`).

mod actions;
mod clock;
mod confluence_record;
mod context;
mod datacenter_event;
pub mod incident;
mod jira_record;
mod org_event;
pub mod people;
mod record_kind;

pub use confluence_record::ConfluenceComposer;
pub use datacenter_event::DatacenterComposer;
pub use jira_record::JiraComposer;
pub use org_event::{OrgComposer, OrgEvent};
pub use record_kind::RecordComposer;

use super::{Api, DataOptions, records::SandboxRecord};

/// A history this small has no room for the incident.
const SMALLEST_WITH_INCIDENT: usize = 100;
/// Every so many events, several share a millisecond, across the point where a page of 50, 100, 200
/// or 500 ends.
const TIE_EVERY: usize = 100;
/// Events before and after that point that share it.
const TIE_REACH: usize = 4;
/// A record without id whose number is a multiple of one of these is its forerunner once more: in
/// the middle of pages, and where one of 50, 100 or 200 ends.
const REPEAT_EVERY: [usize; 2] = [47, TIE_EVERY];

/// The organization's history, composed in processing order into an `L`, and the composer that goes
/// on from it.
pub fn org_history<L>(options: &DataOptions) -> (L, OrgComposer)
where
    L: FromIterator<OrgEvent>,
{
    let mut composer = OrgComposer::new(options.seed, options.clean);
    let (start, end) = clock::window(options);
    let with_incident = options.org_events >= SMALLEST_WITH_INCIDENT;
    let incident_size = if with_incident { incident::STEPS.len() } else { 0 };
    let mut times = clock::draw(composer.rng(), start, end, options.org_events - incident_size);
    if !options.clean {
        share_milliseconds(&mut times);
    }
    let incident =
        if with_incident { incident::compose(&mut composer, start, end) } else { Vec::new() };
    let mut pending = incident.into_iter().peekable();
    let mut times = times.into_iter().enumerate().peekable();
    let events = std::iter::from_fn(|| {
        let next = times.peek().map(|(_, at)| *at);
        let incident = pending.next_if(|event| next.is_none_or(|at| event.processed_ms < at));
        incident.or_else(|| {
            let (number, at) = times.next()?;
            Some(composer.compose(at, !options.clean && number % 45 == 44))
        })
    });
    (events.collect(), composer)
}

/// Jira's history, composed oldest first into an `L`, and the composer that goes on from it.
pub fn jira_history<L>(options: &DataOptions) -> (L, JiraComposer)
where
    L: FromIterator<SandboxRecord>,
{
    let mut composer = JiraComposer::new(options.seed, options.clean);
    let times = times(&mut composer, options, options.jira_records);
    let records = times.into_iter().map(|at| composer.compose(at)).collect();
    (records, composer)
}

/// The same for Confluence. Some records are there twice: without an id they are equal in every
/// letter.
pub fn confluence_history<L>(options: &DataOptions) -> (L, ConfluenceComposer)
where
    L: FromIterator<SandboxRecord>,
{
    let mut composer = ConfluenceComposer::new(options.seed, options.clean);
    let times = times(&mut composer, options, options.confluence_records);
    let records = with_repeats(&mut composer, options, times).collect();
    (records, composer)
}

/// The same for Data Center, whose events have no id either.
pub fn datacenter_history<L>(options: &DataOptions) -> (L, DatacenterComposer)
where
    L: FromIterator<SandboxRecord>,
{
    let mut composer = DatacenterComposer::new(options.seed, options.clean);
    let times = times(&mut composer, options, options.datacenter_events);
    let records = with_repeats(&mut composer, options, times).collect();
    (records, composer)
}

fn times(composer: &mut impl RecordComposer, options: &DataOptions, count: usize) -> Vec<i64> {
    let (start, end) = clock::window(options);
    let mut times = clock::draw(composer.rng(), start, end, count);
    if !options.clean {
        share_milliseconds(&mut times);
    }
    times
}

/// Records of these times; now and then one is the one before it once more, also where a page may
/// end between both.
fn with_repeats(
    composer: &mut impl RecordComposer,
    options: &DataOptions,
    times: Vec<i64>,
) -> impl Iterator<Item = SandboxRecord> {
    let repeats = !options.clean;
    let mut last: Option<SandboxRecord> = None;
    times.into_iter().enumerate().map(move |(number, at)| {
        let again = repeats && number > 0 && REPEAT_EVERY.iter().any(|n| number % n == 0);
        let before = last.take().filter(|_| again);
        let record = before.unwrap_or_else(|| composer.compose(at));
        last = Some(record.clone());
        record
    })
}

/// The texts of `api`'s history, in the order in which it delivers them: organization events as
/// they were processed, all others newest first.
pub fn history(api: Api, options: &DataOptions) -> Vec<String> {
    let records: Vec<SandboxRecord> = match api {
        Api::OrgEvents => {
            let (events, _) = org_history::<Vec<_>>(options);
            return events.into_iter().map(|event| event.text).collect();
        }
        Api::JiraAudit => jira_history(options).0,
        Api::ConfluenceAudit => confluence_history(options).0,
        Api::DatacenterAudit => datacenter_history(options).0,
    };
    let newest_first = records.into_iter().rev();
    newest_first.map(|record| record.text).collect()
}

fn share_milliseconds(times: &mut [i64]) {
    for edge in (TIE_EVERY..times.len()).step_by(TIE_EVERY) {
        let first = edge - TIE_REACH;
        let at = times[first];
        let last = times.len().min(edge + TIE_REACH);
        times[first..last].fill(at);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use chrono::DateTime;
    use serde_json::Value;

    use super::*;

    fn options(clean: bool) -> DataOptions {
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        DataOptions { now, clean, ..DataOptions::default() }
    }

    fn parsed(clean: bool) -> Vec<Value> {
        let (events, _) = org_history::<Vec<_>>(&options(clean));
        events.iter().map(|event| serde_json::from_str(&event.text).unwrap()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        assert_eq!(
            org_history::<Vec<_>>(&options(false)).0,
            org_history::<Vec<_>>(&options(false)).0
        );
        assert_eq!(
            jira_history::<Vec<_>>(&options(false)).0,
            jira_history::<Vec<_>>(&options(false)).0
        );
        let other = DataOptions { seed: 8, ..options(false) };
        assert_ne!(org_history::<Vec<_>>(&options(false)).0, org_history::<Vec<_>>(&other).0);
    }

    #[test]
    fn the_history_is_complete_ordered_and_within_its_window() {
        for clean in [true, false] {
            let options = options(clean);
            let (events, _) = org_history::<Vec<_>>(&options);
            assert_eq!(events.len(), options.org_events);
            assert!(events.is_sorted_by_key(|event| event.processed_ms));
            let end = options.now.timestamp_millis();
            let start = end - i64::from(options.days) * 86_400_000;
            assert!(events[0].processed_ms >= start && events[2399].processed_ms <= end);
            let ids: HashSet<&str> = events.iter().map(|event| event.id.as_str()).collect();
            assert_eq!(ids.len(), events.len());
            let (records, _) = jira_history::<Vec<_>>(&options);
            assert_eq!(records.len(), options.jira_records);
            assert!(records.is_sorted_by_key(|record| record.created_ms));
            let ids: HashSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
            assert_eq!(ids.len(), records.len());
        }
    }

    #[test]
    fn what_the_log_sorts_by_is_what_the_text_says() {
        for event in org_history::<Vec<_>>(&options(false)).0 {
            let value: Value = serde_json::from_str(&event.text).unwrap();
            let at = |key: &str| {
                let text = value["attributes"][key].as_str().unwrap();
                DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
            };
            assert_eq!(at("processedAt"), event.processed_ms);
            assert_eq!(at("time"), event.time_ms);
            assert_eq!(value["id"], event.id.as_str());
        }
        for record in jira_history::<Vec<_>>(&options(false)).0 {
            let value: Value = serde_json::from_str(&record.text).unwrap();
            let created = value["created"].as_str().unwrap();
            let created = DateTime::parse_from_str(created, "%Y-%m-%dT%H:%M:%S%.3f%z").unwrap();
            assert_eq!(created.timestamp_millis(), record.created_ms);
            assert_eq!(value["id"].to_string(), record.id);
        }
    }

    #[test]
    fn records_without_an_id_repeat_and_tell_many_kinds() {
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
    fn ties_and_late_events_are_there_unless_clean() {
        for (clean, expected) in [(false, true), (true, false)] {
            let (events, _) = org_history::<Vec<_>>(&options(clean));
            let tied = events.windows(5).any(|five| five[0].processed_ms == five[4].processed_ms);
            let late = events.iter().any(|event| event.processed_ms - event.time_ms > 3_600_000);
            assert_eq!((tied, late), (expected, expected));
            assert!(events.iter().all(|event| event.time_ms <= event.processed_ms));
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
}
