//! Deletes the finished output files of a source that are kept no longer (`keep`), at the end of
//! a run that has read everything. `docs/design.md`, section 4, says why none is deleted that
//! matters.
//!
//! Blocks the thread that it is called on.

use std::error::Error;

use chrono::{TimeDelta, Utc};

use crate::config::settings::{KeepFiles, OutputSettings, SourceSettings};
use crate::model::output_file_state::OutputFileState;
use crate::model::time::Timestamp;
use crate::pipeline::error::RunError;
use crate::pipeline::report::SourceReport;
use crate::sink::retention::{ExpiredFile, RetentionCheck};
use crate::state::store::StateStore;

/// By how much our clock may differ from the server's. Under a clock that runs far ahead, every
/// file would be old.
const MAX_CLOCK_DIFFERENCE: TimeDelta = TimeDelta::days(1);

/// The files of the source that are kept no longer at `now`, in the order in which they are
/// deleted.
///
/// # Errors
/// A folder cannot be read.
pub fn find_expired(
    settings: &SourceSettings,
    store: &StateStore,
    now: Timestamp,
) -> Result<Vec<ExpiredFile>, RunError> {
    // As the last commit left it.
    let store = store.reopened();
    let in_use: Vec<OutputFileState> =
        store.outputs()?.iter().map(|(_, output)| output.clone()).collect();
    let mut expired = Vec::new();
    for output in outputs(settings) {
        if let KeepFiles::For(keep) = output.keep {
            let source = &settings.name;
            let check = RetentionCheck { output, keep, source, in_use: &in_use, now };
            expired.extend(check.expired_files()?);
        }
    }
    Ok(expired)
}

fn outputs(settings: &SourceSettings) -> impl Iterator<Item = &OutputSettings> {
    let alerts = settings.alerts.as_ref().map(|alerts| &alerts.output);
    [Some(&settings.output), alerts].into_iter().flatten()
}

/// Deletes them, and says in `report` what was deleted, or why nothing was. `server_ahead` is by
/// how much the server's clock is ahead of ours.
pub fn delete_expired(
    settings: &SourceSettings,
    store: &StateStore,
    server_ahead: Option<TimeDelta>,
    report: &mut SourceReport,
) {
    if outputs(settings).all(|output| output.keep == KeepFiles::Forever) {
        return;
    }
    let now = match server_ahead {
        Some(ahead) if ahead.abs() <= MAX_CLOCK_DIFFERENCE => {
            Utc::now() + ahead.min(TimeDelta::zero())
        }
        Some(ahead) => {
            return report.warnings.push(format!(
                "no file was deleted (`keep`): the clock of this machine differs from the \
                 server's by {} hours; set one of them right",
                ahead.abs().num_hours()
            ));
        }
        None => {
            return report.warnings.push(
                "no file was deleted (`keep`): no response of the server says what time it is, \
                 so this machine's clock cannot be checked"
                    .to_owned(),
            );
        }
    };
    let expired = match find_expired(settings, store, now) {
        Ok(expired) => expired,
        Err(error) => return report.warnings.push(with_cause("no file was deleted", &error)),
    };
    for file in expired {
        match file.delete() {
            Ok(true) => {
                report.deleted.files += 1;
                report.deleted.bytes += file.bytes;
                tracing::info!(path = %file.path.display(), bytes = file.bytes, "deleted (`keep`)");
            }
            Ok(false) => {}
            Err(error) => report.warnings.push(with_cause("an old file stays", &error)),
        }
    }
}

/// `what` with why, in one line.
fn with_cause(what: &str, error: &(dyn Error + 'static)) -> String {
    let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
    format!("{what}: {error}{cause}")
}
