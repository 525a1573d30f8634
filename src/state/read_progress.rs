//! Publishes how far a run has read its source while it runs, for `status`: a small file beside the
//! checkpoint, which moves only with a commit. Nothing reads on from it; one that a dead process
//! left says only how far that had come.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::name::SourceName;
use crate::model::time::{Timestamp, Window};
use crate::state::caches::CacheFolder;

/// A time at which a run had read up to another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadMark {
    /// When that was.
    pub at: Timestamp,
    /// Up to where everything was read and written.
    pub reached: Timestamp,
}

/// How far a run has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadProgress {
    /// The process.
    pub process: u32,
    /// The start of what it reads.
    pub from: Timestamp,
    /// The end.
    pub to: Timestamp,
    /// Events written.
    pub events: u64,
    /// Where it was when it was first looked at.
    pub first: ReadMark,
    /// Where it is.
    pub last: ReadMark,
}

impl ReadProgress {
    /// The progress of this process, which reads `window`. A window without an end has none.
    pub fn of_process(window: Window, events: u64, mark: ReadMark) -> Option<ReadProgress> {
        let to = window.to.filter(|to| *to > window.from)?;
        let process = std::process::id();
        Some(ReadProgress { process, from: window.from, to, events, first: mark, last: mark })
    }

    /// How much of the time range has been read, of a hundred.
    pub fn percent(&self) -> u8 {
        let whole = (self.to - self.from).num_milliseconds().max(1);
        let read = (self.last.reached - self.from).num_milliseconds().clamp(0, whole);
        u8::try_from(i128::from(read) * 100 / i128::from(whole)).unwrap_or(100)
    }

    /// How long it takes at `now` until the end is reached, if the rest goes on as it went since
    /// the first mark.
    pub fn time_left(&self, now: Timestamp) -> Option<Duration> {
        let seconds = |span: chrono::TimeDelta| span.num_milliseconds() as f64 / 1000.0;
        let read = seconds(self.last.reached - self.first.reached);
        let took = seconds(self.last.at - self.first.at);
        if read <= 0.0 || took <= 0.0 {
            return None;
        }
        let left = seconds(self.to - self.last.reached).max(0.0) * took / read;
        let left = left - seconds(now - self.last.at).max(0.0);
        Duration::try_from_secs_f64(left.max(0.0)).ok()
    }
}

/// Where runs publish their progress, one file a source.
#[derive(Debug, Clone)]
pub struct ReadProgressStore(CacheFolder);

impl ReadProgressStore {
    /// The store in the state folder `state`.
    pub fn new(state: &Path) -> ReadProgressStore {
        ReadProgressStore(CacheFolder::new(state, "progress"))
    }

    /// What a run of `source` published last, if it did not end since.
    pub fn read(&self, source: &SourceName) -> Option<ReadProgress> {
        self.0.read(source.as_str())
    }

    /// Publishes the progress of a run of `source`.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, source: &SourceName, progress: &ReadProgress) -> io::Result<()> {
        self.0.write(source.as_str(), progress)
    }

    /// Removes what was published of `source`.
    ///
    /// # Errors
    /// The file system's.
    pub fn remove(&self, source: &SourceName) -> io::Result<()> {
        self.0.remove(source.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;

    fn at(text: &str) -> Timestamp {
        parse_api_time(text).unwrap()
    }

    fn progress() -> ReadProgress {
        let window =
            Window { from: at("2026-11-01T00:00:00Z"), to: Some(at("2026-11-11T00:00:00Z")) };
        let first =
            ReadMark { at: at("2026-11-11T00:00:10Z"), reached: at("2026-11-02T00:00:00Z") };
        let last = ReadMark { at: at("2026-11-11T00:01:10Z"), reached: at("2026-11-05T00:00:00Z") };
        let started = ReadProgress::of_process(window, 7, first).unwrap();
        ReadProgress { last, ..started }
    }

    #[test]
    fn the_rest_takes_as_long_as_what_was_read() {
        let progress = progress();
        assert_eq!(progress.percent(), 40);
        // Three days took a minute, and six are left.
        let left = |now| progress.time_left(at(now)).map(|left| left.as_secs());
        assert_eq!(left("2026-11-11T00:01:10Z"), Some(120));
        assert_eq!(left("2026-11-11T00:01:40Z"), Some(90));
        assert_eq!(left("2026-11-11T09:00:00Z"), Some(0));
        // A clock that was set back.
        assert_eq!(left("2026-11-10T00:00:00Z"), Some(120));
        let fresh = ReadProgress { last: progress.first, ..progress.clone() };
        assert_eq!(fresh.time_left(fresh.last.at), None);
    }

    #[test]
    fn what_lies_outside_is_nothing_or_all() {
        let mut odd = progress();
        odd.last.reached = at("2026-10-01T00:00:00Z");
        assert_eq!((odd.percent(), odd.time_left(odd.last.at)), (0, None));
        odd.last.reached = at("2027-10-01T00:00:00Z");
        assert_eq!((odd.percent(), odd.time_left(odd.last.at)), (100, Some(Duration::ZERO)));
        let empty = Window { from: odd.to, to: Some(odd.to) };
        assert_eq!(ReadProgress::of_process(empty, 0, odd.first), None);
    }

    #[test]
    fn what_was_published_reads_back_until_it_is_removed() {
        let state = tempfile::tempdir().unwrap();
        let (store, acme) = (ReadProgressStore::new(state.path()), "acme".parse().unwrap());
        assert_eq!(store.read(&acme), None);
        store.remove(&acme).unwrap();
        store.write(&acme, &progress()).unwrap();
        assert_eq!(store.read(&acme), Some(progress()));
        std::fs::write(state.path().join("progress/acme.json"), "{").unwrap();
        assert_eq!(store.read(&acme), None);
        store.remove(&acme).unwrap();
        assert!(!state.path().join("progress/acme.json").exists());
    }
}
