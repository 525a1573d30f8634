use super::*;
use crate::config::output::OutputLayer;
use crate::config::settings::Compression;
use crate::config::settings::OutputSettings;
use crate::sink::LineSink as _;
use crate::sink::file::FileSink;
use crate::sink::pack::LineEncoder;
use std::io::Write as _;

const LINES: &str = "{\"n\":1}\n{\"n\":2}\n";

fn settings(compression: Compression) -> OutputSettings {
    OutputSettings {
        compression,
        ..OutputLayer::default().resolve(&acme())
    }
}

fn acme() -> SourceName {
    "acme".parse().unwrap()
}

/// A folder with one file in it that `LINES` were committed to.
fn committed(compression: Compression) -> (tempfile::TempDir, OutputFileState) {
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("out");
    let mut sink = FileSink::new(template.to_str().unwrap(), &settings(compression), None);
    sink.append(LINES.as_bytes()).unwrap();
    let account = sink.commit().unwrap().remove(0);
    (folder, account)
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

fn closed(account: &OutputFileState) -> OutputFileState {
    OutputFileState {
        is_open: false,
        ..account.clone()
    }
}

fn names(folder: &tempfile::TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_unfinished_work_of_a_killed_run_is_cut_off() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let (folder, account) = committed(compression);
        let lines = packed(compression, &(0..200).map(own).collect::<String>());
        for torn in [&lines[..], &lines[..lines.len() / 2]] {
            append(&account.path, torn);
            mend(&account, &acme(), &[]).unwrap();
            let length = fs::metadata(&account.path).unwrap().len();
            assert_eq!(length, account.committed);
        }
        assert_eq!(names(&folder).len(), 1);
    }
}

#[test]
fn it_is_found_under_the_name_that_another_program_gave_it() {
    let (folder, account) = committed(Compression::None);
    append(&account.path, b"{\"n\":");
    let renamed = folder.path().join("out.1");
    fs::rename(&account.path, &renamed).unwrap();
    fs::write(
        &account.path,
        "{\"theirs\":\"longer than what was committed\"}\n",
    )
    .unwrap();
    mend(&account, &acme(), &[]).unwrap();
    assert_eq!(fs::read_to_string(&renamed).unwrap(), LINES);
    let theirs = fs::read_to_string(&account.path).unwrap();
    assert!(theirs.starts_with("{\"theirs\""), "{theirs}");
}

#[test]
fn another_file_of_the_same_name_is_left_alone() {
    let (_folder, account) = committed(Compression::None);
    fs::remove_file(&account.path).unwrap();
    // It may get the inode of the one removed: its birth tells them apart.
    let theirs = "somebody's own, and longer than what was committed\n";
    fs::write(&account.path, theirs).unwrap();
    mend(&account, &acme(), &[]).unwrap();
    assert_eq!(fs::read_to_string(&account.path).unwrap(), theirs);
    fs::remove_file(&account.path).unwrap();
    mend(&account, &acme(), &[]).unwrap();
    assert!(!account.path.exists());
}

#[test]
fn whole_lines_of_others_stay() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let (_folder, account) = committed(compression);
        let theirs = packed(compression, "{\"theirs\":1}\n");
        append(&account.path, &theirs);
        mend(&closed(&account), &acme(), &[]).unwrap();
        let length = fs::metadata(&account.path).unwrap().len();
        assert_eq!(length, account.committed + theirs.len() as u64);
    }
}

#[test]
fn events_of_the_source_that_the_state_does_not_know_of_are_moved_aside() {
    for (name, stays) in [("acme", false), ("acme-jira", true)] {
        let (folder, account) = committed(Compression::None);
        let event = format!(
            "{{\"schema\":\"atlaudit/1\",\"id\":\"x\",\"source\":{{\"name\":\"{name}\"}},\"raw\":{{}}}}\n"
        );
        append(&account.path, event.as_bytes());
        mend(&closed(&account), &acme(), &[]).unwrap();
        let text = fs::read_to_string(&account.path).unwrap();
        assert_eq!(text.contains(name), stays, "{name}");
        assert_eq!(names(&folder).len(), if stays { 1 } else { 2 });
    }
}

#[test]
fn anything_else_of_others_is_moved_aside() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let (folder, account) = committed(compression);
        for theirs in ["{\"theirs\":1}", "{\"theirs\":1}\ngarbage\n", "{\"torn"] {
            append(&account.path, theirs.as_bytes());
            mend(&closed(&account), &acme(), &[]).unwrap();
            let length = fs::metadata(&account.path).unwrap().len();
            assert_eq!(length, account.committed, "{compression:?} {theirs}");
            let aside: Vec<_> = names(&folder)
                .into_iter()
                .filter(|name| name.contains(".unfinished-"))
                .collect();
            assert_eq!(aside.len(), 1, "{aside:?}");
            let aside = folder.path().join(&aside[0]);
            assert_eq!(fs::read_to_string(&aside).unwrap(), theirs);
            fs::remove_file(aside).unwrap();
        }
    }
}

#[test]
fn a_copy_in_the_place_of_the_file_is_cut_back_like_it() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let (folder, account) = committed(compression);
        append(&account.path, b"{\"n\":");
        let copy = folder.path().join("copy");
        fs::copy(&account.path, &copy).unwrap();
        fs::rename(&copy, &account.path).unwrap();
        mend(&account, &acme(), &[]).unwrap();
        let length = fs::metadata(&account.path).unwrap().len();
        assert_eq!(length, account.committed);
    }
}

#[test]
fn where_a_killed_runs_file_was_copied_and_cut_the_copy_is_cut_back_and_the_rest_kept() {
    for compression in [Compression::None, Compression::Gzip] {
        let (folder, account) = committed(compression);
        append(&account.path, &packed(compression, &own(3)));
        let copy = folder.path().join("out.1");
        fs::copy(&account.path, &copy).unwrap();
        // Shorter and longer than what was committed: it grew again before the run was killed.
        for grown in [own(4), own(4) + &own(5)] {
            fs::write(&account.path, grown).unwrap();
            mend(&account, &acme(), &[]).unwrap();
            assert_eq!(fs::read(&account.path).unwrap(), b"");
            assert_eq!(fs::metadata(&copy).unwrap().len(), account.committed);
        }
        assert_eq!(names(&folder).len(), 4, "nothing is destroyed");
    }
}

#[test]
fn what_another_source_vouches_for_is_left_alone() {
    let (folder, account) = committed(Compression::None);
    let ours = "{\"schema\":\"atlaudit/1\",\"source\":{\"name\":\"acme\"}}\n";
    append(&account.path, ours.as_bytes());
    let committed = account.committed + ours.len() as u64;
    let file = File::open(&account.path).unwrap();
    let other = |is_open| OutputFileState {
        tail: crate::sink::identity::tail(&file, committed).unwrap(),
        committed,
        is_open,
        ..account.clone()
    };
    append(&account.path, b"{\"torn");
    let all = fs::metadata(&account.path).unwrap().len();
    // It has to mend its own end first.
    mend(&closed(&account), &acme(), &[other(true)]).unwrap();
    assert_eq!(fs::metadata(&account.path).unwrap().len(), all);
    mend(&closed(&account), &acme(), &[other(false)]).unwrap();
    let text = fs::read_to_string(&account.path).unwrap();
    assert!(text.ends_with(ours), "{text}");
    assert_eq!(names(&folder).len(), 2);
}

#[test]
fn an_account_of_lines_that_were_cut_away_since_vouches_for_nothing() {
    let (_folder, account) = committed(Compression::None);
    append(&account.path, b"{\"torn");
    let stale = OutputFileState {
        committed: 1 << 20,
        is_open: false,
        ..account.clone()
    };
    mend(&account, &acme(), &[stale]).unwrap();
    assert_eq!(fs::read_to_string(&account.path).unwrap(), LINES);
}

#[test]
fn lines_of_another_source_behind_a_killed_run_are_kept_beside_it() {
    let (folder, account) = committed(Compression::None);
    let theirs = "{\"schema\":\"atlaudit/1\",\"source\":{\"name\":\"b\"}}\n";
    append(&account.path, theirs.as_bytes());
    mend(&account, &acme(), &[]).unwrap();
    assert_eq!(fs::read_to_string(&account.path).unwrap(), LINES);
    assert_eq!(names(&folder).len(), 2);
}

#[test]
fn a_packed_file_that_was_begun_in_vain_is_removed() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let folder = tempfile::tempdir().unwrap();
        let template = folder.path().join("out");
        let mut sink = FileSink::new(template.to_str().unwrap(), &settings(compression), None);
        let account = sink.prepare().unwrap().unwrap();
        drop(sink);
        append(&account.path, b"torn");
        mend(&account, &acme(), &[]).unwrap();
        let is_plain = compression == Compression::None;
        assert_eq!(account.path.exists(), is_plain, "{compression:?}");
    }
}

#[test]
fn a_file_that_others_cut_is_gone_on_with() {
    let (_folder, account) = committed(Compression::None);
    fs::write(&account.path, "").unwrap();
    mend(&account, &acme(), &[]).unwrap();
    assert_eq!(fs::read(&account.path).unwrap(), b"");
}

#[test]
fn a_line_of_another_program_after_a_killed_run_is_kept_beside_it() {
    let compressions = [Compression::None, Compression::Gzip, Compression::Zstd];
    let tails = [
        "{\"theirs\":1}\n",
        "text of theirs\n",
        "{\"theirs\":1}\n{\"tor",
    ];
    for (compression, theirs) in compressions
        .into_iter()
        .flat_map(|compression| tails.map(|theirs| (compression, theirs)))
    {
        let (folder, account) = committed(compression);
        let before = fs::read(&account.path).unwrap();
        append(&account.path, theirs.as_bytes());
        mend(&account, &acme(), &[]).unwrap();
        assert_eq!(fs::read(&account.path).unwrap(), before);
        let aside = names(&folder)
            .into_iter()
            .find(|name| name.contains(".unfinished-"));
        let aside = fs::read_to_string(folder.path().join(aside.unwrap())).unwrap();
        assert_eq!(aside, theirs);
    }
}
