//! Turns the file and the environment into settings. Flags are applied last, in `cli`.

use std::path::PathBuf;

use toml::Spanned;
use url::Url;

use crate::config::env::{self, ProcessEnv};
use crate::config::error::ConfigError;
use crate::config::file::{
    ConfigFile, ErrorLocation, NO_SPAN, NamedTable, SourceTable, SpannedText, without_span,
};
use crate::config::output::{self, OutputLayer};
use crate::config::settings::{Settings, SourceSettings};
use crate::config::source;
use crate::config::validate::{self, source_kind, word};
use crate::model::name::{SourceKind, SourceName};
use crate::model::source_kind::SourceAddress;
use crate::model::text::{printable, suggest};
use crate::model::workspace::SiteProduct;

/// The source's name when nothing names it. It is in every event and names the checkpoint, so
/// it must not change between runs.
pub const DEFAULT_SOURCE: &str = "org";

/// Checks the whole file, with the environment over it.
pub fn settings(
    file: &ConfigFile,
    env: &ProcessEnv,
    state_dir: PathBuf,
) -> Result<Settings, ConfigError> {
    let below = global_output(file)?;
    let overridden = only_organization_source(file);
    let mut sources = Vec::new();
    for (typed, table) in &file.tables.sources {
        let name: SourceName = typed.get_ref().parse().map_err(|rule: String| {
            let what = format!("source `{}`: not a source's name", printable(typed.get_ref()));
            file.locate_error(ConfigError::new(what).hint(rule), &typed.span())
        })?;
        let mut table = table.clone();
        if overridden == Some(typed.get_ref().as_str()) {
            apply_environment(&mut table, env)?;
        }
        sources.push(source::check(file, (&name, &typed.span()), &table, &below)?);
    }
    output::check_shared_files(&sources, env.cwd())
        .and_then(|()| output::check_keep(&sources))
        .map_err(|error| error.in_file(file.path.as_deref(), None))?;
    Ok(Settings {
        config_file: file.path.clone(),
        state_dir,
        state_url: state_url(file)?,
        file_mode: below.mode,
        sources,
    })
}

/// The flags of `auth login` that say what the source is.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct LoginFlags {
    /// Type of the source: org-events, jira-audit, confluence-audit, workspace-events or
    /// datacenter-audit [default: org-events; jira-audit with --site]
    #[arg(id = "TYPE", long = "type", hide_possible_values = true)]
    #[arg(value_parser = word(source_kind))]
    pub kind: Option<SourceKind>,
    /// Organization id, as in https://admin.atlassian.com/o/ID
    #[arg(long, value_name = "ID", value_parser = validate::org_uuid)]
    pub org_id: Option<String>,
    /// The Jira or Confluence site, such as acme.atlassian.net
    #[arg(long, value_name = "HOST", value_parser = validate::site)]
    pub site: Option<String>,
    /// The account that owns the API token (Jira, Confluence)
    #[arg(long, value_name = "ADDRESS", value_parser = validate::email)]
    pub email: Option<String>,
    /// Use Atlassian's gateway: for tokens with scopes and service accounts (Jira, Confluence)
    #[arg(long)]
    pub gateway: bool,
    /// The product whose workspace is read: jira or confluence (workspace-events)
    #[arg(long, value_name = "PRODUCT", value_parser = validate::site_product)]
    pub product: Option<SiteProduct>,
    /// User name for a password (Data Center); not needed for a personal access token
    #[arg(long, value_name = "NAME", value_parser = validate::username)]
    pub username: Option<String>,
    /// URL of a Data Center; or of a test server, a proxy, the government cloud
    #[arg(long, value_name = "URL", value_parser = validate::base_url)]
    pub base_url: Option<Url>,
}

/// The source that `auth login` works on: the file's table with the flags over it, or a new one of
/// the flags alone. The environment's organization stays out: it describes another source's key.
pub fn login_source(
    file: &ConfigFile,
    name: &SourceName,
    flags: &LoginFlags,
) -> Result<SourceSettings, ConfigError> {
    let (place, mut table) = match file.source(name) {
        Some((typed, table)) => (typed.span(), table.clone()),
        None => (NO_SPAN, organization_table()),
    };
    let lay = |key: &mut SpannedText, flag: Option<&str>| {
        if let Some(text) = flag {
            *key = without_span(text);
        }
    };
    lay(&mut table.kind, flags.kind.map(SourceKind::as_str));
    lay(&mut table.org_id, flags.org_id.as_deref());
    lay(&mut table.site, flags.site.as_deref());
    lay(&mut table.email, flags.email.as_deref());
    lay(&mut table.product, flags.product.map(SiteProduct::as_str));
    lay(&mut table.username, flags.username.as_deref());
    lay(&mut table.base_url, flags.base_url.as_ref().map(Url::as_str));
    if flags.gateway {
        table.gateway = Some(Spanned::new(NO_SPAN, true));
    }
    source::check(file, (name, &place), &table, &global_output(file)?)
}

/// A new source of the only type that needs no address.
fn organization_table() -> SourceTable {
    let kind = SourceKind::implied_by(SourceAddress::Organization);
    SourceTable { kind: without_span(kind.as_str()), ..SourceTable::default() }
}

/// The settings without a configured source, in this order: the names typed, each an entry of the
/// keyring; the organization of `ATLAUDIT_API_KEY`; every entry of the keyring (`in_keyring` is
/// called only then); [`DEFAULT_SOURCE`], whose credential will be reported as missing.
///
/// # Errors
/// None of these exists.
pub fn implied_settings(
    file: &ConfigFile,
    env: &ProcessEnv,
    state_dir: PathBuf,
    typed: &[SourceName],
    in_keyring: &dyn Fn() -> Vec<SourceName>,
) -> Result<Settings, ConfigError> {
    let below = global_output(file)?;
    let mut sources = Vec::new();
    for name in implied_names(file, env, typed, in_keyring)? {
        let mut table = organization_table();
        // The environment describes one organization: with several names typed it is not theirs.
        if typed.len() <= 1 {
            apply_environment(&mut table, env)?;
        }
        sources.push(source::check(file, (&name, &NO_SPAN), &table, &below)?);
    }
    Ok(Settings {
        config_file: file.path.clone(),
        state_dir,
        state_url: state_url(file)?,
        file_mode: below.mode,
        sources,
    })
}

fn implied_names(
    file: &ConfigFile,
    env: &ProcessEnv,
    typed: &[SourceName],
    in_keyring: &dyn Fn() -> Vec<SourceName>,
) -> Result<Vec<SourceName>, ConfigError> {
    let has_org_id = env.var_os(env::ORG_ID).is_some();
    if env.var_os(env::API_KEY).is_none() && (typed.is_empty() || !has_org_id) {
        let mut found = in_keyring();
        found.sort();
        found.dedup();
        if found.is_empty() && !has_org_id {
            return Err(not_configured_error(file));
        }
        if typed.is_empty() && !found.is_empty() {
            return Ok(found);
        }
    }
    if !typed.is_empty() {
        return Ok(typed.to_vec());
    }
    let name = DEFAULT_SOURCE.parse().map_err(|rule: String| ConfigError::new(rule))?;
    Ok(vec![name])
}

/// A new user has no configuration file, and no key in the environment or the keyring.
fn not_configured_error(file: &ConfigFile) -> ConfigError {
    let place = match (&file.path, &file.expected_path) {
        (Some(path), _) => format!("{} names no source", path.display()),
        (None, Some(place)) => format!("there is no {}", place.display()),
        (None, None) => "there is no configuration file".to_owned(),
    };
    ConfigError::new("nothing is configured yet")
        .because(format!("{place}, and neither {} nor {} is set", env::API_KEY, env::ORG_ID))
        .because("no key was found in an OS keyring")
        .hint(
            "`atlaudit init` sets it up at a terminal, `atlaudit auth login NAME` adds a source; \
             `atlaudit demo` needs none",
        )
}

/// Refuses to guess between several entries of the keyring.
pub fn reject_ambiguous_keyring(settings: &Settings) -> Result<(), ConfigError> {
    if settings.sources.len() < 2 {
        return Ok(());
    }
    Err(ConfigError::new(format!(
        "no source is configured, and the keyring holds keys for several: {}",
        quoted_names(settings)
    ))
    .hint("name the one to pull, or write them into the configuration file"))
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
    let names = settings.sources.iter().map(|source| source.name.as_str());
    let meant = match suggest(name.as_str(), names) {
        Some(meant) => format!("did you mean `{meant}`? "),
        None => String::new(),
    };
    let error = ConfigError::new(format!("there is no source `{name}`")).hint(format!(
        "{meant}the sources are {}; `atlaudit auth login {name}` adds one",
        quoted_names(settings)
    ));
    error.in_file(settings.config_file.as_deref(), None)
}

fn quoted_names(settings: &Settings) -> String {
    let names = settings.sources.iter().map(|source| format!("`{}`", source.name));
    names.collect::<Vec<_>>().join(", ")
}

/// `[state] url`.
fn state_url(file: &ConfigFile) -> Result<Option<Url>, ConfigError> {
    let at = ErrorLocation { file, source: None };
    at.text("state.url", &file.tables.state.url, validate::object_store)
}

/// The file's `[output]` table, checked.
fn global_output(file: &ConfigFile) -> Result<OutputLayer, ConfigError> {
    source::output_layer(&ErrorLocation { file, source: None }, &file.tables.output)
}

/// The one organization source of the file: with two, nobody could tell which one the environment
/// means.
fn only_organization_source(file: &ConfigFile) -> Option<&str> {
    let is_organization = |(_, table): &&NamedTable| {
        let kind = table.kind.as_ref().and_then(|text| text.get_ref().parse().ok());
        kind.map(SourceKind::address) == Some(SourceAddress::Organization)
    };
    let mut organizations = file.tables.sources.iter().filter(is_organization);
    let (name, _) = organizations.next()?;
    organizations.next().is_none().then_some(name.get_ref().as_str())
}

/// Lays `ATLAUDIT_ORG_ID` and `ATLAUDIT_API_KEY` over an organization source.
fn apply_environment(table: &mut SourceTable, env: &ProcessEnv) -> Result<(), ConfigError> {
    if let Some(id) = env.var_text(env::ORG_ID) {
        let id = validate::org_id(id).map_err(|refusal| refusal.with_context(env::ORG_ID))?;
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
