//! Runs `demo`: the whole program with the built-in sandbox, through the ordinary code, without
//! leaving anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::Value;

use crate::collect::collector::{CollectOptions, SourceCollector, SourceToRead};
use crate::collect::connector::SourceConnector;
use crate::collect::{signals, summary};
use crate::commands::issue_reporter::IssueReporter;
use crate::commands::query::QueryWork;
use crate::commands::report;
use crate::commands::sandbox::{configuration, start};
use crate::config::check;
use crate::config::env::ProcessEnv;
use crate::config::error::ConfigError;
use crate::config::file::ConfigFile;
use crate::config::request::{DemoRequest, EventInput, RawLines, SavedEventQuery};
use crate::config::settings::{OutputPath, SourceSettings};
use crate::credentials::Credential;
use crate::error::AppError;
use crate::exit::Exit;
use crate::filter::EventFilter;
use crate::http::quota::QuotaDir;
use crate::model::source_kind::SourceAddress;
use crate::model::text::printable;
use crate::normalise::taxonomy::Taxonomy;
use crate::pipeline::run::RunMode;
use crate::sandbox::{self, SandboxOptions};
use crate::sink::stdout;
use crate::telemetry::console::{Level, StderrConsole};

/// Events that a person at a terminal is shown.
const SHOWN: usize = 12;

/// Runs the demo; returns how the pull ended.
///
/// # Errors
/// No port or no temporary folder can be had, or standard output cannot be written.
pub async fn run(
    request: DemoRequest,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<Exit, AppError> {
    let folder = tempfile::tempdir().map_err(|error| {
        AppError::new(Exit::Output, "cannot create a temporary folder")
            .because(&error)
            .hint("name a folder that this user may write to with TMPDIR")
    })?;
    let sandbox = start(SandboxOptions::default()).await?;
    let is_watched = env.stdout_is_terminal;
    if let Some(page) = &request.report {
        report::refuse_other_file(page)?;
    }
    let events = (is_watched || request.report.is_some()).then_some(folder.path());
    let sources = sources(&sandbox.base_url(), events, &request)?;
    let state_dir = folder.path().join("state");
    let options = CollectOptions::new(&state_dir, signals::watch_signals(), console);
    // No other process uses this sandbox.
    let mut connector = SourceConnector::new(QuotaDir::off());
    let collection = SourceCollector::start(options, &mut connector, sources);
    let (mut reports, exit, elapsed) = collection.finish().await;
    let names: Vec<&str> = reports.iter().map(|report| report.source.as_str()).collect();
    if let Some(page) = &request.report {
        make_page(page, folder.path(), &names, console)?;
    }
    match (is_watched, events) {
        (true, _) => print_events(folder.path(), &names)?,
        (false, Some(folder)) => names.iter().try_for_each(|name| print_file(folder, name))?,
        (false, None) => {}
    }
    for report in &mut reports {
        // There will be no later pull, and the files are about to be removed.
        report.first_pull = None;
        report.files.clear();
    }
    summary::report(Level::Notice, console, &reports, elapsed);
    Ok(exit)
}

/// All of the sandbox's APIs as sources, with the keys that it knows. Their events go to `folder`,
/// or to standard output.
fn sources(
    base_url: &str,
    folder: Option<&Path>,
    request: &DemoRequest,
) -> Result<Vec<SourceToRead>, AppError> {
    let unexpected = |error: ConfigError| AppError::new(Exit::Unexpected, error.to_string());
    let text = configuration("demo", base_url, base_url);
    let file = ConfigFile::parse(Path::new("demo.toml"), text).map_err(unexpected)?;
    let settings = check::settings(&file, &ProcessEnv::default(), PathBuf::new());
    let sources = settings.map_err(unexpected)?.sources.into_iter();
    let sources = sources.map(|mut source: SourceSettings| {
        source.output.format = request.format.unwrap_or_default();
        source.output.path = match folder {
            None => OutputPath::Stdout,
            Some(folder) => OutputPath::File(file_of(folder, source.name.as_str())),
        };
        let key = match source.target.kind().address() {
            SourceAddress::Organization => sandbox::API_KEY,
            SourceAddress::Site => sandbox::JIRA_TOKEN,
            SourceAddress::Server => sandbox::DATACENTER_TOKEN,
        };
        let credential = Credential {
            key: SecretString::from(key),
            org_id: source.target.org_id.clone(),
            account: source.target.account.clone(),
            origin: "sandbox".to_owned(),
            stored: None,
            expires: None,
        };
        (source, Ok(credential), RunMode::Incremental)
    });
    Ok(sources.collect())
}

fn file_of(folder: &Path, source: &str) -> String {
    folder.join(format!("{source}.jsonl")).display().to_string()
}

/// Makes a page of the events of `sources`.
fn make_page(
    page: &Path,
    folder: &Path,
    sources: &[&str],
    console: &StderrConsole,
) -> Result<(), AppError> {
    let inputs = sources.iter().map(|name| EventInput::File(file_of(folder, name).into()));
    let query = SavedEventQuery {
        inputs: inputs.collect(),
        pull: None,
        raw: RawLines::default(),
        filter: EventFilter::default(),
        needs_raw: false,
        now: chrono::Utc::now(),
        extra_actions: None,
    };
    let mut reporter = IssueReporter::new(console);
    let (made, _) = report::page_of(QueryWork {
        query: &query,
        taxonomy: Taxonomy::default(),
        report: &mut |issue| reporter.report(&issue),
        is_stopped: &|| false,
    })?;
    report::write_page(page, &made.html)?;
    console.notice(format!("wrote a page of the events to `{}`", page.display()));
    Ok(())
}

fn print_file(folder: &Path, source: &str) -> Result<(), AppError> {
    let text = fs::read_to_string(file_of(folder, source)).map_err(|error| {
        AppError::new(Exit::Output, "cannot read the events of the demo again")
            .because(&error)
            .hint("look at the temporary folder that TMPDIR names")
    })?;
    Ok(stdout::print(&text)?)
}

/// Prints a readable few of the events of `sources` and how to see the rest.
fn print_events(folder: &Path, sources: &[&str]) -> Result<(), AppError> {
    let mut events = Vec::new();
    for source in sources {
        let text = fs::read_to_string(file_of(folder, source)).unwrap_or_default();
        events.extend(text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()));
    }
    events.sort_by_cached_key(|event| text_at(event, "/time"));
    let mut out = String::new();
    for event in events.iter().rev().take(SHOWN).rev() {
        out.push_str(&format_event(event));
    }
    out.push_str(&format!(
        "\nThese are the last {SHOWN} of {} events. \
         All of them, as JSON lines:  atlaudit demo | jq .\n",
        events.len()
    ));
    Ok(stdout::print(&out)?)
}

/// `2026-11-20 09:30:00  failure  user_login  Ada  198.51.100.7`
fn format_event(event: &Value) -> String {
    let time = text_at(event, "/time").replace('T', " ");
    let who = ["/actor/name", "/actor/email", "/actor/id"]
        .into_iter()
        .map(|path| text_at(event, path))
        .find(|text| !text.is_empty())
        .unwrap_or_default();
    format!(
        "{}  {:<8}{:<36}  {:<24}{}\n",
        time.get(..19).unwrap_or(&time),
        text_at(event, "/outcome"),
        text_at(event, "/action"),
        who,
        text_at(event, "/client/ip"),
    )
}

fn text_at(event: &Value, path: &str) -> String {
    let text = event.pointer(path).and_then(Value::as_str);
    printable(text.unwrap_or_default())
}
