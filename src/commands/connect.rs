//! Owns the way from settings and a credential to a connection: its client, its authorization, the limits
//! that requests share.

use std::collections::HashMap;
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use url::Url;

use crate::commands::api_client::{ApiClient, PreparedSource, RequiredLookup};
use crate::config::env::ProcessEnv;
use crate::config::config_paths;
use crate::config::settings::{ConnectionSettings, SiteRoute, SiteTarget, SourceSettings, SourceTarget};
use crate::credentials::Credential;
use crate::error::AppError;
use crate::exit::Exit;
use crate::http::client::{ClientPool, HttpClient, HttpCredential};
use crate::http::credential_limit::CredentialLimit;
use crate::http::limiter::RequestLimiter;
use crate::http::memory_budget::MemoryBudget;
use crate::http::message::Endpoint;
use crate::http::quota_file::QuotaDir;
use crate::http::retry::RetryBudget;
use crate::model::name::SourceKind;
use crate::model::record::Fingerprint;
use crate::normalise::RecordOrigin;
use crate::telemetry::meter::SourceMeter;

/// Connects sources; those that are reached the same way share connections, those that use one key
/// share its overall limit, those that ask one path share its quota, also with other processes.
pub struct SourceConnector {
    quota_dir: QuotaDir,
    clients: ClientPool,
    memory_budget: MemoryBudget,
    rates: HashMap<Fingerprint, u32>,
    credential_limits: HashMap<Fingerprint, Arc<CredentialLimit>>,
    endpoint_limits: HashMap<String, Arc<RequestLimiter>>,
}

impl SourceConnector {
    /// A connector that has connected nothing yet.
    pub fn new(quota_dir: QuotaDir) -> Self {
        SourceConnector {
            quota_dir,
            clients: ClientPool::default(),
            memory_budget: MemoryBudget::default(),
            rates: HashMap::new(),
            credential_limits: HashMap::new(),
            endpoint_limits: HashMap::new(),
        }
    }

    /// A new run begins: credentials that met a CAPTCHA in the last one are tried again.
    pub fn forget_lockouts(&mut self) {
        self.clients.forget_lockouts();
    }

    /// Takes note of a source's `requests_per_minute`: the largest of the sources that use one key
    /// counts for the key. To be called for all of them before the first is connected.
    pub fn register_rate(&mut self, settings: &SourceSettings, credential: &Credential) {
        if let Some(rate) = settings.connection.requests_per_minute {
            let known = self.rates.entry(fingerprint(credential)).or_default();
            *known = rate.max(*known);
        }
    }

    /// The connection of the source of `settings` with `credential`; nothing is asked yet.
    ///
    /// # Errors
    /// The organization is not known, or the connection's settings are of no use.
    pub fn connect(
        &mut self,
        settings: &SourceSettings,
        credential: &Credential,
    ) -> Result<PreparedSource, AppError> {
        let origin = origin(settings, credential)?;
        let connection = &settings.connection;
        let lookup = match &settings.target {
            SourceTarget::Site(SiteTarget {
                route: SiteRoute::Gateway(gateway),
                ..
            }) if gateway.cloud_id.is_none() => {
                // The site is asked without the credential, which is for the gateway.
                let client = client(&mut self.clients, connection, &gateway.site_url, None)?;
                Some(RequiredLookup::CloudId(client))
            }
            SourceTarget::Datacenter { .. } if credential.account.is_none() => {
                Some(RequiredLookup::TokenAccount)
            }
            _ => None,
        };
        Ok(PreparedSource {
            target: settings.target.clone(),
            page_size: settings.page_size,
            concurrency: usize::try_from(settings.concurrency).unwrap_or(usize::MAX),
            api: self.api_client(settings, credential)?,
            origin,
            lookup,
            user_limits: settings
                .target
                .resolves_users()
                .then(|| self.limits_for(Endpoint::JiraUsers, settings, credential)),
        })
    }

    /// What requests of the source of `settings` go through.
    ///
    /// # Errors
    /// The connection's settings are of no use.
    pub fn api_client(
        &mut self,
        settings: &SourceSettings,
        credential: &Credential,
    ) -> Result<ApiClient, AppError> {
        let authorization = authorization(&settings.target, credential);
        let connection = &settings.connection;
        let base_url = settings.target.base_url();
        let transport = client(
            &mut self.clients,
            connection,
            base_url,
            Some(&authorization),
        )?;
        let meter = Arc::new(SourceMeter::default());
        Ok(ApiClient {
            transport: transport.with_memory_budget(self.memory_budget.clone()).with_meter(meter.clone()),
            memory_budget: self.memory_budget.clone(),
            limits: self.limits(settings, credential),
            retry_budget: RetryBudget::from(connection),
            meter,
            attempt_log: None,
        })
    }

    /// Atlassian counts requests by path, so two sources of one organization share its quota and
    /// its pauses, whatever their keys.
    fn limits(
        &mut self,
        settings: &SourceSettings,
        credential: &Credential,
    ) -> Arc<RequestLimiter> {
        self.limits_for(endpoint(&settings.target), settings, credential)
    }

    fn limits_for(
        &mut self,
        endpoint: Endpoint,
        settings: &SourceSettings,
        credential: &Credential,
    ) -> Arc<RequestLimiter> {
        let name = endpoint_name(endpoint, &settings.target, credential);
        if let Some(limits) = self.endpoint_limits.get(&name) {
            return limits.clone();
        }
        self.register_rate(settings, credential);
        let key = fingerprint(credential);
        let rate = self.rates.get(&key).copied();
        let overall = self
            .credential_limits
            .entry(key)
            .or_insert_with(|| Arc::new(CredentialLimit::new(rate)));
        let limits = Arc::new(RequestLimiter::new(
            endpoint,
            settings.connection.requests_per_minute,
            overall.clone(),
            self.quota_dir.open(&name, credential.account.as_deref()),
        ));
        self.endpoint_limits.insert(name, limits.clone());
        limits
    }
}

fn client(
    clients: &mut ClientPool,
    connection: &ConnectionSettings,
    base_url: &Url,
    authorization: Option<&HttpCredential>,
) -> Result<HttpClient, AppError> {
    clients
        .connect(connection, base_url, authorization)
        .map_err(|error| AppError::new(Exit::Config, error.to_string()).hint(error.hint()))
}

/// What tells an endpoint from every other: where it is, and whose: the organization in its path,
/// the account that a site counts by.
fn endpoint_name(endpoint: Endpoint, target: &SourceTarget, credential: &Credential) -> String {
    let whose = match target {
        SourceTarget::OrgEvents { .. } => &credential.org_id,
        SourceTarget::Site(_) | SourceTarget::Datacenter { .. } => &credential.account,
    };
    let whose = whose.as_deref().unwrap_or_default();
    // One gateway leads to many sites.
    let site = match target {
        SourceTarget::Site(SiteTarget {
            site,
            route: SiteRoute::Gateway(_),
            ..
        }) => format!("{site} "),
        _ => String::new(),
    };
    let what = match endpoint {
        Endpoint::JiraUsers => "users",
        _ => target.kind().as_str(),
    };
    format!("{what} {} {site}{whose}", target.base_url())
}

/// Where the limits are shared with the user's other processes.
pub fn quota_dir(env: &ProcessEnv) -> QuotaDir {
    QuotaDir::first_usable(&config_paths::quota_dirs(env), env.user)
}

fn fingerprint(credential: &Credential) -> Fingerprint {
    Fingerprint::of(credential.key.expose_secret().as_bytes())
}

/// The endpoint whose quota a source uses.
pub fn endpoint(target: &SourceTarget) -> Endpoint {
    match target.kind() {
        SourceKind::OrgEvents => Endpoint::EventsStream,
        SourceKind::JiraAudit => Endpoint::JiraAuditRecords,
        SourceKind::ConfluenceAudit => Endpoint::ConfluenceAudit,
        SourceKind::DatacenterAudit => Endpoint::DatacenterEvents,
    }
}

fn origin(settings: &SourceSettings, credential: &Credential) -> Result<RecordOrigin, AppError> {
    let kind = settings.target.kind();
    let org_id = credential
        .org_id
        .clone()
        .filter(|_| kind == SourceKind::OrgEvents);
    if kind == SourceKind::OrgEvents && org_id.is_none() {
        let what = format!(
            "no organization id, neither in the configuration nor in the {}",
            credential.origin
        );
        return Err(AppError::new(Exit::Config, what)
            .hint("set `org_id`; it is in the URL of admin.atlassian.com, after /o/"));
    }
    Ok(RecordOrigin {
        name: settings.name.to_string(),
        kind,
        org_id,
        site: settings.target.site(),
        reader: credential
            .account
            .clone()
            .filter(|_| kind == SourceKind::DatacenterAudit),
    })
}

/// Organization keys go as Bearer; what has an account goes as Basic with it, else as Bearer.
fn authorization(target: &SourceTarget, credential: &Credential) -> HttpCredential {
    match (target, &credential.account) {
        (SourceTarget::Site(_) | SourceTarget::Datacenter { .. }, Some(account)) => HttpCredential::Basic {
            user: account.clone(),
            password: credential.key.clone(),
        },
        _ => HttpCredential::Bearer(credential.key.clone()),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::config::settings::Product;

    fn name(target: &SourceTarget, org_id: Option<&str>, email: Option<&str>) -> String {
        let credential = Credential {
            key: SecretString::from("SECRETKEY"),
            org_id: org_id.map(str::to_owned),
            account: email.map(str::to_owned),
            origin: String::new(),
            stored: None,
            expires: None,
        };
        endpoint_name(endpoint(target), target, &credential)
    }

    #[test]
    fn an_endpoint_is_named_by_all_that_is_in_its_path_also_what_the_keyring_holds() {
        let base_url: Url = "https://api.example/".parse().unwrap();
        let org = SourceTarget::OrgEvents {
            base_url: base_url.clone(),
            org_id: None,
        };
        let site = SourceTarget::Site(SiteTarget {
            product: Product::Jira,
            site: "acme.example".to_owned(),
            email: None,
            route: SiteRoute::Direct(base_url),
            resolve_users: false,
        });
        assert_ne!(name(&org, Some("o1"), None), name(&org, Some("o2"), None));
        assert_ne!(name(&site, None, Some("ada@x")), name(&site, None, None));
        assert_ne!(name(&org, None, None), name(&site, None, None));
        assert!(!name(&org, Some("o1"), None).contains("SECRET"));
    }
}
