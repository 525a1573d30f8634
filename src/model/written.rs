//! Owns the account of an output file: which part of it is known to be good.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A file and how much of it is known to be good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Its absolute path.
    pub path: PathBuf,
    /// Its length in bytes up to the last commit.
    pub committed: u64,
    /// Whether a run is appending to it. Where the state says so and no run holds the source, that
    /// run died, and what lies behind `committed` is its unfinished work; else it is somebody else's.
    pub is_open: bool,
}
