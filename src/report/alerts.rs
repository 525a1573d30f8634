//! The section of alerts: how many there are, and the most severe of them.

use std::cmp::Reverse;

use bytes::Bytes;
use maud::{Markup, Render as _, html};
use serde::{Deserialize, Serialize};

use super::ReportSection;
use super::event_rows::FirstN;
use super::report_event::event_object;
use super::text::{
    TableColumn, TruncatedText, capital, counted_noun, or_dash, table_of_rows, table_row, time,
};
use crate::config::detection::AlertSeverity;
use crate::model::text::{group_digits, plural};
use crate::model::time::{Timestamp, parse_api_time};

/// Rows in the table.
const MAX_ROWS: usize = 200;

/// The least severity that has rows.
const LEAST_SHOWN: AlertSeverity = AlertSeverity::Low;

/// What a reader of alerts must know beside them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetectionNotes {
    /// Alerts that exceptions of the configuration kept back.
    pub excepted: u64,
    /// Events without a time that can be read, which cannot be judged.
    pub undated: u64,
    /// Histories of users and addresses that were forgotten to keep memory bounded.
    pub forgotten: u64,
    /// Events and groups that correlations left out to keep memory bounded.
    pub uncorrelated: u64,
    /// Whether the history is too short to know what is usual.
    #[serde(rename = "learning")]
    pub is_learning: bool,
}

impl DetectionNotes {
    /// What was not judged, or not as it should be.
    pub fn warnings(&self) -> Vec<String> {
        let DetectionNotes { undated, forgotten, uncorrelated, .. } = *self;
        let mut warnings = Vec::new();
        if undated > 0 {
            let what = plural(undated, "event has", "events have");
            warnings.push(format!("{what} no time that can be read, and could not be judged"));
        }
        if forgotten > 0 {
            warnings.push(format!(
                "{} of users and addresses forgotten to keep memory bounded: for these nothing is \
                 `new` any more; raise `max_users` of `[detect]`",
                plural(forgotten, "history was", "histories were")
            ));
        }
        if uncorrelated > 0 {
            let what = plural(uncorrelated, "event or group", "events and groups");
            warnings.push(format!(
                "{what} of correlations left out to keep memory bounded: a rule that counts events \
                 may have missed something; group by fields with fewer values, or in less time"
            ));
        }
        warnings
    }
}

/// The alerts of a page, in memory that does not grow with them.
#[derive(Debug)]
pub struct ReportAlerts {
    /// By severity, the least first.
    by_severity: [u64; AlertSeverity::ALL.len()],
    /// The most severe first, then the latest.
    rows: FirstN<AlertRank, AlertRow>,
    /// What must be known beside them.
    pub notes: DetectionNotes,
}

type AlertRank = (Reverse<AlertSeverity>, Reverse<Timestamp>, Reverse<u64>);

/// What is shown of an alert.
#[derive(Debug)]
struct AlertRow {
    time: Timestamp,
    severity: AlertSeverity,
    title: TruncatedText<'static>,
    rule: TruncatedText<'static>,
    attack: Option<TruncatedText<'static>>,
}

const COLUMNS: [TableColumn; 5] =
    [("Time (UTC)", "t"), ("Severity", ""), ("What happened", "d"), ("Rule", "d"), ("ATT&CK", "d")];

impl ReportAlerts {
    /// Has no alert yet.
    pub fn new() -> ReportAlerts {
        ReportAlerts {
            by_severity: [0; AlertSeverity::ALL.len()],
            rows: FirstN::new(MAX_ROWS),
            notes: DetectionNotes::default(),
        }
    }

    /// Takes a line of alerts (`atlaudit-alert/1`); what is none counts for nothing.
    pub fn add_line(&mut self, line: Bytes) {
        let Some(alert) = event_object(line) else { return };
        let keys = ["time", "severity", "title", "rule"];
        let [at, severity, title, rule] = alert.root().fields(keys);
        let word = severity.and_then(|severity| severity.text()).unwrap_or_default();
        let severity = AlertSeverity::ALL.into_iter().find(|severity| severity.as_str() == word);
        let at = at.and_then(|at| parse_api_time(&at.text()?));
        let (Some(severity), Some(at)) = (severity, at) else { return };
        if let Some(count) = self.by_severity.get_mut(severity as usize) {
            *count += 1;
        }
        if severity < LEAST_SHOWN {
            return;
        }
        let rank = (Reverse(severity), Reverse(at), Reverse(self.rows.offered));
        self.rows.offer(rank, || {
            let name = rule.and_then(|rule| rule.text_of("name"));
            let attack = rule.and_then(|rule| rule.get("attack"));
            let attack = attack.into_iter().flat_map(|attack| attack.items());
            let attack: Vec<_> = attack.filter_map(|id| id.text()).collect();
            let title = title.and_then(|title| title.text()).unwrap_or_default();
            AlertRow {
                time: at,
                severity,
                title: TruncatedText::sentence(title).into_owned(),
                rule: TruncatedText::sentence(name.unwrap_or_default()).into_owned(),
                attack: (!attack.is_empty())
                    .then(|| TruncatedText::sentence(attack.join(", ")).into_owned()),
            }
        });
    }

    /// Alerts of the severities that have rows.
    pub fn shown_severities(&self) -> u64 {
        self.rows.offered
    }

    /// The section, of so many events.
    pub fn section(&self, events: u64) -> ReportSection {
        let counts = AlertSeverity::ALL.into_iter().zip(self.by_severity).rev();
        let counts: Vec<_> = counts.filter(|(_, count)| *count > 0).collect();
        let body = html! {
            p {
                "What the detections of atlaudit find in these events: acts that attackers need, \
                 and what is unusual for a person. An alert is a reason to look, and no proof."
            }
            @if counts.is_empty() {
                p class="nothing" { "No alert." }
            } @else {
                ul class="kinds" {
                    @for (severity, count) in counts {
                        li class=[is_hot(severity).then_some("hot")] {
                            (capital(severity.as_str())) " " b { (group_digits(count)) }
                        }
                    }
                }
            }
            @if self.rows.row_count() > 0 {
                (table_of_rows("plain alerts", &COLUMNS, self.rows.rows().map(AlertRow::render)))
            }
            (self.remarks(events))
        };
        ReportSection { id: "alerts", link: "Alerts", title: "Alerts", body }
    }

    /// What is not in the table, and what could not be found in so many events.
    fn remarks(&self, events: u64) -> Markup {
        let more = self.rows.offered - self.rows.row_count();
        let quiet = self.by_severity.iter().sum::<u64>() - self.rows.offered;
        let DetectionNotes { excepted, undated, forgotten, uncorrelated, is_learning } = self.notes;
        let remarks = [
            (more, "more alert is", "more alerts are", "not shown: less severe, or earlier"),
            (quiet, "alert is", "alerts are", "only counted, as info"),
            (excepted, "alert was", "alerts were", "kept back by exceptions of the configuration"),
            (undated, "event has", "events have", "no time that can be read, to be judged by"),
            (
                forgotten,
                "history was",
                "histories were",
                "forgotten to keep memory bounded: something new may not be among the alerts",
            ),
            (
                uncorrelated,
                "event or group was",
                "events and groups were",
                "left out of correlations to keep memory bounded: an alert may be missing",
            ),
        ];
        html! {
            @if is_learning && events > 0 {
                p class="rest" {
                    "The history is too short to know what is usual: most alerts count as info."
                }
            }
            @for (count, one, many, what) in remarks.into_iter().filter(|(count, ..)| *count > 0) {
                p class="rest" { (counted_noun(count, one, many)) " " (what) "." }
            }
        }
    }
}

impl AlertRow {
    fn render(&self) -> Markup {
        let cells = [
            time(self.time),
            html! { (capital(self.severity.as_str())) },
            self.title.render(),
            self.rule.render(),
            or_dash(self.attack.as_ref()),
        ];
        table_row(is_hot(self.severity).then_some("hot"), &COLUMNS, &cells)
    }
}

/// Whether it is to be looked at now.
fn is_hot(severity: AlertSeverity) -> bool {
    severity >= AlertSeverity::High
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(severity: &str, minute: usize, title: &str) -> Bytes {
        let rule = r#"{"id":"x","name":"<Rule>","attack":["T1078","T1110.003"]}"#;
        let time = format!("2026-11-20T{:02}:{:02}:00.000Z", minute / 60, minute % 60);
        format!(r#"{{"time":"{time}","severity":"{severity}","title":"{title}","rule":{rule}}}"#)
            .into()
    }

    /// The section with a line for each row and each remark.
    fn shown(alerts: &ReportAlerts) -> String {
        let body = alerts.section(1).body.into_string();
        body.replace("<tr", "\n<tr").replace("<p class=\"rest\"", "\n<p")
    }

    #[test]
    fn the_most_severe_come_first_then_the_latest_and_info_is_counted() {
        let mut alerts = ReportAlerts::new();
        for (severity, minute) in
            [("low", 9), ("high", 1), ("info", 5), ("high", 2), ("medium", 3), ("critical", 0)]
        {
            alerts.add_line(line(severity, minute, &format!("{severity} of {minute}")));
        }
        for none in ["", "{}", "[]", "no json", r#"{"time":"x","severity":"high"}"#] {
            alerts.add_line(none.into());
        }
        let text = shown(&alerts);
        let places = ["critical of 0", "high of 2", "high of 1", "medium of 3", "low of 9"]
            .map(|title| text.find(title).unwrap_or_else(|| panic!("{title}: {text}")));
        assert!(places.is_sorted(), "{text}");
        assert!(!text.contains("info of 5") && text.contains("Info <b>1</b>"), "{text}");
        assert!(
            text.contains("High <b>2</b>") && text.contains("1 alert is only counted"),
            "{text}"
        );
        assert!(text.contains("&lt;Rule&gt;") && text.contains("T1078, T1110.003"), "{text}");
        assert_eq!(alerts.shown_severities(), 5);
    }

    #[test]
    fn what_is_not_shown_is_counted() {
        let mut alerts = ReportAlerts::new();
        for number in 0..1_203 {
            alerts.add_line(line("low", number, "low"));
        }
        alerts.add_line(line("high", 0, "the worst"));
        alerts.notes = DetectionNotes {
            excepted: 1,
            undated: 2,
            forgotten: 3,
            uncorrelated: 4,
            is_learning: true,
        };
        let text = shown(&alerts);
        assert_eq!(text.matches("\n<tr").count(), 1 + MAX_ROWS);
        assert!(text.contains("the worst"));
        for remark in [
            "1,004 more alerts are not shown",
            "1 alert was kept back by exceptions",
            "2 events have no time",
            "3 histories were forgotten",
            "4 events and groups were left out",
            "The history is too short",
        ] {
            assert!(text.contains(remark), "{remark}: {text}");
        }
        let none = ReportAlerts::new().section(0).body.into_string();
        assert!(none.contains("No alert.") && !none.contains("<table"), "{none}");
    }
}
