//! Plans what a run of an export reads, from its checkpoint and the request. No I/O. The window
//! has a fixed end, which an interrupted run keeps, whatever the clock says.

use crate::fetch::plan::{self, LookbackSettings, ReadPlan};
use crate::model::time::{Timestamp, Window};
use crate::source::DeliveryOrder;
use crate::state::checkpoint::{Checkpoint, OpenWindow};

/// The plan of an export of `window` that goes on from `checkpoint`, where an earlier run left one.
pub fn plan(
    order: DeliveryOrder,
    reach: &LookbackSettings,
    window: Window,
    checkpoint: Option<&Checkpoint>,
    now: Timestamp,
) -> ReadPlan {
    let first = plan::one_off(order, reach, window, now);
    let Some(checkpoint) = checkpoint else {
        return first;
    };
    let is_read = checkpoint.complete_until.is_some();
    let open = checkpoint.windows.iter().filter(|_| !is_read);
    let windows: Vec<_> = open.map(|open| goes_on(order, open)).collect();
    ReadPlan {
        rereads: windows.iter().any(|window| window.rereads),
        windows,
        event_filter: first.event_filter,
        watermark: checkpoint.watermark,
        since: first.since,
    }
}

/// Behind its cursor a stream has only news. Anything else is read by time, and what it begins with may have been
/// written.
fn goes_on(order: DeliveryOrder, open: &OpenWindow) -> OpenWindow {
    let is_behind_cursor = order == DeliveryOrder::Ascending && open.cursor.is_some();
    OpenWindow { rereads: open.rereads || !is_behind_cursor, ..open.clone() }
}

/// How far the runs of an export have come with a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportCoverage {
    /// Where the window begins.
    pub from: Timestamp,
    /// Up to where it was read.
    pub until: Timestamp,
    /// Where it ends, the margin for late events included.
    pub to: Timestamp,
    /// Whether it was read to its end.
    pub is_complete: bool,
}

/// How far the runs of an export of `window` have come, as `checkpoint` says, if there is one.
pub fn reached(
    order: DeliveryOrder,
    window: Window,
    checkpoint: Option<&Checkpoint>,
) -> ExportCoverage {
    let (from, end) = (window.from, window.to.unwrap_or(window.from));
    let Some(checkpoint) = checkpoint else {
        return ExportCoverage { from, until: from, to: end, is_complete: false };
    };
    let to = checkpoint.kept.as_ref().map_or(end, |kept| kept.until);
    // Later than the window where the server refused to be asked for what it no longer keeps.
    let from = from.max(checkpoint.since);
    let is_complete = checkpoint.complete_until.is_some();
    let until = match checkpoint.windows.first() {
        _ if is_complete => to,
        None => to,
        Some(open) => match order {
            // It is in the order of processing: what comes later may have happened at any time of the window.
            DeliveryOrder::Ascending => from,
            DeliveryOrder::NewestFirst => open.from,
        },
    };
    ExportCoverage { from, until: until.clamp(from, to.max(from)), to, is_complete }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::retention::LogRetention;
    use crate::model::time::parse_api_time;
    use crate::state::checkpoint::ExportProgress;
    use crate::state::dedup_cache::DedupCache;
    use crate::state::event_gaps::EventGaps;

    const REACH: LookbackSettings = LookbackSettings {
        initial_lookback: Duration::from_secs(7 * 86400),
        overlap: Duration::from_secs(600),
        late_margin: Duration::from_secs(86400),
        retention: Some(LogRetention::ORGANIZATION),
    };

    fn at(text: &str) -> Timestamp {
        parse_api_time(&format!("2026-11-{text}T00:00:00Z")).unwrap()
    }

    fn window() -> Window {
        Window { from: at("01"), to: Some(at("05")) }
    }

    fn open(from: &str, cursor: Option<&str>) -> OpenWindow {
        OpenWindow {
            from: at(from),
            to: Some(at("06")),
            cursor: cursor.map(str::to_owned),
            rereads: false,
            read_by_time: None,
        }
    }

    fn checkpoint(windows: Vec<OpenWindow>, watermark: Option<&str>) -> Checkpoint {
        Checkpoint {
            source: "acme".to_owned(),
            scope: String::new(),
            since: at("01"),
            windows,
            watermark: watermark.map(at),
            seen: DedupCache::default(),
            written_before: None,
            rhythm: EventGaps::default(),
            outputs: Vec::new(),
            kept: Some(ExportProgress {
                pages: None,
                lines: 0,
                repeats: 0,
                outside: 0,
                until: at("06"),
            }),
            events: 0,
            complete_until: None,
            updated: at("20"),
        }
    }

    fn export_plan_at(
        order: DeliveryOrder,
        checkpoint: Option<&Checkpoint>,
        now: &str,
    ) -> ReadPlan {
        plan(order, &REACH, window(), checkpoint, at(now))
    }

    #[test]
    fn a_first_run_reads_what_a_one_off_pull_would() {
        for order in [DeliveryOrder::Ascending, DeliveryOrder::NewestFirst] {
            let first = export_plan_at(order, None, "20");
            assert_eq!(first, plan::one_off(order, &REACH, window(), at("20")));
            assert!(!first.rereads);
        }
    }

    #[test]
    fn a_later_run_goes_on_whatever_the_clock_says() {
        let stream = checkpoint(vec![open("01", Some("c"))], Some("03"));
        for now in ["04", "20"] {
            let plan = export_plan_at(DeliveryOrder::Ascending, Some(&stream), now);
            assert_eq!(plan.windows, [open("01", Some("c"))]);
            assert!(!plan.rereads);
            assert_eq!(plan.event_filter, Some(window()));
            assert_eq!(plan.watermark, Some(at("03")));
        }
        let again = |from| OpenWindow { rereads: true, ..open(from, None) };
        let stream = checkpoint(vec![open("01", None)], None);
        let plan = export_plan_at(DeliveryOrder::Ascending, Some(&stream), "20");
        assert_eq!((plan.windows, plan.rereads), (vec![again("01")], true));
        let slices = checkpoint(vec![open("04", None)], Some("03"));
        let plan = export_plan_at(DeliveryOrder::NewestFirst, Some(&slices), "20");
        assert_eq!((plan.windows, plan.rereads), (vec![again("04")], true));
    }

    #[test]
    fn what_was_read_to_its_end_is_read_no_more() {
        let mut done = checkpoint(vec![open("01", Some("c"))], Some("03"));
        done.complete_until = Some(at("20"));
        let plan = export_plan_at(DeliveryOrder::Ascending, Some(&done), "21");
        assert!(plan.windows.is_empty() && !plan.rereads);
        let slices = checkpoint(Vec::new(), Some("03"));
        let plan = export_plan_at(DeliveryOrder::NewestFirst, Some(&slices), "21");
        assert!(plan.windows.is_empty());
    }

    #[test]
    fn how_far_it_came() {
        let come = |order, checkpoint: Option<&Checkpoint>| {
            let reached = reached(order, window(), checkpoint);
            assert_eq!(reached.from, at("01"));
            (reached.until, reached.to, reached.is_complete)
        };
        assert_eq!(come(DeliveryOrder::Ascending, None), (at("01"), at("05"), false));
        let mut stream = checkpoint(vec![open("01", Some("c"))], Some("03"));
        let amid = (at("01"), at("06"), false);
        assert_eq!(come(DeliveryOrder::Ascending, Some(&stream)), amid);
        stream.complete_until = Some(at("20"));
        let done = (at("06"), at("06"), true);
        assert_eq!(come(DeliveryOrder::Ascending, Some(&stream)), done);
        let slices = checkpoint(vec![open("04", None)], Some("02"));
        let amid = (at("04"), at("06"), false);
        assert_eq!(come(DeliveryOrder::NewestFirst, Some(&slices)), amid);
    }
}
