//! Resolves the flags of `pull`.

use std::path::{Path, PathBuf};

use crate::cli::args::{GlobalArgs, PullArgs};
use crate::cli::error::ResolveError;
use crate::cli::load::{self, HostAccess};
use crate::cli::path_registry::PathRole;
use crate::cli::paths::CommandPaths;
use crate::config::check;
use crate::config::env::ProcessEnv;
use crate::config::output::{self, OutputLayer, PathTemplate};
use crate::config::request::{OneOffWindow, PullRequest, ReportTarget};
use crate::config::settings::{OutputPath, SourceSettings};
use crate::model::time::{Timestamp, format_millis};

/// What `pull` is asked to do.
pub fn request(
    typed: PullArgs,
    global: &GlobalArgs,
    env: &ProcessEnv,
    now: Timestamp,
    outside: &HostAccess<'_>,
) -> Result<PullRequest, ResolveError> {
    let one_off = one_off(&typed, now)?;
    let settings = load::pull_settings(global, env, &typed.names, outside)?;
    let mut sources = check::select(&settings, &typed.names)?;
    let flags = OutputLayer {
        // A name that is typed says how the file is packed, where nothing else typed does.
        compression: typed
            .compression
            .or_else(|| typed.output.as_ref().and_then(PathTemplate::implied_compression)),
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
        output::reject_rotating_stdout(&sources)?;
    }
    let outputs = sources.iter().map(|source| &source.output);
    output::reject_compressed_terminal_output(outputs, env.stdout_is_terminal)?;
    output::reject_misnamed_files(sources.iter().map(|source| &source.output))?;
    output::reject_shared_files(&sources, env.cwd())?;
    let prints_events = sources.iter().any(prints_events);
    let report = report_target(typed.report, prints_events)?;
    let mut paths = CommandPaths::reserved(global, env, now, outside, &settings.sources);
    for source in &sources {
        paths.add_output(PathRole::Output(source.name.clone()), &source.output);
    }
    let report_file = report.as_ref().and_then(ReportTarget::file);
    for (role, path) in
        [(PathRole::Report, report_file), (PathRole::MetricsFile, typed.metrics_file.as_deref())]
    {
        path.iter().for_each(|path| paths.add(role.clone(), path));
    }
    paths.refuse_clashes()?;
    Ok(PullRequest {
        prints_on_terminal: env.stdout_is_terminal
            && prints_events
            && one_off.is_none()
            && flags.path.is_none(),
        report,
        sources,
        state_dir: settings.state_dir,
        now,
        one_off,
        max_events: typed.max_events,
        dry_run: typed.dry_run,
        metrics_file: typed.metrics_file,
        file_mode: settings.file_mode,
    })
}

fn prints_events(source: &SourceSettings) -> bool {
    source.output.path == OutputPath::Stdout
}

/// Where `--report` goes. Standard output holds events or a report: a program that reads one could not read both.
fn report_target(
    typed: Option<PathBuf>,
    prints_events: bool,
) -> Result<Option<ReportTarget>, ResolveError> {
    match typed {
        Some(path) if path == Path::new("-") && prints_events => Err(ResolveError::usage(
            "`--report -` would mix the report with the events on standard output",
            "write the events to a file with `--output FILE`, or the report with `--report FILE`",
        )),
        Some(path) if path == Path::new("-") => Ok(Some(ReportTarget::Stdout)),
        path => Ok(path.map(ReportTarget::File)),
    }
}

/// The window of `--since` and `--until`, which must not be empty, nor end in the future.
fn one_off(typed: &PullArgs, now: Timestamp) -> Result<Option<OneOffWindow>, ResolveError> {
    let since = typed.since.map(|time| time.resolve(now));
    let until = typed.until.map(|time| time.resolve(now));
    match (since, until) {
        (None, None) => Ok(None),
        (_, Some(until)) if until > now => Err(ResolveError::usage(
            format!("`--until` ({}) is in the future", format_millis(until)),
            "leave it out: a window without `--until` ends now",
        )),
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
        (since, until) => Ok(Some(OneOffWindow { since, until })),
    }
}
