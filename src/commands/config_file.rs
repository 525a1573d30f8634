//! Writes the configuration file: prepared first, and put into place when all else is done.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::config::error::HintedError;
use crate::error::AppError;
use crate::exit::Exit;
use crate::files::{
    Durability, FileReplacement, PreparedReplacement, create_private_folder, folder_of,
};

/// The new content, in a temporary file beside the configuration file.
#[derive(Debug)]
pub struct PreparedConfigFile {
    path: PathBuf,
    new: PreparedReplacement,
    /// It has another owner or several names, which a new file in its place would lose.
    must_keep_inode: bool,
}

/// Writes the content of the file at `path`, as `change` returns it, to a temporary file beside it.
///
/// # Errors
/// The file cannot be read or changed, or nothing can be written beside it.
pub fn prepare(
    path: &Path,
    change: impl FnOnce(&str) -> Result<String, HintedError>,
) -> Result<PreparedConfigFile, AppError> {
    // A symbolic link stays one; its target is changed.
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let facts = match fs::metadata(&real) {
        Ok(facts) => Some(facts),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(write_error(path, &error)),
    };
    let old = match &facts {
        Some(_) => fs::read_to_string(&real).map_err(|error| write_error(path, &error))?,
        None => String::new(),
    };
    let new = change(&old).map_err(|refusal| {
        let what = format!("`{}` cannot be changed: {refusal}", path.display());
        AppError::new(Exit::Config, what).hint(
            "change it with `atlaudit config edit` (config.example.toml shows how), and run this \
             again",
        )
    })?;
    let mode = facts.as_ref().map_or(0o600, |facts| facts.mode() & 0o7777);
    let prepared = write_beside(&real, &new, mode).map_err(|error| write_error(path, &error))?;
    let user = rustix::process::geteuid().as_raw();
    Ok(PreparedConfigFile {
        must_keep_inode: facts.is_some_and(|facts| facts.uid() != user || facts.nlink() > 1),
        path: real,
        new: prepared,
    })
}

impl PreparedConfigFile {
    /// Puts the new content into place.
    ///
    /// # Errors
    /// It cannot be put there.
    pub fn commit(self) -> Result<(), AppError> {
        let path = self.path.clone();
        self.try_commit().map_err(|error| write_error(&path, &error))
    }

    fn try_commit(self) -> io::Result<()> {
        if !self.must_keep_inode {
            return FileReplacement::new(&self.path, Durability::File).publish(self.new);
        }
        let text = fs::read(self.new.path())?;
        let mut file = OpenOptions::new().write(true).truncate(true).open(&self.path)?;
        file.write_all(&text)?;
        file.sync_all()
    }
}

fn write_beside(path: &Path, text: &str, mode: u32) -> io::Result<PreparedReplacement> {
    create_private_folder(folder_of(path))?;
    FileReplacement::new(path, Durability::File).prepare(|out| {
        out.write_all(text.as_bytes())?;
        out.get_ref().set_permissions(Permissions::from_mode(mode))
    })
}

fn write_error(path: &Path, error: &io::Error) -> AppError {
    let what = format!("`{}` cannot be written, and is as it was", path.display());
    AppError::new(Exit::Config, what)
        .because(error)
        .hint("check who owns the file and its folder, or name another one with `--config FILE`")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn append(text: &str) -> Result<String, HintedError> {
        Ok(format!("{text}new\n"))
    }

    #[test]
    fn a_file_keeps_its_mode_its_links_and_its_other_names() {
        let base = tempfile::tempdir().unwrap();
        let (file, link) = (base.path().join("real.toml"), base.path().join("link.toml"));
        fs::write(&file, "old\n").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        symlink("real.toml", &link).unwrap();
        let prepared = prepare(&link, append).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "old\n");
        prepared.commit().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "old\nnew\n");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

        let other = base.path().join("other.toml");
        fs::hard_link(&file, &other).unwrap();
        prepare(&file, append).unwrap().commit().unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "old\nnew\nnew\n");
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_new_file_is_private_and_an_abandoned_one_is_removed() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("a/b/config.toml");
        drop(prepare(&file, append).unwrap());
        assert!(!file.exists());
        prepare(&file, append).unwrap().commit().unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn an_unchangeable_file_is_reported_before_anything_is_stored() {
        let base = tempfile::tempdir().unwrap();
        let error = prepare(base.path(), append).unwrap_err();
        assert_eq!(error.exit(), Exit::Config);
        let file = base.path().join("x");
        let error = prepare(&file, |_| Err(HintedError::new("no"))).unwrap_err();
        assert!(error.text().ends_with("cannot be changed: no"), "{}", error.text());
        assert!(!file.exists());
    }
}
