//! A site behind Atlassian's gateway: its cloud id is looked up once, and kept.

use atlaudit::sandbox::{Api, CLOUD_ID};

use crate::support::{Site, each_once, jira_ids};

const GATEWAY_PATH: &str =
    "/ex/jira/b1c7e0d4-52a9-4f1e-9c33-7d08e64fa215/rest/api/3/auditing/record";

fn site() -> Site {
    Site::of(0, 30).with("acme-jira", "gateway", true).with("acme-jira", "retry_for", "0s")
}

/// The paths that were asked for; a source's pages are one.
fn paths(site: &Site) -> Vec<String> {
    let requests = site.control.requests().into_iter();
    let mut paths: Vec<_> = requests.map(|request| request.path).collect();
    paths.dedup();
    site.control.forget_requests();
    paths
}

#[test]
fn the_cloud_id_is_looked_up_without_the_credential_and_kept() {
    let site = site();
    let events = site.ok(&["pull", "acme-jira"]).ids();
    each_once(&events, &jira_ids(&site.control.ids(Api::JiraAudit)));
    let requests = site.control.requests();
    assert!(!requests[0].authorization_present);
    assert_eq!(paths(&site), ["/_edge/tenant_info", GATEWAY_PATH]);
    site.ok(&["pull", "acme-jira"]);
    assert_eq!(paths(&site), [GATEWAY_PATH]);
}

#[test]
fn a_configured_cloud_id_needs_no_look_up() {
    let mut site = site();
    site.set("acme-jira", "cloud_id", CLOUD_ID);
    site.ok(&["pull", "acme-jira"]);
    assert_eq!(paths(&site), [GATEWAY_PATH]);
    // A wrong one.
    site.set("acme-jira", "cloud_id", "0000-00");
    site.run(&["pull", "acme-jira"]).refused(4, &["404", "`cloud_id`"]);
}

#[test]
fn what_was_kept_and_is_damaged_is_looked_up_again() {
    let site = site();
    site.ok(&["pull", "acme-jira"]);
    let kept = site.state().join("lookups");
    for file in std::fs::read_dir(kept).unwrap() {
        std::fs::write(file.unwrap().path(), "{\"cloud_id\":7").unwrap();
    }
    paths(&site);
    site.ok(&["pull", "acme-jira"]);
    assert_eq!(paths(&site), ["/_edge/tenant_info", GATEWAY_PATH]);
}
