//! Writes events to their files as they come, where they come nearly in the order of time.
//!
//! Sorting all of them first would write and read them once more. What comes out of order is sorted
//! among the events that are held; what comes later than that is refused, and all is to be done
//! again by a [`super::TableSet`].

use std::io::{self, Write};

use super::partitions::Partitions;
use super::table_file::TableFile;
use super::table_schema::TableSchema;
use super::table_set::parse;
use crate::model::json::Document;
use crate::model::time::Timestamp;

/// Bytes of events that are held; of these, the later half stays.
const MAX_HELD: usize = 16 * 1024 * 1024;

/// Files that are open at once. Each holds a row group in memory, encoded.
const MAX_OPEN: usize = 4;

/// Why an event cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OrderedError {
    /// It belongs before one that is written.
    #[error("an event comes too late for its place in the file")]
    OutOfOrder,
    /// It does not fit the table, or a file cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Events that come nearly in the order of time, and the files that they are written to.
pub struct OrderedTables<'s, W: Write + Send, C, D> {
    schema: &'s TableSchema,
    partitions: Partitions,
    /// The earlier ones are sorted.
    held: Vec<HeldEvent>,
    held_bytes: usize,
    /// The files that are open, the one written to last at the end.
    open: Vec<OpenTable<'s, W>>,
    /// The files that are closed.
    closed: Vec<u32>,
    create: C,
    close: D,
}

struct HeldEvent {
    partition: u32,
    time: SortTime,
    event: Document,
}

/// Events without a time come last.
type SortTime = (bool, Option<Timestamp>);

struct OpenTable<'s, W: Write + Send> {
    partition: u32,
    /// The time of the last event.
    last: SortTime,
    file: TableFile<'s, W>,
}

impl<'s, W, C, D> OrderedTables<'s, W, C, D>
where
    W: Write + Send,
    C: FnMut(&str) -> io::Result<W>,
    D: FnMut(W) -> io::Result<()>,
{
    /// No events. The `template` is a path that may hold `{source}` and `{event_day}`; `create`
    /// opens the file at a path, and `close` gets it back when it is whole.
    pub fn new(schema: &'s TableSchema, template: String, create: C, close: D) -> Self {
        OrderedTables {
            schema,
            partitions: Partitions::new(schema.layout, template),
            held: Vec::new(),
            held_bytes: 0,
            open: Vec::new(),
            closed: Vec::new(),
            create,
            close,
        }
    }

    /// Takes the event of a line, which has no newline.
    ///
    /// # Errors
    /// An event comes too late, or does not fit the table, or a file cannot be written.
    pub fn push(&mut self, line: &[u8]) -> Result<(), OrderedError> {
        let event = parse(line)?;
        let place = self.partitions.place_of(event.root())?;
        let time = (place.time.is_none(), place.time);
        self.held.push(HeldEvent { partition: place.partition, time, event });
        self.held_bytes += line.len();
        match self.held_bytes > MAX_HELD {
            true => self.write_held(MAX_HELD / 2),
            false => Ok(()),
        }
    }

    /// Writes what is held, and closes the files.
    ///
    /// # Errors
    /// As with [`OrderedTables::push`].
    pub fn finish(mut self) -> Result<(), OrderedError> {
        self.write_held(0)?;
        for table in self.open.drain(..) {
            (self.close)(table.file.finish()?)?;
        }
        if let Some(path) = self.partitions.path_without_events() {
            let file = TableFile::new(self.schema, (self.create)(path)?)?;
            (self.close)(file.finish()?)?;
        }
        Ok(())
    }

    /// Writes the earliest of what is held, until no more than `left` bytes are.
    fn write_held(&mut self, left: usize) -> Result<(), OrderedError> {
        self.held.sort_by_key(|held| held.time);
        let mut held = std::mem::take(&mut self.held).into_iter();
        while self.held_bytes > left
            && let Some(next) = held.next()
        {
            self.held_bytes -= next.event.text().len();
            self.write(next)?;
        }
        self.held = held.collect();
        Ok(())
    }

    fn write(&mut self, held: HeldEvent) -> Result<(), OrderedError> {
        let HeldEvent { partition, time, event } = held;
        let place = self.open.iter().rposition(|table| table.partition == partition);
        let mut table = match place {
            Some(place) => self.open.remove(place),
            None if self.closed.contains(&partition) => return Err(OrderedError::OutOfOrder),
            None => {
                if self.open.len() == MAX_OPEN {
                    let table = self.open.remove(0);
                    self.closed.push(table.partition);
                    (self.close)(table.file.finish()?)?;
                }
                let out = (self.create)(self.partitions.path(partition)?)?;
                OpenTable { partition, last: time, file: TableFile::new(self.schema, out)? }
            }
        };
        if time < table.last {
            return Err(OrderedError::OutOfOrder);
        }
        table.file.push(event.root())?;
        table.last = time;
        self.open.push(table);
        Ok(())
    }
}
