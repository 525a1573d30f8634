//! Runs `detect`: judges saved events, and shows the alerts.

use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::commands::query::{self, QueryWork};
use crate::config::env::ProcessEnv;
use crate::config::request::{AlertFormat, DetectRequest, SavedEventQuery};
use crate::config::settings::Compression;
use crate::detect::{
    AlertSchema, AlertSeverity, AlertTable, DetectionAlert, DetectionCoverage, DetectionEvent,
    DetectionSetup, DetectionState, JudgedAlert,
};
use crate::error::AppError;
use crate::exit::Exit;
use crate::filter::EventFilter;
use crate::model::text::{counted, plural};
use crate::search::{self, NextStep, QueryCounts, TimeSorter};
use crate::sink::LineSink as _;
use crate::sink::stdout::{self, StdoutSink};
use crate::telemetry::console::StderrConsole;

/// Bytes that are printed at once, at the latest.
const BATCH_BYTES: usize = 64 * 1024;

/// Judges, and returns whether everything could be read, and whether there is an alert to fail on.
///
/// # Errors
/// A rule, a list or a database cannot be read, the output cannot be written, or a signal came.
pub async fn run(
    request: DetectRequest,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<Exit, AppError> {
    let setup = DetectionSetup::load(request.settings.clone(), request.query.now)?;
    for warning in setup.warnings() {
        console.warn(warning);
    }
    let query = request.query.clone();
    let is_quiet = request.explain.is_some() || request.is_coverage;
    let fail_on = request.fail_on;
    let (outcome, mut exit) = query::run(query, env, console, move |work| {
        let mut detection = DetectionRun::new(&request, &setup);
        let counts = detection.read(work)?;
        let outcome = detection.finish()?;
        Ok((outcome, counts))
    })
    .await?;
    outcome.report(console, is_quiet);
    if outcome.is_unexplained {
        return Err(AppError::new(Exit::Usage, "no alert has this id")
            .hint("name the id, or the part of it that the table shows"));
    }
    if fail_on.is_some_and(|least| outcome.worst >= Some(least)) {
        exit = exit.worst(Exit::Alerts);
    }
    Ok(exit)
}

/// An event on its way through the sort.
#[derive(Serialize, Deserialize)]
struct SortedEvent {
    /// Only the history of other events: its alerts are not told.
    is_learned: bool,
    event: DetectionEvent,
}

/// What became of the events.
#[derive(Debug, Default)]
struct DetectionOutcome {
    events: u64,
    alerts: u64,
    /// By severity, the least first.
    by_severity: [u64; 5],
    worst: Option<AlertSeverity>,
    /// Below the least severity that is shown.
    hidden: u64,
    excepted: u64,
    forgotten: u64,
    uncorrelated: u64,
    undated: u64,
    is_learning: bool,
    is_unexplained: bool,
}

/// Reads, sorts, judges and prints.
struct DetectionRun<'a> {
    request: &'a DetectRequest,
    setup: &'a DetectionSetup,
    sorter: TimeSorter,
    coverage: DetectionCoverage,
    printer: AlertPrinter,
    outcome: DetectionOutcome,
}

impl<'a> DetectionRun<'a> {
    fn new(request: &'a DetectRequest, setup: &'a DetectionSetup) -> DetectionRun<'a> {
        DetectionRun {
            request,
            setup,
            sorter: TimeSorter::new(false, None),
            coverage: DetectionCoverage::default(),
            printer: AlertPrinter::new(request),
            outcome: DetectionOutcome::default(),
        }
    }

    /// Reads all events, and sorts them by time.
    fn read(&mut self, work: QueryWork<'_>) -> Result<QueryCounts, AppError> {
        let QueryWork { query, taxonomy, report, is_stopped, .. } = work;
        let history = SavedEventQuery {
            inputs: self.request.learn.clone(),
            filter: EventFilter::default(),
            ..query.clone()
        };
        let mut counts = QueryCounts::default();
        let parts = [(&history, true), (query, false)];
        for (query, is_learned) in parts.into_iter().filter(|(query, _)| !query.inputs.is_empty()) {
            let wait = || if is_stopped() { Err(query::interrupted()) } else { Ok(()) };
            let read = search::choose_events(query, taxonomy.clone(), report, wait, |chosen| {
                if !is_learned {
                    self.coverage.add(&chosen.doc, self.setup);
                }
                match self.setup.event(&chosen.doc) {
                    None => self.outcome.undated += 1,
                    Some(event) => {
                        self.outcome.events += u64::from(!is_learned);
                        let time = event.time();
                        let sorted = SortedEvent { is_learned, event };
                        let line = postcard::to_stdvec(&sorted)
                            .map_err(|error| sort_error(&io::Error::other(error)))?;
                        let pushed = self.sorter.push(Some(time), &line);
                        pushed.map_err(|error| sort_error(&error))?;
                    }
                }
                Ok(NextStep::Continue)
            })?;
            counts.add(&read);
        }
        Ok(counts)
    }

    /// Judges the events in the order of time, those of one time in the order of their ids.
    fn finish(mut self) -> Result<DetectionOutcome, AppError> {
        if self.request.is_coverage {
            stdout::print(&self.coverage.text(self.setup, self.request.style.width))?;
            return Ok(self.outcome);
        }
        let sorter = std::mem::replace(&mut self.sorter, TimeSorter::new(false, None));
        let mut state = DetectionState::default();
        let mut lines = sorter.finish().map_err(|error| sort_error(&error))?;
        let mut of_one_time: Vec<SortedEvent> = Vec::new();
        loop {
            let line = lines.next().map_err(|error| sort_error(&error))?;
            let next = line.and_then(|line| postcard::from_bytes::<SortedEvent>(&line).ok());
            let is_same_time = match (&next, of_one_time.first()) {
                (Some(next), Some(first)) => next.event.time() == first.event.time(),
                _ => of_one_time.is_empty(),
            };
            if !is_same_time {
                self.judge(&mut state, &mut of_one_time)?;
            }
            match next {
                Some(next) => of_one_time.push(next),
                None => break,
            }
        }
        self.judge(&mut state, &mut of_one_time)?;
        self.printer.finish()?;
        self.outcome.forgotten = state.forgotten();
        self.outcome.uncorrelated = state.uncorrelated();
        self.outcome.is_learning = state.is_learning(&self.setup.settings);
        self.outcome.is_unexplained = self.request.explain.is_some() && !self.printer.has_explained;
        Ok(self.outcome)
    }

    /// Judges events of one time. One that was read twice counts once.
    fn judge(
        &mut self,
        state: &mut DetectionState,
        events: &mut Vec<SortedEvent>,
    ) -> Result<(), AppError> {
        let key = |sorted: &SortedEvent| {
            let SortedEvent { is_learned, event } = sorted;
            // Whatever else differs, the order must not depend on that of the files.
            let rest = postcard::to_stdvec(event).unwrap_or_default();
            (event.mark.clone(), event.source.clone(), *is_learned, rest)
        };
        if events.len() > 1 {
            events.sort_by_cached_key(key);
        }
        let name = |sorted: &SortedEvent| (sorted.event.mark.clone(), sorted.event.source.clone());
        events.dedup_by(|later, first| name(later) == name(first));
        for SortedEvent { is_learned, event } in events.drain(..) {
            for JudgedAlert { alert, is_excepted } in state.judge(self.setup, &event) {
                if is_learned {
                    continue;
                }
                if is_excepted {
                    self.outcome.excepted += 1;
                    continue;
                }
                self.outcome.note(&alert);
                let is_asked_for = self.request.explain.is_some();
                match alert.severity < self.request.min_severity && !is_asked_for {
                    true => self.outcome.hidden += 1,
                    false => self.printer.print(&alert)?,
                }
            }
        }
        Ok(())
    }
}

impl DetectionOutcome {
    fn note(&mut self, alert: &DetectionAlert) {
        self.alerts += 1;
        self.worst = self.worst.max(Some(alert.severity));
        if let Some(count) = self.by_severity.get_mut(alert.severity as usize) {
            *count += 1;
        }
    }

    fn report(&self, console: &StderrConsole, is_quiet: bool) {
        if is_quiet {
            return;
        }
        if self.undated > 0 {
            let what = plural(self.undated, "event has", "events have");
            console.warn(format!("{what} no time that can be read, and could not be judged"));
        }
        if self.forgotten > 0 {
            console.warn(format!(
                "{} of users and addresses forgotten to keep memory bounded: for these \
                 nothing is `new` any more; raise `max_users` of `[detect]`",
                plural(self.forgotten, "history was", "histories were")
            ));
        }
        if self.uncorrelated > 0 {
            let what = plural(self.uncorrelated, "event or group", "events and groups");
            console.warn(format!(
                "{what} of correlations left out to keep memory bounded: a rule that counts events \
                 may have missed something; group by fields with fewer values, or in less time"
            ));
        }
        let mut parts = Vec::new();
        for (severity, count) in AlertSeverity::ALL.into_iter().zip(self.by_severity).rev() {
            if count > 0 {
                parts.push(format!("{count} {severity}"));
            }
        }
        let mut text = match parts.is_empty() {
            true => format!("no alert in {}", counted(self.events, "event")),
            false => format!(
                "{} in {}: {}",
                counted(self.alerts, "alert"),
                counted(self.events, "event"),
                parts.join(", ")
            ),
        };
        if self.hidden > 0 {
            text += &format!("; {} below `--min-severity` not shown", self.hidden);
        }
        if self.excepted > 0 {
            text += &format!("; {} kept back by exceptions", self.excepted);
        }
        console.notice(text);
        if self.is_learning && self.events > 0 {
            console.notice(
                "the history is too short to know what is usual: most alerts count as info. Give \
                 older events with `--learn FILE`, or judge from the first event on with \
                 `--no-learning`",
            );
        }
    }
}

/// How alerts are printed.
struct AlertPrinter {
    format: AlertRenderer,
    explain: Option<String>,
    has_explained: bool,
    /// What is not printed yet.
    text: Vec<u8>,
    sink: StdoutSink,
}

enum AlertRenderer {
    Table(AlertTable),
    Lines(AlertSchema),
}

impl AlertPrinter {
    fn new(request: &DetectRequest) -> AlertPrinter {
        AlertPrinter {
            format: match request.format {
                AlertFormat::Table => AlertRenderer::Table(AlertTable::new(request.style)),
                AlertFormat::Alerts => AlertRenderer::Lines(AlertSchema::Alerts),
                AlertFormat::Ecs => AlertRenderer::Lines(AlertSchema::Ecs),
                AlertFormat::Ocsf => AlertRenderer::Lines(AlertSchema::Ocsf),
            },
            explain: request.explain.clone(),
            has_explained: false,
            text: Vec::new(),
            sink: StdoutSink::new(Compression::None),
        }
    }

    fn print(&mut self, alert: &DetectionAlert) -> Result<(), AppError> {
        match (&self.explain, &mut self.format) {
            (Some(id), _) => {
                if alert.id.contains(id.as_str()) {
                    if self.has_explained {
                        self.text.push(b'\n');
                    }
                    self.has_explained = true;
                    self.text.extend_from_slice(alert.explanation().as_bytes());
                }
            }
            (None, AlertRenderer::Table(table)) => {
                let mut rows = String::new();
                table.push(alert, &mut rows);
                self.text.extend_from_slice(rows.as_bytes());
            }
            (None, AlertRenderer::Lines(schema)) => schema.append_line(alert, &mut self.text),
        }
        if self.text.len() >= BATCH_BYTES {
            self.finish()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), AppError> {
        if !self.text.is_empty() {
            self.sink.append(&self.text)?;
            self.text.clear();
        }
        Ok(())
    }
}

fn sort_error(error: &io::Error) -> AppError {
    AppError::new(Exit::Output, "cannot write the temporary file that events are sorted in")
        .because(error)
        .hint("TMPDIR names the folder that it is created in")
}
