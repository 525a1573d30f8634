//! Owns the steps that ask this machine only: whether the state and the output can be written.

use std::path::Path;
use std::time::Instant;

use chrono::Utc;

use crate::commands::check::check_report::CheckReport;
use crate::commands::check::check_step::{StepName, CheckStep};
use crate::config::settings::SourceSettings;
use crate::error::AppError;
use crate::exit::Exit;
use crate::sink::preflight;
use crate::state::store::StateStore;

/// Less room than this is soon used up.
const LOW_DISK_BYTES: u64 = 256 * 1024 * 1024;

/// The checkpoint can be read, and its folder be written to.
///
/// # Errors
/// The state is damaged or of a newer version, or its folder cannot be written to.
pub fn check_state(
    account: &mut CheckReport,
    source: &SourceSettings,
    folder: &Path,
) -> Result<(), AppError> {
    account.begin_step(StepName::StateWritable);
    let began = Instant::now();
    let checkpoint = StateStore::new(folder).load(&source.name)?;
    let free = preflight::check_folder_writable(folder).map_err(|error| {
        let told = AppError::from(error);
        let what = format!("the state cannot be kept in `{}`", folder.display());
        let mut refused = AppError::new(Exit::State, what)
            .hint("check who owns the folder, or name another one with `--state-dir` or ATLAUDIT_STATE_DIR");
        refused.add_causes(told.message());
        refused
    })?;
    let how = match checkpoint {
        Some(_) => "pulled before",
        None => "not pulled yet",
    };
    let detail = format!("{}, {how}", folder.display());
    account.finish_step(disk_space_step(StepName::StateWritable, detail, free).with_duration(began.elapsed()));
    Ok(())
}

/// The output can be written; nothing is written to it.
///
/// # Errors
/// It cannot.
pub fn check_output(account: &mut CheckReport, source: &SourceSettings) -> Result<(), AppError> {
    account.begin_step(StepName::OutputWritable);
    let began = Instant::now();
    let found = preflight::check_writable(&source.output, Utc::now())?;
    let note = found.note.map(|note| format!(" ({note})"));
    let detail = format!("{}{}", found.location, note.unwrap_or_default());
    let step = disk_space_step(StepName::OutputWritable, detail, found.free)
        .with_duration(began.elapsed())
        .with_fact("path", found.location);
    account.finish_step(step);
    Ok(())
}

/// The step, with a warning where little room is left.
fn disk_space_step(name: StepName, detail: String, free: Option<u64>) -> CheckStep {
    let Some(free) = free else {
        return CheckStep::ok(name, detail);
    };
    let detail = format!("{detail}, {} free", format_size(free));
    let step = match free < LOW_DISK_BYTES {
        true => CheckStep::warning(name, detail, "make room on that disk before it is full"),
        false => CheckStep::ok(name, detail),
    };
    step.with_fact("free_bytes", free)
}

/// `1.2 GB`.
fn format_size(bytes: u64) -> String {
    let units = [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
    ];
    let found = units.into_iter().find(|(unit, _)| bytes >= *unit);
    let (unit, name) = found.unwrap_or((1_000, "kB"));
    format!("{:.1} {name}", bytes as f64 / unit as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::check::check_step::StepState;

    #[test]
    fn low_disk_space_is_a_warning() {
        let step = disk_space_step(StepName::OutputWritable, "x".to_owned(), Some(1_500_000));
        assert_eq!(
            (step.state, step.detail.as_str()),
            (StepState::Warning, "x, 1.5 MB free")
        );
        let step = disk_space_step(
            StepName::OutputWritable,
            "x".to_owned(),
            Some(2_340_000_000_000),
        );
        assert_eq!(
            (step.state, step.detail.as_str()),
            (StepState::Ok, "x, 2.3 TB free")
        );
        assert_eq!(
            disk_space_step(StepName::OutputWritable, "x".to_owned(), None).detail,
            "x"
        );
        assert_eq!(format_size(999), "1.0 kB");
    }
}
