//! The responses to an incident, and what they need of the configuration: a second credential, its
//! name, and the accounts that are never touched.

use std::fmt;
use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::config::credential_spec;
use crate::config::error::{ConfigError, HintedError};
use crate::config::file::{ConfigFile, ErrorLocation};
use crate::config::settings::{CredentialSpec, SourceSettings};
use crate::config::validate;
use crate::model::name::SourceName;

/// What can be done in the first hour of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResponseAction {
    /// Take a user's access to the organization's sites, in each directory
    Suspend,
    /// Give that access back
    Restore,
    /// Disable a managed account everywhere; Atlassian mails its user
    Disable,
    /// Enable the account again
    Enable,
    /// Revoke all API tokens of a managed account, for good
    RevokeTokens,
    /// Revoke an API key of the organization, for good
    RevokeKey,
    /// Move a user to the authentication policy of --policy
    Quarantine,
    /// Move the user back, to the policy of --policy
    Release,
    /// No API does it: print what a person does, and what comes nearest
    SignInAgain,
    /// No API does it: print what a person does, and what comes nearest
    Notify,
}

impl ResponseAction {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            ResponseAction::Suspend => "suspend",
            ResponseAction::Restore => "restore",
            ResponseAction::Disable => "disable",
            ResponseAction::Enable => "enable",
            ResponseAction::RevokeTokens => "revoke-tokens",
            ResponseAction::RevokeKey => "revoke-key",
            ResponseAction::Quarantine => "quarantine",
            ResponseAction::Release => "release",
            ResponseAction::SignInAgain => "sign-in-again",
            ResponseAction::Notify => "notify",
        }
    }

    /// The action that takes it back; none, if nothing does.
    pub fn undo(self) -> Option<ResponseAction> {
        match self {
            ResponseAction::Suspend => Some(ResponseAction::Restore),
            ResponseAction::Restore => Some(ResponseAction::Suspend),
            ResponseAction::Disable => Some(ResponseAction::Enable),
            ResponseAction::Enable => Some(ResponseAction::Disable),
            ResponseAction::Quarantine | ResponseAction::Release => Some(ResponseAction::Release),
            ResponseAction::RevokeTokens
            | ResponseAction::RevokeKey
            | ResponseAction::SignInAgain
            | ResponseAction::Notify => None,
        }
    }

    /// Whether it takes something from the account, so that the guards of accounts count.
    pub fn is_containment(self) -> bool {
        matches!(
            self,
            ResponseAction::Suspend
                | ResponseAction::Disable
                | ResponseAction::RevokeTokens
                | ResponseAction::Quarantine
                // The same request as a quarantine: it depends on the policy what it means.
                | ResponseAction::Release
        )
    }
}

impl fmt::Display for ResponseAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the configuration says about responses in one organization.
#[derive(Debug, Clone)]
pub struct RespondSettings {
    /// The second credential.
    pub credential: CredentialSpec,
    /// What the list of keys calls it.
    pub key_name: Option<String>,
    /// Addresses and ids of accounts that are never touched.
    pub break_glass: Vec<String>,
}

/// The organization of a response.
#[derive(Debug)]
pub struct RespondTarget {
    /// The source.
    pub source: SourceSettings,
    /// Its second credential, and whom it never touches.
    pub settings: RespondSettings,
    /// How this program was called, for commands that are to be typed: `atlaudit --config FILE`.
    pub call: String,
}

/// The request of `respond`.
#[derive(Debug)]
pub enum RespondRequest {
    /// Say what a person does, because no API does it.
    Guidance(ResponseAction),
    /// Make a plan.
    Plan(Box<PlanRequest>),
    /// Apply one.
    Apply(Box<ApplyRequest>),
}

/// The request of a plan.
#[derive(Debug)]
pub struct PlanRequest {
    /// The organization.
    pub target: RespondTarget,
    /// What is to be done.
    pub action: ResponseAction,
    /// The account or key, as it was typed.
    pub subject: String,
    /// The authentication policy to move to.
    pub policy_id: Option<String>,
    /// The directories that it is about; all, if none is named.
    pub directories: Vec<String>,
    /// What is stored with the block of a disabled account.
    pub message: Option<String>,
    /// The account may be an admin's.
    pub allows_admin: bool,
    /// Where the plan goes, if not into the state folder.
    pub plan: Option<PathBuf>,
    /// Where the record is.
    pub state_dir: PathBuf,
}

/// The request to apply a plan.
#[derive(Debug)]
pub struct ApplyRequest {
    /// The organization.
    pub target: RespondTarget,
    /// The plan's file.
    pub plan: PathBuf,
    /// The case that it belongs to.
    pub case: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Nobody is asked.
    pub is_confirmed: bool,
    /// Where the record is.
    pub state_dir: PathBuf,
}

impl ConfigFile {
    /// What is configured for responses in the organization of the source `name`; none without a
    /// second credential.
    pub fn respond_settings(
        &self,
        name: &SourceName,
    ) -> Result<Option<RespondSettings>, ConfigError> {
        let Some((key, table)) = self.source(name) else { return Ok(None) };
        let place = key.span();
        let at = ErrorLocation { file: self, source: Some((name, &place)) };
        let credential =
            at.text("respond_credential", &table.respond_credential, credential_spec::parse)?;
        let key_name = at.text("respond_key_name", &table.respond_key_name, validate::key_name)?;
        let first = at.text("credential", &table.credential, credential_spec::parse)?;
        match credential {
            None => Ok(None),
            Some(CredentialSpec::Keyring) => Err(ConfigError::new(format!(
                "source `{name}`: `respond_credential` cannot be the keyring, which holds the \
                 first key under the source's name"
            ))
            .hint("use file:PATH, env:NAME, systemd:NAME or command:PROGRAM ARG...")),
            Some(credential) if first.as_ref() == Some(&credential) => Err(ConfigError::new(
                format!("source `{name}`: `respond_credential` is the same as `credential`"),
            )
            .hint("make a second key, which nothing but `atlaudit respond` reads")),
            Some(credential) => {
                Ok(Some(RespondSettings { credential, key_name, break_glass: self.break_glass()? }))
            }
        }
    }

    /// The accounts of `[respond] break_glass`. One that is misspelt would protect nobody.
    fn break_glass(&self) -> Result<Vec<String>, ConfigError> {
        let at = ErrorLocation { file: self, source: None };
        let mut accounts = Vec::new();
        for entry in &self.tables.respond.break_glass {
            let read = |text: &str| {
                let text = text.trim();
                let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '*' | ',');
                match !text.is_empty() && text.chars().all(is_plain) {
                    true => Ok(text.to_owned()),
                    false => {
                        Err(HintedError::new("is neither an address nor the id of an account")
                            .hint("write one account an entry, such as `break-glass@acme.example`"))
                    }
                }
            };
            accounts.extend(at.text("respond.break_glass", &Some(entry.clone()), read)?);
        }
        Ok(accounts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_command_line() {
        for action in ResponseAction::value_variants() {
            assert_eq!(action.to_possible_value().unwrap().get_name(), action.as_str());
        }
    }
}
