//! The record of responses: a file of JSON lines that is only appended to. Each line covers the one
//! before by its hash, and is durable before the next step is taken.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::evidence::hash::sha256;
use crate::files::{create_private_folder, folder_of, sync_folder};
use crate::model::text::{printable_line, visible};

/// The version of a line.
const SCHEMA: &str = "atlaudit-response/1";

/// What the first line covers.
const START: &str = "atlaudit-response/1";

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordProblem {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

/// A change after which a run ended too early: its answer is not recorded, or the requests that
/// follow it in its plan are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenIntent {
    /// The number of its line.
    pub number: u64,
    /// The line.
    pub entry: Map<String, Value>,
    /// Whether it was accepted, so that only the rest of its plan is missing.
    pub is_accepted: bool,
    /// Whether a later run reported it.
    pub is_reported: bool,
}

impl OpenIntent {
    /// What is not known of it.
    pub fn describe(&self) -> String {
        let label = visible(self.text("label"));
        let time = self.text("time");
        let number = |key: &str| self.entry.get(key).and_then(Value::as_u64).unwrap_or_default();
        match self.is_accepted {
            false => format!(
                "outcome unknown: {} {} for {label} was recorded at {time}, and no answer to it",
                self.text("method"),
                printable_line(self.text("path")),
            ),
            true => format!(
                "only a part was done: {} of {} requests for {label} were accepted at {time}, and \
                 the run ended",
                number("request"),
                number("requests"),
            ),
        }
    }

    /// Whether requests of its plan follow it.
    fn has_next(&self) -> bool {
        let number = |key: &str| self.entry.get(key).and_then(Value::as_u64);
        number("request") < number("requests")
    }

    /// A text of the line.
    pub fn text(&self, key: &str) -> &str {
        self.entry.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

/// The record of one source, locked.
#[derive(Debug)]
pub struct ResponseRecord {
    file: File,
    path: PathBuf,
    /// Lines that there are.
    lines: u64,
    head: String,
    open: Vec<OpenIntent>,
}

impl ResponseRecord {
    /// Opens the record at `path`, or begins one. What a crash left of a line is removed: it was
    /// never durable, and nothing was sent for it.
    ///
    /// # Errors
    /// Another process has it open, it is not a sound record, or the file system refuses.
    pub fn open(path: &Path) -> io::Result<ResponseRecord> {
        create_private_folder(folder_of(path))?;
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let mut file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"));
        }
        file.try_lock()
            .map_err(|_| io::Error::new(ErrorKind::WouldBlock, "another response is being made"))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let torn = text.split_off(whole);
        let checked = check_lines(&text);
        if let Some(problem) = checked.problems.first() {
            let what = format!("line {} of the record: {}", problem.line, problem.what);
            return Err(io::Error::new(ErrorKind::InvalidData, what));
        }
        let mut checked = checked;
        if !torn.is_empty() {
            checked = mend_end(&mut file, path, &torn, checked)?;
        }
        sync_folder(folder_of(path))?;
        file.seek(SeekFrom::End(0))?;
        Ok(ResponseRecord {
            file,
            path: path.to_path_buf(),
            lines: checked.lines,
            head: checked.head,
            open: checked.open,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The hash of its last line, which covers all before: whoever keeps it can tell a record that
    /// was cut short.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// Changes whose answers are missing, and that no run has reported yet.
    pub fn open_intents(&self) -> impl Iterator<Item = &OpenIntent> {
        self.open.iter().filter(|intent| !intent.is_reported)
    }

    /// Appends a line, durably, and returns its number.
    ///
    /// # Errors
    /// The file system's.
    pub fn append(&mut self, kind: &str, mut entry: Map<String, Value>) -> io::Result<u64> {
        let number = self.lines + 1;
        entry.insert("schema".to_owned(), SCHEMA.into());
        entry.insert("number".to_owned(), number.into());
        entry.insert("kind".to_owned(), kind.into());
        entry.insert("previous".to_owned(), self.head.clone().into());
        let body = serde_json::to_string(&entry)?;
        let covered = body.strip_suffix('}').unwrap_or(&body);
        let link = sha256(covered.as_bytes());
        let line = format!("{covered},\"link\":\"{link}\"}}\n");
        self.file.write_all(line.as_bytes())?;
        self.file.sync_all()?;
        self.lines = number;
        self.head = link;
        Ok(number)
    }
}

struct CheckedLines {
    lines: u64,
    head: String,
    open: Vec<OpenIntent>,
    problems: Vec<RecordProblem>,
}

/// Mends the end of a record whose last line has no newline: a sound line gets one. What a crash
/// left of a line was never durable, so that nothing was sent for it; it is kept beside the record.
fn mend_end(
    file: &mut File,
    path: &Path,
    torn: &[u8],
    mut checked: CheckedLines,
) -> io::Result<CheckedLines> {
    match check_line(torn, &checked.head, checked.lines + 1) {
        Ok((link, entry)) => {
            file.write_all(b"\n")?;
            checked.lines += 1;
            checked.head = link;
            note_intent(&mut checked.open, checked.lines, entry);
        }
        Err(_) => {
            let aside = path.with_extension("torn");
            let mut options = OpenOptions::new();
            let mut aside = options.append(true).create(true).mode(0o600).open(aside)?;
            aside.write_all(torn)?;
            aside.write_all(b"\n")?;
            aside.sync_all()?;
            let whole = file.metadata()?.len().saturating_sub(torn.len() as u64);
            file.set_len(whole)?;
        }
    }
    file.sync_all()?;
    Ok(checked)
}

/// Whether `path` is a record, by its first line.
pub fn is_record(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(64 * 1024).read_to_end(&mut start));
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    // An empty or damaged one is known by its place.
    let is_placed = path.parent().and_then(Path::file_name).is_some_and(|it| it == "respond")
        && path.extension().is_some_and(|it| it == "jsonl");
    let has_schema = serde_json::from_slice::<Map<String, Value>>(line)
        .is_ok_and(|entry| entry.get("schema").is_some_and(|schema| schema == SCHEMA));
    read.is_ok() && path.is_file() && (is_placed || has_schema)
}

/// Checks the record at `path`, and returns how many lines it has, its head, the changes whose
/// answers are missing, and what is wrong.
///
/// # Errors
/// It cannot be read.
pub fn check_record(path: &Path) -> io::Result<(u64, String, Vec<OpenIntent>, Vec<RecordProblem>)> {
    let text = std::fs::read(path)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut checked = check_lines(text.get(..whole).unwrap_or_default());
    if whole < text.len() && checked.problems.is_empty() {
        let line = text.iter().filter(|byte| **byte == b'\n').count() + 1;
        let what = "the line is torn".to_owned();
        checked.problems.push(RecordProblem { line, what });
    }
    Ok((checked.lines, checked.head, checked.open, checked.problems))
}

fn check_lines(text: &[u8]) -> CheckedLines {
    let mut checked =
        CheckedLines { lines: 0, head: START.to_owned(), open: Vec::new(), problems: Vec::new() };
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let lines = text.split(|byte| *byte == b'\n').filter(|_| !text.is_empty());
    for (place, line) in lines.enumerate() {
        match check_line(line, &checked.head, checked.lines + 1) {
            Ok((link, entry)) => {
                checked.lines += 1;
                checked.head = link;
                note_intent(&mut checked.open, checked.lines, entry);
            }
            Err(what) => {
                checked.problems.push(RecordProblem { line: place + 1, what });
                break;
            }
        }
    }
    checked
}

/// The hash of a sound line, and what it says.
fn check_line(
    line: &[u8],
    head: &str,
    number: u64,
) -> Result<(String, Map<String, Value>), String> {
    let text = std::str::from_utf8(line).map_err(|_| "is not valid UTF-8".to_owned())?;
    let entry: Map<String, Value> =
        serde_json::from_str(text).map_err(|_| "is not a JSON object".to_owned())?;
    let (covered, rest) =
        text.rsplit_once(",\"link\":\"").ok_or_else(|| "has no link".to_owned())?;
    let link = rest.strip_suffix("\"}").ok_or_else(|| "has no link at its end".to_owned())?;
    if sha256(covered.as_bytes()) != link {
        return Err("was changed: its hash does not match".to_owned());
    }
    let says = |key: &str, wanted: &Value| entry.get(key) == Some(wanted);
    if !says("previous", &head.into()) || !says("number", &number.into()) {
        return Err("does not follow the line before: a line was removed or added".to_owned());
    }
    Ok((link.to_owned(), entry))
}

/// An intent is open until a line answers it: `of` is its number.
fn note_intent(open: &mut Vec<OpenIntent>, number: u64, entry: Map<String, Value>) {
    let is_kind = |wanted: &str| entry.get("kind").is_some_and(|kind| kind == wanted);
    if is_kind("intent") {
        // It goes on with the plan of the one before.
        open.retain(|before| !before.is_accepted || before.is_reported);
        open.push(OpenIntent { number, entry, is_accepted: false, is_reported: false });
    } else if is_kind("seen") {
        open.retain(|before| !before.is_accepted || before.is_reported);
    } else if let Some(of) = entry.get("of").and_then(Value::as_u64) {
        // A later run found no answer either: it is reported once, and never answered.
        let is_found = is_kind("found");
        let is_accepted = entry.get("outcome").is_some_and(|outcome| outcome == "accepted");
        open.retain_mut(|intent| {
            if intent.number == of {
                intent.is_reported = is_found;
                intent.is_accepted |= is_accepted && intent.has_next();
            }
            intent.number != of || intent.is_reported || intent.is_accepted
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn entry(key: &str, value: impl Into<Value>) -> Map<String, Value> {
        Map::from_iter([(key.to_owned(), value.into())])
    }

    fn record() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("respond/acme.jsonl");
        let mut record = ResponseRecord::open(&path).unwrap();
        let number = record.append("intent", entry("path", "/a")).unwrap();
        record.append("outcome", entry("of", number)).unwrap();
        record.append("intent", entry("path", "/b,\"link\":\"x\"}")).unwrap();
        (folder, path)
    }

    #[test]
    fn a_record_goes_on_and_knows_what_was_not_answered() {
        let (_folder, path) = record();
        let mut record = ResponseRecord::open(&path).unwrap();
        assert_eq!(record.open_intents().count(), 1);
        assert!(record.open_intents().next().unwrap().text("path").starts_with("/b"));
        record.append("found", entry("of", 3)).unwrap();
        let (lines, head, open, problems) = check_record(&path).unwrap();
        assert_eq!((lines, open.len(), problems.len()), (4, 1, 0));
        assert!(open[0].is_reported);
        assert_eq!(head, record.head());
        assert!(is_record(&path) && !is_record(path.parent().unwrap()));
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let (_folder, path) = record();
        let whole = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = whole.lines().collect();
        let changed = [
            whole.replacen("/a", "/c", 1),
            format!("{}\n{}\n", lines[0], lines[2]),
            format!("{}\n{}\n", lines[1], lines[2]),
            format!("{}\n{}\n{}\n", lines[1], lines[0], lines[2]),
            whole.replacen("outcome", "outcomes", 1),
        ];
        for text in changed {
            fs::write(&path, &text).unwrap();
            assert_eq!(check_record(&path).unwrap().3.len(), 1, "{text}");
            assert!(ResponseRecord::open(&path).is_err());
        }
    }

    #[test]
    fn an_empty_line_is_one_that_was_added() {
        let (_folder, path) = record();
        let whole = fs::read_to_string(&path).unwrap();
        for text in [format!("\n{whole}"), format!("{whole}\n"), whole.replacen('\n', "\n\n", 1)] {
            fs::write(&path, &text).unwrap();
            assert_eq!(check_record(&path).unwrap().3.len(), 1, "{text}");
        }
    }

    #[test]
    fn a_torn_line_is_removed_and_noticed_by_a_check() {
        let (_folder, path) = record();
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{{\"kind\":\"int")).unwrap();
        assert_eq!(check_record(&path).unwrap().3.len(), 1);
        drop(ResponseRecord::open(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
        let aside = fs::read_to_string(path.with_extension("torn")).unwrap();
        assert_eq!(aside, "{\"kind\":\"int\n");
        // A line that only lacks its newline is durable: its request may have been sent.
        fs::write(&path, whole.trim_end()).unwrap();
        let record = ResponseRecord::open(&path).unwrap();
        assert_eq!(record.open_intents().count(), 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
    }

    #[test]
    fn two_do_not_write_at_once() {
        let (_folder, path) = record();
        let _first = ResponseRecord::open(&path).unwrap();
        assert_eq!(ResponseRecord::open(&path).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}
