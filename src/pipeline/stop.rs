//! The request to stop a run, from a signal, and the time that the output may take to end.

use std::time::Duration;

use tokio::sync::watch;

use crate::pipeline::error::RunError;

/// How long an output may take to end after a signal: a pipe without a reader never accepts more.
const GRACE_PERIOD: Duration = Duration::from_secs(5);

/// What signals have requested of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopRequest {
    /// Nothing.
    NotRequested,
    /// An end after the current commit.
    AfterCommit,
    /// An end at once.
    Immediately,
}

/// What `work` gives, unless it takes longer than [`GRACE_PERIOD`] after a signal, or until a
/// second one.
///
/// # Errors
/// [`RunError::Interrupted`]
pub async fn within_grace_period<R>(
    stop: &watch::Receiver<StopRequest>,
    work: impl Future<Output = R>,
) -> Result<R, RunError> {
    let mut stop = stop.clone();
    let overdue = async {
        wait_for_stop(&mut stop, StopRequest::AfterCommit).await;
        // A commit that is under way ends well before.
        let _ =
            tokio::time::timeout(GRACE_PERIOD, wait_for_stop(&mut stop, StopRequest::Immediately))
                .await;
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
        () = wait_for_stop(&mut stop, StopRequest::AfterCommit) => Err(RunError::Interrupted),
        result = work => Ok(result),
    }
}

/// Returns when signals have requested at least `least`; never if no signal can come any more.
pub async fn wait_for_stop(stop: &mut watch::Receiver<StopRequest>, least: StopRequest) {
    if stop.wait_for(|&stop| stop >= least).await.is_err() {
        std::future::pending::<()>().await;
    }
}
