//! SHA-256 over what is read, and SHA256SUMS: what `sha256sum` writes, and reads with `--check`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::model::number::hex;

/// A SHA-256.
pub type Sha256Bytes = [u8; 32];

/// Bytes read at once.
const CHUNK_SIZE: usize = 128 * 1024;

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
        let mut piece = vec![0; CHUNK_SIZE];
        loop {
            match self.read(&mut piece) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
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

/// A line of SHA256SUMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChecksumLine {
    /// The SHA-256, in hex.
    pub sha256: String,
    /// The path.
    pub file: String,
}

/// The text of SHA256SUMS, as `sha256sum` writes it, for `sums` in their order.
pub fn checksum_text<'a>(sums: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let lines = sums.into_iter().map(|(file, sha256)| format_checksum_line(file, sha256));
    lines.collect()
}

/// A name with a backslash or a line's end is escaped, and a backslash at the line's beginning says
/// so.
fn format_checksum_line(file: &str, sha256: &str) -> String {
    if !file.contains(['\\', '\n', '\r']) {
        return format!("{sha256}  {file}\n");
    }
    let escaped = file.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
    format!("\\{sha256}  {escaped}\n")
}

/// Reads a line without its newline; nothing where `sha256sum` would not have written it.
pub fn parse_checksum_line(text: &str) -> Option<ChecksumLine> {
    let (is_escaped, text) = match text.strip_prefix('\\') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (sha256, file) = text.split_once("  ")?;
    let file = match is_escaped {
        true => unescape(file)?,
        false => file.to_owned(),
    };
    let sum = ChecksumLine { sha256: sha256.to_owned(), file };
    is_sha256(sha256).then_some(sum)
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
            prop_assert_eq!(parse_checksum_line(line), Some(ChecksumLine { sha256: hash, file }));
        }
    }
}
