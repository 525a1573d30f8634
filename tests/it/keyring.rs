//! Owns the keyring, against a real Secret Service: ignored where there is none. `.ci/run` starts one
//! in a session of its own and runs this test in it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use atlaudit::sandbox::{API_KEY, ORG_ID};

use crate::support::{Run, Site, small};

/// What the session tells the program about its bus.
const SESSION: [&str; 4] = [
    "DBUS_SESSION_BUS_ADDRESS",
    "XDG_RUNTIME_DIR",
    "XDG_DATA_HOME",
    "HOME",
];

#[test]
#[ignore = "needs an unlocked Secret Service; .ci/run starts one"]
fn a_key_lives_in_the_secret_service() {
    let site = site();
    assert_eq!(login(&site, "not-the-key").code, 4);
    assert_eq!(look_up(), "", "a refused key was kept");

    let run = login(&site, API_KEY);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.stderr.contains(API_KEY));
    let kept: serde_json::Value = serde_json::from_str(&look_up()).unwrap();
    assert_eq!(kept["api_key"], API_KEY);
    assert_eq!(kept["org_id"], ORG_ID);

    assert_eq!(pull(&site).ids().len(), 40);
    assert!(
        site.ok(&["auth", "status"])
            .stdout
            .starts_with(b"acme  answers")
    );

    site.ok(&["auth", "logout", "acme"]);
    assert_eq!(look_up(), "");
    assert_eq!(site.run(&["auth", "logout", "acme"]).code, 4);
    pull(&site).refused(4, &["`acme`", "no key in the keyring", "auth login acme"]);
}

/// A site whose configuration names no source yet: login adds it.
fn site() -> Site {
    let mut site = Site::new(small(40, 0));
    site.forget_sources();
    for name in SESSION {
        let value = std::env::var(name).unwrap_or_default();
        if name == "HOME" {
            site.set_env("XDG_CONFIG_HOME", site.path("config").to_str().unwrap());
        } else if !value.is_empty() {
            site.set_env(name, &value);
        }
    }
    site
}

fn login(site: &Site, key: &str) -> Run {
    let args = ["auth", "login", "acme", "--with-key", "--org-id", ORG_ID];
    let mut command = site.command(&args);
    command.args(["--base-url", site.base_url()]);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{key}").unwrap();
    Run::from(child.wait_with_output().unwrap())
}

fn pull(site: &Site) -> Run {
    site.run(&["-q", "pull", "acme", "--since", "31d"])
}

/// What another program finds in the keyring under our name.
fn look_up() -> String {
    let args = ["lookup", "service", "atlaudit", "username", "acme"];
    let output = Command::new("secret-tool").args(args).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
