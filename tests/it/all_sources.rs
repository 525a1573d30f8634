//! All four sources in one pull: each record of each is written as often as it is served, and once only.

use crate::support::{Run, Site, small};

/// The source's objects of events whose ids start so, sorted.
fn raws(run: &Run, prefix: &str) -> Vec<String> {
    let events = run.events().into_iter();
    let own = events.filter(|event| event.id.starts_with(prefix));
    let mut raws: Vec<String> = own.map(|event| event.raw.get().to_owned()).collect();
    raws.sort();
    raws
}

fn holds(run: &Run, site: &Site) {
    let control = &site.control;
    for (prefix, mut served) in [
        ("org:", control.org_texts()),
        ("jira:", control.jira_texts()),
        ("confluence:", control.confluence_texts()),
        ("dc:", control.datacenter_texts()),
    ] {
        served.sort();
        assert!(raws(run, prefix) == served, "{prefix}");
    }
}

#[test]
fn four_sources_are_pulled_whole_and_go_on_from_there() {
    let mut site = Site::new(small(60, 40)).with_all_sources();
    for source in ["acme-confluence", "acme-dc"] {
        // Equal records lie on both sides of a page's end.
        site.set(source, "page_size", 50);
    }
    site.set_output("path", "out");
    site.ok(&["pull"]);
    holds(&site.read("out"), &site);
    site.control.add_confluence_records(70);
    site.control.add_datacenter_events(70);
    site.ok(&["pull"]);
    holds(&site.read("out"), &site);
}
