//! The input of a page besides its events.

use maud::Markup;

use crate::model::time::Timestamp;

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
    /// The sources, in the order in which their events are counted.
    pub source_names: Vec<&'a str>,
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
