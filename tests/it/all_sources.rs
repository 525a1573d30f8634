//! Five sources of four types in one pull: what is served is what is written, each once, in order.

use atlaudit::sandbox::{Api, Fault};

use crate::support::{Run, Site, small, status};

/// Sources, what the ids of their events start with, and whether their records are oldest first by time.
const SOURCES: [(&str, &str, bool); 5] = [
    ("acme", "org:", false),
    ("acme-jira", "jira:", true),
    ("acme-gateway", "jira:", true),
    ("acme-confluence", "confluence:", true),
    ("acme-dc", "dc:", true),
];

fn site() -> Site {
    let mut site = Site::new(small(300, 200)).with_all_sources();
    site.copy_source("acme-jira", "acme-gateway");
    site.set("acme-gateway", "gateway", true);
    for (source, _, _) in SOURCES {
        site.set(source, "page_size", 50);
        site.set(source, "retry_for", "0s");
        site.set(source, "timeout", "2s");
    }
    site.set_output("path", "{source}");
    site
}

/// What is served to `source`, in an order of its own.
fn served(site: &Site, source: &str) -> Vec<String> {
    let control = &site.control;
    let mut served = match source {
        "acme" => return control.org_texts(),
        "acme-confluence" => control.confluence_texts(),
        "acme-dc" => control.datacenter_texts(),
        _ => control.jira_texts(),
    };
    served.sort();
    served
}

fn raws(run: &Run) -> Vec<String> {
    let events = run.events().into_iter();
    events.map(|event| event.raw.get().to_owned()).collect()
}

fn is_whole(site: &Site, (source, prefix, by_time): (&str, &str, bool)) {
    let run = site.read(source);
    let mut written = raws(&run);
    if by_time {
        let trees = run.trees();
        let times = trees.iter().filter_map(|event| event["time"].as_str());
        assert!(times.is_sorted(), "{source}");
        written.sort();
    }
    assert!(written == served(site, source), "{source}");
    let mut ids = run.ids();
    assert!(ids.iter().all(|id| id.starts_with(prefix)), "{source}");
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "{source}");
}

#[test]
fn all_are_pulled_whole_and_go_on_from_there() {
    let site = site();
    for _ in 0..2 {
        site.ok(&["pull"]);
        for source in SOURCES {
            is_whole(&site, source);
        }
        site.control.add_org_events(70);
        site.control.add_jira_records(70);
        site.control.add_confluence_records(70);
        site.control.add_datacenter_events(70);
    }
}

#[test]
fn one_that_fails_holds_no_other_back() {
    let site = site();
    let refusal = status(500, None, "");
    site.control.script_forever(Api::ConfluenceAudit, refusal);
    site.control.script(Api::OrgEvents, Fault::Hang);
    let run = site.run(&["pull"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    for source in SOURCES {
        if !matches!(source.0, "acme" | "acme-confluence") {
            is_whole(&site, source);
        }
    }
    site.control.clear(Api::ConfluenceAudit);
    site.ok(&["pull"]);
    SOURCES
        .into_iter()
        .for_each(|source| is_whole(&site, source));
}
