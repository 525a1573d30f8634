//! The state file of a source during a run: locked and read at the start, saved after each commit
//! of the output. See `docs/design.md`, section 4.

use std::path::Path;

use crate::fetch::plan::ReadPlan;
use crate::model::name::{SourceKind, SourceName};
use crate::model::output_file_state::OutputFileState;
use crate::model::record::Fingerprint;
use crate::model::time::Timestamp;
use crate::model::workspace::SiteProduct;
use crate::normalise::RecordOrigin;
use crate::pipeline::error::RunError;
use crate::pipeline::record_processor::RecordProcessor;
use crate::pipeline::run_output::DurableOutput;
use crate::pipeline::silence::SourceSilence;
use crate::sink::LastOutput;
use crate::sink::recovery::{recover_shared, truncate_to_checkpoint};
use crate::state::StateError;
use crate::state::checkpoint::{
    BackfillProgress, Checkpoint, DetectionCheckpoint, OpenQuery, OpenWindow,
};
use crate::state::remote::{RemoteState, TakenState};
use crate::state::run_history::coverage::CoveredSpan;
use crate::state::run_history::{CheckpointPosition, RunProgress};
use crate::state::store::{SourceLock, StateStore};

/// The state file of a source that a run has locked.
#[derive(Debug)]
pub struct CheckpointWriter {
    store: StateStore,
    /// The state, where it is not in the state folder.
    remote: Option<Box<dyn RemoteState>>,
    name: SourceName,
    checkpoint: Checkpoint,
    /// Whether the run moves the resume point of a backfill, and not that of the pulls.
    is_backfill: bool,
    /// The windows of the plan as they stand; `None` for one that was read to its end.
    windows: Vec<Option<OpenWindow>>,
    /// What earlier runs have read, as far as the checkpoint knows.
    before: Option<CoveredSpan>,
    /// The start of what this run reads, and its end if it has one.
    from: Timestamp,
    until: Option<Timestamp>,
    /// How far this run has come, as of the last checkpoint that was saved.
    committed: Option<RunProgress>,
    /// Events that this run has committed.
    written: u64,
    /// The start of the run, once everything there was then has been read.
    completed: Option<Timestamp>,
    lock: SourceLock,
}

/// A source after its run, still locked until its run history is written.
#[derive(Debug)]
pub struct ReleasedSource {
    /// How far the run came; `None` if it saved no checkpoint.
    pub progress: Option<RunProgress>,
    /// The lock of the source.
    pub lock: SourceLock,
}

/// A source that was locked for a run, with its checkpoint.
#[derive(Debug)]
pub struct LockedSource {
    store: StateStore,
    name: SourceName,
    lock: SourceLock,
    /// The checkpoint of the last run, if there was one.
    pub checkpoint: Option<Checkpoint>,
    remote: Option<Box<dyn RemoteState>>,
    /// A checkpoint of another scope that has read nothing: only its output files are of use.
    unstarted: Option<Checkpoint>,
}

/// The scope of a checkpoint of the source.
pub fn scope(origin: &RecordOrigin) -> String {
    let workspace = origin.workspace.as_ref();
    let owner = origin.org_id.as_deref().or(origin.site.as_deref());
    let owner = owner.or(workspace.map(|workspace| workspace.cloud_id.as_str()));
    let product = workspace.map(|workspace| workspace.product);
    scope_of(origin.kind, product, owner.unwrap_or_default())
}

/// The scope of a checkpoint of a source of this kind; `owner` is its organization or site, which
/// has a workspace for each `product`.
pub fn scope_of(kind: SourceKind, product: Option<SiteProduct>, owner: &str) -> String {
    match product {
        Some(product) => format!("{kind}:{}:{owner}", product.as_str()),
        None => format!("{kind}:{owner}"),
    }
}

/// What tells the history of a source from another one of the same name, or of another name.
fn history_mark(name: &SourceName, scope: &str) -> String {
    let mark = Fingerprint::of(format!("{name}\n{scope}").as_bytes()).to_string();
    mark.get(..8).unwrap_or_default().to_owned()
}

/// The checkpoint that a pull of `scope` would continue from. Changes nothing.
///
/// # Errors
/// The state is damaged, newer, or of another scope.
pub fn peek(
    store: &StateStore,
    name: &SourceName,
    scope: &str,
) -> Result<Option<Checkpoint>, RunError> {
    let found = store.load(name)?;
    let Some(found) = found.filter(|found| !is_unstarted_other_scope(found, scope)) else {
        return Ok(None);
    };
    check_scope(&found, name, scope).map(|()| Some(found))
}

/// Whether nothing was ever read by a checkpoint of another scope.
fn is_unstarted_other_scope(found: &Checkpoint, scope: &str) -> bool {
    found.scope != scope && found.has_no_progress()
}

fn check_scope(found: &Checkpoint, name: &SourceName, scope: &str) -> Result<(), RunError> {
    match found.scope == scope {
        true => Ok(()),
        false => Err(RunError::OtherScope {
            source_name: name.to_string(),
            theirs: found.scope.clone(),
            ours: scope.to_owned(),
        }),
    }
}

impl LockedSource {
    /// Locks `name` in `store` and reads its checkpoint, which must be of `scope`. If the last run
    /// died, the output files are truncated to what it had committed.
    ///
    /// # Errors
    /// The state is locked, damaged, newer, or of another scope; an output file cannot be
    /// recovered.
    pub fn take(
        store: &StateStore,
        name: &SourceName,
        scope: &str,
    ) -> Result<LockedSource, RunError> {
        let locked = LockedSource::locked(store, name)?;
        locked.recover_files()?;
        locked.discard_if_unstarted(scope).of(scope)
    }

    /// Truncates the files that a dead run of `name` left open, as its next run would, and notes
    /// that they are closed: then other sources may write them.
    ///
    /// # Errors
    /// The source is being pulled, its state is damaged, or a file cannot be recovered.
    pub fn close_files(store: &StateStore, name: &SourceName) -> Result<(), RunError> {
        let locked = LockedSource::locked(store, name)?;
        locked.recover_files()?;
        let Some(mut checkpoint) = locked.checkpoint else {
            return Ok(());
        };
        checkpoint.all_outputs_mut().for_each(|output| output.is_open = false);
        Ok(store.save(name, &checkpoint)?)
    }

    fn recover_files(&self) -> Result<(), RunError> {
        let others = self.store.outputs_of_others(&self.name)?;
        let others: Vec<OutputFileState> = others.map(|(_, output)| output.clone()).collect();
        for output in self.checkpoint.iter().flat_map(Checkpoint::all_outputs) {
            recover_shared(output, &self.name, &others)?;
        }
        Ok(())
    }

    /// The same for an export, which is the only writer of the files `events` and `pages`.
    ///
    /// # Errors
    /// As with [`LockedSource::take`], or a file is shorter than what was committed to it.
    pub fn lock_export(
        store: &StateStore,
        name: &SourceName,
        scope: &str,
        (events, pages): (&Path, &Path),
    ) -> Result<LockedSource, RunError> {
        let locked = LockedSource::locked(store, name)?.of(scope)?;
        truncate_to_checkpoint(events, locked.export_output())?;
        let progress = locked.checkpoint.as_ref().and_then(|found| found.export_progress.as_ref());
        truncate_to_checkpoint(pages, progress.and_then(|progress| progress.pages.as_ref()))?;
        Ok(locked)
    }

    fn locked(store: &StateStore, name: &SourceName) -> Result<LockedSource, RunError> {
        let lock = store.lock(name)?;
        store.remove_leftovers(name)?;
        let TakenState { checkpoint, remote } = store.take(name)?;
        Ok(LockedSource {
            store: store.clone(),
            name: name.clone(),
            lock,
            checkpoint,
            remote,
            unstarted: None,
        })
    }

    /// A wrong organization's or site's first run opens its output and reads nothing. Such a
    /// checkpoint has no progress: once the id is corrected, the source starts again with the same
    /// files.
    fn discard_if_unstarted(mut self, scope: &str) -> LockedSource {
        self.unstarted = self.checkpoint.take_if(|found| is_unstarted_other_scope(found, scope));
        self
    }

    /// The file that an export wrote its events to.
    fn export_output(&self) -> Option<&OutputFileState> {
        self.checkpoint.as_ref().and_then(|checkpoint| checkpoint.outputs.last())
    }

    fn of(self, scope: &str) -> Result<LockedSource, RunError> {
        match &self.checkpoint {
            Some(found) => check_scope(found, &self.name, scope).map(|()| self),
            None => Ok(self),
        }
    }

    /// Begins a run along `plan`. `processor` gets the dedup cache and the watermark of the last
    /// one.
    pub fn begin(
        self,
        plan: &ReadPlan,
        processor: &mut RecordProcessor,
        scope: &str,
        start: Timestamp,
    ) -> CheckpointWriter {
        let since = plan.windows.first().map_or(start, |window| window.from);
        let mut checkpoint = self.checkpoint.unwrap_or_else(|| Checkpoint {
            source: self.name.to_string(),
            scope: scope.to_owned(),
            since,
            backfilled_to: None,
            backfill: None,
            windows: Vec::new(),
            event_query: None,
            watermark: None,
            dedup_cache: crate::state::dedup_cache::DedupCache::default(),
            written_before: None,
            event_gaps: crate::state::event_gaps::EventGaps::default(),
            outputs: self.unstarted.as_ref().map_or(Vec::new(), |known| known.outputs.clone()),
            detection: self.unstarted.and_then(|known| known.detection),
            export_progress: None,
            events: 0,
            complete_until: None,
            updated: start,
        });
        if !checkpoint.is_extended() {
            // Earlier than the first pull began: nothing was found yet, and `initial_lookback` is
            // longer than before; or our clock was ahead then.
            checkpoint.since = checkpoint.since.min(since);
        }
        let before = CoveredSpan::of_checkpoint(&checkpoint);
        processor.watermark = plan.watermark;
        processor.dedup_cache = std::mem::take(&mut checkpoint.dedup_cache);
        processor.written_before = checkpoint.written_before;
        processor.event_gaps = checkpoint.event_gaps.clone();
        CheckpointWriter {
            store: self.store,
            remote: self.remote,
            name: self.name,
            checkpoint,
            is_backfill: false,
            windows: plan.windows.iter().cloned().map(Some).collect(),
            before,
            from: since,
            until: plan.windows.last().and_then(|window| window.to),
            committed: None,
            written: 0,
            completed: None,
            lock: self.lock,
        }
    }

    /// Begins a backfill along `plan`, which has come as far as `progress` says. `processor` gets
    /// its dedup cache and watermark.
    ///
    /// # Errors
    /// The source has no checkpoint.
    pub fn begin_backfill(
        mut self,
        plan: &ReadPlan,
        progress: Option<BackfillProgress>,
        processor: &mut RecordProcessor,
        start: Timestamp,
    ) -> Result<CheckpointWriter, RunError> {
        let Some(mut checkpoint) = self.checkpoint.take() else {
            return Err(RunError::NoHistory { source_name: self.name.to_string() });
        };
        let before = CoveredSpan::of_checkpoint(&checkpoint);
        processor.watermark = plan.watermark;
        checkpoint.backfill = progress;
        if let Some(progress) = &mut checkpoint.backfill {
            processor.dedup_cache = std::mem::take(&mut progress.dedup_cache);
            processor.written_before = progress.written_before;
        }
        Ok(CheckpointWriter {
            store: self.store,
            remote: self.remote,
            name: self.name,
            from: checkpoint.backfill.as_ref().map_or(start, |progress| progress.from),
            checkpoint,
            is_backfill: true,
            windows: plan.windows.iter().cloned().map(Some).collect(),
            before,
            until: plan.windows.last().and_then(|window| window.to),
            committed: None,
            written: 0,
            completed: None,
            lock: self.lock,
        })
    }
}

impl CheckpointWriter {
    /// What the state knows of the output.
    pub fn output(&self) -> LastOutput {
        let objects = self.remote.as_ref().map(|state| state.objects().clone());
        LastOutput {
            file: self.checkpoint.outputs.last().cloned(),
            objects: objects.unwrap_or_default(),
            mark: history_mark(&self.name, &self.checkpoint.scope),
        }
    }

    /// The silence of the source at `now`, if its history makes it unusual.
    pub fn silence(&self, now: Timestamp) -> Option<SourceSilence> {
        SourceSilence::from_checkpoint(&self.checkpoint, now)
    }

    /// How far events were judged, as of the last checkpoint.
    pub fn detection(&self) -> Option<&DetectionCheckpoint> {
        self.checkpoint.detection.as_ref()
    }

    /// Events that all runs have committed.
    pub fn events(&self) -> u64 {
        self.checkpoint.events
    }

    /// Sets how window `index` will stand once everything processed so far is committed.
    pub fn set_window(&mut self, index: usize, window_after: Option<OpenWindow>) {
        let read_to = window_after.as_ref().map(|window| window.from);
        if let Some(query) = self.event_query() {
            query.take_if(|query| read_to.is_none_or(|to| query.to <= to));
        }
        if let Some(window) = self.windows.get_mut(index) {
            *window = window_after;
        }
    }

    /// Sets the event query whose results a later run may read, should this one die.
    pub fn set_query(&mut self, query: OpenQuery) {
        if let Some(open) = self.event_query() {
            *open = Some(query);
        }
    }

    fn event_query(&mut self) -> Option<&mut Option<OpenQuery>> {
        let Checkpoint { event_query, backfill, .. } = &mut self.checkpoint;
        match self.is_backfill {
            false => Some(event_query),
            true => backfill.as_mut().map(|progress| &mut progress.event_query),
        }
    }

    /// Sets the time from which this run reads. A history that already holds an event began
    /// earlier.
    pub fn set_start(&mut self, from: Timestamp) {
        self.from = from;
        if self.checkpoint.watermark.is_none() && !self.is_backfill {
            self.checkpoint.since = from;
        }
    }

    /// Saves the checkpoint for output that is `durable`, with `events` more than the last time.
    ///
    /// # Errors
    /// The state file cannot be written; the last checkpoint is still in place.
    pub fn save(
        &mut self,
        processor: &mut RecordProcessor,
        events: u64,
        durable: DurableOutput,
    ) -> Result<(), StateError> {
        self.checkpoint.updated = chrono::Utc::now();
        self.checkpoint.events += events;
        if let Some(files) = durable.files {
            self.checkpoint.outputs = files;
        }
        if let Some(progress) = durable.export_progress {
            self.checkpoint.export_progress = Some(progress);
        }
        if let Some(detection) = durable.detection {
            let events = self.checkpoint.events;
            self.checkpoint.detection = Some(DetectionCheckpoint { events, ..detection });
        }
        self.set_resume_point(processor);
        // Swapped instead of cloned: the dedup cache of a busy source is large.
        self.swap_dedup_cache(processor);
        let saved = match &mut self.remote {
            None => self.store.save(&self.name, &self.checkpoint),
            Some(state) => state.save(&self.checkpoint, durable.objects, durable.is_last),
        };
        self.swap_dedup_cache(processor);
        saved?;
        self.written = self.written.saturating_add(events);
        self.committed = Some(self.progress());
        Ok(())
    }

    /// Sets where the next run goes on: that of the pulls, or that of the backfill.
    fn set_resume_point(&mut self, processor: &RecordProcessor) {
        let windows = self.windows.iter().flatten().cloned().collect();
        match (self.is_backfill, &mut self.checkpoint.backfill) {
            (false, _) => {
                self.checkpoint.windows = windows;
                self.checkpoint.watermark = processor.watermark;
                self.checkpoint.written_before = processor.written_before;
                self.checkpoint.event_gaps = processor.event_gaps.clone();
            }
            (true, Some(progress)) if self.completed.is_some() => {
                self.checkpoint.backfilled_to = Some(progress.from);
                self.checkpoint.backfill = None;
                self.checkpoint.dedup_cache.adopt(&processor.dedup_cache);
            }
            (true, Some(progress)) => {
                progress.windows = windows;
                progress.watermark = processor.watermark;
                progress.written_before = processor.written_before;
                self.checkpoint.dedup_cache.adopt(&processor.dedup_cache);
            }
            (true, None) => {}
        }
    }

    fn swap_dedup_cache(&mut self, processor: &mut RecordProcessor) {
        let Checkpoint { dedup_cache, backfill, .. } = &mut self.checkpoint;
        let cache = match (self.is_backfill, backfill) {
            (false, _) => Some(dedup_cache),
            (true, progress) => progress.as_mut().map(|progress| &mut progress.dedup_cache),
        };
        if let Some(cache) = cache {
            std::mem::swap(cache, &mut processor.dedup_cache);
        }
    }

    /// Publishes the objects of the last commit, where the output is in a store.
    ///
    /// # Errors
    /// One of them could not be published. The next run does it.
    pub fn publish(&mut self) -> Result<(), StateError> {
        self.remote.as_mut().map_or(Ok(()), |state| state.publish())
    }

    /// Whether commits renew a lease, so that they are due also when nothing was written.
    pub fn has_lease(&self) -> bool {
        self.remote.is_some()
    }

    /// Notes that everything there was until `start` has been read.
    pub fn mark_complete(&mut self, start: Timestamp) {
        if !self.is_backfill {
            self.checkpoint.complete_until = Some(start);
        }
        self.completed = Some(start);
    }

    /// Releases the source. It stays locked until the result is dropped.
    pub fn release(self) -> ReleasedSource {
        ReleasedSource { progress: self.committed, lock: self.lock }
    }

    fn progress(&self) -> RunProgress {
        let read = self.read_until(self.checkpoint.watermark).map(|to| CoveredSpan {
            scope: self.checkpoint.scope.clone(),
            from: self.from,
            to,
            events: self.written,
            read: self.checkpoint.updated,
            holes: 0,
        });
        RunProgress {
            before: self.before.clone(),
            read: read.filter(|read| read.from < read.to),
            position: CheckpointPosition {
                scope: self.checkpoint.scope.clone(),
                complete_until: self.checkpoint.complete_until,
                newest: self.checkpoint.watermark,
                events: self.checkpoint.events,
                updated: self.checkpoint.updated,
            },
        }
    }

    /// Until when this run has read everything: to its start, or up to the first window that is
    /// still open. A source that delivers oldest first is read up to its `watermark`.
    pub fn read_until(&self, watermark: Option<Timestamp>) -> Option<Timestamp> {
        let completed = match self.is_backfill {
            false => self.completed,
            true => self.completed.and(self.until),
        };
        completed.or_else(|| match self.windows.iter().flatten().next() {
            None => self.until,
            Some(open) if open.to.is_some() => Some(open.from),
            Some(open) => open.cursor.as_ref().and(watermark),
        })
    }
}
