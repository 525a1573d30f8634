//! Sends alerts to a program of the user, one after the other, each on its standard input.
//!
//! Delivery is at least once: an alert is delivered when the program exits with 0. The first
//! failure ends the deliveries of this run; the next run resumes. Reading and writing never wait
//! for it.

use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::config::settings::NotifySettings;
use crate::model::text::printable;
use crate::pipeline::stop::{StopRequest, wait_for_stop};

/// How long the program may take for one alert.
const LIMIT: Duration = Duration::from_secs(30);

/// How long the end of a run waits for alerts that are not delivered yet.
const LAST_WAIT: Duration = Duration::from_secs(30);

/// Sends alerts to a program, in a task of its own.
#[derive(Debug)]
pub struct AlertNotifier {
    /// Bounded by how many alerts wait in the memory of detection.
    sender: Option<UnboundedSender<String>>,
    delivered: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl AlertNotifier {
    /// Starts the task, for the alerts of `source`.
    pub fn start(notify: &NotifySettings, source: &str) -> AlertNotifier {
        let (sender, receiver) = unbounded_channel();
        let delivered = Arc::new(AtomicUsize::new(0));
        let task = deliver_all(notify.clone(), source.to_owned(), receiver, delivered.clone());
        let task = Handle::current().spawn(task);
        AlertNotifier { sender: Some(sender), delivered, task }
    }

    /// Queues the line of an alert.
    pub fn send(&self, line: &str) {
        if let Some(sender) = &self.sender {
            // After a failure the receiver is gone: the next run sends the alert again.
            let _ = sender.send(line.to_owned());
        }
    }

    /// Returns how many alerts were delivered since the last call.
    pub fn take_delivered(&self) -> usize {
        self.delivered.swap(0, Ordering::SeqCst)
    }

    /// Waits until all alerts are delivered, at most [`LAST_WAIT`] and until a signal comes.
    /// Returns how many were delivered since the last call of [`AlertNotifier::take_delivered`].
    pub async fn finish(mut self, stop: &watch::Receiver<StopRequest>) -> usize {
        self.sender = None;
        let mut stop = stop.clone();
        let has_ended = tokio::select! {
            ended = timeout(LAST_WAIT, &mut self.task) => ended.is_ok(),
            () = wait_for_stop(&mut stop, StopRequest::AfterCommit) => false,
        };
        if !has_ended {
            self.task.abort();
            // Waited for, so that the program is killed before ours ends.
            let _ = (&mut self.task).await;
        }
        self.take_delivered()
    }
}

impl Drop for AlertNotifier {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The program and what it started, which are killed together.
struct ProgramGroup(Option<Pid>);

impl Drop for ProgramGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended just now.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

async fn deliver_all(
    notify: NotifySettings,
    source: String,
    mut lines: UnboundedReceiver<String>,
    delivered: Arc<AtomicUsize>,
) {
    while let Some(line) = lines.recv().await {
        let result = timeout(LIMIT, deliver(&notify, &line)).await;
        let fault = match result {
            Ok(Ok(())) => {
                delivered.fetch_add(1, Ordering::SeqCst);
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it took longer than {}", humantime::format_duration(LIMIT)),
        };
        tracing::warn!(
            source,
            "the program `{}` of `[detect.notify]` failed: {}; alerts stay in their file, and the \
             next run sends this one and later ones again",
            printable(notify.command.first().map_or("", String::as_str)),
            printable(&fault)
        );
        return;
    }
}

async fn deliver(notify: &NotifySettings, line: &str) -> io::Result<()> {
    let NotifySettings { command, hidden, .. } = notify;
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    hidden.iter().for_each(|name| {
        command.env_remove(name);
    });
    let mut child = command
        .args(arguments)
        .stdin(Stdio::piped())
        // Events may go to our own.
        .stdout(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    let mut group = ProgramGroup(id.and_then(Pid::from_raw));
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(line.as_bytes()).await {
            // The program need not read its input.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
    }
    let status = child.wait().await?;
    // What it leaves behind on purpose lives on.
    group.0 = None;
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other(status.to_string())),
    }
}
