//! The auditing REST API of a Data Center product, at the root and below the context path `/dc`, and the servlet
//! that says whose a credential is.

mod page;

pub use page::events;

use super::{
    Behaviour, DATACENTER_PASSWORD, DATACENTER_TOKEN, DATACENTER_TOKEN_NOT_ADMIN, DATACENTER_USER,
    DATACENTER_USER_NOT_ADMIN, base64,
    exchange::{ParsedRequest, non_json_reply},
    json_text::JsonObject,
    reply::ApiReply,
};

const UNAUTHENTICATED: &str = "Client must be authenticated to access this resource.";
const NOT_ADMIN: &str = "You need to be a system administrator to see the audit log.";

/// The 401 or 403 for a credential that is not enough for the log.
pub fn refusal(ask: &ParsedRequest) -> Option<ApiReply> {
    match user(ask) {
        Some(DATACENTER_USER) => None,
        Some(_) => Some(error(403, NOT_ADMIN)),
        None => Some(error(401, UNAUTHENTICATED)),
    }
}

/// The refusal of an account that is locked until somebody solves a CAPTCHA at the login page, whatever the
/// credential (developer.atlassian.com/server/jira/platform/basic-authentication).
pub fn captcha(behaviour: &Behaviour, base_url: &str) -> Option<ApiReply> {
    let reason = format!("CAPTCHA_CHALLENGE; login-url={base_url}/dc/login.jsp?os_destination=%2F");
    let reply = error(
        behaviour.datacenter_captcha?,
        "Basic Authentication Failure",
    );
    Some(
        reply
            .header("x-authentication-denied-reason", &reason)
            .header("x-seraph-loginreason", "AUTHENTICATION_DENIED"),
    )
}

/// `GET /plugins/servlet/applinks/whoami`: nothing for a credential that nobody has.
pub fn whoami(ask: &ParsedRequest) -> ApiReply {
    non_json_reply(
        200,
        "text/plain;charset=UTF-8",
        user(ask).unwrap_or_default(),
    )
}

/// Whose credential it is. A personal access token needs no account beside it.
fn user(ask: &ParsedRequest) -> Option<&'static str> {
    let given = ask.authorization.as_deref()?;
    let password = format!("{DATACENTER_USER}:{DATACENTER_PASSWORD}");
    let basic = format!("Basic {}", base64::encode(password.as_bytes()));
    if given == basic {
        return Some(DATACENTER_USER);
    }
    match given.strip_prefix("Bearer ")? {
        DATACENTER_TOKEN => Some(DATACENTER_USER),
        DATACENTER_TOKEN_NOT_ADMIN => Some(DATACENTER_USER_NOT_ADMIN),
        _ => None,
    }
}

/// An error in Data Center's shape: `{message, status-code}`.
pub fn error(status: u16, message: &str) -> ApiReply {
    let body = JsonObject::new()
        .text("message", message)
        .raw("status-code", &status.to_string());
    ApiReply::json(status, body.finish())
}
