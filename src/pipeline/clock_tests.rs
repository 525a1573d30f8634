//! Property tests: a wrong clock costs nothing: runs whose clock jumps by hours, days and years,
//! between them and in the middle of one, over sources that go on growing in true time.

use std::collections::HashMap;
use std::time::Duration;

use chrono::TimeDelta;
use proptest::prelude::*;

use crate::config::settings::OutputFormat;
use crate::fetch::plan::{LookbackSettings, incremental, watermark_of};
use crate::model::json::Document;
use crate::model::name::{SourceKind, SourceName};
use crate::model::record::Record;
use crate::model::source_kind::LogRetention;
use crate::model::time::{Timestamp, before, parse_api_time};
use crate::normalise::RecordOrigin;
use crate::pipeline::checkpoint_writer::LockedSource;
use crate::pipeline::record_processor::{RecordProcessor, RenderedEvents};
use crate::pipeline::run_output::DurableOutput;
use crate::source::DeliveryOrder;
use crate::state::checkpoint::OpenWindow;
use crate::state::store::StateStore;

const REACH: LookbackSettings = LookbackSettings {
    initial_lookback: Duration::from_secs(7 * 86_400),
    initial_from: None,
    overlap: Duration::from_secs(600),
    late_margin: Duration::from_secs(86_400),
    retention: Some(LogRetention::ORGANIZATION),
};

/// Hours by which our clock is wrong: not at all, by an hour, a day, more than the first pull looks
/// back, a year; at the epoch and in 2099.
const WRONG_BY: [i64; 11] = [0, 0, -1, 1, -24, 24, 8 * 24, -8766, 8766, -498_000, 641_000];

/// A source that grows in true time, and what was written of it.
struct SimulatedSource {
    order: DeliveryOrder,
    /// Whether the stream's last page still has a cursor.
    keeps_cursor: bool,
    now: Timestamp,
    records: Vec<(Timestamp, usize)>,
    written: HashMap<String, usize>,
    store: StateStore,
    _folder: tempfile::TempDir,
}

/// One run: how many records came before it and in how many minutes, and its clock.
#[derive(Debug, Clone)]
struct SimulatedRun {
    new_records: usize,
    minutes: i64,
    starts_wrong_by: i64,
    receives_wrong_by: i64,
    answers: bool,
}

impl SimulatedSource {
    fn new(order: DeliveryOrder, keeps_cursor: bool) -> SimulatedSource {
        let folder = tempfile::tempdir().unwrap();
        let mut world = SimulatedSource {
            order,
            keeps_cursor,
            now: parse_api_time("2026-11-20T12:00:00Z").unwrap(),
            records: Vec::new(),
            written: HashMap::new(),
            store: StateStore::new(folder.path()),
            _folder: folder,
        };
        world.grow(3, 5);
        world
    }

    fn grow(&mut self, records: usize, minutes: i64) {
        let step = TimeDelta::minutes(minutes) / i32::try_from(records + 1).unwrap();
        for n in 0..records {
            let at = self.now + step * i32::try_from(n + 1).unwrap();
            self.records.push((at, self.records.len()));
        }
        self.now += TimeDelta::minutes(minutes);
    }

    fn clock(&self, wrong_by: i64) -> Timestamp {
        self.now + TimeDelta::hours(wrong_by)
    }

    /// What the server gives for `open`, and how the window stands then.
    /// A stream that keeps no cursor is read by time from an overlap before its last record.
    fn answer(&self, open: &OpenWindow, received: Timestamp) -> (Vec<Record>, Option<OpenWindow>) {
        let known = |cursor: &str| -> (usize, i64) { serde_json::from_str(cursor).unwrap() };
        // A cursor keeps the `from` that it was begun with.
        let (skip, asked_from) = match &open.cursor {
            Some(cursor) => known(cursor),
            None => (0, open.from.timestamp_millis()),
        };
        let inside = |at: &Timestamp| {
            at.timestamp_millis() >= asked_from
                && open.to.is_none_or(|to| *at < to)
                && *at <= self.now
        };
        let there = self.records.iter().skip(skip);
        let records: Vec<_> =
            there.filter(|(at, _)| inside(at)).map(|&(at, id)| record(at, id)).collect();
        let places = records.iter().filter_map(|record| record.position);
        let last = places.filter_map(|place| watermark_of(place, received)).last();
        let from = match last.filter(|_| !self.keeps_cursor) {
            Some(last) => before(last, REACH.overlap),
            None => open.from,
        };
        let cursor = serde_json::to_string(&(self.records.len(), asked_from)).unwrap();
        let then = (self.order == DeliveryOrder::Ascending).then(|| OpenWindow {
            from,
            cursor: self.keeps_cursor.then_some(cursor),
            rereads: false,
            ..open.clone()
        });
        (records, then)
    }

    fn run(&mut self, run: &SimulatedRun) {
        self.grow(run.new_records, run.minutes);
        let start = self.clock(run.starts_wrong_by);
        let name: SourceName = "acme".parse().unwrap();
        let mut step = RecordProcessor::new(origin(), OutputFormat::Raw, REACH.overlap, start);
        let held = LockedSource::take(&self.store, &name, "scope").unwrap();
        let plan = incremental(self.order, &REACH, held.checkpoint.as_ref(), start);
        let mut checkpoint = held.begin(&plan, &mut step, "scope", start);
        if plan.rereads {
            step.start_reread(None);
        }
        let windows = plan.windows.iter().enumerate().filter(|_| run.answers);
        for (index, open) in windows {
            let mut rendered = RenderedEvents::default();
            let received = self.clock(run.receives_wrong_by);
            let (records, then) = self.answer(open, received);
            step.mark_batch(&records);
            step.process(&records, received, &mut rendered);
            step.prune(None);
            checkpoint.set_window(index, then);
            for line in String::from_utf8(rendered.lines).unwrap().lines() {
                *self.written.entry(line.to_owned()).or_default() += 1;
            }
        }
        if run.answers {
            checkpoint.mark_complete(start);
        }
        checkpoint.save(&mut step, 0, DurableOutput::default()).unwrap();
    }

    fn assert_each_written_once(&self) -> Result<(), TestCaseError> {
        for (at, id) in &self.records {
            let times = self.written.get(&text(*id));
            prop_assert_eq!(times, Some(&1), "record {} of {}", id, at);
        }
        Ok(())
    }
}

fn record(at: Timestamp, id: usize) -> Record {
    Record {
        id: Some(id.to_string()),
        time: Some(at),
        position: Some(at),
        doc: Document::new(text(id).into()),
    }
}

fn text(id: usize) -> String {
    format!(r#"{{"id":"{id}"}}"#)
}

fn origin() -> RecordOrigin {
    RecordOrigin::named("acme", SourceKind::OrgEvents)
}

fn run_with_right_clock(grown: usize) -> SimulatedRun {
    SimulatedRun {
        new_records: grown,
        minutes: 20,
        starts_wrong_by: 0,
        receives_wrong_by: 0,
        answers: true,
    }
}

fn any_run() -> impl Strategy<Value = SimulatedRun> {
    let clock = || prop::sample::select(&WRONG_BY[..]);
    (0_usize..12, 1_i64..50, clock(), clock(), any::<bool>()).prop_map(
        |(grown, minutes, starts_wrong_by, receives_wrong_by, answers)| SimulatedRun {
            new_records: grown,
            minutes,
            starts_wrong_by,
            receives_wrong_by,
            answers,
        },
    )
}

proptest! {
    // Each run syncs files.
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_clock_that_jumps_loses_nothing_and_repeats_nothing(
        is_stream in any::<bool>(),
        keeps_cursor in any::<bool>(),
        runs in prop::collection::vec(any_run(), 1..7),
    ) {
        let order = if is_stream { DeliveryOrder::Ascending } else { DeliveryOrder::Unspecified };
        let mut world = SimulatedSource::new(order, keeps_cursor);
        for run in &runs {
            world.run(run);
        }
        world.run(&run_with_right_clock(3));
        world.run(&run_with_right_clock(0));
        world.assert_each_written_once()?;
    }
}

#[test]
fn one_run_with_each_wrong_clock_first_or_later() {
    for order in [DeliveryOrder::Ascending, DeliveryOrder::Unspecified] {
        for (keeps_cursor, wrong_by) in
            WRONG_BY.iter().flat_map(|hours| [(true, *hours), (false, *hours)])
        {
            for before in [0, 2] {
                let mut world = SimulatedSource::new(order, keeps_cursor);
                for _ in 0..before {
                    world.run(&run_with_right_clock(4));
                }
                world.run(&SimulatedRun {
                    starts_wrong_by: wrong_by,
                    receives_wrong_by: wrong_by,
                    ..run_with_right_clock(4)
                });
                world.run(&run_with_right_clock(4));
                let sound = world.assert_each_written_once();
                assert!(
                    sound.is_ok(),
                    "{order:?}, wrong by {wrong_by} h after {before}: {sound:?}"
                );
            }
        }
    }
}
