//! Owns JSON as it came: a compact text kept byte for byte, with an index of its values.
//!
//! An audit record must survive exactly: big numbers, `1.10`, key order, duplicate keys, odd
//! escapes. So a record is never turned into a tree and written again. Compacting removes the
//! whitespace between tokens (a pretty-printed page would tear a line of output) and [`Document`]
//! remembers where each value lies; [`Node`] looks values up and never fails on a surprise.
//!
//! Everything here expects text that a JSON parser has accepted; it does not validate again.

mod compact;
mod hash;
mod unescape;

use std::borrow::Cow;

use bytes::Bytes;

use compact::compact;
use unescape::unescape;

/// A valid JSON text without whitespace between tokens, and where its values lie.
#[derive(Debug, Clone)]
pub struct Document {
    text: Bytes,
    values: Vec<Value>,
}

/// One value, or one key of an object, in the order of the text.
#[derive(Debug, Clone, Copy)]
struct Value {
    kind: Kind,
    start: u32,
    end: u32,
    /// Index of the first value after this one and all that it holds.
    after: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Object,
    Array,
    String,
    Literal,
    Null,
}

/// The index just behind the string that starts at `start`.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// The index just behind the number or word that starts at `start`.
fn literal_end(text: &[u8], start: usize) -> usize {
    text[start..]
        .iter()
        .position(|byte| matches!(byte, b',' | b'}' | b']' | b':'))
        .map_or(text.len(), |length| start + length)
}

impl Document {
    /// Compacts and indexes a valid JSON text of less than 4 GiB. Depth costs no stack.
    pub fn new(text: Bytes) -> Document {
        let text = compact(text);
        let values = index(&text);
        Document { text, values }
    }

    /// The compact text, byte for byte the source's but for whitespace between tokens.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The outermost value.
    pub fn root(&self) -> Node<'_> {
        Node { doc: self, at: 0 }
    }
}

fn index(text: &[u8]) -> Vec<Value> {
    // A record's values are about a twentieth of its bytes.
    let mut values: Vec<Value> = Vec::with_capacity(text.len() / 20 + 1);
    let mut open: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let kind = match byte {
            b',' | b':' => {
                at += 1;
                continue;
            }
            b'}' | b']' => {
                at += 1;
                if let Some(container) = open.pop() {
                    let after = narrow(values.len());
                    values[container].end = narrow(at);
                    values[container].after = after;
                }
                continue;
            }
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'"' => Kind::String,
            b'n' => Kind::Null,
            _ => Kind::Literal,
        };
        let end = match kind {
            Kind::Object | Kind::Array => at + 1,
            Kind::String => string_end(text, at),
            Kind::Literal | Kind::Null => literal_end(text, at),
        };
        if matches!(kind, Kind::Object | Kind::Array) {
            open.push(values.len());
        }
        values.push(Value {
            kind,
            start: narrow(at),
            end: narrow(end),
            after: narrow(values.len() + 1),
        });
        at = end;
    }
    values
}

/// Responses are refused above 64 MiB, so every offset fits.
fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// A value inside a [`Document`]. Every question about it has an answer: a value of another type
/// than asked for is as good as none.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    doc: &'a Document,
    at: u32,
}

impl<'a> Node<'a> {
    /// The value of `key` in an object; of the last one where the key repeats, as most parsers do.
    pub fn get(self, key: &str) -> Option<Node<'a>> {
        self.entries()
            .filter(|(name, _)| name.is(key))
            .last()
            .map(|(_, value)| value)
            .filter(|value| value.kind() != Some(Kind::Null))
    }

    /// Follows `keys` down through objects.
    pub fn path(self, keys: &[&str]) -> Option<Node<'a>> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The text of a string that is not blank, with its escapes resolved. A lone surrogate, which
    /// no text can hold, becomes U+FFFD.
    pub fn text(self) -> Option<Cow<'a, str>> {
        if self.kind()? != Kind::String {
            return None;
        }
        let quoted = self.bytes();
        let inner = quoted.get(1..quoted.len().saturating_sub(1))?;
        let text = unescape(inner);
        (!text.trim().is_empty()).then_some(text)
    }

    /// A string's text, or a number's or boolean's as it is written.
    pub fn scalar(self) -> Option<Cow<'a, str>> {
        match self.kind()? {
            Kind::String => self.text(),
            Kind::Literal => Some(String::from_utf8_lossy(self.bytes())),
            Kind::Object | Kind::Array | Kind::Null => None,
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
        self.kind() == Some(Kind::Object)
    }

    /// Whether it is a string, blank or not.
    pub fn is_string(self) -> bool {
        self.kind() == Some(Kind::String)
    }

    /// The value's text, without a copy.
    pub fn slice(self) -> Bytes {
        self.doc.text.slice_ref(self.bytes())
    }

    /// The elements of an array; nothing for another type.
    pub fn items(self) -> impl Iterator<Item = Node<'a>> {
        let is_array = self.kind() == Some(Kind::Array);
        self.children().filter(move |_| is_array)
    }

    /// Keys and values of an object, in order, repeats included; nothing for another type.
    pub fn entries(self) -> impl Iterator<Item = (Node<'a>, Node<'a>)> {
        let mut children = self.children();
        let is_object = self.is_object();
        std::iter::from_fn(move || {
            if !is_object {
                return None;
            }
            children.next().zip(children.next())
        })
    }

    fn children(self) -> impl Iterator<Item = Node<'a>> {
        let end = self.value().map_or(0, |value| value.after);
        let mut at = self.at + 1;
        std::iter::from_fn(move || {
            let child = Node { doc: self.doc, at };
            if at >= end {
                return None;
            }
            at = child.value()?.after;
            Some(child)
        })
    }

    /// Whether this is the string `wanted`.
    fn is(self, wanted: &str) -> bool {
        let quoted = self.bytes();
        match quoted.get(1..quoted.len().saturating_sub(1)) {
            Some(inner) if inner.contains(&b'\\') => unescape(inner) == wanted,
            Some(inner) => inner == wanted.as_bytes(),
            None => false,
        }
    }

    fn value(self) -> Option<&'a Value> {
        self.doc.values.get(self.at as usize)
    }

    fn kind(self) -> Option<Kind> {
        self.value().map(|value| value.kind)
    }

    fn bytes(self) -> &'a [u8] {
        self.value()
            .and_then(|value| self.doc.text.get(value.start as usize..value.end as usize))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
