//! What a command is resolved from besides its own flags: the environment, the configuration and
//! the host, which tests replace.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::cli::args::GlobalArgs;
use crate::cli::store_location;
use crate::config::check;
use crate::config::detection::DetectSettings;
use crate::config::env::{self, ConfigOrigin, ConfigPath, ProcessEnv};
use crate::config::error::ConfigError;
use crate::config::file::ConfigFile;
use crate::config::prompt::UserPrompt;
use crate::config::request::KeyLocation;
use crate::config::settings::{
    ExtraActionsFile, ObjectStoreSettings, Settings, SourceSettings, TableSpace, TableStyle,
};
use crate::config::telemetry::ColorMode;
use crate::crash;
use crate::credentials::CredentialError;
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::name::SourceName;
use crate::model::time::Timestamp;
use crate::model::user_zone::UserZone;
use crate::normalise::taxonomy::Taxonomy;
use crate::sink::location::FileIdentity;

/// For how many milliseconds a store is tried again: as long as a source.
const STORE_RETRY_MS: usize = 60_000;

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

/// What every command is resolved from.
#[derive(Clone, Copy)]
pub struct CommandContext<'a> {
    /// Flags of every command.
    pub global: &'a GlobalArgs,
    /// The environment.
    pub env: &'a ProcessEnv,
    /// The start of the run.
    pub now: Timestamp,
    /// The zone of typed times.
    pub zone: UserZone,
    /// Files, keyring and terminal.
    pub host: &'a HostAccess<'a>,
}

impl CommandContext<'_> {
    /// How tables on standard output look.
    pub fn table_style(&self) -> TableStyle {
        let color = ColorMode::choose(self.global.color, self.env);
        TableStyle {
            width: self.env.table_width(),
            zone: self.zone,
            is_coloured: color.enabled(self.env.stdout_is_terminal),
        }
    }

    /// Where small tables on standard output are shown.
    pub fn table_space(&self) -> TableSpace {
        let columns = self.env.stdout_is_terminal.then(|| self.env.table_width());
        TableSpace { columns, is_coloured: self.table_style().is_coloured }
    }

    /// The folder of checkpoints and locks; `file` is the configuration.
    pub fn state_dir(&self, file: &ConfigFile) -> Result<PathBuf, ConfigError> {
        env::state_dir(self.global.state_dir.as_deref(), file.state_dir()?, self.env)
    }

    /// The object store at `url`, as the environment describes it.
    pub fn object_store(&self, url: Url) -> Result<ObjectStoreSettings, ConfigError> {
        let retry_for = crash::limit("STORE_RETRY_MS", STORE_RETRY_MS);
        store_location::settings(url, self.env, Duration::from_millis(retry_for as u64))
    }

    /// The object store where the states of `settings` are, if they are in one.
    pub fn remote_state(
        &self,
        settings: &Settings,
    ) -> Result<Option<ObjectStoreSettings>, ConfigError> {
        settings.state_url.clone().map(|url| self.object_store(url)).transpose()
    }

    /// Where the configuration is looked for, in this order.
    pub fn config_places(&self) -> Vec<ConfigPath> {
        env::config_places(self.global.config.as_deref(), self.env)
    }

    /// The configuration file: the one that the user named, else the first that exists, else the
    /// user's, which can be created.
    pub fn config_file(&self) -> Option<ConfigPath> {
        let places = self.config_places();
        let used = |place: &&ConfigPath| place.is_explicit() || self.exists(&place.path);
        let new = |place: &&ConfigPath| place.origin == ConfigOrigin::User;
        places.iter().find(used).or_else(|| places.iter().find(new)).cloned()
    }

    /// Whether there is such a file. One that may not be read is there.
    pub fn exists(&self, path: &Path) -> bool {
        let read = (self.host.read_file)(path);
        !read.is_err_and(|error| error.kind() == ErrorKind::NotFound)
    }

    /// Reads the configuration file. Only one that the user named must exist.
    pub fn load(&self) -> Result<ConfigFile, ConfigError> {
        match self.config_file() {
            None => Ok(ConfigFile::absent()),
            Some(place) => self.load_at(&place.path, place.is_explicit()),
        }
    }

    /// Reads the configuration file at `path`.
    pub fn load_at(&self, path: &Path, must_exist: bool) -> Result<ConfigFile, ConfigError> {
        let error = match (self.host.read_file)(path) {
            Ok(text) => return ConfigFile::parse(path, text),
            Err(error) => error,
        };
        let is_missing = error.kind() == ErrorKind::NotFound;
        if is_missing && !must_exist {
            return Ok(ConfigFile::absent_at(path));
        }
        let error = match is_missing {
            true => ConfigError::new("the configuration file does not exist").hint(
                "check `--config` or ATLAUDIT_CONFIG; `atlaudit auth login NAME` starts a new one",
            ),
            false => {
                let what = format!("the configuration file cannot be read: {error}");
                ConfigError::new(what).hint(
                    "check that it is a text file that this user may read, or name another one \
                     with `--config FILE`",
                )
            }
        };
        Err(error.in_file(Some(path), None))
    }

    /// What `--detect` judges events by.
    pub fn detect_settings(&self, is_asked: bool) -> Result<Option<DetectSettings>, ConfigError> {
        is_asked.then(|| self.load()?.detect_settings()).transpose()
    }

    /// The settings of the file, or the implied ones when it names no source.
    pub fn settings(
        &self,
        file: &ConfigFile,
        typed: &[SourceName],
    ) -> Result<Settings, ConfigError> {
        let state_dir = self.state_dir(file)?;
        let mut settings = if file.tables.sources.is_empty() {
            check::implied_settings(file, self.env, state_dir, typed, self.host.keyring_names)
        } else {
            check::settings(file, self.env, state_dir)
        }?;
        let extra_actions = self.extra_actions(file)?;
        for source in &mut settings.sources {
            source.extra_actions.clone_from(&extra_actions);
        }
        Ok(settings)
    }

    /// The rows that `[taxonomy] path` names, read and checked.
    pub fn extra_actions(
        &self,
        file: &ConfigFile,
    ) -> Result<Option<Arc<ExtraActionsFile>>, ConfigError> {
        let Some(path) = file.taxonomy_path()? else {
            return Ok(None);
        };
        let text = (self.host.read_file)(&self.env.at_cwd(&path)).map_err(|error| {
            let what = format!("the file of `[taxonomy] path` cannot be read: {error}");
            let hint = "check the path, which counts from the folder of the configuration file, \
                        and that it is a text file that this user may read";
            ConfigError::new(what).hint(hint).in_file(Some(&path), None)
        })?;
        let extra = ExtraActionsFile { path, text };
        Taxonomy::with_extra_rows(Some(&extra))?;
        Ok(Some(Arc::new(extra)))
    }

    /// The settings, and of their sources those that were typed. Without names, one implied source
    /// is not guessed among several.
    pub fn select(
        &self,
        typed: &[SourceName],
    ) -> Result<(Settings, Vec<SourceSettings>), ConfigError> {
        let file = self.load()?;
        let settings = self.settings(&file, typed)?;
        if file.tables.sources.is_empty() && typed.is_empty() {
            check::reject_ambiguous_keyring(&settings)?;
        }
        let sources = check::select(&settings, typed)?;
        Ok((settings, sources))
    }

    /// The settings of a configuration that can be used.
    pub fn usable_settings(&self, file: &ConfigFile) -> Option<Settings> {
        check::settings(file, self.env, self.state_dir(file).ok()?).ok()
    }
}

/// What was typed makes no sense.
pub fn usage_error(what: impl Into<String>, hint: &str) -> AppError {
    AppError::new(Exit::Usage, what).hint(hint)
}
