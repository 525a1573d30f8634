//! Owns the labels below the chart: round times, few enough to be read.

use std::ops::Range;

use chrono::{Datelike as _, NaiveDate, Timelike as _};

use crate::model::time::Timestamp;

/// The most labels.
const MAX_TICKS: i64 = 12;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// A Monday.
const MONDAY: i64 = 4 * DAY;

/// Steps of one length, in milliseconds.
const STEPS: [i64; 13] = [
    MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
];

/// Steps of the calendar, in months.
const MONTHS: [i64; 9] = [1, 2, 3, 6, 12, 24, 60, 120, 1_200];

/// A label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AxisTick {
    /// Where, in milliseconds.
    pub at: i64,
    /// What it says.
    pub text: String,
}

/// The labels of a window in milliseconds.
pub fn ticks(window: Range<i64>) -> Vec<AxisTick> {
    let span = window.end - window.start;
    if let Some(step) = STEPS.into_iter().find(|step| span / step < MAX_TICKS) {
        let origin = if step >= 7 * DAY { MONDAY } else { 0 };
        let first = (window.start - origin + step - 1).div_euclid(step) * step + origin;
        return (0..MAX_TICKS + 1)
            .map(|index| first + index * step)
            .take_while(|at| *at < window.end)
            .filter_map(|at| {
                Some(AxisTick {
                    at,
                    text: label(at, step)?,
                })
            })
            .collect();
    }
    let months = span / (30 * DAY);
    let fits = |step: i64| months / step < MAX_TICKS;
    let step = MONTHS
        .into_iter()
        .find(|step| fits(*step))
        .unwrap_or(12_000);
    by_month(window, step)
}

fn by_month(window: Range<i64>, step: i64) -> Vec<AxisTick> {
    let Some(start) = Timestamp::from_timestamp_millis(window.start) else {
        return Vec::new();
    };
    let month = i64::from(start.year()) * 12 + i64::from(start.month0());
    let first = month.div_euclid(step) * step;
    let ticks = (0..MAX_TICKS + 3).filter_map(|index| {
        let month = first + index * step;
        let year = i32::try_from(month.div_euclid(12)).ok()?;
        let month = u32::try_from(month.rem_euclid(12)).ok()? + 1;
        let day = NaiveDate::from_ymd_opt(year, month, 1)?;
        let form = if month == 1 || step >= 12 { "%Y" } else { "%b" };
        Some(AxisTick {
            at: day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis(),
            text: day.format(form).to_string(),
        })
    });
    ticks.filter(|tick| window.contains(&tick.at)).collect()
}

/// A time of day, or a day where one begins.
fn label(at: i64, step: i64) -> Option<String> {
    let time = Timestamp::from_timestamp_millis(at)?;
    let is_midnight = time.num_seconds_from_midnight() == 0;
    let form = if step >= DAY || is_midnight {
        "%-d %b"
    } else {
        "%H:%M"
    };
    Some(time.format(form).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;
    use proptest::prelude::*;

    fn texts(from: &str, to: &str) -> String {
        let at = |text: &str| {
            parse_api_time(&format!("{text}Z"))
                .unwrap()
                .timestamp_millis()
        };
        let ticks = ticks(at(from)..at(to));
        ticks
            .iter()
            .map(|tick| tick.text.as_str())
            .collect::<Vec<_>>()
            .join(" | ")
    }

    #[test]
    fn labels_are_round() {
        assert_eq!(
            texts("2026-11-02T20:10:00", "2026-11-03T03:00:00"),
            "21:00 | 22:00 | 23:00 | 3 Nov | 01:00 | 02:00"
        );
        assert_eq!(
            texts("2026-11-01T00:00:00", "2026-11-29T00:00:00"),
            "2 Nov | 9 Nov | 16 Nov | 23 Nov"
        );
        assert_eq!(
            texts("2026-09-15T00:00:00", "2027-05-01T00:00:00"),
            "Oct | Nov | Dec | 2027 | Feb | Mar | Apr"
        );
        assert_eq!(
            texts("2021-11-15T00:00:00", "2026-11-15T00:00:00"),
            "2022 | Jul | 2023 | Jul | 2024 | Jul | 2025 | Jul | 2026 | Jul"
        );
        assert_eq!(texts("2026-11-02T20:10:01", "2026-11-02T20:10:02"), "");
    }

    proptest! {
        #[test]
        fn any_window_has_few_labels_all_inside(start in -62_000_000_000_000_i64..250_000_000_000_000, span in 1_i64..300_000_000_000_000) {
            let window = start..start + span;
            let ticks = ticks(window.clone());
            prop_assert!(ticks.len() <= MAX_TICKS as usize + 1);
            prop_assert!(ticks.iter().all(|tick| window.contains(&tick.at)));
            prop_assert!(ticks.is_sorted_by(|a, b| a.at < b.at));
        }
    }
}
