//! Runs `top`: counts the values of a field.

use std::collections::HashSet;
use std::sync::Arc;

use crate::commands::query::{self, QueryWork};
use crate::config::env::ProcessEnv;
use crate::config::request::TopRequest;
use crate::error::AppError;
use crate::exit::Exit;
use crate::filter::FieldPath;
use crate::model::meaning::Outcome;
use crate::model::text::{counted, group_digits};
use crate::report::{CountedValue, FrequencyCounter, TruncatedText};
use crate::search::{self, ChosenEvent, CountedRow, NextStep, value_table};
use crate::sink::stdout;
use crate::telemetry::console::StderrConsole;

/// Values that are counted exactly; of more, the frequent ones are found, with counts that are too
/// low by no more than is said.
pub const MAX_VALUES: usize = 50_000;

/// Counts, and returns whether everything could be read.
///
/// # Errors
/// The output cannot be written, or a signal came.
pub async fn run(
    request: TopRequest,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<Exit, AppError> {
    let TopRequest { query, field, limit, json } = request;
    let counted_field = field.clone();
    let (counter, exit) = query::run(query, env, console, move |work| {
        let QueryWork { query, taxonomy, report, is_stopped, .. } = work;
        let mut counter = FieldCounter::new(counted_field);
        let wait = || if is_stopped() { Err(query::interrupted()) } else { Ok(()) };
        let counts = search::choose_events(query, taxonomy, report, wait, |event| {
            counter.add(&event);
            Ok(NextStep::Continue)
        })?;
        Ok((counter, counts))
    })
    .await?;
    let rows = counter.rows(limit);
    let name = field.to_string();
    match json {
        true => stdout::print(&rows.iter().map(|row| row.json(&name)).collect::<String>())?,
        false => stdout::print(&value_table(&name.to_uppercase(), &rows, console.zone()))?,
    }
    if let Some(note) = counter.note(rows.len()) {
        console.notice(note);
    }
    Ok(exit)
}

/// Counts the values of one field.
pub struct FieldCounter {
    field: FieldPath,
    values: FrequencyCounter,
}

impl FieldCounter {
    /// Counts nothing yet.
    pub fn new(field: FieldPath) -> FieldCounter {
        FieldCounter { field, values: FrequencyCounter::new(MAX_VALUES) }
    }

    /// Counts an event once under each of the field's values.
    pub fn add(&mut self, event: &ChosenEvent) {
        let root = event.doc.root();
        let is_failure = root.get("outcome").is_some_and(|it| it.is(Outcome::Failure.as_str()));
        let mut labels = HashSet::new();
        self.field.each_label(root, &mut |label| {
            labels.insert(TruncatedText::name(label.to_owned()));
        });
        if labels.is_empty() {
            self.values.add(None, event.time, is_failure);
        }
        for label in labels {
            self.values.add(Some(&CountedValue::plain(label)), event.time, is_failure);
        }
    }

    /// How many values there are; nothing where there are more than can be counted.
    pub fn value_count(&self) -> Option<usize> {
        Some(self.values.value_count()).filter(|_| self.values.max_error == 0)
    }

    /// By how much counts may be too low.
    pub fn max_error(&self) -> u64 {
        self.values.max_error
    }

    /// The most frequent values.
    pub fn rows(&self, limit: usize) -> Vec<CountedRow> {
        let top = self.values.top(limit).into_iter();
        top.map(|row| CountedRow {
            value: row.label.name.plain(),
            events: row.events,
            failed: row.failed,
            first: row.first,
            last: row.last,
        })
        .collect()
    }

    /// What the rows do not show: further values, events without one, counts that are too low.
    fn note(&self, shown: usize) -> Option<String> {
        let mut parts = Vec::new();
        let more = self.value_count().unwrap_or(shown).saturating_sub(shown) as u64;
        if more > 0 {
            parts.push(format!("{} more", counted(more, "value")));
        }
        if self.values.without > 0 {
            parts.push(format!("{} without it", counted(self.values.without, "event")));
        }
        if self.values.max_error > 0 {
            parts.push(format!(
                "there are more than {} values, so that counts may be too low by {}",
                group_digits(MAX_VALUES as u64),
                group_digits(self.values.max_error)
            ));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}
