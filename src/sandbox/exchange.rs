//! One request to one reply, as plain functions over the [`ServerState`]: fault, credential, rate
//! limit, endpoint.

use chrono::{TimeDelta, Utc};

use super::{
    AdminRefusal, Api, CLOUD_ID, Fault, access,
    admin::{self, AdminEndpoint},
    behaviour::count_down,
    confluence, datacenter, event_queries, jira,
    json_text::{self, object},
    org, page_changes,
    reply::{self, ApiReply, error, gateway_error},
    request::{ParsedRequest, SandboxEndpoint},
    server_state::ServerState,
    throttle, workspace,
};

const CLOUDFRONT_PAGE: &str = "<HTML><HEAD>\
    <TITLE>ERROR: The request could not be satisfied</TITLE></HEAD>\
    <BODY><H1>The request could not be satisfied.</H1></BODY></HTML>\n";

const BAD_GATEWAY_PAGE: &str = "<html><head><title>502 Bad Gateway</title></head>\
    <body><center><h1>502 Bad Gateway</h1></center></body></html>\n";

const LOGIN_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Log in to continue</title></head>\
    <body><form method=\"post\"><input name=\"username\"></form></body></html>\n";

const HTML: &str = "text/html;charset=UTF-8";

/// The reply, and the fault that its delivery must play out.
pub fn answer(state: &mut ServerState, request: &ParsedRequest) -> (ApiReply, Fault) {
    if let SandboxEndpoint::Admin(endpoint) = request.endpoint {
        return admin_answer(state, request, endpoint);
    }
    let Some(api) = request.endpoint.api() else {
        return (regular_reply(state, request, &Fault::Pass), Fault::Pass);
    };
    // The pages alone are scripted.
    let fault = match request.endpoint.paged_api() {
        Some(api) => state.of(api).script.take(),
        None => Fault::Pass,
    };
    let reply = fault_reply(state, api, &fault);
    let reply = reply.unwrap_or_else(|| regular_reply(state, request, &fault));
    if request.endpoint.paged_api().is_some() && reply.status == 200 && !reply.body.is_empty() {
        state.of(api).last_page = reply.body.clone();
    }
    (reply, fault)
}

/// The reply of the admin APIs: scripted, limited or regular. An answer that gets lost is that of a
/// write that was executed.
fn admin_answer(
    state: &mut ServerState,
    request: &ParsedRequest,
    endpoint: AdminEndpoint,
) -> (ApiReply, Fault) {
    let no_answer = |fault| (scripted_reply(0, &[], ""), fault);
    match admin_refusal(state, request) {
        Some(AdminRefusal { status: 0, .. }) => return no_answer(Fault::CloseBeforeResponse),
        Some(refusal) => {
            return (scripted_reply(refusal.status, &[], &refusal.body), Fault::Pass);
        }
        None => {}
    }
    let (limit_headers, limited) = admin_throttled(state);
    let mut reply = limited.unwrap_or_else(|| regular_reply(state, request, &Fault::Pass));
    reply.headers.extend(limit_headers);
    if !endpoint.is_write() || !(200..300).contains(&reply.status) {
        return (reply, Fault::Pass);
    }
    let behaviour = &mut state.behaviour;
    for (left, fault) in [
        (&mut behaviour.admin_write_loses_answer, Fault::CloseBeforeResponse),
        (&mut behaviour.admin_write_hangs, Fault::Hang),
    ] {
        if *left > 0 {
            *left -= 1;
            return no_answer(fault);
        }
    }
    (reply, Fault::Pass)
}

/// The first scripted refusal that fits a request.
fn admin_refusal(state: &mut ServerState, request: &ParsedRequest) -> Option<AdminRefusal> {
    let fits = |refusal: &AdminRefusal| {
        let is_method = refusal.method.as_deref().is_none_or(|it| request.method.as_str() == it);
        is_method && request.path.contains(&refusal.path_part)
    };
    let mut refusals = state.behaviour.admin_refusals.iter_mut();
    refusals.find_map(|refusal| {
        (fits(refusal) && count_down(&mut refusal.times)).then(|| refusal.clone())
    })
}

/// The reply of a fault that needs no endpoint.
fn fault_reply(state: &mut ServerState, api: Api, fault: &Fault) -> Option<ApiReply> {
    let json = |body: &str| Some(ApiReply::new(200, "application/json", body.to_owned()));
    match fault {
        Fault::Status { status, headers, body } => Some(scripted_reply(*status, headers, body)),
        Fault::Html => Some(ApiReply::new(200, HTML, LOGIN_PAGE)),
        Fault::Redirect(location) => {
            Some(ApiReply::new(302, HTML, "").header("location", location))
        }
        Fault::NotJson => json("upstream connect error or disconnect before headers"),
        Fault::RawBody(text) => json(text),
        Fault::ExpiredCursor => Some(match api {
            Api::JiraWorkspace | Api::ConfluenceWorkspace => error(api, 400, workspace::BAD_CURSOR),
            _ => reply::INVALID_CURSOR.into(),
        }),
        Fault::RepeatPage => {
            let last = state.of(api).last_page.clone();
            (!last.is_empty()).then(|| ApiReply::new(200, "application/json", last))
        }
        Fault::EmptyBody | Fault::EndlessBody | Fault::GzipBomb(_) => json(""),
        // A status of 0 is what the request log shows for a request without an answer.
        Fault::Hang | Fault::CloseBeforeResponse | Fault::ResetBeforeResponse => {
            Some(scripted_reply(0, &[], ""))
        }
        // The others change the regular page, or how it is delivered.
        _ => None,
    }
}

fn regular_reply(state: &mut ServerState, request: &ParsedRequest, fault: &Fault) -> ApiReply {
    if state.behaviour.workspace_missing && request.is_below_audit_log() {
        return gateway_error(404, "Not Found");
    }
    if !request.endpoint.allows(&request.method) {
        return method_not_allowed(request);
    }
    let refused = cdn_refusal(state, request)
        .or_else(|| workspace_gateway_error(state, request))
        .or_else(|| access::refusal(state, request));
    if let Some(reply) = refused {
        return reply;
    }
    let mut reply = match request.endpoint {
        SandboxEndpoint::Audit(api) => {
            audited(state, request, api, |state| page(state, request, api, fault))
        }
        SandboxEndpoint::EventQueries(api, endpoint) => audited(state, request, api, |state| {
            event_queries::answer(state, request, api, endpoint, fault)
        }),
        SandboxEndpoint::EventActions(Api::OrgEvents) => {
            audited(state, request, Api::OrgEvents, |state| org::actions(state, request))
        }
        SandboxEndpoint::EventActions(api) => {
            audited(state, request, api, |state| workspace::actions(state, request, api))
        }
        SandboxEndpoint::Orgs => org::list(state, request),
        SandboxEndpoint::Org => org::one(request),
        SandboxEndpoint::Admin(endpoint) => admin::answer(state, request, endpoint),
        SandboxEndpoint::TenantInfo => ApiReply::json(200, object! {"cloudId": CLOUD_ID}),
        SandboxEndpoint::JiraUsers => jira::users(request),
        SandboxEndpoint::Whoami => datacenter::whoami(request),
        SandboxEndpoint::Unknown if request.is_below_audit_log() => gateway_error(404, "Not Found"),
        SandboxEndpoint::Unknown => reply::UNKNOWN_RESOURCE.into(),
    };
    if state.behaviour.pretty_json && reply.is_json() {
        reply.body = json_text::pretty(&String::from_utf8_lossy(&reply.body)).into();
    }
    reply
}

/// The reply of an audited API, within its rate limit.
fn audited(
    state: &mut ServerState,
    request: &ParsedRequest,
    api: Api,
    reply: impl FnOnce(&mut ServerState) -> ApiReply,
) -> ApiReply {
    let (limit_headers, limited) = throttled(state, api);
    let mut reply = limited.unwrap_or_else(|| reply(state));
    if request.endpoint.paged_api().is_some() {
        page_changes::apply(state, api, &mut reply);
    }
    reply.headers.extend(limit_headers);
    reply
}

/// A page of records.
fn page(state: &mut ServerState, request: &ParsedRequest, api: Api, fault: &Fault) -> ApiReply {
    match api {
        Api::OrgEvents => org::events(state, request, fault),
        Api::JiraAudit => jira::records(state, request, fault),
        Api::ConfluenceAudit => confluence::records(state, request, fault),
        Api::DatacenterAudit => datacenter::events(state, request, fault),
        Api::JiraWorkspace | Api::ConfluenceWorkspace => {
            workspace::events(state, request, api, fault)
        }
    }
}

/// The 405 of the endpoint's product.
fn method_not_allowed(request: &ParsedRequest) -> ApiReply {
    match request.endpoint.api() {
        Some(api @ (Api::JiraWorkspace | Api::ConfluenceWorkspace)) => {
            error(api, 405, "This method is not allowed here.")
        }
        _ => reply::METHOD_NOT_ALLOWED.into(),
    }
}

/// The headers of the admin APIs' rate limit, and the 429 when the request is over it.
fn admin_throttled(state: &mut ServerState) -> (Vec<(String, String)>, Option<ApiReply>) {
    let Some(limit) = state.behaviour.admin_rate_limit.clone() else {
        return (Vec::new(), None);
    };
    let now = Utc::now();
    let verdict = state.admin_throttle.judge(&limit, now);
    let headers = throttle::headers(Api::OrgEvents, &limit, &verdict, now);
    (headers, (!verdict.passes).then(|| reply::RATE_LIMITED.into()))
}

/// The rate limit's headers, and the 429 when the request is over it.
fn throttled(state: &mut ServerState, api: Api) -> (Vec<(String, String)>, Option<ApiReply>) {
    let Some(limit) = state.behaviour.rate_limit(api).cloned() else {
        return (Vec::new(), None);
    };
    let now = Utc::now();
    let verdict = state.of(api).throttle.judge(&limit, now);
    let skew = TimeDelta::try_seconds(state.behaviour.clock_skew).unwrap_or_default();
    let headers = throttle::headers(api, &limit, &verdict, now + skew);
    let refusal = (!verdict.passes).then(|| match api {
        Api::OrgEvents => reply::RATE_LIMITED.into(),
        Api::JiraAudit => {
            error(api, 429, "Rate limit exceeded.").header("ratelimit-reason", "jira-burst-based")
        }
        _ => error(api, 429, "Rate limit exceeded."),
    });
    (headers, refusal)
}

/// The refusal of the CDN in front of the audited APIs, while there are some left.
fn cdn_refusal(state: &mut ServerState, request: &ParsedRequest) -> Option<ApiReply> {
    request.endpoint.api()?;
    let left = state.behaviour.cdn_refusals.checked_sub(1)?;
    state.behaviour.cdn_refusals = left;
    let status = state.behaviour.cdn_status.unwrap_or(403);
    let reply = ApiReply::new(status, "text/html", CLOUDFRONT_PAGE);
    Some(reply.header("x-cache", "Error from cloudfront"))
}

/// The 502 of a proxy in front of the workspaces, while there are some left.
fn workspace_gateway_error(state: &mut ServerState, request: &ParsedRequest) -> Option<ApiReply> {
    match request.endpoint.api()? {
        Api::JiraWorkspace | Api::ConfluenceWorkspace => {}
        Api::OrgEvents | Api::JiraAudit | Api::ConfluenceAudit | Api::DatacenterAudit => {
            return None;
        }
    }
    let left = state.behaviour.workspace_gateway_errors.checked_sub(1)?;
    state.behaviour.workspace_gateway_errors = left;
    Some(ApiReply::new(502, "text/html", BAD_GATEWAY_PAGE))
}

fn scripted_reply(status: u16, headers: &[(String, String)], body: &str) -> ApiReply {
    let mut headers = headers.to_vec();
    let typed = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let guess = match body.trim_start().chars().next() {
        Some('{' | '[') => Some("application/json"),
        Some('<') => Some(HTML),
        Some(_) => Some("text/plain"),
        None => None,
    };
    if let (false, Some(guess)) = (typed, guess) {
        headers.push(("content-type".to_owned(), guess.to_owned()));
    }
    ApiReply { status, headers, body: body.to_owned().into() }
}
