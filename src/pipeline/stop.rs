//! Owns the asking for an end: how a run hears of it, and how long it may take.

use std::time::Duration;

use tokio::sync::watch;

use crate::pipeline::error::RunError;

/// How long an output may take to end after a signal: one that nobody reads takes nothing for ever.
const GRACE: Duration = Duration::from_secs(5);

/// What signals have asked a run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopRequest {
    /// Nothing.
    No,
    /// An end after the current commit.
    Soon,
    /// An end at once.
    Now,
}

/// What `work` gives, unless it goes on for longer than [`GRACE`] after a signal, or until a second one.
///
/// # Errors
/// [`RunError::Interrupted`]
pub async fn within_grace_period<R>(
    stop: &watch::Receiver<StopRequest>,
    work: impl Future<Output = R>,
) -> Result<R, RunError> {
    let mut stop = stop.clone();
    let overdue = async {
        asked(&mut stop, StopRequest::Soon).await;
        // A commit that is under way ends well before.
        let _ = tokio::time::timeout(GRACE, asked(&mut stop, StopRequest::Now)).await;
    };
    tokio::select! {
        result = work => Ok(result),
        () = overdue => Err(RunError::Interrupted),
    }
}

/// What `work` gives, unless a signal comes first. For what leaves nothing half done.
///
/// # Errors
/// [`RunError::Interrupted`]
pub async fn unless_stopped<R>(
    stop: &watch::Receiver<StopRequest>,
    work: impl Future<Output = R>,
) -> Result<R, RunError> {
    let mut stop = stop.clone();
    tokio::select! {
        biased;
        () = asked(&mut stop, StopRequest::Soon) => Err(RunError::Interrupted),
        result = work => Ok(result),
    }
}

/// Returns when signals have asked for `least`; never when nobody can ask any more.
pub async fn asked(stop: &mut watch::Receiver<StopRequest>, least: StopRequest) {
    if stop.wait_for(|&stop| stop >= least).await.is_err() {
        std::future::pending::<()>().await;
    }
}
