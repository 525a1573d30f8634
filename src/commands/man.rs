//! Runs `man --dir`: writes the manual pages of all commands.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::AppError;
use crate::exit::Exit;

/// Writes `pages`, each with its file's name, into `folder`, which is created if needed.
///
/// # Errors
/// One cannot be written.
pub fn write(folder: &Path, pages: Vec<(PathBuf, String)>) -> Result<(), AppError> {
    let failed = |path: &Path, error: &std::io::Error| {
        AppError::new(Exit::Output, format!("cannot write `{}`", path.display()))
            .because(error)
            .hint("check the folder of `--dir`")
    };
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    for (name, text) in pages {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| failed(&path, &error))?;
    }
    Ok(())
}
