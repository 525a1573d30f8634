//! Makes ids for records whose API has none: a hash of the content, and a number among equals.

use std::collections::HashMap;

use crate::model::json::Document;
use crate::model::record::{Fingerprint, Record};
use crate::model::time::Timestamp;

/// The id of a record by its content, whatever the order of its keys: 32 hex digits.
pub fn content_id(doc: &Document) -> String {
    Fingerprint::of(&doc.canonical()).to_string()
}

/// Numbers equal records of one instant: the first keeps its id, the next ones get `.2`, `.3` and so on
/// behind it. Reading the whole instant again gives the same numbers.
#[derive(Debug, Default)]
pub struct DuplicateNumbering {
    current_time: Option<Timestamp>,
    counts: HashMap<String, u32>,
    /// Of records that do not say when they were.
    counts_without_time: HashMap<String, u32>,
}

impl DuplicateNumbering {
    /// Numbers the next record; those of one instant must come one after the other.
    pub fn number_duplicate(&mut self, record: &mut Record) {
        let counts = match record.time {
            None => &mut self.counts_without_time,
            Some(_) => {
                if self.current_time != record.time {
                    self.counts.clear();
                    self.current_time = record.time;
                }
                &mut self.counts
            }
        };
        let Some(id) = &mut record.id else { return };
        let count = counts.entry(id.clone()).or_default();
        *count += 1;
        if *count > 1 {
            id.push_str(&format!(".{count}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str, ms: i64) -> Record {
        let doc = Document::new(bytes::Bytes::copy_from_slice(text.as_bytes()));
        let time = Timestamp::from_timestamp_millis(ms);
        Record { id: Some(content_id(&doc)), time, position: time, doc }
    }

    #[test]
    fn equal_records_of_one_instant_are_numbered() {
        let mut records = [
            record(r#"{"a":1,"b":[{"x":1,"y":2}]}"#, 1),
            record(r#"{"b":[{"y":2,"x":1}],"a":1}"#, 1),
            record(r#"{"a":2}"#, 1),
            record(r#"{"a":1,"b":[{"x":1,"y":2}]}"#, 1),
            record(r#"{"a":2}"#, 2),
        ];
        let mut numbering = DuplicateNumbering::default();
        for record in &mut records {
            numbering.number_duplicate(record);
        }
        let [first, second, other, third, later] = records.map(|record| record.id.unwrap());
        assert_eq!(second, format!("{first}.2"));
        assert_eq!(third, format!("{first}.3"));
        assert_eq!(first.len(), 32);
        assert_eq!(later, other);
    }
}
