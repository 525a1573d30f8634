//! Checks the table of one source and turns it into settings that the rest of the program trusts.

use std::time::Duration;

use crate::config::credential_spec;
use crate::config::error::{ConfigError, HintedError};
use crate::config::file::{ErrorLocation, OutputTable, SourceTable};
use crate::config::keywords;
use crate::config::output::{self, OutputLayer};
use crate::config::settings::{ConnectionSettings, CredentialSpec, SourceSettings};
use crate::config::target;
use crate::config::validate;
use crate::model::name::SourceName;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

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
    let most = kind.descriptor().page_size;
    let page_size =
        at.check_value("page_size", &table.page_size, |n| validate::number(*n, 1..=most))?;
    let concurrency =
        at.check_value("concurrency", &table.concurrency, |n| validate::number(*n, 1..=64))?;
    let credential =
        at.check_value("credential", &table.credential, |text| credential_spec::parse(text))?;
    let overlap = at.check_value("overlap", &table.overlap, |text| validate::duration(text))?;
    let late_margin =
        at.check_value("late_margin", &table.late_margin, |text| validate::duration(text))?;
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
        concurrency: concurrency.unwrap_or(kind.descriptor().concurrency),
        connection: connection(at, table)?,
        output: output_layer(at, "output.", &table.output)?.merged_over(below).resolve(name),
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

fn connection(
    at: &ErrorLocation<'_>,
    table: &SourceTable,
) -> Result<ConnectionSettings, ConfigError> {
    let timeout =
        at.check_value("timeout", &table.timeout, |text| validate::nonzero_duration(text))?;
    let retry_for =
        at.check_value("retry_for", &table.retry_for, |text| validate::duration(text))?;
    let max_wait = at.check_value("max_wait", &table.max_wait, |text| validate::duration(text))?;
    Ok(ConnectionSettings {
        requests_per_minute: at.check_value(
            "requests_per_minute",
            &table.requests_per_minute,
            |n| validate::number(*n, 1..=u32::MAX),
        )?,
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
        path: at.check_value(&key("path"), &table.path, |text| output::path_template(text))?,
        format: at.check_value(&key("format"), &table.format, |text| keywords::format(text))?,
        compression: at.check_value(&key("compression"), &table.compression, |text| {
            keywords::compression(text)
        })?,
        rotation: at.check_value(&key("rotate"), &table.rotate, |text| keywords::rotate(text))?,
        mode: at.check_value(&key("mode"), &table.mode, |text| validate::mode(text))?,
    })
}
