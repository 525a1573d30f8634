//! Folders that somebody made to eat memory, time or the checker itself.

use std::fs;

use super::*;
use crate::evidence::hash;
use crate::evidence::page::PageLine;
use crate::evidence::test_export::{TestExport, pack};

fn finding_texts(verdict: &VerifyResult) -> Vec<String> {
    verdict.findings.iter().map(VerifyFinding::to_string).collect()
}

fn check(export: &TestExport) -> VerifyResult {
    verify(export.dir(), None).unwrap()
}

/// An export with other responses, whose hashes were recomputed.
fn with_pages(change: impl FnOnce(&mut Vec<PageLine>)) -> TestExport {
    let (export, file) = (TestExport::unsealed(60), "pages/acme.jsonl.zst");
    let lines = export.lines(file);
    let read = |line: &String| serde_json::from_str(line).unwrap();
    let mut pages: Vec<PageLine> = lines.iter().map(read).collect();
    change(&mut pages);
    let line = |(n, page): (u64, PageLine)| serde_json::to_string(&PageLine { n, ..page }).unwrap();
    let lines: Vec<_> = (1..).zip(pages).map(line).collect();
    export.repack(file, &lines);
    export.seal();
    export
}

#[test]
fn no_more_of_a_file_is_read_than_the_manifest_says_and_a_little() {
    for kind in ["events", "pages"] {
        let file = format!("{kind}/acme.jsonl.zst");
        for is_summed in [false, true] {
            for more in [&b"{}\n"[..], b"\n", &[b'x'; 500_000]] {
                let export = TestExport::sealed(120);
                let said = export.lines(&file).len();
                let bytes = [export.read(&file), pack(&more.repeat(200_000_000 / more.len() / 50))];
                fs::write(export.path(&file), bytes.concat()).unwrap();
                if is_summed {
                    export.update_sum(&file);
                }
                let verdict = check(&export);
                let lines = finding_texts(&verdict);
                assert!(verdict.findings.iter().all(|one| one.file == file), "{lines:#?}");
                let wanted = format!(
                    "nothing is read from here on: manifest.json says that the file ends with \
                     line {said}, "
                );
                assert!(lines.iter().any(|line| line.contains(&wanted)), "{lines:#?}");
                let (events, pages) = (verdict.counts.events, verdict.counts.pages);
                assert!(events <= 150 + 1000 && pages <= 9 + 1000, "{events}, {pages}");
            }
        }
    }
}

#[test]
fn a_body_of_which_two_lengths_are_said_is_named() {
    let export = with_pages(|pages| {
        let body = pages[0].body.as_mut().unwrap();
        body.bytes += 1;
        let other = PageLine { body: pages[0].body.clone(), records: None, ..pages[1].clone() };
        pages[0].body.as_mut().unwrap().bytes -= 1;
        pages.push(other);
    });
    let lines = finding_texts(&check(&export));
    assert!(
        lines.len() == 1
            && lines[0].starts_with("bodies/acme/")
            && lines[0].contains("different lengths"),
        "{lines:#?}"
    );
}

#[test]
fn a_body_that_unpacks_to_more_than_any_is_read_no_further() {
    let export = with_pages(|pages| pages[0].body.as_mut().unwrap().bytes = u64::MAX);
    let bodies = FolderListing::of(export.dir()).unwrap().files;
    let sha256 = hash::sha256(br#"{"page":0,"of":"acme","records":25}"#);
    let file = bodies.iter().find(|file| file.contains(&sha256)).unwrap();
    fs::write(export.path(file), pack(&vec![b' '; 80 << 20])).unwrap();
    export.seal();
    let wanted = format!("{file}: is not the body of its response: hash or length differ");
    assert_eq!(finding_texts(&check(&export)), [wanted]);
}

#[test]
fn bodies_that_are_nowhere_are_counted() {
    let export = with_pages(|pages| {
        for number in 0..250 {
            let mut page = pages[0].clone();
            page.records = Some(0);
            page.body.as_mut().unwrap().sha256 = hash::sha256(format!("{number}").as_bytes());
            pages.push(page);
        }
    });
    let lines = finding_texts(&check(&export));
    assert_eq!(lines.len(), 101, "{lines:#?}");
    assert_eq!(lines[100], "pages/acme.jsonl.zst: and 150 more: bodies that are missing");
}

#[test]
fn an_invalid_hash_is_not_quoted() {
    let export = TestExport::sealed(60);
    let file = "pages/acme.jsonl.zst";
    let mut lines = export.lines(file);
    let at = lines[0].find("\"sha256\":\"").unwrap() + 10;
    lines[0].replace_range(at..at + 64, "../\\u001b[2J");
    export.repack(file, &lines);
    let lines = finding_texts(&check(&export));
    let wanted = format!("{file}: line 1: cannot be read: the hash of its body is none");
    assert!(lines.contains(&wanted), "{lines:#?}");
    assert!(lines.iter().all(|line| !line.contains('\u{1b}')), "{lines:#?}");
}

#[test]
fn many_different_retries_are_reported_once() {
    let export = TestExport::sealed(120);
    let file = "pages/acme.jsonl.zst";
    let text = String::from_utf8(export.read(MANIFEST)).unwrap();
    let short = text.replacen("\"error\": \"429 Too Many Requests\"", "\"error\": \"none\"", 1);
    fs::write(export.path(MANIFEST), short).unwrap();
    export.update_sum(MANIFEST);
    let lines = finding_texts(&check(&export));
    let wanted = "`retries` does not follow from the responses";
    assert!(lines.iter().any(|line| line.contains(wanted)), "{lines:#?}");
    assert!(lines.iter().all(|line| !line.starts_with(file)), "{lines:#?}");
}

#[test]
fn no_folder_is_too_deep() {
    let export = TestExport::sealed(60);
    let name = "d".repeat(100);
    let deep = |top: &str| (0..30).fold(export.path(top), |path, _| path.join(&name));
    for top in ["one", "two", "bodies/acme/three"] {
        fs::create_dir_all(deep(top)).unwrap();
    }
    // Together they are longer than any path may be.
    fs::rename(export.path("two"), deep("one").join("two")).unwrap();
    let none = "is a folder that no export has; what is in it was not looked at";
    let wanted = [
        format!("bodies/acme/three: {none}"),
        format!("one/{name}/{name}: {none}"),
        "one: was added: this export has no such folder".to_owned(),
        format!("one/{name}: was added: this export has no such folder"),
    ];
    assert_eq!(finding_texts(&check(&export)), wanted);
}

#[test]
fn sums_of_files_that_are_nowhere_are_counted() {
    let export = TestExport::sealed(60);
    let hash = hash::sha256(b"");
    let more = (0..5_000).map(|n| format!("{hash}  x/{n:06}\n"));
    let sums = String::from_utf8(export.read(SUMS)).unwrap();
    let all: String = more.chain([sums]).collect();
    fs::write(export.path(SUMS), [b"\xff\n", all.as_bytes()].concat()).unwrap();
    let verdict = check(&export);
    let lines = finding_texts(&verdict);
    assert!(verdict.findings.iter().all(|one| one.file == SUMS));
    let wanted = "SHA256SUMS: names 4000 more files that are neither there nor in manifest.json";
    assert!(lines.contains(&wanted.to_owned()), "{}", lines[0]);
    assert!(lines.len() < 1_100, "{}", lines.len());
}

#[test]
fn a_repeated_source_is_surveyed_once() {
    let export = TestExport::sealed(60);
    let mut manifest = manifest(export.dir()).unwrap();
    let one = manifest.sources[0].clone();
    manifest.sources.extend(vec![one; 3_000]);
    fs::write(export.path(MANIFEST), manifest.text()).unwrap();
    export.update_sum(MANIFEST);
    let verdict = check(&export);
    assert_eq!(verdict.counts.sources, 2);
    let wanted = "says that other sources were requested than it describes";
    assert!(finding_texts(&verdict).iter().any(|line| line.contains(wanted)));
}

#[test]
fn a_mark_that_is_none_is_no_manifest() {
    let export = TestExport::sealed(60);
    let text = String::from_utf8(export.read(MANIFEST)).unwrap();
    fs::write(export.path(MANIFEST), text.replacen("\"marks\": [", "\"marks\": [\"\",", 1))
        .unwrap();
    let lines = finding_texts(&check(&export));
    assert!(lines[0].contains("is not a manifest: a mark has 64 digits"), "{lines:#?}");
}
