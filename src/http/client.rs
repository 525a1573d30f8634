//! Owns one attempt over the network: a request goes out, a whole answer comes back, or an error
//! that says where it failed. No retries, no redirects, no limits on the rate.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use url::{Origin, Url};

use super::captcha::{self, CredentialLockout};
use super::decode::{BodyDecoder, ContentCoding};
use super::diagnose::{AttemptPhase, diagnose};
use super::error::{TransportError, TransportErrorKind};
use super::memory_budget::MemoryBudget;
use super::message::{Request, Response};
use crate::telemetry::meter::SourceMeter;

/// The largest body accepted, decompressed: thirty times the largest page seen, and little enough
/// that a few at once fit into a small machine.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// The largest length of a body that is believed before it comes; a longer one grows as it does.
const MAX_PREALLOCATED_BYTES: usize = 4 * 1024 * 1024;

/// What sends one attempt.
pub trait Transport: Send + Sync {
    /// Sends `request` once and reads the whole answer, whatever its status.
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
    pub(super) fn header(&self, client: &reqwest::Client) -> Option<HeaderValue> {
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
    lockout: Arc<CredentialLockout>,
    body_limit: usize,
    memory_budget: MemoryBudget,
    meter: Arc<SourceMeter>,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.origin.ascii_serialization();
        f.debug_tuple("HttpClient").field(&origin).finish()
    }
}

impl HttpClient {
    /// Binds `client` to the origin of `base_url` and, if given, a credential's header. `lockout` is shared by all
    /// clients of that origin and credential.
    pub(super) fn new(
        client: reqwest::Client,
        base_url: &Url,
        authorization: Option<HeaderValue>,
        lockout: Arc<CredentialLockout>,
    ) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value);
        }
        HttpClient {
            client,
            origin: base_url.origin(),
            headers,
            lockout,
            body_limit: MAX_BODY_BYTES,
            memory_budget: MemoryBudget::default(),
            meter: Arc::default(),
        }
    }

    /// Its answers take their room from `room`.
    pub fn with_memory_budget(mut self, room: MemoryBudget) -> Self {
        self.memory_budget = room;
        self
    }

    /// What it receives is counted by `meter`, as it comes.
    pub fn with_meter(mut self, meter: Arc<SourceMeter>) -> Self {
        self.meter = meter;
        self
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

    async fn attempt(&self, request: &Request) -> Result<Response, TransportError> {
        self.check_url(&request.url)?;
        if self.lockout.is_closed() {
            let why = "an earlier request of this run met the CAPTCHA";
            return Err(TransportError::new(
                TransportErrorKind::CredentialLocked,
                why,
            ));
        }
        let sending = self
            .client
            .get(request.url.clone())
            .headers(self.headers.clone())
            .send();
        let response = sending
            .await
            .map_err(|error| diagnose(error, AttemptPhase::Sending))?;
        let status = response.status().as_u16();
        let mut headers = text_headers(response.headers());
        let coding = ContentCoding::of(&headers);
        coding.update_headers(&mut headers);
        // Not before the head: a server that takes its time keeps nothing from the others.
        let share = self.memory_budget.take(1).await;
        let response = Response {
            status,
            headers,
            body: share.keep(self.read_body(response, &coding).await?),
        };
        if captcha::is_demanded(&response) {
            self.lockout.close();
        }
        Ok(response)
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
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| diagnose(error, AttemptPhase::Body))?
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
        self.attempt(request).await
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

/// Whether `url` names this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
