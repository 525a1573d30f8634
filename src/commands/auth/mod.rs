//! Runs `auth`: stores keys, shows where credentials come from, removes keys.

pub mod login;

use chrono::Utc;
use serde_json::json;
use tracing::Instrument as _;

use crate::collect::connector::{SourceConnector, without_retries};
use crate::collect::expiry::{self, CredentialExpiry};
use crate::commands::text_table::{CellStyle, TableCell, plain, text_table};
use crate::config::env::ProcessEnv;
use crate::config::request::LogoutRequest;
use crate::config::settings::{CredentialSpec, Settings, SourceSettings, TableSpace};
use crate::credentials::{self, Credential};
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::time::Timestamp;
use crate::sink::stdout;
use crate::source::api_keys::KeyMatch;
use crate::state::caches::LookupCache;
use crate::telemetry::console::{Level, StderrConsole};

/// Requests one page, once.
async fn test_credential(
    connector: &mut SourceConnector,
    lookups: &LookupCache,
    source: &SourceSettings,
    credential: &Credential,
) -> Result<(), AppError> {
    let source = without_retries(source);
    let connected = connector.connect(&source, credential)?;
    let testing = async {
        let (_, fetcher) = connected.into_fetcher(lookups, None).await?;
        Ok(fetcher.probe(Utc::now()).await?)
    };
    let span = tracing::error_span!("auth", source = source.name.as_str());
    testing.instrument(span).await
}

/// Removes a key from the keyring, or from the file that the configuration names.
///
/// # Errors
/// It cannot be removed, or there is no such key.
pub async fn logout(
    request: LogoutRequest,
    env: &ProcessEnv,
    console: &StderrConsole,
) -> Result<(), AppError> {
    let name = &request.name;
    let place = describe_store(&request.credential);
    let removed = credentials::remove(name, &request.credential, env).await;
    if let (Ok(false) | Err(_), Some(why)) = (&removed, &request.no_key_error) {
        let error = AppError::new(Exit::Config, why.to_string());
        return Err(error.hint(why.hint_text().unwrap_or_default()));
    }
    if !removed? {
        let what = match &request.credential {
            CredentialSpec::File(_) => format!("there is no {place}"),
            _ => format!("the keyring holds no key of `{name}`"),
        };
        return Err(AppError::new(Exit::Credential, what)
            .hint("`atlaudit auth status` shows where each source's credential comes from"));
    }
    let mut text = format!("removed the key of `{name}` from {place}");
    if !request.also_read_by.is_empty() {
        let others = request.also_read_by.iter();
        let others: Vec<_> = others.map(|other| format!("`{other}`")).collect();
        text.push_str(&format!(", which {} read too", others.join(", ")));
    }
    text.push_str("; the key is valid until it is revoked at Atlassian");
    console.notice(text);
    Ok(())
}

/// Describes the place that a key is stored in.
fn describe_store(credential: &CredentialSpec) -> String {
    match credential {
        CredentialSpec::File(path) => format!("file {}", path.display()),
        _ => "the OS keyring".to_owned(),
    }
}

/// Runs `auth status`: prints for each source where its credential comes from, whether the server
/// accepts it, how old it is and when it expires. Returns how the worst of them is.
///
/// # Errors
/// Standard output cannot be written.
pub async fn status(
    settings: &Settings,
    (is_json, space): (bool, TableSpace),
    env: &ProcessEnv,
    console: &StderrConsole,
) -> Result<Exit, AppError> {
    let mut rows = Vec::new();
    let mut connector = SourceConnector::of_process(env);
    let lookups = LookupCache::new(&settings.state_dir);
    let (mut worst, now) = (Exit::Done, Utc::now());
    let mut messages = Vec::new();
    for source in &settings.sources {
        let credential = credentials::load(source, env).await;
        let tested = match &credential {
            Ok(credential) => test_credential(&mut connector, &lookups, source, credential).await,
            Err(error) => Err(error.clone().into()),
        };
        let credential = credential.ok();
        let found = match (&credential, &tested) {
            (Some(credential), Ok(())) => {
                look_up_listed_key(&mut connector, source, credential, now).await
            }
            _ => None,
        };
        let end = expiry::find_expiry(source, credential.as_ref(), found.as_ref());
        let age = credential.as_ref();
        let age = age.and_then(|credential| expiry::age_in_days(credential, now));
        match is_json {
            true => stdout::print(&status_line(source, &tested, age, end.as_ref()))?,
            false => rows.push(status_row(source, tested.is_ok(), age, end.as_ref())),
        }
        for (_, warning) in expiry::warnings(source, credential.as_ref(), end.as_ref(), now) {
            messages.push(Err(warning));
        }
        if let Err(error) = tested {
            worst = worst.worst(error.exit());
            messages.push(Ok(error.for_settings(source)));
        }
    }
    if !is_json {
        stdout::print(&text_table(HEADS, &rows, space))?;
    }
    // After the table, which they would interrupt.
    for message in messages {
        match message {
            Ok(error) => error.report_to(console),
            Err(warning) => console.say(Level::Warning, &warning),
        };
    }
    Ok(worst)
}

/// What is known of the credential of a source, as JSON.
fn status_line(
    source: &SourceSettings,
    tested: &Result<(), AppError>,
    age: Option<i64>,
    end: Option<&CredentialExpiry>,
) -> String {
    let line = json!({
        "name": source.name.as_str(), "type": source.target.kind().as_str(),
        "credential": credential_location(source), "works": tested.is_ok(),
        "age_days": age, "expires_on": end.map(|end| end.day),
        "error": tested.as_ref().err().map(AppError::text),
    });
    format!("{line}\n")
}

/// The same as a row of a table.
fn status_row(
    source: &SourceSettings,
    works: bool,
    age: Option<i64>,
    end: Option<&CredentialExpiry>,
) -> [TableCell; 6] {
    let works = match works {
        true => ("yes".to_owned(), CellStyle::Good),
        false => ("NO".to_owned(), CellStyle::Bad),
    };
    let age = age.map_or("-".to_owned(), |days| format!("{days}d"));
    let expires = end.map_or("-".to_owned(), |end| {
        format!("{} ({})", end.day, expiry::relative_day(end.day, Utc::now().date_naive()))
    });
    [
        plain(source.name.as_str()),
        plain(source.target.kind().as_str()),
        plain(credential_location(source)),
        works,
        plain(age),
        plain(expires),
    ]
}

/// What the organization's list of keys says, if the key may read it.
async fn look_up_listed_key(
    connector: &mut SourceConnector,
    source: &SourceSettings,
    credential: &Credential,
    now: Timestamp,
) -> Option<KeyMatch> {
    let source = without_retries(source);
    let org_id = credential.org_id.as_deref()?;
    source.target.site().is_none().then_some(())?;
    let client = connector.api_client(&source, credential).ok()?;
    expiry::look_up_key(&client, &source, org_id, now).await.ok()
}

/// Describes shortly where the credential is. The keyring's entry has the name of the source.
fn credential_location(source: &SourceSettings) -> String {
    match &source.credential {
        CredentialSpec::Keyring => "keyring".to_owned(),
        _ => credentials::describe_location(source),
    }
}

/// The heads of the table of `auth status`.
const HEADS: [&str; 6] = ["NAME", "TYPE", "CREDENTIAL", "WORKS", "AGE", "EXPIRES"];
