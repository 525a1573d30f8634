//! Runs `auth login`: asks for a key, tests it, and only then stores it.

use std::io::{self, Read as _};

use chrono::{NaiveDate, Utc};
use secrecy::{ExposeSecret as _, SecretString};

use crate::collect::connector::SourceConnector;
use crate::collect::expiry;
use crate::commands::auth::{config_file, describe_store, test_credential, without_retries};
use crate::config::edit::{self, ConfigValue};
use crate::config::env::ProcessEnv;
use crate::config::error::HintedError;
use crate::config::prompt::{self, UserPrompt};
use crate::config::request::LoginRequest;
use crate::config::settings::{SourceSettings, SourceTarget};
use crate::config::validate;
use crate::credentials::{self, Credential, check_key};
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::source_kind::SourceAddress;
use crate::source::api_keys::KeyMatch;
use crate::source::lookup::{self, OrganizationInfo};
use crate::state::lookups::LookupCache;
use crate::telemetry::console::{ConsoleMessage, Level, StderrConsole};
use crate::telemetry::terminal::Terminal;

/// The longest key that is read. Keys of Atlassian have a few hundred characters.
const KEY_BYTES: u64 = 64 * 1024;

/// How often a person is asked for a key that the server accepts.
const KEY_TRIES: usize = 3;

/// Tests a key, stores it in place of the one before, and writes changed settings into the
/// configuration.
///
/// # Errors
/// There is no usable key, the server refuses it, it cannot be tested, or the key or the
/// configuration file cannot be written. Nothing has changed then.
pub async fn login(
    mut request: LoginRequest,
    env: &ProcessEnv,
    console: &StderrConsole,
) -> Result<(), AppError> {
    let mut person = match request.with_key || !env.stdin_is_terminal {
        true => None,
        false => Some(Terminal::open().map_err(|error| prompt_error(&error))?),
    };
    let mut person = person.as_mut().map(|terminal| terminal as &mut dyn UserPrompt);
    // The new key keeps the organization and account of the old one unless others are given.
    let old = credentials::load(&earlier_source(&request), env).await.ok();
    let mut connector = SourceConnector::of_process(env);
    let tested =
        accepted_key(&mut connector, &mut request, old.as_ref(), person.as_deref_mut(), console);
    let mut credential = tested.await?;
    credential.expires = match request.expires_on {
        Some(day) => Some(day),
        None => {
            expiry_of(&mut connector, &request, &credential, person).await.or(credential.expires)
        }
    };
    store_key(&request, credential, old.as_ref(), env, console).await
}

/// The source with the credential that it has used until now.
fn earlier_source(request: &LoginRequest) -> SourceSettings {
    let mut source = request.source.clone();
    if let Some(known) = &request.known {
        source.credential = known.credential.clone();
    }
    source
}

/// Reads a key and tests it. A person may correct a refused key; the other answers stay.
async fn accepted_key(
    connector: &mut SourceConnector,
    request: &mut LoginRequest,
    old: Option<&Credential>,
    mut person: Option<&mut (dyn UserPrompt + '_)>,
    console: &StderrConsole,
) -> Result<Credential, AppError> {
    let source = request.source.clone();
    let mut tries_left = KEY_TRIES;
    loop {
        let key = read_key(request, person.as_deref_mut())?;
        let mut credential = new_credential(request, old, key);
        let found =
            organization_of(connector, &mut request.source, &mut credential, person.as_deref_mut());
        let tested = match found.await {
            Ok(()) => test_key(connector, request, &credential, old.is_some(), console).await,
            Err(error) => Err(error),
        };
        let Err(error) = tested else {
            return Ok(credential);
        };
        tries_left -= 1;
        match person.as_deref_mut() {
            Some(person) if tries_left > 0 && error.may_accept_other_key() => {
                let hint = error.hint_text().unwrap_or_default();
                let refused = format!("  {}\n  hint: {hint}\n", error.text());
                person.show(&refused).map_err(|error| prompt_error(&error))?;
                // The organization was the refused key's.
                request.source = source.clone();
            }
            _ => return Err(error.of_source(request.name.as_str())),
        }
    }
}

/// `key` with the account of the configuration and what was stored with the key before.
fn new_credential(
    request: &LoginRequest,
    old: Option<&Credential>,
    key: SecretString,
) -> Credential {
    // The same key has the same age.
    let same = old.filter(|old| old.key.expose_secret() == key.expose_secret());
    Credential {
        key,
        org_id: old.and_then(|old| old.org_id.clone()),
        account: request
            .source
            .target
            .account()
            .map(str::to_owned)
            .or_else(|| old.and_then(|old| old.account.clone())),
        origin: credentials::describe_location(&request.source),
        stored: same.map_or_else(|| Some(Utc::now()), |old| old.stored),
        expires: same.and_then(|old| old.expires),
    }
}

/// Fills in the organization of a key: the configured one, the one of the key before, or the one
/// that the key itself lists.
async fn organization_of(
    connector: &mut SourceConnector,
    source: &mut SourceSettings,
    credential: &mut Credential,
    person: Option<&mut (dyn UserPrompt + '_)>,
) -> Result<(), AppError> {
    let SourceTarget::OrgEvents { org_id, .. } = &source.target else {
        credential.org_id = None;
        return Ok(());
    };
    if let Some(id) = org_id.clone().or_else(|| credential.org_id.clone()) {
        credential.org_id = Some(id);
        return Ok(());
    }
    let found = match (find_organization(connector, source, credential).await, person) {
        (Ok(found), _) => found,
        // Not a refusal of the key: only its organization is not known.
        (Err(error), Some(person)) if error.exit() == Exit::Usage => {
            let question = format!(
                "{}\nOrganization id, as in https://admin.atlassian.com/o/ID: ",
                error.text()
            );
            prompt::ask_until_valid(person, &question, validate::org_uuid)
                .map_err(|error| prompt_error(&error))?
        }
        (Err(error), _) => return Err(error),
    };
    credential.org_id = Some(found.clone());
    source.target.set_org_id(found);
    Ok(())
}

/// Requests one page with the key. A key that cannot be tested is stored only with `--untested`.
async fn test_key(
    connector: &mut SourceConnector,
    request: &LoginRequest,
    credential: &Credential,
    has_old: bool,
    console: &StderrConsole,
) -> Result<(), AppError> {
    let lookups = LookupCache::new(&request.state_dir);
    let Err(error) = test_credential(connector, &lookups, &request.source, credential).await else {
        return Ok(());
    };
    let is_untested = matches!(error.exit(), Exit::Incomplete | Exit::RateLimited);
    if is_untested && request.untested {
        let text = format!("the key could not be tested: {}", error.text());
        console.say(Level::Warning, &ConsoleMessage::new(text));
        return Ok(());
    }
    let error = error.with_context(match (is_untested, has_old) {
        (true, true) => "the new key could not be tested, so the old one stays",
        (true, false) => "the key could not be tested, so it is not stored",
        (false, true) => "the new key does not work, so the old one stays",
        (false, false) => "the key does not work, so it is not stored",
    });
    if !is_untested {
        return Err(error);
    }
    let hint = error.hint_text().unwrap_or_default();
    let hint = format!("{hint}; `--untested` stores the key all the same");
    Err(error.hint(hint))
}

/// When the key expires, from the organization's list of keys or from a person.
async fn expiry_of(
    connector: &mut SourceConnector,
    request: &LoginRequest,
    credential: &Credential,
    person: Option<&mut (dyn UserPrompt + '_)>,
) -> Option<NaiveDate> {
    let source = without_retries(&request.source);
    if let Some(org_id) = &credential.org_id
        && let Ok(client) = connector.api_client(&source, credential)
        && let Ok(KeyMatch::Key(key)) =
            expiry::look_up_key(&client, &source, org_id, Utc::now()).await
        && let Some(end) = key.expires_at
    {
        return Some(end.date_naive());
    }
    let question = "The day it expires, such as 2027-06-30 (empty: not known): ";
    // The key also works without an answer.
    prompt::ask_optional(person?, question, day_ahead).ok()?
}

fn day_ahead(text: &str) -> Result<NaiveDate, HintedError> {
    let day = validate::date(text)?;
    match day < Utc::now().date_naive() {
        true => Err(HintedError::new("that day is past, and the key works")),
        false => Ok(day),
    }
}

/// Stores the key, then writes the configuration, which was prepared before.
async fn store_key(
    request: &LoginRequest,
    credential: Credential,
    old: Option<&Credential>,
    env: &ProcessEnv,
    console: &StderrConsole,
) -> Result<(), AppError> {
    let name = &request.name;
    let changes = match &request.known {
        Some(known) => changes(known, &request.source, credential.expires),
        None => Vec::new(),
    };
    let prepared = match &request.known {
        None => Some(config_file::prepare(&request.config_file, |text| {
            edit::with_source(text, &request.source)
        })?),
        Some(_) if changes.is_empty() => None,
        Some(_) => Some(config_file::prepare(&request.config_file, |text| {
            edit::with_keys(text, name, &changes)
        })?),
    };
    let same = old.is_some_and(|old| old.key.expose_secret() == credential.key.expose_secret());
    credentials::store(&request.source, env, &credential).await?;
    if let Some(prepared) = prepared {
        prepared.commit()?;
    }
    forget_lookups(request);
    let mut done = outcome(request, old.is_some(), same);
    if let Some(day) = credential.expires {
        done.push_str(&format!(", which expires on {day}"));
    }
    let file = request.config_file.display();
    if request.known.is_none() {
        done.push_str(&format!(", and added the source to {file}"));
    } else if !changes.is_empty() {
        let keys: Vec<_> = changes.iter().map(|(key, _)| format!("`{key}`")).collect();
        done.push_str(&format!(", and changed {} in {file}", keys.join(", ")));
    }
    console.say(Level::Notice, &ConsoleMessage::new(done));
    if let Some(old) = old.filter(|_| is_moved(request)) {
        let text = format!(
            "the earlier key stays in the {}, where `{name}` reads it no more: remove it there",
            old.origin
        );
        console.say(Level::Notice, &ConsoleMessage::new(text));
    }
    if !same && old.is_some() {
        after_rotation(request, credential.expires, console);
    }
    Ok(())
}

/// Whether the source has read its key from another place until now.
fn is_moved(request: &LoginRequest) -> bool {
    let known = request.known.as_ref();
    known.is_some_and(|known| known.credential != request.source.credential)
}

/// The start of the message that reports the stored key.
fn outcome(request: &LoginRequest, has_old: bool, same: bool) -> String {
    let name = &request.name;
    let place = describe_store(&request.source.credential);
    match (has_old && !is_moved(request), same) {
        (false, _) => format!("stored the key of `{name}` in {place}"),
        (true, true) => format!("the key of `{name}` is the one that was stored before"),
        (true, false) => format!("replaced the key of `{name}` in {place}"),
    }
}

/// Reports what is left to do with the old key.
fn after_rotation(request: &LoginRequest, end: Option<NaiveDate>, console: &StderrConsole) {
    let revoke = ConsoleMessage::new("the old key still works: revoke it where it was made");
    console.say(Level::Notice, &revoke);
    if let (Some(day), None) = (request.source.expires_on, end) {
        let name = &request.name;
        let mut stale = ConsoleMessage::new(format!(
            "source `{name}`: `expires_on` in {} is still that of the old key, {day}",
            request.config_file.display()
        ));
        stale.hint = Some(format!(
            "set it to the new key's end, or run `atlaudit auth login {name} --expires-on DATE`"
        ));
        console.say(Level::Warning, &stale);
    }
}

/// A new token may belong to a different account, or to a site that was recreated.
fn forget_lookups(request: &LoginRequest) {
    if let Some(site) = request.source.target.site() {
        LookupCache::new(&request.state_dir).update(&site, |facts| {
            facts.cloud_id = None;
            facts.accounts.remove(request.name.as_str());
        });
    }
}

/// The keys of a configured source that say something else now.
fn changes(
    known: &SourceSettings,
    now: &SourceSettings,
    end: Option<NaiveDate>,
) -> Vec<(&'static str, ConfigValue)> {
    let mut changes = Vec::new();
    if known.credential != now.credential {
        changes.push(("credential", now.credential.to_string().into()));
    }
    let (before, after) = (known.target.account(), now.target.account());
    let account_key = now.target.kind().descriptor().account_key;
    if let (true, Some(account), Some(key)) = (before != after, after, account_key) {
        changes.push((key, account.into()));
    }
    let (before, after) = (&known.target, &now.target);
    if after.is_through_gateway() && !before.is_through_gateway() {
        changes.push(("gateway", true.into()));
    } else if before.base_url() != after.base_url() {
        changes.push(("base_url", after.base_url().as_str().into()));
    }
    if let (Some(before), Some(end)) = (known.expires_on, end)
        && before != end
    {
        changes.push(("expires_on", end.to_string().into()));
    }
    changes
}

fn read_key(
    request: &LoginRequest,
    person: Option<&mut (dyn UserPrompt + '_)>,
) -> Result<SecretString, AppError> {
    if let Some(person) = person {
        let target = &request.source.target;
        let is_password = target.kind().address() == SourceAddress::Server;
        let question = match target.account().filter(|_| is_password) {
            Some(user) => format!("Password of `{user}` (not shown): "),
            None => format!("Key of `{}` (not shown): ", request.name),
        };
        return prompt::ask_secret_until_valid(person, &question, check_key)
            .map_err(|error| prompt_error(&error));
    }
    if !request.with_key {
        return Err(AppError::new(Exit::Usage, "there is no terminal to prompt for the key")
            .hint("give the key on standard input with `--with-key`"));
    }
    let mut text = String::new();
    let read = io::stdin().lock().take(KEY_BYTES).read_to_string(&mut text);
    let text = SecretString::from(text);
    read.map_err(|error| {
        AppError::new(Exit::Credential, "cannot read the key")
            .because(&error)
            .hint("`--with-key` takes the key alone, as text, on standard input")
    })?;
    check_key(text.expose_secret()).map_err(|refusal| AppError::refused(Exit::Credential, refusal))
}

fn prompt_error(error: &io::Error) -> AppError {
    AppError::new(Exit::Usage, "cannot prompt for the missing values")
        .because(error)
        .hint("give it with flags (`atlaudit auth login --help`), and the key with `--with-key`")
}

const WHERE: &str = "it is in the URL of admin.atlassian.com, after /o/";

/// The id of the only organization that `credential` lists.
///
/// # Errors
/// The key is refused, or lists none or several.
async fn find_organization(
    connector: &mut SourceConnector,
    source: &SourceSettings,
    credential: &Credential,
) -> Result<String, AppError> {
    let client = connector.api_client(source, credential)?;
    let request = lookup::organizations_request(source.target.base_url());
    let found = client.request(&request, lookup::read_organizations).await?;
    match found.as_slice() {
        [one] => Ok(one.id.clone()),
        [] => {
            Err(AppError::new(Exit::Usage, "the key does not show its organization").hint(format!(
                "a key with scopes lists none, whatever it may read: add `--org-id ID`; {WHERE}"
            )))
        }
        several => {
            let describe = |organization: &OrganizationInfo| match &organization.name {
                Some(name) => format!("{} ({name})", organization.id),
                None => organization.id.clone(),
            };
            let names: Vec<String> = several.iter().map(describe).collect();
            let what = format!("the key is of several organizations: {}", names.join(", "));
            Err(AppError::new(Exit::Usage, what).hint("choose one with `--org-id ID`"))
        }
    }
}
