//! Keeps what one run needs from the last one: the checkpoint of each source, its dedup cache and
//! event gaps, the run history, and the files of these.

pub mod caches;
pub mod checkpoint;
pub mod dedup_cache;
pub mod detection_log;
pub mod event_gaps;
pub mod failure_streak;
#[cfg(feature = "object-store")]
mod object_states;
mod permissions;
pub mod read_progress;
pub mod remote;
pub mod run_history;
#[cfg(feature = "object-store")]
mod state_object;
pub mod store;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::exit::Exit;
use crate::files::blocker_of;
use crate::objects::ObjectError;

/// Why a state cannot be used. None of these changes a file.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(not(feature = "object-store"), allow(dead_code, reason = "one is of a store's states"))]
pub enum StateError {
    /// Another run holds the source.
    #[error(
        "source `{source_name}` is being pulled by another run{}",
        holder.as_deref().map(|who| format!(" ({who})")).unwrap_or_default()
    )]
    Locked {
        /// The source.
        source_name: String,
        /// What that run wrote of itself.
        holder: Option<String>,
    },
    /// A run on another machine holds the source.
    #[error("source `{source_name}` is being pulled by another run ({holder})")]
    HeldElsewhere {
        /// The source.
        source_name: String,
        /// What that run wrote of itself.
        holder: String,
        /// For how long it is left alone, if it has died.
        lease_ends_in: Duration,
    },
    /// A later atlaudit wrote it.
    #[error(
        "the state file `{path}` has version {version}, and this atlaudit knows versions up to \
         {known}",
        path = path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
        /// Ours.
        known: u64,
    },
    /// It cannot be read as a checkpoint.
    #[error("the state file `{path}` is damaged: {what}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Others may write it.
    #[error("the state at `{path}` is not safe: {what}", path = .0.path.display(), what = .0.what)]
    Unsafe(PermissionFault),
    /// The object store that holds it refuses.
    #[error(transparent)]
    Objects(#[from] ObjectError),
    /// The file system refuses.
    #[error("cannot {doing} `{path}`", path = path.display())]
    Io {
        /// The verb: read, write, ...
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// A file or folder that others may write, or that belongs to another user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionFault {
    path: PathBuf,
    what: String,
    /// The command that protects it.
    command: String,
}

impl fmt::Display for PermissionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PermissionFault { path, what, command } = self;
        let path = path.display();
        write!(f, "`{path}` is not read, because {what}; protect it with: {command}")
    }
}

impl StateError {
    fn io(doing: &'static str, path: &Path, source: io::Error) -> StateError {
        StateError::Io { doing, path: path.to_owned(), source }
    }

    fn damaged(path: &Path, what: impl fmt::Display) -> StateError {
        StateError::Damaged { path: path.to_owned(), what: what.to_string() }
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            StateError::Objects(error) => error.exit(),
            _ => Exit::State,
        }
    }

    /// What to do about it. The state of an export is stored in the export's own folder.
    pub fn hint(&self, is_of_export: bool) -> String {
        let hint = match self {
            StateError::Unsafe(fault) => return format!("protect it with: {}", fault.command),
            StateError::Objects(error) => error.hint(),
            StateError::HeldElsewhere { lease_ends_in, .. } => {
                let left = lease_ends_in.as_secs();
                return format!(
                    "it goes on or ends; if it has died, its lease ends in {left} seconds, and \
                     nothing needs to be unlocked"
                );
            }
            StateError::Locked { .. } => "wait for that run to end, or stop it",
            StateError::Newer { .. } => {
                "use the newer atlaudit that wrote it; the file was left as it is"
            }
            StateError::Damaged { path, .. }
                if path.extension().is_some_and(|end| end == "zst") =>
            {
                "the file was left as it is; restore it from a backup, or move it away: detection \
                 then begins to learn again, and events that waited are not judged"
            }
            StateError::Damaged { .. } if is_of_export => {
                "the file was left as it is; restore it from a backup, or start the export again \
                 in another folder"
            }
            StateError::Io { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied && !is_of_export =>
            {
                "run it as the user who pulls (`sudo -u USER`), or name another folder with \
                 `--state-dir`; for `status`, `chmod 750` of that folder opens it to its group, \
                 with the next pull"
            }
            StateError::Io { source, path, .. }
                if !is_of_export && let Some(blocker) = blocker_of(path, source) =>
            {
                let blocker = blocker.display();
                return format!(
                    "`{blocker}` is not a folder: move it away, or name another with `--state-dir`"
                );
            }
            StateError::Io { .. } if is_of_export => {
                "check that this user may write there and that the disk is not full; run the same \
                 command again to resume the export"
            }
            StateError::Damaged { .. } => {
                "the file was left as it is; restore it from a backup, or move it away to start \
                 again with `initial_lookback`"
            }
            StateError::Io { .. } => {
                "check that this user may write there and that the disk is not full, or choose \
                 another folder with `--state-dir`"
            }
        };
        hint.to_owned()
    }
}

/// Parses the text of the file at `path`, whose version may be at most `known`.
///
/// # Errors
/// It is damaged, or was written by a newer version.
fn parse_versioned<T: DeserializeOwned>(
    path: &Path,
    text: &[u8],
    known: u64,
) -> Result<T, StateError> {
    #[derive(Deserialize)]
    struct FileVersion {
        version: serde_json::Value,
    }
    let damaged = |error| StateError::damaged(path, error);
    let FileVersion { version } = serde_json::from_slice(text).map_err(damaged)?;
    // A number or, as serde writes a tag, a text.
    match version.as_u64().or_else(|| version.as_str()?.parse().ok()) {
        Some(version) if version > known => {
            Err(StateError::Newer { path: path.to_owned(), version, known })
        }
        Some(1..) => serde_json::from_slice(text).map_err(damaged),
        _ => Err(StateError::damaged(path, "no version")),
    }
}
