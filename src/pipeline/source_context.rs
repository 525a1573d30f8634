//! The source that a run is of: its settings, what its events say of it, and where its state is.

use crate::config::settings::SourceSettings;
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
    LookbackSettings {
        initial_lookback: settings.initial_lookback,
        initial_from: settings.initial_from,
        overlap: settings.overlap,
        late_margin: settings.late_margin,
        retention: settings.target.kind().descriptor().retention,
    }
}
