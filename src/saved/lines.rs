//! Opens what is read, splits it into lines and checks that each is JSON. Memory is bounded.

use std::fs::{File, Metadata};
use std::io::{self, BufRead as _, BufReader, Cursor, ErrorKind, Read};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;

use bytestring::ByteString;
use memchr::memchr;

use crate::config::request::EventInput;
use crate::model::json::Document;
use crate::saved::input_files::PARQUET_UNREAD;
use crate::saved::stored_objects::StoredObjects;
use crate::sink::pack::{MAGIC_LENGTH, detect_compression, unpack};

/// Bytes read at once: so few that they are still in the processor's cache when they are split.
const CHUNK_SIZE: usize = 64 * 1024;

/// The longest line. A page of records, which may be one large record, has the same limit.
const MAX_LINE: usize = 64 * 1024 * 1024;

/// What a Parquet file begins with.
const PARQUET_MAGIC: &[u8; MAGIC_LENGTH] = b"PAR1";

/// What some programs write at the beginning of a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Splits the bytes of one input.
#[derive(Debug)]
pub struct LineReader<R> {
    input: BufReader<R>,
    /// Lines given or passed over so far.
    count: u64,
    max_line: usize,
    /// What comes before the next newline belongs to a line that is too long.
    is_skipping: bool,
}

/// One line that is not blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedLine {
    /// Its number, from 1, blank ones counted.
    pub number: u64,
    /// Its text without newline, carriage return and byte order mark; of a line that is too long,
    /// why it cannot be read.
    pub text: Result<Vec<u8>, String>,
}

impl<R: Read> LineReader<R> {
    /// Reads the lines of `input`.
    pub fn new(input: R) -> LineReader<R> {
        LineReader::with_limits(input, CHUNK_SIZE, MAX_LINE)
    }

    fn with_limits(input: R, chunk_size: usize, max_line: usize) -> LineReader<R> {
        let input = BufReader::with_capacity(chunk_size, input);
        LineReader { input, count: 0, max_line, is_skipping: false }
    }

    /// Whether the next line is not read yet to its end, so that it may have to be waited for.
    pub fn must_wait(&self) -> bool {
        memchr(b'\n', self.input.buffer()).is_none()
    }

    /// The number of the line that comes next.
    pub fn next_number(&self) -> u64 {
        self.count + 1
    }

    /// The next line; none at the end of the input.
    ///
    /// # Errors
    /// The input's. The line that it breaks off in is not known to be whole, so it is not taken for
    /// one.
    pub fn next(&mut self) -> io::Result<Option<NumberedLine>> {
        loop {
            if self.is_skipping {
                self.input.skip_until(b'\n')?;
                self.is_skipping = false;
            }
            let mut text = Vec::new();
            let most = self.max_line as u64 + 1;
            if self.input.by_ref().take(most).read_until(b'\n', &mut text)? == 0 {
                return Ok(None);
            }
            self.count += 1;
            match text.pop_if(|last| *last == b'\n') {
                None if text.len() > self.max_line => {
                    self.is_skipping = true;
                    let text = Err(format!("it is longer than {} MiB", self.max_line >> 20));
                    return Ok(Some(NumberedLine { number: self.count, text }));
                }
                _ => text.pop_if(|last| *last == b'\r'),
            };
            if self.count == 1 && text.starts_with(BYTE_ORDER_MARK) {
                text.drain(..BYTE_ORDER_MARK.len());
            }
            if !text.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(NumberedLine { number: self.count, text: Ok(text) }));
            }
        }
    }
}

/// The bytes of `input`, unpacked by what its first bytes say, whatever it is called. Their end
/// within a member or frame is an error when it is read.
///
/// # Errors
/// It cannot be opened or read.
pub fn open(input: &EventInput, stores: &mut StoredObjects) -> io::Result<Box<dyn Read>> {
    let mut file: Box<dyn Read> = match input {
        EventInput::Objects(store) => stores.open(store)?,
        EventInput::File(path) => {
            let file = File::open(path)?;
            if is_stdout(&file.metadata()?) {
                // It would grow for ever.
                return Err(io::Error::other("it is where the output goes"));
            }
            Box::new(file)
        }
        // Past std's own handle, whose small buffer would only be copied through.
        EventInput::Stdin => Box::new(File::from(io::stdin().as_fd().try_clone_to_owned()?)),
    };
    let first = first_bytes(&mut file)?;
    if first == PARQUET_MAGIC {
        return Err(io::Error::other(PARQUET_UNREAD));
    }
    let packing = detect_compression(&first);
    unpack(packing, Read::chain(Cursor::new(first), file))
}

/// Whether a file is the one that standard output is written to.
#[expect(clippy::disallowed_methods, reason = "asks only what standard output is")]
fn is_stdout(facts: &Metadata) -> bool {
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    let stdout = stdout.and_then(|stdout| File::from(stdout).metadata());
    let is_it = |own: Metadata| (own.dev(), own.ino()) == (facts.dev(), facts.ino());
    facts.is_file() && stdout.is_ok_and(is_it)
}

/// The first bytes, fewer where there are not so many.
fn first_bytes(file: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut first = Vec::with_capacity(MAGIC_LENGTH);
    file.take(MAGIC_LENGTH as u64).read_to_end(&mut first)?;
    Ok(first)
}

/// Why an input could not be read to its end, in words for those who do not know the library's.
pub fn describe_read_error(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => "what is packed in it breaks off before its end".to_owned(),
        _ => error.to_string(),
    }
}

/// A line that is JSON.
#[derive(Debug)]
pub struct JsonLine {
    /// What it says.
    pub doc: Document,
    /// Whether U+FFFD stands in place of bytes that are not valid UTF-8, as in a pull.
    pub has_invalid_utf8: bool,
}

/// `line`, when it is one JSON value and nothing else. Depth costs no stack.
///
/// # Errors
/// Why it is not JSON, without a word of its content.
pub fn parse_json_line(line: Vec<u8>) -> Result<JsonLine, String> {
    let (text, has_invalid_utf8) = match String::from_utf8(line) {
        Ok(text) => (text, false),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), true),
    };
    let doc = Document::parse(ByteString::from(text)).map_err(|invalid| invalid.to_string())?;
    Ok(JsonLine { doc, has_invalid_utf8 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives so many bytes at a time, taken in turn.
    struct ChunkedReader<'a>(&'a [u8], Vec<usize>, usize);

    impl Read for ChunkedReader<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let most = self.1[self.2 % self.1.len()];
            self.2 += 1;
            let count = self.0.len().min(most).min(into.len());
            let (now, later) = self.0.split_at(count);
            into[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    fn split(text: &[u8], pieces: &[usize], chunk: usize, longest: usize) -> Vec<NumberedLine> {
        let input = ChunkedReader(text, pieces.to_vec(), 0);
        let mut lines = LineReader::with_limits(input, chunk, longest);
        std::iter::from_fn(|| lines.next().unwrap()).collect()
    }

    /// The same by the simplest means.
    fn reference(text: &[u8], longest: usize) -> Vec<NumberedLine> {
        let mut found = Vec::new();
        for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let number = at as u64 + 1;
            if line.len() > longest {
                let text = Err("it is longer than 0 MiB".to_owned());
                found.push(NumberedLine { number, text });
                continue;
            }
            let line = match line.strip_prefix(BYTE_ORDER_MARK) {
                Some(rest) if number == 1 => rest,
                _ => line,
            };
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.iter().all(u8::is_ascii_whitespace) {
                let text = Ok(line.to_vec());
                found.push(NumberedLine { number, text });
            }
        }
        found
    }

    proptest! {
        #[test]
        fn any_pieces_give_the_same_lines(
            text in proptest::collection::vec(
                proptest::sample::select(b"\n\n\r ab{\xef\xbb\xbf".to_vec()), 0..200),
            has_mark in any::<bool>(),
            pieces in proptest::collection::vec(1usize..20, 1..8),
            piece in 1usize..40,
            longest in 0usize..30,
        ) {
            let mut whole = Vec::new();
            if has_mark {
                whole.extend_from_slice(BYTE_ORDER_MARK);
            }
            whole.extend(text);
            prop_assert_eq!(split(&whole, &pieces, piece, longest), reference(&whole, longest));
        }
    }

    #[test]
    fn an_endless_line_is_reported_once_and_not_stored() {
        let endless = io::repeat(b'x').take(1_000_000);
        let mut lines = LineReader::with_limits(endless.chain(&b"\n{}\n"[..]), 16, 64);
        let first = lines.next().unwrap().unwrap();
        assert_eq!((first.number, first.text.is_ok()), (1, false));
        assert!(lines.input.get_ref().get_ref().0.limit() > 999_900);
        assert_eq!(lines.next_number(), 2);
        let second = lines.next().unwrap().unwrap();
        assert_eq!((second.number, second.text.unwrap()), (2, b"{}".to_vec()));
        assert_eq!(lines.next().unwrap(), None);
    }

    #[test]
    fn a_line_that_is_read_need_not_be_waited_for() {
        let mut lines = LineReader::new(&b"{\"a\":1}\n{\"b\":2}\n{"[..]);
        let mut waits = Vec::new();
        for _ in 0..3 {
            waits.push(lines.must_wait());
            assert!(lines.next().unwrap().is_some());
        }
        assert_eq!(waits, [true, false, true]);
    }
}

#[cfg(test)]
mod json_tests {
    use super::*;

    fn check(line: &[u8]) -> Result<JsonLine, String> {
        parse_json_line(line.to_vec())
    }

    #[test]
    fn one_value_and_nothing_else() {
        for good in [&b"{}"[..], b" [1, {\"a\":\"\\ud800\"}]\t", b"null", b"\"\x7f\""] {
            assert!(check(good).is_ok_and(|it| !it.has_invalid_utf8));
        }
        for bad in [
            &b"{}{}"[..],
            b"{} x",
            b"{\"a\":1",
            b"{\"a\":\"\0\"}",
            b"\0",
            b"{\"a\":01}",
            b"{'a':1}",
            b"nul",
            b"{\"a\":\"\xff",
            b"\xff{}",
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_reason_names_the_place_and_nothing_of_the_content() {
        let why = check(br#"{"secret":"word" "x"}"#).unwrap_err();
        assert!(why.starts_with("expected ") && why.contains("at byte 1"), "{why}");
        assert!(!why.contains("word"), "{why}");
    }

    #[test]
    fn invalid_utf8_in_a_string_is_replaced() {
        let it = check(b"{\"a\":\"x\xffy\"}").unwrap();
        assert!(it.has_invalid_utf8);
        assert_eq!(it.doc.text(), "{\"a\":\"x\u{fffd}y\"}".as_bytes());
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = [b"[".repeat(2_000_000), b"]".repeat(2_000_000)].concat();
        assert!(check(&deep).is_ok());
    }
}
