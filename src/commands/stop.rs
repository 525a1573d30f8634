//! Owns the signals that ask a run to end: SIGINT and SIGTERM.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::pipeline::stop::Stop;

/// Tells what signals have asked for: the first for an end after the current commit, the second for
/// one at once.
pub fn requested() -> watch::Receiver<Stop> {
    let (sender, receiver) = watch::channel(Stop::No);
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            tracing::warn!("cannot listen for signals; a signal ends the run at once");
            return;
        };
        for stop in [Stop::Soon, Stop::Now] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            // Nobody listens any more when the run is over; that is fine.
            let _ = sender.send(stop);
        }
    });
    receiver
}
