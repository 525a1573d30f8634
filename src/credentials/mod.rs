//! Finds the secret of a source, with one small file for each kind of store. What is found is
//! checked and wrapped at once; no error ever quotes it.

mod command;
mod env;
mod error;
mod file;
mod key_file;
pub mod keyring;
mod store;
mod systemd;
mod value;

use chrono::NaiveDate;
use secrecy::SecretString;

use crate::config::env::ProcessEnv;
use crate::config::settings::{CredentialSpec, SourceSettings};
use crate::model::source_kind::SourceAddress;
use crate::model::time::Timestamp;

pub use error::CredentialError;
pub use file::{read as private_file, read_guarded as guarded_file};
pub use store::{check_store, remove, store};
pub use value::{StoredSecret, check_key};

/// A source's secret and what was kept beside it.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The API key or token.
    pub key: SecretString,
    /// The organization: the configured one, else the one kept beside the key.
    pub org_id: Option<String>,
    /// The account of Basic authentication: the configured one, else the one kept beside the key.
    pub account: Option<String>,
    /// Where it was found, in words that may be printed.
    pub origin: String,
    /// When `auth login` kept it, where that is known.
    pub stored: Option<Timestamp>,
    /// The day it expires, if it was given to `auth login`.
    pub expires: Option<NaiveDate>,
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
        CredentialSpec::Env(variable) => env::read(variable, env),
        CredentialSpec::File(path) => {
            let login = format!(
                "`atlaudit auth login {name}` asks for the key, tests it and stores it there"
            );
            file::read(&env.at_cwd(path), &login)
        }
        CredentialSpec::Command(words) => command::read(words, command::LIMIT).await,
        CredentialSpec::Systemd(credential) => systemd::read(credential, env),
    };
    let origin = describe_location(source);
    let kept = text
        .and_then(|text| value::parse(&text, &origin))
        .map_err(|refusal| CredentialError::new(name, refusal))?;
    let org_id = source.target.org_id().map(str::to_owned);
    let account = source.target.account().map(str::to_owned);
    Ok(Credential {
        key: kept.api_key,
        org_id: org_id.or(kept.org_id),
        account: account.or(kept.email),
        origin,
        stored: kept.stored,
        expires: kept.expires,
    })
}

/// Where `source`'s secret is kept, in words that may be printed.
pub fn describe_location(source: &SourceSettings) -> String {
    match &source.credential {
        CredentialSpec::Keyring => keyring::describe_location(&source.name),
        CredentialSpec::Env(variable) => format!("environment variable {variable}"),
        CredentialSpec::File(path) => format!("file {}", path.display()),
        CredentialSpec::Command(words) => format!("output of `{}`", command::program_name(words)),
        CredentialSpec::Systemd(credential) => format!("systemd credential `{credential}`"),
    }
}

/// How a new key gets to where `source`'s is kept.
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
            format!("have `{}` print a new one", command::program_name(words))
        }
        CredentialSpec::Systemd(credential) => {
            format!("put a new one into the systemd credential `{credential}`")
        }
    }
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
        source.target.set_org_id("configured".to_owned());
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
}
