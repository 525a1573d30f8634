//! Shows alerts as a table that fits a terminal.

use unicode_width::UnicodeWidthStr as _;

use super::alert::{AlertSeverity, DetectionAlert};
use crate::config::settings::TableStyle;
use crate::model::text::visible;
use crate::render::{fitted, isolated};

/// Where there is less room, the title stands below the rest.
const NARROW: usize = 90;
/// Escape sequences (ECMA-48): bold, red, yellow, and their end.
const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[31m";
const YELLOW: &str = "\u{1b}[33m";
const END: &str = "\u{1b}[0m";

/// Takes alerts one by one, and writes their rows.
#[derive(Debug)]
pub struct AlertTable {
    style: TableStyle,
    has_heads: bool,
}

impl AlertTable {
    /// An empty table.
    pub fn new(style: TableStyle) -> AlertTable {
        AlertTable { style, has_heads: false }
    }

    /// Appends the rows of an alert; before the first, the heads.
    pub fn push(&mut self, alert: &DetectionAlert, out: &mut String) {
        if !self.has_heads {
            self.has_heads = true;
            let time = format!("TIME ({})", self.style.zone);
            let heads = format!("{time:19}  {:8}  {:8}  ALERT", "SEVERITY", "ID");
            let heads = fitted(&heads, self.style.width);
            match self.style.is_coloured {
                true => out.extend([BOLD, &heads, END, "\n"]),
                false => out.extend([&*heads, "\n"]),
            }
        }
        let time = self.style.zone.wall_clock(alert.time).format("%Y-%m-%d %H:%M:%S").to_string();
        let severity = format!("{:8}", alert.severity.as_str());
        let colour = match alert.severity {
            _ if !self.style.is_coloured => None,
            AlertSeverity::High | AlertSeverity::Critical => Some(RED),
            AlertSeverity::Medium => Some(YELLOW),
            AlertSeverity::Low | AlertSeverity::Info => None,
        };
        out.extend([&time, "  "]);
        match colour {
            Some(colour) => out.extend([colour, &severity, END]),
            None => out.push_str(&severity),
        }
        let head = format!("  {}  ", alert.short_id());
        out.push_str(&head);
        let used = time.width() + 2 + severity.width() + head.width();
        let title = visible(&alert.title);
        match self.style.width < NARROW {
            true => {
                out.truncate(out.trim_end().len());
                out.push_str("\n  ");
                out.push_str(&isolated(&fitted(&title, self.style.width.saturating_sub(2))));
            }
            false => {
                let width = self.style.width.saturating_sub(used);
                out.push_str(&isolated(&fitted(&title, width)));
            }
        }
        out.push('\n');
    }
}
