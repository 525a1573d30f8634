//! Owns `check`: each source tested end to end, step by step.

mod check_report;
mod api_check;
mod local;
mod source;
mod check_step;

use tracing::Instrument as _;

use crate::commands::check::check_report::CheckReport;
use crate::commands::check::source::SourceCheck;
use crate::commands::connect::{SourceConnector, quota_dir};
use crate::config::env::ProcessEnv;
use crate::config::request::CheckRequest;
use crate::error::AppError;
use crate::exit::Exit;
use crate::sink::stdout;
use crate::telemetry::console::StderrConsole;

/// Tests one source after the other, tells each step on standard output, and returns how the worst of them ended.
/// Where standard output is stored or dropped instead of read, a failure is reported on standard error too.
///
/// # Errors
/// Standard output cannot be written.
pub async fn run(request: &CheckRequest, env: &ProcessEnv, console: &StderrConsole) -> Result<Exit, AppError> {
    let mut worst = Exit::Done;
    // One for all: sources of one credential share its limits, and a CAPTCHA that it met.
    let mut connector = SourceConnector::new(quota_dir(env));
    for (place, source) in request.sources.iter().enumerate() {
        let mut account = CheckReport::new(source, request.json, place == 0);
        let span = tracing::error_span!("check", source = source.name.as_str());
        let failed = SourceCheck::new(request, source, env, &mut connector, &mut account)
            .run_steps()
            .instrument(span)
            .await
            .err();
        let failed = failed.map(|error| error.for_settings(source));
        account.finish(failed.as_ref())?;
        if let Some(error) = failed {
            if stdout::is_stdout_stored() {
                error.tell(console);
            }
            worst = worst.worst(error.exit());
        }
    }
    Ok(worst)
}
