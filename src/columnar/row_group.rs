//! Encodes rows column by column, each column into memory, until the group of rows is written.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::column::page::{CompressedPage, PageWriteSpec, PageWriter};
use parquet::column::writer::{ColumnCloseResult, ColumnWriter, get_column_writer};
use parquet::errors::Result as ParquetResult;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::{SerializedFileWriter, SerializedPageWriter, TrackedWrite};

use super::row_shredder::{ColumnValues, LeafValues, RowBatch, split_texts};
use super::table_schema::TableSchema;

/// A group of rows that is being encoded.
pub struct RowGroupEncoder {
    columns: Vec<ColumnEncoder>,
}

struct ColumnEncoder {
    writer: ColumnWriter<'static>,
    /// The pages that are done.
    pages: PageBuffer,
}

impl RowGroupEncoder {
    /// An empty group.
    pub fn new(schema: &TableSchema, properties: &WriterPropertiesPtr) -> RowGroupEncoder {
        let columns = schema.columns.columns().iter().map(|column| {
            let pages = PageBuffer::default();
            let writer = BufferedPages(TrackedWrite::new(pages.clone()));
            let (column, properties) = (Arc::clone(column), Arc::clone(properties));
            let writer = get_column_writer(column, properties, Box::new(writer));
            ColumnEncoder { writer, pages }
        });
        RowGroupEncoder { columns: columns.collect() }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// They do not fit the table.
    pub fn push(&mut self, rows: &mut RowBatch) -> io::Result<()> {
        let mut columns = self.columns.iter_mut().zip(rows.columns());
        columns.try_for_each(|(column, values)| column.push(values).map_err(io::Error::other))
    }

    /// Writes the group to `file`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write<W: Write + Send>(self, file: &mut SerializedFileWriter<W>) -> io::Result<()> {
        let write = || -> ParquetResult<()> {
            let mut group = file.next_row_group()?;
            for column in self.columns {
                let (encoded, close) = column.finish()?;
                group.append_column(&encoded, close)?;
            }
            group.close().map(|_| ())
        };
        write().map_err(io::Error::other)
    }
}

impl ColumnEncoder {
    fn push(&mut self, column: &mut ColumnValues) -> ParquetResult<()> {
        let levels = (Some(&*column.definition), Some(&*column.repetition));
        let (definition, repetition) = levels;
        match (&mut self.writer, &mut column.values) {
            (ColumnWriter::ByteArrayColumnWriter(writer), LeafValues::Texts(text, ends)) => {
                writer.write_batch(&split_texts(text, ends), definition, repetition)
            }
            (ColumnWriter::Int32ColumnWriter(writer), LeafValues::Int32(values)) => {
                writer.write_batch(values, definition, repetition)
            }
            (ColumnWriter::Int64ColumnWriter(writer), LeafValues::Int64(values)) => {
                writer.write_batch(values, definition, repetition)
            }
            _ => return Err(io::Error::other("a column of another kind").into()),
        }
        .map(|_| ())
    }

    fn finish(self) -> ParquetResult<(Bytes, ColumnCloseResult)> {
        let close = self.writer.close()?;
        Ok((Bytes::from(self.pages.take()), close))
    }
}

/// The bytes of the pages of a column. Shared with the writer of the pages, which the writer of
/// the column owns and does not give back.
#[derive(Debug, Clone, Default)]
struct PageBuffer(Arc<Mutex<Vec<u8>>>);

impl PageBuffer {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for PageBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes pages to memory.
struct BufferedPages(TrackedWrite<PageBuffer>);

impl PageWriter for BufferedPages {
    fn write_page(&mut self, page: CompressedPage) -> ParquetResult<PageWriteSpec> {
        let spec = SerializedPageWriter::new(&mut self.0).write_page(page)?;
        self.0.flush()?;
        Ok(spec)
    }

    fn close(&mut self) -> ParquetResult<()> {
        Ok(self.0.flush()?)
    }
}
