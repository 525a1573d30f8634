//! The event queries of a workspace, searches that run on the server:
//! `/audit-log/v1/workspaces/{workspace}/event-queries`.

use fastrand::Rng;
use serde_json::Value;

use super::{
    Api, EventQueries, Fault,
    data::uuid,
    json_text::{JsonObject, array, object},
    reply::{ApiReply, error, gateway_error},
    request::{EventQueryEndpoint, ParsedRequest},
    server_state::{EventQuery, ServerState},
    workspace,
};

const IN_PROGRESS: &str = "IN_PROGRESS";
const COMPLETED: &str = "COMPLETED";
const FAILED: &str = "FAILED";
const CANCELLED: &str = "CANCELLED";

/// The reply of an endpoint of the event queries of `api`.
pub fn answer(
    state: &mut ServerState,
    request: &ParsedRequest,
    api: Api,
    endpoint: EventQueryEndpoint,
    fault: &Fault,
) -> ApiReply {
    match state.behaviour.event_queries {
        EventQueries::Missing => return gateway_error(404, "Not Found"),
        EventQueries::Refused => return error(api, 403, "Event queries are not allowed."),
        EventQueries::Works | EventQueries::Fails | EventQueries::Stuck => {}
    }
    if workspace::is_english(request).is_none() {
        return error(api, 400, workspace::BAD_LANGUAGE);
    }
    if endpoint == EventQueryEndpoint::List {
        return match request.method.as_str() {
            "POST" => create(state, request, api).unwrap_or_else(|what| error(api, 400, what)),
            _ => list(state, request, api),
        };
    }
    let id = request.path.trim_matches('/').split('/').nth(5).unwrap_or_default();
    let found = state.event_queries.iter().position(|query| query.api == api && query.id == id);
    let Some(number) = found else {
        return error(api, 404, "There is no such query.");
    };
    let collection = collection(state, request);
    let (behaviour, query) = (&state.behaviour, &mut state.event_queries[number]);
    match endpoint {
        EventQueryEndpoint::List => list(state, request, api),
        EventQueryEndpoint::One if request.method == "GET" => {
            poll(query, behaviour.event_queries);
            ApiReply::json(200, object! {"data": described(query, &collection)})
        }
        EventQueryEndpoint::One | EventQueryEndpoint::Cancel => {
            query.status = CANCELLED;
            ApiReply::new(204, "application/json", "")
        }
        EventQueryEndpoint::Results if query.status != COMPLETED => {
            error(api, 409, "The query is not completed.")
        }
        EventQueryEndpoint::Results => {
            let query = query.clone();
            workspace::page(state, request, api, fault, Some(&query)).unwrap_or_else(|it| it)
        }
    }
}

/// `POST .../event-queries`
fn create(
    state: &mut ServerState,
    request: &ParsedRequest,
    api: Api,
) -> Result<ApiReply, &'static str> {
    let body: Value =
        serde_json::from_slice(&request.body).map_err(|_| "The body must be a JSON object.")?;
    let window = body.pointer("/data/attributes").unwrap_or(&body);
    if !window.is_object() {
        return Err("The body must be a JSON object.");
    }
    let bound = |name| match &window[name] {
        Value::Null => Ok(None),
        Value::String(text) => workspace::instant(&state.behaviour, text).map(Some),
        other => workspace::instant(&state.behaviour, &other.to_string()).map(Some),
    };
    let (from_ms, to_ms) = (bound("from")?, bound("to")?);
    let behaviour = &state.behaviour;
    let number = state.event_queries.last().map_or(1, |query| query.number + 1);
    let query = EventQuery {
        id: uuid(&mut Rng::with_seed(number)),
        number,
        api,
        from_ms,
        to_ms,
        status: match behaviour.event_queries {
            EventQueries::Fails => FAILED,
            _ => IN_PROGRESS,
        },
        polls_left: behaviour.event_query_polls.unwrap_or(1),
        created_ms: state.now_ms(),
        arrived: state.log(api).arrived(),
    };
    let status = if behaviour.event_query_accepted { 202 } else { 201 };
    let body = object! {"data": described(&query, &collection(state, request))};
    state.remember_event_query(query);
    Ok(ApiReply::json(status, body))
}

/// `GET .../event-queries`
fn list(state: &ServerState, request: &ParsedRequest, api: Api) -> ApiReply {
    let collection = collection(state, request);
    let queries = state.event_queries.iter().filter(|query| query.api == api);
    let queries: Vec<JsonObject> = queries.map(|query| described(query, &collection)).collect();
    let total = queries.len();
    let links = object! {"self": collection};
    let meta = object! {"total": total};
    ApiReply::json(200, object! {"data": array(queries), "links": links, "meta": meta})
}

/// Counts a poll of a query that works.
fn poll(query: &mut EventQuery, behaviour: EventQueries) {
    if query.status != IN_PROGRESS || behaviour == EventQueries::Stuck {
        return;
    }
    match query.polls_left.checked_sub(1) {
        Some(left) => query.polls_left = left,
        None => query.status = COMPLETED,
    }
}

/// The address of all queries.
fn collection(state: &ServerState, request: &ParsedRequest) -> String {
    let path = request.path.split_inclusive("/event-queries").next().unwrap_or_default();
    format!("{}{path}", state.base_url)
}

fn described(query: &EventQuery, collection: &str) -> JsonObject {
    let url = format!("{collection}/{}", query.id);
    object! {
        "id": &query.id, "type": "eventQueries", "attributes": object! {"status": query.status},
        "links": object! {
            "self": &url, "results": format!("{url}/results"), "cancel": format!("{url}/cancel"),
        },
    }
}
