use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::evidence::sign::{PublicKey, SigningKey};
use crate::evidence::testing::Export;

fn check(export: &Export) -> Verdict {
    verify(export.dir(), None).unwrap()
}

fn told(verdict: &Verdict) -> Vec<String> {
    verdict.findings.iter().map(Finding::to_string).collect()
}

/// Changes an export, and expects that of all files only `file` is named, and how.
fn finds(file: &str, what: &str, change: impl FnOnce(&Export)) {
    let export = Export::sealed(120);
    change(&export);
    let verdict = check(&export);
    let told = told(&verdict);
    let is_named = verdict.findings.iter().all(|finding| finding.file == file);
    assert!(!told.is_empty() && is_named, "{file}: {told:#?}");
    let is_said = told.iter().any(|line| line.contains(what));
    assert!(is_said, "{what}: {told:#?}");
}

#[test]
fn a_sealed_export_is_as_it_says() {
    let export = Export::sealed(120);
    let verdict = check(&export);
    assert_eq!(told(&verdict), [""; 0]);
    assert_eq!(verdict.not_checked, [""; 0]);
    assert_eq!(verdict.is_complete, Some(true));
    assert_eq!(verdict.signature, Signature::None);
    let tally = verdict.tally;
    assert_eq!((tally.sources, tally.events, tally.pages, tally.bodies), (2, 150, 9, 7));
}

#[test]
fn no_events_and_no_files_verify_too() {
    let export = Export::unsealed(0);
    export.seal();
    assert_eq!(told(&check(&export)), [""; 0]);
    let export = Export::unsealed(30);
    fs::write(export.path("events/acme.jsonl.zst"), "").unwrap();
    fs::remove_file(export.path("events/acme-jira.jsonl.zst")).unwrap();
    let mut export = export;
    for source in &mut export.facts.sources {
        source.dropped.repeats = 30;
    }
    export.seal();
    assert_eq!(told(&check(&export)), [""; 0]);
}

#[test]
fn a_changed_file_is_named_and_what_changed_in_it() {
    let events = "events/acme.jsonl.zst";
    let edit = |export: &Export, change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = export.lines(events);
        change(&mut lines);
        export.repack(events, &lines);
    };
    for is_summed in [false, true] {
        let again = |export: &Export| {
            if is_summed {
                export.sum_again(events);
            }
        };
        finds(events, "line 8: its time", |export| {
            edit(export, &|lines| lines.swap(6, 7));
            again(export);
        });
        finds(events, "lines 1 to 120: here the chain departs", |export| {
            edit(export, &|lines| lines[50] = lines[50].replace("Person", "Nobody"));
            again(export);
        });
        finds(events, "has 119 lines, and manifest.json says 120", |export| {
            edit(export, &|lines| drop(lines.remove(50)));
            again(export);
        });
        finds(events, "line 52: repeats the id `acme:000050`", |export| {
            edit(export, &|lines| lines.insert(51, lines[50].clone()));
            again(export);
        });
        finds(events, "line 52: the event is of the source `acme-jira`", |export| {
            let other = export.lines("events/acme-jira.jsonl.zst")[0].clone();
            edit(export, &|lines| lines[51] = other.clone());
            again(export);
        });
        finds(events, "line 120: its time 2026-11-08T00:00:00.000Z is outside", |export| {
            edit(export, &|lines| {
                let last = lines.last_mut().unwrap();
                *last = last.replace("2026-11-01T00:05:57.000Z", "2026-11-08T00:00:00.000Z");
            });
            again(export);
        });
        finds(events, "line 4: cannot be read: it is not JSON", |export| {
            edit(export, &|lines| lines[3].truncate(30));
            again(export);
        });
        finds(events, "their packing, or when they were received, is not", |export| {
            edit(export, &|lines| lines[3] = lines[3].replace("2026-11-20", "2026-11-21"));
            again(export);
        });
        finds(events, "line 41: nothing can be read from here on", |export| {
            let bytes = export.read(events);
            let second = zstd::zstd_safe::find_frame_compressed_size(&bytes).unwrap();
            fs::write(export.path(events), &bytes[..second + 20]).unwrap();
            again(export);
        });
    }
}
