//! Collects the paths of a command and refuses those that name two things.

use std::path::{Path, PathBuf};

use crate::cli::args::GlobalArgs;
use crate::cli::load::{self, HostAccess};
use crate::cli::path_registry::{PathRegistry, PathRole};
use crate::config::check;
use crate::config::config_paths;
use crate::config::env::{self, ProcessEnv};
use crate::config::error::ConfigError;
use crate::config::file::ConfigFile;
use crate::config::settings::{CredentialSpec, OutputPath, OutputSettings, SourceSettings};
use crate::model::name::SourceName;
use crate::model::time::Timestamp;
use crate::sink::location::{FileIdentity, expand};

/// The paths of one command.
pub struct CommandPaths<'a> {
    registry: PathRegistry,
    env: &'a ProcessEnv,
    now: Timestamp,
    outside: &'a HostAccess<'a>,
}

impl<'a> CommandPaths<'a> {
    /// The paths that belong to the configuration and the state of `sources`.
    pub fn reserved(
        global: &GlobalArgs,
        env: &'a ProcessEnv,
        now: Timestamp,
        outside: &'a HostAccess<'a>,
        sources: &[SourceSettings],
    ) -> CommandPaths<'a> {
        let mut paths = CommandPaths { registry: PathRegistry::default(), env, now, outside };
        // Where there is no place for them there is nothing to protect.
        if let Some(place) = config_paths::config_file(global.config.as_deref(), env) {
            paths.add(PathRole::ConfigFile, &place.path);
        }
        for folder in config_paths::quota_dirs(env) {
            paths.add(PathRole::QuotaFolder, &folder);
        }
        let state = config_paths::state_dir(global.state_dir.as_deref(), env).ok();
        if let Some(folder) = &state {
            paths.add(PathRole::StateFolder, folder);
        }
        for source in sources {
            if let Some(folder) = &state {
                paths.add_state_files(&source.name, folder);
            }
            paths.add_secrets(source);
            paths.add_output(PathRole::ConfiguredOutput(source.name.clone()), &source.output);
        }
        paths
    }

    /// The same, for a command that works without a configuration: one that cannot be used reserves no outputs.
    pub fn reserved_if_configured(
        global: &GlobalArgs,
        env: &'a ProcessEnv,
        now: Timestamp,
        outside: &'a HostAccess<'a>,
    ) -> CommandPaths<'a> {
        let file = load::load(global, env, outside).ok();
        let sources = file.map_or(Vec::new(), |file| known_sources(&file, global, env));
        CommandPaths::reserved(global, env, now, outside, &sources)
    }

    /// Adds what one path is used for.
    pub fn add(&mut self, role: PathRole, path: &Path) {
        self.registry.add(role, path, self.identity(path));
    }

    /// Adds the files of an output, if it writes any.
    pub fn add_output(&mut self, role: PathRole, output: &OutputSettings) {
        let OutputPath::File(template) = &output.path else {
            return;
        };
        let plain = expand(template, self.now);
        // A device or a pipe gets no suffix, and keeps nothing that could be damaged.
        if self.identity(Path::new(&plain)).is_special {
            return;
        }
        let shown = PathBuf::from(output.compression.with_suffix(plain));
        let template = PathBuf::from(output.compression.with_suffix(template.clone()));
        let (identity, template) = (self.identity(&shown), self.identity(&template).path);
        self.registry.add_output(role, &shown, identity, template);
    }

    fn identity(&self, path: &Path) -> FileIdentity {
        (self.outside.identify)(&self.env.at_cwd(path))
    }

    /// Refuses the command if one of its paths names two things.
    ///
    /// # Errors
    /// The first such path.
    pub fn refuse_clashes(&self) -> Result<(), ConfigError> {
        self.registry.refuse_clashes()
    }

    /// A hard link to one of them lies outside of the state folder.
    fn add_state_files(&mut self, name: &SourceName, state: &Path) {
        for file in [
            format!("{name}.json"),
            format!("{name}.lock"),
            format!("ledgers/{name}.json"),
            format!("notices/{name}.json"),
        ] {
            self.add(PathRole::StateFile(name.clone()), &state.join(file));
        }
    }

    fn add_secrets(&mut self, source: &SourceSettings) {
        let name = || source.name.clone();
        let credential: Option<PathBuf> = match &source.credential {
            CredentialSpec::File(path) => Some(path.clone()),
            CredentialSpec::Systemd(file) => {
                let folder = self.env.var_os(env::CREDENTIALS_DIRECTORY).map(Path::new);
                folder.map(|folder| folder.join(file))
            }
            CredentialSpec::Keyring | CredentialSpec::Env(_) | CredentialSpec::Command(_) => None,
        };
        if let Some(path) = credential {
            self.add(PathRole::CredentialFile(name()), &path);
        }
        if let Some(path) = &source.connection.ca_file {
            self.add(PathRole::CertificateFile(name()), path);
        }
    }
}

/// The sources of a configuration that can be used.
pub fn known_sources(
    file: &ConfigFile,
    global: &GlobalArgs,
    env: &ProcessEnv,
) -> Vec<SourceSettings> {
    let state = config_paths::state_dir(global.state_dir.as_deref(), env);
    let settings = state.and_then(|state| check::settings(file, env, state));
    settings.map_or(Vec::new(), |settings| settings.sources)
}
