//! The errors that end the run of one source, with their hints.

use std::path::PathBuf;

use crate::exit::Exit;
use crate::fetch::types::FetchError;
use crate::model::name::SourceName;
use crate::model::time::{Timestamp, format_millis};
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
        "the checkpoint of `{source_name}` belongs to `{theirs}`, and the configuration says \
         `{ours}`"
    )]
    OtherScope {
        /// The source.
        source_name: String,
        /// The checkpoint's scope.
        theirs: String,
        /// The configuration's.
        ours: String,
    },
    /// The first pull would begin in the future.
    #[error("`initial_from` ({}) is in the future", format_millis(*.from))]
    FutureStart {
        /// The setting.
        from: Timestamp,
    },
    /// Another source's run died while it wrote to the same file, whose lines wait for Parquet.
    #[error(
        "the output file `{path}` holds unfinished work of source `{other}`",
        path = path.display()
    )]
    Unfinished {
        /// The file.
        path: PathBuf,
        /// That source.
        other: SourceName,
    },
    /// There is nothing that a backfill could extend.
    #[error("source `{source_name}` was never pulled, so there is no history to extend backwards")]
    NoHistory {
        /// The source.
        source_name: String,
    },
    /// A backfill would not know where to end.
    #[error(
        "the history of the source begins at {}, by its checkpoint, and holds older events: where \
         it really begins is not known",
        format_millis(*.since)
    )]
    UnknownStart {
        /// What the checkpoint says.
        since: Timestamp,
    },
    /// Lines wait for Parquet, which is no longer asked for.
    #[error(
        "events of earlier pulls wait for `{path}`, and the output is another kind now",
        path = .0.display()
    )]
    WaitingLines(PathBuf),
    /// A signal requested the end.
    #[error("interrupted before everything was read")]
    Interrupted,
    /// A task of ours died.
    #[error("a task of the run died")]
    TaskDied(#[from] tokio::task::JoinError),
}

impl RunError {
    /// The exit code. An error of a lower layer has its own.
    pub fn exit(&self) -> Exit {
        match self {
            RunError::OtherScope { .. }
            | RunError::FutureStart { .. }
            | RunError::WaitingLines(_)
            | RunError::NoHistory { .. }
            | RunError::UnknownStart { .. }
            | RunError::Unfinished { .. } => Exit::Config,
            RunError::TaskDied(_) | RunError::Fetch(FetchError::TaskDied) => Exit::Unexpected,
            _ => Exit::Incomplete,
        }
    }

    /// What to do about it. Empty for an error of a lower layer, which has its own hint.
    pub fn hint(&self) -> &'static str {
        match self {
            RunError::Fetch(error) => fetch_hint(error),
            RunError::Sink(_) | RunError::State(_) => "",
            RunError::WaitingLines(_) => {
                "pull with the former output until its `rotate` is due (`never`: at once), which \
                 publishes them; of normalized lines `atlaudit convert` makes Parquet too"
            }
            RunError::OtherScope { .. } => {
                "give the new organization or site a source name of its own, so that each keeps \
                 its history"
            }
            RunError::NoHistory { .. } => {
                "pull it first, or set `initial_lookback`, with which the first pull begins"
            }
            RunError::UnknownStart { .. } => {
                "a clock was wrong when it was pulled first; read what is older with `--since` \
                 and `--until` into a file of its own"
            }
            RunError::FutureStart { .. } => {
                "nothing was read: pull this source for the first time after that, or set an \
                 earlier time"
            }
            RunError::Unfinished { .. } => {
                "give each source a file of its own, or pull that source first"
            }
            RunError::Interrupted => "what was written is sound; run it again to go on from here",
            RunError::TaskDied(_) => "please report it with this message; nothing written is lost",
        }
    }
}

fn fetch_hint(error: &FetchError) -> &'static str {
    match error {
        FetchError::Failed(failure) => failure.hint(),
        FetchError::PagingLoop(_) => {
            "what was read before is written; run it again, and if it stays so, tell Atlassian \
             support"
        }
        FetchError::IgnoresDates => {
            "look for a proxy that drops the query; otherwise the API has changed: please report it"
        }
        FetchError::InstantTooLarge { .. }
        | FetchError::UnclearPaging { .. }
        | FetchError::UnclearEnd { .. } => {
            "nothing is lost: what was read before is written, and the next run resumes there; a \
             larger `page_size` may hold them all, else report it to Atlassian support"
        }
        FetchError::EndlessEmptyPages => {
            "what was read before is written; request a shorter time range, and if it stays so, \
             report it to Atlassian support"
        }
        FetchError::SliceKeptChanging { is_written: true } => {
            "what was read is written; run it again when fewer records arrive, and it reads that \
             time range again"
        }
        FetchError::SliceKeptChanging { is_written: false } => {
            "nothing of that time range is written, so that each event comes in its order; run it \
             again when fewer records arrive, and it reads that time range again"
        }
        FetchError::TaskDied => "please report it with this message; nothing written is lost",
    }
}
