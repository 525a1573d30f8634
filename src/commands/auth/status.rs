//! Owns `auth status`: a table of all credentials, and a warning of each that will not last.

use chrono::Utc;

use crate::commands::auth::{test_credential, without_retries};
use crate::commands::connect::{SourceConnector, quota_dir};
use crate::commands::expiry::{self, CredentialExpiry};
use crate::config::env::ProcessEnv;
use crate::config::settings::{CredentialSpec, Settings, SourceSettings};
use crate::credentials::{self, Credential};
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::time::Timestamp;
use crate::sink::stdout;
use crate::source::api_keys::KeyMatch;
use crate::state::lookups::LookupCache;
use crate::telemetry::console::{StderrConsole, Level};

/// Prints, for every source, where its credential comes from, whether the server takes it, how old it is and when it
/// ends. Returns how the worst of them is.
///
/// # Errors
/// Standard output cannot be written.
pub async fn status(settings: &Settings, env: &ProcessEnv, console: &StderrConsole) -> Result<Exit, AppError> {
    let table = CredentialTable::of(&settings.sources);
    stdout::print(&table.line(["NAME", "TYPE", "CREDENTIAL", "WORKS", "AGE", "EXPIRES"]))?;
    let mut connector = SourceConnector::new(quota_dir(env));
    let lookups = LookupCache::new(&settings.state_dir);
    let (mut worst, now) = (Exit::Done, Utc::now());
    let mut told = Vec::new();
    for source in &settings.sources {
        let credential = credentials::load(source, env).await;
        let tested = match &credential {
            Ok(credential) => test_credential(&mut connector, &lookups, source, credential).await,
            Err(error) => Err(error.clone().into()),
        };
        let credential = credential.ok();
        let found = match (&credential, &tested) {
            (Some(credential), Ok(())) => look_up_listed_key(&mut connector, source, credential, now).await,
            _ => None,
        };
        let end = expiry::find_expiry(source, credential.as_ref(), found.as_ref());
        let age = credential
            .as_ref()
            .and_then(|of| expiry::age_in_days(of, now));
        stdout::print(
            &table.line([
                source.name.as_str(),
                source.target.kind().as_str(),
                &credential_location(source),
                if tested.is_ok() { "yes" } else { "NO" },
                &age.map_or("-".to_owned(), |days| format!("{days}d")),
                &end.as_ref()
                    .map_or("-".to_owned(), |end| format_expiry(end, now)),
            ]),
        )?;
        for caution in expiry::warnings(source, credential.as_ref(), end.as_ref(), now) {
            told.push(Err(caution.message));
        }
        if let Err(error) = tested {
            worst = worst.worst(error.exit());
            told.push(Ok(error.for_settings(source)));
        }
    }
    // Behind the table, which they would tear.
    for told in told {
        match told {
            Ok(error) => error.tell(console),
            Err(warning) => console.say(Level::Warning, &warning),
        }
    }
    Ok(worst)
}

/// What the organization's list of keys says, where the key may read it.
async fn look_up_listed_key(
    connector: &mut SourceConnector,
    source: &SourceSettings,
    credential: &Credential,
    now: Timestamp,
) -> Option<KeyMatch> {
    let source = without_retries(source);
    let org_id = credential.org_id.as_deref()?;
    source.target.site().is_none().then_some(())?;
    let asking = connector.api_client(&source, credential).ok()?;
    expiry::look_up_key(&asking, &source, org_id, now).await.ok()
}

/// Where the credential is, in a word or two: the keyring's entry has the source's name.
fn credential_location(source: &SourceSettings) -> String {
    match &source.credential {
        CredentialSpec::Keyring => "keyring".to_owned(),
        _ => credentials::describe_location(source),
    }
}

fn format_expiry(end: &CredentialExpiry, now: Timestamp) -> String {
    format!(
        "{} ({})",
        end.day,
        expiry::relative_day(end.day, now.date_naive())
    )
}

/// Columns that are as wide as the widest of what will stand in them: all but the last ones are known before.
struct CredentialTable {
    widths: [usize; 6],
}

impl CredentialTable {
    fn of(sources: &[SourceSettings]) -> CredentialTable {
        let widest = |title: &str, text: &dyn Fn(&SourceSettings) -> usize| {
            let widest = sources.iter().map(text).max().unwrap_or_default();
            widest.max(title.len())
        };
        let name = widest("NAME", &|source| source.name.as_str().len());
        let kind = widest("TYPE", &|source| source.target.kind().as_str().len());
        let place = widest("CREDENTIAL", &|source| credential_location(source).chars().count());
        CredentialTable {
            widths: [name, kind, place, "WORKS".len(), "1000d".len(), 0],
        }
    }

    fn line(&self, cells: [&str; 6]) -> String {
        let mut line = String::new();
        for (cell, &width) in cells.iter().zip(&self.widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    }
}
