//! Publishes how far the run of a source has come, every few seconds, for `status`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::block_in_place;
use tokio_util::task::AbortOnDropHandle;

use crate::crash;
use crate::model::name::SourceName;
use crate::state::read_progress::{ReadMark, ReadProgress, ReadProgressStore};
use crate::state::store::holder;
use crate::telemetry::meter::SourceMeter;

/// The time between two publications, in milliseconds. A shorter run publishes nothing.
const INTERVAL_MS: usize = 5_000;

/// Publishes the progress of one run until dropped, and removes it then.
#[derive(Debug)]
pub struct ProgressPublisher {
    state: PathBuf,
    store: ReadProgressStore,
    source: SourceName,
    /// Whether the run has ended. Held while something is written: a task that writes cannot be
    /// aborted, and would bring back what was removed.
    has_ended: Arc<Mutex<bool>>,
    _publishing: AbortOnDropHandle<()>,
}

impl ProgressPublisher {
    /// Starts to publish in the state folder `state` what `meter` counts of a run of `source`.
    pub fn start(state: &Path, source: &SourceName, meter: Arc<SourceMeter>) -> ProgressPublisher {
        let (store, source) = (ReadProgressStore::new(state), source.clone());
        let has_ended = Arc::default();
        let publishing = publish(store.clone(), source.clone(), meter, Arc::clone(&has_ended));
        let _publishing = AbortOnDropHandle::new(tokio::spawn(publishing));
        ProgressPublisher { state: state.to_owned(), store, source, has_ended, _publishing }
    }
}

impl Drop for ProgressPublisher {
    fn drop(&mut self) {
        *self.has_ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        let is_of_other_run = || {
            let holder = holder(&self.state, &self.source);
            holder.is_some_and(|holder| holder.process != std::process::id())
        };
        // Also what a run left that died. One that stays says only how far that run had come.
        if self.store.read(&self.source).is_some() && !is_of_other_run() {
            let _ = self.store.remove(&self.source);
        }
    }
}

async fn publish(
    store: ReadProgressStore,
    source: SourceName,
    meter: Arc<SourceMeter>,
    has_ended: Arc<Mutex<bool>>,
) {
    let ms = crash::limit("PROGRESS_MS", INTERVAL_MS);
    let interval = Duration::from_millis(ms.try_into().unwrap_or(u64::MAX));
    let mut first = None;
    loop {
        tokio::time::sleep(interval).await;
        let Some((window, reached)) = meter.reading() else { continue };
        let last = ReadMark { at: chrono::Utc::now(), reached };
        let progress = ReadProgress::of_process(window, meter.events.get(), last);
        let Some(progress) = progress else { continue };
        let first = *first.get_or_insert(last);
        let progress = ReadProgress { first, ..progress };
        let write = || match *has_ended.lock().unwrap_or_else(PoisonError::into_inner) {
            true => Ok(()),
            false => store.write(&source, &progress),
        };
        // Nothing reads on from it, so a file that cannot be written is no fault of the run.
        if let Err(error) = block_in_place(write) {
            tracing::info!(%error, "cannot publish the progress");
        }
    }
}
