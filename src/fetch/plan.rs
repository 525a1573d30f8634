//! Plans which windows a run reads, from the checkpoint, the request and the clock. No I/O.

use std::time::Duration;

use crate::model::source_kind::LogRetention;
use crate::model::time::{Timestamp, Window, after, before, truncate_to_millis};
use crate::source::DeliveryOrder;
use crate::state::checkpoint::{Checkpoint, OpenQuery, OpenWindow};

/// How far back a refused cursor makes us read. The API may filter on the time of an event, while
/// the watermark is a time of processing: an event may be this late and still be found.
pub const CURSOR_FALLBACK: Duration = Duration::from_secs(24 * 60 * 60);

/// How often a stream that ended without a cursor is read from [`CURSOR_FALLBACK`] back.
const LONG_REREAD_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// When a source with a cursor is also read by time, and how far back.
///
/// No document says that a cursor ever shows what arrives after its walk began, or what becomes
/// visible before its position. Both have been seen to be missing, so a cursor is never the only
/// way to an event of the last `overlap`.
#[derive(Debug, Clone, Copy)]
pub struct CursorCheck {
    /// How far it reads before the last record taken, or before the last check where that is
    /// earlier. Also for how long a cursor that brings records is trusted: so each event that
    /// becomes visible at most so late is found, however rarely is pulled.
    pub overlap: Duration,
    /// For how long a cursor that brings nothing is trusted.
    pub when_idle: Duration,
}

impl CursorCheck {
    /// Whether a read by time is due at `now`: the last one was at `last`, and the cursor brought
    /// records since the run began or not.
    pub fn is_due(&self, last: Option<Timestamp>, brought_records: bool, now: Timestamp) -> bool {
        let trusted = match brought_records {
            true => self.overlap,
            false => self.when_idle,
        };
        // A last check in the future was made by a clock that was wrong.
        last.is_none_or(|last| last > now || last <= before(now, trusted))
    }
}

/// How far ahead of ours a server's clock may be. What is dated further ahead is a wrong date.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(2 * 60 * 60);

/// Where the watermark may move for a record at `position` that was received at `received`: never
/// past the present, and not at all for a wrong date, or what lies between would be skipped.
pub fn watermark_of(position: Timestamp, received: Timestamp) -> Option<Timestamp> {
    (position <= after(received, MAX_CLOCK_SKEW)).then(|| position.min(received))
}

/// How far a source reaches back and ahead, from its settings.
#[derive(Debug, Clone, Copy)]
pub struct LookbackSettings {
    /// How far back the first pull reads.
    pub initial_lookback: Duration,
    /// Where the first pull begins instead.
    pub initial_from: Option<Timestamp>,
    /// How far before the watermark ids are remembered.
    pub overlap: Duration,
    /// How far after its end a bounded read goes, for events that are processed late.
    pub late_margin: Duration,
    /// How long the source keeps its records, where that is known.
    pub retention: Option<LogRetention>,
}

/// What a run is going to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadPlan {
    /// The windows, oldest first.
    pub windows: Vec<OpenWindow>,
    /// Only events that happened in here are written.
    pub event_filter: Option<Window>,
    /// Whether the plan reads again what was written before: what lies before the remembered ids
    /// is then known to be written.
    pub rereads: bool,
    /// The watermark, corrected if it lies in the future.
    pub watermark: Option<Timestamp>,
    /// Where the history begins: nothing before it is read, however far back a read by time goes.
    pub since: Timestamp,
    /// The event query of the last run, whose results were not read.
    pub query: Option<OpenQuery>,
}

/// The plan of a pull that continues from `checkpoint`.
pub fn incremental(
    order: DeliveryOrder,
    reach: &LookbackSettings,
    checkpoint: Option<&Checkpoint>,
    now: Timestamp,
) -> ReadPlan {
    let now = truncate_to_millis(now);
    let first = OpenWindow {
        from: truncate_to_millis(
            reach.initial_from.unwrap_or_else(|| before(now, reach.initial_lookback)),
        ),
        to: (order == DeliveryOrder::Unspecified).then_some(now),
        cursor: None,
        rereads: false,
        read_by_time: None,
    };
    let since = checkpoint.map_or(first.from, |checkpoint| checkpoint.since);
    let watermark = checkpoint.and_then(|checkpoint| believable_watermark(checkpoint, now));
    let mut windows = match (checkpoint, order) {
        (None, _) => vec![first],
        (Some(checkpoint), DeliveryOrder::Ascending) => {
            resume_windows(checkpoint, watermark, reach, &first, now)
        }
        (Some(checkpoint), DeliveryOrder::Unspecified) => {
            vec![window_by_time(checkpoint, watermark, reach, &first, now)]
        }
    };
    if checkpoint.is_some_and(Checkpoint::is_extended) {
        // What lies before was written, or is written by the backfill.
        windows.iter_mut().for_each(|window| window.from = window.from.max(since));
    }
    ReadPlan {
        rereads: windows.iter().any(|window| window.rereads),
        windows,
        event_filter: None,
        watermark,
        since,
        query: checkpoint.and_then(|checkpoint| checkpoint.event_query.clone()),
    }
}

/// The checkpoint's watermark. One that lies in the future was set by a wrong date while our clock
/// was ahead, unless the clock is behind now: the newest record remembered from before then stands
/// in for it. To read too early costs only time, for what was written is known.
fn believable_watermark(checkpoint: &Checkpoint, now: Timestamp) -> Option<Timestamp> {
    let watermark = checkpoint.watermark?;
    if watermark <= after(now, MAX_CLOCK_SKEW) {
        return Some(watermark);
    }
    checkpoint.dedup_cache.newest_until(now).or(Some(watermark))
}

/// The open windows of the checkpoint, each after its cursor. One without a cursor is read from
/// its start, and an unfinished reread stays a reread.
fn resume_windows(
    checkpoint: &Checkpoint,
    watermark: Option<Timestamp>,
    reach: &LookbackSettings,
    first: &OpenWindow,
    now: Timestamp,
) -> Vec<OpenWindow> {
    let mut windows = checkpoint.windows.clone();
    if windows.is_empty() {
        windows.push(OpenWindow { from: checkpoint.since, ..first.clone() });
    }
    for window in &mut windows {
        // Begun while our clock was ahead: its cursor too leaves out everything before.
        if window.from > now && watermark.is_none_or(|watermark| watermark < window.from) {
            *window = OpenWindow {
                from: watermark.map_or(first.from, |newest| before(newest, CURSOR_FALLBACK)),
                ..first.clone()
            };
        }
        if window.cursor.is_none() {
            prepare_reread(window, checkpoint.since, watermark, now);
            if watermark.is_none() {
                window.from = window.from.min(first.from);
            }
            // A request for what is no longer kept may be refused.
            if let Some(retention) = reach.retention {
                window.from = window.from.max(retention.earliest(now));
            }
            window.rereads = true;
        }
    }
    windows
}

/// Prepares a stream that ended without a cursor: it is read from an overlap before its last
/// record, and once an hour from [`CURSOR_FALLBACK`] before it, since `from` may look at the time
/// of an event and would then leave out what was processed late.
fn prepare_reread(
    window: &mut OpenWindow,
    since: Timestamp,
    watermark: Option<Timestamp>,
    now: Timestamp,
) {
    let (Some(watermark), Some(last)) = (watermark, window.read_by_time) else {
        return;
    };
    if last > now || last <= before(now, LONG_REREAD_INTERVAL) {
        let from = before(watermark, CURSOR_FALLBACK).max(since);
        window.from = window.from.min(from);
        window.read_by_time = None;
    }
}

/// From one overlap before the watermark until now, and never later than the first unread time. If
/// nothing was ever found, from the beginning, as far as it is not known to be empty.
fn window_by_time(
    checkpoint: &Checkpoint,
    watermark: Option<Timestamp>,
    reach: &LookbackSettings,
    first: &OpenWindow,
    now: Timestamp,
) -> OpenWindow {
    let unread = checkpoint.windows.first().map(|window| window.from);
    let from = match watermark {
        Some(watermark) => {
            let from = before(watermark, reach.overlap).min(unread.unwrap_or(watermark));
            // Nothing before the history is read, so that a backfill can end where it begins.
            from.max(checkpoint.since.min(watermark))
        }
        // Our clock may have been ahead when the history began.
        None => unread.unwrap_or(checkpoint.since).min(first.from),
    };
    // A clock that was set back must not turn the window round.
    let newest = watermark.unwrap_or(from);
    OpenWindow {
        from,
        to: Some(now.max(after(newest, Duration::from_millis(1)))),
        cursor: None,
        rereads: true,
        read_by_time: None,
    }
}

/// A window with an end, of which something was read. After its cursor, a source that delivers
/// oldest first has only new records. Anything else is read by time, and may begin with what was
/// written.
pub fn resumed_bounded(order: DeliveryOrder, open: &OpenWindow) -> OpenWindow {
    let is_after_cursor = order == DeliveryOrder::Ascending && open.cursor.is_some();
    OpenWindow { rereads: open.rereads || !is_after_cursor, ..open.clone() }
}

/// The plan of a one-off read of `window`.
///
/// A source whose events may be processed late is asked for a margin after its end: nobody knows
/// for sure whether it filters on the time of an event or of its processing. What lies outside is
/// dropped.
pub fn one_off(
    order: DeliveryOrder,
    reach: &LookbackSettings,
    window: Window,
    now: Timestamp,
) -> ReadPlan {
    let now = truncate_to_millis(now);
    let until = window.to.unwrap_or(now);
    let asked = match order {
        DeliveryOrder::Ascending => after(until, reach.late_margin).min(now),
        DeliveryOrder::Unspecified => {
            let until = ceil_millis(until);
            after(until, reach.late_margin).min(now.max(until))
        }
    };
    let from = truncate_to_millis(window.from);
    ReadPlan {
        windows: (from < asked)
            .then_some(OpenWindow {
                from,
                to: Some(asked),
                cursor: None,
                rereads: false,
                read_by_time: None,
            })
            .into_iter()
            .collect(),
        event_filter: Some(window),
        rereads: false,
        watermark: None,
        since: from,
        query: None,
    }
}

fn ceil_millis(time: Timestamp) -> Timestamp {
    match truncate_to_millis(time) {
        whole if whole < time => after(whole, Duration::from_millis(1)),
        whole => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json::Document;
    use crate::model::record::Record;
    use crate::model::time::parse_api_time;
    use crate::state::dedup_cache::DedupCache;
    use crate::state::event_gaps::EventGaps;

    const REACH: LookbackSettings = LookbackSettings {
        initial_lookback: Duration::from_secs(7 * 86400),
        initial_from: None,
        overlap: Duration::from_secs(600),
        late_margin: Duration::from_secs(86400),
        retention: Some(LogRetention::ORGANIZATION),
    };

    fn at(text: &str) -> Timestamp {
        parse_api_time(text).unwrap()
    }

    fn now() -> Timestamp {
        at("2026-11-20T12:00:00Z")
    }

    fn open(from: &str, to: Option<&str>, cursor: Option<&str>) -> OpenWindow {
        OpenWindow {
            from: at(from),
            to: to.map(at),
            cursor: cursor.map(str::to_owned),
            rereads: false,
            read_by_time: None,
        }
    }

    /// A window that is read by time where something may have been written before.
    fn reread_window(from: &str, to: Option<&str>) -> OpenWindow {
        OpenWindow { rereads: true, ..open(from, to, None) }
    }

    fn checkpoint(watermark: Option<&str>, windows: Vec<OpenWindow>) -> Checkpoint {
        Checkpoint {
            source: "acme".to_owned(),
            scope: String::new(),
            since: at("2026-10-01T00:00:00Z"),
            backfilled_to: None,
            backfill: None,
            windows,
            event_query: None,
            watermark: watermark.map(at),
            dedup_cache: DedupCache::default(),
            written_before: None,
            event_gaps: EventGaps::default(),
            outputs: Vec::new(),
            detection: None,
            export_progress: None,
            events: 0,
            complete_until: None,
            updated: now(),
        }
    }

    #[test]
    fn a_first_pull_reaches_back() {
        let stream = incremental(DeliveryOrder::Ascending, &REACH, None, now());
        assert_eq!(stream.windows, [open("2026-11-13T12:00:00Z", None, None)]);
        let slices = incremental(DeliveryOrder::Unspecified, &REACH, None, now());
        assert_eq!(
            slices.windows,
            [open("2026-11-13T12:00:00Z", Some("2026-11-20T12:00:00Z"), None)]
        );
        assert!(!stream.rereads && !slices.rereads);
    }

    #[test]
    fn a_first_pull_begins_where_it_is_told_to() {
        let reach = LookbackSettings { initial_from: Some(at("2026-11-19T08:00:00Z")), ..REACH };
        let stream = incremental(DeliveryOrder::Ascending, &reach, None, now());
        assert_eq!(stream.windows, [open("2026-11-19T08:00:00Z", None, None)]);
        assert_eq!(stream.since, at("2026-11-19T08:00:00Z"));
        // Afterwards the checkpoint says where to go on.
        let windows = vec![open("2026-10-01T00:00:00Z", None, Some("c9"))];
        let checkpoint = checkpoint(Some("2026-11-18T00:00:00Z"), windows.clone());
        let plan = incremental(DeliveryOrder::Ascending, &reach, Some(&checkpoint), now());
        assert_eq!(plan.windows, windows);
    }

    #[test]
    fn a_stream_continues_after_its_cursor() {
        let windows = vec![open("2026-10-01T00:00:00Z", None, Some("c9"))];
        let checkpoint = checkpoint(Some("2026-11-19T00:00:00Z"), windows.clone());
        let plan = incremental(DeliveryOrder::Ascending, &REACH, Some(&checkpoint), now());
        assert_eq!(plan.windows, windows);
        assert!(!plan.rereads);
        let no_cursor_yet = vec![open("2026-10-01T00:00:00Z", None, None)];
        let checkpoint = self::checkpoint(Some("2026-11-19T00:00:00Z"), no_cursor_yet);
        let plan = incremental(DeliveryOrder::Ascending, &REACH, Some(&checkpoint), now());
        assert_eq!(plan.windows, [reread_window("2026-10-01T00:00:00Z", None)]);
        assert!(plan.rereads);
    }

    #[test]
    fn an_interrupted_reread_stays_a_reread_after_its_new_cursor() {
        let windows = vec![OpenWindow {
            cursor: Some("new".to_owned()),
            ..reread_window("2026-11-18T00:00:00Z", None)
        }];
        let checkpoint = checkpoint(Some("2026-11-18T09:00:00Z"), windows.clone());
        let plan = incremental(DeliveryOrder::Ascending, &REACH, Some(&checkpoint), now());
        assert_eq!(plan.windows, windows);
        assert!(plan.rereads);
    }

    #[test]
    fn slices_continue_an_overlap_after_the_watermark_and_skip_nothing_unread() {
        let plan = |watermark, windows| {
            let checkpoint = checkpoint(watermark, windows);
            incremental(DeliveryOrder::Unspecified, &REACH, Some(&checkpoint), now()).windows
        };
        let until = Some("2026-11-20T12:00:00Z");
        assert_eq!(
            plan(Some("2026-11-19T00:00:00Z"), Vec::new()),
            [reread_window("2026-11-18T23:50:00Z", until)]
        );
        assert_eq!(plan(None, Vec::new()), [reread_window("2026-10-01T00:00:00Z", until)]);
        let unread = open("2026-11-02T00:00:00Z", Some("2026-11-05T00:00:00Z"), None);
        assert_eq!(plan(None, vec![unread]), [reread_window("2026-11-02T00:00:00Z", until)]);
        // Not from before the history begins.
        assert_eq!(
            plan(Some("2026-10-01T00:05:00Z"), Vec::new()),
            [reread_window("2026-10-01T00:00:00Z", until)]
        );
        // The last record's date runs ahead of what is unread, or the unread is behind it.
        for (watermark, from) in [
            ("2026-11-19T00:00:00Z", "2026-11-02T00:00:00Z"),
            ("2026-11-01T00:00:00Z", "2026-10-31T23:50:00Z"),
        ] {
            let unread = open("2026-11-02T00:00:00Z", Some("2026-11-05T00:00:00Z"), None);
            assert_eq!(plan(Some(watermark), vec![unread]), [reread_window(from, until)]);
        }
        // The clock was set back behind the newest record.
        assert_eq!(
            plan(Some("2026-11-21T00:00:00Z"), Vec::new()),
            [reread_window("2026-11-20T23:50:00Z", Some("2026-11-21T00:00:00.001Z"))]
        );
    }

    #[test]
    fn what_a_clock_that_was_ahead_began_is_started_again() {
        let ahead = || vec![open("2099-01-01T00:00:00Z", None, Some("c9"))];
        let plan = |watermark, windows| {
            let checkpoint = checkpoint(watermark, windows);
            incremental(DeliveryOrder::Ascending, &REACH, Some(&checkpoint), now())
        };
        let nothing_found = plan(None, ahead());
        assert_eq!(nothing_found.windows, [reread_window("2026-11-13T12:00:00Z", None)]);
        assert!(nothing_found.rereads);
        assert_eq!(
            plan(Some("2026-11-19T00:00:00Z"), ahead()).windows,
            [reread_window("2026-11-18T00:00:00Z", None)]
        );
        // Here it is the present clock that is wrong.
        assert_eq!(plan(Some("2099-06-01T00:00:00Z"), ahead()).windows, ahead());
    }

    #[test]
    fn a_watermark_in_the_future_gives_way_to_the_newest_record_before_it() {
        let mut checkpoint = checkpoint(Some("2027-05-01T00:00:00Z"), Vec::new());
        for (text, position) in [("[1]", "2026-11-20T11:00:00Z"), ("[2]", "2027-05-01T00:00:00Z")] {
            let record =
                Record { doc: Document::new(text.into()), id: None, time: None, position: None };
            checkpoint.dedup_cache.remember(&record, at(position));
        }
        let plan = incremental(DeliveryOrder::Unspecified, &REACH, Some(&checkpoint), now());
        let until = Some("2026-11-20T12:00:00Z");
        assert_eq!(plan.windows, [reread_window("2026-11-20T10:50:00Z", until)]);
    }

    #[test]
    fn a_one_off_read_requests_a_margin_that_is_never_in_the_future() {
        let window = |from, to: &str| Window { from: at(from), to: Some(at(to)) };
        let asked = |order, window: Window| one_off(order, &REACH, window, now()).windows;
        let old = window("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z");
        assert_eq!(
            asked(DeliveryOrder::Ascending, old),
            [open("2026-11-01T00:00:00Z", Some("2026-11-03T00:00:00Z"), None)]
        );
        let recent = window("2026-11-01T00:00:00Z", "2026-11-20T11:00:00Z");
        assert_eq!(
            asked(DeliveryOrder::Ascending, recent),
            [open("2026-11-01T00:00:00Z", Some("2026-11-20T12:00:00Z"), None)]
        );
        assert_eq!(
            asked(DeliveryOrder::Unspecified, old),
            [open("2026-11-01T00:00:00Z", Some("2026-11-03T00:00:00Z"), None)]
        );
        let prompt = LookbackSettings { late_margin: Duration::ZERO, ..REACH };
        assert_eq!(
            one_off(DeliveryOrder::Unspecified, &prompt, old, now()).windows,
            [open("2026-11-01T00:00:00Z", Some("2026-11-02T00:00:00Z"), None)]
        );
        let future = window("2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z");
        assert_eq!(asked(DeliveryOrder::Ascending, future), []);
    }
}
