//! SHA-256 over what is read, the hash chain over the lines of a file, and SHA256SUMS: what
//! `sha256sum` writes, and reads with `--check`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::model::text::hex;

/// The SHA-256 of `bytes`, in hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// How many bytes something has, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDigest {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
}

/// Counts and hashes what is read through it.
pub struct HashingReader<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
}

impl<R: Read> HashingReader<R> {
    /// A reader of `inner`.
    pub fn new(inner: R) -> HashingReader<R> {
        HashingReader { inner, hash: Sha256::new(), bytes: 0 }
    }

    /// Reads to the end; returns length and hash of everything.
    ///
    /// # Errors
    /// The reader's.
    pub fn finish(mut self) -> io::Result<FileDigest> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(FileDigest { bytes: self.bytes, sha256: hex(&self.hash.finalize()) })
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.hash.update(into.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }
}

/// Length and hash of a file.
///
/// # Errors
/// It cannot be read.
pub fn digest_file(path: &Path) -> io::Result<FileDigest> {
    HashingReader::new(File::open(path)?).finish()
}

/// A file has so many marks at most until they are as far apart as [`WIDEST_MARKS`].
const MOST_MARKS: usize = 1024;
/// Lines from one mark to the next, at most.
const WIDEST_MARKS: u64 = 1024;

/// What begins the member of an event's line that says when it was received.
const OBSERVED_TIME_KEY: &[u8] = b"\"observed_time\":\"";

/// What the lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainKind {
    /// Events.
    Events,
    /// Responses.
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

/// The hash chain over the lines of a file: each link covers the one before, so a line can only
/// be changed, moved, added or left out together with every later link. SHA-256 alone is enough
/// to compute it; README.txt says how.
#[derive(Debug)]
pub struct HashChain {
    kind: ChainKind,
    head: [u8; 32],
    /// Lines so far.
    pub lines: u64,
    /// Lines from one mark to the next. Of a short file each line has one, so that a change can be
    /// found exactly.
    pub lines_per_mark: u64,
    /// The links of these lines, in hex.
    pub marks: Vec<String>,
}

impl HashChain {
    /// A chain over nothing.
    pub fn new(kind: ChainKind) -> HashChain {
        let seed = format!("atlaudit/chain/1\n{}\n", kind.as_str());
        let head = Sha256::digest(seed).into();
        HashChain { kind, head, lines: 0, lines_per_mark: 1, marks: Vec::new() }
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
        if self.lines.is_multiple_of(self.lines_per_mark) {
            self.marks.push(self.head());
        }
        if self.marks.len() > MOST_MARKS && self.lines_per_mark < WIDEST_MARKS {
            self.lines_per_mark *= 2;
            let mut is_kept = true;
            self.marks.retain(|_| {
                is_kept = !is_kept;
                is_kept
            });
        }
    }

    /// The link of the last line, in hex.
    pub fn head(&self) -> String {
        hex(&self.head)
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

/// The text of SHA256SUMS, as `sha256sum` writes it, for files with their hashes.
///
/// A name with a backslash or a line's end is escaped, and a backslash at the line's beginning says
/// so.
pub fn checksum_text<'a>(sums: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let line = |(file, sha256): (&str, &str)| {
        let escaped = file.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
        let mark = if escaped == file { "" } else { "\\" };
        format!("{mark}{sha256}  {escaped}\n")
    };
    sums.into_iter().map(line).collect()
}

/// The file and the hash of a line without its newline; nothing where `sha256sum` would not have
/// written it.
pub fn parse_checksum_line(text: &str) -> Option<(String, String)> {
    let escaped = text.strip_prefix('\\');
    let (sha256, file) = escaped.unwrap_or(text).split_once("  ")?;
    let file = match escaped {
        Some(_) => unescape(file)?,
        None => file.to_owned(),
    };
    is_sha256(sha256).then(|| (file, sha256.to_owned()))
}

/// Whether `text` is a SHA-256 in lower-case hex.
pub fn is_sha256(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 64 && text.bytes().all(is_digit)
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next()? {
                '\\' => '\\',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            c => c,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hash_is_what_everyone_gets() {
        let wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), wanted);
        let summed = HashingReader::new(&b"abc"[..]).finish().unwrap();
        assert_eq!((summed.bytes, summed.sha256.as_str()), (3, wanted));
    }

    #[test]
    fn a_line_is_what_sha256sum_writes() {
        let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(checksum_text([("a b", hash)]), format!("{hash}  a b\n"));
        assert_eq!(checksum_text([("a\\b\nc", hash)]), format!("\\{hash}  a\\\\b\\nc\n"));
        for bad in [
            "",
            "x  a",
            &format!("{hash} a"),
            &format!("{}  a", hash.to_uppercase()),
            &format!("{}  a", &hash[1..]),
            &format!("\\{hash}  a\\x"),
        ] {
            assert_eq!(parse_checksum_line(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(file in "[ -~\n\r\\\\é]{1,12}", hash in "[0-9a-f]{64}") {
            let text = checksum_text([(file.as_str(), hash.as_str())]);
            let line = text.strip_suffix('\n').unwrap();
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(parse_checksum_line(line), Some((file, hash)));
        }
    }

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
    fn marks_are_close_in_a_short_file_and_never_wide_apart() {
        let mut chain = HashChain::new(ChainKind::Pages);
        let mut heads = vec![chain.head()];
        for number in 1..=1_051_000 {
            chain.push(b"");
            if number <= 5000 {
                heads.push(chain.head());
            }
            let (lines, marks) = match number {
                1024 => (1, 1024),
                1025 => (2, 512),
                5000 => (8, 625),
                1_048_576 => (1024, 1024),
                1_051_000 => (1024, 1026),
                _ => continue,
            };
            assert_eq!((chain.lines_per_mark, chain.marks.len()), (lines, marks), "{number}");
            let own = heads.iter().step_by(lines as usize).skip(1);
            assert!(number > 5000 || own.eq(&chain.marks), "{number}");
        }
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
