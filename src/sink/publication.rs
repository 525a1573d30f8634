//! Makes Parquet files of lines that are committed, each whole and once, whatever ends the program.
//!
//! The files are written without their names into a folder beside the lines, `NAME.parts`, and last
//! of all a list of the names that they are to get. Before there is a list, nothing was published,
//! and all is begun again. From then on it is only carried out: what lacks in the folder has its
//! name already, though somebody may have moved it away since. At last the lines are removed, then
//! the folder.

use std::fs::{self, File, Permissions};
use std::io::{self, BufRead as _, BufReader, BufWriter, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::TempPath;

use crate::columnar::TableSet;
use crate::config::settings::OutputSettings;
use crate::crash::{self, CrashPoint};
use crate::files::{
    Durability, FileReplacement, create_private_folder, folder_of, if_exists, ignore_missing,
    sync_folder,
};
use crate::model::time::Timestamp;
use crate::sink::line_sink::{SinkError, UnexpectedFile, failed};
use crate::sink::location::{expand, finished_path};
use crate::sink::waiting_lines::PARTS_SUFFIX;

/// The list of names, in the folder of the files.
const LIST: &str = "names.json";

/// The publication of the lines in one file.
#[derive(Debug)]
pub struct TablePublication {
    lines: PathBuf,
    folder: PathBuf,
}

/// A file, and the name that it is to get.
#[derive(Debug, Serialize, Deserialize)]
struct PlannedFile {
    part: String,
    path: PathBuf,
}

impl TablePublication {
    /// That of the lines at `path`, a finished name. They need not be there any more.
    pub fn of_lines(path: &Path) -> TablePublication {
        let mut folder = path.as_os_str().to_owned();
        folder.push(PARTS_SUFFIX);
        TablePublication { lines: path.to_owned(), folder: folder.into() }
    }

    /// Writes the files and the list, where that is not done, and gives the files their names. The
    /// path of each is given to `note`. The lines stay until [`TablePublication::finish`].
    ///
    /// # Errors
    /// A file cannot be written, or a name is taken.
    pub fn publish(
        &self,
        settings: &OutputSettings,
        stamp: Timestamp,
        note: impl FnMut(&Path),
    ) -> Result<(), SinkError> {
        let planned = match self.read_list()? {
            Some(planned) => planned,
            None => self.write_files(settings, stamp)?,
        };
        crash::point(CrashPoint::TablesWritten);
        self.name_files(&planned, note)
    }

    /// Carries out what is written, where the lines are gone already.
    ///
    /// # Errors
    /// A name is taken, or the system refuses.
    pub fn resume(&self) -> Result<(), SinkError> {
        let planned = self.read_list()?.unwrap_or_default();
        self.name_files(&planned, |_| ())?;
        self.remove_folder()
    }

    fn name_files(
        &self,
        planned: &[PlannedFile],
        mut note: impl FnMut(&Path),
    ) -> Result<(), SinkError> {
        for file in planned {
            self.name_file(file)?;
            note(&file.path);
            crash::point(CrashPoint::TableNamed);
        }
        let mut folders: Vec<_> = planned.iter().map(|file| folder_of(&file.path)).collect();
        folders.sort();
        folders.dedup();
        folders.into_iter().try_for_each(|folder| {
            // One that was moved away is durable elsewhere.
            ignore_missing(sync_folder(folder)).map_err(|error| failed("sync", folder, error))
        })
    }

    /// Removes the lines, then the folder: what is left of a publication has no lines.
    ///
    /// # Errors
    /// They cannot be removed.
    pub fn finish(&self) -> Result<(), SinkError> {
        let removed = ignore_missing(fs::remove_file(&self.lines)).and_then(|()| {
            crash::point(CrashPoint::WaitingRemoved);
            sync_folder(folder_of(&self.lines))
        });
        removed.map_err(|error| failed("remove", &self.lines, error))?;
        self.remove_folder()
    }

    fn remove_folder(&self) -> Result<(), SinkError> {
        ignore_missing(fs::remove_dir_all(&self.folder))
            .map_err(|error| failed("remove", &self.folder, error))
    }

    fn read_list(&self) -> Result<Option<Vec<PlannedFile>>, SinkError> {
        let path = self.folder.join(LIST);
        let text = if_exists(fs::read(&path)).map_err(|error| failed("read", &path, error))?;
        let list = text.map(|text| serde_json::from_slice(&text)).transpose();
        list.map_err(|error| failed("read", &path, error.into()))
    }

    fn write_files(
        &self,
        settings: &OutputSettings,
        stamp: Timestamp,
    ) -> Result<Vec<PlannedFile>, SinkError> {
        self.remove_folder()?;
        let create = create_private_folder(&self.folder);
        create.map_err(|error| failed("create", &self.folder, error))?;
        let mut planned = Vec::new();
        let mut write = || -> io::Result<()> {
            let template = settings.with_suffix(expand(settings.file_template(), stamp));
            let mut tables = TableSet::new(settings.format, template)?;
            let mut lines = BufReader::new(File::open(&self.lines)?);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line)? > 0 {
                tables.push(line.strip_suffix(b"\n").unwrap_or(&line))?;
                line.clear();
            }
            let create = |path: &str| {
                let part = format!("{:06}", planned.len());
                let file = File::create_new(self.folder.join(&part))?;
                file.set_permissions(Permissions::from_mode(settings.mode))?;
                let path = std::path::absolute(finished_path(path.as_ref(), stamp))?;
                planned.push(PlannedFile { part, path });
                Ok(BufWriter::new(file))
            };
            tables.write_files(create, |mut file: BufWriter<File>| {
                file.flush()?;
                file.get_ref().sync_all()
            })?;
            let list = self.folder.join(LIST);
            FileReplacement::new(&list, Durability::FileAndDir)
                .write(|out| Ok(serde_json::to_writer(out, &planned)?))
        };
        write().map_err(|error| failed("make Parquet of", &self.lines, error))?;
        Ok(planned)
    }

    fn name_file(&self, file: &PlannedFile) -> Result<(), SinkError> {
        let part = self.folder.join(&file.part);
        let fails = |error| failed("name", &file.path, error);
        if !part.try_exists().map_err(fails)? {
            return Ok(());
        }
        create_private_folder(folder_of(&file.path)).map_err(fails)?;
        let named = rename_new(&part, &file.path).or_else(|error| match error.kind() {
            ErrorKind::CrossesDevices => copy_new(&part, &file.path),
            _ => Err(error),
        });
        let Err(error) = named else {
            return Ok(());
        };
        match error.kind() {
            // Another run was faster.
            ErrorKind::NotFound if file.path.exists() => Ok(()),
            // Where a file cannot be renamed to a new name only, it is linked, then unlinked.
            ErrorKind::AlreadyExists if is_same(&part, &file.path).map_err(fails)? => {
                fs::remove_file(&part).map_err(fails)
            }
            ErrorKind::AlreadyExists => Err(UnexpectedFile::NameTaken.at(&file.path)),
            _ => Err(fails(error)),
        }
    }
}

/// Renames a file to a name that is free.
fn rename_new(part: &Path, path: &Path) -> io::Result<()> {
    let unnamed = TempPath::try_from_path(part)?;
    unnamed.persist_noclobber(path).map_err(|refused| {
        // It stays for the next run.
        let _ = refused.path.keep();
        refused.error
    })
}

/// The same to another file system.
fn copy_new(part: &Path, path: &Path) -> io::Result<()> {
    let mut copy = tempfile::Builder::new().prefix(".atlaudit-").tempfile_in(folder_of(path))?;
    let mut original = File::open(part)?;
    io::copy(&mut original, copy.as_file_mut())?;
    copy.as_file().set_permissions(original.metadata()?.permissions())?;
    copy.as_file().sync_all()?;
    copy.persist_noclobber(path).map_err(|refused| refused.error)?;
    sync_folder(folder_of(path))?;
    fs::remove_file(part)
}

/// Whether both names mean one file.
fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (fs::metadata(one)?, fs::metadata(other)?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}
