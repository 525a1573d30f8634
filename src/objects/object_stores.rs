//! The stores that a run uses: each bucket is connected to once, and probed once.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use object_store::ObjectStore;
use tokio::sync::Mutex as AsyncMutex;
use url::Url;

use super::object_client::ObjectClient;
use super::object_error::ObjectError;
use super::store_connection;
use crate::config::settings::ObjectStoreSettings;

/// A bucket that is connected to.
#[derive(Clone)]
struct ConnectedBucket {
    store: Arc<dyn ObjectStore>,
    /// Whether it keeps what it should, once it was probed.
    probed: Arc<AsyncMutex<Option<bool>>>,
}

/// The stores of a run, connected to when they are first used.
pub struct ObjectStores {
    settings: ObjectStoreSettings,
    buckets: Mutex<HashMap<String, ConnectedBucket>>,
    is_stopping: Arc<AtomicBool>,
}

impl fmt::Debug for ObjectStores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectStores({:?})", self.settings)
    }
}

impl ObjectStores {
    /// The stores that `settings` describe.
    pub fn new(settings: ObjectStoreSettings) -> ObjectStores {
        ObjectStores { settings, buckets: Mutex::default(), is_stopping: Arc::default() }
    }

    /// The objects below the URL of the settings.
    ///
    /// # Errors
    /// The settings describe no store.
    pub fn client(&self) -> Result<ObjectClient, ObjectError> {
        self.client_at(&self.settings.url)
    }

    /// The objects of the bucket of `url`, a URL of an object, and the key of that one.
    ///
    /// # Errors
    /// The settings describe no store.
    pub fn bucket_of(&self, url: &str) -> Result<(ObjectClient, String), ObjectError> {
        let unusable = |why: String| ObjectError::Unusable { place: url.to_owned(), why };
        let mut bucket = Url::parse(url).map_err(|error| unusable(error.to_string()))?;
        let key = bucket.path().trim_start_matches('/').to_owned();
        bucket.set_path("");
        Ok((self.client_at(&bucket)?, key))
    }

    /// Lets calls that fail fail, from now on: the program shall end.
    pub fn stop_retrying(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
    }

    /// Probes the bucket of `client`, unless it was probed before. Who comes meanwhile waits, and
    /// where the first probe has failed, the others try once each, and all at the same time.
    ///
    /// # Errors
    /// What `probe` finds.
    pub async fn probe_once<P>(
        &self,
        client: &ObjectClient,
        probe: impl FnOnce(ObjectClient) -> P,
    ) -> Result<(), ObjectError>
    where
        P: Future<Output = Result<(), ObjectError>>,
    {
        let known = self.lock().get(&bucket_name(client.place())).cloned();
        let Some(bucket) = known else {
            return probe(client.clone()).await;
        };
        let mut probed = bucket.probed.lock().await;
        match *probed {
            Some(true) => Ok(()),
            Some(false) => {
                drop(probed);
                let result = probe(client.without_retries()).await;
                if result.is_ok() {
                    *bucket.probed.lock().await = Some(true);
                }
                result
            }
            None => {
                let result = probe(client.clone()).await;
                *probed = Some(result.is_ok());
                result
            }
        }
    }

    fn client_at(&self, url: &Url) -> Result<ObjectClient, ObjectError> {
        let mut buckets = self.lock();
        let name = bucket_name(url.as_str());
        let store = match buckets.get(&name) {
            Some(known) => known.store.clone(),
            None => {
                let store = store_connection::connect(&self.settings, url)?;
                let bucket = ConnectedBucket { store: store.clone(), probed: Arc::default() };
                buckets.insert(name, bucket);
                store
            }
        };
        let retry_for = self.settings.connection.retry_for;
        Ok(ObjectClient::new(store, url, retry_for, self.is_stopping.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, ConnectedBucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `s3://BUCKET`, of a URL in it.
fn bucket_name(url: &str) -> String {
    url.split('/').take(3).collect::<Vec<_>>().join("/")
}
