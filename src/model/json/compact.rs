//! Owns the removal of whitespace between the tokens of a JSON text.

use bytes::Bytes;

use super::string_end;

/// A valid JSON text with the whitespace between its tokens removed; what stands inside strings is
/// kept. Costs no copy when there is none.
pub fn compact(text: Bytes) -> Bytes {
    let Some(first) = next_gap(&text, 0) else {
        return text;
    };
    let mut out = Vec::with_capacity(text.len());
    let mut kept_from = 0;
    let mut gap = Some(first);
    while let Some(at) = gap {
        out.extend_from_slice(&text[kept_from..at]);
        kept_from = at + count_whitespace(&text[at..]);
        gap = next_gap(&text, kept_from);
    }
    out.extend_from_slice(&text[kept_from..]);
    Bytes::from(out)
}

/// Where the next whitespace outside a string begins. `from` lies outside a string.
fn next_gap(text: &[u8], mut from: usize) -> Option<usize> {
    while let Some(&byte) = text.get(from) {
        match byte {
            b'"' => from = string_end(text, from),
            byte if is_whitespace(byte) => return Some(from),
            _ => from += 1,
        }
    }
    None
}

fn count_whitespace(text: &[u8]) -> usize {
    text.iter().take_while(|&&byte| is_whitespace(byte)).count()
}

fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
