//! Finds the files of a run that a dead run of another source left open, and closes them. See
//! `docs/design.md`, section 4.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::config::settings::SourceSettings;
use crate::model::name::SourceName;
use crate::model::output_file_state::OutputFileState;
use crate::pipeline::checkpoint_writer::LockedSource;
use crate::pipeline::error::RunError;
use crate::pipeline::run_output::current_output_file;
use crate::sink::UnexpectedFile;
use crate::sink::location::is_locked;
use crate::sink::waiting_lines::is_waiting;
use crate::state::store::StateStore;

/// Closes the files of this run that another source's run died on: the next run of that source
/// truncates them to its last commit, and would remove our lines.
///
/// # Errors
/// One of them is being written, or cannot be closed.
pub fn close_unfinished(
    settings: &SourceSettings,
    store: &StateStore,
    last_file: Option<&OutputFileState>,
) -> Result<(), RunError> {
    for other in find_unfinished(settings, store, last_file)? {
        LockedSource::close_files(store, &other)?;
    }
    Ok(())
}

/// The sources whose runs died while they wrote a file that this run writes.
///
/// # Errors
/// A file is being written, or lines in it wait for Parquet, which only the run of their source
/// makes of them; the state folder cannot be read.
pub fn find_unfinished(
    settings: &SourceSettings,
    store: &StateStore,
    last_file: Option<&OutputFileState>,
) -> Result<BTreeSet<SourceName>, RunError> {
    let outputs = [Some(&settings.output), settings.alerts.as_ref().map(|alerts| &alerts.output)];
    let mut paths: Vec<PathBuf> = Vec::new();
    for output in outputs.into_iter().flatten() {
        paths.extend(current_output_file(output)?);
    }
    // Lines that wait are published, also where they wait under an earlier name.
    paths.extend(last_file.map(|last| last.path.clone()).filter(|path| is_waiting(path)));
    let mut unfinished = BTreeSet::new();
    for (other, output) in store.outputs_of_others(&settings.name)? {
        let path = &output.path;
        if !output.is_open || !paths.contains(path) {
            continue;
        }
        if is_locked(path) {
            return Err(UnexpectedFile::LockedByOtherRun.at(path).into());
        }
        if is_waiting(path) {
            return Err(RunError::Unfinished { path: path.clone(), other: other.clone() });
        }
        unfinished.insert(other.clone());
    }
    Ok(unfinished)
}
