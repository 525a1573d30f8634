//! Owns `report.html`: the export as one page for people who have no tool, made from the manifest and the events.
//!
//! It holds no script and asks nothing of the network, and a policy in it forbids both. The same manifest and
//! events make the same bytes, so that the page can be made again and compared.

mod arguments;
mod truncated_text;
mod buckets;
mod chart;
mod first_n;
mod flow;
mod html;
mod event_lines;
mod page_layout;
mod proof;
mod report_event;
mod statistics;
mod tables;
mod frequency;
mod ticks;
mod verdict;
mod visible;
mod report_texts;

#[cfg(test)]
mod tests;

use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::manifest::Manifest;
use html::HtmlPage;
use statistics::EventStatistics;

/// Why there is no page. What is wrong with the events is no reason: the page says it.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Where it goes to.
    #[error("the report cannot be written")]
    Write(#[from] io::Error),
}

/// Writes the page of the export in `dir`, which `manifest` is of.
///
/// # Errors
/// `out` cannot be written to.
pub fn write(dir: &Path, manifest: &Manifest, out: &mut impl Write) -> Result<(), ReportError> {
    let statistics = EventStatistics::of(dir, manifest);
    let mut out = BufWriter::new(out);
    page_layout::write(&mut HtmlPage::new(&mut out), manifest, &statistics)?;
    Ok(out.flush()?)
}
