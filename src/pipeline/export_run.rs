//! What an export adds to a normal run: a fixed window, an attempt log, and a checkpoint that
//! covers both files. An interrupted export resumes with the same end of the window, whatever the
//! clock says.

use std::sync::Arc;

use crate::config::settings::OutputSettings;
use crate::fetch::attempt_record::AttemptRecorder;
use crate::fetch::plan::{self, LookbackSettings, ReadPlan, resumed_bounded};
use crate::model::time::{Timestamp, Window};
use crate::pipeline::checkpoint_writer::{CheckpointWriter, LockedSource, scope};
use crate::pipeline::error::RunError;
use crate::pipeline::record_processor::RecordProcessor;
use crate::pipeline::run_output::{AttemptFile, RunOutput, current_output_file};
use crate::pipeline::source_context::SourceContext;
use crate::pipeline::writer::EventWriter;
use crate::source::DeliveryOrder;
use crate::state::checkpoint::{Checkpoint, ExportProgress};

/// The export that a run of one source belongs to.
#[derive(Debug, Clone)]
pub struct ExportRun {
    /// The window that the export holds.
    pub window: Window,
    /// Records every attempt at a request.
    pub recorder: AttemptRecorder,
    /// The file of those records.
    pub attempt_log: OutputSettings,
}

impl ExportRun {
    /// Locks the source, truncates the files to its checkpoint, and plans. `processor` gets the
    /// dedup cache of the last run.
    ///
    /// # Errors
    /// The state is locked, damaged or of another scope; a file lacks what was committed to it.
    pub fn begin(
        &self,
        context: &SourceContext,
        processor: &mut RecordProcessor,
    ) -> Result<(ReadPlan, CheckpointWriter, AttemptFile), RunError> {
        let SourceContext { settings, origin, store, start, .. } = context;
        let scope = scope(origin);
        let events = current_output_file(&settings.output)?.unwrap_or_default();
        let pages = current_output_file(&self.attempt_log)?.unwrap_or_default();
        let locked = LockedSource::lock_export(store, &settings.name, &scope, (&events, &pages))?;
        let found = locked.checkpoint.as_ref();
        let order = origin.kind.descriptor().order;
        let plan = export_plan(order, &context.lookback(), self.window, found, *start);
        let progress = found.and_then(|found| found.export_progress.clone());
        let progress = progress.unwrap_or_else(|| ExportProgress {
            pages: None,
            lines: 0,
            repeats: 0,
            outside: 0,
            until: plan
                .windows
                .last()
                .and_then(|last| last.to)
                .or(self.window.to)
                .unwrap_or(*start),
        });
        let attempts = AttemptFile::new(self.recorder.clone(), &self.attempt_log, progress)?;
        let checkpoint = locked.begin(&plan, processor, &scope, *start);
        Ok((plan, checkpoint, attempts))
    }

    /// Saves the attempt log of a run that failed before its first page. Blocks.
    ///
    /// # Errors
    /// As with [`ExportRun::begin`], and it cannot be written.
    pub fn persist_failed_start(&self, context: &SourceContext) -> Result<(), RunError> {
        if self.recorder.is_empty() {
            return Ok(());
        }
        let mut processor = context.processor();
        let (_, checkpoint, attempts) = self.begin(context, &mut processor)?;
        let last = checkpoint.output();
        let output = RunOutput::new(&context.settings.output, last, Some(attempts))?;
        let mut writer = EventWriter::new(output, processor, Some(checkpoint), Arc::default());
        writer.open()?;
        writer.finish().map(|_| ())
    }
}

/// The plan of an export of `window` that continues from `checkpoint`, where an earlier run left
/// one.
pub fn export_plan(
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
    let windows: Vec<_> = open.map(|open| resumed_bounded(order, open)).collect();
    ReadPlan {
        rereads: windows.iter().any(|window| window.rereads),
        windows,
        event_filter: first.event_filter,
        watermark: checkpoint.watermark,
        since: first.since,
        query: checkpoint.event_query.clone(),
    }
}

/// How far the runs of an export have read a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportCoverage {
    /// Where the window begins.
    pub from: Timestamp,
    /// Until when it was read.
    pub until: Timestamp,
    /// Where it ends, with the margin for late events.
    pub to: Timestamp,
    /// Whether it was read to its end.
    pub is_complete: bool,
}

/// How far the runs of an export of `window` have read, by their `checkpoint`.
pub fn export_coverage(
    order: DeliveryOrder,
    window: Window,
    checkpoint: Option<&Checkpoint>,
) -> ExportCoverage {
    let (from, end) = (window.from, window.to.unwrap_or(window.from));
    let Some(checkpoint) = checkpoint else {
        return ExportCoverage { from, until: from, to: end, is_complete: false };
    };
    let to = checkpoint.export_progress.as_ref().map_or(end, |kept| kept.until);
    // Later than the window if the server refused a request for what it no longer has.
    let from = from.max(checkpoint.since);
    let is_complete = checkpoint.complete_until.is_some();
    let until = match checkpoint.windows.first() {
        _ if is_complete => to,
        None => to,
        Some(open) => match order {
            // In the order of processing: what comes later may have happened at any time of the
            // window.
            DeliveryOrder::Ascending => from,
            DeliveryOrder::Unspecified => open.from,
        },
    };
    ExportCoverage { from, until: until.clamp(from, to.max(from)), to, is_complete }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::source_kind::LogRetention;
    use crate::model::time::parse_api_time;
    use crate::state::checkpoint::OpenWindow;
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
            export_progress: Some(ExportProgress {
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
        export_plan(order, &REACH, window(), checkpoint, at(now))
    }

    #[test]
    fn a_first_run_reads_what_a_one_off_pull_would() {
        for order in [DeliveryOrder::Ascending, DeliveryOrder::Unspecified] {
            let first = export_plan_at(order, None, "20");
            assert_eq!(first, plan::one_off(order, &REACH, window(), at("20")));
            assert!(!first.rereads);
        }
    }

    #[test]
    fn a_later_run_continues_whatever_the_clock_says() {
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
        let plan = export_plan_at(DeliveryOrder::Unspecified, Some(&slices), "20");
        assert_eq!((plan.windows, plan.rereads), (vec![again("04")], true));
    }

    #[test]
    fn what_was_read_to_its_end_is_read_no_more() {
        let mut done = checkpoint(vec![open("01", Some("c"))], Some("03"));
        done.complete_until = Some(at("20"));
        let plan = export_plan_at(DeliveryOrder::Ascending, Some(&done), "21");
        assert!(plan.windows.is_empty() && !plan.rereads);
        let slices = checkpoint(Vec::new(), Some("03"));
        let plan = export_plan_at(DeliveryOrder::Unspecified, Some(&slices), "21");
        assert!(plan.windows.is_empty());
    }

    #[test]
    fn the_coverage_of_an_export() {
        let come = |order, checkpoint: Option<&Checkpoint>| {
            let reached = export_coverage(order, window(), checkpoint);
            assert_eq!(reached.from, at("01"));
            (reached.until, reached.to, reached.is_complete)
        };
        assert_eq!(come(DeliveryOrder::Ascending, None), (at("01"), at("05"), false));
        let mut stream = checkpoint(vec![open("01", Some("c"))], Some("03"));
        let inside = (at("01"), at("06"), false);
        assert_eq!(come(DeliveryOrder::Ascending, Some(&stream)), inside);
        stream.complete_until = Some(at("20"));
        let done = (at("06"), at("06"), true);
        assert_eq!(come(DeliveryOrder::Ascending, Some(&stream)), done);
        let slices = checkpoint(vec![open("04", None)], Some("02"));
        let inside = (at("04"), at("06"), false);
        assert_eq!(come(DeliveryOrder::Unspecified, Some(&slices)), inside);
    }
}
