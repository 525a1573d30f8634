//! Owns the order of the page, and what stands around its sections.

use std::io;

use super::html::HtmlPage;
use super::report_event::ADMINISTRATIVE;
use super::statistics::EventStatistics;
use super::tables::{self, ValueTableText, TOP_ROWS};
use super::{arguments, chart, flow, proof, verdict, report_texts};
use crate::evidence::manifest::Manifest;
use crate::model::event::Category;
use crate::model::number::group_digits;

/// The page.
pub fn write(page: &mut HtmlPage<'_>, manifest: &Manifest, statistics: &EventStatistics) -> io::Result<()> {
    let names = manifest
        .sources
        .iter()
        .map(|source| source.facts.name.as_str());
    let names = names.collect::<Vec<_>>();
    head(page, manifest)?;
    verdict::write(page, manifest, statistics)?;
    verdict::figures(page, statistics)?;
    page.raw(
        "<nav aria-label=\"On this page\"><a href=\"#time\">Over time</a> <a href=\"#most\">Most frequent</a> \
         <a href=\"#failures\">Failures</a> <a href=\"#changes\">Changes</a> <a href=\"#asked\">What was asked</a> \
         <a href=\"#flow\">Answers</a> <a href=\"#check\">Files and hashes</a> <a href=\"#events\">Events</a></nav>",
    )?;
    chart::write(page, &statistics.buckets, manifest)?;
    most_frequent(page, statistics)?;
    failures(page, statistics, &names)?;
    changes(page, statistics, &names)?;
    arguments::write(page, manifest)?;
    flow::write(page, manifest)?;
    proof::write(page, manifest)?;
    events(page, statistics, &names)?;
    let made_by = &manifest.made_by;
    page.put(
        "</main><footer>Made by {} {} from the files of this export. Every time on this page is UTC.</footer></body></html>\n",
        &[&made_by.program, &made_by.version],
    )
}

fn head(page: &mut HtmlPage<'_>, manifest: &Manifest) -> io::Result<()> {
    let names = manifest.asked.sources.iter().map(String::as_str);
    page.put(
        "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>\
         <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
         form-action 'none'\"><meta name=viewport content=\"width=device-width, initial-scale=1\">\
         <meta name=color-scheme content=\"light dark\"><meta name=referrer content=no-referrer>\
         <meta name=robots content=noindex><title>Audit log export: {}</title>\n<style>\n",
        &[&report_texts::list(&names.collect::<Vec<_>>())],
    )?;
    page.raw(include_str!("style.css"))?;
    page.raw("</style></head>\n<body><main>")
}

fn most_frequent(page: &mut HtmlPage<'_>, statistics: &EventStatistics) -> io::Result<()> {
    let about = |title, one, many, without, has_times| ValueTableText {
        title,
        one,
        many,
        without,
        is_mixed: true,
        has_times,
    };
    page.raw("<section id=most><h2>Most frequent</h2>")?;
    let actors = about("Actors", "actor", "actors", "without an actor", true);
    tables::top(page, &actors, &statistics.actors.top(TOP_ROWS))?;
    let addresses = about(
        "Addresses",
        "address",
        "addresses",
        "without an address",
        true,
    );
    tables::top(page, &addresses, &statistics.addresses.top(TOP_ROWS))?;
    page.raw("<div class=pair>")?;
    let actions = about("Actions", "action", "actions", "without an action", false);
    tables::top(page, &actions, &statistics.actions.top(TOP_ROWS))?;
    let countries = about(
        "Countries",
        "country",
        "countries",
        "without a country",
        false,
    );
    tables::top(page, &countries, &statistics.countries.top(TOP_ROWS))?;
    page.raw("</div></section>")
}

fn failures(page: &mut HtmlPage<'_>, statistics: &EventStatistics, names: &[&str]) -> io::Result<()> {
    page.raw("<section id=failures><h2>Failures</h2>")?;
    let count = statistics.failures.offered();
    if count == 0 {
        return page.raw("<p class=nothing>No event is recorded as a failure.</p></section>");
    }
    page.put(
        "<p>{} recorded as a failure: what was tried and refused, or did not succeed. Not every source says how an event \
         ended.</p>",
        &[&report_texts::counted_noun(count, "event is", "events are")],
    )?;
    let about = ValueTableText {
        title: "What failed",
        one: "action",
        many: "actions",
        without: "without an action",
        is_mixed: false,
        has_times: true,
    };
    tables::top(page, &about, &statistics.failed_actions.top(TOP_ROWS))?;
    table_heading(page, "The first {}", statistics.failures.row_count())?;
    tables::events(page, &statistics.failures, names)?;
    page.raw("</section>")
}

/// The heading of a table of events.
fn table_heading(page: &mut HtmlPage<'_>, template: &'static str, kept: u64) -> io::Result<()> {
    page.raw("<h3>")?;
    page.put(template, &[&kept])?;
    page.raw("</h3>")
}

fn changes(page: &mut HtmlPage<'_>, statistics: &EventStatistics, names: &[&str]) -> io::Result<()> {
    page.raw("<section id=changes><h2>Administrative changes</h2>")?;
    let count = statistics.changes.offered();
    if count == 0 {
        return page.raw("<p class=nothing>No event is an administrative change.</p></section>");
    }
    page.put(
        "<p>{} of accounts, groups, permissions, tokens, apps, policies or configuration, or took data out. Attempts that \
         failed are not among them.</p><ul class=kinds>",
        &[&report_texts::counted_noun(count, "event is a change", "events are changes")],
    )?;
    for (category, count) in ADMINISTRATIVE.iter().zip(statistics.changes_by_kind) {
        if count > 0 {
            page.put("<li>{} <b>{}</b>", &[&category_title(*category), &count])?;
        }
    }
    page.raw("</ul>")?;
    let about = ValueTableText {
        title: "Who made them",
        one: "actor",
        many: "actors",
        without: "without an actor",
        is_mixed: false,
        has_times: true,
    };
    tables::top(page, &about, &statistics.changing_actors.top(TOP_ROWS))?;
    table_heading(
        page,
        "The first {}, oldest first",
        statistics.changes.row_count(),
    )?;
    tables::events(page, &statistics.changes, names)?;
    page.raw("</section>")
}

/// What changes of this category are of.
fn category_title(category: Category) -> &'static str {
    match category {
        Category::Account => "Accounts",
        Category::Group => "Groups",
        Category::Permission => "Permissions",
        Category::Token => "Tokens",
        Category::App => "Apps",
        Category::Policy => "Policies",
        Category::DataExport => "Data exports",
        Category::Configuration => "Configuration",
        Category::Authentication | Category::Content | Category::Other => "Other",
    }
}

fn events(page: &mut HtmlPage<'_>, statistics: &EventStatistics, names: &[&str]) -> io::Result<()> {
    page.raw("<section id=events><h2>Events</h2>")?;
    let kept = statistics.first_events.row_count();
    if kept == 0 {
        return page.raw("<p class=nothing>There is no event.</p></section>");
    }
    let text = match statistics.events {
        1 => "One event.".to_owned(),
        events if events == kept => format!("All {}, the oldest first.", report_texts::events(events)),
        events => format!(
            "The first {} of {}, the oldest first.",
            group_digits(kept),
            report_texts::events(events)
        ),
    };
    page.put(
        "<p>{} A dash stands for what the source does not say.</p>",
        &[&text],
    )?;
    tables::events(page, &statistics.first_events, names)?;
    page.raw("</section>")
}
