//! Waits for a store on a thread that may block.

use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// The result of `future`. The thread must belong to the runtime: one of its own, or one of
/// `spawn_blocking`.
pub fn wait<F: Future>(future: F) -> F::Output {
    block_in_place(|| Handle::current().block_on(future))
}
