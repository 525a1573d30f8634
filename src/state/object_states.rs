//! Keeps the states of sources in an object store. One conditional write is the commit of a
//! checkpoint and of the objects to publish. See `docs/design.md`, section 12.
//!
//! Blocks the thread that it is called on, which must belong to the runtime.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::config::settings::{ObjectStoreSettings, PENDING_FOLDER};
use crate::crash::{self, CrashPoint};
use crate::model::name::SourceName;
use crate::objects::{
    CreateOutcome, ObjectBatch, ObjectClient, ObjectError, ObjectStores, ObjectVersion,
    SwapOutcome, check_conditions, check_creation, wait,
};
use crate::state::StateError;
use crate::state::checkpoint::Checkpoint;
use crate::state::remote::{RemoteState, RemoteStates, TakenState};
use crate::state::state_object::{StateHolder, StateObject};

/// For so long after its last commit a run is left alone. It commits more often.
const LEASE: Duration = Duration::from_secs(120);

/// No state can ask for more, whatever it says: the longest pause of `follow`, and some.
const MAX_LEASE: Duration = Duration::from_secs(25 * 60 * 60);

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
    /// The pause between two runs of this process, which holds its sources meanwhile.
    pause: Option<Duration>,
    /// This process, since it began.
    process: StateHolder,
}

impl ObjectStates {
    /// The states in the store of `settings`, for one run; or for runs with a pause between them,
    /// during which the process holds its sources.
    pub fn new(settings: ObjectStoreSettings, pause: Option<Duration>) -> ObjectStates {
        let process = StateHolder {
            host: host_name(),
            process: std::process::id(),
            since: chrono::Utc::now(),
            lease_seconds: LEASE.as_secs(),
        };
        ObjectStates { stores: Arc::new(ObjectStores::new(settings)), pause, process }
    }

    /// Reads a state, to take it or to let it go.
    fn read(&self, source: &SourceName) -> Result<HeldState, StateError> {
        let client = self.stores.client()?;
        let key = key_of(source);
        let found = wait(client.read(&key))?;
        crash::point(CrashPoint::StateObjectRead);
        let (version, age, state) = match found {
            None => (None, Duration::ZERO, StateObject::default()),
            Some(found) => {
                let state = StateObject::decode(&path_of(&client, &key), &found.bytes)?;
                (Some(found.version), found.age, state)
            }
        };
        Ok(HeldState {
            stores: self.stores.clone(),
            client,
            key,
            version,
            age,
            process: self.process.clone(),
            pause: self.pause,
            state,
            is_last: false,
            is_held: false,
            last_write: None,
        })
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
        let probe = async |client: ObjectClient| check_conditions(&client, PROBE_KEY).await;
        wait(self.stores.probe_once(&client, probe))?;
        let mut taken = self.read(source)?;
        if let Some(holder) = &taken.state.holder
            // One of this machine is dead: the lock in the state folder is ours.
            && holder.host != self.process.host
        {
            let lease = Duration::from_secs(holder.lease_seconds.min(MAX_LEASE.as_secs()));
            let left = lease.saturating_sub(taken.age);
            if !left.is_zero() {
                return Err(StateError::HeldElsewhere {
                    source_name: source.to_string(),
                    holder: holder.to_string(),
                    lease_ends_in: left,
                });
            }
        }
        // Whoever does it: the state says what and under which names.
        taken.publish_pending().map_err(|error| {
            let state = path_of(&taken.client, &taken.key).display().to_string();
            error.while_publishing(state)
        })?;
        taken.state.objects.pending.clear();
        taken.replace(Some(LEASE))?;
        let checkpoint = taken.state.checkpoint.clone();
        Ok(TakenState { checkpoint, remote: Some(Box::new(taken)) })
    }

    fn stop_retrying(&self) {
        self.stores.stop_retrying();
    }

    fn release(&self, source: &SourceName) -> Result<(), StateError> {
        let mut found = self.read(source)?;
        let is_ours = |holder: &StateHolder| {
            holder.host == self.process.host && holder.process == self.process.process
        };
        match found.state.holder.as_ref().is_some_and(is_ours) {
            true => found.replace(None),
            false => Ok(()),
        }
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
    /// How old that version is, by the clock of the store.
    age: Duration,
    process: StateHolder,
    pause: Option<Duration>,
    state: StateObject,
    /// Whether the last commit of the run was saved.
    is_last: bool,
    /// Whether the state in the store says that this run holds the source.
    is_held: bool,
    last_write: Option<Instant>,
}

impl HeldState {
    /// The end of the run: nothing is left to be published. Others may take the source, unless this
    /// process holds it until its next run.
    fn let_go(&mut self) -> Result<(), StateError> {
        self.state.objects.pending.clear();
        self.replace(self.pause.map(|pause| pause + LEASE))?;
        self.is_held = false;
        Ok(())
    }

    /// Replaces the state in the store by the one here, and holds the source for `lease`.
    fn replace(&mut self, lease: Option<Duration>) -> Result<(), StateError> {
        self.state.sequence += 1;
        self.state.holder = lease
            .map(|lease| StateHolder { lease_seconds: lease.as_secs(), ..self.process.clone() });
        let path = path_of(&self.client, &self.key);
        let content = self.state.encode().map_err(|error| StateError::io("pack", &path, error))?;
        if let Some(last) = self.last_write.filter(|_| self.client.place().starts_with("gs://")) {
            std::thread::sleep(GOOGLE_WRITE_PAUSE.saturating_sub(last.elapsed()));
        }
        self.is_held = false;
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
        // What became of it is not known where it failed: then nothing more is said.
        self.is_held = written.is_some() && lease.is_some();
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
        self.is_last = is_last;
        match is_last && self.state.objects.pending.is_empty() {
            true => self.let_go(),
            false => self.replace(Some(LEASE)),
        }
    }

    fn publish(&mut self) -> Result<(), StateError> {
        self.publish_pending()?;
        match self.is_last && !self.state.objects.pending.is_empty() {
            // The next run would have to ask the store what became of each.
            true => self.let_go(),
            false => Ok(()),
        }
    }
}

impl Drop for HeldState {
    /// A run that failed after it took the source lets go of it, if that can be said at once.
    fn drop(&mut self) {
        if self.is_held {
            self.client = self.client.without_retries();
            let _ = self.replace(None);
        }
    }
}

impl HeldState {
    fn publish_pending(&self) -> Result<(), ObjectError> {
        for object in &self.state.objects.pending {
            let (client, key) = self.stores.bucket_of(&object.url)?;
            crash::point(CrashPoint::ObjectUnsent);
            let created = wait(client.create(&key, &object.content))?;
            crash::point(CrashPoint::ObjectPublished);
            if created == CreateOutcome::OtherExists {
                let state = path_of(&self.client, &self.key).display().to_string();
                return Err(ObjectError::OtherContent { place: object.url.clone(), state });
            }
            let probe =
                async |client: ObjectClient| check_creation(&client, &key, &object.content).await;
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
