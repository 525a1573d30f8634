//! Refuses to write a time range into an output file that a checkpoint keeps account of.

use std::fs::{self, Metadata};
use std::path::Path;

use crate::config::request::PullRequest;
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::name::SourceName;
use crate::model::output_file_state::OutputFileState;
use crate::pipeline::run::current_output_file;
use crate::sink::identity::is_same_file;
use crate::sink::location::{real_path, path_before_rotation};
use crate::state::store::StateStore;

/// Refuses a pull of a time range that would repeat events in the file of an ordinary pull.
///
/// # Errors
/// An output of `request` belongs to a source of the state, or the state cannot be read.
pub fn refuse_owned(request: &PullRequest) -> Result<(), AppError> {
    if request.one_off.is_none() {
        return Ok(());
    }
    let store = StateStore::new(&request.state_dir);
    let owned = store.outputs()?;
    for settings in &request.sources {
        let Some(path) = current_output_file(&settings.output)? else {
            continue;
        };
        if let Some(owner) = owner(&path, owned) {
            return Err(refused(&path, owner));
        }
    }
    Ok(())
}

/// The source whose pulls write to `path`, or have written to it under this or another name.
fn owner<'a>(path: &Path, owned: &'a [(SourceName, OutputFileState)]) -> Option<&'a SourceName> {
    let path = real_path(path);
    let before_rotation = path_before_rotation(&path);
    let facts = fs::metadata(&path).ok().filter(Metadata::is_file);
    let is_it = |output: &OutputFileState| {
        output.path == path
            || before_rotation.as_ref() == Some(&output.path)
            || facts.as_ref().is_some_and(|facts| is_same_file(output, facts))
    };
    let found = owned.iter().find(|(_, output)| is_it(output));
    found.map(|(name, _)| name)
}

fn refused(path: &Path, owner: &SourceName) -> AppError {
    let what = format!(
        "the output file `{}` belongs to the pulls of source `{owner}`, and a time range would repeat events in it",
        path.display()
    );
    AppError::new(Exit::Output, what)
        .hint("name a different file with `--output`, or leave `--output` out: a time range is then written to standard output")
}
