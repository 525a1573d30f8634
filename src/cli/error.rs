//! Describes why a command line that parses is still refused.

use std::fmt;

use crate::config::error::{ConfigError, HintedError};
use crate::credentials::CredentialError;
use crate::exit::Exit;

/// The arguments contradict each other, or the configuration is wrong.
#[derive(Debug)]
pub enum ResolveError {
    /// What was typed makes no sense.
    Usage(HintedError),
    /// The configuration cannot be used.
    Config(ConfigError),
    /// A key could not be stored where it should be.
    Credential(CredentialError),
}

impl ResolveError {
    /// A usage error with what to do.
    pub(super) fn usage(what: impl Into<String>, hint: impl Into<String>) -> ResolveError {
        ResolveError::Usage(HintedError::new(what).hint(hint))
    }

    /// How the run ends.
    pub fn exit(&self) -> Exit {
        match self {
            ResolveError::Usage(_) => Exit::Usage,
            ResolveError::Config(_) => Exit::Config,
            ResolveError::Credential(_) => Exit::Credential,
        }
    }

    /// Why, outermost first.
    pub fn causes(&self) -> &[String] {
        match self {
            ResolveError::Usage(_) | ResolveError::Credential(_) => &[],
            ResolveError::Config(error) => error.causes(),
        }
    }

    /// What to do, when there is something to say.
    pub fn hint(&self) -> Option<&str> {
        match self {
            ResolveError::Usage(refusal) => refusal.hint.as_deref(),
            ResolveError::Config(error) => error.hint_text(),
            ResolveError::Credential(error) => Some(error.hint()),
        }
    }
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResolveError::Usage(refusal) => f.write_str(&refusal.what),
            ResolveError::Config(error) => error.fmt(f),
            ResolveError::Credential(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ResolveError {}

impl From<ConfigError> for ResolveError {
    fn from(error: ConfigError) -> ResolveError {
        ResolveError::Config(error)
    }
}
