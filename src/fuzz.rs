//! Entry points of the fuzz targets: they parse bytes from outside without I/O. Built only with
//! `cfg(fuzzing)`; `fuzz/` holds the properties.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use url::Url;

use crate::config::settings::OutputFormat;
use crate::filter::WhereExpression;
use crate::http::exchange;
use crate::http::message::UnreadableBody;
use crate::http::message::{Endpoint, Request, Response};
use crate::http::retry::RetryBudget;
use crate::model::json::Document;
use crate::model::name::SourceKind;
use crate::model::time::Timestamp;
use crate::normalise::{self, RecordOrigin};
use crate::render;
use crate::source::{Page, PageLocator, Source};
use crate::state::checkpoint::{self, Checkpoint};

/// What each record of a page becomes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// The normalized event of each, its newline included.
    pub normalized: Vec<Vec<u8>>,
    /// The raw object of each, its newline included.
    pub raw: Vec<Vec<u8>>,
    /// The ECS document of each, its newline included.
    pub ecs: Vec<Vec<u8>>,
    /// The event of each in OCSF, its newline included.
    pub ocsf: Vec<Vec<u8>>,
}

/// A checkpoint as a state file holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct State(Checkpoint);

/// What is made of an answer that brings no page.
#[derive(Debug, Clone)]
pub struct Refused {
    /// How long until the next attempt; nothing when it is given up.
    pub delay: Option<Duration>,
    /// The error as it is shown to the user.
    pub text: String,
}

/// The longest wait that [`answer`] lets a server ask for.
pub const MAX_WAIT: Duration = Duration::from_secs(900);

/// Whether the expression of `--where` is true of some event; nothing when it is no expression.
pub fn is_true(expression: &str) -> Option<bool> {
    const EVENT: &str = r#"{"time":"2026-11-20T09:30:00.000Z","action":"user_login","outcome":"failure",
        "actor":{"name":"Mei","id":7},"targets":[{"name":"a"},{"name":null},[],"x"],"labels":{"a b":"c"}}"#;
    let event = Document::parse(ByteString::from(EVENT)).ok()?;
    Some(WhereExpression::parse(expression).ok()?.is_true(event.root()))
}

/// The lines of a page of organization events; nothing when `body` is no such page.
pub fn org_page(body: &[u8]) -> Option<Lines> {
    lines(SourceKind::OrgEvents, body)
}

/// The lines of a page of Jira audit records; nothing when `body` is no such page.
pub fn jira_page(body: &[u8]) -> Option<Lines> {
    lines(SourceKind::JiraAudit, body)
}

/// The lines of a page of Confluence audit records; nothing when `body` is no such page.
pub fn confluence_page(body: &[u8]) -> Option<Lines> {
    lines(SourceKind::ConfluenceAudit, body)
}

/// The lines of a page of a Data Center's audit events, read by the account `ada`; nothing when
/// `body` is no such page.
pub fn datacenter_page(body: &[u8]) -> Option<Lines> {
    lines(SourceKind::DatacenterAudit, body)
}

/// What is made of an answer; nothing when it brings a page.
pub fn answer(status: u16, headers: Vec<(String, String)>, body: &[u8]) -> Option<Refused> {
    let request = Request::get(Endpoint::EventsStream, base_url()?);
    let patience = RetryBudget { retry_for: Duration::from_secs(60), max_wait: MAX_WAIT };
    let (decision, failure) =
        exchange::judged(&request, &response(status, headers, body), &patience)?;
    Some(Refused { delay: decision.delay(), text: failure.to_string() })
}

impl State {
    /// The checkpoint that the text of a state file holds, if it is one.
    pub fn load(text: &[u8]) -> Option<State> {
        checkpoint::read(Path::new(""), text).ok().map(State)
    }

    /// The text of its state file.
    pub fn save(&self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        checkpoint::write(&self.0, &mut text).ok()?;
        Some(text)
    }
}

fn lines(kind: SourceKind, body: &[u8]) -> Option<Lines> {
    let source = Source::new(kind, &base_url()?, Some("org-1"), 1000);
    let answer = response(200, Vec::new(), body);
    let page: Result<Page, UnreadableBody> = source.read(&PageLocator::Start, &answer);
    let origin = RecordOrigin {
        org_id: Some("org-1".to_owned()),
        site: Some("acme.example".to_owned()),
        reader: Some("ada".to_owned()),
        ..RecordOrigin::named("acme", kind)
    };
    let mut lines = Lines::default();
    for record in page.ok()?.records {
        let event = normalise::normalise(&origin, &record, Timestamp::UNIX_EPOCH);
        for (format, of_format) in [
            (OutputFormat::Normalized, &mut lines.normalized),
            (OutputFormat::Raw, &mut lines.raw),
            (OutputFormat::Ecs, &mut lines.ecs),
            (OutputFormat::Ocsf, &mut lines.ocsf),
        ] {
            let mut line = Vec::new();
            render::append_line(format, &event, &record, &mut line);
            of_format.push(line);
        }
    }
    Some(lines)
}

fn response(status: u16, headers: Vec<(String, String)>, body: &[u8]) -> Response {
    Response { status, headers, body: Bytes::copy_from_slice(body) }
}

fn base_url() -> Option<Url> {
    Url::parse("https://api.example").ok()
}
