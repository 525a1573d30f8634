//! Finds and reads saved events in an object store.

use std::io::{self, Read};
#[cfg(feature = "object-store")]
use std::path::Path;
use std::sync::Arc;

use crate::config::request::EventInput;
use crate::config::settings::ObjectStoreSettings;
#[cfg(feature = "object-store")]
use crate::objects::{HiddenFolders, ObjectError, ObjectStores, wait};
#[cfg(feature = "object-store")]
use crate::saved::input_files::{PARQUET_UNREAD, holds_events};

/// The stores that inputs are in.
#[derive(Debug, Default)]
pub struct StoredObjects {
    /// Those that were connected to, with their settings.
    #[cfg(feature = "object-store")]
    stores: Vec<(Arc<ObjectStoreSettings>, Arc<ObjectStores>)>,
}

#[cfg(feature = "object-store")]
impl StoredObjects {
    /// The objects with events that `input` names: one by its own name, or all in a folder.
    ///
    /// # Errors
    /// They cannot be listed, or there is none.
    pub fn find(&mut self, input: &Arc<ObjectStoreSettings>) -> io::Result<Vec<EventInput>> {
        if holds_events(Path::new(input.url.path())) {
            return Ok(vec![EventInput::Objects(input.clone())]);
        }
        let (folder, prefix) = self.store(input).bucket_of(input.url.as_str()).map_err(other)?;
        let mut prefix = prefix.trim_end_matches('/').to_owned();
        if !prefix.is_empty() {
            prefix.push('/');
        }
        let found = wait(folder.list(&prefix, HiddenFolders::Skip)).map_err(other)?;
        let keys: Vec<_> = found.iter().map(|object| object.key.as_str()).collect();
        let objects: Vec<_> = keys
            .iter()
            .filter(|key| holds_events(Path::new(key)))
            .map(|key| {
                let mut url = input.url.clone();
                url.set_path(key);
                EventInput::Objects(Arc::new(ObjectStoreSettings { url, ..(**input).clone() }))
            })
            .collect();
        if !objects.is_empty() {
            return Ok(objects);
        }
        let is_parquet = keys.iter().any(|key| key.ends_with(".parquet"));
        let why = match is_parquet {
            true => PARQUET_UNREAD,
            false => "it has no object with events (`*.jsonl`, also with `.gz` or `.zst`)",
        };
        Err(io::Error::new(io::ErrorKind::NotFound, why))
    }

    /// Reads an object whole: those that are written here have a few megabytes.
    ///
    /// # Errors
    /// It is not there, or the store refuses it.
    pub fn open(&mut self, input: &Arc<ObjectStoreSettings>) -> io::Result<Box<dyn Read>> {
        let (bucket, key) = self.store(input).bucket_of(input.url.as_str()).map_err(other)?;
        match wait(bucket.read(&key)).map_err(other)? {
            Some(found) => Ok(Box::new(io::Cursor::new(found.bytes))),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn store(&mut self, input: &Arc<ObjectStoreSettings>) -> Arc<ObjectStores> {
        let is_same = |known: &ObjectStoreSettings| {
            known.variables == input.variables && known.connection == input.connection
        };
        match self.stores.iter().find(|(known, _)| is_same(known)) {
            Some((_, stores)) => stores.clone(),
            None => {
                let stores = Arc::new(ObjectStores::new((**input).clone()));
                self.stores.push((input.clone(), stores.clone()));
                stores
            }
        }
    }
}

#[cfg(feature = "object-store")]
fn other(error: ObjectError) -> io::Error {
    let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
    io::Error::other(format!("{error}{}", source.unwrap_or_default()))
}

#[cfg(not(feature = "object-store"))]
impl StoredObjects {
    /// Objects are refused with the command line.
    pub fn find(&mut self, _: &Arc<ObjectStoreSettings>) -> io::Result<Vec<EventInput>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// As with [`StoredObjects::find`].
    pub fn open(&mut self, _: &Arc<ObjectStoreSettings>) -> io::Result<Box<dyn Read>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
