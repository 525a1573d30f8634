//! `export`: the events of a window and every answer that brought them, in a folder of their own.

mod against;
mod alerts;
mod crash;
mod disk_full;
mod faults;
mod folder;
mod signed;
mod whole;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::{Outputs, Run, Site, blank, files, small};

const SOURCES: [&str; 4] = ["acme", "acme-jira", "acme-confluence", "acme-dc"];

/// A site with so much of each source, in pages of ten.
fn site(each: usize) -> Site {
    let mut options = small(each, each);
    options.data.confluence_records = each;
    options.data.datacenter_events = each;
    let mut site = Site::new(options).with_all_sources();
    for source in SOURCES {
        site.set(source, "page_size", 10);
    }
    site
}

/// The words of an export of `sources` into `out`, with `more` behind them.
fn words<'a>(sources: &[&'a str], out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let asked = ["--since", "40d", "--output", out];
    let words = ["export"].iter().chain(sources).chain(&asked).chain(more);
    words.copied().collect()
}

/// What lies in an export.
struct Case {
    path: PathBuf,
    manifest: Value,
}

impl Case {
    /// The export at `path`, which has its manifest.
    fn read(path: PathBuf) -> Case {
        let text = fs::read(path.join("manifest.json")).unwrap();
        Case { manifest: serde_json::from_slice(&text).unwrap(), path }
    }

    fn is_complete(&self) -> bool {
        self.manifest["complete"] == true
    }

    /// What the manifest says of a source.
    fn source(&self, name: &str) -> &Value {
        let sources = self.manifest["sources"].as_array().unwrap();
        let found = sources.iter().find(|source| source["name"] == name);
        found.unwrap_or_else(|| panic!("no source {name}"))
    }

    fn events(&self, name: &str) -> Run {
        Outputs::new(self.path.join("events"), name).read()
    }

    /// The lines of events but for what each run has of its own: when it received them.
    fn lines(&self, name: &str) -> Vec<String> {
        let events = self.events(name);
        let lines = events.lines().into_iter();
        lines.map(without_observed_time).collect()
    }

    fn pages(&self, name: &str) -> Vec<Value> {
        Outputs::new(self.path.join("pages"), name).read().trees()
    }

    /// Its pages count without a gap and tell of all that was written, each body is what its page
    /// says, and nothing is left of the state of an unfinished one.
    fn is_sound(&self, what: &str) {
        for source in self.manifest["sources"].as_array().unwrap() {
            let name = source["name"].as_str().unwrap();
            let pages = self.pages(name);
            for (n, page) in (1..).zip(&pages) {
                assert_eq!(page["n"], n, "{what}: {name}");
            }
            let served: u64 = pages.iter().filter_map(|page| page["records"].as_u64()).sum();
            let count = |key: &str| source["counts"][key].as_u64().unwrap();
            assert_eq!(count("responses"), pages.len() as u64, "{what}: {name}");
            let dropped = |key: &str| source["dropped"][key].as_u64().unwrap();
            let taken = self.lines(name).len() as u64 + dropped("repeats") + dropped("outside");
            assert!(taken <= served, "{what}: {name}: {taken} of {served}");
            if self.manifest["asked"]["keep_bodies"] == true {
                self.assert_bodies_sound(name, &pages);
            }
        }
        let mut verify = blank(Path::new("/nonexistent"), Path::new("/nonexistent"));
        let verified = Run::from(verify.arg("verify").arg(&self.path).output().unwrap());
        assert_eq!(verified.code, 0, "{what}: {}", verified.stderr);
        let state = self.path.join(".atlaudit");
        assert_eq!(state.exists(), !self.is_complete(), "{what}");
    }

    fn assert_bodies_sound(&self, name: &str, pages: &[Value]) {
        let kept: HashMap<String, Vec<u8>> = files(&self.path.join("bodies").join(name))
            .into_iter()
            .map(|(path, packed)| {
                let name = Path::new(&path).file_name().unwrap().to_str().unwrap();
                let hash = name.strip_suffix(".json.zst").unwrap().to_owned();
                (hash, zstd::stream::decode_all(&*packed).unwrap())
            })
            .collect();
        let mut named = HashSet::new();
        for body in pages.iter().filter_map(|page| page.get("body")) {
            let hash = body["sha256"].as_str().unwrap();
            let content = &kept[hash];
            assert_eq!(body["bytes"], content.len() as u64);
            let digest = Sha256::digest(content);
            let own: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(own, hash);
            named.insert(hash);
        }
        assert_eq!(named.len(), kept.len(), "{name}: bodies that no page names");
    }
}

/// `line` without the time at which it was received.
fn without_observed_time(line: &str) -> String {
    let (before, rest) = line.split_once(r#""observed_time":""#).unwrap();
    let (_, after) = rest.split_once(r#"","#).unwrap();
    format!("{before}{after}")
}
