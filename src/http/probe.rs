//! Owns the first two steps on the way to a server, taken one by one for whoever wants to know which of them fails: the
//! name, and the connection. Collecting does not come through here; its client takes all steps at once.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::error::{TransportError, TransportErrorKind, flatten};
use super::proxy::HostPort;

/// The addresses of `spot`, by this machine's resolver.
///
/// # Errors
/// It has none, or the resolver does not answer within `limit`.
pub async fn resolve(spot: &HostPort, limit: Duration) -> Result<Vec<SocketAddr>, TransportError> {
    let failed = |why: &str| TransportError::new(TransportErrorKind::Dns, why);
    let found = timeout(limit, lookup_host((spot.host.as_str(), spot.port)))
        .await
        .map_err(|_| failed(&format!("no answer within {} s", limit.as_secs())))?
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

    const LIMIT: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn an_address_needs_no_resolver_and_a_listener_answers() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let spot = HostPort {
            host: "127.0.0.1".to_owned(),
            port: address.port(),
        };
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
        let spot = HostPort {
            host: "a..b".to_owned(),
            port: 1,
        };
        let error = resolve(&spot, LIMIT).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Dns);
    }
}
