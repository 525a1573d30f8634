//! Mirrors the keys of the configuration file. Every key is optional, and values keep their
//! position in the text, so that a later error can name the line.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use toml::Spanned;

use crate::config::error::{ConfigError, HintedError};
use crate::config::error_location;
use crate::model::name::SourceName;

/// A text value and its position. The tables have no `Debug`: any value may be a misplaced secret.
pub type SpannedText = Option<Spanned<String>>;

/// A number and its place.
pub type SpannedNumber = Option<Spanned<i64>>;

/// A configuration file that was read.
pub struct ConfigFile {
    /// Its path; `None` when there is no file.
    pub path: Option<PathBuf>,
    /// Where it was looked for in vain.
    pub expected_path: Option<PathBuf>,
    text: String,
    /// Its tables.
    pub tables: ConfigTables,
}

impl ConfigFile {
    /// Stands for the file when there is none.
    pub fn absent() -> ConfigFile {
        ConfigFile {
            path: None,
            expected_path: None,
            text: String::new(),
            tables: ConfigTables::default(),
        }
    }

    /// The same, where it was looked for at `path`.
    pub fn absent_at(path: &Path) -> ConfigFile {
        ConfigFile { expected_path: Some(path.to_path_buf()), ..ConfigFile::absent() }
    }

    /// Reads `text`, the content of the file at `path`.
    pub fn parse(path: &Path, text: String) -> Result<ConfigFile, ConfigError> {
        let tables = toml::from_str(&text)
            .map_err(|error| error_location::config_error(&error, path, &text))?;
        Ok(ConfigFile { path: Some(path.to_path_buf()), expected_path: None, text, tables })
    }

    /// `error` with its place, `span` being that of the value to blame. An empty span belongs to a
    /// value that did not come from the file: then the file is not blamed.
    pub fn locate_error(&self, error: ConfigError, span: &Range<usize>) -> ConfigError {
        match &self.path {
            Some(path) if !span.is_empty() => {
                let line = error_location::line_of(&self.text, span.start);
                error.in_file(path, Some(line))
            }
            _ => error,
        }
    }
}

/// The whole file.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub struct ConfigTables {
    /// `[output]`
    pub output: OutputTable,
    /// `[sources.NAME]`
    pub sources: SourceTables,
}

/// `[output]`, or a source's `output.*`.
#[derive(Deserialize, Default, Clone)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
#[allow(missing_docs, reason = "the keys are documented in config.example.toml")]
pub struct OutputTable {
    pub path: SpannedText,
    pub format: SpannedText,
    pub compression: SpannedText,
    pub rotate: SpannedText,
    pub mode: SpannedText,
}

/// One `[sources.NAME]`.
#[derive(Deserialize, Default, Clone)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
#[allow(missing_docs, reason = "the keys are documented in config.example.toml")]
pub struct SourceTable {
    #[serde(rename = "type")]
    pub kind: SpannedText,
    pub org_id: SpannedText,
    pub site: SpannedText,
    pub email: SpannedText,
    pub gateway: SpannedFlag,
    pub cloud_id: SpannedText,
    pub username: SpannedText,
    pub resolve_users: SpannedFlag,
    pub credential: SpannedText,
    pub initial_lookback: SpannedText,
    pub overlap: SpannedText,
    pub late_margin: SpannedText,
    pub key_name: SpannedText,
    /// A string or a TOML date.
    pub expires_on: Option<Spanned<toml::Value>>,
    pub base_url: SpannedText,
    pub page_size: SpannedNumber,
    pub concurrency: SpannedNumber,
    pub requests_per_minute: SpannedNumber,
    pub timeout: SpannedText,
    pub retry_for: SpannedText,
    pub max_wait: SpannedText,
    pub ca_file: SpannedText,
    pub proxy: SpannedText,
    pub output: OutputTable,
}

/// A yes or no and its place.
pub type SpannedFlag = Option<Spanned<bool>>;

/// A value that stands nowhere in the file: it came from a flag or the environment.
pub fn without_span(text: impl Into<String>) -> SpannedText {
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

/// The table that a value was read from, for error messages.
pub(super) struct ErrorLocation<'a> {
    pub(super) file: &'a ConfigFile,
    /// The source's name; without one it is the `[output]` table.
    pub(super) source: Option<&'a SourceName>,
}

impl ErrorLocation<'_> {
    /// Checks one value, if there is one; a refusal names the source, the key and the line.
    pub(super) fn check_value<T, R>(
        &self,
        key: &str,
        value: &Option<Spanned<T>>,
        check: impl FnOnce(&T) -> Result<R, HintedError>,
    ) -> Result<Option<R>, ConfigError> {
        let Some(value) = value else {
            return Ok(None);
        };
        check(value.get_ref()).map(Some).map_err(|refusal| self.locate(key, &value.span(), refusal))
    }

    fn locate(&self, key: &str, span: &Range<usize>, refusal: HintedError) -> ConfigError {
        let what = match self.source {
            Some(name) => format!("source `{name}`: `{key}`: {}", refusal.what),
            None => format!("`{key}`: {}", refusal.what),
        };
        let error: ConfigError = HintedError { what, hint: refusal.hint }.into();
        self.file.locate_error(error, span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConfigFile, ConfigError> {
        ConfigFile::parse(Path::new("/c.toml"), text.to_owned())
    }

    #[test]
    fn sources_keep_the_order_of_the_file() {
        let loaded = parse(
            "[sources.z]\n[sources.a]\noutput.path = '-'\n[sources.m.output]\nmode = '0640'\n",
        )
        .ok()
        .unwrap();
        let names: Vec<_> =
            loaded.tables.sources.0.iter().map(|(name, _)| name.as_ref().as_str()).collect();
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
