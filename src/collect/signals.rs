//! The signals that request a run to end: SIGINT, SIGTERM, and SIGHUP unless the program was
//! started with `nohup` or reloads its configuration on it. SIGQUIT ends the program at once, like
//! SIGKILL.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::exit::Exit;
use crate::pipeline::stop::StopRequest;

/// How long an orderly end may take after a second signal: enough for the summary and the report.
const FORCED_EXIT_DELAY: Duration = Duration::from_secs(1);

/// Returns what signals have requested: the first requests the end after the current commit, the
/// second the end at once. After it has returned, no signal is missed.
pub fn watch_signals() -> watch::Receiver<StopRequest> {
    listen(None)
}

/// The same for a program that SIGHUP does not end: the second receiver counts it. A program that a
/// person started on a terminal still ends with the terminal.
pub fn watch_signals_and_reload(
    is_on_terminal: bool,
) -> (watch::Receiver<StopRequest>, watch::Receiver<u64>) {
    let (count, reloads) = watch::channel(0);
    (listen(Some(ReloadCounter { is_on_terminal, count })), reloads)
}

/// Counts how often SIGHUP came.
struct ReloadCounter {
    is_on_terminal: bool,
    count: watch::Sender<u64>,
}

fn listen(reloads: Option<ReloadCounter>) -> watch::Receiver<StopRequest> {
    let (sender, receiver) = watch::channel(StopRequest::NotRequested);
    let start = || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let inside = runtime.enter();
        let stops = vec![signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
        let hangup = match is_hangup_ignored() {
            true => None,
            false => Some(signal(SignalKind::hangup())?),
        };
        drop(inside);
        // On a thread of its own: the others may be blocked by a standard error that nobody reads.
        let work = move || runtime.block_on(forward_signals(stops, hangup, reloads, sender));
        thread::Builder::new().spawn(work)
    };
    if let Err(error) = start() {
        tracing::warn!(%error, "cannot listen for signals; a signal ends the run at once");
    }
    receiver
}

#[expect(clippy::exit, reason = "whatever holds the other threads must not hold the program")]
async fn forward_signals(
    mut stops: Vec<Signal>,
    hangup: Option<Signal>,
    reloads: Option<ReloadCounter>,
    stop: watch::Sender<StopRequest>,
) {
    match (hangup, reloads) {
        (Some(hangup), Some(reloads)) => {
            tokio::spawn(count_hangups(hangup, reloads, stop.clone()));
        }
        (hangup, _) => stops.extend(hangup),
    }
    for request in [StopRequest::AfterCommit, StopRequest::Immediately] {
        wait_for_any(&mut stops).await;
        stop.send_replace(request);
    }
    tokio::time::sleep(FORCED_EXIT_DELAY).await;
    std::process::exit(Exit::Incomplete.code().into());
}

async fn count_hangups(
    mut hangup: Signal,
    reloads: ReloadCounter,
    stop: watch::Sender<StopRequest>,
) {
    while hangup.recv().await.is_some() {
        match reloads.is_on_terminal && !io::stdin().is_terminal() {
            true => drop(stop.send_replace(StopRequest::AfterCommit)),
            false => reloads.count.send_modify(|count| *count += 1),
        }
    }
}

async fn wait_for_any(signals: &mut [Signal]) {
    std::future::poll_fn(|context| {
        let mut polled = signals.iter_mut().map(|signal| signal.poll_recv(context));
        match polled.any(|polled| polled.is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

/// Whether the program was started with SIGHUP ignored, as `nohup` does. If the system does not
/// say, as on macOS, SIGHUP is left to it.
fn is_hangup_ignored() -> bool {
    fs::read_to_string("/proc/self/status").map_or(true, |status| ignores_hangup(&status))
}

/// `SigIgn` is a hexadecimal mask. Its lowest bit is signal 1, which is SIGHUP.
fn ignores_hangup(status: &str) -> bool {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::ignores_hangup;

    #[test]
    fn the_mask_of_ignored_signals() {
        assert!(ignores_hangup("Name:\tx\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hangup("SigBlk:\t01\nSigIgn:\t0000000000001000\n"));
        assert!(ignores_hangup("Name:\tx\n"));
    }
}
