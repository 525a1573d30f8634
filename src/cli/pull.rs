//! Owns what `pull`'s flags mean.

use crate::cli::args::{GlobalArgs, PullArgs};
use crate::cli::error::ResolveError;
use crate::cli::resolve::{self, Outside};
use crate::config::check;
use crate::config::env::Env;
use crate::config::output::{self, OutputLayer};
use crate::config::request::{OneOff, PullRequest};
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
    let flags = OutputLayer {
        path: typed.output,
        format: typed.format,
        compression: typed.compression,
        ..OutputLayer::default()
    };
    for source in &mut sources {
        flags.apply(&mut source.output, &source.name);
    }
    if flags.path.is_none() {
        output::refuse_rotating_stdout(&sources)?;
    }
    let outputs = sources.iter().map(|source| &source.output);
    output::refuse_packed_terminal(outputs, env.stdout_is_terminal)?;
    output::refuse_shared_files(&sources, env.cwd())?;
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
