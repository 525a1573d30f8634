//! What `pull --backfill` adds to a normal run: it reads from a time before the history begins up
//! to there, with a resume point and a dedup cache of its own. Those of the pulls stay as they
//! are.
//!
//! Nobody knows for sure which of an event's times a server's `from` and `to` compare with, nor
//! whether they are inclusive. So both sides of the seam are requested in one way: the window
//! ends a second after the history begins, and what the server shows of this second, requested as
//! the first pull requested it, was written by that pull (`docs/design.md`, section 5).

use std::time::Duration;

use crate::fetch::plan::{ReadPlan, resumed_bounded};
use crate::model::time::{Timestamp, Window, after, format_millis, truncate_to_millis};
use crate::pipeline::checkpoint_writer::{CheckpointWriter, LockedSource, scope};
use crate::pipeline::error::RunError;
use crate::pipeline::record_processor::RecordProcessor;
use crate::pipeline::report::SourceReport;
use crate::pipeline::source_context::SourceContext;
use crate::source::DeliveryOrder;
use crate::state::checkpoint::{BackfillProgress, Checkpoint, OpenWindow};

/// How far the window reaches over the seam: more than the coarsest dates of an API.
const SEAM: Duration = Duration::from_secs(1);

/// What a backfill reads.
#[derive(Debug)]
pub struct BackfillPlan {
    /// How far it has come.
    pub progress: BackfillProgress,
    /// What is to be written, but for what `known` brings.
    pub read: ReadPlan,
    /// What the pulls have written, or will write, at the seam.
    pub known: ReadPlan,
}

/// Plans to read from `from` on to where the history of `checkpoint` begins; nothing if it begins
/// there already. A backfill that was begun goes on, wherever it was to begin.
///
/// # Errors
/// Where the history begins is not known.
pub fn plan(
    order: DeliveryOrder,
    checkpoint: &Checkpoint,
    from: Timestamp,
    now: Timestamp,
) -> Result<Option<BackfillPlan>, RunError> {
    let (from, begins) = (truncate_to_millis(from), checkpoint.history_start());
    // Under a clock that was ahead, or a server that showed older events than it was asked for.
    if begins > now || checkpoint.watermark.is_some_and(|watermark| watermark < checkpoint.since) {
        return Err(RunError::UnknownStart { since: checkpoint.since });
    }
    let begun = checkpoint.backfill.clone();
    let wanted = (from < begins).then(|| BackfillProgress {
        from,
        windows: vec![window(from, after(begins, SEAM))],
        event_query: None,
        watermark: None,
        // A server that filters by the time of an event may show a late one to both.
        dedup_cache: checkpoint.dedup_cache.records_only(),
        written_before: None,
    });
    Ok(begun.or(wanted).map(|progress| {
        let windows: Vec<_> =
            progress.windows.iter().map(|open| resumed_window(order, &progress, open)).collect();
        let read = ReadPlan {
            rereads: windows.iter().any(|window| window.rereads),
            windows,
            event_filter: None,
            watermark: progress.watermark,
            since: progress.from,
            query: progress.event_query.clone(),
        };
        let known = ReadPlan {
            windows: vec![window(begins, after(begins, SEAM))],
            event_filter: None,
            rereads: false,
            watermark: None,
            since: begins,
            query: None,
        };
        BackfillPlan { progress, read, known }
    }))
}

fn window(from: Timestamp, to: Timestamp) -> OpenWindow {
    OpenWindow { from, to: Some(to), cursor: None, rereads: false, read_by_time: None }
}

/// A window that nothing was read of yet is no reread.
fn resumed_window(
    order: DeliveryOrder,
    progress: &BackfillProgress,
    open: &OpenWindow,
) -> OpenWindow {
    match progress.watermark.is_none() && open.cursor.is_none() && open.from == progress.from {
        true => open.clone(),
        false => resumed_bounded(order, open),
    }
}

/// A plan that reads nothing.
fn empty_plan(since: Timestamp) -> ReadPlan {
    ReadPlan {
        windows: Vec::new(),
        event_filter: None,
        rereads: false,
        watermark: None,
        since,
        query: None,
    }
}

/// What a backfill would read, for a person to see.
///
/// # Errors
/// As with [`plan`].
pub fn plan_to_show(
    order: DeliveryOrder,
    checkpoint: &Checkpoint,
    from: Timestamp,
    now: Timestamp,
) -> Result<ReadPlan, RunError> {
    let planned = plan(order, checkpoint, from, now)?;
    Ok(planned.map_or_else(|| empty_plan(checkpoint.history_start()), |planned| planned.read))
}

/// Locks the source and plans. `processor` gets the dedup cache of the backfill. Returns what is
/// to be read, and what is to be read only to be left to the pulls.
///
/// # Errors
/// The source has no history, or where it begins is not known; its state cannot be used.
pub fn begin(
    context: &SourceContext,
    from: Timestamp,
    processor: &mut RecordProcessor,
    report: &mut SourceReport,
) -> Result<(ReadPlan, CheckpointWriter, Option<ReadPlan>), RunError> {
    let SourceContext { settings, origin, store, start, .. } = context;
    let locked = LockedSource::take(store, &settings.name, &scope(origin))?;
    let Some(checkpoint) = locked.checkpoint.as_ref() else {
        return Err(RunError::NoHistory { source_name: settings.name.to_string() });
    };
    let begins = checkpoint.history_start();
    let name = &settings.name;
    match plan(origin.kind.descriptor().order, checkpoint, from, *start)? {
        None => {
            report.notices.push(format!(
                "the history of {name} begins at {} already: nothing to read before",
                format_millis(begins)
            ));
            let read = empty_plan(begins);
            let writer = locked.begin_backfill(&read, None, processor, *start)?;
            Ok((read, writer, None))
        }
        Some(BackfillPlan { progress, read, known }) => {
            if from < progress.from {
                report.notices.push(format!(
                    "an earlier backfill of {name} goes on, which begins at {}; run it again for \
                     what is older",
                    format_millis(progress.from)
                ));
            }
            let window = Window { from: progress.from, to: Some(begins) };
            report.backfill = Some(window);
            let writer = locked.begin_backfill(&read, Some(progress), processor, *start)?;
            Ok((read, writer, Some(known)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;
    use crate::state::dedup_cache::DedupCache;
    use crate::state::event_gaps::EventGaps;

    fn at(day: u32) -> Timestamp {
        parse_api_time(&format!("2026-11-{day:02}T00:00:00Z")).unwrap()
    }

    fn checkpoint(since: u32) -> Checkpoint {
        Checkpoint {
            source: "acme".to_owned(),
            scope: String::new(),
            since: at(since),
            backfilled_to: None,
            backfill: None,
            windows: Vec::new(),
            event_query: None,
            watermark: Some(at(25)),
            dedup_cache: DedupCache::default(),
            written_before: None,
            event_gaps: EventGaps::default(),
            outputs: Vec::new(),
            detection: None,
            export_progress: None,
            events: 0,
            complete_until: None,
            updated: at(26),
        }
    }

    fn planned(checkpoint: &Checkpoint, from: u32) -> Option<BackfillPlan> {
        plan(DeliveryOrder::Unspecified, checkpoint, at(from), at(26)).unwrap()
    }

    #[test]
    fn it_reads_up_to_a_second_after_the_history_begins_and_again_what_was_written_there() {
        let mut known = checkpoint(20);
        let found = planned(&known, 10).unwrap();
        assert_eq!(found.read.windows, [window(at(10), after(at(20), SEAM))]);
        assert_eq!(found.known.windows, [window(at(20), after(at(20), SEAM))]);
        assert!(!found.read.rereads);
        assert!(planned(&known, 20).is_none() && planned(&known, 22).is_none());
        // A larger one goes on from where the last one began.
        known.backfilled_to = Some(at(10));
        assert!(planned(&known, 10).is_none());
        let found = planned(&known, 5).unwrap();
        assert_eq!(found.read.windows, [window(at(5), after(at(10), SEAM))]);
        assert_eq!(found.known.windows, [window(at(10), after(at(10), SEAM))]);
    }

    #[test]
    fn one_that_was_begun_goes_on() {
        let mut known = checkpoint(20);
        let mut progress = planned(&known, 10).unwrap().progress;
        progress.windows[0].from = at(14);
        progress.watermark = Some(at(13));
        known.backfill = Some(progress);
        for from in [1, 10, 11, 25] {
            let found = planned(&known, from).unwrap();
            assert_eq!(found.progress.from, at(10));
            assert_eq!(found.read.windows[0].from, at(14));
            assert!(found.read.rereads);
        }
    }

    #[test]
    fn a_history_whose_beginning_is_not_known_is_refused() {
        for (since, now) in [(26, 25), (26, 27)] {
            let found = plan(DeliveryOrder::Ascending, &checkpoint(since), at(1), at(now));
            assert!(matches!(found, Err(RunError::UnknownStart { .. })), "{since} {now}");
        }
    }
}
