//! Puts a reply on the wire, with the faults that happen there: bodies that are slow, cut, endless
//! or reset.

use std::{
    collections::VecDeque,
    io::Write,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use flate2::{Compress, Compression, Crc, FlushCompress};
use futures_core::Stream;
use tokio::time::Sleep;

use super::{
    Fault, connection::ConnectionHandle, reply::ApiReply, server_state::SharedServerState,
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
    let date = (Utc::now() + skew).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    set(&mut response, "date", &date);
    if let (Some(name), false) = (terms.content_encoding, terms.gzip) {
        set(&mut response, "content-encoding", name);
    }
    if fault == Fault::Pass && !terms.gzip {
        announce(&mut response, reply.body.len());
        let steps = reply.body.into_iter().map(BodyAction::Send);
        *response.body_mut() = Body::from_stream(ScriptedBody::new(steps));
    } else {
        fill(&mut response, line, reply.body.whole(), fault, terms);
    }
    response
}

fn fill(
    response: &mut Response,
    line: &ConnectionHandle,
    body: Bytes,
    fault: Fault,
    terms: &DeliveryOptions,
) {
    let half = body.len() / 2;
    let filled = match fault {
        Fault::CloseMidBody => {
            announce(response, body.len());
            Body::from_stream(ScriptedBody::half(&body, BodyAction::Fail))
        }
        Fault::StallMidBody => {
            announce(response, body.len());
            Body::from_stream(ScriptedBody::half(&body, BodyAction::Stall))
        }
        Fault::WrongLength(announced) => {
            announce(response, announced);
            let cut = body.slice(..announced.min(body.len()));
            let end = (announced > body.len()).then_some(BodyAction::Fail);
            let settle = BodyAction::Pause(SETTLE);
            Body::from_stream(ScriptedBody::new(
                [BodyAction::Send(cut), settle].into_iter().chain(end),
            ))
        }
        Fault::ResetMidBody => {
            announce(response, body.len());
            Body::from_stream(ScriptedBody::reset_half(&body, line))
        }
        Fault::BadByte(text) => whole(response, spoilt(&body, &text), terms),
        Fault::CloseMidChunks => Body::from_stream(ScriptedBody::half(&body, BodyAction::Fail)),
        Fault::TruncatedJson => Body::from(body.slice(..half)),
        Fault::SlowBody { chunk_bytes, pause } => {
            announce(response, body.len());
            Body::from_stream(ScriptedBody::slow(&body, chunk_bytes, pause))
        }
        Fault::EndlessBody => Body::from_stream(ScriptedBody::endless()),
        Fault::GzipBomb(decompressed) => {
            set(response, "content-encoding", "gzip");
            Body::from(gzip_bomb(decompressed))
        }
        _ => whole(response, body, terms),
    };
    *response.body_mut() = filled;
}

fn whole(response: &mut Response, body: Bytes, terms: &DeliveryOptions) -> Body {
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
fn spoilt(body: &Bytes, text: &str) -> Bytes {
    let mut bytes = body.to_vec();
    let place = bytes.windows(text.len().max(1)).position(|window| window == text.as_bytes());
    if let Some(byte) = place.and_then(|place| bytes.get_mut(place)) {
        *byte = 0xff;
    }
    Bytes::from(bytes)
}

fn announce(response: &mut Response, length: usize) {
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
}

/// Sets a header; what is no valid header is left out, since only a test's own script can hold one.
fn set(response: &mut Response, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
        response.headers_mut().append(name, value);
    }
}

/// Long enough for what was written before to leave the machine's buffers as a packet of its own.
const SETTLE: Duration = Duration::from_millis(20);
const MIB: usize = 1024 * 1024;

/// One thing a body does.
#[derive(Clone, Debug)]
enum BodyAction {
    /// Sends these bytes.
    Send(Bytes),
    /// Waits.
    Pause(Duration),
    /// Sends these bytes again and again.
    Forever(Bytes),
    /// Sends nothing more, and keeps the connection open.
    Stall,
    /// Fails, which closes the connection.
    Fail,
    /// Has the connection reset instead of carrying the next byte.
    Reset(ConnectionHandle),
}

/// A body that plays its steps.
struct ScriptedBody {
    steps: VecDeque<BodyAction>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl ScriptedBody {
    /// A body of these steps.
    fn new(steps: impl IntoIterator<Item = BodyAction>) -> Self {
        Self { steps: steps.into_iter().collect(), pause: None }
    }

    /// The first half of `body`, then `end`.
    fn half(body: &Bytes, end: BodyAction) -> Self {
        let half = body.slice(..body.len() / 2);
        Self::new([BodyAction::Send(half), BodyAction::Pause(SETTLE), end])
    }

    /// The first half of `body`, then a reset of `line`.
    fn reset_half(body: &Bytes, line: &ConnectionHandle) -> Self {
        let (first, rest) = (body.slice(..body.len() / 2), body.slice(body.len() / 2..));
        Self::new([
            BodyAction::Send(first),
            BodyAction::Pause(SETTLE),
            BodyAction::Reset(line.clone()),
            BodyAction::Send(rest),
        ])
    }

    /// `body` in pieces of `chunk_bytes`, each after a `pause`.
    fn slow(body: &Bytes, chunk_bytes: usize, pause: Duration) -> Self {
        let size = chunk_bytes.max(1);
        Self::new((0..body.len()).step_by(size).flat_map(|start| {
            let piece = body.slice(start..body.len().min(start + size));
            [BodyAction::Pause(pause), BodyAction::Send(piece)]
        }))
    }

    /// The beginning of a page, then spaces without end.
    fn endless() -> Self {
        let spaces = Bytes::from(vec![b' '; 64 * 1024]);
        Self::new([
            BodyAction::Send(Bytes::from_static(b"{\"data\":[")),
            BodyAction::Forever(spaces),
        ])
    }
}

impl Stream for ScriptedBody {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            match self.steps.front().cloned() {
                None => return Poll::Ready(None),
                Some(BodyAction::Forever(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                // No waker is kept: only the end of the connection ends this.
                Some(BodyAction::Stall) => return Poll::Pending,
                Some(BodyAction::Send(bytes)) => {
                    self.steps.pop_front();
                    return Poll::Ready(Some(Ok(bytes)));
                }
                Some(BodyAction::Pause(duration)) => {
                    self.steps.pop_front();
                    self.pause = Some(Box::pin(tokio::time::sleep(duration)));
                }
                Some(BodyAction::Reset(line)) => {
                    self.steps.pop_front();
                    line.reset();
                }
                Some(BodyAction::Fail) => {
                    let error = std::io::ErrorKind::ConnectionAborted.into();
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

/// `body` gzipped.
fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

/// A gzip of `decompressed` spaces, rounded up to MiB, at about 1 KiB for each.
///
/// One MiB is compressed once, with a full flush, so that its block ends on a byte and refers to
/// nothing before it; the block then repeats inside a single gzip member, because not every reader
/// goes on to a second member.
fn gzip_bomb(decompressed: u64) -> Vec<u8> {
    let mebibyte = vec![b' '; MIB];
    let mut block = Vec::with_capacity(64 * 1024);
    let mut deflate = Compress::new(Compression::best(), false);
    // The capacity is ample for a run of one letter, so one call takes all of it.
    let _ = deflate.compress_vec(&mebibyte, &mut block, FlushCompress::Full);
    let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut crc = Crc::new();
    for _ in 0..decompressed.div_ceil(MIB as u64) {
        bomb.extend_from_slice(&block);
        crc.update(&mebibyte);
    }
    bomb.extend_from_slice(&[3, 0]); // an empty last block
    bomb.extend_from_slice(&crc.sum().to_le_bytes());
    bomb.extend_from_slice(&crc.amount().to_le_bytes());
    bomb
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_bomb_unpacks_to_its_size() {
        let bomb = gzip_bomb(3 * MIB as u64 - 1);
        assert!(bomb.len() < 16 * 1024, "{} bytes", bomb.len());
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(bomb.as_slice()).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked.len(), 3 * MIB);
    }

    #[test]
    fn a_slow_body_is_whole() {
        let play = ScriptedBody::slow(&Bytes::from_static(b"abcde"), 2, SETTLE);
        let sent: Vec<u8> = play
            .steps
            .iter()
            .filter_map(|step| match step {
                BodyAction::Send(bytes) => Some(bytes.to_vec()),
                _ => None,
            })
            .flatten()
            .collect();
        assert_eq!(sent, b"abcde");
    }
}
