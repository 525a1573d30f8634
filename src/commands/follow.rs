//! Owns `follow`: pull, wait, pull, until it is stopped.

use std::sync::Arc;

use crate::commands::pull;
use crate::config::env::Env;
use crate::config::request::FollowRequest;
use crate::error::AppError;
use crate::exit::Exit;
use crate::telemetry::console::Console;

/// Pulls again and again.
///
/// # Errors
/// As a pull.
pub async fn run(
    request: FollowRequest,
    env: &Env,
    console: &Arc<Console>,
) -> Result<Exit, AppError> {
    pull::run(request.pull, env, console).await
}
