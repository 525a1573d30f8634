//! Owns the steps of one source's check, up to the first request.

use std::time::{Duration, Instant};

use url::Url;

use crate::commands::check::check_report::CheckReport;
use crate::commands::check::api_check::ApiCheck;
use crate::commands::check::local;
use crate::commands::check::check_step::{StepName, CheckStep};
use crate::commands::connect::SourceConnector;
use crate::commands::api_client::{PreparedSource, RequiredLookup};
use crate::config::env::ProcessEnv;
use crate::config::request::CheckRequest;
use crate::config::settings::{CredentialSpec, SourceSettings};
use crate::credentials::{self, Credential};
use crate::error::AppError;
use crate::exit::Exit;
use crate::http::error::{TransportError, TransportErrorKind};
use crate::http::client::ClientPool;
use crate::http::probe::{self, HostPort};
use crate::model::time::format_millis;
use crate::state::lookups::LookupCache;

/// No step on the way may take longer, whatever the source's `timeout`.
const MAX_STEP_DURATION: Duration = Duration::from_secs(10);

/// A source on its way through the steps.
pub struct SourceCheck<'a> {
    pub(super) request: &'a CheckRequest,
    pub(super) source: SourceSettings,
    pub(super) env: &'a ProcessEnv,
    pub(super) connector: &'a mut SourceConnector,
    pub(super) report: &'a mut CheckReport,
}

impl<'a> SourceCheck<'a> {
    /// Begins with nothing done; what fails once has failed.
    pub fn new(
        request: &'a CheckRequest,
        source: &SourceSettings,
        env: &'a ProcessEnv,
        connector: &'a mut SourceConnector,
        account: &'a mut CheckReport,
    ) -> SourceCheck<'a> {
        let mut source = source.clone();
        source.connection.retry_for = Duration::ZERO;
        source.connection.max_wait = Duration::ZERO;
        SourceCheck {
            request,
            source,
            env,
            connector,
            report: account,
        }
    }

    /// Takes one step after the other, and tells each.
    ///
    /// # Errors
    /// What is wrong with the first one that fails; the account knows which one it is.
    pub async fn run_steps(mut self) -> Result<(), AppError> {
        self.check_configuration()?;
        let (credential, connected) = self.load_credential().await?;
        let target = self.source.target.base_url().clone();
        self.check_connection(&target).await?;
        let base_url = self.resolve_base_url(&connected).await?;
        let asked = ApiCheck::new(&self.source, connected, &base_url);
        let read = asked.check_first_page(self.report).await?;
        asked.check_newest_event(self.report, read).await;
        asked.check_clock(self.report);
        asked.check_rate_limit(self.report);
        asked
            .check_key_expiry(self.report, &self.source, &credential)
            .await;
        local::check_state(self.report, &self.source, &self.request.state_dir)?;
        local::check_output(self.report, &self.source)
    }

    /// The settings were read before; what is left is to build a client from them.
    fn check_configuration(&mut self) -> Result<(), AppError> {
        self.report.begin_step(StepName::Configuration);
        let began = Instant::now();
        let connection = &self.source.connection;
        let url = self.source.target.base_url();
        let client = ClientPool::default().connect(connection, url, None);
        client
            .map_err(|error| AppError::new(Exit::Config, error.to_string()).hint(error.hint()))?;
        let place = match &self.request.config_file {
            Some(path) => path.display().to_string(),
            None => "no file: the environment and the keyring name the source".to_owned(),
        };
        let step = CheckStep::ok(StepName::Configuration, place).with_duration(began.elapsed());
        self.report.finish_step(step);
        Ok(())
    }

    /// Finds the credential, and what belongs to it.
    async fn load_credential(&mut self) -> Result<(Credential, PreparedSource), AppError> {
        self.report.begin_step(StepName::Credential);
        let began = Instant::now();
        let credential = credentials::load(&self.source, self.env).await?;
        let connected = self.connector.connect(&self.source, &credential)?;
        let since = credential
            .stored
            .map(|stored| format!(", since {}", stored.date_naive()));
        let since = since.unwrap_or_default();
        let mut step = CheckStep::ok(StepName::Credential, format!("{}{since}", credential.origin))
            .with_duration(began.elapsed())
            .with_fact("found_in", credential_kind(&self.source.credential));
        if let Some(stored) = credential.stored {
            step = step.with_fact("stored", format_millis(stored));
        }
        self.report.finish_step(step);
        Ok((credential, connected))
    }

    /// The name and the connection, of the server or of the proxy in front of it.
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
        let began = Instant::now();
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
            true => format!("{whose}{first} is an address already{others}"),
            false => format!("{whose}{} is {first}{more}{others}", spot.host),
        };
        let step = CheckStep::ok(StepName::Dns, detail)
            .with_duration(began.elapsed())
            .with_fact("host", spot.host.as_str())
            .with_fact("is_proxy", !whose.is_empty())
            .with_fact("addresses", shown);
        self.report.finish_step(step);

        self.report.begin_step(StepName::Connected);
        let began = Instant::now();
        let reached = probe::connect(&addresses, limit).await;
        let address = reached.map_err(|error| connection_error(&spot, whose, &error))?;
        let detail = format!("{whose}{address} takes TCP connections");
        let step = CheckStep::ok(StepName::Connected, detail)
            .with_duration(began.elapsed())
            .with_fact("address", address.to_string());
        self.report.finish_step(step);
        Ok(())
    }

    /// Where the API is, which a site's own server must tell for the gateway.
    async fn resolve_base_url(&mut self, connected: &PreparedSource) -> Result<Url, AppError> {
        let lookups = LookupCache::new(&self.request.state_dir);
        if !matches!(connected.lookup, Some(RequiredLookup::CloudId(_))) {
            return connected.product_url(&lookups).await;
        }
        self.report.begin_step(StepName::CloudId);
        let began = Instant::now();
        let url = connected.product_url(&lookups).await?;
        let id = url.path_segments().and_then(|mut parts| parts.next_back());
        let site = self.source.target.site().unwrap_or_default();
        let detail = format!("{} of {site}", id.unwrap_or_default());
        let step = CheckStep::ok(StepName::CloudId, detail).with_duration(began.elapsed());
        self.report.finish_step(step);
        Ok(url)
    }
}

/// `env` of `env:NAME`.
fn credential_kind(spec: &CredentialSpec) -> &'static str {
    match spec {
        CredentialSpec::Keyring => "keyring",
        CredentialSpec::Env(_) => "env",
        CredentialSpec::File(_) => "file",
        CredentialSpec::Command(_) => "command",
        CredentialSpec::Systemd(_) => "systemd",
    }
}

fn connection_error(spot: &HostPort, whose: &str, error: &TransportError) -> AppError {
    let host = &spot.host;
    let hint = match (error.kind(), whose) {
        (TransportErrorKind::Dns, "") => {
            "check the host in `site` or `base_url`, and this machine's network and name server; where only a proxy leads outside, set `proxy`"
        }
        (TransportErrorKind::Dns, _) => {
            "check `proxy` or HTTPS_PROXY, and this machine's name server"
        }
        (_, "") => {
            "check that the server runs, the port in `base_url`, and whether a firewall stands between; where only a proxy leads outside, set `proxy`"
        }
        (_, _) => "check `proxy` or HTTPS_PROXY, and that the proxy runs",
    };
    AppError::new(Exit::Incomplete, format!("{whose}{host}: {error}")).hint(hint)
}
