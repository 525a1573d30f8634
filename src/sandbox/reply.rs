//! A response before it is put on the wire: plain data, and the error shapes of the APIs.

use bytes::Bytes;
use chrono::Utc;

use super::{
    ErrorEnvelope,
    json_text::{JsonObject, array, quoted},
};

/// Status, headers and body.
#[derive(Clone, Debug)]
pub struct ApiReply {
    /// The status code.
    pub status: u16,
    /// Headers besides those that every answer has.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: BodyChunks,
}

impl ApiReply {
    /// A JSON body with `status`.
    pub fn json(status: u16, body: impl Into<BodyChunks>) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self { status, headers, body: body.into() }
    }

    /// A body of another type.
    pub fn plain(status: u16, content_type: &str, body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        let body = body.to_owned().into();
        Self { status, headers, body }
    }

    /// The same with one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Whether the body may be re-spaced as JSON.
    pub fn is_json(&self) -> bool {
        self.headers
            .iter()
            .any(|(name, value)| name == "content-type" && value.starts_with("application/json"))
    }
}

/// An error of the organizations API.
#[derive(Clone, Copy, Debug)]
pub struct AdminError {
    /// The status code.
    pub status: u16,
    /// Such as `ADMIN-400-1` (from the catalogue in jira.js' models).
    pub code: &'static str,
    /// The short text.
    pub title: &'static str,
    /// The sentence.
    pub detail: &'static str,
}

impl AdminError {
    const fn new(
        status: u16,
        code: &'static str,
        title: &'static str,
        detail: &'static str,
    ) -> Self {
        Self { status, code, title, detail }
    }

    /// The error in one of the three shapes.
    pub fn reply(self, envelope: ErrorEnvelope, path: &str) -> ApiReply {
        let status = self.status.to_string();
        let body = match envelope {
            ErrorEnvelope::Errors => {
                let error = JsonObject::new()
                    .text("id", "5f0c3d7e-51b2-4a80-9d11-0e6d2c9a7f43")
                    .text("status", &status)
                    .text("code", self.code)
                    .text("title", self.title)
                    .text("detail", self.detail)
                    .finish();
                JsonObject::new().raw("errors", &format!("[{error}]")).finish()
            }
            ErrorEnvelope::Spring => JsonObject::new()
                .text("timestamp", &Utc::now().format("%Y-%m-%dT%H:%M:%S%.3f+00:00").to_string())
                .text("path", path)
                .raw("status", &status)
                .text("error", self.title)
                .text("message", self.detail)
                .text("requestId", "b4fce632-88")
                .finish(),
            ErrorEnvelope::Gateway => gateway_body(self.status, self.detail),
        };
        ApiReply::json(self.status, body)
    }
}

/// The gateway's shape: `{code, message}`.
pub fn gateway_body(status: u16, message: &str) -> String {
    JsonObject::new().raw("code", &status.to_string()).text("message", message).finish()
}

/// Jira's shape: `{errorMessages, errors}`.
pub fn jira_error(status: u16, message: &str) -> ApiReply {
    let messages = array([quoted(message)]);
    let body = JsonObject::new().raw("errorMessages", &messages).raw("errors", "{}").finish();
    ApiReply::json(status, body)
}

// The errors are from the code catalogue in jira.js' models; the sentences are composed.

/// A cursor that is malformed or expired.
pub const INVALID_CURSOR: AdminError =
    AdminError::new(400, "ADMIN-400-1", "Invalid page cursor", "The page cursor is not valid.");
/// The server fails, and says no more.
pub const INTERNAL: AdminError =
    AdminError::new(500, "ADMIN-500-1", "Internal error", "Something went wrong.");
/// `from` or `to` is no number.
pub const INVALID_TIME: AdminError =
    AdminError::new(400, "ADMIN-400-3", "Invalid time date", "Times are epoch milliseconds.");
/// Another parameter is wrong.
pub const INVALID_SYNTAX: AdminError = AdminError::new(
    400,
    "ADMIN-400-19",
    "Invalid request syntax",
    "A query parameter is not valid.",
);
/// No such path.
pub const UNKNOWN_RESOURCE: AdminError =
    AdminError::new(404, "ADMIN-404-1", "Not found", "There is nothing at this path.");
/// No such organization.
pub const UNKNOWN_ORG: AdminError =
    AdminError::new(404, "ADMIN-404-2", "Not found", "Organization not found.");
/// Not a GET.
pub const METHOD_NOT_ALLOWED: AdminError =
    AdminError::new(405, "ADMIN-405-1", "Method not allowed", "Only GET is served here.");
/// Too many requests.
pub const RATE_LIMITED: AdminError = AdminError::new(
    429,
    "ADMIN-429-1",
    "Rate limit exceeded",
    "Too many requests for this path; wait for the limit to reset.",
);

/// The pieces, none of them empty. A clone shares them.
#[derive(Clone, Debug, Default)]
pub struct BodyChunks(Vec<Bytes>);

impl BodyChunks {
    /// Bytes of all together.
    pub fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All in one, which copies when there are several.
    pub fn whole(&self) -> Bytes {
        match self.0.as_slice() {
            [] => Bytes::new(),
            [only] => only.clone(),
            several => Bytes::from(several.concat()),
        }
    }
}

impl From<String> for BodyChunks {
    fn from(text: String) -> Self {
        Self::from_iter([Bytes::from(text)])
    }
}

impl FromIterator<Bytes> for BodyChunks {
    fn from_iter<I: IntoIterator<Item = Bytes>>(pieces: I) -> Self {
        Self(pieces.into_iter().filter(|piece| !piece.is_empty()).collect())
    }
}

impl IntoIterator for BodyChunks {
    type Item = Bytes;
    type IntoIter = std::vec::IntoIter<Bytes>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_admin_shapes() {
        let error = AdminError {
            status: 429,
            code: "ADMIN-429-1",
            title: "Rate limit exceeded",
            detail: "Slow down.",
        };
        let body = |envelope| {
            let reply = error.reply(envelope, "/p");
            serde_json::from_slice::<serde_json::Value>(&reply.body.whole()).unwrap()
        };
        assert_eq!(body(ErrorEnvelope::Errors)["errors"][0]["code"], "ADMIN-429-1");
        assert_eq!(body(ErrorEnvelope::Errors)["errors"][0]["status"], "429");
        assert_eq!(body(ErrorEnvelope::Spring)["path"], "/p");
        assert_eq!(body(ErrorEnvelope::Gateway)["code"], 429);
    }

    #[test]
    fn jira_has_its_own() {
        assert_eq!(jira_error(403, "No.").body.whole(), r#"{"errorMessages":["No."],"errors":{}}"#);
    }
}
