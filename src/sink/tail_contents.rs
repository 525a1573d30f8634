//! Decides what happens to the bytes after the committed length of an output file when a run
//! begins.
//!
//! A killed run leaves lines that the next run reads from the source again. Only bytes that are
//! recognized as such lines may be discarded: another program may have appended to the file since.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read as _, Seek, SeekFrom};
use std::path::Path;

use crate::config::settings::Compression;
use crate::model::json::{Document, Node};
use crate::model::name::{SourceKind, SourceName};
use crate::sink::pack::{
    GZIP_MAGIC, ZSTD_MAGIC, detect_file_compression, magic, starts_alike, unpack_member,
};

/// A longer line is treated as another program's.
pub(super) const LONGEST_LINE: u64 = 128 * 1024 * 1024;

/// So many bytes of text in a row are hardly ever compressed data.
const TEXT_LENGTH: usize = 10;
/// Room for them, and for a character that is cut at the front.
const TEXT_ROOM: u64 = 16;

/// How the formats that name their source begin a line (`render`). A raw line begins in any way.
const NORMALIZED_START: &[u8] = br#"{"schema":"atlaudit/"#;
const ALERT_START: &[u8] = br#"{"schema":"atlaudit-alert/"#;
/// What OCSF alerts have as `metadata.log_name`; events have the type of their source.
const ALERT_LOG: &str = "atlaudit-alerts";
const OCSF_START: &[u8] = br#"{"class_uid":"#;
const ECS_START: &[u8] = br#"{"@timestamp":""#;
/// What follows the time of an ECS line, which has a fixed width.
const ECS_AFTER_TIME: &[u8] = br#"","ecs":{"version":""#;
const ECS_TIME_WIDTH: usize = "2026-11-20T09:30:00.000Z".len();

/// How the last run that wrote the file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnding {
    /// It closed the file: later bytes are not its own.
    Finished,
    /// It died while it had the file open.
    Killed,
    /// It died, and another program truncated the file, so that no part of it is known to be good.
    KilledAndTruncated,
}

/// What happens to the bytes after the committed length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailAction {
    /// They stay.
    Leave,
    /// They are discarded: all of them are this source's, and are read again.
    Discard,
    /// They are moved into a file beside this one.
    MoveAside,
}

/// How the bytes after the committed length end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum TailEnd {
    /// With a whole line.
    #[default]
    WholeLine,
    /// With the beginning of a line of this program.
    OwnFragment,
    /// With anything else.
    OtherFragment,
}

/// The content after the committed length of a file.
#[derive(Debug, Default)]
pub struct TailContents {
    this_source: bool,
    other_source: bool,
    /// JSON that names no source. It may be a raw record of this source.
    unidentified: bool,
    not_json: bool,
    end: TailEnd,
}

impl TailContents {
    /// Reads the file at `path` from `from` on.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(path: &Path, from: u64, source: &SourceName) -> io::Result<TailContents> {
        let compression = detect_file_compression(path)?;
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        TailContents::of(compression, BufReader::new(file), source)
    }

    /// Each commit is a gzip member or zstd frame of its own, and each is unpacked by itself: what
    /// follows a whole one may be another program's. Uncompressed lines are all one member.
    fn of(
        compression: Compression,
        mut tail: impl BufRead + Seek,
        source: &SourceName,
    ) -> io::Result<TailContents> {
        let mut contents = TailContents::default();
        while contents.end == TailEnd::WholeLine {
            let next = tail.fill_buf()?;
            if next.is_empty() {
                break;
            }
            if !starts_alike(magic(compression), next) {
                contents.end = TailEnd::OtherFragment;
                break;
            }
            let text = unpack_member(compression, &mut tail)?;
            contents.add_lines(BufReader::new(text), source);
        }
        let is_packed = compression != Compression::None;
        if is_packed && contents.end == TailEnd::OwnFragment && ends_in_text(&mut tail)? {
            // An incomplete member swallows what another program appended to it.
            contents.end = TailEnd::OtherFragment;
        }
        Ok(contents)
    }

    fn add_lines(&mut self, mut text: impl BufRead, source: &SourceName) {
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut limited = text.by_ref().take(LONGEST_LINE);
            match limited.read_until(b'\n', &mut line) {
                Ok(0) => return,
                Ok(_) if line.ends_with(b"\n") => self.add_line(&line, source),
                read => {
                    self.end = end_of(&line, read.err());
                    return;
                }
            }
        }
    }

    fn add_line(&mut self, line: &[u8], source: &SourceName) {
        // Another program's JSON may hold bytes that are not valid UTF-8.
        let text = String::from_utf8_lossy(line).into_owned();
        let Ok(line) = Document::parse(text.into()) else {
            self.not_json = true;
            return;
        };
        match source_of(line.root()) {
            Some(name) if name == source.as_str() => self.this_source = true,
            Some(_) => self.other_source = true,
            None => self.unidentified = true,
        }
    }

    /// Returns what happens to these bytes after a run that ended like `last_run`.
    pub fn action(&self, last_run: RunEnding) -> TailAction {
        let has_whole_lines = !self.not_json && self.end == TailEnd::WholeLine;
        let may_be_ours = self.this_source || self.unidentified;
        let may_be_others = self.other_source
            || self.unidentified
            || self.not_json
            || self.end == TailEnd::OtherFragment;
        let has_only_others = self.other_source && !may_be_ours;
        match last_run {
            RunEnding::Finished if has_whole_lines && !self.this_source => TailAction::Leave,
            RunEnding::Killed if !may_be_others => TailAction::Discard,
            RunEnding::KilledAndTruncated if has_whole_lines && has_only_others => {
                TailAction::Leave
            }
            _ => TailAction::MoveAside,
        }
    }

    /// Describes these bytes for a message.
    pub fn describe(&self) -> String {
        let is_incomplete = self.end != TailEnd::WholeLine;
        let found = [
            (self.this_source, "events of this source"),
            (self.other_source, "events of another source"),
            (self.unidentified, "JSON lines that name no source"),
            (self.not_json, "lines that are not JSON"),
            (is_incomplete, "an incomplete line"),
        ];
        let found = found.into_iter().filter(|(is_there, _)| *is_there);
        found.map(|(_, what)| what).collect::<Vec<_>>().join(", ")
    }
}

/// Returns what `line` is, after which the text ended, or could not be unpacked further because of
/// `error`.
fn end_of(line: &[u8], error: Option<io::Error>) -> TailEnd {
    let is_too_long = line.len() as u64 == LONGEST_LINE;
    match error.map(|error| error.kind()) {
        // The end of the last member or frame is missing.
        None | Some(ErrorKind::UnexpectedEof) if !is_too_long && is_own_fragment(line) => {
            TailEnd::OwnFragment
        }
        _ => TailEnd::OtherFragment,
    }
}

/// Whether the bytes end in text. Less of it than [`TEXT_LENGTH`] does not differ from compressed
/// data.
fn ends_in_text(tail: &mut (impl BufRead + Seek)) -> io::Result<bool> {
    let length = tail.seek(SeekFrom::End(0))?;
    tail.seek(SeekFrom::Start(length.saturating_sub(TEXT_ROOM)))?;
    let mut last = Vec::new();
    tail.read_to_end(&mut last)?;
    let last = String::from_utf8_lossy(&last);
    let is_text = |c: &char| match c {
        '\n' | '\r' | '\t' => true,
        c => !c.is_control() && *c != char::REPLACEMENT_CHARACTER,
    };
    let text = last.chars().rev().take_while(is_text);
    Ok(text.map(char::len_utf8).sum::<usize>() >= TEXT_LENGTH)
}

/// The name of the source that the line `root` is an event of, where its format names one.
pub(super) fn source_of(root: Node<'_>) -> Option<Cow<'_, str>> {
    let in_ocsf = || {
        let metadata = root.get("metadata")?;
        let log = metadata.text_of("log_name")?;
        let is_ours = log == ALERT_LOG || log.parse::<SourceKind>().is_ok();
        let source = metadata.text_of("source").or_else(|| metadata.text_of("log_provider"));
        source.filter(|_| is_ours)
    };
    let in_ecs = || source_of_normalized(root.get("atlassian")?);
    source_of_normalized(root).or_else(in_ecs).or_else(in_ocsf)
}

fn source_of_normalized(event: Node<'_>) -> Option<Cow<'_, str>> {
    let schema = event.text_of("schema")?;
    let is_ours = schema.starts_with("atlaudit/") || schema.starts_with("atlaudit-alert/");
    event.get("source")?.text_of("name").filter(|_| is_ours)
}

/// Whether an incomplete line begins as a line of this program does, or holds no text at all: after
/// a power failure a file may end in NUL bytes, or in the first bytes of a compressed file.
fn is_own_fragment(line: &[u8]) -> bool {
    let is_ecs = match line.get(ECS_START.len() + ECS_TIME_WIDTH..) {
        Some(after_time) => line.starts_with(ECS_START) && starts_alike(ECS_AFTER_TIME, after_time),
        None => starts_alike(ECS_START, line),
    };
    is_ecs
        || starts_alike(NORMALIZED_START, line)
        || starts_alike(ALERT_START, line)
        || starts_alike(OCSF_START, line)
        || GZIP_MAGIC.starts_with(line)
        || ZSTD_MAGIC.starts_with(line)
        || line.iter().all(|&byte| byte == 0)
}

#[cfg(test)]
#[path = "tail_contents_tests.rs"]
mod tests;
