//! Owns what is asked of a server before the first page: where its API is, and whose the credential is.

use std::sync::Arc;

use tokio_util::task::TaskTracker;
use url::Url;

use crate::config::settings::{SiteRoute, SourceTarget};
use crate::crash;
use crate::error::AppError;
use crate::http::client::HttpClient;
use crate::http::error::UnreadableBody;
use crate::http::exchange::send_with_retries;
use crate::http::failure::{Failure, FailureKind};
use crate::http::limiter::RequestLimiter;
use crate::http::memory_budget::MemoryBudget;
use crate::http::message::{Request, Response};
use crate::http::retry::RetryBudget;
use crate::normalise::RecordOrigin;
use crate::pipeline::attempt_record::AttemptRecorder;
use crate::pipeline::fetch::{Fetcher, SLICE_RECORDS};
use crate::pipeline::reader::PageReader;
use crate::pipeline::user_directory::UserDirectory;
use crate::source::{self, lookup};
use crate::state::lookups::{CachedValue, LookupCache};
use crate::telemetry::meter::SourceMeter;

/// A source that can be asked.
pub struct PreparedSource {
    pub(super) target: SourceTarget,
    pub(super) page_size: u32,
    pub(super) concurrency: usize,
    pub(super) api: ApiClient,
    pub(super) origin: RecordOrigin,
    pub(super) lookup: Option<RequiredLookup>,
    /// The limits of looking users up, where that is wanted.
    pub(super) user_limits: Option<Arc<RequestLimiter>>,
}

/// What every request of a source goes through.
pub struct ApiClient {
    pub(super) transport: HttpClient,
    pub(super) limits: Arc<RequestLimiter>,
    pub(super) retry_budget: RetryBudget,
    pub(super) memory_budget: MemoryBudget,
    pub(super) meter: Arc<SourceMeter>,
    /// Takes down every attempt, where that is wanted.
    pub(super) attempt_log: Option<AttemptRecorder>,
}

/// What must be looked up, where it is not known from an earlier run.
pub enum RequiredLookup {
    /// The site's cloud id, of the site itself.
    CloudId(HttpClient),
    /// The account of a Data Center's token.
    TokenAccount,
}

impl PreparedSource {
    /// Counts what happens.
    pub fn meter(&self) -> &Arc<SourceMeter> {
        &self.api.meter
    }

    /// What reads the source, and what its events say of it, after what had to be looked up.
    ///
    /// # Errors
    /// The site's cloud id cannot be had, or the account is locked.
    pub async fn into_fetcher(
        mut self,
        lookups: &LookupCache,
        transcript: Option<&AttemptRecorder>,
    ) -> Result<(RecordOrigin, Fetcher<HttpClient>), AppError> {
        self.api.attempt_log = transcript.cloned();
        let base_url = self.product_url(lookups).await?;
        if let Some(RequiredLookup::TokenAccount) = self.lookup {
            self.origin.reader = self.token_account(lookups).await?;
        }
        let directory = self.directory(&base_url, lookups);
        let org_id = self.origin.org_id.as_deref();
        let ApiClient {
            transport,
            limits,
            retry_budget: patience,
            memory_budget: room,
            meter,
            attempt_log: transcript,
        } = self.api;
        let reader = PageReader {
            user_directory: directory,
            source: source::of(&self.target, &base_url, org_id, self.page_size),
            transport,
            limiter: limits,
            retry_budget: patience,
            memory_budget: room,
            meter,
            attempt_recorder: transcript,
            tasks: TaskTracker::new(),
        };
        let fetcher = Fetcher {
            reader: Arc::new(reader),
            concurrency: self.concurrency,
            slice_records: crash::limit("SLICE_RECORDS", SLICE_RECORDS),
        };
        Ok((self.origin, fetcher))
    }

    /// Looks users up at the site that stands behind `base_url`, if that is wanted.
    fn directory(
        &self,
        base_url: &Url,
        lookups: &LookupCache,
    ) -> Option<UserDirectory<HttpClient>> {
        let limits = self.user_limits.clone()?;
        // With room of its own: records that wait for names have theirs already.
        let transport = self
            .api
            .transport
            .clone()
            .with_memory_budget(MemoryBudget::default());
        let asking = (transport, limits, self.api.meter.clone());
        let (base_url, origin) = (users_url(base_url), self.origin.clone());
        let directory = UserDirectory::new(asking, base_url, origin, lookups.clone());
        Some(directory.with_attempt_recorder(self.api.attempt_log.clone()))
    }

    /// What stands before the paths of the API.
    pub(super) async fn product_url(&self, lookups: &LookupCache) -> Result<Url, AppError> {
        let SourceTarget::Site(site) = &self.target else {
            return Ok(self.target.base_url().clone());
        };
        let gateway = match &site.route {
            SiteRoute::Direct(url) => return Ok(url.clone()),
            SiteRoute::Gateway(gateway) => gateway,
        };
        let (server, now) = (gateway.site_url.to_string(), chrono::Utc::now());
        let known = || {
            let told = lookups.read(&site.site).cloud_id?;
            let (teller, id) = told.if_fresh(now)?;
            (*teller == server).then(|| id.clone())
        };
        if let Some(id) = gateway.cloud_id.clone().or_else(known) {
            return Ok(gateway.product_url(site.kind, &id));
        }
        let Some(RequiredLookup::CloudId(client)) = &self.lookup else {
            return Ok(gateway.base_url.clone());
        };
        let request = lookup::cloud_id_request(&gateway.site_url);
        let id = self
            .api
            .request_through(client, &request, lookup::read_cloud_id)
            .await?;
        let told = CachedValue::new((server, id.clone()), now);
        lookups.update(&site.site, |facts| facts.cloud_id = Some(told));
        Ok(gateway.product_url(site.kind, &id))
    }

    /// The account of a Data Center's token. It only serves to tell our own traces in the log from others', so
    /// that a server that does not say is no trouble.
    ///
    /// # Errors
    /// The account is locked: a request for a page would be one more failed login.
    async fn token_account(&self, lookups: &LookupCache) -> Result<Option<String>, Failure> {
        let site = self.origin.site.as_deref().unwrap_or_default();
        let (name, now) = (&self.origin.name, chrono::Utc::now());
        if let Some(told) = lookups.read(site).accounts.get(name)
            && let Some(account) = told.if_fresh(now)
        {
            return Ok(account.clone());
        }
        let request = lookup::whoami_request(self.target.base_url());
        let quickly = self.api.without_retries();
        let told = quickly.request(&request, lookup::read_whoami).await;
        let account = match told {
            Ok(account) => account,
            Err(failure) if failure.kind == FailureKind::CaptchaRequired => return Err(failure),
            Err(failure) => {
                tracing::info!(%failure, "the server does not tell whose the token is");
                return Ok(None);
            }
        };
        let told = CachedValue::new(account.clone(), now);
        lookups.update(site, |facts| {
            facts.accounts.insert(name.clone(), told);
        });
        Ok(account)
    }
}

/// What stands before the paths of the users' API. Users are Jira's, also those of Confluence.
fn users_url(base_url: &Url) -> Url {
    let mut url = base_url.clone();
    let path = url.path().replacen("/ex/confluence/", "/ex/jira/", 1);
    url.set_path(&path);
    url
}

impl ApiClient {
    /// Asks for something small, with the credential.
    pub(super) async fn request<P>(
        &self,
        request: &Request,
        read: impl Fn(&Response) -> Result<P, UnreadableBody>,
    ) -> Result<P, Failure> {
        self.request_through(&self.transport, request, read).await
    }

    async fn request_through<P>(
        &self,
        transport: &HttpClient,
        request: &Request,
        read: impl Fn(&Response) -> Result<P, UnreadableBody>,
    ) -> Result<P, Failure> {
        send_with_retries(
            transport,
            &self.limits,
            &self.retry_budget,
            &self.meter,
            request,
            read,
            &self.attempt_log,
        )
        .await
    }

    /// The same, for what is not worth a second attempt.
    pub(super) fn without_retries(&self) -> ApiClient {
        ApiClient {
            transport: self.transport.clone(),
            limits: self.limits.clone(),
            retry_budget: RetryBudget::none(),
            memory_budget: self.memory_budget.clone(),
            meter: self.meter.clone(),
            attempt_log: self.attempt_log.clone(),
        }
    }
}
