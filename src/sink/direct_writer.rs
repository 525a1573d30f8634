//! Owns the writing of much at once to one file: blocks that go to the disk past the system's cache, by a thread of
//! their own while the next lines are made.
//!
//! Copied to the cache first and synced from there, a first pull spends more on its file than on its events. What does
//! not fill a block, and whatever the file system will not take like this, goes the usual way.
//!
//! Blocks end where they end, amid a line: nobody else may append to the file meanwhile.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use crate::crash::{self, CrashPoint};

/// What every disk takes: memory, place in the file and length are multiples of it.
const BLOCK_SIZE: usize = 4096;

/// Bytes that are written at once.
const BUFFER_SIZE: usize = 1024 * 1024;

/// Files of this process that may be written like this at once: each takes the memory of two chunks.
const MAX_DIRECT_FILES: usize = 4;

/// Files that are.
static DIRECT_FILES: AtomicUsize = AtomicUsize::new(0);

/// A file while much is written to it.
pub struct DirectWriter {
    /// What the next lines are copied to.
    filling: AlignedBuffer,
    /// Takes chunks to the thread; gone when it is to end.
    jobs: Option<SyncSender<AlignedBuffer>>,
    /// Brings them back, empty.
    done: Receiver<(AlignedBuffer, io::Result<()>)>,
    /// The other chunk, while it is not under way.
    spare: Option<AlignedBuffer>,
    thread: Option<JoinHandle<()>>,
    _slot: DirectWriteSlot,
}

/// One of the [`MAX_DIRECT_FILES`]; given back when dropped.
struct DirectWriteSlot;

/// Bytes that begin where a block may.
struct AlignedBuffer {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

/// The file, by both ways.
struct FileHandles {
    direct: File,
    buffered: File,
}

impl DirectWriter {
    /// The same file as `usual`, which is appended to; nothing where it cannot be written like this, or too many are.
    pub fn start(usual: &File) -> Option<DirectWriter> {
        let turn = DirectWriteSlot::acquire()?;
        let ways = FileHandles {
            direct: past_cache(usual)?,
            buffered: usual.try_clone().ok()?,
        };
        let (jobs, asked) = sync_channel::<AlignedBuffer>(1);
        let (told, done) = sync_channel(1);
        let work = move || {
            for mut chunk in asked {
                let written = ways.write(chunk.bytes());
                chunk.length = 0;
                if told.send((chunk, written)).is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("atlaudit-disk".to_owned());
        Some(DirectWriter {
            filling: AlignedBuffer::new(),
            jobs: Some(jobs),
            done,
            spare: Some(AlignedBuffer::new()),
            thread: Some(thread.spawn(work).ok()?),
            _slot: turn,
        })
    }

    /// How many bytes must go the usual way before a file of `length` bytes has only whole blocks.
    pub fn bytes_to_boundary(length: u64) -> usize {
        let over = usize::try_from(length % BLOCK_SIZE as u64).unwrap_or(0);
        (BLOCK_SIZE - over) % BLOCK_SIZE
    }

    /// Whether everything taken was written.
    pub fn is_empty(&self) -> bool {
        self.filling.length == 0
    }

    /// Takes `bytes`, which belong behind all that were taken before; writes what fills a chunk.
    ///
    /// # Errors
    /// An earlier chunk could not be written.
    pub fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            bytes = self.filling.fill(bytes);
            if self.filling.length == BUFFER_SIZE {
                self.submit_buffer()?;
            }
        }
        Ok(())
    }

    /// Returns when all that was taken is written but for what fills no block, which is left to the caller.
    ///
    /// # Errors
    /// It could not be written.
    pub fn flush(&mut self) -> io::Result<Vec<u8>> {
        let rest = self.filling.split_partial_block();
        if self.filling.length > 0 {
            self.submit_buffer()?;
        }
        self.wait_for_thread()?;
        Ok(rest)
    }

    fn submit_buffer(&mut self) -> io::Result<()> {
        self.wait_for_thread()?;
        if let (Some(spare), Some(jobs)) = (self.spare.take(), &self.jobs) {
            let full = std::mem::replace(&mut self.filling, spare);
            jobs.send(full).map_err(|_| thread_died())?;
        }
        Ok(())
    }

    /// Waits for the chunk that is under way.
    fn wait_for_thread(&mut self) -> io::Result<()> {
        if self.spare.is_none() {
            let (chunk, written) = self.done.recv().map_err(|_| thread_died())?;
            self.spare = Some(chunk);
            written?;
        }
        Ok(())
    }
}

impl Drop for DirectWriter {
    /// Nothing is written any more when it is gone: the file may be cut then.
    fn drop(&mut self) {
        self.jobs = None;
        let _ = self.wait_for_thread();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn thread_died() -> io::Error {
    io::Error::other("the thread that writes the file has died")
}

impl DirectWriteSlot {
    fn acquire() -> Option<DirectWriteSlot> {
        let more = |locked_error| (locked_error < MAX_DIRECT_FILES).then(|| locked_error + 1);
        let taken = DIRECT_FILES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        // Only made where it was taken: dropped, it is given back.
        taken.is_ok().then(|| DirectWriteSlot)
    }
}

impl Drop for DirectWriteSlot {
    fn drop(&mut self) {
        DIRECT_FILES.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AlignedBuffer {
    fn new() -> AlignedBuffer {
        let memory = vec![0; BUFFER_SIZE + BLOCK_SIZE];
        AlignedBuffer {
            // Never moved or grown: the memory stays where it is.
            start: memory.as_ptr().align_offset(BLOCK_SIZE).min(BLOCK_SIZE),
            length: 0,
            memory,
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length]
    }

    /// Takes what there is room for; what there is not is given back.
    fn fill<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (now, later) = bytes.split_at(bytes.len().min(BUFFER_SIZE - self.length));
        let free = self.start + self.length;
        self.memory[free..free + now.len()].copy_from_slice(now);
        self.length += now.len();
        later
    }

    /// Cuts off what fills no block.
    fn split_partial_block(&mut self) -> Vec<u8> {
        let whole = self.length / BLOCK_SIZE * BLOCK_SIZE;
        let rest = self.bytes()[whole..].to_vec();
        self.length = whole;
        rest
    }
}

impl FileHandles {
    /// In two halves where a test may want to die between them.
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let half = match cfg!(feature = "crash-points") {
            true => bytes.len() / 2 / BLOCK_SIZE * BLOCK_SIZE,
            false => 0,
        };
        let (first, rest) = bytes.split_at(half);
        self.write_all(first)?;
        crash::point(CrashPoint::HalfAppended);
        self.write_all(rest)
    }

    fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match (&self.direct).write(bytes) {
                // Behind the end of a block all must go the usual way.
                Ok(written) if written % BLOCK_SIZE != 0 => {
                    return (&self.buffered).write_all(&bytes[written..]);
                }
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Not by this file system, not behind what another program appended, or a fault: that, the usual way
                // has too, and tells it.
                Err(_) => return (&self.buffered).write_all(bytes),
            }
        }
        Ok(())
    }
}

/// The same file as `usual`, opened so that what is written goes past the cache; nothing where that cannot be had.
#[cfg(target_os = "linux")]
fn past_cache(usual: &File) -> Option<File> {
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    let flags = rustix::fs::OFlags::DIRECT.bits();
    let mut options = File::options();
    options.append(true).custom_flags(flags.cast_signed());
    // By its number: at its path may lie another by now.
    let this = format!("/proc/self/fd/{}", usual.as_raw_fd());
    options.open(this).ok()
}

/// No other system is known to take it like this.
#[cfg(not(target_os = "linux"))]
fn past_cache(_: &File) -> Option<File> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn partial_blocks_are_returned_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::write(&path, "").unwrap();
        let mut file = File::options().append(true).open(&path).unwrap();
        // Not every file system takes it.
        let Some(mut bulk) = DirectWriter::start(&file) else {
            return;
        };
        let bytes: Vec<u8> = (0..2 * BUFFER_SIZE + BLOCK_SIZE + 7).map(|at| at as u8).collect();
        bulk.write(&bytes).unwrap();
        let rest = bulk.flush().unwrap();
        assert_eq!(rest.len(), 7);
        assert!(bulk.is_empty());
        file.write_all(&rest).unwrap();
        assert!(fs::read(&path).unwrap() == bytes);
        // Behind an odd end all goes the usual way.
        bulk.write(&bytes).unwrap();
        file.write_all(&bulk.flush().unwrap()).unwrap();
        drop(bulk);
        assert!(fs::read(&path).unwrap() == [&bytes[..], &bytes].concat());
    }

    #[test]
    fn direct_files_are_limited() {
        // Other tests may hold some.
        let held: Vec<DirectWriteSlot> = (0..3 * MAX_DIRECT_FILES)
            .filter_map(|_| DirectWriteSlot::acquire())
            .collect();
        assert!(held.len() <= MAX_DIRECT_FILES);
        assert!(DirectWriteSlot::acquire().is_none() || held.len() < MAX_DIRECT_FILES);
        drop(held);
        assert!(DIRECT_FILES.load(Ordering::Relaxed) <= MAX_DIRECT_FILES);
    }

    #[test]
    fn bytes_to_boundary_reach_the_next_block() {
        let gaps = [0, 1, 4095, 4096, 4097].map(DirectWriter::bytes_to_boundary);
        assert_eq!(gaps, [0, 4095, 1, 0, 4095]);
    }
}
