//! Writes a JSON text as the content of a JSON string.
//!
//! Such a text has a quote every eight bytes or so: going from one to the next costs more than looking at
//! every byte. So blocks are copied whole, and over and over: for each byte that takes a backslash, the block
//! is copied again behind that, from this byte on.

use wide::u8x16;

use super::terminal::TerminalControl;

/// Bytes that are looked at together.
const WIDTH: usize = 16;

/// Bytes that are read for a block: a copy may begin at any byte of it, and is as long as the whole.
const READ: usize = 2 * WIDTH;

/// Bytes that a block may write to: itself twice, and what the last copy brings too much.
const ROOM: usize = 4 * WIDTH;

/// Bytes that room is made for at once, so that a huge text takes little beyond its own.
const PIECE: usize = 4096;

/// Appends `text` with a backslash before each quote and each backslash, and what a terminal obeys as an escape. A
/// JSON text without whitespace between its tokens holds nothing else that cannot stand in a string.
pub fn append(out: &mut Vec<u8>, text: &[u8]) {
    let mut from = 0;
    while let Some(control) = TerminalControl::find(text, from) {
        append_part(out, text.get(from..control.start).unwrap_or_default());
        control.append_escape(out);
        from = control.end;
    }
    append_part(out, text.get(from..).unwrap_or_default());
}

/// The same of a text without anything that a terminal obeys.
fn append_part(out: &mut Vec<u8>, text: &[u8]) {
    for piece in text.chunks(PIECE) {
        let start = out.len();
        // Most need an eighth more, none more than twice as much; room must be filled with zeros first.
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
    // What is left is shorter than is read; it takes two blocks with zeros behind it, which are not escaped.
    let rest = piece.get(at..)?;
    let mut read = [0; READ + WIDTH];
    read.get_mut(..rest.len())?.copy_from_slice(rest);
    to = write_block(read.first_chunk()?, room, to)?;
    to = write_block(read.last_chunk()?, room, to)?;
    to.checked_sub(READ - rest.len())
}

/// Writes the first half of `read` at `to`; where it ends. What a copy brings from behind that half is written
/// over later.
#[inline]
fn write_block(read: &[u8; READ], room: &mut [u8], to: usize) -> Option<usize> {
    let room: &mut [u8; ROOM] = room.get_mut(to..)?.first_chunk_mut()?;
    let block: &[u8; WIDTH] = read.first_chunk()?;
    *room.first_chunk_mut()? = *block;
    let mut specials = special(*block);
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
fn special(block: [u8; WIDTH]) -> u32 {
    let block = u8x16::new(block);
    let is = |byte: u8| block.simd_eq(u8x16::splat(byte));
    (is(b'"') | is(b'\\')).to_bitmask()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What stands between the quotes when serde_json writes the same.
    fn quoted(text: &str) -> String {
        let mut out = b"before".to_vec();
        append(&mut out, text.as_bytes());
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
}
