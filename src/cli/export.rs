//! Resolves the flags of `export`.

use crate::cli::args::{ExportArgs, GlobalArgs};
use crate::cli::error::ResolveError;
use crate::cli::load::{self, HostAccess};
use crate::cli::path_registry::PathRole;
use crate::cli::paths::CommandPaths;
use crate::config::check;
use crate::config::env::ProcessEnv;
use crate::config::request::{CommandRequest, ExportRequest};
use crate::model::name::SourceName;
use crate::model::time::{Timestamp, format_millis};

/// What `export` is asked to do.
pub fn action(
    typed: ExportArgs,
    global: &GlobalArgs,
    env: &ProcessEnv,
    now: Timestamp,
    outside: &HostAccess<'_>,
) -> Result<CommandRequest, ResolveError> {
    reject_empty_window(&typed, now)?;
    let settings = load::pull_settings(global, env, &typed.names, outside)?;
    let mut sources = check::select(&settings, &typed.names)?;
    let place = |name: &SourceName| settings.sources.iter().position(|known| known.name == *name);
    sources.sort_by_key(|source| place(&source.name));
    let mut paths = CommandPaths::reserved(global, env, now, outside, &settings.sources);
    paths.add(PathRole::ExportFolder, &typed.output);
    if let Some(key) = &typed.sign {
        paths.add(PathRole::SigningKey, key);
    }
    paths.refuse_clashes()?;
    Ok(CommandRequest::Export(ExportRequest {
        sources,
        state_dir: settings.state_dir,
        now,
        since: typed.since,
        until: typed.until,
        folder: env.at_cwd(&typed.output),
        keep_bodies: typed.keep_bodies,
        sign: typed.sign.map(|path| env.at_cwd(&path)),
    }))
}

/// A window must not be empty, nor end in the future: nobody can hold what has not happened yet.
fn reject_empty_window(typed: &ExportArgs, now: Timestamp) -> Result<(), ResolveError> {
    let since = typed.since.resolve(now);
    let until = typed.until.map_or(now, |until| until.resolve(now));
    if until > now {
        return Err(ResolveError::usage(
            format!("`--until` ({}) is in the future", format_millis(until)),
            "leave it out: an export ends now, when its first run begins",
        ));
    }
    if since < until {
        return Ok(());
    }
    let (name, shown) = match typed.until {
        Some(_) => ("`--until`", format_millis(until)),
        None => ("now", format_millis(now)),
    };
    Err(ResolveError::usage(
        format!("`--since` ({}) is not before {name} ({shown})", format_millis(since)),
        "a window holds since <= time < until",
    ))
}
