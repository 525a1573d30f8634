//! Owns the lines that end every run.

use std::time::Duration;

use crate::exit::Exit;
use crate::model::number::{counted, grouped};
use crate::pipeline::report::SourceReport;
use crate::telemetry::console::{Console, Level, Message};

/// Sources that are told one by one, whatever they brought.
const EACH: usize = 20;

/// Tells how a run ended; nothing where all of it ended with a reader who had seen enough.
pub fn tell(console: &Console, reports: &[SourceReport], elapsed: Duration) {
    tell_as(Level::Notice, console, reports, elapsed);
}

/// The same, as something of `level`.
pub fn tell_as(level: Level, console: &Console, reports: &[SourceReport], elapsed: Duration) {
    if reports.iter().any(|report| !report.reader_left) {
        for message in each(reports) {
            console.say(level, &message);
        }
        console.say(level, &all(reports, elapsed));
    }
}

/// The line of the whole run, and its figures for programs; those of a single source carry its name.
fn all(reports: &[SourceReport], elapsed: Duration) -> Message {
    let sum = |count: fn(&SourceReport) -> u64| reports.iter().map(count).sum::<u64>();
    let message = Message::new(line(reports, elapsed))
        .fact("sources", reports.len())
        .fact("events", sum(|report| report.events))
        .fact("requests", sum(|report| report.requests))
        .fact("exit_code", worst(reports))
        .fact("waited_ms", sum(|report| report.waited_ms))
        .fact("duration_ms", millis(elapsed));
    match reports {
        [only] => message.fact("source", only.source.as_str()),
        _ => message,
    }
}

/// The exit code of the worst source.
fn worst(reports: &[SourceReport]) -> u8 {
    let exits = reports
        .iter()
        .filter_map(|report| Exit::of_code(report.exit_code));
    exits.fold(Exit::Done, Exit::worst).code()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A line for each source where there are several; of many, only of those with events or trouble.
fn each(reports: &[SourceReport]) -> Vec<Message> {
    if reports.len() < 2 {
        return Vec::new();
    }
    let is_told = |report: &&SourceReport| {
        let is_news = report.events > 0 || report.error.is_some() || !report.warnings.is_empty();
        reports.len() <= EACH || is_news
    };
    let mut lines: Vec<_> = reports.iter().filter(is_told).map(one).collect();
    let others = (reports.len() - lines.len()) as u64;
    if others > 0 {
        let plural = if others == 1 { "" } else { "s" };
        let text = format!("and {} other{plural} without news", grouped(others));
        lines.push(Message::new(text).fact("sources", others));
    }
    lines
}

/// `acme: 2,400 events, 5 requests, 1.3s`, and the exit code that a failure alone would give.
fn one(report: &SourceReport) -> Message {
    let mut line = format!(
        "{}: {}, {}, {}",
        report.source,
        counted(report.events, "event"),
        counted(report.requests, "request"),
        seconds(report.took),
    );
    if has_failed(report) {
        line.push_str(&match reason(report) {
            None => format!("; INCOMPLETE: code {}", report.exit_code),
            Some(reason) => format!("; FAILED: {reason}"),
        });
    }
    Message::new(line)
        .fact("source", report.source.as_str())
        .fact("events", report.events)
        .fact("requests", report.requests)
        .fact("exit_code", report.exit_code)
        .fact("waited_ms", report.waited_ms)
        .fact("duration_ms", millis(report.took))
}

fn has_failed(report: &SourceReport) -> bool {
    report.error.is_some() && !report.reader_left
}

/// Why a source could not be read, `credentials (4)`; nothing where it was, though not to its end.
fn reason(report: &SourceReport) -> Option<String> {
    let word = match report.exit_code {
        0 | 3 => return None,
        2 => "usage",
        4 => "credentials",
        5 => "rate limit",
        6 => "configuration",
        7 => "state",
        8 => "output",
        _ => "a bug",
    };
    Some(format!("{word} ({})", report.exit_code))
}

/// `2,980 events from 2 sources in 1.3s, 8 requests`, and what was odd.
fn line(reports: &[SourceReport], elapsed: Duration) -> String {
    let sum = |count: fn(&SourceReport) -> u64| reports.iter().map(count).sum::<u64>();
    let mut line = format!(
        "{} from {} in {}",
        counted(sum(|report| report.events), "event"),
        counted(reports.len() as u64, "source"),
        seconds(elapsed),
    );
    line.push_str(&format!(
        ", {}",
        counted(sum(|report| report.requests), "request")
    ));
    let odd: [(u64, &str); 5] = [
        (sum(|report| report.repeats), "known already"),
        (sum(|report| report.outside_window), "outside the window"),
        (sum(|report| report.unparsed), "unparsed"),
        (
            sum(|report| report.unreadable_times),
            "with an unreadable time",
        ),
        (sum(|report| report.id_clashes), "with a repeated id"),
    ];
    for (count, what) in odd.into_iter().filter(|(count, _)| *count > 0) {
        line.push_str(&format!(", {} {what}", grouped(count)));
    }
    let failed = reports.iter().filter(|report| has_failed(report));
    let (open, failed): (Vec<_>, Vec<_>) = failed.partition(|report| reason(report).is_none());
    if !open.is_empty() {
        let open = counted(open.len() as u64, "source");
        line.push_str(&format!("; INCOMPLETE: {open}"));
    }
    match failed.as_slice() {
        [] => {}
        [one] if reports.len() == 1 => {
            line.push_str(&format!("; FAILED: {}", reason(one).unwrap_or_default()));
        }
        several => {
            let several = counted(several.len() as u64, "source");
            line.push_str(&format!("; FAILED: {several}"));
        }
    }
    line
}

/// `1.3s`, `2m 5s`.
pub(super) fn seconds(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        0..60 => format!("{:.1}s", elapsed.as_secs_f64()),
        whole => humantime::format_duration(Duration::from_secs(whole)).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(reports: &[SourceReport]) -> Vec<String> {
        each(reports)
            .into_iter()
            .map(|message| message.text)
            .collect()
    }

    #[test]
    fn it_counts_what_was_written_and_what_was_odd() {
        let report = |source: &str, events| {
            let mut report = SourceReport::new(source, "org-events");
            report.events = events;
            report.requests = 4;
            report
        };
        let mut reports = vec![report("acme", 2400), report("jira", 1)];
        assert_eq!(
            line(&reports, Duration::from_millis(1340)),
            "2,401 events from 2 sources in 1.3s, 8 requests"
        );
        assert_eq!(
            texts(&reports),
            [
                "acme: 2,400 events, 4 requests, 0.0s",
                "jira: 1 event, 4 requests, 0.0s"
            ]
        );
        reports.truncate(1);
        reports[0].events = 1;
        reports[0].unparsed = 1;
        reports[0].error = Some("no".to_owned());
        assert_eq!(
            line(&reports, Duration::from_secs(125)),
            "1 event from 1 source in 2m 5s, 4 requests, 1 unparsed; INCOMPLETE: 1 source"
        );
        assert!(texts(&reports).is_empty());
        reports[0].exit_code = 4;
        let told = line(&reports, Duration::ZERO);
        assert!(told.ends_with("; FAILED: credentials (4)"), "{told}");
        let mut other = report("jira", 0);
        other.error = Some("no".to_owned());
        other.exit_code = 3;
        reports.push(other);
        let told = line(&reports, Duration::ZERO);
        let end = "; INCOMPLETE: 1 source; FAILED: 1 source";
        assert!(told.ends_with(end), "{told}");
    }

    #[test]
    fn of_many_sources_those_with_news_are_told() {
        let mut reports: Vec<_> = (0..EACH + 3)
            .map(|n| SourceReport::new(&format!("s{n}"), "org-events"))
            .collect();
        reports[4].events = 1;
        reports[7].error = Some("no".to_owned());
        reports[7].exit_code = 4;
        assert_eq!(
            texts(&reports),
            [
                "s4: 1 event, 0 requests, 0.0s",
                "s7: 0 events, 0 requests, 0.0s; FAILED: credentials (4)",
                "and 21 others without news"
            ]
        );
        assert_eq!(texts(&reports[..EACH]).len(), EACH);
    }
}
