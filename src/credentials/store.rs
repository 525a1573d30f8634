//! Stores and removes keys where sources read them: in the OS keyring or in a file.

use crate::config::env::ProcessEnv;
use crate::config::error::HintedError;
use crate::config::request::KeyLocation;
use crate::config::settings::{CredentialSpec, SourceSettings};
use crate::credentials::error::CredentialError;
use crate::credentials::value::StoredSecret;
use crate::credentials::{key_file, keyring};
use crate::model::name::SourceName;

/// Checks that a key can be stored in `place`, before somebody is asked for it. It blocks: for the
/// start of the program.
///
/// # Errors
/// The file cannot be written, or there is no keyring.
pub fn check_store(place: &KeyLocation<'_>, env: &ProcessEnv) -> Result<(), CredentialError> {
    let name = place.name;
    let checked = match place.credential {
        CredentialSpec::Keyring => keyring::check_available(name),
        CredentialSpec::File(path) => key_file::check(&env.at_cwd(path), place.is_configured),
        other => Err(not_writable(other)),
    };
    checked.map_err(|refusal| CredentialError::new(name, refusal))
}

/// Stores `secret` where `source` reads it, in place of what is there.
///
/// # Errors
/// It cannot be stored; what was there before is unchanged.
pub async fn store(
    source: &SourceSettings,
    env: &ProcessEnv,
    secret: &StoredSecret,
) -> Result<(), CredentialError> {
    let name = &source.name;
    let stored = match (&source.credential, secret.to_text()) {
        (_, Err(refusal)) => Err(refusal),
        (CredentialSpec::Keyring, Ok(text)) => keyring::store(name, text).await,
        (CredentialSpec::File(path), Ok(text)) => key_file::write(&env.at_cwd(path), &text),
        (other, Ok(_)) => Err(not_writable(other)),
    };
    stored.map_err(|refusal| CredentialError::new(name, refusal))
}

/// Removes the key of `name` from `credential`; `false` when there is none.
///
/// # Errors
/// It cannot be removed.
pub async fn remove(
    name: &SourceName,
    credential: &CredentialSpec,
    env: &ProcessEnv,
) -> Result<bool, CredentialError> {
    let removed = match credential {
        CredentialSpec::Keyring => keyring::delete(name).await,
        CredentialSpec::File(path) => key_file::remove(&env.at_cwd(path)),
        other => Err(not_writable(other)),
    };
    removed.map_err(|refusal| CredentialError::new(name, refusal))
}

fn not_writable(credential: &CredentialSpec) -> HintedError {
    HintedError::new(format!("no key can be stored in {credential}"))
        .hint("use `--store keyring` or `--store file:PATH`")
}
