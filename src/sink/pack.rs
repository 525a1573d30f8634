//! Compresses lines, the last step on their way out: each commit is a whole gzip member or zstd
//! frame, so that the file up to any commit decodes by itself. On a terminal, control characters
//! are escaped.

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Write as _};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::config::settings::Compression;
use crate::model::json::escape::escape_controls;

/// zstd's own default.
const ZSTD_LEVEL: i32 = 3;

/// Packs the lines of one commit after the other.
pub struct LineEncoder {
    compression: Compression,
    is_terminal: bool,
    frame: Option<EncoderFrame>,
    /// Packed bytes on their way out; kept for its allocation.
    packed: Vec<u8>,
}

/// A member or frame that has been begun.
enum EncoderFrame {
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl LineEncoder {
    /// A packer of what is written to `output`, which has begun nothing.
    pub fn new(compression: Compression, output: &impl IsTerminal) -> LineEncoder {
        LineEncoder {
            compression,
            is_terminal: output.is_terminal(),
            frame: None,
            packed: Vec::new(),
        }
    }

    /// A packer of what stays in memory.
    #[cfg(feature = "object-store")]
    pub fn in_memory(compression: Compression) -> LineEncoder {
        LineEncoder { compression, is_terminal: false, frame: None, packed: Vec::new() }
    }

    /// Takes `lines`; gives what can be written of them by now.
    ///
    /// # Errors
    /// zstd's, which for writing to memory is a lack of it.
    pub fn encode<'a>(&'a mut self, lines: &'a [u8]) -> io::Result<&'a [u8]> {
        if self.compression == Compression::None {
            if !self.is_terminal {
                return Ok(lines);
            }
            // A source's own object (`raw`) may hold anything.
            self.packed = escape_controls(lines).into_owned();
            return Ok(&self.packed);
        }
        self.packed.clear();
        let member = match &mut self.frame {
            Some(member) => member,
            none => none.insert(EncoderFrame::begin(self.compression)?),
        };
        match member {
            EncoderFrame::Gzip(encoder) => {
                encoder.write_all(lines)?;
                self.packed.append(encoder.get_mut());
            }
            EncoderFrame::Zstd(encoder) => {
                encoder.write_all(lines)?;
                self.packed.append(encoder.get_mut());
            }
        }
        Ok(&self.packed)
    }

    /// Ends the member or frame; gives what is left of it to be written.
    ///
    /// # Errors
    /// As with [`LineEncoder::encode`].
    pub fn finish_frame(&mut self) -> io::Result<&[u8]> {
        self.packed = match self.frame.take() {
            None => Vec::new(),
            Some(EncoderFrame::Gzip(encoder)) => encoder.finish()?,
            Some(EncoderFrame::Zstd(encoder)) => encoder.finish()?,
        };
        Ok(&self.packed)
    }
}

impl EncoderFrame {
    fn begin(compression: Compression) -> io::Result<EncoderFrame> {
        Ok(match compression {
            Compression::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
                // With a checksum, damage on the disk is detected.
                encoder.include_checksum(true)?;
                EncoderFrame::Zstd(encoder)
            }
            _ => EncoderFrame::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::default())),
        })
    }
}

/// What the bytes of `packed` say when they are unpacked. Fails at the end of one that ends within
/// a member or frame.
///
/// # Errors
/// zstd's, which for reading is a lack of memory.
pub fn unpack<'a>(
    compression: Compression,
    packed: impl Read + 'a,
) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match compression {
        Compression::None => Box::new(packed),
        Compression::Gzip => Box::new(MultiGzDecoder::new(packed)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(packed)?),
    })
}

/// Unpacks the one member or frame that `packed` begins with, and reads nothing of what follows it.
///
/// # Errors
/// zstd has no memory.
pub fn unpack_member<'a>(
    compression: Compression,
    packed: &'a mut impl BufRead,
) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match compression {
        Compression::None => Box::new(packed),
        Compression::Gzip => Box::new(flate2::bufread::GzDecoder::new(packed)),
        Compression::Zstd => {
            Box::new(zstd::stream::read::Decoder::with_buffer(packed)?.single_frame())
        }
    })
}

/// How a file is packed, by its first bytes.
///
/// # Errors
/// It cannot be read.
pub fn detect_file_compression(path: &Path) -> io::Result<Compression> {
    let mut first = Vec::new();
    File::open(path)?.take(MAGIC_LENGTH as u64).read_to_end(&mut first)?;
    Ok(detect_compression(&first))
}

/// Bytes at the beginning that tell how something is packed.
pub const MAGIC_LENGTH: usize = 4;

/// The first bytes of a gzip member.
pub const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
/// The first bytes of a zstd frame.
pub const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The first bytes of whatever is packed so.
pub fn magic(compression: Compression) -> &'static [u8] {
    match compression {
        Compression::None => &[],
        Compression::Gzip => GZIP_MAGIC,
        Compression::Zstd => ZSTD_MAGIC,
    }
}

/// Whether `one` and `other` begin with the same bytes, up to the end of the shorter one.
pub fn starts_alike(one: &[u8], other: &[u8]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// How something that begins with `first`, its first [`MAGIC_LENGTH`] bytes, is packed.
pub fn detect_compression(first: &[u8]) -> Compression {
    let packings = [Compression::Gzip, Compression::Zstd];
    let found = packings.into_iter().find(|&packing| first.starts_with(magic(packing)));
    found.unwrap_or(Compression::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_terminal() -> File {
        File::open("/dev/null").unwrap()
    }

    fn decode(compression: Compression, packed: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        unpack(compression, packed)?.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn a_file_decodes_up_to_each_commit_only() {
        for compression in [Compression::Gzip, Compression::Zstd] {
            let mut packer = LineEncoder::new(compression, &no_terminal());
            let (mut file, mut text) = (Vec::new(), String::new());
            let mut commits = Vec::new();
            for commit in 0..3 {
                for line in 0..200 {
                    let line = format!("{{\"commit\":{commit},\"line\":{line}}}\n");
                    file.extend_from_slice(packer.encode(line.as_bytes()).unwrap());
                    text.push_str(&line);
                }
                file.extend_from_slice(packer.finish_frame().unwrap());
                commits.push(file.len());
                assert_eq!(decode(compression, &file).unwrap(), text);
            }
            for cut in 1..file.len() {
                let is_whole = decode(compression, &file[..cut]).is_ok();
                assert_eq!(is_whole, commits.contains(&cut), "{compression:?} {cut}");
            }
        }
    }

    #[test]
    fn no_input_gives_no_output() {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let mut packer = LineEncoder::new(compression, &no_terminal());
            assert_eq!(packer.finish_frame().unwrap(), b"");
        }
    }
}
