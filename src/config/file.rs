//! Owns the shape of the configuration file: a mirror of its keys, everything optional, nothing checked
//! but types and names. Values keep their place in the text, so that a later refusal can name the line.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use toml::Spanned;

use crate::config::blame;
use crate::config::error::ConfigError;

/// A text value and its place. Without `Debug` on the tables: a misplaced secret may sit in any value.
pub type Text = Option<Spanned<String>>;

/// A number and its place.
pub type Number = Option<Spanned<i64>>;

/// A configuration file that was read.
pub struct Loaded {
    /// Its path; `None` when there is no file.
    pub path: Option<PathBuf>,
    /// Where it was looked for in vain.
    pub expected_path: Option<PathBuf>,
    text: String,
    /// Its tables.
    pub tables: Tables,
}

impl Loaded {
    /// Stands for the file when there is none.
    pub fn absent() -> Loaded {
        Loaded {
            path: None,
            expected_path: None,
            text: String::new(),
            tables: Tables::default(),
        }
    }

    /// The same, where it was looked for at `path`.
    pub fn absent_at(path: &Path) -> Loaded {
        Loaded {
            expected_path: Some(path.to_path_buf()),
            ..Loaded::absent()
        }
    }

    /// Reads `text`, the content of the file at `path`.
    pub fn parse(path: &Path, text: String) -> Result<Loaded, ConfigError> {
        let tables = toml::from_str(&text).map_err(|error| blame::config_error(&error, path, &text))?;
        Ok(Loaded {
            path: Some(path.to_path_buf()),
            expected_path: None,
            text,
            tables,
        })
    }

    /// `error` with its place, `span` being that of the value to blame. An empty span belongs to a
    /// value that did not come from the file: then the file is not blamed.
    pub fn locate_error(&self, error: ConfigError, span: &Range<usize>) -> ConfigError {
        match &self.path {
            Some(path) if !span.is_empty() => {
                let line = blame::line_of(&self.text, span.start);
                error.in_file(path, Some(line))
            }
            _ => error,
        }
    }
}

/// The whole file.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub struct Tables {
    /// `[output]`
    pub output: OutputTable,
    /// `[sources.NAME]`
    pub sources: SourceTables,
}

/// `[output]`, or a source's `output.*`.
#[derive(Deserialize, Default, Clone)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
#[allow(
    missing_docs,
    reason = "the keys are documented in config.example.toml"
)]
pub struct OutputTable {
    pub path: Text,
    pub format: Text,
    pub compression: Text,
    pub rotate: Text,
    pub mode: Text,
}

/// One `[sources.NAME]`.
#[derive(Deserialize, Default, Clone)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
#[allow(
    missing_docs,
    reason = "the keys are documented in config.example.toml"
)]
pub struct SourceTable {
    #[serde(rename = "type")]
    pub kind: Text,
    pub org_id: Text,
    pub site: Text,
    pub email: Text,
    pub gateway: Flag,
    pub cloud_id: Text,
    pub username: Text,
    pub resolve_users: Flag,
    pub credential: Text,
    pub initial_lookback: Text,
    pub overlap: Text,
    pub late_margin: Text,
    pub key_name: Text,
    /// A string or a TOML date.
    pub expires_on: Option<Spanned<toml::Value>>,
    pub base_url: Text,
    pub page_size: Number,
    pub concurrency: Number,
    pub requests_per_minute: Number,
    pub timeout: Text,
    pub retry_for: Text,
    pub max_wait: Text,
    pub ca_file: Text,
    pub proxy: Text,
    pub output: OutputTable,
}

/// A yes or no and its place.
pub type Flag = Option<Spanned<bool>>;

/// A value that stands nowhere in the file: it came from a flag or the environment.
pub fn without_span(text: impl Into<String>) -> Text {
    Some(Spanned::new(0..0, text.into()))
}

/// The sources in the order of the file.
#[derive(Default)]
pub struct SourceTables(pub Vec<(Spanned<String>, SourceTable)>);

impl<'de> Deserialize<'de> for SourceTables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InFileOrder)
    }
}

struct InFileOrder;

impl<'de> Visitor<'de> for InFileOrder {
    type Value = SourceTables;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table for each source, such as `[sources.acme]`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut sources = Vec::new();
        while let Some(entry) = map.next_entry::<Spanned<String>, SourceTable>()? {
            sources.push(entry);
        }
        // The parser hands tables out by name; people expect the order that they wrote.
        sources.sort_by_key(|(name, _)| name.span().start);
        Ok(SourceTables(sources))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Loaded, ConfigError> {
        Loaded::parse(Path::new("/c.toml"), text.to_owned())
    }

    #[test]
    fn sources_keep_the_order_of_the_file() {
        let loaded = parse(
            "[sources.z]\n[sources.a]\noutput.path = '-'\n[sources.m.output]\nmode = '0640'\n",
        )
        .ok()
        .unwrap();
        let names: Vec<_> = loaded
            .tables
            .sources
            .0
            .iter()
            .map(|(name, _)| name.as_ref().as_str())
            .collect();
        assert_eq!(names, ["z", "a", "m"]);
    }

    #[test]
    fn a_value_without_a_span_names_no_file() {
        let loaded = parse("[output]\npath = '-'\n").ok().unwrap();
        let span = loaded.tables.output.path.clone().unwrap().span();
        let error = || ConfigError::new("no");
        assert_eq!(loaded.locate_error(error(), &span).to_string(), "/c.toml:2: no");
        assert_eq!(loaded.locate_error(error(), &(0..0)).to_string(), "no");
    }
}
