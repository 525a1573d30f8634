//! The calls: read an object, create one, replace one that is known.

use std::fmt;
use std::ops::ControlFlow::{self, Break, Continue};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use object_store::path::Path;
use object_store::{Error, ListResult, ObjectStore, ObjectStoreExt as _, PutMode, UpdateVersion};
use tokio::time::{Instant, sleep};
use url::Url;

use super::object_error::{ObjectError, StoreAnswer};
use super::store_connection::ServerDate;

/// The pause before the first repetition; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// A version of an object, by which it is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion(UpdateVersion);

/// An object that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Its content.
    pub bytes: Bytes,
    /// Its version.
    pub version: ObjectVersion,
    /// How long ago it was written, by the clock of the store; by ours where it does not say its
    /// time.
    pub age: Duration,
}

/// An object that was found by listing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedObject {
    /// Its key.
    pub key: String,
    /// The length of its content.
    pub bytes: u64,
}

/// Whether to look into folders whose names begin with `_` or `.`, which engines leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HiddenFolders {
    /// As engines do.
    Skip,
    /// As into any other.
    Include,
}

/// What became of creating an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateOutcome {
    /// It is there, with the content that it should have: created now, or by an earlier attempt.
    Created(ObjectVersion),
    /// Another object has its name.
    OtherExists,
}

/// What became of replacing an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwapOutcome {
    /// It has the new content.
    Swapped(ObjectVersion),
    /// Somebody else replaced it first.
    Lost,
}

/// The objects of a store below a prefix.
#[derive(Clone)]
pub struct ObjectClient {
    store: Arc<dyn ObjectStore>,
    /// The store and the prefix, as the user wrote them, with a slash at the end.
    place: String,
    prefix: String,
    retry_for: Duration,
    /// Set when nothing shall be retried any more.
    is_stopping: Arc<AtomicBool>,
}

impl fmt::Debug for ObjectClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectClient({})", self.place)
    }
}

/// What a failed call means.
enum CallFailure {
    /// The object is not there.
    Missing,
    /// The store says that the condition is not met. It may be wrong.
    Conflict(StoreAnswer),
    /// It may have been carried out or not, and another attempt may help.
    Unclear(StoreAnswer),
    /// No attempt helps.
    Final(ObjectError),
}

impl ObjectClient {
    /// The objects of `store` below `url`. A call that fails is repeated for `retry_for`, until
    /// `is_stopping` is set.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        url: &Url,
        retry_for: Duration,
        is_stopping: Arc<AtomicBool>,
    ) -> ObjectClient {
        let prefix = url.path().trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let place = format!("{}/", url.as_str().trim_end_matches('/'));
        ObjectClient { store, place, prefix, retry_for, is_stopping }
    }

    /// The same, which tries each call once.
    pub fn without_retries(&self) -> ObjectClient {
        ObjectClient { retry_for: Duration::ZERO, ..self.clone() }
    }

    /// The store and the prefix.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Reads an object; nothing where there is none.
    ///
    /// # Errors
    /// The store refuses it, or does not answer.
    pub async fn read(&self, key: &str) -> Result<Option<StoredObject>, ObjectError> {
        let mut attempts = CallAttempts::new(self);
        loop {
            let answer = self.try_read(key).await;
            if let Break(found) = self.answer_or_pause(GET, key, &mut attempts, answer).await? {
                return Ok(found);
            }
        }
    }

    /// Reads a part of the content of an object; nothing where there is no object.
    ///
    /// # Errors
    /// The store refuses it, or does not answer.
    pub async fn read_part(
        &self,
        key: &str,
        part: Range<u64>,
    ) -> Result<Option<Bytes>, ObjectError> {
        let (path, mut attempts) = (self.path(key), CallAttempts::new(self));
        loop {
            let answer = self.store.get_range(&path, part.clone()).await;
            let answer = answer.map_err(|error| self.meaning_of(GET, key, error));
            if let Break(found) = self.answer_or_pause(GET, key, &mut attempts, answer).await? {
                return Ok(found);
            }
        }
    }

    /// The objects in a folder and in those below it, sorted by key. A folder is named by its key
    /// with a slash at the end; the outermost one by nothing.
    ///
    /// # Errors
    /// The store refuses it, or does not answer.
    pub async fn list(
        &self,
        folder: &str,
        hidden: HiddenFolders,
    ) -> Result<Vec<ListedObject>, ObjectError> {
        let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
        while let Some(folder) = folders.pop() {
            let listed = self.list_folder(&folder).await?;
            let is_skipped =
                |name: &str| hidden == HiddenFolders::Skip && name.starts_with(['_', '.']);
            let inner = listed.common_prefixes.iter();
            let inner = inner.filter(|inner| !inner.filename().is_some_and(is_skipped));
            folders.extend(inner.map(|inner| format!("{}/", self.key_of(inner))));
            found.extend(listed.objects.iter().map(|object| ListedObject {
                key: self.key_of(&object.location),
                bytes: object.size,
            }));
        }
        found.sort();
        Ok(found)
    }

    async fn list_folder(&self, folder: &str) -> Result<ListResult, ObjectError> {
        let (path, mut attempts) = (self.path(folder), CallAttempts::new(self));
        loop {
            let answer = self.store.list_with_delimiter(Some(&path)).await;
            let answer = answer.map_err(|error| self.meaning_of(LIST, folder, error));
            match self.answer_or_pause(LIST, folder, &mut attempts, answer).await? {
                Break(Some(listed)) => return Ok(listed),
                Break(None) => {
                    let answer = StoreAnswer::new("there is no such folder");
                    return Err(self.failed(LIST, folder, &attempts, answer));
                }
                Continue(()) => {}
            }
        }
    }

    /// What a call that changes nothing was answered, which is nothing where there is no object; or
    /// a pause, where another attempt may help.
    async fn answer_or_pause<T>(
        &self,
        call: &'static str,
        key: &str,
        attempts: &mut CallAttempts,
        answer: Result<T, CallFailure>,
    ) -> Result<ControlFlow<Option<T>>, ObjectError> {
        match answer {
            Ok(answer) => Ok(Break(Some(answer))),
            Err(CallFailure::Missing) => Ok(Break(None)),
            Err(CallFailure::Final(error)) => Err(error),
            Err(CallFailure::Unclear(source) | CallFailure::Conflict(source)) => {
                let paused = attempts.pause().await;
                paused.map(Continue).map_err(|()| self.failed(call, key, attempts, source))
            }
        }
    }

    /// Creates an object that must not be there yet. An earlier run may have created it: the same
    /// content counts as created.
    ///
    /// # Errors
    /// The store refuses it, or does not answer.
    pub async fn create(&self, key: &str, bytes: &Bytes) -> Result<CreateOutcome, ObjectError> {
        let mut attempts = CallAttempts::new(self);
        loop {
            let source = match self.try_put(key, bytes, PutMode::Create).await {
                Ok(version) => return Ok(CreateOutcome::Created(version)),
                Err(CallFailure::Final(error)) => return Err(error),
                Err(CallFailure::Missing) => None,
                Err(CallFailure::Unclear(source) | CallFailure::Conflict(source)) => Some(source),
            };
            // What it says is not to be believed: what is there is.
            match self.read(key).await? {
                Some(found) if found.bytes == *bytes => {
                    return Ok(CreateOutcome::Created(found.version));
                }
                Some(_) => return Ok(CreateOutcome::OtherExists),
                None => self.pause_or_fail(&mut attempts, key, source).await?,
            }
        }
    }

    /// Replaces the object of this version. No two contents that are ever put may be the same, for
    /// a content is how one's own write is recognized.
    ///
    /// # Errors
    /// The store refuses it, or does not answer.
    pub async fn swap(
        &self,
        key: &str,
        bytes: &Bytes,
        known: &ObjectVersion,
    ) -> Result<SwapOutcome, ObjectError> {
        let mut attempts = CallAttempts::new(self);
        loop {
            let source = match self.try_put(key, bytes, PutMode::Update(known.0.clone())).await {
                Ok(version) => return Ok(SwapOutcome::Swapped(version)),
                Err(CallFailure::Final(error)) => return Err(error),
                Err(CallFailure::Missing) => None,
                Err(CallFailure::Unclear(source) | CallFailure::Conflict(source)) => Some(source),
            };
            match self.read(key).await? {
                Some(found) if found.bytes == *bytes => {
                    return Ok(SwapOutcome::Swapped(found.version));
                }
                Some(found) if found.version == *known => {
                    self.pause_or_fail(&mut attempts, key, source).await?;
                }
                Some(_) | None => return Ok(SwapOutcome::Lost),
            }
        }
    }

    /// Whether the store itself refuses to create an object that is there, or, with a version that
    /// the object no longer has, to replace it. One that does not writes the content.
    ///
    /// # Errors
    /// The store refuses the call for another reason, or does not answer.
    pub async fn refuses(
        &self,
        key: &str,
        bytes: &Bytes,
        outdated: Option<&ObjectVersion>,
    ) -> Result<bool, ObjectError> {
        let mode = outdated.map_or(PutMode::Create, |old| PutMode::Update(old.0.clone()));
        let mut attempts = CallAttempts::new(self);
        loop {
            match self.try_put(key, bytes, mode.clone()).await {
                Ok(_) => return Ok(false),
                Err(CallFailure::Conflict(_)) => return Ok(true),
                Err(CallFailure::Final(error)) => return Err(error),
                Err(CallFailure::Missing) => self.pause_or_fail(&mut attempts, key, None).await?,
                Err(CallFailure::Unclear(source)) => {
                    self.pause_or_fail(&mut attempts, key, Some(source)).await?;
                }
            }
        }
    }

    async fn try_read(&self, key: &str) -> Result<StoredObject, CallFailure> {
        let path = self.path(key);
        let read = async {
            let found = self.store.get(&path).await?;
            let version = UpdateVersion {
                e_tag: found.meta.e_tag.clone(),
                version: found.meta.version.clone(),
            };
            let now = found.extensions.get::<ServerDate>().map_or_else(Utc::now, |date| date.0);
            // One that is from the future was written just now.
            let age = (now - found.meta.last_modified).to_std().unwrap_or_default();
            Ok(StoredObject { bytes: found.bytes().await?, version: ObjectVersion(version), age })
        };
        read.await.map_err(|error| self.meaning_of(GET, key, error))
    }

    async fn try_put(
        &self,
        key: &str,
        bytes: &Bytes,
        mode: PutMode,
    ) -> Result<ObjectVersion, CallFailure> {
        let put = self.store.put_opts(&self.path(key), bytes.clone().into(), mode.into()).await;
        match put {
            Ok(put) => Ok(ObjectVersion(put.into())),
            Err(error) => Err(self.meaning_of(PUT, key, error)),
        }
    }

    /// What a failure means for the caller.
    fn meaning_of(&self, call: &'static str, key: &str, error: Error) -> CallFailure {
        let place = format!("{}{key}", self.place);
        let source = StoreAnswer::of(&error);
        let text = error.to_string();
        match error {
            _ if NO_BUCKET.into_iter().any(|code| text.contains(code)) => {
                CallFailure::Final(ObjectError::NoBucket { place, source })
            }
            Error::NotFound { .. } => CallFailure::Missing,
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                CallFailure::Final(ObjectError::Denied { call, place, source })
            }
            // The library has no kind of its own for a list that is refused.
            Error::Generic { .. } if text.contains(FORBIDDEN) => {
                CallFailure::Final(ObjectError::Denied { call, place, source })
            }
            Error::AlreadyExists { .. } | Error::Precondition { .. } => {
                CallFailure::Conflict(source)
            }
            _ if source.is_permanent() => {
                CallFailure::Final(ObjectError::Unsupported { call, place, source })
            }
            _ => CallFailure::Unclear(source),
        }
    }

    async fn pause_or_fail(
        &self,
        attempts: &mut CallAttempts,
        key: &str,
        source: Option<StoreAnswer>,
    ) -> Result<(), ObjectError> {
        let unknown = || StoreAnswer::new("what is written does not stay there");
        let failed = attempts.pause().await;
        failed.map_err(|()| self.failed(PUT, key, attempts, source.unwrap_or_else(unknown)))
    }

    fn failed(
        &self,
        call: &'static str,
        key: &str,
        attempts: &CallAttempts,
        source: StoreAnswer,
    ) -> ObjectError {
        let place = format!("{}{key}", self.place);
        ObjectError::Failed { call, place, attempts: attempts.count, source }
    }

    /// The key of an object or folder of the store.
    fn key_of(&self, path: &Path) -> String {
        let path = path.as_ref();
        path.strip_prefix(&self.prefix).unwrap_or(path).to_owned()
    }

    fn path(&self, key: &str) -> Path {
        Path::from(format!("{}{key}", self.prefix))
    }
}

/// The codes that stores have for a bucket or container that is missing.
const NO_BUCKET: [&str; 2] = ["NoSuchBucket", "ContainerNotFound"];
/// How a status is written in an error of the library.
const FORBIDDEN: &str = "403 Forbidden";

/// The calls by the names that policies have for them.
const GET: &str = "GetObject";
const PUT: &str = "PutObject";
const LIST: &str = "ListBucket";

/// Counts attempts, and pauses between them.
struct CallAttempts {
    count: u32,
    pause: Duration,
    until: Instant,
    is_stopping: Arc<AtomicBool>,
}

impl CallAttempts {
    fn new(client: &ObjectClient) -> CallAttempts {
        CallAttempts {
            count: 1,
            pause: FIRST_PAUSE,
            until: Instant::now() + client.retry_for,
            is_stopping: client.is_stopping.clone(),
        }
    }

    /// Waits before the next attempt; an error where its time is over.
    async fn pause(&mut self) -> Result<(), ()> {
        let next = Instant::now() + self.pause;
        if next > self.until {
            return Err(());
        }
        while Instant::now() < next {
            if self.is_stopping.load(Ordering::SeqCst) {
                return Err(());
            }
            sleep(FIRST_PAUSE.min(self.pause)).await;
        }
        self.pause = (self.pause * 2).min(MAX_PAUSE);
        self.count += 1;
        Ok(())
    }
}
