//! `report.html`: events as one page for people who have no tool.
//!
//! It holds no script and requests nothing, and a policy in it forbids both. The same input and
//! events make the same bytes, so that the page can be made again and compared.

mod chart;
mod page;
mod report_event;
mod statistics;
mod text;

use maud::Markup;

use crate::model::time::Timestamp;

pub use page::html_page;
pub use report_event::{CountedValue, ReportSource};
pub use statistics::{EventStatistics, FrequencyCounter};
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
    /// What comes first: whether anything is missing.
    pub verdict: Markup,
    /// Further sections, between the administrative changes and the events.
    pub sections: Vec<ReportSection>,
    /// The last line.
    pub footer: Markup,
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
