//! Runs `report`: makes a page of events.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use maud::{Markup, html};

use crate::commands::query::{self, QueryWork};
use crate::commands::saved_detection::{self, DetectionOutcome, SavedDetection, sort_error};
use crate::config::env::ProcessEnv;
use crate::config::request::{ReportRequest, ReportTarget, SavedEventQuery};
use crate::detect::DetectionSetup;
use crate::error::AppError;
use crate::exit::Exit;
use crate::files::{Durability, FileReplacement, folder_of};
use crate::model::json::Node;
use crate::model::name::SourceKind;
use crate::model::source_kind::SourceAddress;
use crate::model::text::counted;
use crate::model::time::Timestamp;
use crate::report::{
    EventStatistics, ReportAlerts, ReportInput, ReportSection, ReportSource, ReportedFinding,
    VerdictTone, counted_noun, date_time, html_page, posture_section, read_findings, text,
    verdict_section,
};
use crate::search::{self, NextStep, QueryCounts};
use crate::sink::stdout;
use crate::telemetry::console::StderrConsole;

/// Sources that are distinguished; the events of further ones count as those of the last.
const MAX_SOURCES: usize = 200;

/// What every page begins with.
const PAGE_START: &[u8] = b"<!DOCTYPE html>";

/// Makes the page, and returns whether everything could be read.
///
/// # Errors
/// The page cannot be written, or a signal came.
pub async fn run(
    request: ReportRequest,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<Exit, AppError> {
    let ReportRequest { mut query, output, detect, posture } = request;
    if let ReportTarget::File(path) = &output {
        refuse_other_file(path)?;
    }
    let setup = detect.map(|settings| saved_detection::load_setup(settings, query.now, console));
    let setup = setup.transpose()?;
    query.needs_raw |= setup.as_ref().is_some_and(|setup| setup.rules.reads_raw());
    let findings = posture.as_deref().map(read_posture).transpose()?.unwrap_or_default();
    let work = move |work: QueryWork<'_>| page_of(work, setup.as_ref(), &findings);
    let (page, exit) = query::run(query, env, console, work).await?;
    if page.has_unread_source && page.events == 0 {
        let what = "no page is written: no event could be read from the sources";
        return Err(AppError::new(exit, what).hint("see the errors above; an older page stays"));
    }
    if let Some(detection) = &page.detection {
        detection.report(console);
    }
    match &output {
        ReportTarget::Stdout => stdout::print(&page.html)?,
        ReportTarget::File(path) => {
            write_page(path, &page.html)?;
            console.notice(format!(
                "wrote a page of {} to `{}`",
                counted(page.events, "event"),
                path.display()
            ));
        }
    }
    Ok(exit)
}

/// The findings in a file that `posture --json` was written to.
fn read_posture(path: &Path) -> Result<Vec<ReportedFinding>, AppError> {
    let refused = |why: &str| {
        let what = format!("cannot use the findings in `{}`: {why}", path.display());
        AppError::new(Exit::Usage, what).hint("write them with `atlaudit posture --json > FILE`")
    };
    let text = fs::read_to_string(path).map_err(|error| refused(&error.to_string()))?;
    read_findings(&text).map_err(|why| refused(&why))
}

/// A page that is made.
pub struct EventPage {
    /// Its text.
    pub html: String,
    events: u64,
    /// Whether a source could not be read to its end.
    has_unread_source: bool,
    /// What was found, where the events were judged.
    detection: Option<DetectionOutcome>,
}

/// Refuses to replace a file that is no page: it may hold events; and a folder that is not there,
/// before anything is read.
///
/// # Errors
/// Nothing can be written there, or what is there does not begin like a page.
pub fn refuse_other_file(path: &Path) -> Result<(), AppError> {
    let refuse = |what: &str, hint: &str| {
        let what = format!("`{}` {what}", path.display());
        Err(AppError::new(Exit::Output, what).hint(hint.to_owned()))
    };
    let facts = match fs::metadata(path) {
        Ok(facts) => facts,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return match folder_of(path).is_dir() {
                true => Ok(()),
                false => refuse("is in no folder that there is", "create the folder first"),
            };
        }
        Err(error) => return Err(page_error(path, &error)),
    };
    if !facts.is_file() {
        return refuse("is no regular file", "name a file, or print the page with `--output -`");
    }
    let mut start = Vec::new();
    let file = File::open(path).map_err(|error| page_error(path, &error))?;
    let read = file.take(PAGE_START.len() as u64).read_to_end(&mut start);
    read.map_err(|error| page_error(path, &error))?;
    match start.is_empty() || start.eq_ignore_ascii_case(PAGE_START) {
        true => Ok(()),
        false => refuse(
            "is there already, and is no page",
            "name another file; only a page is replaced by a newer one",
        ),
    }
}

fn page_error(path: &Path, error: &io::Error) -> AppError {
    AppError::new(Exit::Output, format!("cannot write the page `{}`", path.display()))
        .because(error)
        .hint("check the folder, and that this user may write to it")
}

/// Writes a page, in place of an older one.
///
/// # Errors
/// The file system's.
pub fn write_page(path: &Path, html: &str) -> Result<(), AppError> {
    // It may have come while the events were read.
    refuse_other_file(path)?;
    let replacement = FileReplacement::new(path, Durability::None);
    let written = replacement.write(|out| out.write_all(html.as_bytes()));
    written.map_err(|error| page_error(path, &error))
}

/// Counts the events of a query, judges them by `setup`, and makes their page, with `findings` of
/// `posture` on it.
///
/// # Errors
/// A signal came, or the events cannot be sorted.
pub fn page_of(
    work: QueryWork<'_>,
    setup: Option<&DetectionSetup>,
    findings: &[ReportedFinding],
) -> Result<(EventPage, QueryCounts), AppError> {
    let QueryWork { query, taxonomy, report, is_stopped, unread_sources } = work;
    let mut statistics = match (query.filter.since, query.filter.until) {
        (Some(since), until) => EventStatistics::new(since, until.unwrap_or(query.now)),
        (None, _) => EventStatistics::of_any_time(),
    };
    let mut sources = SourceNumbers::default();
    let mut detection = setup.map(SavedDetection::new);
    let wait = || if is_stopped() { Err(query::interrupted()) } else { Ok(()) };
    let mut number = 0;
    let counts = search::choose_events(query, taxonomy, report, wait, |event| {
        number += 1;
        statistics.add_event(&event.doc, sources.source_of(event.doc.root()), number);
        if let Some(detection) = &mut detection {
            detection.add(&event.doc, false).map_err(|error| sort_error(&error))?;
        }
        Ok(NextStep::Continue)
    })?;
    let events = counts.chosen;
    let judged = detection.map(judge).transpose().map_err(|error| sort_error(&error))?;
    let (alerts, detection) = judged.unzip();
    let sections = (!findings.is_empty()).then(|| posture_section(findings));
    let sections = sections.into_iter().collect();
    let input = PageInput { sources: &sources, unread_sources, alerts, sections };
    let html = page(query, &counts, input, statistics);
    Ok((
        EventPage { html, events, has_unread_source: !unread_sources.is_empty(), detection },
        counts,
    ))
}

/// The alerts of all events.
fn judge(detection: SavedDetection<'_>) -> io::Result<(ReportAlerts, DetectionOutcome)> {
    let mut alerts = ReportAlerts::new();
    let mut sorted = detection.sort()?;
    while let Some(alert) = sorted.next()? {
        let mut line = Vec::new();
        alert.append_line(&mut line);
        alerts.add_line(line.into());
    }
    let outcome = sorted.finish();
    alerts.notes = outcome.notes;
    Ok((alerts, outcome))
}

/// The sources of events, numbered as they come.
#[derive(Default)]
struct SourceNumbers {
    of_name: HashMap<String, usize>,
}

impl SourceNumbers {
    fn source_of<'s>(&mut self, event: Node<'s>) -> ReportSource<'s> {
        let source = event.get("source");
        let name = source.and_then(|source| borrowed(source, "name")).unwrap_or("no source");
        let known = self.of_name.get(name).copied();
        let index = known.unwrap_or_else(|| {
            let next = self.of_name.len().min(MAX_SOURCES - 1);
            if self.of_name.len() < MAX_SOURCES {
                self.of_name.insert(name.to_owned(), next);
            }
            next
        });
        let kind = source.and_then(|source| borrowed(source, "type"));
        let kind = kind.and_then(|kind| kind.parse::<SourceKind>().ok());
        // Each server numbers its own users.
        let has_own_users = kind.is_some_and(|kind| kind.address() == SourceAddress::Server);
        ReportSource { index, label: Some(name), realm: has_own_users.then_some(name) }
    }
}

/// The text of a field, where it stands in the line as it is; our own names do.
fn borrowed<'s>(object: Node<'s>, key: &str) -> Option<&'s str> {
    match object.text_of(key)? {
        std::borrow::Cow::Borrowed(text) => Some(text),
        std::borrow::Cow::Owned(_) => None,
    }
}

/// What stands on a page beside the statistics of its events.
struct PageInput<'a> {
    sources: &'a SourceNumbers,
    unread_sources: &'a [String],
    alerts: Option<ReportAlerts>,
    sections: Vec<ReportSection>,
}

fn page(
    query: &SavedEventQuery,
    counts: &QueryCounts,
    input: PageInput<'_>,
    statistics: EventStatistics,
) -> String {
    let PageInput { sources, unread_sources, alerts, sections } = input;
    let (since, until) = statistics.time_range().unwrap_or((query.now, query.now));
    let mut names: Vec<&str> = sources.of_name.keys().map(String::as_str).collect();
    names.sort_unstable();
    let input = ReportInput {
        kind: "Audit log report",
        heading: names,
        since,
        until,
        shown_since: since,
        source_count: sources.of_name.len(),
        unread: Vec::new(),
        removed: Vec::new(),
        verdict: verdict(query, counts, unread_sources),
        alerts,
        all_events: None,
        sections,
        footer: html! {
            "Made by atlaudit " (env!("CARGO_PKG_VERSION")) " at " (date_time(query.now))
            ". Every time on this page is UTC."
        },
    };
    html_page(input, statistics)
}

/// What the page is of, and what could not be read.
fn verdict(query: &SavedEventQuery, counts: &QueryCounts, unread_sources: &[String]) -> Markup {
    let lost = counts.read.lines_lost + counts.read.inputs_lost;
    let (tone, title) = match lost + unread_sources.len() as u64 {
        0 => (VerdictTone::Information, "A page of saved events"),
        _ => (VerdictTone::Bad, "Not everything could be read"),
    };
    let range = |time: Option<Timestamp>, word: &str| {
        time.map(|time| format!(" {word} {}", date_time(time))).unwrap_or_default()
    };
    let body = html! {
        p {
            "Of " (counted(counts.events, "event")) " that were read, "
            (counted(counts.chosen, "event"))
            @if counts.chosen == counts.events { " are on this page" } @else { " fit the filters" }
            (text(&range(query.filter.since, "from"))) (text(&range(query.filter.until, "until")))
            ". What was never saved cannot be on it."
        }
        @if lost > 0 {
            p {
                (counted_noun(counts.read.lines_lost, "line", "lines")) " and "
                (counted_noun(counts.read.inputs_lost, "file", "files"))
                " could not be read, so that events may be missing."
            }
        }
        @for source in unread_sources {
            p { "The source " (text(source)) " could not be read to its end." }
        }
        @if counts.undated > 0 {
            p {
                (counts.undated) " more fit, but for a time that can be read."
            }
        }
    };
    verdict_section(tone, title, &body)
}
