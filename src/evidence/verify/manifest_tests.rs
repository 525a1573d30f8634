//! Edits of the manifest, each of which must be found.

use std::fs;

use super::*;
use crate::evidence::hash;
use crate::evidence::test_export::TestExport;

fn finding_texts(export: &TestExport) -> Vec<String> {
    let verdict = verify(export.dir(), None).unwrap();
    verdict.findings.iter().map(VerifyFinding::to_string).collect()
}

/// A replacement, and the finding that it causes.
const EDITS: [(&str, &str, &str); 17] = [
    (
        "\"lines\": 120",
        "\"lines\": 121",
        "says that `events/acme.jsonl.zst` has 121 lines; it has 120",
    ),
    ("\"text_bytes\": ", "\"text_bytes\": 1", "bytes of text; it has"),
    (
        "\"responses\": 6",
        "\"responses\": 7",
        "source `acme`: says 7 for `responses`; the files make 6",
    ),
    ("\"served\": 120", "\"served\": 119", "says 119 for `served`"),
    ("\"written\": 120", "\"written\": 119", "says 119 for `written`"),
    ("\"unparsed\": 0", "\"unparsed\": 1", "says 1 for `unparsed`"),
    ("\"repeats\": 0", "\"repeats\": 2", "122 records were written or dropped, but 120 served"),
    ("\"first\": \"2026-11-01T00:00:00Z\"", "\"first\": \"2026-11-01T00:00:01Z\"", "for `first`"),
    ("\"last\": \"2026-11-01T00:05:57Z\"", "\"last\": \"2026-11-01T00:05:58Z\"", "for `last`"),
    ("\"waited_ms\": 1500", "\"waited_ms\": 1", "`retries` does not follow"),
    ("\"skew_ms\": 250", "\"skew_ms\": 0", "`clock` does not follow"),
    (
        "\"started\": \"2026-11-20T09:29:59Z\"",
        "\"started\": \"2026-11-19T09:29:59Z\"",
        "`started` is not",
    ),
    ("\"complete\": true", "\"complete\": false", "`complete` is not"),
    ("\"order\": \"processed_time\"", "\"order\": \"luck\"", "nothing can be in the order `luck`"),
    ("\"acme-jira\"\n    ]", "\"acme-wiki\"\n    ]", "other sources were requested"),
    ("{\n", "{\n  \"more\": 1,\n", "says more than a manifest does"),
    ("/manifest/1", "/manifest/2", "has the format `atlaudit/manifest/2`"),
];

/// Changes the manifest's text, and the sums with it, and README.txt's word for it.
fn edit(export: &TestExport, from: &str, to: &str) {
    let before = String::from_utf8(export.read(MANIFEST)).unwrap();
    let after = before.replacen(from, to, 1);
    assert_ne!(before, after, "{from}");
    let (old, new) = (hash::sha256(before.as_bytes()), hash::sha256(after.as_bytes()));
    fs::write(export.path(MANIFEST), after).unwrap();
    let readme = String::from_utf8(export.read(README)).unwrap();
    fs::write(export.path(README), readme.replace(&old, &new)).unwrap();
    export.update_sum(MANIFEST);
    export.update_sum(README);
}

#[test]
fn a_manifest_that_is_edited_with_all_that_vouches_for_it_is_found_out() {
    for (from, to, what) in EDITS {
        let export = TestExport::sealed(120);
        edit(&export, from, to);
        let lines = finding_texts(&export);
        let is_said =
            lines.iter().any(|line| line.starts_with("manifest.json: ") && line.contains(what));
        assert!(is_said, "{from}: {what}: {lines:#?}");
    }
    let export = TestExport::sealed(120);
    edit(&export, "\"name\": \"acme\"", "\"name\": \"../acme\"");
    assert!(finding_texts(&export).iter().any(|line| line.contains("no source can be called")));
}

#[test]
fn a_limit_of_retention_must_fit_the_request_and_the_runs() {
    let mut export = TestExport::unsealed(120);
    export.begin_before_retention();
    export.seal();
    assert_eq!(finding_texts(&export), [""; 0]);
    let verdict = verify(export.dir(), None).unwrap();
    assert_eq!(verdict.not_available.len(), 1);
    let earliest = "\"earliest\": \"2026-05-24T09:29:59Z\"";
    for (from, to) in [
        ("\"days\": 180", "\"days\": 179"),
        (earliest, "\"earliest\": \"2026-05-24T09:29:58Z\""),
        (earliest, "\"earliest\": \"2026-10-24T09:29:59Z\""),
        (earliest, "\"earliest\": \"1998-05-24T09:29:59Z\""),
    ] {
        export.seal();
        edit(&export, from, to);
        let lines = finding_texts(&export);
        let is_said = lines.iter().any(|line| line.contains("`retention` does not fit"));
        assert!(is_said, "{to}: {lines:#?}");
    }
    // What was requested later than the limit begins after it, and must be covered from there on.
    export.facts.sources[0].windows[0].from =
        crate::evidence::test_export::at("2026-05-24T09:30:00Z");
    export.seal();
    assert!(finding_texts(&export).iter().any(|line| line.contains("no window covers")));
}

#[test]
fn a_manifest_with_too_small_counts_is_reported() {
    for (from, to, says) in [
        ("\"lines\": 2400", "\"lines\": 24", "has 24 lines, of "),
        ("\"text_bytes\": ", "\"text_bytes\": 0, \"x\": ", "of 0 bytes of text"),
    ] {
        let export = TestExport::sealed(2_400);
        // Text of which a little more is not all.
        let file = "events/acme.jsonl.zst";
        let mut lines = export.lines(file);
        for line in &mut lines {
            *line =
                line.replacen("\"raw\":{", &format!("\"raw\":{{\"x\":\"{}\",", "x".repeat(500)), 1);
        }
        export.repack(file, &lines);
        export.seal();
        edit(&export, from, to);
        let lines = finding_texts(&export);
        assert!(
            lines.iter().any(|line| line.contains(says) && line.ends_with("; it has more")),
            "{lines:#?}"
        );
        assert!(lines.iter().all(|line| line.starts_with("manifest.json: ")), "{lines:#?}");
    }
}
