//! The index of the values of a JSON text, and the scanner that makes it in one pass: is it valid
//! (RFC 8259, as strict as serde_json), where do its values lie, and which whitespace has to go.

use bytestring::ByteString;

use super::escape::plain_end;

/// A valid JSON text without whitespace between tokens, and where its values lie.
#[derive(Debug)]
pub struct JsonTape {
    pub text: ByteString,
    pub entries: Vec<TapeEntry>,
}

/// Where a value, or a key of an object, lies. In the order of the text; a container has a mark
/// where it opens and one where it closes, and those of its parts between them.
///
/// Most of what a record held in memory costs beside its text: keep it small.
#[derive(Debug, Clone, Copy)]
pub struct TapeEntry {
    /// Where the value starts; for the close of a container, where the container ends.
    /// With [`ESCAPED`] for a string that holds a backslash, [`CONTAINER`] for an object or array.
    pub start: u32,
    /// Where the value ends; for the opening of a container, the index of the mark of its close.
    pub link: u32,
}

/// A bit of [`TapeEntry::start`].
const ESCAPED: u32 = 1 << 31;
/// A bit of [`TapeEntry::start`].
const CONTAINER: u32 = 1 << 30;
/// Texts are shorter than this (1 GiB), so that no offset needs those bits.
const TOO_LONG: u32 = CONTAINER;

impl TapeEntry {
    pub fn start(self) -> usize {
        (self.start & !(ESCAPED | CONTAINER)) as usize
    }

    pub fn is_container(self) -> bool {
        self.start & CONTAINER != 0
    }

    pub fn is_escaped(self) -> bool {
        self.start & ESCAPED != 0
    }
}

/// Containers inside each other for which there is room from the start.
const USUAL_DEPTH: usize = 16;

/// Why a text is not one JSON value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at byte {at}")]
pub struct InvalidJson {
    expected: &'static str,
    at: usize,
}

/// Checks, compacts and indexes `text`. Depth costs no stack; a compact text is not copied.
pub fn scan(text: ByteString) -> Result<JsonTape, InvalidJson> {
    let mut scan = JsonScanner {
        text: &text,
        bytes: text.as_bytes(),
        at: 0,
        // A record has a mark in about every twelve bytes.
        marks: Vec::with_capacity(text.len() / 10 + 2),
        open: Vec::with_capacity(USUAL_DEPTH),
        compact: String::new(),
        kept_from: 0,
        removed: 0,
    };
    if text.len() >= TOO_LONG as usize {
        return Err(scan.invalid("less than 1 GiB"));
    }
    scan.value()?;
    if scan.token().is_some() {
        return Err(scan.invalid("the end"));
    }
    let JsonScanner { mut marks, mut compact, kept_from, .. } = scan;
    // Records may be held in memory for long; a copy of the marks is dearer than a few to spare.
    if marks.len() < marks.capacity() / 2 {
        marks.shrink_to_fit();
    }
    let text = match kept_from {
        0 => text,
        from => {
            compact.push_str(text.get(from..).unwrap_or_default());
            ByteString::from(compact)
        }
    };
    Ok(JsonTape { text, entries: marks })
}

struct JsonScanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    marks: Vec<TapeEntry>,
    /// The indices of the marks of the open containers, each with whether it is an object.
    open: Vec<(u32, bool)>,
    /// The text so far without whitespace, up to `kept_from`; empty while there was none.
    compact: String,
    kept_from: usize,
    removed: usize,
}

/// What comes next inside a container.
#[derive(Clone, Copy)]
enum NextToken {
    /// A key and its value.
    Key,
    /// An element of an array.
    Item,
}

impl NextToken {
    fn of(is_object: bool) -> NextToken {
        match is_object {
            true => NextToken::Key,
            false => NextToken::Item,
        }
    }
}

impl JsonScanner<'_> {
    /// One value and all that it holds.
    fn value(&mut self) -> Result<(), InvalidJson> {
        loop {
            let opened = match self.token() {
                Some(b'{') => self.open(true, b'}'),
                Some(b'[') => self.open(false, b']'),
                Some(b'"') => self.string().map(|()| None)?,
                Some(b'-' | b'0'..=b'9') => self.number().map(|()| None)?,
                Some(b't') => self.word("true").map(|()| None)?,
                Some(b'f') => self.word("false").map(|()| None)?,
                Some(b'n') => self.word("null").map(|()| None)?,
                _ => return Err(self.invalid("a value")),
            };
            let next = match opened {
                None => self.finish_value()?,
                opened => opened,
            };
            match next {
                Some(NextToken::Key) => self.key()?,
                Some(NextToken::Item) => {}
                None => return Ok(()),
            }
        }
    }

    /// Behind a value: closes the containers that end here. What follows, if anything does.
    #[inline]
    fn finish_value(&mut self) -> Result<Option<NextToken>, InvalidJson> {
        while let Some(&(opened, is_object)) = self.open.last() {
            match (self.token(), is_object) {
                (Some(b','), _) => {
                    self.at += 1;
                    return Ok(Some(NextToken::of(is_object)));
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.open.pop();
                    self.close(opened);
                }
                _ => return Err(self.invalid("a comma or the container's end")),
            }
        }
        Ok(None)
    }

    /// Opens a container. Returns what comes next in it; an empty container is closed at once.
    #[inline]
    fn open(&mut self, is_object: bool, end: u8) -> Option<NextToken> {
        let index = self.marks.len() as u32;
        self.push(self.at, self.at, CONTAINER);
        self.at += 1;
        if self.token() == Some(end) {
            self.close(index);
            return None;
        }
        self.open.push((index, is_object));
        Some(NextToken::of(is_object))
    }

    fn close(&mut self, opened: u32) {
        self.at += 1;
        let index = self.marks.len() as u32;
        if let Some(mark) = self.marks.get_mut(opened as usize) {
            mark.link = index;
        }
        self.push(self.at, self.at, 0);
    }

    #[inline(always)] // called from one place, for every second value
    fn key(&mut self) -> Result<(), InvalidJson> {
        if self.token() != Some(b'"') {
            return Err(self.invalid("a key"));
        }
        self.string()?;
        if self.token() != Some(b':') {
            return Err(self.invalid("a colon"));
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    fn string(&mut self) -> Result<(), InvalidJson> {
        let start = self.at;
        let end = plain_end(self.bytes, start + 1);
        if self.bytes.get(end) != Some(&b'"') {
            return self.escaped_string(end);
        }
        self.at = end + 1;
        self.push(start, self.at, 0);
        Ok(())
    }

    /// A string that is plain up to `end` only.
    #[inline(never)]
    fn escaped_string(&mut self, mut end: usize) -> Result<(), InvalidJson> {
        let start = self.at;
        while self.bytes.get(end) != Some(&b'"') {
            self.at = end;
            self.escape()?;
            end = plain_end(self.bytes, self.at);
        }
        self.at = end + 1;
        self.push(start, self.at, ESCAPED);
        Ok(())
    }

    /// Steps over a backslash and what it escapes.
    fn escape(&mut self) -> Result<(), InvalidJson> {
        let is_hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
        if self.bytes.get(self.at) != Some(&b'\\') {
            return Err(self.invalid("the string's end"));
        }
        self.at += match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') if self.bytes.get(self.at + 2..self.at + 6).is_some_and(is_hex) => 6,
            _ => return Err(self.invalid("an escape")),
        };
        Ok(())
    }

    fn number(&mut self) -> Result<(), InvalidJson> {
        let start = self.at;
        self.skip(|byte| byte == b'-');
        match self.bytes.get(self.at) {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.skip(|byte| byte == b'.') {
            self.digits()?;
        }
        if self.skip(|byte| matches!(byte, b'e' | b'E')) {
            self.skip(|byte| matches!(byte, b'+' | b'-'));
            self.digits()?;
        }
        self.push(start, self.at, 0);
        Ok(())
    }

    fn digits(&mut self) -> Result<(), InvalidJson> {
        if !self.skip(|byte| byte.is_ascii_digit()) {
            return Err(self.invalid("a digit"));
        }
        while self.skip(|byte| byte.is_ascii_digit()) {}
        Ok(())
    }

    /// Steps over one byte if it is `wanted`.
    fn skip(&mut self, wanted: impl Fn(u8) -> bool) -> bool {
        let is_it = self.bytes.get(self.at).is_some_and(|&byte| wanted(byte));
        self.at += usize::from(is_it);
        is_it
    }

    fn word(&mut self, word: &str) -> Result<(), InvalidJson> {
        let start = self.at;
        let end = start + word.len();
        if self.bytes.get(start..end) != Some(word.as_bytes()) {
            return Err(self.invalid("a value"));
        }
        self.at = end;
        self.push(start, end, 0);
        Ok(())
    }

    /// Notes a value. Texts are shorter than [`TOO_LONG`], so that every offset fits.
    #[inline]
    fn push(&mut self, start: usize, end: usize, flags: u32) {
        self.marks.push(TapeEntry {
            start: (start - self.removed) as u32 | flags,
            link: (end - self.removed) as u32,
        });
    }

    /// The next byte that is no whitespace, which is left standing.
    #[inline]
    fn token(&mut self) -> Option<u8> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte > b' ' => Some(byte),
            Some(_) => self.skip_whitespace(),
            None => None,
        }
    }

    /// Leaves whitespace out of the compact text.
    fn skip_whitespace(&mut self) -> Option<u8> {
        let start = self.at;
        while self.skip(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {}
        if self.at > start {
            let kept = self.text.get(self.kept_from..start).unwrap_or_default();
            self.compact.reserve(match self.compact.is_empty() {
                true => self.text.len(),
                false => 0,
            });
            self.compact.push_str(kept);
            self.kept_from = self.at;
            self.removed += self.at - start;
        }
        self.bytes.get(self.at).copied()
    }

    fn invalid(&self, expected: &'static str) -> InvalidJson {
        InvalidJson { expected, at: self.at }
    }
}
