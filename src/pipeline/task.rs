//! Owns work that goes on beside the rest, and ends when nobody wants its result any more.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::sync::Notify;
use tokio::task::{JoinError, JoinHandle};
use tracing::Instrument as _;

/// A task of the runtime, and its result once it is there. Dropped, it is aborted.
#[derive(Debug)]
pub struct Task<R> {
    handle: JoinHandle<R>,
    is_done: Arc<AtomicBool>,
}

impl<R: Send + 'static> Task<R> {
    /// Starts `work`, and tells `done` at its end. What it logs is of the source that the caller works for.
    pub fn start(done: &Arc<Notify>, work: impl Future<Output = R> + Send + 'static) -> Task<R> {
        let is_done = Arc::new(AtomicBool::new(false));
        let (flag, done) = (is_done.clone(), done.clone());
        let work = async move {
            let result = work.await;
            flag.store(true, Ordering::Release);
            done.notify_one();
            result
        };
        Task {
            handle: tokio::spawn(work.in_current_span()),
            is_done,
        }
    }

    /// Whether its work is done.
    pub fn is_done(&self) -> bool {
        self.is_done.load(Ordering::Acquire)
    }
}

impl<R> Future for Task<R> {
    /// An error where it panicked.
    type Output = Result<R, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.handle).poll(context)
    }
}

impl<R> Drop for Task<R> {
    fn drop(&mut self) {
        self.handle.abort();
    }
}
