//! Makes text from outside safe to print: nothing that a server sent may steer a terminal.

use std::borrow::Cow;

/// The longest piece of a server's text that a message quotes, in characters.
const QUOTED_CHARS: usize = 300;

/// `text` made fit for a terminal or a log line: control characters (escape sequences, newlines,
/// bidirectional overrides) become spaces, runs of spaces one, and a long text is cut.
pub fn printable(text: &str) -> String {
    let mut out = String::new();
    let mut count = 0;
    for c in text.chars() {
        let c = harmless(c);
        if c == ' ' && (out.is_empty() || out.ends_with(' ')) {
            continue;
        }
        if count == QUOTED_CHARS {
            out.push('…');
            break;
        }
        out.push(c);
        count += 1;
    }
    out.truncate(out.trim_end().len());
    out
}

/// `text`, cut where it is longer than a message would quote; for what a server sent in the wrong place.
pub fn bounded(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.char_indices().nth(QUOTED_CHARS) {
        None => text,
        Some((end, _)) => Cow::Owned(text.get(..end).unwrap_or_default().to_owned() + "…"),
    }
}

/// `text` in which each character that a terminal obeys is a space, in its whole length.
pub fn printable_line(text: &str) -> String {
    text.chars().map(harmless).collect()
}

/// A space for a character that a terminal obeys, or that is not where it seems to be on one.
fn harmless(c: char) -> char {
    match is_unsafe(c) {
        true => ' ',
        false => c,
    }
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn escape_sequences_and_newlines_lose_their_power() {
        assert_eq!(printable("a\u{1b}[31mred\r\nb\u{202e}c"), "a [31mred b c");
        assert_eq!(printable("  plain  "), "plain");
    }

    #[test]
    fn a_long_text_is_cut() {
        let long = printable(&"x".repeat(10_000));
        assert_eq!(long.chars().count(), 301);
        assert!(long.ends_with('…'));
    }
}
