use std::os::unix::fs::symlink;

use super::*;
use crate::config::settings::Rotation;

fn at(text: &str) -> Timestamp {
    parse_api_time(text).unwrap()
}

#[test]
fn a_name_says_until_when_a_file_was_written() {
    for (template, path, until) in [
        ("/o/a.jsonl", "/o/a-20260801T100000.000Z.jsonl", Some("2026-08-01T10:00:00Z")),
        ("/o/a.jsonl", "/o/a.jsonl", None),
        ("/o/a.jsonl", "/o/a-jira-20260801T100000.000Z.jsonl", None),
        ("/o/a.jsonl", "/o/a-20260801T100000.000Z.jsonl.gz", None),
        ("/o/a.jsonl", "/o/a-20261301T100000.000Z.jsonl", None),
        ("/o/a.jsonl", "/o/a-20260801T100000.000Z.jsonl.unfinished-x1", None),
        ("/o/a-%Y-%m-%d.jsonl", "/o/a-2026-08-01.jsonl", Some("2026-08-02T00:00:00Z")),
        ("/o/a-%Y-%m-%d.jsonl", "/o/a-2026-13-01.jsonl", None),
        ("/o/a-%Y-%m-%d.jsonl", "/o/a-2026-02-30.jsonl", None),
        ("/o/a-%Y-%m-%d.jsonl", "/o/b-2026-08-01.jsonl", None),
        ("/o/a-%Y%m.jsonl", "/o/a-202612.jsonl", Some("2027-01-01T00:00:00Z")),
        ("/o/a-%Y.jsonl", "/o/a-2026.jsonl", Some("2027-01-01T00:00:00Z")),
        ("/o/%Y/a-%Y%m%d-%H.jsonl", "/o/2026/a-20260801-23.jsonl", Some("2026-08-02T00:00:00Z")),
        ("/o/%Y/a-%Y%m%d-%H.jsonl", "/o/2025/a-20260801-23.jsonl", None),
        // Written anew every day, every month: they never end.
        ("/o/a-%H.jsonl", "/o/a-07.jsonl", None),
        ("/o/a-%Y-%d.jsonl", "/o/a-2026-07.jsonl", None),
        ("/o/a-%H.jsonl", "/o/a-07-20260801T100000.000Z.jsonl", Some("2026-08-01T10:00:00Z")),
        (
            "/o/a-%Y-%m-%d.jsonl",
            "/o/a-2026-08-01-20260801T100000.000Z.jsonl",
            Some("2026-08-02T00:00:00Z"),
        ),
    ] {
        let found = finished_until(Path::new(template), Path::new(path));
        assert_eq!(found, until.map(at), "{template} {path}");
    }
}

/// A folder with an output `a` that rotates, and what a check finds in it.
struct OldFiles {
    folder: tempfile::TempDir,
    output: OutputSettings,
    in_use: Vec<OutputFileState>,
    now: Timestamp,
}

const LINE: &str =
    r#"{"schema":"atlaudit/1","time":"2026-08-01T09:00:00.000Z","source":{"name":"a"}}"#;
const NAME: &str = "a-20260801T100000.000Z.jsonl";

impl OldFiles {
    fn new() -> OldFiles {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl").display().to_string();
        let output = OutputSettings {
            path: OutputPath::File(path),
            rotation: Rotation::DAILY,
            ..OutputSettings::default()
        };
        OldFiles { folder, output, in_use: Vec::new(), now: at("2026-12-01T00:00:00Z") }
    }

    /// A file of these lines whose last change was in August.
    fn add(&self, name: &str, lines: &[&str]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        self.touch(&path, "2026-08-01T12:00:00Z");
        path
    }

    fn touch(&self, path: &Path, time: &str) {
        let file = OpenOptions::new().append(true).open(path).unwrap();
        file.set_modified(at(time).into()).unwrap();
    }

    fn found(&self) -> Vec<String> {
        let source = "a".parse().unwrap();
        let check = RetentionCheck {
            output: &self.output,
            keep: Duration::from_secs(90 * 86400),
            source: &source,
            in_use: &self.in_use,
            now: self.now,
        };
        let found = check.expired_files().unwrap().into_iter();
        let names = found.map(|file| file.path.file_name().unwrap().to_str().unwrap().to_owned());
        names.collect()
    }
}

#[test]
fn an_old_finished_file_of_the_source_is_found() {
    let old = OldFiles::new();
    old.add(NAME, &[LINE, LINE]);
    assert_eq!(old.found(), [NAME]);
    // Of several sources in one file, each may be the first or the last.
    let other = LINE.replace(r#""a""#, r#""b""#);
    old.add("a-20260802T100000.000Z.jsonl", &[&other, LINE]);
    old.add("a-20260803T100000.000Z.jsonl", &[LINE, &other]);
    old.add("a-20260804T100000.000Z.jsonl", &[&other, &other]);
    assert_eq!(old.found().len(), 3);
}

#[test]
fn neighbours_are_left_alone() {
    let old = OldFiles::new();
    let theirs = old.add("theirs", &[LINE]);
    old.add("a.jsonl", &[LINE]);
    old.add("a-jira-20260801T100000.000Z.jsonl", &[LINE]);
    old.add("b-20260801T100000.000Z.jsonl", &[LINE]);
    old.add("a.jsonl.unfinished-abc", &[LINE]);
    old.add("a-20260801T100000.000Z.jsonl.bak", &[LINE]);
    old.add("a-20260801.jsonl", &[LINE]);
    old.add("sub/a-20260801T100000.000Z.jsonl", &[LINE]);
    symlink(&theirs, old.folder.path().join(NAME)).unwrap();
    fs::create_dir(old.folder.path().join("a-20260802T100000.000Z.jsonl")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        old.folder.path().join("a-20260803T100000.000Z.jsonl"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert_eq!(old.found(), [""; 0]);
}

#[test]
fn lines_that_are_not_the_sources_keep_a_file() {
    let other = LINE.replace(r#""a""#, r#""b""#);
    let undated = LINE.replace("2026-08-01T09", "long ago");
    let recent = LINE.replace("2026-08-01", "2026-11-30");
    for lines in [
        &["{\"id\":1}"][..],
        &["text"],
        &[&other],
        &[LINE, "text"],
        &["text", LINE],
        &[&undated],
        &[LINE, &recent],
        &[],
    ] {
        let old = OldFiles::new();
        old.add(NAME, lines);
        assert_eq!(old.found(), [""; 0], "{lines:?}");
    }
    let old = OldFiles::new();
    let path = old.add(NAME, &[LINE]);
    fs::write(&path, LINE).unwrap();
    old.touch(&path, "2026-08-01T12:00:00Z");
    assert_eq!(old.found(), [""; 0], "half a line");
}

#[test]
fn a_file_in_use_or_in_a_checkpoint_stays() {
    let mut old = OldFiles::new();
    let path = old.add(NAME, &[LINE]);
    let file = File::open(&path).unwrap();
    file.try_lock().unwrap();
    assert_eq!(old.found(), [""; 0]);
    drop(file);
    let facts = fs::metadata(&path).unwrap();
    let mut known = OutputFileState {
        path: old.folder.path().join("renamed"),
        identity: Some(identity(&facts)),
        tail: None,
        begun: None,
        committed: 1,
        is_open: false,
    };
    old.in_use = vec![known.clone()];
    assert_eq!(old.found(), [""; 0], "by its inode");
    known.identity = None;
    known.path = fs::canonicalize(&path).unwrap();
    old.in_use = vec![known];
    assert_eq!(old.found(), [""; 0], "by its name");
}

#[test]
fn the_newest_sign_of_age_counts() {
    let old = OldFiles::new();
    let path = old.add(NAME, &[LINE]);
    old.touch(&path, "2026-11-30T00:00:00Z");
    assert_eq!(old.found(), [""; 0], "changed of late");
    let mut old = OldFiles::new();
    old.add("a-20261130T100000.000Z.jsonl", &[LINE]);
    assert_eq!(old.found(), [""; 0], "its name is of late");
    // Under a clock of 1970, a run finished it under such a name.
    let path = old.add("a-19700101T000000.000Z.jsonl", &[&LINE.replace("08-01", "11-30")]);
    old.touch(&path, "1970-01-01T00:00:00Z");
    assert_eq!(old.found(), [""; 0], "its events are of late");
    old.now = at("1970-01-02T00:00:00Z");
    assert_eq!(old.found(), [""; 0], "our clock is behind");
}

#[test]
fn a_file_that_was_replaced_meanwhile_is_not_deleted() {
    let old = OldFiles::new();
    let path = old.add(NAME, &[LINE]);
    let source = "a".parse().unwrap();
    let check = RetentionCheck {
        output: &old.output,
        keep: Duration::from_secs(86400),
        source: &source,
        in_use: &[],
        now: old.now,
    };
    let found = check.expired_files().unwrap();
    fs::rename(&path, old.folder.path().join("moved")).unwrap();
    assert!(!found[0].delete().unwrap());
    fs::write(&path, "another").unwrap();
    assert!(!found[0].delete().unwrap());
    assert!(path.exists());
    fs::rename(old.folder.path().join("moved"), &path).unwrap();
    assert!(found[0].delete().unwrap());
    assert!(!path.exists());
}
