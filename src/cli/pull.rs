//! Owns what `pull`'s flags mean.

use crate::cli::args::{GlobalArgs, PullArgs};
use crate::cli::error::ResolveError;
use crate::cli::path_registry::PathRole;
use crate::cli::paths::CommandPaths;
use crate::cli::resolve::{self, Outside};
use crate::config::check;
use crate::config::env::Env;
use crate::config::output::{self, OutputLayer, PathTemplate};
use crate::config::request::{OneOff, PullRequest};
use crate::config::settings::SourceSettings;
use crate::model::time::{Timestamp, format_millis};

/// What `pull` is asked to do.
pub fn request(
    typed: PullArgs,
    global: &GlobalArgs,
    env: &Env,
    now: Timestamp,
    outside: &Outside<'_>,
) -> Result<PullRequest, ResolveError> {
    let one_off = one_off(&typed, now)?;
    let settings = resolve::pull_settings(global, env, &typed.names, outside)?;
    let mut sources = check::select(&settings, &typed.names)?;
    if let Some(one_off) = one_off {
        refuse_unbegun(&one_off, &sources, now)?;
    }
    let flags = OutputLayer {
        // A name that is typed says how the file is packed, where nothing else typed does.
        compression: typed
            .compression
            .or_else(|| typed.output.as_ref().and_then(PathTemplate::packing)),
        path: typed.output,
        format: typed.format,
        ..OutputLayer::default()
    };
    let names_file = flags.path.as_ref().is_some_and(PathTemplate::is_file);
    for source in &mut sources {
        if one_off.is_some() && !names_file {
            // The configured file belongs to the checkpoint; a time range would repeat events in it.
            source.output.use_stdout();
        }
        flags.apply(&mut source.output, &source.name);
    }
    if flags.path.is_none() {
        output::refuse_rotating_stdout(&sources)?;
    }
    let outputs = sources.iter().map(|source| &source.output);
    output::refuse_packed_terminal(outputs, env.stdout_is_terminal)?;
    output::refuse_misnamed(sources.iter().map(|source| &source.output))?;
    output::refuse_shared_files(&sources, env.cwd())?;
    let mut paths = CommandPaths::reserved(global, env, now, outside, &settings.sources);
    for source in &sources {
        paths.add_output(PathRole::Output(source.name.clone()), &source.output);
    }
    for (role, path) in [
        (PathRole::Report, &typed.report),
        (PathRole::MetricsFile, &typed.metrics_file),
    ] {
        path.iter().for_each(|path| paths.add(role.clone(), path));
    }
    paths.refuse_clashes()?;
    Ok(PullRequest {
        sources,
        state_dir: settings.state_dir,
        now,
        one_off,
        max_events: typed.max_events,
        dry_run: typed.dry_run,
        report: typed.report,
        metrics_file: typed.metrics_file,
    })
}

/// Refuses a window that lies in the future as a whole: nothing is in it, and nobody would ask for that.
fn refuse_unbegun(
    one_off: &OneOff,
    sources: &[SourceSettings],
    now: Timestamp,
) -> Result<(), ResolveError> {
    let windows = sources.iter().map(|source| one_off.window(source, now));
    let Some(window) = windows.into_iter().find(|window| window.from >= now) else {
        return Ok(());
    };
    let until = window.to.map(format_millis).unwrap_or_default();
    Err(ResolveError::usage(
        format!(
            "the window {} until {until} has not begun",
            format_millis(window.from)
        ),
        "give `--since` too: without it a window begins `initial_lookback` before its end",
    ))
}

/// The window of `--since` and `--until`, which must not be empty.
fn one_off(typed: &PullArgs, now: Timestamp) -> Result<Option<OneOff>, ResolveError> {
    let since = typed.since.map(|time| time.resolve(now));
    let until = typed.until.map(|time| time.resolve(now));
    match (since, until) {
        (None, None) => Ok(None),
        (Some(since), Some(until)) if since >= until => Err(ResolveError::usage(
            format!(
                "`--since` ({}) is not before `--until` ({})",
                format_millis(since),
                format_millis(until)
            ),
            "a window holds since <= time < until",
        )),
        (Some(since), None) if since >= now => Err(ResolveError::usage(
            format!(
                "`--since` ({}) is not before now ({})",
                format_millis(since),
                format_millis(now)
            ),
            "give a time in the past, such as `7d`",
        )),
        (since, until) => Ok(Some(OneOff { since, until })),
    }
}
