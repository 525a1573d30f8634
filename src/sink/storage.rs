//! Decides whether what is written to an output is stored, or read by somebody who may print it on our own terminal.

use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use crate::config::settings::{OutputPath, OutputSettings};
use crate::sink::path::path_at;
use crate::sink::stdout;

/// Whether events that go to `output` end in a file, or in /dev/null. A terminal shows them, and the program behind a
/// pipe, a socket or a device may do so too.
pub fn is_stored(output: &OutputSettings) -> bool {
    match &output.path {
        OutputPath::Stdout => stdout::is_stored(),
        OutputPath::File(template) => {
            let path = path_at(template, output.compression, chrono::Utc::now());
            // A file that is not there yet will be a regular one.
            path.is_ok_and(|path| fs::metadata(path).map_or(true, |facts| is_storage(&facts)))
        }
    }
}

/// Whether `facts` are those of a regular file or of /dev/null.
pub(super) fn is_storage(facts: &Metadata) -> bool {
    let is_null_device = || {
        let null = fs::metadata("/dev/null");
        facts.file_type().is_char_device() && null.is_ok_and(|null| null.rdev() == facts.rdev())
    };
    facts.is_file() || is_null_device()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::{Compression, OutputFormat, Rotation};

    fn is_stored_at(path: &str) -> bool {
        is_stored(&OutputSettings {
            path: OutputPath::File(path.to_owned()),
            format: OutputFormat::Normalized,
            compression: Compression::None,
            rotation: Rotation::Never,
            mode: 0o600,
        })
    }

    #[test]
    fn files_and_the_null_device_store_what_they_get() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::write(at("there"), "").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for path in [
            at("there"),
            at("new"),
            at("new/{source}-%Y"),
            "/dev/null".to_owned(),
        ] {
            assert!(is_stored_at(&path), "{path}");
        }
        for path in [at("socket"), "/dev/zero".to_owned()] {
            assert!(!is_stored_at(&path), "{path}");
        }
    }
}
