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
}
