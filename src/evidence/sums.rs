//! Owns SHA256SUMS: what `sha256sum` writes, and reads back with `--check`.

/// A line of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChecksumLine {
    /// The SHA-256, in hex.
    pub sha256: String,
    /// The path.
    pub file: String,
}

/// The text for `sums`, in their order.
pub fn text<'a>(sums: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let lines = sums.into_iter().map(|(file, sha256)| format_line(file, sha256));
    lines.collect()
}

/// A name with a backslash or a line's end is escaped, and a backslash at the line's beginning says so.
fn format_line(file: &str, sha256: &str) -> String {
    if !file.contains(['\\', '\n', '\r']) {
        return format!("{sha256}  {file}\n");
    }
    let escaped = file
        .replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('\r', "\\r");
    format!("\\{sha256}  {escaped}\n")
}

/// Reads a line without its newline; nothing where `sha256sum` would not have written it.
pub fn parse_line(text: &str) -> Option<ChecksumLine> {
    let (is_escaped, text) = match text.strip_prefix('\\') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (sha256, file) = text.split_once("  ")?;
    let file = match is_escaped {
        true => unescape(file)?,
        false => file.to_owned(),
    };
    let sum = ChecksumLine {
        sha256: sha256.to_owned(),
        file,
    };
    is_hash(sha256).then_some(sum)
}

/// Whether `text` is a SHA-256 in lower-case hex.
pub fn is_hash(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 64 && text.bytes().all(is_digit)
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next()? {
                '\\' => '\\',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            c => c,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_what_sha256sum_writes() {
        let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(text([("a b", hash)]), format!("{hash}  a b\n"));
        assert_eq!(text([("a\\b\nc", hash)]), format!("\\{hash}  a\\\\b\\nc\n"));
        for bad in [
            "",
            "x  a",
            &format!("{hash} a"),
            &format!("{}  a", hash.to_uppercase()),
            &format!("{}  a", &hash[1..]),
            &format!("\\{hash}  a\\x"),
        ] {
            assert_eq!(parse_line(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(file in "[ -~\n\r\\\\é]{1,12}", hash in "[0-9a-f]{64}") {
            let text = text([(file.as_str(), hash.as_str())]);
            let line = text.strip_suffix('\n').unwrap();
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(parse_line(line), Some(ChecksumLine { sha256: hash, file }));
        }
    }
}
