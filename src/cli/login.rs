//! Resolves the flags of `auth login` together with what the configuration says of the source, and
//! prompts for what a new source lacks.

use std::io;

use crate::cli::args::LoginArgs;
use crate::cli::load::{CommandContext, usage_error};
use crate::cli::paths::{CommandPaths, PathRole};
use crate::cli::setup;
use crate::config::check::{self, LoginFlags};
use crate::config::credential_spec;
use crate::config::env::ProcessEnv;
use crate::config::error::{ConfigError, HintedError};
use crate::config::file::ConfigFile;
use crate::config::prompt::{self, UserPrompt};
use crate::config::request::{KeyLocation, LoginRequest};
use crate::config::settings::{CredentialSpec, SourceSettings, server_name};
use crate::config::validate;
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::name::SourceKind;
use crate::model::source_kind::{GatewayUse, SourceAddress};

/// The request of `auth login`. The configuration file need not exist: login starts one.
pub fn request(
    mut typed: LoginArgs,
    context: &CommandContext<'_>,
) -> Result<LoginRequest, AppError> {
    let place = setup::used_file(context)?;
    let file = context.load_at(&place.path, false)?;
    let state_dir = context.state_dir(&file)?;
    let name = typed.name.clone();
    let known = match file.source(&name) {
        Some(_) => Some(check::login_source(&file, &name, &LoginFlags::default())?),
        None => None,
    };
    let credential = credential(&typed, known.as_ref(), context.env)?;
    let is_configured = known.as_ref().is_some_and(|known| known.credential == credential);
    let key = KeyLocation { name: &name, credential: &credential, is_configured };
    reject_path_clashes(&file, &key, context)?;
    let may_ask = context.env.stdin_is_terminal && !typed.with_key;
    if may_ask {
        (context.host.check_store)(&key)?;
    }
    match &known {
        Some(known) => reject_other_source(&typed, known)?,
        None if may_ask => {
            if let Some(mut person) = (context.host.open_prompt)() {
                prompt_missing(&mut typed, &mut *person).map_err(|error| {
                    let what = format!("cannot prompt for the missing values: {error}");
                    usage_error(what, "give it with flags: see `atlaudit auth login --help`")
                })?;
            }
        }
        None => {}
    }
    typed.source.kind = Some(kind(&typed, known.as_ref())?);
    let mut source = check::login_source(&file, &name, &typed.source)?;
    if typed.with_key {
        (context.host.check_store)(&key)?;
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

/// Where the key goes: as typed, else where the source reads it, else into the keyring.
fn credential(
    typed: &LoginArgs,
    known: Option<&SourceSettings>,
    env: &ProcessEnv,
) -> Result<CredentialSpec, AppError> {
    let configured = known.map(|known| &known.credential);
    // Not read by clap, which quotes a wrong value: it may be the key.
    let store = typed.store.as_deref().map(|text| credential_spec::store(text, env)).transpose();
    let store = store
        .map_err(|refusal| AppError::refused(Exit::Usage, refusal).with_context("`--store`"))?;
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

/// Refuses a place for the key that names something else too. The key files of all sources count,
/// also where the rest of the configuration cannot be used.
fn reject_path_clashes(
    file: &ConfigFile,
    key: &KeyLocation<'_>,
    context: &CommandContext<'_>,
) -> Result<(), AppError> {
    let settings = context.usable_settings(file);
    let sources = settings.map_or(Vec::new(), |settings| settings.sources);
    let mut paths = CommandPaths::reserved(context, &sources);
    if let Some(place) = context.config_file() {
        paths.add(PathRole::EditedConfigFile, &place.path);
    }
    if let CredentialSpec::File(path) = key.credential {
        paths.add(PathRole::StoredKey { is_configured: key.is_configured }, path);
    }
    for (name, table) in &file.tables.sources {
        let spec = table.credential.as_ref();
        let spec = spec.and_then(|text| credential_spec::parse(text.get_ref()).ok());
        if let (Some(CredentialSpec::File(path)), Ok(name)) = (spec, name.get_ref().parse()) {
            paths.add(PathRole::CredentialFile(name), &path);
        }
    }
    Ok(paths.refuse_clashes()?)
}

/// A source that reads another log has another history: its checkpoint and its ids would be wrong.
fn reject_other_source(typed: &LoginArgs, known: &SourceSettings) -> Result<(), AppError> {
    let flags = typed.source.clone();
    let (configured, flag) = match known.target.kind().address() {
        SourceAddress::Organization => (known.target.org_id.clone(), flags.org_id),
        SourceAddress::Site => (known.target.site(), flags.site),
        SourceAddress::Server => (known.target.site(), flags.base_url.as_ref().map(server_name)),
    };
    match (configured, flag) {
        (Some(configured), Some(flag)) if configured != flag => Err(usage_error(
            format!("source `{}` collects from {configured}, not from {flag}", typed.name),
            "choose another name for another organization or site, so that each keeps its history",
        )),
        _ => Ok(()),
    }
}

/// The source's type: configured, typed, or implied by the other flags.
fn kind(typed: &LoginArgs, known: Option<&SourceSettings>) -> Result<SourceKind, AppError> {
    let flags = &typed.source;
    let configured = known.map(|source| source.target.kind());
    if let (Some(configured), Some(flag)) = (configured, flags.kind)
        && configured != flag
    {
        return Err(usage_error(
            format!("source `{}` is configured as `{configured}`, not `{flag}`", typed.name),
            "leave `--type` out, or choose another name",
        ));
    }
    let implied = match (&flags.site, &flags.username) {
        (Some(_), _) => SourceAddress::Site,
        (None, Some(_)) => SourceAddress::Server,
        (None, None) => SourceAddress::Organization,
    };
    let kind = configured.or(flags.kind).unwrap_or(SourceKind::implied_by(implied));
    if let Some(flag) = inapplicable_flag(flags, kind) {
        let kinds = |address| {
            let words: Vec<_> = SourceKind::addressed_by(address).map(SourceKind::as_str).collect();
            words.join(" and ")
        };
        let hint = format!(
            "`--org-id` is for {}; `--site` and `--email` for {}; `--username` for {}",
            kinds(SourceAddress::Organization),
            kinds(SourceAddress::Site),
            kinds(SourceAddress::Server)
        );
        let what = format!("{flag} does not belong to a source of type `{kind}`");
        return Err(usage_error(what, &hint));
    }
    let missing = match kind.address() {
        SourceAddress::Site if flags.site.is_none() => {
            Some(("site", "add `--site acme.atlassian.net`"))
        }
        SourceAddress::Site if is_workspace(kind) && flags.product.is_none() => {
            Some(("product", "add `--product jira` or `--product confluence`"))
        }
        SourceAddress::Server if flags.base_url.is_none() => {
            Some(("address", "add `--base-url https://jira.acme.example`"))
        }
        SourceAddress::Organization | SourceAddress::Site | SourceAddress::Server => None,
    };
    match (missing, known) {
        (Some((what, hint)), None) => {
            Err(usage_error(format!("a new source of type `{kind}` needs its {what}"), hint))
        }
        _ => Ok(kind),
    }
}

fn is_workspace(kind: SourceKind) -> bool {
    kind.descriptor().gateway == GatewayUse::Workspace
}

fn inapplicable_flag(flags: &LoginFlags, kind: SourceKind) -> Option<&'static str> {
    use SourceAddress::{Organization, Server, Site};
    let is_at = |address| kind.address() == address;
    let gateway = kind.descriptor().gateway;
    [
        ("`--org-id`", flags.org_id.is_some(), is_at(Organization)),
        ("`--site`", flags.site.is_some(), is_at(Site)),
        ("`--email`", flags.email.is_some(), is_at(Site)),
        ("`--gateway`", flags.gateway, matches!(gateway, GatewayUse::Optional(_))),
        ("`--product`", flags.product.is_some(), is_workspace(kind)),
        ("`--username`", flags.username.is_some(), is_at(Server)),
    ]
    .into_iter()
    .find(|(_, is_typed, is_applicable)| *is_typed && !is_applicable)
    .map(|(flag, _, _)| flag)
}

const SIGN_IN: &str = "\
Sign in with
  1  a personal access token
  2  a user name and its password
Sign in with [1]: ";

/// Prompts for missing values: with flags, only for what is required; without flags, for all.
fn prompt_missing(typed: &mut LoginArgs, person: &mut dyn UserPrompt) -> io::Result<()> {
    let flags = &mut typed.source;
    let implied = match (&flags.kind, &flags.org_id, &flags.site, &flags.username) {
        (Some(kind), ..) => Some(*kind),
        (None, Some(_), ..) => Some(SourceKind::implied_by(SourceAddress::Organization)),
        (None, None, Some(_), _) => Some(SourceKind::implied_by(SourceAddress::Site)),
        (None, None, None, Some(_)) => Some(SourceKind::implied_by(SourceAddress::Server)),
        (None, None, None, None) => None,
    };
    let kind = match implied {
        Some(kind) => kind,
        None => {
            person.show(&format!("`{}` is a new source. {}", typed.name, list_of_kinds()))?;
            prompt::ask_until_valid(person, "Type [1]: ", parse_kind)?
        }
    };
    // Only now: a typed type may contradict the other flags, and is refused with them later.
    flags.kind.get_or_insert(kind);
    match kind.address() {
        SourceAddress::Organization if flags.org_id.is_none() => {
            let question = "Organization id, as in https://admin.atlassian.com/o/ID \
                (Enter: look it up with the key): ";
            flags.org_id = prompt::ask_optional(person, question, validate::org_uuid)?;
            Ok(())
        }
        SourceAddress::Organization => Ok(()),
        SourceAddress::Site => {
            site(flags, person)?;
            site_access(flags, person, kind, implied.is_none())
        }
        SourceAddress::Server => datacenter(flags, person, implied.is_none()),
    }
}

fn list_of_kinds() -> String {
    let mut text = "What does it collect?\n".to_owned();
    for (number, kind) in (1..).zip(SourceKind::ALL) {
        let descriptor = kind.descriptor();
        text.push_str(&format!("  {number}  {:<19}{}\n", descriptor.word, descriptor.summary));
    }
    text
}

fn parse_kind(answer: &str) -> Result<SourceKind, HintedError> {
    let typed = if answer.is_empty() { "1" } else { answer };
    let number = typed.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    if let Some(kind) = number.and_then(|number| SourceKind::ALL.get(number)) {
        return Ok(*kind);
    }
    if validate::looks_like_key(answer) {
        let most = SourceKind::ALL.len();
        let error = HintedError::new("that is a key; you are asked for it later");
        return Err(error.hint(format!("answer a number from 1 to {most}")));
    }
    validate::source_kind(answer)
}

fn site(flags: &mut LoginFlags, person: &mut dyn UserPrompt) -> io::Result<()> {
    if flags.site.is_none() {
        let question = "Site, such as acme.atlassian.net: ";
        flags.site = Some(prompt::ask_until_valid(person, question, validate::site)?);
    }
    if flags.email.is_none() {
        let question = "E-mail of the token's owner (Enter: use it as a bearer token): ";
        flags.email = prompt::ask_optional(person, question, validate::email)?;
    }
    Ok(())
}

/// Which product's workspace, or whether the gateway leads to the site.
fn site_access(
    flags: &mut LoginFlags,
    person: &mut dyn UserPrompt,
    kind: SourceKind,
    asks_all: bool,
) -> io::Result<()> {
    if is_workspace(kind) && flags.product.is_none() {
        let question = "Product, jira or confluence: ";
        let product = prompt::ask_until_valid(person, question, validate::site_product)?;
        flags.product = Some(product);
    }
    if asks_all && !is_workspace(kind) && !flags.gateway {
        let question = "Scoped token or service account? [y/N] ";
        flags.gateway = prompt::confirm(person, question, false)?;
    }
    Ok(())
}

fn datacenter(
    flags: &mut LoginFlags,
    person: &mut dyn UserPrompt,
    asks_all: bool,
) -> io::Result<()> {
    if flags.base_url.is_none() {
        let question = "Address, such as https://jira.acme.example: ";
        flags.base_url = Some(prompt::ask_until_valid(person, question, validate::base_url)?);
    }
    // Asked before a name: a token that is typed as a user name would be shown, and stored as one.
    if asks_all
        && flags.username.is_none()
        && prompt::ask_until_valid(person, SIGN_IN, has_password)?
    {
        let question = "User name: ";
        flags.username = Some(prompt::ask_until_valid(person, question, validate::username)?);
    }
    Ok(())
}

fn has_password(answer: &str) -> Result<bool, HintedError> {
    match answer {
        "" | "1" => Ok(false),
        "2" => Ok(true),
        _ => Err(HintedError::new("answer 1 or 2; the token or password is asked for later")),
    }
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
