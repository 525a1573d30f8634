//! Bodies that misbehave: a list of steps, played as a stream.

use std::{
    collections::VecDeque,
    io::Write,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress};
use futures_core::Stream;
use tokio::time::Sleep;

use super::connection::ConnectionHandle;

/// Long enough for what was written before to leave the machine's buffers as a packet of its own.
const SETTLE: Duration = Duration::from_millis(20);
const MIB: usize = 1024 * 1024;

/// One thing a body does.
#[derive(Clone, Debug)]
pub enum BodyAction {
    /// Sends these bytes.
    Send(Bytes),
    /// Waits.
    Pause(Duration),
    /// Sends these bytes again and again.
    Repeat(Bytes),
    /// Sends nothing more, and keeps the connection open.
    Stall,
    /// Fails, which closes the connection.
    Fail,
    /// Has the connection reset instead of carrying the next byte.
    Reset(ConnectionHandle),
}

/// A body that plays its steps.
pub struct ScriptedBody {
    steps: VecDeque<BodyAction>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl ScriptedBody {
    /// A body of these steps.
    pub fn new(steps: impl IntoIterator<Item = BodyAction>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            pause: None,
        }
    }

    /// The first half of `body`, then `end`.
    pub fn half(body: &Bytes, end: BodyAction) -> Self {
        let half = body.slice(..body.len() / 2);
        Self::new([BodyAction::Send(half), BodyAction::Pause(SETTLE), end])
    }

    /// The first half of `body`, then a reset of `line`.
    pub fn reset_half(body: &Bytes, line: &ConnectionHandle) -> Self {
        let (first, rest) = (body.slice(..body.len() / 2), body.slice(body.len() / 2..));
        Self::new([
            BodyAction::Send(first),
            BodyAction::Pause(SETTLE),
            BodyAction::Reset(line.clone()),
            BodyAction::Send(rest),
        ])
    }

    /// `body` in pieces of `chunk_bytes`, each after a `pause`.
    pub fn slow(body: &Bytes, chunk_bytes: usize, pause: Duration) -> Self {
        let size = chunk_bytes.max(1);
        Self::new((0..body.len()).step_by(size).flat_map(|start| {
            let piece = body.slice(start..body.len().min(start + size));
            [BodyAction::Pause(pause), BodyAction::Send(piece)]
        }))
    }

    /// The beginning of a page, then spaces without end.
    pub fn endless() -> Self {
        let spaces = Bytes::from(vec![b' '; 64 * 1024]);
        Self::new([
            BodyAction::Send(Bytes::from_static(b"{\"data\":[")),
            BodyAction::Repeat(spaces),
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
                Some(BodyAction::Repeat(bytes)) => return Poll::Ready(Some(Ok(bytes))),
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
pub fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

/// A gzip of `decompressed` spaces, rounded up to MiB, at about 1 KiB for each.
///
/// One MiB is compressed once, with a full flush, so that its block ends on a byte and refers to nothing before it; the
/// block then repeats inside a single gzip member, because not every reader goes on to a second member.
pub fn gzip_bomb(decompressed: u64) -> Vec<u8> {
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
        flate2::read::GzDecoder::new(bomb.as_slice())
            .read_to_end(&mut unpacked)
            .unwrap();
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
