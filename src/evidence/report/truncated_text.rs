//! Owns short forms of texts of any length: what the page shows of them, and counts them by.

use crate::model::number::group_digits;
use std::fmt::Write as _;
use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

use super::html::HtmlDisplay;
use super::frequency::ValueLabel;
use super::visible::write_text;

/// The longest name that is shown whole, in characters.
const MAX_NAME: usize = 80;
/// The longest sentence that is shown whole, in characters.
const MAX_SENTENCE: usize = 200;

/// A text, or its beginning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TruncatedText {
    text: String,
    truncation: Option<TruncationNote>,
}

/// What is said of a text that is not whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct TruncationNote {
    chars: u64,
    /// The start of its hash, where two that begin alike must not be taken for one.
    hash: Option<String>,
}

impl TruncatedText {
    /// Of a name or id: different ones stay different.
    pub fn name(text: &str) -> TruncatedText {
        let mut brief = TruncatedText::truncate(text, MAX_NAME);
        if let Some(cut) = &mut brief.truncation {
            let digest = Sha256::digest(text.as_bytes());
            let mut hash = String::new();
            for byte in digest.iter().take(6) {
                // Writing to a string cannot fail.
                let _ = write!(hash, "{byte:02x}");
            }
            cut.hash = Some(hash);
        }
        brief
    }

    /// Of a sentence.
    pub fn sentence(text: &str) -> TruncatedText {
        TruncatedText::truncate(text, MAX_SENTENCE)
    }

    fn truncate(text: &str, limit: usize) -> TruncatedText {
        let end = match text.char_indices().nth(limit) {
            None => text.len(),
            Some((end, _)) => end,
        };
        let cut = (end < text.len()).then(|| TruncationNote {
            chars: text.chars().count() as u64,
            hash: None,
        });
        TruncatedText {
            text: text.get(..end).unwrap_or_default().to_owned(),
            truncation: cut,
        }
    }
}

impl HtmlDisplay for TruncatedText {
    fn write_html(&self, out: &mut dyn Write) -> io::Result<()> {
        write_text(&self.text, out)?;
        self.write_truncation(out)
    }
}

impl TruncatedText {
    fn write_truncation(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(cut) = &self.truncation else { return Ok(()) };
        write!(out, "<small class=cut>… {} characters", group_digits(cut.chars))?;
        if let Some(hash) = &cut.hash {
            write!(out, ", SHA-256 {hash}…")?;
        }
        out.write_all(b"</small>")
    }
}

/// Somebody or something: what it is called, and what else tells it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityLabel {
    /// What it is called.
    pub name: TruncatedText,
    /// An id, an address, a type.
    pub note: Option<TruncatedText>,
    /// Whether the source has a name for it; some know an id only.
    pub has_name: bool,
}

impl ValueLabel for TruncatedText {
    fn is_better_than(&self, _: &TruncatedText) -> bool {
        false
    }
}

impl ValueLabel for EntityLabel {
    fn is_better_than(&self, other: &EntityLabel) -> bool {
        self.has_name && !other.has_name
    }
}

/// An action: its words can be told apart, and a line may end between them.
pub struct WrappableText<'a>(pub &'a TruncatedText);

impl HtmlDisplay for WrappableText<'_> {
    fn write_html(&self, out: &mut dyn Write) -> io::Result<()> {
        for word in self.0.text.split_inclusive('_') {
            write_text(word, out)?;
            if word.ends_with('_') {
                out.write_all(b"<wbr>")?;
            }
        }
        self.0.write_truncation(out)
    }
}

/// Apart from each other: a name that is written from the right must not take the note with it.
impl HtmlDisplay for EntityLabel {
    fn write_html(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"<bdi>")?;
        self.name.write_html(out)?;
        out.write_all(b"</bdi>")?;
        let Some(note) = &self.note else {
            return Ok(());
        };
        out.write_all(b"<small class=note><bdi>")?;
        note.write_html(out)?;
        out.write_all(b"</bdi></small>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(brief: &TruncatedText) -> String {
        let mut out = Vec::new();
        brief.write_html(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_short_text_is_whole() {
        assert_eq!(shown(&TruncatedText::name("Mei Tanaka")), "Mei Tanaka");
        assert_eq!(
            shown(&TruncatedText::sentence(&"ü".repeat(MAX_SENTENCE))),
            "ü".repeat(MAX_SENTENCE)
        );
    }

    #[test]
    fn long_texts_with_equal_beginnings_stay_distinct() {
        let long = |end: &str| TruncatedText::name(&format!("{}{end}", "x".repeat(10_000)));
        assert_ne!(long("a"), long("b"));
        let shown = shown(&long("a"));
        assert!(shown.len() < 200, "{shown}");
        assert!(shown.contains("10,001 characters, SHA-256 "), "{shown}");
    }
}
