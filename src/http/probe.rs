//! Takes the first steps on the way to a server one by one, so that `check` can say which of them
//! fails: the proxy, the name, and the connection. The client of a pull takes all steps at once.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use url::{Host, Url};

use super::message::{TransportError, TransportErrorKind, flatten};
use crate::config::env::ProcessEnv;
use crate::config::settings::ConnectionSettings;
use crate::model::address::is_loopback;

/// A host and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl HostPort {
    /// Where `url` leads.
    pub fn from_url(url: &Url) -> Option<HostPort> {
        let host = match url.host()? {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let port = url.port_or_known_default()?;
        Some(HostPort { host, port })
    }
}

/// The proxy between us and `url`, if there is one. The client decides in the same way
/// (hyper-util's matcher): a proxy of the settings, else of the environment, never to this machine.
pub fn proxy_for(connection: &ConnectionSettings, url: &Url, env: &ProcessEnv) -> Option<HostPort> {
    if is_loopback(url) {
        return None;
    }
    if let Some(proxy) = &connection.proxy {
        return HostPort::from_url(proxy.expose());
    }
    // Set by web servers for CGI programs, where HTTP_PROXY may come from a request's header.
    if env.var_os("REQUEST_METHOD").is_some() || is_in_no_proxy(url, env) {
        return None;
    }
    let of_scheme = match url.scheme() {
        "https" => ["HTTPS_PROXY", "https_proxy"],
        _ => ["HTTP_PROXY", "http_proxy"],
    };
    proxy_from_env(&of_scheme, env).or_else(|| proxy_from_env(&["ALL_PROXY", "all_proxy"], env))
}

fn proxy_from_env(names: &[&str], env: &ProcessEnv) -> Option<HostPort> {
    let text = names.iter().find_map(|name| env.var_text(name))?;
    let text = match text.contains("://") {
        true => text.to_owned(),
        false => format!("http://{text}"),
    };
    let url = Url::parse(&text).ok()?;
    matches!(url.scheme(), "http" | "https").then_some(())?;
    HostPort::from_url(&url)
}

/// Whether `NO_PROXY` names the host of `url`.
fn is_in_no_proxy(url: &Url, env: &ProcessEnv) -> bool {
    let list = ["NO_PROXY", "no_proxy"].iter().find_map(|name| env.var_text(name));
    let Some(spot) = HostPort::from_url(url) else {
        return false;
    };
    let entries = list.unwrap_or_default().split(',').map(str::trim);
    let mut entries = entries.filter(|entry| !entry.is_empty());
    match spot.host.parse::<IpAddr>() {
        Ok(address) => entries.any(|entry| entry == "*" || network_contains(entry, address)),
        Err(_) => entries.any(|entry| is_within(&spot.host, entry)),
    }
}

/// Whether `host` is `domain` or lies below it.
fn is_within(host: &str, domain: &str) -> bool {
    let domain = domain.trim_start_matches('.').to_ascii_lowercase();
    domain == "*"
        || host == domain
        || host.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.') && !domain.is_empty())
}

/// Whether `entry`, an address or a network such as `10.0.0.0/8`, holds `address`.
fn network_contains(entry: &str, address: IpAddr) -> bool {
    let (network, bits) = match entry.split_once('/') {
        Some((network, bits)) => (network, bits.parse::<u32>().ok()),
        None => (entry, Some(128)),
    };
    let network = network.trim_matches(['[', ']']).parse::<IpAddr>();
    let (Ok(network), Some(bits)) = (network, bits) else {
        return false;
    };
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let shift = 32_u32.saturating_sub(bits);
            network.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let shift = 128_u32.saturating_sub(bits);
            network.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
        }
        _ => false,
    }
}

/// The addresses of `spot`, by this machine's resolver.
///
/// # Errors
/// It has none, or the resolver does not answer within `limit`.
pub async fn resolve(spot: &HostPort, limit: Duration) -> Result<Vec<SocketAddr>, TransportError> {
    let failed = |why: &str| TransportError::new(TransportErrorKind::Dns, why);
    let found = timeout(limit, lookup_host((spot.host.as_str(), spot.port)))
        .await
        .map_err(|_| failed(&format!("no response within {} s", limit.as_secs())))?
        .map_err(|error| failed(&flatten(&error)))?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    match addresses.is_empty() {
        true => Err(failed("the name has no address")),
        false => Ok(addresses),
    }
}

/// The first of `addresses` that takes a TCP connection.
///
/// # Errors
/// What the last of them said; each has `limit`.
pub async fn connect(
    addresses: &[SocketAddr],
    limit: Duration,
) -> Result<SocketAddr, TransportError> {
    let mut last = TransportError::new(TransportErrorKind::Connect, "there is no address");
    for address in addresses {
        last = match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(*address),
            Ok(Err(error)) => refused(*address, &error),
            Err(_) => TransportError::new(
                TransportErrorKind::ConnectTimeout,
                &format!("{address}, {} s", limit.as_secs()),
            ),
        };
    }
    Err(last)
}

fn refused(address: SocketAddr, error: &io::Error) -> TransportError {
    let detail = format!("{address}: {error}");
    TransportError::new(TransportErrorKind::Connect, &detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::SafeUrl;

    const LIMIT: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn an_address_needs_no_resolver_and_a_listener_answers() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let spot = HostPort { host: "127.0.0.1".to_owned(), port: address.port() };
        let found = resolve(&spot, LIMIT).await.unwrap();
        assert_eq!(found, [address]);
        // The first one refuses.
        let closed: SocketAddr = "127.0.0.1:1".parse().unwrap();
        assert_eq!(connect(&[closed, address], LIMIT).await, Ok(address));
        let error = connect(&[closed], LIMIT).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Connect);
        assert!(error.to_string().contains("127.0.0.1:1: "), "{error}");
    }

    #[tokio::test]
    async fn a_name_that_is_none() {
        let spot = HostPort { host: "a..b".to_owned(), port: 1 };
        let error = resolve(&spot, LIMIT).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Dns);
    }

    fn connection(proxy: Option<&str>) -> ConnectionSettings {
        ConnectionSettings {
            requests_per_minute: None,
            timeout: Duration::from_secs(30),
            retry_for: Duration::ZERO,
            max_wait: Duration::ZERO,
            ca_file: None,
            proxy: proxy.map(|url| SafeUrl::new(url.parse().unwrap())),
        }
    }

    fn proxy_text(proxy: Option<&str>, url: &str, env: &[(&str, &str)]) -> Option<String> {
        let env = ProcessEnv::with(env.iter().copied(), "/");
        let spot = proxy_for(&connection(proxy), &url.parse().unwrap(), &env)?;
        Some(format!("{}:{}", spot.host, spot.port))
    }

    #[test]
    fn the_settings_win_over_the_environment() {
        let env = [("HTTPS_PROXY", "env.example:3128")];
        let url = "https://api.example/";
        assert_eq!(
            proxy_text(Some("http://u:p@own.example:8080"), url, &env).as_deref(),
            Some("own.example:8080")
        );
        assert_eq!(proxy_text(None, url, &env).as_deref(), Some("env.example:3128"));
        assert_eq!(proxy_text(None, url, &[]), None);
        for local in ["http://127.0.0.1:1/", "https://localhost/", "http://[::1]/"] {
            assert_eq!(proxy_text(Some("http://own.example"), local, &env), None, "{local}");
        }
    }

    #[test]
    fn the_environment_is_read_as_the_client_reads_it() {
        let url = "https://api.example/";
        for (env, proxy) in [
            (&[("https_proxy", "https://p.example")][..], Some("p.example:443")),
            (&[("ALL_PROXY", "http://p.example")], Some("p.example:80")),
            (&[("HTTP_PROXY", "http://p.example")], None),
            (&[("HTTPS_PROXY", "ftp://p.example")], None),
            (&[("ALL_PROXY", "p.example"), ("REQUEST_METHOD", "GET")], None),
        ] {
            assert_eq!(proxy_text(None, url, env).as_deref(), proxy, "{env:?}");
        }
    }

    #[test]
    fn hosts_may_be_excepted() {
        let is_direct = |url: &str, list: &str| {
            proxy_text(None, url, &[("HTTPS_PROXY", "p.example"), ("NO_PROXY", list)]).is_none()
        };
        for (url, list) in [
            ("https://api.example/", "*"),
            ("https://api.example/", "x.example, api.example"),
            ("https://a.api.example/", ".api.example"),
            ("https://a.api.example/", "API.example"),
            ("https://10.1.2.3/", "10.0.0.0/8"),
            ("https://10.1.2.3/", "10.1.2.3"),
            ("https://[fd00::1]/", "fd00::/8"),
            ("https://10.1.2.3/", "0.0.0.0/0"),
        ] {
            assert!(is_direct(url, list), "{url} {list}");
        }
        for (url, list) in [
            ("https://api.example/", ""),
            ("https://api.example/", "pi.example,.other"),
            ("https://api.example/", "."),
            ("https://11.1.2.3/", "10.0.0.0/8,x/y,fd00::/8"),
        ] {
            assert!(!is_direct(url, list), "{url} {list}");
        }
    }
}
