//! Runs `auth`: stores keys, shows where credentials come from, removes keys.

mod config_file;
mod login;
mod status;

pub use login::login;
pub use status::status;

use std::time::Duration;

use tracing::Instrument as _;

use crate::commands::connect::SourceConnector;
use crate::config::env::ProcessEnv;
use crate::config::request::LogoutRequest;
use crate::config::settings::{CredentialSpec, SourceSettings};
use crate::credentials::{self, Credential};
use crate::error::AppError;
use crate::exit::Exit;
use crate::state::lookups::LookupCache;
use crate::telemetry::console::{StderrConsole, Level, ConsoleMessage};

/// Asks for one page, once.
async fn test_credential(
    connector: &mut SourceConnector,
    lookups: &LookupCache,
    source: &SourceSettings,
    credential: &Credential,
) -> Result<(), AppError> {
    let source = without_retries(source);
    let connected = connector.connect(&source, credential)?;
    let asking = async {
        let (_, fetcher) = connected.into_fetcher(lookups, None).await?;
        Ok(fetcher.probe(chrono::Utc::now()).await?)
    };
    let span = tracing::error_span!("auth", source = source.name.as_str());
    asking.instrument(span).await
}

/// `source`, for whoever waits for the answer: what fails once has failed.
fn without_retries(source: &SourceSettings) -> SourceSettings {
    let mut source = source.clone();
    source.connection.retry_for = Duration::ZERO;
    source.connection.max_wait = Duration::ZERO;
    source
}

/// Removes a key from the keyring, or from the file that the configuration names.
///
/// # Errors
/// It cannot be removed, or there is no such key.
pub async fn logout(request: LogoutRequest, env: &ProcessEnv, console: &StderrConsole) -> Result<(), AppError> {
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
            .hint("`atlaudit auth status` tells where each source's credential comes from"));
    }
    let mut text = format!("removed the key of `{name}` from {place}");
    if !request.also_read_by.is_empty() {
        let others = request.also_read_by.iter();
        let others: Vec<_> = others.map(|other| format!("`{other}`")).collect();
        text.push_str(&format!(", which {} read too", others.join(", ")));
    }
    text.push_str("; the key is valid until it is revoked at Atlassian");
    console.say(Level::Notice, &ConsoleMessage::new(text));
    Ok(())
}

/// A place that keys are stored in, in words.
fn describe_store(credential: &CredentialSpec) -> String {
    match credential {
        CredentialSpec::File(path) => format!("file {}", path.display()),
        _ => "the OS keyring".to_owned(),
    }
}
