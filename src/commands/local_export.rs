//! Brings an export to this machine where it is in an object store.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::config::request::ExportLocation;
use crate::config::settings::ObjectStoreSettings;
use crate::error::AppError;
use crate::evidence::error::EvidenceError;
use crate::evidence::sign::PublicKey;
use crate::evidence::verify::{self, VerifyResult};
use crate::exit::Exit;
use crate::model::text::counted;
#[cfg(feature = "object-store")]
use crate::objects;
use crate::telemetry::console::StderrConsole;

/// An export on this machine, for as long as this lives.
pub struct LocalExport {
    /// Its folder.
    pub dir: PathBuf,
    /// The folder or the place in a store that was named.
    named: PathBuf,
    /// Where it is a copy: removed in the end.
    _copy: Option<TempDir>,
}

impl LocalExport {
    /// The export at `export`, copied from its store where it is in one.
    ///
    /// # Errors
    /// It cannot be copied, or there is nothing.
    pub async fn of(
        export: &ExportLocation,
        console: &StderrConsole,
    ) -> Result<LocalExport, AppError> {
        match export {
            ExportLocation::Folder(dir) => {
                Ok(LocalExport { dir: dir.clone(), named: dir.clone(), _copy: None })
            }
            ExportLocation::Objects(store) => {
                let copy = temporary_folder()?;
                let count = copy_objects(store, copy.path()).await?;
                if count == 0 {
                    let what = format!("there is no object below `{}`", store.url);
                    return Err(AppError::new(Exit::Usage, what)
                        .hint("name the folder that holds `manifest.json`"));
                }
                let copied = counted(count as u64, "object");
                console.notice(format!("copied {copied} of `{}` to check them here", store.url));
                Ok(LocalExport {
                    dir: copy.path().to_owned(),
                    named: PathBuf::from(store.url.as_str()),
                    _copy: Some(copy),
                })
            }
        }
    }

    /// The export, checked.
    ///
    /// # Errors
    /// It is no export, or cannot be read.
    pub fn verify(&self, key: Option<&PublicKey>) -> Result<VerifyResult, EvidenceError> {
        verify::verify(&self.dir, key).map_err(|error| match error {
            EvidenceError::NoExport(_) => EvidenceError::NoExport(self.named.clone()),
            error => error,
        })
    }
}

#[cfg(feature = "object-store")]
async fn copy_objects(store: &ObjectStoreSettings, target: &Path) -> Result<usize, AppError> {
    Ok(objects::copy_folder(store, target).await?)
}

#[cfg(not(feature = "object-store"))]
async fn copy_objects(_: &ObjectStoreSettings, _: &Path) -> Result<usize, AppError> {
    // The command line refuses it.
    Ok(0)
}

/// A folder that is removed when it is not used any more.
///
/// # Errors
/// It cannot be made.
pub fn temporary_folder() -> Result<TempDir, AppError> {
    let folder = tempfile::Builder::new().prefix("atlaudit-verify-").tempdir();
    folder.map_err(|error| {
        AppError::new(Exit::Output, "cannot make a temporary folder")
            .because(&error)
            .hint("let TMPDIR name a folder that can be written, with room for the export")
    })
}
