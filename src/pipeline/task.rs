//! Owns work that goes on beside the rest, and ends when nobody wants its result any more.

use tokio::task::{JoinError, JoinHandle};
use tracing::Instrument as _;

/// A task of the runtime; dropped, it is aborted.
#[derive(Debug)]
pub struct Task<R>(JoinHandle<R>);

impl<R: Send + 'static> Task<R> {
    /// Starts `work`. What it logs is of the source that the caller works for.
    pub fn start(work: impl Future<Output = R> + Send + 'static) -> Task<R> {
        Task(tokio::spawn(work.in_current_span()))
    }

    /// Waits for its result.
    ///
    /// # Errors
    /// It panicked.
    pub async fn result(mut self) -> Result<R, JoinError> {
        (&mut self.0).await
    }
}

impl<R> Drop for Task<R> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
