//! Loads the configuration for a command, with access to files, keyring and terminal through
//! [`HostAccess`].

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::cli::args::GlobalArgs;
use crate::config::check;
use crate::config::config_paths;
use crate::config::env::ProcessEnv;
use crate::config::error::ConfigError;
use crate::config::file::ConfigFile;
use crate::config::implied_settings;
use crate::config::prompt::UserPrompt;
use crate::config::request::KeyLocation;
use crate::config::settings::Settings;
use crate::credentials::CredentialError;
use crate::model::name::SourceName;
use crate::sink::location::FileIdentity;

/// What a command line can depend on besides its arguments and the environment.
pub struct HostAccess<'a> {
    /// Reads a text file.
    pub read_file: &'a dyn Fn(&Path) -> io::Result<String>,
    /// The names in the keyring, or none if it cannot be read. Called only when neither the file
    /// nor the environment names a source.
    pub keyring_names: &'a dyn Fn() -> Vec<SourceName>,
    /// Whether a key can be stored in a place. Called by `auth login` only, before it prompts.
    pub check_store: &'a dyn Fn(&KeyLocation<'_>) -> Result<(), CredentialError>,
    /// Finds the file that a path leads to.
    pub identify: &'a dyn Fn(&Path) -> FileIdentity,
    /// A prompt on the terminal, if there is one. Called only when a value is missing.
    pub open_prompt: &'a dyn Fn() -> Option<Box<dyn UserPrompt>>,
}

/// Reads the configuration file. Only one that the user named must exist.
pub(super) fn load(
    global: &GlobalArgs,
    env: &ProcessEnv,
    outside: &HostAccess<'_>,
) -> Result<ConfigFile, ConfigError> {
    match config_paths::config_file(global.config.as_deref(), env) {
        None => Ok(ConfigFile::absent()),
        Some(place) => load_at(&place.path, place.is_explicit, outside),
    }
}

/// Reads the configuration file at `path`.
pub(super) fn load_at(
    path: &Path,
    must_exist: bool,
    outside: &HostAccess<'_>,
) -> Result<ConfigFile, ConfigError> {
    match (outside.read_file)(path) {
        Ok(text) => ConfigFile::parse(path, text),
        Err(error) if error.kind() == ErrorKind::NotFound && !must_exist => {
            Ok(ConfigFile::absent_at(path))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(ConfigError::new("the configuration file does not exist").in_file(path, None).hint(
                "check `--config` or ATLAUDIT_CONFIG; `atlaudit auth login NAME` starts a new one",
            ))
        }
        Err(error) => {
            Err(ConfigError::new(format!("the configuration file cannot be read: {error}"))
                .in_file(path, None)
                .hint("check that it is a text file that this user may read"))
        }
    }
}

/// The settings of the file, or the implied ones when it names no source.
pub(super) fn settings(
    file: &ConfigFile,
    global: &GlobalArgs,
    env: &ProcessEnv,
    typed: &[SourceName],
    outside: &HostAccess<'_>,
) -> Result<Settings, ConfigError> {
    let state_dir = config_paths::state_dir(global.state_dir.as_deref(), env)?;
    if file.tables.sources.0.is_empty() {
        implied_settings::settings(file, env, state_dir, typed, outside.keyring_names)
    } else {
        check::settings(file, env, state_dir)
    }
}

/// The settings for a pull of the sources `typed`: one implied source is not guessed among several.
pub(super) fn pull_settings(
    global: &GlobalArgs,
    env: &ProcessEnv,
    typed: &[SourceName],
    outside: &HostAccess<'_>,
) -> Result<Settings, ConfigError> {
    let file = load(global, env, outside)?;
    let settings = settings(&file, global, env, typed, outside)?;
    if file.tables.sources.0.is_empty() && typed.is_empty() {
        implied_settings::reject_ambiguous_keyring(&settings)?;
    }
    Ok(settings)
}
