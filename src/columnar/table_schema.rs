//! The columns of a table as a tree, along which lines are split.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as PhysicalType};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, Type, TypePtr};

use super::table_layout::{EventClass, TableLayout};

/// The columns of a table, as a tree and as a list.
#[derive(Debug)]
pub struct TableSchema {
    /// What differs from other tables.
    pub layout: &'static TableLayout,
    /// As files state it.
    pub file_type: TypePtr,
    /// Its leaves, in the order of the file.
    pub columns: SchemaDescPtr,
    /// What the leaves hold, in the same order.
    pub kinds: Vec<LeafKind>,
    /// The fields of a row.
    pub fields: Vec<SchemaField>,
}

/// A field of a row, or of a group in it.
#[derive(Debug)]
pub struct SchemaField {
    /// Its key.
    pub name: String,
    /// Whether it may be absent.
    pub is_optional: bool,
    /// What it holds.
    pub content: FieldContent,
    /// Its leaves.
    pub leaves: Range<usize>,
}

/// What a field holds.
#[derive(Debug)]
pub enum FieldContent {
    /// A value.
    Leaf(LeafKind),
    /// An object.
    Group(Vec<SchemaField>),
    /// A list of whatever its one field holds.
    List(Box<SchemaField>),
}

/// What a leaf holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafKind {
    /// The text of a string.
    Text,
    /// The JSON text of any value.
    JsonText,
    /// Milliseconds after 1970 began, which a line has as such or as a text of RFC 3339.
    Time,
    /// A small whole number.
    Int32,
    /// A whole number.
    Int64,
}

impl TableSchema {
    /// The table of `layout`, or of one class of events, without the columns that these cannot
    /// have.
    ///
    /// # Errors
    /// The table is wrong, which a test excludes.
    pub fn of(layout: &'static TableLayout, class: Option<&EventClass>) -> io::Result<TableSchema> {
        let message_type = |text: &str| {
            let whole = parse_message_type(text)?;
            let fields = whole.get_fields().iter();
            let fields = fields.filter(|field| layout.has_column(class, field.name())).cloned();
            Type::group_type_builder(whole.name()).with_fields(fields.collect()).build()
        };
        let own_type = message_type(layout.message).map_err(io::Error::other)?;
        let file_type = message_type(&layout.written_message()).map_err(io::Error::other)?;
        let file_type = Arc::new(file_type);
        let mut kinds = Vec::new();
        let fields = fields_of(&own_type, &mut kinds)?;
        Ok(TableSchema {
            layout,
            columns: Arc::new(SchemaDescriptor::new(Arc::clone(&file_type))),
            file_type,
            kinds,
            fields,
        })
    }
}

fn fields_of(group: &Type, kinds: &mut Vec<LeafKind>) -> io::Result<Vec<SchemaField>> {
    group.get_fields().iter().map(|field| field_of(field, kinds)).collect()
}

fn field_of(field: &Type, kinds: &mut Vec<LeafKind>) -> io::Result<SchemaField> {
    let first = kinds.len();
    let info = field.get_basic_info();
    let content = if field.is_primitive() {
        let kind = leaf_kind(field)?;
        kinds.push(kind);
        FieldContent::Leaf(kind)
    } else if info.converted_type() == ConvertedType::LIST {
        // list -> repeated group -> element
        let repeated = field.get_fields().first();
        let element = repeated.and_then(|repeated| repeated.get_fields().first());
        let element = element.ok_or_else(|| io::Error::other("a list without an element"))?;
        FieldContent::List(Box::new(field_of(element, kinds)?))
    } else {
        FieldContent::Group(fields_of(field, kinds)?)
    };
    Ok(SchemaField {
        name: field.name().to_owned(),
        is_optional: info.repetition() == Repetition::OPTIONAL,
        content,
        leaves: first..kinds.len(),
    })
}

fn leaf_kind(leaf: &Type) -> io::Result<LeafKind> {
    let logical = leaf.get_basic_info().logical_type_ref();
    Ok(match (leaf.get_physical_type(), logical) {
        (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)) => LeafKind::Text,
        (PhysicalType::BYTE_ARRAY, Some(LogicalType::Json)) => LeafKind::JsonText,
        (PhysicalType::INT64, Some(_)) => LeafKind::Time,
        (PhysicalType::INT64, None) => LeafKind::Int64,
        (PhysicalType::INT32, None) => LeafKind::Int32,
        other => return Err(io::Error::other(format!("no column holds {other:?}"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columnar::row_shredder::MAX_FIELDS;
    use crate::columnar::table_layout::{columns_of, message_of};
    use crate::config::settings::OutputFormat;

    #[test]
    fn the_tables_are_right() {
        for format in [OutputFormat::Normalized, OutputFormat::Ocsf, OutputFormat::Ocsf13] {
            let schema = TableSchema::of(TableLayout::of(format).unwrap(), None).unwrap();
            assert_eq!(schema.columns.num_columns(), schema.kinds.len());
            let paths: Vec<_> =
                schema.columns.columns().iter().map(|column| column.path().string()).collect();
            let layout = schema.layout;
            let source = layout.source.join(".");
            for named in layout.times.iter().chain(layout.distinct).copied() {
                assert!(paths.iter().any(|path| path == named), "{named}");
            }
            assert!(paths.contains(&source) && paths.contains(&layout.id.to_owned()));
            assert!(!message_of(format).unwrap().contains("JSON"));
            let names: Vec<_> = schema.fields.iter().map(|field| field.name.clone()).collect();
            assert_eq!(columns_of(format).collect::<Vec<_>>(), names);
            assert!(names.len() <= MAX_FIELDS);
        }
        assert!(TableLayout::of(OutputFormat::Raw).is_none());
    }
}
