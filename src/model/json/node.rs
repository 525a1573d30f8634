//! Looks up a value inside a document, and resolves its escapes.

use std::borrow::Cow;
use std::ops::Range;

use super::tape::{JsonTape, TapeEntry};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NodeKind {
    Object,
    Array,
    String,
    Literal,
    Null,
}

/// A value inside a document. Every question about it has an answer: a value of another type
/// than asked for is as good as none.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    tape: &'a JsonTape,
    at: u32,
}

impl<'a> Node<'a> {
    pub(super) fn new(tape: &'a JsonTape, at: u32) -> Node<'a> {
        Node { tape, at }
    }

    pub(super) fn index(self) -> u32 {
        self.at
    }

    /// The value of `key` in an object; of the last one where the key repeats, as most parsers do.
    /// None where that is null.
    pub fn get(self, key: &str) -> Option<Node<'a>> {
        let [value] = self.fields([key]);
        value
    }

    /// What [`Node::get`] finds for each of `keys`, in one walk over the object.
    #[inline(always)] // the keys are constants, and so are their lengths then
    pub fn fields<const N: usize>(self, keys: [&str; N]) -> [Option<Node<'a>>; N] {
        let mut found = [None; N];
        for (key, value) in self.entries() {
            let slot = match key.mark().is_escaped() {
                false => place_of(key.inner_bytes(), keys),
                true => place_of(key.string().as_ref(), keys),
            };
            if let Some(slot) = slot {
                found[slot] = (!value.is_null()).then_some(value);
            }
        }
        found
    }

    /// The text of a string that is not blank, with its escapes resolved. A lone surrogate, which
    /// no text can hold, becomes U+FFFD.
    pub fn text(self) -> Option<Cow<'a, str>> {
        if !self.is_string() {
            return None;
        }
        let text = match self.mark().is_escaped() {
            false => Cow::Borrowed(self.inner()),
            true => Cow::Owned(unescape(self.inner())),
        };
        // Nearly every text shows by its first byte that it is not blank.
        let is_clear = text.as_bytes().first().is_some_and(u8::is_ascii_graphic);
        (is_clear || !text.chars().all(char::is_whitespace)).then_some(text)
    }

    /// A string's text, or a number's or boolean's as it is written.
    pub fn scalar(self) -> Option<Cow<'a, str>> {
        match self.kind() {
            NodeKind::String => self.text(),
            NodeKind::Literal => Some(Cow::Borrowed(self.raw())),
            NodeKind::Object | NodeKind::Array | NodeKind::Null => None,
        }
    }

    /// [`Node::text`] of the value of `key`.
    pub fn text_of(self, key: &str) -> Option<Cow<'a, str>> {
        self.get(key)?.text()
    }

    /// [`Node::scalar`] of the value of `key`.
    pub fn scalar_of(self, key: &str) -> Option<Cow<'a, str>> {
        self.get(key)?.scalar()
    }

    /// Whether it is an object.
    pub fn is_object(self) -> bool {
        self.kind() == NodeKind::Object
    }

    /// Whether it is an array.
    pub fn is_array(self) -> bool {
        self.kind() == NodeKind::Array
    }

    /// Whether it is null.
    pub fn is_null(self) -> bool {
        self.kind() == NodeKind::Null
    }

    /// Whether it is a string, blank or not.
    pub fn is_string(self) -> bool {
        self.kind() == NodeKind::String
    }

    /// The elements of an array; nothing for another type.
    pub fn items(self) -> impl Iterator<Item = Node<'a>> {
        ChildNodes::of(self, NodeKind::Array)
    }

    /// Keys and values of an object, in order, repeats included; nothing for another type.
    pub fn entries(self) -> impl Iterator<Item = (Node<'a>, Node<'a>)> {
        let ChildNodes { tape, mut at, end } = ChildNodes::of(self, NodeKind::Object);
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            // A key is a string, and has one mark.
            let (key, value) = (Node::new(tape, at), Node::new(tape, at + 1));
            at = value.after();
            Some((key, value))
        })
    }

    /// Whether this is the string `wanted`.
    pub fn is(self, wanted: &str) -> bool {
        self.is_string() && *self.string() == *wanted.as_bytes()
    }

    /// The value as it is written.
    pub fn raw(self) -> &'a str {
        let mark = self.mark();
        let end = match mark.is_container() {
            true => self.mark_at(mark.link).start(),
            false => mark.link as usize,
        };
        self.tape.text.get(mark.start()..end).unwrap_or_default()
    }

    pub(super) fn kind(self) -> NodeKind {
        match self.tape.text.as_bytes().get(self.mark().start()) {
            Some(b'{') => NodeKind::Object,
            Some(b'[') => NodeKind::Array,
            Some(b'"') => NodeKind::String,
            Some(b'n') | None => NodeKind::Null,
            Some(_) => NodeKind::Literal,
        }
    }

    /// The text between a string's quotes.
    fn inner(self) -> &'a str {
        self.tape.text.get(self.inner_range()).unwrap_or_default()
    }

    /// The bytes of a string's text, blank or not, with its escapes resolved.
    #[inline]
    pub fn string(self) -> Cow<'a, [u8]> {
        let mark = self.mark();
        if mark.is_escaped() {
            return Cow::Owned(unescape(self.inner()).into_bytes());
        }
        Cow::Borrowed(self.inner_bytes())
    }

    /// The text between a string's quotes.
    #[inline]
    fn inner_bytes(self) -> &'a [u8] {
        self.tape.text.as_bytes().get(self.inner_range()).unwrap_or_default()
    }

    #[inline]
    fn inner_range(self) -> Range<usize> {
        let mark = self.mark();
        mark.start() + 1..(mark.link as usize).saturating_sub(1)
    }

    /// The index of the first mark behind this value and all that it holds.
    #[inline]
    fn after(self) -> u32 {
        match self.mark() {
            mark if mark.is_container() => mark.link + 1,
            _ => self.at + 1,
        }
    }

    #[inline]
    fn mark(self) -> TapeEntry {
        self.mark_at(self.at)
    }

    fn mark_at(self, index: u32) -> TapeEntry {
        let none = TapeEntry { start: 0, link: 0 };
        self.tape.entries.get(index as usize).copied().unwrap_or(none)
    }
}

#[inline(always)] // as in `fields`
fn place_of<const N: usize>(name: &[u8], keys: [&str; N]) -> Option<usize> {
    keys.iter().position(|wanted| *name == *wanted.as_bytes())
}

/// The values directly inside a container.
struct ChildNodes<'a> {
    tape: &'a JsonTape,
    at: u32,
    end: u32,
}

impl<'a> ChildNodes<'a> {
    /// Those of `node` if it is of this kind; else none.
    fn of(node: Node<'a>, kind: NodeKind) -> ChildNodes<'a> {
        ChildNodes {
            tape: node.tape,
            at: node.at + 1,
            end: match node.kind() == kind {
                true => node.mark().link,
                false => 0,
            },
        }
    }
}

impl<'a> Iterator for ChildNodes<'a> {
    type Item = Node<'a>;

    #[inline]
    fn next(&mut self) -> Option<Node<'a>> {
        if self.at >= self.end {
            return None;
        }
        let child = Node::new(self.tape, self.at);
        self.at = child.after();
        Some(child)
    }
}

/// Resolves the escapes of a string's inside.
fn unescape(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        out.push_str(plain);
        let start = rest.len() - escaped.len() - 1;
        let (c, length) = escape(&rest.as_bytes()[start..]);
        out.push(c);
        rest = rest.get(start + length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The character that the escape at the start of `text` stands for, and the escape's length.
fn escape(text: &[u8]) -> (char, usize) {
    let simple = match text.get(1) {
        Some(b'u') => return unicode_escape(text),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(&byte) => char::from(byte),
        None => char::REPLACEMENT_CHARACTER,
    };
    (simple, 2)
}

fn unicode_escape(text: &[u8]) -> (char, usize) {
    let unit = |at: usize| {
        let hex = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
    };
    let Some(first) = unit(0) else {
        return (char::REPLACEMENT_CHARACTER, 6);
    };
    if let Some(c) = char::from_u32(u32::from(first)) {
        return (c, 6);
    }
    let pair = unit(6).and_then(|second| char::decode_utf16([first, second]).next()?.ok());
    match pair {
        Some(c) => (c, 12),
        None => (char::REPLACEMENT_CHARACTER, 6),
    }
}
