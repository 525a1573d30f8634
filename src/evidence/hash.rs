//! Owns SHA-256 over what is read on the way, and its writing in hex.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// A SHA-256.
pub type Sha256Bytes = [u8; 32];

/// Bytes read at once.
const CHUNK_SIZE: usize = 128 * 1024;

/// `bytes` in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    let pairs = bytes.iter();
    pairs
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

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
        HashingReader {
            inner,
            hash: Sha256::new(),
            bytes: 0,
        }
    }

    /// Reads to the end, and tells what it all was.
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
        Ok(FileDigest {
            bytes: self.bytes,
            sha256: hex(&self.hash.finalize()),
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_what_everyone_gets() {
        let wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), wanted);
        let summed = HashingReader::new(&b"abc"[..]).finish().unwrap();
        assert_eq!((summed.bytes, summed.sha256.as_str()), (3, wanted));
    }
}
