//! When people work: moments drawn from a window, dense by day and on weekdays, thin at night.

use fastrand::Rng;

use crate::sandbox::DataOptions;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Activity in each hour of the day, UTC; the busiest hour has [`BUSIEST`].
const HOURS: [u32; 24] =
    [2, 1, 1, 1, 1, 3, 6, 15, 31, 39, 40, 35, 26, 35, 38, 37, 29, 17, 9, 7, 6, 4, 3, 2];
const BUSIEST: u32 = 40;
/// A weekend has this part of a weekday's activity.
const WEEKEND_PART: u32 = 6;

/// The first and last millisecond of the history.
pub fn window(options: &DataOptions) -> (i64, i64) {
    let end = options.now.timestamp_millis();
    (end - i64::from(options.days.max(1)) * DAY_MS, end)
}

/// `count` moments of the window, sorted.
pub fn draw(rng: &mut Rng, start: i64, end: i64, count: usize) -> Vec<i64> {
    let mut times: Vec<i64> = (0..count).map(|_| moment(rng, start, end)).collect();
    times.sort_unstable();
    times
}

fn moment(rng: &mut Rng, start: i64, end: i64) -> i64 {
    loop {
        let at = rng.i64(start..=end);
        let hour = usize::try_from(at.rem_euclid(DAY_MS) / HOUR_MS).unwrap_or_default();
        // 1970-01-01 was a Thursday; 0 is Sunday.
        let weekday = (at.div_euclid(DAY_MS) + 4).rem_euclid(7);
        let activity = match weekday {
            0 | 6 => (HOURS[hour] / WEEKEND_PART).max(1),
            _ => HOURS[hour],
        };
        if rng.u32(0..BUSIEST) < activity {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_happens_at_ten_than_at_three() {
        let start = 20_000 * DAY_MS;
        let times = draw(&mut Rng::with_seed(1), start, start + 28 * DAY_MS, 5000);
        let in_hour =
            |hour: i64| times.iter().filter(|at| at.rem_euclid(DAY_MS) / HOUR_MS == hour).count();
        assert!(in_hour(10) > 10 * in_hour(3), "{} {}", in_hour(10), in_hour(3));
        assert!(times.is_sorted());
    }
}
