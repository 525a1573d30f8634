//! Changes a finished page: adds the error envelope of its product, or rewrites single values of
//! its records.

use bytes::Bytes;
use chrono::DateTime;

use super::{
    Api, Behaviour, PageError,
    json_text::{JsonObject, array, quoted},
    reply::{ApiReply, BodyChunks},
    request::ParsedRequest,
    server_state::ServerState,
};

const TEXT: &str = "The index of the audit log is being rebuilt.";

/// Makes `reply` such a page, while [`Behaviour::page_errors`](super::Behaviour::page_errors)
/// lasts.
pub fn add_error(state: &mut ServerState, request: &ParsedRequest, reply: &mut ApiReply) {
    let kind = state.behaviour.page_error;
    let (Some(api), 200) = (request.route.api(), reply.status) else {
        return;
    };
    if kind == PageError::Never || state.behaviour.page_errors == 0 {
        return;
    }
    state.behaviour.page_errors -= 1;
    let page = match kind {
        PageError::BesideRecords => reply.body.whole().to_vec(),
        PageError::Never | PageError::InsteadOfRecords => empty_page(api).into_bytes(),
    };
    // Both are JSON objects: the members of the page follow those of the envelope.
    let mut body = envelope(api).trim_end_matches('}').as_bytes().to_vec();
    body.push(b',');
    body.extend_from_slice(page.strip_prefix(b"{").unwrap_or(&page));
    *reply = ApiReply::json(200, BodyChunks::from_iter([Bytes::from(body)]));
}

fn envelope(api: Api) -> String {
    let envelope = JsonObject::new();
    match api {
        Api::OrgEvents => {
            let error = JsonObject::new().text("code", "ADMIN-500-1").text("title", TEXT);
            envelope.raw("errors", &array([error.finish()]))
        }
        Api::JiraAudit => envelope.raw("errorMessages", &array([quoted(TEXT)])),
        Api::ConfluenceAudit => envelope.raw("statusCode", "500").text("message", TEXT),
        Api::DatacenterAudit => envelope.text("message", TEXT).raw("status-code", "500"),
    }
    .finish()
}

fn empty_page(api: Api) -> String {
    match api {
        Api::OrgEvents => r#"{"data":[],"links":{},"meta":{"next":null}}"#,
        Api::JiraAudit => r#"{"offset":0,"limit":1000,"total":0,"records":[]}"#,
        Api::ConfluenceAudit => r#"{"results":[],"start":0,"limit":1000,"size":0}"#,
        Api::DatacenterAudit => r#"{"entities":[],"pagingInfo":{"lastPage":true,"size":0}}"#,
    }
    .to_owned()
}

/// The proxy that [`Behaviour::forwarded_addresses`] adds to each address of a client.
pub const PROXY: &str = "203.0.113.80";

/// What [`Behaviour::terminal_controls`] puts before each name: a right-to-left override, and red
/// letters.
pub const CONTROLS: &str = "\u{202e}\u{9b}31m";

/// What becomes of a value, both as JSON.
type ValueRewriter = fn(&str) -> String;

/// A page of `api`, its records as `behaviour` wants them; none where they stay as they are.
pub fn rewritten(api: Api, behaviour: &Behaviour, page: &BodyChunks) -> Option<BodyChunks> {
    let (time, address) = match api {
        Api::OrgEvents => ("time", "ip"),
        Api::JiraAudit => ("created", "remoteAddress"),
        Api::ConfluenceAudit => ("creationDate", "remoteAddress"),
        Api::DatacenterAudit => ("timestamp", "source"),
    };
    let rewrites: [(bool, &str, ValueRewriter); 3] = [
        (behaviour.zoneless_times, time, without_zone),
        (behaviour.forwarded_addresses, address, forwarded),
        (behaviour.terminal_controls, "name", with_controls),
    ];
    let mut wanted = rewrites.into_iter().filter(|(is_on, ..)| *is_on).peekable();
    // Most pages are large, and stay in pieces.
    wanted.peek()?;
    let whole = String::from_utf8_lossy(&page.whole()).into_owned();
    let rewritten =
        wanted.fold(whole, |page, (_, key, rewrite)| rewrite_values(&page, key, rewrite));
    Some(rewritten.into())
}

/// `json`, in which each value of `key` that is a text or a number is what `rewrite` makes of it.
fn rewrite_values(json: &str, key: &str, rewrite: ValueRewriter) -> String {
    let mark = format!("\"{key}\":");
    let mut out = String::with_capacity(json.len() + json.len() / 8);
    let mut rest = json;
    while let Some((before, after)) = rest.split_once(&mark) {
        out.push_str(before);
        out.push_str(&mark);
        let value = after.get(..value_length(after)).unwrap_or_default();
        out.push_str(&rewrite(value));
        rest = after.get(value.len()..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The length of the text or the number that `json` starts with; zero where it starts with
/// something else.
fn value_length(json: &str) -> usize {
    let mut is_escaped = false;
    match json.strip_prefix('"') {
        Some(text) => {
            let end = text.find(|c| {
                let is_end = c == '"' && !is_escaped;
                is_escaped = c == '\\' && !is_escaped;
                is_end
            });
            end.map_or(0, |end| end + 2)
        }
        None => json.find(|c: char| !c.is_ascii_digit()).unwrap_or(json.len()),
    }
}

/// A time without its zone, as `2026-11-20T09:30:00.000`.
fn without_zone(value: &str) -> String {
    let ms = value.parse().ok().and_then(DateTime::from_timestamp_millis);
    if let Some(time) = ms {
        return format!("\"{}\"", time.format("%Y-%m-%dT%H:%M:%S%.3f"));
    }
    match value.find(['Z', '+']) {
        Some(end) => format!("{}\"", value.get(..end).unwrap_or_default()),
        None => value.to_owned(),
    }
}

/// An address, and the proxy after it.
fn forwarded(value: &str) -> String {
    match value.strip_suffix('"') {
        Some(text) if text.len() > 1 => format!("{text}, {PROXY}\""),
        _ => value.to_owned(),
    }
}

/// A text that begins with what a terminal obeys.
fn with_controls(value: &str) -> String {
    match value.strip_prefix('"') {
        Some(text) => format!("\"{CONTROLS}{text}"),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_envelope_ends_before_the_members_of_the_page() {
        for api in [Api::OrgEvents, Api::JiraAudit, Api::ConfluenceAudit, Api::DatacenterAudit] {
            let joined = format!(
                "{},{}",
                envelope(api).trim_end_matches('}'),
                empty_page(api).trim_start_matches('{')
            );
            let page: Result<serde_json::Value, _> = serde_json::from_str(&joined);
            assert!(page.is_ok(), "{joined}");
        }
    }

    #[test]
    fn values_are_rewritten_and_nothing_else() {
        let all = Behaviour {
            zoneless_times: true,
            forwarded_addresses: true,
            terminal_controls: true,
            ..Behaviour::default()
        };
        for (api, page, want) in [
            (
                Api::OrgEvents,
                r#"{"time":"2026-11-20T09:30:00Z","ip":"1.2.3.4","name":"a\"b"}"#,
                r#"{"time":"2026-11-20T09:30:00","ip":"1.2.3.4, 203.0.113.80","name":"CONTROLSa\"b"}"#,
            ),
            (
                Api::JiraAudit,
                r#"[{"created":"2026-11-20T09:30:00.123+0000","remoteAddress":""},{"created":7}]"#,
                r#"[{"created":"2026-11-20T09:30:00.123","remoteAddress":""},{"created":"1970-01-01T00:00:00.007"}]"#,
            ),
            (
                Api::ConfluenceAudit,
                r#"{"creationDate":1795167000000,"remoteAddress":null}"#,
                r#"{"creationDate":"2026-11-20T09:30:00.000","remoteAddress":null}"#,
            ),
            (
                Api::DatacenterAudit,
                r#"{"timestamp":{},"source":"::1","names":"x"}"#,
                r#"{"timestamp":{},"source":"::1, 203.0.113.80","names":"x"}"#,
            ),
        ] {
            let want = want.replace("CONTROLS", CONTROLS);
            let page = BodyChunks::from(page.to_owned());
            let got = rewritten(api, &all, &page).unwrap().whole();
            assert_eq!(got, want.as_bytes());
            assert!(rewritten(api, &Behaviour::default(), &page).is_none());
        }
    }
}
