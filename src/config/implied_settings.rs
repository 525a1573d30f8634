//! Builds settings when the configuration names no source: for the organization that the
//! environment describes, or for the keys that `auth login` left in the keyring.

use std::path::PathBuf;

use crate::config::check::{self, NO_SPAN};
use crate::config::env::{self, ProcessEnv};
use crate::config::error::ConfigError;
use crate::config::file::{ConfigFile, ErrorLocation, SourceTable, without_span};
use crate::config::settings::Settings;
use crate::config::source;
use crate::model::name::{SourceKind, SourceName};
use crate::model::source_kind::SourceAddress;

/// The source's name when nothing names it. It stands in every event and names the checkpoint, so
/// it must not change between runs.
pub const DEFAULT_SOURCE: &str = "org";

/// The settings without a configured source, in this order: the names typed, each an entry of the
/// keyring; the organization of `ATLAUDIT_API_KEY`; every entry of the keyring (`in_keyring` is asked
/// only then); [`DEFAULT_SOURCE`], whose credential will be reported as missing. Nothing of all that is refused.
pub fn settings(
    file: &ConfigFile,
    env: &ProcessEnv,
    state_dir: PathBuf,
    typed: &[SourceName],
    in_keyring: &dyn Fn() -> Vec<SourceName>,
) -> Result<Settings, ConfigError> {
    let below = check::global_output(file)?;
    let mut sources = Vec::new();
    for name in names(file, env, typed, in_keyring)? {
        let mut table = SourceTable {
            kind: without_span(SourceKind::implied_by(SourceAddress::Organization).as_str()),
            ..SourceTable::default()
        };
        // The environment describes one organization: with several names typed it is not theirs.
        if typed.len() <= 1 {
            check::apply_environment(&mut table, env)?;
        }
        let at = ErrorLocation { file, source: Some(&name) };
        sources.push(source::check(&at, &name, &NO_SPAN, &table, &below)?);
    }
    Ok(Settings { config_file: file.path.clone(), state_dir, file_mode: below.mode, sources })
}

fn names(
    file: &ConfigFile,
    env: &ProcessEnv,
    typed: &[SourceName],
    in_keyring: &dyn Fn() -> Vec<SourceName>,
) -> Result<Vec<SourceName>, ConfigError> {
    let has_org_id = env.var_os(env::ORG_ID).is_some();
    if env.var_os(env::API_KEY).is_none() && (typed.is_empty() || !has_org_id) {
        let mut found = in_keyring();
        found.sort();
        found.dedup();
        if found.is_empty() && !has_org_id {
            return Err(not_configured_error(file));
        }
        if typed.is_empty() && !found.is_empty() {
            return Ok(found);
        }
    }
    if !typed.is_empty() {
        return Ok(typed.to_vec());
    }
    let name = DEFAULT_SOURCE.parse().map_err(|rule: String| ConfigError::new(rule))?;
    Ok(vec![name])
}

/// A new user has no configuration file, and no key in the environment or the keyring.
fn not_configured_error(file: &ConfigFile) -> ConfigError {
    let place = match (&file.path, &file.expected_path) {
        (Some(path), _) => format!("{} names no source", path.display()),
        (None, Some(place)) => format!("there is no {}", place.display()),
        (None, None) => "there is no configuration file".to_owned(),
    };
    ConfigError::new("nothing is configured yet")
        .because(format!("{place}, and neither {} nor {} is set", env::API_KEY, env::ORG_ID))
        .because("no key was found in an OS keyring")
        .hint("`atlaudit auth login NAME` adds a source; `atlaudit demo` needs none")
}

/// Refuses to guess between several entries of the keyring.
pub fn reject_ambiguous_keyring(settings: &Settings) -> Result<(), ConfigError> {
    if settings.sources.len() < 2 {
        return Ok(());
    }
    let names: Vec<String> =
        settings.sources.iter().map(|source| format!("`{}`", source.name)).collect();
    Err(ConfigError::new(format!(
        "no source is configured, and the keyring holds keys for several: {}",
        names.join(", ")
    ))
    .hint("name the one to pull, or write them into the configuration file"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::{CredentialSpec, SourceTarget};

    fn name(text: &str) -> SourceName {
        text.parse().unwrap()
    }

    fn implied(env: &ProcessEnv, typed: &[&str], keyring: &[&str]) -> Settings {
        let typed: Vec<_> = typed.iter().map(|t| name(t)).collect();
        let found = || keyring.iter().map(|t| name(t)).collect();
        settings(&ConfigFile::absent(), env, "/s".into(), &typed, &found).unwrap()
    }

    fn names_of(settings: &Settings) -> Vec<&str> {
        settings.sources.iter().map(|source| source.name.as_str()).collect()
    }

    #[test]
    fn the_environment_describes_a_source() {
        let env = ProcessEnv::with([(env::API_KEY, "k"), (env::ORG_ID, "o-1")], "/");
        let settings = implied(&env, &[], &["acme"]);
        assert_eq!(names_of(&settings), [DEFAULT_SOURCE]);
        let source = &settings.sources[0];
        assert_eq!(source.credential, CredentialSpec::Env(env::API_KEY.to_owned()));
        assert!(
            matches!(&source.target, SourceTarget::OrgEvents { org_id: Some(id), .. } if id == "o-1")
        );
        assert_eq!(names_of(&implied(&env, &["mine"], &[])), ["mine"]);
    }

    #[test]
    fn the_keyring_describes_sources_otherwise() {
        let env = ProcessEnv::default();
        assert_eq!(names_of(&implied(&env, &[], &["acme"])), ["acme"]);
        assert_eq!(names_of(&implied(&env, &["x"], &["acme"])), ["x"]);
        let env = ProcessEnv::with([(env::ORG_ID, "o-1")], "/");
        let none = implied(&env, &[], &[]);
        assert_eq!(names_of(&none), [DEFAULT_SOURCE]);
        assert_eq!(none.sources[0].credential, CredentialSpec::Keyring);
        assert!(reject_ambiguous_keyring(&none).is_ok());
    }

    #[test]
    fn nothing_at_all_is_refused() {
        for typed in [&[][..], &[name("acme")]] {
            let env = ProcessEnv::default();
            let refused = settings(&ConfigFile::absent(), &env, "/s".into(), typed, &Vec::new);
            let error = refused.unwrap_err();
            assert_eq!(error.to_string(), "nothing is configured yet");
            assert!(error.hint_text().unwrap().contains("auth login"));
        }
    }

    #[test]
    fn several_keyring_entries_are_rejected() {
        let error =
            reject_ambiguous_keyring(&implied(&ProcessEnv::default(), &[], &["b", "a", "b"]))
                .unwrap_err();
        assert!(error.to_string().contains("`a`, `b`"), "{error}");
    }
}
