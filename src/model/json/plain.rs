//! Finds the end of a plain run of text inside a JSON string (up to the next quote, backslash or control
//! character), for reading and for writing, and checks whether a text is plain ASCII.

use wide::u8x16;

/// Bytes that are looked at together. Strings are the bulk of a record, and most are short.
const WIDTH: usize = 16;

/// The index of the first byte of `text` from `at` on that cannot stand in a JSON string as it is; the
/// text's length where there is none.
#[inline]
pub fn plain_end(text: &[u8], mut at: usize) -> usize {
    while let Some(block) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let found = special(*block);
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += WIDTH;
    }
    at + short_plain_end(text.get(at..).unwrap_or_default())
}

/// The same of a text that is shorter than a block.
fn short_plain_end(text: &[u8]) -> usize {
    let mut block = [b' '; WIDTH];
    for (to, from) in block.iter_mut().zip(text) {
        *to = *from;
    }
    text.len().min(special(block).trailing_zeros() as usize)
}

/// Whether each byte of `text`, which is UTF-8, is printable ASCII and no quote or backslash: whether it stands in a
/// JSON string as it is, and does nothing to a terminal. Beyond ASCII this is not known without a closer look.
#[inline]
pub fn is_plain_ascii(text: &[u8]) -> bool {
    if text.len() < WIDTH {
        return is_short_plain_ascii(text);
    }
    let (blocks, _) = text.as_chunks();
    // The last block overlaps the one before it.
    let last = text.last_chunk().unwrap_or(&[0; WIDTH]);
    blocks.iter().chain([last]).all(|block| is_block_plain_ascii(*block))
}

#[inline]
fn is_block_plain_ascii(block: [u8; WIDTH]) -> bool {
    let block = u8x16::new(block);
    let is = |byte: u8| block.simd_eq(u8x16::splat(byte));
    // Of the bytes from the space to the tilde, and of no others, the distance to the space is at most 94.
    let distance = block - u8x16::splat(b' ');
    let is_printable = distance.min(u8x16::splat(b'~' - b' ')).simd_eq(distance);
    (is_printable & !(is(b'"') | is(b'\\'))).to_bitmask() == 0xffff
}

/// The same of a text that is shorter than a block. Most are words, names and numbers of four to fifteen
/// bytes: two overlapping halves cover them.
#[inline]
fn is_short_plain_ascii(text: &[u8]) -> bool {
    let (first, last) = match (text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last)) => (u64::from_ne_bytes(*first), u64::from_ne_bytes(*last)),
        _ => match (text.first_chunk(), text.last_chunk()) {
            (Some(first), Some(last)) => (
                u64::from(u32::from_ne_bytes(*first)) | PLAIN_HALF,
                u64::from(u32::from_ne_bytes(*last)) | PLAIN_HALF,
            ),
            _ => return text.iter().all(|&byte| is_plain_byte(byte)),
        },
    };
    are_plain(first) && are_plain(last)
}

/// Four plain bytes above four that are looked at.
const PLAIN_HALF: u64 = 0x7878_7878_0000_0000;

fn is_plain_byte(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// Whether each of eight bytes of UTF-8 is plain, computed for all together: a byte that is less than another, or the
/// same (a difference of zero is less than one), takes the high bit that it has not itself. One more than a byte
/// from 127 on has the high bit, or the byte itself has; none is 255, so that nothing is carried over.
#[inline]
fn are_plain(bytes: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let less = |bytes: u64, than: u64| bytes.wrapping_sub(ONES * than) & !bytes;
    let is = |byte: u8| less(bytes ^ (ONES * u64::from(byte)), 1);
    let is_beyond = bytes.wrapping_add(ONES) | bytes;
    (is_beyond | less(bytes, u64::from(b' ')) | is(b'"') | is(b'\\')) & HIGH == 0
}

/// One bit for each byte, set where it is special, the first byte's the lowest.
#[inline]
fn special(block: [u8; WIDTH]) -> u32 {
    let block = u8x16::new(block);
    let is = |byte: u8| block.simd_eq(u8x16::splat(byte));
    let is_control = block.min(u8x16::splat(b' ' - 1)).simd_eq(block);
    (is(b'"') | is(b'\\') | is_control).to_bitmask()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_special(byte: u8) -> bool {
        matches!(byte, b'"' | b'\\' | 0..b' ')
    }

    #[test]
    fn every_byte_is_classified() {
        for byte in 0..=u8::MAX {
            let mut text = [b'x'; 20];
            text[3] = byte;
            let want = if is_special(byte) { 3 } else { 20 };
            assert_eq!(plain_end(&text, 0), want, "{byte}");
            assert_eq!(plain_end(&text[..4], 0), want.min(4), "{byte}");
            // 255 is no byte of UTF-8.
            for length in 4..=20 * usize::from(byte < u8::MAX) {
                let text = &text[..length];
                assert_eq!(is_plain_ascii(text), is_plain_byte(byte), "{byte}");
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_where_the_first_special_byte_is(text: Vec<u8>, plain in "[ -!#-Zé]{0,40}") {
            for text in [text, plain.clone().into_bytes(), format!("{plain}\"\u{1}").into_bytes()] {
                let want = text.iter().position(|&byte| is_special(byte));
                prop_assert_eq!(plain_end(&text, 0), want.unwrap_or(text.len()));
            }
        }

        #[test]
        fn plain_ascii_is_each_byte(text: String, plain in "[ -!#-Z]{0,40}", odd in "[ -\\x7fé]{0,3}") {
            for text in [&text, &plain, &format!("{plain}{odd}"), &format!("{odd}{plain}")] {
                let want = text.bytes().all(is_plain_byte);
                prop_assert_eq!(is_plain_ascii(text.as_bytes()), want, "{:?}", text);
            }
        }
    }
}
