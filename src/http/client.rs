//! Sends one attempt: a request goes out, a whole response comes back, or an error that says where
//! it failed. No retries, no redirects, no limits on the rate.
//!
//! `ClientPool` builds the clients: one set of connections for all sources that are reached the
//! same way.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue,
};
use reqwest::{Certificate, Method, redirect};
use secrecy::{ExposeSecret, SecretString};
use url::{Origin, Url};

use super::decode::{BodyDecoder, ContentCoding};
use super::envelope::demands_captcha;
use super::memory_budget::MemoryBudget;
use super::message::{Request, Response, TransportError, TransportErrorKind, diagnose, flatten};
use crate::config::settings::ConnectionSettings;
use crate::model::address::{SafeUrl, is_loopback};
use crate::model::text::printable;
use crate::telemetry::meter::SourceMeter;

/// The largest body accepted, decompressed: thirty times the largest page seen, and little enough
/// that a few at once fit into a small machine.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// The largest length of a body that is believed before it comes; a longer one grows as it does.
const MAX_PREALLOCATED_BYTES: usize = 4 * 1024 * 1024;

/// What sends one attempt.
pub trait Transport: Send + Sync {
    /// Sends `request` once and reads the whole response, whatever its status.
    fn send(
        &self,
        request: &Request,
    ) -> impl Future<Output = Result<Response, TransportError>> + Send;
}

/// A credential as HTTP carries it. Its Debug shows none of it.
#[derive(Clone)]
pub enum HttpCredential {
    /// An API key or an access token.
    Bearer(SecretString),
    /// An account and its API token.
    Basic {
        /// The account: an email address on Cloud.
        user: String,
        /// The API token.
        password: SecretString,
    },
}

impl fmt::Debug for HttpCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HttpCredential::Bearer(_) => "Bearer(..)",
            HttpCredential::Basic { .. } => "Basic(..)",
        })
    }
}

impl HttpCredential {
    /// The header's value, marked sensitive; `None` when the secret cannot stand in a header.
    fn header(&self, client: &reqwest::Client) -> Option<HeaderValue> {
        // reqwest encodes and marks it; the address is never connected to.
        let request = client.get("http://localhost/");
        let request = match self {
            HttpCredential::Bearer(token) => request.bearer_auth(token.expose_secret()),
            HttpCredential::Basic { user, password } => {
                request.basic_auth(user, Some(password.expose_secret()))
            }
        };
        request.build().ok()?.headers_mut().remove(AUTHORIZATION)
    }
}

/// A client for one source: bound to the origin (scheme, host, port) that its credential is for.
#[derive(Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    origin: Origin,
    headers: HeaderMap,
    /// Whether the credential met a CAPTCHA in this run. Every further attempt would count as one
    /// more failed login. Shared by all clients of this origin and credential.
    is_locked_out: Arc<AtomicBool>,
    body_limit: usize,
    memory_budget: MemoryBudget,
    meter: Arc<SourceMeter>,
    /// Whether it may send changes. Only `respond` makes such a client.
    #[cfg(feature = "respond")]
    may_write: bool,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.origin.ascii_serialization();
        f.debug_tuple("HttpClient").field(&origin).finish()
    }
}

impl HttpClient {
    /// Takes the permits for its responses from `budget`.
    pub fn with_memory_budget(mut self, budget: MemoryBudget) -> Self {
        self.memory_budget = budget;
        self
    }

    /// Counts what it receives in `meter`, as it comes.
    pub fn with_meter(mut self, meter: Arc<SourceMeter>) -> Self {
        self.meter = meter;
        self
    }

    /// May also send changes of single accounts, tokens and keys.
    #[cfg(feature = "respond")]
    pub fn with_writes(mut self) -> Self {
        self.may_write = true;
        self
    }

    /// Whether `request` may be sent: it only reads, or this client is for changes and it is one.
    fn may_send(&self, request: &Request) -> bool {
        #[cfg(feature = "respond")]
        if self.may_write && request.is_sound_write() {
            return true;
        }
        request.only_reads()
    }

    /// Accepts bodies up to `bytes`, decompressed, instead of 64 MiB.
    #[cfg(test)]
    pub fn with_body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// A server names the next page's URL itself: the last check that it cannot lead the credential
    /// elsewhere, or onto a wire in the clear.
    fn check_url(&self, url: &Url) -> Result<(), TransportError> {
        let refuse = |why: &str| Err(TransportError::new(TransportErrorKind::Invalid, why));
        if url.origin() != self.origin {
            return refuse("the URL leaves the host that the credential is for");
        }
        match url.scheme() {
            "https" => Ok(()),
            "http" if is_loopback(url) => Ok(()),
            _ => refuse("only https is allowed, except to this machine"),
        }
    }

    async fn read_body(
        &self,
        mut response: reqwest::Response,
        coding: &ContentCoding,
    ) -> Result<Bytes, TransportError> {
        let stated = response.content_length().unwrap_or_default();
        let stated = usize::try_from(stated).unwrap_or(usize::MAX);
        let mut decoder =
            BodyDecoder::new(coding, stated.min(MAX_PREALLOCATED_BYTES), self.body_limit);
        let mut received = 0_usize;
        while let Some(chunk) =
            response.chunk().await.map_err(|error| diagnose(error, TransportErrorKind::BodyLost))?
        {
            received = received.saturating_add(chunk.len());
            let decoded = decoder.push(&chunk)?;
            self.meter.received_bytes.add(decoded as u64);
        }
        decoder.finish(received)
    }
}

impl Transport for HttpClient {
    async fn send(&self, request: &Request) -> Result<Response, TransportError> {
        self.check_url(&request.url)?;
        if !self.may_send(request) {
            let why = "the request could change something";
            return Err(TransportError::new(TransportErrorKind::Invalid, why));
        }
        if self.is_locked_out.load(Ordering::SeqCst) {
            let why = "an earlier request of this run met the CAPTCHA";
            return Err(TransportError::new(TransportErrorKind::CredentialLocked, why));
        }
        let method = Method::from_bytes(request.method().as_bytes()).map_err(|_| {
            TransportError::new(TransportErrorKind::Invalid, "the method is not known")
        })?;
        let sending = self.client.request(method, request.url.clone());
        let sending = match request.body() {
            None => sending,
            Some(body) => sending.header(CONTENT_TYPE, "application/json").body(body.to_owned()),
        };
        let mut sending = sending.headers(self.headers.clone());
        if request.endpoint.is_localised() {
            // Else texts would be in the language of the account.
            sending = sending.header(ACCEPT_LANGUAGE, "en-US");
        }
        let sending = sending.send();
        let response =
            sending.await.map_err(|error| diagnose(error, TransportErrorKind::ConnectionLost))?;
        let status = response.status().as_u16();
        let mut headers = text_headers(response.headers());
        let coding = ContentCoding::of(&headers);
        coding.update_headers(&mut headers);
        // Not before the head: a server that takes its time holds up no other source.
        let permit = self.memory_budget.take(1).await;
        let response = Response {
            status,
            headers,
            body: permit.keep(self.read_body(response, &coding).await?),
        };
        if demands_captcha(&response) {
            self.is_locked_out.store(true, Ordering::SeqCst);
        }
        Ok(response)
    }
}

fn text_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect()
}

/// What a server learns of us.
const USER_AGENT: &str = concat!("atlaudit/", env!("CARGO_PKG_VERSION"));

/// A connection that takes longer will not come; a slow response may, so reading has its own limit.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why no client could be built. No network is involved.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ConnectError {
    message: String,
    /// What to do about it, as one sentence.
    pub hint: &'static str,
}

/// Connections to one host that are kept for the next request.
const IDLE: usize = 8;

/// The clients built so far. Sources with equal settings share one, and so its connections.
#[derive(Default)]
pub struct ClientPool {
    clients: Vec<(ClientKey, reqwest::Client)>,
    /// Whether a credential met a CAPTCHA at a server.
    lockouts: HashMap<(Origin, HeaderValue), Arc<AtomicBool>>,
}

/// All that makes two connections differ.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ClientKey {
    timeout: Duration,
    ca_file: Option<PathBuf>,
    proxy: Option<SafeUrl>,
    /// To this machine: no proxy, whatever the settings or the environment say.
    direct: bool,
    /// Without TLS, so that the sandbox also runs where no CA certificates are installed.
    without_tls: bool,
}

impl ClientPool {
    /// A client for the origin of `base_url`, with the credential it sends, if any.
    ///
    /// # Errors
    /// When a CA file, the proxy or the credential cannot be used, or TLS cannot be set up.
    pub fn connect(
        &mut self,
        connection: &ConnectionSettings,
        base_url: &Url,
        authorization: Option<&HttpCredential>,
    ) -> Result<HttpClient, ConnectError> {
        let direct = is_loopback(base_url);
        let client = self.client(ClientKey {
            timeout: connection.timeout,
            ca_file: connection.ca_file.clone(),
            proxy: connection.proxy.clone().filter(|_| !direct),
            direct,
            without_tls: direct && base_url.scheme() == "http",
        })?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let origin = base_url.origin();
        let mut is_locked_out = Arc::default();
        if let Some(credential) = authorization {
            let header = credential.header(&client).ok_or_else(|| ConnectError {
                message: "the credential holds characters that no HTTP header can carry".to_owned(),
                hint: "store the credential again: a line break or a stray character came with it",
            })?;
            let key = (origin.clone(), header.clone());
            is_locked_out = self.lockouts.entry(key).or_default().clone();
            headers.insert(AUTHORIZATION, header);
        }
        Ok(HttpClient {
            client,
            origin,
            headers,
            is_locked_out,
            body_limit: MAX_BODY_BYTES,
            memory_budget: MemoryBudget::default(),
            meter: Arc::default(),
            #[cfg(feature = "respond")]
            may_write: false,
        })
    }

    /// A client for whatever a library asks of a server, or of those that `base_url` names.
    ///
    /// # Errors
    /// When a CA file or the proxy cannot be used, or TLS cannot be set up.
    #[cfg(feature = "object-store")]
    pub fn plain_client(
        connection: &ConnectionSettings,
        base_url: Option<&Url>,
    ) -> Result<reqwest::Client, ConnectError> {
        let direct = base_url.is_some_and(is_loopback);
        build_client(&ClientKey {
            timeout: connection.timeout,
            ca_file: connection.ca_file.clone(),
            proxy: connection.proxy.clone().filter(|_| !direct),
            direct,
            without_tls: direct && base_url.is_some_and(|url| url.scheme() == "http"),
        })
    }

    /// Lets credentials that met a CAPTCHA be used again by clients that are connected from now on:
    /// a new run begins, and somebody may have logged in.
    pub fn forget_lockouts(&mut self) {
        self.lockouts.clear();
    }

    fn client(&mut self, route: ClientKey) -> Result<reqwest::Client, ConnectError> {
        if let Some((_, client)) = self.clients.iter().find(|(known, _)| *known == route) {
            return Ok(client.clone());
        }
        let client = build_client(&route)?;
        self.clients.push((route, client.clone()));
        Ok(client)
    }
}

fn build_client(route: &ClientKey) -> Result<reqwest::Client, ConnectError> {
    // reqwest panics without a provider. If one is installed already, it is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        // A redirect would carry the credential along, or drop it and end at a login page.
        .redirect(redirect::Policy::none())
        // One owner of retries: `exchange`.
        .retry(reqwest::retry::never())
        .referer(false)
        // As many as one source asks with at once; each has a buffer of up to 400 KB, also while it
        // is idle.
        .pool_max_idle_per_host(IDLE)
        .connect_timeout(route.timeout.min(CONNECT_TIMEOUT))
        // Per read and no total limit: a large page over a slow line is no failure.
        .read_timeout(route.timeout);
    if route.direct {
        builder = builder.no_proxy();
    }
    if let Some(proxy) = &route.proxy {
        let url = proxy.expose().clone();
        // reqwest's own error quotes the URL, password and all.
        let proxy = reqwest::Proxy::all(url).map_err(|_| ConnectError {
            message: format!("cannot use the proxy {proxy}"),
            hint: "`proxy` takes an `http://` or `https://` URL",
        })?;
        builder = builder.proxy(proxy);
    }
    if route.without_tls {
        builder = builder.tls_certs_only([]);
    } else if let Some(path) = &route.ca_file {
        builder = builder.tls_certs_merge(certificates(path)?);
    }
    // Most often a system without CA certificates.
    builder.build().map_err(|error| ConnectError {
        message: format!("cannot set up TLS: {}", flatten(&error)),
        hint: "install the system's CA certificates (the package `ca-certificates`)",
    })
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, ConnectError> {
    let failed = |why: &str| ConnectError {
        message: format!("cannot use the CA file {}: {}", path.display(), printable(why)),
        hint: "`ca_file` takes a PEM file with one or more certificates",
    };
    let pem = std::fs::read(path).map_err(|error| failed(&error.to_string()))?;
    let certificates =
        Certificate::from_pem_bundle(&pem).map_err(|error| failed(&flatten(&error)))?;
    if certificates.is_empty() {
        return Err(failed("no certificate in it"));
    }
    Ok(certificates)
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
