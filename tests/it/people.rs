//! `resolve_users`: the names of account ids, looked up in batches and kept for a week.

use atlaudit::sandbox::Api;
use serde_json::Value;

use crate::support::{Site, small};

const LOOK_UP: &str = "/rest/api/3/user/bulk";

fn site() -> Site {
    // So many that every user occurs in the last seven days.
    let mut options = small(0, 2_000);
    options.data.confluence_records = 2_000;
    Site::new(options).with_all_sources().with_output("path", "{source}")
}

fn look_ups(site: &Site) -> usize {
    let requests = site.control.requests();
    site.control.forget_requests();
    requests.iter().filter(|request| request.path.ends_with(LOOK_UP)).count()
}

fn named(site: &Site, source: &str, field: &str) -> usize {
    let trees = site.read(source).trees();
    let has = |event: &&Value| event["actor"][field].is_string();
    trees.iter().filter(has).count()
}

#[test]
fn names_and_addresses_come_from_the_site_and_are_kept() {
    for source in ["acme-jira", "acme-confluence"] {
        let mut site = site();
        site.ok(&["pull", source]);
        assert_eq!(look_ups(&site), 0, "off by default");
        assert_eq!(named(&site, source, "email"), 0);
        let bare = site.read(source);

        std::fs::remove_file(site.path(source)).unwrap();
        std::fs::remove_dir_all(site.state()).unwrap();
        site.set(source, "resolve_users", true);
        site.ok(&["pull", source]);
        assert_eq!(look_ups(&site), 1, "{source}: one batch");
        assert!(named(&site, source, "email") > 5, "{source}");
        assert!(named(&site, source, "name") > 5, "{source}");
        let shown = site.read(source);
        assert_eq!(shown.ids(), bare.ids(), "{source}");

        site.control.add(Api::JiraAudit, 30);
        site.control.add(Api::ConfluenceAudit, 30);
        site.ok(&["pull", source]);
        assert_eq!(look_ups(&site), 0, "{source}: kept");
    }
}
