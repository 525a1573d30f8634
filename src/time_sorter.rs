//! Sorts any number of events by time in bounded memory: what does not fit is sorted in runs in a
//! temporary file, and these are merged. Events may be in groups, which come one after the other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufWriter, Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use crate::model::time::Timestamp;

/// Bytes of events that are held in memory.
const MAX_HELD: usize = 32 * 1024 * 1024;

/// Bytes that all runs together are read ahead while they are merged, and those of one run.
const MERGE_BUFFERS: usize = 8 * 1024 * 1024;
const MIN_BUFFER: usize = 4 * 1024;
const MAX_BUFFER: usize = 256 * 1024;

/// Where an event stands among the others. Events without a time come last, whatever the order; of
/// one time, the one that was read first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct SortKey {
    group: u32,
    is_undated: bool,
    /// Microseconds after 1970 began; negated where the latest comes first.
    time: i64,
    /// Which of the events it is, as they were read.
    number: u64,
}

/// An event on its way through the sort.
type KeyedLine = (SortKey, Vec<u8>);

/// Takes events in any order.
#[derive(Debug)]
pub struct TimeSorter {
    is_reversed: bool,
    /// Only so many events are wanted: the first in the order.
    limit: Option<usize>,
    max_held: usize,
    held: Vec<KeyedLine>,
    held_bytes: usize,
    number: u64,
    runs: Option<RunFile>,
}

impl TimeSorter {
    /// The earliest comes first, or the latest; at most so many events are wanted.
    pub fn new(is_reversed: bool, limit: Option<u64>) -> TimeSorter {
        let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        TimeSorter {
            is_reversed,
            limit,
            max_held: MAX_HELD,
            held: Vec::new(),
            held_bytes: 0,
            number: 0,
            runs: None,
        }
    }

    /// Takes an event.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub fn push(&mut self, time: Option<Timestamp>, line: &[u8]) -> io::Result<()> {
        self.push_to_group(0, time, line)
    }

    /// Takes an event of a group.
    ///
    /// # Errors
    /// As with [`TimeSorter::push`].
    pub fn push_to_group(
        &mut self,
        group: u32,
        time: Option<Timestamp>,
        line: &[u8],
    ) -> io::Result<()> {
        let micros = time.map_or(0, |time| time.timestamp_micros());
        let key = SortKey {
            group,
            is_undated: time.is_none(),
            time: if self.is_reversed { -micros } else { micros },
            number: self.number,
        };
        self.number += 1;
        self.held.push((key, line.to_vec()));
        self.held_bytes += line.len() + size_of::<KeyedLine>();
        if self.held_bytes > self.max_held {
            self.make_room()?;
        }
        Ok(())
    }

    /// Drops what is beyond the limit; where that is not enough, writes a run.
    fn make_room(&mut self) -> io::Result<()> {
        self.sort_held();
        if self.held_bytes > self.max_held / 2 {
            let runs = match &mut self.runs {
                Some(runs) => runs,
                none => none.insert(RunFile::create()?),
            };
            runs.append(self.held.drain(..))?;
            self.held_bytes = 0;
        }
        Ok(())
    }

    fn sort_held(&mut self) {
        self.held.sort_unstable_by_key(|(key, _)| *key);
        if let Some(limit) = self.limit
            && limit < self.held.len()
        {
            self.held.truncate(limit);
            let bytes = self.held.iter().map(|(_, line)| line.len() + size_of::<KeyedLine>());
            self.held_bytes = bytes.sum();
        }
    }

    /// All events in their order.
    ///
    /// # Errors
    /// The temporary file cannot be written or read.
    pub fn finish(mut self) -> io::Result<SortedLines> {
        self.sort_held();
        let left = self.limit.unwrap_or(usize::MAX);
        let lines = match self.runs {
            None => LineOrder::Held(self.held.into_iter()),
            Some(mut runs) => {
                runs.append(self.held.drain(..))?;
                LineOrder::Merged(RunMerge::new(runs)?)
            }
        };
        Ok(SortedLines { lines, left })
    }
}

/// Events in their order.
#[derive(Debug)]
pub struct SortedLines {
    lines: LineOrder,
    /// How many more are wanted.
    left: usize,
}

#[derive(Debug)]
enum LineOrder {
    Held(std::vec::IntoIter<KeyedLine>),
    Merged(RunMerge),
}

impl SortedLines {
    /// The next event.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.next_of_groups()?.map(|(_, line)| line))
    }

    /// The next event, with its group.
    ///
    /// # Errors
    /// As with [`SortedLines::next`].
    pub fn next_of_groups(&mut self) -> io::Result<Option<(u32, Vec<u8>)>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        match &mut self.lines {
            LineOrder::Held(lines) => Ok(lines.next().map(|(key, line)| (key.group, line))),
            LineOrder::Merged(merge) => merge.next(),
        }
    }
}

/// A temporary file of sorted runs, one after the other. It has no name, so that nothing of it is
/// left whatever happens, and nobody else can read it.
#[derive(Debug)]
struct RunFile {
    file: File,
    /// The end of each run.
    ends: Vec<u64>,
}

/// What stands before each event in the file: its key (4, 1, 8 and 8 bytes) and its length.
const HEADER: usize = 25;

impl RunFile {
    fn create() -> io::Result<RunFile> {
        Ok(RunFile { file: tempfile::tempfile()?, ends: Vec::new() })
    }

    fn append(&mut self, sorted: impl Iterator<Item = KeyedLine>) -> io::Result<()> {
        let mut out = BufWriter::new(&self.file);
        for (key, line) in sorted {
            let length = u32::try_from(line.len()).map_err(io::Error::other)?;
            out.write_all(&key.group.to_le_bytes())?;
            out.write_all(&[u8::from(key.is_undated)])?;
            out.write_all(&key.time.to_le_bytes())?;
            out.write_all(&key.number.to_le_bytes())?;
            out.write_all(&length.to_le_bytes())?;
            out.write_all(&line)?;
        }
        out.flush()?;
        drop(out);
        self.ends.push(self.file.stream_position()?);
        Ok(())
    }
}

/// Reads one run.
#[derive(Debug)]
struct RunReader {
    file: Arc<File>,
    /// The part of the run that is not in the buffer yet.
    at: u64,
    end: u64,
    buffer: Vec<u8>,
    /// How much of the buffer has been handed out.
    used: usize,
    buffer_size: usize,
}

impl RunReader {
    /// The key of the next event, and the length of its line; nothing at the end of the run.
    fn header(&mut self) -> io::Result<Option<(SortKey, usize)>> {
        if self.used == self.buffer.len() && self.at == self.end {
            return Ok(None);
        }
        let mut header = Vec::with_capacity(HEADER);
        self.read(HEADER, &mut header)?;
        let key = SortKey {
            group: u32::from_le_bytes(part(&header, 0)?),
            is_undated: header.get(4) == Some(&1),
            time: i64::from_le_bytes(part(&header, 5)?),
            number: u64::from_le_bytes(part(&header, 13)?),
        };
        Ok(Some((key, u32::from_le_bytes(part(&header, 21)?) as usize)))
    }

    /// Appends the next `count` bytes to `out`. What is longer than the buffer does not pass it.
    fn read(&mut self, count: usize, out: &mut Vec<u8>) -> io::Result<()> {
        let held = self.buffer.get(self.used..).unwrap_or_default();
        let from_buffer = held.get(..count.min(held.len())).unwrap_or_default();
        out.extend_from_slice(from_buffer);
        self.used += from_buffer.len();
        let missing = count - from_buffer.len();
        if missing == 0 {
            return Ok(());
        }
        if missing >= self.buffer_size {
            let start = out.len();
            out.resize(start + missing, 0);
            let free = out.get_mut(start..).unwrap_or_default();
            self.file.read_exact_at(free, self.at)?;
            self.at += missing as u64;
            return Ok(());
        }
        let rest = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        self.buffer.resize(self.buffer_size.min(rest), 0);
        self.file.read_exact_at(&mut self.buffer, self.at)?;
        self.at += self.buffer.len() as u64;
        self.used = missing;
        out.extend_from_slice(self.buffer.get(..missing).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> io::Result<[u8; N]> {
    let part = bytes.get(at..at + N).and_then(|part| part.try_into().ok());
    part.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The runs, read at once.
#[derive(Debug)]
struct RunMerge {
    readers: Vec<RunReader>,
    /// The key of the next event of each run that has one, with the run's number and the length of
    /// the line, which is read when it is its turn: lines may be large.
    next: BinaryHeap<Reverse<(SortKey, usize, usize)>>,
}

impl RunMerge {
    fn new(runs: RunFile) -> io::Result<RunMerge> {
        let file = Arc::new(runs.file);
        let buffer_size = (MERGE_BUFFERS / runs.ends.len().max(1)).clamp(MIN_BUFFER, MAX_BUFFER);
        let starts = [0].iter().chain(&runs.ends);
        let readers = starts.zip(&runs.ends).map(|(&at, &end)| RunReader {
            file: Arc::clone(&file),
            at,
            end,
            buffer: Vec::new(),
            used: 0,
            buffer_size,
        });
        let mut merge = RunMerge { readers: readers.collect(), next: BinaryHeap::new() };
        for run in 0..merge.readers.len() {
            merge.read_header(run)?;
        }
        Ok(merge)
    }

    fn read_header(&mut self, run: usize) -> io::Result<()> {
        if let Some(reader) = self.readers.get_mut(run)
            && let Some((key, length)) = reader.header()?
        {
            self.next.push(Reverse((key, run, length)));
        }
        Ok(())
    }

    fn next(&mut self) -> io::Result<Option<(u32, Vec<u8>)>> {
        let Some(Reverse((key, run, length))) = self.next.pop() else {
            return Ok(None);
        };
        let mut line = Vec::with_capacity(length);
        if let Some(reader) = self.readers.get_mut(run) {
            reader.read(length, &mut line)?;
        }
        self.read_header(run)?;
        Ok(Some((key.group, line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn group_of(at: usize) -> u32 {
        (at % 3) as u32
    }

    fn sorted(
        times: &[Option<i64>],
        is_reversed: bool,
        limit: Option<u64>,
        max_held: usize,
    ) -> (Vec<usize>, usize) {
        let mut sorter = TimeSorter { max_held, ..TimeSorter::new(is_reversed, limit) };
        for (at, time) in times.iter().enumerate() {
            let group = group_of(at);
            let time = time.and_then(Timestamp::from_timestamp_millis);
            // Lines of several lengths, also longer than a buffer.
            let line = format!("{at} {}", "x".repeat(at * 997 % 6000));
            sorter.push_to_group(group, time, line.as_bytes()).unwrap();
        }
        let runs = sorter.runs.as_ref().map_or(0, |runs| runs.ends.len());
        let mut order = Vec::new();
        let mut lines = sorter.finish().unwrap();
        while let Some((group, line)) = lines.next_of_groups().unwrap() {
            let text = String::from_utf8(line).unwrap();
            let (at, rest) = text.split_once(' ').unwrap();
            let at: usize = at.parse().unwrap();
            assert_eq!((rest.len(), group), (at * 997 % 6000, group_of(at)));
            order.push(at);
        }
        (order, runs)
    }

    proptest! {
        #[test]
        fn any_events_come_in_order_however_little_memory_there_is(
            times in prop::collection::vec(prop::option::of(0_i64..40), 0..120),
            is_reversed in any::<bool>(),
            limit in prop::option::of(0_u64..60),
            max_held in prop_oneof![Just(0), Just(20_000), Just(10_000_000)],
        ) {
            let mut expected: Vec<usize> = (0..times.len()).collect();
            expected.sort_by_key(|&at| {
                let time = times[at].unwrap_or(0);
                (group_of(at), times[at].is_none(), if is_reversed { -time } else { time }, at)
            });
            if let Some(limit) = limit {
                expected.truncate(limit as usize);
            }
            prop_assert_eq!(sorted(&times, is_reversed, limit, max_held).0, expected);
        }
    }

    #[test]
    fn what_does_not_fit_is_written_to_runs_and_a_small_limit_needs_none() {
        let times: Vec<Option<i64>> = (0..200).map(|at| Some(at * 7919 % 211)).collect();
        assert!(sorted(&times, false, None, 100_000).1 > 3);
        assert_eq!(sorted(&times, false, Some(5), 100_000).1, 0);
        assert_eq!(sorted(&times, false, None, MAX_HELD).1, 0);
    }
}
