//! Owns the line that ends every run.

use std::time::Duration;

use crate::pipeline::report::SourceReport;
use crate::telemetry::console::{Console, Level, Message};
use crate::telemetry::progress::grouped;

/// Tells how a run ended; nothing where all of it ended with a reader who had seen enough.
pub fn tell(console: &Console, reports: &[SourceReport], elapsed: Duration) {
    if reports.iter().any(|report| !report.reader_left) {
        console.say(Level::Notice, &Message::new(line(reports, elapsed)));
    }
}

/// `2,980 events from 2 sources in 1.3s (acme 2,400, acme-jira 580), 8 requests`, and what was odd.
fn line(reports: &[SourceReport], elapsed: Duration) -> String {
    let sum = |count: fn(&SourceReport) -> u64| reports.iter().map(count).sum::<u64>();
    let mut line = format!(
        "{} from {} in {}",
        counted(sum(|report| report.events), "event"),
        counted(reports.len() as u64, "source"),
        seconds(elapsed),
    );
    if reports.len() > 1 {
        let each = reports
            .iter()
            .map(|report| format!("{} {}", report.source, grouped(report.events)));
        line.push_str(&format!(" ({})", each.collect::<Vec<_>>().join(", ")));
    }
    line.push_str(&format!(
        ", {}",
        counted(sum(|report| report.requests), "request")
    ));
    let odd: [(u64, &str); 4] = [
        (sum(|report| report.repeats), "known already"),
        (sum(|report| report.outside_window), "outside the window"),
        (sum(|report| report.unparsed), "unparsed"),
        (sum(|report| report.id_clashes), "with a repeated id"),
    ];
    for (count, what) in odd.into_iter().filter(|(count, _)| *count > 0) {
        line.push_str(&format!(", {} {what}", grouped(count)));
    }
    let open = reports
        .iter()
        .filter(|report| report.error.is_some() && !report.reader_left)
        .count();
    if open > 0 {
        line.push_str(&format!("; INCOMPLETE: {}", counted(open as u64, "source")));
    }
    line
}

/// `2,401 events`, `1 event`.
pub(super) fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(count))
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
            "2,401 events from 2 sources in 1.3s (acme 2,400, jira 1), 8 requests"
        );
        reports.truncate(1);
        reports[0].events = 1;
        reports[0].unparsed = 1;
        reports[0].error = Some("no".to_owned());
        assert_eq!(
            line(&reports, Duration::from_secs(125)),
            "1 event from 1 source in 2m 5s, 4 requests, 1 unparsed; INCOMPLETE: 1 source"
        );
    }
}
