//! Recognises an account that its server has locked until somebody solves a CAPTCHA, and holds back
//! further requests with its credential.
//!
//! Facts (developer.atlassian.com/server/jira/platform/basic-authentication, "CAPTCHA"): after
//! several failed logins a Data Center refuses the account without looking at its password.
//! `X-Seraph-LoginReason` is then `AUTHENTICATION_DENIED`, and `X-Authentication-Denied-Reason` is
//! `CAPTCHA_CHALLENGE; login-url=...`. Jira answers 403, others 401.

use std::sync::atomic::{AtomicBool, Ordering};

use url::Url;

use super::message::Response;
use crate::model::text::printable;

const DENIED_REASON_HEADER: &str = "x-authentication-denied-reason";

/// Whether `response` says that the account is locked until a CAPTCHA is solved.
pub(super) fn is_demanded(response: &Response) -> bool {
    let has_word = |name: &str, word: &str| {
        let value = response.header(name).unwrap_or_default();
        value.to_ascii_uppercase().contains(word)
    };
    matches!(response.status, 401 | 403)
        && (has_word(DENIED_REASON_HEADER, "CAPTCHA_CHALLENGE")
            || has_word("x-seraph-loginreason", "AUTHENTICATION_DENIED"))
}

/// The page at which to log in, if it is of the host that was asked: another one may want to catch
/// a password. Its query is left out, since it may hold a token.
pub(super) fn login_page(response: &Response, asked: &Url) -> Option<String> {
    let reason = response.header(DENIED_REASON_HEADER)?;
    let at = reason.to_ascii_lowercase().find("login-url=")?;
    let text = reason.get(at + "login-url=".len()..)?;
    let text = text.split([';', ',', ' ']).next()?.trim_matches('"');
    let page = Url::parse(text).ok()?;
    let is_safe = page.host() == asked.host() && matches!(page.scheme(), "https" | "http");
    let is_as_secure = page.scheme() == "https" || asked.scheme() == "http";
    let shown = format!("{}{}", page.origin().ascii_serialization(), page.path());
    (is_safe && is_as_secure).then(|| printable(&shown))
}

/// Whether a credential met the CAPTCHA in this run. Every further attempt would count as one more
/// failed login.
#[derive(Debug, Default)]
pub(super) struct CredentialLockout(AtomicBool);

impl CredentialLockout {
    /// Lets no further request pass.
    pub(super) fn close(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether no request may pass.
    pub(super) fn is_closed(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn response(status: u16, name: &str, value: &str) -> Response {
        Response { status, headers: vec![(name.to_owned(), value.to_owned())], body: Bytes::new() }
    }

    #[test]
    fn the_headers_of_a_refusal_name_the_captcha() {
        for (status, name, value, want) in [
            (403, DENIED_REASON_HEADER, "CAPTCHA_CHALLENGE; login-url=https://a/login.jsp", true),
            (401, DENIED_REASON_HEADER, "captcha_challenge", true),
            (401, "x-seraph-loginreason", "AUTHENTICATION_DENIED", true),
            (401, "x-seraph-loginreason", "AUTHENTICATED_FAILED", false),
            (401, DENIED_REASON_HEADER, "PASSWORD_EXPIRED", false),
            (200, DENIED_REASON_HEADER, "CAPTCHA_CHALLENGE", false),
            (403, "x-other", "CAPTCHA_CHALLENGE", false),
        ] {
            assert_eq!(is_demanded(&response(status, name, value)), want, "{name}: {value}");
        }
    }

    #[test]
    fn a_login_page_is_shown_only_of_the_same_host_and_without_its_query() {
        let asked: Url = "https://dc.example:8443/jira/rest/x?y=z".parse().unwrap();
        let page = |value: &str| login_page(&response(403, DENIED_REASON_HEADER, value), &asked);
        for (value, want) in [
            (
                "CAPTCHA_CHALLENGE; login-url=https://DC.example/jira/login.jsp?token=t#x",
                Some("https://dc.example/jira/login.jsp"),
            ),
            (
                "CAPTCHA_CHALLENGE; Login-URL=\"https://u:p@dc.example/in\"; x",
                Some("https://dc.example/in"),
            ),
            ("CAPTCHA_CHALLENGE; login-url=http://dc.example/in", None),
            ("CAPTCHA_CHALLENGE; login-url=https://evil.example/in", None),
            ("CAPTCHA_CHALLENGE; login-url=https://dc.example@evil.example/", None),
            ("CAPTCHA_CHALLENGE; login-url=javascript:alert(1)", None),
            ("CAPTCHA_CHALLENGE; login-url=/login.jsp", None),
            ("CAPTCHA_CHALLENGE; login-url=", None),
            ("CAPTCHA_CHALLENGE", None),
        ] {
            assert_eq!(page(value).as_deref(), want, "{value}");
        }
    }
}
