//! `report.html`: events as one page for people who have no tool.
//!
//! It holds no script and requests nothing, and a policy in it forbids both. The same input and
//! events make the same bytes, so that the page can be made again and compared.

mod chart;
mod frequency;
mod input;
mod page;
mod report_event;
mod statistics;
mod tables;
mod text;
mod time_buckets;
mod wording;

pub use input::{ReportInput, ReportSection, SourceSpan};
pub use page::html_page;
pub use statistics::EventStatistics;
pub use tables::table;
pub use text::{TruncatedText, or_dash, text, time};
pub use wording::{counted_noun, date_time, duration, duration_between, events, minute, size};
