//! Reads Parquet files.

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Map, Value};

/// The rows of a file as JSON, without what is absent.
pub fn table_rows(content: Vec<u8>) -> Vec<Value> {
    let reader = SerializedFileReader::new(bytes::Bytes::from(content)).unwrap();
    let rows = reader.get_row_iter(None).unwrap().map(|row| {
        let fields = row.unwrap().into_columns().into_iter();
        object(fields.map(|(key, value)| (key, json(value))))
    });
    rows.collect()
}

/// The names of the columns of a file, without those in groups.
pub fn table_columns(content: Vec<u8>) -> Vec<String> {
    let reader = SerializedFileReader::new(bytes::Bytes::from(content)).unwrap();
    let schema = reader.metadata().file_metadata().schema();
    schema.get_fields().iter().map(|field| field.name().to_owned()).collect()
}

fn object(fields: impl Iterator<Item = (String, Value)>) -> Value {
    Value::Object(fields.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
}

fn json(field: Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Str(text) => text.into(),
        Field::Int(number) => number.into(),
        Field::Long(number) => number.into(),
        Field::TimestampMillis(millis) => millis.into(),
        Field::Group(row) => {
            let fields = row.into_columns().into_iter();
            object(fields.map(|(key, value)| (key, json(value))))
        }
        Field::ListInternal(list) => list.elements().iter().cloned().map(json).collect(),
        other => panic!("{other:?}"),
    }
}
