//! Resolves what `auth login`'s flags mean, together with what the configuration says of the source.

use crate::cli::args::{GlobalArgs, LoginArgs};
use crate::cli::error::ResolveError;
use crate::cli::load::{self, HostAccess};
use crate::cli::path_registry::PathRole;
use crate::cli::paths::{self, CommandPaths};
use crate::cli::questions;
use crate::config::check::{self, LoginFlags};
use crate::config::config_paths;
use crate::config::credential_spec;
use crate::config::env::ProcessEnv;
use crate::config::error::ConfigError;
use crate::config::file::{ConfigFile, SourceTable};
use crate::config::request::{KeyLocation, LoginRequest};
use crate::config::settings::{CredentialSpec, SourceSettings, server_name};
use crate::model::name::{SourceKind, SourceName};
use crate::model::source_kind::SourceAddress;
use crate::model::time::Timestamp;

/// What `auth login` is asked to do. The configuration file need not exist: login starts one.
pub fn request(
    mut typed: LoginArgs,
    global: &GlobalArgs,
    env: &ProcessEnv,
    now: Timestamp,
    outside: &HostAccess<'_>,
) -> Result<LoginRequest, ResolveError> {
    let place = config_paths::config_file(global.config.as_deref(), env).ok_or_else(|| {
        ConfigError::new(
            "there is no place for the configuration: neither HOME nor XDG_CONFIG_HOME is set",
        )
        .hint("name a file with `--config FILE`")
    })?;
    let state_dir = config_paths::state_dir(global.state_dir.as_deref(), env)?;
    let file = load::load_at(&place.path, false, outside)?;
    let configured = paths::known_sources(&file, global, env);
    let mut paths = CommandPaths::reserved(global, env, now, outside, &configured);
    paths.add(PathRole::EditedConfigFile, &place.path);
    let known = match table_of(&file, &typed.name) {
        Some(_) => Some(check::login_source(&file, &typed.name, &LoginFlags::default())?),
        None => None,
    };
    let credential = credential(&typed, known.as_ref(), env)?;
    let name = typed.name.clone();
    let is_configured = known.as_ref().is_some_and(|known| known.credential == credential);
    add_key_files(&mut paths, &file, &credential, is_configured);
    paths.refuse_clashes()?;
    let check_store = || {
        let place = KeyLocation { name: &name, credential: &credential, is_configured };
        (outside.check_store)(&place).map_err(ResolveError::Credential)
    };
    let may_ask = env.stdin_is_terminal && !typed.with_key;
    if may_ask {
        check_store()?;
    }
    match &known {
        Some(known) => reject_other_source(&typed, known)?,
        None if may_ask => prompt_missing(&mut typed, outside)?,
        None => {}
    }
    let kind = kind(&typed, known.as_ref())?;
    let mut source = check::login_source(&file, &typed.name, &flags(&typed, kind))?;
    if typed.with_key {
        check_store()?;
    }
    source.credential = credential;
    Ok(LoginRequest {
        source,
        name,
        state_dir,
        with_key: typed.with_key,
        untested: typed.untested,
        expires_on: typed.expires_on,
        config_file: place.path,
        known,
    })
}

fn flags(typed: &LoginArgs, kind: SourceKind) -> LoginFlags {
    LoginFlags {
        kind: Some(kind),
        org_id: typed.org_id.clone(),
        site: typed.site.clone(),
        email: typed.email.clone(),
        username: typed.username.clone(),
        gateway: typed.gateway,
        base_url: typed.base_url.clone().map(String::from),
    }
}

fn table_of<'f>(file: &'f ConfigFile, name: &SourceName) -> Option<&'f SourceTable> {
    let mut sources = file.tables.sources.0.iter();
    let found = sources.find(|(typed, _)| typed.get_ref() == name.as_str());
    found.map(|(_, table)| table)
}

/// Where the key goes: as typed, else where the source reads it, else into the keyring.
fn credential(
    typed: &LoginArgs,
    known: Option<&SourceSettings>,
    env: &ProcessEnv,
) -> Result<CredentialSpec, ResolveError> {
    let configured = known.map(|known| &known.credential);
    let store = typed.store.as_deref();
    let store = store.map(|text| store_place(text, env)).transpose()?;
    match (store, configured) {
        // A configured path that leads to the same file stays as it is written.
        (Some(CredentialSpec::File(path)), Some(CredentialSpec::File(known)))
            if env.at_cwd(known) == path =>
        {
            Ok(CredentialSpec::File(known.clone()))
        }
        (Some(place), _) => Ok(place),
        (None, None) => Ok(CredentialSpec::Keyring),
        (None, Some(place @ (CredentialSpec::Keyring | CredentialSpec::File(_)))) => {
            Ok(place.clone())
        }
        (None, Some(other)) => Err(ConfigError::new(format!(
            "source `{}` takes its credential from {other}, where no key can be stored",
            typed.name
        ))
        .hint("put the key there yourself, or use `--store keyring` or `--store file:PATH`")
        .into()),
    }
}

/// What `--store` names. Not read by clap, which quotes a wrong value: it may be the key.
fn store_place(text: &str, env: &ProcessEnv) -> Result<CredentialSpec, ResolveError> {
    let place = credential_spec::store(text).and_then(|place| match place {
        CredentialSpec::File(path) => {
            credential_spec::absolute_file(&path, env).map(CredentialSpec::File)
        }
        place => Ok(place),
    });
    place.map_err(|refusal| {
        let what = format!("`--store`: {}", refusal.what);
        ResolveError::usage(what, refusal.hint.unwrap_or_default())
    })
}

/// Adds the file that the key goes to, and the key files of all sources, also where the rest of the configuration
/// cannot be used.
fn add_key_files(
    paths: &mut CommandPaths<'_>,
    file: &ConfigFile,
    credential: &CredentialSpec,
    is_configured: bool,
) {
    if let CredentialSpec::File(path) = credential {
        paths.add(PathRole::StoredKey { is_configured }, path);
    }
    for (name, table) in &file.tables.sources.0 {
        let spec = table.credential.as_ref();
        let spec = spec.and_then(|text| credential_spec::parse(text.get_ref()).ok());
        if let (Some(CredentialSpec::File(path)), Ok(name)) = (spec, name.get_ref().parse()) {
            paths.add(PathRole::CredentialFile(name), &path);
        }
    }
}

/// Asks for what is missing, where somebody can be asked.
fn prompt_missing(typed: &mut LoginArgs, outside: &HostAccess<'_>) -> Result<(), ResolveError> {
    let Some(mut person) = (outside.open_prompt)() else {
        return Ok(());
    };
    questions::prompt_missing(typed, &mut *person).map_err(|error| {
        ResolveError::usage(
            format!("cannot prompt for the missing values: {error}"),
            "give it with flags: see `atlaudit auth login --help`",
        )
    })
}

/// A source that reads another log has another history: its checkpoint and its ids would be wrong.
fn reject_other_source(typed: &LoginArgs, known: &SourceSettings) -> Result<(), ResolveError> {
    let org_id = known.target.org_id().map(str::to_owned);
    let (configured, flag) = match known.target.kind().address() {
        SourceAddress::Organization => (org_id, typed.org_id.clone()),
        SourceAddress::Site => (known.target.site(), typed.site.clone()),
        SourceAddress::Server => (known.target.site(), typed.base_url.as_ref().map(server_name)),
    };
    match (configured, flag) {
        (Some(configured), Some(flag)) if configured != flag => Err(ResolveError::usage(
            format!("source `{}` collects from {configured}, not from {flag}", typed.name),
            "choose another name for another organization or site, so that each keeps its history",
        )),
        _ => Ok(()),
    }
}

/// The source's type: configured, typed, or implied by the other flags.
fn kind(typed: &LoginArgs, known: Option<&SourceSettings>) -> Result<SourceKind, ResolveError> {
    let configured = known.map(|source| source.target.kind());
    if let (Some(configured), Some(flag)) = (configured, typed.kind)
        && configured != flag
    {
        return Err(ResolveError::usage(
            format!("source `{}` is configured as `{configured}`, not `{flag}`", typed.name),
            "leave `--type` out, or choose another name",
        ));
    }
    let implied = match (&typed.site, &typed.username) {
        (Some(_), _) => SourceAddress::Site,
        (None, Some(_)) => SourceAddress::Server,
        (None, None) => SourceAddress::Organization,
    };
    let kind = configured.or(typed.kind).unwrap_or(SourceKind::implied_by(implied));
    if let Some(flag) = inapplicable_flag(typed, kind) {
        return Err(ResolveError::usage(
            format!("{flag} does not belong to a source of type `{kind}`"),
            format!(
                "`--org-id` is for {}; `--site` and `--email` for {}; `--username` for {}",
                kinds_of(SourceAddress::Organization),
                kinds_of(SourceAddress::Site),
                kinds_of(SourceAddress::Server)
            ),
        ));
    }
    let missing = match kind.address() {
        SourceAddress::Site if typed.site.is_none() => {
            Some(("site", "add `--site acme.atlassian.net`"))
        }
        SourceAddress::Server if typed.base_url.is_none() => {
            Some(("address", "add `--base-url https://jira.acme.example`"))
        }
        SourceAddress::Organization | SourceAddress::Site | SourceAddress::Server => None,
    };
    if let (Some((what, hint)), None) = (missing, known) {
        let what = format!("a new source of type `{kind}` needs its {what}");
        return Err(ResolveError::usage(what, hint));
    }
    Ok(kind)
}

fn kinds_of(address: SourceAddress) -> String {
    let words: Vec<_> = SourceKind::addressed_by(address).map(SourceKind::as_str).collect();
    words.join(" and ")
}

fn inapplicable_flag(typed: &LoginArgs, kind: SourceKind) -> Option<&'static str> {
    use SourceAddress::{Organization, Server, Site};
    [
        ("`--org-id`", typed.org_id.is_some(), Organization),
        ("`--site`", typed.site.is_some(), Site),
        ("`--email`", typed.email.is_some(), Site),
        ("`--gateway`", typed.gateway, Site),
        ("`--username`", typed.username.is_some(), Server),
    ]
    .into_iter()
    .find(|(_, is_typed, address)| *is_typed && *address != kind.address())
    .map(|(flag, _, _)| flag)
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
