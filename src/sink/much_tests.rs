//! Much that is written to one file.

use super::*;

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
    let mut other = fs::OpenOptions::new().append(true).open(path).unwrap();
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
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(0)
        .unwrap();
    sink.append(&lines).unwrap();
    assert!(matches!(
        sink.commit(),
        Err(SinkError::TruncatedExternally { .. })
    ));
}
