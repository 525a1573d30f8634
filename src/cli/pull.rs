//! Resolves the flags of `pull`, `follow` and `export`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::args::{ExportArgs, FollowArgs, OutputFlags, PullArgs, TailArgs};
use crate::cli::encoding;
use crate::cli::load::{CommandContext, usage_error};
use crate::cli::paths::{CommandPaths, PathRole};
use crate::config::detection::DetectSettings;
use crate::config::env::ProcessEnv;
use crate::config::error::ConfigError;
use crate::config::output::{self, OutputLayer};
use crate::config::path_template::PathTemplate;
use crate::config::request::{
    ExportRequest, FollowRequest, OneOffWindow, PullRequest, ReportTarget,
};
use crate::config::settings::{OutputFormat, OutputPath, SourceSettings};
use crate::error::AppError;
use crate::model::name::SourceName;
use crate::model::time::{Timestamp, before};
use crate::model::typed_time::{ResolvedTime, TypedTime};

/// How far back a view begins.
const VIEW_LOOKBACK: Duration = Duration::from_secs(600);

/// The request of `pull`.
pub fn pull(typed: PullArgs, context: &CommandContext<'_>) -> Result<PullRequest, AppError> {
    let CommandContext { env, now, .. } = *context;
    let one_off = one_off(&typed, context)?;
    let backfill = backfill_start(&typed, context)?;
    let (settings, mut sources) = context.select(&typed.names)?;
    let flags = output_layer(typed.output);
    let names_file = flags.path.as_ref().is_some_and(PathTemplate::is_file);
    for source in &mut sources {
        if one_off.is_some() && !names_file {
            // The configured file belongs to the checkpoint; a time range would repeat events.
            source.output.use_stdout();
        }
        flags.apply(&mut source.output, &source.name);
    }
    if flags.path.is_none() {
        output::reject_rotating_stdout(&sources)?;
    }
    if typed.human {
        show_as_table(&mut sources, context)?;
    }
    let prints = |source: &SourceSettings| source.output.path == OutputPath::Stdout;
    let is_view = typed.human && sources.iter().any(prints);
    let is_incremental = one_off.is_none() && !is_view;
    let detect = match is_incremental {
        true => set_alerts(&mut sources, context)?,
        false => None,
    };
    let remote_state = context.remote_state(&settings)?;
    check_outputs(&sources, is_incremental, remote_state.is_some(), env)?;
    let prints_events = sources.iter().any(prints);
    let report = report_target(typed.report, prints_events)?;
    reject_path_clashes(
        context,
        &settings.sources,
        &sources,
        [
            (PathRole::Report, report.as_ref().and_then(ReportTarget::file)),
            (PathRole::MetricsFile, typed.metrics_file.as_deref()),
        ],
    )?;
    Ok(PullRequest {
        prints_on_terminal: env.stdout_is_terminal
            && prints_events
            && one_off.is_none()
            && !typed.human
            && flags.path.is_none(),
        is_view,
        report,
        sources,
        state_dir: settings.state_dir,
        remote_state,
        now,
        one_off,
        backfill,
        max_events: typed.max_events,
        if_running: typed.if_running.unwrap_or_default(),
        repeats_errors: typed.repeat_errors,
        dry_run: typed.dry_run,
        metrics_file: typed.metrics_file,
        file_mode: settings.file_mode,
        detect,
    })
}

/// Refuses outputs that cannot be written, or not together, or not by this run: only one that is
/// incremental has a state, which may be in a store.
fn check_outputs(
    sources: &[SourceSettings],
    is_incremental: bool,
    has_remote_state: bool,
    env: &ProcessEnv,
) -> Result<(), ConfigError> {
    let outputs = || sources.iter().map(|source| &source.output);
    output::reject_compressed_terminal_output(outputs(), env.stdout_is_terminal)?;
    output::reject_misnamed_files(outputs())?;
    encoding::check(outputs())?;
    match is_incremental {
        true => {
            output::check_keep(sources)?;
            encoding::check_state_location(sources, has_remote_state)?;
        }
        false => encoding::refuse_objects(outputs())?,
    }
    output::check_shared_files(sources, env.cwd())
}

fn output_layer(typed: OutputFlags) -> OutputLayer {
    // A name that is typed says what the file is, where nothing else typed does.
    let named = typed.path.as_ref();
    OutputLayer {
        encoding: typed.encoding.or(named.and_then(PathTemplate::implied_encoding)),
        compression: typed.compression.or(named.and_then(PathTemplate::implied_compression)),
        path: typed.path,
        format: typed.format,
        ..OutputLayer::default()
    }
}

/// Sets where the alerts of `sources` go, where their events are judged. Returns how they are.
pub fn set_alerts(
    sources: &mut [SourceSettings],
    context: &CommandContext<'_>,
) -> Result<Option<DetectSettings>, ConfigError> {
    let Some(detection) = context.load()?.live_detection()? else {
        return Ok(None);
    };
    for source in sources {
        source.alerts = Some(detection.for_source(source)?);
    }
    Ok(Some(detection.detect))
}

/// Shows the events of `sources` as a table, instead of lines on standard output or beside their
/// files.
fn show_as_table(
    sources: &mut [SourceSettings],
    context: &CommandContext<'_>,
) -> Result<(), AppError> {
    let has_file = |source: &SourceSettings| source.output.path != OutputPath::Stdout;
    let files = sources.iter().filter(|source| has_file(source)).count();
    if files > 0 && files < sources.len() {
        return Err(usage_error(
            "`--human` would move the checkpoints of some sources and not of others: not all of \
             them have an output file",
            "name the sources, or an output for all with `--output`",
        ));
    }
    for source in sources {
        if has_file(source) && source.output.format != OutputFormat::Normalized {
            let name = &source.name;
            return Err(usage_error(
                format!("`--human` shows normalized events, and the output of `{name}` is another"),
                "leave it out, and look at the file with `atlaudit search`",
            ));
        }
        if !has_file(source) {
            source.output.use_stdout();
        }
        source.output.format = OutputFormat::Normalized;
        source.output.table = Some(context.table_style());
    }
    Ok(())
}

/// The request of `follow`: a pull, repeated.
pub fn follow(typed: FollowArgs, context: &CommandContext<'_>) -> Result<FollowRequest, AppError> {
    let once = PullArgs {
        names: typed.names,
        output: typed.output,
        metrics_file: typed.metrics_file,
        human: typed.human,
        ..PullArgs::default()
    };
    let mut pull = pull(once, context)?;
    if pull.is_view {
        begin_view(&mut pull, typed.since, context)?;
    } else if typed.since.is_some() {
        return Err(usage_error(
            "`--since` is for a view, and the sources have output files with checkpoints",
            "leave it out, or watch with `atlaudit tail NAME`",
        ));
    }
    Ok(FollowRequest { pull, every: typed.every })
}

/// The request of `tail`: a view, whatever outputs are configured.
pub fn tail(typed: TailArgs, context: &CommandContext<'_>) -> Result<FollowRequest, AppError> {
    let stdout = PathTemplate::stdout();
    let once = PullArgs {
        names: typed.names,
        output: OutputFlags { path: Some(stdout), ..OutputFlags::default() },
        human: true,
        ..PullArgs::default()
    };
    let mut pull = pull(once, context)?;
    begin_view(&mut pull, typed.since, context)?;
    Ok(FollowRequest { pull, every: typed.every })
}

/// The first pull of a view begins at `since`, and not where a first pull of the source would.
fn begin_view(
    pull: &mut PullRequest,
    since: Option<TypedTime>,
    context: &CommandContext<'_>,
) -> Result<(), AppError> {
    let now = context.now;
    let since = since.map(|since| resolved("--since", since, context)).transpose()?;
    let since = since.map_or_else(|| before(now, VIEW_LOOKBACK), |since| since.at);
    check_window(context, Some(since), None, "", "give a time in the past, such as `1h`")?;
    for source in &mut pull.sources {
        source.initial_from = Some(since);
    }
    Ok(())
}

/// The request of `export`.
pub fn export(typed: ExportArgs, context: &CommandContext<'_>) -> Result<ExportRequest, AppError> {
    let CommandContext { env, now, .. } = *context;
    let since = resolved("--since", typed.since, context)?;
    let until = typed.until.map(|until| resolved("--until", until, context)).transpose()?;
    check_window(
        context,
        Some(since.at),
        until.map(|until| until.at),
        "leave it out: an export ends now, when its first run begins",
        HALF_OPEN,
    )?;
    let (settings, mut sources) = context.select(&typed.names)?;
    let place = |name: &SourceName| settings.sources.iter().position(|known| known.name == *name);
    sources.sort_by_key(|source| place(&source.name));
    reject_path_clashes(
        context,
        &settings.sources,
        &[],
        [
            (PathRole::ExportFolder, Some(typed.output.as_path())),
            (PathRole::SigningKey, typed.sign.as_deref()),
        ],
    )?;
    Ok(ExportRequest {
        sources,
        state_dir: settings.state_dir,
        now,
        since,
        until,
        folder: env.at_cwd(&typed.output),
        keep_bodies: typed.keep_bodies,
        detect: context.detect_settings(typed.detect)?,
        sign: typed.sign.map(|path| env.at_cwd(&path)),
    })
}

/// Refuses paths of the command that name two things: its `outputs` and `others`, among those of
/// the configuration.
fn reject_path_clashes(
    context: &CommandContext<'_>,
    configured: &[SourceSettings],
    outputs: &[SourceSettings],
    others: [(PathRole, Option<&Path>); 2],
) -> Result<(), AppError> {
    let mut paths = CommandPaths::reserved(context, configured);
    for source in outputs {
        paths.add_output(PathRole::Output(source.name.clone()), &source.output);
        if let Some(alerts) = &source.alerts {
            paths.add_output(PathRole::AlertOutput(source.name.clone()), &alerts.output);
        }
    }
    for (role, path) in others {
        path.iter().for_each(|path| paths.add(role.clone(), path));
    }
    Ok(paths.refuse_clashes()?)
}

/// Where `--report` goes. Standard output holds events or a report: a program that reads one could
/// not read both.
fn report_target(
    typed: Option<PathBuf>,
    prints_events: bool,
) -> Result<Option<ReportTarget>, AppError> {
    match typed {
        Some(path) if path == Path::new("-") && prints_events => Err(usage_error(
            "`--report -` would mix the report with the events on standard output",
            "write the events to a file with `--output FILE`, or the report with `--report FILE`",
        )),
        Some(path) if path == Path::new("-") => Ok(Some(ReportTarget::Stdout)),
        path => Ok(path.map(ReportTarget::File)),
    }
}

/// The window of `--since` and `--until`.
fn one_off(
    typed: &PullArgs,
    context: &CommandContext<'_>,
) -> Result<Option<OneOffWindow>, AppError> {
    let resolved = |flag, typed: Option<TypedTime>| {
        typed.map(|typed| resolved(flag, typed, context)).transpose()
    };
    let since = resolved("--since", typed.since)?.map(|since| since.at);
    let until = resolved("--until", typed.until)?.map(|until| until.at);
    let future_hint = "leave it out: a window without `--until` ends now";
    check_window(context, since, until, future_hint, "give a time in the past, such as `7d`")?;
    let is_typed = since.is_some() || until.is_some();
    Ok(is_typed.then_some(OneOffWindow { since, until }))
}

/// Where `--backfill` begins to read.
fn backfill_start(
    typed: &PullArgs,
    context: &CommandContext<'_>,
) -> Result<Option<Timestamp>, AppError> {
    let from = typed.backfill.map(|from| resolved("--backfill", from, context)).transpose()?;
    match from.map(|from| from.at) {
        Some(from) if from >= context.now => {
            let hint = "give a time in the past, such as `180d`";
            Err(usage_error("`--backfill` is not in the past", hint))
        }
        from => Ok(from),
    }
}

/// What the time of a flag means now, in the zone of the command.
pub fn resolved(
    flag: &str,
    typed: TypedTime,
    context: &CommandContext<'_>,
) -> Result<ResolvedTime, AppError> {
    typed.with_meaning(context.now, context.zone).map_err(|error| {
        usage_error(format!("`{flag}`: {error}"), "give a time before or after it")
    })
}

const HALF_OPEN: &str = "a window holds since <= time < until";

/// Refuses a window that is empty, or ends in the future: nobody can hold what has not happened
/// yet. The hints are for an end, and for a start, that is not in the past.
fn check_window(
    context: &CommandContext<'_>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    end_hint: &str,
    start_hint: &str,
) -> Result<(), AppError> {
    let CommandContext { now, zone, .. } = *context;
    let (name, end, hint) = match until {
        Some(until) if until > now => {
            let what = format!("`--until` ({}) is in the future", zone.millis(until));
            return Err(usage_error(what, end_hint));
        }
        Some(until) => ("`--until`", until, HALF_OPEN),
        None => ("now", now, start_hint),
    };
    match since {
        Some(since) if since >= end => {
            let (since, end) = (zone.millis(since), zone.millis(end));
            let what = format!("`--since` ({since}) is not before {name} ({end})");
            Err(usage_error(what, hint))
        }
        _ => Ok(()),
    }
}
