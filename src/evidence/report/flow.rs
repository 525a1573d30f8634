//! Owns what became of what each source served, and what it took to read it.

use std::io;

use super::html::HtmlPage;
use super::report_texts;
use crate::evidence::manifest::{ExportCounts, Manifest, RetryEntry, SourceEntry};
use crate::model::number::group_digits;

/// Attempts that are listed of one source.
const MAX_RETRIES: usize = 20;

/// The section.
pub fn write(page: &mut HtmlPage<'_>, manifest: &Manifest) -> io::Result<()> {
    page.raw(
        "<section id=flow><h2>From answers to events</h2><p>Every record that was served is either written or accounted for. \
         Spans are read with a margin, and some of them twice, so that nothing is missed; what comes twice is written once.</p>",
    )?;
    for source in &manifest.sources {
        write_source(page, source)?;
    }
    page.raw("</section>")
}

fn write_source(page: &mut HtmlPage<'_>, source: &SourceEntry) -> io::Result<()> {
    let counts = &source.counts;
    page.put(
        "<div class=source><h3 class=d>{} <small class=note>{}</small></h3><div class=flow>\
         <div class=box><b>{}</b>served</div><div class=less>",
        &[&source.facts.name, &source.facts.kind, &counts.served],
    )?;
    for (count, what) in [
        (counts.repeats, "repeats"),
        (counts.outside, "outside the time range"),
        (counts.read_again, "read again"),
    ] {
        let template = match count {
            0 => "<div class=zero><b>−{}</b> {}</div>",
            _ => "<div><b>−{}</b> {}</div>",
        };
        page.put(template, &[&count, &what])?;
    }
    page.put(
        "</div><div class=\"box end\"><b>{}</b>written</div>",
        &[&counts.written],
    )?;
    let unparsed = match counts.unparsed {
        0 => "all parsed".to_owned(),
        count => format!("{} not understood: kept as raw text", group_digits(count)),
    };
    page.put("<div class=also>{}</div></div>", &[&unparsed])?;
    if !adds_up(counts) {
        page.raw("<p class=warning>These numbers do not add up.</p>")?;
    }
    page.put("<p class=fine>{}</p>", &[&describe_requests(source)])?;
    retries(page, &source.retries)?;
    page.raw("</div>")
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
        report_texts::counted_noun(counts.responses, "request", "requests"),
        report_texts::counted_noun(counts.pages, "page", "pages")
    );
    let failed = source.retries.len() as u64;
    if failed > 0 {
        text.push_str(&format!(
            " {} failed.",
            report_texts::counted_noun(failed, "attempt", "attempts")
        ));
    }
    if source.waited_ms > 0 {
        let waited = i64::try_from(source.waited_ms).unwrap_or(i64::MAX);
        text.push_str(&format!(
            " Waited on the server's behalf: {}.",
            report_texts::duration(waited)
        ));
    }
    if let (Some(first), Some(last)) = (source.first, source.last) {
        let [first, last] = [first, last].map(|time| report_texts::minute(time.timestamp_millis()));
        text.push_str(&format!(" Events from {first} to {last} UTC."));
    }
    text
}

fn retries(page: &mut HtmlPage<'_>, retries: &[RetryEntry]) -> io::Result<()> {
    if retries.is_empty() {
        return Ok(());
    }
    page.raw(
        "<table class=plain><thead><tr><th>When (UTC)<th class=n>Line in pages<th class=n>Status<th>What failed\
         <th class=n>Waited then</thead><tbody>",
    )?;
    for retry in retries.iter().take(MAX_RETRIES) {
        let status = retry.status.map(|status| status.to_string());
        let waited = retry
            .waited_ms
            .map(|waited| format!("{:.1} s", waited as f64 / 1_000.0));
        page.put(
            "<tr><td class=t>{}<td class=n>{}<td class=n>{}<td class=d>{}<td class=n>{}",
            &[
                &retry.at,
                &retry.line,
                &status,
                &super::truncated_text::TruncatedText::sentence(&retry.error),
                &waited,
            ],
        )?;
    }
    page.raw("</tbody></table>")?;
    let more = retries.len().saturating_sub(MAX_RETRIES) as u64;
    if more > 0 {
        page.put(
            "<p class=rest>{} more in <code>manifest.json</code>.</p>",
            &[&more],
        )?;
    }
    Ok(())
}
