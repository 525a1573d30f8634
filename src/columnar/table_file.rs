//! Writes one Parquet file: rows in, row groups out.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

use super::row_group::RowGroupEncoder;
use super::row_shredder::RowBatch;
use super::table_schema::TableSchema;
use crate::model::json::Node;

/// Bytes that the values of a row group have at most, as they are before they are encoded. What
/// reads a file holds a row group in memory.
const MAX_GROUP_BYTES: usize = 60 * 1024 * 1024;

/// Rows that are encoded at once.
const BATCH_ROWS: usize = 1024;
/// Bytes of rows that are encoded at once, at the latest.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// A Parquet file that is being written.
pub struct TableFile<'s, W: Write + Send> {
    schema: &'s TableSchema,
    properties: WriterPropertiesPtr,
    file: SerializedFileWriter<W>,
    /// The group that is begun, and the bytes of its values.
    group: RowGroupEncoder,
    group_bytes: usize,
    batch: RowBatch,
}

impl<'s, W: Write + Send> TableFile<'s, W> {
    /// An empty file, written to `out`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(schema: &'s TableSchema, out: W) -> io::Result<TableFile<'s, W>> {
        let properties = properties(schema)?;
        let file_type = Arc::clone(&schema.file_type);
        let file = SerializedFileWriter::new(out, file_type, Arc::clone(&properties));
        Ok(TableFile {
            group: RowGroupEncoder::new(schema, &properties),
            batch: RowBatch::new(schema),
            file: file.map_err(io::Error::other)?,
            group_bytes: 0,
            schema,
            properties,
        })
    }

    /// Adds an event.
    ///
    /// # Errors
    /// It does not fit the table, or the file cannot be written.
    pub fn push(&mut self, event: Node<'_>) -> io::Result<()> {
        self.batch.push(self.schema, event)?;
        if self.batch.rows() >= BATCH_ROWS || self.batch.bytes() >= BATCH_BYTES {
            self.encode_batch()?;
        }
        Ok(())
    }

    /// Writes what is left, and the end of the file. Returns what it was written to.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.encode_batch()?;
        if self.group_bytes > 0 {
            self.write_group()?;
        }
        self.file.into_inner().map_err(io::Error::other)
    }

    fn encode_batch(&mut self) -> io::Result<()> {
        if self.batch.rows() == 0 {
            return Ok(());
        }
        if self.group_bytes > 0 && self.group_bytes + self.batch.bytes() > MAX_GROUP_BYTES {
            self.write_group()?;
        }
        self.group_bytes += self.batch.bytes();
        self.group.push(&mut self.batch)?;
        self.batch.clear();
        Ok(())
    }

    fn write_group(&mut self) -> io::Result<()> {
        let next = RowGroupEncoder::new(self.schema, &self.properties);
        self.group_bytes = 0;
        std::mem::replace(&mut self.group, next).write(&mut self.file)
    }
}

/// How the columns are encoded.
fn properties(schema: &TableSchema) -> io::Result<WriterPropertiesPtr> {
    let layout = schema.layout;
    let columns = schema.columns.columns();
    let path = |name: &str| ColumnPath::new(name.split('.').map(str::to_owned).collect());
    let by_time = layout.times.first().and_then(|time| {
        let place = columns.iter().position(|column| column.path().string() == *time)?;
        i32::try_from(place).ok()
    });
    let sorting = by_time.map(|column_idx| {
        vec![SortingColumn { column_idx, descending: false, nulls_first: false }]
    });
    let level = ZstdLevel::try_new(1).map_err(io::Error::other)?;
    let version = KeyValue::new("atlaudit.schema".to_owned(), layout.version.to_owned());
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("atlaudit version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_key_value_metadata(Some(vec![version]))
        .set_sorting_columns(sorting)
        .set_column_bloom_filter_enabled(path(layout.id), true);
    for distinct in layout.distinct.iter().chain(layout.times) {
        properties = properties.set_column_dictionary_enabled(path(distinct), false);
    }
    Ok(Arc::new(properties.build()))
}
