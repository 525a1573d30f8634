//! Owns what was asked, by whom, when, with what.

use std::io::{self, Write};

use super::html::{HtmlPage, HtmlDisplay};
use super::report_texts;
use crate::evidence::facts::RunEntry;
use crate::evidence::manifest::{ClockComparison, Manifest, SourceEntry};

/// Runs that are listed.
const MAX_RUNS: usize = 20;

/// The section.
pub fn write(page: &mut HtmlPage<'_>, manifest: &Manifest) -> io::Result<()> {
    let made_by = &manifest.made_by;
    let asked = &manifest.asked;
    page.raw("<section id=asked><h2>What was asked</h2><dl class=facts>")?;
    page.put(
        "<dt>Window</dt><dd>Events that happened from {} on, up to but not including {}</dd>",
        &[&report_texts::date_time(asked.since), &report_texts::date_time(asked.until)],
    )?;
    page.put(
        "<dt>Made</dt><dd>Begun {}, ended {}</dd><dt>By</dt><dd class=d>{}</dd><dt>With</dt><dd class=d>{} {} ({})</dd>",
        &[
            &report_texts::date_time(manifest.started),
            &report_texts::date_time(manifest.finished),
            &describe_author(manifest),
            &made_by.program,
            &made_by.version,
            &made_by.build,
        ],
    )?;
    page.put(
        "<dt>Command</dt><dd><code class=d>{}{}</code></dd>",
        &[&made_by.program, &ShellArguments(&made_by.command)],
    )?;
    page.put(
        "<dt>Time zone</dt><dd class=d>{}</dd>",
        &[&zone(made_by.time_zone.as_deref())],
    )?;
    page.put(
        "<dt>Clock</dt><dd>{}</dd>",
        &[&clock(manifest.clock.as_ref())],
    )?;
    page.put(
        "<dt>Bodies</dt><dd>{}</dd></dl>",
        &[&bodies(asked.keep_bodies)],
    )?;
    sources(page, manifest)?;
    runs(page, &manifest.runs)?;
    page.raw("</section>")
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

fn zone(zone: Option<&str>) -> String {
    let own = zone.map_or_else(|| "not known".to_owned(), str::to_owned);
    format!("The machine's is {own}. Every time in this export is UTC.")
}

fn bodies(are_kept: bool) -> &'static str {
    match are_kept {
        true => "The servers' answers are kept as they were received, under bodies/.",
        false => {
            "The servers' answers are not kept, only their hashes; each event holds its record as it was served."
        }
    }
}

/// How far a clock may be off and still agree with one of whole seconds.
const CLOCK_TOLERANCE_MS: u64 = 1_500;

fn clock(clock: Option<&ClockComparison>) -> String {
    let Some(clock) = clock else {
        return "No answer told the time, so the machine's clock could not be compared with a server's.".to_owned();
    };
    let size = clock.skew_ms.unsigned_abs();
    if size <= CLOCK_TOLERANCE_MS {
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
        "The machine's clock was {} {direction} the server's: {} here, {} there. Times of events are the servers'; times of \
         runs and answers are the machine's.",
        report_texts::duration(i64::try_from(size).unwrap_or(i64::MAX)),
        report_texts::date_time(clock.at),
        report_texts::date_time(clock.server)
    )
}

/// Arguments as they can be typed: in quotes where a shell would take them apart.
struct ShellArguments<'a>(&'a [String]);

impl HtmlDisplay for ShellArguments<'_> {
    fn write_html(&self, out: &mut dyn Write) -> io::Result<()> {
        for argument in self.0 {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
            let is_bare = !argument.is_empty() && argument.chars().all(is_plain);
            match is_bare {
                true => [" ", argument].concat().write_html(out)?,
                false => [" '", &argument.replace('\'', "'\\''"), "'"]
                    .concat()
                    .write_html(out)?,
            }
        }
        Ok(())
    }
}

fn sources(page: &mut HtmlPage<'_>, manifest: &Manifest) -> io::Result<()> {
    page.raw(
        "<table class=\"plain sources\"><thead><tr><th>Source<th>Type<th>Organization or site<th>Base URL<th>Credential from<th>Read</thead><tbody>",
    )?;
    for source in &manifest.sources {
        let SourceEntry { facts, .. } = source;
        let complete = if facts.complete {
            "to its end"
        } else {
            "not to its end"
        };
        page.put(
            "<tr><td class=d><b>{}</b><td class=d>{}<td class=d>{}<td class=d>{}<td class=d>{}<td>{}",
            &[
                &facts.name,
                &facts.kind,
                &facts.org_id.as_ref().or(facts.site.as_ref()),
                &facts.base_url,
                &facts.credential,
                &complete,
            ],
        )?;
    }
    page.raw("</tbody></table>")
}

/// Said only where there is something to say: more than one run, or one that did not end well.
fn runs(page: &mut HtmlPage<'_>, runs: &[RunEntry]) -> io::Result<()> {
    if let [run] = runs
        && run.ended == "finished"
    {
        return Ok(());
    }
    page.put(
        "<h3>Runs</h3><p>The program was started {} for this export; each start went on where the one before had ended.</p>\
         <table class=plain><thead><tr><th>Begun (UTC)<th>Ended (UTC)<th>How it ended</thead><tbody>",
        &[&report_texts::counted_noun(runs.len() as u64, "time", "times")],
    )?;
    for run in runs.iter().take(MAX_RUNS) {
        page.put(
            "<tr><td class=t>{}<td class=t>{}<td class=d>{}",
            &[&run.started, &run.finished, &run.ended],
        )?;
    }
    page.raw("</tbody></table>")?;
    let more = runs.len().saturating_sub(MAX_RUNS) as u64;
    if more > 0 {
        page.put(
            "<p class=rest>{} more in <code>manifest.json</code>.</p>",
            &[&more],
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_as_they_can_be_typed() {
        let arguments = ["export", "acme", "--output", "a b", "it's", ""].map(str::to_owned);
        let mut out = Vec::new();
        ShellArguments(&arguments).write_html(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap().replace("&#39;", "'");
        assert_eq!(text, r" export acme --output 'a b' 'it'\''s' ''");
    }
}
