//! Owns secrets that systemd hands to a unit (`LoadCredential=`, `SetCredentialEncrypted=`).

use std::path::Path;

use secrecy::SecretString;

use crate::config::env::{CREDENTIALS_DIRECTORY, ProcessEnv};
use crate::config::error::HintedError;
use crate::credentials::file;

/// The credential `name`, a plain file name, in the unit's folder.
pub(super) fn read(name: &str, env: &ProcessEnv) -> Result<SecretString, HintedError> {
    let hint = format!(
        "add `LoadCredential={name}:/path/to/key` to the unit, and start atlaudit by systemd"
    );
    let Some(folder) = env.var_os(CREDENTIALS_DIRECTORY) else {
        return Err(HintedError::new(format!(
            "systemd credential `{name}`: {CREDENTIALS_DIRECTORY} is not set"
        ))
        .hint(hint));
    };
    // systemd guards the folder itself, and gives the files group bits of its own.
    file::read_guarded(&Path::new(folder).join(name)).map_err(|refusal| HintedError {
        what: format!("systemd credential `{name}`: {}", refusal.what),
        hint: Some(hint),
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn the_file_of_that_name_is_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("acme"), "SECRET\n").unwrap();
        let env = ProcessEnv::with([(CREDENTIALS_DIRECTORY, folder.path())], "/");
        assert_eq!(read("acme", &env).unwrap().expose_secret(), "SECRET\n");
        let refusal = read("other", &env).unwrap_err();
        assert!(refusal.hint.unwrap().contains("LoadCredential=other:"));
        assert!(read("acme", &ProcessEnv::default()).is_err());
    }
}
