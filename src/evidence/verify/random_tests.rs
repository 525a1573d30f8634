//! Random changes of an export, each of which must be found.

use std::collections::BTreeMap;
use std::fs;

use super::*;
use crate::evidence::folder::SIGNATURE;
use crate::evidence::hash;
use crate::evidence::sign::SigningKey;
use crate::evidence::test_export::{SECRET, TestExport};

fn finding_texts(verdict: &VerifyResult) -> Vec<String> {
    verdict.findings.iter().map(VerifyFinding::to_string).collect()
}

/// What a change may do, and the files that it changes.
type ExportChange = fn(&mut fastrand::Rng, &TestExport) -> Vec<String>;

fn any_file(rng: &mut fastrand::Rng, export: &TestExport) -> String {
    let listing = FolderListing::of(export.dir()).unwrap();
    let files: Vec<_> = listing.files.iter().collect();
    files[rng.usize(..files.len())].clone()
}

fn rewrite(export: &TestExport, file: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<String> {
    let mut bytes = export.read(file);
    change(&mut bytes);
    fs::write(export.path(file), bytes).unwrap();
    vec![file.to_owned()]
}

fn packed(rng: &mut fastrand::Rng, export: &TestExport) -> String {
    loop {
        let file = any_file(rng, export);
        if file.ends_with(".jsonl.zst") {
            return file;
        }
    }
}

/// Rewrites the lines of a file, packed or not.
fn rewrite_lines(
    rng: &mut fastrand::Rng,
    export: &TestExport,
    change: impl FnOnce(&mut fastrand::Rng, &mut Vec<String>),
) -> Vec<String> {
    if rng.bool() {
        let file = packed(rng, export);
        let mut lines = export.lines(&file);
        change(rng, &mut lines);
        export.repack(&file, &lines);
        return vec![file];
    }
    let texts = ["manifest.json", "README.txt", "SHA256SUMS"];
    let file = texts[rng.usize(..texts.len())];
    let text = String::from_utf8(export.read(file)).unwrap();
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    change(rng, &mut lines);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(export.path(file), text).unwrap();
    vec![file.to_owned()]
}

const CHANGES: [(&str, ExportChange); 10] = [
    ("flip a bit", |rng, export| {
        let file = any_file(rng, export);
        rewrite(export, &file, |bytes| {
            let at = rng.usize(..bytes.len());
            bytes[at] ^= 1 << rng.u8(..8);
        })
    }),
    ("truncate", |rng, export| {
        let file = any_file(rng, export);
        rewrite(export, &file, |bytes| bytes.truncate(rng.usize(..bytes.len())))
    }),
    ("append", |rng, export| {
        let file = any_file(rng, export);
        rewrite(export, &file, |bytes| {
            bytes.extend((0..rng.usize(1..20)).map(|_| rng.u8(..)));
        })
    }),
    ("remove a file", |rng, export| {
        let file = any_file(rng, export);
        fs::remove_file(export.path(&file)).unwrap();
        vec![file]
    }),
    ("add a file", |rng, export| {
        let near = any_file(rng, export);
        let file = format!("{near}.{}", rng.u32(..));
        fs::copy(export.path(&near), export.path(&file)).unwrap();
        vec![file]
    }),
    ("rename a file", |rng, export| {
        let file = any_file(rng, export);
        let to = format!("{file}~");
        fs::rename(export.path(&file), export.path(&to)).unwrap();
        vec![file, to]
    }),
    ("swap two files", |rng, export| {
        loop {
            let (one, other) = (any_file(rng, export), any_file(rng, export));
            let (this, that) = (export.read(&one), export.read(&other));
            if this != that {
                fs::write(export.path(&one), that).unwrap();
                fs::write(export.path(&other), this).unwrap();
                return vec![one, other];
            }
        }
    }),
    ("remove a line", |rng, export| {
        rewrite_lines(rng, export, |rng, lines| drop(lines.remove(rng.usize(..lines.len()))))
    }),
    ("swap two lines", |rng, export| {
        rewrite_lines(rng, export, |rng, lines| {
            loop {
                let (one, other) = (rng.usize(..lines.len()), rng.usize(..lines.len()));
                if lines[one] != lines[other] {
                    return lines.swap(one, other);
                }
            }
        })
    }),
    ("repeat a line", |rng, export| {
        rewrite_lines(rng, export, |rng, lines| {
            let at = rng.usize(..lines.len());
            lines.insert(at, lines[at].clone());
        })
    }),
];

/// What lies in an export, to put it back.
fn content(export: &TestExport) -> BTreeMap<String, Vec<u8>> {
    let files = FolderListing::of(export.dir()).unwrap().files;
    files.into_iter().map(|file| (file.clone(), export.read(&file))).collect()
}

fn restore(export: &TestExport, wanted: &BTreeMap<String, Vec<u8>>) {
    for file in FolderListing::of(export.dir()).unwrap().files {
        if !wanted.contains_key(&file) {
            fs::remove_file(export.path(&file)).unwrap();
        }
    }
    for (file, bytes) in wanted {
        if fs::read(export.path(file)).ok().as_ref() != Some(bytes) {
            fs::write(export.path(file), bytes).unwrap();
        }
    }
}

/// Changes an export at random so often, and checks that each change is found, and that the changed
/// files are named and no others.
fn change_at_random(times: usize) {
    let key = SigningKey::open(&SECRET.into(), None).unwrap();
    let public = PublicKey::read(&key.public()).unwrap();
    let export = TestExport::unsealed(60);
    crate::evidence::seal::seal(export.dir(), &export.facts, Some(&key)).unwrap();
    let whole = content(&export);
    let mut wrong = Vec::new();
    let mut rng = fastrand::Rng::with_seed(7);
    for turn in 0..times {
        let (name, change) = CHANGES[turn % CHANGES.len()];
        let changed = change(&mut rng, &export);
        let verdict = verify(export.dir(), Some(&public)).unwrap();
        let texts = finding_texts(&verdict);
        for file in &changed {
            let is_named = verdict.findings.iter().any(|finding| finding.file == *file);
            if !is_named {
                wrong.push(format!("{turn}: {name}: {changed:?}: {texts:#?}"));
            }
        }
        for finding in &verdict.findings {
            // What was signed is another then.
            let may_follow = finding.file == SIGNATURE && changed.iter().any(|file| file == SUMS);
            let is_right = changed.contains(&finding.file) || may_follow;
            if !is_right {
                wrong.push(format!("{turn}: {name}: {changed:?}: {texts:#?}"));
                break;
            }
        }
        restore(&export, &whole);
    }
    assert!(wrong.is_empty(), "{} of {times}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(finding_texts(&verify(export.dir(), Some(&public)).unwrap()), [""; 0]);
}

#[test]
fn every_one_of_500_random_changes_is_found_and_its_file_named() {
    change_at_random(500);
}

/// Recreates SHA256SUMS, as someone would who wants a change to go unseen.
fn update_all_sums(export: &TestExport) {
    let listing = FolderListing::of(export.dir()).unwrap();
    let files = listing.files.iter().filter(|file| ![SUMS, SIGNATURE].contains(&file.as_str()));
    let lines = files.map(|file| {
        let sha256 = hash::sha256(&export.read(file));
        hash::checksum_text([(file.as_str(), sha256.as_str())])
    });
    fs::write(export.path(SUMS), lines.collect::<String>()).unwrap();
}

#[test]
fn random_changes_are_found_even_with_recomputed_sums() {
    let export = TestExport::sealed(60);
    let whole = content(&export);
    let mut rng = fastrand::Rng::with_seed(11);
    let mut wrong = Vec::new();
    for turn in 0..250 {
        let (name, change) = CHANGES[turn % CHANGES.len()];
        let changed = change(&mut rng, &export);
        update_all_sums(&export);
        // A change of the sums alone is undone by that.
        if content(&export) != whole {
            let verdict = verify(export.dir(), None).unwrap();
            let is_named = changed
                .iter()
                .any(|file| verdict.findings.iter().any(|finding| finding.file == *file));
            if !is_named {
                wrong.push(format!("{turn}: {name}: {changed:?}: {:#?}", finding_texts(&verdict)));
            }
        }
        restore(&export, &whole);
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}
