//! One request to one reply, as plain functions over the [`ServerState`]: fault, credential, rate limit, endpoint.

use chrono::{TimeDelta, Utc};

use super::{
    Api, ErrorEnvelope, Fault, access, confluence, datacenter, jira, json_text, org, page_error,
    body_chunks::BodyChunks, record_values, reply::ApiReply, route::ApiRoute, throttle, server_state::ServerState,
};

const CLOUDFRONT_PAGE: &str = "<HTML><HEAD><TITLE>ERROR: The request could not be satisfied</TITLE></HEAD>\
    <BODY><H1>The request could not be satisfied.</H1></BODY></HTML>\n";

const LOGIN_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Log in to continue</title></head>\
    <body><form method=\"post\"><input name=\"username\"></form></body></html>\n";

/// A request, understood.
#[derive(Clone, Debug)]
pub struct ParsedRequest {
    /// Whether the method is GET.
    pub is_get: bool,
    /// The path as sent.
    pub path: String,
    /// The endpoint.
    pub route: ApiRoute,
    /// The query, percent-decoded, `+` read as a space.
    pub query: Vec<(String, String)>,
    /// The `authorization` header.
    pub authorization: Option<String>,
}

impl ParsedRequest {
    /// The first value of a query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A query parameter that is a number; None when it is there and is none.
    pub fn number(&self, name: &str, default: usize) -> Option<usize> {
        self.param(name)
            .map_or(Some(default), |text| text.parse().ok())
    }
}

/// The reply, and the fault that its delivery must play out.
pub fn handle_request(world: &mut ServerState, ask: &ParsedRequest) -> (ApiReply, Fault) {
    let api = ask.route.api();
    let fault = api.map_or(Fault::Pass, |api| world.scripts.of(api).take());
    let reply = match fault_reply(world, ask, &fault) {
        Some(reply) => reply,
        None => regular_reply(world, ask, &fault),
    };
    if let (Some(api), 200, false) = (api, reply.status, reply.body.is_empty()) {
        *world.last_pages.of(api) = Some(reply.body.clone());
    }
    (reply, fault)
}

/// The reply of a fault that needs no endpoint.
fn fault_reply(world: &mut ServerState, ask: &ParsedRequest, fault: &Fault) -> Option<ApiReply> {
    let json = |body: &str| Some(ApiReply::json(200, body.to_owned()));
    match fault {
        Fault::Status {
            status,
            headers,
            body,
        } => Some(scripted_reply(*status, headers, body)),
        Fault::Html => Some(non_json_reply(200, "text/html;charset=UTF-8", LOGIN_PAGE)),
        Fault::Redirect(location) => {
            Some(non_json_reply(302, "text/html;charset=UTF-8", "").header("location", location))
        }
        Fault::NotJson => json("upstream connect error or disconnect before headers"),
        Fault::RawBody(text) => json(text),
        Fault::ExpiredCursor => {
            Some(org::errors::INVALID_CURSOR.reply(ErrorEnvelope::Errors, &ask.path))
        }
        Fault::RepeatPage => {
            let last = ask
                .route
                .api()
                .and_then(|api| world.last_pages.of(api).clone());
            last.map(|body| ApiReply::json(200, body))
        }
        Fault::EmptyBody | Fault::EndlessBody | Fault::GzipBomb(_) => json(""),
        // A status of 0 is what the ledger shows for a request without an answer.
        Fault::Hang | Fault::CloseBeforeResponse | Fault::ResetBeforeResponse => Some(ApiReply {
            status: 0,
            headers: Vec::new(),
            body: BodyChunks::default(),
        }),
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

fn regular_reply(world: &mut ServerState, ask: &ParsedRequest, fault: &Fault) -> ApiReply {
    if !ask.is_get {
        return org::errors::METHOD_NOT_ALLOWED.reply(ErrorEnvelope::Errors, &ask.path);
    }
    if let Some(reply) = cdn_refusal(world, ask) {
        return reply;
    }
    let captcha = |world: &ServerState| datacenter::captcha(&world.behaviour, &world.base_url);
    let refused = match &ask.route {
        ApiRoute::JiraAudit(way) => jira::refusal(ask, way, world.behaviour.free_plan),
        ApiRoute::ConfluenceAudit(way) => confluence::refusal(ask, way, world.behaviour.free_plan),
        ApiRoute::DatacenterEvents => captcha(world).or_else(|| datacenter::refusal(ask)),
        ApiRoute::DatacenterWhoami => captcha(world),
        ApiRoute::Orgs | ApiRoute::Org(_) | ApiRoute::OrgEvents(_) | ApiRoute::ApiKeys(_) => org::refusal(ask),
        ApiRoute::JiraUsers(_) | ApiRoute::TenantInfo | ApiRoute::Unknown => None,
    };
    if let Some(reply) = refused {
        return reply;
    }
    let (limit_headers, limited) = apply_rate_limit(world, ask);
    let mut reply = match limited {
        Some(reply) => reply,
        None => endpoint(world, ask, fault),
    };
    page_error::add_error_envelope(world, ask, &mut reply);
    reply.headers.extend(limit_headers);
    if let (Some(api), 200) = (ask.route.api(), reply.status)
        && let Some(page) = record_values::rewrite_page(api, &world.behaviour, &reply.body)
    {
        reply.body = page;
    }
    if world.behaviour.pretty_json && reply.is_json() {
        let body = reply.body.concat();
        reply.body = json_text::pretty(&String::from_utf8_lossy(&body)).into();
    }
    reply
}

fn endpoint(world: &mut ServerState, ask: &ParsedRequest, fault: &Fault) -> ApiReply {
    match &ask.route {
        ApiRoute::Orgs => org::organizations(world),
        ApiRoute::Org(id) => org::organization(id, &ask.path),
        ApiRoute::OrgEvents(id) => org::events(world, ask, id, fault),
        ApiRoute::ApiKeys(id) => org::api_keys(world, ask, id),
        ApiRoute::TenantInfo => access::tenant_info(),
        ApiRoute::JiraAudit(way) => jira::records(world, ask, way, fault),
        ApiRoute::JiraUsers(way) => jira::bulk(ask, way),
        ApiRoute::ConfluenceAudit(_) => confluence::records(world, ask, fault),
        ApiRoute::DatacenterEvents => datacenter::events(world, ask, fault),
        ApiRoute::DatacenterWhoami => datacenter::whoami(ask),
        ApiRoute::Unknown => org::errors::UNKNOWN_RESOURCE.reply(ErrorEnvelope::Errors, &ask.path),
    }
}

/// The refusal of the CDN in front of the audited APIs, while there are some left.
fn cdn_refusal(world: &mut ServerState, ask: &ParsedRequest) -> Option<ApiReply> {
    ask.route.api()?;
    let left = world.behaviour.cdn_refusals.checked_sub(1)?;
    world.behaviour.cdn_refusals = left;
    let reply = non_json_reply(world.behaviour.cdn_status, "text/html", CLOUDFRONT_PAGE);
    Some(reply.header("x-cache", "Error from cloudfront"))
}

/// The rate limit's headers, and the 429 when the request is over it.
fn apply_rate_limit(world: &mut ServerState, ask: &ParsedRequest) -> (Vec<(String, String)>, Option<ApiReply>) {
    let Some((api, limit)) = ask
        .route
        .api()
        .and_then(|api| Some((api, world.behaviour.rate_limit(api)?.clone())))
    else {
        return (Vec::new(), None);
    };
    let now = Utc::now();
    let verdict = world.throttles.of(api).check(&limit, now);
    let skew = TimeDelta::try_seconds(world.behaviour.clock_skew).unwrap_or_default();
    let headers = match api {
        Api::OrgEvents | Api::JiraAudit | Api::ConfluenceAudit => {
            throttle::headers(&limit, &verdict, now + skew)
        }
        Api::DatacenterAudit => throttle::datacenter_headers(&limit, &verdict),
    };
    let refusal = (!verdict.passes).then(|| match api {
        Api::OrgEvents => org::errors::RATE_LIMITED.reply(limit.envelope, &ask.path),
        Api::JiraAudit => jira::rate_limited(),
        Api::ConfluenceAudit => confluence::error(429, "Rate limit exceeded."),
        Api::DatacenterAudit => datacenter::error(429, "Rate limit exceeded."),
    });
    (headers, refusal)
}

/// A body that is no JSON.
pub fn non_json_reply(status: u16, content_type: &str, body: &str) -> ApiReply {
    let headers = vec![("content-type".to_owned(), content_type.to_owned())];
    ApiReply {
        status,
        headers,
        body: body.to_owned().into(),
    }
}

fn scripted_reply(status: u16, headers: &[(String, String)], body: &str) -> ApiReply {
    let mut headers = headers.to_vec();
    let typed = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let guess = match body.trim_start().chars().next() {
        Some('{' | '[') => Some("application/json"),
        Some('<') => Some("text/html;charset=UTF-8"),
        Some(_) => Some("text/plain"),
        None => None,
    };
    if let (false, Some(guess)) = (typed, guess) {
        headers.push(("content-type".to_owned(), guess.to_owned()));
    }
    ApiReply {
        status,
        headers,
        body: body.to_owned().into(),
    }
}
