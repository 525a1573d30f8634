//! Owns `auth`: puts keys into the OS keyring, tells where credentials come from, takes keys out.

mod config_file;
mod login;
mod status;

pub use login::login;
pub use status::status;

use std::time::Duration;

use tracing::Instrument as _;

use crate::commands::connect::Connector;
use crate::config::request::LogoutRequest;
use crate::config::settings::SourceSettings;
use crate::credentials::{Credential, keyring};
use crate::error::AppError;
use crate::exit::Exit;
use crate::state::lookups::Lookups;
use crate::telemetry::console::{Console, Level, Message};

/// Asks for one page, once.
async fn answers(
    connector: &mut Connector,
    lookups: &Lookups,
    source: &SourceSettings,
    credential: &Credential,
) -> Result<(), AppError> {
    let source = impatient(source);
    let connected = connector.connect(&source, credential)?;
    let asking = async {
        let (_, fetcher) = connected.ready(lookups, None).await?;
        Ok(fetcher.probe(chrono::Utc::now()).await?)
    };
    let span = tracing::error_span!("auth", source = source.name.as_str());
    asking.instrument(span).await
}

/// `source`, for whoever waits for the answer: what fails once has failed.
fn impatient(source: &SourceSettings) -> SourceSettings {
    let mut source = source.clone();
    source.connection.retry_for = Duration::ZERO;
    source.connection.max_wait = Duration::ZERO;
    source
}

/// Removes a key from the keyring.
///
/// # Errors
/// The keyring cannot be reached, or holds no such key.
pub async fn logout(request: LogoutRequest, console: &Console) -> Result<(), AppError> {
    let name = &request.name;
    let deleted = keyring::delete(name).await;
    if let (Ok(false) | Err(_), Some(why)) = (&deleted, &request.otherwise) {
        let told = AppError::new(Exit::Config, why.to_string());
        return Err(told.hint(why.hint_text().unwrap_or_default()));
    }
    if !deleted? {
        return Err(AppError::new(
            Exit::Credential,
            format!("the keyring holds no key of `{name}`"),
        )
        .hint("`atlaudit auth status` tells where each source's credential comes from"));
    }
    let text = format!(
        "removed the key of `{name}` from the OS keyring; it is good until it is revoked at Atlassian"
    );
    console.say(Level::Notice, &Message::new(text));
    Ok(())
}
