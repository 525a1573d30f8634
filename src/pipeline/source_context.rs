//! The source that a run is of: its settings, what its events say of it, and where its state is.

use std::sync::Arc;
use std::time::Duration;

use crate::config::settings::SourceSettings;
use crate::detect::DetectionSetup;
use crate::fetch::plan::LookbackSettings;
use crate::model::time::Timestamp;
use crate::normalise::RecordOrigin;
use crate::pipeline::record_processor::RecordProcessor;
use crate::state::store::StateStore;

/// A source, as every run of it needs it.
#[derive(Debug, Clone)]
pub struct SourceContext {
    /// Its settings; in an export, with the output of the export.
    pub settings: SourceSettings,
    /// What its events say of where they come from.
    pub origin: RecordOrigin,
    /// The state folder.
    pub store: StateStore,
    /// The start of the run.
    pub start: Timestamp,
    /// What events are judged with, where they are.
    pub detection: Option<Arc<DetectionSetup>>,
}

impl SourceContext {
    /// A processor of its records, with an empty memory.
    pub fn processor(&self) -> RecordProcessor {
        let SourceSettings { output, overlap, .. } = &self.settings;
        RecordProcessor::new(self.origin.clone(), output.format, *overlap, self.start)
    }

    /// How far its reading goes back and ahead.
    pub fn lookback(&self) -> LookbackSettings {
        lookback_settings(&self.settings)
    }
}

/// How far the reading of a source goes back and ahead.
pub fn lookback_settings(settings: &SourceSettings) -> LookbackSettings {
    let descriptor = settings.target.kind().descriptor();
    // Where events are processed when they happen, none is late.
    let may_be_late = descriptor.processed_time_path.is_some();
    LookbackSettings {
        initial_lookback: settings.initial_lookback,
        initial_from: settings.initial_from,
        overlap: settings.overlap,
        late_margin: if may_be_late { settings.late_margin } else { Duration::ZERO },
        retention: descriptor.retention,
    }
}
