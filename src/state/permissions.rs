//! Checks that nobody else can write the state: whoever can may choose where the next run begins,
//! and which part of an output file it truncates.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::state::StateError;
use crate::state::store::failed;

/// Write permission of the group and of all others.
const OTHERS_WRITE: u32 = 0o022;

/// Checks the state folder, which a link may lead to.
///
/// # Errors
/// Others may write it, or it cannot be looked at.
pub fn check_folder(path: &Path) -> Result<(), StateError> {
    let facts = fs::metadata(path).map_err(|error| failed("read", path, error))?;
    check(path, &facts)
}

/// Checks a file of the state, and returns whether there is one.
///
/// # Errors
/// It is not a regular file, others may write it, or it cannot be looked at.
pub fn check_file(path: &Path) -> Result<bool, StateError> {
    let facts = match fs::symlink_metadata(path) {
        Ok(facts) => facts,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed("read", path, error)),
    };
    if !facts.is_file() {
        return Err(StateError::Damaged {
            path: path.to_owned(),
            what: "it is not a regular file".to_owned(),
        });
    }
    check(path, &facts).map(|()| true)
}

fn check(path: &Path, facts: &Metadata) -> Result<(), StateError> {
    let unsafe_because = |what: String, command: String| StateError::Unsafe {
        path: path.to_owned(),
        what,
        command,
    };
    let user = rustix::process::geteuid().as_raw();
    // Root looks after the files of other users.
    if user != 0 && facts.uid() != user && facts.uid() != 0 {
        return Err(unsafe_because(
            format!("it belongs to another user (uid {})", facts.uid()),
            format!("chown {user} {}", quoted(path)),
        ));
    }
    match facts.mode() & OTHERS_WRITE {
        0 => Ok(()),
        _ => Err(unsafe_because(
            format!("others may write it (mode {:04o})", facts.mode() & 0o7777),
            format!("chmod go-w {}", quoted(path)),
        )),
    }
}

/// The path as a shell takes it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn what_others_may_write_is_refused_with_the_command_that_mends_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("it's.json");
        assert!(!check_file(&file).unwrap());
        fs::write(&file, "{}").unwrap();
        for (mode, is_safe) in [
            (0o600, true),
            (0o644, true),
            (0o660, false),
            (0o602, false),
            (0o666, false),
        ] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            match check_file(&file) {
                Ok(found) => assert!(found && is_safe, "{mode:o}"),
                Err(StateError::Unsafe { command, .. }) => {
                    assert!(!is_safe, "{mode:o}");
                    let wanted = format!(r"chmod go-w '{}/it'\''s.json'", folder.path().display());
                    assert_eq!(command, wanted);
                }
                Err(other) => panic!("{other}"),
            }
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o770)).unwrap();
        let refused = check_folder(folder.path());
        assert!(matches!(refused, Err(StateError::Unsafe { .. })));
    }

    #[test]
    fn a_link_is_no_file_of_the_state() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "").unwrap();
        symlink(&target, &link).unwrap();
        let refused = check_file(&link);
        assert!(matches!(refused, Err(StateError::Damaged { .. })));
    }
}
