//! Changes a finished page: adds the error envelope of its product, or rewrites single values of
//! its records.

use chrono::DateTime;

use super::{
    Api, Behaviour, PageError,
    behaviour::count_down,
    json_text::{JsonText, array, object},
    reply::ApiReply,
    server_state::ServerState,
};

const TEXT: &str = "The index of the audit log is being rebuilt.";

/// Changes the page of `api` as the behaviour wants it.
pub fn apply(state: &mut ServerState, api: Api, reply: &mut ApiReply) {
    if reply.status != 200 {
        return;
    }
    let kind = state.behaviour.page_error;
    if kind != PageError::Never && count_down(&mut state.behaviour.page_errors) {
        let page = match kind {
            PageError::BesideRecords => String::from_utf8_lossy(&reply.body).into_owned(),
            PageError::Never | PageError::InsteadOfRecords => empty_page(api).to_owned(),
        };
        // Both are JSON objects: the members of the page follow those of the envelope.
        let JsonText(mut body) = envelope(api);
        body.pop();
        body.push(',');
        body.push_str(page.strip_prefix('{').unwrap_or(&page));
        reply.body = body.into();
    }
    if let Some(page) = rewritten(api, &state.behaviour, &reply.body) {
        reply.body = page.into();
    }
}

fn envelope(api: Api) -> JsonText {
    match api {
        Api::OrgEvents => {
            object! {"errors": array([object! {"code": "ADMIN-500-1", "title": TEXT}])}
        }
        Api::JiraAudit => object! {"errorMessages": [TEXT]},
        Api::ConfluenceAudit => object! {"statusCode": 500, "message": TEXT},
        Api::DatacenterAudit => object! {"message": TEXT, "status-code": 500},
        Api::JiraWorkspace | Api::ConfluenceWorkspace => object! {
            "errors": array([object! {
                "status": 500, "code": "INTERNAL_ERROR", "title": "Internal error", "detail": TEXT,
            }])
        },
    }
    .into()
}

fn empty_page(api: Api) -> &'static str {
    match api {
        Api::OrgEvents | Api::JiraWorkspace | Api::ConfluenceWorkspace => {
            r#"{"data":[],"links":{},"meta":{"next":null}}"#
        }
        Api::JiraAudit => r#"{"offset":0,"limit":1000,"total":0,"records":[]}"#,
        Api::ConfluenceAudit => r#"{"results":[],"start":0,"limit":1000,"size":0}"#,
        Api::DatacenterAudit => r#"{"entities":[],"pagingInfo":{"lastPage":true,"size":0}}"#,
    }
}

/// The proxy that [`Behaviour::forwarded_addresses`] adds to each address of a client.
pub const PROXY: &str = "203.0.113.80";

/// What [`Behaviour::terminal_controls`] puts before each name: a right-to-left override, and red
/// letters.
pub const CONTROLS: &str = "\u{202e}\u{9b}31m";

/// What becomes of a value, both as JSON.
type ValueRewriter = fn(&str) -> String;

/// A page of `api`, its records as `behaviour` wants them; none where they stay as they are.
fn rewritten(api: Api, behaviour: &Behaviour, page: &[u8]) -> Option<String> {
    let (time, address) = match api {
        Api::OrgEvents | Api::JiraWorkspace | Api::ConfluenceWorkspace => ("time", "ip"),
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
    // Most pages are large, and are not copied.
    wanted.peek()?;
    let page = String::from_utf8_lossy(page).into_owned();
    Some(wanted.fold(page, |page, (_, key, rewrite)| rewrite_values(&page, key, rewrite)))
}

/// `json`, in which each value of `key` that is a text or a number is what `rewrite` makes of it.
pub fn rewrite_values(json: &str, key: &str, rewrite: impl Fn(&str) -> String) -> String {
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
pub fn value_length(json: &str) -> usize {
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
        for api in Api::ALL {
            let joined = format!(
                "{},{}",
                envelope(api).0.trim_end_matches('}'),
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
                concat!(
                    r#"{"time":"2026-11-20T09:30:00","ip":"1.2.3.4, 203.0.113.80","#,
                    r#""name":"CONTROLSa\"b"}"#
                ),
            ),
            (
                Api::JiraAudit,
                r#"[{"created":"2026-11-20T09:30:00.123+0000","remoteAddress":""},{"created":7}]"#,
                concat!(
                    r#"[{"created":"2026-11-20T09:30:00.123","remoteAddress":""},"#,
                    r#"{"created":"1970-01-01T00:00:00.007"}]"#
                ),
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
            assert_eq!(rewritten(api, &all, page.as_bytes()), Some(want));
            assert!(rewritten(api, &Behaviour::default(), page.as_bytes()).is_none());
        }
    }
}
