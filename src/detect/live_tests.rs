use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::*;
use crate::detect::reference_tests::{HistoryCase, any_case, cases};
use crate::model::time::Timestamp;
use crate::state::detection_log::DetectionLog;

/// How long events wait for earlier ones.
const LATENESS: i64 = 3600;

/// How the events of a history arrive.
#[derive(Debug, Clone)]
struct ArrivalPlan {
    /// Of each event, how many seconds after it happened; less than the lateness.
    delays: Vec<i64>,
    /// After so many arrivals there is a commit.
    commits: Vec<usize>,
    /// After so many arrivals the run dies, and a later one reads again from the last commit.
    deaths: Vec<usize>,
}

fn any_plan() -> impl Strategy<Value = ArrivalPlan> {
    let places = || prop::collection::vec(0_usize..600, 0..12);
    let delays = prop::collection::vec(0..LATENESS, 1..=64);
    (delays, places(), places()).prop_map(|(delays, commits, deaths)| ArrivalPlan {
        delays,
        commits,
        deaths,
    })
}

fn live(setup: Arc<DetectionSetup>) -> LiveDetection {
    LiveDetection::new(setup, AlertSchema::Alerts, Some(AlertSeverity::Info))
}

/// A source whose runs may die: what is committed of its records and alerts, as bytes.
struct KilledRuns {
    setup: Arc<DetectionSetup>,
    records: Vec<u8>,
    lines: Vec<u8>,
    /// Arrivals that are committed.
    arrived: usize,
}

/// A run of it.
struct OneRun {
    detection: LiveDetection,
    /// Records since the last commit.
    records: Vec<u8>,
}

impl KilledRuns {
    fn begin(&self) -> OneRun {
        let mut detection = live(self.setup.clone());
        let mut rest = self.records.as_slice();
        let next = || {
            if rest.is_empty() {
                return None;
            }
            let (record, behind) = postcard::take_from_bytes::<LiveRecord>(rest).unwrap();
            rest = behind;
            Some(Ok::<_, DamagedEvent>(record))
        };
        let have_rules_changed = detection.replay(std::iter::from_fn(next), |error| error).unwrap();
        assert!(!have_rules_changed);
        assert!(detection.take_lines().is_empty(), "alerts of earlier runs are found again");
        OneRun { detection, records: Vec::new() }
    }

    /// Commits as a run does; every second time all records are replaced by a memory.
    fn commit(&mut self, run: &mut OneRun, arrived: usize, before: Timestamp) {
        let record: LiveRecord = LiveRecord::JudgedBefore(before);
        run.records.extend(postcard::to_stdvec(&record).unwrap());
        run.detection.judge_before(before).unwrap();
        self.lines.extend(run.detection.take_lines());
        match arrived % 2 {
            0 => self.records = postcard::to_stdvec(&run.detection.memory()).unwrap(),
            _ => self.records.extend(&run.records),
        }
        run.records.clear();
        self.arrived = arrived;
    }
}

/// The alerts of a history whose events arrive as planned.
fn alerts_of(case: &HistoryCase, plan: &ArrivalPlan) -> String {
    let setup = Arc::new(case.setup());
    let mut events: Vec<(Timestamp, StoredEvent)> = Vec::new();
    for (place, event) in case.history().into_iter().enumerate() {
        let delay = plan.delays[place % plan.delays.len()];
        events.push((event.time() + TimeDelta::seconds(delay), event.store()));
    }
    events.sort_by_key(|(arrival, _)| *arrival);
    let mut runs = KilledRuns { setup, records: Vec::new(), lines: Vec::new(), arrived: 0 };
    let mut deaths = plan.deaths.clone();
    let mut run = runs.begin();
    let mut next = 0;
    while let Some((arrival, event)) = events.get(next) {
        if let Some(death) = deaths.iter().position(|death| *death == next) {
            deaths.remove(death);
            run = runs.begin();
            next = runs.arrived;
            continue;
        }
        if plan.commits.contains(&next) {
            runs.commit(&mut run, next, *arrival - TimeDelta::seconds(LATENESS));
        }
        let record: LiveRecord = LiveRecord::Event(event.clone());
        run.records.extend(postcard::to_stdvec(&record).unwrap());
        run.detection.add(event.clone()).unwrap();
        next += 1;
    }
    runs.commit(&mut run, next, Timestamp::MAX_UTC);
    String::from_utf8(runs.lines).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn the_alerts_do_not_depend_on_the_order_nor_on_deaths(
        case in any_case(),
        plan in any_plan(),
    ) {
        let in_order = ArrivalPlan { delays: vec![0], commits: Vec::new(), deaths: Vec::new() };
        let wanted = alerts_of(&case, &in_order);
        prop_assert_eq!(alerts_of(&case, &plan), wanted);
    }
}

#[test]
fn an_event_that_comes_too_late_is_judged_and_marked() {
    let mut runner = TestRunner::deterministic();
    let mut late = 0;
    for _ in 0..50 {
        let case = any_case().new_tree(&mut runner).unwrap().current();
        let mut detection = live(Arc::new(case.setup()));
        let mut events = case.history();
        let first = events.remove(0);
        for event in events {
            detection.add(event.store()).unwrap();
        }
        detection.judge_before(Timestamp::MAX_UTC).unwrap();
        let before = String::from_utf8(detection.take_lines()).unwrap();
        assert!(!before.contains(r#""late":true"#), "{before}");
        detection.add(first.store()).unwrap();
        detection.judge_before(Timestamp::MAX_UTC).unwrap();
        let found = String::from_utf8(detection.take_lines()).unwrap();
        assert!(found.lines().all(|line| line.contains(r#""late":true"#)), "{found}");
        late += found.lines().count();
    }
    assert!(late > 0, "no history begins with an alert");
}

#[test]
fn too_many_waiting_events_are_judged_early_and_counted() {
    let case = any_case().new_tree(&mut TestRunner::deterministic()).unwrap().current();
    let event = case.history().remove(0);
    let mut detection = live(Arc::new(case.setup()));
    for number in 0..=MAX_WAITING {
        let mut event = event.clone();
        event.mark.id = format!("e{number}");
        detection.add(event.store()).unwrap();
    }
    let judged = (MAX_WAITING + 1).div_ceil(4);
    assert_eq!(detection.counts().judged_early, judged as u64);
    assert_eq!(detection.memory.waiting.len(), MAX_WAITING + 1 - judged);
}

#[test]
fn large_events_that_wait_are_judged_early_by_their_bytes() {
    let case = any_case().new_tree(&mut TestRunner::deterministic()).unwrap().current();
    let mut event = case.history().remove(0);
    event.affected = (0..1000).map(|n| format!("{n:0>200}")).collect();
    let mut detection = live(Arc::new(case.setup()));
    for number in 0..200 {
        event.mark.id = format!("e{number}");
        detection.add(event.store()).unwrap();
        let waiting = detection.memory.waiting.iter().map(|event| event.bytes().len());
        assert_eq!(detection.waiting_bytes, waiting.sum::<usize>());
        assert!(detection.waiting_bytes <= MAX_WAITING_BYTES);
    }
    assert!(detection.counts().judged_early > 0);
    assert_eq!(detection.waiting() + detection.counts().judged_early, 200);
}

#[test]
fn an_event_larger_than_any_buffer_reads_back_from_the_log() {
    let state = tempfile::tempdir().unwrap();
    let case = any_case().new_tree(&mut TestRunner::deterministic()).unwrap().current();
    let mut event = case.history().remove(0);
    // As what many correlations keep of an event with many targets.
    event.affected = (0..20_000).map(|n| format!("{n:0>100}")).collect();
    let stored = event.store();
    let source = "acme".parse().unwrap();
    let open = |position| DetectionLog::open(state.path(), &source, position).unwrap();
    let (mut log, _) = open(None);
    let mut detection = live(Arc::new(case.setup()));
    detection.add(stored.clone()).unwrap();
    log.replace(&detection.memory()).unwrap();
    let record: LiveRecord = LiveRecord::Event(stored.clone());
    log.append(&record).unwrap();
    let position = log.commit().unwrap();
    let mut records = open(Some(position)).1.unwrap();
    let mut again = live(Arc::new(case.setup()));
    let damaged = |error| panic!("{error}");
    again.replay(std::iter::from_fn(|| records.read().transpose()), damaged).unwrap();
    assert_eq!(again.memory.waiting, [stored.clone(), stored]);
}
