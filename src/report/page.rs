//! The order of the page, and what stands around its sections.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::event_tables::{all_events, changes, failures};
use super::guessed_logins::{GuessedLogin, MIN_FAILURES};
use super::statistics::EventStatistics;
use super::text::{
    TableColumn, counted_noun, date_time, duration_between, list, or_dash, table, text, time,
};
use super::value_tables::{most_frequent, rare};
use super::{
    ReportAlerts, ReportInput, ReportSection, VerdictTone, chart, newcomers, source_charts,
};
use crate::model::text::group_digits;

/// Nothing is loaded and nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'";

/// The page of these events.
pub fn html_page(input: ReportInput<'_>, mut statistics: EventStatistics) -> String {
    statistics.logins.finish();
    let statistics = &statistics;
    let title = text(&list(&input.heading));
    let buckets = statistics.over_time.buckets(input.shown_since, input.until);
    let by_source = source_charts::pictures(statistics, &input);
    let alerts = input.alerts.as_ref();
    let mut sections = Vec::from_iter(alerts.map(|alerts| alerts.section(statistics.events)));
    sections.extend([
        chart::section(&buckets, &input, &by_source),
        logins(statistics),
        newcomers::section(statistics, &input),
        changes(statistics, &input),
        failures(statistics, &input),
        most_frequent(statistics),
        rare(statistics),
    ]);
    let events = all_events(statistics, &input);
    sections.extend(input.sections);
    sections.push(events);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                title { (input.kind) ": " (title) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                main {
                    header {
                        p class="eyebrow" { "Atlassian " (input.kind.to_lowercase()) }
                        h1 { (title) }
                        p class="window" {
                            (date_time(input.since)) " " span class="to" { "to" } " "
                            (date_time(input.until)) " "
                            span class="span" { (duration_between(input.since, input.until)) }
                        }
                    }
                    (input.verdict)
                    (figures(statistics, alerts))
                    nav aria-label="On this page" {
                        @for (index, section) in sections.iter().enumerate() {
                            @if index > 0 { " " }
                            a href={ "#" (section.id) } { (section.link) }
                        }
                    }
                    @for section in &sections {
                        section id=(section.id) { h2 { (section.title) } (section.body) }
                    }
                }
                footer { (input.footer) }
            }
        }
    };
    page.into_string()
}

/// The figures that people look for first.
fn figures(statistics: &EventStatistics, alerts: Option<&ReportAlerts>) -> Markup {
    let (first, last) = statistics.span.unzip();
    let failures = group_digits(statistics.failures.offered());
    let changes = group_digits(statistics.changes.offered());
    let logins = group_digits(statistics.logins.found.offered);
    html! {
        dl class="figures" {
            div { dt { "Events" } dd { (group_digits(statistics.events)) } }
            @if let Some(alerts) = alerts {
                div {
                    dt { "Alerts" }
                    dd { a href="#alerts" { (group_digits(alerts.shown_severities())) } }
                }
            }
            div { dt { "Failures" } dd { a href="#failures" { (failures) } } }
            div { dt { "Logins after failures" } dd { a href="#logins" { (logins) } } }
            div { dt { "Administrative changes" } dd { a href="#changes" { (changes) } } }
            div class="when" { dt { "First event (UTC)" } dd { (or_dash(first.map(time))) } }
            div class="when" { dt { "Last event (UTC)" } dd { (or_dash(last.map(time))) } }
        }
    }
}

/// Logins that succeeded after others had failed.
fn logins(statistics: &EventStatistics) -> ReportSection {
    let found = &statistics.logins.found;
    let more = found.offered - found.row_count();
    let forgotten = statistics.logins.forgotten();
    let body = html! {
        p {
            "Logins that succeeded after at least " (MIN_FAILURES) " failed in a row, of the same \
             actor or from the same address in one source, each at most an hour after the one \
             before: somebody who mistypes a password, or who guesses one. Not every source logs \
             failed logins."
        }
        @if found.offered == 0 {
            p class="nothing" { "No login succeeded like this." }
        } @else {
            (table("plain logins", LOGIN_COLUMNS, found.rows().map(login_row)))
        }
        @if more > 0 {
            p class="rest" {
                (group_digits(more)) " more, after fewer failures, or after as many and later."
            }
        }
        @if forgotten > 0 {
            p class="rest" {
                "Too many actors and addresses failed within an hour to remember each: "
                (counted_noun(forgotten, "series of failures was", "series of failures were"))
                " forgotten, and what followed is not here."
            }
        }
    };
    let title = "Logins after failures";
    ReportSection { id: "logins", link: title, title, body }
}

const LOGIN_COLUMNS: [TableColumn; 7] = [
    ("Actor", "d"),
    ("Failed (actor)", "n"),
    ("Failed (address)", "n"),
    ("First failure (UTC)", "t"),
    ("Success (UTC)", "t"),
    ("Address", "d"),
    ("Country", "d"),
];

fn login_row(login: &GuessedLogin) -> [Markup; 7] {
    let failures = |count: u64| or_dash((count > 0).then(|| group_digits(count)));
    [
        or_dash(login.actor.as_ref()),
        failures(login.by_actor),
        failures(login.from_address),
        time(login.first_failure),
        time(login.success),
        or_dash(login.address.as_ref()),
        or_dash(login.country.as_ref()),
    ]
}

/// What stands first on the page: in a few words whether it can be relied on.
pub fn verdict_section(tone: VerdictTone, title: &str, body: &Markup) -> Markup {
    let (class, sign) = match tone {
        VerdictTone::Good => ("good", "M7 12.5l3.4 3.4L17 9"),
        VerdictTone::Neutral => ("part", "M7 12.5l3.4 3.4L17 9"),
        VerdictTone::Information => ("part", "M12 11v7M12 6.4v.6"),
        VerdictTone::Bad => ("bad", "M12 6v8M12 17.2v.6"),
    };
    html! {
        section class={ "verdict " (class) } {
            svg class="sign" viewBox="0 0 24 24" width="28" height="28" aria-hidden="true" {
                circle cx="12" cy="12" r="11" {}
                path d=(sign) {}
            }
            div { h2 { (title) } (body) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ReportSource;

    #[test]
    fn events_that_are_no_export_make_a_page_too() {
        let mut statistics = EventStatistics::of_any_time();
        for number in 0..2_100_u64 {
            let (day, minute) = (1 + number / 1_000, number % 1_000);
            let time = format!("2026-11-{day:02}T{:02}:{:02}:00Z", minute / 60, minute % 60);
            let line = format!(r#"{{"time":"{time}","action":"page_viewed"}}"#);
            statistics.add_line(line.into(), ReportSource::default(), number);
        }
        let (since, until) = statistics.time_range().unwrap();
        let input = ReportInput {
            kind: "Audit log report",
            heading: vec!["events.jsonl"],
            since,
            until,
            shown_since: since,
            source_count: 1,
            unread: Vec::new(),
            removed: Vec::new(),
            verdict: verdict_section(VerdictTone::Information, "Events from files", &html! {}),
            alerts: None,
            all_events: None,
            sections: Vec::new(),
            footer: html! {},
        };
        let page = html_page(input, statistics);
        for text in [
            "Atlassian audit log report",
            "1 November 2026, 00:00 UTC",
            "Events from files",
            "2,100 events, no failure.",
            "100 events between these</td>",
        ] {
            assert!(page.contains(text), "{text}");
        }
    }
}
