//! Resolves `config` and `sources`, and checks a configuration without network access.

use std::io;
use std::path::Path;

use crate::cli::args::{ConfigCommand, GlobalArgs, InitArgs, PullArgs, SourcesCommand};
use crate::cli::load::{CommandContext, HostAccess, usage_error};
use crate::cli::pull;
use crate::config::effective;
use crate::config::env::{self, ConfigOrigin, ConfigPath, ProcessEnv};
use crate::config::error::ConfigError;
use crate::config::file::ConfigFile;
use crate::config::request::{
    CheckedConfig, ConfigPlace, ConfigRequest, InitRequest, SourcesRequest,
};
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::time::Timestamp;
use crate::model::user_zone::UserZone;

/// The request of `init`, which asks for everything else.
pub fn init(typed: InitArgs, context: &CommandContext<'_>) -> Result<InitRequest, AppError> {
    if !context.env.stdin_is_terminal || (context.host.open_prompt)().is_none() {
        let hint = "these commands do the same: `atlaudit auth login NAME --with-key --store \
                    file:PATH`, `atlaudit config edit`, `atlaudit config check`, `atlaudit pull`";
        return Err(usage_error("`init` asks questions, and there is no terminal", hint));
    }
    let mut place = used_file(context)?;
    if place.origin == ConfigOrigin::User && !context.exists(&place.path) && context.env.user == 0 {
        // Root sets up the machine.
        let system = context.config_places().pop();
        place = system.unwrap_or(place);
    }
    let file = context.load_at(&place.path, false)?;
    let sources = match file.tables.sources.is_empty() {
        true => Vec::new(),
        false => context.settings(&file, &[])?.sources,
    };
    let state_dir = context.global.state_dir.as_ref();
    Ok(InitRequest {
        is_file_named: place.is_explicit(),
        is_system: place.origin == ConfigOrigin::System,
        exists: file.path.is_some(),
        has_output: file.tables.output.path.is_some() || file.tables.output.preset.is_some(),
        file: place.path,
        sources,
        state_dir: state_dir.map(|folder| context.env.at_cwd(folder)),
        base_url: typed.base_url,
    })
}

/// The request of `config ...`.
pub fn config(
    command: &ConfigCommand,
    context: &CommandContext<'_>,
) -> Result<ConfigRequest, AppError> {
    Ok(match command {
        ConfigCommand::Path { all } => ConfigRequest::Path { places: places(context)?, all: *all },
        ConfigCommand::Show { json } => ConfigRequest::Show(show(*json, context)?),
        ConfigCommand::Check => ConfigRequest::Check(check(&context.load()?, context)?),
        ConfigCommand::Edit => ConfigRequest::Edit(used_file(context)?.path),
    })
}

/// The request of `sources list`. Its sources are those of the file, or the implied ones.
pub fn sources(
    command: &SourcesCommand,
    context: &CommandContext<'_>,
) -> Result<SourcesRequest, AppError> {
    let SourcesCommand::List { json } = command;
    let settings = context.settings(&context.load()?, &[])?;
    Ok(SourcesRequest { sources: settings.sources, json: *json, space: context.table_space() })
}

/// The file that is used, or created.
///
/// # Errors
/// There is no place for one.
pub fn used_file(context: &CommandContext<'_>) -> Result<ConfigPath, ConfigError> {
    context.config_file().ok_or_else(|| {
        ConfigError::new(
            "there is no place for the configuration: neither HOME nor XDG_CONFIG_HOME is set",
        )
        .hint("name a file with `--config FILE`")
    })
}

fn places(context: &CommandContext<'_>) -> Result<Vec<ConfigPlace>, ConfigError> {
    let used = used_file(context)?;
    let places = context.config_places().into_iter();
    let place = |file: ConfigPath| ConfigPlace {
        exists: context.exists(&file.path),
        is_used: file == used,
        file,
    };
    Ok(places.map(place).collect())
}

fn show(json: bool, context: &CommandContext<'_>) -> Result<String, AppError> {
    let file = context.load()?;
    let settings = context.settings(&file, &[])?;
    let text = effective::effective_toml(&file, &settings)?;
    if json {
        let bug = |error: &(dyn std::error::Error + 'static)| {
            AppError::new(Exit::Unexpected, "a bug in atlaudit").because(error)
        };
        let tree: serde_json::Value = toml::from_str(&text).map_err(|error| bug(&error))?;
        let line = serde_json::to_string(&tree).map_err(|error| bug(&error))?;
        return Ok(line + "\n");
    }
    let from = match &file.path {
        Some(path) => path.display().to_string(),
        None => "no file".to_owned(),
    };
    let set = |name: &&str| context.env.var_os(name).is_some();
    let variables = [env::STATE_DIR, env::ORG_ID, env::API_KEY].into_iter();
    let variables: Vec<_> = variables.filter(set).collect();
    let over = match variables.is_empty() {
        true => String::new(),
        false => format!(", with {} of the environment", variables.join(", ")),
    };
    Ok(format!("# {from}{over}\n{text}"))
}

/// Checks everything that can be checked without network access: what `pull` checks before it
/// begins, and what `posture` and `respond` read.
fn check(file: &ConfigFile, context: &CommandContext<'_>) -> Result<CheckedConfig, AppError> {
    // Whether this command's own output is a terminal says nothing about the runs to come.
    let mut env = context.env.clone();
    env.stdout_is_terminal = false;
    let request = pull::pull(PullArgs::default(), &CommandContext { env: &env, ..*context })?;
    check_other_tables(file, context)?;
    Ok(CheckedConfig { file: file.path.clone(), sources: request.sources })
}

fn check_other_tables(file: &ConfigFile, context: &CommandContext<'_>) -> Result<(), ConfigError> {
    let settings = context.settings(file, &[])?;
    file.detect_settings()?;
    file.skipped_checks()?;
    file.check_declarations(&settings)?;
    for source in &settings.sources {
        file.posture_settings(&source.name)?;
        #[cfg(feature = "respond")]
        file.respond_settings(&source.name)?;
    }
    Ok(())
}

/// Checks `text` as the content of the configuration file at `path`, as `config check` would. It
/// may have no source yet.
///
/// # Errors
/// It cannot be used.
pub fn check_text(
    (path, text): (&Path, &str),
    global: &GlobalArgs,
    (env, now): (&ProcessEnv, Timestamp),
    host: &HostAccess<'_>,
) -> Result<CheckedConfig, AppError> {
    let read = |asked: &Path| -> io::Result<String> {
        match asked == path {
            true => Ok(text.to_owned()),
            false => (host.read_file)(asked),
        }
    };
    let host = &HostAccess { read_file: &read, ..*host };
    let context = CommandContext { global, env, now, zone: UserZone::UTC, host };
    let file = context.load_at(path, true)?;
    match file.tables.sources.is_empty() {
        true => {
            file.state_dir()?;
            context.extra_actions(&file)?;
            file.detect_settings()?;
            Ok(CheckedConfig { file: file.path, sources: Vec::new() })
        }
        false => check(&file, &context),
    }
}
