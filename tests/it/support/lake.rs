//! An object store, and sites whose output and state are in it.

use std::io::{Cursor, Read as _};
use std::time::Duration;

use atlaudit::sandbox::object_server::{ACCESS_KEY, AZURE_ACCOUNT, GOOGLE_TOKEN, ObjectServer};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::{Site, table_rows};

/// An object store with faults on demand.
pub struct Lake {
    /// Scripts it.
    pub server: ObjectServer,
    _runtime: Runtime,
}

impl Lake {
    /// An empty one.
    pub fn new() -> Lake {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        Lake { server: runtime.block_on(ObjectServer::start()).unwrap(), _runtime: runtime }
    }

    /// Lets `site` have its state here, and its output as lines in folders by source and day.
    pub fn connect(&self, site: &mut Site) {
        self.connect_as(site, "s3");
    }

    /// The same in the cloud with this scheme.
    pub fn connect_as(&self, site: &mut Site, scheme: &str) {
        let folder = format!("{scheme}://audit-lake/atl");
        site.set_output("path", format!("{folder}/feed={{source}}/day={{event_day}}/"));
        site.set_state_url(&format!("{folder}/_atlaudit"));
        let url = self.server.url();
        let variables = match scheme {
            "az" => vec![
                ("AZURE_STORAGE_ENDPOINT", format!("{url}/{AZURE_ACCOUNT}")),
                ("AZURE_STORAGE_ACCOUNT_NAME", AZURE_ACCOUNT.to_owned()),
                ("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0".to_owned()),
            ],
            "gs" => vec![
                ("GOOGLE_BASE_URL", url.to_owned()),
                ("GOOGLE_BEARER_TOKEN", GOOGLE_TOKEN.to_owned()),
            ],
            _ => vec![
                ("AWS_ENDPOINT_URL", url.to_owned()),
                ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ],
        };
        for (name, value) in variables {
            site.set_env(name, &value);
        }
    }

    /// The keys of the objects of a source.
    pub fn keys(&self, source: &str) -> Vec<String> {
        let folder = format!("/feed={source}/");
        let keys = self.server.keys().into_iter();
        keys.filter(|key| key.contains(&folder) && !key.contains("/_atlaudit/")).collect()
    }

    /// The ids of the events of a source, in the order of the keys.
    pub fn ids(&self, source: &str) -> Vec<String> {
        let keys = self.keys(source);
        keys.iter().flat_map(|key| ids_of(key, self.server.object(key).unwrap())).collect()
    }

    /// The first line of the state of a source.
    pub fn state(&self, source: &str) -> Value {
        let state = self.server.object(&format!("atl/_atlaudit/{source}.state")).unwrap();
        let line = state.split(|byte| *byte == b'\n').next().unwrap();
        serde_json::from_slice(line).unwrap()
    }

    /// No object of events was ever replaced by another.
    pub fn assert_never_replaced(&self) {
        let replaced = self.server.replaced();
        let data: Vec<_> = replaced.iter().filter(|key| !key.contains("/_atlaudit/")).collect();
        assert!(data.is_empty(), "{data:?}");
    }
}

fn ids_of(key: &str, content: Vec<u8>) -> Vec<String> {
    let mut text = String::new();
    if key.ends_with(".parquet") {
        let id = |row: &Value| row["id"].as_str().unwrap().to_owned();
        return table_rows(content).iter().map(id).collect();
    }
    let content = Cursor::new(content);
    let read = match key.rsplit('.').next() {
        Some("gz") => flate2::read::MultiGzDecoder::new(content).read_to_string(&mut text),
        Some("zst") => zstd::stream::read::Decoder::new(content).unwrap().read_to_string(&mut text),
        _ => { content }.read_to_string(&mut text),
    };
    read.unwrap();
    let id = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        event["id"].as_str().unwrap().to_owned()
    };
    text.lines().map(id).collect()
}

/// A disk that is new: nothing of earlier runs is on it.
pub fn empty_disk(site: &Site) {
    for folder in ["home", "tmp"] {
        let _ = std::fs::remove_dir_all(site.path(folder));
        std::fs::create_dir_all(site.path(folder)).unwrap();
    }
}

/// Longer than any lease.
pub const AFTER_LEASE: Duration = Duration::from_secs(600);
