//! The connection of a source: its client and authorization, the limits that its requests share,
//! and what must be looked up before the first page.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::config::env::{self, ProcessEnv};
use crate::config::settings::{ConnectionSettings, GatewayRoute, SourceSettings, SourceTarget};
use crate::crash;
use crate::credentials::Credential;
use crate::error::AppError;
use crate::exit::Exit;
use crate::fetch::api_findings::ApiFindings;
use crate::fetch::attempt_record::AttemptRecorder;
use crate::fetch::page_reader::PageReader;
use crate::fetch::user_directory::UserDirectory;
use crate::fetch::{Fetcher, types::SLICE_RECORDS};
use crate::http::client::ClientPool;
use crate::http::client::{HttpClient, HttpCredential, Transport};
use crate::http::exchange::send_with_retries;
use crate::http::failure::{Failure, FailureKind};
use crate::http::limiter::CredentialLimit;
use crate::http::limiter::RequestLimiter;
use crate::http::memory_budget::MemoryBudget;
use crate::http::message::UnreadableBody;
use crate::http::message::{Endpoint, Request, Response};
use crate::http::quota::QuotaDir;
use crate::http::retry::RetryBudget;
use crate::model::record::Fingerprint;
use crate::model::source_kind::SourceAddress;
use crate::model::workspace::SiteProduct;
use crate::normalise::RecordOrigin;
use crate::normalise::taxonomy::Taxonomy;
use crate::source::{Source, lookup};
use crate::state::caches::{CachedValue, LookupCache};
use crate::telemetry::meter::SourceMeter;

/// Connects sources. Sources with the same connection settings share connections, sources with one
/// key share its overall limit, and sources of one endpoint share its quota, also with other
/// processes.
pub struct SourceConnector {
    quota_dir: QuotaDir,
    clients: ClientPool,
    memory_budget: MemoryBudget,
    rates: HashMap<Fingerprint, u32>,
    /// How often it was reset. Limits of earlier settings are replaced when they are used again.
    generation: u64,
    credential_limits: HashMap<Fingerprint, (u64, Option<u32>, Arc<CredentialLimit>)>,
    endpoint_limits: HashMap<String, (u64, Arc<RequestLimiter>)>,
}

impl SourceConnector {
    /// A connector without any connection. Its limits are shared with the processes of the user
    /// that use the same `quota_dir`.
    pub fn new(quota_dir: QuotaDir) -> Self {
        SourceConnector {
            quota_dir,
            clients: ClientPool::default(),
            memory_budget: MemoryBudget::default(),
            rates: HashMap::new(),
            generation: 0,
            credential_limits: HashMap::new(),
            endpoint_limits: HashMap::new(),
        }
    }

    /// A connector for the process that runs in `env`.
    pub fn of_process(env: &ProcessEnv) -> Self {
        let folders = env::quota_dirs(env);
        SourceConnector::new(QuotaDir::first_usable(&folders, env.user))
    }

    /// Drops all connections and configured rates, so that those of former settings and keys do not
    /// pile up. Requests of the last minute and pauses of the servers still count.
    pub fn reset(&mut self) {
        self.clients = ClientPool::default();
        self.rates.clear();
        self.generation += 1;
    }

    /// Allows credentials that met a CAPTCHA in the last run to be tried again.
    pub fn forget_lockouts(&mut self) {
        self.clients.forget_lockouts();
    }

    /// Registers a source's `requests_per_minute`: the largest value of the sources that use one
    /// key counts for the key. All sources must be registered before the first is connected.
    pub fn register_rate(&mut self, settings: &SourceSettings, credential: &Credential) {
        if let Some(rate) = settings.connection.requests_per_minute {
            let known = self.rates.entry(key_fingerprint(credential)).or_default();
            *known = rate.max(*known);
        }
    }

    /// Prepares the connection of a source. Nothing is sent yet.
    ///
    /// # Errors
    /// The organization is not known, or the connection's settings cannot be used.
    pub fn connect(
        &mut self,
        settings: &SourceSettings,
        credential: &Credential,
    ) -> Result<PreparedSource, AppError> {
        let origin = origin(settings, credential)?;
        let cloud_id_client = match &settings.target.gateway {
            // Without the credential, which is only for the gateway.
            Some(GatewayRoute::LookUp(url)) => {
                Some(self.client(&settings.connection, url, None)?)
            }
            Some(GatewayRoute::CloudId(_)) | None => None,
        };
        let api = self.api_client(settings, credential)?;
        let resolves_users = settings.target.resolve_users;
        let user_limits =
            resolves_users.then(|| self.limits(Endpoint::JiraUsers, settings, credential));
        let settings = settings.clone();
        Ok(PreparedSource { settings, api, origin, cloud_id_client, user_limits })
    }

    /// The client for all requests of a source.
    ///
    /// # Errors
    /// The connection's settings cannot be used.
    pub fn api_client(
        &mut self,
        settings: &SourceSettings,
        credential: &Credential,
    ) -> Result<ApiClient, AppError> {
        let endpoint = settings.target.kind().descriptor().endpoint;
        self.endpoint_client(endpoint, settings, credential)
    }

    /// The client for requests to one endpoint with the credential of a source.
    ///
    /// # Errors
    /// The connection's settings cannot be used.
    pub fn endpoint_client(
        &mut self,
        endpoint: Endpoint,
        settings: &SourceSettings,
        credential: &Credential,
    ) -> Result<ApiClient, AppError> {
        let authorization = authorization(&settings.target, credential);
        let base_url = settings.target.base_url();
        let transport = self.client(&settings.connection, base_url, Some(&authorization))?;
        let meter = Arc::new(SourceMeter::default());
        let memory_budget = self.memory_budget.clone();
        Ok(ApiClient {
            transport: transport
                .with_memory_budget(memory_budget.clone())
                .with_meter(meter.clone()),
            memory_budget,
            limits: self.limits(endpoint, settings, credential),
            retry_budget: RetryBudget::from(&settings.connection),
            meter,
            attempt_log: None,
        })
    }

    fn client(
        &mut self,
        connection: &ConnectionSettings,
        base_url: &Url,
        authorization: Option<&HttpCredential>,
    ) -> Result<HttpClient, AppError> {
        self.clients
            .connect(connection, base_url, authorization)
            .map_err(|error| AppError::new(Exit::Config, error.to_string()).hint(error.hint))
    }

    /// Atlassian counts requests by path. So two sources of one organization share its quota and
    /// its pauses, even with different keys.
    fn limits(
        &mut self,
        endpoint: Endpoint,
        settings: &SourceSettings,
        credential: &Credential,
    ) -> Arc<RequestLimiter> {
        let name = endpoint_name(endpoint, &settings.target, credential);
        let earlier = self.endpoint_limits.get(&name);
        if let Some((generation, limits)) = earlier
            && *generation == self.generation
        {
            return limits.clone();
        }
        let earlier = earlier.map(|(_, limits)| limits.clone());
        let limits = Arc::new(RequestLimiter::new(
            endpoint,
            settings.connection.requests_per_minute,
            self.credential_limit(settings, credential),
            self.quota_dir.open(&name, credential.account.as_deref()),
        ));
        if let Some(earlier) = earlier {
            limits.continue_from(&earlier);
        }
        self.endpoint_limits.insert(name, (self.generation, limits.clone()));
        limits
    }

    /// The limit of a key, with the rate that was configured when it was first used.
    fn credential_limit(
        &mut self,
        settings: &SourceSettings,
        credential: &Credential,
    ) -> Arc<CredentialLimit> {
        self.register_rate(settings, credential);
        let key = key_fingerprint(credential);
        let (generation, rate) = (self.generation, self.rates.get(&key).copied());
        let new = || (generation, rate, Arc::new(CredentialLimit::new(rate)));
        let known = self.credential_limits.entry(key).or_insert_with(new);
        match known.0 == generation || known.1 == rate {
            true => known.0 = generation,
            false => *known = new(),
        }
        known.2.clone()
    }
}

/// Identifies an endpoint by its address and its owner: the organization in its path, or the
/// account that a site counts by.
fn endpoint_name(endpoint: Endpoint, target: &SourceTarget, credential: &Credential) -> String {
    let kind = target.kind();
    let owner = match kind.address() {
        SourceAddress::Organization => &credential.org_id,
        SourceAddress::Site | SourceAddress::Server => &credential.account,
    };
    let owner = owner.as_deref().unwrap_or_default();
    // One gateway leads to many sites.
    let site = target.site().or_else(|| target.cloud_id().map(str::to_owned));
    let site = site.filter(|_| target.gateway.is_some());
    let site = site.map_or(String::new(), |site| format!("{site} "));
    // Each product's workspace has a path of its own.
    let product = target.product.map_or("", SiteProduct::as_str);
    let is_beside_log = matches!(endpoint, Endpoint::JiraUsers | Endpoint::OrgAdmin);
    let what = if is_beside_log { endpoint.name() } else { kind.as_str() };
    format!("{what}{product} {} {site}{owner}", target.base_url())
}

/// `source`, with every request sent only once: a person waits for the result.
pub fn without_retries(source: &SourceSettings) -> SourceSettings {
    let mut source = source.clone();
    source.connection.retry_for = Duration::ZERO;
    source.connection.max_wait = Duration::ZERO;
    source
}

/// Identifies a key without revealing it.
pub fn key_fingerprint(credential: &Credential) -> Fingerprint {
    Fingerprint::of(credential.key.expose_secret().as_bytes())
}

fn origin(settings: &SourceSettings, credential: &Credential) -> Result<RecordOrigin, AppError> {
    let kind = settings.target.kind();
    let is_organization = kind.address() == SourceAddress::Organization;
    let org_id = credential.org_id.clone().filter(|_| is_organization);
    if is_organization && org_id.is_none() {
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
        workspace: None,
        reader: credential.account.clone().filter(|_| kind.address() == SourceAddress::Server),
        taxonomy: Taxonomy::with_extra_rows(settings.extra_actions.as_deref())?,
    })
}

/// Organization keys go as Bearer; what has an account goes as Basic with it, else as Bearer.
fn authorization(target: &SourceTarget, credential: &Credential) -> HttpCredential {
    let has_account = target.kind().descriptor().account_key.is_some();
    match credential.account.as_ref().filter(|_| has_account) {
        Some(account) => {
            HttpCredential::Basic { user: account.clone(), password: credential.key.clone() }
        }
        None => HttpCredential::Bearer(credential.key.clone()),
    }
}

/// Where the API of a source is.
pub struct ApiAddress {
    /// What comes before the paths of the API.
    pub base_url: Url,
    /// The cloud id of the site, where the gateway needs it.
    pub cloud_id: Option<String>,
}

/// A source that is ready to send requests.
pub struct PreparedSource {
    settings: SourceSettings,
    /// The client for all its requests.
    pub api: ApiClient,
    /// What its events say of their source.
    pub origin: RecordOrigin,
    /// The client for the site itself, if its cloud id is looked up unless an earlier run has
    /// stored it.
    pub cloud_id_client: Option<HttpClient>,
    /// The limits of user lookups, if these are wanted.
    user_limits: Option<Arc<RequestLimiter>>,
}

impl PreparedSource {
    /// Looks up what must be known first, and returns the fetcher with the origin of its events.
    /// `attempt_log` receives every attempt.
    ///
    /// # Errors
    /// The site's cloud id cannot be looked up, or the account is locked.
    pub async fn into_fetcher(
        mut self,
        lookups: &LookupCache,
        attempt_log: Option<&AttemptRecorder>,
    ) -> Result<(RecordOrigin, Fetcher<HttpClient>), AppError> {
        self.api.attempt_log = attempt_log.cloned();
        let base_url = self.resolve_site(lookups).await?.base_url;
        let target = &self.settings.target;
        // A Data Center token does not say whose it is.
        if target.kind().address() == SourceAddress::Server && self.origin.reader.is_none() {
            self.origin.reader = self.token_account(lookups).await?;
        }
        let user_directory = self.user_directory(&base_url, lookups);
        let source = self.source(&base_url);
        let reader = PageReader {
            user_directory,
            source,
            findings: ApiFindings::default(),
            transport: self.api.transport,
            limiter: self.api.limits,
            retry_budget: self.api.retry_budget,
            memory_budget: self.api.memory_budget,
            meter: self.api.meter,
            attempt_recorder: self.api.attempt_log,
            tasks: TaskTracker::new(),
        };
        let fetcher = Fetcher {
            reader: Arc::new(reader),
            concurrency: usize::try_from(self.settings.concurrency).unwrap_or(usize::MAX),
            backfill: self.settings.backfill,
            slice_records: crash::limit("SLICE_RECORDS", SLICE_RECORDS),
        };
        Ok((self.origin, fetcher))
    }

    /// How its API is read, at `base_url`, once [`PreparedSource::resolve_site`] has found that.
    pub fn source(&self, base_url: &Url) -> Source {
        let owner = self.origin.owner();
        Source::new(self.origin.kind, base_url, owner.as_deref(), self.settings.page_size)
    }

    /// Looks users up at the site of `base_url`, if that is wanted.
    fn user_directory(
        &self,
        base_url: &Url,
        lookups: &LookupCache,
    ) -> Option<UserDirectory<HttpClient>> {
        let limits = self.user_limits.clone()?;
        // With a memory budget of its own: records that wait for names hold permits already.
        let transport = self.api.transport.clone();
        let transport = transport.with_memory_budget(MemoryBudget::default());
        let client = (transport, limits, self.api.meter.clone());
        let (base_url, origin) = (users_url(base_url), self.origin.clone());
        let directory = UserDirectory::new(client, base_url, origin, lookups.clone());
        Some(directory.with_attempt_recorder(self.api.attempt_log.clone()))
    }

    /// Finds out where the API is. The origin is complete afterwards: it names the workspace, if
    /// that is what is read.
    ///
    /// # Errors
    /// The site's cloud id cannot be looked up.
    pub async fn resolve_site(&mut self, lookups: &LookupCache) -> Result<ApiAddress, AppError> {
        let target = &self.settings.target;
        let cloud_id = match &target.gateway {
            None => return Ok(ApiAddress { base_url: target.base_url().clone(), cloud_id: None }),
            Some(GatewayRoute::CloudId(id)) => id.clone(),
            Some(GatewayRoute::LookUp(site_url)) => {
                self.look_up_cloud_id(site_url, lookups).await?
            }
        };
        self.origin.workspace = target.workspace(&cloud_id);
        let base_url = target.gateway_url(&cloud_id);
        Ok(ApiAddress { base_url, cloud_id: Some(cloud_id) })
    }

    /// The cloud id of the site at `site_url`, from the site or an earlier run.
    async fn look_up_cloud_id(
        &self,
        site_url: &Url,
        lookups: &LookupCache,
    ) -> Result<String, AppError> {
        let site = self.origin.site.as_deref().unwrap_or_default();
        let (server, now) = (site_url.to_string(), chrono::Utc::now());
        let cached = || {
            let cached = lookups.read(site).cloud_id?;
            let (cached_server, id) = cached.if_fresh(now)?;
            (*cached_server == server).then(|| id.clone())
        };
        if let Some(id) = cached() {
            return Ok(id);
        }
        let request = lookup::cloud_id_request(site_url);
        let client = self.cloud_id_client.as_ref().unwrap_or(&self.api.transport);
        let api = ApiClient { transport: client.clone(), ..self.api.clone() };
        let id = api.request(&request, lookup::read_cloud_id).await?;
        let cached = CachedValue::new((server, id.clone()), now);
        lookups.update(site, |facts| facts.cloud_id = Some(cached));
        Ok(id)
    }

    /// The account of a Data Center token. It only separates our own traces in the log from those
    /// of others, so it is no failure if the server does not know it.
    ///
    /// # Errors
    /// The account is locked: a request for a page would be one more failed login.
    async fn token_account(&self, lookups: &LookupCache) -> Result<Option<String>, Failure> {
        let site = self.origin.site.as_deref().unwrap_or_default();
        let (name, now) = (&self.origin.name, chrono::Utc::now());
        if let Some(cached) = lookups.read(site).accounts.get(name)
            && let Some(account) = cached.if_fresh(now)
        {
            return Ok(account.clone());
        }
        let request = lookup::whoami_request(self.settings.target.base_url());
        let client = self.api.without_retries();
        let account = match client.request(&request, lookup::read_whoami).await {
            Ok(account) => account,
            Err(failure) if failure.kind == FailureKind::CaptchaRequired => return Err(failure),
            Err(failure) => {
                tracing::info!(%failure, "the server does not say whose token it is");
                return Ok(None);
            }
        };
        let cached = CachedValue::new(account.clone(), now);
        lookups.update(site, |facts| {
            facts.accounts.insert(name.clone(), cached);
        });
        Ok(account)
    }
}

/// The URL before the paths of the users' API. Users belong to Jira, also those of Confluence.
fn users_url(base_url: &Url) -> Url {
    let mut url = base_url.clone();
    let path = url.path().replacen("/ex/confluence/", "/ex/jira/", 1);
    url.set_path(&path);
    url
}

/// Sends the requests of one source, within its limits.
#[derive(Clone)]
pub struct ApiClient<T = HttpClient> {
    /// Carries the credential.
    pub transport: T,
    /// The limits of the source's endpoint.
    pub limits: Arc<RequestLimiter>,
    /// How long a failing request is tried.
    pub retry_budget: RetryBudget,
    memory_budget: MemoryBudget,
    /// Counts requests and waits.
    pub meter: Arc<SourceMeter>,
    attempt_log: Option<AttemptRecorder>,
}

impl<T: Transport> ApiClient<T> {
    /// Sends a request with the credential.
    ///
    /// # Errors
    /// There is no response that `read` can use.
    pub async fn request<P>(
        &self,
        request: &Request,
        read: impl Fn(&Response) -> Result<P, UnreadableBody>,
    ) -> Result<P, Failure> {
        send_with_retries(
            &self.transport,
            &self.limits,
            &self.retry_budget,
            &self.meter,
            request,
            read,
            &self.attempt_log,
        )
        .await
    }

    /// A client that tries everything only once.
    pub fn without_retries(&self) -> ApiClient<T>
    where
        T: Clone,
    {
        ApiClient { retry_budget: RetryBudget::none(), ..self.clone() }
    }

    /// A client without a limit that matters, for tests.
    #[cfg(all(test, feature = "respond"))]
    pub fn of_transport(transport: T) -> ApiClient<T> {
        const MANY: u32 = 100_000;
        let credential = Arc::new(CredentialLimit::new(Some(MANY)));
        ApiClient {
            transport,
            limits: Arc::new(RequestLimiter::new(
                Endpoint::OrgAdmin,
                Some(MANY),
                credential,
                Vec::new(),
            )),
            retry_budget: RetryBudget::none(),
            memory_budget: MemoryBudget::default(),
            meter: Arc::default(),
            attempt_log: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::model::name::SourceKind;

    fn name(target: &SourceTarget, org_id: Option<&str>, email: Option<&str>) -> String {
        let credential = Credential {
            key: SecretString::from("SECRETKEY"),
            org_id: org_id.map(str::to_owned),
            account: email.map(str::to_owned),
            origin: String::new(),
            stored: None,
            expires: None,
        };
        endpoint_name(target.kind().descriptor().endpoint, target, &credential)
    }

    #[test]
    fn an_endpoint_is_named_by_all_that_is_in_its_path_also_what_the_keyring_holds() {
        let base_url: Url = "https://api.example/".parse().unwrap();
        let org = SourceTarget {
            kind: SourceKind::OrgEvents,
            base_url,
            org_id: None,
            site: None,
            account: None,
            gateway: None,
            product: None,
            resolve_users: false,
        };
        let site = SourceTarget {
            kind: SourceKind::JiraAudit,
            site: Some("acme.example".to_owned()),
            ..org.clone()
        };
        assert_ne!(name(&org, Some("o1"), None), name(&org, Some("o2"), None));
        assert_ne!(name(&site, None, Some("ada@x")), name(&site, None, None));
        let workspace = |product| SourceTarget {
            kind: SourceKind::WorkspaceEvents,
            product: Some(product),
            ..site.clone()
        };
        let [jira, confluence] = SiteProduct::ALL.map(workspace);
        assert_ne!(name(&jira, None, None), name(&confluence, None, None));
        assert_ne!(name(&org, None, None), name(&site, None, None));
        assert!(!name(&org, Some("o1"), None).contains("SECRET"));
    }
}
