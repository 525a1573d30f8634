//! Stores and removes keys where sources read them: in the OS keyring or in a file.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::config::env::Env;
use crate::config::error::{ConfigError, Refusal};
use crate::config::request::KeyPlace;
use crate::config::settings::{CredentialSpec, SourceSettings};
use crate::credentials::error::CredentialError;
use crate::credentials::value::StoredSecret;
use crate::credentials::{key_file, keyring};
use crate::model::name::SourceName;

/// Why a key cannot be stored in a place.
#[derive(Debug)]
pub enum StoreError {
    /// The path is used for something else.
    PathTaken(ConfigError),
    /// There is no keyring, or the file cannot be written.
    Unusable(CredentialError),
}

/// Checks that a key can be stored in `place`, before somebody is asked for it. It blocks: for the
/// start of the program.
///
/// # Errors
/// The path is used for something else, the file cannot be written, or there is no keyring.
pub fn check_store(place: &KeyPlace<'_>, env: &Env) -> Result<(), StoreError> {
    let name = place.name;
    let unusable = |refusal| StoreError::Unusable(CredentialError::new(name, refusal));
    match place.credential {
        CredentialSpec::Keyring => keyring::look_for(name).map_err(unusable),
        CredentialSpec::File(path) => {
            let path = env.at_cwd(path);
            if let Some((what, _)) = place.taken.iter().find(|(_, taken)| lies_in(&path, taken)) {
                let error = format!("source `{name}`: {} is {what}", path.display());
                let error = ConfigError::new(error).hint("store the key in a file of its own");
                return Err(StoreError::PathTaken(error));
            }
            key_file::check(&path, place.is_configured).map_err(unusable)
        }
        other => Err(unusable(not_writable(other))),
    }
}

/// Stores `secret` where `source` reads it, in place of what is there.
///
/// # Errors
/// It cannot be stored; what was there before is unchanged.
pub async fn store(
    source: &SourceSettings,
    env: &Env,
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
    env: &Env,
) -> Result<bool, CredentialError> {
    let removed = match credential {
        CredentialSpec::Keyring => keyring::delete(name).await,
        CredentialSpec::File(path) => key_file::remove(&env.at_cwd(path)),
        other => Err(not_writable(other)),
    };
    removed.map_err(|refusal| CredentialError::new(name, refusal))
}

fn not_writable(credential: &CredentialSpec) -> Refusal {
    Refusal::new(format!("no key can be stored in {credential}"))
        .hint("use `--store keyring` or `--store file:PATH`")
}

/// Whether `path` is `other`, or lies in it, whatever links lead there. Neither need exist.
fn lies_in(path: &Path, other: &Path) -> bool {
    real(path).starts_with(real(other))
}

/// `path` with the links of the part that exists followed.
fn real(path: &Path) -> PathBuf {
    let mut missing: Vec<OsString> = Vec::new();
    for ancestor in path.ancestors() {
        if let Ok(mut real) = fs::canonicalize(ancestor) {
            real.extend(missing.iter().rev());
            return real;
        }
        missing.extend(ancestor.file_name().map(OsString::from));
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_recognised_through_links_and_before_it_exists() {
        let base = tempfile::tempdir().unwrap();
        let at = |name: &str| base.path().join(name);
        fs::create_dir(at("state")).unwrap();
        std::os::unix::fs::symlink("state", at("link")).unwrap();
        assert!(lies_in(&at("link/acme.json"), &at("state")));
        assert!(lies_in(&at("state/new/x"), &at("link")));
        assert!(lies_in(&at("config.toml"), &at("config.toml")));
        assert!(!lies_in(&at("state2/x"), &at("state")));
        assert!(!lies_in(&at("x"), &at("none/x")));
    }

    #[test]
    fn a_taken_path_is_refused_as_configuration() {
        let base = tempfile::tempdir().unwrap();
        let credential = CredentialSpec::File(base.path().join("state/k"));
        let place = KeyPlace {
            name: &"acme".parse().unwrap(),
            credential: &credential,
            is_configured: true,
            taken: vec![("in the state folder".to_owned(), base.path().join("state"))],
        };
        match check_store(&place, &Env::default()) {
            Err(StoreError::PathTaken(error)) => {
                assert!(
                    error
                        .to_string()
                        .ends_with("/state/k is in the state folder")
                );
            }
            other => panic!("{other:?}"),
        }
    }
}
