//! Finds what must be escaped in a JSON string, many bytes at once, and writes a JSON text as the
//! content of a JSON string.
//!
//! Escaped is also what a terminal obeys. JSON lets it stand in a string as it is: U+007F to U+009F
//! (U+009B is `ESC [` in one character), the overrides and isolates of bidirectional text, which
//! reorder what a line seems to say, and the two separators that some programs take for the end of
//! a line. Outside of strings JSON is ASCII, so that an escape is always right where such a
//! character stands.

use std::borrow::Cow;

use memchr::memchr3;
use wide::u8x16;

/// Bytes that are looked at together. Strings are the bulk of a record, and most are short.
const WIDTH: usize = 16;

/// The index of the first byte of `text` from `at` on that cannot stand in a JSON string as it is;
/// the text's length where there is none.
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

/// Whether each byte of `text`, which is UTF-8, is printable ASCII and no quote or backslash:
/// whether it stands in a JSON string as it is, and does nothing to a terminal. Beyond ASCII this
/// is not known without a closer look.
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
    // Of the bytes from the space to the tilde, and of no others, the distance to the space is at
    // most 94.
    let distance = block - u8x16::splat(b' ');
    let is_printable = distance.min(u8x16::splat(b'~' - b' ')).simd_eq(distance);
    (is_printable & !(is(b'"') | is(b'\\'))).to_bitmask() == 0xffff
}

/// The same of a text that is shorter than a block. Most are words, names and numbers of four to
/// fifteen bytes: two overlapping halves cover them.
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

/// Whether each of eight bytes of UTF-8 is plain, computed for all together: a byte that is less
/// than another, or the same (a difference of zero is less than one), takes the high bit that it
/// has not itself. One more than a byte from 127 on has the high bit, or the byte itself has; none
/// is 255, so that nothing is carried over.
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

/// Bytes that are read for a block: a copy may begin at any byte of it, and is as long as the
/// whole.
const READ: usize = 2 * WIDTH;

/// Bytes that a block may write to: itself twice, and what the last copy brings too much.
const ROOM: usize = 4 * WIDTH;

/// Bytes that room is made for at once, so that a huge text takes little beyond its own.
const PIECE: usize = 4096;

/// Appends `text` with a backslash before each quote and each backslash, and what a terminal obeys
/// as an escape. A JSON text without whitespace between its tokens holds nothing else that cannot
/// stand in a string.
pub fn append_quoted(out: &mut Vec<u8>, text: &[u8]) {
    let mut from = 0;
    while let Some(control) = TerminalControl::find(text, from) {
        append_part(out, text.get(from..control.start).unwrap_or_default());
        control.append_escape(out);
        from = control.end;
    }
    append_part(out, text.get(from..).unwrap_or_default());
}

/// The same of a text without anything that a terminal obeys.
///
/// It has a quote every eight bytes or so: going from one to the next costs more than looking at
/// every byte. So blocks are copied whole, and over and over: for each byte that takes a backslash,
/// the block is copied again behind that, from this byte on.
fn append_part(out: &mut Vec<u8>, text: &[u8]) {
    for piece in text.chunks(PIECE) {
        let start = out.len();
        // Most need an eighth more, none more than twice as much; room must be filled with zeros
        // first.
        for room in [piece.len() + piece.len() / 4, 2 * piece.len()] {
            out.resize(start + room + READ + ROOM, 0);
            if let Some(written) = write(piece, out.get_mut(start..).unwrap_or_default()) {
                out.truncate(start + written);
                break;
            }
            out.truncate(start);
        }
    }
}

/// Writes `piece` to the start of `room`; how many bytes that makes, if there is room enough.
fn write(piece: &[u8], room: &mut [u8]) -> Option<usize> {
    let (mut at, mut to) = (0, 0);
    while let Some(read) = piece.get(at..).and_then(<[u8]>::first_chunk) {
        to = write_block(read, room, to)?;
        at += WIDTH;
    }
    // What is left is shorter than is read; it takes two blocks with zeros behind it, which are not
    // escaped.
    let rest = piece.get(at..)?;
    let mut read = [0; READ + WIDTH];
    read.get_mut(..rest.len())?.copy_from_slice(rest);
    to = write_block(read.first_chunk()?, room, to)?;
    to = write_block(read.last_chunk()?, room, to)?;
    to.checked_sub(READ - rest.len())
}

/// Writes the first half of `read` at `to`; where it ends. What a copy brings from behind that half
/// is written over later.
#[inline]
fn write_block(read: &[u8; READ], room: &mut [u8], to: usize) -> Option<usize> {
    let room: &mut [u8; ROOM] = room.get_mut(to..)?.first_chunk_mut()?;
    let block: &[u8; WIDTH] = read.first_chunk()?;
    *room.first_chunk_mut()? = *block;
    let mut specials = quote_or_backslash(*block);
    let mut marks = 0;
    while specials != 0 {
        // Both are less than a block's bytes, which spares the checks.
        let next = specials.trailing_zeros() as usize % WIDTH;
        let at = next + marks % WIDTH;
        let [mark, copy @ ..]: &mut [u8; 1 + WIDTH] = room.get_mut(at..)?.first_chunk_mut()?;
        *mark = b'\\';
        *copy = *read.get(next..)?.first_chunk()?;
        marks += 1;
        specials &= specials - 1;
    }
    Some(to + WIDTH + marks)
}

/// One bit for each byte, set where it is a quote or a backslash, the first byte's the lowest.
#[inline]
fn quote_or_backslash(block: [u8; WIDTH]) -> u32 {
    let block = u8x16::new(block);
    let is = |byte: u8| block.simd_eq(u8x16::splat(byte));
    (is(b'"') | is(b'\\')).to_bitmask()
}

/// A character that a terminal obeys, in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalControl {
    /// Where it starts.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    code: u16,
}

impl TerminalControl {
    /// The first one of `text`, which is UTF-8, from `at` on.
    #[inline]
    pub fn find(text: &[u8], mut at: usize) -> Option<TerminalControl> {
        loop {
            // The bytes that one can start with. Most texts hold none of them.
            at += memchr3(0x7f, 0xc2, 0xe2, text.get(at..)?)?;
            if let Some((code, length)) = control_at(text.get(at..)?) {
                let end = at + length;
                return Some(TerminalControl { start: at, end, code });
            }
            at += 1;
        }
    }

    /// Appends `\u` and its four digits.
    pub fn append_escape(self, out: &mut Vec<u8>) {
        append_escape(out, self.code);
    }
}

/// Appends `\u` and the four digits of `code`.
pub fn append_escape(out: &mut Vec<u8>, code: u16) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\u");
    out.extend([12, 8, 4, 0].map(|shift| HEX[usize::from(code >> shift & 15)]));
}

/// The code and the length of the character that `text` starts with, if it is one of ours.
fn control_at(text: &[u8]) -> Option<(u16, usize)> {
    // The last byte of each holds the low six bits of its code.
    match *text {
        [0x7f, ..] => Some((0x7f, 1)),
        [0xc2, last @ 0x80..=0x9f, ..] => Some((u16::from(last), 2)),
        [0xe2, 0x80, last @ 0xa8..=0xae, ..] => Some((0x2000 | u16::from(last & 0x3f), 3)),
        [0xe2, 0x81, last @ 0xa6..=0xa9, ..] => Some((0x2040 | u16::from(last & 0x3f), 3)),
        _ => None,
    }
}

/// `json`, whole JSON values in UTF-8, with each character that a terminal obeys escaped. It says
/// the same.
pub fn escape_controls(json: &[u8]) -> Cow<'_, [u8]> {
    let mut out = Vec::new();
    let mut from = 0;
    while let Some(control) = TerminalControl::find(json, from) {
        out.extend_from_slice(json.get(from..control.start).unwrap_or_default());
        control.append_escape(&mut out);
        from = control.end;
    }
    if from == 0 {
        return Cow::Borrowed(json);
    }
    out.extend_from_slice(json.get(from..).unwrap_or_default());
    Cow::Owned(out)
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

    /// The text between the quotes when serde_json writes the same.
    fn quoted(text: &str) -> String {
        let mut out = b"before".to_vec();
        append_quoted(&mut out, text.as_bytes());
        let text = String::from_utf8(out).unwrap();
        text.strip_prefix("before").unwrap().to_owned()
    }

    fn check(text: &str) {
        let want = serde_json::to_string(text).unwrap();
        assert_eq!(format!("\"{}\"", quoted(text)), want);
    }

    #[test]
    fn every_length_and_place() {
        for length in 0..100 {
            check(&"x".repeat(length));
            check(&"\"".repeat(length));
            for place in 0..length {
                let mut text = "é".repeat(length);
                text.insert(place * 2, '\\');
                check(&text);
            }
        }
    }

    #[test]
    fn pieces_join() {
        for length in PIECE - 40..PIECE + 40 {
            check(&"\\".repeat(length));
            check(&r#"{"a":"\"b\\\u0041"}"#.repeat(length / 10));
        }
        check(&"\"x".repeat(1_000_000));
    }

    #[test]
    fn what_a_terminal_obeys_is_escaped_wherever_it_stands() {
        for before in [0, 1, 15, 16, PIECE - 1, PIECE, PIECE + 1] {
            let before = "\"".repeat(before);
            let text = format!("{before}\u{202e}\u{7f}x\u{9b}");
            let want = format!("{}\\u202e\\u007fx\\u009b", before.replace('"', "\\\""));
            assert_eq!(quoted(&text), want);
        }
    }

    proptest! {
        #[test]
        fn it_is_what_serde_json_writes(text in "[ -~é€\u{10ffff}]{0,300}", dense in "[\"\\\\x]{0,300}") {
            check(&text);
            check(&dense);
            check(&serde_json::to_string(&[text, dense]).unwrap());
        }
    }

    /// The characters that are escaped, as the module's description lists them.
    fn is_listed(c: char) -> bool {
        matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    }

    #[test]
    fn exactly_the_listed_characters_are_escaped() {
        for c in '\0'..=char::MAX {
            let text = format!("a{c}b");
            let want = match is_listed(c) {
                true => format!("a\\u{:04x}b", u32::from(c)),
                false => text.clone(),
            };
            assert_eq!(escape_controls(text.as_bytes()), want.as_bytes(), "{c:?}");
        }
    }

    #[test]
    fn printable_text_holds_none_of_them() {
        for c in ('\0'..=char::MAX).filter(|&c| is_listed(c)) {
            assert_eq!(crate::model::text::printable(&format!("a{c}b")), "a b");
        }
    }

    proptest! {
        #[test]
        fn the_escaped_json_says_the_same(text in "[\\u{7e}-\\u{a0}é€\"\\\\\\u{2020}-\\u{2070}🔭]{0,40}") {
            let json = serde_json::to_string(&[&text]).unwrap();
            let safe = String::from_utf8(escape_controls(json.as_bytes()).into_owned()).unwrap();
            prop_assert!(!safe.contains(is_listed));
            let read: [String; 1] = serde_json::from_str(&safe).unwrap();
            prop_assert_eq!(&read[0], &text);
        }
    }
}
