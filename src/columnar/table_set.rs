//! Sorts events by the file that they belong to and by their time, and writes the files.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::partitions::FilePartitions;
use super::table_file::TableFile;
use super::table_schema::TableSchema;
use crate::config::settings::OutputFormat;
use crate::model::json::Document;
use crate::time_sorter::{SortedLines, TimeSorter};

/// Events in any order, on their way to the files that a template names.
#[derive(Debug)]
pub struct TableSet {
    schema: TableSchema,
    partitions: FilePartitions,
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
            partitions: FilePartitions::new(schema.layout, template),
            schema,
            sorter: TimeSorter::new(false, None),
        })
    }

    /// Takes the event of a line, which has no newline.
    ///
    /// # Errors
    /// The line is no event, or the temporary file cannot be written.
    pub fn push(&mut self, line: &[u8]) -> io::Result<()> {
        let event = parse(line.to_vec())?;
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
        create: impl FnMut(&str) -> io::Result<W>,
        close: impl FnMut(W) -> io::Result<()>,
    ) -> io::Result<()> {
        let lines = self.sorter.finish()?;
        // One thread merges and reads lines, the other encodes them.
        thread::scope(|scope| {
            let (sender, blocks) = sync_channel(MAX_BLOCKS);
            let reader = scope.spawn(|| read_blocks(lines, sender));
            let files =
                TableFiles { schema: &self.schema, partitions: &self.partitions, create, close };
            let written = files.write(blocks);
            let died = |_| Err(io::Error::other("a thread died"));
            reader.join().unwrap_or_else(died).and(written)
        })
    }
}

/// Events in order, each with the number of its file.
type EventBlock = Vec<(u32, Document)>;

/// Events of a block.
const BLOCK_EVENTS: usize = 256;
/// Blocks that wait to be encoded at most.
const MAX_BLOCKS: usize = 4;

/// Reads events until their end, or until nobody takes them any more.
fn read_blocks(mut lines: SortedLines, blocks: SyncSender<EventBlock>) -> io::Result<()> {
    let mut block = Vec::with_capacity(BLOCK_EVENTS);
    while let Some((partition, line)) = lines.next_of_groups()? {
        block.push((partition, parse(line)?));
        if block.len() == BLOCK_EVENTS && blocks.send(std::mem::take(&mut block)).is_err() {
            return Ok(());
        }
    }
    let _ = blocks.send(block);
    Ok(())
}

/// The files of a set.
struct TableFiles<'s, C, D> {
    schema: &'s TableSchema,
    partitions: &'s FilePartitions,
    create: C,
    close: D,
}

impl<W, C, D> TableFiles<'_, C, D>
where
    W: Write + Send,
    C: FnMut(&str) -> io::Result<W>,
    D: FnMut(W) -> io::Result<()>,
{
    fn write(mut self, blocks: Receiver<EventBlock>) -> io::Result<()> {
        let mut current: Option<(u32, TableFile<'_, W>)> = None;
        for (partition, event) in blocks.into_iter().flatten() {
            let mut file = match current.take() {
                Some((open, file)) if open == partition => file,
                other => {
                    if let Some((_, file)) = other {
                        (self.close)(file.finish()?)?;
                    }
                    let out = (self.create)(self.partitions.path(partition)?)?;
                    TableFile::new(self.schema, out)?
                }
            };
            file.push(event.root())?;
            current = Some((partition, file));
        }
        match (current, self.partitions.path_without_events()) {
            (Some((_, file)), _) => (self.close)(file.finish()?),
            (None, Some(path)) => {
                let out = (self.create)(path)?;
                (self.close)(TableFile::new(self.schema, out)?.finish()?)
            }
            (None, None) => Ok(()),
        }
    }
}

/// The event of a line.
///
/// # Errors
/// It is not JSON.
fn parse(line: Vec<u8>) -> io::Result<Document> {
    let text = line.try_into().map_err(io::Error::other)?;
    Document::parse(text).map_err(io::Error::other)
}
