//! Owns the head of the page: whether the export is complete, in words that need no other page.

use std::io;

use super::html::HtmlPage;
use super::event_lines::EventFileProblem;
use super::statistics::EventStatistics;
use super::report_texts;
use crate::evidence::facts::GapEntry;
use crate::evidence::manifest::{Manifest, SourceEntry};
use crate::model::number::group_digits;

/// Gaps that are listed.
const MAX_GAPS: usize = 100;

/// Whether all was read: the manifest may have been changed by somebody, so each of its parts must agree.
fn is_complete(manifest: &Manifest) -> bool {
    let is_read = |source: &SourceEntry| {
        let facts = &source.facts;
        facts.complete
            && facts.gaps.is_empty()
            && facts.windows.iter().all(|window| window.complete)
    };
    manifest.complete && manifest.sources.iter().all(is_read) && undescribed_sources(manifest).is_empty()
}

/// Sources that were asked for and of which nothing is known.
fn undescribed_sources(manifest: &Manifest) -> Vec<&str> {
    let is_known = |name: &str| {
        manifest
            .sources
            .iter()
            .any(|source| source.facts.name == name)
    };
    let asked = manifest.asked.sources.iter().map(String::as_str);
    asked.filter(|name| !is_known(name)).collect()
}

/// The title and the verdict.
pub fn write(page: &mut HtmlPage<'_>, manifest: &Manifest, statistics: &EventStatistics) -> io::Result<()> {
    let asked = &manifest.asked;
    let names = asked.sources.iter().map(String::as_str).collect::<Vec<_>>();
    page.put(
        "<header><p class=eyebrow>Atlassian audit log export</p><h1>{}</h1>\
         <p class=window>{} <span class=to>to</span> {} <span class=span>{}</span></p></header>",
        &[
            &report_texts::list(&names),
            &report_texts::date_time(asked.since),
            &report_texts::date_time(asked.until),
            &report_texts::duration_between(asked.since, asked.until),
        ],
    )?;
    match is_complete(manifest) {
        true => complete(page, manifest, statistics)?,
        false => incomplete(page, manifest, statistics)?,
    }
    warnings(page, manifest, statistics)
}

/// The figures that people look for first.
pub fn figures(page: &mut HtmlPage<'_>, statistics: &EventStatistics) -> io::Result<()> {
    let changes = statistics.changes.offered();
    let failures = statistics.failures.offered();
    page.put(
        "<dl class=figures><div><dt>Events</dt><dd>{}</dd></div><div><dt>Failures</dt><dd><a href=\"#failures\">{}</a></dd></div>\
         <div><dt>Administrative changes</dt><dd><a href=\"#changes\">{}</a></dd></div>",
        &[&statistics.events, &failures, &changes],
    )?;
    let (first, last) = statistics.span.unzip();
    page.put(
        "<div class=when><dt>First event (UTC)</dt><dd>{}</dd></div><div class=when><dt>Last event (UTC)</dt><dd>{}</dd></div></dl>",
        &[&first, &last],
    )
}

fn complete(page: &mut HtmlPage<'_>, manifest: &Manifest, statistics: &EventStatistics) -> io::Result<()> {
    let count = manifest.sources.len() as u64;
    let (whole, title, class) = match manifest.is_limited() {
        false => (
            "For the whole window, everything",
            "This export is complete",
            "good",
        ),
        true => (
            "Everything",
            "This export is complete within what its sources keep",
            "part",
        ),
    };
    let text = format!(
        "{whole} that {} served was read to its end and written: {}.",
        report_texts::counted_noun(count, "source", "sources"),
        report_texts::events(statistics.events)
    );
    page.put(
        "<section class=\"verdict {}\"><svg class=sign viewBox=\"0 0 24 24\" width=28 height=28 aria-hidden=true><circle cx=12 cy=12 r=11></circle>\
         <path d=\"M7 12.5l3.4 3.4L17 9\"></path></svg><div><h2>{}</h2><p>{}</p>",
        &[&class, &title, &text],
    )?;
    retention(page, manifest)?;
    if statistics.events == 0 {
        page.raw(
            "<p>No event was served at all. That can be true; it can also mean that another organization, site or window \
             was meant.</p>",
        )?;
    }
    limits(page)
}

/// What of the window the sources no longer kept.
fn retention(page: &mut HtmlPage<'_>, manifest: &Manifest) -> io::Result<()> {
    for source in &manifest.sources {
        if let Some(text) = source.retention_text(manifest.asked.since) {
            page.put(
                "<p class=d><b>{}</b>: {}.</p>",
                &[&source.facts.name, &text],
            )?;
        }
    }
    Ok(())
}

fn limits(page: &mut HtmlPage<'_>) -> io::Result<()> {
    page.raw(
        "<p class=fine>Complete speaks of what the servers had to show at the time of the export. What they never logged, \
         or had already removed, is in no export. Whether the files are still as they were written is another question: \
         <a href=\"#check\">how to check them</a>.</p></div></section>",
    )
}

fn incomplete(page: &mut HtmlPage<'_>, manifest: &Manifest, statistics: &EventStatistics) -> io::Result<()> {
    let is_short = |source: &&SourceEntry| !source.facts.complete || !source.facts.gaps.is_empty();
    let short =
        manifest.sources.iter().filter(is_short).count() as u64 + undescribed_sources(manifest).len() as u64;
    let text = format!(
        "{} of {} could not be read to the end. What was read is here, {} in all; what is listed below is missing.",
        group_digits(short),
        report_texts::counted_noun(manifest.asked.sources.len() as u64, "source", "sources"),
        report_texts::events(statistics.events)
    );
    page.put(
        "<section class=\"verdict bad\"><svg class=sign viewBox=\"0 0 24 24\" width=28 height=28 aria-hidden=true><circle cx=12 cy=12 r=11></circle>\
         <path d=\"M12 6v8M12 17.2v.6\"></path></svg><div><h2>This export is incomplete</h2><p>{}</p>",
        &[&text],
    )?;
    gaps(page, manifest)?;
    retention(page, manifest)?;
    page.raw(
        "<p class=fine>The same command, run again, goes on where this one ended. Whether the files are still as they were \
         written is another question: <a href=\"#check\">how to check them</a>.</p></div></section>",
    )
}

fn gaps(page: &mut HtmlPage<'_>, manifest: &Manifest) -> io::Result<()> {
    let of_source = |source: &'_ SourceEntry| source.facts.gaps.len();
    let count = manifest.sources.iter().map(of_source).sum::<usize>();
    if count > 0 {
        page.raw(
            "<table class=\"plain gaps\"><thead><tr><th>Source<th>From (UTC)<th>To (UTC)<th>Length<th>Why\
             </thead><tbody>",
        )?;
        let all = manifest.sources.iter().flat_map(|source| {
            source
                .facts
                .gaps
                .iter()
                .map(move |gap| (source.facts.name.as_str(), gap))
        });
        for (name, gap) in all.take(MAX_GAPS) {
            write_gap(page, name, gap)?;
        }
        page.raw("</tbody></table>")?;
    }
    if count > MAX_GAPS {
        let more = (count - MAX_GAPS) as u64;
        page.put(
            "<p class=rest>{} more in <code>manifest.json</code>.</p>",
            &[&more],
        )?;
    }
    let is_unexplained =
        |source: &&SourceEntry| !source.facts.complete && source.facts.gaps.is_empty();
    for source in manifest.sources.iter().filter(is_unexplained) {
        let why = source
            .facts
            .error
            .as_deref()
            .unwrap_or("the manifest does not say why");
        page.put(
            "<p class=d><b>{}</b> was not read to its end: {}.</p>",
            &[&source.facts.name, &why],
        )?;
    }
    for name in undescribed_sources(manifest) {
        page.put(
            "<p class=d><b>{}</b> was asked for, and nothing is known of it.</p>",
            &[&name],
        )?;
    }
    Ok(())
}

fn write_gap(page: &mut HtmlPage<'_>, name: &str, gap: &GapEntry) -> io::Result<()> {
    page.put(
        "<tr><td class=d>{}<td class=t>{}<td class=t>{}<td>{}<td class=d>{}",
        &[
            &name,
            &gap.from,
            &gap.to,
            &report_texts::duration_between(gap.from, gap.to),
            &gap.why,
        ],
    )
}

/// What is wrong with the files that this page was made from.
fn warnings(page: &mut HtmlPage<'_>, manifest: &Manifest, statistics: &EventStatistics) -> io::Result<()> {
    if manifest.complete != is_complete(manifest) {
        page.raw(
            "<p class=warning>The manifest contradicts itself: it calls the export complete, and a part of it says that it \
             is not.</p>",
        )?;
    }
    for (source, read) in manifest.sources.iter().zip(&statistics.sources) {
        let file = &source.events.file;
        if let Some(trouble) = read.problem {
            let what = match trouble {
                EventFileProblem::Missing => "is missing",
                EventFileProblem::Unreadable => "cannot be read",
                EventFileProblem::Damaged => "is damaged and cannot be read to its end",
            };
            page.put(
                "<p class=warning><code>{}</code> {}. This page shows only what could be read.</p>",
                &[file, &what],
            )?;
        } else if read.lines != source.events.lines {
            page.put(
                "<p class=warning><code>{}</code> has {} lines, and the manifest says {}.</p>",
                &[file, &read.lines, &source.events.lines],
            )?;
        }
        if read.broken > 0 {
            let lines = report_texts::counted_noun(read.broken, "line", "lines");
            page.put(
                "<p class=warning><code>{}</code>: {} cannot be read as an event, and none of what this page counts is of \
                 them.</p>",
                &[file, &lines],
            )?;
        }
    }
    Ok(())
}
