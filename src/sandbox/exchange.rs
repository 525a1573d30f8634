//! One request to one reply, as plain functions over the [`ServerState`]: fault, credential, rate
//! limit, endpoint.

use chrono::{TimeDelta, Utc};

use super::{
    Api, ErrorEnvelope, Fault, access, confluence, datacenter, jira, json_text, org, page_changes,
    reply::{self, ApiReply, BodyChunks},
    request::{ApiRoute, ParsedRequest},
    server_state::ServerState,
    throttle,
};

const CLOUDFRONT_PAGE: &str = "<HTML><HEAD><TITLE>ERROR: The request could not be satisfied</TITLE></HEAD>\
    <BODY><H1>The request could not be satisfied.</H1></BODY></HTML>\n";

const LOGIN_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Log in to continue</title></head>\
    <body><form method=\"post\"><input name=\"username\"></form></body></html>\n";

/// The reply, and the fault that its delivery must play out.
pub fn answer(state: &mut ServerState, request: &ParsedRequest) -> (ApiReply, Fault) {
    let api = request.route.api();
    let fault = api.map_or(Fault::Pass, |api| state.scripts.of(api).take());
    let reply = match fault_reply(state, request, &fault) {
        Some(reply) => reply,
        None => regular_reply(state, request, &fault),
    };
    if let (Some(api), 200, false) = (api, reply.status, reply.body.is_empty()) {
        *state.last_pages.of(api) = Some(reply.body.clone());
    }
    (reply, fault)
}

/// The reply of a fault that needs no endpoint.
fn fault_reply(
    state: &mut ServerState,
    request: &ParsedRequest,
    fault: &Fault,
) -> Option<ApiReply> {
    let json = |body: &str| Some(ApiReply::json(200, body.to_owned()));
    match fault {
        Fault::Status { status, headers, body } => Some(scripted_reply(*status, headers, body)),
        Fault::Html => Some(ApiReply::plain(200, "text/html;charset=UTF-8", LOGIN_PAGE)),
        Fault::Redirect(location) => {
            Some(ApiReply::plain(302, "text/html;charset=UTF-8", "").header("location", location))
        }
        Fault::NotJson => json("upstream connect error or disconnect before headers"),
        Fault::RawBody(text) => json(text),
        Fault::ExpiredCursor => {
            Some(reply::INVALID_CURSOR.reply(ErrorEnvelope::Errors, &request.path))
        }
        Fault::RepeatPage => {
            let last = request.route.api().and_then(|api| state.last_pages.of(api).clone());
            last.map(|body| ApiReply::json(200, body))
        }
        Fault::EmptyBody | Fault::EndlessBody | Fault::GzipBomb(_) => json(""),
        // A status of 0 is what the request log shows for a request without an answer.
        Fault::Hang | Fault::CloseBeforeResponse | Fault::ResetBeforeResponse => {
            Some(ApiReply { status: 0, headers: Vec::new(), body: BodyChunks::default() })
        }
        Fault::Pass
        | Fault::CloseMidBody
        | Fault::CloseMidChunks
        | Fault::ResetMidBody
        | Fault::StallMidBody
        | Fault::WrongLength(_)
        | Fault::TruncatedJson
        | Fault::BadByte(_)
        | Fault::SlowBody { .. }
        | Fault::SameCursor
        | Fault::Overlap(_)
        | Fault::EmptyPageWithCursor => None,
    }
}

fn regular_reply(state: &mut ServerState, request: &ParsedRequest, fault: &Fault) -> ApiReply {
    if !request.is_get {
        return reply::METHOD_NOT_ALLOWED.reply(ErrorEnvelope::Errors, &request.path);
    }
    if let Some(reply) = cdn_refusal(state, request) {
        return reply;
    }
    let captcha = |state: &ServerState| datacenter::captcha(&state.behaviour, &state.base_url);
    let refused = match &request.route {
        ApiRoute::JiraAudit(way) => jira::refusal(request, way, state.behaviour.free_plan),
        ApiRoute::ConfluenceAudit(way) => {
            confluence::refusal(request, way, state.behaviour.free_plan)
        }
        ApiRoute::DatacenterEvents => captcha(state).or_else(|| datacenter::refusal(request)),
        ApiRoute::DatacenterWhoami => captcha(state),
        ApiRoute::Orgs | ApiRoute::Org(_) | ApiRoute::OrgEvents(_) | ApiRoute::ApiKeys(_) => {
            org::refusal(request)
        }
        ApiRoute::JiraUsers(_) | ApiRoute::TenantInfo | ApiRoute::Unknown => None,
    };
    if let Some(reply) = refused {
        return reply;
    }
    let (limit_headers, limited) = throttled(state, request);
    let mut reply = match limited {
        Some(reply) => reply,
        None => endpoint(state, request, fault),
    };
    page_changes::add_error(state, request, &mut reply);
    reply.headers.extend(limit_headers);
    if let (Some(api), 200) = (request.route.api(), reply.status)
        && let Some(page) = page_changes::rewritten(api, &state.behaviour, &reply.body)
    {
        reply.body = page;
    }
    if state.behaviour.pretty_json && reply.is_json() {
        let body = reply.body.whole();
        reply.body = json_text::pretty(&String::from_utf8_lossy(&body)).into();
    }
    reply
}

fn endpoint(state: &mut ServerState, request: &ParsedRequest, fault: &Fault) -> ApiReply {
    match &request.route {
        ApiRoute::Orgs => org::list(state),
        ApiRoute::Org(id) => org::one(id, &request.path),
        ApiRoute::OrgEvents(id) => org::events(state, request, id, fault),
        ApiRoute::ApiKeys(id) => org::api_keys(state, request, id),
        ApiRoute::TenantInfo => access::tenant_info(),
        ApiRoute::JiraAudit(way) => jira::records(state, request, way, fault),
        ApiRoute::JiraUsers(way) => jira::bulk(request, way),
        ApiRoute::ConfluenceAudit(_) => confluence::records(state, request, fault),
        ApiRoute::DatacenterEvents => datacenter::events(state, request, fault),
        ApiRoute::DatacenterWhoami => datacenter::whoami(request),
        ApiRoute::Unknown => reply::UNKNOWN_RESOURCE.reply(ErrorEnvelope::Errors, &request.path),
    }
}

/// The refusal of the CDN in front of the audited APIs, while there are some left.
fn cdn_refusal(state: &mut ServerState, request: &ParsedRequest) -> Option<ApiReply> {
    request.route.api()?;
    let left = state.behaviour.cdn_refusals.checked_sub(1)?;
    state.behaviour.cdn_refusals = left;
    let reply = ApiReply::plain(state.behaviour.cdn_status, "text/html", CLOUDFRONT_PAGE);
    Some(reply.header("x-cache", "Error from cloudfront"))
}

/// The rate limit's headers, and the 429 when the request is over it.
fn throttled(
    state: &mut ServerState,
    request: &ParsedRequest,
) -> (Vec<(String, String)>, Option<ApiReply>) {
    let Some((api, limit)) =
        request.route.api().and_then(|api| Some((api, state.behaviour.rate_limit(api)?.clone())))
    else {
        return (Vec::new(), None);
    };
    let now = Utc::now();
    let verdict = state.throttles.of(api).judge(&limit, now);
    let skew = TimeDelta::try_seconds(state.behaviour.clock_skew).unwrap_or_default();
    let headers = match api {
        Api::OrgEvents | Api::JiraAudit | Api::ConfluenceAudit => {
            throttle::headers(&limit, &verdict, now + skew)
        }
        Api::DatacenterAudit => throttle::datacenter_headers(&limit, &verdict),
    };
    let refusal = (!verdict.passes).then(|| match api {
        Api::OrgEvents => reply::RATE_LIMITED.reply(limit.envelope, &request.path),
        Api::JiraAudit => jira::rate_limited(),
        Api::ConfluenceAudit => confluence::error(429, "Rate limit exceeded."),
        Api::DatacenterAudit => datacenter::error(429, "Rate limit exceeded."),
    });
    (headers, refusal)
}

fn scripted_reply(status: u16, headers: &[(String, String)], body: &str) -> ApiReply {
    let mut headers = headers.to_vec();
    let typed = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let guess = match body.trim_start().chars().next() {
        Some('{' | '[') => Some("application/json"),
        Some('<') => Some("text/html;charset=UTF-8"),
        Some(_) => Some("text/plain"),
        None => None,
    };
    if let (false, Some(guess)) = (typed, guess) {
        headers.push(("content-type".to_owned(), guess.to_owned()));
    }
    ApiReply { status, headers, body: body.to_owned().into() }
}
