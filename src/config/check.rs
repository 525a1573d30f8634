//! Checks the file and the environment into settings. Flags are applied last, in `cli`.

use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;

use crate::config::env::{self, ProcessEnv};
use crate::config::error::{ConfigError, HintedError};
use crate::config::file::{ConfigFile, ErrorLocation, SourceTable, SpannedText, without_span};
use crate::config::output::{self, OutputLayer};
use crate::config::settings::{Settings, SourceSettings};
use crate::config::source;
use crate::config::suggestions::suggest;
use crate::config::validate;
use crate::model::name::{SourceKind, SourceName};
use crate::model::source_kind::SourceAddress;
use crate::model::text::printable;

/// A table that stands nowhere in the file.
pub(super) const NO_SPAN: Range<usize> = 0..0;

/// Checks the whole file, with the environment over it.
pub fn settings(
    file: &ConfigFile,
    env: &ProcessEnv,
    state_dir: PathBuf,
) -> Result<Settings, ConfigError> {
    let below = global_output(file)?;
    let overridden = only_organization_source(file);
    let mut sources = Vec::new();
    for (typed, table) in &file.tables.sources.0 {
        let name = source_name(file, typed.get_ref(), &typed.span())?;
        let mut table = table.clone();
        if overridden == Some(typed.get_ref().as_str()) {
            apply_environment(&mut table, env)?;
        }
        let at = ErrorLocation { file, source: Some(&name) };
        sources.push(source::check(&at, &name, &typed.span(), &table, &below)?);
    }
    output::reject_shared_files(&sources, env.cwd()).map_err(|error| match &file.path {
        Some(path) => error.in_file(path, None),
        None => error,
    })?;
    Ok(Settings { config_file: file.path.clone(), state_dir, file_mode: below.mode, sources })
}

/// What was given to `auth login` about a source.
#[derive(Debug, Clone, Default)]
pub struct LoginFlags {
    /// `--type`
    pub kind: Option<SourceKind>,
    /// `--org-id`
    pub org_id: Option<String>,
    /// `--site`
    pub site: Option<String>,
    /// `--email`
    pub email: Option<String>,
    /// `--username`
    pub username: Option<String>,
    /// `--gateway`
    pub gateway: bool,
    /// `--base-url`
    pub base_url: Option<String>,
}

/// The source that `auth login` works on: the file's table with the flags over it, or a new one of
/// the flags alone. The environment's organization stays out: it describes another source's key.
pub fn login_source(
    file: &ConfigFile,
    name: &SourceName,
    flags: &LoginFlags,
) -> Result<SourceSettings, ConfigError> {
    let known = file.tables.sources.0.iter().find(|(typed, _)| typed.get_ref() == name.as_str());
    let place = known.map_or(NO_SPAN, |(typed, _)| typed.span());
    let mut table = known.map(|(_, table)| table.clone()).unwrap_or_default();
    let lay = |key: &mut SpannedText, flag: &Option<String>| {
        if let Some(text) = flag {
            *key = without_span(text.as_str());
        }
    };
    match flags.kind {
        Some(kind) => table.kind = without_span(kind.as_str()),
        None if known.is_none() => {
            let implied = SourceKind::implied_by(SourceAddress::Organization);
            table.kind = without_span(implied.as_str());
        }
        None => {}
    }
    lay(&mut table.org_id, &flags.org_id);
    lay(&mut table.site, &flags.site);
    lay(&mut table.email, &flags.email);
    lay(&mut table.username, &flags.username);
    lay(&mut table.base_url, &flags.base_url);
    if flags.gateway {
        table.gateway = Some(Spanned::new(NO_SPAN, true));
    }
    let at = ErrorLocation { file, source: Some(name) };
    source::check(&at, name, &place, &table, &global_output(file)?)
}

/// Only the sources named, each once; all of them when no name is given.
pub fn select(
    settings: &Settings,
    names: &[SourceName],
) -> Result<Vec<SourceSettings>, ConfigError> {
    if names.is_empty() {
        return Ok(settings.sources.clone());
    }
    let mut selected: Vec<SourceSettings> = Vec::new();
    for name in names {
        let found = settings.sources.iter().find(|source| source.name == *name);
        let found = found.ok_or_else(|| unknown_source(settings, name))?;
        if selected.iter().all(|source| source.name != *name) {
            selected.push(found.clone());
        }
    }
    Ok(selected)
}

fn unknown_source(settings: &Settings, name: &SourceName) -> ConfigError {
    let known: Vec<String> =
        settings.sources.iter().map(|source| format!("`{}`", source.name)).collect();
    let names = settings.sources.iter().map(|source| source.name.as_str());
    let meant = match suggest(name.as_str(), names) {
        Some(meant) => format!("did you mean `{meant}`? "),
        None => String::new(),
    };
    let error = ConfigError::new(format!("there is no source `{name}`")).hint(format!(
        "{meant}the sources are {}; `atlaudit auth login {name}` adds one",
        known.join(", ")
    ));
    match &settings.config_file {
        Some(path) => error.in_file(path, None),
        None => error,
    }
}

/// The file's `[output]` table, checked.
pub(super) fn global_output(file: &ConfigFile) -> Result<OutputLayer, ConfigError> {
    let at = ErrorLocation { file, source: None };
    source::output_layer(&at, "output.", &file.tables.output)
}

fn source_name(
    file: &ConfigFile,
    typed: &str,
    span: &Range<usize>,
) -> Result<SourceName, ConfigError> {
    typed.parse().map_err(|rule: String| {
        let error = ConfigError::new(format!("source `{}`: not a source's name", printable(typed)))
            .hint(rule);
        file.locate_error(error, span)
    })
}

/// The one organization source of the file: with two, nobody could tell which one the environment means.
fn only_organization_source(file: &ConfigFile) -> Option<&str> {
    let is_organization = |kind: SourceKind| kind.address() == SourceAddress::Organization;
    let mut organizations = file.tables.sources.0.iter().filter(|(_, table)| {
        let kind = table.kind.as_ref().map(|text| text.get_ref().parse::<SourceKind>());
        kind.is_some_and(|kind| kind.is_ok_and(is_organization))
    });
    match (organizations.next(), organizations.next()) {
        (Some((name, _)), None) => Some(name.get_ref()),
        _ => None,
    }
}

/// Lays `ATLAUDIT_ORG_ID` and `ATLAUDIT_API_KEY` over an organization source.
pub(super) fn apply_environment(
    table: &mut SourceTable,
    env: &ProcessEnv,
) -> Result<(), ConfigError> {
    if let Some(id) = env.var_text(env::ORG_ID) {
        let id = validate::org_id(id).map_err(|refusal| HintedError {
            what: format!("{}: {}", env::ORG_ID, refusal.what),
            ..refusal
        })?;
        table.org_id = without_span(id);
    }
    if env.var_os(env::API_KEY).is_some() {
        table.credential = without_span(format!("env:{}", env::API_KEY));
    }
    Ok(())
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
