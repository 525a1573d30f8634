//! The faults a test may script, and the queue they wait in.

use std::{collections::VecDeque, time::Duration};

/// Something that happens to one request instead of, or on top of, its normal answer.
///
/// A fault comes before credentials and rate limits: the request it hits counts towards no limit.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// No fault: lets one request through, so that a queue can hit the third page.
    Pass,
    /// This answer. JSON is announced when the body starts like it and no `content-type` is given.
    Status {
        /// The status code.
        status: u16,
        /// Headers, added to the usual ones.
        headers: Vec<(String, String)>,
        /// The body, sent as it is.
        body: String,
    },
    /// 200 with a login page in `text/html`.
    Html,
    /// 302 to this location.
    Redirect(String),
    /// No answer, and the connection stays open.
    Hang,
    /// The connection is closed (FIN) before the first byte of the answer.
    CloseBeforeResponse,
    /// The connection is reset (RST) before the first byte of the answer.
    ResetBeforeResponse,
    /// The normal answer with its right `content-length`, closed half-way.
    CloseMidBody,
    /// The normal answer in chunked encoding, closed half-way without the last chunk.
    CloseMidChunks,
    /// The normal answer with its right `content-length`, reset (RST) half-way.
    ResetMidBody,
    /// The normal answer with its right `content-length`, silent from half-way on.
    StallMidBody,
    /// The normal answer, but `content-length` says this. Too large: the connection closes early.
    /// Too small: it is cut there.
    WrongLength(usize),
    /// The normal answer cut half-way; a `content-length` that agrees with the cut.
    TruncatedJson,
    /// The normal answer, but where this text first stands in it, its first byte is 0xFF, which is
    /// not valid UTF-8.
    BadByte(String),
    /// 200 `application/json` whose body is no JSON.
    NotJson,
    /// 200 `application/json` without a byte of body.
    EmptyBody,
    /// The normal answer in pieces.
    SlowBody {
        /// Bytes in each piece; at least 1.
        chunk_bytes: usize,
        /// The pause before each piece.
        pause: Duration,
    },
    /// 200 whose body never ends: a JSON opening, then spaces, as fast as they are read.
    EndlessBody,
    /// 200, `content-encoding: gzip`, a small body that unpacks to this many bytes (rounded up to
    /// MiB).
    GzipBomb(u64),
    /// The last 200 response of this API again, byte for byte. Without one, the normal answer.
    RepeatPage,
    /// The normal page, but it goes on where the request did: the `meta.next` of events-stream and
    /// of workspaces, Data Center's `nextPageCursor` and Confluence's `_links.next` name the cursor
    /// or `start` of the request. Without one, and for Jira, the normal answer.
    SameCursor,
    /// The page begins this many events before its place, and those after it follow: pages
    /// overlap.
    Overlap(usize),
    /// No data, though there is some; all but Jira give a good cursor or link that has it.
    EmptyPageWithCursor,
    /// 400 `ADMIN-400-1` "Invalid page cursor", for a workspace in its own words, with or without a
    /// cursor in the request.
    ExpiredCursor,
    /// 200 `application/json` with exactly this text, whatever `pretty_json` says.
    RawBody(String),
}

/// Faults waiting for the requests to one API, first come first served.
#[derive(Debug, Default)]
pub struct FaultQueue {
    waiting: VecDeque<(Fault, Option<usize>)>,
}

impl FaultQueue {
    /// Queues `fault` for `times` requests; None: for all that follow.
    pub fn push(&mut self, fault: Fault, times: Option<usize>) {
        if times != Some(0) {
            self.waiting.push_back((fault, times));
        }
    }

    /// The fault of the next request.
    pub fn take(&mut self) -> Fault {
        let Some((fault, times)) = self.waiting.front_mut() else {
            return Fault::Pass;
        };
        let fault = fault.clone();
        if let Some(left) = times {
            *left -= 1;
            if *left == 0 {
                self.waiting.pop_front();
            }
        }
        fault
    }

    /// Forgets what is still waiting.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_in_order_and_run_out() {
        let mut script = FaultQueue::default();
        script.push(Fault::Html, Some(2));
        script.push(Fault::Hang, Some(0));
        script.push(Fault::NotJson, None);
        assert_eq!(script.take(), Fault::Html);
        assert_eq!(script.take(), Fault::Html);
        assert_eq!(script.take(), Fault::NotJson);
        assert_eq!(script.take(), Fault::NotJson);
        script.clear();
        assert_eq!(script.take(), Fault::Pass);
    }
}
