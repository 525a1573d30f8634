//! Says why a request was given up, and what a person can do about it.

use std::fmt;

use super::message::Endpoint;
use crate::exit::Exit;
use crate::model::open_files;

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
    /// The server asks for a longer wait than is allowed.
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
    /// The connection ends before the answer does.
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
    /// What was asked.
    pub endpoint: Endpoint,
    /// Whether it was asked through Atlassian's gateway.
    pub is_through_gateway: bool,
    /// Whom: the host, with its port when the URL names one.
    pub host: String,
    /// The status of the last answer, when the last attempt had one.
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
    /// What to do about it, as one sentence.
    pub fn hint(&self) -> &'static str {
        match self.kind {
            FailureKind::CredentialRefused => {
                credential_hint(self.endpoint, self.is_through_gateway)
            }
            FailureKind::ScopeMissing => scope_hint(self.endpoint),
            FailureKind::Forbidden => permission_hint(self.endpoint),
            FailureKind::NotFound => address_hint(self.endpoint, self.is_through_gateway),
            FailureKind::Tls => tls_hint(&self.message),
            kind => open_files::hint_of_text(&self.message).unwrap_or_else(|| general_hint(kind)),
        }
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

const ORGANIZATION_ID_HINT: &str = "the key may read events all the same: add `--org-id ID`; it is in the URL of admin.atlassian.com, after /o/";

const KEY_EXPIRY_HINT: &str =
    "only a key with the scope `read:keys:admin` shows when it expires; otherwise set `expires_on`";

const SITE_CLOSED: &str = "the site does not show its cloud id from here: set `cloud_id`, as an administrator reads it at https://SITE/_edge/tenant_info";

fn credential_hint(endpoint: Endpoint, is_through_gateway: bool) -> &'static str {
    match endpoint {
        Endpoint::EventsStream | Endpoint::Organizations | Endpoint::ApiKeys => {
            "check that the key has neither expired nor been revoked, and that it is an \
             organization API key (Atlassian Administration > Organization settings > API keys): \
             a personal API token does not work here"
        }
        Endpoint::TenantInfo => SITE_CLOSED,
        Endpoint::DatacenterEvents | Endpoint::DatacenterWhoami => {
            "check the personal access token, or the password and its `username`: neither may be \
             expired or revoked, a password is sent with `username`, a token without"
        }
        Endpoint::JiraAuditRecords | Endpoint::ConfluenceAudit | Endpoint::JiraUsers
            if is_through_gateway =>
        {
            "check that the token has neither expired nor been revoked, that `email` is its \
             account's and that `cloud_id`, if it is set, is this site's"
        }
        Endpoint::JiraAuditRecords | Endpoint::ConfluenceAudit | Endpoint::JiraUsers => {
            "check that the email belongs to the API token and that the token has neither expired \
             nor been revoked; a token with scopes, or a service account's, works only through \
             the gateway: set `gateway = true`"
        }
    }
}

fn scope_hint(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Organizations => ORGANIZATION_ID_HINT,
        Endpoint::ApiKeys => KEY_EXPIRY_HINT,
        Endpoint::EventsStream => {
            "create an API key with the scope `read:events:admin`, or one without scopes"
        }
        Endpoint::ConfluenceAudit => "create a token with the scope `read:audit-log:confluence`",
        Endpoint::JiraUsers => {
            "create a token with the scope `read:jira-user` too, or take `resolve_users` out"
        }
        Endpoint::JiraAuditRecords
        | Endpoint::DatacenterEvents
        | Endpoint::DatacenterWhoami
        | Endpoint::TenantInfo => {
            "create a token with the scopes `read:audit-log:jira` and `read:user:jira`, or with \
             the classic `manage:jira-configuration`"
        }
    }
}

fn permission_hint(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Organizations => ORGANIZATION_ID_HINT,
        Endpoint::ApiKeys => KEY_EXPIRY_HINT,
        Endpoint::TenantInfo => SITE_CLOSED,
        Endpoint::JiraUsers => {
            "give the account the global permission `Browse users and groups`, or take \
             `resolve_users` out"
        }
        Endpoint::EventsStream => {
            "check that the key belongs to this `org_id`; the audit log of user activity also \
             needs Atlassian Guard"
        }
        Endpoint::ConfluenceAudit => {
            "make the account a Confluence administrator: only with that permission may it read \
             the audit log"
        }
        Endpoint::DatacenterEvents | Endpoint::DatacenterWhoami => {
            "give the account the global permission of a system administrator: only with it may \
             it read the audit log"
        }
        Endpoint::JiraAuditRecords => {
            "give the account the global permission `Administer Jira`: only with it may it read \
             the audit log"
        }
    }
}

fn address_hint(endpoint: Endpoint, is_through_gateway: bool) -> &'static str {
    match endpoint {
        Endpoint::Organizations => ORGANIZATION_ID_HINT,
        Endpoint::ApiKeys => KEY_EXPIRY_HINT,
        Endpoint::JiraUsers => "take `resolve_users` out: the site has no Jira",
        Endpoint::EventsStream => "check `org_id`, and `base_url` if it is set",
        Endpoint::DatacenterEvents => {
            "check `base_url`: it ends before `/rest`, with the context path if there is one; the \
             audit log needs Jira 8.8, Confluence 7.5 or Bitbucket 7.0"
        }
        Endpoint::TenantInfo => "check `site`, or set `cloud_id`",
        Endpoint::JiraAuditRecords | Endpoint::ConfluenceAudit | Endpoint::DatacenterWhoami
            if is_through_gateway =>
        {
            "check `site`, and `cloud_id` if it is set"
        }
        Endpoint::JiraAuditRecords | Endpoint::ConfluenceAudit | Endpoint::DatacenterWhoami => {
            "check `site`, and `base_url` if it is set"
        }
    }
}

/// The TLS library words its verdicts in English only, and each asks for something else.
fn tls_hint(message: &str) -> &'static str {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["UnknownIssuer", "unknown issuer", "SelfSigned", "CaUsedAsEndEntity"]) {
        "nobody that this system trusts signed the certificate: for a company's own authority, or \
         behind an inspecting proxy, set `ca_file` to the authority's certificate (PEM)"
    } else if says(&["expired", "Expired"]) {
        "the server's certificate has expired: its owner must renew it; if it is valid elsewhere, \
         check this machine's clock"
    } else if says(&["not valid yet", "NotValidYet"]) {
        "the server's certificate is not valid yet: check this machine's clock"
    } else if says(&["not valid for name", "NotValidForName"]) {
        "the certificate is another host's: check the host in `site` or `base_url`"
    } else if says(&["corrupt message", "InvalidContentType"]) {
        "the server does not speak TLS: check the port in `base_url`, and whether a proxy stands \
         in front"
    } else {
        "check the clock and the host name; behind an inspecting proxy set `ca_file` to its \
         certificate"
    }
}

fn general_hint(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::FreePlan => {
            "an audit log needs a Standard plan or better; remove the source or upgrade the site"
        }
        FailureKind::CaptchaRequired => {
            "log in once with this account in a browser, at the server's login page, and solve \
             the CAPTCHA; then run again. Nothing more was sent with this credential"
        }
        FailureKind::BadRequest => {
            "the server names the fault above; when the configuration is right, please report it"
        }
        FailureKind::RateLimited => {
            "run again later, raise `max_wait`, or look for another program that uses the same \
             credential"
        }
        FailureKind::Redirected | FailureKind::HtmlInstead => {
            "check `site` or `base_url`, and whether a proxy or a single sign-on page stands in \
             front"
        }
        FailureKind::CdnRefused => {
            "run again later, nothing is lost; if it stays so, check `site` or `base_url`, and \
             whether this machine's address is allowed there"
        }
        FailureKind::ErrorInPage | FailureKind::Unavailable => {
            "run again later (https://status.atlassian.com), or raise `retry_for`; nothing is lost"
        }
        FailureKind::Unreachable => {
            "check the host name, the network, and `proxy` if one is needed"
        }
        FailureKind::TimedOut => "run again later, or raise `timeout`; nothing is lost",
        FailureKind::ConnectionLost => {
            "run again later; if it stays so, look for a proxy or firewall that cuts connections"
        }
        FailureKind::TooLarge => "set a smaller `page_size`",
        FailureKind::Unreadable => {
            "look for a proxy that alters responses; otherwise the API has changed: please report it"
        }
        _ => "this looks like a bug in atlaudit: please report it",
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
