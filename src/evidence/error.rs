//! Why an export cannot be sealed, or a folder not verified.

use std::io;
use std::path::{Path, PathBuf};

use crate::exit::Exit;

/// Nothing of it is a difference: those are findings.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
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
    /// A file of lines that cannot be read to its end must not be sealed.
    #[error("`{file}` is damaged: {what}")]
    Damaged {
        /// Its path within the export.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// Something in the folder cannot be part of an export.
    #[error("`{name}` {why}")]
    UnexpectedEntry {
        /// Its path within the export.
        name: String,
        /// Why it cannot.
        why: &'static str,
    },
    /// The facts lack what the manifest needs.
    #[error("the export knows of no run of its own")]
    NoRun,
    /// The signature cannot be made.
    #[error("cannot sign SHA256SUMS: {0}")]
    Sign(String),
    /// There is no such folder.
    #[error("there is no folder `{path}`", path = .0.display())]
    NoFolder(PathBuf),
    /// The folder holds nothing of an export.
    #[error(
        "`{path}` is not an export: it has no manifest.json, no SHA256SUMS and no events",
        path = .0.display()
    )]
    NoExport(PathBuf),
}

impl EvidenceError {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            EvidenceError::NoRun => Exit::Unexpected,
            EvidenceError::NoFolder(_) | EvidenceError::NoExport(_) => Exit::Usage,
            _ => Exit::Output,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            EvidenceError::Io { .. } => {
                "check that this user may read and write there, and that the disk is whole and not \
                 full"
            }
            EvidenceError::Damaged { .. } => {
                "nothing was sealed; export into another folder, and keep this one to see what \
                 happened to it"
            }
            EvidenceError::UnexpectedEntry { .. } => {
                "nothing was sealed; move it out of the folder, and run the same command again"
            }
            EvidenceError::Sign(_) => {
                "nothing was sealed; run the same command again, and see that the key is a good one"
            }
            EvidenceError::NoRun => "please report it",
            EvidenceError::NoFolder(_) | EvidenceError::NoExport(_) => {
                "name the folder that `atlaudit export --output DIR` made"
            }
        }
    }
}

/// An error of the file system while `doing` something to `path`.
pub fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EvidenceError + use<> {
    let path = path.to_owned();
    move |source| EvidenceError::Io { doing, path, source }
}
