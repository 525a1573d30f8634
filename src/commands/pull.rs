//! Runs `pull`: reads every requested source once, to its end; `--dry-run` only shows the plan.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use crate::collect::collector::{CollectOptions, SourceCollector};
use crate::collect::connector::SourceConnector;
use crate::collect::failure_notices::FailureNotices;
use crate::collect::metrics::MetricsFile;
use crate::collect::{signals, summary};
use crate::commands::saved_detection::load_setup;
use crate::config::env::ProcessEnv;
use crate::config::request::{PullRequest, ReportTarget};
use crate::config::settings::{CredentialSpec, OutputPath, SourceSettings};
use crate::credentials;
use crate::detect::DetectionSetup;
use crate::error::AppError;
use crate::exit::Exit;
use crate::fetch::plan::{self, ReadPlan};
use crate::model::name::SourceName;
use crate::model::output_file_state::OutputFileState;
use crate::model::source_kind::SourceAddress;
use crate::model::text::{counted, group_digits};
use crate::model::time::{Timestamp, format_millis, in_words};
use crate::model::user_zone::UserZone;
use crate::pipeline::backfill_run;
use crate::pipeline::checkpoint_writer::{self, scope_of};
use crate::pipeline::error::RunError;
use crate::pipeline::file_retention::find_expired;
use crate::pipeline::report::{RunReport, SourceReport};
use crate::pipeline::run_output::current_output_file;
use crate::pipeline::source_context::lookback_settings;
use crate::pipeline::unfinished_files::find_unfinished;
use crate::render::EventTable;
use crate::sink::location::{is_same_file, path_before_rotation, real_path};
use crate::sink::stdout;
use crate::source::DeliveryOrder;
use crate::state::checkpoint::Checkpoint;
use crate::state::store::StateStore;
use crate::telemetry::console::{Level, StderrConsole};

/// Up to so many files that would be deleted are named.
const NAMED_DELETIONS: usize = 20;

/// Pulls, and returns how the worst source ended.
///
/// # Errors
/// A time range would be written to a file of an ordinary pull, or the report's file cannot be
/// opened. Nothing has been requested or written then.
pub async fn run(
    request: PullRequest,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<Exit, AppError> {
    refuse_owned(&request)?;
    let report_path = request.report.as_ref().and_then(ReportTarget::file);
    let report_file = report_path.map(|path| open_report(path, request.file_mode)).transpose()?;
    let mut options = CollectOptions::of_pull(&request, signals::watch_signals(), console);
    options.detection = load_detection(&request, console)?;
    // Who extends a history waits for its end.
    let is_routine = !request.repeats_errors && request.backfill.is_none();
    if is_routine && !env.stderr_is_terminal {
        options.failures = Some(Arc::new(FailureNotices::shared(&request.state_dir)));
    }
    print_heads(&request)?;
    let metrics = request.metrics_file.as_deref().map(|path| {
        options.registry.set_sources(&request.sources, &request.state_dir);
        MetricsFile::open(path, request.file_mode, options.registry.clone())
    });
    let metrics = metrics.transpose()?;
    let pulling = async {
        let mut connector = SourceConnector::of_process(env);
        let credentials = options.load_credentials(&request.sources, env).await;
        let collector = SourceCollector::start_pull(options, &mut connector, &request, credentials);
        collector.finish().await
    };
    let (reports, mut exit, elapsed) = match &metrics {
        None => pulling.await,
        Some(metrics) => tokio::select! {
            ended = pulling => ended,
            never = metrics.refresh_periodically() => match never {},
        },
    };
    summary::report(Level::Notice, console, &reports, elapsed);
    let mut finish = |written: Result<(), AppError>| {
        if let Err(error) = written {
            error.report_to(console);
            exit = exit.worst(Exit::Output);
        }
        exit
    };
    let exit = finish(metrics.map_or(Ok(()), |metrics| metrics.close()));
    if request.report.is_none() {
        return Ok(exit);
    }
    let text = report_text(reports, request.now, exit);
    Ok(finish(text.and_then(|text| match report_path.zip(report_file) {
        None => Ok(stdout::print(&text)?),
        Some((path, mut file)) => file.write_all(text.as_bytes()).map_err(|error| {
            let hint = "the run itself is complete, with its output and checkpoint";
            report_error(path, &error).hint(hint)
        }),
    })))
}

/// Loads what the events are judged with, where they are.
///
/// # Errors
/// A rule, a list or a database cannot be used.
pub fn load_detection(
    request: &PullRequest,
    console: &StderrConsole,
) -> Result<Option<Arc<DetectionSetup>>, AppError> {
    let settings = request.detect.clone();
    let setup = settings.map(|settings| load_setup(settings, request.now, console));
    Ok(setup.transpose()?.map(Arc::new))
}

/// Prints the heads of the table that the events are shown in, if there is one.
///
/// # Errors
/// Standard output cannot be written.
pub fn print_heads(request: &PullRequest) -> Result<(), AppError> {
    let mut styles = request.sources.iter().filter_map(|source| source.output.table);
    if let Some(style) = styles.next() {
        stdout::print(&EventTable::heads(style))?;
    }
    Ok(())
}

/// Opens the report before anything else is done, so that a wrong path is refused at once. A new
/// file gets the permission bits `mode`, or 0600 if the configuration sets none.
fn open_report(path: &Path, mode: Option<u32>) -> Result<File, AppError> {
    create_with_mode(path, mode.unwrap_or(0o600))
        .map_err(|error| report_error(path, &error).hint("check the path of `--report`"))
}

/// An existing file is truncated and keeps its permissions.
fn create_with_mode(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).mode(mode);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            // Also the bits that the process's umask removes.
            file.set_permissions(Permissions::from_mode(mode))?;
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            options.create(true).truncate(true).open(path)
        }
        Err(error) => Err(error),
    }
}

fn report_error(path: &Path, error: &io::Error) -> AppError {
    let what = format!("cannot write the report `{}`", path.display());
    AppError::new(Exit::Output, what).because(error)
}

fn report_text(
    sources: Vec<SourceReport>,
    started: Timestamp,
    exit: Exit,
) -> Result<String, AppError> {
    let report = RunReport {
        schema: "atlaudit/report/1",
        atlaudit: env!("CARGO_PKG_VERSION"),
        started: format_millis(started),
        finished: format_millis(chrono::Utc::now()),
        exit_code: exit.code(),
        sources,
    };
    let text = serde_json::to_string_pretty(&report).map_err(|error| {
        let what = "the report cannot be written as JSON";
        AppError::new(Exit::Unexpected, what).because(&error).hint("please report it")
    })?;
    Ok(text + "\n")
}

/// Refuses to write a time range into the output file of an ordinary pull: it would repeat events.
///
/// # Errors
/// An output of `request` belongs to a source of the state, or the state cannot be read.
fn refuse_owned(request: &PullRequest) -> Result<(), AppError> {
    if request.one_off.is_none() {
        return Ok(());
    }
    let store = StateStore::new(&request.state_dir);
    let owned = store.outputs()?;
    for settings in &request.sources {
        let Some(path) = current_output_file(&settings.output)? else {
            continue;
        };
        if let Some(owner) = output_owner(&path, owned) {
            let what = format!(
                "the output file `{}` belongs to the pulls of source `{owner}`, and a time range \
                 would repeat events in it",
                path.display()
            );
            return Err(AppError::new(Exit::Output, what).hint(
                "name a different file with `--output`, or leave `--output` out: a time range is \
                 then written to standard output",
            ));
        }
    }
    Ok(())
}

/// The source whose pulls write to `path`, or have written to it under this or another name.
fn output_owner<'a>(
    path: &Path,
    owned: &'a [(SourceName, OutputFileState)],
) -> Option<&'a SourceName> {
    let path = real_path(path);
    let before_rotation = path_before_rotation(&path);
    let facts = fs::metadata(&path).ok().filter(Metadata::is_file);
    let is_it = |output: &OutputFileState| {
        output.path == path
            || before_rotation.as_ref() == Some(&output.path)
            || facts.as_ref().is_some_and(|facts| is_same_file(output, facts))
    };
    let found = owned.iter().find(|(_, output)| is_it(output));
    found.map(|(name, _)| name)
}

/// Shows the plan of a pull on standard error, without network access; standard output carries only
/// events. What a pull would refuse because of its state or its output is refused here too; the
/// other sources are still shown.
pub async fn dry_run(request: &PullRequest, env: &ProcessEnv, console: &StderrConsole) -> Exit {
    if let Err(error) = refuse_owned(request) {
        error.report_to(console);
        return error.exit();
    }
    let store = StateStore::of_settings(&request.state_dir, request.remote_state.as_ref());
    let mut exit = Exit::Done;
    for settings in &request.sources {
        match describe_plan(settings, request, &store, env, console.zone()).await {
            Ok(text) => console.show(&text),
            Err(error) => {
                let error = error.for_settings(settings);
                error.report_to(console);
                exit = exit.worst(error.exit());
            }
        }
    }
    exit
}

/// Shows the plan of a pull whose events would go to a terminal, and returns why it is refused:
/// what is printed there counts as read, and no later pull writes it to a file. `command` is what
/// was typed.
pub async fn refuse_terminal(
    command: &str,
    request: &PullRequest,
    env: &ProcessEnv,
    console: &StderrConsole,
) -> AppError {
    if console.says(Level::Notice) {
        // It reports what is wrong with a source, which does not matter here: nothing is pulled.
        dry_run(request, env, console).await;
    }
    let what = format!(
        "`{command}` would print its events on this terminal and mark them as read; \
         nothing was pulled"
    );
    AppError::new(Exit::Usage, what).hint(
        "keep them with `--output FILE`, send them to a program with `|`, or print them here all \
         the same with `--output -`; `atlaudit pull --since 7d` shows the last seven days and \
         marks nothing as read",
    )
}

/// Describes what a pull of one source would do.
async fn describe_plan(
    settings: &SourceSettings,
    request: &PullRequest,
    store: &StateStore,
    env: &ProcessEnv,
    zone: UserZone,
) -> Result<String, AppError> {
    let order = settings.target.kind().descriptor().order;
    let scope = scope(settings, env).await?;
    let now = request.now;
    let (plan, checkpoint) = match request.one_off {
        Some(one_off) => {
            let window = one_off.window(settings, now);
            let plan = plan::one_off(order, &lookback_settings(settings), window, now);
            // It only serves an estimate, so it does not matter if it cannot be read.
            let found = store.load(&settings.name).ok().flatten();
            let is_own = |found: &Checkpoint| scope.as_ref().is_none_or(|own| *own == found.scope);
            (plan, found.filter(is_own))
        }
        None => {
            let found = match &scope {
                Some(scope) => checkpoint_writer::peek(store, &settings.name, scope)?,
                None => store.load(&settings.name)?,
            };
            let plan = match (request.backfill, &found) {
                (None, _) => {
                    plan::incremental(order, &lookback_settings(settings), found.as_ref(), now)
                }
                (Some(from), Some(found)) => backfill_run::plan_to_show(order, found, from, now)?,
                (Some(_), None) => {
                    let source_name = settings.name.to_string();
                    return Err(RunError::NoHistory { source_name }.into());
                }
            };
            (plan, found)
        }
    };
    find_unfinished(settings, store, None)?;
    let is_first = request.one_off.is_none() && checkpoint.is_none();
    let pages = checkpoint.and_then(|known| estimate_pages(&plan, &known, settings.page_size, now));
    let deletions = match request.one_off {
        Some(_) => String::new(),
        None if request.backfill.is_some() => String::new(),
        None => describe_deletions(settings, store, now)?,
    };
    Ok(describe(settings, &plan, is_first, pages, zone) + &deletions)
}

/// The organization or site that the checkpoint must belong to, as far as it can be known here: the
/// organization may be stored with the credential, and a command that prints one may use the
/// network.
async fn scope(settings: &SourceSettings, env: &ProcessEnv) -> Result<Option<String>, AppError> {
    let (kind, target) = (settings.target.kind(), &settings.target);
    let owner = match (kind.address(), &settings.credential) {
        (SourceAddress::Site | SourceAddress::Server, _) => {
            target.site().or_else(|| target.cloud_id().map(str::to_owned))
        }
        (SourceAddress::Organization, _) if target.org_id.is_some() => target.org_id.clone(),
        (SourceAddress::Organization, CredentialSpec::Command(_)) => None,
        (SourceAddress::Organization, _) => credentials::load(settings, env).await?.org_id,
    };
    Ok(owner.map(|owner| scope_of(kind, target.product, &owner)))
}

fn describe(
    settings: &SourceSettings,
    plan: &ReadPlan,
    is_first: bool,
    pages: Option<u64>,
    zone: UserZone,
) -> String {
    let order = settings.target.kind().descriptor().order;
    let mut lines = vec![
        format!("{} ({})", settings.name, settings.target.kind()),
        format!("  credential  {}", credentials::describe_location(settings)),
        format!("  asks        {}", settings.target.base_url()),
    ];
    for open in &plan.windows {
        let until = open.to.map_or("the end of the stream".to_owned(), |to| zone.millis(to));
        let how = match (&open.cursor, order) {
            (Some(_), _) => ", behind the saved cursor",
            (None, DeliveryOrder::Unspecified) => ", in time slices",
            (None, DeliveryOrder::Ascending) => "",
        };
        lines.push(format!("  reads       {} to {until}{how}", zone.millis(open.from)));
    }
    if plan.windows.is_empty() {
        lines.push(
            "  reads       nothing: there is no time between its start and its end".to_owned(),
        );
    }
    if is_first {
        let begins = match settings.initial_from {
            Some(time) => format!("`initial_from` is {}", zone.millis(time)),
            None => format!("`initial_lookback` is {}", in_words(settings.initial_lookback)),
        };
        lines.push(format!("  first pull  {begins}; only `--backfill` reads older events"));
    }
    let output = match &settings.output.path {
        OutputPath::Stdout => "standard output".to_owned(),
        OutputPath::File(path) => settings.output.with_suffix(path.clone()),
        OutputPath::Object(url) => format!("objects that are named like {url}"),
    };
    lines.push(format!("  writes to   {output}"));
    if let Some(alerts) = &settings.alerts
        && let OutputPath::File(path) = &alerts.output.path
    {
        let path = alerts.output.with_suffix(path.clone());
        lines.push(format!("  alerts to   {path}"));
    }
    lines.push(format!("  requests    {}", describe_requests(settings, pages)));
    lines.push(String::new());
    lines.join("\n")
}

/// The old files that a pull would delete, if the server's clock says the same as ours.
fn describe_deletions(
    settings: &SourceSettings,
    store: &StateStore,
    now: Timestamp,
) -> Result<String, AppError> {
    let expired = find_expired(settings, store, now)?;
    let named = expired.iter().take(NAMED_DELETIONS);
    let mut lines: Vec<_> = named
        .map(|file| {
            let bytes = group_digits(file.bytes);
            format!("  deletes     {} ({bytes} bytes), kept long enough\n", file.path.display())
        })
        .collect();
    if expired.len() > NAMED_DELETIONS {
        let more = counted((expired.len() - NAMED_DELETIONS) as u64, "file");
        lines.push(format!("  deletes     {more} more\n"));
    }
    Ok(lines.concat())
}

/// How many requests to expect for so many pages, if these can be estimated.
fn describe_requests(settings: &SourceSettings, pages: Option<u64>) -> String {
    let endpoint = settings.target.kind().descriptor().endpoint;
    let quota = settings.connection.requests_per_minute.or(endpoint.per_minute());
    let limit = quota.map_or(String::new(), |quota| {
        format!(", at most {} a minute", group_digits(quota.into()))
    });
    let size = group_digits(settings.page_size.into());
    match pages {
        Some(pages) => {
            format!("about {}, each for up to {size} events{limit}", group_digits(pages))
        }
        None => format!("one for every {size} events, at least 1{limit}"),
    }
}

/// How many pages to expect, from the density of what earlier pulls wrote.
fn estimate_pages(
    plan: &ReadPlan,
    checkpoint: &Checkpoint,
    page_size: u32,
    now: Timestamp,
) -> Option<u64> {
    let watermark = checkpoint.watermark?;
    let covered = (watermark - checkpoint.history_start()).num_milliseconds();
    if covered <= 0 {
        return None;
    }
    let ahead = plan.windows.iter().map(|open| {
        let from = if open.cursor.is_some() { watermark } else { open.from };
        (open.to.unwrap_or(now) - from).num_milliseconds().max(0)
    });
    let ahead: i64 = ahead.sum();
    let events = checkpoint.events as f64 * ahead as f64 / covered as f64;
    Some((events / f64::from(page_size)).ceil() as u64 + 1)
}
