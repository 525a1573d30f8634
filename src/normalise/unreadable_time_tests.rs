//! Tests the labels of events whose time cannot be read.

use serde_json::{Value, json};

use crate::model::name::SourceKind;
use crate::normalise::testing::normalised_without_time;

fn labels(kind: SourceKind, record: &str) -> Value {
    let event = normalised_without_time(kind, record);
    assert_eq!(event.get("time"), None);
    event["labels"].clone()
}

#[test]
fn the_label_of_an_unreadable_time_holds_what_the_source_wrote() {
    for (kind, record) in [
        (SourceKind::JiraAudit, r#"{"created":VALUE}"#),
        (SourceKind::ConfluenceAudit, r#"{"creationDate":VALUE}"#),
        (SourceKind::DatacenterAudit, r#"{"timestamp":VALUE}"#),
        (SourceKind::OrgEvents, r#"{"attributes":{"time":VALUE}}"#),
    ] {
        for (value, mark) in [
            (r#""2026-11-20T09:30:00""#, "2026-11-20T09:30:00"),
            (r#""yesterday""#, "yesterday"),
            ("17", "17"),
            ("1e300", "1e300"),
            (r#"" ""#, r#"" ""#),
            (r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            ("null", "missing"),
        ] {
            let record = record.replace("VALUE", value);
            let want = json!({"time_unreadable": mark});
            assert_eq!(labels(kind, &record), want, "{record}");
        }
        for record in ["{}", "null", "17", "[]", r#"{"attributes":7}"#] {
            let want = json!({"time_unreadable": "missing"});
            assert_eq!(labels(kind, record), want, "{record}");
        }
    }
}

#[test]
fn the_label_of_an_unreadable_time_is_bounded() {
    let record = format!(r#"{{"created":"{}"}}"#, "é".repeat(100_000));
    let labels = labels(SourceKind::JiraAudit, &record);
    let mark = labels["time_unreadable"].as_str().unwrap();
    assert_eq!(mark.chars().count(), 301);
}

#[test]
fn an_unreadable_processing_time_is_labelled() {
    let labels = labels(
        SourceKind::OrgEvents,
        r#"{"attributes":{"time":"x","processedAt":"2026-11-20 09:30"}}"#,
    );
    let want = json!({"time_unreadable": "x", "processed_time_unreadable": "2026-11-20 09:30"});
    assert_eq!(labels, want);
}
