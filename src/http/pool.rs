//! Owns building clients: one set of connections for all sources that are reached the same way.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Certificate, redirect};
use url::{Origin, Url};

use super::captcha::CredentialLockout;
use super::client::{HttpClient, HttpCredential};
use super::error::flatten;
use crate::config::settings::ConnectionSettings;
use crate::model::safe_url::{SafeUrl, is_loopback};
use crate::model::text::printable;

/// What a server learns of us.
const USER_AGENT: &str = concat!("atlaudit/", env!("CARGO_PKG_VERSION"));

/// A connection that takes longer will not come; a slow answer may, so reading has its own limit.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why no client could be built. No network is involved.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The CA file cannot be read, or holds no certificate.
    #[error("cannot use the CA file {path}: {message}")]
    CaFile {
        /// The file as configured.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The proxy's URL is of no use.
    #[error("cannot use the proxy {proxy}")]
    Proxy {
        /// The URL as configured, without its password.
        proxy: SafeUrl,
    },
    /// The secret holds characters that no header can carry.
    #[error("the credential holds characters that no HTTP header can carry")]
    Credential,
    /// No TLS: most often a system without CA certificates.
    #[error("cannot set up TLS: {message}")]
    Tls {
        /// The cause.
        message: String,
    },
}

impl ConnectError {
    /// What to do about it, as one sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            ConnectError::CaFile { .. } => {
                "`ca_file` takes a PEM file with one or more certificates"
            }
            ConnectError::Proxy { .. } => "`proxy` takes an `http://` or `https://` URL",
            ConnectError::Credential => {
                "store the credential again: a line break or a stray character came with it"
            }
            ConnectError::Tls { .. } => {
                "install the system's CA certificates (the package `ca-certificates`)"
            }
        }
    }
}

/// Connections to one host that are kept for the next request.
const IDLE: usize = 8;

/// Bytes of one answer that a server may send before anybody reads them (HTTP/2).
const STREAM_WINDOW: u32 = 128 * 1024;

/// The same of all answers of a connection: of two hundred sources and more.
const CONNECTION_WINDOW: u32 = 64 * 1024 * 1024;

/// The clients built so far. Sources with equal settings share one, and so its connections.
#[derive(Default)]
pub struct ClientPool {
    clients: Vec<(ClientKey, reqwest::Client)>,
    lockouts: Vec<KnownLockout>,
}

/// The lockout of one credential at one server.
struct KnownLockout {
    origin: Origin,
    authorization: HeaderValue,
    lockout: Arc<CredentialLockout>,
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
        let header = authorization
            .map(|authorization| {
                authorization
                    .header(&client)
                    .ok_or(ConnectError::Credential)
            })
            .transpose()?;
        let lockout = match &header {
            Some(header) => self.lockout(base_url.origin(), header),
            None => Arc::default(),
        };
        Ok(HttpClient::new(client, base_url, header, lockout))
    }

    /// Lets credentials that met a CAPTCHA be used again by clients that are connected from now on: a new run begins, and
    /// somebody may have logged in.
    pub fn forget_lockouts(&mut self) {
        self.lockouts.clear();
    }

    fn lockout(&mut self, origin: Origin, authorization: &HeaderValue) -> Arc<CredentialLockout> {
        let known = self
            .lockouts
            .iter()
            .find(|known| known.origin == origin && known.authorization == authorization);
        if let Some(known) = known {
            return known.lockout.clone();
        }
        let lockout = Arc::<CredentialLockout>::default();
        self.lockouts.push(KnownLockout {
            origin,
            authorization: authorization.clone(),
            lockout: lockout.clone(),
        });
        lockout
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
    // reqwest panics without one. Whoever was first has installed the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        // A redirect would carry the credential along, or drop it and end at a login page.
        .redirect(redirect::Policy::none())
        // One owner of retries: `exchange`. By default reqwest repeats refused HTTP/2 streams.
        .retry(reqwest::retry::never())
        .referer(false)
        // As many as one source asks with at once; each has a buffer of up to 400 KB, also while it is idle.
        .pool_max_idle_per_host(IDLE)
        // Answers that wait for room must not fill the connection of those that have theirs.
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .connect_timeout(route.timeout.min(CONNECT_TIMEOUT))
        // Per read and no total limit: a large page over a slow line is no failure.
        .read_timeout(route.timeout);
    if route.direct {
        builder = builder.no_proxy();
    }
    if let Some(proxy) = &route.proxy {
        let url = proxy.expose().clone();
        // reqwest's own error quotes the URL, password and all.
        let proxy = reqwest::Proxy::all(url).map_err(|_| ConnectError::Proxy {
            proxy: proxy.clone(),
        })?;
        builder = builder.proxy(proxy);
    }
    if route.without_tls {
        builder = builder.tls_certs_only([]);
    } else if let Some(path) = &route.ca_file {
        builder = builder.tls_certs_merge(certificates(path)?);
    }
    builder.build().map_err(|error| ConnectError::Tls {
        message: flatten(&error),
    })
}

fn certificates(path: &PathBuf) -> Result<Vec<Certificate>, ConnectError> {
    let failed = |message: &str| ConnectError::CaFile {
        path: path.clone(),
        message: printable(message),
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
#[path = "pool_tests.rs"]
mod tests;
