//! Estimates how long a time range must be to hold a number of records. No I/O.

use chrono::TimeDelta;

/// The largest step by which the guess widens at once: a quiet night says little of the morning.
const MAX_WIDENING: f64 = 4.0;

/// How dense the records lie, as far as they were read.
#[derive(Debug, Default)]
pub struct RecordDensity {
    ms_per_record: Option<f64>,
}

impl RecordDensity {
    /// A span of this length held so many records.
    pub fn observe(&mut self, records: usize, span: TimeDelta) {
        let ms = span.num_milliseconds().max(1) as f64;
        self.ms_per_record = Some(match (self.ms_per_record, records) {
            (Some(known), 0) => known * MAX_WIDENING,
            (Some(known), _) => (ms / records as f64).min(known * MAX_WIDENING),
            (None, _) => ms / records.max(1) as f64,
        });
    }

    /// The length of a span that holds about so many records; nothing while none was read.
    pub fn span_for(&self, records: usize) -> Option<TimeDelta> {
        let ms = self.ms_per_record? * records.max(1) as f64;
        // A cast stops at the largest number; a thousand years are long enough.
        TimeDelta::try_milliseconds((ms as i64).clamp(1, 1_000 * 365 * 86_400_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span_of(seen: &[(usize, i64)], records: usize) -> Option<i64> {
        let mut density = RecordDensity::default();
        for &(records, ms) in seen {
            density.observe(records, TimeDelta::milliseconds(ms));
        }
        Some(density.span_for(records)?.num_milliseconds())
    }

    #[test]
    fn the_last_span_tells() {
        assert_eq!(span_of(&[], 10), None);
        assert_eq!(span_of(&[(100, 1_000)], 50), Some(500));
        assert_eq!(span_of(&[(100, 1_000), (1_000, 1_000)], 50), Some(50));
    }

    #[test]
    fn it_widens_step_by_step_where_nothing_is() {
        assert_eq!(span_of(&[(100, 1_000), (0, 500)], 50), Some(2_000));
        assert_eq!(span_of(&[(100, 1_000), (0, 500), (0, 2_000)], 50), Some(8_000));
        assert_eq!(span_of(&[(1, 1), (0, 1), (0, 1)], 1), Some(16));
    }

    #[test]
    fn it_is_never_nothing_nor_without_end() {
        assert_eq!(span_of(&[(1_000_000, 1)], 1), Some(1));
        assert_eq!(span_of(&[(1, i64::MAX / 2)], 1 << 40), Some(31_536_000_000_000));
    }
}
