//! Owns secrets in files: small, regular, and nobody's business but their owner's.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use secrecy::SecretString;

use crate::config::error::Refusal;

/// The most that a file with a secret may hold: more is another file, named by mistake.
const MOST_BYTES: u64 = 64 * 1024;

/// The content of the file at `path`, if others cannot read it.
pub fn read(path: &Path) -> Result<SecretString, Refusal> {
    let file = open(path)?;
    refuse_open_to_others(&file, path)?;
    content(file, path)
}

/// The content of a file that something else guards.
pub fn read_guarded(path: &Path) -> Result<SecretString, Refusal> {
    content(open(path)?, path)
}

/// Links are followed: container platforms mount secrets as links. What they lead to is checked.
fn open(path: &Path) -> Result<File, Refusal> {
    let cannot = |error: io::Error| {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => "write the key into that file, and `chmod 600` it",
            io::ErrorKind::PermissionDenied => {
                "the file has to belong to the user that runs atlaudit"
            }
            _ => "check the path in `credential`",
        };
        Refusal::new(format!("file {}: {error}", path.display())).hint(hint)
    };
    let irregular = || {
        Refusal::new(format!("file {}: not a regular file", path.display()))
            .hint("name a file that holds the key")
    };
    // Asked before opening as well: to open a pipe waits for its writer.
    if !fs::metadata(path).map_err(cannot)?.is_file() {
        return Err(irregular());
    }
    let file = File::open(path).map_err(cannot)?;
    match file.metadata().map_err(cannot)?.is_file() {
        true => Ok(file),
        false => Err(irregular()),
    }
}

#[cfg(unix)]
fn refuse_open_to_others(file: &File, path: &Path) -> Result<(), Refusal> {
    use std::os::unix::fs::PermissionsExt;

    let shown = path.display();
    let metadata = file
        .metadata()
        .map_err(|error| Refusal::new(format!("file {shown}: {error}")))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Refusal::new(format!(
            "file {shown}: others can reach it (mode {mode:04o})"
        ))
        .hint(format!("chmod 600 {shown}")));
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_open_to_others(_: &File, _: &Path) -> Result<(), Refusal> {
    Ok(())
}

fn content(file: File, path: &Path) -> Result<SecretString, Refusal> {
    let shown = path.display();
    let mut text = String::new();
    let read = file.take(MOST_BYTES + 1).read_to_string(&mut text);
    let text = SecretString::from(text);
    match read {
        Ok(bytes) if bytes as u64 > MOST_BYTES => {
            Err(Refusal::new(format!("file {shown}: larger than 64 KiB"))
                .hint("name a file that holds the key and nothing else"))
        }
        Ok(_) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(Refusal::new(format!("file {shown}: not text"))
                .hint("name a file that holds the key and nothing else"))
        }
        Err(error) => {
            Err(Refusal::new(format!("file {shown}: {error}")).hint("check the file and its disk"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;

    fn keep(content: &[u8], mode: u32) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_private_file_is_read() {
        for mode in [0o600, 0o400] {
            let (_folder, path) = keep(b"SECRET\n", mode);
            assert_eq!(read(&path).unwrap().expose_secret(), "SECRET\n");
        }
    }

    #[test]
    fn a_file_that_others_can_reach_is_refused() {
        for mode in [0o640, 0o604, 0o644, 0o610] {
            let (_folder, path) = keep(b"SECRET", mode);
            let refusal = read(&path).unwrap_err();
            assert!(
                refusal.what.contains(&format!("mode {mode:04o}")),
                "{refusal}"
            );
            assert!(
                refusal.hint.as_ref().unwrap().starts_with("chmod 600 "),
                "{refusal}"
            );
            assert!(!refusal.to_string().contains("SECRET"));
            assert!(read_guarded(&path).is_ok());
        }
    }

    #[test]
    fn only_small_regular_text_files_are_read() {
        let (folder, path) = keep(&vec![b'x'; 64 * 1024 + 1], 0o600);
        assert!(read(&path).unwrap_err().what.contains("64 KiB"));
        assert!(
            read(folder.path())
                .unwrap_err()
                .what
                .contains("not a regular file")
        );
        assert!(
            read(Path::new("/dev/null"))
                .unwrap_err()
                .what
                .contains("not a regular file")
        );
        assert!(
            read(&folder.path().join("none"))
                .unwrap_err()
                .what
                .contains("No such file")
        );
        let (_folder, path) = keep(b"\xff\xfe", 0o600);
        assert!(read(&path).unwrap_err().what.contains("not text"));
    }
}
