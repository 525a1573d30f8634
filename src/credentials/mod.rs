//! Finds, stores and removes the secret of a source. What is found is checked and wrapped at once;
//! no error ever quotes it.

mod command;
mod file;
pub mod keyring;
mod value;

use std::ffi::OsStr;
use std::path::Path;

use secrecy::SecretString;

use crate::config::env::{API_KEY, CREDENTIALS_DIRECTORY, ProcessEnv};
use crate::config::error::HintedError;
use crate::config::request::KeyLocation;
use crate::config::settings::{CredentialSpec, SourceSettings};
use crate::model::name::SourceName;
use crate::model::source_kind::SourceAddress;

pub use file::{read as private_file, read_guarded as guarded_file};
pub use value::{Credential, check_key};

/// A source's credential is missing or of no use. Nothing in it comes from the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("source `{name}`: {}", refusal.what)]
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
        let hint = self.refusal.hint.as_deref();
        hint.unwrap_or("check the source's `credential` in the configuration")
    }
}

/// Looks where `source` says, and checks what is there.
pub async fn load(
    source: &SourceSettings,
    env: &ProcessEnv,
) -> Result<Credential, CredentialError> {
    let name = &source.name;
    let text = match &source.credential {
        CredentialSpec::Keyring => {
            let is_organization = source.target.kind().address() == SourceAddress::Organization;
            keyring::read(name, is_organization).await
        }
        CredentialSpec::Env(variable) => read_variable(variable, env),
        CredentialSpec::File(path) => {
            let login = format!(
                "`atlaudit auth login {name}` asks for the key, tests it and stores it there"
            );
            file::read(&env.at_cwd(path), &login)
        }
        CredentialSpec::Command(words) => command::read(words, command::LIMIT).await,
        CredentialSpec::Systemd(credential) => read_unit_credential(credential, env),
    };
    let found = text.and_then(|text| value::parse(&text, &describe_location(source)));
    let mut credential = found.map_err(|refusal| CredentialError::new(name, refusal))?;
    // What is configured wins over what is stored beside the key.
    credential.org_id = source.target.org_id.clone().or(credential.org_id);
    credential.account = source.target.account.clone().or(credential.account);
    Ok(credential)
}

/// The value of an environment variable.
fn read_variable(variable: &str, env: &ProcessEnv) -> Result<SecretString, HintedError> {
    let problem = match env.var_os(variable).map(OsStr::to_str) {
        Some(Some(text)) => return Ok(SecretString::from(text)),
        Some(None) => "is not text",
        None => "is not set or empty",
    };
    let hint = match variable {
        API_KEY => format!("set {variable}, or keep a key with `atlaudit auth login NAME`"),
        _ => format!(
            "set {variable} where atlaudit is started; cron and systemd do not inherit your \
             shell's variables"
        ),
    };
    Err(HintedError::new(format!("environment variable {variable} {problem}")).hint(hint))
}

/// The credential `name`, a plain file name, that systemd passes to a unit (`LoadCredential=`,
/// `SetCredentialEncrypted=`).
fn read_unit_credential(name: &str, env: &ProcessEnv) -> Result<SecretString, HintedError> {
    let found = match env.var_os(CREDENTIALS_DIRECTORY) {
        None => Err(HintedError::new(format!("{CREDENTIALS_DIRECTORY} is not set"))),
        // systemd guards the folder itself, and gives the files group bits of its own.
        Some(folder) => file::read_guarded(&Path::new(folder).join(name)),
    };
    found.map_err(|refusal| {
        refusal.with_context(format!("systemd credential `{name}`")).hint(format!(
            "add `LoadCredential={name}:/path/to/key` to the unit, and start atlaudit by systemd"
        ))
    })
}

/// Where `source`'s secret is stored, in words that may be printed.
pub fn describe_location(source: &SourceSettings) -> String {
    match &source.credential {
        CredentialSpec::Keyring => keyring::describe_location(&source.name),
        CredentialSpec::Env(variable) => format!("environment variable {variable}"),
        CredentialSpec::File(path) => format!("file {}", path.display()),
        CredentialSpec::Command(words) => format!("output of `{}`", command::program_name(words)),
        CredentialSpec::Systemd(credential) => format!("systemd credential `{credential}`"),
    }
}

/// How a new key gets to where `source`'s is stored.
pub fn replacement_hint(source: &SourceSettings) -> String {
    match &source.credential {
        CredentialSpec::Keyring => {
            format!("`atlaudit auth login {}` stores a new one", source.name)
        }
        CredentialSpec::Env(variable) => format!("set the variable {variable} to a new one"),
        CredentialSpec::File(path) => format!(
            "write a new one into {}, or run `atlaudit auth login {}`",
            path.display(),
            source.name
        ),
        CredentialSpec::Command(words) => {
            format!("update what `{}` prints", command::program_name(words))
        }
        CredentialSpec::Systemd(credential) => {
            format!("put a new one into the systemd credential `{credential}`")
        }
    }
}

/// Checks that a key can be stored in `place`, before somebody is asked for it. It blocks: for the
/// start of the program.
///
/// # Errors
/// The file cannot be written, or there is no keyring.
pub fn check_store(place: &KeyLocation<'_>, env: &ProcessEnv) -> Result<(), CredentialError> {
    let name = place.name;
    let checked = match place.credential {
        CredentialSpec::Keyring => keyring::check_available(name),
        CredentialSpec::File(path) => file::check_writable(&env.at_cwd(path), place.is_configured),
        other => Err(not_writable(other)),
    };
    checked.map_err(|refusal| CredentialError::new(name, refusal))
}

/// Stores `credential` where `source` reads it, in place of what is there.
///
/// # Errors
/// It cannot be stored; what was there before is unchanged.
pub async fn store(
    source: &SourceSettings,
    env: &ProcessEnv,
    credential: &Credential,
) -> Result<(), CredentialError> {
    let name = &source.name;
    // A Data Center's user name is in the configuration.
    let has_email = source.target.kind().address() == SourceAddress::Site;
    let stored = match (&source.credential, credential.to_text(has_email)) {
        (_, Err(refusal)) => Err(refusal),
        (CredentialSpec::Keyring, Ok(text)) => keyring::store(name, text).await,
        (CredentialSpec::File(path), Ok(text)) => file::write(&env.at_cwd(path), &text),
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
        CredentialSpec::File(path) => file::remove(&env.at_cwd(path)),
        other => Err(not_writable(other)),
    };
    removed.map_err(|refusal| CredentialError::new(name, refusal))
}

fn not_writable(credential: &CredentialSpec) -> HintedError {
    HintedError::new(format!("no key can be stored in {credential}"))
        .hint("use `--store keyring` or `--store file:PATH`")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use secrecy::ExposeSecret;

    use super::*;
    use crate::config::file::ConfigFile;
    use crate::config::{check, settings::Settings};

    fn source(credential: &str) -> SourceSettings {
        let text = format!("[sources.acme]\ntype = 'org-events'\ncredential = '{credential}'\n");
        let loaded = ConfigFile::parse(&PathBuf::from("/c"), text).ok().unwrap();
        let Settings { sources, .. } =
            check::settings(&loaded, &ProcessEnv::default(), "/s".into()).unwrap();
        sources.into_iter().next().unwrap()
    }

    #[tokio::test]
    async fn a_variable_holds_the_key_or_an_object() {
        let env = ProcessEnv::with(
            [("K", "SECRETKEY\n"), ("J", r#"{"api_key": "SECRETKEY", "org_id": "o1"}"#)],
            "/",
        );
        for (spec, org_id) in [("env:K", None), ("env:J", Some("o1"))] {
            let credential = load(&source(spec), &env).await.unwrap();
            assert_eq!(credential.key.expose_secret(), "SECRETKEY");
            assert_eq!(credential.org_id.as_deref(), org_id);
            assert!(!format!("{credential:?}").contains("SECRETKEY"));
        }
    }

    #[tokio::test]
    async fn what_is_configured_wins_over_what_is_kept() {
        let env = ProcessEnv::with([("J", r#"{"api_key": "k", "org_id": "kept"}"#)], "/");
        let mut source = source("env:J");
        source.target.org_id = Some("configured".to_owned());
        let credential = load(&source, &env).await.unwrap();
        assert_eq!(credential.org_id.as_deref(), Some("configured"));
    }

    #[tokio::test]
    async fn a_refusal_names_source_place_and_remedy() {
        let env = ProcessEnv::with([("BAD", "SECRET KEY"), ("JSON", r#"{"key": "SECRET"}"#)], "/");
        for spec in [
            "env:NONE",
            "env:BAD",
            "env:JSON",
            "file:/nowhere/key",
            "systemd:x",
            "command:/nowhere/prog SECRET",
        ] {
            let error = load(&source(spec), &env).await.unwrap_err();
            let said = error.to_string();
            assert!(said.starts_with("source `acme`: "), "{said}");
            assert!(!error.hint().is_empty(), "{said}");
            let all = format!("{said} {error:?} {}", error.hint());
            assert!(!all.contains("SECRET"), "{all}");
            assert!(!all.contains('\n'), "{all}");
        }
    }

    #[test]
    fn the_file_of_that_name_is_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("acme"), "SECRET\n").unwrap();
        let env = ProcessEnv::with([(CREDENTIALS_DIRECTORY, folder.path())], "/");
        assert_eq!(read_unit_credential("acme", &env).unwrap().expose_secret(), "SECRET\n");
        let refusal = read_unit_credential("other", &env).unwrap_err();
        assert!(refusal.hint.unwrap().contains("LoadCredential=other:"));
        assert!(read_unit_credential("acme", &ProcessEnv::default()).is_err());
    }
}
