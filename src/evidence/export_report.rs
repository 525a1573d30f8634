//! Makes `report.html` of an export: counts its events, says whether it is complete, and adds the
//! sections about its request, its responses and its files.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::mem;
use std::path::Path;

use maud::{Markup, PreEscaped, Render, html};

use super::folder::ALERTS;
use super::manifest::{
    ClockComparison, FileEntry, GapEntry, Manifest, RetryEntry, RunEntry, SourceEntry,
};
use super::packed_lines::{PackedLines, open_regular_file};
use crate::model::name::SourceKind;
use crate::model::source_kind::SourceAddress;
use crate::model::text::group_digits;
use crate::report::{
    DetectionNotes, EventStatistics, ReportAlerts, ReportInput, ReportSection, ReportSource,
    SourceSpan, TableColumn, TruncatedText, VerdictTone, counted_noun, date_time, duration,
    duration_between, events, html_page, minute, or_dash, size, table, text, time, verdict_section,
};

/// The longest alert that is read: it names a hundred events at most, and nothing in it is long.
const MAX_ALERT: u64 = 4 * 1024 * 1024;
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
/// Gaps that are listed.
const MAX_GAPS: usize = 100;

/// The page of the export in `dir`, which `manifest` is of.
///
/// # Errors
/// A file of events, or that of the alerts, cannot be read to its end.
pub fn html(dir: &Path, manifest: &Manifest) -> io::Result<String> {
    let asked = &manifest.asked;
    let shown_since = manifest.available_since();
    let mut statistics = EventStatistics::new(shown_since, asked.until);
    for (index, source) in manifest.sources.iter().enumerate() {
        let name = source.facts.name.as_str();
        let kind: Option<SourceKind> = source.facts.kind.parse().ok();
        let has_own_users = kind.is_some_and(|kind| kind.address() == SourceAddress::Server);
        let label = (manifest.sources.len() > 1).then_some(name);
        let of = ReportSource { index, label, realm: has_own_users.then_some(name) };
        // Without a hash there is no file, for nothing was ever read.
        if !source.events.sha256.is_empty() {
            let mut lines = PackedLines::open(&dir.join(&source.events.file), u64::MAX)?;
            let mut number = 0;
            while let Some(line) = lines.next().map_err(io::Error::other)? {
                number += 1;
                statistics.add_line(line, of, number);
            }
        }
    }
    let alerts = manifest.detection.map(|notes| alerts(dir, notes)).transpose()?;
    let made_by = &manifest.made_by;
    let input = ReportInput {
        kind: "Audit log export",
        heading: asked.sources.iter().map(String::as_str).collect(),
        since: asked.since,
        until: asked.until,
        shown_since,
        source_count: manifest.sources.len(),
        unread: gaps(manifest)
            .map(|(source, gap)| SourceSpan { source, from: gap.from, to: gap.to })
            .collect(),
        removed: removed(manifest).collect(),
        verdict: html! {
            (verdict(manifest, statistics.events))
            @if manifest.complete != is_complete(manifest) {
                p class="warning" {
                    "The manifest contradicts itself: it calls the export complete, and a part of \
                     it says that it is not."
                }
            }
        },
        alerts,
        all_events: Some(html! { "are in the files under " code { "events/" } "." }),
        sections: vec![arguments(manifest), flow(manifest), proof(manifest)],
        footer: html! {
            "Made by " (text(&made_by.program)) " " (text(&made_by.version))
            " from the files of this export. Every time on this page is UTC."
        },
    };
    Ok(html_page(input, statistics))
}

/// The alerts of the export in `dir`, whatever their file holds.
fn alerts(dir: &Path, notes: DetectionNotes) -> io::Result<ReportAlerts> {
    let mut alerts = ReportAlerts::new();
    alerts.notes = notes;
    let mut input = BufReader::new(open_regular_file(&dir.join(ALERTS))?);
    let mut line = Vec::new();
    // What is longer is read in parts, none of which is an alert.
    while (&mut input).take(MAX_ALERT).read_until(b'\n', &mut line)? > 0 {
        alerts.add_line(mem::take(&mut line).into());
    }
    Ok(alerts)
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
        Some(SourceSpan { source: &source.facts.name, from: manifest.asked.since, to })
    })
}

/// Whether all was read: the manifest may have been changed, so each of its parts must agree.
fn is_complete(manifest: &Manifest) -> bool {
    let is_read = |source: &SourceEntry| {
        let facts = &source.facts;
        let mut windows = facts.windows.iter();
        facts.complete && facts.gaps.is_empty() && windows.all(|window| window.complete)
    };
    let is_all_read = manifest.sources.iter().all(is_read);
    manifest.complete && is_all_read && manifest.undescribed_sources().next().is_none()
}

/// Whether the export is complete, in words that need no other page.
fn verdict(manifest: &Manifest, event_count: u64) -> Markup {
    let is_complete = is_complete(manifest);
    let (tone, title, body) = match (is_complete, manifest.is_limited()) {
        (true, false) => {
            let body = complete(manifest, event_count, "For the whole window, everything");
            (VerdictTone::Good, "This export is complete", body)
        }
        (true, true) => {
            let body = complete(manifest, event_count, "Everything");
            (VerdictTone::Neutral, "This export is complete within what its sources keep", body)
        }
        (false, _) => {
            (VerdictTone::Bad, "This export is incomplete", incomplete(manifest, event_count))
        }
    };
    verdict_section(tone, title, &body)
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
                "No event was served at all. That can be true; it can also mean that the \
                 organization, the site or the time range is wrong."
            }
        }
        p class="fine" {
            "\"Complete\" means: everything that the servers returned at the time of the export. \
             What they never logged, or had already removed, is in no export. To check that the \
             files are unchanged, see " a href="#check" { "how to check them" } "."
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
    let short = short + manifest.undescribed_sources().count();
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
    let columns =
        [("Source", "d"), ("From (UTC)", "t"), ("To (UTC)", "t"), ("Length", ""), ("Why", "d")];
    let row = |(name, gap): (&str, &GapEntry)| {
        let length = duration_between(gap.from, gap.to).render();
        [text(name), time(gap.from), time(gap.to), length, text(&gap.why)]
    };
    html! {
        @if count > 0 {
            (table("plain gaps", columns, gaps(manifest).take(MAX_GAPS).map(row)))
        }
        (omitted(count, MAX_GAPS))
        @for source in unexplained.take(MAX_SOURCES) {
            p class="d" {
                b { (text(&source.facts.name)) } " was not read to its end: "
                (text(source.facts.error.as_deref().unwrap_or(unknown))) "."
            }
        }
        @for name in manifest.undescribed_sources().take(MAX_SOURCES) {
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

/// The request, and the user, time and program that made it.
fn arguments(manifest: &Manifest) -> ReportSection {
    let (made_by, asked) = (&manifest.made_by, &manifest.asked);
    let zone = made_by.time_zone.as_deref().unwrap_or("not known");
    let bodies = match asked.keep_bodies {
        true => "The servers' responses are stored as they were received, under bodies/.",
        false => {
            "The servers' responses are not stored, only their hashes; each event holds its record \
             as it was served."
        }
    };
    let window = html! {
        "Events that happened from " (date_time(asked.since)) " on, up to but not including "
        (date_time(asked.until))
    };
    let made = html! {
        "Begun " (date_time(manifest.started)) ", ended " (date_time(manifest.finished))
    };
    let program = html! {
        (text(&made_by.program)) " " (text(&made_by.version)) " (" (text(&made_by.build)) ")"
    };
    let command = html! {
        code class="d" {
            (text(&made_by.program))
            @for argument in &made_by.command { (text(&shell_argument(argument))) }
        }
    };
    let zone = text(&format!("The machine's is {zone}. Every time in this export is UTC."));
    let facts = [
        ("Window", None, window),
        ("Made", None, made),
        ("By", Some("d"), text(&describe_author(manifest))),
        ("With", Some("d"), program),
        ("Command", None, command),
        ("Time zone", Some("d"), zone),
        ("Clock", None, text(&describe_clock(manifest.clock.as_ref()))),
        ("Bodies", None, bodies.render()),
    ];
    let body = html! {
        dl class="facts" {
            @for (term, class, what) in facts { dt { (term) } dd class=[class] { (what) } }
        }
        (source_table(manifest))
        (runs(&manifest.runs))
    };
    ReportSection { id: "asked", link: "What was requested", title: "What was requested", body }
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
        return "No response had a time, so the machine's clock could not be compared with a \
                server's."
            .to_owned();
    };
    let skew_ms = clock.skew_ms.unsigned_abs();
    if skew_ms <= CLOCK_TOLERANCE_MS {
        return format!(
            "The machine's clock agreed with the server's, which has whole seconds ({:+.1} s).",
            clock.skew_ms as f64 / 1_000.0
        );
    }
    let direction = if clock.skew_ms > 0 { "ahead of" } else { "behind" };
    format!(
        "The machine's clock was {} {direction} the server's: {} here, {} there. Times of events \
         are the servers'; times of runs and responses are the machine's.",
        duration(skew_ms),
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
    let columns = [
        ("Source", "d"),
        ("Type", "d"),
        ("Organization or site", "d"),
        ("Base URL", "d"),
        ("Credential from", "d"),
        ("Read", ""),
    ];
    let row = |SourceEntry { facts, .. }: &SourceEntry| {
        let owner = facts.org_id.as_deref().or(facts.site.as_deref());
        [
            html! { b { (text(&facts.name)) } },
            text(&facts.kind),
            or_dash(owner.map(text)),
            text(&facts.base_url),
            text(&facts.credential),
            html! { @if !facts.complete { "not " } "to its end" },
        ]
    };
    listed("plain sources", columns, &manifest.sources, MAX_SOURCES, row)
}

/// A table of the first `limit` of `items`, and how many more there are.
fn listed<T, const N: usize>(
    class: &str,
    columns: [TableColumn; N],
    items: &[T],
    limit: usize,
    row: impl Fn(&T) -> [Markup; N],
) -> Markup {
    html! {
        (table(class, columns, items.iter().take(limit).map(row)))
        (omitted(items.len(), limit))
    }
}

/// Listed only where there is something to say: more than one run, or one that did not end well.
fn runs(runs: &[RunEntry]) -> Markup {
    if let [run] = runs
        && run.ended == "finished"
    {
        return Markup::default();
    }
    let columns = [("Begun (UTC)", "t"), ("Ended (UTC)", "t"), ("How it ended", "d")];
    let row =
        |run: &RunEntry| [time(run.started), or_dash(run.finished.map(time)), text(&run.ended)];
    html! {
        h3 { "Runs" }
        p {
            "The program was started " (counted_noun(runs.len() as u64, "time", "times"))
            " for this export; each start went on where the one before had ended."
        }
        (listed("plain", columns, runs, MAX_RUNS, row))
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
    ReportSection { id: "flow", link: "Responses", title: "From responses to events", body }
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
            @if counts.accounted() != Some(counts.served) {
                p class="warning" { "These numbers do not add up." }
            }
            p class="fine" { (describe_requests(source)) }
            (retries(&source.retries))
        }
    }
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
        text.push_str(&format!(" {} failed.", counted_noun(failed, "attempt", "attempts")));
    }
    if source.waited_ms > 0 {
        let waited = duration(source.waited_ms);
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
    let columns = [
        ("When (UTC)", "t"),
        ("Line in pages", "n"),
        ("Status", "n"),
        ("What failed", "d"),
        ("Waited then", "n"),
    ];
    let row = |retry: &RetryEntry| {
        [
            time(retry.at),
            group_digits(retry.line).render(),
            or_dash(retry.status),
            TruncatedText::sentence(retry.error.as_str()).render(),
            or_dash(retry.waited_ms.map(seconds)),
        ]
    };
    listed("plain", columns, retries, MAX_RETRIES, row)
}

/// The hashes, and how a person checks them.
fn proof(manifest: &Manifest) -> ReportSection {
    let body = html! {
        (PreEscaped(include_str!("how_to_check.html")))
        (file_table(manifest))
        (chain_table(manifest))
    };
    let title = "The files and how to check them";
    ReportSection { id: "check", link: "Files and hashes", title, body }
}

fn file_table(manifest: &Manifest) -> Markup {
    let files = manifest.files.iter();
    let (bodies, others): (Vec<_>, Vec<_>) =
        files.partition(|file| file.file.starts_with("bodies/"));
    let columns = [("File", "d"), ("Bytes", "n"), ("SHA-256", "")];
    let row = |file: &&FileEntry| hash_row(&file.file, file.bytes, &file.sha256);
    let body_bytes = bodies.iter().fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
    html! {
        h3 { "Files" }
        (listed("plain hashes", columns, &others, MAX_FILES, row))
        @if !bodies.is_empty() {
            p class="rest" {
                "And " (counted_noun(bodies.len() as u64, "body", "bodies")) " of responses under "
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
    let columns = [("Chain of", "d"), ("Lines", "n"), ("Ends in", "")];
    html! {
        h3 { "Chains" }
        p {
            "The hash at the end of a chain covers each line of its file and their order. For \
             events the time of receipt is left out, so that two exports of the same window of \
             the same data end in the same hash."
        }
        (table("plain hashes", columns, rows))
        (omitted(manifest.sources.len(), MAX_SOURCES))
    }
}

fn hash_row(file: &str, number: u64, hash: &str) -> [Markup; 3] {
    let hash = html! { code class="hash" { (text(hash)) } };
    [text(file), group_digits(number).render(), hash]
}

#[cfg(test)]
#[path = "export_report_tests.rs"]
mod tests;
