//! Suppresses repeated messages: a source that is pulled every minute and always fails reports it
//! once, and then once an hour.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// For how long a message is not repeated.
const REPEAT_INTERVAL: Duration = Duration::from_secs(3600);

/// The messages of each source when it was last pulled.
#[derive(Debug, Default)]
pub struct MessageThrottle {
    sources: Mutex<HashMap<String, ReportedMessages>>,
}

/// When each message was last reported.
#[derive(Debug, Default)]
struct ReportedMessages {
    warnings: HashMap<String, Instant>,
    error: Option<(String, Instant)>,
}

/// Which messages are new.
#[derive(Debug, PartialEq, Eq)]
pub struct NewMessages {
    /// Each warning, in its order.
    pub warnings: Vec<bool>,
    /// The error.
    pub error: bool,
    /// The absence of an error, after one.
    pub recovered: bool,
}

impl MessageThrottle {
    /// Returns which of the messages of a pull of `source` are new.
    pub fn select_new(
        &self,
        source: &str,
        warnings: &[String],
        error: Option<&str>,
    ) -> NewMessages {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let before = sources.remove(source).unwrap_or_default();
        let (mut reported, mut news) = (ReportedMessages::default(), Vec::new());
        for warning in warnings {
            let key = without_numbers(warning);
            let last = before.warnings.get(&key).copied();
            let (at, is_new) = report_time(last);
            reported.warnings.insert(key, at);
            news.push(is_new);
        }
        let mut is_new_error = false;
        if let Some(error) = error.map(without_numbers) {
            let last = before.error.as_ref().filter(|(known, _)| *known == error);
            let (at, is_new) = report_time(last.map(|(_, at)| *at));
            is_new_error = is_new;
            reported.error = Some((error, at));
        }
        let recovered = before.error.is_some() && error.is_none();
        sources.insert(source.to_owned(), reported);
        NewMessages { warnings: news, error: is_new_error, recovered }
    }

    /// Forgets all sources but `names`.
    pub fn retain_sources<'n>(&self, names: impl Iterator<Item = &'n str> + Clone) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.retain(|source, _| names.clone().any(|name| name == source));
    }
}

/// When the message counts as reported, and whether it is reported now.
fn report_time(last: Option<Instant>) -> (Instant, bool) {
    match last {
        Some(last) if last.elapsed() < REPEAT_INTERVAL => (last, false),
        _ => (Instant::now(), true),
    }
}

/// The part of a text that stays the same when it counts seconds and attempts.
fn without_numbers(text: &str) -> String {
    let parts = text.split(|c: char| c.is_ascii_digit());
    let parts: Vec<_> = parts.filter(|part| !matches!(*part, "" | "." | "," | ":")).collect();
    parts.join("#")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_reported(repeats: &MessageThrottle, error: &str) -> bool {
        repeats.select_new("a", &[], Some(error)).error
    }

    #[tokio::test(start_paused = true)]
    async fn a_persistent_error_is_reported_once_an_hour_and_a_new_one_at_once() {
        let repeats = MessageThrottle::default();
        assert!(is_reported(&repeats, "no answer after 3 attempts in 60.1 s"));
        assert!(!is_reported(&repeats, "no answer after 12 attempts in 9 s"));
        assert!(is_reported(&repeats, "the key was refused"));
        tokio::time::advance(REPEAT_INTERVAL / 2).await;
        assert!(!is_reported(&repeats, "the key was refused"));
        tokio::time::advance(REPEAT_INTERVAL / 2).await;
        assert!(is_reported(&repeats, "the key was refused"));
        assert!(!is_reported(&repeats, "the key was refused"));
    }

    #[test]
    fn a_recovery_is_reported_once_and_the_next_failure_again() {
        let repeats = MessageThrottle::default();
        let news = |error| repeats.select_new("a", &[], error);
        assert!(!news(None).recovered);
        assert!(news(Some("x")).error);
        assert!(news(None).recovered);
        assert!(!news(None).recovered);
        assert!(news(Some("x")).error);
    }

    #[test]
    fn warnings_and_sources_are_throttled_separately() {
        let repeats = MessageThrottle::default();
        let both = ["silent for 9 hours".to_owned(), "odd".to_owned()];
        assert_eq!(repeats.select_new("a", &both, None).warnings, [true, true]);
        let later = ["silent for 10 hours".to_owned(), "odder".to_owned()];
        assert_eq!(repeats.select_new("a", &later, None).warnings, [false, true]);
        assert_eq!(repeats.select_new("b", &later, None).warnings, [true, true]);
        repeats.retain_sources(["a"].into_iter());
        assert_eq!(repeats.select_new("b", &later, None).warnings, [true, true]);
    }
}
