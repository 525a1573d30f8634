//! Runs `sandbox`: serves the built-in APIs until a signal, and prints a configuration for them.

use std::sync::Arc;
use std::time::Duration;

use crate::collect::signals;
use crate::config::request::SandboxRequest;
use crate::error::AppError;
use crate::exit::Exit;
use crate::pipeline::stop::StopRequest;
use crate::sandbox::{
    self, Api, ApiQuirk, Behaviour, DataOptions, RateLimit, Sandbox, SandboxControl, SandboxOptions,
};
use crate::sink::stdout;
use crate::telemetry::console::StderrConsole;

/// Serves until SIGINT or SIGTERM. Prints a configuration for it to standard output.
///
/// # Errors
/// The port is taken, or standard output cannot be written.
pub async fn run(request: SandboxRequest, console: &Arc<StderrConsole>) -> Result<(), AppError> {
    let mut stop = signals::watch_signals();
    let server = start(SandboxOptions {
        port: request.port,
        data: DataOptions {
            seed: request.seed,
            org_events: request.events,
            jira_records: request.records,
            confluence_records: request.confluence_records,
            datacenter_events: request.datacenter_events,
            workspace_events: request.workspace_events,
            ..DataOptions::default()
        },
        behaviour: behaviour(&request),
    })
    .await?;
    let base_url = server.base_url();
    stdout::print(&configuration("sandbox", &base_url, &format!("{base_url}/dc")))?;
    console.notice(format!(
        "serving {} organization events, {} Jira records, {} Confluence records, {} Data Center \
         events and {} workspace events on {base_url}; the configuration above pulls them. Ctrl-C \
         ends it",
        request.events,
        request.records,
        request.confluence_records,
        request.datacenter_events,
        request.workspace_events,
    ));
    let control = server.control();
    tokio::select! {
        () = server.run_until_stopped() => {}
        () = add_events_periodically(&control, request.new_event_every) => {}
        _ = stop.wait_for(|&stop| stop != StopRequest::NotRequested) => {}
    }
    Ok(())
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

/// Adds an event to each API every so often; never returns.
async fn add_events_periodically(control: &SandboxControl, every: Option<Duration>) {
    let Some(every) = every else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(every).await;
        Api::ALL.into_iter().for_each(|api| control.add(api, 1));
    }
}

/// The requested behaviour. The command line has refused unknown quirks.
fn behaviour(request: &SandboxRequest) -> Behaviour {
    let limit =
        request.rate_limit.map(|requests| RateLimit::new(requests, Duration::from_secs(60)));
    let latency = request.latency.unwrap_or_default();
    let mut behaviour = Behaviour {
        org_rate_limit: limit.clone(),
        jira_rate_limit: limit.clone(),
        confluence_rate_limit: limit.clone(),
        datacenter_rate_limit: limit.clone(),
        workspace_rate_limit: limit,
        org_latency: request.org_latency.unwrap_or(latency),
        jira_latency: request.jira_latency.unwrap_or(latency),
        confluence_latency: latency,
        datacenter_latency: latency,
        workspace_latency: latency,
        ..Behaviour::default()
    };
    for quirk in request.quirks.iter().filter_map(|name| ApiQuirk::find(name)) {
        quirk.apply(&mut behaviour);
    }
    behaviour
}

/// A configuration that pulls from the sandbox at `base_url`: `atlaudit sandbox > sandbox.toml`.
/// The names of its sources begin with `prefix`.
pub fn configuration(prefix: &str, base_url: &str, datacenter_url: &str) -> String {
    let org = format!("org_id = \"{}\"\n", sandbox::ORG_ID);
    let (site, email) = (sandbox::JIRA_SITE, sandbox::JIRA_EMAIL);
    let site = format!("site = \"{site}\"\nemail = \"{email}\"\n");
    let workspace = format!("{site}product = \"jira\"\n");
    let sources = [
        ("org", "org-events", org.as_str(), base_url, sandbox::API_KEY),
        ("jira", "jira-audit", &site, base_url, sandbox::JIRA_TOKEN),
        ("confluence", "confluence-audit", &site, base_url, sandbox::JIRA_TOKEN),
        ("workspace", "workspace-events", &workspace, base_url, sandbox::JIRA_TOKEN),
        ("datacenter", "datacenter-audit", "", datacenter_url, sandbox::DATACENTER_TOKEN),
    ];
    let tables = sources.map(|(name, kind, owner, url, key)| {
        format!(
            r#"[sources.{prefix}-{name}]
type = "{kind}"
{owner}base_url = "{url}"
credential = "command:echo {key}"
initial_lookback = "31d"
"#
        )
    });
    format!("# atlaudit --config THIS pull\n{}", tables.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check;
    use crate::config::env::ProcessEnv;
    use crate::config::file::ConfigFile;

    #[test]
    fn the_printed_configuration_is_accepted() {
        let url = "http://127.0.0.1:8417";
        let text = configuration("sandbox", url, url);
        let loaded = ConfigFile::parse("sandbox.toml".as_ref(), text).unwrap();
        let settings = check::settings(&loaded, &ProcessEnv::default(), "/state".into()).unwrap();
        assert_eq!(settings.sources.len(), 5);
    }

    #[test]
    fn a_latency_of_one_api_wins_over_that_of_all() {
        let seconds = |[all, org, jira]: [Option<u64>; 3]| {
            let found = behaviour(&SandboxRequest {
                latency: all.map(Duration::from_secs),
                org_latency: org.map(Duration::from_secs),
                jira_latency: jira.map(Duration::from_secs),
                ..SandboxRequest::default()
            });
            [found.org_latency, found.jira_latency, found.confluence_latency].map(|l| l.as_secs())
        };
        assert_eq!(seconds([None; 3]), [0, 0, 0]);
        assert_eq!(seconds([Some(3), None, None]), [3, 3, 3]);
        assert_eq!(seconds([Some(3), None, Some(1)]), [3, 1, 3]);
        assert_eq!(seconds([None, Some(2), None]), [2, 0, 0]);
    }
}
