//! Draws the progress line for a person at a terminal: one for each source.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::model::text::{counted, group_digits};
use crate::model::user_zone::UserZone;
use crate::telemetry::meter::{SourceMeter, WaitReason};

/// How often the line is drawn.
const TICK: Duration = Duration::from_millis(150);

/// Draws the line of one source until dropped.
#[derive(Debug)]
pub struct ProgressLine {
    bars: MultiProgress,
    bar: ProgressBar,
    drawing: tokio::task::JoinHandle<()>,
}

impl ProgressLine {
    /// Starts to draw the line of `source` among `bars`.
    pub fn start(
        bars: &MultiProgress,
        source: &str,
        meter: Arc<SourceMeter>,
        zone: UserZone,
    ) -> ProgressLine {
        let bar = bars.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}  {msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(source.to_owned());
        let drawn = bar.clone();
        let drawing = tokio::spawn(async move {
            let started = Instant::now();
            loop {
                drawn.set_message(line(&meter, started.elapsed(), zone));
                drawn.tick();
                tokio::time::sleep(TICK).await;
            }
        });
        let bars = bars.clone();
        ProgressLine { bars, bar, drawing }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.drawing.abort();
        self.bar.finish_and_clear();
        // It would be kept: a program that pulls for months draws many.
        self.bars.remove(&self.bar);
    }
}

/// Events, pages, rate, the time reached, and what is waited for.
fn line(meter: &SourceMeter, elapsed: Duration, zone: UserZone) -> String {
    let events = meter.events.get();
    let rate = (events as f64 / elapsed.as_secs_f64().max(0.001)).round() as u64;
    let mut line = format!(
        "{}  {}  {}/s",
        counted(events, "event"),
        counted(meter.pages.get(), "page"),
        group_digits(rate)
    );
    if let Some(reached) = meter.newest_record_time() {
        line.push_str(&format!("  up to {}", zone.minute(reached)));
    }
    if let Some((reason, until)) = meter.current_wait() {
        let left = (until - chrono::Utc::now()).num_seconds().max(0) + 1;
        line.push_str(&match reason {
            WaitReason::Quota => format!("  waiting {left} s for the rate limit"),
            WaitReason::Server => format!("  waiting {left} s, as the server requested"),
            WaitReason::Backoff => format!("  trying again in {left} s"),
        });
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;

    #[test]
    fn the_line_shows_what_is_waited_for() {
        let meter = SourceMeter::default();
        meter.events.add(12_500);
        meter.pages.add(25);
        meter.reached(parse_api_time("2026-11-20T09:30:59Z").unwrap());
        assert_eq!(
            line(&meter, Duration::from_secs(10), UserZone::UTC),
            "12,500 events  25 pages  1,250/s  up to 2026-11-20 09:30Z"
        );
        let _waiting =
            meter.waiting(WaitReason::Quota, chrono::Utc::now() + chrono::TimeDelta::seconds(30));
        assert!(
            line(&meter, Duration::from_secs(10), UserZone::UTC).ends_with("for the rate limit")
        );
    }
}
