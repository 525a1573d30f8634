//! What an export run adds to a normal run: a fixed window, an attempt log, and a checkpoint that
//! covers both files.

use std::sync::Arc;

use crate::config::settings::{OutputSettings, SourceSettings};
use crate::fetch::attempt_record::AttemptRecorder;
use crate::fetch::plan::ReadPlan;
use crate::model::time::{Timestamp, Window};
use crate::normalise::RecordOrigin;
use crate::pipeline::attempt_file::AttemptFile;
use crate::pipeline::checkpoint_writer::{CheckpointWriter, LockedSource};
use crate::pipeline::error::RunError;
use crate::pipeline::export_plan;
use crate::pipeline::record_processor::RecordProcessor;
use crate::pipeline::run::{current_output_file, lookback_settings, scope};
use crate::pipeline::writer::EventWriter;
use crate::sink;
use crate::state::checkpoint::ExportProgress;
use crate::state::store::StateStore;

/// What an export is beside its source and its output.
#[derive(Debug, Clone)]
pub struct ExportRun {
    /// What is kept of the source.
    pub window: Window,
    /// Takes down what is asked and answered.
    pub transcript: AttemptRecorder,
    /// Where that goes.
    pub pages: OutputSettings,
}

/// A source of an export, and where its checkpoint lives.
#[derive(Debug, Clone, Copy)]
pub struct SourceContext<'a> {
    /// What the user wants of the source; its output is the export's.
    pub settings: &'a SourceSettings,
    /// What its events say of where they come from.
    pub origin: &'a RecordOrigin,
    /// Where its checkpoint lives.
    pub store: &'a StateStore,
    /// The start of the run.
    pub start: Timestamp,
}

impl ExportRun {
    /// Takes hold of the state and plans; the files are cut back to what that says. `step` gets the memory of the
    /// last run.
    ///
    /// # Errors
    /// The state is held, damaged or of another scope; a file lacks what was committed to it.
    pub fn begin(
        &self,
        whose: SourceContext<'_>,
        step: &mut RecordProcessor,
    ) -> Result<(ReadPlan, CheckpointWriter, AttemptFile), RunError> {
        let SourceContext { settings, origin, store, start } = whose;
        let scope = scope(origin);
        let events = current_output_file(&settings.output)?.unwrap_or_default();
        let pages = current_output_file(&self.pages)?.unwrap_or_default();
        let held = LockedSource::lock_export(store, &settings.name, &scope, (&events, &pages))?;
        let found = held.checkpoint.as_ref();
        let order = origin.kind.descriptor().order;
        let plan =
            export_plan::plan(order, &lookback_settings(settings), self.window, found, start);
        let kept = found.and_then(|found| found.kept.clone());
        let pages = self.pages(kept, &plan, start);
        let checkpoint = held.begin(&plan, step, &scope, start);
        Ok((plan, checkpoint, pages))
    }

    /// The pages that go on from `kept`, or begin.
    fn pages(
        &self,
        kept: Option<ExportProgress>,
        plan: &ReadPlan,
        start: Timestamp,
    ) -> AttemptFile {
        let end = || plan.windows.last().and_then(|window| window.to);
        let kept = kept.unwrap_or_else(|| ExportProgress {
            pages: None,
            lines: 0,
            repeats: 0,
            outside: 0,
            until: end().or(self.window.to).unwrap_or(start),
        });
        AttemptFile::new(self.transcript.clone(), &self.pages, kept)
    }

    /// Keeps what was asked and answered by a run that never came to read. Blocks.
    ///
    /// # Errors
    /// As with [`ExportRun::begin`], and it cannot be written.
    pub fn persist_failed_start(&self, whose: SourceContext<'_>) -> Result<(), RunError> {
        if self.transcript.is_empty() {
            return Ok(());
        }
        let output = &whose.settings.output;
        let overlap = whose.settings.overlap;
        let mut step =
            RecordProcessor::new(whose.origin.clone(), output.format, overlap, whose.start);
        let (_, checkpoint, pages) = self.begin(whose, &mut step)?;
        let sink = sink::from_settings(output, checkpoint.output().cloned());
        let writer = EventWriter::new(sink, step, Some(checkpoint), Arc::default());
        let mut writer = writer.with_attempt_file(Some(pages));
        writer.open()?;
        writer.finish()
    }
}
