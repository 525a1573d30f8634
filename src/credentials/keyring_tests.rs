//! Tests of the keyring, against the mock store of keyring-core.

use keyring_core::api::CredentialStoreApi;
use keyring_core::mock;

use super::*;
use crate::credentials::Credential;

fn name() -> SourceName {
    "acme".parse().unwrap()
}

fn mocked() -> Entry {
    let store = mock::Store::new().unwrap();
    store.build(SERVICE, "acme", None).unwrap()
}

fn fail_with(error: Error) -> HintedError {
    let entry = mocked();
    let credential: &mock::Cred = entry.as_any().downcast_ref().unwrap();
    credential.set_error(error);
    get(&entry).map(|_| ()).unwrap_err().into_error(&name(), true)
}

#[test]
fn a_secret_is_kept_read_and_removed() {
    let entry = mocked();
    assert_eq!(get(&entry).map(|_| ()), Err(KeyringProblem::NoEntry));
    let kept = Credential {
        key: SecretString::from("k"),
        org_id: Some("o".to_owned()),
        account: None,
        origin: String::new(),
        stored: None,
        expires: None,
    };
    entry.set_password(kept.to_text(true).unwrap().expose_secret()).unwrap();
    assert_eq!(get(&entry).unwrap().expose_secret(), r#"{"org_id":"o","api_key":"k"}"#);
    assert_eq!(remove(&entry), Ok(true));
    assert_eq!(remove(&entry), Ok(false));
}

#[test]
fn no_error_shows_the_secret() {
    let boxed = || -> keyring_core::error::PlatformError { "why".into() };
    for error in [
        Error::BadEncoding(b"SECRET".to_vec()),
        Error::BadDataFormat(b"SECRET".to_vec(), boxed()),
        Error::Ambiguous(Vec::new()),
        Error::TooLong("password".to_owned(), 5),
        Error::NoStorageAccess(boxed()),
    ] {
        let refusal = fail_with(error);
        let said = format!("{refusal} {refusal:?}");
        // Neither as text nor as a list of bytes.
        assert!(!said.contains("SECRET") && !said.contains("83, 69"), "{said}");
        assert!(refusal.hint.is_some(), "{said}");
    }
}

#[test]
fn an_absent_keyring_names_the_other_places() {
    let refusal = KeyringProblem::Unreachable("no bus".to_owned()).into_error(&name(), true);
    assert_eq!(refusal.what, "no Secret Service/keyring reachable: no bus");
    let hint = refusal.hint.unwrap();
    for kind in ["env:", "--store file:", "command:", "systemd:", "ATLAUDIT_API_KEY"] {
        assert!(hint.contains(kind), "{kind}");
    }
    let refusal = KeyringProblem::NoEntry.into_error(&name(), true);
    assert!(refusal.hint.unwrap().contains("auth login acme"));
}

#[test]
fn the_variables_of_an_organization_are_named_for_no_other_source() {
    for problem in [
        KeyringProblem::NoEntry,
        KeyringProblem::TimedOut,
        KeyringProblem::Unreachable("x".to_owned()),
        KeyringProblem::Locked("x".to_owned()),
    ] {
        let refusal = problem.into_error(&name(), false);
        assert!(!refusal.hint.unwrap().contains("ATLAUDIT_"));
    }
}
