//! The one form of a JSON text that is the same for all texts that say the same.

use super::node::{Node, NodeKind};
use super::{Document, write};

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
    /// The text with the keys of its objects sorted and its strings escaped in one way; numbers as they are
    /// written. Depth costs no stack.
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
