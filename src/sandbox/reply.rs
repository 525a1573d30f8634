//! A response before it is put on the wire, and the error shapes of the APIs.

use bytes::Bytes;

use super::{
    Api,
    json_text::{JsonText, array, object},
};

/// Status, headers and body.
#[derive(Clone, Debug)]
pub struct ApiReply {
    /// The status code.
    pub status: u16,
    /// Headers besides those that every response has.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl ApiReply {
    /// A body of this type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: body.into() }
    }

    /// A JSON body.
    pub fn json(status: u16, body: impl Into<JsonText>) -> Self {
        Self::new(status, "application/json", body.into().0)
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

/// An error in the shape of the API's product; of the organizations API in that of its gateway. The
/// shape of workspaces is called `PublicApiError`; what its members are is a guess.
pub fn error(api: Api, status: u16, message: &str) -> ApiReply {
    let body = match api {
        Api::OrgEvents => object! {"code": status, "message": message},
        Api::JiraAudit => object! {"errorMessages": [message], "errors": object! {}},
        Api::ConfluenceAudit => {
            let data = object! {
                "authorized": status != 403, "valid": true, "errors": [(); 0], "successful": false,
            };
            object! {"statusCode": status, "data": data, "message": message}
        }
        Api::DatacenterAudit => object! {"message": message, "status-code": status},
        Api::JiraWorkspace | Api::ConfluenceWorkspace => {
            let (code, title) = match status {
                400 => ("INVALID_REQUEST", "Invalid request"),
                403 => ("FORBIDDEN", "Forbidden"),
                404 => ("NOT_FOUND", "Not found"),
                405 => ("METHOD_NOT_ALLOWED", "Method not allowed"),
                409 => ("CONFLICT", "Conflict"),
                429 => ("TOO_MANY_REQUESTS", "Too many requests"),
                _ => ("INTERNAL_ERROR", "Internal error"),
            };
            let error = object! {"status": status, "code": code, "title": title, "detail": message};
            object! {"errors": array([error])}
        }
    };
    ApiReply::json(status, body)
}

/// An error of the gateway: `{code, message}`.
pub fn gateway_error(status: u16, message: &str) -> ApiReply {
    error(Api::OrgEvents, status, message)
}

/// An error of the organizations API: status, code, title and detail. The codes are from the
/// catalogue in jira.js' models; the sentences are composed.
#[derive(Clone, Copy, Debug)]
pub struct AdminError(u16, &'static str, &'static str, &'static str);

impl AdminError {
    /// An error with these members.
    pub const fn new(
        status: u16,
        code: &'static str,
        title: &'static str,
        detail: &'static str,
    ) -> Self {
        Self(status, code, title, detail)
    }
}

impl From<AdminError> for ApiReply {
    fn from(AdminError(status, code, title, detail): AdminError) -> Self {
        let error = object! {
            "id": "5f0c3d7e-51b2-4a80-9d11-0e6d2c9a7f43", "status": status.to_string(),
            "code": code, "title": title, "detail": detail,
        };
        Self::json(status, object! {"errors": array([error])})
    }
}

/// A cursor that is malformed or expired.
pub const INVALID_CURSOR: AdminError =
    AdminError(400, "ADMIN-400-1", "Invalid page cursor", "The page cursor is not valid.");
/// The server fails, and says no more.
pub const INTERNAL: AdminError =
    AdminError(500, "ADMIN-500-1", "Internal error", "Something went wrong.");
/// `from` or `to` is no number.
pub const INVALID_TIME: AdminError =
    AdminError(400, "ADMIN-400-3", "Invalid time date", "Times are epoch milliseconds.");
/// Another parameter is wrong.
pub const INVALID_SYNTAX: AdminError =
    AdminError(400, "ADMIN-400-19", "Invalid request syntax", "A query parameter is not valid.");
/// No such path.
pub const UNKNOWN_RESOURCE: AdminError =
    AdminError(404, "ADMIN-404-1", "Not found", "There is nothing at this path.");
/// No such organization.
pub const UNKNOWN_ORG: AdminError =
    AdminError(404, "ADMIN-404-2", "Not found", "Organization not found.");
/// Not a GET.
pub const METHOD_NOT_ALLOWED: AdminError =
    AdminError(405, "ADMIN-405-1", "Method not allowed", "Only GET is served here.");
/// Too many requests.
pub const RATE_LIMITED: AdminError = AdminError(
    429,
    "ADMIN-429-1",
    "Rate limit exceeded",
    "Too many requests for this path; wait for the limit to reset.",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_shape_of_their_product() {
        let body = |reply: ApiReply| String::from_utf8(reply.body.to_vec()).unwrap();
        assert_eq!(
            body(ApiReply::from(INTERNAL)),
            concat!(
                r#"{"errors":[{"id":"5f0c3d7e-51b2-4a80-9d11-0e6d2c9a7f43","status":"500","#,
                r#""code":"ADMIN-500-1","title":"Internal error","#,
                r#""detail":"Something went wrong."}]}"#
            )
        );
        for (api, shape) in [
            (Api::OrgEvents, r#"{"code":403,"message":"No."}"#),
            (Api::JiraAudit, r#"{"errorMessages":["No."],"errors":{}}"#),
            (
                Api::ConfluenceAudit,
                concat!(
                    r#"{"statusCode":403,"data":{"authorized":false,"valid":true,"errors":[],"#,
                    r#""successful":false},"message":"No."}"#
                ),
            ),
            (Api::DatacenterAudit, r#"{"message":"No.","status-code":403}"#),
            (
                Api::JiraWorkspace,
                concat!(
                    r#"{"errors":[{"status":403,"code":"FORBIDDEN","title":"Forbidden","#,
                    r#""detail":"No."}]}"#
                ),
            ),
        ] {
            assert_eq!(body(error(api, 403, "No.")), shape);
        }
    }
}
