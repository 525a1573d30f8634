use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::*;
use crate::config::settings::OutputPath;
use crate::config::settings::{Compression, Rotation};
use crate::model::time::parse_api_time;
use crate::sink::pack::unpack;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn sink(path: &Path, compression: Compression, rotation: Rotation) -> FileSink {
    let path = OutputPath::File(path.to_str().unwrap().to_owned());
    let settings = OutputSettings { path, compression, rotation, ..OutputSettings::default() };
    FileSink::new(&settings, None)
}

fn plain(path: &Path) -> FileSink {
    sink(path, Compression::None, Rotation::Never)
}

/// Path, length and whether it is open.
fn summarize(state: Option<&OutputFileState>) -> Option<(PathBuf, u64, bool)> {
    state.map(|state| (state.path.clone(), state.committed, state.is_open))
}

fn commit(sink: &mut FileSink) -> Option<(PathBuf, u64, bool)> {
    summarize(sink.commit().unwrap().first())
}

fn write(sink: &mut FileSink, line: &str) {
    sink.prepare().unwrap();
    sink.append(line.as_bytes()).unwrap();
    sink.commit().unwrap();
}

/// Every file of the folder, by name, unpacked.
fn texts(folder: &tempfile::TempDir) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let compression = match path.extension().unwrap().to_str().unwrap() {
            "gz" => Compression::Gzip,
            "zst" => Compression::Zstd,
            _ => Compression::None,
        };
        let mut text = String::new();
        let mut packed = unpack(compression, File::open(&path).unwrap()).unwrap();
        packed.read_to_string(&mut text).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        texts.push((name.to_owned(), text));
    }
    texts.sort();
    texts
}

#[test]
fn a_commit_returns_the_length_and_the_file_is_private() {
    let folder = folder();
    let path = folder.path().join("new/out.jsonl");
    let mut sink = plain(&path);
    let opened = sink.prepare().unwrap();
    assert_eq!(summarize(opened.as_ref()), Some((path.clone(), 0, true)));
    sink.append(b"one\n").unwrap();
    sink.append(b"two\n").unwrap();
    assert_eq!(commit(&mut sink), Some((path.clone(), 8, true)));
    assert_eq!(sink.prepare().unwrap(), None);
    assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
}

#[test]
fn a_file_that_nobody_committed_is_only_appended_to() {
    let folder = folder();
    let path = folder.path().join("out.jsonl");
    for (theirs, all) in [
        ("kept\n", "kept\nnew\nmore\n"),
        ("kept\n{\"n\":1}", "kept\n{\"n\":1}\nnew\nmore\n"),
        ("{\"n\":1}\n{\"n\":", "{\"n\":1}\nnew\nmore\n"),
        ("{\"torn", "new\nmore\n"),
    ] {
        fs::write(&path, theirs).unwrap();
        let mut sink = plain(&path);
        sink.append(b"new\n").unwrap();
        sink.append(b"more\n").unwrap();
        let state = commit(&mut sink);
        assert_eq!(fs::read_to_string(&path).unwrap(), all);
        assert_eq!(state, Some((path.clone(), all.len() as u64, true)));
    }
    let mut aside: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .filter(|text| !text.ends_with('\n'))
        .collect();
    aside.sort();
    assert_eq!(aside, ["{\"n\":", "{\"torn"]);
}

#[test]
fn packed_lines_are_never_appended_to_what_does_not_unpack() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        let folder = folder();
        let path = folder.path().join("out");
        write(&mut sink(&path, compression, Rotation::Never), "one\n");
        write(&mut sink(&path, compression, Rotation::Never), "two\n");
        assert_eq!(texts(&folder)[0].1, "one\ntwo\n");
        let packed = PathBuf::from(compression.with_suffix(path.display().to_string()));
        let mut file = OpenOptions::new().append(true).open(&packed).unwrap();
        file.write_all(b"no end").unwrap();
        let refused = sink(&path, compression, Rotation::Never).prepare();
        assert!(matches!(
            refused,
            Err(SinkError::UnexpectedFile { state: UnexpectedFile::CorruptArchive, .. })
        ));
    }
}

#[test]
fn a_file_is_packed_in_one_way() {
    let ways = [Compression::None, Compression::Gzip, Compression::Zstd];
    for first in ways {
        for then in ways.into_iter().filter(|&then| then != first) {
            let folder = folder();
            // The one suffix that each of them leaves alone.
            let path = folder.path().join(format!("out{}", then.suffix()));
            write(&mut sink(&folder.path().join("first"), first, Rotation::Never), "one\n");
            let packed = folder.path().join(first.with_suffix("first".to_owned()));
            fs::rename(packed, &path).unwrap();
            let before = fs::read(&path).unwrap();
            let refused = sink(&path, then, Rotation::Never).prepare();
            assert!(
                matches!(
                    refused,
                    Err(SinkError::UnexpectedFile {
                        state: UnexpectedFile::CompressionMismatch,
                        ..
                    })
                ),
                "{first:?} {then:?}"
            );
            assert_eq!(fs::read(&path).unwrap(), before);
        }
    }
}

#[test]
fn the_hour_changes_the_file_only_between_commits() {
    let folder = folder();
    let template = folder.path().join("%Y%m%d-%H.jsonl");
    let mut sink = plain(&template);
    sink.clock = || parse_api_time("2026-11-20T09:59:59Z").unwrap();
    sink.prepare().unwrap();
    sink.append(b"nine\n").unwrap();
    sink.clock = || parse_api_time("2026-11-20T10:00:00Z").unwrap();
    assert_eq!(sink.prepare().unwrap(), None);
    sink.append(b"still nine\n").unwrap();
    sink.commit().unwrap();
    assert!(sink.prepare().unwrap().is_some());
    sink.append(b"ten\n").unwrap();
    sink.commit().unwrap();
    let read = |name| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("20261120-09.jsonl"), "nine\nstill nine\n");
    assert_eq!(read("20261120-10.jsonl"), "ten\n");
}

#[test]
fn a_finished_name_contains_the_begin_time() {
    let folder = folder();
    let path = folder.path().join("out.jsonl");
    let mut sink = sink(&path, Compression::Gzip, Rotation::HOURLY);
    sink.clock = || parse_api_time("2026-11-20T08:30:00Z").unwrap();
    sink.prepare().unwrap();
    // Opened at half past eight, begun when the first line came.
    sink.clock = || parse_api_time("2026-11-20T09:00:00Z").unwrap();
    write(&mut sink, "nine\n");
    write(&mut sink, "still nine\n");
    sink.clock = || parse_api_time("2026-11-20T10:00:00Z").unwrap();
    write(&mut sink, "ten\n");
    let names_and_texts =
        [("out-20261120T090000.000Z.jsonl.gz", "nine\nstill nine\n"), ("out.jsonl.gz", "ten\n")];
    let want = names_and_texts.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(texts(&folder), want);
}

#[test]
fn the_next_run_finishes_what_the_last_one_left_full() {
    let folder = folder();
    let path = folder.path().join("out.jsonl");
    let mut first = sink(&path, Compression::None, Rotation::HOURLY);
    first.clock = || parse_api_time("2026-11-20T09:00:00Z").unwrap();
    write(&mut first, "nine\n");
    let state = first.commit().unwrap().pop();
    drop(first);
    let mut next = sink(&path, Compression::None, Rotation::HOURLY);
    next.last_file = state;
    next.clock = || parse_api_time("2026-11-20T11:00:00Z").unwrap();
    assert_eq!(next.prepare().unwrap().unwrap().committed, 0);
    let names: Vec<_> = texts(&folder).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["out-20261120T090000.000Z.jsonl", "out.jsonl"]);
}

#[test]
fn finished_names_sort_in_the_order_of_writing_also_when_the_clock_is_set_back() {
    let folder = folder();
    let path = folder.path().join("out.jsonl");
    let mut sink = sink(&path, Compression::None, Rotation::Size(5));
    for (number, clock) in [
        (|| parse_api_time("2026-11-20T09:00:00Z").unwrap()) as fn() -> Timestamp,
        || parse_api_time("2026-11-20T09:00:00Z").unwrap(),
        || parse_api_time("2020-01-01T00:00:00Z").unwrap(),
        || parse_api_time("2026-11-21T00:00:00Z").unwrap(),
    ]
    .into_iter()
    .enumerate()
    {
        sink.clock = clock;
        write(&mut sink, &format!("{number:04}\n"));
    }
    let written: Vec<_> = texts(&folder).into_iter().map(|(_, text)| text).collect();
    assert_eq!(written, ["0000\n", "0001\n", "0002\n", "0003\n"]);
}

#[test]
fn a_finished_file_is_never_renamed_over_another() {
    let folder = folder();
    let path = folder.path().join("out.jsonl");
    // Nothing of the same width sorts behind it.
    let last = folder.path().join("out-99991231T235959.999Z.jsonl");
    fs::write(&last, "theirs\n").unwrap();
    let mut sink = sink(&path, Compression::None, Rotation::Size(1));
    write(&mut sink, "1\n");
    write(&mut sink, "2\n");
    let before = texts(&folder);
    assert!(sink.prepare().is_err());
    assert_eq!(texts(&folder), before);
}

#[test]
fn a_full_file_makes_a_commit_due() {
    let folder = folder();
    let path = folder.path().join("out.jsonl");
    let mut sink = sink(&path, Compression::None, Rotation::Size(5));
    sink.append(b"1\n").unwrap();
    assert!(!sink.is_full());
    sink.append(b"22\n").unwrap();
    assert!(sink.is_full());
    sink.commit().unwrap();
    assert!(!sink.is_full());
}

#[test]
fn changes_by_other_programs_are_accepted() {
    let folder = folder();
    let path = folder.path().join("out.jsonl");
    let mut sink = plain(&path);
    write(&mut sink, "1\n");
    fs::rename(&path, folder.path().join("out.jsonl.1")).unwrap();
    write(&mut sink, "2\n");
    fs::copy(&path, folder.path().join("out.jsonl.2")).unwrap();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
    write(&mut sink, "3\n");
    assert_eq!(commit(&mut sink), Some((path.clone(), 2, true)));
    fs::remove_file(&path).unwrap();
    write(&mut sink, "4\n");
    let read = |name| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("out.jsonl.1"), "1\n");
    assert_eq!(read("out.jsonl.2"), "2\n");
    assert_eq!(read("out.jsonl"), "4\n");
}

#[test]
fn a_file_that_is_cut_within_a_commit_commits_nothing() {
    let folder = folder();
    let path = folder.path().join("out.jsonl");
    let mut sink = plain(&path);
    sink.append(b"1\n").unwrap();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
    sink.append(b"2\n").unwrap();
    assert!(matches!(
        sink.commit(),
        Err(SinkError::UnexpectedFile { state: UnexpectedFile::TruncatedExternally, .. })
    ));
    assert_eq!(fs::read(&path).unwrap(), b"");
}

#[test]
fn a_file_that_is_removed_within_a_commit_commits_nothing() {
    let folder = folder();
    let path = folder.path().join("out.jsonl");
    let mut sink = plain(&path);
    sink.append(b"1\n").unwrap();
    fs::remove_file(&path).unwrap();
    assert!(matches!(
        sink.commit(),
        Err(SinkError::UnexpectedFile { state: UnexpectedFile::RemovedWhileOpen, .. })
    ));
}

#[test]
fn external_changes_between_commits_are_reported_before_appending() {
    let folder = folder();
    let path = folder.path().join("out.jsonl");
    let mut sink = plain(&path);
    write(&mut sink, "11\n");
    let mut theirs = OpenOptions::new().append(true).open(&path).unwrap();
    theirs.write_all(b"theirs\n{\"torn").unwrap();
    // Half a line is moved aside.
    let news = sink.prepare().unwrap();
    assert_eq!(summarize(news.as_ref()), Some((path.clone(), 10, true)));
    theirs.set_len(0).unwrap();
    let news = sink.prepare().unwrap();
    assert_eq!(summarize(news.as_ref()), Some((path.clone(), 0, true)));
    write(&mut sink, "2\n");
    assert_eq!(fs::read(&path).unwrap(), b"2\n");
}

#[test]
fn only_our_own_empty_file_is_removed() {
    let folder = folder();
    let path = folder.path().join("out.jsonl.gz");
    let mut first = sink(&path, Compression::Gzip, Rotation::Never);
    first.prepare().unwrap();
    fs::rename(&path, folder.path().join("moved.gz")).unwrap();
    let mut second = sink(&path, Compression::Gzip, Rotation::Never);
    write(&mut second, "theirs\n");
    assert_eq!(first.finish().unwrap(), Vec::new());
    assert!(path.exists());
    fs::remove_file(&path).unwrap();
    drop(second);
    let mut third = sink(&path, Compression::Gzip, Rotation::Never);
    third.prepare().unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(third.finish().unwrap(), Vec::new());
}

#[test]
fn a_second_writer_is_refused() {
    let folder = folder();
    let path = folder.path().join("out.jsonl");
    let mut first = plain(&path);
    first.append(b"x\n").unwrap();
    let refused = plain(&path).prepare();
    assert!(matches!(
        refused,
        Err(SinkError::UnexpectedFile { state: UnexpectedFile::LockedByOtherRun, .. })
    ));
}

#[test]
fn a_device_is_written_and_never_committed() {
    for compression in [Compression::None, Compression::Zstd] {
        let mut null = sink(Path::new("/dev/null"), compression, Rotation::Size(1));
        assert_eq!(null.prepare().unwrap(), None);
        null.append(b"x\n").unwrap();
        assert_eq!(null.commit().unwrap(), Vec::new());
        assert_eq!(null.prepare().unwrap(), None);
    }
    let full = plain(Path::new("/dev/full")).append(b"x\n");
    assert!(matches!(full, Err(SinkError::File { doing: "write", .. })));
}

/// Numbered lines of all lengths.
fn many_lines(random: &mut fastrand::Rng, bytes: usize) -> Vec<u8> {
    let mut lines = Vec::new();
    while lines.len() < bytes {
        let line = format!("{}{}\n", lines.len(), "x".repeat(random.usize(..9000)));
        lines.extend_from_slice(line.as_bytes());
    }
    lines
}

#[test]
fn large_writes_are_exact_wherever_they_are_committed() {
    for seed in 0..8 {
        let mut random = fastrand::Rng::with_seed(seed);
        let folder = folder();
        let path = folder.path().join("f.jsonl");
        let mut sink = plain(&path);
        let mut expected = Vec::new();
        for _ in 0..random.usize(1..6) {
            sink.prepare().unwrap();
            for _ in 0..random.usize(1..12) {
                let bytes = random.usize(..700_000);
                let lines = many_lines(&mut random, bytes);
                sink.append(&lines).unwrap();
                expected.extend_from_slice(&lines);
            }
            let (_, committed, _) = commit(&mut sink).unwrap();
            assert_eq!(committed, expected.len() as u64, "{seed}");
            assert!(fs::read(&path).unwrap() == expected, "{seed}");
        }
    }
}

fn append_each(sink: &mut FileSink, lines: &[u8]) {
    sink.prepare().unwrap();
    let lines = lines.split_inclusive(|&byte| byte == b'\n');
    lines.for_each(|line| sink.append(line).unwrap());
}

fn append_foreign_line(path: &Path) {
    let mut other = OpenOptions::new().append(true).open(path).unwrap();
    other.write_all(b"theirs\n").unwrap();
}

#[test]
fn large_files_are_rotated() {
    let folder = folder();
    let path = folder.path().join("f.jsonl");
    let lines = many_lines(&mut fastrand::Rng::with_seed(7), 3_000_000);
    let mut sink = sink(&path, Compression::None, Rotation::Size(3_000_000));
    for files in 1..4 {
        append_each(&mut sink, &lines);
        assert!(sink.is_full());
        commit(&mut sink);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), files);
        assert!(fs::read(&path).unwrap() == lines);
    }
}

#[test]
fn lines_that_others_append_during_a_commit_stay_where_they_are() {
    let folder = folder();
    let path = folder.path().join("f.jsonl");
    let lines = many_lines(&mut fastrand::Rng::with_seed(9), 3_000_000);
    let mut sink = plain(&path);
    append_each(&mut sink, &lines);
    append_foreign_line(&path);
    append_each(&mut sink, &lines);
    commit(&mut sink);
    assert!(fs::read(&path).unwrap() == [&lines[..], b"theirs\n", &lines].concat());
}

#[test]
fn external_truncation_during_large_writes_is_reported() {
    let folder = folder();
    let path = folder.path().join("f.jsonl");
    let lines = many_lines(&mut fastrand::Rng::with_seed(8), 1_500_000);
    let mut sink = plain(&path);
    sink.prepare().unwrap();
    sink.append(&lines).unwrap();
    sink.append(&lines).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    sink.append(&lines).unwrap();
    assert!(matches!(
        sink.commit(),
        Err(SinkError::UnexpectedFile { state: UnexpectedFile::TruncatedExternally, .. })
    ));
}
