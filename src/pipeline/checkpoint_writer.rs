//! Keeps what a run remembers for the next one: where it stands, and how long its output file is.

use std::path::Path;

use crate::fetch::plan::ReadPlan;
use crate::model::name::SourceName;
use crate::model::output_file_state::OutputFileState;
use crate::model::time::Timestamp;
use crate::pipeline::error::RunError;
use crate::pipeline::record_processor::RecordProcessor;
use crate::pipeline::silence::SourceSilence;
use crate::sink::recovery::{recover_shared, truncate_to_checkpoint};
use crate::state::StateError;
use crate::state::checkpoint::{Checkpoint, ExportProgress, OpenWindow};
use crate::state::run_history::coverage::CoveredSpan;
use crate::state::run_history::{CheckpointPosition, RunProgress};
use crate::state::store::{SourceLock, StateStore};

/// A source's state file while a run holds it.
#[derive(Debug)]
pub struct CheckpointWriter {
    store: StateStore,
    name: SourceName,
    checkpoint: Checkpoint,
    /// Windows of the plan, where each stands; done ones are gone.
    windows: Vec<Option<OpenWindow>>,
    /// What earlier runs had read, as far as the checkpoint knows.
    before: Option<CoveredSpan>,
    /// The start of what this run reads, and its end where it has one.
    from: Timestamp,
    until: Option<Timestamp>,
    /// How far it is known to have come: as of the last checkpoint that was written.
    committed: Option<RunProgress>,
    /// Events that it has written so far.
    written: u64,
    /// The start of the run, once everything there was then has been read.
    completed: Option<Timestamp>,
    lock: SourceLock,
}

/// A source that a run lets go of: nobody else holds it while its ledger is written.
#[derive(Debug)]
pub struct ReleasedSource {
    /// How far the run came; nothing where it wrote no checkpoint.
    pub progress: Option<RunProgress>,
    /// What holds the source.
    pub lock: SourceLock,
}

/// What the state says at the start of a run.
#[derive(Debug)]
pub struct LockedSource {
    store: StateStore,
    name: SourceName,
    lock: SourceLock,
    /// The checkpoint of the last run, if there was one.
    pub checkpoint: Option<Checkpoint>,
    /// One of another scope, by which nothing was ever read: only its account of the output is of use.
    unstarted: Option<Checkpoint>,
}

/// The part of [`LockedSource::take`] that changes nothing: what a pull of `scope` would continue from.
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
    /// Locks `name` in `store` and reads its checkpoint, which must be of `scope`. Where the last run
    /// died, the output files are cut back to what it had committed.
    ///
    /// # Errors
    /// The state is locked, damaged, newer, or of another scope; an output file cannot be mended.
    pub fn take(
        store: &StateStore,
        name: &SourceName,
        scope: &str,
    ) -> Result<LockedSource, RunError> {
        let held = LockedSource::locked(store, name)?;
        let others = store.outputs_of_others(name)?;
        let others: Vec<OutputFileState> = others.map(|(_, output)| output.clone()).collect();
        for output in held.outputs() {
            recover_shared(output, name, &others)?;
        }
        held.discard_if_unstarted(scope).of(scope)
    }

    /// The same for an export, whose files `events` and `pages` nobody else writes.
    ///
    /// # Errors
    /// As with [`LockedSource::take`], and what was committed to a file is gone.
    pub fn lock_export(
        store: &StateStore,
        name: &SourceName,
        scope: &str,
        (events, pages): (&Path, &Path),
    ) -> Result<LockedSource, RunError> {
        let held = LockedSource::locked(store, name)?.of(scope)?;
        truncate_to_checkpoint(events, held.outputs().next_back())?;
        let kept = held.checkpoint.as_ref().and_then(|found| found.kept.as_ref());
        truncate_to_checkpoint(pages, kept.and_then(|kept| kept.pages.as_ref()))?;
        Ok(held)
    }

    fn locked(store: &StateStore, name: &SourceName) -> Result<LockedSource, RunError> {
        let lock = store.lock(name)?;
        store.remove_leftovers(name)?;
        Ok(LockedSource {
            store: store.clone(),
            name: name.clone(),
            lock,
            checkpoint: store.load(name)?,
            unstarted: None,
        })
    }

    /// A wrong organization's or site's first run opens its output and reads nothing. Such a checkpoint has no
    /// progress: once the id is corrected, the source starts again with the same files.
    fn discard_if_unstarted(mut self, scope: &str) -> LockedSource {
        self.unstarted = self.checkpoint.take_if(|found| is_unstarted_other_scope(found, scope));
        self
    }

    fn outputs(&self) -> impl DoubleEndedIterator<Item = &OutputFileState> {
        let checkpoint = self.checkpoint.iter();
        checkpoint.flat_map(|checkpoint| &checkpoint.outputs)
    }

    fn of(self, scope: &str) -> Result<LockedSource, RunError> {
        match &self.checkpoint {
            Some(found) => check_scope(found, &self.name, scope).map(|()| self),
            None => Ok(self),
        }
    }

    /// Begins a run along `plan` that goes on from here: `step` gets the memory of the last one.
    pub fn begin(
        self,
        plan: &ReadPlan,
        step: &mut RecordProcessor,
        scope: &str,
        start: Timestamp,
    ) -> CheckpointWriter {
        let since = plan.windows.first().map_or(start, |window| window.from);
        let mut checkpoint = self.checkpoint.unwrap_or_else(|| Checkpoint {
            source: self.name.to_string(),
            scope: scope.to_owned(),
            since,
            windows: Vec::new(),
            watermark: None,
            seen: crate::state::dedup_cache::DedupCache::default(),
            written_before: None,
            rhythm: crate::state::event_gaps::EventGaps::default(),
            outputs: self.unstarted.map_or(Vec::new(), |unstarted| unstarted.outputs),
            kept: None,
            events: 0,
            complete_until: None,
            updated: start,
        });
        let before = CoveredSpan::of_checkpoint(&checkpoint);
        step.watermark = plan.watermark;
        step.seen = std::mem::take(&mut checkpoint.seen);
        step.written_before = checkpoint.written_before;
        step.rhythm = checkpoint.rhythm.clone();
        CheckpointWriter {
            store: self.store,
            name: self.name,
            checkpoint,
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
}

impl CheckpointWriter {
    /// The output file written last, as far as the state knows.
    pub fn output(&self) -> Option<&OutputFileState> {
        self.checkpoint.outputs.last()
    }

    /// The silence of the source at `now`, as far as its history makes it one.
    pub fn silence(&self, now: Timestamp) -> Option<SourceSilence> {
        SourceSilence::from_checkpoint(&self.checkpoint, now)
    }

    /// Events that all runs have committed.
    pub fn events(&self) -> u64 {
        self.checkpoint.events
    }

    /// Notes what an export keeps beside the events, as far as it is durable; the next record says so.
    pub fn set_export_progress(&mut self, kept: ExportProgress) {
        self.checkpoint.kept = Some(kept);
    }

    /// Notes how window `index` will stand when everything taken so far is committed.
    pub fn set_window(&mut self, index: usize, then: Option<OpenWindow>) {
        if let Some(window) = self.windows.get_mut(index) {
            *window = then;
        }
    }

    /// Notes that this run reads from `from` on, and nothing before. A history that already holds an
    /// event began earlier.
    pub fn set_start(&mut self, from: Timestamp) {
        self.from = from;
        if self.checkpoint.watermark.is_none() {
            self.checkpoint.since = from;
        }
    }

    /// Records what is true of the output now: `events` more since the last time, and how much of
    /// each file is good. To be called only when no line is on its way.
    ///
    /// # Errors
    /// The state file cannot be written; the last checkpoint is in place.
    pub fn record(
        &mut self,
        step: &mut RecordProcessor,
        events: u64,
        outputs: Vec<OutputFileState>,
    ) -> Result<(), StateError> {
        self.checkpoint.outputs = outputs;
        self.checkpoint.updated = chrono::Utc::now();
        self.checkpoint.events += events;
        self.checkpoint.windows = self.windows.iter().flatten().cloned().collect();
        self.checkpoint.watermark = step.watermark;
        self.checkpoint.written_before = step.written_before;
        self.checkpoint.rhythm = step.rhythm.clone();
        // Lent for the writing only: a busy source remembers many records.
        std::mem::swap(&mut self.checkpoint.seen, &mut step.seen);
        let saved = self.store.save(&self.name, &self.checkpoint);
        std::mem::swap(&mut self.checkpoint.seen, &mut step.seen);
        saved?;
        self.written = self.written.saturating_add(events);
        self.committed = Some(self.progress());
        Ok(())
    }

    /// Notes that everything there was until `start` has been read.
    pub fn complete(&mut self, start: Timestamp) {
        self.checkpoint.complete_until = Some(start);
        self.completed = Some(start);
    }

    /// Lets go of the source.
    pub fn leave(self) -> ReleasedSource {
        ReleasedSource { progress: self.committed, lock: self.lock }
    }

    fn progress(&self) -> RunProgress {
        let read = self.reached().map(|to| CoveredSpan {
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

    /// Until where this run has read: all there was, or up to what is still open. A stream is read in
    /// order, so that it is read up to the newest place.
    fn reached(&self) -> Option<Timestamp> {
        self.completed.or_else(|| match self.windows.iter().flatten().next() {
            None => self.until,
            Some(open) if open.to.is_some() => Some(open.from),
            Some(open) => open.cursor.as_ref().and(self.checkpoint.watermark),
        })
    }
}
