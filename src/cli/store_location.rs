//! Resolves where an object store is, and who asks: from a URL and the environment, as the tools of
//! the clouds read it.

use std::path::Path;
use std::time::Duration;

use url::Url;

use crate::config::env::ProcessEnv;
use crate::config::error::ConfigError;
use crate::config::settings::{ConnectionSettings, ObjectStoreSettings};

/// What the names of variables begin with that describe a store and who asks.
const VARIABLES: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];

/// The longest wait for an answer. The time that an object takes to be sent counts: one may have 32
/// MiB.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The store at `url`, where a call that fails is repeated for `retry_for`.
///
/// # Errors
/// This build knows no stores.
pub fn settings(
    url: Url,
    env: &ProcessEnv,
    retry_for: Duration,
) -> Result<ObjectStoreSettings, ConfigError> {
    if !cfg!(feature = "object-store") {
        return Err(ConfigError::new("this atlaudit was built without object storage")
            .hint("build it with `--features object-store`; it is on by default"));
    }
    let connection = ConnectionSettings {
        requests_per_minute: None,
        timeout: TIMEOUT,
        retry_for,
        max_wait: retry_for,
        ca_file: env.absolute_path("AWS_CA_BUNDLE").map(Path::to_owned),
        proxy: None,
    };
    let variables: Vec<(String, String)> =
        VARIABLES.iter().flat_map(|prefix| env.vars_with_prefix(prefix)).collect();
    if let Some((name, _)) = variables.iter().find(|(_, value)| value.contains(char::is_control)) {
        return Err(ConfigError::new(format!(
            "{name} holds a line feed or another control character"
        ))
        .hint("take it out: `printf` or `echo -n` write a secret without one"));
    }
    Ok(ObjectStoreSettings { url, variables, connection })
}
