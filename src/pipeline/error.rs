//! Owns why the run of one source did not reach its end.

use std::path::PathBuf;

use crate::fetch::types::FetchError;
use crate::model::name::SourceName;
use crate::sink::SinkError;
use crate::state::StateError;

/// Why the run of one source did not reach its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The source could not be read.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The lines could not be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The state could not be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The checkpoint belongs to another organization or site.
    #[error(
        "the checkpoint of `{source_name}` belongs to `{theirs}`, and the configuration says `{ours}`"
    )]
    OtherScope {
        /// The source.
        source_name: String,
        /// The checkpoint's scope.
        theirs: String,
        /// The configuration's.
        ours: String,
    },
    /// Another source's run died while it wrote to the same file.
    #[error("the output file `{path}` holds unfinished work of source `{other}`", path = path.display())]
    Unfinished {
        /// The file.
        path: PathBuf,
        /// That source.
        other: SourceName,
    },
    /// A signal asked for the end.
    #[error("interrupted before everything was read")]
    Interrupted,
    /// A task of ours died.
    #[error("a task of the run died")]
    TaskDied(#[from] tokio::task::JoinError),
}
