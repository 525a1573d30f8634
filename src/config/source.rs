//! Owns the check of one source's table: from what was typed to settings that the rest may trust.

use std::time::Duration;

use toml::Spanned;

use crate::config::credential_spec;
use crate::config::error::{ConfigError, HintedError};
use crate::config::validate;
use crate::config::file::{ConfigFile, OutputTable, SourceTable};
use crate::config::output::{self, OutputLayer};
use crate::config::settings::{ConnectionSettings, CredentialSpec, SourceSettings};
use crate::config::target;
use crate::config::keywords;
use crate::model::name::{SourceKind, SourceName};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The most records that a page may ask for, and what is asked for by default: fewer requests for
/// the same events. events-stream takes 500 at most (Organizations REST API), Jira and Confluence 1000;
/// Data Center would take 100,000, but a page is held in memory.
pub fn max_page_size(kind: SourceKind) -> u32 {
    match kind {
        SourceKind::OrgEvents => 500,
        SourceKind::JiraAudit | SourceKind::ConfluenceAudit | SourceKind::DatacenterAudit => 1000,
    }
}

/// Parts of a window that are read at once by default. events-stream: so many that a server which takes
/// five seconds for a page can be asked 50 times a minute.
fn default_concurrency(kind: SourceKind) -> u32 {
    match kind {
        SourceKind::OrgEvents => 5,
        SourceKind::JiraAudit | SourceKind::ConfluenceAudit | SourceKind::DatacenterAudit => 8,
    }
}

/// A place to blame: the file and the table in it.
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
        check(value.get_ref())
            .map(Some)
            .map_err(|refusal| self.locate(key, &value.span(), refusal))
    }

    fn locate(&self, key: &str, span: &std::ops::Range<usize>, refusal: HintedError) -> ConfigError {
        let what = match self.source {
            Some(name) => format!("source `{name}`: `{key}`: {}", refusal.what),
            None => format!("`{key}`: {}", refusal.what),
        };
        let error: ConfigError = HintedError {
            what,
            hint: refusal.hint,
        }
        .into();
        self.file.locate_error(error, span)
    }
}

/// Checks one source. `place` is where its table starts, for what is missing in it.
pub(super) fn check(
    at: &ErrorLocation<'_>,
    name: &SourceName,
    place: &std::ops::Range<usize>,
    table: &SourceTable,
    below: &OutputLayer,
) -> Result<SourceSettings, ConfigError> {
    let missing = |(key, hint): (&str, &str)| {
        let error = ConfigError::new(format!("source `{name}`: `{key}` is missing")).hint(hint);
        at.file.locate_error(error, place)
    };
    let kind = at
        .check_value("type", &table.kind, |text| keywords::source_kind(text))?
        .ok_or_else(|| missing(("type", "add `type = \"org-events\"`, or another type")))?;
    let target = target::check(at, table, kind)?.map_err(missing)?;
    let most = max_page_size(kind);
    let page_size = at.check_value("page_size", &table.page_size, |n| {
        validate::number(*n, 1..=most)
    })?;
    let concurrency = at.check_value("concurrency", &table.concurrency, |n| {
        validate::number(*n, 1..=64)
    })?;
    let credential = at.check_value("credential", &table.credential, |text| {
        credential_spec::parse(text)
    })?;
    let overlap = at.check_value("overlap", &table.overlap, |text| validate::duration(text))?;
    let late_margin = at.check_value("late_margin", &table.late_margin, |text| {
        validate::duration(text)
    })?;
    let lookback = at.check_value("initial_lookback", &table.initial_lookback, |text| {
        validate::lookback(text)
    })?;
    Ok(SourceSettings {
        name: name.clone(),
        target,
        credential: credential.unwrap_or(CredentialSpec::Keyring),
        initial_lookback: lookback.unwrap_or(7 * DAY),
        overlap: overlap.unwrap_or(10 * MINUTE),
        late_margin: late_margin.unwrap_or(DAY),
        key_name: at.check_value("key_name", &table.key_name, |text| validate::key_name(text))?,
        expires_on: at.check_value("expires_on", &table.expires_on, expiry)?,
        page_size: page_size.unwrap_or(most),
        concurrency: concurrency.unwrap_or(default_concurrency(kind)),
        connection: connection(at, table)?,
        output: output_layer(at, "output.", &table.output)?
            .merged_over(below)
            .resolve(name),
    })
}

/// TOML has dates of its own; a string is read the same way.
fn expiry(value: &toml::Value) -> Result<chrono::NaiveDate, HintedError> {
    match value {
        toml::Value::String(text) => validate::date(text),
        toml::Value::Datetime(day) => validate::date(&day.to_string()),
        _ => validate::date(""),
    }
}

fn connection(at: &ErrorLocation<'_>, table: &SourceTable) -> Result<ConnectionSettings, ConfigError> {
    let timeout = at.check_value("timeout", &table.timeout, |text| validate::nonzero_duration(text))?;
    let retry_for = at.check_value("retry_for", &table.retry_for, |text| validate::duration(text))?;
    let max_wait = at.check_value("max_wait", &table.max_wait, |text| validate::duration(text))?;
    Ok(ConnectionSettings {
        requests_per_minute: at.check_value("requests_per_minute", &table.requests_per_minute, |n| {
            validate::number(*n, 1..=u32::MAX)
        })?,
        timeout: timeout.unwrap_or(Duration::from_secs(30)),
        retry_for: retry_for.unwrap_or(MINUTE),
        max_wait: max_wait.unwrap_or(15 * MINUTE),
        ca_file: at.check_value("ca_file", &table.ca_file, |text| validate::path(text))?,
        proxy: at.check_value("proxy", &table.proxy, |text| validate::proxy(text))?,
    })
}

/// Checks `[output]` or a source's `output.*`; `prefix` stands before the keys in a refusal.
pub(super) fn output_layer(
    at: &ErrorLocation<'_>,
    prefix: &str,
    table: &OutputTable,
) -> Result<OutputLayer, ConfigError> {
    let key = |name: &str| format!("{prefix}{name}");
    Ok(OutputLayer {
        path: at.check_value(&key("path"), &table.path, |text| {
            output::path_template(text)
        })?,
        format: at.check_value(&key("format"), &table.format, |text| keywords::format(text))?,
        compression: at.check_value(&key("compression"), &table.compression, |text| {
            keywords::compression(text)
        })?,
        rotation: at.check_value(&key("rotate"), &table.rotate, |text| keywords::rotate(text))?,
        mode: at.check_value(&key("mode"), &table.mode, |text| validate::mode(text))?,
    })
}
