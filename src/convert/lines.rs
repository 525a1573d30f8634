//! Opens what is converted, splits it into lines and checks that each is JSON.
//!
//! The lines are the same whatever pieces the bytes come in. Memory is bounded, and a line that lies whole in one
//! piece is not copied.

use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read};
use std::os::fd::AsFd as _;

use bytes::{Buf as _, Bytes, BytesMut};
use bytestring::ByteString;
use memchr::{memchr, memrchr};

use crate::config::request::ConvertInput;
use crate::model::json::Document;
use crate::sink::pack::{MAGIC_LENGTH, detect_compression, unpack};

/// Bytes asked for at once.
const CHUNK_SIZE: usize = 256 * 1024;

/// The longest line: a page of records, which may be one large record, is refused beyond it as well.
const MAX_LINE: usize = 64 * 1024 * 1024;

/// What some programs write at the beginning of a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Splits the bytes of one input.
#[derive(Debug)]
pub struct LineSplitter {
    /// Lines that are whole, each with its newline.
    whole: Bytes,
    /// The beginning of the line behind them.
    rest: BytesMut,
    /// That line is too long, and was not given yet.
    is_too_long: bool,
    /// What comes before the next newline belongs to a line that is too long.
    is_skipping: bool,
    /// Lines given or passed over so far.
    count: u64,
    chunk_size: usize,
    max_line: usize,
}

/// One line that is not blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedLine {
    /// Its number, from 1, blank ones counted.
    pub number: u64,
    /// Its text without newline, carriage return and byte order mark.
    pub text: Result<Bytes, TooLong>,
}

/// A line is longer than any that is kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong {
    /// The longest allowed, in bytes.
    pub limit: usize,
}

impl Default for LineSplitter {
    fn default() -> LineSplitter {
        LineSplitter::with_limits(CHUNK_SIZE, MAX_LINE)
    }
}

impl LineSplitter {
    fn with_limits(piece: usize, longest: usize) -> LineSplitter {
        LineSplitter {
            whole: Bytes::new(),
            rest: BytesMut::new(),
            is_too_long: false,
            is_skipping: false,
            count: 0,
            chunk_size: piece,
            max_line: longest,
        }
    }

    /// Reads once from `input`; gives how many bytes came, none at its end. To be called when
    /// [`LineSplitter::next`] has given every line: their memory is used again once they are dropped.
    ///
    /// # Errors
    /// The input's. What was read before stays.
    pub fn fill(&mut self, input: &mut dyn Read) -> io::Result<usize> {
        self.whole = Bytes::new();
        let known = self.rest.len();
        self.rest.resize(known + self.chunk_size, 0);
        let read = read(input, self.rest.get_mut(known..).unwrap_or_default());
        let count = *read.as_ref().unwrap_or(&0);
        self.rest.truncate(known + count);
        self.split(known);
        read
    }

    /// The next line that is whole.
    pub fn next(&mut self) -> Option<NumberedLine> {
        while let Some(end) = memchr(b'\n', &self.whole) {
            let mut text = self.whole.split_to(end + 1);
            text.truncate(end);
            if let Some(line) = self.finish_line(text) {
                return Some(line);
            }
        }
        if std::mem::take(&mut self.is_too_long) {
            self.count += 1;
            return Some(self.too_long());
        }
        None
    }

    /// The line behind the last newline, once the input has ended.
    pub fn last(&mut self) -> Option<NumberedLine> {
        match self.rest.is_empty() {
            true => None,
            false => {
                let text = self.rest.split().freeze();
                self.finish_line(text)
            }
        }
    }

    /// The number of the line that comes next.
    pub fn next_number(&self) -> u64 {
        self.count + 1
    }

    /// Takes the whole lines off the rest, whose first `known` bytes hold no newline.
    fn split(&mut self, known: usize) {
        if self.is_skipping {
            match memchr(b'\n', &self.rest) {
                None => return self.rest.clear(),
                Some(end) => self.rest.advance(end + 1),
            }
            self.is_skipping = false;
        }
        let fresh = self.rest.get(known..).unwrap_or_default();
        if let Some(end) = memrchr(b'\n', fresh) {
            self.whole = self.rest.split_to(known + end + 1).freeze();
        }
        if self.rest.len() > self.max_line {
            self.is_too_long = true;
            self.is_skipping = true;
            self.rest = BytesMut::new();
        }
    }

    fn finish_line(&mut self, mut text: Bytes) -> Option<NumberedLine> {
        self.count += 1;
        if text.len() > self.max_line {
            return Some(self.too_long());
        }
        if self.count == 1 && text.starts_with(BYTE_ORDER_MARK) {
            text.advance(BYTE_ORDER_MARK.len());
        }
        if text.ends_with(b"\r") {
            text.truncate(text.len() - 1);
        }
        let line = NumberedLine { number: self.count, text: Ok(text) };
        let is_blank = |text: &Bytes| text.iter().all(u8::is_ascii_whitespace);
        (!line.text.as_ref().is_ok_and(is_blank)).then_some(line)
    }

    fn too_long(&self) -> NumberedLine {
        NumberedLine { number: self.count, text: Err(TooLong { limit: self.max_line }) }
    }
}

fn read(input: &mut dyn Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(into) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// The bytes of `input`, unpacked by what its first bytes say, whatever it is called. Their end within a member or frame is an error when it is read.
///
/// # Errors
/// It cannot be opened or read.
pub fn open(input: &ConvertInput) -> io::Result<Box<dyn Read>> {
    let mut file = match input {
        ConvertInput::File(path) => File::open(path)?,
        // Past std's own handle, whose small buffer would only be copied through.
        ConvertInput::Stdin => File::from(io::stdin().as_fd().try_clone_to_owned()?),
    };
    let first = first_bytes(&mut file)?;
    let packing = detect_compression(&first);
    unpack(packing, Read::chain(Cursor::new(first), file))
}

/// The first bytes, fewer where there are not so many.
fn first_bytes(file: &mut File) -> io::Result<Vec<u8>> {
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
/// Why it is none, without a word of its content.
pub fn parse_json_line(line: Bytes) -> Result<JsonLine, String> {
    let (text, has_invalid_utf8) = match ByteString::try_from(line.clone()) {
        Ok(text) => (text, false),
        Err(_) => (String::from_utf8_lossy(&line).into_owned().into(), true),
    };
    let doc = Document::parse(text).map_err(|invalid| invalid.to_string())?;
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

    fn split(text: &[u8], pieces: &[usize], piece: usize, longest: usize) -> Vec<NumberedLine> {
        let mut input = ChunkedReader(text, pieces.to_vec(), 0);
        let mut lines = LineSplitter::with_limits(piece, longest);
        let mut found = Vec::new();
        loop {
            let count = lines.fill(&mut input).unwrap();
            while let Some(line) = lines.next() {
                found.push(line);
            }
            if count == 0 {
                found.extend(lines.last());
                return found;
            }
        }
    }

    /// The same by the simplest means.
    fn reference(text: &[u8], longest: usize) -> Vec<NumberedLine> {
        let mut found = Vec::new();
        for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let number = at as u64 + 1;
            if line.len() > longest {
                let text = Err(TooLong { limit: longest });
                found.push(NumberedLine { number, text });
                continue;
            }
            let line = match line.strip_prefix(BYTE_ORDER_MARK) {
                Some(rest) if number == 1 => rest,
                _ => line,
            };
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.iter().all(u8::is_ascii_whitespace) {
                let text = Ok(Bytes::copy_from_slice(line));
                found.push(NumberedLine { number, text });
            }
        }
        found
    }

    proptest! {
        #[test]
        fn any_pieces_give_the_same_lines(
            text in proptest::collection::vec(proptest::sample::select(b"\n\n\r ab{\xef\xbb\xbf".to_vec()), 0..200),
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
    fn a_line_within_one_chunk_is_not_copied() {
        let mut lines = LineSplitter::default();
        lines.fill(&mut &b"{\"a\":1}\n{\"b\":2}\n{"[..]).unwrap();
        let first = lines.next().unwrap().text.unwrap();
        let second = lines.next().unwrap().text.unwrap();
        assert_eq!(first.as_ptr() as usize + 8, second.as_ptr() as usize);
    }

    #[test]
    fn memory_does_not_grow_with_the_input() {
        let text = b"{\"id\":\"a line of some length\"}\n".repeat(200_000);
        let mut input = &text[..];
        let mut lines = LineSplitter::default();
        while lines.fill(&mut input).unwrap() > 0 {
            while lines.next().is_some() {}
            assert!(lines.rest.capacity() <= 4 * CHUNK_SIZE);
        }
        assert_eq!(lines.count, 200_000);
    }

    #[test]
    fn an_endless_line_is_reported_once_and_not_stored() {
        let mut lines = LineSplitter::with_limits(16, 64);
        let text = [&b"x".repeat(1_000)[..], b"\n{}\n"].concat();
        let mut input = &text[..];
        let mut numbers = Vec::new();
        while lines.fill(&mut input).unwrap() > 0 {
            assert!(lines.rest.len() <= 64 + 16);
            while let Some(line) = lines.next() {
                numbers.push((line.number, line.text.is_ok()));
            }
        }
        assert_eq!(numbers, [(1, false), (2, true)]);
    }
}

#[cfg(test)]
mod json_tests {
    use super::*;

    fn check(line: &[u8]) -> Result<JsonLine, String> {
        parse_json_line(Bytes::copy_from_slice(line))
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
