//! The sections of `report.html` about an export: its request, its responses, its files.

use maud::{Markup, PreEscaped, html};

use super::manifest::{ClockComparison, Manifest, RetryEntry, RunEntry, SourceEntry};
use crate::model::text::group_digits;
use crate::report::{
    ReportSection, TruncatedText, counted_noun, date_time, duration, minute, or_dash, size, table,
    text, time,
};

/// Files that are listed.
const MAX_FILES: usize = 200;
/// Runs that are listed.
const MAX_RUNS: usize = 20;
/// Failed attempts that are listed of one source.
const MAX_RETRIES: usize = 20;
/// Sources that are described: a changed manifest may name any number.
pub const MAX_SOURCES: usize = 200;
/// How far a clock may be off and still agree with one of whole seconds.
const CLOCK_TOLERANCE_MS: u64 = 1_500;

/// How many of `count` are not listed.
pub fn omitted(count: usize, limit: usize) -> Markup {
    let more = count.saturating_sub(limit) as u64;
    html! {
        @if more > 0 {
            p class="rest" { (group_digits(more)) " more in " code { "manifest.json" } "." }
        }
    }
}

/// The request, and the user, time and program that made it.
pub fn arguments(manifest: &Manifest) -> ReportSection {
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
                    true => "The servers' responses are stored as they were received, under bodies/.",
                    false => {
                        "The servers' responses are not stored, only their hashes; each event holds \
                         its record as it was served."
                    }
                }
            }
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
        duration(i64::try_from(skew_ms).unwrap_or(i64::MAX)),
        date_time(clock.at),
        date_time(clock.server)
    )
}

/// A space and the argument as it can be typed: in quotes where a shell would take it apart.
pub fn shell_argument(argument: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    match !argument.is_empty() && argument.chars().all(is_plain) {
        true => format!(" {argument}"),
        false => format!(" '{}'", argument.replace('\'', "'\\''")),
    }
}

fn source_table(manifest: &Manifest) -> Markup {
    let optional = |value: Option<&String>| or_dash(value.map(|value| text(value)));
    const COLUMNS: [&str; 6] =
        ["Source", "Type", "Organization or site", "Base URL", "Credential from", "Read"];
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
pub fn flow(manifest: &Manifest) -> ReportSection {
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
            @if counts.accounted() != Some(counts.served) { p class="warning" { "These numbers do not add up." } }
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
    const COLUMNS: [&str; 5] =
        ["When (UTC)", "#Line in pages", "#Status", "What failed", "#Waited then"];
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
pub fn proof(manifest: &Manifest) -> ReportSection {
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
    let rows = others.iter().take(MAX_FILES);
    let rows = rows.map(|file| hash_row(&file.file, file.bytes, &file.sha256));
    let body_bytes = bodies.iter().fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
    html! {
        h3 { "Files" }
        (table("plain hashes", &["File", "#Bytes", "SHA-256"], rows))
        (omitted(others.len(), MAX_FILES))
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
