//! Says why an object cannot be read or written, and what to do.

use std::error::Error as _;

use crate::exit::Exit;
use crate::model::text::printable;

/// What a store says of a call that failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoreAnswer(String);

impl StoreAnswer {
    /// What `text` says.
    pub fn new(text: &str) -> StoreAnswer {
        StoreAnswer(printable(text))
    }

    /// The store's own code and words in an error of the library, else its innermost cause: the
    /// library repeats all of it on each level.
    pub fn of(error: &object_store::Error) -> StoreAnswer {
        let text = error.to_string();
        let between = |tag: &str| {
            let (_, rest) = text.split_once(&format!("<{tag}>"))?;
            Some(rest.split_once(&format!("</{tag}>"))?.0)
        };
        if let (Some(code), Some(message)) = (between("Code"), between("Message")) {
            return StoreAnswer::new(&format!("{code}: {message}"));
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
        /// GetObject or PutObject.
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
    /// The store does not answer as it should, as often as it was tried.
    #[error("{call} of `{place}` failed {attempts} times")]
    Failed {
        /// GetObject or PutObject.
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

impl ObjectError {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            ObjectError::Unusable { .. } | ObjectError::NoBucket { .. } => Exit::Config,
            ObjectError::Denied { .. } => Exit::Credential,
            ObjectError::IgnoresConditions { .. } => Exit::State,
            ObjectError::Failed { .. } => Exit::Output,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            ObjectError::Unusable { .. } => {
                "write it like `s3://BUCKET/PREFIX`; AWS_REGION, AWS_ENDPOINT_URL and \
                 AWS_ACCESS_KEY_ID say where it is and who asks"
            }
            ObjectError::IgnoresConditions { .. } => {
                "use a store that keeps `If-None-Match` and `If-Match` of PUT, as Amazon S3 does: \
                 without them two runs would write over each other's events"
            }
            ObjectError::Denied { .. } => {
                "the key needs s3:GetObject and s3:PutObject below the prefix, and s3:ListBucket \
                 of the bucket, without which a missing object looks like a refusal; check also \
                 that the key has not expired and that the clock is right"
            }
            ObjectError::NoBucket { .. } => "create it, or correct the name or AWS_ENDPOINT_URL",
            ObjectError::Failed { .. } => {
                "run it again when the store answers; nothing is lost, and nothing is written twice"
            }
        }
    }
}
