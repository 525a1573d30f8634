//! `report.html`: events as one page for people who have no tool.
//!
//! It holds no script and requests nothing, and a policy in it forbids both. The same input and
//! events make the same bytes, so that the page can be made again and compared.

mod alerts;
mod chart;
mod event_rows;
mod event_tables;
mod frequency;
mod guessed_logins;
mod newcomers;
mod page;
mod posture_section;
mod report_event;
mod source_charts;
mod statistics;
mod text;
mod value_tables;

use maud::Markup;

use crate::model::time::Timestamp;

pub use alerts::{DetectionNotes, ReportAlerts};
pub use frequency::FrequencyCounter;
pub use page::{html_page, verdict_section};
pub use posture_section::{ReportedFinding, posture_section, read_findings};
pub use report_event::{CountedValue, ReportSource};
pub use statistics::EventStatistics;
pub use text::{
    TableColumn, TruncatedText, counted_noun, date_time, duration, duration_between, events,
    minute, or_dash, size, table, text, time,
};

/// The words around the events.
pub struct ReportInput<'a> {
    /// What the page is of: `Audit log export`; the title in a list of pages.
    pub kind: &'a str,
    /// The names in the heading.
    pub heading: Vec<&'a str>,
    /// The start of the time range.
    pub since: Timestamp,
    /// Its end, not included.
    pub until: Timestamp,
    /// Where the chart begins: nothing before it can be in the events.
    pub shown_since: Timestamp,
    /// The number of sources.
    pub source_count: usize,
    /// What was not read: the chart hatches it.
    pub unread: Vec<SourceSpan<'a>>,
    /// What the sources no longer kept: the chart shades it.
    pub removed: Vec<SourceSpan<'a>>,
    /// What comes first: whether anything is missing, or what the events are of.
    pub verdict: Markup,
    /// What was found in the events, where they were judged.
    pub alerts: Option<ReportAlerts>,
    /// Where all events are, for tables that leave some out: `in the files under events/`.
    pub all_events: Option<Markup>,
    /// Further sections, between the administrative changes and the events.
    pub sections: Vec<ReportSection>,
    /// The last line.
    pub footer: Markup,
}

/// What a verdict is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictTone {
    /// Nothing is missing.
    Good,
    /// Nothing is missing of what there was.
    Neutral,
    /// It says what the events are of; what is missing is not known.
    Information,
    /// Something is missing.
    Bad,
}

/// A time range of one source.
pub struct SourceSpan<'a> {
    /// The source's name.
    pub source: &'a str,
    /// Its start.
    pub from: Timestamp,
    /// Its end, not included.
    pub to: Timestamp,
}

/// A section of the page.
pub struct ReportSection {
    /// What a link to it ends with.
    pub id: &'static str,
    /// The text of the link at the top of the page.
    pub link: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What it says.
    pub body: Markup,
}
