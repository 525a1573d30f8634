//! Reads a compressed file of lines, whatever it holds, in bounded memory; with the file's own
//! length and hash at the end, also where its lines cannot be read to theirs.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read as _};
use std::path::Path;

use bytes::Bytes;
use zstd::stream::read::Decoder;

use super::hash::{FileDigest, HashingReader};

/// Bytes read and unpacked at once.
const CHUNK_SIZE: usize = 256 * 1024;

/// The longest line. A response is refused beyond 64 MiB, and an event says the most of it twice
/// beside its raw text.
const MAX_LINE: usize = 256 * 1024 * 1024;

/// The largest window that is unpacked, as a power of two: 8 MiB, four times what our level has.
const WINDOW_LOG: u32 = 23;

/// Why the rest of the lines cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackedLineError {
    /// What is packed breaks off, or is no zstd.
    #[error("{0}")]
    Corrupt(String),
    /// The next line is longer than the longest that is read.
    #[error("a line is longer than {0} bytes")]
    TooLong(usize),
    /// With the next line there would be more text than was to be read.
    #[error("it has more than its manifest says")]
    LimitReached,
}

/// The lines of a file.
pub struct PackedLines {
    input: BufReader<Decoder<'static, BufReader<HashingReader<File>>>>,
    longest: usize,
    /// Bytes of the lines given so far, newlines included.
    pub text_bytes: u64,
    text_limit: u64,
    /// Whether the last line had no newline.
    pub lacks_final_newline: bool,
    /// Whether the file has not even a frame.
    is_empty: bool,
}

impl PackedLines {
    /// Opens the file at `path`, to read no more than so many bytes of text.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: &Path, text_limit: u64) -> io::Result<PackedLines> {
        let mut packed =
            BufReader::with_capacity(CHUNK_SIZE, HashingReader::new(open_regular_file(path)?));
        let is_empty = packed.fill_buf()?.is_empty();
        Ok(PackedLines {
            is_empty,
            input: BufReader::with_capacity(CHUNK_SIZE, unpack(packed)?),
            longest: MAX_LINE,
            text_bytes: 0,
            text_limit,
            lacks_final_newline: false,
        })
    }

    /// The next line without its newline; nothing at the end.
    ///
    /// # Errors
    /// The rest cannot be read; nothing follows.
    pub fn next(&mut self) -> Result<Option<Bytes>, PackedLineError> {
        if self.is_empty {
            return Ok(None);
        }
        let mut line = Vec::new();
        let most = self.text_limit.saturating_sub(self.text_bytes).min(self.longest as u64 + 1);
        // One byte more shows whether there is more.
        let read = (&mut self.input).take(most + 1).read_until(b'\n', &mut line);
        let count = line.len() as u64;
        let has_newline = line.pop_if(|byte| *byte == b'\n').is_some();
        if line.len() > self.longest {
            return Err(PackedLineError::TooLong(self.longest));
        }
        if count > most {
            return Err(PackedLineError::LimitReached);
        }
        self.text_bytes += count;
        read.map_err(|error| PackedLineError::Corrupt(describe_read_error(&error)))?;
        self.lacks_final_newline |= count > 0 && !has_newline;
        Ok((count > 0).then(|| line.into()))
    }

    /// Length and hash of the file itself, whatever was read of it.
    ///
    /// # Errors
    /// It cannot be read to its end.
    pub fn finish(self) -> io::Result<FileDigest> {
        self.input.into_inner().finish().into_inner().finish()
    }
}

/// Unpacks zstd in little memory: a frame may ask for far more than any that is written here needs.
///
/// # Errors
/// The library has no memory.
pub fn unpack<R: BufRead>(packed: R) -> io::Result<Decoder<'static, R>> {
    let mut decoder = Decoder::with_buffer(packed)?;
    decoder.window_log_max(WINDOW_LOG)?;
    Ok(decoder)
}

/// Why something packed could not be read to its end, in words for those who do not know the
/// library's.
pub fn describe_read_error(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => "what is packed in it breaks off before its end".to_owned(),
        _ if error.raw_os_error().is_some() => error.to_string(),
        _ => format!("what is packed in it is damaged ({error})"),
    }
}

/// Opens a regular file and nothing else: opening a pipe could block, and a link leads
/// elsewhere.
///
/// # Errors
/// It cannot be opened, or is something else.
pub fn open_regular_file(path: &Path) -> io::Result<File> {
    match std::fs::symlink_metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8], longest: usize) -> (Vec<Bytes>, Option<PackedLineError>, bool, u64) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let mut lines = PackedLines::open(file.path(), u64::MAX).unwrap();
        lines.longest = longest;
        let mut found = Vec::new();
        let broken = loop {
            match lines.next() {
                Ok(Some(line)) => found.push(line),
                Ok(None) => break None,
                Err(broken) => break Some(broken),
            }
        };
        let (unended, text_bytes) = (lines.lacks_final_newline, lines.text_bytes);
        let summed = lines.finish().unwrap();
        assert_eq!(summed.bytes, bytes.len() as u64);
        assert_eq!(summed.sha256, super::super::hash::sha256(bytes));
        (found, broken, unended, text_bytes)
    }

    fn pack(text: &[u8]) -> Vec<u8> {
        zstd::encode_all(text, 3).unwrap()
    }

    #[test]
    fn frames_follow_each_other_and_nothing_is_nothing() {
        let whole = [pack(b"a\nb"), pack(b"c\n"), pack(b""), pack(b"\nd")].concat();
        let (lines, broken, unended, text_bytes) = read(&whole, 100);
        assert_eq!(lines, [&b"a"[..], b"bc", b"", b"d"]);
        assert_eq!((broken, unended, text_bytes), (None, true, 7));
        for nothing in [Vec::new(), pack(b"")] {
            assert_eq!(read(&nothing, 100), (Vec::new(), None, false, 0));
        }
    }

    #[test]
    fn corrupt_input_is_reported_and_hashed() {
        let frame = pack(b"a\nb\n");
        let torn = [frame.clone(), frame[..frame.len() - 2].to_vec()].concat();
        let alien = [frame, b"not zstd".to_vec()].concat();
        for bytes in [torn, alien, b"plain\n".to_vec()] {
            assert!(matches!(read(&bytes, 100).1, Some(PackedLineError::Corrupt(_))));
        }
    }

    #[test]
    fn an_endless_line_uses_bounded_memory() {
        let bomb = pack(&vec![b'x'; 10_000_000]);
        assert_eq!(read(&bomb, 1000).1, Some(PackedLineError::TooLong(1000)));
        let (lines, broken, ..) = read(&pack(&[vec![b'x'; 1000], vec![b'\n']].concat()), 1000);
        assert_eq!((lines.len(), broken), (1, None));
    }

    #[test]
    fn no_more_is_read_than_requested() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), pack(b"one\ntwo\nthree\n")).unwrap();
        for (most, count) in [(0, 0), (3, 0), (4, 1), (7, 1), (8, 2), (13, 2), (14, 3)] {
            let mut lines = PackedLines::open(file.path(), most).unwrap();
            let read = std::iter::from_fn(|| match lines.next() {
                Err(broken) => {
                    assert_eq!(broken, PackedLineError::LimitReached);
                    None
                }
                Ok(line) => line,
            });
            assert_eq!(read.count(), count, "{most}");
        }
    }

    #[test]
    fn a_frame_that_needs_much_memory_is_refused() {
        use std::io::Write as _;
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&vec![b'\n'; 1 << 20]).unwrap();
        let greedy = encoder.finish().unwrap();
        assert!(matches!(read(&greedy, 100).1, Some(PackedLineError::Corrupt(_))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_read_to_some_end(bytes: Vec<u8>, at: usize) {
            read(&bytes, 100);
            let mut packed = pack(&bytes);
            let at = at % packed.len();
            packed[at] ^= 0x40;
            read(&packed, 100);
        }
    }
}
