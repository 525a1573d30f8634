//! Says why an object cannot be read or written, and what to do.

#[cfg(feature = "object-store")]
use std::error::Error as _;

use crate::exit::Exit;
#[cfg(feature = "object-store")]
use crate::model::text::printable;

/// What a store says of a call that failed.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct StoreAnswer {
    text: String,
    fault: StoreFault,
}

/// What a person can do something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "object-store"), allow(dead_code, reason = "no store is connected to"))]
enum StoreFault {
    /// Credentials that were valid for a time.
    ExpiredCredentials,
    /// The clock of this machine is wrong, and so are the times that requests are signed with.
    SkewedClock,
    /// The bucket is in another region than the request says.
    WrongRegion,
    /// The store knows no such condition, or method.
    Unsupported,
    /// Anything else.
    Other,
}

impl StoreAnswer {
    /// What `text` says.
    #[cfg(feature = "object-store")]
    pub fn new(text: &str) -> StoreAnswer {
        StoreAnswer { text: printable(text), fault: StoreFault::Other }
    }

    /// The store's own code and words in an error of the library, else its innermost cause: the
    /// library repeats all of it on each level.
    #[cfg(feature = "object-store")]
    pub fn of(error: &object_store::Error) -> StoreAnswer {
        let text = error.to_string();
        let between = |tag: &str| {
            let (_, rest) = text.split_once(&format!("<{tag}>"))?;
            Some(rest.split_once(&format!("</{tag}>"))?.0)
        };
        if let (Some(code), Some(message)) = (between("Code"), between("Message")) {
            let fault = match code {
                "ExpiredToken" | "TokenRefreshRequired" | "ExpiredTokenException" => {
                    StoreFault::ExpiredCredentials
                }
                "RequestTimeTooSkewed" => StoreFault::SkewedClock,
                "AuthorizationHeaderMalformed"
                | "PermanentRedirect"
                | "IllegalLocationConstraintException" => StoreFault::WrongRegion,
                "NotImplemented" | "MethodNotAllowed" => StoreFault::Unsupported,
                _ => StoreFault::Other,
            };
            return StoreAnswer { fault, ..StoreAnswer::new(&format!("{code}: {message}")) };
        }
        let mut innermost = None;
        let mut cause = error.source();
        while let Some(next) = cause {
            innermost = Some(next.to_string());
            cause = next.source();
        }
        StoreAnswer::new(&innermost.unwrap_or(text))
    }
}

/// Why an object cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(not(feature = "object-store"), allow(dead_code, reason = "no store is connected to"))]
pub enum ObjectError {
    /// The store cannot be connected to as it is configured.
    #[error("cannot use the object store `{place}`: {why}")]
    Unusable {
        /// The store.
        place: String,
        /// The cause.
        why: String,
    },
    /// The store does not keep the conditions of writes.
    #[error("the object store `{place}` does not keep the condition `{condition}` of a write")]
    IgnoresConditions {
        /// The store.
        place: String,
        /// The header that it ignores.
        condition: &'static str,
    },
    /// The store refuses the call.
    #[error("the object store refuses {call} of `{place}`")]
    Denied {
        /// GetObject, PutObject or ListBucket.
        call: &'static str,
        /// The object.
        place: String,
        /// What the store says.
        #[source]
        source: StoreAnswer,
    },
    /// There is no such bucket.
    #[error("the bucket of `{place}` does not exist")]
    NoBucket {
        /// The object.
        place: String,
        /// What the store says.
        #[source]
        source: StoreAnswer,
    },
    /// An object cannot be copied to this machine.
    #[error("cannot copy the object `{place}` to a temporary folder")]
    Uncopied {
        /// The object.
        place: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// An object that is to be published has the name of another one.
    #[error("the object `{place}` exists already, and is not what the state `{state}` says of it")]
    OtherContent {
        /// The object.
        place: String,
        /// The state.
        state: String,
    },
    /// What an earlier run committed cannot be published.
    #[error("the state `{state}` holds committed events that cannot be published")]
    Unpublished {
        /// The state.
        state: String,
        /// Why.
        #[source]
        source: Box<ObjectError>,
    },
    /// The store cannot do what is asked.
    #[error("the object store cannot do {call} of `{place}`")]
    Unsupported {
        /// GetObject, PutObject or ListBucket.
        call: &'static str,
        /// The object.
        place: String,
        /// What the store says.
        #[source]
        source: StoreAnswer,
    },
    /// Another run replaced the state meanwhile.
    #[error("another run went on from the state `{place}` meanwhile")]
    Fenced {
        /// The state.
        place: String,
    },
    /// The store does not answer as it should, as often as it was tried.
    #[error("{call} of `{place}` failed {attempts} times")]
    Failed {
        /// GetObject, PutObject or ListBucket.
        call: &'static str,
        /// The object.
        place: String,
        /// How often it was tried.
        attempts: u32,
        /// What the store says.
        #[source]
        source: StoreAnswer,
    },
}

impl StoreAnswer {
    /// Whether the same call cannot succeed later.
    #[cfg(feature = "object-store")]
    pub fn is_permanent(&self) -> bool {
        matches!(self.fault, StoreFault::WrongRegion | StoreFault::Unsupported)
    }
}

impl ObjectError {
    fn fault(&self) -> StoreFault {
        match self {
            ObjectError::Denied { source, .. }
            | ObjectError::NoBucket { source, .. }
            | ObjectError::Unsupported { source, .. }
            | ObjectError::Failed { source, .. } => source.fault,
            _ => StoreFault::Other,
        }
    }

    /// The error of a publication of what the state holds: where the place is to blame, the state
    /// is named, for the configuration may name another place by now.
    #[cfg(feature = "object-store")]
    pub fn while_publishing(self, state: String) -> ObjectError {
        let is_place = matches!(self, ObjectError::Denied { .. } | ObjectError::NoBucket { .. });
        match is_place && self.fault() == StoreFault::Other {
            true => ObjectError::Unpublished { state, source: Box::new(self) },
            false => self,
        }
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            _ if self.fault() == StoreFault::ExpiredCredentials => Exit::Credential,
            _ if self.fault() == StoreFault::WrongRegion => Exit::Config,
            ObjectError::Unpublished { source, .. } => source.exit(),
            ObjectError::Unusable { .. } | ObjectError::NoBucket { .. } => Exit::Config,
            ObjectError::Denied { .. } => Exit::Credential,
            ObjectError::IgnoresConditions { .. }
            | ObjectError::Unsupported { .. }
            | ObjectError::Fenced { .. } => Exit::State,
            ObjectError::Failed { .. }
            | ObjectError::Uncopied { .. }
            | ObjectError::OtherContent { .. } => Exit::Output,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            _ if self.fault() == StoreFault::ExpiredCredentials => {
                "renew the credentials (AWS_ACCESS_KEY_ID and its like), or let the platform \
                 give them out, which renews them; nothing is lost, and nothing is written twice"
            }
            _ if self.fault() == StoreFault::SkewedClock => {
                "set the clock of this machine, which signs its requests with the time: stores \
                 refuse one that is fifteen minutes off"
            }
            _ if self.fault() == StoreFault::WrongRegion => {
                "set AWS_REGION to the region of the bucket"
            }
            ObjectError::Unpublished { .. } => {
                "the state says where to, whatever the configuration says now: make that place \
                 writable again; to give these events up, begin with another state and folder, \
                 and with `initial_from`"
            }
            ObjectError::Unusable { .. } => {
                "write it like `s3://BUCKET/PREFIX`, `az://CONTAINER/PREFIX` or \
                 `gs://BUCKET/PREFIX`; variables of the environment, such as AWS_REGION and \
                 AWS_ENDPOINT_URL, say where it is and who asks (docs/object-storage.md)"
            }
            ObjectError::IgnoresConditions { .. } | ObjectError::Unsupported { .. } => {
                "use a store that keeps `If-None-Match` and `If-Match` of PUT, as Amazon S3 does: \
                 without them two runs would write over each other's events"
            }
            ObjectError::Denied { place, .. } if place.starts_with("az://") => {
                "the identity needs to read and write blobs of the container (`Storage Blob Data \
                 Contributor`, or docs/object-storage.md); check also that the key has not \
                 expired and that the clock is right"
            }
            ObjectError::Denied { place, .. } if place.starts_with("gs://") => {
                "the account needs storage.objects.get, .create and .delete (to replace the \
                 state) below the prefix, and .list of the bucket; check also that the key has \
                 not expired and that the clock is right"
            }
            ObjectError::Denied { .. } => {
                "the key needs s3:GetObject and s3:PutObject below the prefix, and s3:ListBucket \
                 of the bucket, without which a missing object looks like a refusal; check also \
                 that the key has not expired and that the clock is right"
            }
            ObjectError::Uncopied { .. } => "let TMPDIR name a folder with room for all of it",
            ObjectError::OtherContent { .. } => {
                "the folder belongs to another history of this source: restore the state that \
                 wrote it, or begin with a new folder and a new state; no object was changed, and \
                 the events wait in the state"
            }
            ObjectError::Fenced { .. } => {
                "nothing is lost or repeated: let one run at a time pull a source, and run it again"
            }
            ObjectError::NoBucket { .. } => "create it, or correct its name or the endpoint",
            ObjectError::Failed { .. } => {
                "run it again when the store answers; nothing is lost, and nothing is written \
                 twice; where no key is set, the platform is asked for one, which may be what \
                 does not answer"
            }
        }
    }
}
