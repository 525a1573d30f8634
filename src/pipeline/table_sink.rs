//! Shows events as a table on standard output, instead of their lines or beside the file that these
//! go to.

use std::time::Duration;

use bytestring::ByteString;

use crate::config::settings::{Compression, OutputPath, OutputSettings, TableStyle};
use crate::model::json::Document;
use crate::model::output_file_state::OutputFileState;
use crate::objects::ObjectBatch;
use crate::render::EventTable;
use crate::sink::stdout::StdoutSink;
use crate::sink::{self, LastOutput, LineSink, SinkError, WrittenFiles};

/// The sink that `settings` ask for.
///
/// # Errors
/// This build cannot write such an output.
pub fn events_sink(
    settings: &OutputSettings,
    last: LastOutput,
) -> Result<Box<dyn LineSink>, SinkError> {
    let Some(style) = settings.table else {
        return sink::from_settings(settings, last);
    };
    let file = match settings.path {
        OutputPath::Stdout => None,
        OutputPath::File(_) | OutputPath::Object(_) => Some(sink::from_settings(settings, last)?),
    };
    Ok(Box::new(TableSink::new(style, file)))
}

/// The sink of a run that no checkpoint continues.
///
/// # Errors
/// Its name is taken.
pub fn one_run_sink(settings: &OutputSettings) -> Result<Box<dyn LineSink>, SinkError> {
    let Some(style) = settings.table else {
        return sink::of_one_run(settings);
    };
    let file = match settings.path {
        OutputPath::Stdout => None,
        OutputPath::File(_) | OutputPath::Object(_) => Some(sink::of_one_run(settings)?),
    };
    Ok(Box::new(TableSink::new(style, file)))
}

/// Takes lines of normalized events.
struct TableSink {
    /// Where the lines go as well.
    file: Option<Box<dyn LineSink>>,
    table: EventTable,
    /// Rows of events that are not committed yet: what is shown is what is kept.
    rows: String,
    out: StdoutSink,
}

impl TableSink {
    fn new(style: TableStyle, file: Option<Box<dyn LineSink>>) -> TableSink {
        let out = StdoutSink::new(Compression::None);
        TableSink { file, table: EventTable::live(style), rows: String::new(), out }
    }

    fn commit_with(
        &mut self,
        commit: fn(&mut dyn LineSink) -> Result<Vec<OutputFileState>, SinkError>,
    ) -> Result<Vec<OutputFileState>, SinkError> {
        let files = match &mut self.file {
            Some(file) => commit(&mut **file)?,
            None => Vec::new(),
        };
        if !self.rows.is_empty() {
            self.out.append(self.rows.as_bytes())?;
            self.rows.clear();
        }
        Ok(files)
    }
}

impl LineSink for TableSink {
    fn prepare(&mut self) -> Result<Option<OutputFileState>, SinkError> {
        self.out.prepare()?;
        self.file.as_mut().map_or(Ok(None), |file| file.prepare())
    }

    fn append(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        if let Some(file) = &mut self.file {
            file.append(lines)?;
        }
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let text = String::from_utf8_lossy(line).into_owned();
            // Our own lines are JSON.
            if let Ok(event) = Document::parse(ByteString::from(text)) {
                self.table.push(&event, &mut self.rows);
            }
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<Vec<OutputFileState>, SinkError> {
        self.commit_with(|file| file.commit())
    }

    fn finish(&mut self) -> Result<Vec<OutputFileState>, SinkError> {
        self.commit_with(|file| file.finish())
    }

    fn publish(&mut self) -> Result<(), SinkError> {
        self.file.as_mut().map_or(Ok(()), |file| file.publish())
    }

    fn objects(&self) -> Option<&ObjectBatch> {
        self.file.as_ref().and_then(|file| file.objects())
    }

    fn written_files(&self) -> WrittenFiles {
        self.file.as_ref().map(|file| file.written_files()).unwrap_or_default()
    }

    fn commit_threshold(&self) -> usize {
        self.file.as_ref().map_or(64 * 1024, |file| file.commit_threshold())
    }

    fn commit_interval(&self) -> Duration {
        self.file.as_ref().map_or(self.out.commit_interval(), |file| file.commit_interval())
    }

    fn is_full(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.is_full())
    }
}
