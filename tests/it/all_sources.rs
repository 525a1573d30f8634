//! Five sources of four types in one pull: what is served is what is written, each once, in order.

use atlaudit::sandbox::{Api, Fault};

use crate::support::{Site, assert_lines_valid, status, whole};

const SOURCES: [&str; 5] = ["acme", "acme-jira", "acme-gateway", "acme-confluence", "acme-dc"];

fn site() -> Site {
    let mut site = Site::of(300, 200).with_all_sources();
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
    assert_lines_valid(&site.read(source));
}

#[test]
fn all_sources_are_pulled_completely_and_resume() {
    let site = site();
    for _ in 0..2 {
        site.ok(&["pull"]);
        for source in SOURCES {
            is_whole(&site, source);
        }
        site.control.add(Api::OrgEvents, 70);
        site.control.add(Api::JiraAudit, 70);
        site.control.add(Api::ConfluenceAudit, 70);
        site.control.add(Api::DatacenterAudit, 70);
    }
}

#[test]
fn a_failing_source_does_not_delay_the_others() {
    let site = site();
    let refusal = status(500, None, "");
    site.control.inject_always(Api::ConfluenceAudit, refusal);
    site.control.inject(Api::OrgEvents, Fault::Hang);
    let run = site.run(&["pull"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    for source in SOURCES {
        if !matches!(source, "acme" | "acme-confluence") {
            is_whole(&site, source);
        }
    }
    site.control.clear_faults(Api::ConfluenceAudit);
    site.ok(&["pull"]);
    SOURCES.into_iter().for_each(|source| is_whole(&site, source));
}
