//! Owns `auth`: puts keys into the OS keyring, tells where credentials come from, takes keys out.

mod config_file;
mod login;
mod status;

pub use login::login;
pub use status::status;

use std::time::Duration;

use crate::commands::connect::Connector;
use crate::config::settings::SourceSettings;
use crate::credentials::{Credential, keyring};
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::name::SourceName;
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
    let (_, fetcher) = connected.ready(lookups, None).await?;
    Ok(fetcher.probe(chrono::Utc::now()).await?)
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
pub async fn logout(name: &SourceName, console: &Console) -> Result<(), AppError> {
    if !keyring::delete(name).await? {
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
