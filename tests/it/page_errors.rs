//! A 200 page that carries an error envelope is not read as an empty or a whole page.

use atlaudit::sandbox::{Api, Fault, PageError};
use serde_json::Value;

use crate::support::{Run, Site, small, whole};

const SOURCES: [&str; 4] = ["acme", "acme-jira", "acme-confluence", "acme-dc"];

const TEXT: &str = "The index of the audit log is being rebuilt.";

/// Ten records a page, into a file of each source. No failure is retried.
fn site() -> Site {
    let mut options = small(35, 35);
    options.data.confluence_records = 35;
    options.data.datacenter_events = 35;
    let mut site = Site::new(options).with_all_sources();
    for source in SOURCES {
        site.set(source, "page_size", 10);
        site.set(source, "retry_for", "0s");
    }
    site.set_output("path", "{source}");
    site
}

fn pull(site: &Site) -> Run {
    site.run(&["pull", "--report", "report.json"])
}

/// The report of each source.
fn reports(site: &Site) -> Vec<Value> {
    let text = std::fs::read(site.path("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&text).unwrap();
    report["sources"].as_array().unwrap().clone()
}

/// The next pull, of a sound server, writes each event once.
fn recovers(site: &Site) {
    site.control.set_behaviour(|behaviour| behaviour.page_error = PageError::Never);
    site.ok(&["pull"]);
    for source in SOURCES {
        whole(source, site, source, &site.read(source));
    }
}

#[test]
fn an_error_beside_an_empty_list_is_no_empty_page() {
    let site = site();
    site.control.set_behaviour(|behaviour| behaviour.page_error = PageError::InsteadOfRecords);
    let run = pull(&site);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert_eq!(run.stderr.matches(TEXT).count(), SOURCES.len(), "{}", run.stderr);
    assert_eq!(run.stderr.matches("\n  hint: ").count(), SOURCES.len());
    for report in reports(&site) {
        assert_eq!(report["complete"], false, "{report}");
        assert_eq!((&report["exit_code"], &report["events"]), (&3.into(), &0.into()));
        let error = report["error"].as_str().unwrap();
        assert!(error.contains("reports an error") && error.contains("(200"), "{error}");
    }
    recovers(&site);
}

#[test]
fn an_error_beside_records_keeps_the_checkpoint_where_it_was() {
    let site = site();
    site.control.set_behaviour(|behaviour| behaviour.page_error = PageError::BesideRecords);
    let run = pull(&site);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert_eq!(run.stderr.matches(TEXT).count(), SOURCES.len(), "{}", run.stderr);
    for report in reports(&site) {
        assert_eq!(report["complete"], false, "{report}");
    }
    recovers(&site);
}

#[test]
fn an_error_that_passes_is_retried() {
    let mut site = site();
    for source in SOURCES {
        site.set(source, "retry_for", "20s");
    }
    site.control.set_behaviour(|behaviour| {
        behaviour.page_error = PageError::InsteadOfRecords;
        behaviour.page_errors = Some(4);
    });
    let run = pull(&site);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let retries = reports(&site);
    let retries = retries.iter().map(|report| report["retries"].as_u64().unwrap());
    assert_eq!(retries.sum::<u64>(), 4);
    recovers(&site);
}

/// Every shape of an envelope, in the middle of a log.
#[test]
fn the_server_is_quoted_whatever_the_shape_of_its_error() {
    for (envelope, quoted) in [
        (r#""errors":[{"code":"ADMIN-500-1","title":"Broken"}]"#, "(200, ADMIN-500-1): Broken"),
        (r#""errors":{"from":"is too early"}"#, "from: is too early"),
        (r#""errors":"Broken""#, "Broken"),
        (r#""errorMessages":["Broken"],"errors":{}"#, "Broken"),
        (r#""error":"Internal","message":"Broken""#, "Internal: Broken"),
        (r#""error":{"code":7,"message":"Broken"}"#, "Broken"),
        (r#""statusCode":503"#, "503"),
        (r#""status":503,"message":"Broken""#, "Broken"),
        (r#""message":"Broken""#, "Broken"),
        (r#""code":"ADMIN-403-3""#, "ADMIN-403-3"),
    ] {
        let site = site();
        site.control.inject(Api::OrgEvents, Fault::Pass);
        let page = format!(r#"{{"data":[],"meta":{{"next":null}},{envelope}}}"#);
        site.control.inject_always(Api::OrgEvents, Fault::RawBody(page));
        let run = site.run(&["pull", "acme", "--repeat-errors"]);
        assert_eq!(run.code, 3, "{envelope}: {}", run.stderr);
        assert!(run.stderr.contains(quoted), "{quoted} in {}", run.stderr);
        assert_eq!(site.read("acme").ids().len(), 10);
        site.control.clear_faults(Api::OrgEvents);
        recovers(&site);
    }
}

#[test]
fn an_envelope_without_an_error_is_harmless() {
    for envelope in [
        r#""errors":[]"#,
        r#""errors":{},"errorMessages":[]"#,
        r#""errors":null,"error":null,"message":null,"code":null"#,
        r#""error":false,"errors":"","message":" ""#,
        r#""status":200,"code":200,"message":"Found nothing""#,
        r#""statusCode":"200","status":"OK","message":"OK""#,
        r#""code":0"#,
    ] {
        let site = site();
        let page = format!(r#"{{"data":[],"meta":{{"next":null}},{envelope}}}"#);
        site.control.inject(Api::OrgEvents, Fault::RawBody(page));
        let run = site.run(&["pull", "acme", "--repeat-errors"]);
        assert_eq!(run.code, 0, "{envelope}: {}", run.stderr);
    }
}
