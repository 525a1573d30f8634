//! Resolves arguments, environment and file into one [`CommandRequest`]. It does no I/O itself:
//! files and keyring are behind [`HostAccess`], the time is passed in.

use std::path::Path;
use std::time::Duration;

use crate::cli::args::{
    Args, AuthCommand, Command, FollowArgs, GlobalArgs, PullArgs, SandboxArgs, VerifyArgs,
};
use crate::cli::error::ResolveError;
use crate::cli::load::{HostAccess, load, pull_settings, settings};
use crate::cli::path_registry::PathRole;
use crate::cli::paths::CommandPaths;
use crate::cli::{convert, export, generate, login, pull};
use crate::config::check;
use crate::config::config_paths;
use crate::config::env::ProcessEnv;
use crate::config::error::ConfigError;
use crate::config::request::{
    AgainstRequest, CheckRequest, CommandRequest, DemoRequest, FollowRequest, LogoutRequest,
    SandboxRequest, StatusRequest, VerifyRequest,
};
use crate::config::settings::{CredentialSpec, Settings};
use crate::config::telemetry::{ColorMode, LogVerbosity, TelemetrySettings};
use crate::model::name::SourceName;
use crate::model::time::Timestamp;

/// How messages are written; known before anything can fail.
pub fn telemetry(args: &Args, env: &ProcessEnv) -> TelemetrySettings {
    TelemetrySettings {
        verbosity: LogVerbosity::new(args.global.quiet, args.global.verbose),
        log_format: args.global.log_format.unwrap_or_default(),
        color: ColorMode::choose(args.global.color, env),
    }
}

/// What `args` mean.
pub fn resolve(
    args: Args,
    env: &ProcessEnv,
    now: Timestamp,
    outside: &HostAccess<'_>,
) -> Result<CommandRequest, ResolveError> {
    // clap checks conflicts only among flags on the same side of the command.
    if args.global.quiet && args.global.verbose > 0 {
        return Err(ResolveError::usage(
            "`--quiet` and `--verbose` contradict each other",
            "use one of them",
        ));
    }
    let global = &args.global;
    Ok(match args.command {
        Command::Pull(typed) => {
            CommandRequest::Pull(pull::request(typed, global, env, now, outside)?)
        }
        Command::Export(typed) => export::action(typed, global, env, now, outside)?,
        Command::Convert(typed) => {
            CommandRequest::Convert(convert::request(typed, global, env, now, outside)?)
        }
        Command::Auth { command } => auth(command, global, env, now, outside)?,
        Command::Demo(typed) => {
            CommandRequest::Demo(DemoRequest { format: typed.format.unwrap_or_default() })
        }
        Command::Sandbox(typed) => CommandRequest::Sandbox(sandbox(&typed)),
        Command::Schema => CommandRequest::Schema,
        Command::Follow(typed) => CommandRequest::Follow(follow(typed, global, env, now, outside)?),
        Command::Check(typed) => {
            let settings = pull_settings(global, env, &typed.names, outside)?;
            CommandRequest::Check(CheckRequest {
                sources: check::select(&settings, &typed.names)?,
                config_file: settings.config_file,
                state_dir: settings.state_dir,
                json: typed.json,
            })
        }
        Command::Status(typed) => {
            let settings = pull_settings(global, env, &typed.names, outside)?;
            CommandRequest::Status(StatusRequest {
                sources: check::select(&settings, &typed.names)?,
                state_dir: settings.state_dir,
                now,
                json: typed.json,
                is_verbose: global.verbose > 0,
                is_coloured: ColorMode::choose(global.color, env).enabled(env.stdout_is_terminal),
                max_lag: typed.max_lag,
            })
        }
        Command::Verify(typed) => CommandRequest::Verify(verify(typed, global, env, now, outside)?),
        Command::Completions { shell } => CommandRequest::Completions(shell),
        Command::Man { dir } => {
            if let Some(dir) = &dir {
                refuse_page_clashes(dir, global, env, now, outside)?;
            }
            CommandRequest::Man(dir)
        }
    })
}

fn auth(
    command: AuthCommand,
    global: &GlobalArgs,
    env: &ProcessEnv,
    now: Timestamp,
    outside: &HostAccess<'_>,
) -> Result<CommandRequest, ResolveError> {
    Ok(match command {
        AuthCommand::Login(typed) => {
            let request = login::request(*typed, global, env, now, outside)?;
            CommandRequest::AuthLogin(Box::new(request))
        }
        AuthCommand::Status => {
            let file = load(global, env, outside)?;
            CommandRequest::AuthStatus(settings(&file, global, env, &[], outside)?)
        }
        AuthCommand::Logout { name } => logout(name, global, env, outside),
    })
}

/// Refuses manual pages that would replace a file of the configuration or the state.
fn refuse_page_clashes(
    dir: &Path,
    global: &GlobalArgs,
    env: &ProcessEnv,
    now: Timestamp,
    outside: &HostAccess<'_>,
) -> Result<(), ConfigError> {
    let mut paths = CommandPaths::reserved_if_configured(global, env, now, outside);
    for (name, _) in generate::pages() {
        paths.add(PathRole::ManualPage, &dir.join(name));
    }
    paths.refuse_clashes()
}

fn verify(
    typed: VerifyArgs,
    global: &GlobalArgs,
    env: &ProcessEnv,
    now: Timestamp,
    outside: &HostAccess<'_>,
) -> Result<VerifyRequest, ResolveError> {
    let against = typed.against_source;
    let against = against.map(|name| against_source(name, global, env, now, outside));
    Ok(VerifyRequest {
        dir: typed.dir,
        public_key: typed.public_key,
        json: typed.json,
        against: against.transpose()?,
    })
}

/// The sources that an export may be compared with: those of the configuration, or the one named.
fn against_source(
    name: Option<SourceName>,
    global: &GlobalArgs,
    env: &ProcessEnv,
    now: Timestamp,
    outside: &HostAccess<'_>,
) -> Result<AgainstRequest, ResolveError> {
    let names: Vec<_> = name.iter().cloned().collect();
    let settings = pull_settings(global, env, &names, outside)?;
    Ok(AgainstRequest {
        sources: check::select(&settings, &names)?,
        name,
        state_dir: settings.state_dir,
        now,
    })
}

/// What a logout of `name` removes. A key may be left of a source that is configured no more, and of
/// a configuration that cannot be read: then it is looked for in the keyring.
fn logout(
    name: SourceName,
    global: &GlobalArgs,
    env: &ProcessEnv,
    outside: &HostAccess<'_>,
) -> CommandRequest {
    let mut request = LogoutRequest {
        name,
        credential: CredentialSpec::Keyring,
        also_read_by: Vec::new(),
        no_key_error: None,
    };
    let Some(settings) = configured_settings(global, env, outside) else {
        return CommandRequest::AuthLogout(request);
    };
    let name = request.name.clone();
    match check::select(&settings, std::slice::from_ref(&name)) {
        Err(unknown) => request.no_key_error = Some(unknown),
        Ok(found) => match found.into_iter().next().map(|source| source.credential) {
            None | Some(CredentialSpec::Keyring) => {}
            Some(file @ CredentialSpec::File(_)) => {
                let others = settings.sources.iter();
                let others = others.filter(|other| other.name != name && other.credential == file);
                request.also_read_by = others.map(|other| other.name.clone()).collect();
                request.credential = file;
            }
            Some(place) => {
                let what = format!("source `{name}` has its key in {place}, not in the keyring");
                let error = ConfigError::new(what).hint("remove it there");
                request.no_key_error = Some(error);
            }
        },
    }
    CommandRequest::AuthLogout(request)
}

/// The settings of the configuration file, if it can be read and names a source.
fn configured_settings(
    global: &GlobalArgs,
    env: &ProcessEnv,
    outside: &HostAccess<'_>,
) -> Option<Settings> {
    let file = load(global, env, outside).ok()?;
    if file.tables.sources.0.is_empty() {
        return None;
    }
    let state_dir = config_paths::state_dir(global.state_dir.as_deref(), env).ok()?;
    check::settings(&file, env, state_dir).ok()
}

/// A pull of the sources `typed`, again and again.
fn follow(
    typed: FollowArgs,
    global: &GlobalArgs,
    env: &ProcessEnv,
    now: Timestamp,
    outside: &HostAccess<'_>,
) -> Result<FollowRequest, ResolveError> {
    let pull = PullArgs {
        names: typed.names,
        format: typed.format,
        output: typed.output,
        compression: typed.compression,
        metrics_file: typed.metrics_file,
        ..PullArgs::default()
    };
    Ok(FollowRequest { pull: pull::request(pull, global, env, now, outside)?, every: typed.every })
}

fn sandbox(typed: &SandboxArgs) -> SandboxRequest {
    let latency = |of_one: Option<Duration>| of_one.or(typed.latency).unwrap_or_default();
    SandboxRequest {
        port: typed.port,
        events: typed.events,
        records: typed.records,
        confluence_records: typed.confluence_records,
        datacenter_events: typed.datacenter_events,
        seed: typed.seed,
        rate_limit: typed.rate_limit,
        org_latency: latency(typed.org_latency),
        jira_latency: latency(typed.jira_latency),
        latency: latency(None),
        new_event_every: typed.new_event_every,
        quirks: typed.quirk.clone(),
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
pub(super) mod tests;
