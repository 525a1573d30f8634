//! Owns the answer "not yet": what holds a request back, and for how long at least.

use std::time::Duration;

use crate::telemetry::meter::WaitReason;

/// What holds a request back now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ThrottledRequest {
    pub(super) reason: WaitReason,
    pub(super) wait: Duration,
}

impl ThrottledRequest {
    /// By a limit of ours.
    pub(super) fn by_quota(wait: Duration) -> Self {
        ThrottledRequest {
            reason: WaitReason::Quota,
            wait,
        }
    }

    /// By a pause that the server asked for.
    pub(super) fn by_server(wait: Duration) -> Self {
        ThrottledRequest {
            reason: WaitReason::Server,
            wait,
        }
    }
}
