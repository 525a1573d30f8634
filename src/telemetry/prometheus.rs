//! Writes Prometheus' text format, into the file that the node exporter's textfile collector reads.

use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::files::{Durability, FileReplacement};

/// What a value does over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// The label pairs of a sample.
pub type MetricLabels<'a> = &'a [(&'a str, &'a str)];

/// A text of families.
#[derive(Debug, Default)]
pub struct MetricsText {
    text: String,
}

impl MetricsText {
    /// Adds the family `name` with its samples; nothing where there is none.
    pub fn family<'a>(
        &mut self,
        name: &str,
        kind: MetricKind,
        help: &str,
        samples: impl IntoIterator<Item = (Vec<(&'a str, &'a str)>, f64)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let kind = match kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
        };
        self.text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        for (labels, value) in samples {
            self.text.push_str(name);
            self.labels(&labels);
            // A text is written without fail.
            let _ = writeln!(self.text, " {value}");
        }
    }

    /// The whole text.
    pub fn into_text(self) -> String {
        self.text
    }

    fn labels(&mut self, labels: MetricLabels<'_>) {
        for (place, (name, value)) in labels.iter().enumerate() {
            self.text.push(if place == 0 { '{' } else { ',' });
            self.text.push_str(name);
            self.text.push_str("=\"");
            for c in value.chars() {
                match c {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
    }
}

/// Puts `text` in the place of the file `path`, whole or not at all, with the permission bits `mode`. Whatever
/// lies beside it meanwhile does not end as the collector's files do.
///
/// # Errors
/// What the file system says; an old file is still there.
pub fn replace(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    if path.symlink_metadata().is_ok_and(|facts| !facts.is_file()) {
        return Err(io::Error::other("it is not a regular file"));
    }
    // After a crash nobody wants the old figures.
    FileReplacement::new(path, Durability::None).named(".atlaudit-metrics-", ".tmp").write(|out| {
        out.write_all(text.as_bytes())?;
        out.get_ref().set_permissions(Permissions::from_mode(mode))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_family_is_written_as_the_format_wants_it() {
        let mut text = MetricsText::default();
        let samples = [(vec![("source", "a\"b\\c\nd"), ("type", "x")], 12.0), (vec![], 1.5)];
        text.family("x_total", MetricKind::Counter, "All\nof \\ it.", samples);
        text.family("none", MetricKind::Gauge, "Nothing.", []);
        assert_eq!(
            text.into_text(),
            "# HELP x_total All\\nof \\\\ it.\n# TYPE x_total counter\nx_total{source=\"a\\\"b\\\\c\\nd\",type=\"x\"} 12\nx_total 1.5\n"
        );
    }

    #[test]
    fn large_numbers_stay_exact() {
        let mut text = MetricsText::default();
        text.family("x", MetricKind::Gauge, "", [(vec![], 9_007_199_254_740_991.0)]);
        assert!(text.into_text().ends_with("x 9007199254740991\n"));
    }

    #[test]
    fn the_file_is_replaced_and_has_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.prom");
        for (text, mode) in [("one\n", 0o644), ("two\n", 0o640)] {
            replace(&path, text, mode).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            let found = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        replace(folder.path(), "x", 0o644).unwrap_err();
        replace(Path::new("/dev/null"), "x", 0o644).unwrap_err();
        replace(&folder.path().join("no/x.prom"), "x", 0o644).unwrap_err();
    }
}
