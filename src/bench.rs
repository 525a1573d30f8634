//! Entry points of the benchmarks: composed records, and the path without I/O from the bytes of a
//! page, or from saved lines, to rendered lines and to alerts. Built only with the feature `bench`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use url::Url;

use crate::config::detection::DetectSettings;
use crate::config::settings::OutputFormat;
use crate::config::validate;
use crate::detect::{AlertSchema, DetectionSetup, LiveDetection};
use crate::http::message::Response;
use crate::model::json::Document;
use crate::model::name::SourceKind;
use crate::model::record::Record;
use crate::model::time::Timestamp;
use crate::normalise::{self, RecordOrigin};
use crate::pipeline::record_processor::{RecordProcessor, RenderedEvents};
use crate::render;
use crate::sandbox::{self, Api, DataOptions};
use crate::source::{self, PageLocator, Source};

/// The end of the history: a fixed one, so that every run measures the same bytes.
const NOW_MS: i64 = 1_795_176_000_000;

/// A source's records, as pages and as lines, and the way to render them.
pub struct Load {
    source: Source,
    origin: RecordOrigin,
    format: OutputFormat,
    pages: Vec<Response>,
    lines: Bytes,
    count: usize,
    detection: Arc<DetectionSetup>,
}

impl Load {
    /// `count` records of the source of this name, to be rendered in the format of this name.
    pub fn new(source: &str, format: &str, count: usize) -> Option<Load> {
        let kind: SourceKind = source.parse().ok()?;
        let texts = sandbox::history(api(kind), &history(count));
        let url: Url = Url::parse("https://api.example").ok()?;
        let (size, list): (_, &str) = match kind {
            SourceKind::OrgEvents => (500, "data"),
            SourceKind::JiraAudit => (1000, "records"),
            SourceKind::ConfluenceAudit => (1000, "results"),
            SourceKind::WorkspaceEvents => (500, "data"),
            SourceKind::DatacenterAudit => (1000, "entities"),
        };
        let source = Source::new(kind, &url, Some("org-1"), u32::try_from(size).ok()?);
        let pages = pages(&texts, size, list);
        Some(Load {
            source,
            origin: RecordOrigin {
                org_id: Some("4d2c1f7a-9b60-4e8e-8f35-6a1d0c7e5b92".to_owned()),
                site: Some("acme.example".to_owned()),
                ..RecordOrigin::named("acme", kind)
            },
            format: validate::format(format).ok()?,
            count: texts.len(),
            lines: Bytes::from(texts.join("\n")),
            pages,
            detection: DetectionSetup::load(DetectSettings::default(), now()?).ok()?.into(),
        })
    }

    /// How many records there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The bytes of the records.
    pub fn bytes(&self) -> usize {
        self.lines.len()
    }

    /// The records of all pages; nothing where one is no page.
    pub fn read(&self) -> Option<Vec<Vec<Record>>> {
        let read = |page| Some(self.source.read(&PageLocator::Start, page).ok()?.records);
        self.pages.iter().map(read).collect()
    }

    /// What becomes of all pages, page after page as a pull takes them; the length of the lines.
    pub fn pages_to_lines(&self) -> Option<usize> {
        self.pages_to(None)
    }

    /// The same where events are judged; the length of the lines and of those of alerts.
    pub fn pages_to_alerts(&self) -> Option<usize> {
        let setup = Arc::clone(&self.detection);
        let mut detection = LiveDetection::new(Arc::clone(&setup), AlertSchema::Alerts, None);
        let length = self.pages_to(Some((setup, &mut detection)))?;
        Some(length + detection.take_lines().len())
    }

    fn pages_to(
        &self,
        mut judging: Option<(Arc<DetectionSetup>, &mut LiveDetection)>,
    ) -> Option<usize> {
        let overlap = Duration::from_secs(600);
        let now = now()?;
        let mut step = RecordProcessor::new(self.origin.clone(), self.format, overlap, now);
        step.detection = judging.as_ref().map(|(setup, _)| Arc::clone(setup));
        let (mut rendered, mut length) = (RenderedEvents::default(), 0);
        for page in &self.pages {
            let page = self.source.read(&PageLocator::Start, page).ok()?;
            rendered.lines.clear();
            step.mark_batch(&page.records);
            step.process(&page.records, now, &mut rendered);
            step.prune(None);
            length += rendered.lines.len();
            if let Some((_, detection)) = &mut judging {
                for event in rendered.judged.drain(..) {
                    detection.add(event).ok()?;
                }
                detection.judge_before(Timestamp::MAX_UTC).ok()?;
            }
        }
        Some(length)
    }

    /// What becomes of raw lines kept earlier; the length of the new ones.
    pub fn lines_to_lines(&self) -> Option<usize> {
        let now = now()?;
        let (mut lines, mut length) = (Vec::new(), 0);
        let ends = memchr::memchr_iter(b'\n', &self.lines).chain([self.lines.len()]);
        let mut start = 0;
        for end in ends {
            let text = ByteString::try_from(self.lines.slice(start..end)).ok()?;
            start = end + 1;
            let doc = Document::parse(text).ok()?;
            let record = source::record_of(self.origin.kind, doc);
            let event = normalise::normalise(&self.origin, &record, now);
            lines.clear();
            render::append_line(self.format, &event, &record, &mut lines);
            length += lines.len();
        }
        Some(length)
    }
}

fn now() -> Option<Timestamp> {
    Timestamp::from_timestamp_millis(NOW_MS)
}

fn api(kind: SourceKind) -> Api {
    match kind {
        SourceKind::OrgEvents => Api::OrgEvents,
        SourceKind::JiraAudit => Api::JiraAudit,
        SourceKind::ConfluenceAudit => Api::ConfluenceAudit,
        SourceKind::WorkspaceEvents => Api::JiraWorkspace,
        SourceKind::DatacenterAudit => Api::DatacenterAudit,
    }
}

fn history(count: usize) -> DataOptions {
    DataOptions {
        seed: 7,
        org_events: count,
        jira_records: count,
        confluence_records: count,
        datacenter_events: count,
        workspace_events: count,
        now: now().unwrap_or_default(),
        days: 30,
        clean: false,
    }
}

/// Answers of so many records each, in a list at `key`.
fn pages(texts: &[String], size: usize, key: &str) -> Vec<Response> {
    let page = |texts: &[String]| Response {
        status: 200,
        headers: Vec::new(),
        body: Bytes::from(format!("{{\"{key}\":[{}]}}", texts.join(","))),
    };
    texts.chunks(size).map(page).collect()
}
