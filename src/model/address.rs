//! Network addresses as servers, proxies and people write them, and URLs that are printed without
//! their password.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

/// An IP address that a text names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkAddress<'t> {
    /// The IP address itself: a part of the text.
    pub ip: &'t str,
    /// The port after it.
    pub port: Option<u16>,
}

impl<'t> NetworkAddress<'t> {
    /// The IP address that `text` is, perhaps with a port (`198.51.100.7:443`, `[2001:db8::1]:443`)
    /// or a zone, which is the name of an interface on a different machine (`fe80::1%eth0`) and is
    /// left out. None for any other text.
    pub fn parse(text: &'t str) -> Option<NetworkAddress<'t>> {
        let is_ip = |part: &str| part.parse::<IpAddr>().is_ok();
        if is_ip(text) {
            return Some(NetworkAddress { ip: text, port: None });
        }
        let (host, port) = host_and_port(text);
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let ip = inner.unwrap_or(host).split('%').next()?;
        is_ip(ip).then_some(NetworkAddress { ip, port })
    }
}

/// The host in `text` and the port after it; the whole text where there is no port.
pub fn host_and_port(text: &str) -> (&str, Option<u16>) {
    let split = text.rsplit_once(':').and_then(|(host, port)| {
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| is_number)?;
        // More than one colon is an IPv6 address, whose last group is no port.
        let is_one = host.ends_with(']') || !host.contains(':');
        is_one.then_some((host, port))
    });
    match split {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    }
}

/// A URL whose user name and password never reach a message, a log line or a report.
#[derive(Clone, PartialEq, Eq)]
pub struct SafeUrl(Url);

impl SafeUrl {
    /// Wraps `url`.
    pub fn new(url: Url) -> Self {
        SafeUrl(url)
    }

    /// The whole URL, password and all: only for the HTTP client.
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        // Both fail only for URLs that cannot hold a user or a password in the first place.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        f.write_str(shown.as_str())
    }
}

impl fmt::Debug for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SafeUrl({self})")
    }
}

/// Whether `url` names this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        None => false,
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_machines() {
        let parsed = |text| {
            let NetworkAddress { ip, port } = NetworkAddress::parse(text)?;
            Some((ip, port.unwrap_or_default()))
        };
        for (text, ip, port) in [
            ("198.51.100.7", "198.51.100.7", 0),
            ("2001:db8::4a", "2001:db8::4a", 0),
            ("::ffff:198.51.100.7", "::ffff:198.51.100.7", 0),
            ("198.51.100.7:8080", "198.51.100.7", 8080),
            ("[2001:db8::1]:443", "2001:db8::1", 443),
            ("[2001:db8::1]", "2001:db8::1", 0),
            ("[fe80::1%eth0]:443", "fe80::1", 443),
            ("fe80::1%eth0", "fe80::1", 0),
        ] {
            assert_eq!(parsed(text), Some((ip, port)), "{text}");
        }
        for none in [
            "",
            " 198.51.100.7 ",
            "unknown",
            "host.example",
            "host.example:80",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "1.2.3.4:",
            "1.2.3.4:x",
            "1.2.3.4:+80",
            "1.2.3.4:65536",
            "1.2.3.4, 5.6.7.8",
            "[::1",
            "::1]",
            "[1.2.3.4]x",
            "[]",
            "%eth0",
            "1.2.3.4/8",
        ] {
            assert_eq!(parsed(none), None, "{none}");
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        let url = SafeUrl::new("http://user:hunter2@proxy.example:3128/".parse().unwrap());
        assert_eq!(url.to_string(), "http://proxy.example:3128/");
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}
