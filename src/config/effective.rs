//! Writes the configuration as it counts: what the file and the environment say together, with the
//! defaults of each source. No secret is in it: of a command only the program is named, and
//! comments stay out.

use std::time::Duration;

use clap::ValueEnum as _;
use toml_edit::{DocumentMut, Item, Table, Value};

use crate::config::edit::{ConfigValue, source_keys, source_title};
use crate::config::error::ConfigError;
use crate::config::file::ConfigFile;
use crate::config::settings::{
    BackfillMode, CredentialSpec, OutputPath, OutputSettings, Rotation, Settings, SourceSettings,
};
use crate::config::{credential_spec, validate};
use crate::model::source_kind::GatewayUse;
use crate::model::time::format_millis;

/// Stands for what could be a secret.
const HIDDEN: &str = "...";

/// The effective configuration as TOML, which can be read as a configuration.
///
/// # Errors
/// The file is no table of TOML; it was read before, so this does not happen.
pub fn effective_toml(file: &ConfigFile, settings: &Settings) -> Result<String, ConfigError> {
    let mut top = DocumentMut::new();
    top.insert("state_dir", value(settings.state_dir.display().to_string()));
    let mut others = file.uncommented()?;
    others.remove("sources");
    others.remove("state_dir");
    hide_command(&mut others);
    others.iter_mut().for_each(|(_, item)| hide_keys(item));
    remove_empty(others.as_table_mut());
    let others = others.to_string();
    let gap = if others.is_empty() { "" } else { "\n" };
    let mut text = format!("{top}{gap}{}", others.trim_start());
    for source in &settings.sources {
        let name = source.name.as_str();
        let keys: Table = source_table(file, source).into_iter().collect();
        let output: Table = output_table(&source.output).into_iter().collect();
        let (title, inner) = (source_title(name, ""), source_title(name, ".output"));
        text.push_str(&format!("\n{title}\n{keys}\n{inner}\n{output}"));
    }
    Ok(text)
}

/// Removes tables that say nothing.
fn remove_empty(table: &mut Table) {
    table.retain(|_, item| {
        if let Some(inner) = item.as_table_mut() {
            remove_empty(inner);
        }
        item.as_table_like().is_none_or(|inner| !inner.is_empty())
    });
}

fn value(text: impl Into<ConfigValue>) -> Item {
    Item::Value(text.into())
}

/// Of the program that gets alerts only the name is shown: people put keys into arguments.
fn hide_command(document: &mut DocumentMut) {
    let notify = document.get_mut("detect").and_then(|detect| detect.get_mut("notify"));
    let command = notify.and_then(|notify| notify.get_mut("command")).and_then(Item::as_array_mut);
    if let Some(words) = command
        && words.len() > 1
    {
        while words.len() > 1 {
            words.remove(words.len() - 1);
        }
        words.push(HIDDEN);
    }
}

/// Hides texts that look like keys: somebody may have pasted one in a wrong place.
fn hide_keys(item: &mut Item) {
    match item {
        Item::Value(one) => hide_keys_in(one),
        Item::Table(table) => table.iter_mut().for_each(|(_, item)| hide_keys(item)),
        Item::ArrayOfTables(tables) => tables
            .iter_mut()
            .for_each(|table| table.iter_mut().for_each(|(_, item)| hide_keys(item))),
        Item::None => {}
    }
}

fn hide_keys_in(one: &mut Value) {
    match one {
        Value::String(text) => {
            let words = text.value().split([' ', '=', ':', '/', '"']);
            if words.into_iter().any(validate::looks_like_key) {
                *one = HIDDEN.into();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(hide_keys_in),
        Value::InlineTable(table) => table.iter_mut().for_each(|(_, inner)| hide_keys_in(inner)),
        _ => {}
    }
}

/// Every key of a source but `output.*`.
fn source_table(file: &ConfigFile, source: &SourceSettings) -> Vec<(&'static str, ConfigValue)> {
    let mut keys = source_keys(source);
    let target = &source.target;
    if source.credential == CredentialSpec::Keyring {
        keys.push(("credential", "keyring".into()));
    }
    keys.extend(target.cloud_id().map(|id| ("cloud_id", id.into())));
    let table = file.source(&source.name).map(|(_, table)| table);
    let second = table.and_then(|table| table.respond_credential.as_ref());
    let second = second.and_then(|text| credential_spec::parse(text.get_ref()).ok());
    keys.extend(second.map(|spec| ("respond_credential", spec.to_string().into())));
    let name = table.and_then(|table| table.respond_key_name.as_ref());
    keys.extend(name.map(|name| ("respond_key_name", name.get_ref().into())));
    match target.kind().descriptor().gateway {
        GatewayUse::Workspace => keys.push(("backfill", backfill(source.backfill).into())),
        GatewayUse::Optional(_) => keys.push(("resolve_users", target.resolve_users.into())),
        GatewayUse::Never => {}
    }
    keys.push(match source.initial_from {
        Some(time) => ("initial_from", format_millis(time).into()),
        None => ("initial_lookback", span(source.initial_lookback).into()),
    });
    let connection = &source.connection;
    keys.extend([
        ("overlap", span(source.overlap).into()),
        ("late_margin", span(source.late_margin).into()),
    ]);
    keys.extend(source.key_name.as_ref().map(|name| ("key_name", name.into())));
    keys.extend(source.expires_on.map(|day| ("expires_on", day.to_string().into())));
    keys.extend([
        ("page_size", i64::from(source.page_size).into()),
        ("concurrency", i64::from(source.concurrency).into()),
    ]);
    let quota = connection.requests_per_minute.map(i64::from);
    keys.extend(quota.map(|quota| ("requests_per_minute", quota.into())));
    keys.extend([
        ("timeout", span(connection.timeout).into()),
        ("retry_for", span(connection.retry_for).into()),
        ("max_wait", span(connection.max_wait).into()),
    ]);
    let authorities = connection.ca_file.as_ref();
    keys.extend(authorities.map(|path| ("ca_file", path.display().to_string().into())));
    keys.extend(connection.proxy.as_ref().map(|url| ("proxy", url.to_string().into())));
    keys
}

fn output_table(output: &OutputSettings) -> Vec<(&'static str, ConfigValue)> {
    let path = match &output.path {
        OutputPath::Stdout => "-",
        OutputPath::File(path) | OutputPath::Object(path) => path,
    };
    let preset = output.preset.as_ref().and_then(|preset| preset.to_possible_value());
    let encoding = output.encoding.to_possible_value();
    let mut keys = Vec::new();
    keys.extend(preset.map(|preset| ("preset", preset.get_name().into())));
    keys.extend([("path", path.into()), ("format", output.format.as_str().into())]);
    keys.extend(encoding.map(|encoding| ("encoding", encoding.get_name().into())));
    keys.extend([
        ("compression", output.compression.as_str().into()),
        ("rotate", rotation(output.rotation).into()),
        ("mode", format!("{:04o}", output.mode).into()),
    ]);
    keys
}

fn backfill(mode: BackfillMode) -> &'static str {
    match mode {
        BackfillMode::Auto => "auto",
        BackfillMode::Pages => "pages",
        BackfillMode::Query => "query",
    }
}

fn rotation(rotation: Rotation) -> String {
    match rotation {
        Rotation::Never => "never".to_owned(),
        Rotation::HOURLY => "hourly".to_owned(),
        Rotation::DAILY => "daily".to_owned(),
        Rotation::Every(time) => span(time),
        Rotation::Size(bytes) => format!("{bytes}B"),
    }
}

/// A duration in its largest whole unit.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    if time.subsec_nanos() > 0 {
        return humantime::format_duration(time).to_string();
    }
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let whole = units.into_iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    let (unit, word) = whole.unwrap_or((1, "s"));
    format!("{}{word}", seconds / unit)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::check;
    use crate::config::env::ProcessEnv;

    fn show(text: &str, env: &ProcessEnv) -> String {
        let file = ConfigFile::parse(Path::new("/c.toml"), text.to_owned()).unwrap();
        let settings = check::settings(&file, env, "/state".into()).unwrap();
        effective_toml(&file, &settings).unwrap()
    }

    #[test]
    fn what_is_shown_means_the_same() {
        let env = ProcessEnv::default();
        let example = include_str!("../../config.example.toml");
        let text = format!(
            "{example}\n[sources.'with.dot']\ntype = 'datacenter-audit'\n\
             base_url = 'https://jira.acme.example/x'\ncredential = 'systemd:dc'\n\
             output = {{ path = 'dc', rotate = '100MiB', compression = 'zstd', mode = '0640' }}\n"
        );
        let settings = |text: &str| {
            let file = ConfigFile::parse(Path::new("/c.toml"), text.to_owned()).unwrap();
            check::settings(&file, &env, "/state".into()).unwrap()
        };
        let shown = show(&text, &env);
        assert_eq!(settings(&shown).sources, settings(&text).sources, "{shown}");
        assert_eq!(show(&shown, &env), shown);
        assert!(shown.starts_with("state_dir = \"/state\"\n"), "{shown}");
    }

    #[test]
    fn the_environment_counts_and_no_secret_is_shown() {
        let vars = [("ATLAUDIT_API_KEY", "ATCTT3xSECRET"), ("HOME", "/h")];
        let text = "
            # ATCTT3xSECRET
            [detect]
            enabled = true
            notify = { command = ['page', '--token', 'SECRET'] }
            [posture]
            declare.acme = { on = '2026-11-20', by = 'ATCTT3xSECRET' }
            [sources.acme]
            type = 'org-events'
            credential = 'command:vault read SECRET'
            proxy = 'http://user:SECRET@proxy.example:8080'
            [sources.j]
            type = 'jira-audit'
            site = 'a.atlassian.net'
            credential = 'command:vault read SECRET'";
        let shown = show(text, &ProcessEnv::with(vars, "/"));
        for words in [
            "command = [\"page\", \"...\"]",
            "credential = \"env:ATLAUDIT_API_KEY\"",
            "credential = \"command:vault ...\"",
            "proxy = \"http://proxy.example:8080/\"",
            "overlap = \"10m\"",
        ] {
            assert!(shown.contains(words), "`{words}` in: {shown}");
        }
        assert!(!shown.contains("SECRET"), "{shown}");
    }
}
