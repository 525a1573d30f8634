//! Says why a request was given up, and what a person can do about it.

use std::fmt;

use super::message::{Endpoint, Request};
use crate::exit::Exit;
use crate::model::open_files;
use crate::model::text::{printable, without_numbers};

/// What to do about a failure, by its kind, endpoint and message.
const HINTS: &str = include_str!("failure_hints.tsv");

/// Why a request was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// 401: the credential is wrong, expired or revoked.
    CredentialRefused,
    /// 401 or 403: the credential is right but lacks a scope.
    ScopeMissing,
    /// 403: the account or key lacks a permission.
    Forbidden,
    /// 403: the site's plan has no audit log.
    FreePlan,
    /// 401 or 403: the account is locked until somebody solves a CAPTCHA.
    CaptchaRequired,
    /// 404 or 410.
    NotFound,
    /// 400 and every other 4xx.
    BadRequest,
    /// The server requests a longer wait than is allowed.
    RateLimited,
    /// 3xx: the credential is not sent after it.
    Redirected,
    /// A 2xx with a page for people: a login page, or a proxy's.
    HtmlInstead,
    /// A 2xx whose body cannot be decoded, every time.
    Unreadable,
    /// A 2xx whose body reports an error, every time.
    ErrorInPage,
    /// 403 or 404 by the CDN in front of the server, every time.
    CdnRefused,
    /// 5xx, 408 or 425, every time.
    Unavailable,
    /// No connection, or no such host.
    Unreachable,
    /// Silent for longer than the time limit.
    TimedOut,
    /// The connection ends before the response does.
    ConnectionLost,
    /// No secure connection.
    Tls,
    /// A body larger than is accepted.
    TooLarge,
    /// Anything else: most likely a bug of ours.
    Unexpected,
}

/// A request that was given up. Holds neither a secret nor a URL's query, and nothing in it steers
/// a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub kind: FailureKind,
    /// What was requested.
    pub endpoint: Endpoint,
    /// Whether it was requested through Atlassian's gateway.
    pub is_through_gateway: bool,
    /// The host, with its port when the URL names one.
    pub host: String,
    /// The status of the last response, when the last attempt had one.
    pub status: Option<u16>,
    /// The server's own code, such as `ADMIN-400-1`.
    pub code: Option<String>,
    /// The last attempt's own words: the server's, or the network's. May be empty.
    pub message: String,
    /// Attempts sent; 0 when the server's pause forbade even the first.
    pub attempts: u32,
    /// What earlier attempts ended with, where it differs: oldest first, a handful at most.
    pub causes: Vec<String>,
}

impl fmt::Display for Failure {
    /// What failed, in one line: `acme.atlassian.net refuses the credential (401): Unauthorized`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.host, describe(self.kind))?;
        match (self.status, &self.code) {
            (Some(status), Some(code)) => write!(f, " ({status}, {code})")?,
            (Some(status), None) => write!(f, " ({status})")?,
            (None, _) => {}
        }
        if self.attempts > 1 {
            write!(f, " after {} attempts", self.attempts)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// A failure by what the responses to `request` and others say; `message` says why.
    pub fn of_contents(kind: FailureKind, request: &Request, message: &str) -> Failure {
        let message = printable(message);
        Failure { kind, message, ..Failure::before_first_attempt(request) }
    }

    /// The same without `secret`, where a server quotes what it was sent.
    #[cfg(feature = "respond")]
    pub fn without(mut self, secret: &str) -> Failure {
        if !secret.is_empty() {
            let texts = std::iter::once(&mut self.message).chain(&mut self.causes);
            texts.chain(&mut self.code).for_each(|text| *text = text.replace(secret, "[key]"));
        }
        self
    }

    /// The failure of `request`, of which nothing is known yet.
    pub(super) fn before_first_attempt(request: &Request) -> Failure {
        let host = request.url.host_str().unwrap_or_default();
        Failure {
            kind: FailureKind::Unexpected,
            endpoint: request.endpoint,
            is_through_gateway: request.is_through_gateway(),
            host: match request.url.port() {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            },
            status: None,
            code: None,
            message: String::new(),
            attempts: 0,
            causes: Vec::new(),
        }
    }

    /// What it is called: the same for two failures with one reason, whatever numbers their texts
    /// have. A server that is ill ails in many ways, with one reason.
    pub fn name(&self) -> String {
        let name = format!("{:?} {} {}", self.kind, self.endpoint.name(), self.host);
        match self.kind {
            FailureKind::Unavailable
            | FailureKind::Unreachable
            | FailureKind::TimedOut
            | FailureKind::ConnectionLost
            | FailureKind::RateLimited
            | FailureKind::CdnRefused => name,
            _ => {
                let code = self.code.as_deref().unwrap_or_default();
                let (status, words) = (self.status, without_numbers(&self.message));
                format!("{name} {} {code} {words}", status.unwrap_or_default())
            }
        }
    }

    /// What to do about it, as one sentence.
    pub fn hint(&self) -> &'static str {
        match self.kind {
            FailureKind::CredentialRefused
            | FailureKind::ScopeMissing
            | FailureKind::Forbidden
            | FailureKind::NotFound
            | FailureKind::Tls => self.hint_of_kind(),
            _ => open_files::hint_of_text(&self.message).unwrap_or_else(|| self.hint_of_kind()),
        }
    }

    fn hint_of_kind(&self) -> &'static str {
        let kind = format!("{:?}", self.kind);
        let gateway = format!("{}@gateway", self.endpoint.name());
        let is_endpoint = |name| {
            name == "*"
                || name == self.endpoint.name()
                || self.is_through_gateway && name == gateway
        };
        let is_said = |words| words == "*" || self.message.contains(words);
        let mut rows = HINTS.lines().filter_map(|line| {
            let mut cells = line.splitn(4, '\t');
            Some([cells.next()?, cells.next()?, cells.next()?, cells.next()?])
        });
        let row = rows.find(|[of_kind, endpoints, words, _]| {
            *of_kind == kind
                && endpoints.split('|').any(is_endpoint)
                && words.split('|').any(is_said)
        });
        row.map(|[.., hint]| hint).unwrap_or_default()
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self.kind {
            FailureKind::CredentialRefused
            | FailureKind::ScopeMissing
            | FailureKind::Forbidden
            | FailureKind::FreePlan
            | FailureKind::CaptchaRequired
            // Which status a wrong organization gets is not documented; key and organization are a
            // pair, so whichever it is, the pair is refused.
            | FailureKind::NotFound => Exit::Credential,
            FailureKind::RateLimited => Exit::RateLimited,
            _ => Exit::Incomplete,
        }
    }

    /// Whether the server refused the key itself.
    pub fn is_refused_key(&self) -> bool {
        self.endpoint != Endpoint::TenantInfo && self.kind == FailureKind::CredentialRefused
    }

    /// Whether the server refused this key and could accept another one.
    pub fn may_accept_other_key(&self) -> bool {
        self.endpoint != Endpoint::TenantInfo
            && matches!(
                self.kind,
                FailureKind::CredentialRefused
                    | FailureKind::ScopeMissing
                    | FailureKind::Forbidden
                    | FailureKind::NotFound
            )
    }
}

fn describe(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::CredentialRefused => "refuses the credential",
        FailureKind::ScopeMissing => "says that the credential lacks a scope",
        FailureKind::Forbidden => "says that the credential lacks a permission",
        FailureKind::FreePlan => "has no audit log on its plan",
        FailureKind::CaptchaRequired => "demands a CAPTCHA before it lets this account in",
        FailureKind::NotFound => "has no such organization, site or page",
        FailureKind::BadRequest => "rejects the request",
        FailureKind::RateLimited => "requests a wait longer than `max_wait`",
        FailureKind::Redirected => "redirects elsewhere",
        FailureKind::HtmlInstead => "returns an HTML page instead of data",
        FailureKind::Unreadable => "returns data that cannot be read",
        FailureKind::ErrorInPage => "reports an error in a successful response",
        FailureKind::CdnRefused => "is behind a CDN (CloudFront) that refuses the request",
        FailureKind::Unavailable => "is not available",
        FailureKind::Unreachable => "cannot be reached",
        FailureKind::TimedOut => "does not respond in time",
        FailureKind::ConnectionLost => "ends the connection early",
        FailureKind::Tls => "offers no secure connection that we trust",
        FailureKind::TooLarge => "returns more than the size limit",
        FailureKind::Unexpected => "cannot be requested",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: FailureKind) -> Failure {
        Failure {
            kind,
            endpoint: Endpoint::EventsStream,
            is_through_gateway: false,
            host: "api.atlassian.com".to_owned(),
            status: Some(400),
            code: Some("ADMIN-400-1".to_owned()),
            message: "Invalid page cursor".to_owned(),
            attempts: 1,
            causes: Vec::new(),
        }
    }

    #[test]
    fn a_failure_is_one_line() {
        let mut failure = failure(FailureKind::BadRequest);
        insta::assert_snapshot!(failure, @"api.atlassian.com rejects the request (400, ADMIN-400-1): Invalid page cursor");
        failure.code = None;
        failure.attempts = 4;
        insta::assert_snapshot!(failure, @"api.atlassian.com rejects the request (400) after 4 attempts: Invalid page cursor");
        failure.status = None;
        failure.message.clear();
        insta::assert_snapshot!(failure, @"api.atlassian.com rejects the request after 4 attempts");
    }

    const ENDPOINTS: [Endpoint; 11] = [
        Endpoint::EventsStream,
        Endpoint::JiraAuditRecords,
        Endpoint::ConfluenceAudit,
        Endpoint::WorkspaceEvents,
        Endpoint::DatacenterEvents,
        Endpoint::Organizations,
        Endpoint::ApiKeys,
        Endpoint::OrgAdmin,
        Endpoint::TenantInfo,
        Endpoint::JiraUsers,
        Endpoint::DatacenterWhoami,
    ];

    /// A new endpoint does not compile here: it needs rows in the table, and belongs to
    /// `ENDPOINTS`.
    fn name(endpoint: Endpoint) -> &'static str {
        match endpoint {
            Endpoint::EventsStream
            | Endpoint::JiraAuditRecords
            | Endpoint::ConfluenceAudit
            | Endpoint::WorkspaceEvents
            | Endpoint::DatacenterEvents
            | Endpoint::Organizations
            | Endpoint::ApiKeys
            | Endpoint::OrgAdmin
            | Endpoint::TenantInfo
            | Endpoint::JiraUsers
            | Endpoint::DatacenterWhoami => endpoint.name(),
        }
    }

    const KINDS: [FailureKind; 20] = [
        FailureKind::CredentialRefused,
        FailureKind::ScopeMissing,
        FailureKind::Forbidden,
        FailureKind::NotFound,
        FailureKind::FreePlan,
        FailureKind::CaptchaRequired,
        FailureKind::BadRequest,
        FailureKind::RateLimited,
        FailureKind::Redirected,
        FailureKind::HtmlInstead,
        FailureKind::Unreadable,
        FailureKind::ErrorInPage,
        FailureKind::CdnRefused,
        FailureKind::Unavailable,
        FailureKind::Unreachable,
        FailureKind::TimedOut,
        FailureKind::ConnectionLost,
        FailureKind::Tls,
        FailureKind::TooLarge,
        FailureKind::Unexpected,
    ];

    #[test]
    fn every_failure_has_a_hint_at_every_endpoint() {
        for kind in KINDS {
            for endpoint in ENDPOINTS {
                for is_through_gateway in [false, true] {
                    let failure = Failure { endpoint, is_through_gateway, ..failure(kind) };
                    let at = name(endpoint);
                    assert!(!failure.hint().is_empty(), "{kind:?} {at} {is_through_gateway}");
                }
            }
        }
    }

    #[test]
    fn every_row_of_the_hints_names_what_there_is() {
        for row in HINTS.lines().filter(|line| !line.starts_with('#')) {
            let cells: Vec<_> = row.split('\t').collect();
            let [kind, endpoints, _, hint] = cells[..] else { panic!("{row}") };
            assert!(KINDS.iter().any(|known| format!("{known:?}") == kind), "{row}");
            let is_known = |at: &str| at == "*" || ENDPOINTS.iter().any(|known| name(*known) == at);
            let mut names = endpoints.split('|').map(|at| at.trim_end_matches("@gateway"));
            assert!(names.all(is_known), "{row}");
            assert!(!hint.is_empty(), "{row}");
        }
    }

    #[test]
    fn hints_name_what_the_endpoint_needs() {
        let mut failure = failure(FailureKind::CredentialRefused);
        assert!(failure.hint().contains("organization API key"));
        failure.endpoint = Endpoint::JiraAuditRecords;
        assert!(failure.hint().contains("email"));
        failure.kind = FailureKind::Tls;
        assert!(failure.hint().contains("ca_file"));
        for (message, hint) in [
            ("no secure connection: invalid peer certificate: UnknownIssuer", "`ca_file`"),
            (
                "invalid peer certificate: certificate expired: verified at time 1 (UNIX), but \
                 certificate is not valid after 0",
                "has expired",
            ),
            (
                "invalid peer certificate: certificate not valid for name \"a.example\"",
                "another host's",
            ),
            ("received corrupt message of type InvalidContentType", "does not speak TLS"),
        ] {
            failure.message = message.to_owned();
            assert!(failure.hint().contains(hint), "{message}");
        }
    }
}
