//! Runs `sandbox`: serves the built-in APIs until a signal, and prints a configuration for them.

use std::sync::Arc;
use std::time::Duration;

use crate::collect::signals;
use crate::commands::demo;
use crate::config::request::SandboxRequest;
use crate::error::AppError;
use crate::pipeline::stop::StopRequest;
use crate::sandbox::{
    self, ApiQuirk, Behaviour, DataOptions, RateLimit, SandboxControl, SandboxOptions,
};
use crate::sink::stdout;
use crate::telemetry::console::{ConsoleMessage, Level, StderrConsole};

/// Serves until SIGINT or SIGTERM. Prints a configuration for it to standard output.
///
/// # Errors
/// The port is taken, or standard output cannot be written.
pub async fn run(request: SandboxRequest, console: &Arc<StderrConsole>) -> Result<(), AppError> {
    let mut stop = signals::watch_signals();
    let server = demo::start(SandboxOptions {
        port: request.port,
        data: DataOptions {
            seed: request.seed,
            org_events: request.events,
            jira_records: request.records,
            confluence_records: request.confluence_records,
            datacenter_events: request.datacenter_events,
            ..DataOptions::default()
        },
        behaviour: behaviour(&request),
    })
    .await?;
    stdout::print(&configuration(&server.base_url()))?;
    let text = format!(
        "serving {} organization events, {} Jira records, {} Confluence records and {} Data Center \
         events on {}; the configuration above pulls them. Ctrl-C ends it",
        request.events,
        request.records,
        request.confluence_records,
        request.datacenter_events,
        server.base_url()
    );
    console.say(Level::Notice, &ConsoleMessage::new(text));
    let control = server.control();
    tokio::select! {
        () = server.run_until_stopped() => {}
        () = add_events_periodically(&control, request.new_event_every) => {}
        _ = stop.wait_for(|&stop| stop != StopRequest::NotRequested) => {}
    }
    Ok(())
}

/// Adds an event to each API every so often; never returns.
async fn add_events_periodically(control: &SandboxControl, every: Option<Duration>) {
    let Some(every) = every else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(every).await;
        control.add_org_events(1);
        control.add_jira_records(1);
        control.add_confluence_records(1);
        control.add_datacenter_events(1);
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
        datacenter_rate_limit: limit,
        org_latency: request.org_latency.unwrap_or(latency),
        jira_latency: request.jira_latency.unwrap_or(latency),
        confluence_latency: latency,
        datacenter_latency: latency,
        ..Behaviour::default()
    };
    for quirk in request.quirks.iter().filter_map(|name| ApiQuirk::find(name)) {
        quirk.apply(&mut behaviour);
    }
    behaviour
}

/// A configuration that pulls from the sandbox at `base_url`: `atlaudit sandbox > sandbox.toml`.
fn configuration(base_url: &str) -> String {
    format!(
        r#"# atlaudit --config THIS pull
[sources.sandbox-org]
type = "org-events"
org_id = "{org_id}"
base_url = "{base_url}"
credential = "command:echo {api_key}"
initial_lookback = "31d"

[sources.sandbox-jira]
type = "jira-audit"
site = "{site}"
email = "{email}"
base_url = "{base_url}"
credential = "command:echo {token}"
initial_lookback = "31d"

[sources.sandbox-confluence]
type = "confluence-audit"
site = "{site}"
email = "{email}"
base_url = "{base_url}"
credential = "command:echo {token}"
initial_lookback = "31d"

[sources.sandbox-datacenter]
type = "datacenter-audit"
base_url = "{base_url}/dc"
credential = "command:echo {datacenter_token}"
initial_lookback = "31d"
"#,
        org_id = sandbox::ORG_ID,
        api_key = sandbox::API_KEY,
        site = sandbox::JIRA_SITE,
        email = sandbox::JIRA_EMAIL,
        token = sandbox::JIRA_TOKEN,
        datacenter_token = sandbox::DATACENTER_TOKEN,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check;
    use crate::config::env::ProcessEnv;
    use crate::config::file::ConfigFile;

    #[test]
    fn the_printed_configuration_is_accepted() {
        let text = configuration("http://127.0.0.1:8417");
        let loaded = ConfigFile::parse("sandbox.toml".as_ref(), text).unwrap();
        let settings = check::settings(&loaded, &ProcessEnv::default(), "/state".into()).unwrap();
        assert_eq!(settings.sources.len(), 4);
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
