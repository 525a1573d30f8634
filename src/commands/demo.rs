//! Runs `demo`: the whole program with the built-in sandbox, through the ordinary code, without
//! leaving anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;

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
use crate::config::request::{DemoRequest, SavedEventQuery};
use crate::config::settings::{OutputPath, SourceSettings, TableStyle};
use crate::credentials::Credential;
use crate::error::AppError;
use crate::exit::Exit;
use crate::filter;
use crate::http::quota::QuotaDir;
use crate::model::json::Document;
use crate::model::source_kind::SourceAddress;
use crate::model::text::group_digits;
use crate::normalise::taxonomy::Taxonomy;
use crate::pipeline::run::RunMode;
use crate::render::EventTable;
use crate::sandbox::{self, SandboxOptions};
use crate::sink::stdout;
use crate::telemetry::console::{Level, StderrConsole};
use crate::time_sorter::TimeSorter;

/// Events that a person at a terminal is shown.
const SHOWN: u64 = 12;

/// Runs the demo; returns how the pull ended.
///
/// # Errors
/// No port or no temporary folder can be had, or standard output cannot be written.
pub async fn run(
    request: DemoRequest,
    style: TableStyle,
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
        if page == Path::new("-") {
            return Err(AppError::new(Exit::Usage, "the events of the demo go to standard output")
                .hint("name a file for the page, such as `--report page.html`"));
        }
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
        (true, _) => print_events(folder.path(), &names, style)?,
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
            Some(folder) => {
                OutputPath::File(file_of(folder, source.name.as_str()).replace('%', "%%"))
            }
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
    let files = sources.iter().map(|name| file_of(folder, name).into());
    let query = SavedEventQuery::of_files(files, chrono::Utc::now());
    let reporter = IssueReporter::new(console);
    let work = QueryWork {
        query: &query,
        taxonomy: Taxonomy::default(),
        report: &mut |issue| reporter.report(&issue),
        is_stopped: &|| false,
        unread_sources: &[],
    };
    let made = report::page_of(work, None, &[]);
    reporter.finish();
    let (made, _) = made?;
    report::write_page(page, &made.html)?;
    console.notice(format!("wrote a page of the events to `{}`", page.display()));
    Ok(())
}

fn print_file(folder: &Path, source: &str) -> Result<(), AppError> {
    let text = fs::read_to_string(file_of(folder, source));
    Ok(stdout::print(&text.map_err(|error| reading_error(&error))?)?)
}

fn reading_error(error: &std::io::Error) -> AppError {
    AppError::new(Exit::Output, "cannot read the events of the demo again")
        .because(error)
        .hint("look at the temporary folder that TMPDIR names")
}

/// Prints the last events of `sources` as a table, and how to see the rest.
fn print_events(folder: &Path, sources: &[&str], style: TableStyle) -> Result<(), AppError> {
    let mut sorter = TimeSorter::new(true, Some(SHOWN));
    let mut count = 0;
    for source in sources {
        let text = fs::read_to_string(file_of(folder, source)).unwrap_or_default();
        for line in text.lines() {
            count += 1;
            let doc = Document::parse(line.to_owned().into()).ok();
            let time = doc.as_ref().and_then(filter::time_of);
            sorter.push(time, line.as_bytes()).map_err(|error| reading_error(&error))?;
        }
    }
    let mut sorted = sorter.finish().map_err(|error| reading_error(&error))?;
    let mut latest = Vec::new();
    while let Some(line) = sorted.next().map_err(|error| reading_error(&error))? {
        let text = String::from_utf8_lossy(&line).into_owned();
        latest.extend(Document::parse(text.into()));
    }
    let mut table = EventTable::new(style);
    let mut out = String::new();
    latest.iter().rev().for_each(|event| table.push(event, &mut out));
    table.flush(&mut out);
    out.push_str(&format!(
        "\nThese are the last {SHOWN} of {} events. \
         All of them, as JSON lines:  atlaudit demo | jq .\n",
        group_digits(count)
    ));
    Ok(stdout::print(&out)?)
}
