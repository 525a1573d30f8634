//! Puts a reply on the wire, with the faults that happen there: bodies that are slow, cut, endless
//! or reset.

use std::{
    io::{self, ErrorKind, Write as _},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode},
    response::Response,
};
use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use flate2::{Compress, Compression, Crc, FlushCompress, write::GzEncoder};
use futures_core::Stream;
use tokio::{sync::mpsc, time::sleep};

use super::{
    Fault, connection::ConnectionHandle, reply::ApiReply, server_state::SharedServerState,
};

/// Long enough for what was written before to leave the machine's buffers as a packet of its own.
const SETTLE: Duration = Duration::from_millis(20);
const MIB: usize = 1024 * 1024;

/// A reply and how it is sent.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// What is sent.
    pub reply: ApiReply,
    /// What goes wrong.
    pub fault: Fault,
    /// The body is gzipped: the switch is on and the client accepts it.
    pub gzip: bool,
    /// What `content-encoding` says in place of the truth.
    pub content_encoding: Option<&'static str>,
    /// Seconds that the `Date` header runs ahead.
    pub clock_skew: i64,
}

impl Delivery {
    /// The response, with the fault played out on `line`.
    pub async fn response(self, shared: &SharedServerState, line: &ConnectionHandle) -> Response {
        match self.fault {
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
        *response.status_mut() = StatusCode::from_u16(self.reply.status).unwrap_or(StatusCode::OK);
        for (name, value) in &self.reply.headers {
            set(&mut response, name, value);
        }
        let skew = TimeDelta::try_seconds(self.clock_skew).unwrap_or_default();
        let date = (Utc::now() + skew).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        set(&mut response, "date", &date);
        if let (Some(name), false) = (self.content_encoding, self.gzip) {
            set(&mut response, "content-encoding", name);
        }
        self.fill(&mut response, line);
        response
    }

    fn fill(self, response: &mut Response, line: &ConnectionHandle) {
        let body = self.reply.body.clone();
        let announced = match &self.fault {
            Fault::CloseMidBody
            | Fault::StallMidBody
            | Fault::ResetMidBody
            | Fault::SlowBody { .. } => Some(body.len()),
            Fault::WrongLength(announced) => Some(*announced),
            Fault::CloseMidChunks | Fault::EndlessBody => None,
            _ => return *response.body_mut() = self.whole(response),
        };
        if let Some(length) = announced {
            set(response, "content-length", &length.to_string());
        }
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(play(self.fault, body, line.clone(), sender));
        *response.body_mut() = Body::from_stream(ScriptedBody(receiver));
    }

    /// A body that is sent in one piece.
    fn whole(self, response: &mut Response) -> Body {
        let Self { reply: ApiReply { body, .. }, fault, gzip, content_encoding, .. } = self;
        let body = match fault {
            Fault::TruncatedJson => return Body::from(body.slice(..body.len() / 2)),
            Fault::GzipBomb(decompressed) => {
                set(response, "content-encoding", "gzip");
                return Body::from(gzip_bomb(decompressed));
            }
            Fault::BadByte(text) => spoilt(&body, &text),
            _ => body,
        };
        if gzip
            && !body.is_empty()
            && let Ok(packed) = compressed(&body)
        {
            set(response, "content-encoding", content_encoding.unwrap_or("gzip"));
            set(response, "vary", "accept-encoding");
            return Body::from(packed);
        }
        Body::from(body)
    }
}

/// Sets a header; what is no valid header is left out, since only a test's own script can hold one.
fn set(response: &mut Response, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
        response.headers_mut().append(name, value);
    }
}

/// A body whose pieces are sent by [`play`]. An error closes the connection.
struct ScriptedBody(mpsc::Receiver<io::Result<Bytes>>);

impl Stream for ScriptedBody {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

/// Sends `body` as the fault wants it.
async fn play(
    fault: Fault,
    body: Bytes,
    line: ConnectionHandle,
    sender: mpsc::Sender<io::Result<Bytes>>,
) {
    let send = async |bytes: Bytes| sender.send(Ok(bytes)).await.is_ok();
    let half = body.len() / 2;
    match fault {
        Fault::SlowBody { chunk_bytes, pause } => {
            for piece in body.chunks(chunk_bytes.max(1)) {
                sleep(pause).await;
                if !send(body.slice_ref(piece)).await {
                    return;
                }
            }
        }
        Fault::EndlessBody => {
            let spaces = Bytes::from(vec![b' '; 64 * 1024]);
            send(Bytes::from_static(b"{\"data\":[")).await;
            while send(spaces.clone()).await {}
        }
        Fault::WrongLength(announced) => {
            send(body.slice(..announced.min(body.len()))).await;
            sleep(SETTLE).await;
            if announced > body.len() {
                fail(&sender).await;
            }
        }
        _ => {
            send(body.slice(..half)).await;
            sleep(SETTLE).await;
            match fault {
                Fault::ResetMidBody => {
                    line.reset();
                    send(body.slice(half..)).await;
                }
                Fault::StallMidBody => sender.closed().await,
                _ => fail(&sender).await,
            }
        }
    }
}

async fn fail(sender: &mpsc::Sender<io::Result<Bytes>>) {
    // Nobody is there any more if the client has gone.
    let _ = sender.send(Err(ErrorKind::ConnectionAborted.into())).await;
}

/// `body` with a byte that is no UTF-8 where `text` begins.
fn spoilt(body: &Bytes, text: &str) -> Bytes {
    let mut bytes = body.to_vec();
    let place = bytes.windows(text.len().max(1)).position(|window| window == text.as_bytes());
    if let Some(byte) = place.and_then(|place| bytes.get_mut(place)) {
        *byte = 0xff;
    }
    bytes.into()
}

/// `body` gzipped.
fn compressed(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
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
}
