//! Owns bringing a file that nobody else writes back to exactly what was committed to it.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use crate::crash::{self, CrashPoint};
use crate::files::{folder_of, sync_folder};
use crate::model::output_file_state::OutputFileState;
use crate::sink::identity::tail;
use crate::sink::{SinkError, failed, truncate};

/// Cuts off what lies behind the committed end that `known` tells: the unfinished work of a run that died, which is
/// done again. A file that nothing was committed to goes altogether.
///
/// # Errors
/// What was committed is no longer there, or the system refuses.
pub fn cut_back(path: &Path, known: Option<&OutputFileState>) -> Result<(), SinkError> {
    let failed = |error| failed("cut back", path, error);
    let lost = || SinkError::CommittedDataMissing {
        path: path.to_owned(),
    };
    let committed = known.map_or(0, |known| known.committed);
    if committed == 0 {
        return removed(path).map_err(failed);
    }
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(lost()),
        file => file.map_err(failed)?,
    };
    let length = file.metadata().map_err(failed)?.len();
    let was = known.and_then(|known| known.tail.as_ref());
    if length < committed || was != tail(&file, committed).map_err(failed)?.as_ref() {
        return Err(lost());
    }
    if length > committed {
        tracing::info!(path = %path.display(), bytes = length - committed, "truncated what an interrupted run had not finished; it is read again");
        truncate(&file, path, committed)?;
        crash::point(CrashPoint::CutBack);
        file.sync_all().map_err(failed)?;
    }
    Ok(())
}

fn removed(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => {
            crash::point(CrashPoint::CutBack);
            sync_folder(folder_of(path))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn known(path: &Path, committed: u64) -> OutputFileState {
        let file = File::open(path).unwrap();
        OutputFileState {
            path: path.to_owned(),
            identity: None,
            tail: tail(&file, committed).unwrap(),
            begun: None,
            committed,
            is_open: true,
        }
    }

    #[test]
    fn what_was_committed_stays_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::write(&path, "committed and not").unwrap();
        let known = known(&path, 9);
        cut_back(&path, Some(&known)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"committed");
        cut_back(&path, Some(&known)).unwrap();
        for other in ["commit", "Xommitted", ""] {
            fs::write(&path, other).unwrap();
            let refused = cut_back(&path, Some(&known));
            assert!(
                matches!(refused, Err(SinkError::CommittedDataMissing { .. })),
                "{other}"
            );
            assert_eq!(fs::read(&path).unwrap(), other.as_bytes());
        }
        cut_back(&path, None).unwrap();
        assert!(!path.exists());
        cut_back(&path, None).unwrap();
        let gone = cut_back(&path, Some(&known));
        assert!(matches!(gone, Err(SinkError::CommittedDataMissing { .. })));
    }
}
