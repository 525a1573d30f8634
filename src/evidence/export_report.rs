//! Makes `report.html` of an export: counts its events, and says whether it is complete.

use std::io::ErrorKind;
use std::path::{Component, Path};

use maud::{Markup, html};

use super::manifest::{GapEntry, Manifest, SourceEntry};
use super::packed_lines::PackedLines;
use super::report_sections::{MAX_SOURCES, arguments, flow, omitted, proof};
use crate::model::name::SourceKind;
use crate::model::source_kind::SourceAddress;
use crate::model::text::group_digits;
use crate::report::{
    EventStatistics, ReportInput, SourceSpan, counted_noun, duration_between, events, html_page,
    table, text, time,
};

/// Gaps that are listed.
const MAX_GAPS: usize = 100;

/// The page of the export in `dir`, which `manifest` is of. What is wrong with the events is no
/// error: the page says it.
pub fn html(dir: &Path, manifest: &Manifest) -> String {
    let asked = &manifest.asked;
    let shown_since = manifest.available_since();
    let mut statistics = EventStatistics::new(shown_since, asked.until);
    let sources = manifest.sources.iter().enumerate();
    let reads: Vec<_> =
        sources.map(|(at, source)| read_events(dir, at, source, &mut statistics)).collect();
    let made_by = &manifest.made_by;
    let input = ReportInput {
        kind: "Audit log export",
        heading: asked.sources.iter().map(String::as_str).collect(),
        since: asked.since,
        until: asked.until,
        shown_since,
        source_names: manifest.sources.iter().map(|source| source.facts.name.as_str()).collect(),
        unread: gaps(manifest)
            .map(|(source, gap)| SourceSpan { source, from: gap.from, to: gap.to })
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
    let kind: Option<SourceKind> = source.facts.kind.parse().ok();
    let has_own_users = kind.is_some_and(|kind| kind.address() == SourceAddress::Server);
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
    if !file.components().all(|part| matches!(part, Component::Normal(_))) {
        read.problem = Some(UNREADABLE);
        return read;
    }
    let mut lines = match PackedLines::open(&dir.join(file), u64::MAX) {
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
        Some(SourceSpan { source: &source.facts.name, from: manifest.asked.since, to })
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

#[cfg(test)]
#[path = "export_report_tests.rs"]
mod tests;
