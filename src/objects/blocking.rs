//! Waits for a store on a thread that may block.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::block_in_place;

/// Drives the connections to stores. With hundreds of sources the threads of the program's own
/// runtime all wait here, and none is left to drive anything.
static STORE_RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();

/// The result of `future`. The thread must belong to the program's runtime: one of its own, or one
/// of `spawn_blocking`.
pub fn wait<F: Future>(future: F) -> F::Output {
    let start = || Builder::new_multi_thread().worker_threads(1).enable_all().build().ok();
    block_in_place(|| match STORE_RUNTIME.get_or_init(start) {
        Some(runtime) => runtime.block_on(future),
        None => Handle::current().block_on(future),
    })
}
