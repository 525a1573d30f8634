//! Lets the sources of a run that write one file do so one after the other, in their order: each
//! finds the file as a finished run left it (`docs/design.md`, section 4).

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use tokio::sync::oneshot;

use crate::config::settings::{OutputPath, OutputSettings, SourceSettings};
use crate::sink::location::real_path;

/// The files of the sources that were seen, each with the end of the last source that writes it.
#[derive(Debug, Default)]
pub struct FileTurns {
    last: HashMap<PathBuf, oneshot::Receiver<()>>,
}

/// The turn of a source to write its files. It ends when this is dropped.
#[derive(Debug)]
pub struct FileTurn {
    /// Closed when the sources before this one have ended.
    earlier: Vec<oneshot::Receiver<()>>,
    /// Closed with this one.
    _ends: Vec<oneshot::Sender<()>>,
}

impl FileTurns {
    /// The turn of a source, after all that were seen before it and write a file of it. A source
    /// only waits for earlier ones, so they never wait for each other in a circle.
    pub fn next(&mut self, settings: &SourceSettings) -> FileTurn {
        let alerts = settings.alerts.as_ref().map(|alerts| &alerts.output);
        let outputs = [Some(&settings.output), alerts].into_iter().flatten();
        let files: BTreeSet<PathBuf> = outputs.filter_map(file_of).collect();
        let (mut earlier, mut ends) = (Vec::new(), Vec::new());
        for file in files {
            let (end, ended) = oneshot::channel();
            ends.push(end);
            earlier.extend(self.last.insert(file, ended));
        }
        FileTurn { earlier, _ends: ends }
    }
}

impl FileTurn {
    /// Whether another source of the run writes a file of this one before it.
    pub fn is_shared(&self) -> bool {
        !self.earlier.is_empty()
    }

    /// Waits until it is the turn of the source.
    pub async fn wait(&mut self) {
        for earlier in &mut self.earlier {
            // Nothing is ever sent: the end of a source closes it, also if its task dies.
            let _ = earlier.await;
        }
    }
}

/// The name of the file of `output`, with its placeholders of times.
fn file_of(output: &OutputSettings) -> Option<PathBuf> {
    match &output.path {
        OutputPath::File(path) => Some(real_path(Path::new(&output.with_suffix(path.clone())))),
        OutputPath::Stdout | OutputPath::Object(_) => None,
    }
}
