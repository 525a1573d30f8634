//! Runs `detect`: judges saved events, and shows the alerts.

use std::sync::Arc;

use crate::commands::query::{self, QueryWork};
use crate::commands::saved_detection::{self, DetectionOutcome, SavedDetection, sort_error};
use crate::config::env::ProcessEnv;
use crate::config::request::{AlertFormat, DetectRequest, SavedEventQuery};
use crate::config::settings::Compression;
use crate::detect::{AlertSchema, AlertTable, DetectionAlert, DetectionCoverage, DetectionSetup};
use crate::error::AppError;
use crate::exit::Exit;
use crate::filter::EventFilter;
use crate::search::{self, NextStep, QueryCounts};
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
    let setup = saved_detection::load_setup(request.settings.clone(), request.query.now, console)?;
    let mut query = request.query.clone();
    query.needs_raw |= setup.rules.reads_raw();
    let is_quiet = request.explain.is_some() || request.is_coverage;
    let fail_on = request.fail_on;
    let (shown, mut exit) = query::run(query, env, console, move |work| {
        let mut detection = DetectionRun::new(&request, &setup);
        let counts = detection.read(work)?;
        let shown = detection.finish()?;
        Ok((shown, counts))
    })
    .await?;
    if !is_quiet {
        shown.report(console);
    }
    if shown.is_unexplained {
        return Err(AppError::new(Exit::Usage, "no alert has this id")
            .hint("name the id, or the part of it that the table shows"));
    }
    if fail_on.is_some_and(|least| shown.outcome.worst() >= Some(least)) {
        exit = exit.worst(Exit::Alerts);
    }
    Ok(exit)
}

/// What was found, and how much of it was shown.
#[derive(Debug, Default)]
struct ShownAlerts {
    outcome: DetectionOutcome,
    /// Below the least severity that is shown.
    hidden: u64,
    is_unexplained: bool,
}

/// Reads, judges and prints.
struct DetectionRun<'a> {
    request: &'a DetectRequest,
    setup: &'a DetectionSetup,
    detection: SavedDetection<'a>,
    coverage: DetectionCoverage,
}

impl<'a> DetectionRun<'a> {
    fn new(request: &'a DetectRequest, setup: &'a DetectionSetup) -> DetectionRun<'a> {
        DetectionRun {
            request,
            setup,
            detection: SavedDetection::new(setup),
            coverage: DetectionCoverage::default(),
        }
    }

    /// Reads all events.
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
                if !self.request.is_coverage {
                    let added = self.detection.add(&chosen.doc, is_learned);
                    added.map_err(|error| sort_error(&error))?;
                } else if !is_learned {
                    self.coverage.add(&chosen.doc, self.setup);
                }
                Ok(NextStep::Continue)
            })?;
            counts.add(&read);
        }
        Ok(counts)
    }

    /// Prints the alerts, or what can be found.
    fn finish(self) -> Result<ShownAlerts, AppError> {
        let mut shown = ShownAlerts::default();
        if self.request.is_coverage {
            stdout::print(&self.coverage.text(self.setup, self.request.style.width))?;
            return Ok(shown);
        }
        let mut printer = AlertPrinter::new(self.request);
        let is_asked_for = self.request.explain.is_some();
        let mut sorted = self.detection.sort().map_err(|error| sort_error(&error))?;
        while let Some(alert) = sorted.next().map_err(|error| sort_error(&error))? {
            match alert.severity < self.request.min_severity && !is_asked_for {
                true => shown.hidden += 1,
                false => printer.print(&alert)?,
            }
        }
        printer.finish()?;
        shown.outcome = sorted.finish();
        shown.is_unexplained = is_asked_for && !printer.has_explained;
        Ok(shown)
    }
}

impl ShownAlerts {
    fn report(&self, console: &StderrConsole) {
        let outcome = &self.outcome;
        outcome.warn(console);
        let mut text = outcome.summary();
        if self.hidden > 0 {
            text += &format!("; {} below `--min-severity` not shown", self.hidden);
        }
        if outcome.notes.excepted > 0 {
            text += &format!("; {} kept back by exceptions", outcome.notes.excepted);
        }
        console.notice(text);
        if outcome.notes.is_learning && outcome.events > 0 {
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
