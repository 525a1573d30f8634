//! Exports that are signed, and what `verify` says of their signatures.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{site, words};
use crate::support::{Run, Site};

/// A secret key that `minisign -G -W` made, and its public key.
const SECRET: &str = "untrusted comment: minisign encrypted secret key\nRWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFSFqXPGILq/cgYACB+Rmjxi7CLyFV1fwH2q4dVVJ6gHdS2fueEva9sFKbo98i+TPFC1KxridtX0LBF7MEtsw95DqSSbb+LIZAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
const PUBLIC: &str = "RWQVIWpc8Ygur8FKbo98i+TPFC1KxridtX0LBF7MEtsw95DqSSbb+LIZ";

/// A signed export `case`.
fn signed() -> Site {
    let site = site(20);
    let key = site.path("minisign.key");
    fs::write(&key, SECRET).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    site.ok(&words(&["acme"], "case", &["--sign", "minisign.key"]));
    site
}

fn verify(site: &Site, key: &str) -> Run {
    site.run(&["verify", "case", "--public-key", key])
}

#[test]
fn a_signed_export_verifies_with_its_public_key_and_no_other() {
    let site = signed();
    let good = verify(&site, PUBLIC);
    assert_eq!(good.code, 0, "{}", good.stderr);
    assert!(good.stderr.contains("signed with the key AF2E88F15C6A2115"), "{}", good.stderr);
    let unchecked = site.ok(&["verify", "case"]);
    assert!(unchecked.stderr.contains("not checked: SHA256SUMS.minisig"), "{}", unchecked.stderr);
    // Another key; and one that bears the number of this.
    for (other, says) in [
        (PUBLIC.replace("RWQV", "RWQW"), "not with"),
        (PUBLIC.replace("8i+TPF", "8i+TPG"), "not this key's signature"),
    ] {
        let run = verify(&site, &other);
        assert_eq!(run.code, 9, "{}", run.stderr);
        let shown = run.stderr.contains("error: SHA256SUMS.minisig: ");
        assert!(shown && run.stderr.contains(says), "{}", run.stderr);
    }
}

#[test]
fn the_time_that_a_key_takes_to_unlock_is_not_silent() {
    let mut site = site(5);
    let key = site.path("minisign.key");
    // With the least work that its format allows, and no password that would open it.
    fs::write(&key, SECRET.replace("RWQAAEIy", "RWRTY0Iy")).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    site.set_env("ATLAUDIT_SIGN_PASSWORD", "wrong");
    let run = site.run(&words(&["acme"], "case", &["--sign", "minisign.key"]));
    run.refused(4, &["unlocking the signing key", "its password is wrong"]);
}

#[test]
fn a_changed_or_missing_signature_is_named() {
    let site = signed();
    let path = site.path("case/SHA256SUMS.minisig");
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    for at in 0..lines.len() {
        let mut changed: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
        let middle = changed[at].len() / 2;
        let other = match &changed[at][middle..=middle] {
            "x" => "y",
            _ => "x",
        };
        changed[at].replace_range(middle..=middle, other);
        fs::write(&path, changed.join("\n") + "\n").unwrap();
        let run = verify(&site, PUBLIC);
        assert_eq!(run.code, 9, "line {at}: {}", run.stderr);
        assert!(run.stderr.contains("error: SHA256SUMS.minisig: "), "{}", run.stderr);
    }
    fs::remove_file(&path).unwrap();
    let run = verify(&site, PUBLIC);
    assert_eq!(run.code, 9, "{}", run.stderr);
    assert!(run.stderr.contains("there is no signature to check"), "{}", run.stderr);
    // Without the public key nothing says that there ever was one.
    site.ok(&["verify", "case"]);
    fs::write(&path, whole).unwrap();
    assert_eq!(verify(&site, PUBLIC).code, 0);
    // It covers every file through the sums.
    let readme = site.path("case/README.txt");
    let text = fs::read_to_string(&readme).unwrap();
    fs::write(&readme, text + "\n").unwrap();
    assert_eq!(verify(&site, PUBLIC).code, 9);
}

#[test]
fn an_invalid_signing_key_is_refused_before_any_request() {
    let site = site(5);
    let key = site.path("minisign.key");
    fs::write(&key, SECRET).unwrap();
    let all = words(&["acme"], "case", &["--sign", "minisign.key"]);
    for (text, mode) in [(SECRET, 0o644), ("no key", 0o600), (PUBLIC, 0o600)] {
        fs::write(&key, text).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        site.run(&all).refused(4, &["minisign.key"]);
    }
    fs::remove_file(&key).unwrap();
    site.run(&all).refused(4, &["minisign.key"]);
    assert!(!site.path("case").exists() && site.control.requests().is_empty());
}
