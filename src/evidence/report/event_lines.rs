//! Owns the reading of a packed file of lines, also one that somebody has changed: lines of any length, frames that
//! end in their middle, paths that lead elsewhere.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Component, Path};

/// The longest line that is read, in bytes.
const MAX_LINE: usize = 64 << 20;

/// Why some of a file is not in the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventFileProblem {
    /// It is not there.
    Missing,
    /// It is no file, or cannot be opened.
    Unreadable,
    /// It cannot be unpacked to its end.
    Damaged,
}

/// Hands each line of `file` within `dir` to `take`, without its newline; nothing stands for one that is too long.
pub fn read(dir: &Path, file: &str, take: impl FnMut(Option<&[u8]>)) -> Result<(), EventFileProblem> {
    let path = Path::new(file);
    let is_inside = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if !is_inside {
        return Err(EventFileProblem::Unreadable);
    }
    let path = dir.join(path);
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(EventFileProblem::Missing),
        // No frame at all is no lines, and no fault; the decoder would call it one.
        Ok(found) if found.is_file() && found.len() == 0 => return Ok(()),
        Ok(found) if found.is_file() => {}
        // A pipe would be waited for.
        _ => return Err(EventFileProblem::Unreadable),
    }
    let file = File::open(path).map_err(|_| EventFileProblem::Unreadable)?;
    let text = zstd::stream::read::Decoder::new(file).map_err(|_| EventFileProblem::Unreadable)?;
    split(BufReader::with_capacity(1 << 17, text), MAX_LINE, take)
}

fn split(
    mut text: impl BufRead,
    longest: usize,
    mut take: impl FnMut(Option<&[u8]>),
) -> Result<(), EventFileProblem> {
    let mut line = Vec::new();
    let (mut is_begun, mut is_too_long) = (false, false);
    loop {
        let piece = text.fill_buf().map_err(|_| EventFileProblem::Damaged)?;
        if piece.is_empty() {
            break;
        }
        let end = memchr::memchr(b'\n', piece);
        let part = piece.get(..end.unwrap_or(piece.len())).unwrap_or_default();
        is_too_long |= line.len() + part.len() > longest;
        if !is_too_long {
            line.extend_from_slice(part);
        }
        is_begun = end.is_none();
        if end.is_some() {
            take((!is_too_long).then_some(&line));
            line.clear();
            is_too_long = false;
        }
        let used = end.map_or(piece.len(), |end| end + 1);
        text.consume(used);
    }
    if is_begun {
        take((!is_too_long).then_some(&line));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], piece: usize) -> Vec<Option<String>> {
        let mut lines = Vec::new();
        let text = BufReader::with_capacity(piece, text);
        split(text, 6, |line| {
            lines.push(line.map(|line| String::from_utf8(line.to_vec()).unwrap()));
        })
        .unwrap();
        lines
    }

    #[test]
    fn lines_of_any_length_in_pieces_of_any_length() {
        for piece in 1..20 {
            let some = |text: &str| Some(text.to_owned());
            assert_eq!(
                lines(b"one\n\ntoo long a line\nlast", piece),
                [some("one"), some(""), None, some("last")],
                "{piece}"
            );
            assert_eq!(lines(b"one\ntoo long a line", piece), [some("one"), None]);
            assert_eq!(lines(b"", piece), []);
        }
    }

    #[test]
    fn unreadable_files_are_reported() {
        let dir = tempfile::tempdir().unwrap();
        let count = |file: &str| {
            let mut count = 0;
            (read(dir.path(), file, |_| count += 1), count)
        };
        let packed = zstd::encode_all(&b"one\ntwo\n"[..], 3).unwrap();
        let twice = packed.iter().chain(&packed).copied().collect::<Vec<_>>();
        std::fs::write(dir.path().join("two"), &twice).unwrap();
        std::fs::write(dir.path().join("torn"), &twice[..twice.len() - 3]).unwrap();
        std::fs::write(dir.path().join("none"), b"").unwrap();
        std::fs::write(dir.path().join("text"), b"not packed").unwrap();
        assert_eq!(count("two"), (Ok(()), 4));
        let (torn, whole) = count("torn");
        assert_eq!(torn, Err(EventFileProblem::Damaged));
        assert!(whole <= 4);
        assert_eq!(count("none"), (Ok(()), 0));
        assert_eq!(count("text"), (Err(EventFileProblem::Damaged), 0));
        assert_eq!(count("absent"), (Err(EventFileProblem::Missing), 0));
        assert_eq!(count("."), (Err(EventFileProblem::Unreadable), 0));
        for outside in ["../two", "/etc/hostname"] {
            assert_eq!(count(outside).0, Err(EventFileProblem::Unreadable), "{outside}");
        }
    }
}
