//! An answer before it is put on the wire: plain data, and the error shapes of both APIs.

use chrono::Utc;

use super::{ErrorEnvelope, json_text::JsonObject, body_chunks::BodyChunks};

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
        Self {
            status,
            headers,
            body: body.into(),
        }
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
                .text(
                    "timestamp",
                    &Utc::now().format("%Y-%m-%dT%H:%M:%S%.3f+00:00").to_string(),
                )
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
    JsonObject::new()
        .raw("code", &status.to_string())
        .text("message", message)
        .finish()
}

/// Jira's shape: `{errorMessages, errors}`.
pub fn jira_error(status: u16, message: &str) -> ApiReply {
    let messages = super::json_text::array([super::json_text::quoted(message)]);
    let body = JsonObject::new()
        .raw("errorMessages", &messages)
        .raw("errors", "{}")
        .finish();
    ApiReply::json(status, body)
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
            serde_json::from_slice::<serde_json::Value>(&reply.body.concat()).unwrap()
        };
        assert_eq!(body(ErrorEnvelope::Errors)["errors"][0]["code"], "ADMIN-429-1");
        assert_eq!(body(ErrorEnvelope::Errors)["errors"][0]["status"], "429");
        assert_eq!(body(ErrorEnvelope::Spring)["path"], "/p");
        assert_eq!(body(ErrorEnvelope::Gateway)["code"], 429);
    }

    #[test]
    fn jira_has_its_own() {
        assert_eq!(
            jira_error(403, "No.").body.concat(),
            r#"{"errorMessages":["No."],"errors":{}}"#
        );
    }
}
