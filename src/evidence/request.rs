//! What an export remembers of itself until it is complete: the request in its own words, and
//! each run. The same request resumes it, a different one does not.

use serde::{Deserialize, Serialize};

use super::manifest::{ExportParameters, RunEntry};
use crate::model::time::{Timestamp, truncate_to_millis};
use crate::model::typed_time::ResolvedTime;

/// The format of what is remembered.
const SCHEMA: &str = "atlaudit/export/1";

/// What is said of a run that has not said how it ended.
const KILLED: &str = "killed";

/// What somebody asks for, as they word it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportSpec {
    /// `--since`
    pub since: ResolvedTime,
    /// `--until`; without it the export ends where its first run began.
    pub until: Option<ResolvedTime>,
    /// The sources' names, in the order of the configuration.
    pub sources: Vec<String>,
    /// `--keep-bodies`
    pub keep_bodies: bool,
    /// `--detect`
    pub detect: bool,
}

impl ExportSpec {
    /// What that means for an export that begins `now`.
    fn resolve(&self, now: Timestamp) -> ExportParameters {
        ExportParameters {
            since: self.since.at,
            until: self.until.map_or(truncate_to_millis(now), |until| until.at),
            sources: self.sources.clone(),
            keep_bodies: self.keep_bodies,
            detect: self.detect,
        }
    }
}

/// What an export remembers until it is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedExportRequest {
    schema: String,
    /// What was requested.
    pub asked: ExportParameters,
    /// The words for its times: `7d` means a different time in each run.
    since: String,
    until: Option<String>,
    /// Every start of the program for it.
    pub runs: Vec<RunEntry>,
    /// Whether it is complete and has its manifest.
    pub is_sealed: bool,
}

impl SavedExportRequest {
    /// A request that is made now.
    pub fn new(wanted: &ExportSpec, now: Timestamp) -> SavedExportRequest {
        SavedExportRequest {
            schema: SCHEMA.to_owned(),
            asked: wanted.resolve(now),
            since: wanted.since.to_string(),
            until: wanted.until.map(|until| until.to_string()),
            runs: Vec::new(),
            is_sealed: false,
        }
    }

    /// What `text` remembers; nothing where it is not of this format.
    pub fn read(text: &[u8]) -> Option<SavedExportRequest> {
        let request: SavedExportRequest = serde_json::from_slice(text).ok()?;
        (request.schema == SCHEMA).then_some(request)
    }

    /// The text that [`SavedExportRequest::read`] reads.
    pub fn text(&self) -> Vec<u8> {
        // Into memory, which takes everything.
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// In what `wanted` differs from it, in words; nothing where it asks for the same.
    pub fn difference(&self, wanted: &ExportSpec) -> Option<String> {
        let asked = &self.asked;
        if !is_same_time(&self.since, asked.since, wanted.since) {
            let now = wanted.since;
            return Some(format!("`--since` was {}, and is {now} now", self.since));
        }
        match (&self.until, wanted.until) {
            (None, None) => {}
            (_, Some(now)) if now.at == asked.until => {}
            (Some(then), Some(now)) if is_same_time(then, asked.until, now) => {}
            (then, now) => {
                let now = now.map(|until| until.to_string());
                let word = |until: &Option<String>| until.clone().unwrap_or("not given".to_owned());
                let (then, now) = (word(then), word(&now));
                return Some(format!("`--until` was {then}, and is {now} now"));
            }
        }
        if sorted(&asked.sources) != sorted(&wanted.sources) {
            let (then, now) = (asked.sources.join(", "), wanted.sources.join(", "));
            return Some(format!("the sources were {then}, and are {now} now"));
        }
        let is = |given| if given { "given" } else { "not given" };
        let mut flags = [
            ("--keep-bodies", asked.keep_bodies, wanted.keep_bodies),
            ("--detect", asked.detect, wanted.detect),
        ]
        .into_iter();
        let (flag, then, now) = flags.find(|(_, then, now)| then != now)?;
        Some(format!("`{flag}` was {}, and is {} now", is(then), is(now)))
    }

    /// A run begins. Should it never say how it ended, it was killed.
    pub fn begin_run(&mut self, now: Timestamp, extra_actions_sha256: Option<String>) {
        self.runs.push(RunEntry {
            started: truncate_to_millis(now),
            finished: None,
            ended: KILLED.to_owned(),
            extra_actions_sha256,
        });
    }

    /// The run that began last is over.
    pub fn end_run(&mut self, now: Timestamp, ended: &str) {
        if let Some(run) = self.runs.last_mut() {
            run.finished = Some(truncate_to_millis(now));
            ended.clone_into(&mut run.ended);
        }
    }
}

/// The configuration may have been reordered.
fn sorted(names: &[String]) -> Vec<&String> {
    let mut names: Vec<_> = names.iter().collect();
    names.sort();
    names
}

/// Whether `now` means the time that `then` meant: by its words, or by what they meant then.
fn is_same_time(then: &str, meant: Timestamp, now: ResolvedTime) -> bool {
    now.at == meant || then == now.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;
    use crate::model::typed_time::TypedTime;
    use crate::model::user_zone::UserZone;
    use proptest::prelude::*;

    fn wanted(since: &str, until: Option<&str>) -> ExportSpec {
        wanted_at(now(), "UTC", since, until)
    }

    /// What is wanted with the zone `zone`.
    fn wanted_at(now: Timestamp, zone: &str, since: &str, until: Option<&str>) -> ExportSpec {
        let typed = |text: &str| {
            let typed: TypedTime = text.parse().unwrap();
            typed.with_meaning(now, zone.parse().unwrap()).unwrap()
        };
        ExportSpec {
            since: typed(since),
            until: until.map(typed),
            sources: vec!["acme".to_owned(), "acme-jira".to_owned()],
            keep_bodies: false,
            detect: false,
        }
    }

    fn now() -> Timestamp {
        parse_api_time("2026-11-20T12:00:00.123Z").unwrap()
    }

    fn begun(since: &str, until: Option<&str>) -> SavedExportRequest {
        SavedExportRequest::new(&wanted(since, until), now())
    }

    #[test]
    fn the_same_words_or_the_same_times_are_the_same_request() {
        let begun_7d = begun("7d", None);
        let resolved = "2026-11-13T12:00:00.123Z";
        for since in ["7d", "168h", resolved, "2026-11-13T13:00:00.123+01:00"] {
            assert_eq!(begun_7d.difference(&wanted(since, None)), None, "{since}");
        }
        // Who now says the end that it took.
        let until = Some("2026-11-20T12:00:00.123Z");
        assert_eq!(begun_7d.difference(&wanted("7d", until)), None);
        let mut turned = wanted("7d", None);
        turned.sources.reverse();
        assert_eq!(begun_7d.difference(&turned), None);
        let both = begun("2026-11-01", Some("2d"));
        assert_eq!(both.difference(&wanted("2026-11-01T00:00:00Z", Some("48h"))), None);
    }

    #[test]
    fn words_mean_what_they_meant_first() {
        let later = parse_api_time("2026-12-01T09:00:00Z").unwrap();
        let first = wanted_at(now(), "Europe/Berlin", "monday", Some("yesterday 14:00"));
        let begun = SavedExportRequest::new(&first, now());
        assert_eq!(begun.asked.since, parse_api_time("2026-11-15T23:00:00Z").unwrap());
        let same = wanted_at(later, "europe/berlin", "Mon", Some("YESTERDAY  14:00:00"));
        assert_eq!(begun.difference(&same), None);
        let resolved = wanted_at(later, "Asia/Tokyo", "2026-11-16 08:00", Some("1763643600000"));
        let until = begun.difference(&resolved).unwrap();
        assert!(until.starts_with("`--until` was yesterday 14:00 (Europe/Berlin), and is 2025-"));
        let elsewhere = wanted_at(later, "UTC", "monday", Some("yesterday 14:00"));
        assert_eq!(
            begun.difference(&elsewhere).unwrap(),
            "`--since` was monday (Europe/Berlin), and is monday (UTC) now"
        );
        // A day of the calendar is in a zone, too.
        let begun = SavedExportRequest::new(&wanted("2026-11-01", None), now());
        assert_eq!(begun.difference(&wanted_at(later, "UTC", "2026-11-1", None)), None);
        assert!(begun.difference(&wanted_at(later, "Asia/Tokyo", "2026-11-1", None)).is_some());
    }

    #[test]
    fn a_different_request_names_the_difference() {
        let begun = begun("7d", Some("1d"));
        let differs = |wanted: &ExportSpec| begun.difference(wanted).unwrap();
        let since = differs(&wanted("8d", Some("1d")));
        assert_eq!(since, "`--since` was 7d, and is 8d now");
        let until = differs(&wanted("7d", None));
        assert_eq!(until, "`--until` was 1d, and is not given now");
        let mut fewer = wanted("7d", Some("1d"));
        fewer.sources.pop();
        let sources = differs(&fewer);
        assert_eq!(sources, "the sources were acme, acme-jira, and are acme now");
        let mut bodies = wanted("7d", Some("1d"));
        bodies.keep_bodies = true;
        assert!(differs(&bodies).contains("`--keep-bodies`"));
        let detect = ExportSpec { detect: true, ..wanted("7d", Some("1d")) };
        assert_eq!(differs(&detect), "`--detect` was not given, and is given now");
    }

    #[test]
    fn a_run_without_an_end_was_killed() {
        let mut request = begun("7d", None);
        request.begin_run(now(), None);
        request.begin_run(now(), None);
        request.end_run(now(), "finished");
        let read = SavedExportRequest::read(&request.text()).unwrap();
        assert_eq!(read, request);
        let ends: Vec<_> = read.runs.iter().map(|run| run.ended.as_str()).collect();
        assert_eq!(ends, ["killed", "finished"]);
        assert_eq!(read.runs[0].finished, None);
    }

    #[test]
    fn an_unknown_format_is_not_read() {
        let other = String::from_utf8(begun("7d", None).text()).unwrap();
        let other = other.replace("atlaudit/export/1", "atlaudit/export/2");
        for text in ["", "{", "{}", "[]", &other] {
            assert_eq!(SavedExportRequest::read(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_was_asked_is_the_same_when_it_is_asked_again(
            since_ms in 0_u64..10_000_000_000,
            until_ms in prop::option::of(0_u64..10_000_000_000),
            is_ago: bool,
            later_ms in 0_i64..1_000_000_000,
        ) {
            let time = |ms: u64| {
                let typed = match is_ago {
                    true => TypedTime::Ago(std::time::Duration::from_millis(ms)),
                    false => TypedTime::At(Timestamp::from_timestamp_millis(ms as i64).unwrap()),
                };
                typed.with_meaning(now(), UserZone::UTC).unwrap()
            };
            let (since, until) = (time(since_ms), until_ms.map(time));
            let wanted = ExportSpec { since, until, ..wanted("7d", None) };
            let request = SavedExportRequest::new(&wanted, now());
            let read = SavedExportRequest::read(&request.text()).unwrap();
            prop_assert_eq!(read.difference(&wanted), None);
            let fixed = ExportSpec {
                since: read.asked.since.into(),
                until: Some(read.asked.until.into()),
                ..wanted.clone()
            };
            prop_assert_eq!(read.difference(&fixed), None);
            let later = read.asked.since + chrono::TimeDelta::milliseconds(later_ms + 1);
            let other = ExportSpec { since: later.into(), ..wanted };
            prop_assert!(read.difference(&other).is_some());
        }
    }
}
