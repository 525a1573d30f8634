//! Sorts events by the file that they belong to and by their time, and writes the files.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::partitions::FilePartitions;
use super::table_file::TableFile;
use super::table_layout::TableLayout;
use super::table_schema::TableSchema;
use crate::config::settings::OutputFormat;
use crate::model::json::Document;
use crate::time_sorter::{SortedLines, TimeSorter};

/// Events in any order, on their way to the files that a template names.
#[derive(Debug)]
pub struct TableSet {
    layout: &'static TableLayout,
    partitions: FilePartitions,
    sorter: TimeSorter,
}

impl TableSet {
    /// No events in `format`. The `template` is a path that may hold placeholders of what events
    /// say.
    ///
    /// # Errors
    /// The format has no table.
    pub fn new(format: OutputFormat, template: String) -> io::Result<TableSet> {
        let layout =
            TableLayout::of(format).ok_or_else(|| io::Error::other("the format has no table"))?;
        Ok(TableSet {
            partitions: FilePartitions::new(layout, template),
            layout,
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
        let schemas = schemas_of(self.layout, &self.partitions)?;
        // One thread merges and reads lines, the other encodes them.
        thread::scope(|scope| {
            let (sender, blocks) = sync_channel(MAX_BLOCKS);
            let reader = scope.spawn(|| read_blocks(lines, sender));
            let files =
                TableFiles { schemas: &schemas, partitions: &self.partitions, create, close };
            let written = files.write(blocks);
            let died = |_| Err(io::Error::other("a thread died"));
            reader.join().unwrap_or_else(died).and(written)
        })
    }
}

/// The tables of the files, by the class that a file is of.
type ClassSchemas = HashMap<Option<u32>, TableSchema>;

fn schemas_of(
    layout: &'static TableLayout,
    partitions: &FilePartitions,
) -> io::Result<ClassSchemas> {
    let mut schemas = HashMap::from([(None, TableSchema::of(layout, None)?)]);
    for file in partitions.files() {
        if let Some(uid) = file.class_uid
            && !schemas.contains_key(&file.class_uid)
        {
            schemas.insert(Some(uid), TableSchema::of(layout, layout.class(uid))?);
        }
    }
    Ok(schemas)
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
    schemas: &'s ClassSchemas,
    partitions: &'s FilePartitions,
    create: C,
    close: D,
}

impl<'s, W, C, D> TableFiles<'s, C, D>
where
    W: Write + Send,
    C: FnMut(&str) -> io::Result<W>,
    D: FnMut(W) -> io::Result<()>,
{
    fn write(mut self, blocks: Receiver<EventBlock>) -> io::Result<()> {
        let mut current: Option<(u32, TableFile<'s, W>)> = None;
        for (partition, event) in blocks.into_iter().flatten() {
            let mut file = match current.take() {
                Some((open, file)) if open == partition => file,
                other => {
                    if let Some((_, file)) = other {
                        (self.close)(file.finish()?)?;
                    }
                    let file = self.partitions.file(partition)?;
                    self.open(file.class_uid, &file.path)?
                }
            };
            file.push(event.root())?;
            current = Some((partition, file));
        }
        match (current, self.partitions.path_without_events()) {
            (Some((_, file)), _) => (self.close)(file.finish()?),
            (None, Some(path)) => {
                let empty = self.open(None, path)?;
                (self.close)(empty.finish()?)
            }
            (None, None) => Ok(()),
        }
    }

    fn open(&mut self, class_uid: Option<u32>, path: &str) -> io::Result<TableFile<'s, W>> {
        let schema = self.schemas.get(&class_uid);
        let schema = schema.ok_or_else(|| io::Error::other("a class without a table"))?;
        TableFile::new(schema, (self.create)(path)?)
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
