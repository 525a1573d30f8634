//! Owns secrets in environment variables.

use secrecy::SecretString;

use crate::config::env::{self, Env};
use crate::config::error::Refusal;

/// The value of `variable`.
pub(super) fn read(variable: &str, env: &Env) -> Result<SecretString, Refusal> {
    let hint = match variable {
        env::API_KEY => format!("set {variable}, or keep a key with `atlaudit auth login NAME`"),
        _ => format!(
            "set {variable} where atlaudit is started; cron and systemd do not inherit your shell's variables"
        ),
    };
    let Some(value) = env.var_os(variable) else {
        return Err(Refusal::new(format!(
            "environment variable {variable} is not set or empty"
        ))
        .hint(hint));
    };
    match value.to_str() {
        Some(text) => Ok(SecretString::from(text)),
        None => {
            Err(Refusal::new(format!("environment variable {variable} is not text")).hint(hint))
        }
    }
}
