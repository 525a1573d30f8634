//! Owns `auth`: puts keys into the OS keyring, tells where credentials come from, takes keys out.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use crate::commands::connect::{Connector, sharing};
use crate::commands::organization;
use crate::config::env::Env;
use crate::config::request::LoginRequest;
use crate::config::settings::{CredentialSpec, Settings, SourceSettings, Target};
use crate::credentials::{self, Credential, StoredSecret, check_key, keyring};
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::name::SourceName;
use crate::sink::stdout;
use crate::state::lookups::Lookups;
use crate::telemetry::console::{Console, Level, Message};

/// The longest key that is read: Atlassian's have a few hundred characters.
const KEY_BYTES: u64 = 64 * 1024;

/// Tests a key, keeps it in the keyring, and adds the source to the configuration when it is not there.
///
/// # Errors
/// There is no usable key, the server refuses it, or the keyring or the configuration file cannot be
/// written.
pub async fn login(
    mut request: LoginRequest,
    env: &Env,
    console: &Console,
) -> Result<(), AppError> {
    refuse_other_places(&request)?;
    let account = match &request.source.target {
        Target::OrgEvents { .. } => None,
        Target::Site(site) => site.email.clone(),
        Target::Datacenter { username, .. } => username.clone(),
    };
    let mut credential = Credential {
        key: read_key(&request, env)?,
        org_id: None,
        account,
        origin: credentials::origin(&request.source),
        stored: None,
        expires: None,
    };
    let mut connector = Connector::new(sharing(env));
    if let Target::OrgEvents { org_id: None, .. } = &request.source.target {
        let found = organization::find(&mut connector, &request.source, &credential).await;
        let found = found.map_err(|error| error.of_source(request.name.as_str()))?;
        if let Target::OrgEvents { org_id, .. } = &mut request.source.target {
            *org_id = Some(found);
        }
    }
    if let Target::OrgEvents { org_id, .. } = &request.source.target {
        credential.org_id.clone_from(org_id);
    }
    test(&mut connector, &request, &credential, console).await?;
    keep(&request, credential, console).await
}

/// Keeps the key, and adds the source to the configuration when it is not there.
async fn keep(
    request: &LoginRequest,
    credential: Credential,
    console: &Console,
) -> Result<(), AppError> {
    let secret = StoredSecret {
        api_key: credential.key,
        org_id: credential.org_id,
        // A Data Center's user name stands in the configuration.
        email: match &request.source.target {
            Target::Site(_) => credential.account,
            Target::OrgEvents { .. } | Target::Datacenter { .. } => None,
        },
        stored: Some(chrono::Utc::now()),
        expires: None,
    };
    keyring::store(&request.name, &secret).await?;
    // Another token may be another account's, or of a site that was made anew.
    if let Some(site) = request.source.target.site() {
        Lookups::new(&request.state_dir).change(&site, |facts| {
            facts.cloud_id = None;
            facts.accounts.remove(request.name.as_str());
        });
    }
    let mut done = format!("kept the key of `{}` in the OS keyring", request.name);
    if !request.is_known {
        add_source(&request.config_file, &request.source)?;
        let file = request.config_file.display();
        done.push_str(&format!(", and added the source to {file}"));
    }
    console.say(Level::Notice, &Message::new(done));
    Ok(())
}

/// Asks for one page with the key. A key that the server refuses is not kept; one that cannot be
/// tested now is, with a warning.
async fn test(
    connector: &mut Connector,
    request: &LoginRequest,
    credential: &Credential,
    console: &Console,
) -> Result<(), AppError> {
    let lookups = Lookups::new(&request.state_dir);
    let Err(error) = answers(connector, &lookups, &request.source, credential).await else {
        return Ok(());
    };
    if error.exit() != Exit::Incomplete && error.exit() != Exit::RateLimited {
        return Err(error.of_source(request.name.as_str()));
    }
    let text = format!("the key could not be tested: {}", error.text());
    console.say(Level::Warning, &Message::new(text));
    Ok(())
}

/// A source that reads its credential elsewhere would never look into the keyring.
fn refuse_other_places(request: &LoginRequest) -> Result<(), AppError> {
    match &request.source.credential {
        CredentialSpec::Keyring => Ok(()),
        other => Err(AppError::new(
            Exit::Config,
            format!(
                "source `{}` takes its credential from {other}, not from the keyring",
                request.name
            ),
        )
        .hint("put the key there, or remove `credential` from the source's configuration")),
    }
}

fn read_key(request: &LoginRequest, env: &Env) -> Result<SecretString, AppError> {
    let failed =
        |error: &io::Error| AppError::new(Exit::Credential, "cannot read the key").because(error);
    let text = match (request.with_key, env.stdin_is_terminal) {
        (true, _) => {
            let mut text = String::new();
            io::stdin()
                .lock()
                .take(KEY_BYTES)
                .read_to_string(&mut text)
                .map_err(|error| failed(&error))?;
            text
        }
        (false, true) => rpassword::prompt_password(format!("Key of `{}`: ", request.name))
            .map_err(|error| failed(&error))?,
        (false, false) => {
            return Err(
                AppError::new(Exit::Usage, "there is no terminal to ask for the key on")
                    .hint("give the key on standard input with `--with-key`"),
            );
        }
    };
    let text = SecretString::from(text);
    check_key(text.expose_secret()).map_err(|refusal| {
        let told = AppError::new(Exit::Credential, refusal.what);
        match refusal.hint {
            Some(hint) => told.hint(hint),
            None => told,
        }
    })
}

/// Appends the source's table: what stands in the file, comments and all, stays as it is.
fn add_source(path: &Path, source: &SourceSettings) -> Result<(), AppError> {
    let write = || -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(table(source).as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| {
        AppError::new(
            Exit::Config,
            format!(
                "the key is kept, but `{}` cannot be written",
                path.display()
            ),
        )
        .because(&error)
        .hint("add the source to the configuration by hand; see config.example.toml")
    })
}

fn table(source: &SourceSettings) -> String {
    let mut keys = vec![("type", source.target.kind().as_str().to_owned())];
    match &source.target {
        Target::OrgEvents { org_id, .. } => {
            keys.extend(org_id.clone().map(|id| ("org_id", id)));
        }
        Target::Site(site) => {
            keys.push(("site", site.site.clone()));
            keys.extend(site.email.clone().map(|email| ("email", email)));
        }
        Target::Datacenter { username, .. } => {
            keys.extend(username.clone().map(|name| ("username", name)));
        }
    }
    if !source.target.has_default_base_url() {
        keys.push(("base_url", source.target.base_url().to_string()));
    }
    let name = source.name.as_str();
    // A dot in a bare key would nest tables.
    let mut table = match name.contains('.') {
        true => format!("\n[sources.\"{name}\"]\n"),
        false => format!("\n[sources.{name}]\n"),
    };
    for (key, value) in keys {
        table.push_str(&format!("{key} = {}\n", toml::Value::String(value)));
    }
    if source.target.is_through_gateway() {
        table.push_str("gateway = true\n");
    }
    table
}

/// Prints, for every source, where its credential comes from, whether the server takes it and when
/// it expires.
///
/// # Errors
/// The first credential that is missing or refused, or standard output cannot be written.
pub async fn status(settings: &Settings, env: &Env) -> Result<(), AppError> {
    let mut first = None;
    let mut connector = Connector::new(sharing(env));
    let lookups = Lookups::new(&settings.state_dir);
    for source in &settings.sources {
        let tested = match credentials::load(source, env).await {
            Ok(credential) => answers(&mut connector, &lookups, source, &credential).await,
            Err(error) => Err(error.into()),
        };
        let end = match source.expires_on {
            Some(end) => format!(", expires on {end}"),
            None => String::new(),
        };
        let state = if tested.is_ok() { "answers" } else { "FAILS" };
        let place = credentials::origin(source);
        stdout::print(&format!("{}  {state}  {place}{end}\n", source.name))?;
        if let Err(error) = tested {
            first.get_or_insert(error.of_source(source.name.as_str()));
        }
    }
    first.map_or(Ok(()), Err)
}

/// Asks for one page, once.
async fn answers(
    connector: &mut Connector,
    lookups: &Lookups,
    source: &SourceSettings,
    credential: &Credential,
) -> Result<(), AppError> {
    let mut source = source.clone();
    source.connection.retry_for = Duration::ZERO;
    source.connection.max_wait = Duration::ZERO;
    let connected = connector.connect(&source, credential)?;
    let (_, fetcher) = connected.ready(lookups).await?;
    Ok(fetcher.probe(chrono::Utc::now()).await?)
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
    let text = format!("removed the key of `{name}` from the OS keyring");
    console.say(Level::Notice, &Message::new(text));
    Ok(())
}
