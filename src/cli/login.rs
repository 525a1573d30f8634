//! Owns what `auth login`'s flags mean, together with what the configuration says of the source.

use crate::cli::args::{GlobalArgs, LoginArgs};
use crate::cli::error::ResolveError;
use crate::cli::path_registry::PathRole;
use crate::cli::paths::{self, CommandPaths};
use crate::cli::questions;
use crate::cli::resolve::{self, Outside};
use crate::config::check::{self, LoginFlags};
use crate::config::env::Env;
use crate::config::error::ConfigError;
use crate::config::places;
use crate::config::request::LoginRequest;
use crate::config::settings::{SourceSettings, Target};
use crate::model::name::SourceKind;
use crate::model::time::Timestamp;

/// What `auth login` is asked to do. The configuration file need not exist: login starts one.
pub fn request(
    mut typed: LoginArgs,
    global: &GlobalArgs,
    env: &Env,
    now: Timestamp,
    outside: &Outside<'_>,
) -> Result<LoginRequest, ResolveError> {
    let place = places::config_file(global.config.as_deref(), env).ok_or_else(|| {
        ConfigError::new(
            "there is no place for the configuration: neither HOME nor XDG_CONFIG_HOME is set",
        )
        .hint("name a file with `--config FILE`")
    })?;
    let file = resolve::load_at(&place.path, false, outside)?;
    let configured = paths::known_sources(&file, global, env);
    let mut paths = CommandPaths::reserved(global, env, now, outside, &configured);
    paths.add(PathRole::EditedConfigFile, &place.path);
    paths.refuse_clashes()?;
    let names_it = file
        .tables
        .sources
        .0
        .iter()
        .any(|(name, _)| name.get_ref() == typed.name.as_str());
    let known = match names_it {
        true => Some(check::login_source(
            &file,
            &typed.name,
            &LoginFlags::default(),
        )?),
        false => None,
    };
    let may_ask = env.stdin_is_terminal && !typed.with_key;
    match &known {
        Some(known) => refuse_another_log(&typed, known)?,
        None if may_ask => ask(&mut typed, outside)?,
        None => {}
    }
    let kind = kind(&typed, known.as_ref())?;
    let flags = LoginFlags {
        kind: Some(kind),
        org_id: typed.org_id,
        site: typed.site,
        email: typed.email,
        username: typed.username,
        gateway: typed.gateway,
        base_url: typed.base_url.map(String::from),
    };
    Ok(LoginRequest {
        source: check::login_source(&file, &typed.name, &flags)?,
        name: typed.name,
        state_dir: places::state_dir(global.state_dir.as_deref(), env)?,
        with_key: typed.with_key,
        untested: typed.untested,
        expires_on: typed.expires_on,
        config_file: place.path,
        known,
    })
}

/// Asks for what is missing, where somebody can be asked.
fn ask(typed: &mut LoginArgs, outside: &Outside<'_>) -> Result<(), ResolveError> {
    let Some(mut person) = (outside.person)() else {
        return Ok(());
    };
    questions::complete(typed, &mut *person).map_err(|error| {
        ResolveError::usage(
            format!("what is missing could not be asked for: {error}"),
            "give it with flags: see `atlaudit auth login --help`",
        )
    })
}

/// A source that reads another log has another history: its checkpoint and its ids would be wrong.
fn refuse_another_log(typed: &LoginArgs, known: &SourceSettings) -> Result<(), ResolveError> {
    let configured = match &known.target {
        Target::OrgEvents { org_id, .. } => org_id.clone(),
        target => target.site(),
    };
    let flag = match &known.target {
        Target::OrgEvents { .. } => typed.org_id.clone(),
        Target::Site(_) => typed.site.clone(),
        Target::Datacenter { username, .. } => typed.base_url.clone().and_then(|base_url| {
            let username = username.clone();
            Target::Datacenter { base_url, username }.site()
        }),
    };
    match (configured, flag) {
        (Some(configured), Some(flag)) if configured != flag => Err(ResolveError::usage(
            format!(
                "source `{}` collects from {configured}, not from {flag}",
                typed.name
            ),
            "choose another name for another organization or site, so that each keeps its history",
        )),
        _ => Ok(()),
    }
}

/// The source's type: configured, typed, or told by the other flags.
fn kind(typed: &LoginArgs, known: Option<&SourceSettings>) -> Result<SourceKind, ResolveError> {
    let configured = known.map(|source| source.target.kind());
    if let (Some(configured), Some(flag)) = (configured, typed.kind)
        && configured != flag
    {
        return Err(ResolveError::usage(
            format!(
                "source `{}` is configured as `{configured}`, not `{flag}`",
                typed.name
            ),
            "leave `--type` out, or choose another name",
        ));
    }
    let told = match (&typed.site, &typed.username) {
        (Some(_), _) => SourceKind::JiraAudit,
        (None, Some(_)) => SourceKind::DatacenterAudit,
        (None, None) => SourceKind::OrgEvents,
    };
    let kind = configured.or(typed.kind).unwrap_or(told);
    if let Some(flag) = alien_flag(typed, kind) {
        return Err(ResolveError::usage(
            format!("{flag} does not belong to a source of type `{kind}`"),
            "`--org-id` is for org-events; `--site` and `--email` for jira-audit and confluence-audit; `--username` for datacenter-audit",
        ));
    }
    let missing = match kind {
        SourceKind::JiraAudit | SourceKind::ConfluenceAudit if typed.site.is_none() => {
            Some(("site", "add `--site acme.atlassian.net`"))
        }
        SourceKind::DatacenterAudit if typed.base_url.is_none() => {
            Some(("address", "add `--base-url https://jira.acme.example`"))
        }
        _ => None,
    };
    if let (Some((what, hint)), None) = (missing, known) {
        let what = format!("a new source of type `{kind}` needs its {what}");
        return Err(ResolveError::usage(what, hint));
    }
    Ok(kind)
}

fn alien_flag(typed: &LoginArgs, kind: SourceKind) -> Option<&'static str> {
    let is_org = kind == SourceKind::OrgEvents;
    let is_datacenter = kind == SourceKind::DatacenterAudit;
    let is_site = !is_org && !is_datacenter;
    [
        ("`--org-id`", typed.org_id.is_some(), is_org),
        ("`--site`", typed.site.is_some(), is_site),
        ("`--email`", typed.email.is_some(), is_site),
        ("`--gateway`", typed.gateway, is_site),
        ("`--username`", typed.username.is_some(), is_datacenter),
    ]
    .into_iter()
    .find(|(_, is_typed, belongs)| *is_typed && !belongs)
    .map(|(flag, _, _)| flag)
}
