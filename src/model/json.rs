//! Owns JSON as it came: a compact text kept byte for byte, with an index of its values.
//!
//! An audit record must survive exactly: big numbers, `1.10`, key order, duplicate keys, odd
//! escapes. So a record is never turned into a tree and written again. [`compact`] removes the
//! whitespace between tokens (a pretty-printed page would tear a line of output) and [`Document`]
//! remembers where each value lies; [`Node`] looks values up and never fails on a surprise.
//!
//! Everything here expects text that a JSON parser has accepted; it does not validate again.

use std::borrow::Cow;

use bytes::Bytes;

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

/// A valid JSON text with the whitespace between its tokens removed; what stands inside strings is
/// kept. Costs no copy when there is none.
pub fn compact(text: Bytes) -> Bytes {
    let Some(first) = next_gap(&text, 0) else {
        return text;
    };
    let mut out = Vec::with_capacity(text.len());
    let mut kept_from = 0;
    let mut gap = Some(first);
    while let Some(at) = gap {
        out.extend_from_slice(&text[kept_from..at]);
        kept_from = at + count_whitespace(&text[at..]);
        gap = next_gap(&text, kept_from);
    }
    out.extend_from_slice(&text[kept_from..]);
    Bytes::from(out)
}

/// Where the next whitespace outside a string begins. `from` lies outside a string.
fn next_gap(text: &[u8], mut from: usize) -> Option<usize> {
    while let Some(&byte) = text.get(from) {
        match byte {
            b'"' => from = string_end(text, from),
            byte if is_whitespace(byte) => return Some(from),
            _ => from += 1,
        }
    }
    None
}

fn count_whitespace(text: &[u8]) -> usize {
    text.iter().take_while(|&&byte| is_whitespace(byte)).count()
}

fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
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

    /// A hash of what the text says, the same whatever the order of an object's keys: a server is
    /// free to write one record's keys in another order the next time.
    ///
    /// Not proof against someone who seeks collisions; it only compares records of the same id.
    pub fn content_hash(&self) -> u64 {
        let mut hashes = vec![0; self.values.len()];
        // From the back, so that a container finds its parts done; depth costs no stack.
        for at in (0..self.values.len()).rev() {
            let node = Node {
                doc: self,
                at: narrow(at),
            };
            let hash_of = |part: Node<'_>| hashes[part.at as usize];
            hashes[at] = match self.values[at].kind {
                Kind::Object => node.entries().fold(1, |sum: u64, (key, value)| {
                    sum.wrapping_add(mix(hash_of(key) ^ mix(hash_of(value))))
                }),
                Kind::Array => node.items().fold(2, |sum, item| mix(sum ^ hash_of(item))),
                Kind::String | Kind::Literal | Kind::Null => fnv1a(node.bytes()),
            };
        }
        hashes.first().copied().unwrap_or_default()
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

/// FNV-1a, 64 bits (Fowler, Noll and Vo).
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Spreads every bit over all others (the finalizer of SplitMix64), so that sums and exclusive ors
/// of hashes keep apart what differs.
fn mix(mut hash: u64) -> u64 {
    hash = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
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

/// Resolves the escapes of a string's inside.
fn unescape(inner: &[u8]) -> Cow<'_, str> {
    if !inner.contains(&b'\\') {
        return String::from_utf8_lossy(inner);
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
        out.extend_from_slice(&rest[..at]);
        let (c, length) = escape(&rest[at..]);
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        rest = rest.get(at + length..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn doc(text: &str) -> Document {
        Document::new(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn compacting_keeps_every_byte_that_matters() {
        let text =
            "{ \"a\" : [ 1.10 ,\n12345678901234567890123 ] ,\t\"a\": \" x\\\" \\u0041 \" }\r\n";
        assert_eq!(
            doc(text).text(),
            br#"{"a":[1.10,12345678901234567890123],"a":" x\" \u0041 "}"#
        );
    }

    #[test]
    fn a_compact_text_is_not_copied() {
        let text = Bytes::from_static(br#"{"a":"b c"}"#);
        assert_eq!(compact(text.clone()).as_ptr(), text.as_ptr());
    }

    #[test]
    fn values_are_found_and_surprises_are_none() {
        let doc =
            doc(r#"{"a":{"b":"x","n":7,"t":true,"e":"","z":null},"l":[1,"two",{}],"a\u0062":"k"}"#);
        let root = doc.root();
        assert_eq!(root.path(&["a", "b"]).unwrap().text().unwrap(), "x");
        assert_eq!(root.get("a").unwrap().scalar_of("n").unwrap(), "7");
        assert_eq!(root.get("a").unwrap().scalar_of("t").unwrap(), "true");
        assert_eq!(root.get("a").unwrap().text_of("n"), None);
        assert_eq!(root.get("a").unwrap().text_of("e"), None);
        assert!(root.get("a").unwrap().get("z").is_none());
        assert_eq!(root.text_of("ab").unwrap(), "k");
        assert_eq!(root.get("l").unwrap().items().count(), 3);
        assert_eq!(root.items().count(), 0);
        assert!(root.get("l").unwrap().get("two").is_none());
    }

    #[test]
    fn the_last_of_repeated_keys_counts() {
        assert_eq!(
            doc(r#"{"a":"1","a":"2"}"#).root().text_of("a").unwrap(),
            "2"
        );
    }

    #[test]
    fn escapes_pairs_and_lone_surrogates() {
        let text = |json: &str| doc(json).root().text().unwrap().into_owned();
        assert_eq!(text(r#""\ud83d\ude00 \u00e9\n\/""#), "😀 é\n/");
        assert_eq!(text(r#""a\ud800b""#), "a\u{fffd}b");
        assert_eq!(text(r#""\ud800\u0041""#), "\u{fffd}A");
        assert_eq!(text(r#""x\u0000y""#), "x\0y");
    }

    #[test]
    fn content_is_the_same_in_any_order_of_keys_and_nothing_else() {
        let hash = |text: &str| doc(text).content_hash();
        let one = hash(r#"{"a":{"x":1,"y":[1,2]},"b":"t"}"#);
        assert_eq!(one, hash(r#"{ "b":"t", "a":{"y":[1, 2],"x":1} }"#));
        for other in [
            r#"{"a":{"x":1,"y":[2,1]},"b":"t"}"#,
            r#"{"a":{"x":1,"y":[1,2]},"b":"u"}"#,
            r#"{"b":{"x":1,"y":[1,2]},"a":"t"}"#,
            r#"{"a":{"x":1,"y":[1,2]},"b":"t","c":null}"#,
            r#"[{"a":{"x":1,"y":[1,2]},"b":"t"}]"#,
        ] {
            assert_ne!(one, hash(other), "{other}");
        }
        assert_ne!(hash("[[],[1]]"), hash("[[1],[]]"));
        assert_ne!(hash("{}"), hash("[]"));
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(doc(&deep).root().items().count(), 1);
        assert_ne!(doc(&deep).content_hash(), 0);
    }

    fn json_value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            ".{0,12}".prop_map(Into::into),
            "[ \t\r\n\\\\\"{}:,]{0,8}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                prop::collection::vec((".{0,6}", inner), 0..5)
                    .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    /// What a [`Node`] says, as a tree, to hold against serde_json's.
    fn tree(node: Node<'_>) -> serde_json::Value {
        match node.kind().unwrap() {
            Kind::Null => serde_json::Value::Null,
            Kind::Literal => serde_json::from_slice(node.bytes()).unwrap(),
            Kind::String => {
                let quoted = node.bytes();
                unescape(&quoted[1..quoted.len() - 1]).into_owned().into()
            }
            Kind::Array => node.items().map(tree).collect::<Vec<_>>().into(),
            Kind::Object => serde_json::Value::Object(
                node.entries()
                    .map(|(key, value)| (tree(key).as_str().unwrap().to_owned(), tree(value)))
                    .collect(),
            ),
        }
    }

    proptest! {
        #[test]
        fn pretty_printed_and_compact_are_the_same_tokens(value in json_value()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            let compact = serde_json::to_string(&value).unwrap();
            let doc = doc(&pretty);
            prop_assert_eq!(std::str::from_utf8(doc.text()).unwrap(), compact);
            prop_assert_eq!(tree(doc.root()), value);
        }
    }
}
