//! Owns text from outside on its way into the page: nothing in it is markup, nothing in it hides.

use std::io::{self, Write};

/// Combining marks on one letter; more are a tower that covers the lines above.
const MARKS_ON_A_LETTER: usize = 3;

/// Writes `text` so that it is text in any element, and in any quoted attribute: what means something to HTML is
/// escaped, and what cannot be seen, or turns the direction of the text around it, is shown by its number.
pub fn write_text(text: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut chars = text.char_indices().peekable();
    let mut before = None;
    let mut marks = 0;
    let mut plain_from = 0;
    while let Some((at, c)) = chars.next() {
        let mut is_hidden = |c, before| {
            marks = if is_mark(c) { marks + 1 } else { 0 };
            marks > MARKS_ON_A_LETTER || is_invisible(c, before)
        };
        let escaped = escape(c);
        let hidden = is_hidden(c, before);
        before = Some(c);
        if escaped.is_none() && !hidden {
            continue;
        }
        out.write_all(text.get(plain_from..at).unwrap_or_default().as_bytes())?;
        plain_from = at + c.len_utf8();
        if let Some(escaped) = escaped {
            out.write_all(escaped.as_bytes())?;
            continue;
        }
        let mut count = 1;
        while let Some((at, same)) = chars.next_if(|(_, next)| *next == c && is_hidden(c, before)) {
            count += 1;
            plain_from = at + same.len_utf8();
        }
        write_hidden(c, count, out)?;
    }
    out.write_all(text.get(plain_from..).unwrap_or_default().as_bytes())
}

fn escape(c: char) -> Option<&'static str> {
    match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        _ => None,
    }
}

/// Without quotes, so that it does no harm in an attribute; a run of the same is one.
fn write_hidden(c: char, count: u64, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"<span class=hid>")?;
    match c {
        '\n' => out.write_all("↵".as_bytes())?,
        '\t' => out.write_all("⇥".as_bytes())?,
        _ => write!(out, "U+{:04X}", u32::from(c))?,
    }
    if count > 1 {
        write!(out, " ×{count}")?;
    }
    out.write_all(b"</span>")?;
    // Where a line ended one may end.
    let is_space = matches!(c, '\n' | '\t');
    out.write_all(if is_space { b" " } else { b"" })
}

/// Whether `c` would not be seen, or would make what is seen lie.
fn is_invisible(c: char, before: Option<char>) -> bool {
    match c {
        // Emoji are joined by it; letters are made to look alike with it.
        '\u{200d}' | '\u{fe0e}' | '\u{fe0f}' => !before.is_some_and(is_picture),
        // Soft hyphen, fillers that look like nothing, and the separators that no font draws.
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' => true,
        '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' => true,
        '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0d}' | '\u{fff0}'..='\u{fffb}' => true,
        '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => true,
        _ => c.is_control(),
    }
}

/// Whether it is an emoji or a part of one.
fn is_picture(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}')
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        let mut out = Vec::new();
        write_text(text, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(
            shown("<script>alert('1')</script> & \"x\""),
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;x&quot;"
        );
    }

    #[test]
    fn invisible_characters_are_shown_as_code_points() {
        let hid = |number: &str| format!("<span class=hid>{number}</span>");
        assert_eq!(
            shown("a\u{202e}b\0c"),
            format!("a{}b{}c", hid("U+202E"), hid("U+0000"))
        );
        assert_eq!(shown("ad\u{200d}min"), format!("ad{}min", hid("U+200D")));
        assert_eq!(shown("a\nb"), format!("a{} b", hid("↵")));
        for plain in [
            "Łucja Świątek",
            "名前",
            "👨\u{200d}👩\u{200d}👧",
            "❤\u{fe0f}",
            "שלום",
            "e\u{301}",
            "a  b",
        ] {
            assert_eq!(shown(plain), plain);
        }
        let tower = format!("a{}", "\u{301}".repeat(50));
        assert_eq!(
            shown(&tower),
            format!("a\u{301}\u{301}\u{301}{}", hid("U+0301 ×47"))
        );
        assert_eq!(
            shown("\n\n\0\0a\0"),
            format!("{} {}a{}", hid("↵ ×2"), hid("U+0000 ×2"), hid("U+0000"))
        );
    }

    proptest! {
        #[test]
        fn no_markup_of_a_text_survives(text in "(\\PC|[<>&\"'\\x00-\\x1f\u{202e}\u{200d}\u{fe0f}]){0,60}") {
            let mut left = shown(&text);
            for own in ["</span>", "<span class=hid>"] {
                left = left.replace(own, "");
            }
            prop_assert!(!left.contains(['<', '>', '"', '\'']), "{left}");
            let is_reference = |rest: &str| ["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|name| rest.starts_with(name));
            prop_assert!(left.match_indices('&').all(|(at, _)| is_reference(&left[at + 1..])), "{left}");
            let turns = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
            prop_assert!(!left.chars().any(turns));
        }
    }
}
