//! Defines requests and responses as plain data, and how an attempt at a request may fail: no
//! client, no I/O.

use std::error::Error;
use std::fmt;
use std::io;

use bytes::Bytes;
use url::Url;

pub use crate::model::source_kind::Endpoint;
use crate::model::text::printable;

/// The POSTs that a client sends that is not for changes: all of them read, or end what we began
/// ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadPost {
    /// Begins a search of events: `.../event-queries`.
    EventQuery,
    /// Ends one of ours: `.../event-queries/ID/cancel`.
    EventQueryEnd,
    /// Lists the users of an organization: `.../directories/ID/users/search`.
    UserSearch,
    /// Names the authentication policy of each user: `.../users/auth-policies/bulk-fetch`.
    AuthPolicyMembers,
}

impl ReadPost {
    /// Whether it may be sent to `url`.
    fn fits(self, url: &Url) -> bool {
        let path: Vec<_> = url.path().split('/').collect();
        match self {
            ReadPost::EventQuery => matches!(path[..], [.., "event-queries"]),
            ReadPost::EventQueryEnd => matches!(path[..], [.., "event-queries", _, "cancel"]),
            ReadPost::UserSearch => matches!(path[..], [.., "directories", _, "users", "search"]),
            ReadPost::AuthPolicyMembers => {
                matches!(path[..], [.., "users", "auth-policies", "bulk-fetch"])
            }
        }
    }
}

/// The changes that are ever made: each of one account, token or key. Only a client that was made
/// for changes sends them, and only builds with the feature `respond` have them.
#[cfg(feature = "respond")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountWrite {
    /// Takes the access of a user in one directory: `.../directories/ID/users/ID/suspend`.
    Suspend,
    /// Gives it back: `.../restore`.
    Restore,
    /// Disables a managed account: `.../users/ID/manage/lifecycle/disable`.
    Disable,
    /// Enables it: `.../enable`.
    Enable,
    /// Revokes one API token of a user: `.../users/ID/manage/api-tokens/ID`.
    RevokeToken,
    /// Revokes an API key of the organization: `.../api-keys/revoke/ID`.
    RevokeKey,
    /// Moves a user to an authentication policy: `.../auth-policy/ID/add-users`.
    MoveToPolicy,
}

#[cfg(feature = "respond")]
impl AccountWrite {
    fn method(self) -> &'static str {
        match self {
            AccountWrite::RevokeToken => "DELETE",
            AccountWrite::RevokeKey => "PATCH",
            AccountWrite::Suspend
            | AccountWrite::Restore
            | AccountWrite::Disable
            | AccountWrite::Enable
            | AccountWrite::MoveToPolicy => "POST",
        }
    }

    /// Whether it may be sent to `url`: the path must name one account, token or key, and never
    /// every directory.
    fn fits(self, url: &Url) -> bool {
        let path: Vec<_> = url.path().split('/').collect();
        let is_one = |id: &str| !matches!(id, "" | "-" | "." | "..");
        match (self, &path[..]) {
            (
                AccountWrite::Suspend | AccountWrite::Restore,
                [.., "admin", "v2", "orgs", org, "directories", directory, "users", user, verb],
            ) => {
                let wanted = if self == AccountWrite::Suspend { "suspend" } else { "restore" };
                [org, directory, user].into_iter().all(|id| is_one(id)) && *verb == wanted
            }
            (
                AccountWrite::Disable | AccountWrite::Enable,
                [.., "users", user, "manage", "lifecycle", verb],
            ) => {
                let wanted = if self == AccountWrite::Disable { "disable" } else { "enable" };
                is_one(user) && *verb == wanted
            }
            (AccountWrite::RevokeToken, [.., "users", user, "manage", "api-tokens", token]) => {
                is_one(user) && is_one(token)
            }
            (AccountWrite::RevokeKey, [.., "orgs", org, "api-keys", "revoke", key]) => {
                is_one(org) && is_one(key)
            }
            (
                AccountWrite::MoveToPolicy,
                [.., "control", "v1", "orgs", org, "auth-policy", policy, "add-users"],
            ) => is_one(org) && is_one(policy),
            (_, _) => false,
        }
    }
}

/// What a request sends, and whether it only reads.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RequestContent {
    Get,
    ReadPost(ReadPost, String),
    #[cfg(feature = "respond")]
    Write(AccountWrite, Option<String>),
}

/// One request: a GET, one of the POSTs that read, or a change. Its credential is added by the
/// client, so it may be printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The endpoint whose quota it uses.
    pub endpoint: Endpoint,
    /// The whole URL with its query.
    pub url: Url,
    content: RequestContent,
}

impl Request {
    /// A GET of `url`.
    pub fn get(endpoint: Endpoint, url: Url) -> Request {
        Request { endpoint, url, content: RequestContent::Get }
    }

    /// A POST that reads, of the JSON `body`.
    pub fn read_post(endpoint: Endpoint, url: Url, post: ReadPost, body: String) -> Request {
        Request { endpoint, url, content: RequestContent::ReadPost(post, body) }
    }

    /// A change, with the JSON that it sends.
    #[cfg(feature = "respond")]
    pub fn write(
        endpoint: Endpoint,
        url: Url,
        write: AccountWrite,
        body: Option<String>,
    ) -> Request {
        Request { endpoint, url, content: RequestContent::Write(write, body) }
    }

    /// Its method.
    pub fn method(&self) -> &'static str {
        match &self.content {
            RequestContent::Get => "GET",
            RequestContent::ReadPost(..) => "POST",
            #[cfg(feature = "respond")]
            RequestContent::Write(write, _) => write.method(),
        }
    }

    /// The JSON that it sends.
    pub fn body(&self) -> Option<&str> {
        match &self.content {
            RequestContent::Get => None,
            RequestContent::ReadPost(_, body) => Some(body),
            #[cfg(feature = "respond")]
            RequestContent::Write(_, body) => body.as_deref(),
        }
    }

    /// Whether it only reads: a POST to any other place might not.
    pub fn only_reads(&self) -> bool {
        match &self.content {
            RequestContent::Get => true,
            RequestContent::ReadPost(post, _) => post.fits(&self.url),
            #[cfg(feature = "respond")]
            RequestContent::Write(..) => false,
        }
    }

    /// Whether it is a change at the place of such a change.
    #[cfg(feature = "respond")]
    pub fn is_sound_write(&self) -> bool {
        match &self.content {
            RequestContent::Write(write, _) => write.fits(&self.url),
            RequestContent::Get | RequestContent::ReadPost(..) => false,
        }
    }

    /// Whether it goes through Atlassian's gateway to the sites.
    pub fn is_through_gateway(&self) -> bool {
        self.url.path().contains("/ex/jira/") || self.url.path().contains("/ex/confluence/")
    }
}

/// A whole response. Header names are lower-case; header values that are not text are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Names (lower-case) and values, in the order received.
    pub headers: Vec<(String, String)>,
    /// The body, decoded unless the header `content-encoding` is still there.
    pub body: Bytes,
}

impl Response {
    /// The first value of the header `name` (lower-case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Where an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportErrorKind {
    /// The host's name has no address.
    Dns,
    /// No connection, or the proxy refused one.
    Connect,
    /// The TLS handshake came to nothing: a certificate not trusted, or no TLS at all.
    Tls,
    /// No connection within the time limit.
    ConnectTimeout,
    /// Connected, but silent for longer than the time limit.
    ReadTimeout,
    /// The connection ended before a response, or what came was not HTTP.
    ConnectionLost,
    /// The connection ended in the middle of the body.
    BodyLost,
    /// The body's compression is damaged.
    Garbled,
    /// The request was never sent, because an earlier one with its credential met a CAPTCHA.
    CredentialLocked,
    /// The body is larger than we accept.
    TooLarge,
    /// The request was never sent, because it must not be.
    Invalid,
}

/// No complete response came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportError {
    kind: TransportErrorKind,
    detail: String,
}

impl TransportError {
    /// `detail` is made printable; it must hold neither a secret nor a URL's query.
    pub fn new(kind: TransportErrorKind, detail: &str) -> Self {
        TransportError { kind, detail: printable(detail) }
    }

    /// A body larger than `limit` bytes.
    pub fn too_large(limit: usize) -> Self {
        let detail = format!("more than {limit} bytes");
        TransportError::new(TransportErrorKind::TooLarge, &detail)
    }

    /// Where it failed.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TransportErrorKind::Dns => "cannot resolve the host",
            TransportErrorKind::Connect => "cannot connect",
            TransportErrorKind::Tls => "no secure connection",
            TransportErrorKind::ConnectTimeout => "timed out while connecting",
            TransportErrorKind::ReadTimeout => "timed out while reading",
            TransportErrorKind::ConnectionLost => "connection lost before a response",
            TransportErrorKind::BodyLost => "connection lost in the middle of the body",
            TransportErrorKind::Garbled => "damaged compression",
            TransportErrorKind::TooLarge => "body too large",
            TransportErrorKind::Invalid | TransportErrorKind::CredentialLocked => {
                "request not sent"
            }
        })?;
        match self.detail.as_str() {
            "" => Ok(()),
            detail => write!(f, ": {detail}"),
        }
    }
}

impl Error for TransportError {}

/// A 200 whose body is not what the API promises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UnreadableBody {
    /// What is wrong with it: a lower-case fragment, or the server's own words. Without control
    /// characters.
    pub message: String,
    /// Whether the server reports an error itself.
    pub is_server_error: bool,
    /// The code of the server's own error.
    pub code: Option<String>,
}

impl UnreadableBody {
    /// `message` is made printable.
    pub fn new(message: &str) -> Self {
        UnreadableBody { message: printable(message), is_server_error: false, code: None }
    }

    /// The server reports an error itself. Both texts are made printable.
    pub fn server_error(code: Option<String>, message: &str) -> Self {
        let code = code.map(|code| printable(&code));
        UnreadableBody { is_server_error: true, code, ..UnreadableBody::new(message) }
    }
}

/// Phrases with which the HTTP stack wraps a cause without adding to it.
const WRAPPERS: [&str; 11] = [
    "dns error",
    "error resolving DNS",
    "builder error",
    "error sending request",
    "request or response body error",
    "error decoding response body",
    "error reading a body from connection",
    "client error (Connect)",
    "client error (SendRequest)",
    "tcp connect error",
    "operation timed out",
];

/// The causes of `error` as one line: wrappers and repetitions dropped, outermost first.
pub fn flatten(error: &(dyn Error + 'static)) -> String {
    let mut lines: Vec<String> = Vec::new();
    for text in error_chain(error).map(ToString::to_string) {
        let wrapper = WRAPPERS.contains(&text.as_str());
        if !wrapper && !text.is_empty() && !lines.iter().any(|line| line.contains(&text)) {
            // An outer error that quotes the inner one in full says nothing more.
            lines.retain(|line| !text.contains(line.as_str()));
            lines.push(text);
        }
    }
    printable(&lines.join(": "))
}

/// `error` and its causes. An I/O error that wraps another error names as its source not that error
/// but the next one (TLS verdicts hide there), so the wrapped one is stepped into.
fn error_chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

/// reqwest's error in our words; `otherwise` is where it failed if it does not say so itself. The
/// URL is dropped, for its query may hold a cursor.
pub(super) fn diagnose(error: reqwest::Error, otherwise: TransportErrorKind) -> TransportError {
    let error = error.without_url();
    let kind = if error.is_builder() {
        TransportErrorKind::Invalid
    } else if error.is_dns() {
        TransportErrorKind::Dns
    } else if error.is_connect() {
        connect_kind(&error)
    } else if error.is_timeout() {
        TransportErrorKind::ReadTimeout
    } else {
        otherwise
    };
    TransportError::new(kind, &flatten(&error))
}

fn connect_kind(error: &reqwest::Error) -> TransportErrorKind {
    if error.is_timeout() {
        TransportErrorKind::ConnectTimeout
    } else if has_io_kind(error, io::ErrorKind::InvalidData) {
        // tokio-rustls hands every verdict of rustls over as InvalidData; a handshake that was
        // merely cut off is UnexpectedEof and may succeed the next time.
        TransportErrorKind::Tls
    } else {
        TransportErrorKind::Connect
    }
}

fn has_io_kind(error: &(dyn Error + 'static), kind: io::ErrorKind) -> bool {
    error_chain(error)
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct ErrorLayer {
        text: &'static str,
        source: Option<Box<ErrorLayer>>,
    }

    fn layers(texts: &[&'static str]) -> ErrorLayer {
        ErrorLayer {
            text: texts[0],
            source: (texts.len() > 1).then(|| Box::new(layers(&texts[1..]))),
        }
    }

    #[test]
    fn only_some_posts_are_reads() {
        let at = |path: &str| Url::parse(&format!("https://api.example/{path}")).unwrap();
        let post = |post, path: &str| {
            let body = "{}".to_owned();
            Request::read_post(Endpoint::WorkspaceEvents, at(path), post, body).only_reads()
        };
        assert!(post(ReadPost::EventQuery, "w/event-queries"));
        assert!(post(ReadPost::EventQueryEnd, "w/event-queries/q%2F1/cancel"));
        for path in [
            "",
            "admin/v1/orgs/o/users/u/manage/lifecycle/disable",
            "w/event-queries/",
            "w/event-queries/q/cancel/x",
            "w/event-queries?x=/event-queries/q/delete",
            "w/event-queries/q",
        ] {
            assert!(!post(ReadPost::EventQueryEnd, path), "{path}");
        }
        assert!(!post(ReadPost::EventQuery, "w/event-queries/q/cancel"));
        let directory = "admin/v2/orgs/o/directories/-";
        assert!(post(ReadPost::UserSearch, &format!("{directory}/users/search")));
        assert!(!post(ReadPost::UserSearch, &format!("{directory}/users/u/suspend")));
        let control = "admin/control/v1/orgs/o";
        let members = format!("{control}/users/auth-policies/bulk-fetch");
        assert!(post(ReadPost::AuthPolicyMembers, &members));
        let others = format!("{control}/auth-policy/p/add-users");
        assert!(!post(ReadPost::AuthPolicyMembers, &others));
        assert!(Request::get(Endpoint::EventsStream, at("any")).only_reads());
    }

    #[test]
    fn a_chain_becomes_one_line_without_wrappers_and_repetitions() {
        let cases: [(&[&'static str], &str); 4] = [
            (
                &[
                    "error sending request",
                    "client error (Connect)",
                    "tcp connect error",
                    "Connection refused (os error 111)",
                ],
                "Connection refused (os error 111)",
            ),
            (&["a", "b: c", "c"], "a: b: c"),
            (&["dns error", "no such host", "no such host"], "no such host"),
            (&["operation timed out"], ""),
        ];
        for (texts, want) in cases {
            assert_eq!(flatten(&layers(texts)), want, "{texts:?}");
        }
    }

    #[test]
    fn an_error_inside_an_io_error_is_seen() {
        let hidden = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, "bad"));
        let kinds = error_chain(&hidden).filter_map(|error| error.downcast_ref::<io::Error>());
        assert!(kinds.map(io::Error::kind).any(|kind| kind == io::ErrorKind::InvalidData));
        assert_eq!(flatten(&hidden), "bad");
    }

    #[test]
    fn nothing_in_an_error_steers_a_terminal() {
        let error = TransportError::new(TransportErrorKind::Connect, "\u{1b}[31mno\nroute");
        assert_eq!(error.to_string(), "cannot connect: [31mno route");
        assert_eq!(TransportError::too_large(10).to_string(), "body too large: more than 10 bytes");
    }
}
