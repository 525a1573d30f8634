//! Loads the key that an export is signed with: a file of the program `minisign`, and its password.

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use crate::config::env::{ProcessEnv, SIGN_PASSWORD};
use crate::config::error::HintedError;
use crate::config::prompt::UserPrompt;
use crate::credentials;
use crate::error::AppError;
use crate::evidence::sign::{self, SigningKey};
use crate::exit::Exit;
use crate::telemetry::console::StderrConsole;
use crate::telemetry::terminal::Terminal;

/// The key in the file at `path`. Its password comes from the environment, else from a prompt on
/// the terminal.
///
/// # Errors
/// It cannot be read, is no key, or its password is wrong or not to be had.
pub fn load_key(
    path: &Path,
    env: &ProcessEnv,
    console: &StderrConsole,
) -> Result<SigningKey, AppError> {
    let mut terminal = || {
        let terminal = Terminal::open().ok()?;
        console.notice("the signing key has a password, which is asked for at the terminal");
        Some(Box::new(terminal) as Box<dyn UserPrompt>)
    };
    open(&env.at_cwd(path), env, console, &mut terminal)
}

fn open(
    path: &Path,
    env: &ProcessEnv,
    console: &StderrConsole,
    person: &mut dyn FnMut() -> Option<Box<dyn UserPrompt>>,
) -> Result<SigningKey, AppError> {
    let text = credentials::guarded_file(path).map_err(credential_error)?;
    let password = match sign::is_encrypted(text.expose_secret()) {
        true => {
            let password = password(path, env, person)?;
            console.notice("unlocking the signing key, which can take some seconds");
            Some(password)
        }
        false => {
            // Everyone who can read it can sign.
            credentials::private_file(path, "check the path").map_err(credential_error)?;
            None
        }
    };
    SigningKey::open(&text, password.as_ref()).map_err(|error| {
        let what = format!("cannot sign with `{}`: {error}", path.display());
        let hint = "name the secret key that `minisign -G` made, and give its password";
        AppError::new(Exit::Credential, what).hint(hint)
    })
}

fn credential_error(mut refusal: HintedError) -> AppError {
    refusal.what = format!("cannot sign: {}", refusal.what);
    AppError::refused(Exit::Credential, refusal)
}

fn password(
    path: &Path,
    env: &ProcessEnv,
    person: &mut dyn FnMut() -> Option<Box<dyn UserPrompt>>,
) -> Result<SecretString, AppError> {
    if let Some(password) = env.var_text(SIGN_PASSWORD) {
        return Ok(SecretString::from(password));
    }
    let error = |what: String, hint| AppError::new(Exit::Credential, what).hint(hint);
    let Some(mut person) = person() else {
        let what = format!(
            "the signing key `{}` has a password, and there is no terminal to prompt for it",
            path.display()
        );
        let hint = format!(
            "give it in {SIGN_PASSWORD}, or sign with a key without one (`minisign -G -W`)"
        );
        return Err(error(what, hint));
    };
    person.ask_secret(&format!("Password of {}: ", path.display())).map_err(|refused| {
        let what = "cannot prompt for the password of the signing key".to_owned();
        error(what, format!("give it in {SIGN_PASSWORD}")).because(&refused)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::telemetry::TelemetrySettings;
    use std::fs;
    use std::io;
    use std::os::unix::fs::PermissionsExt as _;

    /// A key that `minisign -G -W` made.
    const PLAIN: &str = "untrusted comment: minisign encrypted secret key\nRWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFSFqXPGILq/cgYACB+Rmjxi7CLyFV1fwH2q4dVVJ6gHdS2fueEva9sFKbo98i+TPFC1KxridtX0LBF7MEtsw95DqSSbb+LIZAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

    fn kept(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    fn console() -> StderrConsole {
        StderrConsole::new(TelemetrySettings::default(), false)
    }

    fn opened(text: &str, mode: u32, env: &ProcessEnv) -> Result<SigningKey, AppError> {
        struct Gone;
        impl UserPrompt for Gone {
            fn show(&mut self, _: &str) -> io::Result<()> {
                Ok(())
            }
            fn ask(&mut self, _: &str) -> io::Result<Option<String>> {
                Ok(None)
            }
            fn ask_secret(&mut self, question: &str) -> io::Result<SecretString> {
                assert!(question.starts_with("Password of /"), "{question}");
                Ok("wrong".into())
            }
        }
        let mut person = || Some(Box::new(Gone) as Box<dyn UserPrompt>);
        open(kept(text, mode).path(), env, &console(), &mut person)
    }

    #[test]
    fn a_signing_key_without_a_password_needs_none_and_is_private() {
        let env = ProcessEnv::default();
        assert_eq!(opened(PLAIN, 0o600, &env).unwrap().id(), "AF2E88F15C6A2115");
        let error = opened(PLAIN, 0o644, &env).unwrap_err();
        assert!(error.text().contains("others can read it"), "{error:?}");
    }

    #[test]
    fn no_refusal_quotes_the_key_or_the_password() {
        // Packed so that it is cheap to unpack: the least that scrypt allows.
        let encrypted = PLAIN.replace("RWQAAEIy", "RWRTY0Iy");
        let of_env = ProcessEnv::with([(SIGN_PASSWORD, "hunter2")], "/");
        for env in [&ProcessEnv::default(), &of_env] {
            let error = opened(&encrypted, 0o644, env).unwrap_err();
            assert_eq!(error.exit(), Exit::Credential);
            let text = format!("{error:?}");
            assert!(text.contains("its password is wrong"), "{text}");
            for secret in ["hunter2", "FSFqXPGI", "wrong\""] {
                assert!(!text.contains(secret), "{text}");
            }
        }
        let (file, env) = (kept(&encrypted, 0o600), ProcessEnv::default());
        let error = open(file.path(), &env, &console(), &mut || None).unwrap_err();
        assert!(error.text().contains("no terminal"), "{error:?}");
    }
}
