//! Owns secrets in the OS keyring: service `atlaudit`, the user being the source's name.
//!
//! A keyring error is never printed as it is: some of them carry the secret's bytes.

use std::collections::HashMap;
use std::sync::mpsc;
use std::time::Duration;

use keyring_core::{Entry, Error};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;

use crate::config::error::Refusal;
use crate::credentials::error::CredentialError;
use crate::credentials::value::StoredSecret;
use crate::model::name::SourceName;
use crate::model::text::printable;

/// The service that entries belong to.
pub const SERVICE: &str = "atlaudit";

/// How long the keyring may take. A locked one waits for a person on a desktop, and for nobody in cron.
const LIMIT: Duration = Duration::from_secs(10);

const ELSEWHERE: &str = "unlock or start the keyring, or keep the key elsewhere: put it into a file \
                         (`install -m 600 /dev/stdin FILE`) and set `credential = \"file:FILE\"` in the \
                         configuration, or env:NAME, command:PROGRAM, systemd:NAME; without a configuration \
                         file set ATLAUDIT_API_KEY and ATLAUDIT_ORG_ID";

/// Where `name`'s secret is kept, in words.
pub(super) fn place(name: &SourceName) -> String {
    format!("keyring (service `{SERVICE}`, user `{name}`)")
}

/// The text kept for `name`.
pub(super) async fn read(name: &SourceName) -> Result<SecretString, Refusal> {
    let user = name.clone();
    within_limit(move || get(&entry(&user)?))
        .await
        .map_err(|problem| problem.tell(name))
}

/// Whether anything can be kept at all. One that is locked, or asks a person, may be by the time it is needed.
pub async fn look_for(name: &SourceName) -> Result<(), CredentialError> {
    match within_limit(open_store).await {
        Err(problem @ Problem::Unreachable(_)) => {
            Err(CredentialError::new(name, problem.tell(name)))
        }
        _ => Ok(()),
    }
}

/// Keeps `secret` for `name`, in place of what is there.
pub async fn store(name: &SourceName, secret: &StoredSecret) -> Result<(), CredentialError> {
    let text = secret
        .to_text()
        .map_err(|refusal| CredentialError::new(name, refusal))?;
    let user = name.clone();
    let set = move || Ok(entry(&user)?.set_password(text.expose_secret())?);
    within_limit(set)
        .await
        .map_err(|problem| CredentialError::new(name, problem.tell(name)))
}

/// Removes what is kept for `name`; `false` when there was nothing.
pub async fn delete(name: &SourceName) -> Result<bool, CredentialError> {
    let user = name.clone();
    within_limit(move || remove(&entry(&user)?))
        .await
        .map_err(|problem| CredentialError::new(name, problem.tell(name)))
}

/// The names that something is kept for; none when the keyring cannot be asked. It blocks, for up to
/// the time limit: for the start of the program, when no source is configured.
pub fn names() -> Vec<SourceName> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(search().unwrap_or_default()));
    receiver.recv_timeout(LIMIT).unwrap_or_default()
}

fn search() -> Result<Vec<SourceName>, Problem> {
    open_store()?;
    let entries = Entry::search(&HashMap::from([("service", SERVICE)]))?;
    let users = entries.iter().filter_map(Entry::get_specifiers);
    Ok(users.filter_map(|(_, user)| user.parse().ok()).collect())
}

fn entry(name: &SourceName) -> Result<Entry, Problem> {
    open_store()?;
    Ok(Entry::new(SERVICE, name.as_str())?)
}

/// Connects to the platform's keyring, once in the process. Its status says why there is none;
/// the error of an entry would not.
fn open_store() -> Result<(), Problem> {
    match keyring::Entry::store_status() {
        Ok(()) => Ok(()),
        Err(error) => Err(Problem::Unreachable(cause(error))),
    }
}

fn get(entry: &Entry) -> Result<SecretString, Problem> {
    Ok(SecretString::from(entry.get_password()?))
}

fn remove(entry: &Entry) -> Result<bool, Problem> {
    match entry.delete_credential() {
        Ok(()) => Ok(true),
        Err(Error::NoEntry) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Runs `work` on a thread of its own, not on the runtime's: a keyring that never answers must not
/// keep the program from ending.
async fn within_limit<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || sender.send(work()));
    match tokio::time::timeout(LIMIT, receiver).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Problem::Unreachable(
            "its client stopped unexpectedly".to_owned(),
        )),
        Err(_) => Err(Problem::Silent),
    }
}

/// What is wrong, without anything of the secret.
#[derive(Debug, PartialEq, Eq)]
enum Problem {
    NoEntry,
    Unreachable(String),
    Locked(String),
    Useless(&'static str),
    Silent,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        match &error {
            Error::NoEntry => Problem::NoEntry,
            Error::NoStorageAccess(_) => Problem::Locked(cause(&error)),
            Error::BadEncoding(_) | Error::BadDataFormat(..) => {
                Problem::Useless("what it keeps is not text")
            }
            Error::Ambiguous(_) => {
                Problem::Useless("it keeps more than one secret under that name")
            }
            _ => Problem::Unreachable(cause(&error)),
        }
    }
}

/// The platform's words for it. Only variants without the secret's bytes are quoted.
fn cause(error: &Error) -> String {
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

impl Problem {
    fn tell(self, name: &SourceName) -> Refusal {
        let place = place(name);
        match self {
            Problem::NoEntry => Refusal::new(format!("no key in the {place}")).hint(format!(
                "run `atlaudit auth login {name}` as the user that pulls; without a keyring, \
                 set ATLAUDIT_API_KEY and ATLAUDIT_ORG_ID, or use `credential` = env:NAME, file:PATH, command:PROGRAM or systemd:NAME"
            )),
            Problem::Unreachable(cause) => {
                Refusal::new(format!("no Secret Service/keyring reachable: {cause}")).hint(ELSEWHERE)
            }
            Problem::Locked(cause) => Refusal::new(format!("the {place} is locked: {cause}")).hint(ELSEWHERE),
            Problem::Useless(why) => Refusal::new(format!("{place}: {why}"))
                .hint(format!("run `atlaudit auth logout {name}`, then `atlaudit auth login {name}`")),
            Problem::Silent => {
                Refusal::new(format!("the {place} gave no answer within 10 s (is it locked?)")).hint(ELSEWHERE)
            }
        }
    }
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;
