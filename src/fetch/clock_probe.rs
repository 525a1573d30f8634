//! Finds out which time of an event a server's `from` and `to` compare with, where no documentation
//! says so: an event is asked for by the time at which it happened, and by that at which it was
//! processed. No I/O.

use chrono::TimeDelta;

use crate::model::record::Record;
use crate::model::time::{Timestamp, Window, floor};
use crate::source::api_reading::EventClock;
use crate::source::{Page, Source};

/// Records of a page that are asked for.
const MAX_PROBES: usize = 3;

/// A record, and the time ranges around its two times.
#[derive(Debug)]
pub struct ClockProbe<'a> {
    record: &'a Record,
    /// First that at which it happened, then that at which it was processed.
    pub windows: [Window; 2],
    /// Whether the times lie in different seconds, so that whole seconds can be asked for: a server
    /// may compare no more than these.
    is_clear: bool,
}

impl ClockProbe<'_> {
    /// The records of `page` that can tell, the clearest first.
    pub fn on<'a>(page: &'a Page, source: &Source) -> Vec<ClockProbe<'a>> {
        let probes = page.records.iter().filter_map(|record| ClockProbe::of(record, source));
        let mut probes: Vec<_> = probes.collect();
        probes.sort_by_key(|probe| !probe.is_clear);
        probes.truncate(MAX_PROBES);
        probes
    }

    fn of<'a>(record: &'a Record, source: &Source) -> Option<ClockProbe<'a>> {
        let times = [record.time?, source.processed_time(record)?];
        let seconds = times.map(|time| floor(time, TimeDelta::seconds(1)));
        let is_clear = seconds[0] != seconds[1];
        let range = |from: Timestamp, length| Window { from, to: Some(from + length) };
        let windows = match is_clear {
            true => seconds.map(|second| range(second, TimeDelta::milliseconds(999))),
            false => times.map(|time| range(time, TimeDelta::zero())),
        };
        (times[0] != times[1]).then_some(ClockProbe { record, windows, is_clear })
    }

    /// Whether the record is on `page`.
    pub fn is_on(&self, page: &Page) -> bool {
        page.records.iter().any(|found| found.identity() == self.record.identity())
    }

    /// The clock of a server that finds the record by these of its times, if that shows it.
    ///
    /// # Errors
    /// It is found by neither, so that no time range can be relied on.
    pub fn clock(&self, found: [bool; 2]) -> Result<Option<EventClock>, &'static str> {
        match found {
            [true, false] => Ok(Some(EventClock::Happened)),
            [false, true] => Ok(Some(EventClock::Processed)),
            [false, false] if self.is_clear => {
                Err("the server finds an event neither by the time \
                at which it happened nor by that at which it was processed")
            }
            // It compares whole seconds, or does not compare at all.
            [false, false] | [true, true] => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::http::message::Response;
    use crate::model::name::SourceKind;
    use crate::source::PageLocator;

    #[test]
    fn the_clearest_records_are_asked_for_first() {
        let url = "https://api.example".parse().unwrap();
        let source = Source::new(SourceKind::WorkspaceEvents, &url, Some("w"), 500);
        let event = |id, time: &str, processed: &str| {
            format!(
                r#"{{"id":"{id}","attributes":{{"time":"2026-11-20T{time}Z"{processed}}}}}"#,
                processed = match processed {
                    "" => String::new(),
                    at => format!(r#","processedAt":"2026-11-20T{at}Z""#),
                }
            )
        };
        let events = [
            event("none", "09:00:00.100", ""),
            event("same", "09:00:00.100", "09:00:00.100"),
            event("near", "09:00:00.100", "09:00:00.900"),
            event("far", "09:00:00.100", "09:00:01.050"),
        ];
        let body = Bytes::from(format!(r#"{{"data":[{}]}}"#, events.join(",")));
        let response = Response { status: 200, headers: Vec::new(), body };
        let page = source.read(&PageLocator::Start, &response).unwrap();
        let probes = ClockProbe::on(&page, &source);
        let ids: Vec<_> = probes.iter().map(|probe| probe.record.id.as_deref().unwrap()).collect();
        assert_eq!(ids, ["far", "near"]);
        let length = |window: &Window| (window.to.unwrap() - window.from).num_milliseconds();
        assert_eq!(probes[0].windows.each_ref().map(length), [999, 999]);
        assert_eq!(probes[1].windows.each_ref().map(length), [0, 0]);
        assert!(probes[0].is_on(&page));
        assert_eq!(probes[1].clock([false, true]), Ok(Some(EventClock::Processed)));
        assert_eq!(probes[1].clock([false, false]), Ok(None));
        assert!(probes[0].clock([false, false]).is_err());
    }
}
