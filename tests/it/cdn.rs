//! Refusals by the CDN in front of the API: they pass within a minute, and are no word about the
//! credential.

use std::time::Duration;

use atlaudit::sandbox::{Api, Fault};

use crate::support::{Site, each_once, jira_ids};

fn site() -> Site {
    Site::of(0, 35).with("acme-jira", "page_size", 10)
}

#[test]
fn a_refusal_by_the_cdn_is_retried() {
    for status in [403, 404] {
        let site = site();
        site.control.set_behaviour(|behaviour| {
            behaviour.cdn_refusals = 2;
            behaviour.cdn_status = Some(status);
        });
        let run = site.ok(&["pull", "acme-jira"]);
        each_once(&run.ids(), &jira_ids(&site.control.ids(Api::JiraAudit)));
    }
}

#[test]
fn a_refusal_by_the_cdn_that_stays_names_the_cdn() {
    let mut site = site();
    site.set("acme-jira", "retry_for", "1s");
    site.control.set_behaviour(|behaviour| behaviour.cdn_refusals = usize::MAX);
    let run = site.run(&["pull", "acme-jira"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("CDN (CloudFront)"), "{}", run.stderr);
    assert!(site.control.request_count(Api::JiraAudit) > 1);
}

/// CloudFront sets the header on the API's own refusals too.
#[test]
fn the_apis_own_refusal_through_the_cdn_is_retried_and_then_believed() {
    let mut site = site();
    site.set("acme-jira", "retry_for", "1s");
    let refusal = Fault::Status {
        status: 403,
        headers: vec![("X-Cache".to_owned(), "ERROR FROM CLOUDFRONT".to_owned())],
        body: r#"{"errorMessages":["No administrator."]}"#.to_owned(),
    };
    site.control.inject_always(Api::JiraAudit, refusal);
    let run = site.run(&["pull", "acme-jira"]);
    assert_eq!(run.code, 4, "{}", run.stderr);
    for words in ["No administrator.", "CDN (CloudFront)", "Administer Jira"] {
        assert!(run.stderr.contains(words), "{words} in {}", run.stderr);
    }
    assert!(site.control.request_count(Api::JiraAudit) > 1);
}

#[test]
fn a_check_does_not_wait_for_it() {
    let site = site();
    site.control.set_behaviour(|behaviour| behaviour.cdn_refusals = usize::MAX);
    let start = std::time::Instant::now();
    assert_eq!(site.run(&["check", "acme-jira"]).code, 3);
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_eq!(site.control.request_count(Api::JiraAudit), 1);
}
