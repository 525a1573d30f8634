//! Five sources of four types in one pull: what is served is what is written, each once, in order.

use atlaudit::sandbox::{Api, Fault};

use crate::support::{Site, every_line_is_valid, small, status, whole};

const SOURCES: [&str; 5] = [
    "acme",
    "acme-jira",
    "acme-gateway",
    "acme-confluence",
    "acme-dc",
];

fn site() -> Site {
    let mut site = Site::new(small(300, 200)).with_all_sources();
    site.add("acme-gateway", "acme-jira");
    site.set("acme-gateway", "gateway", true);
    for source in SOURCES {
        site.set(source, "page_size", 50);
        site.set(source, "retry_for", "0s");
        site.set(source, "timeout", "2s");
    }
    site.set_output("path", "{source}");
    site
}

fn is_whole(site: &Site, source: &str) {
    whole(source, site, source, &site.read(source));
    every_line_is_valid(&site.read(source));
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
        if !matches!(source, "acme" | "acme-confluence") {
            is_whole(&site, source);
        }
    }
    site.control.clear(Api::ConfluenceAudit);
    site.ok(&["pull"]);
    SOURCES
        .into_iter()
        .for_each(|source| is_whole(&site, source));
}
