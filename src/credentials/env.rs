//! Owns secrets in environment variables.

use secrecy::SecretString;

use crate::config::env::{self, ProcessEnv};
use crate::config::error::HintedError;

/// The value of `variable`.
pub(super) fn read(variable: &str, env: &ProcessEnv) -> Result<SecretString, HintedError> {
    let hint = match variable {
        env::API_KEY => format!("set {variable}, or keep a key with `atlaudit auth login NAME`"),
        _ => format!(
            "set {variable} where atlaudit is started; cron and systemd do not inherit your shell's variables"
        ),
    };
    let Some(value) = env.var_os(variable) else {
        return Err(HintedError::new(format!(
            "environment variable {variable} is not set or empty"
        ))
        .hint(hint));
    };
    match value.to_str() {
        Some(text) => Ok(SecretString::from(text)),
        None => {
            Err(HintedError::new(format!("environment variable {variable} is not text")).hint(hint))
        }
    }
}
