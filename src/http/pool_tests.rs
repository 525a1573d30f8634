//! Tests of building clients: which are shared, and what cannot be built.

use std::io::Write;

use secrecy::SecretString;

use super::*;

fn connection() -> ConnectionSettings {
    ConnectionSettings {
        requests_per_minute: None,
        timeout: Duration::from_secs(30),
        retry_for: Duration::from_secs(60),
        max_wait: Duration::from_secs(900),
        ca_file: None,
        proxy: None,
    }
}

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

#[test]
fn equal_settings_share_a_client() {
    let mut pool = ClientPool::default();
    let mut other = connection();
    other.timeout = Duration::from_secs(5);
    let local = url("http://127.0.0.1:1/");
    pool.connect(&connection(), &local, None).unwrap();
    pool.connect(&connection(), &url("http://localhost:2/x"), None)
        .unwrap();
    assert_eq!(pool.clients.len(), 1);
    pool.connect(&other, &local, None).unwrap();
    assert_eq!(pool.clients.len(), 2);
    // What a client is not built from makes no other client.
    other.max_wait = Duration::ZERO;
    pool.connect(&other, &local, None).unwrap();
    assert_eq!(pool.clients.len(), 2);
}

#[test]
fn a_ca_file_that_is_none_is_an_error_with_its_path() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let mut settings = connection();
    settings.ca_file = Some(file.path().to_owned());
    let api = url("https://api.example/");
    let error = ClientPool::default()
        .connect(&settings, &api, None)
        .unwrap_err();
    assert!(
        error.to_string().ends_with("no certificate in it"),
        "{error}"
    );
    file.write_all(b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n")
        .unwrap();
    let error = ClientPool::default()
        .connect(&settings, &api, None)
        .unwrap_err();
    assert!(matches!(error, ConnectError::CaFile { .. }), "{error}");
    settings.ca_file = Some("/does/not/exist.pem".into());
    let error = ClientPool::default()
        .connect(&settings, &api, None)
        .unwrap_err();
    assert!(error.to_string().contains("/does/not/exist.pem"), "{error}");
    assert!(error.hint().contains("PEM"));
}

#[test]
fn no_error_holds_a_secret() {
    let api = url("http://127.0.0.1:1/");
    let broken = HttpCredential::Bearer(SecretString::from("hunter2\nx"));
    let error = ClientPool::default()
        .connect(&connection(), &api, Some(&broken))
        .unwrap_err();
    assert!(matches!(error, ConnectError::Credential));
    assert!(!format!("{broken:?} {error:?} {error}").contains("hunter2"));

    let mut settings = connection();
    settings.proxy = Some(SafeUrl::new(url("gopher://user:hunter2@proxy.example/")));
    if let Err(error) = ClientPool::default().connect(&settings, &url("https://api.example/"), None)
    {
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }
}
