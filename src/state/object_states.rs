//! Keeps the states of sources in an object store. One conditional write is the commit of a
//! checkpoint and of the objects to publish. See `docs/design.md`, section 12.
//!
//! Blocks the thread that it is called on, which must belong to the runtime.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::config::settings::{ObjectStoreSettings, PENDING_FOLDER};
use crate::crash::{self, CrashPoint};
use crate::model::name::SourceName;
use crate::objects::{
    CreateOutcome, ObjectBatch, ObjectClient, ObjectError, ObjectStores, ObjectVersion,
    SwapOutcome, check_conditions, check_creation,
};
use crate::state::StateError;
use crate::state::checkpoint::Checkpoint;
use crate::state::remote::{RemoteState, RemoteStates, TakenState};
use crate::state::state_object::{StateHolder, StateObject};

/// For so long after its last commit a run is left alone. It commits more often.
const LEASE: Duration = Duration::from_secs(120);

/// Google takes one write a second of one object, and refuses the others.
const GOOGLE_WRITE_PAUSE: Duration = Duration::from_secs(1);

/// The object among the states that conditions are tried with.
const PROBE_KEY: &str = "probe";

/// What `check` writes beside the objects of an output, once.
const PROBE_CONTENT: &[u8] = b"atlaudit check was here; it may be removed\n";

/// The states of sources in an object store.
#[derive(Debug)]
pub struct ObjectStates {
    stores: Arc<ObjectStores>,
}

impl ObjectStates {
    /// The states in the store of `settings`.
    pub fn new(settings: ObjectStoreSettings) -> ObjectStates {
        ObjectStates { stores: Arc::new(ObjectStores::new(settings)) }
    }
}

impl RemoteStates for ObjectStates {
    fn load(&self, source: &SourceName) -> Result<Option<Checkpoint>, StateError> {
        let client = self.stores.client()?;
        let key = key_of(source);
        match wait(client.read(&key))? {
            None => Ok(None),
            Some(found) => {
                let path = path_of(&client, &key);
                Ok(StateObject::decode(&path, &found.bytes)?.checkpoint)
            }
        }
    }

    fn probe(&self, folder: Option<&str>) -> Result<String, StateError> {
        let client = self.stores.client()?;
        wait(check_conditions(&client, PROBE_KEY))?;
        if let Some(folder) = folder {
            let (bucket, key) = self.stores.bucket_of(folder)?;
            let content = Bytes::from_static(PROBE_CONTENT);
            let key = format!("{key}{PENDING_FOLDER}/check");
            wait(bucket.create(&key, &content))?;
            wait(check_creation(&bucket, &key, &content))?;
        }
        Ok(client.place().to_owned())
    }

    fn take(&self, source: &SourceName) -> Result<TakenState, StateError> {
        let client = self.stores.client()?;
        let key = key_of(source);
        wait(self.stores.probe_once(&client, check_conditions(&client, PROBE_KEY)))?;
        let found = wait(client.read(&key))?;
        crash::point(CrashPoint::StateObjectRead);
        let host = host_name();
        let (version, state) = match found {
            None => (None, StateObject::default()),
            Some(found) => {
                let state = StateObject::decode(&path_of(&client, &key), &found.bytes)?;
                if let Some(holder) = &state.holder
                    // One of this machine is dead: the lock in the state folder is ours.
                    && holder.host != host
                    && found.age.is_none_or(|age| age.as_secs() < holder.lease_seconds)
                {
                    return Err(StateError::Locked {
                        source_name: source.to_string(),
                        holder: Some(holder.to_string()),
                    });
                }
                (Some(found.version), state)
            }
        };
        let checkpoint = state.checkpoint.clone();
        let mut taken = HeldState {
            stores: self.stores.clone(),
            client,
            key,
            version,
            holder: StateHolder {
                host,
                process: std::process::id(),
                since: chrono::Utc::now(),
                lease_seconds: LEASE.as_secs(),
            },
            state,
            last_write: None,
        };
        taken.replace(true)?;
        taken.publish()?;
        Ok(TakenState { checkpoint, remote: Some(Box::new(taken)) })
    }
}

/// The state of a source that this run has taken.
#[derive(Debug)]
struct HeldState {
    stores: Arc<ObjectStores>,
    client: ObjectClient,
    key: String,
    /// The version that is replaced next; `None` before the first one is created.
    version: Option<ObjectVersion>,
    holder: StateHolder,
    state: StateObject,
    last_write: Option<Instant>,
}

impl HeldState {
    /// Replaces the state in the store by the one here.
    fn replace(&mut self, is_held: bool) -> Result<(), StateError> {
        self.state.sequence += 1;
        self.state.holder = is_held.then(|| self.holder.clone());
        let path = path_of(&self.client, &self.key);
        let content = self.state.encode().map_err(|error| StateError::io("pack", &path, error))?;
        if let Some(last) = self.last_write.filter(|_| self.client.place().starts_with("gs://")) {
            std::thread::sleep(GOOGLE_WRITE_PAUSE.saturating_sub(last.elapsed()));
        }
        crash::point(CrashPoint::StateObjectUnsent);
        let written = match &self.version {
            None => match wait(self.client.create(&self.key, &content))? {
                CreateOutcome::Created(version) => Some(version),
                CreateOutcome::OtherExists => None,
            },
            Some(known) => match wait(self.client.swap(&self.key, &content, known))? {
                SwapOutcome::Swapped(version) => Some(version),
                SwapOutcome::Lost => None,
            },
        };
        crash::point(CrashPoint::StateObjectWritten);
        self.last_write = Some(Instant::now());
        let place = || path.display().to_string();
        self.version = Some(written.ok_or_else(|| ObjectError::Fenced { place: place() })?);
        Ok(())
    }
}

impl RemoteState for HeldState {
    fn objects(&self) -> &ObjectBatch {
        &self.state.objects
    }

    fn save(
        &mut self,
        checkpoint: &Checkpoint,
        objects: Option<ObjectBatch>,
        is_last: bool,
    ) -> Result<(), StateError> {
        self.state.checkpoint = Some(checkpoint.clone());
        if let Some(objects) = objects {
            self.state.objects = objects;
        }
        self.replace(!is_last)
    }

    fn publish(&mut self) -> Result<(), StateError> {
        for object in &self.state.objects.pending {
            let (client, key) = self.stores.bucket_of(&object.url)?;
            crash::point(CrashPoint::ObjectUnsent);
            let created = wait(client.create(&key, &object.content))?;
            crash::point(CrashPoint::ObjectPublished);
            if created == CreateOutcome::OtherExists {
                let state = path_of(&self.client, &self.key).display().to_string();
                return Err(ObjectError::OtherContent { place: object.url.clone(), state }.into());
            }
            let probe = check_creation(&client, &key, &object.content);
            wait(self.stores.probe_once(&client, probe))?;
        }
        Ok(())
    }
}

fn key_of(source: &SourceName) -> String {
    format!("{source}.state")
}

/// What messages call a state.
fn path_of(client: &ObjectClient, key: &str) -> PathBuf {
    Path::new(&format!("{}{key}", client.place())).to_owned()
}

/// The name of this machine or pod.
fn host_name() -> String {
    let name = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    crash::setting("HOST").unwrap_or_else(name)
}

fn wait<F: Future>(future: F) -> F::Output {
    block_in_place(|| Handle::current().block_on(future))
}
