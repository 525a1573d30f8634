//! Copies all objects of a folder to a disk.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use super::object_client::{HiddenFolders, ListedObject, ObjectClient};
use super::object_error::ObjectError;
use super::object_stores::ObjectStores;
use crate::config::settings::ObjectStoreSettings;
use crate::files::folder_of;

/// Bytes of an object that are read at once, and held in memory.
const PART_BYTES: u64 = 16 * 1024 * 1024;

/// Copies the objects below the URL of `settings` to files below `target`. Returns how many they
/// are.
///
/// # Errors
/// They cannot be read, or not be written there; or a key is not the name of a file.
pub async fn copy_folder(
    settings: &ObjectStoreSettings,
    target: &Path,
) -> Result<usize, ObjectError> {
    let client = ObjectStores::new(settings.clone()).client()?;
    let objects = client.list("", HiddenFolders::Include).await?;
    for object in &objects {
        let path = path_below(target, &object.key).ok_or_else(|| ObjectError::Uncopied {
            place: format!("{}{}", client.place(), object.key),
            source: std::io::ErrorKind::InvalidFilename.into(),
        })?;
        copy(&client, object, &path).await?;
    }
    Ok(objects.len())
}

async fn copy(
    client: &ObjectClient,
    object: &ListedObject,
    path: &Path,
) -> Result<(), ObjectError> {
    let place = || format!("{}{}", client.place(), object.key);
    let failed = |source| ObjectError::Uncopied { place: place(), source };
    fs::create_dir_all(folder_of(path)).map_err(failed)?;
    let mut file = File::create_new(path).map_err(failed)?;
    let mut start = 0;
    while start < object.bytes {
        let end = object.bytes.min(start + PART_BYTES);
        let part = client.read_part(&object.key, start..end).await?;
        let part = part.ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
        if part.len() as u64 != end - start {
            return Err(failed(std::io::ErrorKind::UnexpectedEof.into()));
        }
        file.write_all(&part).map_err(failed)?;
        start = end;
    }
    Ok(())
}

/// The file of a key below `target`; none where it would lie elsewhere.
fn path_below(target: &Path, key: &str) -> Option<PathBuf> {
    let name = Path::new(key);
    let is_plain = |part| matches!(part, Component::Normal(_));
    let is_inside = !key.is_empty() && !key.ends_with('/') && name.components().all(is_plain);
    (is_inside && !key.contains('\0')).then(|| target.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_nowhere_else() {
        let target = Path::new("/t");
        assert_eq!(path_below(target, "a/.b/c"), Some(PathBuf::from("/t/a/.b/c")));
        for key in ["", "/a", "../a", "a/../b", "a/..", "a/", "a\0"] {
            assert_eq!(path_below(target, key), None, "{key:?}");
        }
    }
}
