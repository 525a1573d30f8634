//! Runs `auth login`: asks for a key, tests it, and only then stores it.

use std::io::{self, Read as _};

use chrono::{NaiveDate, Utc};
use secrecy::{ExposeSecret as _, SecretString};

use crate::collect::connector::SourceConnector;
use crate::commands::auth::{describe_store, look_up_listed_key, test_credential};
use crate::commands::config_file;
use crate::config::edit::{self, ConfigValue};
use crate::config::env::ProcessEnv;
use crate::config::error::HintedError;
use crate::config::prompt::{self, UserPrompt as _};
use crate::config::request::LoginRequest;
use crate::config::settings::SourceSettings;
use crate::config::validate;
use crate::credentials::{self, Credential, check_key};
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::source_kind::SourceAddress;
use crate::source::api_keys::KeyMatch;
use crate::source::lookup::{self, OrganizationInfo};
use crate::state::caches::LookupCache;
use crate::telemetry::console::{ConsoleMessage, Level, StderrConsole};
use crate::telemetry::terminal::Terminal;

/// The longest key that is read. Keys of Atlassian have a few hundred characters.
const KEY_BYTES: u64 = 64 * 1024;

/// How often a person is asked for a key that the server accepts.
const KEY_TRIES: usize = 3;

const WHERE: &str = "it is in the URL of admin.atlassian.com, after /o/";

/// Tests a key, stores it in place of the one before, and writes changed settings into the
/// configuration.
///
/// # Errors
/// There is no usable key, the server refuses it, it cannot be tested, or the key or the
/// configuration file cannot be written. Nothing has changed then.
pub async fn login(
    request: LoginRequest,
    env: &ProcessEnv,
    console: &StderrConsole,
) -> Result<(), AppError> {
    let person = match request.with_key || !env.stdin_is_terminal {
        true => None,
        false => Some(Terminal::open().map_err(|error| prompt_error(&error))?),
    };
    let mut earlier = request.source.clone();
    if let Some(known) = &request.known {
        earlier.credential = known.credential.clone();
    }
    let old = credentials::load(&earlier, env).await.ok();
    let connector = SourceConnector::of_process(env);
    let mut session = LoginSession { request, old, person, connector, env, console };
    let mut credential = session.accepted_key().await?;
    credential.expires = match session.request.expires_on {
        Some(day) => Some(day),
        None => session.find_expiry(&credential).await.or(credential.expires),
    };
    session.store_key(credential).await
}

/// One `auth login`.
struct LoginSession<'a> {
    request: LoginRequest,
    /// The key that is stored until now. The new one keeps its organization and account unless
    /// others are given.
    old: Option<Credential>,
    /// Asks the person at the terminal, if there is one.
    person: Option<Terminal>,
    connector: SourceConnector,
    env: &'a ProcessEnv,
    console: &'a StderrConsole,
}

impl LoginSession<'_> {
    /// Reads a key and tests it. A person may correct a refused key; the other answers stay.
    async fn accepted_key(&mut self) -> Result<Credential, AppError> {
        let source = self.request.source.clone();
        let mut tries_left = KEY_TRIES;
        loop {
            let key = self.read_key()?;
            let mut credential = self.new_credential(key);
            let tested = match self.fill_in_organization(&mut credential).await {
                Ok(()) => self.test_key(&credential).await,
                Err(error) => Err(error),
            };
            let Err(error) = tested else {
                return Ok(credential);
            };
            tries_left -= 1;
            match &mut self.person {
                Some(person) if tries_left > 0 && error.may_accept_other_key() => {
                    let hint = error.hint_text().unwrap_or_default();
                    let refused = format!("  {}\n  hint: {hint}\n", error.text());
                    person.show(&refused).map_err(|error| prompt_error(&error))?;
                    // The organization was the refused key's.
                    self.request.source = source.clone();
                }
                _ => return Err(error.of_source(self.request.name.as_str())),
            }
        }
    }

    fn read_key(&mut self) -> Result<SecretString, AppError> {
        if let Some(person) = &mut self.person {
            let target = &self.request.source.target;
            let is_password = target.kind().address() == SourceAddress::Server;
            let question = match target.account.as_deref().filter(|_| is_password) {
                Some(user) => format!("Password of `{user}` (not shown): "),
                None => format!("Key of `{}` (not shown): ", self.request.name),
            };
            return prompt::ask_secret_until_valid(person, &question, check_key)
                .map_err(|error| prompt_error(&error));
        }
        if !self.request.with_key {
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
        check_key(text.expose_secret())
            .map_err(|refusal| AppError::refused(Exit::Credential, refusal))
    }

    /// `key` with the account of the configuration and what was stored with the key before.
    fn new_credential(&self, key: SecretString) -> Credential {
        let (old, source) = (self.old.as_ref(), &self.request.source);
        // The same key has the same age.
        let same = old.filter(|old| old.key.expose_secret() == key.expose_secret());
        let account = source.target.account.clone();
        Credential {
            key,
            org_id: old.and_then(|old| old.org_id.clone()),
            account: account.or_else(|| old?.account.clone()),
            origin: credentials::describe_location(source),
            stored: same.map_or_else(|| Some(Utc::now()), |old| old.stored),
            expires: same.and_then(|old| old.expires),
        }
    }

    /// Fills in the organization of a key: the configured one, the one of the key before, or the
    /// one that the key itself lists.
    async fn fill_in_organization(&mut self, credential: &mut Credential) -> Result<(), AppError> {
        let target = &self.request.source.target;
        if target.kind().address() != SourceAddress::Organization {
            credential.org_id = None;
            return Ok(());
        }
        if let Some(id) = target.org_id.clone().or_else(|| credential.org_id.clone()) {
            credential.org_id = Some(id);
            return Ok(());
        }
        let found = match (self.find_organization(credential).await, &mut self.person) {
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
        self.request.source.target.org_id = Some(found);
        Ok(())
    }

    /// The id of the only organization that `credential` lists.
    ///
    /// # Errors
    /// The key is refused, or lists none or several.
    async fn find_organization(&mut self, credential: &Credential) -> Result<String, AppError> {
        let source = &self.request.source;
        let client = self.connector.api_client(source, credential)?;
        let request = lookup::organizations_request(source.target.base_url());
        let found = client.request(&request, lookup::read_organizations).await?;
        match found.as_slice() {
            [one] => Ok(one.id.clone()),
            [] => Err(AppError::new(Exit::Usage, "the key does not show its organization").hint(
                format!(
                    "a key with scopes lists none, whatever it may read: add `--org-id ID`; {WHERE}"
                ),
            )),
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

    /// Requests one page with the key. A key that cannot be tested is stored only with
    /// `--untested`.
    async fn test_key(&mut self, credential: &Credential) -> Result<(), AppError> {
        let request = &self.request;
        let lookups = LookupCache::new(&request.state_dir);
        let tested = test_credential(&mut self.connector, &lookups, &request.source, credential);
        let Err(error) = tested.await else {
            return Ok(());
        };
        let is_untested = matches!(error.exit(), Exit::Incomplete | Exit::RateLimited);
        if is_untested && request.untested {
            self.console.warn(format!("the key could not be tested: {}", error.text()));
            return Ok(());
        }
        let error = error.with_context(match (is_untested, self.old.is_some()) {
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
    async fn find_expiry(&mut self, credential: &Credential) -> Option<NaiveDate> {
        let (connector, source) = (&mut self.connector, &self.request.source);
        if let Some(KeyMatch::Key(key)) =
            look_up_listed_key(connector, source, credential, Utc::now()).await
            && let Some(end) = key.expires_at
        {
            return Some(end.date_naive());
        }
        let question = "The day it expires, such as 2027-06-30 (empty: not known): ";
        // The key also works without an answer.
        prompt::ask_optional(self.person.as_mut()?, question, day_ahead).ok()?
    }

    /// Stores the key, then writes the configuration, which was prepared before.
    async fn store_key(&self, credential: Credential) -> Result<(), AppError> {
        let (request, old) = (&self.request, self.old.as_ref());
        let (name, known) = (&request.name, request.known.as_ref());
        let changes =
            known.map_or(Vec::new(), |known| changes(known, &request.source, credential.expires));
        let prepared = match known {
            Some(_) if changes.is_empty() => None,
            _ => Some(config_file::prepare(&request.config_file, |text| match known {
                None => edit::with_source(text, &request.source),
                Some(_) => edit::with_keys(text, name, &changes),
            })?),
        };
        let same = old.is_some_and(|old| old.key.expose_secret() == credential.key.expose_secret());
        credentials::store(&request.source, self.env, &credential).await?;
        if let Some(prepared) = prepared {
            let stored = "the key is stored, but its source is not in the configuration";
            prepared.commit().map_err(|error| error.with_context(stored))?;
        }
        if let Some(site) = request.source.target.site() {
            // A new token may belong to a different account, or to a site that was recreated.
            LookupCache::new(&request.state_dir).update(&site, |facts| {
                facts.cloud_id = None;
                facts.accounts.remove(name.as_str());
            });
        }
        self.report_stored(same, credential.expires, &changes);
        Ok(())
    }

    /// Reports what was done, and what is left to do with the old key.
    fn report_stored(
        &self,
        same: bool,
        expires: Option<NaiveDate>,
        changes: &[(&'static str, ConfigValue)],
    ) {
        let (request, console) = (&self.request, self.console);
        let (name, known, file) =
            (&request.name, request.known.as_ref(), request.config_file.display());
        // Whether the source has read its key from another place until now.
        let is_moved = known.is_some_and(|known| known.credential != request.source.credential);
        let place = describe_store(&request.source.credential);
        let mut done = match (self.old.is_some() && !is_moved, same) {
            (false, _) => format!("stored the key of `{name}` in {place}"),
            (true, true) => format!("the key of `{name}` is the one that was stored before"),
            (true, false) => format!("replaced the key of `{name}` in {place}"),
        };
        if let Some(day) = expires {
            done.push_str(&format!(", which expires on {day}"));
        }
        if known.is_none() {
            done.push_str(&format!(", and added the source to {file}"));
        } else if !changes.is_empty() {
            let keys: Vec<_> = changes.iter().map(|(key, _)| format!("`{key}`")).collect();
            done.push_str(&format!(", and changed {} in {file}", keys.join(", ")));
        }
        console.notice(done);
        let Some(old) = &self.old else { return };
        if is_moved {
            console.notice(format!(
                "the earlier key stays in the {}, where `{name}` reads it no more: remove it there",
                old.origin
            ));
        }
        if same {
            return;
        }
        console.notice("the old key still works: revoke it where it was made");
        if let (Some(day), None) = (request.source.expires_on, expires) {
            let stale = ConsoleMessage::new(format!(
                "source `{name}`: `expires_on` in {file} is still that of the old key, {day}"
            ));
            let hint = format!(
                "set it to the new key's end, or run `atlaudit auth login {name} --expires-on DATE`"
            );
            console.say(Level::Warning, &stale.hint(hint));
        }
    }
}

fn day_ahead(text: &str) -> Result<NaiveDate, HintedError> {
    let day = validate::date(text)?;
    match day < Utc::now().date_naive() {
        true => Err(HintedError::new("that day is past, and the key works")),
        false => Ok(day),
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
    let (before, after) = (&known.target, &now.target);
    if let (Some(account), Some(key)) = (&after.account, after.kind().descriptor().account_key)
        && before.account.as_ref() != Some(account)
    {
        changes.push((key, account.into()));
    }
    if after.gateway.is_some() && before.gateway.is_none() {
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

fn prompt_error(error: &io::Error) -> AppError {
    AppError::new(Exit::Usage, "cannot prompt for the missing values")
        .because(error)
        .hint("give it with flags (`atlaudit auth login --help`), and the key with `--with-key`")
}
