//! Shows how often values occur, and how many events there are in each hour or day, as text with
//! bars.

use std::collections::BTreeMap;

use unicode_width::UnicodeWidthStr as _;

use crate::config::request::HistogramUnit;
use crate::model::json::write::object;
use crate::model::text::{group_digits, visible};
use crate::model::time::{Timestamp, format_millis};
use crate::model::user_zone::UserZone;

/// The longest bar, in characters.
const BAR: usize = 30;

/// The widest value that is shown whole.
const MAX_VALUE: usize = 60;

/// Hours that are counted apart; of a longer time, days are.
const MAX_BUCKETS: usize = 50_000;

/// Hours or days without events that are shown one by one; of more, only their number is.
const MAX_EMPTY: i64 = 2;

/// How often a value occurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedRow {
    /// The value.
    pub value: String,
    /// Events with it.
    pub events: u64,
    /// Of them, those that failed.
    pub failed: u64,
    /// The earliest time.
    pub first: Option<Timestamp>,
    /// The latest time.
    pub last: Option<Timestamp>,
}

impl CountedRow {
    /// The row as a JSON object, with its newline.
    pub fn json(&self, field: &str) -> String {
        let mut out = Vec::new();
        object(&mut out, |out| {
            out.text("field", field);
            out.text("value", &self.value);
            out.integer("events", i64::try_from(self.events).unwrap_or(i64::MAX));
            out.integer("failed", i64::try_from(self.failed).unwrap_or(i64::MAX));
            self.first.into_iter().for_each(|time| out.time("first", time));
            self.last.into_iter().for_each(|time| out.time("last", time));
        });
        String::from_utf8_lossy(&out).into_owned() + "\n"
    }
}

/// The rows as a table under `head`.
pub fn value_table(head: &str, rows: &[CountedRow], zone: UserZone) -> String {
    let most = rows.iter().map(|row| row.events).max().unwrap_or_default();
    let time = |time: Option<Timestamp>| {
        time.map(|time| zone.wall_clock(time).format("%Y-%m-%d %H:%M").to_string())
            .unwrap_or_default()
    };
    let [first, last] = ["FIRST", "LAST"].map(|head| format!("{head} ({zone})"));
    let heads = [head, "EVENTS", "FAILED", &first, &last, ""].map(str::to_owned);
    let cells = rows.iter().map(|row| {
        [
            shortened(&visible(&row.value)),
            group_digits(row.events),
            if row.failed > 0 { group_digits(row.failed) } else { String::new() },
            time(row.first),
            time(row.last),
            bar(row.events, most),
        ]
    });
    let lines: Vec<_> = std::iter::once(heads).chain(cells).collect();
    aligned(&lines, &[1, 2])
}

/// Lines whose columns are aligned; those at `right` to the right.
fn aligned<const N: usize>(lines: &[[String; N]], right: &[usize]) -> String {
    let mut widths = [0; N];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.width().max(*width);
        }
    }
    let mut out = String::new();
    for line in lines {
        let start = out.len();
        for (at, (cell, width)) in line.iter().zip(widths).enumerate() {
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            let gap = if at > 0 { "  " } else { "" };
            match right.contains(&at) {
                true => out.extend([gap, &padding, cell]),
                false => out.extend([gap, cell, &padding]),
            }
        }
        out.truncate(start + out.get(start..).unwrap_or_default().trim_end().len());
        out.push('\n');
    }
    out
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_VALUE) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// A bar as long as `count` is of `most`, in eighths of a character.
fn bar(count: u64, most: u64) -> String {
    let eighths = (count as f64 / most.max(1) as f64 * (BAR * 8) as f64).ceil() as usize;
    let last = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"].get(eighths % 8).copied();
    "█".repeat(eighths / 8) + last.unwrap_or_default()
}

/// How many seconds it has.
fn seconds(unit: HistogramUnit) -> i64 {
    match unit {
        HistogramUnit::Hour => 3_600,
        HistogramUnit::Day => 86_400,
    }
}

/// How many events there are in each hour or day.
#[derive(Debug)]
pub struct TimeHistogram {
    /// What was asked for; without it, what fits the time that the events take.
    asked: Option<HistogramUnit>,
    unit: HistogramUnit,
    /// The zone whose clocks decide.
    zone: UserZone,
    /// Events and failures, by the hours or days from 1970 on.
    counts: BTreeMap<i64, [u64; 2]>,
    /// Events that are left out: there are too many days.
    left_out: u64,
    /// Events without a time.
    undated: u64,
}

impl TimeHistogram {
    /// Counts by `unit`, or by what fits, as the clocks of `zone` go.
    pub fn new(unit: Option<HistogramUnit>, zone: UserZone) -> TimeHistogram {
        TimeHistogram {
            asked: unit,
            unit: unit.unwrap_or(HistogramUnit::Hour),
            zone,
            counts: BTreeMap::new(),
            left_out: 0,
            undated: 0,
        }
    }

    /// Counts an event without a time.
    pub fn add_undated(&mut self) {
        self.undated += 1;
    }

    /// Counts an event.
    pub fn add(&mut self, time: Timestamp, failed: bool) {
        let local = self.zone.wall_clock(time).and_utc().timestamp();
        let bucket = local.div_euclid(seconds(self.unit));
        if self.counts.len() >= MAX_BUCKETS && !self.counts.contains_key(&bucket) {
            if self.unit == HistogramUnit::Day {
                self.left_out += 1;
                return;
            }
            self.count_by_day();
            return self.add(time, failed);
        }
        let [events, failures] = self.counts.entry(bucket).or_default();
        *events += 1;
        *failures += u64::from(failed);
    }

    fn count_by_day(&mut self) {
        self.unit = HistogramUnit::Day;
        for (hour, [events, failures]) in std::mem::take(&mut self.counts) {
            let count = self.counts.entry(hour.div_euclid(24)).or_default();
            count[0] += events;
            count[1] += failures;
        }
    }

    /// By days, where nobody asked for hours and there are more than three days of them.
    fn choose_unit(&mut self) {
        let span = self.counts.first_key_value().zip(self.counts.last_key_value());
        let hours = span.map_or(0, |((first, _), (last, _))| last - first);
        if self.asked.is_none() && self.unit == HistogramUnit::Hour && hours > 3 * 24 {
            self.count_by_day();
        }
    }

    /// What clocks show when it begins.
    fn start(&self, bucket: i64) -> Timestamp {
        Timestamp::from_timestamp(bucket * seconds(self.unit), 0).unwrap_or_default()
    }

    /// The counts as text.
    pub fn text(mut self) -> String {
        self.choose_unit();
        let (head, format, units) = match self.unit {
            HistogramUnit::Hour => ("HOUR", "%Y-%m-%d %H:%M", "hours"),
            HistogramUnit::Day => ("DAY", "%Y-%m-%d %a", "days"),
        };
        let head = format!("{head} ({})", self.zone);
        let line = |head: String, [events, failed]: [u64; 2], bar: String| {
            let failed = if failed > 0 { group_digits(failed) } else { String::new() };
            [head, group_digits(events), failed, bar]
        };
        let most = self.counts.values().map(|[events, _]| *events).max().unwrap_or_default();
        let mut lines = vec![[&*head, "EVENTS", "FAILED", ""].map(str::to_owned)];
        let mut next = None;
        for (&bucket, &count) in &self.counts {
            let empty = next.unwrap_or(bucket)..bucket;
            let length = bucket - empty.start;
            if length > MAX_EMPTY {
                let head = format!("… {} {units}", group_digits(length.unsigned_abs()));
                lines.push(line(head, [0, 0], String::new()));
            } else {
                let head = |bucket| self.start(bucket).format(format).to_string();
                lines.extend(empty.map(|bucket| line(head(bucket), [0, 0], String::new())));
            }
            next = Some(bucket + 1);
            let head = self.start(bucket).format(format).to_string();
            lines.push(line(head, count, bar(count[0], most)));
        }
        if self.left_out > 0 {
            lines.push(line("… other days".to_owned(), [self.left_out, 0], String::new()));
        }
        if self.undated > 0 {
            lines.push(line("no time".to_owned(), [self.undated, 0], String::new()));
        }
        aligned(&lines, &[1, 2])
    }

    /// The counts as JSON objects.
    pub fn json(&mut self) -> Vec<serde_json::Value> {
        self.choose_unit();
        let row = |(bucket, [events, failed]): (&i64, &[u64; 2])| {
            let from = format_millis(self.start(*bucket));
            serde_json::json!({"from": from, "events": events, "failed": failed})
        };
        self.counts.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn values_have_bars_as_long_as_they_are_frequent() {
        let row = |value: &str, events, failed| CountedRow {
            value: value.to_owned(),
            events,
            failed,
            first: Some(at("2026-11-20T09:30:00Z")),
            last: None,
        };
        let rows = [row("user_login", 1_000, 7), row("é\u{1b}", 10, 0)];
        let expected = [
            "ACTION      EVENTS  FAILED  FIRST (UTC)       LAST (UTC)",
            "user_login   1,000       7  2026-11-20 09:30              ██████████████████████████████",
            "é␛              10          2026-11-20 09:30              ▍",
        ];
        assert_eq!(value_table("ACTION", &rows, UserZone::UTC), expected.join("\n") + "\n");
    }

    #[test]
    fn hours_become_days_where_there_are_many() {
        let mut histogram = TimeHistogram::new(None, UserZone::UTC);
        for time in ["2026-11-20T09:30:00Z", "2026-11-20T09:59:59Z", "2026-11-20T12:00:00Z"] {
            histogram.add(at(time), time.contains("12"));
        }
        let expected = [
            "HOUR (UTC)        EVENTS  FAILED",
            "2026-11-20 09:00       2          ██████████████████████████████",
            "2026-11-20 10:00       0",
            "2026-11-20 11:00       0",
            "2026-11-20 12:00       1       1  ███████████████",
        ];
        assert_eq!(histogram.text(), expected.join("\n") + "\n");
        let mut histogram = TimeHistogram::new(None, UserZone::UTC);
        for day in ["01", "02", "05", "20"] {
            histogram.add(at(&format!("2026-11-{day}T23:30:00Z")), false);
        }
        let expected = [
            "DAY (UTC)       EVENTS  FAILED",
            "2026-11-01 Sun       1          ██████████████████████████████",
            "2026-11-02 Mon       1          ██████████████████████████████",
            "2026-11-03 Tue       0",
            "2026-11-04 Wed       0",
            "2026-11-05 Thu       1          ██████████████████████████████",
            "… 14 days            0",
            "2026-11-20 Fri       1          ██████████████████████████████",
        ];
        assert_eq!(histogram.text(), expected.join("\n") + "\n");
    }

    #[test]
    fn any_number_of_hours_takes_bounded_memory() {
        let mut histogram = TimeHistogram::new(Some(HistogramUnit::Hour), UserZone::UTC);
        let start = at("0001-01-01T00:00:00Z");
        for at in 0..200_000_i64 {
            histogram.add(start + TimeDelta::hours(17 * at), false);
        }
        assert_eq!(histogram.counts.len(), MAX_BUCKETS);
        let counted: u64 = histogram.counts.values().map(|count| count[0]).sum();
        assert_eq!(counted + histogram.left_out, 200_000);
        assert!(histogram.text().contains("… other days"));
    }
}
