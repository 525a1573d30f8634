//! Owns the steps of a check, in their order, and what one of them says.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

/// A step, in the order of the way to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Name {
    /// The settings make sense, and a client can be built from them.
    Configuration,
    /// The secret is where it should be.
    Credential,
    /// The host's name has an address.
    Dns,
    /// It takes a connection.
    Connected,
    /// The site told its cloud id.
    CloudId,
    /// The connection is secure.
    Tls,
    /// The API answered.
    Answered,
    /// It knows the credential.
    Authorised,
    /// The credential may read the log.
    Permitted,
    /// A page could be read.
    PageRead,
    /// When the newest event happened.
    NewestEvent,
    /// How far the clocks are apart.
    ClockSkew,
    /// What is left of the server's limit.
    LimitLeft,
    /// When the credential ends.
    KeyExpires,
    /// The state can be kept.
    StateWritable,
    /// The output can be written.
    OutputWritable,
}

impl Name {
    /// All of them.
    pub const ALL: [Name; 16] = [
        Name::Configuration,
        Name::Credential,
        Name::Dns,
        Name::Connected,
        Name::CloudId,
        Name::Tls,
        Name::Answered,
        Name::Authorised,
        Name::Permitted,
        Name::PageRead,
        Name::NewestEvent,
        Name::ClockSkew,
        Name::LimitLeft,
        Name::KeyExpires,
        Name::StateWritable,
        Name::OutputWritable,
    ];

    /// The words for it.
    pub fn label(self) -> &'static str {
        match self {
            Name::Configuration => "configuration",
            Name::Credential => "credential",
            Name::Dns => "DNS",
            Name::Connected => "connected",
            Name::CloudId => "cloud id",
            Name::Tls => "TLS",
            Name::Answered => "answered",
            Name::Authorised => "authorised",
            Name::Permitted => "permitted",
            Name::PageRead => "page read",
            Name::NewestEvent => "newest event",
            Name::ClockSkew => "clock",
            Name::LimitLeft => "limit left",
            Name::KeyExpires => "key expires",
            Name::StateWritable => "state",
            Name::OutputWritable => "output",
        }
    }
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Well.
    Ok,
    /// Well, but someone should know.
    Warning,
    /// Nobody tells.
    Untold,
    /// Not, and nothing behind it was tried.
    Failed,
    /// It was not tried.
    NotTried,
}

impl Mark {
    /// The word for it.
    pub fn label(self) -> &'static str {
        match self {
            Mark::Ok => "ok",
            Mark::Warning => "warn",
            Mark::Untold | Mark::NotTried => "-",
            Mark::Failed => "FAILED",
        }
    }
}

/// What a step says. In JSON its facts stand beside its other keys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Which one.
    pub step: Name,
    /// How it went.
    pub state: Mark,
    /// Milliseconds that it took by itself; a step that is read from another one's answer has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<f64>,
    /// In words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// For programs.
    #[serde(flatten)]
    pub facts: Map<String, Value>,
}

impl Step {
    /// A step that went well.
    pub fn ok(step: Name, detail: impl Into<String>) -> Step {
        Step {
            step,
            state: Mark::Ok,
            ms: None,
            detail: detail.into(),
            hint: None,
            facts: Map::new(),
        }
    }

    /// One of which nobody tells anything.
    pub fn unknown(step: Name, detail: impl Into<String>) -> Step {
        Step {
            state: Mark::Untold,
            ..Step::ok(step, detail)
        }
    }

    /// One that someone should know of.
    pub fn warning(step: Name, detail: impl Into<String>, hint: impl Into<String>) -> Step {
        Step {
            state: Mark::Warning,
            hint: Some(hint.into()),
            ..Step::ok(step, detail)
        }
    }

    /// One that was not tried.
    pub fn not_tried(step: Name) -> Step {
        Step {
            state: Mark::NotTried,
            ..Step::ok(step, "")
        }
    }

    /// Adds what it took.
    pub fn with_duration(mut self, span: Duration) -> Step {
        // Tenths are all that is worth telling.
        self.ms = Some((span.as_secs_f64() * 10_000.0).round() / 10.0);
        self
    }

    /// Adds a fact.
    pub fn with_fact(mut self, key: &str, value: impl Into<Value>) -> Step {
        self.facts.insert(key.to_owned(), value.into());
        self
    }
}
