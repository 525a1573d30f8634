//! Runs `check`: tests each source end to end, step by step.

mod api_check;
mod check_report;
#[cfg(feature = "object-store")]
pub mod object_store_check;
mod workspace_check;

use std::time::Duration;

use chrono::Utc;
use tracing::Instrument as _;
use url::Url;

use crate::collect::connector::{PreparedSource, SourceConnector, without_retries};
use crate::commands::check::api_check::ApiCheck;
use crate::commands::check::check_report::{CheckReport, CheckStep, StepName};
use crate::commands::check::workspace_check::SuggestedSource;
use crate::config::env::ProcessEnv;
use crate::config::request::CheckRequest;
use crate::config::settings::{OutputPath, SourceSettings, fixed_folder};
use crate::credentials::{self, Credential};
use crate::detect::DetectionSetup;
use crate::error::AppError;
use crate::exit::Exit;
use crate::http::client::ClientPool;
use crate::http::message::{TransportError, TransportErrorKind};
use crate::http::probe::{self, HostPort};
use crate::model::time::format_millis;
use crate::model::user_zone::UserZone;
use crate::sink::{preflight, stdout};
use crate::state::caches::LookupCache;
use crate::state::store::StateStore;
use crate::telemetry::console::StderrConsole;

/// Tests one source after the other, prints each step to standard output, and returns how the worst
/// of them ended. If standard output goes to a file or is dropped, a failure is reported on
/// standard error too.
///
/// # Errors
/// Standard output cannot be written.
pub async fn run(
    request: &CheckRequest,
    env: &ProcessEnv,
    console: &StderrConsole,
) -> Result<Exit, AppError> {
    let mut worst = Exit::Done;
    // One for all: sources of one organization or credential share its limits, and a CAPTCHA that
    // it met.
    let mut connector = SourceConnector::of_process(env);
    for (place, source) in request.sources.iter().enumerate() {
        let mut report = CheckReport::new(source, request, env.stdout_columns, place == 0);
        let span = tracing::error_span!("check", source = source.name.as_str());
        let check = SourceCheck {
            request,
            source: without_retries(source),
            env,
            connector: &mut connector,
            report: &mut report,
            zone: if request.json { UserZone::UTC } else { console.zone() },
        };
        let failed = check.run_steps().instrument(span).await.err();
        let failed = failed.map(|error| error.for_settings(source));
        report.finish(failed.as_ref())?;
        if let Some(error) = failed {
            if stdout::is_stdout_stored() {
                error.report_to(console);
            }
            worst = worst.worst(error.exit());
        }
    }
    Ok(worst)
}

/// No network step may take longer, whatever the source's `timeout`.
const MAX_STEP_DURATION: Duration = Duration::from_secs(10);

/// The check of one source, which tries everything only once.
struct SourceCheck<'a> {
    request: &'a CheckRequest,
    source: SourceSettings,
    env: &'a ProcessEnv,
    connector: &'a mut SourceConnector,
    report: &'a mut CheckReport,
    /// That of the times in the text of steps.
    zone: UserZone,
}

impl SourceCheck<'_> {
    /// Takes one step after the other, and reports each.
    ///
    /// # Errors
    /// The error of the first step that fails; the report knows which one it is.
    async fn run_steps(mut self) -> Result<(), AppError> {
        self.check_configuration()?;
        let (credential, mut connected) = self.load_credential().await?;
        let target = self.source.target.base_url().clone();
        self.check_connection(&target).await?;
        let base_url = self.resolve_base_url(&mut connected).await?;
        let api = ApiCheck::new(connected, &base_url);
        let page = api.check_first_page(self.report).await?;
        self.report.finish_step(api.newest_event_step(page, self.zone).await);
        self.check_workspace(&credential).await;
        if let Some(step) = api.actions_step(self.request.is_verbose).await {
            self.report.finish_step(step);
        }
        self.report.finish_step(api.clock_step());
        self.report.finish_step(api.rate_limit_step());
        self.report.finish_step(api.key_expiry_step(&self.source, &credential).await);
        let store =
            StateStore::of_settings(&self.request.state_dir, self.request.remote_state.as_ref());
        check_state(self.report, &self.source, &store)?;
        check_output(self.report, &self.source)
    }

    /// Builds a client from the settings, which were checked before.
    fn check_configuration(&mut self) -> Result<(), AppError> {
        self.report.begin_step(StepName::Configuration);
        let connection = &self.source.connection;
        let url = self.source.target.base_url();
        let client = ClientPool::default().connect(connection, url, None);
        client.map_err(|error| AppError::new(Exit::Config, error.to_string()).hint(error.hint))?;
        if let Some(detect) = &self.request.detect {
            DetectionSetup::load(detect.clone(), Utc::now())?;
        }
        let place = match &self.request.config_file {
            Some(path) => path.display().to_string(),
            None => "no file: the environment and the keyring name the source".to_owned(),
        };
        self.report.finish_timed_step(CheckStep::ok(StepName::Configuration, place));
        Ok(())
    }

    /// Loads the credential.
    async fn load_credential(&mut self) -> Result<(Credential, PreparedSource), AppError> {
        self.report.begin_step(StepName::Credential);
        let credential = credentials::load(&self.source, self.env).await?;
        let connected = self.connector.connect(&self.source, &credential)?;
        let since = credential.stored.map(|stored| format!(", since {}", stored.date_naive()));
        let detail = format!("{}{}", credential.origin, since.unwrap_or_default());
        // `env` of `env:NAME`.
        let place = self.source.credential.to_string();
        let place = place.split(':').next().unwrap_or_default();
        let mut step = CheckStep::ok(StepName::Credential, detail).with_fact("found_in", place);
        if let Some(stored) = credential.stored {
            step = step.with_fact("stored", format_millis(stored));
        }
        self.report.finish_timed_step(step);
        Ok((credential, connected))
    }

    /// Resolves the name and opens a connection, of the server or of its proxy.
    async fn check_connection(&mut self, url: &Url) -> Result<(), AppError> {
        self.report.begin_step(StepName::Dns);
        let limit = self.source.connection.timeout.min(MAX_STEP_DURATION);
        let proxy = probe::proxy_for(&self.source.connection, url, self.env);
        let unusable =
            || AppError::new(Exit::Config, "the address names no host").hint("check `base_url`");
        let server = HostPort::from_url(url).ok_or_else(unusable)?;
        let (spot, whose) = match proxy {
            Some(proxy) => (proxy, "the proxy "),
            None => (server.clone(), ""),
        };
        let found = probe::resolve(&spot, limit).await;
        let addresses = found.map_err(|error| connection_error(&spot, whose, &error))?;
        let shown: Vec<_> = addresses.iter().map(|a| a.ip().to_string()).collect();
        let others = match whose {
            "" => String::new(),
            _ => format!("; it looks {} up itself", server.host),
        };
        let (first, more) = match shown.as_slice() {
            [first, more @ ..] if !more.is_empty() => (first, format!(" and {} more", more.len())),
            [first, ..] => (first, String::new()),
            [] => (&spot.host, String::new()),
        };
        let detail = match spot.host == *first {
            true => format!("{whose}{first}: not needed (IP address){others}"),
            false => format!("{whose}{} is {first}{more}{others}", spot.host),
        };
        let step = CheckStep::ok(StepName::Dns, detail)
            .with_fact("host", spot.host.as_str())
            .with_fact("is_proxy", !whose.is_empty())
            .with_fact("addresses", shown);
        self.report.finish_timed_step(step);

        self.report.begin_step(StepName::Connected);
        let reached = probe::connect(&addresses, limit).await;
        let address = reached.map_err(|error| connection_error(&spot, whose, &error))?;
        let detail = format!("{whose}{address} takes TCP connections");
        let step = CheckStep::ok(StepName::Connected, detail);
        self.report.finish_timed_step(step.with_fact("address", address.to_string()));
        Ok(())
    }

    /// The URL of the API. For the gateway, the site itself must tell its cloud id.
    async fn resolve_base_url(&mut self, connected: &mut PreparedSource) -> Result<Url, AppError> {
        let lookups = LookupCache::new(&self.request.state_dir);
        if connected.cloud_id_client.is_none() {
            return Ok(connected.resolve_site(&lookups).await?.base_url);
        }
        self.report.begin_step(StepName::CloudId);
        let resolved = connected.resolve_site(&lookups).await?;
        let site = self.source.target.site().unwrap_or_default();
        let detail = format!("{} of {site}", resolved.cloud_id.unwrap_or_default());
        self.report.finish_timed_step(CheckStep::ok(StepName::CloudId, detail));
        Ok(resolved.base_url)
    }
}

impl SourceCheck<'_> {
    /// Checks whether a site's newer API could be read instead.
    async fn check_workspace(&mut self, credential: &Credential) {
        let step = StepName::WorkspaceEvents;
        let Some(product) = self.source.target.kind().audited_product() else { return };
        self.report.begin_step(step);
        let Some(suggested) = SuggestedSource::beside(&self.source, product) else {
            let detail = "not tried: `base_url` replaces the site, and only Atlassian's gateway \
                          has this API";
            return self.report.finish_step(CheckStep::unknown(step, detail));
        };
        let lookups = LookupCache::new(&self.request.state_dir).read_only();
        let step = suggested.check(self.connector, credential, &lookups).await;
        self.report.finish_timed_step(step);
    }
}

fn connection_error(spot: &HostPort, whose: &str, error: &TransportError) -> AppError {
    let host = &spot.host;
    let hint = match (error.kind(), whose) {
        (TransportErrorKind::Dns, "") => {
            "check the host in `site` or `base_url`, and this machine's network and name server; \
             where only a proxy leads outside, set `proxy`"
        }
        (TransportErrorKind::Dns, _) => {
            "check `proxy` or HTTPS_PROXY, and this machine's name server"
        }
        (_, "") => {
            "check that the server runs, the port in `base_url`, and whether a firewall stands \
             between; where only a proxy leads outside, set `proxy`"
        }
        (_, _) => "check `proxy` or HTTPS_PROXY, and that the proxy runs",
    };
    AppError::new(Exit::Incomplete, format!("{whose}{host}: {error}")).hint(hint)
}

/// Less free space than this is a warning.
const LOW_DISK_BYTES: u64 = 256 * 1024 * 1024;

/// Checks that the checkpoint can be read and its folder be written to.
///
/// # Errors
/// The state is damaged or of a newer version, or its folder cannot be written to.
fn check_state(
    report: &mut CheckReport,
    source: &SourceSettings,
    store: &StateStore,
) -> Result<(), AppError> {
    report.begin_step(StepName::StateWritable);
    let folder = store.folder();
    let checkpoint = store.load(&source.name)?;
    let remote = match (store.remote(), &source.output.path) {
        (None, _) => None,
        (Some(remote), OutputPath::Object(url)) => Some(remote.probe(Some(fixed_folder(url)))?),
        (Some(remote), _) => Some(remote.probe(None)?),
    };
    let free = preflight::check_folder_writable(folder).map_err(|error| {
        let error = AppError::from(error);
        let what = format!("the state cannot be stored in `{}`", folder.display());
        let mut refused = AppError::new(Exit::State, what).hint(
            "check who owns the folder, or name another one with `--state-dir` or \
                 ATLAUDIT_STATE_DIR",
        );
        refused.add_causes(error.message());
        refused
    })?;
    let how = checkpoint.map_or("not pulled yet", |_| "pulled before");
    if let Some(place) = remote {
        let detail = format!("{place}, {how}; locks in {}", folder.display());
        report.finish_timed_step(CheckStep::ok(StepName::StateWritable, detail));
        return Ok(());
    }
    let detail = format!("{}, {how}", folder.display());
    report.finish_timed_step(disk_space_step(StepName::StateWritable, detail, free));
    Ok(())
}

/// Checks that the output can be written; nothing is written to it.
///
/// # Errors
/// It cannot be written.
fn check_output(report: &mut CheckReport, source: &SourceSettings) -> Result<(), AppError> {
    report.begin_step(StepName::OutputWritable);
    let found = preflight::check_writable(&source.output, Utc::now())?;
    if let Some(alerts) = &source.alerts {
        preflight::check_writable(&alerts.output, Utc::now())?;
    }
    let note = found.note.map(|note| format!(" ({note})"));
    let detail = format!("{}{}", found.location, note.unwrap_or_default());
    let step = disk_space_step(StepName::OutputWritable, detail, found.free);
    report.finish_timed_step(step.with_fact("path", found.location));
    Ok(())
}

/// The step, with a warning if little space is left.
fn disk_space_step(name: StepName, detail: String, free: Option<u64>) -> CheckStep {
    let Some(free) = free else {
        return CheckStep::ok(name, detail);
    };
    let detail = format!("{detail}, {} free", format_size(free));
    CheckStep::ok(name, detail)
        .warn_if(free < LOW_DISK_BYTES, "make room on that disk before it is full")
        .with_fact("free_bytes", free)
}

/// `1.2 GB`.
fn format_size(bytes: u64) -> String {
    let units = [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB")];
    let found = units.into_iter().find(|(unit, _)| bytes >= *unit);
    let (unit, name) = found.unwrap_or((1_000, "kB"));
    format!("{:.1} {name}", bytes as f64 / unit as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::check::check_report::StepState;

    #[test]
    fn low_disk_space_is_a_warning() {
        let step = disk_space_step(StepName::OutputWritable, "x".to_owned(), Some(1_500_000));
        assert_eq!((step.state, step.detail.as_str()), (StepState::Warning, "x, 1.5 MB free"));
        let step =
            disk_space_step(StepName::OutputWritable, "x".to_owned(), Some(2_340_000_000_000));
        assert_eq!((step.state, step.detail.as_str()), (StepState::Ok, "x, 2.3 TB free"));
        assert_eq!(disk_space_step(StepName::OutputWritable, "x".to_owned(), None).detail, "x");
        assert_eq!(format_size(999), "1.0 kB");
    }
}
