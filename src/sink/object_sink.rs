//! Collects the events of pulls for object storage.
//!
//! Nothing is written here: a commit leaves lines and objects for the state, whose replacement in
//! the store is what counts. Lines wait there until `rotate` says that objects are made of them.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use crate::config::settings::{
    Compression, Encoding, OutputSettings, PENDING_FOLDER, Rotation, fixed_folder,
};
use crate::crash;
use crate::model::output_file_state::OutputFileState;
use crate::model::time::Timestamp;
use crate::objects::{ObjectBatch, ObjectForm, PendingObject, WaitingLines};
use crate::sink::line_sink::{LineSink, SinkError, WrittenFiles};
use crate::sink::location::is_rotation_due;
use crate::sink::object_encoding::objects_of;
use crate::sink::pack::LineEncoder;

/// Bytes of lines that make a commit due. They are held packed.
const COMMIT_BYTES: usize = 32 * 1024 * 1024;

/// The longest that a line stays uncommitted: each commit sends all that waits once more. The
/// lease of the source, which commits renew, is longer.
const COMMIT_INTERVAL: Duration = Duration::from_secs(40);

/// Bytes of lines of which objects are made whatever `rotate` says: the state carries them, and
/// memory holds the objects; those of plain lines are ten times as large as others.
const MAX_WAITING_BYTES: usize = 128 * 1024 * 1024;
const MAX_PLAIN_BYTES: usize = 32 * 1024 * 1024;

/// The objects of a source's pulls.
pub struct ObjectSink {
    form: ObjectForm,
    rotation: Rotation,
    /// Stands in the names of the objects of this history.
    mark: String,
    batch: ObjectBatch,
    /// Packs the lines that are not committed yet.
    packer: LineEncoder,
    fresh: Vec<u8>,
    fresh_bytes: u64,
    written: WrittenFiles,
}

impl ObjectSink {
    /// Objects of this form. The last commit left `batch`.
    pub fn new(
        form: ObjectForm,
        settings: &OutputSettings,
        mark: &str,
        batch: ObjectBatch,
    ) -> ObjectSink {
        ObjectSink {
            form,
            rotation: settings.rotation,
            mark: mark.to_owned(),
            batch,
            packer: LineEncoder::in_memory(Compression::Zstd),
            fresh: Vec::new(),
            fresh_bytes: 0,
            written: WrittenFiles::default(),
        }
    }

    fn commit_at(&mut self, now: Timestamp, is_last: bool) -> Result<(), SinkError> {
        // Those of the last commit are published.
        self.batch.pending.clear();
        if let Some(earlier) = self.batch.waiting.take_if(|lines| lines.form != self.form) {
            self.make_objects(&earlier, now)?;
        }
        if self.fresh_bytes > 0 {
            match self.packer.finish_frame() {
                Ok(end) => self.fresh.extend_from_slice(end),
                Err(error) => return Err(self.failed(error)),
            }
            let none = || WaitingLines {
                form: self.form.clone(),
                begun: now,
                line_bytes: 0,
                frames: Vec::new(),
            };
            let waiting = self.batch.waiting.get_or_insert_with(none);
            waiting.frames.push(Bytes::from(std::mem::take(&mut self.fresh)));
            waiting.line_bytes += std::mem::take(&mut self.fresh_bytes);
        }
        let rotation = self.rotation;
        if let Some(due) = self.batch.waiting.take_if(|lines| is_due(lines, rotation, now, is_last))
        {
            self.make_objects(&due, now)?;
        }
        Ok(())
    }

    fn make_objects(&mut self, lines: &WaitingLines, now: Timestamp) -> Result<(), SinkError> {
        self.mark_folder(&lines.form);
        self.batch.publications = self.batch.publications.saturating_add(1);
        let objects = objects_of(lines, self.batch.publications, &self.mark, now);
        let objects = objects.map_err(|error| self.failed(error))?;
        objects.iter().for_each(|object| self.written.add(Path::new(&object.url)));
        self.batch.pending.extend(objects);
        Ok(())
    }

    /// Leaves an object in the folder that says whose it is. It is created before the others: a
    /// state that was lost, or is another one, meets it there, whatever its own objects are called.
    fn mark_folder(&mut self, form: &ObjectForm) {
        let folder = fixed_folder(&form.template);
        if self.batch.marked_folder.as_deref() == Some(folder) {
            return;
        }
        if self.batch.history.is_empty() {
            self.batch.history = format!("{:032x}", fastrand::u128(..));
        }
        let stem = form.template.rsplit('/').next().unwrap_or_default();
        let stem = stem.split(['{', '%']).next().unwrap_or_default();
        let url = format!("{folder}{PENDING_FOLDER}/{stem}-{}.history", self.mark);
        let content = format!("written by the history {}\n", self.batch.history);
        self.batch.pending.push(PendingObject { url, content: content.into() });
        self.batch.marked_folder = Some(folder.to_owned());
    }

    fn failed(&self, source: std::io::Error) -> SinkError {
        SinkError::Object { template: self.form.template.clone(), source }
    }
}

/// Whether objects are made of `lines` now.
fn is_due(lines: &WaitingLines, rotation: Rotation, now: Timestamp, is_last: bool) -> bool {
    let most = match (lines.form.encoding, lines.form.compression) {
        (Encoding::JsonLines, Compression::None) => MAX_PLAIN_BYTES,
        _ => MAX_WAITING_BYTES,
    };
    let most = crash::limit("WAITING_BYTES", most) as u64;
    lines.line_bytes >= most
        || (is_last && rotation == Rotation::Never)
        || is_rotation_due(rotation, lines.begun, lines.packed_bytes(), now)
}

impl LineSink for ObjectSink {
    fn append(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        match self.packer.encode(lines) {
            Ok(packed) => {
                self.fresh.extend_from_slice(packed);
                self.fresh_bytes += lines.len() as u64;
                Ok(())
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    fn commit(&mut self) -> Result<Vec<OutputFileState>, SinkError> {
        self.commit_at(chrono::Utc::now(), false).map(|()| Vec::new())
    }

    fn finish(&mut self) -> Result<Vec<OutputFileState>, SinkError> {
        self.commit_at(chrono::Utc::now(), true).map(|()| Vec::new())
    }

    fn objects(&self) -> Option<&ObjectBatch> {
        Some(&self.batch)
    }

    fn written_files(&self) -> WrittenFiles {
        self.written.clone()
    }

    fn commit_threshold(&self) -> usize {
        COMMIT_BYTES
    }

    fn commit_interval(&self) -> Duration {
        COMMIT_INTERVAL
    }
}
