//! Keeps what one run needs from the last one: the checkpoint of each source, its dedup cache and
//! event gaps, the run history, and the files of these.

pub mod checkpoint;
pub mod dedup_cache;
pub mod event_gaps;
pub mod lock_holder;
pub mod lookups;
pub mod notices;
mod permissions;
pub mod run_history;
pub mod store;

use std::io;
use std::path::PathBuf;

/// Why a state cannot be used. None of these changes a file.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another run holds the source.
    #[error("source `{source_name}` is being pulled by another run{}", holder.as_deref().map(|who| format!(" ({who})")).unwrap_or_default())]
    Locked {
        /// The source.
        source_name: String,
        /// What that run wrote of itself.
        holder: Option<String>,
    },
    /// A later atlaudit wrote it.
    #[error("the state file `{path}` has version {version}, and this atlaudit knows versions up to {known}", path = path.display())]
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
    #[error("the state at `{path}` is not safe: {what}", path = path.display())]
    Unsafe {
        /// The file or folder.
        path: PathBuf,
        /// Who may write it.
        what: String,
        /// The command that mends it.
        command: String,
    },
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

impl StateError {
    /// What to do about it. The state of an export is stored in the export's own folder.
    pub fn hint(&self, is_of_export: bool) -> String {
        let hint = match self {
            StateError::Unsafe { command, .. } => return format!("protect it with: {command}"),
            StateError::Locked { .. } => "wait for that run to end, or stop it",
            StateError::Newer { .. } => {
                "use the newer atlaudit that wrote it; the file was left as it is"
            }
            StateError::Damaged { .. } if is_of_export => {
                "the file was left as it is; restore it from a backup, or start the export again \
                 in another folder"
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
