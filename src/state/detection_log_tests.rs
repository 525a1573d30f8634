use super::*;

fn log(state: &Path, position: Option<LogPosition>) -> (DetectionLog, Option<LogRecords>) {
    DetectionLog::open(state, &"acme".parse().unwrap(), position).unwrap()
}

/// The records of the log at `position`, each a text.
fn records(state: &Path, position: LogPosition) -> Vec<String> {
    let (_, records) = log(state, Some(position));
    let mut records = records.unwrap();
    std::iter::from_fn(|| records.read().unwrap()).collect()
}

fn files(state: &Path) -> Vec<String> {
    let entries = fs::read_dir(state.join("detection")).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A log that begins with `memory`, and one more commit.
fn two_commits(state: &Path) -> (DetectionLog, LogPosition, LogPosition) {
    let (mut new, found) = log(state, None);
    assert!(found.is_none() && new.is_replacement_due());
    let first = new.replace(&"memory").unwrap();
    new.append(&"one").unwrap();
    new.append(&"two").unwrap();
    let second = new.commit().unwrap();
    (new, first, second)
}

#[test]
fn what_is_committed_reads_back_and_the_rest_is_cut_off() {
    let state = tempfile::tempdir().unwrap();
    let (mut written, first, second) = two_commits(state.path());
    written.append(&"not committed").unwrap();
    assert_eq!(records(state.path(), second), ["memory", "one", "two"]);
    // A run died between its commit and the checkpoint.
    assert_eq!(records(state.path(), first), ["memory"]);
    let length = fs::metadata(state.path().join("detection/acme~1.zst")).unwrap().len();
    assert_eq!(length, first.length);
    let (mut next, _) = log(state.path(), Some(first));
    next.append(&"again").unwrap();
    let position = next.commit().unwrap();
    assert_eq!(records(state.path(), position), ["memory", "again"]);
}

#[test]
fn a_new_file_takes_the_place_of_one_that_grew_and_the_old_one_stays_until_then() {
    let state = tempfile::tempdir().unwrap();
    let (mut written, _, second) = two_commits(state.path());
    assert!(!written.is_replacement_due());
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(2 << 20).collect();
    written.append(&noise).unwrap();
    written.commit().unwrap();
    assert!(written.is_replacement_due());
    let third = written.replace(&"all of it").unwrap();
    assert_eq!(third.generation, 2);
    assert_eq!(files(state.path()), ["acme~1.zst", "acme~2.zst"]);
    // The run dies before its checkpoint: the old one counts.
    assert_eq!(records(state.path(), second), ["memory", "one", "two"]);
    fs::write(state.path().join("detection/.acme~tmp"), "").unwrap();
    let put_aside = ["acme~1.zst.damaged", "other~1.zst"];
    put_aside.iter().for_each(|name| {
        fs::write(state.path().join("detection").join(name), "").unwrap();
    });
    fs::create_dir(state.path().join("detection/acme~9.zst")).unwrap();
    let (now, _) = log(state.path(), Some(third));
    now.remove_others();
    let left = ["acme~1.zst.damaged", "acme~2.zst", "acme~9.zst", "other~1.zst"];
    assert_eq!(files(state.path()), left);
    assert_eq!(records(state.path(), third), ["all of it"]);
}

#[test]
fn a_log_that_is_gone_or_old_is_begun_anew_under_another_name() {
    let state = tempfile::tempdir().unwrap();
    let (_, _, position) = two_commits(state.path());
    let path = state.path().join("detection/acme~1.zst");
    let mut old = Vec::new();
    pack(&mut old, |out| out.write_all(&[0])).unwrap();
    for content in [None, Some(old)] {
        fs::remove_file(&path).unwrap();
        let mut position = position;
        if let Some(content) = content {
            position.length = content.len() as u64;
            fs::write(&path, content).unwrap();
        }
        let (mut log, found) = log(state.path(), Some(position));
        assert!(found.is_none() && log.is_replacement_due());
        assert_eq!(log.replace(&"new").unwrap().generation, 2);
        fs::write(&path, "").unwrap();
    }
}

#[test]
fn what_is_damaged_or_newer_is_refused_and_left_alone() {
    let state = tempfile::tempdir().unwrap();
    let (_, _, position) = two_commits(state.path());
    let path = state.path().join("detection/acme~1.zst");
    let whole = fs::read(&path).unwrap();
    let read = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        let opened = DetectionLog::open(state.path(), &"acme".parse().unwrap(), Some(position));
        let (_, records) = opened?;
        let mut found = Vec::new();
        let mut records = records.unwrap();
        while let Some(record) = records.read::<String>()? {
            found.push(record);
        }
        Ok(found)
    };
    let fault = |content: &[u8]| read(content).err();
    let records = read(&whole).unwrap();
    let mut unseen = 0;
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 0x10;
        // A few bits of each frame's head mean nothing.
        match read(&changed) {
            Ok(found) => {
                assert_eq!(found, records, "byte {place}");
                unseen += 1;
            }
            Err(error) => assert!(matches!(error, StateError::Damaged { .. }), "{error}"),
        }
    }
    assert!(unseen <= 4, "{unseen} changes are not seen");
    assert!(matches!(fault(&whole[..whole.len() - 1]), Some(StateError::Damaged { .. })));
    let mut newer = Vec::new();
    let later = u8::try_from(VERSION + 1).unwrap();
    pack(&mut newer, |out| out.write_all(&[later])).unwrap();
    newer.resize(whole.len(), 0);
    assert!(
        matches!(fault(&newer), Some(StateError::Newer { version, .. }) if version == u64::from(later))
    );
}
