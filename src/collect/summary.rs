//! Summarizes a run at its end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::exit::Exit;
use crate::model::text::{counted, group_digits, printable};
use crate::model::time::{in_words, parse_api_time};
use crate::model::user_zone::UserZone;
use crate::pipeline::report::{AlertReport, DeletedFiles, SourceReport};
use crate::telemetry::console::{ConsoleMessage, Level, StderrConsole};

/// Up to so many sources have a line each, also without news.
const MAX_SOURCE_LINES: usize = 20;

/// Up to so many files are named.
const NAMED_FILES: usize = 3;

/// Where the person is who reads a summary.
struct ReaderPlace {
    /// The working directory, which paths are shown from.
    cwd: PathBuf,
    /// The zone of times.
    zone: UserZone,
}

impl ReaderPlace {
    /// The minute of a time as a report has it.
    fn minute(&self, time: &str) -> String {
        parse_api_time(time).map_or(time.to_owned(), |time| self.zone.minute(time))
    }
}

/// Reports how a run ended, at `level`; nothing if the reader of all output went away. Sources that
/// were left to other runs are no part of it.
pub fn report(level: Level, console: &StderrConsole, reports: &[SourceReport], elapsed: Duration) {
    let pulled: Vec<_> = reports.iter().filter(|report| !report.skipped).cloned().collect();
    let reports = pulled.as_slice();
    if reports.iter().any(|report| !report.output_closed) {
        let cwd = std::env::current_dir().unwrap_or_default();
        let reader = ReaderPlace { cwd, zone: console.zone() };
        let firsts = first_pulls(reports, reader.zone).into_iter().map(ConsoleMessage::new);
        for message in firsts.chain(source_messages(reports, &reader)) {
            console.say(level, &message);
        }
        console.say(level, &total_message(reports, elapsed, &reader));
    }
}

/// A line for each source that was read for the first time: nothing else says that older events
/// stay unread.
fn first_pulls(reports: &[SourceReport], zone: UserZone) -> Vec<String> {
    let firsts = reports.iter().filter(|report| report.pages > 0);
    let firsts = firsts.filter_map(|report| Some((report, report.first_pull?)));
    let mut lines: Vec<_> = firsts
        .map(|(report, first)| {
            format!(
                "first pull of {}: it begins at {} ({}), and only `--backfill` reads older events",
                report.source,
                zone.minute(first.from),
                match first.initial_lookback {
                    Some(span) => format!("`initial_lookback` is {}", in_words(span)),
                    None => "`initial_from`".to_owned(),
                },
            )
        })
        .collect();
    if lines.len() > MAX_SOURCE_LINES {
        let count = counted(lines.len() as u64, "source");
        lines = vec![format!(
            "first pull of {count}: each begins at `initial_from` or `initial_lookback` ago, and \
             only `--backfill` reads older events"
        )];
    }
    lines
}

/// Where the events of a source went and when they happened: `, 2026-11-21 14:03Z … 2026-11-28
/// 09:12Z, to ./acme.jsonl`. Empty without events, and without files if they went to standard
/// output.
fn time_range_and_files(report: &SourceReport, reader: &ReaderPlace) -> String {
    let mut text = String::new();
    if let (Some(first), Some(last)) = (&report.first_event, &report.last_event) {
        let (first, last) = (reader.minute(first), reader.minute(last));
        text.push_str(&match first == last {
            true => format!(", {first}"),
            false => format!(", {first} … {last}"),
        });
    }
    let shown = |path: &String| match Path::new(path).strip_prefix(&reader.cwd) {
        // A service runs in the root folder.
        Ok(inside) if reader.cwd != Path::new("/") => printable(&format!("./{}", inside.display())),
        _ => printable(path),
    };
    let count = report.files.len() as u64 + report.omitted_files;
    match report.files.as_slice() {
        [] => {}
        [.., last] if count > NAMED_FILES as u64 => text.push_str(&format!(
            ", to {}, the last of them {}",
            counted(count, "file"),
            shown(last)
        )),
        few => {
            let names: Vec<_> = few.iter().map(shown).collect();
            text.push_str(&format!(", to {}", names.join(", ")));
        }
    }
    text
}

/// The line of the whole run, with its numbers for programs. Those of a single source carry its
/// name.
fn total_message(
    reports: &[SourceReport],
    elapsed: Duration,
    reader: &ReaderPlace,
) -> ConsoleMessage {
    let message = ConsoleMessage::new(total_line(reports, elapsed, reader));
    let message = with_counts(message.fact("sources", reports.len()), reports, elapsed);
    match reports {
        [only] => message.fact("source", only.source.as_str()),
        _ => message,
    }
}

fn with_counts(
    message: ConsoleMessage,
    reports: &[SourceReport],
    elapsed: Duration,
) -> ConsoleMessage {
    message
        .fact("events", sum(reports, |report| report.events))
        .fact("requests", sum(reports, |report| report.requests))
        .fact("exit_code", worst_exit(reports).code())
        .fact("waited_ms", sum(reports, |report| report.waited_ms))
        .fact("duration_ms", u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}

fn sum(reports: &[SourceReport], count: fn(&SourceReport) -> u64) -> u64 {
    reports.iter().map(count).sum()
}

/// The exit code of the worst source.
pub fn worst_exit(reports: &[SourceReport]) -> Exit {
    let exits = reports.iter().filter_map(|report| Exit::of_code(report.exit_code));
    exits.fold(Exit::Done, Exit::worst)
}

/// A line for each source if there are several; of many, only of those with events or problems.
fn source_messages(reports: &[SourceReport], reader: &ReaderPlace) -> Vec<ConsoleMessage> {
    if reports.len() < 2 {
        return Vec::new();
    }
    let is_shown = |report: &&SourceReport| {
        let is_news = report.events > 0 || report.error.is_some() || !report.warnings.is_empty();
        reports.len() <= MAX_SOURCE_LINES || is_news
    };
    let named = reports.iter().filter(is_shown);
    let mut lines: Vec<_> = named.map(|report| source_message(report, reader)).collect();
    let others = (reports.len() - lines.len()) as u64;
    if others > 0 {
        let text = format!("and {} without news", counted(others, "other"));
        lines.push(ConsoleMessage::new(text).fact("sources", others));
    }
    lines
}

/// `acme: 2,400 events, 2026-11-21 14:03Z … 2026-11-28 09:12Z, to ./acme.jsonl, 5 requests, 1.3s`,
/// and the exit code that a failure alone would give.
fn source_message(report: &SourceReport, reader: &ReaderPlace) -> ConsoleMessage {
    let mut line = format!(
        "{}: {}{}, {}, {}",
        report.source,
        counted(report.events, "event"),
        time_range_and_files(report, reader),
        counted(report.requests, "request"),
        seconds(report.duration),
    );
    let alerts = report.alerts.and_then(|alerts| alerts.summary());
    line.extend(alerts.map(|alerts| format!("; {alerts}")));
    line.extend(report.deleted.summary().map(|deleted| format!("; {deleted}")));
    if has_failed(report) {
        line.push_str(&match reason(report) {
            None if report.interrupted => "; stopped".to_owned(),
            None => format!("; incomplete (exit {})", report.exit_code),
            Some(reason) => format!("; failed: {reason}"),
        });
    }
    let message = ConsoleMessage::new(line).fact("source", report.source.as_str());
    with_counts(message, std::slice::from_ref(report), report.duration)
}

fn has_failed(report: &SourceReport) -> bool {
    report.error.is_some() && !report.output_closed
}

/// Why a source could not be read, `credentials (exit 4)`; `None` if only its end was not reached.
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
    Some(format!("{word} (exit {})", report.exit_code))
}

/// `2,980 events from 2 sources in 1.3s, 8 requests`, and anomalies. A single source is named, with
/// its files.
fn total_line(reports: &[SourceReport], elapsed: Duration, reader: &ReaderPlace) -> String {
    let from = match reports {
        [report] => format!("{}{}", report.source, time_range_and_files(report, reader)),
        several => counted(several.len() as u64, "source"),
    };
    // Separates the files from the time that it took.
    let comma = if from.contains(", ") { "," } else { "" };
    let mut line = format!(
        "{} from {from}{comma} in {}, {}",
        counted(sum(reports, |report| report.events), "event"),
        seconds(elapsed),
        counted(sum(reports, |report| report.requests), "request"),
    );
    for (count, what) in [
        (sum(reports, |report| report.repeats), "already seen"),
        (sum(reports, |report| report.outside_window), "outside the time range"),
        (sum(reports, |report| report.unparsed), "unparsed"),
        (sum(reports, |report| report.unreadable_times), "with an unreadable time"),
        (sum(reports, |report| report.id_clashes), "with a repeated id"),
    ] {
        if count > 0 {
            line.push_str(&format!(", {} {what}", group_digits(count)));
        }
    }
    let mut alerts = AlertReport::default();
    reports.iter().filter_map(|report| report.alerts.as_ref()).for_each(|own| alerts.add(own));
    line.extend(alerts.summary().map(|alerts| format!("; {alerts}")));
    let deleted = DeletedFiles {
        files: sum(reports, |report| report.deleted.files),
        bytes: sum(reports, |report| report.deleted.bytes),
    };
    line.extend(deleted.summary().map(|deleted| format!("; {deleted}")));
    let failed = reports.iter().filter(|report| has_failed(report));
    let (open, failed): (Vec<_>, Vec<_>) = failed.partition(|report| reason(report).is_none());
    if !open.is_empty() {
        line.push_str(&format!("; incomplete: {}", counted(open.len() as u64, "source")));
    }
    match failed.as_slice() {
        [] => {}
        [one] if reports.len() == 1 => {
            line.push_str(&format!("; failed: {}", reason(one).unwrap_or_default()));
        }
        several => {
            line.push_str(&format!("; failed: {}", counted(several.len() as u64, "source")));
        }
    }
    line
}

/// `1.3s`, `2m 5s`.
pub fn seconds(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        0..60 => format!("{:.1}s", elapsed.as_secs_f64()),
        whole => humantime::format_duration(Duration::from_secs(whole)).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::report::FirstPull;

    fn in_w() -> ReaderPlace {
        ReaderPlace { cwd: "/w".into(), zone: UserZone::UTC }
    }

    fn texts(reports: &[SourceReport]) -> Vec<String> {
        source_messages(reports, &in_w()).into_iter().map(|message| message.text).collect()
    }

    #[test]
    fn the_summary_counts_events_and_anomalies() {
        let report = |source: &str, events| {
            let mut report = SourceReport::new(source, "org-events");
            report.events = events;
            report.requests = 4;
            report
        };
        let mut reports = vec![report("acme", 2400), report("jira", 1)];
        assert_eq!(
            total_line(&reports, Duration::from_millis(1340), &in_w()),
            "2,401 events from 2 sources in 1.3s, 8 requests"
        );
        assert_eq!(
            texts(&reports),
            ["acme: 2,400 events, 4 requests, 0.0s", "jira: 1 event, 4 requests, 0.0s"]
        );
        reports.truncate(1);
        reports[0].events = 1;
        reports[0].unparsed = 1;
        reports[0].error = Some("no".to_owned());
        assert_eq!(
            total_line(&reports, Duration::from_secs(125), &in_w()),
            "1 event from acme in 2m 5s, 4 requests, 1 unparsed; incomplete: 1 source"
        );
        assert!(texts(&reports).is_empty());
        reports[0].exit_code = 4;
        let line = total_line(&reports, Duration::ZERO, &in_w());
        assert!(line.ends_with("; failed: credentials (exit 4)"), "{line}");
        let mut other = report("jira", 0);
        other.error = Some("no".to_owned());
        other.exit_code = 3;
        reports.push(other);
        let line = total_line(&reports, Duration::ZERO, &in_w());
        let end = "; incomplete: 1 source; failed: 1 source";
        assert!(line.ends_with(end), "{line}");
    }

    #[test]
    fn of_many_sources_those_with_news_are_listed() {
        let mut reports: Vec<_> = (0..MAX_SOURCE_LINES + 3)
            .map(|n| SourceReport::new(&format!("s{n}"), "org-events"))
            .collect();
        reports[4].events = 1;
        reports[7].error = Some("no".to_owned());
        reports[7].exit_code = 4;
        assert_eq!(
            texts(&reports),
            [
                "s4: 1 event, 0 requests, 0.0s",
                "s7: 0 events, 0 requests, 0.0s; failed: credentials (exit 4)",
                "and 21 others without news"
            ]
        );
        assert_eq!(texts(&reports[..MAX_SOURCE_LINES]).len(), MAX_SOURCE_LINES);
    }

    #[test]
    fn files_and_the_time_range_of_the_events_are_named() {
        let mut report = SourceReport::new("acme", "org-events");
        report.events = 2400;
        report.requests = 5;
        report.first_event = Some("2026-11-21T14:03:25.000Z".to_owned());
        report.last_event = Some("2026-11-28T09:12:00.000Z".to_owned());
        report.files = vec!["/w/acme.jsonl".to_owned()];
        let said = |report: &SourceReport| {
            let report = std::slice::from_ref(report);
            total_line(report, Duration::from_secs(1), &in_w())
        };
        assert_eq!(
            said(&report),
            "2,400 events from acme, 2026-11-21 14:03Z … 2026-11-28 09:12Z, to ./acme.jsonl, \
             in 1.0s, 5 requests"
        );
        report.last_event = report.first_event.clone();
        report.files = (1..4).map(|n| format!("/x/{n}\n")).collect();
        assert_eq!(
            time_range_and_files(&report, &in_w()),
            ", 2026-11-21 14:03Z, to /x/1, /x/2, /x/3"
        );
        report.omitted_files = 1_000;
        let many = time_range_and_files(&report, &in_w());
        assert!(many.ends_with(", to 1,003 files, the last of them /x/3"), "{many}");
        assert_eq!(
            source_message(&report, &in_w()).text,
            format!("acme: 2,400 events{many}, 5 requests, 0.0s")
        );
    }

    #[test]
    fn a_first_pull_says_where_it_begins() {
        let mut report = SourceReport::new("acme", "org-events");
        report.first_pull = Some(FirstPull {
            from: "2026-11-21T14:03:25Z".parse().unwrap(),
            initial_lookback: Some(Duration::from_secs(7 * 86_400)),
        });
        let reports = vec![report; MAX_SOURCE_LINES + 1];
        assert!(first_pulls(&reports, UserZone::UTC).is_empty(), "nothing was read");
        let reports: Vec<_> =
            reports.into_iter().map(|report| SourceReport { pages: 1, ..report }).collect();
        assert_eq!(
            first_pulls(&reports[..1], UserZone::UTC),
            ["first pull of acme: it begins at 2026-11-21 14:03Z (`initial_lookback` is \
                 7 days), and only `--backfill` reads older events"]
        );
        assert_eq!(
            first_pulls(&reports[..MAX_SOURCE_LINES], UserZone::UTC).len(),
            MAX_SOURCE_LINES
        );
        let many = first_pulls(&reports, UserZone::UTC);
        assert!(many.len() == 1 && many[0].contains("21 sources"), "{many:?}");
    }
}
