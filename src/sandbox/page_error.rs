//! Turns a 200 page into one that carries the error envelope of its product.

use bytes::Bytes;

use super::{
    Api, PageError,
    exchange::ParsedRequest,
    json_text::{JsonObject, array, quoted},
    body_chunks::BodyChunks,
    reply::ApiReply,
    server_state::ServerState,
};

const TEXT: &str = "The index of the audit log is being rebuilt.";

/// Makes `reply` such a page, while [`Behaviour::page_errors`](super::Behaviour::page_errors) lasts.
pub fn add_error_envelope(world: &mut ServerState, ask: &ParsedRequest, reply: &mut ApiReply) {
    let kind = world.behaviour.page_error;
    let (Some(api), 200) = (ask.route.api(), reply.status) else {
        return;
    };
    if kind == PageError::Never || world.behaviour.page_errors == 0 {
        return;
    }
    world.behaviour.page_errors -= 1;
    let page = match kind {
        PageError::BesideRecords => reply.body.concat().to_vec(),
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
            let error = JsonObject::new()
                .text("code", "ADMIN-500-1")
                .text("title", TEXT);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_envelope_ends_before_the_members_of_the_page() {
        for api in [
            Api::OrgEvents,
            Api::JiraAudit,
            Api::ConfluenceAudit,
            Api::DatacenterAudit,
        ] {
            let joined = format!(
                "{},{}",
                envelope(api).trim_end_matches('}'),
                empty_page(api).trim_start_matches('{')
            );
            let page: Result<serde_json::Value, _> = serde_json::from_str(&joined);
            assert!(page.is_ok(), "{joined}");
        }
    }
}
