//! Replaces files atomically, with a stated durability, creates private folders, and recognises
//! /dev/null.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::crash::{self, CrashPoint};

/// What survives a crash of the machine once a file was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing is promised.
    None,
    /// The old or the new content, whole.
    File,
    /// The new content.
    FileAndDir,
}

/// A file that is to be replaced: its new content is written beside it, synced, and renamed.
#[derive(Debug, Clone, Copy)]
pub struct FileReplacement<'a> {
    path: &'a Path,
    durability: Durability,
    prefix: &'a str,
    suffix: &'a str,
    has_fixed_name: bool,
    after_write: Option<CrashPoint>,
    after_rename: Option<CrashPoint>,
}

/// New content that lies beside its file; removed when dropped.
#[derive(Debug)]
pub struct PreparedReplacement(NamedTempFile);

impl<'a> FileReplacement<'a> {
    /// The file at `path`, which need not exist yet. Its folder must.
    pub fn new(path: &'a Path, durability: Durability) -> FileReplacement<'a> {
        FileReplacement {
            path,
            durability,
            prefix: TEMP_PREFIX,
            suffix: "",
            has_fixed_name: false,
            after_write: None,
            after_rename: None,
        }
    }

    /// Sets how the temporary file's name begins and ends.
    pub fn named(self, prefix: &'a str, suffix: &'a str) -> FileReplacement<'a> {
        FileReplacement { prefix, suffix, ..self }
    }

    /// Gives the temporary file one fixed name, so that runs that die leave one file together. Only
    /// for a caller that holds a lock.
    pub fn with_fixed_name(self, name: &'a str) -> FileReplacement<'a> {
        FileReplacement { prefix: name, suffix: "", has_fixed_name: true, ..self }
    }

    /// Sets the points that are passed after the content is written, and after the rename.
    pub fn crash_points(
        self,
        after_write: Option<CrashPoint>,
        after_rename: Option<CrashPoint>,
    ) -> FileReplacement<'a> {
        FileReplacement { after_write, after_rename, ..self }
    }

    /// Replaces the file with what `fill` writes, for its owner only.
    ///
    /// # Errors
    /// The file system's or `fill`'s. Before the rename the old file stays, and nothing beside it.
    pub fn write(
        self,
        fill: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    ) -> io::Result<()> {
        let prepared = self.prepare(fill)?;
        self.publish(prepared)
    }

    /// Writes the new content beside the file.
    ///
    /// # Errors
    /// The file system's or `fill`'s. Nothing is left then.
    pub fn prepare(
        self,
        fill: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    ) -> io::Result<PreparedReplacement> {
        let folder = folder_of(self.path);
        let mut builder = tempfile::Builder::new();
        builder.prefix(self.prefix).suffix(self.suffix);
        if self.has_fixed_name {
            // A dead run's leftover, or a link that somebody put there.
            ignore_missing(fs::remove_file(folder.join(self.prefix)))?;
            builder.rand_bytes(0);
        }
        let file = builder.tempfile_in(folder)?;
        let mut out = BufWriter::new(file.as_file());
        fill(&mut out)?;
        out.flush()?;
        drop(out);
        if self.durability != Durability::None {
            file.as_file().sync_all()?;
        }
        self.after_write.into_iter().for_each(crash::point);
        Ok(PreparedReplacement(file))
    }

    /// Puts what was prepared into the place of the file.
    ///
    /// # Errors
    /// The file system's.
    pub fn publish(self, prepared: PreparedReplacement) -> io::Result<()> {
        prepared.0.persist(self.path).map_err(|error| error.error)?;
        self.after_rename.into_iter().for_each(crash::point);
        match self.durability {
            Durability::FileAndDir => sync_folder(folder_of(self.path)),
            Durability::None | Durability::File => Ok(()),
        }
    }
}

impl PreparedReplacement {
    /// Where the content lies.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves it where it lies, and returns its path.
    ///
    /// # Errors
    /// It cannot be left there.
    pub fn keep(self) -> io::Result<PathBuf> {
        Ok(self.0.keep()?.1)
    }
}

/// How the name of a temporary file begins where nothing else was set.
pub const TEMP_PREFIX: &str = ".tmp";

/// Creates `folder` and those above it where they are missing, for their owner only, and durably: a
/// crash of the machine must not take them away with durable files in them.
///
/// # Errors
/// The file system's.
pub fn create_private_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> = folder.ancestors().take_while(|folder| is_missing(folder)).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // Some file systems sync no folders.
    missing.into_iter().for_each(|created| drop(sync_folder(folder_of(created))));
    Ok(())
}

fn is_missing(folder: &Path) -> bool {
    !folder.as_os_str().is_empty() && !folder.exists()
}

/// Makes the names in `folder` durable: without it a crash of the machine can forget a file whose
/// bytes are on the disk.
///
/// # Errors
/// The file system's.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The folder that a path's last name lies in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) => Path::new("."),
        None => Path::new("/"),
    }
}

/// What is in the place of `folder`, or of a folder above it, and is none, if `error` says so.
pub fn blocker_of<'p>(folder: &'p Path, error: &io::Error) -> Option<&'p Path> {
    let kinds = [io::ErrorKind::NotADirectory, io::ErrorKind::AlreadyExists];
    let found = folder.ancestors().find(|path| path.symlink_metadata().is_ok())?;
    (kinds.contains(&error.kind()) && !found.is_dir()).then_some(found)
}

/// Whether `facts` are those of /dev/null.
pub fn is_null_device(facts: &Metadata) -> bool {
    let is_same = |null: Metadata| null.rdev() == facts.rdev();
    facts.file_type().is_char_device() && fs::metadata("/dev/null").is_ok_and(is_same)
}

/// Takes a file that does not exist for one that was removed.
///
/// # Errors
/// Every other error.
pub fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    if_exists(result).map(|_| ())
}

/// Returns nothing for a file that does not exist.
///
/// # Errors
/// Every other error.
pub fn if_exists<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        for durability in [Durability::None, Durability::File, Durability::FileAndDir] {
            let replacement = FileReplacement::new(&path, durability);
            replacement.write(|out| out.write_all(b"new")).unwrap();
            let failed = replacement.write(|out| {
                out.write_all(b"half")?;
                Err(io::Error::other("no more"))
            });
            assert_eq!(failed.unwrap_err().to_string(), "no more");
            assert_eq!(fs::read(&path).unwrap(), b"new");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_fixed_temporary_name_is_taken_over_and_never_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("f"), folder.path().join("other"));
        fs::write(&other, "theirs").unwrap();
        symlink(&other, folder.path().join(".f~")).unwrap();
        let replacement = FileReplacement::new(&path, Durability::File).with_fixed_name(".f~");
        replacement.write(|out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read(&other).unwrap(), b"theirs");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn the_folder_of_a_bare_name_is_the_current_one() {
        for (path, folder) in [("/a/b", "/a"), ("/a", "/"), ("a", "."), ("/", "/")] {
            assert_eq!(folder_of(Path::new(path)), Path::new(folder), "{path}");
        }
    }
}
