//! All four sources in one pull: each record of each is written as often as it is served, and once only.

use crate::support::{Run, Site, small};

/// The source's objects that were written, sorted.
fn raws(run: &Run) -> Vec<String> {
    let events = run.events().into_iter();
    let mut raws: Vec<String> = events.map(|event| event.raw.get().to_owned()).collect();
    raws.sort();
    raws
}

fn files_are_whole(site: &Site) {
    let control = &site.control;
    for (name, mut served) in [
        ("acme", control.org_texts()),
        ("acme-jira", control.jira_texts()),
        ("acme-confluence", control.confluence_texts()),
        ("acme-dc", control.datacenter_texts()),
    ] {
        served.sort();
        assert!(raws(&site.read(name)) == served, "{name}");
    }
}

#[test]
fn four_sources_are_pulled_whole_and_go_on_from_there() {
    let mut site = Site::new(small(60, 40)).with_all_sources();
    for source in ["acme-confluence", "acme-dc"] {
        // Equal records lie on both sides of a page's end.
        site.set(source, "page_size", 50);
    }
    site.set_output("path", "{source}");
    site.ok(&["pull"]);
    files_are_whole(&site);
    site.control.add_confluence_records(70);
    site.control.add_datacenter_events(70);
    site.ok(&["pull"]);
    files_are_whole(&site);
}
