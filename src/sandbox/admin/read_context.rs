//! What a read of the admin APIs sees: the request, the switches and the organization.

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value};

use super::{directory::OrgDirectory, paging::ListRequest};
use crate::sandbox::{
    Behaviour,
    reply::{AdminError, INVALID_SYNTAX},
    request::ParsedRequest,
};

/// What a read sees.
#[derive(Clone, Copy, Debug)]
pub struct ReadContext<'a> {
    /// The switches.
    pub behaviour: &'a Behaviour,
    /// The organization, or what it was before the last write.
    pub directory: &'a OrgDirectory,
    /// The request.
    pub request: &'a ParsedRequest,
    /// `http://127.0.0.1:PORT`
    pub base_url: &'a str,
}

impl ReadContext<'_> {
    /// A segment of the path, percent-decoded; the first is number 0.
    pub fn path_part(&self, number: usize) -> Option<String> {
        path_part(self.request, number)
    }

    /// The page that the query wants.
    pub fn page_request(&self) -> ListRequest {
        let own = |name: &str| self.request.param(name).map(str::to_owned);
        ListRequest {
            cursor: own("cursor").filter(|cursor| !cursor.is_empty()),
            limit: own("limit").or_else(|| own("pageSize")),
            url: format!("{}{}", self.base_url, self.request.path),
        }
    }

    /// The JSON object of the body.
    pub fn json_body(&self) -> Result<Value, AdminError> {
        json_body(self.request).ok_or(INVALID_SYNTAX)
    }

    /// A time as the APIs write it, from epoch milliseconds.
    pub fn time(millis: i64) -> String {
        let at = DateTime::from_timestamp_millis(millis).unwrap_or_default();
        at.to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

/// A segment of the path, percent-decoded; the first is number 0.
pub fn path_part(request: &ParsedRequest, number: usize) -> Option<String> {
    let segment = request.path.trim_matches('/').split('/').nth(number)?;
    let (decoded, _) = url::form_urlencoded::parse(segment.as_bytes()).next()?;
    Some(decoded.into_owned())
}

/// The JSON object of the body; an empty body is an empty object.
pub fn json_body(request: &ParsedRequest) -> Option<Value> {
    if request.body.is_empty() {
        return Some(Value::Object(Map::new()));
    }
    serde_json::from_slice(&request.body).ok().filter(Value::is_object)
}
