//! Runs `auth login`: asks for a key, tests it, and only then stores it.

use std::io::{self, Read as _};

use chrono::{NaiveDate, Utc};
use secrecy::{ExposeSecret as _, SecretString};

use crate::commands::auth::{test_credential, config_file, without_retries, describe_store};
use crate::commands::connect::{SourceConnector, quota_dir};
use crate::commands::{expiry, organization};
use crate::config::prompt::{self, UserPrompt};
use crate::config::edit::{self, ConfigValue};
use crate::config::env::ProcessEnv;
use crate::config::error::HintedError;
use crate::config::validate;
use crate::config::request::LoginRequest;
use crate::config::settings::{SourceSettings, SourceTarget};
use crate::credentials::{self, Credential, StoredSecret, check_key};
use crate::error::AppError;
use crate::exit::Exit;
use crate::source::api_keys::KeyMatch;
use crate::state::lookups::LookupCache;
use crate::telemetry::console::{StderrConsole, Level, ConsoleMessage};
use crate::telemetry::terminal::Terminal;

/// The longest key that is read: Atlassian's have a few hundred characters.
const KEY_BYTES: u64 = 64 * 1024;

/// How often a person is asked for a key that the server accepts.
const KEY_TRIES: usize = 3;

/// Tests a key, stores it in place of the one before, and writes what is new into the configuration.
///
/// # Errors
/// There is no usable key, the server refuses it, it cannot be tested, or the key or the configuration file cannot
/// be written. Nothing has changed then.
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
    // What belongs to the old key belongs to the new one, unless somebody says otherwise.
    let old = credentials::load(&earlier_source(&request), env).await.ok();
    let mut connector = SourceConnector::new(quota_dir(env));
    let tested = accepted_key(
        &mut connector,
        &mut request,
        old.as_ref(),
        person.as_deref_mut(),
        console,
    );
    let mut credential = tested.await?;
    credential.expires = match request.expires_on {
        Some(day) => Some(day),
        None => expiry_of(&mut connector, &request, &credential, person)
            .await
            .or(credential.expires),
    };
    store_key(&request, credential, old.as_ref(), env, console).await
}

/// The source as it reads its key until now.
fn earlier_source(request: &LoginRequest) -> SourceSettings {
    let mut source = request.source.clone();
    if let Some(known) = &request.known {
        source.credential = known.credential.clone();
    }
    source
}

/// Reads a key and tests it. A person may correct a key that is refused; everything else that was
/// answered stays as it is.
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
        let found = organization_of(
            connector,
            &mut request.source,
            &mut credential,
            person.as_deref_mut(),
        );
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

/// `key` with what the configuration says of its account, and what was stored beside the key before.
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
        account: account(&request.source.target)
            .or_else(|| old.and_then(|old| old.account.clone())),
        origin: credentials::describe_location(&request.source),
        stored: same.map_or_else(|| Some(Utc::now()), |old| old.stored),
        expires: same.and_then(|old| old.expires),
    }
}

/// Fills in whose key an organization's key is: as configured, as it was before, or as the key itself tells.
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
    let found = match (
        organization::find(connector, source, credential).await,
        person,
    ) {
        (Ok(found), _) => found,
        // Not a refusal of the key: only its organization is not known.
        (Err(error), Some(person)) if error.exit() == Exit::Usage => {
            let question = format!(
                "{}\nOrganization id, as in https://admin.atlassian.com/o/ID: ",
                error.text()
            );
            prompt::ask_until_valid(person, &question, validate::org_uuid).map_err(|error| prompt_error(&error))?
        }
        (Err(error), _) => return Err(error),
    };
    credential.org_id = Some(found.clone());
    if let SourceTarget::OrgEvents { org_id, .. } = &mut source.target {
        *org_id = Some(found);
    }
    Ok(())
}

fn account(target: &SourceTarget) -> Option<String> {
    match target {
        SourceTarget::OrgEvents { .. } => None,
        SourceTarget::Site(site) => site.email.clone(),
        SourceTarget::Datacenter { username, .. } => username.clone(),
    }
}

/// Asks for one page with the key. One that cannot be tested is kept only where that is asked for.
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

/// When the key ends: as the organization's list of keys says, or as a person does.
async fn expiry_of(
    connector: &mut SourceConnector,
    request: &LoginRequest,
    credential: &Credential,
    person: Option<&mut (dyn UserPrompt + '_)>,
) -> Option<NaiveDate> {
    let source = without_retries(&request.source);
    if let Some(org_id) = &credential.org_id
        && let Ok(asking) = connector.api_client(&source, credential)
        && let Ok(KeyMatch::Key(key)) = expiry::look_up_key(&asking, &source, org_id, Utc::now()).await
        && let Some(end) = key.expires_at
    {
        return Some(end.date_naive());
    }
    let question = "The day it expires, such as 2027-06-30 (empty: not known): ";
    // Whoever does not answer has a key that works all the same.
    prompt::ask_optional(person?, question, day_ahead).ok()?
}

fn day_ahead(text: &str) -> Result<NaiveDate, HintedError> {
    let day = validate::date(text)?;
    match day < Utc::now().date_naive() {
        true => Err(HintedError::new("that day is past, and the key works")),
        false => Ok(day),
    }
}

/// Stores the key, then writes the configuration, which was made ready before.
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
    let secret = StoredSecret {
        org_id: credential.org_id,
        // A Data Center's user name stands in the configuration.
        email: credential
            .account
            .filter(|_| matches!(request.source.target, SourceTarget::Site(_))),
        api_key: credential.key,
        stored: credential.stored,
        expires: credential.expires,
    };
    credentials::store(&request.source, env, &secret).await?;
    if let Some(prepared) = prepared {
        prepared.commit()?;
    }
    forget_lookups(request);
    let mut done = outcome(request, old.is_some(), same);
    if let Some(day) = secret.expires {
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
        after_rotation(request, secret.expires, console);
    }
    Ok(())
}

/// Whether the source read its key elsewhere until now.
fn is_moved(request: &LoginRequest) -> bool {
    let known = request.known.as_ref();
    known.is_some_and(|known| known.credential != request.source.credential)
}

/// What became of the key, as the start of a sentence.
fn outcome(request: &LoginRequest, has_old: bool, same: bool) -> String {
    let name = &request.name;
    let place = describe_store(&request.source.credential);
    match (has_old && !is_moved(request), same) {
        (false, _) => format!("stored the key of `{name}` in {place}"),
        (true, true) => format!("the key of `{name}` is the one that was stored before"),
        (true, false) => format!("replaced the key of `{name}` in {place}"),
    }
}

/// What is left to do with the key before.
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

/// Another token may be another account's, or of a site that was made anew.
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
        changes.push(("credential", ConfigValue::Text(now.credential.to_string())));
    }
    let (before, after) = (account(&known.target), account(&now.target));
    if let (true, Some(account)) = (before != after, after) {
        let key = match now.target {
            SourceTarget::Datacenter { .. } => "username",
            _ => "email",
        };
        changes.push((key, ConfigValue::Text(account)));
    }
    let (before, after) = (&known.target, &now.target);
    if after.is_through_gateway() && !before.is_through_gateway() {
        changes.push(("gateway", ConfigValue::True));
    } else if before.base_url() != after.base_url() {
        changes.push(("base_url", ConfigValue::Text(after.base_url().to_string())));
    }
    if let (Some(before), Some(end)) = (known.expires_on, end)
        && before != end
    {
        changes.push(("expires_on", ConfigValue::Day(end)));
    }
    changes
}

fn read_key(
    request: &LoginRequest,
    person: Option<&mut (dyn UserPrompt + '_)>,
) -> Result<SecretString, AppError> {
    if let Some(person) = person {
        let question = match &request.source.target {
            SourceTarget::Datacenter {
                username: Some(user),
                ..
            } => format!("Password of `{user}` (not shown): "),
            _ => format!("Key of `{}` (not shown): ", request.name),
        };
        return prompt::ask_secret_until_valid(person, &question, check_key).map_err(|error| prompt_error(&error));
    }
    if !request.with_key {
        return Err(
            AppError::new(Exit::Usage, "there is no terminal to ask for the key on")
                .hint("give the key on standard input with `--with-key`"),
        );
    }
    let mut text = String::new();
    let read = io::stdin().lock().take(KEY_BYTES).read_to_string(&mut text);
    let text = SecretString::from(text);
    read.map_err(|error| {
        AppError::new(Exit::Credential, "cannot read the key")
            .because(&error)
            .hint("`--with-key` takes the key alone, as text, on standard input")
    })?;
    check_key(text.expose_secret()).map_err(|refusal| {
        let told = AppError::new(Exit::Credential, refusal.what);
        match refusal.hint {
            Some(hint) => told.hint(hint),
            None => told,
        }
    })
}

fn prompt_error(error: &io::Error) -> AppError {
    AppError::new(Exit::Usage, "what is missing could not be asked for")
        .because(error)
        .hint("give it with flags (`atlaudit auth login --help`), and the key with `--with-key`")
}
