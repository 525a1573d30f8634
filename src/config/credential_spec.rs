//! Parses `credential = "..."`. Text of an unknown form is never quoted in an error: it may be the
//! secret itself, pasted into the wrong place.

use std::path::{Component, Path, PathBuf};

use crate::config::env::ProcessEnv;
use crate::config::error::HintedError;
use crate::config::settings::CredentialSpec;
use crate::config::validate::{self, require};

const KINDS: &str =
    "use `keyring`, `env:NAME`, `file:PATH`, `command:PROGRAM ARG...` or `systemd:NAME`";

/// Reads where a credential is stored.
pub fn parse(text: &str) -> Result<CredentialSpec, HintedError> {
    let text = text.trim();
    if text == "keyring" {
        return Ok(CredentialSpec::Keyring);
    }
    let Some((kind, rest)) = text.split_once(':') else {
        return Err(unknown());
    };
    let rest = rest.trim();
    if rest.split([' ', '=', ':', '/']).any(validate::looks_like_key) {
        return Err(unknown());
    }
    match kind {
        "env" => variable(rest).map(CredentialSpec::Env),
        "file" => validate::path(rest).map(CredentialSpec::File),
        "command" => command(rest).map(CredentialSpec::Command),
        "systemd" => unit_credential(rest).map(CredentialSpec::Systemd),
        _ => Err(unknown()),
    }
}

/// Reads `--store`: a place that a key can be stored in.
pub fn store(text: &str, env: &ProcessEnv) -> Result<CredentialSpec, HintedError> {
    let text = text.trim();
    if text == "keyring" {
        return Ok(CredentialSpec::Keyring);
    }
    let path = text.strip_prefix("file:").map(str::trim);
    match path.filter(|path| !path.is_empty() && !path.contains(char::is_control)) {
        Some(path) if path.ends_with('/') => {
            Err(HintedError::new("names a folder").hint("name the file too: `file:FOLDER/NAME`"))
        }
        Some(path) if !path.split(['=', ':', '/']).any(validate::looks_like_key) => {
            absolute_file(path, env).map(CredentialSpec::File)
        }
        _ => Err(HintedError::new(
            "names no place that a key can be stored in (its text is not shown, in case it is the \
             key)",
        )
        .hint("use `keyring` or `file:PATH`, such as `file:~/.config/atlaudit/keys/acme`")),
    }
}

/// The path of a file to store a key in, as a configuration may name it: absolute.
fn absolute_file(path: &str, env: &ProcessEnv) -> Result<PathBuf, HintedError> {
    // Without `.` and doubled slashes.
    let path: PathBuf = env.at_cwd(&validate::path(path)?).components().collect();
    let spec = CredentialSpec::File(path.clone());
    match parse(&spec.to_string()) {
        Ok(read) if read == spec && path.is_absolute() => Ok(path),
        _ => Err(HintedError::new("not a path that the configuration can hold")
            .hint("use a path of plain text, without a key in it")),
    }
}

fn unknown() -> HintedError {
    HintedError::new(
        "names no known place for a secret (its text is not shown, in case it is the secret)",
    )
    .hint(KINDS)
}

fn variable(name: &str) -> Result<String, HintedError> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let fits = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let what = "`env:` is not followed by the name of a variable (its text is not shown, in case \
                it is the secret)";
    let hint = "write it like `env:ACME_KEY`, and put the key into that variable";
    require(starts_well && fits, name.to_owned(), what, hint)
}

fn command(line: &str) -> Result<Vec<String>, HintedError> {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let hint = "write it like `command:pass show atlassian/acme`";
    require(!words.is_empty(), words, "`command:` is not followed by a program", hint)
}

fn unit_credential(name: &str) -> Result<String, HintedError> {
    let mut parts = Path::new(name).components();
    let plain = matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none();
    let fits = plain && !name.contains('/') && !name.contains('\0');
    let what = "`systemd:` is not followed by the plain name of a credential";
    let hint = "use the name before the colon in the unit's `LoadCredential=NAME:PATH`";
    require(fits, name.to_owned(), what, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind() {
        let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect();
        let cases = [
            ("keyring", CredentialSpec::Keyring),
            ("env:ACME_KEY", CredentialSpec::Env("ACME_KEY".into())),
            ("file:/etc/key", CredentialSpec::File("/etc/key".into())),
            ("command:pass  show a", CredentialSpec::Command(words(&["pass", "show", "a"]))),
            ("systemd:acme", CredentialSpec::Systemd("acme".into())),
        ];
        for (text, want) in cases {
            assert_eq!(parse(text), Ok(want), "{text}");
        }
    }

    #[test]
    fn a_place_to_store_a_key_in_is_found_from_everywhere() {
        let env = ProcessEnv::with([("HOME", "/h")], "/w");
        let home = std::env::var("HOME").unwrap();
        let file = |path: &str| Ok(CredentialSpec::File(path.into()));
        assert_eq!(store("keyring", &env), Ok(CredentialSpec::Keyring));
        assert_eq!(store(" file: ~/k/acme ", &env), file(&format!("{home}/k/acme")));
        assert_eq!(store("file:./k//acme", &env), file("/w/k/acme"));
        assert_eq!(store("file:/k/a b", &env), file("/k/a b"));
        for bad in [
            "",
            "file:",
            "file:k/",
            "env:K",
            "~/k",
            "file:~ada/k",
            "ATATT3xSECRET",
            "file:/k/ATATT3xSECRET",
            "file:a\nb",
        ] {
            let refusal = store(bad, &env).unwrap_err();
            assert!(!refusal.to_string().contains("SECRET"), "{refusal}");
        }
        assert!(store("file:k", &ProcessEnv::default()).is_err());
    }

    #[test]
    fn a_pasted_secret_is_never_quoted() {
        let secret = "ATATT3xSECRET-123=ABC";
        for prefix in [
            "",
            "env:",
            "systemd:",
            "bearer:",
            "key:",
            "file:",
            "file:/",
            "command:",
            "command:curl -H x:",
        ] {
            let refusal = parse(&format!("{prefix}{secret}")).unwrap_err();
            assert!(!refusal.to_string().contains("SECRET"), "{refusal}");
        }
    }

    #[test]
    fn places_that_are_no_places() {
        for bad in [
            "",
            "keyring:x",
            "env:",
            "env:A B",
            "env:1A",
            "file:",
            "file:~k",
            "command: ",
            "systemd:a/b",
            "systemd:..",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
