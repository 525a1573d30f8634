//! Decodes response bodies: gzip under each of its names, within the size limit.
//!
//! RFC 9110, section 8.4.1: names of content codings are case-insensitive, and `x-gzip` is `gzip`.

use std::io::{self, Write};

use bytes::{Bytes, BytesMut};
use flate2::write::MultiGzDecoder;

use super::message::{TransportError, TransportErrorKind};

const CONTENT_ENCODING: &str = "content-encoding";

/// How a body was encoded on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ContentCoding {
    /// Not at all.
    Identity,
    /// With gzip, once.
    Gzip,
    /// With what is not decoded here, as the server names it.
    Unsupported(String),
}

impl ContentCoding {
    /// The coding that `headers` (with lower-case names) state, over all headers of that name.
    pub(super) fn of(headers: &[(String, String)]) -> ContentCoding {
        let values = headers.iter().filter(|(name, _)| name == CONTENT_ENCODING);
        let codings: Vec<&str> = values
            .flat_map(|(_, value)| value.split(','))
            .map(str::trim)
            .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
            .collect();
        match codings.as_slice() {
            [] => ContentCoding::Identity,
            [one] if ["gzip", "x-gzip"].iter().any(|name| one.eq_ignore_ascii_case(name)) => {
                ContentCoding::Gzip
            }
            several => ContentCoding::Unsupported(several.join(", ")),
        }
    }

    /// Makes `headers` those of the decoded body; where it stays encoded, `content-encoding` names
    /// the coding.
    pub(super) fn update_headers(&self, headers: &mut Vec<(String, String)>) {
        // The length is that of the compressed body.
        let has_other_length = *self == ContentCoding::Gzip;
        headers.retain(|(name, _)| {
            name != CONTENT_ENCODING && !(has_other_length && name == "content-length")
        });
        if let ContentCoding::Unsupported(coding) = self {
            headers.push((CONTENT_ENCODING.to_owned(), coding.clone()));
        }
    }
}

/// A body as it arrives, chunk by chunk, so that a compressed bomb is dropped when it passes the
/// limit and not after it has filled the memory.
pub(super) enum BodyDecoder {
    Plain(LimitedBody),
    Gzip(Box<MultiGzDecoder<LimitedBody>>),
}

impl BodyDecoder {
    /// Decodes a body of `coding` into at most `limit` bytes, of which `expected` are reserved.
    pub(super) fn new(coding: &ContentCoding, expected: usize, limit: usize) -> BodyDecoder {
        let body = LimitedBody { bytes: BytesMut::with_capacity(expected), limit, is_full: false };
        match coding {
            ContentCoding::Gzip => BodyDecoder::Gzip(Box::new(MultiGzDecoder::new(body))),
            ContentCoding::Identity | ContentCoding::Unsupported(_) => BodyDecoder::Plain(body),
        }
    }

    /// Takes the next chunk, and returns how many bytes it decoded to.
    ///
    /// # Errors
    /// The body is too large, or its compression is damaged.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<usize, TransportError> {
        let before = self.body().bytes.len();
        let written = match self {
            BodyDecoder::Plain(body) => body.write_all(chunk),
            BodyDecoder::Gzip(decoder) => decoder.write_all(chunk),
        };
        written.map_err(|error| self.failure(&error))?;
        Ok(self.body().bytes.len() - before)
    }

    /// The whole body, after its last chunk. One without a byte needs no compression: a refusal may
    /// have none.
    ///
    /// # Errors
    /// The compressed stream has no proper end.
    pub(super) fn finish(mut self, received: usize) -> Result<Bytes, TransportError> {
        if let (BodyDecoder::Gzip(decoder), 1..) = (&mut self, received) {
            let finished = decoder.try_finish();
            finished.map_err(|error| self.failure(&error))?;
        }
        let body = match &mut self {
            BodyDecoder::Plain(body) => body,
            BodyDecoder::Gzip(decoder) => decoder.get_mut(),
        };
        Ok(std::mem::take(&mut body.bytes).freeze())
    }

    fn failure(&self, error: &io::Error) -> TransportError {
        match self.body().is_full {
            true => TransportError::too_large(self.body().limit),
            false => TransportError::new(TransportErrorKind::Garbled, &error.to_string()),
        }
    }

    fn body(&self) -> &LimitedBody {
        match self {
            BodyDecoder::Plain(body) => body,
            BodyDecoder::Gzip(decoder) => decoder.get_ref(),
        }
    }
}

/// Takes bytes up to a limit, and fails past it.
pub(super) struct LimitedBody {
    bytes: BytesMut,
    limit: usize,
    is_full: bool,
}

impl Write for LimitedBody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.limit - self.bytes.len() {
            self.is_full = true;
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn coding(values: &[&str]) -> ContentCoding {
        let header = |value: &&str| (CONTENT_ENCODING.to_owned(), (*value).to_owned());
        ContentCoding::of(&values.iter().map(header).collect::<Vec<_>>())
    }

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(chunks: &[&[u8]], limit: usize) -> Result<Bytes, TransportErrorKind> {
        let mut decoder = BodyDecoder::new(&ContentCoding::Gzip, 0, limit);
        let mut received = 0;
        for chunk in chunks {
            decoder.push(chunk).map_err(|error| error.kind())?;
            received += chunk.len();
        }
        decoder.finish(received).map_err(|error| error.kind())
    }

    #[test]
    fn names_are_case_insensitive_and_identity_is_no_coding() {
        for names in [&[][..], &[""], &["identity"], &["IDENTITY, "], &["identity", " "]] {
            assert_eq!(coding(names), ContentCoding::Identity, "{names:?}");
        }
        for names in [&["gzip"][..], &["GZip"], &["X-GZIP"], &["identity", "gzip"]] {
            assert_eq!(coding(names), ContentCoding::Gzip, "{names:?}");
        }
        for (names, named) in [
            (&["br"][..], "br"),
            (&["gzip, gzip"], "gzip, gzip"),
            (&["gzip", "br"], "gzip, br"),
            (&["gzip;q=1"], "gzip;q=1"),
        ] {
            let unsupported = ContentCoding::Unsupported(named.to_owned());
            assert_eq!(coding(names), unsupported, "{names:?}");
        }
    }

    #[test]
    fn a_body_is_decoded_however_it_is_cut() {
        let whole = gzip(b"a page of records");
        let bytes: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(decode(&bytes, 100).unwrap(), "a page of records");
        assert_eq!(
            decode(&[&whole, &gzip(b", and more")], 100).unwrap(),
            "a page of records, and more"
        );
        assert_eq!(decode(&[], 100).unwrap(), "");
    }

    #[test]
    fn what_is_cut_damaged_or_too_large_is_an_error() {
        let whole = gzip(&[b'x'; 5000]);
        for length in 1..whole.len() {
            let cut = decode(&[&whole[..length]], 5000);
            assert_eq!(cut, Err(TransportErrorKind::Garbled), "{length}");
        }
        assert_eq!(decode(&[&whole], 5000).unwrap().len(), 5000);
        assert_eq!(decode(&[&whole], 4999), Err(TransportErrorKind::TooLarge));
        assert_eq!(decode(&[b"{\"data\":[]}"], 100), Err(TransportErrorKind::Garbled));
        let rest = [whole, b"rest".to_vec()].concat();
        assert!(decode(&[&rest], 5000).is_err());
    }
}
