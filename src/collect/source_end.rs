//! Reports how the run of one source ended: its warnings, its error, and that it works again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::collect::failure_notices::FailureNotices;
use crate::error::AppError;
use crate::model::name::SourceName;
use crate::model::text::{group_digits, without_numbers};
use crate::model::time::{Timestamp, in_words};
use crate::pipeline::report::SourceReport;
use crate::state::failure_streak::{FailureSighting, FailureStreak, REPEAT_INTERVAL};
use crate::telemetry::console::{ConsoleMessage, Level, StderrConsole};

/// Reports how runs of sources ended.
#[derive(Debug, Clone, Copy)]
pub struct EndReporter<'a> {
    /// Where it is reported.
    pub console: &'a StderrConsole,
    /// Suppresses repeated warnings if sources are pulled continuously.
    pub throttle: Option<&'a MessageThrottle>,
    /// Suppresses repeated errors, where nobody reads along.
    pub failures: Option<&'a FailureNotices>,
    /// Whether a signal stops several sources, which is reported once for all of them.
    pub is_one_of_several: bool,
}

impl EndReporter<'_> {
    /// Reports the end of a run of `source`, at `now`.
    pub fn report(
        self,
        source: &SourceName,
        report: &SourceReport,
        error: Option<&AppError>,
        now: Timestamp,
    ) {
        let is_interruption = error.is_some_and(AppError::is_interruption);
        // The person who stopped it knows.
        if is_interruption && self.throttle.is_some() {
            return;
        }
        self.report_warnings(report);
        match (error, self.failures) {
            // Only who was asked has shown that it works.
            (None, _) if report.requests == 0 => {}
            (None, failures) => {
                if let Some(ended) = failures.and_then(|failures| failures.worked(source)) {
                    self.console.say_end(&recovery(source, &ended, now));
                }
            }
            (Some(_), _) if is_interruption && self.is_one_of_several => {}
            (Some(error), Some(failures)) if !is_interruption && !error.is_quiet() => {
                self.report_failure(source, error, failures, now)
            }
            (Some(error), _) => {
                error.report_to(self.console);
            }
        }
    }

    fn report_warnings(self, report: &SourceReport) {
        let source = report.source.as_str();
        let new = match self.throttle {
            Some(throttle) => throttle.select_new(source, &report.warnings),
            None => vec![true; report.warnings.len()],
        };
        for (text, is_new) in report.warnings.iter().zip(new) {
            match is_new {
                true => self.say(Level::Warning, source, text),
                false => tracing::info!(source, "as before: {text}"),
            }
        }
        if self.throttle.is_none() {
            let notices = report.notices.iter();
            notices.for_each(|text| self.say(Level::Notice, source, text));
        }
    }

    fn report_failure(
        self,
        source: &SourceName,
        error: &AppError,
        failures: &FailureNotices,
        now: Timestamp,
    ) {
        let kind = error.kind();
        let is_of_source = !error.is_held();
        let sighting = FailureSighting { kind: &kind, cause: error.text(), is_of_source };
        let news = failures.failed(source, sighting, now);
        // What is pulled again and again stands by.
        if error.is_held_elsewhere() && self.throttle.is_some() {
            let level = if news.is_some() { Level::Notice } else { Level::Info };
            return self.say(level, source.as_str(), &format!("stands by: {}", error.text()));
        }
        let is_told = match news.as_ref().and_then(|streak| streak.lasting(sighting)) {
            Some((since, times)) => {
                let since = self.console.zone().minute(since);
                error.clone().lasting(&since, times).report_to(self.console)
            }
            None if news.is_none() && !self.console.says(Level::Info) => return,
            None => error.report_to(self.console),
        };
        if !is_told {
            failures.not_told(source, &kind);
        }
    }

    fn say(self, level: Level, source: &str, text: &str) {
        let message = ConsoleMessage::new(format!("source `{source}`: {text}"));
        self.console.say(level, &message.fact("source", source));
    }
}

/// `acme: works again after 3 hours 10 minutes (failed 19 times): no answer`
fn recovery(source: &SourceName, ended: &FailureStreak, now: Timestamp) -> ConsoleMessage {
    let since = ended.since.unwrap_or(now);
    let span = (now - since).to_std().unwrap_or_default();
    let times = match ended.failures {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        times => format!("{} times", group_digits(times)),
    };
    let prefix = format!("source `{source}`: ");
    let cause = ended.cause.strip_prefix(&prefix).unwrap_or(&ended.cause);
    let span = in_words(span);
    ConsoleMessage::new(format!("{source}: works again after {span} (failed {times}): {cause}"))
        .fact("source", source.as_str())
        .fact("failures", ended.failures)
}

/// When each warning of a source's last pull was last reported, by its text without numbers.
type ReportedWarnings = HashMap<String, Instant>;

/// The warnings of each source when it was last pulled.
#[derive(Debug, Default)]
pub struct MessageThrottle {
    sources: Mutex<HashMap<String, ReportedWarnings>>,
}

impl MessageThrottle {
    /// Returns which of the warnings of a pull of `source` are new.
    fn select_new(&self, source: &str, warnings: &[String]) -> Vec<bool> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let before = sources.remove(source).unwrap_or_default();
        let interval = REPEAT_INTERVAL.to_std().unwrap_or(Duration::MAX);
        let mut reported = ReportedWarnings::default();
        let is_new = |text: &String| {
            let key = without_numbers(text);
            let last = before.get(&key).filter(|last| last.elapsed() < interval);
            reported.insert(key, last.copied().unwrap_or_else(Instant::now));
            last.is_none()
        };
        let new = warnings.iter().map(is_new).collect();
        sources.insert(source.to_owned(), reported);
        new
    }

    /// Forgets all sources but `names`.
    pub fn retain_sources<'n>(&self, names: impl Iterator<Item = &'n str> + Clone) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.retain(|source, _| names.clone().any(|name| name == source));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;

    #[tokio::test(start_paused = true)]
    async fn a_warning_that_lasts_is_repeated_once_a_day() {
        let throttle = MessageThrottle::default();
        let silent = |hours: u64| throttle.select_new("a", &[format!("silent for {hours} hours")]);
        assert_eq!(silent(9), [true]);
        tokio::time::advance(Duration::from_secs(86_399)).await;
        assert_eq!(silent(33), [false]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((silent(34), silent(35)), (vec![true], vec![false]));
    }

    #[test]
    fn warnings_and_sources_are_throttled_separately() {
        let repeats = MessageThrottle::default();
        let both = ["silent for 9 hours".to_owned(), "odd".to_owned()];
        assert_eq!(repeats.select_new("a", &both), [true, true]);
        let later = ["silent for 10 hours".to_owned(), "odder".to_owned()];
        assert_eq!(repeats.select_new("a", &later), [false, true]);
        assert_eq!(repeats.select_new("b", &later), [true, true]);
        repeats.retain_sources(["a"].into_iter());
        assert_eq!(repeats.select_new("b", &later), [true, true]);
    }

    #[test]
    fn the_end_of_failures_says_how_long_how_often_and_why() {
        let at = |text: &str| parse_api_time(text).unwrap();
        let mut streak = FailureStreak::default();
        for minute in 10..29 {
            let sighting = FailureSighting {
                kind: "x",
                cause: "source `acme`: a.example cannot be reached",
                is_of_source: true,
            };
            streak.note(sighting, at(&format!("2026-11-20T09:{minute}:00Z")));
        }
        let message = recovery(&"acme".parse().unwrap(), &streak, at("2026-11-20T12:20:00Z"));
        assert_eq!(
            message.text,
            "acme: works again after 3 hours 10 minutes (failed 19 times): \
             a.example cannot be reached"
        );
    }
}
