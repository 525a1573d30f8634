//! Marks the events whose time cannot be read, with what the source wrote instead.
//!
//! No time is guessed: one without a zone would be hours off, and nobody would see it.

use crate::model::event::{Event, PROCESSED_TIME_UNREADABLE, TIME_UNREADABLE, EventText};
use crate::model::json::Node;
use crate::model::name::SourceKind;
use crate::model::record::{Record, time_value};
use crate::model::text::bounded;

/// What the mark says where the source gives no time at all.
const MISSING_TIME: &str = "missing";

/// Adds a label with the source's own text for each time of `event` that could not be read.
pub fn add_labels<'a>(event: &mut Event<'a>, kind: SourceKind, record: &'a Record) {
    let root = record.doc.root();
    if event.time.is_none() {
        let text = time_value(kind, root).map_or(EventText::Borrowed(MISSING_TIME), written);
        event.labels.push((TIME_UNREADABLE, text));
    }
    if event.processed_time.is_none() && kind == SourceKind::OrgEvents {
        let attributes = root.get("attributes");
        // A source need not say when it processed an event.
        let value = attributes.and_then(|attributes| attributes.get("processedAt"));
        let labels = value.map(|value| (PROCESSED_TIME_UNREADABLE, written(value)));
        event.labels.extend(labels);
    }
}

/// The text of `value`; of what is no text, or a blank one, its JSON.
fn written(value: Node<'_>) -> EventText<'_> {
    bounded(value.text().unwrap_or(EventText::Borrowed(value.raw())))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::model::name::SourceKind;
    use crate::normalise::testing::normalised_without_time;

    fn labels(kind: SourceKind, record: &str) -> Value {
        let event = normalised_without_time(kind, record);
        assert_eq!(event.get("time"), None);
        event["labels"].clone()
    }

    #[test]
    fn the_mark_holds_what_the_source_wrote() {
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
    fn the_mark_is_bounded() {
        let record = format!(r#"{{"created":"{}"}}"#, "é".repeat(100_000));
        let labels = labels(SourceKind::JiraAudit, &record);
        let mark = labels["time_unreadable"].as_str().unwrap();
        assert_eq!(mark.chars().count(), 301);
    }

    #[test]
    fn a_time_of_processing_is_marked_where_it_is_there() {
        let labels = labels(
            SourceKind::OrgEvents,
            r#"{"attributes":{"time":"x","processedAt":"2026-11-20 09:30"}}"#,
        );
        let want = json!({"time_unreadable": "x", "processed_time_unreadable": "2026-11-20 09:30"});
        assert_eq!(labels, want);
    }
}
