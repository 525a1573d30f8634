//! What a JSON text says, whatever the order of its keys: as a text of one form, and as a hash.

use super::node::{Node, NodeKind};
use super::tape::JsonTape;
use super::{Document, write};
use crate::model::hashing::quick_hash;

/// An open container: the parts that are still to be written.
struct OpenContainer<'a> {
    parts: std::vec::IntoIter<(Option<Node<'a>>, Node<'a>)>,
    is_first: bool,
    end: u8,
}

impl<'a> OpenContainer<'a> {
    fn of(container: Node<'a>) -> OpenContainer<'a> {
        let is_object = container.is_object();
        let mut parts: Vec<_> = match is_object {
            true => container.entries().map(|(key, value)| (Some(key), value)).collect(),
            false => container.items().map(|item| (None, item)).collect(),
        };
        // Equal keys stay in their order.
        parts.sort_by_cached_key(|(key, _)| key.map(|key| key.string().into_owned()));
        OpenContainer {
            parts: parts.into_iter(),
            is_first: true,
            end: if is_object { b'}' } else { b']' },
        }
    }
}

impl Document {
    /// The text with the keys of its objects sorted and its strings escaped in one way; numbers as
    /// they are written. Depth costs no stack.
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.text().len());
        let mut open: Vec<OpenContainer<'_>> = Vec::new();
        open.extend(begin(self.root(), &mut out));
        while let Some(inner) = open.last_mut() {
            let Some((key, value)) = inner.parts.next() else {
                out.push(inner.end);
                open.pop();
                continue;
            };
            if !std::mem::take(&mut inner.is_first) {
                out.push(b',');
            }
            if let Some(key) = key {
                string(key, &mut out);
                out.push(b':');
            }
            open.extend(begin(value, &mut out));
        }
        out
    }
}

/// Writes a value, or the beginning of a container, whose parts come then.
fn begin<'a>(value: Node<'a>, out: &mut Vec<u8>) -> Option<OpenContainer<'a>> {
    match value.kind() {
        NodeKind::Object => out.push(b'{'),
        NodeKind::Array => out.push(b'['),
        NodeKind::String => {
            string(value, out);
            return None;
        }
        NodeKind::Literal | NodeKind::Null => {
            out.extend_from_slice(value.raw().as_bytes());
            return None;
        }
    }
    Some(OpenContainer::of(value))
}

fn string(value: Node<'_>, out: &mut Vec<u8>) {
    write::string(out, &String::from_utf8_lossy(&value.string()));
}

impl Document {
    /// A hash of what the text says, the same whatever the order of an object's keys: a server is
    /// free to write one record's keys in another order the next time. Made once.
    ///
    /// Not proof against someone who seeks collisions; it only compares records of the same id. It
    /// is stored in state files: another hash would need a marker of its own there.
    pub fn content_hash(&self) -> u64 {
        *self.content.get_or_init(|| hash_content(&self.tape, self.root))
    }
}

/// An open container: what its parts add up to so far.
struct ContainerHash {
    /// The index of the mark that closes it.
    close: u32,
    is_object: bool,
    sum: u64,
    /// The hash of a key whose value comes next.
    key: Option<u64>,
}

impl ContainerHash {
    fn of(close: u32, is_object: bool) -> ContainerHash {
        ContainerHash { close, is_object, sum: if is_object { 1 } else { 2 }, key: None }
    }

    #[inline]
    fn add(&mut self, hash: u64) {
        if !self.is_object {
            self.sum = mix(self.sum ^ hash);
            return;
        }
        match self.key.take() {
            None => self.key = Some(hash),
            Some(key) => self.sum = self.sum.wrapping_add(mix(key ^ mix(hash))),
        }
    }
}

/// One pass over the marks; depth costs no stack.
#[inline]
fn hash_content(tape: &JsonTape, root: u32) -> u64 {
    let text = tape.text.as_bytes();
    let marks = tape.entries.get(root as usize..).unwrap_or_default();
    let mut around: Vec<ContainerHash> = Vec::with_capacity(8);
    // Around the root is nothing, which ends nowhere.
    let mut inner = ContainerHash::of(u32::MAX, false);
    for (at, mark) in (root..).zip(marks) {
        let hash = if at == inner.close {
            let closed = around.pop().map(|outer| std::mem::replace(&mut inner, outer));
            closed.map_or(0, |closed| closed.sum)
        } else if mark.is_container() {
            let is_object = text.get(mark.start()) == Some(&b'{');
            let outer = std::mem::replace(&mut inner, ContainerHash::of(mark.link, is_object));
            around.push(outer);
            continue;
        } else {
            let bytes = text.get(mark.start()..mark.link as usize);
            quick_hash(bytes.unwrap_or_default())
        };
        if around.is_empty() {
            return hash;
        }
        inner.add(hash);
    }
    0
}

/// Spreads every bit over all others (the finalizer of SplitMix64), so that sums and exclusive ors
/// of hashes keep apart what differs.
fn mix(mut hash: u64) -> u64 {
    hash = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        let doc = Document::new(bytes::Bytes::copy_from_slice(text.as_bytes()));
        String::from_utf8(doc.canonical()).unwrap()
    }

    #[test]
    fn keys_are_sorted_and_escapes_are_one() {
        let one = canonical(r#"{"b":[1,{"y":null,"x":"\u00e9\/"}],"a":1.10}"#);
        assert_eq!(one, r#"{"a":1.10,"b":[1,{"x":"é/","y":null}]}"#);
        assert_eq!(canonical(&one), one);
        assert_eq!(canonical(r#"{"k":2,"k":1}"#), r#"{"k":2,"k":1}"#);
        for text in ["[]", "{}", "\"\"", "null", "[[],{}]"] {
            assert_eq!(canonical(text), text);
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = "[".repeat(200_000) + &"]".repeat(200_000);
        assert_eq!(canonical(&deep), deep);
    }
}
