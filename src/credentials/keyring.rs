//! Reads and stores secrets in the OS keyring: service `atlaudit`, user = name of the source.
//!
//! A keyring error is never printed as it is: some of them carry the secret's bytes.

use std::collections::HashMap;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use keyring_core::{Entry, Error};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;

use crate::config::error::HintedError;
use crate::model::name::SourceName;
use crate::model::text::printable;

/// The service that entries belong to.
pub const SERVICE: &str = "atlaudit";

/// How long the keyring may take. A locked one waits for a person on a desktop, and for nobody in
/// cron.
const LIMIT: Duration = Duration::from_secs(10);

/// What to do where there is no keyring. The two variables describe an organization and no other
/// source.
fn alternatives_hint(name: &SourceName, is_organization: bool) -> String {
    let variables = match is_organization {
        true => "; without a configuration file set ATLAUDIT_API_KEY and ATLAUDIT_ORG_ID",
        false => "",
    };
    format!(
        "store the key in a file that only you can read: `atlaudit auth login {name} --store \
         file:~/.config/atlaudit/keys/{name}`; or unlock or start the keyring; or set `credential` \
         to env:NAME, command:PROGRAM ARG... or systemd:NAME in the configuration{variables}"
    )
}

/// Where `name`'s secret is stored, in words.
pub(super) fn describe_location(name: &SourceName) -> String {
    format!("keyring (service `{SERVICE}`, user `{name}`)")
}

/// The text stored for `name`.
pub(super) async fn read(
    name: &SourceName,
    is_organization: bool,
) -> Result<SecretString, HintedError> {
    with_entry(name, is_organization, |entry| get(&entry)).await
}

/// Whether anything can be stored at all. A keyring that is locked, or asks a person, may be open
/// by the time that it is needed. It blocks, for up to the time limit: for the start of the
/// program.
pub(super) fn check_available(name: &SourceName) -> Result<(), HintedError> {
    match blocking(open_store) {
        Err(problem @ KeyringProblem::Unreachable(_)) => Err(problem.into_error(name, false)),
        _ => Ok(()),
    }
}

/// Stores `text` for `name`, in place of what is there.
pub(super) async fn store(name: &SourceName, text: SecretString) -> Result<(), HintedError> {
    with_entry(name, false, move |entry| Ok(entry.set_password(text.expose_secret())?)).await
}

/// Removes what is stored for `name`; `false` when there was nothing.
pub(super) async fn delete(name: &SourceName) -> Result<bool, HintedError> {
    with_entry(name, false, |entry| remove(&entry)).await
}

/// The names that something is stored for; none when the keyring cannot be read. It blocks, for up
/// to the time limit: for the start of the program, when no source is configured.
pub fn names() -> Vec<SourceName> {
    blocking(search).unwrap_or_default()
}

/// Runs `work` on a thread of its own, not on the runtime's: a keyring that never answers must not
/// keep the program from ending.
fn in_thread<T>(
    work: impl FnOnce() -> Result<T, KeyringProblem> + Send + 'static,
    finish: impl FnOnce(Result<T, KeyringProblem>) + Send + 'static,
) -> Result<(), KeyringProblem> {
    match thread::Builder::new().spawn(move || finish(work())) {
        Ok(_) => Ok(()),
        Err(error) => Err(KeyringProblem::Unreachable(error.to_string())),
    }
}

fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeyringProblem> + Send + 'static,
) -> Result<T, KeyringProblem> {
    let (sender, receiver) = mpsc::channel();
    in_thread(work, move |result| drop(sender.send(result)))?;
    receiver.recv_timeout(LIMIT).unwrap_or(Err(KeyringProblem::TimedOut))
}

async fn with_entry<T: Send + 'static>(
    name: &SourceName,
    is_organization: bool,
    work: impl FnOnce(Entry) -> Result<T, KeyringProblem> + Send + 'static,
) -> Result<T, HintedError> {
    let (sender, receiver) = oneshot::channel();
    let user = name.clone();
    let started = in_thread(move || work(entry(&user)?), move |result| drop(sender.send(result)));
    let done = match started {
        Ok(()) => match tokio::time::timeout(LIMIT, receiver).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => {
                Err(KeyringProblem::Unreachable("its client stopped unexpectedly".to_owned()))
            }
            Err(_) => Err(KeyringProblem::TimedOut),
        },
        Err(problem) => Err(problem),
    };
    done.map_err(|problem| problem.into_error(name, is_organization))
}

fn search() -> Result<Vec<SourceName>, KeyringProblem> {
    open_store()?;
    let entries = Entry::search(&HashMap::from([("service", SERVICE)]))?;
    let users = entries.iter().filter_map(Entry::get_specifiers);
    Ok(users.filter_map(|(_, user)| user.parse().ok()).collect())
}

fn entry(name: &SourceName) -> Result<Entry, KeyringProblem> {
    open_store()?;
    Ok(Entry::new(SERVICE, name.as_str())?)
}

/// Connects to the platform's keyring, once in the process. Its status says why there is none;
/// the error of an entry would not.
fn open_store() -> Result<(), KeyringProblem> {
    match keyring::Entry::store_status() {
        Ok(()) => Ok(()),
        Err(error) => Err(KeyringProblem::Unreachable(describe_cause(error))),
    }
}

fn get(entry: &Entry) -> Result<SecretString, KeyringProblem> {
    Ok(SecretString::from(entry.get_password()?))
}

fn remove(entry: &Entry) -> Result<bool, KeyringProblem> {
    match entry.delete_credential() {
        Ok(()) => Ok(true),
        Err(Error::NoEntry) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// What is wrong, without anything of the secret.
#[derive(Debug, PartialEq, Eq)]
enum KeyringProblem {
    NoEntry,
    Unreachable(String),
    Locked(String),
    Useless(&'static str),
    TimedOut,
}

impl From<Error> for KeyringProblem {
    fn from(error: Error) -> KeyringProblem {
        match &error {
            Error::NoEntry => KeyringProblem::NoEntry,
            Error::NoStorageAccess(_) => KeyringProblem::Locked(describe_cause(&error)),
            Error::BadEncoding(_) | Error::BadDataFormat(..) => {
                KeyringProblem::Useless("the stored secret is not text")
            }
            Error::Ambiguous(_) => {
                KeyringProblem::Useless("it holds more than one secret of that name")
            }
            _ => KeyringProblem::Unreachable(describe_cause(&error)),
        }
    }
}

/// The platform's words for it. Only variants without the secret's bytes are quoted.
fn describe_cause(error: &Error) -> String {
    match error {
        Error::PlatformFailure(cause) | Error::NoStorageAccess(cause) => {
            printable(&cause.to_string())
        }
        Error::NoDefaultStore => "none is set up".to_owned(),
        Error::BadStoreFormat(what) | Error::NotSupportedByStore(what) => printable(what),
        Error::Invalid(what, why) => printable(&format!("{what} {why}")),
        Error::TooLong(what, most) => {
            printable(&format!("{what} is longer than {most} characters"))
        }
        _ => "it gave no reason".to_owned(),
    }
}

impl KeyringProblem {
    fn into_error(self, name: &SourceName, is_organization: bool) -> HintedError {
        let place = describe_location(name);
        let elsewhere = alternatives_hint(name, is_organization);
        let (what, hint) = match self {
            KeyringProblem::NoEntry => (
                format!("no key in the {place}"),
                format!(
                    "run `atlaudit auth login {name}` as the user that pulls; without a keyring, \
                     {elsewhere}"
                ),
            ),
            KeyringProblem::Unreachable(cause) => {
                (format!("no Secret Service/keyring reachable: {cause}"), elsewhere)
            }
            KeyringProblem::Locked(cause) => (format!("the {place} is locked: {cause}"), elsewhere),
            KeyringProblem::Useless(why) => (
                format!("{place}: {why}"),
                format!("run `atlaudit auth logout {name}`, then `atlaudit auth login {name}`"),
            ),
            KeyringProblem::TimedOut => {
                (format!("the {place} did not respond within 10 s (is it locked?)"), elsewhere)
            }
        };
        HintedError::new(what).hint(hint)
    }
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;
