use super::*;
use crate::config::settings::{Compression, OutputPath, OutputSettings};
use crate::sink::LineSink as _;
use crate::sink::output_file::FileSink;
use crate::sink::pack::LineEncoder;
use std::io::Write as _;

const LINES: &str = "{\"n\":1}\n{\"n\":2}\n";

fn sink(path: &Path, compression: Compression) -> FileSink {
    let path = OutputPath::File(path.to_str().unwrap().to_owned());
    FileSink::new(&OutputSettings { path, compression, ..OutputSettings::default() }, None)
}

fn acme() -> SourceName {
    "acme".parse().unwrap()
}

/// A folder with one file in it that `LINES` were committed to.
fn committed(compression: Compression) -> (tempfile::TempDir, OutputFileState) {
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("out");
    let mut sink = sink(&template, compression);
    sink.append(LINES.as_bytes()).unwrap();
    let state = sink.commit().unwrap().remove(0);
    (folder, state)
}

/// A normalized event of the source.
fn own(n: u32) -> String {
    format!("{{\"schema\":\"atlaudit/1\",\"source\":{{\"name\":\"acme\"}},\"n\":{n}}}\n")
}

/// The text as one commit writes it.
fn packed(compression: Compression, text: &str) -> Vec<u8> {
    let mut packer = LineEncoder::new(compression, &File::open("/dev/null").unwrap());
    let mut packed = packer.encode(text.as_bytes()).unwrap().to_vec();
    packed.extend_from_slice(packer.finish_frame().unwrap());
    packed
}

fn append(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

fn closed(state: &OutputFileState) -> OutputFileState {
    OutputFileState { is_open: false, ..state.clone() }
}

fn names(folder: &tempfile::TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_unfinished_work_of_a_killed_run_is_truncated() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let (folder, state) = committed(compression);
        let lines = packed(compression, &(0..200).map(own).collect::<String>());
        for torn in [&lines[..], &lines[..lines.len() / 2]] {
            append(&state.path, torn);
            recover_shared(&state, &acme(), &[]).unwrap();
            let length = fs::metadata(&state.path).unwrap().len();
            assert_eq!(length, state.committed);
        }
        assert_eq!(names(&folder).len(), 1);
    }
}

#[test]
fn a_renamed_file_is_found_under_the_name_that_another_program_gave_it() {
    let (folder, state) = committed(Compression::None);
    append(&state.path, b"{\"n\":");
    let renamed = folder.path().join("out.1");
    fs::rename(&state.path, &renamed).unwrap();
    fs::write(&state.path, "{\"theirs\":\"longer than what was committed\"}\n").unwrap();
    recover_shared(&state, &acme(), &[]).unwrap();
    assert_eq!(fs::read_to_string(&renamed).unwrap(), LINES);
    let theirs = fs::read_to_string(&state.path).unwrap();
    assert!(theirs.starts_with("{\"theirs\""), "{theirs}");
}

#[test]
fn another_file_of_the_same_name_is_left_alone() {
    let (_folder, state) = committed(Compression::None);
    fs::remove_file(&state.path).unwrap();
    // It may get the inode of the one removed: its time of creation distinguishes them.
    let theirs = "somebody's own, and longer than what was committed\n";
    fs::write(&state.path, theirs).unwrap();
    recover_shared(&state, &acme(), &[]).unwrap();
    assert_eq!(fs::read_to_string(&state.path).unwrap(), theirs);
    fs::remove_file(&state.path).unwrap();
    recover_shared(&state, &acme(), &[]).unwrap();
    assert!(!state.path.exists());
}

#[test]
fn whole_lines_of_others_stay() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let (_folder, state) = committed(compression);
        let theirs = packed(compression, "{\"theirs\":1}\n");
        append(&state.path, &theirs);
        recover_shared(&closed(&state), &acme(), &[]).unwrap();
        let length = fs::metadata(&state.path).unwrap().len();
        assert_eq!(length, state.committed + theirs.len() as u64);
    }
}

#[test]
fn events_of_the_source_that_the_state_does_not_know_of_are_moved_aside() {
    for (name, stays) in [("acme", false), ("acme-jira", true)] {
        let (folder, state) = committed(Compression::None);
        let event = format!(
            "{{\"schema\":\"atlaudit/1\",\"id\":\"x\",\"source\":{{\"name\":\"{name}\"}},\"raw\":{{}}}}\n"
        );
        append(&state.path, event.as_bytes());
        recover_shared(&closed(&state), &acme(), &[]).unwrap();
        let text = fs::read_to_string(&state.path).unwrap();
        assert_eq!(text.contains(name), stays, "{name}");
        assert_eq!(names(&folder).len(), if stays { 1 } else { 2 });
    }
}

#[test]
fn anything_else_of_others_is_moved_aside() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let (folder, state) = committed(compression);
        for theirs in ["{\"theirs\":1}", "{\"theirs\":1}\ngarbage\n", "{\"torn"] {
            append(&state.path, theirs.as_bytes());
            recover_shared(&closed(&state), &acme(), &[]).unwrap();
            let length = fs::metadata(&state.path).unwrap().len();
            assert_eq!(length, state.committed, "{compression:?} {theirs}");
            let aside: Vec<_> =
                names(&folder).into_iter().filter(|name| name.contains(".unfinished-")).collect();
            assert_eq!(aside.len(), 1, "{aside:?}");
            let aside = folder.path().join(&aside[0]);
            assert_eq!(fs::read_to_string(&aside).unwrap(), theirs);
            fs::remove_file(aside).unwrap();
        }
    }
}

#[test]
fn a_copy_in_place_of_the_file_is_truncated_like_it() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let (folder, state) = committed(compression);
        append(&state.path, b"{\"n\":");
        let copy = folder.path().join("copy");
        fs::copy(&state.path, &copy).unwrap();
        fs::rename(&copy, &state.path).unwrap();
        recover_shared(&state, &acme(), &[]).unwrap();
        let length = fs::metadata(&state.path).unwrap().len();
        assert_eq!(length, state.committed);
    }
}

#[test]
fn if_a_killed_runs_file_was_copied_and_cut_the_copy_is_truncated_and_the_rest_stays() {
    for compression in [Compression::None, Compression::Gzip] {
        let (folder, state) = committed(compression);
        append(&state.path, &packed(compression, &own(3)));
        let copy = folder.path().join("out.1");
        fs::copy(&state.path, &copy).unwrap();
        // Shorter and longer than what was committed: it grew again before the run was killed.
        for grown in [own(4), own(4) + &own(5)] {
            fs::write(&state.path, grown).unwrap();
            recover_shared(&state, &acme(), &[]).unwrap();
            assert_eq!(fs::read(&state.path).unwrap(), b"");
            assert_eq!(fs::metadata(&copy).unwrap().len(), state.committed);
        }
        assert_eq!(names(&folder).len(), 4, "nothing is destroyed");
    }
}

#[test]
fn what_another_source_committed_is_left_alone() {
    let (folder, state) = committed(Compression::None);
    let ours = "{\"schema\":\"atlaudit/1\",\"source\":{\"name\":\"acme\"}}\n";
    append(&state.path, ours.as_bytes());
    let committed = state.committed + ours.len() as u64;
    let file = File::open(&state.path).unwrap();
    let other = |is_open| OutputFileState {
        tail: tail(&file, committed).unwrap(),
        committed,
        is_open,
        ..state.clone()
    };
    append(&state.path, b"{\"torn");
    let all = fs::metadata(&state.path).unwrap().len();
    // It has to recover its own end first.
    recover_shared(&closed(&state), &acme(), &[other(true)]).unwrap();
    assert_eq!(fs::metadata(&state.path).unwrap().len(), all);
    recover_shared(&closed(&state), &acme(), &[other(false)]).unwrap();
    let text = fs::read_to_string(&state.path).unwrap();
    assert!(text.ends_with(ours), "{text}");
    assert_eq!(names(&folder).len(), 2);
}

#[test]
fn a_checkpoint_of_lines_that_were_cut_away_since_counts_for_nothing() {
    let (_folder, state) = committed(Compression::None);
    append(&state.path, b"{\"torn");
    let stale = OutputFileState { committed: 1 << 20, is_open: false, ..state.clone() };
    recover_shared(&state, &acme(), &[stale]).unwrap();
    assert_eq!(fs::read_to_string(&state.path).unwrap(), LINES);
}

#[test]
fn lines_of_another_source_after_a_killed_run_are_kept_beside_it() {
    let (folder, state) = committed(Compression::None);
    let theirs = "{\"schema\":\"atlaudit/1\",\"source\":{\"name\":\"b\"}}\n";
    append(&state.path, theirs.as_bytes());
    recover_shared(&state, &acme(), &[]).unwrap();
    assert_eq!(fs::read_to_string(&state.path).unwrap(), LINES);
    assert_eq!(names(&folder).len(), 2);
}

#[test]
fn a_packed_file_without_a_commit_is_removed() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let folder = tempfile::tempdir().unwrap();
        let template = folder.path().join("out");
        let mut sink = sink(&template, compression);
        let state = sink.prepare().unwrap().unwrap();
        drop(sink);
        append(&state.path, b"torn");
        recover_shared(&state, &acme(), &[]).unwrap();
        let is_plain = compression == Compression::None;
        assert_eq!(state.path.exists(), is_plain, "{compression:?}");
    }
}

#[test]
fn a_file_that_others_truncated_is_used_further() {
    let (_folder, state) = committed(Compression::None);
    fs::write(&state.path, "").unwrap();
    recover_shared(&state, &acme(), &[]).unwrap();
    assert_eq!(fs::read(&state.path).unwrap(), b"");
}

#[test]
fn a_line_of_another_program_after_a_killed_run_is_kept_beside_it() {
    let compressions = [Compression::None, Compression::Gzip, Compression::Zstd];
    let tails = ["{\"theirs\":1}\n", "text of theirs\n", "{\"theirs\":1}\n{\"tor"];
    for (compression, theirs) in
        compressions.into_iter().flat_map(|compression| tails.map(|theirs| (compression, theirs)))
    {
        let (folder, state) = committed(compression);
        let before = fs::read(&state.path).unwrap();
        append(&state.path, theirs.as_bytes());
        recover_shared(&state, &acme(), &[]).unwrap();
        assert_eq!(fs::read(&state.path).unwrap(), before);
        let aside = names(&folder).into_iter().find(|name| name.contains(".unfinished-"));
        let aside = fs::read_to_string(folder.path().join(aside.unwrap())).unwrap();
        assert_eq!(aside, theirs);
    }
}

fn committed_to(path: &Path, committed: u64) -> OutputFileState {
    let file = File::open(path).unwrap();
    OutputFileState {
        path: path.to_owned(),
        identity: None,
        tail: tail(&file, committed).unwrap(),
        begun: None,
        committed,
        is_open: true,
    }
}

#[test]
fn what_was_committed_stays_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    fs::write(&path, "committed and not").unwrap();
    let known = committed_to(&path, 9);
    truncate_to_checkpoint(&path, Some(&known)).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"committed");
    truncate_to_checkpoint(&path, Some(&known)).unwrap();
    for other in ["commit", "Xommitted", ""] {
        fs::write(&path, other).unwrap();
        let refused = truncate_to_checkpoint(&path, Some(&known));
        assert!(
            matches!(
                refused,
                Err(SinkError::UnexpectedFile { state: UnexpectedFile::CommittedDataMissing, .. })
            ),
            "{other}"
        );
        assert_eq!(fs::read(&path).unwrap(), other.as_bytes());
    }
    truncate_to_checkpoint(&path, None).unwrap();
    assert!(!path.exists());
    truncate_to_checkpoint(&path, None).unwrap();
    let gone = truncate_to_checkpoint(&path, Some(&known));
    assert!(matches!(
        gone,
        Err(SinkError::UnexpectedFile { state: UnexpectedFile::CommittedDataMissing, .. })
    ));
}

/// The contents of `tail`, as they are found in an uncompressed file.
fn contents(tail: &str) -> TailContents {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    fs::write(&path, tail).unwrap();
    TailContents::read(&path, 0, &acme()).unwrap()
}

#[test]
fn the_state_of_a_file_and_its_checkpoint_decide_what_happens() {
    use RunEnding::{Finished, Killed, KilledAndTruncated};
    use TailAction::{Discard, Leave, MoveAside};
    let other = "{\"schema\":\"atlaudit/1\",\"source\":{\"name\":\"b\"}}\n";
    let own = own(1);
    // The last run, committed bytes, what follows them; then the tail, and whether an archive that
    // this source committed nothing to is removed.
    for (last_run, committed, tail, action, removes_archive) in [
        (Finished, 9, None, Leave, false),
        (Killed, 9, None, Leave, false),
        (Killed, 0, None, Leave, true),
        (Finished, 9, Some(own.as_str()), MoveAside, false),
        (Killed, 9, Some(&own), Discard, false),
        (Killed, 0, Some(&own), Discard, true),
        (KilledAndTruncated, 0, Some(&own), MoveAside, true),
        (Finished, 9, Some(other), Leave, false),
        (Killed, 9, Some(other), MoveAside, false),
        (Killed, 0, Some(other), MoveAside, true),
        (KilledAndTruncated, 0, Some(other), Leave, false),
        (Finished, 9, Some("{\"torn"), MoveAside, false),
        (Killed, 9, Some("{\"torn"), MoveAside, false),
    ] {
        let facts = |awaits_other_source, is_unstarted_archive| RecoveryFacts {
            last_run,
            awaits_other_source,
            length: committed + tail.map_or(0, |tail| tail.len() as u64),
            committed,
            tail: tail.map(contents),
            is_unstarted_archive,
        };
        let what = format!("{last_run:?} {committed} {tail:?}");
        let plan = |tail, removes_file| RecoveryPlan { tail, removes_file };
        assert_eq!(plan_recovery(&facts(false, false)), plan(action, false), "{what}");
        let archive = plan_recovery(&facts(false, true));
        assert_eq!(archive, plan(action, removes_archive), "{what}");
        assert_eq!(plan_recovery(&facts(true, false)), plan(Leave, false), "{what}");
    }
}
