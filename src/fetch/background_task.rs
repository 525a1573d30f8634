//! A task of the runtime that is aborted when its handle is dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

/// A task of the runtime and, once it has ended, its result. Dropped, it is aborted.
#[derive(Debug)]
pub struct BackgroundTask<R> {
    handle: AbortHandle,
    state: Arc<TaskState<R>>,
}

#[derive(Debug)]
struct TaskState<R> {
    result: Mutex<Option<R>>,
    is_done: AtomicBool,
}

/// Signals the end of a task, also if it panics.
struct CompletionSignal<R>(Arc<TaskState<R>>, Arc<Notify>);

impl<R> Drop for CompletionSignal<R> {
    fn drop(&mut self) {
        self.0.is_done.store(true, Ordering::Release);
        self.1.notify_one();
    }
}

impl<R: Send + 'static> BackgroundTask<R> {
    /// Starts `work` as one of `tasks`, and notifies `done` at its end. It logs in the span of the
    /// caller.
    pub fn start(
        tasks: &TaskTracker,
        done: &Arc<Notify>,
        work: impl Future<Output = R> + Send + 'static,
    ) -> BackgroundTask<R> {
        let shared =
            Arc::new(TaskState { result: Mutex::new(None), is_done: AtomicBool::new(false) });
        let signal = CompletionSignal(shared.clone(), done.clone());
        let work = async move {
            let result = work.await;
            *signal.0.lock_result() = Some(result);
        };
        BackgroundTask { handle: tasks.spawn(work.in_current_span()).abort_handle(), state: shared }
    }

    /// Whether it has ended.
    pub fn is_done(&self) -> bool {
        self.state.is_done.load(Ordering::Acquire)
    }

    /// Its result; `None` before the end, or if it panicked.
    pub fn into_result(self) -> Option<R> {
        self.state.lock_result().take()
    }
}

impl<R> TaskState<R> {
    fn lock_result(&self) -> std::sync::MutexGuard<'_, Option<R>> {
        // One assignment: a panic elsewhere leaves it whole.
        self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R> Drop for BackgroundTask<R> {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_result_waits_and_a_panic_brings_none() {
        let done = Arc::new(Notify::new());
        let tasks = TaskTracker::new();
        let good = BackgroundTask::start(&tasks, &done, async { 7 });
        done.notified().await;
        assert!(good.is_done());
        assert_eq!(good.into_result(), Some(7));
        let bad = BackgroundTask::<u8>::start(&tasks, &done, async { panic!("for a test") });
        done.notified().await;
        assert!(bad.is_done());
        assert_eq!(bad.into_result(), None);
    }

    #[tokio::test]
    async fn what_nobody_wants_ends() {
        let (done, kept) = (Arc::new(Notify::new()), Arc::new(()));
        let (tasks, held) = (TaskTracker::new(), kept.clone());
        let task = BackgroundTask::start(&tasks, &done, async move {
            std::future::pending::<()>().await;
            drop(held);
        });
        drop(task);
        tasks.close();
        tasks.wait().await;
        assert_eq!(Arc::strong_count(&kept), 1);
    }
}
