//! Runs `stats`: summarises events.

use std::sync::Arc;

use serde::Serialize;

use crate::commands::query::{self, QueryWork};
use crate::commands::top::{FieldCounter, MAX_VALUES};
use crate::config::env::ProcessEnv;
use crate::config::request::{HistogramUnit, StatsRequest};
use crate::error::AppError;
use crate::exit::Exit;
use crate::filter::FieldPath;
use crate::model::meaning::Outcome;
use crate::model::text::{counted, group_digits, plural};
use crate::model::time::{Timestamp, format_millis};
use crate::model::user_zone::UserZone;
use crate::search::{self, ChosenEvent, NextStep, TimeHistogram, value_table};
use crate::sink::stdout;
use crate::telemetry::console::StderrConsole;

/// The fields that are counted, and what several of their values are called.
const FIELDS: [(&str, &str, &str); 6] = [
    ("source.name", "source", "sources"),
    ("action", "action", "actions"),
    ("actor", "actor", "actors"),
    ("client.ip", "address", "addresses"),
    ("client.country", "country", "countries"),
    ("category", "category", "categories"),
];

/// Values of each field that are shown.
const SHOWN: usize = 5;

/// Summarises, and returns whether everything could be read.
///
/// # Errors
/// The output cannot be written, or a signal came.
pub async fn run(
    request: StatsRequest,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<Exit, AppError> {
    let StatsRequest { query, by, json } = request;
    // Programs read times in UTC.
    let zone = if json { UserZone::UTC } else { console.zone() };
    let (stats, exit) = query::run(query, env, console, move |work| {
        let QueryWork { query, taxonomy, report, is_stopped, .. } = work;
        let mut stats = QueryStatistics::new(by, zone);
        let wait = || if is_stopped() { Err(query::interrupted()) } else { Ok(()) };
        let counts = search::choose_events(query, taxonomy, report, wait, |event| {
            stats.add(&event);
            Ok(NextStep::Continue)
        })?;
        Ok((stats, counts))
    })
    .await?;
    stdout::print(&if json { stats.json()? } else { stats.text(zone) })?;
    Ok(exit)
}

/// What is counted of events.
struct QueryStatistics {
    events: u64,
    failed: u64,
    unknown: u64,
    span: Option<(Timestamp, Timestamp)>,
    histogram: TimeHistogram,
    fields: Vec<FieldCounter>,
}

impl QueryStatistics {
    fn new(by: Option<HistogramUnit>, zone: UserZone) -> QueryStatistics {
        let fields = FIELDS.iter().filter_map(|(path, ..)| FieldPath::parse(path).ok());
        QueryStatistics {
            events: 0,
            failed: 0,
            unknown: 0,
            span: None,
            histogram: TimeHistogram::new(by, zone),
            fields: fields.map(FieldCounter::new).collect(),
        }
    }

    fn add(&mut self, event: &ChosenEvent) {
        let outcome = event.doc.root().get("outcome");
        let is = |wanted: Outcome| outcome.is_some_and(|outcome| outcome.is(wanted.as_str()));
        self.events += 1;
        self.failed += u64::from(is(Outcome::Failure));
        self.unknown += u64::from(is(Outcome::Unknown));
        if let Some(time) = event.time {
            let (first, last) = self.span.unwrap_or((time, time));
            self.span = Some((first.min(time), last.max(time)));
            self.histogram.add(time, is(Outcome::Failure));
        } else {
            self.histogram.add_undated();
        }
        self.fields.iter_mut().for_each(|field| field.add(event));
    }

    fn text(self, zone: UserZone) -> String {
        let mut out = counted(self.events, "event");
        if let Some((first, last)) = self.span {
            out.push_str(&format!(", {} to {}", zone.seconds(first), zone.seconds(last)));
        }
        let (failed, unknown) = (group_digits(self.failed), group_digits(self.unknown));
        out.push_str(&format!("\n{failed} failed, of {unknown} the outcome is not known\n"));
        let counts = self.fields.iter().zip(FIELDS).map(|(field, (_, one, many))| {
            match field.value_count() {
                Some(count) => plural(count as u64, one, many),
                None => format!("more than {} {many}", group_digits(MAX_VALUES as u64)),
            }
        });
        out.push_str(&counts.collect::<Vec<_>>().join(", "));
        out.push_str("\n\n");
        if self.events == 0 {
            return out;
        }
        out.push_str(&self.histogram.text());
        for (field, (path, ..)) in self.fields.iter().zip(FIELDS) {
            let rows = field.rows(SHOWN);
            if !rows.is_empty() {
                out.push('\n');
                out.push_str(&value_table(&path.to_uppercase(), &rows, zone));
                if field.max_error() > 0 {
                    let error = group_digits(field.max_error());
                    out.push_str(&format!("(counts may be too low by {error})\n"));
                }
            }
        }
        out
    }

    fn json(mut self) -> Result<String, AppError> {
        #[derive(Serialize)]
        struct FieldJson<'f> {
            field: &'f str,
            /// Null where there are more than can be counted.
            values: Option<usize>,
            max_error: u64,
            top: Vec<serde_json::Value>,
        }
        #[derive(Serialize)]
        struct StatsJson<'f> {
            events: u64,
            failed: u64,
            unknown: u64,
            first: Option<String>,
            last: Option<String>,
            histogram: Vec<serde_json::Value>,
            fields: Vec<FieldJson<'f>>,
        }
        let failed = |error: serde_json::Error| {
            AppError::new(Exit::Unexpected, "the summary cannot be written as JSON")
                .because(&error)
                .hint("please report it")
        };
        let mut fields = Vec::new();
        for (counter, (field, ..)) in self.fields.iter().zip(FIELDS) {
            let rows = counter.rows(SHOWN);
            let top = rows.iter().map(|row| serde_json::from_str(&row.json(field)));
            let top = top.collect::<Result<_, _>>().map_err(failed)?;
            fields.push(FieldJson {
                field,
                values: counter.value_count(),
                max_error: counter.max_error(),
                top,
            });
        }
        let histogram = self.histogram.json();
        let stats = StatsJson {
            events: self.events,
            failed: self.failed,
            unknown: self.unknown,
            first: self.span.map(|(first, _)| format_millis(first)),
            last: self.span.map(|(_, last)| format_millis(last)),
            histogram,
            fields,
        };
        Ok(serde_json::to_string(&stats).map_err(failed)? + "\n")
    }
}
