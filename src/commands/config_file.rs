//! Writes the configuration file: prepared first, and put into place when all else is done.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Seek as _, Write as _};
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
    /// Set where the file has another owner or several names, which a new file in its place would
    /// lose: the file itself, and a copy of its content beside it.
    in_place: Option<(File, PreparedReplacement)>,
}

/// The file that is changed for `path`: a symbolic link stays one, and its target is changed.
///
/// # Errors
/// It is a link to nothing, which a new file in its place would lose.
pub fn target_of(path: &Path) -> Result<PathBuf, AppError> {
    match fs::canonicalize(path) {
        Err(error) if path.is_symlink() => {
            let what = format!("`{}` is a symbolic link that leads to no file", path.display());
            let hint = "create the file that it names, or remove the link";
            Err(AppError::new(Exit::Config, what).because(&error).hint(hint))
        }
        real => Ok(real.unwrap_or_else(|_| path.to_owned())),
    }
}

/// Writes the content of the file at `path`, as `change` returns it, to a temporary file beside it.
///
/// # Errors
/// The file cannot be read or changed, or nothing can be written beside it.
pub fn prepare(
    path: &Path,
    change: impl FnOnce(&str) -> Result<String, HintedError>,
) -> Result<PreparedConfigFile, AppError> {
    let real = target_of(path)?;
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
    let user = rustix::process::geteuid().as_raw();
    let mode = facts.as_ref().map_or(0o600, |facts| facts.mode() & 0o7777);
    let is_kept = facts.is_some_and(|facts| facts.uid() != user || facts.nlink() > 1);
    let write = || {
        let new = write_beside(&real, ("new", &new), mode)?;
        let in_place = match is_kept {
            true => {
                let file = OpenOptions::new().write(true).open(&real)?;
                Some((file, write_beside(&real, ("old", &old), mode)?))
            }
            false => None,
        };
        Ok(PreparedConfigFile { path: real.clone(), new, in_place })
    };
    write().map_err(|error| write_error(path, &error))
}

/// Puts `new` into the place of the file at `path`, unless it is no longer `old`.
///
/// # Errors
/// Somebody else changed the file, or as with [`prepare`] and [`PreparedConfigFile::commit`].
pub fn replace(path: &Path, old: &str, new: String) -> Result<(), AppError> {
    let prepared = prepare(path, |now| match now == old {
        true => Ok(new),
        false => Err(HintedError::new("somebody else changed it meanwhile")),
    });
    prepared?.commit()
}

impl PreparedConfigFile {
    /// Puts the new content into place.
    ///
    /// # Errors
    /// It cannot be put there.
    pub fn commit(self) -> Result<(), AppError> {
        let path = &self.path;
        let Some((mut file, old)) = self.in_place else {
            let replaced = FileReplacement::new(path, Durability::File).publish(self.new);
            return replaced.map_err(|error| write_error(path, &error));
        };
        let Err(error) = overwrite(&mut file, &self.new) else {
            return Ok(());
        };
        if overwrite(&mut file, &old).is_ok() {
            return Err(write_error(path, &error));
        }
        let what = format!("`{}` was written only in part", path.display());
        let hint = match (old.keep(), self.new.keep()) {
            (Ok(old), Ok(new)) => format!(
                "its old text is in {}, the new one in {}: copy one of them over it",
                old.display(),
                new.display()
            ),
            _ => String::new(),
        };
        Err(AppError::new(Exit::Config, what).because(&error).hint(hint))
    }
}

/// Writes `text` over what `file` holds. Nothing is cut off before, so that the blocks that the old
/// content has on a full disk stay its own until then.
fn overwrite(file: &mut File, text: &PreparedReplacement) -> io::Result<()> {
    let text = fs::read(text.path())?;
    file.rewind()?;
    file.write_all(&text)?;
    file.set_len(text.len() as u64)?;
    file.sync_all()
}

fn write_beside(
    path: &Path,
    (name, text): (&str, &str),
    mode: u32,
) -> io::Result<PreparedReplacement> {
    create_private_folder(folder_of(path))?;
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let name = format!("{file}.{name}-");
    FileReplacement::new(path, Durability::File).named(&name, "").prepare(|out| {
        out.write_all(text.as_bytes())?;
        out.get_ref().set_permissions(Permissions::from_mode(mode))
    })
}

fn write_error(path: &Path, error: &io::Error) -> AppError {
    let what = format!("`{}` cannot be written, and is as it was", path.display());
    AppError::new(Exit::Config, what).because(error).hint(
        "check who owns the file and its folder, and that the disk is not full, or name another \
         file with `--config FILE`",
    )
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
