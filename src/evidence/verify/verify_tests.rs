use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::evidence::folder::{ALERTS, REPORT, SIGNATURE};
use crate::evidence::hash;
use crate::evidence::manifest::LinesEntry;
use crate::evidence::sign::{PublicKey, SigningKey};
use crate::evidence::test_export::{SECRET, TestExport, at, pack};

fn check(export: &TestExport) -> VerifyResult {
    verify(export.dir(), None).unwrap()
}

fn finding_texts(verdict: &VerifyResult) -> Vec<String> {
    verdict.findings.iter().map(VerifyFinding::to_string).collect()
}

/// Changes an export, and expects that of all files only `file` is named, and how.
fn finds(file: &str, what: &str, change: impl FnOnce(&TestExport)) {
    let export = TestExport::sealed(120);
    change(&export);
    let verdict = check(&export);
    let texts = finding_texts(&verdict);
    let is_named = verdict.findings.iter().all(|finding| finding.file == file);
    assert!(!texts.is_empty() && is_named, "{file}: {texts:#?}");
    let is_said = texts.iter().any(|line| line.contains(what));
    assert!(is_said, "{what}: {texts:#?}");
}

#[test]
fn a_sealed_export_is_as_it_says() {
    let export = TestExport::sealed(120);
    let verdict = check(&export);
    assert_eq!(finding_texts(&verdict), [""; 0]);
    assert_eq!(verdict.not_checked, [""; 0]);
    assert_eq!(verdict.is_complete, Some(true));
    assert_eq!(verdict.signature, Signature::None);
    let tally = verdict.counts;
    assert_eq!((tally.sources, tally.events, tally.pages, tally.bodies), (2, 150, 9, 7));
}

#[test]
fn no_events_and_no_files_verify_too() {
    let export = TestExport::unsealed(0);
    export.seal();
    assert_eq!(finding_texts(&check(&export)), [""; 0]);
    let export = TestExport::unsealed(30);
    fs::write(export.path("events/acme.jsonl.zst"), "").unwrap();
    fs::remove_file(export.path("events/acme-jira.jsonl.zst")).unwrap();
    let mut export = export;
    for source in &mut export.facts.sources {
        source.dropped.repeats = 30;
    }
    export.seal();
    assert_eq!(finding_texts(&check(&export)), [""; 0]);
}

#[test]
fn alerts_are_checked_like_every_other_file_and_only_they_are_named() {
    let line = |title: &str| {
        let time = "2026-11-02T00:00:00.000Z";
        format!(r#"{{"time":"{time}","severity":"high","title":"{title}","rule":{{}}}}"#) + "\n"
    };
    let mut export = TestExport::unsealed(60);
    export.add_alerts(&(line("<b>x</b>") + &"no alert".repeat(1_000_000) + "\n" + &line("y")));
    export.seal();
    assert_eq!(finding_texts(&check(&export)), [""; 0]);
    let page = String::from_utf8(export.read(REPORT)).unwrap();
    assert!(page.contains("High <b>2</b>") && page.contains("&lt;b&gt;x&lt;/b&gt;"));
    fs::write(export.path(ALERTS), line("z")).unwrap();
    let expected = ["alerts.jsonl: modified: SHA-256 does not match"];
    assert_eq!(finding_texts(&check(&export)), expected);
    export.update_sum(ALERTS);
    let expected =
        ["alerts.jsonl: was changed: SHA256SUMS has its hash, but manifest.json another"];
    assert_eq!(finding_texts(&check(&export)), expected);
    fs::remove_file(export.path(ALERTS)).unwrap();
    assert_eq!(finding_texts(&check(&export)), ["alerts.jsonl: is missing"]);
    // A manifest that says that it was judged, or not, must have its alerts, or none.
    for is_judged in [true, false] {
        let mut export = TestExport::unsealed(30);
        export.facts.asked.detect = true;
        if is_judged {
            export.add_alerts("");
            export.facts.asked.detect = false;
        }
        export.seal();
        let texts = finding_texts(&check(&export));
        assert!(texts.len() == 1 && texts[0].contains("`detection` does not fit"), "{texts:#?}");
    }
}

/// The findings for a change of a source's lines.
type LineChangeCase = (&'static str, fn(&mut Vec<String>));

const LINES: [LineChangeCase; 7] = [
    ("line 7: hash chain mismatch", |lines| lines.swap(6, 7)),
    ("line 51: hash chain mismatch", |lines| {
        lines[50] = lines[50].replace("Person", "Nobody");
    }),
    ("has 119 lines, and manifest.json says 120", |lines| {
        drop(lines.remove(50));
    }),
    ("line 52: repeats the id `acme:000050`", |lines| {
        lines.insert(51, lines[50].clone());
    }),
    ("line 52: the event is of the source `acme-jira`", |lines| {
        lines[51] = lines[51].replace("\"name\":\"acme\"", "\"name\":\"acme-jira\"");
    }),
    ("line 4: cannot be read: it is not JSON", |lines| lines[3].truncate(30)),
    ("their packing, or when they were received, is not", |lines| {
        lines[3] = lines[3].replace("2026-11-20", "2026-11-21");
    }),
];

#[test]
fn the_order_in_which_a_source_gave_its_events_is_no_difference() {
    let (export, events) = (TestExport::unsealed(20), "events/acme.jsonl.zst");
    let mut lines = export.lines(events);
    lines.swap(6, 7);
    export.repack(events, &lines);
    export.seal();
    let verdict = verify(export.dir(), None).unwrap();
    assert!(verdict.findings.is_empty(), "{:?}", verdict.findings);
    let manifest = String::from_utf8(export.read("manifest.json")).unwrap();
    assert!(manifest.contains("\"out_of_order\": 1"), "{manifest}");
}

#[test]
fn a_changed_file_is_named_and_what_changed_in_it() {
    let events = "events/acme.jsonl.zst";
    for is_summed in [false, true] {
        let again = |export: &TestExport| {
            if is_summed {
                export.update_sum(events);
            }
        };
        for (what, change) in LINES {
            finds(events, what, |export| {
                let mut lines = export.lines(events);
                change(&mut lines);
                export.repack(events, &lines);
                again(export);
            });
        }
        finds(events, "line 120: its time 2026-11-08T00:00:00.000Z is outside", |export| {
            let mut lines = export.lines(events);
            let last = lines.last_mut().unwrap();
            *last = last.replace("2026-11-01T00:05:57.000Z", "2026-11-08T00:00:00.000Z");
            export.repack(events, &lines);
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

#[test]
fn the_window_that_is_said_to_be_read_was_requested() {
    let mut export = TestExport::unsealed(60);
    export.facts.asked.until = at("2026-11-09T00:00:00Z");
    export.seal();
    let wanted = "manifest.json: source `acme`: is said to be complete, and no window covers \
                  2026-11-08T00:00:00.000Z";
    assert!(finding_texts(&check(&export)).contains(&wanted.to_owned()));
    for source in &mut export.facts.sources {
        source.windows[0].to = at("2026-11-09T00:00:00Z");
    }
    export.seal();
    let wanted = "pages/acme.jsonl.zst: no pages cover all of 2026-11-01T00:00:00.000Z to \
                  2026-11-09T00:00:00.000Z, which manifest.json says was read";
    assert!(
        finding_texts(&check(&export)).contains(&wanted.to_owned()),
        "{:#?}",
        finding_texts(&check(&export))
    );
}

#[test]
fn an_export_that_says_it_is_incomplete_is_as_it_says() {
    let mut export = TestExport::unsealed(60);
    let source = &mut export.facts.sources[1];
    source.complete = false;
    source.windows[0].complete = false;
    source.error = Some("the server\u{1b}[2J hung up".to_owned());
    export.seal();
    fs::create_dir(export.path(STATE)).unwrap();
    fs::write(export.path(".atlaudit/request.json"), "{}").unwrap();
    let verdict = check(&export);
    assert_eq!(finding_texts(&verdict), [""; 0]);
    assert_eq!(verdict.is_complete, Some(false));
    assert_eq!(verdict.missing, ["source `acme-jira`: the server [2J hung up"]);
    assert!(verdict.not_checked[0].starts_with(".atlaudit: "));
    let readme = String::from_utf8(export.read(README)).unwrap();
    assert!(readme.contains("INCOMPLETE") && !readme.contains('\u{1b}'), "{readme}");
    // Nothing says why it would not be.
    let source = &mut export.facts.sources[1];
    source.windows[0].complete = true;
    source.error = None;
    export.seal();
    let wanted =
        "manifest.json: source `acme-jira`: is said to be incomplete, and nothing says why";
    assert_eq!(finding_texts(&check(&export)), [wanted]);
}

#[test]
fn what_is_no_part_of_an_export_is_named() {
    finds("link", "is a link, not a file", |export| {
        symlink(export.path(README), export.path("link")).unwrap();
    });
    finds("events/acme.jsonl.zst", "is a link, not a file", |export| {
        let file = export.path("events/acme.jsonl.zst");
        let away = export.dir().with_extension("away");
        fs::rename(&file, &away).unwrap();
        symlink(&away, &file).unwrap();
    });
    finds("more", "was added: this export has no such folder", |export| {
        fs::create_dir(export.path("more")).unwrap();
    });
    finds(".atlaudit", "then repeat the `export` command: it removes it", |export| {
        fs::create_dir(export.path(STATE)).unwrap();
    });
    finds("events/x", "was added: neither", |export| {
        fs::write(export.path("events/x"), "").unwrap()
    });
    finds(
        "notes.txt",
        "was added: manifest.json does not name it, though SHA256SUMS does",
        |export| {
            fs::write(export.path("notes.txt"), "x").unwrap();
            let mut sums = String::from_utf8(export.read(SUMS)).unwrap();
            let line = hash::checksum_text([("notes.txt", hash::sha256(b"x").as_str())]);
            let place = sums
                .find(&sums.lines().find(|line| line.contains("  pages/")).unwrap().to_owned())
                .unwrap();
            sums.insert_str(place, &line);
            fs::write(export.path(SUMS), sums).unwrap();
        },
    );
    finds("SHA256SUMS", "names `SHA256SUMS.minisig`, which it cannot cover", |export| {
        let line = format!("{}  SHA256SUMS.minisig\n", hash::sha256(b""));
        let sums = [line.into_bytes(), export.read(SUMS)].concat();
        fs::write(export.path(SUMS), sums).unwrap();
    });
}

#[test]
fn a_replaced_body_is_reported() {
    let body = |export: &TestExport| {
        let files = FolderListing::of(export.dir()).unwrap().files;
        files.into_iter().find(|file| file.starts_with("bodies/acme/")).unwrap()
    };
    for content in [&b"{}"[..], &vec![b'x'; 5_000_000]] {
        let export = TestExport::unsealed(60);
        let file = body(&export);
        fs::write(export.path(&file), pack(content)).unwrap();
        export.seal();
        let wanted = format!("{file}: is not the body of its response: hash or length differ");
        assert_eq!(finding_texts(&check(&export)), [wanted]);
    }
    let export = TestExport::unsealed(60);
    let file = body(&export);
    fs::remove_file(export.path(&file)).unwrap();
    let other = file.replace("/acme/", "/acme-jira/");
    fs::write(export.path(&other), pack(b"{}")).unwrap();
    export.seal();
    let lines = finding_texts(&check(&export));
    assert!(lines[0].ends_with(&format!("its body `{file}` is missing")), "{lines:#?}");
    assert_eq!(lines[1..], [format!("{other}: belongs to no response")]);
}

#[test]
fn a_line_is_found_among_a_few() {
    let export = TestExport::sealed(2_400);
    let events = "events/acme.jsonl.zst";
    let mut lines = export.lines(events);
    lines[1_700] = lines[1_700].replace("user_login", "user_logout");
    export.repack(events, &lines);
    export.update_sum(events);
    let lines = finding_texts(&check(&export));
    assert!(lines.iter().any(|line| line.contains(": lines 1701 to 1704: ")), "{lines:#?}");
}

/// As if lines were `1` or `2`, from which on they differ.
fn entry(lines: u64, lines_per_mark: u64, differs_from: u64) -> LinesEntry {
    let mark = |line| if line < differs_from { "1" } else { "2" }.to_owned();
    let marks = (1..=lines / lines_per_mark).map(|number| mark(number * lines_per_mark));
    LinesEntry { lines, lines_per_mark, marks: marks.collect(), ..LinesEntry::default() }
}

#[test]
fn marks_are_compared_where_both_have_one() {
    let said = entry(1024, 1, u64::MAX);
    assert!(said.has_marks_of(&said) && !said.has_marks_of(&entry(1024, 1, 1024)));
    assert_eq!(said.lines_with_change(&entry(1024, 1, 700)), (700, 700));
    // A line more has marks further apart.
    assert_eq!(said.lines_with_change(&entry(1025, 2, 700)), (699, 700));
    assert_eq!(entry(1025, 2, 700).lines_with_change(&said), (699, 700));
    assert_eq!(said.lines_with_change(&entry(1025, 2, 1025)), (1025, 1025));
    // As it was written before.
    let said = entry(9000, 1000, u64::MAX);
    assert!(said.has_marks_of(&entry(9000, 16, u64::MAX)));
    assert_eq!(said.lines_with_change(&entry(9000, 16, 2500)), (2001, 4000));
    // Some are missing, or their distance is none.
    let missing = LinesEntry { marks: Vec::new(), ..said.clone() };
    let hostile = LinesEntry { lines_per_mark: 0, ..said.clone() };
    let far = LinesEntry { lines_per_mark: u64::MAX, ..said.clone() };
    for odd in [missing, hostile, far] {
        assert!(!odd.has_marks_of(&said));
        assert_eq!(odd.lines_with_change(&said), (1, 9000));
        assert_eq!(said.lines_with_change(&odd), (1, 9000));
    }
}

#[test]
fn a_signature_is_good_bad_missing_or_not_checked() {
    let key = SigningKey::open(&SECRET.into(), None).unwrap();
    let public = PublicKey::read(&key.public()).unwrap();
    let export = TestExport::unsealed(30);
    let seal = |key: Option<&SigningKey>| {
        crate::evidence::seal::seal(export.dir(), &export.facts, key).unwrap();
    };
    seal(Some(&key));
    let signature = || verify(export.dir(), Some(&public)).unwrap().signature;
    assert!(matches!(signature(), Signature::Good { key, .. } if key == public.id()));
    let unchecked = check(&export);
    assert_eq!(unchecked.signature, Signature::NotChecked(Some(public.id())));
    assert!(unchecked.findings.is_empty());
    // The number of the key says another one made it.
    let other = key.public().replace("RWQV", "RWQW");
    let other = PublicKey::read(&other).unwrap();
    let lines = finding_texts(&verify(export.dir(), Some(&other)).unwrap());
    assert!(
        lines[0].starts_with(
            "SHA256SUMS.minisig: it was made with the key AF2E88F15C6A2115, not with "
        ),
        "{lines:#?}"
    );
    // A seal without a key leaves no signature of an earlier one.
    seal(None);
    assert_eq!(check(&export).signature, Signature::None);
    assert_eq!(signature(), Signature::Bad);
    let lines = finding_texts(&verify(export.dir(), Some(&public)).unwrap());
    assert_eq!(lines, ["SHA256SUMS.minisig: is missing: there is no signature to check"]);
}

#[test]
fn what_is_no_export_is_an_error_and_what_was_one_is_different() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| verify(&folder.path().join(name), None);
    assert!(matches!(of(""), Err(EvidenceError::NoExport(_))));
    assert!(matches!(of("none"), Err(EvidenceError::NoFolder(_))));
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(matches!(of("file"), Err(EvidenceError::NoFolder(_))));
    finds(MANIFEST, "is missing", |export| fs::remove_file(export.path(MANIFEST)).unwrap());
    finds(MANIFEST, "is not a manifest", |export| {
        fs::write(export.path(MANIFEST), b"{\"schema\":7}").unwrap();
    });
    fs::create_dir(folder.path().join(STATE)).unwrap();
    let lines = finding_texts(&of("").unwrap());
    assert!(lines[0].contains("was never finished"), "{lines:#?}");
}

#[test]
fn files_worded_by_another_version_are_not_compared() {
    let mut export = TestExport::unsealed(30);
    export.facts.made_by.version = "9.9.9".to_owned();
    export.seal();
    fs::write(export.path(REPORT), "another page").unwrap();
    export.update_sum(REPORT);
    let verdict = check(&export);
    assert_eq!(finding_texts(&verdict), [""; 0]);
    assert!(verdict.not_checked[0].contains("atlaudit 9.9.9 made them"), "{verdict:#?}");
}

/// Opening a pipe without a reader would block.
#[test]
fn no_pipe_is_opened() {
    let export = TestExport::sealed(30);
    let files = [SUMS, README, REPORT, MANIFEST, "events/acme.jsonl.zst"];
    for file in files.into_iter().chain(["pages/acme-jira.jsonl.zst", SIGNATURE]) {
        let path = export.path(file);
        let before = fs::read(&path).ok();
        let _ = fs::remove_file(&path);
        let mut command = std::process::Command::new("mkfifo");
        assert!(command.arg(&path).status().unwrap().success());
        let key = SigningKey::open(&SECRET.into(), None).unwrap();
        let public = PublicKey::read(&key.public()).unwrap();
        let lines = finding_texts(&verify(export.dir(), Some(&public)).unwrap());
        let wanted = format!("{file}: is neither a file nor a folder");
        assert!(lines.contains(&wanted), "{lines:#?}");
        fs::remove_file(&path).unwrap();
        if let Some(before) = before {
            fs::write(&path, before).unwrap();
        }
    }
}
