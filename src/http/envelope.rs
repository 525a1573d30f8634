//! Reads what a server says about its own refusal, in any of the shapes seen, never requiring one;
//! and recognises an error envelope in a page that came with a 2xx.
//!
//! Shapes: the admin API's `errors[]` with code, title and detail; Spring's timestamp, status,
//! error and message; the gateway's `{code, message}`; Jira's `errorMessages` and `errors` map;
//! Confluence's `{statusCode, message}`; the user management's `{key, errorKey, errorDetail}`, and
//! its arrays of `{code, message}`; an HTML page of whatever stands in front; nothing at all.
//!
//! In a page, the members of an envelope stand beside the list of records, which may be empty or
//! hold a part of them. No page of any API here has members of these names of its own (`errors`,
//! where it is empty, is no error).

use serde_json::{Map, Value};
use url::Url;

use crate::http::message::{Response, UnreadableBody};
use crate::http::retry::RefusalKind;
use crate::model::text::printable;

/// A body larger than this is no error envelope, and not worth parsing to quote one line of it.
const MAX_PARSED_BYTES: usize = 2 * 1024 * 1024;

/// The longest code that is believed to be one.
const MAX_CODE_LENGTH: usize = 64;

/// The members that an envelope may have, over all shapes that `envelope` reads.
pub const MEMBERS: [&str; 11] = [
    "errors",
    "errorMessages",
    "error",
    "statusCode",
    "status-code",
    "status",
    "code",
    "message",
    "title",
    "detail",
    "error_description",
];

/// Members that say by being there that something failed.
const ERROR_MEMBERS: [&str; 3] = ["errors", "errorMessages", "error"];

/// Members that state an HTTP status, or one in words.
const STATUS_MEMBERS: [&str; 3] = ["statusCode", "status-code", "status"];

/// Members that mean an error where no status says that there is none.
const MESSAGE_MEMBERS: [&str; 3] = ["code", "message", "detail"];

/// Texts that say that nothing is wrong.
const SUCCESS_TEXTS: [&str; 3] = ["ok", "success", "none"];

/// A larger member of a page is quoted from its beginning, and not parsed.
const MAX_MEMBER_BYTES: usize = 64 * 1024;

/// The server's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerMessage {
    /// A code such as `ADMIN-400-1`.
    pub code: Option<String>,
    /// One printable line; never empty.
    pub message: String,
    /// What kind of refusal the words name.
    pub refusal: RefusalKind,
}

/// Whether the response is a page for people: by its type, or by its first character.
pub(super) fn is_html(response: &Response) -> bool {
    let typed = response
        .header("content-type")
        .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"));
    let body = response.body.strip_prefix(b"\xef\xbb\xbf");
    typed || body.unwrap_or(&response.body).trim_ascii_start().first() == Some(&b'<')
}

const DENIED_REASON_HEADER: &str = "x-authentication-denied-reason";

/// Whether `response` says that the account is locked until a CAPTCHA is solved.
///
/// Facts (developer.atlassian.com/server/jira/platform/basic-authentication, "CAPTCHA"): after
/// several failed logins a Data Center refuses the account without looking at its password.
/// `X-Seraph-LoginReason` is then `AUTHENTICATION_DENIED`, and `X-Authentication-Denied-Reason` is
/// `CAPTCHA_CHALLENGE; login-url=...`. Jira answers 403, others 401.
pub(super) fn demands_captcha(response: &Response) -> bool {
    let has_word = |name: &str, word: &str| {
        let value = response.header(name).unwrap_or_default();
        value.to_ascii_uppercase().contains(word)
    };
    matches!(response.status, 401 | 403)
        && (has_word(DENIED_REASON_HEADER, "CAPTCHA_CHALLENGE")
            || has_word("x-seraph-loginreason", "AUTHENTICATION_DENIED"))
}

/// The page at which to log in, if it is of the host of the request: another one may want to catch
/// a password. Its query is left out, since it may hold a token.
pub(super) fn login_page(response: &Response, requested: &Url) -> Option<String> {
    let reason = response.header(DENIED_REASON_HEADER)?;
    let at = reason.to_ascii_lowercase().find("login-url=")?;
    let text = reason.get(at + "login-url=".len()..)?;
    let text = text.split([';', ',', ' ']).next()?.trim_matches('"');
    let page = Url::parse(text).ok()?;
    let is_safe = page.host() == requested.host() && matches!(page.scheme(), "https" | "http");
    let is_as_secure = page.scheme() == "https" || requested.scheme() == "http";
    let shown = format!("{}{}", page.origin().ascii_serialization(), page.path());
    (is_safe && is_as_secure).then(|| printable(&shown))
}

/// What the server says in a response that is no page of records.
pub(super) fn read_message(response: &Response) -> ServerMessage {
    let (code, words) = if let Some(coding) = response.header("content-encoding") {
        (None, format!("a body in the content coding `{}`", printable(coding)))
    } else if is_html(response) {
        (None, describe_html(&response.body))
    } else if response.body.trim_ascii().is_empty() {
        (None, "an empty body".to_owned())
    } else if response.body.len() > MAX_PARSED_BYTES {
        (None, format!("a body of {} bytes", response.body.len()))
    } else {
        text_or_json(&response.body)
    };
    let mut message = printable(&words);
    if message.is_empty() {
        message.push_str("a body without a message");
    }
    let refusal = refusal_kind(response, &words);
    ServerMessage { code: code.map(|code| printable(&code)), message, refusal }
}

/// The gateway answers a missing scope with 401, and distinguishes it from a wrong credential only
/// by its words or by `x-failure-category`; a Free plan is a 403 like a missing permission.
/// CloudFront adds its `x-cache` to the errors of the server behind it as well as to its own.
fn refusal_kind(response: &Response, words: &str) -> RefusalKind {
    let words = words.to_ascii_lowercase();
    let category = response.header("x-failure-category").unwrap_or_default();
    let cache = response.header("x-cache").unwrap_or_default();
    if demands_captcha(response) {
        RefusalKind::Captcha
    } else if words.contains("scope does not match")
        || category.eq_ignore_ascii_case("FAILURE_CLIENT_SCOPE_CHECK")
    {
        RefusalKind::Scope
    } else if words.contains("free plan") || words.contains("free edition") {
        RefusalKind::FreePlan
    } else if cache.to_ascii_lowercase().contains("error from cloudfront") {
        RefusalKind::Cdn
    } else {
        RefusalKind::Plain
    }
}

fn text_or_json(body: &[u8]) -> (Option<String>, String) {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => (error_code(&value), error_text(&value)),
        // Enough for one printable line, whatever the characters' width.
        Err(_) => (None, String::from_utf8_lossy(&body[..body.len().min(4096)]).into_owned()),
    }
}

/// The code of the error that `value` holds.
fn error_code(value: &Value) -> Option<String> {
    let places = ["/errors/0/code", "/error/code", "/code", "/0/code", "/errorKey", "/key"];
    let found = places.into_iter().filter_map(|place| value.pointer(place));
    found
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .find(|code| !code.is_empty() && code.len() <= MAX_CODE_LENGTH)
}

/// The most telling strings of an envelope, joined: at most a handful, for one line.
fn error_text(value: &Value) -> String {
    let errors = value.get("errors");
    let mut found: Vec<String> = value.as_str().map(str::to_owned).into_iter().collect();
    let messages = value.get("errorMessages").and_then(Value::as_array).into_iter().flatten();
    found.extend(messages.take(5).filter_map(Value::as_str).map(str::to_owned));
    let listed = errors.and_then(Value::as_array).into_iter().flatten();
    found.extend(listed.take(5).map(error_object_text));
    let fields = errors.and_then(Value::as_object).into_iter().flatten().take(5);
    found.extend(fields.filter_map(|(field, text)| Some(format!("{field}: {}", text.as_str()?))));
    found.extend(errors.and_then(Value::as_str).map(str::to_owned));
    found.extend(value.as_array().into_iter().flatten().take(5).map(error_object_text));
    found.extend(value.get("error").filter(|error| error.is_object()).map(error_object_text));
    if found.iter().all(String::is_empty) {
        found.push(error_object_text(value));
    }
    found.retain(|text| !text.trim().is_empty());
    found.join("; ")
}

/// One error object: its headline and its detail, when they differ.
fn error_object_text(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    let first = |names: &[&str]| {
        let mut texts = names.iter().filter_map(|&name| value.get(name)?.as_str());
        texts.find(|text| !text.trim().is_empty())
    };
    match (
        first(&["title", "error"]),
        first(&["detail", "message", "error_description", "errorDetail"]),
    ) {
        (Some(title), Some(detail)) if title != detail => format!("{title}: {detail}"),
        (_, Some(one)) | (Some(one), None) => one.to_owned(),
        (None, None) => String::new(),
    }
}

/// "an HTML page", with its title when it has one: it often names the proxy or the login page.
fn describe_html(body: &[u8]) -> String {
    let head = String::from_utf8_lossy(&body[..body.len().min(16 * 1024)]);
    let lower = head.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|tag| {
        let start = tag + lower[tag..].find('>')? + 1;
        let end = start + lower[start..].find("</title")?;
        Some(printable(head.get(start..end)?))
    });
    match title {
        Some(title) if !title.is_empty() => format!("an HTML page titled `{title}`"),
        _ => "an HTML page".to_owned(),
    }
}

/// The error that `members` report: names out of [`MEMBERS`], and their values as JSON text.
pub fn find_error<'a>(
    members: impl Iterator<Item = (&'static str, &'a str)>,
) -> Option<UnreadableBody> {
    let mut envelope = Map::new();
    for (name, text) in members {
        let value = parse_member(text);
        // Of two members of one name the one that says something counts.
        if !is_empty_or_success(&value) {
            envelope.insert(name.to_owned(), value);
        }
    }
    let has = |name: &&str| envelope.contains_key(*name);
    let stated = STATUS_MEMBERS.iter().filter_map(|name| status_is_failure(envelope.get(*name)?));
    let (failed, fine): (Vec<_>, Vec<_>) = stated.partition(|is_failure| *is_failure);
    let is_error = !failed.is_empty()
        || ERROR_MEMBERS.iter().any(has)
        || (fine.is_empty() && MESSAGE_MEMBERS.iter().any(has));
    if !is_error {
        return None;
    }
    let envelope = Value::Object(envelope);
    let message = match error_text(&envelope) {
        empty if empty.trim().is_empty() => envelope.to_string(),
        message => message,
    };
    Some(UnreadableBody::server_error(error_code(&envelope), &message))
}

fn parse_member(text: &str) -> Value {
    let quoted = || Value::String(text.chars().take(MAX_MEMBER_BYTES).collect());
    match text.len() {
        0..=MAX_MEMBER_BYTES => serde_json::from_str(text).unwrap_or_else(|_| quoted()),
        _ => quoted(),
    }
}

/// Whether a status is one of a failure; nothing where it states none.
fn status_is_failure(value: &Value) -> Option<bool> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.trim().parse::<f64>() {
            Ok(number) => Some(number),
            Err(_) => {
                let text = text.to_ascii_lowercase();
                return (text.contains("error") || text.contains("fail")).then_some(true);
            }
        },
        _ => None,
    }?;
    (number >= 100.0).then_some(number >= 400.0)
}

/// Whether a member says nothing: absent in all but name, or a word of success.
fn is_empty_or_success(value: &Value) -> bool {
    let is_blank = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    };
    match value {
        Value::Bool(is_set) => !is_set,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Array(items) => items.iter().all(is_blank),
        Value::Object(fields) => fields.values().all(is_blank),
        Value::String(text) => {
            is_blank(value) || SUCCESS_TEXTS.contains(&text.trim().to_ascii_lowercase().as_str())
        }
        Value::Null => true,
    }
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
