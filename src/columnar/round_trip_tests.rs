//! Writes random events to a file and reads them back: nothing is lost, nothing is made up.

use bytes::Bytes;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::table_file::TableFile;
use super::table_layout::TableLayout;
use super::table_schema::{FieldContent, LeafKind, SchemaField, TableSchema};
use crate::config::settings::OutputFormat;
use crate::model::json::Document;

fn schema_of(format: OutputFormat) -> TableSchema {
    TableSchema::of(TableLayout::of(format).unwrap(), None).unwrap()
}

/// Any object that the fields allow.
fn object_of(fields: &[SchemaField]) -> BoxedStrategy<Value> {
    let fields: Vec<_> = fields
        .iter()
        .map(|field| {
            let value = value_of(&field.content);
            let value = match field.is_optional {
                true => prop_oneof![Just(None), value.prop_map(Some)].boxed(),
                false => value.prop_map(Some).boxed(),
            };
            let name = field.name.clone();
            value.prop_map(move |value| (name.clone(), value))
        })
        .collect();
    fields
        .prop_map(|fields| {
            let fields = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
            Value::Object(fields.collect())
        })
        .boxed()
}

fn value_of(content: &FieldContent) -> BoxedStrategy<Value> {
    match content {
        FieldContent::Leaf(LeafKind::Text) => ".{0,12}".prop_map(Value::from).boxed(),
        FieldContent::Leaf(LeafKind::JsonText) => prop_oneof![
            Just(json!({"a": [1, null, "\u{e9}"]})),
            Just(json!("text")),
            Just(json!(1.5)),
        ]
        .boxed(),
        FieldContent::Leaf(LeafKind::Time) => any::<u32>().prop_map(Value::from).boxed(),
        FieldContent::Leaf(LeafKind::Int32) => any::<i32>().prop_map(Value::from).boxed(),
        FieldContent::Leaf(LeafKind::Int64) => any::<i64>().prop_map(Value::from).boxed(),
        FieldContent::Group(fields) => object_of(fields),
        FieldContent::List(element) => {
            prop::collection::vec(value_of(&element.content), 0..4).prop_map(Value::from).boxed()
        }
    }
}

/// The value as a row has it.
fn as_row(content: &FieldContent, value: &Value) -> Value {
    match (content, value) {
        (FieldContent::Leaf(LeafKind::JsonText), value) => value.to_string().into(),
        (FieldContent::Group(fields), Value::Object(object)) => object_row(fields, object),
        (FieldContent::List(element), Value::Array(items)) => {
            items.iter().map(|item| as_row(&element.content, item)).collect()
        }
        (_, value) => value.clone(),
    }
}

fn object_row(fields: &[SchemaField], object: &Map<String, Value>) -> Value {
    let rows = fields.iter().filter_map(|field| {
        let value = object.get(&field.name)?;
        Some((field.name.clone(), as_row(&field.content, value)))
    });
    Value::Object(rows.collect())
}

fn read_value(field: Field) -> Option<Value> {
    Some(match field {
        Field::Null => return None,
        Field::Str(text) => text.into(),
        Field::Int(number) => number.into(),
        Field::Long(number) | Field::TimestampMillis(number) => number.into(),
        Field::Group(row) => object_read(row.into_columns()),
        Field::ListInternal(list) => list.elements().iter().cloned().map(read_value).collect(),
        other => panic!("{other:?}"),
    })
}

fn object_read(columns: Vec<(String, Field)>) -> Value {
    let fields = columns.into_iter().filter_map(|(name, field)| Some((name, read_value(field)?)));
    Value::Object(fields.collect())
}

fn written(schema: &TableSchema, events: &[Value]) -> Vec<Value> {
    let mut file = TableFile::new(schema, Vec::new()).unwrap();
    for event in events {
        let line = Document::new(event.to_string().into());
        file.push(line.root()).unwrap();
    }
    let reader = SerializedFileReader::new(Bytes::from(file.finish().unwrap())).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| object_read(row.unwrap().into_columns())).collect()
}

fn events_come_back(format: OutputFormat, cases: u32) {
    let schema = schema_of(format);
    let events = prop::collection::vec(object_of(&schema.fields), 0..6);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(events in events)| {
        let wanted: Vec<_> = events
            .iter()
            .map(|event| object_row(&schema.fields, event.as_object().unwrap()))
            .collect();
        prop_assert_eq!(written(&schema, &events), wanted);
    });
}

#[test]
fn any_normalized_events_come_back() {
    events_come_back(OutputFormat::Normalized, 64);
}

#[test]
fn any_ocsf_events_come_back() {
    events_come_back(OutputFormat::Ocsf, 32);
    events_come_back(OutputFormat::Ocsf13, 32);
}

#[test]
fn what_does_not_fit_is_an_error_that_names_it() {
    let schema = schema_of(OutputFormat::Normalized);
    for (key, value, fault) in [
        ("x", json!(1), "has no column for `x`"),
        ("time", json!("soon"), "has another type for `time`"),
        ("message", json!(1), "has another type for `message`"),
        ("actor", json!("ada"), "has another shape for `actor`"),
        ("targets", json!({}), "has another shape for `targets`"),
        ("id", json!(null), "requires `id`"),
        ("source", json!({"name": "acme"}), "requires `type`"),
    ] {
        let mut event = json!({
            "schema": "atlaudit/1",
            "id": "org:1",
            "source": {"name": "acme", "type": "org-events"},
            "observed_time": "2026-11-20T09:30:00.000Z",
            "action": "user_login",
            "category": "authentication",
            "outcome": "success",
            "raw": {},
        });
        event[key] = value;
        let mut file = TableFile::new(&schema, Vec::new()).unwrap();
        let line = Document::new(event.to_string().into());
        let error = file.push(line.root()).unwrap_err().to_string();
        assert_eq!(error, format!("the table {fault}"));
    }
}
