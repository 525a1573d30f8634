//! The line that an export keeps of each response: the request and its outcome, never the
//! credential.

use serde::{Deserialize, Serialize};

use crate::model::time::Timestamp;

/// The largest body that is received: an answer beyond it is refused.
pub const LARGEST_BODY: u64 = 64 * 1024 * 1024;

/// One attempt to get one page, in the order in which answers came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageLine {
    /// Its number, from 1, without a gap.
    pub n: u64,
    /// The request.
    pub request: PageRequest,
    /// The requested time range; `None` for a response that is no page of records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<RequestedSpan>,
    /// The answer's status; nothing where there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The answer's relevant headers, lower-case, in the order received.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// When the answer was whole, or the attempt had failed; by this machine's clock.
    pub received: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Which attempt at this request it was, from 1.
    pub attempt: u32,
    /// The body, as it was received, after the transport's own packing was undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyDigest>,
    /// Records of the page; nothing where it was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// What the server says the next page is, as the source's API words it; nothing at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Why it brought no page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Milliseconds waited before the next attempt; nothing where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_ms: Option<u64>,
}

impl PageLine {
    /// Appends it as a line to `text`.
    pub fn append_to(&self, text: &mut Vec<u8>) {
        // Into memory, which takes everything.
        let _ = serde_json::to_writer(&mut *text, self);
        text.push(b'\n');
    }
}

/// The request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest {
    /// `GET`.
    pub method: String,
    /// The whole URL.
    pub url: String,
}

/// The requested time range of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedSpan {
    /// Its start, included.
    pub from: Timestamp,
    /// Its end, not included; nothing where it was left open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

/// A body, by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyDigest {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
}
