//! Says how sources are in the one line that Nagios, Icinga and their like read: a state, what is
//! wrong, and the lag of each source as performance data. See the Monitoring Plugins guidelines.

use std::time::Duration;

use crate::exit::PluginState;
use crate::model::text::{counted, group_digits, printable_line};
use crate::model::time::abbreviated;

/// What a plugin can find of a source.
#[derive(Debug, Clone)]
pub struct MonitoredSource {
    /// Its name.
    pub name: String,
    /// How long ago everything had been read, if it ever was.
    pub lag: Option<Duration>,
    /// Why its checkpoint cannot be read.
    pub unreadable: Option<String>,
    /// Whether it is being pulled now.
    pub is_running: bool,
    /// How its last run failed, if it did.
    pub failure: Option<SourceFailure>,
}

/// How the last run of a source failed.
#[derive(Debug, Clone)]
pub struct SourceFailure {
    /// The exit code.
    pub exit_code: u8,
    /// Failed runs in a row.
    pub times: u64,
    /// What failed.
    pub error: String,
}

/// The lags from which there is a warning, and from which a source does not work.
#[derive(Debug, Clone, Copy, Default)]
pub struct LagThresholds {
    /// `--warn-lag`
    pub warning: Option<Duration>,
    /// `--max-lag`
    pub critical: Option<Duration>,
}

/// A text is not longer, in characters: plugins are read up to a few kilobytes.
const MAX_TEXT: usize = 1_000;

/// The line of `sources`, and the state that it says.
pub fn plugin_line(sources: &[MonitoredSource], limits: LagThresholds) -> (String, PluginState) {
    let mut found: Vec<_> = sources.iter().filter_map(|source| limits.judge(source)).collect();
    // The worst first; of these, in the order of the configuration.
    found.sort_by_key(|(state, _)| std::cmp::Reverse(rank(*state)));
    let state = found.first().map_or(PluginState::Ok, |(state, _)| *state);
    let text = match found.is_empty() {
        false => found.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("; "),
        true => {
            let most = sources.iter().filter_map(|source| source.lag).max().unwrap_or_default();
            let count = counted(sources.len() as u64, "source");
            format!("{count}, behind by {} at most", abbreviated(most))
        }
    };
    let data: Vec<_> = sources.iter().map(|source| limits.performance_data(source)).collect();
    (format!("{} | {}\n", summary(state, &text), data.join(" ")), state)
}

/// The line of a plugin that can say nothing, because `why`.
pub fn unknown_line(why: &str) -> String {
    summary(PluginState::Unknown, why) + "\n"
}

/// `ATLAUDIT OK - all is well`
fn summary(state: PluginState, text: &str) -> String {
    let word = match state {
        PluginState::Ok => "OK",
        PluginState::Warning => "WARNING",
        PluginState::Critical => "CRITICAL",
        PluginState::Unknown => "UNKNOWN",
    };
    // A bar begins the performance data.
    let text = printable_line(text).replace('|', "/");
    let cut: String = text.chars().take(MAX_TEXT).collect();
    let dots = if cut.len() < text.len() { " ..." } else { "" };
    format!("ATLAUDIT {word} - {cut}{dots}")
}

/// What is worse is larger. That something does not work matters more than that nothing is known.
fn rank(state: PluginState) -> u8 {
    match state {
        PluginState::Ok => 0,
        PluginState::Warning => 1,
        PluginState::Unknown => 2,
        PluginState::Critical => 3,
    }
}

impl LagThresholds {
    /// What is wrong with `source`, and how bad it is.
    fn judge(self, source: &MonitoredSource) -> Option<(PluginState, String)> {
        let name = &source.name;
        if let Some(error) = &source.unreadable {
            return Some((PluginState::Unknown, format!("{name}: {error}")));
        }
        let exceeds = |limit: Option<Duration>| match (limit, source.lag) {
            (None, _) => false,
            (Some(limit), Some(lag)) => lag > limit,
            // Never read to its end. A first pull that is under way may take longer than any limit.
            (Some(_), None) => !source.is_running,
        };
        let mut reasons = Vec::new();
        if let Some(failure) = &source.failure {
            let times = match failure.times {
                0 | 1 => String::new(),
                times => format!(" {} times in a row", group_digits(times)),
            };
            reasons.push(format!("failed{times} (exit {}): {}", failure.exit_code, failure.error));
        }
        let is_late = exceeds(self.critical) || exceeds(self.warning);
        match source.lag {
            Some(lag) if is_late => reasons.push(format!("behind by {}", abbreviated(lag))),
            Some(_) => {}
            None if source.is_running => reasons.push("its first pull is running".to_owned()),
            None => reasons.push("never read to its end".to_owned()),
        }
        if reasons.is_empty() {
            return None;
        }
        // A failure is grave once the source lags. Where nothing says what a lag is, it is at once.
        let is_critical =
            exceeds(self.critical) || (source.failure.is_some() && self.critical.is_none());
        let state = if is_critical { PluginState::Critical } else { PluginState::Warning };
        Some((state, format!("{name}: {}", reasons.join(", "))))
    }

    /// `'acme lag'=123s;3600;7200;0`, with `U` for a lag that is not known.
    fn performance_data(self, source: &MonitoredSource) -> String {
        let label = printable_line(&source.name).replace('\'', "''").replace(['=', '|'], "_");
        let lag = source.lag.map_or("U".to_owned(), |lag| format!("{}s", lag.as_secs()));
        let limit = |limit: Option<Duration>| {
            limit.map_or(String::new(), |limit| limit.as_secs().to_string())
        };
        format!("'{label} lag'={lag};{};{};0", limit(self.warning), limit(self.critical))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    const LIMITS: LagThresholds =
        LagThresholds { warning: Some(HOUR), critical: Some(Duration::from_secs(7200)) };

    fn source(name: &str, lag: Option<u64>) -> MonitoredSource {
        MonitoredSource {
            name: name.to_owned(),
            lag: lag.map(Duration::from_secs),
            unreadable: None,
            is_running: false,
            failure: None,
        }
    }

    fn failed(lag: Option<u64>) -> MonitoredSource {
        let error = "no answer".to_owned();
        MonitoredSource {
            failure: Some(SourceFailure { exit_code: 3, times: 2, error }),
            ..source("acme", lag)
        }
    }

    #[test]
    fn a_line_has_a_state_a_text_and_the_lags() {
        let sources = [source("acme", Some(182)), source("jira", Some(3))];
        assert_eq!(
            plugin_line(&sources, LIMITS),
            (
                "ATLAUDIT OK - 2 sources, behind by 3m 2s at most | \
                 'acme lag'=182s;3600;7200;0 'jira lag'=3s;3600;7200;0\n"
                    .to_owned(),
                PluginState::Ok
            )
        );
        let (line, _) = plugin_line(&sources[..1], LagThresholds::default());
        assert!(line.ends_with("at most | 'acme lag'=182s;;;0\n"), "{line}");
    }

    #[test]
    fn each_source_is_as_bad_as_its_lag_and_its_last_run() {
        use PluginState::{Critical, Ok, Unknown, Warning};
        let none = LagThresholds::default();
        let running = MonitoredSource { is_running: true, ..source("acme", None) };
        let damaged =
            MonitoredSource { unreadable: Some("damaged".to_owned()), ..source("acme", None) };
        for (source, limits, state, words) in [
            (source("acme", Some(3600)), LIMITS, Ok, "1 source"),
            (source("acme", Some(3601)), LIMITS, Warning, "acme: behind by 1h"),
            (source("acme", Some(7201)), LIMITS, Critical, "acme: behind by 2h"),
            (source("acme", Some(999_999)), none, Ok, "1 source"),
            (source("acme", None), LIMITS, Critical, "acme: never read to its end"),
            (source("acme", None), none, Warning, "acme: never read to its end"),
            (running, LIMITS, Warning, "acme: its first pull is running"),
            (failed(Some(10)), none, Critical, "failed 2 times in a row (exit 3): no answer"),
            // It is tried again now.
            (MonitoredSource { is_running: true, ..failed(Some(10)) }, none, Critical, "failed 2"),
            (failed(Some(10)), LIMITS, Warning, "failed 2 times in a row (exit 3): no answer"),
            (failed(Some(7201)), LIMITS, Critical, "no answer, behind by 2h"),
            (failed(None), LIMITS, Critical, "no answer, never read to its end"),
            (damaged, LIMITS, Unknown, "acme: damaged"),
        ] {
            let (line, found) = plugin_line(std::slice::from_ref(&source), limits);
            assert_eq!(found, state, "{line}");
            assert!(line.contains(words), "`{words}` in {line}");
        }
    }

    #[test]
    fn the_worst_comes_first() {
        let damaged =
            MonitoredSource { unreadable: Some("damaged".to_owned()), ..source("c", None) };
        let sources = [source("a", Some(3601)), damaged, source("b", Some(9999))];
        let (line, state) = plugin_line(&sources, LIMITS);
        assert_eq!(state, PluginState::Critical);
        let text = line.split(" | ").next().unwrap();
        assert_eq!(text, "ATLAUDIT CRITICAL - b: behind by 2h 46m; c: damaged; a: behind by 1h");
    }

    #[test]
    fn nothing_that_a_server_says_ends_the_line_or_its_text() {
        let error = "no\n| 'x'=1;2\r\u{2028}ATLAUDIT OK - \u{1b}[0m".to_owned();
        let hostile = MonitoredSource {
            failure: Some(SourceFailure { exit_code: 3, times: 1, error }),
            ..source("a'b=c|d\ne", Some(1))
        };
        let (line, state) = plugin_line(std::slice::from_ref(&hostile), LagThresholds::default());
        assert_eq!(state, PluginState::Critical);
        assert_eq!((line.matches('|').count(), line.matches('\n').count()), (1, 1), "{line:?}");
        assert!(line.ends_with(" | 'a''b_c_d e lag'=1s;;;0\n"), "{line:?}");
        assert!(!line.contains(['\u{1b}', '\r', '\u{2028}']), "{line:?}");
        let long = MonitoredSource { unreadable: Some("x".repeat(9_000)), ..source("acme", None) };
        let (line, _) = plugin_line(std::slice::from_ref(&long), LagThresholds::default());
        assert!(line.len() < 1_200 && line.contains(" ... | "), "{}", line.len());
        assert_eq!(unknown_line("a|b\nc"), "ATLAUDIT UNKNOWN - a/b c\n");
    }
}
