//! Splits lines into the values of their columns, with the levels that say where in a row each
//! value stands (S. Melnik et al., "Dremel", 2010).

use std::io;

use bytes::Bytes;
use parquet::data_type::ByteArray;

use super::partitions::time_of;
use super::table_schema::{FieldContent, LeafKind, SchemaField, TableSchema};
use crate::model::json::Node;
use crate::model::text::printable;

/// Fields that a group has at most: as many as are looked up at once.
pub const MAX_FIELDS: usize = 48;

/// Rows, column by column.
#[derive(Debug)]
pub struct RowBatch {
    columns: Vec<ColumnValues>,
    rows: usize,
    bytes: usize,
}

/// The values of a column.
#[derive(Debug)]
pub struct ColumnValues {
    /// For each value or absence, how many of the fields on its way that may be absent are not.
    pub definition: Vec<i16>,
    /// For each of them, at which list a new item began: 0 for a new row.
    pub repetition: Vec<i16>,
    /// The values that are there.
    pub values: LeafValues,
}

/// Values of one kind.
#[derive(Debug)]
pub enum LeafValues {
    /// Texts, one after the other, and where each ends.
    Texts(Vec<u8>, Vec<usize>),
    /// Small numbers.
    Int32(Vec<i32>),
    /// Numbers and times.
    Int64(Vec<i64>),
}

/// Where in a row a value stands.
#[derive(Debug, Clone, Copy)]
struct ValueLevels {
    definition: i16,
    repetition: i16,
    /// How many lists it is inside of.
    depth: i16,
}

impl RowBatch {
    /// No rows of the table.
    pub fn new(schema: &TableSchema) -> RowBatch {
        let columns = schema.kinds.iter().map(|kind| ColumnValues {
            definition: Vec::new(),
            repetition: Vec::new(),
            values: match kind {
                LeafKind::Text | LeafKind::JsonText => LeafValues::Texts(Vec::new(), Vec::new()),
                LeafKind::Int32 => LeafValues::Int32(Vec::new()),
                LeafKind::Int64 | LeafKind::Time => LeafValues::Int64(Vec::new()),
            },
        });
        RowBatch { columns: columns.collect(), rows: 0, bytes: 0 }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// About how many bytes their values take where nothing is compressed.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The columns, in the order of the table.
    pub fn columns(&mut self) -> &mut [ColumnValues] {
        &mut self.columns
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        for column in &mut self.columns {
            column.definition.clear();
            column.repetition.clear();
            match &mut column.values {
                LeafValues::Texts(text, ends) => {
                    text.clear();
                    ends.clear();
                }
                LeafValues::Int32(values) => values.clear(),
                LeafValues::Int64(values) => values.clear(),
            }
        }
        (self.rows, self.bytes) = (0, 0);
    }

    /// Adds a row.
    ///
    /// # Errors
    /// It holds what the table has no column for, or lacks what the table requires: nothing is left
    /// out silently.
    pub fn push(&mut self, schema: &TableSchema, line: Node<'_>) -> io::Result<()> {
        let levels = ValueLevels { definition: 0, repetition: 0, depth: 0 };
        self.rows += 1;
        self.push_group(&schema.fields, line, levels)
    }

    fn push_group(
        &mut self,
        fields: &[SchemaField],
        group: Node<'_>,
        levels: ValueLevels,
    ) -> io::Result<()> {
        let mut found = [None; MAX_FIELDS];
        let mut next = 0;
        for (key, value) in group.entries() {
            let key = key.string();
            // Keys come in the order of the fields, nearly always.
            let is_named = |field: &&SchemaField| *field.name.as_bytes() == *key;
            let after = fields.get(next..).unwrap_or_default();
            let place = after.iter().position(|field| is_named(&field)).map(|at| next + at);
            let place = place.or_else(|| fields.iter().position(|field| is_named(&field)));
            let slot = place.and_then(|place| found.get_mut(place));
            match (slot, place) {
                (Some(slot), Some(place)) => {
                    let is_json = |field: &SchemaField| {
                        matches!(field.content, FieldContent::Leaf(LeafKind::JsonText))
                    };
                    let is_value = !value.is_null() || fields.get(place).is_some_and(is_json);
                    *slot = is_value.then_some(value);
                    next = place + 1;
                }
                _ => return Err(mismatch("has no column for", &String::from_utf8_lossy(&key))),
            }
        }
        fields
            .iter()
            .zip(found)
            .try_for_each(|(field, value)| self.push_field(field, value, levels))
    }

    fn push_field(
        &mut self,
        field: &SchemaField,
        value: Option<Node<'_>>,
        levels: ValueLevels,
    ) -> io::Result<()> {
        let Some(value) = value else {
            if !field.is_optional {
                return Err(mismatch("requires", &field.name));
            }
            self.push_absent(field, levels);
            return Ok(());
        };
        let definition = levels.definition + i16::from(field.is_optional);
        let levels = ValueLevels { definition, ..levels };
        match &field.content {
            FieldContent::Leaf(kind) => self.push_value(field, *kind, value, levels),
            FieldContent::Group(fields) if value.is_object() => {
                self.push_group(fields, value, levels)
            }
            FieldContent::List(element) if value.is_array() => {
                let mut is_empty = true;
                for item in value.items() {
                    let repetition = if is_empty { levels.repetition } else { levels.depth + 1 };
                    let levels = ValueLevels {
                        definition: levels.definition + 1,
                        repetition,
                        depth: levels.depth + 1,
                    };
                    self.push_field(element, (!item.is_null()).then_some(item), levels)?;
                    is_empty = false;
                }
                if is_empty {
                    self.push_absent(field, levels);
                }
                Ok(())
            }
            FieldContent::Group(_) | FieldContent::List(_) => {
                Err(mismatch("has another shape for", &field.name))
            }
        }
    }

    fn push_absent(&mut self, field: &SchemaField, levels: ValueLevels) {
        for column in self.columns.get_mut(field.leaves.clone()).unwrap_or_default() {
            column.definition.push(levels.definition);
            column.repetition.push(levels.repetition);
        }
    }

    fn push_value(
        &mut self,
        field: &SchemaField,
        kind: LeafKind,
        value: Node<'_>,
        levels: ValueLevels,
    ) -> io::Result<()> {
        let Some(column) = self.columns.get_mut(field.leaves.start) else {
            return Err(mismatch("has no column for", &field.name));
        };
        let is_placed = match (&mut column.values, kind) {
            (LeafValues::Texts(text, ends), LeafKind::JsonText) => {
                text.extend_from_slice(value.raw().as_bytes());
                ends.push(text.len());
                self.bytes += value.raw().len();
                true
            }
            (LeafValues::Texts(text, ends), _) if value.is_string() => {
                let bytes = value.string();
                text.extend_from_slice(&bytes);
                ends.push(text.len());
                self.bytes += bytes.len();
                true
            }
            (LeafValues::Int64(values), LeafKind::Time) => match time_of(value) {
                Some(millis) => {
                    values.push(millis);
                    true
                }
                None => false,
            },
            (LeafValues::Int64(values), _) => value.raw().parse().map(|it| values.push(it)).is_ok(),
            (LeafValues::Int32(values), _) => value.raw().parse().map(|it| values.push(it)).is_ok(),
            (LeafValues::Texts(..), _) => false,
        };
        if !is_placed {
            return Err(mismatch("has another type for", &field.name));
        }
        self.bytes += size_of::<i64>();
        column.definition.push(levels.definition);
        column.repetition.push(levels.repetition);
        Ok(())
    }
}

fn mismatch(what: &str, key: &str) -> io::Error {
    let key = printable(key);
    io::Error::new(io::ErrorKind::InvalidData, format!("the table {what} `{key}`"))
}

/// The texts that `text` holds one after the other, without a copy of each.
pub fn split_texts(text: &mut Vec<u8>, ends: &[usize]) -> Vec<ByteArray> {
    let whole = Bytes::from(std::mem::take(text));
    let starts = [0].into_iter().chain(ends.iter().copied());
    starts.zip(ends).map(|(start, &end)| ByteArray::from(whole.slice(start..end))).collect()
}
