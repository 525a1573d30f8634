//! Sorts events by the file that they belong to and by their time, and writes the files.

use std::io::{self, Write};

use super::partitions::Partitions;
use super::table_file::TableFile;
use super::table_schema::TableSchema;
use crate::config::settings::OutputFormat;
use crate::model::json::Document;
use crate::time_sorter::TimeSorter;

/// Events in any order, on their way to the files that a template names.
#[derive(Debug)]
pub struct TableSet {
    schema: TableSchema,
    partitions: Partitions,
    sorter: TimeSorter,
}

impl TableSet {
    /// No events in `format`. The `template` is a path that may hold `{source}` and `{event_day}`.
    ///
    /// # Errors
    /// The format has no table.
    pub fn new(format: OutputFormat, template: String) -> io::Result<TableSet> {
        let schema = TableSchema::of(format)?;
        Ok(TableSet {
            partitions: Partitions::new(schema.layout, template),
            schema,
            sorter: TimeSorter::new(false, None),
        })
    }

    /// Takes the event of a line, which has no newline.
    ///
    /// # Errors
    /// The line is no event, or the temporary file cannot be written.
    pub fn push(&mut self, line: &[u8]) -> io::Result<()> {
        let event = parse(line)?;
        let place = self.partitions.place_of(event.root())?;
        self.sorter.push_to_group(place.partition, place.time, line)
    }

    /// Writes the files, one after the other: `create` opens the one at a path, and `close` gets it
    /// back when it is whole.
    ///
    /// # Errors
    /// A line does not fit the table, or a file cannot be written.
    pub fn write_files<W: Write + Send>(
        self,
        mut create: impl FnMut(&str) -> io::Result<W>,
        mut close: impl FnMut(W) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut lines = self.sorter.finish()?;
        let mut current: Option<(u32, TableFile<'_, W>)> = None;
        while let Some((partition, line)) = lines.next_of_groups()? {
            let mut file = match current.take() {
                Some((open, file)) if open == partition => file,
                other => {
                    if let Some((_, file)) = other {
                        close(file.finish()?)?;
                    }
                    TableFile::new(&self.schema, create(self.partitions.path(partition)?)?)?
                }
            };
            file.push(parse(&line)?.root())?;
            current = Some((partition, file));
        }
        match (current, self.partitions.path_without_events()) {
            (Some((_, file)), _) => close(file.finish()?),
            (None, Some(path)) => close(TableFile::new(&self.schema, create(path)?)?.finish()?),
            (None, None) => Ok(()),
        }
    }
}

/// The event of a line.
///
/// # Errors
/// It is not JSON.
pub fn parse(line: &[u8]) -> io::Result<Document> {
    let text = line.try_into().map_err(io::Error::other)?;
    Document::parse(text).map_err(io::Error::other)
}
