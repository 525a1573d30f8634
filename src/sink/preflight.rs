//! Checks whether an output can be written, without writing to it and without leaving anything
//! behind.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat, statvfs};

use crate::config::settings::{Encoding, OutputPath, OutputSettings, Rotation, fixed_folder};
use crate::files::{folder_of, if_exists};
use crate::model::time::Timestamp;
use crate::sink::line_sink::{LineSink as _, SinkError, UnexpectedFile, failed};
use crate::sink::location::{path_at, real_path};
use crate::sink::pack::detect_file_compression;
use crate::sink::stdout::StdoutSink;
use crate::sink::waiting_lines::is_waiting;

/// Bytes that must find room beside the file: less than a commit of a busy source takes.
const TEST_WRITE_BYTES: usize = 64 * 1024;

/// An output that can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WritableOutput {
    /// Where lines go.
    pub location: String,
    /// What there is to know of it, in a few words.
    pub note: Option<&'static str>,
    /// Bytes that this user may still write there; nothing for a pipe or a device.
    pub free: Option<u64>,
}

/// Tries the output that `settings` name at `now`.
///
/// # Errors
/// It could not be written.
pub fn check_writable(
    settings: &OutputSettings,
    now: Timestamp,
) -> Result<WritableOutput, SinkError> {
    let template = match &settings.path {
        OutputPath::Stdout => {
            StdoutSink::new(settings.compression).prepare()?;
            return Ok(WritableOutput {
                location: "standard output".to_owned(),
                note: None,
                free: None,
            });
        }
        OutputPath::Object(url) => {
            return Ok(WritableOutput { location: url.clone(), note: None, free: None });
        }
        OutputPath::File(template) => template,
    };
    if settings.encoding == Encoding::Parquet {
        // Lines wait in a file; the folders of the others are created beside that one's.
        check_folder_writable(Path::new(fixed_folder(template)))?;
        let location = settings.with_suffix(template.clone());
        let lines = settings.line_output();
        if !is_waiting(&path_at(lines.file_template(), lines.compression, now)?) {
            return Err(UnexpectedFile::LinkedFolder.at(Path::new(lines.file_template())));
        }
        let output = check_writable(&lines, now)?;
        return Ok(WritableOutput { location, note: None, ..output });
    }
    let path = path_at(template, settings.compression, now)?;
    let facts = if_exists(fs::metadata(&path)).map_err(|error| failed("find", &path, error))?;
    let (note, folder) = match &facts {
        None => (Some("not there yet"), check_missing_file(&path)?),
        Some(facts) if facts.is_file() => {
            check_existing_file(&path, settings, facts)?;
            (None, folder_of(&path).to_owned())
        }
        Some(facts) => return check_special_file(path, facts),
    };
    Ok(WritableOutput { free: free_bytes(&folder), location: path.display().to_string(), note })
}

/// Tries whether files can be created in `folder`, or it in what it lies in. Returns the bytes that
/// are free there.
///
/// # Errors
/// They could not.
pub fn check_folder_writable(folder: &Path) -> Result<Option<u64>, SinkError> {
    let found = check_missing_file(&folder.join("x"))?;
    Ok(free_bytes(&found))
}

/// A file that is there: opened for appending, which changes nothing.
fn check_existing_file(
    path: &Path,
    settings: &OutputSettings,
    facts: &Metadata,
) -> Result<(), SinkError> {
    OpenOptions::new().append(true).open(path).map_err(|error| failed("open", path, error))?;
    if facts.len() > 0 {
        match detect_file_compression(path) {
            Ok(found) if found != settings.compression => {
                return Err(UnexpectedFile::CompressionMismatch.at(path));
            }
            Ok(_) => {}
            // This cannot be known where only appending is allowed.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
            Err(error) => return Err(failed("read", path, error)),
        }
    }
    // To append needs nothing of the folder; to finish a file by another name does.
    let needs_folder = settings.rotation != Rotation::Never;
    match create_unnamed(folder_of(path)) {
        Err(error) if needs_folder || !is_denied(&error) => {
            Err(failed("write beside", path, error))
        }
        _ => Ok(()),
    }
}

fn is_denied(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

/// A file that is not there: the folder that it, or its folders, will be created in.
fn check_missing_file(path: &Path) -> Result<PathBuf, SinkError> {
    let fails = |error| failed("create", path, error);
    // Creating the file follows a link that leads nowhere.
    let target = real_path(path);
    for folder in target.ancestors().skip(1) {
        let Some(facts) = if_exists(fs::metadata(folder)).map_err(fails)? else {
            continue;
        };
        if !facts.is_dir() {
            return Err(fails(ErrorKind::NotADirectory.into()));
        }
        create_unnamed(folder).map_err(fails)?;
        let longest = statvfs(folder).map_or(u64::MAX, |facts| facts.f_namemax);
        let names = target.strip_prefix(folder).unwrap_or(&target);
        return match names.iter().any(|name| name.len() as u64 > longest) {
            true => Err(fails(ErrorKind::InvalidFilename.into())),
            false => Ok(folder.to_owned()),
        };
    }
    Err(fails(ErrorKind::NotFound.into()))
}

/// Writes a file without a name into `folder`; it is gone with its last handle.
fn create_unnamed(folder: &Path) -> io::Result<()> {
    let mut file: File = tempfile::tempfile_in(folder)?;
    file.write_all(&[0; TEST_WRITE_BYTES])?;
    file.sync_data()
}

/// A pipe or a device. To open a pipe would wait for its reader, or steal it from a run.
fn check_special_file(path: PathBuf, facts: &Metadata) -> Result<WritableOutput, SinkError> {
    let kind = facts.file_type();
    if facts.is_dir() {
        return Err(failed("open", &path, ErrorKind::IsADirectory.into()));
    }
    if kind.is_socket() {
        let error = io::Error::other("it is a socket");
        return Err(failed("open", &path, error));
    }
    accessat(CWD, &path, Access::WRITE_OK, AtFlags::EACCESS)
        .map_err(|error| failed("open", &path, error.into()))?;
    Ok(WritableOutput {
        location: path.display().to_string(),
        note: Some(match kind.is_fifo() {
            true => "a named pipe: a pull waits until somebody reads it",
            false => "a device",
        }),
        free: None,
    })
}

fn free_bytes(folder: &Path) -> Option<u64> {
    let facts = statvfs(folder).ok()?;
    facts.f_bavail.checked_mul(facts.f_frsize)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::os::unix::process::CommandExt as _;

    use super::*;
    use crate::config::settings::{Compression, KeepFiles, OutputFormat};

    fn check(
        path: &Path,
        change: impl FnOnce(&mut OutputSettings),
    ) -> Result<WritableOutput, String> {
        let mut settings = OutputSettings {
            preset: None,
            path: OutputPath::File(path.to_str().unwrap().to_owned()),
            format: OutputFormat::Normalized,
            encoding: Encoding::JsonLines,
            compression: Compression::None,
            rotation: Rotation::Never,
            keep: KeepFiles::Forever,
            mode: 0o600,
            table: None,
        };
        change(&mut settings);
        check_writable(&settings, chrono::Utc::now()).map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            format!("{error}: {}", cause.unwrap_or_default())
        })
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_preflight_check_changes_nothing() {
        let base = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(base.path()).unwrap();
        let file = base.join("acme.jsonl");
        let found = check(&base.join("new/deep/acme.jsonl"), |_| {}).unwrap();
        assert_eq!(found.note, Some("not there yet"));
        assert!(found.free.unwrap() > 0 && found.location.ends_with("new/deep/acme.jsonl"));
        assert_eq!(names(&base), [""; 0]);
        fs::write(&file, "{}\n").unwrap();
        let before = fs::metadata(&file).unwrap().modified().unwrap();
        assert_eq!(check(&file, |_| {}).unwrap().note, None);
        assert!(check(&file, |settings| settings.rotation = Rotation::DAILY).is_ok());
        assert_eq!(names(&base), ["acme.jsonl"]);
        assert_eq!(fs::read(&file).unwrap(), b"{}\n");
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), before);
    }

    #[test]
    fn unwritable_outputs_are_rejected() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path();
        fs::write(base.join("plain"), "{}\n").unwrap();
        symlink("nowhere/x", base.join("link")).unwrap();
        symlink("plain/x", base.join("wrong")).unwrap();
        for (name, why) in [
            ("", "directory"),
            ("plain/acme", "ot a directory"),
            ("wrong", "ot a directory"),
            (&"x".repeat(300), "name"),
            (&format!("new/{}", "x".repeat(300)), "name"),
        ] {
            let error = check(&base.join(name), |_| {}).unwrap_err();
            assert!(error.contains(why), "{name}: {error}");
        }
        assert!(check(&base.join("link"), |_| {}).is_ok());
        let error = check(&base.join("plain"), |settings| {
            settings.compression = Compression::Gzip;
            settings.path = OutputPath::File(base.join("plain.gz").display().to_string());
            fs::copy(base.join("plain"), base.join("plain.gz")).unwrap();
        });
        assert!(error.unwrap_err().contains("not packed"));
        let listener = std::os::unix::net::UnixListener::bind(base.join("socket"));
        assert!(check(&base.join("socket"), |_| {}).unwrap_err().contains("socket"));
        drop(listener);
        assert!(check(Path::new("/proc/acme"), |_| {}).is_err());
    }

    #[test]
    fn a_pipe_is_not_opened() {
        let base = tempfile::tempdir().unwrap();
        let pipe = base.path().join("pipe");
        rustix::fs::mknodat(
            CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        // It has no reader: opening it would block.
        assert!(check(&pipe, |_| {}).unwrap().note.unwrap().contains("pipe"));
        let null = check(Path::new("/dev/null"), |_| {}).unwrap();
        assert_eq!((null.note, null.free), (Some("a device"), None));
    }

    /// Runs the test `name` of this module as the user nobody, because root may write everywhere.
    /// Returns whether it did so.
    fn has_run_without_root(name: &str) -> bool {
        if !rustix::process::geteuid().is_root() {
            return false;
        }
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &format!("sink::preflight::tests::{name}")]);
        command.env("TMPDIR", "/tmp").uid(65534).gid(65534);
        let output = command.output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{printed}");
        assert!(printed.contains("1 passed"), "{printed}");
        true
    }

    #[test]
    fn a_read_only_folder_is_rejected() {
        if has_run_without_root("a_read_only_folder_is_rejected") {
            return;
        }
        let base = tempfile::tempdir().unwrap();
        let closed = base.path().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::write(closed.join("acme"), "").unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).unwrap();
        assert!(check(&closed.join("new"), |_| {}).is_err());
        assert!(check(&closed.join("acme"), |_| {}).is_ok());
        let rotated = check(&closed.join("acme"), |settings| {
            settings.rotation = Rotation::HOURLY;
        });
        assert!(rotated.is_err());
        assert!(check_folder_writable(&base.path().join("a/b")).unwrap().is_some());
    }
}
