//! The state of an output file: which file it is, and which part of it is known to be good.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::time::Timestamp;

/// A file and how much of it is known to be good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFileState {
    /// Its absolute path when it was written. Others may have renamed it since.
    pub path: PathBuf,
    /// What stays the same when it is renamed: its inode and its birth, which distinguish it from a
    /// later file with the same inode. Without the device's number, which changes with a restart.
    #[serde(default)]
    pub identity: Option<String>,
    /// A fingerprint of the last bytes of what was committed, which distinguishes a copy, and a
    /// file that was cut and grew again.
    #[serde(default)]
    pub tail: Option<String>,
    /// When its first line was written.
    #[serde(default)]
    pub begun: Option<Timestamp>,
    /// Its length in bytes up to the last commit.
    pub committed: u64,
    /// Whether a run is appending to it. Where the state says so and no run holds the source, that
    /// run died, and what lies behind `committed` is its unfinished work; else it is somebody
    /// else's.
    pub is_open: bool,
}
