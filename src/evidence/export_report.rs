//! What `report.html` says of an export: everything in the manifest that is not counted from
//! events.

use std::io::ErrorKind;
use std::path::{Component, Path};

use maud::{Markup, PreEscaped, html};

use super::facts::{GapEntry, RunEntry};
use super::manifest::{ClockComparison, ExportCounts, Manifest, RetryEntry, SourceEntry};
use super::packed_lines::PackedLines;
use crate::model::name::SourceKind;
use crate::model::number::group_digits;
use crate::report::{
    EventStatistics, ReportInput, ReportSection, SourceSpan, TruncatedText, counted_noun,
    date_time, duration, duration_between, events, html_page, minute, or_dash, size, table, text,
    time,
};

/// Gaps that are listed.
const MAX_GAPS: usize = 100;
/// Files that are listed.
const MAX_FILES: usize = 200;
/// Runs that are listed.
const MAX_RUNS: usize = 20;
/// Failed attempts that are listed of one source.
const MAX_RETRIES: usize = 20;
/// Sources that are described: a changed manifest may name any number.
const MAX_SOURCES: usize = 200;
/// How far a clock may be off and still agree with one of whole seconds.
const CLOCK_TOLERANCE_MS: u64 = 1_500;

/// The page of the export in `dir`, which `manifest` is of. What is wrong with the events is no
/// error: the page says it.
pub fn html(dir: &Path, manifest: &Manifest) -> String {
    let asked = &manifest.asked;
    let shown_since = manifest.available_since();
    let mut statistics = EventStatistics::new(shown_since, asked.until);
    let sources = manifest.sources.iter().enumerate();
    let reads: Vec<_> = sources
        .map(|(at, source)| read_events(dir, at, source, &mut statistics))
        .collect();
    let made_by = &manifest.made_by;
    let input = ReportInput {
        kind: "Audit log export",
        heading: asked.sources.iter().map(String::as_str).collect(),
        since: asked.since,
        until: asked.until,
        shown_since,
        source_names: manifest
            .sources
            .iter()
            .map(|source| source.facts.name.as_str())
            .collect(),
        unread: gaps(manifest)
            .map(|(source, gap)| SourceSpan {
                source,
                from: gap.from,
                to: gap.to,
            })
            .collect(),
        removed: removed(manifest).collect(),
        verdict: html! {
            (verdict(manifest, statistics.events))
            (warnings(manifest, &reads))
        },
        sections: vec![arguments(manifest), flow(manifest), proof(manifest)],
        footer: html! {
            "Made by " (text(&made_by.program)) " " (text(&made_by.version))
            " from the files of this export. Every time on this page is UTC."
        },
    };
    html_page(&input, &statistics)
}

/// How reading a source's events went.
#[derive(Debug, Default, PartialEq, Eq)]
struct EventFileRead {
    /// Lines, whether they hold an event or not.
    lines: u64,
    /// Lines that hold no event.
    unreadable: u64,
    /// Why there may be more.
    problem: Option<&'static str>,
}

const MISSING: &str = "is missing";
const UNREADABLE: &str = "cannot be read";
const DAMAGED: &str = "is damaged and cannot be read to its end";

/// Counts the events of a source.
fn read_events(
    dir: &Path,
    index: usize,
    source: &SourceEntry,
    statistics: &mut EventStatistics,
) -> EventFileRead {
    let has_own_users = source.facts.kind == SourceKind::DatacenterAudit.as_str();
    let realm = has_own_users.then_some(source.facts.name.as_str());
    let mut read = read_lines(dir, &source.events.file, |line, number| {
        statistics.add_line(line, index, number, realm)
    });
    // Nothing was written where nothing was read.
    if read.problem == Some(MISSING) && source.events.lines == 0 {
        read.problem = None;
    }
    read
}

/// Hands each line of `file` to `take`, which returns whether it is an event.
fn read_lines(
    dir: &Path,
    file: &str,
    mut take: impl FnMut(bytes::Bytes, u64) -> bool,
) -> EventFileRead {
    let mut read = EventFileRead::default();
    let file = Path::new(file);
    // The manifest may have been changed: its paths must not lead out of the folder.
    if !file
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        read.problem = Some(UNREADABLE);
        return read;
    }
    let mut lines = match PackedLines::open(&dir.join(file)) {
        Ok(lines) => lines,
        Err(error) => {
            let is_missing = error.kind() == ErrorKind::NotFound;
            read.problem = Some(if is_missing { MISSING } else { UNREADABLE });
            return read;
        }
    };
    loop {
        match lines.next() {
            Ok(None) => return read,
            Ok(Some(line)) => {
                read.lines += 1;
                read.unreadable += u64::from(!take(line, read.lines));
            }
            Err(_) => {
                read.problem = Some(DAMAGED);
                return read;
            }
        }
    }
}

fn gaps(manifest: &Manifest) -> impl Iterator<Item = (&str, &GapEntry)> {
    manifest.sources.iter().flat_map(|source| {
        let name = source.facts.name.as_str();
        source.facts.gaps.iter().map(move |gap| (name, gap))
    })
}

/// What the sources no longer kept.
fn removed(manifest: &Manifest) -> impl Iterator<Item = SourceSpan<'_>> {
    manifest.sources.iter().filter_map(|source| {
        let to = source.retention()?.earliest;
        Some(SourceSpan {
            source: &source.facts.name,
            from: manifest.asked.since,
            to,
        })
    })
}

/// Sources that were asked for and of which nothing is known.
fn undescribed_sources(manifest: &Manifest) -> Vec<&str> {
    let is_known = |name: &&str| {
        let mut sources = manifest.sources.iter();
        sources.any(|source| source.facts.name == *name)
    };
    let asked = manifest.asked.sources.iter().map(String::as_str);
    asked.filter(|name| !is_known(name)).collect()
}

/// Whether all was read: the manifest may have been changed, so each of its parts must agree.
fn is_complete(manifest: &Manifest) -> bool {
    let is_read = |source: &SourceEntry| {
        let facts = &source.facts;
        let mut windows = facts.windows.iter();
        facts.complete && facts.gaps.is_empty() && windows.all(|window| window.complete)
    };
    let is_all_read = manifest.sources.iter().all(is_read);
    manifest.complete && is_all_read && undescribed_sources(manifest).is_empty()
}

/// Whether the export is complete, in words that need no other page.
fn verdict(manifest: &Manifest, event_count: u64) -> Markup {
    let (class, sign, title, body) = match (is_complete(manifest), manifest.is_limited()) {
        (true, false) => (
            "good",
            "M7 12.5l3.4 3.4L17 9",
            "This export is complete",
            complete(manifest, event_count, "For the whole window, everything"),
        ),
        (true, true) => (
            "part",
            "M7 12.5l3.4 3.4L17 9",
            "This export is complete within what its sources keep",
            complete(manifest, event_count, "Everything"),
        ),
        (false, _) => (
            "bad",
            "M12 6v8M12 17.2v.6",
            "This export is incomplete",
            incomplete(manifest, event_count),
        ),
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

fn complete(manifest: &Manifest, event_count: u64, what: &str) -> Markup {
    html! {
        p {
            (what) " that " (counted_noun(manifest.sources.len() as u64, "source", "sources"))
            " served was read to its end and written: " (events(event_count)) "."
        }
        (retention(manifest))
        @if event_count == 0 {
            p {
                "No event was served at all. That can be true; it can also mean that another \
                 organization, site or window was meant."
            }
        }
        p class="fine" {
            "Complete speaks of what the servers had to show at the time of the export. What they \
             never logged, or had already removed, is in no export. Whether the files are still \
             as they were written is another question: " a href="#check" { "how to check them" } "."
        }
    }
}

/// What of the window the sources no longer kept.
fn retention(manifest: &Manifest) -> Markup {
    let texts = manifest.sources.iter().filter_map(|source| {
        let text = source.retention_text(manifest.asked.since)?;
        Some((&source.facts.name, text))
    });
    html! {
        @for (name, what) in texts.take(MAX_SOURCES) {
            p class="d" { b { (text(name)) } ": " (text(&what)) "." }
        }
    }
}

fn incomplete(manifest: &Manifest, event_count: u64) -> Markup {
    let is_short = |source: &&SourceEntry| !source.facts.complete || !source.facts.gaps.is_empty();
    let short = manifest.sources.iter().filter(is_short).count();
    let short = short + undescribed_sources(manifest).len();
    html! {
        p {
            (group_digits(short as u64)) " of "
            (counted_noun(manifest.asked.sources.len() as u64, "source", "sources"))
            " could not be read to the end. What was read is here, " (events(event_count))
            " in all; what is listed below is missing."
        }
        (missing(manifest))
        (retention(manifest))
        p class="fine" {
            "The same command, run again, goes on where this one ended. Whether the files are \
             still as they were written is another question: "
            a href="#check" { "how to check them" } "."
        }
    }
}

fn missing(manifest: &Manifest) -> Markup {
    let count = gaps(manifest).count();
    let is_unexplained =
        |source: &&SourceEntry| !source.facts.complete && source.facts.gaps.is_empty();
    let unexplained = manifest.sources.iter().filter(is_unexplained);
    let unknown = "the manifest does not say why";
    const COLUMNS: [&str; 5] = ["Source", "From (UTC)", "To (UTC)", "Length", "Why"];
    let row = |(name, gap): (&str, &GapEntry)| {
        html! {
            tr {
                td class="d" { (text(name)) }
                td class="t" { (time(gap.from)) }
                td class="t" { (time(gap.to)) }
                td { (duration_between(gap.from, gap.to)) }
                td class="d" { (text(&gap.why)) }
            }
        }
    };
    html! {
        @if count > 0 {
            (table("plain gaps", &COLUMNS, gaps(manifest).take(MAX_GAPS).map(row)))
        }
        (omitted(count, MAX_GAPS))
        @for source in unexplained.take(MAX_SOURCES) {
            p class="d" {
                b { (text(&source.facts.name)) } " was not read to its end: "
                (text(source.facts.error.as_deref().unwrap_or(unknown))) "."
            }
        }
        @for name in undescribed_sources(manifest).into_iter().take(MAX_SOURCES) {
            p class="d" { b { (text(name)) } " was asked for, and nothing is known of it." }
        }
    }
}

/// How many of `count` are not listed.
fn omitted(count: usize, limit: usize) -> Markup {
    let more = count.saturating_sub(limit) as u64;
    html! {
        @if more > 0 {
            p class="rest" { (group_digits(more)) " more in " code { "manifest.json" } "." }
        }
    }
}

/// What is wrong with the files that this page was made from.
fn warnings(manifest: &Manifest, reads: &[EventFileRead]) -> Markup {
    html! {
        @if manifest.complete != is_complete(manifest) {
            p class="warning" {
                "The manifest contradicts itself: it calls the export complete, and a part of it \
                 says that it is not."
            }
        }
        @for (source, read) in manifest.sources.iter().zip(reads).take(MAX_SOURCES) {
            @if let Some(problem) = read.problem {
                p class="warning" {
                    code { (text(&source.events.file)) } " " (problem)
                    ". This page shows only what could be read."
                }
            } @else if read.lines != source.events.lines {
                p class="warning" {
                    code { (text(&source.events.file)) } " has " (group_digits(read.lines))
                    " lines, and the manifest says " (group_digits(source.events.lines)) "."
                }
            }
            @if read.unreadable > 0 {
                p class="warning" {
                    code { (text(&source.events.file)) } ": "
                    (counted_noun(read.unreadable, "line", "lines"))
                    " cannot be read as an event, and none of what this page counts is of them."
                }
            }
        }
    }
}

/// What was asked, by whom, when, with what.
fn arguments(manifest: &Manifest) -> ReportSection {
    let (made_by, asked) = (&manifest.made_by, &manifest.asked);
    let body = html! {
        dl class="facts" {
            dt { "Window" }
            dd {
                "Events that happened from " (date_time(asked.since))
                " on, up to but not including " (date_time(asked.until))
            }
            dt { "Made" }
            dd { "Begun " (date_time(manifest.started)) ", ended " (date_time(manifest.finished)) }
            dt { "By" }
            dd class="d" { (text(&describe_author(manifest))) }
            dt { "With" }
            dd class="d" {
                (text(&made_by.program)) " " (text(&made_by.version))
                " (" (text(&made_by.build)) ")"
            }
            dt { "Command" }
            dd {
                code class="d" {
                    (text(&made_by.program))
                    @for argument in &made_by.command { (text(&shell_argument(argument))) }
                }
            }
            dt { "Time zone" }
            dd class="d" {
                @let zone = made_by.time_zone.as_deref().unwrap_or("not known");
                (text(&format!("The machine's is {zone}. Every time in this export is UTC.")))
            }
            dt { "Clock" }
            dd { (text(&describe_clock(manifest.clock.as_ref()))) }
            dt { "Bodies" }
            dd {
                @match asked.keep_bodies {
                    true => "The servers' answers are kept as they were received, under bodies/.",
                    false => {
                        "The servers' answers are not kept, only their hashes; each event holds \
                         its record as it was served."
                    }
                }
            }
        }
        (source_table(manifest))
        (runs(&manifest.runs))
    };
    ReportSection {
        id: "asked",
        link: "What was asked",
        title: "What was asked",
        body,
    }
}

fn describe_author(manifest: &Manifest) -> String {
    let made_by = &manifest.made_by;
    match (&made_by.user, &made_by.host) {
        (Some(user), Some(host)) => format!("The account {user} on the machine {host}"),
        (Some(user), None) => format!("The account {user}; the machine's name is not known"),
        (None, Some(host)) => format!("An account whose name is not known, on the machine {host}"),
        (None, None) => "Neither the account nor the machine is known".to_owned(),
    }
}

fn describe_clock(clock: Option<&ClockComparison>) -> String {
    let Some(clock) = clock else {
        return "No answer told the time, so the machine's clock could not be compared with a \
                server's."
            .to_owned();
    };
    let skew_ms = clock.skew_ms.unsigned_abs();
    if skew_ms <= CLOCK_TOLERANCE_MS {
        return format!(
            "The machine's clock agreed with the server's, which tells whole seconds ({:+.1} s).",
            clock.skew_ms as f64 / 1_000.0
        );
    }
    let direction = if clock.skew_ms > 0 {
        "ahead of"
    } else {
        "behind"
    };
    format!(
        "The machine's clock was {} {direction} the server's: {} here, {} there. Times of events \
         are the servers'; times of runs and answers are the machine's.",
        duration(i64::try_from(skew_ms).unwrap_or(i64::MAX)),
        date_time(clock.at),
        date_time(clock.server)
    )
}

/// A space and the argument as it can be typed: in quotes where a shell would take it apart.
fn shell_argument(argument: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    match !argument.is_empty() && argument.chars().all(is_plain) {
        true => format!(" {argument}"),
        false => format!(" '{}'", argument.replace('\'', "'\\''")),
    }
}

fn source_table(manifest: &Manifest) -> Markup {
    let optional = |value: Option<&String>| or_dash(value.map(|value| text(value)));
    const COLUMNS: [&str; 6] = [
        "Source",
        "Type",
        "Organization or site",
        "Base URL",
        "Credential from",
        "Read",
    ];
    let row = |SourceEntry { facts, .. }: &SourceEntry| {
        html! {
            tr {
                td class="d" { b { (text(&facts.name)) } }
                td class="d" { (text(&facts.kind)) }
                td class="d" { (optional(facts.org_id.as_ref().or(facts.site.as_ref()))) }
                td class="d" { (text(&facts.base_url)) }
                td class="d" { (text(&facts.credential)) }
                td { @if !facts.complete { "not " } "to its end" }
            }
        }
    };
    html! {
        (table("plain sources", &COLUMNS, manifest.sources.iter().take(MAX_SOURCES).map(row)))
        (omitted(manifest.sources.len(), MAX_SOURCES))
    }
}

/// Listed only where there is something to say: more than one run, or one that did not end well.
fn runs(runs: &[RunEntry]) -> Markup {
    if let [run] = runs
        && run.ended == "finished"
    {
        return Markup::default();
    }
    const COLUMNS: [&str; 3] = ["Begun (UTC)", "Ended (UTC)", "How it ended"];
    let row = |run: &RunEntry| {
        html! {
            tr {
                td class="t" { (time(run.started)) }
                td class="t" { (or_dash(run.finished.map(time))) }
                td class="d" { (text(&run.ended)) }
            }
        }
    };
    html! {
        h3 { "Runs" }
        p {
            "The program was started " (counted_noun(runs.len() as u64, "time", "times"))
            " for this export; each start went on where the one before had ended."
        }
        (table("plain", &COLUMNS, runs.iter().take(MAX_RUNS).map(row)))
        (omitted(runs.len(), MAX_RUNS))
    }
}

/// What became of what each source served, and what it took to read it.
fn flow(manifest: &Manifest) -> ReportSection {
    let body = html! {
        p {
            "Every record that was served is either written or accounted for. Spans are read with \
             a margin, and some of them twice, so that nothing is missed; what comes twice is \
             written once."
        }
        @for source in manifest.sources.iter().take(MAX_SOURCES) { (source_flow(source)) }
        (omitted(manifest.sources.len(), MAX_SOURCES))
    };
    ReportSection {
        id: "flow",
        link: "Answers",
        title: "From answers to events",
        body,
    }
}

fn source_flow(source: &SourceEntry) -> Markup {
    let counts = &source.counts;
    let dropped = [
        (counts.repeats, "repeats"),
        (counts.outside, "outside the time range"),
        (counts.read_again, "read again"),
    ];
    html! {
        div class="source" {
            h3 class="d" {
                (text(&source.facts.name)) " " small class="note" { (text(&source.facts.kind)) }
            }
            div class="flow" {
                div class="box" { b { (group_digits(counts.served)) } "served" }
                div class="less" {
                    @for (count, what) in dropped {
                        div class=[(count == 0).then_some("zero")] {
                            b { "−" (group_digits(count)) } " " (what)
                        }
                    }
                }
                div class="box end" { b { (group_digits(counts.written)) } "written" }
                div class="also" {
                    @match counts.unparsed {
                        0 => "all parsed",
                        count => { (group_digits(count)) " not understood: kept as raw text" }
                    }
                }
            }
            @if !adds_up(counts) { p class="warning" { "These numbers do not add up." } }
            p class="fine" { (describe_requests(source)) }
            (retries(&source.retries))
        }
    }
}

fn adds_up(counts: &ExportCounts) -> bool {
    let parts = [
        counts.written,
        counts.repeats,
        counts.outside,
        counts.read_again,
    ];
    let sum = parts.into_iter().try_fold(0_u64, u64::checked_add);
    sum == Some(counts.served)
}

fn describe_requests(source: &SourceEntry) -> String {
    let counts = &source.counts;
    let mut text = format!(
        "{}, {} of records.",
        counted_noun(counts.responses, "request", "requests"),
        counted_noun(counts.pages, "page", "pages")
    );
    let failed = source.retries.len() as u64;
    if failed > 0 {
        text.push_str(&format!(
            " {} failed.",
            counted_noun(failed, "attempt", "attempts")
        ));
    }
    if source.waited_ms > 0 {
        let waited = duration(i64::try_from(source.waited_ms).unwrap_or(i64::MAX));
        text.push_str(&format!(" Waited on the server's behalf: {waited}."));
    }
    if let (Some(first), Some(last)) = (source.first, source.last) {
        let [first, last] = [first, last].map(|time| minute(time.timestamp_millis()));
        text.push_str(&format!(" Events from {first} to {last} UTC."));
    }
    text
}

fn retries(retries: &[RetryEntry]) -> Markup {
    if retries.is_empty() {
        return Markup::default();
    }
    let seconds = |ms: u64| format!("{:.1} s", ms as f64 / 1_000.0);
    const COLUMNS: [&str; 5] = [
        "When (UTC)",
        "#Line in pages",
        "#Status",
        "What failed",
        "#Waited then",
    ];
    let row = |retry: &RetryEntry| {
        html! {
            tr {
                td class="t" { (time(retry.at)) }
                td class="n" { (group_digits(retry.line)) }
                td class="n" { (or_dash(retry.status)) }
                td class="d" { (TruncatedText::sentence(&retry.error)) }
                td class="n" { (or_dash(retry.waited_ms.map(seconds))) }
            }
        }
    };
    html! {
        (table("plain", &COLUMNS, retries.iter().take(MAX_RETRIES).map(row)))
        (omitted(retries.len(), MAX_RETRIES))
    }
}

/// The hashes, and how a person checks them.
fn proof(manifest: &Manifest) -> ReportSection {
    let body = html! {
        (PreEscaped(include_str!("how_to_check.html")))
        (file_table(manifest))
        (chain_table(manifest))
    };
    let title = "The files and how to check them";
    ReportSection {
        id: "check",
        link: "Files and hashes",
        title,
        body,
    }
}

fn file_table(manifest: &Manifest) -> Markup {
    let files = manifest.files.iter();
    let (bodies, others): (Vec<_>, Vec<_>) =
        files.partition(|file| file.file.starts_with("bodies/"));
    let rows = others.iter().take(MAX_FILES);
    let rows = rows.map(|file| hash_row(&file.file, file.bytes, &file.sha256));
    let body_bytes = bodies
        .iter()
        .fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
    html! {
        h3 { "Files" }
        (table("plain hashes", &["File", "#Bytes", "SHA-256"], rows))
        (omitted(others.len(), MAX_FILES))
        @if !bodies.is_empty() {
            p class="rest" {
                "And " (counted_noun(bodies.len() as u64, "body", "bodies")) " of answers under "
                code { "bodies/" } ", " (size(body_bytes)) " in all, by hash in "
                code { "manifest.json" } "."
            }
        }
        p class="rest" {
            "The hashes of " code { "manifest.json" } ", " code { "README.txt" }
            " and this page are in " code { "SHA256SUMS" } ": none of them can hold its own."
        }
    }
}

fn chain_table(manifest: &Manifest) -> Markup {
    let sources = manifest.sources.iter().take(MAX_SOURCES);
    let entries = sources.flat_map(|source| [&source.events, &source.pages]);
    let rows = entries.map(|entry| hash_row(&entry.file, entry.lines, &entry.chain));
    html! {
        h3 { "Chains" }
        p {
            "The hash at the end of a chain covers each line of its file and their order. For \
             events the time of receipt is left out, so that two exports of the same window of \
             the same data end in the same hash."
        }
        (table("plain hashes", &["Chain of", "#Lines", "Ends in"], rows))
        (omitted(manifest.sources.len(), MAX_SOURCES))
    }
}

fn hash_row(file: &str, number: u64, hash: &str) -> Markup {
    html! {
        tr {
            td class="d" { (text(file)) }
            td class="n" { (group_digits(number)) }
            td { code class="hash" { (text(hash)) } }
        }
    }
}

#[cfg(test)]
#[path = "export_report_tests.rs"]
mod tests;
