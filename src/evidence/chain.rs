//! The hash chain over the lines of a file: each link covers the one before, so a line can only
//! be changed, moved, added or left out together with every later link. SHA-256 alone is enough
//! to compute it; README.txt says how.

use sha2::{Digest as _, Sha256};

use super::hash::Sha256Bytes;
use crate::model::number::hex;

/// Lines between two marks.
pub const LINES_PER_MARK: u64 = 1000;

/// What begins the member of an event's line that says when it was received.
const OBSERVED_TIME_KEY: &[u8] = b"\"observed_time\":\"";

/// What the lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainKind {
    /// Events.
    Events,
    /// Answers.
    Pages,
}

impl ChainKind {
    /// The word for it, which is also the name of its folder.
    pub fn as_str(self) -> &'static str {
        match self {
            ChainKind::Events => "events",
            ChainKind::Pages => "pages",
        }
    }
}

/// A chain that grows.
#[derive(Debug)]
pub struct HashChain {
    kind: ChainKind,
    head: Sha256Bytes,
    lines: u64,
    marks: Vec<Sha256Bytes>,
}

impl HashChain {
    /// A chain over nothing.
    pub fn new(kind: ChainKind) -> HashChain {
        let seed = format!("atlaudit/chain/1\n{}\n", kind.as_str());
        HashChain { kind, head: Sha256::digest(seed).into(), lines: 0, marks: Vec::new() }
    }

    /// Takes the next line, without its newline.
    pub fn push(&mut self, line: &[u8]) {
        let mut entry = Sha256::new();
        match self.kind {
            ChainKind::Events => {
                let (before, after) = without_observed_time(line);
                entry.update(before);
                entry.update(after);
            }
            ChainKind::Pages => entry.update(line),
        }
        let mut link = Sha256::new();
        link.update(self.head);
        link.update(entry.finalize());
        self.head = link.finalize().into();
        self.lines += 1;
        if self.lines.is_multiple_of(LINES_PER_MARK) {
            self.marks.push(self.head);
        }
    }

    /// Lines so far.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The link of the last line, in hex.
    pub fn head(&self) -> String {
        hex(&self.head)
    }

    /// The links of every thousandth line, in hex.
    pub fn marks(&self) -> Vec<String> {
        self.marks.iter().map(|mark| hex(mark)).collect()
    }
}

/// An event's line without its first `"observed_time":"...",`: the same event, whenever it was
/// received. No string can hold these bytes, for a quote inside one is escaped.
fn without_observed_time(line: &[u8]) -> (&[u8], &[u8]) {
    for start in memchr::memmem::find_iter(line, OBSERVED_TIME_KEY) {
        let value = line.get(start + OBSERVED_TIME_KEY.len()..).unwrap_or_default();
        if let Some(end) = memchr::memchr(b'"', value)
            && value.get(end + 1) == Some(&b',')
        {
            let before = line.get(..start).unwrap_or_default();
            return (before, value.get(end + 2..).unwrap_or_default());
        }
    }
    (line, &[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chain(kind: ChainKind, lines: &[&str]) -> String {
        let mut chain = HashChain::new(kind);
        lines.iter().for_each(|line| chain.push(line.as_bytes()));
        chain.head()
    }

    #[test]
    fn the_time_of_receipt_is_no_part_of_an_event() {
        let event = |time: &str| format!(r#"{{"id":"x","observed_time":"{time}","action":"y"}}"#);
        let one = chain(ChainKind::Events, &[&event("2026-11-20T09:30:00.000Z")]);
        assert_eq!(one, chain(ChainKind::Events, &[&event("")]));
        assert_eq!(one, chain(ChainKind::Events, &[r#"{"id":"x","action":"y"}"#]));
        let page = chain(ChainKind::Pages, &[&event("2026-11-20T09:30:00.000Z")]);
        assert_ne!(page, chain(ChainKind::Pages, &[&event("")]));
    }

    #[test]
    fn only_the_first_whole_member_is_cut() {
        for (line, wanted) in [
            (
                r#"{"observed_time":"a","b":1,"observed_time":"c","d":2}"#,
                r#"{"b":1,"observed_time":"c","d":2}"#,
            ),
            (r#"{"observed_time":"a"}"#, r#"{"observed_time":"a"}"#),
            (
                r#"{"observed_time":"a"} {"observed_time":"b","c":1}"#,
                r#"{"observed_time":"a"} {"c":1}"#,
            ),
            (
                r#"{"a":"\"observed_time\":\"x\",","observed_time":"b","c":1}"#,
                r#"{"a":"\"observed_time\":\"x\",","c":1}"#,
            ),
            (r#"{"observed_time":"a"#, r#"{"observed_time":"a"#),
            ("", ""),
        ] {
            let (before, after) = without_observed_time(line.as_bytes());
            assert_eq!([before, after].concat(), wanted.as_bytes(), "{line}");
        }
    }

    #[test]
    fn every_thousandth_line_leaves_a_mark() {
        let mut chain = HashChain::new(ChainKind::Pages);
        for number in 1..=2500 {
            chain.push(b"{}");
            if number == 2000 {
                assert_eq!(chain.marks().last(), Some(&chain.head()));
            }
        }
        assert_eq!((chain.lines(), chain.marks().len()), (2500, 2));
    }

    proptest! {
        #[test]
        fn other_lines_have_another_chain(
            lines in proptest::collection::vec("[a-c]{0,3}", 0..6),
            others in proptest::collection::vec("[a-c]{0,3}", 0..6),
        ) {
            let of = |lines: &[String]| {
                chain(ChainKind::Events, &lines.iter().map(String::as_str).collect::<Vec<_>>())
            };
            prop_assert_eq!(of(&lines) == of(&others), lines == others);
        }
    }
}
