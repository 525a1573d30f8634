//! URLs: printing them without a password, and telling whether they name this machine.

use std::fmt;

use url::{Host, Url};

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
    use super::SafeUrl;

    #[test]
    fn a_password_is_never_printed() {
        let url = SafeUrl::new("http://user:hunter2@proxy.example:3128/".parse().unwrap());
        assert_eq!(url.to_string(), "http://proxy.example:3128/");
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}
