//! A reply put on the wire, with the faults that happen there.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use chrono::{TimeDelta, Utc};

use super::{
    Fault,
    scripted_body::{ScriptedBody, BodyAction, gzip, gzip_bomb},
    connection::ConnectionHandle,
    reply::ApiReply,
    server_state::SharedServerState,
};

/// What delivery needs to know beside the reply.
#[derive(Clone, Debug)]
pub struct DeliveryOptions {
    /// The body may be gzipped: the switch is on and the client accepts it.
    pub gzip: bool,
    /// What `content-encoding` says in place of the truth.
    pub content_encoding: Option<&'static str>,
    /// Seconds that the `Date` header runs ahead.
    pub clock_skew: i64,
}

/// The response for `reply`, with `fault` played out on `line`.
pub async fn deliver(
    shared: &SharedServerState,
    line: &ConnectionHandle,
    reply: ApiReply,
    fault: Fault,
    terms: &DeliveryOptions,
) -> Response {
    match fault {
        Fault::Hang => {
            shared.stopped().await;
            line.close();
        }
        Fault::CloseBeforeResponse => line.close(),
        Fault::ResetBeforeResponse => line.reset(),
        _ => {}
    }
    let mut response = Response::new(Body::empty());
    // 0 stands for a request that gets no answer; its line is severed by now.
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    for (name, value) in &reply.headers {
        set(&mut response, name, value);
    }
    let skew = TimeDelta::try_seconds(terms.clock_skew).unwrap_or_default();
    let date = (Utc::now() + skew)
        .format("%a, %d %b %Y %H:%M:%S GMT")
        .to_string();
    set(&mut response, "date", &date);
    if let (Some(name), false) = (terms.content_encoding, terms.gzip) {
        set(&mut response, "content-encoding", name);
    }
    if fault == Fault::Pass && !terms.gzip {
        set_content_length(&mut response, reply.body.len());
        let steps = reply.body.into_iter().map(BodyAction::Send);
        *response.body_mut() = Body::from_stream(ScriptedBody::new(steps));
    } else {
        write_body(&mut response, line, reply.body.concat(), fault, terms);
    }
    response
}

fn write_body(response: &mut Response, line: &ConnectionHandle, body: Bytes, fault: Fault, terms: &DeliveryOptions) {
    let half = body.len() / 2;
    let filled = match fault {
        Fault::CloseMidBody => {
            set_content_length(response, body.len());
            Body::from_stream(ScriptedBody::half(&body, BodyAction::Fail))
        }
        Fault::StallMidBody => {
            set_content_length(response, body.len());
            Body::from_stream(ScriptedBody::half(&body, BodyAction::Stall))
        }
        Fault::WrongLength(announced) => {
            set_content_length(response, announced);
            let cut = body.slice(..announced.min(body.len()));
            let end = (announced > body.len()).then_some(BodyAction::Fail);
            let settle = BodyAction::Pause(std::time::Duration::from_millis(20));
            Body::from_stream(ScriptedBody::new([BodyAction::Send(cut), settle].into_iter().chain(end)))
        }
        Fault::ResetMidBody => {
            set_content_length(response, body.len());
            Body::from_stream(ScriptedBody::reset_half(&body, line))
        }
        Fault::BadByte(text) => complete_body(response, corrupt_utf8(&body, &text), terms),
        Fault::CloseMidChunks => Body::from_stream(ScriptedBody::half(&body, BodyAction::Fail)),
        Fault::TruncatedJson => Body::from(body.slice(..half)),
        Fault::SlowBody { chunk_bytes, pause } => {
            set_content_length(response, body.len());
            Body::from_stream(ScriptedBody::slow(&body, chunk_bytes, pause))
        }
        Fault::EndlessBody => Body::from_stream(ScriptedBody::endless()),
        Fault::GzipBomb(decompressed) => {
            set(response, "content-encoding", "gzip");
            Body::from(gzip_bomb(decompressed))
        }
        _ => complete_body(response, body, terms),
    };
    *response.body_mut() = filled;
}

fn complete_body(response: &mut Response, body: Bytes, terms: &DeliveryOptions) -> Body {
    if terms.gzip
        && !body.is_empty()
        && let Ok(packed) = gzip(&body)
    {
        let name = terms.content_encoding.unwrap_or("gzip");
        set(response, "content-encoding", name);
        set(response, "vary", "accept-encoding");
        return Body::from(packed);
    }
    Body::from(body)
}

/// `body` with a byte that is no UTF-8 where `text` begins.
fn corrupt_utf8(body: &Bytes, text: &str) -> Bytes {
    let mut bytes = body.to_vec();
    let place = bytes
        .windows(text.len().max(1))
        .position(|window| window == text.as_bytes());
    if let Some(byte) = place.and_then(|place| bytes.get_mut(place)) {
        *byte = 0xff;
    }
    Bytes::from(bytes)
}

fn set_content_length(response: &mut Response, length: usize) {
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
}

/// Sets a header; what is no valid header is left out, since only a test's own script can hold one.
fn set(response: &mut Response, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
        response.headers_mut().append(name, value);
    }
}
