//! Describes why a secret cannot be read or stored.

use std::fmt;

use crate::config::error::HintedError;
use crate::model::name::SourceName;

/// A source's credential is missing or of no use. Nothing in it comes from the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialError {
    name: SourceName,
    refusal: HintedError,
}

impl CredentialError {
    /// `refusal` where `name`'s credential was looked for.
    pub(crate) fn new(name: &SourceName, refusal: HintedError) -> CredentialError {
        CredentialError { name: name.clone(), refusal }
    }

    /// What to do.
    pub fn hint(&self) -> &str {
        self.refusal
            .hint
            .as_deref()
            .unwrap_or("check the source's `credential` in the configuration")
    }
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "source `{}`: {}", self.name, self.refusal.what)
    }
}

impl std::error::Error for CredentialError {}
