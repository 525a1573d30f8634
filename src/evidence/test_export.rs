//! Exports for tests: made of nothing but code, as a run would have left them, and changed at
//! will.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use tempfile::TempDir;

use super::folder::ALERTS;
use super::hash::sha256;
use super::manifest::{
    DroppedCounts, ExportFacts, ExportParameters, MadeBy, RunEntry, SourceFacts, WindowEntry,
};
use super::page::{BodyDigest, PageLine, PageRequest, RequestedSpan};
use crate::model::source_kind::LogRetention;
use crate::model::time::{Timestamp, format_millis, parse_api_time};
use crate::report::DetectionNotes;

/// A secret key that `minisign -G -W` made.
pub const SECRET: &str = "untrusted comment: minisign encrypted secret key\n\
    RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFSFqXPGI\
    Lq/cgYACB+Rmjxi7CLyFV1fwH2q4dVVJ6gHdS2fueEva9sFKbo98i+TPFC1KxridtX0LBF7MEtsw95Dq\
    SSbb+LIZAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

/// Records of a page.
const PAGE: usize = 25;

pub fn at(text: &str) -> Timestamp {
    parse_api_time(text).unwrap()
}

fn since() -> Timestamp {
    at("2026-11-01T00:00:00Z")
}

fn until() -> Timestamp {
    at("2026-11-08T00:00:00Z")
}

/// An export in a folder of its own.
pub struct TestExport {
    pub folder: TempDir,
    pub facts: ExportFacts,
}

impl TestExport {
    /// An export of `acme`, by time of processing, and `acme-jira`, by time; with bodies. Not
    /// sealed yet.
    pub fn unsealed(events: usize) -> TestExport {
        let folder = tempfile::tempdir().unwrap();
        let sources = [("acme", "org-events", events), ("acme-jira", "jira-audit", 30)];
        for (name, _, events) in sources {
            write_lines(folder.path(), "events", name, &event_lines(name, events));
            let (pages, bodies) = page_lines(name, events);
            write_lines(folder.path(), "pages", name, &pages);
            let dir = folder.path().join("bodies").join(name);
            fs::create_dir_all(&dir).unwrap();
            for body in bodies {
                let path = dir.join(format!("{}.json.zst", sha256(body.as_bytes())));
                fs::write(path, pack(body.as_bytes())).unwrap();
            }
        }
        let facts = facts(&sources.map(|(name, kind, _)| source(name, kind)));
        TestExport { folder, facts }
    }

    /// The same, sealed.
    pub fn sealed(events: usize) -> TestExport {
        let export = TestExport::unsealed(events);
        export.seal();
        export
    }

    pub fn seal(&self) {
        super::seal::seal(self.dir(), &self.facts, None).unwrap();
    }

    /// The same, with these lines of alerts.
    pub fn add_alerts(&mut self, lines: &str) {
        fs::write(self.path(ALERTS), lines).unwrap();
        self.facts.asked.detect = true;
        self.facts.detection = Some(DetectionNotes::default());
    }

    /// The same, requested from 1999 on: before what the server of `acme` keeps.
    pub fn begin_before_retention(&mut self) {
        let since = at("1999-01-01T00:00:00Z");
        self.facts.asked.since = since;
        let started = self.facts.runs[0].started;
        for source in &mut self.facts.sources {
            source.windows[0].from = since;
        }
        let retention = LogRetention::ORGANIZATION.limit(since, started);
        self.facts.sources[0].retention = retention;
        for name in ["acme", "acme-jira"] {
            let file = format!("pages/{name}.jsonl.zst");
            let from = r#""from":"2026-11-01T00:00:00Z""#;
            let lines = self.lines(&file).into_iter();
            let lines: Vec<_> =
                lines.map(|line| line.replace(from, r#""from":"1999-01-01T00:00:00Z""#)).collect();
            self.repack(&file, &lines);
        }
    }

    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.dir().join(file)
    }

    pub fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.path(file)).unwrap()
    }

    /// The lines of a packed file.
    pub fn lines(&self, file: &str) -> Vec<String> {
        let text = zstd::decode_all(&*self.read(file)).unwrap();
        let text = String::from_utf8(text).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Puts other lines in the place of a packed file's.
    pub fn repack(&self, file: &str, lines: &[String]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(self.path(file), pack(text.as_bytes())).unwrap();
    }

    /// Adjusts the line of `file` in SHA256SUMS.
    pub fn update_sum(&self, file: &str) {
        let hash = sha256(&self.read(file));
        let sums = String::from_utf8(self.read("SHA256SUMS")).unwrap();
        let lines = sums.lines().map(|line| match line.ends_with(&format!("  {file}")) {
            true => format!("{hash}  {file}\n"),
            false => format!("{line}\n"),
        });
        fs::write(self.path("SHA256SUMS"), lines.collect::<String>()).unwrap();
    }
}

pub fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

/// A file in several frames, as commits leave them.
fn write_lines(dir: &Path, kind: &str, name: &str, lines: &[String]) {
    let frames = lines.chunks(40).map(|lines| {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        pack(text.as_bytes())
    });
    let bytes: Vec<u8> = frames.flatten().collect();
    let folder = dir.join(kind);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{name}.jsonl.zst")), bytes).unwrap();
}

fn event_lines(name: &str, count: usize) -> Vec<String> {
    let line = |number: usize| {
        let time = since() + TimeDelta::seconds(number as i64 * 3);
        // Events that are processed later happened earlier now and then.
        let happened = match number % 7 {
            3 if number > 3 => time - TimeDelta::seconds(10),
            _ => time,
        };
        let (time, happened) = (format_millis(time), format_millis(happened));
        let observed =
            format_millis(at("2026-11-20T09:30:00Z") + TimeDelta::milliseconds(number as i64));
        let processed = match name {
            "acme" => format!(r#""time":"{happened}","processed_time":"{time}""#),
            _ => format!(r#""time":"{time}""#),
        };
        let what = format!(
            r#""category":"authentication","outcome":"success","actor":{{"name":"Person {}"}}"#,
            number % 13
        );
        let observed = format!(r#""observed_time":"{observed}","action":"user_login""#);
        let source = format!(r#""source":{{"name":"{name}","type":"org-events"}}"#);
        let raw = format!(r#""raw":{{"id":"{number}","n":1.10}}"#);
        let head = format!(r#""schema":"atlaudit/1","id":"{name}:{number:06}""#);
        format!("{{{head},{source},{processed},{observed},{what},{raw}}}")
    };
    (0..count).map(line).collect()
}

/// The answers, one of them a refusal, and the bodies of those that brought a page.
fn page_lines(name: &str, records: usize) -> (Vec<String>, Vec<String>) {
    let mut bodies = Vec::new();
    let mut lines = Vec::new();
    let mut add = |records: Option<u64>, line: PageLine| {
        let line = PageLine { n: lines.len() as u64 + 1, records, ..line };
        lines.push(serde_json::to_string(&line).unwrap());
    };
    let blank = |number: usize| PageLine {
        n: 0,
        request: PageRequest {
            method: "GET".to_owned(),
            url: format!("https://{name}.example/events?page={number}"),
        },
        span: Some(RequestedSpan { from: since(), to: Some(until()) }),
        status: Some(200),
        headers: vec![("date".to_owned(), "Fri, 20 Nov 2026 09:30:00 GMT".to_owned())],
        received: at("2026-11-20T09:30:00.250Z") + TimeDelta::seconds(number as i64),
        took_ms: 12,
        attempt: 1,
        body: None,
        records: None,
        next: None,
        error: None,
        waited_ms: None,
    };
    for (number, first) in (0..records.max(1)).step_by(PAGE).enumerate() {
        if number == 1 {
            let refusal = PageLine {
                status: Some(429),
                error: Some("429 Too Many Requests".to_owned()),
                waited_ms: Some(1500),
                ..blank(number)
            };
            add(None, refusal);
        }
        let count = PAGE.min(records - first);
        let body = format!(r#"{{"page":{number},"of":"{name}","records":{count}}}"#);
        let answer = PageLine {
            body: Some(BodyDigest { bytes: body.len() as u64, sha256: sha256(body.as_bytes()) }),
            ..blank(number)
        };
        add(Some(count as u64), answer);
        bodies.push(body);
    }
    (lines, bodies)
}

fn source(name: &str, kind: &str) -> SourceFacts {
    SourceFacts {
        name: name.to_owned(),
        kind: kind.to_owned(),
        org_id: None,
        site: None,
        base_url: format!("https://{name}.example/"),
        credential: "keyring".to_owned(),
        complete: true,
        error: None,
        order: match kind {
            "org-events" => "processed_time".to_owned(),
            _ => "time".to_owned(),
        },
        retention: None,
        windows: vec![WindowEntry { from: since(), to: until(), complete: true }],
        gaps: Vec::new(),
        dropped: DroppedCounts::default(),
    }
}

fn facts(sources: &[SourceFacts]) -> ExportFacts {
    ExportFacts {
        asked: ExportParameters {
            since: since(),
            until: until(),
            sources: sources.iter().map(|source| source.name.clone()).collect(),
            keep_bodies: true,
            detect: false,
        },
        runs: vec![RunEntry {
            started: at("2026-11-20T09:29:59Z"),
            finished: Some(at("2026-11-20T09:31:00Z")),
            ended: "finished".to_owned(),
            extra_actions_sha256: None,
        }],
        made_by: MadeBy {
            program: "atlaudit".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            build: "test".to_owned(),
            command: vec!["export".to_owned(), "acme".to_owned()],
            host: Some("desk".to_owned()),
            user: None,
            time_zone: Some("Europe/Berlin".to_owned()),
        },
        sources: sources.to_vec(),
        detection: None,
    }
}
