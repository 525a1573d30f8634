//! Runs `demo`: the whole program with the built-in sandbox, through the ordinary code, without
//! leaving anything.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;

use crate::collect::collector::{CollectOptions, SourceCollector, SourceToRead, may_show_progress};
use crate::collect::connector::SourceConnector;
use crate::collect::{signals, summary};
use crate::config::check::{self, LoginFlags};
use crate::config::env::ProcessEnv;
use crate::config::file::ConfigFile;
use crate::config::request::DemoRequest;
use crate::config::settings::{OutputPath, SourceSettings};
use crate::credentials::Credential;
use crate::error::AppError;
use crate::exit::Exit;
use crate::http::quota::QuotaDir;
use crate::model::name::SourceKind;
use crate::model::source_kind::SourceAddress;
use crate::model::text::printable;
use crate::pipeline::run::RunMode;
use crate::sandbox::{self, Sandbox, SandboxOptions};
use crate::sink::stdout;
use crate::telemetry::console::StderrConsole;

/// Events that a person at a terminal is shown.
const SHOWN: usize = 12;

/// The demo's sources.
const NAMES: [&str; SourceKind::ALL.len()] =
    ["demo-org", "demo-jira", "demo-confluence", "demo-datacenter"];

/// The sandbox's history is a month long.
const DEMO_LOOKBACK: Duration = Duration::from_secs(31 * 24 * 60 * 60);

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
    let shown = folder.path().join("{source}.jsonl");
    let path = match is_watched {
        true => OutputPath::File(shown.display().to_string()),
        false => OutputPath::Stdout,
    };
    let sources = sources(&sandbox, path, &request)?;
    let state_dir = folder.path().join("state");
    let outputs = sources.iter().map(|(settings, ..)| &settings.output);
    let options = CollectOptions {
        shows_progress: may_show_progress(outputs),
        ..CollectOptions::new(&state_dir, signals::watch_signals(), console)
    };
    // No other process uses this sandbox.
    let mut connector = SourceConnector::new(QuotaDir::off());
    let collection = SourceCollector::start(options, &mut connector, sources);
    let (mut reports, exit, elapsed) = collection.finish().await;
    if is_watched {
        print_events(folder.path())?;
    }
    for report in &mut reports {
        // There will be no later pull, and the files are about to be removed.
        report.first_pull = None;
        report.files.clear();
    }
    summary::report(console, &reports, elapsed);
    Ok(exit)
}

/// Starts a sandbox.
pub async fn start(options: SandboxOptions) -> Result<Sandbox, AppError> {
    let port = options.port;
    Sandbox::start(options).await.map_err(|error| {
        // Only a requested port can be a wrong one.
        let (exit, hint) = match port {
            0 => (Exit::Output, "look at the limits of this user, and at the loopback interface"),
            _ => (Exit::Usage, "`--port 0` takes a free port, `--port N` another one"),
        };
        AppError::new(exit, format!("cannot listen on 127.0.0.1:{port}")).hint(hint).because(&error)
    })
}

/// All of the sandbox's APIs as sources, with the keys that it knows.
fn sources(
    sandbox: &Sandbox,
    path: OutputPath,
    request: &DemoRequest,
) -> Result<Vec<SourceToRead>, AppError> {
    let base_url = Some(sandbox.base_url());
    let named = NAMES.into_iter().zip(SourceKind::ALL);
    named
        .map(|(name, kind)| {
            let own = LoginFlags {
                kind: Some(kind),
                base_url: base_url.clone(),
                ..LoginFlags::default()
            };
            let (flags, key) = match kind.address() {
                SourceAddress::Organization => {
                    let org_id = Some(sandbox::ORG_ID.to_owned());
                    (LoginFlags { org_id, ..own }, sandbox::API_KEY)
                }
                SourceAddress::Site => {
                    let site = Some(sandbox::JIRA_SITE.to_owned());
                    let email = Some(sandbox::JIRA_EMAIL.to_owned());
                    (LoginFlags { site, email, ..own }, sandbox::JIRA_TOKEN)
                }
                SourceAddress::Server => (own, sandbox::DATACENTER_TOKEN),
            };
            let mut settings = settings(name, &flags)?;
            settings.initial_lookback = DEMO_LOOKBACK;
            settings.output.format = request.format;
            settings.output.path = match &path {
                OutputPath::Stdout => OutputPath::Stdout,
                OutputPath::File(template) => OutputPath::File(template.replace("{source}", name)),
            };
            let credential = Credential {
                key: SecretString::from(key),
                org_id: flags.org_id,
                account: flags.email,
                origin: "sandbox".to_owned(),
                stored: None,
                expires: None,
            };
            Ok((settings, Ok(credential), RunMode::Incremental))
        })
        .collect()
}

fn settings(name: &str, flags: &LoginFlags) -> Result<SourceSettings, AppError> {
    let unexpected = |what: String| AppError::new(Exit::Unexpected, what);
    let name = name.parse().map_err(unexpected)?;
    check::login_source(&ConfigFile::absent(), &name, flags)
        .map_err(|error| unexpected(error.to_string()))
}

/// Prints a readable few of the events in `folder` and how to see the rest.
fn print_events(folder: &Path) -> Result<(), AppError> {
    let mut events = Vec::new();
    for name in NAMES {
        let text = fs::read_to_string(folder.join(format!("{name}.jsonl"))).unwrap_or_default();
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

/// `2026-11-20 09:30:00  failure  user_login_failed  Ada  198.51.100.7`
fn format_event(event: &Value) -> String {
    let time = text_at(event, "/time").replace('T', " ");
    let who = ["/actor/name", "/actor/email", "/actor/id"]
        .into_iter()
        .map(|path| text_at(event, path))
        .find(|text| !text.is_empty())
        .unwrap_or_default();
    format!(
        "{}  {:<8}{:<36}{:<24}{}\n",
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
