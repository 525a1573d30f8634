//! Resolves arguments, environment and file into one [`CommandRequest`]. It does no I/O itself:
//! files and keyring are behind [`HostAccess`], the time is passed in.

use std::path::{Path, PathBuf};
use std::slice;
use std::time::Duration;

use crate::cli::args::{
    ActionsArgs, Args, AuthCommand, CheckArgs, Command, RulesCommand, SchemaArgs, StatusArgs,
    VerifyArgs,
};
use crate::cli::load::{CommandContext, HostAccess, usage_error};
use crate::cli::paths::{CommandPaths, PathRole};
#[cfg(feature = "respond")]
use crate::cli::respond;
use crate::cli::{
    completion, convert, encoding, login, manual, posture, pull, query, setup, store_location,
};
use crate::config::check;
use crate::config::env::{self, ProcessEnv};
use crate::config::error::ConfigError;
use crate::config::request::{
    ActionsRequest, AgainstRequest, CheckRequest, CommandRequest, LogoutRequest, RulesRequest,
    StatusRequest, VerifyRequest,
};
use crate::config::settings::{CredentialSpec, Settings};
use crate::config::telemetry::{ColorMode, LogVerbosity, TelemetrySettings};
use crate::error::AppError;
use crate::model::name::SourceName;
use crate::model::time::Timestamp;

/// How messages are written; known before anything can fail.
pub fn telemetry(args: &Args, env: &ProcessEnv) -> TelemetrySettings {
    let is_continuous = matches!(args.command, Command::Follow(_) | Command::Tail(_));
    TelemetrySettings {
        verbosity: LogVerbosity::new(args.global.quiet, args.global.verbose),
        log_format: args.global.log_format.unwrap_or_default(),
        color: ColorMode::choose(args.global.color, env),
        // `resolve` reports one that is wrong.
        zone: env::user_zone(args.global.tz.as_deref(), env).unwrap_or_default(),
        // A person at a terminal knows what time it is, and the journal has one of its own.
        has_times: is_continuous && !env.stderr_is_terminal && !env.stderr_is_journal(),
    }
}

/// What `args` mean.
pub fn resolve(
    args: Args,
    env: &ProcessEnv,
    now: Timestamp,
    host: &HostAccess<'_>,
) -> Result<CommandRequest, AppError> {
    // clap checks conflicts only among flags on the same side of the command.
    if args.global.quiet && args.global.verbose > 0 {
        let what = "`--quiet` and `--verbose` contradict each other";
        return Err(usage_error(what, "use one of them"));
    }
    let zone = env::user_zone(args.global.tz.as_deref(), env)
        .map_err(|error| usage_error(error.what, error.hint.as_deref().unwrap_or_default()))?;
    let context = &CommandContext { global: &args.global, env, now, zone, host };
    Ok(match args.command {
        Command::Pull(typed) => CommandRequest::Pull(pull::pull(typed, context)?),
        Command::Follow(typed) => CommandRequest::Follow(pull::follow(typed, context)?),
        Command::Tail(typed) => CommandRequest::Follow(pull::tail(typed, context)?),
        Command::Export(typed) => CommandRequest::Export(pull::export(typed, context)?),
        Command::Convert(typed) => CommandRequest::Convert(convert::request(typed, context)?),
        Command::Search(typed) => CommandRequest::Search(Box::new(query::search(*typed, context)?)),
        Command::Detect(typed) => CommandRequest::Detect(Box::new(query::detect(*typed, context)?)),
        Command::Posture(typed) => {
            CommandRequest::Posture(Box::new(posture::posture(*typed, context)?))
        }
        #[cfg(feature = "respond")]
        Command::Respond(typed) => CommandRequest::Respond(respond::respond(*typed, context)?),
        Command::Report(typed) => CommandRequest::Report(Box::new(query::report(*typed, context)?)),
        Command::Top(typed) => CommandRequest::Top(Box::new(query::top(*typed, context)?)),
        Command::Stats(typed) => CommandRequest::Stats(Box::new(query::stats(*typed, context)?)),
        Command::Auth { command: AuthCommand::Login(typed) } => {
            CommandRequest::AuthLogin(Box::new(login::request(*typed, context)?))
        }
        Command::Auth { command: AuthCommand::Status { names, json } } => {
            CommandRequest::AuthStatus(auth_settings(&names, context)?, json, context.table_space())
        }
        Command::Auth { command: AuthCommand::Logout { name } } => {
            CommandRequest::AuthLogout(logout(name, context))
        }
        Command::Init(typed) => CommandRequest::Init(setup::init(typed, context)?),
        Command::Config { command } => CommandRequest::Config(setup::config(&command, context)?),
        Command::Sources { command } => CommandRequest::Sources(setup::sources(&command, context)?),
        Command::Demo(request) => CommandRequest::Demo(request, context.table_style()),
        Command::Sandbox(request) => CommandRequest::Sandbox(request),
        Command::Schema(SchemaArgs { parquet: None }) => CommandRequest::Schema,
        Command::Schema(SchemaArgs { parquet: Some(format) }) => {
            CommandRequest::TableSchema(encoding::table_schema(format.unwrap_or_default())?)
        }
        Command::Check(CheckArgs { object_store: Some(url), .. }) => {
            CommandRequest::CheckObjectStore(store_location::settings(url, env, CHECK_RETRY_FOR)?)
        }
        Command::Check(typed) => CommandRequest::Check(check_request(&typed, context)?),
        Command::Actions(typed) => CommandRequest::Actions(Box::new(actions(&typed, context)?)),
        Command::Rules { command } => CommandRequest::Rules(rules(command)),
        Command::Status(typed) => CommandRequest::Status(status(&typed, context)?),
        Command::Verify(typed) => CommandRequest::Verify(verify(typed, context)?),
        Command::Completions { shell } => CommandRequest::Completions(shell),
        Command::Man { dir } => {
            if let Some(dir) = &dir {
                refuse_page_clashes(dir, context)?;
            }
            CommandRequest::Man(dir)
        }
        Command::Complete { words } => {
            CommandRequest::Complete(completion::complete(&words, context))
        }
    })
}

/// How long a checked store is tried.
const CHECK_RETRY_FOR: Duration = Duration::from_secs(10);

fn check_request(
    typed: &CheckArgs,
    context: &CommandContext<'_>,
) -> Result<CheckRequest, ConfigError> {
    let (settings, mut sources) = context.select(&typed.names)?;
    let detect = pull::set_alerts(&mut sources, context)?;
    let remote_state = context.remote_state(&settings)?;
    encoding::check_state_location(&sources, remote_state.is_some())?;
    let (config_file, state_dir) = (settings.config_file, settings.state_dir);
    let is_verbose = context.global.verbose > 0;
    Ok(CheckRequest {
        sources,
        config_file,
        state_dir,
        remote_state,
        json: typed.json,
        is_coloured: context.table_style().is_coloured,
        is_verbose,
        detect,
    })
}

/// Without a source no key and no source need be configured.
fn actions(
    typed: &ActionsArgs,
    context: &CommandContext<'_>,
) -> Result<ActionsRequest, ConfigError> {
    let (source, state_dir) = match &typed.name {
        Some(name) => {
            let (settings, mut sources) = context.select(slice::from_ref(name))?;
            (sources.pop(), settings.state_dir)
        }
        None => (None, PathBuf::new()),
    };
    Ok(ActionsRequest {
        source,
        extra_actions: context.extra_actions(&context.load()?)?,
        state_dir,
        is_tsv: typed.tsv,
        is_only_unknown: typed.unknown,
    })
}

fn rules(command: RulesCommand) -> RulesRequest {
    match command {
        RulesCommand::Check { dir } => RulesRequest::Check(dir),
        RulesCommand::List { folders, json } => RulesRequest::List { folders, json },
        RulesCommand::Test { dir } => RulesRequest::Test(dir),
    }
}

fn status(typed: &StatusArgs, context: &CommandContext<'_>) -> Result<StatusRequest, AppError> {
    let CommandContext { global, now, .. } = *context;
    if let (Some(warn), Some(most)) = (typed.warn_lag, typed.max_lag)
        && warn > most
    {
        let what = "`--warn-lag` is longer than `--max-lag`, so it would never warn";
        return Err(usage_error(what, "give the shorter time to `--warn-lag`"));
    }
    let (settings, sources) = context.select(&typed.names)?;
    Ok(StatusRequest {
        sources,
        remote_state: context.remote_state(&settings)?,
        state_dir: settings.state_dir,
        now,
        json: typed.json,
        is_verbose: global.verbose > 0,
        space: context.table_space(),
        max_lag: typed.max_lag,
        warn_lag: typed.warn_lag,
        nagios: typed.nagios,
    })
}

/// Refuses manual pages that would replace a file of the configuration or the state.
fn refuse_page_clashes(dir: &Path, context: &CommandContext<'_>) -> Result<(), ConfigError> {
    let mut paths = CommandPaths::reserved_if_configured(context);
    for (name, _) in manual::pages(None) {
        paths.add(PathRole::ManualPage, &dir.join(name));
    }
    paths.refuse_clashes()
}

/// The sources that an export may be compared with are those of the configuration, or the one
/// named.
fn verify(typed: VerifyArgs, context: &CommandContext<'_>) -> Result<VerifyRequest, ConfigError> {
    let against = typed.against_source.map(|name| {
        let (settings, sources) = context.select(name.as_slice())?;
        Ok::<_, ConfigError>(AgainstRequest {
            sources,
            name,
            state_dir: settings.state_dir,
            now: context.now,
        })
    });
    Ok(VerifyRequest {
        export: query::export_location(typed.dir, context)?,
        public_key: typed.public_key,
        json: typed.json,
        against: against.transpose()?,
    })
}

/// The settings of these sources, or of all: also of all entries of the keyring.
fn auth_settings(
    names: &[SourceName],
    context: &CommandContext<'_>,
) -> Result<Settings, ConfigError> {
    let settings = context.settings(&context.load()?, names)?;
    Ok(Settings { sources: check::select(&settings, names)?, ..settings })
}

/// What a logout of `name` removes. A key may be left of a source that is configured no more, and
/// of a configuration that cannot be read: then it is looked for in the keyring.
fn logout(name: SourceName, context: &CommandContext<'_>) -> LogoutRequest {
    let mut request = LogoutRequest {
        name,
        credential: CredentialSpec::Keyring,
        also_read_by: Vec::new(),
        no_key_error: None,
    };
    let file = context.load().ok().filter(|file| !file.tables.sources.is_empty());
    let Some(settings) = file.and_then(|file| context.usable_settings(&file)) else {
        return request;
    };
    let name = &request.name;
    match check::select(&settings, slice::from_ref(name)) {
        Err(unknown) => request.no_key_error = Some(unknown),
        Ok(found) => match found.into_iter().next().map(|source| source.credential) {
            None | Some(CredentialSpec::Keyring) => {}
            Some(file @ CredentialSpec::File(_)) => {
                let others = settings.sources.iter();
                let others = others.filter(|other| other.name != *name && other.credential == file);
                request.also_read_by = others.map(|other| other.name.clone()).collect();
                request.credential = file;
            }
            Some(place) => {
                let what = format!("source `{name}` has its key in {place}, not in the keyring");
                request.no_key_error = Some(ConfigError::new(what).hint("remove it there"));
            }
        },
    }
    request
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
pub(super) mod tests;
